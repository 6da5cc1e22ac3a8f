//! Products: what is published, its decision rules, withdrawing it.

use super::{
    App, evidence,
    product_files::{FILES_AT_ONCE, shown_file},
};
use crate::jobs::feed_line;
use fondaco_core::{
    Code, Error, Result,
    decision::Rules,
    ids::OfferId,
    participant::Slug,
    product::{Offer, Product, ProductRef, ProductState},
};
use fondaco_store::{NewEvent, ProductFile};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Where the node notes the folder of a product's files, inside its content; never shown to others.
pub const FOLDER: &str = "folder";

/// A product version with its offers.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The product.
    pub product: Product,
    /// Its offers.
    pub offers: Vec<Offer>,
    /// Its first files, at most [`super::product_files::FILES_AT_ONCE`]; empty in lists of products.
    pub files: Vec<ProductFile>,
}

impl App {
    /// One of our offers.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn offer(&self, slug: &Slug, id: &OfferId) -> Result<Offer> {
        let missing = Error::not_found(format!("The offer \"{id:.100}\""));
        let (slug, id) = (slug.clone(), id.clone());
        self.store.read("offer.get", move |tx| -> Result<_> { Ok(tx.offer_get(&slug, &id)?) }).await?.ok_or(missing)
    }

    /// Sets what this node does of its own accord about an offer: `{"requested": [{"do": "hold"}]}` leaves requests to a
    /// person. The terms stay; negotiations that run keep the rules they began with.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Invalid`] for a list that is too long.
    pub async fn offer_set_rules(&self, slug: &Slug, id: &OfferId, rules: Rules) -> Result<Offer> {
        rules.check()?;
        self.check_webhooks(&rules)?;
        let (app, slug, id) = (self.clone(), slug.clone(), id.clone());
        self.store
            .tx("offer.rules", move |tx| -> Result<Offer> {
                let offer = tx.offer_get(&slug, &id)?.ok_or_else(|| Error::not_found(format!("The offer \"{id:.100}\"")))?;
                rules.check_for(&offer.policy)?;
                let changed = offer.rules != rules;
                let updated = Offer { rules: rules.clone(), ..offer };
                tx.offer_update(&updated)?;
                if changed {
                    let detail = evidence::rules_detail(&updated.rules);
                    app.note_administration(tx, Some(&slug), "offer-rules-set", id.as_str(), &detail)?;
                }
                Ok(updated)
            })
            .await
    }

    /// Takes a version (the newest, unless one is named) out of the catalogue. Agreements already made go on. With its newest
    /// version a product also ceases to follow its source, which would put it back.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Conflict`] when it is withdrawn already.
    pub async fn product_withdraw(&self, slug: &Slug, id: &str, version: Option<u32>) -> Result<Listing> {
        let listing = self.listing(slug, id, version).await?;
        if listing.product.state == ProductState::Withdrawn {
            return Err(Error::new(Code::Conflict, "This version is withdrawn already."));
        }
        let (app, slug, reference) = (self.clone(), slug.clone(), listing.product.reference.clone());
        self.store
            .tx("product.withdraw", move |tx| -> Result<()> {
                tx.product_set_state(&slug, &reference, ProductState::Withdrawn)?;
                let newest = tx.product_last(&slug, &reference.id)?.is_none_or(|p| p.reference == reference);
                let followed = (newest || version.is_none()) && tx.feed_delete(&slug, &reference.id)?;
                if followed {
                    tx.jobs_drop(&slug, &feed_line(&reference.id))?;
                }
                let and = if followed { " It does not follow its source any more." } else { "" };
                tx.event_append(&NewEvent {
                    participant: slug.clone(),
                    topic: format!("product:{}", reference.dataset_id()),
                    kind: "product.withdrawn".into(),
                    actor: slug.to_string(),
                    text: format!("Withdrew version {} of \"{}\".{and}", reference.version, reference.id),
                    detail: json!({"product": reference.id, "version": reference.version, "feedEnded": followed}),
                })?;
                app.note_withdrawn(tx, &slug, &reference.dataset_id())
            })
            .await?;
        Ok(Listing { product: Product { state: ProductState::Withdrawn, ..listing.product }, offers: listing.offers, files: listing.files })
    }

    /// A version of a product of ours: the named one, else the newest on offer, else the newest.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn listing(&self, slug: &Slug, id: &str, version: Option<u32>) -> Result<Listing> {
        let missing = Error::not_found(format!("The product \"{id:.100}\""));
        let Some(reference) = ProductRef::parse_dataset_id(id) else { return Err(missing) };
        let named = version.or_else(|| id.contains(':').then_some(reference.version));
        let slug = slug.clone();
        self.store
            .read("product.listing", move |tx| -> Result<_> {
                let product = match named {
                    Some(version) => tx.product_get(&slug, &ProductRef { id: reference.id.clone(), version })?,
                    None => match tx.product_latest(&slug, &reference.id)? {
                        Some(latest) => Some(latest),
                        None => tx.product_last(&slug, &reference.id)?,
                    },
                };
                let Some(product) = product else { return Err(missing) };
                let offers = tx.offers_of(&slug, &product.reference)?;
                let files = tx.product_files_page(&slug, &product.reference, 0, FILES_AT_ONCE)?;
                Ok(Listing { product, offers, files })
            })
            .await
    }

    /// The folder with a product version's files.
    ///
    /// # Errors
    /// When the product has none.
    pub fn product_dir(&self, product: &Product) -> Result<PathBuf> {
        let folder = product.content.get(FOLDER).and_then(Value::as_str).map(Path::new);
        let folder = folder.filter(|f| f.components().all(|c| matches!(c, std::path::Component::Normal(_))));
        folder
            .map(|f| self.config.data_dir().join(f))
            .ok_or_else(|| Error::internal_failure(format!("{} has no folder", product.reference.dataset_id())))
    }
}

/// What may be shown of a product's content: everything but where it lies, with its first files.
pub fn shown_content(listing: &Listing) -> Value {
    let mut content = listing.product.content.clone();
    if let Some(map) = content.as_object_mut() {
        map.shift_remove(FOLDER);
        if !listing.files.is_empty() {
            map.insert("files".into(), listing.files.iter().map(shown_file).collect());
        }
    }
    content
}
