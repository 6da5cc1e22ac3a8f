//! The request log: what is written of requests on both listeners, and what is not.

use fondaco_node::http::request_log::days;
use fondaco_testkit::{TestNode, TestPair, eventually, http};
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;

fn all(node: &TestNode) -> String {
    let days = days(&node.dir().join("requests")).expect("a folder");
    days.into_iter().map(|(_, path)| fs::read_to_string(path).expect("a file")).collect()
}

/// The line of a request, once it is written.
async fn line(node: &TestNode, id: &str) -> Value {
    eventually(&format!("the line of request {id}"), async || {
        all(node).lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(|line| line["id"] == id)
    })
    .await
}

#[tokio::test]
async fn every_request_has_a_line_that_says_who_and_never_with_what() {
    let pair = TestPair::with_wind().await;
    let (provider, client) = (&pair.provider, http::client());
    let call = async |method: Method, url: String, id: &str, token: Option<&str>| {
        http::send(http::request(&client, method, &url, token, None).header("x-request-id", id)).await
    };
    // A stranger, a program, a program with a wrong token.
    let did = call(Method::GET, format!("{}/p/{}/did.json?secret=hush", provider.public_url, provider.slug), "stranger", None).await;
    assert_eq!(did.status, 200, "{}", did.text());
    let products = format!("{}{}", provider.admin_url, provider.api_path("/products?limit=1"));
    call(Method::GET, products.clone(), "program", Some(&provider.token)).await.must(200);
    call(Method::GET, products, "impostor", Some("fdc_wrong")).await.refused(401);
    call(Method::GET, format!("{}/nowhere/at/all", provider.public_url), "lost", None).await.refused(404);

    let of = line(provider, "stranger").await;
    assert_eq!((&of["listener"], &of["method"], &of["route"]), (&json!("public"), &json!("GET"), &json!("/p/{slug}/did.json")));
    assert_eq!((of["status"].as_u64(), of["bytes"].as_u64()), (Some(200), Some(did.body.len() as u64)));
    assert_eq!(of["person"], json!({"address": "127.0.0.1"}));
    assert!(of["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{of}");

    let of = line(provider, "program").await;
    assert_eq!((&of["listener"], &of["route"]), (&json!("admin"), &json!("/api/v1/participants/{slug}/products")));
    assert!(of["person"]["token"].as_str().is_some_and(|id| id.starts_with("tok_")), "{of}");

    let of = line(provider, "impostor").await;
    assert_eq!((of["status"].as_u64(), &of["code"]), (Some(401), &json!("FDC-1002")), "{of}");
    assert_eq!(of["person"], json!({"address": "127.0.0.1"}));
    assert_eq!(line(provider, "lost").await["route"], "unmatched");

    // A peer, by the protocol and with its token for the data.
    let access = pair.access(&pair.agree("wind").await).await;
    let metadata = format!("{}{}/metadata", access.share.endpoint, access.table_path());
    let answer = call(Method::GET, metadata, "reader", Some(&access.share.token)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let of = line(provider, "reader").await;
    assert_eq!(of["person"]["peer"], pair.consumer.did.to_string(), "{of}");
    let asked = eventually("the consumer's request for the negotiation", async || {
        let asked = |line: &Value| line["route"] == "/p/{slug}/dsp/2025-1/negotiations/request";
        all(provider).lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(asked)
    })
    .await;
    assert_eq!(asked["person"]["peer"], pair.consumer.did.to_string(), "{asked}");

    let text = all(provider);
    for secret in [provider.token.as_str(), &access.share.token, "hush", "limit=1", "nowhere", "fdc_wrong", "Bearer"] {
        assert!(!text.contains(secret), "the log holds {secret}");
    }
}

#[tokio::test]
async fn lines_of_the_last_requests_are_written_before_the_node_stops() {
    let node = TestNode::start("acme").await;
    let dir = node.dir().to_owned();
    let client = http::client();
    let url = format!("{}/healthz", node.admin_url);
    for n in 0..50 {
        let answer = http::send(client.get(&url).header("x-request-id", format!("last-{n}"))).await;
        assert_eq!(answer.status, 200);
    }
    drop(client);
    let kept = tempfile::tempdir().expect("dir");
    // The node's folder goes with it: a hard link keeps the file.
    eventually("the first line", async || (!all(&node).is_empty()).then_some(())).await;
    let links: Vec<_> = days(&dir.join("requests")).expect("days").into_iter().map(|(day, path)| (path, kept.path().join(day))).collect();
    for (file, link) in &links {
        fs::hard_link(file, link).expect("a link");
    }
    node.shutdown().await;
    let text: String = links.iter().map(|(_, link)| fs::read_to_string(link).expect("a file")).collect();
    for n in 0..50 {
        assert!(text.contains(&format!("\"last-{n}\"")), "line {n} is missing");
    }
}
