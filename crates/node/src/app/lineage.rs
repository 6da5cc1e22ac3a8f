//! Lineage: what a product version, an agreement or a transfer came from, put together from the participant's own rows.

use super::{App, product_files::file_count};
use fondaco_core::{
    Error, Result, canonical,
    ids::TransferId,
    lineage::{FILES_MAX, Graph, INPUT_MAX_CHARS, Relation, Thing, agreement_key, party, product_key},
    negotiation::Role,
    participant::{Did, Participant, Slug},
    product::{Product, ProductRef},
    transfer::Transfer,
};
use fondaco_store::{AgreementRow, Tx};
use std::collections::VecDeque;

/// What is still to be looked at.
enum Found {
    Product(Box<Product>),
    Agreement(Box<AgreementRow>),
}

impl Found {
    fn thing(&self, own: &Did) -> Thing {
        match self {
            Self::Product(product) => product_thing(product, own),
            Self::Agreement(row) => agreement_thing(row),
        }
    }
}

/// Puts a graph together.
struct Gathering<'a> {
    tx: &'a mut Tx,
    us: &'a Participant,
    graph: Graph,
    rest: VecDeque<Found>,
}

impl App {
    /// What something of a participant came from: a product version (its dataset id), an agreement or a transfer.
    ///
    /// # Errors
    /// [`fondaco_core::Code::NotFound`] for what the participant does not have.
    pub async fn lineage(&self, participant: &Participant, id: &str) -> Result<Graph> {
        super::bounded("id", id, INPUT_MAX_CHARS)?;
        let (us, id) = (participant.clone(), id.to_owned());
        self.store
            .read("view.lineage", move |tx| -> Result<_> {
                let transfer = tx.transfer_get(&us.slug, &TransferId::from_stored(id.as_str()))?;
                if let Some(transfer) = transfer {
                    let graph = Graph::of(transfer_thing(&transfer));
                    return Gathering { tx, us: &us, graph, rest: VecDeque::new() }.of_transfer(&transfer);
                }
                let missing = || Error::not_found(format!("A product version, agreement or transfer \"{id:.100}\""));
                let root = named(tx, &us.slug, &id)?.ok_or_else(missing)?;
                let graph = Graph::of(root.thing(&us.did));
                Gathering { tx, us: &us, graph, rest: VecDeque::from([root]) }.finished()
            })
            .await
    }
}

impl App {
    /// Whether what a product is said to be derived from is there.
    ///
    /// # Errors
    /// As [`check_sources`].
    pub async fn sources_check(&self, slug: &Slug, ids: &[String]) -> Result<()> {
        let (slug, ids) = (slug.clone(), ids.to_vec());
        self.store.read("lineage.sources", move |tx| check_sources(tx, &slug, &ids)).await
    }
}

/// A product version of the participant, by its dataset id.
fn own_product(tx: &mut Tx, slug: &Slug, id: &str) -> Result<Option<Product>> {
    Ok(match ProductRef::parse_dataset_id(id) {
        Some(reference) => tx.product_get(slug, &reference)?,
        None => None,
    })
}

/// What an id names. A product version of the participant first: its own publications choose that id, while the ids of
/// agreements are chosen by others, who could put theirs in the place of a product.
fn named(tx: &mut Tx, slug: &Slug, id: &str) -> Result<Option<Found>> {
    if let Some(product) = own_product(tx, slug, id)? {
        return Ok(Some(Found::Product(Box::new(product))));
    }
    Ok(tx.agreement_get(slug, id)?.map(|row| Found::Agreement(Box::new(row))))
}

/// Checks what a product version that is not published yet is said to be derived from: agreements under which the
/// participant receives, and product versions of its own.
///
/// # Errors
/// [`fondaco_core::Code::Invalid`] naming the one that is neither.
pub fn check_sources(tx: &mut Tx, slug: &Slug, ids: &[String]) -> Result<()> {
    for id in ids {
        match named(tx, slug, id)? {
            Some(Found::Agreement(row)) if row.role != Role::Consumer => {
                return Err(Error::invalid(format!(
                    "Under the agreement \"{id:.100}\" this participant provides; nothing can be derived from it."
                )));
            }
            Some(_) => {}
            None => {
                return Err(Error::invalid(format!(
                    "\"derivedFrom\" holds ids of this participant's agreements and product versions; \"{id:.100}\" is neither."
                )));
            }
        }
    }
    Ok(())
}

impl Gathering<'_> {
    fn of_transfer(mut self, transfer: &Transfer) -> Result<Graph> {
        let root = self.graph.root.clone();
        if let Some(row) = self.tx.agreement_get(&self.us.slug, &transfer.agreement_id)? {
            self.graph.add(&root, Relation::Under, agreement_thing(&row));
            self.rest.push_back(Found::Agreement(Box::new(row)));
        }
        self.finished()
    }

    /// Follows everything back to its end. Things are looked at by their distance, so what is cut is what is farthest.
    fn finished(mut self) -> Result<Graph> {
        while let Some(next) = self.rest.pop_front() {
            if self.graph.is_full() {
                self.graph.cut = true;
                break;
            }
            match next {
                Found::Product(product) => self.product(&product)?,
                Found::Agreement(row) => self.agreement(&row)?,
            }
        }
        Ok(self.graph)
    }

    fn product(&mut self, product: &Product) -> Result<()> {
        let key = product_key(self.us.did.as_str(), &product.reference.dataset_id());
        self.graph.add(&key, Relation::By, party(&self.us.did, Some(&self.us.name), true));
        for id in &product.derived_from {
            if let Some(source) = named(self.tx, &self.us.slug, id)?
                && self.graph.add(&key, Relation::DerivedFrom, source.thing(&self.us.did))
            {
                self.rest.push_back(source);
            }
        }
        for file in self.tx.product_files_page(&self.us.slug, &product.reference, 0, FILES_MAX)? {
            self.graph.add(&key, Relation::Holds, Thing::File { name: file.name, sha256: file.sha256, bytes: file.size });
        }
        self.graph.cut |= file_count(product) > u64::from(FILES_MAX);
        Ok(())
    }

    fn agreement(&mut self, row: &AgreementRow) -> Result<()> {
        let key = agreement_key(&row.agreement.id);
        let peer = row.peer();
        let name = self.tx.peer_get(&self.us.slug, peer)?.and_then(|peer| peer.name);
        self.graph.add(&key, Relation::With, party(&self.us.did, Some(&self.us.name), true));
        self.graph.add(&key, Relation::With, party(peer, name.as_deref(), false));
        if row.role == Role::Provider {
            if let Some(product) = own_product(self.tx, &self.us.slug, &row.dataset)?
                && self.graph.add(&key, Relation::About, product_thing(&product, &self.us.did))
            {
                self.rest.push_back(Found::Product(Box::new(product)));
            }
            return Ok(());
        }
        let titles = self.tx.peer_dataset_titles(&self.us.slug, peer, std::slice::from_ref(&row.dataset))?;
        let title = titles.into_iter().next().map_or_else(|| row.dataset.clone(), |(_, title)| title);
        let theirs = Thing::Product {
            dataset: row.dataset.clone(),
            party: peer.to_string(),
            title,
            published_at: None,
            content_sha256: None,
            files: None,
        };
        let product = theirs.key();
        self.graph.add(&key, Relation::About, theirs);
        self.graph.add(&product, Relation::By, party(peer, name.as_deref(), false));
        Ok(())
    }
}

fn product_thing(product: &Product, own: &Did) -> Thing {
    Thing::Product {
        dataset: product.reference.dataset_id(),
        party: own.to_string(),
        title: product.title.clone(),
        published_at: Some(product.created_at),
        content_sha256: canonical::digest(&product.content),
        files: Some(file_count(product)),
    }
}

fn agreement_thing(row: &AgreementRow) -> Thing {
    let agreement = &row.agreement;
    Thing::Agreement {
        id: agreement.id.clone(),
        sha256: agreement.digest.clone(),
        made_at: agreement.timestamp,
        provider: agreement.assigner.to_string(),
        consumer: agreement.assignee.to_string(),
        ended_at: row.ended_at,
    }
}

fn transfer_thing(transfer: &Transfer) -> Thing {
    let consumer = match transfer.role {
        Role::Consumer => &transfer.own_did,
        Role::Provider => &transfer.peer.did,
    };
    Thing::Transfer {
        id: transfer.id.to_string(),
        format: transfer.format.clone(),
        state: transfer.state.name().into(),
        began_at: transfer.created_at,
        ended_at: transfer.state.is_final().then_some(transfer.updated_at),
        consumer: consumer.to_string(),
    }
}
