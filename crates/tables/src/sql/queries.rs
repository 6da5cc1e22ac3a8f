//! Statements being run: threads of their own, places for each agreement, an end for each.

use super::{
    Answer, Limits, SqlError, Table,
    answer::{self, Counted},
    engine::{Embedded, Engine, Rows},
    session::{told, while_running},
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use futures::{FutureExt, StreamExt};
use std::{
    collections::HashMap,
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::AbortHandle,
    time::Instant,
};

/// Batches computed ahead of the reader.
const AHEAD: usize = 2;
/// How long a reader may pause before its statement ends: what it holds is needed by others.
const READER_PATIENCE: Duration = Duration::from_mins(1);
/// How long a reader may take in all: he holds one of few places.
const ANSWER_LIFE: Duration = Duration::from_mins(5);
/// Statements of all agreements at once: each may take its memory.
const AT_ONCE: usize = 8;

/// Stack of a thread: the deepest statement takes a few megabytes, and only what is touched takes memory.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Runs statements on threads of its own, as many as the machine has processors, so that a heavy one does not keep the
/// node from answering others. They begin with the first statement.
#[derive(Debug)]
pub struct Queries {
    engine: Arc<dyn Engine>,
    threads: usize,
    runtime: Mutex<Option<Runtime>>,
    all: Arc<Semaphore>,
    places: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Default for Queries {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self::on(Arc::new(Embedded { threads }))
    }
}

impl Queries {
    /// Run by this engine.
    pub fn on(engine: Arc<dyn Engine>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { engine, threads, runtime: Mutex::default(), all: Arc::new(Semaphore::new(AT_ONCE)), places: Mutex::default() }
    }
}

impl Queries {
    fn threads(&self) -> Result<Handle, SqlError> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*runtime {
            return Ok(running.handle().clone());
        }
        let built = Builder::new_multi_thread()
            .worker_threads(self.threads)
            .thread_name("sql")
            .thread_stack_size(STACK_BYTES)
            .enable_time()
            .build();
        let built = built.map_err(|e| SqlError::Failed(e.to_string()))?;
        Ok(runtime.insert(built).handle().clone())
    }

    /// The columns that a statement's answer would have, and what is wrong with it. Nothing is read.
    ///
    /// # Errors
    /// What is wrong with the statement.
    pub(super) async fn describe(&self, table: Table, sql: String, limits: Limits) -> Result<SchemaRef, SqlError> {
        let all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| SqlError::Busy(AT_ONCE))?;
        let work = self.threads()?.spawn(async move {
            let _place = all;
            let state = table.session(table.sealed(), &limits, 1).map_err(|e| SqlError::Failed(e.to_string()))?;
            let plan = table.plan(&state, &sql, &limits).await?;
            // With the types that the answer will have.
            let plan = state.optimize(&plan).map_err(|e| told(&e))?;
            Ok(Arc::new(answer::common(plan.schema().as_arrow())))
        });
        // It ends when nobody waits for it.
        let _work = Work(work.abort_handle());
        work.await.map_err(|e| SqlError::Failed(e.to_string()))?
    }

    /// Runs a statement. `agreement` names whose places it takes. Dropping the answer ends the work.
    ///
    /// # Errors
    /// What is wrong with the statement, or why it cannot run now. Errors on rows come with the answer.
    pub async fn run(&self, agreement: &str, table: Table, sql: String, limits: Limits) -> Result<Answer, SqlError> {
        let place = self.place(agreement, &limits)?;
        self.run_in(place, table, sql, limits).await
    }

    /// Runs a statement in a place that was taken before.
    ///
    /// # Errors
    /// As [`Queries::run`].
    pub async fn run_in(&self, place: Place, table: Table, sql: String, limits: Limits) -> Result<Answer, SqlError> {
        let (runtime, engine) = (self.threads()?, Arc::clone(&self.engine));
        let (sender, batches) = mpsc::channel(AHEAD);
        let (planned, plan) = tokio::sync::oneshot::channel();
        let whole = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&whole);
        let work = runtime.spawn(async move {
            let _place = place;
            let begun = Instant::now();
            let prepared = tokio::time::timeout(limits.time, engine.begin(&table, &sql, &limits)).await;
            match prepared.unwrap_or(Err(SqlError::TooSlow(limits.time.as_secs()))) {
                Ok(Rows(stream)) => {
                    let _ = planned.send(Ok(stream.schema()));
                    forward(stream, limits, begun.elapsed(), sender, &ended).await;
                }
                Err(e) => drop(planned.send(Err(e))),
            }
        });
        let work = Work(work.abort_handle());
        let schema = plan.await.map_err(|_| SqlError::Failed("the planning of a statement ended".into()))??;
        Ok(Answer::new(&schema, batches, whole, work))
    }

    /// A place among the agreement's statements, and among all.
    ///
    /// # Errors
    /// [`SqlError::Busy`] when there is none.
    pub fn place(&self, agreement: &str, limits: &Limits) -> Result<Place, SqlError> {
        let own = self.own_place(agreement, limits.at_once)?;
        let all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| SqlError::Busy(AT_ONCE))?;
        Ok(Place { _own: own, _all: all })
    }

    fn own_place(&self, agreement: &str, at_once: usize) -> Result<OwnedSemaphorePermit, SqlError> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever asks sweeps those that nobody holds.
        places.retain(|id, place| id == agreement || Arc::strong_count(place) > 1);
        let place = places.entry(agreement.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(at_once)));
        Arc::clone(place).try_acquire_owned().map_err(|_| SqlError::Busy(at_once))
    }
}

/// A place to run a statement in; others may have it when this is dropped.
#[derive(Debug)]
pub struct Place {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Drop for Queries {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // Not waiting: an engine may be dropped where waiting is not allowed.
            runtime.shutdown_background();
        }
    }
}

/// A statement being run; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Work(AbortHandle);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A batch of rows, and whether it was the last.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) rows: RecordBatch,
    pub(super) is_last: bool,
}

/// Hands batches on until the end, an error, or a limit.
async fn forward(
    mut stream: SendableRecordBatchStream,
    limits: Limits,
    mut used: Duration,
    sender: mpsc::Sender<Result<Part, SqlError>>,
    whole: &AtomicBool,
) {
    let mut counted = Counted::default();
    let mut ahead = None;
    let end = Instant::now() + ANSWER_LIFE;
    loop {
        let begun = Instant::now();
        let next = match ahead.take() {
            Some(known) => Ok(known),
            None => tokio::time::timeout(limits.time.saturating_sub(used), stream.next()).await,
        };
        let item = match next {
            Ok(None) => {
                whole.store(true, Ordering::Release);
                return;
            }
            Ok(Some(Ok(rows))) => counted.add(&rows, &limits).map(|()| {
                // Who knows that nothing follows can send, and weigh, a small answer in one piece.
                ahead = stream.next().now_or_never();
                Part { rows, is_last: matches!(ahead, Some(None)) }
            }),
            Ok(Some(Err(e))) => Err(while_running(&e)),
            Err(_) => Err(SqlError::TooSlow(limits.time.as_secs())),
        };
        used += begun.elapsed();
        let failed = item.is_err();
        let patience = READER_PATIENCE.min(end.saturating_duration_since(Instant::now()));
        if sender.send_timeout(item, patience).await.is_err() || failed {
            return;
        }
    }
}
