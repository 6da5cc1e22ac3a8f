//! `fondaco serve`: runs the node until it is told to stop.

use super::{
    answer::{Answer, write_json},
    context::Context,
    failure::Result,
};
use crate::{config::Config, footprint, node::Node, telemetry};
use fondaco_core::Error;
use serde_json::json;
use std::io::{self, Write};

/// Run a node
///
/// Prints one line, `ready public=… admin=…`, on standard output once both listeners accept; the log goes to standard
/// error. Ctrl-C or SIGTERM finishes the requests in flight and stops; a second one stops at once.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:
  fondaco serve --dir mynode")]
pub(super) struct Args {}

/// Runs the command.
pub(super) async fn run(context: &Context, _args: Args) -> Result<Answer> {
    let config = Config::load(context.dir()?)?;
    telemetry::start(&config.log)?;
    // Listening for signals begins before `ready`, so that whoever waits for that line can stop us right after it.
    let mut stop = Stop::new()?;
    let node = Node::start(config).await?;
    let (public, admin) = (format!("http://{}", node.public_addr), format!("http://{}", node.admin_addr));
    announce(context.json, &public, &admin).map_err(Error::internal_failure)?;
    tokio::select! {
        never = footprint::keep_small() => match never {},
        () = stop.requested() => {}
    }
    tokio::select! {
        () = node.shutdown() => {}
        () = stop.requested() => tracing::warn!("told twice to stop: leaving requests unfinished"),
    }
    Ok(Answer::printed())
}

fn announce(json: bool, public: &str, admin: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        write_json(&mut out, &json!({"public": public, "admin": admin}))?;
    } else {
        writeln!(out, "ready public={public} admin={admin}")?;
    }
    out.flush()
}

/// The signals that ask us to stop.
pub(super) struct Stop {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    #[cfg(unix)]
    pub(super) fn new() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(|e| Error::internal_failure(format!("signals cannot be handled: {e}")));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    #[cfg(unix)]
    pub(super) async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
    pub(super) const fn new() -> Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    pub(super) async fn requested(&mut self) {
        // Without a handler for Ctrl-C the system's own stops the process, which is what is wanted.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
