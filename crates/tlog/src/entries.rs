//! Bundles of entries: each entry after its length in two bytes.

use crate::tile::TILE_WIDTH;
use thiserror::Error;

/// Largest entry: what a length of two bytes can say.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Largest bundle: 256 of the largest entries.
pub const BUNDLE_BYTES_MAX: usize = 256 * (2 + ENTRY_BYTES_MAX);

/// Why entries are no bundle, or a bundle has not the entries it should.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum EntriesError {
    /// An entry is too large to be logged.
    #[error("an entry of {0} bytes; at most {ENTRY_BYTES_MAX}")]
    TooLarge(usize),
    /// More entries than a bundle holds.
    #[error("{0} entries; at most {TILE_WIDTH}")]
    TooMany(usize),
    /// The bytes end within an entry, or go on after the last one.
    #[error("the bundle does not hold exactly {0} entries")]
    Count(u16),
}

/// Appends one entry to a bundle's bytes.
pub fn push(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), EntriesError> {
    let length = u16::try_from(entry.len()).map_err(|_| EntriesError::TooLarge(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The bundle of up to 256 entries.
pub fn print<T: AsRef<[u8]>>(entries: &[T]) -> Result<Vec<u8>, EntriesError> {
    if entries.len() > usize::from(TILE_WIDTH) {
        return Err(EntriesError::TooMany(entries.len()));
    }
    let mut bundle = Vec::with_capacity(entries.iter().map(|e| 2 + e.as_ref().len()).sum());
    for entry in entries {
        push(&mut bundle, entry.as_ref())?;
    }
    Ok(bundle)
}

/// The `width` entries of a bundle, which holds nothing else.
pub fn parse(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, EntriesError> {
    let (entries, rest) = first(bundle, width)?;
    if rest.is_empty() { Ok(entries) } else { Err(EntriesError::Count(width)) }
}

/// The first `width` entries of a bundle that may hold more, as the wider one of the same place does; and the rest.
pub fn first(bundle: &[u8], width: u16) -> Result<(Vec<&[u8]>, &[u8]), EntriesError> {
    if width > TILE_WIDTH {
        return Err(EntriesError::TooMany(usize::from(width)));
    }
    let mut rest = bundle;
    let mut entries = Vec::with_capacity(usize::from(width));
    for _ in 0..width {
        let (length, after) = rest.split_first_chunk::<2>().ok_or(EntriesError::Count(width))?;
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(EntriesError::Count(width))?;
        entries.push(entry);
        rest = after;
    }
    Ok((entries, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_largest_entry_fits_and_one_more_byte_does_not() {
        let large = vec![7; ENTRY_BYTES_MAX];
        let bundle = print(&[&large[..], b"", b"x"]).expect("fits");
        assert_eq!(parse(&bundle, 3).expect("reads"), [&large[..], b"", b"x"]);
        assert_eq!(print(&[vec![7; ENTRY_BYTES_MAX + 1]]), Err(EntriesError::TooLarge(65_536)));
        assert_eq!(print(&vec![b"x"; 257]), Err(EntriesError::TooMany(257)));
        assert_eq!(print(&vec![vec![0; ENTRY_BYTES_MAX]; 256]).expect("fits").len(), BUNDLE_BYTES_MAX);
    }

    #[test]
    fn a_bundle_cut_anywhere_or_continued_is_refused() {
        let bundle = print(&[&b"first"[..], b"", b"third"]).expect("fits");
        for cut in 0..bundle.len() {
            assert_eq!(parse(&bundle[..cut], 3), Err(EntriesError::Count(3)), "{cut}");
        }
        assert!(parse(&[&bundle[..], &[0]].concat(), 3).is_err());
        assert!(parse(&bundle, 2).is_err());
        assert!(parse(&bundle, 4).is_err());
        assert_eq!(first(&bundle, 2).expect("there").0, [&b"first"[..], b""]);
        assert!(parse(&bundle, 257).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]
        #[test]
        fn bundles_are_read_back(entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..=256)) {
            let bundle = print(&entries).expect("small");
            let width = u16::try_from(entries.len()).expect("small");
            prop_assert_eq!(parse(&bundle, width).expect("reads"), entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600), width: u16) {
            if let Ok(entries) = parse(&bytes, width) {
                prop_assert_eq!(print(&entries).expect("was one"), bytes);
            }
        }
    }
}
