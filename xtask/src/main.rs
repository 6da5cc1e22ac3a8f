//! The project's own tools: `cargo xtask COMMAND`. One file per command.

mod bench;
mod conformance;
mod generate;
mod simulate;
mod tidy;

use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Fondaco's own tools")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the documents that are made from code
    Gen {
        /// Write nothing; fail if a document is out of date
        #[arg(long)]
        check: bool,
    },
    /// Check the house rules that no compiler knows
    Tidy,
    /// Run stock clients against two running nodes
    Conformance(conformance::Args),
    /// Measure
    Bench(bench::Args),
    /// Let two simulated parties trade over a network that fails in every way, from many seeds
    Simulate(simulate::Args),
}

/// The repository's root.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository").to_owned()
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Gen { check } => generate::run(&root(), check),
        Command::Tidy => tidy::run(&root()),
        Command::Conformance(args) => conformance::run(&root(), &args),
        Command::Bench(args) => bench::run(&root(), &args),
        Command::Simulate(args) => simulate::run(&root(), &args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}
