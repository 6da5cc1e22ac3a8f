//! The wire formats of the
//! [Dataspace Protocol 2025-1](https://eclipse-dataspace-protocol-base.github.io/DataspaceProtocol/2025-1-err1/):
//! parse and print, bounded.
//!
//! In scope: DSP messages and catalogues, the shape of ODRL policies inside them, DID documents, and a JSON-LD
//! normaliser that turns every spelling of a DSP message into its compact one.
//! Out of scope: I/O, HTTP, state machines, and whether a policy can be enforced (the core decides that).
//!
//! Everything read here was written by somebody else. Each `parse` takes bytes and answers a typed value or a
//! [`WireError`]; size, depth, number of values and length of texts are limited before anything is interpreted
//! (see [`limits`]). Nothing is ever fetched: JSON-LD contexts are known by name or refused.

pub mod croissant;
pub mod did;
pub mod error;
mod json;
pub mod jsonld;
pub mod limits;
pub mod messages;
pub mod odrl;

pub use error::WireError;
pub use jsonld::normalise;

/// The JSON-LD context of DSP 2025-1; every message we send names it, and only it.
pub const CONTEXT: &str = "https://w3id.org/dspace/2025/1/context.jsonld";

/// The version of the protocol, as `/.well-known/dspace-version` names it.
pub const VERSION: &str = "2025-1";
