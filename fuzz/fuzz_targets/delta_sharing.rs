//! What clients and servers of Delta Sharing send: never a panic.
#![no_main]

use fondaco_tables::delta_sharing::{
    Capabilities, Paging, QueryRequest,
    client::{Profile, parse_answer, parse_error},
    parse_file_id_hash, verify_file_url,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = QueryRequest::parse(bytes);
    let _ = Profile::parse(bytes);
    let _ = parse_answer(bytes, false);
    let _ = parse_error(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Capabilities::parse(Some(text));
        let _ = Paging::parse(None, Some(text));
        let _ = parse_file_id_hash(Some(text));
        assert!(verify_file_url("t", "f", text, b"a key nobody knows", 0).is_err());
    }
});
