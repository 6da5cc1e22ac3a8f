//! The state of the log as its operators see it, and what they do about it.

use crate::{
    app::App,
    log::{asking, key, memory, policy, sequencer},
};
use fondaco_core::{Code, Error, Result, time::Timestamp};
use fondaco_store::{CosignatureRow, LogKeyRow, LogKeyUse, LogTree, Tx, WitnessedRow};
use fondaco_tlog::policy::Witness;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// The state of the log.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogStatus {
    /// Its name.
    pub origin: String,
    /// Where it is served.
    pub url: String,
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
    /// Leaves of the last tree that a quorum of the witnesses has cosigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosigned_size: Option<u64>,
    /// Who witnesses it.
    pub witnesses: Vec<WitnessStatus>,
    /// The public key with which this node cosigns the logs of others.
    pub witness_key: String,
    /// The logs that this node cosigned.
    pub witnessed: Vec<WitnessedStatus>,
    /// The policy in force, by c2sp.org/tlog-policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// A witness of this node's log.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WitnessStatus {
    /// Its name in the policy.
    pub name: String,
    /// Its public key.
    pub key: String,
    /// Where it is asked.
    pub url: String,
    /// Leaves of the last tree that it cosigned; 0 if none.
    pub size: u64,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What was wrong when it was asked last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl WitnessStatus {
    fn of(witness: &Witness, row: Option<&CosignatureRow>) -> Self {
        Self {
            name: witness.name.clone(),
            key: witness.key.to_string(),
            url: witness.url.clone().unwrap_or_default(),
            size: row.map_or(0, |row| row.size),
            at: row.and_then(|row| row.at).map(Timestamp::to_rfc3339),
            problem: row.and_then(|row| row.problem.clone()),
        }
    }
}

/// A log that this node cosigned.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WitnessedStatus {
    /// Its name.
    pub origin: String,
    /// Leaves of the last tree.
    pub size: u64,
    /// When it was cosigned.
    pub at: String,
    /// The first checkpoint that this log signed and that contradicts what it had signed before, as it asked for it to be
    /// cosigned. It was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict_at: Option<String>,
    /// The first request since the last cosignature that this log signed but that did not prove to continue what was
    /// cosigned. It was refused. Anybody can send a log's checkpoint with a wrong proof, so it proves nothing; but a log
    /// that has forked cannot do better, and the doubt stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt_at: Option<String>,
}

impl From<WitnessedRow> for WitnessedStatus {
    fn from(row: WitnessedRow) -> Self {
        Self {
            origin: row.origin,
            size: row.size,
            at: row.at.to_rfc3339(),
            conflict: row.conflict,
            conflict_at: row.conflict_at.map(Timestamp::to_rfc3339),
            doubt: row.doubt,
            doubt_at: row.doubt_at.map(Timestamp::to_rfc3339),
        }
    }
}

impl LogStatus {
    /// The state of a log, which has this name and address.
    ///
    /// # Errors
    /// When the database fails.
    pub fn read(tx: &mut Tx, origin: String, url: String) -> Result<Self> {
        let (tree, policy) = (tx.log_tree()?, policy::load(tx)?);
        let key = |row: Option<LogKeyRow>| row.map(|key| key.vkey).unwrap_or_default();
        let (key, witness_key) = (key(tx.log_key(LogKeyUse::Log)?), key(tx.log_key(LogKeyUse::Witness)?));
        let rows = tx.log_cosignatures()?;
        let asked = policy.iter().flat_map(|p| p.policy.witnesses());
        let witnesses = asked.map(|w| WitnessStatus::of(w, rows.iter().find(|row| row.witness == w.key.to_string()))).collect();
        Ok(Self {
            size: tree.as_ref().map_or(0, |tree| tree.size),
            root: tree.as_ref().map_or_else(String::new, |tree| tree.root.to_string()),
            signed_at: tree.as_ref().and_then(signed_at),
            held: tree.and_then(|tree| tree.held),
            waiting: tx.log_pending_count()?,
            cosigned_size: tx.log_quorum()?.map(|row| row.size),
            witnesses,
            witnessed: tx.witnessed_list()?.into_iter().map(Into::into).collect(),
            policy: policy.map(|p| p.text),
            origin,
            url,
            key,
            witness_key,
        })
    }
}

/// When a tree was signed, if it is.
pub(crate) fn signed_at(tree: &LogTree) -> Option<String> {
    (!tree.checkpoint.is_empty()).then(|| tree.signed_at.to_rfc3339())
}

impl App {
    /// Where the log is served.
    pub fn log_url(&self) -> String {
        format!("{}/log", self.config.public.url.as_str().trim_end_matches('/'))
    }

    /// The state of the log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_status(&self) -> Result<LogStatus> {
        let (origin, url) = (self.log_origin(), self.log_url());
        self.store.read("log.status", move |tx| LogStatus::read(tx, origin, url)).await
    }

    /// Puts the policy in force that says whose log this node witnesses, and who witnesses its own; `None` for nobody.
    /// Witnesses are asked at once.
    ///
    /// # Errors
    /// [`Code::Invalid`], which says the line.
    pub async fn log_policy_put(&self, text: Option<&str>) -> Result<LogStatus> {
        let policy = text.map(policy::read).transpose()?;
        let app = self.clone();
        self.store
            .tx("log.policy", move |tx| -> Result<()> {
                policy::store(tx, policy.as_ref())?;
                app.note_administration(tx, None, "log-policy", &app.log_origin(), &json!({"policy": policy.map(|p| p.text)}))
            })
            .await?;
        sequencer::catch_up(self).await?;
        asking::ask(self, true).await?;
        self.log_status().await
    }

    /// Lets a held log be signed again: when a quorum of its witnesses confirm that they have seen no more of it, or on the
    /// word of its operator that nobody has. That it was done is the next leaf.
    ///
    /// # Errors
    /// [`Code::Invalid`] when nothing holds it, or nobody can confirm; [`Code::Conflict`] when the witnesses do not.
    pub async fn log_resume(&self, without_witnesses: bool) -> Result<LogStatus> {
        let nothing = || Error::invalid("The log is not held: there is nothing to resume.");
        if !without_witnesses {
            let read = |tx: &mut Tx| -> Result<_> { Ok((tx.log_tree()?.and_then(|tree| tree.held), policy::load(tx)?)) };
            let (held, policy) = self.store.read("log.policy", read).await?;
            held.ok_or_else(nothing)?;
            if policy.is_none_or(|p| p.policy.is_quorum(&BTreeSet::new())) {
                return Err(Error::invalid(
                    "No quorum of witnesses can confirm it. A held log is then signed again only on its operator's word that nobody has seen more of it than it has now: `fondaco log resume --without-witnesses`.",
                ));
            }
            let asked = asking::ask(self, true).await?;
            if !asked.confirmed {
                let said = asked.objections.into_iter().chain(asked.failures).collect::<Vec<_>>().join("; ");
                return Err(Error::new(Code::Conflict, format!("The witnesses do not confirm it. {said}")));
            }
        }
        let app = self.clone();
        // Remembered before more of it is signed.
        let mut unremembered = self.log_turn.lock().await;
        let tree = self
            .store
            .tx("log.resume", move |tx| -> Result<_> {
                let tree = tx.log_lock()?;
                let Some(why) = tree.held.clone() else {
                    // The witnesses were enough to let it go.
                    return if without_witnesses { Err(nothing()) } else { Ok(tree) };
                };
                tx.log_hold(None)?;
                let detail = json!({"size": tree.size, "root": tree.root.to_string(), "held": why, "withoutWitnesses": without_witnesses});
                app.note_administration(tx, None, "log-resumed", &app.log_origin(), &detail)?;
                Ok(tree)
            })
            .await?;
        *unremembered = true;
        memory::remember(&self.config.dir, &tree)?;
        *unremembered = false;
        drop(unremembered);
        sequencer::catch_up(self).await?;
        self.log_status().await
    }

    /// Lets a new key sign the log from now on.
    ///
    /// # Errors
    /// [`Code::Conflict`] while the log is held, or the start has not looked whether it may be signed.
    pub async fn log_rotate(&self) -> Result<LogStatus> {
        if !sequencer::has_begun(self) {
            // A new key takes the signature off the tree, and no witness could be asked about it any more.
            return Err(Error::new(Code::Conflict, "The node still asks whether its log may be signed. Try again in some seconds."));
        }
        let app = self.clone();
        self.store
            .tx("log.rotate", move |tx| -> Result<()> {
                if tx.log_lock()?.held.is_some() {
                    return Err(Error::new(Code::Conflict, "The log is held. Resolve that first: fondaco log status"));
                }
                key::make(&app, tx).map(drop)
            })
            .await?;
        sequencer::catch_up(self).await?;
        self.log_status().await
    }
}
