//! `…/negotiations/…`: every message of the contract negotiation protocol, both roles.

use super::{
    Call, Message,
    refusal::{Family, Refusal},
};
use crate::app::{App, received::FirstRequest};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use fondaco_core::{
    Code, Error, Result,
    agreement::Agreement,
    ids::NegotiationId,
    negotiation::{Ending, Negotiation, Received, Role, Terms},
};
use fondaco_dsp::messages::negotiation as wire;
use serde_json::Value;
use std::collections::HashMap;

type Pid = Path<HashMap<String, String>>;
type Answer = Result<Response, Refusal>;

fn refuse(e: Error) -> Refusal {
    Refusal::new(Family::Negotiation, e)
}

fn unreadable(e: &fondaco_dsp::WireError) -> Refusal {
    Refusal::unreadable(Family::Negotiation, e)
}

/// The pid of the path: ours.
fn pid(path: &Pid) -> NegotiationId {
    NegotiationId::from_stored(path.get("pid").cloned().unwrap_or_default())
}

/// Both pids, as (provider's, consumer's). The peer's is empty while it is unknown.
fn pids(n: &Negotiation) -> (String, String) {
    let (own, peer) = (n.id.to_string(), n.peer.pid.clone().unwrap_or_default());
    match n.role {
        Role::Provider => (own, peer),
        Role::Consumer => (peer, own),
    }
}

/// The acknowledgement: where the negotiation stands after the message.
fn ack(n: &Negotiation, status: StatusCode) -> Response {
    let (provider_pid, consumer_pid) = pids(n);
    let Some(state) = wire::NegotiationState::from_word(n.state.name()) else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let body = wire::ContractNegotiation { message_id: None, provider_pid, consumer_pid, state }.to_json();
    (status, Json(body)).into_response()
}

fn terms(offer: Value) -> (Option<String>, Terms) {
    let text = |key: &str| offer.get(key).and_then(Value::as_str).map(str::to_owned);
    let (target, offer_id) = (text("target"), text("@id").unwrap_or_default());
    (target, Terms { offer_id, odrl: offer })
}

fn ending(code: Option<String>, reasons: Vec<String>) -> Ending {
    Ending { code, reasons }
}

/// A message with both pids, about the negotiation of the path.
struct Incoming {
    message_id: Option<String>,
    provider_pid: String,
    consumer_pid: String,
    received: Received,
}

async fn apply(app: &App, call: &Call, path: &Pid, message: Incoming) -> Answer {
    let id = pid(path);
    let Incoming { message_id, provider_pid, consumer_pid, received } = message;
    // The pid of the path is ours; the other one is the sender's.
    let (own_role, sender_pid) = match id.as_str() {
        own if own == provider_pid => (Role::Provider, consumer_pid.clone()),
        own if own == consumer_pid => (Role::Consumer, provider_pid.clone()),
        _ => {
            let e = Error::new(Code::Invalid, "Neither pid of the message is the one of the address it was sent to.");
            return Err(refuse(e).about(&provider_pid, &consumer_pid));
        }
    };
    let envelope = call.envelope(message_id, own_role, sender_pid);
    match app.negotiation_received(&call.participant.slug, &id, envelope, received).await {
        Ok(n) => Ok(ack(&n, StatusCode::OK)),
        Err(e) => Err(refuse(e).about(&provider_pid, &consumer_pid)),
    }
}

/// `POST …/negotiations/request`: a consumer opens a negotiation.
pub async fn open(State(app): State<App>, call: Call, Message(body): Message) -> Answer {
    let message = wire::ContractRequestMessage::parse(&body).map_err(|e| unreadable(&e))?;
    let consumer_pid = message.consumer_pid.clone();
    let refuse = |e: Error| refuse(e).about("", &consumer_pid);
    let callback = message
        .callback_address
        .ok_or_else(|| refuse(Error::invalid("A request that opens a negotiation needs a \"callbackAddress\"; this one continues one.")))?;
    let callback = callback.trim_end_matches('/').to_owned();
    app.url(&callback).map_err(refuse)?;
    let (dataset, terms) = terms(message.offer);
    let envelope = call.envelope(message.message_id, Role::Provider, consumer_pid.clone());
    let n = app.negotiation_opened(&call.participant, envelope, FirstRequest { dataset, terms, callback }).await.map_err(refuse)?;
    Ok(ack(&n, StatusCode::CREATED))
}

/// `POST …/negotiations/offers`: a provider opens a negotiation. Optional in DSP; here the consumer begins.
pub async fn offered_unasked(State(app): State<App>, call: Call, Message(body): Message) -> Answer {
    let message = wire::ContractOfferMessage::parse(&body).map_err(|e| unreadable(&e))?;
    app.caller_reads(&call.caller).await.map_err(refuse)?;
    let e = Error::invalid("This participant does not take offers it did not ask for. It reads catalogues and asks.");
    Err(refuse(e).about(&message.provider_pid, ""))
}

/// `GET …/negotiations/{pid}`.
pub async fn state(State(app): State<App>, call: Call, path: Pid) -> Answer {
    let n = app.negotiation_seen_by(&call.participant.slug, &pid(&path), call.caller.clone()).await.map_err(refuse)?;
    Ok(ack(&n, StatusCode::OK))
}

/// `POST …/negotiations/{providerPid}/request`: a counter-offer.
pub async fn request(State(app): State<App>, call: Call, path: Pid, Message(body): Message) -> Answer {
    let message = wire::ContractRequestMessage::parse(&body).map_err(|e| unreadable(&e))?;
    let Some(provider_pid) = message.provider_pid else {
        return Err(
            refuse(Error::invalid("A request that continues a negotiation needs a \"providerPid\".")).about("", &message.consumer_pid)
        );
    };
    let (_, terms) = terms(message.offer);
    let received = Received::Request(terms);
    apply(&app, &call, &path, Incoming { message_id: message.message_id, provider_pid, consumer_pid: message.consumer_pid, received }).await
}

/// `POST …/negotiations/{consumerPid}/offers`.
pub async fn offer(State(app): State<App>, call: Call, path: Pid, Message(body): Message) -> Answer {
    let message = wire::ContractOfferMessage::parse(&body).map_err(|e| unreadable(&e))?;
    let Some(consumer_pid) = message.consumer_pid else {
        return Err(
            refuse(Error::invalid("An offer that continues a negotiation needs a \"consumerPid\".")).about(&message.provider_pid, "")
        );
    };
    let (_, terms) = terms(message.offer);
    let received = Received::Offer(terms);
    apply(&app, &call, &path, Incoming { message_id: message.message_id, provider_pid: message.provider_pid, consumer_pid, received }).await
}

/// `POST …/negotiations/{consumerPid}/agreement`.
pub async fn agreement(State(app): State<App>, call: Call, path: Pid, Message(body): Message) -> Answer {
    let wire::ContractAgreementMessage { message_id, provider_pid, consumer_pid, agreement } =
        wire::ContractAgreementMessage::parse(&body).map_err(|e| unreadable(&e))?;
    let agreement = Agreement::read(agreement).map_err(|e| refuse(e).about(&provider_pid, &consumer_pid))?;
    let received = Received::Agreement(agreement);
    apply(&app, &call, &path, Incoming { message_id, provider_pid, consumer_pid, received }).await
}

/// `POST …/negotiations/{providerPid}/agreement/verification`.
pub async fn verification(State(app): State<App>, call: Call, path: Pid, Message(body): Message) -> Answer {
    let wire::ContractAgreementVerificationMessage { message_id, provider_pid, consumer_pid } =
        wire::ContractAgreementVerificationMessage::parse(&body).map_err(|e| unreadable(&e))?;
    apply(&app, &call, &path, Incoming { message_id, provider_pid, consumer_pid, received: Received::Verification }).await
}

/// `POST …/negotiations/{pid}/events`: ACCEPTED from a consumer, FINALIZED from a provider.
pub async fn event(State(app): State<App>, call: Call, path: Pid, Message(body): Message) -> Answer {
    let wire::ContractNegotiationEventMessage { message_id, provider_pid, consumer_pid, event_type } =
        wire::ContractNegotiationEventMessage::parse(&body).map_err(|e| unreadable(&e))?;
    let received = match event_type {
        wire::NegotiationEvent::Accepted => Received::Accepted,
        wire::NegotiationEvent::Finalized => Received::Finalized,
    };
    apply(&app, &call, &path, Incoming { message_id, provider_pid, consumer_pid, received }).await
}

/// `POST …/negotiations/{pid}/termination`.
pub async fn termination(State(app): State<App>, call: Call, path: Pid, Message(body): Message) -> Answer {
    let wire::ContractNegotiationTerminationMessage { message_id, provider_pid, consumer_pid, code, reasons } =
        wire::ContractNegotiationTerminationMessage::parse(&body).map_err(|e| unreadable(&e))?;
    let received = Received::Termination(ending(code, reasons));
    apply(&app, &call, &path, Incoming { message_id, provider_pid, consumer_pid, received }).await
}
