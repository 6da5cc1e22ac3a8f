//! `fondaco log …`: the node's transparency log.

use super::{
    answer::Answer,
    client::AdminClient,
    context::Context,
    failure::{Failure, Result},
    show::{Fields, number, text, texts, when},
};
use fondaco_core::Code;
use fondaco_tlog::{
    Checkpoint, Note,
    audit::audit,
    note::VerifierKey,
    tile::{EntriesAddress, TILE_WIDTH, written},
};
use serde_json::{Value, json};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The file with the log's public key, beside what the log serves.
const KEY_FILE: &str = "log.vkey";

/// The log that everything leaves its mark in: signed, served to anybody, and never rewritten
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show the log: its key, its size, and whether it is held
    #[command(after_long_help = "Example:
  fondaco --dir mynode log status")]
    Status,
    /// Recompute everything from the entries, and compare with tiles, checkpoint and documents
    #[command(after_long_help = "Example:
  fondaco --dir mynode log check --json")]
    Check,
    /// Write the whole log as a tree of files that other programs verify
    #[command(after_long_help = "Example:
  fondaco --dir mynode log export --out archive")]
    Export {
        /// The folder to make
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Sign a held log again
    ///
    /// A log is held after a restore, because it may have signed more since the backup: signing another tree of the same
    /// size would be a fork, which anybody who has seen the first can prove.
    #[command(after_long_help = "Example:
  fondaco --dir mynode log resume --without-witnesses")]
    Resume {
        /// My word that no witness, mirror or auditor has seen more of this log than it has now
        #[arg(long, required = true)]
        without_witnesses: bool,
    },
    /// Sign with a new key from now on
    #[command(after_long_help = "Example:
  fondaco --dir mynode log rotate")]
    Rotate,
}

/// Runs the command.
pub(super) async fn run(context: &Context, command: Command) -> Result<Answer> {
    let node = context.node()?;
    match command {
        Command::Status => Ok(status(context, node.get(&["log"], &[]).await?)),
        Command::Check => {
            let found = node.get(&["log", "check"], &[]).await?;
            let faults = texts(&found, "faults").len();
            let shown = Fields::default()
                .add("Log", text(&found, "origin"))
                .add("Leaves", number(&found, "size").unwrap_or_default().to_string())
                .add("Opened", number(&found, "opened").unwrap_or_default().to_string())
                .add("Erased", number(&found, "erased").unwrap_or_default().to_string())
                .add("Waiting", number(&found, "waiting").unwrap_or_default().to_string())
                .add("Held", text(&found, "held"))
                .add_lines("Wrong", texts(&found, "faults"))
                .render();
            let unmet = (faults > 0).then(|| "The log is not what it was signed as.".to_owned());
            Ok(Answer { unmet, ..Answer::new(found, shown) })
        }
        Command::Export { out } => {
            let key = text(&node.get(&["log"], &[]).await?, "key").to_owned();
            export(&node, &key, &out).await
        }
        Command::Resume { without_witnesses } => {
            Ok(status(context, node.act(&["log", "resume"], &json!({"withoutWitnesses": without_witnesses})).await?))
        }
        Command::Rotate => Ok(status(context, node.act(&["log", "rotate"], &json!({})).await?)),
    }
}

fn status(context: &Context, log: Value) -> Answer {
    let shown = Fields::default()
        .add("Log", text(&log, "origin"))
        .add("Key", text(&log, "key"))
        .add("Leaves", number(&log, "size").unwrap_or_default().to_string())
        .add("Root", text(&log, "root"))
        .add("Signed", when(text(&log, "signedAt")))
        .add("Waiting", number(&log, "waiting").unwrap_or_default().to_string())
        .add("Held", text(&log, "held"))
        .render();
    let held = log.get("held").is_some_and(Value::is_string);
    let answer = Answer::new(log, shown);
    if held { answer.then(context.command("log resume --without-witnesses")) } else { answer }
}

/// Writes all that the log serves, and checks it as it lies there.
async fn export(node: &AdminClient, key: &str, out: &Path) -> Result<Answer> {
    let failed = |path: &Path, e: &io::Error| Failure::file("write", path, e);
    fs::create_dir_all(out).map_err(|e| failed(out, &e))?;
    if fs::read_dir(out).map_err(|e| failed(out, &e))?.next().is_some() {
        return Err(Failure::new(Code::Conflict, format!("{} is not empty.", out.display())));
    }
    let checkpoint = copy(node, out, "checkpoint").await?;
    let damaged = |e: &dyn std::fmt::Display| Failure::new(Code::Internal, format!("The log does not hold: {e}."));
    let key: VerifierKey = key.parse().map_err(|e| damaged(&e))?;
    let signed = Note::parse(&checkpoint).map_err(|e| damaged(&e)).and_then(|n| Checkpoint::open(&n, [&key]).map_err(|e| damaged(&e)))?;
    for tile in written(0, signed.size) {
        copy(node, out, &tile.to_string()).await?;
    }
    for index in 0..signed.size.div_ceil(u64::from(TILE_WIDTH)) {
        let Some(bundle) = EntriesAddress::at(index, signed.size) else { break };
        copy(node, out, &bundle.to_string()).await?;
    }
    let path = out.join(KEY_FILE);
    fs::write(&path, format!("{key}\n")).map_err(|e| failed(&path, &e))?;
    let read = |path: String| fs::read(out.join(path)).map(Some);
    audit(signed.size, &signed.root, |a| read(a.to_string()), |a| read(a.to_string()), |_, _| ()).map_err(|e| damaged(&e))?;
    let folder = out.to_string_lossy().into_owned();
    let text = Fields::default()
        .add("Wrote", &folder)
        .add("Log", &signed.origin)
        .add("Leaves", signed.size.to_string())
        .add("Root", signed.root.to_string())
        .render();
    let json =
        json!({"dir": folder, "origin": signed.origin, "size": signed.size, "root": signed.root.to_string(), "key": key.to_string()});
    Ok(Answer::new(json, text))
}

/// Copies one resource of the log into its file.
async fn copy(node: &AdminClient, out: &Path, path: &str) -> Result<Vec<u8>> {
    let bytes = node.public(&format!("log/{path}")).await?;
    let file = out.join(path);
    let write = || -> io::Result<()> {
        fs::create_dir_all(file.parent().unwrap_or(out))?;
        fs::write(&file, &bytes)
    };
    write().map_err(|e| Failure::file("write", &file, &e))?;
    Ok(bytes)
}
