//! `/api/v1/participants/{slug}/connections…`: object stores and databases to publish from.

use super::{Body, Segments, auth::Acting};
use crate::{
    app::App,
    http::problem::{ApiResult, Problem},
};
use axum::{Json, extract::State, http::StatusCode};
use fondaco_core::connection::{Check, Connection, Secret, Target};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A connection, without its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionBody {
    name: String,
    /// `s3` or `postgres`.
    kind: &'static str,
    /// Where it leads, for people.
    place: String,
    /// Its settings: for `s3` `endpoint`, `region`, `bucket`, `pathStyle`, `accessKeyId`; for `postgres` `host`, `port`,
    /// `database`, `user`, `tls`.
    #[schema(value_type = serde_json::Value)]
    target: Target,
    /// Whether an operator of the node made it: then it may lead into private networks.
    operator: bool,
    created_at: String,
    /// How it did when it was last tried out; absent when it was not since it was made or changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_check: Option<CheckBody>,
}

/// A trial of a connection.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckBody {
    /// When it ended.
    at: String,
    /// Whether the connection worked.
    works: bool,
    /// Why not: an error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// Why not, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl From<Check> for CheckBody {
    fn from(check: Check) -> Self {
        let failed = check.outcome.err();
        Self {
            at: check.at.to_rfc3339(),
            works: failed.is_none(),
            code: failed.as_ref().map(|e| e.code().as_str()),
            detail: failed.map(|e| e.message().to_owned()),
        }
    }
}

impl From<Connection> for ConnectionBody {
    fn from(c: Connection) -> Self {
        Self {
            name: c.name,
            kind: c.target.kind(),
            place: c.target.place(),
            operator: c.operator,
            created_at: c.created_at.to_rfc3339(),
            last_check: c.last_check.map(Into::into),
            target: c.target,
        }
    }
}

/// Connections.
#[derive(Serialize, ToSchema)]
pub struct ConnectionsBody {
    connections: Vec<ConnectionBody>,
}

/// A connection to make or replace.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewConnectionBody {
    /// `{"kind": "s3", …}` or `{"kind": "postgres", …}`.
    #[schema(value_type = serde_json::Value)]
    target: Target,
    /// `secretAccessKey` and `sessionToken`, or `password`. Kept sealed and never shown again.
    #[serde(default)]
    #[schema(value_type = serde_json::Value)]
    secret: Secret,
}

/// List connections.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/connections", tag = "connections", params(("slug" = String, Path)),
    responses((status = 200, body = ConnectionsBody)))]
pub async fn list(State(app): State<App>, acting: Acting) -> ApiResult<Json<ConnectionsBody>> {
    let connections = app.connections(&acting.participant.slug).await?.into_iter().map(Into::into).collect();
    Ok(Json(ConnectionsBody { connections }))
}

/// Make or replace a connection.
#[utoipa::path(put, path = "/api/v1/participants/{slug}/connections/{name}", tag = "connections",
    params(("slug" = String, Path), ("name" = String, Path)), request_body = NewConnectionBody,
    responses((status = 200, body = ConnectionBody), (status = 400, body = Problem)))]
pub async fn put(
    State(app): State<App>,
    acting: Acting,
    path: Segments,
    Body(new): Body<NewConnectionBody>,
) -> ApiResult<Json<ConnectionBody>> {
    let (app, access) = (app.by(acting.caller.decider()), acting.caller.source_access());
    Ok(Json(app.connection_put(&acting.participant, path.get("name"), new.target, new.secret, access).await?.into()))
}

/// Try a connection out.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/connections/{name}/check", tag = "connections",
    params(("slug" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = serde_json::Value), (status = 502, body = Problem)))]
pub async fn check(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<Json<Value>> {
    let place = app.connection_check(&acting.participant, path.get("name")).await?;
    Ok(Json(serde_json::json!({"works": true, "place": place})))
}

/// Remove a connection. Products published through it stay.
#[utoipa::path(delete, path = "/api/v1/participants/{slug}/connections/{name}", tag = "connections",
    params(("slug" = String, Path), ("name" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<StatusCode> {
    app.by(acting.caller.decider()).connection_remove(&acting.participant.slug, path.get("name")).await?;
    Ok(StatusCode::NO_CONTENT)
}
