//! The evidence of both sides of an agreement, in time: what each has logged, whether it holds, and whether both have logged
//! the same agreement.

use super::{
    gathered::LEAVES_MAX,
    peer::PeerEvidence,
    verify::{Expected, verify},
};
use crate::{
    app::{
        App,
        agreements::{own_of, peer_of},
    },
    files::seal::blocking,
};
use fondaco_core::{
    Error, Result, canonical,
    evidence::Kind,
    participant::{Did, Participant},
    time::Timestamp,
};
use fondaco_store::{EvidenceRow, LogKeyUse};
use fondaco_tlog::note::VerifierKey;
use std::collections::BTreeSet;

/// Rows read at once.
const AT_ONCE: u32 = 200;

/// Whose log a leaf is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// That of this node.
    Ours,
    /// That of the other party's node.
    Theirs,
}

impl Side {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Theirs => "theirs",
        }
    }
}

/// What a leaf came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the log, and about this agreement.
    Verified,
    /// It is in the log. What it is about was erased, or stays with its owner.
    Closed,
    /// It is not in the log yet.
    Waiting,
    /// It does not hold.
    Refused,
}

impl Outcome {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Closed => "closed",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
        }
    }
}

/// A leaf of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineLeaf {
    /// Whose.
    pub side: Side,
    /// What happened.
    pub kind: Kind,
    /// When, by the clock of that side.
    pub at: Timestamp,
    /// What it came to.
    pub outcome: Outcome,
    /// Why it does not hold.
    pub why: Option<String>,
    /// Its place in that log.
    pub leaf_index: Option<u64>,
    /// Leaves of the tree in which it was proved.
    pub size: Option<u64>,
    /// What it is about, if it was opened.
    pub object: Option<String>,
    /// SHA-256 (hex) of its document; empty for one of ours that was erased.
    pub document: String,
    /// Ours: the piece of evidence.
    pub evidence: Option<String>,
    /// Theirs: the names of the witnesses, of those known here, that have cosigned the tree in which it was proved.
    pub witnesses: Vec<String>,
}

/// What is wrong with the evidence of an agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The other side did not answer, or not usably.
    NoAnswer {
        /// Why.
        why: String,
    },
    /// The other side's DID document names no log.
    NoLog,
    /// The other side names another key of its log than the one that was seen first.
    KeyChanged {
        /// The one that is relied on.
        kept: String,
        /// The one that is named now.
        announced: String,
    },
    /// The other side names a key of its log, and none was kept when the deal was made.
    KeyUnknown {
        /// The one that is named.
        announced: String,
    },
    /// A bundle of the other side does not hold.
    DoesNotHold {
        /// Why.
        why: String,
    },
    /// The other side's log has two trees of one size: it was rewritten.
    Forked {
        /// Their size.
        size: u64,
    },
    /// The other side's log has two leaves at one place: it was rewritten.
    Rewritten {
        /// The place.
        index: u64,
    },
    /// One of the sides has more leaves than are shown.
    TooMany,
    /// Our log has no leaf of the agreement.
    OursMissing,
    /// The other side gave no leaf of the agreement.
    TheirsMissing,
    /// Both sides logged an agreement of this id, and not the same one.
    Different,
    /// One of our own leaves does not hold.
    OursDoesNotHold {
        /// Why.
        why: String,
    },
}

impl Finding {
    /// Its name for programs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoAnswer { .. } => "no-answer",
            Self::NoLog => "no-log",
            Self::KeyChanged { .. } => "key-changed",
            Self::KeyUnknown { .. } => "key-unknown",
            Self::DoesNotHold { .. } => "does-not-hold",
            Self::Forked { .. } => "forked",
            Self::Rewritten { .. } => "rewritten",
            Self::TooMany => "too-many",
            Self::OursMissing => "ours-missing",
            Self::TheirsMissing => "theirs-missing",
            Self::Different => "different",
            Self::OursDoesNotHold { .. } => "ours-does-not-hold",
        }
    }

    /// In plain words.
    pub fn words(&self) -> String {
        match self {
            Self::NoAnswer { why } => format!("The other side gave no evidence. {why}"),
            Self::NoLog => "The other side's DID document names no transparency log: it keeps no evidence that could be checked.".into(),
            Self::KeyChanged { kept, announced } => format!(
                "The other side names another key of its log than before. What is signed by it is refused. Ask them by other means; if it is theirs, take it: fondaco evidence trust. Before: {kept} Now: {announced}"
            ),
            Self::KeyUnknown { announced } => format!(
                "The key of the other side's log was not kept when the deal was made: it is taken as they name it now, and not kept. If it is theirs, take it: fondaco evidence trust. Now: {announced}"
            ),
            Self::DoesNotHold { why } => format!("A piece of the other side's evidence does not hold: {why}"),
            Self::Forked { size } => {
                format!("The other side showed two different trees of {size} leaves: its log was rewritten. Keep both bundles.")
            }
            Self::Rewritten { index } => {
                format!("The other side showed two different leaves at place {index}: its log was rewritten. Keep both bundles.")
            }
            Self::TooMany => "There are more leaves of this agreement than are shown.".into(),
            Self::OursMissing => {
                "Our log has no leaf of this agreement. Was it made before there was a log? See: fondaco evidence check".into()
            }
            Self::TheirsMissing => "The other side gave no leaf of this agreement.".into(),
            Self::Different => {
                "The two sides have logged different documents for this agreement. One of them does not hold what was signed.".into()
            }
            Self::OursDoesNotHold { why } => format!("A piece of our own evidence does not hold: {why} See: fondaco log check"),
        }
    }

    /// Whether it only limits what can be said, rather than speaking against somebody.
    const fn is_a_limit(&self) -> bool {
        matches!(self, Self::TooMany | Self::KeyUnknown { .. })
    }
}

/// Both sides of an agreement.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The agreement.
    pub agreement: String,
    /// The other party.
    pub peer: Did,
    /// Whether both logs hold the same agreement; unknown where one shows none.
    pub same_agreement: Option<bool>,
    /// The key that the other side's log was checked by, and since when it is relied on.
    pub peer_key: Option<(String, Timestamp)>,
    /// The leaves of both, by time.
    pub leaves: Vec<TimelineLeaf>,
    /// What is wrong; empty when everything holds.
    pub findings: Vec<Finding>,
}

impl Timeline {
    /// The witnesses, of those known here, that have cosigned a tree of the other side's log that holds leaves of this
    /// agreement. Where there are none, that everybody is shown the same log rests on its word.
    pub fn peer_witnesses(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.leaves.iter().flat_map(|leaf| &leaf.witnesses).collect();
        names.into_iter().cloned().collect()
    }

    /// Whether anything speaks against the evidence.
    pub fn is_faulty(&self) -> bool {
        self.findings.iter().any(|finding| !finding.is_a_limit())
    }
}

/// Puts both sides beside each other.
fn timeline(agreement: String, peer: Did, ours: Vec<TimelineLeaf>, ours_complete: bool, theirs: PeerEvidence) -> Timeline {
    let PeerEvidence { key, leaves, mut findings } = theirs;
    let answered = !findings.iter().any(|f| matches!(f, Finding::NoAnswer { .. } | Finding::NoLog));
    // Each side's leaves are read from the oldest on, so the agreement's is among them, however many there are. All of them
    // count: who logged two documents under one id has not logged the same agreement.
    let documents = |leaves: &[TimelineLeaf]| -> BTreeSet<String> {
        let held = leaves.iter().filter(|leaf| leaf.kind == Kind::Agreement && leaf.outcome == Outcome::Verified);
        held.map(|leaf| leaf.document.clone()).collect()
    };
    let (our_documents, their_documents) = (documents(&ours), documents(&leaves));
    let comparable = !our_documents.is_empty() && !their_documents.is_empty();
    let same_agreement = comparable.then(|| our_documents.len() == 1 && our_documents == their_documents);
    findings.extend(
        ours.iter()
            .filter(|leaf| leaf.outcome == Outcome::Refused)
            .map(|leaf| Finding::OursDoesNotHold { why: leaf.why.clone().unwrap_or_default() }),
    );
    if same_agreement == Some(false) {
        findings.push(Finding::Different);
    }
    if !ours.iter().any(|leaf| leaf.kind == Kind::Agreement) {
        findings.push(Finding::OursMissing);
    }
    if answered && their_documents.is_empty() {
        findings.push(Finding::TheirsMissing);
    }
    if !ours_complete && !findings.contains(&Finding::TooMany) {
        findings.push(Finding::TooMany);
    }
    let mut leaves: Vec<TimelineLeaf> = ours.into_iter().chain(leaves).collect();
    leaves.sort_by_key(|leaf| (leaf.at, leaf.side, leaf.leaf_index));
    Timeline { agreement, peer, same_agreement, peer_key: key.map(|key| (key.vkey, key.at)), leaves, findings }
}

impl App {
    /// The evidence of both sides of an agreement.
    ///
    /// # Errors
    /// [`fondaco_core::Code::NotFound`]. What the other side does is part of the answer.
    pub async fn timeline(&self, us: &Participant, agreement: &str) -> Result<Timeline> {
        let (slug, id) = (us.slug.clone(), agreement.to_owned());
        let (row, keys) = self
            .store
            .read("evidence.agreement", move |tx| -> Result<_> { Ok((tx.agreement_get(&slug, &id)?, tx.log_keys(LogKeyUse::Log)?)) })
            .await?;
        let row = row.ok_or_else(|| Error::not_found(format!("The agreement {agreement:.80}")))?;
        let (own, peer) = (own_of(&row).clone(), peer_of(&row).clone());
        // Those before the present one too: a tree that they signed may be the last that a quorum of witnesses has cosigned.
        let keys = keys.iter().map(|key| key.vkey.parse().map_err(Error::internal_failure)).collect::<Result<Vec<VerifierKey>>>()?;
        let expected = Expected { keys, own, peer, agreement: agreement.to_owned(), witnesses: Vec::new() };
        let (ours, complete) = self.our_leaves(us, &expected).await?;
        let Expected { own, peer, .. } = expected;
        let theirs = self.evidence_of_peer(us, &own, &peer, agreement).await?;
        Ok(timeline(agreement.to_owned(), peer, ours, complete, theirs))
    }

    /// Our leaves of an agreement, the oldest first, each checked as a stranger would check it, and whether they are all.
    async fn our_leaves(&self, us: &Participant, expected: &Expected) -> Result<(Vec<TimelineLeaf>, bool)> {
        let (mut leaves, mut after): (Vec<TimelineLeaf>, Option<String>) = (Vec::new(), None);
        loop {
            let listed = self.evidence_of_agreement(&us.slug, &expected.agreement, after.as_deref(), AT_ONCE).await?;
            let (found, by) = (self.evidence_bundles(listed.items).await?, expected.clone());
            leaves.extend(blocking(move || found.iter().map(|(row, text)| our_leaf(row, text.as_deref(), &by)).collect::<Vec<_>>()).await?);
            if leaves.len() > LEAVES_MAX {
                leaves.truncate(LEAVES_MAX);
                return Ok((leaves, false));
            }
            match listed.next {
                Some(next) => after = Some(next),
                None => return Ok((leaves, true)),
            }
        }
    }
}

fn our_leaf(row: &EvidenceRow, text: Option<&str>, expected: &Expected) -> TimelineLeaf {
    let leaf = TimelineLeaf {
        side: Side::Ours,
        kind: row.kind,
        at: row.at,
        outcome: Outcome::Waiting,
        why: None,
        leaf_index: row.leaf_index,
        size: None,
        object: Some(row.object.clone()),
        document: row.document.as_ref().map(|text| canonical::sha256_hex(text.as_bytes())).unwrap_or_default(),
        evidence: Some(row.id.to_string()),
        witnesses: Vec::new(),
    };
    match text.map(|text| verify(text, expected)) {
        None => leaf,
        Some(Ok(held)) => TimelineLeaf {
            outcome: if held.object.is_some() { Outcome::Verified } else { Outcome::Closed },
            leaf_index: Some(held.index),
            size: Some(held.size),
            document: held.document,
            ..leaf
        },
        Some(Err(why)) => TimelineLeaf { outcome: Outcome::Refused, why: Some(why), ..leaf },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(side: Side, kind: Kind, at: i64, document: &str) -> TimelineLeaf {
        TimelineLeaf {
            side,
            kind,
            at: Timestamp::from_micros(at),
            outcome: Outcome::Verified,
            why: None,
            leaf_index: Some(0),
            size: Some(1),
            object: Some("agr_1".into()),
            document: document.into(),
            evidence: None,
            witnesses: Vec::new(),
        }
    }

    fn both(ours: Vec<TimelineLeaf>, theirs: Vec<TimelineLeaf>, findings: Vec<Finding>) -> Timeline {
        let peer = Did::parse("did:web:b.example:p:b").expect("a DID");
        timeline("agr_1".into(), peer, ours, true, PeerEvidence { key: None, leaves: theirs, findings })
    }

    fn names(timeline: &Timeline) -> Vec<&'static str> {
        timeline.findings.iter().map(Finding::name).collect()
    }

    #[test]
    fn both_sides_stand_beside_each_other_in_time() {
        let ours = || vec![leaf(Side::Ours, Kind::Agreement, 10, "aa"), leaf(Side::Ours, Kind::TransferStarted, 30, "bb")];
        let theirs = || vec![leaf(Side::Theirs, Kind::TransferStarted, 20, "cc"), leaf(Side::Theirs, Kind::Agreement, 10, "aa")];
        let found = both(ours(), theirs(), Vec::new());
        let order: Vec<_> = found.leaves.iter().map(|leaf| (leaf.at.as_micros(), leaf.side.as_str())).collect();
        assert_eq!(order, [(10, "ours"), (10, "theirs"), (20, "theirs"), (30, "ours")]);
        assert_eq!((found.same_agreement, found.is_faulty()), (Some(true), false), "{:?}", found.findings);
        let limited = both(ours(), theirs(), vec![Finding::TooMany]);
        assert!(!limited.is_faulty(), "that not everything is shown speaks against nobody");
    }

    #[test]
    fn what_is_wrong_is_told() {
        let ours = || vec![leaf(Side::Ours, Kind::Agreement, 10, "aa")];
        let theirs = || vec![leaf(Side::Theirs, Kind::Agreement, 10, "aa")];
        let other = both(ours(), vec![leaf(Side::Theirs, Kind::Agreement, 10, "dd")], Vec::new());
        assert_eq!((other.same_agreement, names(&other)), (Some(false), vec!["different"]));
        let two = vec![theirs().remove(0), leaf(Side::Theirs, Kind::Agreement, 10, "dd")];
        let two = both(ours(), two, Vec::new());
        assert_eq!((two.same_agreement, names(&two)), (Some(false), vec!["different"]), "a right one does not hide another");
        let flooded = both(ours(), Vec::new(), vec![Finding::TooMany]);
        assert_eq!(names(&flooded), ["too-many", "theirs-missing"], "much else does not hide that there is none");
        assert!(flooded.is_faulty());
        assert_eq!(names(&both(Vec::new(), theirs(), Vec::new())), ["ours-missing"]);
        assert_eq!(names(&both(ours(), Vec::new(), Vec::new())), ["theirs-missing"]);
        let away = both(ours(), Vec::new(), vec![Finding::NoAnswer { why: "No.".into() }]);
        assert_eq!((names(&away), away.same_agreement), (vec!["no-answer"], None), "said once");
        let closed = TimelineLeaf { outcome: Outcome::Closed, object: None, ..leaf(Side::Theirs, Kind::Agreement, 10, "aa") };
        assert_eq!(names(&both(ours(), vec![closed], Vec::new())), ["theirs-missing"], "nobody says which agreement it is");
        let broken = TimelineLeaf { outcome: Outcome::Refused, why: Some("No.".into()), ..leaf(Side::Ours, Kind::Usage, 10, "aa") };
        let found = both(vec![ours().remove(0), broken], theirs(), Vec::new());
        assert_eq!(names(&found), ["ours-does-not-hold"]);
        assert!(found.is_faulty());
    }
}
