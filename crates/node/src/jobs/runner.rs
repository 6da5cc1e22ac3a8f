//! The runner: takes due jobs from the store and carries them out, a bounded number at a time.

use super::{
    AGREEMENT_RENEW, AGREEMENT_TELL, AGREEMENTS_PLAN, AgreementTell, Expire, FEED_LOOK, Look, NEGOTIATION_ASK, NEGOTIATION_DECIDE,
    NEGOTIATION_SEND, NegotiationSend, PEER_LOG, PRODUCT_STOP, PUBLICATION_PREPARE, PeerLog, Prepare, Renew, StopWalk, TRANSFER_ASK,
    TRANSFER_DECIDE, TRANSFER_EXPIRE, TRANSFER_SEND, TransferSend, Walk, webhook,
};
use crate::app::{App, process};
use fondaco_core::{Error, Result, negotiation::Negotiation, time::Micros, transfer::Transfer};
use fondaco_store::{AGREEMENT_DUE, Job, JobFeed};
use futures::FutureExt;
use serde::de::DeserializeOwned;
use std::{panic::AssertUnwindSafe, sync::Arc};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Jobs in flight at once: enough to hide the latency of peers, few enough for their sockets and our memory.
pub const IN_FLIGHT_MAX: usize = 64;

/// Runs until cancelled, then waits for the jobs in flight.
pub async fn run(app: App, mut feed: JobFeed, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let tasks = TaskTracker::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let job = tokio::select! {
            () = stop.cancelled() => break,
            job = feed.next() => job,
        };
        let app = app.clone();
        // Readings of sources wait for one of few turns of their own: they must not keep the deals waiting with them.
        let place = (!reads_a_source(&job.kind)).then_some(place);
        tasks.spawn(async move {
            perform(&app, job).await;
            drop(place);
        });
    }
    tasks.close();
    tasks.wait().await;
}

/// Whether a job is bounded by the readings at once instead of by [`IN_FLIGHT_MAX`].
fn reads_a_source(kind: &str) -> bool {
    matches!(kind, PUBLICATION_PREPARE | FEED_LOOK)
}

/// Carries out one job that the feed handed out: to its end, or put off.
pub async fn perform(app: &App, job: Job) {
    let (id, kind, attempts) = (job.id.clone(), job.kind.clone(), job.attempts);
    metrics::counter!("fondaco_jobs_total", "kind" => kind.clone()).increment(1);
    // A panic must not leave the job's line held until the next start.
    let outcome = AssertUnwindSafe(dispatch(app, &job)).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| Err(Error::internal_failure(format!("the job {id} panicked"))));
    if let Err(error) = outcome {
        // Only our own failures come here (the database, a payload): try again later, never lose the job.
        tracing::error!(job = %id, kind, attempts, code = %error.code(), cause = error.internal().unwrap_or_default(), "job.failed {id}: {error}");
        let run_at = app.now().plus(backoff(attempts));
        let text = error.to_string();
        if let Err(e) = app.store.tx("job.retry", move |tx| -> Result<_> { Ok(tx.job_retry(&id, run_at, &text)?) }).await {
            tracing::error!(job = %job.id, "job.retry_failed {}: {e}", job.id);
        }
    }
}

async fn dispatch(app: &App, job: &Job) -> Result<()> {
    let slug = &job.participant;
    match job.kind.as_str() {
        NEGOTIATION_SEND => read::<NegotiationSend>(job)?.perform(app, job).await,
        TRANSFER_SEND => read::<TransferSend>(job)?.perform(app, job).await,
        NEGOTIATION_DECIDE => process::due::<Negotiation>(app, slug, read(job)?, job.id.clone()).await,
        TRANSFER_DECIDE => process::due::<Transfer>(app, slug, read(job)?, job.id.clone()).await,
        NEGOTIATION_ASK => webhook::perform::<Negotiation>(app, job, read(job)?).await,
        TRANSFER_ASK => webhook::perform::<Transfer>(app, job, read(job)?).await,
        PUBLICATION_PREPARE => {
            let participant = app.participant(slug.as_str()).await?;
            app.publication_prepare_now(&participant, &read::<Prepare>(job)?, job.id.clone()).await
        }
        FEED_LOOK => {
            let participant = app.participant(slug.as_str()).await?;
            let due: Look = read(job)?;
            app.feed_look(&participant, &due.product, due.revision, job.id.clone()).await
        }
        TRANSFER_EXPIRE => app.transfer_expire(slug, read::<Expire>(job)?.id, job.id.clone()).await,
        AGREEMENT_TELL => read::<AgreementTell>(job)?.perform(app, job).await,
        PEER_LOG => read::<PeerLog>(job)?.perform(app, job).await,
        AGREEMENT_DUE => app.agreements_due(slug, job.id.clone()).await,
        AGREEMENT_RENEW => app.agreement_renew_by_rule(job, &read::<Renew>(job)?.id).await,
        AGREEMENTS_PLAN => app.agreements_replan(slug, read::<Walk>(job)?.after, job.id.clone()).await,
        PRODUCT_STOP => {
            let walk: StopWalk = read(job)?;
            app.product_stop_walk(slug, walk.product, walk.after, job.id.clone()).await
        }
        other => Err(Error::internal_failure(format!("unknown job kind {other}"))),
    }
}

fn read<T: DeserializeOwned>(job: &Job) -> Result<T> {
    serde_json::from_value(job.payload.clone()).map_err(|e| Error::internal_failure(format!("payload of {}: {e}", job.id)))
}

/// How long to wait after the n-th failed attempt: half a second, doubling, five minutes at most.
pub fn backoff(attempts: u32) -> Micros {
    const FIRST_MS: i64 = 500;
    const MOST: Micros = Micros::from_secs(300);
    Micros::from_millis(FIRST_MS << attempts.min(16)).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_up_to_five_minutes() {
        assert_eq!([0, 1, 2].map(backoff), [500, 1_000, 2_000].map(Micros::from_millis));
        assert_eq!(backoff(40), Micros::from_secs(300));
    }
}
