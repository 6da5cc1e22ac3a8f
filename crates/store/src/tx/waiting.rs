//! Negotiations whose next step is ours: the queue of what waits for a person.
//!
//! Whatever a rule decides at once is decided in the transaction that brought the state about, so what is found here
//! waits for somebody, or for a rule that decides later. The states are those of `Negotiation::is_our_turn`; a test of
//! both databases holds them together.

use super::{Tx, page, statements};
use crate::{dialect::Sql::Same, error::StoreError, value::vals};
use fondaco_core::{negotiation::Negotiation, participant::Slug};

statements! {
    COUNT = Same("SELECT COUNT(*) FROM (SELECT 1 FROM negotiation WHERE participant = $1 AND ((role = 'provider' AND state IN ('REQUESTED', 'ACCEPTED', 'VERIFIED')) OR (role = 'consumer' AND state IN ('OFFERED', 'AGREED'))) ORDER BY id LIMIT $2) AS waiting");
    LIST = Same("SELECT body FROM negotiation WHERE participant = $1 AND ((role = 'provider' AND state IN ('REQUESTED', 'ACCEPTED', 'VERIFIED')) OR (role = 'consumer' AND state IN ('OFFERED', 'AGREED'))) ORDER BY id LIMIT $2");
}

impl Tx {
    /// How many there are, counted up to `max`.
    pub fn negotiations_waiting_count(&mut self, participant: &Slug, max: u32) -> Result<u64, StoreError> {
        Ok(self.first(COUNT, vals![participant.as_str(), page(max)], |row| row.count(0))?.unwrap_or(0))
    }

    /// Those that began first.
    pub fn negotiations_waiting(&mut self, participant: &Slug, limit: u32) -> Result<Vec<Negotiation>, StoreError> {
        self.list(LIST, vals![participant.as_str(), page(limit)], |row| row.json(0))
    }
}
