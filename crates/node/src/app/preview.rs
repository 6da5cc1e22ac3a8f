//! The first rows of a table as the other side sees them: under an agreement, under an offer, under terms being written.
//!
//! The same plan decides as for what is delivered. Nothing is counted, since nothing is delivered.

use super::{
    App,
    access::{Shown, Use, shown_to},
    agreement_life,
    governed::schema,
    product_files::table_file,
};
use crate::files::seal::blocking;
use fondaco_core::{
    Code, Error, Result,
    ids::{OfferId, PublicationId},
    negotiation::Role,
    participant::Slug,
    policy::{Constraint, Permission, Policy, view::MaskMethod},
    product::{Product, ProductKind, ProductRef},
};
use fondaco_store::{AgreementRow, ProductFile, Usage};
use fondaco_tables::{
    TablesError,
    governed::{PREVIEW_LOOKED_AT_ROWS, PREVIEW_MAX_ROWS, Source, TablePlan, first_rows, name, open},
    publish::DataFile,
};
use serde_json::{Map, Value};
use std::{fs::File, io, path::PathBuf, sync::Arc};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Rows of a preview, unless asked otherwise: as many as a screen shows.
pub const PREVIEW_ROWS: u32 = 20;
/// Files looked at for it, from the first on: a filter that few rows satisfy does not read a whole table for a page.
const FILES_LOOKED_AT: usize = 8;
/// Bytes of a key that is thrown away.
const KEY_BYTES: usize = 32;
/// Previews made at once: each reads and decodes up to some hundred thousand rows.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// The first rows, as they are seen.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The terms by which they are seen: one alternative of an offer.
    pub terms: Vec<Constraint>,
    /// The columns that are seen.
    pub columns: Vec<String>,
    /// The rows, by column; values that are missing are missing. Long texts are cut.
    pub rows: Vec<Map<String, Value>>,
    /// Fewer rows than asked for were found at the beginning of the table; there may be more further on.
    pub looked_at_beginning: bool,
    /// No rows are seen, but aggregates over so many.
    pub min_group_size: Option<u32>,
    /// There is no agreement yet, so hashes are under a key that is thrown away: under an agreement they are others.
    pub sample_hashes: bool,
}

/// A table's files, and what they are read with.
struct Table {
    content: Value,
    files: Vec<Source>,
    /// It has others than these.
    more: bool,
}

impl Table {
    /// Whether all of it is looked at.
    fn is_all(&self) -> bool {
        !self.more && self.files.iter().all(|file| file.rows < PREVIEW_LOOKED_AT_ROWS as u64)
    }
}

fn rows_asked(rows: Option<u32>) -> Result<usize> {
    let rows = rows.unwrap_or(PREVIEW_ROWS) as usize;
    if (1..=PREVIEW_MAX_ROWS).contains(&rows) {
        return Ok(rows);
    }
    Err(Error::invalid(format!("A preview has 1 to {PREVIEW_MAX_ROWS} rows.")))
}

fn only_tables(kind: ProductKind) -> Result<()> {
    if kind == ProductKind::Table {
        return Ok(());
    }
    Err(Error::invalid(format!("There are no rows to preview: the product is of the kind \"{}\".", kind.as_str())))
}

impl App {
    /// The first rows as the consumer of an agreement sees them now, and the version they are of.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Forbidden`] for its consumer, whose node has no data; as for the consumer itself when
    /// access is not open now.
    pub async fn agreement_preview(&self, slug: &Slug, id: &str, rows: Option<u32>) -> Result<(ProductRef, Preview)> {
        let wanted = rows_asked(rows)?;
        let (of, id, now) = (slug.clone(), id.to_owned(), self.now());
        let (row, product, latest, used) = self
            .store
            .read("agreement.preview", move |tx| -> Result<(AgreementRow, Product, Option<Product>, Usage)> {
                let row = tx.agreement_get(&of, &id)?.ok_or_else(|| Error::not_found(format!("The agreement {id:.80}")))?;
                if row.role != Role::Provider {
                    return Err(Error::new(Code::Forbidden, "Its provider alone has the data to preview; fetch it to see it."));
                }
                agreement_life::in_force(tx, &row, now)??;
                let reference = ProductRef::parse_dataset_id(&row.dataset);
                let product = reference.map(|r| tx.product_get(&of, &r)).transpose()?.flatten();
                let product = product.ok_or_else(|| Error::new(Code::AccessEnded, "The product does not exist any more."))?;
                let used = tx.usage(&of, &id)?;
                let latest = tx.product_latest(&of, &product.reference.id)?;
                Ok((row, product, latest, used))
            })
            .await?;
        only_tables(product.kind)?;
        let Shown { product, permit } = shown_to(&row, product, latest, used, now, Use::Begins)?;
        let plan = self.plan_of(slug, &row.agreement.id, &permit.view, &product)?;
        let terms = row.policy.as_ref().and_then(|p| p.permissions.iter().find(|p| p.view() == permit.view));
        let terms = terms.map(|p| p.constraints.clone()).unwrap_or_default();
        let table = self.table_of(&product).await?;
        let preview = Preview { terms, ..self.preview(plan, table, wanted).await? };
        Ok((product.reference, preview))
    }

    /// The first rows as a buyer of an offer would see them: for each alternative of its terms.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Invalid`] for what is no table.
    pub async fn offer_preview(&self, slug: &Slug, id: &OfferId, rows: Option<u32>) -> Result<(ProductRef, Vec<Preview>)> {
        let wanted = rows_asked(rows)?;
        let offer = self.offer(slug, id).await?;
        let (of, reference) = (slug.clone(), offer.product.clone());
        let product = self.store.read("offer.preview", move |tx| -> Result<_> { Ok(tx.product_get(&of, &reference)?) }).await?;
        let product = product.ok_or_else(|| Error::not_found("The product of the offer"))?;
        only_tables(product.kind)?;
        let table = self.table_of(&product).await?;
        Ok((product.reference, self.previews(&offer.policy, &table, wanted).await?))
    }

    /// The first rows as buyers would see them under terms being written, of what was read for a publication: for each
    /// offer, and each alternative of it.
    ///
    /// # Errors
    /// [`Code::NotFound`]; when it is not read yet; [`Code::Invalid`] for what is no table, and for terms that are wrong.
    pub async fn publication_preview(&self, slug: &Slug, id: &PublicationId) -> Result<Vec<Vec<Preview>>> {
        let publication = self.publication(slug, id).await?;
        only_tables(publication.draft.kind)?;
        let ready = self.publication_ready(&publication).await?;
        let dir = self.config.data_dir().join(&ready.prepared.folder);
        let place = |row: &ProductFile| match row.body.get("path").and_then(Value::as_str) {
            Some(left_in_place) => PathBuf::from(left_in_place),
            None => dir.join(&row.name),
        };
        let first: Vec<(PathBuf, DataFile)> =
            ready.files.iter().take(FILES_LOOKED_AT).map(|row| Ok((place(row), table_file(row)?))).collect::<Result<_>>()?;
        let files = blocking(move || first.into_iter().map(staged).collect::<Result<_>>()).await??;
        let table = Table { content: ready.prepared.content.clone(), files, more: ready.files.len() > FILES_LOOKED_AT };
        let mut all = Vec::new();
        for offer in &publication.draft.offers {
            all.push(self.previews(&Policy::from_odrl(offer)?, &table, PREVIEW_ROWS as usize).await?);
        }
        if all.is_empty() {
            all.push(self.previews(&Policy::open(), &table, PREVIEW_ROWS as usize).await?);
        }
        Ok(all)
    }

    async fn previews(&self, policy: &Policy, table: &Table, wanted: usize) -> Result<Vec<Preview>> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        self.entropy.fill(key.as_mut());
        let schema = schema(&table.content)?;
        let mut all = Vec::new();
        for Permission { constraints } in &policy.permissions {
            let view = Permission { constraints: constraints.clone() }.view();
            let plan = TablePlan::new(&view, &schema, key.as_ref())?;
            let table = Table { content: Value::Null, files: table.files.clone(), more: table.more };
            let sample_hashes = view.masks.iter().any(|m| m.method == MaskMethod::Hash);
            all.push(Preview { terms: constraints.clone(), sample_hashes, ..self.preview(plan, table, wanted).await? });
        }
        Ok(all)
    }

    /// The first files of a product, found to be as they were published.
    async fn table_of(&self, product: &Product) -> Result<Table> {
        let rows = self.product_files(&product.participant, &product.reference, 0).await?;
        let mut files = Vec::new();
        for row in rows.iter().take(FILES_LOOKED_AT) {
            files.push(self.table_source(product, row).await?);
        }
        Ok(Table { content: product.content.clone(), files, more: rows.len() > FILES_LOOKED_AT })
    }

    async fn preview(&self, plan: TablePlan, table: Table, wanted: usize) -> Result<Preview> {
        let _permit = AT_ONCE.acquire().await.map_err(Error::internal_failure)?;
        let columns = plan.schema().columns.iter().map(|c| c.name.clone()).collect();
        let (min_group_size, is_all) = (plan.min_group_size(), table.is_all());
        let rows = blocking(move || rows(&plan, &table.files, wanted)).await??;
        let looked_at_beginning = min_group_size.is_none() && rows.len() < wanted && !is_all;
        Ok(Preview { terms: Vec::new(), columns, rows, looked_at_beginning, min_group_size, sample_hashes: false })
    }
}

/// A file that is being published: nobody has sealed it yet, but its size was found when it was read.
fn staged((path, file): (PathBuf, DataFile)) -> Result<Source> {
    let (size, open) = (file.size_bytes, open(&path).map_err(Error::internal_failure)?);
    let still_same = move |open: &File| {
        if open.metadata()?.len() == size { Ok(()) } else { Err(io::Error::other("the file changed since it was read")) }
    };
    Ok(Source {
        name: name(&path),
        file: Arc::new(open),
        still_same: Arc::new(still_same),
        sha256: file.sha256,
        size,
        rows: file.rows,
        stats: file.stats,
    })
}

fn rows(plan: &TablePlan, files: &[Source], wanted: usize) -> Result<Vec<Map<String, Value>>> {
    let mut found = Vec::new();
    for source in files {
        if found.len() >= wanted {
            break;
        }
        found.extend(first_rows(plan, source, wanted - found.len()).map_err(|e| match e {
            TablesError::TooLarge { .. } => Error::new(Code::TooLarge, "The rows are too long for a preview; ask for fewer."),
            e => Error::internal_failure(e),
        })?);
    }
    Ok(found)
}
