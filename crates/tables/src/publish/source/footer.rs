//! A look at a Parquet file's lengths before anything believes them.
//!
//! Parquet's footer and page headers are Thrift structures (compact protocol; parquet-format's
//! `parquet.thrift`). A reader reserves memory for the list and page sizes they declare, so a forged
//! number could exhaust the machine. This walks the structures without reserving anything and checks
//! that every declared list fits into the bytes that hold it and every page into sane limits.

use std::io::{Read, Seek, SeekFrom};

/// Deepest nesting of Thrift structures: `FileMetaData` needs about seven.
const MAX_DEPTH: usize = 24;
/// Longest list of structures (row groups, columns, schema elements). A reader reserves some hundred
/// bytes for each, so that this bounds the reservation to tens of megabytes.
const MAX_STRUCT_LIST: u64 = 100_000;
/// Largest page after decompression. Writers aim at 1 MiB; a page with one huge value can be larger.
const MAX_PAGE_BYTES: i64 = 256 * 1024 * 1024;
/// Largest page header: statistics in it repeat two values of the page.
const MAX_PAGE_HEADER_BYTES: u64 = 16 * 1024 * 1024;
/// First guess at a page header's size.
const PAGE_HEADER_GUESS: u64 = 4 * 1024;

const TYPE_TRUE: u8 = 1;
const TYPE_FALSE: u8 = 2;
const TYPE_BYTE: u8 = 3;
const TYPE_I16: u8 = 4;
const TYPE_I32: u8 = 5;
const TYPE_I64: u8 = 6;
const TYPE_DOUBLE: u8 = 7;
const TYPE_BINARY: u8 = 8;
const TYPE_LIST: u8 = 9;
const TYPE_SET: u8 = 10;
const TYPE_MAP: u8 = 11;
const TYPE_STRUCT: u8 = 12;

/// Why the walk stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The bytes ended inside a structure.
    Short,
    /// The structure is wrong.
    Wrong(&'static str),
}

struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walker<'_> {
    fn byte(&mut self) -> Result<u8, Flaw> {
        let b = *self.bytes.get(self.at).ok_or(Flaw::Short)?;
        self.at += 1;
        Ok(b)
    }

    fn varint(&mut self) -> Result<u64, Flaw> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let b = self.byte()?;
            value |= u64::from(b & 0x7f) << shift;
            if b & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Flaw::Wrong("a number of more than 64 bits"))
    }

    fn zigzag(&mut self) -> Result<i64, Flaw> {
        let v = self.varint()?;
        Ok((v >> 1).cast_signed() ^ -(v & 1).cast_signed())
    }

    fn advance(&mut self, by: u64) -> Result<(), Flaw> {
        let left = (self.bytes.len() - self.at) as u64;
        if by > left {
            return Err(Flaw::Short);
        }
        self.at += usize::try_from(by).map_err(|_| Flaw::Short)?;
        Ok(())
    }

    /// Walks one value of a type, calling `number` with the path of field ids of each whole number.
    fn value(&mut self, kind: u8, path: &mut Vec<i64>, in_list: bool, number: &mut dyn FnMut(&[i64], i64)) -> Result<(), Flaw> {
        if path.len() > MAX_DEPTH {
            return Err(Flaw::Wrong("structures nested too deeply"));
        }
        match kind {
            // A boolean field's value is its type; in a list it is a byte.
            TYPE_TRUE | TYPE_FALSE => {
                if in_list {
                    self.byte()?;
                }
                Ok(())
            }
            TYPE_BYTE => self.byte().map(|_| ()),
            TYPE_I16 | TYPE_I32 | TYPE_I64 => {
                let v = self.zigzag()?;
                number(path, v);
                Ok(())
            }
            TYPE_DOUBLE => self.advance(8),
            TYPE_BINARY => {
                let len = self.varint()?;
                self.advance(len)
            }
            TYPE_LIST | TYPE_SET => {
                let head = self.byte()?;
                let len = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                let item = head & 15;
                // Every item takes at least one byte.
                if len > (self.bytes.len() - self.at) as u64 {
                    return Err(Flaw::Wrong("a list longer than the bytes that hold it"));
                }
                if item == TYPE_STRUCT && len > MAX_STRUCT_LIST {
                    return Err(Flaw::Wrong("a list of more than 100,000 structures"));
                }
                path.push(-1);
                for _ in 0..len {
                    self.value(item, path, true, number)?;
                }
                path.pop();
                Ok(())
            }
            TYPE_MAP => {
                let len = self.varint()?;
                if len == 0 {
                    return Ok(());
                }
                if len > (self.bytes.len() - self.at) as u64 {
                    return Err(Flaw::Wrong("a map longer than the bytes that hold it"));
                }
                let kinds = self.byte()?;
                path.push(-1);
                for _ in 0..len {
                    self.value(kinds >> 4, path, true, number)?;
                    self.value(kinds & 15, path, true, number)?;
                }
                path.pop();
                Ok(())
            }
            TYPE_STRUCT => {
                let mut id = 0_i64;
                loop {
                    let head = self.byte()?;
                    if head == 0 {
                        return Ok(());
                    }
                    let delta = i64::from(head >> 4);
                    id = if delta == 0 { self.zigzag()? } else { id.saturating_add(delta) };
                    path.push(id);
                    self.value(head & 15, path, false, number)?;
                    path.pop();
                }
            }
            _ => Err(Flaw::Wrong("an unknown field type")),
        }
    }
}

/// Checks the bytes of a footer (without its length and magic).
pub(crate) fn check_footer(bytes: &[u8]) -> Result<(), &'static str> {
    let mut walker = Walker { bytes, at: 0 };
    match walker.value(TYPE_STRUCT, &mut Vec::new(), false, &mut |_, _| ()) {
        Ok(()) => Ok(()),
        Err(Flaw::Short) => Err("the footer ends in the middle of a structure"),
        Err(Flaw::Wrong(reason)) => Err(reason),
    }
}

/// What matters of a page header.
#[derive(Default)]
struct PageHeader {
    uncompressed: i64,
    compressed: i64,
    data_values: i64,
    dictionary_values: i64,
}

fn page_header(bytes: &[u8]) -> Result<(PageHeader, usize), Flaw> {
    let mut header = PageHeader { uncompressed: -1, compressed: -1, ..PageHeader::default() };
    let mut walker = Walker { bytes, at: 0 };
    walker.value(TYPE_STRUCT, &mut Vec::new(), false, &mut |path, v| match path {
        [2] => header.uncompressed = v,
        [3] => header.compressed = v,
        [5 | 8, 1] => header.data_values = v,
        [7, 1] => header.dictionary_values = v,
        _ => (),
    })?;
    Ok((header, walker.at))
}

/// Checks that a column chunk, `length` bytes at `start`, is a sequence of pages of sane sizes that
/// hold no more than `values` values.
pub(super) fn check_pages(file: &mut (impl Read + Seek), start: u64, length: u64, values: i64) -> Result<(), String> {
    let end = start + length;
    let mut at = start;
    let mut seen = 0_i64;
    let mut buffer = Vec::new();
    while at < end {
        let mut window = PAGE_HEADER_GUESS.min(end - at);
        let (header, header_len) = loop {
            buffer.clear();
            file.seek(SeekFrom::Start(at)).map_err(|e| e.to_string())?;
            (&mut *file).take(window).read_to_end(&mut buffer).map_err(|e| e.to_string())?;
            match page_header(&buffer) {
                Ok(found) => break found,
                Err(Flaw::Short) if window < (end - at).min(MAX_PAGE_HEADER_BYTES) => {
                    window = (window * 8).min(end - at).min(MAX_PAGE_HEADER_BYTES);
                }
                Err(Flaw::Short) => return Err(format!("a page header at byte {at} does not end")),
                Err(Flaw::Wrong(reason)) => return Err(format!("the page header at byte {at}: {reason}")),
            }
        };
        if header.compressed < 0 || header.uncompressed < 0 {
            return Err(format!("the page at byte {at} declares no size"));
        }
        if header.uncompressed > MAX_PAGE_BYTES {
            return Err(format!("the page at byte {at} declares {} bytes; at most {MAX_PAGE_BYTES}", header.uncompressed));
        }
        if header.data_values < 0 || header.dictionary_values < 0 || header.dictionary_values > header.uncompressed {
            return Err(format!("the page at byte {at} declares more values than it can hold"));
        }
        seen = seen.saturating_add(header.data_values);
        if seen > values {
            return Err(format!("the pages up to byte {at} declare more values than their column chunk"));
        }
        let step = header_len as u64 + header.compressed.unsigned_abs();
        if step > end - at {
            return Err(format!("the page at byte {at} is longer than its column chunk"));
        }
        at += step;
    }
    if seen != values {
        return Err(format!("the pages hold {seen} values where the column chunk declares {values}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_list_length_is_refused() {
        // A struct with field 1: list of structs, length 2^31.
        let forged = [0x19, 0xfc, 0x80, 0x80, 0x80, 0x80, 0x08, 0x00, 0x00];
        assert_eq!(check_footer(&forged), Err("a list longer than the bytes that hold it"));
        // The same with the length 2 and two empty structs.
        assert_eq!(check_footer(&[0x19, 0x2c, 0x00, 0x00, 0x00]), Ok(()));
    }

    #[test]
    fn deep_nesting_and_short_input_are_refused() {
        assert_eq!(check_footer(&[0x1c; 200]), Err("structures nested too deeply"));
        assert_eq!(check_footer(&[0x18, 0x05, b'a']), Err("the footer ends in the middle of a structure"));
        assert_eq!(check_footer(&[0x1f]), Err("an unknown field type"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_walked_without_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = check_footer(&bytes);
            let _ = page_header(&bytes);
            let _ = check_pages(&mut std::io::Cursor::new(&bytes), 0, bytes.len() as u64, 10);
        }
    }
}
