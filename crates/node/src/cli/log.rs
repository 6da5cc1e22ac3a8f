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
    policy::POLICY_BYTES_MAX,
    tile::{EntriesAddress, TILE_WIDTH, written},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{self, Read as _},
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
    /// Say whose log this node witnesses, and who witnesses its own
    ///
    /// The file is a policy by c2sp.org/tlog-policy. Its `witness` lines are asked to cosign this node's log, each at the
    /// URL of its line; its `quorum` says how many are enough; its `log` lines are the logs of others that this node
    /// cosigns. `log status` prints the lines that others need of this node. Without a file it prints the policy in force.
    #[command(after_long_help = "Example:
  fondaco --dir mynode log policy witnesses.policy

A file, with keys as the others' `fondaco log status` prints them:
  log a.example/log+5d1c0f2b+AZ… https://a.example/log
  witness a a.example/log/witness+0c3d44e1+BP… https://a.example/log/witness
  witness b b.example/log/witness+77b2a9d0+BB… https://b.example/log/witness
  group any-two 2 a b
  quorum any-two")]
    Policy {
        /// The policy
        file: Option<PathBuf>,
        /// Let nobody witness this log, and witness nobody's
        #[arg(long, conflicts_with = "file")]
        clear: bool,
    },
    /// Sign a held log again
    ///
    /// A log is held after a restore, because it may have signed more since the backup: signing another tree of the same
    /// size would be a fork, which anybody who has seen the first can prove. With a quorum of witnesses these are asked.
    #[command(after_long_help = "Examples:
  fondaco --dir mynode log resume
  fondaco --dir mynode log resume --without-witnesses")]
    Resume {
        /// My word that no witness, mirror or auditor has seen more of this log than it has now
        #[arg(long)]
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
        Command::Policy { file: None, clear: false } => {
            let log = node.get(&["log"], &[]).await?;
            let policy = text(&log, "policy").to_owned();
            let shown = if policy.is_empty() { "No policy: nobody witnesses this log.\n".to_owned() } else { policy };
            Ok(Answer::new(json!({"policy": log.get("policy")}), shown))
        }
        Command::Policy { file, .. } => {
            let policy = file.map(|path| read_policy(&path)).transpose()?;
            Ok(status(context, node.replace(&["log", "policy"], &json!({"policy": policy})).await?))
        }
        Command::Resume { without_witnesses } => {
            Ok(status(context, node.act(&["log", "resume"], &json!({"withoutWitnesses": without_witnesses})).await?))
        }
        Command::Rotate => Ok(status(context, node.act(&["log", "rotate"], &json!({})).await?)),
    }
}

/// The text of a policy file.
fn read_policy(path: &Path) -> Result<String> {
    let failed = |e: &io::Error| Failure::file("Cannot read", path, e);
    let mut bytes = Vec::new();
    // One byte more than a policy may have: the node then says that it is too large.
    fs::File::open(path).and_then(|f| f.take(POLICY_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)).map_err(|e| failed(&e))?;
    String::from_utf8(bytes).map_err(|_| Failure::new(Code::Invalid, format!("{} is not UTF-8.", path.display())))
}

fn status(context: &Context, log: Value) -> Answer {
    let size = |of: &Value, name: &str| number(of, name).unwrap_or_default().to_string();
    let rows = |name: &str| log.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let witnesses = rows("witnesses").into_iter().map(|w| match text(&w, "problem") {
        "" => format!("{}: {} leaves, {}", text(&w, "name"), size(&w, "size"), when(text(&w, "at"))),
        problem => format!("{}: {} leaves. {problem}", text(&w, "name"), size(&w, "size")),
    });
    let witnessed = rows("witnessed").into_iter().map(|w| {
        let forked = if text(&w, "conflict").is_empty() { "" } else { ". IT SIGNED TWO HISTORIES: see --json" };
        let doubt = match text(&w, "doubtAt") {
            "" => String::new(),
            at => format!(". It did not prove that it continues what was cosigned, and has not since {}", when(at)),
        };
        format!("{}: {} leaves, {}{doubt}{forked}", text(&w, "origin"), size(&w, "size"), when(text(&w, "at")))
    });
    let (key, url) = (text(&log, "key"), text(&log, "url"));
    let shown = Fields::default()
        .add("Log", text(&log, "origin"))
        .add("Key", key)
        .add("Leaves", size(&log, "size"))
        .add("Root", text(&log, "root"))
        .add("Signed", when(text(&log, "signedAt")))
        .add("Waiting", size(&log, "waiting"))
        .add("Held", text(&log, "held"))
        .add("Cosigned", number(&log, "cosignedSize").map(|n| format!("{n} leaves, by a quorum")).unwrap_or_default())
        .add_lines("Witnesses", witnesses)
        .add_lines("Witnessed", witnessed)
        .add_lines(
            "For others' policies",
            &[format!("log {key} {url}"), format!("witness NAME {} {url}/witness", text(&log, "witnessKey"))],
        )
        .render();
    let held = log.get("held").is_some_and(Value::is_string);
    let resume = if rows("witnesses").is_empty() { "log resume --without-witnesses" } else { "log resume" };
    let answer = Answer::new(log, shown);
    if held { answer.then(context.command(resume)) } else { answer }
}

/// Writes all that the log serves, and checks it as it lies there.
async fn export(node: &AdminClient, key: &str, out: &Path) -> Result<Answer> {
    let failed = |path: &Path, e: &io::Error| Failure::file("Cannot write", path, e);
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
    write().map_err(|e| Failure::file("Cannot write", &file, &e))?;
    Ok(bytes)
}
