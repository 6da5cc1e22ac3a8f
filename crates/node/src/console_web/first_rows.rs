//! `GET /p/{slug}/agreements/{id}/preview`, `…/offers/{id}/preview`, `…/publish/{id}/preview`: the first rows of our table as
//! the other side sees them.

use super::{
    answer::{self, Answer},
    guard::Room,
    publish, sentences, shape, words,
};
use crate::app::{App, preview::Preview};
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use fondaco_console::{
    format::Count,
    pages::{FirstRows, FirstRowsPage, SeenBy},
};
use fondaco_core::{
    Error, Result,
    ids::OfferId,
    policy::{Permission, Policy},
};
use serde_json::Value;

/// As the consumer of an agreement sees them now.
pub async fn of_agreement(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let slug = &room.participant.slug;
    let row = app.agreement(slug, &id).await?.row;
    let peer = row.peer();
    let names = app.names(slug, [(row.role, Some(peer), row.dataset.as_str())]).await?;
    let title = names.title(row.role, Some(peer), &row.dataset).to_owned();
    let party = shape::party(&room, &names, peer);
    let seen = app.agreement_preview(slug, &id, None).await.map(|(_, preview)| vec![preview]);
    page(room, title, SeenBy::Consumer { agreement: row.agreement.id, party }, seen)
}

/// As whoever takes an offer would see them.
pub async fn of_offer(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let slug = &room.participant.slug;
    let id = OfferId::from_stored(id);
    let product = app.offer(slug, &id).await?.product;
    let title = app.listing(slug, product.id.as_str(), Some(product.version)).await?.product.title;
    let seen = app.offer_preview(slug, &id, None).await.map(|(_, previews)| previews);
    page(room, title, SeenBy::Buyer { product: product.id.to_string(), version: product.version.to_string() }, seen)
}

/// As buyers would see them under terms that are being written.
pub async fn of_publication(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let publication = publish::find(&app, &room, &id).await?;
    let seen = app.publication_preview(&room.participant.slug, &publication.id).await.map(|all| all.into_iter().flatten().collect());
    page(room, publication.draft.title, SeenBy::Reader { publication: publication.id.to_string() }, seen)
}

/// The page; what is refused is refused to the other side too, so that the reason stands in place of the rows.
fn page(room: Room, title: String, seen_by: SeenBy, seen: Result<Vec<Preview>>) -> Answer {
    let (status, alternatives, nothing) = match seen {
        Ok(previews) => (StatusCode::OK, previews.into_iter().map(first_rows).collect(), None),
        Err(e) if e.code().status() >= 500 => return Err(e.into()),
        Err(e) => (status(&e), Vec::new(), Some(words::problem(&e))),
    };
    answer::with_status(status, &FirstRowsPage { layout: room.layout, title, seen_by, alternatives, nothing })
}

fn status(e: &Error) -> StatusCode {
    StatusCode::from_u16(e.code().status()).unwrap_or(StatusCode::BAD_REQUEST)
}

fn first_rows(preview: Preview) -> FirstRows {
    let columns = preview.columns;
    let cells = |row: &serde_json::Map<String, Value>| {
        columns.iter().map(|name| row.get(name).filter(|v| !v.is_null()).map(shape::cell)).collect::<Vec<_>>()
    };
    FirstRows {
        terms: sentences::of(&Policy::free(vec![Permission { constraints: preview.terms }])),
        rows: preview.rows.iter().map(cells).collect(),
        looked_at_beginning: preview.looked_at_beginning,
        aggregates: preview.min_group_size.map(|n| Count(n.into())),
        sample_hashes: preview.sample_hashes,
        columns,
    }
}
