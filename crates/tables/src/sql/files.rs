//! The Parquet files of a table as a source of a plan: open files that have no name in the engine.
//!
//! The files are opened, and checked to be those that were published, by whoever asks; the engine reads from what is
//! open. So there is no path in a plan, in an error or in reach of a statement.

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{Result as DfResult, Statistics, exec_datafusion_err, stats::Precision},
    datasource::{
        TableType,
        listing::PartitionedFile,
        physical_plan::{FileGroup, FileScanConfigBuilder, ParquetFileReaderFactory, ParquetSource},
        source::DataSourceExec,
    },
    execution::object_store::ObjectStoreUrl,
    logical_expr::{Expr, TableProviderFilterPushDown},
    physical_plan::{ExecutionPlan, metrics::ExecutionPlanMetricsSet},
};
use futures::{FutureExt, future::BoxFuture};
use parquet::{
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader},
    errors::ParquetError,
    file::metadata::ParquetMetaData,
};
use std::{
    fs::File,
    io,
    ops::Range,
    sync::{Arc, OnceLock},
};

use super::inlined::inlined;
pub use crate::governed::StillSame;
use crate::governed::{Positioned, Written, metadata, without_upper_bounds_of_floats};

/// The address under which a plan knows the files. Nothing can be reached by it: the store behind it is empty.
pub(super) const PLACE: &str = "table:///";

/// A Parquet file of a table, open.
pub struct SourceFile {
    file: Positioned,
    size: u64,
    still_same: StillSame,
    /// Whether it was written as a plan shows it.
    is_shown: bool,
    footer: OnceLock<Arc<ParquetMetaData>>,
}

impl std::fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceFile").field("size", &self.size).finish_non_exhaustive()
    }
}

impl SourceFile {
    /// An open file of so many bytes.
    pub fn new(file: Arc<File>, size: u64, still_same: StillSame) -> Self {
        Self { file: Positioned::of_size(file, size), size, still_same, is_shown: false, footer: OnceLock::new() }
    }

    /// A file that was written as a plan shows it: nobody changes it, and all that it says of itself may be told. `None` for
    /// one without rows.
    pub fn shown(written: &Written) -> Option<Self> {
        let (file, footer) = written.open()?;
        Some(Self {
            is_shown: true,
            footer: OnceLock::from(Arc::clone(footer)),
            ..Self::new(Arc::clone(file), written.size(), Arc::new(|_: &File| Ok(())))
        })
    }

    /// How many rows it says that it has, if it may be believed.
    fn rows(&self) -> Option<usize> {
        let footer = self.footer.get().filter(|_| self.is_shown)?;
        usize::try_from(footer.file_metadata().num_rows()).ok()
    }

    fn read(&self, range: &Range<u64>) -> Result<Bytes, ParquetError> {
        let length = range.end.checked_sub(range.start).and_then(|l| usize::try_from(l).ok());
        let length = length.ok_or_else(|| ParquetError::EOF("a part ends before it begins".into()))?;
        let bytes = self.file.bytes(range.start, length).map_err(failed)?;
        self.check()?;
        Ok(bytes.into())
    }

    fn check(&self) -> Result<(), ParquetError> {
        (self.still_same)(self.file.file()).map_err(failed)
    }

    fn footer(&self) -> Result<Arc<ParquetMetaData>, ParquetError> {
        if let Some(known) = self.footer.get() {
            return Ok(Arc::clone(known));
        }
        let metadata = metadata(&self.file, "a file of the table").map_err(|e| ParquetError::External(Box::new(e)))?;
        let metadata = without_upper_bounds_of_floats(metadata)?;
        self.check()?;
        Ok(Arc::clone(self.footer.get_or_init(|| Arc::new(metadata))))
    }
}

fn failed(e: io::Error) -> ParquetError {
    ParquetError::External(Box::new(e))
}

/// One reading of a file.
struct Reader(Arc<SourceFile>);

impl Reader {
    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SourceFile) -> Result<T, ParquetError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, ParquetError>> {
        let file = Arc::clone(&self.0);
        async move { tokio::task::spawn_blocking(move || work(&file)).await.map_err(|e| ParquetError::External(Box::new(e)))? }.boxed()
    }
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        self.blocking(move |file| file.read(&range))
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        self.blocking(move |file| ranges.iter().map(|range| file.read(range)).collect())
    }

    fn get_metadata<'a>(&'a mut self, _: Option<&'a ArrowReaderOptions>) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        self.blocking(SourceFile::footer)
    }
}

/// Opens what a plan names by its position.
#[derive(Debug)]
struct Readers(Arc<[Arc<SourceFile>]>);

impl ParquetFileReaderFactory for Readers {
    fn create_reader(
        &self,
        _partition: usize,
        file: PartitionedFile,
        _hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> DfResult<Box<dyn AsyncFileReader + Send>> {
        let position: Option<usize> = file.path().as_ref().parse().ok();
        let file = position.and_then(|p| self.0.get(p)).ok_or_else(|| exec_datafusion_err!("no such file"))?;
        Ok(Box::new(Reader(Arc::clone(file))))
    }
}

/// The whole table as it is stored. Only the plan of a governed table names it.
#[derive(Debug)]
pub(super) struct Stored {
    schema: SchemaRef,
    files: Arc<[Arc<SourceFile>]>,
}

impl Stored {
    pub(super) fn new(schema: SchemaRef, files: Vec<Arc<SourceFile>>) -> Self {
        Self { schema, files: files.into() }
    }
}

#[async_trait::async_trait]
impl TableProvider for Stored {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Whatever is pushed here helps to skip row groups, and is tested again above.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DfResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let rows: Option<usize> = self.files.iter().map(|file| file.rows()).sum();
        let mut options = state.default_table_options().parquet;
        // As everywhere: nanoseconds do not reach the years that INT96 does.
        options.global.coerce_int96 = Some("us".into());
        options.global.coerce_int96_tz = Some("UTC".into());
        let mut source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(options)
            .with_enable_page_index(rows.is_some())
            .with_parquet_file_reader_factory(Arc::new(Readers(Arc::clone(&self.files))));
        if let Some(predicate) = filters.iter().cloned().reduce(Expr::and) {
            let schema = datafusion::common::DFSchema::try_from(Arc::clone(&self.schema))?;
            source = source.with_predicate(state.create_physical_expr(predicate, &schema)?);
        }
        let files = self.files.iter().enumerate();
        let groups = files.map(|(i, file)| FileGroup::new(vec![PartitionedFile::new(i.to_string(), file.size)])).collect();
        let mut config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(PLACE)?, Arc::new(source))
            .with_file_groups(groups)
            .with_limit(limit)
            .with_projection_indices(projection.cloned())?;
        if let (Some(rows), true, None) = (rows, filters.is_empty(), limit) {
            config = config.with_statistics(Statistics { num_rows: Precision::Exact(rows), ..Statistics::new_unknown(&self.schema) });
        }
        let plan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config.build());
        let spread = plan.repartitioned(state.config().target_partitions(), state.config_options())?;
        Ok(inlined(spread.unwrap_or(plan)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        governed::{TablePlan, fixtures},
        publish::TableSchema,
        sql::{Format, Limits, Queries, Table},
    };
    use arrow::{
        array::{ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch},
        datatypes::{DataType, Field, Schema, TimeUnit},
    };
    use fondaco_core::policy::{filter::Filter, view::View};
    use futures::TryStreamExt;
    use parquet::{arrow::ArrowWriter, file::properties::WriterProperties};
    use serde_json::{Value, json};

    /// The ids that a filter leaves of a file, asked in SQL.
    async fn ids(bytes: &[u8], schema: &TableSchema, filter: &str) -> Value {
        let view = View { row_filter: Some(Filter::parse(filter).expect("filter")), ..View::default() };
        let plan = TablePlan::new(&view, schema, &[]).expect("plan");
        let mut file = tempfile::tempfile().expect("file");
        io::Write::write_all(&mut file, bytes).expect("written");
        let source = SourceFile::new(Arc::new(file), bytes.len() as u64, Arc::new(|_: &File| Ok(())));
        let table = Table::new("acme", "t", &plan, vec![Arc::new(source)]).expect("table");
        let engine = Queries::default();
        let answer = engine.run("agr_1", table, "SELECT id FROM t ORDER BY id".into(), Limits::default()).await.expect("runs");
        let pieces = answer.begin().await.expect("begins").into_bytes(Format::Json).map_ok(|(bytes, _)| bytes.to_vec());
        let text = pieces.try_collect::<Vec<_>>().await.expect("whole").concat();
        let answer: Value = serde_json::from_slice(&text).expect("json");
        answer["rows"].as_array().expect("rows").iter().map(|row| row["id"].clone()).collect()
    }

    #[tokio::test]
    async fn what_is_not_a_number_is_above_all_others_as_in_files() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int64Array::from_iter_values(1..=4))),
            ("x", Arc::new(Float64Array::from(vec![f64::NAN, 1.0, 2.0, 2.0]))),
            ("y", Arc::new(Float32Array::from(vec![f32::NAN, 1.0, 2.0, 2.0]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).expect("batch");
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).expect("writer");
        writer.write(&batch).expect("written");
        writer.close().expect("closed");
        let schema = fixtures::declared(&batch.schema());
        for column in ["x", "y"] {
            for (filter, wanted) in [
                ("> 5", json!([1])),
                (">= 1", json!([1, 2, 3, 4])),
                ("<> 2", json!([1, 2])),
                ("= 1", json!([2])),
                ("< 5", json!([2, 3, 4])),
                ("<= 0", json!([])),
            ] {
                assert_eq!(ids(&bytes, &schema, &format!("{column} {filter}")).await, wanted, "{column} {filter}");
            }
        }
    }

    #[tokio::test]
    async fn the_end_of_time_keeps_its_place() {
        let bytes = fixtures::int96_file(&[Some(2_447_893), Some(2_461_042), Some(5_373_483), None]);
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let schema = fixtures::declared(&Schema::new(vec![Field::new("id", DataType::Int32, false), Field::new("valid_to", time, true)]));
        assert_eq!(ids(&bytes, &schema, "valid_to < TIMESTAMP '2000-01-01T00:00:00Z'").await, json!([1]));
        assert_eq!(ids(&bytes, &schema, "valid_to > TIMESTAMP '2000-01-01T00:00:00Z'").await, json!([2, 3]));
        assert_eq!(ids(&bytes, &schema, "valid_to = TIMESTAMP '9999-12-30T00:00:00Z'").await, json!([3]));
    }
}
