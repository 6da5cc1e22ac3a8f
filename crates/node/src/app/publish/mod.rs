//! Publications: from a source to the catalogue, at once or step by step.
//!
//! *Preparing* copies, checks and describes what the source holds (`prepare`); *storing* puts it into the catalogue in one
//! transaction (`store`). A command does both at once; the console does them with a person looking in between, and keeps the
//! publication meanwhile.

mod leftovers;
mod prepare;
mod runs;
mod store;
mod upload;

pub(in crate::app) use prepare::source_error;
pub use prepare::{Ready, SourceAccess};
pub use runs::{Progress, Runs};
pub(in crate::app) use store::{enqueue_look, put_feed};
pub use upload::UploadedFile;

use super::{
    App, governed,
    idempotency::Key,
    products::Listing,
    views::{Listed, list_rows},
};
use crate::{
    footprint,
    jobs::{PUBLICATION_PREPARE, Prepare},
};
use fondaco_core::{
    Code, Error, Result,
    ids::{JobId, PublicationId},
    participant::{Participant, Slug},
    publication::{Draft, Publication, Source, State},
    time::{Micros, Timestamp},
};
use fondaco_store::{NewJob, Tx};
use prepare::How;
use serde_json::json;
use std::sync::Arc;
use store::Origin;
use tokio::sync::SemaphorePermit;

/// Publications shown at once.
const SHOWN_MAX: u32 = 200;
/// How often a change is tried again that met another one.
const AMEND_RETRIES: u32 = 5;
/// How long a publication that nobody touches is kept: its files take room.
pub const ABANDONED_AFTER: Micros = Micros::from_secs(30 * 86_400);

/// A turn to read a source; the next one begins when it is dropped.
pub(in crate::app) struct ReadingTurn<'a> {
    _permit: SemaphorePermit<'a>,
}

impl Drop for ReadingTurn<'_> {
    fn drop(&mut self) {
        // The formats' code is large and not needed again before the next source.
        footprint::give_code_back();
    }
}

impl App {
    /// Publishes a new version of a product, all at once.
    ///
    /// # Errors
    /// [`Code::PolicyUnsupported`] before anything is read; [`Code::SourceMalformed`] and its
    /// kin naming file and place; [`Code::PersonalData`].
    pub async fn publish(
        &self,
        participant: &Participant,
        draft: Draft,
        access: SourceAccess,
        key: Option<Key>,
        progress: impl FnMut(Progress) + Send + 'static,
    ) -> Result<Listing> {
        draft.check()?;
        let offers = store::read_offers(&draft.offers)?;
        offers.iter().try_for_each(|offer| governed::check_kind(&offer.policy, draft.kind))?;
        if matches!(draft.source, Some(Source::Upload)) {
            return Err(Error::invalid("Files are uploaded to a publication: begin one with POST …/publications."));
        }
        let (app, participant) = (self.clone(), participant.clone());
        // A task of its own: what was begun is finished, or removed, although its caller went away.
        let work = tokio::spawn(async move {
            let _turn = app.reading_turn().await?;
            let cancel = Arc::clone(&app.stop_reading);
            let how = How { access, uploads: None, previous: None, cancel, progress: Box::new(progress) };
            let ready = app.read_source(&participant, &draft, how).await?;
            let stored = match ready.prepared.check_personal_data(draft.personal_data_accepted) {
                Ok(()) => app.store_version(&participant, &draft, &ready, offers, Origin::caller(access), key).await,
                Err(e) => Err(e),
            };
            app.keep_or_remove(&ready, stored).await
        });
        work.await.map_err(Error::internal_failure)?
    }

    /// Waits for a turn to read a source: readings are bound by the disk, and each takes memory.
    ///
    /// # Errors
    /// [`Code::Unavailable`] when the node stops.
    pub(in crate::app) async fn reading_turn(&self) -> Result<ReadingTurn<'_>> {
        let turn = self.preparations.acquire().await.map_err(Error::internal_failure)?;
        if self.stopping.is_cancelled() {
            return Err(Error::new(Code::Unavailable, "Nothing was published: the node is stopping. Publish again."));
        }
        Ok(ReadingTurn { _permit: turn })
    }

    /// Begins a publication.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publication_new(&self, participant: &Participant, draft: Draft) -> Result<Publication> {
        let now = self.now();
        let publication = Publication::new(PublicationId::generate(now, &*self.entropy), participant.slug.clone(), draft, now);
        let made = publication.clone();
        self.store.tx("publication.new", move |tx| -> Result<_> { Ok(tx.publication_insert(&made)?) }).await?;
        Ok(publication)
    }

    /// A publication.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn publication(&self, slug: &Slug, id: &PublicationId) -> Result<Publication> {
        let (slug, id) = (slug.clone(), id.clone());
        self.store.read("publication.get", move |tx| -> Result<_> { tx.publication_get(&slug, &id)?.ok_or_else(|| missing(&id)) }).await
    }

    /// The publications last touched; those that are done only when `all`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publications(&self, slug: &Slug, all: bool) -> Result<Vec<Publication>> {
        let slug = slug.clone();
        self.store.read("publication.list", move |tx| -> Result<_> { Ok(tx.publication_list(&slug, all, None, SHOWN_MAX)?) }).await
    }

    /// A page of them; `after` is the `next` of the page before.
    ///
    /// # Errors
    /// [`Code::Invalid`] for an `after` that is none of ours.
    pub async fn publications_page(&self, slug: &Slug, all: bool, after: Option<&str>, limit: Option<u32>) -> Result<Listed<Publication>> {
        let after = after.map(|text| {
            let (at, id) = text.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id)))?;
            Some((Timestamp::from_micros(at), id.to_owned()))
        });
        let after = match after {
            Some(None) => return Err(Error::invalid("\"after\" is the \"next\" of the page before.")),
            after => after.flatten(),
        };
        let (slug, limit) = (slug.clone(), list_rows(limit));
        let list = move |tx: &mut Tx| -> Result<_> {
            let after = after.as_ref().map(|(at, id)| (*at, id.as_str()));
            let rows = tx.publication_list(&slug, all, after, limit + 1)?;
            Ok(Listed::cut(rows, limit, |p: &Publication| format!("{}.{}", p.updated_at.as_micros(), p.id)))
        };
        self.store.read("publication.page", list).await
    }

    /// Changes what was said. What was prepared is removed when it does not fit any more.
    ///
    /// # Errors
    /// As [`Publication::amend`].
    pub async fn publication_amend(&self, participant: &Participant, id: &PublicationId, draft: Draft) -> Result<Publication> {
        let mut tries = 0;
        let (before, after) = loop {
            let before = self.publication(&participant.slug, id).await?;
            let after = before.amend(draft.clone(), self.now())?;
            match self.publication_replace(&before, &after).await {
                // The reading of its source came to its end meanwhile, which takes nothing from what is said here.
                Err(e) if e.code() == Code::Conflict && tries < AMEND_RETRIES => tries += 1,
                Err(e) => return Err(e),
                Ok(()) => break (before, after),
            }
        };
        if !matches!(after.state, State::Prepared(_)) {
            self.remove_prepared(&before).await;
        }
        Ok(after)
    }

    /// What was read of the uploaded files is void, since they are others now.
    async fn publication_uploaded(&self, slug: &Slug, id: &PublicationId) -> Result<()> {
        loop {
            let before = self.publication(slug, id).await?;
            let Some(after) = before.uploaded(self.now()) else { return Ok(()) };
            match self.publication_replace(&before, &after).await {
                // Another file came at the same time: it may have said so already.
                Err(e) if e.code() == Code::Conflict => {}
                Err(e) => return Err(e),
                Ok(()) => {
                    self.remove_prepared(&before).await;
                    return Ok(());
                }
            }
        }
    }

    async fn publication_replace(&self, before: &Publication, after: &Publication) -> Result<()> {
        let (after, expected) = (after.clone(), before.revision);
        self.store.tx("publication.change", move |tx| -> Result<_> { Ok(tx.publication_update(&after, expected)?) }).await
    }

    /// Begins to read the source. A job does it, so that it goes on without its window and after a restart.
    ///
    /// # Errors
    /// As [`Publication::prepare`]; [`Code::Forbidden`] for a path that the caller may not publish from.
    pub async fn publication_prepare(&self, participant: &Participant, id: &PublicationId, access: SourceAccess) -> Result<Publication> {
        let before = self.publication(&participant.slug, id).await?;
        let after = before.prepare(self.now())?;
        if let Some(source) = &after.draft.source {
            self.allowed_source(after.draft.kind, source, access)?;
        }
        let (slug, stored, expected) = (participant.slug.clone(), after.clone(), before.revision);
        self.store
            .tx("publication.prepare", move |tx| -> Result<()> {
                tx.publication_update(&stored, expected)?;
                tx.job_enqueue(&NewJob {
                    participant: slug.clone(),
                    kind: PUBLICATION_PREPARE.into(),
                    key: stored.id.to_string(),
                    payload: json!(Prepare { id: stored.id.clone(), revision: stored.revision, operator: access.operator }),
                    run_at: tx.now(),
                })?;
                Ok(())
            })
            .await?;
        self.remove_prepared(&before).await;
        Ok(after)
    }

    /// Does what [`App::publication_prepare`] asked for. Safe to run twice: the second run finds it done.
    ///
    /// # Errors
    /// Only when the database fails: what is wrong with the source is kept with the publication.
    pub async fn publication_prepare_now(&self, participant: &Participant, due: &Prepare, job: JobId) -> Result<()> {
        let done = move |tx: &mut fondaco_store::Tx| -> Result<()> { Ok(tx.job_finish(&job).map(drop)?) };
        // Stopped with the node: the job stays, and begins at the next start.
        let Ok(_turn) = self.reading_turn().await else { return Ok(()) };
        let publication = self.publication(&participant.slug, &due.id).await.ok();
        let waiting = publication.filter(|p| p.reading == due.revision && matches!(p.state, State::Preparing));
        let Some(publication) = waiting else { return self.store.tx("publication.void", done).await };
        let Some(running) = self.runs.begin(&due.id) else { return Ok(()) };
        let told = running.progress.clone();
        let uploads = self.upload_dir(&participant.slug, &due.id);
        let access = SourceAccess { operator: due.operator };
        let outcome = self
            .read_source(
                participant,
                &publication.draft,
                How {
                    access,
                    uploads: Some(uploads),
                    previous: None,
                    cancel: Arc::clone(&running.cancel),
                    progress: Box::new(move |p| drop(told.send_replace(Some(p)))),
                },
            )
            .await;
        if outcome.is_err() && self.stopping.is_cancelled() {
            // Stopped with the node: the job stays, and begins anew at the next start.
            return Ok(());
        }
        let now = self.now();
        let (prepared, folder) = match outcome {
            Ok(ready) => {
                let folder = ready.prepared.folder.clone();
                if let Err(e) = ready.write_list(self).await {
                    self.remove_folder(&folder).await;
                    return Err(e);
                }
                (Ok(ready.prepared), Some(folder))
            }
            Err(e) => (Err(e), None),
        };
        let (slug, id, revision) = (participant.slug.clone(), due.id.clone(), due.revision);
        let kept = self
            .store
            .tx("publication.prepared", move |tx| -> Result<bool> {
                done(tx)?;
                let Some(current) = tx.publication_get(&slug, &id)?.filter(|p| p.reading == revision) else { return Ok(false) };
                let Some(after) = current.prepared(prepared.clone(), now) else { return Ok(false) };
                tx.publication_update(&after, current.revision)?;
                Ok(true)
            })
            .await;
        match (&kept, folder) {
            (Ok(true), Some(folder)) => self.reading_ended(&folder).await,
            (Ok(false) | Err(_), Some(folder)) => self.remove_folder(&folder).await,
            (_, None) => {}
        }
        kept.map(drop)
    }

    /// Stops the reading of the source; the publication is a draft again.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn publication_cancel(&self, participant: &Participant, id: &PublicationId) -> Result<Publication> {
        let before = self.publication(&participant.slug, id).await?;
        if !matches!(before.state, State::Preparing) {
            return Ok(before);
        }
        let cancelled = Error::new(Code::Cancelled, "The reading of the source was cancelled.");
        let Some(after) = before.prepared(Err(cancelled), self.now()) else { return Ok(before) };
        self.publication_replace(&before, &after).await?;
        self.runs.cancel(id);
        Ok(after)
    }

    /// How far the reading of the source is; `None` before it begins, after its end, and in another process.
    pub fn publication_progress(&self, id: &PublicationId) -> Option<Progress> {
        self.runs.progress(id)
    }

    /// Puts what was prepared into the catalogue.
    ///
    /// # Errors
    /// As [`Publication::ready`]; [`Code::PolicyUnsupported`] for its offers.
    pub async fn publication_publish(
        &self,
        participant: &Participant,
        id: &PublicationId,
        access: SourceAccess,
        key: Option<Key>,
    ) -> Result<Listing> {
        let (app, participant, id) = (self.clone(), participant.clone(), id.clone());
        // A task of its own: what belongs to it is put away although its caller went away.
        tokio::spawn(async move { app.publication_publish_now(&participant, &id, access, key).await })
            .await
            .map_err(Error::internal_failure)?
    }

    async fn publication_publish_now(
        &self,
        participant: &Participant,
        id: &PublicationId,
        access: SourceAccess,
        key: Option<Key>,
    ) -> Result<Listing> {
        let publication = self.publication(&participant.slug, id).await?;
        if let (State::Published { dataset }, Some(_)) = (&publication.state, &key) {
            // The same request again.
            return self.listing(&participant.slug, dataset, None).await;
        }
        let (_, prepared) = publication.ready()?;
        let offers = store::read_offers(&publication.draft.offers)?;
        let ready = Ready::read_list(self, prepared.clone()).await?;
        let origin = Origin { publication: Some(publication.clone()), feed: None, access };
        let listing = self.store_version(participant, &publication.draft, &ready, offers, origin, key).await?;
        ready.forget_list(self).await;
        remove(&self.upload_dir(&participant.slug, id)).await;
        match listing {
            super::idempotency::Once::Done(listing) => Ok(listing),
            super::idempotency::Once::Before(dataset) => self.listing(&participant.slug, &dataset, None).await,
        }
    }

    /// What was read for a publication.
    ///
    /// # Errors
    /// When it is not read yet, or is gone.
    pub(in crate::app) async fn publication_ready(&self, publication: &Publication) -> Result<Ready> {
        match &publication.state {
            State::Prepared(prepared) => Ready::read_list(self, prepared.clone()).await,
            _ => Err(Error::new(Code::NotYet, "The source has not been read yet.")),
        }
    }

    /// Gives a publication up, with everything it holds.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn publication_discard(&self, participant: &Participant, id: &PublicationId) -> Result<()> {
        let gone = self.publication_take(&participant.slug, id, |_| true).await?.ok_or_else(|| missing(id))?;
        self.runs.cancel(id);
        self.remove_prepared(&gone).await;
        remove(&self.upload_dir(&participant.slug, id)).await;
        Ok(())
    }

    /// Removes a publication from the database, if there is one and `when` says so, and gives it as it was at that moment:
    /// had it been published meanwhile, its files would be the product's.
    async fn publication_take(
        &self,
        slug: &Slug,
        id: &PublicationId,
        when: impl Fn(&Publication) -> bool + Send + 'static,
    ) -> Result<Option<Publication>> {
        let (slug, id) = (slug.clone(), id.clone());
        self.store
            .tx("publication.take", move |tx| -> Result<_> {
                let Some(publication) = tx.publication_get(&slug, &id)?.filter(|p| when(p)) else { return Ok(None) };
                tx.publication_delete(&publication)?;
                Ok(Some(publication))
            })
            .await
    }

    /// Gives up the publications that nobody has touched for [`ABANDONED_AFTER`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publications_sweep(&self) -> Result<()> {
        let before = self.now().plus(Micros(-ABANDONED_AFTER.0));
        let old = self.store.read("publication.old", move |tx| -> Result<_> { Ok(tx.publications_old(before, SHOWN_MAX)?) }).await?;
        for publication in old {
            // It may have been touched since it was listed.
            let abandoned = move |p: &Publication| p.updated_at < before && !matches!(p.state, State::Preparing);
            if let Some(gone) = self.publication_take(&publication.participant, &publication.id, abandoned).await? {
                self.remove_prepared(&gone).await;
                remove(&self.upload_dir(&gone.participant, &gone.id)).await;
            }
        }
        Ok(())
    }

    /// Removes what was prepared and is not in the catalogue.
    async fn remove_prepared(&self, publication: &Publication) {
        if let State::Prepared(prepared) = &publication.state {
            self.remove_folder(&prepared.folder).await;
        }
    }
}

/// Removes a folder, if it is there.
async fn remove(dir: &std::path::Path) {
    if let Err(e) = tokio::fs::remove_dir_all(dir).await
        && e.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(cause = %e, "publish.leftover {}", dir.display());
    }
}

fn missing(id: &PublicationId) -> Error {
    Error::not_found(format!("The publication {id:.80}"))
}
