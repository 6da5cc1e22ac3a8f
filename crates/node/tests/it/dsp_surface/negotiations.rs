//! Every message of the contract negotiation protocol in every state, for both roles.

use super::{NEGOTIATION_PATHS, assert_error, assert_logged_once, send_as};
use fondaco_core::{
    agreement::Agreement,
    decision::{Action, Decision, Rules, Trigger},
    ids::NegotiationId,
    negotiation::{Ending, Negotiation, Peer, Role, State, Terms},
    participant::Declarations,
};
use fondaco_testkit::{TestNode, TestPair, wire};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const STATES: [&str; 7] = ["REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED", "TERMINATED"];

fn terms() -> Terms {
    Terms { offer_id: "urn:offer".into(), odrl: json!({"permission": [{"action": "use"}]}) }
}

/// Nothing happens by itself: what is seen is the message's doing.
fn hold() -> Rules {
    use Trigger as T;
    let all = [T::Requested, T::CounterRequested, T::Offered, T::Accepted, T::Agreed, T::Verified];
    Rules(all.into_iter().map(|t| (t, vec![Decision::now(Action::Hold)])).collect())
}

fn agreement(n: &Negotiation) -> Agreement {
    let (provider, consumer) = if n.role == Role::Provider { (&n.own_did, &n.peer.did) } else { (&n.peer.did, &n.own_did) };
    Agreement::make(&format!("urn:agreement:{}", n.id), &n.dataset, provider, consumer, n.created_at, &terms().odrl).expect("an agreement")
}

/// Puts a negotiation in some state into the subject's database.
pub(super) async fn planted(subject: &TestNode, peer: &TestNode, role: Role, state: &str) -> Negotiation {
    let now = subject.app.now();
    let mut n = Negotiation {
        id: NegotiationId::generate(now, &*subject.app.entropy),
        participant: subject.slug.clone(),
        own_did: subject.did.clone(),
        role,
        peer: Peer { did: peer.did.clone(), pid: Some(wire::urn()), address: peer.dsp_url() },
        dataset: "wind".into(),
        formats: Vec::new(),
        state: State::Requested { terms: terms() },
        reference_terms: terms(),
        declared: Declarations::default(),
        rules: hold(),
        reached: BTreeMap::new(),
        rounds: 1,
        revision: 3,
        created_at: now,
        updated_at: now,
    };
    n.state = match state {
        "REQUESTED" => State::Requested { terms: terms() },
        "OFFERED" => State::Offered { terms: terms(), asked: terms() },
        "ACCEPTED" => State::Accepted { terms: terms() },
        "AGREED" => State::Agreed { agreement: agreement(&n), terms: terms() },
        "VERIFIED" => State::Verified { agreement: agreement(&n) },
        "FINALIZED" => State::Finalized { agreement: agreement(&n) },
        "TERMINATED" => State::Terminated { by: role, ending: Ending::because("Enough.") },
        other => panic!("no state {other}"),
    };
    let row = n.clone();
    let stored = subject.app.store.tx("test.plant", move |tx| -> fondaco_core::Result<()> { Ok(tx.negotiation_insert(&row)?) }).await;
    stored.expect("stored");
    n
}

/// The row as it is now.
pub(super) async fn stored(subject: &TestNode, n: &Negotiation) -> Negotiation {
    let (slug, id) = (n.participant.clone(), n.id.clone());
    let found = subject.app.store.read("test.look", move |tx| -> fondaco_core::Result<_> { Ok(tx.negotiation_get(&slug, &id)?) }).await;
    found.expect("readable").expect("there")
}

/// Its pids as messages name them.
pub(super) fn pids(n: &Negotiation) -> (String, String) {
    let (own, peer) = (n.id.to_string(), n.peer.pid.clone().expect("known"));
    if n.role == Role::Provider { (own, peer) } else { (peer, own) }
}

/// The messages, in the order of [`NEGOTIATION_PATHS`].
pub(super) fn messages(n: &Negotiation) -> [Value; 7] {
    let (provider, consumer) = pids(n);
    let with = |kind: &str, more: Value| {
        let mut message = wire::message(kind, json!({"providerPid": provider, "consumerPid": consumer}));
        message.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        message
    };
    [
        with("ContractRequestMessage", json!({"offer": wire::offer("urn:offer", "wind", &[])})),
        with("ContractOfferMessage", json!({"offer": wire::offer("urn:offer", "wind", &[])})),
        with("ContractAgreementMessage", json!({"agreement": agreement(n).document})),
        with("ContractAgreementVerificationMessage", json!({})),
        with("ContractNegotiationEventMessage", json!({"eventType": "ACCEPTED"})),
        with("ContractNegotiationEventMessage", json!({"eventType": "FINALIZED"})),
        with("ContractNegotiationTerminationMessage", json!({"reason": ["No more."]})),
    ]
}

/// Where a message leads by the protocol's table; `None` where it has no place.
fn leads_to(own: Role, state: &str, message: usize) -> Option<&'static str> {
    let sender = own.other();
    match (sender, message, state) {
        (Role::Consumer, 0, "OFFERED") => Some("REQUESTED"),
        (Role::Provider, 1, "REQUESTED") => Some("OFFERED"),
        (Role::Provider, 2, "REQUESTED" | "ACCEPTED") => Some("AGREED"),
        (Role::Consumer, 3, "AGREED") => Some("VERIFIED"),
        (Role::Consumer, 4, "OFFERED") => Some("ACCEPTED"),
        (Role::Provider, 5, "VERIFIED") => Some("FINALIZED"),
        (_, 6, "REQUESTED" | "OFFERED" | "ACCEPTED" | "AGREED" | "VERIFIED") => Some("TERMINATED"),
        _ => None,
    }
}

#[tokio::test]
async fn every_message_in_every_state_for_both_roles() {
    fondaco_testkit::log::watch();
    let pair = TestPair::start().await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    for role in [Role::Provider, Role::Consumer] {
        for state in STATES {
            for (i, path) in NEGOTIATION_PATHS.into_iter().enumerate() {
                let n = planted(subject, peer, role, state).await;
                let message = &messages(&n)[i];
                let told = format!("{} as {} in {state}", message["@type"], role.as_str());
                let answer = peer.send(subject, &format!("/negotiations/{}/{path}", n.id), message).await;
                let after = stored(subject, &n).await;
                let (provider, consumer) = pids(&n);
                if let Some(next) = leads_to(role, state, i) {
                    let ack = answer.must(200);
                    assert_eq!((&ack["@type"], &ack["state"]), (&json!("ContractNegotiation"), &json!(next)), "{told}: {ack}");
                    assert_eq!((&ack["providerPid"], &ack["consumerPid"]), (&json!(provider), &json!(consumer)), "{told}");
                    assert_eq!((after.state.name(), after.revision), (next, n.revision + 1), "{told}");
                } else {
                    assert_error(&answer, 400, "ContractNegotiationError", &told);
                    assert_logged_once(&answer, &told);
                    let error = answer.json();
                    assert_eq!(error["code"], "FDC-3001", "{told}");
                    assert_eq!((&error["providerPid"], &error["consumerPid"]), (&json!(provider), &json!(consumer)), "{told}");
                    assert_eq!(after, n, "{told}");
                }
                let seen = peer.ask(subject, &format!("/negotiations/{}", n.id)).await.must(200);
                assert_eq!(seen["state"], after.state.name(), "{told}");
            }
        }
    }
}

#[tokio::test]
async fn strangers_and_unknown_pids_look_alike() {
    let pair = TestPair::start().await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    let guest = peer.add_participant("guest").await;
    for role in [Role::Provider, Role::Consumer] {
        for state in STATES {
            let n = planted(subject, peer, role, state).await;
            for (path, message) in NEGOTIATION_PATHS.iter().zip(messages(&n)) {
                let at = format!("/negotiations/{}/{path}", n.id);
                let answer = send_as(&guest, peer, subject, &at, &message).await;
                assert_error(&answer, 404, "ContractNegotiationError", &format!("a stranger: {path} in {state}"));
            }
            assert_eq!(stored(subject, &n).await, n);
        }
    }
    let mut n = planted(subject, peer, Role::Provider, "OFFERED").await;
    n.id = NegotiationId::from_stored("neg_unknown");
    for (path, message) in NEGOTIATION_PATHS.iter().zip(messages(&n)) {
        let answer = peer.send(subject, &format!("/negotiations/{}/{path}", n.id), &message).await;
        assert_error(&answer, 404, "ContractNegotiationError", path);
    }
    assert_error(&peer.ask(subject, "/negotiations/neg_unknown").await, 404, "ContractNegotiationError", "the state");
    let n = planted(subject, peer, Role::Provider, "OFFERED").await;
    let authorization = peer.app.authorization(&guest.slug, &guest.did, &subject.did, &Declarations::default()).await.expect("a token");
    let asked = subject.dsp(reqwest::Method::GET, &format!("/negotiations/{}", n.id), Some(&authorization), None, "").await;
    assert_error(&asked, 404, "ContractNegotiationError", "a stranger asks");
}

#[tokio::test]
async fn pids_that_do_not_belong_together_change_nothing() {
    let pair = TestPair::start().await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    for role in [Role::Provider, Role::Consumer] {
        let n = planted(subject, peer, role, "AGREED").await;
        let (own, other) = if role == Role::Provider { ("providerPid", "consumerPid") } else { ("consumerPid", "providerPid") };
        let path = format!("/negotiations/{}/termination", n.id);
        let whole = &messages(&n)[6];
        let changed = |key: &str, value: &Value| {
            let mut message = whole.clone();
            message[key] = value.clone();
            message
        };
        let swapped = {
            let mut message = changed(own, &whole[other]);
            message[other] = whole[own].clone();
            message
        };
        for (message, told) in [
            (changed(other, &json!(wire::urn())), "another peer pid"),
            (changed(own, &json!("neg_other")), "another pid of ours"),
            (swapped, "swapped"),
        ] {
            let answer = peer.send(subject, &path, &message).await;
            assert!(matches!(answer.status, 400 | 404), "{told}: {} {}", answer.status, answer.text());
            assert_error(&answer, answer.status, "ContractNegotiationError", told);
            assert_eq!(stored(subject, &n).await, n, "{told}");
        }
    }
}

#[tokio::test]
async fn an_agreement_between_others_or_about_something_else_is_refused() {
    let pair = TestPair::start().await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    let n = planted(subject, peer, Role::Consumer, "REQUESTED").await;
    for (key, value) in [
        ("target", json!("storm")),
        ("assigner", json!("did:web:somebody.example")),
        ("assignee", json!("did:web:somebody.example")),
        ("timestamp", json!("yesterday")),
    ] {
        let mut message = messages(&n)[2].clone();
        message["agreement"][key] = value;
        let answer = peer.send(subject, &format!("/negotiations/{}/agreement", n.id), &message).await;
        assert_error(&answer, 400, "ContractNegotiationError", key);
        assert_eq!(stored(subject, &n).await, n, "{key}");
    }
}

#[tokio::test]
async fn an_agreement_with_other_terms_is_answered_by_termination() {
    let pair = TestPair::start().await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    // By the default rules of a consumer.
    let mut n = planted(subject, peer, Role::Consumer, "REQUESTED").await;
    n.rules = Rules::default();
    let row = n.clone();
    let revision = n.revision;
    subject
        .app
        .store
        .tx("test.rules", move |tx| -> fondaco_core::Result<()> { Ok(tx.negotiation_update(&row, revision)?) })
        .await
        .expect("stored");
    let mut message = messages(&n)[2].clone();
    message["agreement"]["permission"][0]["constraint"] = json!([{"leftOperand": "count", "operator": "lteq", "rightOperand": 1}]);
    let ack = peer.send(subject, &format!("/negotiations/{}/agreement", n.id), &message).await.must(200);
    assert_eq!(ack["state"], "AGREED", "the answer is the state right after the message");
    let ended = subject.settled(n.id.as_str()).await;
    assert_eq!((&ended["state"], &ended["ending"]["by"]), (&json!("TERMINATED"), &json!("consumer")), "{ended}");
    assert!(ended["ending"]["reasons"][0].as_str().is_some_and(|r| r.contains("not the ones negotiated")), "{ended}");
}

#[tokio::test]
async fn first_requests_that_cannot_be_served_are_refused_and_leave_nothing() {
    let pair = TestPair::with_wind().await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    let product = subject.get("/products/wind").await.must(200);
    let good = product["offers"][0]["id"].as_str().expect("id");
    let no_target = {
        let mut offer = wire::offer(good, "x", &[]);
        offer.as_object_mut().expect("an object").remove("target");
        offer
    };
    for (offer, told) in [
        (wire::offer("urn:other", "wind", &[]), "an unknown offer"),
        (wire::offer(good, "storm", &[]), "an unknown dataset"),
        (wire::offer(good, "wind:2", &[]), "another version"),
        (
            wire::offer(good, "wind", &[json!({"leftOperand": "fileFormat", "operator": "eq", "rightOperand": "x"})]),
            "terms nobody can enforce",
        ),
        (no_target, "no target"),
    ] {
        let (_, answer) = peer.request_offer(subject, &offer).await;
        assert_error(&answer, 400, "ContractNegotiationError", told);
    }
    // A provider's offer that nobody asked for.
    let offered = wire::message(
        "ContractOfferMessage",
        json!({"providerPid": wire::urn(), "callbackAddress": peer.dsp_url(), "offer": wire::offer(good, "wind", &[])}),
    );
    assert_error(&peer.send(subject, "/negotiations/offers", &offered).await, 400, "ContractNegotiationError", "an offer unasked");
    assert_eq!(subject.get("/negotiations").await.must(200)["negotiations"], json!([]));
}
