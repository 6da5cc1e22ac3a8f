//! `/api/v1/participants/{slug}/products…`.

use super::{Body, KeyHeader, Query, Segments, auth::Acting, types::ProductBody};
use crate::{
    app::{App, products::Publish, views::ProductsAsked},
    http::problem::{ApiResult, Problem},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use fondaco_core::{Error, decision::Rules, ids::OfferId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, wrappers::UnboundedReceiverStream};
use utoipa::{IntoParams, ToSchema};

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
    /// `table`.
    kind: String,
    /// Absolute paths on the node's machine.
    paths: Vec<String>,
    /// ODRL offers without `target`; none means open to every participant.
    #[serde(default)]
    offers: Vec<Value>,
    /// Whether the profile goes into the catalogue.
    #[serde(default)]
    publish_profile: bool,
    #[serde(default)]
    csv: CsvBody,
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
    if body.kind != "table" {
        return Err(Error::invalid(format!("The kind \"{:.40}\" cannot be published by this node; it knows: table.", body.kind)).into());
    }
    let key = key.key(&acting.caller, "products.publish", &body)?;
    let publish = Publish {
        id: body.id,
        title: body.title,
        description: body.description,
        keywords: body.keywords,
        paths: body.paths.into_iter().map(PathBuf::from).collect(),
        offers: body.offers,
        publish_profile: body.publish_profile,
        null_values: body.csv.null_values,
    };
    let streams = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("application/x-ndjson"));
    if !streams {
        let listing = app.publish_table(&acting.participant, publish, key, |_| {}).await?;
        return Ok((StatusCode::CREATED, Json(ProductBody::from(&listing))).into_response());
    }
    let (lines, receiver) = mpsc::unbounded_channel::<String>();
    // Not bound to the connection: a publication that has begun is finished although its watcher went away.
    tokio::spawn(async move {
        let progress = lines.clone();
        let last = app
            .publish_table(&acting.participant, publish, key, move |p| {
                let _ = progress
                    .send(line(&json!({"progress": {"phase": p.phase, "file": p.file, "doneBytes": p.done, "totalBytes": p.total}})));
            })
            .await;
        let last = match last {
            Ok(listing) => json!({"product": ProductBody::from(&listing)}),
            Err(e) => {
                tracing::info!(code = %e.code(), cause = e.internal().unwrap_or_default(), "publish.refused: {e}");
                json!({"error": Problem::of(&e)})
            }
        };
        let _ = lines.send(line(&last));
    });
    let body = axum::body::Body::from_stream(UnboundedReceiverStream::new(receiver).map(Ok::<_, std::convert::Infallible>));
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
    Ok(Json(ProductBody::with_damage(&listing, damage)))
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
    let id = path.get("id");
    Ok(Json((&app.product_withdraw(&acting.participant.slug, id, version.version).await?).into()))
}

/// Set the decision rules of an offer: what the node does of its own accord in negotiations and transfers about it,
/// for example `{"requested": [{"do": "hold"}]}` to decide each request in person.
#[utoipa::path(put, path = "/api/v1/participants/{slug}/offers/{id}/rules", tag = "products",
    params(("slug" = String, Path), ("id" = String, Path)), request_body = serde_json::Value,
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn set_offer_rules(State(app): State<App>, acting: Acting, path: Segments, Body(rules): Body<Rules>) -> ApiResult<StatusCode> {
    app.offer_set_rules(&acting.participant.slug, &OfferId::from_stored(path.get("id")), rules).await?;
    Ok(StatusCode::NO_CONTENT)
}
