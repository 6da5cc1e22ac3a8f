//! The whole database as text and back: the same on both databases, of one moment, and read by either.

use crate::{
    on_both, samples,
    samples::slug,
    world::{World, open},
};
use fondaco_store::{
    KeyRow, NewEvent, NewJob, Store, StoreError, Tx,
    backup::{self, Exported},
    inspect::inspect,
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

on_both!(
    a_copy_holds_the_same_and_goes_on,
    a_copy_is_held_for_the_reason_that_held_the_log,
    an_export_is_of_one_moment,
    a_backup_is_noted,
    a_look_changes_nothing
);

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it ran")
}

async fn exported(url: &str) -> (Exported, String) {
    let url = url.to_owned();
    blocking(move || {
        let mut text = Vec::new();
        let exported = backup::export(&url, &mut text).expect("exports");
        (exported, String::from_utf8(text).expect("utf-8"))
    })
    .await
}

async fn imported(url: &str, text: &str) -> Result<backup::Imported, StoreError> {
    let (url, text) = (url.to_owned(), text.to_owned());
    blocking(move || backup::import(&url, &mut text.as_bytes(), crate::world::START)).await
}

fn event(text: &str) -> NewEvent {
    NewEvent {
        participant: slug("acme"),
        topic: "node".into(),
        kind: "test".into(),
        actor: "node".into(),
        text: text.into(),
        detail: json!({"quoted": "a \"b\" \\ \u{2028} 数据"}),
    }
}

/// Rows with bytes, nulls, counters, references and texts of every sort.
async fn fill(store: &Store) {
    store
        .tx("fill", |tx: &mut Tx| {
            tx.key_insert(&KeyRow {
                participant: slug("acme"),
                kid: "k1".into(),
                sealed_private: vec![0, 255, 1, 34, 92],
                public_jwk: json!({"kty": "EC"}),
                created_at: crate::world::START,
                retired_at: None,
            })?;
            tx.negotiation_insert(&samples::negotiation("neg_1", None))?;
            tx.negotiation_insert(&samples::negotiation("neg_2", Some("urn:uuid:1")))?;
            tx.transfer_insert(&samples::transfer("trf_1", Some("urn:uuid:2")))?;
            tx.agreement_insert(&samples::agreement("agr_1"))?;
            tx.setting_put("line\nbreak", &json!({"a": null}))?;
            for n in 0..5 {
                tx.event_append(&event(&format!("event {n}")))?;
            }
            let job = tx.job_enqueue(&NewJob {
                participant: slug("acme"),
                kind: "send".into(),
                key: "neg_1".into(),
                payload: json!({"n": 1}),
                run_at: tx.now(),
            })?;
            // The last number given out is no longer in the table: a copy must not give it out again.
            tx.job_finish(&job).map(drop)
        })
        .await
        .expect("filled");
}

async fn a_copy_holds_the_same_and_goes_on(world: World) {
    fill(&world.store).await;
    let (first, text) = exported(&world.url).await;
    assert_eq!(text.lines().filter(|l| l.starts_with('[')).count() as u64, first.rows);
    let folder = tempfile::tempdir().expect("folder");
    let mut places = vec![format!("sqlite:{}", folder.path().join("copy.db").display())];
    let other = World::postgres().await;
    if let Some(other) = &other {
        other.clear();
        places.push(other.url.clone());
    }
    for place in places {
        let done = imported(&place, &text).await.expect("imports");
        assert_eq!((done.rows, done.schema), (first.rows, first.schema));
        let (_, again) = exported(&place).await;
        assert_eq!(again, text, "{place}");
        assert!(matches!(imported(&place, &text).await, Err(StoreError::Conflict(_))), "a database is filled once");
        let store = open(&place, Arc::clone(&world.clock)).await.expect("opens");
        store.check_statements().await.expect("of this schema");
        let next = store.tx("go_on", |tx: &mut Tx| tx.event_append(&event("after"))).await.expect("appends");
        assert_eq!(next, 6, "events are numbered on");
        let agreement = store.read("agreement", |tx| tx.agreement_get(&slug("acme"), "agr_1")).await.expect("reads");
        assert_eq!(agreement, Some(samples::agreement("agr_1")));
    }
}

async fn a_copy_is_held_for_the_reason_that_held_the_log(world: World) {
    let folder = tempfile::tempdir().expect("folder");
    let signed = |tx: &mut Tx| {
        tx.log_integrate(|size, root| Ok::<_, StoreError>(format!("{size} {root}")))?;
        Ok::<_, StoreError>(())
    };
    world.store.tx("sign", signed).await.expect("signed");
    for (n, why) in [(1, None), (2, Some("a witness has seen more"))] {
        world.store.tx("hold", move |tx: &mut Tx| tx.log_hold(why)).await.expect("held");
        let (_, text) = exported(&world.url).await;
        let place = format!("sqlite:{}", folder.path().join(format!("{n}.db")).display());
        imported(&place, &text).await.expect("imports");
        let copy = open(&place, Arc::clone(&world.clock)).await.expect("opens");
        let tree = copy.read("tree", Tx::log_tree).await.expect("reads").expect("a tree");
        assert_eq!(tree.held.as_deref(), Some(why.unwrap_or(backup::HELD_RESTORED)));
    }
}

async fn an_export_is_of_one_moment(world: World) {
    let stop = Arc::new(AtomicBool::new(false));
    let (store, stopped) = (world.store.clone(), Arc::clone(&stop));
    let writer = tokio::spawn(async move {
        let mut n = 0_u64;
        while !stopped.load(Ordering::Relaxed) {
            n += 1;
            store
                .tx("pair", move |tx: &mut Tx| {
                    // One in the first table written, one in a later one.
                    tx.setting_put("pair", &json!(n))?;
                    tx.event_append(&event(&n.to_string())).map(drop)
                })
                .await
                .expect("commits");
        }
        n
    });
    let mut written = 0;
    while written < 20 {
        let (_, text) = exported(&world.url).await;
        let rows: Vec<Vec<Value>> = text.lines().filter(|l| l.starts_with('[')).map(|l| serde_json::from_str(l).expect("row")).collect();
        let pair = rows.iter().find(|r| r[0] == "pair").map_or(0, |r| r[1].as_str().expect("text").parse::<u64>().expect("number"));
        let events = rows.iter().filter(|r| r.len() == 8 && r[2] == "node").count() as u64;
        assert_eq!(pair, events);
        written = pair;
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writer.await.expect("ends") >= written);
}

async fn a_backup_is_noted(world: World) {
    let url = world.url.clone();
    let (before, after) = blocking(move || {
        let before = inspect(&url).expect("looks").last_backup;
        backup::note_backup(&url, crate::world::START).expect("notes");
        (before, inspect(&url).expect("looks").last_backup)
    })
    .await;
    assert_eq!((before, after), (None, Some(crate::world::START)));
}

async fn a_look_changes_nothing(world: World) {
    fill(&world.store).await;
    let url = world.url.clone();
    let retried = world.store.tx("retry", |tx: &mut Tx| {
        let job = NewJob { participant: slug("acme"), kind: "send".into(), key: "k".into(), payload: json!({}), run_at: tx.now() };
        tx.job_enqueue(&job)?;
        let failing = tx.job_enqueue(&job)?;
        tx.job_retry(&failing, tx.now(), "the peer is away")
    });
    assert!(retried.await.expect("retried"));
    let (_, before) = exported(&world.url).await;
    let seen = blocking(move || inspect(&url)).await.expect("looks");
    assert_eq!((seen.schema, seen.damage.len()), (backup::schema_version(), 0));
    assert_eq!((seen.jobs, seen.jobs_failing), (2, 1));
    assert_eq!(seen.failing.map(|job| (job.attempts, job.error)), Some((1, "the peer is away".into())));
    assert!(seen.size_bytes > 0);
    let (_, after) = exported(&world.url).await;
    assert_eq!(after, before);
}
