//! Offers of product versions.

use super::{PAGE_MAX, Tx, statements};
use crate::{
    dialect::{OFFERS_OF_MANY, Sql::Same},
    error::StoreError,
    value::{json, vals},
};
use fondaco_core::{
    ids::OfferId,
    participant::Slug,
    product::{Offer, ProductRef},
};

statements! {
    INSERT = Same("INSERT INTO offer (participant, id, product_id, version, dataset, created_at, body) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING");
    GET = Same("SELECT body FROM offer WHERE participant = $1 AND id = $2");
    OF = Same("SELECT body FROM offer WHERE participant = $1 AND dataset = $2 ORDER BY created_at, id");
    OF_MANY = OFFERS_OF_MANY;
}

impl Tx {
    /// Adds an offer.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] for an id in use, or a product version that does not exist.
    pub fn offer_insert(&mut self, offer: &Offer) -> Result<(), StoreError> {
        let params = vals![
            offer.participant.as_str(),
            offer.id.as_str(),
            offer.product.id.as_str(),
            offer.product.version,
            offer.product.dataset_id(),
            offer.created_at,
            json(offer)?
        ];
        self.insert(INSERT, params, "the offer")
    }

    /// By id.
    pub fn offer_get(&mut self, participant: &Slug, id: &OfferId) -> Result<Option<Offer>, StoreError> {
        self.first(GET, vals![participant.as_str(), id.as_str()], |row| row.json(0))
    }

    /// Of one product version, in the order they were made.
    pub fn offers_of(&mut self, participant: &Slug, product: &ProductRef) -> Result<Vec<Offer>, StoreError> {
        self.list(OF, vals![participant.as_str(), product.dataset_id()], |row| row.json(0))
    }

    /// Of a page of product versions, in one query.
    ///
    /// # Errors
    /// [`StoreError::Limit`] for more than [`PAGE_MAX`].
    pub fn offers_of_many(&mut self, participant: &Slug, products: &[ProductRef]) -> Result<Vec<Offer>, StoreError> {
        if products.len() > PAGE_MAX as usize {
            return Err(StoreError::Limit(format!("more than {PAGE_MAX} products at once")));
        }
        let datasets: Vec<String> = products.iter().map(ProductRef::dataset_id).collect();
        self.list(OF_MANY, vals![participant.as_str(), json(&datasets)?], |row| row.json(0))
    }
}
