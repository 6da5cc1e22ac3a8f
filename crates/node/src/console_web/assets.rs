//! `GET /assets/{hash}/{name}`: styles, script and icon. The hash is that of the bytes, so they may be kept forever.

use super::answer;
use axum::{
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};

/// The file, or nothing where name or hash is another one.
pub async fn file(uri: Uri) -> Response {
    match fondaco_console::asset(uri.path()) {
        Some(asset) => {
            let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
            let kind = HeaderValue::from_static(asset.content_type);
            ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, kept)], asset.bytes).into_response()
        }
        None => answer::missing(),
    }
}
