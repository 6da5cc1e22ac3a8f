//! The database of a node that is not running: reachable, of a version we know, writable, and its keys open with
//! `node.key`. Opening it brings it to this program's schema, exactly as starting the node would.

use super::{Finding, folder::sqlite_file};
use crate::{
    app::participants::key_context,
    config::Config,
    secrets::{OsEntropy, Sealer},
};
use fondaco_core::{Code, Error, time::SystemClock};
use fondaco_store::{Store, StoreConfig, StoreError};
use std::{path::Path, sync::Arc};

/// Most participants whose keys are opened; one wrong master key breaks all alike.
const PARTICIPANTS_MAX: u32 = 100;

/// Checks the database.
pub(super) async fn check(dir: &Path, config: &Config) -> Vec<Finding> {
    if super::listeners::locked(dir) {
        // Its owner was already reported; two processes must not work in one folder.
        return Vec::new();
    }
    if let Some(file) = sqlite_file(config).filter(|f| !f.is_file()) {
        let mend = "Check database.url, or put the file back from a backup. fondaco init makes a new node, in another folder.";
        return vec![Finding::fail("database", format!("{} is not there.", file.display()), mend)];
    }
    let store = match Store::open(&StoreConfig::new(config.database_url()), Arc::new(SystemClock), Arc::new(OsEntropy)).await {
        Ok(store) => store,
        Err(e) => return vec![broken(&e)],
    };
    let mut findings = vec![match store.check_statements().await {
        Ok(n) => Finding::ok("database", format!("Reachable and of this version ({n} statements checked).")),
        Err(e) => broken(&e),
    }];
    if let Err(e) = store.tx("doctor", |tx| tx.setting_put("doctor", &serde_json::json!("writable"))).await {
        findings.push(broken(&e));
    }
    if let Ok(Some(sealer)) = Sealer::load(dir) {
        findings.push(keys(&store, sealer).await);
    }
    findings
}

async fn keys(store: &Store, sealer: Sealer) -> Finding {
    let opened = store
        .read("doctor_keys", move |tx| -> Result<Result<usize, String>, StoreError> {
            let mut opened = 0;
            for participant in tx.participant_list(None, PARTICIPANTS_MAX)? {
                for key in tx.keys_active(&participant.slug)? {
                    if sealer.open(&key_context(&participant.slug), &key.sealed_private).is_err() {
                        return Ok(Err(participant.slug.to_string()));
                    }
                    opened += 1;
                }
            }
            Ok(Ok(opened))
        })
        .await;
    match opened {
        Ok(Ok(0)) => {
            Finding::warn("keys", "The database holds no signing keys.", "Add a participant: fondaco participant add SLUG --name TEXT")
        }
        Ok(Ok(n)) => Finding::ok("keys", format!("{n} signing keys open with node.key.")),
        Ok(Err(slug)) => Finding::fail(
            "keys",
            format!("The signing key of {slug} does not open: node.key belongs to another node."),
            "Put back the node.key that was in the folder when this database was written.",
        ),
        Err(e) => broken(&e),
    }
}

fn broken(e: &StoreError) -> Finding {
    let mend = match Error::from(e.clone()).code() {
        Code::DatabaseFromFuture => "Start it with the newer version of fondaco that wrote it, or restore a backup from before.",
        Code::ConfigInvalid => "Correct database.url in fondaco.toml.",
        Code::Unavailable => "Check that the database server runs and lets us in, or that the file and its folder can be written.",
        _ => "Restore it from a backup; keep the damaged one for examination.",
    };
    Finding::fail("database", format!("{e}."), mend)
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    #[tokio::test]
    async fn a_database_that_is_missing_or_no_database_is_found() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::write(dir.path().join(crate::config::FILE_NAME), "[public]\nurl = \"http://127.0.0.1:9000\"\n").expect("write");
        let config = Config::load_with(dir.path(), &std::collections::HashMap::new()).expect("config");
        let missing = check(dir.path(), &config).await;
        assert_eq!((missing.len(), missing[0].status), (1, Status::Fail));
        std::fs::write(dir.path().join("fondaco.db"), "not a database at all, but long enough to be looked at".repeat(40)).expect("write");
        assert!(check(dir.path(), &config).await.iter().any(|f| f.status == Status::Fail));
    }
}
