//! The other side's evidence of an agreement as it comes in, page by page: each piece is checked by itself, and all of them
//! together. Of what was checked only what is shown is kept, and hashes of the rest. A rule over values.

use super::{
    timeline::{Finding, Outcome, Side, TimelineLeaf},
    verify::{Expected, Held, verify},
};
use fondaco_tlog::Hash;
use std::collections::BTreeMap;

/// Leaves of one side that are shown, the oldest: an agreement with a transfer a week, or a leaf about usage each day, has
/// fewer in a year.
pub(super) const LEAVES_MAX: usize = 500;
/// Most findings of one sort that are told: the first few say what is wrong.
const TOLD_MAX: usize = 20;

/// What was gathered so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// The leaves, each once.
    pub(super) leaves: Vec<TimelineLeaf>,
    /// What is wrong.
    pub(super) findings: Vec<Finding>,
    /// What stands at each place of the log.
    places: BTreeMap<u64, Hash>,
    /// The root of each tree of the log.
    roots: BTreeMap<u64, Hash>,
}

/// What a page brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// Something new.
    More,
    /// Nothing that was not there before: whoever goes on like this has nothing else.
    Nothing,
    /// More than is shown.
    TooMuch,
}

impl Gathered {
    /// Nothing yet; `root` is that of a tree of the same log that this node has seen as a witness, by its size.
    pub(super) fn beside(root: Option<(u64, Hash)>) -> Self {
        Self { roots: root.into_iter().collect(), ..Self::default() }
    }

    /// Checks a page.
    pub(super) fn take(&mut self, texts: &[String], expected: &Expected) -> Page {
        let before = self.leaves.len();
        for text in texts {
            match verify(text, expected) {
                Ok(held) => {
                    if !self.add(held) {
                        return Page::TooMuch;
                    }
                }
                Err(why) => self.tell(Finding::DoesNotHold { why }),
            }
        }
        if self.leaves.len() > before { Page::More } else { Page::Nothing }
    }

    /// Each size of the log has one root, and each place one leaf. False when there is no room.
    fn add(&mut self, held: Held) -> bool {
        if *self.roots.entry(held.size).or_insert(held.root) != held.root {
            self.tell_once(Finding::Forked { size: held.size });
        }
        match self.places.get(&held.index) {
            // The same leaf twice says nothing new.
            Some(before) if *before == held.leaf => {}
            Some(_) => self.tell_once(Finding::Rewritten { index: held.index }),
            None if self.leaves.len() == LEAVES_MAX => return false,
            None => {
                self.places.insert(held.index, held.leaf);
                self.leaves.push(shown(held));
            }
        }
        true
    }

    fn tell_once(&mut self, finding: Finding) {
        if !self.findings.contains(&finding) {
            self.tell(finding);
        }
    }

    fn tell(&mut self, finding: Finding) {
        if self.findings.iter().filter(|told| told.name() == finding.name()).count() < TOLD_MAX {
            self.findings.push(finding);
        }
    }
}

fn shown(held: Held) -> TimelineLeaf {
    TimelineLeaf {
        side: Side::Theirs,
        kind: held.kind,
        at: held.at,
        outcome: if held.object.is_some() { Outcome::Verified } else { Outcome::Closed },
        why: None,
        leaf_index: Some(held.index),
        size: Some(held.size),
        object: held.object,
        document: held.document,
        evidence: None,
        witnesses: held.witnesses,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::verify::tests::{bundles, event, expected, log},
        *,
    };
    use fondaco_core::evidence::{Event, Kind};
    use serde_json::json;

    fn transfer(n: usize) -> Event {
        event(Kind::TransferStarted, &format!("tra_{n}"), json!({"agreement": "agr_1", "transfer": format!("tra_{n}")}))
    }

    /// The texts of a log of these transfers.
    fn texts(transfers: &[usize]) -> Vec<String> {
        let made = bundles(&log(1), None, transfers.iter().map(|n| transfer(*n)).collect());
        made.iter().map(|bundle| bundle.print().expect("prints")).collect()
    }

    fn names(gathered: &Gathered) -> Vec<&'static str> {
        gathered.findings.iter().map(Finding::name).collect()
    }

    #[test]
    fn what_is_no_bundle_is_told_a_few_times_and_shown_never() {
        let mut gathered = Gathered::default();
        assert_eq!(gathered.take(&vec!["{}".to_owned(); TOLD_MAX + 5], &expected()), Page::Nothing);
        assert!(gathered.leaves.is_empty());
        assert_eq!(names(&gathered), vec!["does-not-hold"; TOLD_MAX]);
    }

    #[test]
    fn a_page_that_brings_nothing_new_is_the_last() {
        let (mut gathered, page) = (Gathered::default(), texts(&[1, 2]));
        assert_eq!(gathered.take(&page, &expected()), Page::More);
        assert_eq!(gathered.take(&page, &expected()), Page::Nothing, "the same leaf twice says nothing new");
        assert_eq!(gathered.take(&[], &expected()), Page::Nothing);
        assert_eq!((gathered.leaves.len(), names(&gathered)), (2, vec![]));
    }

    #[test]
    fn two_trees_of_one_size_are_told() {
        let mut gathered = Gathered::default();
        for n in [1, 2, 2] {
            gathered.take(&texts(&[n]), &expected());
        }
        assert_eq!(names(&gathered), ["forked", "rewritten"], "each once");
        assert_eq!(gathered.leaves.len(), 1);
    }

    #[test]
    fn another_leaf_at_a_place_is_told_whatever_tree_it_is_in() {
        let mut gathered = Gathered::default();
        assert_eq!(gathered.take(&texts(&[1]), &expected()), Page::More);
        assert_eq!(gathered.take(&texts(&[2, 3])[..1], &expected()), Page::Nothing);
        assert_eq!(gathered.findings, [Finding::Rewritten { index: 0 }]);
        // A log that only grew is none of that.
        let mut grown = Gathered::default();
        grown.take(&texts(&[1]), &expected());
        grown.take(&texts(&[1, 3]), &expected());
        assert_eq!((grown.leaves.len(), names(&grown)), (2, vec![]));
    }

    #[test]
    fn another_tree_than_the_one_that_was_cosigned_here_is_told() {
        let mut gathered = Gathered::beside(Some((1, Hash([7; 32]))));
        gathered.take(&texts(&[1, 2]), &expected());
        assert_eq!(names(&gathered), Vec::<&str>::new(), "a tree of another size may have another root");
        gathered.take(&texts(&[1]), &expected());
        assert_eq!(gathered.findings, [Finding::Forked { size: 1 }]);
    }

    #[test]
    fn the_same_again_takes_no_room() {
        let (mut gathered, one) = (Gathered::default(), texts(&[0]).remove(0));
        assert_eq!(gathered.take(&vec![one; LEAVES_MAX + 1], &expected()), Page::More);
        assert_eq!(gathered.leaves.len(), 1);
        let many: Vec<usize> = (0..=LEAVES_MAX).collect();
        assert_eq!(gathered.take(&texts(&many), &expected()), Page::TooMuch);
        assert_eq!((gathered.leaves.len(), names(&gathered)), (LEAVES_MAX, vec![]), "that is no fault");
    }
}
