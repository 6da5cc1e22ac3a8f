//! What the nodes of this process write to their log.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lines() -> &'static Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    LINES.get_or_init(|| {
        let lines = Lines::default();
        let sink = lines.clone();
        let log =
            tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::INFO).with_writer(move || sink.clone()).finish();
        tracing::subscriber::set_global_default(log).expect("the only log of this process");
        lines
    })
}

/// Keeps what is logged from now on, for [`refusals`].
pub fn watch() {
    lines();
}

/// How many lines say that the request with this id was refused.
pub fn refusals(request_id: &str) -> usize {
    let bytes = lines().bytes();
    let text = String::from_utf8_lossy(&bytes);
    let id = format!("id=\"{request_id}\"");
    text.lines().filter(|line| line.contains("request.refused") && line.contains(&id)).count()
}
