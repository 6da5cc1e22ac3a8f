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
        /// Consumer: we resumed it, so the provider may still answer with a start of its own, which brings its address.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        answer_due: bool,
    },
    /// Access is closed for now.
    Suspended {
        /// Who suspended it; only that party may resume it.
        by: Role,
        /// Why.
        ending: Ending,
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

impl State {
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
    /// Provider: start. Either: resume what we suspended.
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

    /// Whether `by` may open (or reopen) access now.
    ///
    /// Deviation: DSP 2025-1 lets either side resume. Here only the side that suspended may: otherwise a consumer
    /// could undo the provider's suspension, and the provider's node enforces the terms.
    fn may_start(&self, by: Role) -> Result<()> {
        match (&self.state, by) {
            (State::Requested | State::Started { answer_due: true, .. }, Role::Provider) => Ok(()),
            (State::Suspended { by: suspender, .. }, _) if *suspender == by => Ok(()),
            (State::Suspended { by: suspender, .. }, _) => Err(Error::new(
                Code::IllegalTransition,
                format!("The transfer was suspended by the {}, who alone can resume it.", suspender.as_str()),
            )),
            _ => Err(self.illegal("Starting")),
        }
    }

    fn step(&mut self, by: Role, own: Own, now: Timestamp) -> Result<Vec<Effect>> {
        let was_open = self.state.is_open();
        let mut effects = Vec::new();
        let (state, trigger) = match (own, &self.state) {
            (Own::Start, State::Started { since, .. }) => {
                self.may_start(by)?;
                (State::Started { since: *since, answer_due: false }, None)
            }
            (Own::Start, _) => {
                self.may_start(by)?;
                let resumed_by_consumer = by == Role::Consumer;
                // A consumer needs an address again, and some wait for it (Eclipse EDC): the provider answers with its own start.
                effects.extend((resumed_by_consumer && self.role == Role::Provider).then_some(Effect::Send(Message::Start)));
                let answer_due = resumed_by_consumer && self.role == Role::Consumer;
                (State::Started { since: now, answer_due }, Some(Trigger::Started))
            }
            (Own::Suspend(ending), State::Started { .. }) => (State::Suspended { by, ending }, Some(Trigger::Suspended)),
            // Deviation: the provider's suspension stands over the consumer's. Where the two cross, both sides must know who
            // may resume, and the provider's node enforces the terms.
            (Own::Suspend(ending), State::Suspended { by: Role::Consumer, .. }) if by == Role::Provider => {
                (State::Suspended { by, ending }, None)
            }
            (Own::Complete, State::Started { .. }) => (State::Completed { by }, None),
            (Own::Terminate(ending), state) if !state.is_final() => (State::Terminated { by, ending }, None),
            (Own::Suspend(_), _) => return Err(self.illegal("Suspending")),
            (Own::Complete, _) => return Err(self.illegal("Completing")),
            (Own::Terminate(_), _) => return Err(self.illegal("Terminating")),
        };
        self.state = state;
        self.revision += 1;
        self.updated_at = now;
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
        let own = match message {
            Received::Start { sealed_address } => {
                if sealed_address.is_some() && sender == Role::Provider {
                    self.may_start(sender)?;
                    self.sealed_address = sealed_address;
                }
                Own::Start
            }
            Received::Suspension(ending) => Own::Suspend(ending),
            Received::Completion => Own::Complete,
            Received::Termination(ending) => Own::Terminate(ending),
        };
        let effects = self.step(sender, own, now)?;
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

    fn states() -> Vec<State> {
        vec![
            State::Requested,
            State::Started { since: NOW, answer_due: false },
            State::Suspended { by: Role::Consumer, ending: Ending::default() },
            State::Suspended { by: Role::Provider, ending: Ending::default() },
            State::Completed { by: Role::Consumer },
            State::Terminated { by: Role::Provider, ending: Ending::default() },
        ]
    }

    /// DSP 2025-1's table with our deviations, written out a second time.
    fn spec(sender: Role, message: &str, from: &State) -> Option<&'static str> {
        Some(match (message, from) {
            ("start", State::Requested) if sender == Role::Provider => "STARTED",
            ("start", State::Suspended { by, .. }) if *by == sender => "STARTED",
            ("suspend", State::Started { .. }) => "SUSPENDED",
            ("suspend", State::Suspended { by: Role::Consumer, .. }) if sender == Role::Provider => "SUSPENDED",
            ("complete", State::Started { .. }) => "COMPLETED",
            ("terminate", State::Requested | State::Started { .. } | State::Suspended { .. }) => "TERMINATED",
            _ => return None,
        })
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
                    let got = before.clone().receive(received, NOW).map(|(t, _)| t.state.name());
                    assert_eq!(
                        got.as_ref().ok().copied(),
                        spec(role.other(), name, &state),
                        "{role:?} receives {name} in {}",
                        state.name()
                    );
                    let did = before.act(own, NOW).map(|(t, _)| t.state.name());
                    assert_eq!(did.as_ref().ok().copied(), spec(role, name, &state), "{role:?} does {name} in {}", state.name());
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
    fn of_two_suspensions_that_cross_the_providers_stands_on_both_sides() {
        let suspend = || Own::Suspend(Ending::default());
        let (consumer, _) = transfer(Role::Consumer, State::Started { since: NOW, answer_due: false }).act(suspend(), NOW).expect("ours");
        let (provider, _) = transfer(Role::Provider, State::Started { since: NOW, answer_due: false }).act(suspend(), NOW).expect("theirs");
        assert!(provider.clone().receive(Received::Suspension(Ending::default()), NOW).is_err());
        let (consumer, effects) = consumer.receive(Received::Suspension(Ending::default()), NOW).expect("it stands over ours");
        assert_eq!((consumer.state.clone(), effects), (provider.state.clone(), Vec::new()));
        assert!(consumer.act(Own::Start, NOW).is_err() && provider.act(Own::Start, NOW).is_ok(), "the provider may resume");
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
        let suspended = || State::Suspended { by: Role::Consumer, ending: Ending::default() };
        let (provider, effects) =
            transfer(Role::Provider, suspended()).receive(Received::Start { sealed_address: None }, NOW).expect("resumed");
        assert_eq!(effects, [Effect::Send(Message::Start), Effect::Access { open: true }, Effect::Decide(Trigger::Started)]);
        assert_eq!(provider.state, State::Started { since: NOW, answer_due: false });
        let (consumer, effects) = transfer(Role::Consumer, suspended()).act(Own::Start, NOW).expect("resumed");
        assert_eq!(effects, [Effect::Send(Message::Start), Effect::Access { open: true }, Effect::Decide(Trigger::Started)]);
        let stored = serde_json::from_value::<Transfer>(serde_json::to_value(&consumer).expect("json")).expect("read");
        let start = || Received::Start { sealed_address: Some(json!("new")) };
        let (consumer, effects) = stored.receive(start(), NOW).expect("answered");
        assert_eq!((effects, &consumer.sealed_address), (Vec::new(), &Some(json!("new"))));
        assert!(consumer.clone().receive(start(), NOW).is_err(), "once");
        assert!(consumer.act(Own::Start, NOW).is_err(), "and our own step stays illegal");
        // A provider that resumes what it suspended has said where already.
        let theirs = State::Suspended { by: Role::Provider, ending: Ending::default() };
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
        let (t, _) = transfer(Role::Provider, State::Suspended { by: Role::Consumer, ending: Ending::default() })
            .receive(Received::Start { sealed_address: address() }, NOW)
            .expect("resumed");
        assert_eq!(t.sealed_address, None, "a consumer does not give a provider an address");
    }

    #[test]
    fn the_stored_form_is_stable() {
        let t = transfer(Role::Consumer, State::Suspended { by: Role::Provider, ending: Ending::because("audit") });
        let json = serde_json::to_value(&t).expect("json");
        assert_eq!(json["state"], "SUSPENDED");
        assert_eq!(serde_json::from_value::<Transfer>(json).expect("read"), t);
    }
}
