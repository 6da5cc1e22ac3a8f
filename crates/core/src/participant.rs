//! Participants: organisations with a slug and a DID.
//!
//! DIDs are `did:web` ([method spec](https://w3c-ccg.github.io/did-method-web/)): the identifier *is* the address of
//! the document. `did:web:127.0.0.1%3A7400:p:acme` is `http://127.0.0.1:7400/p/acme/did.json`.

use crate::{
    decision::RuleSet,
    error::{Code, Error, Result},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use url::Url;

/// Longest slug: it is part of every URL and of the DID.
pub const SLUG_MAX_CHARS: usize = 63;
/// Longest DID: a host name (253) and a few path segments.
pub const DID_MAX_CHARS: usize = 512;
/// Longest display name.
pub const NAME_MAX_CHARS: usize = 200;

/// The short name of a participant on its node: lower-case letters, digits and inner hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Slug(String);

impl Slug {
    /// Checks the characters: they go into paths, DIDs and file names as they are.
    pub fn parse(text: &str) -> Result<Self> {
        let ok = !text.is_empty()
            && text.len() <= SLUG_MAX_CHARS
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(format!(
                "A participant's slug has 1 to {SLUG_MAX_CHARS} lower-case letters, digits or inner hyphens, for example \"acme\"."
            )))
        }
    }
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Slug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Slug {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// A participant's identity towards others. Usually a `did:web`; a static or mock authenticator may map peers to other
/// identifiers, so this type only promises a bounded, printable text. [`Did::web_location`] says where it lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Did(String);

impl Did {
    /// Any participant identifier: visible ASCII without spaces, at most [`DID_MAX_CHARS`].
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() || text.len() > DID_MAX_CHARS || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::new(Code::DidInvalid, "A participant id is 1 to 512 visible ASCII characters."));
        }
        Ok(Self(text.to_owned()))
    }
    /// The `did:web` of a participant at a node's public address (`http://host:port`).
    pub fn web(public: &Url, slug: &Slug) -> Result<Self> {
        let host = public.host_str().ok_or_else(|| Error::new(Code::DidInvalid, "The public address has no host."))?;
        // The method percent-encodes the port's colon; IPv6 literals keep brackets and get their colons encoded.
        let mut authority = host.replace(':', "%3A");
        if let Some(port) = public.port() {
            authority.push_str(&format!("%3A{port}"));
        }
        let prefix: String = public.path_segments().into_iter().flatten().filter(|s| !s.is_empty()).map(|s| format!(":{s}")).collect();
        Self::parse(&format!("did:web:{authority}{prefix}:p:{slug}"))
    }
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Where the DID document lives, as (host with port, path). The scheme is policy: https, or http where allowed.
    pub fn web_location(&self) -> Result<(String, String)> {
        let bad = |why: &str| Error::new(Code::DidInvalid, format!("\"{}\" is not a usable did:web: {why}.", self.0));
        let rest = self.0.strip_prefix("did:web:").ok_or_else(|| bad("it does not start with did:web:"))?;
        if rest.contains(['/', '?', '#', '@', '\\']) {
            return Err(bad("it contains characters of a URL"));
        }
        let mut parts = rest.split(':');
        let authority = percent_decode(parts.next().unwrap_or_default()).ok_or_else(|| bad("bad percent-encoding"))?;
        if authority.is_empty() || authority.contains(['/', '?', '#', '@', '\\', '%']) {
            return Err(bad("its host is not a host"));
        }
        let mut path = String::new();
        for part in parts {
            let segment = percent_decode(part).ok_or_else(|| bad("bad percent-encoding"))?;
            if segment.is_empty() || segment == "." || segment == ".." || segment.contains(['/', '\\', '?', '#', '%']) {
                return Err(bad("its path is not a path"));
            }
            path.push('/');
            path.push_str(&segment);
        }
        if path.is_empty() {
            path.push_str("/.well-known");
        }
        path.push_str("/did.json");
        Ok((authority, path))
    }
}

impl std::fmt::Display for Did {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Did {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let pair = [bytes.next()?, bytes.next()?];
            let pair = std::str::from_utf8(&pair).ok()?;
            out.push(u8::from_str_radix(pair, 16).ok()?);
        } else {
            out.push(b);
        }
    }
    let decoded = String::from_utf8(out).ok()?;
    decoded.bytes().all(|b| b.is_ascii_graphic()).then_some(decoded)
}

/// An organisation on this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Its short name here.
    pub slug: Slug,
    /// Its identity towards others.
    pub did: Did,
    /// Its name for people.
    pub name: String,
    /// Where it is established: ISO 3166-1 alpha-2, upper case. Declared to peers, signed, for `spatial` constraints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// What it does of its own accord as a consumer.
    #[serde(default)]
    pub rules: RuleSet,
    /// When it was added.
    pub created_at: Timestamp,
}

/// What a peer says of itself in its signed token, recorded with the negotiation: facts for `spatial` and `purpose`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declarations {
    /// ISO 3166-1 alpha-2 of its establishment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spatial: Option<String>,
    /// What it wants the product for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purpose: Vec<String>,
}

/// Most purposes one caller may declare: a sentence of them, not a dictionary.
pub const PURPOSES_MAX: usize = 20;
/// Longest declared value.
pub const DECLARED_VALUE_MAX_CHARS: usize = 200;

impl Declarations {
    /// True when every value is bounded.
    pub fn within_limits(&self) -> bool {
        self.purpose.len() <= PURPOSES_MAX
            && self.purpose.iter().chain(self.spatial.iter()).all(|v| !v.is_empty() && v.len() <= DECLARED_VALUE_MAX_CHARS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn did_and_location_match_the_method() {
        let public = Url::parse("http://127.0.0.1:7400").expect("url");
        let did = Did::web(&public, &Slug::parse("acme").expect("slug")).expect("did");
        assert_eq!(did.as_str(), "did:web:127.0.0.1%3A7400:p:acme");
        assert_eq!(did.web_location().expect("location"), ("127.0.0.1:7400".into(), "/p/acme/did.json".into()));
        let plain = Did::parse("did:web:example.org").expect("did");
        assert_eq!(plain.web_location().expect("location"), ("example.org".into(), "/.well-known/did.json".into()));
        let proxied = Did::web(&Url::parse("https://zone.example/fondaco/").expect("url"), &Slug::parse("a").expect("slug"));
        assert_eq!(proxied.expect("did").as_str(), "did:web:zone.example:fondaco:p:a");
    }

    #[test]
    fn tricks_are_refused() {
        for bad in [
            "did:key:z6Mk",
            "did:web:",
            "did:web:a%2Fb",
            "did:web:a%40b",
            "did:web:user@host",
            "did:web:a:..:b",
            "did:web:a:%2e%2e:b",
            "did:web:a:b%2Fc",
            "did:web:a::b",
            "did:web:a%zz",
            "did:web:a%0d%0ax",
            "did:web:a?b",
            "did:web:a#b",
            "did:web:a%2525",
        ] {
            let refused = Did::parse(bad).and_then(|d| d.web_location()).is_err();
            assert!(refused, "{bad}");
        }
        assert!(Did::parse("did:web:a b").is_err());
        assert!(Did::parse(&"x".repeat(DID_MAX_CHARS + 1)).is_err());
    }

    #[test]
    fn slugs_are_plain() {
        for good in ["a", "acme", "suzhou-industrial-park", "z9"] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a b", "a/b", "a.b", "ä", &"a".repeat(64)] {
            assert!(Slug::parse(bad).is_err(), "{bad}");
        }
    }
}
