//! What a transaction can do, one file per aggregate.
//!
//! Lookups return `Option`. Lists take a limit of at most [`PAGE_MAX`] and a key to go on from. A method that needs
//! the present takes it from [`Tx::now`], unless its caller's rule has its own idea of it.

pub mod agreement_signatures;
pub mod agreements;
pub mod api_tokens;
pub mod connections;
pub mod events;
pub mod evidence;
pub mod evidence_keep;
pub mod evidence_period;
pub mod evidence_sums;
pub mod feeds;
pub mod health;
pub mod idempotency;
pub mod inbox;
pub mod jobs;
pub mod keys;
pub mod log;
pub mod log_witness;
pub mod login;
pub mod negotiations;
pub mod offers;
pub mod participants;
pub mod peer_datasets;
pub mod peer_deals;
pub mod peer_logs;
pub mod peers;
#[cfg(test)]
mod plans;
pub mod process_counts;
pub mod product_files;
pub mod product_search;
pub mod product_stops;
pub mod products;
pub mod publications;
mod savepoint;
pub mod sessions;
pub mod settings;
pub mod token_use;
pub mod transfers;
pub mod usage;
pub mod users;
pub mod waiting;

use crate::{
    conn::Conn,
    dialect::Sql,
    error::StoreError,
    store::Context,
    value::{Row, Value},
};
use fondaco_core::{entropy::Entropy, participant::Slug, time::Timestamp};
use std::sync::Arc;

/// Most rows of one list: a page of the API, with room for internal callers.
pub const PAGE_MAX: u32 = 1_000;

/// Greater than every id of ours: where a list in descending order begins.
const AFTER_EVERY_ID: &str = "\u{10ffff}";

/// Names the statements of a file, and lists them for the test that compiles each.
macro_rules! statements {
    ($($name:ident = $sql:expr;)*) => {
        $(const $name: crate::dialect::Sql = $sql;)*
        pub(super) const ALL: &[(&str, crate::dialect::Sql)] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}
use statements;

/// What a committed transaction makes known.
#[derive(Default)]
pub(crate) struct Effects {
    pub(crate) events: Vec<events::Event>,
    pub(crate) jobs: Vec<jobs::JobChange>,
    /// Participants added or changed.
    pub(crate) participants: Vec<Slug>,
    /// Whether leaves were written.
    pub(crate) leaves: bool,
}

/// A transaction in progress, lent to the closure of [`crate::Store::tx`] or [`crate::Store::read`].
pub struct Tx {
    conn: Conn,
    context: Arc<Context>,
    now: Timestamp,
    read_only: bool,
    failed: Option<StoreError>,
    effects: Effects,
    statements: u64,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("now", &self.now).field("read_only", &self.read_only).finish_non_exhaustive()
    }
}

impl Tx {
    pub(crate) fn new(conn: Conn, context: Arc<Context>) -> Self {
        let now = context.clock.now();
        Self { conn, context, now, read_only: true, failed: None, effects: Effects::default(), statements: 0 }
    }

    /// Before a closure.
    pub(crate) fn begin(&mut self, read_only: bool) {
        self.now = self.context.clock.now();
        self.read_only = read_only;
        self.failed = None;
        self.effects = Effects::default();
        self.statements = 0;
    }

    /// After it: what it wants published, and the first statement that failed.
    pub(crate) fn end(&mut self) -> (Effects, Option<StoreError>) {
        (std::mem::take(&mut self.effects), self.failed.take())
    }

    pub(crate) const fn conn(&mut self) -> &mut Conn {
        &mut self.conn
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// When the transaction began, by the store's clock.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The store's randomness, for ids made within the transaction.
    pub fn entropy(&self) -> &dyn Entropy {
        self.context.entropy.as_ref()
    }

    /// Statements that this transaction has run so far: for tests that hold a page to as many for one row as for all.
    pub const fn statements_run(&self) -> u64 {
        self.statements
    }

    fn checked<T>(&mut self, sql: Sql, run: impl FnOnce(&mut Conn) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.statements += 1;
        let result = if self.read_only && !sql.only_reads() {
            Err(StoreError::Database("a read tried to write".into()))
        } else {
            run(&mut self.conn)
        };
        if let Err(error) = &result
            && self.failed.is_none()
        {
            self.failed = Some(error.clone());
        }
        result
    }

    /// Runs a statement; how many rows it touched.
    fn execute(&mut self, sql: Sql, params: &[Value]) -> Result<u64, StoreError> {
        self.checked(sql, |conn| conn.execute(sql, params))
    }

    /// Runs an INSERT … ON CONFLICT DO NOTHING; whether the row is new.
    fn inserted(&mut self, sql: Sql, params: &[Value]) -> Result<bool, StoreError> {
        Ok(self.execute(sql, params)? == 1)
    }

    /// The same, where a row that is there already is the caller's error.
    fn insert(&mut self, sql: Sql, params: &[Value], what: &str) -> Result<(), StoreError> {
        if self.inserted(sql, params)? { Ok(()) } else { Err(StoreError::Conflict(format!("{what} exists already"))) }
    }

    /// The rows of a statement, read by `read`.
    fn list<T>(&mut self, sql: Sql, params: &[Value], read: impl Fn(&Row) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
        self.checked(sql, |conn| conn.query(sql, params))?.iter().map(read).collect()
    }

    /// The first row of a statement.
    fn first<T>(&mut self, sql: Sql, params: &[Value], read: impl Fn(&Row) -> Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        self.checked(sql, |conn| conn.query(sql, params))?.first().map(read).transpose()
    }

    pub(crate) fn check_statements(&mut self) -> Result<usize, StoreError> {
        let mut checked = 0;
        for (name, sql) in STATEMENTS.iter().copied().flatten() {
            self.conn.prepare(*sql).map_err(|e| StoreError::Database(format!("{name}: {e}")))?;
            checked += 1;
        }
        Ok(checked)
    }
}

/// Every statement, file by file, with its name.
const STATEMENTS: &[&[(&str, Sql)]] = &[
    agreement_signatures::ALL,
    agreements::ALL,
    api_tokens::ALL,
    connections::ALL,
    events::ALL,
    evidence::ALL,
    evidence_keep::ALL,
    evidence_period::ALL,
    evidence_sums::ALL,
    feeds::ALL,
    idempotency::ALL,
    inbox::ALL,
    jobs::ALL,
    keys::ALL,
    log::ALL,
    log_witness::ALL,
    login::ALL,
    negotiations::ALL,
    offers::ALL,
    participants::ALL,
    peer_datasets::ALL,
    peer_deals::ALL,
    peer_logs::ALL,
    peers::ALL,
    process_counts::ALL,
    health::ALL,
    waiting::ALL,
    product_files::ALL,
    product_search::ALL,
    product_stops::ALL,
    products::ALL,
    publications::ALL,
    sessions::ALL,
    settings::ALL,
    token_use::ALL,
    transfers::ALL,
    usage::ALL,
    users::ALL,
];

/// A page's length as a parameter.
fn page(limit: u32) -> i64 {
    i64::from(limit.min(PAGE_MAX))
}
