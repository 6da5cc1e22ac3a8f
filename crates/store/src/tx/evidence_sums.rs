//! What is gathered before it becomes a leaf: refusals of an hour, and the usage of an agreement since its last leaf.

use super::{
    Tx, page, statements,
    usage::{Counted, Usage},
};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{count, vals},
};
use fondaco_core::{participant::Slug, time::Timestamp};

/// Refusals under one rule within one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalSum {
    /// Who refused.
    pub participant: Slug,
    /// Under which agreement.
    pub agreement_id: String,
    /// By which rule.
    pub rule: String,
    /// The hour's beginning.
    pub hour: Timestamp,
    /// How many.
    pub refusals: u64,
    /// The first.
    pub first_at: Timestamp,
    /// The last.
    pub last_at: Timestamp,
}

statements! {
    REFUSED = Same("INSERT INTO evidence_refusal (participant, agreement_id, rule, hour, refusals, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (participant, agreement_id, rule, hour) DO UPDATE SET refusals = evidence_refusal.refusals + excluded.refusals, last_at = excluded.last_at");
    REFUSALS_TAKE = Same("DELETE FROM evidence_refusal WHERE hour < $1 RETURNING participant, agreement_id, rule, hour, refusals, first_at, last_at");
    UNSAID = Same("SELECT u.agreement_id FROM agreement_usage u LEFT JOIN evidence_usage e ON e.participant = u.participant AND e.agreement_id = u.agreement_id WHERE u.participant = $1 AND u.agreement_id > $2 AND (e.agreement_id IS NULL OR e.reads <> u.reads OR e.requests <> u.requests OR e.row_count <> u.row_count OR e.volume <> u.volume OR e.back_reads <> u.back_reads OR e.back_volume <> u.back_volume) ORDER BY u.agreement_id LIMIT $3");
    SUMMED = Same("INSERT INTO evidence_usage (participant, agreement_id, at, reads, requests, row_count, volume, back_reads, back_volume) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (participant, agreement_id) DO UPDATE SET at = excluded.at, reads = excluded.reads, requests = excluded.requests, row_count = excluded.row_count, volume = excluded.volume, back_reads = excluded.back_reads, back_volume = excluded.back_volume WHERE evidence_usage.reads <> excluded.reads OR evidence_usage.requests <> excluded.requests OR evidence_usage.row_count <> excluded.row_count OR evidence_usage.volume <> excluded.volume OR evidence_usage.back_reads <> excluded.back_reads OR evidence_usage.back_volume <> excluded.back_volume");
}

impl Tx {
    /// Adds to the refusals of an hour.
    pub fn refusals_add(&mut self, sum: &RefusalSum) -> Result<(), StoreError> {
        let RefusalSum { participant, agreement_id, rule, hour, refusals, first_at, last_at } = sum;
        let params = vals![participant.as_str(), agreement_id.as_str(), rule.as_str(), *hour, count(*refusals), *first_at, *last_at];
        self.execute(REFUSED, params).map(drop)
    }

    /// Takes the refusals of all hours that began before `hour`: they are gone from here, for the caller to make leaves of.
    pub fn refusals_take(&mut self, hour: Timestamp) -> Result<Vec<RefusalSum>, StoreError> {
        let mut sums = self.list(REFUSALS_TAKE, vals![hour], |row| {
            Ok(RefusalSum {
                participant: row.parsed(0, Slug::parse)?,
                agreement_id: row.string(1)?,
                rule: row.string(2)?,
                hour: row.at(3)?,
                refusals: row.count(4)?,
                first_at: row.at(5)?,
                last_at: row.at(6)?,
            })
        })?;
        sums.sort_by(|a, b| (a.hour, &a.agreement_id, &a.rule).cmp(&(b.hour, &b.agreement_id, &b.rule)));
        Ok(sums)
    }

    /// The agreements of a participant whose usage is another than their last leaf says, after one of them.
    pub fn usage_unsaid(&mut self, participant: &Slug, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        self.list(UNSAID, vals![participant.as_str(), after, page(limit)], |row| row.string(0))
    }

    /// Notes the usage that a leaf is to say; false when the last one said the same.
    pub fn usage_summed(&mut self, participant: &Slug, agreement_id: &str, counted: Counted) -> Result<bool, StoreError> {
        let Counted { used: Usage { reads, requests, rows, volume }, back_reads, back_volume } = counted;
        let now = self.now();
        let params = vals![
            participant.as_str(),
            agreement_id,
            now,
            count(reads),
            count(requests),
            count(rows),
            count(volume),
            count(back_reads),
            count(back_volume)
        ];
        Ok(self.execute(SUMMED, params)? == 1)
    }
}
