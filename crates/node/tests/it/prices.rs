//! Prices: what is offered at one is agreed to at that price, and not delivered before its payment is recorded.

use fondaco_core::{negotiation::Terms, participant::Declarations};
use fondaco_testkit::{TestNode, TestPair, tables};
use serde_json::{Value, json};

/// An offer at a flat price.
fn priced(amount: &str) -> Value {
    in_currency(amount, "CNY")
}

fn in_currency(amount: &str, unit: &str) -> Value {
    json!({"@type": "Offer", "permission": [{"action": "use", "duty": [{"action": "compensate", "constraint": [
        {"leftOperand": "payAmount", "operator": "eq", "rightOperand": amount, "unit": unit, "per": "agreement"}]}]}]})
}

/// The price in the terms on the table.
fn price(n: &Value) -> &Value {
    &n["offer"]["odrl"]["permission"][0]["duty"][0]["constraint"][0]["rightOperand"]
}

async fn agreed_price(pair: &TestPair, id: &str) -> Value {
    let done = pair.consumer.settled(id).await;
    assert_eq!(done["state"], "FINALIZED", "{done}");
    let agreement = done["agreementId"].as_str().expect("an agreement");
    pair.provider.get(&format!("/agreements/{agreement}")).await.must(200)["price"].clone()
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

#[tokio::test]
async fn a_provider_bargains_down_to_its_floor() {
    let pair = TestPair::with_wind().await;
    let rules = json!({"requested": [{"do": "agree", "floor": "80 CNY", "rounds": 4}],
        "counter_requested": [{"do": "agree", "floor": "80 CNY", "rounds": 4}]});
    let offer = pair.provider.add_offer_with_rules("wind", priced("100"), rules).await;
    let ask = async |price: &str| pair.begin_with(json!({"product": "wind", "offer": offer, "price": price})).await;
    for (wish, agreed) in [("80 CNY", "80.00 CNY"), ("90.5 CNY", "90.50 CNY"), ("120 CNY", "120.00 CNY")] {
        let id = ask(wish).await;
        assert_eq!(agreed_price(&pair, &id).await, agreed);
    }
    let id = ask("60 CNY").await;
    let offered = pair.consumer.reaches("negotiations", &id, "OFFERED").await;
    assert_eq!(price(&offered), "80.00", "the floor: {offered}");
    let versions = offered["versions"].as_array().expect("versions");
    let change = &versions.last().expect("two")["changes"][0];
    assert!(change["before"].as_str().is_some_and(|t| t.contains("60.00 CNY")), "{change}");
    assert!(change["after"].as_str().is_some_and(|t| t.contains("80.00 CNY")), "{change}");
    pair.consumer.post(&format!("/negotiations/{id}/counter"), &json!({"price": "79.99 CNY"})).await.must(200);
    let offered = pair.consumer.reaches("negotiations", &id, "OFFERED").await;
    assert_eq!(price(&offered), "80.00", "again");
    // The fourth message was that offer; who asks a fifth time has haggled too long.
    pair.consumer.post(&format!("/negotiations/{id}/counter"), &json!({"price": "79.99 CNY"})).await.must(200);
    let ended = pair.consumer.settled(&id).await;
    assert_eq!((&ended["state"], &ended["ending"]["by"]), (&json!("TERMINATED"), &json!("provider")), "{ended}");
    assert!(ended["ending"]["reasons"].to_string().contains("No price was found"), "{ended}");
    // A person asks in the offer's currency, or not at all.
    for (wish, code) in [("80 EUR", "FDC-1001"), ("80", "FDC-1001"), ("cheap", "FDC-1001")] {
        let body = json!({"peer": pair.provider.did, "product": "wind", "offer": offer, "price": wish});
        let refused = pair.consumer.post("/negotiations", &body).await;
        assert_eq!((refused.status, refused.json()["code"].clone()), (400, json!(code)), "{wish}: {}", refused.text());
    }
}

#[tokio::test]
async fn what_names_no_price_or_another_currency_is_refused() {
    let pair = TestPair::with_wind().await;
    let rules = json!({"requested": [{"do": "agree", "floor": "80 CNY"}]});
    let offer = pair.provider.add_offer_with_rules("wind", priced("100"), rules).await;
    let mut two = priced("90");
    let duty = two["permission"][0]["duty"][0].clone();
    two["permission"][0]["duty"] = json!([duty, duty]);
    for odrl in [in_currency("500", "EUR"), json!({"permission": [{"action": "use"}]}), two] {
        let me = pair.consumer.participant().await;
        let remote = pair.consumer.app.remote(&me, pair.provider.did.as_str()).await.expect("the provider");
        let terms = Terms { offer_id: offer.clone(), odrl: odrl.clone() };
        let asked = pair.consumer.app.negotiation_request(&me, &remote, "wind".into(), terms, Declarations::default(), None).await;
        let ended = pair.consumer.settled(asked.expect("it is asked").id.as_str()).await;
        assert_eq!(ended["state"], "TERMINATED", "{odrl}: {ended}");
        assert!(ended["ending"]["reasons"].to_string().contains("price"), "it says why: {ended}");
    }
}

/// The example of docs/rules.md: its rules, on both sides, without a person.
#[tokio::test]
async fn the_example_of_the_documentation_finds_a_price() {
    let document = include_str!("../../../../docs/rules.md");
    let example = |heading: &str| {
        let from = &document[document.find(heading).expect(heading)..];
        let from = &from[from.find("```toml\n").expect("an example") + "```toml\n".len()..];
        let read: Value = toml::from_str(&from[..from.find("```").expect("its end")]).expect("TOML");
        read
    };
    let provider = example("## Bargaining about a price");
    let offer = &provider["products"][0]["offers"][0];
    let consumer = example("A consumer has a ceiling");
    let pair = TestPair::with_wind().await;
    let id = pair.provider.add_offer_with_rules("wind", json!({"permission": offer["permission"]}), offer["rules"].clone()).await;
    pair.consumer.put("/rules", &consumer["rules"]).await.must(200);
    for (wish, agreed) in [("60 CNY", "80.00 CNY"), ("85 CNY", "85.00 CNY"), ("100 CNY", "100.00 CNY")] {
        let id = pair.begin_with(json!({"product": "wind", "offer": id, "price": wish})).await;
        assert_eq!(agreed_price(&pair, &id).await, agreed, "{wish}");
    }
}
