//! Stored documents of each kind, as earlier versions wrote them, still read as the same value.
//! (An offer has a stored form of its own, tested beside it.)

use crate::samples;
use fondaco_core::{negotiation::Negotiation, participant::Participant, product::Product, transfer::Transfer};
use fondaco_store::AgreementRow;
use serde::{Serialize, de::DeserializeOwned};

/// A golden file is written once, when a stored type is new: `FONDACO_WRITE_GOLDEN=1`. It is never edited; a changed
/// type gets a further file, and must still read the old one.
fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, value: &T) {
    let path = format!("{}/tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("FONDACO_WRITE_GOLDEN").is_some() && !std::path::Path::new(&path).exists() {
        let text = serde_json::to_string_pretty(value).expect("json");
        std::fs::write(&path, text + "\n").expect("written");
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let read: T = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
    assert_eq!(&read, value, "{path}");
}

#[test]
fn stored_documents_are_still_read() {
    check::<Participant>("participant-1", &samples::participant("acme"));
    check::<Product>("product-1", &Product { derived_from: Vec::new(), ..samples::product("flights", 2) });
    check::<Product>("product-2", &samples::product("flights", 2));
    check::<Negotiation>("negotiation-1", &samples::negotiation("neg_1", Some("urn:uuid:1")));
    check::<Transfer>("transfer-1", &samples::transfer("trf_1", Some("urn:uuid:2")));
    check::<AgreementRow>("agreement-1", &samples::agreement("agr_1"));
}
