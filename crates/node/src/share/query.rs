//! `POST …/query`: names the files of the table. One query is one read of the product version.

use super::{Granted, Refusal, header_text, ndjson, refused};
use crate::app::App;
use axum::{
    body::Bytes,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use fondaco_core::{Error, time::Micros};
use fondaco_tables::delta_sharing::{
    Capabilities, FileUrl, QueryRequest, SharingError, SignedFile, headers, parse_file_id_hash, sign_file_url,
};

/// How long file URLs live: clients renew them 15 minutes before their end, and a large table takes a while to read.
/// Access can end earlier: every request and every chunk is checked.
pub const URL_LIFE: Micros = Micros::from_secs(3_600);
/// What the key that signs file URLs is derived for.
pub const URL_KEY: &str = "file-urls";

/// Read Data from a Table.
pub async fn query(State(app): State<App>, granted: Granted, map: HeaderMap, body: Bytes) -> Response {
    let understood = || {
        let request = QueryRequest::parse(&body)?;
        let capabilities = Capabilities::parse(header_text(&map, headers::CAPABILITIES))?;
        let scheme = parse_file_id_hash(header_text(&map, headers::FILE_ID_HASH))?;
        Ok::<_, SharingError>((request, capabilities, scheme))
    };
    let (request, capabilities, scheme) = match understood() {
        Ok(understood) => understood,
        Err(e) => return refused(&e),
    };
    // A page or a renewal of URLs belongs to the query that gave its token, which was counted.
    let continues = request.page_token.is_some() || request.refresh_token.is_some();
    if !continues && let Err(e) = app.admit_read(&granted.grant).await {
        return Refusal(e).into_response();
    }
    let expires = app.now().plus(URL_LIFE);
    let expires = granted.grant.permit.until.map_or(expires, |until| until.min(expires));
    let key = app.sealer.derive(URL_KEY);
    let base = format!("{}/share/files/{}", app.config.participant_base(&granted.slug), granted.grant.transfer.id);
    let query_id = app.fresh_id();
    let id = granted.table_id();
    let mut sign = |file: &fondaco_tables::publish::DataFile| {
        let name = fondaco_tables::delta_sharing::SharedTable::file_id(file).to_owned();
        let url = format!("{base}/{name}");
        let grant = FileUrl {
            transfer: granted.grant.transfer.id.to_string(),
            file: name,
            query_id: query_id.clone(),
            expires_at_ms: expires.as_millis(),
        };
        SignedFile { url: sign_file_url(&url, &grant, key.as_ref()), expires_at_ms: expires.as_millis() }
    };
    let answer = granted.shared(&id, &*granted.token_key(&app), app.now()).query(&request, &capabilities, &mut sign);
    match answer {
        Ok(answer) => {
            metrics::counter!("fondaco_share_queries_total").increment(1);
            ndjson(answer, scheme)
        }
        Err(e) => {
            // Nothing was read after all.
            if !continues && let Err(e) = app.give_back_read(&granted.grant).await {
                return Refusal(e).into_response();
            }
            refused(&e)
        }
    }
}

/// Poll an asynchronous query: ours answer at once, so there is none to poll.
pub async fn poll(_granted: Granted) -> Refusal {
    Refusal(Error::not_found("The query"))
}
