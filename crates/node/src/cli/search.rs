//! `fondaco search`: what all known peers offer.

use super::{
    answer::Answer,
    context::{Context, quoted},
    failure::Result,
    list_answer,
    show::{TITLE_MAX_CHARS, Table, count, number, short, text},
};
use serde_json::Value;

/// Search the catalogues of all known peers
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  fondaco --dir mynode search bearing
  fondaco --dir mynode search weather --kind table --language zh-CN --json

The catalogues are those that the node read last; peers become known with: fondaco catalog PEER")]
pub(super) struct Args {
    /// Text that title, description, keywords or id contain
    text: String,
    /// Only of this kind, as in table or files
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only of this peer
    #[arg(long, value_name = "DID")]
    peer: Option<String>,
    /// Only under this licence, as in CC-BY-4.0
    #[arg(long, value_name = "LICENCE")]
    license: Option<String>,
    /// Only in this language, as in en or zh-CN
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    let us = context.participant().await?;
    let filters = [("kind", &args.kind), ("peer", &args.peer), ("license", &args.license), ("language", &args.language)];
    let mut query = vec![("query", args.text.as_str())];
    query.extend(filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
    let found = us.list("datasets", &query).await?;
    let shown = table(&found.items).render("Nothing matches. Read a peer's catalogue with: fondaco catalog PEER");
    let next = found.items.first().map(|d| format!("negotiate {} {}", quoted(text(d, "peer")), quoted(text(d, "id"))));
    let answer = list_answer("datasets", found, shown);
    Ok(match next {
        Some(next) => answer.then(context.command(&next)),
        None => answer,
    })
}

/// Names are for people and chosen by the peers; the DID beside each says who it is.
fn table(datasets: &[Value]) -> Table {
    let mut table = Table::new(&["PRODUCT", "TITLE", "KIND", "ROWS", "LICENCE", "PEER", "DID"], &["ROWS"]);
    for d in datasets {
        let rows = count(number(d, "rows"));
        table.row([
            text(d, "id"),
            text(d, "title"),
            text(d, "kind"),
            &rows,
            text(d, "license"),
            &short(text(d, "peerName"), TITLE_MAX_CHARS),
            text(d, "peer"),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_peer_is_shown_by_its_name_with_its_did() {
        let found = [
            json!({"id": "x", "title": "X", "kind": "table", "rows": 7, "peer": "did:web:h:p:a", "peerName": "Acme"}),
            json!({"id": "y", "title": "Y", "kind": "files", "peer": "did:web:h:p:b"}),
        ];
        let shown = table(&found).render("none");
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[1].ends_with("Acme  did:web:h:p:a") && lines[2].ends_with("      did:web:h:p:b"), "{shown}");
    }
}
