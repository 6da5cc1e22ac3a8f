//! `POST …/catalog/request` and `GET …/catalog/datasets/{id}`.

use super::{
    Call, Message,
    refusal::{Family, Refusal},
};
use crate::{
    app::{
        App,
        catalog::{self, Asked},
    },
    jobs::dsp_base,
};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use fondaco_core::{Error, Result};
use fondaco_dsp::messages::{
    catalog::{CatalogFilter, CatalogRequestMessage},
    query::QuerySpec,
};
use fondaco_tables::serve;
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

/// A page of the catalogue. Filters are implementation specific in DSP: we have one of our own, and understand the query
/// that Eclipse EDC sends with every request; any other is refused, as the specification asks. Who has the page already, by its entity tag, is told so: with 412, because the request is a POST
/// (RFC 9110, section 13.1.2).
pub async fn request(
    State(app): State<App>,
    call: Call,
    Query(page): Query<Cursor>,
    headers: HeaderMap,
    Message(body): Message,
) -> Result<Response, Refusal> {
    let message = CatalogRequestMessage::parse(&body).map_err(|e| Refusal::unreadable(Family::Catalog, &e))?;
    app.caller_reads(&call.caller).await.map_err(refuse)?;
    // Ours has no type.
    if message.filter.iter().any(|f| f.get("@type").is_some())
        && let Some(query) = QuerySpec::of_filter(&message.filter).map_err(|e| Refusal::unreadable(Family::Catalog, &e))?
    {
        let catalog = app.catalog_window(&call.participant, &call.caller.did, &query).await.map_err(refuse)?;
        return Ok(Json(catalog.to_json()).into_response());
    }
    let filter = CatalogFilter::read(&message.filter).map_err(|why| refuse(Error::invalid(why)))?;
    let unless = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let asked = Asked { query: filter.query.as_deref(), kind: filter.kind.as_deref(), cursor: page.cursor.as_deref(), unless };
    let Some(answer) = app.catalog(&call.participant, &call.caller.did, asked).await.map_err(refuse)? else {
        return Ok(StatusCode::PRECONDITION_FAILED.into_response());
    };
    let mut response = tagged(&answer.etag, Json(answer.catalog.to_json()));
    if let Some(next) = answer.next {
        let mut url = app.url_of_own(&format!("{}/catalog/request", dsp_base(&app, &call.participant.slug))).map_err(refuse)?;
        url.query_pairs_mut().append_pair("cursor", &next);
        if let Ok(link) = HeaderValue::from_str(&format!("<{url}>; rel=\"next\"")) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}

/// An answer with its entity tag. It holds for this caller, and for no cache between.
fn tagged(etag: &str, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    if let Ok(etag) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(header::ETAG, etag);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    response
}

/// One dataset.
pub async fn dataset(
    State(app): State<App>,
    call: Call,
    Path(path): Path<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    app.caller_reads(&call.caller).await.map_err(refuse)?;
    let id = path.get("id").map(String::as_str).unwrap_or_default();
    let dataset = app.dataset(&call.participant, &call.caller.did, id).await.map_err(refuse)?;
    let dataset = dataset.to_json();
    let etag = catalog::etag(&dataset);
    let unless = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    if unless.is_some_and(|tags| serve::matches_any(tags, &etag, true)) {
        return Ok(tagged(&etag, StatusCode::NOT_MODIFIED));
    }
    Ok(tagged(&etag, Json(dataset)))
}
