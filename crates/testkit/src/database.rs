//! A database for one node: SQLite in its folder, or a schema of its own on the Postgres server of the tests.

use std::sync::atomic::{AtomicU32, Ordering};

/// Names the server; without it nodes use SQLite.
const SERVER: &str = "FONDACO_TEST_POSTGRES_URL";

/// Where a test node keeps its state.
pub enum Database {
    /// In the node's folder.
    Sqlite,
    /// A schema, dropped in the end.
    Postgres {
        /// The server.
        server: String,
        /// The schema.
        schema: String,
    },
}

/// Runs SQL off the runtime: the synchronous client brings its own.
fn run_on(server: &str, sql: &str) {
    let (server, sql) = (server.to_owned(), sql.to_owned());
    let thread = std::thread::spawn(move || {
        let mut client = postgres::Client::connect(&server, postgres::NoTls).expect("the test server answers");
        client.batch_execute(&sql).expect("the test server obeys");
    });
    thread.join().expect("the statement ran");
}

impl Database {
    /// A fresh one, by the environment.
    pub fn fresh() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Ok(server) = std::env::var(SERVER) else { return Self::Sqlite };
        let schema = format!("node_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        run_on(&server, &format!("CREATE SCHEMA {schema}"));
        Self::Postgres { server, schema }
    }

    /// What the configuration says; `None` is the default.
    pub fn url(&self) -> Option<String> {
        match self {
            Self::Sqlite => None,
            Self::Postgres { server, schema } => {
                let mark = if server.contains('?') { '&' } else { '?' };
                Some(format!("{server}{mark}options=-c%20search_path%3D{schema}&application_name={schema}"))
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres { server, schema } = self
            && !std::thread::panicking()
        {
            let end = format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '{schema}'");
            run_on(server, &format!("{end}; DROP SCHEMA {schema} CASCADE"));
        }
    }
}
