//! Schema 3: the kind of a product has a column.

use crate::{conn::Conn, dialect::Sql, error::StoreError, value::vals};

const FILL: Sql = Sql::Each(
    "UPDATE product SET kind = COALESCE(json_extract(body, '$.kind'), '')",
    "UPDATE product SET kind = COALESCE(CAST(body AS JSONB) ->> 'kind', '')",
);

/// Fills the column from the documents.
pub(super) fn fill(conn: &mut Conn) -> Result<(), StoreError> {
    conn.execute(FILL, vals![]).map(drop)
}
