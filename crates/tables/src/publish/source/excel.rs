//! Workbooks (`.xlsx`, `.xlsb`, `.xls`, `.ods`): one sheet, its first row with cells as the header.
//!
//! The sheet is the one that the publisher names, or the first visible one with cells. Cells have types of
//! their own, so a number that is stored as text stays text; a column of several types becomes text. All
//! workbooks of one product are typed together. The reading crate holds a sheet in memory as a whole, so
//! what a file would take is counted before it is read (see `workbook_bounds`).

use std::{
    fs::File,
    io::{BufReader, Read, Seek},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{Field, Schema},
};
use calamine::{Data, Dimensions, ExcelDateTime, Reader, SheetType, SheetVisible, Sheets};
use serde::{Deserialize, Serialize};

use super::{
    super::{Phase, Progress, PublishLimits, Work, schema::check_names},
    Inferred, Source, SourceFile,
    csv::{BATCH_ROWS, ColumnBuilder, arrow_type},
    infer::{CsvType, InferredColumn, Parsed, parse},
    part::PartWriter,
    workbook_bounds, xlsb,
};
use crate::TablesError;

/// Rows between two reports of progress.
const REPORT_ROWS: u64 = 64 * 1024;
/// Significant digits that spreadsheets show: what lies beyond is noise of the binary form.
const SHOWN_DIGITS: usize = 15;

/// How a workbook was understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InferredWorkbook {
    /// The sheet that was read.
    pub sheet: String,
    /// The row that names the columns, counted from 1.
    pub header_row: u32,
    /// One per column, in order.
    pub columns: Vec<InferredColumn>,
}

/// Workbooks to publish.
pub(super) struct ExcelSource {
    files: Vec<SourceFile>,
    inferred: Option<InferredWorkbook>,
}

impl ExcelSource {
    pub(super) fn new(files: Vec<SourceFile>) -> Self {
        Self { files, inferred: None }
    }
}

impl Source for ExcelSource {
    fn publish(&mut self, work: &mut Work<'_>) -> Result<(), TablesError> {
        let sheet = work.options().sheet.clone();
        let mut finders: Vec<CellFinder> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        // A single workbook, the common case, is read once.
        let mut kept = None;
        for file in &self.files {
            work.report(Progress::of(Phase::InferringTypes, file.name(), 0, file.size))?;
            let table = Table::read(file, sheet.as_deref(), work.limits())?;
            if names.is_empty() {
                names.clone_from(&table.names);
                finders = names.iter().map(|_| CellFinder::default()).collect();
                self.inferred =
                    Some(InferredWorkbook { sheet: table.sheet.clone(), header_row: table.header_row + 1, columns: Vec::new() });
            } else if names != table.names {
                return Err(TablesError::SchemaMismatch {
                    file: file.name(),
                    first: self.files[0].name(),
                    reason: format!("columns {} instead of {}", table.names.join(", "), names.join(", ")),
                });
            }
            for row in table.rows() {
                finders.iter_mut().enumerate().for_each(|(i, finder)| finder.see(table.cell(row, i), &work.limits().csv_null_values));
            }
            kept = (self.files.len() == 1).then_some(table);
        }
        let types: Vec<CsvType> = finders.iter().map(CellFinder::result).collect();
        if let Some(inferred) = &mut self.inferred {
            inferred.columns = names.iter().zip(&finders).map(|(name, finder)| finder.describe(name)).collect();
        }
        let fields: Vec<Field> = names.iter().zip(&types).map(|(name, kind)| Field::new(name, arrow_type(*kind), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let first = self.files.first().map(SourceFile::name).unwrap_or_default();
        let mut parts = PartWriter::begin(&first, Arc::clone(&schema), &vec!["Excel".into(); names.len()], work)?;
        for file in &self.files {
            let table = match kept.take() {
                Some(table) => table,
                None => Table::read(file, sheet.as_deref(), work.limits())?,
            };
            if table.names != names {
                return Err(table.error(table.header_row, None, "the header changed while the file was published"));
            }
            let rows: Vec<usize> = table.rows().collect();
            let mut done = 0;
            for batch in rows.chunks(BATCH_ROWS) {
                let arrays: Vec<ArrayRef> = types
                    .iter()
                    .enumerate()
                    .map(|(i, kind)| {
                        let mut builder = ColumnBuilder::new(*kind);
                        for row in batch {
                            let text = text_of(table.cell(*row, i), *kind, &work.limits().csv_null_values);
                            builder.append(text.as_deref()).map_err(|reason| table.error(table.number_of(*row), Some(i), reason))?;
                        }
                        Ok(builder.finish())
                    })
                    .collect::<Result<_, TablesError>>()?;
                let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)
                    .map_err(|e| TablesError::Write { file: file.name(), reason: e.to_string() })?;
                parts.write(&batch, work)?;
                let before = done;
                done += batch.num_rows() as u64;
                if before / REPORT_ROWS != done / REPORT_ROWS {
                    work.report(Progress::of(Phase::Converting, file.name(), done, rows.len() as u64))?;
                }
            }
        }
        parts.finish(work)
    }

    fn inferred(&mut self) -> Option<Inferred> {
        self.inferred.take().map(Inferred::Workbook)
    }
}

/// The cells of a sheet by row and column, both from 0 at A1. Rows are as long as their last cell.
struct Grid {
    rows: Vec<Vec<Data>>,
    /// Cells that the rows take, with the empty ones between.
    cells: u64,
    most: u64,
}

impl Grid {
    fn new(limits: &PublishLimits) -> Self {
        Self { rows: Vec::new(), cells: 0, most: limits.max_workbook_cells }
    }

    /// Sets a cell; `false` when the sheet would become too large.
    fn set(&mut self, row: u32, column: u32, value: Data) -> bool {
        let (row, column) = (row as usize, column as usize);
        let have = self.rows.get(row).map_or(0, Vec::len);
        let more = (column + 1).saturating_sub(have) + (row + 1).saturating_sub(self.rows.len());
        self.cells += more as u64;
        if self.cells > self.most {
            return false;
        }
        if self.rows.len() <= row {
            self.rows.resize_with(row + 1, Vec::new);
        }
        let cells = &mut self.rows[row];
        if cells.len() <= column {
            cells.resize(column + 1, Data::Empty);
        }
        cells[column] = value;
        true
    }
}

/// A sheet understood as a table.
struct Table {
    file: String,
    sheet: String,
    grid: Grid,
    header_row: u32,
    first_column: u32,
    names: Vec<String>,
}

impl Table {
    fn read(file: &SourceFile, wanted: Option<&str>, limits: &PublishLimits) -> Result<Self, TablesError> {
        if file.size > limits.max_workbook_bytes {
            return Err(TablesError::TooLarge {
                subject: file.name(),
                reason: format!(
                    "{} bytes; workbooks are read into memory, so at most {}: save it as CSV",
                    file.size, limits.max_workbook_bytes
                ),
            });
        }
        let kind = workbook_bounds::check(&file.path, &file.name(), limits)?;
        // The crate is trusted to read sound workbooks, not to survive forged ones.
        catch_unwind(AssertUnwindSafe(|| Self::read_checked(file, kind, wanted, limits))).unwrap_or_else(|_| {
            Err(TablesError::MalformedWorkbook {
                file: file.name(),
                place: String::new(),
                reason: "reading it failed in an unexpected way".into(),
            })
        })
    }

    fn read_checked(
        file: &SourceFile,
        kind: workbook_bounds::WorkbookKind,
        wanted: Option<&str>,
        limits: &PublishLimits,
    ) -> Result<Self, TablesError> {
        let malformed = |place: &str, reason: String| TablesError::MalformedWorkbook { file: file.name(), place: place.into(), reason };
        let input = Box::new(BufReader::new(File::open(&file.path).map_err(TablesError::io("reading", &file.path))?));
        let mut book = open(input, kind).map_err(|reason| malformed("", reason))?;
        let sheets: Vec<(String, bool)> = book
            .sheets_metadata()
            .iter()
            .filter(|s| s.typ == SheetType::WorkSheet)
            .map(|s| (s.name.clone(), s.visible == SheetVisible::Visible))
            .collect();
        let visible: Vec<&String> = sheets.iter().filter(|(_, visible)| *visible).map(|(name, _)| name).collect();
        let candidates: Vec<&String> = match wanted {
            // A hidden sheet is taken only when the publisher asks for it by name.
            Some(name) => match sheets.iter().find(|(sheet, _)| sheet == name) {
                Some((sheet, _)) => vec![sheet],
                None => {
                    let known: Vec<String> = visible.iter().map(|s| format!("\"{s}\"")).collect();
                    return Err(malformed("", format!("it has no sheet \"{name}\"; its sheets are {}", known.join(", "))));
                }
            },
            None => visible,
        };
        for sheet in candidates {
            let place = format!("sheet {sheet}");
            let grid = read_sheet(&mut book, sheet, limits).map_err(|problem| match problem {
                Problem::Malformed(reason) => malformed(&place, reason),
                Problem::TooManyCells => TablesError::TooLarge {
                    subject: format!("{}, {place}", file.name()),
                    reason: format!("it spans more than {} cells; save the sheet as CSV", limits.max_workbook_cells),
                },
            })?;
            let header = grid.rows.iter().position(|row| row.iter().any(|cell| !is_blank(cell)));
            if let Some(header) = header {
                let merged = merged_regions(&mut book, sheet).map_err(|reason| malformed(&place, reason))?;
                return Self::understood(file.name(), sheet.clone(), grid, header, &merged, limits);
            }
        }
        Err(malformed(
            wanted.map(|w| format!("sheet {w}")).as_deref().unwrap_or(""),
            "no cells in it; its first row must name the columns".into(),
        ))
    }

    fn understood(
        file: String,
        sheet: String,
        grid: Grid,
        header: usize,
        merged: &[Dimensions],
        limits: &PublishLimits,
    ) -> Result<Self, TablesError> {
        let header_row = u32::try_from(header).unwrap_or(u32::MAX);
        let cells = &grid.rows[header];
        let first = cells.iter().position(|c| !is_blank(c)).unwrap_or(0);
        let last = cells.iter().rposition(|c| !is_blank(c)).unwrap_or(0);
        let mut table = Self { file, sheet, header_row, first_column: u32::try_from(first).unwrap_or(u32::MAX), names: Vec::new(), grid };
        if last - first >= limits.max_columns {
            return Err(TablesError::TooLarge {
                subject: format!("{}, sheet {}", table.file, table.sheet),
                reason: format!("{} columns; at most {} are supported", last - first + 1, limits.max_columns),
            });
        }
        if let Some(region) = merged.iter().find(|m| m.start.0 <= header_row && header_row <= m.end.0) {
            let (from, to) = (address(region.start.0, region.start.1), address(region.end.0, region.end.1));
            return Err(table.error(
                header_row,
                None,
                &format!("the cells {from} to {to} are merged, and the first row with cells must name each column; unmerge them, or remove title rows"),
            ));
        }
        let mut names = Vec::new();
        for at in first..=last {
            let column = at - first;
            let name = match &table.grid.rows[header][at] {
                Data::Error(e) => return Err(table.error(header_row, Some(column), &format!("{e} where a column name was expected"))),
                cell if is_blank(cell) => {
                    return Err(table.error(header_row, Some(column), "no column name; give every column a name, or remove title rows"));
                }
                cell => text_of(cell, CsvType::Text, &[]).unwrap_or_default().trim().to_owned(),
            };
            names.push(name);
        }
        for (i, name) in names.iter().enumerate() {
            if let Some(other) = names[..i].iter().position(|n| n.to_lowercase() == name.to_lowercase()) {
                let column = u32::try_from(other).unwrap_or(u32::MAX).saturating_add(table.first_column);
                return Err(table.error(
                    header_row,
                    Some(i),
                    &format!(
                        "the column name \"{name}\" is taken by cell {}; letter case is ignored by many clients, so rename one",
                        address(header_row, column)
                    ),
                ));
            }
        }
        check_names(&format!("{}, sheet {}", table.file, table.sheet), names.iter().map(String::as_str))?;
        table.names = names;
        // A value beside the columns would be lost.
        for row in table.rows() {
            let cells = &table.grid.rows[row];
            let outside = cells.iter().enumerate().position(|(i, cell)| (i < first || i > last) && !is_blank(cell));
            if let Some(at) = outside {
                let place = address(table.number_of(row), u32::try_from(at).unwrap_or(u32::MAX));
                return Err(TablesError::MalformedWorkbook {
                    file: table.file.clone(),
                    place: format!("sheet {}, cell {place}", table.sheet),
                    reason: "a value in a column without a name; name the column in the first row, or clear the cell".into(),
                });
            }
        }
        Ok(table)
    }

    /// The rows of the grid that are rows of the table: those below the header with any value.
    fn rows(&self) -> impl Iterator<Item = usize> {
        let from = self.header_row as usize + 1;
        (from..self.grid.rows.len()).filter(|row| self.grid.rows[*row].iter().any(|cell| !is_blank(cell)))
    }

    /// A cell by its row in the grid and its column in the table.
    fn cell(&self, row: usize, column: usize) -> &Data {
        self.grid.rows[row].get(column + self.first_column as usize).unwrap_or(&Data::Empty)
    }

    #[expect(clippy::unused_self, reason = "rows of a grid are numbered as in the sheet")]
    fn number_of(&self, row: usize) -> u32 {
        u32::try_from(row).unwrap_or(u32::MAX)
    }

    /// An error at a row (from 0) and perhaps a column of the table.
    fn error(&self, row: u32, column: Option<usize>, reason: &str) -> TablesError {
        let place = match column {
            Some(column) => format!(", cell {}", address(row, u32::try_from(column).unwrap_or(u32::MAX).saturating_add(self.first_column))),
            None => format!(", row {}", row + 1),
        };
        TablesError::MalformedWorkbook { file: self.file.clone(), place: format!("sheet {}{place}", self.sheet), reason: reason.into() }
    }
}

/// Why a sheet was not read.
enum Problem {
    Malformed(String),
    TooManyCells,
}

/// A file, or what was made of it in memory.
trait Input: Read + Seek {}
impl<T: Read + Seek> Input for T {}

type Book = Sheets<Box<dyn Input>>;

fn open(input: Box<dyn Input>, kind: workbook_bounds::WorkbookKind) -> Result<Book, String> {
    use workbook_bounds::WorkbookKind;
    Ok(match kind {
        WorkbookKind::Xlsx => Sheets::Xlsx(calamine::open_workbook_from_rs(input).map_err(|e: calamine::XlsxError| e.to_string())?),
        WorkbookKind::Xlsb => Sheets::Xlsb(
            calamine::open_workbook_from_rs(Box::new(xlsb::in_full(input)?) as Box<dyn Input>)
                .map_err(|e: calamine::XlsbError| e.to_string())?,
        ),
        WorkbookKind::Xls => Sheets::Xls(calamine::open_workbook_from_rs(input).map_err(|e: calamine::XlsError| e.to_string())?),
        WorkbookKind::Ods => Sheets::Ods(calamine::open_workbook_from_rs(input).map_err(|e: calamine::OdsError| e.to_string())?),
    })
}

/// The cells of a sheet. Where the crate can give them one by one they are counted as they come.
fn read_sheet(book: &mut Book, sheet: &str, limits: &PublishLimits) -> Result<Grid, Problem> {
    let mut grid = Grid::new(limits);
    let mut take = |row, column, value| if grid.set(row, column, value) { Ok(()) } else { Err(Problem::TooManyCells) };
    macro_rules! stream {
        ($book:expr) => {{
            let mut cells = $book.worksheet_cells_reader(sheet).map_err(|e| Problem::Malformed(e.to_string()))?;
            while let Some(cell) = cells.next_cell().map_err(|e| Problem::Malformed(e.to_string()))? {
                let (row, column) = cell.get_position();
                let value = Data::from(cell.get_value().clone());
                if value != Data::Empty {
                    take(row, column, value)?;
                }
            }
        }};
    }
    match book {
        Sheets::Xlsx(book) => stream!(book),
        Sheets::Xlsb(book) => stream!(book),
        other => {
            let range = other.worksheet_range(sheet).map_err(|e| Problem::Malformed(e.to_string()))?;
            let (top, left) = range.start().unwrap_or_default();
            for (row, column, value) in range.used_cells() {
                let (row, column) = (u32::try_from(row).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX));
                take(row.saturating_add(top), column.saturating_add(left), value.clone())?;
            }
        }
    }
    Ok(grid)
}

/// The merged cells of a sheet, where the format tells them apart from empty ones.
fn merged_regions(book: &mut Book, sheet: &str) -> Result<Vec<Dimensions>, String> {
    match book {
        Sheets::Xlsx(book) => book.worksheet_merge_cells(sheet).unwrap_or(Ok(Vec::new())).map_err(|e| e.to_string()),
        Sheets::Xls(book) => Ok(book.worksheet_merge_cells(sheet).unwrap_or_default()),
        Sheets::Xlsb(_) | Sheets::Ods(_) => Ok(Vec::new()),
    }
}

/// `C1` for the first row and third column, both from 0.
fn address(row: u32, column: u32) -> String {
    let mut letters = Vec::new();
    let mut left = u64::from(column) + 1;
    while left > 0 {
        left -= 1;
        letters.push(b'A' + u8::try_from(left % 26).unwrap_or(0));
        left /= 26;
    }
    letters.reverse();
    format!("{}{}", String::from_utf8_lossy(&letters), u64::from(row) + 1)
}

fn is_blank(cell: &Data) -> bool {
    match cell {
        Data::Empty => true,
        Data::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Narrows the type of a column cell by cell.
#[derive(Default)]
struct CellFinder {
    found: Option<CsvType>,
    empty: u64,
    null_markers: u64,
    errors: u64,
}

impl CellFinder {
    fn see(&mut self, cell: &Data, null_values: &[String]) {
        let kind = match cell {
            cell if is_blank(cell) => {
                self.empty += 1;
                return;
            }
            Data::Error(_) => {
                self.errors += 1;
                return;
            }
            Data::String(text) if null_values.contains(text) => {
                self.null_markers += 1;
                return;
            }
            other => kind_of(other),
        };
        self.found = Some(match (self.found, kind) {
            (None, kind) => kind,
            (Some(a), b) if a == b => a,
            (Some(CsvType::Int), CsvType::Float) | (Some(CsvType::Float), CsvType::Int) => CsvType::Float,
            (Some(CsvType::Date), CsvType::TimestampNtz) | (Some(CsvType::TimestampNtz), CsvType::Date) => CsvType::TimestampNtz,
            _ => CsvType::Text,
        });
    }

    /// The type of the column. A column without any value is text.
    fn result(&self) -> CsvType {
        self.found.unwrap_or(CsvType::Text)
    }

    fn describe(&self, name: &str) -> InferredColumn {
        InferredColumn {
            name: name.into(),
            data_type: self.result().delta_name().into(),
            empty: self.empty,
            null_markers: self.null_markers,
            errors: self.errors,
        }
    }
}

/// Whole numbers up to here are exact in the numbers that spreadsheets store.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn is_whole(value: f64) -> bool {
    value.fract() == 0.0 && value.abs() <= EXACT && !(value == 0.0 && value.is_sign_negative())
}

fn kind_of(cell: &Data) -> CsvType {
    match cell {
        Data::Int(_) => CsvType::Int,
        Data::Float(v) if is_whole(*v) => CsvType::Int,
        Data::Float(_) => CsvType::Float,
        Data::Bool(_) => CsvType::Bool,
        Data::DateTime(time) => match moment(time) {
            Some((_, None)) => CsvType::Date,
            Some((_, Some(_))) => CsvType::TimestampNtz,
            None => CsvType::Text,
        },
        Data::DateTimeIso(text) => match parse(text) {
            Parsed::Date(_) => CsvType::Date,
            Parsed::TimestampNtz(_) => CsvType::TimestampNtz,
            _ => CsvType::Text,
        },
        Data::String(_) | Data::DurationIso(_) | Data::Error(_) | Data::Empty => CsvType::Text,
    }
}

/// The day of a serial date and, unless it is midnight, the time of day. `None` for a length of time, a time of
/// day alone, and the 29th of February 1900, which is a day in spreadsheets only.
fn moment(time: &ExcelDateTime) -> Option<(String, Option<String>)> {
    // 9999-12-31 is the last day that has a number.
    if time.is_duration() || !(1.0..2_958_466.0).contains(&time.as_f64()) {
        return None;
    }
    let micros = time.as_datetime()?.and_utc().timestamp_micros();
    let moment = jiff::Timestamp::from_microsecond(micros).ok()?.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    if (60.0..61.0).contains(&time.as_f64()) && moment.date() == jiff::civil::date(1900, 2, 28) {
        return None;
    }
    let clock = (moment.time() != jiff::civil::Time::midnight()).then(|| moment.time().to_string());
    Some((moment.date().to_string(), clock))
}

fn clock_text(hour: u64, minute: u8, second: u8, milli: u16) -> String {
    let seconds = format!("{hour:02}:{minute:02}:{second:02}");
    if milli == 0 { seconds } else { format!("{seconds}.{milli:03}") }
}

/// A cell as the text from which a column of this type is built; `None` when the value is missing.
fn text_of(cell: &Data, kind: CsvType, null_values: &[String]) -> Option<String> {
    if is_blank(cell) {
        return None;
    }
    Some(match cell {
        Data::Error(_) | Data::Empty => return None,
        Data::String(text) if kind != CsvType::Text && null_values.contains(text) => return None,
        Data::Int(v) => v.to_string(),
        #[expect(clippy::cast_possible_truncation, reason = "whole and at most 2^53")]
        Data::Float(v) if kind == CsvType::Int && is_whole(*v) => (*v as i64).to_string(),
        Data::Float(v) if kind == CsvType::Text => shown(*v),
        // With a point or an exponent always, so that no large number is taken for a whole one.
        Data::Float(v) => format!("{v:?}"),
        Data::Bool(v) => v.to_string(),
        Data::DateTime(time) => match (moment(time), kind) {
            (Some((day, None)), CsvType::TimestampNtz) => format!("{day}T00:00:00"),
            (Some((day, None)), _) => day,
            (Some((day, Some(clock))), CsvType::Text) => format!("{day} {clock}"),
            (Some((day, Some(clock))), _) => format!("{day}T{clock}"),
            (None, _) => length_of_time(time),
        },
        Data::DateTimeIso(text) if kind == CsvType::TimestampNtz && matches!(parse(text), Parsed::Date(_)) => format!("{text}T00:00:00"),
        Data::String(text) | Data::DurationIso(text) | Data::DateTimeIso(text) => text.clone(),
    })
}

/// A number as a spreadsheet shows it: without what the binary form adds beyond 15 digits.
fn shown(value: f64) -> String {
    if is_whole(value) && value.abs() < 1e15 {
        return format!("{value}");
    }
    let rounded: f64 = format!("{value:.*e}", SHOWN_DIGITS - 1).parse().unwrap_or(value);
    if (1e-5..1e15).contains(&rounded.abs()) { format!("{rounded}") } else { format!("{rounded:e}") }
}

/// Hours, minutes and seconds; hours may be more than a day has.
fn length_of_time(time: &ExcelDateTime) -> String {
    let value = time.as_f64();
    // Beyond this the day is none that a spreadsheet has a number for.
    if !(0.0..2_958_466.0).contains(&value) {
        return shown(value);
    }
    if !time.is_duration() && value >= 1.0 {
        return shown(value);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range just checked")]
    let millis = (value * 86_400_000.0).round() as u64;
    let part = |unit: u64, of: u64| u8::try_from(millis / unit % of).unwrap_or(0);
    clock_text(millis / 3_600_000, part(60_000, 60), part(1_000, 60), u16::try_from(millis % 1_000).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::{io::Write, path::PathBuf};

    use arrow::{
        array::AsArray,
        datatypes::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType},
    };
    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::{
        super::super::{
            PublishOptions, PublishedTable, TableSource,
            fixtures::{publish, publish_within, read},
            publish_table,
        },
        *,
    };

    fn fixture(name: &str) -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/workbooks")).join(name)
    }

    /// Publishes one sheet and gives the table with its only file.
    fn sheet_of(path: PathBuf, sheet: Option<&str>) -> Result<(PublishedTable, RecordBatch), TablesError> {
        let dir = tempfile::tempdir().unwrap();
        let options = PublishOptions { sheet: sheet.map(Into::into), ..PublishOptions::default() };
        let table = publish_table(&TableSource::Paths(vec![path]), &dir.path().join("out"), &options, &mut |_| ())?;
        let batch = read(&dir.path().join("out/part-00000.parquet"));
        Ok((table, batch))
    }

    fn texts(batch: &RecordBatch, column: usize) -> Vec<Option<&str>> {
        batch.column(column).as_string::<i32>().iter().collect()
    }

    #[test]
    fn every_form_of_workbook_gives_the_same_table() {
        for name in ["measurements.xlsx", "measurements.xlsb", "short.xlsb", "measurements.xls", "measurements.ods", "epoch1904.xlsx"] {
            let (table, batch) = sheet_of(fixture(name), None).unwrap();
            let types: Vec<&str> = table.schema.columns.iter().map(|c| c.data_type.as_str().unwrap()).collect();
            assert_eq!(types, ["long", "double", "string", "boolean", "date", "timestamp_ntz", "string", "string"], "{name}");
            let names: Vec<&str> = table.schema.columns.iter().map(|c| c.name.as_str()).collect();
            assert_eq!(names, ["id", "price", "city", "ok", "day", "at", "mixed", "code"], "{name}");
            assert_eq!(batch.column(0).as_primitive::<Int64Type>().values(), &[1, 2, -3], "{name}");
            assert_eq!(
                batch.column(1).as_primitive::<Float64Type>().iter().collect::<Vec<_>>(),
                [Some(0.5), None, Some(1250.25)],
                "{name}"
            );
            assert_eq!(texts(&batch, 2), [Some("苏州"), None, Some("Hefei")], "{name}");
            assert_eq!(batch.column(3).as_boolean().iter().flatten().collect::<Vec<_>>(), [true, false, true], "{name}");
            let early = if name == "epoch1904.xlsx" { -24_106 } else { -25_567 };
            assert_eq!(batch.column(4).as_primitive::<Date32Type>().values(), &[19_782, early, 10_956], "{name}");
            let at = batch.column(5).as_primitive::<TimestampMicrosecondType>();
            assert_eq!(at.values(), &[1_709_211_907_000_000, 1_709_251_200_000_000, 1_000_000], "{name}");
            assert_eq!(texts(&batch, 6), [Some("0.3"), Some("x"), Some("12")], "{name}");
            assert_eq!(texts(&batch, 7), [Some("007"), Some("008"), Some("9")], "{name}");
            let workbook = table.workbook.unwrap();
            assert_eq!(workbook.sheet, "Sales", "{name}");
            assert_eq!(workbook.columns[1].empty, 1, "{name}");
            assert!(table.inferred.is_none());
        }
    }

    #[test]
    fn a_sheet_can_be_named() {
        let (table, batch) = sheet_of(fixture("measurements.xlsx"), Some("Second")).unwrap();
        assert_eq!(batch.column(0).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [None, Some(5)]);
        assert_eq!(table.workbook.unwrap().columns[0].errors, 1);
        // A hidden one too, when it is asked for.
        assert_eq!(sheet_of(fixture("measurements.xlsx"), Some("Hidden")).unwrap().0.rows, 1);
        let error = sheet_of(fixture("measurements.xlsx"), Some("None")).unwrap_err();
        assert_eq!(error.kind(), "malformed-workbook");
        assert!(error.to_string().contains("no sheet \"None\"; its sheets are \"Blank\", \"Sales\""), "{error}");
        let error = sheet_of(fixture("measurements.xlsx"), Some("Merged")).unwrap_err().to_string();
        assert!(error.contains("sheet Merged, row 1: the cells A1 to B1 are merged"), "{error}");
    }

    #[test]
    fn workbooks_and_csv_mix_when_their_columns_agree() {
        let dir = tempfile::tempdir().unwrap();
        let csv = dir.path().join("more.csv");
        std::fs::write(&csv, "a,b\n7,8\n").unwrap();
        let book = dir.path().join("first.xlsx");
        write_xlsx(&book, &rows(&[&["s:a", "s:b"], &["1", "2"]]));
        assert_eq!(publish(&[csv, book.clone()], &dir.path().join("out")).unwrap().rows, 2);
        // Two workbooks are typed together.
        let other = dir.path().join("second.xlsx");
        write_xlsx(&other, &rows(&[&["s:a", "s:b"], &["1.5", "2"]]));
        let table = publish(&[book, other], &dir.path().join("both")).unwrap();
        assert_eq!((table.rows, table.schema.columns[0].data_type.as_str()), (2, Some("double")));
    }

    /// Rows of a sheet as XML; `s:` marks a text.
    fn rows(rows: &[&[&str]]) -> String {
        let cell = |(c, value): (usize, &&str), r: usize| {
            let at = address(u32::try_from(r).unwrap(), u32::try_from(c).unwrap());
            match value.strip_prefix("s:") {
                Some(text) => format!("<c r=\"{at}\" t=\"inlineStr\"><is><t>{text}</t></is></c>"),
                None if value.is_empty() => String::new(),
                None => format!("<c r=\"{at}\"><v>{value}</v></c>"),
            }
        };
        rows.iter()
            .enumerate()
            .map(|(r, row)| format!("<row r=\"{}\">{}</row>", r + 1, row.iter().enumerate().map(|v| cell(v, r)).collect::<String>()))
            .collect()
    }

    /// The least that is a workbook.
    fn write_xlsx(path: &std::path::Path, sheet_data: &str) {
        const NS: &str = "http://schemas.openxmlformats.org";
        let mut zip = ZipWriter::new(File::create(path).unwrap());
        for (name, text) in [
            (
                "xl/workbook.xml",
                format!(
                    "<workbook xmlns=\"{NS}/spreadsheetml/2006/main\" xmlns:r=\"{NS}/officeDocument/2006/relationships\"><sheets>\
                     <sheet name=\"S\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
                ),
            ),
            (
                "xl/_rels/workbook.xml.rels",
                format!(
                    "<Relationships xmlns=\"{NS}/package/2006/relationships\"><Relationship Id=\"r1\" \
                     Type=\"{NS}/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
                ),
            ),
            (
                "xl/worksheets/sheet1.xml",
                format!("<worksheet xmlns=\"{NS}/spreadsheetml/2006/main\"><sheetData>{sheet_data}</sheetData></worksheet>"),
            ),
        ] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let cases: &[(&[&[&str]], &str)] = &[
            (&[], "no cells in it"),
            (&[&["s:a", "", "s:c"], &["1", "2", "3"]], "sheet S, cell B1: no column name"),
            (&[&["s:a", "s:A"], &["1", "2"]], "sheet S, cell B1: the column name \"A\" is taken by cell A1"),
            (&[&["s:a"], &["1"], &["2", "", "3"]], "sheet S, cell C3: a value in a column without a name"),
        ];
        for (i, (cells, expected)) in cases.iter().enumerate() {
            let path = dir.path().join(format!("{i}.xlsx"));
            write_xlsx(&path, &rows(cells));
            let error = sheet_of(path, None).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.kind(), "malformed-workbook");
        }
        let noise = dir.path().join("noise.xlsx");
        std::fs::write(&noise, b"PK\x03\x04 and nothing more").unwrap();
        assert_eq!(sheet_of(noise.clone(), None).unwrap_err().kind(), "malformed-workbook");
        std::fs::write(&noise, b"a,b\n1,2\n").unwrap();
        assert!(sheet_of(noise, None).unwrap_err().to_string().contains("not a workbook"));
    }

    /// Every workbook of the fixtures, cut short at some places: refused, and without a panic that escapes.
    #[test]
    fn truncated_workbooks_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["measurements.xlsx", "measurements.xlsb", "measurements.xls", "measurements.ods"] {
            let bytes = std::fs::read(fixture(name)).unwrap();
            for part in 1..8 {
                let path = dir.path().join(name);
                std::fs::write(&path, &bytes[..bytes.len() * part / 8]).unwrap();
                let kind = sheet_of(path, None).unwrap_err().kind();
                assert!(matches!(kind, "malformed-workbook" | "too-large"), "{name} {part}: {kind}");
            }
        }
    }

    #[test]
    fn workbooks_that_would_not_fit_are_refused_before_they_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("corners.xlsx");
        write_xlsx(&path, "<row r=\"1\"><c r=\"A1\"><v>1</v></c></row><row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row>");
        let few = || PublishLimits { max_workbook_cells: 1_000, ..PublishLimits::default() };
        assert_eq!(publish_within(&[path], &dir.path().join("out"), few()).unwrap_err().kind(), "too-large");
        let path = dir.path().join("bomb.xlsx");
        write_xlsx(&path, &" ".repeat(8 << 20));
        let limits = PublishLimits { max_workbook_unpacked_bytes: 1 << 20, ..PublishLimits::default() };
        let error = publish_within(std::slice::from_ref(&path), &dir.path().join("out"), limits).unwrap_err();
        assert!(error.to_string().contains("unpacks to more than"), "{error}");
        let limits = PublishLimits { max_workbook_bytes: 100, ..PublishLimits::default() };
        assert!(publish_within(&[path], &dir.path().join("out"), limits).unwrap_err().to_string().contains("save it as CSV"));
        // Four bytes of repetition stand for any number of cells.
        let path = dir.path().join("repeated.ods");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        zip.start_file("content.xml", SimpleFileOptions::default()).unwrap();
        let row = "<table:table-row><table:table-cell office:value-type=\"float\" office:value=\"1\" \
                   table:number-columns-repeated=\"9999\"/></table:table-row>";
        zip.write_all(format!("<o xmlns:table=\"t\" xmlns:office=\"o\"><table:table>{}</table:table></o>", row.repeat(3)).as_bytes())
            .unwrap();
        zip.finish().unwrap();
        assert_eq!(publish_within(&[path], &dir.path().join("out"), few()).unwrap_err().kind(), "too-large");
        for name in ["measurements.xls", "measurements.ods", "measurements.xlsb"] {
            let limits = PublishLimits { max_workbook_cells: 20, ..PublishLimits::default() };
            assert_eq!(publish_within(&[fixture(name)], &dir.path().join("out"), limits).unwrap_err().kind(), "too-large", "{name}");
        }
    }

    #[test]
    fn numbers_are_shown_without_noise() {
        for (value, text) in
            [(0.1 + 0.2, "0.3"), (12.0, "12"), (-0.5, "-0.5"), (1e21, "1e21"), (1.5e-9, "1.5e-9"), (123_456_789.125, "123456789.125")]
        {
            assert_eq!(shown(value), text);
        }
        assert_eq!(
            (address(0, 0), address(9, 25), address(0, 26), address(1_048_575, 16_383)),
            ("A1".into(), "Z10".into(), "AA1".into(), "XFD1048576".into())
        );
        assert_eq!(length_of_time(&ExcelDateTime::new(1.5, calamine::ExcelDateTimeType::TimeDelta, false)), "36:00:00");
        assert_eq!(length_of_time(&ExcelDateTime::new(0.25, calamine::ExcelDateTimeType::DateTime, false)), "06:00:00");
    }
}
