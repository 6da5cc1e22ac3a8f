//! A proxy in front of a node that loses requests and answers, delays them, cuts them short or answers in the node's
//! place. What a network and a foreign peer do, on demand.

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Frame, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It never arrives; the connection ends.
    LoseRequest,
    /// It arrives and is answered; the answer is lost and the connection ends.
    LoseAnswer,
    /// It arrives late.
    Delay(Duration),
    /// The answer's body ends after so many bytes, without an end.
    Cut(usize),
    /// Somebody else answers.
    Answer(u16, &'static [(&'static str, &'static str)], &'static str),
}

struct Rule {
    method: &'static str,
    path_end: &'static str,
    left: usize,
    fault: Fault,
}

struct Shared {
    target: SocketAddr,
    rules: Mutex<Vec<Rule>>,
    faults: watch::Sender<usize>,
    client: reqwest::Client,
}

/// The proxy. It ends when it is dropped.
pub struct FaultProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

impl FaultProxy {
    /// Starts one on a free port.
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { target, rules: Mutex::default(), faults: watch::Sender::new(0), client: crate::http::client() });
        let accepting = Mutex::new(Some(tokio::spawn(accept(listener, Arc::clone(&shared)))));
        Self { addr, shared, accepting }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Lets the next `times` requests of this method whose path ends so meet the fault. The oldest fault that fits counts.
    pub fn fail(&self, method: &'static str, path_end: &'static str, times: usize, fault: Fault) {
        self.rules().push(Rule { method, path_end, left: times, fault });
    }

    /// Ends all faults.
    pub fn mend(&self) {
        self.rules().clear();
    }

    /// Waits until so many requests have met a fault since the start.
    pub async fn faults(&self, count: usize) {
        let mut met = self.shared.faults.subscribe();
        let waited = tokio::time::timeout(crate::PATIENCE, met.wait_for(|n| *n >= count)).await;
        waited.expect("so many faults").expect("the proxy runs");
    }

    /// Refuses connections, and ends those there are.
    pub async fn down(&self) {
        let task = self.accepting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            // Only when the task is gone is the port closed.
            let _ = task.await;
        }
    }

    /// Accepts connections again, on the same port.
    pub async fn up(&self) {
        let listener = TcpListener::bind(self.addr).await.expect("the same port");
        let task = tokio::spawn(accept(listener, Arc::clone(&self.shared)));
        *self.accepting.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Vec<Rule>> {
        self.shared.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        if let Some(task) = self.accepting.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Aborting this task drops the set, which ends the connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    let service = service_fn(|request| handle(Arc::clone(&shared), request));
                    // An error is a fault that was asked for, or a caller that went away.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "lost on purpose")
}

impl Shared {
    fn fault_for(&self, method: &str, path: &str) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let rule = rules.iter_mut().find(|r| r.left > 0 && r.method == method && path.ends_with(r.path_end))?;
        rule.left -= 1;
        Some(rule.fault.clone())
    }
}

/// An error ends the connection without an answer.
async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let fault = shared.fault_for(request.method().as_str(), request.uri().path());
    let met = fault.is_some();
    let answer = with_fault(&shared, request, fault).await;
    if met {
        shared.faults.send_modify(|n| *n += 1);
    }
    answer
}

async fn with_fault(shared: &Shared, request: Request<Incoming>, fault: Option<Fault>) -> io::Result<Response<Body>> {
    match fault {
        None => forward(shared, request, None).await,
        Some(Fault::LoseRequest) => Err(lost()),
        Some(Fault::LoseAnswer) => {
            let answer = forward(shared, request, None).await?;
            // To its end, so that it has surely been made.
            let _ = answer.into_body().collect().await;
            Err(lost())
        }
        Some(Fault::Delay(time)) => {
            tokio::time::sleep(time).await;
            forward(shared, request, None).await
        }
        Some(Fault::Cut(bytes)) => forward(shared, request, Some(bytes)).await,
        Some(Fault::Answer(status, headers, body)) => {
            let mut answer = Response::builder().status(status);
            for (name, value) in headers {
                answer = answer.header(*name, *value);
            }
            let body = http_body_util::Full::new(Bytes::from_static(body.as_bytes())).map_err(|e| match e {});
            Ok(answer.body(body.boxed_unsync()).expect("a plain answer"))
        }
    }
}

/// Headers that concern one connection only.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::HOST] {
        headers.remove(name);
    }
    headers
}

async fn forward(shared: &Shared, request: Request<Incoming>, cut: Option<usize>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let url = format!("http://{}{}", shared.target, parts.uri.path_and_query().map_or("/", |p| p.as_str()));
    let bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let mut call = shared.client.request(parts.method, url).headers(end_to_end(&parts.headers));
    if !bytes.is_empty() {
        call = call.body(bytes);
    }
    let answer = call.send().await.map_err(io::Error::other)?;
    let (status, headers) = (answer.status(), end_to_end(answer.headers()));
    let body = if let Some(length) = cut {
        let all = answer.bytes().await.map_err(io::Error::other)?;
        let head = all.slice(..length.min(all.len()));
        // Between the piece and the break the server gets a turn to send what it has.
        let broken = stream::once(async {
            tokio::task::yield_now().await;
            Err(lost())
        });
        let pieces = stream::once(async { Ok(Frame::data(head)) }).chain(broken);
        StreamBody::new(pieces).boxed_unsync()
    } else {
        StreamBody::new(answer.bytes_stream().map(|piece| piece.map(Frame::data).map_err(io::Error::other))).boxed_unsync()
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
