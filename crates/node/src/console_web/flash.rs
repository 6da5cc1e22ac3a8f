//! Notices after an action, shown once on the next page. The cookie carries the name of one, never a text.
//! A notice's text is the message `notice-{name}` of the console's catalogue.

use fondaco_console::{
    Text,
    view::{Flash, FlashKind},
};

macro_rules! notices {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $kind:ident;)+) => {
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
                match self {$(Self::$name => Flash { kind: FlashKind::$kind, text: Text::of("notice", $code) },)+}
            }
        }
    };
}

notices! {
    /// After signing out.
    SignedOut = "signed-out", Success;
    /// After withdrawing a product.
    ProductWithdrawn = "product-withdrawn", Success;
    /// After asking for an offer.
    NegotiationBegun = "negotiation-begun", Success;
    /// After agreeing.
    NegotiationAgreed = "negotiation-agreed", Success;
    /// After accepting an offer.
    OfferAccepted = "offer-accepted", Success;
    /// After offering other terms.
    NegotiationOffered = "negotiation-offered", Success;
    /// After asking for other terms.
    NegotiationCountered = "negotiation-countered", Success;
    /// After verifying an agreement.
    NegotiationVerified = "negotiation-verified", Success;
    /// After putting one in force.
    NegotiationFinalized = "negotiation-finalized", Success;
    /// After ending a negotiation.
    NegotiationTerminated = "negotiation-terminated", Info;
    /// After asking for access.
    AccessRequested = "access-requested", Success;
    /// After giving notice.
    AgreementEnded = "agreement-ended", Info;
    /// After recording a payment.
    AgreementPaid = "agreement-paid", Success;
    /// After an emergency stop.
    AgreementStopped = "agreement-stopped", Info;
    /// After taking it back.
    AgreementResumed = "agreement-resumed", Success;
    /// After the emergency stop of a product.
    ProductStopped = "product-stopped", Info;
    /// After taking it back.
    ProductResumed = "product-resumed", Success;
    /// After saving decision rules.
    RulesSaved = "rules-saved", Success;
    /// After opening access.
    TransferStarted = "transfer-started", Success;
    /// After pausing a transfer.
    TransferSuspended = "transfer-suspended", Info;
    /// After resuming one.
    TransferResumed = "transfer-resumed", Success;
    /// After completing one.
    TransferCompleted = "transfer-completed", Success;
    /// After ending one.
    TransferTerminated = "transfer-terminated", Info;
    /// After adding a peer.
    PeerAdded = "peer-added", Success;
    /// After removing one.
    PeerRemoved = "peer-removed", Success;
    /// After asking for a catalogue again.
    CatalogRefreshed = "catalog-refreshed", Info;
    /// After publishing.
    Published = "published", Success;
    /// After giving a publication up.
    PublicationDiscarded = "publication-discarded", Info;
    /// After stopping the reading of a source.
    PublicationCancelled = "publication-cancelled", Info;
    /// After saving a step that one stays on.
    PublicationSaved = "publication-saved", Success;
    /// After forgetting a connection.
    ConnectionRemoved = "connection-removed", Info;
    /// After changing somebody.
    PersonChanged = "person-changed", Success;
    /// After removing somebody.
    PersonRemoved = "person-removed", Info;
    /// After changing one's own password.
    PasswordChanged = "password-changed", Success;
    /// After revoking a token.
    TokenRevoked = "token-revoked", Success;
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
            assert!(notice.flash().text.exists(), "no message notice-{}", notice.code());
        }
        assert_eq!(Notice::from_code("<b>"), None);
    }
}
