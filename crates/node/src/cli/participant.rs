//! `fondaco participant …`: the organisations that a node hosts.

use super::{
    answer::Answer,
    context::Context,
    failure::Result,
    list_answer,
    show::{Fields, Table, text, when},
};
use serde_json::{Value, json};

/// The organisations this node hosts
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add a participant, with a DID and keys of its own
    #[command(after_long_help = "Example:
  fondaco --dir mynode participant add beta --name \"Beta Research Institute\" --country CN")]
    Add {
        /// Its short name in addresses: lower-case letters, digits and hyphens. It cannot be changed later
        slug: String,
        /// Its name for people
        #[arg(long, value_name = "TEXT")]
        name: String,
        /// Where it is established, as two letters (ISO 3166-1)
        #[arg(long, value_name = "CC")]
        country: Option<String>,
    },
    /// Change a participant's name or country
    ///
    /// The country is declared to peers in signed calls; terms may depend on it. Agreements already made keep what was
    /// declared for them.
    #[command(after_long_help = "Example:
  fondaco --dir mynode participant set beta --country CN")]
    Set {
        /// Which participant
        slug: String,
        /// Its name for people
        #[arg(long, value_name = "TEXT", required_unless_present = "country")]
        name: Option<String>,
        /// Where it is established, as two letters (ISO 3166-1)
        #[arg(long, value_name = "CC")]
        country: Option<String>,
    },
    /// List the participants of this node
    #[command(after_long_help = "Example:
  fondaco --dir mynode participant list")]
    List,
}

/// Runs the command.
pub(super) async fn run(context: &Context, command: Command) -> Result<Answer> {
    let node = context.node()?;
    match command {
        Command::Add { slug, name, country } => {
            let mut body = json!({"slug": slug, "name": name});
            if let Some(country) = country {
                body["country"] = country.into();
            }
            let made = node.create(&["participants"], &body).await?;
            let text = one(&made);
            Ok(Answer::new(made, text).then(context.command(&format!("product add FILE --id ID --title TEXT --as {slug}"))))
        }
        Command::Set { slug, name, country } => {
            let changed = node.change(&["participants", &slug], &json!({"name": name, "country": country})).await?;
            let text = one(&changed);
            Ok(Answer::new(changed, text))
        }
        Command::List => {
            let found = node.list(&["participants"], &[], "participants").await?;
            let mut table = Table::new(&["SLUG", "NAME", "DID"], &[]);
            for p in &found.items {
                table.row([text(p, "slug"), text(p, "name"), text(p, "did")]);
            }
            let text = table.render("No participant yet. Add one with: fondaco participant add SLUG --name TEXT");
            Ok(list_answer("participants", found, text))
        }
    }
}

fn one(p: &Value) -> String {
    Fields::default()
        .add("Participant", text(p, "slug"))
        .add("Name", text(p, "name"))
        .add("DID", text(p, "did"))
        .add("Country", text(p, "country"))
        .add("Since", when(text(p, "createdAt")))
        .render()
}
