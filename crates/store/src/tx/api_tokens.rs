//! API tokens. Only a hash of the secret is stored.

use super::{PAGE_MAX, Tx, page, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{Row, vals},
};
use fondaco_core::{
    ids::TokenId,
    participant::Slug,
    time::{Micros, Timestamp},
};

/// How exactly the last use is known: a busy token must not write with each call.
const TOUCH_EVERY: Micros = Micros::from_secs(60);

/// A token.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiTokenRow {
    /// Its public part.
    pub id: TokenId,
    /// SHA-256 (hex) of the secret.
    pub hash: String,
    /// The participant it acts for; `None`: every one.
    pub participant: Option<Slug>,
    /// Whether it may change things.
    pub write: bool,
    /// What its owner calls it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it is void.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl std::fmt::Debug for ApiTokenRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiTokenRow").field("id", &self.id).field("participant", &self.participant).finish_non_exhaustive()
    }
}

statements! {
    INSERT = Same("INSERT INTO api_token (id, hash, participant, can_write, name, created_at, revoked_at, last_used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING");
    BY_HASH = Same("SELECT id, hash, participant, can_write, name, created_at, revoked_at, last_used_at FROM api_token WHERE hash = $1");
    LIST = Same("SELECT id, hash, participant, can_write, name, created_at, revoked_at, last_used_at FROM api_token WHERE $1 = '' OR participant = $1 ORDER BY id DESC LIMIT $2");
    REVOKE = Same("UPDATE api_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL");
    TOUCH = Same("UPDATE api_token SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)");
}

fn read(row: &Row) -> Result<ApiTokenRow, StoreError> {
    let participant = row.opt_string(2)?.map(|_| row.parsed(2, Slug::parse)).transpose()?;
    Ok(ApiTokenRow {
        id: TokenId::from_stored(row.text(0)?),
        hash: row.string(1)?,
        participant,
        write: row.flag(3)?,
        name: row.string(4)?,
        created_at: row.at(5)?,
        revoked_at: row.opt_at(6)?,
        last_used_at: row.opt_at(7)?,
    })
}

impl Tx {
    /// Adds a token.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] for an id or hash in use, or a participant that does not exist.
    pub fn api_token_insert(&mut self, token: &ApiTokenRow) -> Result<(), StoreError> {
        let params = vals![
            token.id.as_str(),
            token.hash.as_str(),
            token.participant.as_ref().map(Slug::as_str),
            token.write,
            token.name.as_str(),
            token.created_at,
            token.revoked_at,
            token.last_used_at
        ];
        self.insert(INSERT, params, "the token")
    }

    /// By hash, revoked ones included: whoever asks looks at `revoked_at`.
    pub fn api_token_by_hash(&mut self, hash: &str) -> Result<Option<ApiTokenRow>, StoreError> {
        self.first(BY_HASH, vals![hash], read)
    }

    /// The newest tokens of a participant; `None`: of the whole node.
    pub fn api_token_list(&mut self, participant: Option<&Slug>) -> Result<Vec<ApiTokenRow>, StoreError> {
        self.list(LIST, vals![participant.map_or("", Slug::as_str), page(PAGE_MAX)], read)
    }

    /// Voids a token; false when it was void or unknown.
    pub fn api_token_revoke(&mut self, id: &TokenId, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.execute(REVOKE, vals![id.as_str(), now])? == 1)
    }

    /// Notes a use, at most once a minute; whether it wrote.
    pub fn api_token_touch(&mut self, id: &TokenId, now: Timestamp) -> Result<bool, StoreError> {
        let stale = now.plus(Micros(-TOUCH_EVERY.0));
        Ok(self.execute(TOUCH, vals![id.as_str(), now, stale])? == 1)
    }
}
