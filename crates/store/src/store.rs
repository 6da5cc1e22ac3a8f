//! The handle: open a database, run transactions and reads, follow events, take jobs.

use crate::{
    config::{StoreConfig, Target},
    error::StoreError,
    feed::{Feed, JobFeed},
    participants::{Found, Participants},
    postgres, sqlite,
    tx::{Effects, Tx, events::Event},
    watch::{Watch, Watches},
    work::{TxWork, Work},
};
use fondaco_core::{
    entropy::Entropy,
    ids::{TransferId, uuid_v7},
    participant::{Participant, Slug},
    time::Clock,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Notify, broadcast, mpsc, oneshot};

/// Transactions waiting for a thread. At 1,000 a second that is a second of work; beyond it callers wait to enter.
const QUEUE_MAX: usize = 1_024;
/// Longest wait for a place in the queue and then for a thread: a page must not hang longer.
const QUEUE_WAIT_MAX: Duration = Duration::from_secs(10);
/// Events a slow subscriber may lag behind before it must read them from the database.
const EVENTS_BUFFERED: usize = 1_024;

/// Closings of other processes that wait to be looked at; beyond it some are missed, which their receiver is told.
const CLOSINGS_BUFFERED: usize = 1_024;

/// What every connection's thread shares.
pub(crate) struct Context {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// This process among those that do jobs.
    pub(crate) owner: String,
    pub(crate) events: broadcast::Sender<Arc<Event>>,
    pub(crate) watches: Arc<Watches>,
    pub(crate) participants: Participants,
    pub(crate) feed: Feed,
    /// Leaves were written since somebody last asked.
    pub(crate) leaves: Notify,
    pub(crate) closings: broadcast::Sender<Closing>,
}

/// What is heard of access that another process closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closing {
    /// That under this transfer.
    Transfer(TransferId),
    /// Something may have been missed: nobody knows of what.
    Missed,
}

impl Context {
    /// After a commit: events go out, jobs go to the feed.
    pub(crate) fn publish(&self, effects: Effects) {
        for slug in &effects.participants {
            self.participants.changed(slug);
        }
        if effects.leaves {
            self.leaves.notify_one();
        }
        self.watches.publish(&effects.events);
        if self.events.receiver_count() > 0 {
            for event in effects.events {
                // Nobody listening any more is no failure.
                let _ = self.events.send(Arc::new(event));
            }
        }
        if !effects.jobs.is_empty() {
            self.feed.apply(effects.jobs);
        }
    }
}

/// A handle to the database. Cheap to clone; the threads end with the last one.
#[derive(Clone)]
pub struct Store {
    writes: mpsc::Sender<Box<dyn Work>>,
    reads: mpsc::Sender<Box<dyn Work>>,
    pub(crate) context: Arc<Context>,
    pub(crate) shared_database: bool,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("postgres", &self.shared_database).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a database and brings it to this program's schema.
    ///
    /// # Errors
    /// [`StoreError::Config`] for an address that names no database, [`StoreError::FromFuture`] and
    /// [`StoreError::MigrationChanged`] for one this program must not touch, [`StoreError::Unavailable`].
    pub async fn open(config: &StoreConfig, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, StoreError> {
        let owner = uuid_v7(clock.now(), entropy.as_ref()).simple().to_string();
        let (events, _) = broadcast::channel(EVENTS_BUFFERED);
        let context = Arc::new(Context {
            clock,
            entropy,
            owner,
            events,
            watches: Arc::default(),
            participants: Participants::default(),
            feed: Feed::default(),
            leaves: Notify::new(),
            closings: broadcast::channel(CLOSINGS_BUFFERED).0,
        });
        let target = config.target()?;
        let shared_database = matches!(target, Target::Postgres(_));
        let (writes, reads) = match target {
            Target::Postgres(server) => {
                let queue = postgres::open(*server, config.postgres_connections, QUEUE_MAX, Arc::clone(&context)).await?;
                (queue.clone(), queue)
            }
            Target::Memory | Target::File(_) => {
                let path = if let Target::File(path) = target { Some(path) } else { None };
                let queues = sqlite::open(path, config.sqlite_readers, QUEUE_MAX, Arc::clone(&context)).await?;
                (queues.writes, queues.reads)
            }
        };
        Ok(Self { writes, reads, context, shared_database })
    }

    /// Runs a transaction on a thread with a connection. `Ok` from the closure commits, and this returns once that is
    /// durable; `Err` or a panic rolls back. `name` is a fixed text: it labels metrics and spans.
    ///
    /// The closure must not wait for anything but the database, least of all for this store. Dropping the future does
    /// not undo the transaction. Needs a Tokio runtime.
    ///
    /// # Errors
    /// What the closure says; [`StoreError::Unavailable`] when no thread was free in time or the commit failed;
    /// [`StoreError::Panicked`]; and the first failed statement, if the closure ignored it.
    pub async fn tx<T, E, F>(&self, name: &'static str, closure: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.submit(&self.writes, name, false, closure).await
    }

    /// Runs a closure that only reads, on one snapshot. A statement that writes or locks fails.
    ///
    /// # Errors
    /// As [`Store::tx`].
    pub async fn read<T, E, F>(&self, name: &'static str, closure: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.submit(&self.reads, name, true, closure).await
    }

    async fn submit<T, E, F>(&self, queue: &mpsc::Sender<Box<dyn Work>>, name: &'static str, read_only: bool, closure: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let started = Instant::now();
        let (reply, answer) = oneshot::channel();
        let work: Box<dyn Work> = Box::new(TxWork {
            name,
            closure: Some(closure),
            result: None,
            effects: Effects::default(),
            read_only,
            deadline: started + QUEUE_WAIT_MAX,
            span: tracing::debug_span!("tx", name),
            reply,
        });
        let gone = || E::from(StoreError::Unavailable("the database threads have ended".into()));
        match tokio::time::timeout(QUEUE_WAIT_MAX, queue.send(work)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(gone()),
            Err(_) => return Err(E::from(StoreError::Unavailable("the database is overloaded".into()))),
        }
        let result = answer.await.map_err(|_| gone()).and_then(|result| result);
        metrics::histogram!("fondaco_store_tx_seconds", "name" => name).record(started.elapsed().as_secs_f64());
        if !read_only {
            let outcome = if result.is_ok() { "fondaco_store_commits" } else { "fondaco_store_rollbacks" };
            metrics::counter!(outcome, "name" => name).increment(1);
        }
        result
    }

    /// A participant. On a database of this process alone, from memory if it was read before and not changed since.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn participant(&self, slug: &Slug) -> Result<Option<Participant>, StoreError> {
        let found_at = match self.context.participants.find(slug) {
            Found::Kept(participant) => return Ok(Some(*participant)),
            Found::Unknown(at) => at,
        };
        let wanted = slug.clone();
        let read = self.read("participant.get", move |tx| tx.participant_get(&wanted)).await?;
        if let Some(participant) = &read
            && !self.shared_database
        {
            self.context.participants.keep(participant, found_at);
        }
        Ok(read)
    }

    /// Changes under one topic from now on, as committed by this process.
    pub fn watch(&self, participant: &Slug, topic: &str) -> Watch {
        self.context.watches.watch(participant, topic)
    }

    /// Events of this process, each after its commit. A receiver that lags reads what it missed from the database.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.context.events.subscribe()
    }

    /// Access that other processes on this database closed, from now on. A receiver that lags has missed some.
    pub fn closings(&self) -> broadcast::Receiver<Closing> {
        self.context.closings.subscribe()
    }

    /// Begins to hand out jobs in this process, those left by an earlier one included.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when this store's feed is in use already.
    pub async fn job_feed(&self) -> Result<JobFeed, StoreError> {
        JobFeed::start(self.clone()).await
    }

    /// Waits until this process committed leaves that nobody waited for before. For one waiter.
    pub async fn leaves_written(&self) {
        self.context.leaves.notified().await;
    }

    /// Whether other processes may write to the same database.
    pub const fn is_shared(&self) -> bool {
        self.shared_database
    }

    /// Looks again which jobs are due: for clocks that were moved by hand.
    pub fn wake(&self) {
        self.context.feed.wake();
    }

    /// Compiles every statement of the store against the database: for diagnosis and tests.
    ///
    /// # Errors
    /// The first statement that does not compile, by name.
    pub async fn check_statements(&self) -> Result<usize, StoreError> {
        self.tx("check_statements", |tx: &mut Tx| tx.check_statements()).await
    }
}
