//! Weighing: the bytes of an answer are taken from what the agreement includes, and recorded, before the first of them goes
//! out; what did not go out is given back at the end.
//!
//! One transaction for each request, and a second one for those that are broken off. A process that is killed in between
//! has weighed too much for that request, never too little.

use super::{
    App,
    access::Grant,
    views::{Listed, list_rows},
};
use fondaco_core::{Code, Error, Result, participant::Slug};
use fondaco_store::{Store, Taken, UsageKey, UsageRecord};
use tokio::runtime::Handle;

/// What a request's bytes are of.
#[derive(Clone, Debug)]
pub struct Portion<'a> {
    /// The query or the listing that led to it: rows count once for each.
    pub query: &'a str,
    /// The file, or what else is given.
    pub file: &'a str,
    /// Its rows; 0 where there are none.
    pub rows: u64,
    /// That these are further bytes and rows of a request that was weighed in part before.
    pub more: bool,
}

/// Bytes that were taken. Dropped before all of them went out, it gives the others back.
pub struct Weight {
    left: u64,
    give_back: Option<Box<dyn FnOnce(u64) + Send + Sync>>,
}

impl std::fmt::Debug for Weight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Weight").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Weight {
    /// Bytes that were taken, and what is to be done with those that do not go out.
    pub fn new(bytes: u64, give_back: impl FnOnce(u64) + Send + Sync + 'static) -> Self {
        Self { left: bytes, give_back: Some(Box::new(give_back)) }
    }

    /// So many of them go out now.
    pub fn sent(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        if self.left > 0
            && let Some(give_back) = self.give_back.take()
        {
            give_back(self.left);
        }
    }
}

impl App {
    /// Takes the bytes of one request, and records them.
    ///
    /// # Errors
    /// [`Code::PolicyDenied`] when the agreed volume has no room for all of them.
    pub async fn weigh(&self, grant: &Grant, portion: Portion<'_>, bytes: u64) -> Result<Weight> {
        let slug = grant.transfer.participant.clone();
        let key = UsageKey {
            agreement_id: grant.transfer.agreement_id.clone(),
            transfer_id: grant.transfer.id.to_string(),
            query_id: portion.query.to_owned(),
            file_id: portion.file.to_owned(),
        };
        let (rows, more, limit) = (portion.rows, portion.more, grant.permit.volume_max);
        let (store, runtime) = (self.store.clone(), Handle::current());
        let taken = self
            .store
            .tx("access.weigh", move |tx| -> Result<_> {
                let taken = tx.usage_take(&slug, &key, Taken { bytes, rows, more }, limit)?;
                // Made here: a caller that has gone away by now drops it, and the bytes go back.
                let give_back = move |left| drop(runtime.spawn(give_back(store, slug, key, left)));
                Ok(taken.then(|| Weight::new(bytes, give_back)))
            })
            .await?;
        let Some(weight) = taken else {
            let rule = format!("{} volume", Code::PolicyDenied.as_str());
            self.note_refused(&grant.transfer.participant, &grant.transfer.agreement_id, &rule).await?;
            let limit = limit.unwrap_or_default();
            let why = format!("Of the {limit} agreed bytes fewer than the {bytes} asked for are left. (volume)");
            return Err(Error::new(Code::PolicyDenied, why));
        };
        Ok(weight)
    }
}

impl App {
    /// What was delivered under an agreement, a record for each file of a query, newest first. A consumer has none.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn list_usage(&self, slug: &Slug, id: &str, after: Option<String>, limit: Option<u32>) -> Result<Listed<UsageRecord>> {
        let (slug, id, limit) = (slug.clone(), id.to_owned(), list_rows(limit));
        self.store
            .read("view.usage", move |tx| -> Result<_> {
                tx.agreement_get(&slug, &id)?.ok_or_else(|| Error::not_found(format!("The agreement {id:.80}")))?;
                let rows = tx.usage_records(&slug, &id, after.as_deref(), limit + 1)?;
                Ok(Listed::cut(rows, limit, |r: &UsageRecord| r.id.clone()))
            })
            .await
    }
}

async fn give_back(store: Store, slug: Slug, key: UsageKey, bytes: u64) {
    let given = store.tx("access.unweigh", move |tx| tx.usage_give_back(&slug, &key, bytes)).await;
    if let Err(e) = given {
        tracing::warn!("bytes that were not sent stay weighed: {e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn what_did_not_go_out_is_given_back_once() {
        let (given, back) = mpsc::channel();
        let weight = |bytes| {
            let given = given.clone();
            Weight::new(bytes, move |left| given.send(left).expect("received"))
        };
        let mut whole = weight(10);
        whole.sent(4);
        whole.sent(6);
        drop(whole);
        let mut part = weight(10);
        part.sent(4);
        drop(part);
        drop(weight(0));
        assert_eq!(back.try_iter().collect::<Vec<_>>(), [6]);
    }
}
