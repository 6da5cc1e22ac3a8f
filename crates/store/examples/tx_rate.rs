//! How many durable transactions a second, from 1 and from 64 callers: SQLite with `synchronous=FULL`, or the database
//! named by the first argument.
//!
//! `cargo run --release -p fondaco-store --example tx_rate -- [URL]`

use fondaco_core::{
    entropy::SeededEntropy,
    participant::{Did, Participant, Slug},
    time::{Clock, SystemClock},
};
use fondaco_store::{NewEvent, Store, StoreConfig, StoreError, Tx};
use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

const EACH: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let url = std::env::args().nth(1).unwrap_or_else(|| format!("sqlite:{}", folder.path().join("rate.db").display()));
    let seed = u64::try_from(SystemClock.now().as_micros())?;
    let store = Store::open(&StoreConfig::new(url), Arc::new(SystemClock), Arc::new(SeededEntropy::new(seed))).await?;
    let slug = Slug::parse(&format!("rate-{seed}"))?;
    let owner = Participant {
        did: Did::parse(&format!("did:web:{slug}.example"))?,
        slug: slug.clone(),
        name: "Rate".into(),
        country: None,
        rules: fondaco_core::decision::RuleSet::default(),
        created_at: SystemClock.now(),
    };
    store.tx("owner", move |tx: &mut Tx| tx.participant_insert(&owner)).await?;
    for callers in [1_u32, 64] {
        let started = Instant::now();
        let mut tasks = Vec::new();
        for caller in 0..callers {
            let (store, slug) = (store.clone(), slug.clone());
            tasks.push(tokio::spawn(async move {
                let mut done = 0_u32;
                while started.elapsed() < EACH {
                    let (event, jti) = (event(&slug), format!("{callers}-{caller}-{done}"));
                    let write = move |tx: &mut Tx| {
                        tx.token_use("rate", &jti, tx.now())?;
                        tx.event_append(&event)
                    };
                    store.tx("rate", write).await?;
                    done += 1;
                }
                Ok::<_, StoreError>(done)
            }));
        }
        let mut done = 0;
        for task in tasks {
            done += task.await??;
        }
        println!("{callers:>3} callers: {:.0} tx/s", f64::from(done) / started.elapsed().as_secs_f64());
    }
    Ok(())
}

fn event(slug: &Slug) -> NewEvent {
    NewEvent {
        participant: slug.clone(),
        topic: "node".into(),
        kind: "rate".into(),
        actor: "node".into(),
        text: "A transaction.".into(),
        detail: serde_json::json!({}),
    }
}
