//! The transfer process, both roles
//! ([DSP 2025-1, transfer process protocol](https://eclipse-dataspace-protocol-base.github.io/DataspaceProtocol/2025-1-err1/#transfer-process-protocol)).
//!
//! The same shape as [`crate::negotiation`]: pure steps that return the new value and its effects.

use crate::{
    decision::{Action, Decision, Rules, Trigger},
    error::{Code, Error, Result},
    ids::TransferId,
    negotiation::{Ending, Peer, Role},
    participant::{Did, Slug},
    product::{FORMAT_DELTA_SHARING, FORMAT_HTTP_PULL},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The state, carrying what is true in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// The consumer asked for access.
    Requested,
    /// Access is open.
    Started {
        /// Since when.
        since: Timestamp,
        /// Consumer: how often we resumed it and the provider has not answered yet, with a start of its own that brings its
        /// address.
        #[serde(default, skip_serializing_if = "is_none_due")]
        answers_due: u32,
    },
    /// Access is closed for now.
    Suspended {
        /// Who suspended it; only that party may resume it. Where both did: the provider.
        by: Role,
        /// Why.
        ending: Ending,
        /// The consumer suspended it as well as the provider, and why: access stays closed when the provider resumes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        consumer: Option<Ending>,
        /// Consumer: as in [`State::Started`], when it was suspended before the answers came.
        #[serde(default, skip_serializing_if = "is_none_due")]
        answers_due: u32,
    },
    /// Done.
    Completed {
        /// Who said so.
        by: Role,
    },
    /// Ended before it was done.
    Terminated {
        /// Who ended it.
        by: Role,
        /// Why.
        ending: Ending,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_none_due(answers: &u32) -> bool {
    *answers == 0
}

/// Whose suspensions keep access closed.
#[derive(Clone, Debug, Default)]
struct Suspensions {
    provider: Option<Ending>,
    consumer: Option<Ending>,
}

impl Suspensions {
    const fn of(&mut self, role: Role) -> &mut Option<Ending> {
        match role {
            Role::Provider => &mut self.provider,
            Role::Consumer => &mut self.consumer,
        }
    }
    /// The state with these suspensions; none when access is open.
    fn state(self, answers_due: u32) -> Option<State> {
        let Self { provider, consumer } = self;
        match (provider, consumer) {
            (Some(ending), consumer) => Some(State::Suspended { by: Role::Provider, ending, consumer, answers_due }),
            (None, Some(ending)) => Some(State::Suspended { by: Role::Consumer, ending, consumer: None, answers_due }),
            (None, None) => None,
        }
    }
}

impl State {
    /// Suspended by one side.
    pub const fn suspended(by: Role, ending: Ending) -> Self {
        Self::Suspended { by, ending, consumer: None, answers_due: 0 }
    }
    fn suspensions(&self) -> Suspensions {
        let mut all = Suspensions::default();
        if let Self::Suspended { by, ending, consumer, .. } = self {
            all.consumer.clone_from(consumer);
            *all.of(*by) = Some(ending.clone());
        }
        all
    }
    /// Why this side suspended it, if it did.
    pub fn suspended_by(&self, role: Role) -> Option<Ending> {
        self.suspensions().of(role).take()
    }
    const fn answers_due(&self) -> u32 {
        match self {
            Self::Started { answers_due, .. } | Self::Suspended { answers_due, .. } => *answers_due,
            _ => 0,
        }
    }
    /// Its DSP name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Started { .. } => "STARTED",
            Self::Suspended { .. } => "SUSPENDED",
            Self::Completed { .. } => "COMPLETED",
            Self::Terminated { .. } => "TERMINATED",
        }
    }
    /// Whether nothing more can happen.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Terminated { .. })
    }
    /// Whether data may flow.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Started { .. })
    }
}

/// A transfer process as one side knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Our pid.
    pub id: TransferId,
    /// Whose it is here.
    pub participant: Slug,
    /// Our participant id in it.
    pub own_did: Did,
    /// Our side.
    pub role: Role,
    /// The other party.
    pub peer: Peer,
    /// The agreement it rests on.
    pub agreement_id: String,
    /// The dataset.
    pub dataset: String,
    /// The distribution format asked for.
    pub format: String,
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
    /// Consumer: the `dataAddress` of the last start message, sealed by the node before it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_address: Option<Value>,
    /// The rules that decide for us.
    #[serde(default)]
    pub rules: Rules,
    /// How often each point was reached.
    #[serde(default)]
    pub reached: BTreeMap<Trigger, u32>,
    /// Grows by one with each step.
    pub revision: u64,
    /// When it began here.
    pub created_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
}

/// What a peer's message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// `TransferStartMessage`; from a provider it may carry a data address (already sealed).
    Start {
        /// The sealed address, if there was one.
        sealed_address: Option<Value>,
    },
    /// `TransferSuspensionMessage`.
    Suspension(Ending),
    /// `TransferCompletionMessage`.
    Completion,
    /// `TransferTerminationMessage`.
    Termination(Ending),
}

/// A step of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// Provider: start. Either: take our suspension back.
    Start,
    /// Suspend.
    Suspend(Ending),
    /// Complete.
    Complete,
    /// End.
    Terminate(Ending),
}

/// The message an effect sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// `TransferRequestMessage`.
    Request,
    /// `TransferStartMessage`.
    Start,
    /// `TransferSuspensionMessage`.
    Suspension,
    /// `TransferCompletionMessage`.
    Completion,
    /// `TransferTerminationMessage`.
    Termination,
}

/// What follows from a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the peer.
    Send(Message),
    /// A point was reached where the rules may decide.
    Decide(Trigger),
    /// Data may flow, or must stop, from this instant.
    Access {
        /// Whether it may flow.
        open: bool,
    },
}

impl Transfer {
    fn illegal(&self, what: &str) -> Error {
        Error::new(Code::IllegalTransition, format!("{what} is not possible while the transfer is {}.", self.state.name()))
    }

    /// Opens access, or takes the suspension of `by` back: where the other side suspended it too, access stays closed.
    ///
    /// Deviation: DSP 2025-1 lets either side resume. Here a suspension belongs to the side that made it: otherwise a consumer
    /// could undo the provider's, and the provider's node enforces the terms; and where suspensions and resumptions cross, both
    /// sides come to the same state in whatever order each hears of them.
    fn start(&self, by: Role, now: Timestamp) -> Result<(State, Option<Trigger>)> {
        let mut left = self.state.suspensions();
        let is_resumption = left.of(by).take().is_some();
        let resumed_here = is_resumption && by == Role::Consumer && self.role == Role::Consumer;
        match &self.state {
            State::Requested if by == Role::Provider => Ok((State::Started { since: now, answers_due: 0 }, Some(Trigger::Started))),
            State::Suspended { answers_due, .. } if is_resumption => {
                let answers_due = answers_due.saturating_add(resumed_here.into());
                Ok(match left.state(answers_due) {
                    Some(state) => (state, Some(Trigger::Suspended)),
                    None => (State::Started { since: now, answers_due }, Some(Trigger::Started)),
                })
            }
            // The provider's answer to a consumer that resumed, perhaps while the consumer suspended it again.
            State::Started { since, answers_due: due @ 1.. } if by == Role::Provider => {
                Ok((State::Started { since: *since, answers_due: due - 1 }, None))
            }
            State::Suspended { by: suspender, ending, consumer, answers_due: due @ 1.. } if by == Role::Provider => {
                let (by, ending, consumer) = (*suspender, ending.clone(), consumer.clone());
                Ok((State::Suspended { by, ending, consumer, answers_due: due - 1 }, None))
            }
            State::Suspended { by: suspender, .. } => Err(Error::new(
                Code::IllegalTransition,
                format!("The transfer was suspended by the {}, who alone can resume it.", suspender.as_str()),
            )),
            _ => Err(self.illegal("Starting")),
        }
    }

    fn step(&mut self, by: Role, own: Own, now: Timestamp) -> Result<Vec<Effect>> {
        let was_open = self.state.is_open();
        let (state, trigger) = match (own, &self.state) {
            (Own::Start, _) => self.start(by, now)?,
            // Deviation: either side may suspend what the other has suspended, since two suspensions may cross.
            (Own::Suspend(ending), State::Started { .. } | State::Suspended { .. }) if self.state.suspended_by(by).is_none() => {
                let mut all = self.state.suspensions();
                *all.of(by) = Some(ending);
                (all.state(self.state.answers_due()).ok_or_else(|| self.illegal("Suspending"))?, Some(Trigger::Suspended))
            }
            (Own::Complete, State::Started { .. }) => (State::Completed { by }, None),
            (Own::Terminate(ending), state) if !state.is_final() => (State::Terminated { by, ending }, None),
            (Own::Suspend(_), _) => return Err(self.illegal("Suspending")),
            (Own::Complete, _) => return Err(self.illegal("Completing")),
            (Own::Terminate(_), _) => return Err(self.illegal("Terminating")),
        };
        let was_suspended = self.state.suspended_by(by).is_some();
        self.state = state;
        self.revision += 1;
        self.updated_at = now;
        let mut effects = Vec::new();
        if was_suspended && self.state.is_open() && by == Role::Consumer && self.role == Role::Provider {
            // A consumer needs an address again, and some wait for it (Eclipse EDC): the provider answers with its own start.
            effects.push(Effect::Send(Message::Start));
        }
        if was_open != self.state.is_open() {
            effects.push(Effect::Access { open: self.state.is_open() });
        }
        effects.extend(trigger.map(Effect::Decide));
        Ok(effects)
    }

    /// Applies a message of the peer.
    ///
    /// # Errors
    /// [`Code::IllegalTransition`] where the table has no such step.
    pub fn receive(mut self, message: Received, now: Timestamp) -> Result<(Self, Vec<Effect>)> {
        let sender = self.role.other();
        let mut address = None;
        let own = match message {
            Received::Start { sealed_address } => {
                address = sealed_address.filter(|_| sender == Role::Provider);
                Own::Start
            }
            Received::Suspension(ending) => Own::Suspend(ending),
            Received::Completion => Own::Complete,
            Received::Termination(ending) => Own::Terminate(ending),
        };
        let effects = self.step(sender, own, now)?;
        if address.is_some() {
            self.sealed_address = address;
        }
        Ok((self, effects))
    }

    /// Takes a step of our own and tells the peer.
    ///
    /// # Errors
    /// [`Code::IllegalTransition`] where our role has no such step in this state.
    pub fn act(mut self, own: Own, now: Timestamp) -> Result<(Self, Vec<Effect>)> {
        let message = match own {
            Own::Start => Message::Start,
            Own::Suspend(_) => Message::Suspension,
            Own::Complete => Message::Completion,
            Own::Terminate(_) => Message::Termination,
        };
        let role = self.role;
        let mut effects = self.step(role, own, now)?;
        effects.insert(0, Effect::Send(message));
        Ok((self, effects))
    }

    /// Ends it because the peer cannot be told: nothing is sent.
    #[must_use]
    pub fn fail(mut self, ending: Ending, now: Timestamp) -> (Self, Vec<Effect>) {
        let role = self.role;
        let effects = self.step(role, Own::Terminate(ending), now).unwrap_or_default();
        (self, effects)
    }

    /// The peer completed it while a message of ours was on its way: whatever we did meanwhile, it is over.
    #[must_use]
    pub fn completed_there(mut self, now: Timestamp) -> (Self, Vec<Effect>) {
        if self.state.is_final() {
            return (self, Vec::new());
        }
        let was_open = self.state.is_open();
        self.state = State::Completed { by: self.role.other() };
        self.revision += 1;
        self.updated_at = now;
        (self, if was_open { vec![Effect::Access { open: false }] } else { Vec::new() })
    }

    /// The decision for a point just reached, by the rules or the default, counting the visit.
    pub fn decide(&mut self, trigger: Trigger) -> Decision {
        let occurrence = self.reached.entry(trigger).or_default();
        let n = *occurrence;
        *occurrence = occurrence.saturating_add(1);
        self.rules.at(trigger, n).cloned().unwrap_or_else(|| {
            Decision::now(match (self.role, trigger) {
                (Role::Provider, Trigger::TransferRequested) => Action::Start,
                _ => Action::Hold,
            })
        })
    }

    /// Whether the format is the one we can pull.
    pub fn is_delta_sharing(&self) -> bool {
        self.format == FORMAT_DELTA_SHARING
    }
    /// Whether files are read from it by HTTP.
    pub fn is_http_pull(&self) -> bool {
        self.format == FORMAT_HTTP_PULL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn transfer(role: Role, state: State) -> Transfer {
        Transfer {
            id: TransferId::from_stored("trf_1"),
            participant: Slug::parse("a").expect("slug"),
            own_did: Did::parse("did:web:own").expect("did"),
            role,
            peer: Peer { did: Did::parse("did:web:peer").expect("did"), pid: Some("x".into()), address: "http://peer".into() },
            agreement_id: "agr".into(),
            dataset: "ds".into(),
            format: FORMAT_DELTA_SHARING.into(),
            state,
            sealed_address: None,
            rules: Rules::default(),
            reached: BTreeMap::new(),
            revision: 0,
            created_at: NOW,
            updated_at: NOW,
        }
    }

    fn by(role: Role) -> State {
        State::suspended(role, Ending::default())
    }

    fn by_both() -> State {
        State::Suspended { by: Role::Provider, ending: Ending::default(), consumer: Some(Ending::default()), answers_due: 0 }
    }

    fn states() -> Vec<State> {
        vec![
            State::Requested,
            State::Started { since: NOW, answers_due: 0 },
            by(Role::Consumer),
            by(Role::Provider),
            by_both(),
            State::Completed { by: Role::Consumer },
            State::Terminated { by: Role::Provider, ending: Ending::default() },
        ]
    }

    /// DSP 2025-1's table with our deviations, written out a second time.
    fn spec(sender: Role, message: &str, from: &State) -> Option<State> {
        let to = |state| Some(state);
        match (message, from) {
            ("start", State::Requested) if sender == Role::Provider => to(State::Started { since: NOW, answers_due: 0 }),
            ("start", state) if *state == by(sender) => to(State::Started { since: NOW, answers_due: 0 }),
            ("start", state) if *state == by_both() => to(by(sender.other())),
            ("suspend", State::Started { .. }) => to(by(sender)),
            ("suspend", state) if *state == by(sender.other()) => to(by_both()),
            ("complete", State::Started { .. }) => to(State::Completed { by: sender }),
            ("terminate", State::Requested | State::Started { .. } | State::Suspended { .. }) => {
                to(State::Terminated { by: sender, ending: Ending::default() })
            }
            _ => None,
        }
    }

    /// What both sides must have alike: not what the consumer alone waits for.
    fn without_debts(mut state: State) -> State {
        if let State::Started { answers_due, .. } | State::Suspended { answers_due, .. } = &mut state {
            *answers_due = 0;
        }
        state
    }

    #[test]
    fn every_message_and_step_in_every_state_follows_the_table() {
        let e = Ending::default;
        for role in [Role::Consumer, Role::Provider] {
            for state in states() {
                let cases = [
                    ("start", Received::Start { sealed_address: None }, Own::Start),
                    ("suspend", Received::Suspension(e()), Own::Suspend(e())),
                    ("complete", Received::Completion, Own::Complete),
                    ("terminate", Received::Termination(e()), Own::Terminate(e())),
                ];
                for (name, received, own) in cases {
                    let before = transfer(role, state.clone());
                    let got = before.clone().receive(received, NOW).map(|(t, _)| t.state);
                    assert_eq!(got.as_ref().ok(), spec(role.other(), name, &state).as_ref(), "{role:?} receives {name} in {state:?}");
                    let did = before.act(own, NOW).map(|(t, _)| without_debts(t.state));
                    assert_eq!(did.as_ref().ok(), spec(role, name, &state).as_ref(), "{role:?} does {name} in {state:?}");
                    for refused in [got.err(), did.err()].into_iter().flatten() {
                        assert_eq!(refused.code(), Code::IllegalTransition);
                    }
                }
            }
        }
    }

    #[test]
    fn access_opens_and_closes_with_the_state() {
        let (t, effects) = transfer(Role::Provider, State::Requested).act(Own::Start, NOW).expect("start");
        assert!(effects.contains(&Effect::Access { open: true }));
        let (t, effects) = t.receive(Received::Suspension(Ending::default()), NOW).expect("suspended");
        assert!(effects.contains(&Effect::Access { open: false }));
        let (_, effects) = t.receive(Received::Termination(Ending::default()), NOW).expect("terminated");
        assert!(!effects.iter().any(|e| matches!(e, Effect::Access { .. })), "it was closed already");
    }

    #[test]
    fn of_two_suspensions_that_cross_each_stays_its_sides() {
        let suspend = || Own::Suspend(Ending::default());
        let (consumer, _) = transfer(Role::Consumer, State::Started { since: NOW, answers_due: 0 }).act(suspend(), NOW).expect("ours");
        let (provider, _) = transfer(Role::Provider, State::Started { since: NOW, answers_due: 0 }).act(suspend(), NOW).expect("theirs");
        let (provider, effects) = provider.receive(Received::Suspension(Ending::default()), NOW).expect("it is the consumer's");
        assert_eq!(effects, [Effect::Decide(Trigger::Suspended)], "a rule may resume ours: the point is reached anew");
        let (consumer, _) = consumer.receive(Received::Suspension(Ending::default()), NOW).expect("it is the provider's");
        assert_eq!((&consumer.state, &provider.state), (&by_both(), &by_both()));
        let (provider, effects) = provider.act(Own::Start, NOW).expect("resumed");
        assert_eq!(effects, [Effect::Send(Message::Start), Effect::Decide(Trigger::Suspended)], "access stays closed");
        let (consumer, _) = consumer.receive(Received::Start { sealed_address: Some(json!("new")) }, NOW).expect("told");
        assert_eq!((&consumer.state, &provider.state), (&by(Role::Consumer), &by(Role::Consumer)));
        assert_eq!(consumer.sealed_address, Some(json!("new")));
        assert!(provider.act(Own::Start, NOW).is_err() && consumer.act(Own::Start, NOW).is_ok(), "each takes back its own");
    }

    /// Two sides and what is on its way between them, in order; how many steps of their own each may still take.
    #[derive(Clone)]
    struct Two {
        sides: [Transfer; 2],
        under_way: [Vec<Message>; 2],
        left: [u32; 2],
    }

    impl Two {
        fn sent(&mut self, side: usize, (after, effects): (Transfer, Vec<Effect>)) {
            self.sides[side] = after;
            self.under_way[side].extend(effects.into_iter().filter_map(|effect| match effect {
                Effect::Send(message) => Some(message),
                _ => None,
            }));
        }

        /// Follows every order in which the sides can act and hear of each other, and each moment once.
        fn follow(self, seen: &mut BTreeSet<String>) {
            let states = self.sides.each_ref().map(|t| &t.state);
            if !seen.insert(format!("{states:?} {:?} {:?}", self.under_way, self.left)) {
                return;
            }
            if self.under_way.iter().all(Vec::is_empty) {
                let [consumer, provider] = self.sides.clone().map(|t| without_debts(t.state));
                assert_eq!(consumer, provider);
            }
            for side in [0, 1] {
                for own in [Own::Start, Own::Suspend(Ending::default())] {
                    if let (1.., Ok(step)) = (self.left[side], self.sides[side].clone().act(own, NOW)) {
                        let mut next = self.clone();
                        next.left[side] -= 1;
                        next.sent(side, step);
                        next.follow(seen);
                    }
                }
                let mut next = self.clone();
                if !next.under_way[side].is_empty() {
                    let received = match next.under_way[side].remove(0) {
                        Message::Start => Received::Start { sealed_address: None },
                        _ => Received::Suspension(Ending::default()),
                    };
                    match next.sides[1 - side].clone().receive(received, NOW) {
                        Ok(step) => next.sent(1 - side, step),
                        Err(e) => panic!("{e} {:?}", next.sides),
                    }
                    next.follow(seen);
                }
            }
        }
    }

    #[test]
    fn whatever_crosses_both_sides_come_to_the_same() {
        let started = |role| transfer(role, State::Started { since: NOW, answers_due: 0 });
        let two = Two { sides: [started(Role::Consumer), started(Role::Provider)], under_way: [Vec::new(), Vec::new()], left: [6, 6] };
        let mut seen = BTreeSet::new();
        two.follow(&mut seen);
        assert!(seen.len() > 1_000, "they do cross: {}", seen.len());
    }

    #[test]
    fn what_the_peer_completed_is_over_whatever_we_did_meanwhile() {
        for state in states() {
            for role in [Role::Consumer, Role::Provider] {
                let before = transfer(role, state.clone());
                let (after, effects) = before.clone().completed_there(NOW);
                if state.is_final() {
                    assert_eq!((after, effects), (before, Vec::new()), "a final state never changes");
                    continue;
                }
                assert_eq!(after.state, State::Completed { by: role.other() });
                assert_eq!(after.revision, before.revision + 1);
                let closed = if state.is_open() { vec![Effect::Access { open: false }] } else { Vec::new() };
                assert_eq!(effects, closed, "{} as {role:?}: it is not told what it said", state.name());
            }
        }
    }

    #[test]
    fn a_resumed_consumer_is_told_where_to_read_once() {
        let suspended = || by(Role::Consumer);
        let (provider, effects) =
            transfer(Role::Provider, suspended()).receive(Received::Start { sealed_address: None }, NOW).expect("resumed");
        assert_eq!(effects, [Effect::Send(Message::Start), Effect::Access { open: true }, Effect::Decide(Trigger::Started)]);
        assert_eq!(provider.state, State::Started { since: NOW, answers_due: 0 });
        let (consumer, effects) = transfer(Role::Consumer, suspended()).act(Own::Start, NOW).expect("resumed");
        assert_eq!(effects, [Effect::Send(Message::Start), Effect::Access { open: true }, Effect::Decide(Trigger::Started)]);
        let stored = serde_json::from_value::<Transfer>(serde_json::to_value(&consumer).expect("json")).expect("read");
        let start = || Received::Start { sealed_address: Some(json!("new")) };
        let (consumer, effects) = stored.receive(start(), NOW).expect("answered");
        assert_eq!((effects, &consumer.sealed_address), (Vec::new(), &Some(json!("new"))));
        assert!(consumer.clone().receive(start(), NOW).is_err(), "once");
        assert!(consumer.act(Own::Start, NOW).is_err(), "and our own step stays illegal");
        // A provider that resumes what it suspended has said where already.
        let theirs = by(Role::Provider);
        let (provider, effects) = transfer(Role::Provider, theirs).act(Own::Start, NOW).expect("resumed");
        assert_eq!(effects.iter().filter(|e| matches!(e, Effect::Send(_))).count(), 1);
        assert!(provider.act(Own::Start, NOW).is_err());
    }

    #[test]
    fn an_address_is_taken_only_with_a_legal_start() {
        let address = || Some(json!({"endpoint": "x"}));
        let t = transfer(Role::Consumer, State::Terminated { by: Role::Provider, ending: Ending::default() });
        assert!(t.receive(Received::Start { sealed_address: address() }, NOW).is_err());
        let (t, _) = transfer(Role::Consumer, State::Requested).receive(Received::Start { sealed_address: address() }, NOW).expect("start");
        assert_eq!(t.sealed_address, address());
        let (t, _) =
            transfer(Role::Provider, by(Role::Consumer)).receive(Received::Start { sealed_address: address() }, NOW).expect("resumed");
        assert_eq!(t.sealed_address, None, "a consumer does not give a provider an address");
    }

    #[test]
    fn the_stored_form_is_stable() {
        let t = transfer(Role::Consumer, State::suspended(Role::Provider, Ending::because("audit")));
        let json = serde_json::to_value(&t).expect("json");
        assert_eq!(json["state"], "SUSPENDED");
        assert!(json.get("consumer").is_none() && json.get("answers_due").is_none(), "as before there were two: {json}");
        assert_eq!(serde_json::from_value::<Transfer>(json).expect("read"), t);
        let t = transfer(Role::Consumer, by_both());
        assert_eq!(serde_json::from_value::<Transfer>(serde_json::to_value(&t).expect("json")).expect("read"), t);
    }
}
