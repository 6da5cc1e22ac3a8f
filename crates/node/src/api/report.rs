//! `GET /api/v1/participants/{slug}/report`: what was logged in a period.

use super::{Query, auth::Acting};
use crate::{
    app::{App, report::ReportAsked},
    http::problem::{ApiResult, Problem},
};
use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

/// Report what was logged in a period: agreements, transfers, usage, refusals, publication and administration.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/report", tag = "evidence", params(("slug" = String, Path), ReportAsked),
    responses((status = 200, body = serde_json::Value), (status = 400, body = Problem)))]
pub async fn show(State(app): State<App>, acting: Acting, Query(asked): Query<ReportAsked>) -> ApiResult<Response> {
    let report = app.report_asked(&acting.participant, &asked, "json").await?;
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(report.media_type))];
    if report.format == "json" {
        return Ok((kind, report.text).into_response());
    }
    // Never shown within the admin address: what it says comes from others.
    let kept_apart = [
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((kind, kept_apart, report.text).into_response())
}
