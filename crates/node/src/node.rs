//! A running node: two listeners, the job runner, housekeeping, and an orderly end.

use crate::{
    api, app, console_web, dsp, files,
    http::{error_page, problem::ApiError, request_id, request_log, serve::serve},
    identity::{AccessTokens, Authenticator, DidResolver, authenticator::StaticHeaders, password::Passwords, session::SessionCookie},
    jobs, log, net,
    secrets::{OsEntropy, Sealer},
    share, sql, telemetry,
};
use axum::{Router, extract::Request, middleware, response::Response};
use fondaco_core::{
    Code, Error, Result,
    entropy::Entropy,
    participant::Did,
    time::{Clock, SystemClock},
};
use fondaco_store::{Store, StoreConfig};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use crate::app::App;
use crate::config::{AuthenticatorKind, Config};

/// How long requests and jobs in flight may take after the node was told to stop.
const DRAIN: Duration = Duration::from_secs(20);
/// How long a request's body may pause: senders that trickle do not hold our memory.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Opened signing keys kept: a key is a few hundred bytes.
const KEYS_CACHED: u64 = 20_000;
/// Peers' endpoints kept, and for how long: a peer that moves is found again within a minute.
const REMOTES_CACHED: u64 = 10_000;
/// Sources read at once: reading is bound by the disk, and each takes memory.
const PREPARATIONS_MAX: usize = 2;
const REMOTES_TTL: Duration = Duration::from_mins(1);
/// Notes where a running node listens, for the commands.
pub const RUN_FILE: &str = "run.json";
/// Held while a node uses the folder.
const LOCK_FILE: &str = "node.lock";

/// Where a running node is, as written to [`RUN_FILE`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunInfo {
    /// Its process.
    pub pid: u32,
    /// Its public address.
    pub public: String,
    /// Its admin address.
    pub admin: String,
}

/// A node that accepts requests.
#[derive(Debug)]
pub struct RunningNode {
    /// The use cases, for embedding (the demo, tests).
    pub app: App,
    /// Where the public listener listens.
    pub public_addr: SocketAddr,
    /// Where the admin listener listens.
    pub admin_addr: SocketAddr,
    dir: PathBuf,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    answered: CancellationToken,
    request_log: Option<JoinHandle<()>>,
    _lock: File,
}

/// The node's entry.
#[derive(Debug)]
pub struct Node;

impl Node {
    /// Starts a node where its configuration says.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`], [`Code::DirectoryInUse`], [`Code::DatabaseFromFuture`]…
    pub async fn start(config: Config) -> Result<RunningNode> {
        // Before the ports: a node that runs already should be named as what is in the way.
        let lock = lock(&config.dir)?;
        let public = bind(config.public.listen, "public").await?;
        let admin = bind(config.admin.listen, "admin").await?;
        Self::start_locked(config, public, admin, lock).await
    }

    /// Starts a node on listeners that are open already.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn start_on(config: Config, public: TcpListener, admin: TcpListener) -> Result<RunningNode> {
        let lock = lock(&config.dir)?;
        Self::start_locked(config, public, admin, lock).await
    }

    async fn start_locked(config: Config, public: TcpListener, admin: TcpListener, lock: File) -> Result<RunningNode> {
        let dir = config.dir.clone();
        telemetry::metrics();
        let app = open_app(config).await?;
        // Before anybody can ask for a signature, of the log's key or the witness's.
        log::memory::compare(&app).await?;
        if let Err(e) = app.remove_leftovers().await {
            // They take room and no more.
            tracing::warn!(cause = e.internal().unwrap_or_default(), "publish.leftover {e}");
        }
        let feed = app.store.job_feed().await?;
        let answered = CancellationToken::new();
        // Before the listeners, and stopped after them: no request goes without its line.
        let lines = if app.config.log.requests_days > 0 { app.requests.open() } else { None };
        let request_log = lines.map(|lines| tokio::spawn(request_log::run(app.clone(), lines, answered.clone())));
        let stop = app.stopping.clone();
        let (public_addr, admin_addr) = (local(&public)?, local(&admin)?);
        let tasks = vec![
            tokio::spawn(serve(public, public_router(&app), stop.clone())),
            tokio::spawn(serve(admin, admin_router(&app), stop.clone())),
            tokio::spawn(jobs::runner::run(app.clone(), feed, stop.clone())),
            tokio::spawn(jobs::housekeeping::run(app.clone(), stop.clone())),
            tokio::spawn(jobs::reports::run(app.clone(), stop.clone())),
            tokio::spawn(follow_closings(app.clone(), stop.clone())),
            tokio::spawn(log::sequencer::run(app.clone(), stop.clone())),
            tokio::spawn(log::asking::run(app.clone(), stop.clone())),
        ];
        let info = RunInfo { pid: std::process::id(), public: format!("http://{public_addr}"), admin: format!("http://{admin_addr}") };
        write_run_file(&dir, &info)?;
        tracing::info!(public = %public_addr, admin = %admin_addr, url = %app.config.public.url, "node.ready");
        Ok(RunningNode { app, public_addr, admin_addr, dir, stop, tasks, answered, request_log, _lock: lock })
    }
}

impl RunningNode {
    /// Stops accepting, finishes what is in flight, closes the database.
    pub async fn shutdown(self) {
        tracing::info!("node.stopping");
        self.stop.cancel();
        self.app.stop_reading.store(true, std::sync::atomic::Ordering::Relaxed);
        self.app.runs.cancel_all();
        for task in self.tasks {
            if tokio::time::timeout(DRAIN, task).await.is_err() {
                tracing::warn!("node.drain_timeout: requests or jobs were still in flight after {} s", DRAIN.as_secs());
            }
        }
        // After the listeners: until then others are refused.
        if let Err(e) = self.app.refusals_settle().await {
            tracing::warn!(cause = e.internal().unwrap_or_default(), "node.stopping: refusals that were counted could not be written: {e}");
        }
        self.answered.cancel();
        if let Some(request_log) = self.request_log
            && tokio::time::timeout(DRAIN, request_log).await.is_err()
        {
            tracing::warn!("node.drain_timeout: the last lines of the request log could not be written");
        }
        let _ = std::fs::remove_file(self.dir.join(RUN_FILE));
        tracing::info!("node.stopped");
    }
}

async fn bind(addr: SocketAddr, what: &str) -> Result<TcpListener> {
    TcpListener::bind(addr).await.map_err(|e| {
        Error::new(
            Code::ConfigInvalid,
            format!("The {what} listener cannot use {addr}: {e}. Another program may use it; change {what}.listen in fondaco.toml."),
        )
    })
}

fn local(listener: &TcpListener) -> Result<SocketAddr> {
    listener.local_addr().map_err(Error::internal_failure)
}

/// One process per folder: SQLite and the job runner count on it.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK_FILE);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| Error::new(Code::ConfigInvalid, format!("{} cannot be opened: {e}", path.display())))?;
    file.try_lock().map_err(|_| Error::new(Code::DirectoryInUse, format!("Another node is using {}. Stop it first.", dir.display())))?;
    Ok(file)
}

fn write_run_file(dir: &Path, info: &RunInfo) -> Result<()> {
    let temporary = dir.join(".run.json.new");
    let text = serde_json::to_vec(info).map_err(Error::internal_failure)?;
    std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, dir.join(RUN_FILE))).map_err(Error::internal_failure)
}

/// Opens everything a node works with, without listening: for `init`, `doctor` and tests as well.
///
/// # Errors
/// As [`Node::start`].
pub async fn open_app(config: Config) -> Result<App> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    open_app_with(config, clock).await
}

/// As [`open_app`], by another clock.
///
/// # Errors
/// As [`Node::start`].
pub async fn open_app_with(config: Config, clock: Arc<dyn Clock>) -> Result<App> {
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let sealer = Sealer::load_or_create(&config.dir, &*entropy)?;
    let store = Store::open(&StoreConfig::new(config.database_url()), Arc::clone(&clock), Arc::clone(&entropy)).await?;
    let rule = net::NetworkRule {
        allow_private: config.network.allow_private,
        allow_loopback: config.is_loopback(),
        allow_http: config.network.allow_http,
    };
    let outbound = net::Outbound::trusting(rule, config.ca_file().as_deref())?;
    assemble(config, Parts { store, clock, entropy, sealer, outbound })
}

/// What an [`App`] is put together from, beside its configuration.
pub struct Parts {
    /// The database, open.
    pub store: Store,
    /// The time, the store's own too.
    pub clock: Arc<dyn Clock>,
    /// Randomness, the store's own too.
    pub entropy: Arc<dyn Entropy>,
    /// Secrets at rest.
    pub sealer: Sealer,
    /// The way out.
    pub outbound: net::Outbound,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Puts an [`App`] together; nothing of it runs yet.
///
/// # Errors
/// [`Code::ConfigInvalid`] and others for what the configuration says of identities.
pub fn assemble(config: Config, parts: Parts) -> Result<App> {
    let Parts { store, clock, entropy, sealer, outbound } = parts;
    let resolver = DidResolver::new(outbound.clone(), Arc::clone(&clock));
    if config.identity.authenticator != AuthenticatorKind::Did {
        tracing::warn!(
            authenticator = ?config.identity.authenticator,
            "identity.unproven: peers prove nothing about who they are, so anybody who reaches this node can act as any of them. \
             This is for tests with connectors that do the same. Remove identity.authenticator from the configuration for anything else."
        );
    }
    let authenticator = match config.identity.authenticator {
        AuthenticatorKind::Did => Authenticator::Did(resolver.clone()),
        AuthenticatorKind::EdcMock => Authenticator::EdcMock,
        AuthenticatorKind::Static => {
            let peers = config.identity.static_peers.iter();
            let peers: Vec<(&str, Did)> = peers.map(|(header, did)| Ok((header.as_str(), Did::parse(did)?))).collect::<Result<_>>()?;
            let outgoing = config.identity.static_outgoing.clone();
            Authenticator::Static(StaticHeaders::new(peers, outgoing))
        }
    };
    let admin_url = match &config.admin.url {
        Some(url) => url.clone(),
        None => url::Url::parse(&format!("http://{}", config.admin.listen)).map_err(Error::internal_failure)?,
    };
    let cache = fondaco_tables::governed::Cache::open(&config.governed_dir(), config.tables.cache_bytes)
        .map_err(|e| Error::new(Code::ConfigInvalid, format!("{} cannot be used: {e}.", config.governed_dir().display())))?;
    Ok(App::new(app::Inner {
        governor: fondaco_tables::governed::Governor::new(cache),
        polled: crate::share::PolledQueries::default(),
        access_tokens: AccessTokens::new(&sealer),
        passwords: Passwords::new(&*entropy),
        session_cookie: SessionCookie::new(&admin_url),
        keys: moka::future::Cache::new(KEYS_CACHED),
        remotes: moka::future::Cache::builder().max_capacity(REMOTES_CACHED).time_to_live(REMOTES_TTL).build(),
        addresses: moka::future::Cache::builder().max_capacity(REMOTES_CACHED).time_to_live(REMOTES_TTL).build(),
        noted: moka::future::Cache::builder().max_capacity(REMOTES_CACHED).time_to_live(app::peers::NOTED_TTL).build(),
        disk: moka::future::Cache::builder().max_capacity(1).time_to_live(app::health::DISK_FRESH).build(),
        places: app::catalog_places::Places::default(),
        readings: app::catalog_copies::Readings::default(),
        sql: Arc::default(),
        gate: app::gate::Gate::default(),
        log_turn: tokio::sync::Mutex::default(),
        log_begun: std::sync::atomic::AtomicBool::default(),
        log_signed: tokio::sync::Notify::new(),
        refusals: app::evidence::Refusals::default(),
        verdicts: files::seal::Verdicts::default(),
        requests: Arc::default(),
        runs: app::publish::Runs::default(),
        preparations: tokio::sync::Semaphore::new(PREPARATIONS_MAX),
        stop_reading: std::sync::Arc::default(),
        stopping: CancellationToken::new(),
        started_at: clock.now(),
        config,
        store,
        clock,
        entropy,
        sealer,
        outbound,
        resolver,
        authenticator,
    }))
}

/// Ends streams of this process whose access another process closed, until the node stops.
async fn follow_closings(app: App, stop: CancellationToken) {
    tokio::select! {
        () = app.gate.follow(app.store.closings()) => (),
        () = stop.cancelled() => (),
    }
}

/// What other organisations reach.
pub fn public_router(app: &App) -> Router {
    let participant = Router::new()
        .merge(dsp::router())
        .nest("/share", share::router())
        .nest("/files", files::surface::router())
        .nest("/sql", sql::router());
    let router =
        dsp::root_router().nest("/p/{slug}", participant).merge(log::surface::router()).merge(sql::flight_router(app)).fallback(unknown);
    with_request_ids(router, app, "public")
}

/// What our own people and programs reach.
pub fn admin_router(app: &App) -> Router {
    let router = api::router().merge(console_web::router(app));
    with_request_ids(router, app, "admin")
}

fn with_request_ids(router: Router<App>, app: &App, surface: &'static str) -> Router {
    let state = app.clone();
    router
        .route("/errors/{code}", axum::routing::get(error_page::show))
        .layer(tower_http::timeout::RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(move |request: Request, next: middleware::Next| {
            let app = state.clone();
            async move { request_id::layer(app, surface, request, next).await }
        }))
        .with_state(app.clone())
}

#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    axum::response::IntoResponse::into_response(ApiError(Error::internal_failure(format!("panic: {}", text.unwrap_or("?")))))
}

async fn unknown() -> ApiError {
    ApiError(Error::new(Code::NotFound, "There is nothing at this address."))
}
