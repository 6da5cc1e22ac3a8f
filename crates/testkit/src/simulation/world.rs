//! Both parties, the network and the clock: carries out operations one at a time and has every step judged.

use super::{
    check::{Broken, Found, Watch},
    forge::{self, Target},
    op::{Fate, Forged, Op, PUBLISHED_DATASET, Setup, Side},
    party::{PUBLISHED, Party, Task, Workshop, at, drive, offer_id, plain},
    wire::{Call, Wire, silence},
};
use bytes::Bytes;
use fondaco_core::{
    Code, Result,
    agreement::Agreement,
    negotiation::{self, Role},
    participant::Declarations,
    time::{Clock as _, ManualClock, Micros, Timestamp},
};
use fondaco_node::{
    app::{negotiation_steps::Step, negotiations::Wanted},
    identity::resolver::FAILURE_TTL,
    jobs::{NEGOTIATION_SEND, TRANSFER_SEND},
    net::{OutRequest, OutResponse, client::CALL_TIMEOUT},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// When every case begins.
const BEGIN: Timestamp = Timestamp::from_micros(1_795_305_600_000_000);
/// How often a calm lets each party work: enough for the rest of a deal.
const CALM_ROUNDS: u32 = 8;
/// Most steps until everything is quiet at the end: a case has a few dozen messages, each tried some 300 times a day.
const QUIET_MAX: u32 = 5_000;

/// A mistake planted on purpose, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A consumer that stands by whatever agreement it gets.
    AnyAgreement,
    /// Nodes that forget which messages they have seen.
    ForgottenMessages,
    /// Nodes that tell nobody when they end something.
    Silence,
    /// Nodes that believe whoever calls.
    Credulity,
    /// Nodes that take half a message for a whole one.
    HalfIsEnough,
    /// Nodes that answer 500 to what is sent a second time.
    Unwell,
    /// Nodes that ask the sender before they answer a message.
    AsksBack,
}

/// What a case came to, for the statistics.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Operations that did something, by name.
    pub operations: BTreeMap<String, u64>,
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// Processes by the state they ended in, counted on the consumer's side.
    pub ends: BTreeMap<String, u64>,
    /// Processes by what their two sides have in common at the end, when nothing is under way.
    pub pairs: BTreeMap<String, u64>,
    /// A number that two runs of one case share.
    pub trace: u64,
}

/// The world of a case.
pub struct World {
    parties: [Party; 2],
    wire: Wire,
    clock: Arc<ManualClock>,
    /// Requests that stayed in the network.
    late: Vec<(Side, OutRequest)>,
    /// Messages that were taken: receiver, path, id.
    taken: BTreeSet<(Side, String, String)>,
    watch: Watch,
    plant: Option<Plant>,
    forged: u64,
    tally: Tally,
}

/// How a request arrives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arrival {
    Whole,
    /// So many bytes of its body.
    Cut(usize),
    /// With other content under the same id.
    Altered,
}

fn kind(value: impl std::fmt::Debug) -> String {
    format!("{value:?}").split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

/// FNV-1a, whose value is the same on every machine.
fn mix(trace: u64, text: &str) -> u64 {
    text.bytes().fold(trace ^ 0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

impl World {
    /// Makes it.
    pub async fn new(workshop: &Workshop, setup: Setup, seed: u64, plant: Option<Plant>) -> Self {
        let clock = Arc::new(ManualClock::new(BEGIN));
        let wire = Wire::default();
        let parties = [
            Party::new(workshop, Side::Left, setup.left, &clock, seed, &wire).await,
            Party::new(workshop, Side::Right, setup.right, &clock, seed, &wire).await,
        ];
        Self {
            parties,
            wire,
            clock,
            late: Vec::new(),
            taken: BTreeSet::new(),
            watch: Watch::default(),
            plant,
            forged: 0,
            tally: Tally::default(),
        }
    }

    /// Carries out the operations, then lets the network recover and everything settle.
    ///
    /// # Errors
    /// The first broken rule, and after how many operations.
    pub async fn run(mut self, ops: &[Op]) -> std::result::Result<Tally, (usize, Broken)> {
        for (n, op) in ops.iter().enumerate() {
            self.apply(*op).await.map_err(|broken| (n, broken))?;
        }
        self.settle().await.map_err(|broken| (ops.len(), broken))?;
        for side in Side::BOTH {
            let committed = &self.watch.before[side.index()];
            let negotiations =
                committed.negotiations.iter().filter(|n| n.role == Role::Consumer).map(|n| format!("negotiation {}", n.state.name()));
            let transfers = committed.transfers.iter().filter(|t| t.role == Role::Consumer).map(|t| format!("transfer {}", t.state.name()));
            for end in negotiations.chain(transfers) {
                *self.tally.ends.entry(end).or_default() += 1;
            }
        }
        self.tally.pairs = self.watch.pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        Ok(self.tally)
    }

    async fn apply(&mut self, op: Op) -> Found {
        if !self.act(op).await? {
            return Ok(());
        }
        *self.tally.operations.entry(kind(op)).or_default() += 1;
        self.spoil_parties().await?;
        self.judge().await
    }

    /// [`Plant::ForgottenMessages`] and [`Plant::Silence`].
    async fn spoil_parties(&self) -> Found {
        for party in &self.parties {
            let later = self.clock.now().plus(Micros::from_secs(1));
            let spoilt = match self.plant {
                Some(Plant::ForgottenMessages) => {
                    party.app.store.tx("simulation.plant", move |tx| -> Result<_> { Ok(tx.messages_forget(later).map(drop)?) }).await
                }
                Some(Plant::Silence) => {
                    let mut jobs = party.committed().await.jobs;
                    jobs.retain(|job| job.payload.get("message").is_some_and(|message| message == "termination"));
                    let drop_all = move |tx: &mut fondaco_store::Tx| -> Result<()> {
                        jobs.iter().try_for_each(|job| Ok(tx.jobs_drop(&job.participant, &job.key).map(drop)?))
                    };
                    party.app.store.tx("simulation.plant", drop_all).await
                }
                _ => Ok(()),
            };
            spoilt.map_err(|e| internal(&e))?;
        }
        Ok(())
    }

    async fn judge(&mut self) -> Found {
        let now = [self.parties[0].committed().await, self.parties[1].committed().await];
        let mut under_way = String::new();
        for call in self.wire.calls().iter() {
            under_way.push_str(call.request.url.path());
            under_way.push_str(&String::from_utf8_lossy(&call.request.body));
        }
        for (_, request) in &self.late {
            under_way.push_str(request.url.path());
            under_way.push_str(&String::from_utf8_lossy(&request.body));
        }
        for job in
            now.iter().flat_map(|committed| &committed.jobs).filter(|job| [NEGOTIATION_SEND, TRANSFER_SEND].contains(&job.kind.as_str()))
        {
            under_way.push_str(&job.key);
        }
        for committed in &now {
            for n in &committed.negotiations {
                self.tally.trace = mix(self.tally.trace, &format!("{} {} {}", n.id, n.state.name(), n.revision));
            }
            for t in &committed.transfers {
                self.tally.trace = mix(self.tally.trace, &format!("{} {} {}", t.id, t.state.name(), t.revision));
            }
            for job in &committed.jobs {
                self.tally.trace = mix(self.tally.trace, &format!("{} {} {}", job.id, job.run_at, job.attempts));
            }
        }
        self.watch.step(now, &|pid| under_way.contains(pid))
    }

    /// Does it; false when there is nothing to do it to.
    async fn act(&mut self, op: Op) -> std::result::Result<bool, Broken> {
        match op {
            Op::Ask { side, offer, words } => {
                let (party, peer) = (&self.parties[side.index()], &self.parties[side.other().index()]);
                let n = usize::from(offer) % PUBLISHED.len();
                let remote = party.app.remote_at(peer.did().as_str(), &peer.dsp()).map_err(|e| internal(&e))?;
                let odrl = Some(words.unwrap_or(PUBLISHED[n]).odrl());
                let wanted = Wanted { dataset: PUBLISHED_DATASET.into(), offer_id: offer_id(n), odrl, purpose: Vec::new() };
                allowed(party.app.negotiation_initiate(&party.participant, &remote, wanted, None).await)?;
                Ok(true)
            }
            Op::Step { side, nth, action, words } => {
                let party = &self.parties[side.index()];
                let Some(n) = choose(&self.watch.before[side.index()].negotiations, nth) else { return Ok(false) };
                let step = Step { action, reason: None, terms: words.map(super::op::Words::odrl), revision: None, price: None };
                allowed(party.app.negotiation_act(&party.participant.slug, &n.id, step).await)
            }
            Op::AskAccess { side, nth } => {
                let party = &self.parties[side.index()];
                let ours: Vec<_> = self.watch.before[side.index()].agreements.iter().filter(|a| a.role == Role::Consumer).collect();
                let Some(row) = choose(&ours, nth) else { return Ok(false) };
                allowed(party.app.transfer_begin(&party.participant, &row.agreement.id, None, None).await)
            }
            Op::StepTransfer { side, nth, action } => {
                let party = &self.parties[side.index()];
                let Some(t) = choose(&self.watch.before[side.index()].transfers, nth) else { return Ok(false) };
                allowed(party.app.transfer_act(&party.participant.slug, &t.id, action, None).await)
            }
            Op::EndAgreement { side, nth } => {
                let party = &self.parties[side.index()];
                let ours: Vec<_> = self.watch.before[side.index()].agreements.iter().filter(|a| a.role == Role::Provider).collect();
                let Some(row) = choose(&ours, nth) else { return Ok(false) };
                allowed(party.app.agreement_stop(&party.participant.slug, &row.agreement.id, Some("because".into())).await)
            }
            Op::Work { side } => {
                let Some(job) = self.parties[side.index()].due() else { return Ok(false) };
                let task = self.parties[side.index()].job(job);
                self.go_on(side, task).await;
                Ok(true)
            }
            Op::Carry { nth, fate } => {
                let Some(call) = self.wire.take(nth) else { return Ok(false) };
                self.carry(call, fate).await?;
                Ok(true)
            }
            Op::Late { nth } => {
                if self.late.is_empty() {
                    return Ok(false);
                }
                let (from, request) = self.late.remove(usize::from(nth) % self.late.len());
                self.deliver(from, request, Arrival::Whole).await?.ok();
                Ok(true)
            }
            Op::Calm => {
                for _ in 0..CALM_ROUNDS {
                    if let Some(call) = self.wire.take(0) {
                        self.carry(call, Fate::Whole).await?;
                    }
                    for side in Side::BOTH {
                        if let Some(job) = self.parties[side.index()].due() {
                            let task = self.parties[side.index()].job(job);
                            self.go_on(side, task).await;
                        }
                    }
                    self.judge().await?;
                }
                Ok(true)
            }
            Op::Wait { seconds } => {
                self.clock.advance(Micros::from_secs(i64::from(seconds)));
                if Duration::from_secs(seconds.into()) >= CALL_TIMEOUT {
                    self.give_up_waiting().await?;
                }
                Ok(true)
            }
            Op::Fail { side, seconds } => {
                self.fault("Fail");
                self.parties[side.index()].failing_until = self.clock.now().plus(Micros::from_secs(i64::from(seconds)));
                Ok(true)
            }
            Op::Restart { side } => {
                self.fault("Restart");
                self.parties[side.index()].restart().await;
                Ok(true)
            }
            Op::Forge { to, nth, message, signed } => self.forge(to, nth, message, signed).await,
        }
    }

    fn fault(&mut self, kind: impl Into<String>) {
        *self.tally.faults.entry(kind.into()).or_default() += 1;
    }

    /// Goes on with a job until it ends or waits for a call.
    async fn go_on(&mut self, side: Side, mut task: Task) {
        if drive(&mut task, &self.wire, &self.parties).await.is_none() {
            let call = self.wire.calls().last().map(|call| call.id);
            if let Some(call) = call {
                self.parties[side.index()].tasks.push((call, task));
            }
        }
    }

    /// Callers wait for answers no longer; their requests may still arrive.
    async fn give_up_waiting(&mut self) -> Found {
        let waiting: Vec<u64> = self.wire.calls().iter().map(|call| call.id).collect();
        for id in waiting {
            let call = {
                let mut calls = self.wire.calls();
                let place = calls.iter().position(|call| call.id == id);
                place.map(|n| calls.remove(n))
            };
            if let Some(call) = call {
                self.carry(call, Fate::Delay).await?;
            }
        }
        Ok(())
    }

    async fn carry(&mut self, call: Call, fate: Fate) -> Found {
        let Call { id, from, mut request, reply } = call;
        if fate != Fate::Whole {
            self.fault(kind(fate));
        }
        let answer = match fate {
            Fate::Whole => self.deliver(from, request, Arrival::Whole).await?,
            Fate::LoseRequest => Err(silence()),
            // Of a question nothing can be cut off.
            Fate::CutRequest if request.body.is_empty() => Err(silence()),
            Fate::LoseAnswer => {
                self.deliver(from, request, Arrival::Whole).await?.ok();
                Err(silence())
            }
            Fate::CutRequest => {
                let half = request.body.len() / 2;
                self.deliver(from, request, Arrival::Cut(half)).await?.ok();
                Err(silence())
            }
            Fate::CutAnswer => self.deliver(from, request, Arrival::Whole).await?.map(|mut answer| {
                answer.body.truncate(answer.body.len() / 2);
                answer
            }),
            Fate::Answer500 => Ok(plain(500)),
            Fate::Delay => {
                self.late.push((from, request));
                Err(silence())
            }
            Fate::Twice => {
                self.late.push((from, request.clone()));
                self.deliver(from, request, Arrival::Whole).await?
            }
            Fate::Altered(how) => {
                let altered = Bytes::from(forge::alter(&request.body, how));
                let sent = std::mem::replace(&mut request.body, altered);
                let path = request.url.path().to_owned();
                let is_last = self.is_over(from, receiver(&path)).await;
                let answer = self.deliver(from, request, Arrival::Altered).await?;
                if let (true, Ok(answer), Some(message)) = (is_last, &answer, said(&sent, "@id")) {
                    self.watch.last_message(receiver(&path), message, answer.status.is_success());
                }
                answer
            }
        };
        // Whoever called may have died meanwhile.
        let _ = reply.send(answer);
        let tasks = &mut self.parties[from.index()].tasks;
        if let Some(n) = tasks.iter().position(|(waits_for, _)| *waits_for == id) {
            let (_, task) = tasks.remove(n);
            self.go_on(from, task).await;
        }
        Ok(())
    }

    /// Whether a process is over on this side, whose other side is `peer_pid`: then what it says of it is the last.
    async fn is_over(&self, side: Side, peer_pid: &str) -> bool {
        let committed = self.parties[side.index()].committed().await;
        committed.negotiations.iter().any(|n| n.peer.pid.as_deref() == Some(peer_pid) && n.state.is_final())
            || committed.transfers.iter().any(|t| t.peer.pid.as_deref() == Some(peer_pid) && t.state.is_final())
    }

    /// A request arrives, whole or cut; what is answered.
    async fn deliver(&mut self, from: Side, request: OutRequest, arrival: Arrival) -> std::result::Result<Result<OutResponse>, Broken> {
        let Some(to) = at(&request.url) else { return Ok(Err(silence())) };
        let (path, body) = (request.url.path().to_owned(), request.body.clone());
        let message = said(&body, "@id").map(|id| (to, path.clone(), id));
        let before = match &message {
            Some(message) if arrival == Arrival::Whole && self.taken.contains(message) => Some(self.parties[to.index()].committed().await),
            _ => None,
        };
        let is_known = message.as_ref().is_some_and(|message| self.taken.contains(message));
        let cut = if let Arrival::Cut(bytes) = arrival { Some(bytes) } else { None };
        let mut handling = match self.plant {
            Some(Plant::HalfIsEnough) => self.parties[to.index()].answer(request, None),
            Some(Plant::Unwell) if is_known => Box::pin(async { plain(500) }),
            Some(Plant::AsksBack) => {
                let (outbound, back) = (self.parties[to.index()].app.outbound.clone(), OutRequest::get(request.url.clone()));
                Box::pin(async move { outbound.send(back).await.unwrap_or_else(|_| plain(502)) })
            }
            _ => self.parties[to.index()].answer(request, cut),
        };
        let Some(answer) = drive(&mut handling, &self.wire, &self.parties).await else {
            return Err(Broken { rule: "a message is answered without asking others", seen: path });
        };
        let (status, words) = (answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned());
        self.tally.trace = mix(self.tally.trace, &format!("{path} {status}"));
        // Who fails cannot be asked for its keys, and is not asked again for some seconds: nobody knows who it is.
        let unknown_until = self.parties[from.index()].failing_until.plus(FAILURE_TTL);
        let cannot_tell = status == 503 && self.clock.now() < unknown_until;
        if status >= 500 && !self.parties[to.index()].is_failing() && !cannot_tell {
            return Err(Broken { rule: "what arrives is taken or refused", seen: format!("{path} was answered {status}: {words}") });
        }
        if matches!(arrival, Arrival::Cut(_)) && status < 400 {
            return Err(Broken { rule: "half a message is refused", seen: format!("{path} was answered {status}") });
        }
        if let Some(before) = before
            && before != self.parties[to.index()].committed().await
        {
            return Err(Broken { rule: "a redelivery changes nothing", seen: format!("{path} was answered {status}: {words}") });
        }
        if status < 300
            && arrival == Arrival::Whole
            && let Some(message) = message
        {
            self.watch.last_message(receiver(&path), message.2.clone(), true);
            self.taken.insert(message);
        }
        if self.plant == Some(Plant::AnyAgreement) {
            self.stand_by(to, &path, &body, from).await?;
        }
        Ok(Ok(answer))
    }

    /// [`Plant::AnyAgreement`].
    async fn stand_by(&self, to: Side, path: &str, body: &[u8], from: Side) -> Found {
        let agreement =
            serde_json::from_slice::<Value>(body).ok().and_then(|message| Agreement::read(message.get("agreement")?.clone()).ok());
        let Some(agreement) = agreement.filter(|a| path.ends_with("/agreement") && a.assigner == *self.parties[from.index()].did()) else {
            return Ok(());
        };
        let (party, pid) = (&self.parties[to.index()], said(body, "consumerPid").unwrap_or_default());
        let slug = party.participant.slug.clone();
        let stood = party.app.store.tx("simulation.plant", move |tx| -> Result<()> {
            let Some(mut n) = tx.negotiation_lock(&slug, &fondaco_core::ids::NegotiationId::from_stored(pid))? else { return Ok(()) };
            let before = n.revision;
            n.state = negotiation::State::Verified { agreement };
            n.revision += 1;
            Ok(tx.negotiation_update(&n, before)?)
        });
        stood.await.map_err(|e| internal(&e))
    }

    async fn forge(&mut self, to: Side, nth: u8, message: Forged, signed: bool) -> std::result::Result<bool, Broken> {
        let committed = self.parties[to.index()].committed().await;
        let (pid, peer_pid, role, dataset) = if forge::is_about_transfers(message) {
            let Some(t) = choose(&committed.transfers, nth) else { return Ok(false) };
            (t.id.to_string(), t.peer.pid.clone(), t.role, t.dataset.clone())
        } else {
            let Some(n) = choose(&committed.negotiations, nth) else { return Ok(false) };
            (n.id.to_string(), n.peer.pid.clone(), n.role, n.dataset.clone())
        };
        self.fault(if signed { "Forged in the peer's name" } else { "Forged" });
        self.forged += 1;
        let (receiver, peer) = (&self.parties[to.index()], &self.parties[to.other().index()]);
        let peer_pid = peer_pid.unwrap_or_else(|| "urn:uuid:forged".into());
        let target = Target {
            pid: &pid,
            peer_pid: &peer_pid,
            role,
            dataset: &dataset,
            own_did: receiver.did().as_str(),
            peer_did: peer.did().as_str(),
        };
        let (path, body) = forge::forge(&target, message, format!("urn:forged:{}", self.forged), &self.clock.now().to_rfc3339());
        // A stranger's token is good, but not for this process: here the receiver itself plays the stranger.
        let sender = if signed || self.plant == Some(Plant::Credulity) { peer } else { receiver };
        let token = sender.app.authorization(&sender.participant.slug, sender.did(), receiver.did(), &Declarations::default()).await;
        let token = if !signed && nth % 2 == 1 && self.plant != Some(Plant::Credulity) {
            "Bearer made-up".to_owned()
        } else {
            token.map_err(|e| internal(&e))?
        };
        let url = format!("{}{path}", receiver.dsp()).parse().expect("an address");
        let request = OutRequest::post_json(url, body.to_string()).with_authorization(&token).map_err(|e| internal(&e))?;
        let answer = self.deliver(to.other(), request, Arrival::Whole).await?;
        let taken = answer.is_ok_and(|answer| answer.status.is_success());
        if signed && taken {
            self.watch.lied.extend([pid, peer_pid]);
        } else if taken || self.parties[to.index()].committed().await != committed {
            return Err(Broken { rule: "a forged message changes nothing", seen: path });
        }
        Ok(true)
    }

    /// The network works again: everything under way arrives, everything due is done, until nothing is left.
    async fn settle(&mut self) -> Found {
        let now = self.clock.now();
        for party in &mut self.parties {
            party.failing_until = party.failing_until.min(now);
        }
        while let Some((from, request)) = (!self.late.is_empty()).then(|| self.late.remove(0)) {
            self.deliver(from, request, Arrival::Whole).await?.ok();
            self.judge().await?;
        }
        for _ in 0..QUIET_MAX {
            let mut moved = !self.wire.calls().is_empty();
            if moved {
                self.act(Op::Carry { nth: 0, fate: Fate::Whole }).await?;
            }
            for side in Side::BOTH {
                moved |= self.act(Op::Work { side }).await?;
            }
            if moved {
                self.judge().await?;
                continue;
            }
            // A job may be due and wait for one before it in its line.
            let now = self.clock.now();
            let jobs = self.watch.before.iter().flat_map(|committed| &committed.jobs);
            let Some(next) = jobs.map(|job| job.run_at).filter(|at| *at > now).min() else { break };
            self.clock.advance(next.since(now));
        }
        self.watch.end()
    }
}

fn choose<T>(of: &[T], nth: u8) -> Option<&T> {
    if of.is_empty() { None } else { of.get(usize::from(nth) % of.len()) }
}

/// The receiver's pid in a path such as `…/negotiations/{pid}/offers`; nothing where there is none.
fn receiver(path: &str) -> &str {
    let mut rest = path.split('/').skip_while(|part| !["negotiations", "transfers"].contains(part)).skip(1);
    rest.next().unwrap_or_default()
}

/// A text member of a message.
fn said(body: &[u8], key: &str) -> Option<String> {
    serde_json::from_slice::<Value>(body).ok()?.get(key)?.as_str().map(str::to_owned)
}

fn internal(e: &fondaco_core::Error) -> Broken {
    Broken { rule: "a node does not fail by itself", seen: format!("{e} ({})", e.internal().unwrap_or_default()) }
}

/// A use case may refuse; it may not fail.
fn allowed<T>(done: Result<T>) -> std::result::Result<bool, Broken> {
    match done {
        Ok(_) => Ok(true),
        Err(e) if e.code() == Code::Internal => Err(internal(&e)),
        Err(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_case_may_refuse_but_not_fail() {
        assert_eq!(allowed(Ok(())), Ok(true));
        assert_eq!(allowed::<()>(Err(fondaco_core::Error::invalid("no"))), Ok(false));
        let failed = allowed::<()>(Err(fondaco_core::Error::internal_failure("boom"))).expect_err("a failure");
        assert!(failed.rule == "a node does not fail by itself" && failed.seen.contains("boom"), "{failed:?}");
    }

    #[test]
    fn receivers_are_read_from_paths() {
        assert_eq!(receiver("/p/left/dsp/2025-1/negotiations/neg_1/events"), "neg_1");
        assert_eq!(receiver("/p/left/dsp/2025-1/transfers/trf_1/start"), "trf_1");
        assert_eq!(receiver("/p/left/did.json"), "");
    }
}
