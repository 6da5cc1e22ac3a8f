//! Keeps the key of a peer's log when a deal is made with it: the key of that day is worth more than the one that is named
//! when somebody first looks at the evidence, perhaps in a quarrel.

use super::{PEER_LOG, negotiation_send::finish, send};
use crate::{app::App, config::AuthenticatorKind};
use fondaco_core::{
    Code, Result,
    participant::{Did, Slug},
    time::Timestamp,
};
use fondaco_store::{Job, NewJob, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The payload of the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerLog {
    /// The peer.
    pub peer: Did,
}

/// Lets the key be looked up, unless one is kept already.
///
/// # Errors
/// When the database fails.
pub fn appoint(tx: &mut Tx, slug: &Slug, peer: &Did, now: Timestamp) -> Result<()> {
    if tx.peer_log(slug, peer)?.is_none() {
        tx.job_enqueue(&NewJob {
            participant: slug.clone(),
            kind: PEER_LOG.into(),
            key: format!("peer-log:{peer}"),
            payload: json!(PeerLog { peer: peer.clone() }),
            run_at: now,
        })?;
    }
    Ok(())
}

impl PeerLog {
    /// Looks it up, or puts that off; after a day nobody asks any more. Twice changes nothing: the first key stays.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn perform(&self, app: &App, job: &Job) -> Result<()> {
        // Only with DIDs is there a document that names a log.
        if app.config.identity.authenticator != AuthenticatorKind::Did {
            return finish(app, job).await;
        }
        match app.resolver.resolve(&self.peer).await {
            Ok(document) => app.peer_log_learn(&job.participant, &self.peer, document.log_key(), &job.id).await,
            // What is no did:web, or may not be called, will be so tomorrow.
            Err(e) if matches!(e.code(), Code::DidInvalid | Code::AddressRefused) => finish(app, job).await,
            Err(e) => match send::later(app, job, e.message()).await? {
                Ok(()) => Ok(()),
                Err(_) => finish(app, job).await,
            },
        }
    }
}
