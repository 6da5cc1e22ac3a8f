//! Jobs: the outbox. Written with the change that causes them, handed out by [`crate::JobFeed`] after its commit.
//!
//! A job belongs to a process (`owner`) while that process renews its lease. Jobs of one key go to the process that
//! has the key's jobs already, so that they stay in order.

use super::{Tx, page, statements};
use crate::{
    dialect::{LEASES_LOCK, NOTIFY_JOBS, Sql::Same},
    error::StoreError,
    value::{Row, json, vals},
};
use fondaco_core::{ids::JobId, participant::Slug, time::Timestamp};
use serde_json::Value;

/// Largest payload (JSON): the content of a protocol message, which is fixed when it is decided. A message has 1 MiB.
pub const JOB_PAYLOAD_MAX_BYTES: usize = 1024 * 1024;
/// Longest error kept: the end of a chain of causes is enough.
const JOB_ERROR_MAX_CHARS: usize = 1_000;

/// A job to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// For whom.
    pub participant: Slug,
    /// What sort of work.
    pub kind: String,
    /// Jobs of one participant and key are done one after another, in the order they were written.
    pub key: String,
    /// What it is about.
    pub payload: Value,
    /// Not before.
    pub run_at: Timestamp,
}

/// A job in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// For whom.
    pub participant: Slug,
    /// What sort of work.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// What it is about.
    pub payload: Value,
    /// Not before.
    pub run_at: Timestamp,
    /// Attempts that failed.
    pub attempts: u32,
    /// Why the last one did.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// Its place in the order.
    pub(crate) seq: i64,
}

/// How much is waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobStats {
    /// Jobs.
    pub count: u64,
    /// When the oldest was written.
    pub oldest: Option<Timestamp>,
    /// Jobs that are due and were not tried yet.
    pub due: u64,
    /// Jobs that failed before and will be tried again.
    pub retrying: u64,
}

/// What a commit changes in the feed.
#[derive(Clone, Debug)]
pub(crate) enum JobChange {
    Added(Job),
    Gone(JobId),
    Retry { id: JobId, run_at: Timestamp, attempts: u32, error: String },
}

statements! {
    ENQUEUE = Same("INSERT INTO job (id, participant, kind, key, payload, run_at, attempts, created_at, owner, handed) SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS BIGINT), 0, CAST($7 AS BIGINT), o.owner, CASE WHEN o.owner = CAST($8 AS TEXT) THEN 0 ELSE 1 END FROM (SELECT COALESCE((SELECT j.owner FROM job j WHERE j.participant = CAST($2 AS TEXT) AND j.key = CAST($4 AS TEXT) ORDER BY j.seq LIMIT 1), CAST($8 AS TEXT)) AS owner) o RETURNING seq, owner");
    FINISH = Same("DELETE FROM job WHERE id = $1");
    RETRY = Same("UPDATE job SET run_at = $2, attempts = attempts + 1, last_error = $3 WHERE id = $1 RETURNING attempts");
    DROP = Same("DELETE FROM job WHERE participant = $1 AND key = $2 RETURNING id");
    PENDING = Same("SELECT seq, id, participant, kind, key, payload, run_at, attempts, last_error, created_at FROM job ORDER BY run_at, seq LIMIT $1");
    OF_KEY = Same("SELECT seq, id, participant, kind, key, payload, run_at, attempts, last_error, created_at FROM job WHERE participant = $1 AND key = $2 ORDER BY seq LIMIT 1");
    FAILING = Same("SELECT seq, id, participant, kind, key, payload, run_at, attempts, last_error, created_at FROM job WHERE attempts > 0 ORDER BY created_at, seq LIMIT 1");
    FAILING_OF = Same("SELECT seq, id, participant, kind, key, payload, run_at, attempts, last_error, created_at FROM job WHERE participant = $1 AND attempts > 0 ORDER BY created_at, seq LIMIT 1");
    STATS = Same("SELECT COUNT(*), MIN(created_at), COALESCE(SUM(CASE WHEN attempts = 0 AND run_at <= $1 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN attempts > 0 THEN 1 ELSE 0 END), 0) FROM job");
    LOCK = LEASES_LOCK;
    LEASE = Same("UPDATE job_owner SET lease_until = $2 WHERE owner = $1");
    FIRST_LEASE = Same("INSERT INTO job_owner (owner, lease_until) VALUES ($1, $2) ON CONFLICT (owner) DO UPDATE SET lease_until = excluded.lease_until");
    END_LEASES = Same("DELETE FROM job_owner WHERE lease_until <= $1");
    TAKE_OVER = Same("UPDATE job SET owner = $1, handed = 0 WHERE owner <> $1 AND owner NOT IN (SELECT o.owner FROM job_owner o) RETURNING seq, id, participant, kind, key, payload, run_at, attempts, last_error, created_at");
    HANDED = Same("UPDATE job SET handed = 0 WHERE owner = $1 AND handed = 1 RETURNING seq, id, participant, kind, key, payload, run_at, attempts, last_error, created_at");
    OWN = Same("SELECT seq, id, participant, kind, key, payload, run_at, attempts, last_error, created_at FROM job WHERE owner = $1");
    NOTIFY = NOTIFY_JOBS;
    END_LEASE = Same("DELETE FROM job_owner WHERE owner = $1");
}

fn read(row: &Row) -> Result<Job, StoreError> {
    Ok(Job {
        seq: row.int(0)?,
        id: JobId::from_stored(row.text(1)?),
        participant: row.parsed(2, Slug::parse)?,
        kind: row.string(3)?,
        key: row.string(4)?,
        payload: row.json(5)?,
        run_at: row.at(6)?,
        attempts: u32::try_from(row.int(7)?).map_err(|_| StoreError::Corrupt("a job's attempts".into()))?,
        last_error: row.opt_string(8)?,
        created_at: row.at(9)?,
    })
}

impl Tx {
    /// Writes a job. It is handed out after the commit, and after the jobs of its key before it.
    ///
    /// # Errors
    /// [`StoreError::Limit`] for a payload over [`JOB_PAYLOAD_MAX_BYTES`], or when the feed is full.
    pub fn job_enqueue(&mut self, job: &NewJob) -> Result<JobId, StoreError> {
        let payload = json(&job.payload)?;
        if payload.len() > JOB_PAYLOAD_MAX_BYTES {
            return Err(StoreError::Limit(format!("a job's payload has more than {JOB_PAYLOAD_MAX_BYTES} bytes")));
        }
        if self.context.feed.is_full() {
            return Err(StoreError::Unavailable("too many jobs are waiting".into()));
        }
        let now = self.now();
        let id = JobId::generate(now, self.entropy());
        let me = self.context.owner.clone();
        let params =
            vals![id.as_str(), job.participant.as_str(), job.kind.as_str(), job.key.as_str(), payload, job.run_at, now, me.as_str()];
        let written = self.first(ENQUEUE, params, |row| Ok((row.int(0)?, row.string(1)?)))?;
        let (seq, owner) = written.ok_or_else(|| StoreError::Database("a job got no number".into()))?;
        if owner == me {
            let NewJob { participant, kind, key, payload, run_at } = job.clone();
            self.effects.jobs.push(JobChange::Added(Job {
                id: id.clone(),
                participant,
                kind,
                key,
                payload,
                run_at,
                attempts: 0,
                last_error: None,
                created_at: now,
                seq,
            }));
        } else {
            self.execute(NOTIFY, vals![owner.as_str()])?;
        }
        Ok(id)
    }

    /// A job is done; false when it was dropped meanwhile.
    pub fn job_finish(&mut self, id: &JobId) -> Result<bool, StoreError> {
        let found = self.execute(FINISH, vals![id.as_str()])? == 1;
        self.effects.jobs.push(JobChange::Gone(id.clone()));
        Ok(found)
    }

    /// A job failed and is tried again at `run_at`; until then it holds its key. False when it was dropped meanwhile.
    pub fn job_retry(&mut self, id: &JobId, run_at: Timestamp, error: &str) -> Result<bool, StoreError> {
        let error: String = error.chars().filter(|c| *c != '\0').take(JOB_ERROR_MAX_CHARS).collect();
        let attempts = self.first(RETRY, vals![id.as_str(), run_at, error.as_str()], |row| row.int(0))?;
        let change = match attempts {
            None => JobChange::Gone(id.clone()),
            Some(n) => JobChange::Retry { id: id.clone(), run_at, attempts: u32::try_from(n).unwrap_or(u32::MAX), error },
        };
        self.effects.jobs.push(change);
        Ok(attempts.is_some())
    }

    /// Drops the jobs of a key, one in progress included (its end then changes nothing); how many.
    pub fn jobs_drop(&mut self, participant: &Slug, key: &str) -> Result<u64, StoreError> {
        let gone = self.list(DROP, vals![participant.as_str(), key], |row| Ok(JobId::from_stored(row.text(0)?)))?;
        let count = gone.len() as u64;
        self.effects.jobs.extend(gone.into_iter().map(JobChange::Gone));
        Ok(count)
    }

    /// Jobs of all participants, the ones due first first.
    pub fn jobs_pending(&mut self, limit: u32) -> Result<Vec<Job>, StoreError> {
        self.list(PENDING, vals![page(limit)], read)
    }

    /// How much is waiting.
    pub fn job_stats(&mut self) -> Result<JobStats, StoreError> {
        let now = self.now();
        let read = |row: &Row| Ok(JobStats { count: row.count(0)?, oldest: row.opt_at(1)?, due: row.count(2)?, retrying: row.count(3)? });
        Ok(self.first(STATS, vals![now], read)?.unwrap_or(JobStats { count: 0, oldest: None, due: 0, retrying: 0 }))
    }

    /// The job at the head of a key.
    pub fn job_of_key(&mut self, participant: &Slug, key: &str) -> Result<Option<Job>, StoreError> {
        self.first(OF_KEY, vals![participant.as_str(), key], read)
    }

    /// The oldest job that failed before.
    pub fn job_failing(&mut self) -> Result<Option<Job>, StoreError> {
        self.first(FAILING, vals![], read)
    }

    /// The oldest job of one participant that failed before.
    pub fn job_failing_of(&mut self, participant: &Slug) -> Result<Option<Job>, StoreError> {
        self.first(FAILING_OF, vals![participant.as_str()], read)
    }

    /// Begins this process's lease; what is its own, or nobody's any more.
    pub(crate) fn jobs_begin(&mut self, lease_until: Timestamp, alone: bool) -> Result<Vec<Job>, StoreError> {
        let (me, now) = (self.context.owner.clone(), self.now());
        self.first(LOCK, vals![], |_| Ok(()))?;
        // Alone, whoever else has a lease is an earlier process that is gone.
        let ended = if alone { Timestamp::from_micros(i64::MAX) } else { now };
        self.execute(END_LEASES, vals![ended])?;
        self.execute(FIRST_LEASE, vals![me.as_str(), lease_until])?;
        self.execute(HANDED, vals![me.as_str()])?;
        let mut jobs = self.list(OWN, vals![me.as_str()], read)?;
        jobs.extend(self.list(TAKE_OVER, vals![me.as_str()], read)?);
        Ok(jobs)
    }

    /// Renews the lease and takes over what is nobody's. `None`: the lease was lost.
    pub(crate) fn jobs_renew(&mut self, lease_until: Timestamp) -> Result<Option<Vec<Job>>, StoreError> {
        let (me, now) = (self.context.owner.clone(), self.now());
        self.first(LOCK, vals![], |_| Ok(()))?;
        if self.execute(LEASE, vals![me.as_str(), lease_until])? == 0 {
            return Ok(None);
        }
        self.execute(END_LEASES, vals![now])?;
        self.list(TAKE_OVER, vals![me.as_str()], read).map(Some)
    }

    /// Jobs that other processes left to this one.
    pub(crate) fn jobs_handed(&mut self) -> Result<Vec<Job>, StoreError> {
        let me = self.context.owner.clone();
        self.list(HANDED, vals![me.as_str()], read)
    }

    /// All of this process's jobs.
    pub(crate) fn jobs_own(&mut self) -> Result<Vec<Job>, StoreError> {
        let me = self.context.owner.clone();
        self.list(OWN, vals![me.as_str()], read)
    }

    /// Ends the lease: others take over at once.
    pub(crate) fn jobs_end(&mut self) -> Result<(), StoreError> {
        let me = self.context.owner.clone();
        self.execute(END_LEASE, vals![me.as_str()]).map(drop)
    }
}
