//! Publications in progress.

use super::{Tx, page, products::containing, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{count, json, vals},
};
use fondaco_core::{ids::PublicationId, participant::Slug, publication::Publication, time::Timestamp};

statements! {
    INSERT = Same("INSERT INTO publication (participant, id, state, updated_at, revision, body) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING");
    GET = Same("SELECT body FROM publication WHERE participant = $1 AND id = $2");
    UPDATE = Same("UPDATE publication SET state = $3, updated_at = $4, revision = $5, body = $6 WHERE participant = $1 AND id = $2 AND revision = $7");
    LIST = Same("SELECT body FROM publication WHERE participant = $1 AND ($2 = 1 OR state <> 'published') AND (updated_at, id) < ($3, $4) ORDER BY updated_at DESC, id DESC LIMIT $5");
    DELETE = Same("DELETE FROM publication WHERE participant = $1 AND id = $2 AND revision = $3");
    NAMES = Same("SELECT 1 FROM publication WHERE participant = $1 AND body LIKE $2 ESCAPE '\\' LIMIT 1");
    OLD = Same("SELECT body FROM publication WHERE updated_at < $1 AND state <> 'preparing' ORDER BY updated_at LIMIT $2");
}

impl Tx {
    /// Adds a publication.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] for an id in use.
    pub fn publication_insert(&mut self, p: &Publication) -> Result<(), StoreError> {
        let params = vals![p.participant.as_str(), p.id.as_str(), p.state.name(), p.updated_at, count(p.revision), json(p)?];
        self.insert(INSERT, params, "the publication")
    }

    /// By id.
    pub fn publication_get(&mut self, participant: &Slug, id: &PublicationId) -> Result<Option<Publication>, StoreError> {
        self.first(GET, vals![participant.as_str(), id.as_str()], |row| row.json(0))
    }

    /// Replaces a publication.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] unless its stored revision is `expected_revision`.
    pub fn publication_update(&mut self, p: &Publication, expected_revision: u64) -> Result<(), StoreError> {
        let params = vals![
            p.participant.as_str(),
            p.id.as_str(),
            p.state.name(),
            p.updated_at,
            count(p.revision),
            json(p)?,
            count(expected_revision)
        ];
        match self.execute(UPDATE, params)? {
            1 => Ok(()),
            _ => Err(StoreError::Conflict("the publication changed meanwhile".into())),
        }
    }

    /// Last changed first, after a publication that was changed then; those that are published only when `all`.
    pub fn publication_list(
        &mut self,
        participant: &Slug,
        all: bool,
        after: Option<(Timestamp, &str)>,
        limit: u32,
    ) -> Result<Vec<Publication>, StoreError> {
        let (at, id) = after.map_or((i64::MAX, ""), |(at, id)| (at.as_micros(), id));
        self.list(LIST, vals![participant.as_str(), all, at, id, page(limit)], |row| row.json(0))
    }

    /// Removes a publication as it was read: what it holds may be removed after this transaction, and nothing else.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] unless its stored revision is still the same.
    pub fn publication_delete(&mut self, p: &Publication) -> Result<(), StoreError> {
        match self.execute(DELETE, vals![p.participant.as_str(), p.id.as_str(), count(p.revision)])? {
            1 => Ok(()),
            _ => Err(StoreError::Conflict("the publication changed meanwhile".into())),
        }
    }

    /// Whether a publication of the participant mentions a text: a folder, say.
    pub fn publications_mention(&mut self, participant: &Slug, text: &str) -> Result<bool, StoreError> {
        Ok(self.first(NAMES, vals![participant.as_str(), containing(text)], |_| Ok(()))?.is_some())
    }

    /// Of every participant, those untouched since `before` that nothing works on.
    pub fn publications_old(&mut self, before: Timestamp, limit: u32) -> Result<Vec<Publication>, StoreError> {
        self.list(OLD, vals![before, page(limit)], |row| row.json(0))
    }
}
