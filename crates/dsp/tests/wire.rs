//! Messages on the wire: what we print is valid against the official schemas, and every spelling of it reads back as
//! the same value. `fixtures/` holds each message in compact form and as an independent JSON-LD processor spells it.

mod samples;

use fondaco_dsp::{WireError, messages::*, normalise};
use samples::{Sample, samples};
use serde_json::Value;
use std::{collections::HashMap, fs, path::Path};

/// Official schemas by `$id`, nothing else; nothing is fetched.
struct Schemas(HashMap<String, Value>);

impl jsonschema::Retrieve for Schemas {
    fn retrieve(&self, uri: &jsonschema::Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        self.0.get(uri.as_str()).cloned().ok_or_else(|| format!("{uri} is not bundled").into())
    }
}

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn schemas() -> HashMap<String, Value> {
    let mut out = HashMap::new();
    for family in ["catalog", "common", "negotiation", "transfer"] {
        for entry in fs::read_dir(folder("schemas").join(family)).expect("folder") {
            let text = fs::read_to_string(entry.expect("entry").path()).expect("schema");
            // The published transfer schemas point at `…#definitions/…`; a JSON Pointer starts with a slash.
            let schema: Value = serde_json::from_str(&text.replace("#definitions/", "#/definitions/")).expect("json");
            out.insert(schema["$id"].as_str().expect("$id").to_owned(), schema);
        }
    }
    out
}

fn validator(schema: &str) -> jsonschema::Validator {
    let all = schemas();
    let wanted = all.get(&format!("https://w3id.org/dspace/2025/1/{schema}")).expect("a bundled schema").clone();
    jsonschema::options().with_retriever(Schemas(all)).build(&wanted).expect("schema compiles")
}

fn validate(schema: &str, document: &Value) {
    let errors: Vec<String> = validator(schema).iter_errors(document).map(|e| format!("{} at {}", e, e.instance_path())).collect();
    assert!(errors.is_empty(), "{schema}: {errors:#?}\n{document:#}");
}

#[test]
fn printed_messages_are_valid() {
    for sample in samples() {
        validate(sample.schema, &sample.json);
    }
}

#[test]
fn the_schemas_do_refuse() {
    // The check above would be worth nothing if the schemas accepted anything.
    for sample in samples() {
        let validator = validator(sample.schema);
        let mut untyped = sample.json.clone();
        let map = untyped.as_object_mut().expect("object");
        let required = ["@type", "protocolVersions"].into_iter().find(|key| map.remove(*key).is_some());
        // Of a Dataset the published schema requires no type.
        if sample.name != "Dataset" {
            assert!(!validator.is_valid(&untyped), "{} without {required:?}", sample.name);
        }
    }
}

#[test]
fn every_spelling_reads_as_the_same_value() {
    let bless = std::env::var_os("FONDACO_BLESS").is_some();
    for Sample { name, json, same, .. } in samples() {
        same(json.to_string().as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let file = folder("tests/fixtures/compact").join(format!("{name}.json"));
        if bless {
            fs::create_dir_all(file.parent().expect("folder")).expect("folder");
            fs::write(&file, format!("{json:#}\n")).expect("written");
        }
        let stored: Value = serde_json::from_str(&fs::read_to_string(&file).expect("fixture")).expect("json");
        assert_eq!(stored, json, "{name} changed; see fixtures/README.md");
        if name == "VersionResponse" || bless {
            continue; // Plain JSON, not JSON-LD.
        }
        for spelling in ["expanded", "prefixed", "inline"] {
            let text = fs::read_to_string(folder("tests/fixtures").join(spelling).join(format!("{name}.json"))).expect(name);
            same(text.as_bytes()).unwrap_or_else(|e| panic!("{name}, {spelling}: {e}"));
        }
    }
}

#[test]
fn compact_messages_are_their_own_normal_form() {
    for sample in samples().into_iter().filter(|s| s.name != "VersionResponse") {
        let once = normalise(&sample.json).expect(sample.name);
        assert_eq!(normalise(&once).as_ref(), Ok(&once), "{}", sample.name);
    }
}

#[test]
fn the_specifications_own_examples_are_read() {
    type Parse = fn(&[u8]) -> Result<(), WireError>;
    let parsers: &[(&str, Parse)] = &[
        ("catalog-error", |b| catalog::CatalogError::parse(b).map(drop)),
        ("catalog-request-message", |b| catalog::CatalogRequestMessage::parse(b).map(drop)),
        ("catalog", |b| catalog::Catalog::parse(b).map(|c| assert!(c.skipped.is_empty() && c.datasets.len() == 1))),
        ("dataset-request-message", |b| catalog::DatasetRequestMessage::parse(b).map(drop)),
        ("dataset", |b| catalog::Dataset::parse(b).map(|d| assert!(!d.offers.is_empty() && !d.distributions.is_empty()))),
        ("nested-catalog", |b| catalog::Catalog::parse(b).map(|c| assert!(c.skipped.is_empty() && c.catalogs.len() == 1))),
        ("protocol-version", |b| version::VersionResponse::parse(b).map(drop)),
        ("contract-agreement-message-full", |b| negotiation::ContractAgreementMessage::parse(b).map(drop)),
        ("contract-agreement-message", |b| negotiation::ContractAgreementMessage::parse(b).map(drop)),
        ("contract-agreement-verification-message", |b| negotiation::ContractAgreementVerificationMessage::parse(b).map(drop)),
        ("contract-negotiation-error", |b| negotiation::ContractNegotiationError::parse(b).map(drop)),
        ("contract-negotiation-event-message", |b| negotiation::ContractNegotiationEventMessage::parse(b).map(drop)),
        ("contract-negotiation-termination-message", |b| negotiation::ContractNegotiationTerminationMessage::parse(b).map(drop)),
        ("contract-negotiation", |b| negotiation::ContractNegotiation::parse(b).map(drop)),
        ("contract-offer-message", |b| negotiation::ContractOfferMessage::parse(b).map(drop)),
        ("contract-offer-message_initial", |b| negotiation::ContractOfferMessage::parse(b).map(drop)),
        ("contract-request-message", |b| negotiation::ContractRequestMessage::parse(b).map(drop)),
        ("contract-request-message_initial", |b| negotiation::ContractRequestMessage::parse(b).map(drop)),
        ("transfer-completion-message", |b| transfer::TransferCompletionMessage::parse(b).map(drop)),
        ("transfer-error", |b| transfer::TransferError::parse(b).map(drop)),
        ("transfer-process", |b| transfer::TransferProcess::parse(b).map(drop)),
        ("transfer-request-message", |b| transfer::TransferRequestMessage::parse(b).map(drop)),
        ("transfer-start-message", |b| transfer::TransferStartMessage::parse(b).map(drop)),
        ("transfer-suspension-message", |b| transfer::TransferSuspensionMessage::parse(b).map(drop)),
        ("transfer-termination-message", |b| transfer::TransferTerminationMessage::parse(b).map(drop)),
    ];
    let mut read = 0;
    for entry in fs::read_dir(folder("schemas/examples")).expect("folder") {
        let path = entry.expect("entry").path();
        let name = path.file_stem().and_then(|s| s.to_str()).expect("name").to_owned();
        if name.ends_with("did-service") {
            continue; // A fragment of a DID document.
        }
        let (_, parse) = parsers.iter().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("{name} has no parser"));
        parse(&fs::read(&path).expect("example")).unwrap_or_else(|e| panic!("{name}: {e}"));
        read += 1;
    }
    assert_eq!(read, parsers.len());
}

#[test]
fn the_catalogue_service_of_a_did_document_is_valid() {
    use fondaco_dsp::did::{CATALOG_SERVICE, DidDocument, Service};
    // The published schema wants every service to end in `/catalog`, so only this one can satisfy it.
    let service = Service {
        id: "did:web:p.example#catalog".to_owned(),
        service_type: CATALOG_SERVICE.to_owned(),
        service_endpoint: "https://p.example/p/acme/dsp/2025-1/catalog".to_owned(),
        vkey: None,
    };
    let printed = DidDocument { id: "did:web:p.example".to_owned(), services: vec![service], ..DidDocument::default() }.to_json();
    let mut entry = printed["service"][0].clone();
    entry["@context"] = printed["@context"].clone();
    validate("common/did-service-schema.json", &entry);
}

#[test]
fn an_agreement_has_one_digest_on_both_sides() {
    use fondaco_core::{agreement::Agreement, participant::Did, time::Timestamp};
    let did = |s: &str| Did::parse(s).expect("did");
    // A count is a number here and a typed literal on the wire.
    let rules = samples::offer("off_1", "dataset-1");
    let at = Timestamp::parse("2026-11-21T08:00:00Z").expect("instant");
    let made = Agreement::make("agr_1", "dataset-1", &did("did:web:p.example"), &did("did:web:c.example"), at, &rules).expect("made");
    let sent = negotiation::ContractAgreementMessage {
        message_id: Some("urn:uuid:1".to_owned()),
        provider_pid: "p".to_owned(),
        consumer_pid: "c".to_owned(),
        agreement: made.document.clone(),
    };
    validate("negotiation/contract-agreement-message-schema.json", &sent.to_json());
    let received = negotiation::ContractAgreementMessage::parse(sent.to_json().to_string().as_bytes()).expect("parsed");
    assert_eq!(Agreement::read(received.agreement).expect("read"), made);
}

#[test]
fn a_catalogue_of_a_thousand_datasets_prints_and_reads() {
    let mut catalog = samples::catalog();
    let dataset = catalog.datasets[0].clone();
    catalog.datasets = (0..1_000).map(|i| catalog::Dataset { id: format!("dataset-{i}"), ..dataset.clone() }).collect();
    let printed = catalog.to_json();
    validate("catalog/catalog-schema.json", &printed);
    let text = printed.to_string();
    assert!(text.len() < fondaco_dsp::limits::Limits::CATALOG.bytes);
    assert_eq!(catalog::Catalog::parse(text.as_bytes()), Ok(catalog));
}
