//! `/api/v1/participants/{slug}/…`: whether evidence is complete, the evidence of both sides of an agreement, and the keys of
//! peers' logs.

use super::{Body, Segments, auth::Acting};
use crate::{
    app::{
        App,
        audit::{EvidenceCheck, Finding, Timeline, TimelineLeaf},
    },
    http::problem::{ApiResult, Problem},
};
use axum::{Json, extract::State};
use fondaco_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A leaf of one side.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineLeafBody {
    /// Whose log it is in: `ours` or `theirs`.
    side: String,
    /// What happened, such as `agreement` or `transfer-started`.
    kind: String,
    /// When, by the clock of that side.
    at: String,
    /// `verified`: in the log, and about this agreement. `closed`: in the log; what it is about stays with its owner or was
    /// erased. `waiting`: not in the log yet. `refused`: it does not hold.
    outcome: String,
    /// Why it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// Its place in that log.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf_index: Option<u64>,
    /// Leaves of the tree in which it was proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    /// SHA-256 of its document.
    #[serde(skip_serializing_if = "String::is_empty")]
    document_sha256: String,
    /// Ours: the id of the piece of evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<String>,
    /// Theirs: the witnesses, of those that this node knows, that have cosigned the tree in which it was proved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    witnesses: Vec<String>,
}

impl From<&TimelineLeaf> for TimelineLeafBody {
    fn from(leaf: &TimelineLeaf) -> Self {
        Self {
            side: leaf.side.as_str().into(),
            kind: leaf.kind.as_str().into(),
            at: leaf.at.to_rfc3339(),
            outcome: leaf.outcome.as_str().into(),
            why: leaf.why.clone(),
            leaf_index: leaf.leaf_index,
            size: leaf.size,
            object: leaf.object.clone(),
            document_sha256: leaf.document.clone(),
            evidence: leaf.evidence.clone(),
            witnesses: leaf.witnesses.clone(),
        }
    }
}

/// Something that is wrong.
#[derive(Serialize, ToSchema)]
pub struct FindingBody {
    /// A fixed name, such as `no-answer` or `different`.
    name: String,
    /// In plain words.
    text: String,
}

impl From<&Finding> for FindingBody {
    fn from(finding: &Finding) -> Self {
        Self { name: finding.name().into(), text: finding.words() }
    }
}

/// Both sides of an agreement.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineBody {
    agreement_id: String,
    /// The other party.
    peer: String,
    /// The witnesses, of those that this node knows, that have seen the other side's log. Where there are none, that everybody
    /// is shown the same log rests on its word.
    peer_witnesses: Vec<String>,
    /// Whether both logs hold the same agreement; missing where one of them shows none.
    #[serde(skip_serializing_if = "Option::is_none")]
    same_agreement: Option<bool>,
    /// The key that the other side's log was checked by.
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_key: Option<String>,
    /// Since when it is relied on.
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_key_since: Option<String>,
    /// The leaves of both sides, by time.
    leaves: Vec<TimelineLeafBody>,
    /// What is wrong; empty when everything holds.
    findings: Vec<FindingBody>,
    /// Whether anything speaks against the evidence.
    faulty: bool,
}

impl From<&Timeline> for TimelineBody {
    fn from(timeline: &Timeline) -> Self {
        Self {
            agreement_id: timeline.agreement.clone(),
            peer: timeline.peer.to_string(),
            peer_witnesses: timeline.peer_witnesses(),
            same_agreement: timeline.same_agreement,
            peer_key: timeline.peer_key.as_ref().map(|(key, _)| key.clone()),
            peer_key_since: timeline.peer_key.as_ref().map(|(_, at)| at.to_rfc3339()),
            leaves: timeline.leaves.iter().map(Into::into).collect(),
            findings: timeline.findings.iter().map(Into::into).collect(),
            faulty: timeline.is_faulty(),
        }
    }
}

/// Show the evidence of both sides of an agreement, in time. The other side is asked now.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/agreements/{id}/timeline", tag = "evidence",
    params(("slug" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = TimelineBody), (status = 404, body = Problem)))]
pub async fn timeline(State(app): State<App>, acting: Acting, path: Segments) -> ApiResult<Json<TimelineBody>> {
    Ok(Json((&app.timeline(&acting.participant, path.get("id")).await?).into()))
}

/// Something that is wrong with the evidence of an agreement.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckFindingBody {
    agreement_id: String,
    /// A fixed name, such as `no-leaf`.
    name: String,
    /// In plain words.
    text: String,
    /// What to do about it.
    advice: String,
}

/// Whether the evidence of a participant is complete.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceCheckBody {
    /// When the log began.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// Agreements.
    agreements: u64,
    /// Those of them that are older than the log: nothing of them was logged.
    older: u64,
    /// Leaves that belong to the others.
    leaves: u64,
    /// Those of them whose documents were erased.
    erased: u64,
    /// Those of them that wait to be taken into the log.
    waiting: u64,
    /// What is wrong; empty when nothing is.
    findings: Vec<CheckFindingBody>,
    /// Whether more is wrong than is told.
    more: bool,
}

impl From<EvidenceCheck> for EvidenceCheckBody {
    fn from(check: EvidenceCheck) -> Self {
        let EvidenceCheck { since, agreements, older, leaves, erased, waiting, findings, more } = check;
        let finding = |f: crate::app::audit::CheckFinding| CheckFindingBody {
            agreement_id: f.agreement,
            name: f.fault.name().into(),
            text: f.fault.words(),
            advice: f.fault.advice().into(),
        };
        let findings = findings.into_iter().map(finding).collect();
        Self { since: since.map(Timestamp::to_rfc3339), agreements, older, leaves, erased, waiting, findings, more }
    }
}

/// Check that the evidence of a participant is complete.
#[utoipa::path(get, path = "/api/v1/participants/{slug}/evidence/check", tag = "evidence", params(("slug" = String, Path)),
    responses((status = 200, body = EvidenceCheckBody)))]
pub async fn check(State(app): State<App>, acting: Acting) -> ApiResult<Json<EvidenceCheckBody>> {
    Ok(Json(app.evidence_check(&acting.participant.slug).await?.into()))
}

/// The key of a peer's log.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PeerLogBody {
    /// The peer, by its DID.
    peer: String,
    /// The key, as verifiers take it.
    key: String,
    /// Since when it is relied on; left out when it is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<String>,
}

/// Rely on another key of a peer's log than the one that was seen first.
#[utoipa::path(put, path = "/api/v1/participants/{slug}/evidence/peer-log", tag = "evidence", params(("slug" = String, Path)),
    request_body = PeerLogBody, responses((status = 200, body = PeerLogBody), (status = 400, body = Problem)))]
pub async fn trust(State(app): State<App>, acting: Acting, Body(new): Body<PeerLogBody>) -> ApiResult<Json<PeerLogBody>> {
    let app = app.by(acting.caller.decider());
    let kept = app.peer_key_take(&acting.participant.slug, &new.peer, &new.key).await?;
    Ok(Json(PeerLogBody { peer: new.peer, key: kept.vkey, since: Some(kept.at.to_rfc3339()) }))
}
