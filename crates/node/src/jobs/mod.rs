//! Jobs: what the node does of its own accord after a transaction committed. Stored with the state they follow from,
//! woken by the commit, retried with back-off, safe to run twice.

mod agreement_tell;
pub mod catalog_read;
pub mod housekeeping;
mod negotiation_send;
pub mod peer_log;
pub mod reports;
pub mod runner;
pub mod send;
mod transfer_send;
pub mod webhook;

pub use agreement_tell::AgreementTell;
pub use negotiation_send::NegotiationSend;
pub use peer_log::PeerLog;
pub use transfer_send::{ENDPOINT_TYPE_DELTA_SHARING, ENDPOINT_TYPE_HTTP, TransferSend};

use crate::app::App;
use fondaco_core::{
    decision::{Action, Decision, Trigger},
    participant::Slug,
};
use serde::{Deserialize, Serialize};

/// Sends a negotiation message.
pub const NEGOTIATION_SEND: &str = "negotiation.send";
/// Takes a delayed decision of a negotiation.
pub const NEGOTIATION_DECIDE: &str = "negotiation.decide";
/// Asks a webhook what a negotiation is to do.
pub const NEGOTIATION_ASK: &str = "negotiation.ask";
/// Sends a transfer message.
pub const TRANSFER_SEND: &str = "transfer.send";
/// Takes a delayed decision of a transfer.
pub const TRANSFER_DECIDE: &str = "transfer.decide";
/// Asks a webhook what a transfer is to do.
pub const TRANSFER_ASK: &str = "transfer.ask";
/// Reads the source of a publication.
pub const PUBLICATION_PREPARE: &str = "publication.prepare";
/// Looks at the source of a product that follows it.
pub const FEED_LOOK: &str = "feed.look";
/// Tells the peer what became of an agreement.
pub const AGREEMENT_TELL: &str = "agreement.tell";
/// Keeps the key of a peer's log.
pub const PEER_LOG: &str = "peer.log";
/// Renews an agreement, as a rule says.
pub const AGREEMENT_RENEW: &str = "agreement.renew";
/// Finds out anew when a consumer's rules renew its agreements.
pub const AGREEMENTS_PLAN: &str = "agreements.plan";
/// Tells the agreements about a product that it was stopped, or is no longer.
pub const PRODUCT_STOP: &str = "product.stop";
/// Ends a transfer whose agreed time is over.
pub const TRANSFER_EXPIRE: &str = "transfer.expire";

/// The line in which the messages of one process wait: they arrive in the order in which they were decided.
pub fn line(id: impl std::fmt::Display) -> String {
    format!("{id}:send")
}

/// The line in which a process waits for a decision: a delay, a webhook.
pub fn waiting_line(id: impl std::fmt::Display) -> String {
    format!("{id}:decide")
}

/// The base of a participant's DSP endpoints, where peers also call back; without a trailing slash.
pub fn dsp_base(app: &App, slug: &Slug) -> String {
    format!("{}/dsp/{}", app.config.participant_base(slug), fondaco_dsp::VERSION)
}

/// A decision to take later, void if the process moves on first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decide<Id> {
    /// The process.
    pub id: Id,
    /// What to do, in jobs of earlier versions.
    pub action: Action,
    /// What to do.
    #[serde(default)]
    pub decision: Option<Decision>,
    /// The point that it was decided for.
    #[serde(default)]
    pub at: Option<Trigger>,
    /// The revision it was decided for.
    pub revision: u64,
}

impl<Id> Decide<Id> {
    /// The decision.
    pub fn decision(&self) -> Decision {
        self.decision.clone().unwrap_or_else(|| Decision::now(self.action))
    }
}

/// The publication whose source is to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepare {
    /// The publication.
    pub id: fondaco_core::ids::PublicationId,
    /// The revision it was asked for.
    pub revision: u64,
    /// Whether an operator of the node asked.
    pub operator: bool,
}

/// The feed whose source is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The product.
    pub product: fondaco_core::product::ProductId,
    /// The revision of the feed it was appointed by.
    pub revision: u64,
}

/// The line of the looks of one feed.
pub fn feed_line(product: &fondaco_core::product::ProductId) -> String {
    format!("feed:{product}")
}

/// The transfer to look at when its agreed time should be over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expire {
    /// The transfer.
    pub id: fondaco_core::ids::TransferId,
}

/// The agreement to renew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew {
    /// The agreement.
    pub id: String,
}

/// Where a walk through the agreements of a participant goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Walk {
    /// After this agreement.
    pub after: String,
}

/// The product whose agreements are to follow its stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopWalk {
    /// The product.
    pub product: fondaco_core::product::ProductId,
    /// After this agreement.
    #[serde(default)]
    pub after: String,
}
