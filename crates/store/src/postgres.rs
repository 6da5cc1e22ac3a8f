//! Postgres: a few threads, each with a connection, and one queue.
//!
//! Transactions are READ COMMITTED. What a closure changes after reading it, it locks first (`…_lock`, `FOR UPDATE`),
//! compares by revision, or changes in one conditional statement; so nothing depends on a stronger isolation, and a
//! closure never has to run twice. Reads see one snapshot (REPEATABLE READ, READ ONLY).

use crate::{
    conn::{Conn, PostgresConn},
    dialect::{ACCESS_CHANNEL, JOBS_CHANNEL},
    error::StoreError,
    migrate::migrate,
    sqlite::{next, spawn},
    store::{Closing, Context},
    tx::Tx,
    work::Work,
};
use fondaco_core::ids::TransferId;
use postgres::{NoTls, config::SslMode, fallible_iterator::FallibleIterator};
use rustls::{ClientConfig, RootCertStore};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Unanswered packets end a connection after this long.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(15);
/// The server's own limits, so that no statement, lock or forgotten transaction holds a thread for good.
const SERVER_LIMITS: &str = "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s";
/// How often the listener looks whether the store is still there.
const LISTEN_SLICE: Duration = Duration::from_secs(1);
/// A silent connection is probed after this long, so that a dead one is noticed.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// After a failed attempt callers are refused at once for this long, doubling up to the longest.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_LONGEST: Duration = Duration::from_secs(2);

/// Connects, migrates, and starts the threads.
pub(crate) async fn open(
    mut config: postgres::Config,
    connections: usize,
    queue: usize,
    context: Arc<Context>,
) -> Result<mpsc::Sender<Box<dyn Work>>, StoreError> {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    config.tcp_user_timeout(TCP_USER_TIMEOUT).keepalives_idle(KEEPALIVE_IDLE);
    let options = config.get_options().unwrap_or_default().to_owned();
    config.options(&format!("{SERVER_LIMITS} {options}"));
    if config.get_application_name().is_none() {
        config.application_name("fondaco");
    }
    let (sender, receiver) = mpsc::channel::<Box<dyn Work>>(queue);
    let server =
        Arc::new(Server { config: config.clone(), queue: Mutex::new(receiver), context: Arc::clone(&context), away: Mutex::default() });
    let (opened, answer) = oneshot::channel();
    let first_server = Arc::clone(&server);
    spawn("store-postgres", move || {
        let first = first_server.connect().and_then(|mut tx| {
            migrate(tx.conn(), first_server.context.clock.now())?;
            Ok(tx)
        });
        match first {
            Err(error) => {
                let _ = opened.send(Err(error));
            }
            Ok(tx) => {
                let _ = opened.send(Ok(()));
                first_server.serve(Some(tx));
            }
        }
    })?;
    answer.await.map_err(|_| StoreError::Unavailable("the connecting thread ended".into()))??;
    let (listen_config, listener) = (config.clone(), Arc::downgrade(&context));
    let (listening, heard) = oneshot::channel();
    spawn("store-listener", move || listen(&listen_config, &listener, listening))?;
    // If it cannot listen now, it tries again, and the sweep does without it meanwhile.
    let _ = heard.await;
    for _ in 1..connections.max(1) {
        let server = Arc::clone(&server);
        spawn("store-postgres", move || server.serve(None))?;
    }
    Ok(sender)
}

/// TLS with the public roots. The provider is named, because several are linked and rustls would not choose.
fn encryption() -> Result<MakeRustlsConnect, StoreError> {
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| StoreError::Unavailable(e.to_string()))?
        .with_root_certificates(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// `sslmode=require` checks the certificate against the public roots; other modes are for private networks and sockets.
pub(crate) fn connect(config: &postgres::Config) -> Result<postgres::Client, StoreError> {
    let client = match config.get_ssl_mode() {
        SslMode::Require => config.connect(encryption()?),
        _ => config.connect(NoTls),
    };
    client.map_err(|e| {
        let source = std::error::Error::source(&e).map_or_else(String::new, |s| format!(": {s}"));
        StoreError::Unavailable(format!("{e}{source}"))
    })
}

/// Hears of jobs that other processes leave to this one, and of access that they close, until the store is gone. What is
/// missed while the connection is away, the feed's sweep finds; of closings it is told that some may have been missed.
#[expect(clippy::disallowed_methods, reason = "a thread of its own waits for a server to come back")]
fn listen(config: &postgres::Config, context: &Weak<Context>, listening: oneshot::Sender<()>) {
    let mut listening = Some(listening);
    while context.strong_count() > 0 {
        let outcome = connect(config).and_then(|mut client| {
            client.batch_execute(&format!("LISTEN {JOBS_CHANNEL}; LISTEN {ACCESS_CHANNEL}"))?;
            missed(context);
            // Only the first time somebody waits for this.
            let _ = listening.take().map(|sender| sender.send(()));
            hear(&mut client, context)
        });
        listening = None;
        missed(context);
        match outcome {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, "not listening for jobs of other processes"),
        }
        std::thread::sleep(BACKOFF_LONGEST);
    }
}

/// Closings may have been missed: before there was a connection, or since it is gone.
fn missed(context: &Weak<Context>) {
    if let Some(context) = context.upgrade() {
        // Nobody listening is no failure.
        let _ = context.closings.send(Closing::Missed);
    }
}

/// Hears on one connection. `Ok` when the store is gone.
fn hear(client: &mut postgres::Client, context: &Weak<Context>) -> Result<(), StoreError> {
    loop {
        let heard = client.notifications().timeout_iter(LISTEN_SLICE).next()?;
        let Some(context) = context.upgrade() else { return Ok(()) };
        // A closed connection also has nothing to say.
        if heard.is_none() && client.is_closed() {
            return Err(StoreError::Unavailable("the listening connection was closed".into()));
        }
        let Some(heard) = heard else { continue };
        match heard.channel() {
            JOBS_CHANNEL if heard.payload() == context.owner => context.feed.look_for_handed(),
            ACCESS_CHANNEL => {
                if let Some((owner, transfer)) = heard.payload().split_once(' ')
                    && owner != context.owner
                {
                    let _ = context.closings.send(Closing::Transfer(TransferId::from_stored(transfer)));
                }
            }
            _ => (),
        }
    }
}

/// What the threads share.
struct Server {
    config: postgres::Config,
    queue: Mutex<mpsc::Receiver<Box<dyn Work>>>,
    context: Arc<Context>,
    away: Mutex<Option<Away>>,
}

/// The server did not answer: since it is one server, all threads wait before they try again, and none once it is back.
struct Away {
    retry_at: Instant,
    backoff: Duration,
}

impl Server {
    fn away(&self) -> MutexGuard<'_, Option<Away>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection, unless the last attempt failed just now.
    fn connect(&self) -> Result<Tx, StoreError> {
        if self.away().as_ref().is_some_and(|away| Instant::now() < away.retry_at) {
            return Err(StoreError::Unavailable("the database server is away".into()));
        }
        let client = connect(&self.config);
        let mut away = self.away();
        match client {
            Ok(client) => {
                *away = None;
                drop(away);
                Ok(Tx::new(Conn::Postgres(Box::new(PostgresConn::new(client))), Arc::clone(&self.context)))
            }
            Err(error) => {
                tracing::warn!(%error, "the database server is away");
                let now = Instant::now();
                // Attempts of several threads that failed together count once.
                if away.as_ref().is_none_or(|away| away.retry_at <= now) {
                    let backoff = away.as_ref().map_or(BACKOFF_FIRST, |away| (away.backoff * 2).min(BACKOFF_LONGEST));
                    *away = Some(Away { retry_at: now + backoff, backoff });
                }
                Err(error)
            }
        }
    }

    /// A connection with a transaction just begun. One that went away since its last use is noticed here, before the
    /// closure has run, and replaced.
    fn begin(&self, kept: Option<Tx>, read_only: bool) -> Result<Tx, StoreError> {
        if let Some(mut tx) = kept {
            match begin(&mut tx, read_only) {
                Ok(()) => return Ok(tx),
                Err(error) => tracing::warn!(%error, "lost a connection to the database"),
            }
            metrics::counter!("fondaco_store_retries").increment(1);
        }
        let mut tx = self.connect()?;
        begin(&mut tx, read_only)?;
        Ok(tx)
    }

    /// Takes work from the queue until the store is gone.
    fn serve(&self, mut kept: Option<Tx>) {
        while let Some(work) = next(&self.queue) {
            if work.deadline() <= Instant::now() {
                work.answer(Some(StoreError::Unavailable("the database is overloaded".into())));
                continue;
            }
            match self.begin(kept.take(), work.read_only()) {
                Ok(mut tx) => {
                    if run(&mut tx, work) {
                        kept = Some(tx);
                    }
                }
                Err(error) => work.answer(Some(error)),
            }
        }
    }
}

fn begin(tx: &mut Tx, read_only: bool) -> Result<(), StoreError> {
    tx.conn().batch(if read_only { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" } else { "BEGIN" })
}

/// Runs one closure in the transaction just begun. False: the connection is of no more use.
fn run(tx: &mut Tx, mut work: Box<dyn Work>) -> bool {
    let commit = work.run(tx);
    let ended = tx.conn().batch(if commit { "COMMIT" } else { "ROLLBACK" });
    let usable = ended.is_ok();
    match ended {
        Ok(()) => {
            if commit {
                tx.context().publish(work.take_effects());
            }
            work.answer(None);
        }
        // A rollback that failed is a rollback. A commit that failed is an error, or a lost connection.
        Err(error) => work.answer(commit.then_some(error)),
    }
    usable
}

#[cfg(test)]
mod tests {
    #[test]
    fn encryption_needs_no_provider_of_the_process() {
        super::encryption().expect("a client configuration");
    }
}
