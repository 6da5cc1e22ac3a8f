//! Free space of a file system.

use std::{io, path::Path};

/// Bytes that we may still write where `path` is.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    crate::app::health::space(path).map(|(free, _)| free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_exists_has_a_size_and_another_has_none() {
        let dir = tempfile::tempdir().expect("dir");
        assert!(free_bytes(dir.path()).is_ok());
        assert!(free_bytes(&dir.path().join("none")).is_err());
    }
}
