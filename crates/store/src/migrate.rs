//! Migrations: numbered scripts, applied in order when the store opens, one transaction each.
//!
//! `schema_migration` says which were applied and their SHA-256. A database that knows more than this program, or
//! whose scripts differ, is refused before anything is read from it.

mod agreement_life;
mod many_rows;
mod product_files;
mod product_kinds;

use crate::{
    conn::Conn,
    dialect::{self, Dialect, MIGRATION_LOCK, MIGRATIONS_EXIST, Sql},
    error::StoreError,
    value::vals,
};
use fondaco_core::{canonical::sha256_hex, time::Timestamp};

struct Migration {
    version: u32,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
    /// What no script can say in both dialects: run after it, in the same transaction.
    rows: fn(&mut Conn) -> Result<(), StoreError>,
}

macro_rules! migration {
    ($version:literal, $name:literal) => {
        migration!($version, $name, |_| Ok(()))
    };
    ($version:literal, $name:literal, $rows:expr) => {
        Migration {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../migrations/postgres/", $name, ".sql")),
            rows: $rows,
        }
    };
}

/// Every migration, in order.
const MIGRATIONS: &[Migration] = &[
    migration!(1, "0001_first"),
    migration!(2, "0002_files_and_sources", product_files::move_out),
    migration!(3, "0003_rooms", product_kinds::fill),
    migration!(4, "0004_connection_checks"),
    migration!(5, "0005_catalog_revision"),
    migration!(6, "0006_agreement_life", agreement_life::fill),
    migration!(7, "0007_many_rows", many_rows::fill),
    migration!(8, "0008_usage"),
    migration!(9, "0009_log"),
    migration!(10, "0010_witnesses"),
];

const TABLE: &str = "CREATE TABLE schema_migration (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)";
const APPLIED: Sql = Sql::Same("SELECT version, checksum FROM schema_migration ORDER BY version");
const RECORD: Sql = Sql::Same("INSERT INTO schema_migration (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)");

impl Migration {
    const fn script(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }
}

/// Brings the database to this program's schema.
///
/// # Errors
/// [`StoreError::FromFuture`], [`StoreError::MigrationChanged`], or what the database says.
pub(crate) fn migrate(conn: &mut Conn, now: Timestamp) -> Result<(), StoreError> {
    loop {
        conn.batch(if conn.dialect() == Dialect::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
        let applied = step(conn, newest(), now);
        conn.batch(if applied.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        if !applied? {
            return Ok(());
        }
    }
}

/// The newest schema this program knows.
pub(crate) fn newest() -> u32 {
    MIGRATIONS.last().map_or(0, |m| m.version)
}

/// Brings the database to one schema, within the transaction that is open.
pub(crate) fn up_to(conn: &mut Conn, version: u32, now: Timestamp) -> Result<(), StoreError> {
    while step(conn, version, now)? {}
    Ok(())
}

/// Applies the next migration up to `last`, if there is one.
fn step(conn: &mut Conn, last: u32, now: Timestamp) -> Result<bool, StoreError> {
    conn.query(MIGRATION_LOCK, &[])?;
    let exists = conn.query(MIGRATIONS_EXIST, &[])?.first().map_or(Ok(0), |row| row.int(0))? > 0;
    if !exists {
        let sql = dialect::script(conn.dialect(), TABLE).into_owned();
        conn.batch(&sql)?;
    }
    let rows = conn.query(APPLIED, &[])?;
    let known = newest();
    // Whatever else is wrong, a newer database says so first.
    let newest = rows.last().map_or(Ok(0), |row| row.int(0))?;
    let found = u32::try_from(newest).map_err(|_| StoreError::Corrupt("schema_migration".into()))?;
    if found > known {
        return Err(StoreError::FromFuture { found, known });
    }
    for (row, migration) in rows.iter().zip(MIGRATIONS) {
        if row.int(0)? != i64::from(migration.version) || row.text(1)? != sha256_hex(migration.script(conn.dialect()).as_bytes()) {
            return Err(StoreError::MigrationChanged { version: migration.version });
        }
    }
    let Some(next) = MIGRATIONS.get(rows.len()).filter(|m| m.version <= last) else { return Ok(false) };
    let script = next.script(conn.dialect());
    conn.batch(script)?;
    (next.rows)(conn)?;
    conn.execute(RECORD, vals![next.version, next.name, sha256_hex(script.as_bytes()), now])?;
    tracing::info!(version = next.version, name = next.name, "migrated the database");
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Postgres's script in SQLite's words. The whole text is compared, so that not only tables and columns but keys,
    /// indexes and comments are the same.
    fn as_sqlite(postgres: &str) -> String {
        postgres
            .replace(" COLLATE \"C\"", "")
            .replace("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT")
            .replace("BIGINT", "INTEGER")
            .replace("BYTEA", "BLOB")
            .replace("\n);\n", "\n) STRICT;\n")
    }

    #[test]
    fn both_folders_hold_the_same_schema() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(migration.version), Ok(index + 1));
            assert!(migration.name.starts_with(&format!("{:04}_", migration.version)), "{}", migration.name);
            assert_eq!(as_sqlite(migration.postgres), migration.sqlite, "{}", migration.name);
        }
        for folder in ["sqlite", "postgres"] {
            let path = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let files = std::fs::read_dir(&path).expect("folder").count();
            assert_eq!(files, MIGRATIONS.len(), "{path}");
        }
    }

    #[test]
    fn a_changed_or_newer_database_is_refused() {
        let mut conn = Conn::Sqlite(Box::new(rusqlite::Connection::open_in_memory().expect("open")));
        let now = Timestamp::from_micros(1);
        migrate(&mut conn, now).expect("migrates");
        migrate(&mut conn, now).expect("a second time changes nothing");
        conn.batch("UPDATE schema_migration SET checksum = 'x' WHERE version = 1").expect("tamper");
        assert_eq!(migrate(&mut conn, now), Err(StoreError::MigrationChanged { version: 1 }));
        conn.batch("INSERT INTO schema_migration VALUES (999, 'later', 'x', 1)").expect("tamper");
        let known = MIGRATIONS.last().expect("one").version;
        assert_eq!(migrate(&mut conn, now), Err(StoreError::FromFuture { found: 999, known }));
    }
}
