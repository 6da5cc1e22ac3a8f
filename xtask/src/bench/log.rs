//! `cargo xtask bench log`: leaves of the transparency log that are durable, in the tree and signed, what a deal pays for its
//! leaves, what a leaf takes, and how long a proof takes. In the same run, in turns, another log takes the same load: a POSIX
//! log of Tessera (conformance/log/tessera), with entries of the same size from as many callers.
//!
//! The store alone is measured, with its database on the disk of the build: what a node adds is the same for every use case.
//! Both logs answer a caller only when its leaves are on the disk: SQLite in WAL mode with `synchronous=FULL`, Tessera with
//! files written with `O_SYNC` in folders that are synced. Tessera stores entries and tiles and nothing else. So it is
//! compared with leaves alone; the rate of leaves with the documents and secrets that open them, in the transactions of what
//! they witness, stands beside it.

use super::{Line, cache, print, quantile};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Entries that Tessera writes at once. Of 64 to 4,096 this is its fastest under this load.
const TESSERA_BATCH: u64 = 1_024;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leaves of each measurement
    #[arg(long, default_value_t = 200_000)]
    leaves: u64,
    /// Leaves of the tree in which proofs are made
    #[arg(long, default_value_t = 10_000_000)]
    tree: u64,
    /// How often each log takes its turn; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// A Postgres database to measure instead of SQLite, once and not beside Tessera; it must be empty
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// One JSON document instead of a table
    #[arg(long)]
    json: bool,
    /// Fail if a target is missed
    #[arg(long)]
    check: bool,
}

/// The measured programs, and where they work.
struct Bench<'a> {
    root: &'a Path,
    folder: PathBuf,
    database: Option<&'a str>,
}

/// What a program printed.
struct Found(Value);

impl Found {
    fn number(&self, name: &str) -> Result<f64> {
        self.0[name].as_f64().with_context(|| format!("{name} was not measured"))
    }
}

impl Bench<'_> {
    fn json(&self, command: &mut Command) -> Result<Found> {
        let output = command.current_dir(&self.folder).stderr(Stdio::inherit()).output().with_context(|| format!("{command:?}"))?;
        ensure!(output.status.success(), "the measurement failed: {command:?}");
        Ok(Found(serde_json::from_slice(&output.stdout).context("what was measured")?))
    }

    fn ours(&self, args: &[&str]) -> Result<Found> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["run", "--release", "--quiet", "--manifest-path"]).arg(self.root.join("Cargo.toml"));
        command.args(["--package", "fondaco-store", "--example", "log_rate", "--"]).args(args);
        self.json(&mut command)
    }

    fn rate(&self, what: &str, leaves: u64) -> Result<Found> {
        let leaves = leaves.to_string();
        let args: Vec<&str> = ["rate", what, &leaves].into_iter().chain(self.database).collect();
        self.ours(&args)
    }

    /// Builds the other log; Go fetches its modules.
    fn tessera(&self) -> Result<PathBuf> {
        let program = self.folder.join("tessera");
        let sources = self.root.join("conformance/log/tessera");
        let status = Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(sources).status();
        ensure!(status.context("starting go, 1.24 or later")?.success(), "Tessera could not be built");
        Ok(program)
    }

    /// The load of ours, on the other log.
    fn theirs(&self, program: &Path, leaves: u64, bytes: f64) -> Result<Found> {
        let load = self.ours(&["load"])?;
        let folder = tempfile::tempdir_in(&self.folder)?;
        let mut command = Command::new(program);
        command.arg("rate").arg(folder.path());
        command.args([
            leaves.to_string(),
            format!("{bytes:.0}"),
            load.number("callers")?.to_string(),
            load.number("together")?.to_string(),
        ]);
        command.arg(TESSERA_BATCH.to_string());
        self.json(&mut command)
    }
}

/// The median of a figure over the rounds.
fn median(rounds: &[Found], name: &str) -> Result<f64> {
    let values = rounds.iter().map(|round| round.number(name)).collect::<Result<Vec<_>>>()?;
    ensure!(!values.is_empty(), "nothing was measured");
    Ok(quantile(&values, 0.5))
}

/// Measures and prints.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let bench = Bench { root, folder: cache(root, None), database: args.database.as_deref() };
    std::fs::create_dir_all(&bench.folder)?;
    let other = if args.database.is_none() { Some(bench.tessera()?) } else { None };
    let rounds = if other.is_some() { args.rounds.max(1) } else { 1 };
    let (mut kept, mut alone, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        kept.push(bench.rate("kept", args.leaves)?);
        alone.push(bench.rate("alone", args.leaves)?);
        if let Some(program) = &other {
            theirs.push(bench.theirs(program, args.leaves, median(&alone, "entryBytes")?)?);
        }
    }
    let deal = bench.ours(&["deal"].into_iter().chain(bench.database).collect::<Vec<_>>())?;
    let proof = bench.ours(&["proof", &args.tree.to_string()])?;

    let (kept_rate, alone_rate) = (median(&kept, "leavesPerSecond")?, median(&alone, "leavesPerSecond")?);
    let entry = median(&kept, "entryBytes")?;
    let plain = |what, value, unit| Line { what, value, unit, below: None };
    let mut lines = vec![
        plain("leaves with their documents, in a signed tree", kept_rate, "/s"),
        // 20,000 a second.
        Line { what: "time of one of many such leaves", value: 1e6 / kept_rate, unit: "us", below: Some(50.0) },
        plain("leaves alone, in a signed tree", alone_rate, "/s"),
    ];
    if !theirs.is_empty() {
        let rate = median(&theirs, "leavesPerSecond")?;
        lines.push(plain("Tessera (POSIX): entries, in a signed tree", rate, "/s"));
        lines.push(Line { what: "time of a leaf alone, of Tessera's", value: 100.0 * rate / alone_rate, unit: "%", below: Some(100.0) });
        lines.push(plain("time of a leaf with documents, of Tessera's", 100.0 * rate / kept_rate, "%"));
    }
    let (bare, with, tree) = (deal.number("bareMicros")?, deal.number("withLeavesMicros")?, deal.number("treeMicros")?);
    lines.extend([
        plain("a deal's four transactions without leaves", bare, "us"),
        plain("with a leaf in each", with, "us"),
        plain("these leaves alone into a signed tree", tree, "us"),
        Line { what: "what a deal pays for its evidence", value: with - bare + tree, unit: "us", below: Some(2_000.0) },
        plain("bytes of an entry", entry, "bytes"),
        plain("bytes of tiles of a leaf", median(&kept, "tileBytes")?, "bytes"),
        plain("a proof from warm tiles, median", proof.number("medianMicros")?, "us"),
        Line { what: "99th of 100 proofs", value: proof.number("p99Micros")?, unit: "us", below: Some(1_000.0) },
    ]);
    if args.database.is_none() {
        let limit = 1.2 * (entry + 32.0);
        lines.push(Line {
            what: "what the database holds of a leaf",
            value: median(&kept, "storedBytes")?,
            unit: "bytes",
            below: Some(limit),
        });
        lines.push(plain("what Tessera's folder holds of an entry", median(&theirs, "storedBytes")?, "bytes"));
    }
    print(&lines, args.json);
    let missed: Vec<_> = lines.iter().filter(|l| args.check && !l.met()).map(|l| l.what).collect();
    ensure!(missed.is_empty(), "missed: {}", missed.join(", "));
    Ok(())
}
