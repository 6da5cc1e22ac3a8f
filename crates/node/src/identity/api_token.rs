//! API tokens: what programs send to the admin API as `Authorization: Bearer fdc_…`. Shown once, stored as a hash.
//!
//! A token is 256 random bits, so a plain SHA-256 is enough: there is nothing to guess that a slow hash would protect.
//! The prefix lets secret scanners find tokens that were committed by mistake.

use crate::secrets::entropy::{SECRET_BYTES, random_text};
use fondaco_core::entropy::Entropy;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What every API token starts with.
pub const PREFIX: &str = "fdc_";
/// Characters of a whole token: the prefix and 32 bytes in base64url.
pub const TOKEN_CHARS: usize = PREFIX.len() + 43;

/// A token just made: the only moment its text exists here.
pub struct NewApiToken {
    /// What its owner keeps.
    pub text: Zeroizing<String>,
    /// What is stored: SHA-256 of the text, in hex.
    pub hash: String,
}

/// Makes a token.
pub fn generate(entropy: &dyn Entropy) -> NewApiToken {
    let text = Zeroizing::new(format!("{PREFIX}{}", random_text::<SECRET_BYTES>(entropy)));
    let hash = digest(&text);
    NewApiToken { text, hash }
}

/// The hash to look up for a token that was sent; `None` for what cannot be one, without touching the database.
pub fn hash(text: &str) -> Option<String> {
    let usable =
        text.len() == TOKEN_CHARS && text.strip_prefix(PREFIX)?.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    usable.then(|| digest(text))
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::OsEntropy;

    #[test]
    fn a_token_is_found_by_its_hash_alone() {
        let token = generate(&OsEntropy);
        assert_eq!(token.text.len(), TOKEN_CHARS);
        assert_eq!(hash(&token.text), Some(token.hash.clone()));
        assert!(!token.hash.contains(&token.text[PREFIX.len()..]));
        assert_ne!(generate(&OsEntropy).hash, token.hash);
    }

    #[test]
    fn the_hash_is_sha256_in_hex() {
        let text = format!("{PREFIX}{}", "A".repeat(43));
        // Computed with Python's `hashlib`.
        assert_eq!(hash(&text).expect("token"), "7330c9cdab04d21fbdef3e6bcd964802019c234c4f383e7edd63e2be8dec9101");
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let good = generate(&OsEntropy).text;
        for bad in [
            "",
            "fdc_",
            &good[1..],
            &good[..good.len() - 1],
            &format!("{}x", *good),
            &good.replace("fdc_", "FDC_"),
            &format!("fdc_{}", "é".repeat(21) + "x"),
        ] {
            assert_eq!(hash(bad), None, "{bad}");
        }
    }
}
