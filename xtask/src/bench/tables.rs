//! `cargo xtask bench tables`: governed tables beside what people would use otherwise, in one run on one machine.
//!
//! - Virtual Parquet beside nginx that serves the same bytes from a file: computing per gigabyte, and speed.
//! - Rewriting beside DuckDB's `COPY (SELECT … WHERE …) TO`, both with one thread: computing per gigabyte of source.
//! - Governed SQL beside plain DataFusion with the same columns and filter, and DuckDB over the governed file.
//! - A change of terms beside making the changed copy.
//!
//! Servers are pinned to the first core, what loads them to the second. The page cache is warm for all.

mod queries;
mod table;

use super::{
    Common, Line, cache,
    nginx::Nginx,
    pair::{Node, cpu_seconds, text},
    quantile,
};
use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// The columns that are shown.
const SHOWN: [&str; 7] = ["id", "site", "machine", "at", "temperature", "pressure", "ok"];
/// A filter that divides every row group.
const ROWS: &str = "site <> 'S07' AND temperature < 90";
/// The core of what is measured, and that of what loads it.
const SERVER: &str = "0";
const CLIENT: &str = "1";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// Millions of rows of the table that is queried; a third of them are in the one that is served
    #[arg(long, default_value_t = 10)]
    million_rows: usize,
    /// Rounds, each with every way once; the median counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Where the tables are kept between runs (default: the target folder)
    #[arg(long)]
    cache: Option<PathBuf>,
}

/// Measures and prints.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let cache = cache(root, args.cache.as_deref());
    args.common.run(root, async |binary| measure(root, binary, &cache, args).await)
}

async fn measure(root: &Path, binary: &Path, cache: &Path, args: &Args) -> Result<Vec<Line>> {
    fs::create_dir_all(cache)?;
    let cache = cache.canonicalize()?;
    let python = queries::duckdb(&cache)?;
    let served = table::written(&cache, args.million_rows * 1_000_000 / 3)?;
    let queried = table::written(&cache, args.million_rows * 1_000_000)?;
    let folder = tempfile::Builder::new().prefix("tables-").tempdir_in(&cache)?;
    let http = reqwest::Client::builder().timeout(Duration::from_mins(10)).no_proxy().build()?;
    let mut provider = Node::init(binary, &folder.path().join("provider"), "provider", http.clone())?;
    let mut consumer = Node::init(binary, &folder.path().join("consumer"), "consumer", http.clone())?;
    provider.start()?;
    consumer.start()?;
    eprintln!("publishing");
    for (id, file) in [("served", &served), ("queried", &queried)] {
        let body = json!({"id": id, "title": id, "kind": "table", "source": {"type": "paths", "paths": [file], "inPlace": true},
            "offers": [offer(id, "columns", None), offer(id, "rows", Some(ROWS))]});
        provider.call(Method::POST, "products", Some(&body)).await?;
    }
    // A new process: its highest memory is that of delivery.
    provider.stop()?;
    provider.start_on(SERVER)?;
    let bench = Bench { provider, consumer, http, folder: folder.path().to_owned(), python, rounds: args.rounds };

    let mut lines = bench.virtual_parquet().await?;
    lines.extend(bench.rewrite(&served).await?);
    lines.extend(queries::measure(root, &bench, &queried).await?);
    lines.push(Line {
        what: "peak memory of the provider's node",
        value: bench.provider.memory_mb("VmHWM")?,
        unit: "MB",
        below: Some(200.0),
    });
    let Bench { mut provider, mut consumer, .. } = bench;
    consumer.stop()?;
    provider.stop()?;
    Ok(lines)
}

/// The shown columns in SQL. One is a word of the language.
fn shown() -> String {
    SHOWN.map(|name| format!("\"{name}\"")).join(", ")
}

/// The id of one of a product's offers: they are unique among all of a participant.
fn offer_id(product: &str, name: &str) -> String {
    format!("{product}-{name}")
}

fn offer(product: &str, name: &str, rows: Option<&str>) -> Value {
    let mut constraints = vec![json!({"leftOperand": "fields", "operator": "isAnyOf", "rightOperand": SHOWN})];
    constraints.extend(rows.map(|rows| json!({"leftOperand": "rowFilter", "operator": "eq", "rightOperand": rows})));
    json!({"@type": "Offer", "@id": offer_id(product, name), "permission": [{"action": "use", "constraint": constraints}]})
}

/// Binds every thread of processes to a core.
fn pin(processes: &[u32], core: &str) -> Result<()> {
    for process in processes {
        let output = Command::new("taskset").args(["-acp", core, &process.to_string()]).output().context("taskset (util-linux)")?;
        ensure!(output.status.success(), "taskset: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// What all parts share.
struct Bench {
    provider: Node,
    consumer: Node,
    http: reqwest::Client,
    folder: PathBuf,
    /// A Python with DuckDB.
    python: PathBuf,
    rounds: usize,
}

/// What an agreement opens.
struct Access {
    /// Of the share.
    endpoint: String,
    token: String,
    /// `shares/…/schemas/…/tables/…`
    table: String,
}

/// A file that a query names.
struct Named {
    url: String,
    size: u64,
}

impl Bench {
    /// A new agreement under an offer, and what it opens.
    async fn access(&self, product: &str, offer: &str) -> Result<Access> {
        let body = json!({"peer": self.provider.address(), "product": product, "offer": offer_id(product, offer)});
        let begun = self.consumer.call(Method::POST, "negotiations", Some(&body)).await?;
        let agreed = self.consumer.finalized(text(&begun, "negotiationId")?).await?;
        let path = format!("agreements/{}/access", text(&agreed, "agreementId")?);
        let access = self.consumer.call(Method::POST, &path, Some(&json!({"waitSeconds": 30}))).await?;
        let named = access["tables"][0].as_str().context("no table")?;
        let parts: Vec<_> = named.splitn(3, '.').collect();
        let [share, schema, name] = parts[..] else { bail!("\"{named}\" is not share.schema.table") };
        Ok(Access {
            endpoint: text(&access["profile"], "endpoint")?.trim_end_matches('/').to_owned(),
            token: text(&access["profile"], "bearerToken")?.to_owned(),
            table: format!("shares/{share}/schemas/{schema}/tables/{name}"),
        })
    }

    /// The files of a table, and how long their naming took.
    async fn query(&self, access: &Access) -> Result<(Vec<Named>, Duration)> {
        let url = format!("{}/{}/query", access.endpoint, access.table);
        let begun = Instant::now();
        let answer = self.http.post(url).bearer_auth(&access.token).json(&json!({})).send().await?.error_for_status()?;
        let body = answer.text().await?;
        let took = begun.elapsed();
        let mut files = Vec::new();
        for line in body.lines() {
            let line: Value = serde_json::from_str(line)?;
            if let Some(url) = line["file"]["url"].as_str() {
                files.push(Named { url: url.to_owned(), size: line["file"]["size"].as_u64().context("no size")? });
            }
        }
        ensure!(!files.is_empty(), "the table has no files: {body}");
        Ok((files, took))
    }

    /// Virtual Parquet beside nginx.
    async fn virtual_parquet(&self) -> Result<Vec<Line>> {
        eprintln!("virtual Parquet beside nginx");
        let mut planning = Vec::new();
        let mut files = Vec::new();
        // Each agreement has a plan of its own.
        for _ in 0..self.rounds {
            let access = self.access("served", "columns").await?;
            let took;
            (files, took) = self.query(&access).await?;
            planning.push(took.as_secs_f64() * 1e3);
        }
        let [file] = &files[..] else { bail!("one file was expected") };
        let copy = self.folder.join("www");
        fs::create_dir_all(&copy)?;
        fs::write(copy.join("copy.parquet"), self.http.get(&file.url).send().await?.error_for_status()?.bytes().await?)?;
        let nginx = Nginx::start(&self.folder.join("nginx"), &copy, "1")?;
        pin(&nginx.processes()?, SERVER)?;
        let beside = format!("http://{}/copy.parquet", nginx.address);
        let (mut ours, mut theirs) = (Served::default(), Served::default());
        for _ in 0..self.rounds {
            ours.add(&file.url, file.size, &[self.provider.process()?])?;
            theirs.add(&beside, file.size, &nginx.processes()?)?;
        }
        let (ours, theirs) = (ours.medians(), theirs.medians());
        Ok(vec![
            Line { what: "first query of an agreement, plan included", value: quantile(&planning, 0.5), unit: "ms", below: Some(5.0) },
            Line { what: "virtual Parquet", value: ours.0, unit: "MB/s", below: None },
            Line { what: "nginx, the same bytes in a file", value: theirs.0, unit: "MB/s", below: None },
            // 0.8 times the speed is 1.25 times the time.
            Line { what: "time of virtual Parquet / of nginx", value: theirs.0 / ours.0, unit: "", below: Some(1.25) },
            Line { what: "virtual Parquet, computing", value: ours.1, unit: "s/GB", below: None },
            Line { what: "nginx, computing", value: theirs.1, unit: "s/GB", below: None },
            Line { what: "computing of virtual Parquet / of nginx", value: ours.1 / theirs.1, unit: "", below: Some(1.5) },
        ])
    }

    /// Rewriting beside DuckDB's COPY; and what a change of terms takes.
    async fn rewrite(&self, source: &Path) -> Result<Vec<Line>> {
        eprintln!("rewriting beside COPY");
        let gigabytes = size(source)? / 1e9;
        let (mut ours, mut theirs, mut copies) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let cached = self.provider.dir().join("cache");
            if cached.exists() {
                fs::remove_dir_all(&cached).context("emptying the cache, which may be done at any time")?;
            }
            let access = self.access("served", "rows").await?;
            let before = self.provider.cpu_seconds()?;
            self.query(&access).await?;
            ours.push((self.provider.cpu_seconds()? - before) / gigabytes);
            let sql = format!(
                "COPY (SELECT {} FROM read_parquet('{}') WHERE {ROWS}) TO '{}' (FORMAT parquet)",
                shown(),
                source.display(),
                self.folder.join("duckdb.parquet").display()
            );
            let ran = queries::in_duckdb(&self.python, &[sql])?;
            theirs.push(ran[0].cpu_seconds / gigabytes);
            copies.push(ran[0].seconds * 1e3);
        }
        eprintln!("a change of terms");
        let mut changes = Vec::new();
        for _ in 0..self.rounds {
            let access = self.access("served", "columns").await?;
            let (files, _) = self.query(&access).await?;
            let transfers = self.provider.call(Method::GET, "transfers?state=STARTED&limit=1", None).await?;
            let id = text(&transfers["transfers"][0], "id")?.to_owned();
            self.provider.call(Method::POST, &format!("transfers/{id}/suspend"), Some(&json!({"reason": "measured"}))).await?;
            let begun = Instant::now();
            let status = self.http.get(&files[0].url).send().await?.status();
            changes.push(begun.elapsed().as_secs_f64() * 1e3);
            ensure!(status == reqwest::StatusCode::FORBIDDEN, "the next request was answered {status}");
        }
        let (ours, theirs) = (quantile(&ours, 0.5), quantile(&theirs, 0.5));
        Ok(vec![
            Line { what: "rewriting, computing per GB of source", value: ours, unit: "s/GB", below: None },
            Line { what: "DuckDB COPY, computing per GB of source", value: theirs, unit: "s/GB", below: None },
            Line { what: "computing of rewriting / of COPY", value: ours / theirs, unit: "", below: Some(1.0) },
            Line { what: "next request after a change, refused in", value: quantile(&changes, 0.5), unit: "ms", below: None },
            Line { what: "making the changed copy with COPY", value: quantile(&copies, 0.5), unit: "ms", below: None },
        ])
    }
}

/// Downloads of one address.
#[derive(Default)]
struct Served {
    megabytes_a_second: Vec<f64>,
    seconds_a_gigabyte: Vec<f64>,
}

impl Served {
    /// One more, by a process of its own on the client's core. Short ones are repeated: the kernel counts computing in
    /// hundredths of a second.
    fn add(&mut self, url: &str, size: u64, servers: &[u32]) -> Result<()> {
        const TIMES: u32 = 10;
        let computed = || servers.iter().map(|p| cpu_seconds(*p)).sum::<Result<f64>>();
        let before = computed()?;
        let begun = Instant::now();
        for _ in 0..TIMES {
            let output = Command::new("taskset")
                .args([
                    "-c",
                    CLIENT,
                    "curl",
                    "--silent",
                    "--show-error",
                    "--fail",
                    "--output",
                    "/dev/null",
                    "--write-out",
                    "%{size_download}",
                    url,
                ])
                .output()?;
            let got = String::from_utf8_lossy(&output.stdout).into_owned();
            ensure!(output.status.success() && got == size.to_string(), "{url}: {got} bytes of {size}");
        }
        #[expect(clippy::cast_precision_loss, reason = "megabytes")]
        let megabytes = size as f64 * f64::from(TIMES) / 1e6;
        self.megabytes_a_second.push(megabytes / begun.elapsed().as_secs_f64());
        self.seconds_a_gigabyte.push((computed()? - before) / (megabytes / 1e3));
        Ok(())
    }

    fn medians(&self) -> (f64, f64) {
        (quantile(&self.megabytes_a_second, 0.5), quantile(&self.seconds_a_gigabyte, 0.5))
    }
}

#[expect(clippy::cast_precision_loss, reason = "gigabytes")]
fn size(file: &Path) -> Result<f64> {
    Ok(fs::metadata(file)?.len() as f64)
}
