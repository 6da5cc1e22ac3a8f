//! Whether a column chunk's dictionary holds nothing but values of the chunk's own rows.
//!
//! Some writers put one dictionary, that of the whole column in memory, into every row group and every file: entries that
//! no row of the group uses are then values of other rows. A chunk that is served as it is would tell them. So the
//! indices in its pages are looked at, without decoding a value; what is not known for certain is not served as it is.

use std::sync::Arc;

use bytes::Bytes;
use parquet::{
    basic::{Encoding, Type as Physical},
    column::page::{Page, PageReader},
    errors::Result as ParquetResult,
    file::{metadata::ColumnChunkMetaData, serialized_reader::SerializedPageReader},
};

use super::footer::{Positioned, place};

/// Most entries that are followed, at a bit each. Writers stop at a page of a megabyte, that is at about a million.
const MAX_ENTRIES: u32 = 1 << 24;
/// Bits of the widest index.
const MAX_WIDTH: u8 = 32;

/// Whether every entry of a chunk's dictionary, if it has one, is used by one of its rows. `false` also where that cannot
/// be told.
pub(super) fn is_used(file: &Arc<Positioned>, chunk: &ColumnChunkMetaData, rows: i64) -> ParquetResult<bool> {
    if place(chunk).is_none() {
        return Ok(true);
    }
    let mut pages = SerializedPageReader::new(Arc::clone(file), chunk, usize::try_from(rows)?, None)?;
    let has_dictionary = pages.peek_next_page()?.is_some_and(|page| page.is_dict);
    if !has_dictionary {
        // A dictionary comes first. Where one is declared and not found there, something is not as it should be.
        let declared = chunk.dictionary_page_offset().is_some_and(|at| at > 0);
        return Ok(!declared && !chunk.encodings().any(is_dictionary));
    }
    let Some(Page::DictionaryPage { buf, num_values, encoding: Encoding::PLAIN | Encoding::PLAIN_DICTIONARY, .. }) =
        pages.get_next_page()?
    else {
        return Ok(false);
    };
    if num_values > MAX_ENTRIES || !holds_just(&buf, num_values, chunk) {
        return Ok(false);
    }
    drop(buf);
    let mut entries = Entries { used: vec![0; num_values.div_ceil(64) as usize], left: num_values, count: num_values };
    while entries.left > 0 {
        let Some(page) = pages.get_next_page()? else { return Ok(false) };
        if mark(&page, chunk, &mut entries).is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_dictionary(encoding: Encoding) -> bool {
    // The first is what old writers call the second.
    matches!(encoding, Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY)
}

/// Whether these bytes are so many plain values of the chunk's type and nothing else.
fn holds_just(bytes: &[u8], values: u32, chunk: &ColumnChunkMetaData) -> bool {
    let values = values as usize;
    let size = match chunk.column_type() {
        Physical::INT32 | Physical::FLOAT => 4,
        Physical::INT64 | Physical::DOUBLE => 8,
        Physical::INT96 => 12,
        Physical::FIXED_LEN_BYTE_ARRAY => usize::try_from(chunk.column_descr().type_length()).unwrap_or(usize::MAX),
        Physical::BOOLEAN => return false,
        Physical::BYTE_ARRAY => {
            let mut rest = bytes;
            for _ in 0..values {
                let Some((length, after)) = rest.split_first_chunk::<4>() else { return false };
                let Some(after) = after.get(u32::from_le_bytes(*length) as usize..) else { return false };
                rest = after;
            }
            return rest.is_empty();
        }
    };
    values.checked_mul(size) == Some(bytes.len())
}

/// Which entries of a dictionary are used.
struct Entries {
    used: Vec<u64>,
    left: u32,
    count: u32,
}

impl Entries {
    fn mark(&mut self, index: u32) -> Option<()> {
        (index < self.count).then_some(())?;
        let (word, bit) = (self.used.get_mut(index as usize / 64)?, 1 << (index % 64));
        if *word & bit == 0 {
            *word |= bit;
            self.left -= 1;
        }
        Some(())
    }
}

/// Marks what a page uses; `None` when it cannot be told.
fn mark(page: &Page, chunk: &ColumnChunkMetaData, entries: &mut Entries) -> Option<()> {
    if !is_dictionary(page.encoding()) {
        // Values of their own.
        return matches!(page, Page::DataPage { .. } | Page::DataPageV2 { .. }).then_some(());
    }
    let descr = chunk.column_descr();
    let (max_rep, max_def) = (descr.max_rep_level(), descr.max_def_level());
    let (values, levels, body) = match page {
        Page::DataPage { buf, num_values, def_level_encoding, rep_level_encoding, .. } => {
            let mut rest = buf.clone();
            if max_rep > 0 {
                (*rep_level_encoding == Encoding::RLE).then_some(())?;
                prefixed(&mut rest)?;
            }
            let mut levels = Bytes::new();
            if max_def > 0 {
                (*def_level_encoding == Encoding::RLE).then_some(())?;
                levels = prefixed(&mut rest)?;
            }
            (*num_values, levels, rest)
        }
        Page::DataPageV2 { buf, num_values, def_levels_byte_len, rep_levels_byte_len, .. } => {
            let mut rest = buf.clone();
            taken(&mut rest, *rep_levels_byte_len)?;
            let levels = taken(&mut rest, *def_levels_byte_len)?;
            (*num_values, levels, rest)
        }
        Page::DictionaryPage { .. } => return None,
    };
    let mut present = values;
    if max_def > 0 {
        let (max_def, mut found) = (u32::try_from(max_def).ok()?, 0);
        let width = u8::try_from(u32::BITS - max_def.leading_zeros()).ok()?;
        runs(&levels, width, values, |level, times| {
            found += if level == max_def { times } else { 0 };
            Some(())
        })?;
        present = found;
    }
    if present == 0 {
        return Some(());
    }
    let (width, indices) = body.split_first()?;
    runs(indices, *width, present, |index, _| entries.mark(index))
}

/// What stands behind its length.
fn prefixed(rest: &mut Bytes) -> Option<Bytes> {
    let length = u32::from_le_bytes(*rest.first_chunk::<4>()?);
    taken(rest, 4)?;
    taken(rest, length)
}

fn taken(rest: &mut Bytes, length: u32) -> Option<Bytes> {
    (length as usize <= rest.len()).then(|| rest.split_to(length as usize))
}

/// Reads `count` numbers of `width` bits as Parquet's hybrid of runs and packed bits has them, and gives each with how
/// often it stands there. `None` when they are not all there, or where `each` says so.
fn runs(mut bytes: &[u8], width: u8, count: u32, mut each: impl FnMut(u32, u32) -> Option<()>) -> Option<()> {
    (width <= MAX_WIDTH).then_some(())?;
    let mut left = count;
    while left > 0 {
        let head = varint(&mut bytes)?;
        let length = u32::try_from(head >> 1).ok().filter(|n| *n > 0)?;
        if head & 1 == 0 {
            let (value, rest) = bytes.split_at_checked(usize::from(width.div_ceil(8)))?;
            let mut wide = [0; 4];
            wide[..value.len()].copy_from_slice(value);
            each(u32::from_le_bytes(wide), length.min(left))?;
            bytes = rest;
            left = left.saturating_sub(length);
        } else {
            // Groups of eight; the last may be filled up with what is no value.
            let (packed, rest) = bytes.split_at_checked((length as usize).checked_mul(usize::from(width))?)?;
            let (mut bits, mut held, mut packed) = (0_u64, 0, packed.iter());
            for _ in 0..length.saturating_mul(8).min(left) {
                while held < width {
                    bits |= u64::from(*packed.next()?) << held;
                    held += 8;
                }
                let value = bits & ((1 << width) - 1);
                bits >>= width;
                held -= width;
                each(u32::try_from(value).ok()?, 1)?;
            }
            bytes = rest;
            left = left.saturating_sub(length.saturating_mul(8));
        }
    }
    Some(())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governed::{
        file_plan::{FilePlan, plan_file},
        fixtures::{SourceFile, declared},
        plan::TablePlan,
    };
    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use fondaco_core::policy::{filter::Filter, view::View};
    use parquet::{
        arrow::ArrowWriter,
        file::properties::{WriterProperties, WriterVersion},
    };

    fn read(bytes: &[u8], width: u8, count: u32) -> Option<Vec<u32>> {
        let mut out = Vec::new();
        runs(bytes, width, count, |v, n| {
            out.extend(std::iter::repeat_n(v, n as usize));
            Some(())
        })?;
        Some(out)
    }

    #[test]
    fn runs_and_packed_bits_are_read_to_their_count_and_no_further() {
        assert_eq!(read(&[6, 9], 4, 3), Some(vec![9, 9, 9]));
        assert_eq!(read(&[6, 9], 4, 2), Some(vec![9, 9]), "what is beyond is no value");
        assert_eq!(read(&[6, 9], 4, 4), None);
        assert_eq!(read(&[3, 0b1000_1000, 0b1100_0110, 0b1111_1010], 3, 8), Some(vec![0, 1, 2, 3, 4, 5, 6, 7]), "the format's example");
        assert_eq!(read(&[3, 0b0000_0101], 1, 3), Some(vec![1, 0, 1]));
        assert_eq!(read(&[3, 1, 4, 0], 1, 10), Some(vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(read(&[4, 1, 2, 3, 4], 32, 2), Some(vec![0x0403_0201; 2]));
        assert_eq!(read(&[3, 1, 2], 3, 8), None, "short");
        assert_eq!((read(&[0, 1], 1, 1), read(&[1], 1, 1), read(&[4], 33, 1)), (None, None, None));
        assert_eq!(read(&[0xff; 9], 8, 1), None, "no end of the number");
        assert_eq!(read(&[2], 0, 1), Some(vec![0]));
    }

    /// Two row groups of eight rows, one shown and one not. The first row of `who` refers to the first entry of the
    /// dictionary; `patched` makes it refer to the second, so that nobody uses the first.
    fn source(version: WriterVersion, missing: bool, patched: bool) -> SourceFile {
        let text = |at: usize| match at {
            0 => Some("SECRET"),
            3 if missing => None,
            _ => Some("Suzhou worker"),
        };
        let who: StringArray = (0..16).map(|i| text(i % 8)).collect();
        let site: StringArray = (0..16).map(|i| Some(if i < 8 { "Suzhou" } else { "Hidden" })).collect();
        let columns: [(&str, ArrayRef); 2] = [("site", Arc::new(site)), ("who", Arc::new(who))];
        let whole = RecordBatch::try_from_iter(columns).expect("batch");
        let properties = WriterProperties::builder().set_writer_version(version).set_max_row_group_row_count(Some(8)).build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, whole.schema(), Some(properties)).expect("writer");
        writer.write(&whole).expect("written");
        writer.close().expect("closed");
        if patched {
            let packed = if missing { [1, 3, 0b0111_1110] } else { [1, 3, 0b1111_1110] };
            let mut found = 0;
            for at in 0..bytes.len() - 3 {
                if bytes[at..at + 3] == packed {
                    bytes[at + 2] |= 1;
                    found += 1;
                }
            }
            assert_eq!(found, 2, "one in each row group");
        }
        SourceFile { bytes, schema: declared(&whole.schema()) }
    }

    #[test]
    fn a_dictionary_with_values_of_no_shown_row_is_not_served_as_it_is() {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for missing in [false, true] {
                for patched in [false, true] {
                    let source = source(version, missing, patched);
                    let view = View { row_filter: Some(Filter::parse("site = 'Suzhou'").expect("filter")), ..View::default() };
                    let plan = TablePlan::new(&view, &source.schema, &[]).expect("plan");
                    let planned = plan_file(&plan, &source.positioned(), &source.footer(), "test").expect("planned");
                    match planned {
                        FilePlan::Virtual(_) => assert!(!patched, "{version:?} {missing}"),
                        FilePlan::Rewrite(groups) => assert!(patched && groups == [0], "{version:?} {missing} {groups:?}"),
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
    }
}
