//! Typed ids. An id is a prefix that names its kind and a UUID version 7: sorted by time of birth, safe in a URL
//! path (DSP puts process ids into paths unescaped), readable in a log.

use crate::{entropy::Entropy, time::Timestamp};
use serde::{Deserialize, Serialize};

/// Longest identifier accepted from others (a DSP pid, a dataset id, an offer id): long enough for any URN or URL
/// in use, short enough to index.
pub const FOREIGN_ID_MAX_CHARS: usize = 512;

/// A fresh UUIDv7 from the given instant and randomness.
pub fn uuid_v7(now: Timestamp, entropy: &dyn Entropy) -> uuid::Uuid {
    let mut random = [0u8; 10];
    entropy.fill(&mut random);
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);
        impl $name {
            /// What every such id starts with.
            pub const PREFIX: &'static str = $prefix;
            /// A fresh id.
            pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> Self {
                Self(format!("{}_{}", $prefix, uuid_v7(now, entropy).simple()))
            }
            /// An id read back from storage or given by a caller. Whether it exists is the store's to say.
            pub fn from_stored(text: impl Into<String>) -> Self {
                Self(text.into())
            }
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

ids! {
    /// An agreement. Chosen by the provider; both sides use it.
    AgreementId = "agr";
    /// A negotiation as this node knows it: its own `consumerPid` or `providerPid`.
    NegotiationId = "neg";
    /// An offer of a product version.
    OfferId = "off";
    /// A piece of work to do later.
    JobId = "job";
    /// A publication in progress.
    PublicationId = "pub";
    /// An API token (its public part).
    TokenId = "tok";
    /// A transfer as this node knows it: its own `consumerPid` or `providerPid`.
    TransferId = "trf";
    /// What a participant keeps of a leaf of the log.
    EvidenceId = "evi";
    /// A person who signs in.
    UserId = "usr";
    /// A console session.
    SessionId = "ses";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn ids_sort_by_birth_and_fit_a_path() {
        let e = SeededEntropy::new(7);
        let a = NegotiationId::generate(Timestamp::from_micros(1_700_000_000_000_000), &e);
        let b = NegotiationId::generate(Timestamp::from_micros(1_700_000_001_000_000), &e);
        assert!(a < b);
        assert!(a.as_str().starts_with("neg_"));
        assert!(a.as_str().bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_'));
    }
}
