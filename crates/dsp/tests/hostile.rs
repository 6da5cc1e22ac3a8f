//! Input that is wrong on purpose: refused with an error that says where, quickly, and without repeating it.

use fondaco_dsp::{
    CONTEXT, WireError,
    error::QUOTE_MAX_CHARS,
    limits::Limits,
    messages::{catalog::Catalog, negotiation::*, transfer::*},
    normalise,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Generous: a debug build on a busy machine. Quadratic work on these inputs would take minutes.
const QUICK: Duration = Duration::from_secs(5);

fn request() -> Value {
    json!({
        "@context": [CONTEXT],
        "@type": "ContractRequestMessage",
        "consumerPid": "c1",
        "callbackAddress": "https://c.example/dsp",
        "offer": {"@type": "Offer", "@id": "o1", "target": "d1", "permission": [{"action": "use"}]}
    })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut changed = request();
    let (parent, key) = pointer.rsplit_once('/').expect("pointer");
    changed.pointer_mut(parent).expect("parent")[key] = value;
    changed
}

fn refused(document: &Value) -> WireError {
    let text = document.to_string();
    let started = Instant::now();
    let error = ContractRequestMessage::parse(text.as_bytes()).expect_err(&text[..text.len().min(300)]);
    assert!(started.elapsed() < QUICK, "{:?}", started.elapsed());
    assert!(error.path.chars().count() <= QUOTE_MAX_CHARS);
    assert!(error.message.chars().count() < 300, "{error}");
    error
}

#[test]
fn the_base_of_this_table_is_accepted() {
    ContractRequestMessage::parse(request().to_string().as_bytes()).expect("accepted");
}

#[test]
fn wrong_messages_are_refused_and_the_error_says_where() {
    for (pointer, value, path) in [
        ("/@type", json!("ContractOfferMessage"), "/@type"),
        ("/@type", json!(7), "/@type"),
        ("/@type", json!(null), "/@type"),
        ("/@type", json!(["ContractRequestMessage", "ContractOfferMessage"]), "/@type"),
        ("/@id", json!(5), "/@id"),
        ("/@id", json!("a b"), "/@id"),
        ("/@id", json!({"@id": "x"}), "/@id"),
        ("/consumerPid", json!(5), "/consumerPid"),
        ("/consumerPid", json!(null), "/consumerPid"),
        ("/consumerPid", json!(""), "/consumerPid"),
        ("/consumerPid", json!([]), "/consumerPid"),
        ("/consumerPid", json!(["a", "b"]), "/consumerPid"),
        ("/consumerPid", json!({"@id": 5}), "/consumerPid"),
        ("/consumerPid", json!({"@value": null}), "/consumerPid"),
        ("/consumerPid", json!("x".repeat(513)), "/consumerPid"),
        ("/callbackAddress", json!("file:///etc/passwd"), "/callbackAddress"),
        ("/callbackAddress", json!("https://u:p@c.example"), "/callbackAddress"),
        ("/callbackAddress", json!(format!("https://c.example/{}", "x".repeat(2_048))), "/callbackAddress"),
        ("/callbackAddress", json!(null), ""),
        ("/providerPid", json!("p1"), ""),
        ("/offer", json!("o1"), "/offer"),
        ("/offer", json!([]), "/offer"),
        ("/offer", json!({"@id": "o1"}), "/offer"),
        ("/offer/@id", json!(null), "/offer/@id"),
        ("/offer/target", json!(null), "/offer/target"),
        ("/offer/permission", json!([]), "/offer"),
        ("/offer/permission", json!("use"), "/offer/permission/0"),
        ("/offer/permission", json!([{"action": 1}]), "/offer/permission/0/action"),
        ("/offer/@context", json!("https://evil.example/context"), "/offer/@context"),
        ("/@reverse", json!({}), "/@reverse"),
        ("/@included", json!([]), "/@included"),
        ("/@value", json!("x"), "/@value"),
        ("/@graph", json!([{}]), "/@graph"),
    ] {
        let error = refused(&with(pointer, value.clone()));
        assert!(error.path.starts_with(path) && (!path.is_empty() || error.path.is_empty()), "{pointer} {value}: {error:?}");
    }
}

#[test]
fn contexts_that_would_change_the_protocol_are_refused() {
    let evil = "https://evil.example/ns#";
    for context in [
        json!([CONTEXT, {"permission": "http://www.w3.org/ns/odrl/2/prohibition"}]),
        json!([{"permission": format!("{evil}x")}, CONTEXT]),
        json!([CONTEXT, {"permission": null}]),
        json!([CONTEXT, {"permission": {"@id": "odrl:prohibition"}}]),
        json!([CONTEXT, {"p": "odrl:prohibition", "permission": "p"}]),
        json!([CONTEXT, {"Offer": "odrl:Agreement"}]),
        json!([CONTEXT, {"odrl": evil}]),
        json!([CONTEXT, {"dspace": "https://w3id.org/dspace/v0.8/"}]),
        json!([CONTEXT, {"permission": "@id"}]),
        json!([CONTEXT, {"@base": "https://evil.example/"}]),
        json!([CONTEXT, {"@import": "https://evil.example/"}]),
        json!([CONTEXT, {"x": {"@id": "odrl:target", "@context": {"target": null}}}]),
        json!([CONTEXT, {"x": {"@reverse": "odrl:target"}}]),
        json!([CONTEXT, {"x": {"@id": "odrl:permission", "@container": "@index"}}]),
        json!([CONTEXT, {"a": "b:", "b": "c:", "c": "d:", "d": "e:", "e": "f:", "f": "g:"}]),
        json!([CONTEXT, {"a": "b:x", "b": "a:x"}]),
        json!([CONTEXT, 5]),
        json!([CONTEXT, null]),
        json!([CONTEXT, [CONTEXT]]),
        json!("https://w3id.org/dspace/2024/1/context.json"),
        json!(["https://evil.example/context"]),
        json!([]),
        json!({}),
        json!(null),
    ] {
        let document = with("/@context", context.clone());
        assert!(ContractRequestMessage::parse(document.to_string().as_bytes()).is_err(), "{context}");
    }
    let error = refused(&with("/@context", json!([CONTEXT, "https://evil.example/context"])));
    assert!(error.message.contains("https://evil.example/context") && error.path == "/@context/1", "{error:?}");
    let mut bare = request();
    bare.as_object_mut().expect("object").remove("@context");
    assert!(refused(&bare).message.contains("not defined"));
}

#[test]
fn contexts_that_repeat_or_add_are_accepted() {
    for context in [
        json!(CONTEXT),
        json!([CONTEXT, "https://w3id.org/edc/dspace/v0.0.1"]),
        json!([CONTEXT, {"edc": "https://w3id.org/edc/v0.0.1/ns/", "odrl": "http://www.w3.org/ns/odrl/2/"}]),
        json!([CONTEXT, {"permission": {"@id": "odrl:permission", "@type": "@id", "@container": "@set"}}]),
        json!([{"@vocab": "https://w3id.org/edc/v0.0.1/ns/", "@version": 1.1}, CONTEXT]),
    ] {
        let document = with("/@context", context.clone());
        let read = ContractRequestMessage::parse(document.to_string().as_bytes()).unwrap_or_else(|e| panic!("{context}: {e}"));
        assert_eq!(Ok(read), ContractRequestMessage::parse(request().to_string().as_bytes()), "{context}");
    }
}

#[test]
fn one_member_in_two_spellings_is_refused() {
    for (pointer, value) in [
        ("/dspace:consumerPid", json!("c2")),
        ("/https:~1~1w3id.org~1dspace~12025~11~1consumerPid", json!("c2")),
        ("/offer/odrl:permission", json!([{"action": "use"}])),
        ("/offer/odrl:target", json!({"@id": "d2"})),
    ] {
        let key = pointer.rsplit_once('/').expect("pointer").1.replace("~1", "/");
        let mut document = request();
        let parent = if pointer.starts_with("/offer") { &mut document["offer"] } else { &mut document };
        parent[key] = value;
        assert!(refused(&document).message.contains("two spellings"), "{pointer}");
    }
    let twice = r#"{"@context":["https://w3id.org/dspace/2025/1/context.jsonld"],"@type":"TransferProcess","providerPid":"p","consumerPid":"c","state":"STARTED","state":"TERMINATED"}"#;
    assert!(TransferProcess::parse(twice.as_bytes()).expect_err("twice").message.contains("appears twice"));
}

#[test]
fn large_and_deep_documents_are_refused_quickly() {
    let deep = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({ "x": inner }));
    // The document itself is one level.
    ContractRequestMessage::parse(with("/x", deep(Limits::MESSAGE.depth - 1)).to_string().as_bytes()).expect("32 levels");
    assert!(refused(&with("/x", deep(Limits::MESSAGE.depth))).message.contains("levels"));
    assert!(normalise(&with("/x", deep(1_000))).is_err());
    assert!(refused(&with("/x", json!(vec![0; 20_000]))).message.contains("values"));
    assert!(refused(&with("/x", json!("x".repeat(70_000)))).message.contains("text"));
    assert!(refused(&with("/x", json!(vec!["x".repeat(60_000); 20]))).message.contains("bytes"));
    let terms: serde_json::Map<String, Value> = (0..5_000).map(|i| (format!("t{i}"), json!(format!("https://evil.example/{i}")))).collect();
    assert!(refused(&with("/@context", json!([CONTEXT, terms]))).message.contains("terms"));
    // As many contexts as fit, each within its limit, around each other and side by side.
    let context: serde_json::Map<String, Value> = (0..400).map(|i| (format!("t{i}"), json!(format!("x:{i}")))).collect();
    let many = json!({"https://evil.example/p": vec![json!({"@context": context, "@id": "x"}); 20]});
    let started = Instant::now();
    let mut document = request();
    document["https://evil.example/q"] = many;
    ContractRequestMessage::parse(document.to_string().as_bytes()).expect("foreign properties are kept apart");
    assert!(started.elapsed() < QUICK);
    // Renamed keywords and sets around a large value, nested: no copy per level.
    let core = json!(vec!["x"; 8_000]);
    let nested = (0..12).fold(core, |inner, i| json!({"i": format!("x:{i}"), "https://evil.example/p": {"@set": inner}}));
    let mut document = with("/@context", json!([CONTEXT, {"i": "@id"}]));
    document["https://evil.example/q"] = nested;
    let started = Instant::now();
    ContractRequestMessage::parse(document.to_string().as_bytes()).expect("foreign properties are kept apart");
    assert!(started.elapsed() < QUICK);
    let brackets = "[".repeat(Limits::MESSAGE.bytes);
    assert!(ContractRequestMessage::parse(brackets.as_bytes()).is_err());
    assert!(Catalog::parse("[0,".repeat(1_000_000).as_bytes()).is_err());
    assert!(Catalog::parse(&vec![b' '; Limits::CATALOG.bytes + 1]).is_err());
}

#[test]
fn errors_repeat_little_of_the_input() {
    let long = "Z".repeat(10_000);
    for document in [
        with("/@context", json!(format!("https://{long}"))),
        with("/@context", json!([CONTEXT, {long.clone(): 5}])),
        with("/@type", json!(long)),
        with("/offer/@type", json!(long)),
        with("/offer/permission", json!([{"action": "use", "constraint": [{"leftOperand": "a", "operator": long, "rightOperand": "b"}]}])),
        with(&format!("/@{long}"), json!(1)),
    ] {
        let error = refused(&document);
        let quoted = error.message.chars().filter(|c| *c == 'Z').count();
        assert!(quoted <= QUOTE_MAX_CHARS, "{quoted} in {error}");
    }
}

#[test]
fn one_odd_entry_does_not_hide_a_catalogue() {
    let document = json!({
    "@context": CONTEXT, "@id": "c", "@type": "Catalog", "participantId": "did:web:p",
    "dataset": [
        {"@id": "good", "@type": "Dataset", "hasPolicy": [
            {"@id": "o1", "@type": "Offer", "permission": [{"action": "use"}]},
            {"@id": "o2", "@type": "Offer", "permission": [{"action": {"@id": "odrl:use", "odrl:refinement": {"@id": "x"}}}]},
            {"@id": "o3", "@type": "Offer", "target": "other", "permission": [{"action": "use"}]}],
         "distribution": [{"@type": "Distribution", "format": "F", "accessService": "s"}]},
        {"@type": "Dataset", "hasPolicy": []},
        "not an object"
    ]});
    let catalog = Catalog::parse(document.to_string().as_bytes()).expect("read");
    assert_eq!(catalog.datasets.len(), 1);
    assert_eq!(catalog.datasets[0].offers.len(), 1);
    assert_eq!(catalog.skipped.len(), 4, "{:?}", catalog.skipped);
}

#[test]
fn the_conformance_kits_messages_are_read() {
    // As the kit writes them: a random UUID as @id, reasons as objects, an empty list of constraints.
    let termination = json!({"@id": "7c7e8ee4-6d7a-4bd5-9c5f-0c1f0a5f9f4e", "@type": "ContractNegotiationTerminationMessage",
        "@context": [CONTEXT], "providerPid": "p", "consumerPid": "c", "code": "1", "reason": [{"message": "because"}]});
    let read = ContractNegotiationTerminationMessage::parse(termination.to_string().as_bytes()).expect("read");
    assert_eq!((read.code.as_deref(), read.reasons), (Some("1"), vec!["because".to_owned()]));
    let request = with("/offer/permission", json!([{"action": "use", "constraint": []}]));
    ContractRequestMessage::parse(request.to_string().as_bytes()).expect("read");
    let start = json!({"@type": "TransferStartMessage", "@context": [CONTEXT], "providerPid": "p", "consumerPid": "c",
        "dataAddress": {"@type": "DataAddress", "endpoint": "http://example.com", "endpointType": "https://w3id.org/idsa/v4.1/HTTP"}});
    assert!(TransferStartMessage::parse(start.to_string().as_bytes()).expect("read").data_address.is_some());
}

/// JSON that likes to look like DSP.
fn json_ld() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "@id",
        "@type",
        "@value",
        "@list",
        "@set",
        "@graph",
        "@language",
        "@context",
        "@json",
        "offer",
        "permission",
        "odrl:permission",
        "dspace:consumerPid",
        "consumerPid",
        "dataset",
        "dcat:dataset",
        "rightOperand",
        "action",
        "odrl:use",
        "use",
        "Catalog",
        "reason",
        "dcat:Dataset",
        "DatasetRequestMessage",
        "state",
        "dspace:REQUESTED",
        "format",
        "dct:title",
        "title",
        "x",
        "x:y",
        ":",
        "",
        "http://www.w3.org/ns/odrl/2/permission",
        "https://w3id.org/dspace/2025/1/state",
        "xsd:integer",
        "5",
        CONTEXT,
        "accessService",
        "https://w3id.org/fondaco/2026/1/extension",
        "http://www.w3.org/ns/odrl/2/",
        "urn:a:b",
        "al",
    ]);
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    scalar.prop_recursive(6, 64, 5, move |inner| {
        let key = prop_oneof![word.clone().prop_map(str::to_owned), ".{0,4}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..5).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn contexts() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!([CONTEXT]),
        json!(CONTEXT),
        json!([CONTEXT, {"al": "@id", "x": "http://www.w3.org/ns/odrl/2/"}]),
        json!({"@vocab": "https://w3id.org/dspace/2025/1/", "al": "@value"}),
        json!({"@vocab": "http://www.w3.org/ns/odrl/2/", "al": "@type", "use": "x:use"}),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn normalising_never_panics_and_is_idempotent(value in json_ld(), context in contexts()) {
        let mut value = value;
        if let Value::Object(map) = &mut value {
            map.insert("@context".to_owned(), context);
        }
        if let Ok(once) = normalise(&value) {
            let again = normalise(&once);
            prop_assert_eq!(again.as_ref(), Ok(&once), "from {}", value);
        }
    }

    #[test]
    fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), value in json_ld()) {
        let text = value.to_string();
        for input in [bytes.as_slice(), text.as_bytes()] {
            let _ = Catalog::parse(input);
            let _ = ContractRequestMessage::parse(input);
            let _ = ContractAgreementMessage::parse(input);
            let _ = TransferRequestMessage::parse(input);
            let _ = fondaco_dsp::did::DidDocument::parse(input);
            let _ = fondaco_dsp::messages::version::VersionResponse::parse(input);
        }
    }
}
