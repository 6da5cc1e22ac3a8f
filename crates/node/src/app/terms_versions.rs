//! The versions of the terms of a negotiation, one after another, from its events.

use fondaco_core::{
    negotiation::{Negotiation, Role, State, Terms},
    policy::compare::compare,
    time::Timestamp,
};
use fondaco_store::Event;
use serde_json::{Value, json};

/// Largest terms that are kept with their event, as JSON: an event has room for so much, and nobody reads more. Those
/// beyond it are known as long as they are on the table.
const KEPT_MAX_BYTES: usize = 32 * 1024;

/// Where a version comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The offer in our catalogue.
    Published,
    /// The consumer's request.
    Asked,
    /// The provider's offer.
    Offered,
    /// The agreement.
    Agreement,
}

impl Origin {
    /// Whose it is.
    pub const fn by(self) -> Role {
        match self {
            Self::Asked => Role::Consumer,
            Self::Published | Self::Offered | Self::Agreement => Role::Provider,
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Asked => "asked",
            Self::Offered => "offered",
            Self::Agreement => "agreement",
        }
    }
}

/// A version of the terms.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Where it comes from.
    pub origin: Origin,
    /// When it came.
    pub at: Timestamp,
    /// Its ODRL.
    pub odrl: Value,
    /// The ids of the events that brought it.
    pub events: Vec<i64>,
}

/// What an event of a request or an offer remembers of its terms: nothing but the offer's id where they are those that
/// the negotiation knows anyway.
pub fn remembered(n: &Negotiation) -> Value {
    let Some(terms) = on_the_table(&n.state) else { return Value::Null };
    if same(&terms.odrl, &n.reference_terms.odrl) {
        return json!({"offer": terms.offer_id});
    }
    if terms.odrl.to_string().len() > KEPT_MAX_BYTES {
        return Value::Null;
    }
    json!({"offer": terms.offer_id, "odrl": terms.odrl})
}

/// Whether both say the same, however they are written.
fn same(a: &Value, b: &Value) -> bool {
    a == b || compare(a, b).is_same()
}

/// The terms that a message has just brought.
const fn on_the_table(state: &State) -> Option<&Terms> {
    match state {
        State::Requested { terms } | State::Offered { terms, .. } => Some(terms),
        _ => None,
    }
}

fn add(all: &mut Vec<Version>, origin: Origin, at: Timestamp, odrl: &Value, event: Option<i64>) {
    match all.last_mut() {
        Some(last) if same(&last.odrl, odrl) => last.events.extend(event),
        _ => all.push(Version { origin, at, odrl: odrl.clone(), events: event.into_iter().collect() }),
    }
}

/// All versions, the first first. A message that repeats the version before it is none of its own.
pub fn versions(n: &Negotiation, events: &[Event]) -> Vec<Version> {
    let mut all: Vec<Version> = Vec::new();
    for event in events {
        let origin = match event.kind.as_str() {
            "negotiation.requested" => Origin::Asked,
            "negotiation.offered" => Origin::Offered,
            _ => continue,
        };
        let terms = &event.detail["terms"];
        match &terms["odrl"] {
            Value::Null if terms.is_object() => add(&mut all, origin, event.at, &n.reference_terms.odrl, Some(event.id)),
            Value::Null => {}
            odrl => add(&mut all, origin, event.at, odrl, Some(event.id)),
        }
    }
    // Too large for their event.
    if let Some(terms) = on_the_table(&n.state) {
        let origin = if matches!(n.state, State::Offered { .. }) { Origin::Offered } else { Origin::Asked };
        add(&mut all, origin, n.updated_at, &terms.odrl, None);
    }
    if let Some(agreement) = n.state.agreement()
        && all.last().is_some_and(|last| !same(&last.odrl, &agreement.document))
    {
        add(&mut all, Origin::Agreement, agreement.timestamp, &agreement.document, None);
    }
    // What was published is worth seeing where the first request asks for something else.
    if n.role == Role::Provider && all.first().is_some_and(|first| !same(&first.odrl, &n.reference_terms.odrl)) {
        all.insert(0, Version { origin: Origin::Published, at: n.created_at, odrl: n.reference_terms.odrl.clone(), events: Vec::new() });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_core::{
        agreement::Agreement,
        decision::Rules,
        ids::NegotiationId,
        negotiation::{Ending, Peer},
        participant::{Declarations, Did, Slug},
    };
    use std::collections::BTreeMap;

    fn odrl(n: u64) -> Value {
        json!({"permission": [{"action": "use", "constraint": [{"leftOperand": "count", "operator": "lteq", "rightOperand": n}]}]})
    }

    fn terms(n: u64) -> Terms {
        Terms { offer_id: "off".into(), odrl: odrl(n) }
    }

    fn negotiation(role: Role, state: State) -> Negotiation {
        Negotiation {
            id: NegotiationId::from_stored("neg_1"),
            participant: Slug::parse("acme").expect("slug"),
            own_did: Did::parse("did:web:a").expect("did"),
            role,
            peer: Peer { did: Did::parse("did:web:b").expect("did"), pid: None, address: String::new() },
            dataset: "ds".into(),
            formats: Vec::new(),
            state,
            reference_terms: terms(1),
            declared: Declarations::default(),
            rules: Rules::default(),
            reached: BTreeMap::new(),
            rounds: 1,
            revision: 0,
            created_at: Timestamp::from_micros(1),
            updated_at: Timestamp::from_micros(9),
        }
    }

    fn event(id: i64, n: &Negotiation) -> Event {
        Event {
            id,
            participant: n.participant.clone(),
            topic: "negotiation:neg_1".into(),
            kind: format!("negotiation.{}", n.state.name().to_ascii_lowercase()),
            actor: String::new(),
            text: String::new(),
            detail: json!({"terms": remembered(n)}),
            at: Timestamp::from_micros(id),
        }
    }

    fn seen(n: &Negotiation, events: &[Event]) -> Vec<(&'static str, Value)> {
        versions(n, events).into_iter().map(|v| (v.origin.as_str(), v.odrl)).collect()
    }

    #[test]
    fn each_request_and_offer_is_a_version_and_a_repetition_is_none() {
        let requested = |n| State::Requested { terms: terms(n) };
        let offered = |n| State::Offered { terms: terms(n), asked: terms(1) };
        let way: Vec<Negotiation> =
            [requested(2), offered(1), requested(3), offered(3)].into_iter().map(|s| negotiation(Role::Provider, s)).collect();
        let events: Vec<Event> = way.iter().zip(1..).map(|(n, id)| event(id, n)).collect();
        let last = way.last().expect("one");
        assert_eq!(seen(last, &events), [("published", odrl(1)), ("asked", odrl(2)), ("offered", odrl(1)), ("asked", odrl(3))]);
        assert_eq!(versions(last, &events)[3].events, [3, 4]);
        let consumer = negotiation(Role::Consumer, requested(1));
        assert_eq!(seen(&consumer, &[event(1, &consumer)]), [("asked", odrl(1))], "nothing was published here");
    }

    #[test]
    fn an_agreement_that_says_something_else_is_a_version() {
        let made = |n| {
            let (a, b) = (Did::parse("did:web:b").expect("did"), Did::parse("did:web:a").expect("did"));
            Agreement::make("agr", "ds", &a, &b, Timestamp::from_micros(5), &odrl(n)).expect("agreement")
        };
        let asked = event(1, &negotiation(Role::Consumer, State::Requested { terms: terms(1) }));
        let agreed = |n| negotiation(Role::Consumer, State::Agreed { agreement: made(n), terms: terms(1) });
        assert_eq!(seen(&agreed(1), std::slice::from_ref(&asked)).len(), 1);
        let other = seen(&agreed(2), &[asked]);
        assert_eq!((other.len(), other[1].0), (2, "agreement"));
    }

    #[test]
    fn terms_that_no_event_remembers_are_known_while_they_are_on_the_table() {
        let huge = json!({"permission": [{"action": "use", "note": "x".repeat(KEPT_MAX_BYTES)}]});
        let n = negotiation(Role::Provider, State::Requested { terms: Terms { offer_id: "off".into(), odrl: huge.clone() } });
        assert_eq!(remembered(&n), Value::Null);
        assert_eq!(seen(&n, &[event(1, &n)]), [("published", odrl(1)), ("asked", huge)]);
        assert_eq!(seen(&negotiation(Role::Consumer, State::Terminated { by: Role::Consumer, ending: Ending::default() }), &[]), []);
    }
}
