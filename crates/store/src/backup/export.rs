//! Writes a database as text, from one snapshot.

use super::{
    EXPORT_FORMAT, EXPORT_VERSION, LEFT_OUT,
    files::{StoredFile, stored_files},
    plain_name,
    source::Source,
};
use crate::{error::StoreError, value::Value};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
};

/// What an export held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The schema version of the database, which may be older than this program's.
    pub schema: u32,
    /// How many tables.
    pub tables: u64,
    /// How many rows.
    pub rows: u64,
    /// The data files that the rows name, by path, each once.
    pub files: Vec<StoredFile>,
    /// Products whose data stays where its publisher keeps it: dataset ids, with the participant before a slash.
    pub in_place: Vec<String>,
}

/// Writes every row of the database at `url` to `out`. Sees one snapshot, also while a node writes. Blocks; call it on
/// a thread that may.
///
/// # Errors
/// [`StoreError::Config`] when the database holds no node, [`StoreError::FromFuture`], [`StoreError::Stream`] when
/// `out` fails.
pub fn export(url: &str, out: &mut dyn Write) -> Result<Exported, StoreError> {
    let mut source = Source::read(url)?;
    source.begin()?;
    let exported = write(&mut source, out);
    let ended = source.end();
    let exported = exported?;
    ended.map(|()| exported)
}

fn write(source: &mut Source, out: &mut dyn Write) -> Result<Exported, StoreError> {
    let schema = source.schema()?.ok_or_else(|| StoreError::Config("the database holds no node".into()))?;
    line(out, &json!({"format": EXPORT_FORMAT, "version": EXPORT_VERSION, "schema": schema}))?;
    let (mut rows, mut tables) = (0_u64, 0_u64);
    for table in in_order(source)? {
        let columns = columns(source, &table)?;
        let key = primary_key(source, &table)?;
        line(out, &json!({"table": table, "columns": columns}))?;
        tables += 1;
        source.each(&format!("SELECT {} FROM {table} ORDER BY {}", columns.join(", "), key.join(", ")), |row| {
            rows += 1;
            line(out, &serde_json::Value::Array(row.into_iter().map(json_of).collect()))
        })?;
    }
    for (table, column, last) in sequences(source)? {
        line(out, &json!({"sequence": table, "column": column, "last": last}))?;
    }
    line(out, &json!({"end": {"tables": tables, "rows": rows}}))?;
    let (files, in_place) = stored_files(source, schema)?;
    Ok(Exported { schema, tables, rows, files, in_place })
}

fn line(out: &mut dyn Write, value: &serde_json::Value) -> Result<(), StoreError> {
    let written = serde_json::to_writer(&mut *out, value).map_err(std::io::Error::from).and_then(|()| out.write_all(b"\n"));
    written.map_err(|e| StoreError::Stream(e.to_string()))
}

fn json_of(value: Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Int(n) => n.into(),
        Value::Text(text) => text.into(),
        Value::Blob(bytes) => json!({"base64": STANDARD.encode(bytes)}),
    }
}

/// The tables, each after those it refers to, otherwise by name.
fn in_order(source: &mut Source) -> Result<Vec<String>, StoreError> {
    let tables: BTreeSet<String> = source.tables()?.into_iter().filter(|t| !LEFT_OUT.contains(&t.as_str())).collect();
    if let Some(strange) = tables.iter().find(|t| !plain_name(t)) {
        return Err(StoreError::Corrupt(format!("the table {strange:?} is none of this program's")));
    }
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for table in &tables {
        let referred = references(source, table)?;
        needs.insert(table.clone(), referred.into_iter().filter(|t| t != table && tables.contains(t)).collect());
    }
    let mut ordered: Vec<String> = Vec::with_capacity(tables.len());
    while !needs.is_empty() {
        let ready: Vec<String> = needs.iter().filter(|(_, n)| n.iter().all(|t| ordered.contains(t))).map(|(t, _)| t.clone()).collect();
        if ready.is_empty() {
            return Err(StoreError::Corrupt("tables refer to each other in a circle".into()));
        }
        needs.retain(|table, _| !ready.contains(table));
        ordered.extend(ready);
    }
    Ok(ordered)
}

fn references(source: &mut Source, table: &str) -> Result<Vec<String>, StoreError> {
    let sql = match source {
        Source::Sqlite(_) => format!("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list('{table}') ORDER BY 1"),
        Source::Postgres(_) => format!(
            "SELECT DISTINCT CAST(r.relname AS TEXT) FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class r ON r.oid = c.confrelid JOIN pg_namespace n ON n.oid = t.relnamespace WHERE c.contype = 'f' AND t.relname = '{table}' AND n.nspname = current_schema() ORDER BY 1"
        ),
    };
    source.texts(&sql)
}

/// Columns in the order of the migrations, but those added later after the others, as both databases have it.
fn columns(source: &mut Source, table: &str) -> Result<Vec<String>, StoreError> {
    let sql = match source {
        Source::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"),
        Source::Postgres(_) => format!(
            "SELECT CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = '{table}' ORDER BY ordinal_position"
        ),
    };
    names(source.texts(&sql)?, table)
}

fn primary_key(source: &mut Source, table: &str) -> Result<Vec<String>, StoreError> {
    let sql = match source {
        Source::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk"),
        Source::Postgres(_) => format!(
            "SELECT CAST(k.column_name AS TEXT) FROM information_schema.table_constraints c JOIN information_schema.key_column_usage k ON k.constraint_schema = c.constraint_schema AND k.constraint_name = c.constraint_name AND k.table_name = c.table_name WHERE c.constraint_type = 'PRIMARY KEY' AND c.table_schema = current_schema() AND c.table_name = '{table}' ORDER BY k.ordinal_position"
        ),
    };
    names(source.texts(&sql)?, table)
}

fn names(names: Vec<String>, table: &str) -> Result<Vec<String>, StoreError> {
    if names.is_empty() || !names.iter().all(|n| plain_name(n)) {
        return Err(StoreError::Corrupt(format!("the columns of {table} are not this program's")));
    }
    Ok(names)
}

/// Counters that never go back: table, column, and the last number given out.
fn sequences(source: &mut Source) -> Result<Vec<(String, String, i64)>, StoreError> {
    let counted: Vec<(String, String)> = match source {
        Source::Sqlite(_) => source.all(
            "SELECT m.name, i.name FROM sqlite_master m JOIN pragma_table_info(m.name) i WHERE m.type = 'table' AND m.sql LIKE '%AUTOINCREMENT%' AND i.pk = 1 ORDER BY m.name",
        )?,
        Source::Postgres(_) => source.all(
            "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_schema = current_schema() AND is_identity = 'YES' ORDER BY CAST(table_name AS TEXT) COLLATE \"C\"",
        )?,
    }
    .into_iter()
    .filter_map(|row| match <[Value; 2]>::try_from(row) {
        Ok([Value::Text(table), Value::Text(column)]) if plain_name(&table) && plain_name(&column) => Some((table, column)),
        _ => None,
    })
    .collect();
    let mut found = Vec::with_capacity(counted.len());
    for (table, column) in counted {
        let last = match source {
            Source::Sqlite(_) => {
                source.number(&format!("SELECT COALESCE((SELECT MAX(seq) FROM sqlite_sequence WHERE name = '{table}'), 0)"))?
            }
            Source::Postgres(_) => source.number(&format!(
                "SELECT COALESCE(pg_sequence_last_value(CAST(pg_get_serial_sequence('{table}', '{column}') AS REGCLASS)), 0)"
            ))?,
        };
        found.push((table, column, last));
    }
    Ok(found)
}
