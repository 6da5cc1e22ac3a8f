//! Whether a participant's evidence is complete: gathers what the rule in [`fondaco_core::evidence::complete`] compares, for
//! every agreement.

use crate::app::App;
use fondaco_core::{
    Result,
    evidence::{
        Kind, Leaf, Opening,
        complete::{Completeness, Fault, Place, Seen, Stored, StoredTransfer, Used, completeness},
    },
    participant::Slug,
    time::Timestamp,
};
use fondaco_store::{AgreementFilter, AgreementRow, EvidenceFilter, EvidenceRow, Tx, Usage};
use fondaco_tlog::{entries, tile::EntriesAddress};
use serde_json::Value;

/// Agreements compared in one transaction: each is a few looks at indexes, and others wait meanwhile.
const AGREEMENTS_AT_ONCE: u32 = 50;
/// Rows of evidence read at once.
const ROWS_AT_ONCE: u32 = 200;
/// Leaves of one agreement that are compared: a leaf about usage each day and one about refusals each hour make 9,000 in a
/// year.
const LEAVES_MAX: usize = 100_000;
/// Most findings told: the first say what is wrong.
const FINDINGS_MAX: usize = 100;

/// Something that is wrong with the evidence of an agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFinding {
    /// The agreement.
    pub agreement: String,
    /// What is wrong.
    pub fault: Fault,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct EvidenceCheck {
    /// When the log began; nothing before has leaves.
    pub since: Option<Timestamp>,
    /// Agreements.
    pub agreements: u64,
    /// Those of them that are older than the log: nothing of them was logged.
    pub older: u64,
    /// Leaves that belong to the others.
    pub leaves: u64,
    /// Those of them whose documents were erased.
    pub erased: u64,
    /// Those of them that wait to be taken into the log.
    pub waiting: u64,
    /// What is wrong, at most a hundred; empty when nothing is.
    pub findings: Vec<CheckFinding>,
    /// Whether more is wrong than is told.
    pub more: bool,
}

impl EvidenceCheck {
    fn take(&mut self, agreement: &str, completeness: Completeness) {
        self.agreements += 1;
        match completeness {
            Completeness::Older => self.older += 1,
            Completeness::Checked(faults) => {
                for fault in faults {
                    if self.findings.len() < FINDINGS_MAX {
                        self.findings.push(CheckFinding { agreement: agreement.to_owned(), fault });
                    } else {
                        self.more = true;
                    }
                }
            }
        }
    }
}

impl App {
    /// Compares all agreements of a participant with their evidence.
    ///
    /// # Errors
    /// When the database fails. What is wrong is in the answer.
    pub async fn evidence_check(&self, slug: &Slug) -> Result<EvidenceCheck> {
        let since = self.store.read("evidence.since", |tx| -> Result<_> { Ok(tx.evidence_after(0, 1)?.first().map(|row| row.at)) }).await?;
        let mut report = EvidenceCheck { since, ..EvidenceCheck::default() };
        let mut after: Option<String> = None;
        loop {
            let (slug, filter) =
                (slug.clone(), AgreementFilter { role: None, dataset: None, peer: None, phase: None, after, limit: AGREEMENTS_AT_ONCE });
            let (found, last) = self
                .store
                .read("evidence.check", move |tx| -> Result<_> {
                    let page = tx.agreement_list_counted(&slug, &filter)?;
                    let last = page.last().filter(|_| page.len() == AGREEMENTS_AT_ONCE as usize).map(|(row, _)| row.agreement.id.clone());
                    let mut report = EvidenceCheck { since, ..EvidenceCheck::default() };
                    for (row, used) in &page {
                        compare(tx, &slug, row, *used, &mut report)?;
                    }
                    Ok((report, last))
                })
                .await?;
            report.agreements += found.agreements;
            report.older += found.older;
            report.leaves += found.leaves;
            report.erased += found.erased;
            report.waiting += found.waiting;
            report.more |= found.more || report.findings.len() + found.findings.len() > FINDINGS_MAX;
            let room = FINDINGS_MAX - report.findings.len();
            report.findings.extend(found.findings.into_iter().take(room));
            match last {
                Some(last) => after = Some(last),
                None => return Ok(report),
            }
        }
    }
}

/// Compares one agreement.
fn compare(tx: &mut Tx, slug: &Slug, row: &AgreementRow, used: Usage, report: &mut EvidenceCheck) -> Result<()> {
    let id = row.agreement.id.as_str();
    let transfers = tx.transfers_of_agreement(slug, id)?;
    let stored = Stored {
        id: id.to_owned(),
        role: row.role,
        made_at: row.created_at,
        ended_at: row.ended_at,
        document: fondaco_core::canonical::digest(&row.agreement.document).unwrap_or_default(),
        transfers: transfers.into_iter().map(|t| StoredTransfer { id: t.id, state: t.state, created_at: t.created_at }).collect(),
        used: Used { reads: used.reads, requests: used.requests, rows: used.rows, bytes: used.volume },
    };
    let mut seen = Vec::new();
    let mut entries = Entries::default();
    let mut before = None;
    loop {
        let rows = tx.evidence_list(Some(slug), EvidenceFilter::Agreement(id), before, ROWS_AT_ONCE)?;
        for row in &rows {
            let leaf = looked_up(tx, &mut entries, row)?;
            report.leaves += 1;
            report.erased += u64::from(leaf.place == Place::Erased);
            report.waiting += u64::from(leaf.place == Place::Waiting);
            seen.push(leaf);
        }
        before = rows.last().map(|row| row.seq);
        if rows.len() < ROWS_AT_ONCE as usize || seen.len() >= LEAVES_MAX {
            break;
        }
    }
    // They were read from the last to the first.
    seen.reverse();
    // Without any leaf there is no log yet, and everything is older than it.
    let since = report.since.unwrap_or(Timestamp::from_micros(i64::MAX));
    report.take(id, completeness(since, &stored, &seen));
    Ok(())
}

/// The bundle of entries read last: leaves of one agreement often stand near each other.
#[derive(Default)]
struct Entries {
    read: Option<(EntriesAddress, Vec<u8>)>,
}

impl Entries {
    /// The entry at a place of the tree.
    fn at(&mut self, tx: &mut Tx, index: u64) -> Result<Option<Vec<u8>>> {
        let Some(tree) = tx.log_tree()?.filter(|tree| index < tree.size) else { return Ok(None) };
        let Some((address, place)) = EntriesAddress::of(index, tree.size) else { return Ok(None) };
        if self.read.as_ref().is_none_or(|(of, _)| *of != address) {
            self.read = tx.log_entries(address)?.map(|bytes| (address, bytes));
        }
        let Some((of, bytes)) = &self.read else { return Ok(None) };
        Ok(entries::parse(bytes, of.width).ok().and_then(|all| all.get(place).map(|entry| entry.to_vec())))
    }
}

/// What became of a leaf.
fn looked_up(tx: &mut Tx, entries: &mut Entries, row: &EvidenceRow) -> Result<Seen> {
    let place = match row.leaf_index {
        None => Place::Waiting,
        Some(index) => match entries.at(tx, index)? {
            // Held back, or written since the tree was signed.
            None => Place::Waiting,
            Some(entry) => match opened(row, &entry) {
                Ok(true) => Place::Opens,
                Ok(false) => Place::Erased,
                Err(why) => Place::Differs(why),
            },
        },
    };
    Ok(Seen {
        id: row.id.to_string(),
        kind: row.kind,
        object: row.object.clone(),
        place,
        document: row.document.as_ref().map(|text| fondaco_core::canonical::sha256_hex(text.as_bytes())),
        used: row.document.as_deref().filter(|_| row.kind == Kind::Usage).map(said_used),
    })
}

/// Whether what is kept opens the leaf; false when it was erased.
fn opened(row: &EvidenceRow, entry: &[u8]) -> std::result::Result<bool, String> {
    let leaf = Leaf::read(entry).map_err(|e| e.to_string())?;
    if (leaf.kind, leaf.at) != (row.kind, row.at) {
        return Err("The leaf is about something else.".into());
    }
    let (Some(document), Some(secret)) = (&row.document, &row.secret) else { return Ok(false) };
    let opening = Opening { own: &row.own, peer: row.peer.as_deref(), object: &row.object, document, secret };
    leaf.check(opening).map_err(|e| e.to_string()).map(|()| true)
}

/// What a leaf about usage says. What cannot be read says nothing was used, and its leaf that it differs.
fn said_used(document: &str) -> Used {
    let said = serde_json::from_str::<Value>(document).unwrap_or_default();
    let number = |name: &str| said.get(name).and_then(Value::as_u64).unwrap_or_default();
    Used { reads: number("reads"), requests: number("requests"), rows: number("rows"), bytes: number("bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_as_it_was_said() {
        let document = r#"{"agreement":"agr_1","bytes":4,"reads":1,"requests":2,"rows":3,"salt":"x","upTo":"2026-11-22T00:00:00Z"}"#;
        assert_eq!(said_used(document), Used { reads: 1, requests: 2, rows: 3, bytes: 4 });
        assert_eq!(said_used("no JSON"), Used::default());
    }

    #[test]
    fn findings_are_counted_beyond_those_told() {
        let mut report = EvidenceCheck::default();
        for n in 0..=FINDINGS_MAX {
            assert!(!report.more, "{n}");
            report.take("agr_1", Completeness::Checked(vec![Fault::NoLeaf]));
        }
        assert!(report.more && report.findings.len() == FINDINGS_MAX);
        report.take("agr_2", Completeness::Older);
        assert_eq!((report.agreements, report.older), (FINDINGS_MAX as u64 + 2, 1));
    }
}
