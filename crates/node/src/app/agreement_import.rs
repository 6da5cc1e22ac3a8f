//! Agreements made elsewhere (with another connector, before this node): recorded as they are, so that their transfers
//! go on here.

use super::{App, agreement_life, agreements::peer_of, evidence};
use crate::jobs::peer_log;
use fondaco_core::{
    Code, Error, Result,
    agreement::Agreement,
    decision::Rules,
    ids::NegotiationId,
    life::Life,
    negotiation::{Negotiation, Peer, Role, State, Terms},
    participant::{Declarations, Participant},
    policy::Policy,
    product::ProductRef,
};
use fondaco_store::{AgreementRow, NewEvent, Tx};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Most formats kept with an imported agreement.
const FORMATS_MAX: usize = 20;

/// An agreement to record.
#[derive(Clone, Debug)]
pub struct Import {
    /// The DSP `Agreement`, both parties in it.
    pub document: Value,
    /// Where the peer's DSP endpoints are; found by its DID when left out (consumer).
    pub address: Option<String>,
    /// The formats its provider offers the dataset in (consumer).
    pub formats: Vec<String>,
    /// The rules that decide about its transfers.
    pub rules: Rules,
}

/// What came of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It is new.
    New,
    /// It was recorded before; its rules are others now.
    RulesChanged,
    /// It was recorded before, just so.
    Unchanged,
}

impl App {
    /// Records an agreement that was made elsewhere. Importing it again only sets its rules.
    ///
    /// # Errors
    /// [`Code::AgreementMismatch`] for a document that is no agreement; [`Code::Invalid`] for one of other parties;
    /// [`Code::PolicyUnsupported`] when we are its provider and cannot enforce it; [`Code::Conflict`] when another document
    /// has its id.
    pub async fn agreement_import(&self, participant: &Participant, import: Import) -> Result<Imported> {
        import.rules.check()?;
        self.check_webhooks(&import.rules)?;
        if import.formats.len() > FORMATS_MAX {
            return Err(Error::invalid(format!("An agreement names at most {FORMATS_MAX} formats.")));
        }
        let agreement = Agreement::read(import.document.clone())?;
        let role = match (&agreement.assigner, &agreement.assignee) {
            (assigner, assignee) if assigner == assignee => return Err(Error::invalid("An agreement has two parties.")),
            (assigner, _) if *assigner == participant.did => Role::Provider,
            (_, assignee) if *assignee == participant.did => Role::Consumer,
            _ => return Err(Error::invalid(format!("Neither party of the agreement is {}.", participant.did))),
        };
        // As provider we enforce it; as consumer we may hold terms that only the provider enforces.
        let policy = match role {
            Role::Provider => Some(Policy::from_odrl(&agreement.document)?),
            Role::Consumer => Policy::from_odrl(&agreement.document).ok(),
        };
        let address = match (&import.address, role) {
            (Some(address), _) => {
                let address = address.trim_end_matches('/').to_owned();
                self.url(&address)?;
                address
            }
            (None, Role::Consumer) => self.remote(participant, agreement.assigner.as_str()).await?.dsp,
            // A consumer says with each request where it listens.
            (None, Role::Provider) => String::new(),
        };
        let now = self.now();
        let row = AgreementRow {
            participant: participant.slug.clone(),
            role,
            dataset: agreement.target.clone(),
            negotiation_id: NegotiationId::generate(now, &*self.entropy),
            policy,
            declared: Declarations::default(),
            rules: import.rules,
            ended_at: None,
            end_reason: None,
            payment: None,
            life: Life::default(),
            revision: 0,
            renewing: None,
            created_at: now,
            agreement,
        };
        let negotiation = origin(participant, &row, address, import.formats);
        self.store.tx("agreement.import", move |tx| record(tx, &row, &negotiation)).await
    }
}

/// The negotiation an imported agreement would have come from: it holds what transfers need to know of the peer.
fn origin(participant: &Participant, row: &AgreementRow, address: String, formats: Vec<String>) -> Negotiation {
    Negotiation {
        id: row.negotiation_id.clone(),
        participant: participant.slug.clone(),
        own_did: participant.did.clone(),
        role: row.role,
        peer: Peer { did: peer_of(row).clone(), pid: None, address },
        dataset: row.dataset.clone(),
        formats,
        state: State::Finalized { agreement: row.agreement.clone() },
        reference_terms: Terms { offer_id: row.agreement.id.clone(), odrl: row.agreement.document.clone() },
        declared: row.declared.clone(),
        rules: row.rules.clone(),
        reached: BTreeMap::new(),
        rounds: 1,
        revision: 0,
        created_at: row.created_at,
        updated_at: row.created_at,
    }
}

fn record(tx: &mut Tx, row: &AgreementRow, negotiation: &Negotiation) -> Result<Imported> {
    let id = &row.agreement.id;
    if let Some(known) = tx.agreement_lock(&row.participant, id)? {
        if known.agreement.digest != row.agreement.digest {
            return Err(Error::new(Code::Conflict, format!("Another agreement has the id \"{id:.100}\" already.")));
        }
        if known.rules == row.rules {
            return Ok(Imported::Unchanged);
        }
        tx.agreement_set_rules(&known, &row.rules)?;
        return Ok(Imported::RulesChanged);
    }
    if row.role == Role::Provider {
        let product = ProductRef::parse_dataset_id(&row.dataset).map(|r| tx.product_get(&row.participant, &r)).transpose()?.flatten();
        if product.is_none() {
            return Err(Error::invalid(format!("The agreement is about \"{:.100}\", which is no product of yours.", row.dataset)));
        }
    }
    tx.negotiation_insert(negotiation)?;
    tx.agreement_insert(row)?;
    evidence::note_agreement(tx, row)?;
    peer_log::appoint(tx, &row.participant, peer_of(row), row.created_at)?;
    agreement_life::plan(tx, &row.participant, row.life.due_at(&row.terms()), row.created_at)?;
    tx.event_append(&NewEvent {
        participant: row.participant.clone(),
        topic: format!("agreement:{id}"),
        kind: "agreement.imported".into(),
        actor: negotiation.own_did.to_string(),
        text: format!("The agreement about {} was made elsewhere and recorded here.", row.dataset),
        detail: json!({"negotiation": row.negotiation_id, "agreement": id}),
    })?;
    Ok(Imported::New)
}
