//! Messages that were changed on the way, and messages that nobody sent.

use super::op::{Alteration, Forged, Words};
use fondaco_core::negotiation::Role;
use fondaco_dsp::messages::{
    negotiation::{
        ContractAgreementMessage, ContractAgreementVerificationMessage, ContractNegotiationEventMessage,
        ContractNegotiationTerminationMessage, ContractOfferMessage, ContractRequestMessage, NegotiationEvent,
    },
    transfer::{TransferCompletionMessage, TransferStartMessage, TransferSuspensionMessage, TransferTerminationMessage},
};
use serde_json::{Value, json};

/// A process as a forger knows it.
pub struct Target<'a> {
    /// The receiver's pid.
    pub pid: &'a str,
    /// The other party's.
    pub peer_pid: &'a str,
    /// The receiver's side of it.
    pub role: Role,
    /// The dataset.
    pub dataset: &'a str,
    /// The receiver.
    pub own_did: &'a str,
    /// The other party.
    pub peer_did: &'a str,
}

/// Rules with other words, in a document that has some.
fn reword(document: &mut Value, words: Words) {
    if let (Some(map), Value::Object(rules)) = (document.as_object_mut(), words.odrl()) {
        map.extend(rules);
    }
}

/// A message's body after an alteration; unchanged where the alteration finds nothing to alter.
pub fn alter(body: &[u8], how: Alteration) -> Vec<u8> {
    if how == Alteration::Garbage {
        return body.iter().map(|byte| byte ^ 0x15).collect();
    }
    let Ok(mut message) = serde_json::from_slice::<Value>(body) else { return body.to_vec() };
    match how {
        Alteration::Terms(words) => {
            for key in ["offer", "agreement"] {
                if let Some(document) = message.get_mut(key) {
                    reword(document, words);
                }
            }
        }
        Alteration::Assignee => {
            if let Some(agreement) = message.get_mut("agreement") {
                agreement["assignee"] = json!("did:web:somebody.example");
            }
        }
        Alteration::Pid => {
            // Whichever pid the sender has: one of the two is the receiver's, and a first request has the sender's alone.
            let key = if message.get("providerPid").is_some() { "providerPid" } else { "consumerPid" };
            message[key] = json!("urn:uuid:00000000-0000-7000-8000-000000000000");
        }
        Alteration::Callback => message["callbackAddress"] = json!("http://127.0.0.1:7499/elsewhere"),
        Alteration::Garbage => {}
    }
    message.to_string().into_bytes()
}

/// Where a forged message goes, below the receiver's endpoints, and what it says.
pub fn forge(target: &Target<'_>, message: Forged, message_id: String, now: &str) -> (String, Value) {
    let (own, peer) = (target.pid.to_owned(), target.peer_pid.to_owned());
    let (provider_pid, consumer_pid) = match target.role {
        Role::Provider => (own, peer),
        Role::Consumer => (peer, own),
    };
    let message_id = Some(message_id);
    let offer = |words| {
        let mut offer = json!({"@id": "offer-0", "@type": "Offer", "target": target.dataset});
        reword(&mut offer, words);
        offer
    };
    let event = |event_type| {
        ContractNegotiationEventMessage {
            message_id: message_id.clone(),
            provider_pid: provider_pid.clone(),
            consumer_pid: consumer_pid.clone(),
            event_type,
        }
        .to_json()
    };
    let (code, reasons) = (None, vec!["because".to_owned()]);
    let (path, body) = match message {
        Forged::Accepted => ("events", event(NegotiationEvent::Accepted)),
        Forged::Finalized => ("events", event(NegotiationEvent::Finalized)),
        Forged::Request(words) => {
            let provider_pid = Some(provider_pid);
            let callback_address = Some("http://127.0.0.1:7499/elsewhere".to_owned());
            ("request", ContractRequestMessage { message_id, consumer_pid, provider_pid, callback_address, offer: offer(words) }.to_json())
        }
        Forged::Offer(words) => {
            let consumer_pid = Some(consumer_pid);
            let message = ContractOfferMessage { message_id, provider_pid, consumer_pid, callback_address: None, offer: offer(words) };
            ("offers", message.to_json())
        }
        Forged::Agreement(words) => {
            let mut agreement = json!({"@id": "urn:uuid:forged", "@type": "Agreement", "target": target.dataset, "assigner": target.peer_did, "assignee": target.own_did, "timestamp": now});
            reword(&mut agreement, words);
            ("agreement", ContractAgreementMessage { message_id, provider_pid, consumer_pid, agreement }.to_json())
        }
        Forged::Verification => {
            ("agreement/verification", ContractAgreementVerificationMessage { message_id, provider_pid, consumer_pid }.to_json())
        }
        Forged::Termination => {
            ("termination", ContractNegotiationTerminationMessage { message_id, provider_pid, consumer_pid, code, reasons }.to_json())
        }
        Forged::TransferStart => ("start", TransferStartMessage { message_id, provider_pid, consumer_pid, data_address: None }.to_json()),
        Forged::TransferSuspension => {
            ("suspension", TransferSuspensionMessage { message_id, provider_pid, consumer_pid, code, reasons }.to_json())
        }
        Forged::TransferCompletion => ("completion", TransferCompletionMessage { message_id, provider_pid, consumer_pid }.to_json()),
        Forged::TransferTermination => {
            ("termination", TransferTerminationMessage { message_id, provider_pid, consumer_pid, code, reasons }.to_json())
        }
    };
    let family = if is_about_transfers(message) { "transfers" } else { "negotiations" };
    (format!("/{family}/{}/{path}", target.pid), body)
}

/// Which protocol a forged message belongs to.
pub const fn is_about_transfers(message: Forged) -> bool {
    matches!(message, Forged::TransferStart | Forged::TransferSuspension | Forged::TransferCompletion | Forged::TransferTermination)
}
