//! Files of a product version: rows of the database, and what the table crate knows of them.

use super::App;
use crate::files::{publish::PublishedFile, seal::Keeper};
use fondaco_core::{
    Error, Result,
    participant::Slug,
    product::{Product, ProductRef},
};
use fondaco_store::ProductFile;
use fondaco_tables::publish::DataFile;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Rows read at once while a listing goes out: few enough that memory stays flat, enough that the database is asked rarely.
pub const FILES_AT_ONCE: u32 = 500;

/// A table's file as a row.
///
/// # Errors
/// Never, in practice: the description is plain data.
pub fn table_row(position: usize, file: &DataFile) -> Result<ProductFile> {
    let mut body = serde_json::to_value(file).map_err(Error::internal_failure)?;
    if let Some(map) = body.as_object_mut() {
        for column in ["name", "sizeBytes", "sha256"] {
            map.shift_remove(column);
        }
    }
    Ok(ProductFile {
        position: position as u64,
        name: file.name.clone(),
        size: file.size_bytes,
        sha256: file.sha256.clone(),
        seal: None,
        body,
    })
}

/// A row as a table's file.
///
/// # Errors
/// When the row is not one of a table.
pub fn table_file(row: &ProductFile) -> Result<DataFile> {
    let mut body = row.body.clone();
    body["name"] = row.name.clone().into();
    body["sizeBytes"] = row.size.into();
    body["sha256"] = row.sha256.clone().into();
    serde_json::from_value(body).map_err(Error::internal_failure)
}

/// A file of a product of the kind `files` as a row.
pub fn file_row(position: usize, file: &PublishedFile, in_place: bool) -> ProductFile {
    let mut body = json!({"mediaType": file.media_type});
    if in_place {
        body["path"] = json!(file.place);
    }
    ProductFile {
        position: position as u64,
        name: file.path.clone(),
        size: file.size,
        sha256: file.sha256.clone(),
        seal: file.seal.as_ref().map(|seal| seal.as_str().to_owned()),
        body,
    }
}

/// What may be shown of a file.
pub fn shown_file(row: &ProductFile) -> Value {
    let mut shown = json!({"name": row.name, "sizeBytes": row.size, "sha256": row.sha256});
    if let (Some(into), Some(from)) = (shown.as_object_mut(), row.body.as_object()) {
        // `origin` and `path` tell of the publisher's own systems.
        into.extend(from.iter().filter(|(key, _)| !matches!(key.as_str(), "origin" | "path")).map(|(k, v)| (k.clone(), v.clone())));
    }
    shown
}

/// In whose folder a file lies.
pub fn keeper(row: &ProductFile) -> Keeper {
    if row.body.get("path").is_some() { Keeper::Publisher } else { Keeper::Node }
}

/// How many files a product version has.
pub fn file_count(product: &Product) -> u64 {
    product.content.get("fileCount").and_then(Value::as_u64).unwrap_or(0)
}

impl App {
    /// Where a file of a product version lies.
    ///
    /// # Errors
    /// When the product has no folder.
    pub fn product_file_path(&self, product: &Product, file: &ProductFile) -> Result<PathBuf> {
        match file.body.get("path").and_then(Value::as_str) {
            Some(left_in_place) => Ok(PathBuf::from(left_in_place)),
            None => Ok(self.product_dir(product)?.join(&file.name)),
        }
    }

    /// The file of a product version with this id ([`ProductFile::file_id`]).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn product_file(&self, slug: &Slug, product: &ProductRef, id: &str) -> Result<Option<ProductFile>> {
        let (slug, product, id) = (slug.clone(), product.clone(), id.to_owned());
        self.store.read("product.file", move |tx| -> Result<_> { Ok(tx.product_file_by_id(&slug, &product, &id)?) }).await
    }

    /// The file at a place of a product version.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn product_file_at(&self, slug: &Slug, product: &ProductRef, position: u64) -> Result<Option<ProductFile>> {
        let (slug, product) = (slug.clone(), product.clone());
        let found =
            self.store.read("product.file_at", move |tx| -> Result<_> { Ok(tx.product_files_page(&slug, &product, position, 1)?) }).await?;
        Ok(found.into_iter().find(|file| file.position == position))
    }

    /// Some files of a product version, in order, from a position on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn product_files(&self, slug: &Slug, product: &ProductRef, from: u64) -> Result<Vec<ProductFile>> {
        let (slug, product) = (slug.clone(), product.clone());
        self.store.read("product.files", move |tx| -> Result<_> { Ok(tx.product_files_page(&slug, &product, from, FILES_AT_ONCE)?) }).await
    }
}
