//! The console's cookies beside the session's: one for the form to sign in, one for a notice shown
//! once, one for the language. They carry the
//! port in their names as the session's does, so that several nodes on one machine do not disturb each other.

use crate::{app::App, identity::session::COOKIE_NAME};
use axum::http::{HeaderMap, HeaderValue, header};

/// Longest value of ours.
const VALUE_MAX_CHARS: usize = 64;
/// Longest `Cookie` header searched.
const HEADER_MAX_BYTES: usize = 8 * 1024;

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    name: &'static str,
    /// Seconds.
    life: u32,
    /// `Strict` where no link from elsewhere needs it.
    same_site: &'static str,
}

/// The token that the form to sign in sends back.
pub const LOGIN: Cookie = Cookie { name: "fondaco_login", life: 3_600, same_site: "Strict" };
/// The notice for the next page. A page that nobody opens within a minute does not need it any more.
pub const NOTICE: Cookie = Cookie { name: "fondaco_notice", life: 60, same_site: "Lax" };

/// The language that was chosen, for a year: nobody wants to choose it again.
pub const LANGUAGE: Cookie = Cookie { name: "fondaco_lang", life: 365 * 24 * 3_600, same_site: "Lax" };

impl Cookie {
    fn full_name(self, app: &App) -> String {
        app.session_cookie.name().replacen(COOKIE_NAME, self.name, 1)
    }

    /// `Set-Cookie` with a value of letters, digits, `-` and `_`.
    pub fn set(self, app: &App, value: &str) -> Option<HeaderValue> {
        self.header(app, value, self.life)
    }

    /// `Set-Cookie` that removes it.
    pub fn clear(self, app: &App) -> Option<HeaderValue> {
        self.header(app, "", 0)
    }

    fn header(self, app: &App, value: &str, life: u32) -> Option<HeaderValue> {
        // As safe as the session's: `Secure` wherever that one is.
        let secure = if app.session_cookie.clear().contains("; Secure") { "; Secure" } else { "" };
        let text = format!("{}={value}; Max-Age={life}; Path=/; HttpOnly; SameSite={}{secure}", self.full_name(app), self.same_site);
        HeaderValue::from_str(&text).ok()
    }

    /// The value that was sent, if it is one of ours in form. Two of the name are none: one was planted.
    pub fn find<'a>(self, app: &App, headers: &'a HeaderMap) -> Option<&'a str> {
        let name = self.full_name(app);
        let header = cookie_header(headers)?;
        let mut found = header.split(';').filter_map(|pair| pair.trim().split_once('=')).filter(|(n, _)| *n == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) if well_formed(value) => Some(value),
            _ => None,
        }
    }
}

fn well_formed(value: &str) -> bool {
    !value.is_empty() && value.len() <= VALUE_MAX_CHARS && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The `Cookie` header.
pub fn cookie_header(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::COOKIE).and_then(|v| v.to_str().ok()).filter(|v| v.len() <= HEADER_MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_of_our_making() {
        assert!(well_formed("negotiation_begun") && well_formed("aB3-_"));
        for bad in ["", "a b", "a;b", "<b>", &"x".repeat(VALUE_MAX_CHARS + 1)] {
            assert!(!well_formed(bad), "{bad}");
        }
    }
}
