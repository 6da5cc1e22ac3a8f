//! `/api/v1/participants…`.

use super::{
    Body, KeyHeader,
    auth::{Acting, Caller},
    types::ParticipantBody,
};
use crate::{
    app::{App, participants::NewParticipant, people::PARTICIPANTS_SHOWN},
    http::problem::{ApiResult, Problem},
};
use axum::{Json, extract::State, http::StatusCode};
use fondaco_core::{Result, decision::RuleSet};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Participants.
#[derive(Serialize, ToSchema)]
pub struct ParticipantsBody {
    participants: Vec<ParticipantBody>,
}

/// A participant to add.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewParticipantBody {
    /// Lower-case letters, digits, hyphens. It becomes part of the DID and cannot be changed.
    slug: String,
    name: String,
    /// ISO 3166-1 alpha-2.
    #[serde(default)]
    country: Option<String>,
}

/// List the participants this token reaches.
#[utoipa::path(get, path = "/api/v1/participants", tag = "participants", responses((status = 200, body = ParticipantsBody)))]
pub async fn list(State(app): State<App>, caller: Caller) -> ApiResult<Json<ParticipantsBody>> {
    if let Some(slug) = caller.bound_to() {
        let one = app.participant(slug.as_str()).await?;
        return Ok(Json(ParticipantsBody { participants: vec![(&one).into()] }));
    }
    let all = app.store.read("participant.list", |tx| -> Result<_> { Ok(tx.participant_list(None, PARTICIPANTS_SHOWN)?) }).await?;
    Ok(Json(ParticipantsBody { participants: all.iter().map(Into::into).collect() }))
}

/// Add a participant.
#[utoipa::path(post, path = "/api/v1/participants", tag = "participants", request_body = NewParticipantBody,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = ParticipantBody), (status = 409, body = Problem)))]
pub async fn add(
    State(app): State<App>,
    caller: Caller,
    key: KeyHeader,
    Body(new): Body<NewParticipantBody>,
) -> ApiResult<(StatusCode, Json<ParticipantBody>)> {
    caller.whole_node()?;
    let key = key.key(&caller, "participants.add", &new)?;
    let new = NewParticipant { slug: new.slug, name: new.name, country: new.country };
    let added = app.by(caller.decider()).participant_add(new, key).await?;
    Ok((StatusCode::CREATED, Json((&added).into())))
}

/// Show a participant.
#[utoipa::path(get, path = "/api/v1/participants/{slug}", tag = "participants", params(("slug" = String, Path)),
    responses((status = 200, body = ParticipantBody), (status = 404, body = Problem)))]
pub async fn show(acting: Acting) -> Json<ParticipantBody> {
    Json((&acting.participant).into())
}

/// What to change of a participant; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeParticipantBody {
    #[serde(default)]
    name: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(default)]
    country: Option<String>,
}

/// Change a participant's name or country.
#[utoipa::path(patch, path = "/api/v1/participants/{slug}", tag = "participants", params(("slug" = String, Path)),
    request_body = ChangeParticipantBody, responses((status = 200, body = ParticipantBody), (status = 400, body = Problem)))]
pub async fn change(State(app): State<App>, acting: Acting, Body(change): Body<ChangeParticipantBody>) -> ApiResult<Json<ParticipantBody>> {
    let changed = app.by(acting.caller.decider()).participant_change(&acting.participant, change.name, change.country).await?;
    Ok(Json((&changed).into()))
}

/// Set the decision rules of a participant as consumer: `{"default": {…}, "about": {"DATASET or AGREEMENT": {…}}}`.
#[utoipa::path(put, path = "/api/v1/participants/{slug}/rules", tag = "participants", params(("slug" = String, Path)),
    request_body = serde_json::Value, responses((status = 200, body = ParticipantBody), (status = 400, body = Problem)))]
pub async fn set_rules(State(app): State<App>, acting: Acting, Body(rules): Body<RuleSet>) -> ApiResult<Json<ParticipantBody>> {
    let updated = app.by(acting.caller.decider()).participant_set_rules(&acting.participant, rules).await?;
    Ok(Json((&updated).into()))
}
