//! `fondaco negotiation …`: negotiations of both roles, and what a person decides in them.

use super::{
    answer::Answer,
    context::Context,
    failure::Result,
    list_answer,
    show::{Fields, Table, list, text, texts, when},
};
use crate::app::cause::Exchange;
use fondaco_core::price::Price;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Negotiations, and what a person decides in them
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List negotiations, newest first
    #[command(after_long_help = "Examples:
  fondaco --dir mynode negotiation list --state REQUESTED
  fondaco --dir mynode negotiation list --waiting")]
    List {
        /// Only those that wait for a decision here, the longest wait first
        #[arg(long, conflicts_with = "state")]
        waiting: bool,
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
    /// As provider: sign the agreement on the terms that were asked for or accepted
    #[command(after_long_help = "Example:
  fondaco --dir mynode negotiation agree neg_0190f6c2")]
    Agree {
        /// The negotiation's id
        id: String,
    },
    /// As provider: offer terms in place of those asked for
    #[command(after_long_help = "Examples:
  fondaco --dir mynode negotiation offer neg_0190f6c2                       the published terms
  fondaco --dir mynode negotiation offer neg_0190f6c2 --offer terms.json    other ones")]
    Offer {
        /// The negotiation's id
        id: String,
        /// An ODRL offer in a file [default: the published terms]
        #[arg(long, value_name = "FILE")]
        offer: Option<PathBuf>,
        /// The terms on the table at this price, as in "80 CNY"
        #[arg(long, value_name = "AMOUNT CURRENCY", conflicts_with = "offer", value_parser = Price::read)]
        price: Option<Price>,
    },
    /// As consumer: ask again, for other terms than those offered
    #[command(after_long_help = "Examples:
  fondaco --dir mynode negotiation counter neg_0190f6c2                       the terms first asked for
  fondaco --dir mynode negotiation counter neg_0190f6c2 --offer terms.json    other ones")]
    Counter {
        /// The negotiation's id
        id: String,
        /// An ODRL offer in a file [default: the terms first asked for]
        #[arg(long, value_name = "FILE")]
        offer: Option<PathBuf>,
        /// The terms on the table at this price, as in "80 CNY"
        #[arg(long, value_name = "AMOUNT CURRENCY", conflicts_with = "offer", value_parser = Price::read)]
        price: Option<Price>,
    },
    /// As consumer: accept the provider's offer
    #[command(after_long_help = "Example:
  fondaco --dir mynode negotiation accept neg_0190f6c2")]
    Accept {
        /// The negotiation's id
        id: String,
    },
    /// As consumer: verify the agreement that the provider sent
    #[command(after_long_help = "Example:
  fondaco --dir mynode negotiation verify neg_0190f6c2")]
    Verify {
        /// The negotiation's id
        id: String,
    },
    /// As provider: put the verified agreement in force
    #[command(after_long_help = "Example:
  fondaco --dir mynode negotiation finalize neg_0190f6c2")]
    Finalize {
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
    let (id, action, body) = match command {
        Command::List { waiting, state } => {
            let mut query: Vec<(&str, &str)> = state.iter().map(|s| ("state", s.as_str())).collect();
            query.extend(waiting.then_some(("waiting", "true")));
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
        Command::Agree { id } => (id, "agree", json!({})),
        Command::Offer { id, offer, price } => (id, "offer", terms_body(offer.as_deref(), price)?),
        Command::Counter { id, offer, price } => (id, "counter", terms_body(offer.as_deref(), price)?),
        Command::Accept { id } => (id, "accept", json!({})),
        Command::Verify { id } => (id, "verify", json!({})),
        Command::Finalize { id } => (id, "finalize", json!({})),
        Command::Terminate { id, reason } => (id, "terminate", reason_body(reason)),
    };
    let now = us.act(&["negotiations", &id, action], &body).await?;
    let text = one(&now);
    Ok(Answer::new(now, text))
}

/// `{}`, a price, or the terms of an offer file.
fn terms_body(offer: Option<&Path>, price: Option<Price>) -> Result<Value> {
    Ok(match (offer, price) {
        (Some(path), _) => json!({"terms": super::product::offer(path, &mut std::io::stdin())?}),
        (None, Some(price)) => json!({"price": price}),
        (None, None) => json!({}),
    })
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
pub(super) fn events(of: &Value, member: &str) -> Vec<String> {
    let line = |e: &Value| {
        let because = text(e, "because");
        let because = if because.is_empty() { String::new() } else { format!(" [{because}]") };
        format!("{}  {}: {}{because}", when(text(e, "at")), text(e, "actor"), text(e, "text"))
    };
    list(of, member).iter().map(line).collect()
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
    let steps = texts(n, "steps");
    if steps.iter().any(|step| *step != "terminate") {
        fields.add("Your turn", steps.join(", "));
    }
    fields.add("By rule", when(text(n, "decidesAt")));
    let versions = list(n, "versions");
    if versions.len() > 1 {
        fields.add_lines("Versions", versions.iter().zip(1..).flat_map(|(version, place)| version_lines(place, version)));
    }
    fields.add("Not delivered", undelivered(n)).add_lines("History", events(n, "events")).render()
}

/// Why the next message has not arrived: the exchange, where it is known.
pub(super) fn undelivered(process: &Value) -> String {
    let exchange = process.get("deliveryExchange").and_then(|e| serde_json::from_value::<Exchange>(e.clone()).ok());
    exchange.map_or_else(|| text(process, "deliveryProblem").to_owned(), |exchange| exchange.words())
}

/// A version of the terms: whose it is, and what differs from the one before.
fn version_lines(place: usize, version: &Value) -> Vec<String> {
    let mut lines = vec![format!("{place}. {} by the {}, {}", text(version, "origin"), text(version, "by"), when(text(version, "at")))];
    for change in list(version, "changes") {
        let rule = match text(change, "rule") {
            "prohibition" => "forbidden: ",
            "obligation" => "obligation: ",
            _ => "",
        };
        let sides = [("-", "before"), ("+", "after")];
        lines.extend(
            sides
                .iter()
                .filter(|(_, side)| change.get(side).is_some())
                .map(|(mark, side)| format!("   {mark} {rule}{}", text(change, side))),
        );
    }
    lines
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
        let countered = json!({"id": "neg_1", "state": "OFFERED", "steps": ["accept", "counter", "terminate"], "versions": [
            {"at": "2026-11-21T20:00:00Z", "origin": "asked", "by": "consumer", "changes": []},
            {"at": "2026-11-21T20:01:00Z", "origin": "offered", "by": "provider", "changes": [
                {"change": "changed", "rule": "permission", "before": "9 times.", "after": "3 times."}]}]});
        assert_eq!(
            one(&countered),
            "Negotiation  neg_1\nState        OFFERED\nYour turn    accept, counter, terminate\n\
             Versions     1. asked by the consumer, 2026-11-21 20:00:00 UTC\n             2. offered by the provider, 2026-11-21 20:01:00 UTC\n\
             \u{20}               - 9 times.\n                + 3 times.\n"
        );
        assert_eq!(ending(&json!({"ending": null})), "No reason was given.");
        assert!(is_final(&n) && !is_final(&json!({"state": "AGREED"})));
    }
}
