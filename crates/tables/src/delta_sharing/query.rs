//! The body of a query and the parameters of a metadata request (PROTOCOL.md, "Read Data from a Table",
//! "Query Table Metadata", "Read Change Data Feed from a Table").
//!
//! A product version is immutable. Where terms include later versions, each of them is a version of the table, found by
//! its number or by a time; where they do not, the table has one.

use serde::Deserialize;
use serde_json::Value;

use super::{
    SharingError,
    prune::{MAX_HINTS, Predicate},
};

/// Largest body: the reference server's limit for a hint.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Most files in one answer; more are paged. The reference server's page.
pub const MAX_FILES_PER_PAGE: usize = 10_000;

/// A query, understood.
#[derive(Debug, Clone, Default)]
pub struct QueryRequest {
    /// What rows are wanted, as far as it was understood.
    pub predicate: Predicate,
    /// How many rows are wanted.
    pub limit_hint: Option<u64>,
    /// The version asked for.
    pub version: Option<i64>,
    /// The version asked for is the newest at this time, milliseconds since 1970. Not together with `version`.
    pub timestamp_ms: Option<i64>,
    /// Most files in the answer.
    pub max_files: Option<usize>,
    /// Where the next page of files begins.
    pub page_token: Option<String>,
    /// A token that gives the same files later is wanted.
    pub include_refresh_token: bool,
    /// The client refreshes URLs of an earlier answer.
    pub refresh_token: Option<String>,
    /// Equal for submissions of a query that is answered later which are one.
    pub idempotency_key: Option<String>,
}

/// A metadata request, understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetadataRequest {
    /// The version asked for.
    pub version: Option<i64>,
    /// The version asked for is the newest at this time, milliseconds since 1970. Not together with `version`.
    pub timestamp_ms: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    predicate_hints: Option<Vec<String>>,
    json_predicate_hints: Option<String>,
    limit_hint: Option<i64>,
    version: Option<i64>,
    timestamp: Option<String>,
    starting_version: Option<i64>,
    ending_version: Option<i64>,
    max_files: Option<i64>,
    page_token: Option<String>,
    include_refresh_token: Option<bool>,
    refresh_token: Option<String>,
    idempotency_key: Option<String>,
}

impl QueryRequest {
    /// Reads a body; an empty one asks for everything. Unknown fields are ignored, hints that are not
    /// understood too; wrongly typed fields are errors.
    pub fn parse(body: &[u8]) -> Result<Self, SharingError> {
        if body.len() > MAX_BODY_BYTES {
            return Err(SharingError::BodyTooLarge(MAX_BODY_BYTES));
        }
        let body = if body.iter().all(u8::is_ascii_whitespace) {
            Body::default()
        } else {
            let wrong = |e: serde_json::Error| SharingError::InvalidParameter(format!("the body is not a query: {e}"));
            // By way of a value: nesting is bounded in fields that are ignored too, and a list is not read as the fields
            // in their order.
            match serde_json::from_slice(body).map_err(wrong)? {
                value @ Value::Object(_) => Body::deserialize(value).map_err(wrong)?,
                _ => return Err(SharingError::InvalidParameter("the body is not a query: a JSON object is expected".into())),
            }
        };
        if body.starting_version.is_some() || body.ending_version.is_some() {
            return Err(no_change_data_feed());
        }
        let hints = body.predicate_hints.unwrap_or_default();
        if hints.len() > MAX_HINTS {
            return Err(SharingError::InvalidParameter(format!("more than {MAX_HINTS} predicate hints")));
        }
        Ok(Self {
            predicate: Predicate::from_hints(&hints, body.json_predicate_hints.as_deref()),
            limit_hint: non_negative("limitHint", body.limit_hint)?,
            version: version(body.version)?,
            timestamp_ms: timestamp(body.timestamp.as_deref(), body.version.is_some())?,
            max_files: match non_negative("maxFiles", body.max_files)? {
                Some(0) => return Err(SharingError::InvalidParameter("maxFiles must be positive".into())),
                other => other.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            },
            page_token: body.page_token.filter(|t| !t.is_empty()),
            include_refresh_token: body.include_refresh_token.unwrap_or(false),
            refresh_token: body.refresh_token.filter(|t| !t.is_empty()),
            idempotency_key: body.idempotency_key.filter(|k| !k.is_empty()),
        })
    }
}

impl MetadataRequest {
    /// Reads the query parameters (decoded).
    pub fn parse(version_text: Option<&str>, time_text: Option<&str>) -> Result<Self, SharingError> {
        let number = match version_text {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| SharingError::InvalidParameter("version must be a whole number".into()))?),
        };
        Ok(Self { version: version(number)?, timestamp_ms: timestamp(time_text, version_text.is_some())? })
    }
}

/// What a version request with `startingTimestamp` gets: the protocol wants the first version at or
/// after it, which the caller gives as the one version if it is not older. `created_at_ms` is since 1970.
pub fn check_starting_timestamp(starting: Option<&str>, created_at_ms: i64) -> Result<(), SharingError> {
    let Some(text) = starting else { return Ok(()) };
    if time_ms("startingTimestamp", text)? > created_at_ms {
        return Err(SharingError::InvalidParameter("startingTimestamp is after the latest version".into()));
    }
    Ok(())
}

fn time_ms(name: &str, text: &str) -> Result<i64, SharingError> {
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.map(jiff::Timestamp::as_millisecond)
        .map_err(|_| SharingError::InvalidParameter(format!("{name} must be ISO 8601 in UTC, as in 2024-01-01T00:00:00Z")))
}

fn timestamp(text: Option<&str>, with_version: bool) -> Result<Option<i64>, SharingError> {
    if text.is_some() && with_version {
        return Err(SharingError::InvalidParameter("version and timestamp cannot be used together".into()));
    }
    text.map(|text| time_ms("timestamp", text)).transpose()
}

/// What a request for a time before the first version gets.
pub fn no_version_then() -> SharingError {
    SharingError::Unsupported("the terms include no version of the table that is as old as that".into())
}

/// What a request for an earlier version, or for one by its time, gets where rows are hidden.
pub fn no_history() -> SharingError {
    SharingError::Unsupported(
        "the table has no history, because the terms show only some of its rows: version and timestamp can be used for the newest version alone"
            .into(),
    )
}

/// What a request for changes gets.
pub fn no_change_data_feed() -> SharingError {
    SharingError::Unsupported(
        "the table has no change data feed: startingVersion, endingVersion and changes cannot be used; read two versions and compare them"
            .into(),
    )
}

fn version(number: Option<i64>) -> Result<Option<i64>, SharingError> {
    match number {
        Some(n) if n < 0 => Err(SharingError::InvalidParameter("version must not be negative".into())),
        other => Ok(other),
    }
}

fn non_negative(name: &str, number: Option<i64>) -> Result<Option<u64>, SharingError> {
    number.map(|n| u64::try_from(n).map_err(|_| SharingError::InvalidParameter(format!("{name} must not be negative")))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_as_the_clients_send_them() {
        let q = QueryRequest::parse(br#"{"predicateHints":["a = 1"],"limitHint":10,"idempotencyKey":"x"}"#).unwrap();
        assert_eq!((q.limit_hint, q.idempotency_key.as_deref()), (Some(10), Some("x")));
        assert!(!q.predicate.is_empty());
        for empty in [&b""[..], b" \n", b"{}"] {
            assert!(QueryRequest::parse(empty).unwrap().predicate.is_empty());
        }
        let q = QueryRequest::parse(br#"{"predicateHints":null,"pageToken":"","version":0}"#).unwrap();
        assert_eq!((q.page_token, q.version), (None, Some(0)));
    }

    #[test]
    fn wrong_bodies_are_refused() {
        for body in [
            r#"{"limitHint":"ten"}"#,
            r#"{"limitHint":-1}"#,
            r#"{"maxFiles":0}"#,
            r#"{"version":-1}"#,
            r#"{"timestamp":"yesterday"}"#,
            r#"{"timestamp":"2024-01-01T00:00:00Z","version":1}"#,
            r#"{"startingVersion":0}"#,
            "[",
            "[]x",
            "[]",
            r#"[["a = 1"]]"#,
            "null",
        ] {
            assert!(QueryRequest::parse(body.as_bytes()).is_err(), "{body}");
        }
        assert!(matches!(QueryRequest::parse(&vec![b' '; MAX_BODY_BYTES + 1]), Err(SharingError::BodyTooLarge(_))));
        let deep = format!("{{\"unknown\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        assert!(QueryRequest::parse(deep.as_bytes()).is_err());
        assert!(MetadataRequest::parse(Some("x"), None).is_err());
        assert!(MetadataRequest::parse(Some("1"), Some("2024-01-01T00:00:00Z")).is_err());
        let at = MetadataRequest::parse(None, Some("1970-01-01T00:00:01Z")).unwrap();
        assert_eq!((at.version, at.timestamp_ms), (None, Some(1_000)));
    }

    #[test]
    fn starting_timestamps() {
        assert!(check_starting_timestamp(Some("2024-01-01T00:00:00Z"), 1_800_000_000_000).is_ok());
        assert!(check_starting_timestamp(Some("2099-01-01T00:00:00Z"), 1_800_000_000_000).is_err());
        assert!(check_starting_timestamp(Some("yesterday"), 0).is_err());
    }
}
