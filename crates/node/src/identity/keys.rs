//! A participant's ES256 key pair: made here, kept sealed, shown to others as a JWK in the DID document.
//!
//! JWK: RFC 7517 and 7518 section 6.2; the key id is the RFC 7638 thumbprint, so it names the key and nothing else.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fondaco_core::{
    error::{Error, Result},
    participant::Did,
};
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Once};
use zeroize::Zeroizing;

/// Bytes of each coordinate of a P-256 point.
const COORDINATE_BYTES: usize = 32;

/// A public P-256 key as a JWK. Only this kind is ours; other members of a foreign JWK are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicJwk {
    /// `EC`.
    pub kty: String,
    /// `P-256`.
    pub crv: String,
    /// The point's x, 32 bytes in base64url.
    pub x: String,
    /// The point's y, 32 bytes in base64url.
    pub y: String,
    /// The key's id; for our keys the thumbprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
}

impl PublicJwk {
    fn from_point(point: &[u8]) -> Option<Self> {
        let (x, y) = point.strip_prefix(&[4])?.split_at_checked(COORDINATE_BYTES)?;
        if y.len() != COORDINATE_BYTES {
            return None;
        }
        let mut jwk = Self { kty: "EC".into(), crv: "P-256".into(), x: URL_SAFE_NO_PAD.encode(x), y: URL_SAFE_NO_PAD.encode(y), kid: None };
        jwk.kid = Some(jwk.thumbprint());
        Some(jwk)
    }

    /// True for a P-256 key whose coordinates have the right length. Whether the point is on the curve is checked with
    /// each signature.
    pub fn is_p256(&self) -> bool {
        let whole = |text: &str| URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == COORDINATE_BYTES);
        self.kty == "EC" && self.crv == "P-256" && whole(&self.x) && whole(&self.y)
    }

    /// The RFC 7638 thumbprint: SHA-256 over the required members in alphabetical order.
    pub fn thumbprint(&self) -> String {
        // The members hold only base64url and constants (`is_p256`), so no escaping can be needed.
        let canonical = format!(r#"{{"crv":"{}","kty":"{}","x":"{}","y":"{}"}}"#, self.crv, self.kty, self.x, self.y);
        URL_SAFE_NO_PAD.encode(Sha256::digest(canonical.as_bytes()))
    }

    /// The key as the JWT library wants it; `None` when it is no P-256 key.
    pub(super) fn decoding_key(&self) -> Option<DecodingKey> {
        choose_provider();
        self.is_p256().then(|| DecodingKey::from_ec_components(&self.x, &self.y).ok()).flatten()
    }
}

/// A participant's private key. Never printed; wiped when dropped.
#[derive(Clone)]
pub struct SigningKey {
    pkcs8: Zeroizing<Vec<u8>>,
    /// Read once. The JWT library reads and checks the key for each signature, which takes longer than the signature.
    pair: Arc<EcdsaKeyPair>,
    public: PublicJwk,
    thumbprint: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.thumbprint)
    }
}

impl SigningKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// An internal failure when there is no randomness.
    pub fn generate() -> Result<Self> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| Error::internal_failure("no key could be generated"))?;
        Self::from_pkcs8(document.as_ref())
    }

    /// A key read back from storage.
    ///
    /// # Errors
    /// An internal failure when the bytes are not a P-256 key in PKCS#8.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
            .map_err(|_| Error::internal_failure("a stored signing key is not a P-256 key"))?;
        let public = PublicJwk::from_point(pair.public_key().as_ref())
            .ok_or_else(|| Error::internal_failure("a signing key has no uncompressed public point"))?;
        let thumbprint = public.thumbprint();
        Ok(Self { pkcs8: Zeroizing::new(der.to_vec()), pair: Arc::new(pair), public, thumbprint })
    }

    /// The private key in PKCS#8, to be sealed and stored.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
    /// The public half.
    pub const fn public_jwk(&self) -> &PublicJwk {
        &self.public
    }
    /// The id of the verification method in the owner's DID document: `did#thumbprint`.
    pub fn verification_method(&self, owner: &Did) -> String {
        format!("{owner}#{}", self.thumbprint)
    }

    /// Signs claims as a JWT in the name of the owner.
    ///
    /// # Errors
    /// An internal failure when the claims cannot be serialised or signing fails.
    pub fn sign_jwt(&self, owner: &Did, claims: &impl Serialize) -> Result<String> {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.verification_method(owner));
        let part = |json: serde_json::Result<Vec<u8>>| json.map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(Error::internal_failure);
        let signed = format!("{}.{}", part(serde_json::to_vec(&header))?, part(serde_json::to_vec(claims))?);
        let signature = self.signature(signed.as_bytes())?;
        Ok(format!("{signed}.{signature}"))
    }

    /// A JWS signature (RFC 7515 section 5.1) with ES256: both numbers at their full length (RFC 7518 section 3.4).
    fn signature(&self, of: &[u8]) -> Result<String> {
        let signature = self.pair.sign(&SystemRandom::new(), of).map_err(|_| Error::internal_failure("signing failed"))?;
        Ok(URL_SAFE_NO_PAD.encode(signature))
    }

    /// Signs bytes that travel beside the signature: a JWS with detached content (RFC 7515, appendix F).
    ///
    /// # Errors
    /// An internal failure when signing fails.
    pub fn sign_detached(&self, owner: &Did, content: &[u8]) -> Result<String> {
        let header = serde_json::json!({"alg": "ES256", "kid": self.verification_method(owner)}).to_string();
        let header = URL_SAFE_NO_PAD.encode(header);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(content));
        let signature = self.signature(signed.as_bytes())?;
        Ok(format!("{header}..{signature}"))
    }
}

/// The JWT library picks its cryptography by the features any crate in the build turned on, and panics when they
/// disagree. Saying it once takes that choice away.
fn choose_provider() {
    static CHOSEN: Once = Once::new();
    // An error means that the same choice was made before, which is as good.
    CHOSEN.call_once(|| {
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprint_is_that_of_an_independent_implementation() {
        // The P-256 key of RFC 7517 appendix A.1; thumbprint computed with Python's `hashlib` by RFC 7638.
        let jwk = PublicJwk {
            kty: "EC".into(),
            crv: "P-256".into(),
            x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4".into(),
            y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM".into(),
            kid: None,
        };
        assert!(jwk.is_p256());
        assert_eq!(jwk.thumbprint(), "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
    }

    #[test]
    fn a_key_survives_storage() {
        let key = SigningKey::generate().expect("generate");
        let back = SigningKey::from_pkcs8(key.pkcs8()).expect("read");
        assert_eq!(back.public_jwk(), key.public_jwk());
        assert!(key.public_jwk().is_p256());
        let owner = Did::parse("did:web:a.example").expect("did");
        assert_eq!(key.verification_method(&owner), format!("did:web:a.example#{}", key.public_jwk().thumbprint()));
        assert!(SigningKey::from_pkcs8(b"no key").is_err());
        assert!(!format!("{key:?}").contains(&hex::encode(key.pkcs8())));
    }

    #[test]
    fn other_keys_are_not_taken_for_p256() {
        let good = SigningKey::generate().expect("generate").public_jwk().clone();
        for bad in [
            PublicJwk { kty: "RSA".into(), ..good.clone() },
            PublicJwk { crv: "P-384".into(), ..good.clone() },
            PublicJwk { x: "AAAA".into(), ..good.clone() },
            PublicJwk { y: format!("{}A", good.y), ..good.clone() },
            PublicJwk { x: "!".repeat(43), ..good.clone() },
        ] {
            assert!(!bad.is_p256() && bad.decoding_key().is_none(), "{bad:?}");
        }
    }
}
