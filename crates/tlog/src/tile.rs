//! Addresses of tiles: which there are at a size, where they are served, which a growth writes and which it makes
//! superfluous. A tile holds up to 256 consecutive hashes of one level; level `l` hashes subtrees of `256^l` leaves.

use crate::{
    SIZE_MAX,
    hash::{HASH_BYTES, Hash},
};
use std::fmt;

/// Height of a tile: one level of tiles stands for eight levels of the tree.
pub const TILE_HEIGHT: u32 = 8;
/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Bytes of a full tile.
pub const TILE_BYTES: usize = 256 * HASH_BYTES;
/// Highest level of a path (by the specification); trees of [`SIZE_MAX`] leaves need 7.
const LEVEL_MAX: u8 = 63;
/// Longest path: seven groups of an index, a level and a width. What is longer is not read.
const PATH_MAX: usize = 64;

/// One tile, or as much of it as a tree of some size has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileAddress {
    /// 0 for hashes of leaves; each level above hashes whole tiles of the one below.
    pub level: u8,
    /// Which tile of the level, from 0.
    pub index: u64,
    /// How many hashes, 1 to 256; a tile of 256 is full and has no suffix in its path.
    pub width: u16,
}

/// One bundle of entries: beside every tile of level 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntriesAddress {
    /// Which bundle, from 0.
    pub index: u64,
    /// How many entries, 1 to 256.
    pub width: u16,
}

/// What a path below a log's prefix asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `checkpoint`
    Checkpoint,
    /// `tile/<L>/<N>[.p/<W>]`
    Tile(TileAddress),
    /// `tile/entries/<N>[.p/<W>]`
    Entries(EntriesAddress),
}

impl Resource {
    /// Reads a path without leading slash. Every resource has one path; all others are refused.
    pub fn parse(path: &str) -> Option<Self> {
        if path == "checkpoint" {
            return Some(Self::Checkpoint);
        }
        if path.len() > PATH_MAX {
            return None;
        }
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, u16::try_from(crate::text::decimal(width)?).ok().filter(|w| (1..TILE_WIDTH).contains(w))?),
            None => (rest, TILE_WIDTH),
        };
        let mut number: u64 = 0;
        for group in index.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            number = number.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        let resource = if level == "entries" {
            Self::Entries(EntriesAddress { index: number, width })
        } else {
            let level = u8::try_from(crate::text::decimal(level)?).ok().filter(|l| *l <= LEVEL_MAX)?;
            Self::Tile(TileAddress { level, index: number, width })
        };
        // Which groups begin with x, and groups of zeros in front.
        (resource.to_string() == path).then_some(resource)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::Tile(address) => address.fmt(f),
            Self::Entries(address) => address.fmt(f),
        }
    }
}

/// The path below the log's prefix, such as `tile/1/x001/x234/067.p/5`.
impl fmt::Display for TileAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_index(f, self.index, self.width)
    }
}

/// The path below the log's prefix, such as `tile/entries/000`.
impl fmt::Display for EntriesAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_index(f, self.index, self.width)
    }
}

fn write_index(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let mut groups = vec![index % 1000];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    for group in groups[1..].iter().rev() {
        write!(f, "x{group:03}/")?;
    }
    write!(f, "{:03}", groups[0])?;
    if width < TILE_WIDTH { write!(f, ".p/{width}") } else { Ok(()) }
}

/// Hashes at `level` that a tree of `size` leaves has: those of whole subtrees only.
pub fn hashes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(TILE_HEIGHT * u32::from(level)).unwrap_or(0)
}

impl TileAddress {
    /// The tile with this level and index as a tree of `size` leaves has it; `None` if it has nothing of it.
    pub fn at(level: u8, index: u64, size: u64) -> Option<Self> {
        let there = hashes_at(level, size).saturating_sub(index.checked_mul(u64::from(TILE_WIDTH))?);
        let width = u16::try_from(there.min(u64::from(TILE_WIDTH))).unwrap_or(TILE_WIDTH);
        (width > 0).then_some(Self { level, index, width })
    }

    /// Whether it will never change again.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The same tile, full.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: TILE_WIDTH, ..self }
    }

    /// Whether a tree of `size` leaves has it, at this width or wider.
    pub fn exists_at(&self, size: u64) -> bool {
        Self::at(self.level, self.index, size).is_some_and(|t| t.width >= self.width)
    }
}

impl EntriesAddress {
    /// The bundle with this index as a log of `size` entries has it; `None` if it has nothing of it.
    pub fn at(index: u64, size: u64) -> Option<Self> {
        TileAddress::at(0, index, size).map(|t| Self { index, width: t.width })
    }

    /// The bundle that holds entry `entry` of a log of `size` entries, and its place in it.
    pub fn of(entry: u64, size: u64) -> Option<(Self, usize)> {
        let width = u64::from(TILE_WIDTH);
        let place = usize::try_from(entry % width).ok()?;
        (entry < size).then(|| Self::at(entry / width, size)).flatten().map(|address| (address, place))
    }

    /// Whether it will never change again.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// Index of its first entry.
    pub fn first(&self) -> u64 {
        self.index * u64::from(TILE_WIDTH)
    }
}

/// The tiles that growing from `old` to `new` leaves writes, level by level from 0, each from left to right. Bundles of
/// entries are those of level 0.
pub fn written(old: u64, new: u64) -> Vec<TileAddress> {
    let mut tiles = Vec::new();
    for level in levels(new) {
        let (before, after) = (hashes_at(level, old), hashes_at(level, new));
        if before >= after {
            continue;
        }
        let width = u64::from(TILE_WIDTH);
        tiles.extend((before / width..after.div_ceil(width)).filter_map(|index| TileAddress::at(level, index, new)));
    }
    tiles
}

/// The partial tiles at the right edge of a tree of `size` leaves: at most one a level.
pub fn partial(size: u64) -> Vec<TileAddress> {
    let width = u64::from(TILE_WIDTH);
    levels(size).filter_map(|level| TileAddress::at(level, hashes_at(level, size) / width, size)).filter(|t| !t.is_full()).collect()
}

/// The partial tiles of a tree of `old` leaves that may be deleted once the tiles of `new` leaves are there: those whose
/// full tile exists. (Other partial tiles stay, also when wider ones exist: checkpoints of their size were published.)
pub fn deletable(old: u64, new: u64) -> Vec<TileAddress> {
    partial(old).into_iter().filter(|tile| tile.full().exists_at(new)).collect()
}

/// The levels at which a tree of `size` leaves has hashes.
pub(crate) fn levels(size: u64) -> impl Iterator<Item = u8> {
    (0..=LEVEL_MAX).take_while(move |level| hashes_at(*level, size.min(SIZE_MAX)) > 0)
}

/// The hashes in a tile's bytes, the first `width` of them. Wider tiles begin with the narrower, so a reader may hand
/// out the widest it has. `None` if there are fewer, or a piece of one.
pub fn hashes(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
    if bytes.len() > TILE_BYTES || !bytes.len().is_multiple_of(HASH_BYTES) || bytes.len() / HASH_BYTES < usize::from(width) {
        return None;
    }
    bytes.chunks_exact(HASH_BYTES).take(usize::from(width)).map(Hash::from_slice).collect()
}

/// A tile's bytes.
pub fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|h| h.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tile(level: u8, index: u64, width: u16) -> TileAddress {
        TileAddress { level, index, width }
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(tile(1, 1_234_067, 256).to_string(), "tile/1/x001/x234/067");
        assert_eq!(tile(0, 0, 5).to_string(), "tile/0/000.p/5");
        assert_eq!(EntriesAddress { index: 1000, width: 256 }.to_string(), "tile/entries/x001/000");
        assert_eq!(Resource::parse("checkpoint"), Some(Resource::Checkpoint));
        assert_eq!(Resource::parse("tile/63/x001/x234/067.p/255"), Some(Resource::Tile(tile(63, 1_234_067, 255))));
        assert_eq!(Resource::parse("tile/entries/273.p/112"), Some(Resource::Entries(EntriesAddress { index: 273, width: 112 })));
        let largest = tile(0, u64::MAX, 256);
        assert_eq!(Resource::parse(&largest.to_string()), Some(Resource::Tile(largest)));
    }

    #[test]
    fn other_paths_are_refused() {
        for bad in [
            "",
            "/checkpoint",
            "checkpoint/",
            "Checkpoint",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x000",
            "tile/0/x000/001",
            "tile/0/x001/x234",
            "tile/0/001/234",
            "tile/0/x01/234",
            "tile/0/x001//234",
            "tile/00/001",
            "tile/01/001",
            "tile/64/001",
            "tile/256/001",
            "tile/-1/001",
            "tile/+1/001",
            "tile/0/001.p/0",
            "tile/0/001.p/256",
            "tile/0/001.p/01",
            "tile/0/001.p/",
            "tile/0/001.p/1/",
            "tile/0/001.p",
            "tile/0/001.P/1",
            "tile/0/001.p/+1",
            "tile/0/../001",
            "tile/0/001?x",
            "tile/0/001 ",
            "tile/Entries/001",
            "tile/entries/",
            "tile/entries/001.p/256",
            "tile/data/001",
            "tile/0/٠٠١",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/001.p/1.p/1",
        ] {
            assert_eq!(Resource::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Resource::parse(&format!("tile/0/{}001", "x001/".repeat(1_000_000))), None);
    }

    /// The example of c2sp.org/tlog-tiles.
    #[test]
    fn a_tree_of_70_000_has_the_tiles_of_the_specification() {
        let all = written(0, 70_000);
        let count = |level: u8, full: bool| all.iter().filter(|t| t.level == level && t.is_full() == full).count();
        assert_eq!((count(0, true), count(0, false)), (273, 1));
        assert_eq!((count(1, true), count(1, false)), (1, 1));
        assert_eq!((count(2, true), count(2, false)), (0, 1));
        assert_eq!(partial(70_000), [tile(0, 273, 112), tile(1, 1, 17), tile(2, 0, 1)]);
        assert_eq!(written(0, 256), [tile(0, 0, 256), tile(1, 0, 1)]);
        assert_eq!(partial(0), []);
        assert_eq!(written(70_000, 70_000), []);
        assert_eq!(written(70_000, 70_001), [tile(0, 273, 113)]);
    }

    #[test]
    fn partial_tiles_go_when_their_full_ones_are_there() {
        assert_eq!(deletable(255, 256), [tile(0, 0, 255)]);
        assert_eq!(deletable(70_000, 70_144), [tile(0, 273, 112)]);
        assert_eq!(deletable(70_000, 70_143), []);
        assert_eq!(deletable(70_000, 131_072), [tile(0, 273, 112), tile(1, 1, 17)]);
        assert_eq!(deletable(0, 1), []);
    }

    #[test]
    fn bundles_of_entries() {
        assert_eq!(EntriesAddress::of(0, 0), None);
        assert_eq!(EntriesAddress::of(69_999, 70_000), Some((EntriesAddress { index: 273, width: 112 }, 111)));
        assert_eq!(EntriesAddress::of(255, 70_000), Some((EntriesAddress { index: 0, width: 256 }, 255)));
        assert_eq!(EntriesAddress::of(70_000, 70_000), None);
        assert_eq!(EntriesAddress { index: 273, width: 112 }.first(), 69_888);
    }

    #[test]
    fn bytes_of_a_tile_are_whole_hashes() {
        let all: Vec<Hash> = (0..=255).map(|n| Hash([n; 32])).collect();
        let full = bytes(&all);
        assert_eq!(hashes(&full, 256).as_deref(), Some(&all[..]));
        assert_eq!(hashes(&full, 3).as_deref(), Some(&all[..3]), "a wider tile begins with the narrower");
        assert_eq!(hashes(&full[..32 * 3], 4), None);
        assert_eq!(hashes(&full[..32 * 3 - 1], 2), None);
        assert_eq!(hashes(&[&full[..], &[0; 32]].concat(), 1), None);
    }

    proptest! {
        #[test]
        fn paths_are_read_back(level in 0u8..=63, index: u64, width in 1u16..=256) {
            let address = tile(level, index, width);
            prop_assert_eq!(Resource::parse(&address.to_string()), Some(Resource::Tile(address)));
        }

        #[test]
        fn any_text_is_refused_or_read_back(path in "(tile/)?(entries|[0-9]{1,2})/(x?[0-9]{3}/){0,3}x?[0-9]{3}(\\.p/[0-9]{1,3})?") {
            if let Some(resource) = Resource::parse(&path) {
                prop_assert_eq!(resource.to_string(), path);
            }
        }

        #[test]
        fn what_is_written_is_there_and_the_rest_was(old in 0u64..200_000, more in 0u64..70_000) {
            let new = old + more;
            let tiles = written(old, new);
            for t in &tiles {
                prop_assert!(t.exists_at(new) && !t.exists_at(old));
            }
            for t in written(0, new) {
                prop_assert!(tiles.contains(&t) || t.exists_at(old));
            }
            for t in deletable(old, new) {
                prop_assert!(!t.is_full() && t.exists_at(old) && t.full().exists_at(new));
            }
        }
    }
}
