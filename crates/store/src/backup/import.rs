//! Fills an empty database from its text, in one transaction: whole or not at all.

use super::{
    EXPORT_FORMAT, EXPORT_VERSION, LEFT_OUT, LINE_MAX_BYTES, plain_name,
    source::{Source, client},
};
use crate::{
    config::{StoreConfig, Target},
    conn::{Conn, PostgresConn},
    dialect::Sql,
    error::StoreError,
    migrate,
    value::{Value, vals},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use fondaco_core::time::Timestamp;
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    io::{BufRead, Read},
};

/// What an import wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The schema the text was of; the database has this program's now.
    pub schema: u32,
    /// How many rows.
    pub rows: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    schema: u32,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Mark {
    Table { table: String, columns: Vec<String> },
    Sequence { sequence: String, column: String, last: i64 },
    End { end: Totals },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Totals {
    tables: u64,
    rows: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bytes {
    base64: String,
}

/// The schema that has a log.
const LOG_SINCE: u32 = 9;
const HOLD_LOG: Sql = Sql::Same("UPDATE log_tree SET held = COALESCE(held, $1)");
/// A backup does not know what was cosigned after it: the key that promised never to cosign two histories must not go on.
const RETIRE_WITNESS: Sql = Sql::Same("UPDATE log_key SET retired_at = created_at WHERE witness = 1 AND retired_at IS NULL");
/// Why a restored log is held.
pub const HELD_RESTORED: &str = "it was restored from a backup, and may have signed more since";

/// Whether a database can be filled: it has no tables, or is a SQLite file that is not there yet.
///
/// # Errors
/// [`StoreError::Conflict`] when it holds something, [`StoreError::Unavailable`].
pub fn check_empty(url: &str) -> Result<(), StoreError> {
    if let Target::File(path) = StoreConfig::new(url).target()?
        && !path.exists()
    {
        return Ok(());
    }
    if Source::read(url)?.tables()?.is_empty() { Ok(()) } else { Err(StoreError::Conflict("the database is not empty".into())) }
}

/// Reads an export into the empty database at `url` and brings it to this program's schema. Blocks; call it on a
/// thread that may.
///
/// # Errors
/// [`StoreError::Conflict`] when the database is not empty, [`StoreError::FromFuture`] for a newer schema,
/// [`StoreError::Stream`] for a text that is not an export, or not a whole one. Nothing is written then.
pub fn import(url: &str, from: &mut dyn BufRead, now: Timestamp) -> Result<Imported, StoreError> {
    import_up_to(url, from, now, super::schema_version())
}

/// As [`import`], stopping at an older schema.
pub(super) fn import_up_to(url: &str, from: &mut dyn BufRead, now: Timestamp, last: u32) -> Result<Imported, StoreError> {
    check_empty(url)?;
    let mut conn = match StoreConfig::new(url).target()? {
        Target::Memory => return Err(StoreError::Config("a database in memory belongs to one process".into())),
        Target::File(path) => Conn::Sqlite(Box::new(crate::sqlite::connect(Some(&path))?)),
        Target::Postgres(config) => Conn::Postgres(Box::new(PostgresConn::new(client(*config)?))),
    };
    conn.batch(if matches!(conn, Conn::Sqlite(_)) { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
    let imported = fill(&mut conn, from, now, last);
    conn.batch(if imported.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    imported
}

fn fill(conn: &mut Conn, from: &mut dyn BufRead, now: Timestamp, last: u32) -> Result<Imported, StoreError> {
    let mut text = String::new();
    next(from, &mut text)?;
    let header: Header = parse(&text)?;
    if header.format != EXPORT_FORMAT {
        return Err(malformed("it is not an export of a node's database"));
    }
    let known = super::schema_version();
    if header.version > EXPORT_VERSION || header.schema > known {
        return Err(StoreError::FromFuture { found: header.schema, known });
    }
    if header.version == 0 || header.schema == 0 {
        return Err(malformed("its version is 0"));
    }
    migrate::up_to(conn, header.schema, now)?;
    let mut insert: Option<Insert> = None;
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut rows = 0_u64;
    loop {
        if !next(from, &mut text)? {
            return Err(malformed("it ends too early"));
        }
        if text.starts_with('[') {
            let Some(insert) = &insert else { return Err(malformed("a row stands before its table")) };
            insert.row(conn, &text)?;
            rows += 1;
            continue;
        }
        match parse::<Mark>(&text)? {
            Mark::Table { table, columns } => {
                if LEFT_OUT.contains(&table.as_str()) || !seen.insert(table.clone()) {
                    return Err(malformed("a table is there twice, or may not be there"));
                }
                insert = Some(Insert::new(conn, &table, &columns)?);
            }
            Mark::Sequence { sequence, column, last } => set_sequence(conn, &sequence, &column, last)?,
            Mark::End { end } => {
                if end.rows != rows || end.tables != seen.len() as u64 {
                    return Err(malformed("rows are missing"));
                }
                break;
            }
        }
    }
    if next(from, &mut text)? {
        return Err(malformed("something follows its end"));
    }
    migrate::up_to(conn, last, now)?;
    if last >= LOG_SINCE {
        // What it signed after the backup is not known here: it would sign other trees of the same size. A reason that held
        // it before is the weightier one, for only an operator may say that it is no more.
        conn.execute(HOLD_LOG, vals![HELD_RESTORED])?;
        conn.execute(RETIRE_WITNESS, vals![])?;
    }
    Ok(Imported { schema: header.schema, rows })
}

/// The statement for the rows of one table.
struct Insert {
    sql: String,
    columns: usize,
}

impl Insert {
    fn new(conn: &Conn, table: &str, columns: &[String]) -> Result<Self, StoreError> {
        if !plain_name(table) || columns.is_empty() || !columns.iter().all(|c| plain_name(c)) {
            return Err(malformed("a table or column has a name that is none of this program's"));
        }
        let places: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
        // Numbers that the database would give out itself are kept.
        let overriding = if matches!(conn, Conn::Postgres(_)) { "OVERRIDING SYSTEM VALUE " } else { "" };
        let sql = format!("INSERT INTO {table} ({}) {overriding}VALUES ({})", columns.join(", "), places.join(", "));
        Ok(Self { sql, columns: columns.len() })
    }

    fn row(&self, conn: &mut Conn, text: &str) -> Result<(), StoreError> {
        let cells: Vec<serde_json::Value> = parse(text)?;
        if cells.len() != self.columns {
            return Err(malformed("a row has another number of columns than its table"));
        }
        let cells = cells.into_iter().map(value_of).collect::<Result<Vec<Value>, StoreError>>()?;
        conn.insert(&self.sql, &cells)
    }
}

fn value_of(json: serde_json::Value) -> Result<Value, StoreError> {
    Ok(match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Number(n) => Value::Int(n.as_i64().ok_or_else(|| malformed("a number is no 64-bit integer"))?),
        serde_json::Value::String(text) => Value::Text(text),
        object @ serde_json::Value::Object(_) => {
            let bytes: Bytes = serde_json::from_value(object).map_err(|e| malformed(&e.to_string()))?;
            Value::Blob(STANDARD.decode(bytes.base64).map_err(|e| malformed(&e.to_string()))?)
        }
        _ => return Err(malformed("a column is of no type that is stored")),
    })
}

/// Goes on counting where the exported database was.
fn set_sequence(conn: &mut Conn, table: &str, column: &str, last: i64) -> Result<(), StoreError> {
    if !plain_name(table) || !plain_name(column) {
        return Err(malformed("a sequence has a name that is none of this program's"));
    }
    if last <= 0 {
        return Ok(());
    }
    match conn {
        Conn::Sqlite(_) => conn.batch(&format!(
            "DELETE FROM sqlite_sequence WHERE name = '{table}'; INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', {last})"
        )),
        Conn::Postgres(_) => conn.batch(&format!("SELECT setval(pg_get_serial_sequence('{table}', '{column}'), {last})")),
    }
}

/// The next line without its end; false at the end of the text.
fn next(from: &mut dyn BufRead, text: &mut String) -> Result<bool, StoreError> {
    text.clear();
    let read = from.take(LINE_MAX_BYTES).read_line(text).map_err(|e| StoreError::Stream(e.to_string()))?;
    if read == 0 {
        return Ok(false);
    }
    if text.pop() != Some('\n') {
        return Err(malformed("a line is cut short or too long"));
    }
    Ok(true)
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| malformed(&e.to_string()))
}

fn malformed(why: &str) -> StoreError {
    StoreError::Stream(format!("the export cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_whole_export_leaves_no_database_behind() {
        let head = r#"{"format":"fondaco-export","version":1,"schema":1}"#;
        let people = r#"{"table":"participant","columns":["slug","did","body"]}"#;
        for text in [
            String::new(),
            "PK\u{3}\u{4}".into(),
            head.into(),
            format!("{head}\n"),
            format!("{head}\n[1]\n{{\"end\":{{\"tables\":0,\"rows\":1}}}}\n"),
            format!("{head}\n{people}\n[\"a\",\"b\"]\n{{\"end\":{{\"tables\":1,\"rows\":1}}}}\n"),
            format!("{head}\n{people}\n[\"a\",\"b\",\"c\"]\n"),
            format!("{head}\n{people}\n[\"a\",\"b\",\"c\"]\n{{\"end\":{{\"tables\":1,\"rows\":2}}}}\n"),
            format!("{head}\n{people}\n{people}\n{{\"end\":{{\"tables\":2,\"rows\":0}}}}\n"),
            format!("{head}\n{people}\n[\"a\",\"b\",1.5]\n{{\"end\":{{\"tables\":1,\"rows\":1}}}}\n"),
            format!("{head}\n{people}\n[\"a\",\"b\",\"c\"]\n{{\"end\":{{\"tables\":1,\"rows\":1}}}}\nmore\n"),
            format!("{head}\n{{\"table\":\"x; DROP TABLE participant\",\"columns\":[\"a\"]}}\n{{\"end\":{{\"tables\":1,\"rows\":0}}}}\n"),
            format!("{head}\n{{\"table\":\"schema_migration\",\"columns\":[\"version\"]}}\n{{\"end\":{{\"tables\":1,\"rows\":0}}}}\n"),
            r#"{"format":"something","version":1,"schema":1}"#.to_owned() + "\n",
            format!("{head}\n{}\n{{\"end\":{{\"tables\":0,\"rows\":0}}}}\n", r#"{"table":"nothing_of_ours","columns":["a"]}"#),
        ] {
            let dir = tempfile::tempdir().expect("dir");
            let url = format!("sqlite:{}", dir.path().join("a.db").display());
            let refused = import(&url, &mut text.as_bytes(), Timestamp::from_micros(1));
            assert!(refused.is_err(), "{text}");
            assert_eq!(check_empty(&url), Ok(()), "{text}");
        }
    }

    #[test]
    fn newer_forms_and_schemas_are_refused() {
        let dir = tempfile::tempdir().expect("dir");
        let url = format!("sqlite:{}", dir.path().join("a.db").display());
        for head in [r#"{"format":"fondaco-export","version":2,"schema":1}"#, r#"{"format":"fondaco-export","version":1,"schema":999}"#] {
            let refused = import(&url, &mut format!("{head}\n").as_bytes(), Timestamp::from_micros(1));
            assert!(matches!(refused, Err(StoreError::FromFuture { .. })), "{refused:?}");
        }
    }

    #[test]
    fn a_database_with_something_in_it_is_not_filled() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("a.db");
        rusqlite::Connection::open(&path).expect("open").execute_batch("CREATE TABLE a (b TEXT)").expect("table");
        let refused = import(&format!("sqlite:{}", path.display()), &mut "".as_bytes(), Timestamp::from_micros(1));
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
}
