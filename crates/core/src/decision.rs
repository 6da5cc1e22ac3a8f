//! Decision rules: what a node does of its own accord when a process reaches a point.
//!
//! On the provider's side the rules belong to the offer, on the consumer's side to the participant. The default is
//! automatic and safe: a provider agrees to its own published terms, a consumer verifies what it asked for, and
//! whatever differs waits for a person.

use crate::{
    error::{Code, Error, Result},
    negotiation::ROUNDS_MAX,
    participant::Did,
    policy::{Period, Policy},
    price::Price,
    time::Micros,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Longest delay before a decision: a day. Longer waiting is what `hold` is for.
pub const DELAY_MAX: Micros = Micros::from_secs(86_400);
/// Longest list of decisions for one point.
pub const DECISIONS_MAX: usize = 20;
/// Most providers, datasets and agreements one participant writes rules for: they are read with the participant.
pub const RULES_MAX: usize = 1_000;
/// How long a webhook has to decide, unless the rule says otherwise: a program needs less, and the peer waits.
pub const WEBHOOK_WAIT: Micros = Micros::from_secs(30);
/// The longest a webhook may have: whoever needs longer is a person, and that is what `hold` is for.
pub const WEBHOOK_WAIT_MAX: Micros = Micros::from_secs(3_600);
/// Requests and offers after which two rules do not go on about a price: each side has named its own three times.
pub const BARGAIN_ROUNDS: u32 = 6;
/// Longest address of a webhook.
const URL_MAX_BYTES: usize = 2_048;

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
    /// Consumer: an agreement is about to expire.
    Expiring,
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
    /// Ask a program of ours, and do what it answers.
    Webhook,
    /// Consumer: negotiate an agreement that expires again, if its terms are unchanged.
    Renew,
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
    /// `agree`: the widest terms that are agreed to without a person, as ODRL; `accept`: the narrowest that are accepted.
    /// Left out: the published terms, and those asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Value>,
    /// `agree`, `accept`: what to do about other terms (left out: `offer` and `hold`). `webhook`: what to do when it gives
    /// no decision in time (left out: `hold`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Action>,
    /// `agree`: the lowest price that is agreed to without a person; `within` is about the other terms then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Price>,
    /// `accept`: the highest price that is accepted without a person; likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Price>,
    /// `floor`, `ceiling`: after so many requests and offers no other price is named any more (left out:
    /// [`BARGAIN_ROUNDS`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// `webhook`: whom to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `webhook`: how long to wait for a decision, in milliseconds (left out: [`WEBHOOK_WAIT`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u32>,
    /// `renew`: how long before the agreement expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Period>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Decision {
    /// An action at once.
    pub const fn now(action: Action) -> Self {
        Self {
            action,
            after_ms: 0,
            within: None,
            otherwise: None,
            floor: None,
            ceiling: None,
            rounds: None,
            url: None,
            wait_ms: None,
            before: None,
        }
    }
    /// How long a webhook has.
    pub fn wait(&self) -> Micros {
        self.wait_ms.map_or(WEBHOOK_WAIT, |ms| Micros::from_millis(i64::from(ms))).min(WEBHOOK_WAIT_MAX)
    }
    /// Checks that delays are bounded, terms can be enforced, and what is written belongs to the action.
    fn check(&self) -> Result<()> {
        let millis = |ms: u32| Micros::from_millis(i64::from(ms));
        if millis(self.after_ms) > DELAY_MAX {
            return Err(Error::invalid("A decision waits at most a day; to wait for a person write \"hold\"."));
        }
        let renews = self.action == Action::Renew;
        if renews != self.before.is_some() || (renews && self.after_ms > 0) {
            return Err(Error::invalid("\"renew\" needs \"before\", an ISO 8601 duration such as \"P7D\", and nothing else does."));
        }
        if self.before.as_ref().is_some_and(|b| Period::parse(b.as_str()).is_none()) {
            return Err(Error::invalid("\"before\" is a positive ISO 8601 duration such as \"P7D\"."));
        }
        let bargains = matches!(self.action, Action::Agree | Action::Accept);
        let asks = self.action == Action::Webhook;
        let within = self.within.as_ref().map(Policy::from_odrl).transpose()?;
        self.check_prices(within.as_ref())?;
        if (self.within.is_some() && !bargains) || (self.otherwise.is_some() && !bargains && !asks) {
            return Err(Error::invalid("\"within\" belongs to \"agree\" and \"accept\", \"otherwise\" to these and to \"webhook\"."));
        }
        if self.otherwise.is_some_and(|o| !matches!(o, Action::Offer | Action::Counter | Action::Hold | Action::Terminate)) {
            return Err(Error::invalid("\"otherwise\" is \"offer\", \"counter\", \"hold\" or \"terminate\"."));
        }
        match (&self.url, asks) {
            (None, false) => {}
            (Some(url), true) if url.len() <= URL_MAX_BYTES => {}
            (_, true) => return Err(Error::invalid(format!("A \"webhook\" needs a \"url\" of at most {URL_MAX_BYTES} bytes."))),
            (Some(_), false) => return Err(Error::invalid("A \"url\" belongs to \"webhook\".")),
        }
        match self.wait_ms {
            Some(_) if !asks => Err(Error::invalid("\"wait_ms\" belongs to \"webhook\".")),
            Some(ms) if millis(ms) > WEBHOOK_WAIT_MAX => Err(Error::invalid("A webhook has at most an hour.")),
            _ => Ok(()),
        }
    }
    fn check_prices(&self, within: Option<&Policy>) -> Result<()> {
        if (self.floor.is_some() && self.action != Action::Agree) || (self.ceiling.is_some() && self.action != Action::Accept) {
            return Err(Error::invalid("A \"floor\" belongs to \"agree\", a \"ceiling\" to \"accept\"."));
        }
        let limit = self.floor.or(self.ceiling);
        if limit.is_some() && within.is_some_and(|w| w.price.is_some()) {
            return Err(Error::invalid("\"within\" has a price, and so has \"floor\" or \"ceiling\"; two prices are refused."));
        }
        match self.rounds {
            None => Ok(()),
            Some(_) if limit.is_none() => Err(Error::invalid("\"rounds\" belongs to \"floor\" and \"ceiling\".")),
            Some(n) if (1..=ROUNDS_MAX).contains(&n) => Ok(()),
            Some(_) => Err(Error::invalid(format!("\"rounds\" is a number from 1 to {ROUNDS_MAX}."))),
        }
    }
    /// The delay.
    pub fn delay(&self) -> Micros {
        Micros::from_millis(i64::from(self.after_ms)).min(DELAY_MAX)
    }
}

/// What a decision means in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What to do.
    pub action: Action,
    /// `offer`, `counter`: these terms, and not those published or first asked for.
    pub terms: Option<Value>,
    /// `terminate`: why, for the other side.
    pub reason: Option<String>,
}

impl From<Action> for Choice {
    fn from(action: Action) -> Self {
        Self { action, terms: None, reason: None }
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
                let about_expiry = *trigger == Trigger::Expiring;
                if about_expiry && !matches!(decision.action, Action::Renew | Action::Hold)
                    || !about_expiry && decision.action == Action::Renew
                {
                    return Err(Error::invalid("\"expiring\" is decided by \"renew\" or \"hold\", and \"renew\" belongs there."));
                }
                decision.check()?;
            }
        }
        Ok(())
    }

    /// Checks that they fit an offer: a floor is for a price in its currency, and not above it.
    ///
    /// # Errors
    /// [`Code::Invalid`](crate::Code::Invalid).
    pub fn check_for(&self, offer: &Policy) -> Result<()> {
        for floor in self.0.values().flatten().filter_map(|d| d.floor) {
            let fits = offer.price.and_then(|price| price.at_least(floor));
            if fits != Some(true) {
                return Err(Error::invalid(match offer.price {
                    None => "A \"floor\" needs an offer with a price.".into(),
                    Some(price) => format!("The \"floor\" {floor} is no lower price than the offer's, {price}."),
                }));
            }
        }
        Ok(())
    }

    /// The addresses of webhooks.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().filter_map(|d| d.url.as_deref())
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

    /// Every set of rules.
    pub fn all(&self) -> impl Iterator<Item = &Rules> {
        self.with.values().chain(self.about.values()).chain([&self.default])
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
        self.all().try_for_each(Rules::check)
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
        let open = json!({"permission": [{"action": "use"}]});
        for good in [
            json!({"do": "agree", "within": open, "otherwise": "terminate"}),
            json!({"do": "webhook", "url": "https://decide.example/", "wait_ms": 3_600_000, "otherwise": "terminate"}),
            json!({"do": "agree", "floor": "80 CNY", "within": open, "rounds": 4, "otherwise": "hold"}),
            json!({"do": "accept", "ceiling": "95 CNY", "otherwise": "counter"}),
        ] {
            assert!(rules(json!([good])).is_ok(), "{good}");
        }
        for bad in [
            json!({"do": "agree", "within": {"permission": []}}),
            json!({"do": "agree", "within": {"permission": [{"action": "sing"}]}}),
            json!({"do": "verify", "within": open}),
            json!({"do": "hold", "otherwise": "terminate"}),
            json!({"do": "agree", "otherwise": "agree"}),
            json!({"do": "agree", "url": "https://decide.example/"}),
            json!({"do": "webhook"}),
            json!({"do": "webhook", "url": "https://decide.example/", "wait_ms": 3_600_001}),
            json!({"do": "agree", "wait_ms": 1}),
            json!({"do": "accept", "floor": "80 CNY"}),
            json!({"do": "agree", "ceiling": "80 CNY"}),
            json!({"do": "agree", "floor": "80 CNY", "within": Policy::open().at(Price::read("70 CNY").ok()).to_odrl()}),
            json!({"do": "agree", "floor": "80 CNY", "rounds": 0}),
            json!({"do": "agree", "floor": "80 CNY", "rounds": 51}),
            json!({"do": "agree", "rounds": 3}),
        ] {
            assert!(rules(json!([bad])).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_floor_is_for_the_offers_price() {
        let rules: Rules = serde_json::from_value(json!({"requested": [{"do": "agree", "floor": "80 CNY"}]})).expect("rules");
        let offer = |price: Option<&str>| Policy::open().at(price.map(|p| Price::read(p).expect("price")));
        assert!(rules.check_for(&offer(Some("100 CNY"))).is_ok() && rules.check_for(&offer(Some("80 CNY"))).is_ok());
        for (price, named) in [(None, "with a price"), (Some("79 CNY"), "79.00 CNY"), (Some("100 EUR"), "100.00 EUR")] {
            assert!(rules.check_for(&offer(price)).expect_err("refused").message().contains(named), "{price:?}");
        }
        assert!(Rules::default().check_for(&offer(None)).is_ok());
    }

    #[test]
    fn renewal_belongs_to_expiry_and_says_when() {
        let rules = |list: serde_json::Value| serde_json::from_value::<Rules>(list).is_ok_and(|rules| rules.check().is_ok());
        assert!(rules(json!({"expiring": [{"do": "renew", "before": "P7D"}]})));
        assert!(rules(json!({"expiring": [{"do": "hold"}]})));
        for bad in [
            json!({"expiring": [{"do": "renew"}]}),
            json!({"expiring": [{"do": "renew", "before": "7 days"}]}),
            json!({"expiring": [{"do": "renew", "before": "P0D"}]}),
            json!({"expiring": [{"do": "renew", "before": "P7D", "after_ms": 1}]}),
            json!({"expiring": [{"do": "terminate"}]}),
            json!({"agreed": [{"do": "renew", "before": "P7D"}]}),
            json!({"agreed": [{"do": "verify", "before": "P7D"}]}),
        ] {
            assert!(!rules(bad.clone()), "{bad}");
        }
    }

    #[test]
    fn unknown_words_are_errors() {
        for bad in [
            json!({"requested": [{"do": "agree", "floor": 80}]}),
            json!({"requested": [{"do": "agree", "floor": "80"}]}),
            json!({"startd": [{"do": "suspend"}]}),
            json!({"started": [{"do": "dance"}]}),
            json!({"started": [{"do": "hold", "when": 1}]}),
        ] {
            assert!(serde_json::from_value::<Rules>(bad).is_err());
        }
    }
}
