//! Witnesses, both ways: two nodes cosign each other's logs; what a log may not do is refused, kept and shown; and a log
//! that was put back is held until its witnesses confirm it.

use fondaco_core::participant::Slug;
use fondaco_node::{
    app::App,
    log::{asking, memory},
};
use fondaco_store::backup::HELD_RESTORED;
use fondaco_testkit::{TestNode, TestPair, eventually, http};
use fondaco_tlog::{
    Checkpoint, Hash, Note,
    bundle::{Bundle, BundleError},
    note::{KeyName, SigningKey, VerifierKey},
    policy::Policy,
    witness::{Request, SIZE_CONTENT_TYPE, monitoring_path, parse_cosignatures},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Instant;

pub(crate) async fn status(node: &TestNode) -> Value {
    node.admin(Method::GET, "/api/v1/log", Some(&node.token), None).await.must(200)
}

pub(crate) async fn put_policy(node: &TestNode, policy: &Value) -> Value {
    node.admin(Method::PUT, "/api/v1/log/policy", Some(&node.token), Some(&json!({"policy": policy}))).await.must(200)
}

/// The node's log, once it has signed and has its witness key.
pub(crate) async fn ready(node: &TestNode) -> Value {
    eventually("a log", async || {
        let status = status(node).await;
        (status["size"].as_u64() > Some(0) && status["waiting"] == 0 && status["witnessKey"] != "").then_some(status)
    })
    .await
}

fn text(status: &Value, name: &str) -> String {
    status[name].as_str().unwrap_or_default().to_owned()
}

/// A policy that asks `witness`, and witnesses its log.
fn policy_with(witness: &TestNode, its: &Value) -> String {
    format!(
        "log {key}\nwitness peer {witness_key} {url}/log/witness\nquorum peer\n",
        key = text(its, "key"),
        witness_key = text(its, "witnessKey"),
        url = witness.public_url
    )
}

async fn checkpoint(node: &TestNode) -> Note {
    let answer = http::client().get(format!("{}/log/checkpoint", node.public_url)).send().await.expect("an answer");
    Note::parse(&answer.bytes().await.expect("bytes")).expect("a note")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_cosign_each_others_logs() {
    let (a, b) = (TestNode::start("alpha").await, TestNode::start("beta").await);
    let (of_a, of_b) = (ready(&a).await, ready(&b).await);
    // B witnesses A first, and asks nobody.
    put_policy(&b, &json!(format!("log {}\nquorum none\n", text(&of_a, "key")))).await;
    let policy = policy_with(&b, &of_b);
    let now = put_policy(&a, &json!(policy)).await;
    assert_eq!(now["witnesses"][0]["problem"], Value::Null, "{now}");
    assert_eq!(now["cosignedSize"], now["size"], "{now}");
    let witness: VerifierKey = text(&of_b, "witnessKey").parse().expect("a key");
    let log: VerifierKey = text(&of_a, "key").parse().expect("a key");

    let note = checkpoint(&a).await;
    assert_eq!(note.verify([&log, &witness]).expect("both").len(), 2);
    // And each checkpoint after it, as soon as it is signed.
    a.admin(Method::POST, "/api/v1/log/rotate", Some(&a.token), Some(&json!({}))).await.must(200);
    let grown = eventually("a larger cosigned tree", async || {
        let grown = status(&a).await;
        (grown["cosignedSize"].as_u64() > now["size"].as_u64()).then_some(grown)
    });
    // B does not know the new key: it refuses, and the operator of A reads why.
    let refused = eventually("a refusal", async || {
        let refused = status(&a).await;
        refused["witnesses"][0]["problem"].as_str().is_some_and(|p| p.contains("403")).then_some(refused)
    })
    .await;
    assert!(refused["cosignedSize"].as_u64() < refused["size"].as_u64(), "{refused}");
    let both = format!("log {}\nlog {}\nquorum none\n", text(&of_a, "key"), text(&refused, "key"));
    put_policy(&b, &json!(both)).await;
    asking::ask(&a.app, true).await.expect("asked");
    let grown = grown.await;
    assert_eq!(grown["witnesses"][0]["problem"], Value::Null, "{grown}");

    // A bundle carries the cosignature, and satisfies the policy of somebody who trusts B.
    let rows = a.admin(Method::GET, "/api/v1/evidence", Some(&a.token), None).await.must(200);
    let id = text(&rows["evidence"][0], "id");
    let bundle = a.admin(Method::GET, &format!("/api/v1/evidence/{id}/bundle"), Some(&a.token), None).await.text();
    let bundle = Bundle::parse(bundle.as_bytes()).expect("a bundle");
    let trusting = |witness: &str| format!("log {}\nwitness b {witness}\nquorum b\n", text(&grown, "key"));
    let trusts_b = Policy::parse(trusting(&witness.to_string()).as_bytes()).expect("a policy");
    let proven = bundle.verify(Some(&trusts_b)).expect("proven");
    assert_eq!(proven.policy.expect("a verdict").witnesses.len(), 1);
    let trusts_a = Policy::parse(trusting(&text(&of_a, "witnessKey")).as_bytes()).expect("a policy");
    assert!(matches!(bundle.verify(Some(&trusts_a)), Err(BundleError::Policy(_))));

    // Monitors read what B cosigned last.
    let seen = status(&b).await;
    assert_eq!((&seen["witnessed"][0]["origin"], &seen["witnessed"][0]["size"]), (&grown["origin"], &grown["size"]), "{seen}");
    let path = format!("{}/log/witness/{}", b.public_url, monitoring_path(&text(&grown, "origin")));
    let monitored = http::client().get(path).send().await.expect("an answer");
    assert_eq!(monitored.headers()["content-type"], "text/plain; charset=utf-8");
    let monitored = Note::parse(&monitored.bytes().await.expect("bytes")).expect("a note");
    assert_eq!(monitored.verify([&witness]).expect("cosigned").len(), 1);
    let unknown =
        http::client().get(format!("{}/log/witness/{}/checkpoint", b.public_url, "0".repeat(64))).send().await.expect("an answer");
    assert_eq!(unknown.status(), 404);
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_says_who_witnessed_it_and_holds_over_a_rotation() {
    let pair = TestPair::with_wind().await;
    let agreement = pair.agree("wind").await;
    let (a, b) = (&pair.provider, &pair.consumer);
    let (of_a, of_b) = (ready(a).await, ready(b).await);
    put_policy(b, &json!(format!("log {}\nquorum none\n", text(&of_a, "key")))).await;
    put_policy(a, &json!(policy_with(b, &of_b))).await;
    eventually("the agreement in a cosigned tree", async || {
        let rows = a.get(&format!("/evidence?agreement={agreement}")).await.must(200);
        let index = rows["evidence"].as_array().expect("a list").iter().find(|row| row["kind"] == "agreement")?["leafIndex"].as_u64()?;
        (status(a).await["cosignedSize"].as_u64() > Some(index)).then_some(())
    })
    .await;
    let timeline = async |of: &TestNode| of.get(&format!("/agreements/{agreement}/timeline")).await.must(200);
    let witness: VerifierKey = text(&of_b, "witnessKey").parse().expect("a key");
    let seen = timeline(b).await;
    assert_eq!(seen["peerWitnesses"], json!([witness.name().to_string()]), "{seen}");
    let unseen = timeline(a).await;
    assert_eq!(unseen["peerWitnesses"], json!([]), "nobody has cosigned the log of B: {unseen}");
    // The witness does not take the new key, so the last tree with a quorum is one that the old key has signed.
    a.admin(Method::POST, "/api/v1/log/rotate", Some(&a.token), Some(&json!({}))).await.must(200);
    assert_ne!(status(a).await["key"], of_a["key"]);
    let found = timeline(a).await;
    let names: Vec<_> = found["findings"].as_array().expect("a list").iter().map(|f| f["name"].clone()).collect();
    assert!(!names.contains(&json!("ours-does-not-hold")), "{found}");
    let ours = found["leaves"].as_array().expect("a list").iter().find(|leaf| leaf["side"] == "ours" && leaf["kind"] == "agreement");
    assert_eq!(ours.expect("ours")["outcome"], "verified", "{found}");
    pair.shutdown().await;
}

/// A log of somebody else, of which only roots count: trees of one leaf or none, and others that follow nothing.
struct Other {
    key: SigningKey,
}

impl Other {
    fn new() -> Self {
        Self { key: SigningKey::from_seed(KeyName::parse("other.example/log").expect("a name"), &[5; 32]).expect("a key") }
    }
    fn request(&self, old: u64, size: u64, root: u8) -> Request {
        let checkpoint = Checkpoint::new("other.example/log", size, Hash([root; 32])).expect("a checkpoint");
        Request::new(old, vec![], checkpoint.sign(&self.key).expect("signed")).expect("a request")
    }
}

async fn submit(node: &TestNode, body: String) -> (StatusCode, String, String) {
    let url = format!("{}/log/witness/add-checkpoint", node.public_url);
    let answer = http::client().post(url).body(body).send().await.expect("an answer");
    let media = answer.headers()["content-type"].to_str().expect("text").to_owned();
    (answer.status(), media, answer.text().await.expect("text"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_log_may_not_do_is_refused_and_kept() {
    let node = TestNode::start("alpha").await;
    let of_node = ready(&node).await;
    let witness: VerifierKey = text(&of_node, "witnessKey").parse().expect("a key");
    let other = Other::new();
    assert_eq!(submit(&node, other.request(0, 1, 1).to_string()).await.0, 404, "nobody told us to witness it");
    put_policy(&node, &json!(format!("log {}\nquorum none\n", other.key.verifier()))).await;

    let first = other.request(0, 1, 1);
    let (status_code, _, lines) = submit(&node, first.to_string()).await;
    assert_eq!(status_code, 200, "{lines}");
    assert_eq!(parse_cosignatures(lines.as_bytes(), &first.note, std::slice::from_ref(&witness)).expect("cosigned").len(), 1);
    assert_eq!(submit(&node, other.request(1, 1, 1).to_string()).await.0, 200, "the same tree again");

    let (code, media, body) = submit(&node, other.request(0, 1, 1).to_string()).await;
    assert_eq!((code, media.as_str(), body.as_str()), (StatusCode::CONFLICT, SIZE_CONTENT_TYPE, "1\n"));
    assert_eq!(submit(&node, other.request(2, 1, 1).to_string()).await.0, 400, "backwards");
    assert_eq!(submit(&node, "old x\n".into()).await.0, 400);
    assert_eq!(submit(&node, "x".repeat(1_000_000)).await.0, 413);
    let stranger = SigningKey::from_seed(KeyName::parse("other.example/log").expect("a name"), &[6; 32]).expect("a key");
    assert_eq!(submit(&node, Other { key: stranger }.request(1, 1, 1).to_string()).await.0, 403);
    let unproven = other.request(1, 9, 3).to_string();
    assert_eq!(submit(&node, unproven.clone()).await.0, 422, "no proof");
    assert_eq!(submit(&node, other.request(1, 8, 3).to_string()).await.0, 422, "no proof");
    let seen = status(&node).await;
    assert_eq!(seen["witnessed"][0]["conflict"], Value::Null, "anybody can send a checkpoint with a wrong proof");
    assert_eq!(seen["witnessed"][0]["doubt"], json!(unproven), "the first is shown");
    assert!(seen["witnessed"][0]["doubtAt"].is_string(), "{seen}");
    // Within the second of its last cosignature nothing is stored; after it, the log's own request takes the doubt away.
    eventually("no doubt", async || {
        assert_eq!(submit(&node, other.request(1, 1, 1).to_string()).await.0, 200);
        status(&node).await["witnessed"][0].get("doubt").is_none().then_some(())
    })
    .await;
    // Another root for the tree that was cosigned: the log has forked, and its signature proves it.
    let fork = other.request(1, 1, 2);
    assert_eq!(submit(&node, fork.to_string()).await.0, 422);
    assert_eq!(submit(&node, other.request(1, 9, 3).to_string()).await.0, 422, "no proof");
    let seen = status(&node).await;
    assert_eq!(seen["witnessed"][0]["conflict"], json!(fork.to_string()), "the first is kept");
    assert_eq!(seen["witnessed"][0]["size"], 1);
    // Who asks for nothing better is told as much, and no policy that cannot be followed is taken.
    for policy in [json!("log x\nquorum none\n"), json!(""), json!(format!("witness w {witness}\nquorum w\n"))] {
        let refused = node.admin(Method::PUT, "/api/v1/log/policy", Some(&node.token), Some(&json!({"policy": policy}))).await;
        assert_eq!(refused.status, 400, "{policy}");
    }
    let nothing = node.admin(Method::PUT, "/api/v1/log/policy", Some(&node.token), Some(&json!({}))).await;
    assert_eq!(nothing.status, 400, "what was left out by mistake clears nothing");
    assert!(status(&node).await["policy"].is_string());
    let cleared = put_policy(&node, &Value::Null).await;
    assert_eq!(cleared["policy"], Value::Null);
    assert_eq!(submit(&node, first.to_string()).await.0, 404, "it is no longer witnessed, and not forgotten");
    assert_eq!(status(&node).await["witnessed"][0]["size"], 1);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_repeated_within_a_second_is_not_stored_again() {
    let node = TestNode::start("alpha").await;
    let witness: VerifierKey = text(&ready(&node).await, "witnessKey").parse().expect("a key");
    let other = Other::new();
    put_policy(&node, &json!(format!("log {}\nquorum none\n", other.key.verifier()))).await;
    let count =
        async || node.app.store.read("test.count", |tx| -> fondaco_core::Result<_> { Ok(tx.witnessed_count()?) }).await.expect("a count");
    let (started, before) = (Instant::now(), count().await);
    assert_eq!(submit(&node, other.request(0, 1, 1).to_string()).await.0, 200);
    let again = other.request(1, 1, 1);
    for _ in 0..50 {
        let (code, _, lines) = submit(&node, again.to_string()).await;
        assert_eq!(code, 200, "{lines}");
        assert_eq!(parse_cosignatures(lines.as_bytes(), &again.note, std::slice::from_ref(&witness)).expect("cosigned").len(), 1);
    }
    let stored = count().await - before;
    assert!(stored <= started.elapsed().as_secs() + 2, "{stored} in {:?}", started.elapsed());
    let remembered = std::fs::read_to_string(node.dir().join(memory::FILE)).expect("remembered");
    let remembered: Value = serde_json::from_str(&remembered).expect("JSON");
    assert_eq!(remembered["cosigned"].as_u64(), Some(before + stored));
    node.shutdown().await;
}

pub(crate) async fn hold(app: &App, why: &'static str) {
    app.store.tx("test.hold", move |tx| -> fondaco_core::Result<_> { Ok(tx.log_hold(Some(why))?) }).await.expect("held");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_log_goes_on_when_its_witnesses_confirm_it() {
    let (a, b) = (TestNode::start("alpha").await, TestNode::start("beta").await);
    let (of_a, of_b) = (ready(&a).await, ready(&b).await);
    put_policy(&b, &json!(format!("log {}\nquorum none\n", text(&of_a, "key")))).await;
    put_policy(&a, &json!(policy_with(&b, &of_b))).await;
    let resume = async || a.admin(Method::POST, "/api/v1/log/resume", Some(&a.token), Some(&json!({"withoutWitnesses": false}))).await;
    // As `fondaco restore` leaves it: the witness has seen no more, so the log goes on by itself.
    ready(&a).await;
    asking::ask(&a.app, true).await.expect("asked");
    hold(&a.app, HELD_RESTORED).await;
    let asked = asking::ask(&a.app, false).await.expect("asked");
    assert!(asked.confirmed, "{asked:?}");
    assert_eq!(status(&a).await["held"], Value::Null);

    // Held for another reason: its operator asks the witnesses.
    ready(&a).await;
    asking::ask(&a.app, true).await.expect("asked");
    hold(&a.app, "the operator looks into it").await;
    resume().await.must(200);

    // The witness is away: nothing is confirmed.
    let away = format!("{}\n", text(&of_b, "witnessKey"));
    let policy = format!("log {}\nwitness peer {} http://127.0.0.1:1\nquorum peer\n", text(&of_b, "key"), away.trim());
    put_policy(&a, &json!(policy)).await;
    hold(&a.app, HELD_RESTORED).await;
    let refused = resume().await;
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert!(status(&a).await["held"].is_string());
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_put_back_is_held_when_its_witness_objects() {
    let (a, b) = (TestNode::start("alpha").await, TestNode::start("beta").await);
    let (of_a, of_b) = (ready(&a).await, ready(&b).await);
    put_policy(&b, &json!(format!("log {}\nquorum none\n", text(&of_a, "key")))).await;
    put_policy(&a, &json!(policy_with(&b, &of_b))).await;
    // The witness has seen a larger tree of this log: as if the database, and what is beside it, had been put back.
    let origin = text(&of_a, "origin");
    b.app
        .store
        .tx("test.larger", move |tx| -> fondaco_core::Result<_> {
            let row = tx.witnessed_lock(&origin)?;
            let state = fondaco_tlog::witness::State { size: row.size + 1_000, root: row.root, time: 1 };
            Ok(tx.witnessed_put(&origin, &state, &row.checkpoint)?)
        })
        .await
        .expect("stored");
    let asked = asking::ask(&a.app, true).await.expect("asked");
    assert_eq!(asked.objections.len(), 1, "{asked:?}");
    let held = status(&a).await;
    assert!(held["held"].as_str().is_some_and(|why| why.contains("a witness has seen")), "{held}");
    assert!(held["witnesses"][0]["problem"].is_string(), "{held}");
    let resumed = a.admin(Method::POST, "/api/v1/log/resume", Some(&a.token), Some(&json!({"withoutWitnesses": false}))).await;
    assert_eq!(resumed.status, 409);
    let before = held["size"].clone();
    let slug = Slug::parse("another").expect("a slug");
    a.admin(Method::POST, "/api/v1/participants", Some(&a.token), Some(&json!({"slug": slug, "name": "Another"}))).await.must(201);
    assert_eq!(status(&a).await["size"], before, "nothing is signed");
    a.shutdown().await;
    b.shutdown().await;
}
