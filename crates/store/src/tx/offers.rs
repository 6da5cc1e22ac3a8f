//! Offers of product versions.

use super::{PAGE_MAX, Tx, statements};
use crate::{
    dialect::{OFFERS_OF_MANY, Sql::Same},
    error::StoreError,
    value::{Row, json, vals},
};
use fondaco_core::{
    decision::Rules,
    ids::OfferId,
    participant::Slug,
    policy::Policy,
    product::{Offer, ProductRef},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

statements! {
    INSERT = Same("INSERT INTO offer (participant, id, product_id, version, dataset, created_at, body) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING");
    UPDATE = Same("UPDATE offer SET body = $3 WHERE participant = $1 AND id = $2");
    GET = Same("SELECT body FROM offer WHERE participant = $1 AND id = $2");
    OF = Same("SELECT body FROM offer WHERE participant = $1 AND dataset = $2 ORDER BY created_at, id");
    OF_MANY = OFFERS_OF_MANY;
}

/// An offer as it is stored. [`Offer`] itself flattens its product, whose `id` then meets the offer's own.
#[derive(Serialize, Deserialize)]
struct Stored {
    id: OfferId,
    participant: Slug,
    product: ProductRef,
    odrl: Value,
    policy: Policy,
    #[serde(default)]
    rules: Rules,
    created_at: Timestamp,
}

impl From<Offer> for Stored {
    fn from(offer: Offer) -> Self {
        let Offer { id, participant, product, odrl, policy, rules, created_at } = offer;
        Self { id, participant, product, odrl, policy, rules, created_at }
    }
}

impl From<Stored> for Offer {
    fn from(stored: Stored) -> Self {
        let Stored { id, participant, product, odrl, policy, rules, created_at } = stored;
        Self { id, participant, product, odrl, policy, rules, created_at }
    }
}

fn read(row: &Row) -> Result<Offer, StoreError> {
    row.json::<Stored>(0).map(Offer::from)
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
            json(&Stored::from(offer.clone()))?
        ];
        self.insert(INSERT, params, "the offer")?;
        self.catalog_changed(&offer.participant)
    }

    /// Replaces what is stored of an offer. Its id and product stay: an offer is of one product version for good.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is none.
    pub fn offer_update(&mut self, offer: &Offer) -> Result<(), StoreError> {
        let params = vals![offer.participant.as_str(), offer.id.as_str(), json(&Stored::from(offer.clone()))?];
        match self.execute(UPDATE, params)? {
            0 => Err(StoreError::Conflict("the offer does not exist".into())),
            _ => self.catalog_changed(&offer.participant),
        }
    }

    /// By id.
    pub fn offer_get(&mut self, participant: &Slug, id: &OfferId) -> Result<Option<Offer>, StoreError> {
        self.first(GET, vals![participant.as_str(), id.as_str()], read)
    }

    /// Of one product version, in the order they were made.
    pub fn offers_of(&mut self, participant: &Slug, product: &ProductRef) -> Result<Vec<Offer>, StoreError> {
        self.list(OF, vals![participant.as_str(), product.dataset_id()], read)
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
        self.list(OF_MANY, vals![participant.as_str(), json(&datasets)?], read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_core::product::ProductId;
    use serde_json::json;

    #[test]
    fn a_stored_offer_is_still_read() {
        let offer = Offer {
            id: OfferId::from_stored("off_1"),
            participant: Slug::parse("acme").expect("slug"),
            product: ProductRef { id: ProductId::parse("flights").expect("id"), version: 2 },
            odrl: json!({"permission": [{"action": "use"}]}),
            policy: Policy::open(),
            rules: Rules::default(),
            created_at: Timestamp::from_micros(1_790_000_000_000_000),
        };
        // As tests/suite/golden.rs: never edited.
        let golden = include_str!("../../tests/golden/offer-1.json");
        assert_eq!(serde_json::from_str::<Stored>(golden).map(Offer::from).expect("reads"), offer);
        let again = serde_json::to_value(Stored::from(offer)).expect("json");
        assert_eq!(again, serde_json::from_str::<Value>(golden).expect("json"));
    }
}
