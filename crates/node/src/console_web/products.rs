//! `GET /p/{slug}/products`, `GET /p/{slug}/products/{id}?version=`, `POST …/withdraw`: our own products.

use super::{
    answer::{self, Answer},
    flash::Notice,
    guard::{Form, Room},
    listing, shape, words,
};
use crate::app::{App, bounded, catalog_copies::QUERY_MAX_CHARS, products::Listing, views::LIST_ROWS};
use axum::extract::{Path, Query, State};
use fondaco_console::{
    Text,
    format::{Bytes, Count},
    narrow::{Facet, Narrowed},
    pages::{ColumnProfile, ColumnView, FileView, OfferView, Owner, ProductPage, ProductRow, ProductsPage, Publication},
};
use fondaco_core::{
    Code, Error,
    product::{Offer, ProductId, ProductKind, ProductState},
};
use fondaco_store::{ProductCount, ProductFile, ProductSearch};
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

/// Which part of our products.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    kind: String,
    state: String,
    after: Option<String>,
}

/// Our products.
pub async fn list(State(app): State<App>, room: Room, Query(asked): Query<Asked>) -> Answer {
    let query = asked.q.trim();
    bounded("q", query, QUERY_MAX_CHARS)?;
    let state = match asked.state.as_str() {
        PUBLISHED => Some(ProductState::Published),
        WITHDRAWN => Some(ProductState::Withdrawn),
        _ => None,
    };
    let kind = ProductKind::parse(&asked.kind).ok();
    let search = ProductSearch {
        query: Some(query.to_owned()),
        kind,
        state,
        after: asked.after.as_deref().and_then(|after| ProductId::parse(after).ok()),
        limit: LIST_ROWS,
    };
    let found = app.products_found(&room.participant.slug, search).await?;
    let list = Narrowed::new(format!("{}/products", room.base()))
        .with("q", query)
        .with("kind", kind.map_or("", ProductKind::as_str))
        .with("state", state.map_or("", state_name));
    let of_kind = |c: &ProductCount| kind.is_none_or(|k| k.as_str() == c.kind);
    let of_state = |c: &ProductCount| state.is_none_or(|s| (s == ProductState::Published) == c.published);
    let count = |passes: &dyn Fn(&ProductCount) -> bool| found.counts.iter().filter(|c| passes(c)).map(|c| c.count).sum::<u64>();
    let present = |values: Vec<(String, u64)>| -> Vec<(String, u64)> { values.into_iter().filter(|(_, n)| *n > 0).collect() };
    let kinds = ProductKind::ALL.iter().map(|k| (k.as_str().to_owned(), count(&|c| c.kind == k.as_str() && of_state(c))));
    let states = [PUBLISHED, WITHDRAWN].map(|s| (s.to_owned(), count(&|c| c.published == (s == PUBLISHED) && of_kind(c))));
    let state_label = |s: &str| Text::of("state", &s.to_ascii_uppercase());
    let facets = [
        Facet::of(&list, "kind", Text::say("label-kind"), &present(kinds.collect()), |k| shape::kind(k).label()),
        Facet::of(&list, "state", Text::say("label-state"), &present(states.to_vec()), state_label),
    ];
    answer::html(&ProductsPage {
        layout: room.layout,
        facets: facets.into_iter().flatten().collect(),
        total: Count(count(&|c| of_kind(c) && of_state(c))),
        list,
        products: found.listed.items.iter().map(row).collect(),
        after: found.listed.next,
    })
}

const PUBLISHED: &str = "published";
const WITHDRAWN: &str = "withdrawn";

const fn state_name(state: ProductState) -> &'static str {
    match state {
        ProductState::Published => PUBLISHED,
        ProductState::Withdrawn => WITHDRAWN,
    }
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
pub async fn show(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, Query(asked): Query<Version>) -> Answer {
    let missing = || Error::not_found("This version");
    let asked = asked.version.map(|text| text.parse().map_err(|_| missing())).transpose()?;
    let slug = &room.participant.slug;
    let id = ProductId::parse(&id).map_err(|_| missing())?;
    let versions = app.product_versions(slug, &id).await?;
    let shown = asked.or_else(|| chosen(&versions)).ok_or_else(missing)?;
    let listing = app.listing(slug, id.as_str(), Some(shown)).await?;
    let Listing { product, offers, files } = listing;
    answer::html(&ProductPage {
        layout: room.layout,
        owner: Owner::Ours {
            state: shape::product_state(product.state),
            stopped: app.product_stopped(slug, &product.reference.id).await?.map(|s| (words::when(s.at), s.reason)),
            publication: Publication { schema: product.kind == ProductKind::Table, profile: product.publish_profile },
        },
        listing: listing::of_product(&product),
        id: product.reference.id.to_string(),
        title: product.title,
        description: Some(product.description).filter(|d| !d.is_empty()),
        keywords: product.keywords,
        kind: shape::kind(product.kind.as_str()),
        version: Some(product.reference.version.to_string()),
        versions: versions.iter().map(|(version, _)| version.to_string()).collect(),
        published: Some(words::when(product.created_at)),
        rows: number(&product.content, "rows").map(Count),
        bytes: number(&product.content, "sizeBytes").map(Bytes),
        columns: columns(product.content.get("schema")),
        profile: profile(product.content.get("profile")),
        files: files.iter().map(file).collect(),
        offers: offers.iter().map(offer).collect(),
    })
}

/// Stops all versions of the product for now.
pub async fn stop(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, form: Form) -> Answer {
    app.by(room.decider()).product_stop(&room.participant.slug, &id, form.get("reason").map(str::to_owned)).await?;
    answer::see_other(&app, &format!("{}/products/{}", room.base(), shape::segment(&id)), Some(Notice::ProductStopped))
}

/// Takes the stop back.
pub async fn resume(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    app.by(room.decider()).product_resume(&room.participant.slug, &id).await?;
    answer::see_other(&app, &format!("{}/products/{}", room.base(), shape::segment(&id)), Some(Notice::ProductResumed))
}

/// Takes the product out of the catalogue: all its versions, or an older one would come to light again.
pub async fn withdraw(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let (app, slug) = (app.by(room.decider()), &room.participant.slug);
    let id = ProductId::parse(&id).map_err(|_| Error::not_found("This product"))?;
    let versions = app.product_versions(slug, &id).await?;
    let newest = versions.first().ok_or_else(|| Error::not_found("This product"))?.0;
    let on_offer: Vec<u32> = versions.iter().filter(|(_, state)| *state == ProductState::Published).map(|(version, _)| *version).collect();
    if on_offer.is_empty() {
        return Err(Error::new(Code::Conflict, "The product is withdrawn already.").into());
    }
    for version in on_offer {
        app.product_withdraw(slug, id.as_str(), Some(version)).await?;
    }
    answer::see_other(&app, &format!("{}/products/{id}?version={newest}", room.base()), Some(Notice::ProductWithdrawn))
}

/// The version meant where none is named: the newest on offer, else the newest.
fn chosen(versions: &[(u32, ProductState)]) -> Option<u32> {
    let on_offer = versions.iter().find(|(_, state)| *state == ProductState::Published);
    on_offer.or(versions.first()).map(|(version, _)| *version)
}

fn offer(offer: &Offer) -> OfferView {
    OfferView { id: offer.id.to_string(), terms: shape::terms(&offer.odrl), price: shape::price(&offer.odrl) }
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

fn file(row: &ProductFile) -> FileView {
    FileView { name: row.name.clone(), format: "Parquet".into(), bytes: Bytes(row.size) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_newest_on_offer_is_meant() {
        use ProductState::{Published, Withdrawn};
        for (versions, meant) in [
            (vec![(3, Withdrawn), (2, Published), (1, Published)], Some(2)),
            (vec![(2, Withdrawn), (1, Withdrawn)], Some(2)),
            (vec![], None),
        ] {
            assert_eq!(chosen(&versions), meant);
        }
    }

    #[test]
    fn descriptions_are_read_or_left_out() {
        let schema = json!({"columns": [{"name": "a", "type": "long", "nullable": true, "description": "", "sourceType": ""},
            {"name": "b", "type": {"type": "array", "elementType": "string", "containsNull": true}, "nullable": false, "description": "", "sourceType": ""}]});
        let read = columns(Some(&schema));
        assert_eq!((read[0].data_type.as_str(), read[1].nullable), ("long", false));
        assert!(read[1].data_type.contains("elementType"));
        for odd in [json!(null), json!("x"), json!({"columns": 3}), json!({"columns": [{"name": 1}]})] {
            assert!(columns(Some(&odd)).is_empty() && profile(Some(&odd)).is_empty());
        }
    }
}
