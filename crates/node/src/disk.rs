//! Small files of ours that are there whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Writes a file, for the node's user alone, in the place of what was there: durable when this returns.
///
/// # Errors
/// When the disk fails; what was there before is there still.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return Err(io::Error::other("a file without a name")) };
    let temporary = dir.join(format!(".{}.new", name.to_string_lossy()));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    // Its name is durable only with its folder.
    File::open(dir)?.sync_all()
}

/// Writes a file that must not be there yet: durable when this returns.
///
/// # Errors
/// When it is there, which it then still is as it was, or when the disk fails; nothing is left then.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        fs::remove_file(path)?;
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_there_whole() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("2026-10.csv");
        write_whole(&path, b"part\r\n").expect("written");
        write_whole(&path, b"part\r\nlog\r\n").expect("written again");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "part\r\nlog\r\n");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 1, "nothing else is left");
    }

    #[test]
    fn what_is_there_is_not_written_over() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("report.html");
        write_new(&path, b"mine").expect("written");
        assert_eq!(write_new(&path, b"other").expect_err("there").kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).expect("a file"), b"mine");
    }
}
