//! Canonical JSON (RFC 8785) and digests over it: how two nodes see that they hold the same document.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// The RFC 8785 form of a value: one byte sequence per document.
///
/// # Errors
/// `None` when the value cannot be JSON (a map with non-text keys, a non-finite number).
pub fn to_canonical_json<T: Serialize>(value: &T) -> Option<String> {
    serde_jcs::to_string(value).ok()
}

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// SHA-256 (hex) of the canonical form.
///
/// # Errors
/// As [`to_canonical_json`].
pub fn digest<T: Serialize>(value: &T) -> Option<String> {
    to_canonical_json(value).map(|text| sha256_hex(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_of_keys_does_not_matter() {
        let a = json!({"b": 1, "a": [true, null, "ü"]});
        let b: serde_json::Value = serde_json::from_str(r#"{"a":[true,null,"\u00fc"],"b":1}"#).expect("json");
        assert_eq!(digest(&a), digest(&b));
        assert_eq!(to_canonical_json(&a).as_deref(), Some(r#"{"a":[true,null,"ü"],"b":1}"#));
    }
}
