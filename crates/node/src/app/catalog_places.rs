//! Where in a catalogue a reader was: positions that were reached, with the dataset before each.
//!
//! Eclipse EDC asks for windows by their offset. What a caller may see is known once the offers are read, so an offset
//! cannot be looked up; but who reads window after window goes on from where the last one ended, and any other deep
//! window begins at the nearest place that was passed.

use fondaco_core::{
    participant::{Did, Slug},
    product::ProductRef,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Catalogues as callers see them that places are kept of; those looked at last.
const CATALOGUES_MAX: u64 = 256;
/// How long without being looked at.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);
/// Datasets between two places that are kept. Half a page: a walk to any window then reads little.
const APART: usize = 250;
/// Places of one catalogue: with [`APART`], those of 256,000 datasets, at 100 bytes each.
const PLACES_MAX: usize = 1_024;

/// One participant's catalogue at one revision, as one caller sees it.
type Key = (Slug, Did, u64);

#[derive(Debug, Default)]
struct Reached {
    kept: BTreeMap<usize, ProductRef>,
    /// The end of the last window.
    last: Option<(usize, ProductRef)>,
}

/// What was reached lately, in this process. Losing it only costs time.
#[derive(Clone, Debug)]
pub struct Places(moka::future::Cache<Key, Arc<Mutex<Reached>>>);

impl Default for Places {
    fn default() -> Self {
        Self(moka::future::Cache::builder().max_capacity(CATALOGUES_MAX).time_to_idle(FORGOTTEN_AFTER).build())
    }
}

impl Places {
    /// The last place at or before `offset`: how many datasets come up to it, and the product before it.
    pub async fn before(&self, slug: &Slug, caller: &Did, revision: u64, offset: usize) -> Option<(usize, ProductRef)> {
        let reached = self.0.get(&(slug.clone(), caller.clone(), revision)).await?;
        let reached = reached.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = reached.kept.range(..=offset).next_back().map(|(at, after)| (*at, after.clone()));
        let last = reached.last.clone().filter(|(at, _)| *at <= offset);
        kept.into_iter().chain(last).max_by_key(|(at, _)| *at)
    }

    /// Notes that `at` datasets come up to this product, itself included; `end` says that a window ends there.
    pub async fn note(&self, slug: &Slug, caller: &Did, revision: u64, at: usize, after: &ProductRef, end: bool) {
        let reached = self.0.get_with((slug.clone(), caller.clone(), revision), async { Arc::default() }).await;
        let mut reached = reached.lock().unwrap_or_else(PoisonError::into_inner);
        let crowded = reached.kept.range(at.saturating_sub(APART - 1)..at + APART).next().is_some();
        if at >= APART && !crowded && reached.kept.len() < PLACES_MAX {
            reached.kept.insert(at, after.clone());
        }
        if end {
            reached.last = Some((at, after.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_nearest_place_before_is_found_and_only_for_whoever_was_there() {
        let places = Places::default();
        let (slug, did, other) =
            (Slug::parse("acme").expect("slug"), Did::parse("did:web:a").expect("did"), Did::parse("did:web:b").expect("did"));
        let product = |n: usize| ProductRef::parse_dataset_id(&format!("p-{n}")).expect("id");
        assert_eq!(places.before(&slug, &did, 1, 1_000).await, None);
        for at in (10..=2_000).step_by(10) {
            places.note(&slug, &did, 1, at, &product(at), false).await;
        }
        assert_eq!(places.before(&slug, &did, 1, 249).await, None);
        assert_eq!(places.before(&slug, &did, 1, 1_760).await, Some((1_750, product(1_750))));
        places.note(&slug, &did, 1, 1_755, &product(1_755), true).await;
        assert_eq!(places.before(&slug, &did, 1, 1_760).await, Some((1_755, product(1_755))), "where the last window ended");
        assert_eq!(places.before(&slug, &did, 1, 1_754).await, Some((1_750, product(1_750))));
        assert_eq!(places.before(&slug, &other, 1, 1_760).await, None, "who may see less");
        assert_eq!(places.before(&slug, &did, 2, 1_760).await, None, "another catalogue by now");
    }

    #[tokio::test]
    async fn places_are_bounded() {
        let places = Places::default();
        let (slug, did) = (Slug::parse("acme").expect("slug"), Did::parse("did:web:a").expect("did"));
        let product = ProductRef::parse_dataset_id("p").expect("id");
        for at in (0..2 * PLACES_MAX * APART).step_by(APART) {
            places.note(&slug, &did, 1, at, &product, false).await;
        }
        assert_eq!(places.before(&slug, &did, 1, usize::MAX).await, Some((PLACES_MAX * APART, product)));
    }
}
