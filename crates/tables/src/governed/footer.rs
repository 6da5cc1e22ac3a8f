//! The footer of a file that is to be served: read under limits, and every place that it names checked against the file.
//!
//! Published files were checked to the last value. What is read here is checked again as far as it is relied on, since a
//! footer decides which bytes of the file go out.

use std::{fs::File, io, os::unix::fs::OpenOptionsExt, path::Path, sync::Arc};

use bytes::Bytes;
use parquet::{
    arrow::arrow_reader::ArrowReaderMetadata,
    errors::{ParquetError, Result as ParquetResult},
    file::{
        metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader},
        reader::{ChunkReader, Length},
        statistics::Statistics,
    },
};

use crate::{
    TablesError,
    publish::{PublishLimits, TableSchema, arrow_metadata, check_footer, guarded, source_types},
};

/// Largest footer that is read: it is held in memory as a whole. As at publication.
pub const MAX_FOOTER_BYTES: u64 = 64 * 1024 * 1024;
/// Footer length and magic.
const TRAILER_BYTES: u64 = 8;
/// Magic at the head.
pub(super) const HEAD: &[u8; 4] = b"PAR1";
/// Bytes read before the footer's length is known: enough for the footers of most files, so that one read does.
const GUESS_BYTES: u64 = 64 * 1024;

/// Opens a file of a product: not through a link in the last place, and never waiting for a writer.
///
/// # Errors
/// When it cannot be opened or is not an ordinary file.
pub fn open(path: &Path) -> Result<File, TablesError> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let open = || {
        let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
        let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "not an ordinary file")) }
    };
    open().map_err(TablesError::io("opening", path))
}

/// A file that is read at any place by several at once: nobody's reading moves anybody else's.
#[derive(Clone, Debug)]
pub(crate) struct Positioned {
    file: Arc<File>,
    size: u64,
}

impl Positioned {
    pub(super) fn new(file: Arc<File>) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file, size })
    }

    /// A file that was found to have so many bytes.
    pub(crate) fn of_size(file: Arc<File>, size: u64) -> Self {
        Self { file, size }
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Exactly the bytes from `at`.
    pub(crate) fn bytes(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        use std::os::unix::fs::FileExt;
        let end = u64::try_from(length).ok().and_then(|l| at.checked_add(l));
        if end.is_none_or(|end| end > self.size) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "beyond the end of the file"));
        }
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, at)?;
        Ok(buffer)
    }
}

impl Length for Positioned {
    fn len(&self) -> u64 {
        self.size
    }
}

/// Reads on from a place.
#[derive(Debug)]
pub(crate) struct From {
    file: Positioned,
    at: u64,
}

impl io::Read for From {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::os::unix::fs::FileExt;
        let read = self.file.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl ChunkReader for Positioned {
    type T = io::BufReader<From>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(io::BufReader::new(From { file: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.bytes(start, length).map(Bytes::from).map_err(|e| ParquetError::External(Box::new(e)))
    }
}

/// A footer that was read and checked.
#[derive(Clone, Debug)]
pub(super) struct Footer {
    /// With the Arrow types of the columns, which go by Parquet's schema alone.
    pub(super) arrow: ArrowReaderMetadata,
}

impl Footer {
    pub(super) fn metadata(&self) -> &Arc<ParquetMetaData> {
        self.arrow.metadata()
    }

    /// Reads and checks the footer of a file whose columns must be `schema`'s. `name` stands for the file in messages.
    pub(super) fn read(file: &Positioned, name: &str, schema: &TableSchema) -> Result<Self, TablesError> {
        let malformed = |reason: String| TablesError::MalformedParquet { file: name.into(), reason };
        let metadata = metadata(file, name)?;
        guarded(name, || {
            let types = source_types(&metadata);
            let arrow = arrow_metadata(Arc::new(metadata)).map_err(|e| malformed(e.to_string()))?;
            let columns = TableSchema::from_arrow(name, arrow.schema(), &types, &PublishLimits::default())?;
            schema.clone().merge("its product", &columns, name)?;
            Ok(Self { arrow })
        })
    }
}

/// Reads a footer, and checks every place that it names. `name` stands for the file in messages.
pub(crate) fn metadata(file: &Positioned, name: &str) -> Result<ParquetMetaData, TablesError> {
    let bytes = footer_bytes(file, name)?;
    let malformed = |reason: String| TablesError::MalformedParquet { file: name.into(), reason };
    check_footer(&bytes).map_err(|reason| malformed(reason.into()))?;
    guarded(name, || {
        let metadata = ParquetMetaDataReader::decode_metadata(&bytes).map_err(|e| malformed(e.to_string()))?;
        check_layout(&metadata, file.len() - TRAILER_BYTES - bytes.len() as u64).map_err(malformed)?;
        Ok(metadata)
    })
}

/// The same with what each page holds, for a file of ours.
pub(crate) fn paged_metadata(file: &Positioned, name: &str) -> Result<ParquetMetaData, TablesError> {
    let metadata = metadata(file, name)?;
    guarded(name, || {
        let mut reader = ParquetMetaDataReader::new_with_metadata(metadata).with_page_index_policy(PageIndexPolicy::Optional);
        let read = reader.read_page_indexes(file).and_then(|()| reader.finish()).and_then(without_upper_bounds_of_floats);
        read.map_err(|e| TablesError::MalformedParquet { file: name.into(), reason: e.to_string() })
    })
}

/// The same without what the engine would take for the largest float of a row group: "not a number" is above it, and in no
/// statistic.
pub(crate) fn without_upper_bounds_of_floats(metadata: ParquetMetaData) -> Result<ParquetMetaData, ParquetError> {
    let mut builder = metadata.into_builder();
    for group in builder.take_row_groups() {
        let columns = group.columns().iter().map(|chunk| {
            let deprecated = chunk.statistics().is_some_and(Statistics::is_min_max_deprecated);
            let lower = match chunk.statistics() {
                Some(Statistics::Float(s)) => {
                    let min = s.min_opt().copied().filter(|v| !v.is_nan());
                    Statistics::float(min, None, None, s.null_count_opt(), deprecated)
                }
                Some(Statistics::Double(s)) => {
                    let min = s.min_opt().copied().filter(|v| !v.is_nan());
                    Statistics::double(min, None, None, s.null_count_opt(), deprecated)
                }
                _ => return Ok(chunk.clone()),
            };
            chunk.clone().into_builder().set_statistics(lower).build()
        });
        let columns = columns.collect::<Result<Vec<_>, ParquetError>>()?;
        builder = builder.add_row_group(group.into_builder().set_column_metadata(columns).build()?);
    }
    Ok(builder.build())
}

/// Checks that a file is a Parquet file as far as its ends tell: the magic at both, a footer that can be read, and every
/// column in its place between them. For files whose hash nobody tells; values are not looked at.
///
/// # Errors
/// With what is wrong.
pub fn check_ends(path: &Path) -> Result<(), TablesError> {
    let name = super::governor::name(path);
    let file = Positioned::new(Arc::new(open(path)?)).map_err(TablesError::io("reading", path))?;
    metadata(&file, &name).map(drop)
}

fn footer_bytes(file: &Positioned, name: &str) -> Result<Vec<u8>, TablesError> {
    let malformed = |reason: &str| TablesError::MalformedParquet { file: name.into(), reason: reason.into() };
    let io = |e| TablesError::Io { action: "reading", path: name.into(), source: e };
    let least = HEAD.len() as u64 + TRAILER_BYTES;
    if file.len() < least {
        return Err(malformed("it is too short"));
    }
    let guess = file.len().min(GUESS_BYTES);
    let mut tail = file.bytes(file.len() - guess, usize::try_from(guess).unwrap_or(usize::MAX)).map_err(io)?;
    let head = file.bytes(0, HEAD.len()).map_err(io)?;
    let Some((rest, [a, b, c, d, magic @ ..])) = tail.split_last_chunk::<8>() else { return Err(malformed("it is too short")) };
    if magic == b"PARE" || head == b"PARE" {
        return Err(malformed("it is encrypted"));
    }
    if magic != HEAD || head != HEAD {
        return Err(malformed("it is not a Parquet file"));
    }
    let length = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
    if length > MAX_FOOTER_BYTES {
        return Err(TablesError::TooLarge {
            subject: name.into(),
            reason: format!("a footer of {length} bytes; at most {MAX_FOOTER_BYTES}"),
        });
    }
    if length > file.len() - least {
        return Err(malformed("its footer claims to be longer than the file"));
    }
    let wanted = usize::try_from(length).unwrap_or(usize::MAX);
    if wanted <= rest.len() {
        let from = rest.len() - wanted;
        let to = rest.len();
        tail.truncate(to);
        tail.drain(..from);
        return Ok(tail);
    }
    file.bytes(file.len() - TRAILER_BYTES - length, wanted).map_err(io)
}

/// Where a column chunk begins and how long it is; `None` for a chunk without pages.
pub(super) fn place(column: &ColumnChunkMetaData) -> Option<(u64, u64)> {
    // Writers leave the offset of what they did not write at 0.
    let offsets = [column.dictionary_page_offset().unwrap_or_default(), column.data_page_offset()];
    let start = offsets.into_iter().filter(|o| *o > 0).min()?;
    Some((u64::try_from(start).ok()?, u64::try_from(column.compressed_size()).ok()?))
}

/// Checks that chunks lie inside the file, do not overlap, and hold as many values as there are rows.
fn check_layout(metadata: &ParquetMetaData, data_end: u64) -> Result<(), String> {
    let mut places = Vec::new();
    let mut rows = 0_i64;
    for group in metadata.row_groups() {
        if group.num_rows() < 0 || group.num_columns() != metadata.file_metadata().schema_descr().num_columns() {
            return Err("a row group that cannot be".into());
        }
        rows = rows.checked_add(group.num_rows()).ok_or("more rows than can be counted")?;
        for column in group.columns() {
            if column.file_path().is_some_and(|p| !p.is_empty()) {
                return Err("a column is kept in another file".into());
            }
            let values = column.num_values();
            if values < 0 || (column.column_descr().max_rep_level() == 0 && values != group.num_rows()) {
                return Err("a column does not have one value per row".into());
            }
            match place(column) {
                None if values == 0 => (),
                Some((start, length)) if start >= HEAD.len() as u64 && start.checked_add(length).is_some_and(|end| end <= data_end) => {
                    // The page that is named must lie in what is served of the chunk.
                    let page = u64::try_from(column.data_page_offset()).map_err(|_| "a column lies outside the file")?;
                    if values > 0 && (page < start || page >= start + length) {
                        return Err("a column's pages lie outside of it".into());
                    }
                    places.push((start, start + length));
                }
                _ => return Err("a column lies outside the file".into()),
            }
        }
    }
    if rows != metadata.file_metadata().num_rows() {
        return Err("its row groups do not have as many rows as it declares".into());
    }
    places.sort_unstable();
    if places.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        return Err("columns overlap".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governed::fixtures::{Dice, declared, rows};
    use parquet::arrow::ArrowWriter;

    #[test]
    fn the_ends_of_a_file_are_checked_without_its_columns_known() {
        let (bytes, _, footer) = sound();
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("part.parquet");
        let check = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            check_ends(&path)
        };
        check(&bytes).expect("sound");
        for cut in [0, 3, 11, bytes.len() / 2, bytes.len() - 1] {
            assert!(check(&bytes[..cut]).is_err(), "{cut}");
        }
        let mut short = bytes.clone();
        short.drain(4..footer);
        assert!(check(&short).is_err(), "columns lie outside of what is left");
        let shown = check(&[0; 100]).expect_err("none").to_string();
        assert!(shown.contains("not a Parquet file") && !shown.contains(dir.path().to_str().expect("text")), "{shown}");
    }

    fn sound() -> (Vec<u8>, TableSchema, usize) {
        let batch = rows(&mut Dice::new(7), 100, 0);
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("writer");
        writer.write(&batch).expect("written");
        writer.close().expect("closed");
        let at = bytes.len() - 8;
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
        (bytes, declared(&batch.schema()), at - length as usize)
    }

    fn read(bytes: &[u8], schema: &TableSchema) -> Result<Footer, TablesError> {
        let file = tempfile::tempfile().expect("file");
        std::io::Write::write_all(&mut &file, bytes).expect("written");
        Footer::read(&Positioned::new(Arc::new(file)).expect("file"), "test.parquet", schema)
    }

    #[test]
    fn a_sound_footer_is_read_and_another_tables_refused() {
        let (bytes, schema, _) = sound();
        assert_eq!(read(&bytes, &schema).expect("sound").metadata().file_metadata().num_rows(), 100);
        let mut other = schema.clone();
        other.columns[0].name = "other".into();
        assert_eq!(read(&bytes, &other).expect_err("other").kind(), "schema-mismatch");
        other.columns.pop();
        assert_eq!(read(&bytes, &other).expect_err("other").kind(), "schema-mismatch");
    }

    #[test]
    fn forged_bytes_never_panic_and_never_name_what_is_outside() {
        let (bytes, schema, footer) = sound();
        let mut refused = 0;
        for at in footer..bytes.len() {
            for flip in [0x01, 0x10, 0x80, 0xff] {
                let mut forged = bytes.clone();
                forged[at] ^= flip;
                match read(&forged, &schema) {
                    Err(_) => refused += 1,
                    Ok(read) => {
                        for column in read.metadata().row_groups().iter().flat_map(parquet::file::metadata::RowGroupMetaData::columns) {
                            let (start, length) = place(column).expect("a place");
                            assert!(start >= 4 && start + length <= footer as u64, "byte {at} ^ {flip:#x}");
                        }
                    }
                }
            }
        }
        assert!(refused > 500, "{refused}");
        for cut in [0, 3, 11, 12, bytes.len() / 2, bytes.len() - 1] {
            assert!(read(&bytes[..cut], &schema).is_err(), "{cut}");
        }
        for length in [0_u32, 1, u32::try_from(bytes.len()).expect("small"), 0x7fff_ffff, u32::MAX] {
            let mut forged = bytes.clone();
            let at = forged.len() - 8;
            forged[at..at + 4].copy_from_slice(&length.to_le_bytes());
            assert!(read(&forged, &schema).is_err(), "{length}");
        }
        let mut encrypted = bytes;
        let at = encrypted.len() - 4;
        encrypted[at..].copy_from_slice(b"PARE");
        assert!(read(&encrypted, &schema).expect_err("encrypted").to_string().contains("encrypted"));
    }

    #[test]
    fn links_and_folders_are_not_opened() {
        let dir = tempfile::tempdir().expect("dir");
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, b"x").expect("written");
        std::os::unix::fs::symlink(&file, &link).expect("linked");
        assert!(open(&file).is_ok());
        assert!(open(&link).is_err());
        assert!(open(dir.path()).is_err());
    }
}
