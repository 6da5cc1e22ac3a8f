//! `fondaco doctor`: finds the usual mistakes in and around a node's folder and says how to mend each. It changes
//! nothing but what starting the node would change.

mod address;
mod connections;
mod database;
mod folder;
mod listeners;
mod storage;

use super::{
    answer::Answer,
    client::AdminClient,
    context::Context,
    failure::Result,
    show::{clean, count, when},
};
use crate::config::Config;
use fondaco_core::time::{Clock, SystemClock, Timestamp};
use serde::Serialize;
use serde_json::json;
use std::path::Path;

/// Check a node: folder, keys, database, data files, backup, jobs, disk, clock, public address
///
/// Works whether the node is running or not; when it runs, more is checked. The status is 1 when something is broken.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:
  fondaco doctor --dir mynode
  fondaco doctor --dir mynode --deep      compares every data file with what was published
  fondaco doctor --dir mynode --ready     for a health check: status 0 or 1")]
pub(super) struct Args {
    /// Read every data file and compare it with what was published; takes as long as reading them all
    #[arg(long)]
    deep: bool,
    /// Only ask the running node whether it is ready: for health checks of containers and balancers
    #[arg(long, conflicts_with = "deep")]
    ready: bool,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// As it should be.
    Ok,
    /// Works, but somebody should look at it.
    Warn,
    /// Broken.
    Fail,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    /// What was checked.
    check: &'static str,
    /// How it came out.
    status: Status,
    /// What was found, and what it means.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, found: found.into(), mend: None }
    }
    fn warn(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, status: Status::Warn, found: found.into(), mend: Some(mend.into()) }
    }
    fn fail(check: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, status: Status::Fail, found: found.into(), mend: Some(mend.into()) }
    }
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    if args.ready {
        AdminClient::ready(context.dir()?).await?;
        return Ok(Answer::new(json!({"ready": true}), "ready\n"));
    }
    Ok(answer(&examine(context.dir()?, args.deep).await))
}

async fn examine(dir: &Path, deep: bool) -> Vec<Finding> {
    let mut findings = vec![folder::there(dir)];
    if findings[0].status == Status::Fail {
        return findings;
    }
    findings.extend(folder::secrets(dir));
    findings.push(folder::space(dir));
    findings.push(clock(SystemClock.now()));
    match Config::load(dir) {
        Err(e) => findings.push(Finding::fail(
            "configuration",
            e.message(),
            format!("Correct {}, or the FONDACO_…__… variable named.", dir.join(crate::config::FILE_NAME).display()),
        )),
        Ok(config) => {
            findings.push(Finding::ok("configuration", format!("{} is valid.", crate::config::FILE_NAME)));
            findings.extend(folder::configured_secrets(dir, &config));
            let (running, found) = listeners::check(dir, &config).await;
            findings.extend(found);
            // Where no node runs, the check of the database says what keeps it from being opened.
            let mut told = false;
            match &running {
                Some(node) => {
                    findings.extend(address::check(&config, node).await);
                    findings.extend(connections::check(dir, node).await);
                }
                None => {
                    let found = database::check(dir, &config).await;
                    told = !deep && found.iter().any(|f| f.status == Status::Fail);
                    findings.extend(found);
                }
            }
            findings.extend(storage::check(&config, deep, told, SystemClock.now()).await);
        }
    }
    findings
}

/// A clock that is far off breaks every token and every date in an agreement.
fn clock(now: Timestamp) -> Finding {
    const MEND: &str = "Set the clock, best by NTP (timedatectl set-ntp true).";
    // Years in which this program can plausibly run; a machine without a battery wakes up in 1970.
    let plausible = Timestamp::parse("2025-01-01T00:00:00Z").zip(Timestamp::parse("2100-01-01T00:00:00Z"));
    match plausible {
        Some((first, last)) if first <= now && now < last => Finding::ok("clock", format!("It is {}.", when(&now.to_rfc3339()))),
        _ => {
            Finding::fail("clock", format!("The machine's clock says {now}: tokens would be refused and dates in agreements wrong."), MEND)
        }
    }
}

fn answer(findings: &[Finding]) -> Answer {
    let width = findings.iter().map(|f| f.check.len()).max().unwrap_or(0);
    let lines = |f: &Finding| {
        let mark = match f.status {
            Status::Ok => "ok  ",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        };
        let found = format!("{mark}  {:width$}  {}\n", f.check, clean(&f.found));
        match &f.mend {
            Some(mend) => format!("{found}{:1$}-> {2}\n", "", 8 + width, clean(mend)),
            None => found,
        }
    };
    let text: String = findings.iter().map(lines).collect();
    let number = |status: Status| findings.iter().filter(|f| f.status == status).count();
    let failed = number(Status::Fail);
    let summary = format!("\n{} ok, {} to look at, {failed} broken\n", number(Status::Ok), number(Status::Warn));
    let mut answer = Answer::new(json!({ "findings": findings }), text + &summary);
    if failed > 0 {
        let things = if failed == 1 { "1 thing is".to_owned() } else { format!("{} things are", count(Some(failed as u64))) };
        answer.unmet = Some(format!("{things} broken; see the lines marked FAIL."));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_out_of_its_century_is_broken() {
        let at = |text: &str| clock(Timestamp::parse(text).expect("time")).status;
        assert_eq!(at("1970-01-01T00:00:07Z"), Status::Fail);
        assert_eq!(at("2026-11-21T20:24:17Z"), Status::Ok);
        assert_eq!(at("2106-02-07T06:28:15Z"), Status::Fail);
    }

    #[test]
    fn only_what_is_broken_fails_the_command() {
        let fine = answer(&[Finding::ok("clock", "It is now."), Finding::warn("disk", "Little is free.", "Make room.")]);
        assert_eq!(fine.unmet, None);
        assert_eq!(
            fine.text,
            "ok    clock  It is now.\nwarn  disk   Little is free.\n             -> Make room.\n\n1 ok, 1 to look at, 0 broken\n"
        );
        let broken = answer(&[Finding::fail("folder", "It is gone.", "Make it.")]);
        assert!(broken.unmet.is_some());
        assert_eq!(
            broken.json,
            Some(json!({"findings": [{"check": "folder", "status": "fail", "found": "It is gone.", "mend": "Make it."}]}))
        );
    }

    #[tokio::test]
    async fn a_folder_that_is_no_node_is_said_to_be_none() {
        let dir = tempfile::tempdir().expect("dir");
        let findings = examine(dir.path(), false).await;
        let failed: Vec<&str> = findings.iter().filter(|f| f.status == Status::Fail).map(|f| f.check).collect();
        assert_eq!(failed, ["node.key", "configuration"]);
        assert!(findings.iter().all(|f| f.status == Status::Ok || f.mend.is_some()));
        let gone = examine(&dir.path().join("none"), false).await;
        assert_eq!((gone.len(), gone[0].status), (1, Status::Fail));
    }
}
