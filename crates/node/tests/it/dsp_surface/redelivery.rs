//! The same message twice: what a network does that lost an answer.

use super::{
    assert_error,
    negotiations::{messages, planted, stored},
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
        // The same words as a new message are a new message.
        let mut other = message.clone();
        other["@id"] = json!(wire::urn());
        assert_error(&peer.send(subject, &path, &other).await, 400, "ContractNegotiationError", &path);
        assert_eq!(stored(subject, &n).await, after, "{path}");
    }
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
