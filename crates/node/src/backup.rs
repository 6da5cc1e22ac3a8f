//! Backups: a whole node as one file, and back.
//!
//! The file is a tar archive compressed with Zstandard, so `tar --zstd -xf` opens it. It holds, in this order:
//! ```text
//! backup.json              what this is, and since which form
//! node/fondaco.toml …      the configuration and the node's secrets
//! database/00000.jsonl …   every row, as `fondaco_store::backup` writes it, of one moment
//! data/…                   every data file that those rows name
//! manifest.json            the size and SHA-256 of each entry above
//! ```
//! After the compressed frame stands a skippable one with the SHA-256 of everything before it: a single changed bit is
//! found before anything is written. The file is as secret as the node's folder: it holds `node.key`.
//!
//! Making a backup changes nothing in the folder and works beside a running node. Data files never change once
//! published, so reading them after the rows is reading them at the same moment.

mod archive;
mod make;
mod restore;

pub(crate) use archive::Hashing;
pub use archive::{Entry, Head, Manifest};
pub use make::{Made, MakeOptions, make};
pub use restore::{RestoreOptions, Restored, restore, verify};

use fondaco_core::{Code, Error};

/// How far a backup or a restoration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being read or written.
    pub what: String,
    /// Bytes done.
    pub done_bytes: u64,
    /// Bytes in all; 0 while that is not known.
    pub total_bytes: u64,
}

/// Told from time to time.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress);

/// A backup that cannot be made or used.
fn unusable(message: impl Into<String>) -> Error {
    Error::new(Code::BackupUnusable, message)
}
