//! What becomes of an agreement after signing: notice, emergency stop, resumption, the clock, and what the peer tells.
//!
//! The rules are `fondaco_core::life`. Here each step becomes one conditional statement on the agreement's row, with its
//! line in the history, the message to the peer and what follows for transfers in the same transaction.

use super::{
    After, App, Done,
    agreements::{own_of, peer_of},
    cause::{Cause, Exchange},
    evidence, process, received, transfers,
};
use crate::{
    identity::Caller,
    jobs::{self, AgreementTell},
};
use fondaco_core::{
    Code, Error, Result,
    ids::JobId,
    life::{Happened, Kind, Life, Own, Phase, REASON_MAX_CHARS, Told},
    negotiation::{Ending, Role},
    participant::Slug,
    product::ProductRef,
    time::{Micros, Timestamp},
    transfer::{self, State, Transfer},
};
use fondaco_store::{AGREEMENT_DUE, AgreementRow, NewEvent, NewJob, Tx};
use serde_json::json;

/// Agreements looked at in one transaction when their time has come: a commit of that many is still short.
const DUE_AT_ONCE: u32 = 50;
/// Transfers read at once while following an agreement.
const TRANSFERS_STEP: u32 = 200;
/// How long a consumer waits for its provider to end the transfers of an agreement that is over, before it does so itself.
const PROVIDER_ENDS_WITHIN: Micros = Micros::from_secs(60);

impl App {
    /// Gives notice: the agreement ends as soon as its terms let it.
    ///
    /// Deviation: DSP 2025-1 has no message for ending a finalised agreement. A peer of this program is told in an
    /// extension; any other learns of it by the termination of its transfers and by refused requests.
    ///
    /// # Errors
    /// [`Code::EndNotAgreed`] where the terms do not say that it may end; [`Code::Conflict`] when it is ending or over.
    pub async fn agreement_end(&self, slug: &Slug, id: &str, reason: Option<String>) -> Result<()> {
        self.agreement_act(slug, id, Own::End { reason: checked_reason(reason)? }).await
    }

    /// Stops an agreement for now, as its provider.
    ///
    /// # Errors
    /// [`Code::Invalid`] without a reason, [`Code::Forbidden`] for the consumer, [`Code::Conflict`] when it is stopped or over.
    pub async fn agreement_stop(&self, slug: &Slug, id: &str, reason: Option<String>) -> Result<()> {
        let reason = required_reason(reason)?;
        self.agreement_act(slug, id, Own::Stop { reason }).await
    }

    /// Takes a stop back.
    ///
    /// # Errors
    /// As [`App::agreement_stop`].
    pub async fn agreement_resume(&self, slug: &Slug, id: &str) -> Result<()> {
        self.agreement_act(slug, id, Own::Resume).await
    }

    async fn agreement_act(&self, slug: &Slug, id: &str, own: Own) -> Result<()> {
        let (app, slug, id) = (self.clone(), slug.clone(), id.to_owned());
        let after = self
            .store
            .tx("agreement.act", move |tx| -> Result<_> {
                tx.agreements_plan(&slug)?;
                let row = tx.agreement_lock(&slug, &id)?.ok_or_else(|| Error::not_found(format!("The agreement {id:.80}")))?;
                act(&app, tx, &row, own, &app.cause())
            })
            .await?;
        self.after_commit(after);
        Ok(())
    }

    /// An event that the peer tells; where the agreement stands then.
    ///
    /// # Errors
    /// [`Code::NotFound`] when there is none or it is not the caller's; [`Code::IllegalTransition`], [`Code::EndNotAgreed`]
    /// for what the sender may not do. The agreement is untouched then, and the token used.
    pub async fn agreement_told(&self, slug: &Slug, id: &str, caller: Caller, told: Told) -> Result<Phase> {
        let (app, slug, id) = (self.clone(), slug.clone(), id.to_owned());
        let done = self
            .store
            .tx("agreement.told", move |tx| -> Result<_> {
                received::use_token(tx, &caller)?;
                let told = tx.savepoint(|tx| hear(&app, tx, &slug, &id, &caller, &told));
                Ok(told.unwrap_or_else(|e| Done::just(Err(e))))
            })
            .await?;
        self.finish(done)
    }

    /// The time of some agreements has come.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agreements_due(&self, slug: &Slug, job: JobId) -> Result<()> {
        let (app, slug) = (self.clone(), slug.clone());
        let after = self
            .store
            .tx("agreements.due", move |tx| -> Result<_> {
                tx.job_finish(&job)?;
                tx.agreements_plan(&slug)?;
                let now = app.now();
                let mut after = Vec::new();
                for id in tx.agreements_due(&slug, now, DUE_AT_ONCE)? {
                    let Some(row) = tx.agreement_lock(&slug, &id)? else { continue };
                    after.extend(look(&app, tx, &row, now)?);
                }
                if let Some(next) = tx.agreements_next_due(&slug)? {
                    wake_at(tx, &slug, next.max(now))?;
                }
                Ok(after)
            })
            .await?;
        self.after_commit(after);
        Ok(())
    }

    /// An agreement and where its peer listens; empty when that is not known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agreement_address(&self, slug: &Slug, id: &str) -> Result<Option<(AgreementRow, String)>> {
        let (slug, id) = (slug.clone(), id.to_owned());
        self.store
            .read("agreement.address", move |tx| -> Result<_> {
                let Some(row) = tx.agreement_get(&slug, &id)? else { return Ok(None) };
                // A consumer says with each request where it listens, so what it said last counts.
                let latest = tx.transfers_of_agreement(&slug, &id)?.into_iter().next().map(|t| t.peer.address);
                let address = match latest {
                    Some(address) => address,
                    None => tx.negotiation_get(&slug, &row.negotiation_id)?.map(|n| n.peer.address).unwrap_or_default(),
                };
                Ok(Some((row, address)))
            })
            .await
    }
}

/// A reason that must be there.
///
/// # Errors
/// [`Code::Invalid`].
pub fn required_reason(reason: Option<String>) -> Result<String> {
    checked_reason(reason)?.ok_or_else(|| Error::invalid("An emergency stop needs a reason; the other side reads it."))
}

fn checked_reason(reason: Option<String>) -> Result<Option<String>> {
    let reason = reason.map(|r| r.trim().to_owned()).filter(|r| !r.is_empty());
    if let Some(reason) = &reason {
        super::bounded("reason", reason, REASON_MAX_CHARS)?;
    }
    Ok(reason)
}

/// Whether an agreement may be used now: not over, notice not in effect, neither it nor its product stopped.
///
/// The outer error is ours, the inner one is for the peer.
///
/// # Errors
/// When the database fails.
pub fn in_force(tx: &mut Tx, row: &AgreementRow, now: Timestamp) -> Result<Result<()>> {
    if let Err(e) = row.life.in_force(now) {
        return Ok(Err(e));
    }
    if row.role == Role::Provider
        && let Some(product) = ProductRef::parse_dataset_id(&row.dataset)
        && let Some(stop) = tx.product_stopped(&row.participant, &product.id)?
    {
        return Ok(Err(stop.refusal()));
    }
    Ok(Ok(()))
}

/// Takes a step of our own.
///
/// # Errors
/// As [`Life::act`]; [`Code::Conflict`] when the agreement changed meanwhile.
pub fn act(app: &App, tx: &mut Tx, row: &AgreementRow, own: Own, cause: &Cause) -> Result<Vec<After>> {
    let (life, happened) = row.life.clone().act(own, row.role, &row.terms(), app.now())?;
    if life == row.life {
        return Ok(Vec::new());
    }
    apply(app, tx, row, &life, happened, Some(cause))
}

/// Looks at the clock for one agreement: what is over is over, what a rule renews is renewed.
fn look(app: &App, tx: &mut Tx, row: &AgreementRow, now: Timestamp) -> Result<Vec<After>> {
    let (mut life, happened) = row.life.clone().act(Own::Due, row.role, &row.terms(), now)?;
    if life.renew_at.is_some_and(|at| at <= now) {
        life.renew_at = None;
        if life.over.is_none() {
            tx.job_enqueue(&NewJob {
                participant: row.participant.clone(),
                kind: jobs::AGREEMENT_RENEW.into(),
                key: format!("{}:renew", row.agreement.id),
                payload: json!({"id": row.agreement.id}),
                run_at: now,
            })?;
        }
    }
    apply(app, tx, row, &life, happened, Some(&Cause::Terms))
}

fn hear(app: &App, tx: &mut Tx, slug: &Slug, id: &str, caller: &Caller, told: &Told) -> Result<Done<Result<Phase>>> {
    tx.agreements_plan(slug)?;
    let row = tx.agreement_lock(slug, id)?.filter(|row| *peer_of(row) == caller.did).ok_or_else(|| Error::not_found("The agreement"))?;
    let (life, happened) = row.life.clone().receive(told, row.role.other(), &row.terms(), app.now())?;
    if let (Kind::Renewed, Some(new), false) = (told.kind, &told.renewed_by, happened.is_empty()) {
        let of_both = |new: &AgreementRow| new.role == Role::Provider && *peer_of(new) == caller.did && new.life.renewal_of.is_none();
        let new = tx.agreement_lock(slug, new)?.filter(|n| n.agreement.id != id && of_both(n));
        let new = new.ok_or_else(|| Error::new(Code::IllegalTransition, "The new agreement is none between you and us."))?;
        let linked = Life { renewal_of: Some(id.to_owned()), ..new.life.clone() };
        stored(tx, &new, &linked)?;
    }
    let phase = life.phase();
    let after = if life == row.life { Vec::new() } else { apply(app, tx, &row, &life, happened, None)? };
    Ok(Done { value: Ok(phase), after })
}

fn stored(tx: &mut Tx, row: &AgreementRow, life: &Life) -> Result<()> {
    if tx.agreement_set_life(row, life)? {
        return Ok(());
    }
    Err(Error::new(Code::Conflict, "The agreement changed meanwhile. Try again."))
}

/// Stores what happened, writes the history, tells the peer, and does what follows for the transfers.
///
/// # Errors
/// [`Code::Conflict`] when the agreement changed since `row` was read.
pub fn apply(
    app: &App,
    tx: &mut Tx,
    row: &AgreementRow,
    life: &Life,
    happened: Vec<Happened>,
    cause: Option<&Cause>,
) -> Result<Vec<After>> {
    stored(tx, row, life)?;
    plan(tx, &row.participant, life.due_at(&row.terms()), app.now())?;
    let mut after = Vec::new();
    for h in happened {
        record(tx, row, life, &h, cause)?;
        if let Some(told) = h.tell.clone() {
            tell(app, tx, row, told)?;
        }
        after.extend(follow(app, tx, row, life, &h)?);
    }
    Ok(after)
}

/// Stores a change that is nobody's business but ours: when a rule acts next.
///
/// # Errors
/// [`Code::Conflict`] when the agreement changed since `row` was read.
pub fn apply_quietly(tx: &mut Tx, row: &AgreementRow, life: &Life, now: Timestamp) -> Result<()> {
    stored(tx, row, life)?;
    plan(tx, &row.participant, life.due_at(&row.terms()), now)
}

/// Sees to it that somebody looks when the time of an agreement comes, of which `due` is stored already. A participant has
/// about one such job, however many agreements it has: at the first of their times.
///
/// # Errors
/// When the database fails.
pub fn plan(tx: &mut Tx, slug: &Slug, due: Option<Timestamp>, now: Timestamp) -> Result<()> {
    let Some(due) = due else { return Ok(()) };
    tx.agreements_plan(slug)?;
    if tx.agreements_next_due(slug)? == Some(due) {
        wake_at(tx, slug, due.max(now))?;
    }
    Ok(())
}

fn wake_at(tx: &mut Tx, slug: &Slug, at: Timestamp) -> Result<()> {
    // Jobs of one key wait for each other, and these must not: a later time may have been planned first.
    let key = format!("{AGREEMENT_DUE}:{}", at.as_micros());
    if tx.job_of_key(slug, &key)?.is_none() {
        tx.job_enqueue(&NewJob { participant: slug.clone(), kind: AGREEMENT_DUE.into(), key, payload: json!({}), run_at: at })?;
    }
    Ok(())
}

fn tell(app: &App, tx: &mut Tx, row: &AgreementRow, told: Told) -> Result<()> {
    let id = row.agreement.id.clone();
    tx.job_enqueue(&NewJob {
        participant: row.participant.clone(),
        kind: jobs::AGREEMENT_TELL.into(),
        key: jobs::line(&id),
        payload: json!(AgreementTell { id, message_id: app.fresh_urn(), told }),
        run_at: app.now(),
    })?;
    Ok(())
}

/// Writes a line into the history.
fn record(tx: &mut Tx, row: &AgreementRow, life: &Life, h: &Happened, cause: Option<&Cause>) -> Result<()> {
    let because = h.reason.as_deref().map(|r| format!(" {r}")).unwrap_or_default();
    let text = match h.kind {
        Kind::Notice => format!("Gave notice: the agreement ends on {}.{because}", h.ends_at.unwrap_or(h.at)),
        Kind::Ended => format!("The agreement ended on {}.{because}", h.at),
        Kind::Stopped => format!("Stopped for now.{because}"),
        Kind::Resumed => "Resumed.".into(),
        Kind::Expired => format!("The agreement expired on {}.", h.at),
        Kind::Renewed => format!("Renewed by {}.", life.renewed_by.as_deref().unwrap_or_default()),
    };
    let by = match h.by {
        Some(role) if role != row.role => peer_of(row),
        _ => own_of(row),
    };
    let detail = json!({
        "agreement": row.agreement.id, "by": h.by, "at": h.at, "endsAt": h.ends_at, "reasons": h.reason.as_slice(),
        "renewedBy": life.renewed_by.as_ref().filter(|_| h.kind == Kind::Renewed), "cause": cause.map(Cause::to_json),
    });
    evidence::note_life(tx, row, h, cause)?;
    note(tx, row, h.kind.as_str(), by.as_str(), text, detail)
}

fn note(tx: &mut Tx, row: &AgreementRow, kind: &str, actor: &str, text: String, detail: serde_json::Value) -> Result<()> {
    tx.event_append(&NewEvent {
        participant: row.participant.clone(),
        topic: format!("agreement:{}", row.agreement.id),
        kind: format!("agreement.{kind}"),
        actor: actor.to_owned(),
        text,
        detail,
    })?;
    Ok(())
}

/// Notes that the peer could not be told.
///
/// # Errors
/// When the database fails.
pub fn note_untold(tx: &mut Tx, row: &AgreementRow, text: &str, exchange: Exchange) -> Result<()> {
    let detail = json!({"agreement": row.agreement.id, "cause": Cause::Exchange(exchange).to_json()});
    note(tx, row, "untold", own_of(row).as_str(), text.to_owned(), detail)
}

/// Notes what a rule did not do, so that a person sees to it.
///
/// # Errors
/// When the database fails.
pub fn note_held(tx: &mut Tx, row: &AgreementRow, text: &str, cause: &Cause) -> Result<()> {
    let detail = json!({"agreement": row.agreement.id, "cause": cause.to_json()});
    note(tx, row, "held", own_of(row).as_str(), text.to_owned(), detail)
}

/// What an event means for the transfers under the agreement.
fn follow(app: &App, tx: &mut Tx, row: &AgreementRow, life: &Life, h: &Happened) -> Result<Vec<After>> {
    let over = matches!(h.kind, Kind::Ended | Kind::Expired);
    let ours = row.role == Role::Provider || h.tell.is_some();
    if !(over || (row.role == Role::Provider && matches!(h.kind, Kind::Stopped | Kind::Resumed))) {
        return Ok(Vec::new());
    }
    let (slug, id) = (&row.participant, &row.agreement.id);
    let mut after = Vec::new();
    let mut cursor = String::new();
    loop {
        let open = tx.transfers_open_of_agreement(slug, id, &cursor, TRANSFERS_STEP)?;
        for transfer in &open {
            if over && !ours {
                // The provider's word, which says why, is on its way. Should it not come, we end it ourselves.
                tx.job_enqueue(&NewJob {
                    participant: slug.clone(),
                    kind: jobs::TRANSFER_EXPIRE.into(),
                    key: format!("{transfer}:over"),
                    payload: json!({"id": transfer}),
                    run_at: app.now().plus(PROVIDER_ENDS_WITHIN),
                })?;
                continue;
            }
            // It may be taking a step of its own right now: it follows from where that leads.
            let Some(t) = tx.transfer_lock(slug, transfer)?.filter(|t| !t.state.is_final()) else { continue };
            let Some(own) = step_of(app, tx, &t, life, h)? else { continue };
            let words = transfers::step_words(&own, &t);
            after.extend(process::act_because(app, tx, t, own, &words, &Cause::Agreement)?.after);
        }
        match open.last() {
            Some(last) if open.len() == TRANSFERS_STEP as usize => last.as_str().clone_into(&mut cursor),
            _ => return Ok(after),
        }
    }
}

/// The step of one transfer.
fn step_of(app: &App, tx: &mut Tx, t: &Transfer, life: &Life, h: &Happened) -> Result<Option<transfer::Own>> {
    let ending = |code: Code, words: String| {
        let reasons = std::iter::once(words).chain(h.reason.clone()).collect();
        Ending { code: Some(code.as_str().to_owned()), reasons }
    };
    Ok(match h.kind {
        Kind::Ended => Some(transfer::Own::Terminate(ending(Code::AccessEnded, format!("The agreement ended on {}.", h.at)))),
        // What the terms say of it, where they still say it: the operand that ran out.
        Kind::Expired => Some(transfer::Own::Terminate(match transfers::over_by_terms(app, tx, t)? {
            Some(denied) => transfers::ending_of(&denied),
            None => ending(Code::PolicyDenied, format!("The agreement expired on {}.", h.at)),
        })),
        Kind::Stopped => {
            let reason = life.stopped().map(|stop| stop.reason.clone()).unwrap_or_default();
            let ending = Ending { code: Some(Code::Stopped.as_str().to_owned()), reasons: vec![reason] };
            t.state.is_open().then_some(transfer::Own::Suspend(ending))
        }
        // What the stop suspended, and nothing else; and not what may not run for another reason.
        Kind::Resumed => {
            let by_stop = matches!(&t.state, State::Suspended { by: Role::Provider, ending, .. } if ending.code.as_deref() == Some(Code::Stopped.as_str()));
            (by_stop && transfers::may_open(app, tx, t)?.is_ok()).then_some(transfer::Own::Start)
        }
        Kind::Notice | Kind::Renewed => None,
    })
}
