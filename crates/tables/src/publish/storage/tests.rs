//! Against a small server of our own that speaks as much S3 as reading needs, and misbehaves on demand.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use url::Url;

use super::*;
use crate::publish::{
    DataFile, Previous, PublishOptions, PublishedTable, TableSource,
    fixtures::{read, sample_parquet},
    publish_table,
};

/// How the server treats a request for an object.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Manner {
    Well,
    /// Fails so many times, then is fine.
    Fails(usize),
    Forbids(&'static str),
    OtherRegion,
    /// Is something else than storage: answers everything with this status and page.
    Answers(&'static str, &'static str),
    /// Accepts and says nothing.
    Silent,
    /// Says how long the object is, and sends half.
    Stalls,
    /// Sends a byte now and then.
    Drips,
    /// Ends in the middle, so many times.
    CutsOff(usize),
    /// Has another object by the time it is read.
    Changes,
}

struct Shared {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    manner: Mutex<Manner>,
    requests: AtomicUsize,
    failures: AtomicUsize,
    gets: Mutex<Vec<String>>,
    unsigned: AtomicBool,
}

struct Server {
    shared: Arc<Shared>,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            objects: Mutex::default(),
            manner: Mutex::new(Manner::Well),
            requests: 0.into(),
            failures: 0.into(),
            gets: Mutex::default(),
            unsigned: false.into(),
        });
        let theirs = Arc::clone(&shared);
        // Ends with the process: it holds nothing.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&theirs);
                // A client that goes away is what is tested.
                thread::spawn(move || drop(answer(&shared, stream)));
            }
        });
        Self { shared, port }
    }

    fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        self.shared.objects.lock().unwrap().insert(key.into(), bytes.into());
    }

    /// Puts all files below a folder.
    fn put_folder(&self, prefix: &str, dir: &Path) {
        for entry in walkdir::WalkDir::new(dir).into_iter().map(Result::unwrap).filter(|e| e.file_type().is_file()) {
            let name = entry.path().strip_prefix(dir).unwrap().to_str().unwrap();
            self.put(&format!("{prefix}/{name}"), fs::read(entry.path()).unwrap());
        }
    }

    fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
        self.shared.failures.store(0, Ordering::SeqCst);
        self.shared.gets.lock().unwrap().clear();
    }

    fn storage(&self) -> Storage {
        let short = Duration::from_millis(400);
        Storage {
            endpoint: Some(format!("http://127.0.0.1:{}", self.port)),
            region: "cn-east-1".into(),
            bucket: "lake".into(),
            path_style: true,
            allow_http: true,
            credentials: Some(StorageCredentials {
                access_key: "AK".into(),
                secret_key: "very-secret".into(),
                session_token: Some("tok-secret".into()),
            }),
            connector: None,
            patience: Patience {
                connect: short,
                request: short,
                idle: short,
                slow: short,
                min_rate: 1_000_000,
                retries: 2,
                first_pause: Duration::from_millis(5),
            },
        }
    }

    fn publish(&self, paths: &[&str], out: &Path, options: &PublishOptions) -> Result<PublishedTable, TablesError> {
        let source = TableSource::ObjectStore { storage: self.storage().into(), paths: paths.iter().map(|p| (*p).to_owned()).collect() };
        let result = publish_table(&source, out, options, &mut |_| ());
        if result.is_err() {
            let left =
                out.parent().unwrap().read_dir().unwrap().filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
            assert_eq!(left.count(), 0, "an error leaves nothing");
        }
        result
    }
}

/// Reads one request and answers it.
fn answer(shared: &Shared, stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let header = |name: &str| {
        lines.iter().skip(1).find_map(|l| l.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned()))
    };
    if header("authorization").is_none() {
        shared.unsigned.store(true, Ordering::SeqCst);
    }
    let mut words = lines[0].split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let url = Url::parse(&format!("http://h{target}")).unwrap();
    let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let path = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy().into_owned();
    let key = path.trim_start_matches("/lake").trim_start_matches('/').to_owned();
    let mut out = stream;
    let objects = shared.objects.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let manner = *shared.manner.lock().unwrap_or_else(PoisonError::into_inner);
    let error = |out: &mut TcpStream, status: &str, code: &str| {
        let body = if method == "HEAD" { String::new() } else { format!("<Error><Code>{code}</Code><Message>no</Message></Error>") };
        write!(out, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    };
    match manner {
        Manner::Forbids(code) => return error(&mut out, "403 Forbidden", code),
        Manner::OtherRegion => return error(&mut out, "400 Bad Request", "AuthorizationHeaderMalformed"),
        Manner::Answers(status, body) => {
            return write!(out, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        }
        Manner::Silent => return reader.read(&mut [0]).map(|_| ()),
        Manner::Fails(times) if shared.failures.fetch_add(1, Ordering::SeqCst) < times => {
            return error(&mut out, "503 Slow Down", "SlowDown");
        }
        _ => (),
    }
    if query.contains_key("list-type") {
        let prefix = query.get("prefix").cloned().unwrap_or_default();
        let after = query.get("continuation-token").cloned().unwrap_or_default();
        // Two at a time, so that there are pages.
        let found: Vec<(&String, &Vec<u8>)> = objects.iter().filter(|(k, _)| k.starts_with(&prefix) && **k > after).take(3).collect();
        let more = found.len() > 2;
        let escaped = |key: &str| key.replace('&', "&amp;").replace('<', "&lt;");
        let contents: String = found.iter().take(2).map(|(k, v)| {
            let key = k.replace('&', "&amp;").replace('<', "&lt;");
            format!("<Contents><Key>{key}</Key><Size>{}</Size><ETag>\"{}\"</ETag><LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>", v.len(), etag(v))
        }).collect();
        let token = if more { format!("<NextContinuationToken>{}</NextContinuationToken>", escaped(found[1].0)) } else { String::new() };
        let body = format!("<ListBucketResult><Name>lake</Name><IsTruncated>{more}</IsTruncated>{token}{contents}</ListBucketResult>");
        return write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    }
    let Some(bytes) = objects.get(&key) else { return error(&mut out, "404 Not Found", "NoSuchKey") };
    let mut tag = format!("\"{}\"", etag(bytes));
    let reading = method == "GET";
    if reading {
        shared.gets.lock().unwrap_or_else(PoisonError::into_inner).push(key);
        if manner == Manner::Changes {
            tag = "\"other\"".into();
        }
        if header("if-match").is_some_and(|wanted| wanted != tag) {
            return error(&mut out, "412 Precondition Failed", "PreconditionFailed");
        }
    }
    let range = header("range").and_then(|r| {
        let (from, to) = r.strip_prefix("bytes=")?.split_once('-')?;
        Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok().map_or(bytes.len(), |t| (t + 1).min(bytes.len()))))
    });
    let (status, part, place) = match range {
        Some((from, to)) => {
            ("206 Partial Content", &bytes[from..to], format!("Content-Range: bytes {from}-{}/{}\r\n", to - 1, bytes.len()))
        }
        None => ("200 OK", bytes.as_slice(), String::new()),
    };
    write!(
        out,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{place}ETag: {tag}\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nConnection: close\r\n\r\n",
        part.len()
    )?;
    if !reading {
        return Ok(());
    }
    match manner {
        Manner::Stalls => {
            out.write_all(&part[..part.len() / 2])?;
            reader.read(&mut [0]).map(|_| ())
        }
        Manner::Drips => {
            let (_keep, never) = mpsc::channel::<()>();
            for byte in part {
                out.write_all(&[*byte])?;
                let _ = never.recv_timeout(Duration::from_millis(20));
            }
            Ok(())
        }
        Manner::CutsOff(times) if shared.failures.fetch_add(1, Ordering::SeqCst) < times => out.write_all(&part[..part.len() / 2]),
        _ => out.write_all(part),
    }
}

fn etag(bytes: &[u8]) -> String {
    hex::encode(&aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref()[..8])
}

fn sample() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.parquet");
    sample_parquet(&path);
    fs::read(path).unwrap()
}

#[test]
fn objects_and_prefixes_are_published() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    for name in ["b c+%2F&.parquet", "a.parquet", "_SUCCESS", ".x.csv", "notes.txt", "名.parquet"] {
        server.put(&format!("in/{name}"), sample());
    }
    server.put("in/notes.txt", "text");
    server.put("in2/other.parquet", sample());
    server.storage().check().unwrap();
    let out = dir.path().join("out");
    let mut seen = Vec::new();
    let source = TableSource::ObjectStore { storage: server.storage().into(), paths: vec!["in/".into()] };
    let table = publish_table(&source, &out, &PublishOptions::default(), &mut |p| seen.push(p)).unwrap();
    assert_eq!((table.files.len(), table.rows), (3, 1_500));
    assert_eq!(fs::read(out.join("part-00000.parquet")).unwrap(), sample());
    assert_eq!(fs::read_dir(&out).unwrap().count(), 3);
    let last = seen.iter().rfind(|p| p.phase == crate::publish::Phase::Fetching).unwrap();
    assert_eq!((last.done, last.total, last.files_done), (3 * sample().len() as u64, 3 * sample().len() as u64, 3));
    assert!(!server.shared.unsigned.load(Ordering::SeqCst));
    // CSV and Parquet by their keys; messages speak of the objects.
    server.put("t/x.csv", "a,b\n1\n");
    let error = server.publish(&["t/x.csv"], &dir.path().join("o2"), &PublishOptions::default()).unwrap_err();
    assert!(error.to_string().starts_with("t/x.csv, line 2"), "{error}");
    server.put("t/x.csv", "a,b\n1,2\n");
    let table = server.publish(&["t/x.csv"], &dir.path().join("o2"), &PublishOptions::default()).unwrap();
    assert_eq!(table.rows, 1);
    for (paths, kind) in [
        (vec!["nothing"], "storage-missing"),
        (vec!["in/a.parquet", "in"], "bad-source"),
        (vec![""], "bad-source"),
        (vec![], "empty"),
        (vec!["in/../t/x.csv"], "storage-failed"),
        (vec!["in/notes.txt"], "bad-source"),
    ] {
        let error = server.publish(&paths, &dir.path().join("o3"), &PublishOptions::default()).unwrap_err();
        assert_eq!(error.kind(), kind, "{paths:?}: {error}");
        assert!(!error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
    }
    // Without keys nothing is signed, and nothing is looked for.
    server.storage().check().unwrap();
    let public = Storage { credentials: None, ..server.storage() };
    public.check().unwrap();
    assert!(server.shared.unsigned.load(Ordering::SeqCst));
    let shown = format!("{:?}", server.storage());
    assert!(shown.contains("AK") && !shown.contains("secret\""), "{shown}");
    assert!(!shown.contains("very-secret") && !shown.contains("tok-secret"));
}

#[test]
fn what_is_no_storage_is_not_taken_for_one() {
    let server = Server::start();
    let html = "<!DOCTYPE html><html><body><p>It works!</p></body></html>";
    for (status, page, kind, words) in [
        ("200 OK", html, "storage-failed", "no S3 storage"),
        ("200 OK", "<rss><channel/></rss>", "storage-failed", "no S3 storage"),
        ("200 OK", "{\"status\": \"ok\"}", "storage-failed", "no S3 storage"),
        ("200 OK", "", "storage-failed", "no S3 storage"),
        ("404 Not Found", html, "storage-missing", "no S3 storage"),
        ("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>", "storage-missing", "no such bucket (NoSuchBucket)"),
    ] {
        server.behave(Manner::Answers(status, page));
        let before = server.shared.requests.load(Ordering::SeqCst);
        let error = server.storage().check().unwrap_err();
        assert_eq!(error.kind(), kind, "{page}: {error}");
        assert!(error.to_string().contains(words), "{page}: {error}");
        assert_eq!(server.shared.requests.load(Ordering::SeqCst), before + 1, "asking again does not help");
    }
    server.behave(Manner::Well);
    server.storage().check().unwrap();
}

#[test]
fn a_service_in_trouble_is_borne_or_given_up() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    server.put("a.parquet", sample());
    let mut n = 0;
    let mut publish = |manner| {
        n += 1;
        server.behave(manner);
        server.publish(&["a.parquet"], &dir.path().join(format!("out-{n}")), &PublishOptions::default())
    };
    let mut kind = |manner| publish(manner).map_or_else(|e| (e.kind(), e.to_string()), |t| ("fine", t.rows.to_string()));
    assert_eq!(kind(Manner::Fails(2)).0, "fine");
    assert_eq!(kind(Manner::CutsOff(1)).0, "fine");
    let cases = [
        (Manner::Fails(usize::MAX), "storage-failed", "SlowDown"),
        (Manner::CutsOff(usize::MAX), "storage-failed", "failed"),
        (Manner::Forbids("SignatureDoesNotMatch"), "storage-refused", "secret key is wrong"),
        (Manner::Forbids("AccessDenied"), "storage-refused", "AccessDenied"),
        (Manner::OtherRegion, "storage-refused", "region"),
        (Manner::Silent, "storage-slow", "in time"),
        (Manner::Stalls, "storage-slow", "nothing arrived"),
        (Manner::Drips, "storage-slow", "slower than 1000000 bytes"),
        (Manner::Changes, "storage-changed", "changed while it was read"),
    ];
    for (manner, expected, words) in cases {
        let (found, text) = kind(manner);
        assert_eq!(found, expected, "{manner:?}: {text}");
        assert!(text.contains(words) && !text.contains("very-secret"), "{manner:?}: {text}");
    }
    server.behave(Manner::Forbids("InvalidAccessKeyId"));
    assert!(server.storage().check().unwrap_err().to_string().contains("access key is not known"));
    server.behave(Manner::Silent);
    assert_eq!(server.storage().check().unwrap_err().kind(), "storage-slow");

    let other = |change: &dyn Fn(&mut Storage)| {
        let mut storage = server.storage();
        change(&mut storage);
        let error = storage.check().unwrap_err();
        (error.kind(), error.to_string())
    };
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(other(&|s| s.endpoint = Some(format!("http://127.0.0.1:{free}"))).0, "storage-unreachable");
    assert_eq!(other(&|s| s.endpoint = Some("https://no-such-host.invalid".into())).0, "storage-unreachable");
    // TLS with a server that does not speak it.
    let (kind, text) = other(&|s| s.endpoint = Some(format!("https://127.0.0.1:{}", server.port)));
    assert!(["storage-unreachable", "storage-slow"].contains(&kind), "{text}");
    for endpoint in ["127.0.0.1", "ftp://h", "http://u:p@h"] {
        assert_eq!(other(&|s| s.endpoint = Some(endpoint.into())).0, "storage-unreachable", "{endpoint}");
    }
    let (kind, text) = other(&|s| s.allow_http = false);
    assert!(kind == "storage-unreachable" && text.contains("TLS"), "{text}");
}

#[test]
fn a_fetch_is_cancelled() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    server.put("a.parquet", sample());
    server.behave(Manner::Stalls);
    let options = PublishOptions::default();
    let mut storage = server.storage();
    storage.patience.idle = Duration::from_hours(1);
    let source = TableSource::ObjectStore { storage: storage.into(), paths: vec!["a.parquet".into()] };
    let error = publish_table(&source, &dir.path().join("out"), &options, &mut |_| options.cancel.store(true, Ordering::Relaxed));
    assert_eq!(error.unwrap_err().kind(), "cancelled");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Connections go through what the caller hands in, and nowhere else.
#[test]
fn the_callers_connector_is_asked() {
    #[derive(Debug)]
    struct Refusing;
    impl HttpConnector for Refusing {
        fn connect(&self, _: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
            Ok(HttpClient::new(Refusing))
        }
    }
    impl HttpService for Refusing {
        fn call<'a, 'b>(&'a self, _: HttpRequest) -> std::pin::Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
        where
            'a: 'b,
            Self: 'b,
        {
            let error = std::io::Error::other("a private address");
            Box::pin(std::future::ready(Err(HttpError::new(HttpErrorKind::Connect, error))))
        }
    }
    let server = Server::start();
    let storage = Storage { connector: Some(Arc::new(Refusing)), ..server.storage() };
    let error = storage.check().unwrap_err();
    assert_eq!(error.kind(), "storage-unreachable");
    assert!(error.to_string().contains("a private address"), "{error}");
    assert_eq!(server.shared.requests.load(Ordering::SeqCst), 0);
}

#[test]
fn a_delta_table_is_published_from_storage_and_followed() {
    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    let lake = dir.path().join("lake");
    fs::create_dir_all(lake.join("_delta_log")).unwrap();
    let bytes = sample();
    let add = |path: &str, time: u64| {
        fs::create_dir_all(lake.join(path).parent().unwrap()).unwrap();
        fs::write(lake.join(path), &bytes).unwrap();
        format!(
            r#"{{"add":{{"path":"{}","partitionValues":{{"p":"x"}},"size":{},"modificationTime":{time},"dataChange":true}}}}"#,
            path.replace(' ', "%20"),
            bytes.len()
        )
    };
    let schema = r#"{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}},{\"name\":\"p\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}}]}"#;
    let head = format!(
        r#"{{"protocol":{{"minReaderVersion":1,"minWriterVersion":2}}}}
{{"metaData":{{"id":"a","format":{{"provider":"parquet","options":{{}}}},"schemaString":"{schema}","partitionColumns":["p"],"configuration":{{}}}}}}"#
    );
    let commit = |v: u64, text: String| fs::write(lake.join(format!("_delta_log/{v:020}.json")), text).unwrap();
    commit(0, format!("{head}\n{}\n{}\n", add("p=x y/1.parquet", 1), add("2.parquet", 2)));
    commit(1, add("3.parquet", 3));
    server.put_folder("deep/lake", &lake);
    server.put("deep/lake2/x.parquet", "not ours");
    let first_out = dir.path().join("first");
    let at = PublishOptions { delta_version: Some(0), ..PublishOptions::default() };
    let first = server.publish(&["deep/lake"], &first_out, &at).unwrap();
    assert_eq!((first.files.len(), first.rows, first.delta_version), (2, 1_000, Some(0)));
    assert_eq!(read(&first_out.join("part-00000.parquet")).num_columns(), 2);
    // The next version fetches what is new, and its log.
    server.behave(Manner::Well);
    let previous = Some(Previous { dir: first_out.clone(), files: first.files.clone() });
    let second =
        server.publish(&["deep/lake/"], &dir.path().join("second"), &PublishOptions { previous, ..PublishOptions::default() }).unwrap();
    assert_eq!((second.files.len(), second.delta_version), (3, Some(1)));
    assert_eq!(second.files[..2], first.files[..]);
    let fetched: Vec<String> = server.shared.gets.lock().unwrap().iter().filter(|k| k.ends_with("parquet")).cloned().collect();
    assert_eq!(fetched, ["deep/lake/3.parquet"]);
    assert_eq!(fs::read_dir(dir.path().join("second")).unwrap().count(), 4);
    let hidden = |f: &DataFile| f.path.is_some();
    assert!(!second.files.iter().any(hidden));
    // A file that is gone is named as the table's.
    server.shared.objects.lock().unwrap().remove("deep/lake/3.parquet");
    let error = server.publish(&["deep/lake"], &dir.path().join("third"), &PublishOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "s3://lake/deep/lake: 3.parquet is missing; restore it (deleted by a VACUUM?) or publish another version"
    );
}
