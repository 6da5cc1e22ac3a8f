//! A query on PostgreSQL as a table: read once, in one snapshot, and kept as Parquet.
//!
//! The connection can only read: the transaction is READ ONLY, and the extended protocol takes one statement.
//! Rows stream, so memory does not grow with their number; they are in the order in which the query gives
//! them. Which addresses may be called is the caller's to decide (see [`PostgresSettings::hostaddr`]).

mod values;

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use ::postgres::{
    CancelToken, Client, Config, IsolationLevel, NoTls, config::SslMode, error::SqlState, fallible_iterator::FallibleIterator, types::ToSql,
};
use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{Field, Schema},
};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::values::{Column, Kind, Raw};
use super::{
    super::{Phase, Progress, Work},
    Source,
    csv::{BATCH_BYTES, BATCH_ROWS},
    part::PartWriter,
};
use crate::TablesError;

/// How long a connection attempt may take, unless the settings say otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the query may take with all its rows, unless the settings say otherwise.
const STATEMENT_TIMEOUT: Duration = Duration::from_hours(1);
/// The server ends a transaction that this side left open for so long.
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);
/// Unanswered packets end a connection after this long.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);
/// A silent connection is probed after this long, so that a dead one is noticed.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// Longest query in bytes: a page of text, not a program.
const MAX_QUERY_BYTES: usize = 64 * 1024;
/// Most characters of a server's message that are passed on.
const MAX_MESSAGE_CHARS: usize = 500;

/// Whether a connection is encrypted. Certificates are always checked against the public roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostgresTls {
    /// Always.
    Require,
    /// If the server offers it: somebody on the way can prevent that.
    Prefer,
    /// Never.
    Disable,
}

/// Where a database is and as whom to read it.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// Name or address of its host.
    pub host: String,
    /// Usually 5432.
    pub port: u16,
    /// Name of the database.
    pub database: String,
    /// Name of the role; it needs no right but to read.
    pub user: String,
    /// Its password, if it has one.
    pub password: Option<String>,
    /// Whether the connection is encrypted.
    pub tls: PostgresTls,
    /// How long a connection attempt may take.
    pub connect_timeout: Duration,
    /// How long a query may take with all its rows.
    pub statement_timeout: Duration,
    /// The address to call instead of asking for the host's: one that the caller has resolved and checked.
    pub hostaddr: Option<IpAddr>,
}

impl PostgresSettings {
    /// Settings with the usual port and times, encrypted unless the host is this machine.
    pub fn new(host: impl Into<String>, database: impl Into<String>, user: impl Into<String>) -> Self {
        let host = host.into();
        let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        Self {
            tls: if loopback { PostgresTls::Disable } else { PostgresTls::Require },
            host,
            port: 5432,
            database: database.into(),
            user: user.into(),
            password: None,
            connect_timeout: CONNECT_TIMEOUT,
            statement_timeout: STATEMENT_TIMEOUT,
            hostaddr: None,
        }
    }

    /// Connects and asks for nothing but an answer.
    ///
    /// # Errors
    /// Kinds `database-unreachable` and `database-refused`.
    pub fn check(&self) -> Result<(), TablesError> {
        let mut client = self.connect()?;
        client.simple_query("SELECT 1").map_err(|e| self.query_error(&e))?;
        Ok(())
    }

    fn connect(&self) -> Result<Client, TablesError> {
        // A path would be a socket on this machine, which no check of addresses sees.
        if self.host.is_empty() || self.host.starts_with(['/', '@']) {
            return Err(self.unreachable("the host must be a name or an address".into()));
        }
        let mut config = Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .dbname(&self.database)
            .user(&self.user)
            .application_name("fondaco")
            .connect_timeout(self.connect_timeout)
            .tcp_user_timeout(TCP_USER_TIMEOUT)
            .keepalives_idle(KEEPALIVE_IDLE)
            .ssl_mode(match self.tls {
                PostgresTls::Require => SslMode::Require,
                PostgresTls::Prefer => SslMode::Prefer,
                PostgresTls::Disable => SslMode::Disable,
            });
        if let Some(password) = &self.password {
            config.password(password);
        }
        if let Some(address) = self.hostaddr {
            config.hostaddr(address);
        }
        let connected = match self.encryption()? {
            Some(tls) => config.connect(tls),
            None => config.connect(NoTls),
        };
        connected.map_err(|e| match e.as_db_error() {
            Some(db) => TablesError::DatabaseRefused { server: self.server(), reason: with_state(db.message(), db.code(), db.hint()) },
            // A server may close the connection on whom it does not know.
            None => self.unreachable(causes(&e)),
        })
    }

    /// TLS with the public roots; none when the connection is not to be encrypted.
    fn encryption(&self) -> Result<Option<MakeRustlsConnect>, TablesError> {
        if self.tls == PostgresTls::Disable {
            return Ok(None);
        }
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        // The provider is named, because several are linked and rustls would not choose.
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| self.unreachable(e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Some(MakeRustlsConnect::new(config)))
    }

    /// Ends the query of a connection, so that closing it need not wait for the rows that are left.
    fn cancel(&self, token: &CancelToken) -> Result<(), TablesError> {
        let cancelled = match self.encryption()? {
            Some(tls) => token.cancel_query(tls),
            None => token.cancel_query(NoTls),
        };
        cancelled.map_err(|e| self.unreachable(causes(&e)))
    }

    fn unreachable(&self, reason: String) -> TablesError {
        TablesError::DatabaseUnreachable { server: self.server(), reason }
    }

    /// For messages.
    fn server(&self) -> String {
        format!("{}:{}/{}", self.host, self.port, self.database)
    }

    /// An error of a query under way.
    fn query_error(&self, error: &::postgres::Error) -> TablesError {
        let lost = |reason| TablesError::DatabaseLost { server: self.server(), reason };
        match error.as_db_error() {
            Some(db) if [&SqlState::ADMIN_SHUTDOWN, &SqlState::CRASH_SHUTDOWN, &SqlState::DATABASE_DROPPED].contains(&db.code()) => {
                lost(with_state(db.message(), db.code(), db.hint()))
            }
            Some(db) if *db.code() == SqlState::QUERY_CANCELED => TablesError::DatabaseSlow {
                server: self.server(),
                reason: format!(
                    "{}; at most {} seconds are given: select less, or help the query with an index",
                    with_state(db.message(), db.code(), None),
                    self.statement_timeout.as_secs_f64()
                ),
            },
            // Nobody but the server or its operator ends a session with these classes.
            Some(db) if db.code().code().starts_with("57P") || db.code().code().starts_with("08") => {
                lost(with_state(db.message(), db.code(), db.hint()))
            }
            Some(db) => TablesError::QueryRefused { reason: with_state(db.message(), db.code(), db.hint()) },
            None => lost(causes(error)),
        }
    }
}

/// The password is left out.
impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("server", &self.server())
            .field("user", &self.user)
            .field("tls", &self.tls)
            .field("hostaddr", &self.hostaddr)
            .finish_non_exhaustive()
    }
}

/// A query whose result is the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresQuery {
    /// Where to ask.
    pub settings: PostgresSettings,
    /// One statement that returns rows, as in `SELECT … FROM …`.
    pub query: String,
}

/// A server's message with its code, which manuals list, and its hint.
fn with_state(message: &str, code: &SqlState, hint: Option<&str>) -> String {
    let message: String = message.chars().take(MAX_MESSAGE_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let hint = hint.map_or_else(String::new, |h| format!(" ({})", h.chars().take(MAX_MESSAGE_CHARS).collect::<String>()));
    format!("{message}{hint} [SQLSTATE {}]", code.code())
}

/// An error with what caused it.
fn causes(error: &::postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// A query to publish.
pub(in super::super) struct PostgresSource {
    query: PostgresQuery,
}

impl PostgresSource {
    pub(in super::super) fn new(query: PostgresQuery) -> Self {
        Self { query }
    }
}

impl Source for PostgresSource {
    fn publish(&mut self, work: &mut Work<'_>) -> Result<(), TablesError> {
        let PostgresQuery { settings, query } = &self.query;
        let name = settings.server();
        if query.len() > MAX_QUERY_BYTES {
            return Err(TablesError::TooLarge { subject: "the query".into(), reason: format!("more than {MAX_QUERY_BYTES} bytes") });
        }
        let failed = |e: ::postgres::Error| settings.query_error(&e);
        let mut client = settings.connect()?;
        let token = client.cancel_token();
        client
            .batch_execute(&format!(
                "SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {}; SET default_transaction_read_only = on",
                settings.statement_timeout.as_millis(),
                IDLE_TIMEOUT.as_millis(),
            ))
            .map_err(failed)?;
        let mut snapshot =
            client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().map_err(failed)?;
        let statement = snapshot.prepare(query).map_err(failed)?;
        if !statement.params().is_empty() {
            return Err(TablesError::QueryRefused { reason: "it has parameters such as $1; write the values into it".into() });
        }
        if statement.columns().is_empty() {
            return Err(TablesError::QueryRefused { reason: "it returns no rows; use a statement such as SELECT".into() });
        }
        let mut fields = Vec::new();
        let mut types = Vec::new();
        let mut columns = Vec::new();
        for column in statement.columns() {
            let kind = Kind::of(column.type_(), column.type_modifier()).map_err(|reason| TablesError::UnsupportedType {
                file: name.clone(),
                column: column.name().into(),
                reason,
            })?;
            fields.push(Field::new(column.name(), kind.arrow(), true));
            types.push(format!("PostgreSQL {}", column.type_().name()));
            columns.push(Column::new(&kind));
        }
        let schema = Arc::new(Schema::new(fields));
        let mut parts = PartWriter::begin(&name, Arc::clone(&schema), &types, work)?;
        let mut write = |columns: &mut [Column], done: u64, work: &mut Work<'_>| {
            let arrays: Vec<ArrayRef> = columns.iter_mut().map(Column::finish).collect();
            let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)
                .map_err(|e| TablesError::Write { file: name.clone(), reason: e.to_string() })?;
            parts.write(&batch, work)?;
            // How many rows there will be, nobody knows.
            work.report(Progress::of(Phase::Querying, name.clone(), done, 0))
        };
        work.report(Progress::of(Phase::Querying, settings.server(), 0, 0))?;
        let mut rows = snapshot.query_raw(&statement, std::iter::empty::<&(dyn ToSql + Sync)>()).map_err(failed)?;
        let mut copy = || -> Result<(), TablesError> {
            let (mut done, mut batch_rows, mut batch_bytes) = (0_u64, 0, 0);
            while let Some(row) = rows.next().map_err(failed)? {
                done += 1;
                for (i, column) in columns.iter_mut().enumerate() {
                    let bytes: Option<Raw<'_>> = row.try_get(i).map_err(failed)?;
                    batch_bytes += bytes.as_ref().map_or(0, |raw| raw.0.len());
                    column.append(bytes.map(|raw| raw.0)).map_err(|reason| TablesError::BadValue {
                        server: settings.server(),
                        row: done,
                        column: row.columns()[i].name().into(),
                        reason,
                    })?;
                }
                batch_rows += 1;
                if batch_rows >= BATCH_ROWS || batch_bytes >= BATCH_BYTES {
                    (batch_rows, batch_bytes) = (0, 0);
                    write(&mut columns, done, work)?;
                }
            }
            if batch_rows > 0 {
                write(&mut columns, done, work)?;
            }
            Ok(())
        };
        if let Err(error) = copy() {
            // Where this fails the server is gone, or the statement's timeout ends it.
            if !matches!(error, TablesError::DatabaseLost { .. }) {
                let _ = settings.cancel(&token);
            }
            return Err(error);
        }
        parts.finish(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_safe_by_default_and_keep_the_password() {
        assert_eq!(PostgresSettings::new("db.example.org", "d", "u").tls, PostgresTls::Require);
        assert_eq!(PostgresSettings::new("127.0.0.1", "d", "u").tls, PostgresTls::Disable);
        let settings = PostgresSettings { password: Some("s3cret".into()), ..PostgresSettings::new("h", "d", "u") };
        assert!(!format!("{:?}", PostgresQuery { settings, query: String::new() }).contains("s3cret"));
        for host in ["", "/var/run/postgresql", "@abstract"] {
            assert_eq!(PostgresSettings::new(host, "d", "u").check().unwrap_err().kind(), "database-unreachable");
        }
    }
}
