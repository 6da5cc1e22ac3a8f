//! Sends a message of a transfer. The counterpart of [`super::negotiation_send`].

use super::{
    dsp_base,
    negotiation_send::finish,
    send::{self, Delivery, Parties, Sent},
};
use crate::app::{
    App,
    cause::{Exchange, Failure},
};
use fondaco_core::{
    Code, Error, Result,
    ids::TransferId,
    negotiation::{Ending, Role},
    participant::Declarations,
    transfer::{Message, State, Transfer},
};
use fondaco_dsp::messages::transfer::{
    DataAddress, EDC_NAMESPACE, EndpointProperty, TransferCompletionMessage, TransferProcess, TransferRequestMessage, TransferStartMessage,
    TransferSuspensionMessage, TransferTerminationMessage,
};
use fondaco_store::Job;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The `endpointType` of a Delta Sharing endpoint: the address of the protocol's text, which is its only stable name.
pub const ENDPOINT_TYPE_DELTA_SHARING: &str = "https://github.com/delta-io/delta-sharing/blob/main/PROTOCOL.md";

/// The `endpointType` of an HTTP endpoint, as the Eclipse connectors name it.
pub const ENDPOINT_TYPE_HTTP: &str = "https://w3id.org/idsa/v4.1/HTTP";

/// The payload of the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferSend {
    /// The transfer.
    pub id: TransferId,
    /// The message's `@id`.
    pub message_id: String,
    /// Which message.
    pub message: Message,
    /// Why, for those that say so.
    #[serde(default)]
    pub ending: Ending,
}

impl TransferSend {
    /// The message that follows from the step just taken.
    pub fn new(app: &App, t: &Transfer, message: Message) -> Self {
        let ending = match &t.state {
            State::Suspended { .. } => t.state.suspended_by(t.role).unwrap_or_default(),
            State::Terminated { ending, .. } => ending.clone(),
            State::Requested | State::Started { .. } | State::Completed { .. } => Ending::default(),
        };
        Self { id: t.id.clone(), message_id: app.fresh_urn(), message, ending }
    }

    /// The last exchange of a job that has not delivered its message yet.
    pub fn tried(job: &Job, t: &Transfer) -> Option<Exchange> {
        let send: Self = serde_json::from_value(job.payload.clone()).ok()?;
        let (message, path) = match send.message {
            Message::Request => ("TransferRequestMessage", "request"),
            Message::Start => ("TransferStartMessage", "start"),
            Message::Suspension => ("TransferSuspensionMessage", "suspension"),
            Message::Completion => ("TransferCompletionMessage", "completion"),
            Message::Termination => ("TransferTerminationMessage", "termination"),
        };
        let path = match (&send.message, &t.peer.pid) {
            (Message::Request, _) => path.to_owned(),
            (_, pid) => format!("{}/{path}", pid.as_deref()?),
        };
        Some(send::tried(job, message, &format!("{}/transfers/{path}", t.peer.address)))
    }

    /// Delivers it, puts it off, or ends the transfer.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn perform(&self, app: &App, job: &Job) -> Result<()> {
        let (slug, id) = (job.participant.clone(), self.id.clone());
        let found = app.store.read("transfer.get", move |tx| -> Result<_> { Ok(tx.transfer_get(&slug, &id)?) }).await?;
        let Some(t) = found else { return finish(app, job).await };
        // What we declare was recorded with the agreement; a transfer adds nothing to it.
        let declared = Declarations::default();
        let parties = Parties { slug: &job.participant, own: &t.own_did, peer: &t.peer.did, declared: &declared, signs: None };
        let Some((path, body)) = self.body(app, &t)? else { return finish(app, job).await };
        let Sent { delivery, exchange, .. } = send::post(app, job, parties, &format!("{}{path}", t.peer.address), &body).await?;
        match delivery {
            Delivery::Accepted(answer) => self.delivered(app, job, &t, &answer, exchange).await,
            Delivery::Later(why) => self.put_off(app, job, &t, &why, exchange).await,
            // A peer that suspended it too must still know of our suspension. It takes it, unless the message was damaged on
            // its way or it does not speak our extension of the table: then what it says of the state has to do.
            Delivery::Refused(why) | Delivery::Conflict(why)
                if self.message == Message::Suspension
                    && send::may_be_damaged(job, &why)
                    && self.peer_state(app, parties, &t).await.as_deref() == Some("SUSPENDED") =>
            {
                self.put_off(app, job, &t, &why, exchange).await
            }
            // A start may also answer a consumer that resumed: one that is STARTED already needs none.
            Delivery::Refused(_) | Delivery::Conflict(_)
                if (job.attempts > 0 || matches!(self.message, Message::Start | Message::Suspension))
                    && self.arrived_before(app, parties, &t).await =>
            {
                finish(app, job).await
            }
            Delivery::Conflict(why) if send::may_be_too_early(job) => self.put_off(app, job, &t, &why, exchange).await,
            Delivery::Refused(why) | Delivery::Conflict(why) => match self.peer_state(app, parties, &t).await.as_deref() {
                // Our suspension crossed its completion on the way: it is over, as the peer says, and nothing failed.
                Some("COMPLETED") if self.message != Message::Request => {
                    app.transfer_completed_there(&job.participant, &t.id, job.id.clone()).await
                }
                // It is over here, and nobody would tell the peer again: perhaps the message was damaged on its way.
                there if t.state.is_final() && there != Some("TERMINATED") && send::may_be_damaged(job, &why) => {
                    self.put_off(app, job, &t, &why, exchange).await
                }
                _ => {
                    let e = send::refusal(&exchange, why);
                    app.transfer_fail(&job.participant, &t.id, Failure::new(&e, Some(exchange)), job.id.clone()).await
                }
            },
        }
    }

    async fn peer_state(&self, app: &App, parties: Parties<'_>, t: &Transfer) -> Option<String> {
        let pid = t.peer.pid.as_ref()?;
        send::peer_state(app, parties, &format!("{}/transfers/{pid}", t.peer.address)).await
    }

    async fn arrived_before(&self, app: &App, parties: Parties<'_>, t: &Transfer) -> bool {
        let reached: &[&str] = match self.message {
            Message::Request => &["REQUESTED", "STARTED", "SUSPENDED", "COMPLETED"],
            Message::Start => &["STARTED", "COMPLETED"],
            Message::Suspension => &["SUSPENDED"],
            Message::Completion => &["COMPLETED"],
            Message::Termination => &["TERMINATED"],
        };
        self.peer_state(app, parties, t).await.is_some_and(|s| reached.contains(&s.as_str()))
    }

    async fn put_off(&self, app: &App, job: &Job, t: &Transfer, why: &str, exchange: Exchange) -> Result<()> {
        match send::later(app, job, why).await? {
            Ok(()) => Ok(()),
            Err(e) => app.transfer_fail(&job.participant, &t.id, Failure::new(&e, Some(exchange)), job.id.clone()).await,
        }
    }

    async fn delivered(&self, app: &App, job: &Job, t: &Transfer, answer: &[u8], exchange: Exchange) -> Result<()> {
        if self.message != Message::Request || t.peer.pid.is_some() {
            return finish(app, job).await;
        }
        // Perhaps only the answer was damaged on its way; asked again, the peer finds the same transfer.
        if let Err(e) = TransferProcess::parse(answer)
            && send::may_be_damaged(job, &e.to_string())
        {
            return self.put_off(app, job, t, &e.to_string(), exchange).await;
        }
        let ack = TransferProcess::parse(answer).ok().filter(|ack| ack.consumer_pid == t.id.as_str());
        let Some(ack) = ack else {
            let e = Error::new(Code::PeerAnsweredBadly, "The peer's answer to the transfer request cannot be used.");
            return app.transfer_fail(&job.participant, &t.id, Failure::new(&e, Some(exchange)), job.id.clone()).await;
        };
        let (slug, id, job_id) = (job.participant.clone(), t.id.clone(), job.id.clone());
        app.store
            .tx("transfer.opened_there", move |tx| -> Result<()> {
                tx.job_finish(&job_id)?;
                if let Some(mut t) = tx.transfer_lock(&slug, &id)?
                    && t.peer.pid.is_none()
                {
                    let revision = t.revision;
                    t.peer.pid = Some(ack.provider_pid);
                    tx.transfer_update(&t, revision)?;
                }
                Ok(())
            })
            .await
    }

    fn body(&self, app: &App, t: &Transfer) -> Result<Option<(String, Value)>> {
        let message_id = Some(self.message_id.clone());
        if self.message == Message::Request {
            let message = TransferRequestMessage {
                message_id,
                consumer_pid: t.id.to_string(),
                agreement_id: t.agreement_id.clone(),
                format: t.format.clone(),
                data_address: None,
                callback_address: dsp_base(app, &t.participant),
            };
            return Ok(Some(("/transfers/request".into(), message.to_json())));
        }
        let Some(peer_pid) = t.peer.pid.clone() else { return Ok(None) };
        let (provider_pid, consumer_pid) = match t.role {
            Role::Provider => (t.id.to_string(), peer_pid.clone()),
            Role::Consumer => (peer_pid.clone(), t.id.to_string()),
        };
        let Ending { code, reasons } = self.ending.clone();
        let (path, body) = match self.message {
            Message::Request => return Ok(None),
            Message::Start => {
                let data_address = if t.role == Role::Provider { data_address(app, t)? } else { None };
                ("start", TransferStartMessage { message_id, provider_pid, consumer_pid, data_address }.to_json())
            }
            Message::Suspension => {
                ("suspension", TransferSuspensionMessage { message_id, provider_pid, consumer_pid, code, reasons }.to_json())
            }
            Message::Completion => ("completion", TransferCompletionMessage { message_id, provider_pid, consumer_pid }.to_json()),
            Message::Termination => {
                ("termination", TransferTerminationMessage { message_id, provider_pid, consumer_pid, code, reasons }.to_json())
            }
        };
        Ok(Some((format!("/transfers/{peer_pid}/{path}"), body)))
    }
}

/// Where the consumer reads: made when the message is sent, so that the token is never stored. `None` for a format of
/// somebody else's.
fn data_address(app: &App, t: &Transfer) -> Result<Option<DataAddress>> {
    let base = app.config.participant_base(&t.participant);
    let (endpoint_type, endpoint) = if t.is_delta_sharing() {
        (ENDPOINT_TYPE_DELTA_SHARING, format!("{base}/share"))
    } else if t.is_http_pull() {
        (ENDPOINT_TYPE_HTTP, format!("{base}/files/{}", t.id))
    } else {
        return Ok(None);
    };
    let token = app.access_tokens.mint(&t.participant, &t.id)?;
    let property = |name: String, value: &str| EndpointProperty { name, value: value.to_owned() };
    // By the specification's names, and by the ones that Eclipse EDC looks for: it reads no `endpoint` elsewhere.
    let of_dsp = [("authorization", token.as_str()), ("authType", "bearer")];
    let of_edc = [("endpoint", endpoint.as_str()), ("authorization", token.as_str()), ("authType", "bearer")];
    let properties = of_dsp
        .iter()
        .map(|(name, value)| property((*name).to_owned(), value))
        .chain(of_edc.iter().map(|(name, value)| property(format!("{EDC_NAMESPACE}{name}"), value)))
        .collect();
    Ok(Some(DataAddress { endpoint_type: endpoint_type.into(), endpoint: Some(endpoint), properties }))
}
