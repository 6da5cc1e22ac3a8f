//! S3-compatible storage as a place of sources: objects, prefixes and Delta tables are fetched into a
//! temporary folder and published from there.

mod connect;
mod errors;
mod fetch;
#[cfg(test)]
mod tests;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// What a connector of the caller's own is made of.
pub use object_store::{ClientOptions, Error as StorageError};

pub use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody, HttpService,
};

use self::fetch::{Object, RemoteLake, Session};
use super::{
    Work,
    source::{DeltaSource, Source, fetched, newest_of},
};
use crate::{StorageTrouble, TablesError};

/// Longest ending of a key that is kept: the longest that means something here has seven characters.
const MAX_EXTENSION: usize = 10;

/// Keys to an account of a storage service.
#[derive(Clone)]
pub struct StorageCredentials {
    /// The key's public part.
    pub access_key: String,
    /// Its secret part.
    pub secret_key: String,
    /// A session's token, for temporary keys.
    pub session_token: Option<String>,
}

impl fmt::Debug for StorageCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageCredentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// A bucket of an S3-compatible service, and how to reach it.
#[derive(Debug, Clone)]
pub struct Storage {
    /// The service's address, as in `https://s3.example.org`; absent for Amazon's.
    pub endpoint: Option<String>,
    /// The region, as in `us-east-1`.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// Whether the bucket is the first step of the path, and not part of the host name.
    pub path_style: bool,
    /// Whether the service may be called without TLS.
    pub allow_http: bool,
    /// Absent for a public bucket.
    pub credentials: Option<StorageCredentials>,
    /// What makes the connections; absent for a plain client, which calls any address.
    pub connector: Option<Arc<dyn HttpConnector>>,
    /// How long to wait.
    pub patience: Patience,
}

/// How long to wait for a storage service, and how often to try again.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Until a connection is there.
    pub connect: Duration,
    /// Until an answer begins, or a page of a listing is complete.
    pub request: Duration,
    /// Between two pieces of an object.
    pub idle: Duration,
    /// How long an object may come below [`min_rate`](Self::min_rate).
    pub slow: Duration,
    /// Bytes per second of an object that are worth waiting for.
    pub min_rate: u64,
    /// Further tries of a request that timed out, was cut off or failed on the service's side.
    pub retries: usize,
    /// The pause before the first further try; it doubles each time.
    pub first_pause: Duration,
}

impl Default for Patience {
    /// A gigabyte at the lowest rate takes a day: slower than that nobody means to publish.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(30),
            idle: Duration::from_secs(20),
            slow: Duration::from_secs(30),
            min_rate: 16 * 1024,
            retries: 4,
            first_pause: Duration::from_millis(200),
        }
    }
}

impl Storage {
    /// Tries the settings: asks for the first page of the bucket's listing.
    ///
    /// # Errors
    /// [`TablesError::Storage`] with what is wrong.
    pub fn check(&self) -> Result<(), TablesError> {
        Session::open(self)?.check()
    }

    /// What it is called in messages.
    fn subject(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }
}

/// The newest version of the Delta table at a prefix; `None` when there is none.
pub(super) fn newest_version(storage: &Storage, path: &str, work: &mut Work<'_>) -> Result<Option<u64>, TablesError> {
    let names = Session::open(storage)?.log_names(path.trim_matches('/'), work)?;
    Ok(newest_of(names.iter().map(String::as_str)))
}

/// Brings objects and everything below prefixes into `dir`, which does not exist yet, as files with the same relative
/// paths: a single prefix gives its contents, of several each keeps its last part. Every object has the version
/// that was listed, or it is an error.
///
/// # Errors
/// [`TablesError::Storage`], [`TablesError::TooLarge`], [`TablesError::BadSource`] for a key that cannot be a path here.
pub fn fetch_objects(
    storage: &Storage,
    paths: &[String],
    dir: &Path,
    options: &super::PublishOptions,
    progress: &mut dyn FnMut(super::Progress),
) -> Result<(), TablesError> {
    let mut work = Work::new(dir, options, progress);
    let session = Session::open(storage)?;
    let mut files: Vec<(Object, PathBuf)> = Vec::new();
    for path in paths {
        let path = path.trim_matches('/');
        let last = path.rsplit('/').next().unwrap_or_default();
        if let Some(object) = session.head(path, &mut work)? {
            files.push((object, below(storage, dir, last)?));
            continue;
        }
        let before = files.len();
        let prefix = if paths.len() > 1 { format!("{last}/") } else { String::new() };
        for object in session.everything(path, &mut work)? {
            // Object stores show folders as empty objects whose key ends in a slash.
            let Some(rest) = object.key.get(path.len()..).map(|k| k.trim_start_matches('/')).filter(|k| !k.is_empty()) else { continue };
            let target = below(storage, dir, &format!("{prefix}{rest}"))?;
            files.push((object, target));
        }
        if files.len() == before {
            return Err(TablesError::Storage {
                trouble: StorageTrouble::Missing,
                subject: storage.subject(path),
                reason: "there is no such object, and none below it".into(),
            });
        }
    }
    let mut targets: Vec<&PathBuf> = files.iter().map(|(_, target)| target).collect();
    targets.sort();
    if let Some(twice) = targets.windows(2).find(|w| w[0] == w[1]) {
        return Err(TablesError::BadSource { path: twice[0].clone(), reason: "two objects would become this one file".into() });
    }
    fs::create_dir_all(dir).map_err(TablesError::io("creating", dir))?;
    for (_, target) in &files {
        let parent = target.parent().unwrap_or(dir);
        fs::create_dir_all(parent).map_err(TablesError::io("creating", parent))?;
    }
    session.fetch(&files, &mut work)
}

/// A key's part as a path below `dir`: nothing in it leads out.
fn below(storage: &Storage, dir: &Path, relative: &str) -> Result<PathBuf, TablesError> {
    let safe = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
    if !relative.split('/').all(safe) {
        let reason = "its key cannot be a path of a file: empty parts, dots and backslashes are not taken";
        return Err(TablesError::BadSource { path: storage.subject(relative).into(), reason: reason.into() });
    }
    Ok(relative.split('/').fold(dir.to_owned(), |path, part| path.join(part)))
}

/// Sources for objects, prefixes (like folders: their objects, without those below further slashes) or a
/// Delta table, fetched into `dir`, which does not exist yet.
pub(super) fn expand(storage: &Storage, paths: &[String], dir: &Path, work: &mut Work<'_>) -> Result<Vec<Box<dyn Source>>, TablesError> {
    if paths.is_empty() {
        return Err(TablesError::Empty("name at least one object or prefix of the bucket".into()));
    }
    if work.options().in_place {
        let reason = "objects in storage are copied; only files on this machine can be left in place";
        return Err(TablesError::BadSource { path: storage.subject(&paths[0]).into(), reason: reason.into() });
    }
    fs::create_dir(dir).map_err(TablesError::io("creating", dir))?;
    let session = Arc::new(Session::open(storage)?);
    let mut objects: Vec<Object> = Vec::new();
    for path in paths {
        let path = path.trim_matches('/');
        if session.is_delta(path, work)? {
            if paths.len() > 1 {
                let reason = "a Delta table is a product of its own; name nothing beside it";
                return Err(TablesError::BadSource { path: storage.subject(path).into(), reason: reason.into() });
            }
            let remote = RemoteLake::new(session, path, dir);
            let table = storage.subject(path);
            return Ok(vec![Box::new(DeltaSource::remote(dir.to_owned(), table, Box::new(remote))?)]);
        }
        let before = objects.len();
        match session.head(path, work)? {
            Some(object) => objects.push(object),
            None => session.prefix(path, &mut objects, work)?,
        }
        if objects.len() == before {
            return Err(TablesError::Storage {
                trouble: StorageTrouble::Missing,
                subject: storage.subject(path),
                reason: "there is no such object, and no object below it that can be published".into(),
            });
        }
    }
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    if let Some(twice) = objects.windows(2).find(|w| w[0].key == w[1].key) {
        let reason = "named twice; its rows would be counted twice";
        return Err(TablesError::BadSource { path: storage.subject(&twice[0].key).into(), reason: reason.into() });
    }
    let mut files = Vec::with_capacity(objects.len());
    for (n, object) in objects.iter().enumerate() {
        // It says what kind of file this is, and is all of the key that becomes a name here.
        let extension = Path::new(&object.key).extension().and_then(|e| e.to_str());
        let extension = extension.filter(|e| e.len() <= MAX_EXTENSION && e.bytes().all(|b| b.is_ascii_alphanumeric()));
        files.push((object.clone(), dir.join(format!("{n:05}.{}", extension.unwrap_or("object")))));
    }
    session.fetch(&files, work)?;
    fetched(files.into_iter().map(|(object, path)| (path, object.key)).collect(), work.limits())
}
