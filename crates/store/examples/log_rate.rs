//! What the transparency log takes: how many durable leaves a second, what a deal pays for its leaves, how large they are on
//! the disk, and how long a proof takes. In the current folder: SQLite with `synchronous=FULL`, or the empty database that is
//! named. Prints one JSON object; `cargo xtask bench log` shows it beside its targets and beside another log.
//!
//! `log_rate load`                              the load of `rate`, for who wants to put the same on another log
//! `log_rate rate alone|kept LEAVES [URL]`      leaves alone, or with the documents and secrets that open them
//! `log_rate deal [URL]`                        the time of a deal's transactions, with their leaves and without
//! `log_rate proof LEAVES`                      proofs in a tree of so many leaves

use fondaco_core::{
    entropy::SeededEntropy,
    evidence::{self, Event, Kind},
    participant::Slug,
    time::{Clock, SystemClock},
};
use fondaco_store::{Store, StoreConfig, StoreError, Tx};
use fondaco_tlog::{
    Edge, Hash, leaf_hash, prove,
    tile::{EntriesAddress, TileAddress, written},
    verify,
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    convert::Infallible,
    error::Error,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

type Found = Result<Value, Box<dyn Error>>;

/// Leaves of one transaction when there are many.
const TOGETHER: u64 = 64;
/// Transactions that are under way at once.
const CALLERS: u64 = 32;
/// Deals measured of each kind.
const DEALS: u32 = 400;
/// Proofs measured.
const PROOFS: u64 = 5_000;
/// Leaves of a tree that are hashed at once when it is made for proofs.
const CHUNK: u64 = 1 << 16;
/// A product of the golden ratio: its multiples are spread evenly over any range.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

fn event(kind: Kind, n: u64, document: Value) -> Event {
    Event {
        kind,
        at: SystemClock.now(),
        own: "did:web:provider.example".into(),
        peer: Some("did:web:consumer.example".into()),
        object: format!("trf_{n}"),
        document,
    }
}

fn started(n: u64) -> Event {
    event(Kind::TransferStarted, n, json!({"transfer": n, "state": "STARTED", "role": "provider"}))
}

async fn open(folder: &Path, url: Option<&String>) -> Result<(Store, String), Box<dyn Error>> {
    let url = url.cloned().unwrap_or_else(|| format!("sqlite:{}", folder.join("rate.db").display()));
    let seed = u64::try_from(SystemClock.now().as_micros())?;
    let store = Store::open(&StoreConfig::new(url.clone()), Arc::new(SystemClock), Arc::new(SeededEntropy::new(seed))).await?;
    Ok((store, url))
}

async fn integrate(store: &Store) -> Result<u64, StoreError> {
    let done = store.tx("integrate", |tx: &mut Tx| tx.log_integrate(|size, root| Ok::<_, StoreError>(format!("{size} {root}")))).await?;
    Ok(done.tree.size)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The `q`-quantile by nearest rank.
fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rank within the list")]
    let rank = (q * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// What the log alone takes in a SQLite file: all that is not of it is dropped first.
fn stored(url: &str) -> Result<Option<u64>, Box<dyn Error>> {
    let Some(path) = url.strip_prefix("sqlite:") else { return Ok(None) };
    let conn = rusqlite::Connection::open(path)?;
    conn.execute_batch("DROP TABLE evidence; DELETE FROM token_seen; VACUUM;")?;
    let bytes: i64 = conn.query_row("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()", [], |row| row.get(0))?;
    Ok(Some(u64::try_from(bytes)?))
}

/// Leaves a second: written by many callers, each of which waits until its own are durable; the clock stops when all are in
/// the tree, and the tree is signed.
async fn rate(folder: &Path, kept: bool, leaves: u64, url: Option<&String>) -> Found {
    let (store, url) = open(folder, url).await?;
    let slug = Slug::parse("acme")?;
    // One leaf as it is otherwise, for those that are written alone.
    let sample: Arc<[u8]> = evidence::record(started(leaves), &SeededEntropy::new(leaves))?.entry.into_bytes().into();

    let before = integrate(&store).await?;
    let began = Instant::now();
    let mut tasks = Vec::new();
    let each = leaves / CALLERS / TOGETHER;
    for caller in 0..CALLERS {
        let (store, slug, sample) = (store.clone(), slug.clone(), Arc::clone(&sample));
        tasks.push(tokio::spawn(async move {
            for round in 0..each {
                let (slug, sample, from) = (slug.clone(), Arc::clone(&sample), (caller * each + round) * TOGETHER);
                let write = move |tx: &mut Tx| {
                    let mut entry = sample.to_vec();
                    (from..from + TOGETHER).try_for_each(|n| {
                        if kept {
                            return tx.log_append(Some(&slug), None, started(n)).map(drop);
                        }
                        // Every leaf another.
                        if let Some(place) = entry.first_chunk_mut() {
                            *place = n.to_be_bytes();
                        }
                        tx.log_put(&entry).map(drop)
                    })
                };
                store.tx("leaves", write).await?;
            }
            Ok::<_, StoreError>(())
        }));
    }
    let all = before + each * CALLERS * TOGETHER;
    let writing = async {
        for task in tasks {
            task.await??;
        }
        Ok::<_, Box<dyn Error>>(())
    };
    let integrated = async {
        while integrate(&store).await? < all {}
        Ok(())
    };
    tokio::try_join!(writing, integrated)?;
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = (all - before) as f64 / began.elapsed().as_secs_f64();

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
    drop(store);
    let stored = stored(&url)?.map(|bytes| bytes / size);
    // An entry has its length in two bytes before it.
    Ok(json!({"leaves": size, "leavesPerSecond": rate, "entryBytes": entries / size - 2, "tileBytes": tiles / size, "storedBytes": stored}))
}

/// The leaves of one side of a deal: its agreement, access opened, what was used, access ended.
fn leaves_of_deal(n: u64) -> [Event; 4] {
    // As long as an agreement with a handful of terms.
    let terms: Vec<Value> =
        (0..12).map(|i| json!({"leftOperand": format!("operand-{i}"), "operator": "lteq", "rightOperand": n + i})).collect();
    [
        event(
            Kind::Agreement,
            n,
            json!({"@id": format!("agr_{n}"), "@type": "Agreement", "permission": [{"action": "use", "constraint": terms}]}),
        ),
        started(n),
        event(Kind::Usage, n, json!({"agreement": format!("agr_{n}"), "reads": 3, "requests": 7, "rows": 90_000, "bytes": 1_234_567})),
        event(Kind::TransferEnded, n, json!({"transfer": n, "state": "COMPLETED", "role": "provider"})),
    ]
}

/// What a deal's transactions take, one after the other, each of which writes something anyway.
async fn deal(folder: &Path, url: Option<&String>) -> Found {
    let (store, _) = open(folder, url).await?;
    let slug = Slug::parse("acme")?;
    // Deals with and without leaves take turns, so that both meet the same disk.
    let mut taken = [Vec::new(), Vec::new()];
    for n in 0..2 * DEALS {
        let with = n % 2 == 1;
        let began = Instant::now();
        for (step, event) in leaves_of_deal(n.into()).into_iter().enumerate() {
            let slug = slug.clone();
            let write = move |tx: &mut Tx| {
                tx.token_use("deal", &format!("{n}-{step}"), tx.now())?;
                if with { tx.log_append(Some(&slug), None, event).map(drop) } else { Ok(()) }
            };
            store.tx("step", write).await?;
        }
        taken[usize::from(with)].push(micros(began.elapsed()));
    }
    // Leaves get into the tree many at a time: one deal's alone is the most that it can cost.
    let mut trees = Vec::new();
    for n in 0..DEALS {
        let slug = slug.clone();
        let write = move |tx: &mut Tx| {
            leaves_of_deal((2 * DEALS + n).into()).into_iter().try_for_each(|e| tx.log_append(Some(&slug), None, e).map(drop))
        };
        store.tx("deal", write).await?;
        if n == 0 {
            // Those of the deals above.
            while store.read("waiting", Tx::log_pending_count).await? > 0 {
                integrate(&store).await?;
            }
            continue;
        }
        let began = Instant::now();
        integrate(&store).await?;
        trees.push(micros(began.elapsed()));
    }
    let [mut without, mut with] = taken;
    Ok(json!({
        "bareMicros": quantile(&mut without, 0.5), "withLeavesMicros": quantile(&mut with, 0.5), "treeMicros": quantile(&mut trees, 0.5),
    }))
}

/// A tree's tiles, put where the store keeps them. Entries are left out: proofs do not need them, and ten million would take
/// minutes.
fn grow(path: &Path, leaves: u64) -> Result<Hash, Box<dyn Error>> {
    let mut conn = rusqlite::Connection::open(path)?;
    conn.pragma_update(None, "synchronous", "OFF")?;
    let mut edge = Edge::empty();
    for start in (0..leaves).step_by(usize::try_from(CHUNK)?) {
        let hashes: Vec<Hash> = (start..leaves.min(start + CHUNK)).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let tiles = edge.append(&hashes).ok_or("the tree is full")?;
        let transaction = conn.transaction()?;
        {
            let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO log_tile (level, number, hashes) VALUES (?1, ?2, ?3)")?;
            for tile in tiles {
                let TileAddress { level, index, .. } = tile.address;
                put.execute((i64::from(level), i64::try_from(index)?, tile.bytes))?;
            }
        }
        transaction.commit()?;
    }
    Ok(edge.root())
}

/// The time of a proof for a leaf anywhere in the tree, its tiles in memory; every proof is verified.
async fn proof(folder: &Path, leaves: u64) -> Found {
    let (store, _) = open(folder, None).await?;
    let root = grow(&folder.join("rate.db"), leaves)?;
    let prove = move |tx: &mut Tx| {
        let damaged = |e: &dyn std::fmt::Display| StoreError::Corrupt(e.to_string());
        let mut taken = Vec::new();
        for n in 0..PROOFS {
            let index = n.wrapping_mul(SPREAD) % leaves;
            let began = Instant::now();
            let mut found = HashMap::new();
            for tile in prove::inclusion_tiles(index, leaves) {
                if let Some(bytes) = tx.log_tile(tile)? {
                    found.insert(tile, bytes);
                }
            }
            let proof = prove::inclusion(index, leaves, |tile| Ok::<_, Infallible>(found.get(tile))).map_err(|e| damaged(&e))?;
            taken.push(micros(began.elapsed()));
            verify::inclusion(&leaf_hash(&index.to_be_bytes()), index, leaves, &proof, &root).map_err(|e| damaged(&e))?;
        }
        Ok::<_, StoreError>(taken)
    };
    let mut taken = store.read("prove", prove).await?;
    Ok(json!({"leaves": leaves, "medianMicros": quantile(&mut taken, 0.5), "p99Micros": quantile(&mut taken, 0.99)}))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let found = match words.as_slice() {
        ["load"] => json!({"callers": CALLERS, "together": TOGETHER}),
        ["rate", what @ ("alone" | "kept"), leaves, ..] => rate(folder.path(), *what == "kept", leaves.parse()?, args.get(3)).await?,
        ["deal", ..] => deal(folder.path(), args.get(1)).await?,
        ["proof", leaves] => proof(folder.path(), leaves.parse()?).await?,
        _ => return Err("usage: log_rate load | rate alone|kept LEAVES [URL] | deal [URL] | proof LEAVES".into()),
    };
    println!("{found}");
    Ok(())
}
