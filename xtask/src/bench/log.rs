//! `cargo xtask bench log`: leaves of the transparency log that are durable, in the tree and signed, what a transaction pays
//! for its leaf, what a leaf takes, and how long a proof takes.
//!
//! The store alone is measured, with its database on the disk of the build: what a node adds is the same for every use case.

use super::{Line, cache, print};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{path::Path, process::Command};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leaves
    #[arg(long, default_value_t = 200_000)]
    leaves: u64,
    /// A Postgres database to measure instead of SQLite; it must be empty
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// One JSON document instead of a table
    #[arg(long)]
    json: bool,
    /// Fail if a target is missed
    #[arg(long)]
    check: bool,
}

/// Measures and prints.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let folder = cache(root, None);
    std::fs::create_dir_all(&folder)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--release", "--quiet", "--manifest-path"]).arg(root.join("Cargo.toml"));
    command.args(["--package", "fondaco-store", "--example", "log_rate", "--", &args.leaves.to_string()]);
    command.args(&args.database).current_dir(folder);
    let output = command.stderr(std::process::Stdio::inherit()).output().context("starting cargo")?;
    ensure!(output.status.success(), "the measurement failed");
    let found: Value = serde_json::from_slice(&output.stdout).context("what was measured")?;
    let number = |name: &str| found[name].as_f64().with_context(|| format!("{name} was not measured"));
    let (rate, entry, tile) = (number("leavesPerSecond")?, number("entryBytes")?, number("tileBytes")?);
    let mut lines = vec![
        Line { what: "leaves written, in the tree and signed", value: rate, unit: "/s", below: None },
        // 20,000 a second.
        Line { what: "time of one of many leaves", value: 1e6 / rate, unit: "us", below: Some(50.0) },
        Line { what: "a transaction without a leaf", value: number("bareMicros")?, unit: "us", below: None },
        Line { what: "a transaction with a leaf", value: number("withLeafMicros")?, unit: "us", below: None },
        Line {
            what: "what a transaction pays for its leaf",
            value: number("withLeafMicros")? - number("bareMicros")?,
            unit: "us",
            below: Some(2_000.0),
        },
        Line { what: "bytes of an entry, in its bundle", value: entry, unit: "bytes", below: None },
        Line { what: "bytes of tiles of a leaf", value: tile, unit: "bytes", below: None },
        Line { what: "a proof, from warm tiles", value: number("proofMicros")?, unit: "us", below: Some(1_000.0) },
    ];
    if let Some(stored) = found["storedBytes"].as_f64() {
        // An entry without the two bytes of its length.
        let limit = 1.2 * (entry - 2.0) + 32.0;
        lines.push(Line { what: "what the database holds of a leaf", value: stored, unit: "bytes", below: Some(limit) });
    }
    print(&lines, args.json);
    let missed: Vec<_> = lines.iter().filter(|l| args.check && !l.met()).map(|l| l.what).collect();
    ensure!(missed.is_empty(), "missed: {}", missed.join(", "));
    Ok(())
}
