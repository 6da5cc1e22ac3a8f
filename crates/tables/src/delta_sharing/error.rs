//! The protocol's error answers: `{"errorCode", "message"}` with 400, 403, 404.

use serde::{Deserialize, Serialize};

/// Why a request of the protocol is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SharingError {
    /// The request is wrong (400).
    #[error("{0}")]
    InvalidParameter(String),
    /// The request is understood but not offered for this table (400).
    #[error("{0}")]
    Unsupported(String),
    /// The body is larger than allowed (413 would be HTTP's; the protocol knows 400).
    #[error("the request body is larger than {0} bytes")]
    BodyTooLarge(usize),
}

impl SharingError {
    /// HTTP status.
    pub fn status(&self) -> u16 {
        400
    }

    /// The protocol's `errorCode`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidParameter(_) | Self::BodyTooLarge(_) => "INVALID_PARAMETER_VALUE",
            Self::Unsupported(_) => "UNSUPPORTED_OPERATION",
        }
    }

    /// The answer's body.
    pub fn body(&self) -> ErrorBody {
        ErrorBody::new(self.code(), self.to_string())
    }
}

/// The body of an error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// A short code; clients show it, none interprets it.
    pub error_code: String,
    /// What is wrong, for people.
    pub message: String,
}

impl ErrorBody {
    /// A body with this code and message.
    pub fn new(error_code: &str, message: impl Into<String>) -> Self {
        Self { error_code: error_code.into(), message: message.into() }
    }

    /// For a share, schema or table that does not exist or is not the caller's (404).
    pub fn not_found(what: &str) -> Self {
        Self::new("RESOURCE_DOES_NOT_EXIST", format!("{what} not found"))
    }

    /// For a caller without a valid token (401).
    pub fn unauthenticated() -> Self {
        Self::new("UNAUTHENTICATED", "a valid bearer token is required")
    }

    /// For a caller whose agreement does not permit this now (403).
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new("PERMISSION_DENIED", message)
    }

    /// As JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("two strings always serialise")
    }
}
