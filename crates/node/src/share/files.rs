//! `GET|HEAD …/files/{transfer}/{version}/{file}`: the bytes, under a signed address.
//!
//! The address is the credential; whether its transfer is still open is looked up for every request, and watched
//! before every piece.

use super::{
    Refusal,
    query::{URL_KEY, only_aggregates},
};
use crate::{
    app::{App, product_files::table_file},
    files::serve::{self, Asked, Stored},
};
use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderMap, Method},
    response::Response,
};
use fondaco_core::{Code, Error, ids::TransferId, participant::Slug};
use fondaco_tables::delta_sharing::{UrlError, verify_file_url};
use std::sync::Arc;

/// The media type of Parquet.
const PARQUET: &str = "application/vnd.apache.parquet";

/// Serves a file.
pub async fn file(
    State(app): State<App>,
    Path((slug, transfer, version, name)): Path<(String, String, u32, String)>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let slug = Slug::parse(&slug).map_err(|_| Error::not_found("The file"))?;
    let key = app.sealer.derive(URL_KEY);
    let signed =
        verify_file_url(&format!("{transfer}/{version}"), &name, query.as_deref().unwrap_or_default(), key.as_ref(), app.now().as_millis())
            .map_err(|e| match e {
                UrlError::Forged => Error::new(Code::Forbidden, "The address was not issued by this node, or was changed."),
                UrlError::Expired => Error::new(Code::AccessEnded, "The address has expired; query the table again."),
            })?;
    let grant = app.grant_of_read(&slug, &TransferId::from_stored(transfer)).await?;
    let grant = app.grant_at_version(grant, version).await?;
    let missing = || Error::not_found("The file");
    if grant.product.reference.version != version {
        return Err(missing().into());
    }
    let asked = Asked { method: &method, headers: &headers };
    // For every request anew: another plan knows no file of this name.
    let plan = Arc::new(app.table_plan(&grant)?);
    if !plan.is_whole() {
        if plan.min_group_size().is_some() {
            return Err(only_aggregates().into());
        }
        let names = app.file_names(&grant);
        let (id, place) = names.read(&name).ok_or_else(missing)?;
        let row = app.product_file_at(&slug, &grant.product.reference, place).await?.ok_or_else(missing)?;
        let shown = app.governed_file(&grant, &plan, &row).await?.filter(|shown| names.id(shown) == id).ok_or_else(missing)?;
        let stored = Stored {
            path: app.product_file_path(&grant.product, &row)?,
            file: &row,
            media_type: PARQUET,
            attachment: false,
            query: &signed.query_id,
            rows: shown.rows,
            governed: Some((id, &shown)),
        };
        return Ok(serve::respond(&app, &grant, stored, asked).await?);
    }
    let file = app.product_file(&slug, &grant.product.reference, &name).await?.ok_or_else(missing)?;
    let stored = Stored {
        path: app.product_file_path(&grant.product, &file)?,
        file: &file,
        media_type: PARQUET,
        attachment: false,
        query: &signed.query_id,
        rows: table_file(&file)?.rows,
        governed: None,
    };
    Ok(serve::respond(&app, &grant, stored, asked).await?)
}
