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

fn is_about(event: &Event, file: &str, seal: &Value) -> bool {
    event.kind == PRODUCT_DAMAGED && event.detail["file"] == file && event.detail["seal"] == *seal
}

impl App {
    /// Notes how a file looked when its hash was found to be right, so that it is not hashed again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn product_file_reseal(&self, product: &Product, file: &ProductFile, seal: &Seal) -> Result<()> {
        let reference = &product.reference;
        let restored = NewEvent {
            participant: product.participant.clone(),
            topic: topic(reference),
            kind: PRODUCT_RESTORED.into(),
            actor: "node".into(),
            text: format!("\"{}\" of \"{}\" is as it was published again, and is delivered.", file.name, product.title),
            detail: json!({"product": reference.id, "version": reference.version, "file": file.name}),
        };
        let (reference, name, position, seal) = (reference.clone(), file.name.clone(), file.position, seal.clone());
        self.store
            .tx("product.reseal", move |tx| -> Result<()> {
                tx.product_file_seal(&restored.participant, &reference, position, seal.as_str())?;
                let known = tx.events_of(&restored.participant, &restored.topic, 0, PAGE_MAX)?;
                let last = known.iter().rfind(|e| e.detail["file"] == name.as_str());
                if last.is_some_and(|e| e.kind == PRODUCT_DAMAGED) {
                    tx.event_append(&restored)?;
                }
                Ok(())
            })
            .await
    }

    /// Records that a file of a product cannot be delivered.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn product_damaged(&self, product: &Product, file: &str, damage: &Damage) -> Result<()> {
        let reference = &product.reference;
        tracing::warn!(participant = %product.participant, product = %reference.dataset_id(), file, "product.damaged: {}", damage.why);
        let seal = json!(damage.seal);
        let event = NewEvent {
            participant: product.participant.clone(),
            topic: topic(reference),
            kind: PRODUCT_DAMAGED.into(),
            actor: "node".into(),
            text: format!(
                "\"{file}\" of \"{}\" is not delivered any more. {} Restore it, or publish a new version.",
                product.title, damage.why
            ),
            detail: json!({"product": reference.id, "version": reference.version, "file": file, "why": damage.why, "seal": seal}),
        };
        let file = file.to_owned();
        self.store
            .tx("product.damaged", move |tx| -> Result<()> {
                let known = tx.events_of(&event.participant, &event.topic, 0, PAGE_MAX)?;
                // A product with a page full of events is known to be in trouble: its log does not grow with every request.
                if known.len() < PAGE_MAX as usize && !known.iter().any(|e| is_about(e, &file, &seal)) {
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
