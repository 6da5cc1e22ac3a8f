//! Fills a zone's node, by its own use cases over its own interfaces: participants are added, products published and
//! agreements negotiated as programs of those participants would, both sides on this node. So every row is what real
//! deals leave: documents, digests, keys, events, tokens, messages received. It takes minutes, so it is kept, and goes
//! on where it was interrupted.
//!
//! Like a real register it is skewed: the provider of rank n has 1/n as many agreements as the first, consumers
//! likewise but more evenly, and everything is drawn from one seed.

use super::super::pair::{Node, text};
use anyhow::{Context, Result, bail, ensure};
use fondaco_core::entropy::SeededEntropy;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Instant,
};

/// The node's first participant, who runs the zone.
pub(super) const OPERATOR: &str = "zone";
/// The participant with very many products.
pub(super) const LIBRARY: &str = "library";
/// One participant in so many sells.
const BUYERS_PER_SELLER: usize = 6;
/// Calls under way at once.
const AT_ONCE: usize = 64;
/// Products or deals between two notes of how far it is; so many may be made twice after an interruption.
const NOTED_EVERY: usize = 2_000;
/// How much more even consumers are than providers: the rank is counted from here.
const CONSUMER_RANKS_FROM: usize = 200;
/// Where everything drawn begins.
const SEED: u64 = 106_552;
/// Ports are looked for from here on, below those that systems give to outgoing connections: the address is part of every
/// DID, so a kept node needs the same one again.
const PORTS_FROM: u16 = 21_700;

/// What the titles are made of.
const WORDS: [&str; 12] =
    ["torque", "bearing", "weather", "photovoltaic", "battery", "logistics", "welding", "traffic", "光伏", "轴承", "焊缝", "工业相机"];
/// A word in the description of one product in a thousand.
pub(super) const RARE: &str = "tribology";

/// How much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Size {
    /// Participants, all.
    pub(super) participants: usize,
    /// Agreements; each leaves a row at its provider and one at its consumer, both of this node.
    pub(super) agreements: usize,
    /// Products of [`LIBRARY`].
    pub(super) products: usize,
}

impl Size {
    /// Those who sell.
    pub(super) const fn sellers(self) -> usize {
        let sellers = self.participants / BUYERS_PER_SELLER;
        if sellers == 0 { 1 } else { sellers }
    }
}

/// How far it is, as kept beside the node.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Progress {
    public: String,
    admin: String,
    participants: usize,
    sellers: usize,
    products: usize,
    agreements: usize,
}

/// The slug of a participant by its rank, from 0.
pub(super) fn participant(rank: usize) -> String {
    format!("org-{rank:05}")
}

/// The id of one of the library's products.
pub(super) fn product(number: usize) -> String {
    format!("series-{number:06}")
}

/// The product that every seller has.
pub(super) const PRODUCT: &str = "records";

/// A running node with all of it.
pub(super) async fn loaded(binary: &Path, cache: &Path, size: Size, http: reqwest::Client) -> Result<Node> {
    let folder = cache.join(format!("zone-{}", fingerprint(size)?));
    fs::create_dir_all(&folder)?;
    let notes = folder.join("progress.json");
    let dir = folder.join("node");
    let (mut node, mut progress) = match fs::read(&notes) {
        Ok(noted) => {
            let progress: Progress = serde_json::from_slice(&noted).context("progress.json")?;
            let at = (progress.public.clone(), progress.admin.clone());
            (Node::existing(binary, &dir, OPERATOR, at, http)?, progress)
        }
        Err(_) => {
            if dir.exists() {
                fs::remove_dir_all(&dir)?;
            }
            let (public, admin) = (format!("http://{}", free_low_address()?), free_low_address()?);
            let node = Node::init_at(binary, &dir, OPERATOR, (public.clone(), admin.clone()), http)?;
            let progress = Progress { public, admin, participants: 0, sellers: 0, products: 0, agreements: 0 };
            note(&notes, &progress)?;
            (node, progress)
        }
    };
    let started = node.start()?;
    eprintln!("a zone in {} ({:.0} ms to ready)", folder.display(), started.as_secs_f64() * 1e3);
    fill(&node, &folder, &notes, size, &mut progress).await?;
    Ok(node)
}

async fn fill(node: &Node, folder: &Path, notes: &Path, size: Size, progress: &mut Progress) -> Result<()> {
    let file = sample(folder)?;
    if progress.participants < size.participants {
        let begun = Instant::now();
        let named = (0..size.participants.saturating_sub(2)).map(participant).chain([LIBRARY.to_owned()]);
        many(named, |slug| async move {
            let country = (slug.len() % 2 == 1).then_some("CN");
            let body = json!({"slug": slug, "name": format!("Organisation {slug}"), "country": country});
            again(node.admin_call(Method::POST, "participants", Some(&body)).await)
        })
        .await?;
        progress.participants = size.participants;
        done("participants", size.participants, begun, notes, progress)?;
    }
    if progress.sellers < size.sellers() {
        let begun = Instant::now();
        let (file, rows) = (&file, 0..size.sellers());
        many(rows, |rank| async move {
            let body = json!({"id": PRODUCT, "title": format!("Records of {}", participant(rank)), "kind": "table", "paths": [file],
                "keywords": [WORDS[rank % WORDS.len()]]});
            again(node.admin_call(Method::POST, &format!("participants/{}/products", participant(rank)), Some(&body)).await)
        })
        .await?;
        progress.sellers = size.sellers();
        done("sellers", size.sellers(), begun, notes, progress)?;
    }
    while progress.products < size.products {
        let begun = Instant::now();
        let (file, until) = (&file, size.products.min(progress.products + NOTED_EVERY));
        many(progress.products..until, |number| async move {
            again(node.admin_call(Method::POST, &format!("participants/{LIBRARY}/products"), Some(&published(number, file))).await)
        })
        .await?;
        progress.products = until;
        done("products", until, begun, notes, progress)?;
    }
    let (sellers, buyers) = (ranks(size.sellers(), 0), ranks(size.participants - 2, CONSUMER_RANKS_FROM));
    while progress.agreements < size.agreements {
        let begun = Instant::now();
        let until = size.agreements.min(progress.agreements + NOTED_EVERY);
        let pairs = (progress.agreements..until).map(|deal| pair(deal, &sellers, &buyers));
        many(pairs, |(seller, buyer)| negotiate(node, participant(seller), participant(buyer))).await?;
        progress.agreements = until;
        done("agreements", until, begun, notes, progress)?;
    }
    Ok(())
}

/// One deal, from the consumer's wish until both sides are done.
async fn negotiate(node: &Node, seller: String, buyer: String) -> Result<()> {
    let host = node.public().trim_start_matches("http://").replace(':', "%3A");
    let body = json!({"peer": format!("did:web:{host}:p:{seller}"), "product": PRODUCT, "purpose": ["research"]});
    let begun = node.admin_call(Method::POST, &format!("participants/{buyer}/negotiations"), Some(&body)).await?;
    let path = format!("participants/{buyer}/negotiations/{}?wait=60", text(&begun, "negotiationId")?);
    let ended = node.admin_call(Method::GET, &path, None).await?;
    ensure!(ended["state"] == "FINALIZED", "a negotiation of {buyer} with {seller} is {}", ended["state"]);
    Ok(())
}

/// What a product of the library says of itself. Its file stays where it is: a library points to what it has.
fn published(number: usize, file: &Path) -> Value {
    let word = WORDS[number % WORDS.len()];
    let rare = if number % 1_000 == 999 { RARE } else { "operation" };
    json!({
        "id": product(number), "kind": "files", "title": format!("{word}, series {number}"),
        "description": format!("Measured every minute on line {}, with the dates of every replacement. Taken for {rare}, \
            checked by two people, and described in the handbook of the line. Gaps are marked and never filled in.", number % 977),
        "keywords": [word, "manufacturing", format!("line-{}", number % 977)],
        "listing": {"license": "CC-BY-4.0", "language": ["en"]},
        "source": {"type": "paths", "paths": [file], "inPlace": true},
    })
}

/// A deal's provider and consumer.
fn pair(deal: usize, sellers: &[f64], buyers: &[f64]) -> (usize, usize) {
    let drawn = SeededEntropy::new(SEED.wrapping_mul(deal as u64 + 1));
    let seller = draw(sellers, &drawn);
    let buyer = draw(buyers, &drawn);
    // Nobody deals with itself.
    (seller, if buyer == seller { (buyer + 1) % buyers.len() } else { buyer })
}

/// Cumulated weights of so many ranks, the first of them `from`.
fn ranks(count: usize, from: usize) -> Vec<f64> {
    let mut sum = 0.0;
    #[expect(clippy::cast_precision_loss, reason = "ranks are small")]
    let weights = (0..count).map(|rank| {
        sum += 1.0 / (rank + from + 1) as f64;
        sum
    });
    weights.collect()
}

/// A rank by its weight.
fn draw(cumulated: &[f64], drawn: &SeededEntropy) -> usize {
    #[expect(clippy::cast_precision_loss, reason = "53 bits are drawn")]
    let part = (drawn.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let at = part * cumulated.last().copied().unwrap_or(0.0);
    cumulated.partition_point(|upto| *upto <= at).min(cumulated.len().saturating_sub(1))
}

/// Does something for each, several at once.
async fn many<T, F: Future<Output = Result<()>>>(each: impl IntoIterator<Item = T>, act: impl Fn(T) -> F) -> Result<()> {
    stream::iter(each.into_iter().map(act)).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await.map(drop)
}

/// What was there before an interruption is there.
fn again(made: Result<Value>) -> Result<()> {
    match made {
        Err(e) if !e.to_string().contains(": 409 ") => Err(e),
        _ => Ok(()),
    }
}

fn done(what: &str, count: usize, begun: Instant, notes: &Path, progress: &Progress) -> Result<()> {
    note(notes, progress)?;
    eprintln!("  {count} {what} (+{:.1} s)", begun.elapsed().as_secs_f64());
    Ok(())
}

fn note(notes: &Path, progress: &Progress) -> Result<()> {
    let written = notes.with_extension("new");
    fs::write(&written, serde_json::to_vec(progress)?)?;
    Ok(fs::rename(written, notes)?)
}

fn sample(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("records.csv");
    // Not written again: products that point to it are seals over it.
    if !path.exists() {
        fs::write(&path, "station,measured_at,value\na,2026-01-01T00:00:00Z,1.5\nb,2026-01-01T00:01:00Z,2.5\n")?;
    }
    Ok(path.canonicalize()?)
}

/// A loopback address in the range that outgoing connections do not use.
fn free_low_address() -> Result<String> {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(PORTS_FROM);
    for _ in 0..1_000 {
        let address = format!("127.0.0.1:{}", NEXT.fetch_add(1, Ordering::Relaxed));
        if TcpListener::bind(&address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no free port from {PORTS_FROM} on")
}

/// Names what a kept node was filled with: the schema, this file and the size.
fn fingerprint(size: Size) -> Result<String> {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/store/migrations/sqlite");
    let mut files: Vec<PathBuf> = fs::read_dir(&migrations)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.sort();
    let mut all = format!("{size:?}{}", include_str!("load.rs"));
    for file in files {
        all.push_str(&fs::read_to_string(file)?);
    }
    Ok(fondaco_core::canonical::sha256_hex(all.as_bytes())[..12].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deals_are_skewed_the_same_each_time_and_never_with_oneself() {
        let (sellers, buyers) = (ranks(100, 0), ranks(600, CONSUMER_RANKS_FROM));
        let deals: Vec<(usize, usize)> = (0..10_000).map(|deal| pair(deal, &sellers, &buyers)).collect();
        assert_eq!(pair(4_711, &sellers, &buyers), deals[4_711]);
        assert!(deals.iter().all(|(seller, buyer)| seller != buyer && *seller < 100 && *buyer < 600));
        let with = |rank| deals.iter().filter(|(seller, _)| *seller == rank).count();
        // By its weight the first has 1 in 5.19 deals, and the tenth a tenth of that.
        assert!((1_700..2_200).contains(&with(0)), "{}", with(0));
        assert!((100..300).contains(&with(9)), "{}", with(9));
    }
}
