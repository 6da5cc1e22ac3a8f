//! `/api/v1/participants/{slug}/products…`.

use super::{
    Body, KeyHeader, Query, Segments,
    agreements::PreviewQuery,
    auth::Acting,
    types::{PreviewBody, ProductBody, ReasonBody},
};
use crate::{
    app::{App, publish::Progress, views::ProductsAsked},
    http::problem::{ApiResult, Problem},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use fondaco_core::{
    Error, Result,
    decision::Rules,
    ids::OfferId,
    policy::Period,
    product::{Listing, ProductKind},
    publication::{Draft, ReadOptions, Renewal, Source},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use utoipa::{IntoParams, ToSchema};

/// Lines of progress that wait for a slow reader.
const LINES_AHEAD: usize = 64;

/// Products.
#[derive(Serialize, ToSchema)]
pub struct ProductsBody {
    products: Vec<ProductBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which products to list.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct ProductsQuery {
    /// Every version, and withdrawn ones too.
    all: Option<bool>,
    /// A text to look for.
    query: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Most rows, 1 to 200.
    limit: Option<u32>,
}

/// A product to publish.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublishBody {
    id: String,
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    keywords: Vec<String>,
    /// `table` or `files`.
    kind: String,
    /// Absolute paths on the node's machine, the short form of the source `{"type": "paths"}`.
    #[serde(default)]
    paths: Vec<String>,
    /// Where the content comes from: `{"type": "paths", "paths": […], "inPlace": false}`,
    /// `{"type": "s3", "connection": "…", "paths": […]}` or `{"type": "postgres", "connection": "…", "query": "…"}`.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    source: Option<Source>,
    /// How it is read: `deltaVersion`, `sheet`, `nullValues`.
    #[serde(default)]
    #[schema(value_type = serde_json::Value)]
    read: ReadOptions,
    /// `license`, `contactPoint`, `accrualPeriodicity`, `language`.
    #[serde(default)]
    #[schema(value_type = serde_json::Value)]
    listing: Listing,
    /// How often the source is looked at for a new version, as an ISO 8601 duration.
    #[serde(default)]
    renew_every: Option<String>,
    /// What it was made from: ids of agreements under which it was received, and of other product versions of this
    /// participant. Told to nobody but in its lineage.
    #[serde(default)]
    derived_from: Vec<String>,
    /// That columns which seem to hold personal data may be published.
    #[serde(default)]
    personal_data_accepted: bool,
    /// ODRL offers without `target`; none means open to every participant.
    #[serde(default)]
    offers: Vec<Value>,
    /// Whether the profile goes into the catalogue.
    #[serde(default)]
    publish_profile: bool,
    #[serde(default)]
    csv: CsvBody,
}

impl PublishBody {
    /// What the publisher says.
    ///
    /// # Errors
    /// When kind, source or renewal cannot be understood.
    fn draft(self) -> Result<Draft> {
        let source = match (self.source, self.paths) {
            (Some(_), paths) if !paths.is_empty() => return Err(Error::invalid("Give \"paths\" or \"source\", not both.")),
            (Some(source), _) => source,
            (None, paths) => Source::Paths { paths, in_place: false },
        };
        let mut read = self.read;
        read.null_values = read.null_values.or(self.csv.null_values);
        let renewal = match self.renew_every {
            None => None,
            Some(text) => Some(Renewal {
                every: Period::parse(&text).ok_or_else(|| Error::invalid("\"renewEvery\" is an ISO 8601 duration such as PT1H."))?,
            }),
        };
        Ok(Draft {
            kind: ProductKind::parse(&self.kind)?,
            product: self.id,
            title: self.title,
            description: self.description,
            keywords: self.keywords,
            listing: self.listing,
            publish_profile: self.publish_profile,
            source: Some(source),
            read,
            offers: self.offers,
            personal_data_accepted: self.personal_data_accepted,
            renewal,
            derived_from: self.derived_from,
        })
    }
}

/// How far a publication is, as the API tells it.
pub(super) fn progress_json(p: &Progress) -> Value {
    json!({"phase": p.phase, "file": p.file, "doneBytes": p.done, "totalBytes": p.total, "filesDone": p.files_done, "files": p.files})
}

/// How CSV is to be read.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CsvBody {
    /// Texts that stand for a missing value, beside the empty text.
    null_values: Option<Vec<String>>,
}

/// Which version.
#[derive(Default, Deserialize, IntoParams, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VersionBody {
    /// The version; the newest when left out.
    version: Option<u32>,
}

/// List products.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/products", tag = "products", params(("slug" = String, Path), ProductsQuery),
    responses((status = 200, body = ProductsBody)))]
pub async fn list(State(app): State<App>, acting: Acting, Query(query): Query<ProductsQuery>) -> ApiResult<Json<ProductsBody>> {
    let all = query.all.unwrap_or(false);
    let asked = ProductsAsked { published_only: !all, all_versions: all, query: query.query, after: query.after, limit: query.limit };
    let page = app.list_products(&acting.participant.slug, asked).await?;
    Ok(Json(ProductsBody { products: page.items.iter().map(Into::into).collect(), next: page.next }))
}

/// Publish a product version. With `Accept: application/x-ndjson` the answer is a stream of `{"progress":…}` lines that
/// ends in `{"product":…}` or `{"error":…}`.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/products", tag = "products",
    params(("slug" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = PublishBody,
    responses((status = 201, body = ProductBody), (status = 400, body = Problem)))]
pub async fn publish(
    State(app): State<App>,
    acting: Acting,
    key: KeyHeader,
    headers: HeaderMap,
    Body(body): Body<PublishBody>,
) -> ApiResult<Response> {
    let key = key.key(&acting.caller, "products.publish", &body)?;
    let access = acting.caller.source_access();
    let draft = body.draft()?;
    let streams = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("application/x-ndjson"));
    if !streams {
        let listing = app.publish(&acting.participant, draft, access, key, |_| {}).await?;
        return Ok((StatusCode::CREATED, Json(ProductBody::from(&listing))).into_response());
    }
    let (lines, receiver) = mpsc::channel::<String>(LINES_AHEAD);
    // Not bound to the connection: a publication that has begun is finished although its watcher went away.
    tokio::spawn(async move {
        let progress = lines.clone();
        let last = app
            .publish(&acting.participant, draft, access, key, move |p| {
                // Who does not keep up misses some.
                let _ = progress.try_send(line(&json!({"progress": progress_json(&p)})));
            })
            .await;
        let last = match last {
            Ok(listing) => json!({"product": ProductBody::from(&listing)}),
            Err(e) => {
                tracing::info!(code = %e.code(), cause = e.internal().unwrap_or_default(), "publish.refused: {e}");
                json!({"error": Problem::of(&e)})
            }
        };
        let _ = lines.send(line(&last)).await;
    });
    let body = axum::body::Body::from_stream(ReceiverStream::new(receiver).map(Ok::<_, std::convert::Infallible>));
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"))], body).into_response())
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

/// Show a product version.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/products/{id}", tag = "products",
    params(("slug" = String, Path), ("id" = String, Path), VersionBody),
    responses((status = 200, body = ProductBody), (status = 404, body = Problem)))]
pub async fn show(
    State(app): State<App>,
    acting: Acting,
    path: Segments,
    Query(version): Query<VersionBody>,
) -> ApiResult<Json<ProductBody>> {
    let id = path.get("id");
    let listing = app.listing(&acting.participant.slug, id, version.version).await?;
    let damage = app.product_damage(&acting.participant.slug, &listing.product.reference).await?;
    let stop = app.product_stopped(&acting.participant.slug, &listing.product.reference.id).await?;
    Ok(Json(ProductBody::with_damage(&listing, damage).with_stop(stop)))
}

/// Stop a product for now, in an emergency: nothing of any version is delivered, and running transfers are suspended.
/// Needs a reason.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/products/{id}/stop", tag = "products",
    params(("slug" = String, Path), ("id" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = ProductBody), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn stop(State(app): State<App>, acting: Acting, path: Segments, Body(reason): Body<ReasonBody>) -> ApiResult<Json<ProductBody>> {
    app.by(acting.caller.decider()).product_stop(&acting.participant.slug, path.get("id"), reason.checked()?).await?;
    show(State(app), acting, path, Query(VersionBody::default())).await
}

/// Take the stop of a product back: the transfers that it suspended go on.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/products/{id}/resume", tag = "products",
    params(("slug" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = ProductBody), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn resume(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<Json<ProductBody>> {
    app.by(acting.caller.decider()).product_resume(&acting.participant.slug, path.get("id")).await?;
    show(State(app), acting, path, Query(VersionBody::default())).await
}

/// Describe a product version in Croissant. The addresses of its files are relative: it lies beside them.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/products/{id}/croissant", tag = "products",
    params(("slug" = String, Path), ("id" = String, Path), VersionBody),
    responses((status = 200, body = serde_json::Value), (status = 404, body = Problem)))]
pub async fn croissant(
    State(app): State<App>,
    acting: Acting,
    path: Segments,
    Query(version): Query<VersionBody>,
) -> ApiResult<Json<Value>> {
    let listing = app.listing(&acting.participant.slug, path.get("id"), version.version).await?;
    Ok(Json(app.croissant(&acting.participant, &listing).await?))
}

/// Take a version out of the catalogue.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/products/{id}/withdraw", tag = "products",
    params(("slug" = String, Path), ("id" = String, Path)), request_body = VersionBody,
    responses((status = 200, body = ProductBody), (status = 409, body = Problem)))]
pub async fn withdraw(
    State(app): State<App>,
    acting: Acting,
    path: Segments,
    Body(version): Body<VersionBody>,
) -> ApiResult<Json<ProductBody>> {
    let app = app.by(acting.caller.decider());
    Ok(Json((&app.product_withdraw(&acting.participant.slug, path.get("id"), version.version).await?).into()))
}

/// The first rows under an offer.
#[derive(Serialize, ToSchema)]
pub struct OfferPreviewBody {
    /// The dataset id of the version that they are of.
    dataset: String,
    /// For each alternative of the terms.
    alternatives: Vec<PreviewBody>,
}

/// Preview the first rows as a buyer of an offer would see them.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/offers/{id}/preview", tag = "products",
    params(("slug" = String, Path), ("id" = String, Path), PreviewQuery),
    responses((status = 200, body = OfferPreviewBody), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub async fn preview_offer(
    State(app): State<App>,
    acting: Acting,
    path: Segments,
    Query(query): Query<PreviewQuery>,
) -> ApiResult<Json<OfferPreviewBody>> {
    acting.caller.uses()?;
    let (product, previews) = app.offer_preview(&acting.participant.slug, &OfferId::from_stored(path.get("id")), query.rows).await?;
    Ok(Json(OfferPreviewBody { dataset: product.dataset_id(), alternatives: previews.into_iter().map(Into::into).collect() }))
}

/// Set the decision rules of an offer: what the node does of its own accord in negotiations and transfers about it,
/// for example `{"requested": [{"do": "hold"}]}` to decide each request in person.
#[utoipa::path(put, path = "/api/v1/participants/{slug}/offers/{id}/rules", tag = "products",
    params(("slug" = String, Path), ("id" = String, Path)), request_body = serde_json::Value,
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn set_offer_rules(State(app): State<App>, acting: Acting, path: Segments, Body(rules): Body<Rules>) -> ApiResult<StatusCode> {
    let (app, id) = (app.by(acting.caller.decider()), OfferId::from_stored(path.get("id")));
    app.offer_set_rules(&acting.participant.slug, &id, rules).await?;
    Ok(StatusCode::NO_CONTENT)
}
