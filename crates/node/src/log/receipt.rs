//! The proof of one leaf, as a `tlog-proof`: that it is in the tree of the latest checkpoint.

use fondaco_core::{Error, Result};
use fondaco_store::Tx;
use fondaco_tlog::{Note, entries, proof::Proof, prove, tile::EntriesAddress};
use std::{collections::HashMap, convert::Infallible};

/// A leaf and its proof.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The leaf's bytes.
    pub entry: Vec<u8>,
    /// That it is in the log.
    pub proof: Proof,
}

/// The receipt of the leaf at a place; `None` when the signed tree does not reach it.
///
/// # Errors
/// When the database fails or is damaged.
pub fn receipt(tx: &mut Tx, index: u64) -> Result<Option<Receipt>> {
    let Some(tree) = tx.log_tree()?.filter(|tree| index < tree.size) else { return Ok(None) };
    let Some((address, place)) = EntriesAddress::of(index, tree.size) else { return Ok(None) };
    let damaged = |what: &str| Error::internal_failure(format!("the log: {what} of leaf {index}"));
    let bundle = tx.log_entries(address)?.ok_or_else(|| damaged("no bundle"))?;
    let entry = entries::parse(&bundle, address.width).ok().and_then(|all| all.get(place).map(|e| e.to_vec()));
    let mut tiles = HashMap::new();
    for tile in prove::inclusion_tiles(index, tree.size) {
        if let Some(bytes) = tx.log_tile(tile)? {
            tiles.insert(tile, bytes);
        }
    }
    let hashes = prove::inclusion(index, tree.size, |tile| Ok::<_, Infallible>(tiles.get(tile))).map_err(Error::internal_failure)?;
    let checkpoint = Note::parse(tree.checkpoint.as_bytes()).map_err(Error::internal_failure)?;
    let proof = Proof { extra: None, index, hashes, checkpoint };
    Ok(Some(Receipt { entry: entry.ok_or_else(|| damaged("no entry"))?, proof }))
}
