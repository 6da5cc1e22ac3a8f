//! `…/transfers/…`: every message of the transfer process protocol, both roles.

use super::{
    Call, Message,
    refusal::{Family, Refusal},
};
use crate::app::{App, received::TransferRequest};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use fondaco_core::{
    Code, Error, Result,
    ids::TransferId,
    negotiation::{Ending, Role},
    transfer::{Received, Transfer},
};
use fondaco_dsp::messages::transfer as wire;
use std::collections::HashMap;

type Pid = Path<HashMap<String, String>>;
type Answer = Result<Response, Refusal>;

fn refuse(e: Error) -> Refusal {
    Refusal::new(Family::Transfer, e)
}

fn unreadable(e: &fondaco_dsp::WireError) -> Refusal {
    Refusal::unreadable(Family::Transfer, e)
}

fn pid(path: &Pid) -> TransferId {
    TransferId::from_stored(path.get("pid").cloned().unwrap_or_default())
}

fn ack(t: &Transfer, status: StatusCode) -> Response {
    let (own, peer) = (t.id.to_string(), t.peer.pid.clone().unwrap_or_default());
    let (provider_pid, consumer_pid) = match t.role {
        Role::Provider => (own, peer),
        Role::Consumer => (peer, own),
    };
    let Some(state) = wire::TransferState::from_word(t.state.name()) else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    (status, Json(wire::TransferProcess { message_id: None, provider_pid, consumer_pid, state }.to_json())).into_response()
}

struct Incoming {
    message_id: Option<String>,
    provider_pid: String,
    consumer_pid: String,
    received: Received,
}

async fn apply(app: &App, call: &Call, path: &Pid, message: Incoming) -> Answer {
    let id = pid(path);
    let Incoming { message_id, provider_pid, consumer_pid, received } = message;
    let (own_role, sender_pid) = match id.as_str() {
        own if own == provider_pid => (Role::Provider, consumer_pid.clone()),
        own if own == consumer_pid => (Role::Consumer, provider_pid.clone()),
        _ => {
            let e = Error::new(Code::Invalid, "Neither pid of the message is the one of the address it was sent to.");
            return Err(refuse(e).about(&provider_pid, &consumer_pid));
        }
    };
    let envelope = call.envelope(message_id, own_role, sender_pid);
    match app.transfer_received(&call.participant.slug, &id, envelope, received).await {
        Ok(t) => Ok(ack(&t, StatusCode::OK)),
        Err(e) => Err(refuse(e).about(&provider_pid, &consumer_pid)),
    }
}

/// `POST …/transfers/request`: a consumer asks for access.
pub async fn open(State(app): State<App>, call: Call, Message(body): Message) -> Answer {
    let message = wire::TransferRequestMessage::parse(&body).map_err(|e| unreadable(&e))?;
    let consumer_pid = message.consumer_pid.clone();
    let refuse = |e: Error| refuse(e).about("", &consumer_pid);
    if message.data_address.is_some() {
        return Err(refuse(Error::invalid("This participant delivers on request (pull) only; send no \"dataAddress\".")));
    }
    let callback = message.callback_address.trim_end_matches('/').to_owned();
    app.url(&callback).map_err(refuse)?;
    let envelope = call.envelope(message.message_id, Role::Provider, consumer_pid.clone());
    let request = TransferRequest { agreement_id: message.agreement_id, format: message.format, callback };
    let t = app.transfer_opened(&call.participant, envelope, request).await.map_err(refuse)?;
    Ok(ack(&t, StatusCode::CREATED))
}

/// `GET …/transfers/{pid}`. The consumer answers too: the binding lists it for the provider only, the official kit asks both.
pub async fn state(State(app): State<App>, call: Call, path: Pid) -> Answer {
    let t = app.transfer_seen_by(&call.participant.slug, &pid(&path), call.caller.clone()).await.map_err(refuse)?;
    Ok(ack(&t, StatusCode::OK))
}

/// `POST …/transfers/{pid}/start`.
pub async fn start(State(app): State<App>, call: Call, path: Pid, Message(body): Message) -> Answer {
    let wire::TransferStartMessage { message_id, provider_pid, consumer_pid, data_address } =
        wire::TransferStartMessage::parse(&body).map_err(|e| unreadable(&e))?;
    let sealed_address = match &data_address {
        // It holds a credential: sealed before it comes near the database.
        Some(address) => Some(app.seal_address(&pid(&path), address).map_err(refuse)?),
        None => None,
    };
    apply(&app, &call, &path, Incoming { message_id, provider_pid, consumer_pid, received: Received::Start { sealed_address } }).await
}

/// `POST …/transfers/{pid}/suspension`.
pub async fn suspension(State(app): State<App>, call: Call, path: Pid, Message(body): Message) -> Answer {
    let wire::TransferSuspensionMessage { message_id, provider_pid, consumer_pid, code, reasons } =
        wire::TransferSuspensionMessage::parse(&body).map_err(|e| unreadable(&e))?;
    let received = Received::Suspension(Ending { code, reasons });
    apply(&app, &call, &path, Incoming { message_id, provider_pid, consumer_pid, received }).await
}

/// `POST …/transfers/{pid}/completion`.
pub async fn completion(State(app): State<App>, call: Call, path: Pid, Message(body): Message) -> Answer {
    let wire::TransferCompletionMessage { message_id, provider_pid, consumer_pid } =
        wire::TransferCompletionMessage::parse(&body).map_err(|e| unreadable(&e))?;
    apply(&app, &call, &path, Incoming { message_id, provider_pid, consumer_pid, received: Received::Completion }).await
}

/// `POST …/transfers/{pid}/termination`.
pub async fn termination(State(app): State<App>, call: Call, path: Pid, Message(body): Message) -> Answer {
    let wire::TransferTerminationMessage { message_id, provider_pid, consumer_pid, code, reasons } =
        wire::TransferTerminationMessage::parse(&body).map_err(|e| unreadable(&e))?;
    let received = Received::Termination(Ending { code, reasons });
    apply(&app, &call, &path, Incoming { message_id, provider_pid, consumer_pid, received }).await
}
