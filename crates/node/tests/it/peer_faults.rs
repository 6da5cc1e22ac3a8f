//! Peers and networks that fail: a process waits, goes on or ends with a reason, and happens once.

use fondaco_testkit::{Fault, Options, TestPair, eventually, tables};
use serde_json::{Value, json};
use std::time::Duration;

/// A pair whose provider is reached through a proxy, and the table `wind`.
async fn unsteady_provider() -> TestPair {
    let pair = TestPair::of(Options::from("provider").behind_proxy(), "consumer").await;
    pair.provider.publish("wind", tables::WIND, &[]).await;
    pair
}

async fn unsteady_consumer() -> TestPair {
    let pair = TestPair::of("provider", Options::from("consumer").behind_proxy()).await;
    pair.provider.publish("wind", tables::WIND, &[]).await;
    pair
}

/// One deal, on both sides, and nothing besides.
async fn assert_one_deal(pair: &TestPair, id: &str) -> String {
    let done = pair.consumer.settled(id).await;
    assert_eq!(done["state"], "FINALIZED", "{done}");
    assert_eq!(pair.provider_negotiation(id).await["state"], "FINALIZED");
    let mut digests = Vec::new();
    for node in [&pair.provider, &pair.consumer] {
        let agreements = node.get("/agreements").await.must(200);
        assert_eq!(agreements["agreements"].as_array().map(Vec::len), Some(1), "{agreements}");
        assert_eq!(node.get("/negotiations").await.must(200)["negotiations"].as_array().map(Vec::len), Some(1));
        digests.push(agreements["agreements"][0]["digest"].clone());
    }
    assert_eq!(digests[0], digests[1]);
    done["agreementId"].as_str().expect("an agreement").to_owned()
}

async fn delivery_problem(node: &fondaco_testkit::TestNode, kind: &str, id: &str) -> (Value, String) {
    eventually("the process to say why it waits", async || {
        let process = node.get(&format!("/{kind}/{id}")).await.must(200);
        let problem = process["deliveryProblem"].as_str().map(str::to_owned);
        problem.map(|problem| (process, problem))
    })
    .await
}

#[tokio::test]
async fn a_provider_that_is_down_is_waited_for() {
    let pair = unsteady_provider().await;
    // The request is held on its way until the provider has gone.
    pair.provider.proxy().fail("POST", "/negotiations/request", 1, Fault::LoseRequest);
    let id = pair.begin("wind").await;
    pair.provider.proxy().faults(1).await;
    pair.provider.proxy().down().await;
    let (waiting, problem) = delivery_problem(&pair.consumer, "negotiations", &id).await;
    assert_eq!((&waiting["state"], &waiting["peerPid"]), (&json!("REQUESTED"), &Value::Null));
    assert!(!problem.is_empty());
    let exchange = &waiting["deliveryExchange"];
    assert_eq!((&exchange["message"], &exchange["method"]), (&json!("ContractRequestMessage"), &json!("POST")), "{waiting}");
    assert!(exchange["url"].as_str().is_some_and(|url| url.ends_with("/negotiations/request")), "{waiting}");
    assert!(exchange["attempts"].as_u64().is_some_and(|n| n > 0) && exchange["status"].is_null(), "{waiting}");
    let node = pair.consumer.admin(reqwest::Method::GET, "/api/v1/node", Some(&pair.consumer.token), None).await.must(200);
    assert_eq!(node["jobs"]["pending"], 1);
    // Whoever asks for something new is told at once.
    let new = pair.consumer.post("/negotiations", &json!({"peer": pair.provider.did, "product": "wind"})).await;
    assert_eq!(new.refused(502), "FDC-2006", "{}", new.text());
    pair.provider.proxy().up().await;
    let agreement = assert_one_deal(&pair, &id).await;
    assert_eq!(pair.consumer.get(&format!("/negotiations/{id}")).await.must(200).get("deliveryProblem"), None);
    assert!(!pair.access(&agreement).await.files().await.is_empty());
}

#[tokio::test]
async fn a_consumer_that_is_down_is_waited_for() {
    let pair = unsteady_consumer().await;
    pair.consumer.proxy().fail("POST", "/agreement", 1, Fault::LoseRequest);
    let id = pair.begin("wind").await;
    pair.consumer.proxy().faults(1).await;
    pair.consumer.proxy().down().await;
    let provider = pair.provider.by_peer_pid("negotiations", &id).await["id"].as_str().expect("id").to_owned();
    let (waiting, _) = delivery_problem(&pair.provider, "negotiations", &provider).await;
    assert_eq!(waiting["state"], "AGREED");
    assert_eq!(pair.provider.get("/agreements").await.must(200)["agreements"], json!([]), "nothing is in force yet");
    pair.consumer.proxy().up().await;
    assert_one_deal(&pair, &id).await;
}

#[tokio::test]
async fn an_answer_that_is_lost_doubles_nothing() {
    for (path, to_provider) in
        [("/negotiations/request", true), ("/agreement", false), ("/agreement/verification", true), ("/events", false)]
    {
        let pair = if to_provider { unsteady_provider().await } else { unsteady_consumer().await };
        let proxy = if to_provider { pair.provider.proxy() } else { pair.consumer.proxy() };
        proxy.fail("POST", path, 2, Fault::LoseAnswer);
        let id = pair.begin("wind").await;
        proxy.faults(2).await;
        assert_one_deal(&pair, &id).await;
        // The timelines have each step once.
        for n in [pair.consumer.settled(&id).await, pair.provider_negotiation(&id).await] {
            let kinds: Vec<&str> = n["events"].as_array().expect("events").iter().map(|e| e["kind"].as_str().expect("kind")).collect();
            let once: std::collections::HashSet<&&str> = kinds.iter().collect();
            assert_eq!(once.len(), kinds.len(), "{path}: {kinds:?}");
        }
    }
}

#[tokio::test]
async fn lost_answers_about_transfers_double_nothing() {
    for (path, to_provider) in [("/transfers/request", true), ("/start", false)] {
        let pair = if to_provider { unsteady_provider().await } else { unsteady_consumer().await };
        let agreement = pair.agree("wind").await;
        let proxy = if to_provider { pair.provider.proxy() } else { pair.consumer.proxy() };
        proxy.fail("POST", path, 2, Fault::LoseAnswer);
        let access = pair.access(&agreement).await;
        assert!(!access.files().await.is_empty());
        proxy.faults(2).await;
        for node in [&pair.provider, &pair.consumer] {
            let transfers = node.get("/transfers").await.must(200);
            assert_eq!(transfers["transfers"].as_array().map(Vec::len), Some(1), "{path}: {transfers}");
            assert_eq!(transfers["transfers"][0]["state"], "STARTED");
        }
    }
}

#[tokio::test]
async fn requests_may_be_lost_or_late_and_answers_cut() {
    for fault in [Fault::LoseRequest, Fault::Delay(Duration::from_millis(300)), Fault::Cut(20)] {
        let pair = unsteady_provider().await;
        pair.provider.proxy().fail("POST", "/negotiations/request", 1, fault.clone());
        pair.provider.proxy().fail("POST", "/agreement/verification", 1, fault);
        let id = pair.begin("wind").await;
        assert_one_deal(&pair, &id).await;
        pair.provider.proxy().faults(2).await;
    }
}

#[tokio::test]
async fn a_failing_peer_is_tried_again() {
    for status in [500, 503, 429] {
        let pair = unsteady_provider().await;
        pair.provider.proxy().fail("POST", "/negotiations/request", 1, Fault::Answer(status, &[], "<html>not now</html>"));
        let id = pair.begin("wind").await;
        pair.provider.proxy().faults(1).await;
        let (_, problem) = delivery_problem(&pair.consumer, "negotiations", &id).await;
        assert!(problem.contains(&status.to_string()), "{problem}");
        assert_one_deal(&pair, &id).await;
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_ends_it_with_a_reason() {
    const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
    const ELSEWHERE: &[(&str, &str)] = &[("location", "http://127.0.0.1:1/")];
    for (fault, code, words) in [
        (Fault::Answer(200, JSON, "garbage"), "FDC-2007", "cannot be used"),
        (Fault::Answer(200, JSON, "{}"), "FDC-2007", "cannot be used"),
        (
            Fault::Answer(
                200,
                JSON,
                r#"{"@context":["https://w3id.org/dspace/2025/1/context.jsonld"],"@type":"ContractNegotiation","providerPid":"a","consumerPid":"other","state":"REQUESTED"}"#,
            ),
            "FDC-2007",
            "another negotiation",
        ),
        (Fault::Answer(302, ELSEWHERE, ""), "FDC-2008", "302"),
        (Fault::Answer(404, &[], "nobody here"), "FDC-2008", "404"),
        (
            Fault::Answer(
                403,
                JSON,
                r#"{"@context":["https://w3id.org/dspace/2025/1/context.jsonld"],"@type":"ContractNegotiationError","providerPid":"","consumerPid":"c","reason":["Not for you."]}"#,
            ),
            "FDC-2008",
            "Not for you.",
        ),
    ] {
        let told = format!("{fault:?}");
        let pair = unsteady_provider().await;
        // What cannot be read is asked for again some times.
        pair.provider.proxy().fail("POST", "/negotiations/request", 4, fault);
        let id = pair.begin("wind").await;
        let ended = pair.consumer.settled(&id).await;
        assert_eq!((&ended["state"], &ended["ending"]["code"]), (&json!("TERMINATED"), &json!(code)), "{told}: {ended}");
        assert!(ended["ending"]["reasons"][0].as_str().is_some_and(|r| r.contains(words)), "{told}: {ended}");
        assert_eq!(ended["ending"]["by"], "consumer");
        assert_eq!(pair.provider.get("/negotiations").await.must(200)["negotiations"], json!([]), "it never arrived");
    }
}

#[tokio::test]
async fn a_catalogue_that_cannot_be_read_is_told_to_who_asked() {
    const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
    const ELSEWHERE: &[(&str, &str)] = &[("location", "http://127.0.0.1:1/")];
    let pair = unsteady_provider().await;
    let ask = json!({"peer": pair.provider.did});
    for (fault, code) in [
        (Fault::Answer(200, JSON, "garbage"), "FDC-2007"),
        (Fault::Answer(200, JSON, "{\"@type\":\"Catalog\"}"), "FDC-2007"),
        (Fault::Answer(500, &[], ""), "FDC-2008"),
        (Fault::Answer(302, ELSEWHERE, ""), "FDC-2008"),
        (Fault::LoseRequest, "FDC-2006"),
        (Fault::LoseAnswer, "FDC-2006"),
        (Fault::Cut(30), "FDC-2006"),
    ] {
        let told = format!("{fault:?}");
        pair.provider.proxy().fail("POST", "/catalog/request", 1, fault);
        let answer = pair.consumer.post("/catalog", &ask).await;
        assert_eq!(answer.status, 502, "{told}: {}", answer.text());
        let said = answer.json()["code"].as_str().expect("a code").to_owned();
        assert!(said == code || (told.starts_with("Cut") && said == "FDC-2007"), "{told}: {}", answer.text());
    }
    assert_eq!(pair.consumer.post("/catalog", &ask).await.must(200)["datasets"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_did_document_of_somebody_else_is_not_believed() {
    const JSON: &[(&str, &str)] = &[("content-type", "application/did+json")];
    let pair = unsteady_provider().await;
    for (status, headers, body, code) in [
        (
            200,
            JSON,
            r#"{"@context":["https://www.w3.org/ns/did/v1"],"id":"did:web:somebody.example","verificationMethod":[],"service":[]}"#,
            "FDC-2002",
        ),
        (200, JSON, "garbage", "FDC-2002"),
        (404, &[][..], "", "FDC-2002"),
        (302, &[("location", "http://127.0.0.1:1/did.json")][..], "", "FDC-2002"),
    ] {
        // A DID is looked up again after a while; a participant of its own needs no waiting.
        let slug = format!("p{status}{}", body.len());
        let other = pair.provider.add_participant(&slug).await;
        pair.provider.proxy().fail("GET", "/did.json", 1, Fault::Answer(status, headers, body));
        let answer = pair.consumer.post("/catalog", &json!({"peer": other.did})).await;
        assert_eq!(answer.refused(502), code, "{status} {body}: {}", answer.text());
        pair.provider.proxy().mend();
    }
}

#[tokio::test]
async fn an_end_reaches_a_peer_that_was_away() {
    let pair = unsteady_provider().await;
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    pair.provider.proxy().down().await;
    pair.consumer.post(&format!("/transfers/{}/terminate", access.transfer), &json!({"reason": "Enough."})).await.must(200);
    let node = pair.consumer.admin(reqwest::Method::GET, "/api/v1/node", Some(&pair.consumer.token), None).await.must(200);
    assert_eq!(node["jobs"]["pending"], 1, "the message waits");
    pair.provider.proxy().up().await;
    let transfer = pair.provider_transfer(&access.transfer).await;
    let ended = pair.provider.reaches("transfers", &transfer, "TERMINATED").await;
    assert_eq!(ended["ending"]["reasons"], json!(["Enough."]));
}

#[tokio::test]
async fn what_one_side_gives_up_ends_on_the_other() {
    let pair = unsteady_consumer().await;
    pair.consumer.proxy().fail("POST", "/agreement", 1, Fault::Answer(403, &[], "not here"));
    let id = pair.begin("wind").await;
    let ended = pair.consumer.settled(&id).await;
    assert_eq!((&ended["state"], &ended["ending"]["by"]), (&json!("TERMINATED"), &json!("provider")), "{ended}");
    assert_eq!(pair.provider_negotiation(&id).await["state"], "TERMINATED");
}

#[tokio::test]
async fn an_end_that_is_refused_is_said_again() {
    let pair = unsteady_provider().await;
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    pair.provider.proxy().fail("POST", "/termination", 1, Fault::Answer(400, &[], "what?"));
    pair.consumer.post(&format!("/transfers/{}/terminate", access.transfer), &json!({"reason": "Enough."})).await.must(200);
    let transfer = pair.provider_transfer(&access.transfer).await;
    pair.provider.reaches("transfers", &transfer, "TERMINATED").await;
    pair.provider.proxy().faults(1).await;
}
