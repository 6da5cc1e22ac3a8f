//! The versions of the terms of a negotiation, and what differs between them, as the API says them.

use crate::app::terms_versions;
use fondaco_core::{
    negotiation::Negotiation,
    policy::compare::{Change, Part, PartPair, RuleKind, RulePair, compare},
};
use fondaco_store::Event;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A version of the terms of a negotiation.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionBody {
    /// When it came.
    at: String,
    /// `published`, `asked`, `offered` or `agreement`.
    origin: &'static str,
    /// `consumer` or `provider`.
    by: &'static str,
    /// The ODRL rules.
    odrl: Value,
    /// What differs from the version before.
    changes: Vec<ChangeBody>,
}

/// A term that differs between two versions.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeBody {
    /// `added`, `removed` or `changed`.
    change: &'static str,
    /// `permission`, `prohibition`, `obligation` or `other`: the rule it belongs to.
    rule: &'static str,
    /// The term as it was, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    /// The term as it is, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// What differs between two versions of terms, in words.
pub fn changes(before: &Value, after: &Value) -> Vec<ChangeBody> {
    let comparison = compare(before, after);
    let body = |(rule, pair): (&RulePair, &PartPair)| ChangeBody {
        change: match (rule.change(), pair.change()) {
            (Change::Added, _) | (_, Change::Added) => "added",
            (Change::Removed, _) | (_, Change::Removed) => "removed",
            _ => "changed",
        },
        rule: match rule.kind {
            RuleKind::Permission => "permission",
            RuleKind::Prohibition => "prohibition",
            RuleKind::Obligation => "obligation",
            RuleKind::Other => "other",
        },
        before: pair.before.as_ref().map(Part::sentence),
        after: pair.after.as_ref().map(Part::sentence),
    };
    comparison.differences().map(body).collect()
}

/// The versions, each with what differs from the one before.
pub fn versions(n: &Negotiation, events: &[Event]) -> Vec<VersionBody> {
    let versions = terms_versions::versions(n, events);
    let before = std::iter::once(None).chain(versions.iter().map(Some));
    let body = |(version, before): (&terms_versions::Version, Option<&terms_versions::Version>)| VersionBody {
        at: version.at.to_rfc3339(),
        origin: version.origin.as_str(),
        by: version.origin.by().as_str(),
        odrl: version.odrl.clone(),
        changes: before.map(|before| changes(&before.odrl, &version.odrl)).unwrap_or_default(),
    };
    versions.iter().zip(before).map(body).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_are_told_in_words() {
        let count = |n| json!({"leftOperand": "count", "operator": "lteq", "rightOperand": n});
        let before = json!({"permission": [{"action": "use", "constraint": [count(9)]}]});
        let after =
            json!({"permission": [{"action": "use", "constraint": [count(3)]}, {"action": "use"}], "prohibition": [{"action": "sell"}]});
        assert_eq!(
            json!(changes(&before, &after)),
            json!([
                {"change": "changed", "rule": "permission", "before": "It may be read at most 9 times.", "after": "It may be read at most 3 times."},
                {"change": "added", "rule": "permission", "after": "Every participant may use it, without limits."},
                {"change": "added", "rule": "prohibition", "after": "Action: sell."},
            ])
        );
        assert_eq!(json!(changes(&after, &after)), json!([]));
    }
}
