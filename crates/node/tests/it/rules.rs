//! Decision rules: limits within which a node agrees by itself, programs that decide for it, and what becomes of a
//! decision that nobody waits for any more.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fondaco_core::{negotiation::Terms, participant::Declarations};
use fondaco_testkit::{Fault, TestNode, TestPair, eventually};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc};

fn count(n: u64) -> Value {
    json!({"permission": [{"action": "use", "constraint": [{"leftOperand": "count", "operator": "lteq", "rightOperand": n}]}]})
}

/// Asks for so many reads of the offer, whatever it says.
async fn ask_for(pair: &TestPair, offer_id: &str, reads: u64) -> String {
    let me = pair.consumer.participant().await;
    let remote = pair.consumer.app.remote(&me, pair.provider.did.as_str()).await.expect("the provider");
    let terms = Terms { offer_id: offer_id.into(), odrl: count(reads) };
    let begun = pair.consumer.app.negotiation_request(&me, &remote, "wind".into(), terms, Declarations::default(), None).await;
    begun.expect("it is asked").id.to_string()
}

/// The number of reads in the terms on the table.
fn reads(n: &Value) -> &Value {
    &n["offer"]["odrl"]["permission"][0]["constraint"][0]["rightOperand"]
}

/// The provider's view, once it has the negotiation.
async fn at_provider(pair: &TestPair, consumer_id: &str) -> String {
    eventually("the provider to have the negotiation", async || {
        let n = pair.consumer.get(&format!("/negotiations/{consumer_id}")).await.must(200);
        n["peerPid"].as_str().map(str::to_owned)
    })
    .await
}

/// Waits until the timeline says something, and gives the negotiation.
async fn told(node: &TestNode, id: &str, words: &str) -> Value {
    eventually(words, async || {
        let n = node.get(&format!("/negotiations/{id}")).await.must(200);
        let said = n["events"].as_array().expect("a timeline").iter().any(|e| e["text"].as_str().is_some_and(|t| t.contains(words)));
        said.then_some(n)
    })
    .await
}

#[tokio::test]
async fn a_rule_agrees_within_its_limit_and_offers_beyond_it() {
    let pair = TestPair::with_wind().await;
    let rules =
        json!({"requested": [{"do": "agree", "within": count(500)}], "counter_requested": [{"do": "agree", "otherwise": "terminate"}]});
    let offer = pair.provider.add_offer_with_rules("wind", count(100), rules).await;
    for wish in [500, 1] {
        let id = ask_for(&pair, &offer, wish).await;
        let done = pair.consumer.settled(&id).await;
        assert_eq!(done["state"], "FINALIZED", "{wish}: {done}");
        let agreement = pair.provider.get(&format!("/agreements/{}", done["agreementId"].as_str().expect("an id"))).await.must(200);
        assert_eq!(agreement["document"]["permission"][0]["constraint"][0]["rightOperand"], wish, "{agreement}");
    }
    let id = ask_for(&pair, &offer, 501).await;
    let offered = pair.consumer.reaches("negotiations", &id, "OFFERED").await;
    assert_eq!(reads(&offered), 100, "the published terms");
    pair.consumer.post(&format!("/negotiations/{id}/accept"), &json!({})).await.must(200);
    assert_eq!(pair.consumer.settled(&id).await["state"], "FINALIZED");
    // Who insists is refused, as the second rule says.
    let id = ask_for(&pair, &offer, 501).await;
    pair.consumer.reaches("negotiations", &id, "OFFERED").await;
    pair.consumer.post(&format!("/negotiations/{id}/counter"), &json!({})).await.must(200);
    let ended = pair.consumer.settled(&id).await;
    assert_eq!((&ended["state"], &ended["ending"]["by"]), (&json!("TERMINATED"), &json!("provider")), "{ended}");
}

#[tokio::test]
async fn a_consumers_rules_may_be_for_one_provider() {
    let pair = TestPair::with_wind().await;
    let rules = json!({"requested": [{"do": "offer"}]});
    let offer = pair.provider.add_offer_with_rules("wind", count(100), rules).await;
    let accept = json!([{"do": "accept", "within": count(50)}]);
    for (with, state) in [("did:web:somebody.example", "OFFERED"), (pair.provider.did.as_str(), "FINALIZED")] {
        pair.consumer.put("/rules", &json!({"with": {with: {"offered": accept}}})).await.must(200);
        let id = ask_for(&pair, &offer, 200).await;
        let n = pair.consumer.reaches("negotiations", &id, state).await;
        assert_eq!(n["state"], state);
    }
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_kept() {
    let pair = TestPair::with_wind().await;
    let rules = json!({"requested": [{"do": "terminate", "after_ms": 86_400_000}]});
    let offer = pair.provider.add_offer_with_rules("wind", count(7), rules).await;
    let id = ask_for(&pair, &offer, 7).await;
    at_provider(&pair, &id).await;
    assert_eq!(pair.provider.outbox().await, 1, "the decision of tomorrow");
    pair.consumer.post(&format!("/negotiations/{id}/terminate"), &json!({})).await.must(200);
    pair.provider.idle().await;
}

#[tokio::test]
async fn a_rule_that_asks_for_the_impossible_leaves_it_to_a_person() {
    let pair = TestPair::with_wind().await;
    for after_ms in [0, 50] {
        let rules = json!({"requested": [{"do": "finalize", "after_ms": after_ms}]});
        let offer = pair.provider.add_offer_with_rules("wind", count(7), rules).await;
        let id = ask_for(&pair, &offer, 7).await;
        let own = at_provider(&pair, &id).await;
        let n = told(&pair.provider, &own, "a person must decide").await;
        assert_eq!(n["state"], "REQUESTED", "{n}");
        pair.provider.post(&format!("/negotiations/{own}/agree"), &json!({})).await.must(200);
        assert_eq!(pair.consumer.settled(&id).await["state"], "FINALIZED");
    }
}

/// A program that decides: it answers each question with what it is given.
struct Decider {
    url: String,
    asked: mpsc::UnboundedReceiver<(String, Bytes)>,
}

#[derive(Clone)]
struct Desk {
    answer: (u16, String),
    asked: mpsc::UnboundedSender<(String, Bytes)>,
}

async fn decider(status: u16, answer: &Value) -> Decider {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/decide", listener.local_addr().expect("an address"));
    let (sender, asked) = mpsc::unbounded_channel();
    let desk = Desk { answer: (status, answer.to_string()), asked: sender };
    let handle = async |State(desk): State<Desk>, headers: HeaderMap, body: Bytes| {
        let signature = headers.get("x-jws-signature").expect("a signature").to_str().expect("text").to_owned();
        // Nobody reads any more: the test has seen enough.
        let _ = desk.asked.send((signature, body));
        (StatusCode::from_u16(desk.answer.0).expect("a status"), desk.answer.1)
    };
    tokio::spawn(axum::serve(listener, Router::new().fallback(handle).with_state(desk)).into_future());
    Decider { url, asked }
}

/// The signature is the participant's, by the key in its DID document.
async fn assert_signed(node: &TestNode, signature: &str, body: &[u8]) {
    let document = node.public(reqwest::Method::GET, &format!("/p/{}/did.json", node.slug)).await.must(200);
    let jwk = &document["verificationMethod"][0]["publicKeyJwk"];
    let text = |v: &Value| v.as_str().expect("text").to_owned();
    let key = DecodingKey::from_ec_components(&text(&jwk["x"]), &text(&jwk["y"])).expect("a key");
    let (header, value) = signature.split_once("..").expect("detached content");
    let head: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64url")).expect("JSON");
    assert_eq!((&head["alg"], &head["kid"]), (&json!("ES256"), &document["verificationMethod"][0]["id"]));
    let check = |body: &[u8]| {
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(body));
        jsonwebtoken::crypto::verify(value, signed.as_bytes(), &key, Algorithm::ES256).expect("checked")
    };
    assert!(check(body));
    assert!(!check(&[body, b" "].concat()), "of these bytes alone");
}

#[tokio::test]
async fn a_program_decides() {
    let pair = TestPair::with_wind().await;
    for (answer, state, reason) in [
        (json!({"do": "agree"}), "FINALIZED", ""),
        (json!({"do": "terminate", "reason": "Not for you."}), "TERMINATED", "Not for you."),
        (json!({"do": "offer", "offer": count(3)}), "OFFERED", ""),
    ] {
        let mut decider = decider(200, &answer).await;
        let rules = json!({"requested": [{"do": "webhook", "url": decider.url}]});
        let offer = pair.provider.add_offer_with_rules("wind", count(100), rules).await;
        let id = ask_for(&pair, &offer, 200).await;
        let n = pair.consumer.reaches("negotiations", &id, state).await;
        if state == "TERMINATED" {
            assert_eq!(n["ending"]["reasons"], json!([reason]), "{n}");
        }
        if state == "OFFERED" {
            assert_eq!(reads(&n), 3, "{n}");
        }
        let (signature, body) = decider.asked.recv().await.expect("it was asked");
        assert_signed(&pair.provider, &signature, &body).await;
        let asked: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((&asked["url"], &asked["participant"]), (&json!(decider.url), &json!(pair.provider.did)), "{asked}");
        let about = &asked["negotiation"];
        assert_eq!((&about["state"], &about["dataset"], &about["peer"]), (&json!("REQUESTED"), &json!("wind"), &json!(pair.consumer.did)));
        let constraint = |terms: &Value| terms["odrl"]["permission"][0]["constraint"][0]["rightOperand"].clone();
        assert_eq!((constraint(&about["terms"]), constraint(&about["reference"])), (json!(200), json!(100)), "{asked}");
        assert!(decider.asked.try_recv().is_err(), "asked once");
    }
}

#[tokio::test]
async fn a_program_that_does_not_decide_leaves_the_safe_default() {
    let pair = TestPair::with_wind().await;
    for (status, answer, why) in [
        (200, json!({"do": "dance"}), "cannot be read"),
        (200, json!({"do": "finalize"}), "cannot be followed"),
        (200, json!({"do": "offer", "offer": {"permission": [{"action": "sing"}]}}), "cannot be followed"),
        (404, json!({}), "answered 404"),
        (500, json!({}), "answered 500"),
    ] {
        let decider = decider(status, &answer).await;
        for otherwise in ["hold", "terminate"] {
            let rules = json!({"requested": [{"do": "webhook", "url": decider.url, "otherwise": otherwise, "wait_ms": 3_000}]});
            let offer = pair.provider.add_offer_with_rules("wind", count(100), rules).await;
            let id = ask_for(&pair, &offer, 100).await;
            let own = at_provider(&pair, &id).await;
            let n = told(&pair.provider, &own, why).await;
            if otherwise == "hold" {
                assert_eq!(n["state"], "REQUESTED", "{answer}: {n}");
                pair.provider.post(&format!("/negotiations/{own}/agree"), &json!({})).await.must(200);
                assert_eq!(pair.consumer.settled(&id).await["state"], "FINALIZED", "a person decides instead");
            } else {
                assert_eq!(pair.consumer.settled(&id).await["state"], "TERMINATED", "{answer}");
            }
        }
    }
    pair.provider.idle().await;
}

#[tokio::test]
async fn a_program_that_is_away_is_asked_again_until_its_time_is_over() {
    let pair = TestPair::with_wind().await;
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let url = format!("http://127.0.0.1:{port}/decide");
    let rules = json!({"requested": [{"do": "webhook", "url": url, "otherwise": "terminate", "wait_ms": 1_200}]});
    let offer = pair.provider.add_offer_with_rules("wind", count(100), rules).await;
    let id = ask_for(&pair, &offer, 100).await;
    let ended = pair.consumer.settled(&id).await;
    assert_eq!((&ended["state"], &ended["ending"]["by"]), (&json!("TERMINATED"), &json!("provider")), "{ended}");
    let provider = pair.provider_negotiation(&id).await;
    told(&pair.provider, provider["id"].as_str().expect("an id"), "cannot be asked").await;
}

#[tokio::test]
async fn rules_are_checked_when_they_are_set() {
    let pair = TestPair::with_wind().await;
    let product = pair.provider.get("/products/wind").await.must(200);
    let path = format!("/offers/{}/rules", product["offers"][0]["id"].as_str().expect("an id"));
    for (rules, code) in [
        (json!({"requested": [{"do": "webhook", "url": "http://10.0.0.1/decide"}]}), "FDC-2005"),
        (json!({"requested": [{"do": "webhook"}]}), "FDC-1001"),
        (json!({"requested": [{"do": "agree", "within": {"permission": [{"action": "sing"}]}}]}), "FDC-3003"),
        (json!({"requested": [{"do": "offer", "after_ms": 86_400_001}]}), "FDC-1001"),
    ] {
        let answer = pair.provider.put(&path, &rules).await;
        assert_eq!(answer.json()["code"], code, "{rules}: {}", answer.text());
        assert_eq!(answer.status, 400, "{rules}");
    }
    assert_eq!(pair.provider.get("/products/wind").await.must(200)["offers"][0]["rules"], json!({}), "nothing was set");
}

/// Why the last step that has a cause was taken, in words.
fn because(process: &Value) -> String {
    let events = process["events"].as_array().expect("events");
    events.iter().rev().find_map(|e| e["because"].as_str()).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn whose_decision_it_was_is_told_to_our_people_and_to_nobody_else() {
    let pair = TestPair::with_wind().await;
    for (after_ms, people) in [(0, false), (30, false), (86_400_000, true)] {
        let rules = json!({"requested": [{"do": "terminate", "after_ms": after_ms}]});
        let offer = pair.provider.add_offer_with_rules("wind", count(7), rules).await;
        let id = ask_for(&pair, &offer, 7).await;
        let own = at_provider(&pair, &id).await;
        if people {
            pair.provider.post(&format!("/negotiations/{own}/terminate"), &json!({"reason": "No."})).await.must(200);
        }
        let ended = pair.provider.settled(&own).await;
        let expected = if people { "decided with the API token \"made by init\"" } else { "decided by the rule for requested: terminate" };
        assert_eq!(because(&ended), expected, "{ended}");
        let theirs = pair.consumer.settled(&id).await;
        let last = theirs["events"].as_array().and_then(|e| e.last()).expect("an event");
        assert!(
            last["because"].is_null() && !theirs.to_string().contains("rule for") && !theirs.to_string().contains("made by init"),
            "{theirs}"
        );
    }
}

#[tokio::test]
async fn an_exchange_that_failed_is_shown_without_what_is_secret() {
    const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
    const REFUSAL: &str = r#"{"@context":["https://w3id.org/dspace/2025/1/context.jsonld"],"@type":"ContractNegotiationError",
        "providerPid":"x","consumerPid":"y","code":"1","reason":["Closed today."]}"#;
    let pair = TestPair::of(fondaco_testkit::Options::from("provider").behind_proxy(), "consumer").await;
    pair.provider.publish("wind", "a,b\n1,2\n", &[count(7)]).await;
    pair.provider.proxy().fail("POST", "/negotiations/request", 1, Fault::Answer(400, JSON, REFUSAL));
    let id = pair.begin("wind").await;
    let ended = pair.consumer.settled(&id).await;
    let cause = ended["events"].as_array().and_then(|e| e.last()).map(|e| e["cause"].clone()).expect("a cause");
    let url = format!("{}/negotiations/request", pair.provider.dsp_url());
    assert_eq!(
        cause,
        json!({"by": "exchange", "message": "ContractRequestMessage", "method": "POST", "url": url, "status": 400,
            "answer": "Closed today.", "attempts": 1})
    );
    assert!(because(&ended).ends_with("answered 400. Closed today."), "{}", because(&ended));
    assert!(!ended.to_string().contains("Bearer"), "{ended}");
}
