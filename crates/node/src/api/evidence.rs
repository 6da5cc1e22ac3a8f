//! `/api/v1/participants/{slug}/evidence…` and `/api/v1/evidence…`: what is in the log, and the bundles that prove it.

use super::{
    Query, Segments,
    auth::{Acting, Caller},
};
use crate::{
    app::{App, evidence::EvidenceAsked},
    http::problem::{ApiResult, Problem},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use fondaco_core::ids::EvidenceId;
use fondaco_store::EvidenceRow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A leaf of the log, and what is kept to open it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceBody {
    id: String,
    /// What happened, such as `agreement` or `transfer-started`.
    kind: String,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    /// What it is about.
    object: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement_id: Option<String>,
    /// Its place in the log; missing for the moment until it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf_index: Option<u64>,
    /// Whether the document was erased: then only that it existed can be proved.
    erased: bool,
    /// The document, of one leaf alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<serde_json::Value>,
}

impl From<&EvidenceRow> for EvidenceBody {
    fn from(row: &EvidenceRow) -> Self {
        Self {
            id: row.id.to_string(),
            kind: row.kind.as_str().into(),
            at: row.at.to_rfc3339(),
            peer: row.peer.clone(),
            object: row.object.clone(),
            agreement_id: row.agreement_id.clone(),
            leaf_index: row.leaf_index,
            erased: row.document.is_none(),
            document: None,
        }
    }
}

/// Evidence, the newest first.
#[derive(Serialize, ToSchema)]
pub struct EvidencesBody {
    evidence: Vec<EvidenceBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which evidence.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct EvidenceQuery {
    /// Only of this agreement.
    pub agreement: Option<String>,
    /// Only about this: an agreement, a transfer, a product version, an account.
    pub object: Option<String>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// Most rows, 1 to 200.
    pub limit: Option<u32>,
}

impl From<EvidenceQuery> for EvidenceAsked {
    fn from(query: EvidenceQuery) -> Self {
        let EvidenceQuery { agreement, object, after, limit } = query;
        Self { agreement, object, after, limit }
    }
}

fn page(listed: crate::app::views::Listed<EvidenceRow>) -> Json<EvidencesBody> {
    Json(EvidencesBody { evidence: listed.items.iter().map(Into::into).collect(), next: listed.next })
}

/// List the evidence of a participant.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/evidence", tag = "evidence", params(("slug" = String, Path), EvidenceQuery),
    responses((status = 200, body = EvidencesBody)))]
pub async fn list(State(app): State<App>, acting: Acting, Query(query): Query<EvidenceQuery>) -> ApiResult<Json<EvidencesBody>> {
    Ok(page(app.evidence_list(Some(&acting.participant.slug), query.into()).await?))
}

/// List the evidence of the node itself: its accounts, tokens and keys.
#[utoipa::path(get, path = "/api/v1/evidence", tag = "evidence", params(EvidenceQuery), responses((status = 200, body = EvidencesBody)))]
pub async fn list_of_node(State(app): State<App>, caller: Caller, Query(query): Query<EvidenceQuery>) -> ApiResult<Json<EvidencesBody>> {
    caller.whole_node()?;
    Ok(page(app.evidence_list(None, query.into()).await?))
}

/// Show a piece of evidence with its document.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/evidence/{id}", tag = "evidence",
    params(("slug" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = EvidenceBody), (status = 404, body = Problem)))]
pub async fn show(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<Json<EvidenceBody>> {
    let row = app.evidence(Some(&acting.participant.slug), &EvidenceId::from_stored(path.get("id"))).await?;
    Ok(Json(whole(&row)))
}

/// Show a piece of evidence of the node itself with its document.
#[utoipa::path(get, path = "/api/v1/evidence/{id}", tag = "evidence", params(("id" = String, Path)),
    responses((status = 200, body = EvidenceBody), (status = 404, body = Problem)))]
pub async fn show_of_node(State(app): State<App>, caller: Caller, path: Segments) -> ApiResult<Json<EvidenceBody>> {
    caller.whole_node()?;
    Ok(Json(whole(&app.evidence(None, &EvidenceId::from_stored(path.get("id"))).await?)))
}

/// With its document.
fn whole(row: &EvidenceRow) -> EvidenceBody {
    let document = row.document.as_deref().and_then(|text| serde_json::from_str(text).ok());
    EvidenceBody { document, ..EvidenceBody::from(row) }
}

/// Why a document is erased.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct EraseQuery {
    /// The reason, for the leaf that says so.
    pub reason: String,
}

/// Erase the document of a piece of evidence. Its leaf stays, and that it was erased is another.
#[utoipa::path(delete, path = "/api/v1/participants/{slug}/evidence/{id}/document", tag = "evidence",
    params(("slug" = String, Path), ("id" = String, Path), EraseQuery),
    responses((status = 200, body = EvidenceBody), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn erase(
    State(app): State<App>,
    acting: Acting,
    path: Segments,
    Query(query): Query<EraseQuery>,
) -> ApiResult<Json<EvidenceBody>> {
    let (slug, id) = (&acting.participant.slug, EvidenceId::from_stored(path.get("id")));
    let row = app.by(acting.caller.decider()).evidence_erase(Some(slug), &id, &query.reason).await?;
    Ok(Json((&row).into()))
}

/// Erase the document of a piece of evidence of the node itself.
#[utoipa::path(delete, path = "/api/v1/evidence/{id}/document", tag = "evidence", params(("id" = String, Path), EraseQuery),
    responses((status = 200, body = EvidenceBody), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn erase_of_node(
    State(app): State<App>,
    caller: Caller,
    path: Segments,
    Query(query): Query<EraseQuery>,
) -> ApiResult<Json<EvidenceBody>> {
    caller.whole_node()?;
    let row = app.by(caller.decider()).evidence_erase(None, &EvidenceId::from_stored(path.get("id")), &query.reason).await?;
    Ok(Json((&row).into()))
}

/// Get the bundle that proves a piece of evidence offline: the leaf, what opens it, the receipt, and the keys.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/evidence/{id}/bundle", tag = "evidence",
    params(("slug" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = serde_json::Value), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn bundle(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<Response> {
    let text = app.evidence_bundle(Some(&acting.participant.slug), &EvidenceId::from_stored(path.get("id"))).await?;
    Ok(file(text))
}

/// Get the bundle of a piece of evidence of the node itself.
#[utoipa::path(get, path = "/api/v1/evidence/{id}/bundle", tag = "evidence", params(("id" = String, Path)),
    responses((status = 200, body = serde_json::Value), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn bundle_of_node(State(app): State<App>, caller: Caller, path: Segments) -> ApiResult<Response> {
    caller.whole_node()?;
    let text = app.evidence_bundle(None, &EvidenceId::from_stored(path.get("id"))).await?;
    Ok(file(text))
}

/// Its bytes are the form: a client that prints the JSON anew has another file.
fn file(text: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}
