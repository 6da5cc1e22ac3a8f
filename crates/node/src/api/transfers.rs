//! `/api/v1/participants/{slug}/transfers…`.

use super::{
    Body, KeyHeader, Query, Segments,
    auth::Acting,
    types::{ListQuery, ReasonBody, TransferBody, WaitQuery},
};
use crate::{
    app::{App, views::ProcessesAsked},
    http::problem::{ApiResult, Problem},
};
use axum::{Json, extract::State, http::StatusCode};
use fondaco_core::{Error, Result, decision::Action, ids::TransferId, time::Micros, transfer::State as Stage};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// Transfers.
#[derive(Serialize, ToSchema)]
pub struct TransfersBody {
    transfers: Vec<TransferBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The transfer to ask for.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct InitiateBody {
    /// The provider's participant id: the agreement's assigner.
    provider_id: String,
    /// The base of the provider's DSP endpoints.
    connector_address: String,
    /// The agreement, which this participant holds as consumer.
    agreement_id: String,
    /// The distribution format.
    format: String,
}

/// Ask for a transfer from a provider at the given address, which may be another than the agreement was negotiated at.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/transfers/initiate", tag = "transfers",
    params(("slug" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = InitiateBody,
    responses((status = 201, body = TransferBody), (status = 404, body = Problem)))]
pub async fn initiate(
    State(app): State<App>,
    acting: Acting,
    key: KeyHeader,
    Body(body): Body<InitiateBody>,
) -> ApiResult<(StatusCode, Json<TransferBody>)> {
    let key = key.key(&acting.caller, "transfers.initiate", &json!({"as": acting.participant.slug, "body": body}))?;
    let remote = app.remote_at(&body.provider_id, &body.connector_address)?;
    let t = app
        .by(acting.caller.decider())
        .transfer_request(&acting.participant, &body.agreement_id, Some(body.format), Some(remote), key)
        .await?;
    Ok((StatusCode::CREATED, Json(TransferBody::new(&t, &[], None))))
}

fn id(path: &Segments) -> TransferId {
    TransferId::from_stored(path.get("id"))
}

/// List transfers, newest first.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/transfers", tag = "transfers", params(("slug" = String, Path), ListQuery),
    responses((status = 200, body = TransfersBody)))]
pub async fn list(State(app): State<App>, acting: Acting, Query(query): Query<ListQuery>) -> ApiResult<Json<TransfersBody>> {
    let asked = ProcessesAsked { state: query.state, peer: None, after: query.after, limit: query.limit };
    let page = app.list_transfers(&acting.participant.slug, asked).await?;
    Ok(Json(TransfersBody { transfers: page.items.iter().map(|t| TransferBody::new(t, &[], None)).collect(), next: page.next }))
}

async fn followed(app: &App, acting: &Acting, id: &TransferId) -> Result<TransferBody> {
    let f = app.transfer_followed(&acting.participant.slug, id).await?;
    Ok(TransferBody::new(&f.process, &f.events, f.delivery_problem).tried(f.exchange))
}

/// Show a transfer with its timeline; with `wait`, once it is no longer REQUESTED.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/transfers/{id}", tag = "transfers",
    params(("slug" = String, Path), ("id" = String, Path), WaitQuery),
    responses((status = 200, body = TransferBody), (status = 404, body = Problem)))]
pub async fn show(State(app): State<App>, acting: Acting, path: Segments, Query(query): Query<WaitQuery>) -> ApiResult<Json<TransferBody>> {
    let id = id(&path);
    if let Some(secs) = query.wait {
        let wait = Micros::from_secs(i64::from(secs));
        app.transfer_wait(&acting.participant.slug, &id, wait, |t| !matches!(t.state, Stage::Requested)).await?;
    }
    Ok(Json(followed(&app, &acting, &id).await?))
}

/// Take a step: `start`, `suspend`, `resume`, `complete` or `terminate`.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/transfers/{id}/{step}", tag = "transfers",
    params(("slug" = String, Path), ("id" = String, Path), ("step" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = TransferBody), (status = 400, body = Problem)))]
pub async fn act(State(app): State<App>, acting: Acting, path: Segments, Body(reason): Body<ReasonBody>) -> ApiResult<Json<TransferBody>> {
    let action = match path.get("step") {
        "start" | "resume" => Action::Start,
        "suspend" => Action::Suspend,
        "complete" => Action::Complete,
        "terminate" => Action::Terminate,
        _ => return Err(Error::not_found("This step of a transfer").into()),
    };
    let id = id(&path);
    app.by(acting.caller.decider()).transfer_act(&acting.participant.slug, &id, action, reason.checked()?).await?;
    Ok(Json(followed(&app, &acting, &id).await?))
}
