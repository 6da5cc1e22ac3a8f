//! What the database says of itself, and whether the data files it names are there. Looks beside a running node.

use super::{
    super::{backup::age, show},
    Finding,
};
use crate::{
    app::health::{ATTEMPTS_WORTH_A_WORD, Grade, grade_backup},
    backup::Hashing,
    config::Config,
};
use fondaco_core::time::Timestamp;
use fondaco_store::{
    StoreError,
    backup::{StoredFile, schema_version},
    inspect::{DatabaseState, FailingJob, inspect},
};
use std::{fs::File, io, path::Path};

/// Most data files named in one finding.
const FILES_NAMED_MAX: usize = 5;

/// Looks at the database and the data files. `told`: another check says already that the database cannot be opened.
pub(super) async fn check(config: &Config, deep: bool, told: bool, now: Timestamp) -> Vec<Finding> {
    let (url, data) = (config.database_url(), config.data_dir());
    let looked = tokio::task::spawn_blocking(move || {
        let state = inspect(&url)?;
        let files = files(&state.files, &data, deep);
        Ok::<_, StoreError>((state, files))
    });
    match looked.await {
        Ok(Ok((state, files))) => {
            let mut findings = vec![integrity(&state), files];
            findings.extend(in_place(&state.in_place));
            findings.extend([backup(state.last_backup, now), jobs(&state, now)]);
            findings
        }
        Ok(Err(e @ StoreError::Corrupt(_))) => {
            vec![Finding::fail("integrity", format!("{e}."), "Restore the node from a backup; keep the damaged database for examination.")]
        }
        Ok(Err(_)) if told => Vec::new(),
        Ok(Err(e)) => vec![unseen(&e)],
        Err(e) => vec![unseen(&e)],
    }
}

/// What was not looked at is not well.
fn unseen(why: &dyn std::fmt::Display) -> Finding {
    Finding::fail(
        "integrity",
        format!("The database cannot be examined: {why}."),
        "Run doctor with the node's environment (FONDACO_DATABASE__URL), as the node's user.",
    )
}

fn integrity(state: &DatabaseState) -> Finding {
    let size = show::bytes(Some(state.size_bytes));
    if let Some(first) = state.damage.first() {
        return Finding::fail(
            "integrity",
            format!("The database is damaged: {first}"),
            "Stop the node and restore it from a backup; keep the damaged database for examination.",
        );
    }
    let schema = match (state.schema, schema_version()) {
        (found, known) if found < known => format!("schema {found}, which the next start brings to {known}"),
        (found, _) => format!("schema {found}"),
    };
    Finding::ok("integrity", format!("The database is sound: {size}, {schema}."))
}

fn files(files: &[StoredFile], data: &Path, deep: bool) -> Finding {
    let wrong: Vec<String> = files.iter().filter_map(|f| wrong(f, data, deep).map(|why| format!("{} {why}", f.path))).collect();
    let all = show::count(Some(files.len() as u64));
    if wrong.is_empty() {
        let bytes = show::bytes(Some(files.iter().map(|f| f.size_bytes).sum()));
        let how = if deep { "with the content that was published" } else { "with the right size (--deep compares the content)" };
        return Finding::ok("data files", format!("{all} files, {bytes}, are there {how}."));
    }
    let named = wrong.iter().take(FILES_NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join("; ");
    let more = wrong.len().saturating_sub(FILES_NAMED_MAX);
    let more = if more == 0 { String::new() } else { format!("; and {more} more") };
    Finding::fail(
        "data files",
        format!("{} of {all} are missing or changed: {named}{more}. Reads of them are refused.", wrong.len()),
        format!("Put them back below {} from a backup, or publish the products again and withdraw these versions.", data.display()),
    )
}

fn wrong(file: &StoredFile, data: &Path, deep: bool) -> Option<String> {
    let path = data.join(&file.path);
    let look = || -> io::Result<Option<String>> {
        let mut opened = File::open(&path)?;
        let size = opened.metadata()?.len();
        if size != file.size_bytes {
            return Ok(Some(format!("has {size} bytes instead of {}", file.size_bytes)));
        }
        if !deep {
            return Ok(None);
        }
        let mut hashing = Hashing::new(&mut opened);
        io::copy(&mut hashing, &mut io::sink())?;
        Ok((hex::encode(hashing.digest()) != file.sha256).then(|| "has another content than was published".to_owned()))
    };
    look().unwrap_or_else(|e| Some(format!("cannot be read ({e})")))
}

fn in_place(products: &[String]) -> Option<Finding> {
    (!products.is_empty()).then(|| {
        Finding::ok(
            "in place",
            format!("The data of {} products stays where its publisher keeps it; backups leave it out.", products.len()),
        )
    })
}

fn backup(last: Option<Timestamp>, now: Timestamp) -> Finding {
    const MEND: &str = "fondaco backup --dir DIR --out FILE, best every night and to another machine.";
    match last {
        None => Finding::warn("backup", "No backup was ever made.", MEND),
        Some(at) if grade_backup(last, now) != Grade::Well => {
            Finding::warn("backup", format!("The last backup was made {}.", age(at, now)), MEND)
        }
        Some(at) => Finding::ok("backup", format!("The last one was made {}.", age(at, now))),
    }
}

fn jobs(state: &DatabaseState, now: Timestamp) -> Finding {
    let pending = show::count(Some(state.jobs));
    match &state.failing {
        None => Finding::ok("jobs", format!("{pending} waiting, none of them failed before.")),
        Some(FailingJob { participant, kind, key, attempts, error, created_at }) => {
            let found = format!(
                "{pending} waiting, {} of them failed before. The oldest is {kind} of {participant} about {key}, written {}: {attempts} attempts, the last one: {}",
                state.jobs_failing,
                age(*created_at, now),
                if error.is_empty() { "no reason was kept." } else { error }
            );
            if *attempts < ATTEMPTS_WORTH_A_WORD {
                return Finding::ok("jobs", found);
            }
            Finding::warn(
                "jobs",
                found,
                "Most often the other side is away: check its address under peers, and ask its people. The node tries on by itself.",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};
    use fondaco_core::time::Micros;
    use sha2::{Digest, Sha256};

    #[test]
    fn data_files_are_compared_with_what_was_published() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::write(dir.path().join("a"), "abc").expect("write");
        let file =
            |path: &str, size_bytes, text: &str| StoredFile { path: path.into(), size_bytes, sha256: hex::encode(Sha256::digest(text)) };
        let status = |file, deep| files(&[file], dir.path(), deep).status;
        assert_eq!(status(file("a", 3, "abc"), true), Status::Ok);
        assert_eq!(status(file("a", 4, "abcd"), false), Status::Fail);
        assert_eq!(status(file("b", 3, "abc"), false), Status::Fail);
        assert_eq!(status(file("a", 3, "abd"), false), Status::Ok, "only --deep reads");
        assert_eq!(status(file("a", 3, "abd"), true), Status::Fail);
        let many: Vec<StoredFile> = (0..8).map(|n| file(&format!("none-{n}"), 1, "x")).collect();
        let found = files(&many, dir.path(), false).found;
        assert!(found.starts_with("8 of 8") && found.contains("none-4") && found.contains("and 3 more"), "{found}");
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_examined_is_not_called_well() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::write(dir.path().join(crate::config::FILE_NAME), "[public]\nurl = \"http://127.0.0.1:7400\"\n").expect("write");
        let config = Config::load(dir.path()).expect("config");
        let now = Timestamp::from_micros(1);
        let found = check(&config, false, false, now).await;
        assert_eq!(found.iter().map(|f| (f.check, f.status)).collect::<Vec<_>>(), [("integrity", Status::Fail)], "{found:?}");
        assert!(found[0].found.starts_with("The database cannot be examined: "), "{found:?}");
        assert_eq!(check(&config, false, true, now).await, [], "said once");
    }

    #[test]
    fn an_old_backup_and_a_job_that_keeps_failing_are_worth_a_word() {
        let now = Timestamp::parse("2026-11-21T20:00:00Z").expect("time");
        let days = |n: i64| now.plus(Micros::from_secs(-n * 86_400));
        assert_eq!(backup(None, now).status, Status::Warn);
        assert_eq!(backup(Some(days(8)), now).status, Status::Warn);
        assert_eq!(backup(Some(days(6)), now).status, Status::Ok);
        let failing = |attempts| FailingJob {
            participant: "acme".into(),
            kind: "negotiation.send".into(),
            key: "neg_1".into(),
            attempts,
            error: "the peer is away".into(),
            created_at: days(1),
        };
        let state = |failing: Option<FailingJob>| DatabaseState {
            schema: 1,
            size_bytes: 1,
            damage: Vec::new(),
            last_backup: None,
            files: Vec::new(),
            in_place: Vec::new(),
            jobs: 3,
            jobs_failing: 1,
            failing,
        };
        assert_eq!(jobs(&state(None), now).status, Status::Ok);
        assert_eq!(jobs(&state(Some(failing(1))), now).status, Status::Ok);
        let found = jobs(&state(Some(failing(9))), now);
        assert_eq!(found.status, Status::Warn);
        assert!(found.found.contains("the peer is away") && found.found.contains("a day ago"), "{}", found.found);
    }
}
