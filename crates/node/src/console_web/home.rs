//! `GET /` and `GET /p/{slug}`: the overview.

use super::{
    answer::{self, Answer},
    guard::{Room, SignedIn},
    shape,
};
use crate::app::{App, views::EventSubject};
use axum::extract::State;
use fondaco_console::{
    format::Count,
    pages::{Counts, HomePage},
    view::Subject,
};
use fondaco_core::{Code, Error, negotiation::Role};

/// To the first participant of whoever is signed in.
pub async fn start(State(app): State<App>, signed_in: SignedIn) -> Answer {
    match signed_in.acting.choices.first() {
        Some(first) => answer::see_other(&app, &format!("/p/{}", first.slug), None),
        None => Err(Error::new(
            Code::Forbidden,
            format!(
                "The login \"{}\" may not act for any participant yet. Ask the operator of this node to add one.",
                signed_in.person.user.login
            ),
        )
        .into()),
    }
}

/// The overview.
pub async fn overview(State(app): State<App>, room: Room) -> Answer {
    let overview = app.overview(&room.participant.slug).await?;
    let of_events = overview.events.iter().filter_map(|(_, s)| s.as_ref()).map(|s| (s.role, s.peer.as_ref(), s.dataset.as_str()));
    let of_waiting = overview.waiting.iter().map(|n| (n.role, Some(&n.peer.did), n.dataset.as_str()));
    let names = app.names(&room.participant.slug, of_events.chain(of_waiting)).await?;
    let waiting = overview.waiting.iter().map(|n| shape::negotiation_row(&room, &names, n)).collect();
    let events = shape::without_notes(overview.events);
    let events = events.iter().filter_map(|(event, about)| {
        let about = about.as_ref()?;
        let subject = subject(&room, names.title(about.role, about.peer.as_ref(), &about.dataset), &event.topic, about)?;
        shape::event(&room, &names, event, Some(subject))
    });
    answer::html(&HomePage {
        name: room.participant.name.clone(),
        did: room.participant.did.to_string(),
        counts: Counts {
            products: Count(overview.products),
            open_negotiations: Count(overview.open_negotiations),
            active_agreements: Count(overview.agreements_in_force),
            started_transfers: Count(overview.started_transfers),
        },
        has_peers: overview.has_peers,
        has_agreements: overview.has_agreements,
        waiting,
        events: events.collect(),
        layout: room.layout.clone(),
    })
}

/// The page of what an event is about.
fn subject(room: &Room, title: &str, topic: &str, about: &EventSubject) -> Option<Subject> {
    let (kind, id) = topic.split_once(':')?;
    let base = room.base();
    let href = match kind {
        "negotiation" | "transfer" | "agreement" => format!("{base}/{kind}s/{}", shape::segment(id)),
        "product" => {
            let product = fondaco_core::product::ProductRef::parse_dataset_id(id).filter(|_| about.role == Role::Provider)?;
            format!("{base}/products/{}?version={}", shape::segment(product.id.as_str()), product.version)
        }
        _ => return None,
    };
    Some(Subject { title: title.to_owned(), href })
}
