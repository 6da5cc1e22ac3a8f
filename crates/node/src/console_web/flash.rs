//! Notices after an action, shown once on the next page. The cookie carries the name of one of these texts, never a text.

use fondaco_console::view::{Flash, FlashKind};

macro_rules! notices {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $kind:ident, $text:literal;)+) => {
        /// What can be said after an action.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Notice {$($(#[$doc])* $name,)+}

        impl Notice {
            #[cfg(test)]
            const ALL: &'static [Self] = &[$(Self::$name,)+];
            /// Its name in the cookie.
            pub const fn code(self) -> &'static str {
                match self {$(Self::$name => $code,)+}
            }
            /// The one of that name.
            pub fn from_code(code: &str) -> Option<Self> {
                match code {$($code => Some(Self::$name),)+ _ => None}
            }
            /// As the page shows it.
            pub fn flash(self) -> Flash {
                match self {$(Self::$name => Flash { kind: FlashKind::$kind, text: $text.into() },)+}
            }
        }
    };
}

notices! {
    /// After signing out.
    SignedOut = "signed-out", Success, "You have signed out.";
    /// After withdrawing a product.
    ProductWithdrawn = "product-withdrawn", Success, "The product is withdrawn. Agreements made before stay in force.";
    /// After asking for an offer.
    NegotiationBegun = "negotiation-begun", Success, "Your request is on its way. This page follows what happens.";
    /// After agreeing.
    NegotiationAgreed = "negotiation-agreed", Success, "You agreed. The agreement is on its way to the consumer.";
    /// After accepting an offer.
    OfferAccepted = "offer-accepted", Success, "You accepted the offer. The provider signs next.";
    /// After ending a negotiation.
    NegotiationTerminated = "negotiation-terminated", Info, "The negotiation is ended, and the other side will be told.";
    /// After asking for access.
    AccessRequested = "access-requested", Success, "The provider was asked to open access. This page follows what happens.";
    /// After ending an agreement.
    AgreementEnded = "agreement-ended", Info, "The agreement is ended. Its transfers are ended and nothing more can be read.";
    /// After pausing a transfer.
    TransferSuspended = "transfer-suspended", Info, "Access is paused. Only you can resume it.";
    /// After resuming one.
    TransferResumed = "transfer-resumed", Success, "Access is open again.";
    /// After completing one.
    TransferCompleted = "transfer-completed", Success, "The transfer is completed.";
    /// After ending one.
    TransferTerminated = "transfer-terminated", Info, "The transfer is ended, and the other side will be told.";
    /// After revoking a token.
    TokenRevoked = "token-revoked", Success, "The token is revoked. Programs that use it are refused from now on.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_lead_back_to_notices() {
        let mut seen = HashSet::new();
        for notice in Notice::ALL {
            assert!(seen.insert(notice.code()), "{} twice", notice.code());
            assert_eq!(Notice::from_code(notice.code()), Some(*notice));
            assert!(!notice.flash().text.is_empty());
        }
        assert_eq!(Notice::from_code("<b>"), None);
    }
}
