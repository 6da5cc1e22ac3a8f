//! Following a process: what negotiations and transfers have in common.
//!
//! [`follow`] is the heart of the node: it turns the effects of a pure step into rows (messages to send, decisions to
//! take later, events) inside the transaction that stores the new state. Decisions without delay are taken right there.

use super::{After, App, Done};
use crate::jobs;
use fondaco_core::{
    Code, Error, Result,
    decision::{Action, Decision, Trigger},
    participant::Slug,
    time::Timestamp,
};
use fondaco_store::{NewJob, Tx};
use serde_json::json;
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

    /// Whose it is here.
    fn participant(&self) -> &Slug;
    /// Our pid.
    fn pid(&self) -> &str;
    /// Grows with each step.
    fn revision(&self) -> u64;
    /// Whether messages decided before are void now.
    fn is_void(&self) -> bool;
    /// The decision for a point just reached.
    fn decide(&mut self, trigger: Trigger) -> Decision;
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
    /// Writes what this side just did into the timeline.
    ///
    /// # Errors
    /// When the database fails.
    fn note(&self, tx: &mut Tx, text: &str) -> Result<()>;
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

/// Takes the step an action means and follows its effects.
///
/// # Errors
/// [`Code::IllegalTransition`] when it is not possible now.
pub fn act<P: Process>(app: &App, tx: &mut Tx, process: P, action: Action, reason: Option<&str>) -> Result<Done<P>> {
    let (own, words) = process.own_step(app, tx, action, reason)?;
    act_own(app, tx, process, own, &words)
}

/// Takes one step and follows its effects.
///
/// # Errors
/// [`Code::IllegalTransition`] when it is not possible now.
pub fn act_own<P: Process>(app: &App, tx: &mut Tx, process: P, own: P::Own, words: &str) -> Result<Done<P>> {
    let before = process.revision();
    let (after, effects) = process.act(own, app.now())?;
    after.note(tx, words)?;
    follow(app, tx, after, effects, Some(before))
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
    while let Some(effect) = queue.pop_front() {
        let trigger = match P::decision(effect) {
            Ok(trigger) => trigger,
            Err(effect) => {
                after_commit.extend(process.perform(app, tx, effect)?);
                continue;
            }
        };
        let decision = process.decide(trigger);
        if decision.action == Action::Hold {
            continue;
        }
        if decision.delay().0 > 0 {
            decide_later(tx, &process, &decision, now)?;
            continue;
        }
        steps += 1;
        if steps > STEPS_MAX {
            return Err(Error::new(Code::IllegalTransition, "The decision rules of this process loop."));
        }
        let step = process.own_step(app, tx, decision.action, None).and_then(|(own, words)| {
            let (after, more) = process.clone().act(own, now)?;
            Ok((after, more, words))
        });
        match step {
            Ok((after, more, words)) => {
                after.note(tx, &words)?;
                process = after;
                drop_void_messages(tx, &process)?;
                queue.extend(more);
            }
            Err(e) if matches!(e.code(), Code::Internal | Code::Unavailable) => return Err(e),
            // A rule that asks for the impossible must not undo the peer's message: a person decides.
            Err(e) => process.note(tx, &format!("A rule could not be followed; a person must decide. {e}"))?,
        }
    }
    process.store(tx, before)?;
    Ok(Done { value: process, after: after_commit })
}

/// The key of the job that takes a delayed decision about a revision of a process.
pub fn decision_key(pid: &str, revision: u64) -> String {
    format!("{pid}:decide:{revision}")
}

fn decide_later<P: Process>(tx: &mut Tx, process: &P, decision: &Decision, now: Timestamp) -> Result<()> {
    tx.job_enqueue(&NewJob {
        participant: process.participant().clone(),
        kind: P::DECIDE.into(),
        // A line of its own: waiting for a decision must not hold up messages.
        key: decision_key(process.pid(), process.revision()),
        payload: json!({"id": process.pid(), "action": decision.action, "revision": process.revision()}),
        run_at: now.plus(decision.delay()),
    })?;
    Ok(())
}

fn drop_void_messages(tx: &mut Tx, process: &impl Process) -> Result<()> {
    if process.is_void() {
        tx.jobs_drop(process.participant(), &jobs::line(process.pid()))?;
    }
    Ok(())
}
