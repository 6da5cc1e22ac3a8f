//! A growing tree: what must be remembered to append to it is its right edge, the hashes of its partial tiles.

use crate::{
    SIZE_MAX,
    hash::{Hash, empty_root, join, perfect_root},
    tile::{self, TILE_WIDTH, TileAddress, hashes_at},
};
use thiserror::Error;

/// A tile's new content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Which.
    pub address: TileAddress,
    /// Its hashes, one after the other.
    pub bytes: Vec<u8>,
}

/// Why hashes could not be read from tiles.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ReadError<E> {
    /// The reader failed.
    #[error("a tile could not be read: {0}")]
    Reader(E),
    /// A tile that a tree of this size has is not there.
    #[error("{0} is missing")]
    Missing(TileAddress),
    /// A tile is shorter than its width, longer than a full one, or ends within a hash.
    #[error("{0} is not whole hashes of its width")]
    Malformed(TileAddress),
    /// The tree does not have what is asked for.
    #[error("a tree of {size} leaves has no {asked}")]
    Outside {
        /// Leaves of the tree.
        size: u64,
        /// The leaf or the size that was asked for.
        asked: u64,
    },
}

/// Reads one tile with `read`, and if it is partial and gone, the full one.
pub(crate) fn read_tile<B: AsRef<[u8]>, E>(
    address: TileAddress,
    read: &impl Fn(&TileAddress) -> Result<Option<B>, E>,
) -> Result<Vec<Hash>, ReadError<E>> {
    let mut found = read(&address).map_err(ReadError::Reader)?;
    if found.is_none() && !address.is_full() {
        found = read(&address.full()).map_err(ReadError::Reader)?;
    }
    let bytes = found.ok_or(ReadError::Missing(address))?;
    tile::hashes(bytes.as_ref(), address.width).ok_or(ReadError::Malformed(address))
}

/// The right edge of a tree: its size and the hashes of its partial tiles. Enough to append, and to know the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// For each level, the hashes of its partial tile: 0 to 255.
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of the empty tree.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Reads the edge of a tree of `size` leaves from its partial tiles. Whether they belong to the checkpoint is seen
    /// by comparing [`Edge::root`] with it.
    pub fn load<B: AsRef<[u8]>, E>(size: u64, read: impl Fn(&TileAddress) -> Result<Option<B>, E>) -> Result<Self, ReadError<E>> {
        if size > SIZE_MAX {
            return Err(ReadError::Outside { size: SIZE_MAX, asked: size });
        }
        let mut levels = vec![Vec::new(); tile::levels(size).count()];
        for address in tile::partial(size) {
            levels[usize::from(address.level)] = read_tile(address, &read)?;
        }
        Ok(Self { size, levels })
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut right = None;
        for hashes in &self.levels {
            // The whole subtrees among the hashes, from right to left: one for each bit of their number.
            let mut end = hashes.len();
            while end > 0 {
                let start = end & (end - 1);
                right = Some(join(perfect_root(&hashes[start..end]), right));
                end = start;
            }
        }
        right.unwrap_or_else(empty_root)
    }

    /// Appends the hashes of leaves, and returns the tiles that are new or wider now: those of [`tile::written`], in
    /// another order. `None`, and nothing appended, if the tree would exceed [`SIZE_MAX`].
    pub fn append(&mut self, leaves: &[Hash]) -> Option<Vec<Tile>> {
        let old = self.size;
        let new = old.checked_add(u64::try_from(leaves.len()).ok()?).filter(|n| *n <= SIZE_MAX)?;
        let mut tiles = Vec::new();
        for leaf in leaves {
            self.size += 1;
            self.push(*leaf, &mut tiles);
        }
        let wider = |tile: &Tile| hashes_at(tile.address.level, old) != hashes_at(tile.address.level, new);
        tiles.extend(self.partial_tiles().into_iter().filter(wider));
        Some(tiles)
    }

    /// The partial tiles of the tree as it is, those of [`tile::partial`].
    pub fn partial_tiles(&self) -> Vec<Tile> {
        let partial = (0..).zip(&self.levels).filter(|(_, hashes)| !hashes.is_empty());
        partial
            .map(|(level, hashes)| {
                let width = u16::try_from(hashes.len()).unwrap_or(TILE_WIDTH);
                let address = TileAddress { level, index: hashes_at(level, self.size) / u64::from(TILE_WIDTH), width };
                Tile { address, bytes: tile::bytes(hashes) }
            })
            .collect()
    }

    /// Pushes one leaf; tiles that become full move up as one hash.
    fn push(&mut self, leaf: Hash, tiles: &mut Vec<Tile>) {
        let mut hash = leaf;
        for level in 0u8.. {
            let place = usize::from(level);
            if self.levels.len() == place {
                self.levels.push(Vec::with_capacity(usize::from(TILE_WIDTH)));
            }
            let hashes = &mut self.levels[place];
            hashes.push(hash);
            if hashes.len() < usize::from(TILE_WIDTH) {
                return;
            }
            let address = TileAddress { level, index: hashes_at(level + 1, self.size) - 1, width: TILE_WIDTH };
            tiles.push(Tile { address, bytes: tile::bytes(hashes) });
            hash = perfect_root(hashes);
            hashes.clear();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::hash::{leaf_hash, node_hash};
    use proptest::prelude::*;
    use std::{collections::BTreeMap, convert::Infallible};

    /// The definition of RFC 6962, section 2.1, as it stands there.
    pub(crate) fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                node_hash(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
            }
        }
    }

    pub(crate) fn leaves(n: u64) -> Vec<Hash> {
        (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    /// Tiles in memory.
    #[derive(Default)]
    pub(crate) struct Tiles(pub(crate) BTreeMap<TileAddress, Vec<u8>>);

    impl Tiles {
        pub(crate) fn of(n: u64) -> (Self, Edge) {
            let (mut tiles, mut edge) = (Self::default(), Edge::empty());
            tiles.append(&mut edge, &leaves(n));
            (tiles, edge)
        }

        pub(crate) fn append(&mut self, edge: &mut Edge, leaves: &[Hash]) {
            for tile in edge.append(leaves).expect("small") {
                assert!(self.0.insert(tile.address, tile.bytes).is_none(), "tiles are written once");
            }
        }

        #[expect(clippy::unnecessary_wraps, reason = "the shape of a reader")]
        pub(crate) fn read(&self, address: &TileAddress) -> Result<Option<&[u8]>, Infallible> {
            Ok(self.0.get(address).map(Vec::as_slice))
        }
    }

    #[test]
    fn roots_are_those_of_the_definition() {
        let mut edge = Edge::empty();
        let all = leaves(1100);
        assert_eq!(edge.root(), empty_root());
        for n in 0..all.len() {
            edge.append(&all[n..=n]).expect("small");
            if n < 100 || n % 37 == 0 {
                assert_eq!(edge.root(), naive_root(&all[..=n]), "{n}");
            }
        }
    }

    #[test]
    fn an_edge_is_read_back_from_its_tiles() {
        for n in [0, 1, 2, 255, 256, 257, 511, 512, 65_537] {
            let (mut tiles, edge) = Tiles::of(n);
            let loaded = Edge::load(n, |a| tiles.read(a)).expect("all there");
            assert_eq!((loaded.size(), loaded.root()), (n, edge.root()), "{n}");
            // It goes on as if it had never stopped.
            let (mut a, mut b) = (edge, loaded);
            let more = leaves(300);
            assert_eq!(a.append(&more), b.append(&more));
            assert_eq!(a.root(), b.root());
            // Partial tiles may be gone once the full ones are there.
            tiles.append(&mut Edge::load(n, |a| tiles.read(a)).expect("all there"), &leaves(3000));
            for gone in tile::deletable(n, n + 3000) {
                tiles.0.remove(&gone);
            }
            assert!(Edge::load(n, |a| tiles.read(a)).is_ok(), "{n}");
        }
    }

    #[test]
    fn tiles_that_are_not_whole_are_refused() {
        let (mut tiles, _) = Tiles::of(300);
        let partial = TileAddress { level: 0, index: 1, width: 44 };
        let whole = tiles.0.remove(&partial).expect("there");
        assert_eq!(Edge::load(300, |a| tiles.read(a)), Err(ReadError::Missing(partial)));
        for cut in [0, 31, 32, whole.len() - 1, whole.len() - 32] {
            tiles.0.insert(partial, whole[..cut].to_vec());
            assert_eq!(Edge::load(300, |a| tiles.read(a)), Err(ReadError::Malformed(partial)), "{cut}");
        }
        assert_eq!(Edge::load(300, |_| Err::<Option<Vec<u8>>, _>("disk")), Err(ReadError::Reader("disk")));
        assert!(Edge::load(SIZE_MAX + 1, |a| tiles.read(a)).is_err());
    }

    #[test]
    fn a_tree_ends_at_63_bits() {
        let mut edge = Edge { size: SIZE_MAX, levels: vec![vec![empty_root(); 255]; 8] };
        let before = edge.clone();
        assert_eq!(edge.append(&leaves(1)), None);
        assert_eq!(edge, before);
        assert_eq!(edge.append(&[]), Some(vec![]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn batches_of_any_size_make_the_same_tree(batches in proptest::collection::vec(0usize..700, 1..8)) {
            let all = leaves(u64::try_from(batches.iter().sum::<usize>()).expect("small"));
            let (mut tiles, mut edge) = (Tiles::default(), Edge::empty());
            let mut done = 0;
            for batch in batches {
                let old = edge.size();
                let mut new = edge.append(&all[done..done + batch]).expect("small");
                done += batch;
                new.sort_by_key(|t| t.address);
                prop_assert_eq!(new.iter().map(|t| t.address).collect::<Vec<_>>(), tile::written(old, edge.size()));
                for tile in new {
                    prop_assert_eq!(tile.bytes.len(), usize::from(tile.address.width) * 32);
                    prop_assert!(tiles.0.insert(tile.address, tile.bytes).is_none());
                }
                prop_assert_eq!(edge.root(), naive_root(&all[..done]));
            }
            prop_assert_eq!(Edge::load(edge.size(), |a| tiles.read(a)).expect("all there").root(), edge.root());
        }
    }
}
