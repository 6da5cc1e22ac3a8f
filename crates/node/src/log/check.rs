//! Recomputes the whole log: every entry hashed, every tile compared, the root with the signed checkpoint, and each leaf
//! with what the database keeps to open it.

use crate::app::App;
use fondaco_core::{
    Error, Result,
    evidence::{Leaf, Opening},
};
use fondaco_store::{EvidenceRow, LogKeyUse, StoreError, Tx};
use fondaco_tlog::{Checkpoint, Note, audit::audit, entries, note::VerifierKey, tile::EntriesAddress};
use serde::Serialize;
use std::cell::RefCell;
use utoipa::ToSchema;

/// Most faults told: the first few say what is wrong.
const FAULTS_MAX: usize = 20;
/// Rows of evidence compared in one transaction.
const ROWS_AT_ONCE: u32 = 1_000;

/// What was found.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogCheck {
    /// The log's name.
    pub origin: String,
    /// The public key, as verifiers take it.
    pub key: String,
    /// Leaves of the tree.
    pub size: u64,
    /// Its root, in base64.
    pub root: String,
    /// Leaves that wait to be taken in.
    pub waiting: u64,
    /// Leaves whose documents were compared with them.
    pub opened: u64,
    /// Leaves whose documents were erased.
    pub erased: u64,
    /// Why nothing is signed, if something holds the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// What is wrong; empty when nothing is.
    pub faults: Vec<String>,
}

impl LogCheck {
    fn fault(&mut self, text: impl std::fmt::Display) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(text.to_string());
        }
    }
}

impl App {
    /// Recomputes everything from the entries.
    ///
    /// # Errors
    /// When the database fails. What is wrong with the log is in the answer.
    pub async fn log_check(&self) -> Result<LogCheck> {
        let origin = self.log_origin();
        let mut report = self.store.read("log.check", move |tx| recompute(tx, origin)).await?;
        let (mut after, size) = (0, report.size);
        loop {
            let from = after;
            let (page, found) = self.store.read("log.check_evidence", move |tx| compare(tx, from, size)).await?;
            after = page;
            report.opened += found.opened;
            report.erased += found.erased;
            found.faults.into_iter().for_each(|fault| report.fault(fault));
            if after == 0 {
                return Ok(report);
            }
        }
    }
}

fn recompute(tx: &mut Tx, origin: String) -> Result<LogCheck> {
    let mut report = LogCheck { origin, ..LogCheck::default() };
    let Some(tree) = tx.log_tree()? else { return Ok(report) };
    report.waiting = tx.log_pending_count()?;
    (report.size, report.root, report.held) = (tree.size, tree.root.to_string(), tree.held);
    let keys: Vec<VerifierKey> = tx.log_keys(LogKeyUse::Log)?.iter().filter_map(|row| row.vkey.parse().ok()).collect();
    report.key = tx.log_key(LogKeyUse::Log)?.map(|row| row.vkey).unwrap_or_default();
    match Note::parse(tree.checkpoint.as_bytes())
        .map_err(|e| e.to_string())
        .and_then(|n| Checkpoint::open(&n, &keys).map_err(|e| e.to_string()))
    {
        Err(e) => report.fault(format!("the checkpoint: {e}")),
        Ok(signed) if signed.origin != report.origin => report.fault(format!("the checkpoint is of {}", signed.origin)),
        Ok(signed) if (signed.size, signed.root) != (tree.size, tree.root) => report.fault("the checkpoint is of another tree"),
        Ok(_) => {}
    }
    let mut odd = Vec::new();
    let tx = RefCell::new(tx);
    let done = audit(
        tree.size,
        &tree.root,
        |address| tx.borrow_mut().log_entries(*address),
        |address| tx.borrow_mut().log_tile(*address),
        |index, entry| {
            if Leaf::read(entry).is_err() && odd.len() < FAULTS_MAX {
                odd.push(index);
            }
        },
    );
    if let Err(fault) = done {
        match fault {
            fondaco_tlog::audit::Fault::Reader(e @ (StoreError::Unavailable(_) | StoreError::Database(_))) => return Err(e.into()),
            fault => report.fault(fault),
        }
    }
    for index in odd {
        report.fault(format_args!("entry {index} is no leaf of this program"));
    }
    Ok(report)
}

/// Compares evidence after a number with its leaves; the number to go on after, 0 at the end.
fn compare(tx: &mut Tx, after: u64, size: u64) -> Result<(u64, LogCheck)> {
    let mut found = LogCheck::default();
    let rows = tx.evidence_after(after, ROWS_AT_ONCE)?;
    let mut bundle: Option<(EntriesAddress, Vec<u8>)> = None;
    for row in &rows {
        let Some(index) = row.leaf_index else {
            if tx.log_pending(row.seq - 1, 1)?.first().is_none_or(|(seq, _)| *seq != row.seq) {
                found.fault(format!("{} is neither in the tree nor waiting", row.id));
            }
            continue;
        };
        // What came into the tree since it was recomputed is for the next check.
        let Some((address, place)) = EntriesAddress::of(index, size) else { continue };
        if bundle.as_ref().is_none_or(|(of, _)| *of != address) {
            bundle = tx.log_entries(address)?.map(|bytes| (address, bytes));
        }
        let entry = bundle.as_ref().and_then(|(of, bytes)| entries::parse(bytes, of.width).ok()?.get(place).copied());
        match entry.map(Leaf::read) {
            None => found.fault(format!("{}: entry {index} is missing", row.id)),
            Some(Err(e)) => found.fault(format!("{}: entry {index}: {e}", row.id)),
            Some(Ok(leaf)) => match opened(row, &leaf) {
                Ok(true) => found.opened += 1,
                Ok(false) => found.erased += 1,
                Err(e) => found.fault(format!("{}: entry {index}: {e}", row.id)),
            },
        }
    }
    let last = rows.last().filter(|_| rows.len() == ROWS_AT_ONCE as usize);
    Ok((last.map_or(0, |row| row.seq), found))
}

/// Whether what is kept opens the leaf; false when it was erased.
fn opened(row: &EvidenceRow, leaf: &Leaf) -> Result<bool> {
    if (leaf.kind, leaf.at) != (row.kind, row.at) {
        return Err(Error::invalid("The leaf is about something else."));
    }
    let (Some(document), Some(secret)) = (&row.document, &row.secret) else { return Ok(false) };
    leaf.check(Opening { own: &row.own, peer: row.peer.as_deref(), object: &row.object, document, secret })?;
    Ok(true)
}
