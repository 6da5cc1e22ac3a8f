//! `GET /p/{slug}/transfers`, `GET …/{id}`, `POST …/{id}/{start|suspend|resume|complete|terminate}`.

use super::{
    answer::{self, Answer},
    flash::Notice,
    guard::{Form, Room},
    products::After,
    shape, words,
};
use crate::app::{App, views::ProcessesAsked};
use axum::extract::{Path, Query, State};
use fondaco_console::{
    Text,
    pages::{TransferActions, TransferPage, TransfersPage},
    states::TransferState,
};
use fondaco_core::{
    decision::Action,
    ids::TransferId,
    negotiation::Role,
    transfer::{State as S, Transfer},
};

/// All transfers.
pub async fn list(State(app): State<App>, room: Room, Query(asked): Query<After>) -> Answer {
    let slug = &room.participant.slug;
    let listed = app.list_transfers(slug, ProcessesAsked { after: asked.after, ..ProcessesAsked::default() }).await?;
    let names = app.names(slug, listed.items.iter().map(|t| (t.role, Some(&t.peer.did), t.dataset.as_str()))).await?;
    let transfers = listed.items.iter().map(|t| shape::transfer_row(&room, &names, t)).collect();
    answer::html(&TransfersPage { layout: room.layout, transfers, after: listed.next })
}

/// One transfer.
pub async fn show(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let followed = app.transfer_followed(&room.participant.slug, &TransferId::from_stored(id)).await?;
    let t = &followed.process;
    let names = app.names(&room.participant.slug, [(t.role, Some(&t.peer.did), t.dataset.as_str())]).await?;
    let (events, note) = shape::timeline(&room, &names, &followed.events, |_| None);
    let (provider_pid, consumer_pid) = shape::pids(t.role, t.id.as_str(), t.peer.pid.as_ref());
    answer::html(&TransferPage {
        id: t.id.to_string(),
        product: shape::product_of_deal(&room, &names, t.role, &t.peer.did, &t.dataset),
        peer: shape::party(&room, &names, &t.peer.did),
        role: shape::role(t.role),
        state: shape::transfer_state(&t.state),
        visited: shape::visited(&followed.events, TransferState::from_code),
        format: t.format.clone(),
        agreement_id: t.agreement_id.clone(),
        events,
        actions: actions(t),
        rule_at: followed.decides_at.map(words::when),
        ending: match &t.state {
            S::Terminated { by, ending } => Some(shape::ending(&room, &names, *by == t.role, &t.peer.did, ending)),
            _ => None,
        },
        provider_pid,
        consumer_pid,
        delivery_problem: shape::undelivered(followed.exchange.as_ref(), followed.delivery_problem.as_deref())
            .or(note.filter(|_| !t.state.is_final()).map(|said| Text::detail(&said))),
        layout: room.layout.clone(),
    })
}

/// What the user may do now.
fn actions(t: &Transfer) -> TransferActions {
    TransferActions {
        start: t.role == Role::Provider && matches!(t.state, S::Requested),
        suspend: t.state.is_open(),
        // Only who suspended it can resume it.
        resume: matches!(&t.state, S::Suspended { by, .. } if *by == t.role),
        complete: t.state.is_open(),
        terminate: !t.state.is_final(),
    }
}

/// Opens access, as the provider.
pub async fn start(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    act(&app, &room, id, Action::Start, None, Notice::TransferStarted).await
}

/// Pauses access.
pub async fn suspend(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, form: Form) -> Answer {
    act(&app, &room, id, Action::Suspend, form.get("reason"), Notice::TransferSuspended).await
}

/// Opens access again.
pub async fn resume(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    act(&app, &room, id, Action::Start, None, Notice::TransferResumed).await
}

/// Ends it as planned.
pub async fn complete(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    act(&app, &room, id, Action::Complete, None, Notice::TransferCompleted).await
}

/// Ends it early.
pub async fn terminate(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, form: Form) -> Answer {
    act(&app, &room, id, Action::Terminate, form.get("reason"), Notice::TransferTerminated).await
}

async fn act(app: &App, room: &Room, id: String, action: Action, reason: Option<&str>, notice: Notice) -> Answer {
    let id = TransferId::from_stored(id);
    let after = app.by(room.decider()).transfer_act(&room.participant.slug, &id, action, reason.map(str::to_owned)).await?;
    answer::see_other(app, &format!("{}/transfers/{}", room.base(), after.id), Some(notice))
}
