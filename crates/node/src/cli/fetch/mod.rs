//! `fondaco fetch`: the data of an agreement, or the key to it. Either way it travels from the provider to this machine,
//! not through our own node: a table by the Delta Sharing protocol, files by HTTP.

mod croissant;
mod file_name;
mod files;
mod listing;
mod profile;
mod pull;
mod single;
mod tables;

use super::{
    answer::Answer,
    context::Context,
    failure::{Failure, Result},
    show::{Fields, bytes, count, text, texts},
};
use crate::{
    config::Config,
    net::{NetworkRule, Outbound},
};
use fondaco_core::Code;
use fondaco_tables::delta_sharing::client::Profile;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use single::Opened;
use std::path::{Path, PathBuf};

/// Seconds the node may take to open access: a provider that decides by rule needs far less than one.
const ACCESS_SECONDS_MAX: u64 = 30;

/// Get the data of an agreement, or a profile file to read it with
///
/// With --out a table's Parquet files, or the files of a product of files, are downloaded; a download that broke off is
/// continued, and every file is checked by its SHA-256. With --profile a Delta Sharing profile file is written, which
/// pandas, Spark and other clients read tables with.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true),
    after_long_help = "Examples:
  fondaco --dir mynode fetch agr_0190f6c2 --out flights
  fondaco --dir mynode fetch agr_0190f6c2 --profile flights.share
  fondaco --dir mynode fetch agr_0190f6c3 --out photos        run it again to go on where it broke off

Then in Python (pip install delta-sharing):
  import delta_sharing
  delta_sharing.load_as_pandas(\"flights.share#\" + TABLE)       fetch --profile prints TABLE"
)]
pub(super) struct Args {
    /// The agreement's id
    agreement: String,
    /// Write the profile to this file, or to standard output with -
    #[arg(long, value_name = "FILE", group = "what")]
    profile: Option<PathBuf>,
    /// Write a profile for OAuth: its client exchanges the credentials in it for tokens that end within the hour
    #[arg(long, requires = "profile")]
    oauth: bool,
    /// Download into this folder, or to this file when there is one file only and the endings are the same
    #[arg(long, value_name = "PATH", group = "what")]
    out: Option<PathBuf>,
    /// Replace files that are already there and are something else (products of files)
    #[arg(long, requires = "out")]
    overwrite: bool,
}

/// Access as the node gives it.
struct Access {
    transfer: String,
    state: String,
    profile: Profile,
    tables: Vec<String>,
}

/// What the node gives.
enum Given {
    /// A table.
    Table(Access),
    /// Files.
    Files { transfer: String, state: String, endpoint: files::Endpoint },
}

/// The way out, by the rules of the node.
pub(super) fn outbound(context: &Context) -> Result<Outbound> {
    let config = Config::load(context.dir()?)?;
    let rule = NetworkRule {
        allow_private: config.network.allow_private,
        allow_loopback: config.is_loopback(),
        allow_http: config.network.allow_http,
    };
    Ok(Outbound::trusting(rule, config.ca_file().as_deref())?)
}

/// The profile of an agreement about a table.
pub(super) async fn profile_of(context: &Context, agreement: &str) -> Result<Profile> {
    match given(context, agreement).await? {
        Given::Table(access) => Ok(access.profile),
        Given::Files { .. } => Err(Failure::new(Code::Invalid, "This agreement is about files, not a table: there is nothing to ask.")),
    }
}

async fn given(context: &Context, agreement: &str) -> Result<Given> {
    let us = context.participant().await?;
    read(&us.act(&["agreements", agreement, "access"], &json!({"waitSeconds": ACCESS_SECONDS_MAX})).await?)
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    let given = given(context, &args.agreement).await?;
    let http = || outbound(context);
    match (given, &args.profile, &args.out) {
        (Given::Table(access), Some(file), _) => profile::write(file, &access, args.oauth),
        (Given::Table(access), None, Some(out)) => {
            let got = tables::tables(&http()?, &access.profile, &access.tables, out, context.shows_progress()).await?;
            if let Some(folder) = got.first().and_then(|d| d.path.parent()).filter(|_| access.tables.len() == 1 && out.is_dir()) {
                croissant::write(&http()?, &access.profile.endpoint, &access.profile.bearer_token, folder).await?;
            }
            Ok(downloaded(&args.agreement, &access, &got))
        }
        (Given::Files { .. }, Some(_), _) => {
            Err(Failure::new(Code::Invalid, "This agreement is about files, not a table: fetch them with --out FOLDER."))
        }
        (Given::Files { transfer, state, endpoint }, None, Some(out)) => {
            let http = http()?;
            let about = json!({"agreementId": args.agreement, "transferId": transfer, "state": state});
            let first = match single::open(&http, &endpoint, out).await? {
                Opened::List(first) => *first,
                Opened::Data(data) => {
                    let bar = if context.shows_progress() { ProgressBar::no_length() } else { ProgressBar::hidden() };
                    let (path, size) = data.save(out, args.overwrite, &bar).await?;
                    return Ok(saved(about, &std::path::absolute(&path).unwrap_or(path), size));
                }
            };
            let got = files::files(&http, first, out, args.overwrite, context.shows_progress()).await?;
            if out.is_dir() && !got.described {
                croissant::write(&http, &endpoint.url, &endpoint.token, out).await?;
            }
            let path = std::path::absolute(out).unwrap_or_else(|_| out.clone());
            Ok(fetched(about, &path, got))
        }
        (_, None, None) => Err(Failure::usage("Say what to fetch: --out PATH or --profile FILE.")),
    }
}

fn not_open(state: &str) -> Failure {
    Failure::new(
        Code::NotYet,
        format!(
            "The provider has not opened access yet (the transfer is {state}). Try again in a moment; a person there may have to start it."
        ),
    )
}

fn read(given: &Value) -> Result<Given> {
    let Some(found) = given.get("files").filter(|f| f.is_object()) else { return access(given).map(Given::Table) };
    let endpoint = files::Endpoint { url: text(found, "endpoint").to_owned(), token: text(found, "bearerToken").to_owned() };
    Ok(Given::Files { transfer: text(given, "transferId").to_owned(), state: text(given, "state").to_owned(), endpoint })
}

/// The answer for data that another connector delivered as one piece.
fn saved(mut about: Value, path: &Path, size: u64) -> Answer {
    about["out"] = json!(path.to_string_lossy());
    about["files"] = json!(1);
    about["bytes"] = json!(size);
    let mut fields = Fields::default();
    fields
        .add("File", text(&about, "out"))
        .add("Size", bytes(Some(size)))
        .add("Checked", "nothing: the provider announces no checksum for data that it delivers this way");
    let shown = fields.render();
    Answer::new(about, shown)
}

fn fetched(about: Value, out: &Path, got: files::Fetched) -> Answer {
    let mut json = about;
    json["out"] = json!(out.to_string_lossy());
    for (key, n) in
        [("files", got.files), ("keptFiles", got.kept), ("bytes", got.bytes), ("resumedBytes", got.resumed), ("breaks", got.breaks)]
    {
        json[key] = json!(n);
    }
    let mut fields = Fields::default();
    fields
        .add("Folder", text(&json, "out"))
        .add("Files", count(Some(got.files)))
        .add("Size", bytes(Some(got.bytes)))
        .add("Already here", if got.kept == 0 { String::new() } else { format!("{} of {} files", got.kept, got.files) })
        .add("Continued", if got.resumed == 0 { String::new() } else { format!("after {} of an earlier run", bytes(Some(got.resumed))) })
        .add("Checked", "every file has the SHA-256 that the provider announced");
    Answer::new(json, fields.render())
}

/// A bar that counts bytes.
fn progress_bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{msg:28!} {bar:24} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}") {
        bar.set_style(style);
    }
    bar
}

fn access(given: &Value) -> Result<Access> {
    let state = text(given, "state").to_owned();
    let Some(profile) = given.get("profile").filter(|p| p.is_object()) else { return Err(not_open(&state)) };
    let profile = Profile::parse(profile.to_string().as_bytes())
        .map_err(|e| Failure::new(Code::PeerAnsweredBadly, format!("The provider's address for the data cannot be used: {e}.")))?;
    let tables: Vec<String> = texts(given, "tables").into_iter().map(str::to_owned).collect();
    if tables.is_empty() {
        return Err(Failure::new(Code::PeerAnsweredBadly, "The provider names no table under this agreement."));
    }
    Ok(Access { transfer: text(given, "transferId").to_owned(), state, profile, tables })
}

fn downloaded(agreement: &str, access: &Access, got: &[tables::Downloaded]) -> Answer {
    let total: u64 = got.iter().map(|f| f.size_bytes).sum();
    let files: Vec<Value> = got
        .iter()
        .map(|f| json!({"path": f.path.to_string_lossy(), "table": f.table, "sizeBytes": f.size_bytes, "kept": f.kept}))
        .collect();
    let kept = got.iter().filter(|f| f.kept).count();
    let mut fields = Fields::default();
    fields
        .add_lines("Table", &access.tables)
        .add_lines("File", got.iter().map(|f| f.path.to_string_lossy()))
        .add("Size", bytes(Some(total)))
        .add("Already here", if kept == 0 { String::new() } else { format!("{kept} of {} files", got.len()) });
    Answer::new(
        json!({"agreementId": agreement, "transferId": access.transfer, "state": access.state, "tables": access.tables,
               "files": files, "sizeBytes": total}),
        fields.render(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_needs_a_sound_profile_and_a_table() {
        let profile = json!({"shareCredentialsVersion": 1, "endpoint": "https://h/p/a/share", "bearerToken": "fda_x"});
        let ok = access(&json!({"transferId": "trf_1", "state": "STARTED", "profile": profile, "tables": ["a.b.c"]})).expect("access");
        assert_eq!((ok.transfer.as_str(), ok.tables.len(), ok.profile.bearer_token.as_str()), ("trf_1", 1, "fda_x"));
        let code = |given: Value| access(&given).err().expect("refused").problem.code;
        assert_eq!(code(json!({"state": "REQUESTED"})), "FDC-3007");
        assert_eq!(code(json!({"state": "STARTED", "profile": profile, "tables": []})), "FDC-2007");
        let local = json!({"shareCredentialsVersion": 1, "endpoint": "file:///etc", "bearerToken": "x"});
        assert_eq!(code(json!({"state": "STARTED", "profile": local, "tables": ["a.b.c"]})), "FDC-2007");
    }
}
