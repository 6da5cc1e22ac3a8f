//! Protocol messages already received, by their `@id`: a redelivery changes nothing.

use super::{Tx, statements};
use crate::{dialect::Sql::Same, error::StoreError, value::vals};
use fondaco_core::{participant::Slug, time::Timestamp};

statements! {
    SEEN = Same("INSERT INTO inbox (participant, process, message_id, received_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING");
    KNOWN = Same("SELECT 1 FROM inbox WHERE participant = $1 AND process = $2 AND message_id = $3");
    NOTE = Same(
        "INSERT INTO inbox (participant, process, message_id, received_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (participant, process, message_id) DO UPDATE SET received_at = excluded.received_at"
    );
    NOTED_SINCE = Same("SELECT 1 FROM inbox WHERE participant = $1 AND process = $2 AND message_id = $3 AND received_at >= $4");
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

    /// Notes what a message of a process said, under a key that no message's `@id` has; said anew, it is as of now.
    pub fn message_said(&mut self, participant: &Slug, process: &str, key: &str) -> Result<(), StoreError> {
        let now = self.now();
        self.execute(NOTE, vals![participant.as_str(), process, key, now]).map(drop)
    }

    /// Whether a message of a process said the same at `since` or later.
    pub fn message_said_since(&mut self, participant: &Slug, process: &str, key: &str, since: Timestamp) -> Result<bool, StoreError> {
        Ok(self.first(NOTED_SINCE, vals![participant.as_str(), process, key, since], |_| Ok(()))?.is_some())
    }

    /// Forgets messages received by `before`; how many.
    pub fn messages_forget(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        self.execute(FORGET, vals![before])
    }
}
