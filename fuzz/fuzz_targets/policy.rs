//! Policies: never a panic, and a policy that was read is the same after printing.
#![no_main]

use fondaco_core::{
    participant::{Did, Slug},
    policy::{Facts, Policy},
    product::ProductRef,
    time::Timestamp,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Did::parse(text).and_then(|did| did.web_location());
        let _ = Slug::parse(text);
        let _ = ProductRef::parse_dataset_id(text);
        let _ = Timestamp::parse(text);
    }
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
    let Ok(policy) = Policy::from_odrl(&value) else { return };
    assert_eq!(Policy::from_odrl(&policy.to_odrl()).expect("what we print, we read"), policy);
    let now = Timestamp::from_micros(1_800_000_000_000_000);
    let _ = policy.evaluate(&Facts { now, recipient: "did:web:x", agreed_at: now, spatial: Some("CN"), purpose: &[], reads: 1 });
    let _ = policy.sentences();
});
