//! In which language a page is written: as chosen (`GET /language?to=zh&next=…`, kept in a cookie), else as the browser
//! asks for it, else English.
//!
//! Choosing is a link and not a form: it changes nothing but how pages read, and works on the page to sign in as well.

use super::{
    answer::{self, Answer},
    cookies,
    guard::own_page,
};
use crate::app::App;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, header},
};
use fondaco_console::Locale;
use fondaco_core::Error;
use serde::Deserialize;

/// Languages of an `Accept-Language` header that are looked at. Browsers send fewer than ten.
const ACCEPTED_MAX: usize = 32;

/// What was chosen, and the page to go on with.
#[derive(Debug, Deserialize)]
pub struct Chosen {
    #[serde(default)]
    to: String,
    next: Option<String>,
}

/// Keeps the choice, and goes back to the page.
pub async fn choose(State(app): State<App>, Query(chosen): Query<Chosen>) -> Answer {
    let locale = Locale::from_code(&chosen.to).ok_or_else(|| Error::invalid("The console does not speak that language."))?;
    let mut response = answer::see_other(&app, chosen.next.as_deref().and_then(own_page).unwrap_or("/"), None)?;
    if let Some(cookie) = cookies::LANGUAGE.set(&app, locale.code()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The language of the answer to a request with these headers.
pub fn of(app: &App, headers: &HeaderMap) -> Locale {
    let chosen = cookies::LANGUAGE.find(app, headers).and_then(Locale::from_code);
    chosen.or_else(|| accepted(headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?)).unwrap_or_default()
}

/// The best language of an `Accept-Language` header (RFC 9110, section 12.5.4); `None` where it names none of ours.
fn accepted(header: &str) -> Option<Locale> {
    let mut best: Option<(u16, Locale)> = None;
    for range in header.split(',').take(ACCEPTED_MAX) {
        let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
        let quality = quality(parameters).unwrap_or(0);
        let Some(locale) = Locale::from_tag(tag.trim()).filter(|_| quality > 0) else { continue };
        // Of equals the first, as browsers order them.
        if best.is_none_or(|(so_far, _)| quality > so_far) {
            best = Some((quality, locale));
        }
    }
    best.map(|(_, locale)| locale)
}

/// A quality in thousandths: `q=0.8` is 800, none is 1000, what cannot be read is nothing.
fn quality(parameters: &str) -> Option<u16> {
    let Some(text) = parameters.split(';').map(str::trim).find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q="))) else {
        return Some(1_000);
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_wish_counts() {
        for (header, locale) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Some(Locale::Zh)),
            ("en-GB,en;q=0.9,zh;q=0.8", Some(Locale::En)),
            ("en;q=0.3, zh-Hans; q=0.7", Some(Locale::Zh)),
            ("de,zh;q=0.5", Some(Locale::Zh)),
            ("zh;q=0, en;q=0.1", Some(Locale::En)),
            ("zh;q=0", None),
            ("zh;q=2", None),
            ("zh;q=x", None),
            ("zh;q=0.1234", None),
            ("zh;q=1.000", Some(Locale::Zh)),
            ("de-CH", None),
            ("*", None),
            ("", None),
            (";;,,;q=", None),
        ] {
            assert_eq!(accepted(header), locale, "{header}");
        }
        let late = format!("{}zh", "de,".repeat(ACCEPTED_MAX));
        assert_eq!(accepted(&late), None, "nobody speaks so many languages");
    }
}
