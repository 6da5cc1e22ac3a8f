//! Messages of peers about negotiations and transfers, after parsing: authenticated, applied and answered in one
//! transaction. The answer carries the state right after the message; what our rules decide comes after it.

use super::{App, Done, access, agreement_life, agreement_signatures, agreements::peer_of, negotiations, process, transfers};
use crate::identity::Caller;
use fondaco_core::{
    Code, Error, Result,
    canonical::sha256_hex,
    decision::Trigger,
    ids::{NegotiationId, TransferId},
    negotiation::{self, Negotiation, Peer, Role, Terms},
    participant::{Participant, Slug},
    policy::{Policy, Verdict},
    time::Micros,
    transfer::{self, Transfer},
};
use fondaco_store::Tx;
use std::collections::BTreeMap;

/// How long the same words under another `@id` are the same message.
const SAID_AGAIN_WITHIN: Micros = Micros::from_secs(10);

/// What every message says besides its content.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Who sent it.
    pub caller: Caller,
    /// Its `@id`, if it has one: a redelivery carries the same.
    pub message_id: Option<String>,
    /// The sender's pid for the process.
    pub sender_pid: Option<String>,
    /// The side its pids put us on, if it names both.
    pub own_role: Option<Role>,
}

/// A consumer's first request.
#[derive(Clone, Debug)]
pub struct FirstRequest {
    /// The dataset, if the offer names it as its target.
    pub dataset: Option<String>,
    /// The terms asked for.
    pub terms: Terms,
    /// Where the consumer listens.
    pub callback: String,
}

/// A consumer's transfer request.
#[derive(Clone, Debug)]
pub struct TransferRequest {
    /// The agreement.
    pub agreement_id: String,
    /// The distribution format.
    pub format: String,
    /// Where the consumer listens.
    pub callback: String,
}

/// Marks the caller's token as used; the same token again is refused, however many copies arrive at once.
///
/// # Errors
/// [`Code::TokenReplayed`].
pub fn use_token(tx: &mut Tx, caller: &Caller) -> Result<()> {
    if let Some(replay) = &caller.replay
        && !tx.token_use(caller.did.as_str(), &replay.jti, replay.expires_at)?
    {
        return Err(Error::new(Code::TokenReplayed, "This token was used before. Make a fresh one for every request."));
    }
    Ok(())
}

/// The other party's pid, learnt from its first message and fixed from then on.
fn learn_pid(peer: &mut Peer, sender_pid: Option<&String>, what: &str) -> Result<()> {
    match (&peer.pid, sender_pid) {
        (Some(known), Some(said)) if known != said => Err(Error::not_found(what)),
        (None, Some(said)) => {
            peer.pid = Some(said.clone());
            Ok(())
        }
        _ => Ok(()),
    }
}

impl App {
    /// Checks a caller for a read (a catalogue, the state of a process): the token counts as used.
    ///
    /// # Errors
    /// [`Code::TokenReplayed`].
    pub async fn caller_reads(&self, caller: &Caller) -> Result<()> {
        if caller.replay.is_none() {
            return Ok(());
        }
        let caller = caller.clone();
        self.store.tx("token.use", move |tx| use_token(tx, &caller)).await
    }

    /// A consumer opens a negotiation with us. Asking again with the same pid finds the same negotiation.
    ///
    /// # Errors
    /// [`Code::OfferUnknown`] and others; the state is untouched then.
    pub async fn negotiation_opened(&self, participant: &Participant, envelope: Envelope, request: FirstRequest) -> Result<Negotiation> {
        let (app, participant) = (self.clone(), participant.clone());
        let done = self
            .store
            .tx("negotiation.opened", move |tx| -> Result<_> {
                use_token(tx, &envelope.caller)?;
                Ok(open_once(tx, |tx| open_negotiation(&app, tx, &participant, &envelope, request.clone())))
            })
            .await?;
        self.finish(done)
    }

    /// A message about a negotiation both sides know.
    ///
    /// # Errors
    /// [`Code::NotFound`] when it is unknown or the caller's no business, [`Code::IllegalTransition`].
    pub async fn negotiation_received(
        &self,
        slug: &Slug,
        id: &NegotiationId,
        envelope: Envelope,
        message: negotiation::Received,
    ) -> Result<Negotiation> {
        let (app, slug, id) = (self.clone(), slug.clone(), id.clone());
        let done = self
            .store
            .tx("negotiation.received", move |tx| -> Result<_> {
                use_token(tx, &envelope.caller)?;
                let mut n = match find_negotiation(tx, &slug, &id, &envelope) {
                    Ok(n) => n,
                    Err(e) => return Ok(Done::just(Err(e))),
                };
                let before = n.revision;
                if is_redelivery(tx, &slug, n.id.as_str(), &envelope)? {
                    return Ok(Done::just(Ok(n)));
                }
                if let Err(e) = learn_pid(&mut n.peer, envelope.sender_pid.as_ref(), "The negotiation") {
                    return Ok(Done::just(Err(e)));
                }
                if let (negotiation::State::Offered { .. }, Role::Provider, negotiation::Received::Request(terms)) =
                    (&n.state, n.role, &message)
                    && let Err(e) = Policy::from_odrl(&terms.odrl)
                {
                    // As with the first request: a wish we must at least be able to enforce.
                    return Ok(Done::just(Err(e)));
                }
                let (words, said) = (received_words(&message), said(&message));
                let unmoved = n.clone();
                let (n, effects) = match n.receive(message, app.now()) {
                    Ok(next) => next,
                    Err(e) if e.code() != Code::IllegalTransition => return Ok(Done::just(Err(e))),
                    Err(e) => {
                        let again = was_just_said(&app, tx, &slug, id.as_str(), said.as_deref())?;
                        return Ok(Done::just(if again { Ok(unmoved) } else { Err(e) }));
                    }
                };
                if let Err(e) = agreement_signatures::received(tx, &n, &envelope.caller)? {
                    return Ok(Done::just(Err(e)));
                }
                remember(tx, &slug, n.id.as_str(), &envelope, said.as_deref())?;
                negotiations::record(tx, &n, n.role.other(), &words, None)?;
                let answer = n.clone();
                let done = process::follow(&app, tx, n, effects, Some(before))?;
                Ok(Done { value: Ok(answer), after: done.after })
            })
            .await?;
        self.finish(done)
    }

    /// A negotiation as its peer may see it.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn negotiation_seen_by(&self, slug: &Slug, id: &NegotiationId, caller: Caller) -> Result<Negotiation> {
        let (slug, id) = (slug.clone(), id.clone());
        self.store
            .tx("negotiation.seen", move |tx| -> Result<_> {
                use_token(tx, &caller)?;
                let envelope = Envelope { caller, message_id: None, sender_pid: None, own_role: None };
                Ok(find_negotiation(tx, &slug, &id, &envelope))
            })
            .await?
    }

    /// A consumer asks for a transfer. Asking again with the same pid finds the same transfer.
    ///
    /// # Errors
    /// [`Code::NotFound`] for an agreement that is not the caller's; [`Code::AccessEnded`], [`Code::PolicyDenied`],
    /// [`Code::Unpaid`].
    pub async fn transfer_opened(&self, participant: &Participant, envelope: Envelope, request: TransferRequest) -> Result<Transfer> {
        let (app, participant) = (self.clone(), participant.clone());
        let done = self
            .store
            .tx("transfer.opened", move |tx| -> Result<_> {
                use_token(tx, &envelope.caller)?;
                Ok(open_once(tx, |tx| open_transfer(&app, tx, &participant, &envelope, request.clone())))
            })
            .await?;
        self.finish(done)
    }

    /// A message about a transfer both sides know.
    ///
    /// # Errors
    /// As [`App::negotiation_received`].
    pub async fn transfer_received(
        &self,
        slug: &Slug,
        id: &TransferId,
        envelope: Envelope,
        message: transfer::Received,
    ) -> Result<Transfer> {
        let (app, slug, id) = (self.clone(), slug.clone(), id.clone());
        let done = self
            .store
            .tx("transfer.received", move |tx| -> Result<_> {
                use_token(tx, &envelope.caller)?;
                let mut t = match find_transfer(tx, &slug, &id, &envelope) {
                    Ok(t) => t,
                    Err(e) => return Ok(Done::just(Err(e))),
                };
                let before = t.revision;
                if is_redelivery(tx, &slug, t.id.as_str(), &envelope)? {
                    return Ok(Done::just(Ok(t)));
                }
                if let Err(e) = learn_pid(&mut t.peer, envelope.sender_pid.as_ref(), "The transfer") {
                    return Ok(Done::just(Err(e)));
                }
                // A consumer that takes its suspension back opens nothing while ours stays.
                if matches!(message, transfer::Received::Start { .. })
                    && t.role == Role::Provider
                    && t.state.suspended_by(Role::Provider).is_none()
                    && let Err(e) = transfers::may_open(&app, tx, &t)?
                {
                    return Ok(Done::just(Err(e)));
                }
                let (words, said) = (transfer_words(&message, &t), transfer_said(&message)?);
                let unmoved = t.clone();
                let (t, effects) = match t.receive(message, app.now()) {
                    Ok(next) => next,
                    Err(e) if e.code() != Code::IllegalTransition => return Ok(Done::just(Err(e))),
                    Err(e) => {
                        let again = was_just_said(&app, tx, &slug, id.as_str(), said.as_deref())?;
                        return Ok(Done::just(if again { Ok(unmoved) } else { Err(e) }));
                    }
                };
                remember(tx, &slug, t.id.as_str(), &envelope, said.as_deref())?;
                transfers::record(tx, &t, t.role.other(), &words, None)?;
                let answer = t.clone();
                let done = process::follow(&app, tx, t, effects, Some(before))?;
                Ok(Done { value: Ok(answer), after: done.after })
            })
            .await?;
        self.finish(done)
    }

    /// A transfer as its peer may see it.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn transfer_seen_by(&self, slug: &Slug, id: &TransferId, caller: Caller) -> Result<Transfer> {
        let (slug, id) = (slug.clone(), id.clone());
        self.store
            .tx("transfer.seen", move |tx| -> Result<_> {
                use_token(tx, &caller)?;
                let envelope = Envelope { caller, message_id: None, sender_pid: None, own_role: None };
                Ok(find_transfer(tx, &slug, &id, &envelope))
            })
            .await?
    }
}

type Answer<T> = Result<Done<Result<T>>>;

/// Opens a process. Where several transactions run at once, copies of a request can all find nothing and all begin;
/// the database lets one of them in, and the others look again and find what it made.
fn open_once<T>(tx: &mut Tx, mut open: impl FnMut(&mut Tx) -> Answer<T>) -> Done<Result<T>> {
    let mut opened = tx.savepoint(&mut open);
    if opened.as_ref().is_err_and(|e| e.code() == Code::Conflict) {
        opened = tx.savepoint(&mut open);
    }
    // A refusal must not undo that the token was used.
    opened.unwrap_or_else(|e| Done::just(Err(e)))
}

fn open_negotiation(app: &App, tx: &mut Tx, participant: &Participant, envelope: &Envelope, request: FirstRequest) -> Answer<Negotiation> {
    let slug = &participant.slug;
    let pid = envelope.sender_pid.clone().ok_or_else(|| Error::invalid("The request needs a \"consumerPid\"."))?;
    if let Some(known) = tx.negotiation_by_peer_pid(slug, Role::Provider, &envelope.caller.did, &pid)? {
        return Ok(Done::just(Ok(known)));
    }
    let target = request.dataset.ok_or_else(|| Error::invalid("The offer needs the dataset as its \"target\"."))?;
    let offer = negotiations::published_offer(tx, slug, &target, &request.terms.offer_id)?;
    // Terms other than the published ones are a wish we must at least be able to enforce.
    Policy::from_odrl(&request.terms.odrl)?;
    let now = app.now();
    let n = Negotiation {
        id: NegotiationId::generate(now, &*app.entropy),
        participant: slug.clone(),
        own_did: participant.did.clone(),
        role: Role::Provider,
        peer: Peer { did: envelope.caller.did.clone(), pid: Some(pid), address: request.callback },
        dataset: offer.product.dataset_id(),
        formats: Vec::new(),
        state: negotiation::State::Requested { terms: request.terms },
        reference_terms: Terms { offer_id: offer.id.to_string(), odrl: offer.odrl.clone() },
        declared: envelope.caller.declared.clone(),
        rules: offer.rules.clone(),
        reached: BTreeMap::new(),
        rounds: 1,
        revision: 0,
        created_at: now,
        updated_at: now,
    };
    negotiations::record(tx, &n, Role::Consumer, "Asked for the terms.", None)?;
    let answer = n.clone();
    let done = process::follow(app, tx, n, vec![negotiation::Effect::Decide(Trigger::Requested)], None)?;
    Ok(Done { value: Ok(answer), after: done.after })
}

fn open_transfer(app: &App, tx: &mut Tx, participant: &Participant, envelope: &Envelope, request: TransferRequest) -> Answer<Transfer> {
    let slug = &participant.slug;
    let pid = envelope.sender_pid.clone().ok_or_else(|| Error::invalid("The request needs a \"consumerPid\"."))?;
    if let Some(known) = tx.transfer_by_peer_pid(slug, Role::Provider, &envelope.caller.did, &pid)? {
        return Ok(Done::just(Ok(known)));
    }
    let row = tx
        .agreement_get(slug, &request.agreement_id)?
        .filter(|row| row.role == Role::Provider && *peer_of(row) == envelope.caller.did)
        .ok_or_else(|| Error::not_found("The agreement"))?;
    agreement_life::in_force(tx, &row, app.now())??;
    transfers::check_format(tx, &row, &request.format)?;
    let now = app.now();
    let used = tx.usage(slug, &row.agreement.id)?;
    if let Some(policy) = &row.policy
        && let Verdict::Deny(denial) = policy.evaluate(&access::facts_of(policy, &row, now, used).as_facts())
    {
        return Err(access::denied(&denial));
    }
    let t = Transfer {
        id: TransferId::generate(now, &*app.entropy),
        participant: slug.clone(),
        own_did: participant.did.clone(),
        role: Role::Provider,
        peer: Peer { did: envelope.caller.did.clone(), pid: Some(pid), address: request.callback },
        agreement_id: row.agreement.id.clone(),
        dataset: row.dataset.clone(),
        format: request.format,
        state: transfer::State::Requested,
        sealed_address: None,
        rules: row.rules.clone(),
        reached: BTreeMap::new(),
        revision: 0,
        created_at: now,
        updated_at: now,
    };
    transfers::record(tx, &t, Role::Consumer, "Asked for access.", None)?;
    let answer = t.clone();
    let done = process::follow(app, tx, t, vec![transfer::Effect::Decide(Trigger::TransferRequested)], None)?;
    Ok(Done { value: Ok(answer), after: done.after })
}

/// Unknown or somebody else's: both look alike from outside, and so do pids that are the wrong way round.
fn find_negotiation(tx: &mut Tx, slug: &Slug, id: &NegotiationId, envelope: &Envelope) -> Result<Negotiation> {
    tx.negotiation_lock(slug, id)?
        .filter(|n| n.peer.did == envelope.caller.did && envelope.own_role.is_none_or(|role| role == n.role))
        .ok_or_else(|| Error::not_found("The negotiation"))
}

fn find_transfer(tx: &mut Tx, slug: &Slug, id: &TransferId, envelope: &Envelope) -> Result<Transfer> {
    tx.transfer_lock(slug, id)?
        .filter(|t| t.peer.did == envelope.caller.did && envelope.own_role.is_none_or(|role| role == t.role))
        .ok_or_else(|| Error::not_found("The transfer"))
}

/// Whether this very message was applied before: its answer got lost, so it is answered again and nothing changes.
fn is_redelivery(tx: &mut Tx, slug: &Slug, process: &str, envelope: &Envelope) -> Result<bool> {
    match &envelope.message_id {
        Some(id) => Ok(tx.message_known(slug, process, id)?),
        None => Ok(false),
    }
}

fn remember(tx: &mut Tx, slug: &Slug, process: &str, envelope: &Envelope, said: Option<&str>) -> Result<()> {
    if let Some(id) = &envelope.message_id {
        tx.message_seen(slug, process, id)?;
    }
    if let Some(said) = said {
        tx.message_said(slug, process, said)?;
    }
    Ok(())
}

/// Whether the peer said just this a moment ago, and it was applied.
///
/// Deviation: DSP 2025-1 knows a redelivery by nothing. A message that its sender made anew is one as well, where saying it
/// twice says no more than once: Eclipse EDC, while it notes that a message of its own has arrived, may send that once more under
/// another `@id`, and ends the process when the second is refused. What opens a round (requests, offers, acceptances,
/// agreements, starts) is never taken twice, and no message is after [`SAID_AGAIN_WITHIN`].
fn was_just_said(app: &App, tx: &mut Tx, slug: &Slug, process: &str, said: Option<&str>) -> Result<bool> {
    let since = app.now().plus(Micros(-SAID_AGAIN_WITHIN.0));
    said.map_or(Ok(false), |said| Ok(tx.message_said_since(slug, process, said, since)?))
}

/// What the inbox calls a message that may be said again. No `@id` has a blank in it.
fn said(message: &negotiation::Received) -> Option<String> {
    use negotiation::Received as R;
    match message {
        R::Verification => Some("said verification".into()),
        R::Finalized => Some("said finalized".into()),
        R::Request(_) | R::Offer(_) | R::Accepted | R::Agreement(_) | R::Termination(_) => None,
    }
}

fn transfer_said(message: &transfer::Received) -> Result<Option<String>> {
    use transfer::Received as R;
    Ok(match message {
        R::Suspension(ending) => {
            let reasons = serde_json::to_vec(ending).map_err(Error::internal_failure)?;
            Some(format!("said suspension {}", sha256_hex(&reasons)))
        }
        R::Completion => Some("said completion".into()),
        R::Start { .. } | R::Termination(_) => None,
    })
}

fn received_words(message: &negotiation::Received) -> String {
    use negotiation::Received as R;
    match message {
        R::Request(_) => "Asked again, with terms of its own.".into(),
        R::Offer(_) => "Offered terms.".into(),
        R::Accepted => "Accepted the offer.".into(),
        R::Agreement(_) => "Sent the agreement.".into(),
        R::Verification => "Verified the agreement.".into(),
        R::Finalized => "Finalised: the agreement is in force.".into(),
        R::Termination(ending) => format!("Ended: {}", ending.reasons.join(" ")),
    }
}

fn transfer_words(message: &transfer::Received, before: &Transfer) -> String {
    use transfer::Received as R;
    match message {
        R::Start { .. } if before.state.suspended_by(before.role).is_some() => transfers::TAKEN_BACK.into(),
        R::Start { .. } => "Opened access.".into(),
        R::Suspension(ending) => format!("Suspended access. {}", ending.reasons.join(" ")),
        R::Completion => "Completed the transfer.".into(),
        R::Termination(ending) => format!("Ended the transfer. {}", ending.reasons.join(" ")),
    }
}
