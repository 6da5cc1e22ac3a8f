//! The Delta Sharing protocol as text: what a server reads and answers, and what a client reads.
//!
//! Follows `PROTOCOL.md` of delta-io/delta-sharing. Nothing here knows HTTP: the caller takes names
//! from paths, sets status codes and headers ([`headers`]), and authenticates.

pub mod capabilities;
pub mod client;
mod error;
pub mod listing;
pub mod prune;
pub mod query;
pub mod table;
pub mod url;

pub use capabilities::{Capabilities, ResponseFormat, choose_format, parse_file_id_hash};
pub use error::{ErrorBody, SharingError};
pub use listing::{ListedTable, Page, Paging};
pub use query::{MetadataRequest, QueryRequest};
pub use table::{AnswerHead, Query, SharedTable, SignedFile};
pub use url::{FileGrant, FileUrl, UrlError, sign_file_url, verify_file_url};

/// Header names and content types of the protocol.
pub mod headers {
    /// Request and response: what the client can do, what the answer is.
    pub const CAPABILITIES: &str = "delta-sharing-capabilities";
    /// Response to version, metadata and query: the table's version.
    pub const TABLE_VERSION: &str = "Delta-Table-Version";
    /// Request and response: the scheme of file ids.
    pub const FILE_ID_HASH: &str = "fileidhash";
    /// Content type of metadata and query answers.
    pub const NDJSON: &str = "application/x-ndjson; charset=utf-8";
    /// Content type of all other answers.
    pub const JSON: &str = "application/json; charset=utf-8";
}
