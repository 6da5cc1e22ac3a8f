//! Watching one topic: whoever waits for a process to move on is woken by the events of that process alone.
//!
//! With a broadcast every waiting call would be woken by every event of the node, and a hundred calls that wait for a
//! hundred negotiations would cost ten thousand wake-ups.

use crate::tx::events::Event;
use fondaco_core::participant::Slug;
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Whose events, and about what.
type Key = (Slug, String);

/// The topics that somebody watches.
#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<HashMap<Key, watch::Sender<String>>>);

impl Watches {
    fn map(&self) -> MutexGuard<'_, HashMap<Key, watch::Sender<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watch(self: &Arc<Self>, participant: &Slug, topic: &str) -> Watch {
        let key = (participant.clone(), topic.to_owned());
        let changes = self.map().entry(key.clone()).or_insert_with(|| watch::Sender::new(String::new())).subscribe();
        Watch { watches: Arc::clone(self), key, changes: Some(changes) }
    }

    /// Wakes those who watch the topics of these events.
    pub(crate) fn publish(&self, events: &[Event]) {
        let map = self.map();
        if map.is_empty() {
            return;
        }
        for event in events {
            if let Some(sender) = map.get(&(event.participant.clone(), event.topic.clone())) {
                // Kept as the latest: what came before it needs no look of its own.
                sender.send_replace(event.detail.get("state").and_then(Value::as_str).unwrap_or_default().to_owned());
            }
        }
    }
}

/// The changes under one topic since it was begun.
#[derive(Debug)]
pub struct Watch {
    watches: Arc<Watches>,
    key: Key,
    /// `None` only while it is dropped.
    changes: Option<watch::Receiver<String>>,
}

impl Watch {
    /// Waits for a change that was not waited for before; the state that its event names, or nothing. Of several at once
    /// the last counts. Cancelling the wait loses nothing.
    pub async fn changed(&mut self) -> String {
        if let Some(changes) = &mut self.changes
            && changes.changed().await.is_ok()
        {
            return changes.borrow_and_update().clone();
        }
        // Its sender stays in the map for as long as there is a receiver.
        std::future::pending().await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut map = self.watches.map();
        drop(self.changes.take());
        if map.get(&self.key).is_some_and(|sender| sender.receiver_count() == 0) {
            map.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_core::time::Timestamp;
    use serde_json::json;

    fn event(participant: &str, topic: &str) -> Event {
        Event {
            id: 1,
            participant: Slug::parse(participant).expect("slug"),
            topic: topic.into(),
            kind: "k".into(),
            actor: "a".into(),
            text: "t".into(),
            detail: json!({"state": topic.to_uppercase()}),
            at: Timestamp::from_micros(0),
        }
    }

    /// Whether there is a change already.
    async fn changed(watch: &mut Watch) -> bool {
        tokio::select! {
            biased;
            _ = watch.changed() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn only_the_events_of_its_own_topic_wake_a_watch() {
        let watches = Arc::new(Watches::default());
        let acme = Slug::parse("acme").expect("slug");
        let (mut one, mut other) = (watches.watch(&acme, "negotiation:1"), watches.watch(&acme, "negotiation:2"));
        watches.publish(&[event("acme", "negotiation:1"), event("acme", "negotiation:1"), event("beta", "negotiation:2")]);
        assert!(changed(&mut one).await);
        assert!(!changed(&mut one).await, "two events at once are one change");
        assert!(!changed(&mut other).await);
    }

    #[tokio::test]
    async fn what_happens_between_two_waits_is_not_lost_and_nothing_is_kept_for_nobody() {
        let watches = Arc::new(Watches::default());
        let acme = Slug::parse("acme").expect("slug");
        let mut first = watches.watch(&acme, "t");
        watches.publish(&[event("acme", "t")]);
        let second = watches.watch(&acme, "t");
        assert!(changed(&mut first).await);
        watches.publish(&[event("acme", "t")]);
        assert_eq!(first.changed().await, "T", "the state of the event");
        drop(first);
        assert_eq!(watches.map().len(), 1);
        drop(second);
        assert!(watches.map().is_empty());
    }
}
