//! Delta tables: one version of a table becomes a product, file by file.
//!
//! The kernel reads the log and says which files a version consists of. A file that needs no change (no
//! deleted rows, no partition columns, columns named and typed as the table's) keeps its bytes and is
//! treated as any Parquet file; the others are rewritten as the table shows them. Files are published in
//! the order of their modification times, then by path: of a table that grows, what is new comes last.

mod engine;
mod log;
mod rewrite;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{Array, AsArray, RecordBatch, StructArray},
    datatypes::{Int32Type, Int64Type},
};
use aws_lc_rs::digest;
use delta_kernel::{
    Engine, ExpressionRef, KernelError, Snapshot,
    actions::deletion_vector::{DeletionVectorDescriptor, DeletionVectorStorageType},
    engine::{arrow_conversion::TryIntoArrow, arrow_data::ArrowEngineData},
    scan::{Scan, ScanMetadata, StatsOptions, get_transform_for_row},
};
use percent_encoding::percent_decode_str;
use serde_json::json;
use url::Url;

use self::{
    engine::explain,
    log::{LOG_DIR, Log, LogPlan, MAX_LOG_FILE_BYTES, MAX_LOG_FILES, SIDECAR_DIR},
};
use super::{
    super::{
        ColumnAccumulator, DataFile, PublishLimits, TableSchema, Work,
        following::{self, Followed},
        parallel::{Event, in_order},
        part_name,
    },
    Source,
    parquet::{Keep, Kept, PublishedFile, check_lengths, check_nanoseconds, guarded, inspect},
};
use crate::TablesError;

/// Whether a folder is a Delta table.
pub(super) fn is_table(dir: &Path) -> bool {
    dir.join(LOG_DIR).is_dir()
}

/// The newest version of the table in a folder; `None` when the folder is not one.
pub(in super::super) fn newest_version(dir: &Path) -> Result<Option<u64>, TablesError> {
    if !is_table(dir) {
        return Ok(None);
    }
    let table = DeltaSource::local(dir)?;
    let names = table.local_log(&table.root.join(LOG_DIR))?;
    Ok(newest_of(names.keys().map(String::as_str)))
}

/// The newest version that the names in a log tell of.
pub(in super::super) fn newest_of<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<u64> {
    Log::of(names).newest()
}

/// A table that is somewhere else; its files appear below a folder here when they are asked for.
pub(in super::super) trait RemoteTable {
    /// Names and sizes of the objects directly below a folder of the table, at most `max`.
    fn list(&mut self, folder: &str, max: usize, work: &mut Work<'_>) -> Result<Vec<(String, u64)>, TablesError>;
    /// Brings files here, by their paths below the table.
    fn fetch(&mut self, files: &[String], work: &mut Work<'_>) -> Result<(), TablesError>;
}

/// A Delta table to publish.
pub(in super::super) struct DeltaSource {
    /// The table's folder, or where a remote table's files appear.
    root: PathBuf,
    /// What to call it in messages.
    table: String,
    /// What tells it from other tables in the origin of its files.
    place: String,
    remote: Option<Box<dyn RemoteTable>>,
}

/// A file of the version.
struct Entry {
    /// Its path below the table, decoded.
    relative: Vec<String>,
    size: u64,
    modified: i64,
    deleted: Option<DeletionVectorDescriptor>,
    transform: Option<ExpressionRef>,
    partition: BTreeMap<String, Option<String>>,
}

/// What is to be done about a file.
struct Item<'a> {
    part: String,
    entry: Entry,
    origin: String,
    reused: Option<&'a DataFile>,
}

/// What became of it.
enum Outcome {
    Published(PublishedFile),
    Reused(DataFile),
    /// All its rows are deleted.
    Empty,
}

/// A version of a table, opened.
struct Version {
    table: String,
    root: PathBuf,
    engine: Arc<dyn Engine>,
    scan: Scan,
    schema: TableSchema,
    /// Whether files may have the table's columns as they are.
    plain: bool,
}

impl DeltaSource {
    /// The table in a folder of this machine.
    pub(super) fn local(dir: &Path) -> Result<Self, TablesError> {
        let root = fs::canonicalize(dir).map_err(TablesError::io("reading", dir))?;
        let table = root.file_name().map_or_else(|| root.display().to_string(), |n| n.to_string_lossy().into_owned());
        Ok(Self { place: root.display().to_string(), root, table, remote: None })
    }

    /// A table somewhere else, whose files appear in `root`.
    pub(in super::super) fn remote(root: PathBuf, table: String, remote: Box<dyn RemoteTable>) -> Result<Self, TablesError> {
        let root = fs::canonicalize(&root).map_err(TablesError::io("reading", root))?;
        Ok(Self { root, place: table.clone(), table, remote: Some(remote) })
    }

    fn malformed(&self, reason: impl Into<String>) -> TablesError {
        TablesError::MalformedDelta { table: self.table.clone(), reason: reason.into() }
    }

    /// Finds out what the version needs of the log, and has it here.
    fn plan(&mut self, work: &mut Work<'_>) -> Result<LogPlan, TablesError> {
        let wanted = work.options().delta_version;
        let Some(mut remote) = self.remote.take() else {
            let sizes = self.local_log(&self.root.join(LOG_DIR))?;
            let plan = Log::of(sizes.keys().map(String::as_str)).plan(&self.table, wanted)?;
            plan.files.iter().try_for_each(|name| self.log_size(name, sizes.get(name).copied()))?;
            if self.root.join(LOG_DIR).join(SIDECAR_DIR).is_dir() {
                self.local_log(&self.root.join(LOG_DIR).join(SIDECAR_DIR))?;
            }
            return Ok(plan);
        };
        let sizes: BTreeMap<String, u64> = remote.list(LOG_DIR, MAX_LOG_FILES, work)?.into_iter().collect();
        let plan = Log::of(sizes.keys().map(String::as_str)).plan(&self.table, wanted)?;
        plan.files.iter().try_for_each(|name| self.log_size(name, sizes.get(name).copied()))?;
        let mut files: Vec<String> = plan.files.iter().map(|name| format!("{LOG_DIR}/{name}")).collect();
        if plan.has_checkpoint {
            let folder = format!("{LOG_DIR}/{SIDECAR_DIR}");
            for (name, size) in remote.list(&folder, MAX_LOG_FILES, work)? {
                self.log_size(&name, Some(size))?;
                files.push(format!("{folder}/{name}"));
            }
        }
        remote.fetch(&files, work)?;
        self.remote = Some(remote);
        Ok(plan)
    }

    fn log_size(&self, name: &str, size: Option<u64>) -> Result<(), TablesError> {
        match size {
            Some(size) if size > MAX_LOG_FILE_BYTES => Err(TablesError::TooLarge {
                subject: format!("{}, {LOG_DIR}/{name}", self.table),
                reason: format!("{size} bytes; at most {MAX_LOG_FILE_BYTES}"),
            }),
            _ => Ok(()),
        }
    }

    /// Names and sizes of the log's files on this machine.
    fn local_log(&self, dir: &Path) -> Result<BTreeMap<String, u64>, TablesError> {
        let io = || TablesError::io("reading", dir);
        let mut sizes = BTreeMap::new();
        if fs::symlink_metadata(dir).map_err(io())?.is_symlink() {
            return Err(self.malformed("its log is a symbolic link; name the table where it really is"));
        }
        for entry in fs::read_dir(dir).map_err(io())? {
            let entry = entry.map_err(io())?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let meta = entry.metadata().map_err(io())?;
            if meta.is_symlink() {
                return Err(self.malformed(format!("{name} in its log is a symbolic link; copy the file")));
            }
            sizes.insert(name, meta.len());
            if sizes.len() > MAX_LOG_FILES {
                return Err(TablesError::TooLarge {
                    subject: self.table.clone(),
                    reason: format!("more than {MAX_LOG_FILES} files in its log; clean it up"),
                });
            }
        }
        Ok(sizes)
    }

    /// Checks the Parquet files of the log before the kernel, which trusts them, reads them.
    fn check_log(&self, plan: &LogPlan, limits: &PublishLimits) -> Result<(), TablesError> {
        let dir = self.root.join(LOG_DIR);
        let parts = dir.join(SIDECAR_DIR);
        let mut files: Vec<PathBuf> = plan.files.iter().map(|name| dir.join(name)).collect();
        if plan.has_checkpoint && parts.is_dir() {
            let io = || TablesError::io("reading", &parts);
            for entry in fs::read_dir(&parts).map_err(io())? {
                files.push(entry.map_err(io())?.path());
            }
        }
        for path in files.iter().filter(|p| p.extension().is_some_and(|e| e == "parquet")) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            check_lengths(path, &format!("{}, {LOG_DIR}/{name}", self.table), limits)?;
        }
        Ok(())
    }

    /// Opens the version and finds its files.
    fn open(&self, version: u64, limits: &PublishLimits) -> Result<(Version, Vec<Entry>), TablesError> {
        let explain = |e| explain(&self.table, e);
        let engine = engine::open(&self.table, &self.root)?;
        let snapshot = Snapshot::builder_for(engine::ROOT).at_version(version).build(engine.as_ref()).map_err(explain)?;
        let scan = snapshot.scan_builder().with_stats(StatsOptions::none()).build().map_err(explain)?;
        let logical = arrow_schema(scan.logical_schema()).map_err(|e| self.malformed(e))?;
        let types = vec![String::from("Delta"); logical.fields().len()];
        let schema = TableSchema::from_arrow(&self.table, &logical, &types, limits)?;
        let physical = arrow_schema(scan.physical_schema()).map_err(|e| self.malformed(e))?;
        // Mapped columns may be matched by number, so that equal names say nothing.
        let mapped = scan.logical_schema().fields().any(|f| f.column_mapping_id().is_some());
        let plain = !mapped && TableSchema::from_arrow(&self.table, &physical, &types, limits).is_ok_and(|s| s == schema);

        let mut entries = Vec::new();
        for batch in scan.scan_metadata(engine.as_ref()).map_err(explain)? {
            self.entries(batch.map_err(explain)?, &mut entries)?;
            if entries.len() > limits.max_files {
                return Err(TablesError::TooLarge {
                    subject: self.table.clone(),
                    reason: format!("more than {} files; compact the table (OPTIMIZE) and publish that version", limits.max_files),
                });
            }
        }
        entries.sort_by(|a, b| (a.modified, &a.relative).cmp(&(b.modified, &b.relative)));
        let version = Version { table: self.table.clone(), root: self.root.clone(), engine, scan, schema, plain };
        Ok((version, entries))
    }

    /// The files that a batch of the log tells of.
    fn entries(&self, metadata: ScanMetadata, entries: &mut Vec<Entry>) -> Result<(), TablesError> {
        let transforms = metadata.scan_file_transforms;
        let (data, selected) = metadata.scan_files.into_parts();
        let data = ArrowEngineData::try_from_engine_data(data).map_err(|e| explain(&self.table, e))?;
        let files = Files::of(data.record_batch()).ok_or_else(|| self.malformed("its log cannot be understood"))?;
        for row in 0..data.record_batch().num_rows() {
            if !selected.get(row).copied().unwrap_or(true) || files.path.is_null(row) {
                continue;
            }
            let raw = files.path.value(row);
            let size = u64::try_from(files.size.value(row)).map_err(|_| self.malformed(format!("its log gives {raw} a negative size")))?;
            entries.push(Entry {
                relative: relative(raw).map_err(|why| self.malformed(format!("its log names the file {raw:?}, {why}")))?,
                size,
                modified: files.modified.value(row),
                deleted: files.deleted(row).map_err(|why| self.malformed(format!("{raw}: {why}")))?,
                transform: get_transform_for_row(row, &transforms),
                partition: files.partition(row),
            });
        }
        Ok(())
    }

    /// Tells whether the next version can take over a file: everything that decides about its bytes.
    fn origin(&self, entry: &Entry, schema: &str) -> String {
        // A file on this machine may be overwritten under the same name.
        let here = self.remote.is_none().then(|| fs::metadata(entry.path(&self.root)).ok()).flatten();
        let modified = here.and_then(|m| m.modified().ok()).and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        let deleted = entry.deleted.as_ref().map(|d| (&d.path_or_inline_dv, d.offset, d.size_in_bytes, d.cardinality));
        let text = json!([
            self.place,
            entry.relative,
            entry.size,
            entry.modified,
            deleted,
            entry.partition,
            schema,
            modified.map(|m| m.as_nanos().to_string())
        ]);
        hex::encode(digest::digest(&digest::SHA256, text.to_string().as_bytes()))
    }
}

impl Source for DeltaSource {
    fn publish(&mut self, work: &mut Work<'_>) -> Result<(), TablesError> {
        let (options, limits, dir) = (work.options(), work.limits(), work.dir());
        let plan = self.plan(work)?;
        self.check_log(&plan, limits)?;
        let (version, entries) = guarded(&self.table, || self.open(plan.version, limits))?;
        options.check_cancelled()?;
        work.set_delta_version(plan.version);
        work.schema(&self.table, version.schema.clone())?;
        work.carry(version.schema.columns.iter().map(|c| ColumnAccumulator::new(&c.name, false)).collect());

        let followed = options.previous.as_ref().and_then(Followed::open);
        let described = version.schema.delta_schema_string();
        let items: Vec<Item<'_>> = entries
            .into_iter()
            .enumerate()
            .map(|(n, entry)| {
                let origin = self.origin(&entry, &described);
                let reused = followed.as_ref().and_then(|f| f.file(&origin, options.in_place && self.remote.is_none()));
                Item { part: part_name(n), entry, origin, reused }
            })
            .collect();
        let reused = items.iter().filter(|i| i.reused.is_some()).count();
        let mut exact = true;
        if let Some(followed) = followed.as_ref().filter(|_| reused > 0) {
            work.schema(&self.table, followed.schema().clone())?;
            work.carry(followed.columns().to_vec());
            exact = followed.is_exact(reused);
        }
        let is_remote = self.remote.is_some();
        if let Some(remote) = &mut self.remote {
            let mut needed = BTreeSet::new();
            for item in items.iter().filter(|i| i.reused.is_none()) {
                needed.insert(item.entry.name());
                needed.extend(item.entry.deletion_file().map_err(|e| explain(&self.table, e))?);
            }
            remote.fetch(&needed.into_iter().collect::<Vec<_>>(), work)?;
        }
        let how = match (is_remote, options.in_place) {
            (true, _) => Keep::Move,
            (false, true) => Keep::InPlace,
            (false, false) => Keep::Copy,
        };
        in_order(
            &items,
            |item, report| {
                if let (Some(file), Some(followed)) = (item.reused, &followed) {
                    followed.link(file, &dir.join(&item.part))?;
                    return Ok(Outcome::Reused(DataFile { name: item.part.clone(), ..file.clone() }));
                }
                let published = version.publish(item, dir, how, limits, report)?;
                if published.file.rows > 0 {
                    return Ok(Outcome::Published(published));
                }
                if published.file.path.is_none() {
                    let target = dir.join(&item.part);
                    fs::remove_file(&target).map_err(TablesError::io("removing", target))?;
                }
                Ok(Outcome::Empty)
            },
            |event| match event {
                Event::Progress(progress) => work.report(progress),
                Event::Done(Outcome::Published(published)) => {
                    work.schema(&published.name, published.schema)?;
                    work.add(published.file, &published.columns)
                }
                Event::Done(Outcome::Reused(file)) => {
                    options.check_cancelled()?;
                    work.add_known(file)
                }
                Event::Done(Outcome::Empty) => options.check_cancelled(),
            },
        )?;
        let schema = work.current_schema().cloned().unwrap_or(version.schema);
        following::remember(dir, &schema, work.totals(), exact)?;
        if !exact {
            work.set_profile(following::profile_from_stats(&schema, work.files()));
        }
        Ok(())
    }
}

impl Version {
    /// Publishes one file, with its bytes as they are if that is right.
    fn publish(
        &self,
        item: &Item<'_>,
        dir: &Path,
        how: Keep,
        limits: &PublishLimits,
        report: &mut super::super::Report<'_>,
    ) -> Result<PublishedFile, TablesError> {
        let (entry, name) = (&item.entry, item.entry.name());
        let source = self.source(entry)?;
        let (columns, rows) = inspect(&source, &name, limits)?;
        let same = columns.columns.len() == self.schema.columns.len()
            && columns.columns.iter().zip(&self.schema.columns).all(|(a, b)| a.name == b.name)
            && self.schema.clone().merge(&self.table, &columns, &name).is_ok();
        let mut published = if self.plain && same && entry.deleted.is_none() && entry.transform.is_none() {
            Kept::new(&source, dir, &item.part, &name, how, limits, report)?.checked(&name, limits, report)?
        } else {
            check_nanoseconds(&source, &name, limits)?;
            rewrite::rewrite(self, entry, rows, &dir.join(&item.part), &item.part, report)?
        };
        published.file.origin = Some(item.origin.clone());
        Ok(published)
    }

    /// Where an entry's file is, once it is sure to be the table's own.
    fn source(&self, entry: &Entry) -> Result<PathBuf, TablesError> {
        let malformed = |reason: String| TablesError::MalformedDelta { table: self.table.clone(), reason };
        let path = entry.path(&self.root);
        let real = match fs::canonicalize(&path) {
            Ok(real) => real,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(TablesError::MissingFile { table: self.table.clone(), file: entry.name() });
            }
            Err(e) => return Err(TablesError::io("reading", path)(e)),
        };
        if !real.starts_with(&self.root) {
            return Err(malformed(format!("{} is a symbolic link that leaves the table's folder; copy the file", entry.name())));
        }
        let meta = fs::metadata(&real).map_err(TablesError::io("reading", &real))?;
        if !meta.is_file() {
            return Err(malformed(format!("{} is not a file", entry.name())));
        }
        if meta.len() != entry.size {
            let (name, found, said) = (entry.name(), meta.len(), entry.size);
            return Err(malformed(format!("{name} has {found} bytes, its log says {said}; restore the file as it was written")));
        }
        Ok(real)
    }
}

impl Entry {
    fn name(&self) -> String {
        self.relative.join("/")
    }

    fn path(&self, root: &Path) -> PathBuf {
        self.relative.iter().fold(root.to_owned(), |path, step| path.join(step))
    }

    /// Its address for the kernel.
    fn url(&self) -> Result<Url, KernelError> {
        let mut url = Url::parse(engine::ROOT)?;
        url.path_segments_mut().map_err(|()| KernelError::generic("no path"))?.clear().extend(&self.relative);
        Ok(url)
    }

    /// The file its deletion vector is in, below the table.
    fn deletion_file(&self) -> Result<Option<String>, KernelError> {
        let Some(vector) = &self.deleted else { return Ok(None) };
        let Some(url) = vector.absolute_path(&Url::parse(engine::ROOT)?)? else { return Ok(None) };
        let path = url.path().trim_start_matches('/');
        relative(path).map(|steps| Some(steps.join("/"))).map_err(|why| KernelError::deletion_vector(format!("it is in {path}, {why}")))
    }
}

/// The steps of a path in a log, which is relative to the table and percent-encoded.
fn relative(raw: &str) -> Result<Vec<String>, &'static str> {
    let scheme = raw.split_once(':').map(|(scheme, _)| scheme);
    if scheme.is_some_and(|s| {
        s.starts_with(|c: char| c.is_ascii_alphabetic()) && s.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    }) {
        return Err("which is not below the table; publish a table that holds its own files (a deep clone)");
    }
    let decoded = percent_decode_str(raw).decode_utf8().map_err(|_| "whose name is not UTF-8")?;
    let steps: Vec<String> = decoded.split('/').map(str::to_owned).collect();
    if steps.iter().any(|s| s.is_empty() || s == "." || s == ".." || s.contains('\0')) {
        return Err("which is not below the table; publish a table that holds its own files (a deep clone)");
    }
    Ok(steps)
}

fn arrow_schema(schema: &delta_kernel::schema::SchemaRef) -> Result<arrow::datatypes::Schema, String> {
    schema.as_ref().try_into_arrow().map_err(|e: arrow::error::ArrowError| format!("its columns cannot be understood: {e}"))
}

/// The columns of a batch of files, as `delta_kernel::scan::scan_row_schema` lays them out.
struct Files<'a> {
    path: &'a arrow::array::StringArray,
    size: &'a arrow::array::Int64Array,
    modified: &'a arrow::array::Int64Array,
    vector: &'a StructArray,
    partition: Option<&'a arrow::array::MapArray>,
}

impl<'a> Files<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let constants = batch.column_by_name("fileConstantValues")?.as_struct_opt()?;
        Some(Self {
            path: batch.column_by_name("path")?.as_string_opt()?,
            size: batch.column_by_name("size")?.as_primitive_opt()?,
            modified: batch.column_by_name("modificationTime")?.as_primitive_opt()?,
            vector: batch.column_by_name("deletionVector")?.as_struct_opt()?,
            partition: constants.column_by_name("partitionValues").and_then(|c| c.as_map_opt()),
        })
    }

    fn deleted(&self, row: usize) -> Result<Option<DeletionVectorDescriptor>, String> {
        if self.vector.is_null(row) {
            return Ok(None);
        }
        let text = |name: &str| {
            self.vector
                .column_by_name(name)
                .and_then(|c| c.as_string_opt::<i32>())
                .filter(|c| c.is_valid(row))
                .map(|c| c.value(row).to_owned())
        };
        let int = |name: &str| {
            let column = self.vector.column_by_name(name).and_then(|c| c.as_primitive_opt::<Int32Type>());
            column.filter(|c| c.is_valid(row)).map(|c| c.value(row))
        };
        // The kernel leaves the columns of a missing vector empty.
        let Some(storage) = text("storageType") else { return Ok(None) };
        let storage_type = match storage.as_str() {
            "u" => DeletionVectorStorageType::PersistedRelative,
            "i" => DeletionVectorStorageType::Inline,
            "p" => {
                return Err("its deletion vector is not below the table; publish a table that holds its own files (a deep clone)".into());
            }
            other => return Err(format!("its deletion vector is stored in an unknown way ({other:?})")),
        };
        let cardinality = self.vector.column_by_name("cardinality").and_then(|c| c.as_primitive_opt::<Int64Type>());
        Ok(Some(DeletionVectorDescriptor {
            storage_type,
            path_or_inline_dv: text("pathOrInlineDv").ok_or("its deletion vector has no place")?,
            offset: int("offset"),
            size_in_bytes: int("sizeInBytes").ok_or("its deletion vector has no size")?,
            cardinality: cardinality
                .filter(|c| c.is_valid(row))
                .map(|c| c.value(row))
                .ok_or("its deletion vector does not say how many rows it deletes")?,
        }))
    }

    fn partition(&self, row: usize) -> BTreeMap<String, Option<String>> {
        let Some(map) = self.partition.filter(|m| m.is_valid(row)) else { return BTreeMap::new() };
        let entries = map.value(row);
        let (Some(keys), Some(values)) = (entries.column(0).as_string_opt::<i32>(), entries.column(1).as_string_opt::<i32>()) else {
            return BTreeMap::new();
        };
        keys.iter().zip(values).filter_map(|(k, v)| Some((k?.to_owned(), v.map(str::to_owned)))).collect()
    }
}
