//! What sending a message of a process has in common: the call, and how its answer is understood.

use crate::{
    app::{App, cause::Exchange},
    identity::token::AgreementClaim,
    net::client::{OutRequest, OutResponse},
};
use fondaco_core::{
    Code, Error, Result,
    participant::{Declarations, Did, Slug},
    time::Micros,
};
use fondaco_store::Job;
use serde_json::Value;

/// How long a peer may stay away before a process that waits for it ends.
pub const GIVE_UP_AFTER: Micros = Micros::from_secs(24 * 3_600);
/// Largest acknowledgement read, in bytes: a state and two pids.
const ACK_MAX_BYTES: u64 = 256 * 1024;
/// Most characters of the peer's own words that are kept.
const WORDS_MAX_CHARS: usize = 500;

/// How often a message that meets a conflict is sent again: about half a minute in all. A connector that works through
/// its processes once a second may not have noted our last answer when our next message arrives, and refuses it as too early.
const CONFLICT_RETRIES: u32 = 6;

/// How a delivery fails that may succeed later: with this and the status.
const ANSWERED: &str = "the peer answered ";

/// How often at least a message is sent again when it or its answer may have been damaged on its way: some seconds in all.
/// What damages messages passes; a peer that does not speak the protocol never will.
const DAMAGE_RETRIES: u32 = 3;

/// Who sends to whom.
#[derive(Clone, Copy)]
pub struct Parties<'a> {
    /// Our participant.
    pub slug: &'a Slug,
    /// Its DID.
    pub own: &'a Did,
    /// The peer.
    pub peer: &'a Did,
    /// What we declare of ourselves.
    pub declared: &'a Declarations,
    /// The agreement that the message signs.
    pub signs: Option<&'a AgreementClaim>,
}

/// How a delivery went, and the exchange as people are shown it.
#[derive(Debug)]
pub struct Sent {
    /// How it went.
    pub delivery: Delivery,
    /// What was sent where, and what came back.
    pub exchange: Exchange,
    /// The token that signed an agreement.
    pub signature: Option<String>,
}

/// How a delivery went.
#[derive(Debug)]
pub enum Delivery {
    /// Taken; the answer's body.
    Accepted(Vec<u8>),
    /// Refused for good, with the peer's words.
    Refused(String),
    /// Refused because of the state that the process is in there (409), with the peer's words.
    Conflict(String),
    /// Not now; worth another try.
    Later(String),
}

/// Posts one message of a job.
///
/// # Errors
/// When the message cannot be signed: our own failure.
pub async fn post(app: &App, job: &Job, parties: Parties<'_>, url: &str, body: &Value) -> Result<Sent> {
    let exchange = |status, answer: String| Exchange {
        message: body["@type"].as_str().unwrap_or_default().to_owned(),
        method: "POST".into(),
        url: shown(url),
        status,
        answer: answer.chars().take(WORDS_MAX_CHARS).collect(),
        attempts: job.attempts.saturating_add(1),
    };
    let authorization = app.authorization_signing(parties.slug, parties.own, parties.peer, parties.declared, parties.signs).await?;
    let signature = parties.signs.and_then(|_| authorization.strip_prefix("Bearer ")).map(str::to_owned);
    let url = match app.url(url) {
        Ok(url) => url,
        Err(e) => {
            let why = e.message().to_owned();
            return Ok(Sent { exchange: exchange(None, why.clone()), delivery: Delivery::Refused(why), signature });
        }
    };
    let request = OutRequest::post_json(url, body.to_string()).with_authorization(&authorization)?.with_limit(ACK_MAX_BYTES);
    Ok(match app.outbound.send(request).await {
        Ok(response) => {
            let exchange = exchange(Some(response.status.as_u16()), peer_words(&response.body));
            Sent { delivery: understand(&response), exchange, signature }
        }
        Err(e) => {
            let why = e.message().to_owned();
            let exchange = exchange(None, why.clone());
            // An address we may not call will not become callable by waiting.
            let refused = matches!(e.code(), Code::AddressRefused | Code::DidInvalid);
            Sent { delivery: if refused { Delivery::Refused(why) } else { Delivery::Later(why) }, exchange, signature }
        }
    })
}

/// An address as it may be shown: a query may hold a signature, and credentials are nobody's.
fn shown(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else { return String::new() };
    url.set_query(None);
    url.set_fragment(None);
    // Both fail only for addresses that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// The last exchange of a message that has not arrived yet.
pub fn tried(job: &Job, message: &str, url: &str) -> Exchange {
    let answer = job.last_error.clone().unwrap_or_default();
    let status = answer.strip_prefix(ANSWERED).and_then(|status| status.parse().ok());
    // What the status says need not be said twice.
    let answer = if status.is_some() { String::new() } else { answer };
    Exchange { message: message.into(), method: "POST".into(), url: shown(url), status, answer, attempts: job.attempts }
}

/// What a refusal means here: that a price is owed is for our people to know.
pub fn refusal(exchange: &Exchange, why: String) -> Error {
    let owed = exchange.status == Some(Code::Unpaid.status());
    Error::new(if owed { Code::Unpaid } else { Code::PeerRefused }, why)
}

/// Whether a message that met a conflict may be sent again.
pub fn may_be_too_early(job: &Job) -> bool {
    job.attempts < CONFLICT_RETRIES
}

/// Whether a message that failed this way may be sent again, since it or its answer may only have been damaged on its way:
/// a few times, and for as long as it did not fail the same way the last time.
pub fn may_be_damaged(job: &Job, why: &str) -> bool {
    job.attempts < DAMAGE_RETRIES || !is_the_same(job.last_error.as_deref(), why)
}

/// A job keeps the beginning of why it failed.
fn is_the_same(last: Option<&str>, why: &str) -> bool {
    last.is_some_and(|last| !last.is_empty() && why.starts_with(last))
}

/// The state a peer sees: when it refuses a message, that may be because it has it already and its answer got lost.
pub async fn peer_state(app: &App, parties: Parties<'_>, url: &str) -> Option<String> {
    let authorization = app.authorization(parties.slug, parties.own, parties.peer, parties.declared).await.ok()?;
    let request = OutRequest::get(app.url(url).ok()?).with_authorization(&authorization).ok()?.with_limit(ACK_MAX_BYTES);
    let response = app.outbound.send(request).await.ok().filter(|r| r.status.is_success())?;
    let body: Value = serde_json::from_slice(&response.body).ok()?;
    Some(fondaco_dsp::normalise(&body).ok()?.get("state")?.as_str()?.to_owned())
}

fn understand(response: &OutResponse) -> Delivery {
    match response.status.as_u16() {
        200..=299 => Delivery::Accepted(response.body.to_vec()),
        status @ (408 | 425 | 429 | 500..=599) => Delivery::Later(format!("{ANSWERED}{status}")),
        status => {
            let why = format!("The peer refused the message ({status}). {}", peer_words(&response.body)).trim_end().to_owned();
            if status == 409 { Delivery::Conflict(why) } else { Delivery::Refused(why) }
        }
    }
}

/// The reasons in a protocol error, bounded and without control characters.
fn peer_words(body: &[u8]) -> String {
    let value = serde_json::from_slice::<Value>(body).ok().and_then(|v| fondaco_dsp::normalise(&v).ok());
    let text = match value.as_ref().and_then(|v| v.get("reason")) {
        Some(Value::String(s)) => s.clone(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    };
    text.chars().filter(|c| !c.is_control()).take(WORDS_MAX_CHARS).collect()
}

/// Puts a job off after a failed delivery; an error says that it has been tried long enough.
///
/// # Errors
/// When the database fails (outer).
pub async fn later(app: &App, job: &Job, why: &str) -> Result<Result<()>> {
    let now = app.now();
    if now.since(job.created_at) >= GIVE_UP_AFTER {
        return Ok(Err(Error::new(Code::PeerUnreachable, format!("The peer could not be told for 24 hours. {why}"))));
    }
    tracing::info!(job = %job.id, attempts = job.attempts, "job.later {}: {why}", job.id);
    let (id, run_at, why) = (job.id.clone(), now.plus(super::runner::backoff(job.attempts)), why.to_owned());
    app.store.tx("job.later", move |tx| -> Result<_> { Ok(tx.job_retry(&id, run_at, &why)?) }).await?;
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_failures_alike_are_meant() {
        assert!(is_the_same(Some("the peer answered"), "the peer answered nonsense"));
        assert!(!is_the_same(Some("the peer answered 500"), "the peer answered nonsense"), "it was away, then damaged one answer");
        assert!(!is_the_same(None, "nonsense") && !is_the_same(Some(""), "nonsense"));
    }
}
