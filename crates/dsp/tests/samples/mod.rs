//! One of each message.

use fondaco_dsp::messages::{
    catalog::*,
    negotiation::*,
    transfer::*,
    version::{Auth, ProtocolVersion, VersionResponse},
};
use serde_json::{Value, json};

/// Whether some bytes read as a value; an error says what differs.
type Same = Box<dyn Fn(&[u8]) -> Result<(), String>>;

/// A message as printed, the schema it must satisfy, and a check that some bytes read as the same value.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) schema: &'static str,
    pub(crate) json: Value,
    pub(crate) same: Same,
}

pub(crate) fn offer(id: &str, target: &str) -> Value {
    json!({
        "@type": "Offer",
        "@id": id,
        "target": target,
        "permission": [{"action": "use", "constraint": [
            {"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2027-01-01T00:00:00Z"},
            {"leftOperand": "count", "operator": "lteq", "rightOperand": 100},
            {"leftOperand": "spatial", "operator": "isAnyOf", "rightOperand": ["CN", "DE"]},
            {"and": [
                {"leftOperand": "purpose", "operator": "eq", "rightOperand": "research"},
                {"or": [{"leftOperand": "elapsedTime", "operator": "lteq", "rightOperand": "P30D"}]}
            ]}
        ]}]
    })
}

fn catalog_offer() -> Value {
    let mut offer = offer("off_1", "x");
    offer.as_object_mut().expect("object").remove("target");
    offer
}

fn agreement() -> Value {
    let mut agreement = offer("agr_1", "dataset-1");
    for (key, value) in [
        ("@type", "Agreement"),
        ("assigner", "did:web:p.example"),
        ("assignee", "did:web:c.example"),
        ("timestamp", "2026-11-21T08:00:00Z"),
    ] {
        agreement[key] = json!(value);
    }
    agreement
}

fn service() -> DataService {
    DataService {
        id: "urn:uuid:service".to_owned(),
        endpoint_url: "https://p.example/p/acme/dsp/2025-1".to_owned(),
        endpoint_description: Some("dspace:connector".to_owned()),
    }
}

fn dataset(access_service: AccessService) -> Dataset {
    Dataset {
        id: "dataset-1".to_owned(),
        title: Some("Flights of New York".to_owned()),
        description: Some("All flights of 2013.".to_owned()),
        keywords: vec!["flights".to_owned(), "weather".to_owned()],
        version: Some("3".to_owned()),
        issued: Some("2026-11-21T08:00:00Z".to_owned()),
        license: Some("CC-BY-4.0".to_owned()),
        contact_point: Some("mailto:data@p.example".to_owned()),
        accrual_periodicity: Some("http://publications.europa.eu/resource/authority/frequency/DAILY".to_owned()),
        language: vec!["en".to_owned(), "zh".to_owned()],
        offers: vec![catalog_offer()],
        distributions: vec![Distribution { format: "DeltaSharing-PULL".to_owned(), access_service, offers: vec![] }],
        extension: Some(json!({"kind": "table", "rows": 336_776, "columns": [
            {"name": "dspace:year", "type": "int32", "nullable": false, "profile": null, "tags": ["a"]}]})),
    }
}

pub(crate) fn catalog() -> Catalog {
    Catalog {
        id: "urn:uuid:catalog".to_owned(),
        participant_id: Some("did:web:p.example".to_owned()),
        title: Some("Acme".to_owned()),
        datasets: vec![dataset(AccessService::Reference("urn:uuid:service".to_owned()))],
        services: vec![service()],
        catalogs: vec![Catalog {
            id: "urn:uuid:inner".to_owned(),
            services: vec![service()],
            distributions: vec![Distribution {
                format: "Catalog".to_owned(),
                access_service: AccessService::Reference("urn:uuid:service".to_owned()),
                offers: vec![],
            }],
            ..Catalog::default()
        }],
        ..Catalog::default()
    }
}

fn address() -> DataAddress {
    let property = |name: &str, value: &str| EndpointProperty { name: name.to_owned(), value: value.to_owned() };
    DataAddress {
        endpoint_type: "https://w3id.org/idsa/v4.1/HTTP".to_owned(),
        endpoint: Some("https://p.example/p/acme/share".to_owned()),
        properties: vec![property("authorization", "token"), property("authType", "bearer")],
    }
}

/// All of them.
pub(crate) fn samples() -> Vec<Sample> {
    let message_id = || Some("urn:uuid:0191f5a6-0000-7000-8000-000000000001".to_owned());
    let provider_pid = || "neg_p1".to_owned();
    let consumer_pid = || "urn:uuid:consumer-1".to_owned();
    let callback = || "https://c.example/p/buyer/dsp/2025-1".to_owned();
    let code = || Some("FDC-1".to_owned());
    let reasons = || vec!["Not for sale.".to_owned(), "Keine Ware.".to_owned()];
    let mut out = Vec::new();
    macro_rules! sample {
        ($name:expr, $schema:literal, $value:expr, $type:ident) => {{
            let value: $type = $value;
            out.push(Sample {
                name: $name,
                schema: concat!($schema, "-schema.json"),
                json: value.to_json(),
                same: Box::new(move |bytes| match $type::parse(bytes) {
                    Ok(read) if read == value => Ok(()),
                    Ok(read) => Err(first_difference(&sorted(&read.to_json()), &sorted(&value.to_json()))),
                    Err(error) => Err(error.to_string()),
                }),
            });
        }};
    }
    sample!(
        "VersionResponse",
        "common/protocol-version",
        VersionResponse {
            protocol_versions: vec![ProtocolVersion {
                version: "2025-1".to_owned(),
                path: "/dsp/2025-1".to_owned(),
                binding: "HTTPS".to_owned(),
                service_id: Some("s".to_owned()),
                identifier_type: Some("did:web".to_owned()),
                auth: Some(Auth { protocol: "DCP".to_owned(), version: "1.0".to_owned(), profile: vec!["vc11-sl2021/jwt".to_owned()] }),
            }],
        },
        VersionResponse
    );
    sample!(
        "CatalogRequestMessage",
        "catalog/catalog-request-message",
        CatalogRequestMessage { message_id: message_id(), filter: vec![json!("table")] },
        CatalogRequestMessage
    );
    sample!(
        "DatasetRequestMessage",
        "catalog/dataset-request-message",
        DatasetRequestMessage { message_id: message_id(), dataset: "dataset-1".to_owned() },
        DatasetRequestMessage
    );
    sample!("Catalog", "catalog/catalog", catalog(), Catalog);
    sample!("Dataset", "catalog/dataset", dataset(AccessService::Service(service())), Dataset);
    sample!(
        "CatalogError",
        "catalog/catalog-error",
        CatalogError { message_id: message_id(), code: code(), reasons: reasons() },
        CatalogError
    );
    let request = |provider_pid, callback_address| ContractRequestMessage {
        message_id: message_id(),
        consumer_pid: consumer_pid(),
        provider_pid,
        callback_address,
        offer: offer("off_1", "dataset-1"),
    };
    sample!(
        "ContractRequestMessage_initial",
        "negotiation/contract-request-message",
        request(None, Some(callback())),
        ContractRequestMessage
    );
    sample!("ContractRequestMessage", "negotiation/contract-request-message", request(Some(provider_pid()), None), ContractRequestMessage);
    let offered = |consumer_pid, callback_address| ContractOfferMessage {
        message_id: message_id(),
        provider_pid: provider_pid(),
        consumer_pid,
        callback_address,
        offer: offer("off_1", "dataset-1"),
    };
    sample!("ContractOfferMessage_initial", "negotiation/contract-offer-message", offered(None, Some(callback())), ContractOfferMessage);
    sample!("ContractOfferMessage", "negotiation/contract-offer-message", offered(Some(consumer_pid()), None), ContractOfferMessage);
    macro_rules! process {
        ($type:ident, $schema:literal $(, $field:ident: $value:expr)*) => {
            sample!(
                stringify!($type),
                $schema,
                $type { message_id: message_id(), provider_pid: provider_pid(), consumer_pid: consumer_pid() $(, $field: $value)* },
                $type
            );
        };
    }
    process!(ContractAgreementMessage, "negotiation/contract-agreement-message", agreement: agreement());
    process!(ContractAgreementVerificationMessage, "negotiation/contract-agreement-verification-message");
    process!(ContractNegotiationEventMessage, "negotiation/contract-negotiation-event-message", event_type: NegotiationEvent::Accepted);
    process!(
        ContractNegotiationTerminationMessage,
        "negotiation/contract-negotiation-termination-message",
        code: code(),
        reasons: reasons()
    );
    process!(ContractNegotiation, "negotiation/contract-negotiation", state: NegotiationState::Finalized);
    process!(ContractNegotiationError, "negotiation/contract-negotiation-error", code: code(), reasons: reasons());
    sample!(
        "TransferRequestMessage",
        "transfer/transfer-request-message",
        TransferRequestMessage {
            message_id: message_id(),
            consumer_pid: consumer_pid(),
            agreement_id: "agr_1".to_owned(),
            format: "DeltaSharing-PULL".to_owned(),
            data_address: Some(address()),
            callback_address: callback(),
        },
        TransferRequestMessage
    );
    process!(TransferStartMessage, "transfer/transfer-start-message", data_address: Some(address()));
    process!(TransferSuspensionMessage, "transfer/transfer-suspension-message", code: code(), reasons: reasons());
    process!(TransferCompletionMessage, "transfer/transfer-completion-message");
    process!(TransferTerminationMessage, "transfer/transfer-termination-message", code: None, reasons: vec![]);
    process!(TransferProcess, "transfer/transfer-process", state: TransferState::Suspended);
    process!(TransferError, "transfer/transfer-error", code: code(), reasons: reasons());
    out
}

fn first_difference(read: &str, wanted: &str) -> String {
    let pair = read.lines().zip(wanted.lines()).enumerate().find(|(_, (a, b))| a != b);
    format!("line {pair:?} of\n{read}")
}

fn sorted(value: &Value) -> String {
    fn sort(value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(sort).collect(),
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().map(|(k, v)| (k.clone(), sort(v))).collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Object(entries.into_iter().collect())
            }
            other => other.clone(),
        }
    }
    format!("{:#}", sort(value))
}
