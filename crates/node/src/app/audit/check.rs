//! Whether a participant's evidence is complete: gathers what the rule in [`fondaco_core::evidence::complete`] compares, for
//! every agreement.

use crate::app::{App, evidence};
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
                    let page = tx.agreement_list(&slug, &filter)?;
                    let last = page.last().filter(|_| page.len() == AGREEMENTS_AT_ONCE as usize).map(|row| row.agreement.id.clone());
                    let mut report = EvidenceCheck { since, ..EvidenceCheck::default() };
                    let mut entries = Entries::new(tx)?;
                    let said = evidence::said_day(tx)?;
                    for row in &page {
                        compare(tx, &slug, row, said, &mut entries, &mut report)?;
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

/// Compares one agreement; `said` is the day of [`evidence::said_day`].
fn compare(
    tx: &mut Tx,
    slug: &Slug,
    row: &AgreementRow,
    said: Option<i64>,
    entries: &mut Entries,
    report: &mut EvidenceCheck,
) -> Result<()> {
    let id = row.agreement.id.as_str();
    let transfers = tx.transfers_of_agreement(slug, id)?;
    let counted = tx.usage_counted(slug, id)?;
    let recorded = tx.usage_recorded(slug, id)?;
    let stored = Stored {
        id: id.to_owned(),
        role: row.role,
        made_at: row.created_at,
        ended_at: row.ended_at,
        document: fondaco_core::canonical::digest(&row.agreement.document).unwrap_or_default(),
        transfers: transfers.into_iter().map(|t| StoredTransfer { id: t.id, state: t.state, created_at: t.created_at }).collect(),
        used: Used { back_reads: counted.back_reads, back_bytes: counted.back_volume, ..used(counted.used) },
        recorded: used(recorded),
        settled: row.ended_at.is_some_and(|at| evidence::said_since(said, at)),
    };
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let rows = tx.evidence_list(Some(slug), EvidenceFilter::Agreement(id), before, ROWS_AT_ONCE)?;
        for row in &rows {
            let leaf = looked_up(tx, entries, row)?;
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

fn used(usage: Usage) -> Used {
    Used { reads: usage.reads, requests: usage.requests, rows: usage.rows, bytes: usage.volume, ..Used::default() }
}

/// The log as one transaction sees it. The bundle of entries read last is kept: leaves of one agreement often stand near each
/// other.
struct Entries {
    size: u64,
    read: Option<(EntriesAddress, Vec<Vec<u8>>)>,
}

impl Entries {
    fn new(tx: &mut Tx) -> Result<Self> {
        Ok(Self { size: tx.log_tree()?.map_or(0, |tree| tree.size), read: None })
    }

    /// The entry at a place of the tree, or what is wrong. A leaf gets its place in the transaction in which the tree comes to
    /// reach it.
    fn at(&mut self, tx: &mut Tx, index: u64) -> Result<std::result::Result<&[u8], &'static str>> {
        let Some((address, place)) = EntriesAddress::of(index, self.size) else {
            return Ok(Err("Its place is beyond the end of the log."));
        };
        if self.read.as_ref().is_none_or(|(of, _)| *of != address) {
            let bytes = tx.log_entries(address)?.unwrap_or_default();
            let all = entries::parse(&bytes, address.width).unwrap_or_default();
            self.read = Some((address, all.into_iter().map(<[u8]>::to_vec).collect()));
        }
        let entry = self.read.as_ref().and_then(|(_, all)| all.get(place));
        Ok(entry.map(Vec::as_slice).ok_or("The log has no entry at its place."))
    }
}

/// What became of a leaf.
fn looked_up(tx: &mut Tx, entries: &mut Entries, row: &EvidenceRow) -> Result<Seen> {
    let found = match row.leaf_index {
        Some(index) => entries.at(tx, index)?.map(|entry| (compared(row, entry), Place::Opens)),
        None => match tx.log_pending(row.seq.saturating_sub(1), 1)?.first() {
            Some((seq, entry)) if *seq == row.seq => Ok((compared(row, entry), Place::Waiting)),
            _ => Err("It is neither in the log nor waiting for it."),
        },
    };
    let (place, document) = match found {
        Ok((Ok((document, opens)), place)) => (if opens { place } else { Place::Erased }, Some(document)),
        Ok((Err(why), _)) => (Place::Differs(why), None),
        Err(why) => (Place::Differs(why.into()), None),
    };
    Ok(Seen {
        id: row.id.to_string(),
        kind: row.kind,
        object: row.object.clone(),
        place,
        document,
        used: row.document.as_deref().filter(|_| row.kind == Kind::Usage).map(said_used),
    })
}

/// The hash of the document that a leaf is about, and whether what is kept opens it; not when that was erased.
fn compared(row: &EvidenceRow, entry: &[u8]) -> std::result::Result<(String, bool), String> {
    let leaf = Leaf::read(entry).map_err(|e| e.to_string())?;
    if (leaf.kind, leaf.at) != (row.kind, row.at) {
        return Err("The leaf is about something else.".into());
    }
    let (Some(document), Some(secret)) = (&row.document, &row.secret) else { return Ok((leaf.document, false)) };
    let opening = Opening { own: &row.own, peer: row.peer.as_deref(), object: &row.object, document, secret };
    leaf.check(opening).map_err(|e| e.to_string())?;
    Ok((leaf.document, true))
}

/// What a leaf about usage says. What cannot be read says nothing was used, and its leaf that it differs.
fn said_used(document: &str) -> Used {
    let said = serde_json::from_str::<Value>(document).unwrap_or_default();
    let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64).unwrap_or_default();
    let back = &said["givenBack"];
    Used {
        reads: number(&said, "reads"),
        requests: number(&said, "requests"),
        rows: number(&said, "rows"),
        bytes: number(&said, "bytes"),
        back_reads: number(back, "reads"),
        back_bytes: number(back, "bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::OsEntropy;
    use fondaco_core::{Error, evidence::Event, time::SystemClock};
    use fondaco_store::{Store, StoreConfig};
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn usage_is_read_as_it_was_said() {
        let document = r#"{"agreement":"agr_1","bytes":4,"reads":1,"requests":2,"rows":3,"salt":"x","upTo":"2026-11-22T00:00:00Z"}"#;
        let said = Used { reads: 1, requests: 2, rows: 3, bytes: 4, ..Used::default() };
        assert_eq!(said_used(document), said);
        let given_back = r#"{"agreement":"agr_1","bytes":4,"givenBack":{"bytes":5,"reads":6},"reads":1,"requests":2,"rows":3}"#;
        assert_eq!(said_used(given_back), Used { back_reads: 6, back_bytes: 5, ..said });
        assert_eq!(said_used("no JSON"), Used::default());
    }

    #[tokio::test]
    async fn a_leaf_that_is_nowhere_is_told() {
        let store = Store::open(&StoreConfig::new("sqlite::memory:"), Arc::new(SystemClock), Arc::new(OsEntropy)).await.expect("opens");
        let (at, own) = (Timestamp::from_micros(5), "did:web:a.example".to_owned());
        let event = Event { kind: Kind::Usage, at, own, peer: None, object: "agr_1".into(), document: json!({"reads": 1}) };
        let done = store.tx("test.leaves", move |tx| -> Result<_> {
            let id = tx.log_append(None, None, event)?;
            let row = tx.evidence_get(None, &id)?.expect("written");
            let hash = row.document.as_ref().map(|text| fondaco_core::canonical::sha256_hex(text.as_bytes()));
            let erased = EvidenceRow { document: None, secret: None, ..row.clone() };
            let told = |tx: &mut Tx, size, row: &EvidenceRow| looked_up(tx, &mut Entries { size, read: None }, row);
            assert_eq!(told(tx, 0, &row)?.place, Place::Waiting);
            let seen = told(tx, 0, &erased)?;
            assert_eq!((seen.place, seen.document), (Place::Erased, hash.clone()), "the leaf still says which document it was");
            let differs = |seen: Seen, why: &str| assert_eq!((seen.place, seen.document), (Place::Differs(why.into()), None));
            let nowhere = EvidenceRow { seq: row.seq + 1, ..row.clone() };
            differs(told(tx, 0, &nowhere)?, "It is neither in the log nor waiting for it.");
            let placed = EvidenceRow { leaf_index: Some(0), ..row.clone() };
            differs(told(tx, 0, &placed)?, "Its place is beyond the end of the log.");
            differs(told(tx, 1, &placed)?, "The log has no entry at its place.");
            let other = EvidenceRow { object: "agr_2".into(), ..row };
            differs(told(tx, 0, &other)?, "The object is not the one the leaf commits to.");

            tx.log_integrate(|_, _| Ok::<_, Error>("signed".into()))?;
            let row = tx.evidence_get(None, &id)?.expect("kept");
            let mut entries = Entries::new(tx)?;
            let seen = looked_up(tx, &mut entries, &row)?;
            assert_eq!((seen.place, seen.document), (Place::Opens, hash));
            assert_eq!(looked_up(tx, &mut entries, &EvidenceRow { document: None, secret: None, ..row })?.place, Place::Erased);
            Ok(())
        });
        done.await.expect("compared");
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
