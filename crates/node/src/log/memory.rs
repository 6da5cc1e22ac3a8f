//! What this node signed last, remembered beside the database.
//!
//! A database that was put back to an earlier state (a copied file, a snapshot of the disk) does not know what it signed
//! afterwards, and would sign other trees of the same size: a fork. This file knows, unless it was put back with it; for a
//! backup made with `fondaco backup` the restored database itself says that it was restored.

use crate::app::App;
use fondaco_core::{Error, Result};
use fondaco_store::{LogTree, Tx};
use fondaco_tlog::{Edge, Hash, tile::partial};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    convert::Infallible,
    fs::File,
    io::{ErrorKind, Read, Write},
    path::Path,
};

/// The file in the node's folder.
pub const FILE: &str = "log.json";
/// The file has two short members.
const FILE_MAX_BYTES: u64 = 4_096;
/// Why a log is held whose database is older than what was signed.
pub const HELD_OLDER: &str = "the database is older than the last tree that this node signed";

/// A tree that was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    size: u64,
    root: String,
}

/// Remembers a tree: durable when this returns.
///
/// # Errors
/// When the file cannot be written.
pub fn remember(dir: &Path, tree: &LogTree) -> Result<()> {
    let text = serde_json::to_vec(&Signed { size: tree.size, root: tree.root.to_string() }).map_err(Error::internal_failure)?;
    let (temporary, path) = (dir.join(format!(".{FILE}.new")), dir.join(FILE));
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|e| Error::internal_failure(format!("{} cannot be written: {e}", path.display())))
}

fn recall(dir: &Path) -> Result<Option<Signed>> {
    let path = dir.join(FILE);
    let unreadable = |e: &dyn std::fmt::Display| Error::internal_failure(format!("{} cannot be read: {e}", path.display()));
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
/// When the database fails, or the file cannot be read: nothing is signed then.
pub async fn compare(app: &App) -> Result<()> {
    let Some(signed) = recall(&app.config.dir)? else { return Ok(()) };
    app.store
        .tx("log.compare", move |tx| -> Result<()> {
            let tree = tx.log_lock()?;
            if tree.held.is_none() && !continues(tx, &tree, &signed)? {
                tx.log_hold(Some(HELD_OLDER))?;
            }
            Ok(())
        })
        .await
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
