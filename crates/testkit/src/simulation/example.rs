//! Processes for the tests of the rules.

use super::op::{Side, Words};
use fondaco_core::{
    agreement::Agreement,
    decision::Rules,
    ids::{NegotiationId, TransferId},
    life::{Life, LifeTerms, Own},
    negotiation::{self, Ending, Negotiation, Peer, Role, Terms},
    participant::{Declarations, Did, Slug},
    time::Timestamp,
    transfer::{self, Transfer},
};
use fondaco_store::AgreementRow;
use std::collections::BTreeMap;

pub const NOW: Timestamp = Timestamp::from_micros(1_000_000);

fn did(role: Role) -> Did {
    Did::parse(&format!("did:web:{}.example", role.as_str())).expect("a did")
}

/// The consumer is the left party.
fn peer(role: Role) -> Peer {
    let (side, pid) = if role == Role::Provider { (Side::Left, "consumer") } else { (Side::Right, "provider") };
    Peer { did: did(role.other()), pid: Some(pid.into()), address: super::party::dsp(side) }
}

pub fn terms(words: Words) -> Terms {
    Terms { offer_id: "offer-0".into(), odrl: words.odrl() }
}

pub fn agreement(words: Words) -> Agreement {
    Agreement::make("agr", "wind@1", &did(Role::Provider), &did(Role::Consumer), NOW, &words.odrl()).expect("an agreement")
}

pub fn negotiation(role: Role, state: negotiation::State) -> Negotiation {
    Negotiation {
        id: NegotiationId::from_stored(role.as_str()),
        participant: Slug::parse("a").expect("a slug"),
        own_did: did(role),
        role,
        peer: peer(role),
        dataset: "wind@1".into(),
        formats: Vec::new(),
        state,
        reference_terms: terms(Words::Open),
        declared: Declarations::default(),
        rules: Rules::default(),
        reached: BTreeMap::new(),
        rounds: 1,
        revision: 7,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub fn transfer(role: Role, state: transfer::State) -> Transfer {
    Transfer {
        id: TransferId::from_stored(role.as_str()),
        participant: Slug::parse("a").expect("a slug"),
        own_did: did(role),
        role,
        peer: peer(role),
        agreement_id: "agr".into(),
        dataset: "wind@1".into(),
        format: fondaco_core::product::FORMAT_DELTA_SHARING.into(),
        state,
        sealed_address: None,
        rules: Rules::default(),
        reached: BTreeMap::new(),
        revision: 7,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub fn row(role: Role, words: Words) -> AgreementRow {
    AgreementRow {
        participant: Slug::parse("a").expect("a slug"),
        role,
        agreement: agreement(words),
        negotiation_id: NegotiationId::from_stored(role.as_str()),
        dataset: "wind@1".into(),
        declared: Declarations::default(),
        policy: None,
        rules: Rules::default(),
        ended_at: None,
        end_reason: None,
        payment: None,
        life: Life::default(),
        revision: 0,
        renewing: None,
        created_at: NOW,
    }
}

pub fn terminated(by: Role) -> negotiation::State {
    negotiation::State::Terminated { by, ending: Ending::default() }
}

pub fn finalized() -> negotiation::State {
    negotiation::State::Finalized { agreement: agreement(Words::Open) }
}

pub const fn started() -> transfer::State {
    transfer::State::Started { since: NOW, answers_due: 0 }
}

pub fn suspended(by: Role) -> transfer::State {
    transfer::State::suspended(by, Ending::default())
}

pub fn ended(by: Role) -> transfer::State {
    transfer::State::Terminated { by, ending: Ending::default() }
}

/// An agreement that its provider stopped.
pub fn stopped() -> Life {
    let terms = LifeTerms::of(None, NOW, "did:web:consumer.example");
    Life::default().act(Own::Stop { reason: "because".into() }, Role::Provider, &terms, NOW).expect("stopped").0
}
