//! `fondaco completions`: a completion script for a shell.

use super::{answer::Answer, failure::Result};
use fondaco_core::Error;
use std::io::Write;

/// Print a completion script for your shell
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example (bash):
  fondaco completions bash > ~/.local/share/bash-completion/completions/fondaco")]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<Answer> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "fondaco", &mut script);
    std::io::stdout().write_all(&script).map_err(Error::internal_failure)?;
    Ok(Answer::printed())
}
