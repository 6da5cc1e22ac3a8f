//! Publications that are being prepared by this process: how far they are, and how to stop them.

use fondaco_core::ids::PublicationId;
use fondaco_tables::publish::Phase;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::watch;

/// How far a preparation is.
pub use fondaco_tables::publish::Progress;

impl From<crate::files::publish::Progress> for Progress {
    fn from(p: crate::files::publish::Progress) -> Self {
        Self { phase: Phase::Copying, file: p.file, done: p.done, total: p.total, files_done: 0, files: 0 }
    }
}

/// The preparations of this process.
#[derive(Default)]
pub struct Runs(Mutex<HashMap<PublicationId, Run>>);

struct Run {
    progress: watch::Sender<Option<Progress>>,
    cancel: Arc<AtomicBool>,
}

/// Held by the one that prepares; forgets the run when it is dropped.
pub struct Running<'a> {
    runs: &'a Runs,
    id: PublicationId,
    /// Where to tell how far it is.
    pub progress: watch::Sender<Option<Progress>>,
    /// Becomes true when it shall stop.
    pub cancel: Arc<AtomicBool>,
}

impl Runs {
    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<PublicationId, Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a run; `None` when this process has begun it already.
    pub fn begin(&self, id: &PublicationId) -> Option<Running<'_>> {
        let mut map = self.map();
        if map.contains_key(id) {
            return None;
        }
        let (progress, cancel) = (watch::Sender::new(None), Arc::new(AtomicBool::new(false)));
        map.insert(id.clone(), Run { progress: progress.clone(), cancel: Arc::clone(&cancel) });
        drop(map);
        Some(Running { runs: self, id: id.clone(), progress, cancel })
    }

    /// How far a run of this process is.
    pub fn progress(&self, id: &PublicationId) -> Option<Progress> {
        self.map().get(id)?.progress.borrow().clone()
    }

    /// A view of how far it is that changes as it goes on, and ends with it.
    pub fn watch(&self, id: &PublicationId) -> Option<watch::Receiver<Option<Progress>>> {
        Some(self.map().get(id)?.progress.subscribe())
    }

    /// Asks a run to stop; false when this process does not run it.
    pub fn cancel(&self, id: &PublicationId) -> bool {
        self.map().get(id).is_some_and(|run| {
            run.cancel.store(true, Ordering::Relaxed);
            true
        })
    }

    /// Asks all runs to stop: the process is about to end, and they go on at its next start.
    pub fn cancel_all(&self) {
        self.map().values().for_each(|run| run.cancel.store(true, Ordering::Relaxed));
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.runs.map().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_seen_stopped_and_forgotten() {
        let runs = Runs::default();
        let id = PublicationId::from_stored("pub_1");
        assert!(!runs.cancel(&id) && runs.progress(&id).is_none());
        let running = runs.begin(&id).expect("first");
        assert!(runs.begin(&id).is_none(), "twice");
        let at = Progress { phase: Phase::Copying, file: "a".into(), done: 1, total: 2, files_done: 0, files: 0 };
        running.progress.send_replace(Some(at.clone()));
        assert_eq!(runs.progress(&id), Some(at));
        assert!(runs.cancel(&id) && running.cancel.load(Ordering::Relaxed));
        drop(running);
        assert!(runs.progress(&id).is_none());
        runs.begin(&id).expect("again");
    }
}
