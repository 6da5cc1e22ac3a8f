//! Feeds: products that follow their source. Each look is a job; what it finds becomes a version under the offers of the
//! one before.

use super::{
    App,
    product_files::{FILES_AT_ONCE, table_file},
    products::Listing,
    publish::SourceAccess,
};
use crate::jobs::feed_line;
use fondaco_core::{
    Code, Error, Result,
    feed::Feed,
    ids::JobId,
    participant::{Participant, Slug},
    product::{ProductId, ProductKind},
    publication::{Draft, ReadOptions},
};
use fondaco_store::NewEvent;
use fondaco_tables::publish::Previous;
use serde_json::json;

/// Most commits of a Delta table that one look makes into versions; the next look goes on.
const COMMITS_PER_LOOK: u64 = 100;

impl App {
    /// The feed of a product.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feed(&self, slug: &Slug, product: &ProductId) -> Result<Option<Feed>> {
        let (slug, product) = (slug.clone(), product.clone());
        self.store.read("feed.get", move |tx| -> Result<_> { Ok(tx.feed_get(&slug, &product)?) }).await
    }

    /// A page of feeds by product.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn feeds(&self, slug: &Slug, after: &str, limit: u32) -> Result<Vec<Feed>> {
        let (slug, after) = (slug.clone(), after.to_owned());
        self.store.read("feed.list", move |tx| -> Result<_> { Ok(tx.feed_list(&slug, &after, limit)?) }).await
    }

    /// Ends the feed of a product; its versions stay.
    ///
    /// # Errors
    /// [`fondaco_core::Code::NotFound`].
    pub async fn feed_end(&self, slug: &Slug, product: &ProductId) -> Result<()> {
        let (slug, product) = (slug.clone(), product.clone());
        self.store
            .tx("feed.end", move |tx| -> Result<()> {
                if tx.feed_delete(&slug, &product)? { Ok(()) } else { Err(Error::not_found(format!("A feed of \"{product}\""))) }
            })
            .await
    }

    /// Looks at the source now instead of at the appointed time.
    ///
    /// # Errors
    /// [`fondaco_core::Code::NotFound`].
    pub async fn feed_look_now(&self, slug: &Slug, product: &ProductId) -> Result<Feed> {
        let (slug, product, now) = (slug.clone(), product.clone(), self.now());
        self.store
            .tx("feed.now", move |tx| -> Result<Feed> {
                let feed = tx.feed_get(&slug, &product)?.ok_or_else(|| Error::not_found(format!("A feed of \"{product}\"")))?;
                // A look that is due is being made, or about to be; a second one beside it would make the same version twice.
                if tx.job_of_key(&slug, &feed_line(&product))?.is_some_and(|job| job.run_at <= now) {
                    return Ok(feed);
                }
                let due = Feed { next_at: now, revision: feed.revision + 1, ..feed };
                super::publish::put_feed(tx, &due)?;
                Ok(due)
            })
            .await
    }

    /// One look, by a job. Void when the feed was changed or ended since.
    ///
    /// # Errors
    /// Only when the database fails: what is wrong with the source is kept with the feed.
    pub async fn feed_look(&self, participant: &Participant, product: &ProductId, revision: u64, job: JobId) -> Result<()> {
        // Stopped with the node: the job stays.
        let Ok(_turn) = self.reading_turn().await else { return Ok(()) };
        let feed = self.feed(&participant.slug, product).await?.filter(|f| f.revision == revision);
        let Some(feed) = feed else {
            return self.store.tx("feed.void", move |tx| -> Result<_> { Ok(tx.job_finish(&job)?) }).await.map(drop);
        };
        let outcome = self.renew(participant, feed).await;
        if let Err(e) = &outcome {
            if self.stopping.is_cancelled() {
                return Ok(());
            }
            tracing::info!(code = %e.code(), cause = e.internal().unwrap_or_default(), "feed.failed {product}: {e}");
        }
        let (now, slug, product) = (self.now(), participant.slug.clone(), product.clone());
        self.store
            .tx("feed.looked", move |tx| -> Result<()> {
                tx.job_finish(&job)?;
                // As it is by now: each version that was made has moved it on.
                let Some(current) = tx.feed_get(&slug, &product)?.filter(|f| f.revision == revision) else { return Ok(()) };
                let (after, refused) = match &outcome {
                    Ok(()) => (current.looked(now), false),
                    Err(e) => (current.failed(e.message().to_owned(), now), e.code() == Code::PersonalData),
                };
                if tx.feed_update(&after, revision)? {
                    super::publish::enqueue_look(tx, &after)?;
                    // Told once, not at every attempt. What its publisher has to decide is told among other failures too.
                    let is_news = after.failures == 1 || (refused && after.error != current.error);
                    if let (Some(error), true) = (&after.error, is_news) {
                        tx.event_append(&NewEvent {
                            participant: slug.clone(),
                            topic: format!("product:{}", after.product),
                            kind: "feed.failed".into(),
                            actor: slug.to_string(),
                            text: if refused {
                                format!("\"{}\" was not renewed. {error} To confirm, publish it again.", after.product)
                            } else {
                                format!("The source of \"{}\" could not be read: {error}", after.product)
                            },
                            detail: json!({"product": after.product, "error": error}),
                        })?;
                    }
                }
                Ok(())
            })
            .await
    }

    /// Makes versions of what is new at the source. Each is kept with the feed as it is made, so that a failure in the middle
    /// leaves nothing to be made again.
    async fn renew(&self, participant: &Participant, mut feed: Feed) -> Result<()> {
        let slug = &participant.slug;
        let newest = match feed.delta_version {
            Some(have) => {
                let found = self.newest_delta_version(participant, &feed.source, SourceAccess::of(&feed)).await?;
                let gone = || Error::new(Code::SourceUnreadable, "The Delta table is not there any more.");
                let newest = found.ok_or_else(gone)?;
                if newest < have {
                    let words =
                        format!("The Delta table was made anew: it has version {newest}, and {have} is published. Publish it again.");
                    return Err(Error::new(Code::SourceUnreadable, words));
                }
                Some(newest)
            }
            None => None,
        };
        for _ in 0..COMMITS_PER_LOOK {
            let latest = self.listing(slug, feed.product.as_str(), None).await?;
            let next = match (feed.delta_version, newest) {
                (Some(have), Some(newest)) if newest > have => Some(have + 1),
                (Some(_), _) => break,
                (None, _) => None,
            };
            let mut draft = draft_again(&feed, &latest, next);
            let previous = self.previous_files(slug, &latest).await?;
            let ready = match self.read_again(participant, &feed, &draft, previous.clone()).await {
                // A commit whose files were cleaned away is passed over for the newest; one that cannot be had just now is not.
                Err(e) if next.is_some() && next != newest && is_lost(&e) => {
                    draft.read.delta_version = newest;
                    self.read_again(participant, &feed, &draft, previous).await
                }
                other => other,
            }?;
            if ready.delta_version().is_none() && feed.content.as_ref() == Some(&ready.digest()) {
                self.forget_ready(&ready).await;
                break;
            }
            feed = self.store_next(participant, &feed, &draft, &ready).await?;
            if feed.delta_version.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// The files of the newest version, so that those it shares with the next are not read again.
    async fn previous_files(&self, slug: &Slug, latest: &Listing) -> Result<Option<Previous>> {
        if latest.product.kind != ProductKind::Table {
            return Ok(None);
        }
        let mut files = Vec::new();
        loop {
            let page = self.product_files(slug, &latest.product.reference, files.len() as u64).await?;
            for row in &page {
                files.push(table_file(row)?);
            }
            if page.len() < FILES_AT_ONCE as usize {
                return Ok(Some(Previous { dir: self.product_dir(&latest.product)?, files }));
            }
        }
    }
}

/// Whether a commit will never be read: its files are gone or damaged. A service that is slow or refuses may answer later.
fn is_lost(e: &Error) -> bool {
    matches!(e.code(), Code::SourceUnreadable | Code::SourceMalformed)
}

/// What the next version says: what the newest does.
fn draft_again(feed: &Feed, latest: &Listing, delta_version: Option<u64>) -> Draft {
    let p = &latest.product;
    let read = ReadOptions { delta_version, ..feed.read.clone() };
    Draft {
        product: p.reference.id.to_string(),
        title: p.title.clone(),
        description: p.description.clone(),
        keywords: p.keywords.clone(),
        listing: p.listing.clone(),
        publish_profile: p.publish_profile,
        source: Some(feed.source.clone()),
        read,
        derived_from: p.derived_from.clone(),
        ..Draft::new(p.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_lost_for_good_is_passed_over() {
        let lost = |code| is_lost(&Error::new(code, "-"));
        assert!(lost(Code::SourceUnreadable) && lost(Code::SourceMalformed));
        for code in [Code::SourceUnreachable, Code::SourceRefused, Code::Cancelled, Code::Internal, Code::Forbidden, Code::TooLarge] {
            assert!(!lost(code), "{code}");
        }
    }
}
