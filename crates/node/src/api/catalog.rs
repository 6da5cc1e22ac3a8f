//! `POST /api/v1/participants/{slug}/catalog`: reads a peer's catalogue.

use super::{Body, auth::Acting, types::DatasetBody};
use crate::{
    app::{App, peers::CatalogAsked},
    http::problem::{ApiResult, Problem},
};
use axum::{Json, extract::State};
use fondaco_core::Error;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whose catalogue, and what of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogQuery {
    /// A did:web, or an address that ends in `/p/{slug}`.
    peer: String,
    /// Words that the entries contain.
    #[serde(default)]
    query: Option<String>,
    /// Only this kind.
    #[serde(default)]
    kind: Option<String>,
    /// The `next` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

/// A page of a peer's catalogue.
#[derive(Serialize, ToSchema)]
pub struct CatalogBody {
    peer: PeerBody,
    datasets: Vec<DatasetBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A peer.
#[derive(Serialize, ToSchema)]
pub struct PeerBody {
    did: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// Read a peer's catalogue.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/catalog", tag = "catalog", params(("slug" = String, Path)), request_body = CatalogQuery,
    responses((status = 200, body = CatalogBody), (status = 502, body = Problem)))]
pub async fn read(State(app): State<App>, acting: Acting, Body(query): Body<CatalogQuery>) -> ApiResult<Json<CatalogBody>> {
    let asked = CatalogAsked { query: query.query.as_deref(), kind: query.kind.as_deref(), cursor: query.cursor.as_deref(), unless: None };
    let page = app.remote_catalog(&acting.participant, &query.peer, asked).await?;
    let page = page.ok_or_else(|| Error::internal_failure("a page that was asked for without a condition did not come"))?;
    Ok(Json(CatalogBody {
        peer: PeerBody { did: page.peer.did.to_string(), name: page.title },
        datasets: page.datasets.into_iter().map(Into::into).collect(),
        next: page.next,
    }))
}
