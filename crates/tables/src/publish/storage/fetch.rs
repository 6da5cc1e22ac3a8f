//! Objects of a bucket brought to this machine.

use std::{
    collections::HashMap,
    fs,
    future::Future,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, aws::AmazonS3, path::Path as Key};
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, timeout},
};

use super::{
    super::{
        Phase, Progress, Work,
        source::{RemoteTable, kind_of_name},
    },
    Storage, connect,
    errors::explain,
};
use crate::{StorageTrouble, TablesError};

/// Objects fetched at a time: enough to hide a service's latency, few enough for any service's limits.
const CONCURRENT: usize = 16;
/// How often the caller hears of progress and may cancel.
const TICK: Duration = Duration::from_millis(250);
/// Most keys of a prefix that are looked at: beyond it somebody has named a whole bucket.
const MAX_KEYS: usize = 1_000_000;

/// An object as it was listed.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) key: String,
    location: Key,
    /// Absent where only the name is known.
    size: Option<u64>,
    /// What it must still have when it is read.
    etag: Option<String>,
}

impl From<ObjectMeta> for Object {
    fn from(meta: ObjectMeta) -> Self {
        Self { key: meta.location.to_string(), location: meta.location, size: Some(meta.size), etag: meta.e_tag }
    }
}

/// A connection to a bucket.
pub(super) struct Session {
    storage: Storage,
    store: Arc<AmazonS3>,
    runtime: Runtime,
}

impl Session {
    pub(super) fn open(storage: &Storage) -> Result<Self, TablesError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(TablesError::io("starting", "storage client"))?;
        let store = {
            let _inside = runtime.enter();
            Arc::new(connect::client(storage)?)
        };
        Ok(Self { storage: storage.clone(), store, runtime })
    }

    /// Asks for a page of the bucket's listing.
    pub(super) fn check(&self) -> Result<(), TablesError> {
        self.runtime.block_on(async {
            let mut list = self.store.list(None);
            match self.page(list.next()).await? {
                Some(Err(e)) => Err(explain(self.storage.subject(""), &e)),
                _ => Ok(()),
            }
        })
    }

    fn slow(&self, key: &str, reason: String) -> TablesError {
        TablesError::Storage { trouble: StorageTrouble::Slow, subject: self.storage.subject(key), reason }
    }

    /// Waits for a part of a listing, tries included.
    async fn page<T>(&self, step: impl Future<Output = T>) -> Result<T, TablesError> {
        let patience = &self.storage.patience;
        let most = patience.request * u32::try_from(patience.retries + 2).unwrap_or(u32::MAX);
        let late = || self.slow("", format!("its listing did not arrive within {} s", most.as_secs()));
        timeout(most, step).await.map_err(|_| late())
    }

    fn key(&self, path: &str) -> Result<Key, TablesError> {
        Key::parse(path).map_err(|e| explain(self.storage.subject(path), &e.into()))
    }

    /// Whether a Delta table's log is below the path.
    pub(super) fn is_delta(&self, path: &str, work: &mut Work<'_>) -> Result<bool, TablesError> {
        let log = if path.is_empty() { "_delta_log".to_owned() } else { format!("{path}/_delta_log") };
        Ok(!self.list(&log, 1, work)?.is_empty())
    }

    /// Names in the log of a Delta table at the path; none when there is no table.
    pub(super) fn log_names(&self, path: &str, work: &mut Work<'_>) -> Result<Vec<String>, TablesError> {
        let log = if path.is_empty() { "_delta_log".to_owned() } else { format!("{path}/_delta_log") };
        let objects = self.list(&log, MAX_KEYS, work)?;
        Ok(objects.into_iter().filter_map(|o| o.key.get(log.len() + 1..).map(str::to_owned)).collect())
    }

    /// All objects below a prefix.
    pub(super) fn everything(&self, path: &str, work: &mut Work<'_>) -> Result<Vec<Object>, TablesError> {
        let objects = self.list(path, MAX_KEYS, work)?;
        if objects.len() >= MAX_KEYS {
            let reason = format!("{MAX_KEYS} objects or more");
            return Err(TablesError::TooLarge { subject: self.storage.subject(path), reason });
        }
        Ok(objects)
    }

    /// The object of exactly this key.
    pub(super) fn head(&self, path: &str, work: &mut Work<'_>) -> Result<Option<Object>, TablesError> {
        work.options().check_cancelled()?;
        if path.is_empty() {
            return Ok(None);
        }
        let key = self.key(path)?;
        self.runtime.block_on(async {
            match self.page(self.store.head(&key)).await? {
                Ok(meta) => Ok(Some(meta.into())),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(e) => Err(explain(self.storage.subject(path), &e)),
            }
        })
    }

    /// Objects below a prefix, at most `max`.
    fn list(&self, prefix: &str, max: usize, work: &mut Work<'_>) -> Result<Vec<Object>, TablesError> {
        let key = self.key(prefix)?;
        let mut objects = Vec::new();
        self.runtime.block_on(async {
            let mut list = self.store.list((!prefix.is_empty()).then_some(&key));
            while objects.len() < max {
                let Some(meta) = self.page(list.next()).await? else { break };
                objects.push(Object::from(meta.map_err(|e| explain(self.storage.subject(prefix), &e))?));
                if objects.len().is_multiple_of(1_000) {
                    work.options().check_cancelled()?;
                }
            }
            Ok(objects)
        })
    }

    /// The objects directly below a prefix that can be published, as of a folder.
    pub(super) fn prefix(&self, path: &str, found: &mut Vec<Object>, work: &mut Work<'_>) -> Result<(), TablesError> {
        let limits = work.limits();
        let below = if path.is_empty() { 0 } else { path.len() + 1 };
        for object in self.list(path, MAX_KEYS, work)? {
            let Some(name) = object.key.get(below..) else { continue };
            if name.contains('/') {
                let reason = "a folder inside the prefix to publish; name the objects, or one flat prefix";
                return Err(TablesError::BadSource { path: self.storage.subject(&object.key).into(), reason: reason.into() });
            }
            if !name.starts_with(['.', '_', '~']) && kind_of_name(name) {
                found.push(object);
            }
            if found.len() > limits.max_files {
                let reason = format!("more than {} files", limits.max_files);
                return Err(TablesError::TooLarge { subject: self.storage.subject(path), reason });
            }
        }
        Ok(())
    }

    /// Brings objects to files that do not exist yet.
    pub(super) fn fetch(&self, files: &[(Object, PathBuf)], work: &mut Work<'_>) -> Result<(), TablesError> {
        let limit = work.limits().max_file_bytes;
        if let Some((large, size)) = files.iter().find_map(|(o, _)| o.size.filter(|s| *s > limit).map(|s| (o, s))) {
            let reason = format!("{size} bytes; at most {limit}");
            return Err(TablesError::TooLarge { subject: self.storage.subject(&large.key), reason });
        }
        let done = AtomicU64::new(0);
        let total = files.iter().filter_map(|(o, _)| o.size).sum();
        let mut finished = 0_u64;
        self.runtime.block_on(async {
            let mut under_way =
                stream::iter(files).map(|(object, path)| self.fetch_one(object, path, limit, &done)).buffer_unordered(CONCURRENT);
            let mut name = self.storage.subject("");
            loop {
                match timeout(TICK, under_way.next()).await {
                    Ok(None) => return Ok(()),
                    Ok(Some(result)) => {
                        name = result?;
                        finished += 1;
                        if !finished.is_multiple_of(64) && finished < files.len() as u64 {
                            work.options().check_cancelled()?;
                            continue;
                        }
                    }
                    Err(_) => (),
                }
                let bytes = done.load(Ordering::Relaxed);
                let files = (finished, files.len() as u64);
                work.report(Progress { files_done: files.0, files: files.1, ..Progress::of(Phase::Fetching, &name, bytes, total) })?;
            }
        })
    }

    /// Brings one object here; gives what to call it.
    async fn fetch_one(&self, object: &Object, path: &Path, limit: u64, done: &AtomicU64) -> Result<String, TablesError> {
        let (patience, subject) = (&self.storage.patience, self.storage.subject(&object.key));
        let failed = |e: object_store::Error| explain(subject.clone(), &e);
        let changed = |reason: String| TablesError::Storage { trouble: StorageTrouble::Changed, subject: subject.clone(), reason };
        let options = GetOptions { if_match: object.etag.clone(), ..GetOptions::default() };
        let answer = self.page(self.store.get_opts(&object.location, options)).await?.map_err(failed)?;
        let size = answer.meta.size;
        if object.size.is_some_and(|s| s != size) {
            return Err(changed("its size changed since it was listed; publish again".into()));
        }
        if size > limit {
            return Err(TablesError::TooLarge { subject, reason: format!("{size} bytes; at most {limit}") });
        }
        let mut out = BufWriter::with_capacity(1 << 18, fs::File::create_new(path).map_err(TablesError::io("creating", path))?);
        let mut body = answer.into_stream();
        let (mut received, mut window, mut since) = (0_u64, 0_u64, Instant::now());
        let idle = |_| self.slow(&object.key, format!("nothing arrived for {} s", patience.idle.as_secs()));
        while let Some(piece) = timeout(patience.idle, body.try_next()).await.map_err(idle)?.map_err(failed)? {
            out.write_all(&piece).map_err(TablesError::io("writing", path))?;
            received += piece.len() as u64;
            window += piece.len() as u64;
            done.fetch_add(piece.len() as u64, Ordering::Relaxed);
            let elapsed = since.elapsed();
            if elapsed >= patience.slow {
                // Bytes per second, exact enough in milliseconds.
                if u128::from(window) * 1_000 < u128::from(patience.min_rate) * elapsed.as_millis() {
                    return Err(self.slow(&object.key, format!("it arrives slower than {} bytes per second", patience.min_rate)));
                }
                (window, since) = (0, Instant::now());
            }
        }
        if received != size {
            return Err(changed(format!("{received} bytes arrived of {size}")));
        }
        out.into_inner().map_err(|e| TablesError::io("writing", path)(e.into_error()))?;
        Ok(subject)
    }
}

/// A Delta table below a prefix.
pub(super) struct RemoteLake {
    session: Arc<Session>,
    prefix: String,
    dir: PathBuf,
    /// What was listed, by path below the table.
    listed: HashMap<String, Object>,
}

impl RemoteLake {
    pub(super) fn new(session: Arc<Session>, prefix: &str, dir: &Path) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { session, prefix, dir: dir.to_owned(), listed: HashMap::new() }
    }
}

impl RemoteTable for RemoteLake {
    fn list(&mut self, folder: &str, max: usize, work: &mut Work<'_>) -> Result<Vec<(String, u64)>, TablesError> {
        let objects = self.session.list(&format!("{}{folder}", self.prefix), max, work)?;
        if objects.len() >= max {
            let subject = self.session.storage.subject(&format!("{}{folder}", self.prefix));
            return Err(TablesError::TooLarge { subject, reason: format!("{max} objects or more; clean it up") });
        }
        let mut names = Vec::new();
        for object in objects {
            let Some(path) = object.key.strip_prefix(&self.prefix) else { continue };
            let Some(name) = path.strip_prefix(folder).and_then(|n| n.strip_prefix('/')).filter(|n| !n.contains('/')) else { continue };
            names.push((name.to_owned(), object.size.unwrap_or_default()));
            self.listed.insert(path.to_owned(), object);
        }
        Ok(names)
    }

    fn fetch(&mut self, files: &[String], work: &mut Work<'_>) -> Result<(), TablesError> {
        let mut wanted = Vec::with_capacity(files.len());
        for file in files {
            let key = format!("{}{file}", self.prefix);
            let path = self.dir.join(file);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(TablesError::io("creating", folder))?;
            }
            let object = match self.listed.get(file) {
                Some(object) => object.clone(),
                // The log says how large it is; it is compared before it is read.
                None => Object { location: self.session.key(&key)?, key, size: None, etag: None },
            };
            wanted.push((object, path));
        }
        self.session.fetch(&wanted, work).map_err(|e| match e {
            TablesError::Storage { trouble: StorageTrouble::Missing, subject, .. } => {
                let table = self.session.storage.subject(self.prefix.trim_end_matches('/'));
                let file = subject.strip_prefix(&table).map_or(subject.as_str(), |f| f.trim_start_matches('/')).to_owned();
                TablesError::MissingFile { table, file }
            }
            other => other,
        })
    }
}
