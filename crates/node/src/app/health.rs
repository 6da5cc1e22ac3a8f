//! Whether the node is well: what the console's page and `fondaco doctor` look at, and from where on something is worth
//! a word.

use super::{App, evidence::LogStatus};
use fondaco_core::{
    Error, Result,
    connection::Connection,
    feed::Feed,
    participant::Slug,
    time::{Micros, Timestamp},
};
use fondaco_store::{Job, PeerRow, inspect::FailingJob};
use std::{io, path::Path, time::Duration};

/// A backup older than this is worth a word: a week of deals would be lost with the disk.
pub const BACKUP_OLD: Micros = Micros::from_secs(7 * 86_400);
/// A job that failed this often will not mend itself.
pub const ATTEMPTS_WORTH_A_WORD: u64 = 5;
/// A job that waits longer than this has a reason somebody should look at: back-off ends at five minutes.
pub const WAITING_TOO_LONG: Micros = Micros::from_secs(15 * 60);
/// Below this a database commit may fail at any moment.
pub const FREE_BYTES_LEAST: u64 = 64 * 1024 * 1024;
/// Below this a publication of ordinary size will not fit.
pub const FREE_BYTES_LITTLE: u64 = 1024 * 1024 * 1024;
/// A doubt about a witnessed log that is older than this is worth a word: an honest log takes one away with its next
/// checkpoint, which is seconds after somebody's prank on a log in use.
pub const DOUBT_OLD: Micros = Micros::from_secs(10 * 60);
/// Problems of one sort that are named; of more there is only a number.
pub const NAMED_MAX: u32 = 10;
/// Files whose sizes are added up: beyond it the sum is of those alone, since a page does not wait for a long walk.
const FILES_COUNTED_MAX: usize = 100_000;
/// How long what was found on the disk counts: it changes slowly, and looking is work.
pub const DISK_FRESH: Duration = Duration::from_mins(1);

/// The file system with the node's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that may still be written.
    pub free: u64,
    /// Its size.
    pub size: u64,
    /// Bytes of the node's data folder.
    pub data: u64,
}

/// What a look at the node found, as far as one participant may know it.
#[derive(Clone, Debug)]
pub struct Health {
    /// How many participants there are; counted up to [`fondaco_store::tx::PAGE_MAX`].
    pub participants: u64,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// The disk, where it could be looked at.
    pub disk: Option<Disk>,
    /// When the last backup was made.
    pub last_backup: Option<Timestamp>,
    /// Jobs that are due and were not tried yet.
    pub due: u64,
    /// Jobs that failed before.
    pub retrying: u64,
    /// When the oldest job of all was written.
    pub oldest: Option<Timestamp>,
    /// The participant's own job that has failed longest; else anybody's.
    pub failing: Option<FailingJob>,
    /// How many products follow a source.
    pub feeds: u64,
    /// Those whose source could not be read, with their titles; at most [`NAMED_MAX`] and one more.
    pub feeds_failing: Vec<Feed>,
    /// All peers.
    pub peers: Vec<PeerRow>,
    /// All connections.
    pub connections: Vec<Connection>,
    /// The node's log.
    pub log: LogStatus,
}

impl App {
    /// Looks at the node.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn health(&self, slug: &Slug) -> Result<Health> {
        let disk = self.disk().await;
        let (slug, origin, url) = (slug.clone(), self.log_origin(), self.log_url());
        self.store
            .read("view.health", move |tx| -> Result<_> {
                let stats = tx.job_stats()?;
                let failing = match tx.job_failing_of(&slug)? {
                    Some(own) => Some(own),
                    None if stats.retrying > 0 => tx.job_failing()?,
                    None => None,
                };
                Ok(Health {
                    participants: tx.participants_count()?,
                    database_bytes: tx.database_bytes()?,
                    disk,
                    last_backup: tx.last_backup()?,
                    due: stats.due,
                    retrying: stats.retrying,
                    oldest: stats.oldest,
                    failing: failing.map(failed),
                    feeds: tx.feed_count(&slug)?,
                    feeds_failing: tx.feeds_failing(&slug, NAMED_MAX + 1)?,
                    peers: tx.peer_list(&slug)?,
                    connections: tx.connection_list(&slug)?,
                    log: LogStatus::read(tx, origin, url)?,
                })
            })
            .await
    }

    /// The disk, looked at lately.
    async fn disk(&self) -> Option<Disk> {
        let data = self.config.data_dir();
        let look = async {
            let looked = tokio::task::spawn_blocking(move || look(&data)).await;
            looked.map_err(Error::internal_failure)?.map_err(Error::internal_failure)
        };
        // A disk that cannot be looked at is told as such, not as a failure of the page.
        self.disk.try_get_with((), look).await.ok()
    }
}

fn failed(job: Job) -> FailingJob {
    FailingJob {
        participant: job.participant.to_string(),
        kind: job.kind,
        key: job.key,
        attempts: job.attempts.into(),
        error: job.last_error.unwrap_or_default(),
        created_at: job.created_at,
    }
}

fn look(data: &Path) -> io::Result<Disk> {
    // The folder comes with the first publication.
    let place = if data.exists() { data } else { data.parent().unwrap_or(data) };
    let (free, size) = space(place)?;
    let files = walkdir::WalkDir::new(data).into_iter().filter_map(Result::ok).filter_map(|entry| entry.metadata().ok());
    let data = files.filter(std::fs::Metadata::is_file).take(FILES_COUNTED_MAX).map(|file| file.len()).sum();
    Ok(Disk { free, size, data })
}

/// Bytes that we may still write where `path` is, and how many there are in all.
///
/// # Errors
/// When the file system cannot be asked.
pub fn space(path: &Path) -> io::Result<(u64, u64)> {
    let stat = rustix::fs::statvfs(path)?;
    Ok((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
}

/// How something came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// As it should be.
    Well,
    /// It works, but somebody should look at it.
    Look,
    /// It does not work, or not for long.
    Bad,
}

/// What so much free space means.
pub const fn grade_free(free: u64) -> Grade {
    if free < FREE_BYTES_LEAST {
        Grade::Bad
    } else if free < FREE_BYTES_LITTLE {
        Grade::Look
    } else {
        Grade::Well
    }
}

/// What a last backup at that time means.
pub fn grade_backup(last: Option<Timestamp>, now: Timestamp) -> Grade {
    if last.is_some_and(|at| now.since(at) <= BACKUP_OLD) { Grade::Well } else { Grade::Look }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worth_a_word() {
        assert_eq!([1, FREE_BYTES_LEAST, FREE_BYTES_LITTLE].map(grade_free), [Grade::Bad, Grade::Look, Grade::Well]);
        let now = Timestamp::parse("2026-11-21T20:00:00Z").expect("time");
        let days = |n: i64| Some(now.plus(Micros::from_secs(-n * 86_400)));
        assert_eq!(
            [None, days(8), days(7), days(0)].map(|last| grade_backup(last, now)),
            [Grade::Look, Grade::Look, Grade::Well, Grade::Well]
        );
    }

    #[test]
    fn a_place_has_a_size_and_what_lies_there_is_counted() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::create_dir(dir.path().join("a")).expect("folder");
        std::fs::write(dir.path().join("a/b"), [0; 1_000]).expect("file");
        let disk = look(dir.path()).expect("a disk");
        assert_eq!(disk.data, 1_000);
        assert!(disk.size >= disk.free && disk.size > 0);
        assert_eq!(look(&dir.path().join("none")).expect("its parent").data, 0);
        assert!(space(&dir.path().join("none")).is_err());
    }
}
