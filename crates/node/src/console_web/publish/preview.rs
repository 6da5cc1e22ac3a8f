//! Who may do what: an offer's policy, evaluated for each known peer and for anybody else. Pure.
//!
//! Country and purpose are declared by whoever asks, so they are not known before: where nothing else stands against it,
//! the answer is "if they declare it".

use super::super::{sentences, words};
use fondaco_console::{
    Text,
    pages::{Answer, PreviewRow},
    text::Digits,
};
use fondaco_core::{
    policy::{Constraint, Facts, Permission, Permit, Policy, Verdict},
    time::Timestamp,
};

/// The id of somebody whom no terms name.
const NOBODY: &str = "did:web:anybody.invalid";

/// What a policy answers to somebody: a name (none for anybody else) and a DID.
pub fn row(policy: &Policy, name: Option<String>, did: Option<&str>, now: Timestamp) -> PreviewRow {
    let mut denied = None;
    for permission in &policy.permissions {
        let (declared, rest): (Vec<Constraint>, Vec<Constraint>) =
            permission.constraints.iter().cloned().partition(|c| matches!(c, Constraint::Spatial { .. } | Constraint::Purpose { .. }));
        let facts = Facts {
            now,
            recipient: did.unwrap_or(NOBODY),
            agreed_at: now,
            spatial: None,
            purpose: &[],
            reads: 0,
            volume: 0,
            version: u32::MAX,
            paid: true,
        };
        match Policy::free(vec![Permission { constraints: rest }]).evaluate(&facts) {
            Verdict::Permit(permit) => {
                let answer =
                    if declared.is_empty() { Answer::May } else { Answer::Declaring(declared.iter().map(sentences::sentence).collect()) };
                return PreviewRow { name, answer, bounds: bounds(&permit) };
            }
            Verdict::Deny(denial) => denied = denied.or(Some(denial)),
        }
    }
    let constraint = denied.map_or_else(|| "permission".to_owned(), |d| d.constraint);
    PreviewRow { name, answer: Answer::MayNot(Text::of("terms-deny", &constraint)), bounds: Vec::new() }
}

fn bounds(permit: &Permit) -> Vec<Text> {
    let mut bounds = Vec::new();
    if let Some(reads) = permit.reads_max {
        bounds.push(Text::say("terms-bound-reads").with("n", reads));
    }
    if let Some(until) = permit.until {
        bounds.push(Text::say("terms-bound-until").with("when", words::when(until)));
    }
    if let Some(bytes) = permit.volume_max {
        bounds.push(Text::say("terms-volume").with("n", Digits(bytes)));
    }
    if permit.later_versions {
        bounds.push(Text::say("terms-bound-versions"));
    }
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
    const PEER: &str = "did:web:a.example:p:a";

    fn answers(permissions: &Value) -> (Answer, Answer) {
        let policy = Policy::from_odrl(&json!({"permission": permissions})).expect("policy");
        (row(&policy, Some("A".into()), Some(PEER), NOW).answer, row(&policy, None, None, NOW).answer)
    }

    fn constraint(left: &str, op: &str, right: &Value) -> Value {
        json!({"leftOperand": left, "operator": op, "rightOperand": right})
    }

    #[test]
    fn each_is_answered_for_themselves() {
        assert_eq!(answers(&json!([{"action": "use"}])), (Answer::May, Answer::May));
        let named = constraint("recipient", "isAnyOf", &json!([PEER]));
        let research = constraint("purpose", "eq", &json!("research"));
        let over = constraint("dateTime", "lt", &json!("2020-01-01T00:00:00Z"));
        let not = |operand: &str| Answer::MayNot(Text::of("terms-deny", operand));
        assert_eq!(answers(&json!([{"action": "use", "constraint": [named]}])), (Answer::May, not("recipient")));
        let (a, anybody) = answers(&json!([{"action": "use", "constraint": [named]}, {"action": "use", "constraint": [research]}]));
        assert!(a == Answer::May && matches!(anybody, Answer::Declaring(what) if what.len() == 1));
        assert_eq!(answers(&json!([{"action": "use", "constraint": [over]}])), (not("dateTime"), not("dateTime")));
        let none = constraint("count", "lteq", &json!(0));
        assert_eq!(answers(&json!([{"action": "use", "constraint": [none]}])).0, not("count"));
    }

    #[test]
    fn every_denial_has_words() {
        for operand in ["recipient", "dateTime", "elapsedTime", "count", "volume", "spatial", "purpose", "version", "permission"] {
            assert!(Text::of("terms-deny", operand).exists(), "{operand}");
        }
    }

    #[test]
    fn bounds_are_told() {
        let policy = Policy::from_odrl(&json!({"permission": [{"action": "use", "constraint": [
            constraint("count", "lteq", &json!(3)), constraint("elapsedTime", "lteq", &json!("P30D")), constraint("version", "gteq", &json!(1))]}]}))
        .expect("policy");
        let bounds = row(&policy, None, None, NOW).bounds;
        assert_eq!(bounds.len(), 3);
        assert_eq!(bounds[0].to_string(), "3 reads.");
    }
}
