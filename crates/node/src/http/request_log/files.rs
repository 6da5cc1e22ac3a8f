//! The files of the request log: one a day (UTC), appended to, and removed when they are old.

use fondaco_core::time::{Micros, Timestamp};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The folder below the node's.
pub const FOLDER: &str = "requests";
/// How files of it end.
const ENDING: &str = ".jsonl";
/// Most bytes of a day: about a million lines. Anybody may ask as often as they like, and a full disk would stop the node.
const DAY_BYTES_MAX: u64 = 256 * 1024 * 1024;
const DAY_SECS: i64 = 86_400;
/// Characters of `2026-11-22`.
const DATE_CHARS: usize = 10;

/// How writing went.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Lines that were not written.
    pub failed: u64,
    /// Why.
    pub cause: Option<String>,
}

/// The day (UTC) of a time, as files are named.
pub fn day_of(at: Timestamp) -> String {
    at.to_rfc3339().chars().take(DATE_CHARS).collect()
}

/// Appends lines, each to the file of its day. A write that fails leaves no half line behind.
pub fn append(dir: &Path, lines: &[(String, String)]) -> Written {
    let mut done = Written::default();
    for of_a_day in lines.chunk_by(|a, b| a.0 == b.0) {
        let Some((day, _)) = of_a_day.first() else { continue };
        let text: String = of_a_day.iter().map(|(_, line)| line.as_str()).collect();
        if let Err(e) = append_to(dir, day, &text) {
            done.failed += of_a_day.len() as u64;
            done.cause = Some(e.to_string());
        }
    }
    done
}

fn append_to(dir: &Path, day: &str, text: &str) -> io::Result<()> {
    let path = dir.join(format!("{day}{ENDING}"));
    let mut file = match open(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            open(&path)?
        }
        opened => opened?,
    };
    let before = file.metadata()?.len();
    if before.saturating_add(text.len() as u64) > DAY_BYTES_MAX {
        return Err(io::Error::other(format!("{} has as many bytes as a day may have ({DAY_BYTES_MAX})", path.display())));
    }
    let result = file.write_all(text.as_bytes());
    if result.is_err() {
        file.set_len(before)?;
    }
    result
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// The files there are, the oldest first, with their days.
///
/// # Errors
/// When the folder cannot be read. One that is not there has no files.
pub fn days(dir: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(day) = name.to_str().and_then(|name| name.strip_suffix(ENDING)) else { continue };
        let shape = |(at, c): (usize, char)| if matches!(at, 4 | 7) { c == '-' } else { c.is_ascii_digit() };
        if day.len() == DATE_CHARS && day.chars().enumerate().all(shape) {
            found.push((day.to_owned(), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Removes the files of days that were over more than so many days ago; with none to keep, all of them.
///
/// # Errors
/// When one cannot be removed.
pub fn remove_older(dir: &Path, now: Timestamp, keep_days: u32) -> io::Result<()> {
    let oldest = day_of(now.plus(Micros::from_secs(-DAY_SECS * i64::from(keep_days))));
    for (day, path) in days(dir)? {
        if day < oldest || keep_days == 0 {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn lines(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(time, line)| (day_of(at(time)), format!("{line}\n"))).collect()
    }

    #[test]
    fn each_day_has_its_file_and_old_ones_go() {
        let dir = tempfile::tempdir().expect("dir");
        let dir = dir.path().join(FOLDER);
        assert_eq!(days(&dir).expect("none"), vec![]);
        let some = lines(&[("2026-11-20T23:59:59Z", "a"), ("2026-11-21T00:00:00Z", "b"), ("2026-11-20T23:59:58Z", "c")]);
        assert_eq!(append(&dir, &some), Written::default());
        assert_eq!(append(&dir, &lines(&[("2026-11-22T08:00:00Z", "d")])), Written::default());
        assert_eq!(fs::read_to_string(dir.join("2026-11-20.jsonl")).expect("a file"), "a\nc\n");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&dir.join("2026-11-21.jsonl"))), (0o700, 0o600));
        fs::write(dir.join("notes.txt"), "mine").expect("write");
        fs::write(dir.join("2026-1x-20.jsonl"), "mine").expect("write");
        let left = |now: &str, keep: u32| {
            remove_older(&dir, at(now), keep).expect("removes");
            days(&dir).expect("days").into_iter().map(|(day, _)| day).collect::<Vec<_>>()
        };
        assert_eq!(left("2026-11-22T08:00:00Z", 2), ["2026-11-20", "2026-11-21", "2026-11-22"]);
        assert_eq!(left("2026-11-23T00:00:00Z", 2), ["2026-11-21", "2026-11-22"]);
        assert_eq!(left("2026-11-23T00:00:00Z", 0), [""; 0]);
        assert!(dir.join("notes.txt").exists() && dir.join("2026-1x-20.jsonl").exists(), "other files are not ours");
    }

    #[test]
    fn a_day_has_an_end() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("2026-11-20.jsonl");
        File::create(&path).and_then(|file| file.set_len(DAY_BYTES_MAX - 2)).expect("a file with a hole");
        let done = append(dir.path(), &lines(&[("2026-11-20T10:00:00Z", "a")]));
        assert_eq!(done, Written::default(), "up to the last byte");
        let done = append(dir.path(), &lines(&[("2026-11-20T10:00:00Z", "b"), ("2026-11-21T10:00:00Z", "c")]));
        assert_eq!((done.failed, done.cause.is_some()), (1, true), "the next day has room again");
        assert_eq!(fs::metadata(&path).expect("there").len(), DAY_BYTES_MAX);
    }

    #[test]
    fn what_cannot_be_written_is_counted() {
        let dir = tempfile::tempdir().expect("dir");
        let in_the_way = dir.path().join("requests");
        fs::write(&in_the_way, "a file").expect("write");
        let done = append(&in_the_way, &lines(&[("2026-11-20T10:00:00Z", "a"), ("2026-11-20T11:00:00Z", "b")]));
        assert_eq!(done.failed, 2);
        assert!(done.cause.is_some());
    }
}
