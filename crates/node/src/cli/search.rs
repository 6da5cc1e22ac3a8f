//! `fondaco search`: what all known peers offer.

use super::{
    answer::Answer,
    context::{Context, quoted},
    failure::Result,
    list_answer,
    show::{Table, count, number, text},
};

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
    let mut table = Table::new(&["PRODUCT", "TITLE", "KIND", "ROWS", "LICENCE", "PEER"], &["ROWS"]);
    for d in &found.items {
        table.row([text(d, "id"), text(d, "title"), text(d, "kind"), &count(number(d, "rows")), text(d, "license"), text(d, "peer")]);
    }
    let shown = table.render("Nothing matches. Read a peer's catalogue with: fondaco catalog PEER");
    let next = found.items.first().map(|d| format!("negotiate {} {}", quoted(text(d, "peer")), quoted(text(d, "id"))));
    let answer = list_answer("datasets", found, shown);
    Ok(match next {
        Some(next) => answer.then(context.command(&next)),
        None => answer,
    })
}
