//! Evaluation: `(policy, facts) → permit | deny`. Every missing fact denies.

use super::{Comparison, Constraint, Permission, Policy, view::View};
use crate::{price::Price, time::Timestamp};
use serde::{Deserialize, Serialize};

/// The left operand of a price.
const PAY_AMOUNT: &str = "payAmount";

/// What is known at the moment of a decision.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The present.
    pub now: Timestamp,
    /// Who asks: the authenticated participant id.
    pub recipient: &'a str,
    /// When the agreement was made; before there is one, the present.
    pub agreed_at: Timestamp,
    /// The asker's declared country.
    pub spatial: Option<&'a str>,
    /// The asker's declared purposes; all of them must be allowed.
    pub purpose: &'a [String],
    /// Reads already made under the agreement.
    pub reads: u64,
    /// Bytes already delivered under the agreement.
    pub volume: u64,
    /// The version of the product that was agreed on; before there is an agreement, the one asked for.
    pub version: u32,
    /// Whether nothing is owed: the price is recorded as paid, or there is no agreement yet by which it is due.
    pub paid: bool,
}

/// The answer to "may they?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, within these bounds.
    Permit(Permit),
    /// No, because.
    Deny(Denial),
}

/// The bounds of a permission, for the enforcer: what to count against and when to stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permit {
    /// Most reads under the agreement; `None` is unlimited. Checked again by the conditional counter.
    pub reads_max: Option<u64>,
    /// Most bytes under the agreement; `None` is unlimited. Checked again by the conditional counter.
    pub volume_max: Option<u64>,
    /// What of a table is shown.
    pub view: View,
    /// From this instant on the permission no longer holds.
    pub until: Option<Timestamp>,
    /// Whether versions later than the agreed one are included.
    pub later_versions: bool,
}

/// Why not: the constraint that failed, and words for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The left operand that failed.
    pub constraint: String,
    /// What the matter is, without revealing other recipients.
    pub reason: String,
}

impl Denial {
    fn unpaid(price: Price) -> Self {
        let reason = format!("The agreed price of {price} is not recorded as paid; access opens once the provider has recorded it.");
        Self { constraint: PAY_AMOUNT.into(), reason }
    }
    /// Whether everything else is permitted, and the price is not paid.
    pub fn is_unpaid(&self) -> bool {
        self.constraint == PAY_AMOUNT
    }
}

impl std::fmt::Display for Denial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.reason, self.constraint)
    }
}

impl Policy {
    /// Decides. The first permission that permits gives the bounds; if none does, the first denial is the reason.
    pub fn evaluate(&self, facts: &Facts<'_>) -> Verdict {
        let mut denial = None;
        for permission in &self.permissions {
            match permission.evaluate(facts) {
                Ok(permit) => {
                    return match self.price {
                        Some(price) if !facts.paid => Verdict::Deny(Denial::unpaid(price)),
                        _ => Verdict::Permit(permit),
                    };
                }
                Err(d) => denial = denial.or(Some(d)),
            }
        }
        Verdict::Deny(denial.unwrap_or_else(|| Denial { constraint: "permission".into(), reason: "The policy permits nothing.".into() }))
    }
}

impl Permission {
    fn evaluate(&self, facts: &Facts<'_>) -> Result<Permit, Denial> {
        let mut permit = Permit::default();
        for constraint in &self.constraints {
            constraint.check(facts, &mut permit)?;
        }
        Ok(permit)
    }
}

impl Permit {
    fn stop_at(&mut self, at: Timestamp) {
        self.until = Some(self.until.map_or(at, |u| u.min(at)));
    }
}

impl Policy {
    /// The first instant at which `recipient` may no longer use what was agreed at `agreed_at`, by time alone: `None` when
    /// time never ends it. Of several permissions the one that lasts longest counts; both sides find the same.
    pub fn expires(&self, agreed_at: Timestamp, recipient: &str) -> Option<Timestamp> {
        let ends = self.permissions.iter().filter(|p| p.is_for(recipient)).map(|p| p.expires(agreed_at));
        // One permission without an end is an end that never comes; no permission at all has no end either.
        ends.collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

impl Permission {
    fn is_for(&self, recipient: &str) -> bool {
        self.constraints.iter().all(|c| !matches!(c, Constraint::Recipient { op, values } if !op.holds(recipient, values)))
    }

    fn expires(&self, agreed_at: Timestamp) -> Option<Timestamp> {
        let mut permit = Permit::default();
        for constraint in &self.constraints {
            match constraint {
                Constraint::DateTime { op: Comparison::Lt, at } => permit.stop_at(*at),
                Constraint::DateTime { op: Comparison::Lteq | Comparison::Eq, at } => permit.stop_at(at.plus(TICK)),
                Constraint::ElapsedTime { op, limit } => {
                    // A span that cannot be counted is denied from the beginning.
                    let end = limit.after(agreed_at).unwrap_or(agreed_at);
                    permit.stop_at(if *op == Comparison::Lteq { end.plus(TICK) } else { end });
                }
                _ => {}
            }
        }
        permit.until
    }
}

/// The smallest step of our clock: turns an inclusive bound into an exclusive one.
const TICK: crate::time::Micros = crate::time::Micros(1);

impl Constraint {
    /// Takes from a view what this constraint does not show. Constraints that are not about content leave it as it is.
    pub(super) fn narrow(&self, view: &mut View) {
        match self {
            Self::Fields { fields } => view.keep(fields),
            Self::RowFilter { filter } => view.filter(filter),
            Self::Mask { masks } => view.masks.extend(masks.iter().cloned()),
            Self::MinGroupSize { rows } => view.min_group_size = view.min_group_size.max(Some(*rows)),
            _ => {}
        }
    }

    /// The ODRL name of the left operand.
    pub const fn operand(&self) -> &'static str {
        match self {
            Self::DateTime { .. } => "dateTime",
            Self::ElapsedTime { .. } => "elapsedTime",
            Self::Recipient { .. } => "recipient",
            Self::Count { .. } => "count",
            Self::Spatial { .. } => "spatial",
            Self::Purpose { .. } => "purpose",
            Self::Version { .. } => "version",
            Self::NoticePeriod { .. } => "noticePeriod",
            Self::Volume { .. } => "volume",
            Self::Fields { .. } => "fields",
            Self::RowFilter { .. } => "rowFilter",
            Self::Mask { .. } => "mask",
            Self::MinGroupSize { .. } => "minGroupSize",
        }
    }

    fn deny(&self, reason: impl Into<String>) -> Denial {
        Denial { constraint: self.operand().into(), reason: reason.into() }
    }

    fn check(&self, facts: &Facts<'_>, permit: &mut Permit) -> Result<(), Denial> {
        match self {
            Self::DateTime { op, at } => {
                if !op.holds(&facts.now, at) {
                    return Err(self.deny(match op {
                        Comparison::Lt | Comparison::Lteq => format!("Access ended on {at}."),
                        Comparison::Gt | Comparison::Gteq => format!("Access begins on {at}."),
                        Comparison::Eq | Comparison::Neq => format!("This is not the agreed time ({at})."),
                    }));
                }
                match op {
                    Comparison::Lt => permit.stop_at(*at),
                    Comparison::Lteq | Comparison::Eq => permit.stop_at(at.plus(TICK)),
                    // Not at the one instant `at`: a stream that passes over it is stopped there.
                    Comparison::Neq if facts.now < *at => permit.stop_at(*at),
                    Comparison::Neq | Comparison::Gt | Comparison::Gteq => {}
                }
            }
            Self::ElapsedTime { op, limit } => {
                let end = limit.after(facts.agreed_at).ok_or_else(|| self.deny("The agreed time cannot be counted."))?;
                let until = if *op == Comparison::Lteq { end.plus(TICK) } else { end };
                if facts.now >= until {
                    return Err(self.deny(format!("The agreed time ({}) ran out on {end}.", limit.as_str())));
                }
                permit.stop_at(until);
            }
            Self::Recipient { op, values } => {
                if !op.holds(facts.recipient, values) {
                    return Err(self.deny("These terms are for other participants."));
                }
            }
            Self::Count { limit } => {
                if facts.reads >= *limit {
                    return Err(self.deny(format!("All {limit} agreed reads are used.")));
                }
                permit.reads_max = Some(permit.reads_max.map_or(*limit, |m| m.min(*limit)));
            }
            Self::Spatial { op, values } => {
                let place = facts.spatial.ok_or_else(|| {
                    self.deny("These terms depend on the country of establishment, and none was declared. Set it with: fondaco participant set SLUG --country CC")
                })?;
                if !op.holds(place, values) {
                    return Err(self.deny(format!("Not permitted for a participant established in {place}.")));
                }
            }
            Self::Version { from } => {
                if facts.version < *from {
                    return Err(self.deny(format!("These terms are for versions from {from} on.")));
                }
                permit.later_versions = true;
            }
            Self::Volume { limit } => {
                if facts.volume >= *limit {
                    return Err(self.deny(format!("All {limit} agreed bytes are delivered.")));
                }
                permit.volume_max = Some(permit.volume_max.map_or(*limit, |m| m.min(*limit)));
            }
            Self::Fields { .. } | Self::RowFilter { .. } | Self::Mask { .. } | Self::MinGroupSize { .. } => self.narrow(&mut permit.view),
            // Says how the agreement may end, and nothing about a use while it has not.
            Self::NoticePeriod { .. } => {}
            Self::Purpose { op, values } => {
                if facts.purpose.is_empty() {
                    return Err(self.deny("These terms depend on the purpose, and none was declared. Declare it when negotiating."));
                }
                if let Some(p) = facts.purpose.iter().find(|p| !op.holds(p, values)) {
                    return Err(self.deny(format!("Not permitted for the purpose \"{p}\".")));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Micros;
    use proptest::prelude::*;
    use serde_json::json;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("instant")
    }

    fn facts(now: &str) -> Facts<'static> {
        Facts {
            now: at(now),
            recipient: "did:web:me",
            agreed_at: at("2026-01-31T00:00:00Z"),
            spatial: None,
            purpose: &[],
            reads: 0,
            volume: 0,
            version: 1,
            paid: false,
        }
    }

    fn policy(constraints: &serde_json::Value) -> Policy {
        Policy::from_odrl(&json!({"permission": [{"action": "use", "constraint": constraints}]})).expect("policy")
    }

    fn denied_by(p: &Policy, f: &Facts<'_>) -> Option<String> {
        match p.evaluate(f) {
            Verdict::Permit(_) => None,
            Verdict::Deny(d) => Some(d.constraint),
        }
    }

    #[test]
    fn windows_close_exactly() {
        let p = policy(&json!([
            {"leftOperand": "dateTime", "operator": "gteq", "rightOperand": "2026-02-01T00:00:00Z"},
            {"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2026-03-01T00:00:00Z"}]));
        assert_eq!(denied_by(&p, &facts("2026-01-31T23:59:59.999999Z")).as_deref(), Some("dateTime"));
        let Verdict::Permit(permit) = p.evaluate(&facts("2026-02-01T00:00:00Z")) else { panic!("permitted") };
        assert_eq!(permit.until, Some(at("2026-03-01T00:00:00Z")));
        assert_eq!(denied_by(&p, &facts("2026-03-01T00:00:00Z")).as_deref(), Some("dateTime"));
    }

    #[test]
    fn calendar_periods_count_from_the_agreement() {
        let p = policy(&json!([{"leftOperand": "elapsedTime", "operator": "lt", "rightOperand": "P1M"}]));
        let Verdict::Permit(permit) = p.evaluate(&facts("2026-02-27T23:59:59Z")) else { panic!("permitted") };
        assert_eq!(permit.until, Some(at("2026-02-28T00:00:00Z")), "31 January and a month is the end of February");
        assert_eq!(denied_by(&p, &facts("2026-02-28T00:00:00Z")).as_deref(), Some("elapsedTime"));
    }

    #[test]
    fn an_agreement_expires_with_its_longest_permission() {
        let made = at("2026-01-31T00:00:00Z");
        let day = |right: &str| json!({"leftOperand": "dateTime", "operator": "lt", "rightOperand": right});
        let until = |right: &str| json!({"leftOperand": "dateTime", "operator": "lteq", "rightOperand": right});
        let other = json!({"leftOperand": "recipient", "operator": "eq", "rightOperand": "did:web:other"});
        let month = json!({"leftOperand": "elapsedTime", "operator": "lt", "rightOperand": "P1M"});
        for (permissions, expires) in [
            (json!([[]]), None),
            (json!([[month]]), Some("2026-02-28T00:00:00Z")),
            (json!([[month, day("2026-02-01T00:00:00Z")]]), Some("2026-02-01T00:00:00Z")),
            (json!([[until("2026-02-01T00:00:00Z")]]), Some("2026-02-01T00:00:00.000001Z")),
            (json!([[day("2026-02-01T00:00:00Z")], [month]]), Some("2026-02-28T00:00:00Z")),
            (json!([[day("2026-02-01T00:00:00Z")], []]), None),
            // A permission for somebody else keeps nothing alive.
            (json!([[day("2026-02-01T00:00:00Z")], [other]]), Some("2026-02-01T00:00:00Z")),
        ] {
            let rules: Vec<_> = permissions.as_array().expect("list").iter().map(|c| json!({"action": "use", "constraint": c})).collect();
            let policy = Policy::from_odrl(&json!({"permission": rules})).expect("policy");
            assert_eq!(policy.expires(made, "did:web:me"), expires.map(at), "{permissions}");
        }
    }

    #[test]
    fn missing_facts_deny() {
        let purpose = ["research".to_owned()];
        for (operand, right) in [("spatial", "CN"), ("purpose", "research")] {
            for op in ["eq", "neq", "isAnyOf", "isNoneOf"] {
                let p = policy(&json!([{"leftOperand": operand, "operator": op, "rightOperand": right}]));
                assert_eq!(denied_by(&p, &facts("2026-02-01T00:00:00Z")).as_deref(), Some(operand), "{operand} {op}");
                let known = Facts { spatial: Some("CN"), purpose: &purpose, ..facts("2026-02-01T00:00:00Z") };
                assert_eq!(denied_by(&p, &known).is_none(), matches!(op, "eq" | "isAnyOf"), "{operand} {op}");
            }
        }
    }

    #[test]
    fn later_versions_are_a_term_and_earlier_ones_are_not_included() {
        let p = Policy::from_odrl(&json!({"permission": [
            {"action": "use", "constraint": [{"leftOperand": "version", "operator": "gteq", "rightOperand": 2}]}]}))
        .expect("policy");
        assert_eq!(Policy::from_odrl(&p.to_odrl()).expect("again"), p);
        let of = |version| Facts { version, ..facts("2026-02-01T00:00:00Z") };
        assert_eq!(p.evaluate(&of(2)), Verdict::Permit(Permit { later_versions: true, ..Permit::default() }));
        assert_eq!(denied_by(&p, &of(1)).as_deref(), Some("version"));
        assert_eq!(Policy::open().evaluate(&of(1)), Verdict::Permit(Permit::default()), "without the term, one version");
        for (op, right) in [("lteq", json!(2)), ("gteq", json!(0)), ("gteq", json!("x"))] {
            let odrl = json!({"permission": [{"action": "use", "constraint": [{"leftOperand": "version", "operator": op, "rightOperand": right}]}]});
            assert!(Policy::from_odrl(&odrl).is_err(), "{op} {right}");
        }
    }

    #[test]
    fn any_permission_is_enough_and_its_bounds_apply() {
        let p = Policy::from_odrl(&json!({"permission": [
            {"action": "use", "constraint": [{"leftOperand": "recipient", "operator": "eq", "rightOperand": "did:web:other"}]},
            {"action": "use", "constraint": [{"leftOperand": "count", "operator": "lteq", "rightOperand": 2}]}]}))
        .expect("policy");
        let now = facts("2026-02-01T00:00:00Z");
        assert_eq!(p.evaluate(&now), Verdict::Permit(Permit { reads_max: Some(2), ..Permit::default() }));
        assert_eq!(denied_by(&p, &Facts { reads: 2, ..now }).as_deref(), Some("recipient"), "the first denial is the reason");
    }

    #[test]
    fn nothing_is_delivered_until_the_price_is_paid() {
        let duty = json!([{"action": "compensate", "constraint": [
            {"leftOperand": "payAmount", "operator": "eq", "rightOperand": "80", "unit": "CNY", "per": "agreement"}]}]);
        let p = Policy::from_odrl(&json!({"permission": [
            {"action": "use", "constraint": [{"leftOperand": "count", "operator": "lteq", "rightOperand": 2}], "duty": duty}]}))
        .expect("policy");
        let now = facts("2026-02-01T00:00:00Z");
        let Verdict::Deny(denial) = p.evaluate(&now) else { panic!("denied") };
        assert!(denial.is_unpaid() && denial.reason.contains("80.00 CNY"), "{denial}");
        let paid = Facts { paid: true, ..now.clone() };
        assert_eq!(p.evaluate(&paid), Verdict::Permit(Permit { reads_max: Some(2), ..Permit::default() }));
        assert_eq!(denied_by(&p, &Facts { reads: 2, ..now }).as_deref(), Some("count"), "what else stands against it comes first");
    }

    proptest! {
        /// `until` is exactly the first instant at which the same policy denies.
        #[test]
        fn until_is_where_permission_ends(lt in 0i64..2_000, lteq in 0i64..2_000, now in 0i64..2_000) {
            let base = at("2026-02-01T00:00:00Z");
            let p = Policy::free(vec![Permission { constraints: vec![
                Constraint::DateTime { op: Comparison::Lt, at: base.plus(Micros(lt)) },
                Constraint::DateTime { op: Comparison::Lteq, at: base.plus(Micros(lteq)) },
            ] }]);
            let f = |n: Timestamp| Facts { now: n, recipient: "x", agreed_at: base, spatial: None, purpose: &[], reads: 0, volume: 0, version: 1, paid: false };
            match p.evaluate(&f(base.plus(Micros(now)))) {
                Verdict::Permit(permit) => {
                    let until = permit.until.expect("bounded");
                    prop_assert!(until > base.plus(Micros(now)));
                    let last = Timestamp::from_micros(until.as_micros() - 1);
                    prop_assert!(matches!(p.evaluate(&f(last)), Verdict::Permit(_)));
                    prop_assert!(matches!(p.evaluate(&f(until)), Verdict::Deny(_)));
                }
                Verdict::Deny(_) => prop_assert!(now >= lt || now > lteq),
            }
        }
    }
}
