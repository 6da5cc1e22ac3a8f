//! Checkpoints: the text of a note that says how large a log's tree is and what its root is.

use crate::{
    Hash, Note,
    note::{NoteError, SigningKey, VerifierKey},
    text::{decimal, line},
};
use std::fmt;
use thiserror::Error;

/// Longest origin: what ML-DSA cosignatures can hold.
pub const ORIGIN_BYTES_MAX: usize = 255;

/// Why a text is no checkpoint.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CheckpointError {
    /// The origin is empty, too long, or has control characters.
    #[error("the origin of a checkpoint has 1 to {ORIGIN_BYTES_MAX} bytes in one line")]
    Origin,
    /// The second line is not a size as the specification writes it.
    #[error("the second line of a checkpoint is a size in decimal")]
    Size,
    /// The third line is not a hash.
    #[error("the third line of a checkpoint is a hash in base64")]
    Root,
    /// An empty line, or the end is missing.
    #[error("a checkpoint is of lines that are not empty and end")]
    Lines,
    /// The note is none, or its signatures do not hold.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// A log's tree at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log, by recommendation a URL without scheme.
    pub origin: String,
    /// Leaves of the tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// Lines that mean nothing to auditors; ours has none.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// A checkpoint without extensions.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        let checkpoint = Self { origin: origin.to_owned(), size, root, extensions: Vec::new() };
        // What cannot be read back must not be signed.
        Self::parse(&checkpoint.to_string())
    }

    /// Reads the text of a note, signatures apart.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let (origin, rest) = line(text).ok_or(CheckpointError::Lines)?;
        if origin.is_empty() || origin.len() > ORIGIN_BYTES_MAX || origin.chars().any(|c| c < ' ') {
            return Err(CheckpointError::Origin);
        }
        let (size, rest) = line(rest).ok_or(CheckpointError::Lines)?;
        let size = decimal(size).ok_or(CheckpointError::Size)?;
        let (root, rest) = line(rest).ok_or(CheckpointError::Lines)?;
        let root = Hash::from_base64(root).ok_or(CheckpointError::Root)?;
        let mut extensions = Vec::new();
        if !rest.is_empty() {
            let lines = rest.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
            extensions.extend(lines.split('\n').map(str::to_owned));
        }
        if extensions.iter().any(|e| e.is_empty() || e.chars().any(|c| c < ' ')) {
            return Err(CheckpointError::Lines);
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }

    /// The note of this checkpoint with one signature: what a log publishes.
    pub fn sign(&self, key: &SigningKey) -> Result<Note, NoteError> {
        let text = self.to_string();
        let signature = key.sign(&text);
        Note::new(text, vec![signature])
    }

    /// Reads a checkpoint that one of `keys` (and not only a witness) must have signed.
    pub fn open<'k>(note: &Note, keys: impl IntoIterator<Item = &'k VerifierKey>) -> Result<Self, CheckpointError> {
        note.verify(keys)?;
        Self::parse(note.text())
    }
}

/// The text of the note.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|e| writeln!(f, "{e}"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of c2sp.org/tlog-checkpoint.
    pub(crate) const TEXT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_example_of_the_specification_reads() {
        let checkpoint = Checkpoint::parse(TEXT).expect("a checkpoint");
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(checkpoint.to_string(), TEXT);
        let extended = format!("{TEXT}an extension\n");
        assert_eq!(Checkpoint::parse(&extended).expect("a checkpoint").to_string(), extended);
    }

    #[test]
    fn other_texts_are_refused() {
        let bad = [
            String::new(),
            "\n".into(),
            TEXT.trim_end().into(),
            TEXT.replace("20852163", "020852163"),
            TEXT.replace("20852163", "+20852163"),
            TEXT.replace("20852163", "-1"),
            TEXT.replace("20852163", ""),
            TEXT.replace("20852163", "9223372036854775808"),
            TEXT.replace("20852163", "20852163 "),
            TEXT.replace("example.com/behind-the-sofa", ""),
            TEXT.replace("example", &"e".repeat(256)),
            TEXT.replace("example", "exam\tple"),
            TEXT.replace("q2I=", "q2J="),
            TEXT.replace("q2I=", "q2I"),
            TEXT.replace("q2I=", "q2I=="),
            TEXT.replace("CsUY", ""),
            TEXT.replace('\n', "\r\n"),
            format!("{TEXT}\n"),
            format!("{TEXT}\nx\n"),
            format!("{TEXT}x\n\n"),
            format!("{TEXT}x"),
            format!("\n{TEXT}"),
        ];
        for text in bad {
            assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
        }
        assert!(Checkpoint::new("two\nlines", 0, crate::hash::empty_root()).is_err());
        assert!(Checkpoint::new("", 0, crate::hash::empty_root()).is_err());
        assert!(Checkpoint::new("a.example", u64::MAX, crate::hash::empty_root()).is_err());
    }

    proptest! {
        #[test]
        fn checkpoints_are_read_back(origin in "[^\\x00-\\x1f]{1,60}", size in 0..=crate::SIZE_MAX, root: [u8; 32]) {
            let checkpoint = Checkpoint::new(&origin, size, Hash(root)).expect("good");
            prop_assert_eq!(Checkpoint::parse(&checkpoint.to_string()), Ok(checkpoint));
        }
    }
}
