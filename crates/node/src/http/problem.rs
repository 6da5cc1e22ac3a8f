//! RFC 9457 problem documents: how the admin API and the listeners themselves say no.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use fondaco_core::Error;
use serde::{Deserialize, Serialize};

/// The media type.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// The header that carries the request id, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// An RFC 9457 problem.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// A link to the page of the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code, `FDC-…`.
    pub code: String,
    /// What is wrong here, and what to do.
    pub detail: String,
    /// Names this request in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// The problem of an error.
    pub fn of(error: &Error) -> Self {
        let code = error.code();
        Self {
            kind: format!("/errors/{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            code: code.as_str().to_owned(),
            detail: error.message().to_owned(),
            request_id: None,
        }
    }
}

/// An error on its way out as a problem. The request-id layer adds the id and logs the internal half once.
#[derive(Debug)]
pub struct ApiError(pub Error);

impl<E: Into<Error>> From<E> for ApiError {
    fn from(e: E) -> Self {
        Self(e.into())
    }
}

/// What handlers of the admin API return.
pub type ApiResult<T> = Result<T, ApiError>;

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = Problem::of(&self.0);
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&problem)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"fondaco\""));
        }
        response.extensions_mut().insert(Cause(self.0));
        response
    }
}

/// The error behind a response, for the log: never for the body.
#[derive(Clone, Debug)]
pub struct Cause(pub Error);

/// Attaches the error behind a response of another shape (a protocol's, a page's) so that it is logged the same way.
#[must_use]
pub fn caused_by(mut response: Response, error: Error) -> Response {
    response.extensions_mut().insert(Cause(error));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_core::Code;

    #[test]
    fn statuses_are_valid_and_internals_stay_inside() {
        for code in Code::ALL {
            assert!(StatusCode::from_u16(code.status()).is_ok());
        }
        let e = Error::internal_failure("disk /secret/path is gone");
        let text = serde_json::to_string(&Problem::of(&e)).expect("json");
        assert!(!text.contains("secret"));
    }
}
