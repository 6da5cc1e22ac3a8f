//! The node's transparency log: signed and served as c2sp.org/tlog-tiles has it, so that programs of others verify it.
//!
//! | module | does |
//! | --- | --- |
//! | [`key`] | the key that signs it |
//! | [`memory`] | what was signed last, beside the database |
//! | [`sequencer`] | takes leaves into the tree, and signs |
//! | [`surface`] | `/log/…` on the public listener |
//! | [`check`] | recomputes everything |
//! | [`receipt`] | the proof of one leaf |

pub mod check;
pub mod key;
pub mod memory;
pub mod receipt;
pub mod sequencer;
pub mod surface;
