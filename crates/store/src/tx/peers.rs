//! Peers: other organisations a participant has dealt with.

use super::{PAGE_MAX, Tx, page, statements};
use crate::{
    dialect::{NAMES_OF_MANY, Sql::Same},
    error::StoreError,
    value::{Row, json, vals},
};
use fondaco_core::{
    participant::{Did, Slug},
    time::Timestamp,
};
use std::collections::{BTreeSet, HashMap};

/// A peer as one participant knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRow {
    /// Who knows it.
    pub participant: Slug,
    /// Who it is.
    pub did: Did,
    /// Its name, if it told one.
    pub name: Option<String>,
    /// Where its protocol endpoints are.
    pub address: Option<String>,
    /// When a call to it last succeeded.
    pub last_ok_at: Option<Timestamp>,
    /// Why the last call failed; `None` when it did not.
    pub last_error: Option<String>,
    /// When its catalogue was last read to the end; noted by `peer_catalog_read` alone.
    pub catalog_read_at: Option<Timestamp>,
    /// Why the last reading of its catalogue failed; noted by `peer_catalog_failed` alone.
    pub catalog_error: Option<String>,
}

statements! {
    TOUCH = Same("INSERT INTO peer (participant, did, name, address, last_ok_at, last_error) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (participant, did) DO UPDATE SET name = COALESCE(excluded.name, peer.name), address = COALESCE(excluded.address, peer.address), last_ok_at = COALESCE(excluded.last_ok_at, peer.last_ok_at), last_error = excluded.last_error");
    GET = Same("SELECT participant, did, name, address, last_ok_at, last_error, catalog_read_at, catalog_error FROM peer WHERE participant = $1 AND did = $2");
    LIST = Same("SELECT participant, did, name, address, last_ok_at, last_error, catalog_read_at, catalog_error FROM peer WHERE participant = $1 ORDER BY did LIMIT $2");
    ANY = Same("SELECT 1 FROM peer WHERE participant = $1 LIMIT 1");
    NAMES = NAMES_OF_MANY;
}

fn read(row: &Row) -> Result<PeerRow, StoreError> {
    Ok(PeerRow {
        participant: row.parsed(0, Slug::parse)?,
        did: row.parsed(1, Did::parse)?,
        name: row.opt_string(2)?,
        address: row.opt_string(3)?,
        last_ok_at: row.opt_at(4)?,
        last_error: row.opt_string(5)?,
        catalog_read_at: row.opt_at(6)?,
        catalog_error: row.opt_string(7)?,
    })
}

impl Tx {
    /// Notes what was learnt about a peer: `None` for name, address and `last_ok_at` keeps what is known; `last_error`
    /// is replaced.
    pub fn peer_touch(&mut self, peer: &PeerRow) -> Result<(), StoreError> {
        let params = vals![
            peer.participant.as_str(),
            peer.did.as_str(),
            peer.name.as_deref(),
            peer.address.as_deref(),
            peer.last_ok_at,
            peer.last_error.as_deref()
        ];
        self.execute(TOUCH, params).map(drop)
    }

    /// By DID.
    pub fn peer_get(&mut self, participant: &Slug, did: &Did) -> Result<Option<PeerRow>, StoreError> {
        self.first(GET, vals![participant.as_str(), did.as_str()], read)
    }

    /// The names of those of some peers that told one, in one query.
    ///
    /// # Errors
    /// [`StoreError::Limit`] for more than [`PAGE_MAX`].
    pub fn peer_names(&mut self, participant: &Slug, dids: &BTreeSet<&Did>) -> Result<HashMap<String, String>, StoreError> {
        if dids.is_empty() {
            return Ok(HashMap::new());
        }
        if dids.len() > PAGE_MAX as usize {
            return Err(StoreError::Limit(format!("more than {PAGE_MAX} peers at once")));
        }
        let names = self.list(NAMES, vals![participant.as_str(), json(dids)?], |row| Ok((row.string(0)?, row.string(1)?)))?;
        Ok(names.into_iter().collect())
    }

    /// Whether there is any.
    pub fn has_peers(&mut self, participant: &Slug) -> Result<bool, StoreError> {
        Ok(self.first(ANY, vals![participant.as_str()], |_| Ok(()))?.is_some())
    }

    /// The first [`PAGE_MAX`] peers by DID.
    pub fn peer_list(&mut self, participant: &Slug) -> Result<Vec<PeerRow>, StoreError> {
        self.list(LIST, vals![participant.as_str(), page(PAGE_MAX)], read)
    }
}
