//! Transparency logs as C2SP specifies them: an append-only Merkle tree in tiles, checkpoints as signed notes,
//! cosignatures of witnesses, and proofs that are checked offline.
//!
//! Everything here is a function of its arguments: no I/O, no clock, no randomness. Storage and HTTP are elsewhere;
//! tiles come in through a callback.
//!
//! | module | specification |
//! | --- | --- |
//! | [`hash`], [`tree`], [`prove`], [`verify`] | RFC 6962, sections 2.1 to 2.1.2 |
//! | [`tile`], [`entries`], [`audit`] | c2sp.org/tlog-tiles |
//! | [`note`] | c2sp.org/signed-note |
//! | [`checkpoint`] | c2sp.org/tlog-checkpoint |
//! | [`cosignature`] | c2sp.org/tlog-cosignature, version 1 |
//! | [`witness`] | c2sp.org/tlog-witness |
//! | [`policy`] | c2sp.org/tlog-policy |
//! | [`proof`] | c2sp.org/tlog-proof |
//! | [`bundle`] | our own: a receipt with what opens its leaf, and the keys |

pub mod audit;
pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod entries;
pub mod hash;
pub mod note;
pub mod policy;
pub mod proof;
pub mod prove;
pub mod text;
pub mod tile;
pub mod tree;
pub mod verify;
pub mod witness;

pub use checkpoint::Checkpoint;
pub use hash::{Hash, leaf_hash, node_hash};
pub use note::Note;
pub use tile::TileAddress;
pub use tree::Edge;

/// Largest tree: sizes are 63-bit everywhere else too (Go's `int64`, a database's `BIGINT`), so nothing wraps.
pub const SIZE_MAX: u64 = i64::MAX.unsigned_abs();
