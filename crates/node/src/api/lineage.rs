//! `GET /api/v1/participants/{slug}/lineage/{id}`: what something came from.

use super::{Query, Segments, auth::Acting};
use crate::{
    app::App,
    http::problem::{ApiResult, Problem},
};
use axum::{Json, extract::State};
use fondaco_core::{
    Error,
    lineage::{openlineage, prov},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// In which form.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct LineageQuery {
    /// `graph` (as it is), `prov` (W3C PROV-JSON) or `openlineage` (a list of run events).
    pub format: Option<String>,
}

/// Show what a product version, an agreement or a transfer came from.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/lineage/{id}", tag = "evidence",
    params(("slug" = String, Path), ("id" = String, Path), LineageQuery),
    responses((status = 200, body = serde_json::Value), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn show(State(app): State<App>, acting: Acting, path: Segments, Query(query): Query<LineageQuery>) -> ApiResult<Json<Value>> {
    let us = &acting.participant;
    let graph = app.lineage(us, path.get("id")).await?;
    Ok(Json(match query.format.as_deref() {
        None | Some("graph") => json!(graph),
        Some("prov") => prov::document(&graph, &app.config.participant_base(&us.slug)),
        Some("openlineage") => openlineage::events(&graph, app.config.public.url.as_str()).into(),
        Some(_) => return Err(Error::invalid("\"format\" is graph, prov or openlineage.").into()),
    }))
}
