//! Following a process: what negotiations and transfers have in common.
//!
//! [`follow`] is the heart of the node: it turns the effects of a pure step into rows (messages to send, decisions to
//! take later, events) inside the transaction that stores the new state. Decisions without delay are taken right there.

use super::{After, App, Done, cause::Cause};
use crate::jobs;
use fondaco_core::{
    Code, Error, Result,
    decision::{Action, Choice, Decision, Trigger},
    ids::JobId,
    participant::{Did, Slug},
    time::Timestamp,
};
use fondaco_store::{NewJob, Tx};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Most automatic steps that may follow one message: a machine has seven states, so more is a rule that loops.
const STEPS_MAX: usize = 16;

/// A process between two parties that this node takes part in.
pub trait Process: Clone {
    /// A step of our own.
    type Own;
    /// What follows from a step.
    type Effect;
    /// The kind of job that takes a delayed decision.
    const DECIDE: &'static str;
    /// The kind of job that asks a webhook.
    const ASK: &'static str;

    /// Reads one.
    ///
    /// # Errors
    /// When the database fails.
    fn get(tx: &mut Tx, slug: &Slug, id: &str) -> Result<Option<Self>>;
    /// Reads one to change it.
    ///
    /// # Errors
    /// When the database fails.
    fn lock(tx: &mut Tx, slug: &Slug, id: &str) -> Result<Option<Self>>;
    /// Whose it is here.
    fn participant(&self) -> &Slug;
    /// Our participant id in it.
    fn own_did(&self) -> &Did;
    /// What a program that decides for us is told, with its name.
    fn told(&self) -> (&'static str, Value);
    /// The step that puts these terms on the table.
    ///
    /// # Errors
    /// When the action takes no terms, or they cannot be enforced.
    fn with_terms(&self, action: Action, odrl: Value) -> Result<(Self::Own, String)>;
    /// Our pid.
    fn pid(&self) -> &str;
    /// Grows with each step.
    fn revision(&self) -> u64;
    /// Whether messages decided before are void now.
    fn is_void(&self) -> bool;
    /// The decision for a point just reached.
    fn decide(&mut self, trigger: Trigger) -> Decision;
    /// Whether its rules may wait for something.
    fn may_wait(&self) -> bool;
    /// What a decision means now.
    fn choose(&self, decision: &Decision) -> Choice;
    /// The point an effect leaves to the rules; any other effect is given back.
    ///
    /// # Errors
    /// The effect, when it is not a decision.
    fn decision(effect: Self::Effect) -> std::result::Result<Trigger, Self::Effect>;
    /// The step an action means now, with words for the timeline.
    ///
    /// # Errors
    /// When the action makes no sense here.
    fn own_step(&self, app: &App, tx: &mut Tx, action: Action, reason: Option<&str>) -> Result<(Self::Own, String)>;
    /// Takes a step.
    ///
    /// # Errors
    /// [`Code::IllegalTransition`].
    fn act(self, own: Self::Own, now: Timestamp) -> Result<(Self, Vec<Self::Effect>)>;
    /// Writes what this side just did into the timeline, and why.
    ///
    /// # Errors
    /// When the database fails.
    fn note(&self, tx: &mut Tx, text: &str, cause: Option<&Cause>) -> Result<()>;
    /// Does what an effect asks for that is not a decision.
    ///
    /// # Errors
    /// When the database fails.
    fn perform(&self, app: &App, tx: &mut Tx, effect: Self::Effect) -> Result<Option<After>>;
    /// Stores it: new when `before` is `None`, else over the revision `before`.
    ///
    /// # Errors
    /// When the database fails or the process changed meanwhile.
    fn store(&self, tx: &mut Tx, before: Option<u64>) -> Result<()>;
}

/// Takes the step an action means, for a person, and follows its effects.
///
/// # Errors
/// [`Code::IllegalTransition`] when it is not possible now.
pub fn act<P: Process>(app: &App, tx: &mut Tx, process: P, action: Action, reason: Option<&str>) -> Result<Done<P>> {
    let (own, words) = process.own_step(app, tx, action, reason)?;
    act_own(app, tx, process, own, &words)
}

/// Takes one step, for a person, and follows its effects.
///
/// # Errors
/// [`Code::IllegalTransition`] when it is not possible now.
pub fn act_own<P: Process>(app: &App, tx: &mut Tx, process: P, own: P::Own, words: &str) -> Result<Done<P>> {
    step(app, tx, process, own, words, &app.cause())
}

/// Takes one step for a reason, and follows its effects.
///
/// # Errors
/// [`Code::IllegalTransition`] when it is not possible now.
pub fn act_because<P: Process>(app: &App, tx: &mut Tx, process: P, own: P::Own, words: &str, cause: &Cause) -> Result<Done<P>> {
    step(app, tx, process, own, words, cause)
}

fn step<P: Process>(app: &App, tx: &mut Tx, process: P, own: P::Own, words: &str, cause: &Cause) -> Result<Done<P>> {
    let before = process.revision();
    let (after, effects) = process.act(own, app.now())?;
    after.note(tx, words, Some(cause))?;
    follow(app, tx, after, effects, Some(before))
}

/// A delayed decision has come due.
///
/// # Errors
/// When the database fails.
pub async fn due<P: Process + Send + 'static>(app: &App, slug: &Slug, due: jobs::Decide<String>, job: JobId) -> Result<()> {
    let (of, slug) = (app.clone(), slug.clone());
    let after = app
        .store
        .tx("process.due", move |tx| -> Result<_> {
            tx.job_finish(&job)?;
            // When it moved on meanwhile, the decision was about a state that is gone.
            let Some(process) = P::lock(tx, &slug, &due.id)?.filter(|p| p.revision() == due.revision) else { return Ok(Vec::new()) };
            match tx.savepoint(|tx| take(&of, tx, process.clone(), &due.decision(), due.at)) {
                Ok(done) => Ok(done.after),
                Err(e) if matches!(e.code(), Code::Internal | Code::Unavailable) => Err(e),
                Err(e) => cannot_follow(tx, &process, &e).map(|()| Vec::new()),
            }
        })
        .await?;
    app.after_commit(after);
    Ok(())
}

/// A rule that asks for the impossible: a person decides.
fn cannot_follow(tx: &mut Tx, process: &impl Process, e: &Error) -> Result<()> {
    process.note(tx, &format!("A rule could not be followed; a person must decide. {e}"), None)
}

/// Does what a decision means now.
fn take<P: Process>(app: &App, tx: &mut Tx, process: P, decision: &Decision, at: Option<Trigger>) -> Result<Done<P>> {
    let choice = process.choose(decision);
    match choice.action {
        Action::Hold => Ok(Done::just(process)),
        Action::Webhook => {
            wait_for(tx, &process, P::ASK, decision, at, app.now())?;
            Ok(Done::just(process))
        }
        _ => {
            let (own, words) = chosen(app, tx, &process, choice)?;
            step(app, tx, process, own, &words, &Cause::Rule { at, action: decision.action })
        }
    }
}

/// The step that a choice means.
fn chosen<P: Process>(app: &App, tx: &mut Tx, process: &P, choice: Choice) -> Result<(P::Own, String)> {
    match choice.terms {
        Some(odrl) => process.with_terms(choice.action, odrl),
        None => process.own_step(app, tx, choice.action, choice.reason.as_deref()),
    }
}

/// What came of asking a program what to do.
#[derive(Debug)]
pub struct Settled {
    /// What to do.
    pub action: Action,
    /// Why, for the peer.
    pub reason: Option<String>,
    /// The terms to offer or to ask for.
    pub terms: Option<Value>,
    /// What to do when that is not possible.
    pub otherwise: Action,
    /// Why nobody decided, for our own people.
    pub why: Option<String>,
}

/// Does what a program decided about a process, if it still is where it was asked about.
///
/// # Errors
/// When the database fails.
pub async fn settle<P: Process + Send + 'static>(
    app: &App,
    slug: &Slug,
    id: String,
    revision: u64,
    settled: Settled,
    job: JobId,
) -> Result<()> {
    let (of, slug) = (app.clone(), slug.clone());
    let done = app
        .store
        .tx("process.settle", move |tx| -> Result<_> {
            tx.job_finish(&job)?;
            let Some(process) = P::lock(tx, &slug, &id)?.filter(|p| p.revision() == revision) else { return Ok(Vec::new()) };
            if let Some(why) = &settled.why {
                process.note(tx, why, None)?;
            }
            if settled.action == Action::Hold {
                return Ok(Vec::new());
            }
            let reason = settled.reason.as_deref();
            let step = match settled.terms.clone() {
                Some(odrl) => process.with_terms(settled.action, odrl),
                None => process.own_step(&of, tx, settled.action, reason),
            };
            let step = step.and_then(|(own, words)| process.clone().act(own, of.now()).map(|(after, effects)| (after, effects, words)));
            let (after, effects, words) = match step {
                Ok(step) => step,
                Err(e) if matches!(e.code(), Code::Internal | Code::Unavailable) => return Err(e),
                Err(e) => {
                    process.note(tx, &format!("The decision cannot be followed. {e}"), None)?;
                    if settled.otherwise == Action::Hold {
                        return Ok(Vec::new());
                    }
                    let (own, words) = process.own_step(&of, tx, settled.otherwise, None)?;
                    let (after, effects) = process.act(own, of.now())?;
                    (after, effects, words)
                }
            };
            let cause = if settled.why.is_none() { Cause::Webhook } else { Cause::Rule { at: None, action: settled.otherwise } };
            after.note(tx, &words, Some(&cause))?;
            Ok(follow(&of, tx, after, effects, Some(revision))?.after)
        })
        .await?;
    app.after_commit(done);
    Ok(())
}

/// Turns the effects of a step into rows, takes the decisions that are due now, and stores where that leads.
///
/// `before` is the revision in the database; `None` for a process that is not stored yet.
///
/// # Errors
/// When the database fails, the process changed meanwhile, or its rules loop.
pub fn follow<P: Process>(app: &App, tx: &mut Tx, mut process: P, effects: Vec<P::Effect>, before: Option<u64>) -> Result<Done<P>> {
    let now = app.now();
    let mut queue = VecDeque::from(effects);
    let mut after_commit = Vec::new();
    let mut steps = 0;
    drop_void_messages(tx, &process)?;
    if before.is_some() {
        cancel_waiting(tx, &process)?;
    }
    while let Some(effect) = queue.pop_front() {
        let trigger = match P::decision(effect) {
            Ok(trigger) => trigger,
            Err(effect) => {
                after_commit.extend(process.perform(app, tx, effect)?);
                continue;
            }
        };
        let decision = process.decide(trigger);
        if decision.delay().0 > 0 {
            // What it means is seen when it is due; but nobody need be woken to do nothing.
            if decision.action != Action::Hold {
                wait_for(tx, &process, P::DECIDE, &decision, Some(trigger), now.plus(decision.delay()))?;
            }
            continue;
        }
        let choice = process.choose(&decision);
        match choice.action {
            Action::Hold => continue,
            Action::Webhook => {
                wait_for(tx, &process, P::ASK, &decision, Some(trigger), now)?;
                continue;
            }
            _ => {}
        }
        steps += 1;
        if steps > STEPS_MAX {
            return Err(Error::new(Code::IllegalTransition, "The decision rules of this process loop."));
        }
        let step = chosen(app, tx, &process, choice).and_then(|(own, words)| {
            let (after, more) = process.clone().act(own, now)?;
            Ok((after, more, words))
        });
        match step {
            Ok((after, more, words)) => {
                after.note(tx, &words, Some(&Cause::Rule { at: Some(trigger), action: decision.action }))?;
                cancel_waiting(tx, &process)?;
                process = after;
                drop_void_messages(tx, &process)?;
                queue.extend(more);
            }
            Err(e) if matches!(e.code(), Code::Internal | Code::Unavailable) => return Err(e),
            // It must not undo the peer's message.
            Err(e) => cannot_follow(tx, &process, &e)?,
        }
    }
    process.store(tx, before)?;
    Ok(Done { value: process, after: after_commit })
}

fn wait_for<P: Process>(tx: &mut Tx, process: &P, kind: &str, decision: &Decision, at: Option<Trigger>, run_at: Timestamp) -> Result<()> {
    tx.job_enqueue(&NewJob {
        participant: process.participant().clone(),
        kind: kind.into(),
        // A line of its own: waiting for a decision must not hold up messages.
        key: jobs::waiting_line(process.pid()),
        payload: json!({"id": process.pid(), "action": decision.action, "decision": decision, "at": at, "revision": process.revision()}),
        run_at,
    })?;
    Ok(())
}

/// A step was taken: whatever was to be decided about the state before is void. (It would be found void when it is due;
/// but that may be tomorrow.)
fn cancel_waiting(tx: &mut Tx, process: &impl Process) -> Result<()> {
    if process.may_wait() {
        tx.jobs_drop(process.participant(), &jobs::waiting_line(process.pid()))?;
    }
    Ok(())
}

fn drop_void_messages(tx: &mut Tx, process: &impl Process) -> Result<()> {
    if process.is_void() {
        tx.jobs_drop(process.participant(), &jobs::line(process.pid()))?;
    }
    Ok(())
}
