//! Console sessions. Only a hash of the cookie is stored.

use super::{Tx, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{Row, vals},
};
use fondaco_core::{ids::UserId, time::Timestamp};

/// A session.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// SHA-256 (hex) of the cookie's value.
    pub id_hash: String,
    /// Who signed in.
    pub user: UserId,
    /// The token its forms carry.
    pub csrf: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for SessionRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionRow").field("user", &self.user).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

statements! {
    INSERT = Same("INSERT INTO session (id_hash, user_id, csrf, created_at, expires_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING");
    GET = Same("SELECT id_hash, user_id, csrf, created_at, expires_at FROM session WHERE id_hash = $1 AND expires_at > $2");
    DELETE = Same("DELETE FROM session WHERE id_hash = $1");
    OF_USER = Same("DELETE FROM session WHERE user_id = $1 AND id_hash <> $2");
    EXPIRE = Same("DELETE FROM session WHERE expires_at <= $1");
}

fn read(row: &Row) -> Result<SessionRow, StoreError> {
    Ok(SessionRow {
        id_hash: row.string(0)?,
        user: UserId::from_stored(row.text(1)?),
        csrf: row.string(2)?,
        created_at: row.at(3)?,
        expires_at: row.at(4)?,
    })
}

impl Tx {
    /// Begins a session.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] for a hash in use or a user that does not exist.
    pub fn session_insert(&mut self, session: &SessionRow) -> Result<(), StoreError> {
        let params = vals![session.id_hash.as_str(), session.user.as_str(), session.csrf.as_str(), session.created_at, session.expires_at];
        self.insert(INSERT, params, "the session")
    }

    /// A session that has not ended by `now`.
    pub fn session_get(&mut self, id_hash: &str, now: Timestamp) -> Result<Option<SessionRow>, StoreError> {
        self.first(GET, vals![id_hash, now], read)
    }

    /// Ends a session; false when there was none.
    pub fn session_delete(&mut self, id_hash: &str) -> Result<bool, StoreError> {
        Ok(self.execute(DELETE, vals![id_hash])? == 1)
    }

    /// Ends a person's sessions but the one named by its hash, if any; how many.
    pub fn sessions_end(&mut self, user: &UserId, but: Option<&str>) -> Result<u64, StoreError> {
        self.execute(OF_USER, vals![user.as_str(), but.unwrap_or_default()])
    }

    /// Removes sessions that ended by `now`; how many.
    pub fn sessions_expire(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.execute(EXPIRE, vals![now])
    }
}
