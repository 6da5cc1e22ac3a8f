//! A look at a database that a node may be using, for whoever operates it. Changes nothing.

use crate::{
    backup::{
        StoredFile,
        files::stored_files,
        source::{BACKUP_SETTING, Source},
    },
    error::StoreError,
    value::Value,
};
use fondaco_core::time::Timestamp;

/// Most lines of damage told: the first say enough.
const DAMAGE_LINES_MAX: u32 = 20;

/// What a look showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseState {
    /// Its schema version, which may be older than this program's.
    pub schema: u32,
    /// Bytes it takes.
    pub size_bytes: u64,
    /// What a check of its structure found wrong (SQLite; Postgres checks its own pages). Empty is sound.
    pub damage: Vec<String>,
    /// When the last backup was made.
    pub last_backup: Option<Timestamp>,
    /// The data files its rows name, by path, each once.
    pub files: Vec<StoredFile>,
    /// Products whose data stays where its publisher keeps it.
    pub in_place: Vec<String>,
    /// Jobs waiting to be done.
    pub jobs: u64,
    /// Of those, the oldest that has failed before.
    pub failing: Option<FailingJob>,
    /// How many have failed before.
    pub jobs_failing: u64,
}

/// A job that has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingJob {
    /// For whom.
    pub participant: String,
    /// What sort of work.
    pub kind: String,
    /// What it is about.
    pub key: String,
    /// How often it failed.
    pub attempts: u64,
    /// Why the last time.
    pub error: String,
    /// When it was written.
    pub created_at: Timestamp,
}

/// Looks. Blocks; call it on a thread that may.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Config`] when it holds no node, [`StoreError::FromFuture`],
/// [`StoreError::Corrupt`].
pub fn inspect(url: &str) -> Result<DatabaseState, StoreError> {
    let mut source = Source::read(url)?;
    let damage = match &source {
        Source::Sqlite(_) => {
            source.texts(&format!("PRAGMA quick_check({DAMAGE_LINES_MAX})"))?.into_iter().filter(|line| line != "ok").collect()
        }
        Source::Postgres(_) => Vec::new(),
    };
    source.begin()?;
    let state = look(&mut source, damage);
    source.end()?;
    state
}

fn look(source: &mut Source, damage: Vec<String>) -> Result<DatabaseState, StoreError> {
    let schema = source.schema()?.ok_or_else(|| StoreError::Config("the database holds no node".into()))?;
    let size = source.number(match source {
        Source::Sqlite(_) => "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        Source::Postgres(_) => {
            "SELECT CAST(COALESCE(SUM(pg_total_relation_size(c.oid)), 0) AS BIGINT) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind = 'r'"
        }
    })?;
    let last_backup = source
        .texts(&format!("SELECT value FROM setting WHERE key = '{BACKUP_SETTING}'"))?
        .first()
        .and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok())
        .and_then(|value| value["at"].as_str().and_then(Timestamp::parse));
    let (files, in_place) = stored_files(source, schema)?;
    let jobs = source.number("SELECT COUNT(*) FROM job")?;
    let jobs_failing = source.number("SELECT COUNT(*) FROM job WHERE attempts > 0")?;
    let failing = source
        .all("SELECT participant, kind, key, attempts, COALESCE(last_error, ''), created_at FROM job WHERE attempts > 0 ORDER BY created_at, seq LIMIT 1")?
        .into_iter()
        .find_map(|row| match <[Value; 6]>::try_from(row) {
            Ok([Value::Text(participant), Value::Text(kind), Value::Text(key), Value::Int(n), Value::Text(error), Value::Int(at)]) => {
                let (attempts, created_at) = (u64::try_from(n).unwrap_or(0), Timestamp::from_micros(at));
                Some(FailingJob { participant, kind, key, attempts, error, created_at })
            }
            _ => None,
        });
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(DatabaseState {
        schema,
        size_bytes: unsigned(size),
        damage,
        last_backup,
        files,
        in_place,
        jobs: unsigned(jobs),
        failing,
        jobs_failing: unsigned(jobs_failing),
    })
}
