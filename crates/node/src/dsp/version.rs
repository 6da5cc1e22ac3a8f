//! `GET /.well-known/dspace-version`: version discovery, for the node and for each participant.

use crate::{app::App, http::problem::ApiError};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use fondaco_core::participant::Participant;
use fondaco_dsp::messages::version::{ProtocolVersion, VersionResponse};

/// Participants listed in the node's own document; beyond that, each has a document of its own.
const LISTED_MAX: u32 = 100;

fn entry(participant: &Participant, path: String) -> ProtocolVersion {
    ProtocolVersion {
        version: fondaco_dsp::VERSION.into(),
        path,
        binding: "HTTPS".into(),
        service_id: Some(participant.did.to_string()),
        identifier_type: Some("did:web".into()),
        auth: None,
    }
}

fn answer(protocol_versions: Vec<ProtocolVersion>) -> Response {
    Json(VersionResponse { protocol_versions }.to_json()).into_response()
}

/// All participants of the node.
pub async fn of_node(State(app): State<App>) -> Result<Response, ApiError> {
    let participants =
        app.store.read("participant.list", |tx| -> Result<_, fondaco_core::Error> { Ok(tx.participant_list(None, LISTED_MAX)?) }).await?;
    let path = |p: &Participant| format!("/p/{}/dsp/{}", p.slug, fondaco_dsp::VERSION);
    Ok(answer(participants.iter().map(|p| entry(p, path(p))).collect()))
}

/// One participant; its DID document points here.
pub async fn of_participant(State(app): State<App>, Path(slug): Path<String>) -> Result<Response, ApiError> {
    let participant = app.participant(&slug).await?;
    Ok(answer(vec![entry(&participant, format!("/dsp/{}", fondaco_dsp::VERSION))]))
}
