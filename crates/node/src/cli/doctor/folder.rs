//! The node's folder: there, writable, with room, and its secrets readable by their owner only.

use super::{super::disk::free_bytes, super::show, Finding};
use crate::{
    app::health::{Grade, grade_free},
    config::{Config, FILE_NAME},
    init::{PASSWORD_FILE, TOKEN_FILE},
    secrets::{Sealer, seal::KEY_FILE},
};
use std::path::Path;

/// The folder itself.
pub(super) fn there(dir: &Path) -> Finding {
    let name = dir.display();
    match std::fs::metadata(dir) {
        Err(e) => Finding::fail(
            "folder",
            format!("{name} cannot be used: {e}."),
            format!("Make a node there: fondaco init --dir {name} --participant SLUG --name TEXT"),
        ),
        Ok(m) if !m.is_dir() => Finding::fail("folder", format!("{name} is not a folder."), "Name the node's folder with --dir."),
        Ok(m) => {
            let probe = dir.join(format!(".doctor-{}", std::process::id()));
            let written = std::fs::OpenOptions::new().write(true).create_new(true).open(&probe).and_then(|_| std::fs::remove_file(&probe));
            match written {
                Err(e) => Finding::fail(
                    "folder",
                    format!("{name} cannot be written to: {e}."),
                    "Run as the user that owns the node, or give that user the folder (chown -R).",
                ),
                Ok(()) if others_write(&m) => Finding::fail(
                    "folder",
                    format!("Others may write to {name}, and so replace keys and data."),
                    format!("chmod go-w {name}"),
                ),
                Ok(()) => Finding::ok("folder", format!("{name} is there and writable.")),
            }
        }
    }
}

/// The files that only their owner may read.
pub(super) fn secrets(dir: &Path) -> Vec<Finding> {
    let key = match exposed(dir, KEY_FILE, KEY_FILE) {
        Some(finding) => finding,
        None => match Sealer::load(dir) {
            Ok(Some(_)) => Finding::ok(KEY_FILE, "Readable, and by its owner only."),
            Ok(None) => Finding::fail(
                KEY_FILE,
                "It is missing. Without it the participants' signing keys cannot be opened.",
                "Put it back from a backup. For a new node: fondaco init --dir DIR --participant SLUG --name TEXT",
            ),
            Err(e) => Finding::fail(KEY_FILE, e.message(), "Put it back from a backup."),
        },
    };
    let token = exposed(dir, TOKEN_FILE, TOKEN_FILE).unwrap_or_else(|| {
        if dir.join(TOKEN_FILE).exists() {
            Finding::ok(TOKEN_FILE, "Readable, and by its owner only.")
        } else {
            Finding::warn(TOKEN_FILE, "It is missing; commands with --dir cannot sign in.", "Put an API token there, or set FONDACO_TOKEN.")
        }
    });
    // The first password may be deleted once it was changed or noted: not having it is no fault.
    [key, token].into_iter().chain(exposed(dir, PASSWORD_FILE, PASSWORD_FILE)).collect()
}

/// Files that are secret because of what the configuration says: itself, with a database's password in it, and the
/// database.
pub(super) fn configured_secrets(dir: &Path, config: &Config) -> Vec<Finding> {
    let password = url::Url::parse(&config.database.url).is_ok_and(|url| url.password().is_some());
    let settings = if password { exposed(dir, FILE_NAME, FILE_NAME) } else { None };
    let database = sqlite_file(config)
        .filter(|file| file.parent() == Some(dir))
        .and_then(|file| exposed(dir, file.file_name()?.to_str()?, "database file"));
    settings.into_iter().chain(database).collect()
}

/// Room on the file system.
pub(super) fn space(dir: &Path) -> Finding {
    match free_bytes(dir) {
        Err(e) => Finding::warn("disk", format!("Free space cannot be told: {e}."), "Look with: df -h"),
        Ok(free) => room(free),
    }
}

fn room(free: u64) -> Finding {
    let found = format!("{} free.", show::bytes(Some(free)));
    match grade_free(free) {
        Grade::Bad => Finding::fail("disk", format!("Only {found} The database may fail to write."), "Make room, or move the folder."),
        Grade::Look => Finding::warn("disk", format!("Only {found}"), "Make room before publishing large tables."),
        Grade::Well => Finding::ok("disk", found),
    }
}

#[cfg(unix)]
fn others_write(m: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&m.permissions()) & 0o022 != 0
}

#[cfg(not(unix))]
const fn others_write(_: &std::fs::Metadata) -> bool {
    false
}

/// A finding when others can read the file.
#[cfg(unix)]
fn exposed(dir: &Path, name: &str, check: &'static str) -> Option<Finding> {
    let path = dir.join(name);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).ok()?.permissions());
    (mode & 0o077 != 0).then(|| {
        Finding::fail(
            check,
            format!("Others on this machine can read it (mode {:o}).", mode & 0o777),
            format!("chmod 600 {}   and, if somebody may have read it, replace it", path.display()),
        )
    })
}

#[cfg(not(unix))]
const fn exposed(_: &Path, _: &str, _: &'static str) -> Option<Finding> {
    None
}

/// Where SQLite keeps the database, when it does.
pub(super) fn sqlite_file(config: &Config) -> Option<std::path::PathBuf> {
    config.database_url().strip_prefix("sqlite:").map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    #[test]
    fn room_has_two_limits() {
        use crate::app::health::{FREE_BYTES_LEAST, FREE_BYTES_LITTLE};
        assert_eq!(room(FREE_BYTES_LEAST - 1).status, Status::Fail);
        assert_eq!(room(FREE_BYTES_LITTLE - 1).status, Status::Warn);
        assert_eq!(room(FREE_BYTES_LITTLE).status, Status::Ok);
    }

    #[cfg(unix)]
    #[test]
    fn secrets_that_others_can_read_are_found() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("dir");
        let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("mode");
        for name in ["admin.token", "admin.password"] {
            std::fs::write(dir.path().join(name), "x").expect("write");
            mode(&dir.path().join(name), 0o644);
        }
        let found: Vec<(&str, Status)> = secrets(dir.path()).into_iter().map(|f| (f.check, f.status)).collect();
        assert_eq!(found, [("node.key", Status::Fail), ("admin.token", Status::Fail), ("admin.password", Status::Fail)]);
        mode(&dir.path().join("admin.token"), 0o600);
        assert_eq!(secrets(dir.path())[1].status, Status::Ok);
        let text = "[public]\nurl = \"http://127.0.0.1:9000\"\n[database]\nurl = \"postgres://u:secret@h/d\"\n";
        std::fs::write(dir.path().join(FILE_NAME), text).expect("write");
        mode(&dir.path().join(FILE_NAME), 0o644);
        let config = Config::load_with(dir.path(), &std::collections::HashMap::new()).expect("config");
        let found = |config| configured_secrets(dir.path(), config).into_iter().map(|f| (f.check, f.status)).collect::<Vec<_>>();
        assert_eq!(found(&config), [(FILE_NAME, Status::Fail)], "it holds a password");
        mode(&dir.path().join(FILE_NAME), 0o600);
        assert!(found(&config).is_empty());
        mode(dir.path(), 0o777);
        assert_eq!(there(dir.path()).status, Status::Fail);
        mode(dir.path(), 0o700);
        assert_eq!(there(dir.path()).status, Status::Ok);
    }
}
