//! `GET /p/{slug}/negotiations`, `POST` to begin one, `GET …/{id}`, `POST …/{id}/{agree|accept|terminate}`.

use super::{
    answer::{self, Answer},
    flash::Notice,
    guard::{Form, Room},
    products::After,
    shape,
};
use crate::app::{App, negotiations::Begin, views::ProcessesAsked};
use axum::extract::{Path, Query, State};
use fondaco_console::{
    Text,
    pages::{NegotiationActions, NegotiationPage, NegotiationsPage},
    states::NegotiationState,
};
use fondaco_core::{
    decision::Action,
    ids::NegotiationId,
    negotiation::{Negotiation, Role, State as S},
};

/// All negotiations.
pub async fn list(State(app): State<App>, room: Room, Query(asked): Query<After>) -> Answer {
    let slug = &room.participant.slug;
    let listed = app.list_negotiations(slug, ProcessesAsked { after: asked.after, ..ProcessesAsked::default() }).await?;
    let names = app.names(slug, listed.items.iter().map(|n| (n.role, Some(&n.peer.did), n.dataset.as_str()))).await?;
    let negotiations = listed.items.iter().map(|n| shape::negotiation_row(&room, &names, n)).collect();
    answer::html(&NegotiationsPage { layout: room.layout, negotiations, after: listed.next })
}

/// Asks a peer for an offer.
pub async fn begin(State(app): State<App>, room: Room, form: Form) -> Answer {
    let begin = Begin {
        peer: form.required("peer")?.to_owned(),
        product: form.required("product")?.to_owned(),
        offer: Some(form.required("offer")?.to_owned()),
        purpose: Vec::new(),
    };
    let begun = app.negotiation_begin(&room.participant, begin, None).await?;
    answer::see_other(&app, &format!("{}/negotiations/{}", room.base(), begun.id), Some(Notice::NegotiationBegun))
}

/// One negotiation.
pub async fn show(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let followed = app.negotiation_followed(&room.participant.slug, &NegotiationId::from_stored(id)).await?;
    let n = &followed.process;
    let names = app.names(&room.participant.slug, [(n.role, Some(&n.peer.did), n.dataset.as_str())]).await?;
    let (events, note) = shape::timeline(&room, &names, &followed.events);
    let (provider_pid, consumer_pid) = shape::pids(n.role, n.id.as_str(), n.peer.pid.as_ref());
    let odrl = match (&n.state.agreement(), n.state.terms()) {
        (Some(agreement), _) => &agreement.document,
        (None, Some(terms)) => &terms.odrl,
        (None, None) => &n.reference_terms.odrl,
    };
    answer::html(&NegotiationPage {
        id: n.id.to_string(),
        product: shape::product_of_deal(&room, &names, n.role, &n.peer.did, &n.dataset),
        peer: shape::party(&room, &names, &n.peer.did),
        role: shape::role(n.role),
        state: shape::negotiation_state(&n.state),
        visited: shape::visited(&followed.events, NegotiationState::from_code),
        events,
        terms: shape::terms(odrl),
        actions: actions(n),
        agreement_id: n.state.agreement().filter(|_| matches!(n.state, S::Finalized { .. })).map(|a| a.id.clone()),
        provider_pid,
        consumer_pid,
        delivery_problem: followed.delivery_problem.or(note.filter(|_| !n.state.is_final())).map(Text::plain),
        layout: room.layout.clone(),
    })
}

/// What the user may do now.
fn actions(n: &Negotiation) -> NegotiationActions {
    NegotiationActions {
        agree: n.role == Role::Provider && matches!(n.state, S::Requested { .. } | S::Accepted { .. }),
        accept: n.role == Role::Consumer && matches!(n.state, S::Offered { .. }),
        terminate: !n.state.is_final(),
    }
}

/// As the provider: sends the agreement.
pub async fn agree(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    act(&app, &room, id, Action::Agree, None, Notice::NegotiationAgreed).await
}

/// As the consumer: accepts the provider's offer.
pub async fn accept(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    act(&app, &room, id, Action::Accept, None, Notice::OfferAccepted).await
}

/// Ends it without an agreement.
pub async fn terminate(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, form: Form) -> Answer {
    act(&app, &room, id, Action::Terminate, form.get("reason"), Notice::NegotiationTerminated).await
}

async fn act(app: &App, room: &Room, id: String, action: Action, reason: Option<&str>, notice: Notice) -> Answer {
    let id = NegotiationId::from_stored(id);
    let after = app.negotiation_act(&room.participant.slug, &id, action, reason.map(str::to_owned)).await?;
    // The policy may say no when it is asked again: then agreeing has ended it.
    let notice = if matches!(after.state, S::Terminated { .. }) { Notice::NegotiationTerminated } else { notice };
    answer::see_other(app, &format!("{}/negotiations/{}", room.base(), after.id), Some(notice))
}
