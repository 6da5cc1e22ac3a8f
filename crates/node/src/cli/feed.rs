//! `fondaco feed …`: products that follow their source.

use super::{
    answer::Answer,
    context::Context,
    failure::Result,
    list_answer,
    show::{Table, short, text, when},
};
use serde_json::json;

/// Longest error shown in a list.
const ERROR_MAX_CHARS: usize = 60;

/// Products that follow their source (see `product add --renew-every`)
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List products that follow their source, and how that goes
    #[command(after_long_help = "Example:
  fondaco --dir mynode feed list")]
    List,
    /// Look at the source now
    #[command(after_long_help = "Example:
  fondaco --dir mynode feed look flights")]
    Look {
        /// The product's id
        id: String,
    },
    /// Follow the source no longer; the versions stay
    #[command(after_long_help = "Example:
  fondaco --dir mynode feed end flights")]
    End {
        /// The product's id
        id: String,
    },
}

/// Runs the command.
pub(super) async fn run(context: &Context, command: Command) -> Result<Answer> {
    let us = context.participant().await?;
    match command {
        Command::List => {
            let found = us.list("feeds", &[]).await?;
            let mut table = Table::new(&["PRODUCT", "EVERY", "LOOKED AT", "LAST VERSION", "NEXT", "ERROR"], &[]);
            for f in &found.items {
                table.row([
                    text(f, "product"),
                    text(f, "every"),
                    &when(text(f, "lookedAt")),
                    &when(text(f, "renewedAt")),
                    &when(text(f, "nextAt")),
                    &short(text(f, "error"), ERROR_MAX_CHARS),
                ]);
            }
            let text = table.render("No product follows its source. Publish one with: fondaco product add … --renew-every PT1H");
            Ok(list_answer("feeds", found, text))
        }
        Command::Look { id } => {
            let feed = us.act(&["feeds", &id, "look"], &json!({})).await?;
            Ok(Answer::new(feed, format!("The source of {id} is being looked at.\n")).then(context.command("feed list")))
        }
        Command::End { id } => {
            us.remove(&["feeds", &id]).await?;
            Ok(Answer::new(json!({"product": id, "ended": true}), format!("{id} follows its source no longer.\n")))
        }
    }
}
