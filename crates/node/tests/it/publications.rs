//! Publications step by step: what goes wrong between two steps takes nothing with it and leaves nothing behind.

use fondaco_core::ids::PublicationId;
use fondaco_testkit::{TestNode, TestPair, eventually, tables};
use reqwest::Method;
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// Begins a publication of a CSV file; gives its id.
async fn begin(node: &TestNode, product: &str) -> String {
    let path = tables::write(node.dir(), &format!("{product}.csv"), tables::WIND);
    let draft = json!({"kind": "table", "product": product, "title": product, "source": {"type": "paths", "paths": [path]}});
    node.post("/publications", &draft).await.must(201)["id"].as_str().expect("an id").to_owned()
}

async fn prepare(node: &TestNode, id: &str) -> Value {
    node.post(&format!("/publications/{id}/prepare"), &json!({})).await.must(202);
    eventually("the publication to be prepared", async || {
        let found = node.get(&format!("/publications/{id}")).await.must(200);
        (found["state"] == "prepared").then_some(found)
    })
    .await
}

/// The folders of a product's versions, and what lies beside them.
fn folders(node: &TestNode, product: &str) -> Vec<PathBuf> {
    let dir = node.dir().join("data").join(node.slug.as_str()).join(product);
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    found.sort();
    found
}

#[tokio::test]
async fn readings_that_wait_keep_no_deal_waiting() {
    let pair = TestPair::with_wind().await;
    let node = &pair.provider;
    let turns = node.app.preparations.acquire_many(2).await.expect("both turns");
    let mut waiting = Vec::new();
    for n in 0..=fondaco_node::jobs::runner::IN_FLIGHT_MAX {
        let id = begin(node, &format!("p-{n}")).await;
        node.post(&format!("/publications/{id}/prepare"), &json!({})).await.must(202);
        waiting.push(id);
    }
    pair.agree("wind").await;
    drop(turns);
    for id in waiting {
        eventually("the publication to be prepared", async || {
            let found = node.get(&format!("/publications/{id}")).await.must(200);
            (found["state"] == "prepared").then_some(())
        })
        .await;
    }
    pair.shutdown().await;
}

#[tokio::test]
async fn a_list_of_files_that_was_cut_is_not_published_as_an_empty_product() {
    let node = TestNode::start("acme").await;
    let id = begin(&node, "wind").await;
    prepare(&node, &id).await;
    let list = folders(&node, "wind").into_iter().find(|p| p.extension().is_some_and(|e| e == "files")).expect("a list");
    let whole = fs::read_to_string(&list).expect("read");
    for cut in ["", &whole[..whole.len() / 2]] {
        fs::write(&list, cut).expect("cut");
        let refused = node.post(&format!("/publications/{id}/publish"), &json!({})).await;
        assert_eq!(refused.refused(500), "FDC-4005", "{cut:?}");
        assert!(refused.text().contains("Prepare it again"), "{}", refused.text());
    }
    prepare(&node, &id).await;
    let product = node.post(&format!("/publications/{id}/publish"), &json!({})).await.must(201);
    assert_eq!(product["content"]["fileCount"], 1, "{product}");
    node.shutdown().await;
}

#[tokio::test]
async fn what_was_published_since_it_was_looked_at_is_not_given_up() {
    let node = TestNode::start("acme").await;
    let id = begin(&node, "wind").await;
    prepare(&node, &id).await;
    let (slug, key) = (node.slug.clone(), PublicationId::from_stored(&id));
    let seen = node.app.publication(&slug, &key).await.expect("prepared");
    node.post(&format!("/publications/{id}/publish"), &json!({})).await.must(201);
    // As a discard would that had read it before.
    let gone = node.app.store.tx("test.delete", move |tx| -> fondaco_core::Result<()> { Ok(tx.publication_delete(&seen)?) }).await;
    assert_eq!(gone.expect_err("it changed").code(), fondaco_core::Code::Conflict);
    // Given up by its owner, only its row goes.
    assert_eq!(node.admin(Method::DELETE, &node.api_path(&format!("/publications/{id}")), Some(&node.token), None).await.status, 204);
    assert_eq!(folders(&node, "wind").len(), 1, "the product's data stays");
    assert_eq!(node.get(&format!("/publications/{id}")).await.status, 404);
    node.shutdown().await;
}

#[tokio::test]
async fn what_was_begun_at_once_is_finished_although_its_caller_went_away() {
    let node = TestNode::start("acme").await;
    let participant = node.participant().await;
    let path = tables::write(node.dir(), "wind.csv", tables::WIND);
    let draft: fondaco_core::publication::Draft =
        serde_json::from_value(json!({"kind": "table", "product": "wind", "title": "Wind", "source": {"type": "paths", "paths": [path]}}))
            .expect("a draft");
    let turns = node.app.preparations.acquire_many(2).await.expect("both turns");
    {
        let access = fondaco_node::app::publish::SourceAccess::OPERATOR;
        let mut publishing = std::pin::pin!(node.app.publish(&participant, draft, access, None, |_| {}));
        let waker = std::task::Waker::noop();
        assert!(publishing.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
    }
    drop(turns);
    eventually("the product", async || (node.get("/products/wind").await.status == 200).then_some(())).await;
    node.shutdown().await;
}

#[tokio::test]
async fn a_start_removes_what_was_left_unfinished_and_nothing_that_is_named() {
    let node = TestNode::start("acme").await;
    node.publish("wind", tables::WIND, &[]).await;
    let id = begin(&node, "rain").await;
    prepare(&node, &id).await;
    let data = node.dir().join("data");
    let (notes, acme) = (data.join(".reading"), data.join("acme"));
    assert_eq!(fs::read_dir(&notes).expect("notes").count(), 0, "all readings are done");
    let named: Vec<PathBuf> = [folders(&node, "wind"), folders(&node, "rain")].concat();
    assert_eq!(named.len(), 3, "a version, a folder that waits, and its list: {named:?}");
    // As a power loss leaves it: noted, and named or not.
    let note = |id: &str, folder: &str| fs::write(notes.join(id), folder).expect("a note");
    for folder in named.iter().filter(|f| f.is_dir()) {
        let id = folder.file_name().expect("a name").to_str().expect("utf-8");
        note(id, folder.strip_prefix(&data).expect("below").to_str().expect("utf-8"));
    }
    let (left, unnoted) = ("0".repeat(32), "1".repeat(32));
    note(&left, &format!("acme/wind/{left}"));
    for name in [&left, &format!(".{left}.partial-0"), &format!("{left}.fetched"), &unnoted] {
        fs::create_dir(acme.join("wind").join(name)).expect("a folder");
        fs::write(acme.join("wind").join(name).join("part"), "x").expect("a file");
    }
    fs::write(acme.join("wind").join(format!("{left}.files")), "x").expect("a file");
    // Notes that were cut, or lead elsewhere.
    for (id, text) in [("2".repeat(32), String::new()), ("3".repeat(32), format!("acme/../../{}", "3".repeat(32)))] {
        note(&id, &text);
    }
    let part = node.dir().join("uploads/.part");
    fs::create_dir_all(&part).expect("folders");
    fs::write(part.join("half"), "x").expect("a file");
    node.app.remove_leftovers().await.expect("swept");
    let after: Vec<PathBuf> = [folders(&node, "wind"), folders(&node, "rain")].concat();
    let mut expected = named.clone();
    expected.push(acme.join("wind").join(&unnoted));
    expected.sort();
    let mut after_sorted = after;
    after_sorted.sort();
    assert_eq!(after_sorted, expected);
    assert_eq!((fs::read_dir(&notes).expect("notes").count(), fs::read_dir(&part).expect("parts").count()), (0, 0));
    node.post(&format!("/publications/{id}/publish"), &json!({})).await.must(201);
    node.shutdown().await;
}

#[tokio::test]
async fn an_upload_that_has_no_place_leaves_nothing() {
    let node = TestNode::start("acme").await;
    let id = node.post("/publications", &json!({"kind": "files", "source": {"type": "upload"}})).await.must(201)["id"].clone();
    let id = PublicationId::from_stored(id.as_str().expect("an id"));
    let participant = node.participant().await;
    let send = async |name: &str| {
        let content = futures::stream::iter([Ok(bytes::Bytes::from_static(b"x"))]);
        node.app.publication_upload(&participant, &id, name, content).await
    };
    send("a/b").await.expect("taken");
    assert_eq!(send("a").await.expect_err("a folder has the name").code(), fondaco_core::Code::Invalid);
    assert_eq!(fs::read_dir(node.dir().join("uploads/.part")).expect("parts").count(), 0);
    node.shutdown().await;
}

#[tokio::test]
async fn they_are_listed_page_by_page() {
    let node = TestNode::start("acme").await;
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(begin(&node, &format!("p-{n}")).await);
    }
    made.reverse();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = node.get(&format!("/publications?limit=2{after}")).await.must(200);
        let rows = page["publications"].as_array().expect("a list");
        assert!(rows.len() <= 2, "{page}");
        seen.extend(rows.iter().map(|p| p["id"].as_str().expect("an id").to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made, "each once, the last touched first");
    assert_eq!(node.get("/publications?after=yesterday").await.status, 400);
    node.shutdown().await;
}
