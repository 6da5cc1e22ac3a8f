//! Verification of proofs, as RFC 9162 writes it down (sections 2.1.3.2 and 2.1.4.2); the trees are those of RFC 6962.

use crate::{
    SIZE_MAX,
    hash::{Hash, node_hash},
};
use thiserror::Error;

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ProofError {
    /// The tree has no such leaf, or the later tree is the smaller one, or it is larger than any tree.
    #[error("the sizes do not fit: {0} and {1}")]
    Sizes(u64, u64),
    /// More or fewer hashes than the sizes need.
    #[error("a proof of {0} hashes does not fit the sizes")]
    Length(usize),
    /// The hashes lead to another root.
    #[error("the hashes lead to another root")]
    Root,
    /// Every tree continues the empty one: such a proof would prove nothing.
    #[error("a proof from the empty tree proves nothing")]
    FromEmpty,
}

/// Checks that `leaf` is the hash of leaf `index` in the tree of `size` leaves with this root.
pub fn inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if index >= size || size > SIZE_MAX {
        return Err(ProofError::Sizes(index, size));
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length(proof.len()));
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            skip(&mut node, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length(proof.len()));
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the tree of `new` leaves with root `new_root` begins with the tree of `old` leaves with root `old_root`.
/// Equal sizes need equal roots and an empty proof.
pub fn consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> Result<(), ProofError> {
    if old > new || new > SIZE_MAX {
        return Err(ProofError::Sizes(old, new));
    }
    if old == new {
        if !proof.is_empty() {
            return Err(ProofError::Length(proof.len()));
        }
        return if old_root == new_root { Ok(()) } else { Err(ProofError::Root) };
    }
    if old == 0 {
        return Err(ProofError::FromEmpty);
    }
    let mut hashes = proof.iter();
    // A perfect old tree is a node of the new one: the proof begins with its root, which we have.
    let first = if old.is_power_of_two() { *old_root } else { *hashes.next().ok_or(ProofError::Length(0))? };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut before, mut after) = (first, first);
    for hash in hashes {
        if last == 0 {
            return Err(ProofError::Length(proof.len()));
        }
        if node & 1 == 1 || node == last {
            before = node_hash(hash, &before);
            after = node_hash(hash, &after);
            skip(&mut node, &mut last);
        } else {
            after = node_hash(&after, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length(proof.len()));
    }
    if before == *old_root && after == *new_root { Ok(()) } else { Err(ProofError::Root) }
}

/// At the right edge, levels at which the node has no sibling are passed over.
fn skip(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        *node >>= 1;
        *last >>= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hash::empty_root,
        tree::tests::{leaves, naive_root},
    };

    #[test]
    fn sizes_beyond_any_tree_are_refused() {
        let root = empty_root();
        for (index, size) in [(0, 0), (1, 1), (5, 3), (0, u64::MAX), (u64::MAX, u64::MAX)] {
            assert_eq!(inclusion(&root, index, size, &[], &root), Err(ProofError::Sizes(index, size)));
        }
        assert_eq!(consistency(2, &root, 1, &root, &[]), Err(ProofError::Sizes(2, 1)));
        assert_eq!(consistency(1, &root, u64::MAX, &root, &[]), Err(ProofError::Sizes(1, u64::MAX)));
        assert_eq!(inclusion(&root, 0, SIZE_MAX, &[root; 62], &root), Err(ProofError::Length(62)));
        assert_eq!(inclusion(&root, 0, SIZE_MAX, &[root; 63], &root), Err(ProofError::Root));
        assert_eq!(inclusion(&root, 0, SIZE_MAX, &[root; 64], &root), Err(ProofError::Length(64)));
    }

    #[test]
    fn every_tree_continues_the_empty_one() {
        let other = naive_root(&leaves(1));
        assert_eq!(consistency(0, &empty_root(), 0, &empty_root(), &[]), Ok(()));
        assert_eq!(consistency(0, &empty_root(), 0, &other, &[]), Err(ProofError::Root));
        assert_eq!(consistency(0, &empty_root(), 1, &other, &[]), Err(ProofError::FromEmpty));
    }
}
