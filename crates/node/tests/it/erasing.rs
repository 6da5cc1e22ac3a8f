//! Erasing documents of evidence: refused while an agreement may have to be proved, said in the log, and the leaf stays.

use fondaco_testkit::{TestNode, TestPair, eventually, tables};
use fondaco_tlog::bundle::Bundle;
use reqwest::Method;
use serde_json::{Value, json};

async fn erase(node: &TestNode, path: &str, reason: &str) -> fondaco_testkit::Answer {
    node.admin(Method::DELETE, &format!("{path}/document?reason={reason}"), Some(&node.token), None).await
}

async fn first(node: &TestNode, query: &str) -> Value {
    let found = node.get(&format!("/evidence?{query}")).await.must(200);
    found["evidence"].as_array().and_then(|rows| rows.last()).unwrap_or_else(|| panic!("no evidence for {query}")).clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_goes_when_its_agreement_is_over_and_its_leaf_stays() {
    let pair = TestPair::start().await;
    let notice = json!({"leftOperand": "noticePeriod", "operator": "eq", "rightOperand": "PT1S"});
    let offer = json!({"@type": "Offer", "permission": [{"action": "use", "constraint": [notice]}]});
    pair.provider.publish("wind", tables::WIND, &[offer]).await;
    let agreement = pair.agree("wind").await;
    let node = &pair.provider;
    let id = first(node, &format!("agreement={agreement}")).await["id"].as_str().expect("an id").to_owned();
    let path = node.api_path(&format!("/evidence/{id}"));
    assert_eq!(erase(node, &path, "asked").await.refused(409), "FDC-1005", "it may have to be proved");
    assert_eq!(erase(node, &path, "").await.refused(400), "FDC-1001", "nothing goes without a reason");
    assert_eq!(erase(node, &node.api_path("/evidence/evi_none"), "asked").await.status, 404);
    assert_eq!(node.app.evidence_expire().await.expect("expires"), 0, "all is kept unless it is said otherwise");

    node.post(&format!("/agreements/{agreement}/end"), &json!({"reason": "Enough."})).await.must(200);
    eventually("the agreement to be over", async || {
        let state = node.get(&format!("/agreements/{agreement}")).await.must(200)["state"].clone();
        (state == "ended").then_some(())
    })
    .await;
    let left = erase(node, &path, "asked").await.must(200);
    assert_eq!((&left["erased"], &left["id"]), (&json!(true), &json!(id)));
    assert_eq!(erase(node, &path, "again").await.refused(409), "FDC-1005", "once");
    let said = first(node, &format!("object={id}")).await;
    assert_eq!(said["kind"], "administration");
    let said = node.get(&format!("/evidence/{}", said["id"].as_str().expect("an id"))).await.must(200);
    assert_eq!(
        (&said["document"]["action"], &said["document"]["detail"]["reason"]),
        (&json!("evidence-erased"), &json!("asked")),
        "{said}"
    );

    let text = node.get(&format!("/evidence/{id}/bundle")).await.text();
    let bundle = Bundle::parse(text.as_bytes()).expect("a bundle");
    assert!(bundle.opening.is_none(), "nothing opens it any more");
    bundle.verify(None).expect("the leaf is still proved");
    let checked = node.admin(Method::GET, "/api/v1/log/check", Some(&node.token), None).await.must(200);
    assert_eq!(checked["faults"], json!([]), "{checked}");
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_of_the_node_itself_is_erased_by_its_operator_alone() {
    let node = TestNode::start("acme").await;
    let admin = async |method: Method, path: &str, token: &str, body: Option<&Value>| node.admin(method, path, Some(token), body).await;
    let body = json!({"name": "bound", "scope": "write"});
    let bound = admin(Method::POST, &node.api_path("/tokens"), &node.token, Some(&body)).await.must(201);
    let bound = bound["token"].as_str().expect("the token").to_owned();
    let listed = admin(Method::GET, "/api/v1/evidence", &node.token, None).await.must(200);
    let id = listed["evidence"][0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/evidence/{id}");
    assert_eq!(admin(Method::GET, &path, &bound, None).await.status, 403, "and read by its operator alone");
    assert!(admin(Method::GET, &path, &node.token, None).await.must(200)["document"].is_object(), "with its document");
    let refused = admin(Method::DELETE, &format!("{path}/document?reason=asked"), &bound, None).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert_eq!(erase(&node, &path, "asked").await.must(200)["erased"], json!(true));
    node.shutdown().await;
}
