//! `GET /api/v1/participants/{slug}/report`: what was logged in a period.

use super::{Query, auth::Acting};
use crate::{
    app::{
        App,
        report::{csv::csv, html::html},
    },
    http::problem::{ApiResult, Problem},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use fondaco_core::{
    Error, Result,
    time::{Micros, Timestamp},
};
use serde::Deserialize;

/// The period, unless one is asked for.
const USUAL: Micros = Micros::from_secs(30 * 86_400);

/// Which period, in which form.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct ReportQuery {
    /// The beginning: a day (UTC) or an instant; 30 days before the end, unless said.
    pub from: Option<String>,
    /// The end, which is not in it any more; now, unless said.
    pub to: Option<String>,
    /// `json`, `html` or `csv`.
    pub format: Option<String>,
}

/// A day, from its midnight on, or an instant.
fn moment(name: &str, text: &str) -> Result<Timestamp> {
    let day = || Timestamp::parse(&format!("{text}T00:00:00Z"));
    Timestamp::parse(text)
        .or_else(day)
        .ok_or_else(|| Error::invalid(format!("\"{name}\" is a day or an instant: 2026-11-01 or 2026-11-01T08:00:00Z.")))
}

/// Report what was logged in a period: agreements, transfers, usage, refusals, administration.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/report", tag = "evidence", params(("slug" = String, Path), ReportQuery),
    responses((status = 200, body = serde_json::Value), (status = 400, body = Problem)))]
pub async fn show(State(app): State<App>, acting: Acting, Query(query): Query<ReportQuery>) -> ApiResult<Response> {
    let to = query.to.as_deref().map_or_else(|| Ok(app.now()), |text| moment("to", text))?;
    let from = query.from.as_deref().map_or_else(|| Ok(to.plus(Micros(-USUAL.0))), |text| moment("from", text))?;
    let format = query.format.as_deref().unwrap_or("json");
    if !["json", "html", "csv"].contains(&format) {
        return Err(Error::invalid("\"format\" is json, html or csv.").into());
    }
    let report = app.report(&acting.participant, from, to).await?;
    Ok(match format {
        "html" => file("text/html; charset=utf-8", html(&report)?),
        "csv" => file("text/csv; charset=utf-8; header=present", csv(&report)?),
        _ => Json(report).into_response(),
    })
}

/// Never shown within the admin address: what it says comes from others.
fn file(kind: &'static str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, text).into_response()
}
