//! Range headers: whatever is asked, only bytes of the file are answered, in order and once.
#![no_main]

use fondaco_tables::serve::{Method, Plan, RequestHeaders, plan_response};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &str)| {
    let (size, range) = input;
    let headers = RequestHeaders { range: Some(range), ..RequestHeaders::default() };
    if let Plan::Partial(ranges) = plan_response(Method::Get, headers, "\"x\"", size) {
        let mut next = 0;
        for r in ranges {
            assert!(r.start >= next && r.start <= r.end && r.end < size);
            next = r.end + 1;
        }
    }
});
