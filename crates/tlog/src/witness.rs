//! The witness protocol: what a log sends (`add-checkpoint`), and what a witness makes of it. The decision is a function;
//! that it is taken and its new state stored in one transaction is the caller's part, and the whole point: of two
//! requests at once, the later one must see what the first one left.

use crate::{
    Checkpoint, Hash, Note,
    cosignature::CosigningKey,
    hash::empty_root,
    note::{NOTE_BYTES_MAX, NoteError, Signature, VerifierKey},
    text::{decimal, line},
    verify,
};
use sha2::{Digest as _, Sha256};
use std::fmt;
use thiserror::Error;

/// Most hashes of a consistency proof, by the specification.
pub const PROOF_HASHES_MAX: usize = 63;
/// Largest request: the largest note after the longest proof.
pub const REQUEST_BYTES_MAX: usize = NOTE_BYTES_MAX + PROOF_HASHES_MAX * 45 + 32;
/// Content type of the answer that tells which size was cosigned last.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// The body of `add-checkpoint`: a checkpoint, and the proof that it continues the one of size `old`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The size that the log believes the witness cosigned last.
    pub old: u64,
    /// From `old` to the checkpoint's size.
    pub proof: Vec<Hash>,
    /// The checkpoint as the log signed it.
    pub note: Note,
    /// And what it says.
    pub checkpoint: Checkpoint,
}

/// Why a body is no request: answered with 400.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct MalformedRequest(String);

impl Request {
    /// A request for a checkpoint of ours.
    pub fn new(old: u64, proof: Vec<Hash>, note: Note) -> Result<Self, MalformedRequest> {
        if proof.len() > PROOF_HASHES_MAX {
            return Err(MalformedRequest(format!("a proof has at most {PROOF_HASHES_MAX} hashes")));
        }
        let checkpoint = Checkpoint::parse(note.text()).map_err(|e| MalformedRequest(e.to_string()))?;
        Ok(Self { old, proof, note, checkpoint })
    }

    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, MalformedRequest> {
        let malformed = |why: &str| MalformedRequest(why.to_owned());
        if body.len() > REQUEST_BYTES_MAX {
            return Err(malformed("the body is too large"));
        }
        let body = std::str::from_utf8(body).map_err(|_| malformed("the body is not UTF-8"))?;
        let (first, mut rest) = line(body).ok_or_else(|| malformed("the first line does not end"))?;
        let old = first.strip_prefix("old ").and_then(decimal).ok_or_else(|| malformed("the first line is not old and a size"))?;
        let mut proof = Vec::new();
        let note = loop {
            let (hash, after) = line(rest).ok_or_else(|| malformed("no empty line before the checkpoint"))?;
            if hash.is_empty() {
                break after;
            }
            if proof.len() == PROOF_HASHES_MAX {
                return Err(MalformedRequest(format!("a proof has at most {PROOF_HASHES_MAX} hashes")));
            }
            proof.push(Hash::from_base64(hash).ok_or_else(|| malformed("a line of the proof is not a hash in base64"))?);
            rest = after;
        };
        let note = Note::parse(note.as_bytes()).map_err(|e| MalformedRequest(e.to_string()))?;
        Self::new(old, proof, note)
    }
}

/// The body.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.note)
    }
}

/// What a witness remembers of a log: the last tree it cosigned, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Leaves of the tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// Time of the cosignature, in seconds since 1970.
    pub time: u64,
}

/// A log that a witness takes checkpoints of.
#[derive(Clone, Debug)]
pub struct TrustedLog {
    /// Its origin line.
    pub origin: String,
    /// Its keys: one of them must have signed.
    pub keys: Vec<VerifierKey>,
}

/// Why a witness does not cosign.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// Not a request.
    #[error("malformed: {0}")]
    Malformed(#[from] MalformedRequest),
    /// The old size is beyond the checkpoint's.
    #[error("malformed: the old size is larger than the checkpoint")]
    OldBeyondCheckpoint,
    /// Nobody told the witness to trust this log.
    #[error("unknown log")]
    UnknownOrigin,
    /// No trusted key signed, or its signature does not hold.
    #[error("{0}")]
    NotSigned(NoteError),
    /// The log is behind, ahead, or was restored from a backup: it must prove from `last`.
    #[error("the last cosigned size is {last}")]
    WrongOld {
        /// What the witness cosigned last; 0 if nothing.
        last: u64,
    },
    /// A tree of the same size with another root: the log has forked, and this checkpoint is the evidence.
    #[error("another root was cosigned at this size")]
    OtherRoot,
    /// The proof does not show that the tree continues the last one.
    #[error("the consistency proof does not hold: {0}")]
    Inconsistent(verify::ProofError),
    /// The witness's clock stands before its last cosignature: it would say what is not so.
    #[error("the clock is behind the last cosignature")]
    ClockBehind,
}

impl Refusal {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::OldBeyondCheckpoint => 400,
            Self::NotSigned(_) => 403,
            Self::UnknownOrigin => 404,
            Self::WrongOld { .. } => 409,
            Self::OtherRoot | Self::Inconsistent(_) => 422,
            Self::ClockBehind => 503,
        }
    }

    /// The content type of [`Refusal::body`].
    pub fn content_type(&self) -> &'static str {
        if matches!(self, Self::WrongOld { .. }) { SIZE_CONTENT_TYPE } else { "text/plain; charset=utf-8" }
    }

    /// The body of the answer.
    pub fn body(&self) -> String {
        match self {
            Self::WrongOld { last } => format!("{last}\n"),
            other => format!("{other}\n"),
        }
    }

    /// Whether the log's own signature proves that it showed two histories. (A proof that does not hold may also be the
    /// sender's mistake: worth keeping, but no evidence.)
    pub fn proves_fork(&self) -> bool {
        matches!(self, Self::OtherRoot)
    }

    /// Whether the request, validly signed, may point to a log that misbehaves and should be kept.
    pub fn is_suspicious(&self) -> bool {
        matches!(self, Self::OtherRoot | Self::Inconsistent(_))
    }
}

/// A request that a witness may cosign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What to store, before the cosignature leaves the witness.
    pub state: State,
    checkpoint: Checkpoint,
    log: Vec<Signature>,
}

impl Accepted {
    /// The answer's lines, and the note to serve to monitors: the log's verified signatures and the cosignature.
    pub fn cosign(self, key: &CosigningKey) -> Result<(String, Note), NoteError> {
        let Some(signature) = key.sign(&self.checkpoint, self.state.time) else {
            return Err(NoteError::Malformed("the time is none that a cosignature can have"));
        };
        let mut note = Note::new(self.checkpoint.to_string(), self.log)?;
        note.add(signature.clone())?;
        Ok((signature.to_string(), note))
    }
}

/// Decides about a request, by what was cosigned `last` of this log, what is trusted of it (`log`, found by
/// [`Checkpoint::origin`]), and the time now in seconds since 1970. In the order of the specification.
pub fn decide(last: Option<&State>, request: &Request, log: Option<&TrustedLog>, now: u64) -> Result<Accepted, Refusal> {
    let checkpoint = &request.checkpoint;
    let log = log.filter(|log| log.origin == checkpoint.origin).ok_or(Refusal::UnknownOrigin)?;
    let verified = request.note.verify(&log.keys).map_err(Refusal::NotSigned)?;
    if request.old > checkpoint.size {
        return Err(Refusal::OldBeyondCheckpoint);
    }
    let (last_size, last_root) = last.map_or_else(|| (0, empty_root()), |last| (last.size, last.root));
    if request.old != last_size {
        return Err(Refusal::WrongOld { last: last_size });
    }
    if checkpoint.size == last_size && checkpoint.root != last_root {
        return Err(Refusal::OtherRoot);
    }
    if request.old == 0 {
        if !request.proof.is_empty() {
            return Err(Refusal::Inconsistent(verify::ProofError::Length(request.proof.len())));
        }
    } else {
        verify::consistency(request.old, &last_root, checkpoint.size, &checkpoint.root, &request.proof).map_err(Refusal::Inconsistent)?;
    }
    if last.is_some_and(|last| now < last.time) {
        return Err(Refusal::ClockBehind);
    }
    let by_log = |s: &&Signature| verified.iter().any(|v| v.key.name() == &s.name && v.key.id() == s.id);
    Ok(Accepted {
        state: State { size: checkpoint.size, root: checkpoint.root, time: now },
        checkpoint: checkpoint.clone(),
        log: request.note.signatures().iter().filter(by_log).cloned().collect(),
    })
}

/// The size in a witness's answer of status 409.
pub fn parse_size(body: &[u8]) -> Option<u64> {
    // The longest number and its newline.
    let body = body.get(..body.len().min(21))?;
    decimal(std::str::from_utf8(body).ok()?.strip_suffix('\n')?)
}

/// The cosignatures of an answer that hold for this checkpoint, by the witness's keys. Others are ignored; one that does
/// not hold, or none at all, refuses the answer.
pub fn parse_cosignatures(body: &[u8], checkpoint: &Note, keys: &[VerifierKey]) -> Result<Vec<Signature>, NoteError> {
    let note = Note::new(checkpoint.text().to_owned(), Signature::parse_lines(body)?)?;
    let verified = note.verify(keys)?;
    let mut signatures: Vec<Signature> = Vec::new();
    for signature in note.signatures() {
        let known = verified.iter().any(|v| v.key.name() == &signature.name && v.key.id() == signature.id);
        if known && !signatures.iter().any(|s| s.name == signature.name && s.id == signature.id) {
            signatures.push(signature.clone());
        }
    }
    Ok(signatures)
}

/// Where a witness serves the latest checkpoint of a log, below its monitoring prefix.
pub fn monitoring_path(origin: &str) -> String {
    format!("{}/checkpoint", hex::encode(Sha256::digest(origin)))
}

#[cfg(test)]
mod tests;
