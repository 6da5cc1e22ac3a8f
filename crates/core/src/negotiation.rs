//! The contract negotiation, both roles
//! ([DSP 2025-1, contract negotiation protocol](https://eclipse-dataspace-protocol-base.github.io/DataspaceProtocol/2025-1-err1/#contract-negotiation-protocol)).
//!
//! [`Negotiation::receive`] applies a peer's message, [`Negotiation::act`] an action of our own. Both are pure: they
//! return the new value and the [`Effect`]s to store with it in one transaction. An illegal step is an error and
//! leaves the value as it was.

use crate::{
    agreement::Agreement,
    bargain::{self, Round},
    decision::{Action, Choice, Decision, Rules, Trigger},
    error::{Code, Error, Result},
    ids::NegotiationId,
    participant::{Declarations, Did, Slug},
    policy::Policy,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most requests and offers in one negotiation; whoever haggles longer starts anew.
pub const ROUNDS_MAX: u32 = 50;

/// Which side of a process this node is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// We ask.
    Consumer,
    /// We own.
    Provider,
}

impl Role {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Provider => "provider",
        }
    }
    /// The side the other party is on.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Consumer => Self::Provider,
            Self::Provider => Self::Consumer,
        }
    }
}

/// The other party of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Who it is.
    pub did: Did,
    /// Its pid for this process, once known.
    pub pid: Option<String>,
    /// Where its endpoints for this process are: DSP base (a provider) or callback address (a consumer), without a trailing slash.
    pub address: String,
}

/// Terms on the table: an ODRL offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The offer's `@id`.
    pub offer_id: String,
    /// Its ODRL rules.
    pub odrl: Value,
}

/// Why something ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// A code, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Reasons in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

impl Ending {
    /// An ending for one reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { code: None, reasons: vec![reason.into()] }
    }
}

/// The state, carrying what is true in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// The consumer asked, for these terms.
    Requested {
        /// What it asked for.
        terms: Terms,
    },
    /// The provider offered these terms.
    Offered {
        /// What it offered.
        terms: Terms,
        /// What the consumer asked for last.
        asked: Terms,
    },
    /// The consumer accepted the offer.
    Accepted {
        /// What it accepted.
        terms: Terms,
    },
    /// The provider made the agreement.
    Agreed {
        /// The agreement.
        agreement: Agreement,
        /// The terms it must match.
        terms: Terms,
    },
    /// The consumer verified the agreement.
    Verified {
        /// The agreement.
        agreement: Agreement,
    },
    /// The agreement is in force.
    Finalized {
        /// The agreement.
        agreement: Agreement,
    },
    /// It ended without an agreement in force.
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
            Self::Requested { .. } => "REQUESTED",
            Self::Offered { .. } => "OFFERED",
            Self::Accepted { .. } => "ACCEPTED",
            Self::Agreed { .. } => "AGREED",
            Self::Verified { .. } => "VERIFIED",
            Self::Finalized { .. } => "FINALIZED",
            Self::Terminated { .. } => "TERMINATED",
        }
    }
    /// Whether nothing more can happen.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Finalized { .. } | Self::Terminated { .. })
    }
    /// Whether a state's name is that of a state in which nothing more can happen.
    pub fn names_final(name: &str) -> bool {
        matches!(name, "FINALIZED" | "TERMINATED")
    }
    /// The agreement, in the states that have one.
    pub const fn agreement(&self) -> Option<&Agreement> {
        match self {
            Self::Agreed { agreement, .. } | Self::Verified { agreement } | Self::Finalized { agreement } => Some(agreement),
            Self::Requested { .. } | Self::Offered { .. } | Self::Accepted { .. } | Self::Terminated { .. } => None,
        }
    }
    /// The terms on the table, in the states that have them.
    pub const fn terms(&self) -> Option<&Terms> {
        match self {
            Self::Requested { terms } | Self::Offered { terms, .. } | Self::Accepted { terms } | Self::Agreed { terms, .. } => Some(terms),
            Self::Verified { .. } | Self::Finalized { .. } | Self::Terminated { .. } => None,
        }
    }
}

/// A contract negotiation as one side knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiation {
    /// Our pid.
    pub id: NegotiationId,
    /// Whose it is here.
    pub participant: Slug,
    /// Our participant id in it.
    pub own_did: Did,
    /// Our side.
    pub role: Role,
    /// The other party.
    pub peer: Peer,
    /// The dataset.
    pub dataset: String,
    /// The formats in which its provider's catalogue offers it (consumer): a transfer asks for one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<String>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
    /// The terms the provider published (provider), or those first asked for (consumer): what the rules compare with.
    pub reference_terms: Terms,
    /// What the consumer declared.
    #[serde(default)]
    pub declared: Declarations,
    /// The rules that decide for us.
    #[serde(default)]
    pub rules: Rules,
    /// How often each point was reached.
    #[serde(default)]
    pub reached: BTreeMap<Trigger, u32>,
    /// Requests and offers so far.
    pub rounds: u32,
    /// Grows by one with each step; a delayed decision made for an older revision is void.
    pub revision: u64,
    /// When it began here.
    pub created_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
}

/// What a peer's message says, after parsing and authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A further `ContractRequestMessage` (counter-offer).
    Request(Terms),
    /// `ContractOfferMessage`.
    Offer(Terms),
    /// `ContractNegotiationEventMessage` ACCEPTED.
    Accepted,
    /// `ContractAgreementMessage`.
    Agreement(Agreement),
    /// `ContractAgreementVerificationMessage`.
    Verification,
    /// `ContractNegotiationEventMessage` FINALIZED.
    Finalized,
    /// `ContractNegotiationTerminationMessage`.
    Termination(Ending),
}

/// A step of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// Provider: offer these terms.
    Offer(Terms),
    /// Provider: make this agreement.
    Agree(Agreement),
    /// Provider: put the agreement in force.
    Finalize,
    /// Consumer: ask again, for these terms.
    Counter(Terms),
    /// Consumer: accept the offer.
    Accept,
    /// Consumer: verify the agreement.
    Verify,
    /// Either: end it.
    Terminate(Ending),
}

/// The message an effect sends; its content is read from the stored state when it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// `ContractRequestMessage`.
    Request,
    /// `ContractOfferMessage`.
    Offer,
    /// `ContractNegotiationEventMessage` ACCEPTED.
    Accepted,
    /// `ContractAgreementMessage`.
    Agreement,
    /// `ContractAgreementVerificationMessage`.
    Verification,
    /// `ContractNegotiationEventMessage` FINALIZED.
    Finalized,
    /// `ContractNegotiationTerminationMessage`.
    Termination,
}

/// What follows from a step: stored with it, done afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the peer.
    Send(Message),
    /// A point was reached where the rules may decide.
    Decide(Trigger),
    /// The agreement is in force: record it.
    Conclude(Agreement),
}

impl Negotiation {
    fn illegal(&self, what: &str) -> Error {
        Error::new(Code::IllegalTransition, format!("{what} is not possible while the negotiation is {}.", self.state.name()))
    }

    fn reach(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.revision += 1;
        self.updated_at = now;
    }

    fn round(&mut self) -> Result<()> {
        if self.rounds >= ROUNDS_MAX {
            return Err(Error::new(Code::IllegalTransition, format!("This negotiation has had {ROUNDS_MAX} rounds; start a new one.")));
        }
        self.rounds += 1;
        Ok(())
    }

    /// Applies a message of the peer.
    ///
    /// # Errors
    /// [`Code::IllegalTransition`] where DSP's table has no such step for the peer's role; [`Code::AgreementMismatch`]
    /// for an agreement between other parties or about another dataset.
    pub fn receive(mut self, message: Received, now: Timestamp) -> Result<(Self, Vec<Effect>)> {
        let sender = self.role.other();
        let effects = match (sender, message, &self.state) {
            (Role::Consumer, Received::Request(terms), State::Offered { .. }) => {
                self.round()?;
                self.reach(State::Requested { terms }, now);
                vec![Effect::Decide(Trigger::CounterRequested)]
            }
            (Role::Provider, Received::Offer(terms), State::Requested { terms: asked }) => {
                let asked = asked.clone();
                self.round()?;
                self.reach(State::Offered { terms, asked }, now);
                vec![Effect::Decide(Trigger::Offered)]
            }
            (Role::Consumer, Received::Accepted, State::Offered { terms, .. }) => {
                let terms = terms.clone();
                self.reach(State::Accepted { terms }, now);
                vec![Effect::Decide(Trigger::Accepted)]
            }
            (Role::Provider, Received::Agreement(agreement), State::Requested { terms } | State::Accepted { terms }) => {
                let terms = terms.clone();
                self.check_parties(&agreement)?;
                self.reach(State::Agreed { agreement, terms }, now);
                vec![Effect::Decide(Trigger::Agreed)]
            }
            (Role::Consumer, Received::Verification, State::Agreed { agreement, .. }) => {
                let agreement = agreement.clone();
                self.reach(State::Verified { agreement }, now);
                vec![Effect::Decide(Trigger::Verified)]
            }
            (Role::Provider, Received::Finalized, State::Verified { agreement }) => {
                let agreement = agreement.clone();
                self.reach(State::Finalized { agreement: agreement.clone() }, now);
                vec![Effect::Conclude(agreement)]
            }
            (by, Received::Termination(ending), state) if !state.is_final() => {
                self.reach(State::Terminated { by, ending }, now);
                vec![]
            }
            (_, message, _) => return Err(self.illegal(message.name())),
        };
        Ok((self, effects))
    }

    /// Takes a step of our own.
    ///
    /// # Errors
    /// [`Code::IllegalTransition`] where our role has no such step in this state; [`Code::AgreementMismatch`] for
    /// verifying an agreement about other terms.
    pub fn act(mut self, own: Own, now: Timestamp) -> Result<(Self, Vec<Effect>)> {
        let effects = match (self.role, own, &self.state) {
            (Role::Provider, Own::Offer(terms), State::Requested { terms: asked }) => {
                let asked = asked.clone();
                self.round()?;
                self.reach(State::Offered { terms, asked }, now);
                vec![Effect::Send(Message::Offer), Effect::Decide(Trigger::Offered)]
            }
            (Role::Provider, Own::Agree(agreement), State::Requested { terms } | State::Accepted { terms }) => {
                let terms = terms.clone();
                self.reach(State::Agreed { agreement, terms }, now);
                vec![Effect::Send(Message::Agreement), Effect::Decide(Trigger::Agreed)]
            }
            (Role::Provider, Own::Finalize, State::Verified { agreement }) => {
                let agreement = agreement.clone();
                self.reach(State::Finalized { agreement: agreement.clone() }, now);
                vec![Effect::Conclude(agreement), Effect::Send(Message::Finalized)]
            }
            (Role::Consumer, Own::Counter(terms), State::Offered { .. }) => {
                self.round()?;
                self.reach(State::Requested { terms }, now);
                vec![Effect::Send(Message::Request), Effect::Decide(Trigger::CounterRequested)]
            }
            (Role::Consumer, Own::Accept, State::Offered { terms, .. }) => {
                let terms = terms.clone();
                self.reach(State::Accepted { terms }, now);
                vec![Effect::Send(Message::Accepted), Effect::Decide(Trigger::Accepted)]
            }
            (Role::Consumer, Own::Verify, State::Agreed { agreement, terms }) => {
                // Whoever asks for it, a rule or a person: an agreement about other terms is never stood by.
                if !Policy::same_terms(&agreement.document, &terms.odrl) {
                    return Err(Error::new(Code::AgreementMismatch, "The agreement's terms are not the ones negotiated."));
                }
                let agreement = agreement.clone();
                self.reach(State::Verified { agreement }, now);
                vec![Effect::Send(Message::Verification), Effect::Decide(Trigger::Verified)]
            }
            (by, Own::Terminate(ending), state) if !state.is_final() => {
                self.reach(State::Terminated { by, ending }, now);
                vec![Effect::Send(Message::Termination)]
            }
            (_, own, _) => return Err(self.illegal(own.name())),
        };
        Ok((self, effects))
    }

    /// Ends it because the peer cannot be told or does not accept what we say: nothing is sent.
    #[must_use]
    pub fn fail(mut self, ending: Ending, now: Timestamp) -> Self {
        if !self.state.is_final() {
            let by = self.role;
            self.reach(State::Terminated { by, ending }, now);
        }
        self
    }

    /// The decision for a point just reached, by the rules or the default, counting the visit.
    ///
    /// `Err` carries the reason when the default ends the negotiation.
    pub fn decide(&mut self, trigger: Trigger) -> Decision {
        let occurrence = self.reached.entry(trigger).or_default();
        let n = *occurrence;
        *occurrence = occurrence.saturating_add(1);
        self.rules.at(trigger, n).cloned().unwrap_or_else(|| Decision::now(self.default_action(trigger)))
    }

    fn default_action(&self, trigger: Trigger) -> Action {
        let same = |terms: &Terms| Policy::same_terms(&terms.odrl, &self.reference_terms.odrl);
        match (self.role, trigger, &self.state) {
            (Role::Provider, Trigger::Requested | Trigger::CounterRequested, State::Requested { terms }) => {
                if same(terms) {
                    Action::Agree
                } else if trigger == Trigger::Requested {
                    Action::Offer
                } else {
                    Action::Hold
                }
            }
            (Role::Provider, Trigger::Accepted, _) => Action::Agree,
            (Role::Provider, Trigger::Verified, _) => Action::Finalize,
            (Role::Consumer, Trigger::Offered, State::Offered { terms, .. }) if same(terms) => Action::Accept,
            (Role::Consumer, Trigger::Agreed, State::Agreed { agreement, terms }) => {
                if Policy::same_terms(&agreement.document, &terms.odrl) { Action::Verify } else { Action::Terminate }
            }
            _ => Action::Hold,
        }
    }

    /// The steps that our side may take now: what leads to an agreement first, ending it last.
    pub const fn steps(&self) -> &'static [Action] {
        match (self.role, &self.state) {
            (_, State::Finalized { .. } | State::Terminated { .. }) => &[],
            (Role::Provider, State::Requested { .. }) => &[Action::Agree, Action::Offer, Action::Terminate],
            (Role::Provider, State::Accepted { .. }) => &[Action::Agree, Action::Terminate],
            (Role::Provider, State::Verified { .. }) => &[Action::Finalize, Action::Terminate],
            (Role::Consumer, State::Offered { .. }) => &[Action::Accept, Action::Counter, Action::Terminate],
            (Role::Consumer, State::Agreed { .. }) => &[Action::Verify, Action::Terminate],
            _ => &[Action::Terminate],
        }
    }

    /// Whether the next step is ours: nothing more happens until we, by a rule or a person, take it.
    pub const fn is_our_turn(&self) -> bool {
        self.steps().len() > 1
    }

    /// What a decision means for the terms on the table. A rule never agrees to, accepts or verifies what its owner has not
    /// written down: a person may, by taking the step.
    pub fn choose(&self, decision: &Decision) -> Choice {
        let read = |odrl: &Value| Policy::from_odrl(odrl).ok();
        let same = |terms: &Terms| Policy::same_terms(&terms.odrl, &self.reference_terms.odrl);
        let written = || read(decision.within.as_ref().unwrap_or(&self.reference_terms.odrl));
        let round = Round::of(decision, self.rounds);
        match (decision.action, &self.state) {
            (Action::Agree, State::Requested { terms }) => {
                let otherwise = decision.otherwise.unwrap_or(Action::Offer);
                if same(terms) {
                    return Action::Agree.into();
                }
                if let Some(floor) = decision.floor {
                    return match (written(), read(&terms.odrl)) {
                        (Some(most), Some(asked)) => bargain::answer_request(&most, floor, &asked, otherwise, round),
                        _ => Action::Hold.into(),
                    };
                }
                // Less than what is on offer is no harm; more only within what was written.
                let fits = matches!((written(), read(&terms.odrl)), (Some(most), Some(asked)) if most.covers(&asked));
                if fits { Action::Agree } else { otherwise }.into()
            }
            (Action::Accept, State::Offered { terms, asked }) => {
                let otherwise = decision.otherwise.unwrap_or(Action::Hold);
                if same(terms) {
                    return Action::Accept.into();
                }
                if let Some(ceiling) = decision.ceiling {
                    return match (written(), read(&terms.odrl)) {
                        (Some(least), Some(offered)) => {
                            bargain::answer_offer(&least, ceiling, &offered, read(&asked.odrl).as_ref(), otherwise, round)
                        }
                        _ => Action::Hold.into(),
                    };
                }
                let fits = matches!((written(), read(&terms.odrl)), (Some(least), Some(offered)) if offered.covers(&least));
                if fits { Action::Accept } else { otherwise }.into()
            }
            (Action::Verify, State::Agreed { agreement, terms }) if !Policy::same_terms(&agreement.document, &terms.odrl) => {
                Action::Terminate.into()
            }
            (action, _) => action.into(),
        }
    }

    fn check_parties(&self, agreement: &Agreement) -> Result<()> {
        let wrong = |what: &str| Err(Error::new(Code::AgreementMismatch, format!("The agreement's {what} is not the one negotiated.")));
        if agreement.target != self.dataset {
            return wrong("target");
        }
        if agreement.assigner != self.peer.did {
            return wrong("assigner");
        }
        if agreement.assignee != self.own_did {
            return wrong("assignee");
        }
        Ok(())
    }
}

impl Received {
    /// The message's name in words.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Request(_) => "A contract request",
            Self::Offer(_) => "A contract offer",
            Self::Accepted => "Acceptance",
            Self::Agreement(_) => "An agreement",
            Self::Verification => "Verification",
            Self::Finalized => "Finalisation",
            Self::Termination(_) => "Termination",
        }
    }
}

impl Own {
    /// The step's name in words.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Offer(_) => "Offering",
            Self::Agree(_) => "Agreeing",
            Self::Finalize => "Finalising",
            Self::Counter(_) => "Asking again",
            Self::Accept => "Accepting",
            Self::Verify => "Verifying",
            Self::Terminate(_) => "Terminating",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn terms(n: u64) -> Terms {
        Terms {
            offer_id: format!("offer-{n}"),
            odrl: json!({"permission": [{"action": "use", "constraint": [{"leftOperand": "count", "operator": "lteq", "rightOperand": n}]}]}),
        }
    }

    fn did(s: &str) -> Did {
        Did::parse(s).expect("did")
    }

    fn agreement(odrl: &Value) -> Agreement {
        Agreement::make("agr", "ds", &did("did:web:p"), &did("did:web:c"), NOW, odrl).expect("agreement")
    }

    fn states() -> Vec<State> {
        vec![
            State::Requested { terms: terms(1) },
            State::Offered { terms: terms(1), asked: terms(1) },
            State::Accepted { terms: terms(1) },
            State::Agreed { agreement: agreement(&terms(1).odrl), terms: terms(1) },
            State::Verified { agreement: agreement(&terms(1).odrl) },
            State::Finalized { agreement: agreement(&terms(1).odrl) },
            State::Terminated { by: Role::Consumer, ending: Ending::default() },
        ]
    }

    fn negotiation(role: Role, state: State) -> Negotiation {
        let (own, peer) = if role == Role::Provider { ("did:web:p", "did:web:c") } else { ("did:web:c", "did:web:p") };
        Negotiation {
            id: NegotiationId::from_stored("neg_1"),
            participant: Slug::parse("a").expect("slug"),
            own_did: did(own),
            role,
            peer: Peer { did: did(peer), pid: Some("x".into()), address: "http://peer".into() },
            dataset: "ds".into(),
            formats: Vec::new(),
            state,
            reference_terms: terms(1),
            declared: Declarations::default(),
            rules: Rules::default(),
            reached: BTreeMap::new(),
            rounds: 1,
            revision: 0,
            created_at: NOW,
            updated_at: NOW,
        }
    }

    fn messages() -> Vec<Received> {
        vec![
            Received::Request(terms(2)),
            Received::Offer(terms(2)),
            Received::Accepted,
            Received::Agreement(agreement(&terms(1).odrl)),
            Received::Verification,
            Received::Finalized,
            Received::Termination(Ending::default()),
        ]
    }

    fn steps() -> Vec<Own> {
        vec![
            Own::Offer(terms(2)),
            Own::Agree(agreement(&terms(1).odrl)),
            Own::Finalize,
            Own::Counter(terms(2)),
            Own::Accept,
            Own::Verify,
            Own::Terminate(Ending::default()),
        ]
    }

    #[test]
    fn an_agreement_about_other_terms_is_never_stood_by() {
        let agreed = |n| State::Agreed { agreement: agreement(&terms(n).odrl), terms: terms(1) };
        let refused = negotiation(Role::Consumer, agreed(2)).act(Own::Verify, NOW).expect_err("other terms");
        assert_eq!(refused.code(), Code::AgreementMismatch);
        let (verified, _) = negotiation(Role::Consumer, agreed(1)).act(Own::Verify, NOW).expect("the same terms");
        assert_eq!(verified.state.name(), "VERIFIED");
    }

    /// DSP 2025-1's table, written out a second time: (sender, message, from) → to.
    fn spec(sender: Role, message: &str, from: &str) -> Option<&'static str> {
        use Role::{Consumer as C, Provider as P};
        Some(match (sender, message, from) {
            (P, "offer", "REQUESTED") => "OFFERED",
            (C, "request", "OFFERED") => "REQUESTED",
            (C, "accepted", "OFFERED") => "ACCEPTED",
            (P, "agreement", "REQUESTED" | "ACCEPTED") => "AGREED",
            (C, "verification", "AGREED") => "VERIFIED",
            (P, "finalized", "VERIFIED") => "FINALIZED",
            (_, "termination", "REQUESTED" | "OFFERED" | "ACCEPTED" | "AGREED" | "VERIFIED") => "TERMINATED",
            _ => return None,
        })
    }

    #[test]
    fn every_message_in_every_state_follows_the_spec() {
        let names = ["request", "offer", "accepted", "agreement", "verification", "finalized", "termination"];
        for role in [Role::Consumer, Role::Provider] {
            for state in states() {
                for (message, name) in messages().into_iter().zip(names) {
                    let before = negotiation(role, state.clone());
                    let after = before.clone().receive(message, NOW);
                    match spec(role.other(), name, state.name()) {
                        Some(to) => {
                            let (after, _) = after.unwrap_or_else(|e| panic!("{role:?} {name} in {}: {e}", state.name()));
                            assert_eq!(after.state.name(), to);
                            assert_eq!(after.revision, 1);
                        }
                        None => {
                            assert_eq!(after.expect_err("illegal").code(), Code::IllegalTransition, "{role:?} {name} in {}", state.name());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_own_step_in_every_state_follows_the_spec_and_tells_the_peer() {
        let names = ["offer", "agreement", "finalized", "request", "accepted", "verification", "termination"];
        for role in [Role::Consumer, Role::Provider] {
            for state in states() {
                for (step, name) in steps().into_iter().zip(names) {
                    let after = negotiation(role, state.clone()).act(step, NOW);
                    match spec(role, name, state.name()) {
                        Some(to) => {
                            let (after, effects) = after.unwrap_or_else(|e| panic!("{role:?} {name} in {}: {e}", state.name()));
                            assert_eq!(after.state.name(), to);
                            assert_eq!(effects.iter().filter(|e| matches!(e, Effect::Send(_))).count(), 1);
                        }
                        None => assert!(after.is_err(), "{role:?} {name} in {}", state.name()),
                    }
                }
            }
        }
    }

    #[test]
    fn the_steps_told_are_those_that_are_possible() {
        let actions = [Action::Offer, Action::Agree, Action::Finalize, Action::Counter, Action::Accept, Action::Verify, Action::Terminate];
        for role in [Role::Consumer, Role::Provider] {
            for state in states() {
                let n = negotiation(role, state);
                for (own, action) in steps().into_iter().zip(actions) {
                    assert_eq!(n.clone().act(own, NOW).is_ok(), n.steps().contains(&action), "{role:?} {action:?} in {}", n.state.name());
                }
            }
        }
    }

    #[test]
    fn an_agreement_of_others_is_refused() {
        let odrl = terms(1).odrl;
        let n = negotiation(Role::Consumer, State::Requested { terms: terms(1) });
        for (target, assigner, assignee) in
            [("other", "did:web:p", "did:web:c"), ("ds", "did:web:x", "did:web:c"), ("ds", "did:web:p", "did:web:x")]
        {
            let a = Agreement::make("agr", target, &did(assigner), &did(assignee), NOW, &odrl).expect("agreement");
            assert_eq!(n.clone().receive(Received::Agreement(a), NOW).expect_err("refused").code(), Code::AgreementMismatch);
        }
    }

    #[test]
    fn defaults_agree_to_published_terms_only() {
        let decide = |role, state, trigger| negotiation(role, state).decide(trigger).action;
        let requested = |n| State::Requested { terms: terms(n) };
        assert_eq!(decide(Role::Provider, requested(1), Trigger::Requested), Action::Agree);
        assert_eq!(decide(Role::Provider, requested(2), Trigger::Requested), Action::Offer);
        assert_eq!(decide(Role::Provider, requested(2), Trigger::CounterRequested), Action::Hold, "two machines do not haggle for ever");
        let offered = |n| State::Offered { terms: terms(n), asked: terms(1) };
        assert_eq!(decide(Role::Consumer, offered(1), Trigger::Offered), Action::Accept);
        assert_eq!(decide(Role::Consumer, offered(2), Trigger::Offered), Action::Hold, "unseen terms wait for a person");
        let agreed = |n| State::Agreed { agreement: agreement(&terms(n).odrl), terms: terms(1) };
        assert_eq!(decide(Role::Consumer, agreed(1), Trigger::Agreed), Action::Verify);
        assert_eq!(decide(Role::Consumer, agreed(2), Trigger::Agreed), Action::Terminate);
    }

    #[test]
    fn rules_agree_within_limits_only() {
        let rule = |json: Value| serde_json::from_value::<Decision>(json).expect("decision");
        let choose = |role, state, json| negotiation(role, state).choose(&rule(json)).action;
        let requested = |n| State::Requested { terms: terms(n) };
        let limit = terms(5).odrl;
        // On offer is count 1.
        assert_eq!(choose(Role::Provider, requested(1), json!({"do": "agree"})), Action::Agree);
        assert_eq!(choose(Role::Provider, requested(0), json!({"do": "agree"})), Action::Agree, "less than offered");
        assert_eq!(choose(Role::Provider, requested(2), json!({"do": "agree"})), Action::Offer);
        assert_eq!(choose(Role::Provider, requested(5), json!({"do": "agree", "within": limit})), Action::Agree);
        assert_eq!(choose(Role::Provider, requested(6), json!({"do": "agree", "within": limit})), Action::Offer);
        assert_eq!(
            choose(Role::Provider, requested(6), json!({"do": "agree", "within": limit, "otherwise": "terminate"})),
            Action::Terminate
        );
        let strange = State::Requested { terms: Terms { offer_id: "o".into(), odrl: json!({"permission": [{"action": "sing"}]}) } };
        assert_eq!(choose(Role::Provider, strange, json!({"do": "agree"})), Action::Offer);
        let accepted = State::Accepted { terms: terms(9) };
        assert_eq!(choose(Role::Provider, accepted, json!({"do": "agree"})), Action::Agree, "our own offer");
        // Asked for is count 1.
        let offered = |n| State::Offered { terms: terms(n), asked: terms(1) };
        assert_eq!(choose(Role::Consumer, offered(1), json!({"do": "accept"})), Action::Accept);
        assert_eq!(choose(Role::Consumer, offered(3), json!({"do": "accept"})), Action::Accept, "more than asked for");
        assert_eq!(choose(Role::Consumer, offered(0), json!({"do": "accept"})), Action::Hold);
        assert_eq!(choose(Role::Consumer, offered(0), json!({"do": "accept", "within": terms(0).odrl})), Action::Accept);
        assert_eq!(choose(Role::Consumer, offered(4), json!({"do": "accept", "within": limit, "otherwise": "counter"})), Action::Counter);
        let agreed = |n| State::Agreed { agreement: agreement(&terms(n).odrl), terms: terms(1) };
        assert_eq!(choose(Role::Consumer, agreed(1), json!({"do": "verify"})), Action::Verify);
        assert_eq!(choose(Role::Consumer, agreed(2), json!({"do": "verify"})), Action::Terminate, "not what was accepted");
    }

    #[test]
    fn a_floor_belongs_to_the_request_on_the_table() {
        let at = |n: u64, price: &str| {
            let policy = Policy::from_odrl(&terms(n).odrl).expect("policy").at(crate::price::Price::read(price).ok());
            Terms { odrl: policy.to_odrl(), ..terms(n) }
        };
        let rule: Decision = serde_json::from_value(json!({"do": "agree", "floor": "80 CNY"})).expect("decision");
        let mut n = negotiation(Role::Provider, State::Requested { terms: at(1, "80 CNY") });
        n.reference_terms = at(1, "100 CNY");
        assert_eq!(n.choose(&rule).action, Action::Agree);
        n.state = State::Requested { terms: at(1, "60 CNY") };
        assert_eq!(n.choose(&rule).terms, Some(at(1, "80 CNY").odrl), "the floor is offered");
        n.state = State::Requested { terms: terms(1) };
        assert_eq!(n.choose(&rule).action, Action::Terminate, "for nothing");
        let strange = Terms { odrl: json!({"permission": [{"action": "sing"}]}), ..terms(1) };
        n.state = State::Requested { terms: strange };
        assert_eq!(n.choose(&rule).action, Action::Hold);
        n.state = State::Accepted { terms: at(1, "80 CNY") };
        assert_eq!(n.choose(&rule).action, Action::Agree, "our own offer");
    }

    #[test]
    fn haggling_ends() {
        let mut n = negotiation(Role::Provider, State::Requested { terms: terms(1) });
        let end = loop {
            let offered = match n.clone().act(Own::Offer(terms(1)), NOW) {
                Ok((offered, _)) => offered,
                Err(e) => break e,
            };
            n = match offered.receive(Received::Request(terms(2)), NOW) {
                Ok((requested, _)) => requested,
                Err(e) => break e,
            };
        };
        assert_eq!(end.code(), Code::IllegalTransition);
        assert_eq!(n.rounds.max(ROUNDS_MAX - 1), n.rounds);
    }

    #[test]
    fn the_stored_form_is_stable() {
        let n = negotiation(Role::Provider, State::Offered { terms: terms(1), asked: terms(2) });
        let json = serde_json::to_value(&n).expect("json");
        assert_eq!(json["state"], "OFFERED");
        assert_eq!(serde_json::from_value::<Negotiation>(json).expect("read"), n);
    }
}
