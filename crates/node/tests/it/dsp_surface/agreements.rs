//! Every event of an agreement in every state, for both roles, and what is no event.

use super::{assert_error, assert_logged_once};
use fondaco_core::{
    life::{Life, Notice, Over, Stop},
    negotiation::Role,
    policy::Policy,
};
use fondaco_store::AgreementRow;
use fondaco_testkit::{TestNode, TestPair, tables, wire};
use serde_json::{Value, json};

const KINDS: [&str; 6] = ["notice", "ended", "stopped", "resumed", "expired", "renewed"];
const STATES: [&str; 6] = ["active", "ending by consumer", "ending by provider", "stopped", "ended", "expired"];
const DAY_US: i64 = 86_400_000_000;

/// Another agreement of the pair in the state, known to the subject alone.
async fn planted(subject: &TestNode, like: &AgreementRow, state: &str) -> AgreementRow {
    let now = subject.app.now();
    let mut row = like.clone();
    row.agreement.id = wire::urn();
    row.agreement.digest = "0".repeat(64);
    row.agreement.timestamp = now;
    let terms = json!({"permission": [{"action": "use", "constraint": [
        {"leftOperand": "noticePeriod", "operator": "eq", "rightOperand": "P1D"},
        {"leftOperand": "elapsedTime", "operator": "lt", "rightOperand": "P10D"}]}]});
    row.policy = Some(Policy::from_odrl(&terms).expect("terms"));
    let after = |us| now.plus(fondaco_core::time::Micros(us));
    let ending = |by| Life { notice: Some(Notice { by, at: now, ends_at: after(DAY_US + 1), reason: None }), ..Life::default() };
    let over = |by| Life { over: Some(Over { at: now, by, reason: None }), ..Life::default() };
    row.life = match state {
        "active" => Life::default(),
        "ending by consumer" => ending(Role::Consumer),
        "ending by provider" => ending(Role::Provider),
        "stopped" => Life { stop: Some(Stop { at: now, reason: "leak".into() }), ..Life::default() },
        "ended" => over(Some(Role::Provider)),
        _ => over(None),
    };
    let insert = row.clone();
    let stored = subject.app.store.tx("test.plant", move |tx| -> fondaco_core::Result<()> { Ok(tx.agreement_insert(&insert).map(drop)?) });
    stored.await.expect("stored");
    row
}

async fn stored(subject: &TestNode, id: &str) -> AgreementRow {
    let (slug, id) = (subject.slug.clone(), id.to_owned());
    let found = subject.app.store.read("test.look", move |tx| -> fondaco_core::Result<_> { Ok(tx.agreement_get(&slug, &id)?) }).await;
    found.expect("readable").expect("there")
}

fn event(subject: &TestNode, id: &str, kind: &str, sequence: u64, new: &str) -> Value {
    let now = subject.app.now();
    let mut event = json!({"@type": "AgreementEventMessage", "@id": wire::urn(), "agreementId": id, "sequence": sequence, "kind": kind,
        "at": now, "reason": "Because."});
    if kind == "notice" {
        event["endsAt"] = json!(now.plus(fondaco_core::time::Micros(DAY_US)));
    }
    if kind == "renewed" {
        event["renewedBy"] = json!(new);
    }
    event
}

/// As docs/agreements.md has it: the state it leads to, or nothing where it is refused.
fn leads_to(own: Role, state: &str, kind: &str) -> Option<&'static str> {
    let now: &'static str = match state {
        "active" => "active",
        "stopped" => "stopped",
        "ended" => "ended",
        "expired" => "expired",
        _ => "ending",
    };
    let over = matches!(now, "ended" | "expired");
    match (kind, own.other()) {
        ("renewed", Role::Consumer) => Some(now),
        ("renewed", Role::Provider) | ("stopped" | "resumed" | "expired", Role::Consumer) => None,
        _ if over => Some(now),
        ("notice", _) => Some(if now == "stopped" { "stopped" } else { "ending" }),
        ("stopped", _) => Some("stopped"),
        ("resumed", _) => Some(if now == "stopped" { "active" } else { now }),
        // Neither the notice nor the terms are over.
        _ => None,
    }
}

#[tokio::test]
async fn every_event_in_every_state_for_both_roles() {
    fondaco_testkit::log::watch();
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    for own in [Role::Provider, Role::Consumer] {
        let (subject, peer) = match own {
            Role::Provider => (&pair.provider, &pair.consumer),
            Role::Consumer => (&pair.consumer, &pair.provider),
        };
        let guest = peer.add_participant("guest").await;
        let like = stored(subject, &agreement).await;
        for state in STATES {
            for kind in KINDS {
                let row = planted(subject, &like, state).await;
                let new = planted(subject, &like, "active").await.agreement.id;
                let id = row.agreement.id.clone();
                let told = format!("{kind} as {} in {state}", own.as_str());
                let path = format!("/agreements/{id}/events");
                let message = event(subject, &id, kind, 1, &new);
                let foreign = super::send_as(&guest, peer, subject, &path, &message).await;
                assert_error(&foreign, 404, "AgreementEventError", &told);
                assert_eq!(stored(subject, &id).await.life, row.life, "{told}");
                let answer = peer.send(subject, &path, &message).await;
                let after = stored(subject, &id).await;
                if let Some(next) = leads_to(own, state, kind) {
                    let ack = answer.must(200);
                    assert_eq!((&ack["state"], after.life.phase().as_str()), (&json!(next), next), "{told}");
                    // Told again, and anything that was told before it: nothing.
                    assert_eq!(peer.send(subject, &path, &message).await.must(200), ack, "{told}");
                    assert_eq!(stored(subject, &id).await, after, "{told}");
                } else {
                    assert_error(&answer, 400, "AgreementEventError", &told);
                    assert_logged_once(&answer, &told);
                    assert_eq!(after.life, row.life, "{told}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_event_is_refused_and_changes_nothing() {
    let pair = TestPair::start().await;
    let at_once = json!({"@type": "Offer", "permission": [{"action": "use", "constraint": [
        {"leftOperand": "noticePeriod", "operator": "eq", "rightOperand": "P0D"}]}]});
    pair.provider.publish("wind", tables::WIND, &[at_once]).await;
    let agreement = pair.agree("wind").await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    let path = format!("/agreements/{agreement}/events");
    let good = || event(subject, &agreement, "ended", 1, "");
    for (member, value) in [
        ("@type", json!("TransferTerminationMessage")),
        ("agreementId", json!("agr_other")),
        ("sequence", json!(0)),
        ("sequence", json!(1.5)),
        ("kind", json!("forgotten")),
        ("at", json!("yesterday")),
        ("at", json!("2020-01-01T00:00:00Z")),
        ("at", json!("2999-01-01T00:00:00Z")),
        ("noticeAt", json!([])),
        ("reason", json!("x".repeat(2_001))),
    ] {
        let mut bad = good();
        bad[member] = value;
        let answer = peer.send(subject, &path, &bad).await;
        assert_error(&answer, 400, "AgreementEventError", &format!("{member}: {}", bad[member]));
    }
    let renewed = |new: &str| event(subject, &agreement, "renewed", 1, new);
    for new in ["agr_unknown", agreement.as_str()] {
        assert_error(&peer.send(subject, &path, &renewed(new)).await, 400, "AgreementEventError", new);
    }
    let unknown = "/agreements/agr_unknown/events";
    assert_error(&peer.send(subject, unknown, &event(subject, "agr_unknown", "ended", 1, "")).await, 404, "AgreementEventError", "unknown");
    let unsigned = subject.dsp(reqwest::Method::POST, &path, None, Some("application/json"), good().to_string()).await;
    assert_error(&unsigned, 401, "AgreementEventError", "without a token");
    // A token is good for one message, here as anywhere.
    let authorization = peer.authorization(&subject.did).await;
    for status in [400, 401] {
        let bad = renewed("agr_unknown").to_string();
        let answer = subject.dsp(reqwest::Method::POST, &path, Some(&authorization), Some("application/json"), bad).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    assert_eq!(stored(subject, &agreement).await.life, Life::default());
    peer.send(subject, &path, &good()).await.must(200);
    assert_eq!(stored(subject, &agreement).await.life.phase().as_str(), "ended");
}
