//! The access gate: closes streams that are already flowing at the moment their transfer stops being open.
//!
//! The database decides whether a read may begin. This is for reads in flight: each holds a [`Watch`] and looks at it
//! before every chunk, so that a suspension, termination or expiry stops the next byte.

use fondaco_core::{ids::TransferId, time::Timestamp};
use fondaco_store::Closing;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};

/// All gates of this process.
#[derive(Clone, Default, Debug)]
pub struct Gate(Arc<Mutex<HashMap<TransferId, watch::Sender<bool>>>>);

/// One stream's view of its gate.
#[derive(Clone, Debug)]
pub struct Watch {
    closed: watch::Receiver<bool>,
    until: Option<Timestamp>,
}

impl Gate {
    /// A view for a new stream that must also stop at `until`. Take it **before** checking the database: a closing
    /// between the check and the first byte is then seen.
    pub fn watch(&self, transfer: &TransferId) -> watch::Receiver<bool> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever opens a stream sweeps the gates that nobody watches any more.
        map.retain(|id, sender| id == transfer || sender.receiver_count() > 0);
        map.entry(transfer.clone()).or_insert_with(|| watch::Sender::new(false)).subscribe()
    }

    /// Stops every stream of the transfer that is flowing now.
    pub fn close(&self, transfer: &TransferId) {
        let removed = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(transfer);
        if let Some(sender) = removed {
            sender.send_replace(true);
        }
    }
}

impl Gate {
    /// Stops every stream that is flowing now: who is still permitted begins anew.
    pub fn close_all(&self) {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for sender in all.into_values() {
            sender.send_replace(true);
        }
    }

    /// Closes what other processes on the same database have closed, for as long as it is waited for.
    pub async fn follow(&self, mut closings: broadcast::Receiver<Closing>) {
        loop {
            match closings.recv().await {
                Ok(Closing::Transfer(transfer)) => self.close(&transfer),
                // What nobody knows of may be this.
                Ok(Closing::Missed) | Err(RecvError::Lagged(_)) => self.close_all(),
                Err(RecvError::Closed) => return,
            }
        }
    }
}

impl Watch {
    /// A stream's view: closed by the gate, or by time.
    pub const fn new(closed: watch::Receiver<bool>, until: Option<Timestamp>) -> Self {
        Self { closed, until }
    }
    /// Whether the next byte may go out.
    pub fn is_open(&self, now: Timestamp) -> bool {
        !*self.closed.borrow() && self.until.is_none_or(|until| now < until)
    }
    /// When access ends by itself.
    pub const fn until(&self) -> Option<Timestamp> {
        self.until
    }
    /// Resolves when the gate closes.
    pub async fn closed(&mut self) {
        // A dropped sender means that the gate was swept after it closed.
        let _ = self.closed.wait_for(|closed| *closed).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_stops_current_streams_and_not_later_ones() {
        let gate = Gate::default();
        let id = TransferId::from_stored("trf_1");
        let now = Timestamp::from_micros(10);
        let first = Watch::new(gate.watch(&id), None);
        let second = Watch::new(gate.watch(&id), Some(now));
        assert!(first.is_open(now));
        assert!(!second.is_open(now), "its time is over");
        gate.close(&id);
        assert!(!first.is_open(now));
        // After a resumption there is a new gate.
        assert!(Watch::new(gate.watch(&id), None).is_open(now));
    }

    #[tokio::test]
    async fn what_others_close_is_closed_and_what_was_missed_too() {
        let gate = Gate::default();
        let (tell, heard) = broadcast::channel(2);
        let now = Timestamp::from_micros(10);
        let watch = |n: &str| Watch::new(gate.watch(&TransferId::from_stored(n)), None);
        let (mut one, mut other) = (watch("trf_1"), watch("trf_2"));
        let following = tokio::spawn({
            let gate = gate.clone();
            async move { gate.follow(heard).await }
        });
        let closing = |n: &str| Closing::Transfer(TransferId::from_stored(n));
        tell.send(closing("trf_1")).expect("heard");
        one.closed().await;
        assert!(other.is_open(now));
        tell.send(Closing::Missed).expect("heard");
        other.closed().await;
        // More than are kept.
        let mut third = watch("trf_3");
        for n in 10..20 {
            tell.send(closing(&format!("trf_{n}"))).expect("heard");
        }
        third.closed().await;
        drop(tell);
        following.await.expect("ends");
    }

    #[tokio::test]
    async fn waiting_for_the_end_works() {
        let gate = Gate::default();
        let id = TransferId::from_stored("trf_1");
        let mut watch = Watch::new(gate.watch(&id), None);
        let waiting = tokio::spawn(async move { watch.closed().await });
        gate.close(&id);
        waiting.await.expect("ends");
    }
}
