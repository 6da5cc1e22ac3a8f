//! Asks a program of ours what a process is to do: the decision rule `webhook`.
//!
//! One `POST` of JSON, signed with the participant's key: the header `X-JWS-Signature` is a JWS with detached content
//! ([RFC 7515, appendix F](https://www.rfc-editor.org/rfc/rfc7515#appendix-F)) over the body, whose `url` and `sentAt` say
//! whom it was meant for and when. The answer names an action. Whatever else comes of it, in time or not, is the rule's
//! `otherwise`.

use super::Decide;
use crate::{
    app::{
        App,
        process::{self, Process, Settled},
    },
    net::client::{CALL_TIMEOUT, OutRequest},
};
use axum::http::{HeaderName, HeaderValue};
use bytes::Bytes;
use fondaco_core::{
    Code, Error, Result,
    decision::{Action, Decision},
    participant::Did,
    time::Micros,
};
use fondaco_store::Job;
use serde::Deserialize;
use serde_json::{Value, json};

/// The header with the signature.
pub const SIGNATURE: HeaderName = HeaderName::from_static("x-jws-signature");
/// Largest answer read, in bytes: an action, a reason, perhaps terms, which have at most 256 KiB.
const ANSWER_MAX_BYTES: u64 = 512 * 1024;
/// Longest reason taken over: the peer reads it.
const REASON_MAX_CHARS: usize = 2_000;

/// What a webhook answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    /// What to do.
    #[serde(rename = "do")]
    action: Action,
    /// Why.
    #[serde(default)]
    reason: Option<String>,
    /// `offer`, `counter`: the terms, as ODRL.
    #[serde(default)]
    offer: Option<Value>,
}

/// Asks about a process, and does what was answered.
///
/// # Errors
/// Our own failures only.
pub async fn perform<P: Process + Send + 'static>(app: &App, job: &Job, due: Decide<String>) -> Result<()> {
    let decision = due.decision();
    let slug = job.participant.clone();
    let id = due.id.clone();
    let found = app.store.read("process.get", move |tx| P::get(tx, &slug, &id)).await?;
    let waits = found.filter(|p| p.revision() == due.revision);
    let Some(process) = waits else { return super::negotiation_send::finish(app, job).await };
    let left = Micros(job.created_at.plus(decision.wait()).since(app.now()).0);
    let settled = if left.0 <= 0 {
        Settled::otherwise(&decision, job.last_error.as_deref().unwrap_or("the webhook gave no decision in time"))
    } else {
        match ask(app, job, &process, &decision, left).await? {
            Told::Answer(body) => answered(&decision, &body),
            Told::Nothing(why) => Settled::otherwise(&decision, &why),
            Told::Later(why) => return again(app, job, left, &why).await,
        }
    };
    process::settle::<P>(app, &job.participant, due.id, due.revision, settled, job.id.clone()).await
}

/// How asking went.
enum Told {
    /// The answer's body.
    Answer(Bytes),
    /// There will be no answer.
    Nothing(String),
    /// Not now; worth another try.
    Later(String),
}

async fn ask<P: Process>(app: &App, job: &Job, process: &P, decision: &Decision, left: Micros) -> Result<Told> {
    let address = decision.url.as_deref().unwrap_or_default();
    let url = match app.url(address) {
        Ok(url) => url,
        Err(e) => return Ok(Told::Nothing(format!("the webhook may not be called: {}", e.message()))),
    };
    let own: &Did = process.own_did();
    let (kind, about) = process.told();
    let body = json!({"id": job.id, "url": address, "sentAt": app.now(), "participant": own, kind: about}).to_string();
    let signature = app.signing_key(&job.participant).await?.sign_detached(own, body.as_bytes())?;
    let signature = HeaderValue::from_str(&signature).map_err(Error::internal_failure)?;
    let request = OutRequest::post_json(url, body)
        .with_header(SIGNATURE, signature)
        .with_limit(ANSWER_MAX_BYTES)
        .with_timeout(left.to_std().min(CALL_TIMEOUT));
    Ok(match app.outbound.send(request).await {
        Ok(response) => match response.status.as_u16() {
            200..=299 => Told::Answer(response.body),
            status @ (408 | 425 | 429 | 500..=599) => Told::Later(format!("the webhook answered {status}")),
            status => Told::Nothing(format!("the webhook answered {status}")),
        },
        Err(e) if matches!(e.code(), Code::AddressRefused) => Told::Nothing(format!("the webhook may not be called: {}", e.message())),
        Err(e) => Told::Later(format!("the webhook cannot be asked: {}", e.message())),
    })
}

/// Reads an answer; one that cannot be followed is none.
fn answered(decision: &Decision, body: &[u8]) -> Settled {
    let answer: Answer = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(e) => return Settled::otherwise(decision, &format!("the webhook's answer cannot be read: {e}")),
    };
    if answer.action == Action::Webhook || answer.reason.as_ref().is_some_and(|r| r.chars().count() > REASON_MAX_CHARS) {
        return Settled::otherwise(decision, "the webhook's answer is no decision");
    }
    Settled { action: answer.action, reason: answer.reason, terms: answer.offer, otherwise: fallback(decision), why: None }
}

/// What a webhook without a decision means.
fn fallback(decision: &Decision) -> Action {
    decision.otherwise.unwrap_or(Action::Hold)
}

impl Settled {
    /// The webhook gave no decision.
    fn otherwise(decision: &Decision, why: &str) -> Self {
        let action = fallback(decision);
        Self { action, reason: None, terms: None, otherwise: Action::Hold, why: Some(format!("No decision by the webhook: {why}.")) }
    }
}

async fn again(app: &App, job: &Job, left: Micros, why: &str) -> Result<()> {
    let (id, why) = (job.id.clone(), why.to_owned());
    let run_at = app.now().plus(super::runner::backoff(job.attempts).min(left));
    app.store.tx("webhook.later", move |tx| -> Result<_> { Ok(tx.job_retry(&id, run_at, &why)?) }).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(otherwise: Option<Action>) -> Decision {
        Decision { url: Some("https://decide.example/".into()), otherwise, ..Decision::now(Action::Webhook) }
    }

    #[test]
    fn answers_are_decisions_or_nothing() {
        let yes = answered(&rule(None), br#"{"do": "terminate", "reason": "Not for you."}"#);
        assert_eq!((yes.action, yes.reason.as_deref(), yes.why), (Action::Terminate, Some("Not for you."), None));
        let long = json!({"do": "agree", "reason": "x".repeat(REASON_MAX_CHARS + 1)}).to_string();
        for bad in ["", "[]", "{}", r#"{"do": "dance"}"#, r#"{"do": "webhook"}"#, r#"{"do": "agree", "x": 1}"#, long.as_str()] {
            let none = answered(&rule(None), bad.as_bytes());
            assert_eq!(none.action, Action::Hold, "{bad}");
            assert!(none.why.is_some(), "{bad}");
            assert_eq!(answered(&rule(Some(Action::Terminate)), bad.as_bytes()).action, Action::Terminate, "{bad}");
        }
    }
}
