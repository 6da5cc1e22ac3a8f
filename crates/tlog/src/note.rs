//! Signed notes: a text and lines of signatures, each by a key with a name. Signatures of unknown keys are ignored, so
//! that signers can be added; one of a known key that does not hold makes the whole note worthless.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::{Signer as _, VerifyingKey};
use sha2::{Digest as _, Sha256};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// Largest note: a checkpoint with the most signatures, of the size that ML-DSA needs, with room to spare.
pub const NOTE_BYTES_MAX: usize = 128 << 10;
/// Most signatures: the specification asks for 16 at least; a quorum of more than 32 witnesses is unheard of.
pub const SIGNATURES_MAX: usize = 64;
/// Longest key name: what ML-DSA cosignatures can hold.
pub const NAME_BYTES_MAX: usize = 255;
/// Bytes of an Ed25519 signature.
pub(crate) const ED25519_BYTES: usize = 64;
/// What signature lines begin with.
const PREFIX: &str = "\u{2014} ";

/// Why a note, a key or a signature is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NoteError {
    /// Not text and signature lines as the specification has them.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// Larger than any note should be.
    #[error("a note has at most {NOTE_BYTES_MAX} bytes and {SIGNATURES_MAX} signatures")]
    TooLarge,
    /// Not a key's text.
    #[error("not a verifier key: {0}")]
    Key(&'static str),
    /// A key of a kind that is not supported.
    #[error("signature type {0:#04x} is not supported")]
    KeyKind(u8),
    /// A known key's signature does not hold.
    #[error("the signature of {0} does not hold")]
    BadSignature(String),
    /// Two known keys have the same name and id.
    #[error("two keys share the name and id {0}")]
    Ambiguous(String),
    /// Nobody who is known has signed.
    #[error("no known key has signed")]
    NoKnownSignature,
}

/// What a key signs: the byte of its kind goes into its id, so that one key in two kinds has two ids. Other kinds
/// (ML-DSA-44 is 0x06) are added here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// A note's text.
    Ed25519,
    /// A checkpoint, with the time: `cosignature/v1`.
    CosignatureV1,
}

impl KeyKind {
    /// The byte the specification assigns.
    pub fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Ed25519, Self::CosignatureV1].into_iter().find(|k| k.byte() == byte)
    }
}

/// A key's id: the first bytes of a hash. Short, so that it identifies among trusted keys and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A key's name, by recommendation a URL without scheme, such as `example.com/log`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Any text that signature lines can hold: not empty, without spaces, `+` or control characters.
    pub fn parse(text: &str) -> Option<Self> {
        let good = !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(|c| c.is_whitespace() || c < ' ' || c == '+');
        good.then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A public key with its name: what one trusts. Its text form is a *vkey*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    kind: KeyKind,
    id: KeyId,
    key: VerifyingKey,
}

impl VerifierKey {
    fn new(name: KeyName, kind: KeyKind, key: VerifyingKey) -> Result<Self, NoteError> {
        // A key of small order "verifies" signatures of others; one of two encodings of a point has two ids.
        if key.is_weak() || key.to_edwards().compress().to_bytes() != key.to_bytes() {
            return Err(NoteError::Key("the public key is weak or not canonical"));
        }
        let id = key_id(&name, kind, &key);
        Ok(Self { name, kind, id, key })
    }

    /// Its name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// Its id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What it signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public key itself: two names with one key are one signer.
    pub fn public_key(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Checks a signature over a note's text. The time of a cosignature is returned, in seconds since 1970.
    fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<u64>, NoteError> {
        let bad = || NoteError::BadSignature(self.name.to_string());
        match self.kind {
            KeyKind::Ed25519 => self.verify_bytes(text.as_bytes(), signature).then_some(None).ok_or_else(bad),
            KeyKind::CosignatureV1 => {
                let (time, signature) = signature.split_first_chunk::<8>().ok_or_else(bad)?;
                let time = u64::from_be_bytes(*time);
                let dated = crate::cosignature::is_time(time) && crate::Checkpoint::parse(text).is_ok();
                (dated && self.verify_bytes(crate::cosignature::message(text, time).as_bytes(), signature))
                    .then_some(Some(time))
                    .ok_or_else(bad)
            }
        }
    }

    fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = <[u8; ED25519_BYTES]>::try_from(signature) else { return false };
        self.key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature)).is_ok()
    }
}

fn key_id(name: &KeyName, kind: KeyKind, key: &VerifyingKey) -> KeyId {
    let hash: [u8; 32] =
        Sha256::new().chain_update(name.as_str()).chain_update([b'\n', kind.byte()]).chain_update(key.as_bytes()).finalize().into();
    KeyId([hash[0], hash[1], hash[2], hash[3]])
}

/// The vkey: `<name>+<id in hex>+<base64 of kind and public key>`.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.kind.byte()];
        material.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, self.id, BASE64_STANDARD.encode(material))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("it has three parts with + between them"));
        };
        let name = KeyName::parse(name).ok_or(NoteError::Key("its name is empty, too long or has spaces"))?;
        let material = BASE64_STANDARD.decode(material).map_err(|_| NoteError::Key("its third part is not base64"))?;
        let (kind, key) = material.split_first().ok_or(NoteError::Key("it has no public key"))?;
        let kind = KeyKind::from_byte(*kind).ok_or(NoteError::KeyKind(*kind))?;
        let key = key.try_into().ok().and_then(|k| VerifyingKey::from_bytes(k).ok()).ok_or(NoteError::Key("its public key is no point"))?;
        let key = Self::new(name, kind, key)?;
        if key.id.to_string() == id { Ok(key) } else { Err(NoteError::Key("its id is not that of its name and public key")) }
    }
}

/// A private key that signs notes as a log does (Ed25519). Cosignatures have their own: [`crate::cosignature`].
#[derive(Clone)]
pub struct SigningKey {
    secret: ed25519_dalek::SigningKey,
    verifier: VerifierKey,
}

impl SigningKey {
    /// The key that 32 random bytes make, under a name (a log's: its origin).
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Result<Self, NoteError> {
        Self::of_kind(name, KeyKind::Ed25519, seed)
    }

    pub(crate) fn of_kind(name: KeyName, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, kind, secret.verifying_key())?;
        Ok(Self { secret, verifier })
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a note's text, which ends in a newline.
    pub fn sign(&self, text: &str) -> Signature {
        Signature { name: self.verifier.name.clone(), id: self.verifier.id, bytes: self.sign_bytes(text.as_bytes()).to_vec() }
    }

    pub(crate) fn sign_bytes(&self, message: &[u8]) -> [u8; ED25519_BYTES] {
        self.secret.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifier)
    }
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Who signed, by name.
    pub name: KeyName,
    /// And with which key.
    pub id: KeyId,
    /// The signature as its kind has it, without the id.
    pub bytes: Vec<u8>,
}

impl Signature {
    /// Reads one line without its newline.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("a signature line is a dash, a name and base64");
        let (name, encoded) = line.strip_prefix(PREFIX).and_then(|rest| rest.split_once(' ')).ok_or(malformed.clone())?;
        let name = KeyName::parse(name).ok_or(NoteError::Malformed("a key name is empty, too long or has a plus"))?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| malformed.clone())?;
        match bytes.split_first_chunk::<4>() {
            Some((id, bytes)) if !bytes.is_empty() => Ok(Self { name, id: KeyId(*id), bytes: bytes.to_vec() }),
            _ => Err(malformed),
        }
    }

    /// Reads lines, each with its newline, and nothing else: the answer of a witness. At least one.
    pub fn parse_lines(bytes: &[u8]) -> Result<Vec<Self>, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        lines(std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("it is not UTF-8"))?)
    }

    fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == key.name && self.id == key.id
    }
}

/// The line, with its newline.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{PREFIX}{} {}", self.name, BASE64_STANDARD.encode([&self.id.0[..], &self.bytes].concat()))
    }
}

fn lines(text: &str) -> Result<Vec<Signature>, NoteError> {
    let body = text.strip_suffix('\n').ok_or(NoteError::Malformed("the last line does not end"))?;
    if body.split('\n').count() > SIGNATURES_MAX {
        return Err(NoteError::TooLarge);
    }
    body.split('\n').map(Signature::parse).collect()
}

/// A text with signatures, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// A signature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<'k> {
    /// By whom.
    pub key: &'k VerifierKey,
    /// When, if it says so: in seconds since 1970.
    pub time: Option<u64>,
}

impl Note {
    /// A note of this text, which ends in a newline and has no other control characters, and one signature at least.
    pub fn new(text: String, signatures: Vec<Signature>) -> Result<Self, NoteError> {
        check_text(&text)?;
        if signatures.is_empty() {
            return Err(NoteError::Malformed("it has no signature"));
        }
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::TooLarge);
        }
        Ok(Self { text, signatures })
    }

    /// Reads a note. What it says counts for nothing until [`Note::verify`] has been asked.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("it is not UTF-8"))?;
        let end = note.rfind("\n\n").ok_or(NoteError::Malformed("no blank line before the signatures"))?;
        let (text, rest) = note.split_at(end + 1);
        check_text(text)?;
        Ok(Self { text: text.to_owned(), signatures: lines(&rest[1..])? })
    }

    /// The text, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signatures, verified or not.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature, in the place of an older one by the same key.
    pub fn add(&mut self, signature: Signature) -> Result<(), NoteError> {
        if let Some(old) = self.signatures.iter_mut().find(|s| s.name == signature.name && s.id == signature.id) {
            *old = signature;
        } else if self.signatures.len() < SIGNATURES_MAX {
            self.signatures.push(signature);
        } else {
            return Err(NoteError::TooLarge);
        }
        Ok(())
    }

    /// Who of `keys` has signed, each named once, in the order of the lines. Signatures of others are ignored; one of
    /// a known key that does not hold, or nobody known at all, refuses the note.
    pub fn verify<'k>(&self, keys: impl IntoIterator<Item = &'k VerifierKey>) -> Result<Vec<Verified<'k>>, NoteError> {
        let keys: Vec<&VerifierKey> = keys.into_iter().collect();
        let mut verified: Vec<Verified> = Vec::new();
        for signature in &self.signatures {
            let mut known = keys.iter().filter(|k| signature.is_by(k));
            let Some(&key) = known.next() else { continue };
            if known.any(|other| *other != key) {
                return Err(NoteError::Ambiguous(format!("{} {}", key.name, key.id)));
            }
            let time = key.verify(&self.text, &signature.bytes)?;
            if !verified.iter().any(|v| v.key == key) {
                verified.push(Verified { key, time });
            }
        }
        if verified.is_empty() { Err(NoteError::NoKnownSignature) } else { Ok(verified) }
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if !text.ends_with('\n') {
        return Err(NoteError::Malformed("the text does not end in a newline"));
    }
    if text.chars().any(|c| c < ' ' && c != '\n') {
        return Err(NoteError::Malformed("the text has control characters"));
    }
    Ok(())
}

/// The note as it is served and stored.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|s| s.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of c2sp.org/signed-note.
    const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo \
        Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    fn vkey() -> VerifierKey {
        VKEY.parse().expect("a vkey")
    }

    pub(crate) fn signer(name: &str, seed: u8) -> SigningKey {
        SigningKey::from_seed(KeyName::parse(name).expect("a name"), &[seed; 32]).expect("a key")
    }

    #[test]
    fn the_example_of_the_specification_verifies() {
        let key = vkey();
        assert_eq!(key.to_string(), VKEY);
        let note = Note::parse(NOTE.as_bytes()).expect("a note");
        assert_eq!(note.text(), "This is an example message.\n");
        assert_eq!(note.to_string(), NOTE);
        assert_eq!(note.verify([&key]), Ok(vec![Verified { key: &key, time: None }]));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let key = vkey();
        for at in 0..NOTE.len() {
            for bit in 0..8 {
                let mut bytes = NOTE.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                let verified = Note::parse(&bytes).and_then(|note| note.verify([&key]).map(|_| ()));
                assert!(verified.is_err(), "byte {at} bit {bit}");
                if let Ok(text) = std::str::from_utf8(&bytes) {
                    assert_ne!(Note::parse(text.as_bytes()).map(|n| n.to_string()), Ok(NOTE.to_owned()), "one form");
                }
            }
        }
        for at in 0..VKEY.len() {
            for bit in 0..8 {
                let mut bytes = VKEY.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                assert!(std::str::from_utf8(&bytes).is_ok_and(|t| t.parse::<VerifierKey>().is_ok()).eq(&false), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn unknown_keys_are_ignored_and_known_ones_must_hold() {
        let (a, b, c) = (signer("a.example", 1), signer("b.example", 2), signer("c.example", 3));
        let text = "hello\n";
        let note = Note::new(text.into(), vec![c.sign(text), a.sign(text), b.sign(text)]).expect("a note");
        let names = |keys: &[&SigningKey]| {
            let keys: Vec<_> = keys.iter().map(|k| k.verifier()).collect();
            note.verify(keys.iter().copied()).map(|v| v.iter().map(|v| v.key.name().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(names(&[&a, &b]), Ok(vec!["a.example".into(), "b.example".into()]));
        assert_eq!(names(&[&a]), Ok(vec!["a.example".into()]));
        assert_eq!(names(&[&signer("d.example", 4)]), Err(NoteError::NoKnownSignature));
        assert_eq!(names(&[&signer("a.example", 4)]), Err(NoteError::NoKnownSignature), "the same name, another key");
        assert_eq!(names(&[&signer("d.example", 1)]), Err(NoteError::NoKnownSignature), "the same key, another name");
        assert_eq!(names(&[]), Err(NoteError::NoKnownSignature));

        let mut bad = note.clone();
        bad.signatures[1] = Signature { bytes: c.sign(text).bytes, ..a.sign(text) };
        assert_eq!(bad.verify([a.verifier(), b.verifier()]).map(|_| ()), Err(NoteError::BadSignature("a.example".into())));
        assert!(bad.verify([b.verifier()]).is_ok(), "who does not know the key does not mind");
    }

    #[test]
    fn a_key_that_signs_twice_counts_once_and_both_must_hold() {
        let a = signer("a.example", 1);
        let twice = Note::new("x\n".into(), vec![a.sign("x\n"), a.sign("x\n")]).expect("a note");
        assert_eq!(twice.verify([a.verifier()]).map(|v| v.len()), Ok(1));
        let mixed = Note::new("x\n".into(), vec![a.sign("x\n"), a.sign("y\n")]).expect("a note");
        assert!(mixed.verify([a.verifier()]).is_err());
        let mut replaced = twice;
        replaced.signatures.pop();
        replaced.add(a.sign("y\n")).expect("room");
        assert_eq!(replaced.signatures(), [a.sign("y\n")]);
    }

    #[test]
    fn malformed_notes_are_refused() {
        let line = signer("a.example", 1).sign("x\n").to_string();
        assert!(Note::parse(format!("x\n\n{line}").as_bytes()).is_ok());
        assert!(Note::parse(format!("x\n\ny\n\n{line}").as_bytes()).is_ok_and(|n| n.text() == "x\n\ny\n"), "texts may have empty lines");
        let bad = [
            String::new(),
            "\n".into(),
            "\n\n".into(),
            "x\n\n".into(),
            "x\n".into(),
            format!("x\n{line}"),
            line.clone(),
            format!("\n{line}"),
            format!("x\n\n{line}\n"),
            format!("x\n\n{}", line.trim_end()),
            format!("x\n\n{}\r\n", line.trim_end()),
            format!("x\r\n\n{line}"),
            format!("x\t\n\n{line}"),
            format!("x\0\n\n{line}"),
            format!("x\n\n{line}y\n"),
            format!("x\n\n{}", line.replace('\u{2014}', "-")),
            format!("x\n\n{}", line.replace("\u{2014} ", "\u{2014}")),
            format!("x\n\n{}", line.replace("a.example", "a.example b")),
            format!("x\n\n{}", line.replace("a.example", "a+example")),
            format!("x\n\n{}", line.replace("a.example", "a\u{2003}example")),
            format!("x\n\n{}", line.replace("a.example", "")),
            format!("x\n\n{}", line.replace("a.example", &"a".repeat(256))),
            format!("x\n\n{}", line.replace("=\n", "\n")),
            "x\n\n\u{2014} a.example AAAA\n".into(),
            "x\n\n\u{2014} a.example AAAAAA==\n".into(),
            format!("x\n\n{}", line.repeat(SIGNATURES_MAX + 1)),
            format!("{}\n\n{line}", "x".repeat(NOTE_BYTES_MAX)),
        ];
        for note in bad {
            assert!(Note::parse(note.as_bytes()).is_err(), "{note:?}");
        }
        assert!(Note::parse(b"\xff\n\n").is_err());
        let most = Note::parse(format!("x\n\n{}", line.repeat(SIGNATURES_MAX)).as_bytes()).expect("at the limit");
        assert_eq!(most.clone().add(signer("b.example", 1).sign("x\n")), Err(NoteError::TooLarge));
        assert!(Note::new("x".into(), vec![signer("a", 1).sign("x\n")]).is_err());
        assert!(Note::new("x\n".into(), vec![]).is_err());
    }

    #[test]
    fn keys_that_prove_nothing_are_refused() {
        let vkey = |key: &[u8; 32], kind: u8| {
            let name = "a.example";
            let hash: [u8; 32] = Sha256::new().chain_update(name).chain_update([b'\n', kind]).chain_update(key).finalize().into();
            format!("{name}+{}+{}", hex::encode(&hash[..4]), BASE64_STANDARD.encode([&[kind][..], key].concat())).parse::<VerifierKey>()
        };
        assert!(vkey(signer("a.example", 1).verifier().public_key(), 1).is_ok());
        // The neutral element, other points of small order, and a second encoding of one (y = p + 1).
        let mut identity = [0; 32];
        identity[0] = 1;
        let order_4 = [0; 32];
        let mut order_2 = [0xff; 32];
        (order_2[0], order_2[31]) = (0xec, 0x7f);
        let mut second = [0xff; 32];
        (second[0], second[31]) = (0xee, 0x7f);
        for key in [identity, order_4, order_2, second] {
            assert!(matches!(vkey(&key, 1), Err(NoteError::Key(_))), "{key:?}");
            assert!(matches!(vkey(&key, 4), Err(NoteError::Key(_))), "{key:?}");
        }
        assert_eq!(vkey(signer("a.example", 1).verifier().public_key(), 6), Err(NoteError::KeyKind(6)));
        for bad in [
            "",
            "a",
            "a+530d903a",
            "a b+530d903a+AA==",
            &VKEY.replace("530d903a", "530D903A"),
            &VKEY.replace("foo", "fop"),
            &format!("{VKEY} "),
        ] {
            assert!(bad.parse::<VerifierKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let shown = format!("{:?}", signer("a.example", 7));
        assert!(shown.starts_with("SigningKey(a.example+") && !shown.contains("7, 7"), "{shown}");
    }

    proptest! {
        #[test]
        fn notes_are_read_back(text in "[^\\x00-\\x1f]{0,40}(\n[^\\x00-\\x1f]{0,40}){0,4}", seed: u8) {
            let text = format!("{text}\n");
            let key = signer("é.example/日本", seed);
            let note = Note::new(text.clone(), vec![key.sign(&text)]).expect("a note");
            let read = Note::parse(note.to_string().as_bytes()).expect("reads");
            prop_assert_eq!(&read, &note);
            prop_assert!(read.verify([key.verifier()]).is_ok());
        }

        #[test]
        fn any_bytes_are_read_back_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,20}\n\n— [a-z]{0,3} [A-Za-z0-9+/]{8,16}=?=?\n") {
            let _ = Note::parse(&bytes);
            if let Ok(note) = Note::parse(text.as_bytes()) {
                prop_assert_eq!(note.to_string(), text);
            }
        }
    }
}
