//! What must hold after every step, and at the end.

use super::{
    op::Side,
    pair::{self, Apart, Around},
    party::{Committed, dsp},
};
use fondaco_core::{
    decision::{Action, Trigger},
    life::Phase,
    negotiation::{self, Negotiation, ROUNDS_MAX, Role, Terms},
    policy::Policy,
    transfer::{self, Transfer},
};
use fondaco_store::AgreementRow;
use std::collections::{BTreeMap, BTreeSet};

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which rule.
    pub rule: &'static str,
    /// What was seen.
    pub seen: String,
}

/// What a check finds.
pub type Found = Result<(), Broken>;

/// What is found of a broken rule.
///
/// # Errors
/// Always.
pub fn broken(rule: &'static str, seen: impl Into<String>) -> Found {
    Err(Broken { rule, seen: seen.into() })
}

/// Most steps that one message or act may lead to in one transaction: more is a loop of rules.
const STEPS_AT_ONCE: u64 = 16;

/// How two sides are found of which one was made to lie.
const LIED: &str = "lied about";

/// How two sides are found otherwise, in a word.
fn how(apart: Option<Apart>) -> &'static str {
    apart.map_or("alike", Apart::name)
}

/// What was committed before, and what else must be remembered to judge the next step.
#[derive(Default)]
pub struct Watch {
    /// What each party had committed.
    pub before: [Committed; 2],
    /// What the consumer of a negotiation last asked for or accepted.
    asked: BTreeMap<String, Terms>,
    /// Processes about which a party was made to say what it did not do, in its own name: their two sides may differ.
    pub lied: BTreeSet<String>,
    /// Last messages that came damaged: the receiver's process, and the message.
    unheard: BTreeSet<(String, String)>,
    /// How the pairs were found when nothing was under way, in the last step.
    pub pairs: BTreeMap<&'static str, u64>,
}

impl Watch {
    /// Judges what is committed now; `busy` says whether anything about a process is still under way.
    pub fn step(&mut self, now: [Committed; 2], busy: &dyn Fn(&str) -> bool) -> Found {
        for side in Side::BOTH {
            let (before, now) = (&self.before[side.index()], &now[side.index()]);
            for n in &now.negotiations {
                one_negotiation(before.negotiations.iter().find(|b| b.id == n.id), n)?;
                if n.role == Role::Consumer
                    && let negotiation::State::Requested { terms } | negotiation::State::Accepted { terms } = &n.state
                {
                    self.asked.insert(n.id.to_string(), terms.clone());
                }
                self.agreed_as_asked(n)?;
            }
            for t in &now.transfers {
                one_transfer(before.transfers.iter().find(|b| b.id == t.id), t, now)?;
            }
            nothing_is_lost(before, now)?;
        }
        self.pairs.clear();
        for side in Side::BOTH {
            let (ours, theirs) = (&now[side.index()], &now[side.other().index()]);
            for c in ours.negotiations.iter().filter(|n| n.role == Role::Consumer) {
                if let Some(p) = partner(&theirs.negotiations, c.id.as_str(), |n| (n.role, n.peer.pid.as_deref())) {
                    let in_force = p.state.agreement().is_some_and(|a| is_in_force(theirs, &a.id));
                    let found = self.around(side, [c.id.as_str(), p.id.as_str()], &p.peer.address, in_force, busy);
                    let how = found.map_or(Ok(LIED), |around| pair::negotiations(c, p, around).map(how))?;
                    *self.pairs.entry(how).or_default() += 1;
                }
            }
            for c in ours.transfers.iter().filter(|t| t.role == Role::Consumer) {
                if let Some(p) = partner(&theirs.transfers, c.id.as_str(), |t| (t.role, t.peer.pid.as_deref())) {
                    let found = self.around(side, [c.id.as_str(), p.id.as_str()], &p.peer.address, false, busy);
                    let how = found.map_or(Ok(LIED), |around| pair::transfers(c, p, around).map(how))?;
                    *self.pairs.entry(how).or_default() += 1;
                }
            }
            agreements(ours, theirs)?;
        }
        self.before = now;
        Ok(())
    }

    /// What is known of a process of `side` as consumer; none where a party was made to lie about it.
    fn around(
        &self,
        side: Side,
        [consumer, provider]: [&str; 2],
        address: &str,
        in_force: bool,
        busy: &dyn Fn(&str) -> bool,
    ) -> Option<Around> {
        let unheard = |pid: &str| self.unheard.iter().any(|(receiver, _)| receiver == pid);
        (!self.lied.contains(consumer) && !self.lied.contains(provider)).then(|| Around {
            busy: busy(consumer) || busy(provider),
            misdirected: address != dsp(side),
            unheard: [unheard(consumer), unheard(provider)],
            in_force,
        })
    }

    /// A last message came: was it understood?
    pub fn last_message(&mut self, receiver: &str, message: String, understood: bool) {
        let key = (receiver.to_owned(), message);
        if understood {
            self.unheard.remove(&key);
        } else {
            self.unheard.insert(key);
        }
    }

    /// An agreement that the consumer stands by is the one it asked for; a provider agrees to no term that it does not know.
    fn agreed_as_asked(&self, n: &Negotiation) -> Found {
        let (negotiation::State::Verified { agreement } | negotiation::State::Finalized { agreement }) = &n.state else {
            return match &n.state {
                negotiation::State::Agreed { agreement, .. } if n.role == Role::Provider => known(n, &agreement.document),
                _ => Ok(()),
            };
        };
        if n.role == Role::Consumer {
            match self.asked.get(n.id.as_str()) {
                None => return broken("what is agreed was asked for", format!("{} is {} and was never asked", n.id, n.state.name())),
                Some(asked) if !Policy::same_terms(&asked.odrl, &agreement.document) => {
                    return broken(
                        "what is agreed was asked for",
                        format!("{} asked for {} and is {} with {}", n.id, asked.odrl, n.state.name(), agreement.document),
                    );
                }
                Some(_) => return Ok(()),
            }
        }
        // A consumer may have asked for what only the provider enforces; a provider may not agree to it.
        known(n, &agreement.document)
    }

    /// Judges the end, when nothing is under way any more.
    pub fn end(&self) -> Found {
        for side in Side::BOTH {
            let (ours, theirs) = (&self.before[side.index()], &self.before[side.other().index()]);
            if let Some(job) = ours.jobs.first() {
                return broken(
                    "nothing is left to do",
                    format!("{side:?} still has {} {} due {}: {:?}", job.kind, job.key, job.run_at, job.last_error),
                );
            }
            for n in ours.negotiations.iter().filter(|n| !n.state.is_final()) {
                let is_known = partner(&theirs.negotiations, n.id.as_str(), |n| (n.role, n.peer.pid.as_deref())).is_some();
                let what = || format!("{} as {:?} is {}", n.id, n.role, n.state.name());
                if n.role == Role::Consumer && !is_known {
                    return broken("every process comes to an end", format!("{} and nobody knows of it", what()));
                }
                if n.is_our_turn() && !is_held(n) {
                    return broken("every process comes to an end", format!("{} and should move by itself", what()));
                }
            }
            for t in ours.transfers.iter().filter(|t| t.state == transfer::State::Requested) {
                let is_known = partner(&theirs.transfers, t.id.as_str(), |t| (t.role, t.peer.pid.as_deref())).is_some();
                match t.role {
                    Role::Consumer if !is_known => {
                        return broken("every process comes to an end", format!("{} is REQUESTED and nobody knows of it", t.id));
                    }
                    Role::Provider if !is_start_held(t) => {
                        return broken("every process comes to an end", format!("{} is REQUESTED and should move by itself", t.id));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// The provider's side of a consumer's process.
fn partner<'a, T>(of: &'a [T], consumer_pid: &str, who: impl Fn(&T) -> (Role, Option<&str>)) -> Option<&'a T> {
    of.iter().find(|process| who(process) == (Role::Provider, Some(consumer_pid)))
}

fn is_in_force(of: &Committed, agreement: &str) -> bool {
    of.agreements.iter().any(|a| a.agreement.id == agreement && is_active(a))
}

/// Neither stopped nor over.
fn is_active(a: &AgreementRow) -> bool {
    matches!(a.life.phase(), Phase::Active | Phase::Ending)
}

fn nothing_is_lost(before: &Committed, now: &Committed) -> Found {
    let gone = |kind: &str, id: &str| broken("nothing is lost", format!("the {kind} {id} is gone"));
    if let Some(n) = before.negotiations.iter().find(|b| !now.negotiations.iter().any(|n| n.id == b.id)) {
        return gone("negotiation", n.id.as_str());
    }
    if let Some(t) = before.transfers.iter().find(|b| !now.transfers.iter().any(|t| t.id == b.id)) {
        return gone("transfer", t.id.as_str());
    }
    match before.agreements.iter().find(|b| !now.agreements.iter().any(|a| a.agreement.id == b.agreement.id)) {
        Some(a) => gone("agreement", &a.agreement.id),
        None => Ok(()),
    }
}

/// Whether the rules left it to a person to open access.
fn is_start_held(t: &Transfer) -> bool {
    let decided = last_decision(&t.reached, Trigger::TransferRequested, |n| t.rules.at(Trigger::TransferRequested, n).map(|d| d.action));
    matches!(decided, Some(Some(Action::Hold)))
}

/// The decision that was taken when a point was last reached.
fn last_decision<T>(reached: &BTreeMap<Trigger, u32>, trigger: Trigger, at: impl Fn(u32) -> T) -> Option<T> {
    reached.get(&trigger).and_then(|count| count.checked_sub(1)).map(at)
}

/// Whether the rules left the step to a person, or could not be followed.
fn is_held(n: &Negotiation) -> bool {
    let trigger = match &n.state {
        negotiation::State::Requested { .. } if n.rounds == 1 => Trigger::Requested,
        negotiation::State::Requested { .. } => Trigger::CounterRequested,
        negotiation::State::Offered { .. } => Trigger::Offered,
        negotiation::State::Accepted { .. } => Trigger::Accepted,
        negotiation::State::Agreed { .. } => Trigger::Agreed,
        negotiation::State::Verified { .. } => Trigger::Verified,
        negotiation::State::Finalized { .. } | negotiation::State::Terminated { .. } => return true,
    };
    let mut again = n.clone();
    let Some(count) = again.reached.get_mut(&trigger).filter(|count| **count > 0) else { return false };
    *count -= 1;
    match n.choose(&again.decide(trigger)).action {
        Action::Hold => true,
        // What a provider cannot enforce it cannot agree to: a person must decide.
        Action::Agree => n.state.terms().is_some_and(|terms| Policy::from_odrl(&terms.odrl).is_err()),
        Action::Offer | Action::Counter => n.rounds >= ROUNDS_MAX,
        _ => false,
    }
}

fn known(n: &Negotiation, document: &serde_json::Value) -> Found {
    match Policy::from_odrl(document) {
        Ok(_) => Ok(()),
        Err(e) => broken("an unknown term is never agreed", format!("{} as {:?} is {}: {e}", n.id, n.role, n.state.name())),
    }
}

fn one_negotiation(before: Option<&Negotiation>, n: &Negotiation) -> Found {
    let Some(b) = before else { return Ok(()) };
    let what = || format!("{} as {:?}: {} at {} became {} at {}", n.id, n.role, b.state.name(), b.revision, n.state.name(), n.revision);
    if b.state.is_final() && (b.state != n.state || b.revision != n.revision) {
        return broken("a final state never changes", what());
    }
    revisions(b.revision, n.revision, b.state != n.state, &what)?;
    if b.peer.pid.is_some() && b.peer.pid != n.peer.pid || b.peer.address != n.peer.address || b.peer.did != n.peer.did {
        return broken("the other party stays who it is", what());
    }
    Ok(())
}

fn one_transfer(before: Option<&Transfer>, t: &Transfer, now: &Committed) -> Found {
    if t.role == Role::Provider && t.state.is_open() {
        let in_force = now.agreements.iter().any(|a| a.agreement.id == t.agreement_id && a.role == Role::Provider && is_active(a));
        if !in_force {
            return broken("access is open under an agreement in force", format!("{} under {}", t.id, t.agreement_id));
        }
    }
    let Some(b) = before else { return Ok(()) };
    let what = || format!("{} as {:?}: {} at {} became {} at {}", t.id, t.role, b.state.name(), b.revision, t.state.name(), t.revision);
    if b.state.is_final() && (b.state != t.state || b.revision != t.revision) {
        return broken("a final state never changes", what());
    }
    revisions(b.revision, t.revision, b.state != t.state, &what)?;
    if b.peer.pid.is_some() && b.peer.pid != t.peer.pid || b.peer.address != t.peer.address || b.peer.did != t.peer.did {
        return broken("the other party stays who it is", what());
    }
    Ok(())
}

fn revisions(before: u64, now: u64, changed: bool, what: &dyn Fn() -> String) -> Found {
    if now < before || now > before + STEPS_AT_ONCE || (changed && now == before) {
        return broken("the revision grows with every transition", what());
    }
    Ok(())
}

/// Agreements recorded on both sides under one id are the same document.
fn agreements(ours: &Committed, theirs: &Committed) -> Found {
    for a in &ours.agreements {
        if let Some(b) = theirs.agreements.iter().find(|b| b.agreement.id == a.agreement.id)
            && (a.agreement.digest != b.agreement.digest || a.role == b.role)
        {
            return broken(
                "both sides hold the same agreement",
                format!("{}: {} and {}", a.agreement.id, a.agreement.digest, b.agreement.digest),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            example::*,
            op::{Manner, Words},
            party::{Party, Workshop},
            wire::Wire,
        },
        *,
    };
    use fondaco_core::{
        decision::{Decision, Rules},
        negotiation::State as N,
        time::ManualClock,
        transfer::State as T,
    };
    use fondaco_store::NewJob;
    use std::sync::Arc;

    fn requested(words: Words) -> N {
        N::Requested { terms: terms(words) }
    }

    /// What the consumer (left) and the provider (right) have committed.
    fn committed(consumer: Option<N>, provider: Option<N>) -> [Committed; 2] {
        let one = |role, state: Option<N>| Committed {
            negotiations: state.map(|state| negotiation(role, state)).into_iter().collect(),
            ..Committed::default()
        };
        [one(Role::Consumer, consumer), one(Role::Provider, provider)]
    }

    fn with_transfers(consumer: Option<T>, provider: Option<T>) -> [Committed; 2] {
        let one = |role, state: Option<T>| Committed {
            transfers: state.map(|state| transfer(role, state)).into_iter().collect(),
            agreements: vec![row(role, Words::Open)],
            ..Committed::default()
        };
        [one(Role::Consumer, consumer), one(Role::Provider, provider)]
    }

    /// The rule that the last of these moments breaks; all before it break none.
    fn broken_by<const N: usize>(moments: [[Committed; 2]; N]) -> Option<&'static str> {
        let mut watch = Watch::default();
        for (n, moment) in moments.into_iter().enumerate() {
            match watch.step(moment, &|_| true) {
                Ok(()) => {}
                Err(broken) if n + 1 == N => return Some(broken.rule),
                Err(broken) => panic!("{n}: {broken:?}"),
            }
        }
        None
    }

    fn changed(mut moment: [Committed; 2], change: impl FnOnce(&mut [Committed; 2])) -> [Committed; 2] {
        change(&mut moment);
        moment
    }

    #[test]
    fn nothing_disappears() {
        let all = || {
            changed(with_transfers(Some(T::Requested), Some(T::Requested)), |all| {
                all[0].negotiations.push(negotiation(Role::Consumer, requested(Words::Open)));
            })
        };
        assert_eq!(broken_by([all(), all()]), None);
        assert_eq!(broken_by([all(), changed(all(), |all| all[0].negotiations.clear())]), Some("nothing is lost"));
        assert_eq!(broken_by([all(), changed(all(), |all| all[1].transfers.clear())]), Some("nothing is lost"));
        assert_eq!(broken_by([all(), changed(all(), |all| all[0].agreements.clear())]), Some("nothing is lost"));
    }

    #[test]
    fn a_process_moves_forward_only_and_stays_between_the_same_two() {
        let over = || committed(Some(terminated(Role::Consumer)), None);
        let revived = changed(committed(Some(requested(Words::Open)), None), |all| all[0].negotiations[0].revision += 1);
        assert_eq!(broken_by([over(), revived]), Some("a final state never changes"));
        let again = changed(over(), |all| all[0].negotiations[0].revision += 1);
        assert_eq!(broken_by([over(), again]), Some("a final state never changes"));
        let open = || committed(Some(requested(Words::Open)), None);
        assert_eq!(broken_by([open(), over()]), Some("the revision grows with every transition"));
        let back = changed(open(), |all| all[0].negotiations[0].revision -= 1);
        assert_eq!(broken_by([open(), back]), Some("the revision grows with every transition"));
        for change in [
            |n: &mut Negotiation| n.peer.pid = Some("another".into()),
            |n: &mut Negotiation| n.peer.address = "http://127.0.0.1:7499".into(),
            |n: &mut Negotiation| n.peer.did = n.own_did.clone(),
        ] {
            let other = changed(open(), |all| change(&mut all[0].negotiations[0]));
            assert_eq!(broken_by([open(), other]), Some("the other party stays who it is"));
        }
        let open = || with_transfers(Some(T::Requested), None);
        let moved = || with_transfers(Some(ended(Role::Consumer)), None);
        assert_eq!(broken_by([open(), moved()]), Some("the revision grows with every transition"));
        assert_eq!(broken_by([moved(), open()]), Some("a final state never changes"));
        let other = changed(open(), |all| all[0].transfers[0].peer.address = "http://127.0.0.1:7499".into());
        assert_eq!(broken_by([open(), other]), Some("the other party stays who it is"));
    }

    #[test]
    fn what_is_agreed_was_asked_for_and_is_known() {
        let verified = |words| N::Verified { agreement: agreement(words) };
        let later = |state| changed(committed(Some(state), None), |all| all[0].negotiations[0].revision += 1);
        let asked = || committed(Some(requested(Words::Open)), None);
        assert_eq!(broken_by([asked(), later(verified(Words::Open))]), None);
        assert_eq!(broken_by([asked(), later(verified(Words::Three))]), Some("what is agreed was asked for"));
        assert_eq!(broken_by([later(verified(Words::Open))]), Some("what is agreed was asked for"), "never asked");
        // What came with the agreement is not what was asked for.
        let agreed = N::Agreed { agreement: agreement(Words::Three), terms: terms(Words::Three) };
        let verified_later = changed(later(verified(Words::Three)), |all| all[0].negotiations[0].revision += 1);
        assert_eq!(broken_by([asked(), later(agreed), verified_later]), Some("what is agreed was asked for"));
        for state in [N::Agreed { agreement: agreement(Words::Strange), terms: terms(Words::Strange) }, verified(Words::Strange)] {
            assert_eq!(broken_by([committed(None, Some(state))]), Some("an unknown term is never agreed"));
        }
    }

    #[test]
    fn access_needs_an_agreement_in_force_that_both_sides_hold() {
        let open = || with_transfers(None, Some(started()));
        assert_eq!(broken_by([open()]), None);
        let ended = changed(open(), |all| all[1].agreements[0].life = stopped());
        assert_eq!(broken_by([ended]), Some("access is open under an agreement in force"));
        let other = changed(open(), |all| all[0].agreements[0] = row(Role::Consumer, Words::Three));
        assert_eq!(broken_by([other]), Some("both sides hold the same agreement"));
        let both_provide = changed(open(), |all| all[0].agreements[0] = row(Role::Provider, Words::Open));
        assert_eq!(broken_by([both_provide]), Some("both sides hold the same agreement"));
    }

    #[test]
    fn only_a_lie_excuses_two_sides() {
        let apart = || committed(Some(requested(Words::Open)), Some(finalized()));
        assert_eq!(broken_by([apart()]), Some("the two sides of a negotiation fit"));
        let mut lied = Watch { lied: BTreeSet::from(["provider".to_owned()]), ..Watch::default() };
        assert_eq!(lied.step(apart(), &|_| false), Ok(()));
        assert_eq!(lied.pairs, BTreeMap::from([("lied about", 1)]));
    }

    #[test]
    fn an_unheard_message_is_forgiven_until_it_is_heard() {
        let apart = || committed(Some(requested(Words::Open)), Some(terminated(Role::Provider)));
        let mut watch = Watch::default();
        watch.last_message("consumer", "message".into(), false);
        assert_eq!(watch.step(apart(), &|_| false), Ok(()));
        assert_eq!(watch.pairs, BTreeMap::from([("unheard", 1)]));
        watch.last_message("consumer", "message".into(), true);
        assert!(watch.step(apart(), &|_| false).is_err());
    }

    /// What the end of these breaks.
    fn end_of(moment: [Committed; 2]) -> Option<&'static str> {
        Watch { before: moment, ..Watch::default() }.end().err().map(|broken| broken.rule)
    }

    #[test]
    fn nothing_stops_half_way() {
        let ends = Some("every process comes to an end");
        let both = || committed(Some(requested(Words::Open)), Some(requested(Words::Open)));
        assert_eq!(end_of(both()), ends, "the provider should have agreed");
        let hold = || {
            let trigger = Trigger::Requested;
            (Rules(BTreeMap::from([(trigger, vec![Decision::now(Action::Hold)])])), BTreeMap::from([(trigger, 1)]))
        };
        let held = || changed(both(), |all| (all[1].negotiations[0].rules, all[1].negotiations[0].reached) = hold());
        assert_eq!(end_of(held()), None, "a person decides");
        assert_eq!(end_of(changed(held(), |all| all[1].negotiations[0].reached.clear())), ends, "nobody was asked");
        assert_eq!(end_of(changed(held(), |all| all[1].negotiations.clear())), ends, "nobody knows of it");
        assert_eq!(end_of(committed(None, Some(terminated(Role::Provider)))), None);

        let both = || with_transfers(Some(T::Requested), Some(T::Requested));
        assert_eq!(end_of(both()), ends);
        let held = || {
            let start = Trigger::TransferRequested;
            changed(both(), |all| {
                all[1].transfers[0].rules = Rules(BTreeMap::from([(start, vec![Decision::now(Action::Hold)])]));
                all[1].transfers[0].reached = BTreeMap::from([(start, 1)]);
            })
        };
        assert_eq!(end_of(held()), None);
        assert_eq!(end_of(changed(held(), |all| all[1].transfers.clear())), ends);
    }

    #[tokio::test]
    async fn a_job_that_is_left_is_found() {
        let clock = Arc::new(ManualClock::new(NOW));
        let party = Party::new(&Workshop::new(), Side::Left, [Manner::Plain; 2], &clock, 1, &Wire::default()).await;
        let participant = party.participant.slug.clone();
        let left = party.app.store.tx("test", move |tx| -> fondaco_core::Result<_> {
            let (kind, key, payload) = ("test".into(), "a".into(), serde_json::json!({}));
            tx.job_enqueue(&NewJob { participant, kind, key, payload, run_at: NOW })?;
            Ok(tx.jobs_pending(1)?)
        });
        let jobs = left.await.expect("written");
        assert_eq!(end_of([Committed { jobs, ..Committed::default() }, Committed::default()]), Some("nothing is left to do"));
    }
}
