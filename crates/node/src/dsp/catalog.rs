//! `POST …/catalog/request` and `GET …/catalog/datasets/{id}`.

use super::{
    Call, Message,
    refusal::{Family, Refusal},
};
use crate::{app::App, jobs::dsp_base};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use fondaco_core::{Error, Result};
use fondaco_dsp::messages::{catalog::CatalogRequestMessage, query::QuerySpec};
use serde::Deserialize;
use std::collections::HashMap;

/// Where a page begins; ours, from a `Link` header.
#[derive(Debug, Default, Deserialize)]
pub struct Cursor {
    cursor: Option<String>,
}

fn refuse(e: Error) -> Refusal {
    Refusal::new(Family::Catalog, e)
}

/// A page of the catalogue. Filters are implementation specific in DSP: of the ones in use we understand the query that
/// Eclipse EDC sends with every request; any other is refused, as the specification asks.
pub async fn request(State(app): State<App>, call: Call, Query(page): Query<Cursor>, Message(body): Message) -> Result<Response, Refusal> {
    let message = CatalogRequestMessage::parse(&body).map_err(|e| Refusal::unreadable(Family::Catalog, &e))?;
    app.caller_reads(&call.caller).await.map_err(refuse)?;
    if let Some(query) = QuerySpec::of_filter(&message.filter).map_err(|e| Refusal::unreadable(Family::Catalog, &e))? {
        let catalog = app.catalog_window(&call.participant, &call.caller.did, &query).await.map_err(refuse)?;
        return Ok(Json(catalog.to_json()).into_response());
    }
    let answer = app.catalog(&call.participant, &call.caller.did, page.cursor.as_deref()).await.map_err(refuse)?;
    let mut response = Json(answer.catalog.to_json()).into_response();
    if let Some(next) = answer.next {
        let mut url = app.url_of_own(&format!("{}/catalog/request", dsp_base(&app, &call.participant.slug))).map_err(refuse)?;
        url.query_pairs_mut().append_pair("cursor", &next);
        if let Ok(link) = HeaderValue::from_str(&format!("<{url}>; rel=\"next\"")) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}

/// One dataset.
pub async fn dataset(State(app): State<App>, call: Call, Path(path): Path<HashMap<String, String>>) -> Result<Response, Refusal> {
    app.caller_reads(&call.caller).await.map_err(refuse)?;
    let id = path.get("id").map(String::as_str).unwrap_or_default();
    let dataset = app.dataset(&call.participant, &call.caller.did, id).await.map_err(refuse)?;
    Ok(Json(dataset.to_json()).into_response())
}
