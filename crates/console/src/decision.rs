//! What a person can do in a negotiation now: a form for each step, with what it will do.

use crate::text::Text;

/// A step that the state allows our side. The names are those of the decision rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegotiationStep {
    /// Provider: sign the agreement.
    Agree,
    /// Provider: offer other terms.
    Offer,
    /// Provider: put the agreement in force.
    Finalize,
    /// Consumer: accept the offer.
    Accept,
    /// Consumer: ask for other terms.
    Counter,
    /// Consumer: verify the agreement.
    Verify,
    /// Either: end it.
    Terminate,
}

impl NegotiationStep {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Agree, Self::Offer, Self::Finalize, Self::Accept, Self::Counter, Self::Verify, Self::Terminate];

    /// Its name in addresses and messages.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Offer => "offer",
            Self::Finalize => "finalize",
            Self::Accept => "accept",
            Self::Counter => "counter",
            Self::Verify => "verify",
            Self::Terminate => "terminate",
        }
    }

    /// The one of that name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.code() == code)
    }

    /// Whether it comes with terms.
    pub const fn takes_terms(self) -> bool {
        matches!(self, Self::Offer | Self::Counter)
    }

    /// Whether a click is all it takes.
    pub(crate) const fn is_plain(self) -> bool {
        !self.takes_terms() && !matches!(self, Self::Terminate)
    }

    /// The button.
    pub(crate) fn text(self) -> Text {
        Text::of("negotiation-do", self.code())
    }

    /// What opens its form, where it has more fields than none.
    pub(crate) fn menu(self) -> Text {
        Text::of("negotiation-menu", self.code())
    }

    /// What it will do.
    pub(crate) fn will(self) -> Text {
        Text::of("negotiation-will", self.code())
    }
}

/// The steps with what their forms need.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// The negotiation's id.
    pub negotiation: String,
    /// The steps, what leads to an agreement first.
    pub steps: Vec<NegotiationStep>,
    /// The revision that the page shows: a form about an older one is refused.
    pub revision: u64,
    /// The terms in the field of a step that takes some: those on the table, or as they were typed.
    pub odrl: String,
    /// What is wrong with what was typed.
    pub problem: Option<Text>,
    /// The price beside them, empty where there is none; `None` where the terms cannot be read.
    pub price: Option<String>,
    /// What is wrong with the price.
    pub price_problem: Option<Text>,
    /// Comes before the ids of its fields, where a page has several.
    pub prefix: String,
    /// The room that one comes back to afterwards; empty for the negotiation's own page.
    pub back: String,
}

impl Decision {
    /// Whether there is more to do than to end it.
    pub fn is_ours(&self) -> bool {
        self.steps.iter().any(|step| *step != NegotiationStep::Terminate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_words() {
        for step in NegotiationStep::ALL {
            assert_eq!(NegotiationStep::from_code(step.code()), Some(step));
            assert!(step.text().exists() && step.will().exists(), "{step:?}");
            assert!(step.is_plain() || step.menu().exists(), "{step:?}");
        }
        assert_eq!(NegotiationStep::from_code("dance"), None);
    }
}
