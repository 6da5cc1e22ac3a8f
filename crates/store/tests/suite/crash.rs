//! A process is killed while it writes; everything it was told is durable is there.

use crate::{
    samples::slug,
    world::{World, open},
};
use fondaco_core::{
    entropy::SeededEntropy,
    time::{ManualClock, Timestamp},
};
use fondaco_store::{NewEvent, NewJob, StoreError, Tx};
use serde_json::json;
use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    sync::Arc,
};

const CHILD: &str = "FONDACO_TEST_CRASH_URL";
const FAR: Timestamp = Timestamp::from_micros(i64::MAX);

/// Both roles: with [`CHILD`] set this is the process that gets killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    if let Ok(url) = std::env::var(CHILD) {
        return write_until_killed(&url).await;
    }
    kill_and_check(World::sqlite().await).await;
    if let Some(world) = World::postgres().await {
        kill_and_check(world).await;
    }
}

/// Writes from several tasks, and says what was committed.
async fn write_until_killed(url: &str) {
    let store = open(url, Arc::new(ManualClock::new(crate::world::START))).await.expect("opens");
    let mut writers = Vec::new();
    for writer in 0..8 {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            for n in 0_u32.. {
                let name = format!("{writer}-{n}");
                let kept = name.clone();
                let written = store.tx("write", move |tx: &mut Tx| {
                    assert!(tx.token_use("crash", &kept, FAR)?);
                    let (participant, topic) = (slug("acme"), format!("crash:{kept}"));
                    tx.event_append(&NewEvent {
                        participant: participant.clone(),
                        topic,
                        kind: "test".into(),
                        actor: "node".into(),
                        text: kept.clone(),
                        detail: json!({}),
                    })?;
                    let payload = json!({"name": kept});
                    tx.job_enqueue(&NewJob { participant, kind: "test".into(), key: kept, payload, run_at: FAR })
                });
                written.await.expect("commits");
                let mut out = std::io::stdout().lock();
                writeln!(out, "durable {name}").and_then(|()| out.flush()).expect("the parent reads");
            }
        }));
    }
    for writer in writers {
        writer.await.expect("writes until killed");
    }
}

async fn kill_and_check(world: World) {
    let seed = std::env::var("FONDACO_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("FONDACO_TEST_SEED={seed}");
    let random = SeededEntropy::new(seed);
    let mut acknowledged = HashSet::new();
    for round in 0..2 {
        let wanted = 50 + usize::try_from(random.next_u64() % 300).expect("small");
        let url = world.url.clone();
        let said = tokio::task::spawn_blocking(move || run_and_kill(&url, wanted)).await.expect("runs");
        assert!(said.len() >= wanted, "round {round}: {} of {wanted}", said.len());
        acknowledged.extend(said);
        check(&world, acknowledged.clone()).await;
        world.raw("DELETE FROM token_seen; DELETE FROM job; DELETE FROM event");
        acknowledged.clear();
    }
}

/// Starts the child, kills it when it has said `wanted` commits, and returns all it said until its end.
fn run_and_kill(url: &str, wanted: usize) -> HashSet<String> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["crash::what_was_acknowledged_survives_kill_9", "--exact", "--nocapture"])
        .env(CHILD, url)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut said = HashSet::new();
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        // The last line may be cut off; it was not said then.
        let Ok(line) = line else { break };
        if let Some((_, name)) = line.split_once("durable ") {
            said.insert(name.to_owned());
        }
        if said.len() == wanted {
            // SIGKILL: nothing in the child runs after this.
            child.kill().expect("killed");
        }
    }
    child.wait().expect("ends");
    said
}

async fn check(world: &World, acknowledged: HashSet<String>) {
    let store = world.another().await.expect("opens after the crash");
    store
        .tx("check", move |tx: &mut Tx| {
            let mut jobs = HashSet::new();
            for job in tx.jobs_pending(1_000)? {
                jobs.insert(job.key);
            }
            for name in &acknowledged {
                assert!(jobs.contains(name), "the job {name} is gone");
                assert!(!tx.token_use("crash", name, FAR)?, "the token {name} is gone");
            }
            // What was not said may be there or not, but never in part.
            for name in &jobs {
                assert!(!tx.token_use("crash", name, FAR)?, "{name} in part");
                assert_eq!(tx.events_of(&slug("acme"), &format!("crash:{name}"), 0, 10)?.len(), 1, "{name} in part");
            }
            assert_eq!(tx.events_latest(&slug("acme"), 1_000)?.len(), jobs.len());
            Ok::<_, StoreError>(())
        })
        .await
        .expect("checks");
}
