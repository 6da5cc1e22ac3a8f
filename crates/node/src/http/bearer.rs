//! `Authorization: Bearer …` (RFC 6750).

use axum::http::{HeaderMap, header};

/// The token of the header, if it is there and says Bearer; the scheme's letter case does not matter.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_bearer_tokens_count() {
        let with = |value: &'static str| HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
        assert_eq!(token(&with("Bearer abc")), Some("abc"));
        assert_eq!(token(&with("bEARER  abc ")), Some("abc"));
        for other in ["Basic abc", "Bearer", "abc", ""] {
            assert_eq!(token(&with(other)), None, "{other}");
        }
        assert_eq!(token(&HeaderMap::new()), None);
    }
}
