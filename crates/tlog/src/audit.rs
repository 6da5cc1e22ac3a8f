//! A whole log recomputed: every entry hashed, every tile compared with what the entries make, the root with the
//! checkpoint's.

use crate::{
    Edge, Hash, SIZE_MAX,
    entries::{self, EntriesError},
    leaf_hash,
    tile::{EntriesAddress, TILE_WIDTH, TileAddress},
    tree::Tile,
};
use thiserror::Error;

/// What is wrong with a log.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Fault<E> {
    /// It could not be read.
    #[error("the log could not be read: {0}")]
    Reader(E),
    /// A bundle of entries is missing.
    #[error("{0} is missing")]
    MissingEntries(EntriesAddress),
    /// A bundle is not the entries it should be.
    #[error("{0}: {1}")]
    Entries(EntriesAddress, EntriesError),
    /// A tile is missing.
    #[error("{0} is missing")]
    MissingTile(TileAddress),
    /// A tile is not what the entries make.
    #[error("{0} is not what the entries make")]
    Tile(TileAddress),
    /// The entries make another tree than the checkpoint says.
    #[error("the entries make the root {found}, not {expected}")]
    Root {
        /// What the entries make.
        found: Hash,
        /// What the checkpoint says.
        expected: Hash,
    },
    /// Larger than any tree.
    #[error("a tree cannot have {0} leaves")]
    Size(u64),
}

/// Recomputes a log of `size` entries with this root. `read_entries` and `read_tile` may hand out wider bundles and tiles
/// of the same place. `seen` gets every entry with its index, in order.
pub fn audit<B: AsRef<[u8]>, E>(
    size: u64,
    root: &Hash,
    read_entries: impl Fn(&EntriesAddress) -> Result<Option<B>, E>,
    read_tile: impl Fn(&TileAddress) -> Result<Option<B>, E>,
    mut seen: impl FnMut(u64, &[u8]),
) -> Result<(), Fault<E>> {
    if size > SIZE_MAX {
        return Err(Fault::Size(size));
    }
    let mut edge = Edge::empty();
    for bundle in 0..size.div_ceil(u64::from(TILE_WIDTH)) {
        let Some(address) = EntriesAddress::at(bundle, size) else { break };
        let bytes = read_entries(&address).map_err(Fault::Reader)?.ok_or(Fault::MissingEntries(address))?;
        let (entries, _) = entries::first(bytes.as_ref(), address.width).map_err(|e| Fault::Entries(address, e))?;
        let mut leaves = Vec::with_capacity(entries.len());
        for (index, entry) in (address.first()..).zip(entries) {
            leaves.push(leaf_hash(entry));
            seen(index, entry);
        }
        // Partial tiles of sizes on the way need not have been published.
        for tile in edge.append(&leaves).ok_or(Fault::Size(size))?.iter().filter(|t| t.address.is_full()) {
            compare(tile, &read_tile)?;
        }
    }
    for tile in edge.partial_tiles() {
        compare(&tile, &read_tile)?;
    }
    let found = edge.root();
    if found == *root { Ok(()) } else { Err(Fault::Root { found, expected: *root }) }
}

fn compare<B: AsRef<[u8]>, E>(tile: &Tile, read: &impl Fn(&TileAddress) -> Result<Option<B>, E>) -> Result<(), Fault<E>> {
    let found = read(&tile.address).map_err(Fault::Reader)?.ok_or(Fault::MissingTile(tile.address))?;
    let found = found.as_ref();
    let same = found.get(..tile.bytes.len()) == Some(&tile.bytes[..]) && (found.len() == tile.bytes.len() || !tile.address.is_full());
    if same { Ok(()) } else { Err(Fault::Tile(tile.address)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::Tiles;
    use std::{collections::BTreeMap, convert::Infallible};

    fn log(size: u64) -> (BTreeMap<EntriesAddress, Vec<u8>>, Tiles, Hash) {
        let (tiles, edge) = Tiles::of(size);
        let mut bundles = BTreeMap::new();
        for entry in 0..size {
            let (address, _) = EntriesAddress::of(entry, size).expect("there");
            entries::push(bundles.entry(address).or_default(), &entry.to_be_bytes()).expect("small");
        }
        (bundles, tiles, edge.root())
    }

    fn check(bundles: &BTreeMap<EntriesAddress, Vec<u8>>, tiles: &Tiles, size: u64, root: &Hash) -> Result<u64, Fault<Infallible>> {
        let mut count: u64 = 0;
        let read_entries = |a: &EntriesAddress| Ok(bundles.get(a).map(Vec::as_slice));
        audit(
            size,
            root,
            read_entries,
            |a| tiles.read(a),
            |index, entry| {
                assert_eq!((index, entry), (count, &count.to_be_bytes()[..]));
                count += 1;
            },
        )?;
        Ok(count)
    }

    #[test]
    fn a_whole_log_is_whole() {
        for size in [0, 1, 255, 256, 257, 3000] {
            let (bundles, tiles, root) = log(size);
            assert_eq!(check(&bundles, &tiles, size, &root), Ok(size));
        }
    }

    #[test]
    fn every_byte_that_changed_is_found() {
        let size = 600;
        let (bundles, tiles, root) = log(size);
        for (address, bytes) in &tiles.0 {
            for at in (0..bytes.len()).step_by(97) {
                let mut tiles = Tiles(tiles.0.clone());
                tiles.0.get_mut(address).expect("there")[at] ^= 1;
                assert_eq!(check(&bundles, &tiles, size, &root), Err(Fault::Tile(*address)));
            }
            let mut tiles = Tiles(tiles.0.clone());
            tiles.0.remove(address);
            assert_eq!(check(&bundles, &tiles, size, &root), Err(Fault::MissingTile(*address)));
        }
        for (address, bytes) in &bundles {
            for at in (0..bytes.len()).step_by(97) {
                let mut bundles = bundles.clone();
                bundles.get_mut(address).expect("there")[at] ^= 1;
                let read_entries = |a: &EntriesAddress| Ok::<_, Infallible>(bundles.get(a).map(Vec::as_slice));
                assert!(audit(size, &root, read_entries, |a| tiles.read(a), |_, _| ()).is_err(), "{address} {at}");
            }
        }
        let other = leaf_hash(b"other");
        assert_eq!(check(&bundles, &tiles, size, &other), Err(Fault::Root { found: root, expected: other }));
    }
}
