//! `GET /p/{slug}/catalog?peer=…&q=…&page=…` and `GET /p/{slug}/catalog/product?peer=…&id=…`: what a peer offers.
//!
//! A peer's catalogue comes in pages of the peer's choosing, which only go forward. People look at pages of ours, which
//! go both ways and know their number; so the catalogue is read as a whole, up to a bound.

use super::{
    answer::{self, Answer},
    guard::Room,
    peers, products, shape,
};
use crate::app::{
    App,
    peers::{RemoteDataset, RemoteOffer},
};
use axum::extract::{Query, State};
use fondaco_console::{
    Text,
    format::{Bytes, Count},
    pages::{CatalogCard, CatalogPage, OfferView, Owner, Paging, ProductPage},
    view::When,
};
use fondaco_core::{
    Code, Error,
    participant::{Declarations, Did, NAME_MAX_CHARS},
    time::Timestamp,
};
use serde::Deserialize;

/// Products on one page.
const CARDS: usize = 24;
/// Pages of the peer's that are read for one of ours: 20,000 products of a Fondaco node. Who looks for more, searches.
const REMOTE_PAGES_MAX: usize = 20;
/// Most products of a catalogue that are held at once.
const DATASETS_MAX: usize = 20_000;
/// Longest search text.
const QUERY_MAX_CHARS: usize = 200;
/// Longest address of a peer.
const PEER_MAX_CHARS: usize = 2_048;

/// Which catalogue, and which part of it.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    peer: String,
    #[serde(default)]
    q: String,
    page: Option<String>,
}

/// Which product.
#[derive(Debug, Deserialize)]
pub struct AskedProduct {
    #[serde(default)]
    peer: String,
    #[serde(default)]
    id: String,
}

/// Errors about the address or the peer, which belong beside the form where it was typed.
fn concerns_peer(code: Code) -> bool {
    matches!(
        code,
        Code::Invalid
            | Code::DidInvalid
            | Code::DidUnresolvable
            | Code::AddressRefused
            | Code::PeerUnreachable
            | Code::PeerAnsweredBadly
            | Code::PeerRefused
    )
}

/// The catalogue.
pub async fn list(State(app): State<App>, room: Room, Query(asked): Query<Asked>) -> Answer {
    let (peer, query) = (asked.peer.trim(), asked.q.trim());
    if peer.is_empty() {
        return answer::see_other(&app, &format!("{}/peers", room.base()), None);
    }
    let read = match check(peer, query) {
        Ok(()) => read(&app, &room, peer, query).await,
        Err(error) => Err(error),
    };
    let found = match read {
        Ok(found) => found,
        Err(error) if concerns_peer(error.code()) => return peers::unreachable(&app, &room, peer, &error).await,
        Err(error) => return Err(error.into()),
    };
    let total = found.datasets.len();
    let pages = total.div_ceil(CARDS).max(1);
    let page = asked.page.as_deref().and_then(|p| p.parse::<usize>().ok()).unwrap_or(1).clamp(1, pages);
    let cards = found.datasets.iter().skip((page - 1) * CARDS).take(CARDS).map(card).collect();
    answer::html(&CatalogPage {
        layout: room.layout,
        peer: peer.to_owned(),
        name: found.name.unwrap_or_else(|| found.did.to_string()),
        did: found.did.to_string(),
        query: query.to_owned(),
        cards,
        paging: Paging { page: page as u64, pages: pages as u64, total: Count(total as u64) },
    })
}

/// One product of the peer's.
pub async fn show(State(app): State<App>, room: Room, Query(asked): Query<AskedProduct>) -> Answer {
    let peer = asked.peer.trim();
    let found = async {
        check(peer, "")?;
        let remote = app.remote(&room.participant, peer).await?;
        let declared = Declarations { spatial: room.participant.country.clone(), purpose: Vec::new() };
        let dataset = app.remote_dataset(&room.participant, &remote, &asked.id, &declared).await?;
        Ok::<_, Error>((remote, dataset))
    };
    let (remote, dataset) = match found.await {
        Ok(found) => found,
        Err(error) if concerns_peer(error.code()) => return peers::unreachable(&app, &room, peer, &error).await,
        Err(error) => return Err(error.into()),
    };
    let names = app.names(&room.participant.slug, []).await?;
    answer::html(&ProductPage {
        layout: room.layout,
        owner: Owner::Peer { address: peer.to_owned(), name: names.peer(&remote.did).to_owned(), did: remote.did.to_string() },
        kind: shape::kind(dataset.text("kind").unwrap_or("dataset")),
        rows: dataset.number("rows").map(Count),
        bytes: dataset.number("sizeBytes").map(Bytes),
        columns: products::columns(dataset.extension.get("schema")),
        profile: products::profile(dataset.extension.get("profile")),
        files: Vec::new(),
        published: dataset.issued.as_deref().map(issued),
        version: dataset.version,
        versions: Vec::new(),
        id: dataset.id,
        title: dataset.title,
        description: Some(dataset.description).filter(|d| !d.is_empty()),
        keywords: dataset.keywords,
        offers: dataset.offers.into_iter().map(offer).collect(),
    })
}

fn check(peer: &str, query: &str) -> Result<(), Error> {
    if peer.chars().count() > PEER_MAX_CHARS || query.chars().count() > QUERY_MAX_CHARS {
        return Err(Error::invalid("The address or the search text is too long."));
    }
    Ok(())
}

struct Found {
    name: Option<String>,
    did: Did,
    datasets: Vec<RemoteDataset>,
}

async fn read(app: &App, room: &Room, peer: &str, query: &str) -> Result<Found, Error> {
    let query = Some(query).filter(|q| !q.is_empty());
    let first = app.remote_catalog(&room.participant, peer, query, None).await?;
    let name = first.title.map(|t| t.trim().chars().take(NAME_MAX_CHARS).collect::<String>()).filter(|t| !t.is_empty());
    let (mut datasets, mut next) = (first.datasets, first.next);
    for _ in 1..REMOTE_PAGES_MAX {
        let Some(cursor) = next.filter(|_| datasets.len() < DATASETS_MAX) else { break };
        let page = app.remote_catalog(&room.participant, peer, query, Some(&cursor)).await?;
        datasets.extend(page.datasets);
        next = page.next;
    }
    datasets.truncate(DATASETS_MAX);
    Ok(Found { name, did: first.peer.did, datasets })
}

fn card(dataset: &RemoteDataset) -> CatalogCard {
    CatalogCard {
        id: dataset.id.clone(),
        title: dataset.title.clone(),
        description: Some(dataset.description.clone()).filter(|d| !d.is_empty()),
        kind: shape::kind(dataset.text("kind").unwrap_or("dataset")),
        version: dataset.version.clone(),
        keywords: dataset.keywords.clone(),
        rows: dataset.number("rows").map(Count),
        bytes: dataset.number("sizeBytes").map(Bytes),
        offers: Count(dataset.offers.len() as u64),
    }
}

fn offer(offer: RemoteOffer) -> OfferView {
    OfferView { terms: shape::terms(&offer.odrl), id: offer.id }
}

/// A peer's instant; one that is none is shown as it came.
fn issued(text: &str) -> When {
    Timestamp::parse(text).map_or_else(|| When::said(Text::plain(text.chars().take(40).collect::<String>())), super::words::when)
}
