//! What the node lends to a surface that answers statements.

use super::{Answer, SqlError, Table};
use std::{fmt, sync::Arc};

/// Access that is open: what may be asked, and the counting of what goes out.
#[async_trait::async_trait]
pub trait Access: Send + Sync + 'static {
    /// What may be asked of, to be described: without its files.
    async fn table(&self) -> Result<Table, Refusal>;
    /// Runs a statement up to its first rows: one read, unless it is refused before it looked at any.
    async fn run(&self, sql: String) -> Result<Answer, Refusal>;
    /// Before rows go out: takes their bytes from what was agreed, and says no when access has ended.
    async fn let_out(&self, bytes: u64, rows: u64) -> Result<(), Refusal>;
    /// Resolves when access ends.
    async fn closed(&self);
}

/// Finds the access that a credential opens.
#[async_trait::async_trait]
pub trait Accesses: Send + Sync + 'static {
    /// By a participant's name and the token of a transfer of its.
    async fn open(&self, participant: &str, token: &str) -> Result<Arc<dyn Access>, Refusal>;
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Of which sort.
    pub sort: Sort,
    /// In words, with the error's code.
    pub message: String,
}

/// Sorts of refusals, as remote procedure calls tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// No credential, or a wrong one.
    Unauthenticated,
    /// Not allowed, or no more.
    Denied,
    /// Not there.
    NotFound,
    /// The request is wrong.
    Invalid,
    /// Beyond a limit.
    Exhausted,
    /// The node failed.
    Internal,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl From<SqlError> for Refusal {
    fn from(e: SqlError) -> Self {
        let sort = match e {
            SqlError::Refused(_) | SqlError::OnValue => Sort::Invalid,
            SqlError::TooLarge(_) | SqlError::OutOfMemory | SqlError::TooSlow(_) | SqlError::Busy(_) => Sort::Exhausted,
            SqlError::Failed(_) => Sort::Internal,
        };
        Self { sort, message: e.to_string() }
    }
}
