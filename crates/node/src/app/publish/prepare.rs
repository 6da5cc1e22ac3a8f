//! Preparing: what a source holds is copied, checked and described. Nothing of it is in the catalogue afterwards.

use super::{App, Progress};
use crate::{
    app::product_files::{file_row, table_row},
    config::Config,
    files::{self, seal::Seal},
};
use fondaco_core::{
    Code, Error, Result, canonical,
    feed::Feed,
    participant::{Participant, Slug},
    product::{ProductId, ProductKind},
    publication::{Draft, Prepared, Source},
    time::Timestamp,
};
use fondaco_store::ProductFile;
use fondaco_tables::{
    StorageTrouble, TablesError,
    publish::{Previous, PublishOptions, TableSource, publish_table},
};
use serde_json::json;
use std::{
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// How far the caller reaches: an operator of the node may publish from any path and connect to private networks, others
/// from the folders and networks that the configuration opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceAccess {
    /// Whether the caller is an operator.
    pub operator: bool,
}

impl SourceAccess {
    /// An operator's.
    pub const OPERATOR: Self = Self { operator: true };

    /// Of whoever began a feed.
    pub const fn of(feed: &Feed) -> Self {
        Self { operator: feed.operator }
    }
}

/// A version that is ready to be stored.
#[derive(Clone, Debug)]
pub struct Ready {
    /// What goes into the product.
    pub prepared: Prepared,
    /// Its files.
    pub files: Vec<ProductFile>,
}

/// The folder's list of files, while it waits beside it.
pub(super) fn list_path(dir: &Path) -> PathBuf {
    dir.with_extension("files")
}

impl Ready {
    /// The version of the Delta table it is.
    pub fn delta_version(&self) -> Option<u64> {
        self.prepared.content.get("deltaVersion").and_then(serde_json::Value::as_u64)
    }

    /// A hash over the content: equal for equal bytes in equal order.
    pub fn digest(&self) -> String {
        let hashes: Vec<&str> = self.files.iter().flat_map(|f| [f.name.as_str(), f.sha256.as_str()]).collect();
        canonical::sha256_hex(hashes.join("\n").as_bytes())
    }

    /// Whose it is: the first part of its folder.
    pub(super) fn slug(&self) -> Result<Slug> {
        Slug::parse(self.prepared.folder.split('/').next().unwrap_or_default())
    }

    /// Writes the list of files beside the folder, for [`Ready::read_list`].
    pub(super) async fn write_list(&self, app: &App) -> Result<()> {
        let path = list_path(&app.config.data_dir().join(&self.prepared.folder));
        let lines: Vec<String> = self
            .files
            .iter()
            .map(|f| {
                json!({"position": f.position, "name": f.name, "size": f.size, "sha256": f.sha256, "seal": f.seal, "body": f.body})
                    .to_string()
            })
            .collect();
        // The database names what was prepared from here on, and after a power loss it still does.
        let write = move || -> std::io::Result<()> {
            let mut file = std::fs::File::create(&path)?;
            file.write_all(lines.join("\n").as_bytes())?;
            file.sync_all()?;
            path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
        };
        blocking(move || write().map_err(Error::internal_failure)).await
    }

    /// Reads it back.
    pub(super) async fn read_list(app: &App, prepared: Prepared) -> Result<Self> {
        let path = list_path(&app.config.data_dir().join(&prepared.folder));
        let gone = |why: Error| {
            let why = format!("{}: {}", path.display(), why.internal().unwrap_or_default());
            Error::new(Code::DataDamaged, "What was prepared is gone. Prepare it again.").with_internal(why)
        };
        let text = tokio::fs::read_to_string(&path).await.map_err(Error::internal_failure).map_err(gone)?;
        let line = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).map_err(Error::internal_failure)?;
            let text = |key: &str| value[key].as_str().map(str::to_owned).ok_or_else(|| Error::internal_failure(format!("no {key}")));
            let number = |key: &str| value[key].as_u64().ok_or_else(|| Error::internal_failure(format!("no {key}")));
            Ok(ProductFile {
                position: number("position")?,
                name: text("name")?,
                size: number("size")?,
                sha256: text("sha256")?,
                seal: value["seal"].as_str().map(str::to_owned),
                body: value["body"].clone(),
            })
        };
        // A line that was cut in the middle is damage too.
        let files: Vec<ProductFile> = text.lines().map(line).collect::<Result<_>>().map_err(gone)?;
        if files.len() as u64 != prepared.files {
            return Err(gone(Error::internal_failure(format!("{} files are listed instead of {}", files.len(), prepared.files))));
        }
        Ok(Self { prepared, files })
    }

    /// Removes the list: its lines are rows now.
    pub(super) async fn forget_list(&self, app: &App) {
        let _ = tokio::fs::remove_file(list_path(&app.config.data_dir().join(&self.prepared.folder))).await;
    }
}

/// How a source is to be read, beside what the draft says.
pub(super) struct How {
    /// How far the caller reaches.
    pub(super) access: SourceAccess,
    /// Where uploaded files wait.
    pub(super) uploads: Option<PathBuf>,
    /// The version before, if there is one.
    pub(super) previous: Option<Previous>,
    /// Becomes true when the reading shall stop.
    pub(super) cancel: Arc<AtomicBool>,
    /// Told how far it is.
    pub(super) progress: Told,
}

/// Told how far it is.
pub(super) type Told = Box<dyn FnMut(Progress) + Send>;

impl App {
    /// Refuses a source that this caller may not publish from, and gives it as it is to be read.
    pub(in crate::app) fn allowed_source(&self, kind: ProductKind, source: &Source, access: SourceAccess) -> Result<Source> {
        allowed_source(&self.config, kind, source, access)
    }

    /// Reads a source into a folder of its own. Nothing is left behind on failure.
    pub(super) async fn read_source(&self, participant: &Participant, draft: &Draft, how: How) -> Result<Ready> {
        let source = draft.source.as_ref().ok_or_else(|| Error::invalid("Choose where the product's content comes from."))?;
        let source = self.allowed_source(draft.kind, source, how.access)?;
        let now = self.now();
        // The product's id may not be chosen yet, and its version is known only in the transaction that stores it.
        let name = ProductId::parse(&draft.product).map_or_else(|_| "unnamed".to_owned(), |id| id.to_string());
        let folder = format!("{}/{name}/{}", participant.slug, fondaco_core::ids::uuid_v7(now, &*self.entropy).simple());
        self.reading_begins(&folder).await?;
        let read = self.read_into(participant, draft, source, &folder, how).await;
        if read.is_err() {
            self.reading_ended(&folder).await;
        }
        read
    }

    async fn read_into(&self, participant: &Participant, draft: &Draft, source: Source, folder: &str, how: How) -> Result<Ready> {
        let How { uploads, previous, cancel, progress, .. } = how;
        let now = self.now();
        let out = self.config.data_dir().join(folder);
        if let Some(parent) = out.parent() {
            tokio::fs::create_dir_all(parent).await.map_err(Error::internal_failure)?;
        }
        let reading = Reading { out, data: self.config.data_dir(), cancel, progress, now };
        let in_place = matches!(&source, Source::Paths { in_place: true, .. });
        let (mut content, files) = match draft.kind {
            ProductKind::Table => {
                let source = match source {
                    Source::Paths { paths, .. } => TableSource::Paths(paths.into_iter().map(PathBuf::from).collect()),
                    Source::Upload => TableSource::Paths(uploaded(uploads).await?),
                    Source::S3 { connection, paths } => {
                        TableSource::ObjectStore { storage: Box::new(self.storage(participant, &connection).await?), paths }
                    }
                    Source::Postgres { connection, query } => {
                        TableSource::Postgres(self.postgres_query(participant, &connection, query).await?)
                    }
                };
                let mut options =
                    PublishOptions { delta_version: draft.read.delta_version, in_place, previous, ..PublishOptions::default() };
                if let Some(nulls) = draft.read.null_values.clone() {
                    options.limits.csv_null_values = nulls;
                }
                options.sheet.clone_from(&draft.read.sheet);
                blocking(move || reading.table(&source, options)).await?
            }
            ProductKind::Files => match source {
                Source::Paths { paths, .. } => {
                    let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
                    blocking(move || reading.files(&paths, in_place)).await?
                }
                Source::Upload => {
                    let dir = uploads.ok_or_else(no_uploads)?;
                    blocking(move || reading.files(&[dir], false)).await?
                }
                Source::S3 { connection, paths } => {
                    let storage = self.storage(participant, &connection).await?;
                    blocking(move || reading.objects(&storage, &paths)).await?
                }
                Source::Postgres { .. } => return Err(Error::invalid("A query gives a table: choose the kind \"table\".")),
            },
        };
        content["fileCount"] = json!(files.len());
        let size_bytes = files.iter().map(|f| f.size).sum();
        Ok(Ready { prepared: Prepared { folder: folder.to_owned(), content, files: files.len() as u64, size_bytes }, files })
    }
}

/// As [`App::allowed_source`]: without links that could lead elsewhere by the time it is read, unless an operator named them.
fn allowed_source(config: &Config, kind: ProductKind, source: &Source, access: SourceAccess) -> Result<Source> {
    let Source::Paths { paths, in_place } = source else { return Ok(source.clone()) };
    let mut checked = Vec::with_capacity(paths.len());
    let own = config.dir.canonicalize().unwrap_or_else(|_| config.dir.clone());
    for path in paths {
        // The real path, so that a link does not lead out of an open folder or into the node's own.
        let real = Path::new(path)
            .canonicalize()
            .map_err(|e| Error::new(Code::SourceUnreadable, format!("Nothing was published. {path:.300}: {e}")))?;
        // As files anything can be published, the node's keys too; as a table only what is one.
        let forbidden = match kind {
            ProductKind::Files => real.starts_with(&own) || own.starts_with(&real),
            ProductKind::Table => {
                [config.data_dir(), config.dir.join("uploads")].iter().any(|dir| dir.canonicalize().is_ok_and(|dir| real.starts_with(dir)))
            }
        };
        if forbidden {
            return Err(Error::new(Code::Forbidden, "The node's own folder holds its keys and other people's data; it is no source."));
        }
        let open = |folder: &PathBuf| folder.canonicalize().is_ok_and(|folder| real.starts_with(folder));
        if !access.operator && !config.sources.folders.iter().any(open) {
            return Err(Error::new(
                Code::Forbidden,
                "Only an operator of the node publishes from its disk. Upload the files, or ask for a folder to be opened (sources.folders).",
            ));
        }
        checked.push(if access.operator {
            path.clone()
        } else {
            let unreadable =
                || Error::new(Code::SourceUnreadable, format!("Nothing was published. {path:.300} has a name that is not UTF-8."));
            real.to_str().ok_or_else(unreadable)?.to_owned()
        });
    }
    Ok(Source::Paths { paths: checked, in_place: *in_place })
}

/// A reading of a source, on a thread that may block.
struct Reading {
    out: PathBuf,
    data: PathBuf,
    cancel: Arc<AtomicBool>,
    progress: Told,
    now: Timestamp,
}

type Content = (serde_json::Value, Vec<ProductFile>);

impl Reading {
    fn table(mut self, source: &TableSource, mut options: PublishOptions) -> Result<Content> {
        options.cancel = Arc::clone(&self.cancel);
        let mut table = publish_table(source, &self.out, &options, &mut self.progress).map_err(|e| tables_error(&e, &self.data))?;
        let files = std::mem::take(&mut table.files);
        let mut rows = files.iter().enumerate().map(|(i, file)| table_row(i, file)).collect::<Result<Vec<_>>>()?;
        if !options.in_place {
            // Just written and hashed, in a folder of our own: sealed as it is. One that is shared with the version before
            // was not looked at now; it is hashed when it is first asked for.
            for row in &mut rows {
                let meta = std::fs::metadata(self.out.join(&row.name)).map_err(Error::internal_failure)?;
                row.seal = (meta.nlink() == 1).then(|| Seal::of(&meta).as_str().to_owned());
            }
        }
        Ok((serde_json::to_value(&table).map_err(Error::internal_failure)?, rows))
    }

    fn files(mut self, sources: &[PathBuf], in_place: bool) -> Result<Content> {
        let target = if in_place { files::publish::Target::InPlace } else { files::publish::Target::Copied(self.out.clone()) };
        let cancel = Arc::clone(&self.cancel);
        let stopped = move || cancel.load(Ordering::Relaxed);
        let published = files::publish::publish(sources, &target, files::publish::Limits::default(), self.now, &stopped, &mut |p| {
            (self.progress)(p.into());
        })
        .map_err(|e| if stopped() { cancelled() } else { e })?;
        let rows = published.files.iter().enumerate().map(|(i, file)| file_row(i, file, in_place)).collect();
        Ok((json!({"sizeBytes": published.size, "leftOut": published.left_out}), rows))
    }

    /// Objects are fetched into a folder first, so that they pass the same checks as any file.
    fn objects(self, storage: &fondaco_tables::publish::Storage, paths: &[String]) -> Result<Content> {
        let fetched = self.out.with_extension("fetched");
        let mut this = self;
        let options = PublishOptions { cancel: Arc::clone(&this.cancel), ..PublishOptions::default() };
        let outcome = fondaco_tables::publish::fetch_objects(storage, paths, &fetched, &options, &mut this.progress)
            .map_err(|e| tables_error(&e, &this.data))
            .and_then(|()| this.files(std::slice::from_ref(&fetched), false));
        let _ = std::fs::remove_dir_all(&fetched);
        outcome
    }
}

fn cancelled() -> Error {
    Error::new(Code::Cancelled, "The reading of the source was cancelled. Nothing was published.")
}

fn no_uploads() -> Error {
    Error::new(Code::SourceUnreadable, "Nothing was uploaded. Send the files first.")
}

/// What lies directly in the folder of uploads: files, and folders that are Delta tables.
async fn uploaded(dir: Option<PathBuf>) -> Result<Vec<PathBuf>> {
    let dir = dir.ok_or_else(no_uploads)?;
    let list = move || -> std::io::Result<Vec<PathBuf>> { std::fs::read_dir(&dir)?.map(|e| e.map(|e| e.path())).collect() };
    let mut paths = blocking(move || list().map_err(|e| no_uploads().with_internal(e))).await?;
    if paths.is_empty() {
        return Err(no_uploads());
    }
    paths.sort();
    Ok(paths)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal_failure)?
}

/// The code of a source that was not read, with the source's own words. What fails in the folder of ours is our failure.
pub(in crate::app) fn source_error(e: &TablesError, own_folder: &Path) -> Error {
    let code = match e {
        TablesError::MalformedParquet { .. }
        | TablesError::MalformedCsv { .. }
        | TablesError::MalformedJson { .. }
        | TablesError::MalformedWorkbook { .. }
        | TablesError::MalformedDelta { .. }
        | TablesError::BadValue { .. }
        | TablesError::BadColumnName { .. } => Code::SourceMalformed,
        TablesError::UnsupportedType { .. } => Code::TypeUnsupported,
        TablesError::SchemaMismatch { .. } => Code::SchemaMismatch,
        TablesError::TooLarge { .. } => Code::TooLarge,
        TablesError::Empty(_)
        | TablesError::BadSource { .. }
        | TablesError::UnsupportedDelta { .. }
        | TablesError::NoSuchVersion { .. }
        | TablesError::MissingFile { .. }
        | TablesError::Storage { trouble: StorageTrouble::Missing | StorageTrouble::Changed, .. } => Code::SourceUnreadable,
        TablesError::Storage { trouble: StorageTrouble::Refused, .. }
        | TablesError::DatabaseRefused { .. }
        | TablesError::QueryRefused { .. } => Code::SourceRefused,
        TablesError::Storage { .. }
        | TablesError::DatabaseUnreachable { .. }
        | TablesError::DatabaseLost { .. }
        | TablesError::DatabaseSlow { .. } => Code::SourceUnreachable,
        TablesError::Cancelled => return cancelled(),
        // The publisher's file; what fails in our own folder is our failure.
        TablesError::Io { path, .. } if !path.starts_with(own_folder) => Code::SourceUnreadable,
        _ => return Error::internal_failure(e),
    };
    Error::new(code, e.to_string())
}

/// The same, of a publication.
fn tables_error(e: &TablesError, own_folder: &Path) -> Error {
    let error = source_error(e, own_folder);
    match error.code() {
        Code::Internal | Code::Cancelled => error,
        code => Error::new(code, format!("Nothing was published. {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn only_a_publication_says_that_nothing_was_published() {
        let own = Path::new("/srv/node/data");
        for (trouble, code) in [
            (StorageTrouble::Missing, Code::SourceUnreadable),
            (StorageTrouble::Refused, Code::SourceRefused),
            (StorageTrouble::Slow, Code::SourceUnreachable),
        ] {
            let e = TablesError::Storage { trouble, subject: "s3://lake/".into(), reason: "no".into() };
            let (checked, published) = (source_error(&e, own), tables_error(&e, own));
            assert_eq!((checked.code(), checked.message()), (code, "s3://lake/: no"));
            assert_eq!((published.code(), published.message()), (code, "Nothing was published. s3://lake/: no"));
        }
        let full = || std::io::Error::other("disk full");
        let ours = TablesError::Io { action: "writing", path: own.join("x"), source: full() };
        let theirs = TablesError::Io { action: "reading", path: "/data/x".into(), source: full() };
        assert_eq!((source_error(&ours, own).code(), source_error(&theirs, own).code()), (Code::Internal, Code::SourceUnreadable));
        assert!(!tables_error(&ours, own).message().contains("disk"), "what failed inside stays inside");
    }

    #[test]
    fn others_than_operators_read_what_was_checked_and_no_link() {
        let (node, lake) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
        let (open, secret) = (lake.path().join("open"), lake.path().join("secret"));
        for dir in [&open, &secret] {
            fs::create_dir(dir).expect("folder");
            fs::write(dir.join("a.csv"), "x\n1\n").expect("write");
        }
        let text = format!("[public]\nurl = \"http://127.0.0.1:7400\"\n[sources]\nfolders = [{open:?}]\n");
        fs::write(node.path().join(crate::config::FILE_NAME), text).expect("write");
        let config = Config::load(node.path()).expect("config");
        symlink(open.join("a.csv"), open.join("inside.csv")).expect("link");
        symlink(secret.join("a.csv"), open.join("outside.csv")).expect("link");
        let member = SourceAccess { operator: false };
        let read = |name: &str, access| {
            let path = open.join(name).to_str().expect("utf-8").to_owned();
            let source = Source::Paths { paths: vec![path], in_place: true };
            allowed_source(&config, ProductKind::Table, &source, access).map(|allowed| match allowed {
                Source::Paths { paths, in_place: true } => PathBuf::from(&paths[0]),
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(read("inside.csv", member).expect("open"), open.canonicalize().expect("real").join("a.csv"));
        assert_eq!(read("outside.csv", member).expect_err("not open").code(), Code::Forbidden);
        assert_eq!(read("outside.csv", SourceAccess::OPERATOR).expect("an operator's"), open.join("outside.csv"));
    }
}
