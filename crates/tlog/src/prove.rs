//! Proofs computed from tiles: that a leaf is in a tree, and that one tree continues another (RFC 6962, sections 2.1.1
//! and 2.1.2). Each tile is read at most once for a proof.

use crate::{
    SIZE_MAX,
    hash::{Hash, join, perfect_root},
    tile::{TILE_HEIGHT, TILE_WIDTH, TileAddress},
    tree::{ReadError, read_tile},
};
use std::collections::{BTreeMap, BTreeSet};

/// A perfect subtree: of `2^height` leaves, the `index`th of that height from the left.
#[derive(Clone, Copy)]
struct Node {
    height: u32,
    index: u64,
}

impl Node {
    /// Level, index and first place of the tile that holds its hash or the hashes it is made of.
    fn place(self) -> (u8, u64, u64) {
        let first = self.index << (self.height % TILE_HEIGHT);
        let level = u8::try_from(self.height / TILE_HEIGHT).unwrap_or(u8::MAX);
        (level, first / u64::from(TILE_WIDTH), first % u64::from(TILE_WIDTH))
    }
}

/// Leaves `start..end`, a subtree as the definition of the tree splits it.
type Range = (u64, u64);

/// The perfect subtrees of a range, from left to right.
fn nodes((mut start, end): Range) -> Vec<Node> {
    let mut nodes = Vec::new();
    while start < end {
        let height = (end - start).ilog2();
        nodes.push(Node { height, index: start >> height });
        start += 1 << height;
    }
    nodes
}

/// The largest power of two below `n`, which is at least 2.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The ranges whose roots prove that leaf `index` is in a tree of `size`, from the leaf up.
fn inclusion_ranges(index: u64, size: u64) -> Vec<Range> {
    let (mut start, mut end) = (0, size);
    let mut ranges = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The ranges whose roots prove that a tree of `new` leaves continues that of `old`, in the order of the proof.
fn consistency_ranges(old: u64, new: u64) -> Vec<Range> {
    let (mut start, mut end) = (0, new);
    let mut ranges = Vec::new();
    // Down to the subtree that ends where the old tree ended.
    while old < end {
        let middle = start + split(end - start);
        if old <= middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    // If that is the whole old tree, the verifier knows its root already.
    if start > 0 {
        ranges.push((start, end));
    }
    ranges.reverse();
    ranges
}

/// The tiles of a tree of `size` leaves that the roots of `ranges` are made of.
fn tiles_of(ranges: &[Range], size: u64) -> Vec<TileAddress> {
    let places: BTreeSet<_> = ranges.iter().flat_map(|r| nodes(*r)).map(|n| (n.place().0, n.place().1)).collect();
    places.into_iter().filter_map(|(level, index)| TileAddress::at(level, index, size)).collect()
}

/// Reads the roots of ranges, each tile once.
fn roots<B: AsRef<[u8]>, E>(
    ranges: &[Range],
    size: u64,
    read: &impl Fn(&TileAddress) -> Result<Option<B>, E>,
) -> Result<Vec<Hash>, ReadError<E>> {
    let mut tiles = BTreeMap::new();
    for address in tiles_of(ranges, size) {
        tiles.insert((address.level, address.index), read_tile(address, read)?);
    }
    ranges.iter().map(|range| root(*range, &tiles).ok_or(ReadError::Outside { size, asked: range.1 })).collect()
}

/// The root of one range out of tiles.
fn root(range: Range, tiles: &BTreeMap<(u8, u64), Vec<Hash>>) -> Option<Hash> {
    let mut right = None;
    for node in nodes(range).into_iter().rev() {
        let (level, index, first) = node.place();
        let first = usize::try_from(first).ok()?;
        let hashes = tiles.get(&(level, index))?.get(first..first + (1 << (node.height % TILE_HEIGHT)))?;
        right = Some(join(perfect_root(hashes), right));
    }
    right
}

/// The tiles from which [`inclusion`] computes its proof, for readers that must fetch them beforehand.
pub fn inclusion_tiles(index: u64, size: u64) -> Vec<TileAddress> {
    if index >= size || size > SIZE_MAX {
        return Vec::new();
    }
    tiles_of(&inclusion_ranges(index, size), size)
}

/// The tiles from which [`consistency`] computes its proof, for readers that must fetch them beforehand.
pub fn consistency_tiles(old: u64, new: u64) -> Vec<TileAddress> {
    if old == 0 || old > new || new > SIZE_MAX {
        return Vec::new();
    }
    tiles_of(&consistency_ranges(old, new), new)
}

/// Proves that leaf `index` is in the tree of `size` leaves: the siblings on its way to the root. `read` gets a tile, or
/// a wider one of the same place; a partial one that is gone is asked for again as a full one.
pub fn inclusion<B: AsRef<[u8]>, E>(
    index: u64,
    size: u64,
    read: impl Fn(&TileAddress) -> Result<Option<B>, E>,
) -> Result<Vec<Hash>, ReadError<E>> {
    if index >= size || size > SIZE_MAX {
        return Err(ReadError::Outside { size, asked: index });
    }
    roots(&inclusion_ranges(index, size), size, &read)
}

/// Proves that the tree of `new` leaves begins with the tree of `old` leaves. Empty for equal sizes and for the empty
/// tree, which every tree continues. `read` as for [`inclusion`].
pub fn consistency<B: AsRef<[u8]>, E>(
    old: u64,
    new: u64,
    read: impl Fn(&TileAddress) -> Result<Option<B>, E>,
) -> Result<Vec<Hash>, ReadError<E>> {
    if old > new || new > SIZE_MAX {
        return Err(ReadError::Outside { size: new, asked: old });
    }
    if old == 0 {
        return Ok(Vec::new());
    }
    roots(&consistency_ranges(old, new), new, &read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        tree::tests::{Tiles, leaves, naive_root},
        verify,
    };
    use proptest::prelude::*;
    use std::cell::RefCell;

    /// PATH of RFC 6962, section 2.1.1.
    fn naive_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() <= 1 {
            return Vec::new();
        }
        let k = leaves.len().next_power_of_two() / 2;
        let (mut path, sibling) =
            if m < k { (naive_path(m, &leaves[..k]), &leaves[k..]) } else { (naive_path(m - k, &leaves[k..]), &leaves[..k]) };
        path.push(naive_root(sibling));
        path
    }

    /// SUBPROOF of RFC 6962, section 2.1.2.
    fn naive_subproof(m: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
        if m == leaves.len() {
            return if known { Vec::new() } else { vec![naive_root(leaves)] };
        }
        let k = leaves.len().next_power_of_two() / 2;
        let (mut proof, other) = if m <= k {
            (naive_subproof(m, &leaves[..k], known), &leaves[k..])
        } else {
            (naive_subproof(m - k, &leaves[k..], false), &leaves[..k])
        };
        proof.push(naive_root(other));
        proof
    }

    #[test]
    fn proofs_are_those_of_the_definition_and_hold() {
        let (tiles, _) = Tiles::of(0);
        assert!(inclusion(0, 0, |a| tiles.read(a)).is_err());
        for size in (1..40).chain([256, 257, 600]) {
            let (tiles, edge) = Tiles::of(size);
            let all = leaves(size);
            let step = if size < 40 { 1 } else { 13 };
            for index in (0..size).step_by(step) {
                let at = usize::try_from(index).expect("small");
                let proof = inclusion(index, size, |a| tiles.read(a)).expect("there");
                assert_eq!(proof, naive_path(at, &all), "{index} of {size}");
                verify::inclusion(&all[at], index, size, &proof, &edge.root()).expect("holds");
                let old = index + 1;
                let proof = consistency(old, size, |a| tiles.read(a)).expect("there");
                assert_eq!(proof, naive_subproof(at + 1, &all, true), "{old} to {size}");
                verify::consistency(old, &naive_root(&all[..=at]), size, &edge.root(), &proof).expect("holds");
            }
            assert!(inclusion(size, size, |a| tiles.read(a)).is_err());
            assert!(consistency(size + 1, size, |a| tiles.read(a)).is_err());
            assert_eq!(consistency(0, size, |a| tiles.read(a)), Ok(vec![]));
        }
    }

    #[test]
    fn each_tile_is_read_once_and_is_announced() {
        let size = 70_000;
        let (tiles, _) = Tiles::of(size);
        for index in [0, 1, 255, 256, 65_535, 65_536, 69_000, size - 1] {
            let asked = RefCell::new(Vec::new());
            let read = |a: &TileAddress| {
                asked.borrow_mut().push(*a);
                tiles.read(a)
            };
            inclusion(index, size, read).expect("there");
            assert_eq!(asked.take(), inclusion_tiles(index, size));
            consistency(index + 1, size, read).expect("there");
            assert_eq!(asked.take(), consistency_tiles(index + 1, size));
        }
        assert_eq!(inclusion_tiles(5, 5), []);
        assert_eq!(consistency_tiles(0, 5), []);
    }

    #[test]
    fn missing_tiles_are_named() {
        let (mut tiles, _) = Tiles::of(1000);
        let gone = TileAddress { level: 0, index: 0, width: 256 };
        tiles.0.remove(&gone);
        assert_eq!(inclusion(3, 1000, |a| tiles.read(a)), Err(ReadError::Missing(gone)));
        assert!(inclusion(300, 1000, |a| tiles.read(a)).is_ok(), "needs only the tile's root, a level up");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn proofs_of_any_leaf_hold_at_any_size(size in 1u64..9_000, a: u64, b: u64) {
            let (tiles, edge) = Tiles::of(size);
            let all = leaves(size);
            let (index, old) = (a % size, 1 + b % size);
            let proof = inclusion(index, size, |t| tiles.read(t)).expect("there");
            let leaf = all[usize::try_from(index).expect("small")];
            prop_assert!(verify::inclusion(&leaf, index, size, &proof, &edge.root()).is_ok());
            let proof = consistency(old, size, |t| tiles.read(t)).expect("there");
            let mut before = crate::Edge::empty();
            before.append(&all[..usize::try_from(old).expect("small")]);
            prop_assert!(verify::consistency(old, &before.root(), size, &edge.root(), &proof).is_ok());
        }
    }
}
