//! Witnesses, both ways: what others cosigned of this node's log, and what this node cosigned of theirs.

use super::{Tx, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{Row, count, vals},
};
use fondaco_core::time::Timestamp;
use fondaco_tlog::{Hash, hash::empty_root, witness::State};

/// What a witness signed of this node's log last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignatureRow {
    /// Its key, as verifiers take it.
    pub witness: String,
    /// The size of the tree; 0 when it signed nothing yet.
    pub size: u64,
    /// Its signature lines.
    pub lines: String,
    /// When it was asked.
    pub at: Option<Timestamp>,
    /// What was wrong when it was asked last.
    pub problem: Option<String>,
}

/// The last tree that a quorum of witnesses has cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumRow {
    /// Its leaves.
    pub size: u64,
    /// The checkpoint with the cosignatures.
    pub checkpoint: String,
    /// When the quorum was there.
    pub at: Timestamp,
}

/// What this node signed as a witness of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessedRow {
    /// The log's name.
    pub origin: String,
    /// The last tree; nothing was cosigned yet where it has no leaves and no checkpoint.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The cosigned checkpoint, a note; empty before the first.
    pub checkpoint: String,
    /// When, to the second.
    pub at: Timestamp,
    /// The first request that contradicted what was cosigned, as it was received.
    pub conflict: Option<String>,
    /// When that was.
    pub conflict_at: Option<Timestamp>,
    /// The first request since then that did not prove to continue what was cosigned, as it was received.
    pub doubt: Option<String>,
    /// When that was.
    pub doubt_at: Option<Timestamp>,
}

statements! {
    COSIGNATURES = Same("SELECT witness, size, lines, at, problem FROM log_cosignature ORDER BY witness");
    COSIGNED = Same("INSERT INTO log_cosignature (witness, size, lines, at) VALUES ($1, $2, $3, $4) ON CONFLICT (witness) DO UPDATE SET size = excluded.size, lines = excluded.lines, at = excluded.at, problem = NULL WHERE excluded.size >= log_cosignature.size");
    PROBLEM = Same("INSERT INTO log_cosignature (witness, size, lines, at, problem) VALUES ($1, 0, '', NULL, $2) ON CONFLICT (witness) DO UPDATE SET problem = excluded.problem");
    FORGET = Same("DELETE FROM log_cosignature WHERE witness = $1");
    QUORUM = Same("SELECT size, checkpoint, at FROM log_quorum WHERE id = 1");
    QUORUM_PUT = Same("INSERT INTO log_quorum (id, size, checkpoint, at) VALUES (1, $1, $2, $3) ON CONFLICT (id) DO UPDATE SET size = excluded.size, checkpoint = excluded.checkpoint, at = excluded.at WHERE excluded.size >= log_quorum.size");
    QUORUM_FORGET = Same("DELETE FROM log_quorum");
    WITNESS_BEGIN = Same("INSERT INTO log_witnessed (origin, size, root, checkpoint, at, cosigned) VALUES ($1, 0, $2, '', 0, 0) ON CONFLICT (origin) DO NOTHING");
    WITNESSED_LOCK = Same("SELECT origin, size, root, checkpoint, at, conflict, conflict_at, doubt, doubt_at FROM log_witnessed WHERE origin = $1 FOR UPDATE");
    WITNESSED = Same("SELECT origin, size, root, checkpoint, at, conflict, conflict_at, doubt, doubt_at FROM log_witnessed ORDER BY origin");
    WITNESSED_ORIGINS = Same("SELECT origin FROM log_witnessed ORDER BY origin");
    WITNESSED_CHECKPOINT = Same("SELECT checkpoint FROM log_witnessed WHERE origin = $1 AND checkpoint <> ''");
    WITNESSED_PUT = Same("UPDATE log_witnessed SET size = $2, root = $3, checkpoint = $4, at = $5, cosigned = cosigned + 1, doubt = NULL, doubt_at = NULL WHERE origin = $1");
    WITNESSED_COUNT = Same("SELECT CAST(COALESCE(SUM(cosigned), 0) AS BIGINT) FROM log_witnessed");
    DOUBT = Same("UPDATE log_witnessed SET doubt = $2, doubt_at = $3 WHERE origin = $1 AND doubt IS NULL");
    CONFLICT = Same("UPDATE log_witnessed SET conflict = $2, conflict_at = $3 WHERE origin = $1 AND conflict IS NULL");
}

fn cosignature(row: &Row) -> Result<CosignatureRow, StoreError> {
    Ok(CosignatureRow {
        witness: row.string(0)?,
        size: row.count(1)?,
        lines: row.string(2)?,
        at: row.opt_at(3)?,
        problem: row.opt_string(4)?,
    })
}

fn quorum(row: &Row) -> Result<QuorumRow, StoreError> {
    Ok(QuorumRow { size: row.count(0)?, checkpoint: row.string(1)?, at: row.at(2)? })
}

fn witnessed(row: &Row) -> Result<WitnessedRow, StoreError> {
    Ok(WitnessedRow {
        origin: row.string(0)?,
        size: row.count(1)?,
        root: Hash::from_slice(&row.blob(2)?).ok_or_else(|| StoreError::Corrupt("the root of a witnessed log".into()))?,
        checkpoint: row.string(3)?,
        at: row.at(4)?,
        conflict: row.opt_string(5)?,
        conflict_at: row.opt_at(6)?,
        doubt: row.opt_string(7)?,
        doubt_at: row.opt_at(8)?,
    })
}

impl Tx {
    /// What every witness signed last. Few: those of the policy.
    pub fn log_cosignatures(&mut self) -> Result<Vec<CosignatureRow>, StoreError> {
        self.list(COSIGNATURES, vals![], cosignature)
    }

    /// A witness has cosigned the tree of this size, unless it has cosigned a larger one already.
    pub fn log_cosigned(&mut self, witness: &str, size: u64, lines: &str) -> Result<(), StoreError> {
        let now = self.now();
        self.execute(COSIGNED, vals![witness, count(size), lines, now]).map(drop)
    }

    /// A witness was asked in vain. What it signed before stays.
    pub fn log_witness_problem(&mut self, witness: &str, problem: &str) -> Result<(), StoreError> {
        self.execute(PROBLEM, vals![witness, problem]).map(drop)
    }

    /// Forgets a witness that is asked no more.
    pub fn log_witness_forget(&mut self, witness: &str) -> Result<(), StoreError> {
        self.execute(FORGET, vals![witness]).map(drop)
    }

    /// The last tree with a quorum.
    pub fn log_quorum(&mut self) -> Result<Option<QuorumRow>, StoreError> {
        self.first(QUORUM, vals![], quorum)
    }

    /// A quorum has cosigned the tree of this size, unless a larger one was cosigned already.
    pub fn log_quorum_put(&mut self, size: u64, checkpoint: &str) -> Result<(), StoreError> {
        let now = self.now();
        self.execute(QUORUM_PUT, vals![count(size), checkpoint, now]).map(drop)
    }

    /// What was a quorum is none by a new policy.
    pub fn log_quorum_forget(&mut self) -> Result<(), StoreError> {
        self.execute(QUORUM_FORGET, vals![]).map(drop)
    }

    /// What was cosigned of a log, with no other transaction at it until this one ends.
    pub fn witnessed_lock(&mut self, origin: &str) -> Result<WitnessedRow, StoreError> {
        self.execute(WITNESS_BEGIN, vals![origin, empty_root().0.as_slice()])?;
        let row = self.first(WITNESSED_LOCK, vals![origin], witnessed)?;
        row.ok_or_else(|| StoreError::Corrupt("a witnessed log is missing".into()))
    }

    /// What was cosigned, of every log.
    pub fn witnessed_list(&mut self) -> Result<Vec<WitnessedRow>, StoreError> {
        self.list(WITNESSED, vals![], witnessed)
    }

    /// The names of all logs of which something was asked, and may have been cosigned.
    pub fn witnessed_origins(&mut self) -> Result<Vec<String>, StoreError> {
        self.list(WITNESSED_ORIGINS, vals![], |row| row.string(0))
    }

    /// The checkpoint of a log that was cosigned last, if any was.
    pub fn witnessed_checkpoint(&mut self, origin: &str) -> Result<Option<String>, StoreError> {
        self.first(WITNESSED_CHECKPOINT, vals![origin], |row| row.string(0))
    }

    /// Stores what is about to be cosigned. Whatever was doubtful about the log is no more.
    pub fn witnessed_put(&mut self, origin: &str, state: &State, checkpoint: &str) -> Result<(), StoreError> {
        let at = i64::try_from(state.time).ok().and_then(|s| s.checked_mul(1_000_000)).map(Timestamp::from_micros);
        let at = at.ok_or_else(|| StoreError::Limit("the time of a cosignature".into()))?;
        self.execute(WITNESSED_PUT, vals![origin, count(state.size), state.root.0.as_slice(), checkpoint, at]).map(drop)
    }

    /// How many cosignatures this node made: this only grows.
    pub fn witnessed_count(&mut self) -> Result<u64, StoreError> {
        Ok(self.first(WITNESSED_COUNT, vals![], |row| row.count(0))?.unwrap_or(0))
    }

    /// Keeps the first request that does not prove to continue what was cosigned, until something is cosigned again.
    pub fn witnessed_doubt(&mut self, origin: &str, request: &str) -> Result<(), StoreError> {
        let now = self.now();
        self.execute(DOUBT, vals![origin, request, now]).map(drop)
    }

    /// Keeps the first request that contradicts what was cosigned.
    pub fn witnessed_conflict(&mut self, origin: &str, request: &str) -> Result<(), StoreError> {
        let now = self.now();
        self.execute(CONFLICT, vals![origin, request, now]).map(drop)
    }
}
