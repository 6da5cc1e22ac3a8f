//! `fondaco fetch`: the data of an agreement, or the key to it. Either way it travels by the Delta Sharing protocol
//! from the provider to this machine, not through our own node.

mod download;
mod file_name;
mod listing;
mod profile;

use super::{
    answer::Answer,
    context::Context,
    failure::{Failure, Result},
    show::{Fields, bytes, text, texts},
};
use crate::{
    config::Config,
    net::{NetworkRule, Outbound},
};
use fondaco_core::Code;
use fondaco_tables::delta_sharing::client::Profile;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Seconds the node may take to open access: a provider that decides by rule needs far less than one.
const ACCESS_SECONDS_MAX: u64 = 30;

/// Get the data of an agreement, or a profile file to read it with
///
/// With --out the table's Parquet files are downloaded; a download that broke off is continued, and every file is
/// checked. With --profile a Delta Sharing profile file is written, which pandas, Spark and other clients read.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true),
    after_long_help = "Examples:
  fondaco --dir mynode fetch agr_0190f6c2 --out flights
  fondaco --dir mynode fetch agr_0190f6c2 --profile flights.share

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
    /// Download the table into this folder, or to this file when it ends in .parquet and the table is one file
    #[arg(long, value_name = "PATH", group = "what")]
    out: Option<PathBuf>,
}

/// Access as the node gives it.
struct Access {
    transfer: String,
    state: String,
    profile: Profile,
    tables: Vec<String>,
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    let us = context.participant().await?;
    let given = us.act(&["agreements", &args.agreement, "access"], &json!({"waitSeconds": ACCESS_SECONDS_MAX})).await?;
    let access = access(&given)?;
    match (&args.profile, &args.out) {
        (Some(file), _) => profile::write(file, &access),
        (None, Some(out)) => {
            let config = Config::load(context.dir()?)?;
            let rule = NetworkRule {
                allow_private: config.network.allow_private,
                allow_loopback: config.is_loopback(),
                allow_http: config.network.allow_http,
            };
            let got = download::tables(&Outbound::system(rule)?, &access.profile, &access.tables, out, context.shows_progress()).await?;
            Ok(downloaded(&args.agreement, &access, &got))
        }
        (None, None) => Err(Failure::usage("Say what to fetch: --out PATH or --profile FILE.")),
    }
}

fn access(given: &Value) -> Result<Access> {
    let state = text(given, "state").to_owned();
    let Some(profile) = given.get("profile").filter(|p| p.is_object()) else {
        return Err(Failure::new(
            Code::NotYet,
            format!(
                "The provider has not opened access yet (the transfer is {state}). Try again in a moment; a person there may have to start it."
            ),
        ));
    };
    let profile = Profile::parse(profile.to_string().as_bytes())
        .map_err(|e| Failure::new(Code::PeerAnsweredBadly, format!("The provider's address for the data cannot be used: {e}.")))?;
    let tables: Vec<String> = texts(given, "tables").into_iter().map(str::to_owned).collect();
    if tables.is_empty() {
        return Err(Failure::new(Code::PeerAnsweredBadly, "The provider names no table under this agreement."));
    }
    Ok(Access { transfer: text(given, "transferId").to_owned(), state, profile, tables })
}

fn downloaded(agreement: &str, access: &Access, got: &[download::Downloaded]) -> Answer {
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
