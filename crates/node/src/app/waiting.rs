//! Waiting for a process to get somewhere: by its events, not by looking again and again.

use super::App;
use fondaco_core::{
    Error, Result,
    ids::{NegotiationId, TransferId},
    negotiation::Negotiation,
    participant::Slug,
    time::Micros,
    transfer::Transfer,
};
use fondaco_store::Watch;
use std::pin::Pin;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

/// Longest wait of one call: proxies give up on silence after a minute.
pub const WAIT_MAX: Micros = Micros::from_secs(60);

/// What happens under one topic, until a deadline.
struct Changes {
    watch: Watch,
    over: Pin<Box<Sleep>>,
    stopping: CancellationToken,
}

impl Changes {
    /// Begun before the first look, so that nothing falls in between.
    fn of(app: &App, participant: &Slug, topic: &str, wait: Micros) -> Self {
        Self {
            watch: app.store.watch(participant, topic),
            over: Box::pin(tokio::time::sleep(wait.min(WAIT_MAX).to_std())),
            stopping: app.stopping.clone(),
        }
    }

    /// True when it is worth another look, false when the time is over or the node stops.
    async fn more(&mut self) -> bool {
        tokio::select! {
            () = &mut self.over => false,
            () = self.stopping.cancelled() => false,
            () = self.watch.changed() => true,
        }
    }
}

impl App {
    /// The negotiation once `enough` holds, or as it is when the time is over.
    ///
    /// # Errors
    /// [`fondaco_core::Code::NotFound`].
    pub async fn negotiation_wait(
        &self,
        slug: &Slug,
        id: &NegotiationId,
        wait: Micros,
        enough: impl Fn(&Negotiation) -> bool,
    ) -> Result<Negotiation> {
        let mut changes = Changes::of(self, slug, &format!("negotiation:{id}"), wait);
        loop {
            let (slug, wanted) = (slug.clone(), id.clone());
            let found = self.store.read("negotiation.get", move |tx| -> Result<_> { Ok(tx.negotiation_get(&slug, &wanted)?) }).await?;
            let found = found.ok_or_else(|| Error::not_found("The negotiation"))?;
            if enough(&found) || !changes.more().await {
                return Ok(found);
            }
        }
    }

    /// The transfer once `enough` holds, or as it is when the time is over.
    ///
    /// # Errors
    /// [`fondaco_core::Code::NotFound`].
    pub async fn transfer_wait(&self, slug: &Slug, id: &TransferId, wait: Micros, enough: impl Fn(&Transfer) -> bool) -> Result<Transfer> {
        let mut changes = Changes::of(self, slug, &format!("transfer:{id}"), wait);
        loop {
            let (slug, wanted) = (slug.clone(), id.clone());
            let found = self.store.read("transfer.get", move |tx| -> Result<_> { Ok(tx.transfer_get(&slug, &wanted)?) }).await?;
            let found = found.ok_or_else(|| Error::not_found("The transfer"))?;
            if enough(&found) || !changes.more().await {
                return Ok(found);
            }
        }
    }
}
