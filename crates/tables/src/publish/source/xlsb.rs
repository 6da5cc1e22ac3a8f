//! Binary workbooks in a form that the reading crate understands whole.
//!
//! It passes over short cell records (MS-XLSB 2.1.4), so their values would be missing, and takes whole
//! numbers in RK form for numbers even where their format says date. So both are written out in full before
//! it reads them: short cells with their column, whole RK numbers as 64-bit floats.

use std::{
    io::{Cursor, Read, Seek, Write},
    path::Path,
};

use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

const CELL_RK: u8 = 2;
const CELL_REAL: u8 = 5;
/// `BrtCellBlank` up to `BrtFmlaError`: all begin with their column.
const CELLS: std::ops::RangeInclusive<u8> = 1..=11;
/// `BrtShortBlank` up to `BrtShortIsst`: the same as `BrtCellBlank` up to `BrtCellIsst`, without the column.
const SHORT_CELLS: std::ops::RangeInclusive<u8> = 12..=18;
/// From a short record to its full form.
const SHORT_OFFSET: u8 = 11;

/// The workbook with its cells written out in full. What it unpacks to must have been checked before.
pub(super) fn in_full(input: impl Read + Seek) -> Result<Cursor<Vec<u8>>, String> {
    let mut archive = ZipArchive::new(input).map_err(|e| e.to_string())?;
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).map_err(|e| e.to_string())?;
        let binary = Path::new(entry.name()).extension().is_some_and(|e| e.eq_ignore_ascii_case("bin"));
        if binary && entry.name().contains("worksheets/") {
            let mut records = Vec::new();
            entry.read_to_end(&mut records).map_err(|e| e.to_string())?;
            out.start_file(entry.name(), SimpleFileOptions::default()).map_err(|e| e.to_string())?;
            let full = cells_in_full(&records).ok_or("a sheet of it ends within a record")?;
            out.write_all(&full).map_err(|e| e.to_string())?;
        } else {
            out.raw_copy_file(entry).map_err(|e| e.to_string())?;
        }
    }
    out.finish().map_err(|e| e.to_string())
}

/// The records of a sheet with every cell in full; `None` when they end within a record.
fn cells_in_full(records: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(records.len());
    let mut rest = records;
    let mut column = 0_u32;
    while let Some(kind) = rest.first() {
        let head = if *kind >= 0x80 { 2 } else { 1 };
        let (mut length, mut at) = (0_usize, head);
        for shift in [0, 7, 14, 21] {
            let byte = *rest.get(at)?;
            at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        let data = rest.get(at..at + length)?;
        let whole = &rest[..at + length];
        rest = &rest[at + length..];
        match *kind {
            kind if SHORT_CELLS.contains(&kind) => {
                column += 1;
                let full = [&column.to_le_bytes(), data].concat();
                cell(kind - SHORT_OFFSET, &full, &mut out)?;
            }
            kind if CELLS.contains(&kind) => {
                column = u32::from_le_bytes(data.get(..4)?.try_into().ok()?);
                cell(kind, data, &mut out)?;
            }
            _ => out.extend_from_slice(whole),
        }
    }
    Some(out)
}

/// Writes a cell: column, style, value.
fn cell(kind: u8, data: &[u8], out: &mut Vec<u8>) -> Option<()> {
    // The low bits of an RK number: a hundredth, and whole.
    if kind == CELL_RK
        && let number = i32::from_le_bytes(data.get(8..12)?.try_into().ok()?)
        && number & 0b11 == 0b10
    {
        out.extend_from_slice(&[CELL_REAL, 16]);
        out.extend_from_slice(&data[..8]);
        out.extend_from_slice(&f64::from(number >> 2).to_le_bytes());
        return Some(());
    }
    out.push(kind);
    let mut left = data.len();
    loop {
        let low = u8::try_from(left & 0x7f).ok()?;
        left >>= 7;
        out.push(if left > 0 { low | 0x80 } else { low });
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(data);
    Some(())
}
