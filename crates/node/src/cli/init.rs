//! `fondaco init`: a new node in a new folder.

use super::{
    answer::Answer,
    context::{Context, quoted},
    failure::Result,
    show::Fields,
};
use crate::{
    config::{DEFAULT_ADMIN_LISTEN, DEFAULT_PUBLIC_URL},
    init::{InitOptions, init},
    secrets::seal::KEY_FILE,
};
use serde_json::json;

/// Make a new node with its first participant
///
/// Writes a configuration, fresh keys, a database, an API token and a console password into the folder, all readable
/// by you only. A folder that already holds a node is left as it is.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  fondaco init --dir mynode --participant acme --name \"Acme Ltd\"
  fondaco init --dir mynode --participant acme --name \"Acme Ltd\" --public https://data.acme.example")]
pub(super) struct Args {
    /// The participant's short name in addresses: lower-case letters, digits and hyphens. It cannot be changed later
    #[arg(long, value_name = "SLUG")]
    participant: String,
    /// The participant's name for people
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// The address others will reach the node at. It becomes part of every DID and cannot be changed later
    #[arg(long, value_name = "URL", default_value = DEFAULT_PUBLIC_URL)]
    public: String,
    /// Where the console and the admin API listen
    #[arg(long, value_name = "ADDR", default_value = DEFAULT_ADMIN_LISTEN)]
    admin: String,
    /// Where to keep state: postgres://… or sqlite:FILE [default: a file in the folder]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Where the participant is established, as two letters (ISO 3166-1)
    #[arg(long, value_name = "CC")]
    country: Option<String>,
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    let dir = context.dir()?.to_owned();
    let console = format!("http://{}/", args.admin);
    let public = args.public.clone();
    let made = init(InitOptions {
        dir: dir.clone(),
        participant: args.participant,
        name: args.name,
        country: args.country,
        public: Some(args.public),
        admin: Some(args.admin),
        database: args.database,
    })
    .await?;
    let key_file = dir.join(KEY_FILE);
    let text = Fields::default()
        .add("Node", dir.to_string_lossy())
        .add("Participant", made.participant.slug.as_str())
        .add("DID", made.participant.did.as_str())
        .add("Public", &public)
        .add("Settings", made.config_file.to_string_lossy())
        .add("Console", &console)
        .add("Sign in", format!("as {}, password in {}", made.login, made.password_file.display()))
        .add("API token", format!("in {}", made.token_file.display()))
        .add("Back up", format!("{}: without it the keys cannot be opened", key_file.display()))
        .render();
    let json = json!({
        "dir": dir.to_string_lossy(),
        "participant": made.participant.slug.as_str(),
        "did": made.participant.did.as_str(),
        "publicUrl": public,
        "adminUrl": console,
        "login": made.login,
        "configFile": made.config_file.to_string_lossy(),
        "passwordFile": made.password_file.to_string_lossy(),
        "tokenFile": made.token_file.to_string_lossy(),
        "keyFile": key_file.to_string_lossy(),
    });
    Ok(Answer::new(json, text)
        .then(format!("fondaco serve --dir {}", quoted(&dir.to_string_lossy())))
        .then(context.command("product add FILE --id ID --title TEXT")))
}
