//! Transfers: ask for access, take a step, follow the rules. The counterpart of [`super::negotiations`].

use super::{
    After, App, Done, access, agreement_life,
    agreements::peer_of,
    cause::{Cause, Failure},
    evidence,
    idempotency::{Key, Once, once},
    peers::Remote,
    process::{self, Process},
};
use crate::jobs::{self, TransferSend};
use fondaco_core::{
    Code, Error, Result,
    decision::{Action, Choice, Decision, Rules, Trigger},
    ids::{JobId, TransferId},
    negotiation::{Ending, Peer, Role},
    participant::{Did, Participant, Slug},
    policy::Verdict,
    product::{FORMAT_DELTA_SHARING, FORMAT_HTTP_PULL, ProductRef},
    time::{Micros, Timestamp},
    transfer::{Effect, Message, Own, State, Transfer},
};
use fondaco_store::{AgreementRow, NewEvent, NewJob, Tx, Usage};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The formats this node reads as a consumer, best first.
const FORMATS_READ: [&str; 2] = [FORMAT_DELTA_SHARING, FORMAT_HTTP_PULL];

impl App {
    /// Asks the provider of an agreement for access.
    ///
    /// # Errors
    /// [`Code::NotFound`] when we hold no such agreement as consumer.
    pub async fn transfer_begin(
        &self,
        participant: &Participant,
        agreement_id: &str,
        format: Option<String>,
        key: Option<Key>,
    ) -> Result<Transfer> {
        self.transfer_request(participant, agreement_id, format, None, key).await
    }

    /// Asks the provider of an agreement for access; at another address than the one it was negotiated at when `provider`
    /// says so.
    ///
    /// # Errors
    /// [`Code::NotFound`] when we hold no such agreement as consumer; [`Code::Invalid`] when its provider is another.
    pub async fn transfer_request(
        &self,
        participant: &Participant,
        agreement_id: &str,
        format: Option<String>,
        provider: Option<Remote>,
        key: Option<Key>,
    ) -> Result<Transfer> {
        let (app, participant, agreement_id) = (self.clone(), participant.clone(), agreement_id.to_owned());
        let done = self
            .store
            .tx("transfer.begin", move |tx| {
                let slug = participant.slug.clone();
                let begin = |tx: &mut Tx| {
                    let now = app.now();
                    let row = consumer_agreement(tx, &participant.slug, &agreement_id, now)?;
                    // Where the provider is, and how it delivers, was learnt when the agreement was negotiated.
                    let negotiation = tx
                        .negotiation_get(&participant.slug, &row.negotiation_id)?
                        .ok_or_else(|| Error::not_found("The negotiation of the agreement"))?;
                    let format = format.unwrap_or_else(|| preferred(&negotiation.formats).to_owned());
                    let address = match provider {
                        None => negotiation.peer.address,
                        Some(provider) if provider.did == *peer_of(&row) => provider.dsp,
                        Some(_) => return Err(Error::invalid("The agreement was made with another provider.")),
                    };
                    let t = Transfer {
                        id: TransferId::generate(now, &*app.entropy),
                        participant: participant.slug.clone(),
                        own_did: participant.did.clone(),
                        role: Role::Consumer,
                        peer: Peer { did: peer_of(&row).clone(), pid: None, address },
                        agreement_id: row.agreement.id.clone(),
                        dataset: row.dataset.clone(),
                        format,
                        state: State::Requested,
                        sealed_address: None,
                        rules: consumer_rules(&participant, &row),
                        reached: BTreeMap::new(),
                        revision: 0,
                        created_at: now,
                        updated_at: now,
                    };
                    record(tx, &t, Role::Consumer, "Asked for access.", Some(&app.cause()))?;
                    process::follow(&app, tx, t, vec![Effect::Send(Message::Request), Effect::Decide(Trigger::TransferRequested)], None)
                };
                once(tx, key.as_ref(), begin, |done| done.value.id.to_string()).map(|done| (done, slug))
            })
            .await?;
        match done {
            (Once::Done(done), _) => Ok(self.finish(done)),
            (Once::Before(id), slug) => self.transfer_wait(&slug, &TransferId::from_stored(id), Micros(0), |_| true).await,
        }
    }

    /// Takes a step that a person (or a program) asked for.
    ///
    /// # Errors
    /// [`Code::IllegalTransition`] when it is not possible now.
    pub async fn transfer_act(&self, slug: &Slug, id: &TransferId, action: Action, reason: Option<String>) -> Result<Transfer> {
        let (app, slug, id) = (self.clone(), slug.clone(), id.clone());
        let done = self
            .store
            .tx("transfer.act", move |tx| -> Result<_> {
                let t = tx.transfer_lock(&slug, &id)?.ok_or_else(|| Error::not_found(format!("The transfer {id}")))?;
                process::act(&app, tx, t, action, reason.as_deref())
            })
            .await?;
        Ok(self.finish(done))
    }

    /// The agreed time of an open transfer is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn transfer_expire(&self, slug: &Slug, id: TransferId, job: JobId) -> Result<()> {
        let (app, slug) = (self.clone(), slug.clone());
        let done = self
            .store
            .tx("transfer.expire", move |tx| -> Result<_> {
                tx.job_finish(&job)?;
                let Some(t) = tx.transfer_lock(&slug, &id)?.filter(|t| !t.state.is_final()) else { return Ok(Done::just(())) };
                let Some(denied) = over_by_terms(&app, tx, &t)? else { return Ok(Done::just(())) };
                let done = terminate(&app, tx, t, ending_of(&denied))?;
                Ok(Done { value: (), after: done.after })
            })
            .await?;
        self.after_commit(done.after);
        Ok(())
    }

    /// Notes that the peer completed a transfer while a message of ours was on its way.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn transfer_completed_there(&self, slug: &Slug, id: &TransferId, job: JobId) -> Result<()> {
        let (app, slug, id) = (self.clone(), slug.clone(), id.clone());
        let done = self
            .store
            .tx("transfer.completed_there", move |tx| -> Result<_> {
                tx.job_finish(&job)?;
                let Some(t) = tx.transfer_lock(&slug, &id)?.filter(|t| !t.state.is_final()) else { return Ok(Done::just(())) };
                let before = t.revision;
                let (over, effects) = t.completed_there(app.now());
                record(tx, &over, over.role.other(), "Completed the transfer.", None)?;
                let done = process::follow(&app, tx, over, effects, Some(before))?;
                Ok(Done { value: (), after: done.after })
            })
            .await?;
        self.after_commit(done.after);
        Ok(())
    }

    /// Ends a transfer whose peer cannot be told or refuses what we say.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn transfer_fail(&self, slug: &Slug, id: &TransferId, failure: Failure, job: JobId) -> Result<()> {
        let (app, slug, id) = (self.clone(), slug.clone(), id.clone());
        let done = self
            .store
            .tx("transfer.fail", move |tx| -> Result<_> {
                tx.job_finish(&job)?;
                let Some(t) = tx.transfer_lock(&slug, &id)?.filter(|t| !t.state.is_final()) else { return Ok(Done::just(())) };
                let (before, words) = (t.revision, failure.ending.reasons.join(" "));
                let (failed, mut effects) = t.fail(failure.ending, app.now());
                // The peer may think that it goes on. It is told, if it can be reached within another day.
                effects.push(Effect::Send(Message::Termination));
                tx.jobs_drop(&slug, &jobs::line(&failed.id))?;
                tx.jobs_drop(&slug, &jobs::waiting_line(&failed.id))?;
                record(tx, &failed, failed.role, &words, failure.exchange.map(Cause::Exchange).as_ref())?;
                let done = process::follow(&app, tx, failed, effects, Some(before))?;
                Ok(Done { value: (), after: done.after })
            })
            .await?;
        self.after_commit(done.after);
        Ok(())
    }
}

fn own_step(app: &App, tx: &mut Tx, t: &Transfer, action: Action, reason: Option<&str>) -> Result<Own> {
    let ending = |default: &str| Ending::because(reason.unwrap_or(default));
    Ok(match action {
        Action::Start => match may_open(app, tx, t)? {
            Ok(()) => Own::Start,
            Err(denied) if matches!(t.state, State::Requested) => Own::Terminate(ending_of(&denied)),
            Err(denied) => return Err(denied),
        },
        Action::Suspend => Own::Suspend(ending("Suspended by this participant.")),
        Action::Complete => Own::Complete,
        Action::Terminate => Own::Terminate(ending("Ended by this participant.")),
        Action::Offer
        | Action::Agree
        | Action::Finalize
        | Action::Counter
        | Action::Accept
        | Action::Verify
        | Action::Hold
        | Action::Renew
        | Action::Webhook => {
            return Err(Error::invalid("This action is not one of a transfer's."));
        }
    })
}

impl Process for Transfer {
    type Own = Own;
    type Effect = Effect;
    const DECIDE: &'static str = jobs::TRANSFER_DECIDE;
    const ASK: &'static str = jobs::TRANSFER_ASK;

    fn get(tx: &mut Tx, slug: &Slug, id: &str) -> Result<Option<Self>> {
        Ok(tx.transfer_get(slug, &TransferId::from_stored(id))?)
    }
    fn lock(tx: &mut Tx, slug: &Slug, id: &str) -> Result<Option<Self>> {
        Ok(tx.transfer_lock(slug, &TransferId::from_stored(id))?)
    }
    fn own_did(&self) -> &Did {
        &self.own_did
    }
    fn told(&self) -> (&'static str, Value) {
        let told = json!({
            "id": self.id, "role": self.role, "state": self.state.name(), "peer": self.peer.did, "dataset": self.dataset,
            "agreement": self.agreement_id, "format": self.format,
        });
        ("transfer", told)
    }
    fn with_terms(&self, _: Action, _: Value) -> Result<(Own, String)> {
        Err(Error::invalid("A transfer has no terms of its own."))
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
    fn is_void(&self) -> bool {
        let void = match &self.state {
            State::Terminated { .. } => true,
            // What we completed the peer must first know to have begun: our messages stay in line before the completion.
            State::Completed { by } => *by != self.role,
            State::Requested | State::Started { .. } | State::Suspended { .. } => false,
        };
        void && self.peer.pid.is_some()
    }
    fn decide(&mut self, trigger: Trigger) -> Decision {
        Self::decide(self, trigger)
    }
    fn may_wait(&self) -> bool {
        !self.rules.is_empty()
    }
    fn choose(&self, decision: &Decision) -> Choice {
        decision.action.into()
    }
    fn decision(effect: Effect) -> std::result::Result<Trigger, Effect> {
        match effect {
            Effect::Decide(trigger) => Ok(trigger),
            other => Err(other),
        }
    }
    fn own_step(&self, app: &App, tx: &mut Tx, action: Action, reason: Option<&str>) -> Result<(Own, String)> {
        let own = own_step(app, tx, self, action, reason)?;
        let words = step_words(&own, self);
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
                    kind: jobs::TRANSFER_SEND.into(),
                    key: jobs::line(&self.id),
                    payload: json!(TransferSend::new(app, self, message)),
                    run_at: app.now(),
                })?;
            }
            Effect::Access { open: true } => expire_later(app, tx, self)?,
            Effect::Access { open: false } => {
                tx.transfer_tell_closed(&self.id)?;
                return Ok(Some(After::CloseAccess(self.id.clone())));
            }
            Effect::Decide(_) => {}
        }
        Ok(None)
    }
    fn store(&self, tx: &mut Tx, before: Option<u64>) -> Result<()> {
        match before {
            None => tx.transfer_insert(self)?,
            Some(revision) => tx.transfer_update(self, revision)?,
        }
        Ok(())
    }
}

/// Ends a transfer from our side.
///
/// # Errors
/// [`Code::IllegalTransition`] when it has ended already.
pub fn terminate(app: &App, tx: &mut Tx, t: Transfer, ending: Ending) -> Result<Done<Transfer>> {
    let own = Own::Terminate(ending);
    let words = step_words(&own, &t);
    process::act_because(app, tx, t, own, &words, &Cause::Terms)
}

/// The provider's node ends the transfer by itself when the agreed time is over.
fn expire_later(app: &App, tx: &mut Tx, t: &Transfer) -> Result<()> {
    if t.role != Role::Provider {
        return Ok(());
    }
    let Some(row) = tx.agreement_get(&t.participant, &t.agreement_id)? else { return Ok(()) };
    let Some(policy) = &row.policy else { return Ok(()) };
    let facts = access::facts_of(policy, &row, app.now(), Usage::default());
    if let Verdict::Permit(permit) = policy.evaluate(&facts.as_facts())
        && let Some(until) = permit.until
    {
        tx.job_enqueue(&NewJob {
            participant: t.participant.clone(),
            kind: jobs::TRANSFER_EXPIRE.into(),
            key: format!("{}:expire:{}", t.id, t.revision),
            payload: json!({"id": t.id}),
            run_at: until,
        })?;
    }
    Ok(())
}

/// Whether access may be open now: the agreement is in force and its policy permits the consumer.
///
/// The outer error is ours, the inner one is for the peer.
///
/// # Errors
/// When the database fails.
pub fn may_open(app: &App, tx: &mut Tx, t: &Transfer) -> Result<Result<()>> {
    if t.role != Role::Provider {
        return Ok(Ok(()));
    }
    let Some(row) = tx.agreement_get(&t.participant, &t.agreement_id)? else {
        return Ok(Err(Error::new(Code::AccessEnded, "The agreement does not exist any more.")));
    };
    if let Err(e) = agreement_life::in_force(tx, &row, app.now())? {
        return Ok(Err(e));
    }
    permitted(app, tx, &row)
}

/// Why a transfer must end, if it must: its agreement is over or does not permit it any more. A stop is for now only.
///
/// # Errors
/// When the database fails.
pub fn over_by_terms(app: &App, tx: &mut Tx, t: &Transfer) -> Result<Option<Error>> {
    let Some(row) = tx.agreement_get(&t.participant, &t.agreement_id)? else { return Ok(None) };
    let permitted = if t.role == Role::Provider { permitted(app, tx, &row)? } else { Ok(()) };
    let over = row.life.in_force(app.now()).err().filter(|e| e.code() != Code::Stopped);
    // A price that is still to be paid opens nothing, and ends nothing.
    Ok(permitted.err().filter(|e| e.code() != Code::Unpaid).or(over))
}

/// Whether the policy permits the consumer a use now.
fn permitted(app: &App, tx: &mut Tx, row: &AgreementRow) -> Result<Result<()>> {
    let Some(policy) = &row.policy else {
        return Ok(Err(Error::new(Code::PolicyUnsupported, "The agreement's policy cannot be enforced by this node.")));
    };
    let used = tx.usage(&row.participant, &row.agreement.id)?;
    let facts = access::facts_of(policy, row, app.now(), used);
    Ok(match policy.evaluate(&facts.as_facts()) {
        Verdict::Permit(_) => Ok(()),
        Verdict::Deny(denial) => Err(access::denied(&denial)),
    })
}

/// What a refusal ends a transfer with.
pub fn ending_of(error: &Error) -> Ending {
    Ending { code: Some(error.code().as_str().into()), reasons: vec![error.message().to_owned()] }
}

/// The formats our product can be had in.
///
/// # Errors
/// [`Code::Invalid`] for another format.
pub fn check_format(tx: &mut Tx, row: &AgreementRow, format: &str) -> Result<()> {
    let product = ProductRef::parse_dataset_id(&row.dataset).and_then(|r| tx.product_get(&row.participant, &r).transpose()).transpose()?;
    let formats = product.map(|p| p.kind.formats()).unwrap_or_default();
    if formats.contains(&format) {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "\"{}\" is not a format of this dataset; it has: {}.",
            format.chars().take(80).collect::<String>(),
            formats.join(", ")
        )))
    }
}

fn consumer_agreement(tx: &mut Tx, slug: &Slug, id: &str, now: Timestamp) -> Result<AgreementRow> {
    let row = tx.agreement_get(slug, id)?.ok_or_else(|| Error::not_found(format!("The agreement {id:.80}")))?;
    if row.role != Role::Consumer {
        return Err(Error::invalid("You are the provider of this agreement; the consumer asks for access."));
    }
    match row.life.in_force(now) {
        // A stop may have been taken back without our hearing of it: the provider knows.
        Err(e) if e.code() != Code::Stopped => Err(e),
        _ => Ok(row),
    }
}

/// The format to ask for, of those a provider offers: the first that this node can read, else that of tables.
fn preferred(offered: &[String]) -> &'static str {
    FORMATS_READ.into_iter().find(|known| offered.iter().any(|o| o == known)).unwrap_or(FORMAT_DELTA_SHARING)
}

fn consumer_rules(participant: &Participant, row: &AgreementRow) -> Rules {
    // What was imported may have brought rules of its own.
    if row.rules.is_empty() { participant.rules.select(&row.agreement.assigner, &row.agreement.id).clone() } else { row.rules.clone() }
}

/// Writes the step just taken into the timeline.
///
/// # Errors
/// When the database fails.
pub fn record(tx: &mut Tx, t: &Transfer, by: Role, text: &str, cause: Option<&Cause>) -> Result<()> {
    let actor = if by == t.role { &t.own_did } else { &t.peer.did };
    let reasons: &[String] = match &t.state {
        State::Suspended { ending, .. } | State::Terminated { ending, .. } => &ending.reasons,
        State::Requested | State::Started { .. } | State::Completed { .. } => &[],
    };
    tx.event_append(&NewEvent {
        participant: t.participant.clone(),
        topic: format!("transfer:{}", t.id),
        kind: format!("transfer.{}", t.state.name().to_ascii_lowercase()),
        actor: actor.to_string(),
        text: text.trim().to_owned(),
        detail: json!({"transfer": t.id, "state": t.state.name(), "role": t.role, "peer": t.peer.did, "agreement": t.agreement_id, "reasons": reasons, "cause": cause.map(Cause::to_json)}),
    })?;
    // Without a cause and by ourselves it is a remark, not a step.
    if by != t.role || cause.is_some() {
        evidence::note_transfer(tx, t, by, cause)?;
    }
    Ok(())
}

/// A suspension was taken back, and the other side's stays.
pub const TAKEN_BACK: &str = "Resumed what it suspended; the other side's suspension stays.";

/// A step of ours in words.
pub fn step_words(own: &Own, t: &Transfer) -> String {
    match own {
        Own::Start if t.state.suspended_by(t.role.other()).is_some() => TAKEN_BACK.into(),
        Own::Start if matches!(t.state, State::Suspended { .. }) => "Resumed access.".into(),
        Own::Start => "Opened access.".into(),
        Own::Suspend(ending) => format!("Suspended access. {}", ending.reasons.join(" ")),
        Own::Complete => "Completed the transfer.".into(),
        Own::Terminate(ending) => format!("Ended the transfer. {}", ending.reasons.join(" ")),
    }
}
