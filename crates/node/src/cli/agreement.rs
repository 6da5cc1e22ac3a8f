//! `fondaco agreement …`: what was agreed, by both sides.

use super::{
    answer::Answer,
    client::ParticipantClient,
    context::Context,
    failure::Result,
    list_answer,
    negotiation::{events, reason_body},
    show::{Fields, Table, list, number, preview, text, texts, when},
};
use fondaco_core::{Code, life::Phase};
use serde_json::{Value, json};

/// Transfers whose events are shown with their agreement.
const TRANSFERS_MAX: usize = 50;

/// Agreements: what was agreed, and what came of it
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List agreements, newest first
    #[command(after_long_help = "Examples:
  fondaco --dir mynode agreement list
  fondaco --dir mynode agreement list --state ending")]
    List {
        /// Only where they stand here
        #[arg(long, value_name = "STATE", value_parser = Phase::ALL.map(Phase::as_str))]
        state: Option<String>,
    },
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
    /// As provider: list what was delivered under an agreement, a line for each file of a query, newest first
    #[command(after_long_help = "Example:
  fondaco --dir mynode agreement usage agr_0190f6c2

However many requests fetched a file, its rows count once for each query. Bytes are those that went out.
Lines are kept for 90 days; the sums in `agreement show` stay.")]
    Usage {
        /// The agreement's id
        id: String,
    },
    /// As provider: show the first rows exactly as the consumer of an agreement sees them now
    #[command(after_long_help = "Example:
  fondaco --dir mynode agreement preview agr_0190f6c2 --rows 5")]
    Preview {
        /// The agreement's id
        id: String,
        /// Most rows, 1 to 100
        #[arg(long, value_name = "N")]
        rows: Option<u32>,
    },
    /// End an agreement, by the notice that its terms name; access under it stops when it is over
    ///
    /// Either side may, where the terms have a `noticePeriod`. `agreement show` says when it ends.
    #[command(after_long_help = "Example:
  fondaco --dir mynode agreement end agr_0190f6c2 --reason \"We need it no longer.\"")]
    End {
        /// The agreement's id
        id: String,
        /// Why; the other side reads it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// As provider: stop an agreement for now, in an emergency; access under it stops at once
    #[command(after_long_help = "Example:
  fondaco --dir mynode agreement stop agr_0190f6c2 --reason \"The terms were broken.\"")]
    Stop {
        /// The agreement's id
        id: String,
        /// Why; the other side reads it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// As provider: take a stop back; the transfers that it suspended go on
    #[command(after_long_help = "Example:
  fondaco --dir mynode agreement resume agr_0190f6c2")]
    Resume {
        /// The agreement's id
        id: String,
    },
    /// As consumer: negotiate again for the same product and offer, as they are published now
    ///
    /// Where the terms have changed it says what differs and asks for nothing, unless you accept the changes.
    #[command(after_long_help = "Examples:
  fondaco --dir mynode agreement renew agr_0190f6c2
  fondaco --dir mynode agreement renew agr_0190f6c2 --accept-changes")]
    Renew {
        /// The agreement's id
        id: String,
        /// Renew it although the terms have changed
        #[arg(long)]
        accept_changes: bool,
    },
}

/// What a consumer is told who asks for usage.
const WEIGHED_BY_PROVIDER: &str = "What was delivered is weighed by the provider, whose node has the records; ask the provider for them. `fondaco agreement show` names it.";

/// Runs the command.
pub(super) async fn run(context: &Context, command: Command) -> Result<Answer> {
    let us = context.participant().await?;
    match command {
        Command::List { state } => {
            let query: Vec<(&str, &str)> = state.iter().map(|s| ("state", s.as_str())).collect();
            let found = us.list("agreements", &query).await?;
            let mut table = Table::new(&["ID", "ROLE", "STATE", "PRODUCT", "PEER", "READS", "SIGNED", "ENDS"], &["READS"]);
            for a in &found.items {
                table.row([
                    text(a, "id"),
                    text(a, "role"),
                    text(a, "state"),
                    text(a, "dataset"),
                    text(a, "peer"),
                    &reads(a),
                    &when(text(a, "timestamp")),
                    &when(text(a, if text(a, "endedAt").is_empty() { "endsAt" } else { "endedAt" })),
                ]);
            }
            let none = state.map_or_else(
                || "No agreements yet. Ask for one with: fondaco negotiate PEER PRODUCT".to_owned(),
                |state| format!("No agreements are {state}."),
            );
            let text = table.render(&none);
            Ok(list_answer("agreements", found, text))
        }
        Command::Show { id } => {
            let mut agreement = us.get(&["agreements", &id], &[]).await?;
            agreement["history"] = history(&us, &agreement).await?.into();
            let text = one(&agreement);
            let ours = super::show::text(&agreement, "role") == "consumer"
                && matches!(super::show::text(&agreement, "state"), "active" | "ending");
            let answer = Answer::new(agreement, text);
            Ok(if ours { answer.then(context.command(&format!("fetch {id} --out data"))) } else { answer })
        }
        Command::Paid { id, reference } => {
            let agreement = us.act(&["agreements", &id, "paid"], &json!({"reference": reference})).await?;
            let text = one(&agreement);
            Ok(Answer::new(agreement, text))
        }
        Command::Usage { id } => {
            let found = us.list_of("agreements", &id, "usage").await?;
            let mut table = Table::new(&["LAST", "QUERY", "FILE", "REQUESTS", "ROWS", "BYTES"], &["REQUESTS", "ROWS", "BYTES"]);
            for u in &found.items {
                let count = |key: &str| number(u, key).map(|n| n.to_string()).unwrap_or_default();
                let (requests, rows, bytes) = (count("requests"), count("rows"), count("bytes"));
                table.row([&when(text(u, "lastAt")), text(u, "queryId"), text(u, "fileId"), &requests, &rows, &bytes]);
            }
            let weighs = found.items.is_empty() && text(&us.get(&["agreements", &id], &[]).await?, "role") == "consumer";
            let text = table.render(if weighs { WEIGHED_BY_PROVIDER } else { "Nothing was delivered under it yet." });
            Ok(list_answer("usage", found, text))
        }
        Command::Preview { id, rows } => {
            let rows = rows.map(|n| n.to_string());
            let query: Vec<(&str, &str)> = rows.iter().map(|n| ("rows", n.as_str())).collect();
            let seen = us.get(&["agreements", &id, "preview"], &query).await?;
            let text = preview(&seen);
            Ok(Answer::new(seen, text))
        }
        Command::End { id, reason } => {
            let agreement = us.act(&["agreements", &id, "end"], &reason_body(reason)).await?;
            let text = one(&agreement);
            Ok(Answer::new(agreement, text))
        }
        Command::Stop { id, reason } => {
            let agreement = us.act(&["agreements", &id, "stop"], &reason_body(Some(reason))).await?;
            let text = one(&agreement);
            Ok(Answer::new(agreement, text).then(context.command(&format!("agreement resume {id}"))))
        }
        Command::Resume { id } => {
            let agreement = us.act(&["agreements", &id, "resume"], &json!({})).await?;
            let text = one(&agreement);
            Ok(Answer::new(agreement, text))
        }
        Command::Renew { id, accept_changes } => {
            if !accept_changes {
                let offered = us.get(&["agreements", &id, "renewal"], &[]).await?;
                if offered.get("sameTerms") != Some(&Value::Bool(true)) {
                    let mut answer = Answer::new(offered.clone(), renewal(&offered));
                    answer.unmet = Some("The terms have changed since; nothing was asked for.".into());
                    return Ok(answer.then(context.command(&format!("agreement renew {id} --accept-changes"))));
                }
            }
            let begun = us.create(&["agreements", &id, "renew"], &json!({"acceptChanges": accept_changes})).await?;
            let negotiation = text(&begun, "negotiationId").to_owned();
            let text = renewal(&begun);
            Ok(Answer::new(begun, text).then(context.command(&format!("negotiation show {negotiation}"))))
        }
    }
}

/// A renewal, and what differs from the agreement.
fn renewal(r: &Value) -> String {
    let side = |c: &Value, key: &str| if text(c, key).is_empty() { "(nothing)".to_owned() } else { text(c, key).to_owned() };
    let change = |c: &Value| format!("{}: {} -> {}", text(c, "change"), side(c, "before"), side(c, "after"));
    Fields::default()
        .add("Renews", text(r, "agreementId"))
        .add("Product", text(r, "dataset"))
        .add("Offer", text(r, "offerId"))
        .add_lines("Changes", list(r, "changes").iter().map(change))
        .add("Negotiation", text(r, "negotiationId"))
        .add("State", text(r, "state"))
        .render()
}

/// What happened in the negotiation, in the transfers and after signing, oldest first, each event with what it is `of`.
async fn history(us: &ParticipantClient, agreement: &Value) -> Result<Vec<Value>> {
    let negotiation = [("negotiations", text(agreement, "negotiationId"))];
    let transfers = texts(agreement, "transfers");
    let transfers = transfers.iter().take(TRANSFERS_MAX).map(|id| ("transfers", *id));
    let own = text(agreement, "id");
    let mut events: Vec<Value> = list(agreement, "events").to_vec();
    for event in &mut events {
        event["of"] = own.into();
    }
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

/// `12 requests, 300 rows, 4096 bytes of 10000`. Only the provider weighs.
fn delivered(agreement: &Value) -> String {
    let Some(usage) = agreement.get("usage").filter(|_| text(agreement, "role") == "provider") else { return String::new() };
    let count = |key: &str| number(usage, key).unwrap_or_default();
    let (requests, rows, bytes) = (count("requests"), count("rows"), count("bytes"));
    match number(usage, "bytesMax") {
        Some(max) => format!("{requests} requests, {rows} rows, {bytes} of {max} bytes"),
        None if requests == 0 => String::new(),
        None => format!("{requests} requests, {rows} rows, {bytes} bytes"),
    }
}

/// Who signed, and whether the signature is right.
fn signature(s: &Value) -> String {
    let good = s.get("valid") == Some(&Value::Bool(true));
    format!("{} {}", text(s, "by"), if good { "(signature checked)" } else { "(SIGNATURE IS WRONG)" })
}

/// `2026-11-22 08:00:00 UTC by the consumer: reason`.
fn notice(n: &Value) -> String {
    let reason = text(n, "reason");
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("{} by the {}{because}", when(text(n, "at")), text(n, "by"))
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
        .add_lines("Signed by", list(a, "signatures").iter().map(signature))
        .add_lines("Terms", texts(a, "terms"))
        .add("Price", price(a))
        .add("Purpose", a.get("declared").map(|d| texts(d, "purpose").join(", ")).unwrap_or_default())
        .add("Reads", reads(a))
        .add("Delivered", delivered(a))
        .add("Stopped", a.get("stop").map(|s| format!("{}: {}", when(text(s, "at")), text(s, "reason"))).unwrap_or_default())
        .add("Notice", a.get("notice").map(notice).unwrap_or_default())
        .add("Ends", when(text(a, "endsAt")))
        .add("Ended", when(text(a, "endedAt")))
        .add("Reason", text(a, "endReason"))
        .add("Renewal of", text(a, "renewalOf"))
        .add("Renewed by", text(a, "renewedBy"))
        .add("Renews", when(text(a, "renewsAt")))
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
    fn what_was_delivered_in_words() {
        let mut a = json!({"role": "provider", "usage": {"requests": 0, "rows": 0, "bytes": 0}});
        assert_eq!(delivered(&a), "");
        a["usage"]["bytesMax"] = 9.into();
        assert_eq!(delivered(&a), "0 requests, 0 rows, 0 of 9 bytes");
        a["usage"] = json!({"requests": 2, "rows": 30, "bytes": 7});
        assert_eq!(delivered(&a), "2 requests, 30 rows, 7 bytes");
        a["role"] = "consumer".into();
        assert_eq!(delivered(&a), "");
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

    #[test]
    fn notice_stop_and_renewal_in_words() {
        let a = json!({"id": "agr_1", "state": "stopped", "stop": {"at": "2026-11-22T08:00:00Z", "reason": "leak"},
            "notice": {"by": "consumer", "at": "2026-11-22T07:00:00Z", "endsAt": "2026-12-22T07:00:00Z", "reason": "moved"},
            "endsAt": "2026-12-22T07:00:00Z", "renewedBy": "agr_2",
            "signatures": [{"by": "did:web:a", "valid": true}, {"by": "did:web:b", "valid": false}]});
        let shown = one(&a);
        for part in [
            "2026-11-22 08:00:00 UTC: leak",
            "2026-11-22 07:00:00 UTC by the consumer: moved",
            "2026-12-22 07:00:00 UTC\n",
            "agr_2",
            "did:web:a (signature checked)",
            "did:web:b (SIGNATURE IS WRONG)",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let r = json!({"agreementId": "agr_1", "dataset": "flights:2", "offerId": "off_2", "changes": [
            {"change": "changed", "before": "It may be read once.", "after": "It may be read at most 9 times."}, {"change": "added", "after": "x"}]});
        assert!(renewal(&r).contains("changed: It may be read once. -> It may be read at most 9 times."));
        assert!(renewal(&r).contains("added: (nothing) -> x"));
    }
}
