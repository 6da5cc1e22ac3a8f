//! Files to publish: a clear refusal or a table, never a panic, never a leftover.
#![no_main]

use fondaco_tables::publish::{PublishLimits, publish_table};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;

fuzz_target!(|bytes: &[u8]| {
    let folder: PathBuf = std::env::temp_dir().join(format!("fondaco-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for temporary files");
    for name in ["a.csv", "a.parquet"] {
        let source = folder.join(name);
        std::fs::write(&source, bytes).expect("a temporary file");
        let out = folder.join("out");
        let limits = PublishLimits { max_file_rows: 100_000, ..PublishLimits::default() };
        if publish_table(&[source], &out, &limits, &mut |_| {}).is_ok() {
            std::fs::remove_dir_all(&out).expect("what was published");
        }
        assert!(!out.exists(), "a failed publication leaves nothing");
    }
});
