//! The Parquet files of a table as a source of a plan: open files that have no name in the engine.
//!
//! The files are opened, and checked to be those that were published, by whoever asks; the engine reads from what is
//! open. So there is no path in a plan, in an error or in reach of a statement.

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{Result as DfResult, exec_datafusion_err},
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

use crate::governed::{Positioned, metadata};

/// The address under which a plan knows the files. Nothing can be reached by it: the store behind it is empty.
pub(super) const PLACE: &str = "table:///";

/// Looks whether an open file is still the one that was checked, after each reading of it.
pub type StillSame = Arc<dyn Fn(&File) -> io::Result<()> + Send + Sync>;

/// A Parquet file of a table, open.
pub struct SourceFile {
    file: Positioned,
    size: u64,
    still_same: StillSame,
    footer: OnceLock<Arc<ParquetMetaData>>,
}

impl std::fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceFile").field("size", &self.size).finish_non_exhaustive()
    }
}

impl SourceFile {
    /// An open file of so many bytes.
    pub fn new(file: File, size: u64, still_same: StillSame) -> Self {
        Self { file: Positioned::of_size(file, size), size, still_same, footer: OnceLock::new() }
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
        let mut source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_enable_page_index(false)
            .with_parquet_file_reader_factory(Arc::new(Readers(Arc::clone(&self.files))));
        if let Some(predicate) = filters.iter().cloned().reduce(Expr::and) {
            let schema = datafusion::common::DFSchema::try_from(Arc::clone(&self.schema))?;
            source = source.with_predicate(state.create_physical_expr(predicate, &schema)?);
        }
        let files = self.files.iter().enumerate();
        let groups = files.map(|(i, file)| FileGroup::new(vec![PartitionedFile::new(i.to_string(), file.size)])).collect();
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(PLACE)?, Arc::new(source))
            .with_file_groups(groups)
            .with_limit(limit)
            .with_projection_indices(projection.cloned())?
            .build();
        let plan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
        let spread = plan.repartitioned(state.config().target_partitions(), state.config_options())?;
        Ok(spread.unwrap_or(plan))
    }
}
