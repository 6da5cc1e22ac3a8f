//! Files sent to the node for a publication. They wait in a folder of the publication's own until it is discarded or
//! published.

use super::super::App;
use bytes::Bytes;
use fondaco_core::{
    Code, Error, Result,
    ids::PublicationId,
    participant::{Participant, Slug},
    publication::{PATHS_MAX, Publication, State},
};
use futures::{Stream, StreamExt};
use serde::Serialize;
use std::{
    io,
    path::{Path, PathBuf},
    pin::pin,
};
use tokio::io::AsyncWriteExt;

/// Largest uploaded file: what a browser can send in a day over a fast line. Larger things are published from a path or
/// an object store.
pub const UPLOAD_MAX_BYTES: u64 = 1 << 40;

/// A file that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadedFile {
    /// Its name, perhaps with folders: relative, `/` between the parts.
    pub name: String,
    /// Its bytes.
    pub size_bytes: u64,
}

impl App {
    /// Where the files sent for a publication wait.
    pub fn upload_dir(&self, slug: &Slug, id: &PublicationId) -> PathBuf {
        self.config.dir.join("uploads").join(slug.as_str()).join(id.as_str())
    }

    /// Where files lie while they are sent.
    pub(super) fn unfinished_uploads(&self) -> PathBuf {
        self.config.dir.join("uploads").join(".part")
    }

    /// Takes a file. One of the same name is replaced; one that breaks off leaves nothing.
    ///
    /// # Errors
    /// [`Code::Invalid`] for a name that is not safe; [`Code::Conflict`] while the publication is prepared or after it was
    /// published; [`Code::TooLarge`].
    pub async fn publication_upload<S>(&self, participant: &Participant, id: &PublicationId, name: &str, content: S) -> Result<UploadedFile>
    where
        S: Stream<Item = io::Result<Bytes>> + Send,
    {
        let publication = self.publication(&participant.slug, id).await?;
        changeable(&publication)?;
        crate::files::name::check(name).map_err(|why| Error::invalid(format!("This file name cannot be taken: {why}")))?;
        let dir = self.upload_dir(&participant.slug, id);
        let there = self.publication_uploads(&participant.slug, id).await?;
        if there.len() >= PATHS_MAX && there.iter().all(|f| f.name != name) {
            return Err(Error::new(Code::TooLarge, format!("At most {PATHS_MAX} files are uploaded for one product.")));
        }
        let target = dir.join(name);
        let parent = target.parent().unwrap_or(&dir).to_owned();
        tokio::fs::create_dir_all(&parent).await.map_err(Error::internal_failure)?;
        // In the folder of unfinished ones: a listing never sees it.
        let unfinished = self.unfinished_uploads();
        tokio::fs::create_dir_all(&unfinished).await.map_err(Error::internal_failure)?;
        let part = unfinished.join(self.fresh_id());
        let written = write(&part, content).await;
        let size_bytes = match written {
            Ok(size) => size,
            Err(e) => {
                let _ = tokio::fs::remove_file(&part).await;
                return Err(e);
            }
        };
        if let Err(e) = tokio::fs::rename(&part, &target).await {
            let _ = tokio::fs::remove_file(&part).await;
            return Err(Error::invalid("A file and a folder have the same name.").with_internal(e));
        }
        self.publication_uploaded(&participant.slug, id).await?;
        Ok(UploadedFile { name: name.to_owned(), size_bytes })
    }

    /// The files sent so far, by name.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn publication_uploads(&self, slug: &Slug, id: &PublicationId) -> Result<Vec<UploadedFile>> {
        let dir = self.upload_dir(slug, id);
        tokio::task::spawn_blocking(move || list(&dir)).await.map_err(Error::internal_failure)?
    }

    /// Removes a file that was sent; false when there is none of the name.
    ///
    /// # Errors
    /// [`Code::Conflict`] while the publication is prepared.
    pub async fn publication_upload_remove(&self, participant: &Participant, id: &PublicationId, name: &str) -> Result<bool> {
        changeable(&self.publication(&participant.slug, id).await?)?;
        if crate::files::name::check(name).is_err() {
            return Ok(false);
        }
        match tokio::fs::remove_file(self.upload_dir(&participant.slug, id).join(name)).await {
            Ok(()) => {
                self.publication_uploaded(&participant.slug, id).await?;
                Ok(true)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::internal_failure(e)),
        }
    }
}

fn changeable(publication: &Publication) -> Result<()> {
    match publication.state {
        State::Preparing => Err(Error::new(Code::Conflict, "The files are being read. Cancel that first, or wait.")),
        State::Published { .. } => Err(Error::new(Code::Conflict, "It is published. Begin a new publication.")),
        State::Draft | State::Prepared(_) | State::Failed { .. } => Ok(()),
    }
}

async fn write(part: &Path, content: impl Stream<Item = io::Result<Bytes>> + Send) -> Result<u64> {
    let mut file = tokio::fs::File::create(part).await.map_err(Error::internal_failure)?;
    let (mut content, mut size) = (pin!(content), 0u64);
    while let Some(piece) = content.next().await {
        let piece = piece.map_err(|e| Error::invalid("The upload broke off. Send the file again.").with_internal(e))?;
        size += piece.len() as u64;
        if size > UPLOAD_MAX_BYTES {
            return Err(Error::new(Code::TooLarge, format!("An uploaded file has at most {UPLOAD_MAX_BYTES} bytes.")));
        }
        file.write_all(&piece).await.map_err(|e| match e.kind() {
            io::ErrorKind::StorageFull => Error::new(Code::Unavailable, "The node's disk is full.").with_internal(e),
            _ => Error::internal_failure(e),
        })?;
    }
    file.flush().await.map_err(Error::internal_failure)?;
    file.sync_all().await.map_err(Error::internal_failure)?;
    Ok(size)
}

fn list(dir: &Path) -> Result<Vec<UploadedFile>> {
    fn walk(dir: &Path, prefix: &str, into: &mut Vec<UploadedFile>) -> io::Result<()> {
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(|n| format!("{prefix}{n}")) else { continue };
            let meta = entry.metadata()?;
            if meta.is_dir() {
                walk(&entry.path(), &format!("{name}/"), into)?;
            } else {
                into.push(UploadedFile { name, size_bytes: meta.len() });
            }
        }
        Ok(())
    }
    let mut files = Vec::new();
    match walk(dir, "", &mut files) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(Error::internal_failure(e)),
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}
