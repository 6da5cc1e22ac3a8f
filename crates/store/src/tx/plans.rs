//! How SQLite goes about each statement: none may read more because a node holds more than the rows it wants.

use super::STATEMENTS;
use crate::{
    conn::Conn,
    dialect::{Dialect, Sql},
    migrate::migrate,
    sqlite,
};
use fondaco_core::time::Timestamp;

/// Statements that pass over all rows of a table, or of a participant, and why they may. Without the module's own path.
const MAY_PASS_OVER_ALL: &[(&str, &str)] = &[
    ("api_tokens::LIST", "made by people, one at a time; a page of settings"),
    ("users::LOCK_ADMINS", "people who sign in"),
    ("users::DELETE", "the sessions of people, which end within days"),
    ("sessions::OF_USER", "the sessions of people, which end within days"),
    ("login::FORGET", "names that failed to sign in within a day"),
    ("jobs::PENDING", "the outbox, which the feed keeps below a bound and usually empty"),
    ("jobs::FAILING", "the outbox"),
    ("jobs::FAILING_OF", "the outbox"),
    ("jobs::STATS", "the outbox"),
    ("jobs::TAKE_OVER", "the outbox, at a start"),
    ("log::TAKE", "in the order of the index; stops at its limit"),
    ("log::PENDING", "leaves written within the last second"),
    ("log::KEY", "one row per key of the log"),
    ("log::KEYS", "one row per key of the log"),
    ("log::KEYS_RETIRE", "one row per key of the log"),
    ("log_witness::COSIGNATURES", "one row per witness of the policy"),
    ("log_witness::WITNESSED", "one row per log of the policy"),
    ("log_witness::WITNESSED_ORIGINS", "one row per log of the policy"),
    ("log_witness::WITNESSED_COUNT", "one row per log of the policy"),
    ("jobs::OWN", "the outbox, at a start"),
    ("jobs::END_LEASES", "one row per process"),
    ("participants::COUNT", "stops at its limit"),
    ("events::LATEST", "in the order of the index; stops at its limit"),
    ("connections::LIST", "bounded by what a participant may have"),
    ("keys::ACTIVE", "a participant's keys: one, and a few that were replaced"),
    ("peers::LIST", "in the order of the index; stops at its limit"),
    ("peers::ANY", "stops at the first"),
    ("health::FAILING", "feeds, which are products that follow a source"),
    ("health::FEEDS", "feeds, by an index alone"),
    ("process_counts::NEGOTIATIONS", "counts by an index alone, a tenth of a microsecond each"),
    ("process_counts::TRANSFERS", "counts by an index alone"),
    ("process_counts::AGREEMENTS", "counts by an index alone"),
    ("waiting::COUNT", "those that wait, by an index of them alone"),
    ("waiting::LIST", "those that wait, by an index of them alone"),
    ("product_search::COUNTS", "the console's search counts what it finds"),
    ("product_search::ALL_COUNTS", "a row per kind and state"),
    ("product_search::PUBLISHED", "counts by an index alone"),
    ("products::COUNT", "for tests: no page asks"),
    ("products::NAMES", "at a start, for each reading of a source that was cut off"),
    ("publications::NAMES", "at a start, for each reading of a source that was cut off"),
    ("peer_datasets::LIST", "by title; the search of copies reads each"),
    ("peer_datasets::FACETS", "the search of copies reads each"),
    ("peer_datasets::ALL_FACETS", "counts by an index alone"),
    ("peer_datasets::COUNTS", "counts by an index alone"),
];

/// Statements that must go by an index made for them.
const BY_INDEX: &[(&str, &str)] = &[
    ("waiting::LIST", "negotiation_waiting"),
    ("waiting::COUNT", "negotiation_waiting"),
    ("process_counts::AGREEMENTS", "COVERING INDEX agreement_in_force"),
    ("process_counts::NEGOTIATIONS", "COVERING INDEX negotiation_in_state"),
    ("process_counts::TRANSFERS", "COVERING INDEX transfer_in_state"),
    ("peer_datasets::STALE", "peer_read"),
    ("evidence_keep::ERASE_OLD", "evidence_seq (seq>? AND seq<?)"),
    ("evidence::FORWARD", "evidence_agreement (participant=? AND agreement_id=? AND seq>?)"),
    ("evidence_period::WITHIN", "(participant=? AND id>? AND id<?)"),
    ("evidence_period::LAST_OF_KIND", "evidence_agreement (participant=? AND agreement_id=?)"),
    ("publications::OLD", "publication_age"),
    ("agreements::LIST_WITH_PEER", "agreement_peer (participant=? AND peer_did=? AND (created_at,id)<(?,?))"),
    ("negotiations::LIST_IN_STATE", "negotiation_in_state (participant=? AND state=? AND id<?)"),
    ("transfers::LIST_IN_STATE", "transfer_in_state (participant=? AND state=? AND id<?)"),
    ("negotiations::BY_PEER_PID", "negotiation_peer (participant=? AND peer_did=? AND peer_pid=?)"),
    ("transfers::BY_PEER_PID", "transfer_peer (participant=? AND peer_did=? AND peer_pid=?)"),
];

fn plan(conn: &rusqlite::Connection, sql: Sql) -> Vec<String> {
    let text = format!("EXPLAIN QUERY PLAN {}", sql.text(Dialect::Sqlite));
    let mut statement = conn.prepare(&text).expect("compiles");
    let mut rows = statement.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().expect("a row") {
        lines.push(row.get::<_, String>("detail").expect("a text"));
    }
    lines
}

/// Whether a step of a plan passes over all rows of a table, or all of one participant's.
fn passes_over_all(tables: &[String], step: &str) -> bool {
    let mut words = step.split(' ');
    let (what, table) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    // An alias in the query stands for a table, except for those of subqueries and functions.
    let is_table = tables.iter().any(|t| t == table) || (table.len() == 1 && !step.contains("VIRTUAL TABLE") && table != "o");
    match what {
        "SCAN" => is_table,
        "SEARCH" => step.ends_with("(participant=?)"),
        _ => false,
    }
}

#[test]
fn statements_find_their_rows_by_index() {
    let mut conn = Conn::Sqlite(Box::new(sqlite::connect(None).expect("open")));
    migrate(&mut conn, Timestamp::from_micros(1)).expect("migrates");
    let Conn::Sqlite(conn) = conn else { panic!("SQLite was opened") };
    let mut names = conn.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").expect("compiles");
    let tables: Vec<String> = names.query_map([], |row| row.get(0)).expect("runs").collect::<Result<_, _>>().expect("names");
    assert!(passes_over_all(&tables, "SCAN agreement") && passes_over_all(&tables, "SCAN p USING COVERING INDEX x"));
    assert!(passes_over_all(&tables, "SEARCH agreement USING INDEX agreement_created (participant=?)"));
    assert!(!passes_over_all(&tables, "SEARCH agreement USING INDEX x (participant=? AND id=?)"));
    assert!(!passes_over_all(&tables, "SCAN w VIRTUAL TABLE INDEX 1:") && !passes_over_all(&tables, "SCAN CONSTANT ROW"));

    let (mut found, mut unused) = (Vec::new(), MAY_PASS_OVER_ALL.to_vec());
    for (name, sql) in STATEMENTS.iter().copied().flatten() {
        let name = name.trim_start_matches("fondaco_store::tx::");
        let steps = plan(&conn, *sql);
        if let Some((_, index)) = BY_INDEX.iter().find(|(of, _)| *of == name) {
            assert!(steps.iter().any(|step| step.contains(index)), "{name} does not go by {index}: {}", steps.join(" | "));
        }
        if !steps.iter().any(|step| passes_over_all(&tables, step)) {
            continue;
        }
        if MAY_PASS_OVER_ALL.iter().any(|(may, _)| *may == name) {
            unused.retain(|(may, _)| *may != name);
        } else {
            found.push(format!("{name}: {}", steps.join(" | ")));
        }
    }
    assert!(found.is_empty(), "these read more as a node holds more; give them an index, or say why they may:\n{}", found.join("\n"));
    assert!(unused.is_empty(), "these do not any more: {unused:?}");
}
