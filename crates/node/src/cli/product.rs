//! `fondaco product …`: publishing tables and files under terms.

use super::{
    answer::Answer,
    client::ParticipantClient,
    context::{Context, quoted},
    failure::{Failure, Result},
    list_answer,
    show::{Fields, TITLE_MAX_CHARS, Table, bytes, count, list, number, preview, short, text, texts, when},
};
use crate::http::problem::Problem;
use fondaco_core::Code;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// Longest offer file: policies of a few dozen rules are a few kilobytes; this leaves room for any that a person
/// could still review.
const OFFER_BYTES_MAX: u64 = 1024 * 1024;

/// Publish products, and see what is published
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Add(Box<AddArgs>),
    /// List our products
    #[command(after_long_help = "Example:
  fondaco --dir mynode product list")]
    List {
        /// Also earlier versions and withdrawn products
        #[arg(long)]
        all: bool,
    },
    /// Show a product: columns, size, offers with their terms
    #[command(after_long_help = "Example:
  fondaco --dir mynode product show flights")]
    Show {
        /// The product's id
        id: String,
        /// Which version [default: the latest]
        #[arg(long, value_name = "N")]
        version: Option<u32>,
    },
    /// Print a product's description in Croissant (JSON-LD), as loaders of machine learning read it
    #[command(after_long_help = "Example:
  fondaco --dir mynode product croissant flights > croissant.json")]
    Croissant {
        /// The product's id
        id: String,
        /// Which version [default: the latest]
        #[arg(long, value_name = "N")]
        version: Option<u32>,
    },
    /// Show the first rows of a table as buyers would see them, under each of its offers
    ///
    /// Hashes are examples: under an agreement they are others.
    #[command(after_long_help = "Example:
  fondaco --dir mynode product preview flights --rows 5")]
    Preview {
        /// The product's id
        id: String,
        /// Which version [default: the latest]
        #[arg(long, value_name = "N")]
        version: Option<u32>,
        /// Only under this offer
        #[arg(long, value_name = "OFFER")]
        offer: Option<String>,
        /// Most rows, 1 to 100
        #[arg(long, value_name = "N")]
        rows: Option<u32>,
    },
    /// Take a product out of the catalogue; agreements already made go on
    #[command(after_long_help = "Example:
  fondaco --dir mynode product withdraw flights")]
    Withdraw {
        /// The product's id
        id: String,
        /// Which version [default: the latest]
        #[arg(long, value_name = "N")]
        version: Option<u32>,
    },
    /// Stop all versions of a product for now, in an emergency: nothing is delivered, running transfers are suspended
    #[command(after_long_help = "Example:
  fondaco --dir mynode product stop flights --reason \"A column that must not be in it.\"")]
    Stop {
        /// The product's id
        id: String,
        /// Why; the consumers read it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Take the stop of a product back; the transfers that it suspended go on
    #[command(after_long_help = "Example:
  fondaco --dir mynode product resume flights")]
    Resume {
        /// The product's id
        id: String,
    },
}

/// Publish a product, or the next version of one
///
/// Parquet files are checked and copied. CSV, JSON Lines and Excel files are read whole, their column types inferred and shown, and
/// stored as Parquet. All files of one table have the same columns. With --kind files, files of any sort
/// are copied with their folders; links and names that mean something else on other machines are refused. A product
/// is never changed afterwards: adding the same id again makes its next version.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  fondaco --dir mynode product add flights.parquet --id flights --title \"Flights of 2013\"
  fondaco --dir mynode product add 2024/*.csv --id air --title \"Air quality\" --offer research.json
  fondaco --dir mynode product add photos/ --kind files --id photos --title \"Photos of the site\"
  fondaco --dir mynode product add lake/measurements --id measurements --title Measurements --renew-every PT10M
  fondaco --dir mynode product add --postgres plant --query 'SELECT * FROM shifts' --id shifts --title Shifts

An offer file is an ODRL offer without target, for example:
  {\"@type\": \"Offer\", \"permission\": [{\"action\": \"use\", \"constraint\": [
    {\"leftOperand\": \"dateTime\", \"operator\": \"lt\", \"rightOperand\": \"2027-01-01T00:00:00Z\"}]}]}
Without an offer file the product is open to every participant.")]
pub(super) struct AddArgs {
    /// Files or folders: for a table Parquet, CSV, JSON Lines or Excel files, or the folder of a Delta table. With --s3, keys
    /// or prefixes in the bucket
    #[arg(value_name = "PATH", required_unless_present = "postgres")]
    paths: Vec<PathBuf>,
    /// The kind of product
    #[arg(long, value_parser = ["table", "files"], default_value = "table")]
    kind: String,
    /// Publish from the object store of this connection
    #[arg(long, value_name = "CONNECTION", conflicts_with = "postgres")]
    s3: Option<String>,
    /// Publish the result of --query on the database of this connection
    #[arg(long, value_name = "CONNECTION", requires = "query", conflicts_with = "paths")]
    postgres: Option<String>,
    /// The query: one statement that returns rows
    #[arg(long, value_name = "SQL", requires = "postgres")]
    query: Option<String>,
    /// Leave the files where they are instead of copying them; they must not change afterwards
    #[arg(long, conflicts_with_all = ["s3", "postgres"])]
    in_place: bool,
    /// Delta tables: the version to publish [default: the newest]
    #[arg(long, value_name = "N")]
    delta_version: Option<u64>,
    /// Excel: the sheet [default: the first with cells]
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// Look at the source this often and publish what is new as the next version: PT10M, PT1H, P1D
    #[arg(long, value_name = "DURATION")]
    renew_every: Option<String>,
    /// It was made from what came under this agreement, or from this product of ours (repeatable); see `fondaco lineage`
    #[arg(long, value_name = "ID")]
    derived_from: Vec<String>,
    /// Publish although columns seem to hold personal data
    #[arg(long)]
    accept_personal_data: bool,
    /// The licence: an SPDX name such as CC-BY-4.0, or a web address
    #[arg(long, value_name = "LICENCE")]
    license: Option<String>,
    /// Whom to ask: a mail or web address
    #[arg(long, value_name = "ADDRESS")]
    contact: Option<String>,
    /// How often it is renewed
    #[arg(long, value_name = "RHYTHM", value_parser = ["continuous", "hourly", "daily", "weekly", "monthly", "quarterly", "annual", "irregular", "never"])]
    rhythm: Option<String>,
    /// A language of the content, as a tag such as zh or en; may be given several times
    #[arg(long = "language", value_name = "TAG")]
    languages: Vec<String>,
    /// Its id: letters, digits, hyphens, underscores
    #[arg(long)]
    id: String,
    /// Its title for people
    #[arg(long, value_name = "TEXT")]
    title: String,
    /// What it is, in a few sentences
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    /// A search word; may be given several times
    #[arg(long = "keyword", value_name = "WORD")]
    keywords: Vec<String>,
    /// A file with an offer, or - for standard input; may be given several times
    #[arg(long = "offer", value_name = "FILE")]
    offers: Vec<PathBuf>,
    /// Let the catalogue show the profile: nulls, smallest, largest, number of distinct values of each column
    #[arg(long)]
    publish_profile: bool,
    /// CSV: a text that stands for a missing value, besides the empty one [default: NA]; may be given
    /// several times
    #[arg(long = "null", value_name = "TEXT")]
    nulls: Vec<String>,
}

/// Files shown of a product: a person looks at the first, a program asks for JSON.
const FILES_SHOWN: usize = 20;

/// Runs the command.
pub(super) async fn run(context: &Context, command: Command) -> Result<Answer> {
    match command {
        Command::Add(args) => {
            let body = add_body(&args, &mut std::io::stdin().lock())?;
            let us = context.participant().await?;
            let product = publish(context, &us, &body).await?;
            let text = added(&product);
            let hints = personal_data(&product);
            let remarks: Vec<String> =
                list(&product, "remarks").iter().map(|r| format!("note: {} {}", self::text(r, "what"), self::text(r, "why"))).collect();
            let mut answer = Answer::new(product, text).then(context.command(&format!("product show {}", quoted(&args.id))));
            for note in hints.into_iter().chain(remarks) {
                answer = answer.note(note);
            }
            Ok(answer)
        }
        Command::List { all } => {
            let us = context.participant().await?;
            let query: &[(&str, &str)] = if all { &[("all", "true")] } else { &[] };
            let found = us.list("products", query).await?;
            let mut table =
                Table::new(&["ID", "VERSION", "STATE", "TITLE", "ROWS", "SIZE", "OFFERS"], &["VERSION", "ROWS", "SIZE", "OFFERS"]);
            for p in &found.items {
                let table_facts = p.get("content").unwrap_or(&Value::Null);
                table.row([
                    text(p, "id"),
                    &count(number(p, "version")),
                    text(p, "state"),
                    &short(text(p, "title"), TITLE_MAX_CHARS),
                    &count(number(table_facts, "rows")),
                    &bytes(number(table_facts, "sizeBytes")),
                    &list(p, "offers").len().to_string(),
                ]);
            }
            let text = table.render("Nothing published yet. Publish with: fondaco product add FILE --id ID --title TEXT");
            Ok(list_answer("products", found, text))
        }
        Command::Show { id, version } => {
            let us = context.participant().await?;
            let version = version.map(|v| v.to_string());
            let query: Vec<(&str, &str)> = version.iter().map(|v| ("version", v.as_str())).collect();
            let product = us.get(&["products", &id], &query).await?;
            let text = one(&product);
            Ok(Answer::new(product, text))
        }
        Command::Croissant { id, version } => {
            let us = context.participant().await?;
            let version = version.map(|v| v.to_string());
            let query: Vec<(&str, &str)> = version.iter().map(|v| ("version", v.as_str())).collect();
            let document = us.get(&["products", &id, "croissant"], &query).await?;
            let text = format!("{document:#}\n");
            Ok(Answer::new(document, text))
        }
        Command::Preview { id, version, offer, rows } => {
            let us = context.participant().await?;
            let version = version.map(|v| v.to_string());
            let query: Vec<(&str, &str)> = version.iter().map(|v| ("version", v.as_str())).collect();
            let product = us.get(&["products", &id], &query).await?;
            let rows = rows.map(|n| n.to_string());
            let query: Vec<(&str, &str)> = rows.iter().map(|n| ("rows", n.as_str())).collect();
            let offers = list(&product, "offers").iter().map(|o| text(o, "id"));
            let mut seen = Vec::new();
            let mut shown = String::new();
            for offer in offers.filter(|o| offer.as_deref().is_none_or(|only| only == *o)) {
                let mut one = us.get(&["offers", offer, "preview"], &query).await?;
                one["offer"] = offer.into();
                for alternative in list(&one, "alternatives") {
                    shown.push_str(&format!("Offer {offer}\n{}\n", preview(alternative)));
                }
                seen.push(one);
            }
            if seen.is_empty() {
                return Err(Failure::new(Code::NotFound, format!("\"{id}\" has no such offer.")));
            }
            Ok(Answer::new(json!({"offers": seen}), shown))
        }
        Command::Withdraw { id, version } => {
            let us = context.participant().await?;
            let body = version.map_or_else(|| json!({}), |v| json!({"version": v}));
            let product = us.act(&["products", &id, "withdraw"], &body).await?;
            let text = format!("{} version {} is withdrawn. Agreements about it go on.\n", id, count(number(&product, "version")));
            Ok(Answer::new(product, text))
        }
        Command::Stop { id, reason } => {
            let us = context.participant().await?;
            let product = us.act(&["products", &id, "stop"], &json!({"reason": reason})).await?;
            let answer = Answer::new(product, format!("{id} is stopped: nothing of it is delivered until you resume it.\n"));
            Ok(answer.then(context.command(&format!("product resume {id}"))))
        }
        Command::Resume { id } => {
            let us = context.participant().await?;
            let product = us.act(&["products", &id, "resume"], &json!({})).await?;
            Ok(Answer::new(product, format!("{id} is resumed. The transfers that were suspended by the stop go on.\n")))
        }
    }
}

fn add_body(args: &AddArgs, stdin: &mut dyn Read) -> Result<Value> {
    let mut paths = Vec::new();
    for path in args.paths.iter().filter(|_| args.s3.is_none()) {
        let absolute = std::path::absolute(path).map_err(|e| Failure::file("Cannot use", path, &e))?;
        if let Err(e) = std::fs::metadata(&absolute) {
            return Err(Failure::new(Code::SourceUnreadable, format!("Cannot read {}: {e}.", path.display())));
        }
        let Some(text) = absolute.to_str() else {
            return Err(Failure::new(Code::SourceUnreadable, format!("The name of {} is not UTF-8; rename it.", path.display())));
        };
        paths.push(text.to_owned());
    }
    if args.offers.iter().filter(|p| p.as_os_str() == "-").count() > 1 {
        return Err(Failure::usage("Standard input holds one offer; give the others as files."));
    }
    let offers = args.offers.iter().map(|path| offer(path, stdin)).collect::<Result<Vec<Value>>>()?;
    let mut body = json!({"id": args.id, "title": args.title, "kind": args.kind, "publishProfile": args.publish_profile});
    body["source"] = match (&args.s3, &args.postgres) {
        (Some(connection), _) => {
            let keys: Vec<_> = args.paths.iter().map(|p| p.to_string_lossy()).collect();
            json!({"type": "s3", "connection": connection, "paths": keys})
        }
        (_, Some(connection)) => json!({"type": "postgres", "connection": connection, "query": args.query}),
        _ => json!({"type": "paths", "paths": paths, "inPlace": args.in_place}),
    };
    let listing =
        json!({"license": args.license, "contactPoint": args.contact, "accrualPeriodicity": args.rhythm, "language": args.languages});
    let read = json!({"deltaVersion": args.delta_version, "sheet": args.sheet});
    // Only what was said: the rest is the node's default.
    for (key, value) in [("listing", listing), ("read", read)] {
        let said: serde_json::Map<_, _> = value
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, v)| !v.is_null() && **v != json!([]))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        if !said.is_empty() {
            body[key] = said.into();
        }
    }
    if let Some(every) = &args.renew_every {
        body["renewEvery"] = every.as_str().into();
    }
    if !args.derived_from.is_empty() {
        body["derivedFrom"] = args.derived_from.clone().into();
    }
    if args.accept_personal_data {
        body["personalDataAccepted"] = true.into();
    }
    if !args.description.is_empty() {
        body["description"] = args.description.as_str().into();
    }
    if !args.keywords.is_empty() {
        body["keywords"] = args.keywords.clone().into();
    }
    if !offers.is_empty() {
        body["offers"] = offers.into();
    }
    if !args.nulls.is_empty() {
        body["csv"] = json!({"nullValues": args.nulls});
    }
    Ok(body)
}

/// What the node noticed about personal data, a line per column.
fn personal_data(product: &Value) -> Vec<String> {
    let hints = list(product.get("content").unwrap_or(&Value::Null), "personalData");
    hints
        .iter()
        .map(|h| {
            let sure = if text(h, "strength") == "found" { "holds" } else { "may hold" };
            format!("personal data: the column \"{}\" {sure} {}", text(h, "column"), text(h, "category"))
        })
        .collect()
}

/// Reads an offer file. What its policy may say is the node's to check.
pub(super) fn offer(path: &Path, stdin: &mut dyn Read) -> Result<Value> {
    let name = path.display();
    let mut text = Vec::new();
    let read = if path.as_os_str() == "-" {
        stdin.take(OFFER_BYTES_MAX + 1).read_to_end(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(OFFER_BYTES_MAX + 1).read_to_end(&mut text))
    };
    read.map_err(|e| Failure::file("Cannot read the offer file", path, &e))?;
    if text.len() as u64 > OFFER_BYTES_MAX {
        return Err(Failure::new(Code::TooLarge, format!("The offer file {name} is larger than 1 MiB.")));
    }
    let offer: Value =
        serde_json::from_slice(&text).map_err(|e| Failure::new(Code::Invalid, format!("The offer file {name} is not JSON: {e}.")))?;
    if !offer.is_object() {
        return Err(Failure::new(Code::Invalid, format!("The offer file {name} must hold one JSON object, an ODRL offer.")));
    }
    Ok(offer)
}

/// Publishes a product, showing how far it is.
pub(super) async fn publish(context: &Context, us: &ParticipantClient, body: &Value) -> Result<Value> {
    let bar = context.shows_progress().then(progress_bar);
    let mut outcome: Option<Result<Value>> = None;
    let sent = us
        .create_with_progress(&["products"], body, |mut line| {
            if let (Some(progress), Some(bar)) = (line.get("progress"), &bar) {
                advance(bar, progress);
            } else if let Some(product) = line.get_mut("product") {
                outcome = Some(Ok(product.take()));
            } else if let Some(error) = line.get_mut("error") {
                outcome = Some(Err(refusal(error.take())));
            }
        })
        .await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    sent?;
    outcome.unwrap_or_else(|| {
        Err(Failure::new(Code::Unavailable, "The node stopped before the product was published. Nothing was kept; try again."))
    })
}

fn refusal(error: Value) -> Failure {
    match serde_json::from_value::<Problem>(error) {
        Ok(problem) => Failure::answered(problem),
        Err(e) => Failure::new(Code::PeerAnsweredBadly, format!("The node refused without saying why ({e}).")),
    }
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg:32!} {bar:30} {percent:>3}% {eta}") {
        bar.set_style(style);
    }
    bar
}

fn advance(bar: &ProgressBar, progress: &Value) {
    let file = Path::new(text(progress, "file")).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    bar.set_length(number(progress, "totalBytes").unwrap_or(0));
    bar.set_position(number(progress, "doneBytes").unwrap_or(0));
    bar.set_message(super::show::clean(&format!("{} {file}", text(progress, "phase"))));
}

/// The columns of a schema, each as `name (type in words)`.
pub(super) fn columns(schema: &Value) -> Vec<String> {
    list(schema, "columns")
        .iter()
        .map(|c| match (text(c, "description"), text(c, "type")) {
            ("", "") => text(c, "name").to_owned(),
            ("", kind) | (kind, _) => format!("{} ({kind})", text(c, "name")),
        })
        .collect()
}

/// What the publisher should look at after publishing: the types, above all those that were inferred.
fn added(product: &Value) -> String {
    let content = product.get("content").unwrap_or(&Value::Null);
    let mut out = Fields::default()
        .add("Published", format!("{} version {}", text(product, "id"), count(number(product, "version"))))
        .add("Title", text(product, "title"))
        .add("Rows", count(number(content, "rows")))
        .add("Size", bytes(number(content, "sizeBytes")))
        .add("Files", count(number(content, "fileCount")))
        .render();
    out.push('\n');
    if let Some(inferred) = content.get("inferred").filter(|i| i.is_object()) {
        let delimiter = match text(inferred, "delimiter") {
            "\t" => "tabs".to_owned(),
            d => format!("\"{d}\""),
        };
        let nulls: Vec<String> = texts(inferred, "nullValues").iter().map(|n| format!("\"{n}\"")).collect();
        out.push_str(&super::show::clean(&format!(
            "Read as CSV separated by {delimiter}; missing values: empty{}{}. The types were inferred:",
            if nulls.is_empty() { "" } else { ", " },
            nulls.join(", ")
        )));
        out.push('\n');
    }
    out.push_str(&contents(product));
    out.push_str(&offers_text(product));
    out
}

/// The columns of a table, the first files of a product of files.
fn contents(product: &Value) -> String {
    let content = product.get("content").unwrap_or(&Value::Null);
    if text(product, "kind") != "files" {
        return column_table(content);
    }
    let mut table = Table::new(&["FILE", "SIZE", "SHA-256"], &["SIZE"]);
    let files = list(content, "files");
    for file in files.iter().take(FILES_SHOWN) {
        table.row([
            text(file, "name"),
            &bytes(number(file, "sizeBytes").or_else(|| number(file, "size"))),
            &short(text(file, "sha256"), 17),
        ]);
    }
    let mut out = table.render("No files are known.");
    let more = number(content, "fileCount").unwrap_or_default().saturating_sub(files.len().min(FILES_SHOWN) as u64);
    if more > 0 {
        out.push_str(&format!("and {} more\n", count(Some(more))));
    }
    out
}

fn one(product: &Value) -> String {
    let content = product.get("content").unwrap_or(&Value::Null);
    let mut out = Fields::default()
        .add("Product", text(product, "id"))
        .add("Version", count(number(product, "version")))
        .add("In catalogues", text(product, "datasetId"))
        .add("State", text(product, "state"))
        .add("Stopped", product.get("stop").map(|s| format!("{}: {}", when(text(s, "at")), text(s, "reason"))).unwrap_or_default())
        .add("Title", text(product, "title"))
        .add("About", text(product, "description"))
        .add("Keywords", texts(product, "keywords").join(", "))
        .add("Made from", texts(product, "derivedFrom").join(", "))
        .add("Rows", count(number(content, "rows")))
        .add("Size", bytes(number(content, "sizeBytes")))
        .add("Published", when(text(product, "createdAt")))
        .add_lines("Damaged", list(product, "damaged").iter().map(|d| format!("{}: {}", text(d, "file"), text(d, "why"))))
        .render();
    out.push('\n');
    out.push_str(&contents(product));
    out.push_str(&offers_text(product));
    out
}

fn column_table(content: &Value) -> String {
    let mut table = Table::new(&["COLUMN", "TYPE", "NULLS", "SMALLEST", "LARGEST", "DISTINCT"], &["NULLS", "DISTINCT"]);
    let profiles = list(content, "profile");
    for column in content.get("schema").map(|s| list(s, "columns")).unwrap_or_default() {
        let name = text(column, "name");
        let profile = profiles.iter().find(|p| text(p, "name") == name).unwrap_or(&Value::Null);
        let distinct = number(profile, "distinctEstimate").map(|n| format!("~{}", count(Some(n))));
        table.row([
            name,
            text(column, "description"),
            &count(number(profile, "nulls")),
            &short(&plain(profile.get("min")), 24),
            &short(&plain(profile.get("max")), 24),
            &distinct.unwrap_or_default(),
        ]);
    }
    table.render("No columns are known.")
}

fn offers_text(product: &Value) -> String {
    let mut out = String::new();
    for offer in list(product, "offers") {
        out.push('\n');
        out.push_str(&Fields::default().add("Offer", text(offer, "id")).add_lines("Terms", texts(offer, "terms")).render());
    }
    out
}

fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(s)) => s.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(dir: &Path) -> AddArgs {
        AddArgs {
            paths: vec![dir.join("a.csv")],
            kind: "table".into(),
            id: "air".into(),
            title: "Air".into(),
            description: String::new(),
            keywords: vec![],
            offers: vec![],
            publish_profile: false,
            nulls: vec![],
            s3: None,
            postgres: None,
            query: None,
            in_place: false,
            delta_version: None,
            sheet: None,
            renew_every: None,
            derived_from: vec![],
            accept_personal_data: false,
            license: None,
            contact: None,
            rhythm: None,
            languages: vec![],
        }
    }

    #[test]
    fn the_request_holds_what_was_given_and_nothing_else() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::write(dir.path().join("a.csv"), "x\n1\n").expect("write");
        std::fs::write(dir.path().join("o.json"), "{\"@type\":\"Offer\"}").expect("write");
        let path = dir.path().join("a.csv").to_str().expect("utf-8").to_owned();
        let plain = args(dir.path());
        let expected = json!({"id": "air", "title": "Air", "kind": "table", "publishProfile": false,
            "source": {"type": "paths", "paths": [path], "inPlace": false}});
        assert_eq!(add_body(&plain, &mut "".as_bytes()).expect("body"), expected);

        let full = AddArgs {
            offers: vec![dir.path().join("o.json"), "-".into()],
            nulls: vec!["NA".into(), "-".into()],
            keywords: vec!["pm2.5".into()],
            ..args(dir.path())
        };
        let body = add_body(&full, &mut "{\"uid\":\"x\"}".as_bytes()).expect("body");
        assert_eq!(body["offers"], json!([{"@type": "Offer"}, {"uid": "x"}]));
        assert_eq!(body["csv"], json!({"nullValues": ["NA", "-"]}));
    }

    #[test]
    fn a_relative_path_becomes_absolute() {
        let here = AddArgs { paths: vec!["Cargo.toml".into()], ..args(Path::new("/")) };
        let body = add_body(&here, &mut "".as_bytes()).expect("body");
        assert!(Path::new(body["source"]["paths"][0].as_str().expect("text")).is_absolute());
    }

    #[test]
    fn missing_sources_and_bad_offers_are_refused_here() {
        let dir = tempfile::tempdir().expect("dir");
        assert_eq!(add_body(&args(dir.path()), &mut "".as_bytes()).expect_err("no file").problem.code, "FDC-4001");
        std::fs::write(dir.path().join("a.csv"), "x\n1\n").expect("write");
        let with = |offers: Vec<PathBuf>, stdin: &[u8]| {
            let args = AddArgs { offers, ..args(dir.path()) };
            add_body(&args, &mut &stdin[..]).expect_err("refused")
        };
        assert_eq!(with(vec!["-".into(), "-".into()], b"{}").exit, 2);
        assert_eq!(with(vec!["-".into()], b"[1]").problem.code, "FDC-1001");
        assert_eq!(with(vec!["-".into()], b"{").problem.code, "FDC-1001");
        assert_eq!(with(vec!["-".into()], &vec![b' '; 1024 * 1024 + 1]).problem.code, "FDC-1006");
        assert_eq!(with(vec![dir.path().join("none.json")], b"").problem.code, "FDC-1001");
    }

    #[test]
    fn the_publisher_sees_the_inferred_types() {
        let product = json!({"id": "air", "version": 2, "title": "Air", "content": {"rows": 1200, "sizeBytes": 2048, "fileCount": 1,
            "schema": {"columns": [{"name": "station", "type": "string", "description": "text"},
                                   {"name": "pm25", "type": "double", "description": "number"}]},
            "profile": [{"name": "station", "nulls": 0, "min": "A", "max": "Z", "distinctEstimate": 35}, {"name": "pm25", "nulls": 12, "min": 0.5, "max": 410.0}],
            "inferred": {"delimiter": "\t", "nullValues": ["NA"]}},
            "offers": [{"id": "off_1", "terms": ["Open to every participant."]}]});
        assert_eq!(
            added(&product),
            "Published  air version 2\nTitle      Air\nRows       1,200\nSize       2.0 KiB\nFiles      1\n\n\
             Read as CSV separated by tabs; missing values: empty, \"NA\". The types were inferred:\n\
             COLUMN   TYPE    NULLS  SMALLEST  LARGEST  DISTINCT\n\
             station  text        0  A         Z             ~35\n\
             pm25     number     12  0.5       410.0\n\n\
             Offer  off_1\nTerms  Open to every participant.\n"
        );
    }

    #[test]
    fn a_refusal_in_the_stream_is_a_problem() {
        let failed = refusal(
            json!({"type": "/errors/FDC-4002", "title": "The source is malformed", "status": 400, "code": "FDC-4002", "detail": "Line 3."}),
        );
        assert_eq!((failed.problem.code.as_str(), failed.problem.detail.as_str()), ("FDC-4002", "Line 3."));
        assert_eq!(refusal(json!(1)).problem.code, "FDC-2007");
    }
}
