//! Files of a Delta table that cannot keep their bytes: read as the table shows them, without deleted
//! rows, with partition columns, under logical names and in the table's types, and written anew.

use std::{fs, path::Path, sync::Arc};

use arrow::{
    array::{BooleanArray, RecordBatch, new_null_array},
    compute::{CastOptions, cast_with_options, filter_record_batch},
    datatypes::{Field, Schema, SchemaRef},
    error::ArrowError,
};
use delta_kernel::{
    FileMeta, KernelError, KernelResult,
    engine::arrow_data::ArrowEngineData,
    schema::{ColumnMetadataKey, MetadataValue, StructField},
};
use url::Url;

use super::{
    super::{
        super::{ColumnAccumulator, DataFile, FileStats, ParquetFile, Phase, Progress, Report},
        parquet::{PublishedFile, guarded},
    },
    Entry, Version, arrow_schema, engine,
    engine::explain,
};
use crate::TablesError;

/// Largest file of deletion vectors: it is held in memory as a whole.
const MAX_DELETION_FILE_BYTES: u64 = 1024 * 1024 * 1024;
/// Rows between two reports of progress.
const REPORT_ROWS: u64 = 128 * 1024;

/// Writes what the table shows of a file with `rows` rows, which has been inspected.
pub(super) fn rewrite(
    version: &Version,
    entry: &Entry,
    rows: u64,
    target: &Path,
    part: &str,
    report: &mut Report<'_>,
) -> Result<PublishedFile, TablesError> {
    let name = entry.name();
    guarded(&name, || Rewriting { version, entry, name: &name, rows }.run(target, part, report))
}

struct Rewriting<'a> {
    version: &'a Version,
    entry: &'a Entry,
    name: &'a str,
    rows: u64,
}

impl Rewriting<'_> {
    fn run(&self, target: &Path, part: &str, report: &mut Report<'_>) -> Result<PublishedFile, TablesError> {
        let explain = |e| explain(&self.version.table, e);
        let logical = arrow_schema(self.version.scan.logical_schema()).map_err(|e| self.malformed(e))?;
        // What the log notes about columns, such as their numbers, is of no use outside it.
        let fields: Vec<Field> = logical.fields().iter().map(|f| f.as_ref().clone().with_metadata([].into())).collect();
        let schema = Arc::new(Schema::new(fields));
        let mut columns: Vec<ColumnAccumulator> =
            self.version.schema.columns.iter().map(|c| ColumnAccumulator::new(&c.name, false)).collect();
        let mut out = ParquetFile::create(target, schema.clone())?;

        let deleted = self.deleted()?;
        let (mut read, mut dropped, mut kept) = (0_u64, 0_u64, 0_u64);
        for batch in self.batches().map_err(explain)? {
            let batch = batch.map_err(explain)?;
            let mut batch = self.shaped(&batch, &schema).map_err(|e| self.malformed(format!("{}: {e}", self.name)))?;
            let (first, before) = (read, read);
            read += batch.num_rows() as u64;
            if let Some(deleted) = &deleted {
                let keep: BooleanArray = (first..read).map(|row| Some(!deleted.contains(row))).collect();
                dropped += keep.false_count() as u64;
                batch = filter_record_batch(&batch, &keep).map_err(|e| self.malformed(e.to_string()))?;
            }
            if batch.num_rows() > 0 {
                kept += batch.num_rows() as u64;
                columns.iter_mut().zip(batch.columns()).for_each(|(column, values)| column.add(values));
                out.write(&batch)?;
            }
            if before / REPORT_ROWS != read / REPORT_ROWS {
                report(Progress::of(Phase::Converting, self.name, read, self.rows))?;
            }
        }
        report(Progress::of(Phase::Converting, self.name, read, self.rows))?;
        if read != self.rows {
            return Err(self.malformed(format!("{} declares {} rows and holds {read}", self.name, self.rows)));
        }
        if deleted.is_some_and(|d| d.len() != dropped) {
            return Err(self.malformed(format!("{}: its deletion vector deletes rows that it does not have", self.name)));
        }
        let (size_bytes, sha256) = out.finish()?;
        let mut stats = FileStats { num_records: kept, ..FileStats::default() };
        for column in &columns {
            column.write_stats(&mut stats);
        }
        let file = DataFile { name: part.into(), size_bytes, sha256, rows: kept, stats, path: None, origin: None };
        Ok(PublishedFile { name: self.name.into(), file, schema: self.version.schema.clone(), columns })
    }

    /// A batch under the table's own schema.
    fn shaped(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        let logical = self.version.scan.logical_schema().fields();
        let columns = logical.zip(schema.fields()).zip(batch.columns()).map(|((column, field), values)| {
            // "An empty string for any type translates to a null partition value" (Partition Value Serialization);
            // the kernel does so for all types but text.
            let partition = self.entry.partition.get(physical_name(column)).and_then(Option::as_deref);
            if partition == Some("") {
                return Ok(new_null_array(field.data_type(), values.len()));
            }
            if values.data_type() == field.data_type() {
                return Ok(values.clone());
            }
            // Types are the same by now; what may differ is how the parts of nested ones are called.
            cast_with_options(values, field.data_type(), &CastOptions { safe: false, ..CastOptions::default() })
        });
        RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
    }

    fn malformed(&self, reason: String) -> TablesError {
        TablesError::MalformedDelta { table: self.version.table.clone(), reason }
    }

    /// The file's rows as the table shows them, deleted ones too.
    fn batches(&self) -> KernelResult<impl Iterator<Item = KernelResult<RecordBatch>>> {
        let (engine, scan) = (&self.version.engine, &self.version.scan);
        let meta = FileMeta::new(self.entry.url()?, self.entry.modified, self.entry.size);
        let read = engine.parquet_handler().read_parquet_files(&[meta], scan.physical_schema().clone(), None)?;
        let evaluator = match &self.entry.transform {
            None => None,
            Some(transform) => Some(engine.evaluation_handler().new_expression_evaluator(
                scan.physical_schema().clone(),
                transform.clone(),
                scan.logical_schema().as_ref().clone().into(),
            )?),
        };
        Ok(read.map(move |batch| {
            let mut batch = batch?;
            if let Some(evaluator) = &evaluator {
                batch = evaluator.evaluate(batch.as_ref())?;
            }
            Ok(ArrowEngineData::try_from_engine_data(batch)?.record_batch().clone())
        }))
    }

    /// Which rows are deleted.
    fn deleted(&self) -> Result<Option<Deleted>, TablesError> {
        let Some(vector) = &self.entry.deleted else { return Ok(None) };
        let wrong = |e: KernelError| match explain(&self.version.table, e) {
            TablesError::MalformedDelta { reason, .. } => self.malformed(format!("{}: {reason}", self.name)),
            other => other,
        };
        let engine = &self.version.engine;
        if let Some(file) = self.entry.deletion_file().map_err(wrong)? {
            let path = self.version.root.join(&file);
            let real = fs::canonicalize(&path).map_err(|e| match e.kind() {
                std::io::ErrorKind::NotFound => TablesError::MissingFile { table: self.version.table.clone(), file: file.clone() },
                _ => TablesError::io("reading", &path)(e),
            })?;
            if !real.starts_with(&self.version.root) {
                return Err(self.malformed(format!("{file} is a symbolic link that leaves the table's folder; copy the file")));
            }
            let size = fs::metadata(&real).map_err(TablesError::io("reading", real))?.len();
            if size > MAX_DELETION_FILE_BYTES {
                let reason = format!("{size} bytes of deletion vectors; at most {MAX_DELETION_FILE_BYTES}; compact the table (OPTIMIZE)");
                return Err(TablesError::TooLarge { subject: file, reason });
            }
        }
        let root = Url::parse(engine::ROOT).map_err(|e| wrong(e.into()))?;
        let rows = vector.read(engine.storage_handler(), &root).map_err(wrong)?;
        if Some(rows.len()) != u64::try_from(vector.cardinality).ok() {
            let (said, found) = (vector.cardinality, rows.len());
            return Err(self.malformed(format!("{}: its deletion vector deletes {found} rows, its log says {said}", self.name)));
        }
        Ok(Some(rows))
    }
}

/// The name of a column in files and in the log's partition values.
fn physical_name(column: &StructField) -> &str {
    match column.get_config_value(&ColumnMetadataKey::ColumnMappingPhysicalName) {
        Some(MetadataValue::String(name)) => name,
        _ => column.name(),
    }
}

/// Numbers of deleted rows.
type Deleted = roaring::RoaringTreemap;
