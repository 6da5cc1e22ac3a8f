//! DID documents: who a participant is, which keys speak for it, where its endpoints are
//! ([DID 1.0](https://www.w3.org/TR/did-core/),
//! [DSP 2025-1, discovery of service endpoints](https://eclipse-dataspace-protocol-base.github.io/DataspaceProtocol/2025-1-err1/#discovery-of-service-endpoints)).
//!
//! Read as plain JSON: the members used here have the same names in every DID document.

use crate::{
    CONTEXT,
    error::{WireError, join},
    json,
    limits::{DID_ENTRIES_MAX, Limits, NAME_MAX_CHARS, URL_MAX_CHARS},
    messages::read::Object,
};
use serde_json::{Map, Value, json};

/// The context of DID documents.
const DID_CONTEXT: &str = "https://www.w3.org/ns/did/v1";
/// The context that defines `JsonWebKey2020`.
const JWK_2020_CONTEXT: &str = "https://w3id.org/security/suites/jws-2020/v1";
/// The context that defines `JsonWebKey`.
const JWK_CONTEXT: &str = "https://w3id.org/security/jwk/v1";
/// Members of a JWK that are secret (RFC 7518, 6): never printed, and a document that shows one is refused.
const SECRET_MEMBERS: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The service whose endpoint is the catalogue: `…/catalog`.
pub const CATALOG_SERVICE: &str = "CatalogService";
/// The service whose endpoint is the version document: `…/.well-known/dspace-version`.
pub const DATA_SERVICE: &str = "DataService";
/// The service whose endpoint is the transparency log of the participant's node (C2SP tlog-tiles). Ours.
pub const LOG_SERVICE: &str = "TransparencyLog";
/// Longest key of a log: its name, which is an address, and some bytes.
const VKEY_MAX_CHARS: usize = 1_024;

/// A DID document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DidDocument {
    /// The DID.
    pub id: String,
    /// Its keys.
    pub verification_methods: Vec<VerificationMethod>,
    /// Ids of the keys that authenticate it (absolute).
    pub authentication: Vec<String>,
    /// Ids of the keys that sign for it (absolute).
    pub assertion_method: Vec<String>,
    /// Its endpoints.
    pub services: Vec<Service>,
}

/// A key.
#[derive(Clone, Debug, PartialEq)]
pub struct VerificationMethod {
    /// `{did}#{fragment}`.
    pub id: String,
    /// `JsonWebKey2020` or `JsonWebKey`; others are kept, without a usable key.
    pub method_type: String,
    /// Who controls it.
    pub controller: String,
    /// The public key as a JWK; null when the key is given in another form.
    pub public_key_jwk: Value,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// `{did}#{fragment}`.
    pub id: String,
    /// [`CATALOG_SERVICE`], [`DATA_SERVICE`] or another.
    pub service_type: String,
    /// Its address.
    pub service_endpoint: String,
    /// Of [`LOG_SERVICE`]: the log's public key, as verifiers take it (C2SP signed-note).
    pub vkey: Option<String>,
}

impl DidDocument {
    /// Reads a document. The caller compares `id` with the DID it resolved.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let value = json::read(bytes, &Limits::DID)?;
        let object = Object::at(&value, String::new())?;
        let mut out = Self { id: object.id("id")?, ..Self::default() };
        for (i, item) in entries(&object, "verificationMethod")?.iter().enumerate() {
            let method = out.method(item, join(&object.path("verificationMethod"), i))?;
            out.verification_methods.push(method);
        }
        out.authentication = out.relationship(&object, "authentication")?;
        out.assertion_method = out.relationship(&object, "assertionMethod")?;
        if out.verification_methods.len() > DID_ENTRIES_MAX {
            return Err(object.error("verificationMethod", format!("At most {DID_ENTRIES_MAX} keys are read.")));
        }
        for (i, item) in entries(&object, "service")?.iter().enumerate() {
            let service = Object::at(item, join(&object.path("service"), i))?;
            // An endpoint that is not one address is for somebody else, and so is a service of several types.
            if service.need("serviceEndpoint")?.is_string() && service.need("type")?.is_string() {
                out.services.push(Service {
                    id: out.absolute(&service.id("id")?),
                    service_type: service.text("type", NAME_MAX_CHARS)?,
                    service_endpoint: service.text("serviceEndpoint", URL_MAX_CHARS)?,
                    // A member of ours: whoever uses another meaning of it is no reason to refuse the document.
                    vkey: service.get("vkey").and_then(Value::as_str).filter(|key| key.len() <= VKEY_MAX_CHARS).map(str::to_owned),
                });
            }
        }
        Ok(out)
    }

    /// Prints the document.
    pub fn to_json(&self) -> Value {
        let mut contexts = vec![DID_CONTEXT, CONTEXT];
        for (name, context) in [("JsonWebKey2020", JWK_2020_CONTEXT), ("JsonWebKey", JWK_CONTEXT)] {
            if self.verification_methods.iter().any(|m| m.method_type == name) {
                contexts.push(context);
            }
        }
        let methods: Vec<Value> = self
            .verification_methods
            .iter()
            .map(|m| json!({"id": m.id, "type": m.method_type, "controller": m.controller, "publicKeyJwk": public_part(&m.public_key_jwk)}))
            .collect();
        let service = |s: &Service| {
            let mut service = json!({"id": s.id, "type": s.service_type, "serviceEndpoint": s.service_endpoint});
            if let Some(vkey) = &s.vkey {
                service["vkey"] = vkey.as_str().into();
            }
            service
        };
        let services: Vec<Value> = self.services.iter().map(service).collect();
        json!({
            "@context": contexts,
            "id": self.id,
            "verificationMethod": methods,
            "authentication": self.authentication,
            "assertionMethod": self.assertion_method,
            "service": services,
        })
    }

    /// The key of an id: what the `kid` of a token names, absolute or as a fragment.
    pub fn verification_method(&self, id: &str) -> Option<&VerificationMethod> {
        let id = self.absolute(id);
        self.verification_methods.iter().find(|m| m.id == id)
    }

    /// The endpoint of the first service of a type.
    pub fn endpoint(&self, service_type: &str) -> Option<&str> {
        self.services.iter().find(|s| s.service_type == service_type).map(|s| s.service_endpoint.as_str())
    }

    /// Ids in a document may be relative to its DID.
    fn absolute(&self, id: &str) -> String {
        if id.starts_with('#') { format!("{}{id}", self.id) } else { id.to_owned() }
    }

    fn method(&self, item: &Value, path: String) -> Result<VerificationMethod, WireError> {
        let method = Object::at(item, path)?;
        let jwk = match method.get("publicKeyJwk") {
            None => Value::Null,
            Some(Value::Object(jwk)) => {
                if SECRET_MEMBERS.iter().any(|m| jwk.contains_key(*m)) {
                    return Err(method.error("publicKeyJwk", "The document shows a private key; the key cannot be trusted any more."));
                }
                Value::Object(jwk.clone())
            }
            Some(_) => return Err(method.error("publicKeyJwk", "\"publicKeyJwk\" must be an object.")),
        };
        Ok(VerificationMethod {
            id: self.absolute(&method.id("id")?),
            method_type: method.text("type", NAME_MAX_CHARS)?,
            controller: method.opt_id("controller")?.unwrap_or_else(|| self.id.clone()),
            public_key_jwk: jwk,
        })
    }

    /// A list of key ids; keys written in place are added to the document's keys.
    fn relationship(&mut self, object: &Object<'_>, key: &str) -> Result<Vec<String>, WireError> {
        let mut out = Vec::new();
        for (i, item) in entries(object, key)?.iter().enumerate() {
            let path = join(&object.path(key), i);
            match item {
                Value::String(id) => out.push(self.absolute(id)),
                Value::Object(_) => {
                    let method = self.method(item, path)?;
                    out.push(method.id.clone());
                    if !self.verification_methods.contains(&method) {
                        self.verification_methods.push(method);
                    }
                }
                _ => return Err(WireError::new(&path, "A key id or a key is expected here.")),
            }
        }
        Ok(out)
    }
}

fn entries<'a>(object: &Object<'a>, key: &str) -> Result<&'a [Value], WireError> {
    let items = object.list(key)?;
    if items.len() > DID_ENTRIES_MAX {
        return Err(object.error(key, format!("At most {DID_ENTRIES_MAX} entries are read.")));
    }
    Ok(items)
}

fn public_part(jwk: &Value) -> Value {
    match jwk {
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| !SECRET_MEMBERS.contains(&key.as_str()))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> DidDocument {
        let did = "did:web:127.0.0.1%3A7400:p:acme";
        DidDocument {
            id: did.to_owned(),
            verification_methods: vec![VerificationMethod {
                id: format!("{did}#key-1"),
                method_type: "JsonWebKey2020".to_owned(),
                controller: did.to_owned(),
                public_key_jwk: json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "BB"}),
            }],
            authentication: vec![format!("{did}#key-1")],
            assertion_method: vec![format!("{did}#key-1")],
            services: vec![
                Service {
                    id: format!("{did}#catalog"),
                    service_type: CATALOG_SERVICE.to_owned(),
                    service_endpoint: "http://127.0.0.1:7400/p/acme/dsp/2025-1/catalog".to_owned(),
                    vkey: None,
                },
                Service {
                    id: format!("{did}#dsp"),
                    service_type: DATA_SERVICE.to_owned(),
                    service_endpoint: "http://127.0.0.1:7400/.well-known/dspace-version".to_owned(),
                    vkey: None,
                },
                Service {
                    id: format!("{did}#log"),
                    service_type: LOG_SERVICE.to_owned(),
                    service_endpoint: "http://127.0.0.1:7400/log".to_owned(),
                    vkey: Some("127.0.0.1:7400/log+01020304+AQ".to_owned()),
                },
            ],
        }
    }

    #[test]
    fn round_trip_and_look_up() {
        let document = document();
        let printed = document.to_json();
        assert_eq!(printed["@context"], json!([DID_CONTEXT, CONTEXT, JWK_2020_CONTEXT]));
        assert_eq!(DidDocument::parse(printed.to_string().as_bytes()).as_ref(), Ok(&document));
        assert!(document.verification_method("#key-1").is_some());
        assert!(document.verification_method(&document.authentication[0]).is_some());
        assert!(document.verification_method("#key-2").is_none());
        assert!(document.endpoint(CATALOG_SERVICE).is_some_and(|e| e.ends_with("/catalog")));
    }

    #[test]
    fn relative_ids_keys_in_place_and_foreign_services_are_read() {
        let foreign = json!({
            "id": "did:web:x",
            "verificationMethod": [{"id": "#a", "type": "JsonWebKey", "publicKeyJwk": {"kty": "EC"}}],
            "authentication": ["#a", {"id": "#b", "type": "Multikey", "controller": "did:web:y", "publicKeyMultibase": "z6Mk"}],
            "service": [{"id": "#s", "type": ["A", "B"], "serviceEndpoint": "https://x/"}, {"id": "#t", "type": "T", "serviceEndpoint": {"a": "b"}},
                {"id": "#u", "type": "CatalogService", "serviceEndpoint": "https://x/catalog"}]});
        let read = DidDocument::parse(foreign.to_string().as_bytes()).expect("read");
        assert_eq!(read.authentication, ["did:web:x#a", "did:web:x#b"]);
        assert_eq!(read.verification_methods.len(), 2);
        assert_eq!(read.verification_methods[0].controller, "did:web:x");
        assert_eq!(read.verification_methods[1].public_key_jwk, Value::Null);
        assert_eq!(read.services.len(), 1);
        let mut keyed = foreign.clone();
        for (vkey, read) in [(json!("k"), Some("k".to_owned())), (json!(7), None), (json!("x".repeat(VKEY_MAX_CHARS + 1)), None)] {
            keyed["service"][2]["vkey"] = vkey;
            let document = DidDocument::parse(keyed.to_string().as_bytes()).expect("read");
            assert_eq!(document.services[0].vkey, read);
        }
    }

    #[test]
    fn private_keys_are_neither_printed_nor_accepted() {
        let mut document = document();
        document.verification_methods[0].public_key_jwk["d"] = json!("secret");
        assert!(!document.to_json().to_string().contains("secret"));
        let mut printed = document.to_json();
        printed["verificationMethod"][0]["publicKeyJwk"]["d"] = json!("secret");
        let error = DidDocument::parse(printed.to_string().as_bytes()).expect_err("private");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn hostile_documents_are_refused() {
        let base = document().to_json();
        let with = |key: &str, value: Value| {
            let mut changed = base.clone();
            changed[key] = value;
            changed.to_string()
        };
        for text in [
            "[]".to_owned(),
            with("id", json!(7)),
            with("id", json!("a b")),
            with("verificationMethod", json!({})),
            with("verificationMethod", json!([1])),
            with("verificationMethod", json!([{"id": "#a"}])),
            with("verificationMethod", json!([{"id": "#a", "type": "JsonWebKey", "publicKeyJwk": "x"}])),
            with("verificationMethod", json!(vec![json!({"id": "#a", "type": "T"}); DID_ENTRIES_MAX + 1])),
            with("authentication", json!([[]])),
            with("service", json!(vec![json!({"id": "#a", "type": "T", "serviceEndpoint": "x"}); DID_ENTRIES_MAX + 1])),
            with("service", json!([{"id": "#a"}])),
            with("x", json!("x".repeat(Limits::DID.bytes))),
        ] {
            assert!(DidDocument::parse(text.as_bytes()).is_err(), "{}", &text[..text.len().min(200)]);
        }
    }
}
