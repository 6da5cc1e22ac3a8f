//! `cargo xtask simulate`: the simulation of two parties (`fondaco_testkit::simulation`) with many seeds, in a release build.

use anyhow::{Context, Result, ensure};
use std::{path::Path, process::Command};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many seeds
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// This one seed only
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Cases at once; as many as there are processors when left out
    #[arg(long)]
    threads: Option<usize>,
}

/// Builds and runs it.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let (from, seeds) = args.seed.map_or((args.from, args.seeds), |seed| (seed, 1));
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--quiet", "--release", "--package", "fondaco-testkit", "--bin", "simulate", "--"])
        .args([from.to_string(), seeds.to_string(), threads.to_string()])
        .current_dir(root)
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "a rule was broken");
    Ok(())
}
