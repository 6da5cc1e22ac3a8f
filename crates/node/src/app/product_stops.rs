//! The emergency stop of a whole product: one row, and nothing of any version is admitted. The agreements about it, their
//! transfers and consumers follow, agreement by agreement.

use super::{After, App, agreement_life};
use crate::jobs::{self, StopWalk};
use fondaco_core::{
    Code, Error, Result,
    ids::JobId,
    life::{Own, Stop},
    participant::Slug,
    product::{ProductId, ProductRef},
};
use fondaco_store::{NewEvent, NewJob, Tx};
use serde_json::json;

/// Agreements that follow in one transaction: each may have transfers to suspend.
const AGREEMENTS_STEP: u32 = 50;

impl App {
    /// Stops a product for now: every version, every agreement about it.
    ///
    /// # Errors
    /// [`Code::Invalid`] without a reason, [`Code::NotFound`], [`Code::Conflict`] when it is stopped already.
    pub async fn product_stop(&self, slug: &Slug, id: &str, reason: Option<String>) -> Result<()> {
        let stop = Stop { at: self.now(), reason: agreement_life::required_reason(reason)? };
        self.product_stop_set(slug, id, Some(stop)).await
    }

    /// Takes the stop of a product back.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::Conflict`] when it is not stopped.
    pub async fn product_resume(&self, slug: &Slug, id: &str) -> Result<()> {
        self.product_stop_set(slug, id, None).await
    }

    async fn product_stop_set(&self, slug: &Slug, id: &str, stop: Option<Stop>) -> Result<()> {
        let missing = Error::not_found(format!("The product \"{id:.100}\""));
        let Some(ProductRef { id: product, .. }) = ProductRef::parse_dataset_id(id) else { return Err(missing) };
        let (app, slug) = (self.clone(), slug.clone());
        let after = self
            .store
            .tx("product.stop", move |tx| -> Result<_> {
                if tx.product_last(&slug, &product)?.is_none() {
                    return Err(missing);
                }
                let changed = match &stop {
                    Some(stop) => tx.product_stop(&slug, &product, stop)?,
                    None => tx.product_resume(&slug, &product)?,
                };
                if !changed {
                    let words = if stop.is_some() { "The product is stopped already." } else { "The product is not stopped." };
                    return Err(Error::new(Code::Conflict, words));
                }
                record(&app, tx, &slug, &product, stop.as_ref())?;
                walk(&app, tx, &slug, StopWalk { product, after: String::new() })
            })
            .await?;
        self.after_commit(after);
        Ok(())
    }

    /// Goes on with the agreements about a product that was stopped or resumed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn product_stop_walk(&self, slug: &Slug, product: ProductId, after: String, job: JobId) -> Result<()> {
        let (app, slug) = (self.clone(), slug.clone());
        let after = self
            .store
            .tx("product.stop_walk", move |tx| -> Result<_> {
                tx.job_finish(&job)?;
                walk(&app, tx, &slug, StopWalk { product: product.clone(), after: after.clone() })
            })
            .await?;
        self.after_commit(after);
        Ok(())
    }

    /// The stop of a product, if it is stopped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn product_stopped(&self, slug: &Slug, product: &ProductId) -> Result<Option<Stop>> {
        let (slug, product) = (slug.clone(), product.clone());
        self.store.read("product.stopped", move |tx| -> Result<_> { Ok(tx.product_stopped(&slug, &product)?) }).await
    }
}

/// Brings the next agreements to what the product is now, and leaves the rest to a job.
fn walk(app: &App, tx: &mut Tx, slug: &Slug, from: StopWalk) -> Result<Vec<After>> {
    tx.agreements_plan(slug)?;
    let stop = tx.product_stopped(slug, &from.product)?;
    let found = tx.agreements_of_product(slug, &from.product, &from.after, AGREEMENTS_STEP)?;
    let mut after = Vec::new();
    for id in &found {
        let Some(row) = tx.agreement_lock(slug, id)? else { continue };
        after.extend(agreement_life::act(app, tx, &row, Own::Product(stop.clone()), &app.cause())?);
    }
    if let Some(last) = found.last().filter(|_| found.len() == AGREEMENTS_STEP as usize) {
        tx.job_enqueue(&NewJob {
            participant: slug.clone(),
            kind: jobs::PRODUCT_STOP.into(),
            // One after another: what came last is what stays.
            key: format!("product:{}:stop", from.product),
            payload: json!(StopWalk { after: last.clone(), product: from.product }),
            run_at: app.now(),
        })?;
    }
    Ok(after)
}

fn record(app: &App, tx: &mut Tx, slug: &Slug, product: &ProductId, stop: Option<&Stop>) -> Result<()> {
    let (kind, text) = match stop {
        Some(stop) => ("product.stopped", format!("Stopped the product for now. {}", stop.reason)),
        None => ("product.resumed", "Resumed the product.".to_owned()),
    };
    tx.event_append(&NewEvent {
        participant: slug.clone(),
        topic: format!("product:{product}"),
        kind: kind.into(),
        actor: slug.to_string(),
        text,
        detail: json!({"product": product, "reasons": stop.map(|s| &s.reason).as_slice(), "cause": app.cause().to_json()}),
    })?;
    Ok(())
}
