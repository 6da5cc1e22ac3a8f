//! Reports by schedule, and after them the documents of evidence that are old: a report says more with them. In a task of its
//! own, because reports of many participants take long, which nothing else is to wait for.

use crate::app::{App, report::files::SETTLED};
use fondaco_core::{Error, time::Micros};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The pace.
const EVERY: Duration = Duration::from_mins(5);

/// Runs until cancelled.
pub async fn run(app: App, stop: CancellationToken) {
    let mut pace = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = pace.tick() => {}
        }
        if let Some(every) = app.config.reports.every
            && let Err(e) = app.reports_write(every, app.now().plus(Micros(-SETTLED.0))).await
        {
            // A full disk does not keep what has expired.
            warn("reports.not_written", &e);
        }
        if stop.is_cancelled() {
            return;
        }
        if let Err(e) = app.evidence_expire().await {
            warn("evidence.not_expired", &e);
        }
    }
}

fn warn(what: &str, e: &Error) {
    tracing::warn!(cause = e.internal().unwrap_or_default(), "{what}: {e}");
}
