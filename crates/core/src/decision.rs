//! Decision rules: what a node does of its own accord when a process reaches a point.
//!
//! On the provider's side the rules belong to the offer, on the consumer's side to the participant. The default is
//! automatic and safe: a provider agrees to its own published terms, a consumer verifies what it asked for, and
//! whatever differs waits for a person.

use crate::{
    error::{Code, Error, Result},
    participant::Did,
    time::Micros,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest delay before a decision: a day. Longer waiting is what `hold` is for.
pub const DELAY_MAX: Micros = Micros::from_secs(86_400);
/// Longest list of decisions for one point.
pub const DECISIONS_MAX: usize = 20;
/// Most providers, datasets and agreements one participant writes rules for: they are read with the participant.
pub const RULES_MAX: usize = 1_000;

/// A point at which something may be decided. `Requested`… name the state just reached, by either side's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A negotiation begins with the consumer's request.
    Requested,
    /// The consumer answered an offer with another request.
    CounterRequested,
    /// The provider made an offer.
    Offered,
    /// The consumer accepted.
    Accepted,
    /// The provider sent the agreement.
    Agreed,
    /// The consumer verified it.
    Verified,
    /// The consumer asked for a transfer.
    TransferRequested,
    /// The transfer runs.
    Started,
    /// The transfer is suspended.
    Suspended,
}

/// What to do at that point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Provider: send the agreement.
    Agree,
    /// Provider: send an offer with the published terms.
    Offer,
    /// Consumer: ask again, with the terms first asked for.
    Counter,
    /// Consumer: accept the offer.
    Accept,
    /// Consumer: verify the agreement.
    Verify,
    /// Provider: finalise.
    Finalize,
    /// Provider: start the transfer (or resume it).
    Start,
    /// Suspend the transfer.
    Suspend,
    /// Complete the transfer.
    Complete,
    /// End the negotiation or transfer.
    Terminate,
    /// Nothing: a person, or the other side, acts next.
    Hold,
}

/// An action, after a delay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What to do.
    #[serde(rename = "do")]
    pub action: Action,
    /// How long to wait first, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub after_ms: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Decision {
    /// An action at once.
    pub const fn now(action: Action) -> Self {
        Self { action, after_ms: 0 }
    }
    /// Checks the delay.
    fn check(&self) -> Result<()> {
        if Micros::from_millis(i64::from(self.after_ms)) > DELAY_MAX {
            return Err(Error::invalid("A decision waits at most a day; to wait for a person write \"hold\"."));
        }
        Ok(())
    }
    /// The delay.
    pub fn delay(&self) -> Micros {
        Micros::from_millis(i64::from(self.after_ms)).min(DELAY_MAX)
    }
}

/// Decisions by point. A list is used up one by one: the n-th time a point is reached the n-th entry counts, and the
/// last one from then on. A point without a list follows the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rules(pub BTreeMap<Trigger, Vec<Decision>>);

impl Rules {
    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks lengths and delays.
    ///
    /// # Errors
    /// [`Code::Invalid`](crate::Code::Invalid) naming the limit.
    pub fn check(&self) -> Result<()> {
        for (trigger, list) in &self.0 {
            if list.is_empty() || list.len() > DECISIONS_MAX {
                return Err(Error::invalid(format!("A point has 1 to {DECISIONS_MAX} decisions; {trigger:?} has {}.", list.len())));
            }
            for decision in list {
                decision.check()?;
            }
        }
        Ok(())
    }

    /// The decision written for the `occurrence`-th time (from 0) this point is reached, if any is written.
    pub fn at(&self, trigger: Trigger, occurrence: u32) -> Option<&Decision> {
        let list = self.0.get(&trigger)?;
        let index = usize::try_from(occurrence).unwrap_or(usize::MAX);
        list.get(index).or_else(|| list.last())
    }
}

/// A participant's rules as a consumer: in general, with particular providers, and about particular datasets or
/// agreements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSet {
    /// Unless something more particular is written.
    #[serde(skip_serializing_if = "Rules::is_empty")]
    pub default: Rules,
    /// By the provider's participant id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, Rules>,
    /// By dataset id (negotiations) or agreement id (transfers).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub about: BTreeMap<String, Rules>,
}

impl RuleSet {
    /// The rules for a process with a provider about a dataset or agreement: the most particular that are written, as
    /// a whole.
    pub fn select(&self, provider: &Did, id: &str) -> &Rules {
        self.about.get(id).or_else(|| self.with.get(provider.as_str())).unwrap_or(&self.default)
    }

    /// Checks every list.
    ///
    /// # Errors
    /// As [`Rules::check`]; [`Code::TooLarge`](crate::Code::TooLarge) for more than [`RULES_MAX`] matches.
    pub fn check(&self) -> Result<()> {
        if self.with.len() + self.about.len() > RULES_MAX {
            return Err(Error::new(
                Code::TooLarge,
                format!("A participant has rules for at most {RULES_MAX} providers, datasets and agreements."),
            ));
        }
        self.with.values().chain(self.about.values()).chain([&self.default]).try_for_each(Rules::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_used_up_one_by_one() {
        let rules: Rules =
            serde_json::from_value(json!({"started": [{"do": "suspend", "after_ms": 300}, {"do": "complete"}]})).expect("rules");
        let at = |n| rules.at(Trigger::Started, n).map(|d| d.action);
        assert_eq!([at(0), at(1), at(2)], [Some(Action::Suspend), Some(Action::Complete), Some(Action::Complete)]);
        assert_eq!(rules.at(Trigger::Agreed, 0), None);
    }

    #[test]
    fn the_most_particular_rules_count() {
        let rules = |action| Rules(BTreeMap::from([(Trigger::Offered, vec![Decision::now(action)])]));
        let set = RuleSet {
            default: rules(Action::Hold),
            with: BTreeMap::from([("did:web:p".to_owned(), rules(Action::Accept))]),
            about: BTreeMap::from([("ds".to_owned(), rules(Action::Terminate))]),
        };
        let at = |provider: &str, id| {
            let provider = Did::parse(provider).expect("did");
            set.select(&provider, id).at(Trigger::Offered, 0).map(|d| d.action)
        };
        assert_eq!(at("did:web:p", "ds"), Some(Action::Terminate));
        assert_eq!(at("did:web:p", "other"), Some(Action::Accept));
        assert_eq!(at("did:web:q", "other"), Some(Action::Hold));
        assert!(set.check().is_ok());
    }

    #[test]
    fn limits_are_checked() {
        let rules = |list: serde_json::Value| serde_json::from_value::<Rules>(json!({"offered": list})).expect("rules").check();
        assert!(rules(json!([{"do": "accept", "after_ms": 86_400_000}])).is_ok());
        assert!(rules(json!([{"do": "accept", "after_ms": 86_400_001}])).is_err());
        assert!(rules(json!([])).is_err());
        assert!(rules(json!(vec![json!({"do": "accept"}); DECISIONS_MAX + 1])).is_err());
    }

    #[test]
    fn unknown_words_are_errors() {
        for bad in
            [json!({"startd": [{"do": "suspend"}]}), json!({"started": [{"do": "dance"}]}), json!({"started": [{"do": "hold", "when": 1}]})]
        {
            assert!(serde_json::from_value::<Rules>(bad).is_err());
        }
    }
}
