//! Evidence as its owners see it, and the state of the log.

use crate::{
    app::{
        App,
        views::{Listed, list_rows},
    },
    log::{key, receipt::receipt, sequencer},
};
use fondaco_core::{Code, Error, Result, ids::EvidenceId, participant::Slug};
use fondaco_store::{EvidenceFilter, EvidenceRow};
use fondaco_tlog::{
    bundle::{Bundle, Opening},
    note::VerifierKey,
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

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

/// The state of the log.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogStatus {
    /// Its name.
    pub origin: String,
    /// The public key, as verifiers take it.
    pub key: String,
    /// Leaves of the signed tree.
    pub size: u64,
    /// Its root, in base64.
    pub root: String,
    /// When it was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<String>,
    /// Leaves that wait to be taken in.
    pub waiting: u64,
    /// Why nothing is signed, if something holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
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
    /// [`Code::NotFound`]; [`Code::NotYet`] while the log is held and the leaf not in it.
    pub async fn evidence_bundle(&self, slug: Option<&Slug>, id: &EvidenceId) -> Result<String> {
        if self.evidence(slug, id).await?.leaf_index.is_none() {
            // Now, instead of when the sequencer comes to it.
            while sequencer::integrate(self).await?.more {}
        }
        let row = self.evidence(slug, id).await?;
        let not_yet = || Error::new(Code::NotYet, "The leaf is not in the log yet. Is the log held? See: fondaco log status");
        let index = row.leaf_index.ok_or_else(not_yet)?;
        let (receipt, keys) =
            self.store.read("evidence.receipt", move |tx| -> Result<_> { Ok((receipt(tx, index)?, tx.log_keys()?)) }).await?;
        let receipt = receipt.ok_or_else(not_yet)?;
        let keys: Vec<VerifierKey> = keys.iter().filter_map(|key| key.vkey.parse().ok()).collect();
        let signed = |key: &&VerifierKey| receipt.proof.checkpoint.signatures().iter().any(|s| &s.name == key.name() && s.id == key.id());
        let log = keys.iter().find(signed).ok_or_else(|| Error::internal_failure("the checkpoint is not signed by a key of the log"))?;
        let opening = row.document.zip(row.secret).map(|(document, secret)| Opening {
            own: row.own,
            peer: row.peer,
            object: row.object,
            document,
            secret: hex::encode(secret),
        });
        let leaf = String::from_utf8(receipt.entry).map_err(Error::internal_failure)?;
        Bundle::new(leaf, opening, &receipt.proof, log, &[]).print().map_err(Error::internal_failure)
    }

    /// The state of the log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_status(&self) -> Result<LogStatus> {
        let origin = self.log_origin();
        self.store
            .read("log.status", move |tx| -> Result<_> {
                let (tree, key, waiting) = (tx.log_tree()?, tx.log_key()?, tx.log_pending_count()?);
                let key = key.map(|key| key.vkey).unwrap_or_default();
                Ok(match tree {
                    None => LogStatus { origin, key, size: 0, root: String::new(), signed_at: None, waiting, held: None },
                    Some(tree) => LogStatus {
                        origin,
                        key,
                        size: tree.size,
                        root: tree.root.to_string(),
                        signed_at: (!tree.checkpoint.is_empty()).then(|| tree.signed_at.to_rfc3339()),
                        waiting,
                        held: tree.held,
                    },
                })
            })
            .await
    }

    /// Lets a held log be signed again, on the word of its operator that nobody has seen more of it. That it was done is the
    /// next leaf.
    ///
    /// # Errors
    /// [`Code::Invalid`] without that word, or when nothing holds the log.
    pub async fn log_resume(&self, without_witnesses: bool) -> Result<LogStatus> {
        if !without_witnesses {
            return Err(Error::invalid(
                "A held log is signed again only on its operator's word that nobody has seen more of it than it has now: \"withoutWitnesses\": true.",
            ));
        }
        let app = self.clone();
        let tree = self
            .store
            .tx("log.resume", move |tx| -> Result<_> {
                let tree = tx.log_lock()?;
                let Some(why) = tree.held.clone() else { return Err(Error::invalid("Nothing holds the log.")) };
                tx.log_hold(None)?;
                let detail = json!({"size": tree.size, "root": tree.root.to_string(), "held": why, "withoutWitnesses": true});
                app.note_administration(tx, None, "log-resumed", &app.log_origin(), &detail)?;
                Ok(tree)
            })
            .await?;
        crate::log::memory::remember(&self.config.dir, &tree)?;
        while sequencer::integrate(self).await?.more {}
        self.log_status().await
    }

    /// Lets a new key sign the log from now on.
    ///
    /// # Errors
    /// [`Code::Conflict`] while the log is held.
    pub async fn log_rotate(&self) -> Result<LogStatus> {
        let app = self.clone();
        self.store
            .tx("log.rotate", move |tx| -> Result<()> {
                if tx.log_lock()?.held.is_some() {
                    return Err(Error::new(Code::Conflict, "The log is held. Resolve that first: fondaco log status"));
                }
                key::make(&app, tx, &app.log_origin()).map(drop)
            })
            .await?;
        while sequencer::integrate(self).await?.more {}
        self.log_status().await
    }
}
