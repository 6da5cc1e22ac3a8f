//! Makes a node: a data folder with its configuration, master key, database, first participant, first person and first
//! API token.

use crate::{
    app::{
        idempotency::Once,
        participants::{NewParticipant, check_country},
    },
    config::{Config, DEFAULT_ADMIN_LISTEN, DEFAULT_PUBLIC_URL, FILE_NAME, check_public, host_is_loopback},
    node::{App, open_app},
    secrets::entropy::random_text,
};
use fondaco_core::{
    Code, Error, Result,
    participant::{Participant, Slug},
};
use fondaco_store::Memberships;
use std::{
    fs::OpenOptions,
    io::Write,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use url::Url;

/// The file with the first API token.
pub const TOKEN_FILE: &str = "admin.token";
/// The file with the first person's password.
pub const PASSWORD_FILE: &str = "admin.password";
/// The first person's login.
pub const FIRST_LOGIN: &str = "admin";

/// What to make.
#[derive(Clone, Debug)]
pub struct InitOptions {
    /// The data folder: new or empty.
    pub dir: PathBuf,
    /// The first participant's short name.
    pub participant: String,
    /// Its name for people.
    pub name: String,
    /// Where it is established: ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// The public address; `None` is [`DEFAULT_PUBLIC_URL`].
    pub public: Option<String>,
    /// Where the admin listener listens; `None` is [`DEFAULT_ADMIN_LISTEN`].
    pub admin: Option<String>,
    /// The database; `None` is SQLite in the folder.
    pub database: Option<String>,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct InitReport {
    /// The participant.
    pub participant: Participant,
    /// The first person's login.
    pub login: String,
    /// Their password.
    pub password: String,
    /// Where the token is.
    pub token_file: PathBuf,
    /// Where the password is.
    pub password_file: PathBuf,
    /// The configuration file.
    pub config_file: PathBuf,
}

/// Makes it.
///
/// # Errors
/// [`Code::Conflict`] when the folder holds a node already; whatever else is wrong with the options.
pub async fn init(options: InitOptions) -> Result<InitReport> {
    // Before anything is written: a wrong option should not leave half a node.
    let public = options.public.as_deref().unwrap_or(DEFAULT_PUBLIC_URL);
    let public = Url::parse(public)
        .map_err(|e| Error::invalid(format!("\"{public}\" is not an address: {e}. Give one like https://data.acme.example")))?;
    check_public(&public)?;
    let admin = options.admin.as_deref().unwrap_or(DEFAULT_ADMIN_LISTEN);
    let admin: SocketAddr = admin.parse().map_err(|_| {
        Error::invalid(format!("\"{admin}\" is not an address to listen on. Give an IP address and a port, like 127.0.0.1:7401"))
    })?;
    Slug::parse(&options.participant)?;
    if let Some(country) = &options.country {
        check_country(country)?;
    }
    let dir = &options.dir;
    std::fs::create_dir_all(dir).map_err(|e| unwritable(dir, &e))?;
    let config_file = dir.join(FILE_NAME);
    if config_file.exists() {
        return Err(Error::new(
            Code::Conflict,
            format!("{} holds a node already. Start it with: fondaco serve --dir {}", dir.display(), dir.display()),
        ));
    }
    let config_text = config_text(&public, admin, options.database.as_deref());
    write_new(&config_file, config_text.as_bytes(), 0o644)?;
    let made = fill(&options, config_file.clone()).await;
    if made.is_err() {
        // So that the same command can be given again.
        let _ = std::fs::remove_file(&config_file);
    }
    made
}

async fn fill(options: &InitOptions, config_file: PathBuf) -> Result<InitReport> {
    let config = Config::load(&options.dir)?;
    let app = open_app(config).await?;
    people(&app, options, config_file).await
}

async fn people(app: &App, options: &InitOptions, config_file: PathBuf) -> Result<InitReport> {
    let first = NewParticipant { slug: options.participant.clone(), name: options.name.clone(), country: options.country.clone() };
    let participant = app.participant_add(first, None).await?;
    let password = random_text::<12>(&*app.entropy);
    app.user_add(FIRST_LOGIN, "Administrator", &password, true, Memberships::default(), None).await?;
    let Once::Done((_, token)) = app.token_create("made by init", None, true, None).await? else {
        return Err(Error::internal_failure("a token without a key cannot be a repetition"));
    };
    let token_file = options.dir.join(TOKEN_FILE);
    let password_file = options.dir.join(PASSWORD_FILE);
    write_new(&token_file, format!("{token}\n").as_bytes(), 0o600)?;
    write_new(&password_file, format!("{password}\n").as_bytes(), 0o600)?;
    Ok(InitReport { participant, login: FIRST_LOGIN.into(), password, token_file, password_file, config_file })
}

fn config_text(public: &Url, admin: SocketAddr, database: Option<&str>) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut out = format!(
        "# The configuration of a Fondaco node. Every key can also be set in the environment:\n\
         # network.allow_private is FONDACO_NETWORK__ALLOW_PRIVATE. Unknown keys are errors.\n\n\
         [public]\n\
         # The address others reach. It is part of every DID, so it must not change.\n\
         url = {}\n\
         # Where to listen, when that is not what the address says (behind a proxy).\n\
         # listen = \"127.0.0.1:7400\"\n\n\
         [admin]\n\
         # The console and the admin API. Keep it on loopback or a private network.\n\
         listen = {}\n\n\
         [database]\n\
         url = {}\n\n\
         [network]\n\
         # Peers on private addresses are refused unless this is true.\n\
         allow_private = false\n",
        quoted(public.as_str()),
        quoted(&admin.to_string()),
        quoted(database.unwrap_or("sqlite:fondaco.db")),
    );
    if host_is_loopback(public) {
        out.push_str("# This node's address is loopback, so it can reach nodes on this machine, and only those can reach it.\n");
    }
    out
}

/// Writes a file that must not exist yet and makes it durable.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|e| unwritable(path, &e))
}

fn unwritable(path: &Path, e: &std::io::Error) -> Error {
    Error::new(Code::ConfigInvalid, format!("{} cannot be written: {e}. Choose another folder, or mend its permissions.", path.display()))
}
