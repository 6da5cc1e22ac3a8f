//! Negotiations: begin one, take a step, follow the rules.
//!
//! The machine is `fondaco_core::negotiation`; how its effects become rows is [`super::process`].

use super::{
    After, App, access, agreement_life, agreement_renewal,
    cause::{Cause, Failure},
    evidence, governed,
    idempotency::{Key, Once, once},
    negotiation_steps::edited,
    peers::{Remote, RemoteOffer},
    process::{self, Process},
    terms_versions,
};
use crate::jobs::{self, NegotiationSend, peer_log};
use base64::{Engine, engine::general_purpose::STANDARD};
use fondaco_core::{
    Code, Error, Result,
    agreement::Agreement,
    decision::{Action, Choice, Decision, Rules, Trigger},
    ids::{AgreementId, FOREIGN_ID_MAX_CHARS, NegotiationId, OfferId},
    life::Life,
    negotiation::{Effect, Ending, Message, Negotiation, Own, Peer, Role, State, Terms},
    participant::{Declarations, Did, Participant, Slug},
    policy::{Policy, Verdict},
    price::Price,
    product::{ProductRef, ProductState},
    time::{Micros, Timestamp},
};
use fondaco_store::{AgreementRow, NewEvent, NewJob, Tx, Usage};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a consumer wants.
#[derive(Clone, Debug)]
pub struct Begin {
    /// The provider: a DID or an address.
    pub peer: String,
    /// The dataset or product id.
    pub product: String,
    /// The offer; may be left out when there is only one.
    pub offer: Option<String>,
    /// What it is for.
    pub purpose: Vec<String>,
    /// What we want to pay, where the offer has a price.
    pub price: Option<Price>,
}

/// What a consumer wants of a provider whose catalogue it need not ask.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The dataset.
    pub dataset: String,
    /// The `@id` of the offer.
    pub offer_id: String,
    /// The terms to ask for; open ones when left out.
    pub odrl: Option<Value>,
    /// What it is for.
    pub purpose: Vec<String>,
}

/// Formats of a dataset that are remembered: a peer that lists more than anybody can read means us no good.
const FORMATS_KEPT: usize = 20;

/// Why a negotiation is begun.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Whose decision it was.
    pub cause: Cause,
    /// The agreement that is to be renewed by it.
    pub renews: Option<String>,
}

/// What is negotiated about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The dataset.
    pub dataset: String,
    /// The formats its provider's catalogue offers it in; empty when the catalogue was not asked.
    pub formats: Vec<String>,
}

impl From<&str> for Subject {
    fn from(dataset: &str) -> Self {
        Self { dataset: dataset.to_owned(), formats: Vec::new() }
    }
}

/// The offer with an id. Eclipse EDC makes the last of an id's three parts anew for every look at its catalogue, so an id
/// from an earlier look stands for the offer whose first two parts, its definition and its asset, are the same.
pub fn the_offer<'a>(offers: &'a [RemoteOffer], wanted: &str) -> Option<&'a RemoteOffer> {
    fn definition(id: &str) -> Option<(&str, &str)> {
        let (lasting, fresh) = id.rsplit_once(':')?;
        let (definition, asset) = lasting.split_once(':')?;
        let all_base64 = [definition, asset, fresh].iter().all(|part| STANDARD.decode(part).is_ok_and(|d| !d.is_empty()));
        all_base64.then_some((definition, asset))
    }
    let same = |o: &&RemoteOffer| definition(wanted).is_some() && definition(&o.id) == definition(wanted);
    offers.iter().find(|o| o.id == wanted).or_else(|| offers.iter().find(same))
}

/// The same terms at another price.
///
/// # Errors
/// [`Code::Invalid`] where they have none, or one in another currency; [`Code::PolicyUnsupported`] for terms that this node
/// cannot read, and so cannot change.
pub fn at_price(odrl: &Value, price: Price) -> Result<Value> {
    let policy = Policy::from_odrl(odrl)?;
    match policy.price {
        None => Err(Error::invalid("The offer has no price to ask another one for.")),
        Some(now) if now.currency() != price.currency() => {
            Err(Error::invalid(format!("The offer's price is in {}; ask for one in it.", now.currency())))
        }
        // Whoever asks for the offer as it is sends it as it is.
        Some(now) if now == price => Ok(odrl.clone()),
        Some(_) => Ok(policy.at(Some(price)).to_odrl()),
    }
}

impl App {
    /// Begins a negotiation as consumer: finds the offer in the peer's catalogue and asks for it.
    ///
    /// # Errors
    /// When the peer cannot be reached, or has no such product or offer.
    pub async fn negotiation_begin(&self, participant: &Participant, begin: Begin, key: Option<Key>) -> Result<Negotiation> {
        let declared = declared(participant, begin.purpose.clone())?;
        let remote = self.remote(participant, &begin.peer).await?;
        let dataset = self.remote_dataset(participant, &remote, &begin.product, &declared).await?;
        let offers: Vec<&str> = dataset.offers.iter().map(|o| o.id.as_str()).collect();
        let offer = match &begin.offer {
            Some(wanted) => the_offer(&dataset.offers, wanted).ok_or_else(|| {
                Error::new(Code::OfferUnknown, format!("\"{}\" has no offer \"{wanted:.80}\". It has: {}.", dataset.id, offers.join(", ")))
            })?,
            None => match dataset.offers.as_slice() {
                [only] => only,
                [] => return Err(Error::new(Code::OfferUnknown, format!("\"{}\" has no offer for you.", dataset.id))),
                _ => {
                    return Err(Error::new(
                        Code::OfferUnknown,
                        format!("\"{}\" has several offers; name one of: {}.", dataset.id, offers.join(", ")),
                    ));
                }
            },
        };
        let odrl = match begin.price {
            None => offer.odrl.clone(),
            Some(price) => at_price(&offer.odrl, price)?,
        };
        let terms = Terms { offer_id: offer.id.clone(), odrl };
        let subject = Subject { dataset: dataset.id.clone(), formats: dataset.formats.clone() };
        self.negotiation_request(participant, &remote, subject, terms, declared, key).await
    }

    /// Begins a negotiation as consumer with terms that the caller states.
    ///
    /// # Errors
    /// [`Code::Invalid`] for ids and terms that no message can carry.
    pub async fn negotiation_initiate(
        &self,
        participant: &Participant,
        remote: &Remote,
        wanted: Wanted,
        key: Option<Key>,
    ) -> Result<Negotiation> {
        let declared = declared(participant, wanted.purpose)?;
        for (name, id) in [("dataset", &wanted.dataset), ("offer", &wanted.offer_id)] {
            if id.is_empty() || id.len() > FOREIGN_ID_MAX_CHARS {
                return Err(Error::invalid(format!("The {name} id has 1 to {FOREIGN_ID_MAX_CHARS} bytes.")));
            }
        }
        let odrl = wanted.odrl.unwrap_or_else(|| Policy::open().to_odrl());
        if !odrl.is_object() {
            return Err(Error::invalid("The terms are an ODRL offer: a JSON object with a \"permission\"."));
        }
        let terms = Terms { offer_id: wanted.offer_id, odrl };
        self.negotiation_request(participant, remote, wanted.dataset.as_str().into(), terms, declared, key).await
    }

    /// Asks for terms already known: stores the negotiation and the request to send.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn negotiation_request(
        &self,
        participant: &Participant,
        remote: &Remote,
        subject: Subject,
        terms: Terms,
        declared: Declarations,
        key: Option<Key>,
    ) -> Result<Negotiation> {
        let origin = Origin { cause: self.cause(), renews: None };
        self.negotiation_request_from(participant, remote, subject, terms, declared, key, origin).await
    }

    /// The same, with why it is done.
    ///
    /// # Errors
    /// When the database fails; [`Code::Conflict`] when the agreement to renew is being renewed already.
    #[expect(clippy::too_many_arguments, reason = "what a negotiation begins with")]
    pub async fn negotiation_request_from(
        &self,
        participant: &Participant,
        remote: &Remote,
        subject: Subject,
        terms: Terms,
        declared: Declarations,
        key: Option<Key>,
        origin: Origin,
    ) -> Result<Negotiation> {
        let now = self.now();
        let negotiation = Negotiation {
            id: NegotiationId::generate(now, &*self.entropy),
            participant: participant.slug.clone(),
            own_did: participant.did.clone(),
            role: Role::Consumer,
            peer: Peer { did: remote.did.clone(), pid: None, address: remote.dsp.clone() },
            state: State::Requested { terms: terms.clone() },
            reference_terms: terms,
            rules: participant.rules.select(&remote.did, &subject.dataset).clone(),
            dataset: subject.dataset,
            formats: subject.formats.into_iter().take(FORMATS_KEPT).collect(),
            declared,
            reached: BTreeMap::new(),
            rounds: 1,
            revision: 0,
            created_at: now,
            updated_at: now,
        };
        let app = self.clone();
        let done = self
            .store
            .tx("negotiation.begin", move |tx| {
                let begin = |tx: &mut Tx| {
                    if let Some(renews) = &origin.renews {
                        agreement_renewal::claim(tx, &negotiation.participant, renews, &negotiation)?;
                    }
                    record(tx, &negotiation, Role::Consumer, "Asked for the terms.", Some(&origin.cause))?;
                    process::follow(&app, tx, negotiation, vec![Effect::Send(Message::Request), Effect::Decide(Trigger::Requested)], None)
                };
                once(tx, key.as_ref(), begin, |done| done.value.id.to_string())
            })
            .await?;
        match done {
            Once::Done(done) => Ok(self.finish(done)),
            Once::Before(id) => self.negotiation_wait(&participant.slug, &NegotiationId::from_stored(id), Micros(0), |_| true).await,
        }
    }

    /// Ends a negotiation whose peer cannot be told or refuses what we say.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn negotiation_fail(&self, slug: &Slug, id: &NegotiationId, failure: Failure, job: fondaco_core::ids::JobId) -> Result<()> {
        let (app, slug, id) = (self.clone(), slug.clone(), id.clone());
        self.store
            .tx("negotiation.fail", move |tx| -> Result<()> {
                tx.job_finish(&job)?;
                let Some(n) = tx.negotiation_lock(&slug, &id)? else { return Ok(()) };
                if n.state.is_final() {
                    return Ok(());
                }
                let (before, text) = (n.revision, failure.ending.reasons.join(" "));
                let failed = n.fail(failure.ending, app.now());
                tx.jobs_drop(&slug, &jobs::line(&failed.id))?;
                tx.jobs_drop(&slug, &jobs::waiting_line(&failed.id))?;
                record(tx, &failed, failed.role, &text, failure.exchange.map(Cause::Exchange).as_ref())?;
                // The peer may think that it goes on. It is told, if it can be reached within another day.
                failed.perform(&app, tx, Effect::Send(Message::Termination))?;
                tx.negotiation_update(&failed, before)?;
                Ok(())
            })
            .await
    }
}

impl Process for Negotiation {
    type Own = Own;
    type Effect = Effect;
    const DECIDE: &'static str = jobs::NEGOTIATION_DECIDE;
    const ASK: &'static str = jobs::NEGOTIATION_ASK;

    fn get(tx: &mut Tx, slug: &Slug, id: &str) -> Result<Option<Self>> {
        Ok(tx.negotiation_get(slug, &NegotiationId::from_stored(id))?)
    }
    fn lock(tx: &mut Tx, slug: &Slug, id: &str) -> Result<Option<Self>> {
        Ok(tx.negotiation_lock(slug, &NegotiationId::from_stored(id))?)
    }
    fn own_did(&self) -> &Did {
        &self.own_did
    }
    fn told(&self) -> (&'static str, Value) {
        let agreement = self.state.agreement().map(|a| &a.document);
        let told = json!({
            "id": self.id, "role": self.role, "state": self.state.name(), "rounds": self.rounds, "peer": self.peer.did,
            "dataset": self.dataset, "terms": self.state.terms(), "reference": self.reference_terms, "agreement": agreement,
            "declared": self.declared,
        });
        ("negotiation", told)
    }
    fn with_terms(&self, action: Action, odrl: Value) -> Result<(Own, String)> {
        let terms = edited(self, &odrl)?;
        let own = match action {
            Action::Offer => Own::Offer(terms),
            Action::Counter => Own::Counter(terms),
            _ => return Err(Error::invalid("Terms come with an offer or with another request.")),
        };
        let words = step_words(&own);
        Ok((own, words))
    }

    fn participant(&self) -> &Slug {
        &self.participant
    }
    fn pid(&self) -> &str {
        self.id.as_str()
    }
    fn revision(&self) -> u64 {
        self.revision
    }
    /// A peer whose pid is still unknown may have our request, and must be told of the end: then the request stays in
    /// line before the termination. A finalised negotiation has nothing to send but that.
    fn is_void(&self) -> bool {
        matches!(self.state, State::Terminated { .. }) && self.peer.pid.is_some()
    }
    fn decide(&mut self, trigger: Trigger) -> Decision {
        Self::decide(self, trigger)
    }
    fn may_wait(&self) -> bool {
        !self.rules.is_empty()
    }
    fn choose(&self, decision: &Decision) -> Choice {
        Self::choose(self, decision)
    }
    fn decision(effect: Effect) -> std::result::Result<Trigger, Effect> {
        match effect {
            Effect::Decide(trigger) => Ok(trigger),
            other => Err(other),
        }
    }
    fn own_step(&self, app: &App, tx: &mut Tx, action: Action, reason: Option<&str>) -> Result<(Own, String)> {
        let own = own_step(app, tx, self, action, reason)?;
        let words = step_words(&own);
        Ok((own, words))
    }
    fn act(self, own: Own, now: Timestamp) -> Result<(Self, Vec<Effect>)> {
        Self::act(self, own, now)
    }
    fn note(&self, tx: &mut Tx, text: &str, cause: Option<&Cause>) -> Result<()> {
        record(tx, self, self.role, text, cause)
    }
    fn perform(&self, app: &App, tx: &mut Tx, effect: Effect) -> Result<Option<After>> {
        match effect {
            Effect::Send(message) => {
                tx.job_enqueue(&NewJob {
                    participant: self.participant.clone(),
                    kind: jobs::NEGOTIATION_SEND.into(),
                    key: jobs::line(&self.id),
                    payload: json!(NegotiationSend::new(app, self, message)?),
                    run_at: app.now(),
                })?;
            }
            Effect::Conclude(agreement) => conclude(app, tx, self, agreement)?,
            Effect::Decide(_) => {}
        }
        Ok(None)
    }
    fn store(&self, tx: &mut Tx, before: Option<u64>) -> Result<()> {
        match before {
            None => tx.negotiation_insert(self)?,
            Some(revision) => tx.negotiation_update(self, revision)?,
        }
        Ok(())
    }
}

/// What a participant says of itself when it asks.
///
/// # Errors
/// When that is too much.
pub fn declared(participant: &Participant, purpose: Vec<String>) -> Result<Declarations> {
    let declared = Declarations { spatial: participant.country.clone(), purpose };
    if !declared.within_limits() {
        return Err(Error::invalid("At most 20 purposes of at most 200 characters each can be declared."));
    }
    Ok(declared)
}

/// The step an action means for this negotiation now.
fn own_step(app: &App, tx: &mut Tx, n: &Negotiation, action: Action, reason: Option<&str>) -> Result<Own> {
    let ending = |default: &str| Ending::because(reason.unwrap_or(default));
    Ok(match action {
        Action::Offer => Own::Offer(n.reference_terms.clone()),
        Action::Agree => match may_agree(app, tx, n)? {
            Ok(()) => Own::Agree(make_agreement(app, n)?),
            Err(ending) => Own::Terminate(ending),
        },
        Action::Finalize => Own::Finalize,
        Action::Counter => Own::Counter(n.reference_terms.clone()),
        Action::Accept => Own::Accept,
        Action::Verify => Own::Verify,
        Action::Terminate => Own::Terminate(match &n.state {
            State::Agreed { .. } if n.role == Role::Consumer => ending("The agreement's terms are not the ones negotiated."),
            _ => ending("Ended by this participant."),
        }),
        Action::Hold | Action::Webhook | Action::Start | Action::Suspend | Action::Complete | Action::Renew => {
            return Err(Error::invalid("This action is not one of a negotiation's."));
        }
    })
}

/// Whether the policy permits this consumer, as far as can be known when agreeing, and the product is still on offer.
fn may_agree(app: &App, tx: &mut Tx, n: &Negotiation) -> Result<Result<(), Ending>> {
    let Some(terms) = n.state.terms() else { return Ok(Ok(())) };
    let product = ProductRef::parse_dataset_id(&n.dataset).and_then(|r| tx.product_get(&n.participant, &r).transpose()).transpose()?;
    let product = product.filter(|p| p.state == ProductState::Published);
    if product.is_none() {
        return Ok(Err(Ending::because("The product was withdrawn.")));
    }
    if let Some(reference) = ProductRef::parse_dataset_id(&n.dataset)
        && let Some(stop) = tx.product_stopped(&n.participant, &reference.id)?
    {
        return Ok(Err(Ending { code: Some(Code::Stopped.as_str().into()), reasons: vec![stop.refusal().message().to_owned()] }));
    }
    let policy = Policy::from_odrl(&terms.odrl)?;
    let product = product.filter(|p| governed::check_terms(&policy, p.kind, &p.content).is_ok());
    if product.is_none() {
        // Not why: the other side would learn which columns there are.
        let reasons = vec!["These terms do not fit the columns of the product.".to_owned()];
        return Ok(Err(Ending { code: Some(Code::PolicyUnsupported.as_str().into()), reasons }));
    }
    let now = app.now();
    Ok(
        match policy.evaluate(
            &access::facts(&policy, &n.peer.did, &n.declared, &n.dataset, now, now, Usage::default()).before_agreement().as_facts(),
        ) {
            Verdict::Permit(_) => Ok(()),
            Verdict::Deny(denial) => Err(Ending { code: Some(Code::PolicyDenied.as_str().into()), reasons: vec![denial.to_string()] }),
        },
    )
}

fn make_agreement(app: &App, n: &Negotiation) -> Result<Agreement> {
    let terms = n.state.terms().ok_or_else(|| Error::new(Code::IllegalTransition, "There are no terms to agree to."))?;
    let now = app.now();
    let id = AgreementId::generate(now, &*app.entropy);
    Agreement::make(id.as_str(), &n.dataset, &n.own_did, &n.peer.did, now, &terms.odrl)
}

fn conclude(app: &App, tx: &mut Tx, n: &Negotiation, agreement: Agreement) -> Result<()> {
    let now = app.now();
    let policy = Policy::from_odrl(&agreement.document);
    // We never agree to what we cannot enforce; as a consumer we may hold terms that only the provider enforces.
    let policy = match n.role {
        Role::Provider => Some(policy?),
        Role::Consumer => policy.ok(),
    };
    let id = agreement.id.clone();
    let rules = match n.role {
        Role::Provider => n.rules.clone(),
        Role::Consumer => Rules::default(),
    };
    let mut row = AgreementRow {
        participant: n.participant.clone(),
        role: n.role,
        dataset: n.dataset.clone(),
        negotiation_id: n.id.clone(),
        agreement,
        policy,
        declared: n.declared.clone(),
        rules,
        ended_at: None,
        end_reason: None,
        life: Life::default(),
        revision: 0,
        renewing: None,
        created_at: now,
        payment: None,
    };
    row.life.renewal_of = agreement_renewal::link(app, tx, n, &id)?;
    if n.role == Role::Consumer {
        row.life.renew_at = agreement_renewal::renew_at(&n.rules, &row.terms(), row.agreement.timestamp);
    }
    tx.agreement_insert(&row)?;
    evidence::note_agreement(tx, &row)?;
    peer_log::appoint(tx, &n.participant, &n.peer.did, now)?;
    agreement_life::plan(tx, &n.participant, row.life.due_at(&row.terms()), now)?;
    tx.event_append(&NewEvent {
        participant: n.participant.clone(),
        topic: format!("agreement:{id}"),
        kind: "agreement.concluded".into(),
        actor: n.own_did.to_string(),
        text: format!("The agreement about {} is in force.", n.dataset),
        detail: json!({"negotiation": n.id, "agreement": id}),
    })?;
    Ok(())
}

/// Writes the step just taken into the timeline.
///
/// # Errors
/// When the database fails.
pub fn record(tx: &mut Tx, n: &Negotiation, by: Role, text: &str, cause: Option<&Cause>) -> Result<()> {
    let actor = if by == n.role { &n.own_did } else { &n.peer.did };
    let reasons: &[String] = match &n.state {
        State::Terminated { ending, .. } => &ending.reasons,
        _ => &[],
    };
    tx.event_append(&NewEvent {
        participant: n.participant.clone(),
        topic: format!("negotiation:{}", n.id),
        kind: format!("negotiation.{}", n.state.name().to_ascii_lowercase()),
        actor: actor.to_string(),
        text: text.to_owned(),
        detail: json!({"negotiation": n.id, "state": n.state.name(), "role": n.role, "peer": n.peer.did, "dataset": n.dataset, "reasons": reasons, "terms": terms_versions::remembered(n), "cause": cause.map(Cause::to_json)}),
    })?;
    Ok(())
}

fn step_words(own: &Own) -> String {
    match own {
        Own::Offer(_) => "Offered terms.".into(),
        Own::Agree(_) => "Agreed: the agreement is on its way.".into(),
        Own::Finalize => "Finalised: the agreement is in force.".into(),
        Own::Counter(_) => "Asked again.".into(),
        Own::Accept => "Accepted the offer.".into(),
        Own::Verify => "Verified the agreement.".into(),
        Own::Terminate(ending) => format!("Ended: {}", ending.reasons.join(" ")),
    }
}

/// The offer of ours a request is about.
///
/// # Errors
/// [`Code::OfferUnknown`] when there is none, or it belongs to another product.
pub fn published_offer(tx: &mut Tx, slug: &Slug, dataset: &str, offer_id: &str) -> Result<fondaco_core::product::Offer> {
    let unknown = || Error::new(Code::OfferUnknown, "There is no such offer for this dataset. Read the catalogue again.");
    let reference = ProductRef::parse_dataset_id(dataset).ok_or_else(unknown)?;
    let offer = tx.offer_get(slug, &OfferId::from_stored(offer_id))?.ok_or_else(unknown)?;
    if offer.product != reference {
        return Err(unknown());
    }
    match tx.product_get(slug, &reference)? {
        Some(product) if product.state == ProductState::Published => Ok(offer),
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_of_edc_is_found_again_although_its_id_changed() {
        let offers = |ids: &[&str]| ids.iter().map(|id| RemoteOffer { id: (*id).to_owned(), ..RemoteOffer::default() }).collect::<Vec<_>>();
        let found = |ids: &[&str], wanted: &str| the_offer(&offers(ids), wanted).map(|o| o.id.clone());
        // From two looks at the catalogue of one EDC 0.15.1.
        let (then, now) = (
            "ZGVmLXVzZQ==:YXNzZXQtMQ==:OTI4YTk5NjMtOTgzMy00YzU0LTgwOTYtYWFiNmJkNTdiMWE5",
            "ZGVmLXVzZQ==:YXNzZXQtMQ==:MjgzMjlhNmItNDVkMy00MzVkLWE4YmEtMDIxZDg0ODI1Y2Ri",
        );
        let other = "ZGVmLW9wZW4=:YXNzZXQtMQ==:MDNmYzA4ZWEtMDBmOS00N2QxLTlmNzctZDk2MmVhZWMwYzA5";
        assert_eq!(found(&[other, now], then).as_deref(), Some(now));
        assert_eq!(found(&[now, then], then).as_deref(), Some(then), "the very id comes first");
        assert_eq!(found(&[other], then), None);
        for (offered, wanted) in [("a:b:1", "a:b:2"), ("urn:uuid:1", "urn:uuid:2"), ("off_1", "off_2"), ("::", "::x")] {
            assert_eq!(found(&[offered], wanted), None, "{wanted}");
        }
    }
}
