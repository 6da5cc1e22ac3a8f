//! `fondaco agreement …`: what was agreed, by both sides.

use super::{
    answer::Answer,
    client::ParticipantClient,
    context::Context,
    failure::Result,
    list_answer,
    negotiation::{events, reason_body},
    show::{Fields, Table, list, number, text, texts, when},
};
use fondaco_core::Code;
use serde_json::{Value, json};

/// Transfers whose events are shown with their agreement.
const TRANSFERS_MAX: usize = 50;

/// Agreements: what was agreed, and what came of it
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List agreements, newest first
    #[command(after_long_help = "Example:
  fondaco --dir mynode agreement list")]
    List,
    /// Show an agreement: parties, terms, uses, transfers, and what happened in all of them
    #[command(after_long_help = "Example:
  fondaco --dir mynode agreement show agr_0190f6c2")]
    Show {
        /// The agreement's id
        id: String,
    },
    /// As provider: record that an agreement's price was paid; access can open from then on
    #[command(after_long_help = "Example:
  fondaco --dir mynode agreement paid agr_0190f6c2 --reference \"Bank transfer 2026-1187\"

Recording it again with the same reference changes nothing; another reference is refused.")]
    Paid {
        /// The agreement's id
        id: String,
        /// What you find the money by: a bank's or an invoice's number. The other side is not told
        #[arg(long, value_name = "TEXT")]
        reference: String,
    },
    /// As provider: end an agreement; access under it stops at once
    #[command(after_long_help = "Example:
  fondaco --dir mynode agreement end agr_0190f6c2 --reason \"The terms were broken.\"")]
    End {
        /// The agreement's id
        id: String,
        /// Why; the other side reads it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// Runs the command.
pub(super) async fn run(context: &Context, command: Command) -> Result<Answer> {
    let us = context.participant().await?;
    match command {
        Command::List => {
            let found = us.list("agreements", &[]).await?;
            let mut table = Table::new(&["ID", "ROLE", "STATE", "PRODUCT", "PEER", "READS", "SIGNED"], &["READS"]);
            for a in &found.items {
                table.row([
                    text(a, "id"),
                    text(a, "role"),
                    text(a, "state"),
                    text(a, "dataset"),
                    text(a, "peer"),
                    &reads(a),
                    &when(text(a, "timestamp")),
                ]);
            }
            let text = table.render("No agreements yet. Ask for one with: fondaco negotiate PEER PRODUCT");
            Ok(list_answer("agreements", found, text))
        }
        Command::Show { id } => {
            let mut agreement = us.get(&["agreements", &id], &[]).await?;
            agreement["history"] = history(&us, &agreement).await?.into();
            let text = one(&agreement);
            let ours = super::show::text(&agreement, "role") == "consumer" && super::show::text(&agreement, "state") == "active";
            let answer = Answer::new(agreement, text);
            Ok(if ours { answer.then(context.command(&format!("fetch {id} --out data"))) } else { answer })
        }
        Command::Paid { id, reference } => {
            let agreement = us.act(&["agreements", &id, "paid"], &json!({"reference": reference})).await?;
            let text = one(&agreement);
            Ok(Answer::new(agreement, text))
        }
        Command::End { id, reason } => {
            let agreement = us.act(&["agreements", &id, "end"], &reason_body(reason)).await?;
            let text = one(&agreement);
            Ok(Answer::new(agreement, text))
        }
    }
}

/// What happened in the negotiation and in the transfers, oldest first, each event with what it is `of`.
async fn history(us: &ParticipantClient, agreement: &Value) -> Result<Vec<Value>> {
    let negotiation = [("negotiations", text(agreement, "negotiationId"))];
    let transfers = texts(agreement, "transfers");
    let transfers = transfers.iter().take(TRANSFERS_MAX).map(|id| ("transfers", *id));
    let mut events = Vec::new();
    for (kind, id) in negotiation.into_iter().chain(transfers).filter(|(_, id)| !id.is_empty()) {
        let process = match us.get(&[kind, id], &[]).await {
            Ok(process) => process,
            // An agreement that was made elsewhere has no negotiation here.
            Err(e) if e.problem.code == Code::NotFound.as_str() => continue,
            Err(e) => return Err(e),
        };
        events.extend(list(&process, "events").iter().cloned().map(|mut event| {
            event["of"] = id.into();
            event
        }));
    }
    events.sort_by(|a, b| text(a, "at").cmp(text(b, "at")));
    Ok(events)
}

/// The price, and for its provider whether it is paid.
fn price(agreement: &Value) -> String {
    let price = text(agreement, "price");
    match agreement.get("payment") {
        _ if price.is_empty() || text(agreement, "role") != "provider" => price.to_owned(),
        Some(paid) => format!("{price}, paid {}: {}", when(text(paid, "at")), text(paid, "reference")),
        None => format!("{price}, not paid"),
    }
}

/// `3` or `3 of 100`. Only the provider counts.
fn reads(agreement: &Value) -> String {
    if text(agreement, "role") != "provider" {
        return String::new();
    }
    match (number(agreement, "reads"), number(agreement, "readsMax")) {
        (Some(n), Some(max)) => format!("{n} of {max}"),
        (Some(n), None) => n.to_string(),
        _ => String::new(),
    }
}

fn one(a: &Value) -> String {
    Fields::default()
        .add("Agreement", text(a, "id"))
        .add("State", text(a, "state"))
        .add("Role", text(a, "role"))
        .add("Product", text(a, "dataset"))
        .add("Provider", text(a, "assigner"))
        .add("Consumer", text(a, "assignee"))
        .add("Signed", when(text(a, "timestamp")))
        .add("Digest", text(a, "digest"))
        .add_lines("Terms", texts(a, "terms"))
        .add("Price", price(a))
        .add("Purpose", a.get("declared").map(|d| texts(d, "purpose").join(", ")).unwrap_or_default())
        .add("Reads", reads(a))
        .add("Ended", when(text(a, "endedAt")))
        .add("Reason", text(a, "endReason"))
        .add("Negotiation", text(a, "negotiationId"))
        .add_lines("Transfers", texts(a, "transfers"))
        .add_lines("History", events(a, "history"))
        .render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_and_its_payment() {
        let mut a = json!({"role": "provider", "price": "80.00 CNY"});
        assert_eq!(price(&a), "80.00 CNY, not paid");
        a["payment"] = json!({"at": "2026-11-21T20:24:17Z", "reference": "B 7"});
        assert_eq!(price(&a), "80.00 CNY, paid 2026-11-21 20:24:17 UTC: B 7");
        assert_eq!(price(&json!({"role": "consumer", "price": "80.00 CNY"})), "80.00 CNY");
        assert_eq!(price(&json!({"role": "provider"})), "");
    }

    #[test]
    fn an_agreement_in_words() {
        let a = json!({"id": "agr_1", "state": "active", "role": "provider", "dataset": "flights", "assigner": "did:web:a",
            "assignee": "did:web:b", "timestamp": "2026-11-21T20:24:17Z", "digest": "sha256:00", "terms": ["May be read 100 times."],
            "reads": 3, "readsMax": 100, "negotiationId": "neg_1", "transfers": ["trf_1", "trf_2"]});
        assert_eq!(
            one(&a),
            "Agreement    agr_1\nState        active\nRole         provider\nProduct      flights\nProvider     did:web:a\n\
             Consumer     did:web:b\nSigned       2026-11-21 20:24:17 UTC\nDigest       sha256:00\n\
             Terms        May be read 100 times.\nReads        3 of 100\nNegotiation  neg_1\nTransfers    trf_1\n             trf_2\n"
        );
    }
}
