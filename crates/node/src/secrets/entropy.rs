//! The operating system's randomness, and random text made of it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fondaco_core::entropy::Entropy;

/// Random bytes in a secret or identifier nobody may guess: 256 bits.
pub const SECRET_BYTES: usize = 32;
/// Random bytes in a `jti`: 128 bits, as in a UUID; it must be unique, not secret.
pub const NONCE_BYTES: usize = 16;

/// The operating system's random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, buf: &mut [u8]) {
        // A machine without randomness must not go on with predictable keys.
        aws_lc_rs::rand::fill(buf).expect("the operating system provides randomness");
    }
}

/// `N` random bytes as base64url without padding.
pub fn random_text<const N: usize>(entropy: &dyn Entropy) -> String {
    let mut bytes = zeroize::Zeroizing::new([0u8; N]);
    entropy.fill(bytes.as_mut());
    URL_SAFE_NO_PAD.encode(bytes.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn texts_are_long_and_differ() {
        let all: HashSet<String> = (0..100).map(|_| random_text::<SECRET_BYTES>(&OsEntropy)).collect();
        assert_eq!(all.len(), 100);
        assert!(all.iter().all(|t| t.len() == 43 && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')));
    }
}
