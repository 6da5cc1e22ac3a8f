//! `GET /p/{slug}/agreements`, `GET …/{id}`, `POST …/{id}/transfers`, `…/end`, `…/stop`, `…/resume`, `…/renew`, `…/paid`,
//! `GET …/{id}/profile`, `…/files`, `…/document`.

use super::{
    answer::{self, Answer},
    compare,
    flash::Notice,
    guard::{Form, Room},
    sentences, shape, words,
};
use crate::app::{
    App,
    access::facts_of,
    agreement_signatures,
    agreements::AgreementView,
    payments::price,
    views::{Names, ProcessesAsked},
};
use axum::{
    extract::{Path, Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect},
};
use fondaco_console::{
    format::{Bytes, Count},
    pages::{Access, AgreementPage, AgreementRow, AgreementsPage, PaymentState, PaymentView, Uses},
    states::AgreementState,
};
use fondaco_core::{
    Code, Error, Result, canonical,
    life::Phase,
    negotiation::Role,
    participant::Did,
    policy::{Constraint, Permit, Verdict},
    product::ProductRef,
    time::{Micros, Timestamp},
    transfer::{State as S, Transfer},
};
use fondaco_store::{self as store, Usage};
use serde::Deserialize;
use std::time::Duration;

/// How long a page waits for the provider's share to name its table.
const TABLE_WAIT: Duration = Duration::from_secs(2);
/// Longest name of a profile file, without its ending.
const FILE_NAME_MAX_CHARS: usize = 80;

/// What of the list is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    after: Option<String>,
    state: Option<String>,
}

/// All agreements, or those that stand somewhere.
pub async fn list(State(app): State<App>, room: Room, Query(asked): Query<Asked>) -> Answer {
    let slug = &room.participant.slug;
    let phase = asked.state.as_deref().and_then(Phase::from_name);
    let asked = ProcessesAsked { state: phase.map(|p| p.as_str().to_owned()), peer: None, after: asked.after, limit: None };
    let listed = app.list_agreements(slug, asked).await?;
    let names = app.names(slug, listed.items.iter().map(|(a, _)| (a.role, Some(peer(a)), a.dataset.as_str()))).await?;
    let now = app.now();
    let agreements = listed.items.iter().map(|(a, used)| row(&room, &names, a, *used, now)).collect();
    let states = Phase::ALL.into_iter().map(|p| (phase_state(p), phase == Some(p))).collect();
    answer::html(&AgreementsPage { layout: room.layout, states, agreements, after: listed.next })
}

/// A line of a list.
pub fn row(room: &Room, names: &Names, a: &store::AgreementRow, used: Usage, now: Timestamp) -> AgreementRow {
    AgreementRow {
        id: a.agreement.id.clone(),
        product: names.title(a.role, Some(peer(a)), &a.dataset).to_owned(),
        peer: shape::party(room, names, peer(a)),
        role: shape::role(a.role),
        state: state(a, used, now),
        signed: words::when(a.agreement.timestamp),
    }
}

/// One agreement.
pub async fn show(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    answer::html(&page(&app, &room, &id).await?)
}

async fn page(app: &App, room: &Room, id: &str) -> Result<AgreementPage> {
    let slug = &room.participant.slug;
    let view = app.agreement(slug, id).await?;
    let AgreementView { row: a, used, transfers, events, signatures, product_stop, is_table } = &view;
    let names = app.names(slug, [(a.role, Some(peer(a)), a.dataset.as_str())]).await?;
    let (life, terms, provider) = (&a.life, a.terms(), a.role == Role::Provider);
    let over = life.phase().is_over();
    let stop = life.stopped().or(product_stop.as_ref()).filter(|_| !over);
    let state = if stop.is_some() { AgreementState::Stopped } else { state(a, *used, app.now()) };
    let (events, _) = shape::timeline(room, &names, events, |_| None);
    let permit = permit(a);
    let uses = Uses {
        used: Count(used.reads),
        limit: permit.reads_max.map(Count),
        requests: Count(used.requests),
        rows: Count(used.rows),
        volume: Bytes(used.volume),
        volume_limit: permit.volume_max.map(Bytes),
    };
    Ok(AgreementPage {
        id: a.agreement.id.clone(),
        product: shape::product_of_deal(room, &names, a.role, peer(a), &a.dataset),
        provider: shape::party(room, &names, &a.agreement.assigner),
        consumer: shape::party(room, &names, &a.agreement.assignee),
        role: shape::role(a.role),
        state,
        signed: words::when(a.agreement.timestamp),
        ended: a.ended_at.map(|at| (words::when(at), a.end_reason.clone())),
        digest: a.agreement.digest.clone(),
        terms: shape::terms(&a.agreement.document),
        document_json: shape::pretty(&a.agreement.document),
        negotiation_id: Some(a.negotiation_id.to_string()),
        payment: payment(a),
        access: if room.audits { Access::None } else { access(app, room, &view, state).await },
        // Reads are counted where they happen, at the provider.
        uses: provider.then_some(uses),
        transfers: transfers.iter().map(|t| shape::transfer_row(room, &names, t)).collect(),
        ends: life.ends(&terms).filter(|_| !over).map(words::when),
        notice: life.notice.as_ref().filter(|_| !over).map(|n| {
            let whose = if n.by == Role::Provider { &a.agreement.assigner } else { &a.agreement.assignee };
            (shape::party(room, &names, whose), n.reason.clone())
        }),
        stopped: stop.map(|s| (words::when(s.at), s.reason.clone())),
        notice_period: terms.notice.clone().map(|period| sentences::sentence(&Constraint::NoticePeriod { period })),
        renewal_of: life.renewal_of.clone(),
        renewed_by: life.renewed_by.clone(),
        renews: life.renew_at.map(words::when),
        changes: None,
        signatures: signatures
            .iter()
            .map(|s| (shape::party(room, &names, &s.signer), agreement_signatures::is_valid(s, &a.agreement)))
            .collect(),
        events,
        has_preview: !room.audits && provider && *is_table,
        can_end: !room.audits && !over && terms.notice.is_some() && life.notice.is_none(),
        can_stop: !room.audits && provider && !over && life.stop.is_none(),
        can_resume: !room.audits && provider && !over && life.stop.is_some(),
        can_renew: !room.audits && !provider && life.renewed_by.is_none(),
        layout: room.layout.clone(),
    })
}

/// Asks the provider for access.
pub async fn request_access(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let view = app.agreement(&room.participant.slug, &id).await?;
    // Two clicks are one wish.
    if !view.transfers.iter().any(|t| !t.state.is_final()) {
        app.by(room.decider()).transfer_begin(&room.participant, &id, None, None).await?;
    }
    answer::see_other(&app, &path(&room, &id), Some(Notice::AccessRequested))
}

/// Records, as the provider, that the price was paid.
pub async fn paid(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, form: Form) -> Answer {
    app.by(room.decider()).agreement_paid(&room.participant.slug, &id, form.required("reference")?).await?;
    answer::see_other(&app, &path(&room, &id), Some(Notice::AgreementPaid))
}

/// Stops it for now, as the provider.
pub async fn stop(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, form: Form) -> Answer {
    app.by(room.decider()).agreement_stop(&room.participant.slug, &id, form.get("reason").map(str::to_owned)).await?;
    answer::see_other(&app, &path(&room, &id), Some(Notice::AgreementStopped))
}

/// Takes a stop back.
pub async fn resume(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    app.by(room.decider()).agreement_resume(&room.participant.slug, &id).await?;
    answer::see_other(&app, &path(&room, &id), Some(Notice::AgreementResumed))
}

/// Renews it, as the consumer. Where the terms have changed, the page shows what differs and asks whether to accept it.
pub async fn renew(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, form: Form) -> Answer {
    let accept = form.get("accept") == Some("yes");
    if !accept {
        let renewal = app.renewal(&room.participant, &id).await?;
        if !renewal.same_terms() {
            let rows = compare::rows(&renewal.row.agreement.document, &renewal.terms.odrl);
            let page = AgreementPage { changes: Some(rows), ..page(&app, &room, &id).await? };
            return answer::html(&page);
        }
    }
    let (_, begun) = app.by(room.decider()).agreement_renew(&room.participant, &id, accept, None).await?;
    answer::see_other(&app, &format!("{}/negotiations/{}", room.base(), begun.id), Some(Notice::NegotiationBegun))
}

/// Gives notice.
pub async fn end(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, form: Form) -> Answer {
    app.by(room.decider()).agreement_end(&room.participant.slug, &id, form.get("reason").map(str::to_owned)).await?;
    answer::see_other(&app, &path(&room, &id), Some(Notice::AgreementEnded))
}

/// The profile file of the transfer that is open. A GET must not begin one: that is what the form is for.
pub async fn profile(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let view = app.agreement(&room.participant.slug, &id).await?;
    if !view.transfers.iter().any(is_readable) {
        return Err(Error::new(Code::NotYet, "Access is not open. Ask for it on the agreement's page first.").into());
    }
    let access = app.access_profile(&room.participant, &id, Micros(0)).await?;
    let body = serde_json::to_string_pretty(&access.profile).map_err(Error::internal_failure)?;
    download(&file_name(&view.row.dataset), body)
}

/// JSON to be saved under a name that is safe.
pub fn download(name: &str, body: String) -> Answer {
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).map_err(Error::internal_failure)?;
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, disposition)], body).into_response())
}

/// The agreement's document in its canonical form: whoever hashes the file finds the digest.
pub async fn document(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let view = app.agreement(&room.participant.slug, &id).await?;
    let body = canonical::to_canonical_json(&view.row.agreement.document)
        .ok_or_else(|| Error::internal_failure("a stored agreement is no canonical JSON"))?;
    let name = safe_name(&view.row.agreement.id);
    download(&format!("agreement-{name}.json"), body)
}

/// Leads to the list of files of the transfer that is open. It stands at the provider; its address is signed, and good
/// for the person's browser. As for the profile, a GET begins no transfer.
pub async fn files(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let view = app.agreement(&room.participant.slug, &id).await?;
    if !view.transfers.iter().any(lists_files) {
        return Err(Error::new(Code::NotYet, "Access to files is not open. Ask for it on the agreement's page first.").into());
    }
    let list = app.files_page(&room.participant, &id).await?;
    Ok(Redirect::to(list.as_str()).into_response())
}

/// What it costs, and whether it is paid as far as this side knows.
fn payment(a: &store::AgreementRow) -> Option<PaymentView> {
    let state = match (&a.payment, a.role) {
        (Some(paid), _) => PaymentState::Paid { when: words::when(paid.at), reference: paid.reference.clone() },
        (None, Role::Provider) => PaymentState::OwedToUs,
        (None, Role::Consumer) => PaymentState::OwedByUs,
    };
    Some(PaymentView { price: sentences::money(price(a)?), state })
}

fn path(room: &Room, id: &str) -> String {
    format!("{}/agreements/{}", room.base(), shape::segment(id))
}

/// The other side.
const fn peer(a: &store::AgreementRow) -> &Did {
    match a.role {
        Role::Provider => &a.agreement.assignee,
        Role::Consumer => &a.agreement.assigner,
    }
}

fn is_readable(t: &Transfer) -> bool {
    t.role == Role::Consumer && t.state.is_open() && t.is_delta_sharing()
}

fn lists_files(t: &Transfer) -> bool {
    t.role == Role::Consumer && t.state.is_open() && t.is_http_pull()
}

const fn phase_state(phase: Phase) -> AgreementState {
    match phase {
        Phase::Active => AgreementState::Active,
        Phase::Ending => AgreementState::Ending,
        Phase::Stopped => AgreementState::Stopped,
        Phase::Ended => AgreementState::Ended,
        Phase::Expired => AgreementState::Expired,
    }
}

/// Where it stands; one that is in force may be used up, and its time may be over although nobody noted it yet.
fn state(a: &store::AgreementRow, used: Usage, now: Timestamp) -> AgreementState {
    let used_up = || {
        a.role == Role::Provider
            && matches!(verdict(a, used), Some(Verdict::Deny(d)) if matches!(d.constraint.as_str(), "count" | "volume"))
    };
    match a.life.phase() {
        Phase::Active | Phase::Ending if a.terms().expires_at.is_some_and(|at| at <= now) => AgreementState::Expired,
        Phase::Active if used_up() => AgreementState::UsedUp,
        phase => phase_state(phase),
    }
}

/// What the terms said when the agreement was made, after some use.
///
/// A consumer keeps no record of what it declared; the provider agreed, so what it asks for held then.
fn verdict(a: &store::AgreementRow, used: Usage) -> Option<Verdict> {
    let policy = a.policy.as_ref()?;
    // Whether it is paid is told apart: what is owed is still in force.
    Some(policy.evaluate(&facts_of(policy, a, a.agreement.timestamp, used).before_agreement().as_facts()))
}

/// The bounds of the terms.
fn permit(a: &store::AgreementRow) -> Permit {
    match verdict(a, Usage::default()) {
        Some(Verdict::Permit(permit)) => permit,
        Some(Verdict::Deny(_)) | None => Permit::default(),
    }
}

async fn access(app: &App, room: &Room, view: &AgreementView, state: AgreementState) -> Access {
    if view.row.role != Role::Consumer || !matches!(state, AgreementState::Active | AgreementState::Ending | AgreementState::Stopped) {
        return Access::None;
    }
    let has = |wanted: fn(&S) -> bool| view.transfers.iter().any(|t| wanted(&t.state));
    if view.transfers.iter().any(is_readable) {
        Access::Ready {
            file_name: file_name(&view.row.dataset),
            table: table(app, room, view).await,
            expires: permit(&view.row).until.map(words::when),
        }
    } else if view.transfers.iter().any(lists_files) {
        Access::Files
    } else if has(|s| matches!(s, S::Requested)) {
        Access::Requested
    } else if has(|s| matches!(s, S::Suspended { .. })) {
        Access::Suspended
    } else {
        Access::Available
    }
}

/// The table's name in the provider's share: as the share lists it; while that cannot be asked, as a Fondaco node would.
async fn table(app: &App, room: &Room, view: &AgreementView) -> String {
    let asked = app.access_profile(&room.participant, &view.row.agreement.id, Micros(0));
    if let Ok(Ok(access)) = tokio::time::timeout(TABLE_WAIT, asked).await
        && let Some(table) = access.tables.into_iter().next()
    {
        return table;
    }
    let share = peer(&view.row).as_str().rsplit(':').next().unwrap_or_default();
    let table = ProductRef::parse_dataset_id(&view.row.dataset).map_or_else(|| view.row.dataset.clone(), |p| p.id.to_string());
    format!("{share}.{}.{table}", crate::share::SCHEMA)
}

/// The profile's file name: of the dataset's id what is safe in one everywhere.
fn file_name(dataset: &str) -> String {
    format!("{}.share", safe_name(dataset))
}

/// Of an id what is safe in the name of a file everywhere.
pub fn safe_name(id: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let name: String = id.chars().take(FILE_NAME_MAX_CHARS).map(safe).collect();
    name.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_safe() {
        assert_eq!(file_name("flights-2013"), "flights-2013.share");
        assert_eq!(file_name("flights:2"), "flights-2.share");
        assert_eq!(file_name("../../etc/passwd\r\n\""), "etc-passwd.share");
        assert!(file_name(&"x".repeat(1_000)).len() < 100);
    }
}
