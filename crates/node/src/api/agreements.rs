//! `/api/v1/participants/{slug}/agreements…`.

use super::{
    Body, KeyHeader, Query, Segments,
    auth::Acting,
    types::{AgreementBody, PreviewBody, ReasonBody, TransferBody, UsageRecordBody},
    versions::{self, ChangeBody},
};
use crate::{
    app::{
        App,
        agreement_import::{Import, Imported},
        agreement_renewal::Renewal,
        consumer_access::Access,
        views::ProcessesAsked,
    },
    http::problem::{ApiResult, Problem},
};
use axum::{Json, extract::State, http::StatusCode};
use fondaco_core::{Error, decision::Rules, time::Micros};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

/// How long access is waited for, unless asked otherwise.
const WAIT_SECS: u32 = 30;

/// Agreements.
#[derive(Serialize, ToSchema)]
pub struct AgreementsBody {
    agreements: Vec<AgreementBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A transfer to begin.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewTransferBody {
    /// The distribution format; when left out, one that the provider's catalogue names and this node reads.
    format: Option<String>,
}

/// How long to wait for access.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AccessQuery {
    /// Seconds, at most 60.
    wait_seconds: Option<u32>,
}

/// Access a client can use.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessBody {
    transfer_id: String,
    state: String,
    /// The distribution format it is delivered in.
    format: String,
    /// Of a table: a Delta Sharing profile. It holds a credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Value>,
    /// Of a table: `share.schema.table`.
    tables: Vec<String>,
    /// Of files: where they are listed. It holds a credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<FilesAccessBody>,
}

/// Where files are listed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilesAccessBody {
    /// The address: `GET` with the token gives the list, with an address for each file.
    endpoint: String,
    /// The bearer token.
    bearer_token: String,
}

fn id(path: &Segments) -> &str {
    path.get("id")
}

/// Which agreements to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct AgreementsQuery {
    /// Only in this state.
    state: Option<String>,
    /// Only with this other side, by its DID.
    peer: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Most rows, 1 to 200.
    limit: Option<u32>,
}

/// List agreements, newest first.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/agreements", tag = "agreements", params(("slug" = String, Path), AgreementsQuery),
    responses((status = 200, body = AgreementsBody)))]
pub async fn list(State(app): State<App>, acting: Acting, Query(query): Query<AgreementsQuery>) -> ApiResult<Json<AgreementsBody>> {
    let asked = ProcessesAsked { state: query.state, peer: query.peer, after: query.after, limit: query.limit };
    let page = app.list_agreements(&acting.participant.slug, asked).await?;
    let agreements = page.items.iter().map(|(row, used)| AgreementBody::of_row(row, *used)).collect();
    Ok(Json(AgreementsBody { agreements, next: page.next }))
}

/// Show an agreement.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/agreements/{id}", tag = "agreements",
    params(("slug" = String, Path), ("id" = String, Path)), responses((status = 200, body = AgreementBody), (status = 404, body = Problem)))]
pub async fn show(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<Json<AgreementBody>> {
    Ok(Json((&app.agreement(&acting.participant.slug, id(&path)).await?).into()))
}

/// Give notice: the agreement ends as soon as its terms let it. Its transfers are terminated then.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/agreements/{id}/end", tag = "agreements",
    params(("slug" = String, Path), ("id" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = AgreementBody), (status = 409, body = Problem)))]
pub async fn end(State(app): State<App>, acting: Acting, path: Segments, Body(reason): Body<ReasonBody>) -> ApiResult<Json<AgreementBody>> {
    app.by(acting.caller.decider()).agreement_end(&acting.participant.slug, id(&path), reason.checked()?).await?;
    Ok(Json((&app.agreement(&acting.participant.slug, id(&path)).await?).into()))
}

/// Records of what was delivered.
#[derive(Serialize, ToSchema)]
pub struct UsageRecordsBody {
    usage: Vec<UsageRecordBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which records to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct UsageQuery {
    /// The `next` of the page before.
    after: Option<String>,
    /// Most rows, 1 to 200.
    limit: Option<u32>,
}

/// List what was delivered under an agreement, as its provider: a record for each file of a query, newest first.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/agreements/{id}/usage", tag = "agreements",
    params(("slug" = String, Path), ("id" = String, Path), UsageQuery), responses((status = 200, body = UsageRecordsBody), (status = 404, body = Problem)))]
pub async fn usage(
    State(app): State<App>,
    acting: Acting,
    path: Segments,
    Query(query): Query<UsageQuery>,
) -> ApiResult<Json<UsageRecordsBody>> {
    let page = app.list_usage(&acting.participant.slug, id(&path), query.after, query.limit).await?;
    Ok(Json(UsageRecordsBody { usage: page.items.iter().map(Into::into).collect(), next: page.next }))
}

/// How much of a preview.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct PreviewQuery {
    /// Most rows, 1 to 100.
    pub rows: Option<u32>,
}

/// The first rows under an agreement.
#[derive(Serialize, ToSchema)]
pub struct AgreementPreviewBody {
    /// The dataset id of the version that they are of.
    dataset: String,
    #[serde(flatten)]
    preview: PreviewBody,
}

/// Preview, as its provider, the first rows exactly as the consumer of an agreement sees them now. Nothing is counted.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/agreements/{id}/preview", tag = "agreements",
    params(("slug" = String, Path), ("id" = String, Path), PreviewQuery),
    responses((status = 200, body = AgreementPreviewBody), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn preview(
    State(app): State<App>,
    acting: Acting,
    path: Segments,
    Query(query): Query<PreviewQuery>,
) -> ApiResult<Json<AgreementPreviewBody>> {
    acting.caller.uses()?;
    let (product, preview) = app.agreement_preview(&acting.participant.slug, id(&path), query.rows).await?;
    Ok(Json(AgreementPreviewBody { dataset: product.dataset_id(), preview: preview.into() }))
}

/// What the provider finds a payment by.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaidBody {
    /// A bank's or an invoice's number, or a few words; kept with the agreement, not told to the other side.
    reference: String,
}

/// Record as its provider that an agreement's price was paid: access can open from then on. The same reference again
/// changes nothing.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/agreements/{id}/paid", tag = "agreements",
    params(("slug" = String, Path), ("id" = String, Path)), request_body = PaidBody,
    responses((status = 200, body = AgreementBody), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn paid(State(app): State<App>, acting: Acting, path: Segments, Body(body): Body<PaidBody>) -> ApiResult<Json<AgreementBody>> {
    app.by(acting.caller.decider()).agreement_paid(&acting.participant.slug, id(&path), &body.reference).await?;
    Ok(Json((&app.agreement(&acting.participant.slug, id(&path)).await?).into()))
}

/// Stop an agreement for now, as its provider: its transfers are suspended at once. Needs a reason.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/agreements/{id}/stop", tag = "agreements",
    params(("slug" = String, Path), ("id" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = AgreementBody), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn stop(
    State(app): State<App>,
    acting: Acting,
    path: Segments,
    Body(reason): Body<ReasonBody>,
) -> ApiResult<Json<AgreementBody>> {
    app.by(acting.caller.decider()).agreement_stop(&acting.participant.slug, id(&path), reason.checked()?).await?;
    Ok(Json((&app.agreement(&acting.participant.slug, id(&path)).await?).into()))
}

/// Take a stop back: the transfers that it suspended go on.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/agreements/{id}/resume", tag = "agreements",
    params(("slug" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = AgreementBody), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn resume(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<Json<AgreementBody>> {
    app.by(acting.caller.decider()).agreement_resume(&acting.participant.slug, id(&path)).await?;
    Ok(Json((&app.agreement(&acting.participant.slug, id(&path)).await?).into()))
}

/// What a renewal would be.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenewalBody {
    /// The agreement to renew.
    agreement_id: String,
    /// The dataset as it is published now.
    dataset: String,
    /// The offer as it is published now.
    offer_id: String,
    /// Whether its terms are those of the agreement.
    same_terms: bool,
    /// What differs.
    changes: Vec<ChangeBody>,
    /// The negotiation, once it was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    negotiation_id: Option<String>,
    /// Its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

impl RenewalBody {
    fn of(renewal: &Renewal) -> Self {
        Self {
            agreement_id: renewal.row.agreement.id.clone(),
            dataset: renewal.subject.dataset.clone(),
            offer_id: renewal.terms.offer_id.clone(),
            same_terms: renewal.same_terms(),
            changes: versions::changes(&renewal.row.agreement.document, &renewal.terms.odrl),
            negotiation_id: None,
            state: None,
        }
    }
}

/// A renewal to begin.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RenewBody {
    /// Renew it although the terms have changed.
    accept_changes: bool,
}

/// Look up what an agreement would be renewed by: the same product and offer as they are published now.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/agreements/{id}/renewal", tag = "agreements",
    params(("slug" = String, Path), ("id" = String, Path)), responses((status = 200, body = RenewalBody), (status = 403, body = Problem)))]
pub async fn renewal(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<Json<RenewalBody>> {
    Ok(Json(RenewalBody::of(&app.renewal(&acting.participant, id(&path)).await?)))
}

/// Renew an agreement, as consumer: negotiate again for the same product and offer as they are published now.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/agreements/{id}/renew", tag = "agreements",
    params(("slug" = String, Path), ("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = RenewBody,
    responses((status = 201, body = RenewalBody), (status = 409, body = Problem)))]
pub async fn renew(
    State(app): State<App>,
    acting: Acting,
    key: KeyHeader,
    path: Segments,
    Body(body): Body<RenewBody>,
) -> ApiResult<(StatusCode, Json<RenewalBody>)> {
    let key = key.key(&acting.caller, "agreements.renew", &json!({"agreement": id(&path), "body": body}))?;
    let (renewal, n) = app.by(acting.caller.decider()).agreement_renew(&acting.participant, id(&path), body.accept_changes, key).await?;
    let begun = RenewalBody { negotiation_id: Some(n.id.to_string()), state: Some(n.state.name().into()), ..RenewalBody::of(&renewal) };
    Ok((StatusCode::CREATED, Json(begun)))
}

/// An agreement made elsewhere.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportBody {
    /// The DSP `Agreement`: `@id`, `target`, `assigner`, `assignee`, `timestamp`, `permission`.
    document: Value,
    /// Where the peer's DSP endpoints are. Needed of a provider whose DID cannot be resolved.
    #[serde(default)]
    address: Option<String>,
    /// The formats its provider delivers in.
    #[serde(default)]
    formats: Vec<String>,
    /// Decision rules of its transfers.
    #[serde(default)]
    #[schema(value_type = serde_json::Value)]
    rules: Rules,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
pub struct ImportedBody {
    /// `new`, `rules changed` or `unchanged`.
    outcome: &'static str,
    agreement: AgreementBody,
}

/// Record an agreement that was made elsewhere, so that its transfers go on here. Recording it again only sets its rules.
#[utoipa::path(put, path = "/api/v1/participants/{slug}/agreements/{id}", tag = "agreements",
    params(("slug" = String, Path), ("id" = String, Path)), request_body = ImportBody,
    responses((status = 200, body = ImportedBody), (status = 201, body = ImportedBody), (status = 409, body = Problem)))]
pub async fn import(
    State(app): State<App>,
    acting: Acting,
    path: Segments,
    Body(body): Body<ImportBody>,
) -> ApiResult<(StatusCode, Json<ImportedBody>)> {
    if body.document.get("@id").and_then(Value::as_str) != Some(id(&path)) {
        return Err(Error::invalid("The document's \"@id\" is not the id of the address.").into());
    }
    let import = Import { document: body.document, address: body.address, formats: body.formats, rules: body.rules };
    let (status, outcome) = match app.agreement_import(&acting.participant, import).await? {
        Imported::New => (StatusCode::CREATED, "new"),
        Imported::RulesChanged => (StatusCode::OK, "rules changed"),
        Imported::Unchanged => (StatusCode::OK, "unchanged"),
    };
    let agreement = (&app.agreement(&acting.participant.slug, id(&path)).await?).into();
    Ok((status, Json(ImportedBody { outcome, agreement })))
}

/// Ask the provider for access.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/agreements/{id}/transfers", tag = "agreements",
    params(("slug" = String, Path), ("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = NewTransferBody,
    responses((status = 201, body = TransferBody), (status = 404, body = Problem)))]
pub async fn begin_transfer(
    State(app): State<App>,
    acting: Acting,
    key: KeyHeader,
    path: Segments,
    Body(body): Body<NewTransferBody>,
) -> ApiResult<(StatusCode, Json<TransferBody>)> {
    let key = key.key(&acting.caller, "transfers.begin", &json!({"agreement": id(&path), "body": body}))?;
    let t = app.by(acting.caller.decider()).transfer_begin(&acting.participant, id(&path), body.format, key).await?;
    Ok((StatusCode::CREATED, Json(TransferBody::new(&t, &[], None))))
}

/// Get the way to the agreed data: of the transfer that runs, or of one begun now.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/agreements/{id}/access", tag = "agreements",
    params(("slug" = String, Path), ("id" = String, Path)), request_body = AccessQuery,
    responses((status = 200, body = AccessBody), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn access(State(app): State<App>, acting: Acting, path: Segments, Body(query): Body<AccessQuery>) -> ApiResult<Json<AccessBody>> {
    let wait = Micros::from_secs(i64::from(query.wait_seconds.unwrap_or(WAIT_SECS)));
    let (transfer, profile, tables, files) = match app.by(acting.caller.decider()).access(&acting.participant, id(&path), wait).await? {
        Access::Table(t) => {
            let profile = serde_json::from_str(&t.profile.to_json()).map_err(fondaco_core::Error::internal_failure)?;
            (t.transfer, Some(profile), t.tables, None)
        }
        Access::Files(f) => (f.transfer, None, Vec::new(), Some(FilesAccessBody { endpoint: f.endpoint, bearer_token: f.token })),
    };
    Ok(Json(AccessBody {
        transfer_id: transfer.id.to_string(),
        state: transfer.state.name().into(),
        format: transfer.format,
        profile,
        tables,
        files,
    }))
}
