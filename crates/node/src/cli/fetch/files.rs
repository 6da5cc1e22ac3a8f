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
    croissant,
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
    /// Whether one of them has the name of the description that comes with the data.
    pub(super) described: bool,
}

/// Downloads all files to `out`, beginning with those of the first page of the list.
pub(super) async fn files(http: &Outbound, first: Listing, out: &Path, overwrite: bool, progress: bool) -> Result<Fetched> {
    let mut page = first;
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
            Some(next) if !empty => page = list(http, address(&next)?).await?,
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

async fn list(http: &Outbound, url: Url) -> Result<Listing> {
    let request = OutRequest::get(url)
        .with_header(header::ACCEPT, HeaderValue::from_static("application/json"))
        .with_limit(PAGE_MAX_BYTES)
        .with_timeout(TIMEOUT);
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
        if file.path == croissant::NAME {
            self.add(|got| got.described = true);
        }
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
        let wanted =
            pull::Wanted { part: self.place.part(&file), path, size: file.size, sha256: Some(file.sha256.clone()), unhashed: None };
        let renew = async || {
            let fresh = list(self.http, address(&page.this)?).await?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::NetworkRule;
    use axum::{
        Json, Router,
        extract::{Path as Segments, State},
        response::{IntoResponse, Response},
        routing,
    };
    use http::HeaderMap;
    use serde_json::{Value, json};
    use std::sync::{Arc, Mutex};

    /// A provider that may lie.
    #[derive(Default)]
    struct Provider {
        base: String,
        /// Name, content; two to a page.
        files: Vec<(String, Vec<u8>)>,
        /// Changes a page before it is sent.
        lie: Option<fn(&mut Value)>,
        /// Files are refused until a list was asked for so often.
        expired_before_listing: usize,
        listings: usize,
        /// Names and ranges of the files asked for.
        asked: Vec<(String, Option<String>)>,
    }

    type Shared = Arc<Mutex<Provider>>;

    fn page_of(p: &mut Provider, at: usize) -> Value {
        p.listings += 1;
        let base = &p.base;
        let files: Vec<Value> = (p.files.iter().enumerate().skip(at).take(2))
            .map(|(i, (name, bytes))| {
                json!({"path": name, "size": bytes.len(), "sha256": hex::encode(Sha256::digest(bytes)), "url": format!("{base}/data/{i}")})
            })
            .collect();
        let total: usize = p.files.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut page =
            json!({"product": "x", "fileCount": p.files.len(), "sizeBytes": total, "files": files, "self": format!("{base}/page/{at}")});
        if at + 2 < p.files.len() {
            page["next"] = json!(format!("{base}/page/{}", at + 2));
        }
        if let Some(lie) = p.lie {
            lie(&mut page);
        }
        page
    }

    async fn first(State(p): State<Shared>, headers: HeaderMap) -> Json<Value> {
        assert_eq!(headers["authorization"], "Bearer fda_x");
        Json(page_of(&mut p.lock().expect("lock"), 0))
    }

    async fn further(State(p): State<Shared>, Segments(at): Segments<usize>, headers: HeaderMap) -> Json<Value> {
        assert!(!headers.contains_key("authorization"), "the token goes to the data address alone");
        Json(page_of(&mut p.lock().expect("lock"), at))
    }

    async fn data(State(p): State<Shared>, Segments(i): Segments<usize>, headers: HeaderMap) -> Response {
        let mut p = p.lock().expect("lock");
        let range = headers.get("range").map(|r| r.to_str().expect("text").to_owned());
        let (name, bytes) = p.files[i].clone();
        p.asked.push((name, range.clone()));
        if p.listings < p.expired_before_listing {
            return (
                StatusCode::FORBIDDEN,
                r#"{"type":"/errors/FDC-3005","title":"x","status":403,"code":"FDC-3005","detail":"Expired."}"#,
            )
                .into_response();
        }
        let from: usize = range.map_or(0, |r| r["bytes=".len()..r.len() - 1].parse().expect("number"));
        let rest = bytes[from..].to_vec();
        if from == 0 {
            return rest.into_response();
        }
        let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
        (StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, range)], rest).into_response()
    }

    async fn serve(provider: Provider) -> (Shared, Outbound, Endpoint) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let base = format!("http://{}", listener.local_addr().expect("address"));
        let shared = Arc::new(Mutex::new(Provider { base: base.clone(), ..provider }));
        let app = Router::new()
            .route("/list", routing::get(first))
            .route("/page/{at}", routing::get(further))
            .route("/data/{i}", routing::get(data))
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let rule = NetworkRule { allow_private: false, allow_loopback: true, allow_http: false };
        (shared, Outbound::system(rule).expect("client"), Endpoint { url: format!("{base}/list"), token: "fda_x".into() })
    }

    fn three() -> Vec<(String, Vec<u8>)> {
        vec![("a.csv".into(), b"x\n1\n".to_vec()), ("b/c/d.bin".into(), vec![7; 300_000]), ("b/empty".into(), Vec::new())]
    }

    fn named(names: &[&str]) -> Vec<(String, Vec<u8>)> {
        names.iter().map(|n| ((*n).to_owned(), n.as_bytes().to_vec())).collect()
    }

    fn tree(dir: &Path) -> Vec<String> {
        let mut found: Vec<String> = (walkdir::WalkDir::new(dir).into_iter().map(|e| e.expect("entry")))
            .filter(|e| !e.file_type().is_dir())
            .map(|e| e.path().strip_prefix(dir).expect("below").to_string_lossy().into_owned())
            .collect();
        found.sort();
        found
    }

    /// As the command does it: what is there is looked at first.
    async fn all(http: &Outbound, endpoint: &Endpoint, out: &Path, overwrite: bool, progress: bool) -> Result<Fetched> {
        match super::super::single::open(http, endpoint, out).await? {
            super::super::single::Opened::List(first) => files(http, *first, out, overwrite, progress).await,
            super::super::single::Opened::Data(_) => panic!("a list is served here"),
        }
    }

    #[tokio::test]
    async fn the_structure_is_kept_and_a_second_run_finds_everything_here() {
        let (provider, http, endpoint) = serve(Provider { files: three(), ..Provider::default() }).await;
        let dir = tempfile::tempdir().expect("dir");
        let out = dir.path().join("new/out");
        let got = all(&http, &endpoint, &out, false, false).await.expect("fetched");
        assert_eq!(got, Fetched { files: 3, kept: 0, bytes: 300_004, resumed: 0, breaks: 0, described: false });
        assert_eq!(tree(&out), ["a.csv", "b/c/d.bin", "b/empty"]);
        assert_eq!(fs::read(out.join("b/c/d.bin")).expect("read"), vec![7; 300_000]);
        assert!(!out.join(PARTS).exists());
        let asked = provider.lock().expect("lock").asked.len();
        let again = all(&http, &endpoint, &out, false, false).await.expect("kept");
        assert_eq!((again.kept, again.files), (3, 3));
        assert_eq!(provider.lock().expect("lock").asked.len(), asked, "nothing is fetched twice");
        // Another content under a name stays, unless it may be replaced.
        fs::write(out.join("a.csv"), "mine").expect("write");
        let refused = all(&http, &endpoint, &out, false, false).await.expect_err("conflict");
        assert_eq!(refused.problem.code, Code::Conflict.as_str());
        assert_eq!(fs::read(out.join("a.csv")).expect("read"), b"mine");
        all(&http, &endpoint, &out, true, false).await.expect("replaced");
        assert_eq!(fs::read(out.join("a.csv")).expect("read"), b"x\n1\n");
    }

    #[tokio::test]
    async fn a_part_of_an_earlier_run_is_continued_and_one_that_is_wrong_is_thrown_away() {
        let (provider, http, endpoint) = serve(Provider { files: three(), ..Provider::default() }).await;
        let dir = tempfile::tempdir().expect("dir");
        let sha256 = hex::encode(Sha256::digest(vec![7; 300_000]));
        let file = ListedFile { path: "b/c/d.bin".into(), size: 300_000, sha256, media_type: String::new(), url: String::new() };
        let part = Place::Folder(dir.path().to_owned()).part(&file);
        fs::create_dir(dir.path().join(PARTS)).expect("folder");
        fs::write(&part, vec![7; 123_456]).expect("write");
        let got = all(&http, &endpoint, dir.path(), false, false).await.expect("fetched");
        assert_eq!(got.resumed, 123_456);
        assert!(provider.lock().expect("lock").asked.contains(&("b/c/d.bin".into(), Some("bytes=123456-".into()))));
        fs::remove_file(dir.path().join("b/c/d.bin")).expect("remove");
        fs::create_dir(dir.path().join(PARTS)).expect("folder");
        fs::write(&part, vec![8; 1_000]).expect("write");
        let failed = all(&http, &endpoint, dir.path(), false, false).await.expect_err("wrong bytes");
        assert_eq!(failed.problem.code, Code::PeerAnsweredBadly.as_str());
        assert!(!part.exists() && !dir.path().join("b/c/d.bin").exists());
        all(&http, &endpoint, dir.path(), false, false).await.expect("from the start");
    }

    #[tokio::test]
    async fn names_that_lead_elsewhere_are_refused_before_anything_is_written() {
        for hostile in [
            &["../up"][..],
            &["/etc/x"],
            &["a\\b"],
            &["a/../../b"],
            &["ok", "OK"],
            &["a", "a/b"],
            &["a\nb"],
            &["nul.txt"],
            &["x", "x"],
            &[".fondaco-fetch/x"],
            &["sub/.Fondaco-Fetch"],
            &[""],
            &["a\u{202e}b"],
        ] {
            let (_, http, endpoint) = serve(Provider { files: named(hostile), ..Provider::default() }).await;
            let dir = tempfile::tempdir().expect("dir");
            let out = dir.path().join("out");
            let failed = all(&http, &endpoint, &out, true, false).await.expect_err("refused");
            assert_eq!(failed.problem.code, Code::PeerAnsweredBadly.as_str(), "{hostile:?}");
            assert!(tree(dir.path()).is_empty(), "{hostile:?}");
        }
    }

    #[tokio::test]
    async fn a_list_that_contradicts_itself_is_not_believed() {
        let lies: [fn(&mut Value); 5] = [
            |page| page["fileCount"] = json!(1),
            |page| page["fileCount"] = json!(4),
            |page| page["sizeBytes"] = json!(10),
            |page| page["files"][0]["sha256"] = json!("../../x"),
            |page| page["files"][0]["size"] = json!(u64::MAX),
        ];
        for (i, lie) in lies.into_iter().enumerate() {
            let (_, http, endpoint) = serve(Provider { files: three(), lie: Some(lie), ..Provider::default() }).await;
            let dir = tempfile::tempdir().expect("dir");
            let failed = all(&http, &endpoint, &dir.path().join("out"), false, false).await.expect_err("refused");
            assert_eq!(failed.problem.code, Code::PeerAnsweredBadly.as_str(), "lie {i}: {failed:?}");
        }
    }

    #[tokio::test]
    async fn links_on_the_way_are_not_followed() {
        let (_, http, endpoint) = serve(Provider { files: three(), ..Provider::default() }).await;
        let dir = tempfile::tempdir().expect("dir");
        let (out, elsewhere) = (dir.path().join("out"), dir.path().join("elsewhere"));
        fs::create_dir_all(&out).expect("folder");
        fs::create_dir_all(&elsewhere).expect("folder");
        std::os::unix::fs::symlink(&elsewhere, out.join("b")).expect("link");
        let failed = all(&http, &endpoint, &out, true, false).await.expect_err("refused");
        assert_eq!(failed.problem.code, Code::Conflict.as_str());
        assert!(tree(&elsewhere).is_empty());
    }

    #[tokio::test]
    async fn expired_addresses_are_renewed_by_listing_again() {
        let (provider, http, endpoint) =
            serve(Provider { files: three()[..1].to_vec(), expired_before_listing: 2, ..Provider::default() }).await;
        let dir = tempfile::tempdir().expect("dir");
        // The only file may be named.
        let out = dir.path().join("mine.csv");
        all(&http, &endpoint, &out, false, false).await.expect("fetched");
        assert_eq!(fs::read(&out).expect("read"), b"x\n1\n");
        assert_eq!(provider.lock().expect("lock").listings, 2);
        assert_eq!(tree(dir.path()), ["mine.csv"]);
    }
}
