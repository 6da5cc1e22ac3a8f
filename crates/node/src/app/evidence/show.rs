//! Evidence as its owners see it.

use crate::{
    app::{
        App,
        views::{Listed, list_rows},
    },
    log::{
        receipt::{Receipt, Receipts},
        sequencer,
    },
};
use fondaco_core::{Code, Error, Result, ids::EvidenceId, participant::Slug};
use fondaco_store::{EvidenceFilter, EvidenceRow};
use fondaco_tlog::bundle::{Bundle, Opening};

/// Longest id asked for.
const ID_MAX_CHARS: usize = 1_000;

/// Which evidence to list, the newest first.
#[derive(Clone, Debug, Default)]
pub struct EvidenceAsked {
    /// Only of this agreement.
    pub agreement: Option<String>,
    /// Only about this.
    pub object: Option<String>,
    /// The cursor of the page before.
    pub after: Option<String>,
    /// Most rows.
    pub limit: Option<u32>,
}

impl App {
    /// The evidence of a participant, or of the node itself, the newest first.
    ///
    /// # Errors
    /// [`Code::Invalid`] for a cursor that is none.
    pub async fn evidence_list(&self, slug: Option<&Slug>, asked: EvidenceAsked) -> Result<Listed<EvidenceRow>> {
        let (slug, limit) = (slug.cloned(), list_rows(asked.limit));
        let before =
            asked.after.as_deref().map(str::parse).transpose().map_err(|_| Error::invalid("\"after\" is the \"next\" of a page."))?;
        if asked.agreement.is_some() && asked.object.is_some() {
            return Err(Error::invalid("Ask for an agreement or for an object, not for both."));
        }
        for id in [&asked.agreement, &asked.object].into_iter().flatten() {
            crate::app::bounded("id", id, ID_MAX_CHARS)?;
        }
        self.store
            .read("view.evidence", move |tx| -> Result<_> {
                let filter = match (&asked.agreement, &asked.object) {
                    (Some(id), _) => EvidenceFilter::Agreement(id),
                    (None, Some(id)) => EvidenceFilter::Object(id),
                    (None, None) => EvidenceFilter::All,
                };
                let rows = tx.evidence_list(slug.as_ref(), filter, before, limit + 1)?;
                Ok(Listed::cut(rows, limit, |row: &EvidenceRow| row.seq.to_string()))
            })
            .await
    }

    /// A piece of evidence.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn evidence(&self, slug: Option<&Slug>, id: &EvidenceId) -> Result<EvidenceRow> {
        let (slug, id) = (slug.cloned(), id.clone());
        let found = self.store.read("view.evidence_one", move |tx| -> Result<_> { Ok(tx.evidence_get(slug.as_ref(), &id)?) }).await?;
        found.ok_or_else(|| Error::not_found("The evidence"))
    }

    /// The bundle that proves a piece of evidence offline: its one text.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::NotYet`] while the leaf is not in the log: it is held, or the node has just started.
    pub async fn evidence_bundle(&self, slug: Option<&Slug>, id: &EvidenceId) -> Result<String> {
        let row = self.evidence(slug, id).await?;
        let found = self.evidence_bundles(vec![row]).await?;
        let not_yet = || {
            Error::new(
                Code::NotYet,
                "The leaf is not in the log yet: the node has just started, or the log is held. See: fondaco log status",
            )
        };
        found.into_iter().next().and_then(|(_, text)| text).ok_or_else(not_yet)
    }

    /// The evidence of an agreement, the oldest first; `after` is the cursor of the page before.
    ///
    /// # Errors
    /// [`Code::Invalid`] for a cursor that is none.
    pub(in crate::app) async fn evidence_of_agreement(
        &self,
        slug: &Slug,
        agreement: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Listed<EvidenceRow>> {
        let (slug, id, limit) = (slug.clone(), agreement.to_owned(), list_rows(Some(limit)));
        let after = after.map(str::parse).transpose().map_err(|_| Error::invalid("\"after\" is the \"next\" of a page."))?;
        self.store
            .read("evidence.of_agreement", move |tx| -> Result<_> {
                let rows = tx.evidence_of_agreement(&slug, &id, after.unwrap_or(0), limit + 1)?;
                Ok(Listed::cut(rows, limit, |row: &EvidenceRow| row.seq.to_string()))
            })
            .await
    }

    /// The bundles of pieces of evidence, each with its row as it is now: none for a leaf that is not in the log, as while it is
    /// held.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub(in crate::app) async fn evidence_bundles(&self, rows: Vec<EvidenceRow>) -> Result<Vec<(EvidenceRow, Option<String>)>> {
        if rows.iter().any(|row| row.leaf_index.is_none()) {
            // Now, instead of when the sequencer comes to it; once for all of them.
            sequencer::catch_up(self).await?;
        }
        let proved = self.store.read("evidence.receipts", move |tx| -> Result<_> {
            let mut receipts = Receipts::of(tx)?;
            let mut proved = Vec::with_capacity(rows.len());
            for mut row in rows {
                if row.leaf_index.is_none() {
                    row = tx.evidence_get(row.participant.as_ref(), &row.id)?.unwrap_or(row);
                }
                let receipt = match (receipts.as_mut(), row.leaf_index) {
                    (Some(receipts), Some(index)) => receipts.at(tx, index)?,
                    _ => None,
                };
                proved.push((row, receipt));
            }
            Ok(proved)
        });
        let bundle = |(row, receipt): (EvidenceRow, Option<Receipt>)| {
            let text = receipt.map(|receipt| printed(&row, receipt)).transpose()?;
            Ok((row, text))
        };
        proved.await?.into_iter().map(bundle).collect()
    }
}

/// The text of a bundle.
fn printed(row: &EvidenceRow, receipt: Receipt) -> Result<String> {
    let opening = row.document.as_ref().zip(row.secret).map(|(document, secret)| Opening {
        own: row.own.clone(),
        peer: row.peer.clone(),
        object: row.object.clone(),
        document: document.clone(),
        secret: hex::encode(secret),
    });
    let leaf = String::from_utf8(receipt.entry).map_err(Error::internal_failure)?;
    Bundle::new(leaf, opening, &receipt.proof, &receipt.log, &receipt.witnesses).print().map_err(Error::internal_failure)
}
