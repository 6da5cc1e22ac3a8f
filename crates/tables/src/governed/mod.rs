//! Governed tables: what an agreement shows of a table's files, and nothing else.
//!
//! A [`TablePlan`] is a view checked against a table's columns: which columns and parts of columns, which rows, which
//! values hidden in part. It is computed once, has a digest, and everything served under it is named by that digest.
//!
//! Each file of the table is served in the cheapest way that keeps to the plan, which its footer decides:
//! its own bytes when nothing is hidden; a [`VirtualFile`], whose bytes are ranges of the source under a footer of its own,
//! when columns are hidden and rows can be told apart by row groups; and written again, once, into a [`Cache`] otherwise.
//! A file that holds no row that is shown is not named at all.

mod cache;
mod condition;
mod dictionary;
mod expr;
mod file_plan;
#[cfg(test)]
pub(crate) mod fixtures;
mod footer;
mod governor;
mod mask;
mod plan;
mod preview;
mod rewrite;
mod rowgroups;
mod stats;
mod value;
mod virtual_parquet;

pub use cache::{Cache, CachedFile};
pub use footer::{MAX_FOOTER_BYTES, check_ends, open};
pub(crate) use footer::{Positioned, metadata, without_upper_bounds_of_floats};
pub use governor::{Content, GovernedFile, Governor, Source, StillSame, Written, name};
pub use plan::{TablePlan, check};
pub use preview::{PREVIEW_LOOKED_AT_ROWS, PREVIEW_MAX_ROWS, first_rows};
pub use virtual_parquet::{Piece, VirtualFile};
