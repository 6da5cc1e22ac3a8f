//! Usage: what was used of an agreement, said once a day where it changed, and at the agreement's end.

use super::{Fact, append};
use crate::app::{App, agreements::own_of, agreements::peer_of};
use fondaco_core::{
    Result,
    evidence::Kind,
    participant::Slug,
    time::{Micros, Timestamp},
};
use fondaco_store::{AgreementRow, Tx, Usage};
use serde_json::json;

/// The setting that holds the day for which it was done.
const DAY_SETTING: &str = "evidence.usage_day";
const DAY: Micros = Micros::from_secs(86_400);
/// Agreements, or participants, looked at in one transaction.
const AT_ONCE: u32 = 500;

/// Says what was used so far, unless the last leaf said so.
pub(super) fn note(tx: &mut Tx, row: &AgreementRow, at: Timestamp) -> Result<()> {
    let used = tx.usage(&row.participant, &row.agreement.id)?;
    if used == Usage::default() || !tx.usage_summed(&row.participant, &row.agreement.id, used)? {
        return Ok(());
    }
    let id = row.agreement.id.as_str();
    let Usage { reads, requests, rows, volume } = used;
    let document = json!({"agreement": id, "upTo": at, "reads": reads, "requests": requests, "rows": rows, "bytes": volume});
    let fact = Fact { kind: Kind::Usage, at, peer: Some(peer_of(row)), object: id, agreement: Some(id), document };
    append(tx, &row.participant, own_of(row), fact)
}

impl App {
    /// Says, once a day, what was used of every agreement of which something was used since.
    ///
    /// # Errors
    /// When the database fails; it is done again then.
    pub async fn usage_settle(&self) -> Result<()> {
        let today = self.now().as_micros().div_euclid(DAY.0);
        let done = self.store.read("evidence.usage_day", |tx| -> Result<_> { Ok(tx.setting_get(DAY_SETTING)?) }).await?;
        if done.and_then(|day| day.as_i64()) == Some(today) {
            return Ok(());
        }
        let mut after: Option<Slug> = None;
        loop {
            let from = after.clone();
            let page = self
                .store
                .read("evidence.participants", move |tx| -> Result<_> { Ok(tx.participant_list(from.as_ref(), AT_ONCE)?) })
                .await?;
            for participant in &page {
                self.usage_settle_of(&participant.slug).await?;
            }
            match page.last() {
                Some(last) if page.len() == AT_ONCE as usize => after = Some(last.slug.clone()),
                _ => break,
            }
        }
        self.store.tx("evidence.usage_day", move |tx| -> Result<_> { Ok(tx.setting_put(DAY_SETTING, &json!(today))?) }).await
    }

    async fn usage_settle_of(&self, slug: &Slug) -> Result<()> {
        let mut after = String::new();
        loop {
            let (slug, from, now) = (slug.clone(), after.clone(), self.now());
            let last = self
                .store
                .tx("evidence.usage", move |tx| -> Result<_> {
                    let page = tx.usage_of_all(&slug, &from, AT_ONCE)?;
                    for (id, _) in &page {
                        if let Some(row) = tx.agreement_get(&slug, id)? {
                            note(tx, &row, now)?;
                        }
                    }
                    Ok((page.len() == AT_ONCE as usize).then(|| page.last().map(|(id, _)| id.clone())).flatten())
                })
                .await?;
            match last {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }
}
