//! `GET|HEAD …/files/{transfer}/{version}/{file}`: the bytes, under a signed address.
//!
//! The address is the credential; whether its transfer is still open is looked up for every request, and watched
//! before every piece.

use super::{Refusal, query::URL_KEY};
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
    let signed = verify_file_url(&format!("{transfer}/{version}"), &name, query.as_deref().unwrap_or_default(), key.as_ref(), app.now().as_millis())
        .map_err(|e| match e {
            UrlError::Forged => Error::new(Code::Forbidden, "The address was not issued by this node, or was changed."),
            UrlError::Expired => Error::new(Code::AccessEnded, "The address has expired; query the table again."),
        })?;
    let grant = app.grant(&slug, &TransferId::from_stored(transfer)).await?;
    let grant = app.grant_at_version(grant, version).await?;
    let file = app.product_file(&slug, &grant.product.reference, &name).await?.filter(|_| grant.product.reference.version == version);
    let file = file.ok_or_else(|| Error::not_found("The file"))?;
    let stored = Stored {
        path: app.product_file_path(&grant.product, &file)?,
        file: &file,
        media_type: PARQUET,
        attachment: false,
        query: &signed.query_id,
        rows: table_file(&file)?.rows,
    };
    Ok(serve::respond(&app, &grant, stored, Asked { method: &method, headers: &headers }).await?)
}
