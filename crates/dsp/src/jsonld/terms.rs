//! The terms of DSP 2025-1: their short names, their IRIs, and what their values look like in compact form. A test
//! compares this table with the official contexts in `contexts/`.

use std::{collections::HashMap, sync::LazyLock};

/// DSP's own namespace.
pub(super) const DSPACE: &str = "https://w3id.org/dspace/2025/1/";
/// ODRL's namespace.
pub(super) const ODRL: &str = "http://www.w3.org/ns/odrl/2/";
/// XML Schema's namespace, of data types.
pub(super) const XSD: &str = "http://www.w3.org/2001/XMLSchema#";
const DCAT: &str = "http://www.w3.org/ns/dcat#";
const DCT: &str = "http://purl.org/dc/terms/";

/// Prefixes that need no definition: those of the DSP context, and the other usual name of Dublin Core.
pub(super) const PREFIXES: &[(&str, &str)] =
    &[("dspace", DSPACE), ("odrl", ODRL), ("dcat", DCAT), ("dct", DCT), ("dcterms", DCT), ("xsd", XSD)];

/// What the values of a term look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One literal.
    Text,
    /// One identifier, written as a text.
    Id,
    /// One identifier that is a word: `HttpData-PULL`.
    Word,
    /// One word of a vocabulary, short inside this namespace.
    Vocab(&'static str),
    /// One object.
    Node,
    /// One object, or its identifier as a text.
    Ref,
    /// A list of objects.
    Nodes,
    /// A list of anything.
    Values,
    /// Anything: one value stays one.
    Any,
    /// A JSON literal.
    Json,
}

/// A term.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    /// Its name in compact form.
    pub(super) name: &'static str,
    /// Its namespace; the IRI is this and `local`.
    pub(super) space: &'static str,
    /// The rest of its IRI.
    pub(super) local: &'static str,
    /// What its values look like.
    pub(super) kind: Kind,
}

impl Term {
    /// Its IRI.
    pub(super) fn iri(&self) -> String {
        format!("{}{}", self.space, self.local)
    }
    /// Whether the ODRL profile alone defines it.
    pub(super) fn is_odrl(&self) -> bool {
        self.space == ODRL
    }
}

const fn term(name: &'static str, space: &'static str, kind: Kind) -> Term {
    Term { name, space, local: name, kind }
}

const fn dct(name: &'static str, local: &'static str) -> Term {
    Term { name, space: DCT, local, kind: Kind::Any }
}

const TERMS: &[Term] = &[
    // Messages.
    term("providerPid", DSPACE, Kind::Id),
    term("consumerPid", DSPACE, Kind::Id),
    term("callbackAddress", DSPACE, Kind::Text),
    term("offer", DSPACE, Kind::Node),
    term("agreement", DSPACE, Kind::Node),
    term("timestamp", DSPACE, Kind::Text),
    term("eventType", DSPACE, Kind::Vocab(DSPACE)),
    term("state", DSPACE, Kind::Vocab(DSPACE)),
    term("code", DSPACE, Kind::Text),
    term("reason", DSPACE, Kind::Values),
    term("agreementId", DSPACE, Kind::Id),
    term("dataAddress", DSPACE, Kind::Node),
    term("endpointType", DSPACE, Kind::Word),
    term("endpoint", DSPACE, Kind::Text),
    term("endpointProperties", DSPACE, Kind::Nodes),
    term("name", DSPACE, Kind::Text),
    term("value", DSPACE, Kind::Text),
    term("filter", DSPACE, Kind::Values),
    term("participantId", DSPACE, Kind::Id),
    // Catalogues.
    term("service", DCAT, Kind::Nodes),
    term("catalog", DCAT, Kind::Nodes),
    term("dataset", DCAT, Kind::Nodes),
    term("distribution", DCAT, Kind::Nodes),
    term("accessService", DCAT, Kind::Ref),
    term("endpointDescription", DCAT, Kind::Any),
    term("endpointURL", DCAT, Kind::Text),
    Term { name: "format", space: DCT, local: "format", kind: Kind::Word },
    // Descriptions: the context has the prefixes, not the terms.
    dct("dct:title", "title"),
    dct("dct:description", "description"),
    dct("dct:issued", "issued"),
    dct("dct:license", "license"),
    dct("dct:accrualPeriodicity", "accrualPeriodicity"),
    dct("dct:language", "language"),
    Term { name: "dcat:contactPoint", space: DCAT, local: "contactPoint", kind: Kind::Any },
    Term { name: "dcat:version", space: DCAT, local: "version", kind: Kind::Any },
    Term { name: "dcat:keyword", space: DCAT, local: "keyword", kind: Kind::Values },
    Term { name: crate::messages::catalog::EXTENSION, space: crate::messages::catalog::EXTENSION, local: "", kind: Kind::Json },
    // Policies.
    term("hasPolicy", ODRL, Kind::Nodes),
    term("profile", ODRL, Kind::Any),
    term("target", ODRL, Kind::Id),
    term("assigner", ODRL, Kind::Id),
    term("assignee", ODRL, Kind::Id),
    term("permission", ODRL, Kind::Nodes),
    term("prohibition", ODRL, Kind::Nodes),
    term("obligation", ODRL, Kind::Nodes),
    term("duty", ODRL, Kind::Nodes),
    term("action", ODRL, Kind::Vocab(ODRL)),
    term("constraint", ODRL, Kind::Nodes),
    term("leftOperand", ODRL, Kind::Vocab(ODRL)),
    term("operator", ODRL, Kind::Vocab(ODRL)),
    term("rightOperand", ODRL, Kind::Any),
    term("and", ODRL, Kind::Nodes),
    term("andSequence", ODRL, Kind::Nodes),
    term("or", ODRL, Kind::Nodes),
    term("xone", ODRL, Kind::Nodes),
];

/// `dataset` is a list of datasets, except in a `DatasetRequestMessage`, where it is the id of one.
const DATASET_ID: Term = term("dataset", DSPACE, Kind::Id);

const CLASSES: &[(&str, &str)] = &[
    (
        DSPACE,
        "DatasetRequestMessage CatalogRequestMessage CatalogError ContractRequestMessage ContractOfferMessage \
         ContractAgreementMessage ContractAgreementVerificationMessage ContractNegotiationEventMessage \
         ContractNegotiationTerminationMessage ContractNegotiation ContractNegotiationError TransferRequestMessage \
         TransferStartMessage TransferCompletionMessage TransferTerminationMessage TransferSuspensionMessage TransferError \
         DataAddress EndpointProperty TransferProcess VersionsError CatalogService",
    ),
    (DCAT, "Catalog Dataset DataService Distribution"),
    (
        ODRL,
        "Policy Rule Agreement Assertion Offer Set Asset Action Permission Prohibition Duty Constraint Operator RightOperand \
         LeftOperand",
    ),
];

struct Tables {
    terms: HashMap<&'static str, &'static Term>,
    iris: HashMap<String, &'static Term>,
    classes: HashMap<&'static str, &'static str>,
    class_iris: HashMap<String, &'static str>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let classes: HashMap<&str, &str> =
        CLASSES.iter().flat_map(|(space, names)| names.split_ascii_whitespace().map(|name| (name, *space))).collect();
    Tables {
        terms: TERMS.iter().map(|t| (t.name, t)).collect(),
        iris: TERMS.iter().chain([&DATASET_ID]).map(|t| (t.iri(), t)).collect(),
        class_iris: classes.iter().map(|(name, space)| (format!("{space}{name}"), *name)).collect(),
        classes,
    }
});

/// The term of a compact name, in an object of a type.
pub(super) fn by_name(name: &str, within: Option<&str>) -> Option<&'static Term> {
    if name == "dataset" && within == Some("DatasetRequestMessage") {
        return Some(&DATASET_ID);
    }
    TABLES.terms.get(name).copied()
}

/// The term of an IRI, in an object of a type.
pub(super) fn by_iri(iri: &str, within: Option<&str>) -> Option<&'static Term> {
    let term = TABLES.iris.get(iri).copied()?;
    // Either `dataset` outside its place is a property like any other.
    if term.name == "dataset" && by_name(term.name, within).is_none_or(|own| own.space != term.space) {
        return None;
    }
    Some(term)
}

/// Whether an IRI is one of the two that `dataset` may stand for.
pub(super) fn is_dataset(iri: Option<&str>) -> bool {
    iri.and_then(|i| TABLES.iris.get(i)).is_some_and(|term| term.name == "dataset")
}

/// The namespace of a class, by its compact name.
pub(super) fn class_space(name: &str) -> Option<&'static str> {
    TABLES.classes.get(name).copied()
}

/// The compact name of a class, by its IRI.
pub(super) fn class_by_iri(iri: &str) -> Option<&'static str> {
    TABLES.class_iris.get(iri).copied()
}

/// What a prefix that needs no definition stands for.
pub(super) fn prefix(name: &str) -> Option<&'static str> {
    PREFIXES.iter().find(|(prefix, _)| *prefix == name).map(|(_, space)| *space)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value};

    /// Every definition of a context, nested ones included.
    fn definitions(context: &Map<String, Value>, out: &mut Vec<(String, Value)>) {
        for (name, definition) in context {
            if !name.starts_with('@') {
                out.push((name.clone(), definition.clone()));
            }
            if let Some(inner) = definition.get("@context").and_then(Value::as_object) {
                definitions(inner, out);
            }
        }
    }

    #[test]
    fn the_table_says_what_the_official_contexts_say() {
        let mut seen = 0;
        for text in [include_str!("../../contexts/dspace.jsonld"), include_str!("../../contexts/odrl-profile.jsonld")] {
            let document: Value = serde_json::from_str(text).expect("json");
            let mut all = Vec::new();
            definitions(document["@context"].as_object().expect("context"), &mut all);
            for (name, definition) in all {
                let id = definition.get("@id").unwrap_or(&definition).as_str().expect("id").to_owned();
                if matches!(id.as_str(), "@id" | "@type") {
                    continue; // `id` and `type` of a DID service.
                }
                let iri = match id.split_once(':') {
                    Some((p, local)) if !local.starts_with("//") => format!("{}{local}", prefix(p).expect("known prefix")),
                    _ => id,
                };
                if let Some(space) = prefix(&name) {
                    assert_eq!(space, iri, "prefix {name}");
                } else if let Some(space) = class_space(&name) {
                    assert_eq!(format!("{space}{name}"), iri, "class {name}");
                } else if let Some(term) = TABLES.iris.get(&iri) {
                    assert_eq!(term.name, name, "term {name}");
                    let list = definition.get("@container").and_then(Value::as_str) == Some("@set");
                    // The schemas want lists for logical operators, which the context does not say.
                    if list {
                        assert!(matches!(term.kind, Kind::Nodes | Kind::Values), "{name} is a list");
                    }
                    if definition.get("@type").and_then(Value::as_str) == Some("@vocab") {
                        assert!(matches!(term.kind, Kind::Vocab(_) | Kind::Word), "{name} is a word");
                    }
                } else {
                    // What remains are words of the vocabularies (states, operators, actions) and DID's serviceEndpoint.
                    let word = iri.strip_prefix(DSPACE).or_else(|| iri.strip_prefix(ODRL));
                    assert!(word == Some(name.as_str()) || name == "serviceEndpoint", "{name} is unknown: {iri}");
                }
                seen += 1;
            }
        }
        assert!(seen > 150, "{seen}");
    }

    #[test]
    fn names_and_iris_are_unique() {
        assert_eq!(TABLES.terms.len(), TERMS.len());
        assert_eq!(TABLES.iris.len(), TERMS.len() + 1);
    }
}
