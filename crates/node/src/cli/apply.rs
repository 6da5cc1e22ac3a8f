//! `fondaco apply`: brings a participant to what a file says: rules, peers, products with their offers, agreements made
//! elsewhere. Safe to run again: what is there already stays.

use super::{
    answer::Answer,
    client::ParticipantClient,
    context::Context,
    failure::{Failure, Result},
    product,
    show::{Table, list, number, text},
};
use fondaco_core::{
    Code,
    decision::{RuleSet, Rules},
    policy::Policy,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// Longest file: ten thousand products of a kilobyte each, and far from what a person could review.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Make products, offers, rules, peers and agreements as a file says
///
/// The file is TOML, or JSON when its name ends in .json. Products that are there already are not published again; their
/// offers must be those of the file, and get its rules. Agreements made with another connector are recorded once. Paths
/// are relative to the file. Nothing is removed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:
  fondaco --dir mynode apply acme.toml

The file, with every part optional:
  peers = [\"https://data.example.org/p/beta\"]

  [rules.default]                        # as consumer, unless said otherwise below
  offered = [{ do = \"hold\" }]
  [rules.with.\"did:web:data.example.org:p:beta\"]
  offered = [{ do = \"accept\", after_ms = 500 }]

  [[products]]                           # as the body of POST …/products
  id = \"flights\"
  title = \"Flights of 2013\"
  kind = \"table\"
  paths = [\"flights.parquet\"]
  [[products.offers]]                    # an ODRL offer with its decision rules
  \"@id\" = \"flights-open\"
  permission = [{ action = \"use\" }]
  rules.requested = [{ do = \"hold\" }]

  [[agreements]]                         # made elsewhere; the party left out is this participant
  address = \"https://old.example.org/dsp/2025-1\"
  [agreements.document]
  \"@id\" = \"contract-7\"
  target = \"flights\"
  assignee = \"did:web:buyer.example\"
  timestamp = \"2026-01-31T00:00:00Z\"
  permission = [{ action = \"use\" }]")]
pub(super) struct Args {
    /// What is wanted
    file: PathBuf,
}

/// A file of what is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wanted {
    rules: Option<RuleSet>,
    peers: Vec<String>,
    products: Vec<Map<String, Value>>,
    agreements: Vec<WantedAgreement>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedAgreement {
    document: Map<String, Value>,
    address: Option<String>,
    #[serde(default)]
    formats: Vec<String>,
    #[serde(default)]
    rules: Rules,
}

/// What was done, a line per thing.
#[derive(Default)]
struct Applied(Vec<Value>);

impl Applied {
    fn add(&mut self, kind: &str, id: &str, outcome: &str) {
        self.0.push(json!({"kind": kind, "id": id, "outcome": outcome}));
    }
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    let base = std::path::absolute(&args.file).map_err(|e| Failure::file("Cannot use", &args.file, &e))?;
    let wanted = read(&args.file)?;
    check(&wanted)?;
    let us = context.participant().await?;
    let mut applied = Applied::default();
    if let Some(rules) = &wanted.rules {
        let outcome = set_rules(&us, rules).await?;
        applied.add("rules", us.slug(), outcome);
    }
    for peer in &wanted.peers {
        us.act(&["catalog"], &json!({"peer": peer})).await?;
        applied.add("peer", peer, "reached");
    }
    for wanted in wanted.products {
        apply_product(context, &us, base.parent().unwrap_or(Path::new("/")), wanted, &mut applied).await?;
    }
    for wanted in wanted.agreements {
        apply_agreement(&us, wanted, &mut applied).await?;
    }
    let mut table = Table::new(&["KIND", "ID", "OUTCOME"], &[]);
    for line in &applied.0 {
        table.row([text(line, "kind"), text(line, "id"), text(line, "outcome")]);
    }
    let text = table.render("The file asks for nothing.");
    Ok(Answer::new(json!({"applied": applied.0}), text))
}

fn read(path: &Path) -> Result<Wanted> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|e| Failure::file("Cannot read", path, &e))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::new(Code::TooLarge, format!("{} has more than {} MiB.", path.display(), FILE_BYTES_MAX / 1024 / 1024)));
    }
    parse(&bytes, path.extension().is_some_and(|e| e == "json"))
        .map_err(|e| Failure::new(Code::Invalid, format!("{} cannot be read: {e}", path.display())))
}

fn parse(bytes: &[u8], is_json: bool) -> std::result::Result<Wanted, String> {
    if is_json {
        return serde_json::from_slice(bytes).map_err(|e| e.to_string());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8.".to_owned())?;
    toml::from_str(text).map_err(|e| e.to_string())
}

/// What can be seen before anything is done.
fn check(wanted: &Wanted) -> Result<()> {
    if let Some(rules) = &wanted.rules {
        rules.check()?;
    }
    for product in &wanted.products {
        let id = product.get("id").and_then(Value::as_str).unwrap_or_default();
        for offer in offers(product) {
            if text(offer, "@id").is_empty() {
                return Err(Failure::usage(format!("An offer of \"{id}\" has no \"@id\". Name it, so that it is found again.")));
            }
            if let Some(rules) = offer.get("rules") {
                let read = serde_json::from_value::<Rules>(rules.clone());
                read.map_err(|e| Failure::usage(format!("The rules of \"{}\" cannot be read: {e}.", text(offer, "@id"))))?.check()?;
            }
            Policy::from_odrl(&terms(offer))?;
        }
    }
    for agreement in &wanted.agreements {
        agreement.rules.check()?;
        if !agreement.document.get("@id").is_some_and(Value::is_string) {
            return Err(Failure::usage("An agreement's document has no \"@id\"."));
        }
    }
    Ok(())
}

fn offers(product: &Map<String, Value>) -> &[Value] {
    product.get("offers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// An offer without what is ours.
fn terms(offer: &Value) -> Value {
    let mut terms = offer.clone();
    if let Some(map) = terms.as_object_mut() {
        map.remove("rules");
    }
    terms
}

async fn set_rules(us: &ParticipantClient, rules: &RuleSet) -> Result<&'static str> {
    let known = us.get(&[], &[]).await?;
    if known.get("rules") == Some(&json!(rules)) {
        return Ok("unchanged");
    }
    us.replace(&["rules"], &json!(rules)).await?;
    Ok("set")
}

async fn apply_product(
    context: &Context,
    us: &ParticipantClient,
    base: &Path,
    mut wanted: Map<String, Value>,
    applied: &mut Applied,
) -> Result<()> {
    let id = wanted.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    match us.get(&["products", &id], &[]).await {
        Ok(known) => return apply_offers(us, &id, &known, offers(&wanted), applied).await,
        Err(e) if e.problem.code == Code::NotFound.as_str() => {}
        Err(e) => return Err(e),
    }
    if let Some(Value::Array(paths)) = wanted.get_mut("paths") {
        for path in paths {
            if let Some(relative) = path.as_str() {
                *path = base.join(relative).to_string_lossy().into();
            }
        }
    }
    product::publish(context, us, &wanted.into()).await?;
    applied.add("product", &id, "published");
    Ok(())
}

/// The product is there: its offers must be the wanted ones, and get the wanted rules.
async fn apply_offers(us: &ParticipantClient, id: &str, known: &Value, wanted: &[Value], applied: &mut Applied) -> Result<()> {
    applied.add("product", id, "unchanged");
    let version = number(known, "version").unwrap_or(1);
    for offer in wanted {
        // The offers of a later version carry its number.
        let ids = [text(offer, "@id").to_owned(), format!("{}:{version}", text(offer, "@id"))];
        let found = list(known, "offers").iter().find(|o| ids.iter().any(|id| text(o, "id") == id));
        let same = found.filter(|o| Policy::same_terms(o.get("odrl").unwrap_or(&Value::Null), &terms(offer)));
        let Some(same) = same else {
            let e = format!(
                "The product \"{id}\" has no offer \"{}\" with these terms. What is published does not change; publish its next version with: fondaco product add",
                ids[0]
            );
            return Err(Failure::new(Code::Conflict, e));
        };
        let rules = offer.get("rules").cloned().unwrap_or_else(|| json!({}));
        if same.get("rules").unwrap_or(&json!({})) == &rules {
            continue;
        }
        us.set(&["offers", text(same, "id"), "rules"], &rules).await?;
        applied.add("offer", text(same, "id"), "rules set");
    }
    Ok(())
}

async fn apply_agreement(us: &ParticipantClient, mut wanted: WantedAgreement, applied: &mut Applied) -> Result<()> {
    let id = wanted.document.get("@id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let missing: Vec<&str> = ["assigner", "assignee"].into_iter().filter(|party| !wanted.document.contains_key(*party)).collect();
    if let [ours] = missing.as_slice() {
        let own = us.get(&[], &[]).await?;
        wanted.document.insert((*ours).to_owned(), own.get("did").cloned().unwrap_or_default());
    }
    wanted.document.entry("@type").or_insert_with(|| "Agreement".into());
    let mut body = json!({"document": wanted.document, "formats": wanted.formats, "rules": wanted.rules});
    if let Some(address) = wanted.address {
        body["address"] = address.into();
    }
    let answer = us.replace(&["agreements", &id], &body).await?;
    applied.add("agreement", &id, text(&answer, "outcome"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_help_is_read() {
        let mut command = super::super::command();
        command.build();
        let apply = command.find_subcommand("apply").expect("apply");
        let help = apply.get_after_long_help().expect("help").to_string();
        let (_, example) = help.split_once("optional:\n").expect("example");
        let wanted = parse(example.as_bytes(), false).expect("TOML");
        check(&wanted).expect("sound");
        assert_eq!((wanted.peers.len(), wanted.products.len(), wanted.agreements.len()), (1, 1, 1));
        assert_eq!(wanted.rules.expect("rules").with.len(), 1);
    }

    #[test]
    fn mistakes_are_found_before_anything_is_done() {
        for bad in [
            "product = []",
            "[rules.default]\nofferd = [{ do = \"hold\" }]",
            "[[agreements]]\naddres = \"x\"\n[agreements.document]\n\"@id\" = \"a\"",
        ] {
            assert!(parse(bad.as_bytes(), false).is_err(), "{bad}");
        }
        for bad in [
            "[[products]]\nid = \"a\"\n[[products.offers]]\npermission = [{ action = \"use\" }]",
            "[[products]]\nid = \"a\"\n[[products.offers]]\n\"@id\" = \"o\"\npermission = [{ action = \"sing\" }]",
            "[[products]]\nid = \"a\"\n[[products.offers]]\n\"@id\" = \"o\"\npermission = [{ action = \"use\" }]\nrules.requested = []",
            "[[agreements]]\n[agreements.document]\ntarget = \"a\"",
        ] {
            assert!(check(&parse(bad.as_bytes(), false).expect(bad)).is_err(), "{bad}");
        }
    }
}
