//! The network between the two parties: calls wait here until the simulation decides what becomes of them.

use super::op::Side;
use fondaco_core::{Code, Error, Result};
use fondaco_node::net::{Carrier, OutRequest, OutResponse};
use futures::future::BoxFuture;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::oneshot;

/// A call under way.
pub struct Call {
    /// Its number.
    pub id: u64,
    /// Who calls.
    pub from: Side,
    /// What.
    pub request: OutRequest,
    /// Where the caller waits.
    pub reply: oneshot::Sender<Result<OutResponse>>,
}

/// All calls under way, in the order in which they were made.
#[derive(Clone, Default)]
pub struct Wire {
    calls: Arc<Mutex<Vec<Call>>>,
    made: Arc<AtomicU64>,
}

impl Wire {
    /// The calls.
    pub fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a call out, chosen by a number; none when none is under way.
    pub fn take(&self, nth: u8) -> Option<Call> {
        let mut calls = self.calls();
        let n = usize::from(nth).checked_rem(calls.len())?;
        Some(calls.remove(n))
    }

    /// The end of the wire at one party.
    pub fn end(&self, from: Side) -> Arc<dyn Carrier> {
        Arc::new(End { wire: self.clone(), from })
    }
}

struct End {
    wire: Wire,
    from: Side,
}

impl Carrier for End {
    fn carry(&self, request: OutRequest) -> BoxFuture<'static, Result<OutResponse>> {
        let (reply, answer) = oneshot::channel();
        let id = self.wire.made.fetch_add(1, Ordering::Relaxed);
        self.wire.calls().push(Call { id, from: self.from, request, reply });
        Box::pin(async move { answer.await.unwrap_or_else(|_| Err(silence())) })
    }
}

/// What a caller hears of a connection that ended.
pub fn silence() -> Error {
    Error::new(Code::PeerUnreachable, "The peer cannot be reached: it closed the connection before its answer was complete.")
}
