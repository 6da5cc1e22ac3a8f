//! Hashes of RFC 6962, section 2.1: leaves and nodes are told apart by their first byte.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Bytes of a hash (SHA-256).
pub const HASH_BYTES: usize = 32;
/// Characters of a hash in base64, padding included.
const HASH_CHARS: usize = 44;

/// A hash of a leaf, a subtree or a tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; HASH_BYTES]);

impl Hash {
    /// From standard base64 with padding, and nothing else: no other text means the same hash.
    pub fn from_base64(text: &str) -> Option<Self> {
        if text.len() != HASH_CHARS {
            return None;
        }
        BASE64_STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// From a slice of exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// Standard base64, as in checkpoints and proofs.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// The hash of a log entry as a leaf.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
}

/// The hash of a node over its two children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    // In one piece: feeding the hasher three times costs a tenth more, and trees are made of these.
    let mut input = [1; 1 + 2 * HASH_BYTES];
    input[1..=HASH_BYTES].copy_from_slice(&left.0);
    input[1 + HASH_BYTES..].copy_from_slice(&right.0);
    Hash(Sha256::digest(input).into())
}

/// The root of the empty tree: the hash of nothing.
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The root of a perfect subtree over `hashes`, whose number is a power of two.
pub(crate) fn perfect_root(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two());
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        for pair in 0..row.len() / 2 {
            row[pair] = node_hash(&row[2 * pair], &row[2 * pair + 1]);
        }
        row.truncate(row.len() / 2);
    }
    row[0]
}

/// One subtree on the way down the right edge: its root joined with what is to its right, if anything.
pub(crate) fn join(left: Hash, right: Option<Hash>) -> Hash {
    right.map_or(left, |right| node_hash(&left, &right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_rfc() {
        // The vectors of the Certificate Transparency test suite.
        assert_eq!(hex::encode(empty_root().0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hex::encode(leaf_hash(b"").0), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(hex::encode(leaf_hash(b"L123456").0), "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
    }

    #[test]
    fn only_canonical_base64_is_a_hash() {
        let text = empty_root().to_string();
        assert_eq!(Hash::from_base64(&text), Some(empty_root()));
        for bad in [
            &text[1..],
            &text[..43],
            &format!("{text}="),
            &text.replace("FU=", "FV="),
            &text.replace('+', "-"),
            &format!(" {}", &text[1..]),
        ] {
            assert_ne!(bad, &text);
            assert_eq!(Hash::from_base64(bad), None, "{bad}");
        }
    }
}
