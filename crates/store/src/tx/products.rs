//! Product versions.

use super::{AFTER_EVERY_ID, PAGE_MAX, Tx, page, statements};
use crate::{
    dialect::{
        PRODUCTS_OF_MANY,
        Sql::{Each, Same},
    },
    error::StoreError,
    value::{Row, json, vals},
};
use fondaco_core::{
    participant::Slug,
    product::{Product, ProductId, ProductKind, ProductRef, ProductState},
};

use std::collections::BTreeSet;

/// Which products of a participant to list, by id and version.
#[derive(Clone, Debug)]
pub struct ProductFilter {
    /// Leave out what was withdrawn.
    pub published_only: bool,
    /// Only the newest version of each (of those that pass `published_only`).
    pub latest_only: bool,
    /// Of this kind.
    pub kind: Option<ProductKind>,
    /// A text that id, title, description or keywords contain, in any case.
    pub query: Option<String>,
    /// Go on after this one.
    pub after: Option<ProductRef>,
    /// Look no further than this one.
    pub upto: Option<ProductRef>,
    /// Most rows.
    pub limit: u32,
}

statements! {
    LOCK_OWNER = Same("SELECT slug FROM participant WHERE slug = $1 FOR NO KEY UPDATE");
    NEXT_VERSION = Same("SELECT COALESCE(MAX(version), 0) + 1 FROM product WHERE participant = $1 AND product_id = $2");
    INSERT = Same("INSERT INTO product (participant, product_id, version, state, kind, search, body) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING");
    NEWEST = Same("SELECT kind, state FROM product WHERE participant = $1 AND product_id = $2 ORDER BY version DESC LIMIT 1");
    TALLY = Same("INSERT INTO product_tally (participant, kind, state, products) VALUES ($1, $2, $3, $4) ON CONFLICT (participant, kind, state) DO UPDATE SET products = product_tally.products + excluded.products");
    GET = Same("SELECT body FROM product WHERE participant = $1 AND product_id = $2 AND version = $3");
    MANY = PRODUCTS_OF_MANY;
    LOCK = Same("SELECT body FROM product WHERE participant = $1 AND product_id = $2 AND version = $3 FOR UPDATE");
    LATEST = Same("SELECT body FROM product WHERE participant = $1 AND product_id = $2 AND state = 'published' ORDER BY version DESC LIMIT 1");
    LAST = Same("SELECT body FROM product WHERE participant = $1 AND product_id = $2 ORDER BY version DESC LIMIT 1");
    LIST = Same("SELECT p.body FROM product p WHERE p.participant = $1 AND ($2 = 0 OR p.state = 'published') AND ($3 = 0 OR NOT EXISTS (SELECT 1 FROM product n WHERE n.participant = p.participant AND n.product_id = p.product_id AND n.version > p.version AND ($2 = 0 OR n.state = 'published'))) AND ($4 = '' OR p.search LIKE $4 ESCAPE '\\') AND ($5 = '' OR p.kind = $5) AND (p.product_id, p.version) > ($6, $7) AND (p.product_id, p.version) <= ($8, $9) ORDER BY p.product_id, p.version LIMIT $10");
    AHEAD = Same("SELECT product_id, version FROM product WHERE participant = $1 AND (product_id, version) > ($2, $3) ORDER BY product_id, version LIMIT 1 OFFSET $4");
    LATEST_OF_MANY = Each(
        "SELECT p.product_id, MAX(p.version) FROM json_each($2) w CROSS JOIN product p WHERE p.participant = $1 AND p.product_id = w.value AND p.state = 'published' GROUP BY p.product_id",
        "SELECT p.product_id, MAX(p.version) FROM jsonb_array_elements_text(CAST(CAST($2 AS TEXT) AS JSONB)) AS w(value) CROSS JOIN product p WHERE p.participant = $1 AND p.product_id = w.value AND p.state = 'published' GROUP BY p.product_id",
    );
    COUNT = Same("SELECT COUNT(*) FROM product p WHERE p.participant = $1 AND ($2 = 0 OR p.state = 'published') AND ($3 = 0 OR NOT EXISTS (SELECT 1 FROM product n WHERE n.participant = p.participant AND n.product_id = p.product_id AND n.version > p.version AND ($2 = 0 OR n.state = 'published'))) AND ($4 = '' OR p.search LIKE $4 ESCAPE '\\') AND ($5 = '' OR p.kind = $5)");
    NAMES = Same("SELECT 1 FROM product WHERE participant = $1 AND body LIKE $2 ESCAPE '\\' LIMIT 1");
    SET_STATE = Same("UPDATE product SET state = $4, body = $5 WHERE participant = $1 AND product_id = $2 AND version = $3");
}

pub(super) const fn state_name(state: ProductState) -> &'static str {
    match state {
        ProductState::Published => "published",
        ProductState::Withdrawn => "withdrawn",
    }
}

fn reference(row: &Row) -> Result<ProductRef, StoreError> {
    let version = u32::try_from(row.int(1)?).map_err(|_| StoreError::Corrupt("a product's version".into()))?;
    Ok(ProductRef { id: row.parsed(0, ProductId::parse)?, version })
}

/// What a query is looked for in. Lower-cased here, because the databases differ in what they call lower case.
fn search_text(product: &Product) -> String {
    let keywords = product.keywords.join("\n");
    format!("{}\n{}\n{}\n{keywords}", product.reference.id, product.title, product.description).to_lowercase()
}

/// What is looked for as it is, in texts that were lower-cased here too: as fast in every script, and nothing in it has a
/// meaning.
pub(super) fn needle(query: Option<&str>) -> String {
    query.unwrap_or_default().trim().to_lowercase()
}

/// A LIKE pattern for "contains".
pub(super) fn pattern(query: Option<&str>) -> String {
    let query = needle(query);
    if query.is_empty() { query } else { containing(&query) }
}

/// A LIKE pattern for this text anywhere.
pub(super) fn containing(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

impl Tx {
    /// Whether a product version of the participant mentions a text: a folder, say. Reads all of them.
    pub fn products_mention(&mut self, participant: &Slug, text: &str) -> Result<bool, StoreError> {
        Ok(self.first(NAMES, vals![participant.as_str(), containing(text)], |_| Ok(()))?.is_some())
    }

    /// The version the next publication of `id` gets, from 1. Holds back other publications of the participant until
    /// this transaction ends.
    pub fn product_next_version(&mut self, participant: &Slug, id: &ProductId) -> Result<u32, StoreError> {
        self.first(LOCK_OWNER, vals![participant.as_str()], |_| Ok(()))?;
        let next = self.first(NEXT_VERSION, vals![participant.as_str(), id.as_str()], |row| row.int(0))?.unwrap_or(1);
        u32::try_from(next).map_err(|_| StoreError::Corrupt("a product's version".into()))
    }

    /// Adds a product version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is that version, or no such participant.
    pub fn product_insert(&mut self, product: &Product) -> Result<(), StoreError> {
        let params = vals![
            product.participant.as_str(),
            product.reference.id.as_str(),
            product.reference.version,
            state_name(product.state),
            product.kind.as_str(),
            search_text(product),
            json(product)?
        ];
        let before = self.newest(&product.participant, &product.reference.id)?;
        self.insert(INSERT, params, "the product version")?;
        let after = self.newest(&product.participant, &product.reference.id)?;
        self.tally(&product.participant, before, after)?;
        self.catalog_changed(&product.participant)
    }

    /// Kind and state of a product, which are those of its newest version.
    fn newest(&mut self, participant: &Slug, id: &ProductId) -> Result<Option<(String, String)>, StoreError> {
        self.first(NEWEST, vals![participant.as_str(), id.as_str()], |row| Ok((row.string(0)?, row.string(1)?)))
    }

    /// Counts a product where it is now instead of where it was.
    fn tally(&mut self, participant: &Slug, before: Option<(String, String)>, after: Option<(String, String)>) -> Result<(), StoreError> {
        if before == after {
            return Ok(());
        }
        for (place, change) in [(before, -1_i64), (after, 1)] {
            if let Some((kind, state)) = place {
                self.execute(TALLY, vals![participant.as_str(), kind, state, change])?;
            }
        }
        Ok(())
    }

    /// One version, withdrawn or not.
    pub fn product_get(&mut self, participant: &Slug, product: &ProductRef) -> Result<Option<Product>, StoreError> {
        self.first(GET, vals![participant.as_str(), product.id.as_str(), product.version], |row| row.json(0))
    }

    /// Many versions in one query, by id and version, each once; those that there are not are left out.
    ///
    /// # Errors
    /// [`StoreError::Limit`] for more than [`PAGE_MAX`].
    pub fn products_of_many(&mut self, participant: &Slug, products: &[ProductRef]) -> Result<Vec<Product>, StoreError> {
        if products.len() > PAGE_MAX as usize {
            return Err(StoreError::Limit(format!("more than {PAGE_MAX} products at once")));
        }
        let wanted: BTreeSet<(&str, u32)> = products.iter().map(|p| (p.id.as_str(), p.version)).collect();
        self.list(MANY, vals![participant.as_str(), json(&wanted)?], |row| row.json(0))
    }

    /// The newest version that is not withdrawn.
    pub fn product_latest(&mut self, participant: &Slug, id: &ProductId) -> Result<Option<Product>, StoreError> {
        self.first(LATEST, vals![participant.as_str(), id.as_str()], |row| row.json(0))
    }

    /// The newest version, withdrawn or not.
    pub fn product_last(&mut self, participant: &Slug, id: &ProductId) -> Result<Option<Product>, StoreError> {
        self.first(LAST, vals![participant.as_str(), id.as_str()], |row| row.json(0))
    }

    /// The newest versions in the catalogue of many products, in one query; those without any are left out.
    ///
    /// # Errors
    /// [`StoreError::Limit`] for more than [`PAGE_MAX`].
    pub fn products_latest_of_many(&mut self, participant: &Slug, products: &BTreeSet<&ProductId>) -> Result<Vec<ProductRef>, StoreError> {
        if products.len() > PAGE_MAX as usize {
            return Err(StoreError::Limit(format!("more than {PAGE_MAX} products at once")));
        }
        self.list(LATEST_OF_MANY, vals![participant.as_str(), json(products)?], reference)
    }

    /// The version that is so many rows after another one, 1 being the next; `None` when there are not so many.
    pub fn product_ahead(&mut self, participant: &Slug, after: Option<&ProductRef>, rows: u32) -> Result<Option<ProductRef>, StoreError> {
        let (id, version) = after.map_or(("", 0), |r| (r.id.as_str(), r.version));
        self.first(AHEAD, vals![participant.as_str(), id, version, i64::from(rows.saturating_sub(1))], reference)
    }

    /// By id and version.
    pub fn product_list(&mut self, participant: &Slug, filter: &ProductFilter) -> Result<Vec<Product>, StoreError> {
        let (after_id, after_version) = filter.after.as_ref().map_or(("", 0), |r| (r.id.as_str(), r.version));
        let (upto_id, upto_version) = filter.upto.as_ref().map_or((AFTER_EVERY_ID, 0), |r| (r.id.as_str(), r.version));
        let params = vals![
            participant.as_str(),
            filter.published_only,
            filter.latest_only,
            pattern(filter.query.as_deref()),
            filter.kind.map_or("", ProductKind::as_str),
            after_id,
            after_version,
            upto_id,
            upto_version,
            page(filter.limit)
        ];
        self.list(LIST, params, |row| row.json(0))
    }

    /// How many products the filter passes on all pages.
    pub fn product_count(&mut self, participant: &Slug, filter: &ProductFilter) -> Result<u64, StoreError> {
        let params = vals![
            participant.as_str(),
            filter.published_only,
            filter.latest_only,
            pattern(filter.query.as_deref()),
            filter.kind.map_or("", ProductKind::as_str)
        ];
        Ok(self.first(COUNT, params, |row| row.count(0))?.unwrap_or(0))
    }

    /// Withdraws or publishes again; false when there is no such version.
    pub fn product_set_state(&mut self, participant: &Slug, product: &ProductRef, state: ProductState) -> Result<bool, StoreError> {
        let key = vals![participant.as_str(), product.id.as_str(), product.version];
        let Some(mut found) = self.first(LOCK, key, |row| row.json::<Product>(0))? else { return Ok(false) };
        found.state = state;
        let params = vals![participant.as_str(), product.id.as_str(), product.version, state_name(state), json(&found)?];
        let before = self.newest(participant, &product.id)?;
        self.execute(SET_STATE, params)?;
        let after = self.newest(participant, &product.id)?;
        self.tally(participant, before, after)?;
        self.catalog_changed(participant)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_a_text_and_not_a_pattern() {
        assert_eq!(pattern(Some(" 50%_\\Off ")), "%50\\%\\_\\\\off%");
        assert_eq!(pattern(Some("  ")), "");
        assert_eq!(pattern(None), "");
    }
}
