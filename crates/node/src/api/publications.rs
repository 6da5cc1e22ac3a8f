//! `/api/v1/participants/{slug}/publications…`: products on their way out, step by step.

use super::{Body, KeyHeader, Query, Segments, auth::Acting, products::progress_json, types::ProductBody};
use crate::{
    app::{App, publish::UploadedFile},
    http::problem::{ApiResult, Problem},
};
use axum::{Json, body::Body as HttpBody, extract::State, http::StatusCode};
use fondaco_core::{
    ids::PublicationId,
    listing::Remark,
    publication::{Draft, Publication, State as PublicationState},
};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// A publication.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicationBody {
    id: String,
    /// `draft`, `preparing`, `prepared`, `published` or `failed`.
    state: String,
    /// What was said: `kind`, `product`, `title`, `source`, `offers` and the rest.
    #[schema(value_type = serde_json::Value)]
    draft: Draft,
    /// How far the reading of the source is.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Value>,
    /// What was prepared: `schema`, `rows`, `profile`, `personalData`, `fileCount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Value>,
    /// What could be better about the listing.
    remarks: Vec<RemarkBody>,
    /// Files that were uploaded.
    uploads: Vec<UploadBody>,
    /// Once it is published: the dataset id.
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset: Option<String>,
    /// When reading the source failed: the code and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
    created_at: String,
    updated_at: String,
}

/// What could be better, and why it matters.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemarkBody {
    code: &'static str,
    what: &'static str,
    why: &'static str,
}

impl From<Remark> for RemarkBody {
    fn from(remark: Remark) -> Self {
        Self { code: remark.as_str(), what: remark.what(), why: remark.why() }
    }
}

/// A file that was uploaded.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadBody {
    name: String,
    size_bytes: u64,
}

impl From<UploadedFile> for UploadBody {
    fn from(file: UploadedFile) -> Self {
        Self { name: file.name, size_bytes: file.size_bytes }
    }
}

/// Publications.
#[derive(Serialize, ToSchema)]
pub struct PublicationsBody {
    publications: Vec<PublicationBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which publications to list.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct PublicationsQuery {
    /// Those that are published too.
    all: Option<bool>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Most rows, 1 to 200.
    limit: Option<u32>,
}

/// Which file.
#[derive(Deserialize, IntoParams)]
pub struct FileQuery {
    /// Its name: relative, `/` between folders.
    name: String,
}

async fn body(app: &App, p: Publication) -> ApiResult<PublicationBody> {
    let uploads = app.publication_uploads(&p.participant, &p.id).await?;
    let (content, dataset, error) = match &p.state {
        PublicationState::Prepared(prepared) => (Some(prepared.content.clone()), None, None),
        PublicationState::Published { dataset } => (None, Some(dataset.clone()), None),
        PublicationState::Failed { code, message } => (None, None, Some(serde_json::json!({"code": code, "message": message}))),
        PublicationState::Draft | PublicationState::Preparing => (None, None, None),
    };
    Ok(PublicationBody {
        id: p.id.to_string(),
        state: p.state.name().into(),
        progress: app.publication_progress(&p.id).as_ref().map(progress_json),
        content,
        remarks: p.draft.described().remarks().into_iter().map(Into::into).collect(),
        uploads: uploads.into_iter().map(Into::into).collect(),
        dataset,
        error,
        created_at: p.created_at.to_rfc3339(),
        updated_at: p.updated_at.to_rfc3339(),
        draft: p.draft,
    })
}

fn id_of(path: &Segments) -> PublicationId {
    PublicationId::from_stored(path.get("id"))
}

/// List publications, last touched first.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/publications", tag = "publications",
    params(("slug" = String, Path), PublicationsQuery), responses((status = 200, body = PublicationsBody)))]
pub async fn list(State(app): State<App>, acting: Acting, Query(query): Query<PublicationsQuery>) -> ApiResult<Json<PublicationsBody>> {
    let mut publications = Vec::new();
    let all = query.all.unwrap_or(false);
    let page = app.publications_page(&acting.participant.slug, all, query.after.as_deref(), query.limit).await?;
    for p in page.items {
        publications.push(body(&app, p).await?);
    }
    Ok(Json(PublicationsBody { publications, next: page.next }))
}

/// Begin a publication.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/publications", tag = "publications",
    params(("slug" = String, Path)), request_body = serde_json::Value,
    responses((status = 201, body = PublicationBody), (status = 400, body = Problem)))]
pub async fn begin(State(app): State<App>, acting: Acting, Body(draft): Body<Draft>) -> ApiResult<(StatusCode, Json<PublicationBody>)> {
    let made = app.publication_new(&acting.participant, draft).await?;
    Ok((StatusCode::CREATED, Json(body(&app, made).await?)))
}

/// Show a publication and how far it is.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/publications/{id}", tag = "publications",
    params(("slug" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = PublicationBody), (status = 404, body = Problem)))]
pub async fn show(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<Json<PublicationBody>> {
    let found = app.publication(&acting.participant.slug, &id_of(&path)).await?;
    Ok(Json(body(&app, found).await?))
}

/// Replace what was said. A changed source makes what was prepared void.
#[utoipa::path(put, path = "/api/v1/participants/{slug}/publications/{id}", tag = "publications",
    params(("slug" = String, Path), ("id" = String, Path)), request_body = serde_json::Value,
    responses((status = 200, body = PublicationBody), (status = 409, body = Problem)))]
pub async fn amend(State(app): State<App>, acting: Acting, path: Segments, Body(draft): Body<Draft>) -> ApiResult<Json<PublicationBody>> {
    let amended = app.publication_amend(&acting.participant, &id_of(&path), draft).await?;
    Ok(Json(body(&app, amended).await?))
}

/// Give a publication up, with what was uploaded and prepared for it.
#[utoipa::path(delete, path = "/api/v1/participants/{slug}/publications/{id}", tag = "publications",
    params(("slug" = String, Path), ("id" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn discard(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<StatusCode> {
    app.publication_discard(&acting.participant, &id_of(&path)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Upload a file of a publication whose source is `{"type": "upload"}`. The body is the file itself.
#[utoipa::path(put, path = "/api/v1/participants/{slug}/publications/{id}/files", tag = "publications",
    params(("slug" = String, Path), ("id" = String, Path), FileQuery), request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = UploadBody), (status = 400, body = Problem)))]
pub async fn upload(
    State(app): State<App>,
    acting: Acting,
    path: Segments,
    Query(file): Query<FileQuery>,
    content: HttpBody,
) -> ApiResult<Json<UploadBody>> {
    let content = content.into_data_stream().map_err(std::io::Error::other);
    Ok(Json(app.publication_upload(&acting.participant, &id_of(&path), &file.name, content).await?.into()))
}

/// Remove an uploaded file.
#[utoipa::path(delete, path = "/api/v1/participants/{slug}/publications/{id}/files", tag = "publications",
    params(("slug" = String, Path), ("id" = String, Path), FileQuery), responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove_upload(State(app): State<App>, acting: Acting, path: Segments, Query(file): Query<FileQuery>) -> ApiResult<StatusCode> {
    if app.publication_upload_remove(&acting.participant, &id_of(&path), &file.name).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(fondaco_core::Error::not_found("The file").into())
}

/// Read the source: copy, check and describe it. The answer comes at once; look at the publication for its progress.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/publications/{id}/prepare", tag = "publications",
    params(("slug" = String, Path), ("id" = String, Path)),
    responses((status = 202, body = PublicationBody), (status = 409, body = Problem)))]
pub async fn prepare(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<(StatusCode, Json<PublicationBody>)> {
    let access = acting.caller.source_access();
    let begun = app.publication_prepare(&acting.participant, &id_of(&path), access).await?;
    Ok((StatusCode::ACCEPTED, Json(body(&app, begun).await?)))
}

/// Stop reading the source.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/publications/{id}/cancel", tag = "publications",
    params(("slug" = String, Path), ("id" = String, Path)), responses((status = 200, body = PublicationBody)))]
pub async fn cancel(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<Json<PublicationBody>> {
    let stopped = app.publication_cancel(&acting.participant, &id_of(&path)).await?;
    Ok(Json(body(&app, stopped).await?))
}

/// Put what was prepared into the catalogue.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/publications/{id}/publish", tag = "publications",
    params(("slug" = String, Path), ("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = ProductBody), (status = 409, body = Problem)))]
pub async fn publish(State(app): State<App>, acting: Acting, key: KeyHeader, path: Segments) -> ApiResult<(StatusCode, Json<ProductBody>)> {
    let key = key.key(&acting.caller, "publications.publish", &path.get("id"))?;
    let access = acting.caller.source_access();
    let listing = app.publication_publish(&acting.participant, &id_of(&path), access, key).await?;
    Ok((StatusCode::CREATED, Json((&listing).into())))
}
