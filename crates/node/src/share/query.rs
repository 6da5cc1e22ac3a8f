//! `POST …/query`: names the files of the table. One query is one read of the product version.
//!
//! The answer goes out while the list of files is read, so that a table of any number of files takes the same memory.

use super::{
    Granted, Refusal, header_text, ndjson,
    poll::{self, Later},
    refused,
};
use crate::app::{
    App,
    governed::FileNames,
    product_files::{FILES_AT_ONCE, table_file},
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use fondaco_core::{Code, Error, Result, time::Micros};
use fondaco_store::ProductFile;
use fondaco_tables::{
    delta_sharing::{
        AnswerHead, Capabilities, FileUrl, QueryRequest, SharedTable, SharingError, SignedFile, headers, parse_file_id_hash, sign_file_url,
        table::{failed_end, version_of_token},
    },
    governed::GovernedFile,
    publish::{DataFile, FileStats},
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

/// How long file URLs live: clients renew them 15 minutes before their end, and a large table takes a while to read.
/// Access can end earlier: every request and every chunk is checked.
pub const URL_LIFE: Micros = Micros::from_secs(3_600);
/// What the key that signs file URLs is derived for.
pub const URL_KEY: &str = "file-urls";
/// Pieces of an answer made before the client has taken them: one on its way, one ready.
const PIECES_AHEAD: usize = 2;

/// A query as it was asked, understood.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// What.
    pub(super) request: QueryRequest,
    /// By what sort of client.
    pub(super) capabilities: Capabilities,
    /// What the header of file ids is echoed as.
    pub(super) scheme: Option<&'static str>,
}

impl Asked {
    /// # Errors
    /// By the protocol's rules.
    pub(super) fn read(map: &HeaderMap, body: &[u8]) -> Result<Self, SharingError> {
        Ok(Self {
            request: QueryRequest::parse(body)?,
            capabilities: Capabilities::parse(header_text(map, headers::CAPABILITIES))?,
            scheme: parse_file_id_hash(header_text(map, headers::FILE_ID_HASH))?,
        })
    }
}

/// Read Data from a Table.
pub async fn query(State(app): State<App>, granted: Granted, map: HeaderMap, body: Bytes) -> Response {
    let asked = match Asked::read(&map, &body) {
        Ok(asked) => asked,
        Err(e) => return refused(&e),
    };
    let request = &asked.request;
    // A page or a renewal of URLs belongs to the query that gave its token, which was counted.
    let continues = request.page_token.is_some() || request.refresh_token.is_some();
    let granted = match if continues { granted.continued(&app).await } else { Ok(granted) } {
        Ok(granted) => granted,
        Err(e) => return Refusal(e).into_response(),
    };
    // And is about the version it began with, although there may be a newer one by now.
    let token = request.page_token.as_deref().or(request.refresh_token.as_deref());
    let continued = match granted.at_version(&app, token.and_then(version_of_token)).await {
        Ok(granted) => granted,
        Err(e) => return Refusal(e).into_response(),
    };
    let granted = match continued.asked_for(&app, request.version, request.timestamp_ms).await {
        Ok(granted) => granted,
        Err(refusal) => return refusal,
    };
    if granted.plan.min_group_size().is_some() {
        return Refusal(only_aggregates()).into_response();
    }
    if !continues && asked.capabilities.async_query {
        match poll::later(&app, &granted, &asked, &body).await {
            Ok(Later::Submitted(answer) | Later::Refused(answer)) => return answer,
            Ok(Later::Now) => {}
            Err(e) => return Refusal(e).into_response(),
        }
    }
    if !continues && let Err(e) = app.admit_read(&granted.grant).await {
        return Refusal(e).into_response();
    }
    let id = app.fresh_id();
    respond(&app, granted, asked, id, continues).await
}

/// Answers a query, which `id` names in the addresses of its files: what is delivered counts once for each. With `counted` it
/// was counted before.
pub(super) async fn respond(app: &App, granted: Granted, asked: Asked, id: String, counted: bool) -> Response {
    let (head_of, head) = oneshot::channel();
    let (pieces, body) = mpsc::channel(PIECES_AHEAD);
    let grant = granted.grant.clone();
    let Asked { request, capabilities, scheme } = asked;
    tokio::spawn(answer(app.clone(), granted, request, capabilities, id, head_of, pieces));
    match head.await {
        Ok(Ok(head)) => {
            metrics::counter!("fondaco_share_queries_total").increment(1);
            let body =
                Body::from_stream(ReceiverStream::new(body).map(|piece: String| Ok::<_, std::convert::Infallible>(Bytes::from(piece))));
            ndjson(&head, body, scheme)
        }
        Ok(Err(e)) => {
            // Nothing was read after all.
            if !counted && let Err(e) = app.give_back_read(&grant).await {
                return Refusal(e).into_response();
            }
            refused(&e)
        }
        Err(gone) => Refusal(fondaco_core::Error::internal_failure(gone)).into_response(),
    }
}

/// Makes the answer, piece by piece, as fast as the client takes it. Ends when the client goes away.
async fn answer(
    app: App,
    granted: Granted,
    request: QueryRequest,
    capabilities: Capabilities,
    query_id: String,
    head: oneshot::Sender<Result<AnswerHead, SharingError>>,
    pieces: mpsc::Sender<String>,
) {
    let (id, token_key) = (granted.table_id(), granted.token_key(&app));
    let shared = granted.shared(&id, &*token_key, app.now());
    let (mut query, first) = match shared.query(&request, &capabilities, query_id) {
        Ok(begun) => begun,
        Err(e) => {
            let _ = head.send(Err(e));
            return;
        }
    };
    let _ = head.send(Ok(query.head().clone()));
    let mut sign = signer(&app, &granted, query.id());
    let names = app.file_names(&granted.grant);
    let mut piece = first;
    while let Some(from) = query.next() {
        let listed = app.product_files(&granted.slug, &granted.grant.product.reference, from).await;
        let (rows, files) = match listed.and_then(|rows| read(&rows).map(|files| (rows, files))) {
            Ok(listed) => listed,
            Err(e) => {
                failed(&pieces, piece, &e).await;
                return;
            }
        };
        for (file, row) in files.iter().zip(&rows) {
            if granted.plan.is_whole() {
                piece.extend(query.push(file, &mut sign));
                continue;
            }
            if query.next().is_none() {
                break;
            }
            let shown = match app.governed_file(&granted.grant, &granted.plan, row).await {
                Ok(shown) => shown,
                Err(e) => {
                    failed(&pieces, piece, &e).await;
                    return;
                }
            };
            piece.extend(query.push(&named(&names, row.position, shown), &mut sign));
            // Each may have taken a while to make.
            if !piece.is_empty() && pieces.send(std::mem::take(&mut piece)).await.is_err() {
                return;
            }
        }
        if rows.len() < FILES_AT_ONCE as usize {
            break;
        }
        // Not every file is named, so a piece can be empty; an empty chunk would end the body.
        if !piece.is_empty() && pieces.send(std::mem::take(&mut piece)).await.is_err() {
            return;
        }
    }
    piece.push_str(&query.end());
    if !piece.is_empty() {
        let _ = pieces.send(piece).await;
    }
}

/// Why no file of a table is delivered of which only aggregates are shown.
pub(super) fn only_aggregates() -> Error {
    Error::new(Code::PolicyDenied, "The terms give aggregates alone and no rows: ask questions in SQL instead. (minGroupSize)")
}

/// Ends an answer that cannot be finished.
async fn failed(pieces: &mpsc::Sender<String>, piece: String, e: &Error) {
    tracing::error!(cause = e.internal().unwrap_or_default(), "share.query: {e}");
    let _ = pieces.send(piece + &failed_end("The list of files could not be read to its end. Query again.")).await;
}

/// A file as it is listed under a plan that hides something. One of which nothing is shown has no rows, and is not named.
pub(super) fn named(names: &FileNames, place: u64, shown: Option<GovernedFile>) -> DataFile {
    let nothing = DataFile {
        name: String::new(),
        size_bytes: 0,
        sha256: String::new(),
        rows: 0,
        stats: FileStats::default(),
        path: None,
        origin: None,
    };
    shown.map_or(nothing.clone(), |file| {
        let id = names.id(&file);
        DataFile { name: names.name(&id, place), size_bytes: file.size, sha256: id, rows: file.rows, stats: file.stats, ..nothing }
    })
}

fn read(rows: &[ProductFile]) -> Result<Vec<DataFile>> {
    rows.iter().map(table_file).collect()
}

/// Gives files of a grant their addresses under a query.
fn signer(app: &App, granted: &Granted, query_id: &str) -> impl FnMut(&DataFile) -> SignedFile + use<> {
    let expires = app.now().plus(URL_LIFE);
    let expires_at_ms = granted.grant.permit.until.map_or(expires, |until| until.min(expires)).as_millis();
    let key = app.sealer.derive(URL_KEY);
    let transfer = granted.grant.transfer.id.to_string();
    let version = granted.grant.product.reference.version;
    let base = format!("{}/share/files/{transfer}/{version}", app.config.participant_base(&granted.slug));
    let (query_id, whole) = (query_id.to_owned(), granted.plan.is_whole());
    move |file| {
        let file = if whole { SharedTable::file_id(file).to_owned() } else { file.name.clone() };
        let url = format!("{base}/{file}");
        let grant = FileUrl { transfer: format!("{transfer}/{version}"), file, query_id: query_id.clone(), expires_at_ms };
        SignedFile { url: sign_file_url(&url, &grant, key.as_ref()), expires_at_ms }
    }
}
