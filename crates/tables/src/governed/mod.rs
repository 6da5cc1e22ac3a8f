//! Governed tables: what an agreement shows of a table's files, and nothing else.
//!
//! A [`TablePlan`] is a view checked against a table's columns: which columns and parts of columns, which rows, which
//! values hidden in part. It is computed once, has a digest, and everything served under it is named by that digest.

mod condition;
mod expr;
mod file_plan;
#[cfg(test)]
mod fixtures;
mod footer;
mod mask;
mod plan;
mod rewrite;
mod rowgroups;
mod stats;
mod value;
mod virtual_parquet;

pub use footer::{MAX_FOOTER_BYTES, open};
pub use plan::{TablePlan, check};
pub use virtual_parquet::{Piece, VirtualFile};
