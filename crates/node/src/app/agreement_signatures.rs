//! Signatures of agreements. Who sends an agreement, and who verifies it, signs it with the token of that message: a JWS
//! by the party's key over the agreement's digest. Both sides keep both.
//!
//! Deviation: the Dataspace Protocol has no signature of agreements. The claim is an addition to a token that a connector
//! which knows nothing of it takes as it is; its own agreements are then signed by one side, or by none.

use crate::identity::{
    Caller,
    keys::PublicJwk,
    token::{self, AgreementClaim, Signed},
};
use fondaco_core::{
    Code, Error, Result,
    agreement::Agreement,
    negotiation::Negotiation,
    participant::{Did, Slug},
};
use fondaco_store::{SignatureRow, Tx};

/// Keeps a signature.
///
/// # Errors
/// When the database fails.
pub fn keep(tx: &mut Tx, slug: &Slug, signer: &Did, signed: &Signed) -> Result<()> {
    let row = SignatureRow {
        participant: slug.clone(),
        agreement_id: signed.claim.id.clone(),
        signer: signer.clone(),
        digest: signed.claim.sha256.clone(),
        jws: signed.jws.clone(),
        key: serde_json::to_string(&signed.key).map_err(Error::internal_failure)?,
        signed_at: tx.now(),
    };
    Ok(tx.agreement_sign(&row)?)
}

/// Keeps the signature that a peer's message brought, if there is an agreement by now.
///
/// The outer error is ours, the inner one is for the peer.
///
/// # Errors
/// When the database fails.
pub fn received(tx: &mut Tx, n: &Negotiation, caller: &Caller) -> Result<Result<()>> {
    let (Some(signed), Some(agreement)) = (&caller.signed, n.state.agreement()) else { return Ok(Ok(())) };
    if signed.claim != AgreementClaim::of(agreement) {
        return Ok(Err(Error::new(Code::AgreementMismatch, "The token of the message signs another agreement than this one.")));
    }
    keep(tx, &n.participant, &caller.did, signed).map(Ok)
}

/// Whether a signature is one of a party under this very document.
pub fn is_valid(row: &SignatureRow, agreement: &Agreement) -> bool {
    let party = [&agreement.assigner, &agreement.assignee].contains(&&row.signer);
    let key = serde_json::from_str::<PublicJwk>(&row.key).ok();
    party && key.is_some_and(|key| token::signs(&row.jws, &key, &row.signer, &AgreementClaim::of(agreement)))
}
