//! `POST …/oauth/token`: OAuth 2.0 with client credentials (RFC 6749, section 4.4), for clients whose profile has the type
//! `oauth_client_credentials`. The client's id is the transfer's, its secret the transfer's lasting token; what it gets ends
//! within the hour, so that nothing else travels with each call.

use crate::app::App;
use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use fondaco_core::{Code, Error, Result, participant::Slug, time::Micros};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::form_urlencoded;

/// How long a token lives: as long as the addresses of files that it is used to ask for.
const TOKEN_LIFE: Micros = Micros::from_secs(3_600);
/// Most parameters of a body that are looked at; OAuth has five.
const PARAMETERS_MAX: usize = 20;

/// What a client says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    grant: String,
    id: String,
    secret: String,
}

/// Gives a token that ends by itself.
pub async fn token(State(app): State<App>, Path(slug): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let asked = asked(&headers, &body);
    if asked.grant != "client_credentials" {
        return answer(
            StatusCode::BAD_REQUEST,
            &json!({"error": "unsupported_grant_type", "error_description": "The grant type is client_credentials."}),
        );
    }
    match given(&app, &slug, &asked).await {
        Ok(token) => {
            answer(StatusCode::OK, &json!({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_LIFE.0 / 1_000_000}))
        }
        Err(e) if e.code() == Code::Unauthenticated => {
            let body = json!({"error": "invalid_client", "error_description": "The client's id or secret is not valid here."});
            let mut response = answer(StatusCode::UNAUTHORIZED, &body);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"share\""));
            response
        }
        Err(e) if e.code().status() >= 500 => super::Refusal(e).into_response(),
        // Its access has ended, or is not open.
        Err(e) => answer(
            StatusCode::BAD_REQUEST,
            &json!({"error": "unauthorized_client", "error_description": format!("{} ({})", e.message(), e.code())}),
        ),
    }
}

async fn given(app: &App, slug: &str, asked: &Asked) -> Result<String> {
    let unknown = || Error::new(Code::Unauthenticated, "The client is not known.");
    let slug = Slug::parse(slug).map_err(|_| unknown())?;
    let transfer = app.access_tokens.verify(&slug, &asked.secret)?;
    if transfer.as_str() != asked.id {
        return Err(unknown());
    }
    let grant = app.grant_with_view(&slug, &transfer).await?;
    let end = app.now().plus(TOKEN_LIFE);
    app.access_tokens.mint_until(&slug, &transfer, grant.watch.until().map_or(end, |until| until.min(end)))
}

/// The credentials, from the header (section 2.3.1) or from the body.
fn asked(headers: &HeaderMap, body: &[u8]) -> Asked {
    let mut asked = Asked::default();
    for (name, value) in form_urlencoded::parse(body).take(PARAMETERS_MAX) {
        match name.as_ref() {
            "grant_type" => asked.grant = value.into_owned(),
            "client_id" => asked.id = value.into_owned(),
            "client_secret" => asked.secret = value.into_owned(),
            _ => {}
        }
    }
    let basic = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.split_once(' '));
    let basic = basic.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic")).and_then(|(_, text)| STANDARD.decode(text.trim()).ok());
    if let Some((id, secret)) = basic.and_then(|text| String::from_utf8(text).ok()).as_deref().and_then(|text| text.split_once(':')) {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        (asked.id, asked.secret) = (decoded(id), decoded(secret));
    }
    asked
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let mut response = super::json(status, body.to_string());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_from_the_header_or_the_body() {
        let expected = Asked { grant: "client_credentials".into(), id: "trf_1".into(), secret: "fda_trf_1.x".into() };
        let body = b"grant_type=client_credentials&scope=all&client_id=trf_1&client_secret=fda_trf_1.x";
        assert_eq!(asked(&HeaderMap::new(), body), expected);
        let mut headers = HeaderMap::new();
        let text = format!("Basic {}", STANDARD.encode("trf_1:fda%5Ftrf_1.x"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&text).expect("header"));
        assert_eq!(asked(&headers, b"grant_type=client_credentials"), expected);
        for wrong in ["Basic", "Basic !!", "Bearer x"] {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(wrong));
            assert_eq!(asked(&headers, b"grant_type=client_credentials").id, "", "{wrong}");
        }
    }
}
