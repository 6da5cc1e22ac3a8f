//! The log: leaves get their places in the tree, its tiles, and its signed checkpoint.
//!
//! One transaction takes the leaves that were written, in their order, hashes them into the tree, and signs the tree that
//! comes of it: so tiles and checkpoint are there together or not at all, and whoever reads a checkpoint finds its tiles. The
//! tree's row is locked meanwhile: of several processes on one database one does this at a time, and none can sign a tree
//! that is not the continuation of the last.

use super::{Tx, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{Row, count, vals},
};
use fondaco_core::time::Timestamp;
use fondaco_tlog::{
    Edge, Hash, entries,
    hash::empty_root,
    leaf_hash,
    tile::{EntriesAddress, TILE_WIDTH, TileAddress, partial},
};
use std::{collections::HashMap, convert::Infallible};

/// Most leaves of one transaction: its tiles and entries stay within a few megabytes, and other writers wait some dozen
/// milliseconds at most.
pub const LOG_BATCH_MAX: u32 = 4_096;

/// The tree as it was signed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTree {
    /// Leaves.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The signed checkpoint, a note; empty before the first.
    pub checkpoint: String,
    /// When.
    pub signed_at: Timestamp,
    /// Why nothing may be signed, if something holds it.
    pub held: Option<String>,
}

/// A key of the log.
#[derive(Clone, PartialEq, Eq)]
pub struct LogKeyRow {
    /// The public key, as verifiers take it.
    pub vkey: String,
    /// The private key, sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was replaced.
    pub retired_at: Option<Timestamp>,
}

impl std::fmt::Debug for LogKeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogKeyRow").field("vkey", &self.vkey).finish_non_exhaustive()
    }
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKeyUse {
    /// This node's log.
    Log,
    /// The logs of others, as their witness.
    Witness,
}

impl LogKeyUse {
    fn flag(self) -> bool {
        self == Self::Witness
    }
}

/// What came of an integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integrated {
    /// The tree now.
    pub tree: LogTree,
    /// Leaves that got their place.
    pub leaves: u64,
    /// Whether more may be waiting.
    pub more: bool,
}

statements! {
    BEGIN = Same("INSERT INTO log_tree (id, size, root, checkpoint, signed_at) VALUES (1, 0, $1, '', 0) ON CONFLICT (id) DO NOTHING");
    LOCK = Same("SELECT size, root, checkpoint, signed_at, held FROM log_tree WHERE id = 1 FOR UPDATE");
    GET = Same("SELECT size, root, checkpoint, signed_at, held FROM log_tree WHERE id = 1");
    SIGNED = Same("UPDATE log_tree SET size = $1, root = $2, checkpoint = $3, signed_at = $4 WHERE id = 1");
    HOLD = Same("UPDATE log_tree SET held = $1 WHERE id = 1");
    UNSIGN = Same("UPDATE log_tree SET checkpoint = '' WHERE id = 1");
    TAKE = Same("DELETE FROM log_pending WHERE seq IN (SELECT p.seq FROM log_pending p ORDER BY p.seq LIMIT $1) RETURNING seq, entry");
    PENDING = Same("SELECT COUNT(*) FROM log_pending");
    PENDING_AFTER = Same("SELECT seq, entry FROM log_pending WHERE seq > $1 ORDER BY seq LIMIT $2");
    ENTRY_PUT = Same("INSERT INTO log_entry (leaf_index, entry) VALUES ($1, $2)");
    ENTRIES = Same("SELECT entry FROM log_entry WHERE leaf_index >= $1 AND leaf_index < $2 ORDER BY leaf_index");
    ENTRIES_GONE = Same("DELETE FROM log_entry WHERE leaf_index < $1");
    BUNDLE_PUT = Same("INSERT INTO log_bundle (number, entries) VALUES ($1, $2)");
    BUNDLE = Same("SELECT entries FROM log_bundle WHERE number = $1");
    TILE_PUT = Same("INSERT INTO log_tile (level, number, hashes) VALUES ($1, $2, $3) ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes");
    TILE = Same("SELECT hashes FROM log_tile WHERE level = $1 AND number = $2");
    RUN_LONGER = Same("UPDATE log_run SET leaves = leaves + $2 WHERE first_index = (SELECT MAX(r.first_index) FROM log_run r) AND first_seq + leaves = $1");
    RUN_PUT = Same("INSERT INTO log_run (first_index, first_seq, leaves) VALUES ($1, $2, $3)");
    RUN_AT = Same("SELECT first_index, first_seq, leaves FROM log_run WHERE first_index <= $1 ORDER BY first_index DESC LIMIT 1");
    KEY = Same("SELECT vkey, sealed, created_at, retired_at FROM log_key WHERE witness = $1 AND retired_at IS NULL ORDER BY created_at DESC, vkey LIMIT 1");
    KEYS = Same("SELECT vkey, sealed, created_at, retired_at FROM log_key WHERE witness = $1 ORDER BY created_at, vkey");
    KEY_PUT = Same("INSERT INTO log_key (vkey, witness, sealed, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (vkey) DO NOTHING");
    KEYS_RETIRE = Same("UPDATE log_key SET retired_at = $2 WHERE witness = $1 AND retired_at IS NULL");
}

fn tree(row: &Row) -> Result<LogTree, StoreError> {
    Ok(LogTree {
        size: row.count(0)?,
        root: Hash::from_slice(&row.blob(1)?).ok_or_else(|| StoreError::Corrupt("the root of the log".into()))?,
        checkpoint: row.string(2)?,
        signed_at: row.at(3)?,
        held: row.opt_string(4)?,
    })
}

fn key(row: &Row) -> Result<LogKeyRow, StoreError> {
    Ok(LogKeyRow { vkey: row.string(0)?, sealed: row.blob(1)?, created_at: row.at(2)?, retired_at: row.opt_at(3)? })
}

fn damaged(what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("the log: {what}"))
}

impl Tx {
    /// The tree, if there is one yet.
    pub fn log_tree(&mut self) -> Result<Option<LogTree>, StoreError> {
        self.first(GET, vals![], tree)
    }

    /// The tree, with no other transaction at it until this one ends.
    pub fn log_lock(&mut self) -> Result<LogTree, StoreError> {
        self.execute(BEGIN, vals![empty_root().0.as_slice()])?;
        self.first(LOCK, vals![], tree)?.ok_or_else(|| damaged("its tree is missing"))
    }

    /// Keeps the log from being signed, for a reason, or lets it be signed again.
    pub fn log_hold(&mut self, why: Option<&str>) -> Result<(), StoreError> {
        self.log_lock()?;
        self.execute(HOLD, vals![why.map(str::to_owned)])?;
        // Who signs looks again, and says so.
        self.effects.leaves = true;
        Ok(())
    }

    /// Takes leaves that are waiting, at most [`LOG_BATCH_MAX`], into the tree, and has the tree signed by `sign`, which is
    /// given its size and root and answers the checkpoint. Nothing is signed when nothing is new, nor while the log is held.
    ///
    /// # Errors
    /// What `sign` says, and [`StoreError::Corrupt`] when the tiles are not those of the tree that was signed last: nothing
    /// is signed then.
    pub fn log_integrate<E: From<StoreError>>(&mut self, sign: impl FnOnce(u64, &Hash) -> Result<String, E>) -> Result<Integrated, E> {
        let before = self.log_lock()?;
        if before.held.is_some() {
            return Ok(Integrated { tree: before, leaves: 0, more: false });
        }
        let leaves = self.log_take()?;
        if leaves.is_empty() && !before.checkpoint.is_empty() {
            return Ok(Integrated { tree: before, leaves: 0, more: false });
        }
        let mut edge = self.log_edge(&before)?;
        let hashes: Vec<Hash> = leaves.iter().map(|(_, entry)| leaf_hash(entry)).collect();
        let tiles = edge.append(&hashes).ok_or_else(|| damaged("it is full"))?;
        for tile in tiles {
            let TileAddress { level, index, .. } = tile.address;
            self.execute(TILE_PUT, vals![u32::from(level), count(index), tile.bytes.as_slice()])?;
        }
        self.log_runs(before.size, &leaves)?;
        let taken = leaves.len() as u64;
        self.log_entries_put(before.size, leaves.into_iter().map(|(_, entry)| entry).collect())?;
        let (size, root, now) = (edge.size(), edge.root(), self.now());
        let checkpoint = sign(size, &root)?;
        self.execute(SIGNED, vals![count(size), root.0.as_slice(), checkpoint.as_str(), now])?;
        let tree = LogTree { size, root, checkpoint, signed_at: now, held: None };
        Ok(Integrated { tree, leaves: taken, more: taken == u64::from(LOG_BATCH_MAX) })
    }

    /// The right edge of the tree, read from its tiles and compared with what was signed.
    fn log_edge(&mut self, tree: &LogTree) -> Result<Edge, StoreError> {
        let mut tiles = HashMap::new();
        for address in partial(tree.size) {
            if let Some(bytes) = self.log_tile(address)? {
                tiles.insert(address, bytes);
            }
        }
        let edge = Edge::load(tree.size, |address| Ok::<_, Infallible>(tiles.get(address))).map_err(damaged)?;
        if edge.root() == tree.root { Ok(edge) } else { Err(damaged("its tiles are not those of the tree that was signed")) }
    }

    fn log_take(&mut self) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let mut leaves = self.list(TAKE, vals![LOG_BATCH_MAX], |row| Ok((row.int(0)?, row.blob(1)?)))?;
        leaves.sort_unstable_by_key(|(seq, _)| *seq);
        Ok(leaves)
    }

    /// Notes which places the leaves took.
    fn log_runs(&mut self, size: u64, leaves: &[(i64, Vec<u8>)]) -> Result<(), StoreError> {
        let mut first = count(size);
        for run in leaves.chunk_by(|(a, _), (b, _)| a + 1 == *b) {
            let (Some((seq, _)), long) = (run.first(), count(run.len() as u64)) else { continue };
            if self.execute(RUN_LONGER, vals![*seq, long])? == 0 {
                self.execute(RUN_PUT, vals![first, *seq, long])?;
            }
            first += long;
        }
        Ok(())
    }

    /// Adds entries; those that fill bundles go there.
    fn log_entries_put(&mut self, size: u64, new: Vec<Vec<u8>>) -> Result<(), StoreError> {
        let width = usize::from(TILE_WIDTH);
        let held = usize::try_from(size % u64::from(TILE_WIDTH)).map_err(damaged)?;
        let (mut at, mut rest) = (size, new);
        if held + rest.len() >= width {
            let first = size - held as u64;
            let mut all = self.list(ENTRIES, vals![count(first), count(size)], |row| row.blob(0))?;
            if all.len() != held {
                return Err(damaged("entries are missing"));
            }
            all.append(&mut rest);
            let whole = all.len() / width * width;
            rest = all.split_off(whole);
            for (number, bundle) in (first / u64::from(TILE_WIDTH)..).zip(all.chunks_exact(width)) {
                self.execute(BUNDLE_PUT, vals![count(number), entries::print(bundle).map_err(damaged)?.as_slice()])?;
            }
            at = first + whole as u64;
            self.execute(ENTRIES_GONE, vals![count(at)])?;
        }
        for (index, entry) in (at..).zip(&rest) {
            self.execute(ENTRY_PUT, vals![count(index), entry.as_slice()])?;
        }
        Ok(())
    }

    /// A tile, as wide as its address says; `None` when the tree has no such.
    pub fn log_tile(&mut self, address: TileAddress) -> Result<Option<Vec<u8>>, StoreError> {
        let TileAddress { level, index, width } = address;
        let Ok(number) = i64::try_from(index) else { return Ok(None) };
        let found = self.first(TILE, vals![u32::from(level), number], |row| row.blob(0))?;
        let bytes = usize::from(width) * fondaco_tlog::hash::HASH_BYTES;
        Ok(found.filter(|tile| tile.len() >= bytes).map(|mut tile| {
            tile.truncate(bytes);
            tile
        }))
    }

    /// A bundle of entries, as wide as its address says; `None` when the log has no such.
    pub fn log_entries(&mut self, address: EntriesAddress) -> Result<Option<Vec<u8>>, StoreError> {
        let EntriesAddress { index, width } = address;
        let Ok(number) = i64::try_from(index) else { return Ok(None) };
        if let Some(bundle) = self.first(BUNDLE, vals![number], |row| row.blob(0))? {
            if address.is_full() {
                return Ok(Some(bundle));
            }
            let (first, _) = entries::first(&bundle, width).map_err(damaged)?;
            return entries::print(&first).map(Some).map_err(damaged);
        }
        let Some(first) = number.checked_mul(TILE_WIDTH.into()) else { return Ok(None) };
        let found = self.list(ENTRIES, vals![first, first.saturating_add(width.into())], |row| row.blob(0))?;
        if found.len() == usize::from(width) { entries::print(&found).map(Some).map_err(damaged) } else { Ok(None) }
    }

    /// The number under which a leaf of the tree was written.
    pub fn log_seq_at(&mut self, leaf_index: u64) -> Result<Option<u64>, StoreError> {
        let run = self.first(RUN_AT, vals![count(leaf_index)], |row| Ok((row.count(0)?, row.count(1)?, row.count(2)?)))?;
        Ok(run.filter(|(first, _, leaves)| leaf_index - first < *leaves).map(|(first, seq, _)| seq + (leaf_index - first)))
    }

    /// Leaves that are not in the tree yet: how many.
    pub fn log_pending_count(&mut self) -> Result<u64, StoreError> {
        Ok(self.first(PENDING, vals![], |row| row.count(0))?.unwrap_or(0))
    }

    /// Leaves that are not in the tree yet, after a number.
    pub fn log_pending(&mut self, after: u64, limit: u32) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        self.list(PENDING_AFTER, vals![count(after), super::page(limit)], |row| Ok((row.count(0)?, row.blob(1)?)))
    }

    /// The key that signs.
    pub fn log_key(&mut self, of: LogKeyUse) -> Result<Option<LogKeyRow>, StoreError> {
        self.first(KEY, vals![of.flag()], key)
    }

    /// All keys, oldest first.
    pub fn log_keys(&mut self, of: LogKeyUse) -> Result<Vec<LogKeyRow>, StoreError> {
        self.list(KEYS, vals![of.flag()], key)
    }

    /// Lets a new key sign from now on, the present tree first; those before it are retired.
    pub fn log_key_put(&mut self, of: LogKeyUse, vkey: &str, sealed: &[u8]) -> Result<(), StoreError> {
        let now = self.now();
        self.log_lock()?;
        self.log_keys_retire(of)?;
        self.insert(KEY_PUT, vals![vkey, of.flag(), sealed, now], "the log's key")?;
        if of == LogKeyUse::Log {
            self.execute(UNSIGN, vals![])?;
            self.effects.leaves = true;
        }
        Ok(())
    }

    /// Lets no key sign any more.
    pub fn log_keys_retire(&mut self, of: LogKeyUse) -> Result<(), StoreError> {
        let now = self.now();
        self.execute(KEYS_RETIRE, vals![of.flag(), now]).map(drop)
    }
}
