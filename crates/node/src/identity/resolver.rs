//! From a `did:web` to its document: <https://w3c-ccg.github.io/did-method-web/#read-resolve>.
//!
//! Anybody can make us resolve a DID by naming it in a token, so: one fetch at a time per DID, a bounded number in all,
//! failures remembered for a moment, and a cache bounded in bytes. https; on loopback http first, and
//! where `network.allow_http` says so http when https is not there.

use super::document::{DOCUMENT_MAX_BYTES, KeySet};
use crate::net::{OutRequest, Outbound, address};
use fondaco_core::{
    error::{Code, Error, Result},
    participant::Did,
    time::{Clock, Micros, Timestamp},
};
use http::{HeaderValue, StatusCode, header};
use moka::future::Cache;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use url::Url;

/// How long a document is believed: a revoked key works this much longer.
pub const DOCUMENT_TTL: Micros = Micros::from_secs(300);
/// How long a failure is remembered: long enough to absorb a burst, short enough for a peer that just came up.
pub const FAILURE_TTL: Micros = Micros::from_secs(5);
/// Least time between two fetches of one document because of a key that is not in it. A new key may have been added,
/// or somebody is making up key ids.
pub const REFRESH_INTERVAL: Micros = Micros::from_secs(10);
/// Most documents kept.
pub const CACHE_MAX_ENTRIES: u32 = 10_000;
/// Most memory for them.
const CACHE_MAX_BYTES: u32 = 32 * 1024 * 1024;
/// Fetches at once, over all DIDs.
const FETCHES_MAX: usize = 128;
/// One fetch, all attempts.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// What was found, and when it was last looked for.
#[derive(Clone, Debug)]
struct Entry {
    found_at: Timestamp,
    tried_at: Timestamp,
    outcome: Result<Arc<KeySet>>,
}

impl Entry {
    fn is_fresh(&self, now: Timestamp) -> bool {
        let ttl = match &self.outcome {
            Ok(_) => DOCUMENT_TTL,
            // Our own lack of room says nothing about the DID.
            Err(e) if e.code() == Code::Unavailable => return false,
            Err(_) => FAILURE_TTL,
        };
        // A negative age is a clock that was set back: look again rather than believe for longer.
        (0..ttl.0).contains(&now.since(self.found_at).0)
    }
    fn may_refresh(&self, now: Timestamp) -> bool {
        !self.is_fresh(now) || self.outcome.is_ok() && now.since(self.tried_at).0 >= REFRESH_INTERVAL.0
    }
}

/// Resolves DIDs to documents, with a cache. Cheap to clone; clones share the cache.
#[derive(Clone)]
pub struct DidResolver {
    outbound: Outbound,
    clock: Arc<dyn Clock>,
    cache: Cache<Did, Entry>,
    fetches: Arc<Semaphore>,
}

impl std::fmt::Debug for DidResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DidResolver({} cached)", self.cache.entry_count())
    }
}

impl DidResolver {
    /// A resolver with an empty cache.
    pub fn new(outbound: Outbound, clock: Arc<dyn Clock>) -> Self {
        let least = CACHE_MAX_BYTES / CACHE_MAX_ENTRIES;
        let cache = Cache::builder()
            .max_capacity(u64::from(CACHE_MAX_BYTES))
            // Each entry weighs its bytes, and at least the share that makes for the greatest number of entries.
            .weigher(move |did: &Did, entry: &Entry| {
                let bytes = did.as_str().len() + entry.outcome.as_ref().map_or(0, |set| set.weight());
                u32::try_from(bytes).unwrap_or(u32::MAX).max(least)
            })
            .time_to_live(DOCUMENT_TTL.to_std())
            .build();
        Self { outbound, clock, cache, fetches: Arc::new(Semaphore::new(FETCHES_MAX)) }
    }

    /// The document of a DID, at most [`DOCUMENT_TTL`] old.
    ///
    /// # Errors
    /// [`Code::DidInvalid`] when it is no usable did:web, [`Code::AddressRefused`] when it points where we do not call,
    /// [`Code::DidUnresolvable`] when its document cannot be had or used, [`Code::Unavailable`] under too many look-ups.
    pub async fn resolve(&self, did: &Did) -> Result<Arc<KeySet>> {
        let now = self.clock.now();
        if let Some(entry) = self.cache.get(did).await.filter(|entry| entry.is_fresh(now)) {
            return entry.outcome;
        }
        self.look_up(did, now, |entry, now| !entry.is_fresh(now)).await
    }

    /// The document again, because a key was not in it; the cached one when it was looked for less than
    /// [`REFRESH_INTERVAL`] ago.
    ///
    /// # Errors
    /// As [`DidResolver::resolve`].
    pub async fn refresh(&self, did: &Did) -> Result<Arc<KeySet>> {
        self.look_up(did, self.clock.now(), Entry::may_refresh).await
    }

    /// Looks again when `stale` says so. The cache runs one look-up per DID and gives its result to all who wait.
    async fn look_up(&self, did: &Did, now: Timestamp, stale: fn(&Entry, Timestamp) -> bool) -> Result<Arc<KeySet>> {
        let known = self.cache.get(did).await;
        let init = async {
            let outcome = self.fetch(did).await;
            match (outcome, known) {
                // Somebody's made-up key id at a bad moment must not cost a good document.
                (Err(_), Some(old)) if old.outcome.is_ok() && old.is_fresh(now) => Entry { tried_at: now, ..old },
                (outcome, _) => Entry { found_at: now, tried_at: now, outcome },
            }
        };
        self.cache.entry_by_ref(did).or_insert_with_if(init, |entry| stale(entry, now)).await.into_value().outcome
    }

    async fn fetch(&self, did: &Did) -> Result<Arc<KeySet>> {
        let (authority, path) = did.web_location()?;
        let _permit = self
            .fetches
            .try_acquire()
            .map_err(|_| Error::new(Code::Unavailable, "Too many DID documents are being looked up. Try again in a moment."))?;
        let secure = location("https", &authority, &path, did)?;
        let attempts = if address::is_loopback_host(&secure) {
            // Behind a proxy with TLS on the same machine, it is https after all.
            vec![location("http", &authority, &path, did)?, secure]
        } else if self.outbound.rule().allow_http {
            vec![secure, location("http", &authority, &path, did)?]
        } else {
            vec![secure]
        };
        let all = async {
            let mut last = unresolvable(did, "it has no address");
            for url in attempts {
                match self.get(did, url).await {
                    // Nothing speaks this there: the next attempt, where one is allowed.
                    Err(e) if e.code() == Code::PeerUnreachable => {
                        last = unresolvable(did, e.message()).with_internal(e.internal().unwrap_or_default());
                    }
                    other => return other,
                }
            }
            Err(last)
        };
        tokio::time::timeout(FETCH_TIMEOUT, all)
            .await
            .unwrap_or_else(|_| Err(unresolvable(did, "its host did not answer in time")))
            .map(Arc::new)
    }

    async fn get(&self, did: &Did, url: Url) -> Result<KeySet> {
        let plain = url.scheme() == "http";
        let request = OutRequest::get(url)
            .with_header(header::ACCEPT, HeaderValue::from_static("application/did+json, application/did+ld+json, application/json"))
            .with_limit(DOCUMENT_MAX_BYTES as u64)
            .with_timeout(FETCH_TIMEOUT);
        let answer = self.outbound.send(request).await.map_err(|e| match e.code() {
            Code::PeerAnsweredBadly => unresolvable(did, e.message()),
            _ => e,
        })?;
        if plain && answer.status == StatusCode::BAD_REQUEST {
            // What a port that speaks TLS says to those who do not.
            return Err(Error::new(Code::PeerUnreachable, "its host does not speak plain http there"));
        }
        if answer.status != StatusCode::OK {
            return Err(unresolvable(did, &format!("its host answered {}", answer.status.as_u16())));
        }
        KeySet::parse(did, &answer.body)
    }
}

fn location(scheme: &str, authority: &str, path: &str, did: &Did) -> Result<Url> {
    let url = Url::parse(&format!("{scheme}://{authority}{path}"))
        .map_err(|e| Error::new(Code::DidInvalid, format!("\"{did}\" is not a usable did:web: {e}.")))?;
    // What the URL parser understood must be what the DID says, and nothing but a host, a port and that path.
    let host = url.host_str().unwrap_or_default();
    let as_written =
        authority.starts_with(host) && url.path() == path && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !as_written {
        return Err(Error::new(Code::DidInvalid, format!("\"{did}\" is not a usable did:web: its address has another spelling.")));
    }
    Ok(url)
}

fn unresolvable(did: &Did, why: &str) -> Error {
    let why = why.trim_end_matches('.');
    Error::new(Code::DidUnresolvable, format!("The DID document of {did} cannot be had: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{NetworkRule, Resolver};
    use fondaco_core::time::ManualClock;
    use futures::future::BoxFuture;
    use std::{
        io,
        net::{IpAddr, Ipv4Addr},
        sync::{
            Mutex,
            atomic::{AtomicUsize, Ordering},
        },
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    const LOCAL: NetworkRule = NetworkRule { allow_private: false, allow_loopback: true, allow_http: false };

    /// A host of one DID document, which may be changed, with a count of how often it was asked.
    struct Host {
        did: Did,
        asked: Arc<AtomicUsize>,
        answer: Arc<Mutex<(u16, String)>>,
    }

    async fn host() -> Host {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let did = Did::parse(&format!("did:web:127.0.0.1%3A{port}:p:acme")).expect("did");
        let asked = Arc::new(AtomicUsize::new(0));
        let answer = Arc::new(Mutex::new((200, format!(r#"{{"id":"{did}"}}"#))));
        let (count, says) = (Arc::clone(&asked), Arc::clone(&answer));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut request = [0u8; 4096];
                let n = socket.read(&mut request).await.unwrap_or(0);
                let (status, body) = if request[..n].starts_with(b"GET /p/acme/did.json ") {
                    says.lock().expect("lock").clone()
                } else {
                    (404, String::new())
                };
                let head = format!(
                    "HTTP/1.1 {status} X\r\nlocation: /p/acme/did.json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                // A client that stops reading is one of the cases.
                let _ = socket.write_all((head + &body).as_bytes()).await;
            }
        });
        Host { did, asked, answer }
    }

    fn resolver(rule: NetworkRule) -> (DidResolver, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_800_000_000_000_000)));
        (DidResolver::new(Outbound::system(rule).expect("client"), Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    impl Host {
        fn count(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
        fn says(&self, status: u16, body: String) {
            *self.answer.lock().expect("lock") = (status, body);
        }
    }

    #[tokio::test]
    async fn documents_are_cached_for_their_time() {
        let host = host().await;
        let (resolver, clock) = resolver(LOCAL);
        for _ in 0..3 {
            assert_eq!(resolver.resolve(&host.did).await.expect("document").did, host.did);
        }
        assert_eq!(host.count(), 1);
        clock.advance(Micros(DOCUMENT_TTL.0 - 1));
        resolver.resolve(&host.did).await.expect("still");
        assert_eq!(host.count(), 1);
        clock.advance(Micros(1));
        resolver.resolve(&host.did).await.expect("again");
        assert_eq!(host.count(), 2);
    }

    #[tokio::test]
    async fn many_askers_make_one_fetch() {
        let host = host().await;
        let (resolver, _) = resolver(LOCAL);
        let asking = (0..100).map(|_| resolver.resolve(&host.did));
        assert!(futures::future::join_all(asking).await.iter().all(Result::is_ok));
        assert_eq!(host.count(), 1);
    }

    #[tokio::test]
    async fn refreshes_are_rationed_and_keep_a_good_document() {
        let host = host().await;
        let (resolver, clock) = resolver(LOCAL);
        resolver.resolve(&host.did).await.expect("document");
        for _ in 0..5 {
            resolver.refresh(&host.did).await.expect("too soon: the cached one");
        }
        assert_eq!(host.count(), 1);
        clock.advance(REFRESH_INTERVAL);
        host.says(500, String::new());
        for _ in 0..5 {
            resolver.refresh(&host.did).await.expect("the old one survives a bad moment");
        }
        assert_eq!(host.count(), 2, "one attempt, then rationed again");
        resolver.resolve(&host.did).await.expect("still cached");
        clock.advance(DOCUMENT_TTL);
        assert_eq!(resolver.resolve(&host.did).await.expect_err("now too old").code(), Code::DidUnresolvable);
    }

    #[tokio::test]
    async fn failures_are_remembered_for_a_moment() {
        let host = host().await;
        host.says(404, String::new());
        let (resolver, clock) = resolver(LOCAL);
        for _ in 0..3 {
            let error = resolver.resolve(&host.did).await.expect_err("missing");
            assert_eq!(error.code(), Code::DidUnresolvable);
            assert!(error.message().contains("404"), "{error}");
            assert!(resolver.refresh(&host.did).await.is_err());
        }
        assert_eq!(host.count(), 1);
        host.says(200, format!(r#"{{"id":"{}"}}"#, host.did));
        clock.advance(FAILURE_TTL);
        resolver.resolve(&host.did).await.expect("there now");
    }

    #[tokio::test]
    async fn lies_redirects_and_bulk_are_refused() {
        for (status, body) in [
            (200, r#"{"id":"did:web:other.example"}"#.to_owned()),
            (200, "<html>".to_owned()),
            (200, " ".repeat(DOCUMENT_MAX_BYTES + 1)),
            (302, String::new()),
            (204, String::new()),
        ] {
            let host = host().await;
            host.says(status, body);
            let (resolver, _) = resolver(LOCAL);
            let error = resolver.resolve(&host.did).await.expect_err("refused");
            assert_eq!(error.code(), Code::DidUnresolvable, "{status}: {error}");
            assert_eq!(host.count(), 1, "{status}: asked once, redirect not followed");
        }
    }

    #[tokio::test]
    async fn addresses_follow_the_rule() {
        let host = host().await;
        let (strict, _) = resolver(NetworkRule::default());
        assert_eq!(strict.resolve(&host.did).await.expect_err("loopback").code(), Code::AddressRefused);
        assert_eq!(host.count(), 0);
        for (did, code) in [
            ("did:web:10.0.0.1", Code::AddressRefused),
            ("did:web:169.254.169.254:latest", Code::AddressRefused),
            ("did:web:%5B%3A%3A1%5D%3A7400", Code::AddressRefused),
            ("did:web:host.example%3A0", Code::AddressRefused),
            ("did:web:host.example%3A99999", Code::DidInvalid),
            ("did:web:2130706433", Code::DidInvalid),
            ("did:web:0x7f.1", Code::DidInvalid),
            ("did:web:HOST.example", Code::DidInvalid),
            ("did:web:a%3A80%3A90", Code::DidInvalid),
            ("did:key:z6Mk", Code::DidInvalid),
        ] {
            let error = strict.resolve(&Did::parse(did).expect("text")).await.expect_err(did);
            assert_eq!(error.code(), code, "{did}: {error}");
        }
    }

    #[tokio::test]
    async fn plain_http_is_tried_only_where_it_is_allowed() {
        struct Here;
        impl Resolver for Here {
            fn resolve(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
                Box::pin(std::future::ready(Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])))
            }
        }
        for (allow_http, connections) in [(false, 1), (true, 2)] {
            let mut host = host().await;
            host.did = Did::parse(&host.did.as_str().replace("127.0.0.1", "peer.example")).expect("did");
            host.says(200, format!(r#"{{"id":"{}"}}"#, host.did));
            let outbound = Outbound::new(NetworkRule { allow_http, ..LOCAL }, Arc::new(Here)).expect("client");
            let resolver = DidResolver::new(outbound, Arc::new(ManualClock::new(Timestamp::from_micros(0))));
            let found = resolver.resolve(&host.did).await;
            assert_eq!(found.is_ok(), allow_http, "{found:?}");
            assert_eq!(host.count(), connections, "https first, then http where allowed");
        }
    }

    #[tokio::test]
    async fn a_host_that_is_down_is_named() {
        let port = TcpListener::bind("127.0.0.1:0").await.expect("bind").local_addr().expect("address").port();
        let did = Did::parse(&format!("did:web:127.0.0.1%3A{port}:p:acme")).expect("did");
        let error = resolver(LOCAL).0.resolve(&did).await.expect_err("down");
        assert_eq!(error.code(), Code::DidUnresolvable);
        assert!(error.message().contains("connection refused"), "{error}");
    }
}
