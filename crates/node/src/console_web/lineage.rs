//! `GET /p/{slug}/lineage/{id}`: what something came from, as a page and as files.

use super::{
    agreements::{download, safe_name},
    answer::{self, Answer},
    guard::Room,
    shape, words,
};
use crate::app::App;
use axum::extract::{Path, Query, State};
use fondaco_console::pages::{LineageKind, LineagePage, LineageRelation, LineageThing};
use fondaco_core::{
    Error,
    lineage::{Graph, Node, Relation, Thing, openlineage, prov},
    product::ProductRef,
    time::Timestamp,
};
use serde::Deserialize;

/// In which form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    format: Option<String>,
}

/// The page, or a file.
pub async fn show(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, Query(asked): Query<Asked>) -> Answer {
    let graph = app.lineage(&room.participant, &id).await?;
    let (name, text) = match asked.format.as_deref() {
        None => return answer::html(&page(room, id, &graph)),
        Some("prov") => {
            ("prov", serde_json::to_string_pretty(&prov::document(&graph, &app.config.participant_base(&room.participant.slug))))
        }
        Some("openlineage") => ("openlineage", serde_json::to_string_pretty(&openlineage::events(&graph, app.config.public.url.as_str()))),
        Some(_) => return Err(Error::not_found("This page").into()),
    };
    download(&format!("{}.{name}.json", safe_name(&id)), text.map_err(Error::internal_failure)? + "\n")
}

fn page(room: Room, id: String, graph: &Graph) -> LineagePage {
    let things = graph.nodes.iter().map(|node| thing(&room, graph, node)).collect();
    LineagePage { id, things, cut: graph.cut, layout: room.layout }
}

fn thing(room: &Room, graph: &Graph, node: &Node) -> LineageThing {
    let base = room.base();
    let or = |name: &str, id: &str| if name.is_empty() { id.to_owned() } else { name.to_owned() };
    let (kind, name, id, href, at): (_, _, &str, _, Option<Timestamp>) = match &node.thing {
        Thing::Party { did, name, .. } => (LineageKind::Party, or(name, did), did, None, None),
        Thing::Product { dataset, title, published_at, .. } => {
            // Only our own have a page of which we know that it is there.
            let own = published_at.and_then(|_| ProductRef::parse_dataset_id(dataset));
            let href = own.map(|reference| format!("{base}/products/{}?version={}", reference.id, reference.version));
            (LineageKind::Product, or(title, dataset), dataset, href, *published_at)
        }
        Thing::File { name, sha256, .. } => (LineageKind::File, name.clone(), sha256, None, None),
        Thing::Agreement { id, made_at, .. } => {
            (LineageKind::Agreement, id.clone(), id, Some(format!("{base}/agreements/{}", shape::segment(id))), Some(*made_at))
        }
        Thing::Transfer { id, began_at, .. } => {
            (LineageKind::Transfer, id.clone(), id, Some(format!("{base}/transfers/{}", shape::segment(id))), Some(*began_at))
        }
    };
    let place = |key: &str| graph.nodes.iter().position(|node| node.key == key);
    let from = graph.links.iter().filter(|link| link.from == node.key);
    LineageThing {
        kind,
        name,
        id: id.to_owned(),
        href,
        at: at.map(words::when),
        depth: usize::try_from(node.depth).unwrap_or_default(),
        from: from.filter_map(|link| Some((relation(link.relation), place(&link.to)?))).collect(),
    }
}

const fn relation(relation: Relation) -> LineageRelation {
    match relation {
        Relation::DerivedFrom => LineageRelation::DerivedFrom,
        Relation::Holds => LineageRelation::Holds,
        Relation::About => LineageRelation::About,
        Relation::Under => LineageRelation::Under,
        Relation::By => LineageRelation::By,
        Relation::With => LineageRelation::With,
    }
}
