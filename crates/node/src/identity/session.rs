//! Console sessions: a random id in a cookie, its hash in the database, and a token against cross-site requests.
//!
//! Cookies by RFC 6265bis. Not `__Host-`: that prefix demands `Secure`, and the console is plain http on loopback.
//! `SameSite=Lax` keeps the cookie out of other sites' POSTs and still lets a link in a chat open the console signed in;
//! `Strict` would not. Browsers share cookies between all ports of a host, so the name carries the port: several nodes
//! on one machine, as in the demo, must not sign each other out.

use crate::{
    net::address::is_loopback_host,
    secrets::entropy::{SECRET_BYTES, random_text},
};
use fondaco_core::{entropy::Entropy, time::Micros};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;
use zeroize::Zeroizing;

/// How long a session lives: a working day; people sign in once.
pub const SESSION_LIFE: Micros = Micros::from_secs(12 * 60 * 60);
/// The name of the cookie, before the port.
pub const COOKIE_NAME: &str = "fondaco_session";
/// Characters of a session id and of a CSRF token: 32 bytes in base64url.
pub const SECRET_CHARS: usize = 43;
/// Longest `Cookie` header searched: what browsers send at most for one host, roughly.
const COOKIE_HEADER_MAX_BYTES: usize = 8 * 1024;

/// A session just begun.
pub struct NewSession {
    /// The id, for the cookie only.
    pub id: Zeroizing<String>,
    /// What is stored: SHA-256 of the id, in hex.
    pub id_hash: String,
    /// The token that every form of this session carries. Stored as it is: it is worth nothing without the cookie.
    pub csrf: String,
}

/// Begins a session.
pub fn begin(entropy: &dyn Entropy) -> NewSession {
    let id = Zeroizing::new(random_text::<SECRET_BYTES>(entropy));
    let id_hash = digest(&id);
    NewSession { id, id_hash, csrf: random_text::<SECRET_BYTES>(entropy) }
}

/// The hash to look up for a session id that was sent; `None` for what cannot be one.
pub fn hash(id: &str) -> Option<String> {
    let usable = id.len() == SECRET_CHARS && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    usable.then(|| digest(id))
}

/// True when a form's token is the session's. Takes the same time wherever they differ.
pub fn csrf_matches(expected: &str, given: &str) -> bool {
    !expected.is_empty() && bool::from(expected.as_bytes().ct_eq(given.as_bytes()))
}

fn digest(id: &str) -> String {
    hex::encode(Sha256::digest(id.as_bytes()))
}

/// How this node writes and reads its session cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCookie {
    name: String,
    secure: bool,
}

impl SessionCookie {
    /// For a console at the given address. Off loopback the cookie is `Secure`, so a console that is wrongly served in
    /// plain http to others cannot be signed in to rather than leaking sessions.
    pub fn new(admin: &Url) -> Self {
        let name = admin.port().map_or_else(|| COOKIE_NAME.to_owned(), |port| format!("{COOKIE_NAME}_{port}"));
        Self { name, secure: admin.scheme() == "https" || !is_loopback_host(admin) }
    }

    /// The name of the cookie.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `Set-Cookie` value that begins a session in the browser.
    pub fn set(&self, id: &str) -> String {
        format!("{}={id}; Max-Age={}{}", self.name, SESSION_LIFE.0 / 1_000_000, self.attributes())
    }

    /// The `Set-Cookie` value that ends it.
    pub fn clear(&self) -> String {
        format!("{}=; Max-Age=0{}", self.name, self.attributes())
    }

    fn attributes(&self) -> &'static str {
        if self.secure { "; Path=/; HttpOnly; SameSite=Lax; Secure" } else { "; Path=/; HttpOnly; SameSite=Lax" }
    }

    /// The session id in a `Cookie` header. Two cookies of the name are none: one of them was planted.
    pub fn find<'a>(&self, header: &'a str) -> Option<&'a str> {
        if header.len() > COOKIE_HEADER_MAX_BYTES {
            return None;
        }
        let mut found = header.split(';').filter_map(|pair| pair.trim().split_once('=')).filter(|(name, _)| *name == self.name);
        match (found.next(), found.next()) {
            (Some((_, id)), None) if hash(id).is_some() => Some(id),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::OsEntropy;

    fn cookie(admin: &str) -> SessionCookie {
        SessionCookie::new(&Url::parse(admin).expect("url"))
    }

    #[test]
    fn sessions_are_found_by_hash() {
        let session = begin(&OsEntropy);
        assert_eq!(hash(&session.id), Some(session.id_hash.clone()));
        assert_ne!(*session.id, session.csrf);
        for bad in ["", "short", &format!("{}x", *session.id), &"é".repeat(22)[..SECRET_CHARS - 1]] {
            assert_eq!(hash(bad), None, "{bad}");
        }
    }

    #[test]
    fn csrf_tokens_are_compared_whole() {
        let session = begin(&OsEntropy);
        assert!(csrf_matches(&session.csrf, &session.csrf.clone()));
        for bad in ["", &session.csrf[1..], &session.csrf[..42], &begin(&OsEntropy).csrf] {
            assert!(!csrf_matches(&session.csrf, bad), "{bad}");
        }
        assert!(!csrf_matches("", ""), "a session without a token accepts nothing");
    }

    #[test]
    fn cookies_fit_the_address() {
        for (admin, name, secure) in [
            ("http://127.0.0.1:7401", "fondaco_session_7401", false),
            ("http://[::1]:7401", "fondaco_session_7401", false),
            ("http://localhost:8080", "fondaco_session_8080", false),
            ("https://127.0.0.1:7401", "fondaco_session_7401", true),
            ("http://0.0.0.0:7401", "fondaco_session_7401", true),
            ("http://10.0.0.5:7401", "fondaco_session_7401", true),
            ("https://console.example", "fondaco_session", true),
        ] {
            let cookie = cookie(admin);
            assert_eq!(cookie.name(), name, "{admin}");
            for value in [cookie.set("abc"), cookie.clear()] {
                assert!(value.contains("; HttpOnly") && value.contains("; SameSite=Lax") && value.contains("; Path=/"), "{value}");
                assert_eq!(value.contains("; Secure"), secure, "{admin}");
            }
        }
        assert_eq!(cookie("http://127.0.0.1:7401").set("abc"), "fondaco_session_7401=abc; Max-Age=43200; Path=/; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn only_one_whole_cookie_counts() {
        let cookie = cookie("http://127.0.0.1:7401");
        let id = begin(&OsEntropy).id;
        let pair = format!("fondaco_session_7401={}", *id);
        assert_eq!(cookie.find(&pair), Some(id.as_str()));
        assert_eq!(cookie.find(&format!("a=b; {pair}; c")), Some(id.as_str()));
        for bad in [
            String::new(),
            "fondaco_session_7401".into(),
            format!("{pair}; {pair}"),
            format!("{pair}x"),
            format!("fondaco_session_7401={}", "!".repeat(SECRET_CHARS)),
            format!("x{pair}"),
            pair.replace("7401", "7402"),
            format!("{pair}; a={}", "x".repeat(COOKIE_HEADER_MAX_BYTES)),
        ] {
            assert_eq!(cookie.find(&bad), None, "{bad}");
        }
    }
}
