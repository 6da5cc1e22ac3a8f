//! Lineage between two nodes: what was received under an agreement becomes a product, and the way back is told, to its
//! owner alone.

use fondaco_core::Result;
use fondaco_testkit::{TestPair, tables};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn kinds(graph: &Value) -> BTreeSet<&str> {
    graph["nodes"].as_array().expect("nodes").iter().map(|node| node["type"].as_str().expect("a type")).collect()
}

#[tokio::test]
async fn a_product_leads_back_to_the_other_partys_product() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let consumer = &pair.consumer;
    let path = tables::write(consumer.dir(), "report.csv", tables::WIND);
    let publish = |id: &str, from: Value| json!({"id": id, "title": "A report", "kind": "table", "paths": [path], "derivedFrom": from});
    for wrong in [json!(["agr_none"]), json!(["report"]), json!([agreement, agreement]), json!([""]), json!(["wind"])] {
        let answer = consumer.post("/products", &publish("report", wrong.clone())).await;
        assert_eq!(answer.refused(400), "FDC-1001", "{wrong}");
    }
    let stations = consumer.post("/products", &publish("stations", json!([]))).await.must(201);
    assert_eq!(stations["derivedFrom"], Value::Null);
    let made = consumer.post("/products", &publish("report", json!([agreement, "stations"]))).await.must(201);
    assert_eq!(made["derivedFrom"], json!([agreement, "stations"]));

    let graph = consumer.get("/lineage/report").await.must(200);
    assert_eq!(kinds(&graph), BTreeSet::from(["agreement", "file", "party", "product"]));
    assert_eq!(graph["cut"], json!(false));
    let node = |wanted: &str| {
        graph["nodes"].as_array().expect("nodes").iter().find(|n| n["key"] == wanted).unwrap_or_else(|| panic!("{wanted} in {graph}"))
    };
    let theirs = format!("product/{}/wind", pair.provider.did);
    assert_eq!((&node(&theirs)["depth"], &node(&theirs)["publishedAt"]), (&json!(2), &Value::Null));
    let signed = consumer.get(&format!("/agreements/{agreement}")).await.must(200);
    assert_eq!(node(&format!("agreement/{agreement}"))["sha256"], signed["digest"]);
    let link = |from: &str, to: &str, relation: &str| {
        let wanted = json!({"from": from, "to": to, "relation": relation});
        assert!(graph["links"].as_array().expect("links").contains(&wanted), "{wanted} in {graph}");
    };
    let report = format!("product/{}/report", consumer.did);
    link(&report, &format!("agreement/{agreement}"), "derived-from");
    link(&report, &format!("product/{}/stations", consumer.did), "derived-from");
    link(&format!("agreement/{agreement}"), &theirs, "about");
    link(&theirs, &format!("party/{}", pair.provider.did), "by");

    let prov = consumer.get("/lineage/report?format=prov").await.must(200);
    assert!(prov["wasDerivedFrom"].as_object().is_some_and(|all| all.len() >= 3), "{prov}");
    assert!(prov["prefix"]["id"].as_str().is_some_and(|id| id.starts_with(&consumer.public_url)), "{prov}");
    let events = consumer.get("/lineage/report?format=openlineage").await.must(200);
    let last = events.as_array().and_then(|all| all.last()).expect("events");
    assert_eq!((&last["eventType"], &last["outputs"][0]["name"]), (&json!("COMPLETE"), &json!("report")));
    assert!(
        last["inputs"].as_array().expect("inputs").iter().any(|i| i["namespace"] == pair.provider.did.to_string() && i["name"] == "wind")
    );
    // An agreement whose id its provider chose to be that of a product of ours does not take its place, now or afterwards.
    let (slug, id) = (consumer.slug.clone(), agreement.clone());
    let planted = consumer.app.store.tx("test.plant", move |tx| -> Result<_> {
        let mut row = tx.agreement_get(&slug, &id)?.expect("it is there");
        row.agreement.id = "stations".into();
        Ok(tx.agreement_insert(&row)?)
    });
    assert!(planted.await.expect("planted"));
    let stations = consumer.get("/lineage/stations").await.must(200);
    assert_eq!(stations["root"], format!("product/{}/stations", consumer.did));
    let now = consumer.get("/lineage/report").await.must(200);
    assert_eq!(now["links"], graph["links"], "it is the product's still");
    let folder = tempfile::tempdir().expect("a folder");
    let paths: Vec<_> = (0..26).map(|n| tables::write(folder.path(), &format!("part-{n}.txt"), &format!("part {n}"))).collect();
    let many = json!({"id": "parts", "title": "Parts", "kind": "files", "paths": paths});
    consumer.post("/products", &many).await.must(201);
    let many = consumer.get("/lineage/parts").await.must(200);
    assert_eq!((many["nodes"].as_array().map(Vec::len), &many["cut"]), (Some(27), &json!(true)), "a file is not shown");

    assert_eq!(consumer.get("/lineage/report?format=rdf").await.refused(400), "FDC-1001");

    // From the agreement and from its transfer, on both sides.
    let access = pair.access(&agreement).await;
    let provider_transfer = pair.provider_transfer(&access.transfer).await;
    for (node, id, wanted) in [
        (consumer, agreement.clone(), ["agreement", "party", "product"].as_slice()),
        (&pair.provider, agreement.clone(), &["agreement", "file", "party", "product"]),
        (consumer, access.transfer.clone(), &["agreement", "party", "product", "transfer"]),
        (&pair.provider, provider_transfer, &["agreement", "file", "party", "product", "transfer"]),
    ] {
        let graph = node.get(&format!("/lineage/{id}")).await.must(200);
        assert_eq!(kinds(&graph), wanted.iter().copied().collect(), "{id} at {}", node.slug);
    }
    assert_eq!(pair.provider.get("/lineage/report").await.refused(404), "FDC-1004", "what is another's has no lineage here");

    // Under which agreement something was received is nobody's business.
    let catalog = pair.provider.post("/catalog", &json!({"peer": consumer.did})).await.text();
    assert!(catalog.contains("report") && !catalog.contains(&agreement) && !catalog.contains("derivedFrom"), "{catalog}");
    let body = json!({"id": "x", "title": "X", "kind": "table", "paths": [path], "derivedFrom": [agreement]});
    let answer = pair.provider.post("/products", &body).await;
    assert_eq!(answer.refused(400), "FDC-1001", "a provider receives nothing under it");
}
