//! A closure on its way to a thread with a connection, and its answer on the way back.

use crate::{
    error::StoreError,
    tx::{Effects, Tx},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};
use tokio::sync::oneshot;

/// A transaction waiting to run. `run` once, then `answer` once.
pub(crate) trait Work: Send {
    /// Runs the closure. True: commit; false: roll back.
    fn run(&mut self, tx: &mut Tx) -> bool;
    /// What to publish if the commit succeeds.
    fn take_effects(&mut self) -> Effects;
    /// Tells the caller; `failure` replaces what the closure said.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
    /// Whether it is a read.
    fn read_only(&self) -> bool;
    /// After this nobody waits any more.
    fn deadline(&self) -> Instant;
}

pub(crate) struct TxWork<F, T, E> {
    pub(crate) name: &'static str,
    pub(crate) closure: Option<F>,
    pub(crate) result: Option<Result<T, E>>,
    pub(crate) effects: Effects,
    pub(crate) read_only: bool,
    pub(crate) deadline: Instant,
    pub(crate) span: tracing::Span,
    pub(crate) reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Work for TxWork<F, T, E>
where
    F: FnOnce(&mut Tx) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(&mut self, tx: &mut Tx) -> bool {
        let Some(closure) = self.closure.take() else { return false };
        let _entered = self.span.enter();
        tx.begin(self.read_only);
        // The connection is rolled back after a panic and the Tx reset, so nothing half-done is seen again.
        let outcome = catch_unwind(AssertUnwindSafe(|| closure(tx)));
        let (effects, failed) = tx.end();
        let result = match outcome {
            Err(_) => Err(E::from(StoreError::Panicked(self.name))),
            // Postgres would silently roll back a transaction in which a statement failed: say so, on both databases.
            Ok(Ok(_)) if let Some(error) = failed => Err(E::from(error)),
            Ok(result) => result,
        };
        let commit = result.is_ok() && !self.read_only;
        if commit {
            self.effects = effects;
        }
        self.result = Some(result);
        commit
    }

    fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let result = match (failure, self.result) {
            // What the closure refused stays what it said, even if the group failed afterwards.
            (_, Some(Err(error))) => Err(error),
            (Some(failure), _) => Err(E::from(failure)),
            (None, Some(result)) => result,
            (None, None) => Err(E::from(StoreError::Unavailable("the transaction did not run".into()))),
        };
        // The caller may have gone; the transaction is done all the same.
        let _ = self.reply.send(result);
    }

    fn read_only(&self) -> bool {
        self.read_only
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }
}
