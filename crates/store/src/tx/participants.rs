//! Participants: the organisations on this node.

use super::{PAGE_MAX, Tx, page, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{json, vals},
};
use fondaco_core::participant::{Participant, Slug};

statements! {
    INSERT = Same("INSERT INTO participant (slug, did, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
    UPDATE = Same("UPDATE participant SET did = $2, body = $3, catalog_revision = catalog_revision + 1 WHERE slug = $1");
    CATALOG_CHANGED = Same("UPDATE participant SET catalog_revision = catalog_revision + 1 WHERE slug = $1");
    CATALOG_REVISION = Same("SELECT catalog_revision FROM participant WHERE slug = $1");
    GET = Same("SELECT body FROM participant WHERE slug = $1");
    LIST = Same("SELECT body FROM participant WHERE slug > $1 ORDER BY slug LIMIT $2");
    COUNT = Same("SELECT COUNT(*) FROM (SELECT 1 FROM participant LIMIT $1) AS counted");
}

impl Tx {
    /// Adds a participant.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the slug or the DID is taken.
    pub fn participant_insert(&mut self, participant: &Participant) -> Result<(), StoreError> {
        let params = vals![participant.slug.as_str(), participant.did.as_str(), json(participant)?];
        self.effects.participants.push(participant.slug.clone());
        self.insert(INSERT, params, "the participant")
    }

    /// Replaces a participant's row.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is none, or its new DID is taken.
    pub fn participant_update(&mut self, participant: &Participant) -> Result<(), StoreError> {
        let params = vals![participant.slug.as_str(), participant.did.as_str(), json(participant)?];
        self.effects.participants.push(participant.slug.clone());
        match self.execute(UPDATE, params)? {
            0 => Err(StoreError::Conflict("the participant does not exist".into())),
            _ => Ok(()),
        }
    }

    /// Notes that the participant's catalogue is another one now.
    pub(super) fn catalog_changed(&mut self, slug: &Slug) -> Result<(), StoreError> {
        self.execute(CATALOG_CHANGED, vals![slug.as_str()]).map(drop)
    }

    /// How often the participant's catalogue has changed; 0 for one that there is not.
    pub fn catalog_revision(&mut self, slug: &Slug) -> Result<u64, StoreError> {
        Ok(self.first(CATALOG_REVISION, vals![slug.as_str()], |row| row.count(0))?.unwrap_or(0))
    }

    /// By slug.
    pub fn participant_get(&mut self, slug: &Slug) -> Result<Option<Participant>, StoreError> {
        self.first(GET, vals![slug.as_str()], |row| row.json(0))
    }

    /// How many there are, counted up to [`PAGE_MAX`].
    pub fn participants_count(&mut self) -> Result<u64, StoreError> {
        Ok(self.first(COUNT, vals![page(PAGE_MAX)], |row| row.count(0))?.unwrap_or(0))
    }

    /// By slug, after `after`.
    pub fn participant_list(&mut self, after: Option<&Slug>, limit: u32) -> Result<Vec<Participant>, StoreError> {
        let after = after.map_or("", Slug::as_str);
        self.list(LIST, vals![after, page(limit)], |row| row.json(0))
    }
}
