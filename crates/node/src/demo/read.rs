//! Reading a shared table over HTTP as any client would, comparing every byte count and hash with what was published.

use crate::{
    app::consumer_access::AccessProfile,
    net::{OutRequest, Outbound},
};
use fondaco_core::{Code, Error, Result};
use fondaco_tables::{
    delta_sharing::{
        client::{self, MAX_ANSWER_BYTES, RemoteFile},
        headers,
    },
    publish::PublishedTable,
    serve::etag,
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use url::Url;

/// Both formats, and a last line that shows the answer to be whole.
const CAPABILITIES: &str = "responseformat=parquet,delta;readerfeatures=timestampntz;includeendstreamaction=true";

/// What came of a query.
#[derive(Debug)]
pub(super) enum Query {
    /// The files of the table.
    Files(Vec<RemoteFile>),
    /// No, with the provider's words.
    Refused(StatusCode, String),
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// Rows, as the provider's answer counts them and its publication confirms.
    pub(super) rows: u64,
    /// Bytes received.
    pub(super) bytes: u64,
}

/// The query address of a table named `share.schema.table`.
pub(super) fn query_url(endpoint: &str, table: &str) -> Result<Url> {
    let bad = || Error::internal_failure(format!("{endpoint} {table} is not a table's address"));
    let [share, schema, name] = table.split('.').collect::<Vec<_>>()[..] else { return Err(bad()) };
    let mut url = Url::parse(endpoint).map_err(|_| bad())?;
    url.path_segments_mut().map_err(|()| bad())?.pop_if_empty().extend(["shares", share, "schemas", schema, "tables", name, "query"]);
    Ok(url)
}

/// Asks for the files of a table: one read.
pub(super) async fn query(http: &Outbound, endpoint: &str, token: &str, table: &str) -> Result<Query> {
    let mut request = OutRequest::post_json(query_url(endpoint, table)?, "{}")
        .with_authorization(&format!("Bearer {token}"))?
        .with_header(HeaderName::from_static(headers::CAPABILITIES), HeaderValue::from_static(CAPABILITIES));
    request.limit = MAX_ANSWER_BYTES as u64;
    let answer = http.send(request).await?;
    if answer.status != StatusCode::OK {
        let words = client::parse_error(&answer.body).map(|e| e.message).unwrap_or_default();
        return Ok(Query::Refused(answer.status, words));
    }
    let parsed = client::parse_answer(&answer.body, true).map_err(|e| unusable(&e.to_string()))?;
    if parsed.next_page_token.is_some() {
        return Err(unusable("a sample table has more than one page of files"));
    }
    Ok(Query::Files(parsed.files))
}

/// Reads a whole table and compares it with what its provider published.
pub(super) async fn table(http: &Outbound, access: &AccessProfile, published: &PublishedTable) -> Result<Read> {
    let [table] = &access.tables[..] else { return Err(unusable("the share does not hold exactly one table")) };
    let files = match query(http, &access.profile.endpoint, &access.profile.bearer_token, table).await? {
        Query::Files(files) => files,
        Query::Refused(status, words) => return Err(Error::new(Code::PeerRefused, format!("The provider refuses ({status}): {words}"))),
    };
    if files.len() != published.files.len() {
        return Err(unusable(&format!("{} files are shared, {} were published", files.len(), published.files.len())));
    }
    let mut read = Read { rows: 0, bytes: 0 };
    for (remote, file) in files.iter().zip(&published.files) {
        let (bytes, sha256, tag) = download(http, remote).await?;
        if (bytes, bytes) != (remote.size, file.size_bytes) {
            return Err(unusable(&format!("{bytes} bytes came of a file of {} ({} announced)", file.size_bytes, remote.size)));
        }
        if sha256 != file.sha256 || tag.as_deref() != Some(&etag(&sha256)) {
            return Err(unusable(&format!("the hash of a file is {sha256}; {} was published and {tag:?} is its ETag", file.sha256)));
        }
        if remote.rows != Some(file.rows) {
            return Err(unusable(&format!("a file of {} rows is said to have {:?}", file.rows, remote.rows)));
        }
        read = Read { rows: read.rows + file.rows, bytes: read.bytes + bytes };
    }
    if read.rows != published.rows {
        return Err(unusable(&format!("{} rows came of {}", read.rows, published.rows)));
    }
    Ok(read)
}

/// Bytes, SHA-256 (hex) and ETag of a file.
async fn download(http: &Outbound, file: &RemoteFile) -> Result<(u64, String, Option<String>)> {
    let url = Url::parse(&file.url).map_err(|e| unusable(&e.to_string()))?;
    let mut request = OutRequest::get(url);
    request.limit = file.size;
    let mut stream = http.open(request).await?;
    if stream.status != StatusCode::OK {
        let status = stream.status;
        let mut words = Vec::new();
        while let Some(piece) = stream.chunk().await? {
            words.extend_from_slice(&piece);
        }
        let words = client::parse_error(&words).map(|e| e.message).unwrap_or_default();
        return Err(unusable(&format!("a file's address is answered with {status}. {words}")));
    }
    let tag = stream.headers.get(header::ETAG).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let (mut bytes, mut hash) = (0, Sha256::new());
    while let Some(piece) = stream.chunk().await? {
        bytes += piece.len() as u64;
        hash.update(&piece);
    }
    Ok((bytes, hex::encode(hash.finalize()), tag))
}

fn unusable(why: &str) -> Error {
    Error::new(Code::PeerAnsweredBadly, format!("The table cannot be read as published: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_one_address() {
        let url = query_url("http://127.0.0.1:1/p/a/share/", "a.default.b").expect("url");
        assert_eq!(url.path(), "/p/a/share/shares/a/schemas/default/tables/b/query");
        assert!(query_url("http://127.0.0.1:1/p/a/share", "a.b").is_err());
    }
}
