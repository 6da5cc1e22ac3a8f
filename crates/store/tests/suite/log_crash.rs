//! A process is killed while it takes leaves into the tree, again and again: the log is never forked, and every leaf that
//! was acknowledged is in it.
//!
//! `CASES=500` kills that often; `FONDACO_TEST_SEED` repeats the choice of moments.

use crate::{samples::slug, world::World};
use fondaco_core::{
    entropy::SeededEntropy,
    evidence::{Event, Kind},
    ids::EvidenceId,
    time::{ManualClock, Timestamp},
};
use fondaco_store::{Store, StoreConfig, StoreError, Tx};
use fondaco_tlog::{
    Edge, entries, leaf_hash,
    tile::{EntriesAddress, written},
};
use serde_json::json;
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt as _,
    process::{Command, ExitStatus, Stdio},
    sync::Arc,
};

const CHILD: &str = "FONDACO_TEST_LOG_CRASH_URL";
/// Status of a child that ended because a write was refused.
const DISK_FULL: i32 = 28;
/// Kills, unless the environment says otherwise.
const CASES: usize = 12;
/// The signal that ends a process at once.
const SIGKILL: i32 = 9;
/// Leaves of one transaction of the child: enough that bundles fill up.
const LEAVES: u64 = 37;

/// Both roles: with [`CHILD`] set this is the process that gets killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_killed_is_never_forked() {
    if let Ok(url) = std::env::var(CHILD) {
        return write_until_killed(&url).await;
    }
    kill_and_check(World::sqlite().await).await;
    if let Some(world) = World::postgres().await {
        kill_and_check(world).await;
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("the parent reads");
}

/// What was committed. A write that is refused ends the child, with a status by which its parent knows that it was that.
fn committed<T>(done: Result<T, StoreError>) -> T {
    match done {
        Ok(done) => done,
        Err(StoreError::Unavailable(_)) => {
            // Held until the end, so that of several only one says it, and nothing is said after it.
            let _out = std::io::stdout().lock();
            eprintln!("the disk is full");
            std::process::exit(DISK_FULL)
        }
        Err(e) => panic!("{e}"),
    }
}

/// Writes leaves and takes them in at the same time, and says what was acknowledged and what was signed.
async fn write_until_killed(url: &str) {
    // Each child draws other ids than those before it.
    let entropy = Arc::new(SeededEntropy::new(u64::from(std::process::id()) << 16));
    let clock = Arc::new(ManualClock::new(crate::world::START));
    let store = Store::open(&StoreConfig::new(url), clock, entropy).await.expect("opens");
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            loop {
                let written = store.tx("write", |tx: &mut Tx| {
                    (0..LEAVES).map(|n| tx.log_append(Some(&slug("acme")), None, event(n))).collect::<Result<Vec<EvidenceId>, _>>()
                });
                let ids: Vec<String> = committed(written.await).iter().map(ToString::to_string).collect();
                say(&format!("leaves {}", ids.join(" ")));
            }
        }));
    }
    tasks.push(tokio::spawn(async move {
        loop {
            store.leaves_written().await;
            let done = store.tx("integrate", |tx: &mut Tx| tx.log_integrate(|size, root| Ok::<_, StoreError>(format!("{size} {root}"))));
            say(&format!("signed {}", committed(done.await).tree.checkpoint));
        }
    }));
    // None of them ends otherwise, and where one cannot write no other can.
    tasks.swap_remove(0).await.expect("runs until killed");
}

fn event(n: u64) -> Event {
    Event {
        kind: Kind::Decision,
        at: Timestamp::from_micros(1_790_000_000_000_000),
        own: "did:web:acme.example".into(),
        peer: None,
        object: format!("thing-{n}"),
        document: json!({"n": n}),
    }
}

/// What a child said.
#[derive(Default)]
struct Said {
    leaves: Vec<String>,
    signed: Vec<(u64, String)>,
    /// How it ended.
    ended: Option<ExitStatus>,
}

async fn kill_and_check(world: World) {
    let seed = std::env::var("FONDACO_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| u64::from(std::process::id()));
    let cases = std::env::var("CASES").ok().and_then(|s| s.parse().ok()).unwrap_or(CASES);
    eprintln!("FONDACO_TEST_SEED={seed} CASES={cases}");
    let random = SeededEntropy::new(seed);
    let mut said = Said::default();
    for _ in 0..cases {
        let lines = 1 + usize::try_from(random.next_u64() % 40).expect("small");
        let url = world.url.clone();
        let more = tokio::task::spawn_blocking(move || run_and_kill(&url, lines)).await.expect("runs");
        assert_eq!(more.ended.and_then(|status| status.signal()), Some(SIGKILL), "it ran until it was killed: {:?}", more.ended);
        said.leaves.extend(more.leaves);
        said.signed.extend(more.signed);
    }
    let store = world.another().await.expect("opens after the crashes");
    goes_on(&store, said).await;
}

/// Takes in what is left, and looks whether all that was said is there.
async fn goes_on(store: &Store, said: Said) {
    while store
        .tx("integrate", |tx: &mut Tx| tx.log_integrate(|size, root| Ok::<_, StoreError>(format!("{size} {root}"))))
        .await
        .expect("goes on")
        .more
    {}
    check(store, said).await;
}

/// Starts the child and kills it when it has said so many lines.
fn run_and_kill(url: &str, lines: usize) -> Said {
    run(Command::new(std::env::current_exe().expect("this program")), url, lines)
}

/// Starts the child, kills it when it has said so many lines, and returns all it said until its end.
fn run(mut program: Command, url: &str, lines: usize) -> Said {
    let mut child = program
        .args(["log_crash::a_log_that_is_killed_is_never_forked", "--exact", "--nocapture"])
        .env(CHILD, url)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let (mut said, mut count) = (Said::default(), 0);
    for line in BufReader::new(child.stdout.take().expect("piped")).split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line).into_owned();
        // The test runner may have begun the line; a last one that was cut off has no newline, and ids or roots cut short
        // are found nowhere, so it is left out.
        if let Some((_, ids)) = line.split_once("leaves ") {
            said.leaves.extend(ids.split(' ').filter(|id| id.len() == ID_CHARS).map(str::to_owned));
        } else if let Some((size, root)) = line.split_once("signed ").and_then(|(_, tree)| tree.split_once(' '))
            && root.len() == ROOT_CHARS
        {
            said.signed.push((size.parse().expect("a size"), root.to_owned()));
        } else {
            continue;
        }
        count += 1;
        if count == lines {
            // SIGKILL: nothing in the child runs after this.
            child.kill().expect("killed");
        }
    }
    said.ended = Some(child.wait().expect("ends"));
    said
}

/// The child runs where no file may grow beyond a few megabytes, until a write fails; then there is room again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_no_leaf() {
    let world = World::sqlite().await;
    let url = world.url.clone();
    let said = tokio::task::spawn_blocking(move || {
        let mut limited = Command::new("sh");
        // Beyond the limit a write is refused, as on a full disk, instead of the process being killed.
        limited.args(["-c", "trap '' XFSZ; ulimit -f 8000; exec \"$0\" \"$@\""]).arg(std::env::current_exe().expect("this program"));
        run(limited, &url, usize::MAX)
    });
    let said = said.await.expect("runs");
    assert_eq!(said.ended.and_then(|status| status.code()), Some(DISK_FULL), "a write was refused: {:?}", said.ended);
    let store = world.another().await.expect("opens when there is room");
    let more = store.tx("write", |tx: &mut Tx| tx.log_append(Some(&slug("acme")), None, event(0))).await.expect("goes on");
    let mut said = said;
    said.leaves.push(more.to_string());
    goes_on(&store, said).await;
}

/// Characters of a piece of evidence's id.
const ID_CHARS: usize = 36;
/// Characters of a root in base64.
const ROOT_CHARS: usize = 44;

async fn check(store: &Store, said: Said) {
    assert!(!said.leaves.is_empty() && !said.signed.is_empty());
    let Said { leaves, signed, .. } = said;
    store
        .read("check", move |tx: &mut Tx| {
            let tree = tx.log_tree()?.expect("a tree");
            let (mut edge, mut roots) = (Edge::empty(), HashMap::from([(0, Edge::empty().root().to_string())]));
            let mut bundle = 0;
            while let Some(address) = EntriesAddress::at(bundle, tree.size) {
                let bytes = tx.log_entries(address)?.expect("a bundle");
                for entry in entries::parse(&bytes, address.width).expect("entries") {
                    edge.append(&[leaf_hash(entry)]).expect("small");
                    roots.insert(edge.size(), edge.root().to_string());
                }
                bundle += 1;
            }
            assert_eq!((edge.size(), edge.root()), (tree.size, tree.root));
            for address in written(0, tree.size) {
                assert!(tx.log_tile(address)?.is_some(), "{address} is missing");
            }
            for (size, root) in &signed {
                assert_eq!(roots.get(size), Some(root), "the tree of {size} leaves was signed otherwise");
            }
            for id in &leaves {
                let row = tx.evidence_get(Some(&slug("acme")), &EvidenceId::from_stored(id.as_str()))?;
                let index = row.unwrap_or_else(|| panic!("{id} is gone")).leaf_index;
                assert!(index.is_some_and(|index| index < tree.size), "{id} is not in the tree");
            }
            eprintln!("{} leaves, {} acknowledged, {} trees signed", tree.size, leaves.len(), signed.len());
            Ok::<_, StoreError>(())
        })
        .await
        .expect("checks");
}
