//! `cargo xtask bench rooms`: the pages of the console with 10,000 products.
//!
//! The measurement is a test of the node's, since only the node may fill its database; here it is built with
//! optimisation and run alone.

use anyhow::{Context, Result, ensure};
use std::{path::Path, process::Command};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Without optimisation: says where time goes, not how long it takes
    #[arg(long)]
    debug: bool,
}

/// Runs it.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.arg("test");
    if !args.debug {
        command.arg("--release");
    }
    let status = command
        .args(["--package", "fondaco-node", "--test", "rooms_speed", "--", "--ignored", "--nocapture"])
        .current_dir(root)
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "a page is too slow, or the measurement failed");
    Ok(())
}
