//! Refusals at delivery: counted by agreement, rule and hour, because whoever is refused may ask again at once.
//!
//! The first of an hour is written down before it is answered. Those after it are counted in memory and written every few
//! minutes, and when the node stops; a node that is killed forgets these counts, but never that it refused. What could not be
//! written is counted again, and the next one is a first one then.

use super::{Fact, append};
use crate::app::{App, agreements::own_of, agreements::peer_of};
use fondaco_core::{
    Error, Result,
    evidence::Kind,
    participant::Slug,
    time::{Micros, Timestamp},
};
use fondaco_store::{RefusalSum, Tx};
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What refusals are counted by.
const HOUR: Micros = Micros::from_secs(3_600);

/// The participant, its agreement, the rule, and the hour's beginning.
type Key = (Slug, String, String, Timestamp);

/// How many since they were last written down, the first of them and the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    refusals: u64,
    first_at: Timestamp,
    last_at: Timestamp,
}

impl Count {
    /// Both together.
    fn and(self, other: Self) -> Self {
        Self {
            refusals: self.refusals + other.refusals,
            first_at: self.first_at.min(other.first_at),
            last_at: self.last_at.max(other.last_at),
        }
    }
}

/// What is known of a key within its hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hour {
    /// Whether its first refusal was written down, or is about to be.
    written: bool,
    /// What came since.
    since: Option<Count>,
}

/// The refusals of the present hour, and those that are not written down yet.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<Key, Hour>>);

impl Refusals {
    fn map(&self) -> MutexGuard<'_, HashMap<Key, Hour>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one; the first of an hour is given out, to be written down, with those before it that could not be.
    fn count(&self, participant: &Slug, agreement: &str, rule: &str, at: Timestamp) -> Option<RefusalSum> {
        let key = (participant.clone(), agreement.to_owned(), rule.to_owned(), hour_of(at));
        let one = Count { refusals: 1, first_at: at, last_at: at };
        let mut map = self.map();
        let hour = map.entry(key.clone()).or_default();
        let all = hour.since.map_or(one, |before| before.and(one));
        if hour.written {
            hour.since = Some(all);
            return None;
        }
        *hour = Hour { written: true, since: None };
        Some(sum(&key, all))
    }

    /// Counts again what was given out and could not be written down.
    fn put_back(&self, sums: Vec<RefusalSum>) {
        let mut map = self.map();
        for RefusalSum { participant, agreement_id, rule, hour, refusals, first_at, last_at } in sums {
            let count = Count { refusals, first_at, last_at };
            let hour = map.entry((participant, agreement_id, rule, hour)).or_default();
            *hour = Hour { written: false, since: Some(hour.since.map_or(count, |since| since.and(count))) };
        }
    }

    /// What was counted since; hours that are over are forgotten.
    fn take(&self, now: Timestamp) -> Vec<RefusalSum> {
        let mut map = self.map();
        let sums = map.iter_mut().filter_map(|(key, hour)| hour.since.take().map(|count| sum(key, count))).collect();
        map.retain(|(.., hour), _| *hour >= hour_of(now));
        sums
    }
}

fn hour_of(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros().div_euclid(HOUR.0) * HOUR.0)
}

fn sum((participant, agreement_id, rule, hour): &Key, count: Count) -> RefusalSum {
    let Count { refusals, first_at, last_at } = count;
    let (participant, agreement_id, rule, hour) = (participant.clone(), agreement_id.clone(), rule.clone(), *hour);
    RefusalSum { participant, agreement_id, rule, hour, refusals, first_at, last_at }
}

impl App {
    /// A use was refused under an agreement. `rule` is one of few: a code, with the name of a constraint where there is one.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub async fn note_refused(&self, slug: &Slug, agreement: &str, rule: &str) -> Result<()> {
        let Some(first) = self.refusals.count(slug, agreement, rule, self.now()) else { return Ok(()) };
        let app = self.clone();
        let write = async move {
            let sum = first.clone();
            let done = app.store.tx("evidence.refused", move |tx| -> Result<_> { Ok(tx.refusals_add(&sum)?) }).await;
            if done.is_err() {
                app.refusals.put_back(vec![first]);
            }
            done
        };
        // A task of its own: who hangs up does not take it along.
        tokio::spawn(write).await.map_err(Error::internal_failure)?
    }

    /// Writes down what was counted, and makes leaves of the hours that are over.
    ///
    /// # Errors
    /// When the database fails; what was counted is then written the next time.
    pub async fn refusals_settle(&self) -> Result<()> {
        let now = self.now();
        let counted = self.refusals.take(now);
        let sums = counted.clone();
        let done = self
            .store
            .tx("evidence.refusals", move |tx| -> Result<()> {
                sums.iter().try_for_each(|sum| tx.refusals_add(sum))?;
                for sum in tx.refusals_take(hour_of(now))? {
                    note(tx, &sum)?;
                }
                Ok(())
            })
            .await;
        if done.is_err() {
            self.refusals.put_back(counted);
        }
        done
    }
}

fn note(tx: &mut Tx, sum: &RefusalSum) -> Result<()> {
    let Some(row) = tx.agreement_get(&sum.participant, &sum.agreement_id)? else { return Ok(()) };
    let id = sum.agreement_id.as_str();
    let document = json!({
        "agreement": id, "rule": sum.rule, "hour": sum.hour, "refusals": sum.refusals, "firstAt": sum.first_at, "lastAt": sum.last_at,
    });
    let fact = Fact { kind: Kind::Refusal, at: sum.last_at, peer: Some(peer_of(&row)), object: id, agreement: Some(id), document };
    append(tx, &sum.participant, own_of(&row), fact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_an_hour_is_written_and_the_rest_counted() {
        let (refusals, slug) = (Refusals::default(), Slug::parse("acme").expect("slug"));
        let at = |minutes: i64| Timestamp::from_micros(minutes * 60_000_000);
        let first = refusals.count(&slug, "agr_1", "count", at(61)).expect("the first");
        assert_eq!((first.hour, first.refusals), (at(60), 1));
        for minute in 62..100 {
            assert_eq!(refusals.count(&slug, "agr_1", "count", at(minute)), None);
        }
        assert!(refusals.count(&slug, "agr_1", "volume", at(70)).is_some(), "another rule");
        assert!(refusals.count(&slug, "agr_2", "count", at(70)).is_some(), "another agreement");
        let sums = refusals.take(at(100));
        assert_eq!(sums.len(), 1);
        assert_eq!((sums[0].refusals, sums[0].first_at, sums[0].last_at), (38, at(62), at(99)));
        assert_eq!(refusals.count(&slug, "agr_1", "count", at(101)), None, "the hour's first was written");
        assert_eq!(refusals.take(at(121)).len(), 1);
        assert!(refusals.map().is_empty(), "hours that are over are forgotten");
        assert!(refusals.count(&slug, "agr_1", "count", at(121)).is_some());
    }

    #[test]
    fn what_could_not_be_written_is_counted_again() {
        let (refusals, slug) = (Refusals::default(), Slug::parse("acme").expect("slug"));
        let at = |minutes: i64| Timestamp::from_micros(minutes * 60_000_000);
        let first = refusals.count(&slug, "agr_1", "count", at(61)).expect("the first");
        assert_eq!(refusals.count(&slug, "agr_1", "count", at(62)), None, "while the first is written");
        refusals.put_back(vec![first]);
        let again = refusals.count(&slug, "agr_1", "count", at(63)).expect("a first one again");
        assert_eq!((again.refusals, again.first_at, again.last_at), (3, at(61), at(63)));
        assert_eq!(refusals.count(&slug, "agr_1", "count", at(64)), None);
        let taken = refusals.take(at(65));
        refusals.put_back(taken.clone());
        assert_eq!(refusals.take(at(65)), taken);
        // Of an hour that is over by then, too.
        refusals.put_back(taken.clone());
        assert_eq!(refusals.take(at(130)), taken);
        assert!(refusals.take(at(130)).is_empty() && refusals.map().is_empty());
    }
}
