//! The part of a DID document that a node acts on: keys, what each may be used for, and services.
//!
//! [DID Core](https://www.w3.org/TR/did-core/) sections 5.2 to 5.4. Documents come from others: bounded before and after
//! parsing, and what is not understood is left out rather than guessed.

use super::keys::PublicJwk;
use fondaco_core::{
    error::{Code, Error, Result},
    participant::Did,
};
use serde_json::Value;

/// Largest document read. Real ones have 1 to 4 KiB.
pub const DOCUMENT_MAX_BYTES: usize = 64 * 1024;
/// Most verification methods kept: a few keys in rotation.
pub const KEYS_MAX: usize = 32;
/// Most services kept.
pub const SERVICES_MAX: usize = 32;
/// Longest id of a verification method: a DID and a fragment.
pub const METHOD_ID_MAX_CHARS: usize = 1_024;
/// Longest service endpoint: the longest URL that is ever called.
const ENDPOINT_MAX_CHARS: usize = crate::net::address::URL_MAX_CHARS;
/// Longest service type kept.
const SERVICE_TYPE_MAX_CHARS: usize = 200;

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
    /// May sign self-issued tokens of the Decentralized Claims Protocol.
    pub capability_invocation: bool,
}

/// A service of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its id, as written.
    pub id: String,
    /// Its types, for example `CatalogService`.
    pub types: Vec<String>,
    /// Its address, as written; to be checked before it is called.
    pub endpoint: String,
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
    /// [`Code::DidUnresolvable`] when it is too large, no JSON, another DID's, or has more than we keep.
    pub fn parse(did: &Did, bytes: &[u8]) -> Result<Self> {
        if bytes.len() > DOCUMENT_MAX_BYTES {
            return Err(unusable(did, &format!("it is larger than {DOCUMENT_MAX_BYTES} bytes")));
        }
        let document: Value = serde_json::from_slice(bytes).map_err(|e| unusable(did, "it is not JSON").with_internal(e))?;
        if document.get("id").and_then(Value::as_str) != Some(did.as_str()) {
            return Err(unusable(did, "its id is not the DID it was asked for"));
        }
        let listed = list(&document, "verificationMethod");
        let listed_services = list(&document, "service");
        if listed.len() > KEYS_MAX || listed_services.len() > SERVICES_MAX {
            return Err(unusable(did, &format!("it has more than {KEYS_MAX} keys or {SERVICES_MAX} services")));
        }
        let relationships = ["authentication", "assertionMethod", "capabilityInvocation"].map(|name| list(&document, name));
        if relationships.iter().any(|members| members.len() > KEYS_MAX) {
            return Err(unusable(did, &format!("it has more than {KEYS_MAX} entries in a verification relationship")));
        }
        let mut methods: Vec<Method> = Vec::new();
        // A relationship may also hold a method of its own, valid for that relationship only.
        let embedded = relationships.iter().flat_map(|members| members.iter().filter(|m| m.is_object()));
        for value in listed.iter().chain(embedded) {
            let Some((id, jwk)) = method(did, value) else { continue };
            if methods.iter().any(|known| known.id == id) {
                return Err(unusable(did, "two of its keys have the same id"));
            }
            let [authentication, assertion, capability_invocation] = relationships.map(|members| {
                members.iter().any(|m| m.as_str().is_some_and(|r| absolute(did, r).as_deref() == Some(&id)) || std::ptr::eq(m, value))
            });
            methods.push(Method { id, jwk, authentication, assertion, capability_invocation });
        }
        let services = listed_services.iter().filter_map(service).collect();
        Ok(Self { did: did.clone(), methods, services })
    }

    /// The key with this absolute id.
    pub fn method(&self, id: &str) -> Option<&Method> {
        self.methods.iter().find(|m| m.id == id)
    }

    /// About how many bytes this takes in memory, for the cache's bound.
    pub fn weight(&self) -> usize {
        let methods: usize = self.methods.iter().map(|m| m.id.len() + m.jwk.x.len() + m.jwk.y.len() + 200).sum();
        let services: usize =
            self.services.iter().map(|s| s.id.len() + s.endpoint.len() + s.types.iter().map(|t| t.len() + 24).sum::<usize>() + 72).sum();
        256 + methods + services
    }
}

fn list<'a>(document: &'a Value, name: &str) -> &'a [Value] {
    document.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The absolute form of a method's id; `None` for ids of other documents, whose keys are not ours to believe.
fn absolute(did: &Did, id: &str) -> Option<String> {
    let fragment = id.strip_prefix(did.as_str()).unwrap_or(id).strip_prefix('#')?;
    let usable = !fragment.is_empty() && id.len() <= METHOD_ID_MAX_CHARS && fragment.bytes().all(|b| b.is_ascii_graphic());
    usable.then(|| format!("{did}#{fragment}"))
}

fn method(did: &Did, value: &Value) -> Option<(String, PublicJwk)> {
    let id = absolute(did, value.get("id")?.as_str()?)?;
    if value.get("controller")?.as_str()? != did.as_str() {
        return None;
    }
    let mut jwk: PublicJwk = serde_json::from_value(value.get("publicKeyJwk")?.clone()).ok()?;
    // The method's id names the key; the JWK's own name could contradict it.
    jwk.kid = None;
    jwk.is_p256().then_some((id, jwk))
}

fn service(value: &Value) -> Option<Service> {
    let id = value.get("id")?.as_str()?;
    let types: Vec<String> = match value.get("type")? {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => return None,
    };
    let endpoint = value.get("serviceEndpoint")?.as_str()?;
    let bounded = id.len() <= METHOD_ID_MAX_CHARS
        && endpoint.len() <= ENDPOINT_MAX_CHARS
        && (1..=8).contains(&types.len())
        && types.iter().all(|t| t.len() <= SERVICE_TYPE_MAX_CHARS);
    bounded.then(|| Service { id: id.to_owned(), types, endpoint: endpoint.to_owned() })
}

fn unusable(did: &Did, why: &str) -> Error {
    Error::new(Code::DidUnresolvable, format!("The DID document of {did} cannot be used: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::keys::SigningKey;
    use serde_json::json;

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
                {"id": "#c", "type": "CatalogService", "serviceEndpoint": "https://a.example/catalog"},
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
        let uses: Vec<_> = set.methods.iter().map(|m| (m.id.as_str(), m.authentication, m.assertion, m.capability_invocation)).collect();
        assert_eq!(
            uses,
            [
                ("did:web:a.example:p:acme#one", true, false, false),
                ("did:web:a.example:p:acme#two", false, true, false),
                ("did:web:a.example:p:acme#four", true, false, false),
            ]
        );
        assert_eq!(set.services.len(), 1);
        assert_eq!(set.services[0].endpoint, "https://a.example/catalog");
    }

    #[test]
    fn foreign_or_broken_documents_are_refused() {
        let broken: &[fn(&mut Value)] = &[
            |d| d["id"] = json!("did:web:b.example"),
            |d| d["id"] = json!(7),
            |d| drop(d.as_object_mut().expect("object").remove("id")),
            |d| d["verificationMethod"][1]["id"] = json!("#one"),
            |d| d["verificationMethod"] = json!(vec![d["verificationMethod"][0].clone(); KEYS_MAX + 1]),
            |d| d["authentication"] = json!(vec!["#one"; KEYS_MAX + 1]),
            |d| d["service"] = json!(vec![json!({}); SERVICES_MAX + 1]),
            |d| d["padding"] = json!("x".repeat(DOCUMENT_MAX_BYTES)),
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
            |m| m["id"] = json!(format!("#{}", "x".repeat(METHOD_ID_MAX_CHARS))),
        ];
        for (i, change) in dropped.iter().enumerate() {
            let mut value = document();
            change(&mut value["verificationMethod"][0]);
            assert!(parse(&value).expect("document").method("did:web:a.example:p:acme#one").is_none(), "change {i}");
        }
    }
}
