//! `cargo xtask bench dsp`: negotiations between two nodes and, in the same run on the same machine, between two control
//! planes of Eclipse EDC, once with its default settings and once tuned as its own tests tune it.
//!
//! Both kinds hold their state where they do by default: the nodes in SQLite on disk with a sync per commit, EDC in
//! memory. Times are taken outside, over the interfaces that applications use. A negotiation of the nodes ends when
//! **both** sides have FINALIZED stored, one of EDC when its consumer says so. The nodes are asked to tell when that is;
//! EDC has to be asked again and again, so its latencies are up to [`LOOK_EVERY`] too long. With several at once, EDC loses
//! some: a message that arrives before the last answer was noted is refused for good. They are counted, not repeated.

mod edc;

use super::{
    Common, cache,
    pair::{Node, text},
    quantile,
};
use anyhow::{Result, bail, ensure};
use edc::{Connector, Tuning};
use futures::{StreamExt, stream::FuturesUnordered};
use reqwest::Method;
use serde_json::json;
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// Starts measured of each kind; the median is reported.
const STARTS: usize = 5;
/// How long processes are left alone before their memory is read.
const IDLE_FOR: Duration = Duration::from_secs(3);
/// How long negotiations run before anything is measured: a Java program compiles itself while it works.
const WARM_UP: Duration = Duration::from_secs(20);
/// Negotiations of the warm-up under way at once.
const WARM_UP_CONCURRENCY: usize = 16;
/// How many are under way at once where a rate is measured.
const CONCURRENCY: [usize; 3] = [1, 16, 64];
/// How often an EDC is asked for the state of one negotiation while one is measured at a time…
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// …and while many run, where asking costs it what is measured.
const LOOK_EVERY_AMONG_MANY: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// Measure the nodes alone
    #[arg(long)]
    skip_edc: bool,
    /// Negotiations measured one at a time
    #[arg(long, default_value_t = 100)]
    negotiations: usize,
    /// Seconds of each rate
    #[arg(long, default_value_t = 15)]
    seconds: u64,
}

/// What is measured of one kind of connector.
#[derive(Debug)]
struct Measured {
    start_ms: f64,
    memory_before_mb: f64,
    memory_after_mb: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Per second, for each of [`CONCURRENCY`].
    rates: [f64; CONCURRENCY.len()],
    /// What both sides compute for one negotiation, with the most of [`CONCURRENCY`] under way. Hardly noisy.
    cpu_ms: f64,
    /// Negotiations that ended without an agreement although nobody refused anything, in percent of all.
    lost_percent: f64,
}

/// How a negotiation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Finalized,
    /// Without an agreement, or not at all.
    Lost,
}

/// Negotiations counted by their ends.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    finalized: u32,
    lost: u32,
}

impl Count {
    fn add(&mut self, ended: Ended) {
        match ended {
            Ended::Finalized => self.finalized += 1,
            Ended::Lost => self.lost += 1,
        }
    }
}

/// Two connectors that can negotiate.
trait Couple {
    /// Negotiates once, to the end.
    async fn negotiate(&self, look_every: Duration) -> Result<Ended>;
    /// Resident memory of the provider, in MB.
    fn memory_mb(&self) -> Result<f64>;
    /// What both processes have computed so far, in seconds.
    fn cpu_seconds(&self) -> Result<f64>;
}

/// Measures and prints.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let binary = args.common.binary(root)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (nodes, default, tuned) = runtime.block_on(async {
        // On the same disk as the build, not in a temporary file system in memory: what is measured is durable.
        let cache = cache(root, None);
        fs::create_dir_all(&cache)?;
        let folder = tempfile::Builder::new().prefix("dsp-").tempdir_in(&cache)?;
        eprintln!("two nodes");
        let nodes = of_nodes(&binary, folder.path(), args).await?;
        if args.skip_edc {
            return Ok((nodes, None, None));
        }
        let class_path = edc::class_path(root)?;
        eprintln!("two EDC with default settings");
        let default = of_edc(&class_path, &folder.path().join("default"), Tuning::Default, args).await?;
        eprintln!("two EDC, tuned");
        let tuned = of_edc(&class_path, &folder.path().join("tuned"), Tuning::Tests, args).await?;
        anyhow::Ok((nodes, Some(default), Some(tuned)))
    })?;
    let rows = rows(&nodes, default.as_ref(), tuned.as_ref());
    print(&rows, args.common.json);
    args.common.check(rows.iter().filter(|r| !r.met()).map(|r| r.what))
}

/// What is alike for both kinds, once they run.
async fn measure(couple: &impl Couple, start_ms: f64, args: &Args) -> Result<Measured> {
    tokio::time::sleep(IDLE_FOR).await;
    let memory_before_mb = couple.memory_mb()?;
    let mut count = Count::default();
    rate(couple, WARM_UP_CONCURRENCY, WARM_UP, &mut count).await?;
    let mut latencies = Vec::with_capacity(args.negotiations);
    for _ in 0..args.negotiations {
        let begun = Instant::now();
        let ended = couple.negotiate(LOOK_EVERY).await?;
        count.add(ended);
        if ended == Ended::Finalized {
            latencies.push(millis(begun.elapsed()));
        }
    }
    let mut rates = [0.0; CONCURRENCY.len()];
    let mut cpu_ms = 0.0;
    for (rate_of, concurrency) in rates.iter_mut().zip(CONCURRENCY) {
        let (before, computed) = (count.finalized, couple.cpu_seconds()?);
        *rate_of = rate(couple, concurrency, Duration::from_secs(args.seconds), &mut count).await?;
        cpu_ms = 1e3 * (couple.cpu_seconds()? - computed) / f64::from((count.finalized - before).max(1));
        eprintln!("  {concurrency} at once: {:.1} a second, {cpu_ms:.2} ms of computing each", *rate_of);
    }
    let memory_after_mb = couple.memory_mb()?;
    let (p50_ms, p99_ms) = (quantile(&latencies, 0.5), quantile(&latencies, 0.99));
    let lost_percent = 100.0 * f64::from(count.lost) / f64::from((count.finalized + count.lost).max(1));
    Ok(Measured { start_ms, memory_before_mb, memory_after_mb, p50_ms, p99_ms, rates, cpu_ms, lost_percent })
}

/// Negotiations finished per second while so many are kept under way.
async fn rate(couple: &impl Couple, concurrency: usize, during: Duration, count: &mut Count) -> Result<f64> {
    let look_every = if concurrency == 1 { LOOK_EVERY } else { LOOK_EVERY_AMONG_MANY };
    let begun = Instant::now();
    let mut running: FuturesUnordered<_> = (0..concurrency).map(|_| couple.negotiate(look_every)).collect();
    let before = count.finalized;
    while begun.elapsed() < during {
        let Some(ended) = running.next().await else { bail!("no negotiation was under way") };
        count.add(ended?);
        running.push(couple.negotiate(look_every));
    }
    let rate = f64::from(count.finalized - before) / begun.elapsed().as_secs_f64();
    // Those under way are brought to their end, so that the next measurement begins with nothing.
    while let Some(ended) = running.next().await {
        count.add(ended?);
    }
    Ok(rate)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Two nodes.
struct Nodes {
    provider: Node,
    consumer: Node,
}

impl Couple for Nodes {
    async fn negotiate(&self, _: Duration) -> Result<Ended> {
        let body = json!({"peer": self.provider.address(), "product": "small"});
        let begun = self.consumer.call(Method::POST, "negotiations", Some(&body)).await?;
        let ours = self.consumer.finalized(text(&begun, "negotiationId")?).await?;
        let theirs = self.provider.finalized(text(&ours, "peerPid")?).await?;
        ensure!(ours["agreementId"] == theirs["agreementId"], "the two sides hold different agreements");
        Ok(Ended::Finalized)
    }
    fn memory_mb(&self) -> Result<f64> {
        self.provider.memory_mb("VmRSS")
    }
    fn cpu_seconds(&self) -> Result<f64> {
        Ok(self.provider.cpu_seconds()? + self.consumer.cpu_seconds()?)
    }
}

async fn of_nodes(binary: &Path, folder: &Path, args: &Args) -> Result<Measured> {
    let http = reqwest::Client::builder().timeout(Duration::from_mins(1)).no_proxy().build()?;
    let mut provider = Node::init(binary, &folder.join("provider"), "provider", http.clone())?;
    let mut consumer = Node::init(binary, &folder.join("consumer"), "consumer", http)?;
    let mut starts = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        starts.push(millis(provider.start()?));
        provider.stop()?;
    }
    provider.start()?;
    consumer.start()?;
    let small = folder.join("small.csv");
    fs::write(&small, "station,value\na,1\nb,2\n")?;
    let product = json!({"id": "small", "title": "small", "kind": "table", "paths": [small.canonicalize()?]});
    provider.call(Method::POST, "products", Some(&product)).await?;
    let mut nodes = Nodes { provider, consumer };
    let measured = measure(&nodes, quantile(&starts, 0.5), args).await?;
    nodes.consumer.stop()?;
    nodes.provider.stop()?;
    Ok(measured)
}

/// Two control planes.
struct Connectors {
    provider: Connector,
    consumer: Connector,
    offer: serde_json::Value,
}

impl Couple for Connectors {
    async fn negotiate(&self, look_every: Duration) -> Result<Ended> {
        let id = self.consumer.request(&self.provider, &self.offer).await?;
        self.consumer.ended(&id, look_every).await
    }
    fn memory_mb(&self) -> Result<f64> {
        self.provider.memory_mb()
    }
    fn cpu_seconds(&self) -> Result<f64> {
        Ok(self.provider.cpu_seconds()? + self.consumer.cpu_seconds()?)
    }
}

async fn of_edc(class_path: &str, folder: &Path, tuning: Tuning, args: &Args) -> Result<Measured> {
    let http = reqwest::Client::builder().timeout(Duration::from_mins(1)).no_proxy().build()?;
    let mut provider = Connector::configured(&folder.join("provider"), "provider", tuning, http.clone())?;
    let mut consumer = Connector::configured(&folder.join("consumer"), "consumer", tuning, http)?;
    let mut starts = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        starts.push(millis(provider.start(class_path).await?));
        provider.stop()?;
    }
    provider.start(class_path).await?;
    consumer.start(class_path).await?;
    provider.offer_asset().await?;
    let offer = consumer.offer_of(&provider).await?;
    let mut connectors = Connectors { provider, consumer, offer };
    let measured = measure(&connectors, quantile(&starts, 0.5), args).await?;
    connectors.consumer.stop()?;
    connectors.provider.stop()?;
    Ok(measured)
}

/// A line of the result.
#[derive(Debug)]
struct Row {
    what: &'static str,
    unit: &'static str,
    nodes: f64,
    default: Option<f64>,
    tuned: Option<f64>,
    /// Whether more is better.
    more: bool,
    /// How many times better than EDC at its defaults, and tuned, it has to be.
    times: (Option<f64>, Option<f64>),
    /// The least (or the most) that it has to be by itself.
    alone: Option<f64>,
}

impl Row {
    /// How many times better the nodes are.
    fn ratio(&self, other: Option<f64>) -> Option<f64> {
        let (better, worse) = if self.more { (self.nodes, other?) } else { (other?, self.nodes) };
        (worse > 0.0).then(|| better / worse)
    }
    fn met(&self) -> bool {
        let enough = |other, times: Option<f64>| match (self.ratio(other), times) {
            (Some(ratio), Some(times)) => ratio >= times,
            _ => true,
        };
        let alone = self.alone.is_none_or(|limit| if self.more { self.nodes >= limit } else { self.nodes <= limit });
        enough(self.default, self.times.0) && enough(self.tuned, self.times.1) && alone
    }
}

fn rows(nodes: &Measured, default: Option<&Measured>, tuned: Option<&Measured>) -> Vec<Row> {
    let row = |what, unit, of: &dyn Fn(&Measured) -> f64, more, times, alone| Row {
        what,
        unit,
        nodes: of(nodes),
        default: default.map(of),
        tuned: tuned.map(of),
        more,
        times,
        alone,
    };
    vec![
        row("start to ready, median of 5", "ms", &|m| m.start_ms, false, (Some(30.0), Some(30.0)), None),
        row("memory after start", "MB", &|m| m.memory_before_mb, false, (Some(8.0), Some(8.0)), None),
        row("memory after the run", "MB", &|m| m.memory_after_mb, false, (Some(8.0), Some(8.0)), None),
        row("negotiation, p50", "ms", &|m| m.p50_ms, false, (Some(100.0), Some(10.0)), None),
        row("negotiation, p99", "ms", &|m| m.p99_ms, false, (None, None), None),
        row("negotiations, 1 at once", "/s", &|m| m.rates[0], true, (None, None), None),
        row("negotiations, 16 at once", "/s", &|m| m.rates[1], true, (None, None), None),
        row("negotiations, 64 at once", "/s", &|m| m.rates[2], true, (None, None), Some(500.0)),
        row("computing, 64 at once, each", "ms", &|m| m.cpu_ms, false, (None, None), None),
        row("negotiations lost", "%", &|m| m.lost_percent, false, (None, None), Some(0.0)),
    ]
}

fn print(rows: &[Row], json: bool) {
    if json {
        let rows: Vec<_> = rows
            .iter()
            .map(|r| {
                json!({
                    "what": r.what, "unit": r.unit, "value": r.nodes, "edcDefault": r.default, "edcTuned": r.tuned,
                    "timesDefault": r.ratio(r.default), "timesTuned": r.ratio(r.tuned), "met": r.met(),
                })
            })
            .collect();
        println!("{}", json!({"measurements": rows}));
        return;
    }
    let value = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.1}"));
    let target = |r: &Row| {
        let times = |t: Option<f64>| t.map(|t| format!("{t:.0}x"));
        let alone = r.alone.map(|a| format!("{} {a:.0}", if r.more { "at least" } else { "at most" }));
        [times(r.times.0), times(r.times.1), alone].into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    println!("{:<30} {:>10} {:>12} {:>10} {:>10} {:>10}  target", "", "fondaco", "EDC default", "EDC tuned", "x default", "x tuned");
    for r in rows {
        println!(
            "{:<27} {:>2} {:>10.1} {:>12} {:>10} {:>10} {:>10}  {}{}",
            r.what,
            r.unit,
            r.nodes,
            value(r.default),
            value(r.tuned),
            value(r.ratio(r.default)),
            value(r.ratio(r.tuned)),
            target(r),
            if r.met() { "" } else { "  MISSED" },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_say_how_many_times_better() {
        let row = |nodes, default, more, times| Row {
            what: "x",
            unit: "",
            nodes,
            default: Some(default),
            tuned: None,
            more,
            times: (Some(times), Some(times)),
            alone: None,
        };
        assert!(row(10.0, 1_000.0, false, 100.0).met());
        assert!(!row(10.1, 1_000.0, false, 100.0).met());
        assert!(row(500.0, 5.0, true, 100.0).met());
        assert!(!row(500.0, 5.1, true, 100.0).met());
        let alone = |nodes| Row { alone: Some(500.0), ..row(nodes, 1.0, true, 1.0) };
        assert!(alone(500.0).met());
        assert!(!alone(499.0).met());
    }
}
