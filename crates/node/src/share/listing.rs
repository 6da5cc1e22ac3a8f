//! `GET …/shares`, `…/shares/{share}`, `…/schemas`, `…/tables`, `…/all-tables`.

use super::{Granted, SCHEMA, json, refused};
use axum::{extract::Query, http::StatusCode, response::Response};
use fondaco_tables::delta_sharing::{
    Paging,
    listing::{GetShareResponse, ListedSchema, ListedTable, Named, Share},
};
use serde::{Deserialize, Serialize};

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

fn the_share(granted: &Granted) -> Share {
    Share { name: granted.slug.to_string(), id: Some(granted.share_id()) }
}

fn the_table(granted: &Granted) -> ListedTable {
    ListedTable {
        name: granted.table_name().to_owned(),
        schema: SCHEMA.into(),
        share: granted.slug.to_string(),
        share_id: Some(granted.share_id()),
        id: Some(granted.table_id()),
    }
}

/// List Shares.
pub async fn shares(granted: Granted, Query(query): Query<PageQuery>) -> Response {
    page(&query, vec![the_share(&granted)])
}

/// Get Share.
pub async fn share(granted: Granted) -> Response {
    let body = GetShareResponse { share: the_share(&granted) };
    json(StatusCode::OK, serde_json::to_string(&body).unwrap_or_default())
}

/// List Schemas in a Share.
pub async fn schemas(granted: Granted, Query(query): Query<PageQuery>) -> Response {
    page(&query, vec![ListedSchema { name: SCHEMA.into(), share: granted.slug.to_string() }])
}

/// List Tables in a Schema.
pub async fn tables(granted: Granted, Query(query): Query<PageQuery>) -> Response {
    page(&query, vec![the_table(&granted)])
}

/// List all Tables in a Share.
pub async fn all_tables(granted: Granted, Query(query): Query<PageQuery>) -> Response {
    page(&query, vec![the_table(&granted)])
}
