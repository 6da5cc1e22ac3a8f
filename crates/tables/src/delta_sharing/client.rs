//! The consumer's side: profile files, and the answer to a query read line by line, in both formats.
//!
//! What a provider sends is hostile until checked: sizes are bounded, addresses are absolute http(s)
//! URLs without credentials in them, numbers are in range. Whether an address may be called at all is
//! for the caller to decide.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ErrorBody;

/// Largest answer read: 10,000 files with wide statistics.
pub const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;
/// Longest line: a schema of 2,000 columns, or one file's statistics of them.
pub const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;
/// Most files in one answer.
pub const MAX_FILES: usize = 100_000;
/// Largest profile file.
pub const MAX_PROFILE_BYTES: usize = 64 * 1024;
/// Longest URL.
const MAX_URL_BYTES: usize = 16 * 1024;

/// Why an answer or a profile file was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// It is larger than allowed.
    #[error("{what} is larger than {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The limit, in its unit.
        limit: usize,
    },
    /// A line, or the profile file, is not what the protocol says.
    #[error("line {line}: {reason}")]
    Malformed {
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A kind of table or profile that is not supported.
    #[error("{0}")]
    Unsupported(String),
    /// The provider reported a failure in the last line.
    #[error("the provider failed while answering: {0}")]
    Provider(String),
}

/// A profile file: how to reach a share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// 1 or 2.
    pub share_credentials_version: u32,
    /// `bearer_token` in version 2.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// URL prefix of the protocol's endpoints.
    pub endpoint: String,
    /// The token.
    pub bearer_token: String,
    /// When the token ends, ISO 8601 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<String>,
}

impl Profile {
    /// A version 1 profile, which every client reads.
    pub fn new(endpoint: &str, bearer_token: &str, expiration_time: Option<String>) -> Self {
        Self { share_credentials_version: 1, kind: None, endpoint: endpoint.into(), bearer_token: bearer_token.into(), expiration_time }
    }

    /// Reads a profile file of version 1 or 2 with a bearer token.
    pub fn parse(text: &[u8]) -> Result<Self, ClientError> {
        if text.len() > MAX_PROFILE_BYTES {
            return Err(ClientError::TooLarge { what: "the profile file in bytes", limit: MAX_PROFILE_BYTES });
        }
        let value: Value = serde_json::from_slice(text).map_err(|e| malformed(1, e.to_string()))?;
        match (value.get("shareCredentialsVersion").and_then(Value::as_u64), value.get("type").and_then(Value::as_str)) {
            (Some(1), _) | (Some(2), None | Some("bearer_token")) => (),
            (Some(2), Some(kind)) => {
                return Err(ClientError::Unsupported(format!("profiles of type {} are not supported", brief(kind))));
            }
            _ => return Err(ClientError::Unsupported("a profile of an unknown shareCredentialsVersion".into())),
        }
        let profile: Self = serde_json::from_value(value).map_err(|e| malformed(1, e.to_string()))?;
        check_url(&profile.endpoint).map_err(|reason| malformed(1, format!("endpoint: {reason}")))?;
        let printable = |b: u8| b.is_ascii_graphic();
        if profile.bearer_token.is_empty() || !profile.bearer_token.bytes().all(printable) {
            return Err(malformed(1, "bearerToken: not a token".into()));
        }
        Ok(profile)
    }

    /// As JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and a number serialise")
    }
}

/// A file to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Absolute URL; needs no token.
    pub url: String,
    /// Stable id.
    pub id: String,
    /// Bytes.
    pub size: u64,
    /// Rows, if the provider says so.
    pub rows: Option<u64>,
    /// When the URL ends, milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
}

/// The answer to a metadata or query request.
#[derive(Debug, Clone, PartialEq)]
pub struct TableAnswer {
    /// The table's id.
    pub table_id: String,
    /// The Delta JSON schema.
    pub schema: Value,
    /// The files, in order.
    pub files: Vec<RemoteFile>,
    /// Where the next page of files begins.
    pub next_page_token: Option<String>,
    /// For asking the same files again.
    pub refresh_token: Option<String>,
}

/// Reads a body of newline-delimited JSON. `end_required`: the answer's capability header promised an
/// `endStreamAction`, without which it was cut off.
pub fn parse_answer(body: &[u8], end_required: bool) -> Result<TableAnswer, ClientError> {
    if body.len() > MAX_ANSWER_BYTES {
        return Err(ClientError::TooLarge { what: "the answer in bytes", limit: MAX_ANSWER_BYTES });
    }
    let mut seen_protocol = false;
    let mut metadata: Option<(String, Value)> = None;
    let mut files = Vec::new();
    let mut end: Option<Value> = None;
    for (i, line) in body.split(|b| *b == b'\n').enumerate() {
        let number = i + 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if line.len() > MAX_LINE_BYTES {
            return Err(ClientError::TooLarge { what: "a line in bytes", limit: MAX_LINE_BYTES });
        }
        if end.is_some() {
            return Err(malformed(number, "lines after endStreamAction".into()));
        }
        let value: Value = serde_json::from_slice(line).map_err(|e| malformed(number, e.to_string()))?;
        let Some((action, content)) = value.as_object().and_then(|o| o.iter().next()) else {
            return Err(malformed(number, "not an action".into()));
        };
        match action.as_str() {
            "protocol" if !seen_protocol => {
                check_protocol(content)?;
                seen_protocol = true;
            }
            "metaData" if metadata.is_none() && seen_protocol => {
                metadata = Some(read_metadata(content).map_err(|r| malformed(number, r))?);
            }
            "file" if metadata.is_some() => {
                if files.len() >= MAX_FILES {
                    return Err(ClientError::TooLarge { what: "the number of files", limit: MAX_FILES });
                }
                files.push(read_file(content).map_err(|r| malformed(number, r))?);
            }
            "endStreamAction" => end = Some(content.clone()),
            "protocol" | "metaData" | "file" => {
                return Err(malformed(number, format!("{action} is not expected here")));
            }
            // Later versions of the protocol may add lines.
            _ => (),
        }
    }
    let end = match end {
        None if end_required => return Err(malformed(1, "the answer was cut off before its last line".into())),
        other => other.unwrap_or(Value::Null),
    };
    if let Some(message) = end.get("errorMessage").and_then(Value::as_str) {
        return Err(ClientError::Provider(brief(message)));
    }
    let Some((table_id, schema)) = metadata else {
        return Err(malformed(1, "the answer holds no metaData".into()));
    };
    let token = |name: &str| end.get(name).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    Ok(TableAnswer { table_id, schema, files, next_page_token: token("nextPageToken"), refresh_token: token("refreshToken") })
}

/// What an error answer says, for people; `None` when it is not one of the protocol's.
pub fn parse_error(body: &[u8]) -> Option<ErrorBody> {
    if body.len() > MAX_PROFILE_BYTES {
        return None;
    }
    let error: ErrorBody = serde_json::from_slice(body).ok()?;
    Some(ErrorBody { error_code: brief(&error.error_code), message: brief(&error.message) })
}

fn check_protocol(content: &Value) -> Result<(), ClientError> {
    let unsupported = |what: &str| Err(ClientError::Unsupported(format!("the table needs {what}")));
    let protocol = content.get("deltaProtocol").unwrap_or(content);
    match protocol.get("minReaderVersion").and_then(Value::as_u64) {
        Some(1) => Ok(()),
        Some(3) => {
            let features = protocol.get("readerFeatures").and_then(Value::as_array);
            match features.into_iter().flatten().find(|f| f.as_str() != Some("timestampNtz")) {
                Some(feature) => unsupported(&format!("the reader feature {}", brief(&feature.to_string()))),
                None => Ok(()),
            }
        }
        _ => unsupported("another reader version than 1 or 3"),
    }
}

fn read_metadata(content: &Value) -> Result<(String, Value), String> {
    let inner = content.get("deltaMetadata").unwrap_or(content);
    let text = |name: &str| inner.get(name).and_then(Value::as_str).ok_or(format!("metaData without {name}"));
    let schema: Value = serde_json::from_str(text("schemaString")?).map_err(|e| format!("schemaString: {e}"))?;
    if !schema.get("fields").is_some_and(Value::is_array) {
        return Err("schemaString without fields".into());
    }
    if inner.get("partitionColumns").and_then(Value::as_array).is_some_and(|p| !p.is_empty()) {
        return Err("partitioned tables are not supported: values would be missing from the files".into());
    }
    Ok((text("id")?.to_owned(), schema))
}

fn read_file(content: &Value) -> Result<RemoteFile, String> {
    let (action, url_name) = match content.get("deltaSingleAction") {
        Some(single) => (single.get("add").ok_or("an action other than add")?, "path"),
        None => (content, "url"),
    };
    if content.get("deletionVectorFileId").is_some() || action.get("deletionVector").is_some_and(|d| !d.is_null()) {
        return Err("deletion vectors are not supported".into());
    }
    let url = action.get(url_name).and_then(Value::as_str).ok_or("a file without an address")?;
    check_url(url)?;
    let id = content.get("id").and_then(Value::as_str).ok_or("a file without id")?;
    let size = action.get("size").and_then(Value::as_u64).ok_or("a file without size")?;
    let stats: Option<Value> = action.get("stats").and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
    Ok(RemoteFile {
        url: url.into(),
        id: brief(id),
        size,
        rows: stats.and_then(|s| s.get("numRecords")?.as_u64()),
        expires_at_ms: content.get("expirationTimestamp").and_then(Value::as_i64),
    })
}

fn check_url(text: &str) -> Result<(), String> {
    if text.len() > MAX_URL_BYTES {
        return Err(format!("an address of more than {MAX_URL_BYTES} bytes"));
    }
    let url = ::url::Url::parse(text).map_err(|e| format!("not an absolute address: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("an address that is not http or https".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address with a user name in it".into());
    }
    Ok(())
}

/// Text from others, short and without control characters, fit for a message.
fn brief(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

fn malformed(line: usize, reason: String) -> ClientError {
    ClientError::Malformed { line, reason }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn profiles_of_both_versions() {
        let profile = Profile::new("http://127.0.0.1:7400/p/a/share", "tok", Some("2027-01-01T00:00:00Z".into()));
        assert_eq!(
            serde_json::from_str::<Value>(&profile.to_json()).unwrap(),
            json!({"shareCredentialsVersion": 1, "endpoint": "http://127.0.0.1:7400/p/a/share",
                   "bearerToken": "tok", "expirationTime": "2027-01-01T00:00:00Z"})
        );
        assert_eq!(Profile::parse(profile.to_json().as_bytes()), Ok(profile));
        let v2 = r#"{"shareCredentialsVersion":2,"type":"bearer_token","endpoint":"https://h/s","bearerToken":"t","x":1}"#;
        assert_eq!(Profile::parse(v2.as_bytes()).unwrap().bearer_token, "t");
        for bad in [
            r#"{"shareCredentialsVersion":3,"endpoint":"https://h","bearerToken":"t"}"#,
            r#"{"shareCredentialsVersion":2,"type":"basic","endpoint":"https://h","bearerToken":"t"}"#,
            r#"{"shareCredentialsVersion":1,"endpoint":"file:///etc","bearerToken":"t"}"#,
            r#"{"shareCredentialsVersion":1,"endpoint":"https://u:p@h","bearerToken":"t"}"#,
            r#"{"shareCredentialsVersion":1,"endpoint":"https://h","bearerToken":"a\r\nb: c"}"#,
            r#"{"shareCredentialsVersion":1,"endpoint":"https://h"}"#,
            "",
        ] {
            assert!(Profile::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    fn lines(file: &Value) -> String {
        let schema = r#"{"type":"struct","fields":[]}"#;
        let lines = [
            json!({"protocol": {"minReaderVersion": 1}}),
            json!({"metaData": {"id": "i", "schemaString": schema, "partitionColumns": []}}),
            json!({"file": file}),
        ];
        lines.map(|l| l.to_string()).join("\n") + "\n"
    }

    #[test]
    fn answers_that_break_the_protocol_are_refused() {
        let good = json!({"url": "https://h/f?sp=r", "id": "f", "size": 3, "stats": "{\"numRecords\":2}"});
        let answer = parse_answer(lines(&good).as_bytes(), false).unwrap();
        assert_eq!((answer.files[0].rows, answer.files[0].size), (Some(2), 3));
        assert!(parse_answer(lines(&good).as_bytes(), true).is_err());
        for (name, value) in [
            ("url", json!("/etc/passwd")),
            ("url", json!("file:///etc/passwd")),
            ("url", json!("https://u@h/")),
            ("url", json!(5)),
            ("size", json!(-1)),
            ("size", json!("3")),
            ("id", Value::Null),
            ("deletionVector", json!({"storageType": "u"})),
        ] {
            let mut file = good.clone();
            file[name] = value.clone();
            assert!(parse_answer(lines(&file).as_bytes(), false).is_err(), "{name} {value}");
        }
        for body in [
            "",
            "[]",
            "{}",
            "{\"metaData\":{}}",
            "{\"file\":{}}",
            "{\"protocol\":{\"minReaderVersion\":2}}",
            "{\"protocol\":{\"deltaProtocol\":{\"minReaderVersion\":3,\"readerFeatures\":[\"columnMapping\"]}}}",
        ] {
            assert!(parse_answer(body.as_bytes(), false).is_err(), "{body}");
        }
        let failed = format!("{}{}", lines(&good), r#"{"endStreamAction":{"errorMessage":"disk\nfull"}}"#);
        assert_eq!(parse_answer(failed.as_bytes(), true), Err(ClientError::Provider("diskfull".into())));
        let after = format!("{}{}\n{}", lines(&good), r#"{"endStreamAction":{}}"#, r#"{"file":{}}"#);
        assert!(parse_answer(after.as_bytes(), true).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
            let _ = parse_answer(&bytes, false);
            let _ = parse_answer(format!("{{\"protocol\":{{\"minReaderVersion\":1}}}}\n{{\"metaData\":{text}}}").as_bytes(), true);
            let _ = Profile::parse(&bytes);
            let _ = parse_error(&bytes);
        }
    }
}
