//! Queries that are answered later, and `POST …/queries/{query}`, which polls them (PROTOCOL.md, "asyncQuery", "Get Query Info").
//!
//! A query is answered later for a client that can poll, where much would have to be written anew first. The work goes into
//! the cache of files; the answer itself is made when it is fetched, so that its addresses are fresh and what has changed
//! meanwhile holds.

use super::{
    Granted, Refusal, ndjson,
    polled::{KEPT_BODY_MAX, Polled, Progress, Submitted},
    query::{Asked, named, respond},
    refused,
};
use crate::app::{App, product_files::FILES_AT_ONCE};
use axum::{
    body::Bytes,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use fondaco_core::{Code, Error, Result};
use fondaco_tables::{
    delta_sharing::{AnswerHead, Capabilities, SignedFile, table::query_status},
    publish::DataFile,
};
use sha2::Digest;
use std::{collections::HashMap, sync::Arc};

/// What the client of a query is told that failed. Why is in the log.
const FAILED: &str = "The answer could not be made. Submit the query again.";

/// Whether a query is answered later.
pub(super) enum Later {
    /// It is: what its client is told.
    Submitted(Response),
    /// It cannot be answered at all.
    Refused(Response),
    /// It is answered now.
    Now,
}

/// Submits a query, if it is one to be answered later.
///
/// # Errors
/// When its reads are used up; when the database or a file fails.
pub(super) async fn later(app: &App, granted: &Granted, asked: &Asked, body: &[u8]) -> Result<Later> {
    if body.len() > KEPT_BODY_MAX {
        return Ok(Later::Now);
    }
    let (transfer, now) = (&granted.grant.transfer.id, app.now());
    let key = asked.request.idempotency_key.is_some().then(|| submission(granted, body));
    // Before anything is looked at: by now it may not take long any more.
    if let Some(before) = key.as_deref().and_then(|key| app.polled.before(transfer, key, now)) {
        return Ok(Later::Submitted(status(granted, asked, &before, None)));
    }
    if !takes_long(app, granted).await? {
        return Ok(Later::Now);
    }
    let (id, token_key) = (granted.table_id(), granted.token_key(app));
    if let Err(e) = granted.shared(&id, &*token_key, now).query(&asked.request, &asked.capabilities, String::new()) {
        return Ok(Later::Refused(refused(&e)));
    }
    let id = app.fresh_id();
    let query = Polled {
        transfer: transfer.clone(),
        version: granted.grant.product.reference.version,
        plan: granted.plan.digest().to_owned(),
        key,
        request: Arc::new(asked.request.clone()),
    };
    match app.polled.submit(&id, query, now) {
        Submitted::New => {}
        Submitted::Before(before) => return Ok(Later::Submitted(status(granted, asked, &before, None))),
        Submitted::Full => return Ok(Later::Now),
    }
    if let Err(e) = app.admit_read(&granted.grant).await {
        app.polled.forget(&id);
        return Err(e);
    }
    let (work, of) = (prepare(app.clone(), granted.clone(), asked.clone()), id.clone());
    let app = app.clone();
    let answer = status(granted, asked, &id, None);
    tokio::spawn(async move {
        let done = tokio::select! {
            () = app.stopping.cancelled() => return,
            done = tokio::spawn(work) => done.unwrap_or_else(|e| Err(Error::internal_failure(e))),
        };
        let progress = match done {
            Ok(()) => Progress::Ready,
            Err(e) => {
                tracing::error!(cause = e.internal().unwrap_or_default(), "share.polled_query: {e}");
                Progress::Failed(FAILED.into())
            }
        };
        app.polled.moved(&of, progress, app.now());
    });
    Ok(Later::Submitted(answer))
}

/// Names a submission: the same text of the same client about the same part of the same version.
fn submission(granted: &Granted, body: &[u8]) -> String {
    let mut hash = sha2::Sha256::new();
    hash.update(granted.plan.digest());
    hash.update(granted.grant.product.reference.version.to_be_bytes());
    hash.update(body);
    hex::encode(hash.finalize())
}

/// Whether so many bytes of the table's first files would have to be written anew that its client had better wait elsewhere.
async fn takes_long(app: &App, granted: &Granted) -> Result<bool> {
    let enough = app.config.tables.async_bytes;
    let mut bytes = 0;
    if !granted.plan.is_whole() {
        for row in app.product_files(&granted.slug, &granted.grant.product.reference, 0).await? {
            if bytes >= enough {
                break;
            }
            if app.is_rewritten(&granted.grant, &granted.plan, &row).await? {
                bytes += row.size;
            }
        }
    }
    Ok(bytes >= enough)
}

/// Sees to it that what the answer names is there.
async fn prepare(app: App, granted: Granted, asked: Asked) -> Result<()> {
    if granted.plan.is_whole() {
        return Ok(());
    }
    let (id, token_key) = (granted.table_id(), granted.token_key(&app));
    let shared = granted.shared(&id, &*token_key, app.now());
    let (mut query, _) = shared.query(&asked.request, &asked.capabilities, String::new()).map_err(Error::internal_failure)?;
    let names = app.file_names(&granted.grant);
    let mut no_address = |_: &DataFile| SignedFile { url: String::new(), expires_at_ms: 0 };
    while let Some(from) = query.next() {
        let rows = app.product_files(&granted.slug, &granted.grant.product.reference, from).await?;
        for row in &rows {
            if query.next().is_none() {
                return Ok(());
            }
            if !granted.grant.watch.is_open(app.now()) {
                return Err(Error::internal_failure("access was closed"));
            }
            let shown = app.governed_file(&granted.grant, &granted.plan, row).await?;
            query.push(&named(&names, row.position, shown), &mut no_address);
        }
        if rows.len() < FILES_AT_ONCE as usize {
            break;
        }
    }
    Ok(())
}

/// Deviation: the table's version goes with an answer that is not made yet. The protocol has it only with one that is, and its
/// own client for Spark fails without.
fn status(granted: &Granted, asked: &Asked, id: &str, failed: Option<&str>) -> Response {
    let head = AnswerHead {
        version: i64::from(granted.grant.product.reference.version),
        capabilities: Capabilities::ASYNC_RESPONSE_HEADER.to_owned(),
    };
    ndjson(&head, query_status(id, failed), asked.scheme)
}

/// Get Query Info.
pub async fn poll(
    State(app): State<App>,
    granted: Granted,
    Path(path): Path<HashMap<String, String>>,
    map: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = match Asked::read(&map, &body) {
        Ok(asked) => asked,
        Err(e) => return refused(&e),
    };
    let id = path.get("query").map(String::as_str).unwrap_or_default();
    let gone = || {
        Refusal(Error::new(Code::NotFound, "The query is not known: it has ended, or the node was started anew. Submit it again."))
            .into_response()
    };
    let Some((query, progress)) = app.polled.find(&granted.grant.transfer.id, id, app.now()) else { return gone() };
    // It was counted when it was submitted.
    let granted = match granted.continued(&app).await {
        Ok(granted) => granted,
        Err(e) => return Refusal(e).into_response(),
    };
    let granted = match granted.at_version(&app, Some(i64::from(query.version))).await {
        Ok(granted) => granted,
        Err(e) => return Refusal(e).into_response(),
    };
    if granted.grant.product.reference.version != query.version || granted.plan.digest() != query.plan {
        return gone();
    }
    match progress {
        Progress::Pending => status(&granted, &asked, id, None),
        Progress::Failed(why) => status(&granted, &asked, id, Some(&why)),
        Progress::Ready => {
            let mut request = (*query.request).clone();
            request.max_files = asked.request.max_files.or(request.max_files);
            request.page_token.clone_from(&asked.request.page_token);
            respond(&app, granted, Asked { request, ..asked }, id.to_owned(), true).await
        }
    }
}
