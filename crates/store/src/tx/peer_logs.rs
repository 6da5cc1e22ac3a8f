//! The keys of peers' logs: the first that was seen of a peer stays until somebody here takes another.

use super::{Tx, statements};
use crate::{dialect::Sql::Same, error::StoreError, value::vals};
use fondaco_core::{
    participant::{Did, Slug},
    time::Timestamp,
};

/// The key of a peer's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerLogRow {
    /// The key, as verifiers take it.
    pub vkey: String,
    /// Since when it is relied on.
    pub at: Timestamp,
}

statements! {
    GET = Same("SELECT vkey, at FROM peer_log WHERE participant = $1 AND peer_did = $2");
    KEEP = Same("INSERT INTO peer_log (participant, peer_did, vkey, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING");
    TAKE = Same("INSERT INTO peer_log (participant, peer_did, vkey, at) VALUES ($1, $2, $3, $4) ON CONFLICT (participant, peer_did) DO UPDATE SET vkey = excluded.vkey, at = excluded.at");
}

impl Tx {
    /// The key that is relied on for a peer's log.
    pub fn peer_log(&mut self, participant: &Slug, peer: &Did) -> Result<Option<PeerLogRow>, StoreError> {
        self.first(GET, vals![participant.as_str(), peer.as_str()], |row| Ok(PeerLogRow { vkey: row.string(0)?, at: row.at(1)? }))
    }

    /// Keeps the key that was seen first; one that is kept already stays. The key that counts.
    ///
    /// # Errors
    /// [`StoreError::Database`] when the row that was just written is gone.
    pub fn peer_log_keep(&mut self, participant: &Slug, peer: &Did, vkey: &str) -> Result<PeerLogRow, StoreError> {
        let now = self.now();
        self.execute(KEEP, vals![participant.as_str(), peer.as_str(), vkey, now])?;
        self.peer_log(participant, peer)?.ok_or_else(|| StoreError::Database("a peer's key was not kept".into()))
    }

    /// Takes another key for a peer's log.
    pub fn peer_log_take(&mut self, participant: &Slug, peer: &Did, vkey: &str) -> Result<(), StoreError> {
        let now = self.now();
        self.execute(TAKE, vals![participant.as_str(), peer.as_str(), vkey, now]).map(drop)
    }
}
