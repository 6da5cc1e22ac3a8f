//! The life of a deal, both roles: to the end, by every way there is, and to a refusal with its reason.

use fondaco_core::{negotiation::Terms, participant::Declarations};
use fondaco_testkit::{Options, TestNode, TestPair, eventually, tables};
use serde_json::{Value, json};

/// The rules of a permission to use.
fn permission(constraints: &[Value]) -> Value {
    json!({"permission": [{"action": "use", "constraint": constraints}]})
}

fn count(n: u64) -> Value {
    json!({"leftOperand": "count", "operator": "lteq", "rightOperand": n})
}

/// Offers as they are published.
fn offer(constraints: &[Value]) -> Value {
    let mut offer = permission(constraints);
    offer["@type"] = json!("Offer");
    offer
}

fn offer_id(product: &Value) -> String {
    product["offers"][0]["id"].as_str().expect("an offer").to_owned()
}

/// Asks for terms of one's own, past the catalogue.
async fn ask_for(pair: &TestPair, dataset: &str, offer_id: &str, odrl: Value) -> String {
    let me = pair.consumer.participant().await;
    let remote = pair.consumer.app.remote(&me, pair.provider.did.as_str()).await.expect("the provider");
    let terms = Terms { offer_id: offer_id.into(), odrl };
    let declared = Declarations { spatial: me.country.clone(), purpose: Vec::new() };
    let begun = pair.consumer.app.negotiation_request(&me, &remote, dataset.into(), terms, declared, None).await;
    begun.expect("it is asked").id.to_string()
}

/// The provider's id of a negotiation, once it has it.
async fn at_provider(pair: &TestPair, consumer_id: &str) -> String {
    let known = eventually("the provider to have the negotiation", async || {
        let n = pair.consumer.get(&format!("/negotiations/{consumer_id}")).await.must(200);
        n["peerPid"].as_str().map(str::to_owned)
    });
    known.await
}

async fn act(node: &TestNode, id: &str, step: &str) -> Value {
    node.post(&format!("/negotiations/{id}/{step}"), &json!({})).await.must(200)
}

/// The steps of a timeline. That a message arrived is noted too, sooner or later than what follows from it.
fn states(n: &Value) -> Vec<&str> {
    let kinds = n["events"].as_array().expect("a timeline").iter().map(|e| e["kind"].as_str().expect("kind"));
    kinds.filter(|kind| *kind != "negotiation.delivered").collect()
}

/// Both sides hold the same agreement about the same thing.
async fn assert_same_agreement(pair: &TestPair, agreement: &str) -> Value {
    let path = format!("/agreements/{agreement}");
    // The provider is ahead of the consumer at the end, never behind.
    let consumer = pair.consumer.get(&path).await.must(200);
    let provider = pair.provider.get(&path).await.must(200);
    assert_eq!(consumer["digest"], provider["digest"]);
    assert_eq!(consumer["document"], provider["document"]);
    assert_eq!(consumer["digest"].as_str().map(str::len), Some(64));
    assert_eq!((&consumer["role"], &provider["role"]), (&json!("consumer"), &json!("provider")));
    assert_eq!(consumer["document"]["assignee"], pair.consumer.did.as_str());
    assert_eq!(consumer["document"]["assigner"], pair.provider.did.as_str());
    consumer
}

async fn finalized(pair: &TestPair, id: &str) -> Value {
    let done = pair.consumer.settled(id).await;
    assert_eq!(done["state"], "FINALIZED", "{done}");
    assert_eq!(pair.provider_negotiation(id).await["state"], "FINALIZED");
    assert_same_agreement(pair, done["agreementId"].as_str().expect("an agreement")).await
}

#[tokio::test]
async fn an_open_offer_leads_to_one_agreement_and_its_bytes() {
    let pair = TestPair::with_wind().await;
    let done = pair.negotiate("wind").await;
    assert_eq!(done["state"], "FINALIZED", "{done}");
    assert_eq!(
        states(&done),
        ["negotiation.requested", "negotiation.agreed", "negotiation.verified", "negotiation.finalized"],
        "what the consumer saw"
    );
    let provider = pair.provider_negotiation(done["id"].as_str().expect("id")).await;
    assert_eq!(
        states(&provider),
        ["negotiation.requested", "negotiation.agreed", "negotiation.verified", "negotiation.finalized"],
        "what the provider saw"
    );
    let id = done["agreementId"].as_str().expect("an agreement").to_owned();
    assert_same_agreement(&pair, &id).await;
    let access = pair.access(&id).await;
    assert_eq!(access.table, "provider.default.wind");
    let bytes = access.bytes().await;
    assert_eq!((&bytes[..4], &bytes[bytes.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    let agreement = pair.provider.get(&format!("/agreements/{id}")).await.must(200);
    assert_eq!(agreement["reads"], 1);
    // Asking again uses the transfer that runs.
    assert_eq!(pair.access(&id).await.transfer, access.transfer);
    pair.shutdown().await;
}

#[tokio::test]
async fn other_terms_are_answered_by_the_published_ones_which_a_person_accepts() {
    let pair = TestPair::start().await;
    let product = pair.provider.publish("wind", tables::WIND, &[offer(&[count(3)])]).await;
    let id = ask_for(&pair, "wind", &offer_id(&product), permission(&[count(1_000)])).await;
    let held = pair.consumer.reaches("negotiations", &id, "OFFERED").await;
    assert_eq!(held["offer"]["odrl"]["permission"][0]["constraint"][0]["rightOperand"], 3, "{held}");
    act(&pair.consumer, &id, "accept").await;
    let agreement = finalized(&pair, &id).await;
    assert_eq!(agreement["readsMax"], 3, "the terms are the provider's");
}

#[tokio::test]
async fn a_person_at_the_provider_may_agree_to_the_consumers_terms() {
    let pair = TestPair::start().await;
    let product = pair.provider.publish("wind", tables::WIND, &[offer(&[count(3)])]).await;
    let id = ask_for(&pair, "wind", &offer_id(&product), permission(&[count(5)])).await;
    pair.consumer.reaches("negotiations", &id, "OFFERED").await;
    act(&pair.consumer, &id, "counter").await;
    let provider = at_provider(&pair, &id).await;
    // The second time other terms wait for a person; nothing happens by itself.
    pair.provider.reaches("negotiations", &provider, "REQUESTED").await;
    act(&pair.provider, &provider, "agree").await;
    let agreement = finalized(&pair, &id).await;
    assert_eq!(agreement["readsMax"], 5, "the terms are the consumer's");
}

#[tokio::test]
async fn offers_may_go_to_and_fro_until_both_agree() {
    let pair = TestPair::start().await;
    let product = pair.provider.publish("wind", tables::WIND, &[offer(&[count(3)])]).await;
    let id = ask_for(&pair, "wind", &offer_id(&product), permission(&[count(9)])).await;
    let provider = at_provider(&pair, &id).await;
    for _ in 0..3 {
        pair.consumer.reaches("negotiations", &id, "OFFERED").await;
        act(&pair.consumer, &id, "counter").await;
        pair.provider.reaches("negotiations", &provider, "REQUESTED").await;
        act(&pair.provider, &provider, "offer").await;
    }
    pair.consumer.reaches("negotiations", &id, "OFFERED").await;
    act(&pair.consumer, &id, "accept").await;
    assert_eq!(finalized(&pair, &id).await["readsMax"], 3);
}

/// Where a negotiation is made to stop, by whose rules.
struct Stop {
    state: &'static str,
    provider: Value,
    consumer: Value,
}

fn stops() -> [Stop; 5] {
    let hold = json!([{"do": "hold"}]);
    [
        Stop { state: "REQUESTED", provider: json!({"requested": hold}), consumer: json!({}) },
        Stop { state: "OFFERED", provider: json!({"requested": [{"do": "offer"}]}), consumer: json!({"offered": hold}) },
        Stop { state: "ACCEPTED", provider: json!({"requested": [{"do": "offer"}], "accepted": hold}), consumer: json!({}) },
        Stop { state: "AGREED", provider: json!({}), consumer: json!({"agreed": hold}) },
        Stop { state: "VERIFIED", provider: json!({"verified": hold}), consumer: json!({}) },
    ]
}

/// A negotiation that stands still in the state: its id at the consumer and at the provider.
async fn stopped(pair: &TestPair, stop: &Stop) -> (String, String) {
    let dataset = format!("stop-{}", stop.state);
    if pair.provider.get(&format!("/products/{dataset}")).await.status == 404 {
        pair.provider.publish(&dataset, tables::WIND, &[]).await;
    }
    let offer = pair.provider.add_offer_with_rules(&dataset, permission(&[count(7)]), stop.provider.clone()).await;
    pair.consumer.put("/rules", &json!({"about": {&dataset: stop.consumer}})).await.must(200);
    let id = pair.begin_with(json!({"product": dataset, "offer": offer})).await;
    let provider = at_provider(pair, &id).await;
    pair.consumer.reaches("negotiations", &id, stop.state).await;
    pair.provider.reaches("negotiations", &provider, stop.state).await;
    (id, provider)
}

#[tokio::test]
async fn either_side_may_end_it_in_every_state_before_the_last() {
    let pair = TestPair::start().await;
    for stop in stops() {
        for by_consumer in [true, false] {
            let (id, provider) = stopped(&pair, &stop).await;
            let reason = format!("Enough of {}.", stop.state);
            let (node, own) = if by_consumer { (&pair.consumer, &id) } else { (&pair.provider, &provider) };
            let ended = node.post(&format!("/negotiations/{own}/terminate"), &json!({"reason": reason})).await.must(200);
            assert_eq!(ended["state"], "TERMINATED");
            for n in [pair.consumer.settled(&id).await, pair.provider.settled(&provider).await] {
                assert_eq!(n["state"], "TERMINATED", "{}: {n}", stop.state);
                assert_eq!(n["ending"]["by"], if by_consumer { "consumer" } else { "provider" }, "{n}");
                assert_eq!(n["ending"]["reasons"], json!([reason]), "{n}");
                assert_eq!(n["agreementId"], Value::Null);
            }
            // What has ended stays ended.
            assert_eq!(node.post(&format!("/negotiations/{own}/terminate"), &json!({})).await.refused(400), "FDC-3001");
        }
    }
    assert_eq!(pair.provider.get("/agreements").await.must(200)["agreements"], json!([]), "no agreement came of it");
    assert_eq!(pair.consumer.get("/agreements").await.must(200)["agreements"], json!([]));
}

#[tokio::test]
async fn a_person_approves_where_a_rule_says_hold() {
    let pair = TestPair::start().await;
    for (stop, step, by_consumer) in stops()
        .iter()
        .zip([("agree", false), ("accept", true), ("agree", false), ("verify", true), ("finalize", false)])
        .map(|(s, (a, c))| (s, a, c))
    {
        let (id, provider) = stopped(&pair, stop).await;
        let (node, own) = if by_consumer { (&pair.consumer, &id) } else { (&pair.provider, &provider) };
        let wrong = if by_consumer { "finalize" } else { "verify" };
        assert_eq!(node.post(&format!("/negotiations/{own}/{wrong}"), &json!({})).await.refused(400), "FDC-3001", "{}", stop.state);
        act(node, own, step).await;
        finalized(&pair, &id).await;
    }
}

#[tokio::test]
async fn a_decision_may_wait() {
    let pair = TestPair::with_wind().await;
    let rules = json!({"requested": [{"do": "agree", "after_ms": 400}]});
    let offer = pair.provider.add_offer_with_rules("wind", permission(&[count(7)]), rules).await;
    let id = pair.begin_with(json!({"product": "wind", "offer": offer})).await;
    finalized(&pair, &id).await;
    let provider = pair.provider_negotiation(&id).await;
    let at = |n: usize| {
        let text = provider["events"][n]["at"].as_str().expect("an instant");
        fondaco_core::time::Timestamp::parse(text).expect("an instant")
    };
    assert!(at(1).since(at(0)).0 >= 400_000, "{provider}");
}

#[tokio::test]
async fn a_step_by_a_person_makes_a_waiting_decision_void() {
    let pair = TestPair::with_wind().await;
    let rules = json!({"requested": [{"do": "terminate", "after_ms": 600}]});
    let offer = pair.provider.add_offer_with_rules("wind", permission(&[count(7)]), rules).await;
    let id = pair.begin_with(json!({"product": "wind", "offer": offer})).await;
    let provider = at_provider(&pair, &id).await;
    act(&pair.provider, &provider, "agree").await;
    finalized(&pair, &id).await;
    // The void decision leaves the outbox when it comes due, and changes nothing.
    eventually("the outbox to be empty", async || {
        let node = pair.provider.admin(reqwest::Method::GET, "/api/v1/node", Some(&pair.provider.token), None).await.must(200);
        (node["jobs"]["pending"] == 0).then_some(())
    })
    .await;
    assert_eq!(pair.provider.settled(&provider).await["state"], "FINALIZED");
}

#[tokio::test]
async fn an_offer_for_one_recipient_is_seen_by_nobody_else() {
    let pair = TestPair::start().await;
    let guest = pair.consumer.add_participant("guest").await;
    let for_guest = json!({"leftOperand": "recipient", "operator": "eq", "rightOperand": guest.did});
    let product = pair.provider.publish("secret", tables::WIND, &[offer(&[for_guest])]).await;
    pair.provider.publish("wind", tables::WIND, &[]).await;
    let peer = json!({"peer": pair.provider.did});
    let seen = pair.consumer.post("/catalog", &peer).await.must(200);
    let ids: Vec<&str> = seen["datasets"].as_array().expect("datasets").iter().map(|d| d["id"].as_str().expect("id")).collect();
    assert_eq!(ids, ["wind"]);
    let asked = pair.consumer.post("/negotiations", &json!({"peer": pair.provider.did, "product": "secret"})).await;
    assert_eq!(asked.refused(404), "FDC-1004");
    // Who was told the offer's id asks in vain too.
    let id = ask_for(&pair, "secret", &offer_id(&product), product["offers"][0]["odrl"].clone()).await;
    denied(&pair, &id, "recipient").await;
    // The one it is for makes the deal.
    let path = "/api/v1/participants/guest/negotiations";
    let body = json!({"peer": pair.provider.did, "product": "secret"});
    let begun = pair.consumer.admin(reqwest::Method::POST, path, Some(&pair.consumer.token), Some(&body)).await.must(201);
    let path = format!("{path}/{}?wait=30", begun["negotiationId"].as_str().expect("id"));
    let done = pair.consumer.admin(reqwest::Method::GET, &path, Some(&pair.consumer.token), None).await.must(200);
    assert_eq!(done["state"], "FINALIZED", "{done}");
}

/// It ends on both sides, by the provider, for a constraint.
async fn denied(pair: &TestPair, id: &str, constraint: &str) -> String {
    let consumer = pair.consumer.settled(id).await;
    let provider = pair.provider_negotiation(id).await;
    for n in [&consumer, &provider] {
        assert_eq!((&n["state"], &n["ending"]["by"]), (&json!("TERMINATED"), &json!("provider")), "{constraint}: {n}");
        assert_eq!(n["ending"]["code"], "FDC-3004", "{n}");
    }
    assert_eq!(consumer["ending"]["reasons"], provider["ending"]["reasons"]);
    let reason = consumer["ending"]["reasons"][0].as_str().expect("a reason").to_owned();
    assert!(reason.ends_with(&format!("({constraint})")), "{reason}");
    reason
}

#[tokio::test]
async fn what_the_policy_denies_ends_with_the_reason_on_both_sides() {
    let pair = TestPair::of("provider", Options::from("consumer").in_country("DE")).await;
    let late = json!({"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2020-01-01T00:00:00Z"});
    let early = json!({"leftOperand": "dateTime", "operator": "gteq", "rightOperand": "2999-01-01T00:00:00Z"});
    let china = json!({"leftOperand": "spatial", "operator": "eq", "rightOperand": "CN"});
    let research = json!({"leftOperand": "purpose", "operator": "eq", "rightOperand": "research"});
    for (product, constraint, purpose, words) in [
        ("late", &late, None, "ended"),
        ("early", &early, None, "begins"),
        ("china", &china, None, "DE"),
        ("research", &research, Some("advertising"), "advertising"),
    ] {
        pair.provider.publish(product, tables::WIND, &[offer(std::slice::from_ref(constraint))]).await;
        let id = pair.begin_with(json!({"product": product, "purpose": purpose.as_slice()})).await;
        let reason = denied(&pair, &id, constraint["leftOperand"].as_str().expect("a name")).await;
        assert!(reason.contains(words), "{reason}");
    }
    let id = pair.begin_with(json!({"product": "research", "purpose": ["research"]})).await;
    let agreement = finalized(&pair, &id).await;
    assert_eq!(agreement["declared"], json!({"spatial": "DE", "purpose": ["research"]}));
}

#[tokio::test]
async fn who_declares_no_country_is_denied_where_one_is_asked_for() {
    let pair = TestPair::start().await;
    let china = json!({"leftOperand": "spatial", "operator": "eq", "rightOperand": "CN"});
    pair.provider.publish("china", tables::WIND, &[offer(&[china])]).await;
    let id = pair.begin("china").await;
    assert!(denied(&pair, &id, "spatial").await.contains("none was declared"));
}

#[tokio::test]
async fn a_withdrawn_product_cannot_be_agreed() {
    let pair = TestPair::start().await;
    let product = pair.provider.publish("wind", tables::WIND, &[]).await;
    let rules = json!({"requested": [{"do": "hold"}]});
    let held = pair.provider.add_offer_with_rules("wind", permission(&[count(7)]), rules).await;
    let waiting = pair.begin_with(json!({"product": "wind", "offer": held})).await;
    let at_provider = at_provider(&pair, &waiting).await;
    let kept = ask_for(&pair, "wind", &offer_id(&product), product["offers"][0]["odrl"].clone()).await;
    let agreement = finalized(&pair, &kept).await;

    pair.provider.post("/products/wind/withdraw", &json!({})).await.must(200);
    assert_eq!(pair.provider.post("/products/wind/withdraw", &json!({})).await.refused(409), "FDC-1005");
    // Not in the catalogue, and not to be had by its ids.
    assert_eq!(pair.consumer.post("/catalog", &json!({"peer": pair.provider.did})).await.must(200)["datasets"], json!([]));
    let late = ask_for(&pair, "wind", &offer_id(&product), product["offers"][0]["odrl"].clone()).await;
    let late = pair.consumer.settled(&late).await;
    assert_eq!((&late["state"], &late["ending"]["code"]), (&json!("TERMINATED"), &json!("FDC-2008")), "{late}");
    // What waited for approval cannot be approved any more, and both learn why.
    act(&pair.provider, &at_provider, "agree").await;
    for n in [pair.consumer.settled(&waiting).await, pair.provider.settled(&at_provider).await] {
        assert_eq!(n["state"], "TERMINATED");
        assert_eq!(n["ending"]["reasons"], json!(["The product was withdrawn."]));
    }
    // What was agreed is kept.
    assert!(!pair.access(agreement["id"].as_str().expect("id")).await.bytes().await.is_empty());
}

#[tokio::test]
async fn a_new_version_is_a_new_dataset_and_the_old_agreement_keeps_its_bytes() {
    let pair = TestPair::with_wind().await;
    let first = pair.agree("wind").await;
    let before = pair.access(&first).await.bytes().await;
    let second = pair.provider.publish("wind", tables::WIND_2, &[]).await;
    assert_eq!((&second["version"], &second["datasetId"]), (&json!(2), &json!("wind:2")));
    let newest = pair.agree("wind").await;
    let old = pair.access(&first).await;
    let new = pair.access(&newest).await;
    assert_eq!(old.bytes().await, before, "version 1 is what was agreed");
    assert_ne!(new.bytes().await, before);
    let dataset = |id: &str| format!("/agreements/{id}");
    assert_eq!(pair.consumer.get(&dataset(&first)).await.must(200)["dataset"], "wind");
    assert_eq!(pair.consumer.get(&dataset(&newest)).await.must(200)["dataset"], "wind:2");
    // The newest version is in the catalogue; the first can still be named.
    let seen = pair.consumer.post("/catalog", &json!({"peer": pair.provider.did})).await.must(200);
    assert_eq!(seen["datasets"].as_array().map(Vec::len), Some(1));
    assert_eq!((&seen["datasets"][0]["id"], &seen["datasets"][0]["rows"]), (&json!("wind:2"), &json!(4)));
}

#[tokio::test]
async fn several_offers_have_to_be_named() {
    let pair = TestPair::start().await;
    let product = pair.provider.publish("wind", tables::WIND, &[offer(&[count(1)]), offer(&[count(2)])]).await;
    let body = json!({"peer": pair.provider.did, "product": "wind"});
    assert_eq!(pair.consumer.post("/negotiations", &body).await.refused(400), "FDC-3002");
    let second = product["offers"][1]["id"].as_str().expect("id").to_owned();
    let id = pair.begin_with(json!({"product": "wind", "offer": second})).await;
    assert_eq!(finalized(&pair, &id).await["readsMax"], 2);
}

#[tokio::test]
async fn both_sides_of_a_deal_may_live_on_one_node() {
    let node = TestNode::start("alpha").await;
    node.publish("wind", tables::WIND, &[]).await;
    node.add_participant("beta").await;
    let path = "/api/v1/participants/beta/negotiations";
    let body = json!({"peer": node.did, "product": "wind"});
    let begun = node.admin(reqwest::Method::POST, path, Some(&node.token), Some(&body)).await.must(201);
    let path = format!("{path}/{}?wait=30", begun["negotiationId"].as_str().expect("id"));
    let done = node.admin(reqwest::Method::GET, &path, Some(&node.token), None).await.must(200);
    assert_eq!(done["state"], "FINALIZED", "{done}");
    let id = done["agreementId"].as_str().expect("id");
    let theirs =
        node.admin(reqwest::Method::GET, &format!("/api/v1/participants/beta/agreements/{id}"), Some(&node.token), None).await.must(200);
    assert_eq!(node.get(&format!("/agreements/{id}")).await.must(200)["digest"], theirs["digest"]);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_terms_are_agreed_and_longer_ones_are_refused_when_published() {
    let pair = TestPair::start().await;
    let others = |n: usize| (0..n).map(|i| format!("did:web:organisation-number-{i}.example:p:main"));
    let recipients = |n: usize| {
        let all: Vec<String> = others(n).chain([pair.consumer.did.to_string()]).collect();
        offer(&[json!({"leftOperand": "recipient", "operator": "isAnyOf", "rightOperand": all})])
    };
    // Some 40 KiB, in the request, the agreement, and what both sides store and still have to send.
    pair.provider.publish("many", tables::WIND, &[recipients(900)]).await;
    let settled = pair.negotiate("many").await;
    assert_eq!(settled["state"], "FINALIZED", "{settled}");

    let several: Vec<Value> = (0..10).flat_map(|_| recipients(900)["permission"].as_array().cloned().unwrap_or_default()).collect();
    let path = pair.provider.dir().join("too-many.csv");
    std::fs::write(&path, tables::WIND).expect("a table");
    let body = json!({"id": "too-many", "title": "Too many", "kind": "table", "paths": [path], "offers": [{"permission": several}]});
    let refused = pair.provider.post("/products", &body).await;
    assert_eq!(refused.status, 413, "{}", refused.text());
    assert_eq!(refused.json()["code"], "FDC-1006");
    pair.shutdown().await;
}
