//! A product version in Croissant: what search engines and loaders of machine learning read.

use super::{
    App,
    access::Grant,
    catalog::is_for,
    product_files::{FILES_AT_ONCE, file_count},
    products::Listing,
};
use fondaco_core::{Code, Error, Result, listing::license_url, participant::Participant, product::ProductKind};
use fondaco_dsp::croissant::{Column, Dataset, File, Organization, PARQUET};
use fondaco_store::ProductFile;
use fondaco_tables::publish::TableSchema;
use serde_json::{Value, json};

/// Most files in one document: it is read into memory whole by whoever loads it.
const FILES_MAX: u64 = 20_000;

impl App {
    /// The document of a product version for the consumer of a grant: with the offers that concern it, and with the
    /// columns that are shown to it. Where something is hidden its files are left out, whose number and hashes would tell.
    ///
    /// # Errors
    /// As [`App::croissant`].
    pub async fn croissant_for(&self, grant: &Grant, shown: Option<&TableSchema>) -> Result<Value> {
        let slug = &grant.transfer.participant;
        let (participant, reference) = (self.participant(slug.as_str()).await?, &grant.product.reference);
        let mut listing = self.listing(slug, &reference.dataset_id(), Some(reference.version)).await?;
        listing.offers.retain(|offer| is_for(&offer.policy, &grant.transfer.peer.did));
        if let Some(schema) = shown {
            let content = &mut listing.product.content;
            content["schema"] = serde_json::to_value(schema).map_err(Error::internal_failure)?;
            content["fileCount"] = 0.into();
            listing.files.clear();
        }
        self.croissant_of(&participant, &listing, shown.is_none()).await
    }

    /// The document of a product version. Its files have relative addresses: it lies beside them.
    ///
    /// # Errors
    /// [`Code::TooLarge`] for more than 20,000 files; when the database fails.
    pub async fn croissant(&self, participant: &Participant, listing: &Listing) -> Result<Value> {
        self.croissant_of(participant, listing, true).await
    }

    async fn croissant_of(&self, participant: &Participant, listing: &Listing, with_files: bool) -> Result<Value> {
        let product = &listing.product;
        if file_count(product) > FILES_MAX {
            return Err(Error::new(Code::TooLarge, format!("A Croissant document lists at most {FILES_MAX} files.")));
        }
        let mut rows: Vec<ProductFile> = Vec::new();
        let mut more = with_files;
        while more {
            let page = self.product_files(&participant.slug, &product.reference, rows.len() as u64).await?;
            more = page.len() == FILES_AT_ONCE as usize;
            rows.extend(page);
        }
        let base = self.config.participant_base(&participant.slug);
        let url = format!("{base}/products/{}", product.reference.dataset_id());
        let date = product.created_at.to_rfc3339();
        let version = product.reference.version.to_string();
        let license = product.listing.license.as_deref().map_or_else(|| "unknown".to_owned(), license_url);
        // Croissant wants a description; the title says more than nothing.
        let description = if product.description.is_empty() { &product.title } else { &product.description };
        let offers: Vec<Value> = listing
            .offers
            .iter()
            .map(|offer| {
                let mut odrl = json!({"@type": "Offer", "@id": offer.id});
                if let (Some(into), Some(from)) = (odrl.as_object_mut(), offer.odrl.as_object()) {
                    into.extend(from.clone());
                }
                odrl
            })
            .collect();
        let is_table = product.kind == ProductKind::Table;
        if is_table {
            // As a share lists them: files without rows are not named.
            rows.retain(|row| row.body.get("rows").and_then(Value::as_u64) != Some(0));
        }
        let paths: Vec<String> = rows.iter().enumerate().map(|(i, row)| if is_table { part_name(i) } else { row.name.clone() }).collect();
        let files = rows
            .iter()
            .zip(&paths)
            .map(|(row, path)| File {
                path,
                content_url: path,
                sha256: &row.sha256,
                size: row.size,
                encoding_format: match row.body.get("mediaType").and_then(Value::as_str) {
                    Some(kind) => kind,
                    None => PARQUET,
                },
            })
            .collect();
        let columns = product.content.pointer("/schema/columns").and_then(Value::as_array);
        let columns = columns.filter(|_| is_table).map(|columns| {
            columns
                .iter()
                .map(|c| Column {
                    name: c["name"].as_str().unwrap_or_default(),
                    data_type: &c["type"],
                    description: c["description"].as_str().filter(|d| !d.is_empty()),
                })
                .collect()
        });
        let document = Dataset {
            name: &product.title,
            description,
            license: &license,
            url: &url,
            creator: Organization { name: &participant.name, url: Some(participant.did.as_str()) },
            date_published: date.get(..10).unwrap_or(&date),
            version: &version,
            keywords: &product.keywords,
            languages: &product.listing.language,
            offers: &offers,
            files,
            columns,
        };
        Ok(document.to_json())
    }
}

/// What `fondaco fetch` calls the n-th file of a table.
fn part_name(position: usize) -> String {
    format!("part-{position:05}.parquet")
}
