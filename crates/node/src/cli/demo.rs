//! `fondaco demo`: several nodes on this machine, with data, deals made and one waiting for the visitor.

use super::{answer::Answer, context::Context, failure::Result};
use crate::demo::{DemoOptions, demo};

/// Fewest nodes: a deal needs two.
const NODES_MIN: i64 = 2;
/// Most nodes: one for each of the zones there is sample data of.
const NODES_MAX: i64 = 11;

/// Start several nodes on this machine and watch them trade
///
/// Each node is a science park with a database, tables and terms of its own; deals are made, and one waits for you.
/// Prints where each console is and how to sign in. Ctrl-C stops them all.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  fondaco demo
  fondaco demo --nodes 11
  fondaco demo --dir demo          keep what happens, and go on from there next time")]
pub(super) struct Args {
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(NODES_MIN..=NODES_MAX))]
    nodes: u8,
    /// Make the deals, verify them, stop
    #[arg(long)]
    exit_when_done: bool,
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    demo(DemoOptions {
        dir: context.dir.clone(),
        nodes: usize::from(args.nodes),
        exit_when_done: args.exit_when_done,
        json: context.json,
        quiet: context.quiet,
    })
    .await?;
    Ok(Answer::printed())
}
