//! Record batches to Parquet files: for sources that have no Parquet of their own.

use arrow::{array::RecordBatch, datatypes::SchemaRef};

use super::super::{ColumnAccumulator, DataFile, FileStats, ParquetFile, TableSchema, Work, part_name};
use crate::TablesError;

/// Writes batches of one schema into as many files as their size asks for.
pub(super) struct PartWriter {
    schema: SchemaRef,
    /// The file being written; none between two.
    open: Option<Open>,
}

/// The file being written.
struct Open {
    name: String,
    file: ParquetFile,
    columns: Vec<ColumnAccumulator>,
    rows: u64,
}

impl PartWriter {
    /// Checks the schema of the source called `source` and begins a file. `source_types` says
    /// what each column is there.
    pub(super) fn begin(source: &str, schema: SchemaRef, source_types: &[String], work: &mut Work<'_>) -> Result<Self, TablesError> {
        work.schema(source, TableSchema::from_arrow(source, &schema, source_types, work.limits())?)?;
        let open = Some(Open::create(&schema, work)?);
        Ok(Self { schema, open })
    }

    /// Writes a batch; a file that is large enough is closed first and the next begun.
    pub(super) fn write(&mut self, batch: &RecordBatch, work: &mut Work<'_>) -> Result<(), TablesError> {
        // Looked at before writing, so that no empty file follows the last row.
        if let Some(full) = self.open.take_if(|open| open.file.size() >= work.limits().target_file_bytes) {
            full.finish(work)?;
        }
        if self.open.is_none() {
            self.open = Some(Open::create(&self.schema, work)?);
        }
        self.open.iter_mut().try_for_each(|open| open.write(batch))
    }

    /// Completes the last file.
    pub(super) fn finish(self, work: &mut Work<'_>) -> Result<(), TablesError> {
        self.open.map_or(Ok(()), |open| open.finish(work))
    }
}

impl Open {
    fn create(schema: &SchemaRef, work: &Work<'_>) -> Result<Self, TablesError> {
        let name = part_name(work.next_number());
        Ok(Self {
            file: ParquetFile::create(&work.dir().join(&name), schema.clone())?,
            name,
            columns: schema.fields().iter().map(|f| ColumnAccumulator::new(f.name(), false)).collect(),
            rows: 0,
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), TablesError> {
        self.columns.iter_mut().zip(batch.columns()).for_each(|(column, values)| column.add(values));
        self.rows += batch.num_rows() as u64;
        self.file.write(batch)
    }

    fn finish(self, work: &mut Work<'_>) -> Result<(), TablesError> {
        let (size_bytes, sha256) = self.file.finish()?;
        let mut stats = FileStats { num_records: self.rows, ..FileStats::default() };
        self.columns.iter().for_each(|c| c.write_stats(&mut stats));
        work.add(DataFile { name: self.name, size_bytes, sha256, rows: self.rows, stats, path: None, origin: None }, &self.columns)
    }
}
