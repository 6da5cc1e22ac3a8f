//! `fondaco evidence …`: what is in the log, and the files that prove it.

use super::{
    answer::Answer,
    client::ParticipantClient,
    context::Context,
    failure::{Failure, Result},
    list_answer,
    show::{Fields, Table, number, text, when},
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
    #[command(after_long_help = "Example:
  fondaco --dir mynode evidence show evi_0190f6c2")]
    Show {
        /// Its id
        id: String,
    },
    /// Write the bundle that proves a piece of evidence offline: leaf, document, receipt, keys
    #[command(after_long_help = "Examples:
  fondaco --dir mynode evidence get evi_0190f6c2 --out started.json
  fondaco --dir mynode evidence get agr_0190f6c2 --out agreement.json

Given an agreement or another object instead of a piece of evidence, the first that was logged about it is meant.")]
    Get {
        /// The id of the evidence, or of what it is about
        id: String,
        /// The file to write; it must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
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
        Command::Show { id } => {
            let found = context.participant().await?.get(&["evidence", &id], &[]).await?;
            let text = one(&found);
            Ok(Answer::new(found, text).then(context.command(&format!("evidence get {id} --out FILE"))))
        }
        Command::Get { id, out } => {
            let us = context.participant().await?;
            let id = resolved(&us, id).await?;
            let bundle = us.get(&["evidence", &id, "bundle"], &[]).await?;
            let text = serde_json::to_string_pretty(&bundle).map_err(Error::internal_failure)? + "\n";
            // What is written is what will be verified: in its one form, and true by its own keys.
            let proven = Bundle::parse(text.as_bytes()).and_then(|bundle| bundle.verify(None));
            let proven = proven.map_err(|e| Failure::new(Code::Internal, format!("The node's bundle does not hold: {e}.")))?;
            let mut file = std::fs::File::create_new(&out).map_err(|e| Failure::file("write", &out, &e))?;
            std::io::Write::write_all(&mut file, text.as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(|e| Failure::file("write", &out, &e))?;
            let path = out.to_string_lossy().into_owned();
            let shown = Fields::default()
                .add("Wrote", &path)
                .add("Leaf", format!("{} of {} in {}", proven.index, proven.checkpoint.size, proven.checkpoint.origin))
                .render();
            let json = json!({"id": id, "file": path, "leafIndex": proven.index, "size": proven.checkpoint.size, "origin": proven.checkpoint.origin});
            Ok(Answer::new(json, shown))
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

/// The evidence that an id means.
async fn resolved(us: &ParticipantClient, id: String) -> Result<String> {
    if id.starts_with(EvidenceId::PREFIX) {
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
