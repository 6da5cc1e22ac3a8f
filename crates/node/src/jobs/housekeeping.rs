//! Housekeeping: forgets what has expired. Runs at a fixed pace; missing a round does no harm.

use crate::app::App;
use fondaco_core::{Result, time::Micros};
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

/// Catalogues of peers that one round begins to read; the rest waits for the next.
const CATALOGS_PER_ROUND: u32 = 200;

/// Runs until cancelled.
pub async fn run(app: App, stop: CancellationToken) {
    let mut pace = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = pace.tick() => {}
        }
        if let Err(e) = once(&app).await {
            tracing::warn!(cause = e.internal().unwrap_or_default(), "housekeeping.failed: {e}");
        }
    }
}

async fn once(app: &App) -> Result<()> {
    app.publications_sweep().await?;
    app.catalogs_renew(CATALOGS_PER_ROUND).await?;
    let now = app.now();
    let before = move |life: Micros| now.plus(Micros(-life.0));
    app.store
        .tx("housekeeping", move |tx| -> Result<()> {
            tx.tokens_forget(now)?;
            tx.sessions_expire(now)?;
            tx.idempotency_forget(before(IDEMPOTENCY_LIFE))?;
            tx.messages_forget(before(INBOX_LIFE))?;
            tx.login_attempts_forget(before(LOGIN_LIFE))?;
            Ok(())
        })
        .await
}
