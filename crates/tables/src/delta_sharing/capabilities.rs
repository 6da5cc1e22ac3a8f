//! The `delta-sharing-capabilities` and `fileidhash` headers (PROTOCOL.md, "Delta Sharing Capabilities
//! Header").

use super::SharingError;

/// Longest capability header looked at; the longest a known client sends is about 150 bytes.
pub const MAX_HEADER_BYTES: usize = 4096;

/// The form of the lines of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseFormat {
    /// The protocol's own actions.
    Parquet,
    /// Actions of the Delta transaction log in an envelope.
    Delta,
}

impl ResponseFormat {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Delta => "delta",
        }
    }
}

/// What a client says it can do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Formats it reads, in its order; empty when it says nothing (then: parquet).
    pub response_formats: Vec<ResponseFormat>,
    /// It named formats, but none that is known.
    pub unknown_formats_only: bool,
    /// Delta reader features it has, in lower case.
    pub reader_features: Vec<String>,
    /// It wants `endStreamAction` as the last line.
    pub include_end_stream_action: bool,
    /// It can poll for a query's answer.
    pub async_query: bool,
}

impl Capabilities {
    /// Reads the header; absent is the same as empty. Unknown keys and values are ignored.
    pub fn parse(header: Option<&str>) -> Result<Self, SharingError> {
        let mut found = Self::default();
        let Some(header) = header else { return Ok(found) };
        if header.len() > MAX_HEADER_BYTES {
            return Err(SharingError::InvalidParameter(format!("the capabilities header is longer than {MAX_HEADER_BYTES} bytes")));
        }
        let header = header.to_ascii_lowercase();
        for pair in header.split(';') {
            let Some((key, value)) = pair.split_once('=') else { continue };
            let values = value.split(',').map(str::trim).filter(|v| !v.is_empty());
            match key.trim() {
                "responseformat" => {
                    for value in values {
                        match value {
                            "parquet" => found.response_formats.push(ResponseFormat::Parquet),
                            "delta" => found.response_formats.push(ResponseFormat::Delta),
                            _ => found.unknown_formats_only = true,
                        }
                    }
                }
                "readerfeatures" => found.reader_features.extend(values.map(str::to_owned)),
                "includeendstreamaction" => found.include_end_stream_action = value.trim() == "true",
                "asyncquery" => found.async_query = value.trim() == "true",
                _ => (),
            }
        }
        found.unknown_formats_only &= found.response_formats.is_empty();
        Ok(found)
    }

    /// Whether it has this reader feature (lower case).
    pub fn has_reader_feature(&self, feature: &str) -> bool {
        self.reader_features.iter().any(|f| f == feature)
    }

    /// The value of the response header for a query that is answered later.
    pub const ASYNC_RESPONSE_HEADER: &str = "asyncquery=true";

    /// The value of the response header for an answer in `format`.
    pub fn response_header(&self, format: ResponseFormat) -> String {
        let mut value = format!("responseformat={}", format.as_str());
        if self.include_end_stream_action {
            value.push_str(";includeendstreamaction=true");
        }
        value
    }
}

/// The format to answer in: delta whenever the client reads it (the stock clients then fetch every file
/// once instead of ten times), else parquet. `needs_timestamp_ntz`: the table needs that reader feature
/// in delta format.
pub fn choose_format(capabilities: &Capabilities, needs_timestamp_ntz: bool) -> Result<ResponseFormat, SharingError> {
    if capabilities.unknown_formats_only {
        return Err(SharingError::Unsupported("none of the asked response formats is known; use parquet or delta".into()));
    }
    let asked = &capabilities.response_formats;
    let readable = !needs_timestamp_ntz || capabilities.has_reader_feature("timestampntz");
    if asked.contains(&ResponseFormat::Delta) && readable {
        return Ok(ResponseFormat::Delta);
    }
    if asked.is_empty() || asked.contains(&ResponseFormat::Parquet) {
        return Ok(ResponseFormat::Parquet);
    }
    Err(SharingError::Unsupported("the table has the reader feature timestampNtz, which the client lacks".into()))
}

/// Reads the `fileidhash` header; gives what to echo. Both schemes have the same ids here.
pub fn parse_file_id_hash(header: Option<&str>) -> Result<Option<&'static str>, SharingError> {
    match header.map(|h| h.trim().to_ascii_lowercase()).as_deref() {
        None => Ok(None),
        Some("parquet") => Ok(Some("parquet")),
        Some("delta") => Ok(Some("delta")),
        Some(_) => Err(SharingError::InvalidParameter("fileidhash must be parquet or delta".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_chosen_by_the_protocol() {
        use ResponseFormat::{Delta, Parquet};
        let cases = [
            (None, false, Ok(Parquet)),
            (Some(""), false, Ok(Parquet)),
            (Some("responseformat=parquet"), false, Ok(Parquet)),
            (Some("ResponseFormat=Delta"), false, Ok(Delta)),
            (Some("responseformat=delta,parquet;readerfeatures=deletionvectors"), false, Ok(Delta)),
            (Some("responseformat=delta,parquet"), true, Ok(Parquet)),
            (Some("responseformat=delta;readerfeatures=timestampNTZ"), true, Ok(Delta)),
            (Some("responseformat=delta"), true, Err(())),
            (Some("responseformat=avro"), false, Err(())),
            (Some("responseformat=avro,parquet"), false, Ok(Parquet)),
            (Some("nonsense;;=;x=y"), false, Ok(Parquet)),
        ];
        for (header, ntz, expected) in cases {
            let capabilities = Capabilities::parse(header).unwrap();
            assert_eq!(choose_format(&capabilities, ntz).map_err(|_| ()), expected, "{header:?}");
        }
    }

    #[test]
    fn response_header_says_what_the_answer_is() {
        let c = Capabilities::parse(Some("responseformat=delta;IncludeEndStreamAction=TRUE;asyncquery=true")).unwrap();
        assert!(c.async_query);
        assert_eq!(c.response_header(ResponseFormat::Delta), "responseformat=delta;includeendstreamaction=true");
        assert!(Capabilities::parse(Some(&"x".repeat(5000))).is_err());
    }

    #[test]
    fn file_id_hash_is_echoed_in_lower_case() {
        assert_eq!(parse_file_id_hash(Some("Parquet")), Ok(Some("parquet")));
        assert_eq!(parse_file_id_hash(None), Ok(None));
        assert!(parse_file_id_hash(Some("md5")).is_err());
    }
}
