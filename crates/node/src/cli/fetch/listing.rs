//! The files of a shared table: the `query` call of the Delta Sharing protocol, page by page.

use super::super::failure::{Failure, Result};
use crate::{
    http::problem::Problem,
    net::{OutRequest, OutResponse, Outbound},
};
use fondaco_core::Code;
use fondaco_tables::delta_sharing::{
    client::{self, MAX_ANSWER_BYTES, MAX_FILES, Profile, RemoteFile},
    headers,
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;
use std::time::Duration;
use url::Url;

/// What we can read. A file is the same in both formats, so either answer will do.
const CAPABILITIES: &str = "responseformat=parquet,delta;readerfeatures=timestampntz;includeendstreamaction=true";
/// A provider may sign a hundred thousand addresses for one answer.
const TIMEOUT: Duration = Duration::from_mins(1);

/// All files of a table.
pub(super) async fn files(http: &Outbound, profile: &Profile, table: &str) -> Result<Vec<RemoteFile>> {
    let url = query_url(&profile.endpoint, table)?;
    let mut files: Vec<RemoteFile> = Vec::new();
    let mut page: Option<String> = None;
    loop {
        let body = page.as_ref().map_or_else(|| json!({}), |token| json!({"pageToken": token}));
        let request = OutRequest::post_json(url.clone(), body.to_string())
            .with_authorization(&format!("Bearer {}", profile.bearer_token))?
            .with_header(HeaderName::from_static(headers::CAPABILITIES), HeaderValue::from_static(CAPABILITIES))
            .with_header(header::ACCEPT, HeaderValue::from_static("application/x-ndjson"))
            .with_limit(MAX_ANSWER_BYTES as u64)
            .with_timeout(TIMEOUT);
        let answer = http.send(request).await?;
        if answer.status != StatusCode::OK {
            return Err(refused(answer.status, &answer.body));
        }
        let parsed = client::parse_answer(&answer.body, end_promised(&answer))
            .map_err(|e| Failure::new(Code::PeerAnsweredBadly, format!("The provider's list of files cannot be used: {e}.")))?;
        let empty = parsed.files.is_empty();
        files.extend(parsed.files);
        if files.len() > MAX_FILES {
            return Err(Failure::new(Code::TooLarge, format!("The table has more than {MAX_FILES} files.")));
        }
        page = parsed.next_page_token;
        // A page with a successor and nothing on it would let a provider keep us here for ever.
        if page.is_none() || empty {
            return Ok(files);
        }
    }
}

fn end_promised(answer: &OutResponse) -> bool {
    let header = answer.headers.get(headers::CAPABILITIES).and_then(|v| v.to_str().ok()).unwrap_or("");
    header.to_ascii_lowercase().split(';').any(|c| c.trim() == "includeendstreamaction=true")
}

fn query_url(endpoint: &str, table: &str) -> Result<Url> {
    let bad = |what: &str| Failure::new(Code::PeerAnsweredBadly, format!("The provider's {what} cannot be used: {endpoint} {table}."));
    let [share, schema, name] = table.split('.').collect::<Vec<_>>()[..] else { return Err(bad("table name")) };
    if [share, schema, name].iter().any(|part| part.is_empty()) {
        return Err(bad("table name"));
    }
    let mut url = Url::parse(endpoint).map_err(|_| bad("address"))?;
    url.path_segments_mut()
        .map_err(|()| bad("address"))?
        .pop_if_empty()
        .extend(["shares", share, "schemas", schema, "tables", name, "query"]);
    Ok(url)
}

/// A refusal, in the provider's own words when it gave some.
pub(super) fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let code = match status.as_u16() {
        401 | 403 | 410 => Code::AccessEnded,
        _ => Code::PeerRefused,
    };
    let problem = || serde_json::from_slice::<Problem>(body).ok().map(|p| p.detail);
    let words = client::parse_error(body).map(|e| e.message).or_else(problem).filter(|m| !m.is_empty());
    Failure::new(
        code,
        match words {
            Some(words) => format!("The provider refuses ({status}): {words}"),
            None => format!("The provider refuses with status {status} and gives no reason."),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_names_become_three_segments() {
        let url = query_url("http://h/p/a/share/", "a.b.c d").expect("url");
        assert_eq!(url.as_str(), "http://h/p/a/share/shares/a/schemas/b/tables/c%20d/query");
        for bad in ["a.b", "a.b.c.d", "a..c", ""] {
            assert!(query_url("http://h/", bad).is_err(), "{bad}");
        }
        assert_eq!(query_url("http://h/", "a/b.c.d").expect("url").path(), "/shares/a%2Fb/schemas/c/tables/d/query");
    }

    #[test]
    fn a_refusal_keeps_the_providers_words() {
        let ended = refused(StatusCode::FORBIDDEN, br#"{"errorCode":"ACCESS_ENDED","message":"The transfer is suspended."}"#);
        assert_eq!(ended.problem.code, "FDC-3005");
        assert!(ended.problem.detail.contains("The transfer is suspended."));
        assert_eq!(refused(StatusCode::BAD_GATEWAY, b"<html>").problem.code, "FDC-2008");
    }
}
