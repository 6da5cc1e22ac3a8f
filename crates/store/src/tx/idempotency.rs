//! Idempotency keys: a creating request that arrives again gets the first answer again.
//!
//! Check, change and save share one transaction. The check reserves the key, so a second copy at the same instant
//! waits for the first and then replays its answer; if the first fails, its reservation is rolled back with it.

use super::{Tx, statements};
use crate::{dialect::Sql::Same, error::StoreError, value::vals};
use fondaco_core::time::Timestamp;

/// Longest key: any UUID or ULID fits, a document does not.
pub const IDEMPOTENCY_KEY_MAX_BYTES: usize = 256;

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// Nothing: go on, and save the answer.
    Fresh,
    /// The request was answered.
    Replay {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// The key was used for another request.
    Mismatch,
}

statements! {
    RESERVE = Same("INSERT INTO idempotency (scope, key, endpoint, fingerprint, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING");
    GET = Same("SELECT endpoint, fingerprint, status, body FROM idempotency WHERE scope = $1 AND key = $2 FOR UPDATE");
    SAVE = Same("INSERT INTO idempotency (scope, key, endpoint, fingerprint, status, body, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (scope, key) DO UPDATE SET endpoint = excluded.endpoint, fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body, created_at = excluded.created_at WHERE idempotency.status IS NULL");
    FORGET = Same("DELETE FROM idempotency WHERE created_at <= $1");
}

impl Tx {
    /// Looks a key up and reserves it. `scope` is the caller, `fingerprint` a digest of the request.
    ///
    /// # Errors
    /// [`StoreError::Limit`] for a key that is too long.
    pub fn idempotency_check(&mut self, scope: &str, key: &str, endpoint: &str, fingerprint: &str) -> Result<Idempotency, StoreError> {
        if key.len() > IDEMPOTENCY_KEY_MAX_BYTES {
            return Err(StoreError::Limit(format!("an idempotency key has more than {IDEMPOTENCY_KEY_MAX_BYTES} bytes")));
        }
        let now = self.now();
        if self.inserted(RESERVE, vals![scope, key, endpoint, fingerprint, now])? {
            return Ok(Idempotency::Fresh);
        }
        let found = self.first(GET, vals![scope, key], |row| {
            if row.text(0)? != endpoint || row.text(1)? != fingerprint {
                return Ok(Idempotency::Mismatch);
            }
            // Reserved by a transaction that was committed without an answer: it did nothing to be repeated.
            let Some(status) = row.opt_int(2)? else { return Ok(Idempotency::Fresh) };
            let status = u16::try_from(status).map_err(|_| StoreError::Corrupt("a stored status".into()))?;
            Ok(Idempotency::Replay { status, body: row.opt_string(3)?.unwrap_or_default() })
        })?;
        found.ok_or_else(|| StoreError::Unavailable("the idempotency key expired just now".into()))
    }

    /// Saves the answer to a request that was [`Idempotency::Fresh`].
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the key has an answer already.
    #[expect(clippy::too_many_arguments, reason = "a row, column by column")]
    pub fn idempotency_save(
        &mut self,
        scope: &str,
        key: &str,
        endpoint: &str,
        fingerprint: &str,
        status: u16,
        body: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.insert(SAVE, vals![scope, key, endpoint, fingerprint, u32::from(status), body, now], "an answer under this idempotency key")
    }

    /// Forgets keys saved by `before`; how many.
    pub fn idempotency_forget(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        self.execute(FORGET, vals![before])
    }
}
