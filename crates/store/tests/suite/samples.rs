//! Values to store.

use crate::world::START;
use fondaco_core::{
    agreement::Agreement,
    decision::{Action, Decision, RuleSet, Rules, Trigger},
    ids::{NegotiationId, OfferId, TransferId},
    life::Life,
    negotiation::{self, Negotiation, Peer, Role, Terms},
    participant::{Declarations, Did, Participant, Slug},
    policy::Policy,
    product::{Listing, Offer, Product, ProductId, ProductKind, ProductRef, ProductState},
    transfer::{self, Transfer},
};
use fondaco_store::AgreementRow;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) fn slug(text: &str) -> Slug {
    Slug::parse(text).expect("slug")
}

pub(crate) fn did(text: &str) -> Did {
    Did::parse(text).expect("did")
}

pub(crate) fn participant(name: &str) -> Participant {
    Participant {
        slug: slug(name),
        did: did(&format!("did:web:{name}.example")),
        name: format!("{name} 有限公司"),
        country: Some("CN".into()),
        rules: RuleSet::default(),
        created_at: START,
    }
}

pub(crate) fn reference(id: &str, version: u32) -> ProductRef {
    ProductRef { id: ProductId::parse(id).expect("id"), version }
}

pub(crate) fn product(id: &str, version: u32) -> Product {
    Product {
        participant: slug("acme"),
        reference: reference(id, version),
        kind: ProductKind::Table,
        state: ProductState::Published,
        title: format!("Flights of {id} 航班"),
        description: "Departures, 100% of them".into(),
        keywords: vec!["air_traffic".into(), "Suzhou".into()],
        listing: Listing::default(),
        derived_from: vec!["agr_1".into()],
        publish_profile: true,
        content: json!({"rows": 336_776, "columns": [{"name": "year", "type": "long"}]}),
        created_at: START,
    }
}

fn odrl() -> Value {
    json!({"permission": [{"action": "use", "constraint": [{"leftOperand": "count", "operator": "lteq", "rightOperand": 10}]}]})
}

fn rules() -> Rules {
    Rules(BTreeMap::from([(
        Trigger::Started,
        vec![Decision { after_ms: 300, ..Decision::now(Action::Suspend) }, Decision::now(Action::Complete)],
    )]))
}

pub(crate) fn offer(id: &str, product: ProductRef) -> Offer {
    Offer {
        id: OfferId::from_stored(id),
        participant: slug("acme"),
        product,
        odrl: odrl(),
        policy: Policy::open(),
        rules: rules(),
        created_at: START,
    }
}

pub(crate) fn agreement(id: &str) -> AgreementRow {
    let made = Agreement::make(id, "flights", &did("did:web:acme.example"), &did("did:web:peer.example"), START, &odrl());
    AgreementRow {
        participant: slug("acme"),
        role: Role::Provider,
        agreement: made.expect("agreement"),
        negotiation_id: NegotiationId::from_stored("neg_1"),
        dataset: "flights".into(),
        declared: Declarations { spatial: Some("CN".into()), purpose: vec!["research".into()] },
        policy: Some(Policy::open()),
        rules: rules(),
        ended_at: None,
        end_reason: None,
        payment: None,
        created_at: START,
        life: Life::default(),
        revision: 0,
        renewing: None,
    }
}

pub(crate) fn negotiation(id: &str, peer_pid: Option<&str>) -> Negotiation {
    let terms = Terms { offer_id: "off_1".into(), odrl: odrl() };
    Negotiation {
        id: NegotiationId::from_stored(id),
        participant: slug("acme"),
        own_did: did("did:web:acme.example"),
        role: Role::Provider,
        peer: Peer { did: did("did:web:peer.example"), pid: peer_pid.map(str::to_owned), address: "https://peer.example/dsp".into() },
        dataset: "flights".into(),
        formats: Vec::new(),
        state: negotiation::State::Offered { terms: terms.clone(), asked: terms.clone() },
        reference_terms: terms,
        declared: Declarations::default(),
        rules: rules(),
        reached: BTreeMap::from([(Trigger::Requested, 1)]),
        rounds: 2,
        revision: 1,
        created_at: START,
        updated_at: START,
    }
}

pub(crate) fn transfer(id: &str, peer_pid: Option<&str>) -> Transfer {
    Transfer {
        id: TransferId::from_stored(id),
        participant: slug("acme"),
        own_did: did("did:web:acme.example"),
        role: Role::Provider,
        peer: Peer { did: did("did:web:peer.example"), pid: peer_pid.map(str::to_owned), address: "https://peer.example/dsp".into() },
        agreement_id: "agr_1".into(),
        dataset: "flights".into(),
        format: "DeltaSharing-PULL".into(),
        state: transfer::State::Started { since: START, answers_due: 0 },
        sealed_address: Some(json!({"sealed": "AAAA"})),
        rules: rules(),
        reached: BTreeMap::new(),
        revision: 1,
        created_at: START,
        updated_at: START,
    }
}
