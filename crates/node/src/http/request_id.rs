//! Every request has an id: the caller's `x-request-id` if it is sane, a fresh one otherwise. It is answered in the
//! same header, written into problem documents, and on every log line of the request.

use super::{
    problem::{Cause, MEDIA_TYPE, Problem, REQUEST_ID},
    request_log::Pending,
};
use crate::app::App;
use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, MatchedPath, Request},
    http::{HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};
use fondaco_core::Code;
use std::{net::SocketAddr, time::Instant};
use tracing::Instrument;

/// Longest id taken over from a caller.
const CALLER_ID_MAX_CHARS: usize = 64;
/// Problem documents are small.
const PROBLEM_MAX_BYTES: usize = 64 * 1024;

/// The id of a request, for handlers that show it.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// A method as a label: callers send any word, and each would be a series of its own.
fn known(method: &Method) -> String {
    let usual = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    if usual.contains(method) { method.to_string() } else { "OTHER".to_owned() }
}

/// The layer.
pub async fn layer(app: App, surface: &'static str, mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(|v| v.to_str().ok())
        .filter(|v| !v.is_empty() && v.len() <= CALLER_ID_MAX_CHARS && v.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)))
        .map_or_else(|| app.fresh_id(), str::to_owned);
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    // The route, not the path: paths hold ids, and queries hold signatures.
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "unmatched".to_owned(), |m| m.as_str().to_owned());
    let span = tracing::info_span!("request", id, %method, route, surface);
    let started = Instant::now();
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|from| from.0.ip());
    let mut pending = Pending::new(&app, &id, surface, method.as_str(), &route, address);
    let mut response = pending.answer(next.run(request).instrument(span.clone())).await;
    let elapsed = started.elapsed();
    let status = response.status();
    let labels =
        [("surface", surface.to_owned()), ("method", known(&method)), ("route", route.clone()), ("status", status.as_u16().to_string())];
    metrics::histogram!("fondaco_http_request_seconds", &labels).record(elapsed.as_secs_f64());
    let entered = span.enter();
    if let Some(Cause(error)) = response.extensions().get::<Cause>() {
        let cause = error.internal().unwrap_or_default();
        if is_peers_failure(error.code()) {
            // A peer that is away or answers badly is no failure of ours; nobody should be woken for it.
            tracing::warn!(code = %error.code(), cause, status = status.as_u16(), "request.failed {method} {route}: {error}");
        } else if status.is_server_error() {
            tracing::error!(code = %error.code(), cause, status = status.as_u16(), "request.failed {method} {route}: {error}");
        } else {
            tracing::info!(code = %error.code(), cause, status = status.as_u16(), "request.refused {method} {route}: {error}");
        }
    } else {
        tracing::debug!(status = status.as_u16(), elapsed_ms = elapsed.as_secs_f64() * 1_000.0, "request.done {method} {route}");
    }
    drop(entered);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    pending.answered(status.as_u16(), response.extensions().get::<Cause>().map(|cause| cause.0.code().as_str()));
    let (parts, body) = with_id(response, id).await.into_parts();
    Response::from_parts(parts, pending.carried_by(body))
}

/// Whether somebody else failed.
const fn is_peers_failure(code: Code) -> bool {
    matches!(code, Code::DidUnresolvable | Code::PeerUnreachable | Code::PeerAnsweredBadly | Code::PeerRefused)
}

/// Writes the id into a problem document.
async fn with_id(response: Response, id: String) -> Response {
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|v| v == MEDIA_TYPE);
    if !is_problem {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, PROBLEM_MAX_BYTES).await else { return Response::from_parts(parts, Body::empty()) };
    let body = match serde_json::from_slice::<Problem>(&bytes) {
        Ok(mut problem) => {
            problem.request_id = Some(id);
            serde_json::to_vec(&problem).unwrap_or_else(|_| bytes.to_vec())
        }
        Err(_) => bytes.to_vec(),
    };
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    Response::from_parts(parts, Body::from(body))
}
