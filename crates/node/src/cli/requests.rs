//! `fondaco requests`: the request log of a node, running or not.

use super::{
    answer::Answer,
    context::Context,
    failure::{Failure, Result},
    show::{Table, bytes, number, text, when},
};
use crate::{
    config::Config,
    http::request_log::{day_of, days},
};
use fondaco_core::time::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    fs::File,
    io::{BufRead, BufReader, ErrorKind},
    path::Path,
};

/// Most lines shown: more are better read from the files.
const LAST_MAX: usize = 10_000;

/// Show the requests that the node was asked, newest last
///
/// The lines are read from DIR/requests. They hold personal data: who called, and from where.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  fondaco --dir mynode requests
  fondaco --dir mynode requests --since 2026-11-22T08:00:00Z --status 5xx
  fondaco --dir mynode requests --id 0190f6c2d1b07a6e8a51c2a4b9d7e310")]
pub(super) struct Args {
    /// Only from this day (UTC) or instant on, such as 2026-11-22 or 2026-11-22T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
    /// Only with this status, such as 404 or 5xx
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Option<Status>,
    /// Only the request of this id
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// At most so many of the last
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = last)]
    last: usize,
}

/// A status, or all of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Exactly(u64),
    Hundreds(u64),
}

fn since(text: &str) -> std::result::Result<Timestamp, String> {
    Timestamp::parse_day_or_instant(text).ok_or_else(|| "a day or an instant: 2026-11-22 or 2026-11-22T08:00:00Z".into())
}

fn status(text: &str) -> std::result::Result<Status, String> {
    let wrong = || "a status such as 404, or a kind such as 5xx".to_owned();
    match text.strip_suffix("xx") {
        Some(kind) => kind.parse().ok().filter(|kind| (1..=5).contains(kind)).map(Status::Hundreds).ok_or_else(wrong),
        None => text.parse().ok().filter(|status| (100..=599).contains(status)).map(Status::Exactly).ok_or_else(wrong),
    }
}

fn last(text: &str) -> std::result::Result<usize, String> {
    text.parse().ok().filter(|n| (1..=LAST_MAX).contains(n)).ok_or_else(|| format!("a number from 1 to {LAST_MAX}"))
}

/// Runs the command.
pub(super) fn run(context: &Context, args: &Args) -> Result<Answer> {
    let config = Config::load(context.dir()?)?;
    let found = args.lines(&config.requests_dir())?;
    let mut table =
        Table::new(&["AT", "LISTENER", "METHOD", "ROUTE", "STATUS", "MS", "BYTES", "WHO", "REQUEST"], &["STATUS", "MS", "BYTES"]);
    for line in &found {
        let status = number(line, "status").map(|n| n.to_string()).unwrap_or_default();
        let ms = line.get("ms").and_then(Value::as_f64).map(|ms| format!("{ms:.1}")).unwrap_or_default();
        let at = when(text(line, "time"));
        let (listener, method, route) = (text(line, "listener"), text(line, "method"), text(line, "route"));
        let lost = number(line, "lost").map(|n| format!("{n} lines are missing")).unwrap_or_default();
        let route = if lost.is_empty() { route } else { &lost };
        table.row([&at, listener, method, route, &status, &ms, &bytes(number(line, "bytes")), who(line), text(line, "id")]);
    }
    let kept = config.log.requests_days > 0;
    let shown = table.render(if kept { "No requests." } else { "The node keeps no request log: [log] requests_days is 0." });
    Ok(Answer::new(json!({"requests": found}), shown))
}

fn who(line: &Value) -> &str {
    let person = line.get("person").unwrap_or(&Value::Null);
    ["peer", "account", "token", "address"].into_iter().map(|name| text(person, name)).find(|name| !name.is_empty()).unwrap_or_default()
}

impl Args {
    /// The last lines that are wanted, the oldest first. Files are read from the newest, and no more of them than it takes.
    fn lines(&self, dir: &Path) -> Result<VecDeque<Value>> {
        let first_day = self.since.map(day_of);
        let mut found = VecDeque::new();
        for (day, path) in days(dir).map_err(|e| Failure::file("Cannot read", dir, &e))?.into_iter().rev() {
            if found.len() == self.last || first_day.as_ref().is_some_and(|first| day < *first) {
                break;
            }
            let file = match File::open(&path) {
                // Removed meanwhile, because it is old.
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                file => file.map_err(|e| Failure::file("Cannot read", &path, &e))?,
            };
            let room = self.last - found.len();
            let mut of_day = VecDeque::new();
            for line in BufReader::new(file).lines() {
                let line = line.map_err(|e| Failure::file("Cannot read", &path, &e))?;
                // A line that is being written just now is no JSON yet.
                let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
                if self.wants(&line) {
                    of_day.push_back(line);
                }
                if of_day.len() > room {
                    of_day.pop_front();
                }
            }
            of_day.append(&mut found);
            found = of_day;
        }
        Ok(found)
    }

    fn wants(&self, line: &Value) -> bool {
        let status = number(line, "status");
        let since = self.since.is_none_or(|since| Timestamp::parse(text(line, "time")).is_some_and(|at| at >= since));
        let of_status = match self.status {
            None => true,
            Some(Status::Exactly(wanted)) => status == Some(wanted),
            Some(Status::Hundreds(kind)) => status.is_some_and(|status| status / 100 == kind),
        };
        since && of_status && self.id.as_deref().is_none_or(|id| text(line, "id") == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_read_from_as_few_days_as_it_takes() {
        let dir = tempfile::tempdir().expect("dir");
        let day = |name: &str, text: &str| std::fs::write(dir.path().join(format!("2026-11-{name}.jsonl")), text).expect("a file");
        // No text: whoever reads it fails.
        std::fs::write(dir.path().join("2026-11-19.jsonl"), [0xff, 0xfe, b'\n']).expect("a file");
        day("20", "{\"id\":\"a\"}\n{\"id\":\"b\"}\n");
        day("21", "{\"id\":\"c\"}\n{\"id\"");
        day("22", "");
        let last = |last: usize| {
            let found = Args { since: None, status: None, id: None, last }.lines(dir.path()).map_err(|e| e.text());
            found.map(|lines| lines.iter().map(|line| text(line, "id").to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(last(1).expect("lines"), ["c"]);
        assert_eq!(last(2).expect("lines"), ["b", "c"]);
        assert_eq!(last(3).expect("lines"), ["a", "b", "c"]);
        assert!(last(4).expect_err("the oldest").starts_with("error: Cannot read "));
    }

    #[test]
    fn lines_are_found_by_time_status_and_id() {
        let line = json!({"time": "2026-11-22T08:00:00Z", "id": "r1", "status": 404});
        let args = |since: Option<&str>, of: Option<&str>, id: Option<&str>| Args {
            since: since.map(|text| super::since(text).expect("a time")),
            status: of.map(|text| status(text).expect("a status")),
            id: id.map(str::to_owned),
            last: 1,
        };
        for (since, status, id, wanted) in [
            (None, None, None, true),
            (Some("2026-11-22"), Some("404"), Some("r1"), true),
            (Some("2026-11-22T08:00:00Z"), Some("4xx"), None, true),
            (Some("2026-11-22T08:00:01Z"), None, None, false),
            (None, Some("5xx"), None, false),
            (None, Some("403"), None, false),
            (None, None, Some("r2"), false),
        ] {
            assert_eq!(args(since, status, id).wants(&line), wanted, "{since:?} {status:?} {id:?}");
        }
        for wrong in ["6xx", "xx", "99", "600", "4x", ""] {
            assert!(status(wrong).is_err(), "{wrong}");
        }
    }
}
