//! What tells whether a node is well.

use super::{Tx, page, statements};
use crate::{
    backup::source::BACKUP_SETTING,
    dialect::{DATABASE_BYTES, FEEDS_FAILING, Sql::Same},
    error::StoreError,
    value::vals,
};
use fondaco_core::{feed::Feed, participant::Slug, time::Timestamp};

statements! {
    BYTES = DATABASE_BYTES;
    FAILING = FEEDS_FAILING;
    FEEDS = Same("SELECT COUNT(*) FROM feed WHERE participant = $1");
}

impl Tx {
    /// Bytes that the database takes.
    pub fn database_bytes(&mut self) -> Result<u64, StoreError> {
        Ok(self.first(BYTES, vals![], |row| row.count(0))?.unwrap_or(0))
    }

    /// When the last backup was made, as it noted itself.
    pub fn last_backup(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.setting_get(BACKUP_SETTING)?.and_then(|value| value["at"].as_str().and_then(Timestamp::parse)))
    }

    /// How many products follow a source.
    pub fn feed_count(&mut self, participant: &Slug) -> Result<u64, StoreError> {
        Ok(self.first(FEEDS, vals![participant.as_str()], |row| row.count(0))?.unwrap_or(0))
    }

    /// Feeds whose last look at their source failed, by product.
    pub fn feeds_failing(&mut self, participant: &Slug, limit: u32) -> Result<Vec<Feed>, StoreError> {
        self.list(FAILING, vals![participant.as_str(), page(limit)], |row| row.json(0))
    }
}
