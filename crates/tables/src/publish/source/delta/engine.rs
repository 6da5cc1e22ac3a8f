//! The Delta kernel's engine, kept inside the table's folder.
//!
//! The kernel's own engine follows what the log says: an absolute address in a log (of a deletion vector
//! or of a checkpoint's part) that looks signed is fetched over HTTP, whatever host it names. A log is
//! foreign input, so [`Confined`] lets the engine read below the table's folder and nothing else.

use std::{path::Path, sync::Arc};

use delta_kernel::{
    Engine, EngineData, EvaluationHandler, FileDataReadResultIterator, FileMeta, FileSlice, FilteredEngineData, JsonHandler, KernelError,
    KernelResult, KernelResultIterator, KernelResultIteratorStatic, ParquetFooter, ParquetHandler, PredicateRef, StorageHandler,
    schema::SchemaRef,
};
use delta_kernel_default_engine::{DefaultEngineBuilder, executor::tokio::TokioMultiThreadExecutor};
use object_store::local::LocalFileSystem;
use url::Url;

use crate::TablesError;

/// The address of the table for the kernel: its folder is the root of all the engine can see.
pub(super) const ROOT: &str = "file:///";

/// The engine for the table in this folder.
pub(super) fn open(table: &str, root: &Path) -> Result<Arc<dyn Engine>, TablesError> {
    let failed =
        |e: &dyn std::fmt::Display| TablesError::MalformedDelta { table: table.into(), reason: format!("it cannot be opened: {e}") };
    let store = LocalFileSystem::new_with_prefix(root).map_err(|e| failed(&e))?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let executor = TokioMultiThreadExecutor::new_owned_runtime(Some(threads), None).map_err(|e| failed(&e))?;
    let inner = DefaultEngineBuilder::new(Arc::new(store)).with_task_executor(Arc::new(executor)).build();
    Ok(Arc::new(Confined { inner: Arc::new(inner) }))
}

/// An engine that reads local files only, and writes nothing.
struct Confined {
    inner: Arc<dyn Engine>,
}

impl Engine for Confined {
    fn evaluation_handler(&self) -> Arc<dyn EvaluationHandler> {
        self.inner.evaluation_handler()
    }

    fn storage_handler(&self) -> Arc<dyn StorageHandler> {
        Arc::new(ConfinedStorage(self.inner.storage_handler()))
    }

    fn json_handler(&self) -> Arc<dyn JsonHandler> {
        Arc::new(ConfinedJson(self.inner.json_handler()))
    }

    fn parquet_handler(&self) -> Arc<dyn ParquetHandler> {
        Arc::new(ConfinedParquet(self.inner.parquet_handler()))
    }
}

fn inside(url: &Url) -> KernelResult<()> {
    // The store knows no path above the folder, so what is left to refuse is another kind of address.
    if url.scheme() == "file" && url.host().is_none() && url.query().is_none() {
        return Ok(());
    }
    Err(KernelError::InvalidTableLocation(format!("its log names a file outside the table: {url}")))
}

fn all_inside(files: &[FileMeta]) -> KernelResult<()> {
    files.iter().try_for_each(|f| inside(&f.location))
}

fn read_only<T>() -> KernelResult<T> {
    Err(KernelError::Unsupported("the table is only read".into()))
}

struct ConfinedStorage(Arc<dyn StorageHandler>);

impl StorageHandler for ConfinedStorage {
    fn list_from(&self, path: &Url) -> KernelResult<KernelResultIteratorStatic<FileMeta>> {
        inside(path)?;
        self.0.list_from(path)
    }

    fn read_files(&self, files: Vec<FileSlice>) -> KernelResult<KernelResultIteratorStatic<bytes::Bytes>> {
        files.iter().try_for_each(|(url, _)| inside(url))?;
        self.0.read_files(files)
    }

    fn copy_atomic(&self, _: &Url, _: &Url) -> KernelResult<()> {
        read_only()
    }

    fn put(&self, _: &Url, _: bytes::Bytes, _: bool) -> KernelResult<()> {
        read_only()
    }

    fn head(&self, path: &Url) -> KernelResult<FileMeta> {
        inside(path)?;
        self.0.head(path)
    }

    fn delete(&self, _: &Url) -> KernelResult<()> {
        read_only()
    }
}

struct ConfinedJson(Arc<dyn JsonHandler>);

impl JsonHandler for ConfinedJson {
    fn parse_json(&self, strings: Box<dyn EngineData>, schema: SchemaRef) -> KernelResult<Box<dyn EngineData>> {
        self.0.parse_json(strings, schema)
    }

    fn read_json_files(
        &self,
        files: &[FileMeta],
        schema: SchemaRef,
        predicate: Option<PredicateRef>,
    ) -> KernelResult<FileDataReadResultIterator> {
        all_inside(files)?;
        self.0.read_json_files(files, schema, predicate)
    }

    fn write_json_file(&self, _: &Url, _: KernelResultIterator<'_, FilteredEngineData>, _: bool) -> KernelResult<u64> {
        read_only()
    }
}

struct ConfinedParquet(Arc<dyn ParquetHandler>);

impl ParquetHandler for ConfinedParquet {
    fn read_parquet_files(
        &self,
        files: &[FileMeta],
        schema: SchemaRef,
        predicate: Option<PredicateRef>,
    ) -> KernelResult<FileDataReadResultIterator> {
        all_inside(files)?;
        self.0.read_parquet_files(files, schema, predicate)
    }

    fn write_parquet_file(&self, _: Url, _: KernelResultIteratorStatic<Box<dyn EngineData>>) -> KernelResult<u64> {
        read_only()
    }

    fn read_parquet_footer(&self, file: &FileMeta) -> KernelResult<ParquetFooter> {
        inside(&file.location)?;
        self.0.read_parquet_footer(file)
    }
}

/// What the kernel says, for the publisher.
pub(super) fn explain(table: &str, error: KernelError) -> TablesError {
    match error {
        // With a backtrace only where developers ask for one.
        KernelError::Backtraced { source, .. } => explain(table, *source),
        KernelError::FileNotFound(file) => TablesError::MissingFile { table: table.into(), file },
        KernelError::Unsupported(reason) | KernelError::InvalidProtocol(reason) => TablesError::UnsupportedDelta {
            table: table.into(),
            reason: format!("it cannot be read here: {reason}; drop the table feature, or publish a copy made without it"),
        },
        other => TablesError::MalformedDelta { table: table.into(), reason: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_outside_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let engine = open("t", dir.path()).unwrap();
        for bad in [
            "https://127.0.0.1:9/x.bin?X-Amz-Signature=1",
            "http://127.0.0.1/x?sp=r",
            "s3://b/x",
            "file:///x?sp=r",
            "file://host/x",
            "data:,x",
        ] {
            let url = Url::parse(bad).unwrap();
            let refused = |e: Option<KernelError>| {
                let text = e.map(|e| e.to_string()).unwrap_or_default();
                assert!(text.contains("outside the table"), "{bad}: {text}");
            };
            refused(engine.storage_handler().read_files(vec![(url.clone(), None)]).err());
            refused(engine.storage_handler().list_from(&url).err());
            refused(engine.storage_handler().head(&url).err());
            let meta = FileMeta::new(url, 0, 1);
            let schema = Arc::new(delta_kernel::schema::StructType::try_new([]).unwrap());
            refused(engine.parquet_handler().read_parquet_files(std::slice::from_ref(&meta), schema.clone(), None).err());
            refused(engine.parquet_handler().read_parquet_footer(&meta).err());
            refused(engine.json_handler().read_json_files(&[meta], schema, None).err());
        }
        // Paths lead below the folder, whatever they say.
        std::fs::write(dir.path().join("a.bin"), "x").unwrap();
        let read = |path: &str| {
            let url = Url::parse(path).unwrap();
            engine.storage_handler().read_files(vec![(url, None)]).and_then(|mut i| i.next().unwrap()).is_ok()
        };
        assert!(read("file:///a.bin"));
        assert!(read("file:///../../a.bin"));
        assert!(!read("file:///etc/hostname"));
        assert!(!read("file:///%2e%2e%2fetc%2fhostname"));
    }
}
