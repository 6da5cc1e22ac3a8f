//! Idempotency keys: a creating request that is repeated finds what the first one made.
//!
//! The key is reserved and its answer saved in the transaction of the change itself, so a crash loses both or neither.

use fondaco_core::{Code, Error, Result, canonical};
use fondaco_store::{Idempotency, Tx};
use serde::Serialize;

/// Longest key accepted.
pub const KEY_MAX_CHARS: usize = 200;

/// A key sent with a request.
#[derive(Clone, Debug)]
pub struct Key {
    /// The caller it belongs to.
    pub scope: String,
    /// The key.
    pub key: String,
    /// The endpoint.
    pub endpoint: &'static str,
    /// A digest of the request.
    pub fingerprint: String,
}

impl Key {
    /// A key for a request of a caller.
    ///
    /// # Errors
    /// [`Code::Invalid`] for a key that is empty, too long or not visible ASCII.
    pub fn new(scope: &str, key: &str, endpoint: &'static str, request: &impl Serialize) -> Result<Self> {
        if key.is_empty() || key.len() > KEY_MAX_CHARS || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::invalid(format!("An Idempotency-Key has 1 to {KEY_MAX_CHARS} visible ASCII characters.")));
        }
        let fingerprint = canonical::digest(request).ok_or_else(|| Error::invalid("The request is not canonical JSON."))?;
        Ok(Self { scope: scope.to_owned(), key: key.to_owned(), endpoint, fingerprint })
    }
}

/// What came of a request that may be a repetition.
#[derive(Clone, Debug)]
pub enum Once<T> {
    /// It was done now.
    Done(T),
    /// It was done before: the id of what was made then.
    Before(String),
}

/// Does something once per key. `id` names what was made, so that a repetition finds it.
///
/// # Errors
/// [`Code::IdempotencyMismatch`] when the key was used for another request; whatever `make` returns.
pub fn once<T>(tx: &mut Tx, key: Option<&Key>, make: impl FnOnce(&mut Tx) -> Result<T>, id: impl FnOnce(&T) -> String) -> Result<Once<T>> {
    let Some(key) = key else { return make(tx).map(Once::Done) };
    match tx.idempotency_check(&key.scope, &key.key, key.endpoint, &key.fingerprint)? {
        Idempotency::Replay { body, .. } => Ok(Once::Before(body)),
        Idempotency::Mismatch => Err(Error::new(
            Code::IdempotencyMismatch,
            "This Idempotency-Key was used for another request. Use a fresh key for every new request.",
        )),
        Idempotency::Fresh => {
            let made = make(tx)?;
            let now = tx.now();
            tx.idempotency_save(&key.scope, &key.key, key.endpoint, &key.fingerprint, 201, &id(&made), now)?;
            Ok(Once::Done(made))
        }
    }
}
