//! Work on many files side by side, with results in the order of the files and bounded memory.

use std::{
    collections::BTreeMap,
    num::NonZero,
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, SyncSender},
    },
    thread,
};

use super::{Progress, Report};
use crate::TablesError;

/// Files per thread that may be done before their turn: what keeps all threads busy although files
/// differ in size, without keeping the results of all files.
const AHEAD_PER_THREAD: usize = 4;
/// Reports about finished files, of many: enough for a bar that moves.
const REPORTS: usize = 200;

/// What the caller of [`in_order`] is told.
pub(super) enum Event<R> {
    /// How far a file is.
    Progress(Progress),
    /// The result of the next file.
    Done(R),
}

enum Message<R> {
    Progress(Progress),
    Done(usize, Result<R, TablesError>),
}

/// How far results have been taken: nobody works further ahead than this allows.
#[derive(Default)]
struct Turn {
    taken: Mutex<usize>,
    moved: Condvar,
    stop: AtomicBool,
}

impl Turn {
    fn advance(&self) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.moved.notify_all();
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        // With the lock, so that nobody misses it between looking and waiting.
        drop(self.taken.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.notify_all();
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Waits until `item` may be worked on; false when there is nothing more to do.
    fn wait(&self, item: usize, ahead: usize) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.stopped() && item >= *taken + ahead {
            taken = self.moved.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        !self.stopped()
    }
}

/// Stops the workers when the caller is done with them, also in a panic.
struct StopOnDrop<'a>(&'a Turn);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Does `work` for every item, as many at a time as the machine has processors, and hands the results
/// to `take` in the order of the items. The first error ends it; which of several that is depends on
/// the order of the items alone.
pub(super) fn in_order<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T, &mut Report<'_>) -> Result<R, TablesError> + Sync,
    mut take: impl FnMut(Event<R>) -> Result<(), TablesError>,
) -> Result<(), TablesError> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    let (turn, next) = (Turn::default(), AtomicUsize::new(0));
    let many = items.len() > REPORTS;
    thread::scope(|scope| {
        let (send, receive) = mpsc::sync_channel::<Message<R>>(threads * AHEAD_PER_THREAD);
        let stopper = StopOnDrop(&turn);
        for _ in 0..threads {
            let (send, work, turn, next) = (send.clone(), &work, &turn, &next);
            scope.spawn(move || worker(items, threads * AHEAD_PER_THREAD, many, work, turn, next, &send));
        }
        drop(send);
        let (mut early, mut taken) = (BTreeMap::new(), 0_usize);
        // Dropped before the stopper, so that a worker that waits to send is let go.
        for message in receive {
            match message {
                Message::Progress(mut progress) => {
                    (progress.files_done, progress.files) = (taken as u64, items.len() as u64);
                    take(Event::Progress(progress))?;
                }
                Message::Done(item, result) => {
                    early.insert(item, result);
                    while let Some(result) = early.remove(&taken) {
                        taken += 1;
                        take(Event::Done(result?))?;
                        turn.advance();
                    }
                }
            }
        }
        drop(stopper);
        Ok(())
    })
}

fn worker<T, R>(
    items: &[T],
    ahead: usize,
    many: bool,
    work: &(impl Fn(&T, &mut Report<'_>) -> Result<R, TablesError> + Sync),
    turn: &Turn,
    next: &AtomicUsize,
    send: &SyncSender<Message<R>>,
) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(item) = items.get(number) else { return };
        if !turn.wait(number, ahead) {
            return;
        }
        let every = items.len().div_ceil(REPORTS);
        let mut report = |progress: Progress| {
            if turn.stopped() {
                return Err(TablesError::Cancelled);
            }
            // Of many files most are small: their ends are reported now and then only.
            if !many || progress.done < progress.total || number.is_multiple_of(every) {
                send.send(Message::Progress(progress)).map_err(|_| TablesError::Cancelled)?;
            }
            Ok(())
        };
        let result = work(item, &mut report);
        let failed = result.is_err();
        if send.send(Message::Done(number, result)).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Phase, *};

    fn fail(n: usize) -> TablesError {
        TablesError::Empty(n.to_string())
    }

    #[test]
    fn results_come_in_order_and_nobody_runs_far_ahead() {
        let items: Vec<usize> = (0..1_000).collect();
        let (started, taken, furthest) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let mut seen = Vec::new();
        let mut reports = 0;
        in_order(
            &items,
            |n, report| {
                let ahead = started.fetch_add(1, Ordering::SeqCst) - taken.load(Ordering::SeqCst).min(*n);
                furthest.fetch_max(ahead, Ordering::SeqCst);
                report(Progress::of(Phase::Copying, "f", 1, 1))?;
                Ok(n * 2)
            },
            |event| {
                match event {
                    Event::Progress(p) => {
                        assert_eq!(p.files, 1_000);
                        reports += 1;
                    }
                    Event::Done(r) => {
                        seen.push(r);
                        taken.fetch_add(1, Ordering::SeqCst);
                    }
                }
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(seen, (0..1_000).map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(reports, REPORTS);
        let threads = thread::available_parallelism().unwrap().get();
        assert!(furthest.load(Ordering::SeqCst) <= threads * (AHEAD_PER_THREAD + 1), "{furthest:?}");
    }

    #[test]
    fn the_first_error_of_the_order_ends_it() {
        let items: Vec<usize> = (0..500).collect();
        for _ in 0..20 {
            let mut seen = 0;
            let error = in_order(
                &items,
                |n, _| if *n == 40 || *n == 42 { Err(fail(*n)) } else { Ok(()) },
                |_| {
                    seen += 1;
                    Ok(())
                },
            );
            assert_eq!(error.unwrap_err().to_string(), fail(40).to_string());
            assert_eq!(seen, 40);
        }
        let error = in_order(&items, |_, _| Ok(()), |_| Err(TablesError::Cancelled));
        assert_eq!(error.unwrap_err().kind(), "cancelled");
        in_order(&[0_usize; 0], |_, _| Ok(()), |_| Ok(())).unwrap();
    }
}
