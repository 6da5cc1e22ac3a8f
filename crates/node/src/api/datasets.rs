//! `GET /api/v1/participants/{slug}/datasets`: a search over what peers offer, in the copies of their catalogues.

use super::{Query, auth::Acting, types::DatasetBody};
use crate::{
    app::{
        App,
        catalog_copies::DatasetsAsked,
        views::{Names, list_rows},
    },
    http::problem::ApiResult,
    jobs::catalog_read::kept,
};
use axum::{Json, extract::State};
use fondaco_core::participant::Did;
use fondaco_store::PeerDataset;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// How long the first page waits for catalogues that were never read.
const FIRST_READINGS: Duration = Duration::from_secs(8);

/// Which datasets to list.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct DatasetsQuery {
    /// A text that title, description, keywords or id contain.
    query: Option<String>,
    /// Of this peer, by its DID.
    peer: Option<String>,
    /// Of this kind, as in `table`.
    kind: Option<String>,
    /// Under this licence, as in `CC-BY-4.0`.
    license: Option<String>,
    /// In this language, as in `zh-cn`.
    language: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Most rows, 1 to 200.
    limit: Option<u32>,
}

/// A dataset of a peer, without its schema and profile: those are in its catalogue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FoundBody {
    /// Whose it is.
    peer: String,
    /// Its name, where it told one.
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_name: Option<String>,
    /// When the peer's catalogue said so.
    read_at: String,
    #[serde(flatten)]
    dataset: DatasetBody,
}

/// Datasets of peers, by title.
#[derive(Serialize, ToSchema)]
pub struct DatasetsBody {
    datasets: Vec<FoundBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

fn found(row: PeerDataset, names: &Names) -> FoundBody {
    let mut dataset = kept(row.body);
    if let Some(said) = dataset.extension.as_object_mut() {
        said.retain(|key, _| key != "schema" && key != "profile");
    }
    // What was kept in short still has its id and title.
    dataset.id = row.dataset;
    dataset.title = row.title;
    let peer_name = Some(names.peer(&row.peer)).filter(|name| *name != row.peer.as_str()).map(str::to_owned);
    FoundBody { peer: row.peer.to_string(), peer_name, read_at: row.read_at.to_rfc3339(), dataset: dataset.into() }
}

/// Search what peers offer.
///
/// The answer comes from the copies of peers' catalogues, which are at most some minutes older than the last look at them.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/datasets", tag = "catalog", params(("slug" = String, Path), DatasetsQuery),
    responses((status = 200, body = DatasetsBody)))]
pub async fn list(State(app): State<App>, acting: Acting, Query(query): Query<DatasetsQuery>) -> ApiResult<Json<DatasetsBody>> {
    let some = |text: Option<String>| text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    let asked = DatasetsAsked {
        query: some(query.query),
        peer: some(query.peer).map(|did| Did::parse(&did)).transpose()?,
        kind: some(query.kind),
        license: some(query.license),
        language: some(query.language).map(|tag| tag.to_ascii_lowercase()),
    };
    if query.after.is_none() {
        app.catalogs_look(&acting.participant, FIRST_READINGS).await?;
    }
    let listed = app.list_datasets(&acting.participant, asked, query.after.as_deref(), list_rows(query.limit)).await?;
    let names = app.peer_names(&acting.participant.slug, listed.items.iter().map(|row| &row.peer)).await?;
    Ok(Json(DatasetsBody { datasets: listed.items.into_iter().map(|row| found(row, &names)).collect(), next: listed.next }))
}
