//! Contract negotiation messages
//! ([DSP 2025-1, 6](https://eclipse-dataspace-protocol-base.github.io/DataspaceProtocol/2025-1-err1/#contract-negotiation-protocol)).
//!
//! Offers and agreements stay JSON in ODRL's short form, as the core reads them. Their shape is checked here; whether
//! they can be enforced is not.

use super::{normalised, pids_message, put, put_some, read::Object, reasons_message, start, state_message, words};
use crate::{error::WireError, limits::Limits, odrl};
use serde_json::Value;

words! {
    /// What a [`ContractNegotiationEventMessage`] says.
    NegotiationEvent {
        /// The consumer accepts the offer.
        Accepted = "ACCEPTED",
        /// The provider puts the agreement in force.
        Finalized = "FINALIZED",
    }
}

words! {
    /// The states of a negotiation.
    NegotiationState {
        /// The consumer asked.
        Requested = "REQUESTED",
        /// The provider offered.
        Offered = "OFFERED",
        /// The consumer accepted.
        Accepted = "ACCEPTED",
        /// The provider made an agreement.
        Agreed = "AGREED",
        /// The consumer verified it.
        Verified = "VERIFIED",
        /// It is in force.
        Finalized = "FINALIZED",
        /// It ended without an agreement in force.
        Terminated = "TERMINATED",
    }
}

/// The consumer asks for a contract, or counters an offer.
///
/// Exactly one of `callback_address` (it opens a negotiation) and `provider_pid` (it counters in one) is there.
#[derive(Clone, Debug, PartialEq)]
pub struct ContractRequestMessage {
    /// `@id` of this message.
    pub message_id: Option<String>,
    /// The consumer's id of the process.
    pub consumer_pid: String,
    /// The provider's id of the process, in a counter-request.
    pub provider_pid: Option<String>,
    /// Where the provider is to send its messages, in an initial request.
    pub callback_address: Option<String>,
    /// The ODRL offer, with `@id` and `target`.
    pub offer: Value,
}

impl ContractRequestMessage {
    /// Its `@type`.
    pub const TYPE: &'static str = "ContractRequestMessage";

    /// Reads the message.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let value = normalised(bytes, &Limits::MESSAGE)?;
        let object = Object::root(&value, Self::TYPE)?;
        let message = Self {
            message_id: object.opt_id("@id")?,
            consumer_pid: object.id("consumerPid")?,
            provider_pid: object.opt_id("providerPid")?,
            callback_address: object.opt_url("callbackAddress")?,
            offer: offer(&object)?,
        };
        one_of(message.callback_address.is_some(), message.provider_pid.is_some(), "providerPid")?;
        Ok(message)
    }

    /// Prints the message.
    pub fn to_json(&self) -> Value {
        let mut map = start(self.message_id.as_deref(), Self::TYPE);
        put(&mut map, "consumerPid", &self.consumer_pid);
        put_some(&mut map, "providerPid", self.provider_pid.as_deref());
        put_some(&mut map, "callbackAddress", self.callback_address.as_deref());
        map.insert("offer".to_owned(), odrl::to_wire(&self.offer));
        map.into()
    }
}

/// The provider offers terms, in answer to a request or of its own accord.
///
/// Exactly one of `callback_address` (it opens a negotiation) and `consumer_pid` (it answers in one) is there.
#[derive(Clone, Debug, PartialEq)]
pub struct ContractOfferMessage {
    /// `@id` of this message.
    pub message_id: Option<String>,
    /// The provider's id of the process.
    pub provider_pid: String,
    /// The consumer's id of the process.
    pub consumer_pid: Option<String>,
    /// Where the consumer is to send its messages, in an initial offer.
    pub callback_address: Option<String>,
    /// The ODRL offer, with `@id` and `target`.
    pub offer: Value,
}

impl ContractOfferMessage {
    /// Its `@type`.
    pub const TYPE: &'static str = "ContractOfferMessage";

    /// Reads the message.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let value = normalised(bytes, &Limits::MESSAGE)?;
        let object = Object::root(&value, Self::TYPE)?;
        let message = Self {
            message_id: object.opt_id("@id")?,
            provider_pid: object.id("providerPid")?,
            consumer_pid: object.opt_id("consumerPid")?,
            callback_address: object.opt_url("callbackAddress")?,
            offer: offer(&object)?,
        };
        one_of(message.callback_address.is_some(), message.consumer_pid.is_some(), "consumerPid")?;
        Ok(message)
    }

    /// Prints the message.
    pub fn to_json(&self) -> Value {
        let mut map = start(self.message_id.as_deref(), Self::TYPE);
        put(&mut map, "providerPid", &self.provider_pid);
        put_some(&mut map, "consumerPid", self.consumer_pid.as_deref());
        put_some(&mut map, "callbackAddress", self.callback_address.as_deref());
        map.insert("offer".to_owned(), odrl::to_wire(&self.offer));
        map.into()
    }
}

/// The provider makes an agreement.
#[derive(Clone, Debug, PartialEq)]
pub struct ContractAgreementMessage {
    /// `@id` of this message.
    pub message_id: Option<String>,
    /// The provider's id of the process.
    pub provider_pid: String,
    /// The consumer's id of the process.
    pub consumer_pid: String,
    /// The ODRL agreement, with `@id`, `target`, `assigner`, `assignee` and `timestamp`. The same JSON value comes out
    /// at the other end, so its digest does too.
    pub agreement: Value,
}

impl ContractAgreementMessage {
    /// Its `@type`.
    pub const TYPE: &'static str = "ContractAgreementMessage";

    /// Reads the message.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let value = normalised(bytes, &Limits::MESSAGE)?;
        let object = Object::root(&value, Self::TYPE)?;
        let agreement = object.need("agreement")?;
        odrl::check_agreement(agreement, &object.path("agreement"))?;
        Ok(Self {
            message_id: object.opt_id("@id")?,
            provider_pid: object.id("providerPid")?,
            consumer_pid: object.id("consumerPid")?,
            agreement: agreement.clone(),
        })
    }

    /// Prints the message.
    pub fn to_json(&self) -> Value {
        let mut map = start(self.message_id.as_deref(), Self::TYPE);
        put(&mut map, "providerPid", &self.provider_pid);
        put(&mut map, "consumerPid", &self.consumer_pid);
        map.insert("agreement".to_owned(), odrl::to_wire(&self.agreement));
        map.into()
    }
}

pids_message! {
    /// The consumer verified the agreement.
    ContractAgreementVerificationMessage
}

/// The consumer accepts an offer, or the provider finalizes an agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractNegotiationEventMessage {
    /// `@id` of this message.
    pub message_id: Option<String>,
    /// The provider's id of the process.
    pub provider_pid: String,
    /// The consumer's id of the process.
    pub consumer_pid: String,
    /// What happened.
    pub event_type: NegotiationEvent,
}

impl ContractNegotiationEventMessage {
    /// Its `@type`.
    pub const TYPE: &'static str = "ContractNegotiationEventMessage";

    /// Reads the message.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let value = normalised(bytes, &Limits::MESSAGE)?;
        let object = Object::root(&value, Self::TYPE)?;
        Ok(Self {
            message_id: object.opt_id("@id")?,
            provider_pid: object.id("providerPid")?,
            consumer_pid: object.id("consumerPid")?,
            event_type: object.word("eventType", NegotiationEvent::from_word)?,
        })
    }

    /// Prints the message.
    pub fn to_json(&self) -> Value {
        let mut map = start(self.message_id.as_deref(), Self::TYPE);
        put(&mut map, "providerPid", &self.provider_pid);
        put(&mut map, "consumerPid", &self.consumer_pid);
        put(&mut map, "eventType", self.event_type.as_str());
        map.into()
    }
}

reasons_message! {
    /// Either side ends the negotiation.
    ContractNegotiationTerminationMessage, id
}

state_message! {
    /// Where a negotiation stands: the answer to a request, a message or a `GET`.
    ContractNegotiation, NegotiationState
}

reasons_message! {
    /// Why a negotiation message was refused. The pids are empty where no process is concerned.
    ContractNegotiationError, id_or_empty
}

fn offer(object: &Object<'_>) -> Result<Value, WireError> {
    let offer = object.need("offer")?;
    odrl::check_message_offer(offer, &object.path("offer"))?;
    Ok(offer.clone())
}

/// The schemas' `oneOf`: a message either opens a process or continues one.
fn one_of(callback: bool, pid: bool, pid_name: &str) -> Result<(), WireError> {
    match (callback, pid) {
        (true, true) => {
            Err(WireError::new("", format!("\"callbackAddress\" opens a negotiation and \"{pid_name}\" continues one; send one of them.")))
        }
        (false, false) => {
            Err(WireError::new("", format!("\"callbackAddress\" (to open a negotiation) or \"{pid_name}\" (to continue one) is missing.")))
        }
        _ => Ok(()),
    }
}
