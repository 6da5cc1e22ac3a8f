//! What a node acts on in a peer's DID document: its P-256 keys, what each may be used for, and its services.
//!
//! The document is read by [`fondaco_dsp::did`]; this is the checked view of it. What is not understood (other curves,
//! keys of other controllers) is left out rather than guessed.

use super::keys::PublicJwk;
use fondaco_core::{
    error::{Code, Error, Result},
    participant::Did,
};
use fondaco_dsp::{
    did::{DidDocument, LOG_SERVICE, VerificationMethod},
    limits::Limits,
};

/// Largest document read. Real ones have 1 to 4 KiB.
pub const DOCUMENT_MAX_BYTES: usize = Limits::DID.bytes;
/// Longest id of a verification method: a DID and a fragment.
pub const METHOD_ID_MAX_CHARS: usize = 1_024;

/// A key of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its absolute id: `did#fragment`.
    pub id: String,
    /// The key.
    pub jwk: PublicJwk,
    /// May prove who is calling.
    pub authentication: bool,
    /// May sign statements.
    pub assertion: bool,
}

/// A service of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its types, for example `CatalogService`.
    pub types: Vec<String>,
    /// Its address, as written; to be checked before it is called.
    pub endpoint: String,
    /// The key that it names, of a log.
    pub vkey: Option<String>,
}

/// What a DID document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    /// Whose document it is.
    pub did: Did,
    /// Its P-256 keys.
    pub methods: Vec<Method>,
    /// Its services.
    pub services: Vec<Service>,
}

impl KeySet {
    /// Reads the document that was found where `did` says.
    ///
    /// # Errors
    /// [`Code::DidUnresolvable`] when it is too large, no DID document, another DID's, or contradicts itself.
    pub fn parse(did: &Did, bytes: &[u8]) -> Result<Self> {
        let document = DidDocument::parse(bytes).map_err(|e| unusable(did, &e.to_string()))?;
        if document.id != did.as_str() {
            return Err(unusable(did, "its id is not the DID it was asked for"));
        }
        let mut methods: Vec<Method> = Vec::new();
        for method in &document.verification_methods {
            let Some(jwk) = usable_key(did, method) else { continue };
            if methods.iter().any(|known| known.id == method.id) {
                return Err(unusable(did, "two of its keys have the same id"));
            }
            methods.push(Method {
                id: method.id.clone(),
                jwk,
                authentication: document.authentication.contains(&method.id),
                assertion: document.assertion_method.contains(&method.id),
            });
        }
        let services = document
            .services
            .into_iter()
            .map(|s| Service { types: vec![s.service_type], endpoint: s.service_endpoint, vkey: s.vkey })
            .collect();
        Ok(Self { did: did.clone(), methods, services })
    }

    /// The key with this absolute id.
    pub fn method(&self, id: &str) -> Option<&Method> {
        self.methods.iter().find(|m| m.id == id)
    }

    /// The endpoint of the first service of a type.
    pub fn endpoint(&self, service_type: &str) -> Option<&str> {
        self.services.iter().find(|s| s.types.iter().any(|t| t == service_type)).map(|s| s.endpoint.as_str())
    }

    /// The key of the transparency log of its node, if it names one.
    pub fn log_key(&self) -> Option<&str> {
        self.services.iter().find(|s| s.types.iter().any(|t| t == LOG_SERVICE)).and_then(|s| s.vkey.as_deref())
    }

    /// About how many bytes this takes in memory, for the cache's bound.
    pub fn weight(&self) -> usize {
        let methods: usize = self.methods.iter().map(|m| m.id.len() + m.jwk.x.len() + m.jwk.y.len() + 200).sum();
        let services: usize = self
            .services
            .iter()
            .map(|s| s.endpoint.len() + s.vkey.as_ref().map_or(0, String::len) + s.types.iter().map(|t| t.len() + 24).sum::<usize>() + 48)
            .sum();
        256 + methods + services
    }
}

/// The P-256 key of a method that the DID itself controls; keys of others are not theirs to lend.
fn usable_key(did: &Did, method: &VerificationMethod) -> Option<PublicJwk> {
    let fragment = method.id.strip_prefix(did.as_str())?.strip_prefix('#')?;
    let named = !fragment.is_empty() && method.id.len() <= METHOD_ID_MAX_CHARS && fragment.bytes().all(|b| b.is_ascii_graphic());
    if !named || method.controller != did.as_str() {
        return None;
    }
    let mut jwk: PublicJwk = serde_json::from_value(method.public_key_jwk.clone()).ok()?;
    // The method's id names the key; the JWK's own name could contradict it.
    jwk.kid = None;
    jwk.is_p256().then_some(jwk)
}

fn unusable(did: &Did, why: &str) -> Error {
    let why = why.trim_end_matches('.');
    Error::new(Code::DidUnresolvable, format!("The DID document of {did} cannot be used: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::keys::SigningKey;
    use serde_json::{Value, json};

    fn did() -> Did {
        Did::parse("did:web:a.example:p:acme").expect("did")
    }

    fn document() -> Value {
        let key = |name: &str| {
            let jwk = SigningKey::generate().expect("key").public_jwk().clone();
            json!({"id": name, "type": "JsonWebKey2020", "controller": did(), "publicKeyJwk": jwk})
        };
        json!({
            "@context": ["https://www.w3.org/ns/did/v1"],
            "id": did(),
            "verificationMethod": [key("did:web:a.example:p:acme#one"), key("#two"), key("did:web:b.example#three")],
            "authentication": ["#one", key("#four")],
            "assertionMethod": ["did:web:a.example:p:acme#two", "did:web:b.example#one"],
            "service": [
                {"id": "#c", "type": "CatalogService", "serviceEndpoint": "https://a.example/catalog", "vkey": "of no log"},
                {"id": "#d", "type": "DataService", "serviceEndpoint": {"uri": "https://a.example/"}},
            ],
        })
    }

    fn parse(value: &Value) -> Result<KeySet> {
        KeySet::parse(&did(), value.to_string().as_bytes())
    }

    #[test]
    fn keys_and_their_uses_are_read() {
        let set = parse(&document()).expect("document");
        let uses: Vec<_> = set.methods.iter().map(|m| (m.id.as_str(), m.authentication, m.assertion)).collect();
        assert_eq!(
            uses,
            [
                ("did:web:a.example:p:acme#one", true, false),
                ("did:web:a.example:p:acme#two", false, true),
                ("did:web:a.example:p:acme#four", true, false),
            ]
        );
        assert_eq!(set.services.len(), 1);
        assert_eq!(set.endpoint("CatalogService"), Some("https://a.example/catalog"));
        assert_eq!(set.endpoint("DataService"), None);
        assert_eq!(set.log_key(), None);
        let mut with_log = document();
        with_log["service"][1] =
            json!({"id": "#l", "type": "TransparencyLog", "serviceEndpoint": "https://a.example/log", "vkey": "a key"});
        assert_eq!(parse(&with_log).expect("document").log_key(), Some("a key"));
    }

    #[test]
    fn foreign_or_broken_documents_are_refused() {
        let broken: &[fn(&mut Value)] = &[
            |d| d["id"] = json!("did:web:b.example"),
            |d| d["id"] = json!(7),
            |d| drop(d.as_object_mut().expect("object").remove("id")),
            |d| d["verificationMethod"][1]["id"] = json!("#one"),
            |d| d["authentication"][1]["id"] = json!("#one"),
            |d| d["verificationMethod"] = json!(vec![d["verificationMethod"][2].clone(); 51]),
            |d| d["authentication"] = json!(vec!["#one"; 51]),
            |d| d["service"] = json!(vec![d["service"][0].clone(); 51]),
            |d| d["padding"] = json!(vec!["x".repeat(1_000); DOCUMENT_MAX_BYTES / 1_000]),
        ];
        for (i, change) in broken.iter().enumerate() {
            let mut value = document();
            change(&mut value);
            assert_eq!(parse(&value).expect_err("broken").code(), Code::DidUnresolvable, "change {i}");
        }
        for text in ["", "[]", "null", "{", &"[".repeat(10_000)] {
            assert_eq!(KeySet::parse(&did(), text.as_bytes()).expect_err("no document").code(), Code::DidUnresolvable);
        }
    }

    #[test]
    fn keys_of_others_and_other_kinds_are_left_out() {
        let dropped: &[fn(&mut Value)] = &[
            |m| m["controller"] = json!("did:web:b.example"),
            |m| m["publicKeyJwk"]["crv"] = json!("P-384"),
            |m| m["publicKeyJwk"]["x"] = json!("AA"),
            |m| drop(m.as_object_mut().expect("object").remove("publicKeyJwk")),
            |m| m["id"] = json!("did:web:a.example:p:acme#"),
            |m| m["id"] = json!("did:web:a.example:p:acmeX#one"),
        ];
        for (i, change) in dropped.iter().enumerate() {
            let mut value = document();
            change(&mut value["verificationMethod"][0]);
            assert!(parse(&value).expect("document").method("did:web:a.example:p:acme#one").is_none(), "change {i}");
        }
    }
}
