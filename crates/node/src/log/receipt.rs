//! The proof of one leaf, as a `tlog-proof`: that it is in a tree that was signed. In the latest one that a quorum of the
//! witnesses has cosigned, if that reaches the leaf; else in the latest there is.

use super::policy;
use fondaco_core::{Error, Result};
use fondaco_store::{LogKeyUse, Tx};
use fondaco_tlog::{
    Checkpoint, Note, entries,
    note::{Signature, VerifierKey},
    proof::Proof,
    prove,
    tile::EntriesAddress,
};
use std::{collections::HashMap, convert::Infallible};

/// A leaf and its proof.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The leaf's bytes.
    pub entry: Vec<u8>,
    /// That it is in the log.
    pub proof: Proof,
    /// The key of the log that signed.
    pub log: VerifierKey,
    /// The keys of the witnesses that cosigned, in the order of their lines.
    pub witnesses: Vec<VerifierKey>,
}

/// The receipt of the leaf at a place; `None` when the signed tree does not reach it.
///
/// # Errors
/// When the database fails or is damaged.
pub fn receipt(tx: &mut Tx, index: u64) -> Result<Option<Receipt>> {
    let Some(tree) = tx.log_tree()?.filter(|tree| index < tree.size && !tree.checkpoint.is_empty()) else { return Ok(None) };
    let policy = policy::load(tx)?;
    let rows = tx.log_cosignatures()?;
    let (latest, by) = policy::cosigned(&tree, &rows)?;
    let quorum = policy.as_ref().is_some_and(|p| policy::is_confirmed(&p.policy, &policy::names(&p.policy, &by)));
    let (size, checkpoint) = match tx.log_quorum()?.filter(|row| !quorum && index < row.size) {
        Some(row) => (row.size, Note::parse(row.checkpoint.as_bytes()).map_err(Error::internal_failure)?),
        None => (tree.size, latest),
    };
    let damaged = |what: &str| Error::internal_failure(format!("the log: {what} of leaf {index}"));
    let Some((address, place)) = EntriesAddress::of(index, tree.size) else { return Ok(None) };
    let bundle = tx.log_entries(address)?.ok_or_else(|| damaged("no bundle"))?;
    let entry = entries::parse(&bundle, address.width).ok().and_then(|all| all.get(place).map(|e| e.to_vec()));
    let mut tiles = HashMap::new();
    for tile in prove::inclusion_tiles(index, size) {
        if let Some(bytes) = tx.log_tile(tile)? {
            tiles.insert(tile, bytes);
        }
    }
    let hashes = prove::inclusion(index, size, |tile| Ok::<_, Infallible>(tiles.get(tile))).map_err(Error::internal_failure)?;
    let keys: Vec<VerifierKey> = tx.log_keys(LogKeyUse::Log)?.iter().filter_map(|key| key.vkey.parse().ok()).collect();
    let of = |keys: &[VerifierKey], s: &Signature| keys.iter().find(|key| &s.name == key.name() && s.id == key.id()).cloned();
    let log = checkpoint.signatures().iter().find_map(|s| of(&keys, s)).ok_or_else(|| damaged("no key"))?;
    let witnesses: Vec<VerifierKey> = policy.iter().flat_map(|p| p.policy.witnesses()).map(|w| w.key.clone()).collect();
    let witnesses = checkpoint.signatures().iter().filter_map(|s| of(&witnesses, s)).collect();
    Checkpoint::open(&checkpoint, [&log]).map_err(Error::internal_failure)?;
    let proof = Proof { extra: None, index, hashes, checkpoint };
    Ok(Some(Receipt { entry: entry.ok_or_else(|| damaged("no entry"))?, proof, log, witnesses }))
}
