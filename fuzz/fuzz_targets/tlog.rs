//! Everything of a transparency log that others may write: notes, keys, checkpoints, requests to a witness, answers of
//! one, policies, receipts, tiles. What is read is read back the same.
#![no_main]

use fondaco_tlog::{bundle::Bundle, Checkpoint, Note, entries, note, policy::Policy, proof::Proof, tile, witness};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(note) = Note::parse(data) {
        assert_eq!(note.to_string().as_bytes(), data);
        if let Ok(checkpoint) = Checkpoint::parse(note.text()) {
            assert_eq!(checkpoint.to_string(), note.text());
        }
    }
    if let Ok(request) = witness::Request::parse(data) {
        assert_eq!(request.to_string().as_bytes(), data);
        let log = witness::TrustedLog { origin: request.checkpoint.origin.clone(), keys: Vec::new() };
        assert!(witness::decide(None, &request, Some(&log), 1).is_err());
    }
    if let Ok(proof) = Proof::parse(data) {
        assert_eq!(proof.to_string().as_bytes(), data);
    }
    if let Ok(bundle) = Bundle::parse(data) {
        assert_eq!(bundle.print().as_deref().map(str::as_bytes), Ok(data));
        let _ = bundle.verify(None);
    }
    let _ = note::Signature::parse_lines(data);
    let _ = witness::parse_size(data);
    let _ = Policy::parse(data);
    if let [width, bytes @ ..] = data {
        let width = u16::from(*width) + 1;
        if let Ok(found) = entries::parse(bytes, width) {
            assert_eq!(entries::print(&found).as_deref(), Ok(bytes));
        }
        let _ = tile::hashes(bytes, width);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        if let Some(resource) = tile::Resource::parse(text) {
            assert_eq!(resource.to_string(), text);
        }
        if let Ok(key) = text.parse::<note::VerifierKey>() {
            assert_eq!(key.to_string(), text);
        }
    }
});
