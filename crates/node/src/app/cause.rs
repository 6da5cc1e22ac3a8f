//! Why this side took a step, as its own people are told: whose decision it was, or which exchange with the peer failed.
//! Kept with the event. The peer is told none of it with the step; as the other party of an agreement it may later ask for
//! the evidence of a step, which says that a rule, a program or the terms decided, and never who.

use fondaco_core::{
    Error,
    decision::{Action, Trigger},
    negotiation::Ending,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why a step was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Cause {
    /// Somebody decided, in the console, by a command or through the API.
    Person(Decider),
    /// A decision rule.
    Rule {
        /// The point for which it stands; unknown for decisions made by earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Trigger>,
        /// What it says.
        action: Action,
    },
    /// The program that a rule names.
    Webhook,
    /// The agreed terms: their time had come.
    Terms,
    /// What became of the agreement: it ended, expired, was stopped or resumed.
    Agreement,
    /// A message that could not be delivered.
    Exchange(Exchange),
}

/// Who decided, for their own side alone; empty for what earlier versions recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decider {
    /// A person's account, by its login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// An API token, by what its owner calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// An HTTP exchange, without what is secret: no credential, no query, no body of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// The protocol's name of the message.
    pub message: String,
    /// The method.
    pub method: String,
    /// The address, without query and credentials.
    pub url: String,
    /// The answer's status, if there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What the peer gave as its reason, or why there was no answer; bounded.
    pub answer: String,
    /// How often the message was sent.
    pub attempts: u32,
}

/// Why a process could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it ends with; the peer may be told.
    pub ending: Ending,
    /// The exchange that failed.
    pub exchange: Option<Exchange>,
}

impl Failure {
    /// By an error, in an exchange.
    pub fn new(e: &Error, exchange: Option<Exchange>) -> Self {
        Self { ending: Ending { code: Some(e.code().as_str().into()), reasons: vec![e.message().to_owned()] }, exchange }
    }
}

impl Cause {
    /// For the event's detail.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// From an event's detail.
    pub fn of(detail: &Value) -> Option<Self> {
        serde_json::from_value(detail.get("cause")?.clone()).ok()
    }

    /// In words, for lists of a terminal.
    pub fn words(&self) -> String {
        match self {
            Self::Person(Decider { account: Some(account), .. }) => format!("decided by {account}"),
            Self::Person(Decider { token: Some(token), .. }) => format!("decided with the API token \"{token}\""),
            Self::Person(_) => "decided by a person".into(),
            Self::Rule { at: Some(at), action } => format!("decided by the rule for {}: {}", name(at), name(action)),
            Self::Rule { at: None, action } => format!("decided by a rule: {}", name(action)),
            Self::Webhook => "decided by the webhook".into(),
            Self::Terms => "by the agreed terms".into(),
            Self::Agreement => "because of what became of the agreement".into(),
            Self::Exchange(exchange) => exchange.words(),
        }
    }
}

impl Exchange {
    /// In words: who was asked what, and what came back.
    pub fn words(&self) -> String {
        let Self { message, method, url, answer, attempts, .. } = self;
        let came = self.status.map_or_else(|| "no answer".to_owned(), |status| format!("answered {status}"));
        let times = if *attempts > 1 { format!(", {attempts} times") } else { String::new() };
        format!("{message}: {method} {url}{times}: {came}. {answer}").trim_end().to_owned()
    }
}

/// The name that a rule's file uses.
pub fn name(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn causes_are_kept_and_told() {
        let exchange = Exchange {
            message: "ContractAgreementMessage".into(),
            method: "POST".into(),
            url: "https://h/p/a/dsp/2025-1/negotiations/x/agreement".into(),
            status: Some(400),
            answer: "Not now.".into(),
            attempts: 3,
        };
        for (cause, stored, words) in [
            (Cause::Person(Decider::default()), json!({"by": "person"}), "decided by a person"),
            (
                Cause::Person(Decider { account: Some("Li Wei".into()), token: None }),
                json!({"by": "person", "account": "Li Wei"}),
                "decided by Li Wei",
            ),
            (
                Cause::Person(Decider { account: None, token: Some("ci".into()) }),
                json!({"by": "person", "token": "ci"}),
                "decided with the API token \"ci\"",
            ),
            (
                Cause::Rule { at: Some(Trigger::Requested), action: Action::Terminate },
                json!({"by": "rule", "at": "requested", "action": "terminate"}),
                "decided by the rule for requested: terminate",
            ),
            (Cause::Rule { at: None, action: Action::Agree }, json!({"by": "rule", "action": "agree"}), "decided by a rule: agree"),
            (Cause::Webhook, json!({"by": "webhook"}), "decided by the webhook"),
            (
                Cause::Exchange(exchange),
                json!({"by": "exchange", "message": "ContractAgreementMessage", "method": "POST",
                    "url": "https://h/p/a/dsp/2025-1/negotiations/x/agreement", "status": 400, "answer": "Not now.", "attempts": 3}),
                "ContractAgreementMessage: POST https://h/p/a/dsp/2025-1/negotiations/x/agreement, 3 times: answered 400. Not now.",
            ),
        ] {
            assert_eq!(cause.to_json(), stored);
            assert_eq!(cause.words(), words);
            assert_eq!(Cause::of(&json!({ "cause": stored })), Some(cause));
        }
        assert_eq!(Cause::of(&json!({})), None);
    }
}
