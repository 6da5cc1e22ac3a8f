//! `GET /p/{slug}/evidence/{agreement}`: what this side's log holds about an agreement, for the other party of it.
//!
//! Deviation: an extension of ours. The answer is `{"agreementId", "bundles": [text…], "next"}`; each text is a bundle as
//! `fondaco verify` reads it, and `next` goes into `?after=`.

use super::{
    Call,
    refusal::{Family, Refusal},
};
use crate::app::App;
use axum::{
    Json,
    extract::{Path, Query, State},
};
use fondaco_core::Error;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Where to go on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Cursor {
    after: Option<String>,
}

/// A page of bundles, the oldest first.
pub async fn of_agreement(
    State(app): State<App>,
    call: Call,
    Path(path): Path<HashMap<String, String>>,
    Query(cursor): Query<Cursor>,
) -> Result<Json<Value>, Refusal> {
    let refuse = |e: Error| Refusal::new(Family::Agreement, e);
    app.caller_reads(&call.caller).await.map_err(refuse)?;
    let id = path.get("agreement").map(String::as_str).unwrap_or_default();
    let given = app.evidence_given(&call.participant.slug, &call.caller.did, id, cursor.after).await.map_err(refuse)?;
    Ok(Json(json!({"agreementId": id, "bundles": given.bundles, "next": given.next})))
}
