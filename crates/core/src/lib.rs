//! The rules of a deal, as values.
//!
//! In scope: ids, time, error codes, participants and their DIDs, products and offers, prices, policies and their
//! evaluation, the negotiation and transfer state machines, agreements and what becomes of them, leaves of evidence.
//! Out of scope: I/O, async, SQL, HTTP, wire formats. Time and randomness come in as arguments, so everything
//! here is deterministic and testable in milliseconds.

pub mod agreement;
mod bargain;
pub mod canonical;
pub mod connection;
pub mod decision;
pub mod entropy;
pub mod error;
pub mod evidence;
pub mod feed;
pub mod ids;
pub mod life;
pub mod lineage;
pub mod listing;
pub mod negotiation;
pub mod participant;
pub mod policy;
pub mod price;
pub mod product;
pub mod publication;
pub mod report;
pub mod time;
pub mod transfer;

pub use error::{Code, Error, Result};
