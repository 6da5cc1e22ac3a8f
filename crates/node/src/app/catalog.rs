//! Our catalogue, as a caller may see it.

use super::{App, governed};
use crate::jobs::dsp_base;
use fondaco_core::{
    Error, Result, canonical,
    participant::{Did, Participant, Slug},
    policy::{Constraint, Policy},
    product::{Offer, Product, ProductId, ProductKind, ProductRef, ProductState},
};
use fondaco_dsp::messages::{
    catalog::{AccessService, Catalog, DataService, Dataset, Distribution},
    query::QuerySpec,
};
use fondaco_store::{ProductFilter, Tx};
use fondaco_tables::serve;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// Datasets on one page of the catalogue.
pub const PAGE: u32 = 500;

/// Product versions that a page's search passes over. What is found among them makes the page, which may be empty and
/// still have a next one: a search among 100,000 products then costs each of its pages some milliseconds.
const SEARCHED_MAX: u32 = 5_000;

/// Descriptions on one page, in bytes of JSON: a reader of ours takes 16 MiB, others less.
const PAGE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// A page of our catalogue.
#[derive(Debug)]
pub struct Page {
    /// The catalogue.
    pub catalog: Catalog,
    /// The cursor of the next page.
    pub next: Option<String>,
    /// A name of this page as it is now: an entity tag.
    pub etag: String,
}

/// A page of our catalogue that somebody asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// A text that products contain.
    pub query: Option<&'a str>,
    /// Only this kind.
    pub kind: Option<&'a str>,
    /// Where the page begins.
    pub cursor: Option<&'a str>,
    /// The entity tags of what the caller has.
    pub unless: Option<&'a str>,
}

impl App {
    /// A page of a participant's catalogue for a caller: what is published, with the offers that are not for others only.
    /// `None` when it is what the caller has.
    ///
    /// # Errors
    /// When the database fails, the cursor is not ours, or there is no such kind.
    pub async fn catalog(&self, participant: &Participant, caller: &Did, asked: Asked<'_>) -> Result<Option<Page>> {
        let kind = asked.kind.map(ProductKind::parse).transpose()?;
        let after = match asked.cursor {
            None => None,
            Some(text) => {
                Some(ProductRef::parse_dataset_id(text).ok_or_else(|| Error::invalid("The cursor is not one of ours; begin without it."))?)
            }
        };
        let wanted = Wanted { kind, query: asked.query.map(str::to_owned), after };
        // All that the page depends on beside the products: who asks for what, and how this program prints it.
        let about = json!([env!("CARGO_PKG_VERSION"), participant.did, caller, asked.query, asked.kind, asked.cursor]);
        let known = Known { about, unless: asked.unless.map(str::to_owned) };
        let Some(Visible { datasets, next, etag }) = self.visible(participant, caller, wanted, known).await? else { return Ok(None) };
        Ok(Some(Page { catalog: self.catalog_of(participant, datasets), next: next.map(|r| r.dataset_id()), etag }))
    }

    /// The part of a participant's catalogue that a caller's query asks for; never more than one page of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn catalog_window(&self, participant: &Participant, caller: &Did, query: &QuerySpec) -> Result<Catalog> {
        let limit = query.limit.min(PAGE as usize);
        if let Some(ids) = &query.ids {
            // In order, and each once. What cannot be an id of ours is no dataset.
            let ids: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
            let named: Vec<ProductRef> =
                ids.into_iter().filter_map(|id| ProductRef::parse_dataset_id(id).filter(|r| r.dataset_id() == id)).collect();
            let datasets = self.datasets(participant, caller, named).await?;
            let window = datasets.into_iter().skip(query.offset).take(limit).collect();
            return Ok(self.catalog_of(participant, window));
        }
        let slug = participant.slug.clone();
        let revision = self.store.read("catalog.revision", move |tx| -> Result<_> { Ok(tx.catalog_revision(&slug)?) }).await?;
        // What a caller may see is known once the offers are read, so what lies before the window is read too, from the
        // nearest place on that the caller has been to.
        let (mut at, mut after) = match self.places.before(&participant.slug, caller, revision, query.offset).await {
            Some((at, after)) => (at, Some(after)),
            None => (0, None),
        };
        let mut window = Vec::new();
        while window.len() < limit {
            let wanted = Wanted { after, ..Wanted::default() };
            let Some(Visible { datasets, next, .. }) = self.visible(participant, caller, wanted, Known::default()).await? else { break };
            for dataset in datasets {
                if window.len() == limit {
                    break;
                }
                at += 1;
                if at > query.offset {
                    window.push(dataset);
                    if let Some(reached) = window.last().filter(|_| window.len() == limit).and_then(|d| ProductRef::parse_dataset_id(&d.id))
                    {
                        self.places.note(&participant.slug, caller, revision, at, &reached, true).await;
                    }
                }
            }
            let Some(next) = next else { break };
            if window.len() < limit {
                self.places.note(&participant.slug, caller, revision, at, &next, false).await;
            }
            after = Some(next);
        }
        Ok(self.catalog_of(participant, window))
    }

    /// What a caller may see of the products of one page, where the next page begins, and the page's entity tag; `None`
    /// when the caller has it.
    async fn visible(&self, participant: &Participant, caller: &Did, wanted: Wanted, known: Known) -> Result<Option<Visible>> {
        let slug = participant.slug.clone();
        let found = self.store.read("catalog.page", move |tx| page_rows(tx, &slug, wanted, &known)).await?;
        let Some(Rows { products, offers, next, etag }) = found else { return Ok(None) };
        let service = self.data_service(participant);
        let datasets = products
            .iter()
            .filter_map(|product| {
                let own = own_offers(&offers, product, caller);
                (!own.is_empty()).then(|| dataset(product, &own, &service, None))
            })
            .collect();
        Ok(Some(Visible { datasets, next, etag }))
    }

    /// What a caller may see of some datasets, by id and version.
    async fn datasets(&self, participant: &Participant, caller: &Did, named: Vec<ProductRef>) -> Result<Vec<Dataset>> {
        let slug = participant.slug.clone();
        let (products, offers, latest) = self
            .store
            .read("catalog.datasets", move |tx| -> Result<_> {
                let mut products = tx.products_of_many(&slug, &named)?;
                products.retain(|p| p.state == ProductState::Published);
                let references: Vec<ProductRef> = products.iter().map(|p| p.reference.clone()).collect();
                let ids: BTreeSet<&ProductId> = references.iter().map(|r| &r.id).collect();
                Ok((products, by_product(tx.offers_of_many(&slug, &references)?), tx.products_latest_of_many(&slug, &ids)?))
            })
            .await?;
        let latest: HashMap<&ProductId, String> = latest.iter().map(|r| (&r.id, r.dataset_id())).collect();
        let service = self.data_service(participant);
        let shown = products.iter().filter_map(|product| {
            let own = own_offers(&offers, product, caller);
            (!own.is_empty()).then(|| dataset(product, &own, &service, latest.get(&product.reference.id).cloned()))
        });
        Ok(shown.collect())
    }

    fn catalog_of(&self, participant: &Participant, datasets: Vec<Dataset>) -> Catalog {
        Catalog {
            id: format!("{}/catalog", dsp_base(self, &participant.slug)),
            participant_id: Some(participant.did.to_string()),
            title: Some(participant.name.clone()),
            datasets,
            services: vec![self.data_service(participant)],
            ..Catalog::default()
        }
    }

    /// One dataset for a caller.
    ///
    /// # Errors
    /// [`fondaco_core::Code::NotFound`].
    pub async fn dataset(&self, participant: &Participant, caller: &Did, id: &str) -> Result<Dataset> {
        let missing = || Error::not_found("The dataset");
        let reference = ProductRef::parse_dataset_id(id).filter(|r| r.dataset_id() == id).ok_or_else(missing)?;
        let slug = participant.slug.clone();
        let found = self
            .store
            .read("catalog.dataset", move |tx| -> Result<_> {
                let Some(product) = tx.product_get(&slug, &reference)?.filter(|p| p.state == ProductState::Published) else {
                    return Ok(None);
                };
                let offers = tx.offers_of(&slug, &reference)?;
                let latest = tx.product_latest(&slug, &reference.id)?.map(|p| p.reference.dataset_id());
                Ok(Some((product, offers, latest)))
            })
            .await?;
        let (product, offers, latest) = found.ok_or_else(missing)?;
        let own: Vec<&Offer> = offers.iter().filter(|o| is_for(&o.policy, caller)).collect();
        if own.is_empty() {
            return Err(missing());
        }
        Ok(dataset(&product, &own, &self.data_service(participant), latest))
    }

    fn data_service(&self, participant: &Participant) -> DataService {
        DataService {
            id: format!("{}/service", dsp_base(self, &participant.slug)),
            endpoint_url: dsp_base(self, &participant.slug),
            endpoint_description: Some("dspace:connector".into()),
        }
    }
}

/// A page of what a caller may see.
struct Visible {
    datasets: Vec<Dataset>,
    next: Option<ProductRef>,
    etag: String,
}

/// The rows behind a page, before it is known who may see them.
struct Rows {
    products: Vec<Product>,
    offers: HashMap<ProductRef, Vec<Offer>>,
    next: Option<ProductRef>,
    etag: String,
}

/// Reads a page's rows, with as many statements however many there are; `None` when the caller has the page.
fn page_rows(tx: &mut Tx, slug: &Slug, wanted: Wanted, known: &Known) -> Result<Option<Rows>> {
    let etag = etag(&json!([tx.catalog_revision(slug)?, known.about]));
    if known.unless.as_ref().is_some_and(|tags| serve::matches_any(tags, &etag, true)) {
        return Ok(None);
    }
    let Wanted { kind, query, after } = wanted;
    // Whoever looks for little among much is given what there is of it up to here, and where to go on.
    let narrowed = kind.is_some() || query.as_ref().is_some_and(|q| !q.trim().is_empty());
    let upto = if narrowed { tx.product_ahead(slug, after.as_ref(), SEARCHED_MAX)? } else { None };
    let filter = ProductFilter { published_only: true, latest_only: true, kind, query, after, upto, limit: PAGE };
    let products = tx.product_list(slug, &filter)?;
    let taken = within_size(&products);
    let full = taken < products.len() || products.len() == PAGE as usize;
    let products: Vec<Product> = products.into_iter().take(taken).collect();
    let references: Vec<ProductRef> = products.iter().map(|p| p.reference.clone()).collect();
    let offers = by_product(tx.offers_of_many(slug, &references)?);
    // A full page may be the last one; the next is then empty, which harms nobody.
    let next = if full { references.into_iter().next_back() } else { filter.upto };
    Ok(Some(Rows { products, offers, next, etag }))
}

fn by_product(offers: Vec<Offer>) -> HashMap<ProductRef, Vec<Offer>> {
    let mut by_product: HashMap<ProductRef, Vec<Offer>> = HashMap::new();
    for offer in offers {
        by_product.entry(offer.product.clone()).or_default().push(offer);
    }
    by_product
}

/// The offers of a product that are not for others only.
fn own_offers<'a>(offers: &'a HashMap<ProductRef, Vec<Offer>>, product: &Product, caller: &Did) -> Vec<&'a Offer> {
    offers.get(&product.reference).into_iter().flatten().filter(|o| is_for(&o.policy, caller)).collect()
}

/// Which products make a page.
#[derive(Default)]
struct Wanted {
    kind: Option<ProductKind>,
    query: Option<String>,
    after: Option<ProductRef>,
}

/// What a page's entity tag is made of beside the products, and the tags that the caller has.
#[derive(Default)]
struct Known {
    about: Value,
    unless: Option<String>,
}

/// A strong entity tag of whatever a value tells apart.
pub fn etag(value: &Value) -> String {
    format!("\"{}\"", &canonical::sha256_hex(value.to_string().as_bytes())[..32])
}

/// How many of the products fit on one page: at least one.
fn within_size(products: &[Product]) -> usize {
    let mut bytes = 0;
    let size = |p: &Product| {
        let described = ["schema", "profile"].into_iter().filter_map(|key| p.content.get(key)).map(|v| v.to_string().len());
        p.description.len() + described.sum::<usize>()
    };
    let fitting = products.iter().take_while(|p| {
        bytes += size(p);
        bytes <= PAGE_MAX_BYTES
    });
    fitting.count().max(1)
}

/// Whether an offer may concern a caller: offers for named others are not shown to anybody else.
pub(in crate::app) fn is_for(policy: &Policy, caller: &Did) -> bool {
    policy.permissions.iter().any(|permission| {
        permission.constraints.iter().all(|c| match c {
            Constraint::Recipient { op, values } => op.holds(caller.as_str(), values),
            _ => true,
        })
    })
}

fn dataset(product: &Product, offers: &[&Offer], service: &DataService, latest: Option<String>) -> Dataset {
    let extension = extension(product, offers, latest);
    let offers = offers
        .iter()
        .map(|offer| {
            let mut odrl = offer.odrl.clone();
            odrl["@id"] = json!(offer.id);
            odrl["@type"] = json!("Offer");
            odrl
        })
        .collect();
    let distributions = product.kind.formats().iter().map(|format| Distribution {
        format: (*format).to_owned(),
        access_service: AccessService::Service(service.clone()),
        offers: Vec::new(),
    });
    Dataset {
        id: product.reference.dataset_id(),
        title: Some(product.title.clone()),
        description: Some(product.description.clone()).filter(|d| !d.is_empty()),
        keywords: product.keywords.clone(),
        version: Some(product.reference.version.to_string()),
        issued: Some(product.created_at.to_rfc3339()),
        license: product.listing.license.clone(),
        contact_point: product.listing.contact_point.as_deref().and_then(fondaco_core::listing::contact_url),
        accrual_periodicity: product.listing.accrual_periodicity.map(|f| f.iri().to_owned()),
        language: product.listing.language.clone(),
        offers,
        distributions: distributions.collect(),
        extension: Some(extension),
    }
}

/// What a buyer wants to know of a table, as far as any offer that concerns it shows; the profile only if its publisher
/// says so.
fn extension(product: &Product, offers: &[&Offer], latest: Option<String>) -> Value {
    let mut out = json!({"kind": product.kind.as_str()});
    let part = governed::shown(product, offers);
    let content = part.as_ref().unwrap_or(&product.content);
    for key in ["rows", "sizeBytes", "schema"] {
        if let Some(value) = content.get(key) {
            out[key] = value.clone();
        }
    }
    if part.is_none() {
        out["files"] = json!(super::product_files::file_count(product));
    }
    if product.publish_profile
        && let Some(profile) = content.get("profile")
    {
        out["profile"] = profile.clone();
    }
    if let Some(latest) = latest {
        out["latest"] = json!(latest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::OsEntropy;
    use fondaco_core::{decision::Rules, ids::OfferId, time::SystemClock};
    use fondaco_store::{Store, StoreConfig};
    use std::sync::Arc;

    /// A store with a participant and so many products, each with two offers.
    async fn store_with(products: usize) -> (Store, Slug) {
        let store = Store::open(&StoreConfig::new("sqlite::memory:"), Arc::new(SystemClock), Arc::new(OsEntropy)).await.expect("opens");
        let slug = Slug::parse("acme").expect("slug");
        let owner = slug.clone();
        let fill = move |tx: &mut Tx| -> Result<()> {
            let read = |value: Value| serde_json::from_value(value).map_err(Error::internal_failure);
            tx.participant_insert(&serde_json::from_value(
                json!({"slug": "acme", "did": "did:web:acme.example", "name": "Acme", "country": null, "created_at": "2026-11-21T00:00:00Z"}),
            ).map_err(Error::internal_failure)?)?;
            for n in 0..products {
                let product: Product = read(json!({"participant": "acme", "id": format!("p-{n:05}"), "version": 1, "kind": "table",
                    "state": "published", "title": format!("Product {n}"), "content": {}, "created_at": "2026-11-21T00:00:00Z"}))?;
                tx.product_insert(&product)?;
                for offer in 0..2 {
                    tx.offer_insert(&Offer {
                        id: OfferId::from_stored(format!("off_{n}_{offer}")),
                        participant: owner.clone(),
                        product: product.reference.clone(),
                        odrl: Policy::open().to_odrl(),
                        policy: Policy::open(),
                        rules: Rules::default(),
                        created_at: product.created_at,
                    })?;
                }
            }
            Ok(())
        };
        store.tx("fill", fill).await.expect("filled");
        (store, slug)
    }

    async fn page(store: &Store, slug: &Slug, wanted: Wanted) -> (Rows, u64) {
        let slug = slug.clone();
        let read = move |tx: &mut Tx| -> Result<_> { Ok((page_rows(tx, &slug, wanted, &Known::default())?, tx.statements_run())) };
        let (rows, statements) = store.read("page", read).await.expect("read");
        (rows.expect("rows"), statements)
    }

    #[tokio::test]
    async fn a_page_takes_as_many_statements_however_many_products_it_has() {
        let mut counted = BTreeSet::new();
        for products in [1, 40, 400] {
            let (store, slug) = store_with(products).await;
            let (rows, statements) = page(&store, &slug, Wanted::default()).await;
            assert_eq!((rows.products.len(), rows.offers.values().map(Vec::len).sum::<usize>()), (products, 2 * products));
            counted.insert(statements);
        }
        assert_eq!(counted, BTreeSet::from([3]), "the revision, the products, their offers");
    }

    #[tokio::test]
    async fn a_search_passes_over_so_many_products_and_says_where_to_go_on() {
        let (store, slug) = store_with(SEARCHED_MAX as usize + 10).await;
        let last = Some(format!("product {}", SEARCHED_MAX + 9));
        let (rows, _) = page(&store, &slug, Wanted { query: last.clone(), ..Wanted::default() }).await;
        let reached = ProductRef::parse_dataset_id(&format!("p-{:05}", SEARCHED_MAX - 1));
        assert_eq!((rows.products.len(), &rows.next), (0, &reached), "nothing so far");
        let (rows, _) = page(&store, &slug, Wanted { query: last, after: rows.next, ..Wanted::default() }).await;
        assert_eq!((rows.products.len(), rows.next), (1, None));
    }
}
