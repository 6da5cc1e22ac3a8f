//! Downloading a table's files: numbered in the order of the table, each fetched resumably and checked for size and
//! (where the provider tells its SHA-256) for content.

use super::{
    super::{
        disk::free_bytes,
        failure::{Failure, Result},
        show,
    },
    file_name::{ENDING, part_name, safe_word},
    listing, progress_bar,
    pull::{self, length, pull, sha256_of},
};
use crate::net::{OutRequest, Outbound};
use fondaco_core::Code;
use fondaco_tables::{
    delta_sharing::client::{Profile, RemoteFile},
    governed::check_ends,
};
use http::Method;
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};
use url::Url;

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

/// Named for the file's id too, so that a broken download of something else is not continued.
fn part_path(item: &Wanted) -> PathBuf {
    let id = hex::encode(&Sha256::digest(item.file.id.as_bytes())[..4]);
    let name = item.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    item.path.with_file_name(format!("{name}.{id}.part"))
}

/// Makes sure that one file is here and whole. `true`: it was before.
async fn one(http: &Outbound, profile: &Profile, item: &Wanted, so_far: &dyn Fn(u64)) -> Result<bool> {
    let url = address(&item.file.url)?;
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
    let wanted =
        pull::Wanted { path: item.path.clone(), part: part_path(item), size: item.file.size, sha256: None, unhashed: Some(check_parquet) };
    let renew = async || {
        let files = listing::files(http, profile, &item.table).await?;
        let again = files.into_iter().find(|f| f.id == item.file.id && f.size == item.file.size);
        again.map(|f| address(&f.url)).transpose()
    };
    pull(http, url, &wanted, renew, so_far).await?;
    Ok(false)
}

/// Whether what is at the place is the file: the same size, and the same content where the provider names its hash.
async fn is_the_file(http: &Outbound, url: &Url, item: &Wanted) -> Result<bool> {
    if length(&item.path) != Some(item.file.size) {
        return Ok(false);
    }
    let answer = http.send(OutRequest::new(Method::HEAD, url.clone())).await?;
    match answer.status.is_success().then(|| sha256_of(&answer.headers)).flatten() {
        Some(expected) => Ok(pull::hash(&item.path).await? == expected),
        // An object store may sign addresses for GET alone, and a provider need not know the hash of what it puts together.
        None => {
            let path = item.path.clone();
            tokio::task::spawn_blocking(move || check_parquet(&path).is_ok()).await.map_err(|e| Failure::new(Code::Internal, e.to_string()))
        }
    }
}

/// What is checked of a file whose hash the provider does not tell: a Parquet file ends with what is in it, and where.
fn check_parquet(path: &Path) -> std::result::Result<(), String> {
    check_ends(path).map_err(|e| format!("is not a whole Parquet file: {e}"))
}

fn address(text: &str) -> Result<Url> {
    Url::parse(text).map_err(|_| Failure::new(Code::PeerAnsweredBadly, "The provider gave an address that is none."))
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
    use http::{HeaderMap, StatusCode};
    use serde_json::json;
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    /// How the provider of these tests behaves.
    #[derive(Default)]
    #[expect(clippy::struct_excessive_bools, reason = "each is one way to go wrong")]
    struct Provider {
        content: Vec<u8>,
        /// Cut the connection after so many bytes, for as many answers as there are entries.
        cuts: Vec<usize>,
        /// Refuse the file's first address.
        expired: bool,
        /// Announce this hash instead of the true one.
        wrong_hash: bool,
        /// Announce none.
        no_hash: bool,
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
        set("etag", if p.no_hash { "\"f1\"".to_owned() } else { format!("\"sha256-{hash}\"") });
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
    async fn without_a_hash_what_is_no_parquet_file_is_thrown_away() {
        let (_, http, profile) = serve(Provider { content: content(), no_hash: true, ..Provider::default() }).await;
        let dir = tempfile::tempdir().expect("dir");
        let failed = fetch(&http, &profile, dir.path()).await.expect_err("no Parquet");
        assert_eq!(failed.problem.code, "FDC-2007");
        assert!(names(dir.path()).is_empty());
        std::fs::write(dir.path().join("part-00000.parquet"), content()).expect("write");
        assert_eq!(fetch(&http, &profile, dir.path()).await.expect_err("another file").problem.code, "FDC-1005");
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
}
