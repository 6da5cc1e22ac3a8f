//! The Dataspace Protocol surface of a participant: `/p/{slug}/dsp/2025-1/…`, both roles on one base
//! ([DSP 2025-1, HTTPS binding](https://eclipse-dataspace-protocol-base.github.io/DataspaceProtocol/2025-1-err1/)).
//!
//! A message is parsed, authenticated, checked and applied before it is answered. Errors have the protocol's own
//! shape; what is unknown and what is somebody else's both answer 404.

mod agreements;
mod catalog;
mod did;
mod evidence;
mod negotiations;
mod refusal;
mod transfers;
mod version;

use crate::{
    app::{App, received::Envelope},
    http::request_log,
    identity::Caller,
};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, OriginalUri, Path, Request},
    http::{HeaderMap, StatusCode, Uri, header, request::Parts},
    response::IntoResponse,
    routing::{get, post},
};
use fondaco_core::{Code, Error, negotiation::Role, participant::Participant};
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
        .route("/agreements/{id}/events", post(agreements::event))
        .layer(DefaultBodyLimit::max(Limits::MESSAGE.bytes));
    Router::new()
        .route("/did.json", get(did::document))
        .route("/evidence/{agreement}", get(evidence::of_agreement))
        .route("/.well-known/dspace-version", get(version::of_participant))
        .nest("/dsp/2025-1", protocol)
}

/// The protocol of a request. Nested routers see a shortened address, so the original one is asked first.
fn family_of(original: Option<&OriginalUri>, uri: &Uri) -> Family {
    Family::of_path(original.map_or(uri, |original| &original.0).path())
}

/// The bytes of a message, refused in the protocol's shape when they are too many or said to be no JSON.
pub struct Message(pub Bytes);

impl FromRequest<App> for Message {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let family = family_of(request.extensions().get(), request.uri());
        if !is_json(request.headers()) {
            let e = Error::new(Code::UnsupportedMediaType, "Send messages with Content-Type: application/json.");
            return Err(Refusal::new(family, e));
        }
        match Bytes::from_request(request, app).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(e) => {
                let code = if e.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE { Code::TooLarge } else { Code::Invalid };
                let words = format!("The message cannot be read to its end. It may have {} bytes.", Limits::MESSAGE.bytes);
                Err(Refusal::new(family, Error::new(code, words)))
            }
        }
    }
}

/// Whether a body is JSON by its media type, `application/ld+json` and other `+json` types included. A sender that
/// names none is believed: the body is parsed anyway.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return true };
    let media_type = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
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
        let family = family_of(parts.extensions.get(), &parts.uri);
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
        request_log::note_peer(caller.did.as_str());
        Ok(Self { participant, caller })
    }
}

impl Call {
    /// What a message says besides its content.
    fn envelope(&self, message_id: Option<String>, own_role: Role, sender_pid: String) -> Envelope {
        Envelope { caller: self.caller.clone(), message_id, sender_pid: Some(sender_pid), own_role: Some(own_role) }
    }
}
