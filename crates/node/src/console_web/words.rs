//! How the console puts times, spans and errors.

use fondaco_console::view::When;
use fondaco_core::{
    Code,
    time::{Micros, Timestamp},
};

/// An instant for people and machines.
pub fn when(at: Timestamp) -> When {
    let text = match jiff::Timestamp::from_microsecond(at.as_micros()) {
        Ok(t) => t.strftime("%-d %b %Y, %H:%M UTC").to_string(),
        Err(_) => at.to_string(),
    };
    When { iso: at.to_rfc3339(), text }
}

/// A span in its two largest units: `3 days 4 hours`.
pub fn span(span: Micros) -> String {
    let seconds = span.0.max(0) / 1_000_000;
    let parts = [(seconds / 86_400, "day"), (seconds / 3_600 % 24, "hour"), (seconds / 60 % 60, "minute"), (seconds % 60, "second")];
    let first = parts.iter().position(|(n, _)| *n > 0).unwrap_or(parts.len() - 1);
    let said = parts.iter().skip(first).take(2).filter(|(n, _)| *n > 0 || first == parts.len() - 1);
    let said: Vec<String> = said.map(|(n, unit)| if *n == 1 { format!("1 {unit}") } else { format!("{n} {unit}s") }).collect();
    said.join(" ")
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
        assert_eq!(when(at), When { iso: "2026-11-21T14:03:59.5Z".into(), text: "21 Nov 2026, 14:03 UTC".into() });
    }

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, said) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (61, "1 minute 1 second"),
            (3_600, "1 hour"),
            (3_605, "1 hour"),
            (90_000, "1 day 1 hour"),
            (3 * 86_400 + 59, "3 days"),
        ] {
            assert_eq!(span(Micros::from_secs(seconds)), said, "{seconds}");
        }
        assert_eq!(span(Micros(-5)), "0 seconds");
    }
}
