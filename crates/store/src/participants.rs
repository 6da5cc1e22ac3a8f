//! Participants read lately. Each message of a peer and each call of the API names one, and they hardly ever change.

use fondaco_core::participant::{Participant, Slug};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Most participants kept: those of a zone that are busy at a time. One is about 1 KB.
const KEPT_MAX: usize = 2_048;

#[derive(Debug, Default)]
struct Kept {
    /// How often any participant was changed in this process.
    changes: u64,
    by_slug: HashMap<Slug, Participant>,
}

/// The participants of this process's own database file, which nobody else writes to.
#[derive(Debug, Default)]
pub(crate) struct Participants(Mutex<Kept>);

/// What a look-up found.
pub(crate) enum Found {
    /// As it is stored.
    Kept(Box<Participant>),
    /// To be read; what is read may be kept with this number.
    Unknown(u64),
}

impl Participants {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, slug: &Slug) -> Found {
        let kept = self.kept();
        kept.by_slug.get(slug).map_or(Found::Unknown(kept.changes), |p| Found::Kept(Box::new(p.clone())))
    }

    /// Keeps what was read after [`Participants::find`], unless something changed since: then it may be old.
    pub(crate) fn keep(&self, participant: &Participant, found_at: u64) {
        let mut kept = self.kept();
        if kept.changes != found_at {
            return;
        }
        if kept.by_slug.len() >= KEPT_MAX {
            kept.by_slug.clear();
        }
        kept.by_slug.insert(participant.slug.clone(), participant.clone());
    }

    /// After the commit that changed one, before its caller is told.
    pub(crate) fn changed(&self, slug: &Slug) {
        let mut kept = self.kept();
        kept.changes += 1;
        kept.by_slug.remove(slug);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_core::{decision::RuleSet, participant::Did, time::Timestamp};

    fn named(name: &str) -> Participant {
        Participant {
            slug: Slug::parse("acme").expect("slug"),
            did: Did::parse("did:web:acme.example").expect("did"),
            name: name.into(),
            country: None,
            rules: RuleSet::default(),
            created_at: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn a_participant_read_before_a_change_is_not_kept_after_it() {
        let participants = Participants::default();
        let before = named("Before");
        let Found::Unknown(at) = participants.find(&before.slug) else { panic!("nothing is kept yet") };
        participants.changed(&before.slug);
        participants.keep(&before, at);
        let Found::Unknown(at) = participants.find(&before.slug) else { panic!("what may be old was kept") };
        participants.keep(&named("After"), at);
        assert!(matches!(participants.find(&before.slug), Found::Kept(p) if p.name == "After"));
        participants.changed(&before.slug);
        assert!(matches!(participants.find(&before.slug), Found::Unknown(_)));
    }
}
