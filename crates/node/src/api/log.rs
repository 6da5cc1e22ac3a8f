//! `/api/v1/log…`: the node's transparency log, for its operators.

use super::{Body, auth::Caller};
use crate::{
    app::{App, evidence::LogStatus},
    http::problem::{ApiResult, Problem},
    log::check::LogCheck,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Show the log.
#[utoipa::path(get, path = "/api/v1/log", tag = "log", responses((status = 200, body = LogStatus)))]
pub async fn show(State(app): State<App>, caller: Caller) -> ApiResult<Json<LogStatus>> {
    caller.whole_node()?;
    Ok(Json(app.log_status().await?))
}

/// Recompute the whole log from its entries, and compare.
#[utoipa::path(get, path = "/api/v1/log/check", tag = "log", responses((status = 200, body = LogCheck)))]
pub async fn check(State(app): State<App>, caller: Caller) -> ApiResult<Json<LogCheck>> {
    caller.whole_node()?;
    Ok(Json(app.log_check().await?))
}

/// How a held log may be signed again.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ResumeBody {
    /// The operator's word that no witness, mirror or auditor has seen a larger tree of this log than the one it has now.
    /// Without it, a quorum of the witnesses must confirm that.
    without_witnesses: bool,
}

/// Whose log this node witnesses, and who witnesses its own.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyBody {
    /// The text of a policy by c2sp.org/tlog-policy; `null` for none. Its witnesses need a URL each.
    // Left out by mistake it must not clear.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    policy: Option<String>,
}

/// Put a policy in force: whose log this node witnesses, and who witnesses its own.
#[utoipa::path(put, path = "/api/v1/log/policy", tag = "log", request_body = PolicyBody,
    responses((status = 200, body = LogStatus), (status = 400, body = Problem)))]
pub async fn policy(State(app): State<App>, caller: Caller, Body(body): Body<PolicyBody>) -> ApiResult<Json<LogStatus>> {
    caller.whole_node()?;
    Ok(Json(app.by(caller.decider()).log_policy_put(body.policy.as_deref()).await?))
}

/// Sign a held log again.
#[utoipa::path(post, path = "/api/v1/log/resume", tag = "log", request_body = ResumeBody,
    responses((status = 200, body = LogStatus), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn resume(State(app): State<App>, caller: Caller, Body(body): Body<ResumeBody>) -> ApiResult<Json<LogStatus>> {
    caller.whole_node()?;
    Ok(Json(app.by(caller.decider()).log_resume(body.without_witnesses).await?))
}

/// Let a new key sign the log from now on. Who verifies it, witnesses above all, must be told the new key.
#[utoipa::path(post, path = "/api/v1/log/rotate", tag = "log", responses((status = 200, body = LogStatus), (status = 409, body = Problem)))]
pub async fn rotate(State(app): State<App>, caller: Caller) -> ApiResult<Json<LogStatus>> {
    caller.whole_node()?;
    Ok(Json(app.by(caller.decider()).log_rotate().await?))
}
