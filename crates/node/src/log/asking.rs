//! Asks the witnesses of the policy to cosign this node's checkpoint, by
//! [c2sp.org/tlog-witness](https://c2sp.org/tlog-witness).
//!
//! Woken by every new checkpoint; the latest counts, so a busy log asks once per answer and not once per checkpoint. A
//! witness that has seen a larger tree of this log, or another one, says so: then this node was put back to an earlier
//! state, and its log is held before it forks (or forks further). Each witness was chosen by the operator, so its objection
//! counts without proof.

use super::{memory, policy};
use crate::{app::App, net::client::OutRequest};
use axum::http::{HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use fondaco_core::{
    Error, Result,
    time::{Micros, Timestamp},
};
use fondaco_store::{CosignatureRow, LogTree, Tx, backup::HELD_RESTORED};
use fondaco_tlog::{Note, note::Signature, policy::Witness, prove, witness};
use futures::{StreamExt as _, stream};
use serde_json::json;
use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
    fmt::Display,
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Largest answer: signature lines of one key, with room for those of its next one.
const ANSWER_MAX_BYTES: u64 = 64 * 1024;
/// How long one witness may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Witnesses asked at once.
const AT_ONCE: usize = 8;
/// How long a witness that failed is left in peace: meanwhile checkpoints are shown to the others alone, which then need
/// not wait for it.
const RETRY: Duration = Duration::from_secs(30);
/// A cosignature says that there was no larger tree then: an idle log has it said again this often.
const FRESH: Micros = Micros::from_secs(24 * 3_600);
/// How far a cosignature's time may be from this node's: clocks differ a little. One of long ago says what was so then, and
/// whoever stands between could have kept it.
const CLOCKS_APART_SECS: u64 = 600;
/// Longest words of a witness that are kept.
const WORDS_MAX_CHARS: usize = 200;

/// What one witness made of the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// Its signature lines.
    Cosigned(String),
    /// It has cosigned so many leaves, more than it was asked about.
    Ahead(u64),
    /// It has seen more, or something else: in words.
    Objects(String),
    /// No answer that helps: in words.
    Nothing(String),
}

/// What came of asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Whether those who cosigned now are a quorum, and nobody objected: there is no larger tree of this log.
    pub confirmed: bool,
    /// Those who object, with what they say.
    pub objections: Vec<String>,
    /// Those who gave no answer that helps, with what it was.
    pub failures: Vec<String>,
    /// The keys of those that failed, as verifiers take them.
    failed: Vec<String>,
    /// Whether a restored log goes on for it.
    released: bool,
}

/// Runs until cancelled. The sequencer wakes it after its own start.
pub async fn run(app: App, stop: CancellationToken) {
    let idle = Duration::from_micros(FRESH.0.unsigned_abs());
    let mut again = idle;
    let mut resting: HashMap<String, Instant> = HashMap::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.log_signed.notified() => {}
            () = sleep(again) => {}
        }
        resting.retain(|_, since| since.elapsed() < RETRY);
        again = match ask_but(&app, false, &resting).await {
            Ok(asked) => {
                metrics::counter!("fondaco_log_failures").increment(asked.failures.len() as u64);
                let now = Instant::now();
                resting.extend(asked.failed.into_iter().map(|key| (key, now)));
                // Those that a later tree overtook are asked about that one.
                let overtaken = (!asked.failures.is_empty()).then_some(RETRY);
                resting.values().map(|since| RETRY.saturating_sub(since.elapsed())).chain(overtaken).min().unwrap_or(idle)
            }
            Err(e) => {
                metrics::counter!("fondaco_log_failures").increment(1);
                tracing::error!(cause = e.internal().unwrap_or_default(), "log.witnesses {e}");
                RETRY
            }
        };
    }
}

/// Asks every witness that did not sign the present tree yet, or lately; every one of them, if `all`. What they say is
/// stored, and acted on: an objection holds the log, and a quorum lets one be signed again that was restored.
///
/// # Errors
/// When the database fails.
pub async fn ask(app: &App, all: bool) -> Result<Asked> {
    ask_but(app, all, &HashMap::new()).await
}

/// As [`ask`], without those that failed lately, unless somebody has had an answer of them since.
async fn ask_but(app: &App, all: bool, resting: &HashMap<String, Instant>) -> Result<Asked> {
    let read = |tx: &mut Tx| -> Result<_> { Ok((tx.log_tree()?, policy::load(tx)?, tx.log_cosignatures()?)) };
    let (tree, policy, rows) = app.store.read("log.ask", read).await?;
    let (Some(tree), Some(policy)) = (tree.filter(|t| !t.checkpoint.is_empty()), policy) else { return Ok(Asked::default()) };
    let now = app.now();
    let restored = tree.held.as_deref() == Some(HELD_RESTORED);
    let due = |row: Option<&CosignatureRow>| {
        let fresh =
            |row: &CosignatureRow| row.size == tree.size && row.at.is_some_and(|at| now.since(at).0 < FRESH.0) && row.problem.is_none();
        let rests = |row: &CosignatureRow| row.problem.is_some() && resting.contains_key(&row.witness);
        all || restored || !row.is_some_and(|row| fresh(row) || rests(row))
    };
    let asked: Vec<(Witness, u64)> = policy
        .policy
        .witnesses()
        .iter()
        .map(|w| (w, rows.iter().find(|row| row.witness == w.key.to_string())))
        .filter(|(_, row)| due(*row))
        .map(|(w, row)| (w.clone(), row.map_or(0, |row| row.size)))
        .collect();
    if asked.is_empty() {
        return Ok(Asked::default());
    }
    let note = Note::parse(tree.checkpoint.as_bytes()).map_err(Error::internal_failure)?;
    let answers: Vec<(Witness, Answer)> = stream::iter(asked)
        .map(|(witness, last)| {
            let (app, note, size) = (app.clone(), note.clone(), tree.size);
            async move {
                let answer = ask_one(&app, &note, size, &witness, last).await;
                (witness, answer)
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    // What a restored log goes on from is remembered before more of it is signed.
    let mut turn = if restored { Some(app.log_turn.lock().await) } else { None };
    let (of, confirmed) = (app.clone(), tree.clone());
    let asked = app.store.tx("log.asked", move |tx: &mut Tx| settle(&of, tx, &confirmed, &answers)).await?;
    for failure in &asked.failures {
        tracing::warn!("log.witness {failure}");
    }
    for objection in &asked.objections {
        tracing::error!("log.objection {objection}");
    }
    if let Some(unremembered) = turn.as_mut().filter(|_| asked.released) {
        **unremembered = true;
        memory::remember(&app.config.dir, &tree)?;
        **unremembered = false;
    }
    Ok(asked)
}

/// Stores what the witnesses said about `tree`. While they did, the log may have grown, here or in another process, and the
/// policy may have become another: what counts is what is so now.
fn settle(app: &App, tx: &mut Tx, tree: &LogTree, answers: &[(Witness, Answer)]) -> Result<Asked> {
    let mut asked = Asked::default();
    let mut fresh = BTreeSet::new();
    let now = tx.log_lock()?;
    let Some(policy) = policy::load(tx)?.map(|p| p.policy) else { return Ok(asked) };
    for (witness, answer) in answers {
        // Nobody asks those any more that another policy left out.
        let Some(witness) = policy.witnesses().iter().find(|w| w.key == witness.key) else { continue };
        let vkey = witness.key.to_string();
        let said = |text: &str| format!("{}: {text}", witness.name);
        match answer {
            Answer::Ahead(seen) if *seen > now.size => {
                let text = format!("it has cosigned {seen} leaves, and there are {} here", now.size);
                tx.log_witness_problem(&vkey, &text)?;
                asked.objections.push(said(&text));
            }
            // Shown to it by another asker; whether that is this tree comes out at the next proof.
            Answer::Ahead(seen) => asked.failures.push(said(&format!("it has cosigned {seen} leaves meanwhile"))),
            Answer::Cosigned(lines) => {
                tx.log_cosigned(&vkey, tree.size, lines)?;
                fresh.insert(witness.name.as_str());
            }
            Answer::Objects(text) => {
                tx.log_witness_problem(&vkey, text)?;
                asked.objections.push(said(text));
            }
            Answer::Nothing(text) => {
                tx.log_witness_problem(&vkey, text)?;
                asked.failures.push(said(text));
                asked.failed.push(vkey);
            }
        }
    }
    metrics::counter!("fondaco_log_witness_objections").increment(asked.objections.len() as u64);
    let rows = tx.log_cosignatures()?;
    let (note, by) = policy::cosigned(tree, &rows)?;
    if policy::is_confirmed(&policy, &policy::names(&policy, &by)) {
        tx.log_quorum_put(tree.size, &note.to_string())?;
    }
    asked.confirmed = asked.objections.is_empty() && policy::is_confirmed(&policy, &fresh);
    if let Some(objection) = asked.objections.first() {
        // A log that was restored does not go on by itself once somebody has objected, whatever others say later.
        if now.held.as_deref().is_none_or(|why| why == HELD_RESTORED) {
            tx.log_hold(Some(&format!("a witness has seen another tree of this log, or a larger one: {objection}")))?;
        }
    } else if asked.confirmed && now.held.as_deref() == Some(HELD_RESTORED) && (now.size, now.root) == (tree.size, tree.root) {
        // Said now, by enough of them: nobody has seen more of this log than it has.
        tx.log_hold(None)?;
        asked.released = true;
        let names: Vec<&str> = fresh.into_iter().collect();
        let detail = json!({"size": tree.size, "root": tree.root.to_string(), "held": now.held, "witnesses": names});
        app.note_administration(tx, None, "log-resumed", &app.log_origin(), &detail)?;
    }
    Ok(asked)
}

/// Asks one witness, which signed the tree of `last` leaves before, as far as is known here.
async fn ask_one(app: &App, note: &Note, size: u64, witness: &Witness, last: u64) -> Answer {
    let mut old = last.min(size);
    // The second time with the size that it says itself.
    for _ in 0..2 {
        let request = match request(app, note, size, old).await {
            Ok(request) => request,
            Err(e) => return Answer::Nothing(format!("no proof can be made for it: {e}")),
        };
        let Some(url) = witness.url.as_deref().and_then(policy::submission) else { return Answer::Nothing("it has no address".into()) };
        let mut call = OutRequest::new(Method::POST, url)
            .with_header(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
            .with_limit(ANSWER_MAX_BYTES)
            .with_timeout(ANSWER_TIMEOUT);
        call.body = Bytes::from(request);
        let answer = match app.outbound.send(call).await {
            Ok(answer) => answer,
            Err(e) => return Answer::Nothing(e.to_string()),
        };
        match answer.status {
            StatusCode::OK => {
                return match witness::parse_cosignatures(&answer.body, note, std::slice::from_ref(&witness.key)) {
                    Ok(lines) if lines.iter().all(|line| is_about_now(line, app.now())) => {
                        Answer::Cosigned(lines.iter().map(ToString::to_string).collect())
                    }
                    Ok(_) => Answer::Nothing(
                        "its cosignature is not of now: its clock, or this node's, is wrong, or something between answers for it".into(),
                    ),
                    Err(e) => Answer::Nothing(format!("its cosignature: {e}")),
                };
            }
            StatusCode::CONFLICT => match witness::parse_size(&answer.body) {
                Some(seen) if seen > size => return Answer::Ahead(seen),
                Some(seen) if seen != old => old = seen,
                _ => return Answer::Nothing("it contradicts itself about the size that it cosigned last".into()),
            },
            StatusCode::UNPROCESSABLE_ENTITY => {
                return Answer::Objects(format!(
                    "what it cosigned at {old} leaves is not the beginning of this tree ({})",
                    words(&answer.body)
                ));
            }
            StatusCode::NOT_FOUND => {
                return Answer::Nothing(
                    "it does not witness this log: its operator must add the log's line (see: fondaco log status)".into(),
                );
            }
            status => return Answer::Nothing(format!("it answered {status} ({})", words(&answer.body))),
        }
    }
    Answer::Nothing("it cosigned another tree meanwhile".into())
}

/// Whether a cosignature was made about now, by the time that it says: seconds, before the signature itself.
fn is_about_now(line: &Signature, now: Timestamp) -> bool {
    let made = line.bytes.first_chunk().map(|seconds| u64::from_be_bytes(*seconds));
    let now = u64::try_from(now.as_secs()).ok();
    made.zip(now).is_some_and(|(made, now)| made.abs_diff(now) <= CLOCKS_APART_SECS)
}

/// The request's body, with the proof from `old` on.
async fn request(app: &App, note: &Note, size: u64, old: u64) -> Result<String> {
    let tiles = app
        .store
        .read("log.consistency", move |tx: &mut Tx| -> Result<_> {
            let mut tiles = HashMap::new();
            for address in prove::consistency_tiles(old, size) {
                if let Some(bytes) = tx.log_tile(address)? {
                    tiles.insert(address, bytes);
                }
            }
            Ok(tiles)
        })
        .await?;
    let proof = prove::consistency(old, size, |tile| Ok::<_, Infallible>(tiles.get(tile))).map_err(Error::internal_failure)?;
    Ok(witness::Request::new(old, proof, note.clone()).map_err(Error::internal_failure)?.to_string())
}

/// What a witness says, as far as it can be shown.
fn words(body: &[u8]) -> impl Display {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * WORDS_MAX_CHARS)]);
    text.chars().filter(|c| !c.is_control()).take(WORDS_MAX_CHARS).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosignature_of_another_day_is_not_of_now() {
        let now = Timestamp::from_micros(1_790_000_000_999_999);
        let made = |seconds: u64| {
            let bytes = seconds.to_be_bytes().into_iter().chain([7; 64]).collect();
            let key = fondaco_tlog::note::KeyName::parse("w.example").expect("a name");
            Signature { name: key, id: fondaco_tlog::note::KeyId([0; 4]), bytes }
        };
        for seconds in [1_790_000_000, 1_790_000_600, 1_789_999_400] {
            assert!(is_about_now(&made(seconds), now), "{seconds}");
        }
        for seconds in [0, 1_790_000_601, 1_789_999_399, 1_789_913_600, u64::MAX] {
            assert!(!is_about_now(&made(seconds), now), "{seconds}");
        }
        let short = Signature { bytes: vec![0; 7], ..made(0) };
        assert!(!is_about_now(&short, now) && !is_about_now(&short, Timestamp::from_micros(0)));
    }
}
