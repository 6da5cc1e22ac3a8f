//! What there is to see: the document of `--json`, and what the text on the terminal is made from.

use super::{deals::Deal, zone::DemoNode};
use fondaco_core::participant::Did;
use serde::Serialize;
use std::path::PathBuf;

/// The whole demonstration.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// Where the nodes keep their data.
    pub dir: PathBuf,
    /// Whether the folder goes when the demonstration ends.
    pub temporary: bool,
    /// The nodes.
    pub nodes: Vec<NodeFacts>,
    /// The deals.
    pub deals: Vec<DealFacts>,
    /// A table to read with any Delta Sharing client; none when its access was closed meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Example>,
}

/// A node.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeFacts {
    /// Its participant's name.
    pub name: String,
    /// And slug.
    pub slug: String,
    /// And DID.
    pub did: Did,
    /// And public address, which commands also take as PEER.
    pub address: String,
    /// The console.
    pub console_url: String,
    /// Who signs in there.
    pub login: String,
    /// With this password.
    pub password: String,
    /// The node's folder: `--dir` of commands.
    pub dir: PathBuf,
}

/// A deal.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DealFacts {
    /// The consumer's slug.
    pub consumer: String,
    /// The provider's slug.
    pub provider: String,
    /// The dataset.
    pub dataset: String,
    /// Its title.
    pub title: String,
    /// The offer.
    pub offer: String,
    /// The negotiation, as the consumer numbers it.
    pub consumer_negotiation_id: String,
    /// The negotiation, as the provider numbers it.
    pub provider_negotiation_id: String,
    /// Its state.
    pub state: String,
    /// Whether it waits for a person at the provider.
    pub waiting: bool,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The agreement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement_id: Option<String>,
    /// SHA-256 of the agreement, the same on both sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The state of its transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_state: Option<String>,
    /// Reads counted.
    pub reads: u64,
}

/// How to read a table.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Example {
    /// The consumer's slug.
    pub consumer: String,
    /// What is read.
    pub title: String,
    /// The agreement.
    pub agreement_id: String,
    /// The profile file.
    pub profile: PathBuf,
    /// The table, as `share.schema.table`.
    pub table: String,
    /// The address of the protocol's endpoints.
    pub endpoint: String,
    /// Where the table is queried.
    pub query_url: String,
    /// The token of the profile.
    pub bearer_token: String,
}

impl NodeFacts {
    pub(super) fn of(node: &DemoNode) -> Self {
        Self {
            name: node.participant.name.clone(),
            slug: node.participant.slug.to_string(),
            did: node.participant.did.clone(),
            address: node.address(),
            console_url: node.console(),
            login: node.login.into(),
            password: node.password.clone(),
            dir: node.dir.clone(),
        }
    }
}

impl DealFacts {
    pub(super) fn of(deal: &Deal) -> Self {
        Self {
            consumer: deal.consumer.participant.to_string(),
            provider: deal.provider.participant.to_string(),
            dataset: deal.consumer.dataset.clone(),
            title: deal.plan.table.describe().title.into(),
            offer: deal.plan.offer.id().into(),
            consumer_negotiation_id: deal.consumer.id.to_string(),
            provider_negotiation_id: deal.provider.id.to_string(),
            state: deal.consumer.state.name().into(),
            waiting: deal.plan.outcome == super::scenario::Outcome::Waiting && !deal.provider.state.is_final(),
            reason: deal.reason(),
            agreement_id: deal.agreement().map(|a| a.id.clone()),
            digest: deal.agreement().map(|a| a.digest.clone()),
            transfer_state: deal.transfer.as_ref().map(|(t, _)| t.state.name().into()),
            reads: deal.reads,
        }
    }
}
