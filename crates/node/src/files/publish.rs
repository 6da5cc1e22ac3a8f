//! Publication of files: what lies in folders becomes the list of a product's files, copied or left in place.
//!
//! Hidden files are kept (Zarr and others keep their metadata in them); what version control and desktops leave in
//! folders is not. Folders without files are not kept: a product is its files. Links, devices and sockets are refused by
//! name: what they lead to is not part of the folder.

use super::{
    name::{self, Taken},
    seal::{self, Seal},
};
use fondaco_core::{Code, Error, Result, time::Timestamp};
use serde::Serialize;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};
use walkdir::WalkDir;

/// Most files of a product: its list is read by people and fetched in pages.
pub const FILES_MAX: usize = 100_000;
/// Most bytes of one product: what one folder of any file system in use can hold.
pub const BYTES_MAX: u64 = 1 << 50;
/// More files than this are made durable at once, by a sync of the whole file system.
const SYNCED_ONE_BY_ONE_MAX: usize = 64;
/// What version control and desktops leave in folders, in lower case.
const LITTER: [&str; 11] =
    [".git", ".hg", ".svn", ".bzr", "cvs", ".ds_store", "__macosx", "thumbs.db", "desktop.ini", ".spotlight-v100", ".trashes"];

/// How much a publication may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most files.
    pub files: usize,
    /// Most bytes.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { files: FILES_MAX, bytes: BYTES_MAX }
    }
}

/// Where the bytes will lie.
#[derive(Clone, Debug)]
pub enum Target {
    /// Copied into this folder, which must not exist yet.
    Copied(PathBuf),
    /// Where they are.
    InPlace,
}

/// A file of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedFile {
    /// Its name in the product: relative, `/` between the parts.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// Media type, guessed from the name.
    pub media_type: String,
    /// Where it lies: below the target folder, or absolute when left in place.
    pub place: PathBuf,
    /// Its seal when it was hashed. `None` when it changed so shortly before that another change might not show.
    pub seal: Option<Seal>,
}

/// All files of a product.
#[derive(Clone, Debug, Default)]
pub struct PublishedFiles {
    /// In the order of their names.
    pub files: Vec<PublishedFile>,
    /// Bytes of all.
    pub size: u64,
    /// Litter that was left out.
    pub left_out: u64,
}

/// How far it is. Told after each piece.
#[derive(Clone, Debug, Serialize)]
pub struct Progress {
    /// The file being read.
    pub file: String,
    /// Bytes of all files read so far.
    pub done: u64,
    /// Bytes of all files.
    pub total: u64,
}

/// A file that was found.
struct Found {
    path: String,
    source: PathBuf,
    size: u64,
}

/// Publishes the sources: a single folder gives its contents, of several sources each keeps its own name.
/// `stopped` is asked between pieces. Nothing is left behind on failure.
///
/// # Errors
/// [`Code::SourceUnreadable`] naming what cannot be published and why; [`Code::TooLarge`]; [`Code::Unavailable`] when
/// stopped.
pub fn publish(
    sources: &[PathBuf],
    target: &Target,
    limits: Limits,
    now: Timestamp,
    stopped: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<PublishedFiles> {
    let (found, left_out) = find(sources, limits, stopped)?;
    let total = found.iter().map(|f| f.size).fold(0u64, u64::saturating_add);
    if total > limits.bytes {
        return Err(Error::new(
            Code::TooLarge,
            format!("Nothing was published. The files have {total} bytes; the limit is {}.", limits.bytes),
        ));
    }
    let staging = match target {
        Target::Copied(folder) => Some(Staging::new(folder, total)?),
        Target::InPlace => None,
    };
    let mut published = PublishedFiles { left_out, ..PublishedFiles::default() };
    let sync_each = found.len() <= SYNCED_ONE_BY_ONE_MAX;
    for found in found {
        let mut told = |n: u64| progress(Progress { file: found.path.clone(), done: n, total });
        let one = Reading { found: &found, before: published.size, stopped, told: &mut told };
        let file = match &staging {
            Some(staging) => one.copy(&staging.path, sync_each)?,
            None => one.hash(now)?,
        };
        published.size += file.size;
        published.files.push(file);
    }
    if let (Some(staging), Target::Copied(folder)) = (staging, target) {
        staging.finish(folder, sync_each)?;
    }
    Ok(published)
}

fn unreadable(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(Code::SourceUnreadable, format!("Nothing was published. \"{}\" {why}.", name::shown(&path.to_string_lossy())))
}

fn find(sources: &[PathBuf], limits: Limits, stopped: &dyn Fn() -> bool) -> Result<(Vec<Found>, u64)> {
    let mut taken = Taken::default();
    let mut found = Vec::new();
    let mut left_out = 0;
    for source in sources {
        let meta = fs::symlink_metadata(source).map_err(|e| unreadable(source, format!("cannot be read: {e}")))?;
        let prefix = if sources.len() == 1 && meta.is_dir() {
            None
        } else {
            Some(source.file_name().ok_or_else(|| unreadable(source, "has no name of its own; give a single folder, or name it"))?)
        };
        let walk = WalkDir::new(source).follow_links(false).follow_root_links(false).sort_by_file_name();
        let mut walk = walk.into_iter();
        while let Some(entry) = walk.next() {
            if stopped() {
                return Err(was_stopped());
            }
            let entry = entry.map_err(|e| unreadable(e.path().unwrap_or(source), format!("cannot be read: {e}")))?;
            if entry.depth() > 0 && is_litter(&entry.file_name().to_string_lossy()) {
                left_out += 1;
                if entry.file_type().is_dir() {
                    walk.skip_current_dir();
                }
                continue;
            }
            let kind = entry.file_type();
            if kind.is_dir() {
                continue;
            }
            if !kind.is_file() {
                let what = if kind.is_symlink() { "is a link" } else { "is not an ordinary file" };
                return Err(unreadable(entry.path(), format!("{what}. Put the file itself there, or move it out of the folder")));
            }
            let below = entry.path().strip_prefix(source).unwrap_or(Path::new(""));
            let path = prefix.map_or_else(|| below.to_owned(), |p| if entry.depth() == 0 { p.into() } else { Path::new(p).join(below) });
            let path = path.to_str().ok_or_else(|| unreadable(entry.path(), "has a name that is not UTF-8. Rename it"))?;
            let advice = |why: String| unreadable(entry.path(), format!("{why}. Rename it"));
            name::check(path).map_err(advice)?;
            taken.take(path).map_err(advice)?;
            if found.len() >= limits.files {
                return Err(Error::new(
                    Code::TooLarge,
                    format!("Nothing was published. There are more than {} files; publish an archive of them instead.", limits.files),
                ));
            }
            let size = entry.metadata().map_err(|e| unreadable(entry.path(), format!("cannot be read: {e}")))?.len();
            found.push(Found { path: path.to_owned(), source: entry.path().to_owned(), size });
        }
    }
    if found.is_empty() {
        return Err(Error::new(Code::SourceUnreadable, "Nothing was published. There is no file at the paths given."));
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((found, left_out))
}

fn is_litter(name: &str) -> bool {
    // `._name` is where macOS keeps what other file systems cannot.
    name.starts_with("._") || LITTER.contains(&name.to_ascii_lowercase().as_str())
}

fn was_stopped() -> Error {
    Error::new(Code::Unavailable, "Nothing was published: it was stopped. Publish again.")
}

/// One file being read.
struct Reading<'a> {
    found: &'a Found,
    before: u64,
    stopped: &'a dyn Fn() -> bool,
    told: &'a mut dyn FnMut(u64),
}

impl Reading<'_> {
    fn hash(self, now: Timestamp) -> Result<PublishedFile> {
        let found = self.found;
        let read = self.read(&mut |_| Ok(()))?;
        let seal = seal::is_settled(&read.meta, now).then(|| Seal::of(&read.meta));
        Ok(described(found, read, found.source.clone(), seal))
    }

    fn copy(self, folder: &Path, sync: bool) -> Result<PublishedFile> {
        let found = self.found;
        let to = folder.join(&found.path);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(Error::internal_failure)?;
        }
        let mut out = File::options().write(true).create_new(true).open(&to).map_err(Error::internal_failure)?;
        let mut failed = None;
        let read = self.read(&mut |piece| {
            out.write_all(piece).map_err(|e| {
                let words = e.to_string();
                failed = Some(e);
                io::Error::other(words)
            })
        });
        if let Some(e) = failed {
            return Err(Error::new(
                Code::Unavailable,
                "Nothing was published. The node cannot store the files; its operator should see to its disk.",
            )
            .with_internal(format!("{}: {e}", to.display())));
        }
        let read = read?;
        if sync {
            out.sync_all().map_err(Error::internal_failure)?;
        }
        // In the node's own folder nobody else writes, so how fresh the copy is does not matter.
        let seal = Seal::of(&out.metadata().map_err(Error::internal_failure)?);
        Ok(described(found, read, PathBuf::from(&found.path), Some(seal)))
    }

    /// Reads the file once: hash, and every piece to `each`.
    fn read(self, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<Read> {
        let source = &self.found.source;
        let (file, meta) = seal::open(source).map_err(|e| unreadable(source, format!("cannot be read: {e}")))?;
        let mut size = 0u64;
        let mut stopped = false;
        let hashed = seal::sha256(&file, |piece| {
            size += piece.len() as u64;
            (self.told)(self.before + size);
            stopped = (self.stopped)();
            if stopped { Err(io::Error::other("stopped")) } else { each(piece) }
        });
        if stopped {
            return Err(was_stopped());
        }
        let sha256 = hashed.map_err(|e| unreadable(source, format!("cannot be read to its end: {e}")))?;
        let after = file.metadata().map_err(|e| unreadable(source, format!("cannot be read: {e}")))?;
        if size != meta.len() || Seal::of(&after) != Seal::of(&meta) {
            return Err(unreadable(source, "changed while it was read. Publish again when nobody writes to it"));
        }
        Ok(Read { sha256, size, meta: after })
    }
}

/// What reading a file gave.
struct Read {
    sha256: String,
    size: u64,
    meta: fs::Metadata,
}

fn described(found: &Found, read: Read, place: PathBuf, seal: Option<Seal>) -> PublishedFile {
    let media_type = mime_guess::from_path(&found.path).first_or_octet_stream().essence_str().to_owned();
    PublishedFile { path: found.path.clone(), size: read.size, sha256: read.sha256, media_type, place, seal }
}

/// A folder beside the target that disappears unless it becomes the target.
struct Staging {
    path: PathBuf,
}

impl Staging {
    fn new(target: &Path, total: u64) -> Result<Self> {
        let (Some(parent), Some(name)) = (target.parent(), target.file_name().and_then(|n| n.to_str())) else {
            return Err(Error::internal_failure(format!("{} is no place for a product", target.display())));
        };
        fs::create_dir_all(parent).map_err(Error::internal_failure)?;
        // Where free space cannot be told, writing will tell.
        if let Ok(stat) = rustix::fs::statvfs(parent) {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            if total > free {
                return Err(Error::new(
                    Code::TooLarge,
                    format!(
                        "Nothing was published. The files have {total} bytes, the node's disk has {free} free. Make room, or leave the files in place."
                    ),
                ));
            }
        }
        let path = parent.join(format!(".{name}.partial"));
        fs::create_dir(&path).map_err(Error::internal_failure)?;
        Ok(Self { path })
    }

    /// Makes the files visible under their final name, durably.
    fn finish(self, target: &Path, synced: bool) -> Result<()> {
        let all = || -> io::Result<()> {
            if synced {
                for folder in WalkDir::new(&self.path).into_iter().filter_entry(|e| e.file_type().is_dir()) {
                    File::open(folder?.path())?.sync_all()?;
                }
            } else {
                rustix::fs::syncfs(File::open(&self.path)?)?;
            }
            fs::rename(&self.path, target)?;
            target.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        };
        all().map_err(Error::internal_failure)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After the rename it is gone. A leftover costs space only.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, os::unix::fs::symlink};

    const LATER: Timestamp = Timestamp::from_micros(i64::MAX / 2);

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("dir");
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("folders");
            fs::write(path, text).expect("write");
        }
        dir
    }

    fn publish_with(sources: &[PathBuf], target: &Target, limits: Limits) -> Result<PublishedFiles> {
        publish(sources, target, limits, LATER, &|| false, &mut |_| {})
    }

    fn refused(dir: &Path) -> String {
        let error = publish_with(&[dir.to_owned()], &Target::InPlace, Limits::default()).expect_err("refused");
        assert_eq!(error.code(), Code::SourceUnreadable);
        error.message().to_owned()
    }

    #[test]
    fn a_folder_is_copied_with_its_structure_and_described() {
        let dir =
            tree(&[("b.csv", "x\n1\n"), ("a/.zarray", "{}"), ("a/e", ""), (".git/config", "x"), ("a/.DS_Store", "x"), ("空.html", "<p>")]);
        fs::create_dir(dir.path().join("empty")).expect("folder");
        let out = tempfile::tempdir().expect("dir");
        let target = out.path().join("p/1");
        let mut done = Vec::new();
        let sources = [dir.path().to_owned()];
        let copied = Target::Copied(target.clone());
        let made =
            publish(&sources, &copied, Limits::default(), LATER, &|| false, &mut |p| done.push((p.done, p.total))).expect("published");
        let names: Vec<&str> = made.files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(names, ["a/.zarray", "a/e", "b.csv", "空.html"]);
        assert_eq!((made.size, made.left_out), (9, 2));
        assert_eq!(done.last(), Some(&(9, 9)));
        assert_eq!(fs::read_to_string(target.join("b.csv")).expect("copied"), "x\n1\n");
        assert_eq!(made.files[1].sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(made.files[2].media_type, "text/csv");
        assert_eq!(made.files[3].media_type, "text/html");
        let seal = Seal::of(&fs::metadata(target.join("b.csv")).expect("meta"));
        assert_eq!(made.files[2].seal.as_ref(), Some(&seal));
        assert_eq!(fs::read_dir(out.path().join("p")).expect("list").count(), 1, "no staging folder stays");
    }

    #[test]
    fn several_sources_keep_their_names_and_files_may_stay_where_they_are() {
        let dir = tree(&[("one/a", "1"), ("two/a", "2"), ("c", "3")]);
        let sources = ["one", "two", "c"].map(|n| dir.path().join(n));
        let made = publish_with(&sources, &Target::InPlace, Limits::default()).expect("published");
        let places: Vec<(&str, &Path)> = made.files.iter().map(|f| (f.path.as_str(), f.place.as_path())).collect();
        assert_eq!(places, [("c", sources[2].as_path()), ("one/a", &sources[0].join("a")), ("two/a", &sources[1].join("a"))]);
        assert!(made.files.iter().all(|f| f.seal.is_some()), "long ago");
        let fresh =
            publish(&sources, &Target::InPlace, Limits::default(), Timestamp::from_micros(0), &|| false, &mut |_| {}).expect("published");
        assert!(fresh.files.iter().all(|f| f.seal.is_none()), "another change might not show");
    }

    #[test]
    fn links_pipes_and_names_that_mean_something_else_are_refused_by_name() {
        let dir = tree(&[("a", "1")]);
        symlink("a", dir.path().join("inside")).expect("link");
        assert!(refused(dir.path()).contains("inside\" is a link"));
        let dir = tree(&[("a", "1")]);
        rustix::fs::mknodat(rustix::fs::CWD, dir.path().join("p"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).expect("pipe");
        assert!(refused(dir.path()).contains("not an ordinary file"));
        assert!(refused(tree(&[("a\nb", "1")]).path()).contains("a\\nb\" has the character \\u{a}"));
        assert!(refused(tree(&[("data.csv", "1"), ("Data.csv", "2")]).path()).contains("letter case"));
        let dir = tree(&[]);
        fs::write(dir.path().join(std::ffi::OsStr::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"a\xff"))), "1")
            .expect("write");
        assert!(refused(dir.path()).contains("not UTF-8"));
        assert!(refused(tree(&[]).path()).contains("no file"));
    }

    #[test]
    fn limits_and_stopping_leave_nothing_behind() {
        let dir = tree(&[("a", "12345"), ("b", "12345")]);
        let out = tempfile::tempdir().expect("dir");
        let target = Target::Copied(out.path().join("1"));
        let sources = [dir.path().to_owned()];
        for limits in [Limits { files: 1, bytes: 100 }, Limits { files: 10, bytes: 9 }] {
            assert_eq!(publish_with(&sources, &target, limits).expect_err("refused").code(), Code::TooLarge);
        }
        let asked = Cell::new(0);
        let stopped = || {
            asked.set(asked.get() + 1);
            // The folder itself, its two files; then the first piece.
            asked.get() > 3
        };
        let error = publish(&sources, &target, Limits::default(), LATER, &stopped, &mut |_| {}).expect_err("stopped");
        assert_eq!(error.code(), Code::Unavailable);
        assert_eq!(fs::read_dir(out.path()).expect("list").count(), 0);
        assert!(publish_with(&sources, &target, Limits { files: 2, bytes: 10 }).is_ok(), "just at the limits");
    }
}
