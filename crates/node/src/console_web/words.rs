//! How the console puts times, spans and errors.

use fondaco_console::{
    Text,
    view::{Span, When},
};
use fondaco_core::{
    Code, Error,
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

/// What went wrong. A reader of another language is told the code's title first: not every sentence has a translation.
pub fn problem(error: &Error) -> Text {
    Text::say("error-problem").with("title", Text::of("error", error.code().as_str())).with("message", Text::detail(error.message()))
}

/// The same with what to do about it.
pub fn problem_and_advice(error: &Error) -> Text {
    match advice(error.code()) {
        Some(advice) => Text::say("error-advised").with("problem", problem(error)).with("advice", advice),
        None => problem(error),
    }
}

/// What a person can do next about an error, beyond what its message says.
pub const fn advice(code: Code) -> Option<Text> {
    Some(Text::say(match code {
        Code::Conflict | Code::IllegalTransition => "advice-changed",
        Code::PeerUnreachable | Code::DidUnresolvable => "advice-peer-down",
        Code::DidInvalid => "advice-address",
        Code::AddressRefused => "advice-private",
        Code::PeerAnsweredBadly | Code::PeerRefused | Code::AgreementMismatch => "advice-ask-peer",
        Code::OfferUnknown => "advice-read-again",
        Code::PolicyDenied | Code::PolicyUnsupported => "advice-read-terms",
        Code::Unpaid => "advice-pay",
        Code::AccessEnded => "advice-look-who",
        Code::NotYet => "advice-wait",
        Code::Internal | Code::Unavailable | Code::DataDamaged => "advice-operator",
        Code::TooLarge => "advice-less",
        Code::TooMany => "advice-minutes",
        Code::Forbidden => "advice-reload",
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_console::Locale;

    #[test]
    fn every_code_has_its_title_in_both_languages() {
        for code in Code::ALL {
            let title = Text::of("error", code.as_str());
            assert_eq!(title.to_string(), code.title(), "error-{code} in locales/en/error.ftl");
            assert!(Locale::Zh.has(&format!("error-{code}")), "no error-{code} in locales/zh/error.ftl");
            assert!(advice(*code).is_none_or(|advice| advice.exists()), "the advice about {code}");
        }
    }

    #[test]
    fn problems_are_told_in_the_readers_language() {
        let error = Error::new(Code::PeerUnreachable, "did:web:x did not answer.");
        assert_eq!(problem(&error).to_string(), "did:web:x did not answer.");
        assert_eq!(problem(&error).in_locale(Locale::Zh), "无法连接对等方：did:web:x did not answer.");
        assert!(problem_and_advice(&error).in_locale(Locale::Zh).ends_with("请稍后重试或联系对方。"));
    }

    #[test]
    fn times_are_for_people_and_machines() {
        let at = Timestamp::parse("2026-11-21T14:03:59.5Z").expect("instant");
        assert_eq!(when(at).text().to_string(), "21 Nov 2026, 14:03 UTC");
        assert!(when(at).to_string().contains("2026-11-21T14:03:59.5Z"));
        assert_eq!((span(Micros(61_000_000)).seconds, span(Micros(-5)).seconds), (61, 0));
    }
}
