//! From an address to a file, resumably: the bytes go into a part file that is continued by `Range` when the connection
//! breaks or the command is run again. They are hashed on their way to the disk, checked at the end, and only then take
//! their name. Tables and files are both fetched by this.

use super::super::failure::{Failure, Result};
use crate::{
    files::seal::HASH_BUFFER_BYTES,
    net::{OutRequest, OutStream, Outbound},
};
use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use fondaco_core::Code;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};
use tokio::sync::mpsc;
use url::Url;

/// Attempts in a row that bring nothing before a download is given up: half a minute. It can be continued later.
const FRUITLESS_ATTEMPTS_MAX: u32 = 8;
/// Wait after the first fruitless attempt; doubled after each.
const BACKOFF: Duration = Duration::from_millis(500);
/// Longest wait between attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(8);
/// How long the answer may take to begin: a provider hashes a large file again that it finds touched.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_mins(2);
/// Pieces between the connection and the disk. The client library reads up to 400 KiB at once.
const PIECES_AHEAD: usize = 2;
/// Bytes after which the disk is asked to begin: so that little is left to wait for at the end, and that a power failure
/// costs a download little of what it has.
const FLUSH_BYTES: u64 = 32 * 1024 * 1024;
/// Most of a refusal's body that is read.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

/// Looks whether a file is what it should be, and says what is wrong with it, to follow its name.
type Check = fn(&Path) -> std::result::Result<(), String>;

/// A file to get.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Where it goes.
    pub(super) path: PathBuf,
    /// Where it grows. In the same file system as `path`, and named so that only the same content continues it.
    pub(super) part: PathBuf,
    /// Bytes.
    pub(super) size: u64,
    /// SHA-256 in lower-case hex, where it was announced; else the answer's headers may tell.
    pub(super) sha256: Option<String>,
    /// What is checked of it instead where no hash is told; the error says what is wrong.
    pub(super) unhashed: Option<Check>,
}

/// What getting it came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pulled {
    /// Bytes that were here already, from an earlier run.
    pub(super) resumed: u64,
    /// Times the connection broke.
    pub(super) breaks: u32,
}

/// Makes sure that the file is at its place. `renew` gives a fresh address when the first has expired; `have` is told how
/// many bytes are here.
pub(super) async fn pull(
    http: &Outbound,
    mut url: Url,
    wanted: &Wanted,
    renew: impl AsyncFn() -> Result<Option<Url>>,
    have: &dyn Fn(u64),
) -> Result<Pulled> {
    let (part, announced) = (wanted.part.clone(), wanted.sha256.is_some());
    let size = wanted.size;
    let mut sink = on_disk(&wanted.part, move || Sink::open(&part, size, announced)).await?.ok_or_else(|| {
        let words = format!("Another fetch is writing {}. Wait for it, or fetch to another place.", wanted.path.display());
        Failure::new(Code::Conflict, words)
    })?;
    let mut pulled = Pulled { resumed: sink.at, breaks: 0 };
    have(sink.at);
    let mut told = Told::default();
    let (mut fruitless, mut renewed_at) = (0, None);
    while sink.at < size {
        let before = sink.at;
        let (after, outcome) = attempt(http, &url, wanted, sink, &mut told, have).await?;
        sink = after;
        match outcome {
            Ok(()) => break,
            Err(Stop::Broken(e)) => {
                pulled.breaks += 1;
                fruitless = if sink.at > before { 0 } else { fruitless + 1 };
                if fruitless >= FRUITLESS_ATTEMPTS_MAX {
                    return Err(e);
                }
                if fruitless > 0 {
                    tokio::time::sleep((BACKOFF * 2u32.pow(fruitless - 1)).min(BACKOFF_MAX)).await;
                }
            }
            // The address has a short life of its own: ask once for a fresh one, and again when that brought something.
            Err(Stop::Refused(e)) if e.problem.code == Code::AccessEnded.as_str() && renewed_at.is_none_or(|at| sink.at > at) => {
                renewed_at = Some(sink.at);
                let Some(fresh) = renew().await? else { return Err(e) };
                url = fresh;
            }
            Err(Stop::Refused(e)) => return Err(e),
        }
    }
    let expected = wanted.sha256.clone().or(told.sha256);
    let (part, path) = (wanted.part.clone(), wanted.path.clone());
    let check = wanted.unhashed.filter(|_| expected.is_none());
    on_disk(&wanted.path, move || sink.finish(&part, &path, expected.as_deref(), check)).await??;
    Ok(pulled)
}

/// What answers said of the file.
#[derive(Default)]
struct Told {
    etag: Option<HeaderValue>,
    sha256: Option<String>,
}

/// Why an attempt ended early.
enum Stop {
    /// Worth another.
    Broken(Failure),
    /// Not.
    Refused(Failure),
}

fn bad(words: impl Into<String>) -> Stop {
    Stop::Refused(Failure::new(Code::PeerAnsweredBadly, words))
}

/// One GET from where the part file ends. The outer error is about our own disk.
async fn attempt(
    http: &Outbound,
    url: &Url,
    wanted: &Wanted,
    mut sink: Sink,
    told: &mut Told,
    have: &dyn Fn(u64),
) -> Result<(Sink, std::result::Result<(), Stop>)> {
    let size = wanted.size;
    let mut request = OutRequest::get(url.clone()).with_range_from(sink.at).with_limit(size).with_timeout(FIRST_BYTE_TIMEOUT);
    if let Some(etag) = told.etag.clone().filter(|_| sink.at > 0) {
        request = request.with_header(header::IF_RANGE, etag);
    }
    let mut stream = match http.open(request).await {
        Ok(stream) => stream,
        Err(e) => return Ok((sink, Err(of(e)))),
    };
    match stream.status {
        StatusCode::OK => sink = on_disk(&wanted.part, move || sink.restart()).await?,
        StatusCode::PARTIAL_CONTENT if continues_at(&stream.headers, sink.at, size) => {}
        StatusCode::PARTIAL_CONTENT => return Ok((sink, Err(bad("The provider sent another part of the file than was asked for.")))),
        StatusCode::RANGE_NOT_SATISFIABLE => {
            sink = on_disk(&wanted.part, move || sink.restart()).await?;
            let e = Failure::new(Code::PeerAnsweredBadly, "The provider's file is shorter than it said.");
            return Ok((sink, Err(Stop::Broken(e))));
        }
        status => {
            let failure = super::listing::refused(status, &refusal_body(&mut stream).await);
            let later = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            return Ok((sink, Err(if later { Stop::Broken(failure) } else { Stop::Refused(failure) })));
        }
    }
    told.etag = stream.headers.get(header::ETAG).filter(|v| !v.as_bytes().starts_with(b"W/")).cloned();
    told.sha256 = sha256_of(&stream.headers).or_else(|| told.sha256.take());
    let mut at = sink.at;
    let (pieces, queue) = mpsc::channel::<Bytes>(PIECES_AHEAD);
    let writing = tokio::task::spawn_blocking(move || sink.take(queue));
    let outcome = loop {
        match stream.chunk().await {
            Ok(Some(piece)) => {
                at += piece.len() as u64;
                if at > size {
                    break Err(bad("The provider sent more than the size it gave for the file."));
                }
                if pieces.send(piece).await.is_err() {
                    // The disk failed; the writer says how.
                    break Ok(());
                }
                have(at);
            }
            Ok(None) if at == size => break Ok(()),
            Ok(None) => {
                let words = format!("The provider ended the file after {at} of {size} bytes.");
                break Err(Stop::Broken(Failure::new(Code::PeerUnreachable, words)));
            }
            Err(e) => break Err(of(e)),
        }
    };
    drop(pieces);
    let sink = joined(&wanted.part, writing.await)?;
    Ok((sink, outcome))
}

fn of(e: fondaco_core::Error) -> Stop {
    if e.code() == Code::PeerUnreachable { Stop::Broken(e.into()) } else { Stop::Refused(e.into()) }
}

fn joined<T>(path: &Path, done: std::result::Result<io::Result<T>, tokio::task::JoinError>) -> Result<T> {
    done.map_err(io::Error::other).and_then(|done| done).map_err(|e| Failure::file("Cannot write", path, &e))
}

/// Work on the disk, off the thread that reads the connection.
async fn on_disk<T: Send + 'static>(path: &Path, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    joined(path, tokio::task::spawn_blocking(work).await)
}

/// The part file of this run alone: two that wrote to one file would each find its own bytes right, and mix them.
fn locked(part: &Path) -> io::Result<Option<File>> {
    loop {
        let file = OpenOptions::new().read(true).append(true).create(true).open(part)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(e),
        }
        // Between opening and locking, the run before may have finished the file and given it its name.
        let ours = file.metadata()?;
        match fs::symlink_metadata(part) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => return Ok(Some(file)),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
}

/// The part file and the hash of what is in it.
struct Sink {
    /// Locked until it is closed.
    file: File,
    hash: Context,
    at: u64,
}

impl Sink {
    /// Opens a part file and hashes what it holds; nothing if another run is writing it. Where no hash was announced, the
    /// last byte is fetched again, because the answer brings it.
    fn open(part: &Path, size: u64, announced: bool) -> io::Result<Option<Self>> {
        let Some(mut file) = locked(part)? else { return Ok(None) };
        let mut hash = Context::new(&SHA256);
        let here = file.metadata()?.len();
        let keep = if here > size {
            0
        } else if announced {
            here
        } else {
            here.min(size.saturating_sub(1))
        };
        if keep != here {
            file.set_len(keep)?;
        }
        let mut buffer = vec![0; HASH_BUFFER_BYTES];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                n => hash.update(&buffer[..n]),
            }
        }
        Ok(Some(Self { file, hash, at: keep }))
    }

    /// From the beginning.
    fn restart(mut self) -> io::Result<Self> {
        self.file.set_len(0)?;
        self.hash = Context::new(&SHA256);
        self.at = 0;
        Ok(self)
    }

    /// Writes what comes until there is no more. Hashing, writing and the disk's own work go on side by side: together
    /// they need more than one processor has.
    fn take(mut self, mut queue: mpsc::Receiver<Bytes>) -> io::Result<Self> {
        let (written, hashed) = std::sync::mpsc::sync_channel::<Bytes>(PIECES_AHEAD);
        let (flush, flushed) = std::sync::mpsc::sync_channel::<()>(1);
        let Self { file, hash, at } = &mut self;
        let disk = file.try_clone()?;
        thread::scope(|threads| {
            let hashing = threads.spawn(move || hashed.iter().for_each(|piece| hash.update(&piece)));
            let flushing = threads.spawn(move || flushed.iter().try_for_each(|()| disk.sync_data()));
            let mut since = 0;
            let writing = std::iter::from_fn(|| queue.blocking_recv()).try_for_each(|piece| {
                file.write_all(&piece)?;
                *at += piece.len() as u64;
                since += piece.len() as u64;
                if since >= FLUSH_BYTES {
                    since = 0;
                    // The disk may still be busy with the last call: then it is asked again later.
                    let _ = flush.try_send(());
                }
                written.send(piece).map_err(io::Error::other)
            });
            drop((written, flush));
            let joined = |_| io::Error::other("a thread of the download panicked");
            hashing.join().map_err(joined)?;
            flushing.join().map_err(joined)??;
            writing
        })?;
        Ok(self)
    }

    /// Checks the hash, makes the file durable and gives it its name.
    fn finish(self, part: &Path, path: &Path, expected: Option<&str>, check: Option<Check>) -> io::Result<Result<()>> {
        if let Some(Err(why)) = check.map(|check| check(part)) {
            fs::remove_file(part)?;
            let words = format!("What the provider sent for {} {why}. Fetch again.", path.display());
            return Ok(Err(Failure::new(Code::PeerAnsweredBadly, words)));
        }
        let found = hex::encode(self.hash.finish());
        if expected.is_some_and(|expected| expected != found) {
            // Nothing of it can be trusted, so nothing of it is continued.
            fs::remove_file(part)?;
            return Ok(Err(Failure::new(
                Code::PeerAnsweredBadly,
                format!(
                    "The bytes of {} are not those the provider announced. Fetch again; if it stays, tell the provider.",
                    path.display()
                ),
            )));
        }
        self.file.sync_all()?;
        fs::rename(part, path)?;
        Ok(Ok(()))
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

/// The SHA-256 that an answer gives for the whole file, lower-case hex: `Repr-Digest` (RFC 9530), or a strong ETag that
/// is one.
pub(super) fn sha256_of(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let digest = text("repr-digest").and_then(|list| {
        let mut members = list.split(',').map(str::trim);
        let encoded = members.find_map(|m| m.strip_prefix("sha-256=:")?.strip_suffix(':'))?;
        STANDARD.decode(encoded).ok().filter(|d| d.len() == 32).map(hex::encode)
    });
    digest.or_else(|| {
        let tag = text("etag")?.strip_prefix('"')?.strip_suffix('"')?;
        let hex = tag.strip_prefix("sha256-").unwrap_or(tag);
        (hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())).then(|| hex.to_ascii_lowercase())
    })
}

/// The length of an ordinary file, if there is one.
pub(super) fn length(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|m| m.len())
}

/// SHA-256 of a file here.
pub(super) async fn hash(path: &Path) -> Result<String> {
    let place = path.to_owned();
    let hashed = tokio::task::spawn_blocking(move || crate::files::seal::sha256(File::open(place)?, |_| Ok(()))).await;
    hashed.map_err(io::Error::other).and_then(|h| h).map_err(|e| Failure::file("Cannot read", path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_file_is_written_by_one_run() {
        let dir = tempfile::tempdir().expect("dir");
        let part = dir.path().join("part");
        let first = Sink::open(&part, 10, true).expect("opens").expect("alone");
        assert!(Sink::open(&part, 10, true).expect("opens").is_none(), "while the first is at it");
        drop(first);
        assert!(Sink::open(&part, 10, true).expect("opens").is_some());
    }

    #[test]
    fn what_is_written_is_what_is_hashed() {
        let dir = tempfile::tempdir().expect("dir");
        let (part, path) = (dir.path().join("part"), dir.path().join("whole"));
        let pieces: Vec<Bytes> = (0..90u8).map(|n| Bytes::from(vec![n; 1 << 20])).collect();
        let size = pieces.iter().map(|p| p.len() as u64).sum::<u64>();
        assert!(size > 2 * FLUSH_BYTES, "the disk is asked more than once");
        let sink = Sink::open(&part, size, true).expect("opens").expect("alone");
        let (sender, queue) = mpsc::channel(PIECES_AHEAD);
        let sending = thread::spawn(move || pieces.into_iter().try_for_each(|piece| sender.blocking_send(piece)));
        let sink = sink.take(queue).expect("written");
        sending.join().expect("ends").expect("all sent");
        assert_eq!(sink.at, size);
        let found = crate::files::seal::sha256(File::open(&part).expect("opens"), |_| Ok(())).expect("reads");
        sink.finish(&part, &path, Some(&found), None).expect("written").expect("the same");
        assert_eq!(length(&path), Some(size));
    }

    #[test]
    fn headers_are_read_strictly() {
        let range = |text: &str| HeaderMap::from_iter([(header::CONTENT_RANGE, text.parse().expect("header"))]);
        assert!(continues_at(&range("bytes 5-9/10"), 5, 10) && continues_at(&range("bytes 5-9/*"), 5, 10));
        for bad in ["bytes 4-9/10", "bytes 5-8/10", "bytes 5-9/11", "bytes */10", "5-9/10"] {
            assert!(!continues_at(&range(bad), 5, 10), "{bad}");
        }
        let digest = "AB".repeat(32);
        let tag = |text: &str| sha256_of(&HeaderMap::from_iter([(header::ETAG, text.parse().expect("header"))]));
        assert_eq!(tag(&format!("\"sha256-{digest}\"")), Some(digest.to_lowercase()));
        assert_eq!(tag(&format!("\"{digest}\"")), Some(digest.to_lowercase()));
        for bad in ["\"sha256-ab\"", "W/\"sha256-00\"", "\"abc\"", ""] {
            assert_eq!(tag(bad), None);
        }
        let name = http::HeaderName::from_static("repr-digest");
        let repr = |text: &str| sha256_of(&HeaderMap::from_iter([(name.clone(), text.parse().expect("header"))]));
        let encoded = STANDARD.encode([0xab; 32]);
        assert_eq!(repr(&format!("sha-512=:AA==:, sha-256=:{encoded}:")), Some(digest.to_lowercase()));
        assert_eq!(repr("sha-256=:AA==:"), None);
    }
}
