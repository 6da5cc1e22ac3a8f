//! Postgres: a few threads, each with a connection, and one queue.
//!
//! Transactions are READ COMMITTED. What a closure changes after reading it, it locks first (`…_lock`, `FOR UPDATE`),
//! compares by revision, or changes in one conditional statement; so nothing depends on a stronger isolation, and a
//! closure never has to run twice. Reads see one snapshot (REPEATABLE READ, READ ONLY).

use crate::{
    conn::{Conn, PostgresConn},
    dialect::JOBS_CHANNEL,
    error::StoreError,
    migrate::migrate,
    sqlite::{next, spawn},
    store::Context,
    tx::Tx,
    work::Work,
};
use postgres::{NoTls, config::SslMode, fallible_iterator::FallibleIterator};
use std::{
    sync::{Arc, Mutex, Weak},
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
    let receiver = Arc::new(Mutex::new(receiver));
    let (opened, answer) = oneshot::channel();
    let (first_config, first_context) = (config.clone(), Arc::clone(&context));
    let first_queue = Arc::clone(&receiver);
    spawn("store-postgres", move || {
        let first = connect(&first_config).and_then(|client| {
            let mut conn = Conn::Postgres(Box::new(PostgresConn::new(client)));
            migrate(&mut conn, first_context.clock.now())?;
            Ok(Tx::new(conn, Arc::clone(&first_context)))
        });
        match first {
            Err(error) => {
                let _ = opened.send(Err(error));
            }
            Ok(tx) => {
                let _ = opened.send(Ok(()));
                serve(&first_config, &first_queue, &first_context, Some(tx));
            }
        }
    })?;
    answer.await.map_err(|_| StoreError::Unavailable("the connecting thread ended".into()))??;
    let (listen_config, listener) = (config.clone(), Arc::downgrade(&context));
    spawn("store-listener", move || listen(&listen_config, &listener))?;
    for _ in 1..connections.max(1) {
        let (config, queue, context) = (config.clone(), Arc::clone(&receiver), Arc::clone(&context));
        spawn("store-postgres", move || serve(&config, &queue, &context, None))?;
    }
    Ok(sender)
}

/// `sslmode=require` checks the certificate against the public roots; other modes are for private networks and sockets.
fn connect(config: &postgres::Config) -> Result<postgres::Client, StoreError> {
    let client = match config.get_ssl_mode() {
        SslMode::Require => config.connect(MakeRustlsConnect::with_webpki_roots()),
        _ => config.connect(NoTls),
    };
    client.map_err(|e| {
        let source = std::error::Error::source(&e).map_or_else(String::new, |s| format!(": {s}"));
        StoreError::Unavailable(format!("{e}{source}"))
    })
}

/// Hears of jobs that other processes leave to this one, until the store is gone. What is missed while the connection
/// is away, the feed's sweep finds.
#[expect(clippy::disallowed_methods, reason = "a thread of its own waits for a server to come back")]
fn listen(config: &postgres::Config, context: &Weak<Context>) {
    while context.strong_count() > 0 {
        match connect(config).and_then(|mut client| hear(&mut client, context)) {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, "not listening for jobs of other processes"),
        }
        std::thread::sleep(BACKOFF_LONGEST);
    }
}

/// Listens on one connection. `Ok` when the store is gone.
fn hear(client: &mut postgres::Client, context: &Weak<Context>) -> Result<(), StoreError> {
    client.batch_execute(&format!("LISTEN {JOBS_CHANNEL}"))?;
    loop {
        let heard = client.notifications().timeout_iter(LISTEN_SLICE).next()?;
        let Some(context) = context.upgrade() else { return Ok(()) };
        // A closed connection also has nothing to say.
        if heard.is_none() && client.is_closed() {
            return Err(StoreError::Unavailable("the listening connection was closed".into()));
        }
        if heard.is_some_and(|n| n.payload() == context.owner) {
            context.feed.look_for_handed();
        }
    }
}

/// Takes work from the queue until the store is gone.
fn serve(config: &postgres::Config, queue: &Mutex<mpsc::Receiver<Box<dyn Work>>>, context: &Arc<Context>, mut tx: Option<Tx>) {
    let mut backoff = BACKOFF_FIRST;
    let mut retry_at: Option<Instant> = None;
    while let Some(work) = next(queue) {
        let now = Instant::now();
        if work.deadline() <= now {
            work.answer(Some(StoreError::Unavailable("the database is overloaded".into())));
            continue;
        }
        // A connection that went away since the last use is noticed at BEGIN, before the closure has run.
        let begun = match tx.as_mut().map(|tx| begin(tx, work.read_only())) {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                tracing::warn!(%error, "lost a connection to the database");
                metrics::counter!("fondaco_store_retries").increment(1);
                tx = None;
                false
            }
            None => false,
        };
        if !begun {
            if retry_at.is_some_and(|at| now < at) {
                work.answer(Some(StoreError::Unavailable("the database server is away".into())));
                continue;
            }
            let fresh = connect(config).and_then(|client| {
                let mut fresh = Tx::new(Conn::Postgres(Box::new(PostgresConn::new(client))), Arc::clone(context));
                begin(&mut fresh, work.read_only())?;
                Ok(fresh)
            });
            match fresh {
                Ok(fresh) => {
                    tx = Some(fresh);
                    (backoff, retry_at) = (BACKOFF_FIRST, None);
                }
                Err(error) => {
                    tracing::warn!(%error, "the database server is away");
                    retry_at = Some(Instant::now() + backoff);
                    backoff = (backoff * 2).min(BACKOFF_LONGEST);
                    work.answer(Some(error));
                    continue;
                }
            }
        }
        if let Some(open) = tx.as_mut()
            && !run(open, work)
        {
            tx = None;
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
