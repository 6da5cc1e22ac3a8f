//! Making the deals. Each step looks first whether it was made before, so a demonstration that was stopped goes on.

use super::{
    read,
    scenario::{DealPlan, Outcome},
    zone::DemoNode,
};
use crate::app::{
    consumer_access::AccessProfile, negotiations::Begin, peers::CatalogAsked, product_files::table_file, views::ProcessesAsked,
};
use fondaco_core::{
    Code, Error, Result,
    agreement::Agreement,
    decision::Action,
    ids::{NegotiationId, TransferId},
    negotiation::{Negotiation, Role, State},
    time::Micros,
    transfer::{State as TransferState, Transfer},
};
use fondaco_tables::publish::PublishedTable;

/// How long one step of a deal may take: it takes milliseconds, but a machine may be busy.
const PATIENCE: Micros = Micros::from_secs(30);
/// Pages of negotiations looked through for a deal made before: 200 a page.
const PAGES_MAX: usize = 50;

/// A deal as far as it has come: what both sides hold.
#[derive(Clone, Debug)]
pub(super) struct Deal {
    /// The plan.
    pub(super) plan: DealPlan,
    /// The consumer's negotiation.
    pub(super) consumer: Negotiation,
    /// The provider's.
    pub(super) provider: Negotiation,
    /// The consumer's transfer and the provider's, when access was asked for.
    pub(super) transfer: Option<(Transfer, Transfer)>,
    /// Reads the provider has counted.
    pub(super) reads: u64,
}

impl Deal {
    /// The agreement, as the consumer holds it.
    pub(super) const fn agreement(&self) -> Option<&Agreement> {
        match &self.consumer.state {
            State::Finalized { agreement } => Some(agreement),
            _ => None,
        }
    }

    /// Why it was refused.
    pub(super) fn reason(&self) -> Option<String> {
        match &self.consumer.state {
            State::Terminated { ending, .. } => Some(ending.reasons.join(" ")),
            _ => None,
        }
    }
}

/// The two sides of a deal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides<'a> {
    /// Who asks.
    pub(super) consumer: &'a DemoNode,
    /// Who is asked.
    pub(super) provider: &'a DemoNode,
}

impl Sides<'_> {
    /// Makes a deal, or finds the one made before.
    pub(super) async fn make(&self, plan: &DealPlan) -> Result<Deal> {
        let id = match self.find(plan).await? {
            Some(id) => id,
            None => self.begin(plan).await?,
        };
        let n = self.consumer.app().negotiation_wait(&self.consumer.participant.slug, &id, PATIENCE, |n| settled(plan, n)).await?;
        if !settled(plan, &n) {
            return Err(late(plan, n.state.name()));
        }
        let agreement = match &n.state {
            State::Finalized { agreement } => Some(agreement.id.clone()),
            _ => None,
        };
        if let Some(agreement) = agreement
            && self.consumer.app().agreement(&self.consumer.participant.slug, &agreement).await?.transfers.is_empty()
        {
            self.deliver(plan, &agreement).await?;
        }
        self.look(plan, &id).await
    }

    /// Each reads the other's catalogue, as people would before they deal, and learns its name by that.
    pub(super) async fn introduce(&self) -> Result<()> {
        for (reader, read) in [(self.consumer, self.provider), (self.provider, self.consumer)] {
            let did = &read.participant.did;
            if reader.app().peer_names(&reader.participant.slug, [did]).await?.peer(did) != read.participant.name {
                reader.app().remote_catalog(&reader.participant, did.as_str(), CatalogAsked::default()).await?;
            }
        }
        Ok(())
    }

    async fn find(&self, plan: &DealPlan) -> Result<Option<NegotiationId>> {
        let (slug, peer) = (&self.consumer.participant.slug, &self.provider.participant.did);
        let purpose: Vec<&str> = plan.purpose.into_iter().collect();
        let same = |n: &&Negotiation| {
            n.role == Role::Consumer
                && n.peer.did == *peer
                && n.dataset == plan.table.describe().id
                && n.reference_terms.offer_id == plan.offer.id()
                && n.declared.purpose == purpose
        };
        let (mut found, mut after) = (None, None);
        for _ in 0..PAGES_MAX {
            let page =
                self.consumer.app().list_negotiations(slug, ProcessesAsked { state: None, peer: None, after, limit: Some(200) }).await?;
            // Newest first: the last that fits is the one the demonstration began, others are the visitor's.
            found = page.items.iter().rfind(same).map(|n| n.id.clone()).or(found);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(found)
    }

    async fn begin(&self, plan: &DealPlan) -> Result<NegotiationId> {
        let begin = Begin {
            peer: self.provider.participant.did.to_string(),
            product: plan.table.describe().id.into(),
            offer: Some(plan.offer.id().into()),
            purpose: plan.purpose.into_iter().map(str::to_owned).collect(),
            price: None,
        };
        Ok(self.consumer.app().negotiation_begin(&self.consumer.participant, begin, None).await?.id)
    }

    /// Opens access and does with it what the plan says.
    async fn deliver(&self, plan: &DealPlan, agreement: &str) -> Result<()> {
        match plan.outcome {
            Outcome::Waiting | Outcome::Refused | Outcome::Agreed => {}
            Outcome::Read => {
                let access = self.access(agreement).await?;
                self.read(plan, &access).await?;
            }
            Outcome::Suspended(reason) => {
                let access = self.access(agreement).await?;
                let theirs = provider_id(&access.transfer)?;
                let slug = &self.provider.participant.slug;
                self.provider.app().transfer_act(slug, &theirs, Action::Suspend, Some(reason.into())).await?;
                self.arrived(plan, Role::Consumer, &access.transfer.id, |t| matches!(t.state, TransferState::Suspended { .. })).await?;
            }
            Outcome::Completed => {
                let access = self.access(agreement).await?;
                let slug = &self.consumer.participant.slug;
                self.consumer.app().transfer_act(slug, &access.transfer.id, Action::Complete, None).await?;
                let theirs = provider_id(&access.transfer)?;
                self.arrived(plan, Role::Provider, &theirs, |t| matches!(t.state, TransferState::Completed { .. })).await?;
            }
        }
        Ok(())
    }

    /// The consumer's access: asks for it, or finds it.
    pub(super) async fn access(&self, agreement: &str) -> Result<AccessProfile> {
        self.consumer.app().access_profile(&self.consumer.participant, agreement, PATIENCE).await
    }

    /// What the provider published.
    pub(super) async fn published(&self, plan: &DealPlan) -> Result<PublishedTable> {
        let listing = self.provider.app().listing(&self.provider.participant.slug, plan.table.describe().id, Some(1)).await?;
        let files = listing.files.iter().map(table_file).collect::<Result<_>>()?;
        let table: PublishedTable = serde_json::from_value(listing.product.content).map_err(Error::internal_failure)?;
        Ok(PublishedTable { files, ..table })
    }

    /// Reads the whole table as the consumer.
    pub(super) async fn read(&self, plan: &DealPlan, access: &AccessProfile) -> Result<read::Read> {
        read::table(&self.consumer.app().outbound, access, &self.published(plan).await?).await
    }

    /// A transfer of one side, once it is as it should be.
    async fn arrived(&self, plan: &DealPlan, side: Role, id: &TransferId, enough: impl Fn(&Transfer) -> bool) -> Result<()> {
        let node = match side {
            Role::Consumer => self.consumer,
            Role::Provider => self.provider,
        };
        let t = node.app().transfer_wait(&node.participant.slug, id, PATIENCE, &enough).await?;
        if enough(&t) { Ok(()) } else { Err(late(plan, t.state.name())) }
    }

    /// What both sides hold now. The side that hears of a step later is given the time to.
    pub(super) async fn look(&self, plan: &DealPlan, id: &NegotiationId) -> Result<Deal> {
        let (ours, theirs) = (&self.consumer.participant.slug, &self.provider.participant.slug);
        let consumer = self.consumer.app().negotiation_wait(ours, id, Micros(0), |_| true).await?;
        let pid = consumer.peer.pid.as_ref().ok_or_else(|| late(plan, "still unknown to the provider"))?;
        let pid = NegotiationId::from_stored(pid);
        let provider = self.provider.app().negotiation_wait(theirs, &pid, PATIENCE, |n| n.state.name() == consumer.state.name()).await?;
        let (mut transfer, mut reads) = (None, 0);
        if let State::Finalized { agreement } = &consumer.state {
            let held = self.consumer.app().agreement(ours, &agreement.id).await?;
            reads = self.provider.app().agreement(theirs, &agreement.id).await?.used.reads;
            // The oldest is the demonstration's, others are the visitor's.
            if let Some(t) = held.transfers.into_iter().next_back() {
                let same = |other: &Transfer| other.state.name() == t.state.name();
                let other = self.provider.app().transfer_wait(theirs, &provider_id(&t)?, PATIENCE, same).await?;
                transfer = Some((t, other));
            }
        }
        Ok(Deal { plan: plan.clone(), consumer, provider, transfer, reads })
    }
}

/// Whether a negotiation has come as far as it goes without a person.
fn settled(plan: &DealPlan, n: &Negotiation) -> bool {
    n.state.is_final() || (plan.outcome == Outcome::Waiting && n.peer.pid.is_some())
}

/// The provider's id of a transfer that the consumer holds.
pub(super) fn provider_id(consumers: &Transfer) -> Result<TransferId> {
    let pid = consumers.peer.pid.as_ref();
    pid.map(TransferId::from_stored).ok_or_else(|| Error::internal_failure(format!("{} has no provider yet", consumers.id)))
}

fn late(plan: &DealPlan, state: &str) -> Error {
    let (title, secs) = (plan.table.describe().title, PATIENCE.0 / 1_000_000);
    Error::new(
        Code::NotYet,
        format!("The deal about \"{title}\" is {state} after {secs} s. The machine may be too busy; start the demo again."),
    )
}
