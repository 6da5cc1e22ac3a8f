//! The states and messages that pages show, under the names of the Dataspace Protocol 2025-1
//! (sections 7.1 and 9.1). A state is shown as a chip (colour and words) and as a step of its
//! state machine. The words are the messages
//! `state-{code}`.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::text::{Text, filters};

/// A state as a coloured label. The colour never says more than the words do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Template)]
#[template(path = "parts/chip.html")]
pub struct Chip {
    code: &'static str,
    tone: &'static str,
}

impl HtmlSafe for Chip {}

impl Chip {
    fn text(self) -> Text {
        Text::of("state", self.code)
    }
}

/// Defines an enum of states: each variant with its code and its tone, which is one of the
/// `chip-…` classes of `app.css`: `wait` (on its way), `good`, `hold` (paused), `bad`, `calm`
/// (over).
macro_rules! states {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident = $code:literal, $tone:literal;)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in the standard.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The one with this name.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.code() == code)
            }

            /// As a coloured label.
            pub const fn chip(self) -> Chip {
                Chip {
                    code: self.code(),
                    tone: match self { $(Self::$variant => $tone,)+ },
                }
            }
        }

        impl From<$name> for Chip {
            fn from(state: $name) -> Self {
                state.chip()
            }
        }
    };
}

states! {
    /// State of a contract negotiation.
    NegotiationState {
        /// The consumer has asked.
        Requested = "REQUESTED", "wait";
        /// The provider has made an offer.
        Offered = "OFFERED", "wait";
        /// The consumer has accepted the provider's offer.
        Accepted = "ACCEPTED", "wait";
        /// The provider has sent the agreement.
        Agreed = "AGREED", "wait";
        /// The consumer has verified the agreement.
        Verified = "VERIFIED", "wait";
        /// Both sides hold the agreement. Final.
        Finalized = "FINALIZED", "good";
        /// Ended without an agreement. Final.
        Terminated = "TERMINATED", "bad";
    }
}

states! {
    /// What a leaf of evidence came to.
    LeafState {
        /// It is in the log.
        Logged = "LEAF_LOGGED", "good";
        /// It is in the log, and was checked to be about this agreement.
        Verified = "LEAF_VERIFIED", "good";
        /// It is in the log. What it is about stays with its owner.
        Closed = "LEAF_CLOSED", "calm";
        /// It is in the log. What it is about was erased.
        Erased = "LEAF_ERASED", "calm";
        /// It is not in the log yet.
        Waiting = "LEAF_WAITING", "wait";
        /// It does not hold.
        Refused = "LEAF_REFUSED", "bad";
    }
}

states! {
    /// State of a transfer process.
    TransferState {
        /// The consumer has asked for access.
        Requested = "REQUESTED", "wait";
        /// Access is open.
        Started = "STARTED", "good";
        /// Access is paused.
        Suspended = "SUSPENDED", "hold";
        /// Ended as planned. Final.
        Completed = "COMPLETED", "calm";
        /// Ended early. Final.
        Terminated = "TERMINATED", "bad";
    }
}

states! {
    /// State of an agreement.
    AgreementState {
        /// In force.
        Active = "ACTIVE", "good";
        /// In force; notice was given.
        Ending = "ENDING", "wait";
        /// Stopped by the provider for now.
        Stopped = "STOPPED", "hold";
        /// Its number of uses is over.
        UsedUp = "USED-UP", "calm";
        /// Its time is over.
        Expired = "EXPIRED", "calm";
        /// Ended by notice.
        Ended = "ENDED", "bad";
    }
}

states! {
    /// State of a product in our catalogue.
    ProductState {
        /// In the catalogue.
        Published = "PUBLISHED", "good";
        /// No longer offered; agreements made before stand.
        Withdrawn = "WITHDRAWN", "calm";
    }
}

impl NegotiationState {
    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Finalized | Self::Terminated)
    }

    /// The way from the first state to the last, as far as it is known: `visited` are the states
    /// reached so far. The two states of a counter-offer appear only when they were reached; a
    /// terminated negotiation shows what was reached and then the end.
    pub fn stepper(self, visited: &[Self]) -> Stepper {
        let reached = |state: Self| state == self || visited.contains(&state);
        let offers = reached(Self::Offered) || reached(Self::Accepted);
        let way = Self::ALL.iter().copied().filter(|state| match state {
            Self::Terminated => self == Self::Terminated,
            _ if self == Self::Terminated => reached(*state),
            // A negotiation that the provider opened has no request.
            Self::Requested => reached(Self::Requested) || !reached(Self::Offered),
            Self::Offered => reached(Self::Offered),
            Self::Accepted => offers,
            _ => true,
        });
        Stepper::new(way.map(Self::code), self.code(), self == Self::Terminated)
    }
}

impl TransferState {
    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Terminated)
    }

    /// The way from the first state to the last. Suspension is a step only while it lasts:
    /// afterwards the transfer is back where it was.
    pub fn stepper(self, visited: &[Self]) -> Stepper {
        let reached = |state: Self| state == self || visited.contains(&state);
        let way = Self::ALL.iter().copied().filter(|state| match state {
            Self::Terminated => self == Self::Terminated,
            Self::Suspended => self == Self::Suspended || (self == Self::Terminated && reached(Self::Suspended)),
            _ if self == Self::Terminated => reached(*state),
            _ => true,
        });
        Stepper::new(way.map(Self::code), self.code(), self == Self::Terminated)
    }
}

/// A state machine drawn as the steps of its way.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/stepper.html")]
pub struct Stepper {
    steps: Vec<Step>,
}

impl HtmlSafe for Stepper {}

/// One step: a state and where the process stands with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    code: &'static str,
    /// `done`, `current`, `failed` or `next`.
    status: &'static str,
}

impl Step {
    fn text(self) -> Text {
        Text::of("state", self.code)
    }
}

impl Stepper {
    fn new(way: impl Iterator<Item = &'static str>, current: &'static str, failed: bool) -> Self {
        let mut passed = false;
        let steps = way
            .map(|code| {
                let status = if code == current {
                    passed = true;
                    if failed { "failed" } else { "current" }
                } else if passed {
                    "next"
                } else {
                    "done"
                };
                Step { code, status }
            })
            .collect();
        Self { steps }
    }
}

/// A kind of product, by its code: `table`, `files`, `model`, `service`, `knowledge`, `compute`,
/// `technology`, `need`, `profile`. A peer may know kinds that we do not; they are shown as
/// they are written.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/kind.html")]
pub struct Kind(pub String);

impl HtmlSafe for Kind {}

impl Kind {
    fn text(&self) -> Option<Text> {
        Some(Text::of("kind", &self.0)).filter(Text::exists)
    }

    /// In words, or as it is written.
    pub fn label(&self) -> Text {
        self.text().unwrap_or_else(|| Text::plain(self.0.as_str()))
    }
}

/// Which side of a deal the current participant is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Template)]
#[template(path = "parts/role.html")]
pub enum Role {
    /// We provide, the other side consumes.
    Provider,
    /// We consume, the other side provides.
    Consumer,
}

impl HtmlSafe for Role {}

/// Something that happened, by the name of its message in the Dataspace Protocol, or by an
/// own name where no message exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the protocol's messages")]
pub enum Message {
    ContractRequest,
    ContractOffer,
    /// `ContractNegotiationEventMessage` with `ACCEPTED`.
    ContractAccepted,
    ContractAgreement,
    ContractAgreementVerification,
    /// `ContractNegotiationEventMessage` with `FINALIZED`.
    ContractFinalized,
    ContractNegotiationTermination,
    TransferRequest,
    TransferStart,
    TransferSuspension,
    TransferCompletion,
    TransferTermination,
    /// A product entered our catalogue.
    ProductPublished,
    /// A product left our catalogue.
    ProductWithdrawn,
    /// The provider stopped a product for now.
    ProductStopped,
    /// It resumed it.
    ProductResumed,
    /// Notice was given.
    AgreementNotice,
    /// An agreement ended by notice.
    AgreementEnded,
    /// The provider recorded that an agreement’s price was paid.
    AgreementPaid,
    /// The provider stopped an agreement for now.
    AgreementStopped,
    /// It resumed it.
    AgreementResumed,
    /// An agreement is over by its own terms.
    AgreementExpired,
    /// The consumer made a new agreement in its place.
    AgreementRenewed,
    /// The other side could not be told.
    AgreementUntold,
    /// A rule left something to people.
    AgreementHeld,
}

impl Message {
    /// What happened, as a sentence whose variable `who` is its actor.
    pub const fn text(self) -> Text {
        Text::say(match self {
            Self::ContractRequest => "event-contract-request",
            Self::ContractOffer => "event-contract-offer",
            Self::ContractAccepted => "event-contract-accepted",
            Self::ContractAgreement => "event-contract-agreement",
            Self::ContractAgreementVerification => "event-contract-verification",
            Self::ContractFinalized => "event-contract-finalized",
            Self::ContractNegotiationTermination => "event-contract-termination",
            Self::TransferRequest => "event-transfer-request",
            Self::TransferStart => "event-transfer-start",
            Self::TransferSuspension => "event-transfer-suspension",
            Self::TransferCompletion => "event-transfer-completion",
            Self::TransferTermination => "event-transfer-termination",
            Self::ProductPublished => "event-product-published",
            Self::ProductWithdrawn => "event-product-withdrawn",
            Self::ProductStopped => "event-product-stopped",
            Self::ProductResumed => "event-product-resumed",
            Self::AgreementNotice => "event-agreement-notice",
            Self::AgreementEnded => "event-agreement-ended",
            Self::AgreementPaid => "event-agreement-paid",
            Self::AgreementStopped => "event-agreement-stopped",
            Self::AgreementResumed => "event-agreement-resumed",
            Self::AgreementExpired => "event-agreement-expired",
            Self::AgreementRenewed => "event-agreement-renewed",
            Self::AgreementUntold => "event-agreement-untold",
            Self::AgreementHeld => "event-agreement-held",
        })
    }

    /// The message's type in the protocol; `None` for what happens inside one node.
    pub const fn protocol_name(self) -> Option<&'static str> {
        Some(match self {
            Self::ContractRequest => "ContractRequestMessage",
            Self::ContractOffer => "ContractOfferMessage",
            Self::ContractAccepted | Self::ContractFinalized => "ContractNegotiationEventMessage",
            Self::ContractAgreement => "ContractAgreementMessage",
            Self::ContractAgreementVerification => "ContractAgreementVerificationMessage",
            Self::ContractNegotiationTermination => "ContractNegotiationTerminationMessage",
            Self::TransferRequest => "TransferRequestMessage",
            Self::TransferStart => "TransferStartMessage",
            Self::TransferSuspension => "TransferSuspensionMessage",
            Self::TransferCompletion => "TransferCompletionMessage",
            Self::TransferTermination => "TransferTerminationMessage",
            Self::ProductPublished
            | Self::ProductWithdrawn
            | Self::ProductStopped
            | Self::ProductResumed
            | Self::AgreementNotice
            | Self::AgreementEnded
            | Self::AgreementStopped
            | Self::AgreementResumed
            | Self::AgreementExpired
            | Self::AgreementRenewed
            | Self::AgreementUntold
            | Self::AgreementPaid
            | Self::AgreementHeld => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(stepper: &Stepper) -> String {
        let steps: Vec<_> = stepper.steps.iter().map(|s| format!("{}:{}", s.code, s.status)).collect();
        steps.join(" ")
    }

    #[test]
    fn negotiation_steps() {
        use NegotiationState::{Accepted, Agreed, Finalized, Offered, Requested, Terminated};
        for (state, visited, expected) in [
            (Requested, vec![], "REQUESTED:current AGREED:next VERIFIED:next FINALIZED:next"),
            (Offered, vec![Requested], "REQUESTED:done OFFERED:current ACCEPTED:next AGREED:next VERIFIED:next FINALIZED:next"),
            (Accepted, vec![Offered], "OFFERED:done ACCEPTED:current AGREED:next VERIFIED:next FINALIZED:next"),
            (Finalized, vec![Requested, Agreed, NegotiationState::Verified], "REQUESTED:done AGREED:done VERIFIED:done FINALIZED:current"),
            (Terminated, vec![Requested, Offered], "REQUESTED:done OFFERED:done TERMINATED:failed"),
        ] {
            assert_eq!(steps(&state.stepper(&visited)), expected);
        }
    }

    #[test]
    fn transfer_steps() {
        use TransferState::{Completed, Requested, Started, Suspended, Terminated};
        for (state, visited, expected) in [
            (Requested, vec![], "REQUESTED:current STARTED:next COMPLETED:next"),
            (Suspended, vec![Requested, Started], "REQUESTED:done STARTED:done SUSPENDED:current COMPLETED:next"),
            (Completed, vec![Requested, Started, Suspended], "REQUESTED:done STARTED:done COMPLETED:current"),
            (Terminated, vec![Requested], "REQUESTED:done TERMINATED:failed"),
        ] {
            assert_eq!(steps(&state.stepper(&visited)), expected);
        }
    }

    #[test]
    fn every_state_has_words() {
        let chips = NegotiationState::ALL.iter().map(|s| s.chip());
        let chips = chips.chain(TransferState::ALL.iter().map(|s| s.chip()));
        let chips = chips.chain(AgreementState::ALL.iter().map(|s| s.chip()));
        for chip in chips.chain(ProductState::ALL.iter().map(|s| s.chip())) {
            let html = chip.to_string();
            assert!(html.contains(&format!("data-state=\"{}\"", chip.code)));
            // Words, not the code itself.
            assert!(!html.contains(&format!(">{}<", chip.code)), "{html}");
            assert!(!html.contains("><"), "{html}");
        }
    }

    #[test]
    fn codes_are_read_back() {
        assert_eq!(NegotiationState::from_code("AGREED"), Some(NegotiationState::Agreed));
        assert_eq!(NegotiationState::from_code("agreed"), None);
        assert_eq!(TransferState::from_code("OFFERED"), None);
    }

    #[test]
    fn an_unknown_kind_is_shown_escaped() {
        assert!(Kind("table".into()).to_string().contains("Table"));
        let html = Kind("<b>odd</b>".into()).to_string();
        assert!(!html.contains("<b>"), "{html}");
        assert!(html.contains("odd"));
    }
}
