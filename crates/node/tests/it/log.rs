//! The node's log over its listeners: what a deal leaves in it on both sides, served so that it can be checked, and held
//! when it might fork.

use fondaco_core::{
    Code,
    evidence::{Kind, Leaf, Opening},
    time::Micros,
};
use fondaco_node::{
    app::{App, evidence::EvidenceAsked},
    config::Config,
    init::{InitOptions, init},
    log::{memory, sequencer},
    node::{Node, open_app},
};
use fondaco_testkit::{Database, TestNode, TestPair, eventually, http, tables};
use fondaco_tlog::{
    Checkpoint, Note,
    audit::audit,
    bundle::Bundle,
    note::VerifierKey,
    tile::{EntriesAddress, TileAddress, written},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashMap;
use tokio::net::TcpListener;

/// All that a node's log serves, read as a stranger does, and checked; the checkpoint and the entries.
async fn read_log(node: &TestNode) -> (Checkpoint, Vec<Leaf>) {
    let key: VerifierKey = of_node(node, "/log").await["key"].as_str().expect("a key").parse().expect("a vkey");
    let client = http::client();
    let fetch = async |path: String| {
        let answer = client.get(format!("{}/log/{path}", node.public_url)).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        answer.bytes().await.expect("bytes").to_vec()
    };
    let note = Note::parse(&fetch("checkpoint".into()).await).expect("a note");
    let signed = Checkpoint::open(&note, [&key]).expect("signed");
    let mut files = HashMap::new();
    for tile in written(0, signed.size) {
        files.insert(tile.to_string(), fetch(tile.to_string()).await);
    }
    for bundle in (0..).map_while(|index| EntriesAddress::at(index, signed.size)) {
        files.insert(bundle.to_string(), fetch(bundle.to_string()).await);
    }
    let read = |path: String| Ok::<_, String>(files.get(&path));
    let mut leaves = Vec::new();
    let seen = |_, entry: &[u8]| leaves.push(Leaf::read(entry).expect("a leaf"));
    audit(signed.size, &signed.root, |a| read(a.to_string()), |a| read(a.to_string()), seen).expect("the log holds");
    (signed, leaves)
}

async fn of_node(node: &TestNode, path: &str) -> Value {
    node.admin(Method::GET, &format!("/api/v1{path}"), Some(&node.token), None).await.must(200)
}

/// The evidence of a kind about an agreement, once it is in the tree.
async fn evidence(node: &TestNode, agreement: &str, kind: &str) -> Value {
    eventually(&format!("{kind} of {agreement} in the log of {}", node.slug), async || {
        let found = node.get(&format!("/evidence?agreement={agreement}")).await.must(200);
        let rows = found["evidence"].as_array().expect("a list").clone();
        rows.into_iter().find(|row| row["kind"] == kind && row["leafIndex"].is_u64())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deal_is_in_both_logs_and_can_be_proved() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let access = pair.access(&agreement).await;
    let mut documents = Vec::new();
    for node in [&pair.provider, &pair.consumer] {
        evidence(node, &agreement, "transfer-started").await;
        let row = evidence(node, &agreement, "agreement").await;
        let id = row["id"].as_str().expect("an id");
        let text = node.get(&format!("/evidence/{id}/bundle")).await.text();
        let bundle = Bundle::parse(text.as_bytes()).expect("a bundle");
        let proven = bundle.verify(None).expect("proven");
        assert_eq!(Some(proven.index), row["leafIndex"].as_u64());
        let (leaf, opening) = (Leaf::read(bundle.leaf.as_bytes()).expect("a leaf"), bundle.opening.expect("an opening"));
        let secret = opening.secret_bytes().expect("a secret");
        let opened = Opening {
            own: node.did.as_str(),
            peer: opening.peer.as_deref(),
            object: &agreement,
            document: &opening.document,
            secret: &secret,
        };
        leaf.check(opened).expect("opens");
        documents.push(leaf.document.clone());

        let (signed, leaves) = read_log(node).await;
        assert!(signed.size > proven.index);
        assert_eq!(leaves[usize::try_from(proven.index).expect("small")], leaf);
        let text = serde_json::to_string(&leaves).expect("JSON");
        for name in [agreement.as_str(), node.slug.as_str(), node.did.as_str(), "wind", "admin"] {
            assert!(!text.contains(&format!("\"{name}\"")), "{name} in {text}");
        }
        let checked = of_node(node, "/log/check").await;
        assert_eq!(checked["faults"], json!([]), "{checked}");
        assert!(checked["opened"].as_u64() >= Some(5), "{checked}");
    }
    assert_eq!(documents[0], documents[1], "both sides log the same agreement");
    let provider = pair.provider_transfer(&access.transfer).await;
    pair.provider.post(&format!("/transfers/{provider}/suspend"), &json!({"reason": "Maintenance."})).await.must(200);
    evidence(&pair.provider, &agreement, "transfer-suspended").await;
    evidence(&pair.consumer, &agreement, "transfer-suspended").await;
    // What the consumer is refused from now on is summed, not logged one by one.
    let before = of_node(&pair.provider, "/log").await["size"].as_u64();
    for _ in 0..20 {
        let refused = access.share.call(Method::POST, "/shares/provider/schemas/default/tables/wind/query", Some(&json!({}))).await;
        assert_eq!(refused.status, 403, "{}", refused.text());
    }
    while sequencer::integrate(&pair.provider.app).await.expect("integrates").more {}
    assert_eq!(of_node(&pair.provider, "/log").await["size"].as_u64(), before);
    let next_hour = pair.provider.app.now().plus(Micros::from_secs(3_600));
    let sums = pair.provider.app.store.tx("test.refusals", move |tx| -> fondaco_core::Result<_> { Ok(tx.refusals_take(next_hour)?) }).await;
    let sums = sums.expect("sums");
    assert_eq!(sums.len(), 1, "one row for twenty refusals: {sums:?}");
    assert_eq!(sums[0].agreement_id, agreement);
    pair.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_part_of_the_log_has_one_address() {
    let node = TestNode::start("alpha").await;
    eventually("a first tree", async || (of_node(&node, "/log").await["size"].as_u64() > Some(0)).then_some(())).await;
    let (signed, _) = read_log(&node).await;
    let header = |answer: &reqwest::Response, name: &str| answer.headers()[name].to_str().expect("text").to_owned();
    let get = async |path: &str| http::client().get(format!("{}/log/{path}", node.public_url)).send().await.expect("an answer");
    let checkpoint = get("checkpoint").await;
    assert_eq!(header(&checkpoint, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(header(&checkpoint, "cache-control"), "public, max-age=1");
    assert!(signed.origin.ends_with("/log") && !signed.origin.contains("://"));
    let tile = get(&TileAddress::at(0, 0, signed.size).expect("a tile").to_string()).await;
    assert_eq!(header(&tile, "content-type"), "application/octet-stream");
    assert!(header(&tile, "cache-control").contains("immutable"));
    let wider = TileAddress { level: 0, index: 0, width: 200 };
    for path in [
        "tile/0/000",
        &wider.to_string(),
        "tile/0/0",
        "tile/0/x000",
        "tile/00/000.p/1",
        "tile/0/000.p/01",
        "tile/entries/001",
        "tile/8/000",
        "checkpoint/",
        "",
        "tile/0/999/x999/000",
    ] {
        assert_eq!(get(path).await.status(), 404, "{path}");
    }
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_log_signs_nothing_until_its_operator_says_so() {
    let node = TestNode::start("alpha").await;
    let dir = node.dir().to_owned();
    let held = async |app: &App| {
        app.store.read("test.tree", |tx| -> fondaco_core::Result<_> { Ok(tx.log_tree()?) }).await.expect("read").and_then(|t| t.held)
    };
    eventually("a first tree", async || (of_node(&node, "/log").await["size"].as_u64() > Some(0)).then_some(())).await;
    memory::compare(&node.app).await.expect("compared");
    assert_eq!(held(&node.app).await, None, "nothing is wrong yet");
    // The file remembers a tree that this database never signed.
    let signed = std::fs::read_to_string(dir.join(memory::FILE)).expect("remembered");
    let mut larger: Value = serde_json::from_str(&signed).expect("JSON");
    larger["size"] = json!(1_000_000);
    std::fs::write(dir.join(memory::FILE), larger.to_string()).expect("written");
    memory::compare(&node.app).await.expect("compared");
    assert_eq!(held(&node.app).await.as_deref(), Some(memory::HELD_OLDER));
    let before = of_node(&node, "/log").await;
    node.publish("wind", tables::WIND, &[]).await;
    assert!(!sequencer::integrate(&node.app).await.expect("held").more);
    let now = of_node(&node, "/log").await;
    assert_eq!((&now["size"], &now["root"]), (&before["size"], &before["root"]));
    assert!(now["waiting"].as_u64() > Some(0), "{now}");
    let refused = node.admin(Method::POST, "/api/v1/log/resume", Some(&node.token), Some(&json!({"withoutWitnesses": false}))).await;
    assert_eq!(refused.status, 400);
    let resumed =
        node.admin(Method::POST, "/api/v1/log/resume", Some(&node.token), Some(&json!({"withoutWitnesses": true}))).await.must(200);
    assert_eq!((resumed["waiting"].as_u64(), resumed["held"].is_null()), (Some(0), true), "{resumed}");
    let (_, leaves) = read_log(&node).await;
    assert!(leaves.iter().any(|leaf| leaf.kind == Kind::ProductPublished));
    memory::compare(&node.app).await.expect("compared");
    assert_eq!(held(&node.app).await, None);
    // A root that the tree never had at that size.
    let size = of_node(&node, "/log").await["size"].clone();
    larger["size"] = size;
    std::fs::write(dir.join(memory::FILE), larger.to_string()).expect("written");
    memory::compare(&node.app).await.expect("compared");
    assert_eq!(held(&node.app).await.as_deref(), Some(memory::HELD_OLDER));
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_signed_is_remembered_as_soon_as_it_can_be() {
    let node = TestNode::start("alpha").await;
    eventually("a first tree", async || (of_node(&node, "/log").await["size"].as_u64() > Some(0)).then_some(())).await;
    // Where the file is written there is something else, as on a disk that takes no new file.
    let blocked = node.dir().join(format!(".{}.new", memory::FILE));
    std::fs::create_dir(&blocked).expect("a folder");
    node.add_participant("beta").await;
    sequencer::integrate(&node.app).await.expect_err("cannot be remembered");
    let signed = of_node(&node, "/log").await["size"].as_u64();
    std::fs::remove_dir(&blocked).expect("room again");
    // No leaf is new, and still:
    sequencer::integrate(&node.app).await.expect("remembered");
    let remembered = std::fs::read_to_string(node.dir().join(memory::FILE)).expect("remembered");
    let remembered: Value = serde_json::from_str(&remembered).expect("JSON");
    assert!(signed.is_some() && remembered["size"].as_u64() >= signed, "{remembered}, and {signed:?} were signed");
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_signed_before_the_start_has_looked() {
    let (database, dir) = (Database::fresh(), tempfile::tempdir().expect("a folder"));
    let made = init(InitOptions {
        dir: dir.path().to_owned(),
        participant: "alpha".into(),
        name: "Alpha Ltd".into(),
        country: None,
        public: Some("http://127.0.0.1:7400".into()),
        admin: None,
        database: database.url(),
    });
    made.await.expect("a node is made");
    let config = || Config::load(dir.path()).expect("the configuration");
    // What was signed last cannot be told: the node does not start.
    let file = dir.path().join(memory::FILE);
    std::fs::write(&file, "{").expect("written");
    let (public, admin) =
        (TcpListener::bind("127.0.0.1:0").await.expect("a port"), TcpListener::bind("127.0.0.1:0").await.expect("a port"));
    let refused = Node::start_on(config(), public, admin).await.map(drop).expect_err("it does not start");
    assert!(refused.code() == Code::ConfigInvalid && refused.message().contains(memory::FILE), "{refused:?}");
    std::fs::remove_file(&file).expect("removed");

    let app = open_app(config()).await.expect("opens");
    let evidence = app.evidence_list(None, EvidenceAsked::default()).await.expect("a list").items;
    let id = evidence.first().expect("a leaf of the node's own").id.clone();
    assert_eq!(app.evidence_bundle(None, &id).await.expect_err("not yet").code(), Code::NotYet);
    assert_eq!(app.log_rotate().await.expect_err("not yet").code(), Code::Conflict);
    let status = app.log_status().await.expect("a status");
    assert_eq!((status.size, status.signed_at.as_deref(), status.key.as_str()), (0, None, ""), "nobody was asked, nothing is signed");
    assert!(status.waiting > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_signs_the_same_tree() {
    let node = TestNode::start("alpha").await;
    eventually("a first tree", async || (of_node(&node, "/log").await["size"].as_u64() > Some(0)).then_some(())).await;
    let before = of_node(&node, "/log").await;
    let after = node.admin(Method::POST, "/api/v1/log/rotate", Some(&node.token), Some(&json!({}))).await.must(200);
    assert_ne!(after["key"], before["key"]);
    let (_, leaves) = read_log(&node).await;
    assert_eq!(leaves.last().map(|leaf| leaf.kind), Some(Kind::KeyChange));
    assert_eq!(of_node(&node, "/log/check").await["faults"], json!([]));
    node.shutdown().await;
}
