//! `fondaco user …`: the people who sign in to the console.

use super::{
    answer::Answer,
    context::Context,
    failure::{Failure, Result},
    list_answer,
    show::{Fields, Table, text, texts},
};
use serde_json::{Value, json};
use std::io::Read;
use zeroize::Zeroizing;

/// Longest password read from standard input.
const PASSWORD_BYTES_MAX: u64 = 1024;

/// The people who sign in to the console
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add a person; a password is generated and shown once, unless you give one
    #[command(after_long_help = "Examples:
  fondaco --dir mynode user add mei --name \"Mei Lin\" --participant acme
  fondaco --dir mynode user add hua --name \"Hua Chen\" --auditor acme
  pass show fondaco | fondaco --dir mynode user add mei --participant acme --password-stdin")]
    Add {
        /// What they sign in with
        login: String,
        /// Their name
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// A participant they act for; may be given several times
        #[arg(long = "participant", value_name = "SLUG")]
        participants: Vec<String>,
        /// A participant of which they read everything as an auditor, and change nothing; may be given several times
        #[arg(long = "auditor", value_name = "SLUG")]
        audits: Vec<String>,
        /// May do everything on this node, for every participant
        #[arg(long)]
        admin: bool,
        /// Read the password from standard input (one line) instead of generating one
        #[arg(long)]
        password_stdin: bool,
    },
    /// Change a person's name, participants, or whether they run the node
    #[command(after_long_help = "Examples:
  fondaco --dir mynode user change mei --participant acme --participant beta
  fondaco --dir mynode user change hua --no-auditor")]
    Change {
        /// What they sign in with
        login: String,
        /// Their name
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// A participant they act for, instead of those before; may be given several times
        #[arg(long = "participant", value_name = "SLUG")]
        participants: Vec<String>,
        /// They act for no participant any more
        #[arg(long, conflicts_with = "participants")]
        no_participant: bool,
        /// A participant that they audit, instead of those before; may be given several times
        #[arg(long = "auditor", value_name = "SLUG")]
        audits: Vec<String>,
        /// They audit no participant any more
        #[arg(long, conflicts_with = "audits")]
        no_auditor: bool,
        /// Whether they may do everything on this node
        #[arg(long, value_name = "YES")]
        admin: Option<bool>,
    },
    /// Give a person another password and end their sessions; it is generated and shown once, unless you give one
    #[command(after_long_help = "Example:
  fondaco --dir mynode user password mei")]
    Password {
        /// What they sign in with
        login: String,
        /// Read the password from standard input (one line) instead of generating one
        #[arg(long)]
        password_stdin: bool,
    },
    /// Remove a person and end their sessions; the last administrator stays
    #[command(after_long_help = "Example:
  fondaco --dir mynode user remove mei")]
    Remove {
        /// What they sign in with
        login: String,
    },
    /// List the people who can sign in
    #[command(after_long_help = "Example:
  fondaco --dir mynode user list")]
    List,
}

/// Runs the command.
pub(super) async fn run(context: &Context, command: Command) -> Result<Answer> {
    let node = context.node()?;
    match command {
        Command::Add { login, name, participants, audits, admin, password_stdin } => {
            let mut body = json!({"login": login, "admin": admin, "participants": participants, "audits": audits});
            if let Some(name) = name {
                body["name"] = name.into();
            }
            if password_stdin {
                body["password"] = password_from(&mut std::io::stdin().lock())?.as_str().into();
            }
            let made = node.create(&["users"], &body).await?;
            let text = one(&made);
            Ok(Answer::new(made, text))
        }
        Command::Change { login, name, participants, no_participant, audits, no_auditor, admin } => {
            let mut body = json!({});
            if let Some(name) = name {
                body["name"] = name.into();
            }
            if let Some(admin) = admin {
                body["admin"] = admin.into();
            }
            // None named leaves those before; an empty list is none.
            if no_participant || !participants.is_empty() {
                body["participants"] = participants.into();
            }
            if no_auditor || !audits.is_empty() {
                body["audits"] = audits.into();
            }
            let changed = node.change(&["users", &login], &body).await?;
            let text = one(&changed);
            Ok(Answer::new(changed, text))
        }
        Command::Password { login, password_stdin } => {
            let mut body = json!({});
            if password_stdin {
                body["password"] = password_from(&mut std::io::stdin().lock())?.as_str().into();
            }
            let changed = node.act(&["users", &login, "password"], &body).await?;
            let text = one(&changed);
            Ok(Answer::new(changed, text))
        }
        Command::Remove { login } => {
            node.remove(&["users", &login]).await?;
            let text = format!("{} can no longer sign in.\n", super::show::clean(&login));
            Ok(Answer::new(json!({"login": login, "removed": true}), text))
        }
        Command::List => {
            let found = node.list(&["users"], &[], "users").await?;
            let mut table = Table::new(&["LOGIN", "NAME", "ADMIN", "PARTICIPANTS", "AUDITS"], &[]);
            for u in &found.items {
                table.row([
                    text(u, "login"),
                    text(u, "name"),
                    yes(u),
                    &texts(u, "participants").join(", "),
                    &texts(u, "audits").join(", "),
                ]);
            }
            let text = table.render("Nobody can sign in yet. Add a person with: fondaco user add LOGIN");
            Ok(list_answer("users", found, text))
        }
    }
}

fn yes(user: &Value) -> &'static str {
    if user.get("admin") == Some(&Value::Bool(true)) { "yes" } else { "" }
}

fn one(user: &Value) -> String {
    let password = text(user, "password");
    Fields::default()
        .add("Sign-in name", text(user, "login"))
        .add("Name", text(user, "name"))
        .add("Password", if password.is_empty() { String::new() } else { format!("{password}   (shown only now)") })
        .add("Admin", yes(user))
        .add("Acts for", texts(user, "participants").join(", "))
        .add("Audits", texts(user, "audits").join(", "))
        .render()
}

fn password_from(input: &mut dyn Read) -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    input
        .take(PASSWORD_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|e| Failure::usage(format!("The password cannot be read from standard input: {e}.")))?;
    let line = text.lines().next().unwrap_or("");
    if line.is_empty() || text.len() as u64 > PASSWORD_BYTES_MAX {
        return Err(Failure::usage(format!("Give the password as one line of at most {PASSWORD_BYTES_MAX} bytes on standard input.")));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_bounded_line() {
        assert_eq!(password_from(&mut "s3cret \n".as_bytes()).expect("read").as_str(), "s3cret ");
        assert!(password_from(&mut "\n".as_bytes()).is_err());
        assert!(password_from(&mut "x".repeat(2000).as_bytes()).is_err());
    }

    #[test]
    fn a_generated_password_is_shown_and_a_chosen_one_is_not() {
        assert!(one(&json!({"login": "mei", "password": "abc"})).contains("abc   (shown only now)"));
        assert!(!one(&json!({"login": "mei"})).contains("Password"));
    }
}
