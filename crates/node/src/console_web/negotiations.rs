//! `GET /p/{slug}/negotiations`, `POST` to begin one, `GET …/{id}`, and `POST …/{id}/{step}` for each step that a
//! negotiation allows ([`NegotiationStep`]).

use super::{
    answer::{self, Answer},
    compare,
    flash::Notice,
    guard::{Form, Room},
    products::After,
    shape, waiting, words,
};
use crate::app::{
    App,
    negotiation_steps::Step,
    negotiations::Begin,
    terms_versions::{Version, versions},
    views::{Followed, Names, ProcessesAsked},
};
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
};
use fondaco_console::{
    Text,
    compared::{Compared, VersionView},
    decision::{Decision, NegotiationStep},
    pages::{NegotiationPage, NegotiationsPage},
    states::NegotiationState,
};
use fondaco_core::{
    Result,
    decision::Action,
    ids::NegotiationId,
    negotiation::{Negotiation, State as S},
    policy::Policy,
    price::Price,
};
use serde::Deserialize;
use serde_json::Value;

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
        price: form.get("price").map(Price::read).transpose()?,
    };
    let begun = app.by(room.decider()).negotiation_begin(&room.participant, begin, None).await?;
    answer::see_other(&app, &format!("{}/negotiations/{}", room.base(), begun.id), Some(Notice::NegotiationBegun))
}

/// The versions of the terms to compare, by their numbers; what is none chooses nothing.
#[derive(Debug, Default, Deserialize)]
pub struct Sides {
    from: Option<String>,
    to: Option<String>,
}

/// One negotiation.
pub async fn show(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, Query(sides): Query<Sides>) -> Answer {
    let followed = app.negotiation_followed(&room.participant.slug, &NegotiationId::from_stored(id)).await?;
    let names = names(&app, &room, &followed.process).await?;
    let decision = decision(&followed.process);
    answer::html(&page(&room, &names, &followed, &sides, decision))
}

async fn names(app: &App, room: &Room, n: &Negotiation) -> Result<Names> {
    app.names(&room.participant.slug, [(n.role, Some(&n.peer.did), n.dataset.as_str())]).await
}

fn page(room: &Room, names: &Names, followed: &Followed<Negotiation>, sides: &Sides, decision: Decision) -> NegotiationPage {
    let n = &followed.process;
    let versions = versions(n, &followed.events);
    // One version alone is the terms beside the timeline.
    let several = versions.len() > 1;
    let version = |event: i64| versions.iter().zip(1..).find(|(v, _)| several && v.events.contains(&event)).map(|(_, n)| n);
    let (events, note) = shape::timeline(room, names, &followed.events, version);
    let (provider_pid, consumer_pid) = shape::pids(n.role, n.id.as_str(), n.peer.pid.as_ref());
    NegotiationPage {
        id: n.id.to_string(),
        product: shape::product_of_deal(room, names, n.role, &n.peer.did, &n.dataset),
        peer: shape::party(room, names, &n.peer.did),
        role: shape::role(n.role),
        state: shape::negotiation_state(&n.state),
        visited: shape::visited(&followed.events, NegotiationState::from_code),
        events,
        terms: shape::terms(terms(n)),
        compared: compared(room, names, n, &versions, sides),
        rule_at: followed.decides_at.map(words::when),
        ending: match &n.state {
            S::Terminated { by, ending } => Some(shape::ending(room, names, *by == n.role, &n.peer.did, ending)),
            _ => None,
        },
        decision,
        agreement_id: n.state.agreement().filter(|_| matches!(n.state, S::Finalized { .. })).map(|a| a.id.clone()),
        provider_pid,
        consumer_pid,
        delivery_problem: shape::undelivered(followed.exchange.as_ref(), followed.delivery_problem.as_deref())
            .or(note.filter(|_| !n.state.is_final()).map(|said| Text::detail(&said))),
        layout: room.layout.clone(),
    }
}

/// The terms on the table; after the end, the agreement's or those it began with.
pub fn terms(n: &Negotiation) -> &Value {
    match (n.state.agreement(), n.state.terms()) {
        (Some(agreement), _) => &agreement.document,
        (None, Some(terms)) => &terms.odrl,
        (None, None) => &n.reference_terms.odrl,
    }
}

/// What a person can do now.
pub fn decision(n: &Negotiation) -> Decision {
    let odrl = terms(n);
    // The terms alone, in one spelling; what cannot be read is shown as it is.
    let (price, odrl) = match Policy::from_odrl(odrl) {
        Ok(policy) => (Some(policy.price.map(|price| price.to_string()).unwrap_or_default()), policy.to_odrl()),
        Err(_) => (None, odrl.clone()),
    };
    Decision {
        negotiation: n.id.to_string(),
        steps: n.steps().iter().copied().filter_map(step_of).collect(),
        revision: n.revision,
        odrl: shape::pretty(&odrl),
        problem: None,
        price,
        price_problem: None,
        prefix: String::new(),
        back: String::new(),
    }
}

const fn step_of(action: Action) -> Option<NegotiationStep> {
    Some(match action {
        Action::Agree => NegotiationStep::Agree,
        Action::Offer => NegotiationStep::Offer,
        Action::Finalize => NegotiationStep::Finalize,
        Action::Accept => NegotiationStep::Accept,
        Action::Counter => NegotiationStep::Counter,
        Action::Verify => NegotiationStep::Verify,
        Action::Terminate => NegotiationStep::Terminate,
        _ => return None,
    })
}

/// Two versions of the terms side by side.
fn compared(room: &Room, names: &Names, n: &Negotiation, versions: &[Version], sides: &Sides) -> Option<Compared> {
    let number = |text: &Option<String>| text.as_deref().and_then(|t| t.parse().ok());
    let (before, after) = compare::chosen(versions, number(&sides.from), number(&sides.to))?;
    let view = |(version, n_th): (&Version, u64)| {
        let whose = if version.origin.by() == n.role { &n.own_did } else { &n.peer.did };
        VersionView {
            n: n_th,
            source: compare::source(version.origin),
            who: shape::party(room, names, whose).name,
            when: words::when(version.at),
        }
    };
    let (old, new) = (&versions.get(before)?.odrl, &versions.get(after)?.odrl);
    Some(Compared {
        versions: versions.iter().zip(1..).map(view).collect(),
        before,
        after,
        rows: compare::rows(old, new),
        before_odrl: shape::pretty(old),
        after_odrl: shape::pretty(new),
    })
}

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident: $action:ident, $notice:ident;)+) => {$(
        $(#[$doc])*
        pub async fn $name(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, form: Form) -> Answer {
            act(&app, &room, id, &form, Action::$action, Notice::$notice).await
        }
    )+};
}

steps! {
    /// As the provider: sends the agreement.
    agree: Agree, NegotiationAgreed;
    /// As the provider: offers other terms.
    offer: Offer, NegotiationOffered;
    /// As the provider: puts the agreement in force.
    finalize: Finalize, NegotiationFinalized;
    /// As the consumer: accepts the provider's offer.
    accept: Accept, OfferAccepted;
    /// As the consumer: asks for other terms.
    counter: Counter, NegotiationCountered;
    /// As the consumer: verifies the agreement.
    verify: Verify, NegotiationVerified;
    /// Ends it without an agreement.
    terminate: Terminate, NegotiationTerminated;
}

async fn act(app: &App, room: &Room, id: String, form: &Form, action: Action, notice: Notice) -> Answer {
    let (slug, id) = (&room.participant.slug, NegotiationId::from_stored(id));
    let mut step = Step { reason: form.get("reason").map(str::to_owned), ..Step::plain(action) };
    step.revision = form.get("revision").and_then(|n| n.parse().ok());
    if matches!(action, Action::Offer | Action::Counter) {
        let followed = app.negotiation_followed(slug, &id).await?;
        let typed = form.required("terms")?;
        let price = form.exact("price").map(str::trim);
        match edited(typed, price, &followed.process) {
            Ok(terms) => step.terms = Some(terms),
            Err(wrong) => {
                let names = names(app, room, &followed.process).await?;
                let on_table = decision(&followed.process);
                let price = price.map(str::to_owned).or_else(|| on_table.price.clone());
                let (problem, price_problem) = match wrong {
                    Wrong::Terms(problem) => (Some(problem), None),
                    Wrong::Price(problem) => (None, Some(problem)),
                };
                let mut decision = Decision { odrl: typed.to_owned(), problem, price, price_problem, ..on_table };
                if let Some(seen) = step.revision {
                    // What was decided about stays what was decided about.
                    decision.revision = seen;
                }
                let page = page(room, &names, &followed, &Sides::default(), decision);
                return answer::with_status(StatusCode::BAD_REQUEST, &page);
            }
        }
    }
    let after = app.by(room.decider()).negotiation_act(slug, &id, step).await?;
    // The policy may say no when it is asked again: then agreeing has ended it.
    let notice = if matches!(after.state, S::Terminated { .. }) { Notice::NegotiationTerminated } else { notice };
    let page = match form.get("back") {
        Some(waiting::BACK) => format!("{}/{}", room.base(), waiting::BACK),
        _ => format!("{}/negotiations/{}", room.base(), after.id),
    };
    answer::see_other(app, &page, Some(notice))
}

/// What is wrong with what was typed, beside the field that it is about.
#[derive(Debug)]
enum Wrong {
    Terms(Text),
    Price(Text),
}

/// The terms that were typed, checked as at publication, at the price that was typed beside them if that was changed; else
/// what is wrong with them.
fn edited(typed: &str, price: Option<&str>, n: &Negotiation) -> Result<Value, Wrong> {
    let terms: Value =
        serde_json::from_str(typed).map_err(|e| Wrong::Terms(Text::say("negotiation-terms-json").with("detail", e.to_string())))?;
    let mut policy = Policy::from_odrl(&terms).map_err(|e| Wrong::Terms(words::problem(&e)))?;
    let shown = shape::price(self::terms(n)).unwrap_or_default();
    let changed = price.filter(|price| *price != shown);
    if let Some(price) = changed {
        let read = |text| Price::read(text).map_err(|e| Wrong::Price(words::problem(&e)));
        policy.price = if price.is_empty() { None } else { Some(read(price)?) };
    }
    if n.state.terms().is_some_and(|now| Policy::same_terms(&now.odrl, &policy.to_odrl())) {
        return Err(Wrong::Terms(Text::say("negotiation-terms-same")));
    }
    Ok(if changed.is_some() { policy.to_odrl() } else { terms })
}
