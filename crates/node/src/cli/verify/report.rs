//! What a bundle proves: the log's part and the leaf's part together, as values and in words.

use crate::log::opened::{opened, sentence};
use fondaco_core::{evidence::Kind, time::Timestamp};
use fondaco_tlog::{bundle::Bundle, note::VerifierKey, policy::Policy};
use serde_json::{Value, json};

/// A witness that has seen the log's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    /// Its name.
    pub(super) name: String,
    /// Its key (a vkey).
    pub(super) key: String,
    /// When it cosigned, in RFC 3339.
    pub(super) at: String,
}

/// What opens a leaf, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) own: String,
    pub(super) peer: Option<String>,
    pub(super) object: String,
    pub(super) document_bytes: usize,
}

/// A bundle that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) kind: Kind,
    /// By the clock of the log's node, in RFC 3339.
    pub(super) at: String,
    /// SHA-256 of the document, in hex.
    pub(super) document: String,
    pub(super) opened: Option<Opened>,
    pub(super) origin: String,
    pub(super) key: String,
    pub(super) index: u64,
    pub(super) size: u64,
    pub(super) root: String,
    pub(super) witnesses: Vec<Witness>,
    /// Names in the policy of the witnesses that it counted; `None` without a policy.
    pub(super) policy: Option<Vec<String>>,
}

/// Checks a file. The error says why, as a sentence.
pub(super) fn check(bytes: &[u8], policy: Option<&Policy>) -> Result<Report, String> {
    let bundle = Bundle::parse(bytes).map_err(|e| sentence(&e))?;
    let (proven, leaf) = opened(&bundle, policy)?;
    let opening = bundle.opening.map(|o| Opened { own: o.own, peer: o.peer, object: o.object, document_bytes: o.document.len() });
    Ok(Report {
        kind: leaf.kind,
        at: leaf.at.to_rfc3339(),
        document: leaf.document,
        opened: opening,
        origin: proven.checkpoint.origin.clone(),
        key: proven.log.to_string(),
        index: proven.index,
        size: proven.checkpoint.size,
        root: proven.checkpoint.root.to_string(),
        witnesses: proven.witnesses.iter().map(|(key, time)| witness(key, *time)).collect(),
        policy: proven.policy.map(|trusted| trusted.witnesses.into_iter().map(|(name, _)| name).collect()),
    })
}

fn witness(key: &VerifierKey, seconds: u64) -> Witness {
    let micros = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    Witness { name: key.name().to_string(), key: key.to_string(), at: Timestamp::from_micros(micros).to_rfc3339() }
}

/// The pairs of files in which both parties of one agreement have logged it.
pub(super) fn agree<'a>(reports: &[(&'a str, &Report)]) -> Vec<(&'a str, &'a str)> {
    let mut pairs = Vec::new();
    for (i, (a_file, a)) in reports.iter().enumerate() {
        for (b_file, b) in &reports[i + 1..] {
            let (Some(x), Some(y)) = (&a.opened, &b.opened) else { continue };
            let mirrored = x.own != y.own && x.peer.as_ref() == Some(&y.own) && y.peer.as_ref() == Some(&x.own);
            if a.kind == Kind::Agreement && b.kind == Kind::Agreement && a.document == b.document && mirrored {
                pairs.push((*a_file, *b_file));
            }
        }
    }
    pairs
}

impl Report {
    /// What follows from the bundle, each a sentence.
    pub(super) fn proves(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "Whoever holds the log's key has signed a log of {} leaves in which leaf {} is exactly this one, and cannot deny it.",
            self.size, self.index
        )];
        match &self.opened {
            Some(_) => lines
                .push("The document, the parties and the object are those the leaf was made of: no byte of them has changed since.".into()),
            None => lines.push("Something of this kind was logged at that place. What it was about can no longer be shown.".into()),
        }
        for w in &self.witnesses {
            lines.push(format!(
                "The leaf was in the log by {}, says the witness {}, which has never seen another history of this log.",
                super::when(&w.at),
                w.name
            ));
        }
        if self.policy.is_some() {
            lines.push("The log is one that your policy trusts, and as many of its witnesses have cosigned as it asks for.".into());
        }
        lines
    }

    /// What one might think follows, and does not.
    pub(super) fn does_not_prove(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.policy.is_none() {
            lines.push("Whose log it is: the keys came with the file. Compare the log's key with one you have from elsewhere.".into());
        }
        if self.witnesses.is_empty() {
            lines.push("That everybody is shown the same log: no witness has cosigned.".into());
        }
        if self.opened.is_some() {
            lines.push("That what the document says is true: it is what this participant's node wrote at the time.".into());
        }
        if self.kind == Kind::Agreement {
            lines.push("That the other party agreed: their own log says so, with the same document. Verify both bundles together.".into());
        }
        let clock = if self.witnesses.is_empty() { "" } else { " A witness only says by when." };
        lines.push(format!("The exact time: it is the log's own clock.{clock}"));
        lines.push("That nothing else happened, or that it is still so: later leaves may say otherwise.".into());
        lines
    }

    /// The report for a program.
    pub(super) fn to_json(&self) -> Value {
        let mut value = json!({
            "kind": self.kind,
            "at": self.at,
            "documentSha256": self.document,
            "log": {"origin": self.origin, "key": self.key, "index": self.index, "size": self.size, "root": self.root},
            "witnesses": self.witnesses.iter().map(|w| json!({"name": w.name, "key": w.key, "at": w.at})).collect::<Vec<_>>(),
            "policy": self.policy.as_ref().map(|witnesses| json!({"accepted": true, "witnesses": witnesses})),
            "proves": self.proves(),
            "doesNotProve": self.does_not_prove(),
        });
        if let Some(opened) = &self.opened {
            value["own"] = opened.own.as_str().into();
            value["peer"] = opened.peer.as_deref().into();
            value["object"] = opened.object.as_str().into();
            value["documentBytes"] = opened.document_bytes.into();
        }
        value
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use fondaco_core::{entropy::SeededEntropy, evidence};
    use fondaco_tlog::{
        Checkpoint, Edge, Note,
        bundle::Opening,
        cosignature::CosigningKey,
        leaf_hash,
        note::{KeyName, SigningKey},
        proof::Proof,
        prove,
    };
    use std::{collections::HashMap, convert::Infallible};

    /// A leaf as the third of a log, with everything that belongs to it.
    pub(in super::super) struct Sample {
        record: evidence::Record,
        event: evidence::Event,
        log: SigningKey,
        witness: CosigningKey,
    }

    fn name(text: &str) -> KeyName {
        KeyName::parse(text).expect("a name")
    }

    impl Sample {
        pub(in super::super) fn agreement() -> Self {
            Self::of("did:web:p.example", "did:web:c.example", "p.example/log", 1)
        }

        pub(in super::super) fn of_other_party() -> Self {
            Self::of("did:web:c.example", "did:web:p.example", "c.example/log", 2)
        }

        fn of(own: &str, peer: &str, origin: &str, seed: u8) -> Self {
            let event = evidence::Event {
                kind: Kind::Agreement,
                at: Timestamp::from_micros(1_795_000_000_123_456),
                own: own.into(),
                peer: Some(peer.into()),
                object: "agr_1".into(),
                document: json!({"@id": "agr_1", "title": "航班 \"2013\""}),
            };
            Self {
                record: evidence::record(event.clone(), &SeededEntropy::new(seed.into())).expect("a leaf"),
                event,
                log: SigningKey::from_seed(name(origin), &[seed; 32]).expect("a key"),
                witness: CosigningKey::from_seed(name("w.example"), &[9; 32]).expect("a key"),
            }
        }

        fn note(&self) -> (Note, Proof) {
            let mut edge = Edge::empty();
            let leaves = [leaf_hash(b"1"), leaf_hash(b"2"), leaf_hash(self.record.entry.as_bytes())];
            let tiles: HashMap<_, _> = edge.append(&leaves).expect("small").into_iter().map(|t| (t.address, t.bytes)).collect();
            let checkpoint = Checkpoint::new(self.log.verifier().name().as_str(), 3, edge.root()).expect("good");
            let mut note = checkpoint.sign(&self.log).expect("signs");
            note.add(self.witness.sign(&checkpoint, 1_800_000_000).expect("a time")).expect("room");
            let hashes = prove::inclusion(2, 3, |a| Ok::<_, Infallible>(tiles.get(a))).expect("there");
            (note.clone(), Proof { extra: None, index: 2, hashes, checkpoint: note })
        }

        pub(in super::super) fn bundle(&self) -> Bundle {
            let opening = Opening {
                own: self.event.own.clone(),
                peer: self.event.peer.clone(),
                object: self.event.object.clone(),
                document: self.record.document.clone(),
                secret: hex::encode(self.record.secret),
            };
            let (_, proof) = self.note();
            Bundle::new(self.record.entry.clone(), Some(opening), &proof, self.log.verifier(), &[self.witness.verifier().clone()])
        }

        pub(in super::super) fn file(&self) -> String {
            self.bundle().print().expect("prints")
        }

        pub(in super::super) fn policy(&self) -> String {
            format!("log {}\nwitness peer {}\nquorum peer\n", self.log.verifier(), self.witness.verifier())
        }
    }

    #[test]
    fn what_holds_is_reported() {
        let sample = Sample::agreement();
        let policy = Policy::parse(sample.policy().as_bytes()).expect("a policy");
        let report = check(sample.file().as_bytes(), Some(&policy)).expect("holds");
        assert_eq!((report.kind, report.index, report.size), (Kind::Agreement, 2, 3));
        assert_eq!(report.policy.as_deref(), Some(&["peer".to_owned()][..]));
        assert_eq!(report.opened.as_ref().map(|o| o.object.as_str()), Some("agr_1"));
        assert_eq!((report.proves().len(), report.does_not_prove().len()), (4, 4));
        let alone = check(sample.file().as_bytes(), None).expect("holds");
        assert!(alone.does_not_prove()[0].starts_with("Whose log it is"));
    }

    #[test]
    fn what_was_erased_proves_only_that_it_was() {
        let erased = Bundle { opening: None, ..Sample::agreement().bundle() };
        let report = check(erased.print().expect("prints").as_bytes(), None).expect("holds");
        assert_eq!(report.opened, None);
        assert!(report.to_json().get("own").is_none());
        assert!(report.proves()[1].starts_with("Something of this kind"));
    }

    /// Every bit of a bundle, one at a time.
    #[test]
    fn every_flipped_bit_is_refused() {
        let file = Sample::agreement().file();
        assert!(check(file.as_bytes(), None).is_ok());
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut bytes = file.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                assert!(check(&bytes, None).is_err(), "byte {at} bit {bit}: {}", String::from_utf8_lossy(&bytes));
            }
        }
    }

    #[test]
    fn parts_of_two_bundles_do_not_make_a_third() {
        let (ours, theirs) = (Sample::agreement().bundle(), Sample::of_other_party().bundle());
        let mixed = [
            Bundle { opening: theirs.opening.clone(), ..ours.clone() },
            Bundle { leaf: theirs.leaf.clone(), ..ours.clone() },
            Bundle { leaf: theirs.leaf.clone(), opening: theirs.opening.clone(), ..ours.clone() },
            Bundle { proof: theirs.proof.clone(), ..ours.clone() },
            Bundle { log: theirs.log.clone(), ..ours.clone() },
            Bundle { witnesses: vec![], ..ours.clone() },
            Bundle { log: theirs.log, proof: theirs.proof, ..ours },
        ];
        for bundle in mixed {
            assert!(check(bundle.print().expect("prints").as_bytes(), None).is_err(), "{bundle:?}");
        }
    }

    #[test]
    fn a_leaf_of_another_log_is_not_ours_to_explain() {
        // In the tree, but no leaf of this program.
        let mut sample = Sample::agreement();
        sample.record.entry = "{\"hello\":1}".into();
        let bundle = Bundle { opening: None, ..sample.bundle() };
        let why = check(bundle.print().expect("prints").as_bytes(), None).expect_err("unknown");
        assert!(why.starts_with("The leaf cannot be read"), "{why}");
    }
}
