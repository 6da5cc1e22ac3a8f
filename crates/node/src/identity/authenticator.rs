//! How a node proves who it is to peers and learns who calls it: design section 2.
//!
//! `did` is the real one. `static` and `edc-mock` prove nothing; they exist for test kits and for connectors that run
//! with a mock identity service, and only the node's configuration can choose them.

use super::{
    keys::SigningKey,
    resolver::DidResolver,
    token::{self, AgreementClaim, Caller, SKEW, TOKEN_MAX_BYTES},
};
use crate::secrets::entropy::{NONCE_BYTES, random_text};
use fondaco_core::{
    entropy::Entropy,
    error::{Code, Error, Result},
    participant::{Declarations, Did},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Longest `Authorization` header looked at: a token and its scheme.
pub const AUTHORIZATION_MAX_BYTES: usize = TOKEN_MAX_BYTES + 16;

/// The node's way of authenticating peers.
#[derive(Clone, Debug)]
pub enum Authenticator {
    /// Self-issued tokens, checked against DID documents.
    Did(DidResolver),
    /// Fixed header values.
    Static(StaticHeaders),
    /// Bare JSON naming the caller, as EDC's `iam-mock` sends it.
    EdcMock,
}

/// Header values that stand for participants.
#[derive(Clone, Debug)]
pub struct StaticHeaders {
    /// By the hash of the whole header, so that look-up time tells nothing about the values.
    callers: HashMap<[u8; 32], Did>,
    outgoing: String,
}

impl StaticHeaders {
    /// From pairs of header value and caller, and the header value of our own calls.
    pub fn new<'a>(callers: impl IntoIterator<Item = (&'a str, Did)>, outgoing: impl Into<String>) -> Self {
        let callers = callers.into_iter().map(|(header, did)| (Sha256::digest(header.as_bytes()).into(), did)).collect();
        Self { callers, outgoing: outgoing.into() }
    }
}

/// The region that we claim towards `iam-mock`: its own default.
const MOCK_REGION: &str = "eu";

/// What `iam-mock` puts into the header and what we read of it. Its other members say nothing we need.
#[derive(Deserialize)]
struct MockToken {
    #[serde(rename = "clientId")]
    client_id: Did,
}

/// What we put there: all members, since `iam-mock` answers 500 when one that it turns into a claim is missing.
#[derive(Serialize)]
struct OwnMockToken<'a> {
    region: &'static str,
    audience: &'a Did,
    #[serde(rename = "clientId")]
    client_id: &'a Did,
}

impl Authenticator {
    /// Who sent a call with this `Authorization` header to the participant `own`.
    ///
    /// The returned [`Caller::replay`] must be recorded in the transaction that applies the call; a token seen before is
    /// [`Code::TokenReplayed`].
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] without a header, [`Code::TokenInvalid`] when it proves nothing, and
    /// [`Code::DidUnresolvable`] or [`Code::Unavailable`] when the proof cannot be checked right now (worth a retry).
    pub async fn authenticate(&self, authorization: Option<&str>, own: &Did, now: Timestamp) -> Result<Caller> {
        let header = authorization
            .ok_or_else(|| Error::new(Code::Unauthenticated, "This call needs an Authorization header that says who is calling."))?;
        if header.len() > AUTHORIZATION_MAX_BYTES {
            return Err(refused("the Authorization header is too large"));
        }
        match self {
            Self::Did(resolver) => by_token(resolver, header, own, now).await,
            Self::Static(headers) => {
                let digest: [u8; 32] = Sha256::digest(header.as_bytes()).into();
                let did = headers.callers.get(&digest).cloned().ok_or_else(|| refused("the Authorization header is not a known one"))?;
                Ok(Caller { did, replay: None, declared: Declarations::default(), signed: None })
            }
            Self::EdcMock => {
                let token: MockToken =
                    serde_json::from_str(header).map_err(|_| refused("the Authorization header is not JSON with a clientId"))?;
                Ok(Caller { did: token.client_id, replay: None, declared: Declarations::default(), signed: None })
            }
        }
    }

    /// The `Authorization` header of a call from `own` to `peer`.
    ///
    /// # Errors
    /// As [`token::mint`].
    pub fn outgoing(
        &self,
        key: &SigningKey,
        own: &Did,
        peer: &Did,
        declared: &Declarations,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<String> {
        self.outgoing_signing(key, own, peer, declared, None, now, entropy)
    }

    /// The same for a call that signs an agreement, where the authenticator can.
    ///
    /// # Errors
    /// As [`token::mint`].
    #[expect(clippy::too_many_arguments, reason = "what a token says")]
    pub fn outgoing_signing(
        &self,
        key: &SigningKey,
        own: &Did,
        peer: &Did,
        declared: &Declarations,
        agreement: Option<&AgreementClaim>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<String> {
        match self {
            Self::Did(_) => {
                let jti = random_text::<NONCE_BYTES>(entropy);
                Ok(format!("Bearer {}", token::mint_signing(key, own, peer, declared, agreement, now, &jti)?))
            }
            Self::Static(headers) => Ok(headers.outgoing.clone()),
            Self::EdcMock => {
                let token = OwnMockToken { region: MOCK_REGION, audience: peer, client_id: own };
                serde_json::to_string(&token).map_err(Error::internal_failure)
            }
        }
    }
}

async fn by_token(resolver: &DidResolver, header: &str, own: &Did, now: Timestamp) -> Result<Caller> {
    let token = header
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| Error::new(Code::Unauthenticated, "This call needs an Authorization header with a Bearer token."))?;
    // Everything that needs no document first: a token that is wrong anyway must not make us call anybody.
    let unverified = token::peek(token)?;
    let mut document = resolver.resolve(&unverified.issuer).await.map_err(cannot_check)?;
    if document.method(&unverified.kid).is_none() {
        document = resolver.refresh(&unverified.issuer).await.map_err(cannot_check)?;
    }
    token::verify(token, &document, own, now, SKEW)
}

/// What an unproven caller learns about a look-up that they made us do: not what answered there, or we would be their
/// port scanner. The log has the reason.
fn cannot_check(error: Error) -> Error {
    let reason = format!("{}: {} {}", error.code().as_str(), error.message(), error.internal().unwrap_or_default());
    match error.code() {
        Code::AddressRefused | Code::DidInvalid => refused("its issuer's DID does not lead to an address that this node calls"),
        Code::Unavailable => error,
        _ => Error::new(Code::DidUnresolvable, "The DID document of the caller could not be fetched or used. Is it reachable from here?"),
    }
    .with_internal(reason)
}

fn refused(why: &str) -> Error {
    Error::new(Code::TokenInvalid, format!("The token is not valid: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        net::{NetworkRule, Outbound},
        secrets::OsEntropy,
    };
    use fondaco_core::time::{Clock, ManualClock, Micros};
    use serde_json::json;
    use std::sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn did(text: &str) -> Did {
        Did::parse(text).expect("did")
    }

    /// A caller with a DID document that names the given keys, served over loopback.
    struct Alice {
        did: Did,
        keys: Arc<Mutex<Vec<SigningKey>>>,
        asked: Arc<AtomicUsize>,
    }

    async fn alice() -> Alice {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let did = did(&format!("did:web:127.0.0.1%3A{port}:p:alice"));
        let keys = Arc::new(Mutex::new(vec![SigningKey::generate().expect("key")]));
        let asked = Arc::new(AtomicUsize::new(0));
        let (shown, count, id) = (Arc::clone(&keys), Arc::clone(&asked), did.clone());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let body = {
                    let keys = shown.lock().expect("lock");
                    let names: Vec<_> = keys.iter().map(|k| k.verification_method(&id)).collect();
                    let methods: Vec<_> = keys
                        .iter()
                        .zip(&names)
                        .map(|(k, name)| json!({"id": name, "type": "JsonWebKey2020", "controller": id, "publicKeyJwk": k.public_jwk()}))
                        .collect();
                    json!({"id": id, "verificationMethod": methods, "authentication": names}).to_string()
                };
                let mut request = [0u8; 4096];
                let read = socket.read(&mut request).await;
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                // Nothing to do about a client that is gone.
                let _ = (read, socket.write_all(answer.as_bytes()).await);
            }
        });
        Alice { did, keys, asked }
    }

    fn by_did(allow_loopback: bool) -> (Authenticator, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(NOW));
        let outbound = Outbound::system(NetworkRule { allow_loopback, ..NetworkRule::default() }).expect("client");
        (Authenticator::Did(DidResolver::new(outbound, Arc::clone(&clock) as Arc<dyn Clock>)), clock)
    }

    fn header(authenticator: &Authenticator, alice: &Alice, key: usize, peer: &Did) -> String {
        let key = alice.keys.lock().expect("lock")[key].clone();
        authenticator.outgoing(&key, &alice.did, peer, &Declarations::default(), NOW, &OsEntropy).expect("header")
    }

    #[tokio::test]
    async fn a_caller_is_known_by_their_document() {
        let (alice, bob) = (alice().await, did("did:web:bob.example"));
        let (authenticator, _) = by_did(true);
        let first = header(&authenticator, &alice, 0, &bob);
        let caller = authenticator.authenticate(Some(&first), &bob, NOW).await.expect("known");
        assert_eq!(caller.did, alice.did);
        let second = authenticator.authenticate(Some(&header(&authenticator, &alice, 0, &bob)), &bob, NOW).await.expect("known");
        assert_ne!(caller.replay.expect("replay").jti, second.replay.expect("replay").jti, "each call has its own jti");
        let lower = first.replace("Bearer ", "bearer ");
        assert!(authenticator.authenticate(Some(&lower), &bob, NOW).await.is_ok());
        let not_for_us = authenticator.authenticate(Some(&first), &did("did:web:carol.example"), NOW).await.expect_err("audience");
        assert_eq!(not_for_us.code(), Code::TokenInvalid);
        assert_eq!(alice.asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_rotated_key_is_found_and_a_made_up_one_is_not() {
        let (alice, bob) = (alice().await, did("did:web:bob.example"));
        let (authenticator, clock) = by_did(true);
        authenticator.authenticate(Some(&header(&authenticator, &alice, 0, &bob)), &bob, NOW).await.expect("known");
        clock.advance(Micros::from_secs(10));
        alice.keys.lock().expect("lock").push(SigningKey::generate().expect("key"));
        authenticator.authenticate(Some(&header(&authenticator, &alice, 1, &bob)), &bob, NOW).await.expect("rotated");
        assert_eq!(alice.asked.load(Ordering::SeqCst), 2);
        let stranger = SigningKey::generate().expect("key");
        for _ in 0..5 {
            let forged = authenticator.outgoing(&stranger, &alice.did, &bob, &Declarations::default(), NOW, &OsEntropy).expect("header");
            assert_eq!(authenticator.authenticate(Some(&forged), &bob, NOW).await.expect_err("forged").code(), Code::TokenInvalid);
        }
        assert_eq!(alice.asked.load(Ordering::SeqCst), 2, "made-up keys do not make us ask again and again");
    }

    #[tokio::test]
    async fn nothing_proves_nothing() {
        let bob = did("did:web:bob.example");
        let (authenticator, _) = by_did(false);
        for (header, code) in [
            (None, Code::Unauthenticated),
            (Some(String::new()), Code::Unauthenticated),
            (Some("Basic abc".into()), Code::Unauthenticated),
            (Some("Bearer".into()), Code::Unauthenticated),
            (Some("Bearer ".into()), Code::TokenInvalid),
            (Some("Bearer a.b.c".into()), Code::TokenInvalid),
            (Some(r#"{"clientId":"did:web:alice.example"}"#.into()), Code::Unauthenticated),
            (Some(format!("Bearer {}", "x".repeat(AUTHORIZATION_MAX_BYTES))), Code::TokenInvalid),
        ] {
            assert_eq!(authenticator.authenticate(header.as_deref(), &bob, NOW).await.expect_err("refused").code(), code, "{header:?}");
        }
    }

    #[tokio::test]
    async fn a_token_does_not_make_us_a_port_scanner() {
        let (alice, bob) = (alice().await, did("did:web:bob.example"));
        let (strict, _) = by_did(false);
        let inside = strict.authenticate(Some(&header(&strict, &alice, 0, &bob)), &bob, NOW).await.expect_err("loopback");
        assert_eq!(inside.code(), Code::TokenInvalid);
        assert_eq!(alice.asked.load(Ordering::SeqCst), 0);
        // Reachable but closed: the caller may retry, and does not learn whether the port was closed or said something.
        let (open, _) = by_did(true);
        let port = TcpListener::bind("127.0.0.1:0").await.expect("bind").local_addr().expect("address").port();
        let nobody = did(&format!("did:web:127.0.0.1%3A{port}"));
        let key = SigningKey::generate().expect("key");
        let token = open.outgoing(&key, &nobody, &bob, &Declarations::default(), NOW, &OsEntropy).expect("header");
        let down = open.authenticate(Some(&token), &bob, NOW).await.expect_err("down");
        assert_eq!(down.code(), Code::DidUnresolvable);
        assert!(!down.message().contains("refused"), "{down}");
        assert!(down.internal().is_some_and(|i| i.contains("connection refused")), "{:?}", down.internal());
    }

    #[tokio::test]
    async fn static_headers_are_whole_values() {
        let tck = did("TCK_PARTICIPANT");
        let authenticator = Authenticator::Static(StaticHeaders::new([("Bearer kit", tck.clone())], "Bearer us"));
        let own = did("did:web:bob.example");
        assert_eq!(authenticator.authenticate(Some("Bearer kit"), &own, NOW).await.expect("known").did, tck);
        for bad in ["Bearer kit ", "bearer kit", "kit", ""] {
            assert_eq!(authenticator.authenticate(Some(bad), &own, NOW).await.expect_err(bad).code(), Code::TokenInvalid);
        }
        let key = SigningKey::generate().expect("key");
        assert_eq!(authenticator.outgoing(&key, &own, &tck, &Declarations::default(), NOW, &OsEntropy).expect("header"), "Bearer us");
    }

    #[tokio::test]
    async fn edc_mock_speaks_bare_json() {
        let own = did("did:web:bob.example");
        let key = SigningKey::generate().expect("key");
        let header = Authenticator::EdcMock.outgoing(&key, &own, &did("edc"), &Declarations::default(), NOW, &OsEntropy).expect("header");
        assert_eq!(header, r#"{"region":"eu","audience":"edc","clientId":"did:web:bob.example"}"#);
        let caller = Authenticator::EdcMock
            .authenticate(Some(r#"{"region":"eu","audience":"http://127.0.0.1:7400/p/bob/dsp/2025-1","clientId":"consumer"}"#), &own, NOW)
            .await
            .expect("known");
        assert_eq!((caller.did, caller.replay), (did("consumer"), None));
        for bad in ["", "{}", r#"{"clientId":7}"#, r#"{"clientId":""}"#, r#"{"clientId":"a b"}"#, "Bearer x"] {
            assert_eq!(Authenticator::EdcMock.authenticate(Some(bad), &own, NOW).await.expect_err(bad).code(), Code::TokenInvalid);
        }
    }
}
