//! `GET …/shares`, `…/shares/{share}`, `…/schemas`, `…/tables`, `…/all-tables`, and of OpenSharing `…/volumes`, `…/all-volumes`,
//! `…/volumes/{volume}` and `POST …/temporary-volume-credentials`
//! ([volumes](https://github.com/OpenSharing-IO/OpenSharing)).
//!
//! A token is good for one table or for the files of one product, which are a volume.

use super::{Granted, Refusal, SCHEMA, Token, json, refused, stable_uuid};
use crate::app::App;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use fondaco_core::{Error, product::ProductKind};
use fondaco_tables::delta_sharing::{
    Paging,
    listing::{GetShareResponse, ListedSchema, ListedTable, ListedVolume, Named, Share},
};
use serde::{Deserialize, Serialize};

/// The mode of access by addresses of ours, as tables of Delta Sharing have it.
const BY_URL: &str = "url";

/// The paging parameters, as they came.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PageQuery {
    max_results: Option<String>,
    page_token: Option<String>,
}

fn page<T: Named + Serialize>(query: &PageQuery, items: Vec<T>) -> Response {
    match Paging::parse(query.max_results.as_deref(), query.page_token.as_deref()) {
        Ok(paging) => json(StatusCode::OK, serde_json::to_string(&paging.page(items)).unwrap_or_default()),
        Err(e) => refused(&e),
    }
}

fn the_share(token: &Token) -> Share {
    Share { name: token.slug.to_string(), id: Some(token.share_id()) }
}

/// The table under the token, if it is one.
fn the_tables(app: &App, token: Token) -> Result<Vec<ListedTable>, Error> {
    if token.grant.product.kind != ProductKind::Table {
        return Ok(Vec::new());
    }
    let share_id = token.share_id();
    let granted = Granted::new(app, token.grant, token.slug)?;
    Ok(vec![ListedTable {
        name: granted.table_name().to_owned(),
        schema: SCHEMA.into(),
        share: granted.slug.to_string(),
        share_id: Some(share_id),
        id: Some(granted.table_id()),
    }])
}

/// The volume under the token, if it is one.
///
/// Deviation: OpenSharing knows volumes in clouds alone, for which it gives out credentials. Ours has the access mode `url`: its
/// storage location is the list of its files over HTTP, for the same token.
fn the_volume(app: &App, token: &Token) -> Option<ListedVolume> {
    let files = token.grant.product.kind == ProductKind::Files;
    files.then(|| ListedVolume {
        name: token.name().to_owned(),
        schema: SCHEMA.into(),
        share: token.slug.to_string(),
        share_id: Some(token.share_id()),
        id: Some(stable_uuid(&format!("volume:{}:{}", token.slug, token.grant.agreed.dataset_id()))),
        storage_location: format!("{}/files/{}", app.config.participant_base(&token.slug), token.grant.transfer.id),
        access_modes: vec![BY_URL.into()],
    })
}

/// List Shares.
pub async fn shares(token: Token, Query(query): Query<PageQuery>) -> Response {
    page(&query, vec![the_share(&token)])
}

/// Get Share.
pub async fn share(token: Token) -> Response {
    let body = GetShareResponse { share: the_share(&token) };
    json(StatusCode::OK, serde_json::to_string(&body).unwrap_or_default())
}

/// List Schemas in a Share.
pub async fn schemas(token: Token, Query(query): Query<PageQuery>) -> Response {
    page(&query, vec![ListedSchema { name: SCHEMA.into(), share: token.slug.to_string() }])
}

/// List Tables in a Schema, and List all Tables in a Share.
pub async fn tables(State(app): State<App>, token: Token, Query(query): Query<PageQuery>) -> Result<Response, Refusal> {
    Ok(page(&query, the_tables(&app, token)?))
}

/// List Volumes in a Schema, and List All Volumes in a Share.
pub async fn volumes(State(app): State<App>, token: Token, Query(query): Query<PageQuery>) -> Response {
    page(&query, the_volume(&app, &token).into_iter().collect())
}

/// Get Volume.
pub async fn volume(State(app): State<App>, token: Token) -> Response {
    match the_volume(&app, &token) {
        Some(volume) => json(StatusCode::OK, serde_json::to_string(&volume).unwrap_or_default()),
        None => Refusal(Error::not_found("The volume")).into_response(),
    }
}

/// Generate Temporary Volume Credentials: there is no cloud that they would be for.
pub async fn volume_credentials(State(app): State<App>, token: Token) -> Refusal {
    match the_volume(&app, &token) {
        Some(volume) => Refusal(Error::invalid(format!(
            "This volume is read by URL (access mode \"url\"), and there are no cloud credentials for it: GET {} with the same bearer token lists its files, each with an address to fetch it from.",
            volume.storage_location
        ))),
        None => Refusal(Error::not_found("The volume")),
    }
}
