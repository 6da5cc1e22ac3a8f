//! Access tokens: the bearer credential with which a consumer's client reads what one transfer opened.
//!
//! `fda_{transfer id}.{mac}` with `mac = base64url(HMAC-SHA256(key, participant's slug ‖ 0 ‖ transfer id))`. Nothing is
//! stored: whether the transfer still runs is asked at each call, so ending it ends the token at once.
//!
//! A token that OAuth gives in exchange for it ends by itself: `fda_{transfer id}.{seconds since 1970}.{mac}`, the end under
//! the MAC too.

use crate::secrets::seal::{DerivedKey, Sealer};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fondaco_core::{
    error::{Code, Error, Result},
    ids::TransferId,
    participant::Slug,
    time::Timestamp,
};

/// What every access token starts with.
pub const PREFIX: &str = "fda_";
/// Longest transfer id in a token: `trf_` and a UUID in hex have 36 characters.
const TRANSFER_ID_MAX_CHARS: usize = 64;
/// Characters of the MAC: 32 bytes in base64url.
const MAC_CHARS: usize = 43;
/// The label of the key.
const KEY_LABEL: &str = "fondaco access token v1";

/// Makes and checks access tokens with the node's key for them.
pub struct AccessTokens {
    key: hmac::Key,
}

impl std::fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessTokens(..)")
    }
}

impl AccessTokens {
    /// With the key derived from the node's master key.
    pub fn new(sealer: &Sealer) -> Self {
        let key: DerivedKey = sealer.derive(KEY_LABEL);
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()) }
    }

    /// The token of a transfer at a provider. Always the same, so it can be shown again.
    ///
    /// # Errors
    /// An internal failure for an id that could not be read back.
    pub fn mint(&self, participant: &Slug, transfer: &TransferId) -> Result<String> {
        if !id_usable(transfer.as_str()) {
            return Err(Error::internal_failure("a transfer id does not fit an access token"));
        }
        let mac = hmac::sign(&self.key, &message(participant, transfer.as_str()));
        Ok(format!("{PREFIX}{transfer}.{}", URL_SAFE_NO_PAD.encode(mac.as_ref())))
    }

    /// A token of a transfer that ends by itself. `until` is cut to whole seconds.
    ///
    /// # Errors
    /// As [`AccessTokens::mint`].
    pub fn mint_until(&self, participant: &Slug, transfer: &TransferId, until: Timestamp) -> Result<String> {
        if !id_usable(transfer.as_str()) {
            return Err(Error::internal_failure("a transfer id does not fit an access token"));
        }
        let end = until.as_millis() / 1_000;
        let mac = hmac::sign(&self.key, &ending(participant, transfer.as_str(), end));
        Ok(format!("{PREFIX}{transfer}.{end}.{}", URL_SAFE_NO_PAD.encode(mac.as_ref())))
    }

    /// The transfer that a token of either form opens at this participant now.
    ///
    /// # Errors
    /// As [`AccessTokens::verify`].
    pub fn verify_at(&self, participant: &Slug, token: &str, now: Timestamp) -> Result<TransferId> {
        let parts =
            token.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')).and_then(|(id, rest)| Some((id, rest.split_once('.')?)));
        let Some((id, (end, mac))) = parts else { return self.verify(participant, token) };
        let refused = || Error::new(Code::Unauthenticated, "The access token has ended, or is not valid here. Ask for another one.");
        // In its one spelling.
        let end = end.parse::<i64>().ok().filter(|n| n.to_string() == end).ok_or_else(refused)?;
        if mac.len() != MAC_CHARS || !id_usable(id) {
            return Err(refused());
        }
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| refused())?;
        hmac::verify(&self.key, &ending(participant, id, end), &mac).map_err(|_| refused())?;
        if now.as_millis() / 1_000 >= end { Err(refused()) } else { Ok(TransferId::from_stored(id)) }
    }

    /// The transfer that a token opens at this participant. Whether it still runs is the caller's next question.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`], the same for every reason.
    pub fn verify(&self, participant: &Slug, token: &str) -> Result<TransferId> {
        let refused =
            || Error::new(Code::Unauthenticated, "The access token is not valid here. Download the profile of your agreement again.");
        let (id, mac) = token.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')).ok_or_else(refused)?;
        if mac.len() != MAC_CHARS || !id_usable(id) {
            return Err(refused());
        }
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| refused())?;
        hmac::verify(&self.key, &message(participant, id), &mac).map_err(|_| refused())?;
        Ok(TransferId::from_stored(id))
    }
}

/// A slug has no zero byte, so the two cannot run into each other.
fn message(participant: &Slug, transfer: &str) -> Vec<u8> {
    [participant.as_str().as_bytes(), &[0], transfer.as_bytes()].concat()
}

/// No transfer id has a zero byte either.
fn ending(participant: &Slug, transfer: &str, end: i64) -> Vec<u8> {
    [&message(participant, transfer)[..], &[0], end.to_string().as_bytes()].concat()
}

fn id_usable(id: &str) -> bool {
    (1..=TRANSFER_ID_MAX_CHARS).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn tokens(byte: u8) -> AccessTokens {
        AccessTokens::new(&Sealer::from_master(Zeroizing::new([byte; 32])))
    }
    fn slug(text: &str) -> Slug {
        Slug::parse(text).expect("slug")
    }

    #[test]
    fn the_form_is_fixed() {
        let token = tokens(1).mint(&slug("acme"), &TransferId::from_stored("trf_0190")).expect("mint");
        // Computed with Python's `hmac` and `cryptography`: tokens handed out must survive an upgrade.
        assert_eq!(token, "fda_trf_0190.A_YtsSg4njffACFQcNJHZUQWro1VhSc2shLkMuctmZA");
    }

    #[test]
    fn a_token_opens_one_transfer_of_one_participant_of_one_node() {
        let id = TransferId::from_stored("trf_0190");
        let token = tokens(1).mint(&slug("acme"), &id).expect("mint");
        assert_eq!(tokens(1).verify(&slug("acme"), &token).expect("valid"), id);
        assert!(tokens(1).verify(&slug("other"), &token).is_err());
        assert!(tokens(2).verify(&slug("acme"), &token).is_err());
        assert!(tokens(1).verify(&slug("acme"), &token.replace("0190", "0191")).is_err());
    }

    #[test]
    fn a_token_that_ends_does() {
        let (tokens, slug, id) = (tokens(1), slug("acme"), TransferId::from_stored("trf_0190"));
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let token = tokens.mint_until(&slug, &id, at(1_000)).expect("mint");
        assert_eq!(tokens.verify_at(&slug, &token, at(999)).expect("valid"), id);
        assert!(tokens.verify_at(&slug, &token, at(1_000)).is_err());
        assert!(tokens.verify(&slug, &token).is_err(), "it is not the token of the transfer");
        let (start, mac) = token.rsplit_once('.').expect("parts");
        for forged in
            [token.replace(".1000.", ".9000."), token.replace(".1000.", ".01000."), format!("fda_trf_0190.{mac}"), format!("{start}.")]
        {
            assert!(tokens.verify_at(&slug, &forged, at(1)).is_err(), "{forged}");
        }
        let lasting = tokens.mint(&slug, &id).expect("mint");
        assert_eq!(tokens.verify_at(&slug, &lasting, at(5_000)).expect("valid"), id);
        let (_, lasting_mac) = lasting.split_once('.').expect("parts");
        assert!(tokens.verify_at(&slug, &format!("fda_trf_0190.1000.{lasting_mac}"), at(1)).is_err());
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let good = tokens(1).mint(&slug("acme"), &TransferId::from_stored("trf_0190")).expect("mint");
        for i in 0..good.len() {
            let mut changed = good.clone().into_bytes();
            changed[i] = if changed[i] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("text");
            let error = tokens(1).verify(&slug("acme"), &changed).expect_err(&changed);
            assert_eq!(error.code(), Code::Unauthenticated);
        }
        for bad in [
            "",
            "fda_",
            "fda_.",
            &good[..good.len() - 1],
            &format!("{good}A"),
            &format!("{good}="),
            &format!("fda_{}.{}", "x".repeat(65), "A".repeat(43)),
        ] {
            assert!(tokens(1).verify(&slug("acme"), bad).is_err(), "{bad}");
        }
        assert!(tokens(1).mint(&slug("acme"), &TransferId::from_stored("a.b")).is_err());
    }
}
