//! The simulation of two parties, and what it found: each mistake is a test of its own, by name.

use fondaco_core::decision::Action::{Complete, Start, Suspend, Terminate};
use fondaco_testkit::simulation::{
    Alteration::{Garbage, Terms},
    Case,
    Fate::{self, Altered, CutAnswer, CutRequest, LoseAnswer, Twice, Whole},
    Forged::{Agreement, Termination},
    Manner::{self, Eager, Fickle, Haggling, Person, Plain},
    Op::{self, Ask, AskAccess, Calm, Carry, EndAgreement, Fail, Forge, Late, Restart, Step, StepTransfer, Wait, Work},
    Plant, Setup,
    Side::{Left, Right},
    Simulator, Tally,
    Words::{self, Open, Strange, Three},
};

/// Seeds simulated with every run of the tests; `cargo xtask simulate` runs as many as you like.
const SEEDS: u64 = 40;

/// A case that broke a rule once; what it comes to now.
fn reproduce(seed: u64, setup: Setup, ops: &[Op]) -> Tally {
    let case = Case { seed, setup, ops: ops.to_vec() };
    Simulator::new(None).run(&case).unwrap_or_else(|failure| panic!("{failure}"))
}

/// How many processes there are, and that their two sides are alike.
fn alike(tally: &Tally, processes: u64) {
    assert_eq!(tally.pairs, [("alike".to_owned(), processes)].into(), "{tally:?}");
}

#[test]
fn two_parties_agree_whatever_the_network_does() {
    let simulator = Simulator::new(None);
    let (mut finalized, mut started) = (0, 0);
    for seed in 0..SEEDS {
        match simulator.run(&Case::of(seed)) {
            Ok(tally) => {
                finalized += tally.ends.get("negotiation FINALIZED").unwrap_or(&0);
                started += tally.ends.iter().filter(|(end, _)| end.starts_with("transfer")).map(|(_, n)| n).sum::<u64>();
            }
            Err(failure) => panic!("{}", simulator.shrink(*failure)),
        }
    }
    assert!(finalized > SEEDS / 4 && started > SEEDS / 10, "the cases lead somewhere: {finalized} agreements, {started} transfers");
}

#[test]
fn a_seed_is_a_case() {
    let run = |seed| Simulator::new(None).run(&Case::of(seed)).expect("no rule is broken").trace;
    for seed in 0..3 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
    assert_ne!(run(0), run(1));
}

/// A simulation that cannot fail shows nothing: a planted mistake is found among other operations, and shrunk to what it
/// needs.
fn is_found(plant: Plant, rule: &str, left: Manner, asked: Option<Words>, fault: Fate, needs: usize) {
    let simulator = Simulator::new(Some(plant));
    let ops = vec![
        Wait { seconds: 3 },
        Ask { side: Left, offer: 1, words: asked },
        Restart { side: Right },
        Work { side: Left },
        Carry { nth: 0, fate: Whole },
        Ask { side: Right, offer: 0, words: None },
        Work { side: Right },
        Carry { nth: 0, fate: fault },
        Ask { side: Left, offer: 2, words: None },
        Wait { seconds: 1 },
        Calm,
        Calm,
    ];
    let case = Case { seed: 1, setup: Setup { left: [left, Plain], ..BOTH_PLAIN }, ops };
    assert!(Simulator::new(None).run(&case).is_ok(), "the parties without the mistake break nothing");
    let failure = simulator.shrink(*simulator.run(&case).expect_err("found"));
    assert_eq!(failure.broken.rule, rule, "{failure}");
    assert!(failure.case.ops.len() <= needs, "{failure}");
}

#[test]
fn a_consumer_that_takes_any_agreement_is_found() {
    is_found(Plant::AnyAgreement, "what is agreed was asked for", Plain, None, Altered(Terms(Three)), 5);
}

#[test]
fn nodes_that_forget_messages_are_found() {
    is_found(Plant::ForgottenMessages, "a redelivery changes nothing", Haggling, Some(Open), LoseAnswer, 7);
}

/// The same for a mistake in what the parties say and answer: no other operations are needed.
fn is_seen(plant: Plant, rule: &str, ops: &[Op]) {
    let case = Case { seed: 1, setup: BOTH_PLAIN, ops: ops.to_vec() };
    assert!(Simulator::new(None).run(&case).is_ok(), "the parties without the mistake break nothing");
    let failure = Simulator::new(Some(plant)).run(&case).expect_err("found");
    assert_eq!(failure.broken.rule, rule, "{failure}");
}

const ASKS: Op = Ask { side: Left, offer: 0, words: None };

const fn carry(fate: Fate) -> Op {
    Carry { nth: 0, fate }
}

#[test]
fn nodes_that_end_in_silence_are_found() {
    let ops = [ASKS, Calm, AskAccess { side: Left, nth: 0 }, Calm, StepTransfer { side: Left, nth: 0, action: Terminate }];
    is_seen(Plant::Silence, "when nothing is under way both sides are in the same state", &ops);
}

#[test]
fn nodes_that_believe_strangers_are_found() {
    let ops = [ASKS, Forge { to: Left, nth: 0, message: Termination, signed: false }];
    is_seen(Plant::Credulity, "a forged message changes nothing", &ops);
}

#[test]
fn nodes_that_take_half_a_message_are_found() {
    is_seen(Plant::HalfIsEnough, "half a message is refused", &[ASKS, Work { side: Left }, carry(CutRequest)]);
}

#[test]
fn nodes_that_fail_are_found() {
    is_seen(Plant::Unwell, "what arrives is taken or refused", &[ASKS, Work { side: Left }, carry(Twice), Late { nth: 0 }]);
}

#[test]
fn nodes_that_ask_back_are_found() {
    is_seen(Plant::AsksBack, "a message is answered without asking others", &[ASKS, Work { side: Left }, carry(Whole)]);
}

const BOTH_PLAIN: Setup = Setup { left: [Plain, Plain], right: [Plain, Plain] };

/// A rule "verify" once stood by whatever agreement came.
#[test]
fn an_eager_consumer_verifies_no_other_agreement() {
    reproduce(
        147,
        Setup { left: [Plain, Plain], right: [Eager, Plain] },
        &[Ask { side: Right, offer: 3, words: Some(Three) }, Forge { to: Right, nth: 3, message: Agreement(Strange), signed: true }],
    );
}

/// A consumer that could not read the answer to its request gave up at once, and the provider waited for ever.
#[test]
fn a_damaged_answer_to_a_request_is_asked_for_again() {
    reproduce(
        72,
        Setup { left: [Plain, Person], right: [Plain, Plain] },
        &[Ask { side: Right, offer: 1, words: None }, Work { side: Right }, Carry { nth: 0, fate: CutAnswer }],
    );
}

/// A suspension that crossed a completion ended the transfer on one side and completed it on the other.
#[test]
fn a_suspension_that_crosses_a_completion_changes_nothing() {
    reproduce(
        64,
        BOTH_PLAIN,
        &[
            Ask { side: Left, offer: 2, words: None },
            Calm,
            AskAccess { side: Left, nth: 1 },
            Calm,
            StepTransfer { side: Right, nth: 1, action: Suspend },
            StepTransfer { side: Left, nth: 3, action: Complete },
        ],
    );
}

/// A provider that completed what it had just started dropped the start, and its completion came too early.
#[test]
fn a_completion_does_not_overtake_the_start() {
    reproduce(
        70,
        BOTH_PLAIN,
        &[
            Ask { side: Right, offer: 2, words: None },
            Calm,
            Fail { side: Right, seconds: 30 },
            AskAccess { side: Right, nth: 1 },
            Calm,
            StepTransfer { side: Left, nth: 2, action: Complete },
        ],
    );
}

/// What a provider gave up stayed with its consumer for ever: the agreement was refused, and nobody said so.
#[test]
fn what_is_given_up_ends_on_both_sides() {
    let tally = reproduce(1, BOTH_PLAIN, &[ASKS, Work { side: Left }, carry(Whole), Work { side: Right }, carry(Altered(Garbage))]);
    alike(&tally, 1);
    assert_eq!(tally.ends.get("negotiation TERMINATED"), Some(&1), "{tally:?}");
}

/// A consumer that ended the negotiation while the provider put the agreement in force held none, and the provider one.
#[test]
fn an_end_that_crosses_the_finalisation_leaves_no_agreement() {
    let tally = reproduce(
        1,
        BOTH_PLAIN,
        &[
            ASKS,
            Work { side: Left },
            carry(Whole),
            Work { side: Right },
            carry(Whole),
            Work { side: Left },
            carry(Whole),
            Step { side: Left, nth: 0, action: Terminate, words: None },
        ],
    );
    // The rule is that no agreement is in force then.
    assert_eq!(tally.pairs, [("crossed".to_owned(), 1)].into(), "{tally:?}");
}

const ALL_HOLD: Setup = Setup { left: [Plain, Person], right: [Plain, Person] };

/// An end that arrived damaged was refused, and not said again.
#[test]
fn an_end_that_was_damaged_is_said_again() {
    let ends_negotiation = [ASKS, Calm, Step { side: Left, nth: 0, action: Terminate, words: None }];
    let ends_transfer = [ASKS, Calm, AskAccess { side: Left, nth: 0 }, Calm, StepTransfer { side: Left, nth: 0, action: Terminate }];
    let completes = [ASKS, Calm, AskAccess { side: Left, nth: 0 }, Calm, StepTransfer { side: Left, nth: 0, action: Complete }];
    for (setup, before, processes) in [(ALL_HOLD, &ends_negotiation[..], 1), (BOTH_PLAIN, &ends_transfer, 2), (BOTH_PLAIN, &completes, 2)] {
        let damaged = [Work { side: Left }, carry(Altered(Garbage)), Wait { seconds: 1 }];
        let ops: Vec<Op> = before.iter().chain(&damaged).chain(&damaged).copied().collect();
        alike(&reproduce(1, setup, &ops), processes);
    }
}

/// The same for the last word of a negotiation that comes to something.
#[test]
fn a_finalisation_that_was_damaged_is_said_again() {
    let steps = [Work { side: Left }, carry(Whole), Work { side: Right }, carry(Whole)];
    let ops: Vec<Op> = [&[ASKS][..], &steps, &[Work { side: Left }, carry(Whole), Work { side: Right }, carry(Altered(Garbage))]].concat();
    let tally = reproduce(1, BOTH_PLAIN, &ops);
    alike(&tally, 1);
    assert_eq!(tally.ends.get("negotiation FINALIZED"), Some(&1), "{tally:?}");
}

/// A consumer whose provider was away for some time gave up at the first answer that came damaged.
#[test]
fn a_damaged_answer_after_an_outage_is_asked_for_again() {
    let tries = [Work { side: Left }, carry(Whole), Wait { seconds: 6 }];
    let outage = [&tries[..], &tries, &tries, &tries, &[Wait { seconds: 600 }, Work { side: Left }, carry(CutAnswer)]].concat();
    alike(&reproduce(1, ALL_HOLD, &[&[ASKS, Fail { side: Right, seconds: 30 }][..], &outage].concat()), 1);
}

/// Two suspensions that crossed left each side the only one that might resume; nobody could.
#[test]
fn two_suspensions_that_cross_are_of_both_sides() {
    let tally = reproduce(
        3818,
        BOTH_PLAIN,
        &[
            ASKS,
            Calm,
            AskAccess { side: Left, nth: 1 },
            Calm,
            StepTransfer { side: Left, nth: 1, action: Suspend },
            StepTransfer { side: Right, nth: 1, action: Suspend },
        ],
    );
    alike(&tally, 2);
    assert_eq!(tally.ends.get("transfer SUSPENDED"), Some(&1), "{tally:?}");
}

/// A provider that suspended and resumed before the consumer's suspension arrived was SUSPENDED, and the consumer, which heard
/// of both after its own, STARTED.
#[test]
fn a_suspension_that_crosses_a_suspension_and_a_resumption_stays() {
    let resumes_before_it_hears = [
        Ask { side: Right, offer: 3, words: None },
        Calm,
        AskAccess { side: Right, nth: 1 },
        Calm,
        StepTransfer { side: Left, nth: 2, action: Suspend },
        StepTransfer { side: Right, nth: 2, action: Suspend },
        StepTransfer { side: Left, nth: 1, action: Start },
    ];
    let tally = reproduce(8058, BOTH_PLAIN, &resumes_before_it_hears);
    alike(&tally, 2);
    assert_eq!(tally.ends.get("transfer SUSPENDED"), Some(&1), "it is the consumer's now: {tally:?}");
    let hears_before_it_resumes = [&resumes_before_it_hears[..6], &[Calm, StepTransfer { side: Left, nth: 1, action: Start }]].concat();
    let again = reproduce(8058, BOTH_PLAIN, &hears_before_it_resumes);
    assert_eq!((&again.ends, &again.pairs), (&tally.ends, &tally.pairs), "whoever heard of it first");
    let both_resumed = [&hears_before_it_resumes[..], &[Calm, StepTransfer { side: Right, nth: 1, action: Start }]].concat();
    let tally = reproduce(8058, BOTH_PLAIN, &both_resumed);
    alike(&tally, 2);
    assert_eq!(tally.ends.get("transfer STARTED"), Some(&1), "{tally:?}");
}

/// The same with a provider whose rules suspend and resume.
#[test]
fn a_suspension_that_crosses_those_of_a_rule_stays() {
    let tally = reproduce(
        9522,
        Setup { left: [Plain, Fickle], right: [Plain, Plain] },
        &[
            Ask { side: Right, offer: 2, words: None },
            Calm,
            AskAccess { side: Right, nth: 3 },
            Calm,
            StepTransfer { side: Left, nth: 2, action: Suspend },
            Wait { seconds: 1 },
            StepTransfer { side: Right, nth: 1, action: Suspend },
        ],
    );
    alike(&tally, 2);
}

/// A consumer's resumption that crossed a suspension of the provider's was refused, and the transfer ended for it.
#[test]
fn a_resumption_that_crosses_a_suspension_ends_nothing() {
    let tally = reproduce(
        1,
        BOTH_PLAIN,
        &[
            ASKS,
            Calm,
            AskAccess { side: Left, nth: 0 },
            Calm,
            StepTransfer { side: Left, nth: 0, action: Suspend },
            Calm,
            StepTransfer { side: Left, nth: 0, action: Start },
            StepTransfer { side: Right, nth: 0, action: Suspend },
        ],
    );
    alike(&tally, 2);
    assert_eq!(tally.ends.get("transfer SUSPENDED"), Some(&1), "{tally:?}");
}

/// A provider's suspension that was damaged was taken as heard where the consumer had suspended the transfer itself.
#[test]
fn a_suspension_that_was_damaged_is_said_again() {
    let tally = reproduce(
        7836,
        Setup { left: [Plain, Plain], right: [Fickle, Plain] },
        &[
            Ask { side: Right, offer: 2, words: None },
            Calm,
            AskAccess { side: Right, nth: 1 },
            Calm,
            Wait { seconds: 60 },
            EndAgreement { side: Left, nth: 3 },
            Work { side: Left },
            Work { side: Left },
            Carry { nth: 1, fate: Altered(Garbage) },
        ],
    );
    alike(&tally, 2);
}
