//! Products that their provider stopped in an emergency. While there is a row, nothing of any version is read.

use super::{Tx, statements};
use crate::{dialect::Sql::Same, error::StoreError, value::vals};
use fondaco_core::{life::Stop, participant::Slug, product::ProductId};

statements! {
    STOP = Same("INSERT INTO product_stop (participant, product_id, stopped_at, reason) SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT) WHERE EXISTS (SELECT 1 FROM product p WHERE p.participant = $1 AND p.product_id = $2) ON CONFLICT DO NOTHING");
    RESUME = Same("DELETE FROM product_stop WHERE participant = $1 AND product_id = $2");
    GET = Same("SELECT stopped_at, reason FROM product_stop WHERE participant = $1 AND product_id = $2");
}

impl Tx {
    /// Stops a product; false when it is stopped already, or there is none. One statement: from its commit on nothing is
    /// admitted.
    pub fn product_stop(&mut self, participant: &Slug, product: &ProductId, stop: &Stop) -> Result<bool, StoreError> {
        self.inserted(STOP, vals![participant.as_str(), product.as_str(), stop.at, stop.reason.as_str()])
    }

    /// Takes a stop back; false when there was none.
    pub fn product_resume(&mut self, participant: &Slug, product: &ProductId) -> Result<bool, StoreError> {
        Ok(self.execute(RESUME, vals![participant.as_str(), product.as_str()])? == 1)
    }

    /// The stop of a product.
    pub fn product_stopped(&mut self, participant: &Slug, product: &ProductId) -> Result<Option<Stop>, StoreError> {
        self.first(GET, vals![participant.as_str(), product.as_str()], |row| Ok(Stop { at: row.at(0)?, reason: row.string(1)? }))
    }
}
