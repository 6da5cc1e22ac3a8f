//! A consumer that only asks: a did:web with one key, whose document is served here, and tokens for calls to a
//! participant. It speaks for itself, so that what is measured is the node alone.

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Seconds that a token lives.
const LIFE: u64 = 120;
/// Largest request looked at: a GET with a few headers.
const REQUEST_MAX_BYTES: usize = 8_192;

/// Somebody who can sign in as itself.
pub(super) struct Caller {
    did: String,
    kid: String,
    key: EncodingKey,
    used: AtomicU64,
}

impl Caller {
    /// Makes a key, and serves its document until the runtime ends.
    pub(super) async fn new() -> Result<Self> {
        // The library asks which cryptography to use; an error says that it was told before.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).map_err(|_| anyhow!("no key"))?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).map_err(|_| anyhow!("no key"))?;
        // 0x04, then both coordinates.
        let point = pair.public_key().as_ref();
        let (x, y) = point.get(1..).and_then(|p| p.split_at_checked(32)).context("a point of P-256")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let did = format!("did:web:127.0.0.1%3A{}:p:reader", listener.local_addr()?.port());
        let kid = format!("{did}#key");
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)});
        let document = json!({"@context": ["https://www.w3.org/ns/did/v1"], "id": did,
            "verificationMethod": [{"id": kid, "type": "JsonWebKey2020", "controller": did, "publicKeyJwk": jwk}],
            "authentication": [kid], "assertionMethod": [kid]});
        tokio::spawn(serve(listener, document.to_string()));
        Ok(Self { did, kid, key: EncodingKey::from_ec_der(pkcs8.as_ref()), used: AtomicU64::new(0) })
    }

    /// A token for one call to a participant.
    pub(super) fn token(&self, audience: &str) -> Result<String> {
        #[expect(clippy::disallowed_methods, reason = "the node checks it against the time of day")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let jti = format!("{}-{}", now.as_nanos(), self.used.fetch_add(1, Ordering::Relaxed));
        let now = now.as_secs();
        let claims = json!({"iss": self.did, "sub": self.did, "aud": audience, "iat": now, "nbf": now, "exp": now + LIFE, "jti": jti});
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.kid.clone());
        Ok(jsonwebtoken::encode(&header, &claims, &self.key)?)
    }
}

/// Answers every request with the document.
async fn serve(listener: TcpListener, document: String) {
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/did+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{document}",
        document.len()
    );
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut request = Vec::with_capacity(REQUEST_MAX_BYTES);
        while !request.ends_with(b"\r\n\r\n") && request.len() < REQUEST_MAX_BYTES {
            if !matches!(stream.read_buf(&mut request).await, Ok(1..)) {
                break;
            }
        }
        // Whoever went away meanwhile needs no answer.
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}
