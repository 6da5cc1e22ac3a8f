//! Stored files that are not what was published any more: the publisher is told, once per file and change.

use super::App;
use crate::files::seal::{Damage, Seal};
use fondaco_core::{
    Result,
    participant::Slug,
    product::{Product, ProductRef},
    time::Timestamp,
};
use fondaco_store::{Event, NewEvent, ProductFile, tx::PAGE_MAX};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A file was found to be damaged.
pub const PRODUCT_DAMAGED: &str = "product.damaged";
/// A damaged file was found to be as published again.
pub const PRODUCT_RESTORED: &str = "product.restored";

/// A damaged file, as the publisher sees it.
#[derive(Clone, Debug)]
pub struct DamagedFile {
    /// Its name in the product.
    pub file: String,
    /// What is wrong.
    pub why: String,
    /// When it was found, at an attempt to deliver it.
    pub found_at: Timestamp,
}

fn topic(reference: &ProductRef) -> String {
    format!("product:{}", reference.dataset_id())
}

/// What was last found of a file.
fn last_about<'a>(events: &'a [Event], file: &str) -> Option<&'a Event> {
    let about = |e: &&Event| matches!(e.kind.as_str(), PRODUCT_DAMAGED | PRODUCT_RESTORED) && e.detail["file"] == file;
    events.iter().rev().find(about)
}

/// Whether the publisher has not been told of this damage yet: not at all, or not since the file was restored.
fn is_news(events: &[Event], file: &str, seal: &Value) -> bool {
    last_about(events, file).is_none_or(|e| e.kind != PRODUCT_DAMAGED || e.detail["seal"] != *seal)
}

impl App {
    /// Notes how a file looked when its hash was found to be right, so that it is not hashed again; `None` where a further
    /// change might not show.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn product_file_reseal(&self, product: &Product, file: &ProductFile, seal: Option<&Seal>) -> Result<()> {
        let reference = &product.reference;
        let restored = NewEvent {
            participant: product.participant.clone(),
            topic: topic(reference),
            kind: PRODUCT_RESTORED.into(),
            actor: "node".into(),
            text: format!("\"{}\" of \"{}\" is as it was published again, and is delivered.", file.name, product.title),
            detail: json!({"product": reference.id, "version": reference.version, "file": file.name}),
        };
        let (reference, name, position, seal) = (reference.clone(), file.name.clone(), file.position, seal.cloned());
        self.store
            .tx("product.reseal", move |tx| -> Result<()> {
                tx.product_file_seal(&restored.participant, &reference, position, seal.as_ref().map(Seal::as_str))?;
                let known = tx.events_of(&restored.participant, &restored.topic, 0, PAGE_MAX)?;
                if last_about(&known, &name).is_some_and(|e| e.kind == PRODUCT_DAMAGED) {
                    tx.event_append(&restored)?;
                }
                Ok(())
            })
            .await
    }

    /// Records that a file of a product cannot be delivered. Its seal is forgotten, so that it is hashed again, and reported
    /// as restored, even when it comes back looking as it did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn product_damaged(&self, product: &Product, row: &ProductFile, damage: &Damage) -> Result<()> {
        let (reference, file, position) = (product.reference.clone(), row.name.clone(), row.position);
        tracing::warn!(participant = %product.participant, product = %reference.dataset_id(), file, "product.damaged: {}", damage.why);
        let seal = json!(damage.seal);
        let event = NewEvent {
            participant: product.participant.clone(),
            topic: topic(&reference),
            kind: PRODUCT_DAMAGED.into(),
            actor: "node".into(),
            text: format!(
                "\"{file}\" of \"{}\" is not delivered any more. {} Restore it, or publish a new version.",
                product.title, damage.why
            ),
            detail: json!({"product": reference.id, "version": reference.version, "file": file, "why": damage.why, "seal": seal}),
        };
        self.store
            .tx("product.damaged", move |tx| -> Result<()> {
                tx.product_file_seal(&event.participant, &reference, position, None)?;
                let known = tx.events_of(&event.participant, &event.topic, 0, PAGE_MAX)?;
                // A product with a page full of events is known to be in trouble: its log does not grow with every request.
                if known.len() < PAGE_MAX as usize && is_news(&known, &file, &seal) {
                    tx.event_append(&event)?;
                }
                Ok(())
            })
            .await
    }

    /// The files of a product version that could not be delivered as published when they were last asked for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn product_damage(&self, slug: &Slug, reference: &ProductRef) -> Result<Vec<DamagedFile>> {
        let (slug, topic) = (slug.clone(), topic(reference));
        let events = self.store.read("product.damage", move |tx| -> Result<_> { Ok(tx.events_of(&slug, &topic, 0, PAGE_MAX)?) }).await?;
        let mut last: BTreeMap<String, Event> = BTreeMap::new();
        for event in events {
            if let Some(file) = event.detail["file"].as_str().filter(|_| matches!(event.kind.as_str(), PRODUCT_DAMAGED | PRODUCT_RESTORED))
            {
                last.insert(file.to_owned(), event);
            }
        }
        let damaged = last.into_iter().filter(|(_, event)| event.kind == PRODUCT_DAMAGED);
        let why = |event: &Event| event.detail["why"].as_str().unwrap_or_default().to_owned();
        Ok(damaged.map(|(file, event)| DamagedFile { file, why: why(&event), found_at: event.at }).collect())
    }
}
