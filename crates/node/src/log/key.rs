//! The keys: one signs this node's log, another signs the logs of others as their witness. Ed25519, nobody else's, sealed
//! in the database, made when they are first needed.
//!
//! They are two, because what a witness signs does not name it: its key must sign nothing else.

use crate::app::App;
use fondaco_core::{
    Error, Result,
    evidence::{Event, Kind},
};
use fondaco_store::{LogKeyRow, LogKeyUse, Tx};
use fondaco_tlog::{
    cosignature::CosigningKey,
    note::{KeyName, NoteError, SigningKey},
};
use serde_json::json;
use zeroize::Zeroizing;

/// Bytes of an Ed25519 seed.
const SEED_BYTES: usize = 32;

/// What the seed is bound to.
fn context(vkey: &str) -> String {
    format!("log-key:{vkey}")
}

/// A private key under a name.
trait Key: Sized {
    const USE: LogKeyUse;
    /// For the leaf of its making.
    const OF: &str;
    fn from_seed(name: KeyName, seed: &[u8; SEED_BYTES]) -> Result<Self, NoteError>;
    fn vkey(&self) -> String;
}

impl Key for SigningKey {
    const USE: LogKeyUse = LogKeyUse::Log;
    const OF: &str = "log";
    fn from_seed(name: KeyName, seed: &[u8; SEED_BYTES]) -> Result<Self, NoteError> {
        Self::from_seed(name, seed)
    }
    fn vkey(&self) -> String {
        self.verifier().to_string()
    }
}

impl Key for CosigningKey {
    const USE: LogKeyUse = LogKeyUse::Witness;
    const OF: &str = "witness";
    fn from_seed(name: KeyName, seed: &[u8; SEED_BYTES]) -> Result<Self, NoteError> {
        Self::from_seed(name, seed)
    }
    fn vkey(&self) -> String {
        self.verifier().to_string()
    }
}

fn from_seed<K: Key>(name: &str, seed: &[u8; SEED_BYTES]) -> Result<K> {
    let parsed = KeyName::parse(name).ok_or_else(|| Error::internal_failure(format!("no key can have the name {name}")))?;
    K::from_seed(parsed, seed).map_err(Error::internal_failure)
}

/// The key that signs now. Made if there is none, or if the one there is has another name: then the making is the next
/// leaf.
fn current_of<K: Key>(app: &App, tx: &mut Tx, name: &str) -> Result<K> {
    let is_named = |row: &LogKeyRow| row.vkey.split('+').next() == Some(name);
    let row = match tx.log_key(K::USE)?.filter(is_named) {
        Some(row) => row,
        None => {
            // Locked, so that two processes do not each make one.
            tx.log_lock()?;
            match tx.log_key(K::USE)?.filter(is_named) {
                Some(row) => row,
                None => return make_of(app, tx, name),
            }
        }
    };
    let seed = app.sealer.open(&context(&row.vkey), &row.sealed)?;
    let seed: &[u8; SEED_BYTES] = seed.as_slice().try_into().map_err(|_| Error::internal_failure("the log's key has another length"))?;
    let key: K = from_seed(name, seed)?;
    if key.vkey() == row.vkey { Ok(key) } else { Err(Error::internal_failure("the log's key is not the one it is stored as")) }
}

fn make_of<K: Key>(app: &App, tx: &mut Tx, name: &str) -> Result<K> {
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    app.entropy.fill(seed.as_mut());
    let key: K = from_seed(name, &seed)?;
    let vkey = key.vkey();
    let before = tx.log_key(K::USE)?.map(|row| row.vkey);
    tx.log_key_put(K::USE, &vkey, &app.sealer.seal(&context(&vkey), seed.as_ref(), &*app.entropy)?)?;
    let document = json!({"change": "made", "key": vkey, "of": K::OF, "retired": before});
    let event = Event { kind: Kind::KeyChange, at: app.now(), own: app.log_origin(), peer: None, object: vkey, document };
    tx.log_append(None, None, event)?;
    Ok(key)
}

/// The key that signs this node's log.
///
/// # Errors
/// When the database fails, or the key cannot be opened with this node's master key.
pub fn current(app: &App, tx: &mut Tx) -> Result<SigningKey> {
    current_of(app, tx, &app.log_origin())
}

/// Makes a new key, which signs this node's log from now on.
///
/// # Errors
/// When the database fails.
pub fn make(app: &App, tx: &mut Tx) -> Result<SigningKey> {
    make_of(app, tx, &app.log_origin())
}

/// The key that signs the logs of others.
///
/// # Errors
/// As [`current`].
pub fn witness(app: &App, tx: &mut Tx) -> Result<CosigningKey> {
    current_of(app, tx, &app.witness_name())
}
