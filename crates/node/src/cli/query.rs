//! `fondaco query`: an answer from the table of an agreement. It travels from the provider to this machine, not through
//! our own node.

use super::{
    answer::Answer,
    context::Context,
    failure::{Failure, Result},
    fetch,
    show::{Fields, Table, bytes, list, text},
};
use crate::{
    http::problem::Problem,
    net::{OutRequest, Outbound},
};
use fondaco_core::{Code, Error};
use fondaco_tables::{delta_sharing::client::Profile, sql::Format};
use http::{HeaderValue, header};
use serde_json::{Value, json};
use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// Longest answer: the provider's own limit is 256 MB of Arrow, of which JSON makes a few times as much.
const ANSWER_MAX_BYTES: u64 = 1024 * 1024 * 1024;
/// How long the answer may take: the provider gives a statement 30 s, and the rows have to come here.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);
/// The end of a share's address, and what stands in its place where statements are answered.
const SHARE: &str = "/share";
const QUERY: &str = "/sql/query";

/// Ask the table of an agreement with SQL
///
/// The provider answers with what the agreement's terms show: their columns, their rows, or only aggregates. The table has
/// the name of the product; names with other characters than small letters, digits and _ stand between double quotes.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  fondaco --dir mynode query agr_0190f6c2 'SELECT origin, count(*) FROM flights GROUP BY origin'
  fondaco --dir mynode query agr_0190f6c2 'SELECT * FROM flights LIMIT 100' --out flights.csv")]
pub(super) struct Args {
    /// The agreement's id
    agreement: String,
    /// The statement
    sql: String,
    /// Write the answer to this file: .arrow for a stream of Arrow, .csv, or .json
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// In which form an answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Arrow,
    Csv,
    Json,
}

impl Kept {
    fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("arrow") => Ok(Self::Arrow),
            Some("csv") => Ok(Self::Csv),
            Some("json") => Ok(Self::Json),
            _ => Err(Failure::usage("--out names a file that ends in .arrow, .csv or .json.")),
        }
    }
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    let kept = args.out.as_deref().map(Kept::of).transpose()?;
    let profile = fetch::profile_of(context, &args.agreement).await?;
    let http = fetch::outbound(context)?;
    let format = if kept == Some(Kept::Arrow) { Format::Arrow } else { Format::Json };
    let body = ask(&http, &profile, &args.sql, format).await?;
    let (Some(out), Some(kept)) = (&args.out, kept) else {
        let answer: Value = serde_json::from_slice(&body).map_err(|e| unreadable().with_internal(e))?;
        let shown = table(&answer);
        return Ok(Answer::new(answer, shown));
    };
    let kept = if kept == Kept::Csv { csv(&body)? } else { body.to_vec() };
    replace(out, &kept).map_err(|e| Failure::file("Cannot write", out, &e))?;
    let path = std::path::absolute(out).unwrap_or_else(|_| out.clone());
    let answer = json!({"agreementId": args.agreement, "out": path.to_string_lossy(), "bytes": kept.len()});
    let mut fields = Fields::default();
    fields.add("File", text(&answer, "out")).add("Size", bytes(Some(kept.len() as u64)));
    let shown = fields.render();
    Ok(Answer::new(answer, shown))
}

fn unreadable() -> Error {
    Error::new(Code::PeerAnsweredBadly, "The provider's answer cannot be read.")
}

/// Where statements are answered, of a share of this program's.
fn address(profile: &Profile) -> Result<Url> {
    let endpoint = profile.endpoint.trim_end_matches('/');
    let base = endpoint.strip_suffix(SHARE).ok_or_else(|| {
        Failure::new(Code::Invalid, "The provider's connector is another one and answers no statements; fetch the table's files instead.")
    })?;
    Url::parse(&format!("{base}{QUERY}")).map_err(|e| unreadable().with_internal(e).into())
}

async fn ask(http: &Outbound, profile: &Profile, sql: &str, format: Format) -> Result<bytes::Bytes> {
    let request = OutRequest::post_json(address(profile)?, json!({"sql": sql}).to_string())
        .with_header(header::ACCEPT, HeaderValue::from_static(format.media_type()))
        .with_authorization(&format!("Bearer {}", profile.bearer_token))?
        .with_limit(ANSWER_MAX_BYTES)
        .with_timeout(ANSWER_TIMEOUT);
    let answer = http.send(request).await?;
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    match serde_json::from_slice::<Problem>(&answer.body) {
        Ok(problem) => Err(Failure::answered(problem)),
        Err(_) => Err(Failure::new(Code::PeerRefused, format!("The provider answered {}.", answer.status.as_u16()))),
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Names of the columns, and which of them are numbers.
fn columns(answer: &Value) -> Vec<(String, bool)> {
    let is_number = |t: &str| ["Int", "UInt", "Float", "Decimal"].iter().any(|n| t.starts_with(n));
    list(answer, "columns").iter().map(|c| (text(c, "name").to_owned(), is_number(text(c, "type")))).collect()
}

/// The answer for a person.
fn table(answer: &Value) -> String {
    let columns = columns(answer);
    let mut table = Table::of(columns.iter().cloned());
    for row in list(answer, "rows") {
        table.row(columns.iter().map(|(name, _)| cell(&row[name.as_str()])));
    }
    table.render("No rows.")
}

fn csv(body: &[u8]) -> Result<Vec<u8>> {
    let answer: Value = serde_json::from_slice(body).map_err(|e| unreadable().with_internal(e))?;
    let columns = columns(&answer);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns.iter().map(|(name, _)| name)).map_err(Error::internal_failure)?;
    for row in list(&answer, "rows") {
        writer.write_record(columns.iter().map(|(name, _)| cell(&row[name.as_str()]))).map_err(Error::internal_failure)?;
    }
    writer.into_inner().map_err(|e| Error::internal_failure(e).into())
}

/// Puts a file in its place whole, or not at all.
fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.persist(path).map(drop).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Value {
        json!({"columns": [{"name": "site", "type": "Utf8"}, {"name": "n", "type": "Int64"}],
               "rows": [{"site": "Suzhou, \"old\"", "n": 12}, {"site": null, "n": 3}]})
    }

    #[test]
    fn an_answer_is_a_table_or_a_file() {
        assert_eq!(table(&answer()), "site            n\nSuzhou, \"old\"  12\n                3\n");
        assert_eq!(table(&json!({"columns": [], "rows": []})), "No rows.\n");
        let written = csv(answer().to_string().as_bytes()).expect("written");
        assert_eq!(String::from_utf8(written).expect("text"), "site,n\n\"Suzhou, \"\"old\"\"\",12\n,3\n");
        assert!(csv(b"x").is_err());
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("a.csv");
        for text in ["one", "two"] {
            replace(&path, text.as_bytes()).expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("read"), text);
        }
    }

    #[test]
    fn the_ending_says_the_form_and_the_share_says_the_address() {
        assert_eq!(Kept::of(Path::new("a/b.ARROW")).expect("arrow"), Kept::Arrow);
        assert!(Kept::of(Path::new("a.parquet")).is_err());
        let at = |endpoint: &str| address(&Profile::new(endpoint, "t", None)).map(String::from);
        assert_eq!(at("https://h/p/acme/share/").expect("address"), "https://h/p/acme/sql/query");
        assert!(at("https://h/delta-sharing").is_err());
    }
}
