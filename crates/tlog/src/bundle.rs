//! Bundles: one file that holds everything needed to check one entry of a log offline: the leaf, what opens it, the
//! receipt, and the keys. A JSON document of which there is exactly one text: what is not that text is refused, so no
//! bit of a file can change unnoticed.
//!
//! What a leaf says is not known here: [`Bundle::verify`] checks that the leaf is in the log; whether the opening fits
//! the leaf is checked by whoever knows the leaf's format.

use crate::{
    Checkpoint, leaf_hash,
    note::{NoteError, VerifierKey},
    policy::{Policy, PolicyError, Trusted, Unsatisfied},
    proof::{Malformed, PROOF_BYTES_MAX, Proof, Unproven},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The form of a bundle.
pub const FORMAT: &str = "fondaco-bundle/1";
/// Largest bundle: a receipt and a document of 1 MiB, both with escapes, and the keys.
pub const BUNDLE_BYTES_MAX: usize = 4 * (1 << 20) + 2 * PROOF_BYTES_MAX;
/// Most witnesses whose cosignatures a bundle carries.
pub const WITNESSES_MAX: usize = 32;

/// Everything about one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`FORMAT`].
    pub format: String,
    /// The entry of the log, as it was hashed.
    pub leaf: String,
    /// What the leaf is about; none once that was erased, and then only that it existed can be proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<Opening>,
    /// The receipt, a `tlog-proof`, without extra data.
    pub proof: String,
    /// The log's key (a vkey).
    pub log: String,
    /// The keys of the witnesses that have cosigned, in the order of their lines.
    pub witnesses: Vec<String>,
}

/// What opens a leaf's commitments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The participant's DID.
    pub own: String,
    /// The other party's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// What it is about: an id.
    pub object: String,
    /// The document's bytes: the leaf holds their SHA-256.
    pub document: String,
    /// The secret of the leaf's salts: 32 bytes in lower-case hex.
    pub secret: String,
}

impl Opening {
    /// The secret's bytes; `None` if the text is not exactly theirs.
    pub fn secret_bytes(&self) -> Option<[u8; 32]> {
        let bytes: [u8; 32] = hex::decode(&self.secret).ok()?.try_into().ok()?;
        (hex::encode(bytes) == self.secret).then_some(bytes)
    }
}

/// Why a file is no bundle, or does not prove what it should.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BundleError {
    /// Larger than any bundle should be.
    #[error("a bundle has at most {BUNDLE_BYTES_MAX} bytes")]
    TooLarge,
    /// Not JSON, or not of a bundle's members.
    #[error("not a bundle: {0}")]
    Json(String),
    /// Of a format that is not known.
    #[error("the format is not {FORMAT}")]
    Format,
    /// The same values in another text: something touched the file.
    #[error("the file is not in its one form: it was changed after it was made")]
    Form,
    /// The opening's secret is not 32 bytes in hex.
    #[error("the secret is not 32 bytes in hex")]
    Secret,
    /// The receipt cannot be read.
    #[error("the receipt: {0}")]
    Receipt(#[from] Malformed),
    /// The receipt has data that nothing vouches for.
    #[error("the receipt carries extra data")]
    Extra,
    /// A key cannot be read.
    #[error("a key: {0}")]
    Key(#[from] NoteError),
    /// The keys do not make a policy: one is there twice, or there are too many.
    #[error("the keys: {0}")]
    Keys(#[from] PolicyError),
    /// There are signatures of others, or doubles: nobody vouches for those lines.
    #[error("the checkpoint has signatures that are not of the bundle's keys")]
    Signatures,
    /// The receipt does not prove that the leaf is in the log, by the bundle's own keys.
    #[error("{0}")]
    Unproven(#[from] Unproven),
    /// The policy that was asked for does not accept the checkpoint.
    #[error("the policy: {0}")]
    Policy(Unsatisfied),
}

/// What a bundle proves, as far as the log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The tree that holds the leaf.
    pub checkpoint: Checkpoint,
    /// Index of the leaf.
    pub index: u64,
    /// The log's key.
    pub log: VerifierKey,
    /// Who has cosigned, and when in seconds since 1970.
    pub witnesses: Vec<(VerifierKey, u64)>,
    /// What the policy made of it, if there was one.
    pub policy: Option<Trusted>,
}

impl Bundle {
    /// A bundle of one entry. The checkpoint's signatures must be those of these keys, in their order, and no others.
    pub fn new(leaf: String, opening: Option<Opening>, proof: &Proof, log: &VerifierKey, witnesses: &[VerifierKey]) -> Self {
        Self {
            format: FORMAT.to_owned(),
            leaf,
            opening,
            proof: proof.to_string(),
            log: log.to_string(),
            witnesses: witnesses.iter().map(ToString::to_string).collect(),
        }
    }

    /// The file: indented JSON and a newline.
    pub fn print(&self) -> Result<String, BundleError> {
        serde_json::to_string_pretty(self).map(|text| text + "\n").map_err(|e| BundleError::Json(e.to_string()))
    }

    /// Reads a file. What it says counts for nothing until [`Bundle::verify`] has been asked.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLarge);
        }
        let bundle: Self = serde_json::from_slice(bytes).map_err(|e| BundleError::Json(e.to_string()))?;
        if bundle.format != FORMAT {
            return Err(BundleError::Format);
        }
        if bundle.print()?.as_bytes() != bytes {
            return Err(BundleError::Form);
        }
        if bundle.opening.as_ref().is_some_and(|o| o.secret_bytes().is_none()) {
            return Err(BundleError::Secret);
        }
        Ok(bundle)
    }

    /// Checks that the leaf is in the log, by the keys in the bundle, every one of which must have signed; and that
    /// `policy`, if given, accepts the checkpoint. Without one, whose log it is rests on the bundle's word.
    pub fn verify(&self, policy: Option<&Policy>) -> Result<Proven, BundleError> {
        let proof = Proof::parse(self.proof.as_bytes())?;
        if proof.extra.is_some() {
            return Err(BundleError::Extra);
        }
        if self.witnesses.len() > WITNESSES_MAX {
            return Err(PolicyError::TooLarge.into());
        }
        let log: VerifierKey = self.log.parse()?;
        let witnesses = self.witnesses.iter().map(|w| w.parse()).collect::<Result<Vec<VerifierKey>, NoteError>>()?;
        let everyone = Policy::all(std::slice::from_ref(&log), &witnesses)?;
        let trusted = proof.verify(&leaf_hash(self.leaf.as_bytes()), &everyone)?;
        // All have signed, each once; one line more would be somebody else's, or a double.
        if proof.checkpoint.signatures().len() != 1 + witnesses.len() || trusted.witnesses.len() != witnesses.len() {
            return Err(BundleError::Signatures);
        }
        let policy = policy.map(|p| p.check(&proof.checkpoint)).transpose().map_err(BundleError::Policy)?;
        let times = trusted.witnesses.iter().map(|(_, time)| *time);
        let by_line = proof.checkpoint.signatures().iter().filter_map(|s| witnesses.iter().find(|w| w.name() == &s.name && w.id() == s.id));
        let witnesses = by_line.cloned().zip(times).collect();
        Ok(Proven { checkpoint: trusted.checkpoint, index: proof.index, log, witnesses, policy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Note,
        cosignature::CosigningKey,
        note::{KeyName, SigningKey},
        policy::Unsatisfied,
        prove,
        tree::tests::{Tiles, leaves},
    };

    fn log(seed: u8) -> SigningKey {
        SigningKey::from_seed(KeyName::parse("log.example").expect("a name"), &[seed; 32]).expect("a key")
    }

    fn witness(seed: u8) -> CosigningKey {
        CosigningKey::from_seed(KeyName::parse(&format!("w{seed}.example")).expect("a name"), &[seed; 32]).expect("a key")
    }

    const LEAF: &str = r#"{"kind":"test"}"#;

    fn opening() -> Opening {
        Opening {
            own: "did:web:a.example".into(),
            peer: Some("did:web:b.example".into()),
            object: "agr_1".into(),
            document: "{\"text\":\"中文 \\\"quoted\\\"\"}".into(),
            secret: hex::encode([0xab; 32]),
        }
    }

    fn note(witnesses: &[u8]) -> (Note, Tiles) {
        let (mut tiles, mut edge) = Tiles::of(4);
        tiles.append(&mut edge, &[leaf_hash(LEAF.as_bytes())]);
        tiles.append(&mut edge, &leaves(1));
        let checkpoint = Checkpoint::new("log.example", 6, edge.root()).expect("good");
        let mut note = checkpoint.sign(&log(1)).expect("signs");
        for seed in witnesses {
            note.add(witness(*seed).sign(&checkpoint, 1_800_000_000 + u64::from(*seed)).expect("a time")).expect("room");
        }
        (note, tiles)
    }

    fn bundle(witnesses: &[u8]) -> Bundle {
        let (checkpoint, tiles) = note(witnesses);
        let hashes = prove::inclusion(4, 6, |a| tiles.read(a)).expect("there");
        let keys: Vec<_> = witnesses.iter().map(|w| witness(*w).verifier().clone()).collect();
        let proof = Proof { extra: None, index: 4, hashes, checkpoint };
        Bundle::new(LEAF.into(), Some(opening()), &proof, log(1).verifier(), &keys)
    }

    #[test]
    fn bundles_are_read_back_and_hold() {
        for witnesses in [&[][..], &[5], &[5, 6, 7]] {
            for opening in [Some(opening()), None] {
                let bundle = Bundle { opening, ..bundle(witnesses) };
                let read = Bundle::parse(bundle.print().expect("prints").as_bytes()).expect("reads");
                assert_eq!(read, bundle);
                let proven = read.verify(None).expect("holds");
                assert_eq!((proven.index, proven.checkpoint.size, proven.policy), (4, 6, None));
                let seen: Vec<_> = proven.witnesses.iter().map(|(key, time)| (key.name().to_string(), *time)).collect();
                let expected: Vec<_> = witnesses.iter().map(|w| (format!("w{w}.example"), 1_800_000_000 + u64::from(*w))).collect();
                assert_eq!(seen, expected);
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        // What opens the leaf is compared with it by those who know its format: here, by being as it was.
        let good = bundle(&[5]);
        let text = good.print().expect("prints");
        let mut only_opening = 0;
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let Ok(read) = Bundle::parse(&bytes) else { continue };
                if read.opening == good.opening {
                    assert!(read.verify(None).is_err(), "byte {at} bit {bit}");
                } else {
                    assert_eq!((&read.leaf, &read.proof, &read.log), (&good.leaf, &good.proof, &good.log));
                    only_opening += 1;
                }
            }
        }
        assert!(only_opening > 100, "the loop has done its work");
        for cut in 0..text.len() {
            assert!(Bundle::parse(&text.as_bytes()[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn lines_that_nobody_vouches_for_are_refused() {
        let one = bundle(&[5]);
        let two = bundle(&[5, 6]);
        let fewer_keys = Bundle { witnesses: one.witnesses.clone(), ..two.clone() };
        assert_eq!(fewer_keys.verify(None), Err(BundleError::Signatures));
        let more_keys = Bundle { witnesses: two.witnesses.clone(), ..one.clone() };
        assert_eq!(more_keys.verify(None), Err(Unproven::from(Unsatisfied::Quorum(1)).into()));
        let line = one.proof.lines().last().expect("a line").to_owned();
        let double = Bundle { proof: format!("{}{line}\n", one.proof), ..one.clone() };
        assert_eq!(double.verify(None), Err(BundleError::Signatures));
        let same = Bundle { witnesses: vec![two.witnesses[0].clone(), two.witnesses[0].clone()], ..two.clone() };
        assert!(matches!(same.verify(None), Err(BundleError::Keys(_))));
        let extra = Bundle { proof: one.proof.replacen("index", "extra AAAA\nindex", 1), ..one.clone() };
        assert_eq!(extra.verify(None), Err(BundleError::Extra));
        let other_leaf = Bundle { leaf: "{}".into(), ..one.clone() };
        assert!(matches!(other_leaf.verify(None), Err(BundleError::Unproven(Unproven::Inclusion(_)))));
        let other_log = Bundle { log: log(2).verifier().to_string(), ..one.clone() };
        assert!(other_log.verify(None).is_err());
        let swapped = Bundle { log: two.witnesses[0].clone(), witnesses: vec![one.log.clone()], ..one };
        assert!(swapped.verify(None).is_err(), "a witness is no log");
        let many = Bundle { witnesses: vec![two.witnesses[0].clone(); WITNESSES_MAX + 1], ..two };
        assert!(matches!(many.verify(None), Err(BundleError::Keys(PolicyError::TooLarge))));
    }

    #[test]
    fn a_policy_has_the_last_word() {
        let bundle = bundle(&[5, 6]);
        let policy = |log: &SigningKey, witnesses: &[u8]| {
            Policy::all(&[log.verifier().clone()], &witnesses.iter().map(|w| witness(*w).verifier().clone()).collect::<Vec<_>>())
                .expect("a policy")
        };
        let proven = bundle.verify(Some(&policy(&log(1), &[6]))).expect("holds");
        assert_eq!(proven.policy.expect("asked").witnesses, [("w0".to_owned(), 1_800_000_006)]);
        assert_eq!(bundle.verify(Some(&policy(&log(1), &[6, 7]))), Err(BundleError::Policy(Unsatisfied::Quorum(1))));
        assert_eq!(bundle.verify(Some(&policy(&log(2), &[]))), Err(BundleError::Policy(Unsatisfied::Log("log.example".into()))));
    }

    #[test]
    fn other_files_are_refused() {
        let good = bundle(&[5]).print().expect("prints");
        let bad = [
            (String::new(), "not a bundle"),
            ("null".into(), "not a bundle"),
            ("[".repeat(100_000), "not a bundle"),
            (good.replace("bundle/1", "bundle/2"), "the format"),
            (good.replacen("{\n", "{\n  \"more\": 1,\n", 1), "not a bundle"),
            (good.replacen("{\n", "{", 1), "the file is not in its one form"),
            (good.trim_end().into(), "the file is not in its one form"),
            (good.replace("中", "\\u4e2d"), "the file is not in its one form"),
            (good.replace(&"ab".repeat(32), &"AB".repeat(32)), "the secret"),
            (good.replace(&"ab".repeat(32), &"ab".repeat(31)), "the secret"),
            (format!("{good}{}", " ".repeat(BUNDLE_BYTES_MAX)), "a bundle has at most"),
        ];
        for (text, why) in bad {
            let error = Bundle::parse(text.as_bytes()).expect_err(why).to_string();
            assert!(error.starts_with(why), "{why}: {error}");
        }
        assert!(Bundle::parse(b"\xff").is_err());
    }
}
