//! The node's transparency log: signed and served as c2sp.org/tlog-tiles has it, so that programs of others verify it.
//!
//! | module | does |
//! | --- | --- |
//! | [`key`] | the keys that sign it, and the logs of others |
//! | [`policy`] | whom this node asks to witness it, and whose log it witnesses |
//! | [`asking`] | asks the witnesses |
//! | [`witnessing`] | this node as a witness of others |
//! | [`memory`] | what was signed last, beside the database |
//! | [`sequencer`] | takes leaves into the tree, and signs |
//! | [`surface`] | `/log/…` on the public listener |
//! | [`check`] | recomputes everything |
//! | [`receipt`] | the proof of one leaf |
//! | [`opened`] | what a bundle proves |

pub mod asking;
pub mod check;
pub mod key;
pub mod memory;
pub mod opened;
pub mod policy;
pub mod receipt;
pub mod sequencer;
pub mod surface;
pub mod witnessing;
