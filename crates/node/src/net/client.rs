//! The one client with which a node calls other machines: peers, DID documents, callbacks.
//!
//! A host name is resolved exactly once per connection, the answer is filtered by the [`NetworkRule`], and only the
//! filtered addresses reach the connector. There is no moment between checking and using an address, so a resolver that
//! changes its answer gains nothing. Redirects are not followed (the caller sees the 3xx), proxies from the environment
//! are ignored (they would resolve names themselves), nothing is decompressed, and every answer has a size and a time.

use super::{
    address::{NetworkRule, check_url},
    resolver::{CheckedResolver, LookupFailure, Resolver, SystemResolver},
};
use bytes::{Bytes, BytesMut};
use fondaco_core::error::{Code, Error, Result};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::{
    io::{self, Read},
    path::Path,
    sync::Arc,
    time::Duration,
};
use url::Url;

/// Until name, TCP and TLS are done. A peer that needs longer is as good as down, and the job will try again.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// One whole call, unless the caller sets less: DSP messages are small and answered synchronously.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest a caller may wait for a whole call.
pub const CALL_TIMEOUT_MAX: Duration = Duration::from_mins(2);
/// Longest silence within a download.
pub const STREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer kept in memory, unless the caller sets less: a catalogue page is the largest there is.
pub const ANSWER_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Idle connections kept per peer: as many as jobs may send at once, or a burst of messages makes a connection for each.
/// [`POOL_IDLE_TIMEOUT`] keeps them few.
const POOL_IDLE_PER_HOST: usize = crate::jobs::runner::IN_FLIGHT_MAX;
/// How long they are kept. Also bounds how long a connection outlives a change of the name's address.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest file of certificates: the system's own bundle has a quarter of it.
const CA_FILE_MAX_BYTES: u64 = 1024 * 1024;
/// Largest block of answer headers over HTTP/2. HTTP/1.1 is bounded by the client library.
const HEADERS_MAX_BYTES: u32 = 16 * 1024;
/// Longest excerpt of another library's words in a message.
const REASON_MAX_CHARS: usize = 200;

/// A call to another machine.
#[derive(Clone, Debug)]
pub struct OutRequest {
    /// The method.
    pub method: Method,
    /// The address; checked before it is called.
    pub url: Url,
    /// Headers beside `Host`, `User-Agent` and those of the connection.
    pub headers: HeaderMap,
    /// The body, possibly empty.
    pub body: Bytes,
    /// Largest answer accepted, in bytes.
    pub limit: u64,
    /// How long the whole call may take; for [`Outbound::open`], until the answer's headers are there.
    pub timeout: Duration,
}

impl OutRequest {
    /// A call with the default limits.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new(), limit: ANSWER_MAX_BYTES, timeout: CALL_TIMEOUT }
    }
    /// A `GET`.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }
    /// A `POST` of JSON.
    pub fn post_json(url: Url, json: impl Into<Bytes>) -> Self {
        let mut request = Self::new(Method::POST, url);
        request.body = json.into();
        request.with_header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }
    /// Sets a header.
    #[must_use]
    pub fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
    /// Sets `Authorization`, marked so that it is not shown in logs.
    ///
    /// # Errors
    /// [`Code::Invalid`] when the value cannot be a header.
    pub fn with_authorization(self, value: &str) -> Result<Self> {
        let mut value = HeaderValue::from_str(value).map_err(|_| Error::invalid("The credential is not printable text."))?;
        value.set_sensitive(true);
        Ok(self.with_header(header::AUTHORIZATION, value))
    }
    /// Asks for the bytes from an offset to the end, to continue a download. Offset 0 asks for everything.
    #[must_use]
    pub fn with_range_from(self, offset: u64) -> Self {
        if offset == 0 {
            return self;
        }
        let value = HeaderValue::try_from(format!("bytes={offset}-")).expect("digits are a valid header");
        self.with_header(header::RANGE, value)
    }
    /// Sets the largest answer accepted.
    #[must_use]
    pub fn with_limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }
    /// Sets the time for the whole call.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// A whole answer. Its status is the caller's to judge; a redirect is an answer like any other.
#[derive(Clone, Debug)]
pub struct OutResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body, at most the request's limit.
    pub body: Bytes,
}

/// An answer whose body is still arriving.
#[derive(Debug)]
pub struct OutStream {
    /// The status; 206 when the peer honoured a range.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// Bytes announced, if they were.
    pub length: Option<u64>,
    response: reqwest::Response,
    peer: String,
    left: u64,
    idle: Duration,
}

impl OutStream {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`Code::PeerAnsweredBadly`] above the limit; [`Code::PeerUnreachable`] when the connection breaks or falls silent.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let next = tokio::time::timeout(self.idle, self.response.chunk()).await.map_err(|_| silent(&self.peer))?;
        let Some(piece) = next.map_err(|e| explain(&e, &self.peer))? else { return Ok(None) };
        self.left = self.left.checked_sub(piece.len() as u64).ok_or_else(|| too_large(&self.peer))?;
        Ok(Some(piece))
    }
}

/// Carries whole calls in place of the network. A trait, so that a simulation decides what becomes of each.
pub trait Carrier: Send + Sync + 'static {
    /// The answer to a call whose address was checked.
    fn carry(&self, request: OutRequest) -> BoxFuture<'static, Result<OutResponse>>;
}

/// The outbound client. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Outbound {
    client: reqwest::Client,
    rule: NetworkRule,
    carrier: Option<Arc<dyn Carrier>>,
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl Outbound {
    /// A client that resolves names by the operating system.
    ///
    /// # Errors
    /// As [`Outbound::new`].
    pub fn system(rule: NetworkRule) -> Result<Self> {
        Self::new(rule, Arc::new(SystemResolver::default()))
    }

    /// A client of this machine that also trusts the certificates in a PEM file, as `network.ca_file` says.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] when the file cannot be read or holds no certificate.
    pub fn trusting(rule: NetworkRule, ca_file: Option<&Path>) -> Result<Self> {
        let Some(path) = ca_file else { return Self::system(rule) };
        let wrong = |why: String| Error::new(Code::ConfigInvalid, format!("network.ca_file {}: {why}.", path.display()));
        let file = std::fs::File::open(path).map_err(|e| wrong(format!("it cannot be read: {e}")))?;
        let mut pem = Vec::new();
        file.take(CA_FILE_MAX_BYTES).read_to_end(&mut pem).map_err(|e| wrong(format!("it cannot be read: {e}")))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| wrong(format!("it is not PEM: {e}")))?;
        if certificates.is_empty() {
            return Err(wrong("it holds no certificate".into()));
        }
        Self::with(rule, Arc::new(SystemResolver::default()), &certificates)
    }

    /// A client with the given resolver.
    ///
    /// # Errors
    /// An internal failure when TLS cannot be set up.
    pub fn new(rule: NetworkRule, resolver: Arc<dyn Resolver>) -> Result<Self> {
        Self::with(rule, resolver, &[])
    }

    fn with(rule: NetworkRule, resolver: Arc<dyn Resolver>, certificates: &[reqwest::Certificate]) -> Result<Self> {
        let client = Self::builder(rule, Arc::clone(&resolver)).tls_certs_merge(certificates.to_vec()).build().or_else(|cause| {
            // A machine without root certificates can still reach peers over loopback; https to anybody fails there.
            tracing::warn!(%cause, "no usable root certificates on this machine: https peers cannot be verified and will be refused");
            Self::builder(rule, resolver).tls_certs_only(certificates.to_vec()).build()
        });
        let client = client.map_err(Error::internal_failure)?;
        Ok(Self { client, rule, carrier: None })
    }

    /// The same rule with a carrier in place of the network. Downloads ([`Outbound::open`]) reach nobody then.
    #[must_use]
    pub fn carried_by(mut self, carrier: Arc<dyn Carrier>) -> Self {
        self.carrier = Some(carrier);
        self
    }

    fn builder(rule: NetworkRule, inner: Arc<dyn Resolver>) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .user_agent(concat!("fondaco/", env!("CARGO_PKG_VERSION")))
            .tls_backend_rustls()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .dns_resolver(Arc::new(CheckedResolver { inner, rule }))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .http2_max_header_list_size(HEADERS_MAX_BYTES)
    }

    /// The client itself, for a library that makes its own calls. Its caller checks addresses written as numbers.
    pub(super) fn into_client(self) -> reqwest::Client {
        self.client
    }

    /// The rule this client obeys.
    pub const fn rule(&self) -> NetworkRule {
        self.rule
    }

    /// Calls and reads the whole answer.
    ///
    /// # Errors
    /// [`Code::AddressRefused`], [`Code::PeerUnreachable`] or [`Code::PeerAnsweredBadly`], each with a short reason.
    pub async fn send(&self, request: OutRequest) -> Result<OutResponse> {
        let peer = peer_name(&request.url);
        let limit = request.limit;
        if let Some(carrier) = &self.carrier {
            check_url(&request.url, self.rule)?;
            let answer = carrier.carry(request).await?;
            return if answer.body.len() as u64 > limit { Err(too_large(&peer)) } else { Ok(answer) };
        }
        let timeout = request.timeout.min(CALL_TIMEOUT_MAX);
        let call = async {
            let mut stream = self.begin(request).await?;
            if stream.length.is_some_and(|announced| announced > limit) {
                return Err(too_large(&stream.peer));
            }
            let mut body = BytesMut::new();
            while let Some(piece) = stream.chunk().await? {
                body.extend_from_slice(&piece);
            }
            Ok(OutResponse { status: stream.status, headers: stream.headers, body: body.freeze() })
        };
        tokio::time::timeout(timeout, call).await.map_err(|_| silent(&peer))?
    }

    /// Calls and hands over the answer piece by piece, for downloads.
    ///
    /// # Errors
    /// As [`Outbound::send`].
    pub async fn open(&self, request: OutRequest) -> Result<OutStream> {
        let peer = peer_name(&request.url);
        let timeout = request.timeout.min(CALL_TIMEOUT_MAX);
        tokio::time::timeout(timeout, self.begin(request)).await.map_err(|_| silent(&peer))?
    }

    async fn begin(&self, request: OutRequest) -> Result<OutStream> {
        check_url(&request.url, self.rule)?;
        let peer = peer_name(&request.url);
        if self.carrier.is_some() {
            return Err(unreachable(&peer, "nothing can be downloaded over this wire"));
        }
        let limit = request.limit;
        let call = self.client.request(request.method, request.url).headers(request.headers).body(request.body);
        let mut response = call.send().await.map_err(|e| explain(&e, &peer))?;
        Ok(OutStream {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            length: response.content_length(),
            response,
            peer,
            left: limit,
            idle: STREAM_IDLE_TIMEOUT,
        })
    }
}

/// Host and port: what a person needs to recognise a peer. Paths and queries may hold secrets.
fn peer_name(url: &Url) -> String {
    match (url.host_str(), url.port_or_known_default()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        _ => "the peer".to_owned(),
    }
}

fn silent(peer: &str) -> Error {
    unreachable(peer, "it did not answer in time")
}

fn unreachable(peer: &str, why: &str) -> Error {
    Error::new(Code::PeerUnreachable, format!("{peer} cannot be reached: {why}."))
}

fn too_large(peer: &str) -> Error {
    Error::new(Code::PeerAnsweredBadly, format!("The answer of {peer} is larger than the limit for it."))
}

/// The refusal of an address, where that is why a call failed.
pub(super) fn refusal(error: &reqwest::Error) -> Option<Error> {
    let mut causes = std::iter::successors(std::error::Error::source(error), |e| e.source());
    causes.find_map(|cause| match cause.downcast_ref::<LookupFailure>() {
        Some(LookupFailure::Refused(why)) => Some(why.clone()),
        _ => None,
    })
}

/// The client library's error in words that a person can act on.
fn explain(error: &reqwest::Error, peer: &str) -> Error {
    // For the log: the causes without the URL, whose query may be a signature.
    let causes: Vec<String> = std::iter::successors(std::error::Error::source(error), |e| e.source()).map(ToString::to_string).collect();
    let causes = causes.join(": ");
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut last = String::new();
    while let Some(this) = cause {
        match this.downcast_ref::<LookupFailure>() {
            Some(LookupFailure::Refused(why)) => return why.clone(),
            Some(LookupFailure::NoAddress) => return unreachable(peer, "its name has no address"),
            None => {}
        }
        if let Some(http) = this.downcast_ref::<hyper::Error>() {
            if http.is_incomplete_message() {
                // Not the peer's protocol but its end: a process that was stopped in the middle. Worth another try.
                return unreachable(peer, "it closed the connection before its answer was complete").with_internal(&causes);
            }
            if http.is_parse() || http.is_parse_too_large() {
                let message = format!("The answer of {peer} cannot be used: it is not HTTP.");
                return Error::new(Code::PeerAnsweredBadly, message).with_internal(&causes);
            }
        }
        if let Some(io) = this.downcast_ref::<io::Error>() {
            let why = match io.kind() {
                io::ErrorKind::ConnectionRefused => Some("nothing listens there (connection refused)"),
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof => Some("it closed the connection before its answer was complete"),
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some("there is no route to it"),
                io::ErrorKind::TimedOut => Some("it did not answer in time"),
                _ => None,
            };
            if let Some(why) = why {
                return unreachable(peer, why).with_internal(&causes);
            }
        }
        last = this.to_string();
        cause = this.source();
    }
    let last: String = last.chars().filter(|c| !c.is_control()).take(REASON_MAX_CHARS).collect();
    let why = if error.is_timeout() {
        "it did not answer in time".to_owned()
    } else if error.is_dns() {
        format!("its name cannot be resolved ({last})")
    } else if error.is_connect() {
        format!("no secure connection could be made ({last})")
    } else {
        format!("the connection failed ({last})")
    };
    unreachable(peer, &why).with_internal(&causes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::BoxFuture;
    use std::{
        net::IpAddr,
        sync::{
            Mutex,
            atomic::{AtomicUsize, Ordering},
        },
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    const LOCAL: NetworkRule = NetworkRule { allow_private: false, allow_loopback: true, allow_http: true };
    const STRICT: NetworkRule = NetworkRule { allow_private: false, allow_loopback: false, allow_http: true };

    /// Answers with the next list, the last one for ever, and counts the questions.
    struct Scripted {
        answers: Mutex<Vec<Vec<IpAddr>>>,
        asked: AtomicUsize,
    }

    impl Scripted {
        fn new(answers: &[&[&str]]) -> Arc<Self> {
            let parse = |list: &&[&str]| list.iter().map(|ip| ip.parse().expect("address")).collect();
            Arc::new(Self { answers: Mutex::new(answers.iter().map(parse).collect()), asked: AtomicUsize::new(0) })
        }
    }

    impl Resolver for Scripted {
        fn resolve(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let mut answers = self.answers.lock().expect("lock");
            let answer = if answers.len() > 1 { answers.remove(0) } else { answers.first().cloned().unwrap_or_default() };
            Box::pin(std::future::ready(Ok(answer)))
        }
    }

    /// A peer that says the same bytes to everyone, then closes or stays silent. Counts connections, keeps requests.
    struct Peer {
        port: u16,
        connections: Arc<AtomicUsize>,
        requests: Arc<Mutex<Vec<String>>>,
    }

    async fn peer(answer: Vec<u8>, then_close: bool) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (counted, kept) = (Arc::clone(&connections), Arc::clone(&requests));
        tokio::spawn(async move {
            loop {
                let Ok((mut socket, _)) = listener.accept().await else { return };
                counted.fetch_add(1, Ordering::SeqCst);
                let (answer, kept) = (answer.clone(), Arc::clone(&kept));
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
                        let mut piece = [0u8; 1024];
                        match socket.read(&mut piece).await {
                            Ok(n) if n > 0 => request.extend_from_slice(&piece[..n]),
                            _ => return,
                        }
                    }
                    kept.lock().expect("lock").push(String::from_utf8_lossy(&request).into_owned());
                    // A client that hangs up early is what some tests are about.
                    let _ = socket.write_all(&answer).await;
                    if !then_close {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Peer { port, connections, requests }
    }

    fn ok(body: &str) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_bytes()
    }

    fn url(host: &str, port: u16) -> Url {
        Url::parse(&format!("http://{host}:{port}/x")).expect("url")
    }

    fn outbound(rule: NetworkRule, answers: &[&[&str]]) -> (Outbound, Arc<Scripted>) {
        let resolver = Scripted::new(answers);
        (Outbound::new(rule, Arc::clone(&resolver) as Arc<dyn Resolver>).expect("client"), resolver)
    }

    #[tokio::test]
    async fn the_checked_address_is_the_one_connected_to() {
        let peer = peer(ok("hello"), true).await;
        // Allowed at the first question, something else ever after: a second look-up within the call would show.
        let (client, resolver) = outbound(LOCAL, &[&["10.0.0.1", "127.0.0.1"], &["10.0.0.1"]]);
        let answer = client.send(OutRequest::get(url("peer.example", peer.port))).await.expect("answer");
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"hello"[..]));
        assert_eq!(resolver.asked.load(Ordering::SeqCst), 1, "resolved once");
        let refused = client.send(OutRequest::get(url("peer.example", peer.port))).await.expect_err("private");
        assert_eq!(refused.code(), Code::AddressRefused);
        assert!(refused.message().contains("network.allow_private"), "{refused}");
        assert_eq!(peer.connections.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn forbidden_addresses_get_no_connection() {
        let peer = peer(ok("secret"), true).await;
        let (client, _) = outbound(STRICT, &[&["127.0.0.1"]]);
        for host in ["rebind.example", "127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"] {
            let error = client.send(OutRequest::get(url(host, peer.port))).await.expect_err(host);
            assert_eq!(error.code(), Code::AddressRefused, "{host}: {error}");
        }
        assert_eq!(peer.connections.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn localhost_is_not_made_to_mean_another_machine() {
        let (client, _) = outbound(NetworkRule { allow_http: false, ..LOCAL }, &[&["93.184.216.34"]]);
        let error = client.send(OutRequest::get(url("localhost", 80))).await.expect_err("not loopback");
        assert_eq!(error.code(), Code::AddressRefused);
    }

    #[tokio::test]
    async fn redirects_are_answers() {
        let target = peer(ok("elsewhere"), true).await;
        let location =
            format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:{}/\r\ncontent-length: 0\r\n\r\n", target.port);
        let first = peer(location.into_bytes(), true).await;
        let (client, _) = outbound(LOCAL, &[]);
        let answer = client.send(OutRequest::get(url("127.0.0.1", first.port))).await.expect("answer");
        assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(target.connections.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn too_much_is_refused_announced_or_not() {
        let (client, _) = outbound(LOCAL, &[]);
        let announced = peer(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nx".to_vec(), false).await;
        let mut streamed = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
        streamed.extend(vec![b'x'; 100_000]);
        let unannounced = peer(streamed, true).await;
        for port in [announced.port, unannounced.port] {
            let error = client.send(OutRequest::get(url("127.0.0.1", port)).with_limit(1_000)).await.expect_err("too large");
            assert_eq!(error.code(), Code::PeerAnsweredBadly, "{error}");
            assert!(error.message().contains("larger"), "{error}");
        }
        let exact = client.send(OutRequest::get(url("127.0.0.1", unannounced.port)).with_limit(100_000)).await.expect("fits exactly");
        assert_eq!(exact.body.len(), 100_000);
    }

    #[tokio::test]
    async fn too_slow_ends_at_the_timeout() {
        let (client, _) = outbound(LOCAL, &[]);
        let mute = peer(Vec::new(), false).await;
        let stalls = peer(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec(), false).await;
        for port in [mute.port, stalls.port] {
            let request = OutRequest::get(url("127.0.0.1", port)).with_timeout(Duration::from_millis(200));
            let error = client.send(request).await.expect_err("slow");
            assert_eq!(error.code(), Code::PeerUnreachable, "{error}");
            assert!(error.message().contains("in time"), "{error}");
        }
    }

    #[tokio::test]
    async fn garbage_is_named_as_such() {
        let (client, _) = outbound(LOCAL, &[]);
        for (answer, code, words) in [
            (&b"SSH-2.0-OpenSSH_9.6\r\n\r\n"[..], Code::PeerAnsweredBadly, "not HTTP"),
            (b"\x00\x01\x02\x03\x04\x05\x06\x07\r\n\r\n", Code::PeerAnsweredBadly, "not HTTP"),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", Code::PeerUnreachable, "before its answer was complete"),
            (b"", Code::PeerUnreachable, "before its answer was complete"),
        ] {
            let peer = peer(answer.to_vec(), true).await;
            let error = client.send(OutRequest::get(url("127.0.0.1", peer.port))).await.expect_err("garbage");
            assert_eq!(error.code(), code, "{answer:?}: {error} {:?}", error.internal());
            assert!(error.message().contains(words), "{answer:?}: {error}");
        }
        let endless = peer(format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(100_000)).into_bytes(), true).await;
        let error = client.send(OutRequest::get(url("127.0.0.1", endless.port))).await.expect_err("endless headers");
        assert_eq!(error.code(), Code::PeerAnsweredBadly, "{error}");
    }

    #[tokio::test]
    async fn absence_has_a_reason() {
        let (client, _) = outbound(LOCAL, &[&[]]);
        // A port that was just free, and which nobody listens on.
        let port = TcpListener::bind("127.0.0.1:0").await.expect("bind").local_addr().expect("address").port();
        let refused = client.send(OutRequest::get(url("127.0.0.1", port))).await.expect_err("closed");
        assert_eq!(refused.code(), Code::PeerUnreachable);
        assert!(refused.message().contains("connection refused"), "{refused}");
        let signed = Url::parse(&format!("http://127.0.0.1:{port}/x?signature=hush")).expect("url");
        let signed = client.send(OutRequest::get(signed)).await.expect_err("closed");
        assert!(!format!("{signed:?}").contains("hush"), "secrets of a URL stay out of messages and logs: {signed:?}");
        assert!(signed.internal().is_some_and(|causes| causes.contains("refused")), "{signed:?}");
        let unnamed = client.send(OutRequest::get(url("nobody.example", 80))).await.expect_err("no address");
        assert_eq!(unnamed.code(), Code::PeerUnreachable);
        assert!(unnamed.message().contains("no address"), "{unnamed}");
        let plain = peer(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), true).await;
        let tls = Url::parse(&format!("https://127.0.0.1:{}/", plain.port)).expect("url");
        let tls = client.send(OutRequest::get(tls).with_timeout(Duration::from_millis(500))).await.expect_err("no TLS there");
        assert_eq!(tls.code(), Code::PeerUnreachable, "{tls}");
    }

    #[tokio::test]
    async fn downloads_arrive_in_pieces_and_continue() {
        let peer = peer(b"HTTP/1.1 206 Partial Content\r\ncontent-length: 5\r\nconnection: close\r\n\r\nworld".to_vec(), true).await;
        let (client, _) = outbound(LOCAL, &[]);
        let request = || OutRequest::get(url("127.0.0.1", peer.port)).with_range_from(6);
        let mut stream = client.open(request()).await.expect("open");
        assert_eq!((stream.status, stream.length), (StatusCode::PARTIAL_CONTENT, Some(5)));
        let mut got = Vec::new();
        while let Some(piece) = stream.chunk().await.expect("piece") {
            got.extend_from_slice(&piece);
        }
        assert_eq!(got, b"world");
        let mut limited = client.open(request().with_limit(4)).await.expect("open");
        assert_eq!(limited.chunk().await.expect_err("too large").code(), Code::PeerAnsweredBadly);
        let seen = peer.requests.lock().expect("lock")[0].to_ascii_lowercase();
        assert!(seen.contains("range: bytes=6-\r\n"), "{seen}");
        assert!(seen.contains(concat!("user-agent: fondaco/", env!("CARGO_PKG_VERSION"), "\r\n")), "{seen}");
        assert!(!seen.contains("accept-encoding"), "{seen}");
    }
}
