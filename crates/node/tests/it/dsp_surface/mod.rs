//! The protocol's endpoints against a peer that says anything at any time.

mod agreements;
mod bodies;
mod catalog;
mod negotiations;
mod redelivery;
mod transfers;

use fondaco_core::participant::Participant;
use fondaco_testkit::{Answer, TestNode};
use serde_json::Value;

/// Every path a message can be posted to, and its kind.
const NEGOTIATION_PATHS: [&str; 7] = ["request", "offers", "agreement", "agreement/verification", "events", "events", "termination"];

/// An error as the protocol writes it.
#[track_caller]
fn assert_error(answer: &Answer, status: u16, kind: &str, told: &str) {
    assert_eq!(answer.status, status, "{told}: {}", answer.text());
    assert!(answer.header("content-type").starts_with("application/json"), "{told}: {}", answer.header("content-type"));
    let error = answer.json();
    assert_eq!(error["@type"], kind, "{told}: {error}");
    assert_eq!(error["@context"][0], fondaco_testkit::wire::CONTEXT, "{told}");
    assert!(error["code"].as_str().is_some_and(|c| c.starts_with("FDC-")), "{told}: {error}");
    let reasons = error["reason"].as_array().unwrap_or_else(|| panic!("{told}: no reasons in {error}"));
    assert!(!reasons.is_empty() && reasons.iter().all(|r| r.as_str().is_some_and(|r| !r.is_empty())), "{told}: {error}");
    if !matches!(kind, "CatalogError" | "AgreementEventError") {
        for pid in ["providerPid", "consumerPid"] {
            assert!(error[pid].is_string(), "{told}: {error}");
        }
    }
}

/// A refusal leaves one line in the log, with the id that the caller was told.
#[track_caller]
fn assert_logged_once(answer: &Answer, told: &str) {
    assert_eq!(fondaco_testkit::log::refusals(answer.header("x-request-id")), 1, "{told}");
}

/// Sends a message as another participant of the caller's node.
async fn send_as(who: &Participant, of: &TestNode, to: &TestNode, path: &str, message: &Value) -> Answer {
    let authorization = of.app.authorization(&who.slug, &who.did, &to.did, &fondaco_core::participant::Declarations::default()).await;
    let authorization = authorization.expect("a token");
    to.dsp(reqwest::Method::POST, path, Some(&authorization), Some("application/json"), message.to_string()).await
}
