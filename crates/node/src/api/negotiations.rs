//! `/api/v1/participants/{slug}/negotiations…`.

use super::{
    Body, KeyHeader, Query, Segments,
    auth::Acting,
    types::{NegotiationBody, WaitQuery},
};
use crate::{
    app::{
        App,
        negotiation_steps::Step,
        negotiations::{Begin, Wanted},
        views::{ProcessesAsked, list_rows},
    },
    http::problem::{ApiResult, Problem},
};
use axum::{Json, extract::State, http::StatusCode};
use fondaco_core::{Error, Result, decision::Action, ids::NegotiationId, negotiation::State as Stage, price::Price, time::Micros};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

/// Negotiations.
#[derive(Serialize, ToSchema)]
pub struct NegotiationsBody {
    negotiations: Vec<NegotiationBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What to negotiate about.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginBody {
    /// A did:web, or an address that ends in `/p/{slug}`.
    peer: String,
    /// The product or dataset id.
    product: String,
    /// The offer; may be left out when there is one only.
    #[serde(default)]
    offer: Option<String>,
    /// What it is for, declared to the provider.
    #[serde(default)]
    purpose: Vec<String>,
    /// Ask for the offer at another price than its own: `80 CNY`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    price: Option<Price>,
}

/// A negotiation that has begun.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BegunBody {
    negotiation_id: String,
    state: String,
    agreement_id: Option<String>,
}

fn id(path: &Segments) -> NegotiationId {
    NegotiationId::from_stored(path.get("id"))
}

/// Which negotiations to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct NegotiationsQuery {
    /// Only in this state.
    pub state: Option<String>,
    /// Only those that wait for a decision of this participant, the longest wait first; there are no further pages.
    pub waiting: bool,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// Most rows, 1 to 200.
    pub limit: Option<u32>,
}

/// List negotiations, newest first.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/negotiations", tag = "negotiations", params(("slug" = String, Path), NegotiationsQuery),
    responses((status = 200, body = NegotiationsBody)))]
pub async fn list(State(app): State<App>, acting: Acting, Query(query): Query<NegotiationsQuery>) -> ApiResult<Json<NegotiationsBody>> {
    if query.waiting {
        let (waiting, _) = app.waiting(&acting.participant.slug, list_rows(query.limit)).await?;
        let negotiations = waiting.iter().map(|w| NegotiationBody::waiting(&w.negotiation, w.decides_at)).collect();
        return Ok(Json(NegotiationsBody { negotiations, next: None }));
    }
    let asked = ProcessesAsked { state: query.state, peer: None, after: query.after, limit: query.limit };
    let page = app.list_negotiations(&acting.participant.slug, asked).await?;
    let negotiations = page.items.iter().map(NegotiationBody::listed).collect();
    Ok(Json(NegotiationsBody { negotiations, next: page.next }))
}

/// Begin a negotiation.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/negotiations", tag = "negotiations",
    params(("slug" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = BeginBody,
    responses((status = 201, body = BegunBody), (status = 502, body = Problem)))]
pub async fn begin(
    State(app): State<App>,
    acting: Acting,
    key: KeyHeader,
    Body(body): Body<BeginBody>,
) -> ApiResult<(StatusCode, Json<BegunBody>)> {
    let key = key.key(&acting.caller, "negotiations.begin", &json!({"as": acting.participant.slug, "body": body}))?;
    let begin = Begin { peer: body.peer, product: body.product, offer: body.offer, purpose: body.purpose, price: body.price };
    let n = app.by(acting.caller.decider()).negotiation_begin(&acting.participant, begin, key).await?;
    let agreement_id = match &n.state {
        Stage::Finalized { agreement } => Some(agreement.id.clone()),
        _ => None,
    };
    Ok((StatusCode::CREATED, Json(BegunBody { negotiation_id: n.id.to_string(), state: n.state.name().into(), agreement_id })))
}

/// What to negotiate about with a provider at a known address.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct InitiateBody {
    /// The provider's participant id.
    provider_id: String,
    /// The base of the provider's DSP endpoints.
    connector_address: String,
    /// The dataset.
    dataset_id: String,
    /// The `@id` of its offer.
    offer_id: String,
    /// The terms to ask for, as ODRL; to use it without constraints when left out.
    #[serde(default)]
    offer: Option<Value>,
    /// What it is for, declared to the provider.
    #[serde(default)]
    purpose: Vec<String>,
}

/// Begin a negotiation with a provider at the given address, without asking its DID document or its catalogue: the
/// caller knows both the offer and where to send the request.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/negotiations/initiate", tag = "negotiations",
    params(("slug" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = InitiateBody,
    responses((status = 201, body = BegunBody), (status = 400, body = Problem)))]
pub async fn initiate(
    State(app): State<App>,
    acting: Acting,
    key: KeyHeader,
    Body(body): Body<InitiateBody>,
) -> ApiResult<(StatusCode, Json<BegunBody>)> {
    let key = key.key(&acting.caller, "negotiations.initiate", &json!({"as": acting.participant.slug, "body": body}))?;
    let remote = app.remote_at(&body.provider_id, &body.connector_address)?;
    let wanted = Wanted { dataset: body.dataset_id, offer_id: body.offer_id, odrl: body.offer, purpose: body.purpose };
    let n = app.by(acting.caller.decider()).negotiation_initiate(&acting.participant, &remote, wanted, key).await?;
    Ok((StatusCode::CREATED, Json(BegunBody { negotiation_id: n.id.to_string(), state: n.state.name().into(), agreement_id: None })))
}

/// What comes with a step.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StepBody {
    /// `terminate`: why, for the other side.
    reason: Option<String>,
    /// `offer`, `counter`: an ODRL policy (`{"permission": […]}`) in place of the terms published or first asked for.
    terms: Option<Value>,
    /// `offer`, `counter`: the terms on the table, at this price: `80 CNY`.
    #[schema(value_type = Option<String>)]
    price: Option<Price>,
    /// Take the step only while the negotiation has this revision.
    revision: Option<u64>,
}

async fn followed(app: &App, acting: &Acting, id: &NegotiationId) -> Result<NegotiationBody> {
    let f = app.negotiation_followed(&acting.participant.slug, id).await?;
    Ok(NegotiationBody::new(&f.process, &f.events, f.delivery_problem, f.decides_at).tried(f.exchange))
}

/// Show a negotiation with its timeline; with `wait`, once it is final.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/negotiations/{id}", tag = "negotiations",
    params(("slug" = String, Path), ("id" = String, Path), WaitQuery),
    responses((status = 200, body = NegotiationBody), (status = 404, body = Problem)))]
pub async fn show(
    State(app): State<App>,
    acting: Acting,
    path: Segments,
    Query(query): Query<WaitQuery>,
) -> ApiResult<Json<NegotiationBody>> {
    let id = id(&path);
    if let Some(secs) = query.wait {
        let wait = Micros::from_secs(i64::from(secs));
        app.negotiation_wait_final(&acting.participant.slug, &id, wait).await?;
    }
    Ok(Json(followed(&app, &acting, &id).await?))
}

/// Take a step: `offer`, `agree`, `accept`, `counter`, `verify`, `finalize` or `terminate`.
///
/// Which are possible now is in the negotiation's `steps`.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/negotiations/{id}/{step}", tag = "negotiations",
    params(("slug" = String, Path), ("id" = String, Path), ("step" = String, Path)), request_body = StepBody,
    responses((status = 200, body = NegotiationBody), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn act(State(app): State<App>, acting: Acting, path: Segments, Body(body): Body<StepBody>) -> ApiResult<Json<NegotiationBody>> {
    let action = match path.get("step") {
        "offer" => Action::Offer,
        "agree" => Action::Agree,
        "accept" => Action::Accept,
        "counter" => Action::Counter,
        "verify" => Action::Verify,
        "finalize" => Action::Finalize,
        "terminate" => Action::Terminate,
        _ => return Err(Error::not_found("This step of a negotiation").into()),
    };
    let id = id(&path);
    let reason = body.reason.map(|r| r.trim().to_owned()).filter(|r| !r.is_empty());
    let step = Step { action, reason, terms: body.terms, price: body.price, revision: body.revision };
    app.by(acting.caller.decider()).negotiation_act(&acting.participant.slug, &id, step).await?;
    Ok(Json(followed(&app, &acting, &id).await?))
}
