//! The lines that answer metadata and query requests (PROTOCOL.md, "API Response Format in Parquet" and
//! "API Response Format in Delta").

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
    /// Files, columns and rows.
    pub table: &'a PublishedTable,
}

/// The address of a file in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedFile {
    /// Absolute URL.
    pub url: String,
    /// When it ends, milliseconds since 1970.
    pub expires_at_ms: i64,
}

/// A metadata or query answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryAnswer {
    /// Newline-delimited JSON.
    pub body: String,
    /// For the `Delta-Table-Version` header.
    pub version: i64,
    /// For the `delta-sharing-capabilities` header.
    pub capabilities: String,
    /// Files named in the answer.
    pub files: usize,
    /// Bytes of those files.
    pub bytes: u64,
    /// Rows of those files.
    pub rows: u64,
}

impl SharedTable<'_> {
    /// Answers a metadata request.
    pub fn metadata(&self, request: &MetadataRequest, capabilities: &Capabilities) -> Result<QueryAnswer, SharingError> {
        self.check_version(request.version)?;
        let format = choose_format(capabilities, self.table.schema.needs_timestamp_ntz())?;
        let mut lines = Lines::default();
        lines.push(&self.protocol(format));
        lines.push(&self.metadata_line(format));
        if capabilities.include_end_stream_action {
            lines.push(&json!({"endStreamAction": {}}));
        }
        Ok(self.answer(lines, capabilities, format))
    }

    /// Answers a query; `sign` gives the address of each file that is named.
    pub fn query(
        &self,
        request: &QueryRequest,
        capabilities: &Capabilities,
        sign: &mut dyn FnMut(&DataFile) -> SignedFile,
    ) -> Result<QueryAnswer, SharingError> {
        self.check_version(request.version)?;
        if let Some(token) = &request.refresh_token {
            self.check_token("r", token)?;
        }
        let format = choose_format(capabilities, self.table.schema.needs_timestamp_ntz())?;
        let first = match &request.page_token {
            Some(token) => self.check_token("p", token)?,
            None => 0,
        };
        let page = request.max_files.unwrap_or(MAX_FILES_PER_PAGE).min(MAX_FILES_PER_PAGE);
        // With a predicate the rows that count for the limit are not known.
        let limit = if request.predicate.is_empty() { request.limit_hint } else { None };

        let mut lines = Lines::default();
        lines.push(&self.protocol(format));
        lines.push(&self.metadata_line(format));
        let (mut named, mut bytes, mut rows) = (0, 0, 0);
        let (mut next, mut earliest) = (None, None::<i64>);
        let mut rows_before = 0_u64;
        for (i, file) in self.table.files.iter().enumerate() {
            if limit.is_some_and(|limit| rows_before >= limit) {
                break;
            }
            if !request.predicate.may_match(&self.table.schema, &file.stats) {
                continue;
            }
            rows_before += file.rows;
            if i < first {
                continue;
            }
            if named == page {
                next = Some(i);
                break;
            }
            let signed = sign(file);
            earliest = Some(earliest.map_or(signed.expires_at_ms, |e| e.min(signed.expires_at_ms)));
            lines.push(&self.file_line(format, file, &signed));
            (named, bytes, rows) = (named + 1, bytes + file.size_bytes, rows + file.rows);
        }
        let paged = request.max_files.is_some() || next.is_some();
        if capabilities.include_end_stream_action || request.include_refresh_token || paged {
            let mut end = Map::new();
            if request.include_refresh_token {
                end.insert("refreshToken".into(), self.token("r", 0).into());
            }
            if let Some(next) = next {
                end.insert("nextPageToken".into(), self.token("p", next).into());
            }
            if let Some(earliest) = earliest {
                end.insert("minUrlExpirationTimestamp".into(), earliest.into());
            }
            lines.push(&json!({"endStreamAction": end}));
        }
        Ok(QueryAnswer { files: named, bytes, rows, ..self.answer(lines, capabilities, format) })
    }

    /// The id of a file: the same in every answer, different for different bytes.
    pub fn file_id(file: &DataFile) -> &str {
        // 128 bits of the hash of the bytes.
        file.sha256.get(..32).unwrap_or(&file.sha256)
    }

    fn answer(&self, lines: Lines, capabilities: &Capabilities, format: ResponseFormat) -> QueryAnswer {
        QueryAnswer {
            body: lines.0,
            version: self.version,
            capabilities: capabilities.response_header(format),
            files: 0,
            bytes: 0,
            rows: 0,
        }
    }

    fn check_version(&self, asked: Option<i64>) -> Result<(), SharingError> {
        match asked {
            Some(v) if v != self.version => {
                Err(SharingError::Unsupported(format!("version {v} is not available; the table has version {} only", self.version)))
            }
            _ => Ok(()),
        }
    }

    fn token(&self, purpose: &str, position: usize) -> String {
        URL_SAFE_NO_PAD.encode(format!("1 {purpose} {} {} {position}", self.id, self.version))
    }

    /// The position in a token of ours for this table, version and purpose.
    fn check_token(&self, purpose: &str, token: &str) -> Result<usize, SharingError> {
        let invalid = || SharingError::InvalidParameter("the token is not one of this table; query without it".into());
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
        let text = String::from_utf8(bytes).map_err(|_| invalid())?;
        let position = text
            .strip_prefix(&format!("1 {purpose} {} {} ", self.id, self.version))
            .and_then(|p| p.parse().ok())
            .filter(|p| *p <= self.table.files.len());
        position.ok_or_else(invalid)
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

    fn metadata_line(&self, format: ResponseFormat) -> Value {
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
        inner.insert("schemaString".into(), self.table.schema.delta_schema_string().into());
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
        outer.insert("size".into(), self.table.size_bytes.into());
        outer.insert("numFiles".into(), self.table.files.len().into());
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

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn push(&mut self, line: &Value) {
        self.0.push_str(&line.to_string());
        self.0.push('\n');
    }
}
