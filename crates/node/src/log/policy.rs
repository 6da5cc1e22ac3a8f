//! The policy of this node's log, in the form of [c2sp.org/tlog-policy](https://c2sp.org/tlog-policy): its `witness` lines
//! are asked to cosign this log, its `quorum` says how many are enough, and its `log` lines are the logs that this node
//! witnesses.

use fondaco_core::{Error, Result};
use fondaco_store::{CosignatureRow, LogTree, Tx};
use fondaco_tlog::{
    Note,
    note::Signature,
    policy::{POLICY_BYTES_MAX, Policy},
};
use serde_json::Value;
use std::collections::BTreeSet;
use url::Url;

/// The setting that holds its text.
const SETTING: &str = "log.policy";
/// Most witnesses: a checkpoint with their lines stays a note.
const WITNESSES_MAX: usize = 32;
/// Most logs witnessed: each may ask at any time.
const LOGS_MAX: usize = 256;

/// The policy, with its text.
#[derive(Clone, Debug)]
pub struct LogPolicy {
    /// As it was given.
    pub text: String,
    /// What it says.
    pub policy: Policy,
}

/// The policy in force; `None` while nobody witnesses this log, and this node nobody's.
///
/// # Errors
/// When the database fails, or holds a text that is no policy.
pub fn load(tx: &mut Tx) -> Result<Option<LogPolicy>> {
    let Some(Value::String(text)) = tx.setting_get(SETTING)? else { return Ok(None) };
    let policy = Policy::parse(text.as_bytes()).map_err(Error::internal_failure)?;
    Ok(Some(LogPolicy { text, policy }))
}

/// Puts a policy in force.
///
/// # Errors
/// When the database fails.
pub fn store(tx: &mut Tx, policy: Option<&LogPolicy>) -> Result<()> {
    // Whoever stores what witnesses said waits, and then sees that they are others.
    tx.log_lock()?;
    let text = policy.map_or(Value::Null, |p| Value::String(p.text.clone()));
    tx.setting_put(SETTING, &text)?;
    // What was asked of others, and counted, was so by the policy before.
    let asked: BTreeSet<String> = policy.iter().flat_map(|p| p.policy.witnesses()).map(|w| w.key.to_string()).collect();
    for row in tx.log_cosignatures()? {
        if !asked.contains(&row.witness) {
            tx.log_witness_forget(&row.witness)?;
        }
    }
    Ok(tx.log_quorum_forget()?)
}

/// Reads a policy that somebody gives: every witness needs an address to be asked at.
///
/// # Errors
/// [`fondaco_core::Code::Invalid`], which says the line or the rule.
pub fn read(text: &str) -> Result<LogPolicy> {
    let invalid = |why: String| Error::invalid(format!("The policy: {why}."));
    if text.len() > POLICY_BYTES_MAX {
        return Err(invalid(format!("it has at most {POLICY_BYTES_MAX} bytes")));
    }
    let policy = Policy::parse(text.as_bytes()).map_err(|e| invalid(e.to_string()))?;
    if policy.witnesses().len() > WITNESSES_MAX || policy.logs().len() > LOGS_MAX {
        return Err(invalid(format!("it has at most {WITNESSES_MAX} witnesses and {LOGS_MAX} logs")));
    }
    for witness in policy.witnesses() {
        let url = witness.url.as_deref().ok_or_else(|| invalid(format!("the witness {} has no URL", witness.name)))?;
        submission(url).ok_or_else(|| invalid(format!("the URL of the witness {} is none of http or https", witness.name)))?;
    }
    Ok(LogPolicy { text: text.to_owned(), policy })
}

/// Where a witness takes checkpoints, by its submission prefix.
pub fn submission(prefix: &str) -> Option<Url> {
    let url = Url::parse(&format!("{}/add-checkpoint", prefix.trim_end_matches('/'))).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()).then_some(url)
}

/// The checkpoint of a tree with the cosignatures that there are for it, and the keys of those who made them. (Of witnesses
/// that the policy does not name there are none: see [`store`].)
///
/// # Errors
/// When what is stored is no note.
pub fn cosigned<'a>(tree: &LogTree, rows: &'a [CosignatureRow]) -> Result<(Note, BTreeSet<&'a str>)> {
    let mut note = Note::parse(tree.checkpoint.as_bytes()).map_err(Error::internal_failure)?;
    let mut by = BTreeSet::new();
    for row in rows.iter().filter(|row| row.size == tree.size && !row.lines.is_empty()) {
        // One line each: a bundle has no room for doubles.
        let lines = Signature::parse_lines(row.lines.as_bytes()).map_err(Error::internal_failure)?;
        let Some(line) = lines.into_iter().next() else { continue };
        note.add(line).map_err(Error::internal_failure)?;
        by.insert(row.witness.as_str());
    }
    Ok((note, by))
}

/// The names that a policy gives to witnesses, by their keys.
pub fn names<'a>(policy: &'a Policy, keys: &BTreeSet<&str>) -> BTreeSet<&'a str> {
    policy.witnesses().iter().filter(|w| keys.contains(w.key.to_string().as_str())).map(|w| w.name.as_str()).collect()
}

/// Whether a policy asks for cosignatures, and these are enough. Where it asks for none (`quorum none`), nobody confirms
/// anything.
pub fn is_confirmed(policy: &Policy, by: &BTreeSet<&str>) -> bool {
    !policy.is_quorum(&BTreeSet::new()) && policy.is_quorum(by)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITNESS: &str = "witness.example/w1+14a2f0a1+";

    #[test]
    fn a_policy_needs_addresses() {
        assert!(read("quorum none\n").is_ok());
        assert!(read("").is_err());
        assert!(read(&format!("witness w1 {WITNESS}\nquorum none\n")).is_err());
        assert!(read(&format!("{}quorum none\n", "# comment\n".repeat(60_000))).is_err(), "too large");
        for url in ["https://w.example", "http://127.0.0.1:8/x/", "https://w.example/a"] {
            assert!(submission(url).is_some_and(|u| u.path().ends_with("/add-checkpoint") && !u.path().contains("//")), "{url}");
        }
        for url in ["", "w.example", "ftp://w.example", "https://w.example/?a=", "https://w.example/#a", "javascript:x"] {
            assert!(submission(url).is_none(), "{url}");
        }
    }
}
