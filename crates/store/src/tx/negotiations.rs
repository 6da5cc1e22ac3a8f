//! Contract negotiations, both roles.

use super::{AFTER_EVERY_ID, Tx, page, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{count, json, vals},
};
use fondaco_core::{
    ids::NegotiationId,
    negotiation::{Negotiation, Role},
    participant::{Did, Slug},
};

/// Which negotiations or transfers of a participant to list, newest first.
#[derive(Clone, Debug)]
pub struct ProcessFilter {
    /// Only of this side.
    pub role: Option<Role>,
    /// Only in this state, by its DSP name.
    pub state: Option<String>,
    /// Go on after this id.
    pub after: Option<String>,
    /// Most rows.
    pub limit: u32,
}

// `id || ''`: in the order of `id` itself SQLite would walk through all of the participant's rows until it meets the few
// that are wanted, instead of sorting those few.
statements! {
    INSERT = Same("INSERT INTO negotiation (participant, id, role, state, peer_did, peer_pid, revision, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING");
    GET = Same("SELECT body FROM negotiation WHERE participant = $1 AND id = $2");
    LOCK = Same("SELECT body FROM negotiation WHERE participant = $1 AND id = $2 FOR UPDATE");
    UPDATE = Same("UPDATE negotiation SET state = $3, peer_did = $4, peer_pid = $5, revision = $6, body = $7 WHERE participant = $1 AND id = $2 AND revision = $8");
    BY_PEER_PID = Same("SELECT body FROM negotiation WHERE participant = $1 AND peer_did = $2 AND peer_pid = $3 AND role = $4 ORDER BY id || '' DESC LIMIT 1");
    LIST = Same("SELECT body FROM negotiation WHERE participant = $1 AND ($2 = '' OR role = $2) AND id < $3 ORDER BY id DESC LIMIT $4");
    LIST_IN_STATE = Same("SELECT body FROM negotiation WHERE participant = $1 AND ($2 = '' OR role = $2) AND id < $3 AND state = $5 ORDER BY id DESC LIMIT $4");
}

impl Tx {
    /// Adds a negotiation.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] for an id in use, or (as provider) a consumer's pid that names a negotiation already.
    pub fn negotiation_insert(&mut self, negotiation: &Negotiation) -> Result<(), StoreError> {
        let params = vals![
            negotiation.participant.as_str(),
            negotiation.id.as_str(),
            negotiation.role.as_str(),
            negotiation.state.name(),
            negotiation.peer.did.as_str(),
            negotiation.peer.pid.as_deref(),
            count(negotiation.revision),
            json(negotiation)?
        ];
        self.insert(INSERT, params, "the negotiation")
    }

    /// By our pid.
    pub fn negotiation_get(&mut self, participant: &Slug, id: &NegotiationId) -> Result<Option<Negotiation>, StoreError> {
        self.first(GET, vals![participant.as_str(), id.as_str()], |row| row.json(0))
    }

    /// By our pid, to change it: nobody else changes it until this transaction ends.
    pub fn negotiation_lock(&mut self, participant: &Slug, id: &NegotiationId) -> Result<Option<Negotiation>, StoreError> {
        self.first(LOCK, vals![participant.as_str(), id.as_str()], |row| row.json(0))
    }

    /// Replaces a negotiation.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] unless its stored revision is `expected_revision`.
    pub fn negotiation_update(&mut self, negotiation: &Negotiation, expected_revision: u64) -> Result<(), StoreError> {
        let params = vals![
            negotiation.participant.as_str(),
            negotiation.id.as_str(),
            negotiation.state.name(),
            negotiation.peer.did.as_str(),
            negotiation.peer.pid.as_deref(),
            count(negotiation.revision),
            json(negotiation)?,
            count(expected_revision)
        ];
        match self.execute(UPDATE, params)? {
            1 => Ok(()),
            _ => Err(StoreError::Conflict("the negotiation changed meanwhile".into())),
        }
    }

    /// By the peer's pid, where our side is `role`.
    pub fn negotiation_by_peer_pid(
        &mut self,
        participant: &Slug,
        role: Role,
        peer: &Did,
        pid: &str,
    ) -> Result<Option<Negotiation>, StoreError> {
        self.first(BY_PEER_PID, vals![participant.as_str(), peer.as_str(), pid, role.as_str()], |row| row.json(0))
    }

    /// Newest first.
    pub fn negotiation_list(&mut self, participant: &Slug, filter: &ProcessFilter) -> Result<Vec<Negotiation>, StoreError> {
        let role = filter.role.map_or("", Role::as_str);
        let (before, limit) = (filter.after.as_deref().unwrap_or(AFTER_EVERY_ID), page(filter.limit));
        match filter.state.as_deref() {
            None => self.list(LIST, vals![participant.as_str(), role, before, limit], |row| row.json(0)),
            Some(state) => self.list(LIST_IN_STATE, vals![participant.as_str(), role, before, limit, state], |row| row.json(0)),
        }
    }
}
