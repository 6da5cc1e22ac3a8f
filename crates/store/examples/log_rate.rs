//! How many durable leaves a second, what one transaction pays for its leaf, what a leaf takes on the disk, and how long a
//! proof takes: SQLite with `synchronous=FULL` in the current folder, or the empty database named by the second argument.
//! Prints one JSON object; `cargo xtask bench log` shows it beside its targets.
//!
//! `cargo run --release -p fondaco-store --example log_rate -- [LEAVES] [URL]`

use fondaco_core::{
    entropy::SeededEntropy,
    evidence::{Event, Kind},
    participant::Slug,
    time::{Clock, SystemClock},
};
use fondaco_store::{Store, StoreConfig, StoreError, Tx};
use fondaco_tlog::{
    prove,
    tile::{EntriesAddress, written},
};
use serde_json::json;
use std::{
    collections::HashMap,
    convert::Infallible,
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

/// Leaves of one transaction when there are many.
const BATCH: u64 = 64;
/// Transactions that are under way at once.
const CALLERS: u64 = 32;

fn event(n: u64) -> Event {
    Event {
        kind: Kind::TransferStarted,
        at: SystemClock.now(),
        own: "did:web:provider.example".into(),
        peer: Some("did:web:consumer.example".into()),
        object: format!("trf_{n}"),
        document: json!({"transfer": n, "state": "STARTED", "role": "provider"}),
    }
}

async fn integrate(store: &Store) -> Result<u64, StoreError> {
    let done = store.tx("integrate", |tx: &mut Tx| tx.log_integrate(|size, root| Ok::<_, StoreError>(format!("{size} {root}")))).await?;
    Ok(done.tree.size)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// What the log alone takes in a SQLite file: all that is not of it is dropped first.
fn stored(url: &str) -> Result<Option<u64>, Box<dyn Error>> {
    let Some(path) = url.strip_prefix("sqlite:") else { return Ok(None) };
    let conn = rusqlite::Connection::open(path)?;
    conn.execute_batch("DROP TABLE evidence; DELETE FROM token_seen; VACUUM;")?;
    let bytes: i64 = conn.query_row("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()", [], |row| row.get(0))?;
    Ok(Some(u64::try_from(bytes)?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let leaves: u64 = std::env::args().nth(1).map_or(Ok(200_000), |n| n.parse())?;
    let url = std::env::args().nth(2).unwrap_or_else(|| format!("sqlite:{}", folder.path().join("rate.db").display()));
    let seed = u64::try_from(SystemClock.now().as_micros())?;
    let store = Store::open(&StoreConfig::new(url.clone()), Arc::new(SystemClock), Arc::new(SeededEntropy::new(seed))).await?;
    let slug = Slug::parse("acme")?;

    // What a transaction pays: with one leaf, less without.
    let rounds: u32 = 300;
    let mut paid = Vec::new();
    for leaf in [false, true] {
        let started = Instant::now();
        for n in 0..rounds {
            let slug = slug.clone();
            let write = move |tx: &mut Tx| {
                tx.token_use("rate", &format!("{leaf}-{n}"), tx.now())?;
                if leaf { tx.log_append(Some(&slug), None, event(n.into())).map(drop) } else { Ok(()) }
            };
            store.tx("one", write).await?;
        }
        paid.push(micros(started.elapsed()) / f64::from(rounds));
    }

    let before = integrate(&store).await?;
    let started = Instant::now();
    let mut tasks = Vec::new();
    for caller in 0..CALLERS {
        let (store, slug) = (store.clone(), slug.clone());
        tasks.push(tokio::spawn(async move {
            for batch in 0..leaves / CALLERS / BATCH {
                let (slug, from) = (slug.clone(), (caller * leaves + batch) * BATCH);
                let write = move |tx: &mut Tx| (from..from + BATCH).try_for_each(|n| tx.log_append(Some(&slug), None, event(n)).map(drop));
                store.tx("batch", write).await?;
            }
            Ok::<_, StoreError>(())
        }));
    }
    let all = before + leaves / CALLERS / BATCH * CALLERS * BATCH;
    while integrate(&store).await? < all {}
    for task in tasks {
        task.await??;
    }
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = (all - before) as f64 / seconds;

    let sizes = move |tx: &mut Tx| {
        let tree = tx.log_tree()?.ok_or_else(|| StoreError::Corrupt("no tree".into()))?;
        let (mut entries, mut tiles) = (0, 0);
        for index in 0.. {
            let Some(address) = EntriesAddress::at(index, tree.size) else { break };
            entries += tx.log_entries(address)?.map_or(0, |b| b.len()) as u64;
        }
        for address in written(0, tree.size) {
            tiles += tx.log_tile(address)?.map_or(0, |b| b.len()) as u64;
        }
        Ok::<_, StoreError>((tree.size, entries, tiles))
    };
    let (size, entries, tiles) = store.read("sizes", sizes).await?;

    let proofs: u32 = 1_000;
    let started = Instant::now();
    let prove = move |tx: &mut Tx| {
        for n in 0..u64::from(proofs) {
            let index = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % size;
            let mut found = HashMap::new();
            for tile in prove::inclusion_tiles(index, size) {
                if let Some(bytes) = tx.log_tile(tile)? {
                    found.insert(tile, bytes);
                }
            }
            prove::inclusion(index, size, |tile| Ok::<_, Infallible>(found.get(tile))).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        }
        Ok::<_, StoreError>(())
    };
    store.read("prove", prove).await?;
    let proof = micros(started.elapsed()) / f64::from(proofs);
    let stored = stored(&url)?;
    let found = json!({
        "leaves": size, "leavesPerSecond": rate, "bareMicros": paid[0], "withLeafMicros": paid[1], "entryBytes": entries / size,
        "tileBytes": tiles / size, "storedBytes": stored.map(|bytes| bytes / size), "proofMicros": proof,
    });
    println!("{found}");
    Ok(())
}
