//! Our catalogue, as a caller may see it.

use super::App;
use crate::jobs::dsp_base;
use fondaco_core::{
    Code, Error, Result, canonical,
    participant::{Did, Participant},
    policy::{Constraint, Policy},
    product::{Offer, Product, ProductKind, ProductRef, ProductState},
};
use fondaco_dsp::messages::{
    catalog::{AccessService, Catalog, DataService, Dataset, Distribution},
    query::QuerySpec,
};
use fondaco_store::ProductFilter;
use fondaco_tables::serve;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Datasets on one page of the catalogue.
pub const PAGE: u32 = 500;

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
        let Some((datasets, next, etag)) = self.visible(participant, caller, wanted, known).await? else { return Ok(None) };
        Ok(Some(Page { catalog: self.catalog_of(participant, datasets), next: next.map(|r| r.dataset_id()), etag }))
    }

    /// The part of a participant's catalogue that a caller's query asks for; never more than one page of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn catalog_window(&self, participant: &Participant, caller: &Did, query: &QuerySpec) -> Result<Catalog> {
        let limit = query.limit.min(PAGE as usize);
        if let Some(ids) = &query.ids {
            let mut datasets = Vec::new();
            // In order, and each once.
            for id in ids.iter().collect::<BTreeSet<_>>() {
                match self.dataset(participant, caller, id).await {
                    Ok(dataset) => datasets.push(dataset),
                    Err(e) if e.code() == Code::NotFound => {}
                    Err(e) => return Err(e),
                }
            }
            let window = datasets.into_iter().skip(query.offset).take(limit).collect();
            return Ok(self.catalog_of(participant, window));
        }
        // What a caller may see is known once the offers are read, so what lies before the window is read too: a caller
        // that follows our `Link` headers instead pays for each page once.
        let (mut window, mut skip, mut after) = (Vec::new(), query.offset, None);
        while window.len() < limit {
            let wanted = Wanted { after, ..Wanted::default() };
            let Some((datasets, next, _)) = self.visible(participant, caller, wanted, Known::default()).await? else { break };
            let left_out = skip.min(datasets.len());
            skip -= left_out;
            let room = limit - window.len();
            window.extend(datasets.into_iter().skip(left_out).take(room));
            if next.is_none() {
                break;
            }
            after = next;
        }
        Ok(self.catalog_of(participant, window))
    }

    /// What a caller may see of the products of one page, where the next page begins, and the page's entity tag; `None`
    /// when the caller has it.
    async fn visible(
        &self,
        participant: &Participant,
        caller: &Did,
        wanted: Wanted,
        known: Known,
    ) -> Result<Option<(Vec<Dataset>, Option<ProductRef>, String)>> {
        let Wanted { kind, query, after } = wanted;
        let filter = ProductFilter { published_only: true, latest_only: true, kind, query, after, limit: PAGE };
        let slug = participant.slug.clone();
        let found = self
            .store
            .read("catalog.page", move |tx| -> Result<_> {
                let etag = etag(&json!([tx.catalog_revision(&slug)?, known.about]));
                if known.unless.is_some_and(|tags| serve::matches_any(&tags, &etag, true)) {
                    return Ok(None);
                }
                let products = tx.product_list(&slug, &filter)?;
                let taken = within_size(&products);
                let full = taken < products.len() || products.len() == PAGE as usize;
                let products: Vec<Product> = products.into_iter().take(taken).collect();
                let references: Vec<ProductRef> = products.iter().map(|p| p.reference.clone()).collect();
                let offers = tx.offers_of_many(&slug, &references)?;
                // A full page may be the last one; the next is then empty, which harms nobody.
                let next = references.into_iter().next_back().filter(|_| full);
                Ok(Some((products, offers, next, etag)))
            })
            .await?;
        let Some((products, offers, next, etag)) = found else { return Ok(None) };
        let service = self.data_service(participant);
        let datasets = products
            .iter()
            .filter_map(|product| {
                let own = offers.iter().filter(|o| o.product == product.reference && is_for(&o.policy, caller));
                let own: Vec<&Offer> = own.collect();
                (!own.is_empty()).then(|| dataset(product, &own, &service, None))
            })
            .collect();
        Ok(Some((datasets, next, etag)))
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
fn is_for(policy: &Policy, caller: &Did) -> bool {
    policy.permissions.iter().any(|permission| {
        permission.constraints.iter().all(|c| match c {
            Constraint::Recipient { op, values } => op.holds(caller.as_str(), values),
            _ => true,
        })
    })
}

fn dataset(product: &Product, offers: &[&Offer], service: &DataService, latest: Option<String>) -> Dataset {
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
        extension: Some(extension(product, latest)),
    }
}

/// What a buyer wants to know of a table; the profile only if its publisher says so.
fn extension(product: &Product, latest: Option<String>) -> Value {
    let mut out = json!({"kind": product.kind.as_str()});
    for key in ["rows", "sizeBytes", "schema"] {
        if let Some(value) = product.content.get(key) {
            out[key] = value.clone();
        }
    }
    out["files"] = json!(super::product_files::file_count(product));
    if product.publish_profile
        && let Some(profile) = product.content.get("profile")
    {
        out["profile"] = profile.clone();
    }
    if let Some(latest) = latest {
        out["latest"] = json!(latest);
    }
    out
}
