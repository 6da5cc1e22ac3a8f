//! The whole database as text, and back: what a backup holds of it, and how a node moves from one database to another.
//!
//! The text is JSON Lines, the same for both databases:
//! ```text
//! {"format":"fondaco-export","version":1,"schema":1}
//! {"table":"participant","columns":["slug","did","body"]}
//! ["acme","did:web:…","{…}"]
//! …
//! {"sequence":"event","column":"id","last":41}
//! {"end":{"tables":20,"rows":1234}}
//! ```
//! Tables come before those that refer to them. A row is an array in the order of the columns: `null`, an integer, a
//! text, or bytes as `{"base64":"…"}`. Left out are the leases of running processes, which no copy may inherit, and the
//! list of migrations, which `schema` stands for.
//!
//! Exporting neither migrates nor changes anything, so that a backup can be taken before an upgrade.

mod export;
pub(crate) mod files;
mod import;
pub(crate) mod source;

pub use export::{Exported, export};
pub use files::StoredFile;
pub use import::{HELD_RESTORED, Imported, check_empty, import};
pub use source::note_backup;

/// The name of the text's form.
pub const EXPORT_FORMAT: &str = "fondaco-export";
/// Its version; a reader refuses newer ones.
pub const EXPORT_VERSION: u32 = 1;
/// Tables that are not exported: `job_owner` holds the leases of running processes (a restored node takes its jobs
/// over), `schema_migration` is written by the migrations themselves.
const LEFT_OUT: [&str; 2] = ["job_owner", "schema_migration"];
/// Longest line read: one row. Its largest column is bounded by the store, and JSON escapes at worst six bytes for one.
const LINE_MAX_BYTES: u64 = 6 * 2 * crate::value::COLUMN_MAX_BYTES as u64;
/// Longest table or column name: ours are short, and names go into statements.
const NAME_MAX_CHARS: usize = 63;

/// The newest schema this program knows.
pub fn schema_version() -> u32 {
    crate::migrate::newest()
}

/// Whether a name may go into a statement: those of our migrations are of this form.
fn plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_MAX_CHARS
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_core::time::Timestamp;

    /// What a node of schema 1 held, as its export was written then. Never edited.
    const GOLDEN: &str = include_str!("../tests/golden/export-1.jsonl");

    fn exported(url: &str) -> (Exported, String) {
        let mut text = Vec::new();
        let exported = export(url, &mut text).expect("exports");
        (exported, String::from_utf8(text).expect("utf-8"))
    }

    #[test]
    fn the_text_of_schema_1_is_read_and_written_byte_for_byte() {
        let dir = tempfile::tempdir().expect("dir");
        let url = format!("sqlite:{}", dir.path().join("a.db").display());
        let imported = import::import_up_to(&url, &mut GOLDEN.as_bytes(), Timestamp::from_micros(1), 1).expect("imports");
        let (exported, text) = exported(&url);
        assert_eq!(text, GOLDEN);
        assert_eq!((exported.schema, exported.rows), (1, imported.rows));
        assert_eq!(exported.files.len(), 5);
        assert!(exported.in_place.is_empty());
    }

    #[test]
    fn an_old_text_comes_into_todays_schema_and_names_the_same_files() {
        let dir = tempfile::tempdir().expect("dir");
        let url = |name: &str| format!("sqlite:{}", dir.path().join(name).display());
        import::import_up_to(&url("old.db"), &mut GOLDEN.as_bytes(), Timestamp::from_micros(1), 1).expect("imports");
        let old = exported(&url("old.db")).0;
        import(&url("new.db"), &mut GOLDEN.as_bytes(), Timestamp::from_micros(1)).expect("imports");
        let new = exported(&url("new.db")).0;
        assert_eq!(new.schema, schema_version());
        assert_eq!((new.files, new.in_place), (old.files, old.in_place));
    }

    #[test]
    fn only_plain_names_reach_a_statement() {
        for good in ["participant", "product_file", "a1"] {
            assert!(plain_name(good), "{good}");
        }
        for bad in ["", "1a", "A", "a b", "a\"b", "a;b", "é", &"a".repeat(64)] {
            assert!(!plain_name(bad), "{bad}");
        }
    }
}
