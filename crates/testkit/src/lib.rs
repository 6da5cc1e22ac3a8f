//! For tests only: nodes on free ports ([`TestNode`]), two that trade ([`TestPair`]), a proxy in front of a node that
//! fails on demand ([`FaultProxy`]), two in a [`simulation`], a Delta Sharing client without comfort ([`Share`]), protocol messages ([`wire`]).
//!
//! Nodes use SQLite; with `FONDACO_TEST_POSTGRES_URL` set, each gets a schema of its own on that server.
//! Every function panics on failure: in a test that is the answer.

mod database;
pub mod http;
pub mod log;
mod node;
mod pair;
mod patience;
mod proxy;
mod share;
pub mod simulation;
pub mod tables;
pub mod wire;

pub use database::Database;
pub use http::Answer;
pub use node::{Options, TestNode};
pub use pair::TestPair;
pub use patience::{PATIENCE, eventually};
pub use proxy::{Fault, FaultProxy};
pub use share::{Access, Share, file_urls, lines};
