//! Evidence: what a leaf of the node's transparency log says, and what stays with the parties so that they can open it.
//!
//! A leaf names nobody and quotes nothing. It holds the kind of event, its time, salted commitments to the two parties and
//! to the object, and the hash of the document that says the rest. Document and secret stay beside the log, with the
//! participant whose event it is: showing them opens the leaf, erasing them leaves a proof that something happened and
//! nothing else.
//!
//! - Leaf: canonical JSON (RFC 8785), see [`Leaf`].
//! - Salt of a field: SHA-256 over `fondaco/salt/v1`, 0x00, the field's name, 0x00, the leaf's secret of 32 bytes. So one
//!   field can be opened without the others.
//! - Commitment: SHA-256 over `fondaco/commitment/v1`, 0x00, the field's name, 0x00, the salt of 32 bytes, the value.
//! - Document hash: SHA-256 over the document's RFC 8785 bytes. An agreement is hashed as it was signed, so its hash is
//!   the same in the logs of both parties; any other document carries a salt of its own as a member, because a short one
//!   could be guessed from its hash.

pub mod complete;
mod kind;

pub use kind::Kind;

use crate::{
    canonical,
    entropy::Entropy,
    error::{Error, Result},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The form of a leaf. Another one is another format; what is in a log cannot be changed.
pub const FORMAT: &str = "fondaco-leaf/1";
/// Largest leaf: each field has a fixed size, so this only bounds what is read. A log of the C2SP's kind allows 65,535.
pub const LEAF_MAX_BYTES: usize = 2_048;
/// Largest document: an agreement travels in a message of the Dataspace Protocol, which has 1 MiB.
pub const DOCUMENT_MAX_BYTES: usize = 1024 * 1024;
/// Bytes of a leaf's secret: as many as its hashes have.
pub const SECRET_BYTES: usize = 32;
/// The member that keeps a document from being guessed.
pub const DOCUMENT_SALT: &str = "salt";

const SALT_DOMAIN: &[u8] = b"fondaco/salt/v1";
const COMMITMENT_DOMAIN: &[u8] = b"fondaco/commitment/v1";

/// What is known of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// When.
    pub at: Timestamp,
    /// Whose log this is: the participant's DID.
    pub own: String,
    /// The other party, if there is one.
    pub peer: Option<String>,
    /// What it is about: an agreement, a transfer, a product version, an account.
    pub object: String,
    /// All there is to say: a JSON object.
    pub document: Value,
}

/// A leaf, as it is hashed into the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// [`FORMAT`].
    pub format: String,
    /// What happened.
    pub kind: Kind,
    /// When.
    pub at: Timestamp,
    /// Commitment to the participant.
    pub own: String,
    /// Commitment to the other party.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Commitment to the object.
    pub object: String,
    /// SHA-256 (hex) of the document.
    pub document: String,
}

/// A leaf to append, and what to keep beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The leaf: its bytes in the log.
    pub entry: String,
    /// The document: RFC 8785 bytes.
    pub document: String,
    /// What opens the leaf's commitments.
    pub secret: [u8; SECRET_BYTES],
}

/// What somebody says a leaf is about, with what is to prove it.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The participant's DID.
    pub own: &'a str,
    /// The other party's.
    pub peer: Option<&'a str>,
    /// What it is about.
    pub object: &'a str,
    /// The document's bytes.
    pub document: &'a str,
    /// The leaf's secret.
    pub secret: &'a [u8; SECRET_BYTES],
}

/// The salt of one field.
pub fn salt(field: &str, secret: &[u8; SECRET_BYTES]) -> [u8; 32] {
    let hash = Sha256::new().chain_update(SALT_DOMAIN).chain_update([0]).chain_update(field).chain_update([0]).chain_update(secret);
    hash.finalize().into()
}

/// The commitment (hex) to the value of one field, by its salt.
pub fn commitment(field: &str, salt: &[u8; 32], value: &str) -> String {
    let hash = Sha256::new().chain_update(COMMITMENT_DOMAIN).chain_update([0]).chain_update(field).chain_update([0]);
    hex::encode(hash.chain_update(salt).chain_update(value).finalize())
}

fn committed(field: &str, secret: &[u8; SECRET_BYTES], value: &str) -> String {
    commitment(field, &salt(field, secret), value)
}

/// Makes the leaf of an event.
///
/// # Errors
/// When the document is no JSON object, has a member named [`DOCUMENT_SALT`], or is beyond [`DOCUMENT_MAX_BYTES`].
pub fn record(event: Event, entropy: &dyn Entropy) -> Result<Record> {
    let mut secret = [0; SECRET_BYTES];
    entropy.fill(&mut secret);
    record_with(event, secret)
}

fn record_with(event: Event, secret: [u8; SECRET_BYTES]) -> Result<Record> {
    let Event { kind, at, own, peer, object, mut document } = event;
    let members = document.as_object_mut().ok_or_else(|| Error::invalid("A document of evidence is a JSON object."))?;
    if !kind.is_shared() {
        let salt = hex::encode(salt(DOCUMENT_SALT, &secret));
        if members.insert(DOCUMENT_SALT.into(), salt.into()).is_some() {
            return Err(Error::invalid(format!("A document of evidence has no member \"{DOCUMENT_SALT}\" of its own.")));
        }
    }
    let document = canonical::to_canonical_json(&document).ok_or_else(|| Error::invalid("The document is not canonical JSON."))?;
    if document.len() > DOCUMENT_MAX_BYTES {
        return Err(Error::invalid(format!("A document of evidence has at most {DOCUMENT_MAX_BYTES} bytes.")));
    }
    let leaf = Leaf {
        format: FORMAT.into(),
        kind,
        at,
        own: committed("own", &secret, &own),
        peer: peer.as_deref().map(|peer| committed("peer", &secret, peer)),
        object: committed("object", &secret, &object),
        document: canonical::sha256_hex(document.as_bytes()),
    };
    let entry = canonical::to_canonical_json(&leaf).ok_or_else(|| Error::internal_failure("a leaf is not canonical JSON"))?;
    Ok(Record { entry, document, secret })
}

impl Leaf {
    /// Reads a leaf of a log, ours or another's.
    ///
    /// # Errors
    /// When it is too long, of another format, or not in its one canonical form.
    pub fn read(entry: &[u8]) -> Result<Self> {
        if entry.len() > LEAF_MAX_BYTES {
            return Err(Error::invalid(format!("A leaf has at most {LEAF_MAX_BYTES} bytes.")));
        }
        let leaf: Self = serde_json::from_slice(entry).map_err(|e| Error::invalid(format!("The leaf cannot be read: {e}.")))?;
        if leaf.format != FORMAT {
            return Err(Error::invalid("The leaf is of a format that this program does not know."));
        }
        if canonical::to_canonical_json(&leaf).is_none_or(|text| text.as_bytes() != entry) {
            return Err(Error::invalid("The leaf is not canonical JSON."));
        }
        Ok(leaf)
    }

    /// Checks that the leaf is about what an opening says.
    ///
    /// # Errors
    /// Which part does not fit.
    pub fn check(&self, opening: Opening<'_>) -> Result<()> {
        let Opening { own, peer, object, document, secret } = opening;
        let wrong = |what: &str| Err(Error::invalid(format!("The {what} is not the one the leaf commits to.")));
        if self.own != committed("own", secret, own) {
            return wrong("participant");
        }
        if self.peer != peer.map(|peer| committed("peer", secret, peer)) {
            return wrong("other party");
        }
        if self.object != committed("object", secret, object) {
            return wrong("object");
        }
        if self.document != canonical::sha256_hex(document.as_bytes()) {
            return wrong("document");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
