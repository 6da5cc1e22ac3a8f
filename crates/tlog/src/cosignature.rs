//! Cosignatures, version 1 (Ed25519): a witness says that of a log it saw this tree, at this time, and no larger one, and
//! that every tree it ever saw of it is consistent with this one.
//!
//! The signed message does not name the witness: a key must never serve two of them, nor sign anything else.

use crate::{
    Checkpoint, SIZE_MAX,
    note::{KeyKind, KeyName, NoteError, Signature, SigningKey, VerifierKey},
};

/// A witness's private key.
#[derive(Clone, Debug)]
pub struct CosigningKey(SigningKey);

impl CosigningKey {
    /// The key that 32 random bytes make, under the witness's name.
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Result<Self, NoteError> {
        SigningKey::of_kind(name, KeyKind::CosignatureV1, seed).map(Self)
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        self.0.verifier()
    }

    /// Cosigns a checkpoint at a time in seconds since 1970. `None` for times that no cosignature can have.
    pub fn sign(&self, checkpoint: &Checkpoint, time: u64) -> Option<Signature> {
        if !is_time(time) {
            return None;
        }
        let signature = self.0.sign_bytes(message(&checkpoint.to_string(), time).as_bytes());
        let bytes = [&time.to_be_bytes()[..], &signature].concat();
        Some(Signature { name: self.verifier().name().clone(), id: self.verifier().id(), bytes })
    }
}

/// Whether a cosignature may have this time: 0 says nothing, and more than 63 bits are not allowed.
pub(crate) fn is_time(time: u64) -> bool {
    (1..=SIZE_MAX).contains(&time)
}

/// What is signed.
pub(crate) fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Note, note::Verified};

    fn witness() -> CosigningKey {
        CosigningKey::from_seed(KeyName::parse("witness.example/w1").expect("a name"), &[9; 32]).expect("a key")
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint::parse(crate::checkpoint::tests::TEXT).expect("a checkpoint")
    }

    #[test]
    fn a_cosignature_holds_and_tells_its_time() {
        let (witness, checkpoint) = (witness(), checkpoint());
        let signature = witness.sign(&checkpoint, 1_679_315_147).expect("a time");
        assert_eq!(signature.bytes.len(), 72);
        let note = Note::new(checkpoint.to_string(), vec![signature]).expect("a note");
        let key = witness.verifier();
        assert_eq!(note.verify([key]), Ok(vec![Verified { key, time: Some(1_679_315_147) }]));
        assert_eq!(key.kind().byte(), 4);
        assert_eq!(key.to_string().parse::<VerifierKey>().as_ref(), Ok(key));
    }

    #[test]
    fn another_time_text_or_kind_is_refused() {
        let (witness, checkpoint) = (witness(), checkpoint());
        let good = witness.sign(&checkpoint, 1000).expect("a time");
        let refused = |text: &str, signature: Signature| {
            Note::new(text.into(), vec![signature]).and_then(|n| n.verify([witness.verifier()]).map(|_| ())).is_err()
        };
        let text = checkpoint.to_string();
        assert!(!refused(&text, good.clone()));
        for at in 0..good.bytes.len() {
            let mut bad = good.clone();
            bad.bytes[at] ^= 1;
            assert!(refused(&text, bad), "{at}");
        }
        assert!(refused(&text, Signature { bytes: good.bytes[..71].to_vec(), ..good.clone() }));
        assert!(refused(&text, Signature { bytes: good.bytes[..7].to_vec(), ..good.clone() }));
        assert!(refused(&format!("{text}extension\n"), good.clone()));
        // The key signs notes of another kind under another id.
        let log = SigningKey::from_seed(KeyName::parse("witness.example/w1").expect("a name"), &[9; 32]).expect("a key");
        assert_ne!(log.verifier().id(), witness.verifier().id());
        // What is no checkpoint is not cosigned, even with a signature that would hold.
        let text = "not a checkpoint\n";
        let signature = log.sign(&message(text, 5));
        let bytes = [&5u64.to_be_bytes()[..], &signature.bytes].concat();
        assert!(refused(text, Signature { bytes, ..good }));
        assert_eq!(witness.sign(&checkpoint, 0), None);
        assert_eq!(witness.sign(&checkpoint, u64::MAX), None);
    }
}
