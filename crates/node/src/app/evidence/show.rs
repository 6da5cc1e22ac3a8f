//! Evidence as its owners see it.

use crate::{
    app::{
        App,
        views::{Listed, list_rows},
    },
    log::{receipt::receipt, sequencer},
};
use fondaco_core::{Code, Error, Result, ids::EvidenceId, participant::Slug};
use fondaco_store::{EvidenceFilter, EvidenceRow};
use fondaco_tlog::bundle::{Bundle, Opening};

/// Longest id asked for.
const ID_MAX_CHARS: usize = 1_000;

/// Which evidence to list.
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
        if self.evidence(slug, id).await?.leaf_index.is_none() {
            // Now, instead of when the sequencer comes to it.
            sequencer::catch_up(self).await?;
        }
        let row = self.evidence(slug, id).await?;
        let not_yet = || {
            Error::new(
                Code::NotYet,
                "The leaf is not in the log yet: the node has just started, or the log is held. See: fondaco log status",
            )
        };
        let index = row.leaf_index.ok_or_else(not_yet)?;
        let receipt = self.store.read("evidence.receipt", move |tx| receipt(tx, index)).await?.ok_or_else(not_yet)?;
        let opening = row.document.zip(row.secret).map(|(document, secret)| Opening {
            own: row.own,
            peer: row.peer,
            object: row.object,
            document,
            secret: hex::encode(secret),
        });
        let leaf = String::from_utf8(receipt.entry).map_err(Error::internal_failure)?;
        Bundle::new(leaf, opening, &receipt.proof, &receipt.log, &receipt.witnesses).print().map_err(Error::internal_failure)
    }
}
