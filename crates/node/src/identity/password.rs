//! Passwords of the people who sign in to the console: Argon2id, RFC 9106, with the parameters that
//! [OWASP](https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html) recommends.

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc::PasswordHash};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use fondaco_core::{
    entropy::Entropy,
    error::{Code, Error, Result},
};
use std::sync::Arc;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Memory of one hash in KiB: 19 MiB.
const MEMORY_KIB: u32 = 19_456;
/// Passes over it.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// Bytes of salt.
const SALT_BYTES: usize = 16;
/// Length of a hash: the crate's own default.
const HASH_BYTES: usize = 32;
/// Shortest password accepted when one is set. Length is what resists guessing; rules about characters are not.
pub const PASSWORD_MIN_CHARS: usize = 12;
/// Longest password looked at: a long sentence. Longer input is only work for us.
pub const PASSWORD_MAX_BYTES: usize = 512;
/// Hashes computed at once: each holds 19 MiB and a processor.
const AT_ONCE: usize = 2;
/// Attempts that may wait for their turn. More are told to come back, so that a flood cannot pile up.
const WAITING_MAX: usize = 64;

/// Hashes and checks passwords, a few at a time. Cheap to clone; clones share the turn.
#[derive(Clone, Debug)]
pub struct Passwords {
    waiting: Arc<Semaphore>,
    turn: Arc<Semaphore>,
    decoy: Arc<str>,
}

impl Passwords {
    /// Also makes the hash that unknown users are checked against: random bytes in the form of a hash. Computing a real
    /// one would cost every start 20 ms and 19 MiB, and no password belongs to this one either.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let mut unknowable = [0u8; HASH_BYTES];
        entropy.fill(&mut unknowable);
        let (salt, hash) = (STANDARD_NO_PAD.encode(salt(entropy)), STANDARD_NO_PAD.encode(unknowable));
        let decoy = format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}").into();
        Self { waiting: Arc::new(Semaphore::new(WAITING_MAX)), turn: Arc::new(Semaphore::new(AT_ONCE)), decoy }
    }

    /// The hash to store for a new password, as a PHC string.
    ///
    /// # Errors
    /// [`Code::Invalid`] when it is too short or too long, [`Code::TooMany`] when too many wait.
    pub async fn hash(&self, password: Zeroizing<String>, entropy: &dyn Entropy) -> Result<String> {
        if password.chars().count() < PASSWORD_MIN_CHARS || password.len() > PASSWORD_MAX_BYTES {
            return Err(Error::invalid(format!(
                "A password has at least {PASSWORD_MIN_CHARS} characters and at most {PASSWORD_MAX_BYTES} bytes."
            )));
        }
        let salt = salt(entropy);
        self.in_turn(move || hash_now(password.as_bytes(), &salt)).await?
    }

    /// True when the password belongs to the stored hash. Without one (an unknown user) it takes as long and is false,
    /// so that the time of the answer does not tell who exists.
    ///
    /// # Errors
    /// [`Code::TooMany`] when too many wait; an internal failure when the stored hash cannot be read.
    pub async fn verify(&self, password: Zeroizing<String>, stored: Option<&str>) -> Result<bool> {
        if password.len() > PASSWORD_MAX_BYTES {
            return Ok(false);
        }
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.decoy).to_owned();
        let matches = self.in_turn(move || verify_now(password.as_bytes(), &stored)).await??;
        Ok(known && matches)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let waiting = Arc::clone(&self.waiting)
            .try_acquire_owned()
            .map_err(|_| Error::new(Code::TooMany, "Too many people are signing in. Try again in a moment."))?;
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(Error::internal_failure)?;
        // Both go with the work, not with the caller: somebody who hangs up has not freed a processor.
        let job = tokio::task::spawn_blocking(move || {
            let _held = (waiting, turn);
            work()
        });
        job.await.map_err(Error::internal_failure)
    }
}

fn salt(entropy: &dyn Entropy) -> [u8; SALT_BYTES] {
    let mut salt = [0u8; SALT_BYTES];
    entropy.fill(&mut salt);
    salt
}

fn hasher() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::internal_failure)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &[u8], salt: &[u8]) -> Result<String> {
    let hash: PasswordHash = hasher()?.hash_password_with_salt(password, salt).map_err(Error::internal_failure)?;
    Ok(hash.to_string())
}

fn verify_now(password: &[u8], stored: &str) -> Result<bool> {
    match hasher()?.verify_password(password, stored) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(e) => Err(Error::internal_failure(format!("a stored password hash cannot be read: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::OsEntropy;

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_password_matches() {
        let passwords = Passwords::new(&OsEntropy);
        let stored = passwords.hash(secret("correct horse battery"), &OsEntropy).await.expect("hash");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(passwords.verify(secret("correct horse battery"), Some(&stored)).await.expect("verify"));
        for wrong in ["correct horse batter", "Correct horse battery", "", &"x".repeat(PASSWORD_MAX_BYTES + 1)] {
            assert!(!passwords.verify(secret(wrong), Some(&stored)).await.expect("verify"), "{wrong}");
        }
        assert!(!passwords.verify(secret("correct horse battery"), None).await.expect("unknown user"));
        assert_ne!(passwords.hash(secret("correct horse battery"), &OsEntropy).await.expect("hash"), stored, "salted");
        assert_eq!(passwords.verify(secret("x"), Some("not a hash")).await.expect_err("damaged").code(), Code::Internal);
    }

    #[tokio::test]
    async fn lengths_are_checked_when_set() {
        let passwords = Passwords::new(&OsEntropy);
        for bad in ["", "elevenchars", &"x".repeat(PASSWORD_MAX_BYTES + 1)] {
            assert_eq!(passwords.hash(secret(bad), &OsEntropy).await.expect_err(bad).code(), Code::Invalid);
        }
        assert!(passwords.hash(secret("十二个字符的密码也可以用哦"), &OsEntropy).await.is_ok());
    }

    #[test]
    fn a_hash_of_another_implementation_is_read() {
        // Made with Python's `argon2-cffi` with the same parameters.
        let foreign = "$argon2id$v=19$m=19456,t=2,p=1$QNIMe9N7OeU7fPFjzl4g/Q$0Y8rMy51vmtUL0lgdN7SQ5W9bsY6GfX3YvpwmKtCUYg";
        assert!(verify_now(b"correct horse battery", foreign).expect("verify"));
        assert!(!verify_now(b"correct horse batterY", foreign).expect("verify"));
    }

    #[tokio::test]
    async fn a_flood_is_turned_away() {
        let passwords = Passwords::new(&OsEntropy);
        let _busy = passwords.turn.acquire_many(u32::try_from(AT_ONCE).expect("small")).await.expect("turn");
        let flood = (0..=WAITING_MAX).map(|_| Box::pin(passwords.verify(secret("x"), None)));
        let mut flood: Vec<_> = flood.collect();
        // Each waits in turn while nothing moves; only the one above the limit is answered.
        let mut answered = Vec::new();
        for attempt in &mut flood {
            if let Some(answer) = futures::FutureExt::now_or_never(attempt) {
                answered.push(answer.expect_err("turned away").code());
            }
        }
        assert_eq!(answered, [Code::TooMany]);
    }
}
