//! A query on PostgreSQL as a table: read once, in one snapshot, and kept as Parquet.
//!
//! The connection can only read: the transaction is READ ONLY, and the extended protocol takes one statement.
//! Rows stream, so memory does not grow with their number; they are in the order in which the query gives
//! them. Which addresses may be called is the caller's to decide (see [`PostgresSettings::hostaddr`]).

mod values;

use std::{
    fmt,
    future::Future,
    net::IpAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{Field, Schema},
};
use futures::{FutureExt, StreamExt};
use rustls::{ClientConfig, RootCertStore};
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, timeout, timeout_at},
};
use tokio_postgres::{CancelToken, Client, Config, IsolationLevel, NoTls, RowStream, config::SslMode, error::SqlState, types::ToSql};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::values::{Column, Kind, Raw};
use super::{
    super::{Phase, Progress, Work},
    Source,
    csv::{BATCH_BYTES, BATCH_ROWS},
    part::PartWriter,
};
use crate::TablesError;

/// How long a connection attempt may take, and each answer before the query, unless the settings say otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the query may take with all its rows, unless the settings say otherwise.
const STATEMENT_TIMEOUT: Duration = Duration::from_hours(1);
/// The server ends a transaction that this side left open for so long.
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);
/// Unanswered packets end a connection after this long.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);
/// A silent connection is probed after this long, so that a dead one is noticed.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// How much longer than the server itself this side waits for a statement.
const GRACE: Duration = Duration::from_secs(10);
/// How often a publication that waits for the server may be cancelled.
const TICK: Duration = Duration::from_millis(250);
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
    /// How long a connection attempt may take, and each answer before the query.
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
    /// Kinds `database-unreachable`, `database-refused` and, for one that falls silent, `database-slow`.
    pub fn check(&self) -> Result<(), TablesError> {
        let never = AtomicBool::new(false);
        let line = Line::new(self, &never)?;
        let client = line.connect()?;
        line.wait(self.connect_timeout, client.simple_query("SELECT 1")).map(drop)
    }

    fn config(&self) -> Result<Config, TablesError> {
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
        Ok(config)
    }

    /// An error of a connection attempt.
    fn connect_error(&self, error: &tokio_postgres::Error) -> TablesError {
        match error.as_db_error() {
            Some(db) => TablesError::DatabaseRefused { server: self.server(), reason: with_state(db.message(), db.code(), db.hint()) },
            // A server may close the connection on whom it does not know.
            None => self.unreachable(causes(error)),
        }
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

    fn unreachable(&self, reason: String) -> TablesError {
        TablesError::DatabaseUnreachable { server: self.server(), reason }
    }

    /// For messages.
    fn server(&self) -> String {
        format!("{}:{}/{}", self.host, self.port, self.database)
    }

    /// An error of a query under way.
    fn query_error(&self, error: &tokio_postgres::Error) -> TablesError {
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
fn causes(error: &tokio_postgres::Error) -> String {
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
        let line = Line::new(settings, &work.options().cancel)?;
        let mut client = line.connect()?;
        let token = client.cancel_token();
        let limits = format!(
            "SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {}; SET default_transaction_read_only = on",
            settings.statement_timeout.as_millis(),
            IDLE_TIMEOUT.as_millis(),
        );
        line.wait(settings.connect_timeout, client.batch_execute(&limits))?;
        let snapshot = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start();
        let snapshot = line.wait(settings.connect_timeout, snapshot)?;
        // The server ends a statement in time by itself; one that does not is given up a little later.
        let deadline = Instant::now() + settings.statement_timeout + GRACE;
        let statement = line.wait(deadline.saturating_duration_since(Instant::now()), snapshot.prepare(query))?;
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
        work.report(Progress::of(Phase::Querying, settings.server(), 0, 0))?;
        let deadline = Instant::now() + settings.statement_timeout + GRACE;
        let none = std::iter::empty::<&(dyn ToSql + Sync)>();
        let rows = line.wait(deadline.saturating_duration_since(Instant::now()), snapshot.query_raw(&statement, none))?;
        let mut rows = pin!(rows);
        let mut copy = || -> Result<(), TablesError> {
            let mut done = 0;
            loop {
                let (batch_rows, ended) = line.batch(rows.as_mut(), &mut columns, done, deadline)?;
                done += batch_rows;
                if batch_rows > 0 {
                    let arrays: Vec<ArrayRef> = columns.iter_mut().map(Column::finish).collect();
                    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)
                        .map_err(|e| TablesError::Write { file: name.clone(), reason: e.to_string() })?;
                    parts.write(&batch, work)?;
                    // How many rows there will be, nobody knows.
                    work.report(Progress::of(Phase::Querying, name.clone(), done, 0))?;
                }
                if ended {
                    return Ok(());
                }
            }
        };
        if let Err(error) = copy() {
            // Where this fails the server is gone, or the statement's timeout ends it.
            if !matches!(error, TablesError::DatabaseLost { .. }) {
                let _ = line.cancel(&token);
            }
            return Err(error);
        }
        parts.finish(work)
    }
}

/// A way to a server that nobody waits on for ever: each step has its time, and ends when the publication is cancelled.
struct Line<'a> {
    settings: &'a PostgresSettings,
    cancel: &'a AtomicBool,
    /// Carries the connection while a step is waited for. Always there until it is dropped.
    runtime: Option<Runtime>,
}

impl<'a> Line<'a> {
    fn new(settings: &'a PostgresSettings, cancel: &'a AtomicBool) -> Result<Self, TablesError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(TablesError::io("starting", "database client"))?;
        Ok(Self { settings, cancel, runtime: Some(runtime) })
    }

    fn block_on<T>(&self, work: impl Future<Output = Result<T, TablesError>>) -> Result<T, TablesError> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(work),
            None => Err(self.settings.unreachable("the connection is closed".into())),
        }
    }

    /// Waits for something of the server's; `None` when it takes longer.
    async fn within<T>(&self, limit: Duration, step: impl Future<Output = T>) -> Result<Option<T>, TablesError> {
        let (mut step, end) = (pin!(step), Instant::now() + limit);
        loop {
            match timeout_at(end.min(Instant::now() + TICK), step.as_mut()).await {
                Ok(done) => return Ok(Some(done)),
                Err(_) if self.cancel.load(Ordering::Relaxed) => return Err(TablesError::Cancelled),
                Err(_) if Instant::now() >= end => return Ok(None),
                Err(_) => {}
            }
        }
    }

    /// Waits for the answer to a statement.
    fn wait<T>(&self, limit: Duration, step: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, TablesError> {
        self.block_on(async {
            let answer = self.within(limit, step).await?.ok_or_else(|| self.silent(limit))?;
            answer.map_err(|e| self.settings.query_error(&e))
        })
    }

    fn silent(&self, limit: Duration) -> TablesError {
        let reason = format!("the server is connected and does not answer; at most {} seconds are given", limit.as_secs_f64());
        TablesError::DatabaseSlow { server: self.settings.server(), reason }
    }

    fn connect(&self) -> Result<Client, TablesError> {
        let (config, tls) = (self.settings.config()?, self.settings.encryption()?);
        self.block_on(async {
            let connect = async {
                Ok(match tls {
                    Some(tls) => {
                        let (client, connection) = config.connect(tls).await?;
                        tokio::spawn(connection);
                        client
                    }
                    None => {
                        let (client, connection) = config.connect(NoTls).await?;
                        tokio::spawn(connection);
                        client
                    }
                })
            };
            let limit = self.settings.connect_timeout;
            let late = || self.settings.unreachable(format!("it did not let anybody in within {} seconds", limit.as_secs_f64()));
            let connected: Result<Client, tokio_postgres::Error> = self.within(limit, connect).await?.ok_or_else(late)?;
            connected.map_err(|e| self.settings.connect_error(&e))
        })
    }

    /// Takes rows into the columns until a batch is full, or the last has come; how many, and whether that was all.
    fn batch(
        &self,
        mut rows: Pin<&mut RowStream>,
        columns: &mut [Column],
        before: u64,
        deadline: Instant,
    ) -> Result<(u64, bool), TablesError> {
        let failed = |e: tokio_postgres::Error| self.settings.query_error(&e);
        self.block_on(async {
            let (mut batch_rows, mut batch_bytes) = (0, 0);
            while batch_rows < BATCH_ROWS as u64 && batch_bytes < BATCH_BYTES {
                let row = match rows.next().now_or_never() {
                    Some(row) => row,
                    None => {
                        let left = deadline.saturating_duration_since(Instant::now());
                        let late = || self.silent(self.settings.statement_timeout);
                        self.within(left, rows.next()).await?.ok_or_else(late)?
                    }
                };
                let Some(row) = row.transpose().map_err(failed)? else { return Ok((batch_rows, true)) };
                batch_rows += 1;
                for (i, column) in columns.iter_mut().enumerate() {
                    let bytes: Option<Raw<'_>> = row.try_get(i).map_err(failed)?;
                    batch_bytes += bytes.as_ref().map_or(0, |raw| raw.0.len());
                    column.append(bytes.map(|raw| raw.0)).map_err(|reason| TablesError::BadValue {
                        server: self.settings.server(),
                        row: before + batch_rows,
                        column: row.columns()[i].name().into(),
                        reason,
                    })?;
                }
            }
            Ok((batch_rows, false))
        })
    }

    /// Ends the query of a connection, so that the server does not go on for nobody.
    fn cancel(&self, token: &CancelToken) -> Result<(), TablesError> {
        let tls = self.settings.encryption()?;
        self.block_on(async {
            let cancel = async {
                match tls {
                    Some(tls) => token.cancel_query(tls).await,
                    None => token.cancel_query(NoTls).await,
                }
            };
            // Not `within`: it is cancelled because somebody cancelled.
            let cancelled = timeout(self.settings.connect_timeout, cancel).await;
            cancelled.map_err(|_| self.silent(self.settings.connect_timeout))?.map_err(|e| self.settings.unreachable(causes(&e)))
        })
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Looking a name up cannot be cancelled.
            runtime.shutdown_background();
        }
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

    /// A server that says these bytes to whoever comes, once the first message has come, and then nothing; it tells when the
    /// next message has come.
    fn silent_server(greeting: &'static [u8]) -> (PostgresSettings, std::sync::mpsc::Receiver<()>) {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4_096];
            assert!(stream.read(&mut buffer).unwrap() > 0);
            stream.write_all(greeting).unwrap();
            // Until the other side hangs up.
            while stream.read(&mut buffer).is_ok_and(|n| n > 0) {
                let _ = told.send(());
            }
        });
        let settings = PostgresSettings { port, hostaddr: Some([127, 0, 0, 1].into()), ..PostgresSettings::new("127.0.0.1", "d", "u") };
        (settings, heard)
    }

    /// Authentication done, ready for a query.
    const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

    #[test]
    fn a_server_that_falls_silent_is_not_waited_on_for_ever() {
        let short = |settings| PostgresSettings { connect_timeout: Duration::from_millis(300), ..settings };
        let (mute, _heard) = silent_server(b"");
        let error = short(mute).check().unwrap_err();
        assert_eq!(error.kind(), "database-unreachable", "{error}");
        let (mute, heard) = silent_server(WELCOME);
        let error = short(mute).check().unwrap_err();
        assert_eq!(error.kind(), "database-slow", "{error}");
        heard.recv().unwrap();
    }

    #[test]
    fn a_publication_that_waits_for_a_silent_server_can_be_cancelled() {
        let (settings, heard) = silent_server(WELCOME);
        let settings = PostgresSettings { connect_timeout: Duration::from_mins(10), ..settings };
        let dir = tempfile::tempdir().unwrap();
        let options = crate::publish::PublishOptions::default();
        let cancel = Arc::clone(&options.cancel);
        let canceller = std::thread::spawn(move || {
            heard.recv().unwrap();
            cancel.store(true, Ordering::Relaxed);
        });
        let source = crate::publish::TableSource::Postgres(PostgresQuery { settings, query: "SELECT 1".into() });
        let error = crate::publish::publish_table(&source, &dir.path().join("out"), &options, &mut |_| ()).unwrap_err();
        assert_eq!(error.kind(), "cancelled", "{error}");
        canceller.join().unwrap();
    }
}
