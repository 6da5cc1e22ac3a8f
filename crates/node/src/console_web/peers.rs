//! `GET /p/{slug}/peers`: peers met before, and the form to find another.

use super::{
    answer::{self, Answer},
    guard::Room,
    words,
};
use crate::app::App;
use axum::extract::State;
use fondaco_console::{
    Text,
    pages::{PeerRow, PeersPage},
    view::When,
};
use fondaco_core::Error;
use fondaco_store as store;

/// The list and the form.
pub async fn list(State(app): State<App>, room: Room) -> Answer {
    answer::html(&page(&app, &room, String::new(), None).await?)
}

/// The same, about an address that led nowhere.
pub async fn unreachable(app: &App, room: &Room, address: &str, error: &Error) -> Answer {
    answer::with_error(&page(app, room, address.to_owned(), Some(words::problem_and_advice(error))).await?, error)
}

async fn page(app: &App, room: &Room, address: String, problem: Option<Text>) -> Result<PeersPage, Error> {
    let peers = app.list_peers(&room.participant.slug).await?;
    Ok(PeersPage { layout: room.layout.clone(), address, problem, peers: peers.iter().map(row).collect() })
}

fn row(peer: &store::PeerRow) -> PeerRow {
    PeerRow {
        name: peer.name.clone().unwrap_or_else(|| peer.did.to_string()),
        did: peer.did.to_string(),
        // The DID finds the peer wherever it moves; an address once typed may not.
        address: peer.did.to_string(),
        reachable: peer.last_error.is_none(),
        last_contact: peer.last_ok_at.map_or_else(|| When::said(Text::say("peers-never")), words::when),
    }
}
