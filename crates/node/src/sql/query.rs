//! `POST /p/{slug}/sql/query`: a statement, and its answer as JSON or as a stream of Arrow.

use super::open::Opened;
use crate::{
    app::App,
    http::{bearer, problem::ApiError},
};
use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use fondaco_core::{Code, Error};
use fondaco_tables::sql::{Answer, Format};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use std::io;

/// The body of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The statement.
    sql: String,
}

/// Answers a statement.
pub async fn query(State(app): State<App>, Path(slug): Path<String>, headers: HeaderMap, body: Bytes) -> Result<Response, ApiError> {
    let token = bearer::token(&headers)
        .ok_or_else(|| Error::new(Code::Unauthenticated, "Send the bearer token of the agreement's profile file."))?;
    let opened = Opened::by_token(&app, &slug, token).await?;
    let asked: Asked =
        serde_json::from_slice(&body).map_err(|e| Error::invalid(format!("The body is not {{\"sql\": \"SELECT …\"}}: {e}.")))?;
    let format = format(&headers);
    let answer = opened.answer(asked.sql).await?;
    let mut response = Response::new(Body::from_stream(rows(opened, answer, format)));
    let map = response.headers_mut();
    map.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    map.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    map.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// Arrow where it is asked for, JSON otherwise.
fn format(headers: &HeaderMap) -> Format {
    let mut wanted = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    let arrow = wanted.any(|kind| kind.split(';').next().is_some_and(|k| k.trim().eq_ignore_ascii_case(Format::Arrow.media_type())));
    if arrow { Format::Arrow } else { Format::Json }
}

/// The body: rows go out while access is open. What ends it early ends the connection, which every client takes for the
/// failure it is.
fn rows(opened: Opened, answer: Answer, format: Format) -> impl Stream<Item = io::Result<Bytes>> {
    let pieces = Box::pin(answer.into_bytes(format));
    stream::try_unfold((opened, pieces), |(opened, mut pieces)| async move {
        let ended = |e: Error| io::Error::new(io::ErrorKind::PermissionDenied, e.to_string());
        let piece = tokio::select! {
            biased;
            () = opened.ended() => return Err(ended(Error::new(Code::AccessEnded, "Access has ended."))),
            piece = pieces.next() => piece,
        };
        let Some(piece) = piece else { return Ok(None) };
        let (bytes, counted) = piece.map_err(io::Error::other)?;
        opened.weigh(bytes.len() as u64, counted.rows).await.map_err(ended)?;
        Ok(Some((bytes, (opened, pieces))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrow_is_for_those_who_ask_for_it() {
        let of = |accept: &'static str| format(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]));
        assert_eq!(of("application/vnd.apache.arrow.stream"), Format::Arrow);
        assert_eq!(of("text/html, Application/vnd.apache.arrow.stream;q=0.9"), Format::Arrow);
        assert_eq!(of("application/json"), Format::Json);
        assert_eq!(of("*/*"), Format::Json);
        assert_eq!(format(&HeaderMap::new()), Format::Json);
    }
}
