//! A file written again as a plan shows it: rows filtered, values masked, parts of columns left out.
//!
//! The plan's expressions are DataFusion's; reading and writing are a plain loop over one file, so that rows keep their
//! order, memory is bounded whatever the file's size, and the same file under the same plan gives the same bytes.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch},
    compute::{cast, filter_record_batch, prep_null_mask_filter},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use aws_lc_rs::digest;
use datafusion::{common::Result as DataFusionResult, physical_expr::PhysicalExpr};
use parquet::{
    arrow::{
        ArrowSchemaConverter, ArrowWriter, ProjectionMask,
        arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
        arrow_writer::ArrowWriterOptions,
    },
    basic::{Compression, Encoding, Type as Physical},
    errors::ParquetError,
    file::properties::{EnabledStatistics, WriterProperties},
};
use serde_json::Value;

use super::{
    expr::physical,
    footer::{Footer, Positioned},
    plan::TablePlan,
    stats::file_stats,
    virtual_parquet::created_by,
};
use crate::{
    TablesError,
    publish::{FileStats, guarded},
};

/// Most rows decoded at once.
const BATCH_ROWS: usize = 8 * 1024;
/// Rows decoded at once where the length of the values is not known: a dictionary lets a small file stand for very long
/// ones.
const CAREFUL_BATCH_ROWS: usize = 1024;
/// Bytes that a batch should take when decoded.
const BATCH_BYTES: i64 = 16 * 1024 * 1024;
/// Rows per row group: what engines expect to parallelise by.
const ROW_GROUP_ROWS: usize = 512 * 1024;
/// Bytes per row group: it is held in memory until it is whole.
const ROW_GROUP_BYTES: usize = 48 * 1024 * 1024;
/// Largest dictionary of a column of integers: beyond that they are written as differences.
const INTEGER_DICTIONARY_BYTES: usize = 64 * 1024;
/// Bytes written to the file at once.
const WRITE_BYTES: usize = 256 * 1024;

/// A file as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rewritten {
    pub(super) rows: u64,
    pub(super) size: u64,
    pub(super) sha256: String,
    pub(super) stats: FileStats,
}

/// Decodes what a plan shows of some row groups of a file, batch by batch.
pub(super) struct Shown {
    reader: ParquetRecordBatchReader,
    filter: Option<Arc<dyn PhysicalExpr>>,
    columns: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
}

impl Shown {
    pub(super) fn new(plan: &TablePlan, file: &Positioned, footer: &Footer, groups: &[usize], name: &str) -> Result<Self, TablesError> {
        let failed = |e: &dyn std::fmt::Display| TablesError::MalformedParquet { file: name.into(), reason: e.to_string() };
        let descr = footer.metadata().file_metadata().schema_descr();
        let leaves = plan.read_leaves();
        let rows = batch_rows(footer, groups, &leaves);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), footer.arrow.clone())
            .with_projection(ProjectionMask::leaves(descr, leaves))
            .with_row_groups(groups.to_vec())
            .with_batch_size(rows)
            .build()
            .map_err(|e| failed(&e))?;
        let read = arrow::array::RecordBatchReader::schema(&reader);
        let expressions = || -> DataFusionResult<_> {
            let filter = plan.filter_expr(&read)?.map(|e| physical(&e, &read)).transpose()?;
            let columns = plan.projection_exprs(&read)?.iter().map(|e| physical(e, &read)).collect::<DataFusionResult<_>>()?;
            Ok((filter, columns, plan.shown_schema(&read)?))
        };
        let (filter, columns, schema) = expressions().map_err(|e| failed(&e))?;
        let fields: Vec<Field> = schema.fields().iter().zip(&plan.schema().columns).map(|(f, c)| zoned_field(f, &c.data_type)).collect();
        Ok(Self { reader, filter, columns, schema: Arc::new(Schema::new(fields)) })
    }

    /// The columns of its batches.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The next batch, perhaps without rows; `None` at the end.
    pub(super) fn next(&mut self) -> DataFusionResult<Option<RecordBatch>> {
        Ok(self.next_counted()?.map(|(batch, _)| batch))
    }

    /// The same, with how many rows were looked at for it.
    pub(super) fn next_counted(&mut self) -> DataFusionResult<Option<(RecordBatch, usize)>> {
        let Some(batch) = self.reader.next() else { return Ok(None) };
        let mut batch = batch?;
        let looked = batch.num_rows();
        if let Some(filter) = &self.filter {
            let rows = batch.num_rows();
            let shown = filter.evaluate(&batch)?.into_array(rows)?;
            // A row is shown where the filter is true, and not where it is neither true nor false.
            let shown = match shown.as_boolean_opt() {
                Some(shown) if shown.null_count() > 0 => prep_null_mask_filter(shown),
                Some(shown) => shown.clone(),
                None => BooleanArray::from(vec![false; rows]),
            };
            if shown.true_count() < rows {
                batch = filter_record_batch(&batch, &shown)?;
            }
        }
        let rows = batch.num_rows();
        let columns = self.columns.iter().zip(self.schema.fields()).map(|(column, field)| {
            let array: ArrayRef = column.evaluate(&batch)?.into_array(rows)?;
            Ok(if array.data_type() == field.data_type() { array } else { cast(&array, field.data_type())? })
        });
        let columns = columns.collect::<DataFusionResult<Vec<_>>>()?;
        Ok(Some((RecordBatch::try_new(Arc::clone(&self.schema), columns)?, looked)))
    }
}

/// How many rows are decoded at once.
fn batch_rows(footer: &Footer, groups: &[usize], leaves: &[usize]) -> usize {
    let mut most = 1_i64;
    for group in groups {
        let group = footer.metadata().row_group(*group);
        let mut bytes = 0_i64;
        for leaf in leaves {
            let chunk = group.column(*leaf);
            bytes = bytes.saturating_add(match chunk.column_type() {
                // Not every writer says how long values are before they are encoded.
                Physical::BYTE_ARRAY => match chunk.unencoded_byte_array_data_bytes() {
                    Some(bytes) if bytes >= 0 => bytes,
                    _ => return CAREFUL_BATCH_ROWS,
                },
                Physical::FIXED_LEN_BYTE_ARRAY => chunk.num_values().saturating_mul(chunk.column_descr().type_length().into()),
                _ => chunk.num_values().saturating_mul(8),
            });
        }
        most = most.max(bytes / group.num_rows().max(1) + 1);
    }
    usize::try_from(BATCH_BYTES / most).unwrap_or(1).clamp(1, BATCH_ROWS)
}

/// A field whose points in time say so: INT96 is read without a zone.
fn zoned_field(field: &Field, declared: &Value) -> Field {
    field.clone().with_data_type(zoned(field.data_type(), declared))
}

fn zoned(data_type: &DataType, declared: &Value) -> DataType {
    let inner = |field: &Arc<Field>, key: &str| Arc::new(zoned_field(field, &declared[key]));
    match data_type {
        DataType::Timestamp(_, None) if declared == "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::List(field) => DataType::List(inner(field, "elementType")),
        DataType::LargeList(field) => DataType::LargeList(inner(field, "elementType")),
        DataType::Struct(fields) => {
            let types = declared["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
            DataType::Struct(fields.iter().zip(types).map(|(f, t)| Arc::new(zoned_field(f, &t["type"]))).collect())
        }
        DataType::Map(entries, sorted) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                let fields = vec![inner(&fields[0], "keyType"), inner(&fields[1], "valueType")];
                DataType::Map(Arc::new(entries.as_ref().clone().with_data_type(DataType::Struct(fields.into()))), *sorted)
            }
            _ => data_type.clone(),
        },
        other => other.clone(),
    }
}

/// A file that hashes and counts what is written to it, up to a limit.
struct Sink {
    out: BufWriter<File>,
    hash: digest::Context,
    size: u64,
    limit: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.size + bytes.len() as u64 > self.limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than the cache"));
        }
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes what a plan shows of some row groups of a file to `target`, which must not exist; at most `limit` bytes.
pub(super) fn rewrite(
    plan: &TablePlan,
    file: &Positioned,
    footer: &Footer,
    groups: &[usize],
    name: &str,
    target: &Path,
    limit: u64,
) -> Result<Rewritten, TablesError> {
    let failed = |e: &dyn std::fmt::Display| TablesError::Write { file: name.into(), reason: e.to_string() };
    guarded(name, || {
        let mut shown = Shown::new(plan, file, footer, groups, name)?;
        let out = File::create_new(target).map_err(TablesError::io("creating", target))?;
        let sink = Sink { out: BufWriter::with_capacity(WRITE_BYTES, out), hash: digest::Context::new(&digest::SHA256), size: 0, limit };
        // Arrow's own copy of the schema is left out: Parquet's says all there is.
        let properties = properties(&shown.schema()).map_err(|e| failed(&e))?;
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let mut writer = ArrowWriter::try_new_with_options(sink, shown.schema(), options).map_err(|e| failed(&e))?;
        while let Some(batch) = shown.next().map_err(|e| failed(&e))? {
            if batch.num_rows() > 0 {
                writer.write(&batch).map_err(|e| failed(&e))?;
            }
        }
        let metadata = writer.finish().map_err(|e| failed(&e))?;
        let sink = writer.inner_mut();
        sink.flush().map_err(TablesError::io("writing", target))?;
        let all: Vec<usize> = (0..metadata.num_row_groups()).collect();
        Ok(Rewritten {
            rows: u64::try_from(metadata.file_metadata().num_rows()).unwrap_or_default(),
            size: sink.size,
            sha256: hex::encode(sink.hash.clone().finish()),
            stats: file_stats(plan, &metadata, &shown.schema(), &all, true),
        })
    })
}

fn properties(schema: &Schema) -> Result<WriterProperties, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_created_by(created_by())
        // For texts alone: read by every engine, and cheap to write. Numbers hardly get smaller by it.
        .set_compression(Compression::UNCOMPRESSED)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES));
    for column in ArrowSchemaConverter::new().convert(schema)?.columns() {
        let path = column.path().clone();
        properties = match column.physical_type() {
            // Numbers in order, and times above all, are small as differences, and read faster than they decompress.
            Physical::INT32 | Physical::INT64 => properties
                .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED)
                .set_column_dictionary_page_size_limit(path, INTEGER_DICTIONARY_BYTES),
            // "Not a number" is above all others and in no statistic: who skips pages by them must not find any.
            Physical::FLOAT | Physical::DOUBLE => properties.set_column_statistics_enabled(path, EnabledStatistics::Chunk),
            Physical::BYTE_ARRAY => properties.set_column_compression(path, Compression::SNAPPY),
            Physical::BOOLEAN | Physical::INT96 | Physical::FIXED_LEN_BYTE_ARRAY => properties,
        };
    }
    Ok(properties.build())
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
