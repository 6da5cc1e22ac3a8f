//! `GET /p/{slug}/catalog?…`, `POST …/catalog/refresh` and `GET …/catalog/product?peer=…&id=…`: what peers offer.
//!
//! The list is made from the copies of peers' catalogues, and so is the page of a product where the copy has all of it:
//! nobody waits for a peer to look around. Only a peer that was never read is waited for.

use super::{
    answer::{self, Answer},
    flash::Notice,
    guard::{Form, Room},
    listing, peers, products, shape,
};
use crate::{
    app::{
        App,
        catalog_copies::{Copy, DatasetsAsked, Facet},
        peers::{RemoteDataset, RemoteOffer},
    },
    jobs::catalog_read::kept,
};
use axum::extract::{Query, State};
use fondaco_console::{
    Text,
    format::{Bytes, Count},
    narrow::{self, Narrowed},
    pages::{CatalogCard, CatalogPage, OfferView, Owner, Paging, ProductPage},
    view::When,
};
use fondaco_core::{
    Code, Error,
    participant::{Declarations, Did},
    time::Timestamp,
};
use fondaco_store::PeerDataset;
use serde::Deserialize;
use std::{collections::HashMap, time::Duration};

/// Products on one page.
const CARDS: u32 = 24;
/// Longest address of a peer.
const PEER_MAX_CHARS: usize = 2_048;
/// Characters of a description on a card, which cuts it at four lines anyway.
const EXCERPT_MAX_CHARS: usize = 300;
/// How long a page waits for the first reading of a catalogue: most are read in a second, and what is there already is
/// shown while the rest is being read.
pub const FIRST_READING: Duration = Duration::from_secs(8);

/// Which part of the catalogue.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    peer: String,
    q: String,
    kind: String,
    license: String,
    language: String,
    page: String,
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
pub const fn concerns_peer(code: Code) -> bool {
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
    let peer = asked.peer.trim();
    let did = match known(&app, &room, peer).await {
        Ok(did) => did,
        Err(error) if concerns_peer(error.code()) => return peers::unreachable(&app, &room, peer, &error).await,
        Err(error) => return Err(error.into()),
    };
    let query = asked.q.trim();
    let some = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
    let wanted = DatasetsAsked {
        query: some(query),
        peer: did.clone(),
        kind: some(&asked.kind),
        license: some(&asked.license),
        language: some(&asked.language),
    };
    let page = asked.page.parse().unwrap_or(1);
    let found = app.datasets_found(&room.participant, wanted, page, CARDS).await?;

    let list = Narrowed::new(format!("{}/catalog", room.base()))
        .with("q", query)
        .with("peer", did.as_ref().map_or("", Did::as_str))
        .with("kind", asked.kind.trim())
        .with("license", asked.license.trim())
        .with("language", asked.language.trim());
    let names: HashMap<&str, &str> =
        found.copies.iter().map(|c| (c.peer.did.as_str(), c.peer.name.as_deref().unwrap_or(c.peer.did.as_str()))).collect();
    let name = |did: &str| names.get(did).copied().unwrap_or(did).to_owned();
    let facet = |facet: Facet, parameter, title, label: &dyn Fn(&str) -> Text| {
        let values = found.facets.get(&facet).map(Vec::as_slice).unwrap_or_default();
        narrow::Facet::of(&list, parameter, Text::say(title), values, label)
    };
    let plain = |value: &str| Text::plain(value);
    let facets = [
        facet(Facet::Peer, "peer", "label-peer", &|did| Text::plain(name(did))),
        facet(Facet::Kind, "kind", "label-kind", &|kind| shape::kind(kind).label()),
        facet(Facet::License, "license", "product-license", &plain),
        facet(Facet::Language, "language", "product-language", &plain),
    ];
    let now = app.now();
    // Only what was looked in is told of, and what needs attention first.
    let mut copies: Vec<&Copy> = found.copies.iter().filter(|c| did.as_ref().is_none_or(|d| *d == c.peer.did)).collect();
    copies.sort_by_key(|c| (c.peer.catalog_error.is_none() && c.peer.last_error.is_none(), !c.under_way, std::cmp::Reverse(c.datasets)));
    answer::html(&CatalogPage {
        of: did.as_ref().map(|did| (name(did.as_str()), did.to_string())),
        facets: facets.into_iter().flatten().collect(),
        cards: found.datasets.iter().map(|row| card(row, name(row.peer.as_str()))).collect(),
        paging: Paging { page: found.page, pages: found.pages, total: Count(found.total) },
        copies: copies.into_iter().map(|c| peers::copy(c, now)).collect(),
        list,
        layout: room.layout,
    })
}

/// The DID of a peer in an address, met for the first time if need be, though not by an auditor; `None` for all peers.
async fn known(app: &App, room: &Room, peer: &str) -> Result<Option<Did>, Error> {
    if peer.is_empty() {
        return Ok(None);
    }
    check(peer)?;
    if let Ok(did) = Did::parse(peer)
        && let Ok(copy) = app.peer_known(&room.participant.slug, &did).await
        && (copy.peer.catalog_read_at.is_some() || copy.peer.catalog_error.is_some())
    {
        return Ok(Some(did));
    }
    room.for_members()?;
    let did = app.remote(&room.participant, peer).await?.did;
    app.catalog_read_within(&room.participant, &did, FIRST_READING).await;
    Ok(Some(did))
}

/// Begins to read a peer's catalogue again, or those of all.
pub async fn refresh(State(app): State<App>, room: Room, form: Form) -> Answer {
    let list = Narrowed::new(format!("{}/catalog", room.base()));
    let list = match form.get("peer") {
        None => {
            for copy in app.catalog_copies(&room.participant.slug).await? {
                drop(app.catalog_begin(&room.participant, &copy.peer.did));
            }
            list
        }
        Some(peer) => {
            let did = Did::parse(peer)?;
            app.peer_known(&room.participant.slug, &did).await?;
            app.catalog_read_within(&room.participant, &did, FIRST_READING).await;
            list.with("peer", did.as_str())
        }
    };
    answer::see_other(&app, &list.href(), Some(Notice::CatalogRefreshed))
}

/// One product of a peer's.
pub async fn show(State(app): State<App>, room: Room, Query(asked): Query<AskedProduct>) -> Answer {
    let peer = asked.peer.trim();
    let (did, dataset, read_at) = match find(&app, &room, peer, &asked.id).await {
        Ok(found) => found,
        Err(error) if concerns_peer(error.code()) => return peers::unreachable(&app, &room, peer, &error).await,
        Err(error) => return Err(error.into()),
    };
    let names = app.peer_names(&room.participant.slug, [&did]).await?;
    let now = app.now();
    answer::html(&ProductPage {
        layout: room.layout,
        owner: Owner::Peer {
            address: peer.to_owned(),
            name: names.peer(&did).to_owned(),
            did: did.to_string(),
            read: read_at.map(|at| super::words::span(now.since(at))),
        },
        kind: shape::kind(dataset.text("kind").unwrap_or("dataset")),
        rows: dataset.number("rows").map(Count),
        bytes: dataset.number("sizeBytes").map(Bytes),
        columns: products::columns(dataset.extension.get("schema")),
        profile: products::profile(dataset.extension.get("profile")),
        files: Vec::new(),
        published: dataset.issued.as_deref().map(issued),
        listing: listing::of_remote(&dataset),
        version: dataset.version,
        versions: Vec::new(),
        id: dataset.id,
        title: dataset.title,
        description: Some(dataset.description).filter(|d| !d.is_empty()),
        keywords: dataset.keywords,
        offers: dataset.offers.into_iter().map(offer).collect(),
    })
}

/// A dataset from the copy, or from the peer itself where the copy does not have all of it and no auditor asks.
async fn find(app: &App, room: &Room, peer: &str, id: &str) -> Result<(Did, RemoteDataset, Option<Timestamp>), Error> {
    check(peer)?;
    if let Ok(did) = Did::parse(peer)
        && let Some((dataset, read_at)) = app.dataset_copy(&room.participant.slug, &did, id).await?
    {
        return Ok((did, dataset, Some(read_at)));
    }
    room.for_members()?;
    let remote = app.remote(&room.participant, peer).await?;
    let declared = Declarations { spatial: room.participant.country.clone(), purpose: Vec::new() };
    let dataset = app.remote_dataset(&room.participant, &remote, id, &declared).await?;
    Ok((remote.did, dataset, None))
}

/// Refuses an address that is none.
pub fn check(peer: &str) -> Result<(), Error> {
    if peer.is_empty() || peer.chars().count() > PEER_MAX_CHARS {
        return Err(Error::invalid("Give the address of a peer."));
    }
    Ok(())
}

/// A dataset in short.
pub fn card(row: &PeerDataset, peer: String) -> CatalogCard {
    let dataset = kept(row.body.clone());
    CatalogCard {
        id: row.dataset.clone(),
        peer,
        did: row.peer.to_string(),
        title: row.title.clone(),
        description: Some(dataset.description.chars().take(EXCERPT_MAX_CHARS).collect()).filter(|d: &String| !d.is_empty()),
        kind: shape::kind(dataset.text("kind").unwrap_or("dataset")),
        version: dataset.version.clone(),
        license: Some(row.license.clone()).filter(|l| !l.is_empty()),
        rows: dataset.number("rows").map(Count),
        bytes: dataset.number("sizeBytes").map(Bytes),
        offers: Count(dataset.offers.len() as u64),
        keywords: dataset.keywords,
    }
}

fn offer(offer: RemoteOffer) -> OfferView {
    OfferView { id: offer.id, terms: shape::terms(&offer.odrl), price: shape::price(&offer.odrl) }
}

/// A peer's instant; one that is none is shown as it came.
fn issued(text: &str) -> When {
    Timestamp::parse(text).map_or_else(|| When::said(Text::plain(text.chars().take(40).collect::<String>())), super::words::when)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::catalog_copies::QUERY_MAX_CHARS;

    #[test]
    fn addresses_are_bounded() {
        assert!(check("did:web:x").is_ok());
        assert!(check("").is_err() && check(&"x".repeat(PEER_MAX_CHARS + 1)).is_err());
        const { assert!(QUERY_MAX_CHARS == 200, "as the pages' fields say") };
    }
}
