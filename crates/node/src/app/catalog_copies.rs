//! Copies of peers' catalogues: when they are read, and what is found in them.
//!
//! A peer's catalogue is read page by page, in the background, at most one reading per peer at a time
//! ([`crate::jobs::catalog_read`] does the reading). What was read stays in the database, so that looking and searching
//! never wait for anybody. Everything in it is the peer's word.

use super::{App, bounded, peers::RemoteDataset, views::Listed};
use crate::jobs::catalog_read;
use fondaco_core::{
    Code, Error, Result,
    participant::{Did, Participant, Slug},
    time::{Micros, Timestamp},
};
use fondaco_store::{FacetCount, PeerDataset, PeerDatasetFilter, PeerRow};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Semaphore, watch};

/// A copy older than this is read again when somebody looks at it: fresh enough to deal by, and no peer is asked more
/// than every five minutes because a page is open.
pub const FRESH: Micros = Micros::from_secs(5 * 60);
/// Copies are read again after this time even if nobody looks.
pub const RENEWED: Micros = Micros::from_secs(3_600);
/// Catalogues read at once: enough to hide the latency of peers, few enough to keep the writer free for deals.
const READINGS_AT_ONCE: usize = 4;
/// Readings that one look at the catalogue begins; the others are begun by the next, or by the hour.
const BEGUN_BY_A_LOOK: usize = 50;
/// Peers whose failures are remembered. Beyond it a failing peer is merely asked more often.
const REMEMBERED_MAX: usize = 20_000;
/// Longest search text.
pub const QUERY_MAX_CHARS: usize = 200;
/// Longest value of a filter.
const FILTER_MAX_CHARS: usize = 2_048;

/// The first pause after a reading that failed; it doubles up to [`PAUSE_MAX`].
const PAUSE_FIRST: Micros = Micros::from_secs(60);
/// The longest pause after readings that failed.
const PAUSE_MAX: Micros = Micros::from_secs(6 * 3_600);

/// Readings under way in this process, and those that failed lately. A restart forgets both, which only means that
/// peers are asked again.
#[derive(Debug)]
pub struct Readings {
    peers: Mutex<HashMap<(Slug, Did), Reading>>,
    places: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Reading {
    /// Ends when the reading does; `None` between readings.
    under_way: Option<watch::Receiver<()>>,
    failures: u32,
    /// Not before, unless somebody asks for it.
    not_before: Timestamp,
}

impl Default for Readings {
    fn default() -> Self {
        Self { peers: Mutex::default(), places: Arc::new(Semaphore::new(READINGS_AT_ONCE)) }
    }
}

/// How long to wait after a number of failures in a row.
fn pause(failures: u32) -> Micros {
    Micros(PAUSE_FIRST.0 << failures.saturating_sub(1).min(16)).min(PAUSE_MAX)
}

impl Readings {
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<(Slug, Did), Reading>) -> T) -> T {
        // A panic elsewhere leaves the map whole: every change of it is one insertion.
        act(&mut self.peers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a reading of this peer's catalogue is under way.
    pub fn is_under_way(&self, slug: &Slug, did: &Did) -> bool {
        self.with(|peers| peers.get(&(slug.clone(), did.clone())).is_some_and(|r| r.under_way.is_some()))
    }

    fn ended(&self, key: &(Slug, Did), now: Timestamp, ok: bool) {
        self.with(|peers| {
            if ok {
                peers.remove(key);
            } else if let Some(reading) = peers.get_mut(key) {
                reading.under_way = None;
                reading.failures = reading.failures.saturating_add(1);
                reading.not_before = now.plus(pause(reading.failures));
            }
            if peers.len() > REMEMBERED_MAX {
                peers.retain(|_, reading| reading.under_way.is_some());
            }
        });
    }
}

/// Which datasets of peers to list, by title.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatasetsAsked {
    /// A text that title, description, keywords or id contain.
    pub query: Option<String>,
    /// Of this peer.
    pub peer: Option<Did>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Under this licence.
    pub license: Option<String>,
    /// In this language.
    pub language: Option<String>,
}

impl DatasetsAsked {
    /// Refuses what no dataset can match.
    fn check(&self) -> Result<()> {
        bounded("query", self.query.as_deref().unwrap_or_default(), QUERY_MAX_CHARS)?;
        for (name, value) in [("kind", &self.kind), ("license", &self.license), ("language", &self.language)] {
            bounded(name, value.as_deref().unwrap_or_default(), FILTER_MAX_CHARS)?;
        }
        Ok(())
    }

    fn filter(&self, offset: u64, limit: u32) -> PeerDatasetFilter {
        PeerDatasetFilter {
            peer: self.peer.clone(),
            kind: self.kind.clone(),
            license: self.license.clone(),
            language: self.language.clone(),
            query: self.query.clone(),
            offset,
            limit,
        }
    }

    /// Whether a combination of properties passes the filters, `but` for one of them.
    fn passes(&self, combination: &FacetCount, but: Option<Facet>) -> bool {
        let holds = |facet: Facet, wanted: Option<&str>, has: &dyn Fn(&str) -> bool| but == Some(facet) || wanted.is_none_or(has);
        holds(Facet::Peer, self.peer.as_ref().map(Did::as_str), &|w| combination.peer == w)
            && holds(Facet::Kind, self.kind.as_deref(), &|w| combination.kind == w)
            && holds(Facet::License, self.license.as_deref(), &|w| combination.license == w)
            && holds(Facet::Language, self.language.as_deref(), &|w| combination.language.split(',').any(|tag| tag == w))
    }
}

/// A property that the catalogue can be narrowed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Facet {
    /// Whose.
    Peer,
    /// The kind.
    Kind,
    /// The licence.
    License,
    /// A language.
    Language,
}

/// A page of the copies.
#[derive(Clone, Debug)]
pub struct Found {
    /// The datasets of the page.
    pub datasets: Vec<PeerDataset>,
    /// The page, from 1.
    pub page: u64,
    /// How many pages there are, at least 1.
    pub pages: u64,
    /// How many datasets match.
    pub total: u64,
    /// For each property the values among what matches the other filters, the most frequent first.
    pub facets: BTreeMap<Facet, Vec<(String, u64)>>,
    /// The peers whose catalogues these are.
    pub copies: Vec<Copy>,
}

/// The copy of a peer's catalogue.
#[derive(Clone, Debug)]
pub struct Copy {
    /// The peer.
    pub peer: PeerRow,
    /// How many datasets the copy holds.
    pub datasets: u64,
    /// Whether it is being read right now.
    pub under_way: bool,
}

impl Copy {
    /// Whether it should be read again.
    fn is_stale(&self, now: Timestamp) -> bool {
        self.peer.catalog_read_at.is_none_or(|at| now.since(at) > FRESH)
    }
}

/// How often each value occurs among the combinations that pass.
fn values(combinations: &[FacetCount], asked: &DatasetsAsked, facet: Facet) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for combination in combinations.iter().filter(|c| asked.passes(c, Some(facet))) {
        let mut add = |value| *counts.entry(value).or_default() += combination.count;
        match facet {
            Facet::Peer => add(combination.peer.as_str()),
            Facet::Kind => add(combination.kind.as_str()),
            Facet::License => add(combination.license.as_str()),
            Facet::Language => combination.language.split(',').for_each(add),
        }
    }
    // What does not say a property cannot be chosen by it.
    let mut counts: Vec<(String, u64)> = counts.into_iter().filter(|(v, _)| !v.is_empty()).map(|(v, n)| (v.to_owned(), n)).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

impl App {
    /// Begins to read a peer's catalogue, unless that is under way. What is returned ends when the reading does.
    pub fn catalog_begin(&self, participant: &Participant, did: &Did) -> watch::Receiver<()> {
        let key = (participant.slug.clone(), did.clone());
        let (done, under_way) = watch::channel(());
        let earlier = self.readings.with(|peers| {
            let reading = peers.entry(key.clone()).or_default();
            if reading.under_way.is_none() {
                reading.under_way = Some(under_way.clone());
                return None;
            }
            reading.under_way.clone()
        });
        if let Some(earlier) = earlier {
            return earlier;
        }
        let (app, participant, places) = (self.clone(), participant.clone(), Arc::clone(&self.readings.places));
        tokio::spawn(async move {
            let outcome = tokio::select! {
                () = app.stopping.cancelled() => Err(Error::new(Code::Unavailable, "the node is stopping")),
                outcome = async {
                    let _place = places.acquire_owned().await;
                    catalog_read::read(&app, &participant, &key.1).await
                } => outcome,
            };
            if let Err(e) = &outcome {
                tracing::info!(participant = %key.0, peer = %key.1, code = %e.code(), "catalog.not_read {e}");
            }
            app.readings.ended(&key, app.now(), outcome.is_ok());
            drop(done);
        });
        under_way
    }

    /// Reads a peer's catalogue now, and waits for its end, but not longer than `patience`.
    pub async fn catalog_read_within(&self, participant: &Participant, did: &Did, patience: Duration) {
        let mut under_way = self.catalog_begin(participant, did);
        // An error says that the other end is gone, which is the end of the reading.
        let _ = tokio::time::timeout(patience, async { while under_way.changed().await.is_ok() {} }).await;
    }

    /// Begins what is due: copies of peers that answered once, an hour old, unless they failed just now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn catalogs_renew(&self, at_most: u32) -> Result<()> {
        let now = self.now();
        let before = now.plus(Micros(-RENEWED.0));
        let stale = self
            .store
            .read("catalog.stale", move |tx| -> Result<_> {
                let mut found = Vec::new();
                for (slug, did) in tx.peer_catalogs_stale(before, at_most)? {
                    found.extend(tx.participant_get(&slug)?.map(|participant| (participant, did)));
                }
                Ok(found)
            })
            .await?;
        for (participant, did) in stale {
            self.catalog_begin_unless_failing(&participant, &did, now);
        }
        Ok(())
    }

    fn catalog_begin_unless_failing(&self, participant: &Participant, did: &Did, now: Timestamp) {
        let key = (participant.slug.clone(), did.clone());
        let waits = self.readings.with(|peers| peers.get(&key).is_some_and(|r| r.not_before > now));
        if !waits {
            drop(self.catalog_begin(participant, did));
        }
    }

    /// A page of the copies, with what they can be narrowed by. Begins to read again those that are not fresh.
    ///
    /// # Errors
    /// When the filters are too long, or the database fails.
    pub async fn datasets_found(&self, participant: &Participant, asked: DatasetsAsked, page: u64, rows: u32) -> Result<Found> {
        asked.check()?;
        let (slug, wanted) = (participant.slug.clone(), asked.clone());
        let rows = rows.max(1);
        let (found, peers, counts) = self
            .store
            .read("catalog.found", move |tx| -> Result<_> {
                let combinations = tx.peer_dataset_facets(&slug, wanted.query.as_deref())?;
                let total: u64 = combinations.iter().filter(|c| wanted.passes(c, None)).map(|c| c.count).sum();
                let pages = total.div_ceil(rows.into()).max(1);
                let page = page.clamp(1, pages);
                // What there is none of need not be looked for.
                let datasets = match total {
                    0 => Vec::new(),
                    _ => tx.peer_dataset_list(&slug, &wanted.filter((page - 1) * u64::from(rows), rows))?,
                };
                let facets = [Facet::Peer, Facet::Kind, Facet::License, Facet::Language];
                let facets = facets.map(|facet| (facet, values(&combinations, &wanted, facet))).into();
                let found = Found { datasets, page, pages, total, facets, copies: Vec::new() };
                Ok((found, tx.peer_list(&slug)?, tx.peer_dataset_counts(&slug)?))
            })
            .await?;
        let copies = self.copies(&participant.slug, peers, &counts);
        let now = self.now();
        let looked_at = copies.iter().filter(|c| asked.peer.as_ref().is_none_or(|did| *did == c.peer.did));
        let known = looked_at.filter(|c| c.peer.last_ok_at.is_some() && c.is_stale(now));
        for copy in known.take(BEGUN_BY_A_LOOK) {
            self.catalog_begin_unless_failing(participant, &copy.peer.did, now);
        }
        Ok(Found { copies, ..found })
    }

    /// What is known of the peers' catalogues, the latest contact first; those never reached last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn catalog_copies(&self, slug: &Slug) -> Result<Vec<Copy>> {
        let owned = slug.clone();
        let (peers, counts) = self
            .store
            .read("catalog.copies", move |tx| -> Result<_> { Ok((tx.peer_list(&owned)?, tx.peer_dataset_counts(&owned)?)) })
            .await?;
        let mut copies = self.copies(slug, peers, &counts);
        copies.sort_by(|a, b| b.peer.last_ok_at.cmp(&a.peer.last_ok_at).then_with(|| a.peer.did.cmp(&b.peer.did)));
        Ok(copies)
    }

    /// Begins to read again what is not fresh, and waits for those never read before, but not longer than `patience`: for
    /// programs, which look once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn catalogs_look(&self, participant: &Participant, patience: Duration) -> Result<()> {
        let now = self.now();
        let mut first = Vec::new();
        let copies = self.catalog_copies(&participant.slug).await?;
        for copy in copies.iter().filter(|c| c.peer.last_ok_at.is_some() && c.is_stale(now)).take(BEGUN_BY_A_LOOK) {
            if copy.peer.catalog_read_at.is_none() && copy.peer.catalog_error.is_none() {
                first.push(self.catalog_begin(participant, &copy.peer.did));
            } else {
                self.catalog_begin_unless_failing(participant, &copy.peer.did, now);
            }
        }
        let all = async {
            for mut under_way in first {
                while under_way.changed().await.is_ok() {}
            }
        };
        // Whoever takes longer is found the next time.
        let _ = tokio::time::timeout(patience, all).await;
        Ok(())
    }

    fn copies(&self, slug: &Slug, peers: Vec<PeerRow>, counts: &BTreeMap<String, u64>) -> Vec<Copy> {
        let copy = |peer: PeerRow| Copy {
            datasets: counts.get(peer.did.as_str()).copied().unwrap_or(0),
            under_way: self.readings.is_under_way(slug, &peer.did),
            peer,
        };
        peers.into_iter().map(copy).collect()
    }

    /// A list of the copies for programs: `after` is the cursor of the page before.
    ///
    /// # Errors
    /// When a filter or the cursor cannot be used, or the database fails.
    pub async fn list_datasets(
        &self,
        participant: &Participant,
        asked: DatasetsAsked,
        after: Option<&str>,
        rows: u32,
    ) -> Result<Listed<PeerDataset>> {
        asked.check()?;
        let offset: u64 = match after {
            None => 0,
            Some(text) => text.parse().map_err(|_| Error::invalid("The cursor is not one of ours; begin without it."))?,
        };
        let (slug, filter) = (participant.slug.clone(), asked.filter(offset, rows + 1));
        let mut items = self.store.read("catalog.list", move |tx| -> Result<_> { Ok(tx.peer_dataset_list(&slug, &filter)?) }).await?;
        let goes_on = items.len() > rows as usize;
        items.truncate(rows as usize);
        Ok(Listed { items, next: goes_on.then(|| (offset + u64::from(rows)).to_string()) })
    }

    /// A dataset from the copy of its peer's catalogue, and when it was read; `None` where the copy does not have the
    /// whole of it, and the peer must be asked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dataset_copy(&self, slug: &Slug, peer: &Did, id: &str) -> Result<Option<(RemoteDataset, Timestamp)>> {
        let (slug, peer, id) = (slug.clone(), peer.clone(), id.to_owned());
        let row = self.store.read("catalog.dataset_copy", move |tx| -> Result<_> { Ok(tx.peer_dataset_get(&slug, &peer, &id)?) }).await?;
        Ok(row.and_then(|row| catalog_read::whole(row.body).map(|dataset| (dataset, row.read_at))))
    }

    /// Forgets a peer and the copy of its catalogue. Deals with it stay.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn peer_forget(&self, slug: &Slug, did: &Did) -> Result<()> {
        let (slug, did) = (slug.clone(), did.clone());
        let known = self.store.tx("peer.forget", move |tx| -> Result<_> { Ok(tx.peer_forget(&slug, &did)?) }).await?;
        if known { Ok(()) } else { Err(Error::not_found("The peer")) }
    }

    /// A peer that we know, with the copy of its catalogue.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn peer_known(&self, slug: &Slug, did: &Did) -> Result<Copy> {
        let (owned, wanted) = (slug.clone(), did.clone());
        let (peer, counts) = self
            .store
            .read("peer.get", move |tx| -> Result<_> { Ok((tx.peer_get(&owned, &wanted)?, tx.peer_dataset_counts(&owned)?)) })
            .await?;
        let peer = peer.ok_or_else(|| Error::not_found("The peer"))?;
        self.copies(slug, vec![peer], &counts).pop().ok_or_else(|| Error::not_found("The peer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combination(peer: &str, kind: &str, license: &str, language: &str, count: u64) -> FacetCount {
        FacetCount { peer: peer.into(), kind: kind.into(), license: license.into(), language: language.into(), count }
    }

    #[test]
    fn a_facet_counts_what_the_others_leave() {
        let all = [
            combination("did:web:a", "table", "MIT", "en,zh", 3),
            combination("did:web:a", "files", "MIT", "", 2),
            combination("did:web:b", "table", "", "en", 4),
        ];
        let asked = DatasetsAsked { kind: Some("table".into()), ..DatasetsAsked::default() };
        let counted = |facet| values(&all, &asked, facet);
        assert_eq!(counted(Facet::Kind), [("table".to_owned(), 7), ("files".to_owned(), 2)], "its own choice does not narrow it");
        assert_eq!(counted(Facet::Peer), [("did:web:b".to_owned(), 4), ("did:web:a".to_owned(), 3)]);
        assert_eq!(counted(Facet::Language), [("en".to_owned(), 7), ("zh".to_owned(), 3)], "each of several languages counts");
        assert_eq!(counted(Facet::License), [("MIT".to_owned(), 3)], "nothing is not a licence");
        let zh = DatasetsAsked { language: Some("zh".into()), ..DatasetsAsked::default() };
        assert_eq!(all.iter().filter(|c| zh.passes(c, None)).map(|c| c.count).sum::<u64>(), 3);
    }

    #[test]
    fn pauses_grow_up_to_six_hours() {
        assert_eq!([1, 2, 3].map(pause), [60, 120, 240].map(Micros::from_secs));
        assert_eq!(pause(u32::MAX), PAUSE_MAX);
    }
}
