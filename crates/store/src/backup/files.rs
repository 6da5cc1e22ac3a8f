//! Which data files the rows of a database name.

use super::source::Source;
use crate::{error::StoreError, value::Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// A data file of a product.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredFile {
    /// Its path below the node's folder of data, with `/`.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its SHA-256, in lower-case hex.
    pub sha256: String,
}

/// The files of every product version, and the products that have none here.
pub(crate) fn stored_files(source: &mut Source, _schema: u32) -> Result<(Vec<StoredFile>, Vec<String>), StoreError> {
    let mut files: BTreeMap<String, StoredFile> = BTreeMap::new();
    let mut in_place = Vec::new();
    source.each("SELECT participant, product_id, version, body FROM product ORDER BY participant, product_id, version", |row| {
        let [Value::Text(participant), Value::Text(id), Value::Int(version), Value::Text(body)] =
            <[Value; 4]>::try_from(row).map_err(|_| damaged("a product"))?
        else {
            return Err(damaged("a product"));
        };
        let body: Json = serde_json::from_str(&body).map_err(|e| damaged(&format!("{participant}/{id}: {e}")))?;
        let Some(folder) = body["content"]["folder"].as_str() else {
            in_place.push(format!("{participant}/{id}:{version}"));
            return Ok(());
        };
        for file in body["content"]["files"].as_array().into_iter().flatten() {
            let found = file["name"].as_str().zip(file["sizeBytes"].as_u64()).zip(file["sha256"].as_str());
            let Some(((name, size_bytes), sha256)) = found else { return Err(damaged(&format!("the files of {participant}/{id}"))) };
            let path = format!("{folder}/{name}");
            files.insert(path.clone(), StoredFile { path, size_bytes, sha256: sha256.to_owned() });
        }
        Ok(())
    })?;
    Ok((files.into_values().collect(), in_place))
}

fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt(what.to_owned())
}
