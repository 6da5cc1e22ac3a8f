//! Housekeeping: forgets what has expired. Runs at a fixed pace; missing a round does no harm.

use crate::app::App;
use fondaco_core::{Result, time::Micros};
use fondaco_store::UsagePlace;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The pace.
const EVERY: Duration = Duration::from_mins(5);
/// How long answers to idempotent requests are kept: a client that has not retried within a day has given up.
const IDEMPOTENCY_LIFE: Micros = Micros::from_secs(86_400);
/// How long message ids are remembered: senders give up after a day, ours included.
const INBOX_LIFE: Micros = Micros::from_secs(7 * 86_400);
/// How long failed sign-ins matter.
const LOGIN_LIFE: Micros = Micros::from_secs(86_400);

/// How long records of what was delivered are kept after the last byte: no address that they are about is good any more (none
/// lives longer than a day), and a quarter's deliveries can be looked at. What they add up to is kept.
const USAGE_LIFE: Micros = Micros::from_secs(90 * 86_400);

/// Catalogues of peers that one round begins to read; the rest waits for the next.
const CATALOGS_PER_ROUND: u32 = 200;

/// Runs until cancelled.
pub async fn run(app: App, stop: CancellationToken) {
    let mut pace = tokio::time::interval(EVERY);
    let mut usage = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = pace.tick() => {}
        }
        match once(&app, usage.take()).await {
            Ok(next) => usage = next,
            Err(e) => tracing::warn!(cause = e.internal().unwrap_or_default(), "housekeeping.failed: {e}"),
        }
    }
}

/// One round; gives the agreement at which the next goes on with forgetting records of deliveries.
async fn once(app: &App, usage: Option<UsagePlace>) -> Result<Option<UsagePlace>> {
    app.publications_sweep().await?;
    app.catalogs_renew(CATALOGS_PER_ROUND).await?;
    app.refusals_settle().await?;
    app.usage_settle().await?;
    app.requests_sweep().await;
    let now = app.now();
    let before = move |life: Micros| now.plus(Micros(-life.0));
    app.store
        .tx("housekeeping", move |tx| -> Result<_> {
            tx.tokens_forget(now)?;
            tx.sessions_expire(now)?;
            tx.idempotency_forget(before(IDEMPOTENCY_LIFE))?;
            tx.messages_forget(before(INBOX_LIFE))?;
            tx.login_attempts_forget(before(LOGIN_LIFE))?;
            Ok(tx.usage_forget(usage.as_ref(), before(USAGE_LIFE))?)
        })
        .await
}
