//! Parquet files: copied and hashed in one pass (or hashed where they are), then checked down to the last
//! value.
//!
//! The parquet crate is trusted to decode sound files, not to survive forged ones: lengths are checked
//! before it sees them (see `footer`), and a panic in it counts as a malformed file.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest;
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder},
    errors::ParquetError,
    file::metadata::{ParquetMetaData, ParquetMetaDataReader},
};

use super::{
    super::{
        ColumnAccumulator, DataFile, FileStats, Phase, Progress, PublishLimits, Report, TableSchema, Work,
        parallel::{Event, in_order},
        part_name,
        writer::HashedFile,
    },
    Source, SourceFile, footer, int96,
};
use crate::TablesError;

/// Rows decoded at once. Small, because a dictionary lets a small file stand for very long values.
const BATCH_ROWS: usize = 1024;
/// Rows between two reports of progress.
const REPORT_ROWS: u64 = 128 * 1024;
/// Bytes copied at once.
const COPY_BYTES: usize = 1 << 20;
/// Most values of a column of lists in a row group whose values take less than a bit each. Values cost
/// memory as they are decoded, and run-length coding lets a few bytes stand for any number of them.
const MAX_DENSE_REPEATED_VALUES: i64 = 64 * 1024 * 1024;
/// Footer length and magic.
const TRAILER_BYTES: u64 = 8;
/// Head magic, trailer: the least a file can have.
const MIN_BYTES: u64 = 4 + TRAILER_BYTES;

/// Parquet files to publish.
pub(super) struct ParquetSource {
    files: Vec<SourceFile>,
}

impl ParquetSource {
    pub(super) fn new(files: Vec<SourceFile>) -> Self {
        Self { files }
    }
}

impl Source for ParquetSource {
    fn publish(&mut self, work: &mut Work<'_>) -> Result<(), TablesError> {
        let (dir, options, first) = (work.dir(), work.options(), work.next_number());
        let items: Vec<(String, &SourceFile)> = self.files.iter().enumerate().map(|(n, file)| (part_name(first + n), file)).collect();
        in_order(
            &items,
            |(part, file), report| {
                let how = if file.is_fetched() {
                    Keep::Move
                } else if options.in_place {
                    Keep::InPlace
                } else {
                    Keep::Copy
                };
                let name = file.name();
                let kept = Kept::new(&file.path, dir, part, &name, how, &options.limits, report)?;
                kept.checked(&name, &options.limits, report)
            },
            |event| match event {
                Event::Progress(progress) => work.report(progress),
                Event::Done(published) => {
                    work.schema(&published.name, published.schema)?;
                    work.add(published.file, &published.columns)
                }
            },
        )
    }
}

/// What becomes of a file whose bytes stay as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// The publisher may overwrite it later.
    Copy,
    /// It is ours already.
    Move,
    /// The publisher has promised not to.
    InPlace,
}

/// A file that is where it will be served from, hashed and not yet checked.
pub(super) struct Kept {
    file: DataFile,
    path: PathBuf,
}

/// A file that is ready, and what is known of it.
pub(super) struct PublishedFile {
    pub(super) name: String,
    pub(super) file: DataFile,
    pub(super) schema: TableSchema,
    pub(super) columns: Vec<ColumnAccumulator>,
}

impl Kept {
    /// Brings a file to where it will be served from: as `part` in `dir`, or where it is.
    pub(super) fn new(
        source: &Path,
        dir: &Path,
        part: &str,
        name: &str,
        how: Keep,
        limits: &PublishLimits,
        report: &mut Report<'_>,
    ) -> Result<Self, TablesError> {
        let target = dir.join(part);
        let ((size_bytes, sha256), path) = match how {
            Keep::Copy => (copy(source, &target, name, limits, report)?, target),
            Keep::Move => {
                fs::rename(source, &target).map_err(TablesError::io("moving", source))?;
                (hash(&target, name, limits, report)?, target)
            }
            Keep::InPlace => {
                let real = fs::canonicalize(source).map_err(TablesError::io("reading", source))?;
                (hash(&real, name, limits, report)?, real)
            }
        };
        let left = (how == Keep::InPlace).then(|| path.clone());
        let file = DataFile { name: part.into(), size_bytes, sha256, rows: 0, stats: FileStats::default(), path: left, origin: None };
        Ok(Self { file, path })
    }

    /// Checks it down to the last value.
    pub(super) fn checked(self, name: &str, limits: &PublishLimits, report: &mut Report<'_>) -> Result<PublishedFile, TablesError> {
        let checked = check(&self.path, name, limits, report)?;
        let mut file = self.file;
        file.rows = checked.rows;
        file.stats.num_records = checked.rows;
        checked.columns.iter().for_each(|c| c.write_stats(&mut file.stats));
        Ok(PublishedFile { name: name.into(), file, schema: checked.schema, columns: checked.columns })
    }
}

fn copy(source: &Path, target: &Path, name: &str, limits: &PublishLimits, report: &mut Report<'_>) -> Result<(u64, String), TablesError> {
    let mut to = HashedFile::create(target)?;
    read_through(source, name, limits, report, &mut |bytes| to.write_all(bytes).map_err(TablesError::io("writing", target)))?;
    to.finish()
}

fn hash(path: &Path, name: &str, limits: &PublishLimits, report: &mut Report<'_>) -> Result<(u64, String), TablesError> {
    let mut hash = digest::Context::new(&digest::SHA256);
    let size = read_through(path, name, limits, report, &mut |bytes| {
        hash.update(bytes);
        Ok(())
    })?;
    Ok((size, hex::encode(hash.finish())))
}

/// Hands a file's bytes on piece by piece; gives how many there were.
fn read_through(
    source: &Path,
    name: &str,
    limits: &PublishLimits,
    report: &mut Report<'_>,
    take: &mut dyn FnMut(&[u8]) -> Result<(), TablesError>,
) -> Result<u64, TablesError> {
    let io = || TablesError::io("reading", source);
    let mut from = File::open(source).map_err(io())?;
    let total = from.metadata().map_err(io())?.len();
    let mut buffer = vec![0; usize::try_from(total.saturating_add(1)).unwrap_or(COPY_BYTES).min(COPY_BYTES)];
    let mut done = 0;
    loop {
        let n = from.read(&mut buffer).map_err(io())?;
        if n == 0 {
            return Ok(done);
        }
        take(&buffer[..n])?;
        done += n as u64;
        // The file may grow while it is read.
        if done > limits.max_file_bytes {
            return Err(TablesError::TooLarge { subject: name.into(), reason: format!("more than {} bytes", limits.max_file_bytes) });
        }
        report(Progress::of(Phase::Copying, name, done, total))?;
    }
}

/// Checks what can be checked of a file without decoding its values, as far as a reader that trusts it
/// needs it; gives its columns and the number of its rows.
pub(super) fn inspect(path: &Path, name: &str, limits: &PublishLimits) -> Result<(TableSchema, u64), TablesError> {
    let mut file = File::open(path).map_err(TablesError::io("reading", path))?;
    let footer = read_footer(&mut file, name, path, limits)?;
    guarded(name, || {
        let (schema, metadata) = open(&mut file, &footer, path, name, limits)?;
        Ok((schema, u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or_default()))
    })
}

/// Checks that a file's lengths can be trusted by a reader, whatever its columns are.
pub(super) fn check_lengths(path: &Path, name: &str, limits: &PublishLimits) -> Result<(), TablesError> {
    let mut file = File::open(path).map_err(TablesError::io("reading", path))?;
    let footer = read_footer(&mut file, name, path, limits)?;
    guarded(name, || {
        let malformed = |e: ParquetError| TablesError::MalformedParquet { file: name.into(), reason: e.to_string() };
        let metadata = ParquetMetaDataReader::decode_metadata(&footer).map_err(malformed)?;
        check_layout(&mut file, &metadata, footer.len() as u64, name, path, limits)
    })
}

/// Checks that a file's INT96 values are what a reader makes of them that reads them as nanoseconds.
pub(super) fn check_nanoseconds(path: &Path, name: &str, limits: &PublishLimits) -> Result<(), TablesError> {
    let mut file = File::open(path).map_err(TablesError::io("reading", path))?;
    let footer = read_footer(&mut file, name, path, limits)?;
    guarded(name, || {
        let malformed = |reason: String| TablesError::MalformedParquet { file: name.into(), reason };
        let metadata = ParquetMetaDataReader::decode_metadata(&footer).map_err(|e| malformed(e.to_string()))?;
        int96::check_nanoseconds(&file, &metadata).map_err(malformed)
    })
}

/// A panic of the decoder counts as a malformed file.
pub(crate) fn guarded<T>(name: &str, work: impl FnOnce() -> Result<T, TablesError>) -> Result<T, TablesError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(TablesError::MalformedParquet { file: name.into(), reason: "decoding it failed in an unexpected way".into() })
    })
}

struct Checked {
    schema: TableSchema,
    rows: u64,
    columns: Vec<ColumnAccumulator>,
}

/// Checks a file completely: lengths, schema, and that every page of every column decodes.
fn check(path: &Path, name: &str, limits: &PublishLimits, report: &mut Report<'_>) -> Result<Checked, TablesError> {
    let malformed = |reason: String| TablesError::MalformedParquet { file: name.into(), reason };
    let mut file = File::open(path).map_err(TablesError::io("reading", path))?;
    let footer = read_footer(&mut file, name, path, limits)?;
    guarded(name, || {
        let (schema, metadata) = open(&mut file, &footer, path, name, limits)?;
        int96::check_values(&file, metadata.metadata()).map_err(malformed)?;
        let total = u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or_default();
        let mut columns: Vec<ColumnAccumulator> =
            schema.columns.iter().map(|c| ColumnAccumulator::new(&c.name, c.source_type.contains("INT96"))).collect();
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|e| malformed(e.to_string()))?;
        let mut rows = 0;
        for batch in reader {
            let batch = batch.map_err(|e| malformed(format!("after row {rows}: {e}")))?;
            let before = rows;
            rows += batch.num_rows() as u64;
            columns.iter_mut().zip(batch.columns()).for_each(|(column, values)| column.add(values));
            if before / REPORT_ROWS != rows / REPORT_ROWS {
                report(Progress::of(Phase::Checking, name, rows, total))?;
            }
        }
        if rows != total {
            return Err(malformed(format!("it declares {total} rows and holds {rows}")));
        }
        Ok(Checked { schema, rows, columns })
    })
}

/// Checks a file's layout and columns, and makes it ready to be decoded.
fn open(
    file: &mut File,
    footer: &[u8],
    path: &Path,
    name: &str,
    limits: &PublishLimits,
) -> Result<(TableSchema, ArrowReaderMetadata), TablesError> {
    let malformed = |reason: String| TablesError::MalformedParquet { file: name.into(), reason };
    let metadata = ParquetMetaDataReader::decode_metadata(footer).map_err(|e| malformed(e.to_string()))?;
    check_layout(file, &metadata, footer.len() as u64, name, path, limits)?;
    let source_types = source_types(&metadata);
    let metadata = int96::arrow_metadata(Arc::new(metadata)).map_err(|e| malformed(e.to_string()))?;
    let schema = TableSchema::from_arrow(name, metadata.schema(), &source_types, limits)?;
    Ok((schema, metadata))
}

/// Reads the footer after checking what its length claims.
fn read_footer(file: &mut File, name: &str, path: &Path, limits: &PublishLimits) -> Result<Vec<u8>, TablesError> {
    let malformed = |reason: &str| TablesError::MalformedParquet { file: name.into(), reason: reason.into() };
    let io = || TablesError::io("reading", path);
    let size = file.metadata().map_err(io())?.len();
    if size < MIN_BYTES {
        return Err(malformed("it is too short; was it copied completely?"));
    }
    let mut head = [0; 4];
    file.read_exact(&mut head).map_err(io())?;
    let mut trailer = [0; 8];
    file.seek(SeekFrom::Start(size - TRAILER_BYTES)).map_err(io())?;
    file.read_exact(&mut trailer).map_err(io())?;
    let [a, b, c, d, magic @ ..] = trailer;
    if &magic == b"PARE" || &head == b"PARE" {
        return Err(malformed("it is encrypted; publish it decrypted, access is governed by the offer"));
    }
    if &head != b"PAR1" || &magic != b"PAR1" {
        return Err(malformed("its end is missing; was it copied completely?"));
    }
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if length > limits.max_footer_bytes {
        return Err(TablesError::TooLarge {
            subject: name.into(),
            reason: format!("a footer of {length} bytes; at most {}", limits.max_footer_bytes),
        });
    }
    if length > size - MIN_BYTES {
        return Err(malformed("its footer claims to be longer than the file"));
    }
    let mut footer = Vec::new();
    file.seek(SeekFrom::Start(size - TRAILER_BYTES - length)).map_err(io())?;
    (&mut *file).take(length).read_to_end(&mut footer).map_err(io())?;
    footer::check_footer(&footer).map_err(malformed)?;
    Ok(footer)
}

/// Checks that every column chunk lies inside the file and is made of sane pages.
fn check_layout(
    file: &mut File,
    metadata: &ParquetMetaData,
    footer_len: u64,
    name: &str,
    path: &Path,
    limits: &PublishLimits,
) -> Result<(), TablesError> {
    let malformed = |reason: String| TablesError::MalformedParquet { file: name.into(), reason };
    let size = file.metadata().map_err(TablesError::io("reading", path))?.len();
    let data_end = size - TRAILER_BYTES - footer_len;
    let rows = metadata.file_metadata().num_rows();
    if rows < 0 {
        return Err(malformed("it declares a negative number of rows".into()));
    }
    if rows.unsigned_abs() > limits.max_file_rows {
        return Err(TablesError::TooLarge {
            subject: name.into(),
            reason: format!("{rows} rows; at most {} per file", limits.max_file_rows),
        });
    }
    let mut sum = 0_i64;
    for (g, group) in metadata.row_groups().iter().enumerate() {
        if group.num_rows() < 0 {
            return Err(malformed(format!("row group {g} declares a negative number of rows")));
        }
        sum = sum.saturating_add(group.num_rows());
        for column in group.columns() {
            let what = || format!("column {} in row group {g}", column.column_path().string());
            if column.file_path().is_some_and(|p| !p.is_empty()) {
                return Err(malformed(format!("{} is kept in another file", what())));
            }
            // Writers leave the offset of what they did not write at 0: a chunk may have no dictionary,
            // and one without rows no data page.
            let offsets = [column.dictionary_page_offset().unwrap_or_default(), column.data_page_offset()];
            let Some(start) = offsets.into_iter().filter(|o| *o != 0).min() else {
                if column.num_values() == 0 && group.num_rows() == 0 {
                    continue;
                }
                return Err(malformed(format!("{} has no place", what())));
            };
            let (Ok(start), Ok(length)) = (u64::try_from(start), u64::try_from(column.compressed_size())) else {
                return Err(malformed(format!("{} has a negative place or length", what())));
            };
            if start < 4 || start.checked_add(length).is_none_or(|end| end > data_end) {
                return Err(malformed(format!("{} lies outside the file", what())));
            }
            let values = column.num_values();
            if values < 0 || (column.column_descr().max_rep_level() == 0 && values != group.num_rows()) {
                return Err(malformed(format!("{} does not have one value per row", what())));
            }
            let repeated = column.column_descr().max_rep_level() > 0;
            let most = column.uncompressed_size().saturating_mul(8).max(MAX_DENSE_REPEATED_VALUES);
            if repeated && values > most {
                return Err(malformed(format!("{} declares {values} values in too few bytes", what())));
            }
            footer::check_pages(file, start, length, values).map_err(|e| malformed(format!("{}: {e}", what())))?;
        }
    }
    if sum != rows {
        return Err(malformed(format!("it declares {rows} rows, its row groups {sum}")));
    }
    Ok(())
}

/// The physical type of each top-level column, for people: `Parquet INT64`.
pub(crate) fn source_types(metadata: &ParquetMetaData) -> Vec<String> {
    let schema = metadata.file_metadata().schema_descr();
    let mut types = vec![String::from("Parquet"); schema.root_schema().get_fields().len()];
    for leaf in 0..schema.num_columns() {
        let root = schema.get_column_root_idx(leaf);
        if let Some(text) = types.get_mut(root) {
            let separator = if text == "Parquet" { " " } else { ", " };
            // A wide struct would make this unreadable.
            if text.len() < 80 {
                text.push_str(separator);
                text.push_str(&schema.column(leaf).physical_type().to_string());
            }
        }
    }
    types
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ::arrow::array::UInt32Array;

    use super::*;
    use crate::publish::fixtures::{publish, read, sample_parquet, write_parquet};

    /// Checks bytes as a file of that name.
    fn check_bytes(dir: &Path, bytes: &[u8]) -> Result<Checked, TablesError> {
        let path = dir.join("checked.parquet");
        fs::write(&path, bytes).unwrap();
        check(&path, "checked.parquet", &PublishLimits::default(), &mut |_| Ok(()))
    }

    /// A sound file's bytes and where its footer begins.
    fn sound(dir: &Path) -> (Vec<u8>, usize) {
        let path = dir.join("sound.parquet");
        sample_parquet(&path);
        let bytes = fs::read(path).unwrap();
        let [.., a, b, c, d, _, _, _, _] = bytes.as_slice() else { panic!("a Parquet file") };
        let footer = bytes.len() - 8 - u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        (bytes, footer)
    }

    #[test]
    fn unsigned_columns_are_refused_with_advice() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("u.parquet");
        write_parquet(&source, vec![("port", Arc::new(UInt32Array::from(vec![1])))]);
        let error = publish(&[source], &dir.path().join("out")).unwrap_err().to_string();
        assert!(error.contains("column \"port\"") && error.contains("64-bit signed"), "{error}");
    }

    #[test]
    fn every_truncation_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (whole, footer) = sound(dir.path());
        assert_eq!(check_bytes(dir.path(), &whole).unwrap().rows, 500);
        for n in 0..50 {
            let error = check_bytes(dir.path(), &whole[..whole.len() * n / 50]).err();
            assert_eq!(error.map(|e| e.kind()), Some("malformed-parquet"), "{n}/50");
        }
        // Cut in the middle, with a whole footer at the end.
        for n in 0..20 {
            let error = check_bytes(dir.path(), &[&whole[..footer * n / 20], &whole[footer..]].concat()).err();
            assert_eq!(error.map(|e| e.kind()), Some("malformed-parquet"), "{n}/20");
        }
    }

    #[test]
    fn damaged_bytes_give_an_error_or_a_readable_table_but_never_a_panic() {
        let dir = tempfile::tempdir().unwrap();
        let (whole, footer) = sound(dir.path());
        let (mut refused, mut tried) = (0, 0);
        // Every byte of the footer and every eleventh of the data, with the flips that change lengths most.
        for at in (0..footer).step_by(11).chain(footer..whole.len()) {
            for flip in [0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                tried += 1;
                match check_bytes(dir.path(), &bytes) {
                    Ok(checked) => {
                        let batch = read(&dir.path().join("checked.parquet"));
                        assert_eq!(batch.num_rows() as u64, checked.rows, "byte {at} ^ {flip:#x}");
                    }
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused * 4 > tried, "only {refused} of {tried} refused");
    }

    #[test]
    fn forged_footer_lengths_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (whole, _) = sound(dir.path());
        let at = whole.len() - 8;
        for length in [0_u32, 1, 7, u32::try_from(whole.len()).unwrap(), 0x7fff_ffff, u32::MAX] {
            let mut bytes = whole.clone();
            bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
            let kind = check_bytes(dir.path(), &bytes).err().map(|e| e.kind());
            assert!(matches!(kind, Some("malformed-parquet" | "too-large")), "{length}: {kind:?}");
        }
        let mut encrypted = whole.clone();
        encrypted[at + 4..].copy_from_slice(b"PARE");
        let error = check_bytes(dir.path(), &encrypted).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("encrypted"), "{error}");
    }
}
