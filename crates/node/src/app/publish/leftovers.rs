//! What readings of sources leave on disk when the process ends in the middle of them.
//!
//! Each reading is noted before it begins, and the note is removed once the database names its folder, or the folder is
//! gone. At a start, what is noted and not named was left by a reading that nobody will finish. A folder without a note is
//! never touched: were the database an older one, put back from a backup, the data would be missed later.

use super::App;
use fondaco_core::{Error, Result, participant::Slug};
use std::{
    io,
    path::{Component, Path, PathBuf},
};

/// The folder of the notes, inside the data folder; no slug begins with a dot.
const NOTES: &str = ".reading";
/// Longest note: a path of three names.
const NOTE_MAX_BYTES: u64 = 4_096;

impl App {
    fn reading_notes(&self) -> PathBuf {
        self.config.data_dir().join(NOTES)
    }

    /// Notes that a reading fills this folder, named as below the data folder.
    pub(super) async fn reading_begins(&self, folder: &str) -> Result<()> {
        let notes = self.reading_notes();
        tokio::fs::create_dir_all(&notes).await.map_err(Error::internal_failure)?;
        let note = notes.join(last_name(folder));
        tokio::fs::write(note, folder).await.map_err(Error::internal_failure)
    }

    /// The folder is named by the database, or gone.
    pub(super) async fn reading_ended(&self, folder: &str) {
        let note = self.reading_notes().join(last_name(folder));
        // There is none for a folder that was named and then given up.
        let _ = tokio::fs::remove_file(note).await;
    }

    /// Removes what earlier processes left unfinished: half-sent files, and folders that were being filled. To be called
    /// before anything is read or sent.
    ///
    /// # Errors
    /// When the database or the data folder cannot be read.
    pub async fn remove_leftovers(&self) -> Result<()> {
        for part in entries(self.unfinished_uploads()).await? {
            tracing::info!("publish.leftover removed {}", part.display());
            remove(&part).await;
        }
        for note in entries(self.reading_notes()).await? {
            if let Some((slug, folder)) = read(&note).await {
                let name = last_name(&folder).to_owned();
                let named = self
                    .store
                    .read("publish.named", move |tx| -> Result<bool> {
                        Ok(tx.products_mention(&slug, &name)? || tx.publications_mention(&slug, &name)?)
                    })
                    .await?;
                if !named {
                    let dir = self.config.data_dir().join(&folder);
                    for left in entries(dir.parent().unwrap_or(&dir).to_owned()).await? {
                        // The folder itself, its list, what was fetched for it, and its unfinished form.
                        if left.file_name().is_some_and(|n| n.to_string_lossy().contains(last_name(&folder))) {
                            tracing::info!("publish.leftover removed {}", left.display());
                            remove(&left).await;
                        }
                    }
                }
            }
            remove(&note).await;
        }
        Ok(())
    }
}

/// The last part of a folder's name: a UUID, unique in the node.
fn last_name(folder: &str) -> &str {
    folder.rsplit('/').next().unwrap_or(folder)
}

/// The folder that a note names, and whose it is; `None` when it was cut.
async fn read(note: &Path) -> Option<(Slug, String)> {
    let meta = tokio::fs::symlink_metadata(note).await.ok()?;
    if !meta.is_file() || meta.len() > NOTE_MAX_BYTES {
        return None;
    }
    let folder = tokio::fs::read_to_string(note).await.ok()?;
    let parts: Vec<Component> = Path::new(&folder).components().collect();
    let [Component::Normal(slug), Component::Normal(_), Component::Normal(name)] = parts.as_slice() else { return None };
    let slug = Slug::parse(slug.to_str()?).ok()?;
    let is_id = name.len() == 32 && name.to_str().is_some_and(|n| n.bytes().all(|b| b.is_ascii_hexdigit()));
    (is_id && Some(*name) == note.file_name()).then_some((slug, folder))
}

/// What lies in a folder, if there is one.
async fn entries(dir: PathBuf) -> Result<Vec<PathBuf>> {
    let list = move || -> io::Result<Vec<PathBuf>> { std::fs::read_dir(&dir)?.map(|e| e.map(|e| e.path())).collect() };
    match tokio::task::spawn_blocking(list).await.map_err(Error::internal_failure)? {
        Ok(found) => Ok(found),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::internal_failure(e)),
    }
}

/// Removes a file or a folder.
async fn remove(path: &Path) {
    match tokio::fs::symlink_metadata(path).await {
        Ok(meta) if meta.is_dir() => super::remove(path).await,
        _ => {
            if let Err(e) = tokio::fs::remove_file(path).await {
                tracing::warn!(cause = %e, "publish.leftover {}", path.display());
            }
        }
    }
}
