//! A lineage as [PROV-JSON](https://www.w3.org/submissions/2013/SUBM-prov-json-20130424/), the JSON form of W3C PROV.
//!
//! Product versions, files and agreements are entities; publishing and transferring are activities; organisations are
//! agents. An agreement is the plan of those who used something under it. Terms are those of PROV, Dublin Core, DCAT, ODRL
//! and SPDX; there are none of our own.

use super::{Graph, Relation, Thing};
use crate::time::Timestamp;
use serde_json::{Map, Value, json};

/// The prefixes of the terms that are used.
const PREFIXES: [(&str, &str); 5] = [
    ("dcat", "http://www.w3.org/ns/dcat#"),
    ("dct", "http://purl.org/dc/terms/"),
    ("odrl", "http://www.w3.org/ns/odrl/2/"),
    ("spdx", "http://spdx.org/rdf/terms#"),
    ("xsd", "http://www.w3.org/2001/XMLSchema#"),
];
/// The prefix of the names of things.
const ID: &str = "id";

/// A document in the making.
struct Document {
    sections: Map<String, Value>,
    relations: usize,
}

impl Document {
    fn put(&mut self, section: &str, id: String, attributes: Value) {
        let section = self.sections.entry(section).or_insert_with(|| json!({}));
        if let Some(members) = section.as_object_mut() {
            members.insert(id, attributes);
        }
    }

    /// Adds a relation, which has no name.
    fn relate(&mut self, relation: &str, attributes: Value) {
        self.relations += 1;
        self.put(relation, format!("_:r{}", self.relations), attributes);
    }
}

/// The document of a graph. `base` is an address that names of things are below: that of the participant.
pub fn document(graph: &Graph, base: &str) -> Value {
    let mut prefixes: Map<String, Value> = PREFIXES.iter().map(|(prefix, address)| ((*prefix).to_owned(), (*address).into())).collect();
    prefixes.insert(ID.into(), format!("{}/lineage#", base.trim_end_matches('/')).into());
    let mut document = Document { sections: Map::from_iter([("prefix".to_owned(), prefixes.into())]), relations: 0 };
    for node in &graph.nodes {
        let id = name(&node.key);
        match &node.thing {
            Thing::Party { did, name: own_name, .. } => {
                let label = if own_name.is_empty() { did } else { own_name };
                document.put("agent", id, json!({"prov:type": term("prov:Organization"), "prov:label": label, "dct:identifier": did}));
            }
            Thing::File { name: file, sha256, bytes } => {
                let attributes =
                    json!({"prov:label": file, "spdx:checksumValue": sha256, "dcat:byteSize": typed(bytes, "xsd:nonNegativeInteger")});
                document.put("entity", id, attributes);
            }
            Thing::Product { .. } => product(&mut document, graph, &node.key, &node.thing),
            Thing::Agreement { id: agreement, sha256, made_at, ended_at, .. } => {
                let mut attributes = json!({
                    "prov:type": [term("prov:Plan"), term("odrl:Agreement")],
                    "dct:identifier": agreement, "dct:issued": time(*made_at), "spdx:checksumValue": sha256,
                });
                if let Some(ended) = ended_at {
                    attributes["dct:valid"] = format!("{}/{}", made_at.to_rfc3339(), ended.to_rfc3339()).into();
                }
                document.put("entity", id.clone(), attributes);
                for (party, _) in graph.sources(&node.key, Relation::With) {
                    document.relate("wasAttributedTo", json!({"prov:entity": id, "prov:agent": name(party)}));
                }
            }
            Thing::Transfer { .. } => transfer(&mut document, graph, &node.key, &node.thing),
        }
    }
    if graph.cut {
        let root = name(&graph.root);
        for section in ["entity", "activity"] {
            if let Some(asked) = document.sections.get_mut(section).and_then(|section| section.get_mut(&root)) {
                asked["dct:description"] = super::CUT.into();
            }
        }
    }
    document.sections.into()
}

fn product(document: &mut Document, graph: &Graph, key: &str, thing: &Thing) {
    let Thing::Product { dataset, party, title, published_at, content_sha256, files } = thing else { return };
    let id = name(key);
    let mut attributes = json!({"prov:type": term("dcat:Dataset"), "prov:label": title, "dct:identifier": dataset});
    if let Some(sha256) = content_sha256 {
        attributes["spdx:checksumValue"] = sha256.as_str().into();
    }
    if let Some(at) = published_at {
        attributes["dct:issued"] = time(*at);
    }
    if let Some(files) = files.filter(|files| graph.sources(key, Relation::Holds).count() as u64 != *files) {
        attributes["dct:extent"] = format!("{files} files").into();
    }
    document.put("entity", id.clone(), attributes);
    let agent = name(&super::party_key(party));
    if graph.get(&super::party_key(party)).is_some() {
        document.relate("wasAttributedTo", json!({"prov:entity": id, "prov:agent": agent}));
    }
    // How others made theirs is not ours to say.
    let Some(at) = published_at else { return };
    let activity = name(&format!("publication/{dataset}"));
    document.put("activity", activity.clone(), json!({"prov:endTime": at.to_rfc3339(), "prov:label": format!("Publication of {dataset}")}));
    document.relate("wasGeneratedBy", json!({"prov:entity": id, "prov:activity": activity, "prov:time": at.to_rfc3339()}));
    document.relate("wasAssociatedWith", json!({"prov:activity": activity, "prov:agent": agent}));
    let derived = |document: &mut Document, source: &str| {
        document.relate("used", json!({"prov:activity": activity, "prov:entity": name(source)}));
        let derivation = json!({"prov:generatedEntity": id, "prov:usedEntity": name(source), "prov:activity": activity});
        document.relate("wasDerivedFrom", derivation);
    };
    for (file, _) in graph.sources(key, Relation::Holds) {
        derived(document, file);
    }
    for (source, thing) in graph.sources(key, Relation::DerivedFrom) {
        if !matches!(thing, Thing::Agreement { .. }) {
            derived(document, source);
            continue;
        }
        for (about, _) in graph.sources(source, Relation::About) {
            derived(document, about);
        }
        let association = json!({"prov:activity": activity, "prov:agent": agent, "prov:plan": name(source)});
        document.relate("wasAssociatedWith", association);
    }
}

fn transfer(document: &mut Document, graph: &Graph, key: &str, thing: &Thing) {
    let Thing::Transfer { id: transfer, format, began_at, ended_at, consumer, .. } = thing else { return };
    let activity = name(key);
    let mut attributes =
        json!({"prov:startTime": began_at.to_rfc3339(), "prov:label": format!("Transfer {transfer}"), "dct:format": format});
    if let Some(at) = ended_at {
        attributes["prov:endTime"] = at.to_rfc3339().into();
    }
    document.put("activity", activity.clone(), attributes);
    for (agreement, _) in graph.sources(key, Relation::Under) {
        for (about, _) in graph.sources(agreement, Relation::About) {
            document.relate("used", json!({"prov:activity": activity, "prov:entity": name(about)}));
        }
        let agent = super::party_key(consumer);
        if graph.get(&agent).is_some() {
            let association = json!({"prov:activity": activity, "prov:agent": name(&agent), "prov:plan": name(agreement)});
            document.relate("wasAssociatedWith", association);
        }
    }
}

/// The qualified name of a thing: of its key, only what may stand in one stays as it is.
fn name(key: &str) -> String {
    let mut name = format!("{ID}:");
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_./".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name
}

/// A term, as a value.
fn term(name: &str) -> Value {
    json!({"$": name, "type": "prov:QUALIFIED_NAME"})
}

fn typed(value: &impl ToString, kind: &str) -> Value {
    json!({"$": value.to_string(), "type": kind})
}

fn time(at: Timestamp) -> Value {
    typed(&at.to_rfc3339(), "xsd:dateTime")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_qualified_names() {
        assert_eq!(name("product/did:web:a%3A1/wind:2"), "id:product/did%3Aweb%3Aa%253A1/wind%3A2");
        assert_eq!(name("party/é"), "id:party/%C3%A9");
    }

    #[test]
    fn a_document_says_what_was_used_and_by_whom_under_what() {
        let document = document(&super::super::tests::report(), "https://acme.example/p/acme/");
        assert_eq!(document["prefix"]["id"], "https://acme.example/p/acme/lineage#");
        let report = "id:product/did%3Aweb%3Aacme.example/report%3A2";
        let wind = "id:product/did%3Aweb%3Abeta.example%3Ap%3Abeta/wind";
        let activity = "id:publication/report%3A2";
        let agreement = "id:agreement/urn%3Auuid%3A1";
        assert_eq!(document["entity"][wind]["dct:identifier"], "wind");
        assert_eq!(document["activity"].as_object().map(Map::len), Some(2), "one for each product of ours");
        let has = |relation: &str, wanted: Value| {
            let all = document[relation].as_object().expect("a section");
            assert!(all.values().any(|one| *one == wanted), "{relation} {wanted} in {all:?}");
        };
        has("wasGeneratedBy", json!({"prov:entity": report, "prov:activity": activity, "prov:time": "2026-11-20T10:00:00Z"}));
        has("used", json!({"prov:activity": activity, "prov:entity": wind}));
        has("used", json!({"prov:activity": activity, "prov:entity": format!("id:file/{}/report.csv", "ab".repeat(32))}));
        has("wasDerivedFrom", json!({"prov:generatedEntity": report, "prov:usedEntity": wind, "prov:activity": activity}));
        has("wasAttributedTo", json!({"prov:entity": wind, "prov:agent": "id:party/did%3Aweb%3Abeta.example%3Ap%3Abeta"}));
        let agent = "id:party/did%3Aweb%3Aacme.example";
        has("wasAssociatedWith", json!({"prov:activity": activity, "prov:agent": agent, "prov:plan": agreement}));
    }

    #[test]
    fn a_part_says_that_it_is_one() {
        let whole = document(&super::super::tests::report(), "https://acme.example/p/acme");
        assert!(!whole.to_string().contains("dct:description") && !whole.to_string().contains("dct:extent"), "{whole}");
        let mut graph = super::super::tests::report();
        graph.cut = true;
        if let Thing::Product { files, .. } = &mut graph.nodes[0].thing {
            *files = Some(1_000);
        }
        let part = document(&graph, "https://acme.example/p/acme");
        let report = &part["entity"]["id:product/did%3Aweb%3Aacme.example/report%3A2"];
        assert_eq!((&report["dct:description"], &report["dct:extent"]), (&json!(super::super::CUT), &json!("1000 files")));
    }

    #[test]
    fn everything_that_is_related_is_in_the_document() {
        let document = document(&super::super::tests::report(), "https://acme.example/p/acme");
        let named = |section: &str| document[section].as_object().into_iter().flatten().map(|(id, _)| id.as_str()).collect::<Vec<_>>();
        let (entities, activities, agents): (BTreeSet<_>, BTreeSet<_>, BTreeSet<_>) =
            (named("entity").into_iter().collect(), named("activity").into_iter().collect(), named("agent").into_iter().collect());
        let mut seen = 0;
        for relation in ["used", "wasGeneratedBy", "wasAttributedTo", "wasDerivedFrom", "wasAssociatedWith"] {
            for (_, one) in document[relation].as_object().expect("a section") {
                for (role, id) in one.as_object().expect("a relation") {
                    let id = id.as_str().expect("a name");
                    let known = match role.as_str() {
                        "prov:activity" => activities.contains(id),
                        "prov:agent" => agents.contains(id),
                        "prov:time" => true,
                        _ => entities.contains(id),
                    };
                    assert!(known, "{relation}: {role} {id}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 20, "{seen}");
        let prefixes: BTreeSet<&str> = named("prefix").into_iter().chain(["prov", "_"]).collect();
        for section in ["entity", "activity", "agent", "used"] {
            for id in named(section) {
                let (prefix, rest) = id.split_once(':').expect("a qualified name");
                assert!(prefixes.contains(prefix) && !rest.contains(':'), "{id}");
            }
        }
    }
}
