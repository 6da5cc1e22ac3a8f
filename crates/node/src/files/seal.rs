//! Seals: what tells that a file may have changed since it was hashed, without reading it again.
//!
//! Every delivery compares the seal first. Where it differs, the file is hashed again, once for everybody who waits; the
//! hash decides, not the seal. A file is open while it is checked and sent, so the bytes sent are those checked.

use aws_lc_rs::digest::{Context, SHA256};
use fondaco_core::{
    Code, Error, Result,
    time::{Micros, Timestamp},
};
use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes read at once when a file is hashed: a hash per kilobyte costs more in calls than in hashing.
pub const HASH_BUFFER_BYTES: usize = 1 << 20;
/// Verdicts remembered: the files of a large product, some hundred bytes each.
const VERDICTS_MAX: u64 = 100_000;
/// A change within the tick of the file system's clock leaves no trace; all of them tick within two seconds.
const SETTLED_AFTER: Micros = Micros::from_secs(2);

/// In whose folder a file lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keeper {
    /// In the node's own: nobody else writes there.
    Node,
    /// In its publisher's, who may write to it at any time.
    Publisher,
}

/// Size, times of modification and change, inode and device of a file. The time of change is the one that nobody can set
/// back, short of setting the clock. Compared, never understood.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Seal(String);

impl Seal {
    /// The seal of a file as it is.
    pub fn of(meta: &Metadata) -> Self {
        let (modified, changed) = ((meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec()));
        Self(format!(
            "{:x}-{:x}.{:x}-{:x}.{:x}-{:x}-{:x}",
            meta.size(),
            modified.0,
            modified.1,
            changed.0,
            changed.1,
            meta.ino(),
            meta.dev()
        ))
    }
    /// Whether an open file is still what it was under this seal. A further version that shares a file of the node's own
    /// links to it, which changes its time of change and nothing else: who is reading it goes on.
    pub fn holds(&self, meta: &Metadata, keeper: Keeper) -> bool {
        let now = Self::of(meta);
        match keeper {
            Keeper::Publisher => *self == now,
            Keeper::Node => self.0.split('-').zip(now.0.split('-')).enumerate().all(|(i, (then, now))| i == 2 || then == now),
        }
    }
    /// A seal as it was stored.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// The text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether the last change of a file is old enough that another one would show.
pub fn is_settled(meta: &Metadata, now: Timestamp) -> bool {
    now.since(Timestamp::from_micros(meta.ctime().saturating_mul(1_000_000))) > SETTLED_AFTER
}

/// Opens a file to read: not through a link in the last place, and never waiting for a writer.
///
/// # Errors
/// Of the file system; `InvalidInput` when it is not an ordinary file.
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() { Ok((file, meta)) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "not an ordinary file")) }
}

/// SHA-256 of all that can be read, lower-case hex. `each` is told the number of bytes after every piece; an error of its
/// own ends the reading.
///
/// # Errors
/// Of the reader, or of `each`.
pub fn sha256(mut from: impl Read, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<String> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; HASH_BUFFER_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(hex::encode(context.finish())),
            Ok(n) => {
                context.update(&buffer[..n]);
                each(&buffer[..n])?;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// A stored file as it should be.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Where.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// In whose folder.
    pub keeper: Keeper,
    /// The seal under which it was last found to have this hash.
    pub seal: Option<Seal>,
}

/// A stored file that is as it should be.
#[derive(Debug)]
pub struct Intact {
    /// Open; its bytes are those of the hash as long as its seal stays.
    pub file: File,
    /// Its seal now.
    pub seal: Seal,
    /// The seal is another than the one known.
    pub resealed: bool,
    /// A further change would show: the seal is worth storing.
    pub settled: bool,
}

/// Why a stored file is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What is wrong, for the publisher.
    pub why: String,
    /// The seal it was found under; `None` when there is no file.
    pub seal: Option<Seal>,
}

impl Damage {
    /// What the reader is told.
    pub fn to_error(&self, path: &Path) -> Error {
        Error::new(Code::DataDamaged, "The file is missing or not the one that was published. The provider has been told.")
            .with_internal(format!("{}: {}", path.display(), self.why))
    }
}

/// What was found of files whose seals were unknown: the hash per seal. A seal names the file, whatever its path: versions
/// that share one are hashed once.
#[derive(Clone, Debug)]
pub struct Verdicts(moka::future::Cache<Seal, Arc<str>>);

impl Default for Verdicts {
    fn default() -> Self {
        Self(moka::future::Cache::new(VERDICTS_MAX))
    }
}

impl Verdicts {
    /// Opens a file and makes sure that it holds the published bytes. `now` tells whether its last change is settled.
    ///
    /// # Errors
    /// The inner one says how it is damaged; the outer one that the node itself failed, or that nobody can tell now.
    pub async fn open(&self, expected: &Expected, now: Timestamp) -> Result<Result<Intact, Damage>> {
        let (path, keeper) = (expected.path.clone(), expected.keeper);
        let opened = blocking(move || open(&path)).await?;
        let (file, meta) = match opened {
            Ok(opened) => opened,
            Err(e) if is_gone(&e) => return Ok(Err(Damage { why: format!("It cannot be opened: {e}."), seal: None })),
            Err(e) => return Err(failed(&expected.path, &e)),
        };
        let seal = Seal::of(&meta);
        if meta.len() != expected.size {
            let why = format!("It has {} bytes instead of {}.", meta.len(), expected.size);
            return Ok(Err(Damage { why, seal: Some(seal) }));
        }
        if expected.seal.as_ref() == Some(&seal) {
            return Ok(Ok(Intact { file, seal, resealed: false, settled: true }));
        }
        let found = match self.hash(&expected.path, keeper, &seal).await? {
            Ok(found) => found,
            Err(e) if is_gone(&e) => return Ok(Err(Damage { why: format!("It cannot be opened: {e}."), seal: None })),
            Err(e) => return Err(failed(&expected.path, &e)),
        };
        let settled = keeper == Keeper::Node || is_settled(&meta, now);
        if !settled {
            // Another change within the same tick would look the same.
            self.0.invalidate(&seal).await;
        }
        if *found == *expected.sha256 {
            Ok(Ok(Intact { file, seal, resealed: true, settled }))
        } else {
            Ok(Err(Damage { why: "Its bytes are not those that were published: the SHA-256 differs.".into(), seal: Some(seal) }))
        }
    }

    /// The hash of a file under this seal; one reader for all who wait.
    async fn hash(&self, path: &Path, keeper: Keeper, seal: &Seal) -> Result<std::result::Result<Arc<str>, Arc<io::Error>>> {
        let (place, under) = (path.to_owned(), seal.clone());
        let hashing = async move {
            let hashed = blocking(move || {
                let (mut file, before) = open(&place)?;
                let hash = sha256(&mut file, |_| Ok(()))?;
                let after = file.metadata()?;
                if Seal::of(&before) != under || !under.holds(&after, keeper) {
                    return Err(io::Error::new(io::ErrorKind::ResourceBusy, "it changes while it is read"));
                }
                Ok(Arc::<str>::from(hash))
            });
            hashed.await.map_err(io::Error::other)?
        };
        let (verdicts, key) = (self.0.clone(), seal.clone());
        // A task of its own: hashing a large file takes longer than some clients wait, and must not begin anew for each.
        tokio::spawn(async move { verdicts.try_get_with(key, hashing).await }).await.map_err(Error::internal_failure)
    }
}

/// Whether there is no ordinary file at the path; anything else (too many open files, a disk that cannot be read) tells
/// nothing about the file.
fn is_gone(e: &io::Error) -> bool {
    let not_a_file = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory, io::ErrorKind::IsADirectory, io::ErrorKind::InvalidInput];
    let linked = e.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    // What opening a socket, or a device without a driver, answers.
    let special = [rustix::io::Errno::NXIO, rustix::io::Errno::NODEV].iter().any(|n| e.raw_os_error() == Some(n.raw_os_error()));
    not_a_file.contains(&e.kind()) || linked || special
}

/// The file may be as it was: nobody could look.
fn failed(path: &Path, e: &io::Error) -> Error {
    Error::new(Code::Unavailable, "The file cannot be read at the moment. Try again later.")
        .with_internal(format!("{}: {e}", path.display()))
}

/// Runs file work off the threads that answer.
///
/// # Errors
/// When it panics.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal_failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn expected(path: &Path, seal: Option<Seal>) -> Expected {
        let (file, meta) = open(path).expect("open");
        let sha256 = sha256(file, |_| Ok(())).expect("hash");
        Expected { path: path.to_owned(), size: meta.len(), sha256, keeper: Keeper::Publisher, seal }
    }

    fn seal_of(path: &Path) -> Seal {
        Seal::of(&fs::metadata(path).expect("meta"))
    }

    /// Long after every change of these tests.
    const LATER: Timestamp = Timestamp::from_micros(4_000_000_000_000_000);

    #[tokio::test]
    async fn a_known_seal_is_enough_and_another_means_hashing_again() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("a");
        fs::write(&path, "hello").expect("write");
        let good = expected(&path, Some(seal_of(&path)));
        let verdicts = Verdicts::default();
        let found = verdicts.open(&good, LATER).await.expect("node").expect("intact");
        assert!(!found.resealed && found.seal == seal_of(&path));
        // The same bytes, written again: another file, the same content.
        fs::remove_file(&path).expect("remove");
        fs::write(&path, "hello").expect("write");
        let found = verdicts.open(&good, LATER).await.expect("node").expect("intact");
        assert!(found.resealed);
        // Other bytes of the same length.
        fs::write(&path, "jello").expect("write");
        let damage = verdicts.open(&good, LATER).await.expect("node").expect_err("changed");
        assert!(damage.why.contains("SHA-256") && damage.seal.is_some(), "{damage:?}");
        assert_eq!(damage.to_error(&path).code(), Code::DataDamaged);
        // Another length is seen without reading.
        fs::write(&path, "hello!").expect("write");
        assert!(verdicts.open(&good, LATER).await.expect("node").expect_err("longer").why.contains("6 bytes instead of 5"));
        fs::remove_file(&path).expect("remove");
        assert!(verdicts.open(&good, LATER).await.expect("node").expect_err("gone").seal.is_none());
    }

    #[tokio::test]
    async fn a_link_to_a_file_of_the_nodes_own_stops_no_reader_and_hides_no_change() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("a");
        fs::write(&path, "hello").expect("write");
        let meta = || fs::metadata(&path).expect("meta");
        let first = seal_of(&path);
        let good = Expected { keeper: Keeper::Node, ..expected(&path, Some(first.clone())) };
        // Until the tick of the file system's clock shows it.
        let mut n = 0;
        while seal_of(&path) == first {
            fs::hard_link(&path, dir.path().join(n.to_string())).expect("link");
            n += 1;
        }
        assert!(first.holds(&meta(), Keeper::Node) && !first.holds(&meta(), Keeper::Publisher));
        let verdicts = Verdicts::default();
        assert!(verdicts.open(&good, LATER).await.expect("node").expect("intact").resealed, "hashed again, and found the same");
        assert!(verdicts.0.get(&seal_of(&path)).await.is_some(), "for every version that shares it");
        // One byte, the same size, the time of modification set back: the time of change tells.
        let modified = meta().modified().expect("a time");
        fs::write(&path, "jello").expect("write");
        File::options().write(true).open(&path).and_then(|f| f.set_modified(modified)).expect("set back");
        let damage = verdicts.open(&Expected { seal: Some(first), ..good }, LATER).await.expect("node").expect_err("changed");
        assert!(damage.why.contains("SHA-256"), "{damage:?}");
    }

    #[tokio::test]
    async fn a_file_that_nobody_can_look_at_is_not_called_damaged() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("a");
        fs::write(&path, "hello").expect("write");
        // A name longer than any file system takes: neither there nor gone.
        let unreadable = Expected { path: dir.path().join("x".repeat(5_000)), ..expected(&path, None) };
        assert_eq!(Verdicts::default().open(&unreadable, LATER).await.expect_err("nobody can tell").code(), Code::Unavailable);
        std::os::unix::fs::symlink(&path, dir.path().join("link")).expect("link");
        for name in ["none", "link", ".", "a/b"] {
            let not_a_file = Expected { path: dir.path().join(name), ..expected(&path, None) };
            Verdicts::default().open(&not_a_file, LATER).await.expect("node").expect_err(name);
        }
    }

    #[tokio::test]
    async fn what_changed_just_now_is_served_and_looked_at_again() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("a");
        fs::write(&path, "hello").expect("write");
        let changed = Timestamp::from_micros(fs::metadata(&path).expect("meta").ctime() * 1_000_000);
        let (unsealed, verdicts) = (expected(&path, None), Verdicts::default());
        assert!(!verdicts.open(&unsealed, changed).await.expect("node").expect("intact").settled);
        assert_eq!(verdicts.0.get(&seal_of(&path)).await, None);
        assert!(verdicts.open(&unsealed, LATER).await.expect("node").expect("intact").settled);
    }

    #[tokio::test]
    async fn a_verdict_is_remembered_for_its_seal() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("a");
        fs::write(&path, "hello").expect("write");
        let unsealed = expected(&path, None);
        let verdicts = Verdicts::default();
        let key = seal_of(&path);
        verdicts.0.insert(key.clone(), Arc::from("not the hash")).await;
        assert!(verdicts.open(&unsealed, LATER).await.expect("node").is_err(), "nothing was hashed again");
        verdicts.0.invalidate(&key).await;
        assert!(verdicts.open(&unsealed, LATER).await.expect("node").is_ok());
        assert_eq!(verdicts.0.get(&key).await.as_deref(), Some(unsealed.sha256.as_str()));
    }

    #[test]
    fn links_folders_and_pipes_are_not_opened() {
        let dir = tempfile::tempdir().expect("dir");
        fs::write(dir.path().join("a"), "x").expect("write");
        std::os::unix::fs::symlink(dir.path().join("a"), dir.path().join("link")).expect("link");
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).expect("pipe");
        for name in ["link", "pipe", ".", "none"] {
            assert!(open(&dir.path().join(name)).is_err(), "{name}");
        }
        assert!(open(&dir.path().join("a")).is_ok());
    }

    #[test]
    fn what_changed_just_now_is_not_settled() {
        let dir = tempfile::tempdir().expect("dir");
        fs::write(dir.path().join("a"), "x").expect("write");
        let meta = fs::metadata(dir.path().join("a")).expect("meta");
        let changed = Timestamp::from_micros(meta.ctime() * 1_000_000);
        assert!(!is_settled(&meta, changed.plus(Micros::from_secs(1))));
        assert!(is_settled(&meta, changed.plus(Micros::from_secs(4))));
    }
}
