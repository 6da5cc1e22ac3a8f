//! Asks the other party of an agreement for its evidence, and checks every piece of it by the key of its log.

use super::{
    timeline::{Finding, Outcome, Side, TimelineLeaf},
    verify::{Expected, Held, verify},
};
use crate::{
    app::App,
    net::client::{ANSWER_MAX_BYTES, OutRequest},
};
use fondaco_core::{
    Code, Error, Result,
    participant::{Declarations, Did, Participant, Slug},
};
use fondaco_store::PeerLogRow;
use fondaco_tlog::{Hash, note::VerifierKey};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

/// Largest page read: [`super::give::PAGE_BYTES`] and one bundle of the largest size, both escaped as text in JSON.
pub(super) const PAGE_MAX_BYTES: u64 = ANSWER_MAX_BYTES;
/// Leaves of one side that are shown: an agreement with a transfer a week, or a leaf about usage each day, has fewer in a
/// year.
pub(super) const LEAVES_MAX: usize = 500;
/// Pages asked for: enough for [`LEAVES_MAX`] with pages that a few large bundles cut short.
const PAGES_MAX: usize = 40;
/// How long all of it may take: somebody waits for the answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bundles told that do not hold: the first few say what is wrong.
const REFUSED_TOLD: usize = 20;
/// Longest text of a cursor.
const CURSOR_MAX_CHARS: usize = 200;

/// A page as the other side gives it.
#[derive(Deserialize)]
struct Page {
    bundles: Vec<String>,
    #[serde(default)]
    next: Option<String>,
}

/// What the other side gave.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerEvidence {
    /// The key that its log is checked by, and since when it is relied on.
    pub(super) key: Option<PeerLogRow>,
    /// Its leaves.
    pub(super) leaves: Vec<TimelineLeaf>,
    /// What is wrong.
    pub(super) findings: Vec<Finding>,
}

impl App {
    /// The other party's evidence of an agreement, checked. That there is none, or that it does not hold, is part of the
    /// answer.
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
        let Some(kept) = self.peer_key(&us.slug, peer, announced.as_deref()).await? else {
            found.findings.push(Finding::NoLog);
            return Ok(found);
        };
        found.findings.extend(changed(&kept.vkey, announced.as_deref()));
        let key: VerifierKey = kept.vkey.parse().map_err(Error::internal_failure)?;
        found.key = Some(kept);
        let expected = Expected { key: &key, own: peer, peer: own, agreement };
        match tokio::time::timeout(PATIENCE, self.bundles_of_peer(us, own, peer, agreement)).await {
            Ok(Ok((texts, complete))) => {
                let (leaves, findings) = checked(&texts, expected);
                if !findings.is_empty() && found.findings.is_empty() {
                    // The document may be an older one than the bundles are: perhaps the key was changed since.
                    let newer = self.resolver.refresh(peer).await.ok();
                    found.findings.extend(changed(&expected.key.to_string(), newer.as_ref().and_then(|document| document.log_key())));
                }
                found.leaves = leaves;
                found.findings.extend(findings);
                if !complete {
                    found.findings.push(Finding::TooMany);
                }
            }
            Ok(Err(e)) if e.code() == Code::Internal => return Err(e),
            Ok(Err(e)) => found.findings.push(Finding::NoAnswer { why: e.message().to_owned() }),
            Err(_) => found.findings.push(Finding::NoAnswer { why: "It took too long to answer.".into() }),
        }
        Ok(found)
    }

    /// The key that a peer's log is checked by: the one that was seen first.
    async fn peer_key(&self, slug: &Slug, peer: &Did, announced: Option<&str>) -> Result<Option<PeerLogRow>> {
        let (owner, did) = (slug.clone(), peer.clone());
        let kept = self.store.read("evidence.peer_key", move |tx| -> Result<_> { Ok(tx.peer_log(&owner, &did)?) }).await?;
        // What is no key is as good as none.
        let usable = announced.filter(|key| key.parse::<VerifierKey>().is_ok()).map(str::to_owned);
        match (kept, usable) {
            (Some(kept), _) => Ok(Some(kept)),
            (None, None) => Ok(None),
            (None, Some(vkey)) => {
                let (owner, did) = (slug.clone(), peer.clone());
                let keep = move |tx: &mut fondaco_store::Tx| -> Result<_> { Ok(tx.peer_log_keep(&owner, &did, &vkey)?) };
                self.store.tx("evidence.peer_key_keep", keep).await.map(Some)
            }
        }
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

    /// The texts that the other side gives, and whether they are all.
    async fn bundles_of_peer(&self, us: &Participant, own: &Did, peer: &Did, agreement: &str) -> Result<(Vec<String>, bool)> {
        let remote = self.remote(us, peer.as_str()).await?;
        let protocol = format!("/dsp/{}", fondaco_dsp::VERSION);
        let base = remote.dsp.strip_suffix(&protocol).ok_or_else(|| {
            Error::new(Code::PeerAnsweredBadly, "The other side runs another program, which gives no evidence to this one.")
        })?;
        let address = format!("{base}/evidence/{}", utf8_percent_encode(agreement, NON_ALPHANUMERIC));
        let (mut texts, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let mut url = self.url(&address)?;
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after", after);
            }
            let authorization = self.authorization(&us.slug, own, peer, &Declarations::default()).await?;
            let request = OutRequest::get(url).with_authorization(&authorization)?.with_limit(PAGE_MAX_BYTES);
            let answer = self.outbound.send(request).await?;
            if !answer.status.is_success() {
                let words = format!("It answered {} when it was asked for its evidence.", answer.status.as_u16());
                return Err(Error::new(Code::PeerAnsweredBadly, words));
            }
            let page: Page = serde_json::from_slice(&answer.body)
                .map_err(|e| Error::new(Code::PeerAnsweredBadly, "Its answer is no page of evidence.").with_internal(e))?;
            let room = LEAVES_MAX - texts.len();
            let cut = page.bundles.len() > room;
            texts.extend(page.bundles.into_iter().take(room));
            after = page.next.filter(|next| !next.is_empty() && next.len() <= CURSOR_MAX_CHARS);
            if cut || after.is_none() || texts.len() == LEAVES_MAX {
                return Ok((texts, !cut && after.is_none()));
            }
        }
        Ok((texts, false))
    }
}

/// That the peer names another key than the one that is relied on.
fn changed(kept: &str, announced: Option<&str>) -> Option<Finding> {
    let announced = announced.filter(|key| *key != kept)?;
    Some(Finding::KeyChanged { kept: kept.to_owned(), announced: announced.to_owned() })
}

/// Checks what was given: each by itself, and all of them together.
fn checked(texts: &[String], expected: Expected<'_>) -> (Vec<TimelineLeaf>, Vec<Finding>) {
    let (mut leaves, mut findings, mut refused) = (Vec::new(), Vec::new(), 0);
    // Each index has one leaf, and each size of the log one root.
    let (mut places, mut roots): (BTreeMap<u64, String>, BTreeMap<u64, Hash>) = (BTreeMap::new(), BTreeMap::new());
    for text in texts {
        let held = match verify(text, expected) {
            Ok(held) => held,
            Err(why) => {
                refused += 1;
                if refused <= REFUSED_TOLD {
                    findings.push(Finding::DoesNotHold { why });
                }
                continue;
            }
        };
        if *roots.entry(held.size).or_insert(held.root) != held.root && !findings.contains(&Finding::Forked { size: held.size }) {
            findings.push(Finding::Forked { size: held.size });
        }
        // The same leaf twice says nothing new.
        if places.insert(held.index, held.document.clone()).is_none() {
            leaves.push(shown(held));
        }
    }
    (leaves, findings)
}

fn shown(held: Held) -> TimelineLeaf {
    TimelineLeaf {
        side: Side::Theirs,
        kind: held.kind,
        at: held.at,
        outcome: if held.object.is_some() { Outcome::Verified } else { Outcome::Closed },
        why: None,
        leaf_index: Some(held.index),
        size: Some(held.size),
        object: held.object,
        document: held.document,
        evidence: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_key_is_a_change() {
        assert_eq!(changed("a", Some("a")), None);
        assert_eq!(changed("a", None), None, "that none is named any more does not make the kept one wrong");
        assert_eq!(changed("a", Some("b")), Some(Finding::KeyChanged { kept: "a".into(), announced: "b".into() }));
    }

    #[test]
    fn what_is_no_bundle_is_told_a_few_times_and_shown_never() {
        let (own, peer) = (Did::parse("did:web:b").expect("a DID"), Did::parse("did:web:a").expect("a DID"));
        let key = fondaco_tlog::note::SigningKey::from_seed(fondaco_tlog::note::KeyName::parse("b.example/log").expect("a name"), &[1; 32]);
        let key = key.expect("a key");
        let texts = vec!["{}".to_owned(); REFUSED_TOLD + 5];
        let (leaves, findings) = checked(&texts, Expected { key: key.verifier(), own: &own, peer: &peer, agreement: "agr_1" });
        assert!(leaves.is_empty());
        assert_eq!(findings.len(), REFUSED_TOLD);
        assert!(findings.iter().all(|f| f.name() == "does-not-hold"));
    }
}
