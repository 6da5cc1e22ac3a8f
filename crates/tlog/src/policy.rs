//! Trust policies: which logs, which witnesses, and how many of them. One file says what a checkpoint needs to be
//! believed, and other programs read the same file.

use crate::{
    Checkpoint, Note,
    checkpoint::CheckpointError,
    note::{KeyKind, NoteError, VerifierKey},
    text::decimal,
};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Largest policy file: a thousand lines of the longest keys.
pub const POLICY_BYTES_MAX: usize = 512 << 10;
/// Most logs, witnesses or groups: the specification asks for 32 of each.
pub const DEFINITIONS_MAX: usize = 256;

/// What is wrong with a policy file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PolicyError {
    /// Too large, or too many definitions.
    #[error("a policy has at most {POLICY_BYTES_MAX} bytes and {DEFINITIONS_MAX} logs, witnesses or groups")]
    TooLarge,
    /// A line that is none of the specification's.
    #[error("line {line}: {why}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// In words.
        why: String,
    },
    /// A policy says exactly once what is enough.
    #[error("there is no quorum line")]
    NoQuorum,
}

/// Why a policy does not accept a checkpoint.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Unsatisfied {
    /// The note is none of a checkpoint, or a known signature does not hold.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// No log of the policy with this origin has signed.
    #[error("no log of the policy has signed the checkpoint of {0}")]
    Log(String),
    /// Too few of the witnesses, or not the right ones.
    #[error("the quorum is not reached: {0} of the policy's witnesses have cosigned")]
    Quorum(usize),
}

/// A log of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Its key, named like its origin.
    pub key: VerifierKey,
    /// Where to reach it, if said.
    pub url: Option<String>,
}

/// A witness of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its name within the policy.
    pub name: String,
    /// Its key.
    pub key: VerifierKey,
    /// Where to reach it, if said.
    pub url: Option<String>,
}

/// A group of witnesses or groups, of which `threshold` are enough.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<String>,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: BTreeMap<String, Group>,
    /// Name of a witness or group; `None` if no cosignature is asked for.
    quorum: Option<String>,
}

/// A checkpoint that a policy accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// Every witness of the policy that cosigned, by its name there, with the time in seconds since 1970.
    pub witnesses: Vec<(String, u64)>,
}

impl Policy {
    /// A policy that trusts these logs and asks all of these witnesses, or no one if there are none.
    pub fn all(logs: &[VerifierKey], witnesses: &[VerifierKey]) -> Result<Self, PolicyError> {
        let mut text = String::new();
        for log in logs {
            text += &format!("log {log}\n");
        }
        for (number, witness) in witnesses.iter().enumerate() {
            text += &format!("witness w{number} {witness}\n");
        }
        if witnesses.is_empty() {
            text += "quorum none\n";
        } else {
            let names: Vec<_> = (0..witnesses.len()).map(|n| format!("w{n}")).collect();
            text += &format!("group everyone all {}\nquorum everyone\n", names.join(" "));
        }
        Self::parse(text.as_bytes())
    }

    /// Reads a policy file. Text must be UTF-8: the specification recommends it, and messages can then name names.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > POLICY_BYTES_MAX {
            return Err(PolicyError::TooLarge);
        }
        let mut parser = Parser::default();
        for (number, line) in bytes.split(|b| *b == b'\n').enumerate() {
            parser.line(line).map_err(|why| PolicyError::Line { line: number + 1, why })?;
        }
        let quorum = parser.quorum.ok_or(PolicyError::NoQuorum)?;
        let quorum = match quorum {
            Quorum::Nobody => None,
            Quorum::Name(name) => Some(name),
        };
        let policy = Self { logs: parser.logs, witnesses: parser.witnesses, groups: parser.groups, quorum };
        let most = policy.logs.len().max(policy.witnesses.len()).max(policy.groups.len());
        if most > DEFINITIONS_MAX { Err(PolicyError::TooLarge) } else { Ok(policy) }
    }

    /// The logs it trusts.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The witnesses it knows.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Whether these witnesses, by their names in the policy, are enough.
    pub fn is_quorum(&self, cosigned: &BTreeSet<&str>) -> bool {
        self.quorum.as_ref().is_none_or(|name| self.has_witnessed(name, cosigned))
    }

    /// Members are defined before their groups, so this ends.
    fn has_witnessed(&self, name: &str, cosigned: &BTreeSet<&str>) -> bool {
        match self.groups.get(name) {
            Some(group) => group.members.iter().filter(|m| self.has_witnessed(m, cosigned)).count() >= group.threshold,
            None => cosigned.contains(name),
        }
    }

    /// Checks a checkpoint: signed by a log of the policy for its own origin, every known signature right, and cosigned
    /// by a quorum.
    pub fn check(&self, note: &Note) -> Result<Trusted, Unsatisfied> {
        let checkpoint = Checkpoint::parse(note.text())?;
        let keys: Vec<&VerifierKey> = self.logs.iter().map(|l| &l.key).chain(self.witnesses.iter().map(|w| &w.key)).collect();
        let verified = match note.verify(keys.iter().copied()) {
            Ok(verified) => verified,
            Err(NoteError::NoKnownSignature) => return Err(Unsatisfied::Log(checkpoint.origin)),
            Err(error) => return Err(CheckpointError::from(error).into()),
        };
        let by_log = |key: &VerifierKey| key.name().as_str() == checkpoint.origin && self.logs.iter().any(|l| &l.key == key);
        if !verified.iter().any(|v| by_log(v.key)) {
            return Err(Unsatisfied::Log(checkpoint.origin));
        }
        let witnesses: Vec<(String, u64)> =
            verified.iter().filter_map(|v| Some((self.witnesses.iter().find(|w| &w.key == v.key)?.name.clone(), v.time?))).collect();
        if !self.is_quorum(&witnesses.iter().map(|(name, _)| name.as_str()).collect()) {
            return Err(Unsatisfied::Quorum(witnesses.len()));
        }
        Ok(Trusted { checkpoint, witnesses })
    }
}

/// What was read so far.
#[derive(Default)]
struct Parser {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: BTreeMap<String, Group>,
    /// Names that are a group's member already: each counts in one place only.
    used: BTreeSet<String>,
    quorum: Option<Quorum>,
}

/// What a quorum line says.
enum Quorum {
    Nobody,
    Name(String),
}

impl Parser {
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if line.iter().any(|b| (*b < 0x20 && *b != b'\t') || *b == 0x7f) {
            return Err("control characters are not allowed".into());
        }
        let line = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
        let words: Vec<&str> = line.split([' ', '\t']).filter(|w| !w.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key, url @ ..] => self.log(key, url),
            ["witness", name, key, url @ ..] => self.witness(name, key, url),
            ["group", name, threshold, members @ ..] => self.group(name, threshold, members),
            ["quorum", name] => self.quorum(name),
            [word @ ("log" | "witness" | "group" | "quorum"), ..] => Err(format!("{word} with too few or too many words")),
            [word, ..] => Err(format!("unknown word {word:?}")),
        }
    }

    fn log(&mut self, key: &str, url: &[&str]) -> Result<(), String> {
        let key = parse_key(key, KeyKind::Ed25519)?;
        if self.logs.iter().any(|l| l.key.public_key() == key.public_key()) {
            return Err("a log with this public key is there already".into());
        }
        self.logs.push(Log { key, url: parse_url(url)? });
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str, url: &[&str]) -> Result<(), String> {
        let key = parse_key(key, KeyKind::CosignatureV1)?;
        self.new_name(name)?;
        if self.witnesses.iter().any(|w| w.key.public_key() == key.public_key()) {
            return Err("a witness with this public key is there already".into());
        }
        self.witnesses.push(Witness { name: name.to_owned(), key, url: parse_url(url)? });
        Ok(())
    }

    fn group(&mut self, name: &str, threshold: &str, members: &[&str]) -> Result<(), String> {
        self.new_name(name)?;
        let threshold = match threshold {
            "any" => 1,
            "all" => members.len(),
            number => decimal(number).and_then(|n| usize::try_from(n).ok()).ok_or("a threshold is any, all or a number")?,
        };
        if threshold < 1 || threshold > members.len() {
            return Err(format!("of {} members, {threshold} cannot be the threshold", members.len()));
        }
        for member in members {
            self.known_name(member)?;
            if !self.used.insert((*member).to_owned()) {
                return Err(format!("{member} is a member already"));
            }
        }
        self.groups.insert(name.to_owned(), Group { threshold, members: members.iter().map(|m| (*m).to_owned()).collect() });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), String> {
        if self.quorum.is_some() {
            return Err("a second quorum".into());
        }
        if name == "none" {
            self.quorum = Some(Quorum::Nobody);
            return Ok(());
        }
        self.known_name(name)?;
        self.quorum = Some(Quorum::Name(name.to_owned()));
        Ok(())
    }

    fn is_known(&self, name: &str) -> bool {
        self.groups.contains_key(name) || self.witnesses.iter().any(|w| w.name == name)
    }

    fn known_name(&self, name: &str) -> Result<(), String> {
        if self.is_known(name) { Ok(()) } else { Err(format!("{name} is not defined before this line")) }
    }

    fn new_name(&self, name: &str) -> Result<(), String> {
        if name == "none" || self.is_known(name) { Err(format!("the name {name} is taken")) } else { Ok(()) }
    }
}

fn parse_key(text: &str, kind: KeyKind) -> Result<VerifierKey, String> {
    let key: VerifierKey = text.parse().map_err(|e: NoteError| e.to_string())?;
    if key.kind() == kind { Ok(key) } else { Err(format!("the key is of type {:#04x}, not {:#04x}", key.kind().byte(), kind.byte())) }
}

fn parse_url(words: &[&str]) -> Result<Option<String>, String> {
    match words {
        [] => Ok(None),
        [url] => Ok(Some((*url).to_owned())),
        _ => Err("more words than a key and a URL".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cosignature::CosigningKey,
        hash::leaf_hash,
        note::{KeyName, SigningKey},
    };
    use proptest::prelude::*;

    fn log(name: &str, seed: u8) -> SigningKey {
        SigningKey::from_seed(KeyName::parse(name).expect("a name"), &[seed; 32]).expect("a key")
    }

    fn witness(seed: u8) -> CosigningKey {
        CosigningKey::from_seed(KeyName::parse(&format!("w{seed}.example")).expect("a name"), &[seed; 32]).expect("a key")
    }

    fn key(seed: u8) -> String {
        witness(seed).verifier().to_string()
    }

    /// The example of c2sp.org/tlog-policy, with keys.
    fn example() -> String {
        let mut text = format!("# our policy\n\nlog {} https://log.example/\n", log("log.example", 1).verifier());
        for (n, name) in (10..).zip(["X1", "X2", "X3", "Y1", "Y2", "Y3"]) {
            text += &format!(" witness\t{name}  {} \n", key(n));
        }
        text + "group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
    }

    fn note(signers: &[u8]) -> Note {
        let checkpoint = Checkpoint::new("log.example", 7, leaf_hash(b"x")).expect("good");
        let mut note = checkpoint.sign(&log("log.example", 1)).expect("signs");
        for seed in signers {
            note.add(witness(*seed).sign(&checkpoint, u64::from(*seed)).expect("a time")).expect("room");
        }
        note
    }

    #[test]
    fn the_example_of_the_specification() {
        let policy = Policy::parse(example().as_bytes()).expect("a policy");
        assert_eq!((policy.logs().len(), policy.witnesses().len()), (1, 6));
        assert_eq!(policy.logs()[0].url.as_deref(), Some("https://log.example/"));
        let enough = |names: &[&str]| policy.is_quorum(&names.iter().copied().collect());
        assert!(enough(&["X1", "X3", "Y2"]) && enough(&["X1", "X2", "X3", "Y1", "Y2", "Y3"]));
        assert!(!enough(&["X1", "Y1", "Y2", "Y3"]) && !enough(&["X1", "X2", "X3"]) && !enough(&[]));

        let trusted = policy.check(&note(&[10, 12, 14])).expect("enough");
        assert_eq!(trusted.checkpoint.size, 7);
        assert_eq!(trusted.witnesses, [("X1".into(), 10), ("X3".into(), 12), ("Y2".into(), 14)]);
        assert_eq!(policy.check(&note(&[10, 13, 14, 15])), Err(Unsatisfied::Quorum(4)));
        assert_eq!(policy.check(&note(&[10, 99, 98, 13])), Err(Unsatisfied::Quorum(2)), "strangers do not count");
    }

    #[test]
    fn the_log_must_have_signed_for_its_own_origin() {
        let a = log("log.example", 1);
        let policy = Policy::parse(format!("log {}\nlog {}\nquorum none\n", a.verifier(), log("other.example", 2).verifier()).as_bytes())
            .expect("a policy");
        let checkpoint = Checkpoint::new("log.example", 7, leaf_hash(b"x")).expect("good");
        assert!(policy.check(&checkpoint.sign(&a).expect("signs")).is_ok());
        let by_other = checkpoint.sign(&log("other.example", 2)).expect("signs");
        assert_eq!(policy.check(&by_other), Err(Unsatisfied::Log("log.example".into())));
        assert_eq!(policy.check(&checkpoint.sign(&log("log.example", 3)).expect("signs")), Err(Unsatisfied::Log("log.example".into())));
        let mut forged = checkpoint.sign(&a).expect("signs");
        let mut signature = a.sign(&checkpoint.to_string());
        signature.bytes[5] ^= 1;
        forged.add(signature).expect("room");
        assert!(matches!(policy.check(&forged), Err(Unsatisfied::Checkpoint(_))));
        let not_one = Note::new("hello\n".into(), vec![a.sign("hello\n")]).expect("a note");
        assert!(matches!(policy.check(&not_one), Err(Unsatisfied::Checkpoint(_))));
        let only_witness = Policy::all(&[], &[witness(10).verifier().clone()]).expect("a policy");
        assert_eq!(only_witness.check(&note(&[10])), Err(Unsatisfied::Log("log.example".into())), "a witness is no log");
    }

    #[test]
    fn wrong_policies_are_refused_by_line() {
        let log = log("log.example", 1).verifier().to_string();
        let same_key_other_name = CosigningKey::from_seed(KeyName::parse("other.example").expect("a name"), &[10; 32]).expect("a key");
        let witnesses = format!("witness a {}\nwitness b {}\n", key(10), key(11));
        let bad = [
            ("witness none X\nquorum none", 1),
            ("quorum none\nquorum none", 2),
            ("quorum a", 1),
            ("quorum", 1),
            ("quorum none none", 1),
            ("LOG x", 1),
            ("log", 1),
            ("log x y z", 1),
            ("\n\nnonsense", 3),
            ("quorum none\r\n", 1),
            ("quorum none\n\0", 2),
            ("quorum\u{a0}none", 1),
            ("#ok\nquorum\u{2003}none", 2),
            (&format!("log {log}\nlog {log}"), 2),
            (&format!("log {log} https://a https://b"), 1),
            (&format!("log {}", key(10)), 1),
            (&format!("witness a {log}"), 1),
            (&format!("witness a {}\nwitness a {}", key(10), key(11)), 2),
            (&format!("witness a {}\nwitness b {}", key(10), same_key_other_name.verifier()), 2),
            (&format!("witness none {}", key(10)), 1),
            (&format!("{witnesses}group g 0 a b"), 3),
            (&format!("{witnesses}group g 3 a b"), 3),
            (&format!("{witnesses}group g 01 a b"), 3),
            (&format!("{witnesses}group g -1 a b"), 3),
            (&format!("{witnesses}group g ALL a b"), 3),
            (&format!("{witnesses}group g all"), 3),
            (&format!("{witnesses}group g any"), 3),
            (&format!("{witnesses}group g any a a"), 3),
            (&format!("{witnesses}group g any none"), 3),
            (&format!("{witnesses}group g any c"), 3),
            (&format!("{witnesses}group g any g"), 3),
            (&format!("{witnesses}group a any b"), 3),
            (&format!("{witnesses}group g any a\ngroup h any a"), 4),
            (&format!("{witnesses}quorum a b"), 3),
        ];
        for (text, line) in bad {
            assert!(
                matches!(Policy::parse(text.as_bytes()), Err(PolicyError::Line { line: l, .. }) if l == line),
                "{text:?}: {:?}",
                Policy::parse(text.as_bytes())
            );
        }
        assert_eq!(Policy::parse(b""), Err(PolicyError::NoQuorum));
        assert_eq!(Policy::parse(b"# quorum none\n"), Err(PolicyError::NoQuorum));
        assert_eq!(Policy::parse(&vec![b'#'; POLICY_BYTES_MAX + 1]), Err(PolicyError::TooLarge));
        assert!(matches!(Policy::parse(b"quorum none\n\xff"), Err(PolicyError::Line { line: 2, .. })));
        assert!(Policy::parse(format!("{witnesses}quorum b").as_bytes()).is_ok(), "without a last newline, too");
    }

    #[test]
    fn groups_in_a_long_chain_end() {
        let mut text = format!("witness w {}\ngroup g0 any w\n", key(10));
        for n in 1..DEFINITIONS_MAX {
            text += &format!("group g{n} any g{}\n", n - 1);
        }
        let chain = format!("{text}quorum g{}\n", DEFINITIONS_MAX - 1);
        assert!(Policy::parse(chain.as_bytes()).expect("a policy").is_quorum(&BTreeSet::from(["w"])));
        text += &format!("group last any g{}\nquorum last\n", DEFINITIONS_MAX - 1);
        assert_eq!(Policy::parse(text.as_bytes()), Err(PolicyError::TooLarge));
    }

    #[test]
    fn a_policy_of_everyone() {
        let keys = [10, 11].map(|n| witness(n).verifier().clone());
        let policy = Policy::all(&[log("log.example", 1).verifier().clone()], &keys).expect("a policy");
        assert!(policy.check(&note(&[10, 11])).is_ok() && policy.check(&note(&[10])).is_err());
        assert!(Policy::all(&[], &[keys[0].clone(), keys[0].clone()]).is_err(), "one key is one witness");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), words in "((log|witness|group|quorum|any|all|none|a|b|#|2)[ \t\n]){0,30}") {
            let _ = Policy::parse(&bytes);
            let _ = Policy::parse(words.as_bytes());
        }
    }
}
