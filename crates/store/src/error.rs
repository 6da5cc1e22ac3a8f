//! What can go wrong below a transaction, and the code each becomes.

use fondaco_core::{Code, Error};

/// A failure of the store. Cloneable, because one failed commit answers every caller of its group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or did not answer in time. If it happened during a commit, the outcome is
    /// unknown: repeat only what is idempotent.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The row exists already, changed meanwhile, or refers to something that does not exist. Nothing was written.
    #[error("conflict: {0}")]
    Conflict(String),
    /// A newer version wrote the database.
    #[error("the database has schema version {found}, this program knows {known}: use the newer program")]
    FromFuture {
        /// The version in the database.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// A migration that was applied is not the one this program carries.
    #[error("migration {version} of the database differs from this program's")]
    MigrationChanged {
        /// Which one.
        version: u32,
    },
    /// A stored value cannot be read back.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
    /// A value over its limit, or one no database column can hold.
    #[error("refused: {0}")]
    Limit(String),
    /// The closure panicked; its transaction was rolled back.
    #[error("transaction {0} panicked")]
    Panicked(&'static str),
    /// An export that could not be written, or a text that is not a whole export.
    #[error("{0}")]
    Stream(String),
    /// The configuration names no database.
    #[error("configuration: {0}")]
    Config(String),
    /// Anything else the database refused.
    #[error("database: {0}")]
    Database(String),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) => Self::new(Code::Unavailable, "The database is away. Try again in a moment."),
            StoreError::Conflict(_) => Self::new(Code::Conflict, "It exists already, or changed meanwhile. Read it again and retry."),
            StoreError::FromFuture { .. } | StoreError::MigrationChanged { .. } => {
                Self::new(Code::DatabaseFromFuture, format!("Cannot use this database: {error}."))
            }
            StoreError::Limit(what) => Self::invalid(format!("The store refused a value: {what}.")),
            StoreError::Stream(_) => Self::new(Code::BackupUnusable, format!("{error}.")),
            StoreError::Config(_) => Self::new(Code::ConfigInvalid, error.to_string()),
            StoreError::Corrupt(_) | StoreError::Panicked(_) | StoreError::Database(_) => return Self::internal_failure(error),
        }
        .with_internal(error)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as C;
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(C::ConstraintViolation) => Self::Conflict(text),
            Some(C::DatabaseBusy | C::DatabaseLocked | C::DiskFull | C::SystemIoFailure | C::CannotOpen | C::ReadOnly) => {
                Self::Unavailable(text)
            }
            Some(C::DatabaseCorrupt | C::NotADatabase) => Self::Corrupt(text),
            _ => Self::Database(text),
        }
    }
}

impl From<postgres::Error> for StoreError {
    fn from(error: postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            let text = error.to_string();
            // Without an answer from the server it is the connection, except for a value we could not encode.
            return if error.is_closed() || std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>) {
                Self::Unavailable(text)
            } else if text.contains("serializing parameter") || text.contains("deserializing column") {
                Self::Database(text)
            } else {
                Self::Unavailable(text)
            };
        };
        // The message names constraints, the detail would quote values.
        let (class, text) = (db.code().code().get(..2).unwrap_or_default(), format!("{} ({})", db.message(), db.code().code()));
        match (class, db.code().code()) {
            ("23", _) => Self::Conflict(text),
            // Connection, resources, intervention; lock timeout, cancelled statement, deadlock, serialisation.
            ("08" | "53" | "57" | "40", _) | (_, "55P03") => Self::Unavailable(text),
            _ => Self::Database(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_see_a_code_and_no_internals() {
        let e = Error::from(StoreError::Conflict("UNIQUE constraint failed: user_account.login".into()));
        assert_eq!(e.code(), Code::Conflict);
        assert!(!e.message().contains("user_account"));
        assert!(e.internal().is_some_and(|i| i.contains("user_account")));
        assert_eq!(Error::from(StoreError::Unavailable(String::new())).code(), Code::Unavailable);
        assert_eq!(Error::from(StoreError::FromFuture { found: 9, known: 1 }).code(), Code::DatabaseFromFuture);
        assert_eq!(Error::from(StoreError::Corrupt("x".into())).code(), Code::Internal);
    }
}
