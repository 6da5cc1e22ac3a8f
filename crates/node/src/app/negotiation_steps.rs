//! Steps in a negotiation that a person or a program asks for: by hand, with terms of their own where a step takes some.

use super::{App, governed, negotiations::at_price, process};
use fondaco_core::{
    Code, Error, Result,
    decision::Action,
    ids::NegotiationId,
    negotiation::{Negotiation, Own, Role, Terms},
    participant::Slug,
    policy::Policy,
    price::Price,
    product::ProductRef,
};
use fondaco_store::Tx;
use serde_json::Value;

/// Longest reason given to the other side.
pub const REASON_MAX_CHARS: usize = 2_000;

/// A step that somebody asks for.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which.
    pub action: Action,
    /// Why it ends, for the other side.
    pub reason: Option<String>,
    /// For `offer` and `counter`: an ODRL policy in place of the terms published or first asked for.
    pub terms: Option<Value>,
    /// For `offer` and `counter`: the terms on the table, at this price.
    pub price: Option<Price>,
    /// The revision that the decision was made about: the step is not taken when it moved on meanwhile.
    pub revision: Option<u64>,
}

impl Step {
    /// A step that needs nothing more.
    pub const fn plain(action: Action) -> Self {
        Self { action, reason: None, terms: None, price: None, revision: None }
    }

    /// Checks what was given with it, as publication does: what this node could not enforce or understand it neither
    /// offers nor asks for.
    ///
    /// # Errors
    /// [`Code::PolicyUnsupported`] naming the constraint, [`Code::Invalid`].
    pub fn check(&self) -> Result<()> {
        if let Some(reason) = &self.reason {
            super::bounded("reason", reason, REASON_MAX_CHARS)?;
        }
        if self.price.is_some() && (self.terms.is_some() || !matches!(self.action, Action::Offer | Action::Counter)) {
            return Err(Error::invalid("A price comes with \"offer\" or \"counter\", and without other terms."));
        }
        match (&self.terms, self.action) {
            (None, _) => Ok(()),
            (Some(terms), Action::Offer | Action::Counter) => Policy::from_odrl(terms).map(drop),
            (Some(_), _) => Err(Error::invalid("Only \"offer\" and \"counter\" come with terms.")),
        }
    }
}

/// The terms to send: in one spelling and without what names parties, under the id of the offer they began with.
pub(super) fn edited(n: &Negotiation, odrl: &Value) -> Result<Terms> {
    let policy = Policy::from_odrl(odrl)?;
    let offer_id = n.state.terms().map_or(&n.reference_terms.offer_id, |terms| &terms.offer_id).clone();
    Ok(Terms { offer_id, odrl: policy.to_odrl() })
}

/// Whether our product can be shown as terms of ours say.
fn fits(tx: &mut Tx, n: &Negotiation, odrl: &Value) -> Result<()> {
    let ours = ProductRef::parse_dataset_id(&n.dataset).filter(|_| n.role == Role::Provider);
    let product = ours.and_then(|r| tx.product_get(&n.participant, &r).transpose()).transpose()?;
    let policy = Policy::from_odrl(odrl)?;
    product.map_or(Ok(()), |product| governed::check_terms(&policy, product.kind, &product.content))
}

impl App {
    /// Takes a step that a person (or a program) asked for.
    ///
    /// # Errors
    /// [`Code::IllegalTransition`] when it is not possible now, [`Code::Conflict`] when the negotiation moved on since it
    /// was decided; [`Step::check`].
    pub async fn negotiation_act(&self, slug: &Slug, id: &NegotiationId, step: Step) -> Result<Negotiation> {
        step.check()?;
        let (app, slug, id) = (self.clone(), slug.clone(), id.clone());
        let done = self
            .store
            .tx("negotiation.act", move |tx| -> Result<_> {
                let n = tx.negotiation_lock(&slug, &id)?.ok_or_else(|| Error::not_found(format!("The negotiation {id:.80}")))?;
                if step.revision.is_some_and(|seen| seen != n.revision) {
                    return Err(Error::new(Code::Conflict, "The negotiation moved on meanwhile; nothing was done."));
                }
                let terms = match (step.price, n.state.terms()) {
                    (Some(price), Some(now)) => Some(at_price(&now.odrl, price)?),
                    _ => step.terms.clone(),
                };
                let own = match (&terms, step.action) {
                    (Some(terms), Action::Offer) => {
                        fits(tx, &n, terms)?;
                        Own::Offer(edited(&n, terms)?)
                    }
                    (Some(terms), Action::Counter) => Own::Counter(edited(&n, terms)?),
                    (_, action) => return process::act(&app, tx, n, action, step.reason.as_deref()),
                };
                process::act_own(&app, tx, n, own, "Sent other terms.")
            })
            .await?;
        Ok(self.finish(done))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn terms_are_checked_as_at_publication() {
        let with = |action, terms| Step { terms: Some(terms), ..Step::plain(action) }.check();
        let open = json!({"permission": [{"action": "use"}]});
        assert!(with(Action::Offer, open.clone()).is_ok() && with(Action::Counter, open.clone()).is_ok());
        assert_eq!(with(Action::Agree, open).map_err(|e| e.code()), Err(Code::Invalid));
        let unknown = json!({"permission": [{"action": "use", "constraint": [{"leftOperand": "fileFormat", "operator": "eq", "rightOperand": "x"}]}]});
        let refused = with(Action::Counter, unknown).expect_err("refused");
        assert_eq!(refused.code(), Code::PolicyUnsupported);
        assert!(refused.message().contains("fileFormat"), "{refused}");
        let price = |action| Step { price: Price::read("80 CNY").ok(), ..Step::plain(action) }.check();
        assert!(price(Action::Counter).is_ok() && price(Action::Offer).is_ok() && price(Action::Accept).is_err());
        let long = Step { reason: Some("x".repeat(REASON_MAX_CHARS + 1)), ..Step::plain(Action::Terminate) };
        assert_eq!(long.check().map_err(|e| e.code()), Err(Code::Invalid));
    }
}
