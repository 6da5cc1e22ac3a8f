//! Which database, and how much of it one process uses.

use crate::error::StoreError;

/// Reader threads over SQLite. Reads are short; two keep a long list from holding up a lookup.
const SQLITE_READERS: usize = 2;
/// Postgres connections of one process. Ten processes stay under a server's default of 100.
const POSTGRES_CONNECTIONS: usize = 8;

/// How to open a [`crate::Store`].
#[derive(Clone)]
pub struct StoreConfig {
    /// `sqlite:PATH`, `sqlite::memory:` (tests), or `postgres://user:password@host/database`.
    pub url: String,
    /// Reader threads (SQLite).
    pub sqlite_readers: usize,
    /// Connections (Postgres).
    pub postgres_connections: usize,
}

impl StoreConfig {
    /// The defaults for a database.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), sqlite_readers: SQLITE_READERS, postgres_connections: POSTGRES_CONNECTIONS }
    }

    pub(crate) fn target(&self) -> Result<Target, StoreError> {
        if self.url == "sqlite::memory:" {
            return Ok(Target::Memory);
        }
        if self.url.starts_with("postgres://") || self.url.starts_with("postgresql://") {
            // The parser's own message could quote the password.
            let config = self.url.parse().map_err(|_| StoreError::Config("the postgres:// address cannot be read".into()))?;
            return Ok(Target::Postgres(Box::new(config)));
        }
        match self.url.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Target::File(path.strip_prefix("//").unwrap_or(path).into())),
            _ => Err(StoreError::Config("the database address must start with sqlite: or postgres://".into())),
        }
    }
}

impl std::fmt::Debug for StoreConfig {
    // The address may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = self.url.split(':').next().unwrap_or_default();
        f.debug_struct("StoreConfig").field("url", &format_args!("{scheme}:…")).finish_non_exhaustive()
    }
}

pub(crate) enum Target {
    Memory,
    File(std::path::PathBuf),
    Postgres(Box<postgres::Config>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart_and_passwords_stay_inside() {
        assert!(matches!(StoreConfig::new("sqlite::memory:").target(), Ok(Target::Memory)));
        for path in ["sqlite:/tmp/a.db", "sqlite:///tmp/a.db"] {
            assert!(matches!(StoreConfig::new(path).target(), Ok(Target::File(p)) if p == std::path::Path::new("/tmp/a.db")), "{path}");
        }
        assert!(matches!(StoreConfig::new("postgres://u:p@h/d").target(), Ok(Target::Postgres(_))));
        for bad in ["", "sqlite:", "mysql://h/d", "/tmp/a.db", "postgres://u:hunter2@h:port/d"] {
            let error = StoreConfig::new(bad).target().err().expect("refused").to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(!format!("{:?}", StoreConfig::new("postgres://u:hunter2@h/d")).contains("hunter2"));
    }
}
