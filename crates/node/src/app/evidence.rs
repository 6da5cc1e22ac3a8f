//! Evidence: which events become leaves of the node's log, and what their documents say.
//!
//! Each is written in the transaction of what it witnesses. What others can cause without limit is summed first: refusals
//! of an hour under one rule are one leaf, and so is the usage of a day.

mod erase;
mod log;
mod refusals;
mod show;
mod usage;

pub(crate) use log::signed_at;
pub use log::{LogStatus, WitnessStatus, WitnessedStatus};
pub use refusals::Refusals;
pub use show::EvidenceAsked;
pub(super) use usage::{said_day, said_since};

use super::{App, agreements::own_of, agreements::peer_of, cause::Cause};
use fondaco_core::{
    Result, canonical,
    evidence::{Event, Kind},
    life::{Happened, Kind as LifeKind},
    negotiation::Role,
    participant::{Did, Participant, Slug},
    product::{Offer, Product},
    time::Timestamp,
    transfer::{State, Transfer},
};
use fondaco_store::{AgreementRow, KeyRow, Tx};
use serde::Serialize;
use serde_json::{Value, json};

/// A fact about which a leaf is written.
struct Fact<'a> {
    kind: Kind,
    at: Timestamp,
    peer: Option<&'a Did>,
    object: &'a str,
    agreement: Option<&'a str>,
    document: Value,
}

fn append(tx: &mut Tx, slug: &Slug, own: &Did, fact: Fact<'_>) -> Result<()> {
    let Fact { kind, at, peer, object, agreement, document } = fact;
    let event = Event { kind, at, own: own.to_string(), peer: peer.map(ToString::to_string), object: object.to_owned(), document };
    tx.log_append(Some(slug), agreement, event)?;
    Ok(())
}

impl App {
    /// The name of this node's log: its public address without the scheme, and `/log`.
    pub fn log_origin(&self) -> String {
        let url = self.config.public.url.as_str();
        let (_, rest) = url.split_once("://").unwrap_or(("", url));
        format!("{}/log", rest.trim_end_matches('/'))
    }

    /// A participant's own DID.
    fn own_did(&self, slug: &Slug) -> Result<Did> {
        Did::web(&self.config.public.url, slug)
    }

    /// A product version was published, under these offers.
    ///
    /// # Errors
    /// When the database fails.
    pub fn note_published(&self, tx: &mut Tx, product: &Product, offers: &[Offer]) -> Result<()> {
        let (own, id) = (self.own_did(&product.participant)?, product.reference.dataset_id());
        let content = fondaco_core::canonical::digest(&product.content);
        let mut document = json!({"product": id, "title": product.title, "productKind": product.kind, "contentSha256": content});
        if !product.derived_from.is_empty() {
            document["derivedFrom"] = json!(product.derived_from);
        }
        let at = product.created_at;
        let fact = Fact { kind: Kind::ProductPublished, at, peer: None, object: &id, agreement: None, document };
        append(tx, &product.participant, &own, fact)?;
        for offer in offers {
            let document = json!({"offer": offer.id, "product": id, "terms": offer.odrl});
            let object = offer.id.as_str();
            append(tx, &product.participant, &own, Fact { kind: Kind::OfferMade, at, peer: None, object, agreement: None, document })?;
        }
        Ok(())
    }

    /// A product version was withdrawn.
    ///
    /// # Errors
    /// When the database fails.
    pub fn note_withdrawn(&self, tx: &mut Tx, slug: &Slug, dataset: &str) -> Result<()> {
        let document = json!({"product": dataset, "cause": self.cause().to_json()});
        let fact = Fact { kind: Kind::ProductWithdrawn, at: self.now(), peer: None, object: dataset, agreement: None, document };
        append(tx, slug, &self.own_did(slug)?, fact)
    }

    /// A participant's key was made.
    ///
    /// # Errors
    /// When the database fails.
    pub fn note_key(&self, tx: &mut Tx, own: &Did, key: &KeyRow) -> Result<()> {
        let document = json!({"key": key.kid, "change": "made", "publicKey": key.public_jwk});
        let fact = Fact { kind: Kind::KeyChange, at: key.created_at, peer: None, object: &key.kid, agreement: None, document };
        append(tx, &key.participant, own, fact)
    }

    /// Somebody changed who may do what, or what is done of itself: an account, a token, a participant, rules, a connection.
    /// `what` is one of a few fixed words.
    ///
    /// # Errors
    /// When the database fails.
    pub fn note_administration(&self, tx: &mut Tx, slug: Option<&Slug>, what: &'static str, object: &str, detail: &Value) -> Result<()> {
        let own = match slug {
            Some(slug) => self.own_did(slug)?.to_string(),
            None => self.log_origin(),
        };
        let document = json!({"action": what, "object": object, "detail": detail, "cause": self.cause().to_json()});
        let event = Event { kind: Kind::Administration, at: self.now(), own, peer: None, object: object.to_owned(), document };
        tx.log_append(slug, None, event)?;
        Ok(())
    }
}

/// An agreement came into force. Both sides log the same document.
///
/// # Errors
/// When the database fails.
pub fn note_agreement(tx: &mut Tx, row: &AgreementRow) -> Result<()> {
    let id = row.agreement.id.as_str();
    let document = row.agreement.document.clone();
    let fact = Fact { kind: Kind::Agreement, at: row.created_at, peer: Some(peer_of(row)), object: id, agreement: Some(id), document };
    append(tx, &row.participant, own_of(row), fact)
}

/// Something became of an agreement; with its end also goes what was used of it.
///
/// # Errors
/// When the database fails.
pub fn note_life(tx: &mut Tx, row: &AgreementRow, happened: &Happened, cause: Option<&Cause>) -> Result<()> {
    let id = row.agreement.id.as_str();
    let over = matches!(happened.kind, LifeKind::Ended | LifeKind::Expired);
    if over && row.role == Role::Provider {
        usage::note(tx, row, happened.at)?;
    }
    let document = json!({
        "agreement": id, "what": happened.kind.as_str(), "by": happened.by, "at": happened.at, "endsAt": happened.ends_at,
        "reason": happened.reason, "cause": cause.map(Cause::to_json),
    });
    let kind = if over { Kind::AgreementEnded } else { Kind::Decision };
    let fact = Fact { kind, at: happened.at, peer: Some(peer_of(row)), object: id, agreement: Some(id), document };
    append(tx, &row.participant, own_of(row), fact)
}

/// A transfer reached a state.
///
/// # Errors
/// When the database fails.
pub fn note_transfer(tx: &mut Tx, t: &Transfer, by: Role, cause: Option<&Cause>) -> Result<()> {
    let (kind, ending) = match &t.state {
        State::Requested => return Ok(()),
        State::Started { .. } => (Kind::TransferStarted, None),
        State::Suspended { ending, .. } => (Kind::TransferSuspended, Some(ending)),
        State::Completed { .. } => (Kind::TransferEnded, None),
        State::Terminated { ending, .. } => (Kind::TransferEnded, Some(ending)),
    };
    let document = json!({
        "transfer": t.id, "agreement": t.agreement_id, "state": t.state.name(), "role": t.role, "by": by, "format": t.format,
        "code": ending.and_then(|e| e.code.as_deref()), "reasons": ending.map(|e| &e.reasons), "cause": cause.map(Cause::to_json),
    });
    let fact = Fact { kind, at: t.updated_at, peer: Some(&t.peer.did), object: t.id.as_str(), agreement: Some(&t.agreement_id), document };
    append(tx, &t.participant, &t.own_did, fact)
}

/// Most bytes of decision rules that a leaf's document holds: most have a few hundred, and a participant may write them for
/// a thousand others.
const RULES_MAX_BYTES: usize = 256 * 1024;

/// Decision rules, for the leaf of their change; of long ones the hash alone.
pub fn rules_detail(rules: &impl Serialize) -> Value {
    let Some(text) = canonical::to_canonical_json(rules) else { return json!({}) };
    let sha256 = canonical::sha256_hex(text.as_bytes());
    if text.len() > RULES_MAX_BYTES { json!({"sha256": sha256}) } else { json!({"sha256": sha256, "rules": rules}) }
}

/// A participant's details, for the leaf of its making.
pub fn participant_detail(participant: &Participant) -> Value {
    json!({"participant": participant.slug, "did": participant.did, "name": participant.name})
}
