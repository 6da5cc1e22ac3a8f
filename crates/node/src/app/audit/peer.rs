//! Asks the other party of an agreement for its evidence, and checks every piece of it by the key of its log.

use super::{
    gathered::{Gathered, Page},
    timeline::{Finding, TimelineLeaf},
    verify::Expected,
};
use crate::{
    app::App,
    files::seal::blocking,
    log::policy,
    net::client::{ANSWER_MAX_BYTES, OutRequest},
};
use fondaco_core::{
    Code, Error, Result,
    ids::JobId,
    participant::{Declarations, Did, Participant, Slug},
};
use fondaco_store::{LogKeyUse, PeerLogRow, Tx};
use fondaco_tlog::{Checkpoint, Hash, Note, note::VerifierKey};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use std::{future::Future, pin::Pin, time::Duration};
use tokio::time::{Sleep, sleep};

/// Largest page read: [`super::give::PAGE_BYTES`] and one bundle of the largest size, both escaped as text in JSON.
pub(super) const PAGE_MAX_BYTES: u64 = ANSWER_MAX_BYTES;
/// Pages asked for: enough for [`super::gathered::LEAVES_MAX`] with pages that a few large bundles cut short.
const PAGES_MAX: usize = 40;
/// How long the other side may take for all of it: somebody waits for the answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest text of a cursor.
const CURSOR_MAX_CHARS: usize = 200;

/// A page as the other side gives it.
#[derive(Deserialize)]
struct Given {
    bundles: Vec<String>,
    #[serde(default)]
    next: Option<String>,
}

/// What the other side gave.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerEvidence {
    /// The key that its log is checked by, and since when it is relied on; none where no key of it is kept.
    pub(super) key: Option<PeerLogRow>,
    /// Its leaves.
    pub(super) leaves: Vec<TimelineLeaf>,
    /// What is wrong.
    pub(super) findings: Vec<Finding>,
}

/// What this node knows of a peer's log by itself.
struct Known {
    /// The key that is relied on.
    key: Option<PeerLogRow>,
    /// The witnesses that are asked here, and this node as one.
    witnesses: Vec<VerifierKey>,
    /// The last tree that this node has cosigned of the log whose key is relied on, or else announced.
    cosigned: Option<(u64, Hash)>,
}

impl Known {
    fn of(tx: &mut Tx, slug: &Slug, peer: &Did, announced: Option<&VerifierKey>) -> Result<Self> {
        let mut witnesses: Vec<VerifierKey> = policy::load(tx)?.iter().flat_map(|p| p.policy.witnesses()).map(|w| w.key.clone()).collect();
        witnesses.extend(tx.log_key(LogKeyUse::Witness)?.and_then(|key| key.vkey.parse().ok()));
        let key = tx.peer_log(slug, peer)?;
        let kept = key.as_ref().map(|kept| kept.vkey.parse::<VerifierKey>()).transpose().map_err(Error::internal_failure)?;
        let cosigned = match kept.as_ref().or(announced) {
            Some(log) => tx.witnessed_checkpoint(log.name().as_str())?.as_deref().map(tree_of).transpose()?.filter(|(size, _)| *size > 0),
            None => None,
        };
        Ok(Self { key, witnesses, cosigned })
    }
}

/// The tree of a checkpoint that this node has cosigned.
fn tree_of(checkpoint: &str) -> Result<(u64, Hash)> {
    let note = Note::parse(checkpoint.as_bytes()).map_err(Error::internal_failure)?;
    let tree = Checkpoint::parse(note.text()).map_err(Error::internal_failure)?;
    Ok((tree.size, tree.root))
}

impl App {
    /// The other party's evidence of an agreement, checked. That there is none, or that it does not hold, is part of the
    /// answer. Nothing is stored.
    ///
    /// # Errors
    /// Our own failures only.
    pub(super) async fn evidence_of_peer(&self, us: &Participant, own: &Did, peer: &Did, agreement: &str) -> Result<PeerEvidence> {
        let mut found = PeerEvidence::default();
        let announced = match self.resolver.resolve(peer).await {
            Ok(document) => document.log_key().map(str::to_owned),
            Err(e) => {
                found.findings.push(Finding::NoAnswer { why: e.message().to_owned() });
                return Ok(found);
            }
        };
        let (slug, did, usable) = (us.slug.clone(), peer.clone(), usable(announced.as_deref()));
        let named = usable.clone();
        let known = self.store.read("evidence.peer_known", move |tx| Known::of(tx, &slug, &did, named.as_ref())).await?;
        let key: VerifierKey = match (&known.key, usable) {
            (Some(kept), _) => {
                found.findings.extend(changed(&kept.vkey, announced.as_deref()));
                kept.vkey.parse().map_err(Error::internal_failure)?
            }
            (None, Some(key)) => {
                found.findings.push(Finding::KeyUnknown { announced: key.to_string() });
                key
            }
            (None, None) => {
                found.findings.push(Finding::NoLog);
                return Ok(found);
            }
        };
        found.key = known.key;
        let vkey = key.to_string();
        let expected =
            Expected { keys: vec![key], own: peer.clone(), peer: own.clone(), agreement: agreement.to_owned(), witnesses: known.witnesses };
        let mut gathered = Gathered::beside(known.cosigned);
        let complete = self.gather(us, &expected, &mut gathered).await;
        let Gathered { leaves, findings, .. } = gathered;
        if findings.iter().any(|f| matches!(f, Finding::DoesNotHold { .. })) && found.findings.is_empty() {
            // The document may be an older one than the bundles are: perhaps the key was changed since.
            let newer = self.resolver.refresh(peer).await.ok();
            found.findings.extend(changed(&vkey, newer.as_ref().and_then(|document| document.log_key())));
        }
        found.leaves = leaves;
        found.findings.extend(findings);
        match complete {
            Ok(true) => {}
            Ok(false) => found.findings.push(Finding::TooMany),
            Err(e) if e.code() == Code::Internal => return Err(e),
            // What it gave before stands.
            Err(e) => found.findings.push(Finding::NoAnswer { why: e.message().to_owned() }),
        }
        Ok(found)
    }

    /// Keeps the key of a peer's log, if it announces one and none is kept, and ends the job that was to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn peer_log_learn(&self, slug: &Slug, peer: &Did, announced: Option<&str>, job: &JobId) -> Result<()> {
        let (slug, peer, job) = (slug.clone(), peer.clone(), job.clone());
        let key = usable(announced).map(|key| key.to_string());
        self.store
            .tx("evidence.peer_key_keep", move |tx| -> Result<()> {
                if let Some(key) = key {
                    tx.peer_log_keep(&slug, &peer, &key)?;
                }
                tx.job_finish(&job)?;
                Ok(())
            })
            .await
    }

    /// Relies on another key for a peer's log from now on.
    ///
    /// # Errors
    /// [`Code::Invalid`] for what is no key; [`Code::DidInvalid`].
    pub async fn peer_key_take(&self, slug: &Slug, peer: &str, vkey: &str) -> Result<PeerLogRow> {
        let (app, owner, did) = (self.clone(), slug.clone(), Did::parse(peer)?);
        let key: VerifierKey = vkey.parse().map_err(|e| Error::invalid(format!("This is no key of a log: {e}.")))?;
        self.store
            .tx("evidence.peer_key_take", move |tx| -> Result<_> {
                tx.peer_log_take(&owner, &did, &key.to_string())?;
                app.note_administration(tx, Some(&owner), "peer-log-trusted", did.as_str(), &json!({"key": key.to_string()}))?;
                tx.peer_log(&owner, &did)?.ok_or_else(|| Error::internal_failure("a peer's key was not kept"))
            })
            .await
    }

    /// Asks the other side page by page, and checks each before the next is asked for; whether that is all it has.
    async fn gather(&self, us: &Participant, expected: &Expected, gathered: &mut Gathered) -> Result<bool> {
        let patience = sleep(PATIENCE);
        tokio::pin!(patience);
        let address = within(patience.as_mut(), self.evidence_address(expected)).await?;
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let given = within(patience.as_mut(), self.evidence_page(us, expected, &address, after.as_deref())).await?;
            // Off the threads that answer: a page of the largest size is many signatures.
            let (mut all, by) = (std::mem::take(gathered), expected.clone());
            let Given { bundles, next } = given;
            let checked = blocking(move || {
                let page = all.take(&bundles, &by);
                (all, page)
            });
            let page;
            (*gathered, page) = checked.await?;
            after = next.filter(|next| !next.is_empty() && next.len() <= CURSOR_MAX_CHARS);
            if page != Page::More || after.is_none() {
                return Ok(page != Page::TooMuch && after.is_none());
            }
        }
        Ok(false)
    }

    /// Where the other side gives its evidence.
    async fn evidence_address(&self, expected: &Expected) -> Result<String> {
        let remote = self.find_remote(expected.own.as_str()).await?;
        let protocol = format!("/dsp/{}", fondaco_dsp::VERSION);
        let base = remote.dsp.strip_suffix(&protocol).ok_or_else(|| {
            Error::new(Code::PeerAnsweredBadly, "The other side runs another program, which gives no evidence to this one.")
        })?;
        Ok(format!("{base}/evidence/{}", utf8_percent_encode(&expected.agreement, NON_ALPHANUMERIC)))
    }

    async fn evidence_page(&self, us: &Participant, expected: &Expected, address: &str, after: Option<&str>) -> Result<Given> {
        let mut url = self.url(address)?;
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after", after);
        }
        let authorization = self.authorization(&us.slug, &expected.peer, &expected.own, &Declarations::default()).await?;
        let request = OutRequest::get(url).with_authorization(&authorization)?.with_limit(PAGE_MAX_BYTES);
        let answer = self.outbound.send(request).await?;
        if !answer.status.is_success() {
            let words = format!("It answered {} when it was asked for its evidence.", answer.status.as_u16());
            return Err(Error::new(Code::PeerAnsweredBadly, words));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|e| Error::new(Code::PeerAnsweredBadly, "Its answer is no page of evidence.").with_internal(e))
    }
}

/// What somebody else does, if it is done before our patience runs out.
async fn within<T>(patience: Pin<&mut Sleep>, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        done = work => done,
        () = patience => Err(Error::new(Code::PeerUnreachable, "It took too long to answer.")),
    }
}

/// What is announced, if it is a key: what is none is as good as nothing.
fn usable(announced: Option<&str>) -> Option<VerifierKey> {
    announced.and_then(|key| key.parse().ok())
}

/// That the peer names another key than the one that is relied on.
fn changed(kept: &str, announced: Option<&str>) -> Option<Finding> {
    let announced = announced.filter(|key| *key != kept)?;
    Some(Finding::KeyChanged { kept: kept.to_owned(), announced: announced.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_key_is_a_change() {
        assert_eq!(changed("a", Some("a")), None);
        assert_eq!(changed("a", None), None, "that none is named any more does not make the kept one wrong");
        assert_eq!(changed("a", Some("b")), Some(Finding::KeyChanged { kept: "a".into(), announced: "b".into() }));
        assert_eq!(usable(Some("no key")), None);
    }
}
