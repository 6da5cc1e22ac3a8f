//! What a leaf can be about.

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// The kind of an event: a closed list, append-only, because old leaves stay.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {$($(#[$doc])* #[serde(rename = $text)] $name,)*}
        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// Its name in leaves.
            pub const fn as_str(self) -> &'static str {
                match self {$(Self::$name => $text,)*}
            }
            /// The kind of this name.
            pub fn from_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
            }
        }
    };
}

kinds! {
    /// A product version was published.
    ProductPublished = "product-published";
    /// A product was withdrawn.
    ProductWithdrawn = "product-withdrawn";
    /// Terms were offered.
    OfferMade = "offer-made";
    /// An agreement came into force. Its document is the agreement itself, the same on both sides.
    Agreement = "agreement";
    /// An agreement came to its end, or was stopped.
    AgreementEnded = "agreement-ended";
    /// Access was opened.
    TransferStarted = "transfer-started";
    /// Access was suspended.
    TransferSuspended = "transfer-suspended";
    /// Access came to its end.
    TransferEnded = "transfer-ended";
    /// What was used of an agreement up to now.
    Usage = "usage";
    /// Uses that were refused, by which rule, and how many.
    Refusal = "refusal";
    /// A step that a rule or a person decided.
    Decision = "decision";
    /// A key was made or retired.
    KeyChange = "key-change";
    /// Somebody changed who may do what.
    Administration = "administration";
}

impl Kind {
    /// Whether the other party holds the same document, byte for byte, so that it carries no salt of this side.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Agreement)
    }
}
