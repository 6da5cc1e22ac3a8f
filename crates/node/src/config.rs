//! Configuration: `DIR/fondaco.toml`, every key also as an environment variable (`network.allow_private` is
//! `FONDACO_NETWORK__ALLOW_PRIVATE`). Unknown keys are errors: a misspelt safety setting must not be ignored.

use fondaco_core::{Code, Error, Result, report::Every};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};
use url::Url;

/// The configuration file inside the data folder.
pub const FILE_NAME: &str = "fondaco.toml";
/// For how many days lines of requests are kept unless it is said otherwise: half a year, within which most incidents are
/// found.
const REQUESTS_DAYS: u32 = 180;
/// Most days that something is kept: a century, within the calendar. Who wants more keeps it for ever.
const DAYS_MAX: u32 = 36_500;
/// What environment variables start with.
const ENV_PREFIX: &str = "FONDACO_";

/// Everything a node is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder.
    pub dir: PathBuf,
    /// What others reach.
    pub public: Public,
    /// What our own people and programs reach.
    pub admin: Admin,
    /// Where state is kept.
    pub database: Database,
    /// Whom we call.
    pub network: Network,
    /// What is written to the log.
    pub log: Log,
    /// How nodes recognise each other.
    pub identity: Identity,
    /// Where products may be published from.
    pub sources: Sources,
    /// How tables are delivered.
    pub tables: Tables,
    /// How long documents of evidence are kept.
    pub evidence: Evidence,
    /// Which reports are written.
    pub reports: Reports,
}

/// Which reports are written below `DIR/reports`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reports {
    /// After each `day`, `week` or `month`; none where it is not said.
    pub every: Option<Every>,
}

/// How long documents of evidence are kept. Their leaves stay in the log for good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evidence {
    /// For how many days after the end of the agreement that they are about, and at least after they were written; for ever
    /// where it is not said.
    pub documents_days: Option<u32>,
}

/// How tables are delivered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tables {
    /// The most bytes of files that are kept below `DIR/cache/governed`: those of tables of which agreements show a part
    /// that had to be written anew. What is deleted there is made again when it is asked for.
    pub cache_bytes: u64,
    /// From so many bytes of files on that would have to be written anew for its answer, a query is answered later to
    /// clients that can poll for it. With 0 such clients always poll.
    pub async_bytes: u64,
}

impl Default for Tables {
    fn default() -> Self {
        Self { cache_bytes: 10 * 1024 * 1024 * 1024, async_bytes: 16 * 1024 * 1024 }
    }
}

/// Where products may be published from, by people and programs that are not operators of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    /// Folders on this machine.
    pub folders: Vec<PathBuf>,
    /// Allow object stores and databases on private addresses.
    pub allow_private: bool,
}

/// The public listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Public {
    /// The address others use: it is part of every DID, so it must not change.
    pub url: Url,
    /// Where to listen.
    pub listen: SocketAddr,
}

/// The admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The address people use, when it is not the listening address (behind a proxy with TLS).
    pub url: Option<Url>,
}

/// The database.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:FILE` (relative to the data folder) or `postgres://…`.
    pub url: String,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: "sqlite:fondaco.db".into() }
    }
}

/// Rules for outgoing calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Allow peers, callbacks and DIDs on private addresses.
    pub allow_private: bool,
    /// Allow plain http to addresses that are not loopback.
    pub allow_http: bool,
    /// Certificates (PEM) to trust beside the system's: of an authority of one's own, for a closed network. Relative to
    /// the data folder.
    pub ca_file: Option<PathBuf>,
}

/// The log on standard error.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Text for people or JSON for machines.
    pub format: LogFormat,
    /// A `tracing` filter: `info`, `fondaco_node=debug,info`…
    pub level: String,
    /// For how many days the lines of requests (`DIR/requests`) are kept; 0: none are written, and those there are go.
    pub requests_days: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".into(), requests_days: REQUESTS_DAYS }
    }
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Node-to-node authentication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Which authenticator.
    pub authenticator: AuthenticatorKind,
    /// For `static`: the exact `Authorization` header of each peer, to its participant id.
    #[serde(rename = "static")]
    pub static_peers: BTreeMap<String, String>,
    /// For `static`: the `Authorization` header of our own calls.
    pub static_outgoing: String,
    /// For `static` and `edc-mock`: where participants without a DID document are. Participant id to the address below
    /// which `/.well-known/dspace-version` answers. With `did`, a peer's own document says so and nothing else.
    pub peers: BTreeMap<String, Url>,
}

/// The authenticators of the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthenticatorKind {
    /// Self-issued tokens signed with the key of the caller's DID.
    #[default]
    Did,
    /// A fixed header maps to a participant id. For closed networks and conformance kits.
    Static,
    /// The header is bare JSON `{"clientId":…}` and nothing is verified. For tests against a connector with mock identity.
    EdcMock,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    public: PublicFile,
    #[serde(default)]
    admin: AdminFile,
    #[serde(default)]
    database: Database,
    #[serde(default)]
    network: Network,
    #[serde(default)]
    log: Log,
    #[serde(default)]
    identity: Identity,
    #[serde(default)]
    sources: Sources,
    #[serde(default)]
    tables: Tables,
    #[serde(default)]
    evidence: Evidence,
    #[serde(default)]
    reports: Reports,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicFile {
    url: Url,
    listen: Option<SocketAddr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AdminFile {
    listen: SocketAddr,
    url: Option<Url>,
}

/// The default public address.
pub const DEFAULT_PUBLIC_URL: &str = "http://127.0.0.1:7400";
/// The default admin address.
pub const DEFAULT_ADMIN_LISTEN: &str = "127.0.0.1:7401";

impl Default for AdminFile {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 7401)), url: None }
    }
}

impl Config {
    /// Reads the file and the environment.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] naming the key.
    pub fn load(dir: &Path) -> Result<Self> {
        Self::load_with(dir, &std::env::vars().collect())
    }

    /// Reads the file and the given environment.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_with(dir: &Path, env: &HashMap<String, String>) -> Result<Self> {
        let path = dir.join(FILE_NAME);
        if !path.is_file() {
            return Err(Error::new(
                Code::ConfigInvalid,
                format!(
                    "{} does not exist. Make a node with: fondaco init --dir {} --participant SLUG --name TEXT",
                    path.display(),
                    dir.display()
                ),
            ));
        }
        // Only names with a section (`__`) are keys; FONDACO_DIR and FONDACO_TOKEN belong to the commands.
        let keys = env.iter().filter(|(k, _)| k.starts_with(ENV_PREFIX) && k.contains("__"));
        let source = config::Environment::with_prefix("FONDACO")
            .prefix_separator("_")
            .separator("__")
            .try_parsing(true)
            .source(Some(keys.map(|(k, v)| (k.clone(), v.clone())).collect()));
        let file: File = config::Config::builder()
            .add_source(config::File::from(path.clone()).format(config::FileFormat::Toml))
            .add_source(source)
            .build()
            .and_then(config::Config::try_deserialize)
            .map_err(|e| Error::new(Code::ConfigInvalid, format!("{}: {e}", path.display())))?;
        let public = Public { listen: file.public.listen.map_or_else(|| default_listen(&file.public.url), Ok)?, url: file.public.url };
        check_public(&public.url)?;
        if file.identity.authenticator == AuthenticatorKind::Did && !file.identity.peers.is_empty() {
            return Err(Error::new(
                Code::ConfigInvalid,
                "identity.peers is for the authenticators \"static\" and \"edc-mock\": with \"did\" a peer's DID document says where it is.",
            ));
        }
        if file.log.requests_days > DAYS_MAX {
            return Err(Error::new(Code::ConfigInvalid, format!("log.requests_days is at most {DAYS_MAX}.")));
        }
        if file.evidence.documents_days.is_some_and(|days| days > DAYS_MAX) {
            let text = format!("evidence.documents_days is at most {DAYS_MAX}. Leave it out to keep all.");
            return Err(Error::new(Code::ConfigInvalid, text));
        }
        if file.evidence.documents_days == Some(0) {
            return Err(Error::new(
                Code::ConfigInvalid,
                "evidence.documents_days is at least 1: an agreement's last day can be proved on that day. Leave it out to keep all.",
            ));
        }
        Ok(Self {
            dir: dir.to_owned(),
            public,
            admin: Admin { listen: file.admin.listen, url: file.admin.url },
            database: file.database,
            network: file.network,
            log: file.log,
            identity: file.identity,
            sources: file.sources,
            tables: file.tables,
            evidence: file.evidence,
            reports: file.reports,
        })
    }

    /// Whether the node's own public address is loopback: then, and only then, it may call loopback addresses.
    pub fn is_loopback(&self) -> bool {
        host_is_loopback(&self.public.url)
    }

    /// The database URL with a relative SQLite path resolved against the data folder.
    pub fn database_url(&self) -> String {
        match self.database.url.strip_prefix("sqlite:") {
            Some(path) => format!("sqlite:{}", self.dir.join(path).display()),
            None => self.database.url.clone(),
        }
    }

    /// `sqlite` or `postgres`.
    pub fn database_kind(&self) -> &'static str {
        if self.database.url.starts_with("postgres") { "postgres" } else { "sqlite" }
    }

    /// The file with certificates to trust beside the system's.
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.network.ca_file.as_ref().map(|file| self.dir.join(file))
    }

    /// Where published data is kept.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Where files of tables are kept as agreements show them. Not backed up; safe to delete.
    pub fn governed_dir(&self) -> PathBuf {
        self.dir.join("cache").join("governed")
    }

    /// Where the lines of requests are kept. Not backed up.
    pub fn requests_dir(&self) -> PathBuf {
        self.dir.join(crate::http::request_log::FOLDER)
    }

    /// The public base of a participant, without a trailing slash.
    pub fn participant_base(&self, slug: &fondaco_core::participant::Slug) -> String {
        format!("{}/p/{slug}", self.public.url.as_str().trim_end_matches('/'))
    }
}

/// Whether a URL's host is a loopback address.
pub fn host_is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Checks an address for others: http(s), a host, no more.
///
/// # Errors
/// [`Code::ConfigInvalid`].
pub fn check_public(url: &Url) -> Result<()> {
    let bad = |why: &str| Err(Error::new(Code::ConfigInvalid, format!("The public address {url} {why}.")));
    if !matches!(url.scheme(), "http" | "https") {
        return bad("must start with http:// or https://");
    }
    if url.host().is_none() || !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return bad("must be a scheme, a host and perhaps a port and a path, nothing else");
    }
    if url.port() == Some(0) {
        return bad("needs a real port: it becomes part of every DID");
    }
    Ok(())
}

/// Listens where the public address says when it is an IP address; behind a name, on every interface at its port.
fn default_listen(url: &Url) -> Result<SocketAddr> {
    let port = url.port_or_known_default().ok_or_else(|| Error::new(Code::ConfigInvalid, "public.url has no port; set public.listen."))?;
    let ip: IpAddr = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.into(),
        Some(url::Host::Ipv6(ip)) => ip.into(),
        Some(url::Host::Domain("localhost")) => IpAddr::from([127, 0, 0, 1]),
        _ => IpAddr::from([0, 0, 0, 0]),
    };
    Ok(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, env: &[(&str, &str)]) -> Result<Config> {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::write(dir.path().join(FILE_NAME), text).expect("write");
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::load_with(dir.path(), &env)
    }

    #[test]
    fn peers_without_a_did_document_are_named_only_where_nothing_is_proven_by_one() {
        let text = |authenticator: &str| {
            format!(
                "[public]\nurl = \"http://127.0.0.1:9000\"\n[identity]\nauthenticator = \"{authenticator}\"\n\
                 [identity.peers]\nProvider-1 = \"http://127.0.0.1:19194/protocol\"\n"
            )
        };
        let c = load(&text("edc-mock"), &[]).expect("config");
        assert_eq!(c.identity.peers.get("Provider-1").map(Url::as_str), Some("http://127.0.0.1:19194/protocol"));
        assert_eq!(load(&text("did"), &[]).expect_err("refused").code(), Code::ConfigInvalid);
    }

    #[test]
    fn a_short_file_is_enough_and_the_environment_wins() {
        let c = load("[public]\nurl = \"http://127.0.0.1:9000\"\n", &[]).expect("config");
        assert_eq!(c.public.listen, SocketAddr::from(([127, 0, 0, 1], 9000)));
        assert_eq!(c.admin.listen.to_string(), DEFAULT_ADMIN_LISTEN);
        assert!(!c.network.allow_private && c.is_loopback());
        let c = load(
            "[public]\nurl = \"https://zone.example/f\"\n[network]\nallow_private = false\n",
            &[("FONDACO_NETWORK__ALLOW_PRIVATE", "true"), ("FONDACO_PUBLIC__LISTEN", "0.0.0.0:80"), ("FONDACO_DIR", "/x")],
        )
        .expect("config");
        assert!(c.network.allow_private && !c.is_loopback());
        assert_eq!(c.public.listen.port(), 80);
    }

    #[test]
    fn the_request_log_is_kept_for_half_a_year_unless_it_is_said_otherwise() {
        let ok = "[public]\nurl = \"http://127.0.0.1:9000\"\n";
        assert_eq!(load(ok, &[]).expect("config").log.requests_days, 180);
        assert_eq!(load(&format!("{ok}[log]\nrequests_days = 0\n"), &[]).expect("config").log.requests_days, 0);
        assert!(load(&format!("{ok}[log]\nrequests_days = -1\n"), &[]).is_err());
    }

    #[test]
    fn reports_are_written_by_day_week_or_month_or_not_at_all() {
        let every = |text: &str| load(&format!("[public]\nurl = \"http://127.0.0.1:9000\"\n{text}"), &[]).map(|c| c.reports.every);
        assert_eq!(every("").expect("config"), None);
        assert_eq!(every("[reports]\nevery = \"week\"\n").expect("config"), Some(Every::Week));
        assert!(every("[reports]\nevery = \"hour\"\n").is_err());
    }

    #[test]
    fn documents_of_evidence_are_kept_unless_it_is_said_otherwise() {
        let days = |text: &str| load(&format!("[public]\nurl = \"http://127.0.0.1:9000\"\n{text}"), &[]).map(|c| c.evidence.documents_days);
        assert_eq!(days("").expect("config"), None);
        assert_eq!(days("[evidence]\ndocuments_days = 365\n").expect("config"), Some(365));
        assert_eq!(days("[evidence]\ndocuments_days = 0\n").expect_err("refused").code(), Code::ConfigInvalid);
    }

    #[test]
    fn nothing_is_kept_for_so_long_that_the_calendar_ends() {
        let ok = "[public]\nurl = \"http://127.0.0.1:9000\"\n";
        for key in ["[log]\nrequests_days", "[evidence]\ndocuments_days"] {
            assert!(load(&format!("{ok}{key} = {DAYS_MAX}\n"), &[]).is_ok(), "{key}");
            for days in ["36501", "9999999", "999999999", "4294967295"] {
                let refused = load(&format!("{ok}{key} = {days}\n"), &[]).expect_err(key);
                assert_eq!(refused.code(), Code::ConfigInvalid, "{key} = {days}");
            }
        }
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_errors() {
        let ok = "[public]\nurl = \"http://127.0.0.1:9000\"\n";
        for (text, env) in [
            (format!("{ok}[netwrk]\nallow_private = true\n"), vec![]),
            (format!("{ok}[network]\nalow_private = true\n"), vec![]),
            (format!("{ok}[network]\nallow_private = \"perhaps\"\n"), vec![]),
            (ok.to_owned(), vec![("FONDACO_NETWORK__ALOW_PRIVATE", "true")]),
            ("[public]\nurl = \"ftp://x\"\n".to_owned(), vec![]),
            ("[public]\nurl = \"http://user@x\"\n".to_owned(), vec![]),
            ("[public]\nurl = \"http://127.0.0.1:0\"\n".to_owned(), vec![]),
            (String::new(), vec![]),
        ] {
            let e = load(&text, &env).expect_err(&text);
            assert_eq!(e.code(), Code::ConfigInvalid);
        }
    }
}
