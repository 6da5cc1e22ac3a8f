//! Signatures of agreements: who signed which document, as it was checked when it arrived.

use super::{Tx, page, statements};
use crate::{dialect::Sql::Same, error::StoreError, value::vals};
use fondaco_core::{
    participant::{Did, Slug},
    time::Timestamp,
};

/// Most signatures of one agreement that are read: each party signs once, and what else there is means no good.
const SIGNATURES_MAX: u32 = 20;

/// A signature of an agreement's document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureRow {
    /// Whose agreement it is here.
    pub participant: Slug,
    /// The agreement.
    pub agreement_id: String,
    /// Who signed.
    pub signer: Did,
    /// The digest that was signed.
    pub digest: String,
    /// The signed token, in compact form.
    pub jws: String,
    /// The public key it was checked with, as a JWK.
    pub key: String,
    /// When it was made or arrived here.
    pub signed_at: Timestamp,
}

statements! {
    INSERT = Same("INSERT INTO agreement_signature (participant, agreement_id, signer, digest, jws, key, signed_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING");
    OF = Same("SELECT participant, agreement_id, signer, digest, jws, key, signed_at FROM agreement_signature WHERE participant = $1 AND agreement_id = $2 ORDER BY signed_at, signer LIMIT $3");
}

impl Tx {
    /// Keeps a signature; the first of a signer for a document stays.
    pub fn agreement_sign(&mut self, row: &SignatureRow) -> Result<(), StoreError> {
        let params = vals![
            row.participant.as_str(),
            row.agreement_id.as_str(),
            row.signer.as_str(),
            row.digest.as_str(),
            row.jws.as_str(),
            row.key.as_str(),
            row.signed_at
        ];
        self.execute(INSERT, params).map(drop)
    }

    /// The signatures of an agreement, the first first.
    pub fn agreement_signatures(&mut self, participant: &Slug, agreement_id: &str) -> Result<Vec<SignatureRow>, StoreError> {
        self.list(OF, vals![participant.as_str(), agreement_id, page(SIGNATURES_MAX)], |row| {
            Ok(SignatureRow {
                participant: row.parsed(0, Slug::parse)?,
                agreement_id: row.string(1)?,
                signer: row.parsed(2, Did::parse)?,
                digest: row.string(3)?,
                jws: row.string(4)?,
                key: row.string(5)?,
                signed_at: row.at(6)?,
            })
        })
    }
}
