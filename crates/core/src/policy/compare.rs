//! What differs between two versions of terms, for people who decide about them.
//!
//! Compares ODRL documents and not [`Policy`](super::Policy)s: a consumer may hold terms that only their provider
//! enforces, and what a peer writes that we cannot read must be seen all the more. Nothing is left out: every part of
//! both documents is in the [`Comparison`] once. Keys that only describe (ids, parties) are no terms.

use super::{
    Constraint, compensate,
    odrl::{DESCRIPTIVE, clip, constraint, constraint_json, list, name_of, strip},
    words::price_sentence,
};
use crate::price::Price;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Most rules of a document, and most parts of all of them, that are compared one by one. Our own terms have fewer; a
/// peer's document beyond this is compared as a whole, so that it cannot keep us busy.
const RULES_COMPARED_MAX: usize = 50;
const PARTS_COMPARED_MAX: usize = 1_000;
/// Longest text of a part in words.
const WORDS_MAX_CHARS: usize = 300;

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleKind {
    /// Permits.
    Permission,
    /// Forbids.
    Prohibition,
    /// Obliges.
    Obligation,
    /// No rule: what else the document says, which no profile of ours knows.
    Other,
}

/// What a part of a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKind {
    /// What is done.
    Action,
    /// What must hold.
    Constraint,
    /// What must be done for it.
    Duty,
    /// Anything else.
    Detail,
    /// Nothing at all has to hold: a permission without limits.
    Open,
}

/// A part of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// What it is about: the left operand of a constraint, the action of a duty, the key of a detail.
    pub name: String,
    /// As this node enforces it, where it can.
    pub constraint: Option<Constraint>,
    /// Of the duty to pay: the price, where this node knows it.
    pub price: Option<Price>,
    /// In one spelling: without prefixes, in the short form.
    pub odrl: Value,
}

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It stayed.
    Same,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It says something else.
    Changed,
}

/// A part before and after; one of them may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartPair {
    /// Before.
    pub before: Option<Part>,
    /// After.
    pub after: Option<Part>,
}

impl PartPair {
    /// What became of it.
    pub fn change(&self) -> Change {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) if before == after => Change::Same,
            (Some(_), None) => Change::Removed,
            (None, Some(_)) => Change::Added,
            _ => Change::Changed,
        }
    }
}

/// A rule before and after, part by part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulePair {
    /// What it does.
    pub kind: RuleKind,
    /// Whether it was there before.
    pub before: bool,
    /// Whether it is there after.
    pub after: bool,
    /// Its parts.
    pub parts: Vec<PartPair>,
}

impl RulePair {
    /// Whether a part is the action of a permission, which is always use.
    pub fn goes_without_saying(&self, part: &PartPair) -> bool {
        let is_use = |side: &Option<Part>| side.as_ref().is_none_or(Part::is_use);
        self.kind == RuleKind::Permission && is_use(&part.before) && is_use(&part.after)
    }

    /// What became of it.
    pub fn change(&self) -> Change {
        match (self.before, self.after) {
            (true, false) => Change::Removed,
            (false, true) => Change::Added,
            _ if self.parts.iter().all(|p| p.change() == Change::Same) => Change::Same,
            _ => Change::Changed,
        }
    }
}

/// Two versions of terms, rule by rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The rules of both: those of the first in their order, then what is new.
    pub rules: Vec<RulePair>,
}

impl Comparison {
    /// Whether both say the same.
    pub fn is_same(&self) -> bool {
        self.rules.iter().all(|rule| rule.change() == Change::Same)
    }

    /// What differs: each part that was added, removed or changed, with its rule. That a permission is for use goes
    /// without saying.
    pub fn differences(&self) -> impl Iterator<Item = (&RulePair, &PartPair)> {
        self.rules.iter().flat_map(|rule| {
            let whole = matches!(rule.change(), Change::Added | Change::Removed);
            let said = move |part: &&PartPair| (whole || part.change() != Change::Same) && !rule.goes_without_saying(part);
            rule.parts.iter().filter(said).map(move |part| (rule, part))
        })
    }
}

/// Compares two ODRL documents.
pub fn compare(before: &Value, after: &Value) -> Comparison {
    let (Some(old), Some(new)) = (rules(before), rules(after)) else {
        let whole = |value: &Value| Rule::new(RuleKind::Other, vec![Part::detail("policy", plain(value))]);
        return Comparison { rules: vec![pair_rules((Some(whole(before)), Some(whole(after))))] };
    };
    let alike = |a: &Rule, b: &Rule| {
        let keys = |rule: &'_ Rule| rule.key.iter().cloned().collect::<BTreeSet<_>>();
        (a.kind == b.kind).then(|| 1 + keys(a).intersection(&keys(b)).count())
    };
    Comparison { rules: align(old, new, alike).into_iter().map(pair_rules).collect() }
}

/// A rule; equal to another of its kind with the same parts in any order.
#[derive(Clone, Debug)]
struct Rule {
    kind: RuleKind,
    parts: Vec<Part>,
    /// The parts as text, sorted.
    key: Vec<String>,
}

impl Rule {
    fn new(kind: RuleKind, parts: Vec<Part>) -> Self {
        let mut key: Vec<String> = parts.iter().map(|p| format!("{:?} {} {}", p.kind, p.name, p.odrl)).collect();
        key.sort();
        Self { kind, parts, key }
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.key == other.key
    }
}

fn pair_rules((before, after): (Option<Rule>, Option<Rule>)) -> RulePair {
    let kind = before.as_ref().or(after.as_ref()).map_or(RuleKind::Other, |rule| rule.kind);
    let (was, is) = (before.is_some(), after.is_some());
    let parts = |rule: Option<Rule>| rule.map(|r| r.parts).unwrap_or_default();
    let alike = |a: &Part, b: &Part| (a.kind == b.kind && a.name == b.name).then_some(1);
    let pairs = align(parts(before), parts(after), alike);
    RulePair { kind, before: was, after: is, parts: pairs.into_iter().map(|(before, after)| PartPair { before, after }).collect() }
}

/// Pairs what is equal, then what is most alike; whatever is left stands alone.
fn align<T: PartialEq>(before: Vec<T>, after: Vec<T>, alike: impl Fn(&T, &T) -> Option<usize>) -> Vec<(Option<T>, Option<T>)> {
    let mut partner: Vec<Option<usize>> = vec![None; before.len()];
    let mut taken = vec![false; after.len()];
    for (i, old) in before.iter().enumerate() {
        if let Some(j) = (0..after.len()).find(|&j| !taken[j] && after[j] == *old) {
            (partner[i], taken[j]) = (Some(j), true);
        }
    }
    for (i, old) in before.iter().enumerate() {
        if partner[i].is_some() {
            continue;
        }
        let candidates = (0..after.len()).filter(|&j| !taken[j]).filter_map(|j| Some((alike(old, &after[j])?, j)));
        // The first of those that are equally alike.
        if let Some((_, j)) = candidates.max_by_key(|&(score, j)| (score, usize::MAX - j)) {
            (partner[i], taken[j]) = (Some(j), true);
        }
    }
    let mut after: Vec<Option<T>> = after.into_iter().map(Some).collect();
    let mut pairs: Vec<(Option<T>, Option<T>)> =
        before.into_iter().zip(partner).map(|(old, j)| (Some(old), j.and_then(|j| after[j].take()))).collect();
    pairs.extend(after.into_iter().flatten().map(|new| (None, Some(new))));
    pairs
}

/// The rules of a document; `None` where it is none, or has too many to compare one by one.
fn rules(value: &Value) -> Option<Vec<Rule>> {
    let map = value.as_object()?;
    let mut rules = Vec::new();
    let mut others = Vec::new();
    for (key, value) in map {
        let kind = match strip(key) {
            "permission" => RuleKind::Permission,
            "prohibition" => RuleKind::Prohibition,
            "obligation" => RuleKind::Obligation,
            key if DESCRIPTIVE.contains(&key) => continue,
            key => {
                others.push(Part::detail(key, plain(value)));
                continue;
            }
        };
        rules.extend(list(value).iter().take(RULES_COMPARED_MAX + 1).map(|rule| Rule::new(kind, parts(kind, rule))));
    }
    if !others.is_empty() {
        rules.push(Rule::new(RuleKind::Other, others));
    }
    let parts: usize = rules.iter().map(|rule| rule.parts.len()).sum();
    // Permissions first, whatever the order of the keys.
    rules.sort_by_key(|rule| rule.kind);
    (rules.len() <= RULES_COMPARED_MAX && parts <= PARTS_COMPARED_MAX).then_some(rules)
}

/// The parts of a rule, its action first.
fn parts(kind: RuleKind, rule: &Value) -> Vec<Part> {
    let Some(map) = rule.as_object() else { return vec![Part::detail("rule", plain(rule))] };
    let mut parts = Vec::new();
    for (key, value) in map {
        match strip(key) {
            "action" => parts.push(Part::action(value)),
            "constraint" => parts.extend(list(value).iter().take(PARTS_COMPARED_MAX + 1).map(Part::constraint)),
            "duty" => parts.extend(list(value).iter().take(PARTS_COMPARED_MAX + 1).map(Part::duty)),
            key if is_descriptive(key) => {}
            key => parts.push(Part::detail(key, plain(value))),
        }
    }
    if kind == RuleKind::Permission && parts.iter().all(|part| part.kind == PartKind::Action) {
        parts.push(Part::new(PartKind::Open, String::new(), Value::Null));
    }
    parts.sort_by_key(|part| part.kind);
    parts
}

/// Whether a key of a rule or a part says who or which, and nothing about what.
fn is_descriptive(key: &str) -> bool {
    matches!(key, "@id" | "@type" | "uid" | "target" | "assigner" | "assignee")
}

/// JSON in one spelling: keys and names without their prefix, a bare reference as its name, a literal without its type.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.len() == 1 && map.contains_key("@id") => plain(&map["@id"]),
        Value::Object(map) if map.contains_key("@value") => plain(&map["@value"]),
        Value::Object(map) => Value::Object(
            map.iter().filter(|(key, _)| !is_descriptive(key)).map(|(key, value)| (strip(key).to_owned(), plain(value))).collect(),
        ),
        Value::Array(items) if items.len() == 1 => plain(&items[0]),
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        Value::String(text) => Value::String(strip(text).to_owned()),
        other => other.clone(),
    }
}

impl Part {
    const fn new(kind: PartKind, name: String, odrl: Value) -> Self {
        Self { kind, name, constraint: None, price: None, odrl }
    }

    fn detail(name: &str, odrl: Value) -> Self {
        Self::new(PartKind::Detail, clip(name), odrl)
    }

    fn action(value: &Value) -> Self {
        Self::new(PartKind::Action, String::new(), plain(value))
    }

    fn constraint(value: &Value) -> Self {
        match constraint(value) {
            Ok(known) => {
                let odrl = constraint_json(&known);
                let name = odrl["leftOperand"].as_str().unwrap_or_default().to_owned();
                Self { constraint: Some(known), ..Self::new(PartKind::Constraint, name, odrl) }
            }
            Err(_) => {
                let odrl = plain(value);
                let name = odrl.get("leftOperand").and_then(name_of).map(clip).unwrap_or_default();
                Self::new(PartKind::Constraint, name, odrl)
            }
        }
    }

    fn duty(value: &Value) -> Self {
        let price = compensate::of_duty(value);
        let odrl = plain(&price.map_or_else(|| value.clone(), compensate::to_json));
        let name = odrl.get("action").and_then(name_of).map(clip).unwrap_or_default();
        Self { price, ..Self::new(PartKind::Duty, name, odrl) }
    }

    /// Whether it is the action that every permission of ours has.
    pub fn is_use(&self) -> bool {
        self.kind == PartKind::Action && self.odrl == "use"
    }

    /// Its ODRL in short: `count lteq 100`, or the JSON where it is not that simple.
    pub fn odrl_words(&self) -> String {
        let simple = |map: &Map<String, Value>| {
            let text = |key: &str| map.get(key).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
            (map.len() == 3).then(|| Some(format!("{} {} {}", text("leftOperand")?, text("operator")?, text("rightOperand")?))).flatten()
        };
        let words = match &self.odrl {
            Value::String(text) => text.clone(),
            Value::Object(map) => simple(map).unwrap_or_else(|| self.odrl.to_string()),
            other => other.to_string(),
        };
        let words: String = words.chars().filter(|c| !c.is_control()).collect();
        match words.char_indices().nth(WORDS_MAX_CHARS) {
            Some((end, _)) => format!("{}…", &words[..end]),
            None => words,
        }
    }

    /// In a sentence.
    pub fn sentence(&self) -> String {
        match (self.kind, &self.constraint) {
            (PartKind::Constraint, Some(constraint)) => constraint.sentence(),
            (PartKind::Constraint, None) => format!("Condition: {}.", self.odrl_words()),
            (PartKind::Action, _) => format!("Action: {}.", self.odrl_words()),
            (PartKind::Duty, _) if let Some(price) = self.price => price_sentence(price),
            (PartKind::Duty, _) => format!("Duty: {}.", self.odrl_words()),
            (PartKind::Open, _) => "Every participant may use it, without limits.".into(),
            (PartKind::Detail, _) => format!("{}: {}.", self.name, self.odrl_words()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use proptest::prelude::*;
    use serde_json::json;

    fn count(n: u64) -> Value {
        json!({"leftOperand": "count", "operator": "lteq", "rightOperand": n})
    }

    fn purpose(what: &str) -> Value {
        json!({"leftOperand": "purpose", "operator": "eq", "rightOperand": what})
    }

    fn offer(constraints: &[Value]) -> Value {
        json!({"@id": "o", "permission": [{"action": "use", "constraint": constraints}]})
    }

    fn seen(before: &Value, after: &Value) -> Vec<(Change, String)> {
        let comparison = compare(before, after);
        let words = |part: &Option<Part>| part.as_ref().map(Part::sentence).unwrap_or_default();
        comparison.differences().map(|(_, pair)| (pair.change(), format!("{}|{}", words(&pair.before), words(&pair.after)))).collect()
    }

    #[test]
    fn what_was_changed_added_and_removed_is_said_in_sentences() {
        assert_eq!(
            seen(
                &offer(&[count(100), purpose("research")]),
                &offer(&[count(10), json!({"leftOperand": "spatial", "operator": "eq", "rightOperand": "CN"})])
            ),
            [
                (Change::Changed, "It may be read at most 100 times.|It may be read at most 10 times.".into()),
                (Change::Removed, "Only for this purpose: research.|".into()),
                (Change::Added, "|Only for participants established in CN.".into()),
            ]
        );
    }

    #[test]
    fn a_limit_on_what_had_none_is_seen_as_one() {
        let seen = seen(&offer(&[]), &offer(&[count(3)]));
        assert_eq!(
            seen,
            [
                (Change::Removed, "Every participant may use it, without limits.|".into()),
                (Change::Added, "|It may be read at most 3 times.".into()),
            ]
        );
        assert!(!compare(&json!({"permission": [{"constraint": []}]}), &offer(&[])).is_same(), "a permission of nothing");
    }

    #[test]
    fn what_this_node_cannot_read_is_compared_all_the_same() {
        let before = json!({"permission": [{"action": "use", "duty": [{"action": "compensate", "constraint": [{"leftOperand": "payAmount", "operator": "eq", "rightOperand": 1}]}]}]});
        let after = json!({"permission": [{"action": "use", "duty": [{"action": "compensate", "constraint": [{"leftOperand": "payAmount", "operator": "eq", "rightOperand": 2}]}]}],
            "prohibition": [{"action": "distribute"}], "inheritFrom": "urn:x"});
        let seen = seen(&before, &after);
        assert_eq!(seen.iter().map(|(change, _)| *change).collect::<Vec<_>>(), [Change::Changed, Change::Added, Change::Added]);
        assert!(seen[0].1.contains("compensate") && seen[0].1.contains("payAmount"), "{seen:?}");
        assert_eq!(seen[1].1, "|Action: distribute.");
        assert_eq!(seen[2].1, "|inheritFrom: urn:x.");
        // A constraint that says more than we know is not the one that we know.
        let with_unit = json!({"leftOperand": "count", "operator": "lteq", "rightOperand": 100, "unit": "row"});
        assert!(!compare(&offer(&[count(100)]), &offer(&[with_unit])).is_same());
    }

    #[test]
    fn another_way_to_be_permitted_is_a_rule_of_its_own() {
        let two =
            json!({"permission": [{"action": "use", "constraint": [count(5)]}, {"action": "use", "constraint": [purpose("a"), count(9)]}]});
        let one = json!({"permission": [{"action": "use", "constraint": [purpose("a"), count(8)]}]});
        let comparison = compare(&two, &one);
        let changes: Vec<Change> = comparison.rules.iter().map(RulePair::change).collect();
        // Read from the first: it takes the only one that is left, since both are permissions.
        assert_eq!(changes.len(), 2);
        assert!(changes.contains(&Change::Removed) && changes.contains(&Change::Changed), "{changes:?}");
    }

    #[test]
    fn spellings_of_one_thing_are_the_same() {
        let long = json!({"@id": "other", "odrl:permission": {"odrl:action": {"@id": "odrl:use"}, "odrl:constraint": {
            "odrl:leftOperand": {"@id": "odrl:count"}, "odrl:operator": {"@id": "odrl:lt"},
            "odrl:rightOperand": {"@value": "10", "@type": "xsd:integer"}}}});
        assert!(compare(&offer(&[count(9)]), &long).is_same());
        assert!(!compare(&offer(&[count(10)]), &long).is_same());
        assert!(!compare(&offer(&[count(9)]), &json!([])).is_same(), "no policy at all");
    }

    #[test]
    fn a_document_beyond_the_limits_is_compared_whole() {
        let many: Vec<Value> = (0..5_000).map(count).collect();
        let comparison = compare(&offer(&many), &offer(&many[1..]));
        assert_eq!((comparison.rules.len(), comparison.is_same()), (1, false));
        assert!(compare(&offer(&many), &offer(&many)).is_same());
        let rules: Vec<Value> = (0..5_000).map(|n| json!({"action": "use", "constraint": [count(n)]})).collect();
        assert!(!compare(&json!({"permission": rules}), &json!({"permission": rules[1..]})).is_same());
    }

    fn constraints() -> impl Strategy<Value = Value> {
        prop_oneof![
            (0u64..5).prop_map(count),
            "[a-c]".prop_map(|p| purpose(&p)),
            "[a-c]".prop_map(|name| json!({"leftOperand": name, "operator": "eq", "rightOperand": "x"})),
            any::<bool>().prop_map(|b| json!(b)),
        ]
    }

    fn policies() -> impl Strategy<Value = Value> {
        let rule = (prop::collection::vec(constraints(), 0..4), prop::collection::vec("[ab]", 0..2))
            .prop_map(|(constraints, duties)| json!({"action": "use", "constraint": constraints, "duty": duties.into_iter().map(|a| json!({"action": a})).collect::<Vec<_>>()}));
        let rule = rule.boxed();
        let rules = prop::collection::vec(rule, 0..3);
        (rules.clone(), rules).prop_map(|(permission, prohibition)| json!({"permission": permission, "prohibition": prohibition}))
    }

    fn parts_of(value: &Value) -> Vec<String> {
        let mut all: Vec<String> = rules(value).expect("few").into_iter().flat_map(|r| r.parts).map(|p| format!("{p:?}")).collect();
        all.sort();
        all
    }

    proptest! {
        #[test]
        fn nothing_differs_from_itself(a in policies()) {
            let comparison = compare(&a, &a);
            prop_assert!(comparison.is_same());
            prop_assert_eq!(comparison.differences().count(), 0);
        }

        #[test]
        fn every_part_of_both_is_there_once(a in policies(), b in policies()) {
            let comparison = compare(&a, &b);
            let side = |pick: fn(&PartPair) -> &Option<Part>| {
                let mut all: Vec<String> = comparison.rules.iter().flat_map(|r| &r.parts).filter_map(|p| pick(p).as_ref()).map(|p| format!("{p:?}")).collect();
                all.sort();
                all
            };
            prop_assert_eq!(side(|p| &p.before), parts_of(&a));
            prop_assert_eq!(side(|p| &p.after), parts_of(&b));
        }

        #[test]
        fn whether_they_differ_does_not_depend_on_the_direction(a in policies(), b in policies()) {
            prop_assert_eq!(compare(&a, &b).is_same(), compare(&b, &a).is_same());
        }

        #[test]
        fn equal_terms_are_the_same(a in policies(), b in policies()) {
            if Policy::same_terms(&a, &b) {
                prop_assert!(compare(&a, &b).is_same());
            }
        }

        #[test]
        fn the_order_of_rules_and_constraints_says_nothing(a in policies()) {
            let mut b = a.clone();
            if let Some(rules) = b["permission"].as_array_mut() {
                rules.reverse();
                for rule in rules {
                    if let Some(constraints) = rule["constraint"].as_array_mut() {
                        constraints.reverse();
                    }
                }
            }
            prop_assert!(compare(&a, &b).is_same());
        }
    }
}
