//! Feeds: products that follow their source.

use super::{Tx, page, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{count, json, vals},
};
use fondaco_core::{feed::Feed, participant::Slug, product::ProductId};

statements! {
    PUT = Same("INSERT INTO feed (participant, product_id, revision, body) VALUES ($1, $2, $3, $4) ON CONFLICT (participant, product_id) DO UPDATE SET revision = excluded.revision, body = excluded.body");
    GET = Same("SELECT body FROM feed WHERE participant = $1 AND product_id = $2");
    UPDATE = Same("UPDATE feed SET revision = $3, body = $4 WHERE participant = $1 AND product_id = $2 AND revision = $5");
    LIST = Same("SELECT body FROM feed WHERE participant = $1 AND product_id > $2 ORDER BY product_id LIMIT $3");
    DELETE = Same("DELETE FROM feed WHERE participant = $1 AND product_id = $2");
}

impl Tx {
    /// Adds or replaces the feed of a product.
    pub fn feed_put(&mut self, feed: &Feed) -> Result<(), StoreError> {
        let params = vals![feed.participant.as_str(), feed.product.as_str(), count(feed.revision), json(feed)?];
        self.execute(PUT, params).map(drop)
    }

    /// Of a product.
    pub fn feed_get(&mut self, participant: &Slug, product: &ProductId) -> Result<Option<Feed>, StoreError> {
        self.first(GET, vals![participant.as_str(), product.as_str()], |row| row.json(0))
    }

    /// Replaces a feed; false when it was replaced or removed since revision `expected`.
    pub fn feed_update(&mut self, feed: &Feed, expected: u64) -> Result<bool, StoreError> {
        let params = vals![feed.participant.as_str(), feed.product.as_str(), count(feed.revision), json(feed)?, count(expected)];
        Ok(self.execute(UPDATE, params)? == 1)
    }

    /// By product, after `after`.
    pub fn feed_list(&mut self, participant: &Slug, after: &str, limit: u32) -> Result<Vec<Feed>, StoreError> {
        self.list(LIST, vals![participant.as_str(), after, page(limit)], |row| row.json(0))
    }

    /// Ends a feed; false when there was none.
    pub fn feed_delete(&mut self, participant: &Slug, product: &ProductId) -> Result<bool, StoreError> {
        Ok(self.execute(DELETE, vals![participant.as_str(), product.as_str()])? == 1)
    }
}
