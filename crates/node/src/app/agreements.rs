//! Agreements as people ask about them. What becomes of one after signing is [`super::agreement_life`].

use super::{App, views::TIMELINE_MAX};
use fondaco_core::{
    Error, Result,
    life::Stop,
    negotiation::Role,
    participant::{Did, Slug},
    product::{ProductKind, ProductRef},
    transfer::Transfer,
};
use fondaco_store::{AgreementRow, Event, SignatureRow, Usage};

/// An agreement with what people ask about it.
#[derive(Clone, Debug)]
pub struct AgreementView {
    /// The agreement.
    pub row: AgreementRow,
    /// What was used so far (provider).
    pub used: Usage,
    /// Its transfers, newest first.
    pub transfers: Vec<Transfer>,
    /// Its history, oldest first.
    pub events: Vec<Event>,
    /// Who signed it.
    pub signatures: Vec<SignatureRow>,
    /// The stop of its product (provider).
    pub product_stop: Option<Stop>,
    /// Whether its product is a table of ours (provider).
    pub is_table: bool,
}

impl App {
    /// One agreement.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn agreement(&self, slug: &Slug, id: &str) -> Result<AgreementView> {
        let (slug, id) = (slug.clone(), id.to_owned());
        self.store
            .read("agreement.get", move |tx| -> Result<_> {
                let row = tx.agreement_get(&slug, &id)?.ok_or_else(|| Error::not_found(format!("The agreement {id:.80}")))?;
                let used = tx.usage(&slug, &id)?;
                let transfers = tx.transfers_of_agreement(&slug, &id)?;
                let events = tx.events_of(&slug, &format!("agreement:{id}"), 0, TIMELINE_MAX)?;
                let product = ProductRef::parse_dataset_id(&row.dataset).filter(|_| row.role == Role::Provider);
                let product_stop = product.as_ref().map(|p| tx.product_stopped(&slug, &p.id)).transpose()?.flatten();
                let product = product.map(|p| tx.product_get(&slug, &p)).transpose()?.flatten();
                let is_table = product.is_some_and(|p| p.kind == ProductKind::Table);
                let signatures = tx.agreement_signatures(&slug, &id)?;
                Ok(AgreementView { row, used, transfers, events, signatures, product_stop, is_table })
            })
            .await
    }
}

/// The other party of an agreement.
pub const fn peer_of(row: &AgreementRow) -> &Did {
    row.peer()
}

/// Our party of an agreement.
pub const fn own_of(row: &AgreementRow) -> &Did {
    match row.role {
        Role::Provider => &row.agreement.assigner,
        Role::Consumer => &row.agreement.assignee,
    }
}
