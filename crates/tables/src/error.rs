//! What can go wrong while a table is published or a sample is written.
//!
//! Each variant has a stable short [`TablesError::kind`] that a caller maps to its own codes, and a
//! message that says where the trouble is and what the publisher can do about it.

use std::{io, path::PathBuf};

/// Why a table was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TablesError {
    /// No file to publish.
    #[error("nothing to publish: {0}")]
    Empty(String),
    /// A path that cannot be a source.
    #[error("{}: {reason}", path.display())]
    BadSource {
        /// The path as the publisher gave it, or the entry found below it.
        path: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// A Parquet file that is truncated, damaged or forged.
    #[error("{file}: not a sound Parquet file: {reason}")]
    MalformedParquet {
        /// File name.
        file: String,
        /// What was found.
        reason: String,
    },
    /// A CSV file that cannot be read as a table.
    #[error("{file}, line {line}{}: {reason}", column_suffix(column.as_deref()))]
    MalformedCsv {
        /// File name.
        file: String,
        /// Line, counted from 1; the first line of a record that spans several, or the first of the blank
        /// lines before it.
        line: u64,
        /// Column name, when one column is to blame.
        column: Option<String>,
        /// What was found and what to do.
        reason: String,
    },
    /// A JSON Lines file that cannot be read as a table.
    #[error("{file}, line {line}{}: {reason}", column_suffix(column.as_deref()))]
    MalformedJson {
        /// File name.
        file: String,
        /// Line, counted from 1.
        line: u64,
        /// Column name, when one column is to blame.
        column: Option<String>,
        /// What was found and what to do.
        reason: String,
    },
    /// A workbook that cannot be read as a table.
    #[error("{file}{}: {reason}", if place.is_empty() { String::new() } else { format!(", {place}") })]
    MalformedWorkbook {
        /// File name.
        file: String,
        /// Where in it, as in "sheet Sales, cell C1"; empty when the file as a whole is to blame.
        place: String,
        /// What was found and what to do.
        reason: String,
    },
    /// A column whose type the Delta Sharing protocol cannot declare.
    #[error("{file}, column \"{column}\": {reason}")]
    UnsupportedType {
        /// File name.
        file: String,
        /// Column name; dots lead into nested fields.
        column: String,
        /// The type and what to store instead.
        reason: String,
    },
    /// A column name that clients cannot tell from another, or cannot use.
    #[error("{file}: {reason}")]
    BadColumnName {
        /// File name.
        file: String,
        /// Which name and why.
        reason: String,
    },
    /// Two files of one product do not have the same columns.
    #[error("{file}: its columns differ from those of {first}: {reason}")]
    SchemaMismatch {
        /// The file that differs.
        file: String,
        /// The file it is compared with.
        first: String,
        /// The first difference.
        reason: String,
    },
    /// A database that does not answer.
    #[error("{server}: not reached: {reason}")]
    DatabaseUnreachable {
        /// Host, port and database.
        server: String,
        /// What was tried.
        reason: String,
    },
    /// A database that lets nobody in under these settings.
    #[error("{server}: refused the connection: {reason}")]
    DatabaseRefused {
        /// Host, port and database.
        server: String,
        /// What the server said, with its SQLSTATE.
        reason: String,
    },
    /// A database that went away before all rows were read.
    #[error("{server}: the connection was lost before all rows were read; nothing of them is kept: {reason}")]
    DatabaseLost {
        /// Host, port and database.
        server: String,
        /// What ended it.
        reason: String,
    },
    /// A query that took too long.
    #[error("{server}: too slow: {reason}")]
    DatabaseSlow {
        /// Host, port and database.
        server: String,
        /// What the server said and what to do.
        reason: String,
    },
    /// A query that the database does not run, or that is no source of rows.
    #[error("the query was refused: {reason}")]
    QueryRefused {
        /// What the server said, with its SQLSTATE, or what is wrong with it.
        reason: String,
    },
    /// A value that the table cannot hold.
    #[error("{server}, row {row} of the query, column \"{column}\": {reason}")]
    BadValue {
        /// Host, port and database.
        server: String,
        /// Row, counted from 1.
        row: u64,
        /// Column name.
        column: String,
        /// What was found and what to do.
        reason: String,
    },
    /// A limit of [`crate::publish::PublishLimits`] was exceeded.
    #[error("{subject}: {reason}")]
    TooLarge {
        /// File, column or product.
        subject: String,
        /// Found and allowed.
        reason: String,
    },
    /// A Delta table whose log is damaged, incomplete or forged, or does not fit its files.
    #[error("{table}: not a sound Delta table: {reason}")]
    MalformedDelta {
        /// The table.
        table: String,
        /// What was found and what to do.
        reason: String,
    },
    /// A Delta table that uses what cannot be read here.
    #[error("{table}: {reason}")]
    UnsupportedDelta {
        /// The table.
        table: String,
        /// The protocol or feature, and what to do.
        reason: String,
    },
    /// A version that a Delta table does not have.
    #[error("{table}: {reason}")]
    NoSuchVersion {
        /// The table.
        table: String,
        /// Which versions there are.
        reason: String,
    },
    /// A file that a Delta table consists of is not there.
    #[error("{table}: {file} is missing; restore it (deleted by a VACUUM?) or publish another version")]
    MissingFile {
        /// The table.
        table: String,
        /// The file, below the table's folder.
        file: String,
    },
    /// An object store did not give what was asked for.
    #[error("{subject}: {reason}")]
    Storage {
        /// In what way.
        trouble: StorageTrouble,
        /// Bucket, prefix or object.
        subject: String,
        /// What happened and what to do.
        reason: String,
    },
    /// The caller cancelled the publication.
    #[error("the publication was cancelled; nothing was published")]
    Cancelled,
    /// The place to write to is not usable.
    #[error("{}: {reason}", path.display())]
    BadTarget {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file system failed.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// What was being done, as in "reading".
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Writing Parquet failed for a reason other than the file system.
    #[error("writing {file}: {reason}")]
    Write {
        /// File name.
        file: String,
        /// What the writer said.
        reason: String,
    },
}

/// In what way an object store failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageTrouble {
    /// It refused: credentials, permissions, region.
    Refused,
    /// It has no such bucket or object.
    Missing,
    /// It cannot be reached: name, address, TLS, port.
    Unreachable,
    /// It answers too slowly.
    Slow,
    /// An object changed while it was read.
    Changed,
    /// It failed in another way, again and again.
    Failed,
}

impl StorageTrouble {
    fn kind(self) -> &'static str {
        match self {
            Self::Refused => "storage-refused",
            Self::Missing => "storage-missing",
            Self::Unreachable => "storage-unreachable",
            Self::Slow => "storage-slow",
            Self::Changed => "storage-changed",
            Self::Failed => "storage-failed",
        }
    }
}

fn column_suffix(column: Option<&str>) -> String {
    column.map(|c| format!(", column \"{c}\"")).unwrap_or_default()
}

impl TablesError {
    /// A short stable name of the kind of error, for a table of codes.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty(_) => "empty",
            Self::BadSource { .. } => "bad-source",
            Self::MalformedParquet { .. } => "malformed-parquet",
            Self::MalformedCsv { .. } => "malformed-csv",
            Self::MalformedJson { .. } => "malformed-json",
            Self::MalformedWorkbook { .. } => "malformed-workbook",
            Self::UnsupportedType { .. } => "unsupported-type",
            Self::BadColumnName { .. } => "bad-column-name",
            Self::SchemaMismatch { .. } => "schema-mismatch",
            Self::DatabaseUnreachable { .. } => "database-unreachable",
            Self::DatabaseRefused { .. } => "database-refused",
            Self::DatabaseLost { .. } => "database-lost",
            Self::DatabaseSlow { .. } => "database-slow",
            Self::QueryRefused { .. } => "query-refused",
            Self::BadValue { .. } => "bad-value",
            Self::TooLarge { .. } => "too-large",
            Self::MalformedDelta { .. } => "malformed-delta",
            Self::UnsupportedDelta { .. } => "unsupported-delta",
            Self::NoSuchVersion { .. } => "no-such-version",
            Self::MissingFile { .. } => "missing-file",
            Self::Storage { trouble, .. } => trouble.kind(),
            Self::Cancelled => "cancelled",
            Self::BadTarget { .. } => "bad-target",
            Self::Io { .. } => "io",
            Self::Write { .. } => "write",
        }
    }

    /// Wraps an error of the file system.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
