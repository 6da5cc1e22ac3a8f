//! Payments of agreed prices, recorded by hand: the provider saw the money, and says by what it finds it again. Access
//! opens with that and not before ([`super::access`]). The ledger takes this module's place.

use super::App;
use fondaco_core::{
    Code, Error, Result,
    negotiation::Role,
    participant::Slug,
    policy::Policy,
    price::{Payment, Price},
};
use fondaco_store::{AgreementRow, NewEvent};
use serde_json::json;

/// What an agreement costs, as either side reads it.
pub fn price(row: &AgreementRow) -> Option<Price> {
    // A consumer may hold terms that only their provider enforces.
    row.policy.clone().or_else(|| Policy::from_odrl(&row.agreement.document).ok())?.price
}

impl App {
    /// Records, as its provider, that an agreement's price was paid. The same reference again changes nothing.
    ///
    /// # Errors
    /// [`Code::Invalid`] for the consumer, for an agreement that costs nothing, and for a reference that cannot be kept;
    /// [`Code::Conflict`] when a payment with another reference is recorded.
    pub async fn agreement_paid(&self, slug: &Slug, id: &str, reference: &str) -> Result<()> {
        let (app, slug, id) = (self.clone(), slug.clone(), id.to_owned());
        let payment = Payment::new(reference, self.now())?;
        self.store
            .tx("agreement.paid", move |tx| -> Result<()> {
                let row = tx.agreement_lock(&slug, &id)?.ok_or_else(|| Error::not_found(format!("The agreement {id:.80}")))?;
                if row.role != Role::Provider {
                    return Err(Error::invalid("Only the provider records that an agreement is paid."));
                }
                let price = price(&row).ok_or_else(|| Error::invalid("This agreement has no price; there is nothing to pay."))?;
                match &row.payment {
                    Some(known) if known.reference == payment.reference => return Ok(()),
                    Some(known) => {
                        return Err(Error::new(
                            Code::Conflict,
                            format!("The payment is recorded already, with the reference \"{}\".", known.reference),
                        ));
                    }
                    None => tx.agreement_set_payment(&row, &payment)?,
                }
                tx.event_append(&NewEvent {
                    participant: slug.clone(),
                    topic: format!("agreement:{id}"),
                    kind: "agreement.paid".into(),
                    actor: row.agreement.assigner.to_string(),
                    text: format!("The price of {price} was recorded as paid: {}", payment.reference),
                    detail: json!({"agreement": id, "price": price, "reference": payment.reference, "cause": app.cause().to_json()}),
                })?;
                Ok(())
            })
            .await
    }
}
