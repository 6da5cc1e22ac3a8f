//! The database: one concrete [`Store`] over SQLite or Postgres.
//!
//! In scope: migrations, transactions, the rows of every aggregate, events, idempotency keys, and the outbox of jobs.
//! Out of scope: rules (core) and whatever a job does (node). Only this crate knows SQL.
//!
//! A transaction is a synchronous closure that runs on a thread which owns a connection
//! (`docs/decisions/0002-store-threads.md`). Everything a use case writes, its events, jobs and idempotency key
//! included, goes into one call of [`Store::tx`]; it is durable when the call returns `Ok`. A row belongs to a
//! participant, and every lookup asks for that participant: a row of another one is not found.

pub mod backup;
mod config;
mod conn;
mod dialect;
mod error;
mod feed;
pub mod inspect;
mod migrate;
mod participants;
mod postgres;
mod sqlite;
mod store;
pub mod tx;
mod value;
mod watch;
mod work;

pub use config::StoreConfig;
pub use error::StoreError;
pub use feed::JobFeed;
pub use store::{Closing, Store};
pub use tx::{
    Tx,
    agreement_signatures::SignatureRow,
    agreements::{AGREEMENT_DUE, AgreementFilter, AgreementRow},
    api_tokens::ApiTokenRow,
    events::{Event, NewEvent},
    evidence::{EvidenceFilter, EvidenceRow},
    evidence_keep::Erased,
    evidence_sums::RefusalSum,
    idempotency::Idempotency,
    jobs::{Job, JobStats, NewJob},
    keys::KeyRow,
    log::{Integrated, LOG_BATCH_MAX, LogKeyRow, LogKeyUse, LogTree},
    log_witness::{CosignatureRow, QuorumRow, WitnessedRow},
    login::LoginAttempt,
    negotiations::ProcessFilter,
    peer_datasets::{FacetCount, PeerDataset, PeerDatasetFilter},
    peer_logs::PeerLogRow,
    peers::PeerRow,
    process_counts::ProcessCounts,
    product_files::ProductFile,
    product_search::{ProductCount, ProductSearch},
    products::ProductFilter,
    sessions::SessionRow,
    usage::{Counted, Taken, Usage, UsageKey, UsagePlace, UsageRecord},
    users::{Memberships, UserRow},
};
pub use watch::Watch;
