//! Receipts: a text that proves, offline, that an entry is in a log whose tree witnesses have seen. Kept in files named
//! `.tlog-proof`.

use crate::{
    Checkpoint, Hash, Note, SIZE_MAX,
    note::{NOTE_BYTES_MAX, NoteError},
    policy::{Policy, Trusted, Unsatisfied},
    text::{decimal, line},
    verify::{self, ProofError},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::fmt;
use thiserror::Error;

/// The first line.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Most hashes: a tree of 2^63 leaves is that high.
pub const HASHES_MAX: usize = 63;
/// Most bytes of extra data, which nothing authenticates.
pub const EXTRA_BYTES_MAX: usize = 64 << 10;
/// Largest receipt: the largest note, the longest proof and the largest extra line in base64.
pub const PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + HASHES_MAX * 45 + EXTRA_BYTES_MAX / 3 * 4 + 128;

/// Why a text is no receipt.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// Larger than any receipt should be.
    #[error("the receipt is too large")]
    TooLarge,
    /// Not of the lines of the specification.
    #[error("not a receipt: {0}")]
    Lines(&'static str),
    /// What should be a checkpoint is no note.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// Why a receipt does not prove what it should.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Unproven {
    /// The policy does not accept its checkpoint.
    #[error(transparent)]
    Policy(#[from] Unsatisfied),
    /// The entry is not where the receipt says, in the tree of the checkpoint.
    #[error("the entry is not in the tree: {0}")]
    Inclusion(#[from] ProofError),
}

/// A receipt for one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Whatever the log adds; never to be trusted. Ours add nothing.
    pub extra: Option<Vec<u8>>,
    /// Index of the entry.
    pub index: u64,
    /// From the leaf's sibling to the child of the root.
    pub hashes: Vec<Hash>,
    /// The checkpoint with its signatures and cosignatures.
    pub checkpoint: Note,
}

impl Proof {
    /// Reads a receipt. What it says counts for nothing until [`Proof::verify`] has been asked.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(Malformed::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed::Lines("it is not UTF-8"))?;
        let cut = Malformed::Lines("it ends too early");
        let (header, rest) = line(text).ok_or(cut.clone())?;
        if header != HEADER {
            return Err(Malformed::Lines("the first line is not c2sp.org/tlog-proof@v1"));
        }
        let (mut next, mut rest) = line(rest).ok_or(cut.clone())?;
        let mut extra = None;
        if let Some(encoded) = next.strip_prefix("extra ") {
            let data = BASE64_STANDARD.decode(encoded).map_err(|_| Malformed::Lines("the extra line is not base64"))?;
            if data.len() > EXTRA_BYTES_MAX {
                return Err(Malformed::TooLarge);
            }
            extra = Some(data);
            (next, rest) = line(rest).ok_or(cut.clone())?;
        }
        let index = next.strip_prefix("index ").and_then(decimal).filter(|i| *i < SIZE_MAX);
        let index = index.ok_or(Malformed::Lines("no line with the index"))?;
        let mut hashes = Vec::new();
        let note = loop {
            let (hash, after) = line(rest).ok_or(cut.clone())?;
            if hash.is_empty() {
                break after;
            }
            if hashes.len() == HASHES_MAX {
                return Err(Malformed::TooLarge);
            }
            hashes.push(Hash::from_base64(hash).ok_or(Malformed::Lines("a line of the proof is not a hash in base64"))?);
            rest = after;
        };
        Ok(Self { extra, index, hashes, checkpoint: Note::parse(note.as_bytes())? })
    }

    /// Checks that the entry with this hash is in the log, by what the policy trusts.
    pub fn verify(&self, leaf: &Hash, policy: &Policy) -> Result<Trusted, Unproven> {
        // The cheap check first: whoever sends nonsense does not make us verify signatures.
        let checkpoint = Checkpoint::parse(self.checkpoint.text()).map_err(Unsatisfied::from)?;
        verify::inclusion(leaf, self.index, checkpoint.size, &self.hashes, &checkpoint.root)?;
        Ok(policy.check(&self.checkpoint)?)
    }
}

/// The receipt's text.
impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", BASE64_STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cosignature::CosigningKey,
        note::{KeyName, SigningKey},
        prove,
        tree::tests::{Tiles, leaves},
    };

    fn log() -> SigningKey {
        SigningKey::from_seed(KeyName::parse("log.example").expect("a name"), &[1; 32]).expect("a key")
    }

    fn witness() -> CosigningKey {
        CosigningKey::from_seed(KeyName::parse("w.example").expect("a name"), &[2; 32]).expect("a key")
    }

    fn policy() -> Policy {
        Policy::all(&[log().verifier().clone()], &[witness().verifier().clone()]).expect("a policy")
    }

    fn proof(index: u64, size: u64) -> Proof {
        let (tiles, edge) = Tiles::of(size);
        let checkpoint = Checkpoint::new("log.example", size, edge.root()).expect("good");
        let mut note = checkpoint.sign(&log()).expect("signs");
        note.add(witness().sign(&checkpoint, 1_800_000_000).expect("a time")).expect("room");
        let hashes = prove::inclusion(index, size, |a| tiles.read(a)).expect("there");
        Proof { extra: None, index, hashes, checkpoint: note }
    }

    #[test]
    fn receipts_are_read_back_and_hold() {
        for (index, size) in [(0, 1), (0, 2), (6, 7), (300, 1000)] {
            let mut proof = proof(index, size);
            let leaf = leaves(size)[usize::try_from(index).expect("small")];
            assert_eq!(Proof::parse(proof.to_string().as_bytes()), Ok(proof.clone()));
            let trusted = proof.verify(&leaf, &policy()).expect("holds");
            assert_eq!((trusted.checkpoint.size, trusted.witnesses), (size, vec![("w0".into(), 1_800_000_000)]));
            proof.extra = Some(b"extra".to_vec());
            assert_eq!(Proof::parse(proof.to_string().as_bytes()), Ok(proof));
        }
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let (leaf, policy) = (leaves(5)[3], policy());
        let text = proof(3, 5).to_string();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                if let Ok(proof) = Proof::parse(&bytes) {
                    assert!(proof.verify(&leaf, &policy).is_err(), "byte {at} bit {bit}");
                }
            }
        }
        for cut in 0..text.len() {
            let whole_lines = Proof::parse(&text.as_bytes()[..cut]);
            assert!(whole_lines.is_err() || whole_lines.is_ok_and(|p| p.verify(&leaf, &policy).is_err()), "{cut}");
        }
    }

    #[test]
    fn another_leaf_index_or_policy_is_refused() {
        let proof = proof(270, 300);
        let leaf = leaves(300)[270];
        assert_eq!(proof.verify(&leaves(300)[271], &policy()), Err(ProofError::Root.into()));
        assert!(Proof { index: 271, ..proof.clone() }.verify(&leaf, &policy()).is_err());
        assert_eq!(Proof { index: 300, ..proof.clone() }.verify(&leaf, &policy()), Err(ProofError::Sizes(300, 300).into()));
        let other = Policy::all(&[log().verifier().clone()], &[]).expect("a policy");
        assert!(proof.verify(&leaf, &other).is_ok());
        let checkpoint = Checkpoint::parse(proof.checkpoint.text()).expect("one");
        let alone = Proof { checkpoint: checkpoint.sign(&log()).expect("signs"), ..proof };
        assert_eq!(alone.verify(&leaf, &policy()), Err(Unsatisfied::Quorum(0).into()));
    }

    #[test]
    fn malformed_receipts_are_refused() {
        let good = proof(270, 300).to_string();
        let hash = leaves(1)[0].to_string();
        let (head, note) = good.split_once("\n\n").expect("has both");
        let bad = [
            String::new(),
            good.replacen("@v1", "@v2", 1),
            good.replacen("@v1\n", "@v1\r\n", 1),
            good.replacen("index 270", "index 0270", 1),
            good.replacen("index 270", "index +270", 1),
            good.replacen("index 270", "index  270", 1),
            good.replacen("index 270", "index", 1),
            good.replacen("index 270\n", "", 1),
            good.replacen("index 270\n", "index 270\nindex 270\n", 1),
            good.replacen("index 270", "index 9223372036854775807", 1),
            good.replacen("index 270", "extra ?\nindex 270", 1),
            good.replacen("index 270", "extra AA\nindex 270", 1),
            good.replacen("index 270", "extra AAAA\nextra AAAA\nindex 270", 1),
            good.replacen("index 270", &format!("extra {}\nindex 270", "AAAA".repeat(EXTRA_BYTES_MAX / 3 + 1)), 1),
            good.replacen("\n\n", "\n", 1),
            format!("{head}\n{}\n{note}", format!("{hash}\n").repeat(64)),
            format!("{head}\n{hash}=\n\n{note}"),
            format!("{good}\n"),
            format!("{good}x\n"),
            format!("\n{good}"),
            format!("{good}{}", "x".repeat(PROOF_BYTES_MAX)),
        ];
        for text in bad {
            assert!(Proof::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
