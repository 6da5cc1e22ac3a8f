//! `POST /p/{slug}/sql/query`: a statement, and its answer as JSON or as a stream of Arrow.

use super::{limits, table_of, to_error};
use crate::{
    app::{App, access::Grant, weighing::{Portion, Weight}},
    http::{bearer, problem::ApiError},
};
use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use fondaco_core::{Code, Error, Result, participant::Slug};
use fondaco_tables::sql::{Answer, Counted, Format};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use std::{io, pin::Pin};

/// Bytes taken from the agreed volume at once: few enough transactions, little to give back.
const PORTION_BYTES: u64 = 4 * 1024 * 1024;

/// The body of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The statement.
    sql: String,
}

/// Answers a statement.
pub async fn query(State(app): State<App>, Path(slug): Path<String>, headers: HeaderMap, body: Bytes) -> Result<Response, ApiError> {
    let slug = Slug::parse(&slug).map_err(|_| Error::not_found("The participant"))?;
    let token = bearer::token(&headers)
        .ok_or_else(|| Error::new(Code::Unauthenticated, "Send the bearer token of the agreement's profile file."))?;
    let grant = app.grant_by_token(&slug, token).await?;
    let asked: Asked = serde_json::from_slice(&body).map_err(|e| Error::invalid(format!("The body is not {{\"sql\": \"SELECT …\"}}: {e}.")))?;
    let format = format(&headers);
    let answer = run(&app, &grant, asked.sql).await?;
    let mut response = Response::new(Body::from_stream(body_of(app, grant, answer, format)));
    let map = response.headers_mut();
    map.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    map.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    map.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

fn format(headers: &HeaderMap) -> Format {
    let mut wanted = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    let arrow = wanted.any(|kind| kind.split(';').next().is_some_and(|k| k.trim().eq_ignore_ascii_case(Format::Arrow.media_type())));
    if arrow { Format::Arrow } else { Format::Json }
}

/// Runs a statement as one read, up to its first rows. One that fails before them was no read.
///
/// # Errors
/// What is wrong with the statement; [`Code::PolicyDenied`] when all agreed reads are used.
pub(crate) async fn run(app: &App, grant: &Grant, sql: String) -> Result<Answer> {
    let table = table_of(app, grant).await?;
    app.admit_read(grant).await?;
    metrics::counter!("fondaco_sql_queries_total").increment(1);
    let begun = async { app.sql.run(&grant.transfer.agreement_id, table, sql, limits()).await?.begin().await };
    match begun.await {
        Ok(answer) => Ok(answer),
        Err(e) => {
            app.give_back_read(grant).await?;
            Err(to_error(&e))
        }
    }
}

type Pieces = Pin<Box<dyn Stream<Item = Result<(Bytes, Counted), fondaco_tables::sql::SqlError>> + Send>>;

struct Flow {
    app: App,
    grant: Grant,
    pieces: Pieces,
    weigher: Weigher,
}

/// The body: rows go out while access is open and the agreed volume lasts. What ends it early ends the connection, which
/// every client takes for the failure it is.
fn body_of(app: App, grant: Grant, answer: Answer, format: Format) -> impl Stream<Item = io::Result<Bytes>> {
    let weigher = Weigher::new(&app);
    let flow = Flow { app, grant, pieces: Box::pin(answer.into_bytes(format)), weigher };
    stream::try_unfold(flow, |mut flow| async move {
        let mut watch = flow.grant.watch.clone();
        let piece = tokio::select! {
            biased;
            () = watch.closed() => return Err(ended()),
            piece = flow.pieces.next() => piece,
        };
        let Some(piece) = piece else { return Ok(None) };
        let (bytes, counted) = piece.map_err(|e| {
            tracing::debug!("sql.query: {e:?}");
            io::Error::other(e.to_string())
        })?;
        flow.weigher.take(&flow.app, &flow.grant, bytes.len() as u64, counted.rows).await?;
        if !flow.grant.watch.is_open(flow.app.now()) {
            return Err(ended());
        }
        Ok(Some((bytes, flow)))
    })
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "access has ended")
}
