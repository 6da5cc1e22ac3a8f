//! A database of one test's own, and a clock it can move.

use crate::samples::participant;
use fondaco_core::{
    entropy::{Entropy, SeededEntropy},
    time::{ManualClock, Timestamp},
};
use fondaco_store::{Store, StoreConfig, StoreError, Tx};
use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

pub(crate) const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

enum Place {
    Sqlite { folder: tempfile::TempDir },
    Postgres { server: String, schema: String },
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) url: String,
    place: Place,
}

/// Each store of a process draws other ids: two stores play two processes.
fn entropy() -> Arc<dyn Entropy> {
    static SEED: AtomicU64 = AtomicU64::new(1);
    Arc::new(SeededEntropy::new(SEED.fetch_add(1, Ordering::Relaxed)))
}

pub(crate) async fn open(url: &str, clock: Arc<ManualClock>) -> Result<Store, StoreError> {
    Store::open(&StoreConfig::new(url), clock, entropy()).await
}

/// Runs SQL on a server, off the runtime (the synchronous client brings its own).
fn run_on(server: &str, sql: &str) {
    let (server, sql) = (server.to_owned(), sql.to_owned());
    let thread = std::thread::spawn(move || {
        let mut client = postgres::Client::connect(&server, postgres::NoTls).expect("the test server answers");
        client.batch_execute(&sql).expect("the test server obeys");
    });
    thread.join().expect("the statement ran");
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let url = format!("sqlite:{}", folder.path().join("store.db").display());
        Self::begin(url, Place::Sqlite { folder }).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Ok(server) = std::env::var("FONDACO_TEST_POSTGRES_URL") else {
            eprintln!("FONDACO_TEST_POSTGRES_URL is not set: not run on Postgres");
            return None;
        };
        let schema = format!("suite_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        run_on(&server, &format!("CREATE SCHEMA {schema}"));
        let mark = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{mark}options=-c%20search_path%3D{schema}&application_name={schema}");
        Some(Self::begin(url, Place::Postgres { server, schema }).await)
    }

    async fn begin(url: String, place: Place) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let store = open(&url, Arc::clone(&clock)).await.expect("opens");
        store
            .tx("begin", |tx: &mut Tx| {
                tx.participant_insert(&participant("acme"))?;
                tx.participant_insert(&participant("other"))
            })
            .await
            .expect("participants");
        Self { store, clock, url, place }
    }

    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Postgres { .. })
    }

    /// The same database (Postgres), reached at another port of this machine.
    pub(crate) fn url_at(&self, port: u16) -> String {
        let config: postgres::Config = self.url.parse().expect("address");
        let query = self.url.split_once('?').map_or("", |(_, query)| query);
        let user = config.get_user().expect("user");
        let password = config.get_password().map_or_else(String::new, |p| format!(":{}", String::from_utf8_lossy(p)));
        let database = config.get_dbname().expect("database");
        format!("postgres://{user}{password}@127.0.0.1:{port}/{database}?{query}")
    }

    /// Another process on the same database.
    pub(crate) async fn another(&self) -> Result<Store, StoreError> {
        open(&self.url, Arc::clone(&self.clock)).await
    }

    /// Leaves nothing in a Postgres schema, not even tables.
    pub(crate) fn clear(&self) {
        if let Place::Postgres { schema, .. } = &self.place {
            self.raw(&format!("DROP SCHEMA {schema} CASCADE; CREATE SCHEMA {schema}"));
        }
    }

    /// SQL past the store.
    pub(crate) fn raw(&self, sql: &str) {
        match &self.place {
            Place::Sqlite { folder } => {
                let conn = rusqlite::Connection::open(folder.path().join("store.db")).expect("file");
                conn.execute_batch(sql).expect("obeys");
            }
            Place::Postgres { server, schema } => run_on(server, &format!("SET search_path TO {schema}; {sql}")),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Place::Postgres { server, schema } = &self.place
            && !std::thread::panicking()
        {
            // A sweep of jobs may still run, and would lock the tables in another order.
            let end = format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '{schema}'");
            run_on(server, &format!("{end}; DROP SCHEMA {schema} CASCADE"));
        }
    }
}
