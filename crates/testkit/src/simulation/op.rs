//! What can happen in a simulation: operations as plain values, drawn at random, shrunk, and printed as Rust that can be
//! pasted into a test.

use fondaco_core::{
    decision::{Action, Decision, Rules, Trigger},
    entropy::SeededEntropy,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Operations of one random case: enough for a few deals that get into each other's way.
pub const OPS_PER_CASE: usize = 80;

/// The dataset that each party publishes.
pub const PUBLISHED_DATASET: &str = "wind";

/// One of the two parties; each trades as provider and as consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The first.
    Left,
    /// The second.
    Right,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Left, Self::Right];
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
    /// Its place in a pair.
    pub const fn index(self) -> usize {
        match self {
            Self::Left => 0,
            Self::Right => 1,
        }
    }
}

/// Terms as people write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// Use, without limits.
    Open,
    /// A hundred reads.
    Hundred,
    /// Three reads.
    Three,
    /// For two days from the agreement.
    TwoDays,
    /// A term that this node does not know.
    Strange,
}

impl Words {
    /// The ODRL policy.
    pub fn odrl(self) -> Value {
        let one = |operand: &str, operator: &str, value: Value| json!({"permission": [{"action": "use", "constraint": [{"leftOperand": operand, "operator": operator, "rightOperand": value}]}]});
        match self {
            Self::Open => json!({"permission": [{"action": "use"}]}),
            Self::Hundred => one("count", "lteq", json!(100)),
            Self::Three => one("count", "lteq", json!(3)),
            Self::TwoDays => one("elapsedTime", "lteq", json!("P2D")),
            Self::Strange => one("moonPhase", "eq", json!("full")),
        }
    }
}

/// What becomes of a call under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Request and answer arrive.
    Whole,
    /// The request never arrives; the connection ends.
    LoseRequest,
    /// The request is handled; its answer is lost.
    LoseAnswer,
    /// The body of the request ends early; the connection ends.
    CutRequest,
    /// The body of the answer ends early, as if it were whole.
    CutAnswer,
    /// Something in between answers 500.
    Answer500,
    /// The sender waits in vain; the request arrives later, if ever.
    Delay,
    /// Request and answer arrive, and a copy of the request stays in the network.
    Twice,
    /// The request arrives with other content, under the sender's own authorization.
    Altered(Alteration),
}

/// How content is changed on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// Other terms.
    Terms(Words),
    /// An agreement with somebody else.
    Assignee,
    /// Another process of the sender's.
    Pid,
    /// Another callback address.
    Callback,
    /// Bytes that are no JSON any more.
    Garbage,
}

/// A message that the other party never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forged {
    /// A counter-offer.
    Request(Words),
    /// An offer.
    Offer(Words),
    /// Acceptance.
    Accepted,
    /// An agreement.
    Agreement(Words),
    /// Verification.
    Verification,
    /// Finalisation.
    Finalized,
    /// The end of a negotiation.
    Termination,
    /// A start of a transfer.
    TransferStart,
    /// A suspension of a transfer.
    TransferSuspension,
    /// The completion of a transfer.
    TransferCompletion,
    /// The end of a transfer.
    TransferTermination,
}

/// One thing that happens. Numbers choose among what there is (modulo its count), so that a list stays meaningful when
/// operations are taken out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Somebody asks for an offer of the other party.
    Ask {
        /// Who.
        side: Side,
        /// The offer.
        offer: u8,
        /// Other terms than the published ones.
        words: Option<Words>,
    },
    /// Somebody takes a step in a negotiation.
    Step {
        /// Who.
        side: Side,
        /// The negotiation.
        nth: u8,
        /// The step.
        action: Action,
        /// Terms of their own.
        words: Option<Words>,
    },
    /// Somebody asks for access under an agreement.
    AskAccess {
        /// Who.
        side: Side,
        /// The agreement.
        nth: u8,
    },
    /// Somebody takes a step in a transfer.
    StepTransfer {
        /// Who.
        side: Side,
        /// The transfer.
        nth: u8,
        /// The step.
        action: Action,
    },
    /// Somebody stops an agreement as its provider.
    EndAgreement {
        /// Who.
        side: Side,
        /// The agreement.
        nth: u8,
    },
    /// The node takes up the next job that is due.
    Work {
        /// Whose.
        side: Side,
    },
    /// A call under way comes to its end.
    Carry {
        /// The call.
        nth: u8,
        /// How.
        fate: Fate,
    },
    /// A request that stayed in the network arrives; nobody waits for its answer.
    Late {
        /// The request.
        nth: u8,
    },
    /// For a while everything works: calls arrive, jobs that are due are done.
    Calm,
    /// Time passes.
    Wait {
        /// How much.
        seconds: u32,
    },
    /// A node answers 500 to everything for a while.
    Fail {
        /// Whose.
        side: Side,
        /// How long.
        seconds: u32,
    },
    /// A node dies, with everything that it had not committed, and starts again.
    Restart {
        /// Whose.
        side: Side,
    },
    /// A message arrives that nobody sent.
    Forge {
        /// Who receives it.
        to: Side,
        /// Which process it is about.
        nth: u8,
        /// What it says.
        message: Forged,
        /// With a token of the party it claims to come from; otherwise with one of a stranger.
        signed: bool,
    },
}

/// How a party decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// By the defaults.
    Plain,
    /// By the defaults, after some seconds.
    Slow,
    /// Everything waits for people.
    Person,
    /// Offers and counter-offers before it agrees.
    Haggling,
    /// Says yes to everything.
    Eager,
    /// Suspends, resumes and completes transfers by itself.
    Fickle,
}

/// The parties: how each decides as consumer and as provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The left one's.
    pub left: [Manner; 2],
    /// The right one's.
    pub right: [Manner; 2],
}

impl Manner {
    const ALL: [Self; 6] = [Self::Plain, Self::Slow, Self::Person, Self::Haggling, Self::Eager, Self::Fickle];

    fn rules(list: &[(Trigger, &[(Action, u32)])]) -> Rules {
        let decisions = |d: &[(Action, u32)]| d.iter().map(|&(action, after_ms)| Decision { after_ms, ..Decision::now(action) }).collect();
        Rules(list.iter().map(|(trigger, d)| (*trigger, decisions(d))).collect::<BTreeMap<_, _>>())
    }

    /// Its rules as consumer.
    pub fn as_consumer(self) -> Rules {
        use Action as A;
        use Trigger as T;
        match self {
            Self::Plain => Rules::default(),
            Self::Slow => Self::rules(&[(T::Offered, &[(A::Accept, 3_000)]), (T::Agreed, &[(A::Verify, 5_000)])]),
            Self::Person => Self::rules(&[(T::Offered, &[(A::Hold, 0)]), (T::Agreed, &[(A::Hold, 0)])]),
            Self::Haggling => Self::rules(&[(T::Offered, &[(A::Counter, 0), (A::Accept, 1_000)])]),
            Self::Eager => Self::rules(&[(T::Offered, &[(A::Accept, 0)]), (T::Agreed, &[(A::Verify, 0)])]),
            Self::Fickle => Self::rules(&[
                (T::Started, &[(A::Suspend, 2_000), (A::Complete, 4_000)]),
                (T::Suspended, &[(A::Start, 1_000), (A::Hold, 0)]),
            ]),
        }
    }

    /// Its rules as provider.
    pub fn as_provider(self) -> Rules {
        use Action as A;
        use Trigger as T;
        match self {
            Self::Plain => Rules::default(),
            Self::Slow => Self::rules(&[
                (T::Requested, &[(A::Agree, 3_000)]),
                (T::Verified, &[(A::Finalize, 5_000)]),
                (T::TransferRequested, &[(A::Start, 3_000)]),
            ]),
            Self::Person => Self::rules(&[
                (T::Requested, &[(A::Hold, 0)]),
                (T::CounterRequested, &[(A::Hold, 0)]),
                (T::Verified, &[(A::Hold, 0)]),
                (T::TransferRequested, &[(A::Hold, 0)]),
            ]),
            Self::Haggling => Self::rules(&[(T::Requested, &[(A::Offer, 0)]), (T::CounterRequested, &[(A::Offer, 2_000), (A::Agree, 0)])]),
            Self::Eager => Self::rules(&[(T::Requested, &[(A::Agree, 0)]), (T::CounterRequested, &[(A::Agree, 0)])]),
            Self::Fickle => Self::rules(&[
                (T::Started, &[(A::Suspend, 2_000), (A::Hold, 0), (A::Complete, 1_000)]),
                (T::Suspended, &[(A::Start, 1_000), (A::Hold, 0)]),
            ]),
        }
    }
}

/// Draws from a seed.
pub struct Dice(SeededEntropy);

impl Dice {
    /// The sequence of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed ^ 0x51D1_CE00_0000_0000))
    }
    /// A number below `n`.
    pub fn below(&self, n: u32) -> u32 {
        u32::try_from(self.0.next_u64() % u64::from(n.max(1))).unwrap_or(0)
    }
    fn one<T: Copy>(&self, of: &[T]) -> T {
        of[usize::try_from(self.below(u32::try_from(of.len()).unwrap_or(u32::MAX))).unwrap_or(0)]
    }
    fn nth(&self) -> u8 {
        u8::try_from(self.below(4)).unwrap_or(0)
    }
    fn side(&self) -> Side {
        self.one(&Side::BOTH)
    }
    fn words(&self) -> Words {
        self.one(&[Words::Open, Words::Hundred, Words::Three, Words::TwoDays, Words::Strange])
    }
    fn sometimes_words(&self) -> Option<Words> {
        (self.below(3) == 0).then(|| self.words())
    }

    /// The parties.
    pub fn setup(&self) -> Setup {
        let manner = || self.one(&Manner::ALL);
        Setup { left: [manner(), manner()], right: [manner(), manner()] }
    }

    fn fate(&self) -> Fate {
        match self.below(24) {
            0 => Fate::LoseRequest,
            1 | 2 => Fate::LoseAnswer,
            3 => Fate::CutRequest,
            4 => Fate::CutAnswer,
            5 => Fate::Answer500,
            6 => Fate::Delay,
            7 => Fate::Twice,
            8 if self.below(2) == 0 => Fate::Altered(match self.below(6) {
                0 => Alteration::Assignee,
                1 => Alteration::Pid,
                2 => Alteration::Callback,
                3 => Alteration::Garbage,
                _ => Alteration::Terms(self.words()),
            }),
            _ => Fate::Whole,
        }
    }

    fn forged(&self) -> Forged {
        match self.below(11) {
            0 => Forged::Request(self.words()),
            1 => Forged::Offer(self.words()),
            2 => Forged::Accepted,
            3 => Forged::Agreement(self.words()),
            4 => Forged::Verification,
            5 => Forged::Finalized,
            6 => Forged::Termination,
            7 => Forged::TransferStart,
            8 => Forged::TransferSuspension,
            9 => Forged::TransferCompletion,
            _ => Forged::TransferTermination,
        }
    }

    /// The next operation. Work and calls are the most frequent, as in life.
    pub fn op(&self) -> Op {
        use Action as A;
        let steps = [A::Agree, A::Offer, A::Counter, A::Accept, A::Verify, A::Finalize, A::Terminate];
        let transfer_steps = [A::Start, A::Suspend, A::Start, A::Suspend, A::Complete, A::Terminate];
        let side = self.side();
        match self.below(100) {
            0..5 => Op::Ask { side, offer: self.nth(), words: self.sometimes_words() },
            5..14 => {
                let action = self.one(&steps);
                let words = if matches!(action, A::Offer | A::Counter) { self.sometimes_words() } else { None };
                Op::Step { side, nth: self.nth(), action, words }
            }
            14..21 => Op::AskAccess { side, nth: self.nth() },
            21..29 => Op::StepTransfer { side, nth: self.nth(), action: self.one(&transfer_steps) },
            29 => Op::EndAgreement { side, nth: self.nth() },
            30..52 => Op::Work { side },
            52..78 => Op::Carry { nth: self.nth(), fate: self.fate() },
            78..82 => Op::Late { nth: self.nth() },
            82..87 => Op::Calm,
            87..93 => Op::Wait { seconds: self.one(&[1, 3, 6, 60, 600]) },
            93 => Op::Fail { side, seconds: self.one(&[30, 3_600]) },
            94..96 => Op::Restart { side },
            _ => Op::Forge { to: side, nth: self.nth(), message: self.forged(), signed: self.below(3) == 0 },
        }
    }

    /// The operations of a case.
    pub fn ops(&self) -> Vec<Op> {
        (0..OPS_PER_CASE).map(|_| self.op()).collect()
    }
}
