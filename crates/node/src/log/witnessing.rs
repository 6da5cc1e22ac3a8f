//! This node as a witness of the logs of others, by [c2sp.org/tlog-witness](https://c2sp.org/tlog-witness): it cosigns a
//! checkpoint only after it was shown that it continues the last one it cosigned, and never two of one size.
//!
//! What is cosigned is stored first, in one transaction with the decision. A request that proves that a log showed two
//! histories is kept, as the log signed it; and so, until the log does better, is one that does not prove what it should.
//!
//! Anybody may ask. So whoever has nothing of a log that this node was told to trust gets no further than a read, and what
//! is said again within a second is the same cosignature, and not stored again.

use super::{key, memory, policy};
use crate::{app::App, http::problem::ApiError};
use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use fondaco_core::{Error, Result};
use fondaco_store::{Tx, WitnessedRow};
use fondaco_tlog::{
    note::VerifierKey,
    witness::{self, Refusal, Request, TrustedLog},
};
use std::sync::Arc;

const TEXT: &str = "text/plain; charset=utf-8";
/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

impl App {
    /// The name of this node as a witness: its submission prefix without the scheme.
    pub fn witness_name(&self) -> String {
        format!("{}/witness", self.log_origin())
    }
}

/// `POST /log/witness/add-checkpoint`.
pub async fn add_checkpoint(State(app): State<App>, body: Bytes) -> Result<Response, ApiError> {
    let decided = match Request::parse(&body) {
        Ok(request) => cosign(&app, request).await?,
        Err(malformed) => Err(malformed.into()),
    };
    let status = decided.as_ref().err().map_or(200, Refusal::status);
    metrics::counter!("fondaco_log_witness_requests", "status" => status.to_string()).increment(1);
    Ok(match decided {
        Ok(lines) => ([(header::CONTENT_TYPE, HeaderValue::from_static(TEXT))], lines).into_response(),
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status()).map_err(Error::internal_failure)?;
            (status, [(header::CONTENT_TYPE, HeaderValue::from_static(refusal.content_type()))], refusal.body()).into_response()
        }
    })
}

/// The cosignature's lines, stored and counted; or why there is none.
async fn cosign(app: &App, request: Request) -> Result<Result<String, Refusal>> {
    let request = Arc::new(request);
    let asked = Arc::clone(&request);
    let log = match app.store.read("log.witness_known", move |tx: &mut Tx| trusted(tx, &asked)).await? {
        Ok(log) => log,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let of = app.clone();
    let (decided, count) = app.store.tx("log.witness", move |tx: &mut Tx| decide(&of, tx, &request, &log)).await?;
    if decided.is_ok() {
        // Before the cosignature leaves: whoever has it may count on it.
        let _turn = app.log_turn.lock().await;
        memory::remember_cosigned(&app.config.dir, count)?;
    }
    Ok(decided)
}

/// The log that a request is of, if this node witnesses it, and one of its keys has signed.
fn trusted(tx: &mut Tx, request: &Request) -> Result<Result<TrustedLog, Refusal>> {
    let origin = &request.checkpoint.origin;
    let keys: Vec<VerifierKey> = policy::load(tx)?
        .iter()
        .flat_map(|p| p.policy.logs())
        .filter(|log| log.key.name().as_str() == origin)
        .map(|log| log.key.clone())
        .collect();
    if keys.is_empty() {
        return Ok(Err(Refusal::UnknownOrigin));
    }
    let signed = request.note.verify(&keys).map(drop).map_err(Refusal::NotSigned);
    Ok(signed.map(|()| TrustedLog { origin: origin.clone(), keys }))
}

/// The cosignature's lines, or why there is none; and how many cosignatures were made so far.
fn decide(app: &App, tx: &mut Tx, request: &Request, log: &TrustedLog) -> Result<(Result<String, Refusal>, u64)> {
    let origin = &log.origin;
    let row = tx.witnessed_lock(origin)?;
    let last = last(&row);
    let now = u64::try_from(app.now().as_micros().div_euclid(SECOND)).map_err(Error::internal_failure)?;
    match witness::decide(last.as_ref(), request, Some(log), now) {
        Err(refusal) => {
            if refusal.proves_fork() {
                tracing::error!(origin = %origin, "log.conflict: a log that this node witnesses signed what contradicts what it signed before: {refusal}");
                tx.witnessed_conflict(origin, &request.to_string())?;
            } else if refusal.is_suspicious() {
                // A checkpoint is public, and anybody can send it with a proof that does not hold: nothing to accuse the log
                // of. But a log that has forked has no other proofs, and its next checkpoint takes no doubt away.
                tracing::warn!(origin = %origin, "log.witness {refusal}");
                if last.is_some() {
                    tx.witnessed_doubt(origin, &request.to_string())?;
                }
            }
            Ok((Err(refusal), 0))
        }
        Ok(accepted) => {
            let state = accepted.state;
            let (lines, note) = accepted.cosign(&key::witness(app, tx)?).map_err(Error::internal_failure)?;
            if last != Some(state) {
                tx.witnessed_put(origin, &state, &note.to_string())?;
            }
            Ok((Ok(lines), tx.witnessed_count()?))
        }
    }
}

/// What was cosigned last, if anything.
fn last(row: &WitnessedRow) -> Option<witness::State> {
    let time = u64::try_from(row.at.as_micros().div_euclid(SECOND)).ok()?;
    (!row.checkpoint.is_empty()).then_some(witness::State { size: row.size, root: row.root, time })
}

/// `GET /log/witness/{hash}/checkpoint`: what was cosigned last of the log whose origin has this SHA-256, for monitors.
pub async fn checkpoint(State(app): State<App>, Path(hash): Path<String>) -> Result<Response, ApiError> {
    let path = format!("{hash}/checkpoint");
    let read = move |tx: &mut Tx| -> Result<_> {
        let origin = tx.witnessed_origins()?.into_iter().find(|origin| witness::monitoring_path(origin) == path);
        Ok(origin.map(|origin| tx.witnessed_checkpoint(&origin)).transpose()?.flatten())
    };
    let found = app.store.read("log.witnessed", read).await?;
    let checkpoint = found.ok_or_else(|| Error::not_found("A log that this node witnesses"))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(TEXT)),
        (header::CACHE_CONTROL, HeaderValue::from_static(super::surface::BRIEFLY)),
    ];
    Ok((headers, checkpoint).into_response())
}
