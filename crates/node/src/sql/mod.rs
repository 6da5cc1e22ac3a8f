//! Governed SQL on the public listener: answers from the table of an agreement, under the same token as its Delta Sharing.
//!
//! `POST /p/{slug}/sql/query`, and Arrow Flight SQL at the listener's root, where gRPC looks for it. One statement is one
//! read of the product version.

mod open;
mod query;

use crate::app::App;
use axum::{Router, extract::DefaultBodyLimit, routing::post};
use fondaco_core::{Code, Error};
use fondaco_tables::sql::{Refusal, Sort, SqlError, flight};
use open::Doors;
use std::sync::Arc;

/// Longest body: a statement of the longest text, with every character escaped.
const BODY_MAX_BYTES: usize = 700_000;
/// What the key that seals tickets is derived for.
const TICKET_KEY: &str = "flight-tickets";

/// The routes below `/p/{slug}/sql`.
pub fn router() -> Router<App> {
    Router::new().route("/query", post(query::query)).layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
}

/// Arrow Flight SQL. Without it, should it not be possible, the node serves everything else.
pub fn flight_router(app: &App) -> Router<App> {
    let key = app.sealer.derive(TICKET_KEY);
    match flight::Flight::new(Arc::new(Doors(app.clone())), Arc::clone(&app.sql), key.as_ref(), env!("CARGO_PKG_VERSION")) {
        Ok(flight) => Router::new().route_service(flight::PATH, flight.service()),
        Err(e) => {
            tracing::error!("flight: {e}");
            Router::new()
        }
    }
}

/// What a statement's failure is told as.
fn to_error(e: &SqlError) -> Error {
    match e {
        SqlError::Refused(_) | SqlError::OnValue => Error::invalid(e.to_string()),
        SqlError::TooLarge(_) | SqlError::OutOfMemory | SqlError::TooSlow(_) => Error::new(Code::QueryLimit, e.to_string()),
        SqlError::Busy(_) => Error::new(Code::TooMany, e.to_string()),
        SqlError::Failed(cause) => Error::new(Code::Internal, e.to_string()).with_internal(cause),
        other => Error::internal_failure(other),
    }
}

/// The same for callers of procedures. What happened inside goes to the log here: nobody else sees it.
fn to_refusal(e: &Error) -> Refusal {
    if let Some(cause) = e.internal() {
        tracing::error!(cause, "sql: {e}");
    }
    let sort = match e.code().status() {
        401 => Sort::Unauthenticated,
        402 | 403 => Sort::Denied,
        404 => Sort::NotFound,
        413 | 422 | 429 => Sort::Exhausted,
        500.. => Sort::Internal,
        _ => Sort::Invalid,
    };
    Refusal { sort, message: format!("{} ({})", e.message(), e.code()) }
}
