//! Events: what happened, for people to read and pages to follow. Broadcast in this process after the commit.

use super::{Tx, page, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{Row, json, vals},
};
use fondaco_core::{participant::Slug, time::Timestamp};
use serde::Serialize;
use serde_json::Value;

/// Longest sentence and detail (JSON) of an event: it is a line on a page, not a document.
const EVENT_MAX_BYTES: usize = 64 * 1024;

/// An event to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Whose it is.
    pub participant: Slug,
    /// What it is about: `negotiation:ID`, `transfer:ID`, `agreement:ID`, `product:ID`, `node`.
    pub topic: String,
    /// What sort of event.
    pub kind: String,
    /// Who caused it: a login, a peer's DID, `node`.
    pub actor: String,
    /// A sentence for people.
    pub text: String,
    /// The same for programs.
    pub detail: Value,
}

/// An event that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its number: grows, with gaps.
    pub id: i64,
    /// Whose it is.
    pub participant: Slug,
    /// What it is about.
    pub topic: String,
    /// What sort of event.
    pub kind: String,
    /// Who caused it.
    pub actor: String,
    /// A sentence for people.
    pub text: String,
    /// The same for programs.
    pub detail: Value,
    /// When.
    pub at: Timestamp,
}

statements! {
    APPEND = Same("INSERT INTO event (participant, topic, kind, actor, text, detail, at) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id");
    OF = Same("SELECT id, participant, topic, kind, actor, text, detail, at FROM event WHERE participant = $1 AND topic = $2 AND id > $3 ORDER BY id LIMIT $4");
    LATEST = Same("SELECT id, participant, topic, kind, actor, text, detail, at FROM event WHERE participant = $1 ORDER BY id DESC LIMIT $2");
}

fn read(row: &Row) -> Result<Event, StoreError> {
    Ok(Event {
        id: row.int(0)?,
        participant: row.parsed(1, Slug::parse)?,
        topic: row.string(2)?,
        kind: row.string(3)?,
        actor: row.string(4)?,
        text: row.string(5)?,
        detail: row.json(6)?,
        at: row.at(7)?,
    })
}

impl Tx {
    /// Records an event; its number. Subscribers see it once the transaction is committed, and never if it is not.
    ///
    /// # Errors
    /// [`StoreError::Limit`] for a text or detail over 64 KiB.
    pub fn event_append(&mut self, event: &NewEvent) -> Result<i64, StoreError> {
        let detail = json(&event.detail)?;
        if event.text.len() + detail.len() > EVENT_MAX_BYTES {
            return Err(StoreError::Limit(format!("an event has more than {EVENT_MAX_BYTES} bytes")));
        }
        let at = self.now();
        let params = vals![
            event.participant.as_str(),
            event.topic.as_str(),
            event.kind.as_str(),
            event.actor.as_str(),
            event.text.as_str(),
            detail,
            at
        ];
        let id = self.first(APPEND, params, |row| row.int(0))?;
        let id = id.ok_or_else(|| StoreError::Database("an event got no number".into()))?;
        let NewEvent { participant, topic, kind, actor, text, detail } = event.clone();
        self.effects.events.push(Event { id, participant, topic, kind, actor, text, detail, at });
        Ok(id)
    }

    /// About one topic, oldest first, after number `after` (0: from the beginning).
    pub fn events_of(&mut self, participant: &Slug, topic: &str, after: i64, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.list(OF, vals![participant.as_str(), topic, after, page(limit)], read)
    }

    /// About everything, newest first.
    pub fn events_latest(&mut self, participant: &Slug, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.list(LATEST, vals![participant.as_str(), page(limit)], read)
    }
}
