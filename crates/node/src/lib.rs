//! The node.
pub mod identity;
pub mod net;
pub mod secrets;
