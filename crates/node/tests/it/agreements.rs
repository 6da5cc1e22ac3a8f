//! Agreements after signing: notice by either side, emergency stops, expiry and renewal, on both sides.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fondaco_core::canonical;
use fondaco_testkit::{Access, Fault, Options, TestNode, TestPair, eventually, tables};
use serde_json::{Value, json};

fn constraint(left: &str, op: &str, right: impl Into<Value>) -> Value {
    json!({"leftOperand": left, "operator": op, "rightOperand": right.into()})
}

fn notice(period: &str) -> Value {
    constraint("noticePeriod", "eq", period)
}

fn elapsed(period: &str) -> Value {
    constraint("elapsedTime", "lt", period)
}

fn offer(constraints: &[Value]) -> Value {
    json!({"@type": "Offer", "permission": [{"action": "use", "constraint": constraints}]})
}

async fn pair_with(constraints: &[Value]) -> TestPair {
    let pair = TestPair::start().await;
    pair.provider.publish("wind", tables::WIND, &[offer(constraints)]).await;
    pair
}

async fn agreement(node: &TestNode, id: &str) -> Value {
    node.get(&format!("/agreements/{id}")).await.must(200)
}

/// The agreement once it stands there.
async fn stands(node: &TestNode, id: &str, state: &str) -> Value {
    eventually(&format!("{} to see {id} {state}", node.slug), async || {
        let a = agreement(node, id).await;
        (a["state"] == state).then_some(a)
    })
    .await
}

/// The kinds of its history after it was concluded.
fn history(a: &Value) -> Vec<&str> {
    let kinds = a["events"].as_array().expect("events").iter().map(|e| e["kind"].as_str().expect("kind"));
    kinds.filter(|kind| *kind != "agreement.concluded").collect()
}

async fn act(node: &TestNode, id: &str, step: &str, body: Value) -> Value {
    node.post(&format!("/agreements/{id}/{step}"), &body).await.must(200)
}

#[track_caller]
fn assert_refused(access: &fondaco_testkit::Answer, code: &str) {
    assert_eq!(access.status, 403, "{}", access.text());
    assert!(access.text().contains(code), "{}", access.text());
}

async fn reads(access: &Access) -> u16 {
    access.query(&json!({})).await.status
}

#[tokio::test]
async fn either_side_gives_the_agreed_notice_and_access_ends_when_it_is_over() {
    for by_consumer in [true, false] {
        let pair = pair_with(&[notice("PT6S")]).await;
        let id = pair.agree("wind").await;
        let access = pair.access(&id).await;
        let (giver, other) = if by_consumer { (&pair.consumer, &pair.provider) } else { (&pair.provider, &pair.consumer) };
        let given = act(giver, &id, "end", json!({"reason": "We move."})).await;
        let side = if by_consumer { "consumer" } else { "provider" };
        assert_eq!((&given["state"], &given["notice"]["by"], &given["noticePeriod"]), (&json!("ending"), &json!(side), &json!("PT6S")));
        assert_eq!(giver.post(&format!("/agreements/{id}/end"), &json!({})).await.refused(409), "FDC-1005", "once");
        let heard = stands(other, &id, "ending").await;
        assert_eq!((&heard["endsAt"], &heard["notice"]), (&given["endsAt"], &given["notice"]), "both know the same");
        assert_eq!(reads(&access).await, 200, "until then it is used");
        for node in [&pair.provider, &pair.consumer] {
            let ended = stands(node, &id, "ended").await;
            assert_eq!((&ended["endedAt"], &ended["endReason"]), (&given["endsAt"], &json!("We move.")));
            assert_eq!(history(&ended), ["agreement.notice", "agreement.ended"], "{ended}");
        }
        assert_refused(&access.query(&json!({})).await, "");
        let transfer = pair.consumer.reaches("transfers", &access.transfer, "TERMINATED").await;
        assert_eq!(transfer["ending"]["reasons"][1], "We move.", "{transfer}");
        let again = pair.consumer.post(&format!("/agreements/{id}/access"), &json!({"waitSeconds": 30})).await;
        assert_eq!(again.refused(403), "FDC-3005");
        let given = agreement(giver, &id).await;
        let because: Vec<&Value> = given["events"].as_array().expect("events").iter().map(|e| &e["cause"]["by"]).collect();
        assert_eq!(because[1..], [&json!("person"), &json!("terms")], "{given}");
        assert_eq!(giver.post(&format!("/agreements/{id}/end"), &json!({})).await.refused(409), "FDC-1005");
        let listed = other.get("/agreements?state=ended").await.must(200);
        assert_eq!(listed["agreements"][0]["id"], id.as_str());
        assert_eq!(other.get("/agreements?state=active").await.must(200)["agreements"], json!([]));
        assert_eq!(other.get("/agreements?state=odd").await.refused(400), "FDC-1001");
        pair.shutdown().await;
    }
}

#[tokio::test]
async fn without_a_notice_period_it_ends_at_once_on_both_sides() {
    let pair = pair_with(&[notice("P0D")]).await;
    let id = pair.agree("wind").await;
    let access = pair.access(&id).await;
    assert_eq!(reads(&access).await, 200);
    assert_eq!(act(&pair.consumer, &id, "end", json!({})).await["state"], "ended");
    stands(&pair.provider, &id, "ended").await;
    assert_refused(&access.query(&json!({})).await, "");
    pair.provider.reaches("transfers", &pair.provider_transfer(&access.transfer).await, "TERMINATED").await;
}

#[tokio::test]
async fn where_the_terms_are_silent_neither_side_ends_it() {
    let pair = TestPair::with_wind().await;
    let id = pair.agree("wind").await;
    for (node, instead) in [(&pair.provider, "agreement stop"), (&pair.consumer, "transfer end")] {
        let refused = node.post(&format!("/agreements/{id}/end"), &json!({"reason": "Enough."})).await;
        assert_eq!(refused.refused(409), "FDC-3009");
        assert!(refused.text().contains(instead), "{}", refused.text());
        assert_eq!(agreement(node, &id).await["state"], "active");
    }
}

#[tokio::test]
async fn the_provider_stops_in_an_emergency_and_takes_it_back() {
    let pair = TestPair::with_wind().await;
    let id = pair.agree("wind").await;
    let access = pair.access(&id).await;
    let url = access.files().await.remove(0);
    let path = format!("/agreements/{id}/stop");
    assert_eq!(pair.provider.post(&path, &json!({"reason": "  "})).await.refused(400), "FDC-1001", "not without a reason");
    assert_eq!(pair.consumer.post(&path, &json!({"reason": "x"})).await.refused(403), "FDC-1003");
    let stopped = act(&pair.provider, &id, "stop", json!({"reason": "A leak."})).await;
    assert_eq!((&stopped["state"], &stopped["stop"]["reason"]), (&json!("stopped"), &json!("A leak.")));
    assert_refused(&access.query(&json!({})).await, "A leak.");
    let file = access.share.open(reqwest::Method::GET, &url, &[]).await;
    assert_eq!(file.status, 403, "{}", file.text());
    let seen = stands(&pair.consumer, &id, "stopped").await;
    assert_eq!(seen["stop"]["reason"], "A leak.");
    let paused = pair.consumer.reaches("transfers", &access.transfer, "SUSPENDED").await;
    assert_eq!((&paused["ending"]["reasons"], &paused["ending"]["code"]), (&json!(["A leak."]), &json!("FDC-3010")));
    // Neither the consumer nor the provider's own hand resumes what the stop suspended, and nothing new begins.
    let own = pair.provider_transfer(&access.transfer).await;
    assert_eq!(pair.consumer.post(&format!("/transfers/{}/resume", access.transfer), &json!({})).await.refused(400), "FDC-3001");
    assert_eq!(pair.provider.post(&format!("/transfers/{own}/resume"), &json!({})).await.refused(403), "FDC-3010");
    let begun = pair.consumer.post(&format!("/agreements/{id}/transfers"), &json!({})).await.must(201);
    let refused = pair.consumer.reaches("transfers", begun["id"].as_str().expect("id"), "TERMINATED").await;
    assert!(refused.to_string().contains("A leak."), "{refused}");
    assert_eq!(pair.provider.post(&path, &json!({"reason": "Again."})).await.refused(409), "FDC-1005");

    assert_eq!(act(&pair.provider, &id, "resume", json!({})).await["state"], "active");
    pair.consumer.reaches("transfers", &access.transfer, "STARTED").await;
    assert_eq!(reads(&access).await, 200, "the same profile");
    for node in [&pair.provider, &pair.consumer] {
        let a = stands(node, &id, "active").await;
        assert_eq!(history(&a), ["agreement.stopped", "agreement.resumed"], "{a}");
    }
    assert_eq!(pair.provider.post(&format!("/agreements/{id}/resume"), &json!({})).await.refused(409), "FDC-1005");
}

#[tokio::test]
async fn a_product_is_stopped_with_all_its_agreements() {
    let pair = TestPair::with_wind().await;
    pair.provider.publish("other", tables::WIND, &[]).await;
    let (first, second, other) = (pair.agree("wind").await, pair.agree("wind").await, pair.agree("other").await);
    let (a, b, c) = (pair.access(&first).await, pair.access(&second).await, pair.access(&other).await);
    // One of them by itself too: it stays so when the product goes on.
    act(&pair.provider, &second, "stop", json!({"reason": "Unpaid."})).await;
    let stopped = pair.provider.post("/products/wind/stop", &json!({"reason": "A wrong column."})).await.must(200);
    assert_eq!(stopped["stop"]["reason"], "A wrong column.");
    assert_eq!(pair.provider.post("/products/wind/stop", &json!({"reason": "Again."})).await.refused(409), "FDC-1005");
    assert_eq!(pair.provider.post("/products/none/stop", &json!({"reason": "x"})).await.refused(404), "FDC-1004");
    assert_refused(&a.query(&json!({})).await, "A wrong column.");
    assert_eq!((reads(&b).await, reads(&c).await), (403, 200), "the other product goes on");
    assert_eq!(stands(&pair.consumer, &first, "stopped").await["stop"]["reason"], "A wrong column.");
    pair.consumer.reaches("transfers", &a.transfer, "SUSPENDED").await;
    let refused = pair.negotiate("wind").await;
    assert_eq!((&refused["state"], &refused["ending"]["code"]), (&json!("TERMINATED"), &json!("FDC-3010")), "{refused}");

    assert_eq!(pair.provider.post("/products/wind/resume", &json!({})).await.must(200).get("stop"), None);
    pair.consumer.reaches("transfers", &a.transfer, "STARTED").await;
    stands(&pair.consumer, &first, "active").await;
    assert_eq!((reads(&a).await, reads(&b).await), (200, 403));
    assert_eq!(agreement(&pair.consumer, &second).await["state"], "stopped");
    assert_eq!(pair.provider.post("/products/wind/resume", &json!({})).await.refused(409), "FDC-1005");
    pair.agree("wind").await;
}

#[tokio::test]
async fn it_expires_on_both_sides_by_the_terms() {
    let pair = pair_with(&[elapsed("PT8S")]).await;
    let id = pair.agree("wind").await;
    let access = pair.access(&id).await;
    let ends = agreement(&pair.consumer, &id).await["endsAt"].clone();
    assert!(ends.is_string());
    assert_eq!(agreement(&pair.provider, &id).await["endsAt"], ends);
    for node in [&pair.provider, &pair.consumer] {
        let expired = stands(node, &id, "expired").await;
        assert_eq!(expired["endedAt"], ends);
        assert_eq!(history(&expired), ["agreement.expired"], "{expired}");
        assert_eq!(node.get("/agreements?state=expired").await.must(200)["agreements"][0]["id"], id.as_str());
    }
    let over = pair.consumer.reaches("transfers", &access.transfer, "TERMINATED").await;
    assert!(over["ending"]["reasons"][0].as_str().is_some_and(|r| r.contains("(elapsedTime)")), "{over}");
    assert_eq!(reads(&access).await, 403);
}

#[tokio::test]
async fn an_agreement_is_renewed_once_and_both_sides_know() {
    let pair = TestPair::with_wind().await;
    let old = pair.agree("wind").await;
    assert_eq!(pair.provider.post(&format!("/agreements/{old}/renew"), &json!({})).await.refused(403), "FDC-1003");
    let preview = pair.consumer.get(&format!("/agreements/{old}/renewal")).await.must(200);
    assert_eq!((&preview["sameTerms"], &preview["changes"]), (&json!(true), &json!([])));
    let renew = || async { pair.consumer.post(&format!("/agreements/{old}/renew"), &json!({})).await };
    let all = futures::future::join_all((0..4).map(|_| renew())).await;
    let begun: Vec<Value> = all.iter().filter(|a| a.status == 201).map(|a| a.must(201)).collect();
    assert_eq!(begun.len(), 1, "no double renewal");
    assert!(all.iter().filter(|a| a.status != 201).all(|a| a.refused(409) == "FDC-1005"));
    let done = pair.consumer.settled(begun[0]["negotiationId"].as_str().expect("id")).await;
    let new = done["agreementId"].as_str().expect("an agreement").to_owned();
    assert_ne!(new, old);
    for node in [&pair.consumer, &pair.provider] {
        let linked = eventually("the link", async || {
            let a = agreement(node, &old).await;
            (a["renewedBy"] == new.as_str()).then_some(a)
        })
        .await;
        assert_eq!((&linked["state"], history(&linked)), (&json!("active"), vec!["agreement.renewed"]), "{linked}");
        assert_eq!(agreement(node, &new).await["renewalOf"], old.as_str());
    }
    assert_eq!(renew().await.refused(409), "FDC-1005");
}

#[tokio::test]
async fn changed_terms_are_shown_and_renewed_only_when_accepted() {
    let pair = pair_with(&[constraint("count", "lteq", 3)]).await;
    let old = pair.agree("wind").await;
    // The next version of the product is what is published now.
    pair.provider.publish("wind", tables::WIND, &[offer(&[constraint("count", "lteq", 9)])]).await;
    let preview = pair.consumer.get(&format!("/agreements/{old}/renewal")).await.must(200);
    assert_eq!((&preview["sameTerms"], &preview["dataset"]), (&json!(false), &json!("wind:2")));
    let change = &preview["changes"][0];
    assert_eq!(
        (&change["before"], &change["after"]),
        (&json!("It may be read at most 3 times."), &json!("It may be read at most 9 times."))
    );
    let path = format!("/agreements/{old}/renew");
    assert_eq!(pair.consumer.post(&path, &json!({})).await.refused(409), "FDC-3011");
    let begun = pair.consumer.post(&path, &json!({"acceptChanges": true})).await.must(201);
    let done = pair.consumer.settled(begun["negotiationId"].as_str().expect("id")).await;
    let new = agreement(&pair.consumer, done["agreementId"].as_str().expect("an agreement")).await;
    assert_eq!((&new["readsMax"], &new["renewalOf"]), (&json!(9), &json!(old)));
}

#[tokio::test]
async fn a_rule_renews_before_the_end_while_the_terms_are_the_same() {
    let pair = pair_with(&[elapsed("PT6S")]).await;
    pair.consumer.put("/rules", &json!({"default": {"expiring": [{"do": "renew", "before": "PT4S"}]}})).await.must(200);
    let old = pair.agree("wind").await;
    assert!(agreement(&pair.consumer, &old).await["renewsAt"].is_string());
    let renewed = eventually("the rule to renew it", async || {
        let a = agreement(&pair.consumer, &old).await;
        a["renewedBy"].is_string().then_some(a)
    })
    .await;
    let new = agreement(&pair.consumer, renewed["renewedBy"].as_str().expect("id")).await;
    let n = pair.consumer.get(&format!("/negotiations/{}", new["negotiationId"].as_str().expect("id"))).await.must(200);
    assert_eq!(n["events"][0]["cause"], json!({"by": "rule", "at": "expiring", "action": "renew"}), "{n}");
    // Other terms are a person's business.
    pair.provider.publish("wind", tables::WIND, &[offer(&[elapsed("PT5S")])]).await;
    let held = eventually("a rule to leave it to people", async || {
        let listed = pair.consumer.get("/agreements").await.must(200);
        let newest = listed["agreements"][0]["id"].as_str().expect("id").to_owned();
        let a = agreement(&pair.consumer, &newest).await;
        history(&a).contains(&"agreement.held").then_some(a)
    })
    .await;
    assert!(held.get("renewedBy").is_none(), "{held}");
}

#[tokio::test]
async fn rules_of_the_day_count_for_agreements_made_before() {
    let pair = pair_with(&[elapsed("P30D")]).await;
    let id = pair.agree("wind").await;
    assert_eq!(agreement(&pair.consumer, &id).await.get("renewsAt"), None);
    pair.consumer.put("/rules", &json!({"default": {"expiring": [{"do": "renew", "before": "P7D"}]}})).await.must(200);
    eventually("the plan", async || agreement(&pair.consumer, &id).await["renewsAt"].is_string().then_some(())).await;
    pair.consumer.put("/rules", &json!({"default": {}})).await.must(200);
    eventually("the plan to go", async || agreement(&pair.consumer, &id).await.get("renewsAt").is_none().then_some(())).await;
}

#[tokio::test]
async fn a_peer_that_knows_no_events_learns_from_its_transfers() {
    let pair = TestPair::of("provider", Options::from("consumer").behind_proxy()).await;
    pair.provider.publish("wind", tables::WIND, &[]).await;
    let id = pair.agree("wind").await;
    let access = pair.access(&id).await;
    pair.consumer.proxy().fail("POST", "/events", 1, Fault::Answer(501, &[], ""));
    act(&pair.provider, &id, "stop", json!({"reason": "A leak."})).await;
    let paused = pair.consumer.reaches("transfers", &access.transfer, "SUSPENDED").await;
    assert_eq!(paused["ending"]["reasons"], json!(["A leak."]));
    let noted = eventually("the provider to note it", async || {
        let a = agreement(&pair.provider, &id).await;
        history(&a).contains(&"agreement.untold").then_some(a)
    })
    .await;
    let event = noted["events"].as_array().expect("events").iter().find(|e| e["kind"] == "agreement.untold").expect("noted");
    assert_eq!((&event["cause"]["by"], &event["cause"]["status"]), (&json!("exchange"), &json!(501)), "{event}");
    pair.provider.idle().await;
    assert_eq!(agreement(&pair.consumer, &id).await["state"], "active", "nobody told it");
}

#[tokio::test]
async fn both_sides_hold_the_same_bytes_signed_by_both() {
    let pair = pair_with(&[notice("P30D"), elapsed("P90D"), constraint("purpose", "isAnyOf", json!(["research", "teaching"]))]).await;
    let id = pair.begin_with(json!({"product": "wind", "purpose": ["research"]})).await;
    let done = pair.consumer.settled(&id).await;
    let id = done["agreementId"].as_str().expect("an agreement");
    let mut held = Vec::new();
    for node in [&pair.provider, &pair.consumer] {
        let a = agreement(node, id).await;
        let bytes = canonical::to_canonical_json(&a["document"]).expect("canonical");
        assert_eq!(a["digest"], canonical::sha256_hex(bytes.as_bytes()).as_str());
        held.push(bytes);
        let signed = eventually("both signatures", async || {
            let signatures = agreement(node, id).await["signatures"].clone();
            (signatures.as_array().map(Vec::len) == Some(2)).then_some(signatures)
        })
        .await;
        for did in [&pair.provider.did, &pair.consumer.did] {
            let one = signed.as_array().expect("a list").iter().find(|s| s["by"] == did.as_str()).expect("signed by both");
            assert_eq!(one["valid"], true, "{one}");
            // What anybody can check without us: a JWT by the party's key whose claim is the digest.
            let mut parts = one["jws"].as_str().expect("compact").split('.');
            let part = |text: Option<&str>| -> Value {
                let bytes = URL_SAFE_NO_PAD.decode(text.expect("a part")).expect("base64url");
                serde_json::from_slice(&bytes).expect("json")
            };
            assert_eq!(part(parts.next())["alg"], "ES256");
            let claims = part(parts.next());
            assert_eq!((&claims["iss"], &claims["agreement"]), (&json!(did), &json!({"id": id, "sha256": a["digest"]})));
        }
    }
    assert_eq!(held[0], held[1]);
}
