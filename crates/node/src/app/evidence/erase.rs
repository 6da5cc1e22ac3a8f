//! Erasing: documents of evidence go, by hand or by age, and their leaves stay.
//!
//! What an agreement in force is about is never erased: its parties may have to prove it.

use crate::app::{App, bounded};
use fondaco_core::{
    Code, Error, Result,
    ids::EvidenceId,
    participant::Slug,
    time::{Micros, Timestamp},
};
use fondaco_store::EvidenceRow;
use serde_json::json;

/// The setting that holds how far the pass over the evidence has come.
const PASS_SETTING: &str = "evidence.erased_up_to";
const DAY_SECS: i64 = 86_400;
/// Pieces of evidence looked at in one transaction.
const AT_ONCE: u64 = 5_000;
/// Transactions of one round of housekeeping: ten million pieces take a working day, and no round holds up the others.
const TURNS_PER_ROUND: usize = 20;
/// Longest reason.
const REASON_MAX_CHARS: usize = 1_000;

impl App {
    /// Erases the document and the secret of a piece of evidence; that it was done is a leaf, with the reason.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Conflict`] when its agreement is not over, or when it was erased before;
    /// [`Code::Invalid`] without a reason.
    pub async fn evidence_erase(&self, slug: Option<&Slug>, id: &EvidenceId, reason: &str) -> Result<EvidenceRow> {
        let reason = reason.trim().to_owned();
        if reason.is_empty() {
            return Err(Error::invalid("Say why it is erased: \"reason\"."));
        }
        bounded("reason", &reason, REASON_MAX_CHARS)?;
        let (app, slug, id) = (self.clone(), slug.cloned(), id.clone());
        self.store
            .tx("evidence.erase", move |tx| -> Result<_> {
                let missing = || Error::not_found("The evidence");
                let row = tx.evidence_get(slug.as_ref(), &id)?.ok_or_else(missing)?;
                if row.document.is_none() {
                    return Err(Error::new(Code::Conflict, "Its document was erased before."));
                }
                if let (Some(slug), Some(agreement)) = (&slug, &row.agreement_id)
                    && tx.agreement_get(slug, agreement)?.is_some_and(|agreement| agreement.ended_at.is_none())
                {
                    return Err(Error::new(
                        Code::Conflict,
                        format!("The agreement {agreement} is not over; its parties may have to prove this."),
                    ));
                }
                let detail = json!({"kind": row.kind, "about": row.object, "at": row.at, "reason": reason});
                app.note_administration(tx, slug.as_ref(), "evidence-erased", id.as_str(), &detail)?;
                tx.evidence_erase(slug.as_ref(), &id)?;
                tx.evidence_get(slug.as_ref(), &id)?.ok_or_else(missing)
            })
            .await
    }

    /// Erases documents that are older than they are kept, of agreements that were over by then: a part of them, from where
    /// the last call stopped. How many were erased.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn evidence_expire(&self) -> Result<u64> {
        let Some(days) = self.config.evidence.documents_days else { return Ok(0) };
        let before = self.now().plus(Micros::from_secs(-DAY_SECS * i64::from(days)));
        let mut erased = 0;
        for _ in 0..TURNS_PER_ROUND {
            let turn = self.evidence_expire_some(before).await?;
            erased += turn.documents;
            if turn.up_to.is_none() {
                break;
            }
        }
        if erased > 0 {
            tracing::info!(erased, "evidence.expired: documents of agreements that are over, older than {days} days");
        }
        Ok(erased)
    }

    async fn evidence_expire_some(&self, before: Timestamp) -> Result<fondaco_store::Erased> {
        self.store
            .tx("evidence.expire", move |tx| -> Result<_> {
                let after = tx.setting_get(PASS_SETTING)?.and_then(|at| at.as_u64()).unwrap_or_default();
                let turn = tx.evidence_erase_old(before, after, AT_ONCE)?;
                // A pass that is at its end begins anew: agreements end in any order.
                tx.setting_put(PASS_SETTING, &json!(turn.up_to.unwrap_or_default()))?;
                Ok(turn)
            })
            .await
    }
}
