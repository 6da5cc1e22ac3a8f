//! What a workbook would take in memory, counted before the reading crate sees it: a few kilobytes can
//! unpack to gigabytes, and two cells in opposite corners can stand for seventeen thousand million.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use quick_xml::events::Event;
use zip::ZipArchive;

use super::super::PublishLimits;
use crate::TablesError;

/// Most entries in the archive that a workbook is: one per sheet and a few more.
const MAX_ENTRIES: usize = 10_000;
/// Most sheets of a workbook in the old binary form.
const MAX_SHEETS: usize = 1_000;
/// Columns that any of these formats has at most: what a repetition stands for beyond them is dropped.
const MAX_SHEET_COLUMNS: u64 = 16_384;
/// Rows likewise.
const MAX_SHEET_ROWS: u64 = 1_048_576;

/// Which of the formats a file is, by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkbookKind {
    Xlsx,
    Xlsb,
    Xls,
    Ods,
}

/// Tells a workbook's format and that reading it stays within the limits.
pub(super) fn check(path: &Path, name: &str, limits: &PublishLimits) -> Result<WorkbookKind, TablesError> {
    let malformed = |reason: &str| TablesError::MalformedWorkbook { file: name.into(), place: String::new(), reason: reason.into() };
    let too_large = |reason: String| TablesError::TooLarge { subject: name.into(), reason };
    let mut file = File::open(path).map_err(TablesError::io("reading", path))?;
    let mut magic = Vec::new();
    file.by_ref().take(8).read_to_end(&mut magic).map_err(TablesError::io("reading", path))?;
    file.seek(SeekFrom::Start(0)).map_err(TablesError::io("reading", path))?;
    let input = BufReader::new(file);
    let bound = match magic.as_slice() {
        [b'P', b'K', 3, 4, ..] => archive(input, limits),
        [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1] => compound(input, limits),
        _ => Err(Bound::Malformed("not a workbook; was it copied completely?".into())),
    };
    bound.map_err(|bound| match bound {
        Bound::Malformed(reason) => malformed(&reason),
        Bound::Bytes => too_large(format!("it unpacks to more than {} bytes; save the sheet as CSV", limits.max_workbook_unpacked_bytes)),
        Bound::Cells => too_large(format!("its sheets span more than {} cells; save the sheet as CSV", limits.max_workbook_cells)),
        Bound::Entries => too_large(format!("it holds more than {MAX_ENTRIES} entries or {MAX_SHEETS} sheets")),
    })
}

enum Bound {
    Malformed(String),
    Bytes,
    Cells,
    Entries,
}

/// Unpacks everything once to see how much it is; the sizes that an archive declares are only claims.
fn archive(input: BufReader<File>, limits: &PublishLimits) -> Result<WorkbookKind, Bound> {
    let malformed = |e: &dyn std::fmt::Display| Bound::Malformed(format!("not a sound workbook: {e}"));
    let mut archive = ZipArchive::new(input).map_err(|e| malformed(&e))?;
    if archive.len() > MAX_ENTRIES {
        return Err(Bound::Entries);
    }
    let has = |path: &str| archive.file_names().any(|name| name.eq_ignore_ascii_case(path));
    let kind = if has("xl/workbook.xml") {
        WorkbookKind::Xlsx
    } else if has("xl/workbook.bin") {
        WorkbookKind::Xlsb
    } else if has("content.xml") {
        WorkbookKind::Ods
    } else {
        return Err(Bound::Malformed("an archive, but not a workbook".into()));
    };
    let mut left = limits.max_workbook_unpacked_bytes;
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).map_err(|e| malformed(&e))?;
        let repeating = kind == WorkbookKind::Ods && entry.name() == "content.xml";
        let mut limited = entry.by_ref().take(left);
        if repeating {
            repeated_cells(BufReader::new(&mut limited), limits.max_workbook_cells)?;
        }
        // What the XML reader left over, or the whole entry.
        std::io::copy(&mut limited, &mut std::io::sink()).map_err(|e| malformed(&e))?;
        left = limited.limit();
        if left == 0 {
            return Err(Bound::Bytes);
        }
    }
    Ok(kind)
}

/// Counts the cells of an OpenDocument sheet, whose cells and rows say how often they repeat.
fn repeated_cells(input: impl BufRead, most: u64) -> Result<(), Bound> {
    let malformed = |e: &dyn std::fmt::Display| Bound::Malformed(format!("not a sound workbook: {e}"));
    let mut reader = quick_xml::Reader::from_reader(input);
    let mut buffer = Vec::new();
    let (mut total, mut row, mut pending, mut repeats) = (0_u64, 0_u64, 0_u64, 1_u64);
    let (mut empty_rows, mut sheet_rows) = (0_u64, 0_u64);
    loop {
        buffer.clear();
        let (start, event) = match reader.read_event_into(&mut buffer).map_err(|e| malformed(&e))? {
            Event::Start(e) => (true, e),
            Event::Empty(e) => (false, e),
            Event::End(e) if e.name().as_ref() == b"table:table-row" => {
                sheet_rows = sheet_rows.saturating_add(repeats).min(MAX_SHEET_ROWS);
                // Empty rows count once others follow them.
                if row == 0 {
                    empty_rows = empty_rows.saturating_add(repeats).min(MAX_SHEET_ROWS);
                } else {
                    total = total.saturating_add((empty_rows + repeats).min(MAX_SHEET_ROWS).saturating_mul(row));
                    empty_rows = 0;
                }
                if total > most {
                    return Err(Bound::Cells);
                }
                continue;
            }
            Event::Eof => return Ok(()),
            _ => continue,
        };
        let repetition = |attribute: &[u8], most: u64| {
            let found = event.attributes().flatten().find(|a| a.key.as_ref() == attribute);
            found.and_then(|a| std::str::from_utf8(&a.value).ok()?.parse::<u64>().ok()).unwrap_or(1).min(most)
        };
        match event.name().as_ref() {
            b"table:table" => (empty_rows, sheet_rows) = (0, 0),
            b"table:table-row" if start => {
                (row, pending) = (0, 0);
                repeats = repetition(b"table:number-rows-repeated", MAX_SHEET_ROWS).min(MAX_SHEET_ROWS - sheet_rows);
            }
            b"table:table-cell" | b"table:covered-table-cell" => {
                let width = repetition(b"table:number-columns-repeated", MAX_SHEET_COLUMNS);
                // Empty cells count once others follow them.
                if start
                    || event.attributes().flatten().any(|a| a.key.as_ref().starts_with(b"office:") || a.key.as_ref() == b"table:formula")
                {
                    row = (row + pending + width).min(MAX_SHEET_COLUMNS);
                    pending = 0;
                } else {
                    pending = (pending + width).min(MAX_SHEET_COLUMNS);
                }
            }
            _ => (),
        }
    }
}

/// The old binary form: records in a stream of a compound file.
fn compound(input: BufReader<File>, limits: &PublishLimits) -> Result<WorkbookKind, Bound> {
    let malformed = |e: &dyn std::fmt::Display| Bound::Malformed(format!("not a sound workbook: {e}"));
    let mut file = cfb::CompoundFile::open(input).map_err(|e| malformed(&e))?;
    if file.is_stream("/EncryptedPackage") {
        return Err(Bound::Malformed("it is encrypted; save it without a password".into()));
    }
    let Some(path) = ["/Workbook", "/Book"].into_iter().find(|path| file.is_stream(path)) else {
        return Err(Bound::Malformed("a compound file, but not a workbook".into()));
    };
    let mut stream = Vec::new();
    let most = limits.max_workbook_bytes;
    file.open_stream(path).and_then(|s| s.take(most).read_to_end(&mut stream)).map_err(|e| malformed(&e))?;
    let sheets: Vec<usize> = records(&stream, 0)
        .filter(|(kind, _)| *kind == 0x0085)
        .filter_map(|(_, data)| Some(u32::from_le_bytes(data.get(..4)?.try_into().ok()?) as usize))
        .collect();
    if sheets.len() > MAX_SHEETS {
        return Err(Bound::Entries);
    }
    // Sheets may point to the same records, so each counts by itself.
    let total = sheets.iter().try_fold(0_u64, |total, at| {
        let total = total.saturating_add(sheet_cells(&stream, *at));
        (total <= limits.max_workbook_cells).then_some(total)
    });
    total.map_or(Err(Bound::Cells), |_| Ok(WorkbookKind::Xls))
}

/// The records of a substream: kind and data, up to its end.
fn records(stream: &[u8], at: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = stream.get(at..).unwrap_or_default();
    std::iter::from_fn(move || {
        let [a, b, c, d, tail @ ..] = rest else { return None };
        let (kind, length) = (u16::from_le_bytes([*a, *b]), usize::from(u16::from_le_bytes([*c, *d])));
        let data = tail.get(..length)?;
        rest = tail.get(length..)?;
        // 0x000A ends a substream.
        (kind != 0x000A).then_some((kind, data))
    })
}

/// Cells that a sheet's declared and real extent stand for, and its records of cells.
fn sheet_cells(stream: &[u8], at: usize) -> u64 {
    let short = |data: &[u8], at: usize| data.get(at..at + 2).map_or(0, |b| u64::from(u16::from_le_bytes([b[0], b[1]])));
    let (mut declared, mut cells) = (0_u64, 0_u64);
    let mut extent: Option<(u64, u64, u64, u64)> = None;
    for (kind, data) in records(stream, at) {
        match kind {
            0x0200 if data.len() >= 14 => {
                let long = |at: usize| short(data, at) | (short(data, at + 2) << 16);
                let area = (long(4).saturating_sub(long(0)) + 1).saturating_mul(short(data, 10).saturating_sub(short(data, 8)) + 1);
                declared = declared.saturating_add(area);
            }
            0x0200 => declared += (short(data, 2).saturating_sub(short(data, 0)) + 1) * (short(data, 6).saturating_sub(short(data, 4)) + 1),
            // Formula, number, label, truth value or error, RK, shared text, many RK.
            0x0006 | 0x0203 | 0x0204 | 0x0205 | 0x027E | 0x00FD | 0x00BD => {
                let (row, first) = (short(data, 0), short(data, 2));
                let last = if kind == 0x00BD { short(data, data.len().saturating_sub(2)).max(first) } else { first };
                cells += last - first + 1;
                let (top, bottom, left, right) = extent.unwrap_or((row, row, first, last));
                extent = Some((top.min(row), bottom.max(row), left.min(first), right.max(last)));
            }
            _ => (),
        }
    }
    let area = extent.map_or(0, |(top, bottom, left, right)| (bottom - top + 1) * (right - left + 1));
    declared.max(area).saturating_add(cells)
}
