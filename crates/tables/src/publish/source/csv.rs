//! CSV files (RFC 4180, UTF-8): read twice, once to find the types, once to write Parquet.
//!
//! A header line is required. The delimiter (`,` `;` `|` or a tab) is taken from the first lines. Blank
//! lines are skipped. All CSV files of one product are typed together, so that they have one schema.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufReader, Read},
    rc::Rc,
    sync::Arc,
};

use ::csv::{ByteRecord, ReaderBuilder};
use arrow::{
    array::{
        ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
    },
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};

use super::{
    super::{
        ColumnAccumulator, DataFile, FileStats, ParquetFile, Phase, Progress, PublishLimits, TableSchema, Work, part_name,
        schema::check_names,
    },
    Inferred, Source, SourceFile,
    infer::{CsvType, InferredColumn, InferredCsv, Parsed, TypeFinder, parse},
};
use crate::TablesError;

/// Delimiters looked for, the commonest first.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];
/// Bytes at the start of a file by which the delimiter is found.
const SNIFF_BYTES: u64 = 64 * 1024;
/// Records at the start of a file by which the delimiter is found.
const SNIFF_RECORDS: usize = 50;
/// Rows written at once.
pub(super) const BATCH_ROWS: usize = 8192;
/// Text bytes in a batch at which it is written early, to bound memory when values are long.
pub(super) const BATCH_BYTES: usize = 32 * 1024 * 1024;
/// Records between two reports of progress.
const REPORT_RECORDS: u64 = 128 * 1024;
/// The csv reader's own buffer, which it fills ahead of the record it is at.
const READ_AHEAD: u64 = 64 * 1024;

/// CSV files to publish.
pub(super) struct CsvSource {
    files: Vec<SourceFile>,
    inferred: Option<InferredCsv>,
}

impl CsvSource {
    pub(super) fn new(files: Vec<SourceFile>) -> Self {
        Self { files, inferred: None }
    }
}

impl Source for CsvSource {
    fn publish(&mut self, work: &mut Work<'_>) -> Result<(), TablesError> {
        let table = infer(std::mem::take(&mut self.files), work)?;
        self.inferred = Some(table.description());
        table.publish(work)
    }

    fn inferred(&mut self) -> Option<Inferred> {
        self.inferred.take().map(Inferred::Csv)
    }
}

/// CSV files whose types have been found.
struct CsvTable {
    files: Vec<SourceFile>,
    delimiter: u8,
    null_values: Vec<String>,
    names: Vec<String>,
    finders: Vec<TypeFinder>,
}

/// Reads CSV files completely to find their delimiter and their columns' types.
fn infer(files: Vec<SourceFile>, work: &mut Work<'_>) -> Result<CsvTable, TablesError> {
    let limits = work.limits();
    let mut table: Option<CsvTable> = None;
    for file in &files {
        let delimiter = sniff(file)?;
        let mut records = Records::open(file, delimiter, limits)?;
        let names = records.header()?;
        if names.len() > limits.max_columns {
            return Err(TablesError::TooLarge {
                subject: file.name(),
                reason: format!("{} columns; at most {} are supported", names.len(), limits.max_columns),
            });
        }
        check_names(&file.name(), names.iter().map(String::as_str))?;
        let table = table.get_or_insert_with(|| CsvTable {
            files: Vec::new(),
            delimiter,
            null_values: limits.csv_null_values.clone(),
            finders: vec![TypeFinder::default(); names.len()],
            names: names.clone(),
        });
        if table.names != names {
            let reason = match names.iter().zip(&table.names).find(|(a, b)| a != b) {
                Some((theirs, ours)) => format!("column \"{theirs}\" where \"{ours}\" was expected"),
                None => format!("{} columns instead of {}", names.len(), table.names.len()),
            };
            return Err(TablesError::SchemaMismatch { file: file.name(), first: files[0].name(), reason });
        }
        let mut count = 0_u64;
        while let Some(row) = records.next()? {
            for (i, finder) in table.finders.iter_mut().enumerate() {
                finder.see(row.text(i)?, &table.null_values);
            }
            count += 1;
            if count.is_multiple_of(REPORT_RECORDS) {
                work.report(Progress::of(Phase::InferringTypes, file.name(), records.position(), file.size))?;
            }
        }
    }
    let mut table = table.ok_or_else(|| TablesError::Empty("no CSV file".into()))?;
    table.files = files;
    Ok(table)
}

impl CsvTable {
    /// How the files were understood.
    fn description(&self) -> InferredCsv {
        InferredCsv {
            delimiter: char::from(self.delimiter),
            null_values: self.null_values.clone(),
            columns: self
                .names
                .iter()
                .zip(&self.finders)
                .map(|(name, finder)| InferredColumn {
                    name: name.clone(),
                    data_type: finder.result().delta_name().into(),
                    empty: finder.empty,
                    null_markers: finder.null_markers,
                    errors: 0,
                })
                .collect(),
        }
    }

    fn arrow_schema(&self) -> SchemaRef {
        let fields: Vec<Field> =
            self.names.iter().zip(&self.finders).map(|(name, finder)| Field::new(name, arrow_type(finder.result()), true)).collect();
        Arc::new(Schema::new(fields))
    }

    /// A value as its column's type, `None` when missing.
    fn append(&self, column: &mut ColumnBuilder, text: &str) -> Result<(), &'static str> {
        let missing = text.is_empty() || (!matches!(column, ColumnBuilder::Text(_)) && self.null_values.iter().any(|n| n == text));
        if missing { column.append(None) } else { column.append(Some(text)) }
    }

    fn name(&self) -> String {
        self.files.first().map(SourceFile::name).unwrap_or_default()
    }

    /// Writes the values as Parquet.
    fn publish(&self, work: &mut Work<'_>) -> Result<(), TablesError> {
        let arrow_schema = self.arrow_schema();
        let source_types = vec![String::from("CSV"); self.names.len()];
        let schema = TableSchema::from_arrow(&self.name(), &arrow_schema, &source_types, work.limits())?;
        work.schema(&self.name(), schema)?;
        let mut part = Part::create(self, work, &arrow_schema)?;
        for source in &self.files {
            let mut records = Records::open(source, sniff(source)?, work.limits())?;
            if records.header()? != self.names {
                return Err(TablesError::MalformedCsv {
                    file: source.name(),
                    line: 1,
                    column: None,
                    reason: "the header changed while the file was published".into(),
                });
            }
            let mut count = 0_u64;
            while let Some(row) = records.next()? {
                part.append(self, &row)?;
                count += 1;
                if part.batch_is_full() {
                    part.write_batch()?;
                    if part.file.size() >= work.limits().target_file_bytes {
                        part.finish(work)?;
                        part = Part::create(self, work, &arrow_schema)?;
                    }
                }
                if count.is_multiple_of(REPORT_RECORDS) {
                    work.report(Progress::of(Phase::Converting, source.name(), records.position(), source.size))?;
                }
            }
        }
        part.finish(work)
    }
}

pub(super) fn arrow_type(kind: CsvType) -> DataType {
    match kind {
        CsvType::Bool => DataType::Boolean,
        CsvType::Int => DataType::Int64,
        CsvType::Float => DataType::Float64,
        CsvType::Date => DataType::Date32,
        CsvType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        CsvType::TimestampNtz => DataType::Timestamp(TimeUnit::Microsecond, None),
        CsvType::Text => DataType::Utf8,
    }
}

/// Collects a batch's values of one column.
pub(super) enum ColumnBuilder {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    TimestampNtz(TimestampMicrosecondBuilder),
    Text(StringBuilder),
}

impl ColumnBuilder {
    pub(super) fn new(kind: CsvType) -> Self {
        match kind {
            CsvType::Bool => Self::Bool(BooleanBuilder::new()),
            CsvType::Int => Self::Int(Int64Builder::new()),
            CsvType::Float => Self::Float(Float64Builder::new()),
            CsvType::Date => Self::Date(Date32Builder::new()),
            CsvType::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            CsvType::TimestampNtz => Self::TimestampNtz(TimestampMicrosecondBuilder::new()),
            CsvType::Text => Self::Text(StringBuilder::new()),
        }
    }

    pub(super) fn append(&mut self, text: Option<&str>) -> Result<(), &'static str> {
        if let Self::Text(b) = self {
            b.append_option(text);
            return Ok(());
        }
        let parsed = text.map(parse);
        #[expect(clippy::cast_precision_loss, reason = "larger whole numbers make the column text")]
        match (self, parsed) {
            (Self::Bool(b), None) => b.append_null(),
            (Self::Int(b), None) => b.append_null(),
            (Self::Float(b), None) => b.append_null(),
            (Self::Date(b), None) => b.append_null(),
            (Self::Timestamp(b) | Self::TimestampNtz(b), None) => b.append_null(),
            (Self::Bool(b), Some(Parsed::Bool(v))) => b.append_value(v),
            (Self::Int(b), Some(Parsed::Int(v))) => b.append_value(v),
            (Self::Float(b), Some(Parsed::Float(v))) => b.append_value(v),
            (Self::Float(b), Some(Parsed::Int(v))) => b.append_value(v as f64),
            (Self::Date(b), Some(Parsed::Date(v))) => b.append_value(v),
            (Self::Timestamp(b), Some(Parsed::Timestamp(v))) | (Self::TimestampNtz(b), Some(Parsed::TimestampNtz(v))) => b.append_value(v),
            _ => return Err("the value does not have the type found for its column; did the file change meanwhile?"),
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(b) => Arc::new(b.finish()),
            Self::Int(b) => Arc::new(b.finish()),
            Self::Float(b) => Arc::new(b.finish()),
            Self::Date(b) => Arc::new(b.finish()),
            Self::Timestamp(b) | Self::TimestampNtz(b) => Arc::new(b.finish()),
            Self::Text(b) => Arc::new(b.finish()),
        }
    }
}

/// A Parquet file being filled from CSV.
struct Part {
    name: String,
    file: ParquetFile,
    schema: SchemaRef,
    builders: Vec<ColumnBuilder>,
    columns: Vec<ColumnAccumulator>,
    batch_rows: usize,
    batch_bytes: usize,
    rows: u64,
}

impl Part {
    fn create(table: &CsvTable, work: &Work<'_>, schema: &SchemaRef) -> Result<Self, TablesError> {
        let name = part_name(work.next_number());
        Ok(Self {
            file: ParquetFile::create(&work.dir().join(&name), schema.clone())?,
            name,
            schema: schema.clone(),
            builders: table.finders.iter().map(|f| ColumnBuilder::new(f.result())).collect(),
            columns: table.names.iter().map(|n| ColumnAccumulator::new(n, false)).collect(),
            batch_rows: 0,
            batch_bytes: 0,
            rows: 0,
        })
    }

    fn append(&mut self, table: &CsvTable, row: &Row<'_>) -> Result<(), TablesError> {
        for (i, builder) in self.builders.iter_mut().enumerate() {
            let text = row.text(i)?;
            self.batch_bytes += text.len();
            table.append(builder, text).map_err(|reason| row.error(Some(i), reason.into()))?;
        }
        self.batch_rows += 1;
        self.rows += 1;
        Ok(())
    }

    fn batch_is_full(&self) -> bool {
        self.batch_rows >= BATCH_ROWS || self.batch_bytes >= BATCH_BYTES
    }

    fn write_batch(&mut self) -> Result<(), TablesError> {
        let arrays: Vec<ArrayRef> = self.builders.iter_mut().map(ColumnBuilder::finish).collect();
        self.columns.iter_mut().zip(&arrays).for_each(|(column, values)| column.add(values));
        let batch = RecordBatch::try_new(self.schema.clone(), arrays)
            .map_err(|e| TablesError::Write { file: self.name.clone(), reason: e.to_string() })?;
        (self.batch_rows, self.batch_bytes) = (0, 0);
        self.file.write(&batch)
    }

    fn finish(mut self, work: &mut Work<'_>) -> Result<(), TablesError> {
        if self.batch_rows > 0 {
            self.write_batch()?;
        }
        let (size_bytes, sha256) = self.file.finish()?;
        let mut stats = FileStats { num_records: self.rows, ..FileStats::default() };
        self.columns.iter().for_each(|c| c.write_stats(&mut stats));
        work.add(DataFile { name: self.name, size_bytes, sha256, rows: self.rows, stats, path: None, origin: None }, &self.columns)
    }
}

/// Lets a reader take only so many bytes before the budget is renewed.
struct Budgeted<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Budgeted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left.get() == 0 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "record too long"));
        }
        let limit = usize::try_from(self.left.get()).unwrap_or(usize::MAX).min(buf.len());
        let n = self.inner.read(&mut buf[..limit])?;
        self.left.set(self.left.get() - n as u64);
        Ok(n)
    }
}

/// The records of a CSV file, with their places.
struct Records {
    file: String,
    reader: ::csv::Reader<Budgeted<BufReader<File>>>,
    budget: Rc<Cell<u64>>,
    record_limit: u64,
    record: ByteRecord,
    names: Rc<Vec<String>>,
}

/// One record.
struct Row<'a> {
    file: &'a str,
    record: &'a ByteRecord,
    names: &'a [String],
}

impl Records {
    fn open(source: &SourceFile, delimiter: u8, limits: &PublishLimits) -> Result<Self, TablesError> {
        let mut file = File::open(&source.path).map_err(TablesError::io("reading", &source.path))?;
        skip_bom(&mut file, source)?;
        let record_limit = limits.max_csv_record_bytes;
        let budget = Rc::new(Cell::new(record_limit + READ_AHEAD));
        let inner = Budgeted { inner: BufReader::new(file), left: Rc::clone(&budget) };
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(inner);
        Ok(Self { file: source.name(), reader, budget, record_limit, record: ByteRecord::new(), names: Rc::new(Vec::new()) })
    }

    /// Bytes read so far.
    fn position(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The column names; to be called first.
    fn header(&mut self) -> Result<Vec<String>, TablesError> {
        if !self.advance()? {
            return Err(TablesError::MalformedCsv {
                file: self.file.clone(),
                line: 1,
                column: None,
                reason: "the file is empty; its first line must name the columns".into(),
            });
        }
        let row = Row { file: &self.file, record: &self.record, names: &[] };
        let names = (0..self.record.len()).map(|i| row.text(i).map(|t| t.trim().to_owned())).collect::<Result<Vec<_>, _>>()?;
        self.names = Rc::new(names.clone());
        Ok(names)
    }

    fn next(&mut self) -> Result<Option<Row<'_>>, TablesError> {
        if !self.advance()? {
            return Ok(None);
        }
        let row = Row { file: &self.file, record: &self.record, names: &self.names };
        if self.record.len() == self.names.len() {
            return Ok(Some(row));
        }
        let (found, expected) = (self.record.len(), self.names.len());
        Err(row
            .error(None, format!("{found} values where the header has {expected}; is a value with a delimiter or line break not quoted?")))
    }

    fn advance(&mut self) -> Result<bool, TablesError> {
        self.budget.set(self.record_limit + READ_AHEAD);
        let line = self.reader.position().line();
        self.reader.read_byte_record(&mut self.record).map_err(|e| {
            let reason = match e.kind() {
                ::csv::ErrorKind::Io(io) if io.kind() == io::ErrorKind::FileTooLarge => {
                    format!("a record of more than {} bytes; is a quote not closed?", self.record_limit)
                }
                _ => e.to_string(),
            };
            TablesError::MalformedCsv { file: self.file.clone(), line, column: None, reason }
        })
    }
}

impl Row<'_> {
    fn text(&self, i: usize) -> Result<&str, TablesError> {
        let bytes = self.record.get(i).unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|e| {
            let byte = self.record.position().map_or(0, ::csv::Position::byte);
            self.error(
                Some(i),
                format!(
                    "not UTF-8: byte {} of the value, in the record that starts at byte {byte} of the file; \
                     save the file as UTF-8",
                    e.valid_up_to() + 1
                ),
            )
        })
    }

    fn error(&self, column: Option<usize>, reason: String) -> TablesError {
        TablesError::MalformedCsv {
            file: self.file.into(),
            line: self.record.position().map_or(0, ::csv::Position::line),
            column: column.map(|i| self.names.get(i).cloned().unwrap_or_else(|| (i + 1).to_string())),
            reason,
        }
    }
}

/// Steps over the byte order mark of UTF-8; refuses those of other encodings.
fn skip_bom(file: &mut File, source: &SourceFile) -> Result<(), TablesError> {
    use std::io::Seek;
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head).map_err(TablesError::io("reading", &source.path))?;
    let encoding = match head.as_slice() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [0, 0, 0xfe, 0xff] => Some("UTF-32"),
        [b'P', b'K', 3, 4] => Some("a ZIP archive or a workbook"),
        [0x1f, 0x8b, ..] => Some("compressed (gzip)"),
        _ => None,
    };
    if let Some(encoding) = encoding {
        return Err(TablesError::MalformedCsv {
            file: source.name(),
            line: 1,
            column: None,
            reason: format!("the file is {encoding} at byte 1; save it as CSV in UTF-8"),
        });
    }
    let start = if head.starts_with(&[0xef, 0xbb, 0xbf]) { 3 } else { 0 };
    file.seek(io::SeekFrom::Start(start)).map_err(TablesError::io("reading", &source.path))?;
    Ok(())
}

/// Finds the delimiter: the one that splits the header most while the next records agree with it.
fn sniff(source: &SourceFile) -> Result<u8, TablesError> {
    let mut file = File::open(&source.path).map_err(TablesError::io("reading", &source.path))?;
    skip_bom(&mut file, source)?;
    let mut head = Vec::new();
    file.take(SNIFF_BYTES).read_to_end(&mut head).map_err(TablesError::io("reading", &source.path))?;
    let mut best = (0, 0, b',');
    for delimiter in DELIMITERS {
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(head.as_slice());
        // The last record may be cut off.
        let widths: Vec<usize> = reader.byte_records().take(SNIFF_RECORDS).map_while(|r| r.ok().map(|r| r.len())).collect();
        let Some(&width) = widths.first() else { continue };
        let agreeing = widths.iter().filter(|&&w| w == width).count() * 100 / widths.len();
        // Agreement in bands of ten per cent, so that one ragged line does not change the delimiter.
        if width > 1 && (agreeing / 10, width) > (best.0, best.1) {
            best = (agreeing / 10, width, delimiter);
        }
    }
    Ok(best.2)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use arrow::{
        array::{Array, AsArray},
        datatypes::{Float64Type, Int64Type, TimestampMicrosecondType},
    };

    use crate::publish::{
        PublishLimits,
        fixtures::{publish, publish_within, read},
    };

    #[test]
    fn csv_becomes_parquet_with_every_value() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("trips.csv");
        let text = "\u{feff}code;count;price;country;at;day;ok\r\n\
                    007;1;1.50;NA;2024-03-01T08:00:00+08:00;2024-03-01;true\r\n\
                    008;NA;;CN;2024-03-01 00:00:01.5Z;;false\r\n\
                    \"a;\"\"b\"\"\nc\";-3;1e3;\"\";;2024-02-29;\r\n";
        fs::write(&source, text).unwrap();
        let out = dir.path().join("product");
        let table = publish(&[source], &out).unwrap();
        let kinds: Vec<&str> = table.schema.columns.iter().map(|c| c.data_type.as_str().unwrap()).collect();
        assert_eq!(kinds, ["string", "long", "double", "string", "timestamp", "date", "boolean"]);
        let inferred = table.inferred.unwrap();
        assert_eq!(inferred.delimiter, ';');
        assert_eq!((inferred.columns[1].null_markers, inferred.columns[3].null_markers), (1, 1));

        let batch = read(&out.join("part-00000.parquet"));
        let code = batch.column(0).as_string::<i32>();
        assert_eq!((code.value(0), code.value(2)), ("007", "a;\"b\"\nc"));
        let count = batch.column(1).as_primitive::<Int64Type>();
        assert_eq!((count.value(0), count.is_null(1), count.value(2)), (1, true, -3));
        let price = batch.column(2).as_primitive::<Float64Type>();
        assert!((price.value(2) - 1000.0).abs() < f64::EPSILON && price.is_null(1));
        // Namibia stays.
        assert_eq!(batch.column(3).as_string::<i32>().value(0), "NA");
        assert!(batch.column(3).is_null(2));
        let at = batch.column(4).as_primitive::<TimestampMicrosecondType>();
        assert_eq!((at.value(1) - at.value(0), at.is_null(2)), (1_500_000, true));
    }

    #[test]
    fn several_csv_files_are_typed_together_and_large_output_is_split() {
        let dir = tempfile::tempdir().unwrap();
        let sources = dir.path().join("in");
        fs::create_dir(&sources).unwrap();
        let rows = |from: u64| {
            let lines: Vec<String> = (from..from + 30_000).map(|i| format!("{i},{}", i.wrapping_mul(0x9e37_79b9))).collect();
            lines.join(
                "
",
            ) + "
"
        };
        fs::write(sources.join("a.csv"), format!("k,v\n{}", rows(0))).unwrap();
        fs::write(sources.join("b.csv"), format!("k,v\n{}1.5,x\n", rows(30_000))).unwrap();
        let limits = PublishLimits { target_file_bytes: 64 * 1024, ..PublishLimits::default() };
        let out = dir.path().join("product");
        let table = publish_within(&[sources], &out, limits).unwrap();
        assert_eq!(table.rows, 60_001);
        assert!(table.files.len() > 1, "{}", table.files.len());
        assert_eq!(table.schema.columns[0].data_type, "double");
        assert_eq!(table.schema.columns[1].data_type, "string");
        for file in &table.files {
            assert_eq!(read(&out.join(&file.name)).num_rows() as u64, file.rows);
        }
    }

    #[test]
    fn csv_that_is_no_table_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let cases: &[(&str, &[u8], u64, &str)] = &[
            ("ragged", b"a,b\n1,2\n3\n", 3, "1 values where the header has 2"),
            ("wide", b"a,b\n1,2\n3,4,5\n", 3, "3 values where the header has 2"),
            ("empty", b"", 1, "the file is empty"),
            ("latin", b"a,b\n1,2\n3,caf\xe9\n", 3, "not UTF-8: byte 4"),
            ("utf16", b"\xff\xfea\0,\0b\0", 1, "UTF-16"),
            ("workbook", b"PK\x03\x04....", 1, "workbook"),
        ];
        for (name, bytes, line, reason) in cases {
            let source = dir.path().join(format!("{name}.csv"));
            fs::write(&source, bytes).unwrap();
            let error = publish(&[source], &dir.path().join("out")).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with(&format!("{name}.csv, line {line}")) && text.contains(reason), "{text}");
            assert_eq!(error.kind(), "malformed-csv");
            assert!(!dir.path().join("out").exists());
        }
        let latin = publish(&[dir.path().join("latin.csv")], &dir.path().join("out")).unwrap_err();
        assert!(latin.to_string().contains("column \"b\""), "{latin}");
        for header in ["a,a\n1,2\n", "a,\n1,2\n", "a,A\n1,2\n"] {
            let source = dir.path().join("header.csv");
            fs::write(&source, header).unwrap();
            assert_eq!(publish(&[source], &dir.path().join("out")).unwrap_err().kind(), "bad-column-name");
        }
    }

    #[test]
    fn an_unclosed_quote_does_not_swallow_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("q.csv");
        fs::write(&source, format!("a,b\n1,\"{}", "x,y\n".repeat(200_000))).unwrap();
        let limits = PublishLimits { max_csv_record_bytes: 64 * 1024, ..PublishLimits::default() };
        let error = publish_within(&[source], &dir.path().join("out"), limits).unwrap_err();
        assert!(error.to_string().contains("is a quote not closed?"), "{error}");
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
