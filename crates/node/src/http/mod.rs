//! What all HTTP surfaces share.

pub mod problem;
pub mod request_id;
pub mod serve;
