//! Products that follow their source: each state of it becomes one version, once, and nothing else does.

use fondaco_testkit::{TestNode, eventually, tables};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A Delta table made by hand.
struct Lake(PathBuf);

impl Lake {
    /// With a first commit that has one file.
    async fn new(node: &TestNode) -> Self {
        let lake = Self(node.dir().join("lake"));
        fs::create_dir_all(lake.0.join("_delta_log")).expect("folders");
        let column = |name: &str, kind: &str| json!({"name": name, "type": kind, "nullable": true, "metadata": {}});
        let fields = [column("hour", "long"), column("station", "string"), column("wind_m_s", "double")];
        let schema = json!({"type": "struct", "fields": fields}).to_string();
        let first = [
            json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
            json!({"metaData": {"id": "3e0d0000-0000-4000-8000-000000000001", "format": {"provider": "parquet", "options": {}},
                "schemaString": schema, "partitionColumns": [], "configuration": {}, "createdTime": 0}}),
            lake.file(node, "a.parquet").await,
        ];
        lake.commit(0, &first);
        lake
    }

    /// Puts a file into the table's folder; gives the action that adds it.
    async fn file(&self, node: &TestNode, name: &str) -> Value {
        // The node writes Parquet: what it made of a CSV file is as good as any.
        let made = node.dir().join("data").join(node.slug.as_str()).join("seed");
        if !made.exists() {
            node.publish("seed", tables::WIND, &[]).await;
        }
        let version = fs::read_dir(made).expect("versions").next().expect("one").expect("a folder").path();
        fs::copy(version.join("part-00000.parquet"), self.0.join(name)).expect("copied");
        self.add(name)
    }

    fn add(&self, name: &str) -> Value {
        let size = fs::metadata(self.0.join(name)).map_or(1_000, |m| m.len());
        json!({"add": {"path": name, "partitionValues": {}, "size": size, "modificationTime": 0, "dataChange": true}})
    }

    fn commit(&self, version: u64, actions: &[Value]) {
        let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
        fs::write(self.0.join(format!("_delta_log/{version:020}.json")), lines.join("\n")).expect("written");
    }
}

/// Publishes a path as a table that follows it, at a pace that leaves the looks to the test.
async fn follow(node: &TestNode, id: &str, path: &Path, personal_data_accepted: bool) -> Value {
    let body = json!({"id": id, "title": format!("The table {id}"), "kind": "table", "paths": [path], "renewEvery": "P30D",
        "personalDataAccepted": personal_data_accepted});
    node.post("/products", &body).await.must(201)
}

async fn feed(node: &TestNode, id: &str) -> Option<Value> {
    let feeds = node.get("/feeds").await.must(200);
    feeds["feeds"].as_array().expect("feeds").iter().find(|f| f["product"] == id).cloned()
}

/// Has the source looked at and waits until that is done.
async fn look(node: &TestNode, id: &str) -> Value {
    let before = feed(node, id).await.expect("a feed");
    node.post(&format!("/feeds/{id}/look"), &json!({})).await.must(202);
    eventually("the source to be looked at", async || feed(node, id).await.filter(|f| f["lookedAt"] != before["lookedAt"])).await
}

async fn versions(node: &TestNode, id: &str) -> usize {
    let all = node.get("/products?all=true&limit=200").await.must(200);
    all["products"].as_array().expect("products").iter().filter(|p| p["id"] == id).count()
}

async fn events(node: &TestNode, kind: &str) -> Vec<String> {
    let (slug, kind) = (node.slug.clone(), kind.to_owned());
    let found = node.app.store.read("test.events", move |tx| -> fondaco_core::Result<_> { Ok(tx.events_latest(&slug, 200)?) }).await;
    found.expect("events").into_iter().filter(|e| e.kind == kind).map(|e| e.text).collect()
}

#[tokio::test]
async fn a_commit_that_fails_leaves_those_before_it_published_once() {
    let node = TestNode::start("acme").await;
    let lake = Lake::new(&node).await;
    follow(&node, "lake", &lake.0, false).await;
    lake.commit(1, &[lake.file(&node, "b.parquet").await]);
    lake.commit(2, &[lake.file(&node, "c.parquet").await]);
    lake.commit(3, &[lake.add("not-there-yet.parquet")]);
    for failures in 1..=2 {
        let feed = look(&node, "lake").await;
        assert_eq!((&feed["deltaVersion"], feed["failures"].as_u64()), (&json!(2), Some(failures)), "{feed}");
        assert_eq!(versions(&node, "lake").await, 3, "look {failures}");
    }
    assert_eq!(events(&node, "feed.failed").await.len(), 1, "told once");
    fs::copy(lake.0.join("a.parquet"), lake.0.join("not-there-yet.parquet")).expect("copied");
    let action = lake.add("not-there-yet.parquet");
    lake.commit(3, &[action]);
    let feed = look(&node, "lake").await;
    assert_eq!((&feed["deltaVersion"], &feed["failures"], &feed["error"]), (&json!(3), &json!(0), &Value::Null), "{feed}");
    assert_eq!(versions(&node, "lake").await, 4);
    // Nothing new: nothing made.
    look(&node, "lake").await;
    assert_eq!(versions(&node, "lake").await, 4);
    node.shutdown().await;
}

#[tokio::test]
async fn a_commit_whose_files_are_gone_is_passed_over_for_the_newest() {
    let node = TestNode::start("acme").await;
    let lake = Lake::new(&node).await;
    follow(&node, "lake", &lake.0, false).await;
    lake.commit(1, &[lake.file(&node, "b.parquet").await]);
    lake.commit(2, &[lake.add("cleaned-away.parquet")]);
    lake.commit(3, &[json!({"remove": {"path": "cleaned-away.parquet", "deletionTimestamp": 0, "dataChange": true}})]);
    let feed = look(&node, "lake").await;
    assert_eq!((&feed["deltaVersion"], &feed["error"]), (&json!(3), &Value::Null), "{feed}");
    assert_eq!(versions(&node, "lake").await, 3, "0, 1 and 3");
    node.shutdown().await;
}

#[tokio::test]
async fn versions_that_share_files_are_served_and_neither_hides_a_change_from_the_other() {
    use fondaco_node::files::seal::{Keeper, Seal};
    let node = TestNode::start("acme").await;
    let lake = Lake::new(&node).await;
    follow(&node, "lake", &lake.0, false).await;
    let first = async || {
        let slug = node.slug.clone();
        let product = fondaco_core::product::ProductRef::parse_dataset_id("lake:1").expect("an id");
        let rows = node.app.product_files(&slug, &product, 0).await.expect("rows");
        let listing = node.app.listing(&slug, "lake", Some(1)).await.expect("a listing");
        let path = node.app.product_file_path(&listing.product, &rows[0]).expect("a path");
        (rows[0].seal.clone().expect("sealed"), fs::metadata(path).expect("there"))
    };
    let (sealed, before) = first().await;
    let sealed = Seal::from_stored(sealed);
    lake.commit(1, &[lake.file(&node, "b.parquet").await]);
    look(&node, "lake").await;
    let (_, after) = first().await;
    assert_eq!((before.nlink(), after.nlink()), (1, 2), "version 2 links to the file of version 1");
    assert!(sealed.holds(&after, Keeper::Node), "who reads version 1 goes on");
    let slug = node.slug.clone();
    let second = fondaco_core::product::ProductRef::parse_dataset_id("lake:2").expect("an id");
    let rows = node.app.product_files(&slug, &second, 0).await.expect("rows");
    let seals: Vec<bool> = rows.iter().map(|row| row.seal.is_some()).collect();
    assert_eq!(seals.iter().filter(|sealed| !**sealed).count(), 1, "what is shared is hashed when it is first asked for: {seals:?}");
    node.shutdown().await;
}

#[tokio::test]
async fn a_withdrawn_product_is_not_put_back_by_its_feed() {
    let node = TestNode::start("acme").await;
    let path = tables::write(node.dir(), "wind.csv", tables::WIND);
    follow(&node, "wind", &path, false).await;
    fs::write(&path, tables::WIND_2).expect("changed");
    assert!(look(&node, "wind").await["error"].is_null());
    assert_eq!(versions(&node, "wind").await, 2);
    // An earlier version: the newest is still followed.
    node.post("/products/wind/withdraw", &json!({"version": 1})).await.must(200);
    assert!(feed(&node, "wind").await.is_some());
    node.post("/products/wind/withdraw", &json!({})).await.must(200);
    assert_eq!(feed(&node, "wind").await, None);
    node.post("/feeds/wind/look", &json!({})).await.refused(404);
    assert!(events(&node, "product.withdrawn").await[0].contains("does not follow its source any more"));
    let slug = node.slug.clone();
    let left = node.app.store.read("test.jobs", move |tx| -> fondaco_core::Result<_> { Ok(tx.job_of_key(&slug, "feed:wind")?) }).await;
    assert_eq!(left.expect("jobs"), None);
    node.shutdown().await;
}

/// Numbers of identity cards with right check digits.
const CARDS: [&str; 5] = ["11010519491231002X", "440524188001010014", "110101199003070134", "310101198506150219", "320505199201011123"];

fn people(column: &str) -> String {
    let rows: Vec<String> = CARDS.iter().enumerate().map(|(i, card)| format!("{i},{card}")).collect();
    format!("n,{column}\n{}\n", rows.join("\n"))
}

#[tokio::test]
async fn personal_data_that_its_publisher_has_not_seen_does_not_go_out() {
    let node = TestNode::start("acme").await;
    let path = tables::write(node.dir(), "people.csv", "n,who\n1,a\n2,b\n");
    // Accepted, but there was nothing to accept.
    follow(&node, "people", &path, true).await;
    fs::write(&path, people("who")).expect("changed");
    let refused = look(&node, "people").await;
    assert!(refused["error"].as_str().is_some_and(|e| e.contains("\"who\"")), "{refused}");
    assert_eq!(versions(&node, "people").await, 1);
    assert!(events(&node, "feed.failed").await[0].contains("personal data"));
    // Published again with what is in it now, the same columns go on going out.
    follow(&node, "people", &path, true).await;
    fs::write(&path, people("who").replace("\n0,", "\n7,")).expect("changed");
    let renewed = look(&node, "people").await;
    assert_eq!((&renewed["error"], versions(&node, "people").await), (&Value::Null, 3), "{renewed}");
    fs::write(&path, people("spouse")).expect("changed");
    let refused = look(&node, "people").await;
    assert!(refused["error"].as_str().is_some_and(|e| e.contains("\"spouse\"") && !e.contains("\"who\"")), "{refused}");
    assert_eq!(versions(&node, "people").await, 3);
    node.shutdown().await;
}

#[tokio::test]
async fn a_feed_reaches_no_further_than_who_began_it() {
    let node = TestNode::start("acme").await;
    let path = tables::write(node.dir(), "wind.csv", tables::WIND);
    follow(&node, "wind", &path, false).await;
    let lake = Lake::new(&node).await;
    follow(&node, "lake", &lake.0, false).await;
    for id in ["wind", "lake"] {
        let (slug, product) = (node.slug.clone(), fondaco_core::product::ProductId::parse(id).expect("an id"));
        let change = move |tx: &mut fondaco_store::Tx| -> fondaco_core::Result<()> {
            let feed = tx.feed_get(&slug, &product)?.expect("a feed");
            assert!(feed.operator, "the token of this test is an operator's");
            Ok(tx.feed_put(&fondaco_core::feed::Feed { operator: false, ..feed })?)
        };
        node.app.store.tx("test.feed", change).await.expect("changed");
    }
    fs::write(&path, tables::WIND_2).expect("changed");
    lake.commit(1, &[lake.file(&node, "b.parquet").await]);
    for id in ["wind", "lake"] {
        let refused = look(&node, id).await;
        assert!(refused["error"].as_str().is_some_and(|e| e.starts_with("Only an operator")), "{refused}");
        assert_eq!(versions(&node, id).await, 1);
    }
    assert_eq!(node.admin(Method::GET, "/readyz", None, None).await.status, 200);
    node.shutdown().await;
}
