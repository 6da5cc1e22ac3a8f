//! Waiting for a process to get somewhere: by its events, not by looking again and again.

use super::App;
use fondaco_core::{
    Error, Result,
    ids::{NegotiationId, TransferId},
    negotiation::{Negotiation, State},
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

    /// True when it is worth another look, false when the time is over or the node stops. `of_use` says whether a state
    /// that an event names is.
    async fn more(&mut self, of_use: impl Fn(&str) -> bool) -> bool {
        loop {
            tokio::select! {
                () = &mut self.over => return false,
                () = self.stopping.cancelled() => return false,
                state = self.watch.changed() => if of_use(&state) {
                    return true;
                },
            }
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
            if enough(&found) || !changes.more(|_| true).await {
                return Ok(found);
            }
        }
    }

    /// The negotiation once it is final, or as it is when the time is over. It is read when it begins and when it ends, not
    /// at each step between.
    ///
    /// # Errors
    /// [`fondaco_core::Code::NotFound`].
    pub async fn negotiation_wait_final(&self, slug: &Slug, id: &NegotiationId, wait: Micros) -> Result<Negotiation> {
        let mut changes = Changes::of(self, slug, &format!("negotiation:{id}"), wait);
        let found = self.negotiation_wait(slug, id, Micros(0), |_| true).await?;
        if found.state.is_final() || !changes.more(State::names_final).await {
            return Ok(found);
        }
        self.negotiation_wait(slug, id, Micros(0), |_| true).await
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
            if enough(&found) || !changes.more(|_| true).await {
                return Ok(found);
            }
        }
    }
}
