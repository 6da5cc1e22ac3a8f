//! Whether the evidence of an agreement is complete: every step that the database knows has its leaf, and the numbers add
//! up. A rule over values; who gathers them is elsewhere.

use super::Kind;
use crate::{ids::TransferId, negotiation::Role, time::Timestamp, transfer::State};

/// What was used of an agreement: as the counters stand, or as a leaf says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Reads of a whole product version.
    pub reads: u64,
    /// Requests that bytes were given for.
    pub requests: u64,
    /// Rows of the files they were of.
    pub rows: u64,
    /// Bytes given.
    pub bytes: u64,
    /// Reads that were counted and taken back, because they failed.
    pub back_reads: u64,
    /// Bytes that were counted and taken back, because they did not go out.
    pub back_bytes: u64,
}

impl Used {
    /// All that was ever counted, with what was taken back: none of it ever falls.
    const fn gross(&self) -> [u64; 4] {
        [self.reads.saturating_add(self.back_reads), self.requests, self.rows, self.bytes.saturating_add(self.back_bytes)]
    }

    /// Whether less was ever counted than `before`, of anything.
    fn fell_from(&self, before: &Self) -> bool {
        self.gross().iter().zip(before.gross()).any(|(now, before)| *now < before)
    }
}

/// A transfer as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTransfer {
    /// Its id.
    pub id: TransferId,
    /// Where it stands.
    pub state: State,
    /// When it began here.
    pub created_at: Timestamp,
}

/// An agreement as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: String,
    /// Our side. The provider counts what is used.
    pub role: Role,
    /// When it came into force here.
    pub made_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// SHA-256 (hex) of its document's canonical form.
    pub document: String,
    /// Its transfers.
    pub transfers: Vec<StoredTransfer>,
    /// What the counters say.
    pub used: Used,
    /// What the records of single deliveries add up to, as far as they are kept: in each part at most what the counters say.
    pub recorded: Used,
    /// Whether usage was said once more long enough after the end that nothing was counted since: what was admitted before the
    /// end may be weighed just after it.
    pub settled: bool,
}

/// What became of a leaf when it was looked up in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is in the log, and what is kept opens it.
    Opens,
    /// It is in the log, or on its way; what opened it was erased.
    Erased,
    /// It waits to be taken into the log, and what is kept opens it.
    Waiting,
    /// It is not what is kept, with why.
    Differs(String),
}

/// A piece of evidence of the agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub id: String,
    /// What happened.
    pub kind: Kind,
    /// What it is about.
    pub object: String,
    /// What became of its leaf.
    pub place: Place,
    /// SHA-256 (hex) of the document, as the leaf has it: also of one that was erased. Nothing where there is no leaf.
    pub document: Option<String>,
    /// What a leaf about usage says, unless its document was erased.
    pub used: Option<Used>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The agreement has no leaf.
    NoLeaf,
    /// The leaf of the agreement is of another document.
    OtherDocument,
    /// The agreement ended, and its end has no leaf.
    NoEnd,
    /// A transfer reached a state that has no leaf.
    NoTransferLeaf {
        /// The transfer.
        transfer: String,
        /// The kind of leaf that is missing.
        kind: Kind,
    },
    /// A leaf is not what is kept of it.
    Differs {
        /// The piece of evidence.
        evidence: String,
        /// Why.
        why: String,
    },
    /// What opens a leaf was erased while the agreement is in force, when its parties may have to prove it.
    Erased {
        /// The piece of evidence.
        evidence: String,
    },
    /// Less was ever used than a leaf said before: by a later leaf, or by the counters.
    UsedLess,
    /// The counters say less than the records of single deliveries add up to.
    UsedUnrecorded,
    /// The agreement ended, and the counters say something else than its last leaf.
    UsedSince,
}

impl Fault {
    /// Every name.
    pub const NAMES: &'static [&'static str] =
        &["no-leaf", "other-document", "no-end", "no-transfer-leaf", "differs", "erased", "used-less", "used-unrecorded", "used-since"];

    /// Its name for programs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoLeaf => "no-leaf",
            Self::OtherDocument => "other-document",
            Self::NoEnd => "no-end",
            Self::NoTransferLeaf { .. } => "no-transfer-leaf",
            Self::Differs { .. } => "differs",
            Self::Erased { .. } => "erased",
            Self::UsedLess => "used-less",
            Self::UsedUnrecorded => "used-unrecorded",
            Self::UsedSince => "used-since",
        }
    }

    /// In plain words.
    pub fn words(&self) -> String {
        match self {
            Self::NoLeaf => "The agreement has no leaf in the log.".into(),
            Self::OtherDocument => "The agreement in the database is another than the one that was logged.".into(),
            Self::NoEnd => "The agreement ended, and no leaf says so.".into(),
            Self::NoTransferLeaf { transfer, kind } => format!("The transfer {transfer} has no leaf \"{}\".", kind.as_str()),
            Self::Differs { evidence, why } => format!("The evidence {evidence} does not open its leaf: {why}"),
            Self::Erased { evidence } => format!("What opens the evidence {evidence} was erased while the agreement is in force."),
            Self::UsedLess => "A leaf about its usage says more than a later one, or than the counters do.".into(),
            Self::UsedUnrecorded => "The counters say less than the records of what was delivered add up to.".into(),
            Self::UsedSince => "The agreement ended, and the counters say something else than the last leaf about its usage.".into(),
        }
    }

    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::NoLeaf | Self::NoEnd | Self::NoTransferLeaf { .. } => {
                "Was a row changed or evidence deleted in the database past this program? Compare with a backup, and with the other side: fondaco evidence timeline."
            }
            Self::OtherDocument => {
                "The one in the log counts: the other side has the same. Get its bundle with: fondaco evidence get. Put the database back from a backup."
            }
            Self::Differs { .. } => "The database was changed past this program. Run: fondaco log check. Compare with a backup.",
            Self::Erased { .. } => {
                "This program erases nothing of an agreement in force: the database was changed past it. Put the document back from a backup, or get what the other side has of it."
            }
            Self::UsedLess | Self::UsedUnrecorded | Self::UsedSince => {
                "What was taken back is counted beside, so none of these numbers ever falls of itself: they were changed past this program. Compare with a backup, and with the evidence that the other side was given."
            }
        }
    }
}

/// What an agreement's evidence comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// It was made before there was a log, and cannot be in it.
    Older,
    /// What is wrong; empty when nothing is.
    Checked(Vec<Fault>),
}

/// Compares an agreement with its evidence, the first written first. `since` is when the log began.
pub fn completeness(since: Timestamp, stored: &Stored, seen: &[Seen]) -> Completeness {
    let find = |kind: Kind, object: &str| seen.iter().find(|leaf| leaf.kind == kind && leaf.object == object);
    let made = find(Kind::Agreement, &stored.id);
    let older = made.is_none() && stored.made_at < since;
    let ended_since = stored.ended_at.is_some_and(|at| at >= since);
    if older && seen.is_empty() && !ended_since {
        return Completeness::Older;
    }
    let mut faults = Vec::new();
    match made {
        None if !older => faults.push(Fault::NoLeaf),
        Some(leaf) if leaf.document.as_ref().is_some_and(|document| *document != stored.document) => {
            faults.push(Fault::OtherDocument);
        }
        None | Some(_) => {}
    }
    if ended_since && find(Kind::AgreementEnded, &stored.id).is_none() {
        faults.push(Fault::NoEnd);
    }
    for transfer in stored.transfers.iter().filter(|t| t.created_at >= since) {
        let expected: &[Kind] = match &transfer.state {
            State::Requested => &[],
            State::Started { .. } => &[Kind::TransferStarted],
            State::Suspended { .. } => &[Kind::TransferStarted, Kind::TransferSuspended],
            State::Completed { .. } => &[Kind::TransferStarted, Kind::TransferEnded],
            // It may have been refused before it was ever open.
            State::Terminated { .. } => &[Kind::TransferEnded],
        };
        let missing = expected.iter().filter(|kind| find(**kind, transfer.id.as_str()).is_none());
        faults.extend(missing.map(|kind| Fault::NoTransferLeaf { transfer: transfer.id.to_string(), kind: *kind }));
    }
    faults.extend(seen.iter().filter_map(|leaf| match &leaf.place {
        Place::Differs(why) => Some(Fault::Differs { evidence: leaf.id.clone(), why: why.clone() }),
        Place::Erased if stored.ended_at.is_none() => Some(Fault::Erased { evidence: leaf.id.clone() }),
        Place::Opens | Place::Erased | Place::Waiting => None,
    }));
    faults.extend(usage(since, stored, seen));
    Completeness::Checked(faults)
}

/// What the leaves about usage say, in their order, and the counters after them: what was ever counted does not fall. Leaves
/// that were erased say nothing, and those around them are compared.
fn usage(since: Timestamp, stored: &Stored, seen: &[Seen]) -> Vec<Fault> {
    if stored.role != Role::Provider {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let (mut last, mut fell) = (Used::default(), false);
    let said = seen.iter().filter(|leaf| leaf.kind == Kind::Usage).filter_map(|leaf| leaf.used);
    for used in said.chain([stored.used]) {
        fell |= used.fell_from(&last);
        last = used;
    }
    if fell {
        faults.push(Fault::UsedLess);
    }
    let (used, recorded) = (&stored.used, &stored.recorded);
    if used.requests < recorded.requests || used.rows < recorded.rows || used.bytes < recorded.bytes {
        faults.push(Fault::UsedUnrecorded);
    }
    let ended = stored.ended_at.is_some_and(|at| at >= since);
    if ended && stored.settled && !fell && last_said(seen).is_some_and(|said| said.gross() != stored.used.gross()) {
        faults.push(Fault::UsedSince);
    }
    faults
}

/// What the last leaf about usage says; nothing was used where there is none. `None` where it was erased.
fn last_said(seen: &[Seen]) -> Option<Used> {
    match seen.iter().rfind(|leaf| leaf.kind == Kind::Usage) {
        Some(leaf) => leaf.used,
        None => Some(Used::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::negotiation::Ending;

    const SINCE: Timestamp = Timestamp::from_micros(1_000);

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn stored() -> Stored {
        Stored {
            id: "agr_1".into(),
            role: Role::Provider,
            made_at: at(2_000),
            ended_at: None,
            document: "aa".into(),
            transfers: Vec::new(),
            used: Used::default(),
            recorded: Used::default(),
            settled: false,
        }
    }

    fn leaf(kind: Kind, object: &str) -> Seen {
        let document = Some(if kind == Kind::Agreement { "aa" } else { "bb" }.to_owned());
        Seen { id: format!("evi_{}", kind.as_str()), kind, object: object.into(), place: Place::Opens, document, used: None }
    }

    fn used(reads: u64, bytes: u64) -> Used {
        Used { reads, requests: reads, rows: 10 * reads, bytes, ..Used::default() }
    }

    fn says(used: Used) -> Seen {
        Seen { used: Some(used), ..leaf(Kind::Usage, "agr_1") }
    }

    fn faults(stored: &Stored, seen: &[Seen]) -> Vec<&'static str> {
        match completeness(SINCE, stored, seen) {
            Completeness::Older => vec!["older"],
            Completeness::Checked(faults) => faults.iter().map(Fault::name).collect(),
        }
    }

    #[test]
    fn an_agreement_has_a_leaf_of_its_own_document() {
        let made = leaf(Kind::Agreement, "agr_1");
        assert!(faults(&stored(), std::slice::from_ref(&made)).is_empty());
        assert_eq!(faults(&stored(), &[]), ["no-leaf"]);
        assert_eq!(faults(&stored(), &[leaf(Kind::Agreement, "agr_2")]), ["no-leaf"]);
        assert_eq!(faults(&stored(), &[Seen { document: Some("cc".into()), ..made.clone() }]), ["other-document"]);
        let erased = Seen { place: Place::Erased, ..made.clone() };
        assert_eq!(faults(&stored(), std::slice::from_ref(&erased)), ["erased"], "it is in force, and may have to be proved");
        let over = Stored { ended_at: Some(at(3_000)), ..stored() };
        assert!(faults(&over, &[erased.clone(), leaf(Kind::AgreementEnded, "agr_1")]).is_empty(), "erased is no fault then");
        let other = Seen { document: Some("cc".into()), ..erased };
        assert_eq!(faults(&over, &[other, leaf(Kind::AgreementEnded, "agr_1")]), ["other-document"], "its leaf still says which it was");
        assert_eq!(faults(&stored(), &[Seen { place: Place::Differs("no".into()), ..made }]), ["differs"]);
    }

    #[test]
    fn what_is_older_than_the_log_is_told_apart() {
        let old = Stored { made_at: at(999), transfers: vec![transfer(State::Completed { by: Role::Consumer }, 999)], ..stored() };
        assert_eq!(faults(&old, &[]), ["older"]);
        let ended_before = Stored { ended_at: Some(at(999)), used: used(3, 3), ..old.clone() };
        assert_eq!(faults(&ended_before, &[]), ["older"]);
        let goes_on = Stored { ended_at: Some(at(3_000)), ..old };
        let end = leaf(Kind::AgreementEnded, "agr_1");
        assert_eq!(faults(&goes_on, &[]), ["no-end"]);
        assert!(faults(&goes_on, &[end]).is_empty(), "its end is in the log, its beginning cannot be");
        let refused = leaf(Kind::Refusal, "agr_1");
        assert_eq!(faults(&goes_on, &[refused]), ["no-end"], "it ended after the log began");
    }

    #[test]
    fn an_end_has_a_leaf() {
        let ended = Stored { ended_at: Some(at(3_000)), ..stored() };
        let made = leaf(Kind::Agreement, "agr_1");
        assert_eq!(faults(&ended, std::slice::from_ref(&made)), ["no-end"]);
        assert!(faults(&ended, &[made, leaf(Kind::AgreementEnded, "agr_1")]).is_empty());
    }

    fn transfer(state: State, created_at: i64) -> StoredTransfer {
        StoredTransfer { id: TransferId::from_stored("tra_1"), state, created_at: at(created_at) }
    }

    #[test]
    fn transfers_have_leaves_of_what_they_reached() {
        let ending = || Ending { code: None, reasons: Vec::new() };
        let suspended = || State::Suspended { by: Role::Provider, ending: ending(), consumer: None, answers_due: 0 };
        let started = || State::Started { since: at(2_000), answers_due: 0 };
        let of = |state| Stored { transfers: vec![transfer(state, 2_000)], ..stored() };
        let made = || leaf(Kind::Agreement, "agr_1");
        let (start, suspend, end) =
            (leaf(Kind::TransferStarted, "tra_1"), leaf(Kind::TransferSuspended, "tra_1"), leaf(Kind::TransferEnded, "tra_1"));
        assert!(faults(&of(State::Requested), &[made()]).is_empty());
        assert_eq!(faults(&of(started()), &[made()]), ["no-transfer-leaf"]);
        assert_eq!(faults(&of(started()), &[made(), leaf(Kind::TransferStarted, "tra_2")]), ["no-transfer-leaf"]);
        assert!(faults(&of(started()), &[made(), start.clone()]).is_empty());
        assert_eq!(faults(&of(suspended()), &[made(), start.clone()]), ["no-transfer-leaf"]);
        assert!(faults(&of(suspended()), &[made(), start.clone(), suspend]).is_empty());
        assert_eq!(faults(&of(State::Completed { by: Role::Consumer }), &[made()]).len(), 2);
        assert!(faults(&of(State::Completed { by: Role::Consumer }), &[made(), start, end.clone()]).is_empty());
        let terminated = of(State::Terminated { by: Role::Provider, ending: ending() });
        assert_eq!(faults(&terminated, &[made()]), ["no-transfer-leaf"]);
        assert!(faults(&terminated, &[made(), end]).is_empty(), "it may never have been open");
    }

    #[test]
    fn the_numbers_add_up() {
        let made = || leaf(Kind::Agreement, "agr_1");
        let runs = Stored { used: used(5, 500), ..stored() };
        assert!(faults(&runs, &[made()]).is_empty(), "the day's leaf is yet to come");
        assert!(faults(&runs, &[made(), says(used(4, 400))]).is_empty());
        assert_eq!(faults(&runs, &[made(), says(used(6, 400))]), ["used-less"]);
        assert_eq!(faults(&runs, &[made(), says(used(4, 501))]), ["used-less"]);
        assert_eq!(faults(&runs, &[made(), says(used(6, 600)), says(used(5, 500))]), ["used-less"], "a later leaf does not heal it");
        let ended = Stored { ended_at: Some(at(3_000)), settled: true, ..runs.clone() };
        let end = || leaf(Kind::AgreementEnded, "agr_1");
        assert_eq!(faults(&ended, &[made(), says(used(4, 400)), end()]), ["used-since"]);
        assert_eq!(faults(&ended, &[made(), end()]), ["used-since"], "what was used is said at the end");
        assert!(faults(&ended, &[made(), says(used(5, 500)), end()]).is_empty());
        assert!(faults(&Stored { role: Role::Consumer, ..ended }, &[made(), end()]).is_empty(), "the provider counts");
    }

    #[test]
    fn what_was_erased_hides_nothing_around_it() {
        let made = || leaf(Kind::Agreement, "agr_1");
        let end = || leaf(Kind::AgreementEnded, "agr_1");
        let erased = || Seen { used: None, place: Place::Erased, ..says(used(9, 9)) };
        let over = Stored { used: used(5, 500), ended_at: Some(at(3_000)), settled: true, ..stored() };
        assert!(faults(&over, &[made(), says(used(4, 400)), end(), erased()]).is_empty(), "what the last one said is not known");
        assert_eq!(faults(&over, &[made(), says(used(6, 600)), end(), erased()]), ["used-less"], "the one before it counts");
        let runs = Stored { ended_at: None, ..over };
        assert_eq!(faults(&runs, &[made(), says(used(6, 600)), erased()]), ["erased", "used-less"]);
    }

    #[test]
    fn what_was_taken_back_is_no_fault() {
        let made = || leaf(Kind::Agreement, "agr_1");
        let back = |used: Used, reads, bytes| Used { back_reads: reads, back_bytes: bytes, ..used };
        let given_back = Stored { used: back(Used { reads: 5, bytes: 500, ..used(6, 600) }, 1, 100), ..stored() };
        assert!(faults(&given_back, &[made(), says(used(6, 600))]).is_empty());
        assert!(faults(&given_back, &[made(), says(used(6, 600)), says(given_back.used)]).is_empty());
        let over = Stored { ended_at: Some(at(3_000)), settled: true, ..given_back.clone() };
        assert!(faults(&over, &[made(), says(used(6, 600)), leaf(Kind::AgreementEnded, "agr_1")]).is_empty(), "after the end as well");
        let less = Stored { used: back(given_back.used, 1, 99), ..given_back };
        assert_eq!(faults(&less, &[made(), says(used(6, 600))]), ["used-less"]);
    }

    #[test]
    fn what_was_weighed_just_after_the_end_is_said_the_next_day() {
        let leaves = [leaf(Kind::Agreement, "agr_1"), says(used(4, 400)), leaf(Kind::AgreementEnded, "agr_1")];
        let ended = Stored { used: used(5, 500), ended_at: Some(at(3_000)), ..stored() };
        assert!(faults(&ended, &leaves).is_empty(), "it was not said yet");
        assert_eq!(faults(&Stored { settled: true, ..ended }, &leaves), ["used-since"]);
    }

    #[test]
    fn the_counters_hold_what_is_recorded() {
        let made = leaf(Kind::Agreement, "agr_1");
        let recorded = Used { reads: 0, ..used(5, 500) };
        let runs = Stored { used: used(5, 500), recorded, ..stored() };
        assert!(faults(&runs, std::slice::from_ref(&made)).is_empty());
        for less in [Used { requests: 4, ..runs.used }, Used { rows: 49, ..runs.used }, Used { bytes: 499, ..runs.used }] {
            assert_eq!(faults(&Stored { used: less, ..runs.clone() }, std::slice::from_ref(&made)), ["used-unrecorded"], "{less:?}");
        }
    }

    #[test]
    fn every_fault_says_what_it_is_and_what_to_do() {
        let all = [
            Fault::NoLeaf,
            Fault::OtherDocument,
            Fault::NoEnd,
            Fault::NoTransferLeaf { transfer: "tra_1".into(), kind: Kind::TransferEnded },
            Fault::Differs { evidence: "evi_1".into(), why: "No.".into() },
            Fault::Erased { evidence: "evi_1".into() },
            Fault::UsedLess,
            Fault::UsedUnrecorded,
            Fault::UsedSince,
        ];
        assert_eq!(all.iter().map(Fault::name).collect::<Vec<_>>(), Fault::NAMES);
        for fault in all {
            assert!(fault.words().ends_with('.') && fault.advice().ends_with('.'), "{fault:?}");
        }
    }
}
