//! The lines that answer metadata and query requests (PROTOCOL.md, "API Response Format in Parquet" and
//! "API Response Format in Delta").

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::{Capabilities, MetadataRequest, QueryRequest, ResponseFormat, SharingError, choose_format, query::MAX_FILES_PER_PAGE};
use crate::publish::{DataFile, PublishedTable};

/// What the caller shares: one version of a product as a table.
#[derive(Debug, Clone, Copy)]
pub struct SharedTable<'a> {
    /// Stable UUID of the table: clients key caches by it.
    pub id: &'a str,
    /// Table name.
    pub name: &'a str,
    /// Shown to people.
    pub description: Option<&'a str>,
    /// The one version there is.
    pub version: i64,
    /// When it was published, milliseconds since 1970.
    pub created_at_ms: i64,
    /// Columns and rows. Its list of files is not looked at.
    pub table: &'a PublishedTable,
    /// How many files it has; `None` where neither that nor their size is told, because it would tell of what is hidden.
    pub files: Option<u64>,
    /// Key of page and refresh tokens. A query with one of them is the continuation of an earlier query, which a caller
    /// that counts queries need not count again, so nobody but us may make them; and nobody but us reads them, because
    /// places among the files would tell how many are not named.
    pub token_key: &'a [u8],
    /// The present, milliseconds since 1970.
    pub now_ms: i64,
}

/// How long a query can be continued, in milliseconds: a day, and no continuation prolongs it.
pub const CONTINUATION_MS: i64 = 24 * 3_600 * 1_000;

/// Numbers sealed in a token.
const TOKEN_NUMBERS: usize = 3;

/// The address of a file in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedFile {
    /// Absolute URL.
    pub url: String,
    /// When it ends, milliseconds since 1970.
    pub expires_at_ms: i64,
}

/// What goes with an answer, as headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerHead {
    /// For the `Delta-Table-Version` header.
    pub version: i64,
    /// For the `delta-sharing-capabilities` header.
    pub capabilities: String,
}

/// A query being answered: the caller hands in the table's files in order, from [`Query::first`] on and a few at a
/// time, and sends the lines it gets. However many files the table has, no more than those are in memory.
#[derive(Debug)]
pub struct Query<'a> {
    table: &'a SharedTable<'a>,
    request: &'a QueryRequest,
    format: ResponseFormat,
    head: AnswerHead,
    id: String,
    with_end: bool,
    /// The position of the next file.
    position: u64,
    page: u64,
    limit: Option<u64>,
    until_ms: i64,
    named: u64,
    /// Rows of the files named in this answer and the pages before it.
    rows: u64,
    next: Option<u64>,
    earliest: Option<i64>,
    done: bool,
}

/// What a continuation token of ours tells.
#[derive(Debug)]
struct Continued {
    /// The position of the next file.
    position: u64,
    /// Rows of the files named before it.
    rows: u64,
    until_ms: i64,
    /// The query that is continued.
    query_id: String,
}

impl SharedTable<'_> {
    /// Answers a metadata request: the lines and what goes with them.
    pub fn metadata(&self, request: &MetadataRequest, capabilities: &Capabilities) -> Result<(AnswerHead, String), SharingError> {
        self.check_version(request.version)?;
        let format = choose_format(capabilities, self.table.schema.needs_timestamp_ntz())?;
        let mut lines = self.first_lines(format, capabilities);
        if capabilities.include_end_stream_action {
            push(&mut lines, &json!({"endStreamAction": {}}));
        }
        Ok((self.head(format, capabilities), lines))
    }

    /// Begins to answer a query: the answer and its first lines. A page or a renewal belongs to the query that it continues;
    /// any other is a new one, and gets this id.
    pub fn query<'a>(
        &'a self,
        request: &'a QueryRequest,
        capabilities: &Capabilities,
        new_id: String,
    ) -> Result<(Query<'a>, String), SharingError> {
        self.check_version(request.version)?;
        // A continuation ends when the query it continues does.
        let (mut until_ms, mut id) = (self.now_ms.saturating_add(CONTINUATION_MS), new_id);
        if let Some(token) = &request.refresh_token {
            let continued = self.check_token("r", token)?;
            (until_ms, id) = (until_ms.min(continued.until_ms), continued.query_id);
        }
        let format = choose_format(capabilities, self.table.schema.needs_timestamp_ntz())?;
        let (mut position, mut rows) = (0, 0);
        if let Some(token) = &request.page_token {
            let continued = self.check_token("p", token)?;
            (position, rows) = (continued.position, continued.rows);
            (until_ms, id) = (until_ms.min(continued.until_ms), continued.query_id);
        }
        let query = Query {
            table: self,
            request,
            format,
            head: self.head(format, capabilities),
            id,
            with_end: capabilities.include_end_stream_action || request.include_refresh_token || request.max_files.is_some(),
            position,
            // Who asks for no pages gets the whole listing: the stock clients do not look for a second page.
            page: request.max_files.map_or(u64::MAX, |max| max.min(MAX_FILES_PER_PAGE) as u64),
            // With a predicate the rows that count for the limit are not known.
            limit: if request.predicate.is_empty() { request.limit_hint } else { None },
            until_ms,
            named: 0,
            rows,
            next: None,
            earliest: None,
            done: false,
        };
        Ok((query, self.first_lines(format, capabilities)))
    }

    fn head(&self, format: ResponseFormat, capabilities: &Capabilities) -> AnswerHead {
        AnswerHead { version: self.version, capabilities: capabilities.response_header(format) }
    }

    fn first_lines(&self, format: ResponseFormat, capabilities: &Capabilities) -> String {
        let mut lines = String::new();
        push(&mut lines, &self.protocol(format));
        push(&mut lines, &self.metadata_line(format, capabilities));
        lines
    }

    /// The id of a file: the same in every answer, different for different bytes.
    pub fn file_id(file: &DataFile) -> &str {
        // 128 bits of the hash of the bytes.
        file.sha256.get(..32).unwrap_or(&file.sha256)
    }

    fn check_version(&self, asked: Option<i64>) -> Result<(), SharingError> {
        match asked {
            Some(v) if v != self.version => {
                Err(SharingError::Unsupported(format!("version {v} is not available; the table has version {} only", self.version)))
            }
            _ => Ok(()),
        }
    }

    /// A continuation token: the version, so that it is found which one is continued, and the rest sealed.
    fn token(&self, purpose: &str, continued: &Continued) -> Result<String, SharingError> {
        let about = self.token_about(purpose);
        let mut text = Vec::new();
        for number in [continued.position.to_be_bytes(), continued.rows.to_be_bytes(), continued.until_ms.to_be_bytes()] {
            text.extend_from_slice(&number);
        }
        text.extend_from_slice(continued.query_id.as_bytes());
        // The nonce is made of what is sealed, so that it repeats for nothing but the same token.
        let nonce: [u8; NONCE_LEN] = self.token_hash(&[about.as_bytes(), &text].concat());
        let failed = |_| SharingError::InvalidParameter("the answer cannot be continued".into());
        let key = self.token_aead()?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(about.as_bytes()), &mut text).map_err(failed)?;
        Ok(format!("{}.{}", self.version, URL_SAFE_NO_PAD.encode([&nonce[..], &text].concat())))
    }

    fn token_about(&self, purpose: &str) -> String {
        format!("5 {purpose} {} {}", self.id, self.version)
    }

    /// The first bytes of a keyed hash.
    fn token_hash<const N: usize>(&self, of: &[u8]) -> [u8; N] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.token_key), of);
        let mut hash = [0; N];
        hash.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }

    fn token_aead(&self) -> Result<LessSafeKey, SharingError> {
        let key: [u8; 32] = self.token_hash(b"the key that seals tokens");
        let key =
            UnboundKey::new(&AES_256_GCM, &key).map_err(|_| SharingError::InvalidParameter("the answer cannot be continued".into()))?;
        Ok(LessSafeKey::new(key))
    }

    /// What is in a token of ours for this table, version and purpose.
    fn check_token(&self, purpose: &str, token: &str) -> Result<Continued, SharingError> {
        let invalid = || SharingError::InvalidParameter("the token is not one of this table, or has ended; query without it".into());
        let own = |version: &str| version == self.version.to_string();
        let sealed = token.split_once('.').filter(|(version, _)| own(version));
        let sealed = sealed.and_then(|(_, sealed)| URL_SAFE_NO_PAD.decode(sealed).ok()).ok_or_else(invalid)?;
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(invalid)?;
        let (nonce, about, mut text) = (Nonce::assume_unique_for_key(*nonce), self.token_about(purpose), text.to_vec());
        let opened = self.token_aead()?.open_in_place(nonce, Aad::from(about.as_bytes()), &mut text).map_err(|_| invalid())?;
        let (numbers, query_id) = opened.split_first_chunk::<{ 8 * TOKEN_NUMBERS }>().ok_or_else(invalid)?;
        let (numbers, []) = numbers.as_chunks::<8>() else { return Err(invalid()) };
        let [position, rows, until_ms] = numbers else { return Err(invalid()) };
        let until_ms = Some(i64::from_be_bytes(*until_ms)).filter(|until| self.now_ms < *until).ok_or_else(invalid)?;
        let query_id = String::from_utf8(query_id.to_vec()).map_err(|_| invalid())?;
        Ok(Continued { position: u64::from_be_bytes(*position), rows: u64::from_be_bytes(*rows), until_ms, query_id })
    }

    fn protocol(&self, format: ResponseFormat) -> Value {
        match format {
            ResponseFormat::Parquet => json!({"protocol": {"minReaderVersion": 1}}),
            ResponseFormat::Delta if self.table.schema.needs_timestamp_ntz() => json!({"protocol": {"deltaProtocol": {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": ["timestampNtz"],
                "writerFeatures": ["timestampNtz"],
            }}}),
            ResponseFormat::Delta => {
                json!({"protocol": {"deltaProtocol": {"minReaderVersion": 1, "minWriterVersion": 2}}})
            }
        }
    }

    fn metadata_line(&self, format: ResponseFormat, capabilities: &Capabilities) -> Value {
        let mut inner = Map::new();
        inner.insert("id".into(), self.id.into());
        inner.insert("name".into(), self.name.into());
        if let Some(description) = self.description {
            inner.insert("description".into(), description.into());
        }
        inner.insert(
            "format".into(),
            match format {
                ResponseFormat::Parquet => json!({"provider": "parquet"}),
                ResponseFormat::Delta => json!({"provider": "parquet", "options": {}}),
            },
        );
        let schema = &self.table.schema;
        let schema_string = if capabilities.has_reader_feature("timestampntz") {
            schema.delta_schema_string()
        } else {
            schema.delta_schema_string_without_ntz()
        };
        inner.insert("schemaString".into(), schema_string.into());
        inner.insert("partitionColumns".into(), json!([]));
        inner.insert("configuration".into(), json!({}));
        let mut outer = match format {
            ResponseFormat::Parquet => inner,
            ResponseFormat::Delta => {
                inner.insert("createdTime".into(), self.created_at_ms.into());
                Map::from_iter([("deltaMetadata".to_owned(), Value::Object(inner))])
            }
        };
        outer.insert("version".into(), self.version.into());
        if let Some(files) = self.files {
            outer.insert("size".into(), self.table.size_bytes.into());
            outer.insert("numFiles".into(), files.into());
        }
        json!({"metaData": outer})
    }

    fn file_line(&self, format: ResponseFormat, file: &DataFile, signed: &SignedFile) -> Value {
        let stats = serde_json::to_string(&file.stats).expect("maps with text keys serialise");
        let id = Self::file_id(file);
        match format {
            ResponseFormat::Parquet => json!({"file": {
                "url": signed.url,
                "id": id,
                "partitionValues": {},
                "size": file.size_bytes,
                "stats": stats,
                "version": self.version,
                "timestamp": self.created_at_ms,
                "expirationTimestamp": signed.expires_at_ms,
            }}),
            ResponseFormat::Delta => json!({"file": {
                "id": id,
                "version": self.version,
                "timestamp": self.created_at_ms,
                "expirationTimestamp": signed.expires_at_ms,
                "deltaSingleAction": {"add": {
                    "path": signed.url,
                    "partitionValues": {},
                    "size": file.size_bytes,
                    "modificationTime": self.created_at_ms,
                    "dataChange": true,
                    "stats": stats,
                }},
            }}),
        }
    }
}

impl Query<'_> {
    /// What goes with the answer.
    pub const fn head(&self) -> &AnswerHead {
        &self.head
    }

    /// The position of the file to hand in next; `None` when the answer needs no more.
    pub const fn next(&self) -> Option<u64> {
        if self.done { None } else { Some(self.position) }
    }

    /// Takes the file at [`Query::next`]: its line, unless the answer does not name it. `sign` gives its address.
    pub fn push(&mut self, file: &DataFile, sign: &mut dyn FnMut(&DataFile) -> SignedFile) -> Option<String> {
        if self.done {
            return None;
        }
        if self.limit.is_some_and(|limit| self.rows >= limit) {
            self.done = true;
            return None;
        }
        let position = self.position;
        // The stock clients fail on a file without rows in delta format, and need none.
        if file.rows == 0 || !self.request.predicate.may_match(&self.table.table.schema, &file.stats) {
            self.position += 1;
            return None;
        }
        if self.named == self.page {
            (self.next, self.done) = (Some(position), true);
            return None;
        }
        self.position += 1;
        self.named += 1;
        self.rows += file.rows;
        let signed = sign(file);
        self.earliest = Some(self.earliest.map_or(signed.expires_at_ms, |e| e.min(signed.expires_at_ms)));
        let mut line = String::new();
        push(&mut line, &self.table.file_line(self.format, file, &signed));
        Some(line)
    }

    /// The query that this is, or a part or a renewal of: files are weighed once for each.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The last line, if there is one.
    pub fn end(&self) -> String {
        let mut line = String::new();
        if self.with_end {
            let mut end = Map::new();
            let at = |position, rows| Continued { position, rows, until_ms: self.until_ms, query_id: self.id.clone() };
            let refresh = self.request.include_refresh_token.then(|| self.table.token("r", &at(0, 0))).transpose();
            let next = self.next.map(|next| self.table.token("p", &at(next, self.rows))).transpose();
            let (Ok(refresh), Ok(next)) = (refresh, next) else { return failed_end("The answer cannot be continued. Query again.") };
            if let Some(token) = refresh {
                end.insert("refreshToken".into(), token.into());
            }
            if let Some(token) = next {
                end.insert("nextPageToken".into(), token.into());
            }
            if let Some(earliest) = self.earliest {
                end.insert("minUrlExpirationTimestamp".into(), earliest.into());
            }
            push(&mut line, &json!({"endStreamAction": end}));
        }
        line
    }
}

/// The version that a page or refresh token says it is for. Whether it is one of ours is seen when it is used.
pub fn version_of_token(token: &str) -> Option<i64> {
    token.split_once('.')?.0.parse().ok()
}

/// The one line that answers for a query whose answer is not made yet (PROTOCOL.md, "Get Query Info"), or with `failed` cannot
/// be made.
pub fn query_status(query_id: &str, failed: Option<&str>) -> String {
    let mut status = json!({"queryId": query_id, "status": if failed.is_some() { "failed" } else { "pending" }});
    if let Some(message) = failed {
        status["errorMessage"] = message.into();
    }
    let mut line = String::new();
    push(&mut line, &json!({"queryStatus": status}));
    line
}

/// The last line of an answer that cannot be finished: clients must fail on it.
pub fn failed_end(message: &str) -> String {
    let mut line = String::new();
    push(&mut line, &json!({"endStreamAction": {"errorMessage": message}}));
    line
}

fn push(lines: &mut String, line: &Value) {
    lines.push_str(&line.to_string());
    lines.push('\n');
}

#[cfg(test)]
mod tests {
    use super::{super::client::parse_answer, *};

    const ID: &str = "0b6b5bd4-2f5e-4c9c-9a53-0c9e6a1f2a11";

    fn product(kind: &str) -> PublishedTable {
        let file = |n: usize| {
            json!({"name": format!("part-{n:05}.parquet"), "sizeBytes": 100 + n, "sha256": format!("{n:064x}"), "rows": 10,
                   "stats": {"numRecords": 10, "minValues": {"n": n * 10}, "maxValues": {"n": n * 10 + 9}, "nullCount": {"n": 0}}})
        };
        serde_json::from_value(json!({
            "files": [file(0), file(1), file(2)],
            "schema": {"columns": [
                {"name": "n", "type": "long", "nullable": true, "description": "", "sourceType": ""},
                {"name": "x", "type": kind, "nullable": true, "description": "", "sourceType": ""}]},
            "rows": 30, "sizeBytes": 303, "profile": [],
        }))
        .unwrap()
    }

    fn shared(table: &PublishedTable) -> SharedTable<'_> {
        SharedTable {
            id: ID,
            name: "flights",
            description: None,
            version: 0,
            created_at_ms: 1_700_000_000_000,
            table,
            files: Some(table.files.len() as u64),
            token_key: b"key",
            now_ms: 1_700_000_000_000,
        }
    }

    /// A whole answer.
    struct Answer {
        head: AnswerHead,
        body: String,
        files: u64,
        id: String,
    }

    fn answered(shared: &SharedTable<'_>, request: &QueryRequest, capabilities: &Capabilities) -> Result<Answer, SharingError> {
        let mut sign = |f: &DataFile| SignedFile { url: format!("https://h/{}?sp=r", f.name), expires_at_ms: 1_700_000_360_000 };
        let (mut query, mut body) =
            shared.query(request, capabilities, format!("q{}", request.page_token.is_some() || request.refresh_token.is_some()))?;
        while let Some(file) = query.next().and_then(|n| shared.table.files.get(usize::try_from(n).unwrap())) {
            body.extend(query.push(file, &mut sign));
        }
        body.push_str(&query.end());
        Ok(Answer { head: query.head().clone(), body, files: query.named, id: query.id().to_owned() })
    }

    fn ask(table: &PublishedTable, body: &str, capabilities: &str) -> Result<Answer, SharingError> {
        answered(&shared(table), &QueryRequest::parse(body.as_bytes())?, &Capabilities::parse(Some(capabilities))?)
    }

    fn lines(answer: &Answer) -> Vec<&str> {
        answer.body.lines().collect()
    }

    #[test]
    fn lines_in_parquet_format() {
        let table = product("double");
        let answer = ask(&table, r#"{"limitHint":5}"#, "").unwrap();
        assert_eq!(
            lines(&answer),
            [
                r#"{"protocol":{"minReaderVersion":1}}"#,
                r#"{"metaData":{"id":"0b6b5bd4-2f5e-4c9c-9a53-0c9e6a1f2a11","name":"flights","format":{"provider":"parquet"},"schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"n\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}},{\"name\":\"x\",\"type\":\"double\",\"nullable\":true,\"metadata\":{}}]}","partitionColumns":[],"configuration":{},"version":0,"size":303,"numFiles":3}}"#,
                r#"{"file":{"url":"https://h/part-00000.parquet?sp=r","id":"00000000000000000000000000000000","partitionValues":{},"size":100,"stats":"{\"numRecords\":10,\"minValues\":{\"n\":0},\"maxValues\":{\"n\":9},\"nullCount\":{\"n\":0}}","version":0,"timestamp":1700000000000,"expirationTimestamp":1700000360000}}"#,
            ]
        );
        assert_eq!(answer.files, 1);
        assert_eq!(answer.head.capabilities, "responseformat=parquet");
    }

    #[test]
    fn lines_in_delta_format() {
        let table = product("timestamp_ntz");
        let capabilities = "responseformat=delta;readerfeatures=timestampntz;includeendstreamaction=true";
        let answer = ask(&table, r#"{"limitHint":5,"includeRefreshToken":true}"#, capabilities).unwrap();
        let lines = lines(&answer);
        assert_eq!(
            lines[0],
            r#"{"protocol":{"deltaProtocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["timestampNtz"],"writerFeatures":["timestampNtz"]}}}"#
        );
        assert!(lines[1].starts_with(r#"{"metaData":{"deltaMetadata":{"id":"0b6b5bd4-2f5e-4c9c-9a53-0c9e6a1f2a11","name":"flights","format":{"provider":"parquet","options":{}},"schemaString":""#), "{}", lines[1]);
        assert!(
            lines[1].ends_with(
                r#""partitionColumns":[],"configuration":{},"createdTime":1700000000000},"version":0,"size":303,"numFiles":3}}"#
            ),
            "{}",
            lines[1]
        );
        assert_eq!(
            lines[2],
            r#"{"file":{"id":"00000000000000000000000000000000","version":0,"timestamp":1700000000000,"expirationTimestamp":1700000360000,"deltaSingleAction":{"add":{"path":"https://h/part-00000.parquet?sp=r","partitionValues":{},"size":100,"modificationTime":1700000000000,"dataChange":true,"stats":"{\"numRecords\":10,\"minValues\":{\"n\":0},\"maxValues\":{\"n\":9},\"nullCount\":{\"n\":0}}"}}}}"#
        );
        let end: Value = serde_json::from_str(lines[3]).unwrap();
        assert_eq!(end["endStreamAction"]["minUrlExpirationTimestamp"], 1_700_000_360_000_i64);
        let token = end["endStreamAction"]["refreshToken"].as_str().unwrap();
        // The refresh gives the same files.
        let again = ask(&table, &format!(r#"{{"limitHint":5,"refreshToken":"{token}"}}"#), capabilities).unwrap();
        assert_eq!(again.body.lines().nth(2), Some(lines[2]));
        assert_eq!((answer.id.as_str(), again.id.as_str()), ("qfalse", "qfalse"), "and belongs to the query that it renews");
        for forged in ["AAAA", "0.AAAA", &token[1..], &format!("{token}A"), &token.replacen("0.", "1.", 1)] {
            assert!(ask(&table, &json!({"refreshToken": forged}).to_string(), "").is_err(), "{forged}");
        }
        // No continuation prolongs another: the token it gives ends when the first one does.
        let request =
            |token: &str| QueryRequest::parse(json!({"refreshToken": token, "includeRefreshToken": true}).to_string().as_bytes()).unwrap();
        let at = |now_ms: i64, token: &str| answered(&SharedTable { now_ms, ..shared(&table) }, &request(token), &Capabilities::default());
        let later = at(1_700_000_000_000 + CONTINUATION_MS - 1, token).unwrap();
        let line: Value = serde_json::from_str(later.body.lines().last().unwrap()).unwrap();
        let renewed = line["endStreamAction"]["refreshToken"].as_str().unwrap();
        assert!(at(1_700_000_000_000 + CONTINUATION_MS, renewed).is_err());
        assert!(ask(&table, "", "responseformat=delta").is_err());
    }

    #[test]
    fn pages_hints_and_limits_choose_files() {
        let table = product("double");
        let files = |body: &str| -> Vec<String> {
            let answer = ask(&table, body, "").unwrap();
            parse_answer(answer.body.as_bytes(), false).unwrap().files.into_iter().map(|f| f.url).collect()
        };
        assert_eq!(files("").len(), 3);
        assert_eq!(files(r#"{"limitHint":11}"#).len(), 2);
        assert_eq!(files(r#"{"limitHint":0}"#).len(), 0);
        // The limit goes on counting over pages.
        let first = ask(&table, r#"{"limitHint":15,"maxFiles":1}"#, "").unwrap();
        let token = parse_answer(first.body.as_bytes(), true).unwrap().next_page_token.unwrap();
        assert_eq!(files(&json!({"limitHint": 15, "maxFiles": 5, "pageToken": token}).to_string()).len(), 1);
        assert_eq!(files(r#"{"predicateHints":["n >= 20"]}"#), ["https://h/part-00002.parquet?sp=r"]);
        // The limit counts rows after filtering, so that it cannot cut here.
        assert_eq!(files(r#"{"predicateHints":["n >= 10"],"limitHint":1}"#).len(), 2);
        // Pages.
        for capabilities in ["", "responseformat=delta"] {
            let (mut token, mut seen) = (None::<String>, Vec::new());
            loop {
                let body = json!({"maxFiles": 2, "pageToken": token}).to_string();
                let answer = ask(&table, &body, capabilities).unwrap();
                let parsed = parse_answer(answer.body.as_bytes(), true).unwrap();
                assert_eq!(answer.id, "qfalse");
                seen.extend(parsed.files.into_iter().map(|f| f.size));
                token = parsed.next_page_token;
                if token.is_none() {
                    break;
                }
            }
            assert_eq!(seen, [100, 101, 102]);
        }
        assert!(ask(&table, r#"{"pageToken":"x"}"#, "").is_err());
        assert!(ask(&table, r#"{"version":1}"#, "").is_err());
        assert!(ask(&table, r#"{"version":0}"#, "").is_ok());
    }

    #[test]
    fn a_client_without_ntz_is_told_of_points_in_time() {
        let table = product("timestamp_ntz");
        let kind = |capabilities: &str| {
            let answer = ask(&table, "", capabilities).unwrap();
            parse_answer(answer.body.as_bytes(), false).unwrap().schema["fields"][1]["type"].clone()
        };
        assert_eq!(kind(""), "timestamp");
        assert_eq!(kind("responseformat=parquet;readerfeatures=timestampntz"), "timestamp_ntz");
    }

    #[test]
    fn files_without_rows_are_not_named() {
        let mut table = product("double");
        table.files[1].rows = 0;
        assert_eq!(ask(&table, "", "").unwrap().files, 2);
    }

    #[test]
    fn metadata_has_two_lines() {
        let table = product("double");
        let capabilities = Capabilities::parse(Some("responseformat=delta,parquet")).unwrap();
        let (head, body) = shared(&table).metadata(&MetadataRequest::default(), &capabilities).unwrap();
        assert_eq!(body.lines().count(), 2);
        assert_eq!((head.version, head.capabilities.as_str()), (0, "responseformat=delta"));
        assert_eq!(parse_answer(body.as_bytes(), false).unwrap().table_id, ID);
        assert!(shared(&table).metadata(&MetadataRequest { version: Some(3), timestamp_ms: None }, &capabilities).is_err());
    }
}
