//! What all HTTP surfaces share.

pub mod bearer;
pub mod error_page;
pub mod problem;
pub mod request_id;
pub mod request_log;
pub mod serve;
