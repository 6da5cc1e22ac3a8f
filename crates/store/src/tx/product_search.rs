//! Our products as a room lists them: each by its newest version, narrowed by text, kind and state.

use super::{
    Tx, page,
    products::{needle, state_name},
    statements,
};
use crate::{
    dialect::Sql::{Each, Same},
    error::StoreError,
    value::vals,
};
use fondaco_core::{
    participant::Slug,
    product::{Product, ProductId, ProductKind, ProductState},
};

/// Which products to list, by id.
#[derive(Clone, Debug, Default)]
pub struct ProductSearch {
    /// A text that id, title, description or keywords contain, in any case.
    pub query: Option<String>,
    /// Of this kind.
    pub kind: Option<ProductKind>,
    /// Whose newest version is in this state.
    pub state: Option<ProductState>,
    /// Go on after this one.
    pub after: Option<ProductId>,
    /// Most rows.
    pub limit: u32,
}

/// How many products share a kind and a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductCount {
    /// The kind.
    pub kind: String,
    /// Whether it is in the catalogue.
    pub published: bool,
    /// How many.
    pub count: u64,
}

statements! {
    LIST = Each(
        "SELECT p.body FROM product p WHERE p.participant = $1 AND p.product_id > $2 AND ($3 = '' OR p.kind = $3) AND ($4 = '' OR p.state = $4) AND NOT EXISTS (SELECT 1 FROM product n WHERE n.participant = p.participant AND n.product_id = p.product_id AND n.version > p.version) AND ($5 = '' OR instr(p.search, $5) > 0) ORDER BY p.product_id LIMIT $6",
        "SELECT p.body FROM product p WHERE p.participant = $1 AND p.product_id > $2 AND ($3 = '' OR p.kind = $3) AND ($4 = '' OR p.state = $4) AND NOT EXISTS (SELECT 1 FROM product n WHERE n.participant = p.participant AND n.product_id = p.product_id AND n.version > p.version) AND ($5 = '' OR strpos(p.search, $5) > 0) ORDER BY p.product_id LIMIT $6",
    );
    COUNTS = Each(
        "SELECT p.kind, p.state, COUNT(*) FROM product p WHERE p.participant = $1 AND NOT EXISTS (SELECT 1 FROM product n WHERE n.participant = p.participant AND n.product_id = p.product_id AND n.version > p.version) AND ($2 = '' OR instr(p.search, $2) > 0) GROUP BY p.kind, p.state",
        "SELECT p.kind, p.state, COUNT(*) FROM product p WHERE p.participant = $1 AND NOT EXISTS (SELECT 1 FROM product n WHERE n.participant = p.participant AND n.product_id = p.product_id AND n.version > p.version) AND ($2 = '' OR strpos(p.search, $2) > 0) GROUP BY p.kind, p.state",
    );
    ALL_COUNTS = Same("SELECT kind, state, products FROM product_tally WHERE participant = $1 AND products > 0");
    PUBLISHED = Same("SELECT COUNT(DISTINCT product_id) FROM product WHERE participant = $1 AND state = 'published'");
}

impl Tx {
    /// The newest versions of products, by id.
    pub fn product_search(&mut self, participant: &Slug, search: &ProductSearch) -> Result<Vec<Product>, StoreError> {
        let params = vals![
            participant.as_str(),
            search.after.as_ref().map_or("", ProductId::as_str),
            search.kind.map_or("", ProductKind::as_str),
            search.state.map_or("", state_name),
            needle(search.query.as_deref()),
            page(search.limit)
        ];
        self.list(LIST, params, |row| row.json(0))
    }

    /// How many products there are of each kind and state, of those a query finds.
    pub fn product_search_counts(&mut self, participant: &Slug, query: Option<&str>) -> Result<Vec<ProductCount>, StoreError> {
        let published = state_name(ProductState::Published);
        let read =
            |row: &crate::value::Row| Ok(ProductCount { kind: row.string(0)?, published: row.text(1)? == published, count: row.count(2)? });
        let needle = needle(query);
        if needle.is_empty() {
            // Without a query they are counted already.
            return self.list(ALL_COUNTS, vals![participant.as_str()], read);
        }
        self.list(COUNTS, vals![participant.as_str(), needle], read)
    }

    /// How many products have a version in the catalogue.
    pub fn products_published(&mut self, participant: &Slug) -> Result<u64, StoreError> {
        Ok(self.first(PUBLISHED, vals![participant.as_str()], |row| row.count(0))?.unwrap_or(0))
    }
}
