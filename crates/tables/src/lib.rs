//! Tables: what a publisher hands in becomes an immutable set of Parquet files, and what a consumer
//! is told about them is the text of the Delta Sharing protocol.
//!
//! - [`publish`]: Parquet, CSV and Delta tables, on local disk or in an object store, in; checked Parquet,
//!   schema and profile out.
//! - [`delta_sharing`]: the protocol's requests and answers as text; no HTTP.
//! - [`serve`]: which bytes answer a request (RFC 9110 conditions and ranges); no HTTP.
//! - [`governed`]: what an agreement shows of a table: columns, rows, masked values.
//! - [`sample`]: believable tables from a seed, for the demonstration.
//!
//! Everything here is synchronous: callers run it where blocking is allowed. This is the only crate
//! that links Arrow and Parquet, and none of their types appear in its public functions.

pub mod delta_sharing;
mod error;
pub mod governed;
pub mod publish;
pub mod sample;
pub mod serve;
pub mod sql;

pub use error::{StorageTrouble, TablesError};
