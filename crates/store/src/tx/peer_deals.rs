//! What a participant has to do with one peer.

use super::{Tx, page, statements};
use crate::{dialect::Sql::Same, error::StoreError, value::vals};
use fondaco_core::{
    negotiation::Negotiation,
    participant::{Did, Slug},
    transfer::Transfer,
};

// `id || ''`: as for negotiations.
statements! {
    NEGOTIATIONS = Same("SELECT body FROM negotiation WHERE participant = $1 AND peer_did = $2 ORDER BY id || '' DESC LIMIT $3");
    TRANSFERS = Same("SELECT body FROM transfer WHERE participant = $1 AND peer_did = $2 ORDER BY id || '' DESC LIMIT $3");
}

impl Tx {
    /// Negotiations with a peer, newest first.
    pub fn negotiations_with(&mut self, participant: &Slug, peer: &Did, limit: u32) -> Result<Vec<Negotiation>, StoreError> {
        self.list(NEGOTIATIONS, vals![participant.as_str(), peer.as_str(), page(limit)], |row| row.json(0))
    }

    /// Transfers with a peer, newest first.
    pub fn transfers_with(&mut self, participant: &Slug, peer: &Did, limit: u32) -> Result<Vec<Transfer>, StoreError> {
        self.list(TRANSFERS, vals![participant.as_str(), peer.as_str(), page(limit)], |row| row.json(0))
    }
}
