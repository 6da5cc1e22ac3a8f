//! Into the catalogue: a product version, its files, its offers and its feed in one transaction.

use super::{App, How, Ready, SourceAccess};
use crate::{
    app::{
        governed,
        idempotency::{Key, Once, once},
        lineage,
        product_files::FILES_AT_ONCE,
        products::{FOLDER, Listing},
    },
    jobs::{FEED_LOOK, Look, feed_line},
};
use fondaco_core::{
    Code, Error, Result,
    decision::Rules,
    feed::Feed,
    ids::{FOREIGN_ID_MAX_CHARS, OfferId},
    participant::{Participant, Slug},
    policy::Policy,
    product::{OFFERS_MAX, Offer, Product, ProductId, ProductRef, ProductState},
    publication::{Draft, Publication},
};
use fondaco_store::{NewEvent, NewJob, Tx};
use fondaco_tables::publish::Previous;
use serde_json::{Value, json};
use std::sync::Arc;

/// Largest terms of one offer, in bytes of JSON: they travel in every message about it, and a message has 1 MiB.
const OFFER_MAX_BYTES: usize = 256 * 1024;

/// The member of an offer file that holds its decision rules.
const RULES: &str = "rules";

/// An offer to make.
#[derive(Clone, Debug)]
pub(super) struct NewOffer {
    /// The id that was asked for.
    id: Option<String>,
    pub(super) policy: Policy,
    rules: Rules,
}

impl NewOffer {
    /// The offer of an earlier version, for the next one.
    pub(super) fn again(offer: Offer) -> Self {
        let first = offer.id.as_str().strip_suffix(&format!(":{}", offer.product.version)).unwrap_or(offer.id.as_str());
        Self { id: Some(first.to_owned()), policy: offer.policy, rules: offer.rules }
    }
}

/// What a version comes of, beside its draft.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The publication, if it was kept.
    pub(super) publication: Option<Publication>,
    /// The feed that makes it, as it is stored and as it is with this version.
    pub(super) feed: Option<(Feed, Feed)>,
    /// How far its publisher reaches: a feed that begins with it reaches as far.
    pub(super) access: SourceAccess,
}

impl Origin {
    /// Published by a caller, at once.
    pub(super) const fn caller(access: SourceAccess) -> Self {
        Self { publication: None, feed: None, access }
    }
}

impl App {
    /// Stores a product version with all that belongs to it: what it comes of moves on in the same transaction, so that
    /// nothing is published twice.
    pub(super) async fn store_version(
        &self,
        participant: &Participant,
        draft: &Draft,
        ready: &Ready,
        offers: Vec<NewOffer>,
        origin: Origin,
        key: Option<Key>,
    ) -> Result<Once<Listing>> {
        let Origin { publication, feed: follows, access } = origin;
        let found = ready.prepared.personal_data_found();
        // A feed lets nothing out but what was accepted with its first version.
        let confirmed = if draft.personal_data_accepted || follows.is_some() { found } else { Vec::new() };
        let (id, now) = (draft.check()?, self.now());
        offers.iter().try_for_each(|offer| self.check_webhooks(&offer.rules))?;
        let mut content = ready.prepared.content.clone();
        offers.iter().try_for_each(|offer| governed::check_terms(&offer.policy, draft.kind, &content))?;
        content[FOLDER] = json!(ready.prepared.folder);
        let mut product = Product {
            participant: participant.slug.clone(),
            reference: ProductRef { id, version: 1 },
            kind: draft.kind,
            state: ProductState::Published,
            title: draft.title.trim().to_owned(),
            description: draft.description.trim().to_owned(),
            keywords: draft.keywords.clone(),
            listing: draft.listing.clone(),
            derived_from: draft.derived_from.clone(),
            publish_profile: draft.publish_profile,
            content,
            created_at: now,
        };
        let begun = match (&draft.renewal, &draft.source) {
            (Some(renewal), Some(source)) => {
                Feed::check_every(&renewal.every)?;
                Some(Feed {
                    participant: participant.slug.clone(),
                    product: product.reference.id.clone(),
                    source: source.clone(),
                    read: draft.read.clone(),
                    every: renewal.every.clone(),
                    operator: access.operator,
                    personal_data: confirmed.clone(),
                    delta_version: ready.delta_version(),
                    content: Some(ready.digest()),
                    looked_at: Some(now),
                    renewed_at: Some(now),
                    error: None,
                    failures: 0,
                    next_at: renewal.every.after(now).ok_or_else(|| Error::invalid("The pause between two looks is too long."))?,
                    revision: 1,
                })
            }
            _ => None,
        };
        let (app, files) = (self.clone(), ready.files.clone());
        self.store
            .tx("product.publish", move |tx| {
                let publish = |tx: &mut Tx| {
                    product.reference.version = tx.product_next_version(&product.participant, &product.reference.id)?;
                    if let Some((before, after)) = follows {
                        // Not if it was ended while its source was read, by withdrawing the product perhaps.
                        let stored = tx.feed_get(&before.participant, &before.product)?;
                        if stored.as_ref() != Some(&before) || !tx.feed_update(&after, before.revision)? {
                            return Err(Error::new(Code::Conflict, "The feed was changed or ended while its source was read."));
                        }
                    }
                    lineage::check_sources(tx, &product.participant, &product.derived_from)?;
                    tx.product_insert(&product)?;
                    tx.product_files_insert(&product.participant, &product.reference, &files)?;
                    let mut made = Vec::with_capacity(offers.len());
                    for offer in offers {
                        made.push(insert_offer(&app, tx, &product, offer)?);
                    }
                    if let Some(before) = publication {
                        let after = before.published(product.reference.dataset_id(), now);
                        tx.publication_update(&after, before.revision)?;
                    }
                    if let Some(feed) = begun {
                        put_feed(tx, &feed)?;
                    }
                    tx.event_append(&NewEvent {
                        participant: product.participant.clone(),
                        topic: format!("product:{}", product.reference.dataset_id()),
                        kind: "product.published".into(),
                        actor: product.participant.to_string(),
                        text: format!("Published \"{}\", version {}.", product.title, product.reference.version),
                        detail: json!({"product": product.reference.id, "version": product.reference.version, "title": product.title,
                            "personalDataConfirmed": confirmed}),
                    })?;
                    app.note_published(tx, &product, &made)?;
                    let shown = files.iter().take(FILES_AT_ONCE as usize).cloned().collect();
                    Ok(Listing { product, offers: made, files: shown })
                };
                once(tx, key.as_ref(), publish, |listing| listing.product.reference.dataset_id())
            })
            .await
    }

    /// After a publication at once: the listing, or nothing left behind.
    pub(super) async fn keep_or_remove(&self, ready: &Ready, stored: Result<Once<Listing>>) -> Result<Listing> {
        match stored {
            Ok(Once::Done(_)) => self.reading_ended(&ready.prepared.folder).await,
            _ => self.remove_folder(&ready.prepared.folder).await,
        }
        match stored? {
            Once::Done(listing) => Ok(listing),
            Once::Before(dataset) => {
                let slug = ready.slug()?;
                self.listing(&slug, &dataset, ProductRef::parse_dataset_id(&dataset).map(|r| r.version)).await
            }
        }
    }

    /// Reads the source of a feed for its next version.
    pub(in crate::app) async fn read_again(
        &self,
        participant: &Participant,
        feed: &Feed,
        draft: &Draft,
        previous: Option<Previous>,
    ) -> Result<Ready> {
        let cancel = Arc::clone(&self.stop_reading);
        let how = How { access: SourceAccess::of(feed), uploads: None, previous, cancel, progress: Box::new(|_| ()) };
        self.read_source(participant, draft, how).await
    }

    /// Stores the next version of a product that follows its source, under the offers of the newest; gives the feed as it is
    /// then.
    ///
    /// # Errors
    /// [`Code::PersonalData`] for columns that were not accepted with the first version; [`Code::Conflict`] when the feed was
    /// changed or ended meanwhile.
    pub(in crate::app) async fn store_next(&self, participant: &Participant, feed: &Feed, draft: &Draft, ready: &Ready) -> Result<Feed> {
        let after = feed.renewed(ready.digest(), ready.delta_version(), self.now());
        let origin = Origin { publication: None, feed: Some((feed.clone(), after.clone())), access: SourceAccess::of(feed) };
        let store = async {
            ready.prepared.check_personal_data_among(&feed.personal_data)?;
            let offers = self.offers_again(&participant.slug, &feed.product).await?;
            self.store_version(participant, draft, ready, offers, origin, None).await
        };
        let stored = store.await;
        self.keep_or_remove(ready, stored).await?;
        Ok(after)
    }

    /// Throws away what was read.
    pub(in crate::app) async fn forget_ready(&self, ready: &Ready) {
        self.remove_folder(&ready.prepared.folder).await;
    }

    /// Removes a folder below the data folder.
    pub(super) async fn remove_folder(&self, folder: &str) {
        let dir = self.config.data_dir().join(folder);
        super::remove(&dir).await;
        let _ = tokio::fs::remove_file(super::prepare::list_path(&dir)).await;
        self.reading_ended(folder).await;
    }

    /// The offers of the newest version, to be made again for the next.
    ///
    /// # Errors
    /// [`Code::Conflict`] when no version is on offer.
    pub(super) async fn offers_again(&self, slug: &Slug, product: &ProductId) -> Result<Vec<NewOffer>> {
        let (slug, product) = (slug.clone(), product.clone());
        let offers = self
            .store
            .read("product.offers", move |tx| -> Result<Vec<Offer>> {
                let withdrawn = || Error::new(Code::Conflict, format!("\"{product}\" is withdrawn. Publish it again to offer it again."));
                let latest = tx.product_latest(&slug, &product)?.ok_or_else(withdrawn)?;
                Ok(tx.offers_of(&slug, &latest.reference)?)
            })
            .await?;
        Ok(offers.into_iter().map(NewOffer::again).collect())
    }
}

/// Stores a feed and its next look.
pub(in crate::app) fn put_feed(tx: &mut Tx, feed: &Feed) -> Result<()> {
    // A line is done in order: the look that was appointed before, perhaps for next month, would hold this one back.
    tx.jobs_drop(&feed.participant, &feed_line(&feed.product))?;
    tx.feed_put(feed)?;
    enqueue_look(tx, feed)
}

/// Puts the next look of a feed among the jobs.
pub(in crate::app) fn enqueue_look(tx: &mut Tx, feed: &Feed) -> Result<()> {
    tx.job_enqueue(&NewJob {
        participant: feed.participant.clone(),
        kind: FEED_LOOK.into(),
        key: feed_line(&feed.product),
        payload: json!(Look { product: feed.product.clone(), revision: feed.revision }),
        run_at: feed.next_at,
    })?;
    Ok(())
}

fn insert_offer(app: &App, tx: &mut Tx, product: &Product, new: NewOffer) -> Result<Offer> {
    let id = match new.id {
        // An offer's id must be unique; the file of version 1 may be used again for version 2.
        Some(id) if product.reference.version > 1 => OfferId::from_stored(format!("{id}:{}", product.reference.version)),
        Some(id) => OfferId::from_stored(id),
        None => OfferId::generate(product.created_at, &*app.entropy),
    };
    if tx.offer_get(&product.participant, &id)?.is_some() {
        return Err(Error::new(Code::Conflict, format!("There is an offer with the id \"{id}\" already. Leave \"@id\" out.")));
    }
    let offer = Offer {
        id,
        participant: product.participant.clone(),
        product: product.reference.clone(),
        odrl: new.policy.to_odrl(),
        policy: new.policy,
        rules: new.rules,
        created_at: product.created_at,
    };
    tx.offer_insert(&offer)?;
    Ok(offer)
}

/// Offer files, checked before any data is touched.
pub(super) fn read_offers(offers: &[Value]) -> Result<Vec<NewOffer>> {
    if offers.len() > OFFERS_MAX {
        return Err(Error::invalid(format!("A product has at most {OFFERS_MAX} offers.")));
    }
    if offers.is_empty() {
        return Ok(vec![NewOffer { id: None, policy: Policy::open(), rules: Rules::default() }]);
    }
    offers
        .iter()
        .map(|odrl| {
            let id = match odrl.get("@id") {
                None => None,
                Some(Value::String(id))
                    if !id.is_empty() && id.len() <= FOREIGN_ID_MAX_CHARS && id.bytes().all(|b| b.is_ascii_graphic()) =>
                {
                    Some(id.clone())
                }
                Some(_) => {
                    return Err(Error::invalid("An offer's \"@id\" is a text of visible characters without spaces. It may be left out."));
                }
            };
            if odrl.get("target").is_some() {
                return Err(Error::invalid("An offer file has no \"target\": its target is the product it is published with."));
            }
            // What we do of our own accord is ours, and no part of the terms.
            let mut terms = odrl.clone();
            let rules: Rules = match terms.as_object_mut().and_then(|map| map.remove(RULES)) {
                None => Rules::default(),
                Some(rules) => serde_json::from_value(rules)
                    .map_err(|e| Error::invalid(format!("The \"{RULES}\" of an offer cannot be read: {e}.")))?,
            };
            rules.check()?;
            let policy = Policy::from_odrl(&terms)?;
            rules.check_for(&policy)?;
            if policy.to_odrl().to_string().len() > OFFER_MAX_BYTES {
                return Err(Error::new(Code::TooLarge, format!("An offer's terms have at most {} KiB.", OFFER_MAX_BYTES / 1024)));
            }
            Ok(NewOffer { id, policy, rules })
        })
        .collect()
}
