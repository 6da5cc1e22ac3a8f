//! `GET /p/{slug}/products`, `GET /p/{slug}/products/{id}?version=`, `POST …/withdraw`: our own products.

use super::{
    answer::{self, Answer},
    flash::Notice,
    guard::Room,
    shape, words,
};
use crate::app::{
    App,
    products::Listing,
    views::ProductsAsked,
};
use axum::extract::{Path, Query, State};
use fondaco_console::{
    format::{Bytes, Count},
    pages::{ColumnProfile, ColumnView, FileView, OfferView, Owner, ProductPage, ProductRow, ProductsPage, Publication},
};
use fondaco_core::product::{Offer, ProductKind};
use fondaco_tables::publish::{self, TableSchema};
use serde::Deserialize;
use serde_json::Value;

/// Where a list goes on.
#[derive(Debug, Deserialize)]
pub struct After {
    /// The cursor.
    pub after: Option<String>,
}

/// Which version to show.
#[derive(Debug, Deserialize)]
pub struct Version {
    version: Option<String>,
}

/// Our products.
pub async fn list(State(app): State<App>, room: Room, Query(asked): Query<After>) -> Answer {
    let listed = app.list_products(&room.participant.slug, ProductsAsked { after: asked.after, ..ProductsAsked::default() }).await?;
    let products = listed.items.iter().map(row).collect();
    answer::html(&ProductsPage { layout: room.layout, products, after: listed.next })
}

fn row(listing: &Listing) -> ProductRow {
    let product = &listing.product;
    ProductRow {
        id: product.reference.id.to_string(),
        title: product.title.clone(),
        kind: shape::kind(product.kind.as_str()),
        version: product.reference.version.to_string(),
        // Versions are numbered from 1 without gaps, and the list shows the newest.
        versions: Count(product.reference.version.into()),
        offers: Count(listing.offers.len() as u64),
        rows: number(&product.content, "rows").map(Count),
        bytes: Bytes(number(&product.content, "sizeBytes").unwrap_or(0)),
        state: shape::product_state(product.state),
        published: words::when(product.created_at),
    }
}

/// One of our products.
pub async fn show(
    State(app): State<App>,
    room: Room,
    Path((_, id)): Path<(String, String)>,
    Query(asked): Query<Version>,
) -> Answer {
    let version = match &asked.version {
        Some(text) => Some(text.parse().map_err(|_| fondaco_core::Error::not_found("This version"))?),
        None => None,
    };
    let listing = app.listing(&room.participant.slug, &id, version).await?;
    let versions = app.product_versions(&room.participant.slug, &listing.product.reference.id).await?;
    let Listing { product, offers } = listing;
    answer::html(&ProductPage {
        layout: room.layout,
        owner: Owner::Ours {
            state: shape::product_state(product.state),
            publication: Publication { schema: product.kind == ProductKind::Table, profile: product.publish_profile },
        },
        id: product.reference.id.to_string(),
        title: product.title,
        description: Some(product.description).filter(|d| !d.is_empty()),
        keywords: product.keywords,
        kind: shape::kind(product.kind.as_str()),
        version: product.reference.version.to_string(),
        versions: versions.iter().map(u32::to_string).collect(),
        published: Some(words::when(product.created_at)),
        rows: number(&product.content, "rows").map(Count),
        bytes: number(&product.content, "sizeBytes").map(Bytes),
        columns: columns(product.content.get("schema")),
        profile: profile(product.content.get("profile")),
        files: files(product.content.get("files")),
        offers: offers.iter().map(offer).collect(),
    })
}

/// Takes the newest version on offer out of the catalogue.
pub async fn withdraw(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    app.product_withdraw(&room.participant.slug, &id, None).await?;
    answer::see_other(&app, &format!("{}/products/{}", room.base(), shape::segment(&id)), Some(Notice::ProductWithdrawn))
}

fn offer(offer: &Offer) -> OfferView {
    OfferView { id: offer.id.to_string(), terms: shape::terms(&offer.odrl) }
}

fn number(content: &Value, key: &str) -> Option<u64> {
    content.get(key).and_then(Value::as_u64)
}

/// The columns of a table's description, ours or a peer's; none where it is not one.
pub fn columns(schema: Option<&Value>) -> Vec<ColumnView> {
    let schema = schema.and_then(|s| TableSchema::deserialize(s).ok());
    let columns = schema.map(|s| s.columns).unwrap_or_default();
    columns
        .into_iter()
        .map(|column| ColumnView { data_type: shape::cell(&column.data_type), name: column.name, nullable: column.nullable })
        .collect()
}

/// The profile in a table's description; none where it is not one.
pub fn profile(profile: Option<&Value>) -> Vec<ColumnProfile> {
    let columns = profile.and_then(|p| Vec::<publish::ColumnProfile>::deserialize(p).ok()).unwrap_or_default();
    columns
        .into_iter()
        .map(|column| ColumnProfile {
            nulls: Count(column.nulls),
            min: column.min.as_ref().map(shape::cell),
            max: column.max.as_ref().map(shape::cell),
            distinct: column.distinct_estimate.map(Count),
            name: column.name,
        })
        .collect()
}

fn files(files: Option<&Value>) -> Vec<FileView> {
    let files = files.and_then(|f| Vec::<publish::DataFile>::deserialize(f).ok()).unwrap_or_default();
    files.into_iter().map(|file| FileView { name: file.name, format: "Parquet".into(), bytes: Bytes(file.size_bytes) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn descriptions_are_read_or_left_out() {
        let schema = json!({"columns": [{"name": "a", "type": "long", "nullable": true, "description": "", "sourceType": ""},
            {"name": "b", "type": {"type": "array", "elementType": "string", "containsNull": true}, "nullable": false, "description": "", "sourceType": ""}]});
        let read = columns(Some(&schema));
        assert_eq!((read[0].data_type.as_str(), read[1].nullable), ("long", false));
        assert!(read[1].data_type.contains("elementType"));
        for odd in [json!(null), json!("x"), json!({"columns": 3}), json!({"columns": [{"name": 1}]})] {
            assert!(columns(Some(&odd)).is_empty() && profile(Some(&odd)).is_empty() && files(Some(&odd)).is_empty());
        }
    }
}
