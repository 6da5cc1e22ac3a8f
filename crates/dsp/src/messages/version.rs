//! `GET /.well-known/dspace-version`: plain JSON without a context
//! ([DSP 2025-1, 4.3](https://eclipse-dataspace-protocol-base.github.io/DataspaceProtocol/2025-1-err1/#exposure-of-dataspace-protocol-versions)).

use super::{put, put_some, read::Object};
use crate::{
    error::{WireError, join},
    json,
    limits::{ID_MAX_CHARS, LIST_MAX, Limits, NAME_MAX_CHARS, URL_MAX_CHARS},
};
use serde_json::{Map, Value, json};

/// The versions a node speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionResponse {
    /// At least one.
    pub protocol_versions: Vec<ProtocolVersion>,
}

/// One version and where it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolVersion {
    /// `2025-1`.
    pub version: String,
    /// Path of the endpoints, relative to the root the document was found under.
    pub path: String,
    /// `HTTPS`. Some connectors leave it out; that reads as `HTTPS`, the only binding there is.
    pub binding: String,
    /// An id of the service, if it has one.
    pub service_id: Option<String>,
    /// What kind of participant identifiers are used: `did:web`.
    pub identifier_type: Option<String>,
    /// How callers authenticate.
    pub auth: Option<Auth>,
}

/// How callers authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The name of the protocol.
    pub protocol: String,
    /// Its version.
    pub version: String,
    /// Its profiles.
    pub profile: Vec<String>,
}

impl VersionResponse {
    /// Reads the document.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let value = json::read(bytes, &Limits::VERSION)?;
        let object = Object::at(&value, String::new())?;
        object.need("protocolVersions")?;
        let items = object.list("protocolVersions")?;
        if items.is_empty() || items.len() > LIST_MAX {
            return Err(object.error("protocolVersions", format!("1 to {LIST_MAX} versions are expected.")));
        }
        let path = object.path("protocolVersions");
        let protocol_versions = items
            .iter()
            .enumerate()
            .map(|(i, item)| {
                let entry = Object::at(item, join(&path, i))?;
                Ok(ProtocolVersion {
                    version: entry.text("version", NAME_MAX_CHARS)?,
                    path: entry.text("path", URL_MAX_CHARS)?,
                    binding: entry.opt_text("binding", NAME_MAX_CHARS)?.unwrap_or_else(|| "HTTPS".to_owned()),
                    service_id: entry.opt_text("serviceId", ID_MAX_CHARS)?,
                    identifier_type: entry.opt_text("identifierType", NAME_MAX_CHARS)?,
                    auth: entry.get("auth").map(|auth| read_auth(auth, entry.path("auth"))).transpose()?,
                })
            })
            .collect::<Result<_, WireError>>()?;
        Ok(Self { protocol_versions })
    }

    /// Prints the document.
    pub fn to_json(&self) -> Value {
        let entries: Vec<Value> = self
            .protocol_versions
            .iter()
            .map(|entry| {
                let mut map = Map::new();
                put(&mut map, "version", &entry.version);
                put(&mut map, "path", &entry.path);
                put(&mut map, "binding", &entry.binding);
                put_some(&mut map, "serviceId", entry.service_id.as_deref());
                put_some(&mut map, "identifierType", entry.identifier_type.as_deref());
                if let Some(auth) = &entry.auth {
                    let mut inner = Map::new();
                    put(&mut inner, "protocol", &auth.protocol);
                    put(&mut inner, "version", &auth.version);
                    super::put_list(&mut inner, "profile", auth.profile.iter().map(|p| p.as_str().into()).collect());
                    map.insert("auth".to_owned(), inner.into());
                }
                map.into()
            })
            .collect();
        json!({ "protocolVersions": entries })
    }
}

fn read_auth(value: &Value, path: String) -> Result<Auth, WireError> {
    let auth = Object::at(value, path)?;
    let profile = auth.descriptions("profile", "profile", LIST_MAX);
    Ok(Auth { protocol: auth.text("protocol", NAME_MAX_CHARS)?, version: auth.text("version", NAME_MAX_CHARS)?, profile })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        let response = VersionResponse {
            protocol_versions: vec![ProtocolVersion {
                version: crate::VERSION.to_owned(),
                path: "/p/acme/dsp/2025-1".to_owned(),
                binding: "HTTPS".to_owned(),
                service_id: Some("acme".to_owned()),
                identifier_type: Some("did:web".to_owned()),
                auth: Some(Auth { protocol: "DCP".to_owned(), version: "1.0".to_owned(), profile: vec!["vc11-sl2021/jwt".to_owned()] }),
            }],
        };
        let printed = response.to_json();
        assert_eq!(VersionResponse::parse(printed.to_string().as_bytes()), Ok(response));
        for bad in [
            json!({}),
            json!([]),
            json!({"protocolVersions": []}),
            json!({"protocolVersions": {}}),
            json!({"protocolVersions": [{"version": "2025-1"}]}),
            json!({"protocolVersions": [{"version": 2025, "path": "/"}]}),
            json!({"protocolVersions": [1]}),
            json!({"protocolVersions": vec![json!({"version": "1", "path": "/"}); LIST_MAX + 1]}),
        ] {
            assert!(VersionResponse::parse(bad.to_string().as_bytes()).is_err(), "{bad}");
        }
    }
}
