# What is said once after an action: notice-{name of the notice}.

notice-signed-out = You have signed out.
notice-product-withdrawn = The product is withdrawn. Agreements made before stay in force.
notice-negotiation-begun = Your request is on its way. This page follows what happens.
notice-negotiation-agreed = You agreed. The agreement is on its way to the consumer.
notice-offer-accepted = You accepted the offer. The provider signs next.
notice-negotiation-terminated = The negotiation is ended, and the other side will be told.
notice-access-requested = The provider was asked to open access. This page follows what happens.
notice-agreement-ended = The agreement is ended. Its transfers are ended and nothing more can be read.
notice-transfer-suspended = Access is paused. Only you can resume it.
notice-transfer-resumed = Access is open again.
notice-transfer-completed = The transfer is completed.
notice-transfer-terminated = The transfer is ended, and the other side will be told.
notice-token-revoked = The token is revoked. Programs that use it are refused from now on.
notice-peer-added = The peer is known now. Its catalogue is being read.
notice-peer-removed = The peer is removed. Deals with it stay.
notice-catalog-refreshed = The catalogue is being read again.
notice-published = It is in your catalogue.
notice-publication-discarded = It is discarded.
notice-publication-cancelled = Reading is stopped.
notice-publication-saved = Saved.
notice-connection-removed = The connection is removed.
notice-person-changed = The changes are saved.
notice-person-removed = The person is removed, and their sessions have ended.
notice-password-changed = Your password is changed. Your other sessions have ended.
