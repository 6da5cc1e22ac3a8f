//! Downloading a product's files into a folder, structure kept.
//!
//! The provider is not trusted with anything but its files' bytes: names are checked again, links are not followed,
//! nothing beyond what was announced is written, and every file has the SHA-256 of the list or does not appear.

use super::{
    super::{
        disk::free_bytes,
        failure::{Failure, Result},
        show,
    },
    listing::refused,
    progress_bar,
    pull::{self, length, pull},
};
use crate::{
    files::{
        name::{self, Taken},
        publish::FILES_MAX,
        wire::{ListedFile, Listing, PAGE_MAX_BYTES},
    },
    net::{OutRequest, Outbound},
};
use fondaco_core::Code;
use futures::{TryStreamExt, stream};
use http::{HeaderValue, StatusCode, header};
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};
use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// Where unfinished files grow, below the folder that is fetched into.
const PARTS: &str = ".fondaco-fetch";
/// Files fetched side by side: small ones wait for answers most of the time.
const SIDE_BY_SIDE: usize = 4;
/// A page may need its provider to look at a thousand files.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The way to a product's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// The address of the list.
    pub(super) url: String,
    /// The bearer token.
    pub(super) token: String,
}

/// What was fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fetched {
    /// Files that are now here.
    pub(super) files: u64,
    /// Those of them that were here before.
    pub(super) kept: u64,
    /// Bytes of all.
    pub(super) bytes: u64,
    /// Bytes that an earlier run had fetched of files it did not finish.
    pub(super) resumed: u64,
    /// Times a connection broke and was made again.
    pub(super) breaks: u64,
}

/// Downloads all files to `out`.
pub(super) async fn files(http: &Outbound, endpoint: &Endpoint, out: &Path, overwrite: bool, progress: bool) -> Result<Fetched> {
    let first = address(&endpoint.url)?;
    let mut page = list(http, first, Some(&endpoint.token)).await?;
    let (count, total) = (page.file_count, page.size_bytes);
    if count > FILES_MAX as u64 {
        return Err(Failure::new(Code::TooLarge, format!("The product has {count} files; at most {FILES_MAX} are fetched.")));
    }
    let bar = if progress { progress_bar(total) } else { ProgressBar::hidden() };
    let mut run = Run::new(http, Place::choose(out, &page)?, overwrite, bar);
    run.place.make_root()?;
    // What is here already needs no room, but telling what is means reading it; so this is only for what cannot fit at all.
    if let Ok(free) = free_bytes(run.place.root())
        && total.saturating_sub(run.place.here()) > free
    {
        return Err(Failure::new(
            Code::TooLarge,
            format!("The files have {}, {} has {} free.", show::bytes(Some(total)), run.place.root().display(), show::bytes(Some(free))),
        ));
    }
    let mut announced = 0u64;
    loop {
        run.check(&page, count, total, &mut announced)?;
        let files = std::mem::take(&mut page.files);
        let empty = files.is_empty();
        let (run_ref, page_ref) = (&run, &page);
        stream::iter(files.into_iter().map(Ok)).try_for_each_concurrent(SIDE_BY_SIDE, |file| run_ref.one(page_ref, file)).await?;
        match page.next.take() {
            Some(next) if !empty => page = list(http, address(&next)?, None).await?,
            _ => break,
        }
    }
    run.finish(count)
}

fn lied(words: impl std::fmt::Display) -> Failure {
    Failure::new(Code::PeerAnsweredBadly, format!("The provider's list of files cannot be used: {words}."))
}

fn address(text: &str) -> Result<Url> {
    Url::parse(text).map_err(|_| lied("it has an address that is none"))
}

async fn list(http: &Outbound, url: Url, token: Option<&str>) -> Result<Listing> {
    let mut request = OutRequest::get(url)
        .with_header(header::ACCEPT, HeaderValue::from_static("application/json"))
        .with_limit(PAGE_MAX_BYTES)
        .with_timeout(TIMEOUT);
    if let Some(token) = token {
        request = request.with_authorization(&format!("Bearer {token}"))?;
    }
    let answer = http.send(request).await?;
    if answer.status != StatusCode::OK {
        return Err(refused(answer.status, &answer.body));
    }
    serde_json::from_slice(&answer.body).map_err(lied)
}

/// Where the files go.
enum Place {
    /// Into a folder.
    Folder(PathBuf),
    /// The only file, to this path.
    File(PathBuf),
}

impl Place {
    /// A path with the ending of the product's only file means that file; everything else is a folder.
    fn choose(out: &Path, page: &Listing) -> Result<Self> {
        let only = page.files.first().filter(|_| page.file_count == 1);
        let ending = only.and_then(|f| Path::new(&f.path).extension());
        if ending.is_some() && ending == out.extension() && !out.is_dir() {
            return Ok(Self::File(out.to_owned()));
        }
        if fs::symlink_metadata(out).is_ok() && !out.is_dir() {
            return Err(Failure::new(Code::Conflict, format!("{} is a file; name a folder to fetch into.", out.display())));
        }
        Ok(Self::Folder(out.to_owned()))
    }

    fn root(&self) -> &Path {
        match self {
            Self::Folder(folder) => folder,
            Self::File(file) => file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")),
        }
    }

    fn make_root(&self) -> Result<()> {
        fs::create_dir_all(self.root()).map_err(|e| Failure::file("Cannot make the folder", self.root(), &e))
    }

    /// Bytes below the folder.
    fn here(&self) -> u64 {
        match self {
            Self::File(file) => length(file).unwrap_or(0),
            Self::Folder(folder) => {
                let entries = walkdir::WalkDir::new(folder).into_iter().filter_map(|e| e.ok()?.metadata().ok());
                entries.filter(fs::Metadata::is_file).map(|meta| meta.len()).fold(0, u64::saturating_add)
            }
        }
    }

    fn of(&self, path: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(path),
            Self::File(file) => file.clone(),
        }
    }

    /// Named by content and place, so that only the same bytes for the same file are continued.
    fn part(&self, file: &ListedFile) -> PathBuf {
        let place = hex::encode(&Sha256::digest(file.path.as_bytes())[..4]);
        let name = format!("{}-{place}.part", &file.sha256[..32]);
        match self {
            Self::Folder(folder) => folder.join(PARTS).join(name),
            Self::File(to) => to.with_file_name(format!(".{name}")),
        }
    }
}

/// One run of the command.
struct Run<'a> {
    http: &'a Outbound,
    place: Place,
    overwrite: bool,
    bar: ProgressBar,
    taken: Taken,
    /// Folders below the root that are known to be folders of their own.
    folders: RefCell<HashSet<PathBuf>>,
    got: Cell<Fetched>,
}

impl<'a> Run<'a> {
    fn new(http: &'a Outbound, place: Place, overwrite: bool, bar: ProgressBar) -> Self {
        Self { http, place, overwrite, bar, taken: Taken::default(), folders: RefCell::default(), got: Cell::default() }
    }

    /// Checks a page before anything of it is written.
    fn check(&mut self, page: &Listing, count: u64, total: u64, announced: &mut u64) -> Result<()> {
        for file in &page.files {
            let shown = || format!("\"{}\"", name::shown(&file.path));
            name::check(&file.path).and_then(|()| self.taken.take(&file.path)).map_err(|why| lied(format!("{} {why}", shown())))?;
            if file.path.split('/').any(|part| name::folded(part) == PARTS) {
                return Err(lied(format!("{} has the name of this command's own folder", shown())));
            }
            if file.sha256.len() != 64 || !file.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(lied(format!("{} has no SHA-256", shown())));
            }
            *announced =
                announced.checked_add(file.size).filter(|sum| *sum <= total).ok_or_else(|| lied("it has more bytes than it says"))?;
        }
        if self.taken.files() as u64 > count {
            return Err(lied("it has more files than it says"));
        }
        Ok(())
    }

    /// Makes sure that one file is here and whole.
    async fn one(&self, page: &Listing, file: ListedFile) -> Result<()> {
        let path = self.place.of(&file.path);
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if matches!(self.place, Place::Folder(_)) {
            self.folder(folder)?;
            self.folder(PARTS)?;
        }
        self.bar.set_message(show::short(&show::clean(&file.path), 28));
        if let Ok(meta) = fs::symlink_metadata(&path) {
            if meta.is_file() && meta.len() == file.size && pull::hash(&path).await? == file.sha256 {
                self.bar.inc(file.size);
                self.add(|got| {
                    got.kept += 1;
                    got.files += 1;
                    got.bytes += file.size;
                });
                return Ok(());
            }
            if !self.overwrite || !meta.is_file() {
                let advice = if meta.is_file() { ", or add --overwrite" } else { "" };
                let words =
                    format!("{} is already here and is something else. Move it away, choose another folder{advice}.", path.display());
                return Err(Failure::new(Code::Conflict, words));
            }
        }
        let wanted = pull::Wanted { part: self.place.part(&file), path, size: file.size, sha256: Some(file.sha256.clone()) };
        let renew = async || {
            let fresh = list(self.http, address(&page.this)?, None).await?;
            let again = fresh.files.iter().find(|f| f.path == file.path && f.sha256 == file.sha256);
            again.map(|f| address(&f.url)).transpose()
        };
        let shown = Cell::new(0u64);
        let have = |bytes: u64| {
            // A provider that ignores ranges makes us begin again.
            let before = shown.replace(bytes);
            self.bar.set_position((self.bar.position() + bytes).saturating_sub(before));
        };
        let pulled = pull(self.http, address(&file.url)?, &wanted, renew, &have).await?;
        self.add(|got| {
            got.files += 1;
            got.bytes += file.size;
            got.resumed += pulled.resumed;
            got.breaks += u64::from(pulled.breaks);
        });
        Ok(())
    }

    fn add(&self, change: impl FnOnce(&mut Fetched)) {
        let mut got = self.got.get();
        change(&mut got);
        self.got.set(got);
    }

    /// Makes the folder below the root, and makes sure that no part of the way to it is a link.
    fn folder(&self, below: &str) -> Result<()> {
        if below.is_empty() || self.folders.borrow().contains(Path::new(below)) {
            return Ok(());
        }
        let mut path = self.place.root().to_owned();
        for part in below.split('/') {
            path.push(part);
            match fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_dir() => {}
                Ok(_) => {
                    return Err(Failure::new(Code::Conflict, format!("{} is in the way: a folder has to be there.", path.display())));
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir(&path).map_err(|e| Failure::file("Cannot make the folder", &path, &e))?;
                }
                Err(e) => return Err(Failure::file("Cannot read", &path, &e)),
            }
        }
        self.folders.borrow_mut().insert(below.into());
        Ok(())
    }

    /// Makes the names durable, and tidies up.
    fn finish(self, count: u64) -> Result<Fetched> {
        let got = self.got.get();
        if got.files != count {
            return Err(lied(format!("it names {} of {count} files", got.files)));
        }
        let root = self.place.root();
        if matches!(self.place, Place::Folder(_)) {
            // Not empty while another run is under way, or after one for another version: theirs to go on with.
            let _ = fs::remove_dir(root.join(PARTS));
        }
        let folders = self.folders.take();
        for folder in folders.iter().map(|f| root.join(f)).filter(|f| !f.ends_with(PARTS)).chain([root.to_owned()]) {
            fs::File::open(&folder).and_then(|f| f.sync_all()).map_err(|e| Failure::file("Cannot write", &folder, &e))?;
        }
        self.bar.finish_and_clear();
        Ok(got)
    }
}
