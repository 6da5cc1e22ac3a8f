//! Rewritten files, kept by what they are made of: bounded in size, safe to delete at any time.
//!
//! An entry is a data file and a note beside it that says what the data is. What is missing, or is not what its note says,
//! is made again; a file that is being read survives its removal, since its reader holds it open.

use std::{
    collections::HashMap,
    fs::{self, File},
    future::Future,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::{footer, rewrite::Rewritten};
use crate::{TablesError, publish::FileStats};

/// Files that are made at once: each may take a hundred megabytes of memory and a processor.
const MADE_AT_ONCE: usize = 2;
/// Files that are hashed at once, because nobody knows yet that they are what their notes say.
const HASHED_AT_ONCE: usize = 2;
/// What notes of entries end in.
const NOTE: &str = ".json";
/// What data files of entries end in.
const DATA: &str = ".parquet";
/// What files that are being made begin with.
const UNFINISHED: &str = ".unfinished-";
/// Largest note that is read: statistics of two thousand columns.
const MAX_NOTE_BYTES: u64 = 4 * 1024 * 1024;
/// What an entry counts for beside its data, so that very many without rows are bounded too.
const ENTRY_BYTES: u64 = 4 * 1024;

/// A file of the cache, open: it stays what it is, also when its entry is removed.
#[derive(Debug)]
pub struct CachedFile {
    file: Option<Arc<File>>,
    size: u64,
    rows: u64,
    sha256: String,
    stats: FileStats,
}

impl CachedFile {
    /// The open file, to be read at given places; `None` when there are no rows, and so no file.
    pub const fn file(&self) -> Option<&Arc<File>> {
        self.file.as_ref()
    }
    /// Its exact size in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }
    /// Its rows.
    pub const fn rows(&self) -> u64 {
        self.rows
    }
    /// SHA-256 of its bytes, lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
    /// Statistics of it.
    pub const fn stats(&self) -> &FileStats {
        &self.stats
    }
}

/// What the data of an entry is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    rows: u64,
    size: u64,
    sha256: String,
    stats: FileStats,
}

/// What makes a file look as it did: inode, size, time of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look(u64, u64, i64, i64);

impl Look {
    fn of(file: &File) -> io::Result<Self> {
        let meta = file.metadata()?;
        Ok(Self(meta.ino(), meta.len(), meta.ctime(), meta.ctime_nsec()))
    }
}

/// An entry that this process knows.
#[derive(Debug)]
struct Entry {
    bytes: u64,
    /// Higher is later.
    used: u64,
    /// How the data looked when it was last found to be what its note says.
    seen: Option<Look>,
}

#[derive(Debug, Default)]
struct Index {
    entries: HashMap<String, Entry>,
    bytes: u64,
    clock: u64,
    /// Who makes an entry holds its lock.
    making: HashMap<String, Weak<tokio::sync::Mutex<()>>>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    max_bytes: u64,
    index: Mutex<Index>,
    making: Arc<tokio::sync::Semaphore>,
    hashing: Arc<tokio::sync::Semaphore>,
    unfinished: AtomicU64,
}

/// A folder of rewritten files.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Inner>);

impl Cache {
    /// Opens a folder, which is made if it is not there; what was left unfinished in it is removed. No other process may
    /// have it open.
    ///
    /// # Errors
    /// Of the file system.
    pub fn open(dir: &Path, max_bytes: u64) -> Result<Self, TablesError> {
        fs::create_dir_all(dir).map_err(TablesError::io("creating", dir))?;
        let mut found: Vec<(std::time::SystemTime, String, u64)> = Vec::new();
        let entries = fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(TablesError::io("reading", dir))?;
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(UNFINISHED) {
                removed(&entry.path())?;
            } else if let Some(key) = name.strip_suffix(NOTE) {
                let data = fs::metadata(data_path(dir, key)).map_or(0, |m| m.len());
                let changed = entry.metadata().and_then(|m| m.modified()).map_err(TablesError::io("reading", dir))?;
                found.push((changed, key.to_owned(), data + ENTRY_BYTES));
            } else if let Some(key) = name.strip_suffix(DATA)
                && !note_path(dir, key).exists()
            {
                removed(&entry.path())?;
            }
        }
        // The times of files stand for the order of their use, which is not kept.
        found.sort();
        let mut index = Index::default();
        for (_, key, bytes) in found {
            index.put(key, bytes, None);
        }
        let permits = |n| Arc::new(tokio::sync::Semaphore::new(n));
        let (making, hashing) = (permits(MADE_AT_ONCE), permits(HASHED_AT_ONCE));
        let inner = Inner { dir: dir.to_owned(), max_bytes, index: Mutex::new(index), making, hashing, unfinished: AtomicU64::new(0) };
        inner.evict();
        Ok(Self(Arc::new(inner)))
    }

    /// The most bytes that it keeps.
    pub fn max_bytes(&self) -> u64 {
        self.0.max_bytes
    }

    /// The bytes that it keeps now.
    pub fn bytes(&self) -> u64 {
        self.0.lock().bytes
    }

    /// Whether there is an entry, without a look at it.
    pub fn has(&self, key: &str) -> bool {
        self.0.lock().entries.contains_key(key)
    }

    /// The entry of a key, if there is one.
    ///
    /// # Errors
    /// [`TablesError::Cancelled`] when the process ends.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Arc<CachedFile>>, TablesError> {
        if !self.has(key) {
            return Ok(None);
        }
        let (at, of) = (Arc::clone(&self.0), key.to_owned());
        if let Some(found) = permitted(None, move || Ok(at.find_seen(&of))).await? {
            return Ok(Some(Arc::new(found)));
        }
        let lock = self.0.lock().making(key);
        let _guard = lock.lock().await;
        let (at, of) = (Arc::clone(&self.0), key.to_owned());
        permitted(Some(&self.0.hashing), move || Ok(at.find(&of).map(Arc::new))).await
    }

    /// The entry of a key, made by `make` at the path it is given unless it is there. Of several that ask for the same at
    /// once one makes it, and goes on when whoever asked goes away. `key` is of letters, digits and `-` alone.
    ///
    /// # Errors
    /// What `make` says, or of the file system.
    pub(super) fn get_or_make<M>(&self, key: &str, make: M) -> impl Future<Output = Result<Arc<CachedFile>, TablesError>> + Send + use<M>
    where
        M: FnOnce(&Path) -> Result<Rewritten, TablesError> + Send + 'static,
    {
        let (inner, key) = (Arc::clone(&self.0), key.to_owned());
        // A task of its own: what was begun is finished, however its caller fares.
        let task = async move {
            // What is there waits for nobody: not for what others have made, however long that takes.
            let (at, of) = (Arc::clone(&inner), key.clone());
            if let Some(found) = permitted(None, move || Ok(at.find_seen(&of))).await? {
                return Ok(Arc::new(found));
            }
            let lock = inner.lock().making(&key);
            let _guard = lock.lock().await;
            let (at, of) = (Arc::clone(&inner), key.clone());
            if let Some(found) = permitted(Some(&inner.hashing), move || Ok(at.find(&of))).await? {
                return Ok(Arc::new(found));
            }
            let at = Arc::clone(&inner);
            permitted(Some(&inner.making), move || at.make(&key, make).map(Arc::new)).await
        };
        async move { tokio::spawn(task).await.unwrap_or(Err(TablesError::Cancelled)) }
    }
}

/// Works off the threads that answer, once there is a permit.
async fn permitted<T: Send + 'static>(
    permits: Option<&Arc<tokio::sync::Semaphore>>,
    work: impl FnOnce() -> Result<T, TablesError> + Send + 'static,
) -> Result<T, TablesError> {
    let permit = match permits {
        Some(permits) => Some(Arc::clone(permits).acquire_owned().await.map_err(|_| TablesError::Cancelled)?),
        None => None,
    };
    let work = move || {
        // With the permit in it: an aborted task leaves its thread running.
        let _permit = permit;
        work()
    };
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(TablesError::Cancelled))
}

fn data_path(dir: &Path, key: &str) -> PathBuf {
    dir.join(format!("{key}{DATA}"))
}

fn note_path(dir: &Path, key: &str) -> PathBuf {
    dir.join(format!("{key}{NOTE}"))
}

fn removed(path: &Path) -> Result<(), TablesError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(TablesError::io("removing", path)(e)),
        _ => Ok(()),
    }
}

impl Index {
    fn put(&mut self, key: String, bytes: u64, seen: Option<Look>) {
        self.clock += 1;
        let entry = Entry { bytes, used: self.clock, seen };
        self.bytes += bytes;
        if let Some(before) = self.entries.insert(key, entry) {
            self.bytes -= before.bytes;
        }
    }

    fn forget(&mut self, key: &str) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.bytes;
        }
    }

    fn making(&mut self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        self.making.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = self.making.get(key).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        self.making.insert(key.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An entry that looks as it did when it was last found to be what its note says.
    fn find_seen(&self, key: &str) -> Option<CachedFile> {
        let seen = self.lock().entries.get(key)?.seen?;
        let (found, look) = self.read(key, Some(seen), false)?;
        let mut index = self.lock();
        // Not if it was removed meanwhile.
        index.entries.contains_key(key).then(|| index.put(key.to_owned(), found.size + ENTRY_BYTES, Some(look)))?;
        Some(found)
    }

    /// The same, also for one that must be hashed first. With the key's lock held.
    fn find(&self, key: &str) -> Option<CachedFile> {
        let seen = self.lock().entries.get(key)?.seen;
        let found = self.read(key, seen, true);
        let mut index = self.lock();
        match found {
            Some((found, look)) => {
                index.put(key.to_owned(), found.size + ENTRY_BYTES, Some(look));
                Some(found)
            }
            None => {
                index.forget(key);
                None
            }
        }
    }

    /// An entry, if its data is what its note says, as `seen` tells, or its hash where it may be hashed.
    fn read(&self, key: &str, seen: Option<Look>, may_hash: bool) -> Option<(CachedFile, Look)> {
        let mut text = String::new();
        let note = footer::open(&note_path(&self.dir, key)).ok()?;
        note.take(MAX_NOTE_BYTES).read_to_string(&mut text).ok()?;
        let Note { rows, size, sha256, stats } = serde_json::from_str(&text).ok()?;
        if rows == 0 {
            return Some((CachedFile { file: None, size: 0, rows, sha256, stats }, Look(0, 0, 0, 0)));
        }
        let file = footer::open(&data_path(&self.dir, key)).ok()?;
        let look = Look::of(&file).ok()?;
        if look.1 != size || (seen != Some(look) && !(may_hash && hashed(&file).ok()? == sha256)) {
            return None;
        }
        Some((CachedFile { file: Some(Arc::new(file)), size, rows, sha256, stats }, look))
    }

    fn make(&self, key: &str, make: impl FnOnce(&Path) -> Result<Rewritten, TablesError>) -> Result<CachedFile, TablesError> {
        // Whoever needs the space may have removed the folder as well.
        fs::create_dir_all(&self.dir).map_err(TablesError::io("creating", &self.dir))?;
        let unfinished = self.dir.join(format!("{UNFINISHED}{}", self.unfinished.fetch_add(1, Ordering::Relaxed)));
        let made = make(&unfinished).and_then(|made| self.keep(key, &unfinished, made));
        if made.is_err() {
            removed(&unfinished)?;
        }
        made
    }

    fn keep(&self, key: &str, unfinished: &Path, made: Rewritten) -> Result<CachedFile, TablesError> {
        let Rewritten { rows, size, sha256, stats } = made;
        let (data, note) = (data_path(&self.dir, key), note_path(&self.dir, key));
        // The note last: without it there is no entry. Nothing is forced to disk, since what is lost is made again.
        removed(&note)?;
        let (file, look, size) = if rows == 0 {
            removed(unfinished)?;
            removed(&data)?;
            (None, Look(0, 0, 0, 0), 0)
        } else {
            let file = footer::open(unfinished)?;
            fs::rename(unfinished, &data).map_err(TablesError::io("renaming to", &data))?;
            let look = Look::of(&file).map_err(TablesError::io("reading", &data))?;
            (Some(Arc::new(file)), look, size)
        };
        let text = serde_json::to_vec(&Note { rows, size, sha256: sha256.clone(), stats: stats.clone() })
            .map_err(|e| TablesError::Write { file: key.into(), reason: e.to_string() })?;
        let half = self.dir.join(format!("{UNFINISHED}{}", self.unfinished.fetch_add(1, Ordering::Relaxed)));
        fs::write(&half, text).and_then(|()| fs::rename(&half, &note)).map_err(TablesError::io("writing", &note))?;
        self.lock().put(key.to_owned(), size + ENTRY_BYTES, Some(look));
        self.evict();
        Ok(CachedFile { file, size, rows, sha256, stats })
    }

    /// Removes what was not used for longest until the rest fits.
    fn evict(&self) {
        let mut index = self.lock();
        while index.bytes > self.max_bytes {
            let Some(oldest) = index.entries.iter().min_by_key(|(_, e)| e.used).map(|(key, _)| key.clone()) else { return };
            index.forget(&oldest);
            // With the index locked, so that nobody makes it anew meanwhile. What cannot be removed is no entry any more,
            // and is found again when the folder is opened next.
            let _ = fs::remove_file(note_path(&self.dir, &oldest));
            let _ = fs::remove_file(data_path(&self.dir, &oldest));
        }
    }
}

fn hashed(file: &File) -> io::Result<String> {
    use std::os::unix::fs::FileExt;
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 1 << 18];
    let mut at = 0;
    loop {
        match file.read_at(&mut buffer, at)? {
            0 => return Ok(hex::encode(hash.finish())),
            n => {
                hash.update(&buffer[..n]);
                at += n as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn made(text: &'static str, calls: &Arc<AtomicUsize>) -> impl FnOnce(&Path) -> Result<Rewritten, TablesError> + Send + use<> {
        let calls = Arc::clone(calls);
        move |path| {
            calls.fetch_add(1, Ordering::SeqCst);
            fs::write(path, text).map_err(TablesError::io("writing", path))?;
            let sha256 = hex::encode(digest::digest(&digest::SHA256, text.as_bytes()));
            Ok(Rewritten { rows: text.len() as u64, size: text.len() as u64, sha256, stats: FileStats::default() })
        }
    }

    fn text(file: &CachedFile) -> String {
        use std::os::unix::fs::FileExt;
        let mut bytes = vec![0; usize::try_from(file.size()).expect("small")];
        file.file().expect("file").read_exact_at(&mut bytes, 0).expect("read");
        String::from_utf8(bytes).expect("text")
    }

    #[tokio::test]
    async fn what_is_there_is_not_made_again_and_survives_a_restart() {
        let dir = tempfile::tempdir().expect("dir");
        let calls = Arc::default();
        let cache = Cache::open(dir.path(), 1 << 20).expect("cache");
        for _ in 0..2 {
            assert_eq!(text(&cache.get_or_make("a", made("hello", &calls)).await.expect("made")), "hello");
        }
        fs::write(dir.path().join(".unfinished-9"), "half").expect("written");
        fs::write(dir.path().join("stray.parquet"), "no note").expect("written");
        let cache = Cache::open(dir.path(), 1 << 20).expect("cache");
        assert!(!dir.path().join(".unfinished-9").exists() && !dir.path().join("stray.parquet").exists());
        assert_eq!(text(&cache.get_or_make("a", made("hello", &calls)).await.expect("made")), "hello");
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert_eq!(cache.bytes(), 5 + ENTRY_BYTES);
    }

    #[tokio::test]
    async fn what_is_damaged_or_gone_is_made_again() {
        let dir = tempfile::tempdir().expect("dir");
        let calls = Arc::default();
        let cache = Cache::open(dir.path(), 1 << 20).expect("cache");
        let first = cache.get_or_make("a", made("hello", &calls)).await.expect("made");
        let damages: [fn(&Path); 6] = [
            |dir| fs::remove_file(dir.join("a.parquet")).expect("removed"),
            |dir| fs::remove_file(dir.join("a.json")).expect("removed"),
            |dir| fs::write(dir.join("a.json"), "{}").expect("written"),
            // Of the same length, and another file.
            |dir| fs::remove_file(dir.join("a.parquet")).and_then(|()| fs::write(dir.join("a.parquet"), "HELLO")).expect("written"),
            |dir| fs::write(dir.join("a.parquet"), "hello and more").expect("written"),
            |dir| fs::read_dir(dir).expect("list").for_each(|e| fs::remove_file(e.expect("entry").path()).expect("removed")),
        ];
        for (i, damage) in damages.iter().enumerate() {
            damage(dir.path());
            assert_eq!(text(&cache.get_or_make("a", made("hello", &calls)).await.expect("made")), "hello", "{i}");
            assert_eq!(calls.load(Ordering::SeqCst), i + 2, "{i}");
        }
        assert_eq!(text(&first), "hello", "who has it open reads on");
    }

    #[tokio::test]
    async fn the_least_used_make_room_and_open_files_survive() {
        let dir = tempfile::tempdir().expect("dir");
        let calls = Arc::default();
        let cache = Cache::open(dir.path(), 2 * (ENTRY_BYTES + 5)).expect("cache");
        let a = cache.get_or_make("a", made("aaaaa", &calls)).await.expect("made");
        cache.get_or_make("b", made("bbbbb", &calls)).await.expect("made");
        assert!(cache.0.find("a").is_some(), "used");
        cache.get_or_make("c", made("ccccc", &calls)).await.expect("made");
        assert!(cache.has("a") && cache.has("c") && !cache.has("b"));
        assert!(!dir.path().join("b.parquet").exists() && !dir.path().join("b.json").exists());
        cache.get_or_make("d", made("ddddd", &calls)).await.expect("made");
        assert!(!cache.has("a"));
        assert_eq!(text(&a), "aaaaa");
        assert!(cache.bytes() <= cache.max_bytes());
        let small = Cache::open(dir.path(), ENTRY_BYTES + 5).expect("cache");
        assert_eq!(small.bytes(), ENTRY_BYTES + 5, "also when it is opened with less room");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_at_once_make_it_once_and_who_goes_away_stops_nobody() {
        let dir = tempfile::tempdir().expect("dir");
        let calls: Arc<AtomicUsize> = Arc::default();
        let cache = Cache::open(dir.path(), 1 << 20).expect("cache");
        let begun = Arc::new(tokio::sync::Notify::new());
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let slow = {
            let (begun, make) = (Arc::clone(&begun), made("hello", &calls));
            move |path: &Path| {
                begun.notify_one();
                gate.recv().expect("opened");
                make(path)
            }
        };
        let first = tokio::spawn(cache.get_or_make("a", slow));
        begun.notified().await;
        let others: Vec<_> = (0..20).map(|_| tokio::spawn(cache.get_or_make("a", made("hello", &calls)))).collect();
        first.abort();
        open.send(()).expect("it is waited for");
        for other in others {
            assert_eq!(text(&other.await.expect("joined").expect("made")), "hello");
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_there_is_given_while_others_are_made() {
        let dir = tempfile::tempdir().expect("dir");
        let calls: Arc<AtomicUsize> = Arc::default();
        let cache = Cache::open(dir.path(), 1 << 20).expect("cache");
        cache.get_or_make("there", made("hello", &calls)).await.expect("made");
        let begun = Arc::new(tokio::sync::Semaphore::new(0));
        let mut gates = Vec::new();
        let slow: Vec<_> = (0..MADE_AT_ONCE)
            .map(|i| {
                let (open, gate) = std::sync::mpsc::channel::<()>();
                gates.push(open);
                let (begun, make) = (Arc::clone(&begun), made("slow", &calls));
                let make = move |path: &Path| {
                    begun.add_permits(1);
                    gate.recv().expect("opened");
                    make(path)
                };
                tokio::spawn(cache.get_or_make(&format!("slow-{i}"), make))
            })
            .collect();
        let both = begun.acquire_many(u32::try_from(MADE_AT_ONCE).expect("few")).await.expect("begun");
        let minute = std::time::Duration::from_mins(1);
        let found = tokio::time::timeout(minute, cache.get_or_make("there", made("again", &calls))).await;
        for gate in &gates {
            gate.send(()).expect("it is waited for");
        }
        assert_eq!(text(&found.expect("at once").expect("found")), "hello");
        drop(both);
        for slow in slow {
            assert_eq!(text(&slow.await.expect("joined").expect("made")), "slow");
        }
    }

    #[tokio::test]
    async fn a_failure_leaves_nothing_and_no_rows_leave_no_file() {
        let dir = tempfile::tempdir().expect("dir");
        let cache = Cache::open(dir.path(), 1 << 20).expect("cache");
        let failed = cache.get_or_make("a", |path: &Path| {
            fs::write(path, "half").map_err(TablesError::io("writing", path))?;
            Err(TablesError::Cancelled)
        });
        assert!(failed.await.is_err());
        let panicked = cache.get_or_make("a", |_: &Path| panic!("on purpose"));
        assert!(panicked.await.is_err());
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 0);
        let empty = |path: &Path| {
            fs::write(path, "PAR1").map_err(TablesError::io("writing", path))?;
            Ok(Rewritten { rows: 0, size: 4, sha256: String::new(), stats: FileStats::default() })
        };
        let none = cache.get_or_make("a", empty).await.expect("made");
        assert!(none.file().is_none() && none.rows() == 0);
        assert!(cache.0.find("a").is_some_and(|f| f.file().is_none()));
        assert!(!dir.path().join("a.parquet").exists());
    }
}
