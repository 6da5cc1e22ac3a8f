//! Governed SQL on the public listener: answers from the table of an agreement, under the same token as its Delta Sharing.
//!
//! One statement is one read of the product version.

mod query;

use crate::{
    app::{App, access::Grant, product_files::keeper},
    files::seal::{Expected, Intact, Seal},
    share,
};
use axum::{Router, extract::DefaultBodyLimit, routing::post};
use fondaco_core::{Code, Error, Result, product::Product};
use fondaco_store::ProductFile;
use fondaco_tables::sql::{Limits, SourceFile, SqlError, Table};
use std::sync::Arc;

/// Most files of a table that is asked: each is open while a statement runs.
const FILES_MAX: usize = 1_000;
/// Longest body: a statement of the longest text, with every character escaped.
const BODY_MAX_BYTES: usize = 700_000;

/// The routes below `/p/{slug}/sql`.
pub fn router() -> Router<App> {
    Router::new().route("/query", post(query::query)).layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
}

/// What a statement may take: the engine's own limits.
pub(crate) fn limits() -> Limits {
    Limits::default()
}

/// What a grant lets statements see.
///
/// # Errors
/// [`Code::NotFound`] when it is about something else than a table; [`Code::DataDamaged`].
pub(crate) async fn table_of(app: &App, grant: &Grant) -> Result<Table> {
    let product = &grant.product;
    let plan = share::plan_of(app, grant)?;
    let mut files = Vec::new();
    loop {
        let rows = app.product_files(&product.participant, &product.reference, files.len() as u64).await?;
        if rows.is_empty() {
            break;
        }
        if files.len() + rows.len() > FILES_MAX {
            return Err(Error::new(
                Code::TooLarge,
                format!("The table has more than {FILES_MAX} files: too many to ask. Fetch its files instead."),
            ));
        }
        for row in &rows {
            files.push(Arc::new(source(app, product, row).await?));
        }
    }
    Table::new(product.participant.as_str(), product.reference.id.as_str(), &plan, files).map_err(|e| to_error(&e))
}

/// A file of the table, open and found to be the one that was published.
async fn source(app: &App, product: &Product, row: &ProductFile) -> Result<SourceFile> {
    let (path, keeper) = (app.product_file_path(product, row)?, keeper(row));
    let seal = row.seal.as_deref().map(Seal::from_stored);
    let expected = Expected { path, size: row.size, sha256: row.sha256.clone(), keeper, seal };
    let intact = match app.verdicts.open(&expected, app.now()).await? {
        Ok(intact) => intact,
        Err(damage) => {
            app.product_damaged(product, row, &damage).await?;
            return Err(damage.to_error(&expected.path));
        }
    };
    if intact.resealed {
        app.product_file_reseal(product, row, Some(&intact.seal).filter(|_| intact.settled)).await?;
    }
    let Intact { file, seal, .. } = intact;
    let still_same = move |file: &std::fs::File| match seal.holds(&file.metadata()?, keeper) {
        true => Ok(()),
        false => Err(std::io::Error::other("the file changed while it was read")),
    };
    Ok(SourceFile::new(file, row.size, Arc::new(still_same)))
}

/// What a statement's failure is told as.
pub(crate) fn to_error(e: &SqlError) -> Error {
    match e {
        SqlError::Refused(_) | SqlError::OnValue => Error::invalid(e.to_string()),
        SqlError::TooLarge(_) | SqlError::OutOfMemory | SqlError::TooSlow(_) => Error::new(Code::QueryLimit, e.to_string()),
        SqlError::Busy(_) => Error::new(Code::TooMany, e.to_string()),
        SqlError::Failed(cause) => Error::new(Code::Internal, e.to_string()).with_internal(cause),
        other => Error::internal_failure(other),
    }
}
