//! Bodies of stored files over HTTP: conditions and ranges, only under the published hash, only while access is open.
//!
//! Both surfaces serve through here. Bytes are read ahead by one piece off the threads that answer, into buffers that are
//! used again; before a piece goes out, the gate and the file's seal are looked at.

use super::seal::{Expected, Keeper, Seal};
use crate::app::{
    App,
    access::Grant,
    gate::Watch,
    product_files::keeper,
    weighing::{Portion, Weight},
};
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use fondaco_core::{Error, Result, time::Clock};
use fondaco_store::ProductFile;
use fondaco_tables::serve::{self, ByteRange, Multipart, Plan, RequestHeaders, plan_response};
use futures::stream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    collections::VecDeque,
    fs::File,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::task::JoinHandle;

/// Bytes read and sent at a time: large enough for the disk, small enough that an ended access stops soon and that
/// memory stays flat.
const CHUNK_BYTES: usize = 512 * 1024;
/// Buffers kept for the next stream: those of four streams in full flow.
const BUFFERS_KEPT: usize = 16;
/// RFC 8187: what stays unescaped in an extended parameter.
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// A file as it is served.
#[derive(Clone, Debug)]
pub struct Stored<'a> {
    /// What it should be.
    pub file: &'a ProductFile,
    /// Where it lies.
    pub path: PathBuf,
    /// Its media type.
    pub media_type: &'a str,
    /// Whether browsers keep it as a file, under the last part of its name.
    pub attachment: bool,
    /// The query or the listing that led to it, which its rows count for once.
    pub query: &'a str,
    /// Its rows; 0 where there are none.
    pub rows: u64,
}

/// What is asked of a file.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// GET or HEAD.
    pub method: &'a Method,
    /// The request's headers.
    pub headers: &'a HeaderMap,
}

/// Answers a request for a file of the grant's product.
///
/// # Errors
/// [`fondaco_core::Code::DataDamaged`] when the stored bytes are not those that were published; the publisher is told.
/// [`fondaco_core::Code::PolicyDenied`] when the agreed volume has no room for what is asked for.
pub async fn respond(app: &App, grant: &Grant, stored: Stored<'_>, asked: Asked<'_>) -> Result<Response> {
    let product = &grant.product;
    let ProductFile { size, sha256, .. } = stored.file;
    let (size, etag) = (*size, serve::etag(sha256));
    let text = |name: HeaderName| asked.headers.get(name).and_then(|v| v.to_str().ok());
    let conditions = RequestHeaders {
        range: text(header::RANGE),
        if_range: text(header::IF_RANGE),
        if_none_match: text(header::IF_NONE_MATCH),
        if_match: text(header::IF_MATCH),
    };
    let is_head = asked.method == Method::HEAD;
    let plan = plan_response(if is_head { serve::Method::Head } else { serve::Method::Get }, conditions, &etag, size);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(plan.status()).map_err(Error::internal_failure)?;
    let map = response.headers_mut();
    map.insert(header::ETAG, value(&etag)?);
    map.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // The bytes under an address never change, but whether they may be had does: no cache may answer for us.
    map.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    // What strangers published must not run as a page of ours.
    map.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    map.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    let digest = hex::decode(sha256).map_err(Error::internal_failure)?;
    map.insert(HeaderName::from_static("repr-digest"), value(&format!("sha-256=:{}:", STANDARD.encode(digest)))?);
    if stored.attachment {
        map.insert(header::CONTENT_DISPOSITION, value(&disposition(&stored.file.name))?);
    }
    let mut pieces = VecDeque::new();
    match plan {
        Plan::Full => {
            map.insert(header::CONTENT_TYPE, value(stored.media_type)?);
            map.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
            if size > 0 {
                pieces.push_back(Piece::Range(ByteRange { start: 0, end: size - 1 }));
            }
        }
        Plan::Partial(ranges) if ranges.len() == 1 => {
            map.insert(header::CONTENT_TYPE, value(stored.media_type)?);
            map.insert(header::CONTENT_LENGTH, HeaderValue::from(ranges[0].length()));
            map.insert(header::CONTENT_RANGE, value(&ranges[0].content_range(size))?);
            pieces.push_back(Piece::Range(ranges[0]));
        }
        Plan::Partial(ranges) => {
            let multipart = Multipart::new(&ranges, size, stored.media_type, &etag);
            map.insert(header::CONTENT_TYPE, value(&multipart.content_type())?);
            map.insert(header::CONTENT_LENGTH, HeaderValue::from(multipart.content_length()));
            for (head, range) in multipart.parts() {
                pieces.push_back(Piece::Text(head.clone()));
                pieces.push_back(Piece::Range(*range));
            }
            pieces.push_back(Piece::Text(multipart.tail()));
        }
        Plan::NotSatisfiable => {
            map.insert(header::CONTENT_RANGE, value(&serve::unsatisfied_content_range(size))?);
            return Ok(response);
        }
        Plan::NotModified | Plan::PreconditionFailed => return Ok(response),
    }
    // A HEAD learns of damage too: it announces what a GET would bring.
    let seal = stored.file.seal.as_deref().map(Seal::from_stored);
    let keeper = keeper(stored.file);
    let expected = Expected { path: stored.path, size, sha256: sha256.clone(), keeper, seal };
    let intact = match app.verdicts.open(&expected, app.now()).await? {
        Ok(intact) => intact,
        Err(damage) => {
            app.product_damaged(product, stored.file, &damage).await?;
            return Err(damage.to_error(&expected.path));
        }
    };
    if intact.resealed {
        app.product_file_reseal(product, stored.file, Some(&intact.seal).filter(|_| intact.settled)).await?;
    }
    if is_head || pieces.is_empty() {
        return Ok(response);
    }
    let bytes = pieces.iter().map(Piece::weight).sum();
    let portion = Portion { query: stored.query, file: stored.file.file_id(), rows: stored.rows };
    let weight = app.weigh(grant, portion, bytes).await?;
    let source = Source { file: intact.file, keeper, seal: intact.seal };
    *response.body_mut() = body(source, pieces, weight, grant.watch.clone(), Arc::clone(&app.clock));
    Ok(response)
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(Error::internal_failure)
}

/// `Content-Disposition` (RFC 6266): the plain name for old readers, the true one in UTF-8.
fn disposition(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let plain: String =
        name.chars().map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' }).collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, ATTR_CHAR))
}

/// A part of the body.
enum Piece {
    /// Framing of a multipart answer.
    Text(String),
    /// Bytes of the file, both ends included.
    Range(ByteRange),
}

impl Piece {
    /// The bytes that are weighed: the file's.
    fn weight(&self) -> u64 {
        match self {
            Self::Text(_) => 0,
            Self::Range(range) => range.length(),
        }
    }
}

/// The open file, and the seal under which it was checked.
struct Source {
    file: File,
    keeper: Keeper,
    seal: Seal,
}

impl Source {
    /// The bytes from `at`, exactly `want` of them.
    fn read(&self, at: u64, want: usize) -> io::Result<Bytes> {
        let mut buffer = buffer();
        while buffer.len() < want {
            let from = at + buffer.len() as u64;
            match rustix::io::pread(&self.file, rustix::buffer::spare_capacity(&mut buffer), from) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter")),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        buffer.truncate(want);
        if !self.seal.holds(&self.file.metadata()?, self.keeper) {
            return Err(io::Error::other("the file changed while it was sent"));
        }
        Ok(Bytes::from_owner(Pooled(buffer)))
    }
}

/// Buffers of this process that no stream uses right now.
static BUFFERS: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// An empty buffer with room for [`CHUNK_BYTES`].
fn buffer() -> Vec<u8> {
    let kept = BUFFERS.lock().unwrap_or_else(PoisonError::into_inner).pop();
    kept.unwrap_or_else(|| Vec::with_capacity(CHUNK_BYTES))
}

/// A buffer that goes back when its bytes were sent.
struct Pooled(Vec<u8>);

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        buffer.clear();
        let mut kept = BUFFERS.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < BUFFERS_KEPT {
            kept.push(buffer);
        }
    }
}

struct Flow {
    source: Arc<Source>,
    pieces: VecDeque<Piece>,
    /// What is left of the range being read.
    rest: Option<ByteRange>,
    /// The piece being read.
    ahead: Option<JoinHandle<io::Result<Bytes>>>,
    weight: Weight,
    watch: Watch,
    clock: Arc<dyn Clock>,
}

/// The body: each piece goes out only while access is open. A closed gate ends the connection short of the announced
/// length, which every client takes for the failure it is.
fn body(source: Source, pieces: VecDeque<Piece>, weight: Weight, watch: Watch, clock: Arc<dyn Clock>) -> Body {
    // A hint: where it is not understood, nothing is lost.
    let _ = rustix::fs::fadvise(&source.file, 0, None, rustix::fs::Advice::Sequential);
    let flow = Flow { source: Arc::new(source), pieces, rest: None, ahead: None, weight, watch, clock };
    Body::from_stream(stream::try_unfold(flow, |mut flow| async move {
        let Some(chunk) = flow.next().await? else { return Ok::<_, io::Error>(None) };
        metrics::counter!("fondaco_share_bytes_total").increment(chunk.len() as u64);
        Ok(Some((chunk, flow)))
    }))
}

impl Flow {
    /// Begins to read the next piece of the current range.
    fn read_ahead(&mut self) {
        let Some(range) = self.rest.take() else { return };
        let want = usize::try_from(range.length()).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        let next = range.start + want as u64;
        self.rest = (next <= range.end).then_some(ByteRange { start: next, end: range.end });
        let source = Arc::clone(&self.source);
        self.ahead = Some(tokio::task::spawn_blocking(move || source.read(range.start, want)));
    }

    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.ahead.is_none() {
            match self.pieces.pop_front() {
                None => return Ok(None),
                Some(Piece::Text(text)) => return Ok(Some(Bytes::from(text))),
                Some(Piece::Range(range)) => self.rest = Some(range),
            }
            self.read_ahead();
        }
        let Some(ahead) = self.ahead.take() else { return Ok(None) };
        let chunk = ahead.await.map_err(io::Error::other)??;
        self.read_ahead();
        // Looked at last, so that nothing read before the end of access goes out after it.
        if !self.watch.is_open(self.clock.now()) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "access has ended"));
        }
        self.weight.sent(chunk.len() as u64);
        Ok(Some(chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{app::gate::Gate, files::seal};
    use fondaco_core::{
        ids::TransferId,
        time::{ManualClock, Timestamp},
    };
    use futures::StreamExt;
    use std::{io::Write, path::Path, sync::mpsc};

    const CHUNKS: usize = 8;

    /// A body over a whole file, and what of it did not go out.
    fn weighed(path: &Path, gate: &Gate) -> (Body, mpsc::Receiver<u64>) {
        let (file, meta) = seal::open(path).expect("open");
        let (given, back) = mpsc::channel();
        let weight = Weight::new(meta.len(), move |left| given.send(left).expect("received"));
        let range = ByteRange { start: 0, end: meta.len() - 1 };
        let watch = Watch::new(gate.watch(&TransferId::from_stored("trf_1")), None);
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1)));
        let keeper = Keeper::Publisher;
        let source = Source { file, keeper, seal: Seal::of(&meta) };
        (body(source, VecDeque::from([Piece::Range(range)]), weight, watch, clock), back)
    }

    fn large() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("large");
        std::fs::write(&path, vec![7; CHUNKS * CHUNK_BYTES + 3]).expect("write");
        (dir, path)
    }

    #[tokio::test]
    async fn all_bytes_come_in_order() {
        let (_dir, path) = large();
        let (body, back) = weighed(&path, &Gate::default());
        let whole = axum::body::to_bytes(body, usize::MAX).await.expect("whole");
        assert_eq!(whole.len(), CHUNKS * CHUNK_BYTES + 3);
        assert!(whole.iter().all(|b| *b == 7));
        assert!(back.recv().is_err(), "nothing is given back");
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_pays_for_what_it_was_sent() {
        let (_dir, path) = large();
        let (body, back) = weighed(&path, &Gate::default());
        let mut stream = body.into_data_stream();
        let sent = stream.next().await.expect("a piece").expect("good").len();
        drop(stream);
        assert_eq!(back.recv().expect("given back") as usize + sent, CHUNKS * CHUNK_BYTES + 3);
    }

    #[tokio::test]
    async fn bytes_stop_when_the_file_changes_under_them() {
        let (_dir, path) = large();
        let mut stream = weighed(&path, &Gate::default()).0.into_data_stream();
        let mut came = stream.next().await.expect("a piece").expect("good").len();
        let mut writer = std::fs::OpenOptions::new().append(true).open(&path).expect("open");
        writer.write_all(b"more").expect("written");
        let error = loop {
            match stream.next().await.expect("not the end") {
                Ok(piece) => came += piece.len(),
                Err(e) => break e,
            }
        };
        assert!(error.to_string().contains("changed"), "{error}");
        assert!(came <= 2 * CHUNK_BYTES, "what was read ahead at most");
    }

    #[tokio::test]
    async fn bytes_stop_when_the_gate_closes() {
        let (_dir, path) = large();
        let gate = Gate::default();
        let mut stream = weighed(&path, &gate).0.into_data_stream();
        assert!(stream.next().await.expect("a piece").is_ok());
        gate.close(&TransferId::from_stored("trf_1"));
        assert!(stream.next().await.expect("an end").is_err(), "not one piece more");
    }

    #[test]
    fn names_are_given_plain_and_in_utf_8() {
        assert_eq!(disposition("a/b/plain.csv"), "attachment; filename=\"plain.csv\"; filename*=UTF-8''plain.csv");
        assert_eq!(disposition("50% \"x\".txt"), "attachment; filename=\"50_ _x_.txt\"; filename*=UTF-8''50%25%20%22x%22.txt");
        assert!(disposition("空气").is_ascii());
    }
}
