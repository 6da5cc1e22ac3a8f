//! Downloading a table's files: each into a `.part` file that is continued by `Range` when the connection breaks or the
//! command is run again, checked for size and (where the provider's ETag is a SHA-256) for content, then renamed.

use super::{
    super::{
        disk::free_bytes,
        failure::{Failure, Result},
        show,
    },
    file_name::{ENDING, part_name, safe_word},
    listing,
};
use crate::net::{OutRequest, OutStream, Outbound};
use fondaco_core::Code;
use fondaco_tables::delta_sharing::client::{Profile, RemoteFile};
use http::{HeaderMap, Method, StatusCode, header};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// Attempts in a row that bring nothing before a download is given up. It can be continued later.
const FRUITLESS_ATTEMPTS_MAX: u32 = 5;
/// Wait after the first fruitless attempt; doubled after each.
const BACKOFF: Duration = Duration::from_millis(500);
/// Bytes read at once when a file is hashed.
const HASH_BUFFER_BYTES: usize = 256 * 1024;
/// Most of a refusal's body that is read.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

/// A file that is now here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Downloaded {
    /// Of which table.
    pub(super) table: String,
    /// Where.
    pub(super) path: PathBuf,
    /// Its size.
    pub(super) size_bytes: u64,
    /// It was complete before.
    pub(super) kept: bool,
}

struct Wanted {
    table: String,
    file: RemoteFile,
    path: PathBuf,
}

/// Downloads all files of the tables to `out`.
pub(super) async fn tables(http: &Outbound, profile: &Profile, tables: &[String], out: &Path, progress: bool) -> Result<Vec<Downloaded>> {
    let mut listed = Vec::new();
    for table in tables {
        listed.push((table.clone(), listing::files(http, profile, table).await?));
    }
    let wanted = places(listed, out)?;
    let total = wanted
        .iter()
        .try_fold(0u64, |sum, w| sum.checked_add(w.file.size))
        .ok_or_else(|| Failure::new(Code::PeerAnsweredBadly, "The provider claims files of impossible sizes."))?;
    prepare(&wanted, total)?;
    let bar = if progress { progress_bar(total) } else { ProgressBar::hidden() };
    let mut done = Vec::new();
    for item in wanted {
        bar.set_message(show::short(&item.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(), 28));
        let before: u64 = done.iter().map(|d: &Downloaded| d.size_bytes).sum();
        let kept = one(http, profile, &item, &|bytes| bar.set_position(before + bytes)).await?;
        bar.set_position(before + item.file.size);
        done.push(Downloaded { table: item.table, path: item.path, size_bytes: item.file.size, kept });
    }
    bar.finish_and_clear();
    Ok(done)
}

/// Where each file goes: the folder `out` (a folder per table when there are several), or `out` itself.
fn places(listed: Vec<(String, Vec<RemoteFile>)>, out: &Path) -> Result<Vec<Wanted>> {
    let files: usize = listed.iter().map(|(_, files)| files.len()).sum();
    let single = out.extension().is_some_and(|e| e.eq_ignore_ascii_case(&ENDING[1..])) && !out.is_dir();
    if single && files != 1 {
        return Err(Failure::new(
            Code::Invalid,
            format!(
                "The table has {files} files; give a folder instead of {}, for example --out {}.",
                out.display(),
                out.with_extension("").display()
            ),
        ));
    }
    let several = listed.len() > 1;
    let mut folders = HashSet::new();
    let mut wanted = Vec::new();
    for (t, (table, files)) in listed.into_iter().enumerate() {
        let folder = if several {
            let name = safe_word(&table);
            let name = if name.is_empty() || !folders.insert(name.to_ascii_lowercase()) { format!("table-{t:05}") } else { name };
            out.join(name)
        } else {
            out.to_owned()
        };
        for (i, file) in files.into_iter().enumerate() {
            let path = if single { out.to_owned() } else { folder.join(part_name(i)) };
            wanted.push(Wanted { table: table.clone(), file, path });
        }
    }
    Ok(wanted)
}

fn prepare(wanted: &[Wanted], total: u64) -> Result<()> {
    let mut here = 0u64;
    let mut folder = Path::new(".");
    for item in wanted {
        if let Some(parent) = item.path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(|e| Failure::file("Cannot make the folder", parent, &e))?;
            folder = parent;
        }
        here = here.saturating_add(length(&item.path).or_else(|| length(&part_path(item))).unwrap_or(0));
    }
    // Where free space cannot be told, writing will tell.
    if let Ok(free) = free_bytes(folder) {
        let needed = total.saturating_sub(here);
        if needed > free {
            return Err(Failure::new(
                Code::TooLarge,
                format!("The data needs {} more, {} has {} free.", show::bytes(Some(needed)), folder.display(), show::bytes(Some(free))),
            ));
        }
    }
    Ok(())
}

fn length(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|m| m.len())
}

/// Named for the file's id too, so that a broken download of something else is not continued.
fn part_path(item: &Wanted) -> PathBuf {
    let id = hex::encode(&Sha256::digest(item.file.id.as_bytes())[..4]);
    let name = item.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    item.path.with_file_name(format!("{name}.{id}.part"))
}

/// What an attempt came to.
enum Attempt {
    /// All bytes are in the part file; the ETag, if one was given.
    Complete(Option<String>),
    /// Worth another attempt.
    Broken(Failure),
}

/// Makes sure that one file is here and whole. `true`: it was before.
async fn one(http: &Outbound, profile: &Profile, item: &Wanted, so_far: &dyn Fn(u64)) -> Result<bool> {
    let mut url = address(&item.file.url)?;
    if fs::symlink_metadata(&item.path).is_ok() {
        return if is_the_file(http, &url, item).await? {
            Ok(true)
        } else {
            Err(Failure::new(
                Code::Conflict,
                format!("{} is already here and is another file. Move it away, or choose another place.", item.path.display()),
            ))
        };
    }
    let part = part_path(item);
    let mut fruitless = 0;
    let mut renewed = false;
    let etag = loop {
        let before = length(&part).unwrap_or(0);
        match attempt(http, &url, item.file.size, &part, so_far).await {
            Ok(Attempt::Complete(etag)) => break etag,
            // The address has a short life of its own: ask once for a fresh one.
            Err(e) if e.problem.code == Code::AccessEnded.as_str() && !renewed => {
                renewed = true;
                let files = listing::files(http, profile, &item.table).await?;
                let Some(again) = files.into_iter().find(|f| f.id == item.file.id && f.size == item.file.size) else { return Err(e) };
                url = address(&again.url)?;
            }
            Err(e) => return Err(e),
            Ok(Attempt::Broken(e)) => {
                let gained = length(&part).unwrap_or(0) > before;
                fruitless = if gained { 0 } else { fruitless + 1 };
                if fruitless >= FRUITLESS_ATTEMPTS_MAX {
                    return Err(e);
                }
                if fruitless > 0 {
                    tokio::time::sleep(BACKOFF * 2u32.pow(fruitless - 1)).await;
                }
            }
        }
    };
    if let Some(expected) = etag.as_deref().and_then(sha256_of_etag) {
        let found = hash(&part).map_err(|e| Failure::file("Cannot read", &part, &e))?;
        if found != expected {
            // Nothing of it can be trusted, so nothing of it is continued.
            fs::remove_file(&part).map_err(|e| Failure::file("Cannot remove", &part, &e))?;
            return Err(Failure::new(
                Code::PeerAnsweredBadly,
                format!(
                    "The bytes of {} are not those the provider announced. Fetch again; if it stays, tell the provider.",
                    item.path.display()
                ),
            ));
        }
    }
    fs::rename(&part, &item.path).map_err(|e| Failure::file("Cannot write", &item.path, &e))?;
    Ok(false)
}

/// Whether what is at the place is the file: the same size, and the same content where the provider names its hash.
async fn is_the_file(http: &Outbound, url: &Url, item: &Wanted) -> Result<bool> {
    if length(&item.path) != Some(item.file.size) {
        return Ok(false);
    }
    let answer = http.send(OutRequest::new(Method::HEAD, url.clone())).await?;
    match answer.status.is_success().then(|| etag_of(&answer.headers)).flatten().as_deref().and_then(sha256_of_etag) {
        Some(expected) => Ok(hash(&item.path).map_err(|e| Failure::file("Cannot read", &item.path, &e))? == expected),
        // An object store may sign addresses for GET alone.
        None => Ok(true),
    }
}

/// One GET from where the part file ends.
async fn attempt(http: &Outbound, url: &Url, size: u64, part: &Path, so_far: &dyn Fn(u64)) -> Result<Attempt> {
    let cannot_write = |e: &io::Error| Failure::file("Cannot write", part, e);
    let mut file = OpenOptions::new().append(true).create(true).open(part).map_err(|e| cannot_write(&e))?;
    let mut have = file.metadata().map_err(|e| cannot_write(&e))?.len();
    // A whole part file is fetched again from its last byte: the answer also brings the ETag to check it by.
    let ask_from = if have > size { 0 } else { have.min(size.saturating_sub(1)) };
    if have != ask_from {
        file.set_len(ask_from).map_err(|e| cannot_write(&e))?;
        have = ask_from;
    }
    let request = OutRequest::get(url.clone()).with_range_from(have).with_limit(size);
    let mut stream = match http.open(request).await {
        Ok(stream) => stream,
        Err(e) if e.code() == Code::PeerUnreachable => return Ok(Attempt::Broken(e.into())),
        Err(e) => return Err(e.into()),
    };
    match stream.status {
        StatusCode::OK => {
            file.set_len(0).map_err(|e| cannot_write(&e))?;
            have = 0;
        }
        StatusCode::PARTIAL_CONTENT if continues_at(&stream.headers, have, size) => {}
        StatusCode::PARTIAL_CONTENT => {
            return Err(Failure::new(Code::PeerAnsweredBadly, "The provider sent another part of the file than was asked for."));
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            file.set_len(0).map_err(|e| cannot_write(&e))?;
            return Ok(Attempt::Broken(Failure::new(Code::PeerAnsweredBadly, "The provider's file is shorter than it said.")));
        }
        status => {
            let failure = listing::refused(status, &refusal_body(&mut stream).await);
            let later = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            return if later { Ok(Attempt::Broken(failure)) } else { Err(failure) };
        }
    }
    let etag = etag_of(&stream.headers);
    loop {
        match stream.chunk().await {
            Ok(Some(piece)) => {
                have += piece.len() as u64;
                if have > size {
                    return Err(Failure::new(Code::PeerAnsweredBadly, "The provider sent more than the size it gave for the file."));
                }
                file.write_all(&piece).map_err(|e| cannot_write(&e))?;
                so_far(have);
            }
            Ok(None) if have == size => {
                file.sync_all().map_err(|e| cannot_write(&e))?;
                return Ok(Attempt::Complete(etag));
            }
            Ok(None) => {
                return Ok(Attempt::Broken(Failure::new(
                    Code::PeerUnreachable,
                    format!("The provider ended the file after {have} of {size} bytes."),
                )));
            }
            Err(e) if e.code() == Code::PeerUnreachable => return Ok(Attempt::Broken(e.into())),
            Err(e) => return Err(e.into()),
        }
    }
}

async fn refusal_body(stream: &mut OutStream) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = stream.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > REFUSAL_BYTES_MAX {
            break;
        }
    }
    body
}

/// `Content-Range: bytes {from}-{size - 1}/{size}`.
fn continues_at(headers: &HeaderMap, from: u64, size: u64) -> bool {
    let Some(range) = headers.get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok()) else { return false };
    let expected = format!("bytes {from}-{}/", size.saturating_sub(1));
    range.strip_prefix(expected.as_str()).is_some_and(|total| total == "*" || total == size.to_string())
}

fn etag_of(headers: &HeaderMap) -> Option<String> {
    headers.get(header::ETAG).and_then(|v| v.to_str().ok()).map(str::to_owned)
}

/// The hash in a strong ETag `"sha256-<64 hex digits>"`, lower case.
fn sha256_of_etag(etag: &str) -> Option<String> {
    let hex = etag.strip_prefix("\"sha256-")?.strip_suffix('"')?;
    (hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())).then(|| hex.to_ascii_lowercase())
}

fn hash(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; HASH_BUFFER_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn address(text: &str) -> Result<Url> {
    Url::parse(text).map_err(|_| Failure::new(Code::PeerAnsweredBadly, "The provider gave an address that is none."))
}

fn progress_bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{msg:28!} {bar:24} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}") {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::NetworkRule;
    use axum::{
        Router,
        body::Body,
        extract::State,
        response::{IntoResponse, Response},
        routing,
    };
    use futures::StreamExt;
    use serde_json::json;
    use std::sync::{Arc, Mutex};

    /// How the provider of these tests behaves.
    #[derive(Default)]
    struct Provider {
        content: Vec<u8>,
        /// Cut the connection after so many bytes, for as many answers as there are entries.
        cuts: Vec<usize>,
        /// Refuse the file's first address.
        expired: bool,
        /// Announce this hash instead of the true one.
        wrong_hash: bool,
        ignore_range: bool,
        /// The `Range` of each GET, in order.
        ranges: Vec<Option<String>>,
        listings: usize,
        base: String,
    }

    type Shared = Arc<Mutex<Provider>>;

    async fn list(State(provider): State<Shared>, headers: HeaderMap) -> Response {
        let mut p = provider.lock().expect("lock");
        assert_eq!(headers["authorization"], "Bearer fda_x");
        p.listings += 1;
        let schema = json!({"type": "struct", "fields": []}).to_string();
        let lines = [
            json!({"protocol": {"minReaderVersion": 1}}),
            json!({"metaData": {"id": "t", "format": {"provider": "parquet"}, "schemaString": schema, "partitionColumns": []}}),
            json!({"file": {"url": format!("{}/files/{}/part-00000.parquet", p.base, p.listings), "id": "f1", "partitionValues": {}, "size": p.content.len()}}),
            json!({"endStreamAction": {}}),
        ];
        lines.map(|l| format!("{l}\n")).concat().into_response()
    }

    async fn file(
        State(provider): State<Shared>,
        axum::extract::Path((listing, _)): axum::extract::Path<(usize, String)>,
        headers: HeaderMap,
    ) -> Response {
        let mut p = provider.lock().expect("lock");
        let range = headers.get("range").map(|r| r.to_str().expect("ascii").to_owned());
        p.ranges.push(range.clone());
        if p.expired && listing == 1 {
            return (StatusCode::FORBIDDEN, r#"{"errorCode":"EXPIRED","message":"The address has expired."}"#).into_response();
        }
        let from: usize = range.filter(|_| !p.ignore_range).map_or(0, |r| r["bytes=".len()..r.len() - 1].parse().expect("number"));
        let size = p.content.len();
        let hash = if p.wrong_hash { "0".repeat(64) } else { hex::encode(Sha256::digest(&p.content)) };
        let rest = p.content[from..].to_vec();
        let length = rest.len();
        let body = if p.cuts.is_empty() {
            Body::from(rest)
        } else {
            let cut = p.cuts.remove(0).min(length);
            let piece = rest[..cut].to_vec();
            // Between the piece and the break the server gets a turn to send what it has.
            let broken = futures::stream::once(async {
                tokio::task::yield_now().await;
                Err(io::Error::other("cut"))
            });
            Body::from_stream(futures::stream::once(async { Ok(piece) }).chain(broken))
        };
        let mut response = Response::new(body);
        let mut set = |name: &'static str, value: String| response.headers_mut().insert(name, value.parse().expect("header"));
        set("etag", format!("\"sha256-{hash}\""));
        set("content-length", length.to_string());
        if from > 0 {
            set("content-range", format!("bytes {from}-{}/{size}", size - 1));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        response
    }

    async fn serve(provider: Provider) -> (Shared, Outbound, Profile) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let base = format!("http://{}", listener.local_addr().expect("address"));
        let shared = Arc::new(Mutex::new(Provider { base: base.clone(), ..provider }));
        let app = Router::new()
            .route("/share/shares/s/schemas/d/tables/t/query", routing::post(list))
            .route("/files/{listing}/{name}", routing::get(file))
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let rule = NetworkRule { allow_private: false, allow_loopback: true, allow_http: false };
        (shared, Outbound::system(rule).expect("client"), Profile::new(&format!("{base}/share"), "fda_x", None))
    }

    async fn fetch(http: &Outbound, profile: &Profile, out: &Path) -> Result<Vec<Downloaded>> {
        tables(http, profile, &["s.d.t".to_owned()], out, false).await
    }

    fn content() -> Vec<u8> {
        (0..100_000u32).flat_map(u32::to_le_bytes).collect()
    }

    fn names(dir: &Path) -> Vec<String> {
        fs::read_dir(dir).expect("dir").map(|e| e.expect("entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[tokio::test]
    async fn a_download_cut_off_twice_goes_on_where_it_was() {
        let (provider, http, profile) = serve(Provider { content: content(), cuts: vec![70_000, 60_000], ..Provider::default() }).await;
        let dir = tempfile::tempdir().expect("dir");
        let got = fetch(&http, &profile, dir.path()).await.expect("fetched");
        let path = dir.path().join("part-00000.parquet");
        assert_eq!(got, [Downloaded { table: "s.d.t".into(), path: path.clone(), size_bytes: 400_000, kept: false }]);
        assert_eq!(fs::read(&path).expect("read"), content());
        assert_eq!(names(dir.path()), ["part-00000.parquet"], "the part file is gone");
        let ranges = provider.lock().expect("lock").ranges.clone();
        assert_eq!((ranges.len(), &ranges[0]), (3, &None));
        assert!(ranges[1..].iter().all(|r| r.as_deref().is_some_and(|r| r != "bytes=0-")), "{ranges:?}");
    }

    #[tokio::test]
    async fn a_second_run_continues_the_part_of_the_first_and_a_third_keeps_the_file() {
        let (provider, http, profile) = serve(Provider { content: content(), ..Provider::default() }).await;
        let dir = tempfile::tempdir().expect("dir");
        let item = Wanted {
            table: "s.d.t".into(),
            file: RemoteFile { url: String::new(), id: "f1".into(), size: 400_000, rows: None, expires_at_ms: None },
            path: dir.path().join("part-00000.parquet"),
        };
        fs::write(part_path(&item), &content()[..123_456]).expect("write");
        let first = fetch(&http, &profile, dir.path()).await.expect("fetched");
        assert_eq!(provider.lock().expect("lock").ranges, [Some("bytes=123456-".to_owned())]);
        assert_eq!(fs::read(&item.path).expect("read"), content());
        assert!(!first[0].kept);
        let second = fetch(&http, &profile, dir.path()).await.expect("kept");
        assert!(second[0].kept);
        // A whole part file is checked by fetching its last byte.
        fs::rename(&item.path, part_path(&item)).expect("rename");
        fetch(&http, &profile, dir.path()).await.expect("fetched");
        assert_eq!(provider.lock().expect("lock").ranges.last(), Some(&Some("bytes=399999-".to_owned())));
    }

    #[tokio::test]
    async fn a_provider_without_ranges_is_read_from_the_start() {
        let (_, http, profile) =
            serve(Provider { content: content(), cuts: vec![50_000], ignore_range: true, ..Provider::default() }).await;
        let dir = tempfile::tempdir().expect("dir");
        let out = dir.path().join("one.parquet");
        fetch(&http, &profile, &out).await.expect("fetched");
        assert_eq!(fs::read(&out).expect("read"), content());
    }

    #[tokio::test]
    async fn other_bytes_than_announced_are_thrown_away() {
        let (_, http, profile) = serve(Provider { content: content(), wrong_hash: true, ..Provider::default() }).await;
        let dir = tempfile::tempdir().expect("dir");
        let failed = fetch(&http, &profile, dir.path()).await.expect_err("wrong bytes");
        assert_eq!(failed.problem.code, "FDC-2007");
        assert!(names(dir.path()).is_empty());
    }

    #[tokio::test]
    async fn an_expired_address_is_renewed_once_and_a_strangers_file_is_not_overwritten() {
        let (provider, http, profile) = serve(Provider { content: content(), expired: true, ..Provider::default() }).await;
        let dir = tempfile::tempdir().expect("dir");
        fetch(&http, &profile, dir.path()).await.expect("fetched");
        assert_eq!(provider.lock().expect("lock").listings, 2);
        let path = dir.path().join("part-00000.parquet");
        for other in [b"mine".to_vec(), vec![7; 400_000]] {
            provider.lock().expect("lock").expired = false;
            fs::write(&path, &other).expect("write");
            assert_eq!(fetch(&http, &profile, dir.path()).await.expect_err("conflict").problem.code, "FDC-1005");
            assert_eq!(fs::read(&path).expect("read"), other);
        }
    }

    #[test]
    fn places_are_inside_the_folder_and_one_file_may_be_named() {
        let file = |url: &str| RemoteFile { url: url.into(), id: url.into(), size: 1, rows: None, expires_at_ms: None };
        let out = Path::new("/data/out");
        let two = vec![("a.b.c".to_owned(), vec![file("http://h/x.parquet"), file("http://h/../x.parquet")])];
        let paths: Vec<PathBuf> = places(two, out).expect("places").into_iter().map(|w| w.path).collect();
        assert_eq!(paths, [out.join("part-00000.parquet"), out.join("part-00001.parquet")]);
        let tables = vec![("../up".to_owned(), vec![file("http://h/x.parquet")]), ("..".to_owned(), vec![file("http://h/x.parquet")])];
        let paths: Vec<PathBuf> = places(tables, out).expect("places").into_iter().map(|w| w.path).collect();
        assert_eq!(paths, [out.join("_up/part-00000.parquet"), out.join("table-00001/part-00000.parquet")]);
        let named = Path::new("/data/one.parquet");
        assert_eq!(places(vec![("t".to_owned(), vec![file("http://h/x")])], named).expect("one")[0].path, named);
        assert!(places(vec![("t".to_owned(), vec![file("http://h/x"), file("http://h/y")])], named).is_err());
    }

    #[test]
    fn headers_are_read_strictly() {
        let range = |text: &str| HeaderMap::from_iter([(header::CONTENT_RANGE, text.parse().expect("header"))]);
        assert!(continues_at(&range("bytes 5-9/10"), 5, 10) && continues_at(&range("bytes 5-9/*"), 5, 10));
        for bad in ["bytes 4-9/10", "bytes 5-8/10", "bytes 5-9/11", "bytes */10", "5-9/10"] {
            assert!(!continues_at(&range(bad), 5, 10), "{bad}");
        }
        let digest = "AB".repeat(32);
        assert_eq!(sha256_of_etag(&format!("\"sha256-{digest}\"")), Some(digest.to_lowercase()));
        for bad in ["\"sha256-ab\"", "W/\"sha256-00\"", "\"abc\"", ""] {
            assert_eq!(sha256_of_etag(bad), None);
        }
    }
}
