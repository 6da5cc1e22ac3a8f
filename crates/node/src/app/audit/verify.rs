//! One bundle about one agreement, checked offline: by the key of the log that it must be of, and by who and what it must
//! be about. A rule over values.

use crate::log::opened::{opened, sentence};
use fondaco_core::{
    evidence::{Kind, Leaf},
    participant::Did,
    time::Timestamp,
};
use fondaco_tlog::{Hash, bundle::Bundle, leaf_hash, note::VerifierKey};
use serde_json::Value;

/// Whose leaf about what is expected.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The keys of the log: the one that signs, and those before it.
    pub keys: Vec<VerifierKey>,
    /// Whose evidence it is.
    pub own: Did,
    /// The other party.
    pub peer: Did,
    /// The agreement.
    pub agreement: String,
    /// The keys of the witnesses that are known here: what others have cosigned says nothing.
    pub witnesses: Vec<VerifierKey>,
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
    /// What stands there.
    pub leaf: Hash,
    /// Leaves of the tree it was proved in.
    pub size: u64,
    /// The root of that tree.
    pub root: Hash,
    /// SHA-256 (hex) of the document.
    pub document: String,
    /// What it is about, if it was opened; who the parties are was checked then.
    pub object: Option<String>,
    /// The names of the witnesses known here that have cosigned that tree.
    pub witnesses: Vec<String>,
}

/// Checks a bundle.
///
/// # Errors
/// Why it does not hold, as a sentence.
pub fn verify(text: &str, expected: &Expected) -> Result<Held, String> {
    let bundle = Bundle::parse(text.as_bytes()).map_err(|e| sentence(&e))?;
    if !expected.keys.iter().any(|key| bundle.log == key.to_string()) {
        return Err("It is signed by another key than that of the log.".into());
    }
    let (proven, leaf) = opened(&bundle, None)?;
    let known = |key: &VerifierKey| expected.witnesses.contains(key);
    let object = match &bundle.opening {
        None => None,
        Some(o) => {
            if o.own != expected.own.as_str() || o.peer.as_deref() != Some(expected.peer.as_str()) {
                return Err("It is about other parties.".into());
            }
            if !is_about(&leaf, &o.object, &o.document, &expected.agreement) {
                return Err("It is about another agreement.".into());
            }
            Some(o.object.clone())
        }
    };
    Ok(Held {
        kind: leaf.kind,
        at: leaf.at,
        index: proven.index,
        leaf: leaf_hash(bundle.leaf.as_bytes()),
        size: proven.checkpoint.size,
        root: proven.checkpoint.root,
        document: leaf.document,
        object,
        witnesses: proven.witnesses.iter().filter(|(key, _)| known(key)).map(|(key, _)| key.name().to_string()).collect(),
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
pub(super) mod tests {
    use super::*;
    use fondaco_core::{
        entropy::SeededEntropy,
        evidence::{Event, record},
    };
    use fondaco_tlog::{
        Checkpoint, Edge,
        bundle::Opening as Opened,
        cosignature::CosigningKey,
        note::{KeyName, SigningKey},
        proof::Proof,
        prove,
    };
    use serde_json::json;
    use std::{collections::HashMap, convert::Infallible};

    fn did(name: &str) -> Did {
        Did::parse(&format!("did:web:{name}.example:p:{name}")).expect("a DID")
    }

    pub(in super::super) fn log(seed: u8) -> SigningKey {
        SigningKey::from_seed(KeyName::parse("b.example/log").expect("a name"), &[seed; 32]).expect("a key")
    }

    fn witness() -> CosigningKey {
        CosigningKey::from_seed(KeyName::parse("w.example").expect("a name"), &[9; 32]).expect("a key")
    }

    /// The bundles of a log of these leaves, with a witness's cosignature if it has one.
    pub(in super::super) fn bundles(key: &SigningKey, cosigned: Option<&CosigningKey>, events: Vec<Event>) -> Vec<Bundle> {
        let made: Vec<_> = events.into_iter().map(|e| (e.clone(), record(e, &SeededEntropy::new(7)).expect("a leaf"))).collect();
        let hashes: Vec<_> = made.iter().map(|(_, made)| leaf_hash(made.entry.as_bytes())).collect();
        let mut edge = Edge::empty();
        let tiles: HashMap<_, _> = edge.append(&hashes).expect("small").into_iter().map(|t| (t.address, t.bytes)).collect();
        let size = made.len() as u64;
        let checkpoint = Checkpoint::new("b.example/log", size, edge.root()).expect("good");
        let mut note = checkpoint.sign(key).expect("signs");
        if let Some(witness) = cosigned {
            note.add(witness.sign(&checkpoint, 1_800_000_000).expect("a time")).expect("room");
        }
        let witnesses: Vec<_> = cosigned.iter().map(|w| w.verifier().clone()).collect();
        let bundle = |(index, (event, made)): (u64, (Event, fondaco_core::evidence::Record))| {
            let hashes = prove::inclusion(index, size, |a| Ok::<_, Infallible>(tiles.get(a))).expect("there");
            let proof = Proof { extra: None, index, hashes, checkpoint: note.clone() };
            let opening = Opened {
                own: event.own,
                peer: event.peer,
                object: event.object,
                document: made.document,
                secret: hex::encode(made.secret),
            };
            Bundle::new(made.entry, Some(opening), &proof, key.verifier(), &witnesses)
        };
        (0..).zip(made).map(bundle).collect()
    }

    /// The bundle of the only leaf of a log.
    fn bundle(key: &SigningKey, event: Event) -> Bundle {
        bundles(key, None, vec![event]).remove(0)
    }

    pub(in super::super) fn event(kind: Kind, object: &str, document: Value) -> Event {
        Event {
            kind,
            at: Timestamp::from_micros(1_795_000_000_000_000),
            own: did("b").to_string(),
            peer: Some(did("a").to_string()),
            object: object.into(),
            document,
        }
    }

    pub(in super::super) fn expected() -> Expected {
        let keys = vec![log(1).verifier().clone()];
        Expected { keys, own: did("b"), peer: did("a"), agreement: "agr_1".into(), witnesses: vec![witness().verifier().clone()] }
    }

    fn check(bundle: &Bundle) -> Result<Held, String> {
        verify(&bundle.print().expect("prints"), &expected())
    }

    #[test]
    fn a_key_that_was_replaced_still_holds() {
        let before = bundle(&log(2), event(Kind::Agreement, "agr_1", json!({"@id": "agr_1"})));
        let keys = vec![log(2).verifier().clone(), log(1).verifier().clone()];
        assert!(verify(&before.print().expect("prints"), &Expected { keys, ..expected() }).is_ok());
        assert!(check(&before).is_err());
    }

    #[test]
    fn witnesses_that_are_known_here_are_told() {
        let agreement = || vec![event(Kind::Agreement, "agr_1", json!({"@id": "agr_1"}))];
        let seen = bundles(&log(1), Some(&witness()), agreement()).remove(0);
        assert_eq!(check(&seen).expect("holds").witnesses, ["w.example"]);
        let unknown = Expected { witnesses: Vec::new(), ..expected() };
        assert!(verify(&seen.print().expect("prints"), &unknown).expect("holds").witnesses.is_empty(), "anybody can name a witness");
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
        for text in ["", "null", "{}", "[1]"] {
            assert!(verify(text, &expected()).is_err());
        }
    }
}
