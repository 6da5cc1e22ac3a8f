//! What is used of agreements: reads counted and bytes weighed, before they happen.
//!
//! What was taken and did not happen is given back afterwards. A process that ends in between has counted too much for its
//! consumer, never too little.

use super::{AFTER_EVERY_ID, PAGE_MAX, Tx, page, statements};
use crate::{
    dialect::{READS_OF_MANY, Sql::Same},
    error::StoreError,
    value::{Row, count, json, vals},
};
use fondaco_core::{ids::uuid_v7, participant::Slug, time::Timestamp};
use std::collections::HashMap;

/// What was used of an agreement so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Reads of a whole product version.
    pub reads: u64,
    /// Requests that bytes were given for.
    pub requests: u64,
    /// Rows of the files they were of, each file once per query.
    pub rows: u64,
    /// Bytes given, with those that are on their way.
    pub volume: u64,
}

/// What was ever counted of an agreement. What was used and what was taken back add up to what never falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// What was used so far.
    pub used: Usage,
    /// Reads that were counted and given back.
    pub back_reads: u64,
    /// Bytes that were counted and given back.
    pub back_volume: u64,
}

/// A file of a query: what usage is recorded by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageKey {
    /// The agreement.
    pub agreement_id: String,
    /// The transfer it is delivered under.
    pub transfer_id: String,
    /// The query, or the listing, that led to it.
    pub query_id: String,
    /// The file, or what else was given.
    pub file_id: String,
}

/// An agreement, where forgetting goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsagePlace {
    participant: String,
    agreement_id: String,
}

/// Agreements whose records are looked through at once: each is a short look at an index.
const FORGOTTEN_OF_AGREEMENTS: u32 = 500;
/// Records that are forgotten at once of an agreement, so that nobody waits for long; the next time there are others.
const FORGOTTEN_AT_ONCE: u32 = 2_000;

/// What of a file is given at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Bytes.
    pub bytes: u64,
    /// Rows: of the whole file, or with `more` further ones.
    pub rows: u64,
    /// That it belongs to a request of which a part was given before.
    pub more: bool,
}

/// What was delivered of a file for a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRecord {
    /// Its own id, in the order of time.
    pub id: String,
    /// What of.
    pub key: UsageKey,
    /// Requests that bytes were given for.
    pub requests: u64,
    /// Bytes given, with those that are on their way.
    pub bytes: u64,
    /// Rows of the file, once.
    pub rows: u64,
    /// The first request.
    pub first_at: Timestamp,
    /// The last request.
    pub last_at: Timestamp,
}

statements! {
    ADMIT = Same("INSERT INTO agreement_usage (participant, agreement_id, reads) VALUES ($1, $2, 1) ON CONFLICT (participant, agreement_id) DO UPDATE SET reads = agreement_usage.reads + 1 WHERE agreement_usage.reads < $3 RETURNING reads");
    GIVE_BACK = Same("UPDATE agreement_usage SET reads = reads - 1, back_reads = back_reads + 1 WHERE participant = $1 AND agreement_id = $2 AND reads > 0");
    USED = Same("SELECT reads, requests, row_count, volume FROM agreement_usage WHERE participant = $1 AND agreement_id = $2");
    COUNTED = Same("SELECT reads, requests, row_count, volume, back_reads, back_volume FROM agreement_usage WHERE participant = $1 AND agreement_id = $2");
    RECORDED = Same("SELECT CAST(COALESCE(SUM(requests), 0) AS BIGINT), CAST(COALESCE(SUM(row_count), 0) AS BIGINT), CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM usage_record WHERE participant = $1 AND agreement_id = $2");
    TAKE = Same("INSERT INTO agreement_usage (participant, agreement_id, reads, requests, volume) VALUES ($1, $2, 0, $5, $3) ON CONFLICT (participant, agreement_id) DO UPDATE SET requests = agreement_usage.requests + excluded.requests, volume = agreement_usage.volume + excluded.volume WHERE agreement_usage.volume <= $4 - excluded.volume");
    RECORD = Same("INSERT INTO usage_record (participant, agreement_id, id, transfer_id, query_id, file_id, requests, bytes, row_count, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $6, $10, $7, $8, $9, $9) ON CONFLICT (participant, agreement_id, transfer_id, query_id, file_id) DO UPDATE SET requests = usage_record.requests + excluded.requests, row_count = usage_record.row_count + $11, bytes = usage_record.bytes + excluded.bytes, last_at = excluded.last_at RETURNING requests");
    ADD_ROWS = Same("UPDATE agreement_usage SET row_count = row_count + $3 WHERE participant = $1 AND agreement_id = $2");
    RETURN = Same("UPDATE agreement_usage SET volume = volume - $3, back_volume = back_volume + $3 WHERE participant = $1 AND agreement_id = $2 AND volume >= $3");
    RETURN_OF = Same("UPDATE usage_record SET bytes = bytes - $6 WHERE participant = $1 AND agreement_id = $2 AND transfer_id = $3 AND query_id = $4 AND file_id = $5 AND bytes >= $6");
    RECORDS = Same("SELECT id, agreement_id, transfer_id, query_id, file_id, requests, bytes, row_count, first_at, last_at FROM usage_record WHERE participant = $1 AND agreement_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4");
    AGREEMENTS = Same("SELECT participant, agreement_id FROM agreement_usage WHERE (participant, agreement_id) > ($1, $2) ORDER BY participant, agreement_id LIMIT $3");
    FORGET = Same("DELETE FROM usage_record WHERE participant = $1 AND agreement_id = $2 AND id IN (SELECT id FROM usage_record WHERE participant = $1 AND agreement_id = $2 AND id < $3 AND last_at < $4 ORDER BY id LIMIT $5)");
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

    /// What was used so far.
    pub fn usage(&mut self, participant: &Slug, agreement_id: &str) -> Result<Usage, StoreError> {
        Ok(self.first(USED, vals![participant.as_str(), agreement_id], |row| usage(row, 0))?.unwrap_or_default())
    }

    /// What was ever counted, with what was given back.
    pub fn usage_counted(&mut self, participant: &Slug, agreement_id: &str) -> Result<Counted, StoreError> {
        let found = self.first(COUNTED, vals![participant.as_str(), agreement_id], |row| {
            Ok(Counted { used: usage(row, 0)?, back_reads: row.count(4)?, back_volume: row.count(5)? })
        })?;
        Ok(found.unwrap_or_default())
    }

    /// What the records that are kept of single deliveries add up to: at most the counters. Reads have no records.
    pub fn usage_recorded(&mut self, participant: &Slug, agreement_id: &str) -> Result<Usage, StoreError> {
        let found = self.first(RECORDED, vals![participant.as_str(), agreement_id], |row| {
            Ok(Usage { reads: 0, requests: row.count(0)?, rows: row.count(1)?, volume: row.count(2)? })
        })?;
        Ok(found.unwrap_or_default())
    }

    /// Reads so far.
    pub fn reads_used(&mut self, participant: &Slug, agreement_id: &str) -> Result<u64, StoreError> {
        Ok(self.usage(participant, agreement_id)?.reads)
    }

    /// Takes the bytes of one request, if the limit leaves room for all of them, and records them; whether it did. The
    /// file's rows count with the first request for it. One conditional statement takes them, so that requests at the same
    /// instant cannot pass the limit together.
    pub fn usage_take(&mut self, participant: &Slug, key: &UsageKey, taken: Taken, limit: Option<u64>) -> Result<bool, StoreError> {
        let Taken { bytes, rows, more } = taken;
        if limit.is_some_and(|limit| bytes > limit) {
            return Ok(false);
        }
        let (owner, agreement, bytes, limit) =
            (participant.as_str(), key.agreement_id.as_str(), count(bytes), limit.map_or(i64::MAX, count));
        if self.execute(TAKE, vals![owner, agreement, bytes, limit, u32::from(!more)])? == 0 {
            return Ok(false);
        }
        let (now, id) = (self.now(), uuid_v7(self.now(), self.entropy()).to_string());
        let (transfer, query, file) = (key.transfer_id.as_str(), key.query_id.as_str(), key.file_id.as_str());
        let record = vals![
            owner,
            agreement,
            id,
            transfer,
            query,
            file,
            bytes,
            count(rows),
            now,
            u32::from(!more),
            if more { count(rows) } else { 0 }
        ];
        let requests = self.first(RECORD, record, |row| row.count(0))?;
        if rows > 0 && (more || requests == Some(1)) {
            self.execute(ADD_ROWS, vals![owner, agreement, count(rows)])?;
        }
        Ok(true)
    }

    /// Gives bytes back that were taken and did not go out.
    pub fn usage_give_back(&mut self, participant: &Slug, key: &UsageKey, bytes: u64) -> Result<(), StoreError> {
        let (owner, agreement, bytes) = (participant.as_str(), key.agreement_id.as_str(), count(bytes));
        let (transfer, query, file) = (key.transfer_id.as_str(), key.query_id.as_str(), key.file_id.as_str());
        self.execute(RETURN, vals![owner, agreement, bytes])?;
        self.execute(RETURN_OF, vals![owner, agreement, transfer, query, file, bytes]).map(drop)
    }

    /// Forgets records of deliveries that ended before an instant: of some agreements, from one on in their order, and of each
    /// some. The sums stay. Gives the agreement to go on from, or `None` after the last.
    pub fn usage_forget(&mut self, from: Option<&UsagePlace>, before: Timestamp) -> Result<Option<UsagePlace>, StoreError> {
        let (owner, agreement) = from.map_or(("", ""), |place| (place.participant.as_str(), place.agreement_id.as_str()));
        let some = self.list(AGREEMENTS, vals![owner, agreement, FORGOTTEN_OF_AGREEMENTS], |row| {
            Ok(UsagePlace { participant: row.string(0)?, agreement_id: row.string(1)? })
        })?;
        // Ids begin with the time they were made at.
        let millis = format!("{:012x}", u64::try_from(before.as_millis()).unwrap_or(0));
        let id = format!("{}-{}", &millis[..8], &millis[8..]);
        for place in &some {
            let of = vals![place.participant.as_str(), place.agreement_id.as_str(), id.as_str(), before, FORGOTTEN_AT_ONCE];
            self.execute(FORGET, of)?;
        }
        Ok(some.into_iter().last())
    }

    /// The records of an agreement, newest first; `after` is the id of the last one seen.
    pub fn usage_records(
        &mut self,
        participant: &Slug,
        agreement_id: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<UsageRecord>, StoreError> {
        let after = after.unwrap_or(AFTER_EVERY_ID);
        self.list(RECORDS, vals![participant.as_str(), agreement_id, after, page(limit)], record)
    }
}

/// The sums that a row holds from a column on.
pub(super) fn usage(row: &Row, from: usize) -> Result<Usage, StoreError> {
    Ok(Usage { reads: row.count(from)?, requests: row.count(from + 1)?, rows: row.count(from + 2)?, volume: row.count(from + 3)? })
}

fn record(row: &Row) -> Result<UsageRecord, StoreError> {
    Ok(UsageRecord {
        id: row.string(0)?,
        key: UsageKey { agreement_id: row.string(1)?, transfer_id: row.string(2)?, query_id: row.string(3)?, file_id: row.string(4)? },
        requests: row.count(5)?,
        bytes: row.count(6)?,
        rows: row.count(7)?,
        first_at: row.at(8)?,
        last_at: row.at(9)?,
    })
}
