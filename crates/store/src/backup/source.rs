//! A connection of its own to a database that a node may be using: reads one snapshot, row by row.

use crate::{
    config::{StoreConfig, Target},
    error::StoreError,
    postgres::connect as connect_postgres,
    sqlite::BUSY_TIMEOUT,
    value::Value,
};
use fondaco_core::time::Timestamp;
use postgres::fallible_iterator::FallibleIterator;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;

/// The setting with which a backup says when it was made.
pub(crate) const BACKUP_SETTING: &str = "backup";
/// One read may take long on a large database, and the server must not end it; an operator waits and watches.
const NO_LIMITS: &str = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c lock_timeout=10s";

/// A database to read or to fill.
pub(crate) enum Source {
    Sqlite(Connection),
    Postgres(Box<postgres::Client>),
}

impl Source {
    /// Opens for reading. A SQLite file is not created, changed or migrated.
    pub(crate) fn read(url: &str) -> Result<Self, StoreError> {
        match StoreConfig::new(url).target()? {
            Target::Memory => Err(StoreError::Config("a database in memory belongs to one process".into())),
            Target::File(path) => {
                let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
                conn.busy_timeout(BUSY_TIMEOUT)?;
                Ok(Self::Sqlite(conn))
            }
            Target::Postgres(config) => Ok(Self::Postgres(Box::new(client(*config)?))),
        }
    }

    /// Begins a snapshot that lasts until [`Source::end`].
    pub(crate) fn begin(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(conn) => Ok(conn.execute_batch("BEGIN")?),
            Self::Postgres(client) => Ok(client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?),
        }
    }

    /// Ends the snapshot.
    pub(crate) fn end(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(conn) => Ok(conn.execute_batch("ROLLBACK")?),
            Self::Postgres(client) => Ok(client.batch_execute("ROLLBACK")?),
        }
    }

    /// Calls `row` with each row of a statement without parameters, in order.
    pub(crate) fn each(&mut self, sql: &str, mut row: impl FnMut(Vec<Value>) -> Result<(), StoreError>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(conn) => {
                let mut statement = conn.prepare(sql)?;
                let columns = statement.column_count();
                let mut rows = statement.raw_query();
                while let Some(found) = rows.next()? {
                    row((0..columns).map(|i| crate::conn::from_sqlite(found.get_ref(i)?)).collect::<Result<_, StoreError>>()?)?;
                }
                Ok(())
            }
            Self::Postgres(client) => {
                let mut rows = client.query_raw(sql, std::iter::empty::<&str>())?;
                while let Some(found) = rows.next()? {
                    row(crate::conn::from_postgres(&found)?.0)?;
                }
                Ok(())
            }
        }
    }

    /// All rows of a short answer.
    pub(crate) fn all(&mut self, sql: &str) -> Result<Vec<Vec<Value>>, StoreError> {
        let mut rows = Vec::new();
        self.each(sql, |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// The first column of each row, which is a text.
    pub(crate) fn texts(&mut self, sql: &str) -> Result<Vec<String>, StoreError> {
        self.all(sql)?
            .into_iter()
            .map(|row| match row.into_iter().next() {
                Some(Value::Text(text)) => Ok(text),
                _ => Err(StoreError::Corrupt("a name is not a text".into())),
            })
            .collect()
    }

    /// The one number a statement answers.
    pub(crate) fn number(&mut self, sql: &str) -> Result<i64, StoreError> {
        match self.all(sql)?.first().and_then(|row| row.first()) {
            Some(Value::Int(n)) => Ok(*n),
            _ => Err(StoreError::Corrupt("a number is missing".into())),
        }
    }

    /// The tables there are, by name.
    pub(crate) fn tables(&mut self) -> Result<Vec<String>, StoreError> {
        self.texts(match self {
            Self::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
            Self::Postgres(_) => {
                "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY CAST(table_name AS TEXT) COLLATE \"C\""
            }
        })
    }

    /// The schema version; `None` when the database holds no node.
    ///
    /// # Errors
    /// [`StoreError::FromFuture`] for one this program does not know.
    pub(crate) fn schema(&mut self) -> Result<Option<u32>, StoreError> {
        if !self.tables()?.iter().any(|t| t == "schema_migration") {
            return Ok(None);
        }
        let found = self.number("SELECT COALESCE(MAX(version), 0) FROM schema_migration")?;
        let found = u32::try_from(found).map_err(|_| StoreError::Corrupt("schema_migration".into()))?;
        let known = super::schema_version();
        if found > known { Err(StoreError::FromFuture { found, known }) } else { Ok((found > 0).then_some(found)) }
    }
}

/// A Postgres connection without the store's limits on a statement's time.
pub(crate) fn client(mut config: postgres::Config) -> Result<postgres::Client, StoreError> {
    let options = config.get_options().unwrap_or_default().to_owned();
    config.options(&format!("{NO_LIMITS} {options}"));
    if config.get_application_name().is_none() {
        config.application_name("fondaco");
    }
    connect_postgres(&config)
}

/// Notes that a backup was made. Works beside a running node.
///
/// # Errors
/// [`StoreError::Unavailable`] when it cannot be written.
pub fn note_backup(url: &str, at: Timestamp) -> Result<(), StoreError> {
    const PUT: &str = "INSERT INTO setting (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    let value = json!({ "at": at }).to_string();
    match StoreConfig::new(url).target()? {
        Target::Memory => Err(StoreError::Config("a database in memory belongs to one process".into())),
        Target::File(path) => {
            let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            conn.busy_timeout(BUSY_TIMEOUT)?;
            conn.execute(PUT, [BACKUP_SETTING, &value])?;
            Ok(())
        }
        Target::Postgres(config) => {
            client(*config)?.execute(PUT, &[&BACKUP_SETTING, &value])?;
            Ok(())
        }
    }
}
