//! What all HTTP surfaces share.

pub mod error_page;
pub mod problem;
pub mod request_id;
pub mod serve;
