//! `cargo xtask bench deal`: two release nodes on this machine make deals.
//!
//! Measured: start-up on an existing SQLite database, idle memory, the latency of a negotiation until **both** sides
//! have FINALIZED stored, the rate with several at once, and the provider's memory while a client streams a table of
//! 1 GiB. Times are taken outside the nodes, over their HTTP interfaces.

use super::{
    Common, Line, cache,
    pair::{Node, text},
    quantile,
};
use anyhow::{Context, Result, bail, ensure};
use arrow::{
    array::{ArrayRef, Int64Array},
    datatypes::{DataType, Field, Schema},
    record_batch::RecordBatch,
};
use fondaco_core::entropy::SeededEntropy;
use futures::{StreamExt, stream::FuturesUnordered};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding},
    file::properties::WriterProperties,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// Starts measured; the median is reported.
const STARTS: usize = 10;
/// Negotiations measured one at a time.
const NEGOTIATIONS: usize = 200;
/// Negotiations before the measurement, so that connections and caches are as they are in daily use.
const WARM_UP: usize = 10;
/// Negotiations kept under way at once, and for how long.
const CONCURRENT: usize = 16;
const RATE_FOR: Duration = Duration::from_secs(10);
/// How long a node is left alone before its idle memory is read.
const IDLE_FOR: Duration = Duration::from_secs(2);
/// How often memory is read while a table is served.
const SAMPLE_EVERY: Duration = Duration::from_millis(50);
/// The large table: 8 columns of random 64-bit numbers, 16 row groups of 2^20 rows: 1 GiB that no codec can shrink.
const COLUMNS: usize = 8;
const ROW_GROUPS: usize = 16;
const ROWS_PER_GROUP: usize = 1 << 20;
const ROWS_PER_BATCH: usize = 1 << 16;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// Leave out the large table (it needs 3 GiB of disk)
    #[arg(long)]
    skip_table: bool,
    /// Where the large table is kept between runs (default: the target folder)
    #[arg(long)]
    cache: Option<PathBuf>,
}

/// Measures and prints.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let cache = cache(root, args.cache.as_deref());
    args.common.run(root, async |binary| measure(binary, &cache, args).await)
}

async fn measure(binary: &Path, cache: &Path, args: &Args) -> Result<Vec<Line>> {
    // On the same disk as the build, not in a temporary file system in memory: what is measured is durable.
    fs::create_dir_all(cache)?;
    let folder = tempfile::Builder::new().prefix("deal-").tempdir_in(cache)?;
    let http = reqwest::Client::builder().timeout(Duration::from_mins(10)).no_proxy().build()?;
    let mut provider = Node::init(binary, &folder.path().join("provider"), "provider", http.clone())?;
    let mut consumer = Node::init(binary, &folder.path().join("consumer"), "consumer", http.clone())?;

    provider.start()?;
    consumer.start()?;
    let small = folder.path().join("small.csv");
    fs::write(&small, "station,value\na,1\nb,2\n")?;
    publish(&provider, "small", &small).await?;

    eprintln!("negotiating one at a time");
    for _ in 0..WARM_UP {
        negotiate(&provider, &consumer).await?;
    }
    let mut latencies = Vec::with_capacity(NEGOTIATIONS);
    for _ in 0..NEGOTIATIONS {
        latencies.push(negotiate(&provider, &consumer).await?);
    }
    eprintln!("negotiating {CONCURRENT} at a time");
    let rate = rate(&provider, &consumer).await?;

    eprintln!("starting {STARTS} times");
    provider.stop()?;
    let mut starts = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        starts.push(millis(provider.start()?));
        provider.stop()?;
    }
    provider.start()?;
    tokio::time::sleep(IDLE_FOR).await;
    let idle = provider.memory_mb("VmRSS")?;

    let mut lines = vec![
        Line { what: "start to ready, median of 10", value: quantile(&starts, 0.5), unit: "ms", below: Some(150.0) },
        Line { what: "start to ready, slowest of 10", value: quantile(&starts, 1.0), unit: "ms", below: None },
        Line { what: "idle memory", value: idle, unit: "MB", below: Some(60.0) },
        Line { what: "negotiation, p50 of 200", value: quantile(&latencies, 0.5), unit: "ms", below: Some(30.0) },
        Line { what: "negotiation, p99 of 200", value: quantile(&latencies, 0.99), unit: "ms", below: None },
        Line { what: "negotiations, 16 at once for 10 s", value: rate, unit: "/s", below: None },
    ];
    if !args.skip_table {
        lines.extend(serve_table(&mut provider, &consumer, &http, cache).await?);
    }
    consumer.stop()?;
    provider.stop()?;
    Ok(lines)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

async fn publish(node: &Node, id: &str, file: &Path) -> Result<Value> {
    let file = file.canonicalize()?;
    let body = json!({"id": id, "title": id, "kind": "table", "paths": [file]});
    node.call(Method::POST, "products", Some(&body)).await
}

/// One negotiation: milliseconds until both sides have it FINALIZED.
async fn negotiate(provider: &Node, consumer: &Node) -> Result<f64> {
    let begun = Instant::now();
    agree(provider, consumer, "small").await?;
    Ok(millis(begun.elapsed()))
}

/// Negotiates `product` to the end on both sides; the agreement's id.
async fn agree(provider: &Node, consumer: &Node, product: &str) -> Result<String> {
    let body = json!({"peer": provider.address(), "product": product});
    let begun = consumer.call(Method::POST, "negotiations", Some(&body)).await?;
    let ours = consumer.finalized(text(&begun, "negotiationId")?).await?;
    let theirs = provider.finalized(text(&ours, "peerPid")?).await?;
    let agreement = text(&ours, "agreementId")?;
    ensure!(text(&theirs, "agreementId")? == agreement, "the two sides hold different agreements");
    Ok(agreement.to_owned())
}

/// Negotiations finished per second while [`CONCURRENT`] are kept under way.
async fn rate(provider: &Node, consumer: &Node) -> Result<f64> {
    let begun = Instant::now();
    let mut running: FuturesUnordered<_> = (0..CONCURRENT).map(|_| negotiate(provider, consumer)).collect();
    let mut done = 0_u32;
    while let Some(result) = running.next().await {
        result?;
        if begun.elapsed() >= RATE_FOR {
            return Ok(f64::from(done + 1) / begun.elapsed().as_secs_f64());
        }
        done += 1;
        running.push(negotiate(provider, consumer));
    }
    bail!("no negotiation was under way")
}

/// Publishes the large table and streams it, as a client of Delta Sharing does, while the provider's memory is read.
async fn serve_table(provider: &mut Node, consumer: &Node, http: &reqwest::Client, cache: &Path) -> Result<Vec<Line>> {
    let file = cache.join("large-1gib.parquet");
    if !file.is_file() {
        eprintln!("writing {}", file.display());
        write_table(&file, ROW_GROUPS)?;
    }
    eprintln!("publishing 1 GiB");
    let begun = Instant::now();
    publish(provider, "large", &file).await?;
    let published = begun.elapsed();
    let publishing = provider.memory_mb("VmHWM")?;
    let agreement = agree(provider, consumer, "large").await?;
    let access = consumer.call(Method::POST, &format!("agreements/{agreement}/access"), Some(&json!({"waitSeconds": 30}))).await?;

    // A new process: its highest memory is that of serving, not of publishing.
    provider.stop()?;
    provider.start()?;
    eprintln!("streaming 1 GiB");
    let urls = file_urls(http, &access).await?;
    let before = provider.memory_mb("VmRSS")?;
    let begun = Instant::now();
    let (mut bytes, mut samples, mut last_sample) = (0_u64, vec![before], Instant::now());
    for url in urls {
        let answer = http.get(&url).send().await?.error_for_status()?;
        let mut body = answer.bytes_stream();
        while let Some(chunk) = body.next().await {
            bytes += chunk?.len() as u64;
            if last_sample.elapsed() >= SAMPLE_EVERY {
                last_sample = Instant::now();
                samples.push(provider.memory_mb("VmRSS")?);
            }
        }
    }
    let took = begun.elapsed().as_secs_f64();
    ensure!(bytes >= 1 << 30, "only {bytes} bytes of the table arrived");
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let speed = bytes as f64 / took / f64::from(1 << 20);
    Ok(vec![
        Line { what: "publishing 1 GiB of Parquet", value: published.as_secs_f64(), unit: "s", below: None },
        Line { what: "memory at most, publishing 1 GiB", value: publishing, unit: "MB", below: None },
        Line { what: "memory before serving 1 GiB", value: before, unit: "MB", below: None },
        Line { what: "memory while serving 1 GiB, median", value: quantile(&samples, 0.5), unit: "MB", below: None },
        Line { what: "memory at most, serving 1 GiB", value: provider.memory_mb("VmHWM")?, unit: "MB", below: Some(150.0) },
        Line { what: "serving 1 GiB, speed", value: speed, unit: "MiB/s", below: None },
    ])
}

/// Asks for the table's files with the profile that the consumer was given.
async fn file_urls(http: &reqwest::Client, access: &Value) -> Result<Vec<String>> {
    let profile = &access["profile"];
    let table = access["tables"][0].as_str().context("no table")?;
    let parts: Vec<_> = table.splitn(3, '.').collect();
    let [share, schema, name] = parts[..] else { bail!("\"{table}\" is not share.schema.table") };
    let endpoint = text(profile, "endpoint")?.trim_end_matches('/');
    let url = format!("{endpoint}/shares/{share}/schemas/{schema}/tables/{name}/query");
    let answer = http.post(url).bearer_auth(text(profile, "bearerToken")?).json(&json!({})).send().await?.error_for_status()?;
    let body = answer.text().await?;
    let mut urls = Vec::new();
    for line in body.lines() {
        let line: Value = serde_json::from_str(line)?;
        urls.extend(line["file"]["url"].as_str().map(str::to_owned));
    }
    ensure!(!urls.is_empty(), "the table has no files: {body}");
    Ok(urls)
}

/// Writes so many row groups of random numbers, whole or not at all.
fn write_table(file: &Path, row_groups: usize) -> Result<()> {
    let fields: Vec<_> = (0..COLUMNS).map(|i| Field::new(format!("value_{i}"), DataType::Int64, false)).collect();
    let schema = Arc::new(Schema::new(fields));
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::PLAIN)
        .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
        .build();
    let part = file.with_extension("part");
    let mut writer = ArrowWriter::try_new(fs::File::create(&part)?, Arc::clone(&schema), Some(properties))?;
    let random = SeededEntropy::new(1);
    for _ in 0..row_groups * ROWS_PER_GROUP / ROWS_PER_BATCH {
        let columns = (0..COLUMNS)
            .map(|_| Arc::new(Int64Array::from_iter_values((0..ROWS_PER_BATCH).map(|_| random.next_u64().cast_signed()))) as ArrayRef)
            .collect();
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
    }
    writer.close()?;
    fs::rename(part, file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    #[test]
    fn the_large_table_is_as_large_as_it_says() {
        assert_eq!(COLUMNS * ROW_GROUPS * ROWS_PER_GROUP * size_of::<i64>(), 1 << 30);
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("one.parquet");
        write_table(&file, 1).expect("written");
        let share = 1 << 30;
        let size = fs::metadata(&file).expect("size").len();
        assert!(size >= share / ROW_GROUPS as u64, "{size} bytes for one of {ROW_GROUPS} row groups");
        let reader = SerializedFileReader::new(fs::File::open(&file).expect("file")).expect("parquet");
        assert_eq!(reader.metadata().num_row_groups(), 1);
        assert_eq!(reader.metadata().file_metadata().num_rows(), i64::try_from(ROWS_PER_GROUP).expect("fits"));
    }
}
