//! `fondaco transfer …`: running deliveries, and stopping them.

use super::{
    answer::Answer,
    context::Context,
    failure::Result,
    list_answer,
    negotiation::{ending, events, reason_body, undelivered},
    show::{Fields, Table, text, when},
};
use serde_json::Value;

/// Transfers: access that is open, suspended or over
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List transfers, newest first
    #[command(after_long_help = "Example:
  fondaco --dir mynode transfer list")]
    List,
    /// Suspend a transfer; access stops at once and can be resumed
    #[command(after_long_help = "Example:
  fondaco --dir mynode transfer suspend trf_0190f6c2 --reason \"Invoice 17 is open.\"")]
    Suspend {
        /// The transfer's id
        id: String,
        /// Why; the other side reads it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Resume a transfer that we suspended
    #[command(after_long_help = "Example:
  fondaco --dir mynode transfer resume trf_0190f6c2")]
    Resume {
        /// The transfer's id
        id: String,
    },
    /// End a transfer; access stops at once, for good
    ///
    /// A running transfer is completed. One that is not running, or is ended with --reason, is terminated. The
    /// agreement stays; the consumer may start another transfer under it.
    #[command(after_long_help = "Example:
  fondaco --dir mynode transfer end trf_0190f6c2")]
    End {
        /// The transfer's id
        id: String,
        /// Why; the other side reads it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// Runs the command.
pub(super) async fn run(context: &Context, command: Command) -> Result<Answer> {
    let us = context.participant().await?;
    let (id, action, reason) = match command {
        Command::List => {
            let found = us.list("transfers", &[]).await?;
            let mut table = Table::new(&["ID", "ROLE", "STATE", "PRODUCT", "AGREEMENT", "UPDATED"], &[]);
            for t in &found.items {
                table.row([
                    text(t, "id"),
                    text(t, "role"),
                    text(t, "state"),
                    text(t, "dataset"),
                    text(t, "agreementId"),
                    &when(text(t, "updatedAt")),
                ]);
            }
            let text = table.render("No transfers yet. Begin one with: fondaco fetch AGREEMENT --out PATH");
            return Ok(list_answer("transfers", found, text));
        }
        Command::Suspend { id, reason } => (id, "suspend", reason),
        Command::Resume { id } => (id, "resume", None),
        Command::End { id, reason } => {
            let now = us.get(&["transfers", &id], &[]).await?;
            (id, end_action(&now, reason.is_some()), reason)
        }
    };
    let now = us.act(&["transfers", &id, action], &reason_body(reason)).await?;
    let text = one(&now);
    Ok(Answer::new(now, text))
}

/// The protocol completes only what runs, and completion carries no reason.
fn end_action(transfer: &Value, with_reason: bool) -> &'static str {
    if text(transfer, "state") == "STARTED" && !with_reason { "complete" } else { "terminate" }
}

fn one(t: &Value) -> String {
    let mut fields = Fields::default();
    fields
        .add("Transfer", text(t, "id"))
        .add("State", text(t, "state"))
        .add("Role", text(t, "role"))
        .add("Peer", text(t, "peer"))
        .add("Product", text(t, "dataset"))
        .add("Agreement", text(t, "agreementId"))
        .add("Format", text(t, "format"));
    if t.get("ending").is_some_and(Value::is_object) {
        fields.add("Reason", ending(t));
    }
    fields.add("Not delivered", undelivered(t)).add_lines("History", events(t, "events")).render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_running_transfer_without_reason_is_completed() {
        for (state, reason, action) in [
            ("STARTED", false, "complete"),
            ("STARTED", true, "terminate"),
            ("SUSPENDED", false, "terminate"),
            ("REQUESTED", false, "terminate"),
        ] {
            assert_eq!(end_action(&json!({"state": state}), reason), action, "{state}");
        }
    }

    #[test]
    fn a_transfer_in_words() {
        let t =
            json!({"id": "trf_1", "state": "SUSPENDED", "role": "provider", "ending": {"by": "provider", "reasons": ["Invoice open."]}});
        assert_eq!(one(&t), "Transfer  trf_1\nState     SUSPENDED\nRole      provider\nReason    By the provider. Invoice open.\n");
    }
}
