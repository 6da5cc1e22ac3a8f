//! How long documents of evidence are kept: those of agreements that are over go when they are old, their leaves stay.

use super::{Tx, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{count, vals},
};
use fondaco_core::time::Timestamp;

statements! {
    LAST = Same("SELECT MAX(seq) FROM evidence");
    ERASE_OLD = Same("UPDATE evidence SET document = NULL, secret = NULL WHERE seq > $1 AND seq <= $2 AND document IS NOT NULL AND at < $3 AND EXISTS (SELECT 1 FROM agreement a WHERE a.participant = evidence.participant AND a.id = evidence.agreement_id AND a.ended_at < $3)");
}

/// A pass over the evidence, as far as it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Documents that were erased.
    pub documents: u64,
    /// The number ([`super::EvidenceRow::seq`]) up to which it has come; nothing when it is at its end.
    pub up_to: Option<u64>,
}

impl Tx {
    /// Erases documents and secrets of evidence older than `before`, of agreements that were over before then: of the
    /// `rows` pieces of evidence that were written after the one numbered `after`.
    pub fn evidence_erase_old(&mut self, before: Timestamp, after: u64, rows: u64) -> Result<Erased, StoreError> {
        let last = self.first(LAST, vals![], |row| row.opt_int(0))?.flatten().unwrap_or_default();
        let up_to = after.saturating_add(rows);
        let documents = self.execute(ERASE_OLD, vals![count(after), count(up_to), before])?;
        Ok(Erased { documents, up_to: (count(up_to) < last).then_some(up_to) })
    }
}
