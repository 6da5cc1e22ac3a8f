//! `fondaco lineage`: what something came from.

use super::{
    answer::Answer,
    context::Context,
    failure::{Failure, Result},
    show::{list, number, text, when},
};
use crate::disk;
use fondaco_core::Error;
use serde_json::{Value, json};
use std::{collections::HashSet, path::PathBuf};

/// Show what a product version, an agreement or a transfer came from
///
/// From a product back to its files, to the agreements and products that its publisher said it was derived from
/// (`product add --derived-from`), to the other organisations' products, and to these organisations.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  fondaco --dir mynode lineage report:2
  fondaco --dir mynode lineage agr_0190f6c2
  fondaco --dir mynode lineage report:2 --format prov --out report.prov.json")]
pub(super) struct Args {
    /// The id of a product version (report, report:2), an agreement or a transfer
    id: String,
    /// W3C PROV-JSON, or OpenLineage run events
    #[arg(long, value_name = "FORMAT", value_parser = ["prov", "openlineage"])]
    format: Option<String>,
    /// The file to write it to; it must not exist
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    let us = context.participant().await?;
    let format = args.format.as_deref().unwrap_or("graph");
    let found = us.get(&["lineage", &args.id], &[("format", format)]).await?;
    let printed = || serde_json::to_string_pretty(&found).map(|text| text + "\n").map_err(Error::internal_failure);
    if let Some(out) = &args.out {
        disk::write_new(out, printed()?.as_bytes()).map_err(|e| Failure::new_file(out, &e))?;
        let path = out.to_string_lossy().into_owned();
        return Ok(Answer::new(json!({"id": args.id, "format": format, "file": path}), format!("Wrote {path}.\n")));
    }
    let shown = if format == "graph" { tree(&found) } else { printed()? };
    // A list of events is not one document: it is wrapped like every list.
    let answer = if found.is_array() { json!({"events": found}) } else { found };
    Ok(Answer::new(answer, shown))
}

/// The graph as an indented list; what was shown before is not followed again.
fn tree(graph: &Value) -> String {
    let mut lines = Vec::new();
    let mut seen = HashSet::new();
    let mut stack = vec![(text(graph, "root"), "", 0_usize)];
    while let Some((key, relation, depth)) = stack.pop() {
        let Some(node) = list(graph, "nodes").iter().find(|node| text(node, "key") == key) else { continue };
        let new = seen.insert(key);
        let mark = if relation.is_empty() { String::new() } else { format!("{relation} ") };
        let again = if new || text(node, "type") == "party" { "" } else { " (see above)" };
        lines.push(format!("{}{mark}{}{again}\n", "  ".repeat(depth), one(node)));
        if new {
            let links = list(graph, "links").iter().filter(|link| text(link, "from") == key).rev();
            stack.extend(links.map(|link| (text(link, "to"), text(link, "relation"), depth + 1)));
        }
    }
    if graph.get("cut") == Some(&Value::Bool(true)) {
        lines.push("More was left out.\n".into());
    }
    lines.concat()
}

fn one(node: &Value) -> String {
    let said = match text(node, "type") {
        "party" => format!("{} {}", text(node, "name"), text(node, "did")),
        "product" => format!("product {} \"{}\" {}", text(node, "dataset"), text(node, "title"), when(text(node, "publishedAt"))),
        "file" => {
            format!("file {} sha256 {} {} bytes", text(node, "name"), text(node, "sha256"), number(node, "bytes").unwrap_or_default())
        }
        "agreement" => format!("agreement {} of {}", text(node, "id"), when(text(node, "madeAt"))),
        "transfer" => format!("transfer {} {} {}", text(node, "id"), text(node, "format"), text(node, "state")),
        other => other.to_owned(),
    };
    super::show::clean(said.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_is_shown_as_a_tree() {
        let graph = json!({
            "root": "product/a/x",
            "nodes": [
                {"key": "product/a/x", "type": "product", "dataset": "x", "title": "X\u{1b}[2J", "publishedAt": "2026-11-22T08:00:00Z"},
                {"key": "agreement/1", "type": "agreement", "id": "1", "madeAt": "2026-11-21T08:00:00Z"},
                {"key": "party/a", "type": "party", "did": "did:web:a", "name": "A"},
            ],
            "links": [
                {"from": "product/a/x", "to": "party/a", "relation": "by"},
                {"from": "product/a/x", "to": "agreement/1", "relation": "derived-from"},
                {"from": "agreement/1", "to": "product/a/x", "relation": "about"},
            ],
            "cut": true,
        });
        assert_eq!(
            tree(&graph),
            "product x \"X\u{fffd}[2J\" 2026-11-22 08:00:00 UTC\n  by A did:web:a\n  derived-from agreement 1 of 2026-11-21 08:00:00 UTC\n    \
             about product x \"X\u{fffd}[2J\" 2026-11-22 08:00:00 UTC (see above)\nMore was left out.\n"
        );
    }
}
