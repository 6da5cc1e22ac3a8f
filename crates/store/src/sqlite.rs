//! SQLite: one writer thread that commits in groups, and a few reader threads.
//!
//! While one group waits for the disk, the next one gathers in the queue: with `synchronous=FULL` a commit costs an
//! fsync, and a group of many costs the same one. Each closure runs in a SAVEPOINT of its own.

use crate::{conn::Conn, error::StoreError, migrate::migrate, store::Context, tx::Tx, work::Work};
use rusqlite::config::DbConfig;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

/// Most transactions in one commit: bounds how long the first of a group waits.
const GROUP_MAX: usize = 128;
/// How long a connection waits for another process's lock (a backup, a checkpoint).
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Page cache of one connection in KiB: three connections stay well within a node's 60 MB. The file is not read in place
/// (`mmap_size`): pages count as resident for each connection that touched them, and on a database of 1.8 GB a page of
/// 500 products takes 1.1 ms through this cache and 1.0 ms in place, a search of 5,000 products 4.8 and 4.1 ms.
const CACHE_KIB: i64 = 4_096;
/// Prepared statements kept per connection: more than there are statements.
const STATEMENTS_MAX: usize = 256;

/// Pages in the log before they are brought into the file: 16 MB. A negotiation writes the same few pages again and
/// again; with SQLite's 1,000 they would be copied every dozen negotiations. Reading the log at start takes milliseconds.
const CHECKPOINT_PAGES: i64 = 4_000;

/// The queues of the two kinds of threads.
pub(crate) struct Queues {
    pub(crate) writes: mpsc::Sender<Box<dyn Work>>,
    pub(crate) reads: mpsc::Sender<Box<dyn Work>>,
}

/// Opens the file (or memory, without a path), migrates it, and starts the threads.
pub(crate) async fn open(path: Option<PathBuf>, readers: usize, queue: usize, context: Arc<Context>) -> Result<Queues, StoreError> {
    let (writes, mut write_queue) = mpsc::channel::<Box<dyn Work>>(queue);
    let (opened, answer) = oneshot::channel();
    let (writer_path, writer_context) = (path.clone(), Arc::clone(&context));
    spawn("store-writer", move || {
        let mut tx = match connect(writer_path.as_deref()).and_then(|conn| {
            conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
            // What a savepoint keeps for its undoing, a few pages, would go to a temporary file beyond 64 KB.
            conn.pragma_update(None, "temp_store", "MEMORY")?;
            let mut conn = Conn::Sqlite(Box::new(conn));
            migrate(&mut conn, writer_context.clock.now())?;
            Ok(Tx::new(conn, writer_context))
        }) {
            Ok(tx) => tx,
            Err(error) => {
                let _ = opened.send(Err(error));
                return;
            }
        };
        let _ = opened.send(Ok(()));
        while let Some(first) = write_queue.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP_MAX
                && let Ok(work) = write_queue.try_recv()
            {
                group.push(work);
            }
            commit_group(&mut tx, group);
        }
    })?;
    answer.await.map_err(|_| StoreError::Unavailable("the writer thread ended".into()))??;

    // A database in memory has one connection.
    let Some(path) = path else { return Ok(Queues { reads: writes.clone(), writes }) };
    let (reads, read_queue) = mpsc::channel::<Box<dyn Work>>(queue);
    let read_queue = Arc::new(Mutex::new(read_queue));
    for _ in 0..readers.max(1) {
        let conn = connect(Some(&path))?;
        conn.pragma_update(None, "query_only", true)?;
        let mut tx = Tx::new(Conn::Sqlite(Box::new(conn)), Arc::clone(&context));
        let queue = Arc::clone(&read_queue);
        spawn("store-reader", move || {
            while let Some(work) = next(&queue) {
                read(&mut tx, work);
            }
        })?;
    }
    Ok(Queues { writes, reads })
}

/// The next piece of work from a queue that several threads share; `None` when the store is gone.
pub(crate) fn next(queue: &Mutex<mpsc::Receiver<Box<dyn Work>>>) -> Option<Box<dyn Work>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}

/// A named thread.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    spawned.map(drop).map_err(|e| StoreError::Unavailable(format!("no thread: {e}")))
}

/// A connection for writing.
pub(crate) fn connect(path: Option<&Path>) -> Result<rusqlite::Connection, StoreError> {
    let conn = match path {
        None => rusqlite::Connection::open_in_memory()?,
        Some(path) => {
            create_private(path)?;
            rusqlite::Connection::open(path)?
        }
    };
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    // A statement keeps its plan whatever is bound to it. Else SQLite plans many of them anew each time they are run, to see
    // whether the new values allow a partial index.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(conn)
}

/// The file holds sealed keys and password hashes: its owner's only. SQLite gives its WAL the same mode.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|e| StoreError::Unavailable(format!("cannot open the database file: {e}")))
}

fn in_transaction(tx: &mut Tx) -> bool {
    match tx.conn() {
        Conn::Sqlite(conn) => !conn.is_autocommit(),
        Conn::Postgres(_) => false,
    }
}

/// Runs a group in one transaction: commits once, then publishes and answers in order.
fn commit_group(tx: &mut Tx, group: Vec<Box<dyn Work>>) {
    let now = Instant::now();
    let mut waiting = Vec::with_capacity(group.len());
    for work in group {
        if work.deadline() > now {
            waiting.push(work);
        } else {
            work.answer(Some(StoreError::Unavailable("the database is overloaded".into())));
        }
    }
    if waiting.is_empty() {
        return;
    }
    if let Err(error) = tx.conn().control("BEGIN IMMEDIATE") {
        for work in waiting {
            work.answer(Some(error.clone()));
        }
        return;
    }
    // One alone needs nothing to be told apart from.
    let apart = waiting.len() > 1;
    let mut waiting = waiting.into_iter();
    let mut done: Vec<Box<dyn Work>> = Vec::with_capacity(waiting.len());
    let mut ended = Ok(true);
    for mut work in waiting.by_ref() {
        ended = run(tx, work.as_mut(), apart);
        done.push(work);
        if ended.is_err() {
            break;
        }
    }
    let committed = match ended {
        Ok(true) => tx.conn().control("COMMIT"),
        Ok(false) => tx.conn().control("ROLLBACK"),
        Err(error) => Err(error),
    };
    if committed.is_err() && in_transaction(tx) {
        // If even this fails, the next BEGIN does, and says so.
        let _ = tx.conn().control("ROLLBACK");
    }
    let failure = committed.err();
    for mut work in done {
        if failure.is_none() {
            tx.context().publish(work.take_effects());
        }
        work.answer(failure.clone());
    }
    if let Some(error) = failure {
        for work in waiting {
            work.answer(Some(error.clone()));
        }
    }
}

/// Runs one of a group; whether there is anything to commit. `apart`: what it wrote is undone by itself if it fails.
fn run(tx: &mut Tx, work: &mut dyn Work, apart: bool) -> Result<bool, StoreError> {
    if apart {
        tx.conn().control("SAVEPOINT work")?;
    }
    let commit = work.run(tx);
    // A full disk or a failing one makes SQLite roll back everything, the group included.
    if !in_transaction(tx) {
        return Err(StoreError::Unavailable("the database rolled the transaction back".into()));
    }
    if !apart {
        return Ok(commit);
    }
    if !commit {
        tx.conn().control("ROLLBACK TO work")?;
    }
    tx.conn().control("RELEASE work")?;
    Ok(true)
}

fn read(tx: &mut Tx, mut work: Box<dyn Work>) {
    if work.deadline() <= Instant::now() {
        return work.answer(Some(StoreError::Unavailable("the database is overloaded".into())));
    }
    let mut failure = tx.conn().control("BEGIN").err();
    if failure.is_none() {
        work.run(tx);
        failure = tx.conn().control("ROLLBACK").err();
    }
    work.answer(failure);
}
