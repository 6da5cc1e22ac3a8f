//! `fondaco negotiation …`: negotiations of both roles, and what a person decides in them.

use super::{
    answer::Answer,
    context::Context,
    failure::Result,
    list_answer,
    show::{Fields, Table, list, text, texts, when},
};
use serde_json::{Value, json};

/// Negotiations, and what a person decides in them
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List negotiations, newest first
    #[command(after_long_help = "Example:
  fondaco --dir mynode negotiation list --state REQUESTED")]
    List {
        /// Only those in this state, as in REQUESTED or FINALIZED
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
    },
    /// Show a negotiation with its terms and everything that happened
    #[command(after_long_help = "Example:
  fondaco --dir mynode negotiation show neg_0190f6c2")]
    Show {
        /// The negotiation's id
        id: String,
    },
    /// As provider: agree to a request that waits for a person
    #[command(after_long_help = "Example:
  fondaco --dir mynode negotiation agree neg_0190f6c2")]
    Agree {
        /// The negotiation's id
        id: String,
    },
    /// As consumer: accept the provider's offer
    #[command(after_long_help = "Example:
  fondaco --dir mynode negotiation accept neg_0190f6c2")]
    Accept {
        /// The negotiation's id
        id: String,
    },
    /// End a negotiation without an agreement
    #[command(after_long_help = "Example:
  fondaco --dir mynode negotiation terminate neg_0190f6c2 --reason \"We need it for commercial use.\"")]
    Terminate {
        /// The negotiation's id
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
        Command::List { state } => {
            let query: Vec<(&str, &str)> = state.iter().map(|s| ("state", s.as_str())).collect();
            let found = us.list("negotiations", &query).await?;
            let mut table = Table::new(&["ID", "ROLE", "STATE", "PRODUCT", "PEER", "UPDATED"], &[]);
            for n in &found.items {
                table.row([
                    text(n, "id"),
                    text(n, "role"),
                    text(n, "state"),
                    text(n, "dataset"),
                    text(n, "peer"),
                    &when(text(n, "updatedAt")),
                ]);
            }
            let text = table.render("No negotiations. Begin one with: fondaco negotiate PEER PRODUCT");
            return Ok(list_answer("negotiations", found, text));
        }
        Command::Show { id } => {
            let now = us.get(&["negotiations", &id], &[]).await?;
            let text = one(&now);
            return Ok(Answer::new(now, text));
        }
        Command::Agree { id } => (id, "agree", None),
        Command::Accept { id } => (id, "accept", None),
        Command::Terminate { id, reason } => (id, "terminate", reason),
    };
    let now = us.act(&["negotiations", &id, action], &reason_body(reason)).await?;
    let text = one(&now);
    Ok(Answer::new(now, text))
}

/// `{}` or `{"reason": …}`.
pub(super) fn reason_body(reason: Option<String>) -> Value {
    reason.map_or_else(|| json!({}), |reason| json!({"reason": reason}))
}

/// Whether it will not change any more.
pub(super) fn is_final(negotiation: &Value) -> bool {
    matches!(text(negotiation, "state"), "FINALIZED" | "TERMINATED")
}

/// How a negotiation or transfer ended, in words.
pub(super) fn ending(process: &Value) -> String {
    let Some(ending) = process.get("ending").filter(|e| e.is_object()) else {
        return "No reason was given.".into();
    };
    let mut out = match text(ending, "by") {
        "" => String::new(),
        by => format!("By the {by}. "),
    };
    let reasons = texts(ending, "reasons");
    out.push_str(&if reasons.is_empty() { "No reason was given.".to_owned() } else { reasons.join(" ") });
    let code = text(ending, "code");
    if !code.is_empty() {
        out.push_str(" (");
        out.push_str(code);
        out.push(')');
    }
    out
}

/// What happened, one line an event.
pub(super) fn events(process: &Value) -> Vec<String> {
    list(process, "events").iter().map(|e| format!("{}  {}: {}", when(text(e, "at")), text(e, "actor"), text(e, "text"))).collect()
}

fn one(n: &Value) -> String {
    let mut fields = Fields::default();
    fields
        .add("Negotiation", text(n, "id"))
        .add("State", text(n, "state"))
        .add("Role", text(n, "role"))
        .add("Peer", text(n, "peer"))
        .add("Product", text(n, "dataset"))
        .add("Offer", n.get("offer").map_or("", |o| text(o, "id")))
        .add_lines("Terms", n.get("offer").map(|o| texts(o, "terms")).unwrap_or_default())
        .add("Agreement", text(n, "agreementId"));
    if n.get("ending").is_some_and(Value::is_object) {
        fields.add("Ended", ending(n));
    }
    fields.add("Not delivered", text(n, "deliveryProblem")).add_lines("History", events(n)).render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negotiation_in_words() {
        let n = json!({"id": "neg_1", "state": "TERMINATED", "role": "consumer", "peer": "did:web:x", "dataset": "flights",
            "offer": {"id": "off_1", "terms": ["Until 2027.", "For research."]}, "agreementId": null,
            "ending": {"by": "provider", "code": "declined", "reasons": ["No."]},
            "events": [{"at": "2026-11-21T20:24:17Z", "actor": "peer", "kind": "terminated", "text": "Terminated it"}]});
        assert_eq!(
            one(&n),
            "Negotiation  neg_1\nState        TERMINATED\nRole         consumer\nPeer         did:web:x\nProduct      flights\n\
             Offer        off_1\nTerms        Until 2027.\n             For research.\n\
             Ended        By the provider. No. (declined)\nHistory      2026-11-21 20:24:17 UTC  peer: Terminated it\n"
        );
        assert_eq!(ending(&json!({"ending": null})), "No reason was given.");
        assert!(is_final(&n) && !is_final(&json!({"state": "AGREED"})));
    }
}
