//! Writes files and hashes them, and forces them to disk all at once when a publication ends.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use aws_lc_rs::digest;
use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions},
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

use crate::TablesError;

/// Rows per row group: what engines expect to parallelise by.
const ROW_GROUP_ROWS: usize = 1_000_000;
/// Bytes per row group, so that memory stays bounded for wide tables.
const ROW_GROUP_BYTES: usize = 128 * 1024 * 1024;

/// A new file that hashes what is written to it.
pub(super) struct HashedFile {
    out: BufWriter<File>,
    hash: digest::Context,
    size: u64,
    path: PathBuf,
}

impl HashedFile {
    /// Creates `path`; fails when it exists.
    pub(super) fn create(path: &Path) -> Result<Self, TablesError> {
        let file = File::create_new(path).map_err(TablesError::io("creating", path))?;
        Ok(Self { out: BufWriter::with_capacity(1 << 18, file), hash: digest::Context::new(&digest::SHA256), size: 0, path: path.into() })
    }

    /// Bytes written so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Completes the file; gives size and SHA-256 (hex). It is on disk once [`sync_files`] has run.
    pub(super) fn finish(self) -> Result<(u64, String), TablesError> {
        let path = self.path;
        self.out.into_inner().map_err(|e| TablesError::io("writing", &path)(e.into_error()))?;
        Ok((self.size, hex::encode(self.hash.finish())))
    }
}

impl Write for HashedFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.out.write(buf)?;
        self.hash.update(&buf[..n]);
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Most files that are forced to disk one by one. Beyond it the whole file system is at once, which
/// also waits for what others have written, but not ten thousand times.
const SYNCED_ONE_BY_ONE: usize = 64;

/// Forces a directory's files and entries to disk.
pub(super) fn sync_files(path: &Path) -> Result<(), TablesError> {
    let io = || TablesError::io("syncing", path);
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(io())?;
    #[cfg(target_os = "linux")]
    if entries.len() > SYNCED_ONE_BY_ONE {
        let dir = File::open(path).map_err(io())?;
        return rustix::fs::syncfs(&dir).map_err(|e| io()(e.into()));
    }
    for entry in entries {
        File::open(entry.path()).and_then(|f| f.sync_all()).map_err(TablesError::io("syncing", entry.path()))?;
    }
    sync_dir(path)
}

/// Forces a directory's entries to disk.
pub(super) fn sync_dir(path: &Path) -> Result<(), TablesError> {
    File::open(path).and_then(|d| d.sync_all()).map_err(TablesError::io("syncing", path))
}

/// A Parquet file being written.
pub(crate) struct ParquetFile {
    writer: ArrowWriter<HashedFile>,
    path: PathBuf,
}

impl ParquetFile {
    pub(crate) fn create(path: &Path, schema: SchemaRef) -> Result<Self, TablesError> {
        let properties = WriterProperties::builder()
            .set_created_by(format!("fondaco version {}", env!("CARGO_PKG_VERSION")))
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .build();
        // Arrow's own copy of the schema is left out: Parquet's says all there is.
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(HashedFile::create(path)?, schema, options).map_err(|e| failed(path, e))?;
        Ok(Self { writer, path: path.into() })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), TablesError> {
        self.writer.write(batch).map_err(|e| failed(&self.path, e))
    }

    /// Bytes on disk so far, with those of the row group under way as they would be now.
    pub(super) fn size(&self) -> u64 {
        self.writer.inner().size() + self.writer.in_progress_size() as u64
    }

    /// Completes the file; gives size and SHA-256 (hex).
    pub(crate) fn finish(self) -> Result<(u64, String), TablesError> {
        let path = self.path;
        self.writer.into_inner().map_err(|e| failed(&path, e))?.finish()
    }
}

fn failed(path: &Path, error: ParquetError) -> TablesError {
    match error {
        ParquetError::External(source) if source.is::<io::Error>() => {
            let source = *source.downcast::<io::Error>().expect("just checked");
            TablesError::io("writing", path)(source)
        }
        other => TablesError::Write { file: path.display().to_string(), reason: other.to_string() },
    }
}
