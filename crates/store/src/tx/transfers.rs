//! Transfer processes, both roles.

use super::{AFTER_EVERY_ID, PAGE_MAX, Tx, negotiations::ProcessFilter, page, statements};
use crate::{
    dialect::{NOTIFY_ACCESS, Sql::Same},
    error::StoreError,
    value::{count, json, vals},
};
use fondaco_core::{
    ids::TransferId,
    negotiation::Role,
    participant::{Did, Slug},
    transfer::Transfer,
};

// `id || ''`: as for negotiations.
statements! {
    INSERT = Same("INSERT INTO transfer (participant, id, role, state, peer_did, peer_pid, agreement_id, revision, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING");
    GET = Same("SELECT body FROM transfer WHERE participant = $1 AND id = $2");
    LOCK = Same("SELECT body FROM transfer WHERE participant = $1 AND id = $2 FOR UPDATE");
    UPDATE = Same("UPDATE transfer SET state = $3, peer_did = $4, peer_pid = $5, revision = $6, body = $7 WHERE participant = $1 AND id = $2 AND revision = $8");
    BY_PEER_PID = Same("SELECT body FROM transfer WHERE participant = $1 AND peer_did = $2 AND peer_pid = $3 AND role = $4 ORDER BY id || '' DESC LIMIT 1");
    LIST = Same("SELECT body FROM transfer WHERE participant = $1 AND ($2 = '' OR role = $2) AND id < $3 ORDER BY id DESC LIMIT $4");
    LIST_IN_STATE = Same("SELECT body FROM transfer WHERE participant = $1 AND ($2 = '' OR role = $2) AND id < $3 AND state = $5 ORDER BY id DESC LIMIT $4");
    OF_AGREEMENT = Same("SELECT body FROM transfer WHERE participant = $1 AND agreement_id = $2 ORDER BY id || '' DESC LIMIT $3");
    OPEN_OF_AGREEMENT = Same("SELECT id FROM transfer WHERE participant = $1 AND agreement_id = $2 AND state <> 'COMPLETED' AND state <> 'TERMINATED' AND id || '' > $3 ORDER BY id || '' LIMIT $4");
    TELL_CLOSED = NOTIFY_ACCESS;
}

impl Tx {
    /// Adds a transfer.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] for an id in use, or (as provider) a consumer's pid that names a transfer already.
    pub fn transfer_insert(&mut self, transfer: &Transfer) -> Result<(), StoreError> {
        let params = vals![
            transfer.participant.as_str(),
            transfer.id.as_str(),
            transfer.role.as_str(),
            transfer.state.name(),
            transfer.peer.did.as_str(),
            transfer.peer.pid.as_deref(),
            transfer.agreement_id.as_str(),
            count(transfer.revision),
            json(transfer)?
        ];
        self.insert(INSERT, params, "the transfer")
    }

    /// By our pid.
    pub fn transfer_get(&mut self, participant: &Slug, id: &TransferId) -> Result<Option<Transfer>, StoreError> {
        self.first(GET, vals![participant.as_str(), id.as_str()], |row| row.json(0))
    }

    /// By our pid, to change it: nobody else changes it until this transaction ends.
    pub fn transfer_lock(&mut self, participant: &Slug, id: &TransferId) -> Result<Option<Transfer>, StoreError> {
        self.first(LOCK, vals![participant.as_str(), id.as_str()], |row| row.json(0))
    }

    /// Tells the other processes on this database, when this is committed, that the access under a transfer is closed: see
    /// [`crate::Store::closings`].
    pub fn transfer_tell_closed(&mut self, id: &TransferId) -> Result<(), StoreError> {
        let told = format!("{} {}", self.context.owner, id.as_str());
        self.execute(TELL_CLOSED, vals![told]).map(drop)
    }

    /// Replaces a transfer.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] unless its stored revision is `expected_revision`.
    pub fn transfer_update(&mut self, transfer: &Transfer, expected_revision: u64) -> Result<(), StoreError> {
        let params = vals![
            transfer.participant.as_str(),
            transfer.id.as_str(),
            transfer.state.name(),
            transfer.peer.did.as_str(),
            transfer.peer.pid.as_deref(),
            count(transfer.revision),
            json(transfer)?,
            count(expected_revision)
        ];
        match self.execute(UPDATE, params)? {
            1 => Ok(()),
            _ => Err(StoreError::Conflict("the transfer changed meanwhile".into())),
        }
    }

    /// By the peer's pid, where our side is `role`.
    pub fn transfer_by_peer_pid(&mut self, participant: &Slug, role: Role, peer: &Did, pid: &str) -> Result<Option<Transfer>, StoreError> {
        self.first(BY_PEER_PID, vals![participant.as_str(), peer.as_str(), pid, role.as_str()], |row| row.json(0))
    }

    /// Newest first.
    pub fn transfer_list(&mut self, participant: &Slug, filter: &ProcessFilter) -> Result<Vec<Transfer>, StoreError> {
        let role = filter.role.map_or("", Role::as_str);
        let (before, limit) = (filter.after.as_deref().unwrap_or(AFTER_EVERY_ID), page(filter.limit));
        match filter.state.as_deref() {
            None => self.list(LIST, vals![participant.as_str(), role, before, limit], |row| row.json(0)),
            Some(state) => self.list(LIST_IN_STATE, vals![participant.as_str(), role, before, limit, state], |row| row.json(0)),
        }
    }

    /// The newest [`PAGE_MAX`] transfers under an agreement.
    pub fn transfers_of_agreement(&mut self, participant: &Slug, agreement_id: &str) -> Result<Vec<Transfer>, StoreError> {
        self.list(OF_AGREEMENT, vals![participant.as_str(), agreement_id, page(PAGE_MAX)], |row| row.json(0))
    }

    /// Transfers under an agreement that are not over, by id.
    pub fn transfers_open_of_agreement(
        &mut self,
        participant: &Slug,
        agreement_id: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<TransferId>, StoreError> {
        let params = vals![participant.as_str(), agreement_id, after, page(limit)];
        self.list(OPEN_OF_AGREEMENT, params, |row| Ok(TransferId::from_stored(row.text(0)?)))
    }
}
