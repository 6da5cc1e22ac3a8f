//! The feed of jobs: what is due, in order, as soon as it is committed.
//!
//! The outbox is the table; the feed is this process's view of its own part of it, kept up to date by every commit.
//! So an idle node does not poll, and a job that is due at once costs no further statement to claim. Delivery is at
//! least once: a job leaves the table when it is finished, and one that was handed out and not finished comes again
//! after a restart. On Postgres other processes may write jobs for this one, and processes die: a slow sweep, hurried
//! by `NOTIFY`, renews the lease and looks for both.

use crate::{
    error::StoreError,
    store::Store,
    tx::{
        Tx,
        jobs::{Job, JobChange},
    },
};
use fondaco_core::{
    ids::JobId,
    participant::Slug,
    time::{Micros, Timestamp},
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, task::JoinHandle};

/// Most jobs in memory; beyond it new ones are refused. A job is about 1 KB.
const FEED_MAX: usize = 100_000;
/// How long a process may be silent before others take over its jobs.
const LEASE: Micros = Micros::from_secs(30);
/// How often it renews its lease and looks for jobs left to it: several times within a lease.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Longest sleep before the clock is looked at again: clocks get set.
const SLEEP_MAX: Duration = Duration::from_mins(1);

/// Jobs of one participant with the same key are done one after another.
type Key = (Slug, String);

#[derive(Default)]
struct Queue {
    /// Its jobs, in order.
    jobs: BTreeSet<i64>,
    /// The one handed out.
    in_progress: Option<i64>,
    /// The one in `State::due`.
    waiting: Option<(Timestamp, i64)>,
}

#[derive(Default)]
struct State {
    active: bool,
    jobs: HashMap<i64, Job>,
    by_id: HashMap<JobId, i64>,
    queues: HashMap<Key, Queue>,
    /// The head of each queue that has nothing in progress.
    due: BTreeSet<(Timestamp, i64)>,
    /// While the table is read: what was finished meanwhile, so that an older snapshot does not bring it back.
    gone_while_loading: Option<HashSet<JobId>>,
}

/// What is to be done next.
enum Next {
    Job(Box<Job>),
    At(Timestamp),
    Nothing,
}

impl State {
    fn add(&mut self, job: Job) {
        if self.jobs.contains_key(&job.seq) || self.gone_while_loading.as_ref().is_some_and(|gone| gone.contains(&job.id)) {
            return;
        }
        let key = (job.participant.clone(), job.key.clone());
        self.queues.entry(key.clone()).or_default().jobs.insert(job.seq);
        self.by_id.insert(job.id.clone(), job.seq);
        self.jobs.insert(job.seq, job);
        self.refresh(&key);
    }

    fn remove(&mut self, id: &JobId) {
        if let Some(gone) = &mut self.gone_while_loading {
            gone.insert(id.clone());
        }
        let Some(job) = self.by_id.remove(id).and_then(|seq| self.jobs.remove(&seq)) else { return };
        let key = (job.participant, job.key);
        if let Some(queue) = self.queues.get_mut(&key) {
            queue.jobs.remove(&job.seq);
            if queue.in_progress == Some(job.seq) {
                queue.in_progress = None;
            }
        }
        self.refresh(&key);
    }

    fn retry(&mut self, id: &JobId, run_at: Timestamp, attempts: u32, error: String) {
        let Some(job) = self.by_id.get(id).and_then(|seq| self.jobs.get_mut(seq)) else { return };
        job.run_at = run_at;
        job.attempts = attempts;
        job.last_error = Some(error);
        let (key, seq) = ((job.participant.clone(), job.key.clone()), job.seq);
        if let Some(queue) = self.queues.get_mut(&key)
            && queue.in_progress == Some(seq)
        {
            queue.in_progress = None;
        }
        self.refresh(&key);
    }

    /// Puts the head of a queue where [`State::next`] finds it, unless the queue has a job in progress.
    fn refresh(&mut self, key: &Key) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        if let Some(waiting) = queue.waiting.take() {
            self.due.remove(&waiting);
        }
        let Some(head) = queue.jobs.first().copied() else {
            self.queues.remove(key);
            return;
        };
        if queue.in_progress.is_none()
            && let Some(job) = self.jobs.get(&head)
        {
            queue.waiting = Some((job.run_at, head));
            self.due.insert((job.run_at, head));
        }
    }

    fn next(&mut self, now: Timestamp) -> Next {
        let Some((run_at, seq)) = self.due.first().copied() else { return Next::Nothing };
        if run_at > now {
            return Next::At(run_at);
        }
        self.due.remove(&(run_at, seq));
        let Some(job) = self.jobs.get(&seq).cloned() else { return Next::Nothing };
        if let Some(queue) = self.queues.get_mut(&(job.participant.clone(), job.key.clone())) {
            queue.waiting = None;
            queue.in_progress = Some(seq);
        }
        Next::Job(Box::new(job))
    }
}

/// The state that commits and the [`JobFeed`] share.
#[derive(Default)]
pub(crate) struct Feed {
    state: Mutex<State>,
    changed: Notify,
    /// Another process left a job to this one.
    handed: Notify,
}

impl Feed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Another process says that it left a job to this one.
    pub(crate) fn look_for_handed(&self) {
        self.handed.notify_one();
    }

    /// Whether no further job fits.
    pub(crate) fn is_full(&self) -> bool {
        self.state().jobs.len() >= FEED_MAX
    }

    /// After a commit.
    pub(crate) fn apply(&self, changes: Vec<JobChange>) {
        let mut state = self.state();
        if !state.active {
            return;
        }
        for change in changes {
            match change {
                JobChange::Added(job) => state.add(job),
                JobChange::Gone(id) => state.remove(&id),
                JobChange::Retry { id, run_at, attempts, error } => state.retry(&id, run_at, attempts, error),
            }
        }
        drop(state);
        self.wake();
    }

    fn load(&self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let mut state = self.state();
        for job in jobs {
            state.add(job);
        }
        drop(state);
        self.wake();
    }

    fn begin_loading(&self) {
        self.state().gone_while_loading = Some(HashSet::new());
    }

    fn end_loading(&self, jobs: Vec<Job>) {
        self.load(jobs);
        self.state().gone_while_loading = None;
    }
}

/// Hands out jobs, one [`JobFeed::next`] at a time. One per store; dropping it stops it.
#[derive(Debug)]
pub struct JobFeed {
    store: Store,
    sweep: Option<JoinHandle<()>>,
}

impl JobFeed {
    pub(crate) async fn start(store: Store) -> Result<Self, StoreError> {
        {
            let mut state = store.context.feed.state();
            if state.active {
                return Err(StoreError::Conflict("this store's jobs are being handed out already".into()));
            }
            *state = State { active: true, ..State::default() };
        }
        // From here on dropping the feed deactivates it, also if what follows fails or is cancelled.
        let mut feed = Self { store, sweep: None };
        begin(&feed.store).await?;
        if feed.store.shared_database {
            feed.sweep = Some(tokio::spawn(sweep(feed.store.clone())));
        }
        Ok(feed)
    }

    /// Waits until a job is due and hands it out. Its key then waits until the job is finished, put off or dropped in
    /// a transaction. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> Job {
        let context = &self.store.context;
        loop {
            let next = context.feed.state().next(context.clock.now());
            match next {
                Next::Job(job) => return *job,
                Next::Nothing => context.feed.changed.notified().await,
                Next::At(run_at) => {
                    let wait = run_at.since(context.clock.now()).to_std().min(SLEEP_MAX);
                    // Either way the clock decides anew.
                    let _ = tokio::time::timeout(wait, context.feed.changed.notified()).await;
                }
            }
        }
    }

    /// Looks again which jobs are due: for clocks that were moved by hand.
    pub fn wake(&self) {
        self.store.wake();
    }

    /// Stops, and leaves this process's jobs to others at once.
    ///
    /// # Errors
    /// When the database cannot be told; the lease then ends by itself.
    pub async fn stop(self) -> Result<(), StoreError> {
        let store = self.store.clone();
        drop(self);
        store.tx("jobs_end", |tx: &mut Tx| tx.jobs_end()).await
    }
}

impl Drop for JobFeed {
    fn drop(&mut self) {
        if let Some(sweep) = self.sweep.take() {
            sweep.abort();
        }
        *self.store.context.feed.state() = State::default();
    }
}

/// Takes a lease and loads this process's jobs.
async fn begin(store: &Store) -> Result<(), StoreError> {
    let alone = !store.shared_database;
    store.context.feed.begin_loading();
    let loaded = store.tx("jobs_begin", move |tx: &mut Tx| tx.jobs_begin(tx.now().plus(LEASE), alone)).await;
    let (jobs, result) = match loaded {
        Ok(jobs) => (jobs, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    };
    store.context.feed.end_loading(jobs);
    result
}

async fn sweep(store: Store) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // After a sweep whose outcome is unknown, what it may have taken over is read again.
    let mut everything = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = store.context.feed.handed.notified() => {}
        }
        store.context.feed.begin_loading();
        let swept = store
            .tx("jobs_sweep", move |tx: &mut Tx| {
                let Some(mut jobs) = tx.jobs_renew(tx.now().plus(LEASE))? else { return Ok(None) };
                jobs.extend(tx.jobs_handed()?);
                if everything {
                    jobs.extend(tx.jobs_own()?);
                }
                Ok::<_, StoreError>(Some(jobs))
            })
            .await;
        everything = swept.is_err();
        match swept {
            Ok(Some(jobs)) => store.context.feed.end_loading(jobs),
            Ok(None) => {
                tracing::warn!("this process was silent for too long and lost its jobs; starting over");
                *store.context.feed.state() = State { active: true, ..State::default() };
                if let Err(error) = begin(&store).await {
                    tracing::warn!(%error, "cannot take jobs");
                }
            }
            Err(error) => {
                store.context.feed.end_loading(Vec::new());
                tracing::warn!(%error, "cannot renew the lease on jobs");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(seq: i64, key: &str, run_at: i64) -> Job {
        Job {
            id: JobId::from_stored(format!("job_{seq}")),
            participant: Slug::parse("acme").expect("slug"),
            kind: "test".into(),
            key: key.into(),
            payload: json!({}),
            run_at: Timestamp::from_micros(run_at),
            attempts: 0,
            last_error: None,
            created_at: Timestamp::from_micros(0),
            seq,
        }
    }

    fn due(state: &mut State, now: i64) -> Option<i64> {
        match state.next(Timestamp::from_micros(now)) {
            Next::Job(job) => Some(job.seq),
            Next::At(_) | Next::Nothing => None,
        }
    }

    #[test]
    fn a_key_is_served_in_order_and_held_by_back_off() {
        let mut state = State::default();
        for j in [job(2, "a", 0), job(1, "a", 0), job(3, "b", 5)] {
            state.add(j);
        }
        assert_eq!(due(&mut state, 10), Some(1));
        assert_eq!(due(&mut state, 10), Some(3));
        assert_eq!(due(&mut state, 10), None, "2 waits for 1");
        state.retry(&JobId::from_stored("job_1"), Timestamp::from_micros(20), 1, "no".into());
        assert_eq!(due(&mut state, 10), None, "1 is put off and holds the key");
        assert_eq!(due(&mut state, 20), Some(1));
        state.remove(&JobId::from_stored("job_1"));
        assert_eq!(due(&mut state, 20), Some(2));
        state.remove(&JobId::from_stored("job_2"));
        state.remove(&JobId::from_stored("job_3"));
        assert!(state.queues.is_empty() && state.jobs.is_empty() && state.by_id.is_empty() && state.due.is_empty());
    }

    #[test]
    fn a_snapshot_does_not_bring_back_what_is_done() {
        let mut state = State { gone_while_loading: Some(HashSet::new()), ..State::default() };
        state.remove(&JobId::from_stored("job_1"));
        state.add(job(1, "a", 0));
        state.add(job(2, "a", 0));
        assert_eq!(due(&mut state, 1), Some(2));
    }

    #[test]
    fn dropping_the_job_in_progress_frees_the_key() {
        let mut state = State::default();
        state.add(job(1, "a", 0));
        assert_eq!(due(&mut state, 0), Some(1));
        state.add(job(2, "a", 0));
        assert_eq!(due(&mut state, 0), None);
        state.remove(&JobId::from_stored("job_1"));
        assert_eq!(due(&mut state, 0), Some(2));
    }
}
