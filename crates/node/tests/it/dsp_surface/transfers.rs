//! Every message of the transfer process protocol in every state, for both roles.

use super::{assert_error, assert_logged_once};
use fondaco_core::{
    decision::Rules,
    ids::TransferId,
    negotiation::{Ending, Peer, Role},
    transfer::{State, Transfer},
};
use fondaco_testkit::{TestNode, TestPair, wire};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Nobody listens there. What the subject does of its own accord afterwards (it answers who resumes) stays on its way, and
/// no answer to it changes what is looked at.
const AWAY: &str = "http://127.0.0.1:9/p/consumer/dsp/2025-1";
const PATHS: [&str; 4] = ["start", "suspension", "completion", "termination"];
/// `SUSPENDED` by the consumer, by the provider, and by both.
const STATES: [&str; 7] =
    ["REQUESTED", "STARTED", "SUSPENDED by consumer", "SUSPENDED by provider", "SUSPENDED by both", "COMPLETED", "TERMINATED"];

pub(super) async fn planted(subject: &TestNode, peer: &TestNode, agreement: &str, role: Role, state: &str) -> Transfer {
    let now = subject.app.now();
    let why = || Ending::because("For now.");
    let t = Transfer {
        id: TransferId::generate(now, &*subject.app.entropy),
        participant: subject.slug.clone(),
        own_did: subject.did.clone(),
        role,
        peer: Peer { did: peer.did.clone(), pid: Some(wire::urn()), address: AWAY.into() },
        agreement_id: agreement.into(),
        dataset: "wind".into(),
        format: "DeltaSharing-PULL".into(),
        state: match state {
            "REQUESTED" => State::Requested,
            "STARTED" => State::Started { since: now, answers_due: 0 },
            "SUSPENDED by consumer" => State::suspended(Role::Consumer, why()),
            "SUSPENDED by provider" => State::suspended(Role::Provider, why()),
            "SUSPENDED by both" => State::Suspended { by: Role::Provider, ending: why(), consumer: Some(why()), answers_due: 0 },
            "COMPLETED" => State::Completed { by: role },
            "TERMINATED" => State::Terminated { by: role, ending: Ending::because("Enough.") },
            other => panic!("no state {other}"),
        },
        sealed_address: None,
        rules: Rules::default(),
        reached: BTreeMap::new(),
        revision: 3,
        created_at: now,
        updated_at: now,
    };
    let row = t.clone();
    subject.app.store.tx("test.plant", move |tx| -> fondaco_core::Result<()> { Ok(tx.transfer_insert(&row)?) }).await.expect("stored");
    t
}

pub(super) async fn stored(subject: &TestNode, t: &Transfer) -> Transfer {
    let (slug, id) = (t.participant.clone(), t.id.clone());
    let found = subject.app.store.read("test.look", move |tx| -> fondaco_core::Result<_> { Ok(tx.transfer_get(&slug, &id)?) }).await;
    found.expect("readable").expect("there")
}

pub(super) fn message(t: &Transfer, path: &str) -> Value {
    let (own, peer) = (t.id.to_string(), t.peer.pid.clone().expect("known"));
    let (provider, consumer) = if t.role == Role::Provider { (own, peer) } else { (peer, own) };
    let kind = match path {
        "start" => "TransferStartMessage",
        "suspension" => "TransferSuspensionMessage",
        "completion" => "TransferCompletionMessage",
        _ => "TransferTerminationMessage",
    };
    wire::message(kind, json!({"providerPid": provider, "consumerPid": consumer}))
}

/// By the protocol's table, with the deviation that a suspension belongs to the side that made it: the other cannot take it
/// back, and may suspend as well.
fn leads_to(own: Role, state: &str, path: &str) -> Option<&'static str> {
    let sender = own.other();
    match (path, state, sender) {
        ("start", "REQUESTED" | "SUSPENDED by provider", Role::Provider) | ("start", "SUSPENDED by consumer", Role::Consumer) => {
            Some("STARTED")
        }
        ("suspension", "STARTED", _) | ("start", "SUSPENDED by both", _) => Some("SUSPENDED"),
        ("suspension", "SUSPENDED by consumer", Role::Provider) | ("suspension", "SUSPENDED by provider", Role::Consumer) => {
            Some("SUSPENDED")
        }
        ("completion", "STARTED", _) => Some("COMPLETED"),
        ("termination", "COMPLETED" | "TERMINATED", _) => None,
        ("termination", ..) => Some("TERMINATED"),
        _ => None,
    }
}

#[tokio::test]
async fn every_message_in_every_state_for_both_roles() {
    fondaco_testkit::log::watch();
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    let guest = peer.add_participant("guest").await;
    for role in [Role::Provider, Role::Consumer] {
        for state in STATES {
            for path in PATHS {
                let t = planted(subject, peer, &agreement, role, state).await;
                let told = format!("{path} as {} in {state}", role.as_str());
                let at = format!("/transfers/{}/{path}", t.id);
                let message = message(&t, path);
                let foreign = super::send_as(&guest, peer, subject, &at, &message).await;
                assert_error(&foreign, 404, "TransferError", &told);
                assert_eq!(stored(subject, &t).await, t, "{told}");
                let answer = peer.send(subject, &at, &message).await;
                let after = stored(subject, &t).await;
                if let Some(next) = leads_to(role, state, path) {
                    let ack = answer.must(200);
                    assert_eq!((&ack["@type"], &ack["state"]), (&json!("TransferProcess"), &json!(next)), "{told}");
                    assert_eq!((after.state.name(), after.revision), (next, t.revision + 1), "{told}");
                    // Redelivery.
                    assert_eq!(peer.send(subject, &at, &message).await.must(200), ack, "{told}");
                    assert_eq!(stored(subject, &t).await, after, "{told}");
                } else {
                    assert_error(&answer, 400, "TransferError", &told);
                    assert_logged_once(&answer, &told);
                    assert_eq!(after, t, "{told}");
                }
                let seen = peer.ask(subject, &format!("/transfers/{}", t.id)).await.must(200);
                assert_eq!(seen["state"], after.state.name(), "{told}");
            }
        }
    }
    assert_error(&peer.ask(subject, "/transfers/trf_unknown").await, 404, "TransferError", "unknown");
}

fn request(consumer_pid: &str, callback: &str, agreement: &str, format: &str) -> Value {
    wire::message(
        "TransferRequestMessage",
        json!({"consumerPid": consumer_pid, "agreementId": agreement, "format": format, "callbackAddress": callback}),
    )
}

#[tokio::test]
async fn requests_for_access_are_checked() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    let guest = peer.add_participant("guest").await;
    let ask = |agreement: &str, format: &str| request(&wire::urn(), &peer.dsp_url(), agreement, format);
    let path = "/transfers/request";
    let unknown = ask("agr_unknown", "DeltaSharing-PULL");
    assert_error(&peer.send(subject, path, &unknown).await, 404, "TransferError", "an unknown agreement");
    let foreign = ask(&agreement, "DeltaSharing-PULL");
    assert_error(&super::send_as(&guest, peer, subject, path, &foreign).await, 404, "TransferError", "somebody else's agreement");
    assert_error(&peer.send(subject, path, &ask(&agreement, "HttpData-PULL")).await, 400, "TransferError", "another format");
    let mut push = ask(&agreement, "DeltaSharing-PULL");
    push["dataAddress"] = json!({"@type": "DataAddress", "endpointType": "https://example.org/push", "endpoint": "https://example.org/in"});
    assert_error(&peer.send(subject, path, &push).await, 400, "TransferError", "push");
    assert_eq!(subject.get("/transfers").await.must(200)["transfers"], json!([]));

    // The same pid again is the same transfer.
    let good = ask(&agreement, "DeltaSharing-PULL");
    let first = peer.send(subject, path, &good).await.must(201);
    let again = peer.send(subject, path, &good).await.must(201);
    assert_eq!(first["providerPid"], again["providerPid"]);
    assert_eq!(subject.get("/transfers").await.must(200)["transfers"].as_array().map(Vec::len), Some(1));
    let other = ask(&agreement, "DeltaSharing-PULL");
    let copies = futures::future::join_all((0..20).map(|_| peer.send(subject, path, &other))).await;
    let pids: std::collections::HashSet<String> = copies.iter().map(|a| a.must(201)["providerPid"].to_string()).collect();
    assert_eq!(pids.len(), 1, "{pids:?}");

    subject.post(&format!("/agreements/{agreement}/stop"), &json!({"reason": "A leak."})).await.must(200);
    let late = ask(&agreement, "DeltaSharing-PULL");
    let refused = peer.send(subject, path, &late).await;
    assert_error(&refused, 400, "TransferError", "a stopped agreement");
    assert_eq!(refused.json()["code"], "FDC-3010");
}
