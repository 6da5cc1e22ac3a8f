//! Node-to-node tokens that were used: each `jti` once.

use super::{Tx, statements};
use crate::{dialect::Sql::Same, error::StoreError, value::vals};
use fondaco_core::time::Timestamp;

statements! {
    USE = Same("INSERT INTO token_seen (issuer, jti, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
    FORGET = Same("DELETE FROM token_seen WHERE expires_at <= $1");
}

impl Tx {
    /// Uses a token. True: this is its first use. However many copies arrive at once, one of them is told so.
    pub fn token_use(&mut self, issuer: &str, jti: &str, expires_at: Timestamp) -> Result<bool, StoreError> {
        self.inserted(USE, vals![issuer, jti, expires_at])
    }

    /// Forgets tokens that expired by `now`; how many.
    pub fn tokens_forget(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.execute(FORGET, vals![now])
    }
}
