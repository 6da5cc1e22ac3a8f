//! What one version of a product leaves for the next, when the product follows a Delta table.
//!
//! A file that is in both versions is neither read nor copied again. What was learnt of the columns is
//! kept beside the files, as one sum over all of them: exact for the next version as long as files are
//! only added. Once one has gone, what cannot be known without reading everything again is left out of
//! the profile, until a version is published afresh.

use std::{collections::HashMap, fs, io::Read, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ColumnAccumulator, ColumnProfile, DataFile, MAX_BOUND_CHARS, Previous, TableSchema};
use crate::TablesError;

/// The file in a product's directory.
const MEMORY_FILE: &str = ".columns.json";
/// Its largest size: 2,000 columns of 6 KiB, with room for nested types.
const MEMORY_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// What is kept of a version.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    schema: TableSchema,
    /// Whether the columns tell about this version's files and no others.
    exact: bool,
    columns: Vec<ColumnAccumulator>,
}

/// An earlier version that can be built on.
pub(super) struct Followed<'a> {
    dir: &'a Path,
    files: HashMap<&'a str, &'a DataFile>,
    memory: Memory,
}

impl<'a> Followed<'a> {
    /// Looks at the earlier version; `None` when nothing of it can be used, such as after an upgrade.
    pub(super) fn open(previous: &'a Previous) -> Option<Self> {
        let mut text = Vec::new();
        fs::File::open(previous.dir.join(MEMORY_FILE)).and_then(|f| f.take(MEMORY_MAX_BYTES + 1).read_to_end(&mut text)).ok()?;
        let memory: Memory = serde_json::from_slice(&text).ok()?;
        let files = previous.files.iter().filter_map(|f| Some((f.origin.as_deref()?, f))).collect();
        Some(Self { dir: &previous.dir, files, memory })
    }

    /// The file of this origin, if it is still there as it was.
    pub(super) fn file(&self, origin: &str, in_place: bool) -> Option<&'a DataFile> {
        let file = *self.files.get(origin)?;
        let path = match &file.path {
            Some(path) if in_place => path.clone(),
            // The caller wants copies now.
            Some(_) => return None,
            None => self.dir.join(&file.name),
        };
        fs::symlink_metadata(path).is_ok_and(|m| m.is_file() && m.len() == file.size_bytes).then_some(file)
    }

    /// Makes the earlier version's file appear as `target`.
    pub(super) fn link(&self, file: &DataFile, target: &Path) -> Result<(), TablesError> {
        if file.path.is_some() {
            return Ok(());
        }
        let source = self.dir.join(&file.name);
        // Another file system, or one without links.
        fs::hard_link(&source, target).or_else(|_| fs::copy(&source, target).map(|_| ())).map_err(TablesError::io("copying", source))
    }

    /// The schema of the earlier version: its files were checked against it.
    pub(super) fn schema(&self) -> &TableSchema {
        &self.memory.schema
    }

    /// What the earlier version knew of its columns.
    pub(super) fn columns(&self) -> &[ColumnAccumulator] {
        &self.memory.columns
    }

    /// Whether what it knew is true of a version that has `reused` of its files.
    pub(super) fn is_exact(&self, reused: usize) -> bool {
        self.memory.exact && reused == self.files.len()
    }
}

/// Keeps what the next version can use.
pub(super) fn remember(dir: &Path, schema: &TableSchema, columns: &[ColumnAccumulator], exact: bool) -> Result<(), TablesError> {
    let path = dir.join(MEMORY_FILE);
    let memory = Memory { schema: schema.clone(), exact, columns: columns.to_vec() };
    let text = serde_json::to_vec(&memory).map_err(|e| TablesError::Write { file: MEMORY_FILE.into(), reason: e.to_string() })?;
    fs::write(&path, text).map_err(TablesError::io("writing", path))
}

/// What the files' statistics say for certain about the whole table. They are bounds for skipping files,
/// rounded and cut, so that only some types have an exact smallest and largest value there.
pub(super) fn profile_from_stats(schema: &TableSchema, files: &[DataFile]) -> Vec<ColumnProfile> {
    schema
        .columns
        .iter()
        .filter_map(|column| {
            let name = column.name.as_str();
            let mut nulls = 0;
            for file in files {
                nulls += file.stats.null_count.get(name)?.as_u64()?;
            }
            let exact = |value: &Value| match column.data_type.as_str() {
                Some("byte" | "short" | "integer" | "long") => value.is_i64(),
                // Years of four digits sort as text.
                Some("date") => value.as_str().is_some_and(|d| d.len() == 10),
                // A shorter one cannot have been cut.
                Some("string") => value.as_str().is_some_and(|s| s.chars().count() < MAX_BOUND_CHARS),
                _ => false,
            };
            let bound = |side: fn(&DataFile) -> &serde_json::Map<String, Value>, largest: bool| {
                let mut best: Option<&Value> = None;
                for file in files {
                    let all_null = file.stats.null_count.get(name).and_then(Value::as_u64) == Some(file.rows);
                    let Some(value) = side(file).get(name) else {
                        if all_null {
                            continue;
                        }
                        return None;
                    };
                    if !exact(value) {
                        return None;
                    }
                    let less = |a: &Value, b: &Value| match (a.as_i64(), b.as_i64()) {
                        (Some(a), Some(b)) => a < b,
                        _ => a.as_str() < b.as_str(),
                    };
                    if best.is_none_or(|b| if largest { less(b, value) } else { less(value, b) }) {
                        best = Some(value);
                    }
                }
                best.cloned()
            };
            let (min, max) = (bound(|f| &f.stats.min_values, false), bound(|f| &f.stats.max_values, true));
            Some(ColumnProfile { name: column.name.clone(), nulls, min, max, distinct_estimate: None })
        })
        .collect()
}
