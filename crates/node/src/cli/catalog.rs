//! `fondaco catalog`: what another participant offers.

use super::{
    answer::Answer,
    context::Context,
    failure::Result,
    product::columns,
    show::{Fields, bytes, count, list, number, text, texts},
};
use serde_json::{Value, json};

/// Most datasets gathered from one peer: what one reads on a terminal; narrow it with --query.
const DATASETS_MAX: usize = 1_000;

/// Read another participant's catalogue: its products and their terms
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  fondaco --dir mynode catalog did:web:data.example.org:p:acme
  fondaco --dir mynode catalog https://data.example.org/p/acme --query flights")]
pub(super) struct Args {
    /// A did:web, or an address that ends in /p/SLUG
    peer: String,
    /// Only products whose title, description or keywords match
    #[arg(long, value_name = "TEXT")]
    query: Option<String>,
    /// Only this kind of product
    #[arg(long)]
    kind: Option<String>,
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    let us = context.participant().await?;
    let mut datasets: Vec<Value> = Vec::new();
    let mut peer = Value::Null;
    let mut cursor: Option<String> = None;
    loop {
        let mut body = json!({"peer": args.peer});
        if let Some(query) = &args.query {
            body["query"] = query.as_str().into();
        }
        if let Some(kind) = &args.kind {
            body["kind"] = kind.as_str().into();
        }
        if let Some(cursor) = &cursor {
            body["cursor"] = cursor.as_str().into();
        }
        let page = us.act(&["catalog"], &body).await?;
        peer = page.get("peer").cloned().unwrap_or(peer);
        let more = list(&page, "datasets");
        let next = page.get("next").and_then(Value::as_str).map(str::to_owned);
        datasets.extend(more.iter().cloned());
        if next.is_none() || more.is_empty() || datasets.len() >= DATASETS_MAX {
            let truncated = next.is_some() && !more.is_empty();
            let text = page_text(&peer, &datasets);
            let first = datasets.first().map(|d| text_of_id(d).to_owned());
            let mut answer = Answer::new(json!({"peer": peer, "datasets": datasets}), text);
            if truncated {
                answer = answer.note("The peer has more. Narrow it down with --query or --kind.");
            }
            if let Some(id) = first {
                answer = answer.then(context.command(&format!(
                    "negotiate {} {}",
                    super::context::quoted(&args.peer),
                    super::context::quoted(&id)
                )));
            }
            return Ok(answer);
        }
        cursor = next;
    }
}

fn text_of_id(dataset: &Value) -> &str {
    text(dataset, "id")
}

fn page_text(peer: &Value, datasets: &[Value]) -> String {
    let name = text(peer, "name");
    let did = text(peer, "did");
    let mut out = super::show::clean(&if name.is_empty() { did.to_owned() } else { format!("{name} ({did})") });
    out.push('\n');
    if datasets.is_empty() {
        out.push_str("\nNothing offered to us that matches.\n");
    }
    for d in datasets {
        out.push('\n');
        let mut fields = Fields::default();
        fields
            .add("Product", text_of_id(d))
            .add("Title", text(d, "title"))
            .add("About", text(d, "description"))
            .add("Keywords", texts(d, "keywords").join(", "))
            .add("Rows", count(number(d, "rows")))
            .add("Size", bytes(number(d, "sizeBytes")))
            .add("Columns", columns(d.get("schema").unwrap_or(&Value::Null)).join(", "));
        for offer in list(d, "offers") {
            fields.add("Offer", text(offer, "id")).add_lines("", texts(offer, "terms"));
        }
        out.push_str(&fields.render());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_shows_products_with_their_terms() {
        let datasets = [json!({"id": "flights", "title": "Flights", "rows": 336_776, "keywords": ["air", "nyc"],
            "schema": {"columns": [{"name": "dest", "description": "text"}]},
            "offers": [{"id": "off_1", "terms": ["May be read 100 times."]}]})];
        let out = page_text(&json!({"did": "did:web:x", "name": "Acme"}), &datasets);
        assert_eq!(
            out,
            "Acme (did:web:x)\n\n\
             Product   flights\n\
             Title     Flights\n\
             Keywords  air, nyc\n\
             Rows      336,776\n\
             Columns   dest (text)\n\
             Offer     off_1\n          May be read 100 times.\n"
        );
        assert!(page_text(&json!({"did": "did:web:x"}), &[]).starts_with("did:web:x\n\nNothing"));
    }
}
