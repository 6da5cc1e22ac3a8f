//! Signing keys of participants. The private half arrives sealed; this crate cannot open it.

use super::{Tx, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{Row, json, vals},
};
use fondaco_core::{participant::Slug, time::Timestamp};
use serde_json::Value;

/// A key pair.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Whose it is.
    pub participant: Slug,
    /// Its id, unique within the participant.
    pub kid: String,
    /// The private half, encrypted by the node.
    pub sealed_private: Vec<u8>,
    /// The public half as a JWK.
    pub public_jwk: Value,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it signs no more.
    pub retired_at: Option<Timestamp>,
}

impl std::fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRow").field("participant", &self.participant).field("kid", &self.kid).finish_non_exhaustive()
    }
}

statements! {
    INSERT = Same("INSERT INTO participant_key (participant, kid, sealed_private, public_jwk, created_at, retired_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING");
    ACTIVE = Same("SELECT participant, kid, sealed_private, public_jwk, created_at, retired_at FROM participant_key WHERE participant = $1 AND retired_at IS NULL ORDER BY created_at DESC, kid");
}

fn read(row: &Row) -> Result<KeyRow, StoreError> {
    Ok(KeyRow {
        participant: row.parsed(0, Slug::parse)?,
        kid: row.string(1)?,
        sealed_private: row.blob(2)?,
        public_jwk: row.json(3)?,
        created_at: row.at(4)?,
        retired_at: row.opt_at(5)?,
    })
}

impl Tx {
    /// Adds a key.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the participant has one of that id.
    pub fn key_insert(&mut self, key: &KeyRow) -> Result<(), StoreError> {
        let params = vals![
            key.participant.as_str(),
            key.kid.as_str(),
            key.sealed_private.as_slice(),
            json(&key.public_jwk)?,
            key.created_at,
            key.retired_at
        ];
        self.insert(INSERT, params, "the key")
    }

    /// Keys that sign, newest first.
    pub fn keys_active(&mut self, participant: &Slug) -> Result<Vec<KeyRow>, StoreError> {
        self.list(ACTIVE, vals![participant.as_str()], read)
    }
}
