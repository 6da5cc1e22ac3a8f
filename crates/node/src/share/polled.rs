//! Queries that are answered later: what is remembered of them until their answer is fetched (PROTOCOL.md, "asyncQuery").
//!
//! Only in memory: after a restart they are unknown, and clients submit them again. What was made for them is in the cache
//! of files, so that it is not made twice.

use fondaco_core::{
    ids::TransferId,
    time::{Micros, Timestamp},
};
use fondaco_tables::delta_sharing::QueryRequest;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// How long a query can be polled after it was submitted: who has not come back within the hour has given up.
const LIFE: Micros = Micros::from_secs(3_600);
/// Most queries of one transfer: a client has a few at a time, and none may take the room of others.
const OF_TRANSFER_MAX: usize = 16;
/// Most queries in all, each of at most [`KEPT_BODY_MAX`].
const ALL_MAX: usize = 1_000;
/// Largest body that is kept: some hundred hints. A larger query is answered at once.
pub const KEPT_BODY_MAX: usize = 16 * 1024;

/// How far a query is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is being worked on.
    Pending,
    /// Its answer can be made at once.
    Ready,
    /// It cannot be answered: what its client is told.
    Failed(String),
}

/// A query that was submitted.
#[derive(Clone, Debug)]
pub struct Polled {
    /// Whose it is.
    pub transfer: TransferId,
    /// The version of the product that it is about.
    pub version: u32,
    /// What of the table is shown, by the plan's digest: after a change of the terms there is no such query.
    pub plan: String,
    /// Equal for submissions that are one: made of the client's idempotency key and the whole request.
    pub key: Option<String>,
    /// The query.
    pub request: Arc<QueryRequest>,
}

#[derive(Debug)]
struct Entry {
    of: Polled,
    until: Timestamp,
    progress: Progress,
}

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// It is to be worked on.
    New,
    /// It was submitted before, under this id.
    Before(String),
    /// There is no room for it.
    Full,
}

/// The queries of this process.
#[derive(Debug, Default)]
pub struct PolledQueries(Mutex<HashMap<String, Entry>>);

impl PolledQueries {
    fn with<T>(&self, now: Timestamp, look: impl FnOnce(&mut HashMap<String, Entry>) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, entry| now < entry.until);
        look(&mut all)
    }

    /// The id under which the same was submitted before.
    pub fn before(&self, transfer: &TransferId, key: &str, now: Timestamp) -> Option<String> {
        self.with(now, |all| {
            all.iter().find(|(_, e)| e.of.transfer == *transfer && e.of.key.as_deref() == Some(key)).map(|(id, _)| id.clone())
        })
    }

    /// Remembers a query under an id that nobody can guess. Where its transfer has very many, the oldest of those that are
    /// done makes room.
    pub fn submit(&self, id: &str, query: Polled, now: Timestamp) -> Submitted {
        self.with(now, |all| {
            let own = |e: &Entry| e.of.transfer == query.transfer;
            if let Some((before, _)) = all.iter().find(|(_, e)| own(e) && e.of.key.is_some() && e.of.key == query.key) {
                return Submitted::Before(before.clone());
            }
            if all.values().filter(|e| own(e)).count() >= OF_TRANSFER_MAX {
                let done = all.iter().filter(|(_, e)| own(e) && e.progress != Progress::Pending);
                let Some(oldest) = done.min_by_key(|(_, e)| e.until).map(|(id, _)| id.clone()) else { return Submitted::Full };
                all.remove(&oldest);
            }
            if all.len() >= ALL_MAX {
                return Submitted::Full;
            }
            all.insert(id.to_owned(), Entry { of: query, until: now.plus(LIFE), progress: Progress::Pending });
            Submitted::New
        })
    }

    /// Says how far one is; of one that is forgotten, nothing.
    pub fn moved(&self, id: &str, progress: Progress, now: Timestamp) {
        self.with(now, |all| {
            if let Some(entry) = all.get_mut(id) {
                entry.progress = progress;
            }
        });
    }

    /// Forgets one that was not taken after all.
    pub fn forget(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// A query of a transfer. Another transfer's does not exist.
    pub fn find(&self, transfer: &TransferId, id: &str, now: Timestamp) -> Option<(Polled, Progress)> {
        self.with(now, |all| all.get(id).filter(|e| e.of.transfer == *transfer).map(|e| (e.of.clone(), e.progress.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(transfer: &str, key: Option<&str>) -> Polled {
        Polled {
            transfer: TransferId::from_stored(transfer),
            version: 1,
            plan: "p".into(),
            key: key.map(str::to_owned),
            request: Arc::new(QueryRequest::default()),
        }
    }

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_query_is_found_by_its_transfer_until_it_ends() {
        let all = PolledQueries::default();
        assert_eq!(all.submit("q1", query("t1", None), at(0)), Submitted::New);
        let (mine, other) = (TransferId::from_stored("t1"), TransferId::from_stored("t2"));
        let progress = |transfer: &TransferId, now| all.find(transfer, "q1", now).map(|(_, progress)| progress);
        assert_eq!((progress(&mine, at(1)), progress(&other, at(1))), (Some(Progress::Pending), None));
        all.moved("q1", Progress::Ready, at(2));
        assert_eq!(progress(&mine, at(3_599)), Some(Progress::Ready));
        assert_eq!(progress(&mine, at(3_600)), None);
        all.moved("q1", Progress::Ready, at(3_601));
        assert_eq!(progress(&mine, at(0)), None, "it is not there again");
    }

    #[test]
    fn the_same_submission_is_one_query() {
        let all = PolledQueries::default();
        assert_eq!(all.submit("q1", query("t1", Some("k")), at(0)), Submitted::New);
        assert_eq!(all.submit("q2", query("t1", Some("k")), at(1)), Submitted::Before("q1".into()));
        assert_eq!(all.before(&TransferId::from_stored("t1"), "k", at(1)), Some("q1".into()));
        assert_eq!(all.before(&TransferId::from_stored("t2"), "k", at(1)), None);
        assert_eq!(all.submit("q3", query("t2", Some("k")), at(1)), Submitted::New, "another's key is another");
        assert_eq!(all.submit("q4", query("t1", None), at(1)), Submitted::New);
        assert_eq!(all.submit("q5", query("t1", None), at(1)), Submitted::New, "without a key nothing is the same");
        assert_eq!(all.submit("q6", query("t1", Some("k")), at(3_600)), Submitted::New, "the first has ended");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let all = PolledQueries::default();
        for n in 0..OF_TRANSFER_MAX {
            assert_eq!(all.submit(&format!("a{n}"), query("a", None), at(i64::try_from(n).expect("small"))), Submitted::New);
        }
        assert_eq!(all.submit("more", query("a", None), at(20)), Submitted::Full, "all are being worked on");
        all.moved("a3", Progress::Failed("x".into()), at(20));
        all.moved("a2", Progress::Ready, at(20));
        assert_eq!(all.submit("more", query("a", None), at(20)), Submitted::New);
        let a = TransferId::from_stored("a");
        assert!(all.find(&a, "a2", at(20)).is_none() && all.find(&a, "a3", at(20)).is_some(), "the oldest made room");
        let mut room = 0;
        while all.submit(&format!("b{room}"), query(&format!("t{room}"), None), at(20)) == Submitted::New {
            room += 1;
        }
        assert_eq!(room, ALL_MAX - OF_TRANSFER_MAX);
        assert_eq!(all.submit("z", query("z", None), at(20)), Submitted::Full, "there is no room for anybody else");
    }
}
