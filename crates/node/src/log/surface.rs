//! `/log/…` on the public listener: the checkpoint, tiles and bundles of entries, by c2sp.org/tlog-tiles; and
//! `/log/witness/…`, where other logs ask to be cosigned.
//!
//! Every resource has one address; whatever else is asked for is not found. Tiles and bundles never change, and are
//! cached for good; so are partial ones, whose address names their width.

use super::{policy, witnessing};
use crate::{app::App, http::problem::ApiError};
use axum::{
    Router,
    extract::{DefaultBodyLimit, OriginalUri, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use fondaco_core::{Error, Result};
use fondaco_tlog::{tile::Resource, witness::REQUEST_BYTES_MAX};

/// A year: the longest that caches keep anything.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// A checkpoint is as fresh as a witness needs it.
pub(super) const BRIEFLY: &str = "public, max-age=1";
const BYTES: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

/// The routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/log/witness/add-checkpoint", post(witnessing::add_checkpoint).layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX)))
        .route("/log/witness/{hash}/checkpoint", get(witnessing::checkpoint))
        .route("/log/{*path}", get(serve))
}

async fn serve(State(app): State<App>, OriginalUri(uri): OriginalUri) -> Result<Response, ApiError> {
    let resource = uri.path().strip_prefix("/log/").and_then(Resource::parse).ok_or_else(missing)?;
    let (body, media, cache) = match resource {
        Resource::Checkpoint => {
            let note = app
                .store
                .read("log.checkpoint", |tx| -> Result<_> {
                    let Some(tree) = tx.log_tree()?.filter(|tree| !tree.checkpoint.is_empty()) else { return Ok(None) };
                    Ok(Some(policy::cosigned(&tree, &tx.log_cosignatures()?)?.0))
                })
                .await?;
            (note.map(|note| note.to_string().into_bytes()), TEXT, BRIEFLY)
        }
        Resource::Tile(address) => {
            (app.store.read("log.tile", move |tx| -> Result<_> { Ok(tx.log_tile(address)?) }).await?, BYTES, FOR_GOOD)
        }
        Resource::Entries(address) => {
            (app.store.read("log.entries", move |tx| -> Result<_> { Ok(tx.log_entries(address)?) }).await?, BYTES, FOR_GOOD)
        }
    };
    let body = body.ok_or_else(missing)?;
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(media)), (header::CACHE_CONTROL, HeaderValue::from_static(cache))];
    Ok((headers, body).into_response())
}

fn missing() -> Error {
    Error::not_found("This part of the log")
}
