//! Bargaining about a price by rule: what a floor (provider) or a ceiling (consumer) makes of the terms on the table.
//!
//! All other terms must fit what their owner wrote; a price in another currency, or none where one is asked for, is never
//! agreed to, since nothing here converts money.

use crate::{
    decision::{Action, BARGAIN_ROUNDS, Choice, Decision},
    policy::Policy,
    price::Price,
};

/// How far the bargaining is.
#[derive(Clone, Copy)]
pub(crate) struct Round {
    /// Requests and offers so far.
    pub(crate) n: u32,
    /// How many there may be.
    pub(crate) max: u32,
}

impl Round {
    pub(crate) fn of(decision: &Decision, n: u32) -> Self {
        Self { n, max: decision.rounds.unwrap_or(BARGAIN_ROUNDS) }
    }
    const fn is_last(self) -> bool {
        self.n >= self.max
    }
}

/// The provider's answer to a request: agrees at the floor or above it, and below it offers what was asked for at the
/// floor. `written` are the widest other terms.
pub(crate) fn answer_request(written: &Policy, floor: Price, asked: &Policy, otherwise: Action, round: Round) -> Choice {
    let high_enough = asked.price.and_then(|price| price.at_least(floor));
    match (high_enough, written.covers_but_for_price(asked), otherwise) {
        (Some(true), true, _) => Action::Agree.into(),
        (_, _, Action::Hold) => Action::Hold.into(),
        (None, _, _) => end(format!("The price has to be named, in {}.", floor.currency())),
        (_, _, Action::Offer) if round.is_last() => too_long(round),
        (Some(false), true, Action::Offer) => with_terms(Action::Offer, &asked.at(Some(floor))),
        (_, _, otherwise) => otherwise.into(),
    }
}

/// The consumer's answer to an offer: accepts it up to the ceiling, and asks for `least`, the narrowest terms that are
/// worth having, at the ceiling once if the rule says so.
pub(crate) fn answer_offer(
    least: &Policy,
    ceiling: Price,
    offered: &Policy,
    asked: Option<&Policy>,
    otherwise: Action,
    round: Round,
) -> Choice {
    let low_enough = offered.price.map_or(Some(true), |price| ceiling.at_least(price));
    match (low_enough, offered.covers_but_for_price(least), otherwise) {
        (Some(true), true, _) => Action::Accept.into(),
        (None, _, Action::Counter) => Action::Hold.into(),
        (_, _, Action::Counter) => {
            let wish = least.at(Some(ceiling));
            match asked {
                _ if round.is_last() => too_long(round),
                // It was refused before: whether it is worth more is for a person.
                Some(asked) if *asked == wish => Action::Hold.into(),
                _ => with_terms(Action::Counter, &wish),
            }
        }
        (_, _, otherwise) => otherwise.into(),
    }
}

fn with_terms(action: Action, terms: &Policy) -> Choice {
    Choice { terms: Some(terms.to_odrl()), ..action.into() }
}

fn end(reason: String) -> Choice {
    Choice { reason: Some(reason), ..Action::Terminate.into() }
}

fn too_long(round: Round) -> Choice {
    end(format!("No price was found in {} requests and offers.", round.n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Constraint, Permission};

    fn terms(reads: u64, price: Option<&str>) -> Policy {
        let permission = Permission { constraints: vec![Constraint::Count { limit: reads }] };
        Policy::free(vec![permission]).at(price.map(|p| Price::read(p).expect("price")))
    }

    fn price(text: &str) -> Price {
        Price::read(text).expect("price")
    }

    const FIRST: Round = Round { n: 1, max: 6 };

    #[test]
    fn a_provider_agrees_from_its_floor_up_and_offers_the_floor_below_it() {
        let answer = |asked: &Policy, otherwise, round| answer_request(&terms(100, None), price("80 CNY"), asked, otherwise, round);
        for enough in ["80 CNY", "80.01 CNY", "120 CNY"] {
            assert_eq!(answer(&terms(100, Some(enough)), Action::Offer, FIRST), Action::Agree.into(), "{enough}");
            assert_eq!(answer(&terms(9, Some(enough)), Action::Terminate, FIRST), Action::Agree.into(), "less of it for {enough}");
        }
        let low = terms(50, Some("79.99 CNY"));
        let countered = answer(&low, Action::Offer, FIRST);
        assert_eq!((countered.action, countered.terms), (Action::Offer, Some(terms(50, Some("80 CNY")).to_odrl())));
        assert_eq!(answer(&low, Action::Terminate, FIRST), Action::Terminate.into());
        assert_eq!(answer(&low, Action::Hold, FIRST), Action::Hold.into());
        // More than is on offer: the published terms, whatever the price.
        assert_eq!(answer(&terms(101, Some("500 CNY")), Action::Offer, FIRST), Action::Offer.into());
        let ended = answer(&low, Action::Offer, Round { n: 6, max: 6 });
        assert!(ended.action == Action::Terminate && ended.reason.is_some_and(|r| r.contains("6 requests")));
        assert_eq!(answer(&terms(100, Some("80 CNY")), Action::Offer, Round { n: 9, max: 6 }), Action::Agree.into(), "late, but enough");
    }

    #[test]
    fn no_price_and_another_currency_are_refused() {
        for strange in [None, Some("500 EUR"), Some("500 USD")] {
            let asked = terms(100, strange);
            let answer = |otherwise| answer_request(&terms(100, None), price("80 CNY"), &asked, otherwise, FIRST);
            for otherwise in [Action::Offer, Action::Terminate] {
                let refused = answer(otherwise);
                assert!(refused.action == Action::Terminate && refused.reason.is_some_and(|r| r.contains("CNY")), "{strange:?}");
            }
            assert_eq!(answer(Action::Hold), Action::Hold.into(), "a person may look at it");
        }
        let offered = terms(100, Some("1 EUR"));
        let answer = |otherwise| answer_offer(&terms(50, None), price("95 CNY"), &offered, None, otherwise, FIRST);
        assert_eq!([answer(Action::Hold), answer(Action::Counter)], [Action::Hold.into(), Action::Hold.into()]);
        assert_eq!(answer(Action::Terminate), Action::Terminate.into());
    }

    #[test]
    fn a_consumer_accepts_up_to_its_ceiling_and_names_it_once() {
        let asked = terms(50, Some("70 CNY"));
        let answer = |offered: &Policy, asked: &Policy, otherwise, round| {
            answer_offer(&terms(50, None), price("95 CNY"), offered, Some(asked), otherwise, round)
        };
        for (reads, fair) in [(50, Some("95 CNY")), (100, Some("80 CNY")), (50, None)] {
            assert_eq!(answer(&terms(reads, fair), &asked, Action::Hold, FIRST), Action::Accept.into(), "{fair:?}");
        }
        let dear = terms(50, Some("95.01 CNY"));
        assert_eq!(answer(&dear, &asked, Action::Hold, FIRST), Action::Hold.into());
        assert_eq!(answer(&dear, &asked, Action::Terminate, FIRST), Action::Terminate.into());
        let wish = terms(50, Some("95 CNY"));
        let countered = answer(&dear, &asked, Action::Counter, FIRST);
        assert_eq!((countered.action, countered.terms), (Action::Counter, Some(wish.to_odrl())));
        assert_eq!(answer(&dear, &wish, Action::Counter, FIRST), Action::Hold.into(), "it was refused before");
        assert_eq!(answer(&dear, &asked, Action::Counter, Round { n: 6, max: 6 }).action, Action::Terminate);
        assert_eq!(answer(&terms(49, Some("1 CNY")), &asked, Action::Hold, FIRST), Action::Hold.into(), "too little");
    }
}
