//! Reads counted against agreements, before they happen.

use super::{PAGE_MAX, Tx, statements};
use crate::{
    dialect::{READS_OF_MANY, Sql::Same},
    error::StoreError,
    value::{count, json, vals},
};
use fondaco_core::participant::Slug;
use std::collections::HashMap;

statements! {
    ADMIT = Same("INSERT INTO agreement_usage (participant, agreement_id, reads) VALUES ($1, $2, 1) ON CONFLICT (participant, agreement_id) DO UPDATE SET reads = agreement_usage.reads + 1 WHERE agreement_usage.reads < $3 RETURNING reads");
    GIVE_BACK = Same("UPDATE agreement_usage SET reads = reads - 1 WHERE participant = $1 AND agreement_id = $2 AND reads > 0");
    USED = Same("SELECT reads FROM agreement_usage WHERE participant = $1 AND agreement_id = $2");
    USED_OF_MANY = READS_OF_MANY;
}

impl Tx {
    /// Counts a read, if the limit leaves room for it: the new count, or `None`. One statement, so that reads at the
    /// same instant cannot pass the limit together.
    pub fn reads_admit(&mut self, participant: &Slug, agreement_id: &str, limit: Option<u64>) -> Result<Option<u64>, StoreError> {
        if limit == Some(0) {
            return Ok(None);
        }
        let limit = limit.map_or(i64::MAX, count);
        self.first(ADMIT, vals![participant.as_str(), agreement_id, limit], |row| row.count(0))
    }

    /// Takes back a read that was admitted and failed.
    pub fn reads_give_back(&mut self, participant: &Slug, agreement_id: &str) -> Result<(), StoreError> {
        self.execute(GIVE_BACK, vals![participant.as_str(), agreement_id]).map(drop)
    }

    /// Reads so far under each of many agreements, in one query; those without any are left out.
    ///
    /// # Errors
    /// [`StoreError::Limit`] for more than [`PAGE_MAX`].
    pub fn reads_used_of_many(&mut self, participant: &Slug, agreements: &[&str]) -> Result<HashMap<String, u64>, StoreError> {
        if agreements.len() > PAGE_MAX as usize {
            return Err(StoreError::Limit(format!("more than {PAGE_MAX} agreements at once")));
        }
        let used = self.list(USED_OF_MANY, vals![participant.as_str(), json(&agreements)?], |row| Ok((row.string(0)?, row.count(1)?)))?;
        Ok(used.into_iter().collect())
    }

    /// Reads so far.
    pub fn reads_used(&mut self, participant: &Slug, agreement_id: &str) -> Result<u64, StoreError> {
        Ok(self.first(USED, vals![participant.as_str(), agreement_id], |row| row.count(0))?.unwrap_or(0))
    }
}
