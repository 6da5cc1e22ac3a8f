//! `GET /api/v1/node`.

use super::auth::Caller;
use crate::{app::App, http::problem::ApiResult};
use axum::{Json, extract::State};
use fondaco_core::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// The node.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeBody {
    version: String,
    public_url: String,
    admin_url: String,
    /// `sqlite` or `postgres`.
    database: String,
    uptime_seconds: i64,
    participants: u64,
    jobs: JobsBody,
    time: String,
}

/// What is waiting to be done.
#[derive(Serialize, ToSchema)]
pub struct JobsBody {
    pending: u64,
    oldest: Option<String>,
}

/// Show the node.
#[utoipa::path(get, path = "/api/v1/node", tag = "node", responses((status = 200, body = NodeBody)))]
pub async fn show(State(app): State<App>, _: Caller) -> ApiResult<Json<NodeBody>> {
    let outbox = app.outbox().await?;
    let now = app.now();
    let admin = app.config.admin.url.as_ref().map_or_else(|| format!("http://{}", app.config.admin.listen), ToString::to_string);
    Ok(Json(NodeBody {
        version: env!("CARGO_PKG_VERSION").into(),
        public_url: app.config.public.url.to_string(),
        admin_url: admin,
        database: app.config.database_kind().into(),
        uptime_seconds: now.since(app.started_at).0 / 1_000_000,
        participants: outbox.participants,
        jobs: JobsBody { pending: outbox.due + outbox.retrying, oldest: outbox.oldest.map(Timestamp::to_rfc3339) },
        time: now.to_rfc3339(),
    }))
}
