//! What must hold between the two sides of a process: at every moment, and when nothing about it is under way.

use super::check::{Broken, Found, broken};
use fondaco_core::{
    negotiation::{self, Negotiation, Role},
    transfer::{self, Transfer},
};

/// What is known of a process besides its two sides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around {
    /// Something about it is under way: a call, a copy of a request, a message to send.
    pub busy: bool,
    /// The provider was given an address for the consumer that is not the consumer's.
    pub misdirected: bool,
    /// The last message that the consumer was sent about it came damaged, and was not understood; the same for the provider.
    pub unheard: [bool; 2],
    /// The provider's agreement is in force.
    pub in_force: bool,
}

/// Why two sides may stay different although nothing is under way, each for a reason that no node can mend by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Apart {
    /// Each side ended it before it heard of the other's end.
    Crossed,
    /// The provider cannot reach the consumer, and gave up.
    Misdirected,
    /// The consumer has not learnt what the provider calls the process, or was told wrong: it gave up and cannot tell it, or
    /// cannot be told.
    Unlearnt,
    /// The last message came damaged each time it was sent.
    Unheard,
}

impl Apart {
    /// Its name, for the statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crossed => "crossed",
            Self::Misdirected => "misdirected",
            Self::Unlearnt => "unlearnt",
            Self::Unheard => "unheard",
        }
    }
}

/// One side's end, if it came to one: its name, and who ended it. What both put in force nobody ended.
type End = Option<(&'static str, Option<Role>)>;

fn end_of_negotiation(n: &Negotiation) -> End {
    match &n.state {
        negotiation::State::Terminated { by, .. } => Some((n.state.name(), Some(*by))),
        negotiation::State::Finalized { .. } => Some((n.state.name(), None)),
        _ => None,
    }
}

fn end_of_transfer(t: &Transfer) -> End {
    match &t.state {
        transfer::State::Terminated { by, .. } | transfer::State::Completed { by } => Some((t.state.name(), Some(*by))),
        _ => None,
    }
}

/// Whoever was told of an end was told of the one that the other side made.
fn told_of_what_was_done(consumer: End, provider: End, seen: &dyn Fn() -> String) -> Found {
    let told = |of: End, by: Role, there: End| matches!(of, Some((_, Some(who))) if who == by) && of != there;
    if told(consumer, Role::Provider, provider) || told(provider, Role::Consumer, consumer) {
        return broken("nobody hears of an end that the other side did not make", format!("{}; {consumer:?}, {provider:?}", seen()));
    }
    Ok(())
}

/// What the consumer knows of the provider's name for the process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Known,
    Unknown,
    Wrong,
}

fn name(learnt: Option<&str>, is: &str) -> Name {
    learnt.map_or(Name::Unknown, |pid| if pid == is { Name::Known } else { Name::Wrong })
}

/// Why the two sides differ, if there is a reason for it; `asked` says whether each stands where the first request left it.
fn apart(consumer: End, provider: End, asked: [bool; 2], name: Name, around: Around) -> Option<Apart> {
    use Role::{Consumer as C, Provider as P};
    let ended_by = |end: End, role: Role| matches!(end, Some((_, Some(by))) if by == role);
    let unlearnt = match name {
        Name::Known => false,
        // It has heard nothing from the provider, or it would know.
        Name::Unknown => ended_by(consumer, C) && asked[1],
        Name::Wrong => ended_by(consumer, C) && provider.is_none() || ended_by(provider, P) && consumer.is_none(),
    };
    let unheard =
        around.unheard[0] && consumer.is_none() && provider.is_some() || around.unheard[1] && provider.is_none() && consumer.is_some();
    if ended_by(consumer, C) && (ended_by(provider, P) || matches!(provider, Some((_, None)))) {
        Some(Apart::Crossed)
    } else if around.misdirected && asked[0] && ended_by(provider, P) {
        Some(Apart::Misdirected)
    } else if unlearnt {
        Some(Apart::Unlearnt)
    } else {
        unheard.then_some(Apart::Unheard)
    }
}

/// Which states the two sides of a negotiation can be in at the same time. When nothing is under way: whether they may
/// stay apart, and why.
///
/// # Errors
/// The rule that they break.
pub fn negotiations(c: &Negotiation, p: &Negotiation, around: Around) -> Result<Option<Apart>, Broken> {
    let (consumer, provider) = (c.state.name(), p.state.name());
    let seen = || format!("consumer {} is {consumer}, provider {} is {provider}", c.id, p.id);
    let legal: &[&str] = match consumer {
        "REQUESTED" => &["REQUESTED", "OFFERED", "AGREED", "TERMINATED"],
        "OFFERED" => &["OFFERED", "TERMINATED"],
        "ACCEPTED" => &["OFFERED", "ACCEPTED", "AGREED", "TERMINATED"],
        "AGREED" => &["AGREED", "TERMINATED"],
        "VERIFIED" => &["AGREED", "VERIFIED", "FINALIZED", "TERMINATED"],
        "FINALIZED" => &["FINALIZED"],
        _ => &["REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED", "TERMINATED"],
    };
    if !legal.contains(&provider) {
        broken("the two sides of a negotiation fit", seen())?;
    }
    let ends = (end_of_negotiation(c), end_of_negotiation(p));
    told_of_what_was_done(ends.0, ends.1, &seen)?;
    if let (negotiation::State::Verified { agreement: a } | negotiation::State::Finalized { agreement: a }, Some(b)) =
        (&c.state, p.state.agreement())
        && a.digest != b.digest
    {
        broken("both sides hold the same agreement", seen())?;
    }
    if around.busy || consumer == provider {
        return Ok(None);
    }
    let asked = [consumer == "REQUESTED", provider == "REQUESTED"];
    let Some(why) = apart(ends.0, ends.1, asked, name(c.peer.pid.as_deref(), p.id.as_str()), around) else {
        return broken("when nothing is under way both sides are in the same state", seen()).map(|()| None);
    };
    if why == Apart::Crossed && around.in_force {
        broken("an agreement is in force on both sides or on none", seen())?;
    }
    Ok(Some(why))
}

/// The same for transfers.
///
/// # Errors
/// The rule that they break.
pub fn transfers(c: &Transfer, p: &Transfer, around: Around) -> Result<Option<Apart>, Broken> {
    let (consumer, provider) = (c.state.name(), p.state.name());
    let seen = || format!("consumer {} is {consumer}, provider {} is {provider}", c.id, p.id);
    // What the consumer knows of access the provider gave it; and an end of its own needs nobody.
    if provider == "REQUESTED" && !["REQUESTED", "TERMINATED"].contains(&consumer) {
        broken("the two sides of a transfer fit", seen())?;
    }
    let ends = (end_of_transfer(c), end_of_transfer(p));
    told_of_what_was_done(ends.0, ends.1, &seen)?;
    if around.busy {
        return Ok(None);
    }
    if let (transfer::State::Suspended { .. }, transfer::State::Suspended { .. }) = (&c.state, &p.state) {
        let by = |t: &Transfer| [Role::Consumer, Role::Provider].map(|role| t.state.suspended_by(role).map(|_| role));
        if by(c) != by(p) {
            broken("both sides know who suspended", format!("{}; the consumer says {:?}, the provider {:?}", seen(), by(c), by(p)))?;
        }
    }
    if consumer == provider {
        return Ok(None);
    }
    let asked = [consumer == "REQUESTED", provider == "REQUESTED"];
    match apart(ends.0, ends.1, asked, name(c.peer.pid.as_deref(), p.id.as_str()), around) {
        Some(why) => Ok(Some(why)),
        None => broken("when nothing is under way both sides are in the same state", seen()).map(|()| None),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::example::*, super::op::Words, *};
    use fondaco_core::{
        negotiation::{Ending, State as N},
        transfer::State as T,
    };

    const QUIET: Around = Around { busy: false, misdirected: false, unheard: [false; 2], in_force: false };
    const BUSY: Around = Around { busy: true, ..QUIET };
    const APART: &str = "when nothing is under way both sides are in the same state";
    const TOLD: &str = "nobody hears of an end that the other side did not make";

    /// What is found: why they are apart, or the rule that they break.
    fn of_negotiation(consumer: &N, provider: &N, around: Around) -> Result<Option<Apart>, &'static str> {
        let sides = (negotiation(Role::Consumer, consumer.clone()), negotiation(Role::Provider, provider.clone()));
        negotiations(&sides.0, &sides.1, around).map_err(|broken| broken.rule)
    }

    fn of_transfer(consumer: &T, provider: &T, around: Around) -> Result<Option<Apart>, &'static str> {
        let sides = (transfer(Role::Consumer, consumer.clone()), transfer(Role::Provider, provider.clone()));
        transfers(&sides.0, &sides.1, around).map_err(|broken| broken.rule)
    }

    fn requested() -> N {
        N::Requested { terms: terms(Words::Open) }
    }

    fn verified(words: Words) -> N {
        N::Verified { agreement: agreement(words) }
    }

    #[test]
    fn states_that_no_message_explains_are_found_at_any_moment() {
        let offered = N::Offered { terms: terms(Words::Open), asked: terms(Words::Open) };
        assert_eq!(of_negotiation(&offered, &requested(), BUSY), Err("the two sides of a negotiation fit"));
        assert_eq!(of_negotiation(&finalized(), &verified(Words::Open), BUSY), Err("the two sides of a negotiation fit"));
        assert_eq!(of_negotiation(&finalized(), &terminated(Role::Provider), BUSY), Err("the two sides of a negotiation fit"));
        assert_eq!(of_transfer(&started(), &T::Requested, BUSY), Err("the two sides of a transfer fit"));
        assert_eq!(of_transfer(&T::Completed { by: Role::Consumer }, &T::Requested, BUSY), Err("the two sides of a transfer fit"));
        assert_eq!(of_negotiation(&verified(Words::Open), &verified(Words::Three), BUSY), Err("both sides hold the same agreement"));
        assert_eq!(of_negotiation(&verified(Words::Open), &verified(Words::Open), BUSY), Ok(None));
    }

    #[test]
    fn nobody_hears_of_an_end_that_was_not_made() {
        assert_eq!(of_negotiation(&terminated(Role::Provider), &requested(), BUSY), Err(TOLD));
        assert_eq!(of_negotiation(&terminated(Role::Provider), &finalized(), BUSY), Err(TOLD));
        assert_eq!(of_negotiation(&requested(), &terminated(Role::Consumer), BUSY), Err(TOLD));
        assert_eq!(of_negotiation(&requested(), &terminated(Role::Provider), BUSY), Ok(None), "it will be told");
        assert_eq!(of_transfer(&T::Completed { by: Role::Provider }, &ended(Role::Provider), QUIET), Err(TOLD));
        assert_eq!(of_transfer(&started(), &ended(Role::Consumer), BUSY), Err(TOLD));
        assert_eq!(of_transfer(&ended(Role::Provider), &ended(Role::Provider), QUIET), Ok(None));
    }

    #[test]
    fn what_is_quiet_is_alike_on_both_sides() {
        assert_eq!(of_negotiation(&verified(Words::Open), &finalized(), BUSY), Ok(None));
        assert_eq!(of_negotiation(&verified(Words::Open), &finalized(), QUIET), Err(APART));
        assert_eq!(of_negotiation(&requested(), &terminated(Role::Provider), QUIET), Err(APART));
        assert_eq!(of_transfer(&started(), &suspended(Role::Provider), QUIET), Err(APART));
        let (ours, theirs) = (suspended(Role::Consumer), suspended(Role::Provider));
        assert_eq!(of_transfer(&ours, &theirs, QUIET), Err("both sides know who suspended"));
        assert_eq!(of_transfer(&ours, &theirs, BUSY), Ok(None), "two suspensions cross");
        let both = T::Suspended { by: Role::Provider, ending: Ending::default(), consumer: Some(Ending::default()), answers_due: 0 };
        assert_eq!(of_transfer(&both, &theirs, QUIET), Err("both sides know who suspended"));
        assert_eq!(of_transfer(&ours, &both, QUIET), Err("both sides know who suspended"));
        assert_eq!(of_transfer(&both, &both, QUIET), Ok(None));
    }

    #[test]
    fn ends_that_crossed_are_of_both_sides() {
        let crossed = Ok(Some(Apart::Crossed));
        assert_eq!(of_negotiation(&terminated(Role::Consumer), &finalized(), QUIET), crossed);
        let in_force = Around { in_force: true, ..QUIET };
        assert_eq!(
            of_negotiation(&terminated(Role::Consumer), &finalized(), in_force),
            Err("an agreement is in force on both sides or on none")
        );
        assert_eq!(of_transfer(&T::Completed { by: Role::Consumer }, &ended(Role::Provider), QUIET), crossed);
        assert_eq!(of_transfer(&T::Completed { by: Role::Consumer }, &started(), QUIET), Err(APART));
    }

    #[test]
    fn what_is_lost_for_good_explains_no_more_than_it_must() {
        let misdirected = Around { misdirected: true, ..QUIET };
        assert_eq!(of_negotiation(&requested(), &terminated(Role::Provider), misdirected), Ok(Some(Apart::Misdirected)));
        assert_eq!(of_negotiation(&verified(Words::Open), &terminated(Role::Provider), misdirected), Err(APART));
        assert_eq!(of_negotiation(&requested(), &verified(Words::Open), misdirected), Err("the two sides of a negotiation fit"));
        assert_eq!(of_transfer(&T::Requested, &started(), misdirected), Err(APART));

        let unheard = Around { unheard: [true, false], ..QUIET };
        assert_eq!(of_negotiation(&verified(Words::Open), &finalized(), unheard), Ok(Some(Apart::Unheard)));
        assert_eq!(of_negotiation(&terminated(Role::Consumer), &verified(Words::Open), unheard), Err(APART), "it was the other one");
        assert_eq!(of_transfer(&started(), &suspended(Role::Provider), unheard), Err(APART), "no last message");
        let unheard = Around { unheard: [false, true], ..QUIET };
        assert_eq!(of_transfer(&ended(Role::Consumer), &started(), unheard), Ok(Some(Apart::Unheard)));

        let mut consumer = negotiation(Role::Consumer, terminated(Role::Consumer));
        let (asked, agreed) = (negotiation(Role::Provider, requested()), negotiation(Role::Provider, verified(Words::Open)));
        assert!(negotiations(&consumer, &asked, QUIET).is_err(), "it could have told it");
        consumer.peer.pid = None;
        assert_eq!(negotiations(&consumer, &asked, QUIET), Ok(Some(Apart::Unlearnt)));
        assert!(negotiations(&consumer, &agreed, QUIET).is_err(), "it has heard from the provider since");
        consumer.peer.pid = Some("another".into());
        assert_eq!(negotiations(&consumer, &agreed, QUIET), Ok(Some(Apart::Unlearnt)));
        consumer.state = requested();
        assert!(negotiations(&consumer, &negotiation(Role::Provider, finalized()), QUIET).is_err());
    }
}
