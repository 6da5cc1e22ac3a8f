//! The sequencer: takes leaves that were committed into the tree, and signs the tree that comes of it.
//!
//! Woken by the commits that wrote leaves, not polled. After it is woken it waits a moment for more, so that a busy node
//! signs a few trees a second and an idle one none. What a killed node left is taken in when it starts again.

use super::{asking, key, memory};
use crate::app::App;
use fondaco_core::{Error, Result};
use fondaco_store::{Integrated, Tx};
use fondaco_tlog::Checkpoint;
use std::{future::pending, sync::atomic::Ordering, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How long leaves are gathered after the first: a checkpoint follows its leaves within a second, with time for the disk.
const GATHER: Duration = Duration::from_millis(200);
/// How long to wait after a failure.
const RETRY: Duration = Duration::from_secs(2);
/// How often a process looks for leaves that another one left when it ended. Each looks after its own.
const SWEEP: Duration = Duration::from_secs(30);

/// Runs until cancelled, then takes in what is there.
pub async fn run(app: App, stop: CancellationToken) {
    let mut told = None;
    loop {
        let done = async {
            if !has_begun(&app) {
                begin(&app).await?;
            }
            drain(&app).await
        };
        let pause = match done.await {
            Ok(held) => {
                if held.is_some() && held != told {
                    tracing::error!(
                        why = held.as_deref().unwrap_or_default(),
                        "log.held: nothing is signed until this is resolved; see docs/log.md"
                    );
                }
                told = held;
                None
            }
            Err(e) => {
                metrics::counter!("fondaco_log_failures").increment(1);
                tracing::error!(cause = e.internal().unwrap_or_default(), "log.failed {e}");
                Some(RETRY)
            }
        };
        let woken = async {
            match pause {
                Some(pause) => sleep(pause).await,
                None => app.store.leaves_written().await,
            }
        };
        let swept = async { if app.store.is_shared() { sleep(SWEEP).await } else { pending().await } };
        tokio::select! {
            () = stop.cancelled() => break,
            () = woken => {}
            () = swept => {}
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(GATHER) => {}
        }
    }
    if has_begun(&app)
        && let Err(e) = drain(&app).await
    {
        tracing::warn!(cause = e.internal().unwrap_or_default(), "log.left {e}");
    }
}

/// Whether the start has looked: until then nothing is signed.
pub fn has_begun(app: &App) -> bool {
    app.log_begun.load(Ordering::Acquire)
}

/// Before anything is signed: has no witness seen more of this log? (Whether the database continues what was signed was
/// looked at before the node listened.) A witness that does not answer keeps nobody from going on.
async fn begin(app: &App) -> Result<()> {
    asking::ask(app, true).await?;
    let of = app.clone();
    // There from the start, so that operators can tell it to others.
    app.store.tx("log.witness_key", move |tx: &mut Tx| key::witness(&of, tx).map(drop)).await?;
    app.log_begun.store(true, Ordering::Release);
    app.log_signed.notify_one();
    Ok(())
}

/// Takes in all that is there, for who wants to see it at once; nothing while the start has not looked whether it may.
///
/// # Errors
/// As [`integrate`].
pub async fn catch_up(app: &App) -> Result<()> {
    if has_begun(app) { drain(app).await.map(drop) } else { Ok(()) }
}

/// Takes in all that is there; why nothing may be signed, if something holds the log.
async fn drain(app: &App) -> Result<Option<String>> {
    loop {
        let done = integrate(app).await?;
        metrics::gauge!("fondaco_log_held").set(if done.tree.held.is_some() { 1.0 } else { 0.0 });
        if done.tree.held.is_some() || !done.more {
            return Ok(done.tree.held);
        }
    }
}

/// Takes one batch in, and signs.
///
/// # Errors
/// When the database fails, its tiles are damaged, or the key cannot be opened: nothing is signed then, and leaves wait.
pub async fn integrate(app: &App) -> Result<Integrated> {
    // So that what is remembered beside the database is the last.
    let mut unremembered = app.log_turn.lock().await;
    let of = app.clone();
    let done = app.store.tx("log.integrate", move |tx: &mut Tx| step(&of, tx)).await?;
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    metrics::gauge!("fondaco_log_size").set(done.tree.size as f64);
    metrics::counter!("fondaco_log_leaves").increment(done.leaves);
    if done.leaves > 0 {
        // Signed is signed: its witnesses are shown it whether or not it can be remembered here.
        app.log_signed.notify_one();
        *unremembered = true;
    }
    if *unremembered {
        memory::remember(&app.config.dir, &done.tree)?;
        *unremembered = false;
    }
    Ok(done)
}

fn step(app: &App, tx: &mut Tx) -> Result<Integrated> {
    // A held log makes no key either.
    if let Some(tree) = tx.log_tree()?.filter(|tree| tree.held.is_some()) {
        return Ok(Integrated { tree, leaves: 0, more: false });
    }
    let key = key::current(app, tx)?;
    let origin = app.log_origin();
    tx.log_integrate(|size, root| {
        let checkpoint = Checkpoint::new(&origin, size, *root).map_err(Error::internal_failure)?;
        Ok(checkpoint.sign(&key).map_err(Error::internal_failure)?.to_string())
    })
}
