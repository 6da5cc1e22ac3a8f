//! Use cases: what the surfaces (DSP, API, console, jobs) ask for. No HTTP in, no HTTP out.
//!
//! A use case loads values in one transaction, lets the pure rules of `fondaco-core` decide, and stores the result
//! with its effects in the same transaction. What must happen outside the database afterwards is an [`After`].

pub mod access;
pub mod agreement_import;
pub mod agreement_life;
pub mod agreement_renewal;
pub mod agreement_signatures;
pub mod agreements;
pub mod audit;
pub mod catalog;
pub mod catalog_copies;
pub mod catalog_places;
pub mod cause;
pub mod connections;
pub mod consumer_access;
pub mod croissant;
pub mod damage;
pub mod evidence;
pub mod feeds;
pub mod gate;
pub mod governed;
pub mod health;
pub mod idempotency;
pub mod lineage;
pub mod negotiation_steps;
pub mod negotiations;
pub mod participants;
pub mod payments;
pub mod peers;
pub mod people;
pub mod people_change;
pub mod preview;
pub mod process;
pub mod product_files;
pub mod product_stops;
pub mod products;
pub mod publish;
pub mod received;
pub mod report;
pub mod terms_versions;
pub mod transfers;
pub mod views;
pub mod waiting;
pub mod weighing;

use crate::{
    config::Config,
    files::seal::Verdicts,
    http::request_log::RequestLog,
    identity::{AccessTokens, Authenticator, DidResolver, SigningKey, password::Passwords, session::SessionCookie},
    net::Outbound,
    secrets::Sealer,
};
use cause::{Cause, Decider};
use fondaco_core::{
    Error, Result,
    entropy::Entropy,
    ids::TransferId,
    participant::{Did, Slug},
    time::{Clock, Timestamp},
};
use fondaco_store::Store;
use gate::Gate;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Everything a use case may reach, and who it acts for.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
    /// Whoever decides through it: a person's account, an API token; nobody in jobs and for peers.
    decider: Option<Arc<Decider>>,
}

/// The parts of an [`App`].
pub struct Inner {
    /// The configuration.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Secrets at rest and derived keys.
    pub sealer: Sealer,
    /// The way out.
    pub outbound: Outbound,
    /// DID documents of peers.
    pub resolver: DidResolver,
    /// How nodes recognise each other.
    pub authenticator: Authenticator,
    /// Bearer tokens of transfers.
    pub access_tokens: AccessTokens,
    /// Passwords of people.
    pub passwords: Passwords,
    /// The console's cookie.
    pub session_cookie: SessionCookie,
    /// Opened signing keys.
    pub keys: moka::future::Cache<Slug, SigningKey>,
    /// Peers found lately.
    pub remotes: moka::future::Cache<Did, peers::Remote>,
    /// Which participant lives at an address, as found lately.
    pub addresses: moka::future::Cache<String, Did>,
    /// Contacts with peers, by participant and what the peer was called, that are in the list of peers already.
    pub noted: moka::future::Cache<(Slug, String), ()>,
    /// What was found on the disk lately.
    pub disk: moka::future::Cache<(), health::Disk>,
    /// Where readers of our catalogues were.
    pub places: catalog_places::Places,
    /// Readings of peers' catalogues.
    pub readings: catalog_copies::Readings,
    /// Runs statements about tables.
    pub sql: Arc<fondaco_tables::sql::Queries>,
    /// Streams in flight.
    pub gate: Gate,
    /// Whose turn it is to take leaves into the log; true while the tree that was signed last is not remembered beside the
    /// database.
    pub log_turn: tokio::sync::Mutex<bool>,
    /// True once the start has looked whether the log may be signed.
    pub log_begun: std::sync::atomic::AtomicBool,
    /// Told of every checkpoint that witnesses have not seen.
    pub log_signed: tokio::sync::Notify,
    /// Refusals that are not written down yet.
    pub refusals: evidence::Refusals,
    /// What was found of stored files whose seals were unknown.
    pub verdicts: Verdicts,
    /// Files of tables as agreements show them.
    pub governor: fondaco_tables::governed::Governor,
    /// Queries that are answered later.
    pub polled: crate::share::PolledQueries,
    /// Lines of the request log on their way to the disk.
    pub requests: Arc<RequestLog>,
    /// Publications being prepared by this process.
    pub runs: publish::Runs,
    /// How many sources are read at once.
    pub preparations: tokio::sync::Semaphore,
    /// True once the node stops: sources are read no further.
    pub stop_reading: Arc<std::sync::atomic::AtomicBool>,
    /// Cancelled when the node begins to stop: long answers end.
    pub stopping: CancellationToken,
    /// When this process began to serve.
    pub started_at: Timestamp,
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("public", &self.config.public.url.as_str()).finish_non_exhaustive()
    }
}

impl App {
    /// Puts the parts together.
    pub fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner), decider: None }
    }
    /// The same, for somebody: what they decide is recorded as theirs.
    #[must_use]
    pub fn by(&self, decider: Decider) -> Self {
        Self { decider: Some(Arc::new(decider)), ..self.clone() }
    }
    /// The cause of what is done now because somebody asked for it.
    pub fn cause(&self) -> Cause {
        Cause::Person(self.decider.as_deref().cloned().unwrap_or_default())
    }
    /// The present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
    /// A fresh opaque id: requests, queries, tokens.
    pub fn fresh_id(&self) -> String {
        fondaco_core::ids::uuid_v7(self.now(), &*self.entropy).simple().to_string()
    }
    /// A random UUID as a URN: message ids.
    pub fn fresh_urn(&self) -> String {
        fondaco_core::ids::uuid_v7(self.now(), &*self.entropy).urn().to_string()
    }
    /// Does what a committed transaction asked for.
    pub fn after_commit(&self, after: Vec<After>) {
        for a in after {
            match a {
                After::CloseAccess(transfer) => self.gate.close(&transfer),
            }
        }
    }
}

/// What follows a commit, in this process. Losing it in a crash does no harm: it only concerns what a crash ends anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Stop the streams of a transfer.
    CloseAccess(TransferId),
}

/// What a writing use case returns from its transaction.
#[derive(Debug)]
pub struct Done<T> {
    /// The answer.
    pub value: T,
    /// What follows.
    pub after: Vec<After>,
}

impl<T> Done<T> {
    /// An answer with nothing to follow.
    pub const fn just(value: T) -> Self {
        Self { value, after: Vec::new() }
    }
}

impl App {
    /// Finishes a use case: performs what follows, returns the answer.
    pub fn finish<T>(&self, done: Done<T>) -> T {
        self.after_commit(done.after);
        done.value
    }
}

/// Reads an optional text filter of bounded length.
///
/// # Errors
/// When it is too long.
pub fn bounded(name: &str, text: &str, max: usize) -> Result<()> {
    if text.chars().count() > max {
        return Err(Error::invalid(format!("\"{name}\" has at most {max} characters.")));
    }
    Ok(())
}
