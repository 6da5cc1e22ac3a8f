//! `POST …/agreements/{id}/events`: what a peer tells about an agreement after signing.
//!
//! Deviation: an extension of ours, see [`fondaco_dsp::messages::agreement`].

use super::{
    Call, Message,
    refusal::{Family, Refusal},
};
use crate::app::App;
use axum::{
    Json,
    extract::{Path, State},
};
use fondaco_core::{
    Error, Result,
    life::{Kind, Told},
    time::Timestamp,
};
use fondaco_dsp::messages::agreement::AgreementEventMessage;
use serde_json::{Value, json};
use std::collections::HashMap;

/// An instant of the message.
fn instant(name: &str, text: &str) -> Result<Timestamp> {
    Timestamp::parse(text).ok_or_else(|| Error::invalid(format!("\"{name}\" is not an instant with offset.")))
}

fn told(message: AgreementEventMessage) -> Result<Told> {
    let AgreementEventMessage { sequence, kind, at, notice_at, ends_at, reason, renewed_by, .. } = message;
    let optional = |name: &str, text: Option<String>| text.map(|t| instant(name, &t)).transpose();
    Ok(Told {
        sequence,
        kind: Kind::from_name(&kind).ok_or_else(|| Error::invalid("This node knows no such \"kind\" of event."))?,
        at: instant("at", &at)?,
        notice_at: optional("noticeAt", notice_at)?,
        ends_at: optional("endsAt", ends_at)?,
        reason: reason.filter(|r| !r.trim().is_empty()),
        renewed_by,
    })
}

/// Applies an event; the answer says where the agreement stands then.
pub async fn event(
    State(app): State<App>,
    call: Call,
    path: Path<HashMap<String, String>>,
    Message(body): Message,
) -> Result<Json<Value>, Refusal> {
    let refuse = |e: Error| Refusal::new(Family::Agreement, e);
    let message = AgreementEventMessage::parse(&body).map_err(|e| Refusal::unreadable(Family::Agreement, &e))?;
    let id = path.get("id").cloned().unwrap_or_default();
    if message.agreement_id != id {
        return Err(refuse(Error::invalid("The message is about another agreement than the address it was sent to.")));
    }
    let told = told(message).map_err(refuse)?;
    let phase = app.agreement_told(&call.participant.slug, &id, call.caller, told).await.map_err(refuse)?;
    Ok(Json(json!({"@type": "AgreementEventAck", "agreementId": id, "state": phase.as_str()})))
}
