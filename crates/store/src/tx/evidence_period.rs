//! Evidence by when it was written: ids begin with that time, so no index of its own is needed.

use super::{
    Tx,
    evidence::{EvidenceRow, read, rows},
    page, statements,
};
use crate::{dialect::Sql::Same, error::StoreError, value::vals};
use fondaco_core::{evidence::Kind, ids::EvidenceId, participant::Slug, time::Timestamp};

statements! {
    WITHIN = Same(rows!("WHERE e.participant = $1 AND e.id > $2 AND e.id < $3 ORDER BY e.id LIMIT $4"));
    LAST_OF_KIND = Same(rows!("WHERE e.participant = $1 AND e.agreement_id = $2 AND e.kind = $3 AND e.id || '' < $4 ORDER BY e.seq DESC LIMIT 1"));
}

// LAST_OF_KIND: the agreement's evidence is little, that of its participant is not. An expression keeps the planner from the
// primary key.

/// Less than every id of what was written at this time or later, and more than all before.
fn bound(at: Timestamp) -> String {
    // The first 48 bits of a UUID of version 7 are the milliseconds.
    format!("{}_{:012x}", EvidenceId::PREFIX, at.as_millis().max(0))
}

impl Tx {
    /// The evidence of a participant that was written from a time on and before another, in that order; `after` is the id of
    /// the last one seen.
    pub fn evidence_within(
        &mut self,
        participant: &Slug,
        from: Timestamp,
        to: Timestamp,
        after: Option<&EvidenceId>,
        limit: u32,
    ) -> Result<Vec<EvidenceRow>, StoreError> {
        let after = after.map_or_else(|| bound(from), ToString::to_string);
        self.list(WITHIN, vals![participant.as_str(), after, bound(to), page(limit)], read)
    }

    /// The last evidence of a kind about an agreement that was written before a time.
    pub fn evidence_last(
        &mut self,
        participant: &Slug,
        agreement: &str,
        kind: Kind,
        before: Timestamp,
    ) -> Result<Option<EvidenceRow>, StoreError> {
        self.first(LAST_OF_KIND, vals![participant.as_str(), agreement, kind.as_str(), bound(before)], read)
    }
}
