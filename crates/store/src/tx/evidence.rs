//! Evidence: what a participant keeps of each leaf of the log, and the leaf on its way into the tree.
//!
//! A leaf is written by [`Tx::log_append`] in the transaction of what it witnesses, so that there is never one without the
//! other. Its place in the tree it gets later, with many others: [`super::log`].

use super::{Tx, page, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{Row, Value, count, vals},
};
use fondaco_core::{
    evidence::{self, Event, Kind, SECRET_BYTES},
    ids::EvidenceId,
    participant::Slug,
    time::Timestamp,
};

/// What a participant keeps of a leaf.
#[derive(Clone, PartialEq, Eq)]
pub struct EvidenceRow {
    /// Its id.
    pub id: EvidenceId,
    /// Whose it is; the node's own when it is no participant's.
    pub participant: Option<Slug>,
    /// What happened.
    pub kind: Kind,
    /// When.
    pub at: Timestamp,
    /// The participant's DID.
    pub own: String,
    /// The other party's, if there is one.
    pub peer: Option<String>,
    /// What it is about.
    pub object: String,
    /// The agreement it belongs to, if it belongs to one.
    pub agreement_id: Option<String>,
    /// The document, unless it was erased.
    pub document: Option<String>,
    /// What opens the leaf, unless it was erased.
    pub secret: Option<[u8; SECRET_BYTES]>,
    /// Its place among all that were written.
    pub seq: u64,
    /// Its place in the tree, once it has one.
    pub leaf_index: Option<u64>,
}

impl std::fmt::Debug for EvidenceRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvidenceRow").field("id", &self.id).field("kind", &self.kind).field("seq", &self.seq).finish_non_exhaustive()
    }
}

/// Which evidence of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceFilter<'a> {
    /// All.
    All,
    /// Of an agreement.
    Agreement(&'a str),
    /// About one object.
    Object(&'a str),
}

/// Rows of evidence with their places in the tree.
macro_rules! rows {
    ($which:literal) => {
        concat!(
            "SELECT e.participant, e.id, e.seq, e.kind, e.at, e.own, e.peer, e.object, e.agreement_id, e.document, e.secret, ",
            "(SELECT CASE WHEN e.seq < r.first_seq + r.leaves THEN r.first_index + e.seq - r.first_seq END FROM log_run r ",
            "WHERE r.first_seq <= e.seq ORDER BY r.first_seq DESC LIMIT 1) FROM evidence e ",
            $which
        )
    };
}
pub(super) use rows;

statements! {
    APPEND = Same("INSERT INTO log_pending (entry) VALUES ($1) RETURNING seq");
    KEEP = Same("INSERT INTO evidence (participant, id, seq, kind, at, own, peer, object, agreement_id, document, secret) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
    GET = Same(rows!("WHERE e.participant = $1 AND e.id = $2"));
    LIST = Same(rows!("WHERE e.participant = $1 AND e.seq < $2 ORDER BY e.seq DESC LIMIT $3"));
    LIST_OF_AGREEMENT = Same(rows!("WHERE e.participant = $1 AND e.agreement_id = $4 AND e.seq < $2 ORDER BY e.seq DESC LIMIT $3"));
    LIST_OF_OBJECT = Same(rows!("WHERE e.participant = $1 AND e.object = $4 AND e.seq < $2 ORDER BY e.seq DESC LIMIT $3"));
    FORWARD = Same(rows!("WHERE e.participant = $1 AND e.agreement_id = $4 AND e.seq > $2 ORDER BY e.seq LIMIT $3"));
    AFTER = Same(rows!("WHERE e.seq > $1 ORDER BY e.seq LIMIT $2"));
    ERASE = Same("UPDATE evidence SET document = NULL, secret = NULL WHERE participant = $1 AND id = $2");
}

pub(super) fn read(row: &Row) -> Result<EvidenceRow, StoreError> {
    let secret = match &row.0.get(10) {
        Some(Value::Null) => None,
        _ => Some(row.blob(10)?.try_into().map_err(|_| StoreError::Corrupt("the secret of a leaf".into()))?),
    };
    Ok(EvidenceRow {
        participant: if row.text(0)?.is_empty() { None } else { Some(row.parsed(0, Slug::parse)?) },
        id: EvidenceId::from_stored(row.text(1)?),
        seq: row.count(2)?,
        kind: Kind::from_text(row.text(3)?).ok_or_else(|| StoreError::Corrupt("the kind of a leaf".into()))?,
        at: row.at(4)?,
        own: row.string(5)?,
        peer: row.opt_string(6)?,
        object: row.string(7)?,
        agreement_id: row.opt_string(8)?,
        document: row.opt_string(9)?,
        secret,
        leaf_index: row
            .opt_int(11)?
            .map(|n| u64::try_from(n).map_err(|_| StoreError::Corrupt("the place of a leaf".into())))
            .transpose()?,
    })
}

/// The column that says whose it is.
fn owner(participant: Option<&Slug>) -> &str {
    participant.map_or("", Slug::as_str)
}

impl Tx {
    /// Writes a leaf about an event of a participant, or of the node, and what opens it. It is in the tree soon after the commit.
    ///
    /// # Errors
    /// [`StoreError::Limit`] for an event that no leaf can be made of.
    pub fn log_append(&mut self, participant: Option<&Slug>, agreement_id: Option<&str>, event: Event) -> Result<EvidenceId, StoreError> {
        let (own, peer, object, kind, at) = (event.own.clone(), event.peer.clone(), event.object.clone(), event.kind, event.at);
        let record = evidence::record(event, self.entropy()).map_err(|e| StoreError::Limit(e.to_string()))?;
        let seq = self.log_put(record.entry.as_bytes())?;
        let id = EvidenceId::generate(self.now(), self.entropy());
        let params = vals![
            owner(participant),
            id.as_str(),
            seq,
            kind.as_str(),
            at,
            own,
            peer,
            object,
            agreement_id,
            record.document,
            record.secret.as_slice()
        ];
        self.execute(KEEP, params)?;
        Ok(id)
    }

    /// Writes a leaf and keeps nothing beside it: who wants to open it must have its document and secret. Its number
    /// ([`EvidenceRow::seq`]); it is in the tree soon after the commit.
    pub fn log_put(&mut self, entry: &[u8]) -> Result<i64, StoreError> {
        let seq = self.first(APPEND, vals![entry], |row| row.int(0))?;
        self.effects.leaves = true;
        seq.ok_or_else(|| StoreError::Database("a leaf got no number".into()))
    }

    /// By id.
    pub fn evidence_get(&mut self, participant: Option<&Slug>, id: &EvidenceId) -> Result<Option<EvidenceRow>, StoreError> {
        self.first(GET, vals![owner(participant), id.as_str()], read)
    }

    /// The evidence of a participant, the last written first; `before` is the number ([`EvidenceRow::seq`]) of the last one
    /// seen.
    pub fn evidence_list(
        &mut self,
        participant: Option<&Slug>,
        filter: EvidenceFilter<'_>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<EvidenceRow>, StoreError> {
        let (owner, before, limit) = (owner(participant), before.map_or(i64::MAX, count), page(limit));
        match filter {
            EvidenceFilter::All => self.list(LIST, vals![owner, before, limit], read),
            EvidenceFilter::Agreement(id) => self.list(LIST_OF_AGREEMENT, vals![owner, before, limit, id], read),
            EvidenceFilter::Object(id) => self.list(LIST_OF_OBJECT, vals![owner, before, limit, id], read),
        }
    }

    /// The evidence of an agreement in the order in which it was written; `after` is the number ([`EvidenceRow::seq`]) of the
    /// last one seen.
    pub fn evidence_of_agreement(
        &mut self,
        participant: &Slug,
        agreement: &str,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EvidenceRow>, StoreError> {
        self.list(FORWARD, vals![participant.as_str(), count(after), page(limit), agreement], read)
    }

    /// The evidence of all participants in the order in which it was written: for who checks the whole log.
    pub fn evidence_after(&mut self, seq: u64, limit: u32) -> Result<Vec<EvidenceRow>, StoreError> {
        self.list(AFTER, vals![count(seq), page(limit)], read)
    }

    /// Forgets what opens a leaf: it still proves that something of its kind happened then. False when there is none.
    pub fn evidence_erase(&mut self, participant: Option<&Slug>, id: &EvidenceId) -> Result<bool, StoreError> {
        Ok(self.execute(ERASE, vals![owner(participant), id.as_str()])? == 1)
    }
}
