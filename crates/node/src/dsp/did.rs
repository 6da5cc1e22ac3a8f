//! `GET /p/{slug}/did.json`: the participant's DID document
//! ([did:web](https://w3c-ccg.github.io/did-method-web/), DSP 2025-1 on services).

use crate::{app::App, http::problem::ApiError};
use axum::{
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use fondaco_core::Result;
use fondaco_dsp::did::{CATALOG_SERVICE, DATA_SERVICE, DidDocument, LOG_SERVICE, Service, VerificationMethod};
use fondaco_store::LogKeyUse;

/// The document.
pub async fn document(State(app): State<App>, Path(slug): Path<String>) -> Result<Response, ApiError> {
    let participant = app.participant(&slug).await?;
    let owner = participant.slug.clone();
    let (keys, log) =
        app.store.read("key.active", move |tx| -> Result<_> { Ok((tx.keys_active(&owner)?, tx.log_key(LogKeyUse::Log)?)) }).await?;
    let id = participant.did.to_string();
    let methods: Vec<VerificationMethod> = keys
        .iter()
        .map(|key| VerificationMethod {
            id: format!("{id}#{}", key.kid),
            method_type: "JsonWebKey2020".into(),
            controller: id.clone(),
            public_key_jwk: key.public_jwk.clone(),
        })
        .collect();
    let references: Vec<String> = methods.iter().map(|m| m.id.clone()).collect();
    let base = app.config.participant_base(&participant.slug);
    let service = |name: &str, kind: &str, endpoint: String| Service {
        id: format!("{id}#{name}"),
        service_type: kind.into(),
        service_endpoint: endpoint,
        vkey: None,
    };
    let mut services = vec![
        service("catalog", CATALOG_SERVICE, format!("{base}/dsp/{}/catalog", fondaco_dsp::VERSION)),
        service("data", DATA_SERVICE, format!("{base}/.well-known/dspace-version")),
    ];
    if let Some(key) = log {
        let endpoint = format!("{}/log", app.config.public.url.as_str().trim_end_matches('/'));
        services.push(Service { vkey: Some(key.vkey), ..service("log", LOG_SERVICE, endpoint) });
    }
    let document =
        DidDocument { services, id, verification_methods: methods, authentication: references.clone(), assertion_method: references };
    let body = document.to_json().to_string();
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/did+json"))], body).into_response())
}
