//! Which data files the rows of a database name.

use super::source::Source;
use crate::{error::StoreError, value::Value};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

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

/// The schema that gave files rows of their own.
const FILES_HAVE_ROWS: u32 = 2;

/// A version of a product.
type Key = (String, String, i64);

/// The files of every product version, and the products with data that is not here.
pub(crate) fn stored_files(source: &mut Source, schema: u32) -> Result<(Vec<StoredFile>, Vec<String>), StoreError> {
    let mut files: BTreeMap<String, StoredFile> = BTreeMap::new();
    // Where each version's files lie below the folder of data; `None`: where the publisher keeps them.
    let mut folders: BTreeMap<Key, Option<String>> = BTreeMap::new();
    let mut in_place: BTreeSet<Key> = BTreeSet::new();
    let mut keep = |folder: &str, name: &str, size_bytes: u64, sha256: &str| {
        let path = format!("{folder}/{name}");
        files.insert(path.clone(), StoredFile { path, size_bytes, sha256: sha256.to_owned() });
    };
    source.each("SELECT participant, product_id, version, body FROM product", |row| {
        let Ok([Value::Text(participant), Value::Text(id), Value::Int(version), Value::Text(body)]) = <[Value; 4]>::try_from(row) else {
            return Err(damaged("a product"));
        };
        let body: Json = serde_json::from_str(&body).map_err(|e| damaged(&format!("{participant}/{id}: {e}")))?;
        let content = &body["content"];
        let folder = content["folder"].as_str().map(str::to_owned);
        if schema < FILES_HAVE_ROWS
            && let Some(folder) = &folder
        {
            for file in content["files"].as_array().into_iter().flatten() {
                let found = file["name"].as_str().zip(file["sizeBytes"].as_u64()).zip(file["sha256"].as_str());
                let Some(((name, size_bytes), sha256)) = found else { return Err(damaged(&format!("the files of {participant}/{id}"))) };
                keep(folder, name, size_bytes, sha256);
            }
        }
        folders.insert((participant, id, version), folder);
        Ok(())
    })?;
    if schema >= FILES_HAVE_ROWS {
        source.each("SELECT participant, product_id, version, name, size, sha256, body FROM product_file", |row| {
            let Ok(
                [
                    Value::Text(participant),
                    Value::Text(id),
                    Value::Int(version),
                    Value::Text(name),
                    Value::Int(size),
                    Value::Text(sha256),
                    Value::Text(body),
                ],
            ) = <[Value; 7]>::try_from(row)
            else {
                return Err(damaged("a file of a product"));
            };
            let body: Json = serde_json::from_str(&body).map_err(|e| damaged(&format!("{participant}/{id}: {e}")))?;
            let key = (participant, id, version);
            match folders.get(&key) {
                // A file that names its own path was left there.
                Some(Some(folder)) if body["path"].is_null() => {
                    keep(folder, &name, u64::try_from(size).map_err(|_| damaged("the size of a file"))?, &sha256);
                }
                _ => drop(in_place.insert(key)),
            }
            Ok(())
        })?;
    }
    in_place.extend(folders.into_iter().filter(|(_, folder)| folder.is_none()).map(|(key, _)| key));
    let in_place = in_place.into_iter().map(|(participant, id, version)| format!("{participant}/{id}:{version}")).collect();
    Ok((files.into_values().collect(), in_place))
}

fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt(what.to_owned())
}
