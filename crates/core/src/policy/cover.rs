//! Whether terms stay within others: how a decision rule knows that what a consumer asks for is no more than its owner
//! would give.
//!
//! Sufficient, not complete: `true` is a proof, `false` may only mean that none was found.

use super::{Comparison as Op, Constraint, Period, Permission, Policy, SetOperator as Set, filter::Filter, view::Field};

impl Policy {
    /// Whether everything that `narrower` permits is permitted by this policy too, to the same users, no longer, no more
    /// often and for no more money.
    pub fn covers(&self, narrower: &Self) -> bool {
        let costs_no_more = match (self.price, narrower.price) {
            (None, _) => true,
            (Some(given), Some(asked)) => asked.at_least(given) == Some(true),
            (Some(_), None) => false,
        };
        costs_no_more && self.covers_but_for_price(narrower)
    }

    /// The same, whatever either costs.
    pub fn covers_but_for_price(&self, narrower: &Self) -> bool {
        narrower.permissions.iter().all(|asked| self.permissions.iter().any(|given| given.covers(asked)))
    }
}

impl Permission {
    fn covers(&self, narrower: &Self) -> bool {
        let later = |p: &Self| p.constraints.iter().any(|c| matches!(c, Constraint::Version { .. }));
        // The one constraint that gives something: later versions.
        // How an agreement may end binds both sides: neither more nor less of it is "no more than what is given".
        let notice = |p: &Self| p.constraints.iter().find(|c| matches!(c, Constraint::NoticePeriod { .. })).cloned();
        (later(self) || !later(narrower))
            && notice(self) == notice(narrower)
            && self.constraints.iter().all(|given| narrower.implies(given))
            && self.shows_what_is_looked_at(narrower)
    }

    /// Whether a row filter that narrows further looks at nothing but values that are shown: which rows a condition leaves
    /// tells what they hold in a column that is hidden.
    fn shows_what_is_looked_at(&self, narrower: &Self) -> bool {
        let (given, asked) = (self.view(), narrower.view());
        // Terms that were not read here may hold more than can be looked at.
        if [&given, &asked].into_iter().any(|view| view.row_filter.as_ref().is_some_and(|filter| !filter.is_within_limits())) {
            return false;
        }
        let known = given.row_filter.as_ref().map_or(&[][..], Filter::conjuncts);
        let further = asked.row_filter.iter().flat_map(Filter::conjuncts).filter(|condition| !known.contains(condition));
        let is_shown = |field: &Field| {
            given.fields.as_ref().is_none_or(|shown| shown.iter().any(|f| field.is_within(f)))
                && !given.masks.iter().any(|m| field.is_within(&m.field) || m.field.is_within(field))
        };
        further.flat_map(Filter::fields).all(is_shown)
    }

    fn implies(&self, given: &Constraint) -> bool {
        match given {
            // Every version there is has a number from 1.
            Constraint::Version { from } if *from <= 1 => true,
            _ => self.constraints.iter().any(|asked| implies(asked, given)),
        }
    }
}

/// Whether `given` holds whenever `asked` does.
fn implies(asked: &Constraint, given: &Constraint) -> bool {
    use Constraint as C;
    match (asked, given) {
        (C::DateTime { op: a, at: x }, C::DateTime { op: g, at: y }) => match (g, a) {
            (Op::Lt | Op::Neq, Op::Lt) | (Op::Lteq, Op::Lt | Op::Lteq | Op::Eq) => x <= y,
            (Op::Lt, Op::Lteq | Op::Eq) | (Op::Neq, Op::Lteq) => x < y,
            (Op::Gt | Op::Neq, Op::Gt) | (Op::Gteq, Op::Gt | Op::Gteq | Op::Eq) => x >= y,
            (Op::Gt, Op::Gteq | Op::Eq) | (Op::Neq, Op::Gteq) => x > y,
            (Op::Eq, Op::Eq) | (Op::Neq, Op::Neq) => x == y,
            (Op::Neq, Op::Eq) => x != y,
            _ => false,
        },
        (C::ElapsedTime { op: a, limit: x }, C::ElapsedTime { op: g, limit: y }) => {
            shorter(x, y) || (x == y && (*a == Op::Lt || *g == Op::Lteq))
        }
        (C::Count { limit: x }, C::Count { limit: y }) | (C::Volume { limit: x }, C::Volume { limit: y }) => x <= y,
        (C::Version { from: x }, C::Version { from: y }) | (C::MinGroupSize { rows: x }, C::MinGroupSize { rows: y }) => x >= y,
        (C::Fields { fields: x }, C::Fields { fields: y }) => x.iter().all(|f| y.iter().any(|g| f.is_within(g))),
        // Every condition that was given is among those asked for, word for word.
        (C::RowFilter { filter: x }, C::RowFilter { filter: y }) => y.conjuncts().iter().all(|f| x.conjuncts().contains(f)),
        (C::Mask { masks: x }, C::Mask { masks: y }) => y.iter().all(|m| x.contains(m)),
        (C::NoticePeriod { period: x }, C::NoticePeriod { period: y }) => x == y,
        (C::Recipient { op: a, values: x }, C::Recipient { op: g, values: y })
        | (C::Spatial { op: a, values: x }, C::Spatial { op: g, values: y })
        | (C::Purpose { op: a, values: x }, C::Purpose { op: g, values: y }) => within((*a, x), (*g, y)),
        _ => false,
    }
}

/// Whether whoever is among the first is among the second.
fn within((a, x): (Set, &[String]), (g, y): (Set, &[String])) -> bool {
    match (a, g) {
        (Set::Eq | Set::IsAnyOf, Set::Eq | Set::IsAnyOf) => x.iter().all(|v| y.contains(v)),
        (Set::Eq | Set::IsAnyOf, Set::Neq | Set::IsNoneOf) => !x.iter().any(|v| y.contains(v)),
        (Set::Neq | Set::IsNoneOf, Set::Neq | Set::IsNoneOf) => y.iter().all(|v| x.contains(v)),
        (Set::Neq | Set::IsNoneOf, Set::Eq | Set::IsAnyOf) => false,
    }
}

/// Whether one span is shorter than another from whichever day they are counted.
fn shorter(a: &Period, b: &Period) -> bool {
    matches!((a.seconds(), b.seconds()), (Some((_, longest)), Some((shortest, _))) if longest < shortest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        policy::{Facts, Verdict},
        time::Timestamp,
    };
    use proptest::{collection::vec, prelude::*, sample::select};
    use serde_json::{Value, json};

    fn policy(constraints: &Value) -> Policy {
        Policy::from_odrl(&json!({"permission": [{"action": "use", "constraint": constraints}]})).expect("policy")
    }

    fn c(left: &str, op: &str, right: impl Into<Value>) -> Value {
        json!({"leftOperand": left, "operator": op, "rightOperand": right.into()})
    }

    #[test]
    fn more_is_not_covered_and_less_is() {
        let floor = policy(&json!([c("count", "lteq", 500), c("elapsedTime", "lteq", "P1Y"), c("purpose", "isAnyOf", json!(["a", "b"]))]));
        let asked = |count: u64, time: &str, purpose: &str| {
            policy(&json!([c("count", "lteq", count), c("elapsedTime", "lteq", time), c("purpose", "eq", purpose)]))
        };
        assert!(floor.covers(&asked(500, "P1Y", "a")));
        assert!(floor.covers(&asked(1, "P11M", "b")));
        assert!(!floor.covers(&asked(501, "P1Y", "a")));
        assert!(!floor.covers(&asked(500, "P366D", "a")), "a year may be shorter");
        assert!(!floor.covers(&asked(500, "P1Y", "c")));
        assert!(!floor.covers(&Policy::open()));
        assert!(Policy::open().covers(&floor));
        let rows = |filter: &str| {
            policy(&json!([c("fields", "isAnyOf", json!(["a", "b"])), c("mask", "eq", "hash(b)"), c("rowFilter", "eq", filter)]))
        };
        let open = policy(&json!([c("fields", "isAnyOf", json!(["a", "b"])), c("mask", "eq", "hash(b)")]));
        assert!(open.covers(&rows("a > 1")) && rows("c = 1").covers(&rows("c = 1 AND a > 1")));
        for filter in ["c > 1", "a > 1 AND c > 1", "b = 'x'", "NOT (a = 1 OR c IS NULL)"] {
            assert!(!open.covers(&rows(filter)), "{filter} tells of what is hidden");
            assert!(Policy::open().covers(&rows(filter)), "{filter}");
        }
        assert!(!rows("c = 1").covers(&rows("c = 1 AND c <> 2")));
        let notice = |period: &str| policy(&json!([c("noticePeriod", "eq", period)]));
        assert!(notice("P30D").covers(&notice("P30D")));
        for (given, asked) in [
            (notice("P30D"), notice("P1D")),
            (notice("P1D"), notice("P30D")),
            (notice("P1D"), Policy::open()),
            (Policy::open(), notice("P1D")),
        ] {
            assert!(!given.covers(&asked), "{given:?} {asked:?}");
        }
    }

    #[test]
    fn what_is_too_large_to_be_looked_at_is_not_covered() {
        let text = |from: usize| (from..from + 250).map(|n| format!("id<>{n}")).collect::<Vec<_>>().join(" AND ");
        let joined = |count: usize| {
            let constraints = (0..count).map(|i| Constraint::RowFilter { filter: Filter::parse(&text(i * 250)).expect("filter") });
            Policy::free(vec![Permission { constraints: constraints.collect() }])
        };
        assert!(Policy::open().covers(&joined(2)));
        assert!(!Policy::open().covers(&joined(3)));
        assert!(Policy::from_odrl(&joined(2).to_odrl()).is_ok());
        let refused = Policy::from_odrl(&joined(60).to_odrl()).expect_err("too many");
        assert!(refused.message().contains("500 comparisons"), "{refused}");
    }

    fn any_constraint() -> impl Strategy<Value = Value> {
        let comparisons = select(vec!["eq", "neq", "lt", "lteq", "gt", "gteq"]);
        let sets = select(vec!["isAnyOf", "isNoneOf"]);
        let days = (0..6u8).prop_map(|d| format!("2027-01-0{}T00:00:00Z", d + 1));
        prop_oneof![
            (comparisons, days).prop_map(|(op, at)| c("dateTime", op, at)),
            (select(vec!["lt", "lteq"]), select(vec!["P1D", "P2D", "PT24H", "P1M", "P30D"])).prop_map(|(op, t)| c("elapsedTime", op, t)),
            (0..4u64).prop_map(|n| c("count", "lteq", n)),
            (0..4u64).prop_map(|n| c("volume", "lteq", n)),
            (1..4u32).prop_map(|n| c("version", "gteq", n)),
            (select(vec!["recipient", "purpose"]), sets.clone(), vec(select(vec!["a", "b", "c"]), 1..3)).prop_map(|(left, op, values)| c(
                left,
                op,
                json!(values)
            )),
            (sets, vec(select(vec!["CN", "DE", "FR"]), 1..3)).prop_map(|(op, values)| c("spatial", op, json!(values))),
        ]
    }

    fn any_policy() -> impl Strategy<Value = Policy> {
        vec(vec(any_constraint(), 0..4), 1..3).prop_map(|permissions| {
            let rules: Vec<_> = permissions.into_iter().map(|cs| json!({"action": "use", "constraint": cs})).collect();
            Policy::from_odrl(&json!({"permission": rules})).expect("policy")
        })
    }

    #[test]
    fn what_costs_less_than_written_is_not_covered() {
        let at = |price: Option<&str>| Policy::open().at(price.map(|p| crate::price::Price::read(p).expect("price")));
        let covers = |given, asked| at(given).covers(&at(asked));
        assert!(covers(Some("80 CNY"), Some("80 CNY")) && covers(Some("80 CNY"), Some("80.01 CNY")));
        assert!(!covers(Some("80 CNY"), Some("79.99 CNY")));
        assert!(!covers(Some("80 CNY"), None), "free is less");
        assert!(!covers(Some("1 CNY"), Some("80 EUR")), "currencies are not compared");
        assert!(covers(None, None) && covers(None, Some("1 CNY")));
    }

    proptest! {
        #[test]
        fn terms_cover_themselves(policy in any_policy()) {
            prop_assert!(policy.covers(&policy));
        }

        #[test]
        fn whatever_is_covered_is_permitted(
            given in any_policy(), asked in any_policy(), day in 0..6i64, age in 0..40i64, reads in 0..4u64, version in 1..4u32,
            who in select(vec!["a", "b", "c", "d"]), country in select(vec![Some("CN"), Some("DE"), Some("US"), None]),
            purposes in vec(select(vec!["a", "b", "d"]), 0..3),
        ) {
            prop_assume!(given.covers(&asked));
            let start = Timestamp::parse("2027-01-01T00:00:00Z").expect("instant");
            let now = start.plus(crate::time::Micros::from_secs(day * 86_400));
            let purpose: Vec<String> = purposes.into_iter().map(str::to_owned).collect();
            let facts = Facts {
                now, recipient: who, agreed_at: now.plus(crate::time::Micros::from_secs(-age * 86_400)), spatial: country,
                purpose: &purpose, reads, volume: reads, version, paid: true,
            };
            if let Verdict::Permit(_) = asked.evaluate(&facts) {
                // Of several permissions each has bounds of its own; of those that permit, one must bound no less.
                let alone = |p: &Permission| match Policy::free(vec![p.clone()]).evaluate(&facts) {
                    Verdict::Permit(permit) => Some(permit),
                    Verdict::Deny(_) => None,
                };
                for asked in asked.permissions.iter().filter_map(alone) {
                    let found = given.permissions.iter().filter_map(alone).any(|given| {
                        given.reads_max.is_none_or(|n| asked.reads_max.is_some_and(|m| m <= n))
                            && given.volume_max.is_none_or(|n| asked.volume_max.is_some_and(|m| m <= n))
                            && given.until.is_none_or(|t| asked.until.is_some_and(|u| u <= t))
                            && (given.later_versions || !asked.later_versions)
                    });
                    prop_assert!(found, "{given:?} against {asked:?}");
                }
            }
        }
    }
}
