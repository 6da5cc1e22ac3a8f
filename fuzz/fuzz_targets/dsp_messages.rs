//! Every parser of the wire formats: never a panic, and what was read prints and reads back as the same.
#![no_main]

use fondaco_dsp::{
    did::DidDocument,
    messages::{catalog, negotiation, transfer, version::VersionResponse},
};
use libfuzzer_sys::fuzz_target;

macro_rules! round_trip {
    ($bytes:expr, $($kind:ty),* $(,)?) => {$(
        if let Ok(read) = <$kind>::parse($bytes) {
            let printed = read.to_json().to_string();
            let again = <$kind>::parse(printed.as_bytes()).expect("what we print, we read");
            assert_eq!(again.to_json(), read.to_json());
        }
    )*};
}

fuzz_target!(|bytes: &[u8]| {
    round_trip!(
        bytes,
        negotiation::ContractRequestMessage,
        negotiation::ContractOfferMessage,
        negotiation::ContractAgreementMessage,
        negotiation::ContractAgreementVerificationMessage,
        negotiation::ContractNegotiationEventMessage,
        negotiation::ContractNegotiationTerminationMessage,
        transfer::TransferRequestMessage,
        transfer::TransferStartMessage,
        transfer::TransferSuspensionMessage,
        transfer::TransferTerminationMessage,
        catalog::CatalogRequestMessage,
    );
    let _ = catalog::Catalog::parse(bytes);
    let _ = catalog::Dataset::parse(bytes);
    let _ = DidDocument::parse(bytes);
    let _ = VersionResponse::parse(bytes);
});
