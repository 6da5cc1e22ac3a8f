//! `cargo xtask bench WHAT`: measurements against real processes, with the targets they are held to.

mod deal;
mod dsp;
mod fetch;
mod log;
mod nginx;
mod pair;
mod publish;
mod rooms;
mod tables;
mod zone;

use anyhow::{Context, Result, ensure};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Start-up, memory, negotiation latency and rate, and serving a large table
    Deal(deal::Args),
    /// Negotiations of two nodes beside those of two Eclipse EDC control planes
    Dsp(dsp::Args),
    /// Fetching a large file, beside curl and nginx
    Fetch(fetch::Args),
    /// The transparency log: leaves a second, bytes of a leaf, proofs
    Log(log::Args),
    /// Publishing a Delta table of many files, and listing it
    Publish(publish::Args),
    /// Server time of every page of the console with 10,000 products
    Rooms(rooms::Args),
    /// Governed tables, beside nginx, DuckDB and plain DataFusion
    Tables(tables::Args),
    /// The node of a zone: 17,000 participants, 106,552 agreements, 100,000 products
    Zone(zone::Args),
}

/// Runs the measurement, with an optimised build of this program: it shares the machine with what it measures.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    if cfg!(debug_assertions) {
        let program = release(root, "xtask", "xtask")?;
        let status = Command::new(&program).args(std::env::args_os().skip(1)).current_dir(root).status();
        let status = status.with_context(|| program.display().to_string())?;
        ensure!(status.success(), "the measurement failed");
        return Ok(());
    }
    match &args.what {
        What::Deal(args) => deal::run(root, args),
        What::Dsp(args) => dsp::run(root, args),
        What::Fetch(args) => fetch::run(root, args),
        What::Log(args) => log::run(root, args),
        What::Publish(args) => publish::run(root, args),
        What::Rooms(args) => rooms::run(root, args),
        What::Tables(args) => tables::run(root, args),
        What::Zone(args) => zone::run(root, args),
    }
}

/// What most measurements are told.
#[derive(clap::Args)]
struct Common {
    /// The fondaco program (default: built in release)
    #[arg(long, env = "FONDACO")]
    binary: Option<PathBuf>,
    /// One JSON document instead of a table
    #[arg(long)]
    json: bool,
    /// Fail if a target is missed
    #[arg(long)]
    check: bool,
}

impl Common {
    /// The program to measure: the one given, or a fresh release build.
    fn binary(&self, root: &Path) -> Result<PathBuf> {
        match &self.binary {
            Some(path) => path.canonicalize().with_context(|| path.display().to_string()),
            None => release(root, "fondaco-node", "fondaco"),
        }
    }

    /// Measures and prints.
    fn run(&self, root: &Path, measure: impl AsyncFnOnce(&Path) -> Result<Vec<Line>>) -> Result<()> {
        let binary = self.binary(root)?;
        let lines = tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(&binary))?;
        print(&lines, self.json);
        self.check(lines.iter().filter(|l| !l.met()).map(|l| l.what))
    }

    /// Fails if anything was missed and that was asked.
    fn check(&self, missed: impl Iterator<Item = &'static str>) -> Result<()> {
        let missed: Vec<_> = missed.filter(|_| self.check).collect();
        ensure!(missed.is_empty(), "missed: {}", missed.join(", "));
        Ok(())
    }
}

/// Where large files are kept between runs: on the disk of the build, not in a temporary file system in memory.
fn cache(root: &Path, given: Option<&Path>) -> PathBuf {
    let target = || std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    given.map_or_else(|| target().join("bench"), Path::to_path_buf)
}

/// A fresh release build of one of our programs.
fn release(root: &Path, package: &str, program: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--package", package, "--bin", program])
        .current_dir(root)
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "the release build failed");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release").join(program))
}

/// A measured value beside its target.
struct Line {
    what: &'static str,
    value: f64,
    unit: &'static str,
    /// The value must stay below this.
    below: Option<f64>,
}

impl Line {
    fn met(&self) -> bool {
        self.below.is_none_or(|limit| self.value < limit)
    }
}

/// The `q`-quantile (0 to 1) by nearest rank; the values need not be sorted.
fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rank within the list")]
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// Prints the lines as a table, or as one JSON document.
fn print(lines: &[Line], json: bool) {
    if json {
        let rows: Vec<_> = lines
            .iter()
            .map(|l| serde_json::json!({"what": l.what, "value": l.value, "unit": l.unit, "below": l.below, "met": l.met()}))
            .collect();
        println!("{}", serde_json::json!({"measurements": rows}));
        return;
    }
    println!("{:<44} {:>12}  {:<8} {:>10}", "", "measured", "", "below");
    for line in lines {
        let target = line.below.map_or_else(String::new, |b| format!("{b}"));
        let verdict = if line.met() { "" } else { "  MISSED" };
        println!("{:<44} {:>12.1}  {:<8} {target:>10}{verdict}", line.what, line.value, line.unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert!((quantile(&values, 0.5) - 100.0).abs() < 1e-9);
        assert!((quantile(&values, 0.99) - 198.0).abs() < 1e-9);
        assert!((quantile(&[7.0], 0.99) - 7.0).abs() < 1e-9);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn a_target_is_missed_at_its_own_value() {
        let line = |value, below| Line { what: "x", value, unit: "ms", below };
        assert!(line(29.9, Some(30.0)).met());
        assert!(!line(30.0, Some(30.0)).met());
        assert!(line(1e9, None).met());
    }
}
