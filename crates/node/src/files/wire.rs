//! The list of a product's files as it goes over the wire.

use serde::{Deserialize, Serialize};

/// Files on one page of the list.
pub const PAGE_FILES: u32 = 1_000;
/// Largest page a reader takes: a thousand of the longest names, escaped in their addresses, and as much again.
pub const PAGE_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A page of the list of a product's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// The product's id.
    pub product: String,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// Its version.
    #[serde(default)]
    pub version: u32,
    /// Files of all pages.
    pub file_count: u64,
    /// Bytes of all files.
    pub size_bytes: u64,
    /// The files of this page, in the order of their names.
    pub files: Vec<ListedFile>,
    /// This page again, without a token and without counting as another read; until `expires`.
    #[serde(rename = "self")]
    pub this: String,
    /// The next page, in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// When `self` and `next` end (RFC 3339). The files' own addresses end sooner; `self` renews them.
    #[serde(default)]
    pub expires: String,
}

/// A file of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedFile {
    /// Its name in the product: relative, `/` between the parts.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// Media type.
    #[serde(default)]
    pub media_type: String,
    /// Where its bytes are; the address is the credential.
    pub url: String,
}
