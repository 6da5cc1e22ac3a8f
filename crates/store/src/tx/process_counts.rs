//! How many processes and agreements there are, for an overview that costs the same however many.

use super::{Tx, statements};
use crate::{dialect::Sql::Same, error::StoreError, value::vals};
use fondaco_core::participant::Slug;
use std::collections::BTreeMap;

/// Counts of a participant's processes, by role and state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessCounts {
    /// Negotiations, by `(role, state)`.
    pub negotiations: BTreeMap<(String, String), u64>,
    /// Transfers, by `(role, state)`.
    pub transfers: BTreeMap<(String, String), u64>,
    /// Agreements that were not ended, by role.
    pub agreements: BTreeMap<String, u64>,
}

statements! {
    NEGOTIATIONS = Same("SELECT role, state, COUNT(*) FROM negotiation WHERE participant = $1 GROUP BY role, state");
    TRANSFERS = Same("SELECT role, state, COUNT(*) FROM transfer WHERE participant = $1 GROUP BY role, state");
    AGREEMENTS = Same("SELECT role, COUNT(*) FROM agreement WHERE participant = $1 AND ended_at IS NULL GROUP BY role");
}

impl Tx {
    /// Counts of everything that runs.
    pub fn process_counts(&mut self, participant: &Slug) -> Result<ProcessCounts, StoreError> {
        let by_state = |row: &crate::value::Row| Ok(((row.string(0)?, row.string(1)?), row.count(2)?));
        Ok(ProcessCounts {
            negotiations: self.list(NEGOTIATIONS, vals![participant.as_str()], by_state)?.into_iter().collect(),
            transfers: self.list(TRANSFERS, vals![participant.as_str()], by_state)?.into_iter().collect(),
            agreements: self
                .list(AGREEMENTS, vals![participant.as_str()], |row| Ok((row.string(0)?, row.count(1)?)))?
                .into_iter()
                .collect(),
        })
    }
}
