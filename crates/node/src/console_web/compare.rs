//! Two versions of terms as the console shows them side by side.

use super::sentences;
use crate::app::terms_versions::{Origin, Version};
use fondaco_console::{
    Text,
    compared::{Change, ComparedRow, VersionSource},
};
use fondaco_core::policy::compare::{self, Comparison, Part, PartKind, RuleKind, RulePair};
use serde_json::Value;

/// Lines shown of a comparison; no terms that anybody reads have more.
const LINES_MAX: usize = 300;

/// Where a version comes from.
pub const fn source(origin: Origin) -> VersionSource {
    match origin {
        Origin::Published => VersionSource::Published,
        Origin::Asked => VersionSource::Asked,
        Origin::Offered => VersionSource::Offered,
        Origin::Agreement => VersionSource::Agreement,
    }
}

/// The versions to compare: those asked for by their numbers, else the last two. None where there are fewer.
pub fn chosen(versions: &[Version], from: Option<usize>, to: Option<usize>) -> Option<(usize, usize)> {
    let last = versions.len().checked_sub(1).filter(|last| *last > 0)?;
    let place = |n: Option<usize>| n.and_then(|n| n.checked_sub(1)).filter(|place| *place <= last);
    Some((place(from).unwrap_or(last - 1), place(to).unwrap_or(last)))
}

/// All terms of both, line by line.
pub fn rows(before: &Value, after: &Value) -> Vec<ComparedRow> {
    let comparison = compare::compare(before, after);
    comparison.rules.iter().enumerate().flat_map(|(i, rule)| lines(&comparison, i, rule)).take(LINES_MAX).collect()
}

/// What differs alone.
pub fn differences(before: &Value, after: &Value) -> Vec<ComparedRow> {
    rows(before, after).into_iter().filter(|row| row.change != Change::Same).collect()
}

fn lines(comparison: &Comparison, place: usize, rule: &RulePair) -> Vec<ComparedRow> {
    let ways = comparison.rules.iter().filter(|r| r.kind == RuleKind::Permission).count();
    let says = |part: &Part| in_rule(rule.kind, words(part), (ways > 1).then_some(place + 1));
    let whole = change(rule.change());
    let mut lines: Vec<ComparedRow> = Vec::new();
    for pair in rule.parts.iter().filter(|pair| !rule.goes_without_saying(pair)) {
        // A part of a rule that came or went has come or gone with it.
        let change = if matches!(whole, Change::Added | Change::Removed) { whole } else { change(pair.change()) };
        lines.push(ComparedRow { change, before: pair.before.as_ref().map(says), after: pair.after.as_ref().map(says) });
    }
    if lines.is_empty() && whole != Change::Same {
        // A rule that says nothing is still there, or not.
        let empty = |there: bool| there.then(|| in_rule(rule.kind, Text::plain("{}"), None));
        lines.push(ComparedRow { change: whole, before: empty(rule.before), after: empty(rule.after) });
    }
    lines
}

/// A part of a rule, by what the rule does.
fn in_rule(kind: RuleKind, words: Text, way: Option<usize>) -> Text {
    match (kind, way) {
        (RuleKind::Prohibition, _) => Text::say("versions-forbidden").with("rule", words),
        (RuleKind::Obligation, _) => Text::say("versions-obliged").with("rule", words),
        (RuleKind::Permission, Some(n)) => Text::say("versions-way").with("n", n).with("rule", words),
        (RuleKind::Permission | RuleKind::Other, _) => words,
    }
}

fn words(part: &Part) -> Text {
    if let Some(constraint) = &part.constraint {
        return sentences::sentence(constraint);
    }
    if let Some(price) = part.price {
        return sentences::price(price);
    }
    let what = part.odrl_words();
    match part.kind {
        PartKind::Open => Text::say("terms-open"),
        PartKind::Action => Text::say("versions-action").with("what", what),
        PartKind::Constraint => Text::say("versions-condition").with("what", what),
        PartKind::Duty => Text::say("versions-duty").with("what", what),
        PartKind::Detail => Text::say("versions-detail").with("name", part.name.as_str()).with("what", what),
    }
}

const fn change(change: compare::Change) -> Change {
    match change {
        compare::Change::Same => Change::Same,
        compare::Change::Added => Change::Added,
        compare::Change::Removed => Change::Removed,
        compare::Change::Changed => Change::Changed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_console::Locale;
    use fondaco_core::time::Timestamp;
    use serde_json::json;

    fn count(n: u64) -> Value {
        json!({"leftOperand": "count", "operator": "lteq", "rightOperand": n})
    }

    fn said(rows: &[ComparedRow], locale: Locale) -> Vec<(Change, String)> {
        let text = |side: &Option<Text>| side.as_ref().map(|t| t.in_locale(locale)).unwrap_or_default();
        rows.iter().map(|row| (row.change, format!("{}|{}", text(&row.before), text(&row.after)))).collect()
    }

    #[test]
    fn the_lines_are_the_sentences_of_terms() {
        let before = json!({"permission": [{"action": "use", "constraint": [count(100)]}]});
        let after = json!({"permission": [{"action": "use", "constraint": [count(10)]}], "prohibition": [{"action": "sell"}]});
        let rows = rows(&before, &after);
        assert_eq!(
            said(&rows, Locale::En),
            [
                (Change::Changed, "It may be read at most 100 times.|It may be read at most 10 times.".into()),
                (Change::Added, "|Forbidden: Action: sell".into()),
            ]
        );
        assert_eq!(said(&rows, Locale::Zh)[0].1, "最多可读取 100 次。|最多可读取 10 次。");
        assert_eq!(differences(&before, &before), []);
    }

    #[test]
    fn several_ways_and_empty_rules_are_told_apart() {
        let two = json!({"permission": [{"action": "use", "constraint": [count(1)]}, {"action": "use"}]});
        let one = json!({"permission": [{"action": "use", "constraint": [count(1)]}], "prohibition": [{}]});
        assert_eq!(
            said(&differences(&two, &one), Locale::En),
            [(Change::Removed, "Way 2: Every participant may use it, without limits.|".into()), (Change::Added, "|Forbidden: {}".into()),]
        );
    }

    #[test]
    fn the_last_two_versions_are_compared_unless_others_are_asked_for() {
        let version = |n| Version { origin: Origin::Asked, at: Timestamp::from_micros(n), odrl: json!(n), events: Vec::new() };
        let versions: Vec<Version> = (0..3).map(version).collect();
        for (from, to, expected) in
            [(None, None, (1, 2)), (Some(1), Some(3), (0, 2)), (Some(0), Some(9), (1, 2)), (Some(3), Some(1), (2, 0))]
        {
            assert_eq!(chosen(&versions, from, to), Some(expected), "{from:?} {to:?}");
        }
        assert_eq!(chosen(&versions[..1], None, None), None);
    }
}
