//! Checks a backup, and makes a node of it.

use super::{
    OnProgress, Progress,
    archive::{self, DATA, DATABASE, Head, Manifest, NODE, Sink},
    make::certificates_name,
    unusable,
};
use crate::config::{Config, FILE_NAME};
use fondaco_core::{Code, Error, Result, time::Timestamp};
use fondaco_store::{
    StoreError,
    backup::{check_empty, import, schema_version},
};
use std::{
    collections::{BTreeSet, HashMap},
    fs::{File, OpenOptions},
    io::{self, BufReader, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Where the database's text lies until it is in the database.
const TEXT_DIR: &str = ".restore";
/// The node's own files that a backup may hold.
const NODE_FILES: [&str; 4] = [FILE_NAME, crate::secrets::seal::KEY_FILE, crate::init::TOKEN_FILE, crate::init::PASSWORD_FILE];

/// What to restore, and where.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// The backup.
    pub file: PathBuf,
    /// The folder: not there yet, or empty.
    pub dir: PathBuf,
    /// Another database than the configuration in the backup names; it must be empty.
    pub database: Option<String>,
    /// What the environment sets, as [`Config::load_with`] reads it.
    pub env: HashMap<String, String>,
    /// When.
    pub now: Timestamp,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What the backup said of itself.
    pub head: Head,
    /// What it held.
    pub manifest: Manifest,
    /// `sqlite` or `postgres`.
    pub database: &'static str,
}

/// Reads the whole backup and checks everything in it that can be checked without writing. Blocks.
///
/// # Errors
/// [`Code::BackupUnusable`]; [`Code::DatabaseFromFuture`] for a schema this program does not know.
pub fn verify(file: &Path, progress: OnProgress<'_>) -> Result<(Head, Manifest)> {
    check(&open(file)?, progress)
}

fn check(file: &File, progress: OnProgress<'_>) -> Result<(Head, Manifest)> {
    let (head, manifest) = archive::read(file, &mut Discard { progress })?;
    let known = schema_version();
    if manifest.schema > known {
        return Err(StoreError::FromFuture { found: manifest.schema, known }.into());
    }
    let mut names: BTreeSet<&str> = manifest.entries.iter().filter_map(|e| e.path.strip_prefix(NODE)).collect();
    for needed in [FILE_NAME, crate::secrets::seal::KEY_FILE] {
        if !names.remove(needed) {
            return Err(unusable(format!("The backup is not of a whole node: {needed} is not in it.")));
        }
    }
    if let Some(strange) = names.iter().find(|n| !of_a_node(n)) {
        return Err(unusable(format!("The backup holds {strange}, which no node has.")));
    }
    Ok((head, manifest))
}

/// Whether a backup may put a file of this name into a node's folder.
fn of_a_node(name: &str) -> bool {
    NODE_FILES.contains(&name) || certificates_name(Path::new(name)).is_some()
}

fn open(file: &Path) -> Result<File> {
    let opened = File::open(file).map_err(|e| unusable(format!("{} cannot be read: {e}.", file.display())))?;
    if opened.metadata().is_ok_and(|m| m.is_file()) {
        Ok(opened)
    } else {
        Err(unusable(format!("{} is not a file. A backup is read twice, so it cannot come through a pipe.", file.display())))
    }
}

/// Makes a node of a backup. First the whole backup is checked; then it is unpacked beside `dir`, the database is
/// filled, and the folder gets its name: it is there whole or not at all. Blocks.
///
/// # Errors
/// As [`verify`]; [`Code::Conflict`] when the folder or the database is not empty.
pub fn restore(options: &RestoreOptions, progress: OnProgress<'_>) -> Result<Restored> {
    let dir = std::path::absolute(&options.dir).map_err(|e| unwritable(&options.dir, &e))?;
    free(&dir)?;
    if let Some(url) = &options.database
        && url.starts_with("postgres")
    {
        empty(url)?;
    }
    let file = open(&options.file)?;
    let (head, manifest) = check(&file, progress)?;
    let parent = dir.parent().ok_or_else(|| Error::invalid("A node needs a folder of its own, not the root."))?;
    std::fs::create_dir_all(parent).map_err(|e| unwritable(parent, &e))?;
    // Removed when this returns early. Beside the folder, so that renaming is one step.
    let staging = tempfile::Builder::new().prefix(".fondaco-restore-").tempdir_in(parent).map_err(|e| unwritable(parent, &e))?;
    let again = archive::read(&file, &mut Unpack { root: staging.path(), progress })?;
    if again.1 != manifest {
        return Err(unusable("The backup changed while it was read."));
    }
    if let Some(url) = &options.database {
        set_database(&staging.path().join(FILE_NAME), url)?;
    }
    let config = Config::load_with(staging.path(), &options.env)?;
    if options.database.as_ref().is_some_and(|given| *given != config.database.url) {
        return Err(Error::new(
            Code::ConfigInvalid,
            "The environment names another database (FONDACO_DATABASE__URL), which the node would use. Unset it, or do without --database.",
        ));
    }
    let url = config.database_url();
    empty(&url)?;
    // A database file elsewhere is not removed with the folder that was never finished.
    let elsewhere = url.strip_prefix("sqlite:").map(PathBuf::from).filter(|file| !file.starts_with(staging.path()) && !file.exists());
    progress(Progress { what: "database".into(), done_bytes: 0, total_bytes: 0 });
    let texts = staging.path().join(TEXT_DIR);
    let imported = import(&url, &mut BufReader::new(Chained::of(&texts, &manifest)), options.now).map_err(|e| match e {
        // It was empty a moment ago, so it is the rows themselves.
        StoreError::Conflict(why) => unusable(format!("The rows of the backup do not fit together: {why}.")),
        other => other.into(),
    });
    if imported.is_err()
        && let Some(file) = elsewhere
    {
        // It holds nothing: the import is one transaction. If it stays, the next attempt can use it.
        let _ = std::fs::remove_file(file);
    }
    let rows = imported?.rows;
    if rows != manifest.rows {
        return Err(unusable("The backup holds another number of rows than its manifest says."));
    }
    std::fs::remove_dir_all(&texts).map_err(|e| unwritable(&texts, &e))?;
    // An empty folder is replaced; one that filled up meanwhile is not.
    std::fs::rename(staging.path(), &dir).map_err(|e| unwritable(&dir, &e))?;
    // The folder has another name now: nothing is left to remove.
    let _ = staging.keep();
    File::open(parent).and_then(|p| p.sync_all()).map_err(|e| unwritable(parent, &e))?;
    Ok(Restored { head, manifest, database: config.database_kind() })
}

fn free(dir: &Path) -> Result<()> {
    let taken = match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_some(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => false,
        Err(e) => return Err(unwritable(dir, &e)),
    };
    if taken {
        return Err(Error::new(
            Code::Conflict,
            format!("{} is not empty. Restore into a folder that is, or that is not there yet.", dir.display()),
        ));
    }
    Ok(())
}

fn empty(url: &str) -> Result<()> {
    check_empty(url).map_err(|e| match e {
        StoreError::Conflict(_) => Error::new(
            Code::Conflict,
            "The database that this node would use is not empty. Give an empty one with --database, or empty it yourself if nobody needs it.",
        ),
        other => other.into(),
    })
}

/// Puts another database into a configuration and leaves the rest as it is.
fn set_database(path: &Path, url: &str) -> Result<()> {
    let text = std::fs::read_to_string(path).map_err(|e| unwritable(path, &e))?;
    let mut document: toml_edit::DocumentMut = text
        .parse()
        .map_err(|e: toml_edit::TomlError| Error::new(Code::ConfigInvalid, format!("{FILE_NAME} in the backup: {}", e.message())))?;
    document["database"]["url"] = toml_edit::value(url);
    let mut file = OpenOptions::new().write(true).truncate(true).open(path).map_err(|e| unwritable(path, &e))?;
    file.write_all(document.to_string().as_bytes()).and_then(|()| file.sync_all()).map_err(|e| unwritable(path, &e))
}

fn unwritable(path: &Path, e: &io::Error) -> Error {
    Error::new(Code::ConfigInvalid, format!("{} cannot be written: {e}. Choose another folder, or mend its permissions.", path.display()))
}

/// Looks and keeps nothing.
struct Discard<'a> {
    progress: OnProgress<'a>,
}

impl Sink for Discard<'_> {
    fn entry(&mut self, _: &str) -> Result<Box<dyn Write>> {
        Ok(Box::new(io::sink()))
    }
    fn read_bytes(&mut self, done_bytes: u64, total_bytes: u64) {
        (self.progress)(Progress { what: "checking".into(), done_bytes, total_bytes });
    }
}

/// Unpacks into a folder.
struct Unpack<'a> {
    root: &'a Path,
    progress: OnProgress<'a>,
}

impl Sink for Unpack<'_> {
    fn entry(&mut self, path: &str) -> Result<Box<dyn Write>> {
        let target = match (path.strip_prefix(NODE), path.strip_prefix(DATABASE)) {
            (Some(name), _) if of_a_node(name) => self.root.join(name),
            (_, Some(name)) => self.root.join(TEXT_DIR).join(name),
            _ if path.starts_with(DATA) => self.root.join(path),
            _ => return Err(unusable(format!("The backup holds {path}, which no node has."))),
        };
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(|e| unwritable(parent, &e))?;
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target).map_err(|e| unwritable(&target, &e))?;
        Ok(Box::new(Synced(file)))
    }
    fn read_bytes(&mut self, done_bytes: u64, total_bytes: u64) {
        (self.progress)(Progress { what: "unpacking".into(), done_bytes, total_bytes });
    }
}

/// A file whose `flush` makes it durable.
struct Synced(File);

impl Write for Synced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// The pieces of the database's text, one after another.
struct Chained {
    paths: std::vec::IntoIter<PathBuf>,
    open: Option<File>,
}

impl Chained {
    fn of(folder: &Path, manifest: &Manifest) -> Self {
        let names: Vec<PathBuf> =
            manifest.entries.iter().filter_map(|e| e.path.strip_prefix(DATABASE)).map(|name| folder.join(name)).collect();
        Self { paths: names.into_iter(), open: None }
    }
}

impl Read for Chained {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(file) = &mut self.open {
                let n = file.read(buffer)?;
                if n > 0 || buffer.is_empty() {
                    return Ok(n);
                }
            }
            let Some(path) = self.paths.next() else { return Ok(0) };
            self.open = Some(File::open(path)?);
        }
    }
}
