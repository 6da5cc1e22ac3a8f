//! `GET /p/{slug}/waiting`: what waits for a decision here.

use super::{
    answer::{self, Answer},
    compare,
    guard::Room,
    negotiations, shape, words,
};
use crate::app::{
    App,
    views::{WAITING_MAX, Waiting},
};
use axum::extract::State;
use fondaco_console::{
    decision::Decision,
    format::Count,
    pages::{WaitingPage, WaitingRow},
};

/// The queue. A form of it leads back here: the room's name in the field `back`.
pub const BACK: &str = "waiting";

/// The page.
pub async fn list(State(app): State<App>, room: Room) -> Answer {
    let slug = &room.participant.slug;
    let (waiting, count) = app.waiting(slug, WAITING_MAX).await?;
    let of = waiting.iter().map(|w| &w.negotiation).map(|n| (n.role, Some(&n.peer.did), n.dataset.as_str()));
    let names = app.names(slug, of).await?;
    let now = app.now();
    let row = |(place, w): (usize, &Waiting)| {
        let n = &w.negotiation;
        let terms = negotiations::terms(n);
        WaitingRow {
            product: names.title(n.role, Some(&n.peer.did), &n.dataset).to_owned(),
            peer: shape::party(&room, &names, &n.peer.did),
            role: shape::role(n.role),
            state: shape::negotiation_state(&n.state),
            since: words::when(n.updated_at),
            waited: words::span(now.since(n.updated_at)),
            rule_at: w.decides_at.map(words::when),
            differences: compare::differences(&n.reference_terms.odrl, terms),
            terms: shape::terms(terms),
            decision: Decision { prefix: format!("w{place}-"), back: BACK.to_owned(), ..negotiations::decision(n) },
        }
    };
    let rows: Vec<WaitingRow> = waiting.iter().enumerate().map(row).collect();
    let more = Count(count.saturating_sub(rows.len() as u64));
    answer::html(&WaitingPage { layout: room.layout.clone(), rows, more })
}
