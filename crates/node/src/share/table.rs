//! `GET …/version`, `…/metadata`, `…/changes` and `POST …/temporary-table-credentials`.

use super::{Granted, Refusal, header_text, ndjson, refused};
use crate::app::App;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use fondaco_core::Error;
use fondaco_tables::delta_sharing::{
    Capabilities, MetadataRequest, SharingError, headers, parse_file_id_hash,
    query::{check_starting_timestamp, no_change_data_feed},
};
use serde::Deserialize;

/// The parameters of version and metadata requests.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VersionQuery {
    starting_timestamp: Option<String>,
    version: Option<String>,
    timestamp: Option<String>,
}

/// Query Table Version.
pub async fn version(granted: Granted, Query(query): Query<VersionQuery>) -> Response {
    let created = granted.grant.product.created_at.as_millis();
    if let Err(e) = check_starting_timestamp(query.starting_timestamp.as_deref(), created) {
        return refused(&e);
    }
    let version = HeaderValue::from(granted.grant.product.reference.version);
    (StatusCode::OK, [(HeaderName::from_static("delta-table-version"), version)]).into_response()
}

/// Query Table Metadata.
pub async fn metadata(State(app): State<App>, granted: Granted, Query(query): Query<VersionQuery>, map: HeaderMap) -> Response {
    let request = match MetadataRequest::parse(query.version.as_deref(), query.timestamp.as_deref()) {
        Ok(request) => request,
        Err(e) => return refused(&e),
    };
    let granted = match granted.asked_for(&app, request.version, request.timestamp_ms).await {
        Ok(granted) => granted,
        Err(refusal) => return refusal,
    };
    let answer = || {
        let capabilities = Capabilities::parse(header_text(&map, headers::CAPABILITIES))?;
        let scheme = parse_file_id_hash(header_text(&map, headers::FILE_ID_HASH))?;
        let id = granted.table_id();
        Ok((granted.shared(&id, &*granted.token_key(&app), app.now()).metadata(&request, &capabilities)?, scheme))
    };
    match answer() {
        Ok(((head, lines), scheme)) => ndjson(&head, lines, scheme),
        Err::<_, SharingError>(e) => refused(&e),
    }
}

/// Read Change Data Feed.
pub async fn changes(_granted: Granted) -> Response {
    refused(&no_change_data_feed())
}

/// Credentials for the whole folder would let a reader past the terms, so there are none.
pub async fn credentials(_granted: Granted) -> Refusal {
    Refusal(Error::invalid("This table is read by URL (access mode \"url\"); there are no directory credentials."))
}
