//! Files of product versions: one row each, read page by page.

use super::{Tx, page, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{Row, count, json, vals},
};
use fondaco_core::{participant::Slug, product::ProductRef};
use serde_json::Value;

/// A file of a product version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductFile {
    /// Its place in the listing, from 0.
    pub position: u64,
    /// Its name or relative path, unique in the version.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: String,
    /// How the file looked on disk when it was last hashed; `None` when that is not known.
    pub seal: Option<String>,
    /// What its kind knows of it: for a table rows and bounds, for files the media type. `path`, where present, is
    /// where the file was left.
    pub body: Value,
}

/// Characters of the hash that name a file in addresses: 128 bits.
const FILE_ID_CHARS: usize = 32;

impl ProductFile {
    /// What names the file in addresses: the same for the same bytes.
    pub fn file_id(&self) -> &str {
        self.sha256.get(..FILE_ID_CHARS).unwrap_or(&self.sha256)
    }
}

statements! {
    INSERT = Same("INSERT INTO product_file (participant, product_id, version, position, name, file_id, size, sha256, seal, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING");
    PAGE = Same("SELECT position, name, size, sha256, seal, body FROM product_file WHERE participant = $1 AND product_id = $2 AND version = $3 AND position >= $4 ORDER BY position LIMIT $5");
    BY_ID = Same("SELECT position, name, size, sha256, seal, body FROM product_file WHERE participant = $1 AND product_id = $2 AND version = $3 AND file_id = $4 ORDER BY position LIMIT 1");
    BY_NAME = Same("SELECT position, name, size, sha256, seal, body FROM product_file WHERE participant = $1 AND product_id = $2 AND version = $3 AND name = $4");
    SEAL = Same("UPDATE product_file SET seal = $5 WHERE participant = $1 AND product_id = $2 AND version = $3 AND position = $4");
}

fn read(row: &Row) -> Result<ProductFile, StoreError> {
    Ok(ProductFile {
        position: row.count(0)?,
        name: row.text(1)?.to_owned(),
        size: row.count(2)?,
        sha256: row.text(3)?.to_owned(),
        seal: row.opt_string(4)?,
        body: row.json(5)?,
    })
}

impl Tx {
    /// Adds files to a product version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a position or a name is taken, or there is no such version.
    pub fn product_files_insert(&mut self, participant: &Slug, product: &ProductRef, files: &[ProductFile]) -> Result<(), StoreError> {
        for file in files {
            let params = vals![
                participant.as_str(),
                product.id.as_str(),
                product.version,
                count(file.position),
                file.name.as_str(),
                file.file_id(),
                count(file.size),
                file.sha256.as_str(),
                file.seal.as_deref(),
                json(&file.body)?
            ];
            self.insert(INSERT, params, "the file of the product")?;
        }
        Ok(())
    }

    /// Files from a position on, in order; at most [`super::PAGE_MAX`].
    pub fn product_files_page(
        &mut self,
        participant: &Slug,
        product: &ProductRef,
        from: u64,
        limit: u32,
    ) -> Result<Vec<ProductFile>, StoreError> {
        let params = vals![participant.as_str(), product.id.as_str(), product.version, count(from), page(limit)];
        self.list(PAGE, params, read)
    }

    /// By [`ProductFile::file_id`].
    pub fn product_file_by_id(&mut self, participant: &Slug, product: &ProductRef, id: &str) -> Result<Option<ProductFile>, StoreError> {
        self.first(BY_ID, vals![participant.as_str(), product.id.as_str(), product.version, id], read)
    }

    /// By name.
    pub fn product_file_by_name(
        &mut self,
        participant: &Slug,
        product: &ProductRef,
        name: &str,
    ) -> Result<Option<ProductFile>, StoreError> {
        self.first(BY_NAME, vals![participant.as_str(), product.id.as_str(), product.version, name], read)
    }

    /// Notes how a file looked on disk when its hash was found to be right; `None` when it was found to be wrong.
    pub fn product_file_seal(
        &mut self,
        participant: &Slug,
        product: &ProductRef,
        position: u64,
        seal: Option<&str>,
    ) -> Result<(), StoreError> {
        let params = vals![participant.as_str(), product.id.as_str(), product.version, count(position), seal];
        self.execute(SEAL, params).map(drop)
    }
}
