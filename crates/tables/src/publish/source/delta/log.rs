//! Which files of a Delta table's log a version needs, by their names alone ("Delta Log Entries" and
//! "Checkpoints" of the Delta transaction log protocol).

use std::collections::{BTreeMap, BTreeSet};

use crate::TablesError;

/// The folder of the log.
pub(super) const LOG_DIR: &str = "_delta_log";
/// The folder of version 2 checkpoints' parts, below it.
pub(super) const SIDECAR_DIR: &str = "_sidecars";
/// Most files in a log: each is listed. A log that was never cleaned up has one per commit.
pub(super) const MAX_LOG_FILES: usize = 1_000_000;
/// Largest file of a log: a commit is held in memory as a whole.
pub(super) const MAX_LOG_FILE_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// What a log's file names say.
#[derive(Debug, Default)]
pub(super) struct Log {
    commits: BTreeSet<u64>,
    /// Complete checkpoints with their files.
    checkpoints: BTreeMap<u64, Vec<String>>,
}

/// What a version needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LogPlan {
    pub(super) version: u64,
    /// Names of commits and of the checkpoint they follow.
    pub(super) files: Vec<String>,
    /// Whether the checkpoint may have parts in [`SIDECAR_DIR`].
    pub(super) has_checkpoint: bool,
}

impl Log {
    /// Reads names; what is no commit and no checkpoint is passed over.
    pub(super) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut log = Self::default();
        let mut parts: BTreeMap<(u64, u64), Vec<String>> = BTreeMap::new();
        for name in names {
            let fields: Vec<&str> = name.split('.').collect();
            let Some(version) = fields.first().and_then(|v| number(v, 20)) else { continue };
            match fields.as_slice() {
                [_, "json"] => {
                    log.commits.insert(version);
                }
                [_, "checkpoint", "parquet"] | [_, "checkpoint", _, "json" | "parquet"] => {
                    log.checkpoints.entry(version).or_default().push(name.into());
                }
                [_, "checkpoint", part, of, "parquet"] => {
                    if let (Some(_), Some(of)) = (number(part, 10), number(of, 10)) {
                        parts.entry((version, of)).or_default().push(name.into());
                    }
                }
                _ => (),
            }
        }
        for ((version, of), names) in parts {
            if names.len() as u64 == of {
                log.checkpoints.entry(version).or_default().extend(names);
            }
        }
        log
    }

    /// The newest version.
    pub(super) fn newest(&self) -> Option<u64> {
        self.commits.iter().chain(self.checkpoints.keys()).max().copied()
    }

    /// What `version` (or the newest) needs, with nothing missing.
    pub(super) fn plan(&self, table: &str, version: Option<u64>) -> Result<LogPlan, TablesError> {
        let Some(newest) = self.newest() else {
            return Err(TablesError::MalformedDelta {
                table: table.into(),
                reason: format!("its {LOG_DIR} holds no commit; is the table copied completely?"),
            });
        };
        let version = version.unwrap_or(newest);
        let oldest = if self.commits.contains(&0) { Some(0) } else { self.checkpoints.keys().next().copied() };
        if version > newest || oldest.is_some_and(|oldest| version < oldest) {
            let reason = format!("it has no version {version}; versions {} to {newest} can be published", oldest.unwrap_or(newest));
            return Err(TablesError::NoSuchVersion { table: table.into(), reason });
        }
        let checkpoint = self.checkpoints.range(..=version).next_back();
        let first = checkpoint.map_or(0, |(v, _)| v + 1);
        if let Some(missing) = (first..=version).find(|v| !self.commits.contains(v)) {
            return Err(TablesError::MalformedDelta {
                table: table.into(),
                reason: format!(
                    "{LOG_DIR}/{missing:020}.json is missing, so version {version} cannot be told; restore it, or publish a version \
                     after a checkpoint"
                ),
            });
        }
        let mut files: Vec<String> = checkpoint.map(|(_, names)| names.clone()).unwrap_or_default();
        // The commit of the checkpoint itself is not needed, but readers look at it when it is there.
        let from = checkpoint.map_or(0, |(v, _)| *v);
        files.extend(self.commits.range(from..=version).map(|v| format!("{v:020}.json")));
        Ok(LogPlan { version, files, has_checkpoint: checkpoint.is_some() })
    }
}

/// A number written with exactly so many digits.
fn number(text: &str, digits: usize) -> Option<u64> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(v: u64) -> String {
        format!("{v:020}.json")
    }

    fn log(names: &[String]) -> Log {
        Log::of(names.iter().map(String::as_str))
    }

    #[test]
    fn a_version_needs_its_checkpoint_and_what_follows() {
        let mut names: Vec<String> = (0..=7).map(commit).collect();
        let plan = log(&names).plan("t", None).unwrap();
        assert_eq!((plan.version, plan.files.len(), plan.has_checkpoint), (7, 8, false));
        // Of two parts only one: no checkpoint. The other is complete.
        names.push(format!("{:020}.checkpoint.0000000001.0000000002.parquet", 6));
        names.push(format!("{:020}.checkpoint.0000000001.0000000002.parquet", 4));
        names.push(format!("{:020}.checkpoint.0000000002.0000000002.parquet", 4));
        names.push("_last_checkpoint".into());
        names.push(format!("{:020}.crc", 7));
        let plan = log(&names).plan("t", None).unwrap();
        assert_eq!(plan.files[2..], [commit(4), commit(5), commit(6), commit(7)]);
        assert_eq!(log(&names).plan("t", Some(3)).unwrap().files, [commit(0), commit(1), commit(2), commit(3)]);
        // Cleaned up.
        names.retain(|n| !(0..4).map(commit).any(|c| c == *n));
        assert_eq!(log(&names).plan("t", Some(4)).unwrap().files.len(), 3);
        let error = log(&names).plan("t", Some(3)).unwrap_err();
        assert_eq!(error.kind(), "no-such-version");
        assert!(error.to_string().contains("versions 4 to 7"), "{error}");
        assert!(log(&names).plan("t", Some(8)).unwrap_err().to_string().contains("versions 4 to 7"));
    }

    #[test]
    fn gaps_are_named() {
        let names: Vec<String> = [0, 1, 3].map(commit).into();
        let error = log(&names).plan("t", None).unwrap_err();
        assert_eq!(error.kind(), "malformed-delta");
        assert!(error.to_string().contains("_delta_log/00000000000000000002.json is missing"), "{error}");
        assert_eq!(log(&names).plan("t", Some(1)).unwrap().version, 1);
        assert_eq!(log(&[]).plan("t", None).unwrap_err().kind(), "malformed-delta");
        // Numbers beyond 64 bits are no versions.
        assert_eq!(log(&["9".repeat(20) + ".json"]).plan("t", None).unwrap_err().kind(), "malformed-delta");
    }
}
