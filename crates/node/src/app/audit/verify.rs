//! One bundle about one agreement, checked offline: by the key of the log that it must be of, and by who and what it must
//! be about. A rule over values.

use fondaco_core::{
    evidence::{Kind, Leaf, Opening},
    participant::Did,
    time::Timestamp,
};
use fondaco_tlog::{Hash, bundle::Bundle, note::VerifierKey};
use serde_json::Value;

/// Whose leaf about what is expected.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The key of the log.
    pub key: &'a VerifierKey,
    /// Whose evidence it is.
    pub own: &'a Did,
    /// The other party.
    pub peer: &'a Did,
    /// The agreement.
    pub agreement: &'a str,
}

/// A leaf that is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What happened.
    pub kind: Kind,
    /// When, by the clock of the log's node.
    pub at: Timestamp,
    /// Its place in the log.
    pub index: u64,
    /// Leaves of the tree it was proved in.
    pub size: u64,
    /// The root of that tree.
    pub root: Hash,
    /// SHA-256 (hex) of the document.
    pub document: String,
    /// What it is about, if it was opened; who the parties are was checked then.
    pub object: Option<String>,
}

/// Checks a bundle.
///
/// # Errors
/// Why it does not hold, as a sentence.
pub fn verify(text: &str, expected: Expected<'_>) -> Result<Held, String> {
    let sentence = |e: &dyn std::fmt::Display| format!("{}.", e.to_string().trim_end_matches('.'));
    let bundle = Bundle::parse(text.as_bytes()).map_err(|e| sentence(&e))?;
    if bundle.log != expected.key.to_string() {
        return Err("It is signed by another key than that of the log.".into());
    }
    let proven = bundle.verify(None).map_err(|e| sentence(&e))?;
    let leaf = Leaf::read(bundle.leaf.as_bytes()).map_err(|e| sentence(&e))?;
    let object = match &bundle.opening {
        None => None,
        Some(o) => {
            let secret = o.secret_bytes().ok_or("Its secret is not 32 bytes in hex.")?;
            leaf.check(Opening { own: &o.own, peer: o.peer.as_deref(), object: &o.object, document: &o.document, secret: &secret })
                .map_err(|e| sentence(&e))?;
            if o.own != expected.own.as_str() || o.peer.as_deref() != Some(expected.peer.as_str()) {
                return Err("It is about other parties.".into());
            }
            if !is_about(&leaf, &o.object, &o.document, expected.agreement) {
                return Err("It is about another agreement.".into());
            }
            Some(o.object.clone())
        }
    };
    Ok(Held {
        kind: leaf.kind,
        at: leaf.at,
        index: proven.index,
        size: proven.checkpoint.size,
        root: proven.checkpoint.root,
        document: leaf.document,
        object,
    })
}

/// The agreement itself, or a document that says which agreement it belongs to.
fn is_about(leaf: &Leaf, object: &str, document: &str, agreement: &str) -> bool {
    if leaf.kind == Kind::Agreement {
        return object == agreement;
    }
    let said = serde_json::from_str::<Value>(document).ok();
    said.as_ref().and_then(|d| d.get("agreement")).and_then(Value::as_str) == Some(agreement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_core::{
        entropy::SeededEntropy,
        evidence::{Event, record},
    };
    use fondaco_tlog::{
        Checkpoint,
        bundle::Opening as Opened,
        leaf_hash,
        note::{KeyName, SigningKey},
        proof::Proof,
    };
    use serde_json::json;

    fn did(name: &str) -> Did {
        Did::parse(&format!("did:web:{name}.example:p:{name}")).expect("a DID")
    }

    fn log(seed: u8) -> SigningKey {
        SigningKey::from_seed(KeyName::parse("b.example/log").expect("a name"), &[seed; 32]).expect("a key")
    }

    /// The bundle of the only leaf of a log.
    fn bundle(key: &SigningKey, event: Event) -> Bundle {
        let (own, peer, object) = (event.own.clone(), event.peer.clone(), event.object.clone());
        let made = record(event, &SeededEntropy::new(7)).expect("a leaf");
        let checkpoint = Checkpoint::new("b.example/log", 1, leaf_hash(made.entry.as_bytes())).expect("good");
        let proof = Proof { extra: None, index: 0, hashes: Vec::new(), checkpoint: checkpoint.sign(key).expect("signs") };
        let opening = Opened { own, peer, object, document: made.document, secret: hex::encode(made.secret) };
        Bundle::new(made.entry, Some(opening), &proof, key.verifier(), &[])
    }

    fn event(kind: Kind, object: &str, document: Value) -> Event {
        Event {
            kind,
            at: Timestamp::from_micros(1_795_000_000_000_000),
            own: did("b").to_string(),
            peer: Some(did("a").to_string()),
            object: object.into(),
            document,
        }
    }

    fn check(bundle: &Bundle) -> Result<Held, String> {
        let (key, own, peer) = (log(1), did("b"), did("a"));
        verify(&bundle.print().expect("prints"), Expected { key: key.verifier(), own: &own, peer: &peer, agreement: "agr_1" })
    }

    #[test]
    fn what_is_about_the_agreement_holds() {
        let agreement = bundle(&log(1), event(Kind::Agreement, "agr_1", json!({"@id": "agr_1"})));
        let held = check(&agreement).expect("holds");
        assert_eq!((held.kind, held.index, held.size, held.object.as_deref()), (Kind::Agreement, 0, 1, Some("agr_1")));
        assert_eq!(held.document, fondaco_core::canonical::digest(&json!({"@id": "agr_1"})).expect("a digest"));
        let transfer = bundle(&log(1), event(Kind::TransferStarted, "tra_1", json!({"agreement": "agr_1", "transfer": "tra_1"})));
        assert_eq!(check(&transfer).expect("holds").object.as_deref(), Some("tra_1"));
        let closed = Bundle { opening: None, ..transfer };
        assert_eq!(check(&closed).map(|held| held.object), Ok(None), "it is in the log; nobody says what it is about");
    }

    #[test]
    fn what_is_not_is_refused() {
        let good = || event(Kind::Agreement, "agr_1", json!({"@id": "agr_1"}));
        let refused = |bundle: &Bundle, why: &str| {
            let said = check(bundle).expect_err(why);
            assert!(said.contains(why) && said.ends_with('.'), "{said}");
        };
        refused(&bundle(&log(2), good()), "another key");
        refused(&bundle(&log(1), Event { own: did("c").to_string(), ..good() }), "other parties");
        refused(&bundle(&log(1), Event { peer: Some(did("c").to_string()), ..good() }), "other parties");
        refused(&bundle(&log(1), Event { peer: None, ..good() }), "other parties");
        refused(&bundle(&log(1), event(Kind::Agreement, "agr_2", json!({"@id": "agr_1"}))), "another agreement");
        refused(&bundle(&log(1), event(Kind::TransferStarted, "agr_1", json!({"agreement": "agr_2"}))), "another agreement");
        refused(&bundle(&log(1), event(Kind::Usage, "agr_1", json!({"reads": 1}))), "another agreement");
        let fine = bundle(&log(1), good());
        let mut opening = fine.opening.clone().expect("opened");
        opening.document = "{\"@id\":\"agr_1\",\"more\":1}".into();
        refused(&Bundle { opening: Some(opening), ..fine.clone() }, "document");
        refused(&Bundle { leaf: fine.leaf.replace("agreement", "usage"), ..fine }, ".");
        let (key, own, peer) = (log(1), did("b"), did("a"));
        let expected = Expected { key: key.verifier(), own: &own, peer: &peer, agreement: "agr_1" };
        for text in ["", "null", "{}", "[1]"] {
            assert!(verify(text, expected).is_err());
        }
    }
}
