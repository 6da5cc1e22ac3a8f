//! `fondaco restore`: a node from a backup.

use super::{
    answer::Answer,
    backup::{bar, tell},
    context::{Context, quoted},
    failure::{Failure, Result},
    show::{Fields, bytes, count, when},
};
use crate::backup::{Head, Manifest, Progress, RestoreOptions, restore, verify};
use fondaco_core::{
    Error,
    time::{Clock, SystemClock},
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Make a node of a backup
///
/// The whole file is checked before anything is written, and the folder is there whole or not at all. A backup from an
/// older version is brought to this one. The copy has the identity of the original: never let both run, because peers
/// and counters would see one organisation act twice.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  fondaco restore mynode-2026-11-21.tar.zst --dir mynode
  fondaco restore mynode-2026-11-21.tar.zst --dir mynode --database postgres://fondaco@db.example/fondaco
  fondaco restore mynode-2026-11-21.tar.zst --verify-only")]
pub(super) struct Args {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The database to fill, which must be empty: postgres://… or sqlite:FILE [default: as in the backup]
    #[arg(long, value_name = "URL", conflicts_with = "verify_only")]
    database: Option<String>,
    /// Check the file and write nothing
    #[arg(long)]
    verify_only: bool,
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    let bar = bar(context);
    let shown = bar.clone();
    let mut progress = move |p: Progress| tell(&shown, &p);
    if args.verify_only {
        let file = args.file.clone();
        let checked = tokio::task::spawn_blocking(move || verify(&file, &mut progress)).await.map_err(Error::internal_failure)?;
        bar.finish_and_clear();
        let (head, manifest) = checked?;
        return Ok(answer("Checked", &args.file.to_string_lossy(), json!({"file": args.file.to_string_lossy()}), &head, &manifest));
    }
    let Some(dir) = &context.dir else {
        return Err(Failure::usage("Say where the node goes: --dir DIR, a folder that is empty or not there yet."));
    };
    let options = RestoreOptions {
        file: args.file.clone(),
        dir: dir.clone(),
        database: args.database,
        env: std::env::vars().collect(),
        now: SystemClock.now(),
    };
    let restored = tokio::task::spawn_blocking(move || restore(&options, &mut progress)).await.map_err(Error::internal_failure)?;
    bar.finish_and_clear();
    let restored = restored?;
    let name = dir.to_string_lossy();
    let more = json!({"dir": name, "database": restored.database});
    let mut answer = answer("Restored", &name, more, &restored.head, &restored.manifest).note(
        "This node has the identity of the one that was backed up. Never let both run: stop the other for good before you start this one.",
    );
    answer = answer.note(
        "Its log is held: it may have signed more since the backup, and would fork. See docs/log.md; the command is: fondaco log resume.",
    );
    if !restored.manifest.missing.is_empty() {
        answer = answer.note(format!("{} data files were not in the backup; reads of them will fail.", restored.manifest.missing.len()));
    }
    Ok(answer.then(format!("fondaco doctor --deep --dir {}", quoted(&name))).then(format!("fondaco serve --dir {}", quoted(&name))))
}

fn answer(done: &'static str, what: &str, mut json: Value, head: &Head, manifest: &Manifest) -> Answer {
    let text = Fields::default()
        .add(done, what)
        .add("Made", when(&head.made_at))
        .add("By version", &head.program)
        .add("Public", &head.public_url)
        .add("Rows", count(Some(manifest.rows)))
        .add("Data files", format!("{} ({})", count(Some(manifest.data_files() as u64)), bytes(Some(manifest.data_bytes()))))
        .add_lines("Missing", &manifest.missing)
        .add_lines("In place", &manifest.in_place)
        .render();
    json["madeAt"] = head.made_at.as_str().into();
    json["program"] = head.program.as_str().into();
    json["publicUrl"] = head.public_url.as_str().into();
    json["schema"] = manifest.schema.into();
    json["rows"] = manifest.rows.into();
    json["dataFiles"] = manifest.data_files().into();
    json["dataBytes"] = manifest.data_bytes().into();
    json["missing"] = manifest.missing.as_slice().into();
    json["inPlace"] = manifest.in_place.as_slice().into();
    Answer::new(json, text)
}
