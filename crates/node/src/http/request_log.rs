//! The request log: one line for every request of both listeners, in a file a day below `DIR/requests`.
//!
//! A line says which route was called, not with what: paths, queries, headers and bodies hold ids, signatures and tokens.
//! Whoever called is below one member, `person`, so that personal data is found, and left out, in one place.
//!
//! A line is made when the last byte of the answer went out, or the caller went away. It is handed to one task through a
//! bounded queue; a request never waits for the disk. Lines that find the queue full are counted and said to be missing.

mod files;

pub use files::{FOLDER, day_of, days, remove_older};

use crate::app::App;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use files::Written;
use fondaco_core::time::Timestamp;
use hyper::body::{Frame, SizeHint};
use serde::Serialize;
use std::{
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Lines that wait to be written: some megabytes, and more than a second of the fastest answers.
const WAITING_MAX: usize = 16_384;
/// Lines written at once.
const AT_ONCE: usize = 4_096;
/// Longest method that is written: those that exist are shorter, and a caller may send any word.
const METHOD_MAX_CHARS: usize = 20;

/// Who called: personal data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The account that was signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The id of the API token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The other organisation's DID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Where the connection came from: a proxy's address behind a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// When the request came.
    pub time: Timestamp,
    /// The request's id.
    pub id: String,
    /// `public` or `admin`.
    pub listener: &'static str,
    /// The method.
    pub method: String,
    /// The route, with names for what varies.
    pub route: String,
    /// The status of the answer; missing when the caller went away before there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The stable code of a refusal or failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// Milliseconds until the last byte.
    pub ms: f64,
    /// Bytes of the answer's body that went out.
    pub bytes: u64,
    /// Who called.
    pub person: Person,
}

/// The queue of lines. Until it is opened, and where no log is kept, lines go nowhere.
#[derive(Debug, Default)]
pub struct RequestLog {
    sender: OnceLock<mpsc::Sender<Line>>,
    lost: AtomicU64,
}

impl RequestLog {
    /// Opens the queue, once: what is put in comes out here.
    pub fn open(&self) -> Option<mpsc::Receiver<Line>> {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        self.sender.set(sender).is_ok().then_some(receiver)
    }

    fn put(&self, line: Line) {
        let Some(sender) = self.sender.get() else { return };
        if sender.try_send(line).is_err() {
            self.lose(1);
        }
    }

    fn lose(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
        metrics::counter!("fondaco_request_log_lost_total").increment(lines);
    }
}

tokio::task_local! {
    /// Who the request that this task answers turned out to come from.
    static CALLER: Arc<Mutex<Person>>;
}

fn note(change: impl FnOnce(&mut Person)) {
    // Outside of a request (jobs, commands) there is nobody to note.
    let _ = CALLER.try_with(|person| change(&mut person.lock().unwrap_or_else(PoisonError::into_inner)));
}

/// Notes the account behind the request that is being answered.
pub fn note_account(id: &str) {
    note(|person| person.account = Some(id.to_owned()));
}

/// Notes the API token behind the request that is being answered, by its id.
pub fn note_token(id: &str) {
    note(|person| person.token = Some(id.to_owned()));
}

/// Notes the organisation behind the request that is being answered.
pub fn note_peer(did: &str) {
    note(|person| person.peer = Some(did.to_owned()));
}

/// A request that is being answered: its line is put into the log when this is dropped.
#[derive(Debug)]
pub struct Pending {
    log: Arc<RequestLog>,
    started: Instant,
    line: Option<Line>,
    caller: Arc<Mutex<Person>>,
}

impl Pending {
    /// A request that came.
    pub fn new(app: &App, id: &str, listener: &'static str, method: &str, route: &str, address: Option<IpAddr>) -> Self {
        let line = Line {
            time: app.now(),
            id: id.to_owned(),
            listener,
            method: method.chars().take(METHOD_MAX_CHARS).collect(),
            route: route.to_owned(),
            status: None,
            code: None,
            ms: 0.0,
            bytes: 0,
            person: Person::default(),
        };
        let caller = Arc::new(Mutex::new(Person { address, ..Person::default() }));
        Self { log: Arc::clone(&app.requests), started: Instant::now(), line: Some(line), caller }
    }

    /// Answers the request, noting who turns out to have sent it.
    pub async fn answer<F: Future>(&self, answer: F) -> F::Output {
        CALLER.scope(Arc::clone(&self.caller), answer).await
    }

    /// Notes what it is answered.
    pub fn answered(&mut self, status: u16, code: Option<&'static str>) {
        if let Some(line) = &mut self.line {
            (line.status, line.code) = (Some(status), code);
        }
    }

    /// The answer's body, whose last byte ends the request.
    pub fn carried_by(self, body: Body) -> Body {
        Body::new(Carried { body, pending: self })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(mut line) = self.line.take() else { return };
        line.ms = (self.started.elapsed().as_secs_f64() * 1_000_000.0).round() / 1_000.0;
        line.person = self.caller.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.log.put(line);
    }
}

/// A body that counts what goes out, and ends its request when it is dropped.
struct Carried {
    body: Body,
    pending: Pending,
}

impl HttpBody for Carried {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let (Some(data), Some(line)) = (frame.data_ref(), &mut self.pending.line)
        {
            line.bytes = line.bytes.saturating_add(data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What was lost before a line could be written.
#[derive(Serialize)]
struct Lost {
    time: Timestamp,
    lost: u64,
}

/// Writes lines as they come, until it is told to stop and the queue is empty.
pub async fn run(app: App, mut lines: mpsc::Receiver<Line>, stop: CancellationToken) {
    let dir = app.config.requests_dir();
    let (mut fails, mut closed) = (false, false);
    loop {
        let mut batch = Vec::new();
        let count = tokio::select! {
            count = lines.recv_many(&mut batch, AT_ONCE) => count,
            () = stop.cancelled(), if !closed => {
                lines.close();
                closed = true;
                continue;
            }
        };
        let lost = app.requests.lost.swap(0, Ordering::Relaxed);
        let mut texts: Vec<(String, String)> = batch.iter().filter_map(|line| written(line.time, line)).collect();
        if lost > 0 {
            let now = app.now();
            texts.extend(written(now, &Lost { time: now, lost }));
        }
        let folder = dir.clone();
        let Written { failed, cause } = match tokio::task::spawn_blocking(move || files::append(&folder, &texts)).await {
            Ok(written) => written,
            Err(e) => Written { failed: batch.len() as u64, cause: Some(e.to_string()) },
        };
        if let Some(cause) = cause {
            if !fails {
                tracing::error!(cause, "requests.not_written: {} cannot be written; lines are missing until it can", dir.display());
            }
            app.requests.lose(failed);
            // What was said to be lost was perhaps not written either.
            app.requests.lost.fetch_add(lost, Ordering::Relaxed);
            fails = true;
        } else {
            fails = false;
        }
        if count == 0 {
            return;
        }
    }
}

/// The day of a line, and its text.
fn written(at: Timestamp, line: &impl Serialize) -> Option<(String, String)> {
    Some((day_of(at), serde_json::to_string(line).ok()? + "\n"))
}

impl App {
    /// Removes the lines of days that are over for longer than they are to be kept.
    pub async fn requests_sweep(&self) {
        let (dir, days, now) = (self.config.requests_dir(), self.config.log.requests_days, self.now());
        let removed = tokio::task::spawn_blocking(move || remove_older(&dir, now, days)).await;
        if let Ok(Err(e)) = removed {
            tracing::warn!(cause = %e, "requests.not_removed: old lines of the request log could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn pending(log: &Arc<RequestLog>) -> Pending {
        let line = Line {
            time: Timestamp::from_micros(0),
            id: "r1".into(),
            listener: "public",
            method: "GET".into(),
            route: "/p/{slug}".into(),
            status: None,
            code: None,
            ms: 0.0,
            bytes: 0,
            person: Person::default(),
        };
        Pending { log: Arc::clone(log), started: Instant::now(), line: Some(line), caller: Arc::default() }
    }

    #[tokio::test]
    async fn a_line_counts_the_bytes_that_went_out_and_names_who_called() {
        let log = Arc::new(RequestLog::default());
        let mut lines = log.open().expect("the first");
        assert!(log.open().is_none(), "one writer");
        let mut request = pending(&log);
        request.answer(async { note_peer("did:web:peer.example") }).await;
        request.answered(200, None);
        let body = request.carried_by(Body::from("twelve bytes"));
        assert_eq!(body.size_hint().exact(), Some(12), "the length is still known");
        assert!(lines.try_recv().is_err(), "not before its end");
        assert_eq!(body.collect().await.expect("a body").to_bytes().len(), 12);
        let line = lines.try_recv().expect("a line");
        assert_eq!((line.status, line.bytes, line.person.peer.as_deref()), (Some(200), 12, Some("did:web:peer.example")));
        note_token("tok_1");
        drop(pending(&log));
        let line = lines.try_recv().expect("a line of a caller that went away");
        assert_eq!((line.status, line.person), (None, Person::default()));
    }

    #[tokio::test]
    async fn a_full_queue_loses_lines_and_counts_them() {
        let log = Arc::new(RequestLog::default());
        drop(pending(&log));
        assert_eq!(log.lost.load(Ordering::Relaxed), 0, "nothing is kept, so nothing is missing");
        let lines = log.open().expect("the first");
        for _ in 0..WAITING_MAX + 3 {
            drop(pending(&log));
        }
        assert_eq!((lines.len(), log.lost.load(Ordering::Relaxed)), (WAITING_MAX, 3));
    }

    #[test]
    fn who_called_is_below_one_member() {
        let mut line = pending(&Arc::default()).line.take().expect("a line");
        line.person = Person { account: Some("usr_1".into()), address: Some(IpAddr::from([192, 0, 2, 7])), ..Person::default() };
        let mut json = serde_json::to_value(&line).expect("json");
        let person = json.as_object_mut().and_then(|members| members.remove("person"));
        assert_eq!(person, Some(serde_json::json!({"account": "usr_1", "address": "192.0.2.7"})));
        assert!(!json.to_string().contains("usr_1") && !json.to_string().contains("192.0.2.7"));
    }
}
