//! `/healthz` (the process answers), `/readyz` (it can serve: the database answers and it is not stopping) and
//! `/metrics`. The first two tell nothing, so they need no token.

use super::auth::Caller;
use crate::{app::App, http::problem::ApiResult, telemetry};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use fondaco_core::Result;

/// Alive.
pub async fn health() -> &'static str {
    "ok\n"
}

/// Ready.
pub async fn ready(State(app): State<App>) -> Response {
    if app.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match app.store.read("ready", |tx| -> Result<_> { Ok(tx.setting_get("ready")?) }).await {
        Ok(_) => "ready\n".into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response(),
    }
}

/// Metrics in the Prometheus text format. They name routes and participants' activity, so they need a token.
pub async fn metrics(_: Caller) -> ApiResult<Response> {
    let text = telemetry::metrics().map(metrics_exporter_prometheus::PrometheusHandle::render).unwrap_or_default();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
