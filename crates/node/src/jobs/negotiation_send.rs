//! Sends a message of a negotiation.
//!
//! The content is fixed when the step is taken and stored with it, message id included, so that a redelivery is the
//! same message. Only the peer's pid may be filled in later: it arrives with the answer to the first request.

use super::send::{self, Delivery, Parties, Sent};
use crate::{
    app::{
        App, agreement_signatures,
        cause::{Exchange, Failure},
    },
    identity::token::{AgreementClaim, Signed},
};
use fondaco_core::{
    Code, Error, Result,
    ids::NegotiationId,
    negotiation::{Ending, Message, Negotiation, Role, State, Terms},
};
use fondaco_dsp::messages::negotiation::{
    ContractAgreementMessage, ContractAgreementVerificationMessage, ContractNegotiation, ContractNegotiationEventMessage,
    ContractNegotiationTerminationMessage, ContractOfferMessage, ContractRequestMessage, NegotiationEvent,
};
use fondaco_store::{Job, NewEvent};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The payload of the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NegotiationSend {
    /// The negotiation.
    pub id: NegotiationId,
    /// The message's `@id`.
    pub message_id: String,
    /// The message and its content.
    #[serde(flatten)]
    pub content: Content,
}

/// What each message says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum Content {
    /// Ask for terms.
    Request {
        /// The terms.
        terms: Terms,
        /// Whether it opens the negotiation.
        opens: bool,
    },
    /// Offer terms.
    Offer {
        /// The terms.
        terms: Terms,
    },
    /// Accept.
    Accepted,
    /// The agreement.
    Agreement {
        /// The document.
        document: Value,
    },
    /// Verify.
    Verification,
    /// Finalise.
    Finalized,
    /// End.
    Termination {
        /// Why.
        ending: Ending,
    },
}

impl NegotiationSend {
    /// The message that follows from the step just taken.
    ///
    /// # Errors
    /// When the state does not hold what the message says: a mistake of ours.
    pub fn new(app: &App, n: &Negotiation, message: Message) -> Result<Self> {
        let content = match (message, &n.state) {
            (Message::Request, State::Requested { terms }) => Content::Request { terms: terms.clone(), opens: n.rounds == 1 },
            (Message::Offer, State::Offered { terms, .. }) => Content::Offer { terms: terms.clone() },
            (Message::Accepted, _) => Content::Accepted,
            (Message::Agreement, State::Agreed { agreement, .. }) => Content::Agreement { document: agreement.document.clone() },
            (Message::Verification, _) => Content::Verification,
            (Message::Finalized, _) => Content::Finalized,
            (Message::Termination, State::Terminated { ending, .. }) => Content::Termination { ending: ending.clone() },
            (message, state) => return Err(Error::internal_failure(format!("{message:?} in {}", state.name()))),
        };
        Ok(Self { id: n.id.clone(), message_id: app.fresh_urn(), content })
    }

    /// The last exchange of a job that has not delivered its message yet.
    pub fn tried(app: &App, job: &Job, n: &Negotiation) -> Option<Exchange> {
        let send: Self = serde_json::from_value(job.payload.clone()).ok()?;
        let (path, body) = send.message(app, n)?;
        Some(send::tried(job, body["@type"].as_str()?, &format!("{}{path}", n.peer.address)))
    }

    /// Delivers it, puts it off, or ends the negotiation.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn perform(&self, app: &App, job: &Job) -> Result<()> {
        let (slug, id) = (job.participant.clone(), self.id.clone());
        let found = app.store.read("negotiation.get", move |tx| -> Result<_> { Ok(tx.negotiation_get(&slug, &id)?) }).await?;
        let Some(n) = found else { return finish(app, job).await };
        // Who sends the agreement signs it, and so does who verifies it.
        let signing = matches!(self.content, Content::Agreement { .. } | Content::Verification);
        let claim = n.state.agreement().filter(|_| signing).map(AgreementClaim::of);
        let parties = Parties { slug: &job.participant, own: &n.own_did, peer: &n.peer.did, declared: &n.declared, signs: claim.as_ref() };
        let Some((path, body)) = self.message(app, &n) else {
            // The peer never told us its pid, so it has no process to be told about.
            return finish(app, job).await;
        };
        let Sent { delivery, exchange, signature } = send::post(app, job, parties, &format!("{}{path}", n.peer.address), &body).await?;
        match delivery {
            Delivery::Accepted(_) if signing => finish_signed(app, job, &n, claim, signature).await,
            Delivery::Accepted(answer) => self.delivered(app, job, &n, &answer, exchange).await,
            Delivery::Later(why) => self.put_off(app, job, &n, &why, exchange).await,
            Delivery::Refused(_) | Delivery::Conflict(_) if job.attempts > 0 && self.arrived_before(app, parties, &n).await => {
                finish_signed(app, job, &n, claim, signature).await
            }
            Delivery::Conflict(why) if send::may_be_too_early(job) => self.put_off(app, job, &n, &why, exchange).await,
            Delivery::Refused(why) | Delivery::Conflict(why) if n.state.is_final() => {
                self.last_refused(app, job, parties, &n, &why, exchange).await
            }
            Delivery::Refused(why) | Delivery::Conflict(why) => {
                let e = Error::new(Code::PeerRefused, why);
                app.negotiation_fail(&job.participant, &n.id, Failure::new(&e, Some(exchange)), job.id.clone()).await
            }
        }
    }

    /// It is over here, and the peer refused to hear so: nobody would tell it again.
    async fn last_refused(&self, app: &App, job: &Job, parties: Parties<'_>, n: &Negotiation, why: &str, exchange: Exchange) -> Result<()> {
        match (self.peer_state(app, parties, n).await.as_deref(), &n.state) {
            // It ended the negotiation while we put the agreement in force: it holds none, so ours is not left standing.
            (Some("TERMINATED"), State::Finalized { agreement }) if self.content == Content::Finalized => {
                let reason = "The consumer ended the negotiation before it learnt that the agreement was in force.".to_owned();
                match app.agreement_stop(&job.participant, &agreement.id, Some(reason)).await {
                    // Stopped or over already.
                    Err(e) if e.code() == Code::Conflict => {}
                    other => other?,
                }
                finish(app, job).await
            }
            (Some("TERMINATED" | "FINALIZED"), _) => finish(app, job).await,
            // Perhaps the message was damaged on its way.
            _ if send::may_be_damaged(job, why) => self.put_off(app, job, n, why, exchange).await,
            _ => finish(app, job).await,
        }
    }

    async fn peer_state(&self, app: &App, parties: Parties<'_>, n: &Negotiation) -> Option<String> {
        let pid = n.peer.pid.as_ref()?;
        send::peer_state(app, parties, &format!("{}/negotiations/{pid}", n.peer.address)).await
    }

    /// A repeated message was refused: is the peer where the message would have brought it?
    async fn arrived_before(&self, app: &App, parties: Parties<'_>, n: &Negotiation) -> bool {
        let reached: &[&str] = match self.content {
            Content::Request { .. } => &["REQUESTED", "OFFERED", "AGREED", "VERIFIED", "FINALIZED"],
            Content::Offer { .. } => &["OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED"],
            Content::Accepted => &["ACCEPTED", "AGREED", "VERIFIED", "FINALIZED"],
            Content::Agreement { .. } => &["AGREED", "VERIFIED", "FINALIZED"],
            Content::Verification => &["VERIFIED", "FINALIZED"],
            Content::Finalized => &["FINALIZED"],
            Content::Termination { .. } => &["TERMINATED"],
        };
        self.peer_state(app, parties, n).await.is_some_and(|s| reached.contains(&s.as_str()))
    }

    async fn put_off(&self, app: &App, job: &Job, n: &Negotiation, why: &str, exchange: Exchange) -> Result<()> {
        match send::later(app, job, why).await? {
            Ok(()) => Ok(()),
            Err(e) => app.negotiation_fail(&job.participant, &n.id, Failure::new(&e, Some(exchange)), job.id.clone()).await,
        }
    }

    async fn delivered(&self, app: &App, job: &Job, n: &Negotiation, answer: &[u8], exchange: Exchange) -> Result<()> {
        let opens = matches!(self.content, Content::Request { opens: true, .. });
        if !opens || n.peer.pid.is_some() {
            return finish(app, job).await;
        }
        let ack = match ContractNegotiation::parse(answer) {
            Ok(ack) if ack.consumer_pid == n.id.as_str() => ack,
            Ok(_) => return self.unusable(app, job, "it is about another negotiation", exchange).await,
            // Perhaps only the answer was damaged on its way; asked again, the peer finds the same negotiation.
            Err(e) if send::may_be_damaged(job, &e.to_string()) => return self.put_off(app, job, n, &e.to_string(), exchange).await,
            Err(e) => return self.unusable(app, job, &e.to_string(), exchange).await,
        };
        let (slug, id, job_id) = (job.participant.clone(), n.id.clone(), job.id.clone());
        app.store
            .tx("negotiation.opened_there", move |tx| -> Result<()> {
                tx.job_finish(&job_id)?;
                // The peer's next message may have been faster than this answer.
                if let Some(mut n) = tx.negotiation_lock(&slug, &id)?
                    && n.peer.pid.is_none()
                {
                    let revision = n.revision;
                    n.peer.pid = Some(ack.provider_pid);
                    tx.negotiation_update(&n, revision)?;
                    // A provider may take days to decide: whoever watches should know that it was asked.
                    tx.event_append(&NewEvent {
                        participant: n.participant.clone(),
                        topic: format!("negotiation:{}", n.id),
                        // Not a state: the state is the same before and after.
                        kind: "negotiation.delivered".into(),
                        actor: n.peer.did.to_string(),
                        text: "Received the request.".into(),
                        detail: json!({"negotiation": n.id, "state": n.state.name(), "role": n.role, "peer": n.peer.did, "dataset": n.dataset}),
                    })?;
                }
                Ok(())
            })
            .await
    }

    async fn unusable(&self, app: &App, job: &Job, why: &str, exchange: Exchange) -> Result<()> {
        let e = Error::new(Code::PeerAnsweredBadly, format!("The peer's answer to the request cannot be used: {why}."));
        app.negotiation_fail(&job.participant, &self.id, Failure::new(&e, Some(exchange)), job.id.clone()).await
    }

    /// Where it goes (below the peer's address) and what it says; `None` when the peer's pid is needed and unknown.
    fn message(&self, app: &App, n: &Negotiation) -> Option<(String, Value)> {
        let message_id = Some(self.message_id.clone());
        let own_pid = n.id.to_string();
        let peer_pid = n.peer.pid.clone();
        if let Content::Request { terms, opens: true } = &self.content {
            let message = ContractRequestMessage {
                message_id,
                consumer_pid: own_pid,
                provider_pid: None,
                callback_address: Some(super::dsp_base(app, &n.participant)),
                offer: offer(terms, &n.dataset),
            };
            return Some(("/negotiations/request".into(), message.to_json()));
        }
        let peer_pid = peer_pid?;
        let (provider_pid, consumer_pid) = match n.role {
            Role::Provider => (own_pid, peer_pid.clone()),
            Role::Consumer => (peer_pid.clone(), own_pid),
        };
        let (path, body) = match &self.content {
            Content::Request { terms, .. } => {
                let offer = offer(terms, &n.dataset);
                let message =
                    ContractRequestMessage { message_id, consumer_pid, provider_pid: Some(provider_pid), callback_address: None, offer };
                ("request", message.to_json())
            }
            Content::Offer { terms } => {
                let offer = offer(terms, &n.dataset);
                let message =
                    ContractOfferMessage { message_id, provider_pid, consumer_pid: Some(consumer_pid), callback_address: None, offer };
                ("offers", message.to_json())
            }
            Content::Accepted => {
                let event_type = NegotiationEvent::Accepted;
                ("events", ContractNegotiationEventMessage { message_id, provider_pid, consumer_pid, event_type }.to_json())
            }
            Content::Finalized => {
                let event_type = NegotiationEvent::Finalized;
                ("events", ContractNegotiationEventMessage { message_id, provider_pid, consumer_pid, event_type }.to_json())
            }
            Content::Agreement { document } => {
                let agreement = document.clone();
                ("agreement", ContractAgreementMessage { message_id, provider_pid, consumer_pid, agreement }.to_json())
            }
            Content::Verification => {
                ("agreement/verification", ContractAgreementVerificationMessage { message_id, provider_pid, consumer_pid }.to_json())
            }
            Content::Termination { ending } => {
                let Ending { code, reasons } = ending.clone();
                ("termination", ContractNegotiationTerminationMessage { message_id, provider_pid, consumer_pid, code, reasons }.to_json())
            }
        };
        Some((format!("/negotiations/{peer_pid}/{path}"), body))
    }
}

/// Terms as a message's offer.
fn offer(terms: &Terms, dataset: &str) -> Value {
    let mut offer = json!({"@id": terms.offer_id, "@type": "Offer", "target": dataset});
    if let (Some(map), Some(rules)) = (offer.as_object_mut(), terms.odrl.as_object()) {
        for key in ["permission", "prohibition", "obligation"] {
            if let Some(rule) = rules.get(key) {
                map.insert(key.into(), rule.clone());
            }
        }
    }
    offer
}

/// The message arrived: our signature in it is kept.
async fn finish_signed(app: &App, job: &Job, n: &Negotiation, claim: Option<AgreementClaim>, jws: Option<String>) -> Result<()> {
    let (Some(claim), Some(jws)) = (claim, jws) else { return finish(app, job).await };
    let key = app.signing_key(&job.participant).await?.public_jwk().clone();
    let (slug, signer, id) = (job.participant.clone(), n.own_did.clone(), job.id.clone());
    app.store
        .tx("job.finish_signed", move |tx| -> Result<()> {
            tx.job_finish(&id)?;
            agreement_signatures::keep(tx, &slug, &signer, &Signed { claim, jws, key })
        })
        .await
}

/// Why a process ended, with the code.
pub(super) async fn finish(app: &App, job: &Job) -> Result<()> {
    let id = job.id.clone();
    app.store.tx("job.finish", move |tx| -> Result<_> { Ok(tx.job_finish(&id)?) }).await.map(drop)
}
