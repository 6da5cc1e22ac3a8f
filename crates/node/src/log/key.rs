//! The key that signs the log: Ed25519, its own and nobody else's, sealed in the database, made when it is first needed.

use crate::app::App;
use fondaco_core::{
    Error, Result,
    evidence::{Event, Kind},
};
use fondaco_store::Tx;
use fondaco_tlog::note::{KeyName, SigningKey};
use serde_json::json;
use zeroize::Zeroizing;

/// Bytes of an Ed25519 seed.
const SEED_BYTES: usize = 32;

/// What the seed is bound to.
fn context(vkey: &str) -> String {
    format!("log-key:{vkey}")
}

fn from_seed(origin: &str, seed: &[u8; SEED_BYTES]) -> Result<SigningKey> {
    let name = KeyName::parse(origin).ok_or_else(|| Error::internal_failure(format!("no log can have the origin {origin}")))?;
    SigningKey::from_seed(name, seed).map_err(Error::internal_failure)
}

/// The key that signs now. Made if there is none, or if the one there is signs for another origin: then the making is the
/// next leaf.
///
/// # Errors
/// When the database fails, or the key cannot be opened with this node's master key.
pub fn current(app: &App, tx: &mut Tx) -> Result<SigningKey> {
    let origin = app.log_origin();
    // Locked, so that two processes do not each make one.
    tx.log_lock()?;
    let Some(row) = tx.log_key()?.filter(|row| row.vkey.split('+').next() == Some(origin.as_str())) else {
        return make(app, tx, &origin);
    };
    let seed = app.sealer.open(&context(&row.vkey), &row.sealed)?;
    let seed: &[u8; SEED_BYTES] = seed.as_slice().try_into().map_err(|_| Error::internal_failure("the log's key has another length"))?;
    let key = from_seed(&origin, seed)?;
    if key.verifier().to_string() == row.vkey {
        Ok(key)
    } else {
        Err(Error::internal_failure("the log's key is not the one it is stored as"))
    }
}

/// Makes a new key, which signs from now on.
///
/// # Errors
/// When the database fails.
pub fn make(app: &App, tx: &mut Tx, origin: &str) -> Result<SigningKey> {
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    app.entropy.fill(seed.as_mut());
    let key = from_seed(origin, &seed)?;
    let vkey = key.verifier().to_string();
    let before = tx.log_key()?.map(|row| row.vkey);
    tx.log_key_put(&vkey, &app.sealer.seal(&context(&vkey), seed.as_ref(), &*app.entropy)?)?;
    let document = json!({"change": "made", "key": vkey, "of": "log", "retired": before});
    let event = Event { kind: Kind::KeyChange, at: app.now(), own: origin.to_owned(), peer: None, object: vkey, document };
    tx.log_append(None, None, event)?;
    Ok(key)
}
