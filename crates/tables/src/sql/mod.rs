//! Governed SQL: answers from a table of which the asker may see a part.
//!
//! A statement is planned in a session whose catalogue has one table, the governed one: its rows, columns and masks are
//! those of the agreement's terms. The files as they are stored have no name there, so no statement and no rule of the
//! optimiser can reach them. Where the terms say `minGroupSize`, only aggregates over enough rows are answered.
//!
//! - [`Queries`] runs statements, within [`Limits`], and answers with an [`Answer`]: a stream of Arrow or JSON. An [`Engine`]
//!   does the work: [`Embedded`], or [`Distributed`] over several workers.
//! - [`Table`] is what may be asked of: files, and the plan of the terms.

mod access;
mod answer;
mod bounds;
mod columns;
mod distributed;
mod engine;
mod files;
pub mod flight;
mod functions;
mod groups;
mod held;
mod inlined;
mod queries;
mod sealed;
mod session;
mod utc;

pub use access::{Access, Accesses, Refusal, Sort};
pub use answer::{Answer, Counted, Format};
pub use distributed::Distributed;
pub use engine::{Embedded, Engine};
pub use files::{SourceFile, StillSame};
pub use queries::{Place, Queries};
pub use session::Table;

use std::time::Duration;

/// What one statement may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the statement's text.
    pub text_bytes: usize,
    /// Bytes of memory for sorting, grouping and joining. Nothing is written to disk.
    pub memory_bytes: usize,
    /// Time of the engine's work; waiting for a slow reader is not counted.
    pub time: Duration,
    /// Rows of the answer.
    pub rows: u64,
    /// Bytes of the answer, as Arrow holds them.
    pub bytes: u64,
    /// Statements of one agreement at once.
    pub at_once: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A statement written by a tool, with long lists of values.
            text_bytes: 100_000,
            // Ten million groups of small keys; a few of these at once fit into a small machine.
            memory_bytes: 256 * 1024 * 1024,
            // Beyond what a person waits for, and enough for some hundred million rows.
            time: Duration::from_secs(30),
            // Who wants more wants the files.
            rows: 1_000_000,
            bytes: 256 * 1024 * 1024,
            // One to read and one to look something up.
            at_once: 2,
        }
    }
}

/// Why a statement is not answered. What a message says is fit for the asker: it tells of the statement and of what may
/// be seen, never of hidden values, names or places.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// The statement is wrong, or asks for what does not exist or is not allowed.
    #[error("{0}")]
    Refused(String),
    /// The answer, or what it takes to compute it, is beyond a limit.
    #[error("{0}")]
    TooLarge(String),
    /// It needs more memory than a statement may take.
    #[error("The statement needs more memory than it may take. Ask for fewer groups, or sort and join less.")]
    OutOfMemory,
    /// It took longer than a statement may.
    #[error("The statement took longer than {0} seconds. Ask for less at once.")]
    TooSlow(u64),
    /// As many statements of the agreement run as may run at once.
    #[error("{0} statements of this agreement are running, as many as may at once. Wait for one to end.")]
    Busy(usize),
    /// It failed for a reason in the rows it saw, such as a text that is not a number where it is cast to one.
    #[error("The statement failed on a value: by a division by zero, a cast that does not fit, or a number too large.")]
    OnValue,
    /// The node failed. The text is for its own log.
    #[error("The statement could not be run.")]
    Failed(String),
}

impl SqlError {
    /// Whether a statement that fails so may have looked at rows: then its failing tells something of them.
    pub const fn looked_at_rows(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Busy(_) | Self::Failed(_) => false,
            Self::TooLarge(_) | Self::OutOfMemory | Self::TooSlow(_) | Self::OnValue => true,
        }
    }
}

#[cfg(test)]
mod shown_tests;
#[cfg(test)]
mod tests;
