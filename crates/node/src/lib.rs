//! The node: use cases ([`app`]), HTTP surfaces ([`dsp`], [`share`], [`sql`], [`files`], [`api`], [`console_web`]), [`jobs`], configuration
//! and telemetry; and the `fondaco` command ([`cli`]).
//!
//! Only this crate knows axum, and only it maps wire types to core types and core errors to HTTP.

pub mod api;
pub mod app;
pub mod backup;
pub mod cli;
pub mod config;
pub mod console_web;
pub mod demo;
pub mod disk;
pub mod dsp;
pub mod files;
pub mod footprint;
pub mod http;
pub mod identity;
pub mod init;
pub mod jobs;
pub mod log;
pub mod net;
pub mod node;
pub mod secrets;
pub mod share;
pub mod sql;
pub mod telemetry;
