//! Read queries that the admin API and the console share: lists with their cursors, timelines, the overview.
//!
//! A list is asked for one row more than it shows, so that it knows whether it goes on. A cursor is the key of the last
//! row shown; one that is no key of ours simply finds nothing.

use super::{
    App,
    people::{PARTICIPANTS_SHOWN, Person},
    products::Listing,
};
use crate::jobs;
use fondaco_core::{
    Error, Result,
    ids::{NegotiationId, TransferId},
    negotiation::{Negotiation, Role, State},
    participant::{Did, Participant, Slug},
    product::{Offer, Product, ProductId, ProductRef, ProductState},
    time::Timestamp,
    transfer::Transfer,
};
use fondaco_store::{
    AgreementFilter, AgreementRow, ApiTokenRow, Event, PeerRow, ProcessFilter, ProductFilter, StoreError, Tx, tx::PAGE_MAX,
};
use std::collections::{BTreeSet, HashMap};

/// Rows of a page of a list, unless asked otherwise.
pub const LIST_ROWS: u32 = 50;
/// Most rows of a page.
pub const LIST_ROWS_MAX: u32 = 200;
/// Events shown of one process: a negotiation has at most 50 rounds, a transfer is rarely suspended as often.
pub const TIMELINE_MAX: u32 = 500;
/// Events on the overview: what one reads at a glance.
pub const LATEST_EVENTS: u32 = 12;
/// Rows on the overview of what waits for a person; the list of negotiations has all.
pub const WAITING_MAX: usize = 20;
/// Pages of rows that are counted for the overview. A count beyond stays at the bound: reading on would take longer
/// than a person waits.
const COUNTED_PAGES_MAX: usize = 10;
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
    fn cut(mut items: Vec<T>, limit: u32, key: impl Fn(&T) -> String) -> Self {
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
    /// Only in this state (its DSP name). For agreements: `active` or nothing.
    pub state: Option<String>,
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
    /// Why the next message has not arrived yet.
    pub delivery_problem: Option<String>,
}

/// What an event is about, as far as it still exists.
#[derive(Clone, Debug)]
pub struct EventSubject {
    /// Our side.
    pub role: Role,
    /// The dataset.
    pub dataset: String,
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
    titles: HashMap<String, String>,
}

impl Names {
    /// A peer's name, or its DID.
    pub fn peer<'a>(&'a self, did: &'a Did) -> &'a str {
        self.peers.get(did.as_str()).map_or(did.as_str(), String::as_str)
    }
    /// A dataset's title where it is ours, or its id.
    pub fn title<'a>(&'a self, role: Role, dataset: &'a str) -> &'a str {
        match role {
            Role::Provider => self.titles.get(dataset).map_or(dataset, String::as_str),
            Role::Consumer => dataset,
        }
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
    /// How many participants there are; counted up to [`PAGE_MAX`].
    pub participants: u64,
}

/// Whether nothing more happens until a person here decides. Whatever a rule decides at once is never seen in the
/// database, so a state in which it is our turn is one that waits.
pub const fn waits_for_us(n: &Negotiation) -> bool {
    matches!(
        (n.role, &n.state),
        (Role::Provider, State::Requested { .. } | State::Accepted { .. }) | (Role::Consumer, State::Offered { .. })
    )
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
                Ok(Acting { current, choices })
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
            query: asked.query.filter(|q| !q.trim().is_empty()),
            after: asked.after.as_deref().and_then(ProductRef::parse_dataset_id),
            limit: limit + 1,
        };
        self.store
            .read("view.products", move |tx| -> Result<_> {
                let listed = Listed::cut(tx.product_list(&slug, &filter)?, limit, |p: &Product| p.reference.dataset_id());
                let references: Vec<ProductRef> = listed.items.iter().map(|p| p.reference.clone()).collect();
                let mut offers: HashMap<ProductRef, Vec<Offer>> = HashMap::new();
                for offer in tx.offers_of_many(&slug, &references)? {
                    offers.entry(offer.product.clone()).or_default().push(offer);
                }
                let entry = |product: Product| Listing {
                    offers: offers.remove(&product.reference).unwrap_or_default(),
                    product,
                    files: Vec::new(),
                };
                Ok(Listed { items: listed.items.into_iter().map(entry).collect(), next: listed.next })
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

    /// Agreements, newest first, with the reads counted so far.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_agreements(&self, slug: &Slug, asked: ProcessesAsked) -> Result<Listed<(AgreementRow, u64)>> {
        let (slug, limit) = (slug.clone(), list_rows(asked.limit));
        let in_force_only = asked.state.as_deref() == Some("active");
        let filter = AgreementFilter { role: None, dataset: None, in_force_only, after: asked.after, limit: limit + 1 };
        self.store
            .read("view.agreements", move |tx| -> Result<_> {
                let listed = Listed::cut(tx.agreement_list(&slug, &filter)?, limit, |a: &AgreementRow| a.agreement.id.clone());
                let mut items = Vec::with_capacity(listed.items.len());
                for row in listed.items {
                    let reads = tx.reads_used(&slug, &row.agreement.id)?;
                    items.push((row, reads));
                }
                Ok(Listed { items, next: listed.next })
            })
            .await
    }

    /// A negotiation with its timeline.
    ///
    /// # Errors
    /// [`fondaco_core::Code::NotFound`].
    pub async fn negotiation_followed(&self, slug: &Slug, id: &NegotiationId) -> Result<Followed<Negotiation>> {
        let (slug, id) = (slug.clone(), id.clone());
        self.store
            .read("view.negotiation", move |tx| -> Result<_> {
                let process = tx.negotiation_get(&slug, &id)?.ok_or_else(|| Error::not_found(format!("The negotiation {id:.80}")))?;
                let events = tx.events_of(&slug, &format!("negotiation:{id}"), 0, TIMELINE_MAX)?;
                let delivery_problem = if process.state.is_final() { None } else { delivery_problem(tx, &slug, &jobs::line(&id))? };
                Ok(Followed { process, events, delivery_problem })
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
                let delivery_problem = if process.state.is_final() { None } else { delivery_problem(tx, &slug, &jobs::line(&id))? };
                Ok(Followed { process, events, delivery_problem })
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

    /// Names of peers, and titles of those of our datasets that are named.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn names<'a>(&self, slug: &Slug, datasets: impl IntoIterator<Item = (Role, &'a str)>) -> Result<Names> {
        let ours = datasets.into_iter().filter(|(role, _)| *role == Role::Provider).map(|(_, dataset)| dataset.to_owned());
        let (slug, ours): (_, BTreeSet<String>) = (slug.clone(), ours.collect());
        self.store
            .read("view.names", move |tx| -> Result<_> {
                let mut names = Names::default();
                for peer in tx.peer_list(&slug)? {
                    if let Some(name) = peer.name {
                        names.peers.insert(peer.did.to_string(), name);
                    }
                }
                for dataset in ours {
                    let Some(reference) = ProductRef::parse_dataset_id(&dataset) else { continue };
                    if let Some(product) = tx.product_get(&slug, &reference)? {
                        names.titles.insert(dataset, product.title);
                    }
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
                let published = ProductFilter { published_only: true, latest_only: true, query: None, after: None, limit: 1 };
                let mut open = Vec::new();
                for state in ["REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED"] {
                    open.extend(pages(|after| negotiations_in(tx, &slug, state, after), |n: &Negotiation| n.id.to_string())?);
                }
                let agreements = pages(
                    |after| {
                        let filter = AgreementFilter { role: None, dataset: None, in_force_only: true, after, limit: PAGE_MAX };
                        tx.agreement_list(&slug, &filter)
                    },
                    |a: &AgreementRow| a.agreement.id.clone(),
                )?;
                let started = pages(
                    |after| {
                        let filter = ProcessFilter { role: None, state: Some("STARTED".into()), after, limit: PAGE_MAX };
                        tx.transfer_list(&slug, &filter)
                    },
                    |t: &Transfer| t.id.to_string(),
                )?;
                let any = AgreementFilter { role: None, dataset: None, in_force_only: false, after: None, limit: 1 };
                let mut waiting: Vec<Negotiation> = open.iter().filter(|n| waits_for_us(n)).cloned().collect();
                waiting.sort_by(|a, b| b.id.cmp(&a.id));
                waiting.truncate(WAITING_MAX);
                let mut events = Vec::new();
                for event in tx.events_latest(&slug, LATEST_EVENTS)? {
                    let subject = subject(tx, &slug, &event)?;
                    events.push((event, subject));
                }
                Ok(Overview {
                    products: tx.product_count(&slug, &published)?,
                    open_negotiations: open.len() as u64,
                    agreements_in_force: agreements.len() as u64,
                    started_transfers: started.len() as u64,
                    has_peers: !tx.peer_list(&slug)?.is_empty(),
                    has_agreements: !agreements.is_empty() || !tx.agreement_list(&slug, &any)?.is_empty(),
                    waiting,
                    events,
                })
            })
            .await
    }

    /// What the node still has to do of its own accord.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outbox(&self) -> Result<Outbox> {
        let now = self.now();
        self.store
            .read("view.outbox", move |tx| -> Result<_> {
                let jobs = tx.jobs_pending(PAGE_MAX)?;
                let count = |wanted: &dyn Fn(u32, Timestamp) -> bool| jobs.iter().filter(|j| wanted(j.attempts, j.run_at)).count() as u64;
                Ok(Outbox {
                    due: count(&|attempts, run_at| attempts == 0 && run_at <= now),
                    retrying: count(&|attempts, _| attempts > 0),
                    oldest: tx.job_stats()?.oldest,
                    participants: tx.participant_list(None, PAGE_MAX)?.len() as u64,
                })
            })
            .await
    }
}

fn negotiations_in(tx: &mut Tx, slug: &Slug, state: &str, after: Option<String>) -> Result<Vec<Negotiation>, StoreError> {
    tx.negotiation_list(slug, &ProcessFilter { role: None, state: Some(state.to_owned()), after, limit: PAGE_MAX })
}

/// All rows of a list, up to [`COUNTED_PAGES_MAX`] pages.
fn pages<T>(mut page: impl FnMut(Option<String>) -> Result<Vec<T>, StoreError>, key: impl Fn(&T) -> String) -> Result<Vec<T>, StoreError> {
    let mut all: Vec<T> = Vec::new();
    for _ in 0..COUNTED_PAGES_MAX {
        let rows = page(all.last().map(&key))?;
        let last = rows.len() < PAGE_MAX as usize;
        all.extend(rows);
        if last {
            break;
        }
    }
    Ok(all)
}

/// The versions of a product, newest first.
fn all_versions(tx: &mut Tx, slug: &Slug, id: &ProductId) -> Result<Vec<(u32, ProductState)>, StoreError> {
    let mut versions = Vec::new();
    loop {
        // Version 0 does not exist, so the list begins with the first version of this product.
        let after = ProductRef { id: id.clone(), version: versions.last().map_or(0, |(version, _)| *version) };
        let filter = ProductFilter { published_only: false, latest_only: false, query: None, after: Some(after), limit: VERSIONS_STEP };
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

/// Why the message at the head of a line has not arrived.
fn delivery_problem(tx: &mut Tx, slug: &Slug, line: &str) -> Result<Option<String>, StoreError> {
    let jobs = tx.jobs_pending(PAGE_MAX)?;
    Ok(jobs.into_iter().find(|j| j.participant == *slug && j.key == line && j.attempts > 0).and_then(|j| j.last_error))
}

fn subject(tx: &mut Tx, slug: &Slug, event: &Event) -> Result<Option<EventSubject>, StoreError> {
    let Some((kind, id)) = event.topic.split_once(':') else { return Ok(None) };
    Ok(match kind {
        "negotiation" => {
            let found = tx.negotiation_get(slug, &NegotiationId::from_stored(id))?;
            found.map(|n| EventSubject { role: n.role, dataset: n.dataset })
        }
        "transfer" => tx.transfer_get(slug, &TransferId::from_stored(id))?.map(|t| EventSubject { role: t.role, dataset: t.dataset }),
        "agreement" => tx.agreement_get(slug, id)?.map(|a| EventSubject { role: a.role, dataset: a.dataset }),
        "product" => Some(EventSubject { role: Role::Provider, dataset: id.to_owned() }),
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

    #[test]
    fn counting_stops() {
        let mut asked = 0_u32;
        let full: Result<Vec<u32>, StoreError> = pages(
            |_| {
                asked += 1;
                Ok(vec![0; PAGE_MAX as usize])
            },
            u32::to_string,
        );
        assert_eq!(full.map(|rows| rows.len()).expect("no failure"), COUNTED_PAGES_MAX * PAGE_MAX as usize);
        assert_eq!(asked as usize, COUNTED_PAGES_MAX);
    }
}
