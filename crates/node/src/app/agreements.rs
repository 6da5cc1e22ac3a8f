//! Agreements in force, and how the provider ends one.

use super::{App, Done, transfers};
use fondaco_core::{
    Code, Error, Result,
    negotiation::{Ending, Role},
    participant::Slug,
    transfer::Transfer,
};
use fondaco_store::{AgreementRow, NewEvent};
use serde_json::json;

/// An agreement with what people ask about it.
#[derive(Clone, Debug)]
pub struct AgreementView {
    /// The agreement.
    pub row: AgreementRow,
    /// Reads counted so far (provider).
    pub reads: u64,
    /// Its transfers, newest first.
    pub transfers: Vec<Transfer>,
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
                let reads = tx.reads_used(&slug, &id)?;
                let transfers = tx.transfers_of_agreement(&slug, &id)?;
                Ok(AgreementView { row, reads, transfers })
            })
            .await
    }

    /// Ends an agreement as its provider: every transfer under it is terminated, and no new one can start.
    ///
    /// Deviation: DSP 2025-1 has no message for ending a finalised agreement. The consumer learns of it by the
    /// termination of its transfers and by refused requests.
    ///
    /// # Errors
    /// [`Code::Invalid`] for the consumer, [`Code::Conflict`] when it has ended already.
    pub async fn agreement_end(&self, slug: &Slug, id: &str, reason: Option<String>) -> Result<()> {
        let (app, slug, id) = (self.clone(), slug.clone(), id.to_owned());
        let reason = reason.filter(|r| !r.trim().is_empty()).unwrap_or_else(|| "The provider ended the agreement.".into());
        super::bounded("reason", &reason, 2_000)?;
        let done = self
            .store
            .tx("agreement.end", move |tx| -> Result<_> {
                let row = tx.agreement_get(&slug, &id)?.ok_or_else(|| Error::not_found(format!("The agreement {id:.80}")))?;
                if row.role != Role::Provider {
                    return Err(Error::invalid("Only the provider can end an agreement. As consumer, end its transfers."));
                }
                let now = app.now();
                if !tx.agreement_end(&slug, &id, now, &reason)? {
                    return Err(Error::new(Code::Conflict, "The agreement has ended already."));
                }
                tx.event_append(&NewEvent {
                    participant: slug.clone(),
                    topic: format!("agreement:{id}"),
                    kind: "agreement.ended".into(),
                    actor: row.agreement.assigner.to_string(),
                    text: format!("The agreement was ended: {reason}"),
                    detail: json!({"agreement": id, "reasons": [&reason]}),
                })?;
                let mut after = Vec::new();
                for listed in tx.transfers_of_agreement(&slug, &id)? {
                    // A transfer may be taking a step of its own right now: it is ended where that leads.
                    let Some(t) = tx.transfer_lock(&slug, &listed.id)?.filter(|t| !t.state.is_final()) else { continue };
                    let ending = Ending { code: Some(Code::AccessEnded.as_str().into()), reasons: vec![reason.clone()] };
                    after.extend(transfers::terminate(&app, tx, t, ending)?.after);
                }
                Ok(Done { value: (), after })
            })
            .await?;
        self.after_commit(done.after);
        Ok(())
    }
}

/// The other party of an agreement.
pub const fn peer_of(row: &AgreementRow) -> &fondaco_core::participant::Did {
    match row.role {
        Role::Provider => &row.agreement.assignee,
        Role::Consumer => &row.agreement.assigner,
    }
}
