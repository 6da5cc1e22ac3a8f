//! `fondaco token …`: API tokens of a participant.

use super::{
    answer::Answer,
    context::Context,
    failure::Result,
    list_answer,
    show::{Fields, Table, text, when},
};
use serde_json::json;

/// API tokens of a participant
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a token; it is shown once, the node keeps only its hash
    #[command(after_long_help = "Example:
  fondaco --dir mynode token create --name \"nightly report\" --scope read")]
    Create {
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        name: String,
        /// What it may do
        #[arg(long, value_parser = ["read", "write"])]
        scope: String,
    },
    /// List the tokens, without their secrets
    #[command(after_long_help = "Example:
  fondaco --dir mynode token list")]
    List,
    /// Revoke a token; it stops working at once
    #[command(after_long_help = "Example:
  fondaco --dir mynode token revoke tok_0190f6c2")]
    Revoke {
        /// Its id, as `token list` shows it
        id: String,
    },
}

/// Runs the command.
pub(super) async fn run(context: &Context, command: Command) -> Result<Answer> {
    let us = context.participant().await?;
    match command {
        Command::Create { name, scope } => {
            let made = us.create(&["tokens"], &json!({"name": name, "scope": scope})).await?;
            let secret = match text(&made, "token") {
                // The answer got lost and the call was repeated: the node keeps no secret it could show again.
                "" => "made, but it cannot be shown again; revoke it and make another".to_owned(),
                token => format!("{token}   (shown only now)"),
            };
            let text = Fields::default().add("Id", text(&made, "id")).add("Scope", text(&made, "scope")).add("Token", secret).render();
            Ok(Answer::new(made, text))
        }
        Command::List => {
            let found = us.list("tokens", &[]).await?;
            let mut table = Table::new(&["ID", "NAME", "SCOPE", "MADE", "LAST USED", "REVOKED"], &[]);
            for t in &found.items {
                table.row([
                    text(t, "id"),
                    text(t, "name"),
                    text(t, "scope"),
                    &when(text(t, "createdAt")),
                    &when(text(t, "lastUsedAt")),
                    &when(text(t, "revokedAt")),
                ]);
            }
            let text = table.render("No tokens yet. Make one with: fondaco token create --name TEXT --scope read");
            Ok(list_answer("tokens", found, text))
        }
        Command::Revoke { id } => {
            let revoked = us.act(&["tokens", &id, "revoke"], &json!({})).await?;
            Ok(Answer::new(revoked, format!("Revoked {id}.\n")))
        }
    }
}
