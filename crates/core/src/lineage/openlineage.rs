//! A lineage as [OpenLineage](https://openlineage.io) run events: one run for each publication of ours, and one for a
//! transfer, in the order in which they happened.
//!
//! A dataset's namespace is the DID of the organisation whose it is, its name the product id; which version was meant is a
//! facet. Files stand below the product that they belong to.

use super::{Graph, Relation, Thing};
use crate::{product::ProductRef, time::Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The form of an event.
const SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
/// The form of the facet that says a version.
const VERSION_FACET: &str = "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet";
/// The form of the facet that says that something was left out.
const DOCUMENTATION_FACET: &str = "https://openlineage.io/spec/facets/1-1-0/DocumentationJobFacet.json#/$defs/DocumentationJobFacet";
/// What ids of runs are made with.
const RUN_DOMAIN: &[u8] = b"fondaco/lineage-run/v1";
/// Bytes of a UUID.
const UUID_BYTES: usize = 16;

/// What happened in one run.
struct Run<'a> {
    key: &'a str,
    own: &'a str,
    name: String,
    /// Whether the graph is a part.
    cut: bool,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
}

/// The events of a graph. `producer` is the address of the node that says so.
pub fn events(graph: &Graph, producer: &str) -> Vec<Value> {
    let mut events: Vec<(Timestamp, Value)> = Vec::new();
    for node in graph.nodes.iter().rev() {
        match &node.thing {
            Thing::Product { dataset, party, published_at: Some(at), .. } => {
                let (id, output) = (product_of(dataset), dataset_of(&node.thing, producer));
                let run = Run {
                    key: &node.key,
                    own: party,
                    name: format!("publish/{id}"),
                    cut: graph.cut,
                    inputs: inputs(graph, &node.key, party, &id, producer),
                    outputs: output.into_iter().collect(),
                };
                events.push((*at, run.event("START", *at, producer)));
                events.push((*at, run.event("COMPLETE", *at, producer)));
            }
            Thing::Transfer { format, state, began_at, ended_at, consumer, .. } => {
                let about = graph.sources(&node.key, Relation::Under).flat_map(|(agreement, _)| graph.sources(agreement, Relation::About));
                let inputs = about.filter_map(|(_, product)| dataset_of(product, producer)).collect();
                let run =
                    Run { key: &node.key, own: consumer, name: format!("transfer/{format}"), cut: graph.cut, inputs, outputs: Vec::new() };
                events.push((*began_at, run.event("START", *began_at, producer)));
                if let Some(at) = ended_at {
                    let end = if state == "COMPLETED" { "COMPLETE" } else { "ABORT" };
                    events.push((*at, run.event(end, *at, producer)));
                }
            }
            _ => {}
        }
    }
    events.sort_by_key(|(at, _)| *at);
    events.into_iter().map(|(_, event)| event).collect()
}

/// What a product version was made from.
fn inputs(graph: &Graph, key: &str, party: &str, id: &str, producer: &str) -> Vec<Value> {
    let files = graph.sources(key, Relation::Holds).filter_map(|(_, thing)| match thing {
        Thing::File { name, sha256, .. } => {
            Some(json!({"namespace": party, "name": format!("{id}/{name}"), "facets": version(sha256, producer)}))
        }
        _ => None,
    });
    let made_from = graph.sources(key, Relation::DerivedFrom).flat_map(|(source, thing)| match thing {
        Thing::Agreement { .. } => graph.sources(source, Relation::About).map(|(_, product)| product).collect::<Vec<_>>(),
        _ => vec![thing],
    });
    files.chain(made_from.filter_map(|product| dataset_of(product, producer))).collect()
}

/// The product id of a dataset, without its version.
fn product_of(dataset: &str) -> String {
    ProductRef::parse_dataset_id(dataset).map_or_else(|| dataset.to_owned(), |reference| reference.id.to_string())
}

fn dataset_of(thing: &Thing, producer: &str) -> Option<Value> {
    let Thing::Product { dataset, party, published_at, .. } = thing else { return None };
    // Its owner's events name it in the same way, so that they join. What is no id of a product version is the whole name:
    // others may name theirs as they like, and need not know of versions.
    Some(match ProductRef::parse_dataset_id(dataset) {
        Some(reference) if published_at.is_some() || reference.version > 1 => {
            json!({"namespace": party, "name": reference.id, "facets": version(&reference.version.to_string(), producer)})
        }
        _ => json!({"namespace": party, "name": dataset}),
    })
}

fn version(version: &str, producer: &str) -> Value {
    json!({"version": {"_producer": producer, "_schemaURL": VERSION_FACET, "datasetVersion": version}})
}

impl Run<'_> {
    fn event(&self, kind: &str, at: Timestamp, producer: &str) -> Value {
        let mut event = json!({
            "eventType": kind,
            "eventTime": at.to_rfc3339(),
            "run": {"runId": self.id()},
            "job": {"namespace": self.own, "name": self.name},
            "inputs": self.inputs,
            "outputs": self.outputs,
            "producer": producer,
            "schemaURL": SCHEMA,
        });
        if self.cut {
            let facet = json!({"_producer": producer, "_schemaURL": DOCUMENTATION_FACET, "description": super::CUT});
            event["job"]["facets"] = json!({"documentation": facet});
        }
        event
    }

    /// The same for the same run, whenever it is asked for.
    fn id(&self) -> String {
        let hash = Sha256::new().chain_update(RUN_DOMAIN).chain_update([0]).chain_update(self.own).chain_update([0]).chain_update(self.key);
        let hash: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; UUID_BYTES];
        bytes.copy_from_slice(&hash[..UUID_BYTES]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_publication_is_a_run_with_its_inputs() {
        let graph = super::super::tests::report();
        let all = events(&graph, "https://acme.example");
        assert_eq!(all.len(), 4, "a start and an end for each product of ours");
        let of = |name: &str, kind: &str| all.iter().find(|e| e["job"]["name"] == name && e["eventType"] == kind).expect("an event");
        let report = of("publish/report", "COMPLETE");
        assert_eq!((&report["eventTime"], &report["job"]["namespace"]), (&json!("2026-11-20T10:00:00Z"), &json!("did:web:acme.example")));
        let names: Vec<&str> = report["inputs"].as_array().expect("inputs").iter().filter_map(|i| i["name"].as_str()).collect();
        assert_eq!(names, ["report/report.csv", "wind", "sites"]);
        assert_eq!(report["inputs"][1]["namespace"], "did:web:beta.example:p:beta");
        assert_eq!(
            (&report["outputs"][0]["name"], &report["outputs"][0]["facets"]["version"]["datasetVersion"]),
            (&json!("report"), &json!("2"))
        );
        let run = |e: &Value| uuid::Uuid::parse_str(e["run"]["runId"].as_str().expect("an id")).expect("a UUID");
        assert_eq!(run(report), run(of("publish/report", "START")), "one run");
        assert_ne!(run(report), run(of("publish/sites", "COMPLETE")));
        assert_eq!(events(&graph, "https://acme.example"), all, "the same whenever it is asked for");
    }

    #[test]
    fn every_event_has_what_the_specification_requires() {
        for event in events(&super::super::tests::report(), "https://acme.example") {
            for (member, start) in [("eventTime", "2026-"), ("producer", "https://"), ("schemaURL", "https://openlineage.io/spec/2-0-2/")] {
                assert!(event[member].as_str().is_some_and(|text| text.starts_with(start)), "{member} in {event}");
            }
            assert!(matches!(event["eventType"].as_str(), Some("START" | "COMPLETE")), "{event}");
            for dataset in event["inputs"].as_array().into_iter().chain(event["outputs"].as_array()).flatten() {
                assert!(dataset["namespace"].is_string() && dataset["name"].is_string(), "{dataset}");
                for facet in dataset["facets"].as_object().into_iter().flatten().map(|(_, facet)| facet) {
                    assert!(facet["_producer"].is_string() && facet["_schemaURL"].is_string(), "{facet}");
                }
            }
        }
    }

    #[test]
    fn a_version_has_the_same_name_in_its_owners_events_and_in_others() {
        let wind = |own: bool| Thing::Product {
            dataset: "wind:2".into(),
            party: "did:web:beta.example".into(),
            title: String::new(),
            published_at: own.then(|| Timestamp::from_micros(0)),
            content_sha256: None,
            files: None,
        };
        let theirs = dataset_of(&wind(false), "https://acme.example").expect("a dataset");
        assert_eq!(Some(&theirs), dataset_of(&wind(true), "https://acme.example").as_ref());
        assert_eq!((&theirs["name"], &theirs["facets"]["version"]["datasetVersion"]), (&json!("wind"), &json!("2")));
    }

    #[test]
    fn a_part_says_that_it_is_one() {
        let mut graph = super::super::tests::report();
        for cut in [false, true] {
            graph.cut = cut;
            for event in events(&graph, "https://acme.example") {
                let said = &event["job"]["facets"]["documentation"]["description"];
                assert_eq!(said.as_str(), cut.then_some(super::super::CUT), "{event}");
            }
        }
    }

    #[test]
    fn the_same_bytes_have_the_name_that_each_product_gives_them() {
        let mut graph = super::super::tests::report();
        let sites = super::super::product_key("did:web:acme.example", "sites");
        let file = Thing::File { name: "places.csv".into(), sha256: "ab".repeat(32), bytes: 9 };
        assert!(graph.add(&sites, Relation::Holds, file));
        let names: Vec<Value> = inputs(&graph, &sites, "did:web:acme.example", "sites", "https://acme.example")
            .into_iter()
            .map(|i| i["name"].clone())
            .collect();
        assert_eq!(names, ["sites/sites.csv", "sites/places.csv"]);
    }

    #[test]
    fn a_transfer_that_ended_early_was_aborted() {
        let at = |text: &str| Timestamp::parse(text).expect("a time");
        let transfer = |state: &str, ended_at: Option<Timestamp>| Thing::Transfer {
            id: "trf_1".into(),
            format: "HttpData-PULL".into(),
            state: state.into(),
            began_at: at("2026-11-20T10:00:00Z"),
            ended_at,
            consumer: "did:web:acme.example".into(),
        };
        let kinds = |thing: Thing| {
            events(&Graph::of(thing), "https://acme.example")
                .iter()
                .map(|e| e["eventType"].as_str().unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        };
        let end = Some(at("2026-11-20T11:00:00Z"));
        assert_eq!(kinds(transfer("STARTED", None)), ["START"]);
        assert_eq!(kinds(transfer("COMPLETED", end)), ["START", "COMPLETE"]);
        assert_eq!(kinds(transfer("TERMINATED", end)), ["START", "ABORT"]);
    }
}
