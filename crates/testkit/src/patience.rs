//! Waiting for what has no event to wait for.

use std::{future::Future, time::Duration};
use tokio::time::{Instant, sleep};

/// Longest wait for anything: a machine under load is slow, a defect waits forever.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks again and again until there is something, for what tells nobody that it happened. Whatever has an event or a
/// `?wait=` is waited for with that.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let over = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < over, "{what}: not within {} s", PATIENCE.as_secs());
        sleep(PAUSE).await;
    }
}
