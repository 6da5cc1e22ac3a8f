//! Schema 2: the files of a table leave the product's document for rows of their own.

use crate::{
    conn::Conn,
    dialect::Sql::Same,
    error::StoreError,
    value::{count, json, vals},
};
use serde_json::{Value, json};

const PRODUCTS: crate::dialect::Sql = Same(
    "SELECT participant, product_id, version, body FROM product WHERE participant > $1 OR (participant = $1 AND (product_id > $2 OR (product_id = $2 AND version > $3))) ORDER BY participant, product_id, version LIMIT 100",
);
const INSERT: crate::dialect::Sql = Same(
    "INSERT INTO product_file (participant, product_id, version, position, name, file_id, size, sha256, seal, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
);
const UPDATE: crate::dialect::Sql = Same("UPDATE product SET body = $4 WHERE participant = $1 AND product_id = $2 AND version = $3");

/// Moves `content.files` of every product to `product_file`. What the document says of a file beside its name, size and
/// hash becomes the row's body.
pub(super) fn move_out(conn: &mut Conn) -> Result<(), StoreError> {
    let (mut participant, mut product, mut version) = (String::new(), String::new(), 0);
    loop {
        // A page at a time: the documents of a large node do not fit in memory together.
        let rows = conn.query(PRODUCTS, vals![participant.as_str(), product.as_str(), version])?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            (participant, product, version) = (row.string(0)?, row.string(1)?, row.int(2)?);
            let mut body: Value = row.json(3)?;
            let damaged = || StoreError::Corrupt(format!("the files of the product {product}"));
            let Some(files) = body.pointer_mut("/content/files").map(Value::take) else { continue };
            let files = files.as_array().ok_or_else(damaged)?;
            for (position, file) in files.iter().enumerate() {
                let mut rest = file.as_object().ok_or_else(damaged)?.clone();
                let name = rest.shift_remove("name").and_then(|v| v.as_str().map(str::to_owned)).ok_or_else(damaged)?;
                let size = rest.shift_remove("sizeBytes").and_then(|v| v.as_u64()).ok_or_else(damaged)?;
                let sha256 = rest.shift_remove("sha256").and_then(|v| v.as_str().map(str::to_owned)).ok_or_else(damaged)?;
                let id = sha256.get(..32).ok_or_else(damaged)?.to_owned();
                let params = vals![
                    participant.as_str(),
                    product.as_str(),
                    version,
                    count(position as u64),
                    name,
                    id,
                    count(size),
                    sha256,
                    None::<String>,
                    json(&rest)?
                ];
                conn.execute(INSERT, params)?;
            }
            let content = body.get_mut("content").and_then(Value::as_object_mut).ok_or_else(damaged)?;
            content.shift_remove("files");
            content.insert("fileCount".into(), json!(files.len()));
            conn.execute(UPDATE, vals![participant.as_str(), product.as_str(), version, json(&body)?])?;
        }
    }
}
