//! How large a document from outside may be.

/// Longest identifier (a pid, a dataset, offer or agreement id, a DID): room for any URN or URL in use, short enough
/// to index. The same number as in the core.
pub const ID_MAX_CHARS: usize = 512;
/// Longest URL: what browsers and proxies agree on.
pub const URL_MAX_CHARS: usize = 2_048;
/// Longest short text: a code, a name, a format, a title.
pub const NAME_MAX_CHARS: usize = 2_000;
/// Longest reason kept; the rest is cut, since reasons are for people.
pub const REASON_MAX_CHARS: usize = 2_000;
/// Most reasons in a termination or an error.
pub const REASONS_MAX: usize = 20;
/// Most properties of a data address.
pub const ENDPOINT_PROPERTIES_MAX: usize = 100;
/// Longest value of a data address property: tokens are JWTs, some with presentations inside.
pub const ENDPOINT_VALUE_MAX_CHARS: usize = 32_768;
/// Most keywords of a dataset.
pub const KEYWORDS_MAX: usize = 100;
/// Most languages of a dataset.
pub const LANGUAGES_MAX: usize = 50;
/// Longest description of a dataset.
pub const DESCRIPTION_MAX_CHARS: usize = 20_000;
/// Most protocol versions or filters in one document.
pub const LIST_MAX: usize = 100;
/// Most term definitions in one inline `@context`: the DSP context itself has about a hundred.
pub const CONTEXT_TERMS_MAX: usize = 500;
/// Most verification methods, and most services, of a DID document.
pub const DID_ENTRIES_MAX: usize = 50;
/// Most unreadable entries of a catalogue that are reported one by one.
pub const SKIPPED_MAX: usize = 50;

/// The outer bounds of a document, checked while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Size of the body in bytes; HTTP surfaces and clients stop reading there.
    pub bytes: usize,
    /// Deepest nesting: expanded JSON-LD needs about twice the depth of the compact form (12 for a nested constraint).
    pub depth: usize,
    /// Most JSON values, scalars included.
    pub nodes: usize,
    /// Longest text in bytes, names of members included.
    pub text: usize,
}

impl Limits {
    /// Negotiation and transfer messages, requests and errors.
    pub const MESSAGE: Self = Self { bytes: 1024 * 1024, depth: 32, nodes: 10_000, text: 65_536 };
    /// Catalogues and datasets: a thousand datasets with fifty columns each on one page, and no more memory for a
    /// hostile one than a few hundred megabytes for a moment.
    pub const CATALOG: Self = Self { bytes: 16 * 1024 * 1024, depth: 32, nodes: 500_000, text: 65_536 };
    /// DID documents.
    pub const DID: Self = Self { bytes: 64 * 1024, depth: 16, nodes: 5_000, text: 16_384 };
    /// `/.well-known/dspace-version`.
    pub const VERSION: Self = Self { bytes: 64 * 1024, depth: 16, nodes: 5_000, text: 16_384 };
}
