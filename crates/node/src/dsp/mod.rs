//! The Dataspace Protocol surface of a participant: `/p/{slug}/dsp/2025-1/…`, both roles on one base
//! ([DSP 2025-1, HTTPS binding](https://eclipse-dataspace-protocol-base.github.io/DataspaceProtocol/2025-1-err1/)).
//!
//! A message is parsed, authenticated, checked and applied before it is answered. Errors have the protocol's own
//! shape; what is unknown and what is somebody else's both answer 404.

mod catalog;
mod did;
mod negotiations;
mod refusal;
mod transfers;
mod version;

use crate::{
    app::{App, received::Envelope},
    identity::Caller,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts, Path},
    http::{header, request::Parts},
    routing::{get, post},
};
use fondaco_core::{Error, participant::Participant};
use fondaco_dsp::limits::Limits;
use refusal::{Family, Refusal};
use std::collections::HashMap;

/// The routes of the public listener outside the participants: version discovery.
pub fn root_router() -> Router<App> {
    Router::new().route("/.well-known/dspace-version", get(version::of_node))
}

/// The routes below `/p/{slug}`.
pub fn router() -> Router<App> {
    let protocol = Router::new()
        .route("/catalog/request", post(catalog::request))
        .route("/catalog/datasets/{id}", get(catalog::dataset))
        .route("/negotiations/request", post(negotiations::open))
        .route("/negotiations/offers", post(negotiations::offered_unasked))
        .route("/negotiations/{pid}", get(negotiations::state))
        .route("/negotiations/{pid}/request", post(negotiations::request))
        .route("/negotiations/{pid}/offers", post(negotiations::offer))
        .route("/negotiations/{pid}/agreement", post(negotiations::agreement))
        .route("/negotiations/{pid}/agreement/verification", post(negotiations::verification))
        .route("/negotiations/{pid}/events", post(negotiations::event))
        .route("/negotiations/{pid}/termination", post(negotiations::termination))
        .route("/transfers/request", post(transfers::open))
        .route("/transfers/{pid}", get(transfers::state))
        .route("/transfers/{pid}/start", post(transfers::start))
        .route("/transfers/{pid}/suspension", post(transfers::suspension))
        .route("/transfers/{pid}/completion", post(transfers::completion))
        .route("/transfers/{pid}/termination", post(transfers::termination))
        .layer(DefaultBodyLimit::max(Limits::MESSAGE.bytes));
    Router::new()
        .route("/did.json", get(did::document))
        .route("/.well-known/dspace-version", get(version::of_participant))
        .nest("/dsp/2025-1", protocol)
}

/// Who is called and who calls, proven.
pub struct Call {
    /// Our participant.
    pub participant: Participant,
    /// The caller. Its token still has to be marked as used, in the transaction of the call.
    pub caller: Caller,
}

impl FromRequestParts<App> for Call {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let family = Family::of_path(parts.uri.path());
        let refuse = |e: Error| Refusal::new(family, e);
        let Path(path) = Path::<HashMap<String, String>>::from_request_parts(parts, app)
            .await
            .map_err(|_| refuse(Error::not_found("The participant")))?;
        let slug = path.get("slug").map(String::as_str).unwrap_or_default();
        let participant = app.participant(slug).await.map_err(refuse)?;
        let header = match parts.headers.get(header::AUTHORIZATION) {
            None => None,
            Some(value) => Some(value.to_str().map_err(|_| refuse(Error::invalid("The Authorization header is not text.")))?),
        };
        let caller = app.authenticator.authenticate(header, &participant.did, app.now()).await.map_err(refuse)?;
        Ok(Self { participant, caller })
    }
}

impl Call {
    /// What a message says besides its content.
    fn envelope(&self, message_id: Option<String>, sender_pid: Option<String>) -> Envelope {
        Envelope { caller: self.caller.clone(), message_id, sender_pid }
    }
}
