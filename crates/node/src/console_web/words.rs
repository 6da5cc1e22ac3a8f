//! How the console puts times, spans and errors.

use fondaco_console::view::{Span, When};
use fondaco_core::{
    Code,
    time::{Micros, Timestamp},
};

/// An instant for people and machines.
pub fn when(at: Timestamp) -> When {
    When::utc(at.to_rfc3339())
}

/// A length of time; none where it is negative.
pub fn span(span: Micros) -> Span {
    Span { seconds: u64::try_from(span.0).unwrap_or(0) / 1_000_000 }
}

/// What a person can do next about an error, beyond what its message says.
pub const fn advice(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::Conflict | Code::IllegalTransition => "Something changed meanwhile. Go back, look at how it stands now, and decide again.",
        Code::PeerUnreachable | Code::DidUnresolvable => {
            "Check the address. If it is right, the other organisation's node may be down: try again later or ask them."
        }
        Code::DidInvalid => "An address looks like did:web:example.org:p:acme or https://example.org/p/acme.",
        Code::AddressRefused => "This node does not call private networks. Its operator can allow them with network.allow_private.",
        Code::PeerAnsweredBadly | Code::PeerRefused | Code::AgreementMismatch => {
            "Ask the other organisation, and give them the request id below."
        }
        Code::OfferUnknown => "Read the catalogue again; the offer may have changed.",
        Code::PolicyDenied | Code::PolicyUnsupported => "Read the terms. If they should allow this, ask the provider for another offer.",
        Code::AccessEnded => "Look at the agreement and its transfers to see who ended it and why.",
        Code::NotYet => "Wait a moment, then try again.",
        Code::Internal | Code::Unavailable | Code::DataDamaged => {
            "Try again in a moment. If it stays, give the request id below to the operator of this node."
        }
        Code::TooLarge => "Send less at once.",
        Code::TooMany => "Wait a few minutes, then try again.",
        Code::Forbidden => "Go back, load the page again and repeat what you did there.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_for_people_and_machines() {
        let at = Timestamp::parse("2026-11-21T14:03:59.5Z").expect("instant");
        assert_eq!(when(at).text().to_string(), "21 Nov 2026, 14:03 UTC");
        assert!(when(at).to_string().contains("2026-11-21T14:03:59.5Z"));
        assert_eq!((span(Micros(61_000_000)).seconds, span(Micros(-5)).seconds), (61, 0));
    }
}
