//! `GET /p/{slug}/evidence`, `…/check`, `…/{id}`, `…/{id}/bundle`, `GET /p/{slug}/agreements/{id}/timeline`, and
//! `GET /p/{slug}/report`.

use super::{
    answer::{self, Answer},
    guard::Room,
    shape, words,
};
use crate::app::{
    App,
    audit::{Finding, Outcome, Side, TimelineLeaf},
    evidence::EvidenceAsked,
    report::ReportAsked,
    views::Names,
};
use axum::{
    extract::{Path, Query, State},
    http::{HeaderValue, header},
    response::IntoResponse,
};
use fondaco_console::{
    Text,
    format::Count,
    pages::{EvidenceCheckPage, EvidenceFault, EvidencePage, EvidencePiecePage, EvidenceRow, TimelinePage, TimelineRow},
    states::LeafState,
    view::Party,
};
use fondaco_core::{
    Error, Result,
    evidence::{Kind, complete::Fault},
    ids::EvidenceId,
    negotiation::Role,
    participant::Did,
};
use fondaco_store as store;
use serde::Deserialize;

/// What of the list is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    after: Option<String>,
    agreement: Option<String>,
}

/// All evidence, or that of an agreement.
pub async fn list(State(app): State<App>, room: Room, Query(asked): Query<Asked>) -> Answer {
    let slug = &room.participant.slug;
    let agreement = asked.agreement.filter(|id| !id.is_empty());
    let wanted = EvidenceAsked { agreement: agreement.clone(), object: None, after: asked.after, limit: None };
    let listed = app.evidence_list(Some(slug), wanted).await?;
    let peers: Vec<Did> = listed.items.iter().filter_map(peer).collect();
    let names = names(&app, &room, &peers).await?;
    let rows = listed.items.iter().map(|row| EvidenceRow {
        id: row.id.to_string(),
        kind: row.kind.as_str(),
        object: row.object.clone(),
        peer: peer(row).map(|did| shape::party(&room, &names, &did)),
        state: state(row),
        at: words::when(row.at),
    });
    let rows = rows.collect();
    answer::html(&EvidencePage { agreement, rows, after: listed.next, layout: room.layout })
}

/// One piece of evidence.
pub async fn show(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let row = app.evidence(Some(&room.participant.slug), &EvidenceId::from_stored(id)).await?;
    let peer = peer(&row);
    let names = names(&app, &room, peer.as_slice()).await?;
    let document = row.document.as_deref().map(|text| serde_json::from_str(text).map_or_else(|_| text.to_owned(), |v| shape::pretty(&v)));
    answer::html(&EvidencePiecePage {
        id: row.id.to_string(),
        kind: row.kind.as_str(),
        object: row.object.clone(),
        object_href: object_page(&row).map(|page| format!("{}/{page}/{}", room.base(), shape::segment(&row.object))),
        peer: peer.map(|did| shape::party(&room, &names, &did)),
        agreement: row.agreement_id.clone(),
        at: words::when(row.at),
        state: state(&row),
        place: row.leaf_index.map(Count),
        origin: app.log_origin(),
        document_json: document,
        layout: room.layout.clone(),
    })
}

/// The bundle of a piece of evidence. Its bytes are the form: no other text of the same JSON is a bundle.
pub async fn bundle(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let row = app.evidence(Some(&room.participant.slug), &EvidenceId::from_stored(id)).await?;
    let text = app.evidence_bundle(Some(&room.participant.slug), &row.id).await?;
    let disposition =
        HeaderValue::from_str(&format!("attachment; filename=\"evidence-{}.json\"", row.id)).map_err(Error::internal_failure)?;
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, disposition)], text).into_response())
}

/// A report about a period, as a file: never shown within the console, because what it says comes from others.
pub async fn report(State(app): State<App>, room: Room, Query(asked): Query<ReportAsked>) -> Answer {
    let report = app.report_asked(&room.participant, &asked, "html").await?;
    let name = format!("attachment; filename=\"report-{}.{}\"", room.participant.slug, report.format);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(report.media_type)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_str(&name).map_err(Error::internal_failure)?),
    ];
    Ok((headers, report.text).into_response())
}

/// Whether anything is missing.
pub async fn check(State(app): State<App>, room: Room) -> Answer {
    let found = app.evidence_check(&room.participant.slug).await?;
    let faults = found.findings.iter().map(|f| {
        let (what, advice) = fault(&f.fault);
        EvidenceFault { agreement: f.agreement.clone(), what, advice }
    });
    answer::html(&EvidenceCheckPage {
        since: found.since.map(words::when),
        agreements: Count(found.agreements),
        older: Count(found.older),
        leaves: Count(found.leaves),
        erased: Count(found.erased),
        waiting: Count(found.waiting),
        faults: faults.collect(),
        more: found.more,
        layout: room.layout,
    })
}

/// The evidence of both sides of an agreement.
pub async fn timeline(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let found = app.timeline(&room.participant, &id).await?;
    let names = names(&app, &room, std::slice::from_ref(&found.peer)).await?;
    let us = Party { name: room.participant.name.clone(), did: room.participant.did.to_string(), ours: true };
    answer::html(&TimelinePage {
        peer: shape::party(&room, &names, &found.peer),
        us,
        same: found.same_agreement,
        faulty: found.is_faulty(),
        findings: found.findings.iter().map(finding).collect(),
        witnesses: found.peer_witnesses(),
        answered: found.leaves.iter().any(|leaf| leaf.side == Side::Theirs),
        peer_key: found.peer_key.map(|(key, at)| (key, words::when(at))),
        rows: found.leaves.iter().map(row).collect(),
        agreement: found.agreement,
        layout: room.layout,
    })
}

fn row(leaf: &TimelineLeaf) -> TimelineRow {
    TimelineRow {
        ours: leaf.side == Side::Ours,
        kind: leaf.kind.as_str(),
        at: words::when(leaf.at),
        state: match leaf.outcome {
            Outcome::Verified => LeafState::Verified,
            Outcome::Closed if leaf.side == Side::Ours => LeafState::Erased,
            Outcome::Closed => LeafState::Closed,
            Outcome::Waiting => LeafState::Waiting,
            Outcome::Refused => LeafState::Refused,
        },
        why: leaf.why.as_deref().map(Text::detail),
        place: leaf.leaf_index.map(Count),
        object: leaf.object.clone(),
        id: leaf.evidence.clone(),
    }
}

async fn names(app: &App, room: &Room, peers: &[Did]) -> Result<Names> {
    app.names(&room.participant.slug, peers.iter().map(|did| (Role::Provider, Some(did), ""))).await
}

fn peer(row: &store::EvidenceRow) -> Option<Did> {
    row.peer.as_deref().and_then(|did| Did::parse(did).ok())
}

fn state(row: &store::EvidenceRow) -> LeafState {
    match (row.leaf_index, &row.document) {
        (None, _) => LeafState::Waiting,
        (Some(_), None) => LeafState::Erased,
        (Some(_), Some(_)) => LeafState::Logged,
    }
}

/// The section of the console in which the object of a piece of evidence has a page.
const fn object_page(row: &store::EvidenceRow) -> Option<&'static str> {
    match row.kind {
        Kind::Agreement | Kind::AgreementEnded | Kind::Decision | Kind::Usage | Kind::Refusal => Some("agreements"),
        Kind::TransferStarted | Kind::TransferSuspended | Kind::TransferEnded => Some("transfers"),
        Kind::ProductPublished | Kind::ProductWithdrawn | Kind::OfferMade | Kind::KeyChange | Kind::Administration => None,
    }
}

/// What is wrong with the evidence of both sides, in the reader's language.
fn finding(finding: &Finding) -> Text {
    match finding {
        Finding::NoAnswer { why } => Text::say("evidence-finding-no-answer").with("why", Text::detail(why)),
        Finding::NoLog => Text::say("evidence-finding-no-log"),
        Finding::KeyChanged { kept, announced } => {
            Text::say("evidence-finding-key-changed").with("kept", kept.as_str()).with("announced", announced.as_str())
        }
        Finding::DoesNotHold { why } => Text::say("evidence-finding-does-not-hold").with("why", Text::detail(why)),
        Finding::Forked { size } => Text::say("evidence-finding-forked").with("size", *size),
        Finding::Rewritten { index } => Text::say("evidence-finding-rewritten").with("index", *index),
        Finding::KeyUnknown { announced } => Text::say("evidence-finding-key-unknown").with("announced", announced.as_str()),
        Finding::TooMany => Text::say("evidence-finding-too-many"),
        Finding::OursMissing => Text::say("evidence-finding-ours-missing"),
        Finding::TheirsMissing => Text::say("evidence-finding-theirs-missing"),
        Finding::Different => Text::say("evidence-finding-different"),
        Finding::OursDoesNotHold { why } => Text::say("evidence-finding-ours-does-not-hold").with("why", Text::detail(why)),
    }
}

/// What is missing, and what to do about it, in the reader's language.
fn fault(fault: &Fault) -> (Text, Text) {
    let missing = || Text::say("evidence-advice-missing");
    match fault {
        Fault::NoLeaf => (Text::say("evidence-fault-no-leaf"), missing()),
        Fault::NoEnd => (Text::say("evidence-fault-no-end"), missing()),
        Fault::NoTransferLeaf { transfer, kind } => {
            let kind = Text::of("evidence-kind", kind.as_str());
            (Text::say("evidence-fault-no-transfer-leaf").with("transfer", transfer.as_str()).with("kind", kind), missing())
        }
        Fault::OtherDocument => (Text::say("evidence-fault-other-document"), Text::say("evidence-advice-other-document")),
        Fault::Differs { evidence, why } => {
            let what = Text::say("evidence-fault-differs").with("evidence", evidence.as_str()).with("why", Text::detail(why));
            (what, Text::say("evidence-advice-differs"))
        }
        Fault::Erased { evidence } => {
            (Text::say("evidence-fault-erased").with("evidence", evidence.as_str()), Text::say("evidence-advice-erased"))
        }
        Fault::UsedUnrecorded => (Text::say("evidence-fault-used-unrecorded"), Text::say("evidence-advice-used")),
        Fault::UsedLess => (Text::say("evidence-fault-used-less"), Text::say("evidence-advice-used")),
        Fault::UsedSince => (Text::say("evidence-fault-used-since"), Text::say("evidence-advice-used")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_console::Locale;

    #[test]
    fn every_kind_has_words_in_both_languages() {
        for kind in Kind::ALL {
            let words = Text::of("evidence-kind", kind.as_str());
            assert!(words.exists(), "{}", kind.as_str());
            assert_ne!(words.to_string(), words.in_locale(Locale::Zh), "{}", kind.as_str());
        }
    }
}
