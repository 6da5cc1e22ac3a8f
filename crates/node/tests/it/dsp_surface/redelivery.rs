//! The same message twice: what a network does that lost an answer.

use super::{
    assert_error,
    negotiations::{messages, planted, stored},
    transfers,
};
use fondaco_core::negotiation::Role;
use fondaco_testkit::{TestPair, wire};
use serde_json::json;

#[tokio::test]
async fn the_same_message_again_is_answered_and_changes_nothing() {
    let pair = TestPair::start().await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    for (role, state, message, path) in [
        (Role::Provider, "OFFERED", 0, "request"),
        (Role::Consumer, "REQUESTED", 1, "offers"),
        (Role::Consumer, "ACCEPTED", 2, "agreement"),
        (Role::Provider, "AGREED", 3, "agreement/verification"),
        (Role::Provider, "OFFERED", 4, "events"),
        (Role::Consumer, "VERIFIED", 5, "events"),
        (Role::Provider, "AGREED", 6, "termination"),
    ] {
        let n = planted(subject, peer, role, state).await;
        let path = format!("/negotiations/{}/{path}", n.id);
        let message = messages(&n)[message].clone();
        let first = peer.send(subject, &path, &message).await.must(200);
        let after = stored(subject, &n).await;
        let again = peer.send(subject, &path, &message).await.must(200);
        assert_eq!(again, first, "{path}");
        assert_eq!(stored(subject, &n).await, after, "{path}");
        // The same words as a new message are a new message, but where saying them twice says no more than once.
        let mut other = message.clone();
        other["@id"] = json!(wire::urn());
        let answer = peer.send(subject, &path, &other).await;
        if matches!(state, "AGREED" | "VERIFIED") && !path.ends_with("termination") {
            assert_eq!(answer.must(200)["state"], after.state.name(), "{path}");
        } else {
            assert_error(&answer, 400, "ContractNegotiationError", &path);
        }
        assert_eq!(stored(subject, &n).await, after, "{path}");
    }
}

/// Eclipse EDC does so while it notes that its message has arrived, and ends the process when the second is refused.
#[tokio::test]
async fn what_ends_nothing_may_be_said_again_in_a_new_message() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    for (path, other_words) in [("suspension", true), ("completion", false)] {
        let t = transfers::planted(subject, peer, &agreement, Role::Consumer, "STARTED").await;
        let at = format!("/transfers/{}/{path}", t.id);
        let first = peer.send(subject, &at, &transfers::message(&t, path)).await.must(200);
        let after = transfers::stored(subject, &t).await;
        assert_eq!(peer.send(subject, &at, &transfers::message(&t, path)).await.must(200), first, "{path}");
        let guest = peer.add_participant(&format!("guest-{path}")).await;
        let foreign = super::send_as(&guest, peer, subject, &at, &transfers::message(&t, path)).await;
        assert_error(&foreign, 404, "TransferError", path);
        if other_words {
            let mut other = transfers::message(&t, path);
            other["reason"] = json!(["Because."]);
            assert_error(&peer.send(subject, &at, &other).await, 400, "TransferError", "other words are another message");
        }
        assert_eq!(transfers::stored(subject, &t).await, after, "{path}");
    }
    // Access that is opened twice may be two accesses.
    let t = transfers::planted(subject, peer, &agreement, Role::Consumer, "REQUESTED").await;
    let at = format!("/transfers/{}/start", t.id);
    peer.send(subject, &at, &transfers::message(&t, "start")).await.must(200);
    assert_error(&peer.send(subject, &at, &transfers::message(&t, "start")).await, 400, "TransferError", "start");
}

#[tokio::test]
async fn a_message_refused_once_may_be_right_later() {
    let pair = TestPair::start().await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    let n = planted(subject, peer, Role::Provider, "REQUESTED").await;
    let verification = messages(&n)[3].clone();
    let path = format!("/negotiations/{}/agreement/verification", n.id);
    assert_error(&peer.send(subject, &path, &verification).await, 400, "ContractNegotiationError", "too early");
    // The provider agrees by hand; the very same message is now in place.
    subject.publish("wind", fondaco_testkit::tables::WIND, &[]).await;
    subject.post(&format!("/negotiations/{}/agree", n.id), &json!({})).await.must(200);
    assert_eq!(peer.send(subject, &path, &verification).await.must(200)["state"], "VERIFIED");
}

#[tokio::test]
async fn the_first_request_again_finds_the_same_negotiation() {
    let pair = TestPair::with_wind().await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    let held = json!({"requested": [{"do": "hold"}]});
    let offer = subject.add_offer_with_rules("wind", json!({"permission": [{"action": "use"}]}), held).await;
    let request = wire::first_request(&wire::urn(), &peer.dsp_url(), &wire::offer(&offer, "wind", &[]));
    let first = peer.send(subject, "/negotiations/request", &request).await.must(201);
    let mut again = request.clone();
    again["@id"] = json!(wire::urn());
    for message in [&request, &again] {
        let answer = peer.send(subject, "/negotiations/request", message).await.must(201);
        assert_eq!(answer["providerPid"], first["providerPid"]);
    }
    // Many at once are one as well.
    let other = wire::first_request(&wire::urn(), &peer.dsp_url(), &wire::offer(&offer, "wind", &[]));
    let calls = (0..20).map(|_| peer.send(subject, "/negotiations/request", &other));
    let pids: std::collections::HashSet<String> =
        futures::future::join_all(calls).await.iter().map(|a| a.must(201)["providerPid"].to_string()).collect();
    assert_eq!(pids.len(), 1, "{pids:?}");
    let all = subject.get("/negotiations").await.must(200);
    assert_eq!(all["negotiations"].as_array().map(Vec::len), Some(2));
    // The pid belongs to its consumer: another may use the same.
    let guest = peer.add_participant("guest").await;
    let theirs = super::send_as(&guest, peer, subject, "/negotiations/request", &request).await.must(201);
    assert_ne!(theirs["providerPid"], first["providerPid"]);
}
