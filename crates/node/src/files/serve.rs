//! Bodies of stored files over HTTP: conditions and ranges, only under the published hash, only while access is open.
//!
//! Both surfaces serve through here, files as they are and what a plan shows of them. Bytes are read ahead by one piece off the threads that answer, into buffers that are
//! used again; before a piece goes out, the gate and the file's seal are looked at.

use super::seal::{Expected, Intact, Keeper, Seal};
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
use fondaco_core::{Error, Result, product::Product, time::Clock};
use fondaco_store::ProductFile;
use fondaco_tables::{
    governed::{self, Content, GovernedFile},
    serve::{self, ByteRange, Multipart, Plan, RequestHeaders, plan_response},
};
use futures::stream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    collections::VecDeque,
    fs::File,
    io,
    path::{Path, PathBuf},
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
    /// What of it is served, and the id that this is known by; `None`: its bytes as they are.
    pub governed: Option<(&'a str, &'a GovernedFile)>,
}

impl Stored<'_> {
    fn size(&self) -> u64 {
        self.governed.map_or(self.file.size, |(_, file)| file.size)
    }

    /// The id that it is listed with.
    fn id(&self) -> &str {
        self.governed.map_or_else(|| self.file.file_id(), |(id, _)| id)
    }

    /// A name of its bytes: their hash, where it is known before they are read.
    fn etag(&self) -> String {
        serve::etag(self.governed.map_or(&self.file.sha256, |(id, _)| id))
    }

    /// The SHA-256 of its bytes, where it is known before they are read.
    fn sha256(&self) -> Option<&str> {
        match self.governed.map(|(_, file)| &file.content) {
            None | Some(Content::Source) => Some(&self.file.sha256),
            Some(Content::Cached(cached)) => Some(cached.sha256()),
            // Made of pieces of the source, and never read as a whole.
            Some(Content::Virtual(_)) => None,
        }
    }

    /// The pieces of a range of it.
    fn pieces(&self, range: ByteRange) -> Vec<Piece> {
        let Some((_, file)) = self.governed else { return vec![Piece::Range(range)] };
        let pieces = file.slice(range.start..range.end + 1).into_iter();
        let piece = |piece| match piece {
            governed::Piece::Bytes(bytes) => Piece::Bytes(bytes),
            governed::Piece::Source { start, length } => Piece::Range(ByteRange { start, end: (start + length).saturating_sub(1) }),
        };
        pieces.filter(|p| p.length() > 0).map(piece).collect()
    }
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
    let (size, etag) = (stored.size(), stored.etag());
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
    if let Some(sha256) = stored.sha256() {
        let digest = hex::decode(sha256).map_err(Error::internal_failure)?;
        map.insert(HeaderName::from_static("repr-digest"), value(&format!("sha-256=:{}:", STANDARD.encode(digest)))?);
    }
    if stored.attachment {
        map.insert(header::CONTENT_DISPOSITION, value(&disposition(&stored.file.name))?);
    }
    let mut pieces = VecDeque::new();
    match plan {
        Plan::Full => {
            map.insert(header::CONTENT_TYPE, value(stored.media_type)?);
            map.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
            if size > 0 {
                pieces.extend(stored.pieces(ByteRange { start: 0, end: size - 1 }));
            }
        }
        Plan::Partial(ranges) if ranges.len() == 1 => {
            map.insert(header::CONTENT_TYPE, value(stored.media_type)?);
            map.insert(header::CONTENT_LENGTH, HeaderValue::from(ranges[0].length()));
            map.insert(header::CONTENT_RANGE, value(&ranges[0].content_range(size))?);
            pieces.extend(stored.pieces(ranges[0]));
        }
        Plan::Partial(ranges) => {
            let multipart = Multipart::new(&ranges, size, stored.media_type, &etag);
            map.insert(header::CONTENT_TYPE, value(&multipart.content_type())?);
            map.insert(header::CONTENT_LENGTH, HeaderValue::from(multipart.content_length()));
            for (head, range) in multipart.parts() {
                pieces.push_back(Piece::Text(head.clone().into()));
                pieces.extend(stored.pieces(*range));
            }
            pieces.push_back(Piece::Text(multipart.tail().into()));
        }
        Plan::NotSatisfiable => {
            map.insert(header::CONTENT_RANGE, value(&serve::unsatisfied_content_range(size))?);
            return Ok(response);
        }
        Plan::NotModified | Plan::PreconditionFailed => return Ok(response),
    }
    // A HEAD learns of damage too: it announces what a GET would bring.
    let intact = open(app, product, stored.file, &stored.path).await?;
    if is_head || pieces.is_empty() {
        return Ok(response);
    }
    let bytes = pieces.iter().map(Piece::weight).sum();
    let portion = Portion { query: stored.query, file: stored.id(), rows: stored.rows, more: false };
    let weight = app.weigh(grant, portion, bytes).await?;
    let source = match stored.governed.and_then(|(_, file)| file.cached()) {
        // A file of ours under the name of its content, that nobody else writes.
        Some(cached) => Source { file: cached.try_clone().map_err(Error::internal_failure)?, sealed: None },
        None => Source { file: intact.file, sealed: Some((intact.seal, keeper(stored.file))) },
    };
    *response.body_mut() = body(source, pieces, weight, grant.watch.clone(), Arc::clone(&app.clock));
    Ok(response)
}

/// Opens a file of a product that is as it was published.
///
/// # Errors
/// [`fondaco_core::Code::DataDamaged`] when it is not; the publisher is told.
pub async fn open(app: &App, product: &Product, file: &ProductFile, path: &Path) -> Result<Intact> {
    let seal = file.seal.as_deref().map(Seal::from_stored);
    let expected = Expected { path: path.to_owned(), size: file.size, sha256: file.sha256.clone(), keeper: keeper(file), seal };
    let intact = match app.verdicts.open(&expected, app.now()).await? {
        Ok(intact) => intact,
        Err(damage) => {
            app.product_damaged(product, file, &damage).await?;
            return Err(damage.to_error(&expected.path));
        }
    };
    if intact.resealed {
        app.product_file_reseal(product, file, Some(&intact.seal).filter(|_| intact.settled)).await?;
    }
    Ok(intact)
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
    Text(Bytes),
    /// Bytes that are in memory.
    Bytes(Bytes),
    /// Bytes of the open file, both ends included.
    Range(ByteRange),
}

impl Piece {
    fn length(&self) -> u64 {
        match self {
            Self::Text(bytes) | Self::Bytes(bytes) => bytes.len() as u64,
            Self::Range(range) => range.length(),
        }
    }

    /// The bytes that are weighed: all but framing.
    fn weight(&self) -> u64 {
        if let Self::Text(_) = self { 0 } else { self.length() }
    }

    /// Its first bytes, at most so many, and what is left of it.
    fn split(self, most: usize) -> (Self, Option<Self>) {
        if self.length() <= most as u64 {
            return (self, None);
        }
        let cut = |mut bytes: Bytes| (bytes.split_to(most), bytes);
        match self {
            Self::Text(bytes) => {
                let (now, later) = cut(bytes);
                (Self::Text(now), Some(Self::Text(later)))
            }
            Self::Bytes(bytes) => {
                let (now, later) = cut(bytes);
                (Self::Bytes(now), Some(Self::Bytes(later)))
            }
            Self::Range(ByteRange { start, end }) => {
                let next = start + most as u64;
                (Self::Range(ByteRange { start, end: next - 1 }), Some(Self::Range(ByteRange { start: next, end })))
            }
        }
    }
}

/// What goes out at once.
struct Chunk {
    bytes: Bytes,
    weight: u64,
}

/// The open file, and the seal under which it was checked; `None` for one that cannot change.
struct Source {
    file: File,
    sealed: Option<(Seal, Keeper)>,
}

impl Source {
    /// The bytes of some pieces, together at most [`CHUNK_BYTES`].
    fn read(&self, pieces: &[Piece]) -> io::Result<Chunk> {
        let weight = pieces.iter().map(Piece::weight).sum();
        let mut buffer = buffer();
        for piece in pieces {
            match piece {
                Piece::Text(bytes) | Piece::Bytes(bytes) => buffer.extend_from_slice(bytes),
                Piece::Range(range) => self.append(&mut buffer, *range)?,
            }
        }
        if let Some((seal, keeper)) = &self.sealed
            && !seal.holds(&self.file.metadata()?, *keeper)
        {
            return Err(io::Error::other("the file changed while it was sent"));
        }
        Ok(Chunk { bytes: Bytes::from_owner(Pooled(buffer)), weight })
    }

    fn append(&self, buffer: &mut Vec<u8>, range: ByteRange) -> io::Result<()> {
        let begin = buffer.len();
        let want = usize::try_from(range.length()).map_err(io::Error::other)?;
        // What fills the buffer is read into memory as it is; small pieces are cleared first, rather than read past their end.
        if begin + want < buffer.capacity() / 2 {
            buffer.resize(begin + want, 0);
            let mut done = 0;
            while done < want {
                match rustix::io::pread(&self.file, &mut buffer[begin + done..], range.start + done as u64) {
                    Ok(0) => return Err(too_short()),
                    Ok(n) => done += n,
                    Err(rustix::io::Errno::INTR) => {}
                    Err(e) => return Err(e.into()),
                }
            }
            return Ok(());
        }
        while buffer.len() - begin < want {
            let from = range.start + (buffer.len() - begin) as u64;
            match rustix::io::pread(&self.file, rustix::buffer::spare_capacity(buffer), from) {
                Ok(0) => return Err(too_short()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        buffer.truncate(begin + want);
        Ok(())
    }
}

fn too_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter")
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
    /// The chunk being read.
    ahead: Option<JoinHandle<io::Result<Chunk>>>,
    weight: Weight,
    watch: Watch,
    clock: Arc<dyn Clock>,
}

/// The body: each chunk goes out only while access is open. A closed gate ends the connection short of the announced
/// length, which every client takes for the failure it is.
fn body(source: Source, pieces: VecDeque<Piece>, weight: Weight, watch: Watch, clock: Arc<dyn Clock>) -> Body {
    // A hint: where it is not understood, nothing is lost.
    let _ = rustix::fs::fadvise(&source.file, 0, None, rustix::fs::Advice::Sequential);
    let flow = Flow { source: Arc::new(source), pieces, ahead: None, weight, watch, clock };
    Body::from_stream(stream::try_unfold(flow, |mut flow| async move {
        let Some(chunk) = flow.next().await? else { return Ok::<_, io::Error>(None) };
        metrics::counter!("fondaco_share_bytes_total").increment(chunk.len() as u64);
        Ok(Some((chunk, flow)))
    }))
}

impl Flow {
    /// Begins to read the next chunk: as many pieces as it has room for, since a virtual file may have very many small ones.
    fn read_ahead(&mut self) {
        let (mut room, mut pieces) = (CHUNK_BYTES, Vec::new());
        while room > 0
            && let Some(piece) = self.pieces.pop_front()
        {
            let (now, later) = piece.split(room);
            room -= usize::try_from(now.length()).unwrap_or(room);
            pieces.push(now);
            if let Some(later) = later {
                self.pieces.push_front(later);
            }
        }
        if !pieces.is_empty() {
            let source = Arc::clone(&self.source);
            self.ahead = Some(tokio::task::spawn_blocking(move || source.read(&pieces)));
        }
    }

    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.ahead.is_none() {
            self.read_ahead();
        }
        let Some(ahead) = self.ahead.take() else { return Ok(None) };
        let Chunk { bytes, weight } = ahead.await.map_err(io::Error::other)??;
        self.read_ahead();
        // Looked at last, so that nothing read before the end of access goes out after it.
        if !self.watch.is_open(self.clock.now()) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "access has ended"));
        }
        self.weight.sent(weight);
        Ok(Some(bytes))
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
    use std::{io::Write, sync::mpsc};

    const CHUNKS: usize = 8;

    /// A body over a whole file, and what of it did not go out.
    fn weighed(path: &Path, gate: &Gate) -> (Body, mpsc::Receiver<u64>) {
        let (file, meta) = seal::open(path).expect("open");
        let (given, back) = mpsc::channel();
        let weight = Weight::new(meta.len(), move |left| {
            let _ = given.send(left);
        });
        let range = ByteRange { start: 0, end: meta.len() - 1 };
        let watch = Watch::new(gate.watch(&TransferId::from_stored("trf_1")), None);
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1)));
        let source = Source { file, sealed: Some((Seal::of(&meta), Keeper::Publisher)) };
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
        assert_eq!(back.recv().expect("given back") + sent as u64, (CHUNKS * CHUNK_BYTES + 3) as u64);
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

    #[tokio::test]
    async fn many_small_pieces_come_whole_and_in_order() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("numbers");
        let numbers: Vec<u8> = (0..3 * CHUNK_BYTES).map(|n| u8::try_from(n % 251).expect("small")).collect();
        std::fs::write(&path, &numbers).expect("write");
        let (file, _) = seal::open(&path).expect("open");
        let (mut pieces, mut expected, mut framing) = (VecDeque::new(), Vec::new(), 0);
        for (start, length) in
            [(0, 7), (100, 1), (5, CHUNK_BYTES / 2), (9, CHUNK_BYTES), (3 * CHUNK_BYTES - 1, 1), (1, 2 * CHUNK_BYTES + 3)]
        {
            pieces.push_back(Piece::Text(Bytes::from_static(b"--")));
            pieces.push_back(Piece::Bytes(Bytes::from_static(b"PAR1")));
            pieces.push_back(Piece::Range(ByteRange { start: start as u64, end: (start + length - 1) as u64 }));
            expected.extend_from_slice(b"--PAR1");
            expected.extend_from_slice(&numbers[start..start + length]);
            framing += 2;
        }
        let (given, back) = mpsc::channel();
        let weight = Weight::new(expected.len() as u64 - framing, move |left| {
            let _ = given.send(left);
        });
        let watch = Watch::new(Gate::default().watch(&TransferId::from_stored("trf_1")), None);
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1)));
        let body = body(Source { file, sealed: None }, pieces, weight, watch, clock);
        assert_eq!(axum::body::to_bytes(body, usize::MAX).await.expect("whole"), expected);
        assert!(back.recv().is_err(), "all but the framing was weighed");
    }

    #[test]
    fn names_are_given_plain_and_in_utf_8() {
        assert_eq!(disposition("a/b/plain.csv"), "attachment; filename=\"plain.csv\"; filename*=UTF-8''plain.csv");
        assert_eq!(disposition("50% \"x\".txt"), "attachment; filename=\"50_ _x_.txt\"; filename*=UTF-8''50%25%20%22x%22.txt");
        assert!(disposition("空气").is_ascii());
    }
}
