//! Renewal, as consumer: the same product and offer as they are published now are negotiated again; old and new
//! agreement are linked on both sides. A rule may do it by itself, when the terms are the same.

use super::{
    App, agreement_life,
    agreements::own_of,
    cause::Cause,
    idempotency::Key,
    negotiations::{Origin, Subject, declared, the_offer},
    peers::{Remote, RemoteDataset},
};
use crate::jobs::{self, Walk, send};
use fondaco_core::{
    Code, Error, Result,
    decision::{Action, Rules, Trigger},
    ids::JobId,
    life::{Life, LifeTerms},
    negotiation::{Negotiation, Role, State, Terms},
    participant::{Declarations, Participant, Slug},
    policy::Policy,
    product::ProductRef,
    time::Timestamp,
};
use fondaco_store::{AgreementRow, Job, NewJob, Tx};
use serde_json::json;

/// Agreements whose plans are made anew in one transaction.
const PLANS_STEP: u32 = 100;

/// What a renewal would be.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// The agreement to renew.
    pub row: AgreementRow,
    /// Its provider.
    remote: Remote,
    /// The dataset as it is published now.
    pub subject: Subject,
    /// The terms as they are published now.
    pub terms: Terms,
    /// What is declared again.
    declared: Declarations,
}

impl Renewal {
    /// Whether the terms are those that were agreed.
    pub fn same_terms(&self) -> bool {
        Policy::same_terms(&self.row.agreement.document, &self.terms.odrl)
    }
}

impl App {
    /// Looks up what an agreement would be renewed by.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for the provider; [`Code::OfferUnknown`] when the offer is gone; when the peer cannot be asked.
    pub async fn renewal(&self, participant: &Participant, id: &str) -> Result<Renewal> {
        let (slug, agreement) = (participant.slug.clone(), id.to_owned());
        let (row, offer) = self
            .store
            .read("renewal.get", move |tx| -> Result<_> {
                let row = tx.agreement_get(&slug, &agreement)?.ok_or_else(|| Error::not_found(format!("The agreement {agreement:.80}")))?;
                let offer = tx.negotiation_get(&slug, &row.negotiation_id)?.map(|n| n.reference_terms.offer_id).unwrap_or_default();
                Ok((row, offer))
            })
            .await?;
        if row.role != Role::Consumer {
            return Err(Error::new(Code::Forbidden, "The consumer renews an agreement. As provider, publish an offer for it."));
        }
        let remote = self.remote(participant, row.agreement.assigner.as_str()).await?;
        // A product of ours is asked for by its id alone: the newest version that is on offer.
        let product = ProductRef::parse_dataset_id(&row.dataset).map_or_else(|| row.dataset.clone(), |r| r.id.to_string());
        let declared = declared(participant, row.declared.purpose.clone())?;
        let dataset = self.remote_dataset(participant, &remote, &product, &declared).await?;
        let terms = offered(&dataset, &offer, &row)?;
        let subject = Subject { dataset: dataset.id, formats: dataset.formats };
        Ok(Renewal { row, remote, subject, terms, declared })
    }

    /// Renews an agreement.
    ///
    /// # Errors
    /// As [`App::renewal`]; [`Code::TermsChanged`] unless `accept_changes`; [`Code::Conflict`] when it was renewed, or is
    /// being.
    pub async fn agreement_renew(
        &self,
        participant: &Participant,
        id: &str,
        accept_changes: bool,
        key: Option<Key>,
    ) -> Result<(Renewal, Negotiation)> {
        let renewal = self.renewal(participant, id).await?;
        if !accept_changes && !renewal.same_terms() {
            return Err(Error::new(
                Code::TermsChanged,
                "The terms that are published now are not those of the agreement. Read what differs, and say that you accept the changes.",
            ));
        }
        let n = self.renewal_begin(participant, &renewal, key, self.cause()).await?;
        Ok((renewal, n))
    }

    async fn renewal_begin(&self, participant: &Participant, renewal: &Renewal, key: Option<Key>, cause: Cause) -> Result<Negotiation> {
        let Renewal { row, remote, subject, terms, declared } = renewal.clone();
        let origin = Origin { cause, renews: Some(row.agreement.id) };
        self.negotiation_request_from(participant, &remote, subject, terms, declared, key, origin).await
    }

    /// Renews an agreement because a rule says so, if nothing changed and it gains time; else tells people.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agreement_renew_by_rule(&self, job: &Job, id: &str) -> Result<()> {
        let participant = self.participant(job.participant.as_str()).await?;
        let cause = Cause::Rule { at: Some(Trigger::Expiring), action: Action::Renew };
        let why = match self.renewal(&participant, id).await {
            Ok(renewal) => match no_gain(&renewal, self.now()) {
                Some(why) => why,
                None => match self.renewal_begin(&participant, &renewal, None, cause.clone()).await {
                    Ok(_) => return self.job_done(job).await,
                    Err(e) if e.code() == Code::Internal => return Err(e),
                    // Somebody was faster.
                    Err(e) if e.code() == Code::Conflict => return self.job_done(job).await,
                    Err(e) => e.to_string(),
                },
            },
            Err(e) if e.code() == Code::Internal => return Err(e),
            Err(e) if matches!(e.code(), Code::PeerUnreachable | Code::DidUnresolvable | Code::Unavailable) => {
                match send::later(self, job, e.message()).await? {
                    Ok(()) => return Ok(()),
                    Err(e) => e.to_string(),
                }
            }
            Err(e) => e.to_string(),
        };
        let (slug, id, job) = (participant.slug, id.to_owned(), job.id.clone());
        self.store
            .tx("agreement.renew_held", move |tx| -> Result<()> {
                tx.job_finish(&job)?;
                let Some(row) = tx.agreement_get(&slug, &id)? else { return Ok(()) };
                agreement_life::note_held(tx, &row, &format!("Not renewed by the rule; a person must decide. {why}"), &cause)
            })
            .await
    }

    async fn job_done(&self, job: &Job) -> Result<()> {
        let id = job.id.clone();
        self.store.tx("job.finish", move |tx| -> Result<_> { Ok(tx.job_finish(&id)?) }).await.map(drop)
    }

    /// Finds out anew when rules renew the agreements of a participant, which changed its rules.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agreements_replan(&self, slug: &Slug, after: String, job: JobId) -> Result<()> {
        let participant = self.participant(slug.as_str()).await?;
        let now = self.now();
        self.store
            .tx("agreements.replan", move |tx| -> Result<()> {
                let slug = &participant.slug;
                tx.job_finish(&job)?;
                tx.agreements_plan(slug)?;
                let found = tx.agreements_timed(slug, &after, PLANS_STEP)?;
                for id in &found {
                    let Some(row) = tx.agreement_lock(slug, id)? else { continue };
                    let set = &participant.rules;
                    let rules = set.about.get(id).unwrap_or_else(|| set.select(&row.agreement.assigner, &row.dataset));
                    let renew_at = renew_at(rules, &row.terms(), row.agreement.timestamp)
                        .filter(|_| row.life.renewed_by.is_none() && row.life.over.is_none());
                    // What was due before is not made up for: a rule is about what comes.
                    let renew_at = renew_at.filter(|at| *at > now || row.life.renew_at.is_some());
                    if renew_at != row.life.renew_at {
                        let life = Life { renew_at, ..row.life.clone() };
                        agreement_life::apply_quietly(tx, &row, &life, now)?;
                    }
                }
                match found.last() {
                    Some(last) if found.len() == PLANS_STEP as usize => plan_anew(tx, slug, last, now),
                    _ => Ok(()),
                }
            })
            .await
    }
}

/// Has the plans of a participant's agreements made anew, from one on.
///
/// # Errors
/// When the database fails.
pub fn plan_anew(tx: &mut Tx, slug: &Slug, after: &str, now: Timestamp) -> Result<()> {
    tx.job_enqueue(&NewJob {
        participant: slug.clone(),
        kind: jobs::AGREEMENTS_PLAN.into(),
        key: jobs::AGREEMENTS_PLAN.into(),
        payload: json!(Walk { after: after.to_owned() }),
        run_at: now,
    })?;
    Ok(())
}

/// When the rules renew an agreement: the time before its expiry that they name, if that comes after its making.
pub fn renew_at(rules: &Rules, terms: &LifeTerms, agreed_at: Timestamp) -> Option<Timestamp> {
    let decision = rules.at(Trigger::Expiring, 0).filter(|d| d.action == Action::Renew)?;
    let at = decision.before.as_ref()?.before(terms.expires_at?)?;
    // Whoever renews before there is anything to renew does so for ever.
    (at > agreed_at).then_some(at)
}

/// The offer now: the one that was agreed on, else the one with the same terms, else the only one.
fn offered(dataset: &RemoteDataset, offer: &str, row: &AgreementRow) -> Result<Terms> {
    let same = || dataset.offers.iter().find(|o| Policy::same_terms(&o.odrl, &row.agreement.document));
    let only = || if let [only] = dataset.offers.as_slice() { Some(only) } else { None };
    let found = the_offer(&dataset.offers, offer).or_else(same).or_else(only);
    let found = found.ok_or_else(|| {
        Error::new(
            Code::OfferUnknown,
            format!("The offer of the agreement is no longer published. Choose another: fondaco negotiate PEER {}", dataset.id),
        )
    })?;
    Ok(Terms { offer_id: found.id.clone(), odrl: found.odrl.clone() })
}

/// Why a rule does not renew: other terms, or an agreement that would be over no later.
fn no_gain(renewal: &Renewal, now: Timestamp) -> Option<String> {
    if !renewal.same_terms() {
        return Some("The terms that are published now are others.".into());
    }
    let expires = |at| Policy::from_odrl(&renewal.terms.odrl).ok().and_then(|p| p.expires(at, own_of(&renewal.row).as_str()));
    match (expires(now), renewal.row.terms().expires_at) {
        (Some(new), Some(old)) if new <= old => Some(format!("A new agreement would end on {new} as well.")),
        _ => None,
    }
}

/// Begins the renewal: only once, unless the negotiation for it came to nothing.
///
/// # Errors
/// [`Code::Conflict`].
pub fn claim(tx: &mut Tx, slug: &Slug, id: &str, by: &Negotiation) -> Result<()> {
    let row = tx.agreement_lock(slug, id)?.ok_or_else(|| Error::not_found(format!("The agreement {id:.80}")))?;
    let conflict = |words: String| Err(Error::new(Code::Conflict, words));
    if let Some(new) = &row.life.renewed_by {
        return conflict(format!("The agreement was renewed already, by {new}."));
    }
    if let Some(running) = &row.renewing
        && let Some(n) = tx.negotiation_get(slug, running)?
        && !matches!(n.state, State::Terminated { .. })
    {
        return conflict(format!("The agreement is being renewed already, by the negotiation {running}."));
    }
    if !tx.agreement_renew(slug, id, &by.id, row.renewing.as_ref())? {
        return conflict("The agreement is being renewed already.".into());
    }
    Ok(())
}

/// Links the agreement that a negotiation was to renew with the one that came of it; the old one.
///
/// # Errors
/// When the database fails.
pub fn link(app: &App, tx: &mut Tx, n: &Negotiation, new: &str) -> Result<Option<String>> {
    if n.role != Role::Consumer {
        return Ok(None);
    }
    let Some(old) = tx.agreement_renewed_by(&n.participant, &n.id)? else { return Ok(None) };
    let Some(row) = tx.agreement_lock(&n.participant, &old)?.filter(|row| row.life.renewed_by.is_none()) else { return Ok(None) };
    let (life, happened) = row.life.clone().renewed(new, app.now())?;
    // A renewal ends no transfer, so nothing follows the commit.
    agreement_life::apply(app, tx, &row, &life, happened, None)?;
    Ok(Some(old))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_renews_before_the_end_and_after_the_beginning() {
        let rules =
            |before: &str| serde_json::from_value::<Rules>(json!({"expiring": [{"do": "renew", "before": before}]})).expect("rules");
        let at = |text: &str| Timestamp::parse(text).expect("instant");
        let made = at("2026-01-01T00:00:00Z");
        let terms = |expires_at| LifeTerms { known: true, notice: None, expires_at };
        let month = terms(Some(at("2026-03-31T00:00:00Z")));
        assert_eq!(renew_at(&rules("P7D"), &month, made), Some(at("2026-03-24T00:00:00Z")));
        assert_eq!(renew_at(&rules("P1M"), &month, made), Some(at("2026-02-28T00:00:00Z")));
        assert_eq!(renew_at(&rules("P3M"), &month, made), None, "not at once, and again, and again");
        assert_eq!(renew_at(&rules("P7D"), &terms(None), made), None);
        assert_eq!(renew_at(&Rules::default(), &month, made), None);
    }
}
