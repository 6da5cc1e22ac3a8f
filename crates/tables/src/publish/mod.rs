//! Publication: files a publisher hands in become an immutable product.
//!
//! The sources are copied (never linked: the publisher may overwrite them later), checked value by
//! value, hashed and described. All files of a product have one schema. A product that fails to
//! publish leaves nothing behind: everything is written to a directory beside the target, which is
//! renamed at the end.

mod distinct;
#[cfg(test)]
pub(crate) mod fixtures;
mod following;
mod parallel;
mod personal;
mod profile;
mod schema;
mod source;
pub mod storage;
mod work;
mod writer;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::{Deserialize, Serialize};

pub use personal::{HintStrength, PersonalDataCategory, PersonalDataHint};
pub(crate) use profile::{Bound, Unit, stat};
pub use profile::{ColumnProfile, FileStats, MAX_BOUND_CHARS, TRUNCATION_MARK};
pub(crate) use schema::plain_words;
pub use schema::{Column, TableSchema};
pub use source::{
    InferredColumn, InferredCsv, InferredWorkbook,
    postgres::{PostgresQuery, PostgresSettings, PostgresTls},
};
pub(crate) use source::{arrow_metadata, check_footer, guarded, source_types};
pub use storage::{Patience, Storage, StorageCredentials, fetch_objects};
pub(crate) use writer::ParquetFile;

use crate::TablesError;
use profile::ColumnAccumulator;
use source::Inferred;
use work::{Report, Work};

/// What a publication may take. The defaults suit a node; a test or a small host sets less.
#[derive(Debug, Clone)]
pub struct PublishLimits {
    /// Most files per product: a query lists them all.
    pub max_files: usize,
    /// Most columns: beyond it clients become unusable and footers grow without bound.
    pub max_columns: usize,
    /// Deepest nesting of a column's type.
    pub max_depth: usize,
    /// Largest Parquet footer in bytes: it is held in memory as a whole.
    pub max_footer_bytes: u64,
    /// Largest source file in bytes.
    pub max_file_bytes: u64,
    /// Most rows per file: decoding stops there, however small the file that claims them.
    pub max_file_rows: u64,
    /// Longest CSV record and line of JSON in bytes: an unclosed quote would otherwise swallow the file into memory.
    pub max_csv_record_bytes: u64,
    /// Largest workbook in bytes: its sheet is held in memory as a whole.
    pub max_workbook_bytes: u64,
    /// Most bytes that a workbook may unpack to.
    pub max_workbook_unpacked_bytes: u64,
    /// Most cells that a sheet may span, empty ones included: each takes some thirty bytes of memory.
    pub max_workbook_cells: u64,
    /// Texts that stand for a missing value in CSV, beside the empty text. They do so in columns of
    /// numbers, dates and truth values only: in a column of text, `NA` is Namibia.
    pub csv_null_values: Vec<String>,
    /// Size in bytes at which a Parquet file written from CSV is closed and the next begun, so that
    /// clients can fetch in parallel and need not hold everything at once.
    pub target_file_bytes: u64,
}

impl Default for PublishLimits {
    fn default() -> Self {
        Self {
            max_files: 10_000,
            max_columns: 2_000,
            max_depth: 32,
            max_footer_bytes: 64 * 1024 * 1024,
            max_file_bytes: 1 << 40,
            max_file_rows: 20_000_000_000,
            max_csv_record_bytes: 16 * 1024 * 1024,
            max_workbook_bytes: 200 * 1024 * 1024,
            max_workbook_unpacked_bytes: 1 << 30,
            max_workbook_cells: 20_000_000,
            csv_null_values: vec!["NA".into()],
            target_file_bytes: 256 * 1024 * 1024,
        }
    }
}

/// What to publish as a table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TableSource {
    /// Files on this machine, or folders of them; or the folder of a Delta table.
    Paths(Vec<PathBuf>),
    /// Objects in S3-compatible storage.
    ObjectStore {
        /// The bucket.
        storage: Box<Storage>,
        /// Keys, or prefixes that stand for the objects directly below them; or the prefix of a Delta table.
        paths: Vec<String>,
    },
    /// The result of a query on PostgreSQL.
    Postgres(PostgresQuery),
}

impl TableSource {
    /// The first thing it names, for messages.
    fn first(&self) -> PathBuf {
        match self {
            Self::Paths(paths) => paths.first().cloned().unwrap_or_default(),
            Self::ObjectStore { paths, .. } => paths.first().map(PathBuf::from).unwrap_or_default(),
            Self::Postgres(query) => query.settings.host.clone().into(),
        }
    }
}

/// How to publish it.
#[derive(Debug, Clone, Default)]
pub struct PublishOptions {
    /// What the publication may take.
    pub limits: PublishLimits,
    /// The version of a Delta table to publish; the newest when absent. Other sources have none.
    pub delta_version: Option<u64>,
    /// Leaves Parquet files on this machine where they are, if they need no rewriting: they are checked and
    /// hashed and then read from there, so the publisher must not change them any more.
    pub in_place: bool,
    /// The version before, when a product follows a Delta table: files that are in both are not read again.
    pub previous: Option<Previous>,
    /// The sheet of a workbook to take; without it the first visible one with cells.
    pub sheet: Option<String>,
    /// Set to true by somebody else, it ends the publication with [`TablesError::Cancelled`] at its next step.
    pub cancel: Arc<AtomicBool>,
}

/// An earlier version of a product, as published.
#[derive(Debug, Clone)]
pub struct Previous {
    /// Its directory.
    pub dir: PathBuf,
    /// Its files.
    pub files: Vec<DataFile>,
}

impl PublishOptions {
    /// Fails once the publication is cancelled.
    fn check_cancelled(&self) -> Result<(), TablesError> {
        if self.cancel.load(Ordering::Relaxed) { Err(TablesError::Cancelled) } else { Ok(()) }
    }
}

/// What is being done to a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Fetching objects from storage.
    Fetching,
    /// Finding the types of CSV columns.
    InferringTypes,
    /// Copying and hashing a Parquet file, or hashing one that stays where it is.
    Copying,
    /// Decoding a Parquet file to check and describe it.
    Checking,
    /// Writing values as Parquet.
    Converting,
    /// Reading the rows of a query.
    Querying,
}

/// How far a publication is. Reported a few times a second at most per file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// Name of the source file, or the query.
    pub file: String,
    /// Bytes of the source (when checking or querying: rows) done so far.
    pub done: u64,
    /// Out of how many; 0 when that is not known.
    pub total: u64,
    /// Files of the product done so far, when they are many and worked on side by side; else 0.
    pub files_done: u64,
    /// Out of how many; 0 when that is not known.
    pub files: u64,
}

impl Progress {
    /// Progress within one file.
    fn of(phase: Phase, file: impl Into<String>, done: u64, total: u64) -> Self {
        Self { phase, file: file.into(), done, total, files_done: 0, files: 0 }
    }
}

/// A file of a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataFile {
    /// Name below the product's directory, as in `part-00000.parquet`.
    pub name: String,
    /// Exact size.
    pub size_bytes: u64,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: String,
    /// Rows.
    pub rows: u64,
    /// Bounds that let clients skip it.
    pub stats: FileStats,
    /// Where it is, when it was left in place; absolute. Else it is in the product's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Which file of a Delta table it is, so that the next version can tell whether it has it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// A published product: stored as JSON, so fields are only ever added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedTable {
    /// Its files in order. Whoever keeps them elsewhere, a row each, takes them out before storing the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<DataFile>,
    /// Its columns.
    pub schema: TableSchema,
    /// Rows of all files.
    pub rows: u64,
    /// Bytes of all files.
    pub size_bytes: u64,
    /// One entry per column, in order; none for a column whose values are not known exactly, which happens
    /// when a product follows a Delta table that has lost files.
    pub profile: Vec<ColumnProfile>,
    /// How CSV was understood, for the publisher to check; absent for Parquet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inferred: Option<InferredCsv>,
    /// The version of the Delta table that was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta_version: Option<u64>,
    /// How a workbook was understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workbook: Option<InferredWorkbook>,
    /// Columns that may hold personal data, in the order of the columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub personal_data: Vec<PersonalDataHint>,
}

/// The newest version of a source that is a Delta table; `None` for any other source.
///
/// # Errors
/// When the table's log cannot be listed.
pub fn newest_delta_version(source: &TableSource) -> Result<Option<u64>, TablesError> {
    match source {
        TableSource::Paths(paths) => match paths.as_slice() {
            [one] => source::newest_version(one),
            _ => Ok(None),
        },
        TableSource::ObjectStore { storage, paths } => match paths.as_slice() {
            [one] => {
                let (options, mut silent) = (PublishOptions::default(), |_| ());
                storage::newest_version(storage, one, &mut Work::new(Path::new(""), &options, &mut silent))
            }
            _ => Ok(None),
        },
        TableSource::Postgres(_) => Ok(None),
    }
}

/// Publishes `source` into `out_dir`, which must not exist yet or be empty. On error nothing is left in
/// or beside `out_dir`.
///
/// # Errors
/// What is wrong with the source or the target; [`TablesError::Cancelled`] when the options say so.
pub fn publish_table(
    source: &TableSource,
    out_dir: &Path,
    options: &PublishOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<PublishedTable, TablesError> {
    // Looked at before anything is made: the target may be inside the source.
    let local = match source {
        TableSource::Paths(paths) => source::expand(paths, &options.limits)?,
        TableSource::ObjectStore { .. } => Vec::new(),
        TableSource::Postgres(query) => vec![Box::new(source::postgres::PostgresSource::new(query.clone())) as Box<dyn source::Source>],
    };
    let staging = Staging::new(out_dir)?;
    let mut work = Work::new(staging.path(), options, progress);
    // Inside the staging directory: on the disk where the files go, and gone whatever happens.
    let incoming = staging.path().join(FETCH_DIR);
    let sources = match source {
        TableSource::Paths(_) | TableSource::Postgres(_) => local,
        TableSource::ObjectStore { storage, paths } => storage::expand(storage, paths, &incoming, &mut work)?,
    };
    let (mut inferred, mut workbook) = (None, None);
    for mut source in sources {
        options.check_cancelled()?;
        source.publish(&mut work)?;
        match source.inferred() {
            Some(Inferred::Csv(csv)) => inferred = inferred.or(Some(csv)),
            Some(Inferred::Workbook(sheet)) => workbook = workbook.or(Some(sheet)),
            None => (),
        }
    }
    let done = work.finish()?;
    if let (Some(version), None) = (options.delta_version, done.delta_version) {
        let reason = format!("version {version} was asked for, and only a Delta table has versions");
        return Err(TablesError::BadSource { path: source.first(), reason });
    }
    if incoming.exists() {
        fs::remove_dir_all(&incoming).map_err(TablesError::io("removing", &incoming))?;
    }
    staging.finish(out_dir)?;
    Ok(PublishedTable {
        rows: done.files.iter().map(|f| f.rows).sum(),
        size_bytes: done.files.iter().map(|f| f.size_bytes).sum(),
        files: done.files,
        schema: done.schema,
        profile: done.profile,
        personal_data: done.personal_data,
        inferred,
        workbook,
        delta_version: done.delta_version,
    })
}

/// Where objects are fetched to.
const FETCH_DIR: &str = ".incoming";

/// The name of the `n`th file of a product.
fn part_name(n: usize) -> String {
    format!("part-{n:05}.parquet")
}

/// A directory beside the target that disappears unless it is renamed to the target.
struct Staging {
    path: PathBuf,
}

/// Unfinished publications of one target at a time; more are a runaway.
const MAX_STAGING: u32 = 1_000;

impl Staging {
    fn new(out_dir: &Path) -> Result<Self, TablesError> {
        let bad = |reason: &str| TablesError::BadTarget { path: out_dir.into(), reason: reason.into() };
        let name = out_dir.file_name().and_then(|n| n.to_str()).ok_or_else(|| bad("not a usable directory name"))?;
        match fs::read_dir(out_dir).map(|mut entries| entries.next().is_some()) {
            Ok(true) => return Err(bad("it is not empty; a product never changes")),
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(TablesError::io("reading", out_dir)(e)),
            Ok(false) | Err(_) => (),
        }
        let parent = match out_dir.parent() {
            Some(p) if !p.as_os_str().is_empty() => p,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(TablesError::io("creating", parent))?;
        for n in 0..MAX_STAGING {
            let path = parent.join(format!(".{name}.partial-{n}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => (),
                Err(e) => return Err(TablesError::io("creating", path)(e)),
            }
        }
        Err(bad("too many unfinished publications beside it; remove the directories ending in .partial-N"))
    }

    fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the files visible under their final name, durably.
    fn finish(self, out_dir: &Path) -> Result<(), TablesError> {
        writer::sync_files(&self.path)?;
        // An empty directory of that name is replaced by the rename.
        fs::rename(&self.path, out_dir).map_err(TablesError::io("renaming to", out_dir))?;
        match out_dir.parent() {
            Some(p) if !p.as_os_str().is_empty() => writer::sync_dir(p),
            _ => writer::sync_dir(Path::new(".")),
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After the rename it is gone. A leftover costs space only, so a failure here is not reported.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array};
    use serde_json::{Value, json};

    use super::{
        fixtures::{publish, sample_parquet, write_parquet},
        *,
    };

    #[test]
    fn parquet_is_copied_byte_by_byte_and_described() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("s.parquet");
        sample_parquet(&source);
        let out = dir.path().join("product");
        let mut phases = Vec::new();
        let table =
            publish_table(&TableSource::Paths(vec![source.clone()]), &out, &PublishOptions::default(), &mut |p| phases.push(p.phase))
                .unwrap();
        let bytes = fs::read(out.join("part-00000.parquet")).unwrap();
        assert_eq!(bytes, fs::read(&source).unwrap());
        assert_eq!(table.size_bytes, bytes.len() as u64);
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
        assert_eq!(table.files[0].sha256, hex::encode(hash));
        assert_eq!(table.rows, 500);
        assert!(phases.contains(&Phase::Copying));
        assert_eq!(table.schema.columns[3].data_type["type"], "array");
        assert_eq!(table.profile[3].distinct_estimate, None);
        assert!(!table.files[0].stats.null_count.contains_key("tags"));
        // The publisher may overwrite the source: the product stays.
        fs::write(&source, "gone").unwrap();
        assert_eq!(fs::read(out.join("part-00000.parquet")).unwrap(), bytes);
        // A product never changes.
        sample_parquet(&source);
        assert_eq!(publish(&[source], &out).unwrap_err().kind(), "bad-target");
    }

    #[test]
    fn files_of_different_columns_are_refused_and_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b, c) = (dir.path().join("a.parquet"), dir.path().join("b.parquet"), dir.path().join("c.csv"));
        write_parquet(&a, vec![("x", Arc::new(Int64Array::from(vec![1])))]);
        write_parquet(&b, vec![("x", Arc::new(Float64Array::from(vec![1.0])))]);
        fs::write(&c, "x\n1\n2\n").unwrap();
        let out = dir.path().join("out");
        let error = publish(&[a.clone(), b], &out).unwrap_err();
        assert_eq!(error.kind(), "schema-mismatch");
        assert!(error.to_string().contains("\"x\" is number instead of whole number"), "{error}");
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 3, "{left:?}");
        // Parquet and CSV mix when their columns agree.
        assert_eq!(publish(&[a, c], &out).unwrap().rows, 3);
        assert_eq!(fs::read_dir(&out).unwrap().count(), 2);
    }

    #[test]
    fn a_cancelled_publication_ends_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..20 {
            sample_parquet(&dir.path().join(format!("{n}.parquet")));
        }
        let (options, out) = (PublishOptions::default(), dir.path().join("out"));
        let mut seen = 0;
        let error = publish_table(&TableSource::Paths(vec![dir.path().into()]), &out, &options, &mut |_| {
            seen += 1;
            options.cancel.store(true, Ordering::Relaxed);
        });
        assert_eq!(error.unwrap_err().kind(), "cancelled");
        assert_eq!(seen, 1);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 20);
    }

    #[test]
    fn values_of_people_are_not_in_the_profile() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("t.csv");
        let numbers = ["11010519491231002X", "440524188001010014", "110101199003070134", "310101198506150219", "320505199201011123"];
        let rows: String = numbers.iter().enumerate().map(|(i, n)| format!("{n},{i}\n")).collect();
        fs::write(&source, format!("who,height\n{rows}")).unwrap();
        let table = publish(&[source], &dir.path().join("out")).unwrap();
        assert_eq!(table.personal_data.iter().map(|h| h.column.as_str()).collect::<Vec<_>>(), ["who"]);
        assert_eq!((&table.profile[0].min, &table.profile[0].max, table.profile[0].distinct_estimate), (&None, &None, Some(5)));
        assert_eq!(table.profile[1].max, Some(json!(4)));
    }

    /// The form in which products are stored: change it only by adding fields.
    #[test]
    fn stored_form_of_a_product() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("t.csv");
        fs::write(&source, "city,n\nSuzhou,1\nHefei,\n").unwrap();
        let mut table = publish(&[source], &dir.path().join("out")).unwrap();
        assert_eq!(table.files[0].sha256.len(), 64);
        // Size and hash depend on the version of the Parquet writer.
        table.files[0].sha256 = "00".into();
        table.files[0].size_bytes = 1;
        table.size_bytes = 1;
        let expected: Value = json!({
            "files": [{"name": "part-00000.parquet", "sizeBytes": 1, "sha256": "00", "rows": 2, "stats": {
                "numRecords": 2, "minValues": {"city": "Hefei", "n": 1}, "maxValues": {"city": "Suzhou", "n": 1},
                "nullCount": {"city": 0, "n": 1}}}],
            "schema": {"columns": [
                {"name": "city", "type": "string", "nullable": true, "description": "text", "sourceType": "CSV"},
                {"name": "n", "type": "long", "nullable": true, "description": "whole number", "sourceType": "CSV"}]},
            "rows": 2,
            "sizeBytes": 1,
            "profile": [
                {"name": "city", "nulls": 0, "min": "Hefei", "max": "Suzhou", "distinctEstimate": 2},
                {"name": "n", "nulls": 1, "min": 1, "max": 1, "distinctEstimate": 1}],
            "inferred": {"delimiter": ",", "nullValues": ["NA"], "columns": [
                {"name": "city", "type": "string", "empty": 0, "nullMarkers": 0},
                {"name": "n", "type": "long", "empty": 1, "nullMarkers": 0}]},
        });
        assert_eq!(serde_json::to_value(&table).unwrap(), expected);
        assert_eq!(serde_json::from_value::<PublishedTable>(expected).unwrap(), table);
    }
}
