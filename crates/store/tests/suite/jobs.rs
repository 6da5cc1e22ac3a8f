//! Jobs: durable, in order by key, at least once, and woken by commits.

use crate::{on_both, samples::slug, world::World};
use fondaco_core::{
    entropy::SeededEntropy,
    ids::{JobId, TransferId},
    time::{Clock, Micros, SystemClock, Timestamp},
};
use fondaco_store::{Closing, Job, JobFeed, JobStats, NewJob, Store, StoreConfig, StoreError, Tx, tx::jobs::JOB_PAYLOAD_MAX_BYTES};
use serde_json::json;
use std::{sync::Arc, time::Duration};

on_both!(
    jobs_of_a_key_come_in_order,
    a_job_put_off_holds_its_key,
    what_was_rolled_back_is_never_handed_out,
    a_commit_wakes_the_feed,
    dropped_jobs_do_not_come,
    unfinished_jobs_come_again_after_a_restart,
    one_feed_per_store,
    payloads_have_a_limit,
    a_job_waits_for_its_time,
    every_job_comes_in_turn_while_others_are_written,
);

/// How long a test waits for something that must happen; only a failure takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

async fn next(feed: &mut JobFeed) -> Job {
    tokio::time::timeout(PATIENCE, feed.next()).await.expect("a job comes")
}

/// Whether nothing is due. Commits reach the feed before they are answered, so there is nothing to wait for.
async fn idle(feed: &mut JobFeed) -> bool {
    tokio::time::timeout(Duration::ZERO, feed.next()).await.is_err()
}

fn job(key: &str, n: u32, run_at: Timestamp) -> NewJob {
    NewJob { participant: slug("acme"), kind: "send".into(), key: key.into(), payload: json!({"n": n}), run_at }
}

async fn enqueue(store: &Store, jobs: Vec<NewJob>) -> Vec<JobId> {
    store
        .tx("enqueue", move |tx: &mut Tx| jobs.iter().map(|j| tx.job_enqueue(j)).collect::<Result<_, StoreError>>())
        .await
        .expect("enqueued")
}

async fn finish(store: &Store, job: &Job) -> bool {
    let id = job.id.clone();
    store.tx("finish", move |tx: &mut Tx| tx.job_finish(&id)).await.expect("finished")
}

fn told(job: &Job) -> (&str, u64) {
    (&job.key, job.payload["n"].as_u64().expect("n"))
}

async fn jobs_of_a_key_come_in_order(world: World) {
    let (store, now) = (&world.store, world.clock.now());
    let mut feed = store.job_feed().await.expect("feed");
    let ids = enqueue(store, vec![job("a", 1, now), job("a", 2, now), job("b", 1, now)]).await;
    let first = next(&mut feed).await;
    assert_eq!((told(&first), &first.id), (("a", 1), &ids[0]));
    let other = next(&mut feed).await;
    assert_eq!(told(&other), ("b", 1));
    assert!(idle(&mut feed).await, "the second of a waits for the first");
    assert!(finish(store, &first).await);
    let second = next(&mut feed).await;
    assert_eq!(told(&second), ("a", 2));
    assert!(finish(store, &second).await && finish(store, &other).await);
    assert!(!finish(store, &other).await, "once");
    assert!(idle(&mut feed).await);
    let stats = store.read("stats", Tx::job_stats).await.expect("stats");
    assert_eq!(stats, JobStats { count: 0, oldest: None, due: 0, retrying: 0 });
}

async fn a_job_put_off_holds_its_key(world: World) {
    let (store, now) = (&world.store, world.clock.now());
    let mut feed = store.job_feed().await.expect("feed");
    enqueue(store, vec![job("a", 1, now), job("a", 2, now)]).await;
    let first = next(&mut feed).await;
    let (id, later) = (first.id.clone(), now.plus(Micros::from_secs(3_600)));
    assert!(store.tx("retry", move |tx: &mut Tx| tx.job_retry(&id, later, "peer is away")).await.expect("retry"));
    assert!(idle(&mut feed).await, "held");
    let failing = store.read("failing", Tx::job_failing).await.expect("failing").expect("one");
    assert_eq!((told(&failing), failing.attempts), (("a", 1), 1));
    let stats = store.read("stats", Tx::job_stats).await.expect("stats");
    assert_eq!((stats.count, stats.due, stats.retrying), (2, 1, 1));
    let pending = store.read("pending", |tx: &mut Tx| tx.jobs_pending(10)).await.expect("pending");
    assert_eq!(pending.iter().map(told).collect::<Vec<_>>(), [("a", 2), ("a", 1)], "by time");
    world.clock.advance(Micros::from_secs(3_600));
    feed.wake();
    let again = next(&mut feed).await;
    assert_eq!((told(&again), again.attempts, again.last_error.as_deref()), (("a", 1), 1, Some("peer is away")));
    finish(store, &again).await;
    assert_eq!(told(&next(&mut feed).await), ("a", 2));
}

async fn what_was_rolled_back_is_never_handed_out(world: World) {
    let (store, now) = (&world.store, world.clock.now());
    let mut feed = store.job_feed().await.expect("feed");
    let refused = store.tx("refuse", move |tx: &mut Tx| {
        tx.job_enqueue(&job("a", 1, now))?;
        Err::<(), _>(StoreError::Limit("on purpose".into()))
    });
    refused.await.expect_err("refused");
    assert!(idle(&mut feed).await);
    enqueue(store, vec![job("a", 2, now)]).await;
    let two = next(&mut feed).await;
    assert_eq!(told(&two), ("a", 2));
    let id = two.id.clone();
    let refused = store.tx("refuse", move |tx: &mut Tx| {
        tx.job_finish(&id)?;
        Err::<(), _>(StoreError::Limit("on purpose".into()))
    });
    refused.await.expect_err("refused");
    assert!(finish(store, &two).await, "finishing was undone");
}

async fn a_commit_wakes_the_feed(world: World) {
    let mut feed = world.store.job_feed().await.expect("feed");
    let (store, now) = (world.store.clone(), world.clock.now());
    let (job, ()) = tokio::join!(next(&mut feed), async {
        enqueue(&store, vec![job("a", 1, now)]).await;
    });
    assert_eq!(told(&job), ("a", 1));
}

async fn dropped_jobs_do_not_come(world: World) {
    let (store, now) = (&world.store, world.clock.now());
    let mut feed = store.job_feed().await.expect("feed");
    enqueue(store, vec![job("a", 1, now), job("a", 2, now), job("b", 1, now)]).await;
    let first = next(&mut feed).await;
    let dropped =
        store.tx("drop", |tx: &mut Tx| Ok::<_, StoreError>((tx.jobs_drop(&slug("other"), "a")?, tx.jobs_drop(&slug("acme"), "a")?)));
    assert_eq!(dropped.await.expect("dropped"), (0, 2));
    assert_eq!(told(&next(&mut feed).await), ("b", 1));
    enqueue(store, vec![job("a", 3, now)]).await;
    assert_eq!(told(&next(&mut feed).await), ("a", 3), "the key is free");
    let id = first.id.clone();
    assert!(!store.tx("retry", move |tx: &mut Tx| tx.job_retry(&id, now, "late")).await.expect("retry"), "the dropped job is gone");
    assert!(idle(&mut feed).await);
}

async fn unfinished_jobs_come_again_after_a_restart(world: World) {
    let now = world.clock.now();
    let mut feed = world.store.job_feed().await.expect("feed");
    enqueue(&world.store, vec![job("a", 1, now), job("a", 2, now), job("b", 1, now)]).await;
    let done = next(&mut feed).await;
    finish(&world.store, &done).await;
    let begun = next(&mut feed).await;
    assert_eq!((told(&done), told(&begun)), (("a", 1), ("a", 2)));
    // As if killed: nothing is told to the database.
    drop(feed);
    let after = world.another().await.expect("opens");
    if world.is_postgres() {
        let mut too_early = after.job_feed().await.expect("feed");
        assert!(idle(&mut too_early).await, "the other process has a lease");
        drop(too_early);
        world.clock.advance(Micros::from_secs(31));
    }
    let mut feed = after.job_feed().await.expect("feed");
    let mut keys = [next(&mut feed).await, next(&mut feed).await].map(|j| (j.key, j.payload["n"].as_u64()));
    keys.sort();
    assert_eq!(keys, [("a".to_owned(), Some(2)), ("b".to_owned(), Some(1))]);
    assert!(idle(&mut feed).await);
}

async fn one_feed_per_store(world: World) {
    let feed = world.store.job_feed().await.expect("feed");
    assert!(matches!(world.store.job_feed().await, Err(StoreError::Conflict(_))));
    enqueue(&world.store, vec![job("a", 1, world.clock.now())]).await;
    feed.stop().await.expect("stops");
    let mut feed = world.store.job_feed().await.expect("again");
    assert_eq!(told(&next(&mut feed).await), ("a", 1), "what was not handed out is still there");
    feed.stop().await.expect("stops");
    let other = world.another().await.expect("opens");
    let mut feed = other.job_feed().await.expect("another process");
    assert_eq!(told(&next(&mut feed).await), ("a", 1), "stopping leaves the jobs to others at once");
}

async fn payloads_have_a_limit(world: World) {
    // A JSON text is its characters and two quotes.
    for (excess, fits) in [(0, true), (1, false)] {
        let mut large = job("a", 1, world.clock.now());
        large.payload = json!("x".repeat(JOB_PAYLOAD_MAX_BYTES - 2 + excess));
        let result = world.store.tx("enqueue", move |tx: &mut Tx| tx.job_enqueue(&large)).await;
        assert_eq!(result.is_ok(), fits, "{result:?}");
        assert!(fits || matches!(result, Err(StoreError::Limit(_))), "{result:?}");
    }
}

async fn a_job_waits_for_its_time(world: World) {
    let store = Store::open(&StoreConfig::new(&world.url), Arc::new(SystemClock), Arc::new(SeededEntropy::new(77))).await.expect("opens");
    let mut feed = store.job_feed().await.expect("feed");
    let due = SystemClock.now().plus(Micros::from_millis(100));
    enqueue(&store, vec![job("a", 1, due)]).await;
    assert!(idle(&mut feed).await);
    assert_eq!(told(&next(&mut feed).await), ("a", 1));
    assert!(SystemClock.now() >= due, "not before");
}

/// Writers, workers and failures at random: each key's jobs are finished in order, one at a time, none twice.
async fn every_job_comes_in_turn_while_others_are_written(world: World) {
    const KEYS: u32 = 8;
    const JOBS: u32 = 20;
    let seed = std::env::var("FONDACO_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("FONDACO_TEST_SEED={seed}");
    let random = SeededEntropy::new(seed);
    let now = world.clock.now();
    let mut feed = world.store.job_feed().await.expect("feed");
    let mut tasks = tokio::task::JoinSet::new();
    for key in 0..KEYS {
        let store = world.store.clone();
        tasks.spawn(async move {
            for n in 0..JOBS {
                enqueue(&store, vec![job(&format!("k{key}"), n, now)]).await;
            }
        });
    }
    let mut finished = std::collections::HashMap::<String, u64>::new();
    let in_progress = Arc::new(std::sync::Mutex::new(std::collections::HashSet::new()));
    for _ in 0..100_000 {
        if finished.values().sum::<u64>() == u64::from(KEYS * JOBS) {
            break;
        }
        let job = next(&mut feed).await;
        let (key, n) = (job.key.clone(), job.payload["n"].as_u64().expect("n"));
        assert!(in_progress.lock().expect("lock").insert(key.clone()), "{key} has two jobs in progress");
        let done = finished.entry(key.clone()).or_default();
        assert_eq!(n, *done, "{key} in order");
        let fails = random.next_u64().is_multiple_of(3);
        *done += u64::from(!fails);
        let (store, in_progress) = (world.store.clone(), Arc::clone(&in_progress));
        tasks.spawn(async move {
            let work = move |tx: &mut Tx| {
                // Before the commit: after it the next job of the key may be handed out.
                in_progress.lock().expect("lock").remove(&job.key);
                if fails { tx.job_retry(&job.id, now, "on purpose") } else { tx.job_finish(&job.id) }
            };
            assert!(store.tx("work", work).await.expect("done"), "none is finished twice");
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("no task fails");
    }
    assert_eq!(finished.values().copied().collect::<Vec<_>>(), vec![u64::from(JOBS); KEYS as usize]);
    assert!(idle(&mut feed).await);
    assert_eq!(world.store.read("stats", Tx::job_stats).await.expect("stats").count, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_leaves_a_key_to_its_owner() {
    let Some(world) = World::postgres().await else { return };
    let now = world.clock.now();
    let mut feed = world.store.job_feed().await.expect("feed");
    enqueue(&world.store, vec![job("a", 1, now)]).await;
    let first = next(&mut feed).await;
    let other = world.another().await.expect("opens");
    let mut others = other.job_feed().await.expect("feed");
    enqueue(&other, vec![job("a", 2, now), job("b", 1, now)]).await;
    assert_eq!(told(&next(&mut others).await), ("b", 1));
    assert!(idle(&mut others).await, "a belongs to the first process");
    finish(&world.store, &first).await;
    let told_of = tokio::time::timeout(Duration::from_secs(5), feed.next()).await;
    assert_eq!(told(&told_of.expect("told at once: the sweep would take 10 s")), ("a", 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_hears_of_access_that_is_closed() {
    let Some(world) = World::postgres().await else { return };
    let other = world.another().await.expect("opens");
    let (mut own, mut others) = (world.store.closings(), other.closings());
    let id = TransferId::from_stored("trf_1");
    let tell = |commit: bool| {
        let id = id.clone();
        world.store.tx("close", move |tx: &mut Tx| {
            tx.transfer_tell_closed(&id)?;
            if commit { Ok(()) } else { Err(StoreError::Database("rolled back".into())) }
        })
    };
    tell(false).await.expect_err("rolled back");
    tell(true).await.expect("told");
    let heard = tokio::time::timeout(Duration::from_secs(5), others.recv()).await.expect("at once").expect("heard");
    assert_eq!(heard, Closing::Transfer(id.clone()));
    // Of what it closed itself a process knows; a closing of the other one tells that nothing came before it.
    other.tx("close", |tx: &mut Tx| tx.transfer_tell_closed(&TransferId::from_stored("trf_2"))).await.expect("told");
    let heard = tokio::time::timeout(Duration::from_secs(5), own.recv()).await.expect("at once").expect("heard");
    assert_eq!(heard, Closing::Transfer(TransferId::from_stored("trf_2")));
    assert!(others.try_recv().is_err());
    // Who cannot hear is told so.
    world.raw("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = current_schema() AND query LIKE 'LISTEN%'");
    for closings in [&mut own, &mut others] {
        let heard = tokio::time::timeout(Duration::from_secs(30), closings.recv()).await.expect("soon").expect("heard");
        assert_eq!(heard, Closing::Missed);
    }
}
