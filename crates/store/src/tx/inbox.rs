//! Protocol messages already received, by their `@id`: a redelivery changes nothing.

use super::{Tx, statements};
use crate::{dialect::Sql::Same, error::StoreError, value::vals};
use fondaco_core::{participant::Slug, time::Timestamp};

statements! {
    SEEN = Same("INSERT INTO inbox (participant, process, message_id, received_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING");
    KNOWN = Same("SELECT 1 FROM inbox WHERE participant = $1 AND process = $2 AND message_id = $3");
    FORGET = Same("DELETE FROM inbox WHERE received_at <= $1");
}

impl Tx {
    /// Notes a message of a process. True: the first time.
    pub fn message_seen(&mut self, participant: &Slug, process: &str, message_id: &str) -> Result<bool, StoreError> {
        let now = self.now();
        self.inserted(SEEN, vals![participant.as_str(), process, message_id, now])
    }

    /// Whether a message of a process was noted before.
    pub fn message_known(&mut self, participant: &Slug, process: &str, message_id: &str) -> Result<bool, StoreError> {
        Ok(self.first(KNOWN, vals![participant.as_str(), process, message_id], |_| Ok(()))?.is_some())
    }

    /// Forgets messages received by `before`; how many.
    pub fn messages_forget(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        self.execute(FORGET, vals![before])
    }
}
