//! `fondaco connection …`: object stores and databases to publish from.

use super::{
    answer::Answer,
    context::{Context, quoted},
    failure::{Failure, Result},
    list_answer,
    show::{Fields, Table, text, when},
};
use serde_json::{Value, json};
use std::io::Read;
use zeroize::Zeroizing;

/// Longest secret read from standard input.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Object stores and databases to publish from
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add or replace a connection to S3 or to what speaks its protocol; the secret key is read from standard input
    #[command(after_long_help = "Example:
  fondaco --dir mynode connection add-s3 lake --endpoint https://s3.example.org --region eu-central-1 --bucket measurements \\
    --path-style --access-key AKEXAMPLE < secret-key.txt")]
    AddS3 {
        /// Its name
        name: String,
        /// The service's address [default: that of AWS]
        #[arg(long, value_name = "URL")]
        endpoint: Option<String>,
        /// The region
        #[arg(long, default_value = "us-east-1")]
        region: String,
        /// The bucket
        #[arg(long)]
        bucket: String,
        /// The bucket stands in the path of addresses, not in the host name
        #[arg(long)]
        path_style: bool,
        /// The public half of the key; leave it out for a bucket that everybody may read
        #[arg(long, value_name = "ID")]
        access_key: Option<String>,
        /// Read a session token too: the second line of standard input
        #[arg(long)]
        session_token: bool,
    },
    /// Add or replace a connection to a PostgreSQL database; the password is read from standard input
    #[command(after_long_help = "Example:
  fondaco --dir mynode connection add-postgres plant --host db.example.org --database plant --user reader < password.txt")]
    AddPostgres {
        /// Its name
        name: String,
        /// Host name or address
        #[arg(long)]
        host: String,
        /// Port
        #[arg(long, default_value_t = 5432)]
        port: u16,
        /// Database
        #[arg(long)]
        database: String,
        /// User; give it the right to read and no other
        #[arg(long)]
        user: String,
        /// Whether the connection is encrypted
        #[arg(long, value_parser = ["require", "disable"], default_value = "require")]
        tls: String,
        /// The user needs no password
        #[arg(long)]
        no_password: bool,
    },
    /// List connections
    #[command(after_long_help = "Example:
  fondaco --dir mynode connection list")]
    List,
    /// Try a connection out
    #[command(after_long_help = "Example:
  fondaco --dir mynode connection check lake")]
    Check {
        /// Its name
        name: String,
    },
    /// Remove a connection; what was published through it stays
    #[command(after_long_help = "Example:
  fondaco --dir mynode connection remove lake")]
    Remove {
        /// Its name
        name: String,
    },
}

/// Runs the command.
pub(super) async fn run(context: &Context, command: Command) -> Result<Answer> {
    let us = context.participant().await?;
    match command {
        Command::AddS3 { name, endpoint, region, bucket, path_style, access_key, session_token } => {
            let mut target = json!({"kind": "s3", "region": region, "bucket": bucket, "pathStyle": path_style});
            let mut secret = json!({});
            if let Some(endpoint) = endpoint {
                target["endpoint"] = endpoint.into();
            }
            if let Some(key) = access_key {
                target["accessKeyId"] = key.into();
                let lines = secrets(&mut std::io::stdin().lock(), if session_token { 2 } else { 1 })?;
                secret["secretAccessKey"] = lines[0].as_str().into();
                if let Some(token) = lines.get(1) {
                    secret["sessionToken"] = token.as_str().into();
                }
            }
            put(context, &us, &name, &target, &secret).await
        }
        Command::AddPostgres { name, host, port, database, user, tls, no_password } => {
            let target = json!({"kind": "postgres", "host": host, "port": port, "database": database, "user": user, "tls": tls});
            let mut secret = json!({});
            if !no_password {
                secret["password"] = secrets(&mut std::io::stdin().lock(), 1)?[0].as_str().into();
            }
            put(context, &us, &name, &target, &secret).await
        }
        Command::List => {
            let found = us.list("connections", &[]).await?;
            let mut table = Table::new(&["NAME", "KIND", "LEADS TO", "SINCE", "LAST CHECKED"], &[]);
            for c in &found.items {
                let checked = checked(&c["lastCheck"]);
                table.row([text(c, "name"), text(c, "kind"), text(c, "place"), &when(text(c, "createdAt")), &checked]);
            }
            let text = table.render("No connections yet. Add one with: fondaco connection add-s3, or add-postgres");
            Ok(list_answer("connections", found, text))
        }
        Command::Check { name } => {
            let answer = us.act(&["connections", &name, "check"], &json!({})).await?;
            let text = format!("{name} works: {}\n", text(&answer, "place"));
            Ok(Answer::new(answer, text))
        }
        Command::Remove { name } => {
            us.remove(&["connections", &name]).await?;
            Ok(Answer::new(json!({"name": name, "removed": true}), format!("{name} is removed.\n")))
        }
    }
}

/// When a connection was tried out and how it went, in a few words.
fn checked(check: &Value) -> String {
    let at = when(text(check, "at"));
    match check["works"].as_bool() {
        None => "never".to_owned(),
        Some(true) => format!("{at} ok"),
        Some(false) => format!("{at} error {}", text(check, "code")),
    }
}

async fn put(context: &Context, us: &super::client::ParticipantClient, name: &str, target: &Value, secret: &Value) -> Result<Answer> {
    let made = us.replace(&["connections", name], &json!({"target": target, "secret": secret})).await?;
    let shown = Fields::default().add("Connection", text(&made, "name")).add("Leads to", text(&made, "place")).render();
    Ok(Answer::new(made, shown).then(context.command(&format!("connection check {}", quoted(name)))))
}

/// Secrets, a line each.
fn secrets(input: &mut dyn Read, lines: usize) -> Result<Vec<Zeroizing<String>>> {
    let mut text = Zeroizing::new(String::new());
    input
        .take(SECRET_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|e| Failure::usage(format!("The secret cannot be read from standard input: {e}.")))?;
    let found: Vec<_> = text.lines().filter(|line| !line.is_empty()).map(|line| Zeroizing::new(line.to_owned())).collect();
    if found.len() != lines || text.len() as u64 > SECRET_BYTES_MAX {
        return Err(Failure::usage(format!("Give the secret on standard input: {lines} line(s), nothing else.")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_told_in_a_few_words() {
        assert_eq!(checked(&json!(null)), "never");
        let at = "2026-11-21T20:24:17Z";
        assert_eq!(checked(&json!({"at": at, "works": true})), format!("{} ok", when(at)));
        assert_eq!(checked(&json!({"at": at, "works": false, "code": "FDC-4007"})), format!("{} error FDC-4007", when(at)));
    }

    #[test]
    fn secrets_are_lines_and_as_many_as_asked_for() {
        assert_eq!(secrets(&mut "key\ntoken\n".as_bytes(), 2).expect("two").len(), 2);
        assert!(secrets(&mut "key\n".as_bytes(), 2).is_err());
        assert!(secrets(&mut "".as_bytes(), 1).is_err());
        assert!(secrets(&mut "a\nb\n".as_bytes(), 1).is_err(), "one too many");
    }
}
