//! Usage: what was used of an agreement, said once a day where it changed, and at the agreement's end.

use super::{Fact, append};
use crate::app::{App, agreements::own_of, agreements::peer_of};
use fondaco_core::{
    Result,
    evidence::Kind,
    participant::Slug,
    time::{Micros, Timestamp},
};
use fondaco_store::{AgreementRow, Counted, Tx, Usage};
use serde_json::json;

/// The setting that holds the day for which it was done.
const DAY_SETTING: &str = "evidence.usage_day";
const DAY: Micros = Micros::from_secs(86_400);
/// Agreements, or participants, looked at in one transaction.
const AT_ONCE: u32 = 500;

/// Says what was used so far, unless the last leaf said so.
pub(super) fn note(tx: &mut Tx, row: &AgreementRow, at: Timestamp) -> Result<()> {
    let counted = tx.usage_counted(&row.participant, &row.agreement.id)?;
    if counted == Counted::default() || !tx.usage_summed(&row.participant, &row.agreement.id, counted)? {
        return Ok(());
    }
    let id = row.agreement.id.as_str();
    let Counted { used: Usage { reads, requests, rows, volume }, back_reads, back_volume } = counted;
    let mut document = json!({"agreement": id, "upTo": at, "reads": reads, "requests": requests, "rows": rows, "bytes": volume});
    if (back_reads, back_volume) != (0, 0) {
        document["givenBack"] = json!({"reads": back_reads, "bytes": back_volume});
    }
    let fact = Fact { kind: Kind::Usage, at, peer: Some(peer_of(row)), object: id, agreement: Some(id), document };
    append(tx, &row.participant, own_of(row), fact)
}

/// The day, in days since 1970, on which usage was said last.
pub fn said_day(tx: &mut Tx) -> Result<Option<i64>> {
    Ok(tx.setting_get(DAY_SETTING)?.and_then(|day| day.as_i64()))
}

/// Whether usage was said on a day that began a whole day after an instant or later. What was admitted before an end is weighed
/// within minutes of it, so nothing was counted since.
pub fn said_since(said: Option<i64>, at: Timestamp) -> bool {
    said.is_some_and(|day| day >= day_of(at) + 2)
}

/// Days since 1970.
const fn day_of(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(DAY.0)
}

impl App {
    /// Says, once a day, what was used of every agreement of which something was used since.
    ///
    /// # Errors
    /// When the database fails; it is done again then.
    pub async fn usage_settle(&self) -> Result<()> {
        let today = day_of(self.now());
        if self.store.read("evidence.usage_day", said_day).await? == Some(today) {
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
            let (of, from) = (slug.clone(), after);
            let page = self.store.read("evidence.unsaid", move |tx| -> Result<_> { Ok(tx.usage_unsaid(&of, &from, AT_ONCE)?) }).await?;
            let Some(last) = page.last().cloned() else { return Ok(()) };
            let (of, now, whole) = (slug.clone(), self.now(), page.len() == AT_ONCE as usize);
            self.store
                .tx("evidence.usage", move |tx| -> Result<()> {
                    for id in &page {
                        if let Some(row) = tx.agreement_get(&of, id)? {
                            note(tx, &row, now)?;
                        }
                    }
                    Ok(())
                })
                .await?;
            if !whole {
                return Ok(());
            }
            after = last;
        }
    }
}
