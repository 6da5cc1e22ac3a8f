//! `fondaco report`: what was logged in a period.

use super::{
    answer::Answer,
    context::Context,
    failure::{Failure, Result},
};
use crate::disk;
use serde_json::json;
use std::path::PathBuf;

/// Write a report about a period: agreements, transfers, usage, refusals, publication and administration, and the log
///
/// The node writes them by itself when `[reports] every` in its configuration says "day", "week" or "month".
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  fondaco --dir mynode report --from 2026-10-01 --to 2026-11-01 --out october.html
  fondaco --dir mynode report --from 2026-10-01 --to 2026-11-01 --format csv --out october.csv")]
pub(super) struct Args {
    /// The period's beginning: a day (UTC) or an instant; unless said, 30 days before its end
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Its end, which is not in it any more; unless said, now
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The form of the file
    #[arg(long, value_name = "FORMAT", default_value = "html", value_parser = ["html", "csv", "json"])]
    format: String,
    /// The file to write; it must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    let us = context.participant().await?;
    let period = [("from", args.from.as_deref()), ("to", args.to.as_deref())];
    let mut asked: Vec<(&str, &str)> = period.into_iter().filter_map(|(name, at)| Some((name, at?))).collect();
    asked.push(("format", args.format.as_str()));
    let text = us.read(&["report"], &asked).await?;
    disk::write_new(&args.out, &text).map_err(|e| Failure::new_file(&args.out, &e))?;
    let path = args.out.to_string_lossy().into_owned();
    let json = json!({"from": args.from, "to": args.to, "format": args.format, "file": path});
    Ok(Answer::new(json, format!("Wrote {path}.\n")))
}
