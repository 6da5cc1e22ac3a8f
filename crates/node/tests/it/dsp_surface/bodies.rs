//! Bodies that are no messages.

use super::{
    assert_error,
    negotiations::{messages, planted, stored},
};
use fondaco_core::negotiation::Role;
use fondaco_testkit::{TestNode, TestPair, tables, wire};
use reqwest::Method;
use serde_json::{Value, json};

const MIB: usize = 1024 * 1024;

/// What can be wrong with any message, made from a right one.
fn broken(good: &Value) -> Vec<(&'static str, Vec<u8>, u16)> {
    let with = |key: &str, value: Value| {
        let mut message = good.clone();
        message[key] = value;
        message.to_string().into_bytes()
    };
    let without = |key: &str| {
        let mut message = good.clone();
        message.as_object_mut().expect("an object").remove(key);
        message.to_string().into_bytes()
    };
    let deep = {
        let text = good.to_string();
        let nested = format!("{}1{}", "[".repeat(40), "]".repeat(40));
        format!("{},\"more\":{nested}}}", &text[..text.len() - 1])
    };
    let large = {
        let mut text = good.to_string();
        text.push_str(&" ".repeat(MIB + 1 - text.len()));
        text
    };
    let mut cases = vec![
        ("empty", vec![], 400),
        ("half an object", b"{\"@type\":".to_vec(), 400),
        ("a list", b"[]".to_vec(), 400),
        ("null", b"null".to_vec(), 400),
        ("a number", b"42".to_vec(), 400),
        ("a text", b"\"ContractRequestMessage\"".to_vec(), 400),
        ("not UTF-8", [&good.to_string().into_bytes()[..], b"\xff\xfe"].concat(), 400),
        ("text in a wrong encoding", good.to_string().replace("Message", "M\u{e9}ssage").chars().map(|c| c as u8).collect(), 400),
        ("two documents", format!("{good}{good}").into_bytes(), 400),
        ("40 deep", deep.into_bytes(), 400),
        ("a mebibyte and one", large.into_bytes(), 413),
        ("another type", with("@type", json!("DatasetRequestMessage")), 400),
        ("a number as type", with("@type", json!(7)), 400),
        ("no type", without("@type"), 400),
        ("an unknown context", with("@context", json!(["https://example.org/context.jsonld"])), 400),
        ("a number as context", with("@context", json!(7)), 400),
        ("a number as message id", with("@id", json!(7)), 400),
    ];
    for pid in ["providerPid", "consumerPid"] {
        if good.get(pid).is_some() {
            cases.push(("a pid is missing", without(pid), 400));
            cases.push(("a pid is a number", with(pid, json!(12)), 400));
            cases.push(("a pid is a list", with(pid, json!(["a", "b"])), 400));
            cases.push(("a pid is null", with(pid, Value::Null), 400));
            cases.push(("a pid is empty", with(pid, json!("")), 400));
            cases.push(("a pid is too long", with(pid, json!("x".repeat(600))), 400));
            cases.push(("a pid has blanks", with(pid, json!("a b")), 400));
        }
    }
    cases
}

async fn assert_all_refused(subject: &TestNode, peer: &TestNode, path: &str, good: &Value, kind: &str) {
    for (told, body, status) in broken(good) {
        let authorization = peer.authorization(&subject.did).await;
        let answer = subject.dsp(Method::POST, path, Some(&authorization), Some("application/json"), body).await;
        assert_error(&answer, status, kind, &format!("{told}, to {path}"));
    }
    let authorization = peer.authorization(&subject.did).await;
    let answer = subject.dsp(Method::POST, path, Some(&authorization), Some("text/plain"), good.to_string()).await;
    assert_error(&answer, 415, kind, &format!("text/plain, to {path}"));
}

#[tokio::test]
async fn what_is_no_message_is_refused_and_changes_nothing() {
    let pair = TestPair::with_wind().await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    let offer = subject.get("/products/wind").await.must(200)["offers"][0]["id"].as_str().expect("id").to_owned();
    let n = planted(subject, peer, Role::Provider, "OFFERED").await;
    let m = planted(subject, peer, Role::Consumer, "REQUESTED").await;
    let first = wire::first_request(&wire::urn(), &peer.dsp_url(), &wire::offer(&offer, "wind", &[]));
    assert_all_refused(subject, peer, "/negotiations/request", &first, "ContractNegotiationError").await;
    let [counter, _, _, _, accepted, _, termination] = messages(&n);
    let [_, offered, agreement, _, _, _, _] = messages(&m);
    for (path, message, id) in [
        ("request", counter, &n.id),
        ("events", accepted, &n.id),
        ("termination", termination, &n.id),
        ("offers", offered, &m.id),
        ("agreement", agreement, &m.id),
    ] {
        assert_all_refused(subject, peer, &format!("/negotiations/{id}/{path}"), &message, "ContractNegotiationError").await;
    }
    assert_eq!(stored(subject, &n).await, n);
    assert_eq!(stored(subject, &m).await, m);
    let catalog = wire::message("CatalogRequestMessage", json!({}));
    assert_all_refused(subject, peer, "/catalog/request", &catalog, "CatalogError").await;
    let transfer = wire::message(
        "TransferRequestMessage",
        json!({"consumerPid": wire::urn(), "agreementId": "agr", "format": "DeltaSharing-PULL", "callbackAddress": peer.dsp_url()}),
    );
    assert_all_refused(subject, peer, "/transfers/request", &transfer, "TransferError").await;
    assert_eq!(subject.get("/negotiations").await.must(200)["negotiations"].as_array().map(Vec::len), Some(2), "none was opened");
    assert_eq!(subject.get("/transfers").await.must(200)["transfers"], json!([]));
}

#[tokio::test]
async fn members_of_wrong_types_are_refused() {
    let pair = TestPair::with_wind().await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    let offer = subject.get("/products/wind").await.must(200)["offers"][0]["id"].as_str().expect("id").to_owned();
    let good = wire::first_request(&wire::urn(), &peer.dsp_url(), &wire::offer(&offer, "wind", &[]));
    for (pointer, value) in [
        ("/offer", json!([])),
        ("/offer", json!("wind")),
        ("/offer", Value::Null),
        ("/offer/permission", json!([])),
        ("/offer/permission", json!("use")),
        ("/offer/permission/0", json!(1)),
        ("/offer/permission/0/action", Value::Null),
        ("/offer/permission/0/action", json!(["use", "sell"])),
        ("/offer/target", json!({"a": 1})),
        ("/offer/@id", json!(5)),
        ("/offer/@type", json!("Agreement")),
        ("/callbackAddress", json!(5)),
        ("/callbackAddress", json!("")),
        ("/callbackAddress", Value::Null),
    ] {
        let mut message = good.clone();
        *message.pointer_mut(pointer).expect("a member") = value.clone();
        let answer = peer.send(subject, "/negotiations/request", &message).await;
        assert_error(&answer, 400, "ContractNegotiationError", &format!("{pointer} = {value}"));
    }
    assert_eq!(subject.get("/negotiations").await.must(200)["negotiations"], json!([]));
}

#[tokio::test]
async fn other_spellings_of_a_message_are_understood() {
    let pair = TestPair::start().await;
    let (subject, peer) = (&pair.provider, &pair.consumer);
    let n = planted(subject, peer, Role::Provider, "OFFERED").await;
    let (provider, consumer) = super::negotiations::pids(&n);
    let space = "https://w3id.org/dspace/2025/1/";
    let expanded = json!([{
        "@type": [format!("{space}ContractNegotiationEventMessage")],
        format!("{space}providerPid"): [{"@id": provider}],
        format!("{space}consumerPid"): [{"@id": consumer}],
        format!("{space}eventType"): [{"@id": format!("{space}ACCEPTED")}],
    }]);
    let ack = peer.send(subject, &format!("/negotiations/{}/events", n.id), &expanded).await.must(200);
    assert_eq!(ack["state"], "ACCEPTED");
}

#[tokio::test]
async fn a_dataset_that_there_is_not_is_an_error_of_the_catalogue() {
    let pair = TestPair::with_wind().await;
    assert_error(&pair.consumer.ask(&pair.provider, "/catalog/datasets/storm").await, 404, "CatalogError", "no dataset");
    let catalog =
        pair.consumer.send(&pair.provider, "/catalog/request", &wire::message("CatalogRequestMessage", json!({}))).await.must(200);
    assert_eq!((&catalog["@type"], &catalog["dataset"][0]["@id"]), (&json!("Catalog"), &json!("wind")), "{catalog}");
}

/// The message of EDC 0.15.1, word for word but for the filter's content.
fn edc_query(limit: usize, offset: usize, conditions: &Value) -> Value {
    json!({
        "@type": "CatalogRequestMessage",
        "filter": [{"@type": "QuerySpec", "limit": limit, "offset": offset, "sortOrder": "ASC", "filterExpression": conditions}],
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld", "https://w3id.org/edc/dspace/v0.0.1"],
    })
}

#[tokio::test]
async fn the_query_that_edc_always_sends_is_a_window_on_what_the_caller_may_see() {
    let pair = TestPair::start().await;
    for id in ["breeze", "gale", "storm"] {
        pair.provider.publish(id, tables::WIND, &[]).await;
    }
    let for_others = json!({"leftOperand": "recipient", "operator": "eq", "rightOperand": "did:web:else.example"});
    let offer = json!({"@type": "Offer", "permission": [{"action": "use", "constraint": [for_others]}]});
    pair.provider.publish("calm", tables::WIND, &[offer]).await;
    let seen = async |limit: usize, offset: usize, conditions: Value| {
        let query = edc_query(limit, offset, &conditions);
        let catalog = pair.consumer.send(&pair.provider, "/catalog/request", &query).await.must(200);
        let datasets = catalog["dataset"].as_array().cloned().unwrap_or_default();
        datasets.iter().map(|d| d["@id"].as_str().expect("id").to_owned()).collect::<Vec<_>>()
    };
    let by_id =
        |operator: &str, right: Value| json!([{"@type": "Criterion", "operandLeft": "id", "operator": operator, "operandRight": right}]);
    assert_eq!(seen(50, 0, json!([])).await, ["breeze", "gale", "storm"]);
    assert_eq!(seen(2, 0, json!([])).await, ["breeze", "gale"]);
    assert_eq!(seen(2, 2, json!([])).await, ["storm"]);
    assert_eq!(seen(2, 3, json!([])).await, [""; 0]);
    assert_eq!(seen(0, 0, json!([])).await, [""; 0]);
    assert_eq!(seen(50, 0, by_id("=", json!("gale"))).await, ["gale"]);
    assert_eq!(seen(50, 1, by_id("in", json!(["storm", "calm", "gale", "gale", "none"]))).await, ["storm"]);
    let other = edc_query(50, 0, &json!([{"@type": "Criterion", "operandLeft": "title", "operator": "=", "operandRight": "x"}]));
    assert_error(&pair.consumer.send(&pair.provider, "/catalog/request", &other).await, 400, "CatalogError", "another condition");
}
