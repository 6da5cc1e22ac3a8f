//! `fondaco evidence …`: what is in the log, and the files that prove it.

use super::{
    answer::Answer,
    client::ParticipantClient,
    context::Context,
    failure::{Failure, Result},
    list_answer,
    show::{Fields, Table, clean, list, number, text, texts, when},
};
use fondaco_core::{Code, Error, ids::EvidenceId};
use fondaco_tlog::bundle::Bundle;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Evidence: what the node's log holds about a participant, provable to anybody
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List evidence, newest first
    #[command(after_long_help = "Examples:
  fondaco --dir mynode evidence list
  fondaco --dir mynode evidence list --agreement agr_0190f6c2
  fondaco --dir mynode evidence list --node")]
    List {
        /// Only of this agreement
        #[arg(long, value_name = "ID")]
        agreement: Option<String>,
        /// Of the node itself: its accounts, tokens and keys
        #[arg(long, conflicts_with = "agreement")]
        node: bool,
    },
    /// Show a piece of evidence with its document
    #[command(after_long_help = "Examples:
  fondaco --dir mynode evidence show evi_0190f6c2
  fondaco --dir mynode evidence show evi_0190f6c2 --node")]
    Show {
        /// Its id
        id: String,
        /// Of the node itself
        #[arg(long)]
        node: bool,
    },
    /// Write the bundle that proves a piece of evidence offline: leaf, document, receipt, keys
    #[command(after_long_help = "Examples:
  fondaco --dir mynode evidence get evi_0190f6c2 --out started.json
  fondaco --dir mynode evidence get agr_0190f6c2 --out agreement.json
  fondaco --dir mynode evidence get evi_0190f6c2 --node --out key.json

Given an agreement or another object instead of a piece of evidence, the first that was logged about it is meant.")]
    Get {
        /// The id of the evidence, or of what it is about
        id: String,
        /// The file to write; it must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Of the node itself: the id is one of evidence
        #[arg(long)]
        node: bool,
    },
    /// Show the evidence of both sides of an agreement in time; the other side is asked now, and all of it is checked
    #[command(after_long_help = "Example:
  fondaco --dir mynode evidence timeline agr_0190f6c2

Exit status: 0 all holds, 1 something speaks against it, 2 wrong usage.")]
    Timeline {
        /// The agreement
        id: String,
    },
    /// Check that every agreement and transfer has its leaves, and that the numbers add up
    #[command(after_long_help = "Example:
  fondaco --dir mynode evidence check

Exit status: 0 nothing is missing, 1 something is, 2 wrong usage.")]
    Check,
    /// Rely on another key of a peer's log than the one that was seen first
    #[command(after_long_help = "Example:
  fondaco --dir mynode evidence trust did:web:peer.example:p:acme peer.example/log+4b6e3b6a+AQ")]
    Trust {
        /// The peer, by its DID
        peer: String,
        /// The key, as its owner told you by other means
        key: String,
    },
    /// Erase the document of a piece of evidence, and what opens its leaf
    ///
    /// The leaf stays in the log: it still proves that something of its kind happened then. That it was erased, by whom and
    /// why, is another leaf. What an agreement in force is about is not erased.
    #[command(after_long_help = "Example:
  fondaco --dir mynode evidence erase evi_0190f6c2 --reason \"Asked for by the person it names\"")]
    Erase {
        /// The id of the evidence
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Of the node itself
        #[arg(long)]
        node: bool,
    },
}

/// Runs the command.
pub(super) async fn run(context: &Context, command: Command) -> Result<Answer> {
    match command {
        Command::List { node: true, .. } => {
            let found = context.node()?.list(&["evidence"], &[], "evidence").await?;
            let text = table(&found.items);
            Ok(list_answer("evidence", found, text))
        }
        Command::List { agreement, .. } => {
            let asked: Vec<(&str, &str)> = agreement.iter().map(|id| ("agreement", id.as_str())).collect();
            let found = context.participant().await?.list("evidence", &asked).await?;
            let text = table(&found.items);
            Ok(list_answer("evidence", found, text))
        }
        Command::Show { id, node } => {
            let found = if node {
                context.node()?.get(&["evidence", &id], &[]).await?
            } else {
                context.participant().await?.get(&["evidence", &id], &[]).await?
            };
            let text = one(&found);
            let of = if node { " --node" } else { "" };
            Ok(Answer::new(found, text).then(context.command(&format!("evidence get {id}{of} --out FILE"))))
        }
        Command::Get { id, out, node } => {
            let (id, bundle) = if node {
                let bundle = context.node()?.get(&["evidence", &id, "bundle"], &[]).await?;
                (id, bundle)
            } else {
                let us = context.participant().await?;
                let id = resolved(&us, id).await?;
                let bundle = us.get(&["evidence", &id, "bundle"], &[]).await?;
                (id, bundle)
            };
            let text = serde_json::to_string_pretty(&bundle).map_err(Error::internal_failure)? + "\n";
            // What is written is what will be verified: in its one form, and true by its own keys.
            let proven = Bundle::parse(text.as_bytes()).and_then(|bundle| bundle.verify(None));
            let proven = proven.map_err(|e| Failure::new(Code::Internal, format!("The node's bundle does not hold: {e}.")))?;
            crate::disk::write_new(&out, text.as_bytes()).map_err(|e| Failure::new_file(&out, &e))?;
            let path = out.to_string_lossy().into_owned();
            let shown = Fields::default()
                .add("Wrote", &path)
                .add("Leaf", format!("{} of {} in {}", proven.index, proven.checkpoint.size, proven.checkpoint.origin))
                .render();
            let json = json!({"id": id, "file": path, "leafIndex": proven.index, "size": proven.checkpoint.size, "origin": proven.checkpoint.origin});
            Ok(Answer::new(json, shown))
        }
        Command::Timeline { id } => Ok(timeline(context.participant().await?.get(&["agreements", &id, "timeline"], &[]).await?)),
        Command::Check => Ok(checked(context.participant().await?.get(&["evidence", "check"], &[]).await?)),
        Command::Trust { peer, key } => {
            let kept = context.participant().await?.replace(&["evidence", "peer-log"], &json!({"peer": peer, "key": key})).await?;
            let shown = Fields::default().add("Peer", text(&kept, "peer")).add("Log key", text(&kept, "key")).render();
            Ok(Answer::new(kept, shown))
        }
        Command::Erase { id, reason, node } => {
            let asked = [("reason", reason.as_str())];
            let erased = if node {
                context.node()?.erase(&["evidence", &id, "document"], &asked).await?
            } else {
                context.participant().await?.erase(&["evidence", &id, "document"], &asked).await?
            };
            Ok(Answer::new(erased, format!("The document of {id} is erased. Its leaf stays, and that it was erased is another.\n")))
        }
    }
}

/// Both sides beside each other, and what is wrong above all.
fn timeline(found: Value) -> Answer {
    let same = match found.get("sameAgreement").and_then(Value::as_bool) {
        Some(true) => "both logs hold the same agreement",
        Some(false) => "NOT the same in both logs",
        None => "cannot be compared",
    };
    let shown = Fields::default()
        .add("Agreement", text(&found, "agreementId"))
        .add("Other side", text(&found, "peer"))
        .add("Documents", same)
        .add("Its log key", text(&found, "peerKey"))
        .add("Known since", when(text(&found, "peerKeySince")))
        .add("Its witnesses", witnesses(&found))
        .add_lines("Wrong", list(&found, "findings").iter().map(|f| text(f, "text")))
        .render();
    let mut table = Table::new(&["AT", "OURS", "THEIRS", "ABOUT", "LEAF", "OUTCOME"], &[]);
    for leaf in list(&found, "leaves") {
        let (kind, ours) = (text(leaf, "kind"), text(leaf, "side") == "ours");
        let place = number(leaf, "leafIndex").map(|n| n.to_string()).unwrap_or_default();
        let (own, other) = if ours { (kind, "") } else { ("", kind) };
        table.row([&when(text(leaf, "at")), own, other, text(leaf, "object"), &place, text(leaf, "outcome")]);
    }
    let shown = format!("{shown}\n{}", table.render("Neither side shows any evidence."));
    let faulty = found.get("faulty") == Some(&Value::Bool(true));
    Answer {
        unmet: faulty.then(|| "The evidence of this agreement does not hold, or is not whole.".to_owned()),
        ..Answer::new(found, shown)
    }
}

/// Who else has seen the other side's log, of those that this node knows.
fn witnesses(found: &Value) -> String {
    if !list(found, "leaves").iter().any(|leaf| text(leaf, "side") == "theirs") {
        return String::new();
    }
    match texts(found, "peerWitnesses").join(", ") {
        none if none.is_empty() => "none that this node knows: that everybody is shown the same log rests on its word".into(),
        names => names,
    }
}

fn checked(found: Value) -> Answer {
    let count = |key: &str| number(&found, key).unwrap_or_default().to_string();
    let mut shown = Fields::default()
        .add("Log since", when(text(&found, "since")))
        .add("Agreements", count("agreements"))
        .add("Older", if count("older") == "0" { String::new() } else { format!("{} made before the log, not in it", count("older")) })
        .add("Leaves", count("leaves"))
        .add("Erased", count("erased"))
        .add("Waiting", count("waiting"))
        .render();
    let findings = list(&found, "findings");
    for finding in findings {
        shown += &format!("\n{}: {}\n  {}\n", clean(text(finding, "agreementId")), clean(text(finding, "text")), text(finding, "advice"));
    }
    if found.get("more") == Some(&Value::Bool(true)) {
        shown += "\nThere are more findings than are told.\n";
    }
    if findings.is_empty() {
        shown += "\nNothing is missing, and the numbers add up.\n";
    }
    let unmet = (!findings.is_empty()).then(|| "The evidence is not complete.".to_owned());
    Answer { unmet, ..Answer::new(found, shown) }
}

/// Whether an id is one of evidence: others, such as those of products, may begin with the same letters.
fn is_evidence(id: &str) -> bool {
    id.strip_prefix(EvidenceId::PREFIX).is_some_and(|rest| rest.starts_with('_'))
}

/// The evidence that an id means.
async fn resolved(us: &ParticipantClient, id: String) -> Result<String> {
    if is_evidence(&id) {
        return Ok(id);
    }
    let about = us.list("evidence", &[("object", id.as_str())]).await?;
    match about.items.last() {
        Some(first) => Ok(text(first, "id").to_owned()),
        None => Err(Failure::new(Code::NotFound, format!("There is no evidence about \"{id}\"."))),
    }
}

fn table(items: &[Value]) -> String {
    let mut table = Table::new(&["ID", "KIND", "ABOUT", "PEER", "LEAF", "AT"], &[]);
    for e in items {
        let leaf = number(e, "leafIndex").map(|n| n.to_string()).unwrap_or_default();
        table.row([text(e, "id"), text(e, "kind"), text(e, "object"), text(e, "peer"), &leaf, &when(text(e, "at"))]);
    }
    table.render("No evidence yet.")
}

fn one(e: &Value) -> String {
    let document = e.get("document").map(|d| serde_json::to_string_pretty(d).unwrap_or_default()).unwrap_or_default();
    let erased = if e.get("erased") == Some(&Value::Bool(true)) { "erased" } else { "" };
    Fields::default()
        .add("Evidence", text(e, "id"))
        .add("Kind", text(e, "kind"))
        .add("About", text(e, "object"))
        .add("Peer", text(e, "peer"))
        .add("Agreement", text(e, "agreementId"))
        .add("At", when(text(e, "at")))
        .add("Leaf", number(e, "leafIndex").map(|n| n.to_string()).unwrap_or_default())
        .add("Document", erased)
        .add_lines("Document", document.lines())
        .render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_against_the_evidence_fails_the_command() {
        let leaf = |side: &str, at: &str| json!({"side": side, "kind": "agreement", "at": at, "outcome": "verified", "leafIndex": 3});
        let leaves = json!([leaf("ours", "2026-11-22T10:00:00Z"), leaf("theirs", "2026-11-22T10:00:01Z")]);
        let good =
            json!({"agreementId": "agr_1", "peer": "did:web:b", "sameAgreement": true, "leaves": leaves, "findings": [], "faulty": false});
        let answer = timeline(good.clone());
        assert!(answer.unmet.is_none() && answer.text.contains("both logs hold the same agreement"), "{}", answer.text);
        let mut bad = good;
        bad["sameAgreement"] = json!(false);
        bad["findings"] = json!([{"name": "different", "text": "The two sides differ."}]);
        bad["faulty"] = json!(true);
        let answer = timeline(bad);
        assert!(answer.unmet.is_some() && answer.text.contains("The two sides differ.") && answer.text.contains("NOT the same"));
    }

    #[test]
    fn what_begins_like_an_id_of_evidence_may_be_another() {
        assert!(is_evidence("evi_0190f6c2"));
        assert!(!is_evidence("evidence-of-origin:1") && !is_evidence("evie-flights:1") && !is_evidence("agr_1"));
    }

    #[test]
    fn whether_anybody_else_saw_the_other_sides_log_is_said() {
        let found = |witnesses: Value| json!({"leaves": [{"side": "theirs"}], "peerWitnesses": witnesses});
        assert!(witnesses(&found(json!([]))).starts_with("none that this node knows"));
        assert_eq!(witnesses(&found(json!(["w.example"]))), "w.example");
        assert_eq!(witnesses(&json!({"leaves": [{"side": "ours"}], "peerWitnesses": []})), "", "who showed nothing was seen by nobody");
    }

    #[test]
    fn what_is_missing_fails_the_command_and_says_what_to_do() {
        let whole = json!({"agreements": 2, "older": 1, "leaves": 4, "erased": 0, "waiting": 0, "findings": [], "more": false});
        let answer = checked(whole.clone());
        assert!(answer.unmet.is_none() && answer.text.contains("1 made before the log"), "{}", answer.text);
        let mut missing = whole;
        missing["findings"] = json!([{"agreementId": "agr_1", "name": "no-leaf", "text": "No leaf.", "advice": "Look at a backup."}]);
        let answer = checked(missing);
        assert!(answer.unmet.is_some() && answer.text.contains("agr_1: No leaf.") && answer.text.contains("Look at a backup."));
    }
}
