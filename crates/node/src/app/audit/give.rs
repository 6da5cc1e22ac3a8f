//! Evidence for the other party of an agreement: the bundles of its leaves.
//!
//! A document that names people or programs of ours, or where we called, stays here: its leaf goes out unopened, which
//! proves that something of its kind happened then.

use crate::app::{
    App,
    cause::{Cause, Decider},
};
use fondaco_core::{
    Error, Result,
    participant::{Did, Slug},
};
use fondaco_tlog::bundle::Bundle;
use serde_json::Value;

/// Bundles of one page: each is a proof to make, within the time of one call.
const BUNDLES_AT_ONCE: u32 = 50;
/// Bytes of bundles after which a page ends. With the largest bundle after that, a page is below what
/// [`super::peer::PAGE_MAX_BYTES`] allows.
pub(super) const PAGE_BYTES: usize = 1024 * 1024;

/// A page of bundles.
#[derive(Clone, Debug)]
pub struct Given {
    /// Their texts, the oldest first: the agreement's own leaf is among the first, and whoever reads only so far has it.
    pub bundles: Vec<String>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

impl App {
    /// What this side's log holds about an agreement, for its other party.
    ///
    /// # Errors
    /// [`fondaco_core::Code::NotFound`] for everybody else.
    pub async fn evidence_given(&self, slug: &Slug, caller: &Did, agreement: &str, after: Option<String>) -> Result<Given> {
        let unknown = || Error::not_found(format!("The agreement {agreement:.80}"));
        let (owner, id) = (slug.clone(), agreement.to_owned());
        let row = self.store.read("evidence.party", move |tx| -> Result<_> { Ok(tx.agreement_get(&owner, &id)?) }).await?;
        if row.is_none_or(|row| row.peer() != caller) {
            return Err(unknown());
        }
        let listed = self.evidence_of_agreement(slug, agreement, after.as_deref(), BUNDLES_AT_ONCE).await?;
        let last = listed.items.last().map(|row| row.seq);
        let (mut given, mut bytes) = (Given { bundles: Vec::new(), next: listed.next }, 0);
        for (row, text) in self.evidence_bundles(listed.items).await? {
            // While the log is held, what is not in it cannot be shown.
            let Some(text) = text else { continue };
            let text = if row.document.as_deref().is_some_and(is_ours_alone) { unopened(&text)? } else { text };
            bytes += text.len();
            given.bundles.push(text);
            if bytes >= PAGE_BYTES && last != Some(row.seq) {
                given.next = Some(row.seq.to_string());
                break;
            }
        }
        Ok(given)
    }
}

fn unopened(text: &str) -> Result<String> {
    let bundle = Bundle::parse(text.as_bytes()).map_err(Error::internal_failure)?;
    Bundle { opening: None, ..bundle }.print().map_err(Error::internal_failure)
}

/// Whether a document tells of our side what the other one is never told. What cannot be read is.
fn is_ours_alone(document: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(document) else { return true };
    if document.get("cause").is_none_or(Value::is_null) {
        return false;
    }
    match Cause::of(&document) {
        Some(Cause::Person(Decider { account, token })) => account.is_some() || token.is_some(),
        Some(Cause::Rule { .. } | Cause::Webhook | Cause::Terms | Cause::Agreement) => false,
        Some(Cause::Exchange(_)) | None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::cause::Exchange;
    use serde_json::json;

    #[test]
    fn what_names_our_people_stays_here() {
        let told = |cause: Value| !is_ours_alone(&json!({"agreement": "agr_1", "cause": cause}).to_string());
        let person = |decider| Cause::Person(decider).to_json();
        assert!(told(Value::Null) && told(Cause::Terms.to_json()) && told(Cause::Agreement.to_json()) && told(Cause::Webhook.to_json()));
        assert!(told(person(Decider::default())));
        assert!(!told(person(Decider { account: Some("Mei Lin".into()), token: None })));
        assert!(!told(person(Decider { account: None, token: Some("nightly".into()) })));
        let exchange = Exchange {
            message: "TransferStartMessage".into(),
            method: "POST".into(),
            url: "http://10.0.0.1/".into(),
            status: None,
            answer: String::new(),
            attempts: 1,
        };
        assert!(!told(Cause::Exchange(exchange).to_json()));
        assert!(!told(json!({"by": "somebody later"})) && is_ours_alone("no JSON"), "unknown is not told");
        assert!(!is_ours_alone(r#"{"agreement": "agr_1", "reads": 3}"#));
    }
}
