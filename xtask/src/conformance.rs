//! `cargo xtask conformance`: runs what `conformance/` holds, one suite after the other, against this build.

use anyhow::{Context, Result, ensure};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The suites, in the order they run: each is a folder of `conformance/` with a program `run`.
const SUITES: [&str; 10] = ["tables", "delta-sharing", "governed", "sources", "log", "lineage", "console", "operators", "dsp-tck", "edc"];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The suites to run (default: all)
    #[arg(value_parser = SUITES)]
    suites: Vec<String>,
    /// The fondaco program (default: built in release)
    #[arg(long, env = "FONDACO")]
    binary: Option<PathBuf>,
}

/// Runs the suites; fails after the first that fails.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    for suite in SUITES.iter().filter(|s| args.suites.is_empty() || args.suites.iter().any(|a| a == *s)) {
        let program = root.join("conformance").join(suite).join("run");
        let mut command = Command::new("bash");
        command.arg(&program).current_dir(root);
        if let Some(binary) = &args.binary {
            command.env("FONDACO", binary);
        }
        let status = command.status().with_context(|| format!("starting {}", program.display()))?;
        ensure!(status.success(), "the suite \"{suite}\" failed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_folder_is_run() {
        let folder = crate::root().join("conformance");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .expect("folder")
            .filter_map(Result::ok)
            .filter(|e| e.path().join("run").is_file())
            .filter_map(|e| e.file_name().into_string().ok())
            .collect();
        found.sort();
        let mut listed = SUITES.map(String::from);
        listed.sort();
        assert_eq!(found, listed);
    }
}
