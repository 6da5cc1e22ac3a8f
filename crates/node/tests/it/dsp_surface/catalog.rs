//! The catalogue as readers of many datasets meet it: pages, filters, entity tags, and copies that know when they are old.

use super::assert_error;
use fondaco_node::jobs::catalog_read;
use fondaco_store::{PeerDatasetFilter, PeerRow};
use fondaco_testkit::{Answer, TestNode, TestPair, wire};
use reqwest::Method;
use serde_json::{Value, json};

fn asks(filter: &Value) -> Value {
    wire::message("CatalogRequestMessage", json!({ "filter": filter }))
}

fn datasets(answer: &Answer) -> Vec<String> {
    let catalog = answer.must(200);
    let all = catalog["dataset"].as_array().cloned().unwrap_or_default();
    all.iter().map(|d| d["@id"].as_str().expect("an id").to_owned()).collect()
}

/// A request of `who` with an `If-None-Match`.
async fn conditional(who: &TestNode, of: &TestNode, path: &str, body: Option<&Value>, tag: &str) -> Answer {
    let method = if body.is_some() { Method::POST } else { Method::GET };
    let request = fondaco_testkit::http::request(&fondaco_testkit::http::client(), method, &format!("{}{path}", of.dsp_url()), None, body);
    let request = request.header("authorization", who.authorization(&of.did).await).header("if-none-match", tag);
    fondaco_testkit::http::send(request).await
}

#[tokio::test]
async fn filters_narrow_the_catalogue_at_the_provider() {
    let pair = TestPair::start().await;
    pair.provider.publish("wind", "a,b\n1,2\n", &[]).await;
    pair.provider.publish("storm", "a,b\n1,2\n", &[]).await;
    for (filter, found) in [
        (json!([]), vec!["storm", "wind"]),
        (json!([{}]), vec!["storm", "wind"]),
        (json!([{"query": "STOR"}]), vec!["storm"]),
        (json!([{"query": "wind", "kind": "table"}]), vec!["wind"]),
        (json!([{"kind": "files"}]), vec![]),
        (json!([{"query": "%"}]), vec![]),
    ] {
        let answer = pair.consumer.send(&pair.provider, "/catalog/request", &asks(&filter)).await;
        assert_eq!(datasets(&answer), found, "{filter}");
    }
    for bad in [json!([{"a": 1}]), json!([{"kind": "ship"}]), json!([{}, {}]), json!(["wind"]), json!([{"query": "x".repeat(201)}])] {
        let answer = pair.consumer.send(&pair.provider, "/catalog/request", &asks(&bad)).await;
        assert_error(&answer, 400, "CatalogError", &bad.to_string());
    }
    // As our own commands ask: all words, the longest at the provider and the others here.
    let read = |body: Value| {
        let consumer = &pair.consumer;
        async move { consumer.post("/catalog", &body).await.must(200)["datasets"].as_array().expect("a list").len() }
    };
    let peer = pair.provider.did.to_string();
    assert_eq!(read(json!({"peer": peer, "query": "wi wind", "kind": "table"})).await, 1);
    assert_eq!(read(json!({"peer": peer, "query": "wind storm"})).await, 0);
    assert_eq!(read(json!({"peer": peer, "kind": "files"})).await, 0);
}

#[tokio::test]
async fn windows_follow_one_another_and_are_found_again() {
    let pair = TestPair::start().await;
    let ids: Vec<String> = (0..7).map(|n| format!("wind-{n}")).collect();
    for id in &ids {
        pair.provider.publish(id, "a,b\n1,2\n", &[]).await;
    }
    let window = |offset: usize, limit: usize| {
        let query = json!([{"@type": "QuerySpec", "offset": offset, "limit": limit}]);
        let (consumer, provider) = (&pair.consumer, &pair.provider);
        async move { datasets(&consumer.send(provider, "/catalog/request", &asks(&query)).await) }
    };
    // Onwards, back, beyond the end, and across what was reached before.
    for (offset, limit) in [(0, 2), (2, 2), (4, 2), (6, 2), (8, 2), (3, 3), (0, 7), (6, 1), (7, 1), (1, 2)] {
        let expected: Vec<&String> = ids.iter().skip(offset).take(limit).collect();
        assert_eq!(window(offset, limit).await.iter().collect::<Vec<_>>(), expected, "{limit} from {offset} on");
    }
    // What is published meanwhile is in its place.
    pair.provider.publish("wind-1a", "a,b\n1,2\n", &[]).await;
    assert_eq!(window(2, 2).await, ["wind-1a", "wind-2"]);
}

#[tokio::test]
async fn what_the_caller_has_is_not_sent_again() {
    let pair = TestPair::with_wind().await;
    let (consumer, provider) = (&pair.consumer, &pair.provider);
    let tag = |answer: &Answer| {
        answer.must(200);
        answer.header("etag").to_owned()
    };
    let all = asks(&json!([]));
    let first = tag(&consumer.send(provider, "/catalog/request", &all).await);
    assert!(first.len() == 34 && first.starts_with('"'), "{first}");
    assert_eq!(tag(&consumer.send(provider, "/catalog/request", &all).await), first, "nothing happened");
    let again = conditional(consumer, provider, "/catalog/request", Some(&all), &first).await;
    assert_eq!((again.status, again.text().len()), (412, 0), "RFC 9110, 13.1.2");
    let narrowed = tag(&consumer.send(provider, "/catalog/request", &asks(&json!([{"query": "wind"}]))).await);
    assert_ne!(narrowed, first, "another answer");
    let one = tag(&consumer.ask(provider, "/catalog/datasets/wind").await);
    let same = conditional(consumer, provider, "/catalog/datasets/wind", None, &one).await;
    assert_eq!((same.status, same.header("etag")), (304, one.as_str()));
    assert_eq!(conditional(consumer, provider, "/catalog/datasets/wind", None, "\"other\"").await.status, 200);
    // Every change of what is shown is another state.
    let mut states = vec![first];
    provider.publish("storm", "a,b\n1,2\n", &[]).await;
    states.push(tag(&consumer.send(provider, "/catalog/request", &all).await));
    provider.post("/products/storm/withdraw", &json!({})).await.must(200);
    states.push(tag(&consumer.send(provider, "/catalog/request", &all).await));
    let distinct: std::collections::BTreeSet<_> = states.iter().collect();
    assert_eq!(distinct.len(), 3, "{states:?}");
    // Another caller may be shown other offers.
    let other = provider.send(provider, "/catalog/request", &all).await;
    assert!(!states.contains(&tag(&other)));
}

#[tokio::test]
async fn a_copy_is_read_again_only_when_the_catalogue_changed() {
    let pair = TestPair::with_wind().await;
    let (consumer, provider) = (&pair.consumer, &pair.provider);
    let participant = consumer.participant().await;
    let (slug, did) = (participant.slug.clone(), provider.did.clone());
    let known = PeerRow {
        participant: slug.clone(),
        did: did.clone(),
        name: None,
        address: None,
        last_ok_at: None,
        last_error: None,
        catalog_read_at: None,
        catalog_error: None,
    };
    consumer.app.store.tx("test", move |tx| tx.peer_touch(&known)).await.expect("noted");
    let copied = || async {
        let slug = slug.clone();
        let filter = PeerDatasetFilter { limit: 10, ..PeerDatasetFilter::default() };
        let rows = consumer.app.store.read("test", move |tx| tx.peer_dataset_list(&slug, &filter)).await.expect("rows");
        rows.into_iter().map(|row| (row.dataset, row.read_at)).collect::<Vec<_>>()
    };
    catalog_read::read(&consumer.app, &participant, &did).await.expect("read");
    let first = copied().await;
    assert_eq!(first.len(), 1);
    catalog_read::read(&consumer.app, &participant, &did).await.expect("read");
    assert_eq!(copied().await, first, "not one row was written");
    provider.publish("storm", "a,b\n1,2\n", &[]).await;
    catalog_read::read(&consumer.app, &participant, &did).await.expect("read");
    let third = copied().await;
    assert_eq!(third.iter().map(|(id, _)| id.as_str()).collect::<std::collections::BTreeSet<_>>(), ["storm", "wind"].into());
    provider.post("/products/wind/withdraw", &json!({})).await.must(200);
    catalog_read::read(&consumer.app, &participant, &did).await.expect("read");
    assert_eq!(copied().await.len(), 1, "what is gone is gone from the copy");
}
