//! The audit room: whether this side's evidence is complete, and the evidence of both sides of an agreement beside each
//! other. Everything is looked up and checked when it is asked for; nothing is kept but the keys of peers' logs, each since the
//! first deal with the peer.

pub mod check;
mod gathered;
mod give;
mod peer;
pub mod timeline;
mod verify;

pub use check::{CheckFinding, EvidenceCheck};
pub use timeline::{Finding, Outcome, Side, Timeline, TimelineLeaf};
