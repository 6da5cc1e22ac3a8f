//! What sending a message of a process has in common: the call, and how its answer is understood.

use crate::{
    app::App,
    net::client::{OutRequest, OutResponse},
};
use fondaco_core::{
    Code, Error, Result,
    ids::JobId,
    participant::{Declarations, Did, Slug},
    time::{Micros, Timestamp},
};
use serde_json::Value;

/// How long a peer may stay away before a process that waits for it ends.
pub const GIVE_UP_AFTER: Micros = Micros::from_secs(24 * 3_600);
/// Largest acknowledgement read.
const ACK_MAX_BYTES: usize = 256 * 1024;

/// How a delivery went.
pub enum Delivery {
    /// Taken; the answer's body, if it was JSON.
    Accepted(Option<Value>),
    /// Refused for good, with the peer's words.
    Refused(String),
    /// Not now; worth another try.
    Later(String),
}

/// Posts one message.
pub async fn post(app: &App, slug: &Slug, own: &Did, peer: &Did, declared: &Declarations, url: &str, body: &Value) -> Result<Delivery> {
    let authorization = app.authorization(slug, own, peer, declared).await?;
    let request = OutRequest::post_json(url, body).authorization(&authorization).limit(ACK_MAX_BYTES);
    Ok(match app.outbound.send(request).await {
        Ok(response) => understand(&response),
        // An address we may not call will not become callable by waiting.
        Err(e) if matches!(e.code(), Code::AddressRefused | Code::DidInvalid) => Delivery::Refused(e.message().to_owned()),
        Err(e) => Delivery::Later(e.message().to_owned()),
    })
}

/// Reads the peer's view of a process: when it refused a message, perhaps only because it has it already.
pub async fn peer_state(app: &App, slug: &Slug, own: &Did, peer: &Did, declared: &Declarations, url: &str) -> Option<String> {
    let authorization = app.authorization(slug, own, peer, declared).await.ok()?;
    let response = app.outbound.send(OutRequest::get(url).authorization(&authorization).limit(ACK_MAX_BYTES)).await.ok()?;
    let body: Value = serde_json::from_slice(&response.body).ok()?;
    let state = fondaco_dsp::jsonld::normalise(&body).ok()?.get("state")?.as_str()?.to_owned();
    response.is_success().then_some(state)
}

fn understand(response: &OutResponse) -> Delivery {
    let body = serde_json::from_slice::<Value>(&response.body).ok();
    match response.status {
        200..=299 => Delivery::Accepted(body),
        408 | 425 | 429 | 500..=599 => Delivery::Later(format!("the peer answered {}", response.status)),
        status => Delivery::Refused(format!("The peer refused the message ({status}). {}", peer_words(body.as_ref()))),
    }
}

/// The reason in a protocol error, bounded and without control characters.
fn peer_words(body: Option<&Value>) -> String {
    let reasons = body.and_then(|b| b.get("reason").or_else(|| b.get("dspace:reason")));
    let text = match reasons {
        Some(Value::String(s)) => s.clone(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    };
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}

/// Puts a job off after a failed delivery, or says that it has been tried long enough.
pub async fn later(app: &App, job: &fondaco_store::Job, why: &str) -> Result<Option<Error>> {
    let now = app.now();
    if now.since(job.created_at) >= GIVE_UP_AFTER {
        return Ok(Some(Error::new(Code::PeerUnreachable, format!("The peer could not be reached for 24 hours: {why}."))));
    }
    let run_at = now.plus(super::runner::backoff(job.attempts));
    put_off(app, job.id.clone(), run_at, why.to_owned()).await?;
    Ok(None)
}

async fn put_off(app: &App, id: JobId, run_at: Timestamp, why: String) -> Result<()> {
    app.store.tx("job.put_off", move |tx| -> Result<_> { Ok(tx.job_retry(&id, run_at, &why)?) }).await
}
