//! What this node signed last, remembered beside the database.
//!
//! A database that was put back to an earlier state (a copied file, a snapshot of the disk) does not know what it signed
//! afterwards, and would sign other trees of the same size: a fork. This file knows, unless it was put back with it; for a
//! backup made with `fondaco backup` the restored database itself says that it was restored; and at its start a node asks its
//! witnesses.
//!
//! The same holds of what it cosigned as a witness: a database that forgot some of that gets a new witness key.

use crate::{app::App, disk::write_whole};
use fondaco_core::{Code, Error, Result};
use fondaco_store::{LogKeyUse, LogTree, Tx};
use fondaco_tlog::{Edge, Hash, hash::empty_root, tile::partial};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    convert::Infallible,
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

/// The file in the node's folder.
pub const FILE: &str = "log.json";
/// The file has two short members.
const FILE_MAX_BYTES: u64 = 4_096;
/// Why a log is held whose database is older than what was signed.
pub const HELD_OLDER: &str = "the database is older than the last tree that this node signed";

/// What was signed last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    /// The tree: its leaves,
    size: u64,
    /// and its root, in base64.
    root: String,
    /// How many cosignatures were made as a witness.
    #[serde(default)]
    cosigned: u64,
}

/// Remembers a tree: durable when this returns. Under the lock of [`log_turn`](crate::app::Inner).
///
/// # Errors
/// When the file cannot be read or written.
pub fn remember(dir: &Path, tree: &LogTree) -> Result<()> {
    let cosigned = recall(dir)?.map_or(0, |before| before.cosigned);
    write(dir, &Signed { size: tree.size, root: tree.root.to_string(), cosigned })
}

/// Remembers that so many cosignatures were made, or more: durable when this returns. Under the same lock.
///
/// # Errors
/// When the file cannot be read or written.
pub fn remember_cosigned(dir: &Path, cosigned: u64) -> Result<()> {
    let before = recall(dir)?.unwrap_or_else(|| Signed { size: 0, root: empty_root().to_string(), cosigned: 0 });
    if before.cosigned < cosigned { write(dir, &Signed { cosigned, ..before }) } else { Ok(()) }
}

fn write(dir: &Path, signed: &Signed) -> Result<()> {
    let text = serde_json::to_vec(signed).map_err(Error::internal_failure)?;
    let path = dir.join(FILE);
    write_whole(&path, &text).map_err(|e| Error::internal_failure(format!("{} cannot be written: {e}", path.display())))
}

fn recall(dir: &Path) -> Result<Option<Signed>> {
    let path = dir.join(FILE);
    let unreadable = |e: &dyn std::fmt::Display| {
        let path = path.display();
        let text = format!("{path} cannot be read: {e}. Put it back as it was; without it nobody knows here what was signed last.");
        Error::new(Code::ConfigInvalid, text)
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unreadable(&e)),
    };
    let mut text = Vec::new();
    file.take(FILE_MAX_BYTES).read_to_end(&mut text).map_err(|e| unreadable(&e))?;
    serde_json::from_slice(&text).map(Some).map_err(|e| unreadable(&e))
}

/// Looks whether the database continues what this node signed last, and holds the log if it does not.
///
/// # Errors
/// When the database fails, or the file cannot be read ([`Code::ConfigInvalid`]): the node does not start then.
pub async fn compare(app: &App) -> Result<()> {
    let _turn = app.log_turn.lock().await;
    let Some(signed) = recall(&app.config.dir)? else { return Ok(()) };
    let known = signed.clone();
    let cosigned = app
        .store
        .tx("log.compare", move |tx| -> Result<_> {
            let tree = tx.log_lock()?;
            if tree.held.is_none() && !continues(tx, &tree, &known)? {
                tx.log_hold(Some(HELD_OLDER))?;
            }
            let cosigned = tx.witnessed_count()?;
            if cosigned < known.cosigned {
                // It promised never to cosign two histories, and does not know any more which it cosigned.
                tracing::error!("log.witness_older: the database forgot what this node cosigned; it cosigns with a new key from now on");
                tx.log_keys_retire(LogKeyUse::Witness)?;
            }
            Ok(cosigned)
        })
        .await?;
    if cosigned < signed.cosigned { write(&app.config.dir, &Signed { cosigned, ..signed }) } else { Ok(()) }
}

fn continues(tx: &mut Tx, tree: &LogTree, signed: &Signed) -> Result<bool> {
    if signed.size > tree.size {
        return Ok(false);
    }
    let mut tiles = HashMap::new();
    for address in partial(signed.size) {
        if let Some(bytes) = tx.log_tile(address)? {
            tiles.insert(address, bytes);
        }
    }
    let edge = Edge::load(signed.size, |address| Ok::<_, Infallible>(tiles.get(address))).map_err(Error::internal_failure)?;
    Ok(Some(edge.root()) == Hash::from_base64(&signed.root))
}
