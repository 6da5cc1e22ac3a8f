//! A node asks its witnesses, and these do what witnesses may do: answer late, of another day, or never; while the log grows
//! and the policy changes.

use crate::witness::{hold, put_policy, ready, status};
use axum::{Router, body::Bytes, http::StatusCode, routing::post};
use fondaco_node::{
    app::{App, participants::NewParticipant},
    log::{asking, sequencer},
};
use fondaco_store::{CosignatureRow, backup::HELD_RESTORED};
use fondaco_testkit::{TestNode, eventually};
use fondaco_tlog::{cosignature::CosigningKey, note::KeyName, witness::Request};
use serde_json::{Value, json};
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};
use tokio::net::TcpListener;

fn key() -> CosigningKey {
    CosigningKey::from_seed(KeyName::parse("fake.example/witness").expect("a name"), &[9; 32]).expect("a key")
}

/// A witness that answers as a test says; the line of a policy that asks it.
async fn witness<F, A>(answer: F) -> String
where
    F: Fn(Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = (StatusCode, String)> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new().route("/add-checkpoint", post(move |body: Bytes| answer(Request::parse(&body).expect("a request"))));
    tokio::spawn(axum::serve(listener, router).into_future());
    format!("witness peer {} {url}\n", key().verifier())
}

/// What an honest witness says, whose clock is off by so many seconds.
fn cosigned(app: &App, request: &Request, off: i64) -> (StatusCode, String) {
    let time = u64::try_from(app.now().as_secs() + off).expect("after 1970");
    (StatusCode::OK, key().sign(&request.checkpoint, time).expect("a time").to_string())
}

async fn grow(app: &App, slug: &str) -> u64 {
    let new = NewParticipant { slug: slug.into(), name: slug.into(), country: None };
    app.participant_add(new, None).await.expect("a participant");
    loop {
        let done = sequencer::integrate(app).await.expect("integrates");
        if !done.more {
            return done.tree.size;
        }
    }
}

async fn rows(app: &App) -> Vec<CosignatureRow> {
    app.store.read("test.rows", |tx| -> fondaco_core::Result<_> { Ok(tx.log_cosignatures()?) }).await.expect("rows")
}

/// Once the latest tree is cosigned by a quorum.
async fn all_cosigned(node: &TestNode) -> Value {
    eventually("a quorum on all there is", async || {
        let now = status(node).await;
        (now["waiting"] == 0 && now["cosignedSize"] == now["size"]).then_some(now)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_is_ahead_of_what_was_asked_is_compared_with_what_there_is_now() {
    let node = TestNode::start("alpha").await;
    ready(&node).await;
    let (app, asked) = (node.app.clone(), Arc::new(AtomicUsize::new(0)));
    let line = witness(move |request| {
        let (app, asked) = (app.clone(), Arc::clone(&asked));
        async move {
            if asked.fetch_add(1, Ordering::SeqCst) > 0 {
                return cosigned(&app, &request, 0);
            }
            // As if another process had signed more meanwhile, and had it cosigned.
            let size = grow(&app, "meanwhile").await;
            assert!(size > request.checkpoint.size);
            (StatusCode::CONFLICT, format!("{size}\n"))
        }
    })
    .await;
    put_policy(&node, &json!(format!("{line}quorum peer\n"))).await;
    asking::ask(&node.app, true).await.expect("asked");
    let now = all_cosigned(&node).await;
    assert_eq!((&now["held"], &now["witnesses"][0]["problem"]), (&Value::Null, &Value::Null), "{now}");
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_the_policy_leaves_out_meanwhile_is_not_heard() {
    let node = TestNode::start("alpha").await;
    ready(&node).await;
    let (app, asked) = (node.app.clone(), Arc::new(AtomicBool::new(false)));
    let seen = Arc::clone(&asked);
    let line = witness(move |_| {
        let (app, seen) = (app.clone(), Arc::clone(&seen));
        async move {
            app.log_policy_put(None).await.expect("a policy");
            seen.store(true, Ordering::SeqCst);
            (StatusCode::UNPROCESSABLE_ENTITY, "another tree".to_owned())
        }
    })
    .await;
    let now = put_policy(&node, &json!(format!("{line}quorum peer\n"))).await;
    assert!(asked.load(Ordering::SeqCst));
    assert_eq!((&now["held"], &now["witnesses"], &now["policy"]), (&Value::Null, &json!([]), &Value::Null), "{now}");
    assert_eq!(rows(&node.app).await, []);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_log_goes_on_for_a_quorum_that_says_so_now() {
    let node = TestNode::start("alpha").await;
    ready(&node).await;
    let (app, off) = (node.app.clone(), Arc::new(AtomicBool::new(true)));
    let late = Arc::clone(&off);
    let line = witness(move |request| {
        let off = if late.load(Ordering::SeqCst) { -86_400 } else { 0 };
        let answer = cosigned(&app, &request, off);
        async move { answer }
    })
    .await;
    // It says what it said the day before: that proves nothing about today.
    put_policy(&node, &json!(format!("{line}quorum peer\n"))).await;
    hold(&node.app, HELD_RESTORED).await;
    let asked = asking::ask(&node.app, true).await.expect("asked");
    assert!(!asked.confirmed && asked.failures.len() == 1, "{asked:?}");
    let now = status(&node).await;
    assert_eq!((&now["held"], &now["cosignedSize"]), (&json!(HELD_RESTORED), &Value::Null), "{now}");
    assert!(now["witnesses"][0]["problem"].as_str().is_some_and(|p| p.contains("not of now")), "{now}");

    // Now it does, but the policy asks for no quorum: one of many confirms nothing.
    off.store(false, Ordering::SeqCst);
    let now = put_policy(&node, &json!(format!("{line}quorum none\n"))).await;
    assert_eq!((&now["held"], &now["cosignedSize"]), (&json!(HELD_RESTORED), &Value::Null), "{now}");
    assert_eq!(now["witnesses"][0]["problem"], Value::Null, "{now}");
    assert!(!asking::ask(&node.app, true).await.expect("asked").confirmed);
    let now = put_policy(&node, &json!(format!("{line}quorum peer\n"))).await;
    assert_eq!(now["held"], Value::Null, "{now}");
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_log_is_not_released_once_a_witness_has_objected() {
    let node = TestNode::start("alpha").await;
    ready(&node).await;
    let (app, objects) = (node.app.clone(), Arc::new(AtomicBool::new(true)));
    let objecting = Arc::clone(&objects);
    let line = witness(move |request| {
        let answer = if objecting.load(Ordering::SeqCst) {
            (StatusCode::CONFLICT, format!("{}\n", request.checkpoint.size + 1_000))
        } else {
            cosigned(&app, &request, 0)
        };
        async move { answer }
    })
    .await;
    hold(&node.app, HELD_RESTORED).await;
    put_policy(&node, &json!(format!("{line}quorum peer\n"))).await;
    // It forgets, or another answers in its place.
    objects.store(false, Ordering::SeqCst);
    asking::ask(&node.app, true).await.expect("asked");
    let now = status(&node).await;
    assert!(now["held"].as_str().is_some_and(|why| why.contains("a witness has seen")), "{now}");
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_never_answers_is_left_in_peace_for_a_while() {
    const LEAVES: usize = 6;
    const IN_PEACE_SECS: u64 = 30;
    let node = TestNode::start("alpha").await;
    ready(&node).await;
    let dead = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = CosigningKey::from_seed(KeyName::parse("dead.example/witness").expect("a name"), &[8; 32]).expect("a key");
    let line = format!("witness dead {} http://{}\n", silent.verifier(), dead.local_addr().expect("an address"));
    let (calls, counted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let calling = Arc::clone(&calls);
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((connection, _)) = dead.accept().await {
            open.push(connection);
            calling.fetch_add(1, Ordering::SeqCst);
        }
    });
    let (app, counting) = (node.app.clone(), Arc::clone(&counted));
    let peer = witness(move |request| {
        counting.fetch_add(1, Ordering::SeqCst);
        let answer = cosigned(&app, &request, 0);
        async move { answer }
    })
    .await;
    let started = Instant::now();
    put_policy(&node, &json!(format!("{line}{peer}quorum peer\n"))).await;
    for n in 0..LEAVES {
        grow(&node.app, &format!("leaf-{n}")).await;
        let now = all_cosigned(&node).await;
        assert!(now["witnesses"].as_array().expect("witnesses").iter().any(|w| w["problem"].is_string()), "{now}");
    }
    // When the policy came, at the checkpoint after that, and again after such a while each.
    let allowed = 3 + usize::try_from(started.elapsed().as_secs() / IN_PEACE_SECS).expect("small");
    let (dead, peer) = (calls.load(Ordering::SeqCst), counted.load(Ordering::SeqCst));
    assert!(dead <= allowed && peer >= LEAVES, "{dead} calls of the dead one and {peer} of the other in {:?}", started.elapsed());
    node.shutdown().await;
}
