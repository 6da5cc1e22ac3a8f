//! `GET /p/{slug}/peers`, `POST` to add one by its address; `GET …/peers/{did}`, `POST …/{refresh|remove}`.

use super::{
    agreements,
    answer::{self, Answer},
    catalog,
    flash::Notice,
    guard::{Form, Room},
    shape, words,
};
use crate::app::{
    App,
    catalog_copies::{Copy, DatasetsAsked},
};
use axum::extract::{Path, State};
use fondaco_console::{
    Text,
    format::Count,
    pages::{CatalogCopy, PeerPage, PeerRow, PeersPage},
    view::When,
};
use fondaco_core::{Error, participant::Did, time::Timestamp};
use fondaco_store as store;

/// Products, negotiations and transfers of a peer on its page; the rooms have all.
const SHOWN: u32 = 10;

/// The list and the form.
pub async fn list(State(app): State<App>, room: Room) -> Answer {
    answer::html(&page(&app, &room, String::new(), None).await?)
}

/// The same, about an address that led nowhere.
pub async fn unreachable(app: &App, room: &Room, address: &str, error: &Error) -> Answer {
    answer::with_error(&page(app, room, address.to_owned(), Some(words::problem_and_advice(error))).await?, error)
}

async fn page(app: &App, room: &Room, address: String, problem: Option<Text>) -> Result<PeersPage, Error> {
    let copies = app.catalog_copies(&room.participant.slug).await?;
    let now = app.now();
    let row = |c: &Copy| PeerRow { copy: copy(c, now), last_contact: last_contact(&c.peer), problem: problem_of(&c.peer) };
    Ok(PeersPage { layout: room.layout.clone(), address, problem, peers: copies.iter().map(row).collect() })
}

/// Finds a peer, and begins to read its catalogue.
pub async fn add(State(app): State<App>, room: Room, form: Form) -> Answer {
    let address = form.get("peer").unwrap_or_default();
    let found = async {
        catalog::check(address)?;
        app.remote(&room.participant, address).await
    };
    match found.await {
        Ok(remote) => {
            app.catalog_read_within(&room.participant, &remote.did, catalog::FIRST_READING).await;
            answer::see_other(&app, &path(&room, &remote.did), Some(Notice::PeerAdded))
        }
        Err(error) if catalog::concerns_peer(error.code()) => unreachable(&app, &room, address, &error).await,
        Err(error) => Err(error.into()),
    }
}

/// One peer.
pub async fn show(State(app): State<App>, room: Room, Path((_, did)): Path<(String, String)>) -> Answer {
    let slug = &room.participant.slug;
    let did = known(&did)?;
    let known = app.peer_known(slug, &did).await?;
    let asked = DatasetsAsked { peer: Some(did.clone()), ..DatasetsAsked::default() };
    let products = app.list_datasets(&room.participant, asked, None, SHOWN).await?;
    let deals = app.deals_with(slug, &did, SHOWN).await?;
    let of_negotiations = deals.negotiations.iter().map(|n| (n.role, Some(&n.peer.did), n.dataset.as_str()));
    let of_transfers = deals.transfers.iter().map(|t| (t.role, Some(&t.peer.did), t.dataset.as_str()));
    let names = app.names(slug, of_negotiations.chain(of_transfers)).await?;
    let now = app.now();
    let name = known.peer.name.clone().unwrap_or_else(|| did.to_string());
    answer::html(&PeerPage {
        copy: copy(&known, now),
        address: known.peer.address.clone(),
        last_contact: last_contact(&known.peer),
        problem: problem_of(&known.peer),
        products: products.items.iter().map(|row| catalog::card(row, name.clone())).collect(),
        negotiations: deals.negotiations.iter().map(|n| shape::negotiation_row(&room, &names, n)).collect(),
        agreements: deals.agreements.iter().map(|(a, used)| agreements::row(&room, &names, a, *used, now)).collect(),
        transfers: deals.transfers.iter().map(|t| shape::transfer_row(&room, &names, t)).collect(),
        layout: room.layout.clone(),
    })
}

/// Reads its catalogue again.
pub async fn refresh(State(app): State<App>, room: Room, Path((_, did)): Path<(String, String)>) -> Answer {
    let did = known(&did)?;
    app.peer_known(&room.participant.slug, &did).await?;
    app.catalog_read_within(&room.participant, &did, catalog::FIRST_READING).await;
    answer::see_other(&app, &path(&room, &did), Some(Notice::CatalogRefreshed))
}

/// Forgets it.
pub async fn remove(State(app): State<App>, room: Room, Path((_, did)): Path<(String, String)>) -> Answer {
    app.peer_forget(&room.participant.slug, &known(&did)?).await?;
    answer::see_other(&app, &format!("{}/peers", room.base()), Some(Notice::PeerRemoved))
}

fn known(did: &str) -> Result<Did, Error> {
    Did::parse(did).map_err(|_| Error::not_found("The peer"))
}

fn path(room: &Room, did: &Did) -> String {
    format!("{}/peers/{}", room.base(), shape::segment(did.as_str()))
}

fn last_contact(peer: &store::PeerRow) -> When {
    peer.last_ok_at.map_or_else(|| When::said(Text::say("peers-never")), words::when)
}

fn problem_of(peer: &store::PeerRow) -> Option<Text> {
    peer.last_error.as_deref().map(Text::detail)
}

/// The copy of a peer's catalogue.
pub fn copy(copy: &Copy, now: Timestamp) -> CatalogCopy {
    let peer = &copy.peer;
    CatalogCopy {
        name: peer.name.clone().unwrap_or_else(|| peer.did.to_string()),
        did: peer.did.to_string(),
        products: Count(copy.datasets),
        read: peer.catalog_read_at.map(|at| words::span(now.since(at))),
        under_way: copy.under_way,
        problem: peer.catalog_error.as_deref().map(Text::detail),
    }
}
