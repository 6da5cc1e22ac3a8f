//! Prices: what is offered at one is agreed to at that price, and not delivered before its payment is recorded.

use fondaco_testkit::{TestNode, TestPair, tables};
use serde_json::{Value, json};

/// An offer at a flat price.
fn priced(amount: &str) -> Value {
    json!({"@type": "Offer", "permission": [{"action": "use", "duty": [{"action": "compensate", "constraint": [
        {"leftOperand": "payAmount", "operator": "eq", "rightOperand": amount, "unit": "CNY", "per": "agreement"}]}]}]})
}

async fn paid(node: &TestNode, agreement: &str, reference: &str) -> fondaco_testkit::Answer {
    node.post(&format!("/agreements/{agreement}/paid"), &json!({"reference": reference})).await
}

async fn access(pair: &TestPair, agreement: &str) -> fondaco_testkit::Answer {
    pair.consumer.post(&format!("/agreements/{agreement}/access"), &json!({"waitSeconds": 30})).await
}

#[tokio::test]
async fn nothing_is_delivered_before_the_payment_is_recorded() {
    let pair = TestPair::start().await;
    pair.provider.publish("wind", tables::WIND, &[priced("80")]).await;
    let catalogue = pair.consumer.post("/catalog", &json!({"peer": pair.provider.did})).await.must(200);
    assert!(catalogue["datasets"][0]["offers"][0]["terms"].to_string().contains("80.00 CNY"), "{catalogue}");
    let agreement = pair.agree("wind").await;
    for node in [&pair.provider, &pair.consumer] {
        let seen = node.get(&format!("/agreements/{agreement}")).await.must(200);
        assert_eq!((&seen["price"], &seen["payment"]), (&json!("80.00 CNY"), &Value::Null), "{seen}");
    }
    let refused = access(&pair, &agreement).await;
    assert_eq!((refused.status, refused.json()["code"].clone()), (402, json!("FDC-3008")), "{}", refused.text());
    assert!(refused.text().contains("80.00 CNY"), "it says what is owed: {}", refused.text());
    let transfers = pair.provider.get("/transfers").await.must(200);
    assert_eq!(transfers["transfers"], json!([]), "the request changed nothing at the provider");

    assert_eq!(paid(&pair.consumer, &agreement, "x").await.status, 400, "not by the one who owes it");
    assert_eq!(paid(&pair.provider, &agreement, " ").await.status, 400);
    assert_eq!(paid(&pair.provider, "agr_unknown", "x").await.status, 404);
    for _ in 0..2 {
        let recorded = paid(&pair.provider, &agreement, "bank 77").await.must(200);
        assert_eq!(recorded["payment"]["reference"], "bank 77", "{recorded}");
    }
    let other = paid(&pair.provider, &agreement, "bank 78").await;
    assert_eq!((other.status, other.json()["code"].clone()), (409, json!("FDC-1005")), "{}", other.text());
    let theirs = pair.consumer.get(&format!("/agreements/{agreement}")).await.must(200);
    assert!(!theirs.to_string().contains("bank 77"), "what the provider notes is its own: {theirs}");

    assert!(!pair.access(&agreement).await.bytes().await.is_empty());
    pair.shutdown().await;
}

#[tokio::test]
async fn what_costs_nothing_cannot_be_paid() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let refused = paid(&pair.provider, &agreement, "bank 77").await;
    assert_eq!((refused.status, refused.json()["code"].clone()), (400, json!("FDC-1001")), "{}", refused.text());
}

#[tokio::test]
async fn a_price_that_cannot_be_charged_is_not_published() {
    let pair = TestPair::start().await;
    let mut per_row = priced("0.01");
    per_row["permission"][0]["duty"][0]["constraint"][0]["per"] = json!("row");
    let path = tables::write(pair.provider.dir(), "wind.csv", tables::WIND);
    let body = json!({"id": "wind", "title": "Wind", "kind": "table", "paths": [path], "offers": [per_row]});
    let refused = pair.provider.post("/products", &body).await;
    assert_eq!((refused.status, refused.json()["code"].clone()), (400, json!("FDC-3003")), "{}", refused.text());
    assert!(refused.text().contains("per \\\"row\\\""), "{}", refused.text());
}
