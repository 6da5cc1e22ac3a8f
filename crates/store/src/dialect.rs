//! Where the two databases differ. Everything else is one SQL text in the common subset: `$1` parameters, `RETURNING`,
//! `ON CONFLICT`, 64-bit integers, texts and bytes.

use std::borrow::Cow;

/// Row locks. SQLite has one writer and needs none. The second lets others add rows that refer to the locked one: a lock on
/// a participant must be of that kind, or it waits for every transaction that wrote an event of it, and they for it.
const LOCKS: [&str; 2] = [" FOR UPDATE", " FOR NO KEY UPDATE"];

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// One statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sql {
    /// The same text for both, but for a trailing row lock, which SQLite leaves out.
    Same(&'static str),
    /// Two texts: SQLite's, Postgres's.
    Each(&'static str, &'static str),
}

impl Sql {
    /// The text for one database.
    pub(crate) fn text(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::Same(sql), Dialect::Sqlite) => LOCKS.iter().find_map(|lock| sql.strip_suffix(lock)).unwrap_or(sql),
            (Self::Same(sql) | Self::Each(_, sql), Dialect::Postgres) | (Self::Each(sql, _), Dialect::Sqlite) => sql,
        }
    }
    /// Whether it may run in a read: it neither changes nor locks anything.
    pub(crate) fn only_reads(self) -> bool {
        let sql = self.text(Dialect::Postgres);
        sql.starts_with("SELECT") && !LOCKS.iter().any(|lock| sql.ends_with(lock))
    }
}

/// Offers of many product versions; `$2` is a JSON array of dataset ids.
pub(crate) const OFFERS_OF_MANY: Sql = Sql::Each(
    "SELECT body FROM offer WHERE participant = $1 AND dataset IN (SELECT value FROM json_each($2)) ORDER BY dataset, created_at, id",
    "SELECT body FROM offer WHERE participant = $1 AND dataset IN (SELECT jsonb_array_elements_text(CAST(CAST($2 AS TEXT) AS JSONB))) ORDER BY dataset, created_at, id",
);

/// Product versions; `$2` is a JSON array of pairs of id and version.
pub(crate) const PRODUCTS_OF_MANY: Sql = Sql::Each(
    "SELECT p.body FROM json_each($2) w CROSS JOIN product p WHERE p.participant = $1 AND p.product_id = json_extract(w.value, '$[0]') AND p.version = json_extract(w.value, '$[1]') ORDER BY p.product_id, p.version",
    "SELECT p.body FROM jsonb_array_elements(CAST(CAST($2 AS TEXT) AS JSONB)) AS w(value) CROSS JOIN product p WHERE p.participant = $1 AND p.product_id = w.value ->> 0 AND p.version = CAST(w.value ->> 1 AS BIGINT) ORDER BY p.product_id, p.version",
);

/// Names of many peers; `$2` is a JSON array of their DIDs.
pub(crate) const NAMES_OF_MANY: Sql = Sql::Each(
    "SELECT did, name FROM peer WHERE participant = $1 AND name IS NOT NULL AND did IN (SELECT value FROM json_each($2))",
    "SELECT did, name FROM peer WHERE participant = $1 AND name IS NOT NULL AND did IN (SELECT jsonb_array_elements_text(CAST(CAST($2 AS TEXT) AS JSONB)))",
);

/// Reads under many agreements; `$2` is a JSON array of their ids.
pub(crate) const READS_OF_MANY: Sql = Sql::Each(
    "SELECT agreement_id, reads FROM agreement_usage WHERE participant = $1 AND agreement_id IN (SELECT value FROM json_each($2))",
    "SELECT agreement_id, reads FROM agreement_usage WHERE participant = $1 AND agreement_id IN (SELECT jsonb_array_elements_text(CAST(CAST($2 AS TEXT) AS JSONB)))",
);

/// Titles of many datasets of a peer; `$3` is a JSON array of their ids.
pub(crate) const TITLES_OF_MANY: Sql = Sql::Each(
    "SELECT d.dataset, d.title FROM json_each($3) w CROSS JOIN peer_dataset d WHERE d.participant = $1 AND d.peer_did = $2 AND d.dataset = w.value",
    "SELECT dataset, title FROM peer_dataset WHERE participant = $1 AND peer_did = $2 AND dataset IN (SELECT jsonb_array_elements_text(CAST(CAST($3 AS TEXT) AS JSONB)))",
);

/// Bytes of the whole database.
pub(crate) const DATABASE_BYTES: Sql = Sql::Each(
    "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "SELECT CAST(COALESCE(SUM(pg_total_relation_size(c.oid)), 0) AS BIGINT) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind = 'r'",
);

/// Feeds of `$1` whose last look failed.
pub(crate) const FEEDS_FAILING: Sql = Sql::Each(
    "SELECT body FROM feed WHERE participant = $1 AND json_extract(body, '$.error') IS NOT NULL ORDER BY product_id LIMIT $2",
    "SELECT body FROM feed WHERE participant = $1 AND CAST(CAST(body AS TEXT) AS JSONB) ->> 'error' IS NOT NULL ORDER BY product_id LIMIT $2",
);

/// Where processes tell each other of jobs left to them.
pub(crate) const JOBS_CHANNEL: &str = "fondaco_jobs";

/// Tells the process `$1` at this transaction's commit. SQLite has one process.
pub(crate) const NOTIFY_JOBS: Sql = Sql::Each("SELECT 1 WHERE $1 = ''", "SELECT pg_notify('fondaco_jobs', $1)");

/// Where processes tell each other that access is closed.
pub(crate) const ACCESS_CHANNEL: &str = "fondaco_access";

/// Tells all processes `$1` at this transaction's commit. SQLite has one process.
pub(crate) const NOTIFY_ACCESS: Sql = Sql::Each("SELECT 1 WHERE $1 = ''", "SELECT pg_notify('fondaco_access', $1)");

/// One process at a time begins, renews or takes over leases on jobs: the rows they touch overlap.
pub(crate) const LEASES_LOCK: Sql = Sql::Each("SELECT 1", "SELECT 1 FROM (SELECT pg_advisory_xact_lock(7401)) AS locked");

/// Before the first migration: is there a table of migrations?
pub(crate) const MIGRATIONS_EXIST: Sql = Sql::Each(
    "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migration'",
    "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'schema_migration'",
);

/// Holds back other processes that start at the same time. SQLite's `BEGIN IMMEDIATE` does so by itself.
pub(crate) const MIGRATION_LOCK: Sql = Sql::Each("SELECT 1", "SELECT 1 FROM (SELECT pg_advisory_xact_lock(7400)) AS locked");

/// A script in a dialect (migrations are written twice and need nothing; the table of migrations is written once).
pub(crate) fn script(dialect: Dialect, sql: &str) -> Cow<'_, str> {
    match dialect {
        Dialect::Postgres => Cow::Borrowed(sql),
        Dialect::Sqlite => Cow::Owned(sql.replace("BIGINT", "INTEGER")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_has_one_name() {
        assert!(NOTIFY_JOBS.text(Dialect::Postgres).contains(&format!("'{JOBS_CHANNEL}'")));
        assert!(NOTIFY_ACCESS.text(Dialect::Postgres).contains(&format!("'{ACCESS_CHANNEL}'")));
    }

    #[test]
    fn locks_are_for_postgres_and_never_in_reads() {
        for text in ["SELECT a FROM b FOR UPDATE", "SELECT a FROM b FOR NO KEY UPDATE"] {
            let sql = Sql::Same(text);
            assert_eq!(sql.text(Dialect::Sqlite), "SELECT a FROM b");
            assert_eq!(sql.text(Dialect::Postgres), text);
            assert!(!sql.only_reads());
        }
        assert!(Sql::Same("SELECT a FROM b").only_reads());
        assert!(!Sql::Same("DELETE FROM b RETURNING a").only_reads());
    }
}
