//! `/api/v1/participants/{slug}/feeds…`: products that follow their source.

use super::{Query, Segments, auth::Acting};
use crate::{
    app::App,
    http::problem::{ApiResult, Problem},
};
use axum::{Json, extract::State, http::StatusCode};
use fondaco_core::{feed::Feed, product::ProductId, publication::Source, time::Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Most feeds on a page.
const PAGE: u32 = 200;

/// A feed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedBody {
    product: String,
    #[schema(value_type = serde_json::Value)]
    source: Source,
    /// How often the source is looked at, as an ISO 8601 duration.
    every: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta_version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    looked_at: Option<String>,
    /// When a version was last made.
    #[serde(skip_serializing_if = "Option::is_none")]
    renewed_at: Option<String>,
    next_at: String,
    /// Why the last look failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// How many looks in a row failed.
    failures: u32,
}

impl From<Feed> for FeedBody {
    fn from(f: Feed) -> Self {
        Self {
            product: f.product.to_string(),
            source: f.source,
            every: f.every.as_str().to_owned(),
            delta_version: f.delta_version,
            looked_at: f.looked_at.map(Timestamp::to_rfc3339),
            renewed_at: f.renewed_at.map(Timestamp::to_rfc3339),
            next_at: f.next_at.to_rfc3339(),
            error: f.error,
            failures: f.failures,
        }
    }
}

/// Feeds.
#[derive(Serialize, ToSchema)]
pub struct FeedsBody {
    feeds: Vec<FeedBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which feeds to list.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct FeedsQuery {
    /// The `next` of the page before.
    after: Option<String>,
}

/// List feeds by product.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/feeds", tag = "feeds", params(("slug" = String, Path), FeedsQuery),
    responses((status = 200, body = FeedsBody)))]
pub async fn list(State(app): State<App>, acting: Acting, Query(query): Query<FeedsQuery>) -> ApiResult<Json<FeedsBody>> {
    let feeds = app.feeds(&acting.participant.slug, query.after.as_deref().unwrap_or_default(), PAGE).await?;
    let next = (feeds.len() == PAGE as usize).then(|| feeds.last().map(|f| f.product.to_string())).flatten();
    Ok(Json(FeedsBody { feeds: feeds.into_iter().map(Into::into).collect(), next }))
}

/// Look at the source of a product now.
#[utoipa::path(post, path = "/api/v1/participants/{slug}/feeds/{product}/look", tag = "feeds",
    params(("slug" = String, Path), ("product" = String, Path)),
    responses((status = 202, body = FeedBody), (status = 404, body = Problem)))]
pub async fn look(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<(StatusCode, Json<FeedBody>)> {
    let product = ProductId::parse(path.get("product"))?;
    Ok((StatusCode::ACCEPTED, Json(app.feed_look_now(&acting.participant.slug, &product).await?.into())))
}

/// End a feed. The product's versions stay.
#[utoipa::path(delete, path = "/api/v1/participants/{slug}/feeds/{product}", tag = "feeds",
    params(("slug" = String, Path), ("product" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub async fn end(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<StatusCode> {
    app.feed_end(&acting.participant.slug, &ProductId::parse(path.get("product"))?).await?;
    Ok(StatusCode::NO_CONTENT)
}
