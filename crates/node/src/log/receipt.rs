//! The proof of one leaf, as a `tlog-proof`: that it is in a tree that was signed. In the latest one that a quorum of the
//! witnesses has cosigned, if that reaches the leaf; else in the latest there is.

use super::policy;
use fondaco_core::{Error, Result};
use fondaco_store::{LogKeyUse, LogTree, Tx};
use fondaco_tlog::{
    Checkpoint, Note, entries,
    note::{Signature, VerifierKey},
    proof::Proof,
    prove,
    tile::{EntriesAddress, TileAddress},
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

/// What the receipts of several leaves have in common, read once: each tree that a receipt can be in, the keys, and of the
/// tiles and entries those that were needed so far.
pub struct Receipts {
    tree: LogTree,
    /// The tree as it was signed last.
    latest: Signed,
    /// The last that a quorum has cosigned, where the latest is not yet.
    quorum: Option<Signed>,
    tiles: HashMap<TileAddress, Vec<u8>>,
    /// The bundle of entries read last: leaves that are asked for together often stand near each other.
    entries: Option<(EntriesAddress, Vec<u8>)>,
}

/// A signed tree.
struct Signed {
    size: u64,
    checkpoint: Note,
    log: VerifierKey,
    witnesses: Vec<VerifierKey>,
}

impl Signed {
    fn of(size: u64, checkpoint: Note, keys: &[VerifierKey], witnesses: &[VerifierKey]) -> Result<Self> {
        let of = |keys: &[VerifierKey], s: &Signature| keys.iter().find(|key| &s.name == key.name() && s.id == key.id()).cloned();
        let log = checkpoint.signatures().iter().find_map(|s| of(keys, s));
        let log = log.ok_or_else(|| Error::internal_failure(format!("the log: no key of the tree of {size} leaves")))?;
        let witnesses = checkpoint.signatures().iter().filter_map(|s| of(witnesses, s)).collect();
        Checkpoint::open(&checkpoint, [&log]).map_err(Error::internal_failure)?;
        Ok(Self { size, checkpoint, log, witnesses })
    }
}

impl Receipts {
    /// Begins; `None` while nothing is signed.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn of(tx: &mut Tx) -> Result<Option<Self>> {
        let Some(tree) = tx.log_tree()?.filter(|tree| !tree.checkpoint.is_empty()) else { return Ok(None) };
        let policy = policy::load(tx)?;
        let rows = tx.log_cosignatures()?;
        let (latest, by) = policy::cosigned(&tree, &rows)?;
        let quorum = policy.as_ref().is_some_and(|p| policy::is_confirmed(&p.policy, &policy::names(&p.policy, &by)));
        let keys: Vec<VerifierKey> = tx.log_keys(LogKeyUse::Log)?.iter().filter_map(|key| key.vkey.parse().ok()).collect();
        let witnesses: Vec<VerifierKey> = policy.iter().flat_map(|p| p.policy.witnesses()).map(|w| w.key.clone()).collect();
        let quorum = match tx.log_quorum()?.filter(|_| !quorum) {
            Some(row) => {
                let note = Note::parse(row.checkpoint.as_bytes()).map_err(Error::internal_failure)?;
                Some(Signed::of(row.size, note, &keys, &witnesses)?)
            }
            None => None,
        };
        let latest = Signed::of(tree.size, latest, &keys, &witnesses)?;
        Ok(Some(Self { tree, latest, quorum, tiles: HashMap::new(), entries: None }))
    }

    /// The receipt of the leaf at a place; `None` when the signed tree does not reach it.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn at(&mut self, tx: &mut Tx, index: u64) -> Result<Option<Receipt>> {
        let Some((address, place)) = EntriesAddress::of(index, self.tree.size) else { return Ok(None) };
        let damaged = |what: &str| Error::internal_failure(format!("the log: {what} of leaf {index}"));
        if self.entries.as_ref().is_none_or(|(of, _)| *of != address) {
            self.entries = Some((address, tx.log_entries(address)?.ok_or_else(|| damaged("no bundle"))?));
        }
        let bundle = self.entries.as_ref().map(|(_, bytes)| bytes.as_slice()).unwrap_or_default();
        let entry = entries::parse(bundle, address.width).ok().and_then(|all| all.get(place).map(|e| e.to_vec()));
        let Signed { size, checkpoint, log, witnesses } = self.quorum.as_ref().filter(|tree| index < tree.size).unwrap_or(&self.latest);
        for tile in prove::inclusion_tiles(index, *size) {
            if !self.tiles.contains_key(&tile)
                && let Some(bytes) = tx.log_tile(tile)?
            {
                self.tiles.insert(tile, bytes);
            }
        }
        let hashes = prove::inclusion(index, *size, |tile| Ok::<_, Infallible>(self.tiles.get(tile))).map_err(Error::internal_failure)?;
        let proof = Proof { extra: None, index, hashes, checkpoint: checkpoint.clone() };
        let entry = entry.ok_or_else(|| damaged("no entry"))?;
        Ok(Some(Receipt { entry, proof, log: log.clone(), witnesses: witnesses.clone() }))
    }
}
