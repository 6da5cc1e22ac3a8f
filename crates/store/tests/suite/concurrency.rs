//! Many at the same instant: one wins, or as many as the limit says.

use crate::{on_both, samples::slug, world::World};
use fondaco_core::{
    ids::NegotiationId,
    product::ProductId,
    time::{Clock, Micros, Timestamp},
};
use fondaco_store::{Idempotency, LoginAttempt, NewEvent, StoreError, Taken, Tx, Usage, UsageKey};
use std::{sync::Arc, time::Duration};
use tokio::sync::Barrier;

on_both!(
    a_token_is_used_once,
    reads_stop_at_the_limit,
    bytes_stop_at_the_limit,
    attempts_stop_at_the_limit,
    one_request_answers_all_copies,
    versions_are_given_once,
    a_lock_keeps_changes_in_turn,
    without_a_lock_the_revision_tells,
);

/// Calls `body` from `n` tasks that start together.
async fn together<T, F>(world: &World, n: usize, body: F) -> Vec<Result<T, StoreError>>
where
    T: Send + 'static,
    F: Fn(&mut Tx) -> Result<T, StoreError> + Send + Sync + 'static,
{
    let (barrier, body) = (Arc::new(Barrier::new(n)), Arc::new(body));
    let mut tasks = Vec::new();
    for _ in 0..n {
        let (store, barrier, body) = (world.store.clone(), Arc::clone(&barrier), Arc::clone(&body));
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            store.tx("together", move |tx: &mut Tx| body(tx)).await
        }));
    }
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.expect("task"));
    }
    results
}

fn successes<T>(results: Vec<Result<T, StoreError>>) -> Vec<T> {
    results.into_iter().map(|r| r.expect("no call fails")).collect()
}

async fn a_token_is_used_once(world: World) {
    let expires = world.clock.now().plus(Micros::from_secs(300));
    let firsts = successes(together(&world, 100, move |tx| tx.token_use("did:web:peer.example", "jti-1", expires)).await);
    assert_eq!(firsts.iter().filter(|first| **first).count(), 1);
    let (other, forgotten, again) = world
        .store
        .tx("more", move |tx: &mut Tx| {
            let other = tx.token_use("did:web:another.example", "jti-1", expires)?;
            let forgotten = tx.tokens_forget(expires)?;
            Ok::<_, StoreError>((other, forgotten, tx.token_use("did:web:peer.example", "jti-1", expires)?))
        })
        .await
        .expect("more");
    assert!(other && again);
    assert_eq!(forgotten, 2);
}

async fn reads_stop_at_the_limit(world: World) {
    let counts = successes(together(&world, 200, |tx| tx.reads_admit(&slug("acme"), "agr_1", Some(10))).await);
    let mut admitted: Vec<u64> = counts.into_iter().flatten().collect();
    admitted.sort_unstable();
    assert_eq!(admitted, (1..=10).collect::<Vec<_>>());
    world
        .store
        .tx("after", |tx: &mut Tx| {
            tx.reads_give_back(&slug("acme"), "agr_1")?;
            assert_eq!(tx.reads_used(&slug("acme"), "agr_1")?, 9);
            assert_eq!(tx.reads_admit(&slug("acme"), "agr_1", Some(10))?, Some(10));
            assert_eq!(tx.reads_admit(&slug("acme"), "agr_1", Some(10))?, None);
            assert_eq!(tx.reads_admit(&slug("acme"), "agr_1", None)?, Some(11));
            assert_eq!(tx.reads_admit(&slug("acme"), "agr_2", Some(0))?, None);
            assert_eq!(tx.reads_used(&slug("other"), "agr_1")?, 0, "counted by participant");
            tx.reads_give_back(&slug("acme"), "agr_2")?;
            assert_eq!(tx.reads_used(&slug("acme"), "agr_2")?, 0);
            Ok::<_, StoreError>(())
        })
        .await
        .expect("after");
}

async fn bytes_stop_at_the_limit(world: World) {
    let key =
        |file: &str| UsageKey { agreement_id: "agr_1".into(), transfer_id: "trf_1".into(), query_id: "q".into(), file_id: file.into() };
    let of = key("f0");
    let taken = successes(
        together(&world, 100, move |tx| tx.usage_take(&slug("acme"), &of, Taken { bytes: 30, rows: 7, more: false }, Some(1_000))).await,
    );
    assert_eq!(taken.into_iter().filter(|taken| *taken).count(), 33);
    world
        .store
        .tx("after", move |tx: &mut Tx| {
            let acme = slug("acme");
            assert_eq!(tx.usage(&acme, "agr_1")?, Usage { reads: 0, requests: 33, rows: 7, volume: 990 });
            assert!(!tx.usage_take(&acme, &key("f1"), Taken { bytes: 11, rows: 5, more: false }, Some(1_000))?);
            assert!(tx.usage_take(&acme, &key("f1"), Taken { bytes: 10, rows: 5, more: false }, Some(1_000))?);
            assert!(!tx.usage_take(&acme, &key("f1"), Taken { bytes: 1, rows: 5, more: false }, Some(1_000))?);
            tx.usage_give_back(&acme, &key("f0"), 25)?;
            assert!(tx.usage_take(&acme, &key("f1"), Taken { bytes: 1, rows: 5, more: false }, Some(1_000))?);
            assert_eq!(tx.usage(&acme, "agr_1")?, Usage { reads: 0, requests: 35, rows: 12, volume: 976 });
            let counted = tx.usage_counted(&acme, "agr_1")?;
            assert_eq!((counted.used.volume, counted.back_volume, counted.back_reads), (976, 25, 0), "with what went back it never falls");
            assert_eq!(tx.usage_recorded(&acme, "agr_1")?, counted.used);
            // A read is counted beside it, and neither changes the other.
            assert_eq!(tx.reads_admit(&acme, "agr_1", Some(3))?, Some(1));
            assert!(!tx.usage_take(
                &acme,
                &UsageKey { agreement_id: "agr_2".into(), ..key("f0") },
                Taken { bytes: 5, rows: 0, more: false },
                Some(4)
            )?);
            assert!(tx.usage_take(
                &acme,
                &UsageKey { agreement_id: "agr_2".into(), ..key("f0") },
                Taken { bytes: u64::MAX, rows: 0, more: false },
                None
            )?);
            assert!(!tx.usage_take(
                &acme,
                &UsageKey { agreement_id: "agr_2".into(), ..key("f0") },
                Taken { bytes: 1, rows: 0, more: false },
                None
            )?);
            assert_eq!(tx.usage(&slug("other"), "agr_1")?, Usage::default());
            let more = Taken { bytes: 2, rows: 40, more: true };
            assert!(tx.usage_take(&acme, &key("f1"), more, Some(1_000))?);
            assert_eq!(tx.usage(&acme, "agr_1")?, Usage { reads: 1, requests: 35, rows: 52, volume: 978 });
            let first = tx.usage_records(&acme, "agr_1", None, 1)?;
            let rest = tx.usage_records(&acme, "agr_1", Some(&first[0].id), 9)?;
            let mut seen: Vec<_> = [first, rest].concat().into_iter().map(|r| (r.key.file_id, r.requests, r.bytes, r.rows)).collect();
            // The clock stands still, so that either may be the newer.
            seen.sort();
            assert_eq!(seen, [("f0".to_owned(), 33, 965, 7), ("f1".to_owned(), 2, 13, 45)]);
            // What is old is forgotten, agreement by agreement, and the sums stay.
            let records = |tx: &mut Tx| tx.usage_records(&slug("acme"), "agr_1", None, 9).map(|r| r.len());
            let last = tx.usage_forget(None, Timestamp::from_micros(1))?;
            assert_eq!((records(tx)?, last.is_some()), (2, true));
            assert_eq!(tx.usage_forget(last.as_ref(), Timestamp::from_micros(1))?, None, "nothing comes after the last");
            let year_2100 = Timestamp::from_micros(4_102_444_800_000_000);
            tx.usage_forget(last.as_ref(), year_2100)?;
            assert_eq!(records(tx)?, 2, "it is before the place to go on from");
            tx.usage_forget(None, year_2100)?;
            assert_eq!(records(tx)?, 0);
            assert_eq!(tx.usage(&acme, "agr_1")?, Usage { reads: 1, requests: 35, rows: 52, volume: 978 });
            Ok::<_, StoreError>(())
        })
        .await
        .expect("after");
}

async fn attempts_stop_at_the_limit(world: World) {
    let (now, window) = (world.clock.now(), Micros::from_secs(60));
    let attempts = successes(together(&world, 40, move |tx| tx.login_attempt("anna", now, window, 5)).await);
    assert_eq!(attempts.iter().filter(|a| **a == LoginAttempt::Allowed).count(), 5);
    let throttled = LoginAttempt::Throttled { until: now.plus(window) };
    assert_eq!(attempts.iter().filter(|a| **a == throttled).count(), 35);
    world
        .store
        .tx("after", move |tx: &mut Tx| {
            assert_eq!(tx.login_attempt("berta", now, window, 5)?, LoginAttempt::Allowed);
            assert_eq!(tx.login_attempt("nobody", now, window, 0)?, throttled);
            let later = now.plus(window);
            for _ in 0..5 {
                assert_eq!(tx.login_attempt("anna", later, window, 5)?, LoginAttempt::Allowed);
            }
            assert_eq!(tx.login_attempt("anna", later, window, 5)?, LoginAttempt::Throttled { until: later.plus(window) });
            tx.login_clear("anna")?;
            assert_eq!(tx.login_attempt("anna", later, window, 5)?, LoginAttempt::Allowed);
            assert_eq!(tx.login_attempts_forget(later)?, 2);
            Ok::<_, StoreError>(())
        })
        .await
        .expect("after");
}

async fn one_request_answers_all_copies(world: World) {
    let now = world.clock.now();
    let answers = successes(
        together(&world, 30, move |tx| {
            let known = tx.idempotency_check("tok_1", "key-1", "POST /offers", "abc")?;
            if known == Idempotency::Fresh {
                tx.idempotency_save("tok_1", "key-1", "POST /offers", "abc", 201, "{\"id\":1}", now)?;
            }
            Ok(known)
        })
        .await,
    );
    assert_eq!(answers.iter().filter(|a| **a == Idempotency::Fresh).count(), 1);
    let replay = Idempotency::Replay { status: 201, body: "{\"id\":1}".into() };
    assert_eq!(answers.iter().filter(|a| **a == replay).count(), 29);
    world
        .store
        .tx("after", move |tx: &mut Tx| {
            assert_eq!(tx.idempotency_check("tok_1", "key-1", "POST /offers", "other")?, Idempotency::Mismatch);
            assert_eq!(tx.idempotency_check("tok_1", "key-1", "POST /peers", "abc")?, Idempotency::Mismatch);
            assert_eq!(tx.idempotency_check("tok_2", "key-1", "POST /offers", "abc")?, Idempotency::Fresh);
            assert_eq!(tx.idempotency_forget(now)?, 2);
            assert_eq!(tx.idempotency_check("tok_1", "key-1", "POST /offers", "other")?, Idempotency::Fresh);
            Ok::<_, StoreError>(())
        })
        .await
        .expect("after");
}

async fn versions_are_given_once(world: World) {
    let versions = successes(
        together(&world, 20, |tx| {
            let mut product = crate::samples::product("flights", 1);
            product.reference.version = tx.product_next_version(&slug("acme"), &product.reference.id)?;
            tx.product_insert(&product)?;
            Ok(product.reference.version)
        })
        .await,
    );
    let mut versions = versions;
    versions.sort_unstable();
    assert_eq!(versions, (1..=20).collect::<Vec<_>>());
}

async fn a_lock_keeps_changes_in_turn(world: World) {
    let made = crate::samples::negotiation("neg_1", Some("pid-1"));
    world.store.tx("make", move |tx: &mut Tx| tx.negotiation_insert(&made)).await.expect("made");
    let changes = together(&world, 40, |tx| {
        let id = NegotiationId::from_stored("neg_1");
        let mut found = tx.negotiation_lock(&slug("acme"), &id)?.expect("stored");
        let before = found.revision;
        found.revision += 1;
        tx.negotiation_update(&found, before)
    });
    successes(changes.await);
    let found = world.store.read("read", |tx: &mut Tx| tx.negotiation_get(&slug("acme"), &NegotiationId::from_stored("neg_1")));
    assert_eq!(found.await.expect("read").map(|n| n.revision), Some(41));
}

async fn without_a_lock_the_revision_tells(world: World) {
    let made = crate::samples::transfer("trf_1", Some("pid-1"));
    let stale = made.clone();
    world.store.tx("make", move |tx: &mut Tx| tx.transfer_insert(&made)).await.expect("made");
    // All hold the same old value: one may write it.
    let changes = together(&world, 40, move |tx| {
        let mut changed = stale.clone();
        changed.revision += 1;
        tx.transfer_update(&changed, stale.revision)
    });
    let results = changes.await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    assert_eq!(results.iter().filter(|r| matches!(r, Err(StoreError::Conflict(_)))).count(), 39);
}

/// Were it otherwise, a writer of events and a planner could wait for each other in a circle. SQLite has one writer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planning_does_not_wait_for_those_who_write_events() {
    let Some(world) = World::postgres().await else { return };
    let (wrote, written) = tokio::sync::oneshot::channel();
    let (plan_made, planned) = std::sync::mpsc::channel();
    let store = world.store.clone();
    let writer = tokio::spawn(async move {
        let write = move |tx: &mut Tx| {
            tx.event_append(&NewEvent {
                participant: slug("acme"),
                topic: "node".into(),
                kind: "test".into(),
                actor: "node".into(),
                text: "Under way.".into(),
                detail: serde_json::Value::Null,
            })?;
            let _ = wrote.send(());
            Ok::<_, StoreError>(planned.recv_timeout(Duration::from_secs(10)).is_ok())
        };
        store.tx("write", write).await.expect("written")
    });
    written.await.expect("the writer holds its locks");
    for plan in [
        |tx: &mut Tx| tx.agreements_plan(&slug("acme")),
        |tx: &mut Tx| tx.product_next_version(&slug("acme"), &ProductId::parse("p").expect("id")).map(drop),
    ] {
        world.store.tx("plan", plan).await.expect("planned");
    }
    plan_made.send(()).expect("the writer waits");
    assert!(writer.await.expect("task"), "the plan waited for the writer to end");
}
