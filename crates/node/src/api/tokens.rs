//! `/api/v1/participants/{slug}/tokens…`.

use super::{Body, KeyHeader, Segments, auth::Acting};
use crate::{
    app::{App, idempotency::Once},
    http::problem::{ApiResult, Problem},
};
use axum::{Json, extract::State, http::StatusCode};
use fondaco_core::{Error, ids::TokenId, time::Timestamp};
use fondaco_store::ApiTokenRow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a token may do.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read.
    Read,
    /// Read and change.
    Write,
}

/// An API token. The token itself is shown once, when it is made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenBody {
    id: String,
    name: String,
    scope: Scope,
    #[serde(skip_serializing_if = "Option::is_none")]
    participant: Option<String>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<&ApiTokenRow> for TokenBody {
    fn from(row: &ApiTokenRow) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name.clone(),
            scope: if row.write { Scope::Write } else { Scope::Read },
            participant: row.participant.as_ref().map(ToString::to_string),
            created_at: row.created_at.to_rfc3339(),
            last_used_at: row.last_used_at.map(Timestamp::to_rfc3339),
            revoked_at: row.revoked_at.map(Timestamp::to_rfc3339),
            token: None,
        }
    }
}

/// Tokens.
#[derive(Serialize, ToSchema)]
pub struct TokensBody {
    tokens: Vec<TokenBody>,
}

/// A token to make.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTokenBody {
    name: String,
    scope: Scope,
}

/// List the tokens of a participant.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/tokens", tag = "tokens", params(("slug" = String, Path)),
    responses((status = 200, body = TokensBody)))]
pub async fn list(State(app): State<App>, acting: Acting) -> ApiResult<Json<TokensBody>> {
    let rows = app.list_tokens(&acting.participant.slug).await?;
    Ok(Json(TokensBody { tokens: rows.iter().map(Into::into).collect() }))
}

/// Make a token. A repetition with the same Idempotency-Key finds the token made before, without its secret, which is
/// stored nowhere.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/tokens", tag = "tokens",
    params(("slug" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = NewTokenBody,
    responses((status = 201, body = TokenBody), (status = 400, body = Problem)))]
pub async fn create(
    State(app): State<App>,
    acting: Acting,
    key: KeyHeader,
    Body(body): Body<NewTokenBody>,
) -> ApiResult<(StatusCode, Json<TokenBody>)> {
    let key = key.key(&acting.caller, "tokens.create", &body)?;
    let slug = acting.participant.slug.clone();
    let app = app.by(acting.caller.decider());
    let made = match app.token_create(&body.name, Some(slug.clone()), matches!(body.scope, Scope::Write), key).await? {
        Once::Done((row, token)) => TokenBody { token: Some(token), ..TokenBody::from(&row) },
        Once::Before(id) => {
            let rows = app.list_tokens(&slug).await?;
            rows.iter().find(|row| row.id.as_str() == id).map(TokenBody::from).ok_or_else(|| Error::not_found("The token"))?
        }
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Revoke a token.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/tokens/{id}/revoke", tag = "tokens",
    params(("slug" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = TokenBody), (status = 404, body = Problem)))]
pub async fn revoke(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<Json<TokenBody>> {
    let id = TokenId::from_stored(path.get("id"));
    let row = app.by(acting.caller.decider()).token_revoke(&acting.participant.slug, &id).await?;
    Ok(Json((&row).into()))
}
