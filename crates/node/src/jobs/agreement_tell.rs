//! Tells the other side of an agreement what became of it. The counterpart of [`super::transfer_send`], for an extension
//! of ours that other connectors need not know.

use super::{
    negotiation_send::finish,
    send::{self, Delivery, Parties, Sent},
};
use crate::app::{
    App, agreement_life,
    agreements::{own_of, peer_of},
    cause::Exchange,
};
use fondaco_core::{Result, life::Told, participant::Declarations, time::Timestamp};
use fondaco_dsp::messages::agreement::AgreementEventMessage;
use fondaco_store::Job;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// The payload of the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgreementTell {
    /// The agreement.
    pub id: String,
    /// The message's `@id`.
    pub message_id: String,
    /// The event.
    pub told: Told,
}

impl AgreementTell {
    /// Delivers it, puts it off, or notes that the peer was not told.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn perform(&self, app: &App, job: &Job) -> Result<()> {
        let Some((row, address)) = app.agreement_address(&job.participant, &self.id).await? else { return finish(app, job).await };
        if address.is_empty() {
            // An agreement made elsewhere whose consumer never asked for anything: nobody knows where it listens.
            return finish(app, job).await;
        }
        let declared = Declarations::default();
        let parties = Parties { slug: &job.participant, own: own_of(&row), peer: peer_of(&row), declared: &declared, signs: None };
        let url = format!("{address}/agreements/{}/events", utf8_percent_encode(&self.id, NON_ALPHANUMERIC));
        let Sent { delivery, exchange, .. } = send::post(app, job, parties, &url, &self.message().to_json()).await?;
        // It does not know the path; or, for a short while, not yet the agreement, whose last message may be on its way.
        let unknown = matches!(exchange.status, Some(404 | 405 | 501));
        match delivery {
            Delivery::Accepted(_) => finish(app, job).await,
            Delivery::Refused(why) if exchange.status == Some(404) && send::may_be_too_early(job) => {
                self.put_off(app, job, &why, exchange).await
            }
            _ if unknown => {
                let words = "The peer\u{2019}s connector knows no events of agreements. It learns from its transfers.";
                self.give_up(app, job, words, exchange).await
            }
            Delivery::Later(why) => self.put_off(app, job, &why, exchange).await,
            Delivery::Conflict(why) if send::may_be_too_early(job) => self.put_off(app, job, &why, exchange).await,
            Delivery::Refused(why) | Delivery::Conflict(why) => self.give_up(app, job, &why, exchange).await,
        }
    }

    fn message(&self) -> AgreementEventMessage {
        let told = self.told.clone();
        AgreementEventMessage {
            message_id: Some(self.message_id.clone()),
            agreement_id: self.id.clone(),
            sequence: told.sequence,
            kind: told.kind.as_str().into(),
            at: told.at.to_rfc3339(),
            notice_at: told.notice_at.map(Timestamp::to_rfc3339),
            ends_at: told.ends_at.map(Timestamp::to_rfc3339),
            reason: told.reason,
            renewed_by: told.renewed_by,
        }
    }

    async fn put_off(&self, app: &App, job: &Job, why: &str, exchange: Exchange) -> Result<()> {
        match send::later(app, job, why).await? {
            Ok(()) => Ok(()),
            Err(e) => self.give_up(app, job, e.message(), exchange).await,
        }
    }

    async fn give_up(&self, app: &App, job: &Job, why: &str, exchange: Exchange) -> Result<()> {
        let (slug, id, job) = (job.participant.clone(), self.id.clone(), job.id.clone());
        let text = format!("The other side was not told of \"{}\". {why}", self.told.kind.as_str());
        app.store
            .tx("agreement.untold", move |tx| -> Result<()> {
                tx.job_finish(&job)?;
                match tx.agreement_get(&slug, &id)? {
                    Some(row) => agreement_life::note_untold(tx, &row, &text, exchange),
                    None => Ok(()),
                }
            })
            .await
    }
}
