//! Read queries that the admin API and the console share: lists with their cursors, timelines, the overview.
//!
//! A list is asked for one row more than it shows, so that it knows whether it goes on. A cursor is the key of the last
//! row shown; one that is no key of ours simply finds nothing.

use super::{
    App,
    agreements::peer_of,
    cause::Exchange,
    people::{PARTICIPANTS_SHOWN, Person},
    products::Listing,
};
use crate::jobs::{self, NegotiationSend, TransferSend};
use fondaco_core::{
    Error, Result,
    ids::{NegotiationId, TransferId},
    life::Phase,
    negotiation::{Negotiation, Role},
    participant::{Did, Participant, Slug},
    product::{Offer, Product, ProductId, ProductRef, ProductState},
    time::Timestamp,
    transfer::Transfer,
};
use fondaco_store::{
    AgreementFilter, AgreementRow, ApiTokenRow, Event, Job, PeerRow, ProcessFilter, ProductCount, ProductFilter, ProductSearch, StoreError,
    Tx, Usage,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Rows of a page of a list, unless asked otherwise.
pub const LIST_ROWS: u32 = 50;
/// Most rows of a page.
pub const LIST_ROWS_MAX: u32 = 200;
/// Events shown of one process: a negotiation has at most 50 rounds, a transfer is rarely suspended as often.
pub const TIMELINE_MAX: u32 = 500;
/// Events on the overview: what one reads at a glance.
pub const LATEST_EVENTS: u32 = 12;
/// Negotiations shown of those that wait for a person: each comes with its terms and forms, and more come as some go.
pub const WAITING_MAX: u32 = 20;
/// How far those that wait are counted for the menu.
pub const WAITING_COUNTED_MAX: u32 = 1_000;
/// Product versions read at once while looking for all of one product.
const VERSIONS_STEP: u32 = 50;

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

impl<T> Listed<T> {
    /// Cuts `items`, of which one more than `limit` was asked for.
    pub(in crate::app) fn cut(mut items: Vec<T>, limit: u32, key: impl Fn(&T) -> String) -> Self {
        let limit = limit as usize;
        let goes_on = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| goes_on).map(key);
        Self { items, next }
    }
}

/// A limit as asked for, within its bounds.
pub fn list_rows(asked: Option<u32>) -> u32 {
    asked.unwrap_or(LIST_ROWS).clamp(1, LIST_ROWS_MAX)
}

/// Whom a person acts for right now, and whom else they could.
#[derive(Clone, Debug)]
pub struct Acting {
    /// The participant named in the address; `None` when the address names none.
    pub current: Option<Participant>,
    /// All that they may act for, at most [`PARTICIPANTS_SHOWN`].
    pub choices: Vec<Participant>,
    /// How many negotiations of the current one wait for somebody, counted up to [`WAITING_COUNTED_MAX`].
    pub waiting: u64,
    /// Whether the node's log is held.
    pub log_held: bool,
}

/// Which products to list.
#[derive(Clone, Debug, Default)]
pub struct ProductsAsked {
    /// Leave out what was withdrawn.
    pub published_only: bool,
    /// Every version, not only the newest.
    pub all_versions: bool,
    /// A text to look for.
    pub query: Option<String>,
    /// The cursor.
    pub after: Option<String>,
    /// Most rows.
    pub limit: Option<u32>,
}

/// Which negotiations, transfers or agreements to list.
#[derive(Clone, Debug, Default)]
pub struct ProcessesAsked {
    /// Only in this state (its DSP name). For agreements: the name of a [`Phase`].
    pub state: Option<String>,
    /// Only with this other side, by its DID. For agreements.
    pub peer: Option<String>,
    /// The cursor.
    pub after: Option<String>,
    /// Most rows.
    pub limit: Option<u32>,
}

/// A process with what happened in it.
#[derive(Clone, Debug)]
pub struct Followed<T> {
    /// The negotiation or transfer.
    pub process: T,
    /// Its timeline, oldest first.
    pub events: Vec<Event>,
    /// Why the next message has not arrived yet; after the end, the one that tells of it.
    pub delivery_problem: Option<String>,
    /// The exchange in which it did not.
    pub exchange: Option<Exchange>,
    /// When a rule decides, if nobody does before.
    pub decides_at: Option<Timestamp>,
}

/// What an event is about, as far as it still exists.
#[derive(Clone, Debug)]
pub struct EventSubject {
    /// Our side.
    pub role: Role,
    /// The other side, where there is one.
    pub peer: Option<Did>,
    /// The dataset.
    pub dataset: String,
}

/// What we have to do with one peer.
#[derive(Clone, Debug)]
pub struct Deals {
    /// The latest negotiations.
    pub negotiations: Vec<Negotiation>,
    /// The agreements that came of them, with what was used so far.
    pub agreements: Vec<(AgreementRow, Usage)>,
    /// The latest transfers.
    pub transfers: Vec<Transfer>,
}

/// A page of our products.
#[derive(Clone, Debug)]
pub struct ProductsFound {
    /// The products.
    pub listed: Listed<Listing>,
    /// How many there are of each kind and state, of those the query finds.
    pub counts: Vec<ProductCount>,
}

/// What the first page tells.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Products in the catalogue.
    pub products: u64,
    /// Negotiations that are not final.
    pub open_negotiations: u64,
    /// Agreements in force.
    pub agreements_in_force: u64,
    /// Transfers that are started.
    pub started_transfers: u64,
    /// Whether a peer was ever contacted.
    pub has_peers: bool,
    /// Whether there ever was an agreement.
    pub has_agreements: bool,
    /// Negotiations that wait for a person here, newest first.
    pub waiting: Vec<Negotiation>,
    /// What happened last, newest first.
    pub events: Vec<(Event, Option<EventSubject>)>,
}

/// Names for what rows only identify.
#[derive(Clone, Debug, Default)]
pub struct Names {
    peers: HashMap<String, String>,
    ours: HashMap<String, String>,
    theirs: HashMap<Did, HashMap<String, String>>,
}

impl Names {
    /// A peer's name, or its DID.
    pub fn peer<'a>(&'a self, did: &'a Did) -> &'a str {
        self.peers.get(did.as_str()).map_or(did.as_str(), String::as_str)
    }
    /// A dataset's title, as far as it is known here: ours, or as a peer's catalogue last said; else its id.
    pub fn title<'a>(&'a self, role: Role, peer: Option<&Did>, dataset: &'a str) -> &'a str {
        let known = match role {
            Role::Provider => self.ours.get(dataset),
            Role::Consumer => peer.and_then(|did| self.theirs.get(did)?.get(dataset)),
        };
        known.map_or(dataset, String::as_str)
    }
}

/// What waits in the outbox, of all participants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// Jobs that are due and were not tried yet.
    pub due: u64,
    /// Jobs that failed before and will be tried again.
    pub retrying: u64,
    /// When the oldest of all was written.
    pub oldest: Option<Timestamp>,
    /// How many participants there are; counted up to [`fondaco_store::tx::PAGE_MAX`].
    pub participants: u64,
}

/// A negotiation that waits for somebody here.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The negotiation.
    pub negotiation: Negotiation,
    /// When a rule decides, if nobody does before.
    pub decides_at: Option<Timestamp>,
}

impl App {
    /// The participants a person may act for, and the one named by `slug`, if it is among them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn acting_for(&self, person: &Person, slug: Option<&str>) -> Result<Acting> {
        let slug = slug.and_then(|s| Slug::parse(s).ok());
        let (admin, member_of) = (person.user.admin, person.participants.clone());
        self.store
            .read("view.acting", move |tx| -> Result<_> {
                let choices = if admin {
                    tx.participant_list(None, PARTICIPANTS_SHOWN)?
                } else {
                    let mut choices = Vec::new();
                    for slug in member_of.iter().take(PARTICIPANTS_SHOWN as usize) {
                        choices.extend(tx.participant_get(slug)?);
                    }
                    choices
                };
                let current = match slug {
                    Some(slug) if admin || member_of.contains(&slug) => tx.participant_get(&slug)?,
                    _ => None,
                };
                let waiting = match &current {
                    Some(p) => tx.negotiations_waiting_count(&p.slug, WAITING_COUNTED_MAX)?,
                    None => 0,
                };
                let log_held = tx.log_tree()?.is_some_and(|tree| tree.held.is_some());
                Ok(Acting { current, choices, waiting, log_held })
            })
            .await
    }

    /// Our products by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_products(&self, slug: &Slug, asked: ProductsAsked) -> Result<Listed<Listing>> {
        let (slug, limit) = (slug.clone(), list_rows(asked.limit));
        let filter = ProductFilter {
            published_only: asked.published_only,
            latest_only: !asked.all_versions,
            kind: None,
            query: asked.query.filter(|q| !q.trim().is_empty()),
            after: asked.after.as_deref().and_then(ProductRef::parse_dataset_id),
            upto: None,
            limit: limit + 1,
        };
        self.store
            .read("view.products", move |tx| -> Result<_> {
                let listed = Listed::cut(tx.product_list(&slug, &filter)?, limit, |p: &Product| p.reference.dataset_id());
                Ok(with_offers(tx, &slug, listed)?)
            })
            .await
    }

    /// All versions of a product, newest first; none when there is no such product.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn product_versions(&self, slug: &Slug, id: &ProductId) -> Result<Vec<(u32, ProductState)>> {
        let (slug, id) = (slug.clone(), id.clone());
        self.store.read("view.versions", move |tx| -> Result<_> { Ok(all_versions(tx, &slug, &id)?) }).await
    }

    /// Negotiations, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_negotiations(&self, slug: &Slug, asked: ProcessesAsked) -> Result<Listed<Negotiation>> {
        let (slug, limit) = (slug.clone(), list_rows(asked.limit));
        let filter = ProcessFilter { role: None, state: asked.state, after: asked.after, limit: limit + 1 };
        let rows = self.store.read("view.negotiations", move |tx| -> Result<_> { Ok(tx.negotiation_list(&slug, &filter)?) }).await?;
        Ok(Listed::cut(rows, limit, |n: &Negotiation| n.id.to_string()))
    }

    /// Transfers, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_transfers(&self, slug: &Slug, asked: ProcessesAsked) -> Result<Listed<Transfer>> {
        let (slug, limit) = (slug.clone(), list_rows(asked.limit));
        let filter = ProcessFilter { role: None, state: asked.state, after: asked.after, limit: limit + 1 };
        let rows = self.store.read("view.transfers", move |tx| -> Result<_> { Ok(tx.transfer_list(&slug, &filter)?) }).await?;
        Ok(Listed::cut(rows, limit, |t: &Transfer| t.id.to_string()))
    }

    /// Agreements, newest first, with what was used so far.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_agreements(&self, slug: &Slug, asked: ProcessesAsked) -> Result<Listed<(AgreementRow, Usage)>> {
        let (slug, limit) = (slug.clone(), list_rows(asked.limit));
        let phase = match asked.state.as_deref() {
            None => None,
            Some(name) => Some(Phase::from_name(name).ok_or_else(|| {
                let names = Phase::ALL.map(Phase::as_str).join(", ");
                Error::invalid(format!("\"{name:.40}\" is no state of agreements; they are: {names}."))
            })?),
        };
        let peer = asked.peer.as_deref().map(Did::parse).transpose()?;
        let filter = AgreementFilter { role: None, dataset: None, peer, phase, after: asked.after, limit: limit + 1 };
        self.store
            .read("view.agreements", move |tx| -> Result<_> {
                let rows = tx.agreement_list_counted(&slug, &filter)?;
                Ok(Listed::cut(rows, limit, |(a, _)| a.agreement.id.clone()))
            })
            .await
    }

    /// A negotiation with its timeline.
    ///
    /// # Errors
    /// [`fondaco_core::Code::NotFound`].
    pub async fn negotiation_followed(&self, slug: &Slug, id: &NegotiationId) -> Result<Followed<Negotiation>> {
        let (app, slug, id) = (self.clone(), slug.clone(), id.clone());
        self.store
            .read("view.negotiation", move |tx| -> Result<_> {
                let process = tx.negotiation_get(&slug, &id)?.ok_or_else(|| Error::not_found(format!("The negotiation {id:.80}")))?;
                let events = tx.events_of(&slug, &format!("negotiation:{id}"), 0, TIMELINE_MAX)?;
                let undelivered = undelivered(tx, &slug, &jobs::line(&id))?;
                let exchange = undelivered.as_ref().and_then(|job| NegotiationSend::tried(&app, job, &process));
                let delivery_problem = undelivered.and_then(|job| job.last_error);
                let decides_at = decides_at(tx, &slug, id.as_str(), process.revision)?;
                Ok(Followed { process, events, delivery_problem, exchange, decides_at })
            })
            .await
    }

    /// A transfer with its timeline.
    ///
    /// # Errors
    /// [`fondaco_core::Code::NotFound`].
    pub async fn transfer_followed(&self, slug: &Slug, id: &TransferId) -> Result<Followed<Transfer>> {
        let (slug, id) = (slug.clone(), id.clone());
        self.store
            .read("view.transfer", move |tx| -> Result<_> {
                let process = tx.transfer_get(&slug, &id)?.ok_or_else(|| Error::not_found(format!("The transfer {id:.80}")))?;
                let events = tx.events_of(&slug, &format!("transfer:{id}"), 0, TIMELINE_MAX)?;
                let undelivered = undelivered(tx, &slug, &jobs::line(&id))?;
                let exchange = undelivered.as_ref().and_then(|job| TransferSend::tried(job, &process));
                let delivery_problem = undelivered.and_then(|job| job.last_error);
                let decides_at = decides_at(tx, &slug, id.as_str(), process.revision)?;
                Ok(Followed { process, events, delivery_problem, exchange, decides_at })
            })
            .await
    }

    /// Peers, the latest contact first; those never reached last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_peers(&self, slug: &Slug) -> Result<Vec<PeerRow>> {
        let slug = slug.clone();
        let mut rows = self.store.read("view.peers", move |tx| -> Result<_> { Ok(tx.peer_list(&slug)?) }).await?;
        rows.sort_by(|a, b| b.last_ok_at.cmp(&a.last_ok_at).then_with(|| a.did.cmp(&b.did)));
        Ok(rows)
    }

    /// API tokens of a participant, newest first, revoked ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_tokens(&self, slug: &Slug) -> Result<Vec<ApiTokenRow>> {
        let slug = slug.clone();
        self.store.read("view.tokens", move |tx| -> Result<_> { Ok(tx.api_token_list(Some(&slug))?) }).await
    }

    /// A page of our products by id, each by its newest version.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn products_found(&self, slug: &Slug, mut search: ProductSearch) -> Result<ProductsFound> {
        let (slug, limit) = (slug.clone(), search.limit);
        search.limit += 1;
        self.store
            .read("view.products_found", move |tx| -> Result<_> {
                let counts = tx.product_search_counts(&slug, search.query.as_deref())?;
                let products = if counts.is_empty() { Vec::new() } else { tx.product_search(&slug, &search)? };
                let listed = Listed::cut(products, limit, |p: &Product| p.reference.id.to_string());
                Ok(ProductsFound { listed: with_offers(tx, &slug, listed)?, counts })
            })
            .await
    }

    /// What we have to do with a peer, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deals_with(&self, slug: &Slug, peer: &Did, limit: u32) -> Result<Deals> {
        let (slug, peer) = (slug.clone(), peer.clone());
        self.store
            .read("view.deals_with", move |tx| -> Result<_> {
                let negotiations = tx.negotiations_with(&slug, &peer, limit)?;
                let mut agreements = Vec::new();
                for id in negotiations.iter().filter_map(|n| n.state.agreement()).map(|a| a.id.clone()) {
                    if let Some(row) = tx.agreement_get(&slug, &id)? {
                        agreements.push((row, tx.usage(&slug, &id)?));
                    }
                }
                Ok(Deals { transfers: tx.transfers_with(&slug, &peer, limit)?, negotiations, agreements })
            })
            .await
    }

    /// What peers call themselves.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn peer_names<'a>(&self, slug: &Slug, peers: impl IntoIterator<Item = &'a Did>) -> Result<Names> {
        let (slug, peers) = (slug.clone(), peers.into_iter().cloned().collect::<BTreeSet<Did>>());
        self.store
            .read("view.peer_names", move |tx| -> Result<_> {
                Ok(Names { peers: tx.peer_names(&slug, &peers.iter().collect())?, ..Names::default() })
            })
            .await
    }

    /// Titles of the datasets that are named by our side, the other side and id, and what those other sides call
    /// themselves.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn names<'a>(&self, slug: &Slug, datasets: impl IntoIterator<Item = (Role, Option<&'a Did>, &'a str)>) -> Result<Names> {
        let (mut ours, mut theirs, mut peers) = (BTreeSet::new(), BTreeMap::<Did, BTreeSet<String>>::new(), BTreeSet::new());
        for (role, peer, dataset) in datasets {
            peers.extend(peer.cloned());
            match (role, peer) {
                (Role::Provider, _) => _ = ours.insert(dataset.to_owned()),
                (Role::Consumer, Some(peer)) => _ = theirs.entry(peer.clone()).or_default().insert(dataset.to_owned()),
                (Role::Consumer, None) => {}
            }
        }
        let slug = slug.clone();
        self.store
            .read("view.names", move |tx| -> Result<_> {
                let mut names = Names { peers: tx.peer_names(&slug, &peers.iter().collect())?, ..Names::default() };
                let references: Vec<ProductRef> = ours.iter().filter_map(|dataset| ProductRef::parse_dataset_id(dataset)).collect();
                let titles: HashMap<ProductRef, String> =
                    tx.products_of_many(&slug, &references)?.into_iter().map(|p| (p.reference, p.title)).collect();
                for dataset in ours {
                    if let Some(title) = ProductRef::parse_dataset_id(&dataset).and_then(|reference| titles.get(&reference)) {
                        names.ours.insert(dataset, title.clone());
                    }
                }
                for (peer, datasets) in theirs {
                    let datasets: Vec<String> = datasets.into_iter().collect();
                    let titles = tx.peer_dataset_titles(&slug, &peer, &datasets)?.into_iter().collect();
                    names.theirs.insert(peer, titles);
                }
                Ok(names)
            })
            .await
    }

    /// The first page.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn overview(&self, slug: &Slug) -> Result<Overview> {
        let slug = slug.clone();
        self.store
            .read("view.overview", move |tx| -> Result<_> {
                let counts = tx.process_counts(&slug)?;
                let of = |counts: &BTreeMap<(String, String), u64>, wanted: &dyn Fn(&str) -> bool| -> u64 {
                    counts.iter().filter(|((_, state), _)| wanted(state)).map(|(_, n)| n).sum()
                };
                let agreements: u64 = counts.agreements.values().sum();
                let any = AgreementFilter { role: None, dataset: None, peer: None, phase: None, after: None, limit: 1 };
                let mut waiting = tx.negotiations_waiting(&slug, WAITING_MAX)?;
                waiting.sort_by(|a, b| b.id.cmp(&a.id));
                let mut events = Vec::new();
                for event in tx.events_latest(&slug, LATEST_EVENTS)? {
                    let subject = subject(tx, &slug, &event)?;
                    events.push((event, subject));
                }
                Ok(Overview {
                    products: tx.products_published(&slug)?,
                    open_negotiations: of(&counts.negotiations, &|state| state != "FINALIZED" && state != "TERMINATED"),
                    agreements_in_force: agreements,
                    started_transfers: of(&counts.transfers, &|state| state == "STARTED"),
                    has_peers: tx.has_peers(&slug)?,
                    has_agreements: agreements > 0 || !tx.agreement_list(&slug, &any)?.is_empty(),
                    waiting,
                    events,
                })
            })
            .await
    }

    /// Negotiations that wait for somebody here, the longest wait first, and how many there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting(&self, slug: &Slug, limit: u32) -> Result<(Vec<Waiting>, u64)> {
        let slug = slug.clone();
        self.store
            .read("view.waiting", move |tx| -> Result<_> {
                let mut rows = Vec::new();
                for negotiation in tx.negotiations_waiting(&slug, limit)? {
                    let decides_at = decides_at(tx, &slug, negotiation.id.as_str(), negotiation.revision)?;
                    rows.push(Waiting { negotiation, decides_at });
                }
                rows.sort_by_key(|row| row.negotiation.updated_at);
                Ok((rows, tx.negotiations_waiting_count(&slug, WAITING_COUNTED_MAX)?))
            })
            .await
    }

    /// What the node still has to do of its own accord.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outbox(&self) -> Result<Outbox> {
        self.store
            .read("view.outbox", move |tx| -> Result<_> {
                let stats = tx.job_stats()?;
                Ok(Outbox { due: stats.due, retrying: stats.retrying, oldest: stats.oldest, participants: tx.participants_count()? })
            })
            .await
    }
}

/// Products with their offers.
fn with_offers(tx: &mut Tx, slug: &Slug, listed: Listed<Product>) -> Result<Listed<Listing>, StoreError> {
    let references: Vec<ProductRef> = listed.items.iter().map(|p| p.reference.clone()).collect();
    let mut offers: HashMap<ProductRef, Vec<Offer>> = HashMap::new();
    for offer in tx.offers_of_many(slug, &references)? {
        offers.entry(offer.product.clone()).or_default().push(offer);
    }
    let entry = |product: Product| Listing { offers: offers.remove(&product.reference).unwrap_or_default(), product, files: Vec::new() };
    Ok(Listed { items: listed.items.into_iter().map(entry).collect(), next: listed.next })
}

/// The versions of a product, newest first.
fn all_versions(tx: &mut Tx, slug: &Slug, id: &ProductId) -> Result<Vec<(u32, ProductState)>, StoreError> {
    let mut versions = Vec::new();
    loop {
        // Version 0 does not exist, so the list begins with the first version of this product.
        let after = ProductRef { id: id.clone(), version: versions.last().map_or(0, |(version, _)| *version) };
        let filter = ProductFilter {
            published_only: false,
            latest_only: false,
            kind: None,
            query: None,
            after: Some(after),
            upto: None,
            limit: VERSIONS_STEP,
        };
        let rows = tx.product_list(slug, &filter)?;
        let before = versions.len();
        versions.extend(rows.iter().take_while(|p| p.reference.id == *id).map(|p| (p.reference.version, p.state)));
        if versions.len() - before < VERSIONS_STEP as usize {
            break;
        }
    }
    versions.reverse();
    Ok(versions)
}

/// The message at the head of a line, if it was sent and has not arrived.
fn undelivered(tx: &mut Tx, slug: &Slug, line: &str) -> Result<Option<Job>, StoreError> {
    Ok(tx.job_of_key(slug, line)?.filter(|j| j.attempts > 0))
}

/// When a decision about a revision of a process is taken that waits for its time, or for a program.
fn decides_at(tx: &mut Tx, slug: &Slug, id: &str, revision: u64) -> Result<Option<Timestamp>, StoreError> {
    let waits = tx.job_of_key(slug, &jobs::waiting_line(id))?;
    Ok(waits.filter(|job| job.payload["revision"] == revision).map(|job| job.run_at))
}

fn subject(tx: &mut Tx, slug: &Slug, event: &Event) -> Result<Option<EventSubject>, StoreError> {
    let Some((kind, id)) = event.topic.split_once(':') else { return Ok(None) };
    Ok(match kind {
        "negotiation" => {
            let found = tx.negotiation_get(slug, &NegotiationId::from_stored(id))?;
            found.map(|n| EventSubject { role: n.role, peer: Some(n.peer.did), dataset: n.dataset })
        }
        "transfer" => {
            let found = tx.transfer_get(slug, &TransferId::from_stored(id))?;
            found.map(|t| EventSubject { role: t.role, peer: Some(t.peer.did), dataset: t.dataset })
        }
        "agreement" => {
            let found = tx.agreement_get(slug, id)?;
            found.map(|a| EventSubject { role: a.role, peer: Some(peer_of(&a).clone()), dataset: a.dataset })
        }
        "product" => Some(EventSubject { role: Role::Provider, peer: None, dataset: id.to_owned() }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_knows_whether_it_goes_on() {
        let key = |n: &i32| n.to_string();
        let cut = Listed::cut(vec![1, 2, 3], 2, key);
        assert_eq!((cut.items, cut.next.as_deref()), (vec![1, 2], Some("2")));
        let whole = Listed::cut(vec![1, 2], 2, key);
        assert_eq!((whole.items, whole.next), (vec![1, 2], None));
        assert_eq!(Listed::cut(Vec::new(), 2, key).next, None);
    }

    #[test]
    fn limits_are_bounded() {
        assert_eq!([None, Some(0), Some(7), Some(u32::MAX)].map(list_rows), [LIST_ROWS, 1, 7, LIST_ROWS_MAX]);
    }
}
