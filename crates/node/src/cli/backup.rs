//! `fondaco backup`: the whole node as one file.

use super::{
    answer::Answer,
    context::{Context, quoted},
    failure::{Failure, Result},
    show::{Fields, bytes, count, short},
};
use crate::{
    backup::{Made, MakeOptions, Progress, make},
    config::Config,
};
use fondaco_core::{
    Code, Error,
    time::{Clock, SystemClock, Timestamp},
};
use fondaco_store::backup::note_backup;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal},
    path::{Path, PathBuf},
};

/// Longest file name shown beside the bar.
const NAME_MAX_CHARS: usize = 32;

/// Back up a node: database, data, keys and configuration, in one file
///
/// Works beside the running node, and of one moment; nothing in the folder is changed. The file holds the node's keys:
/// whoever reads it can act in your name, so it is made readable by you only. Data that was published in place is not
/// in it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  fondaco backup --dir mynode --out mynode-2026-11-21.tar.zst
  fondaco backup --dir mynode --out - | ssh vault 'cat > mynode.tar.zst'

Restore it with: fondaco restore FILE --dir DIR")]
pub(super) struct Args {
    /// The file to write, which must not exist yet; or - for standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Go on without data files that are missing or changed, and list them
    #[arg(long)]
    allow_missing: bool,
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    let config = Config::load(context.dir()?)?;
    let to_stdout = args.out.as_os_str() == "-";
    if to_stdout && context.json {
        return Err(Failure::usage("With --out - the backup itself goes to standard output, so there is no place for --json."));
    }
    if to_stdout && io::stdout().is_terminal() {
        return Err(Failure::usage("A backup is not text for a terminal. Give a file: --out FILE, or pipe it somewhere."));
    }
    let now = SystemClock.now();
    let options = MakeOptions { config: config.clone(), allow_missing: args.allow_missing, now };
    let bar = bar(context);
    let out = args.out.clone();
    let shown = bar.clone();
    let made = tokio::task::spawn_blocking(move || {
        let mut progress = |p: Progress| tell(&shown, &p);
        if to_stdout { stdout(&options, &mut progress) } else { file(&options, &out, &mut progress) }
    })
    .await
    .map_err(Error::internal_failure)?;
    bar.finish_and_clear();
    let made = made?;
    let mut answer = answer(context, &made, &args.out, to_stdout);
    let url = config.database_url();
    if let Err(e) = tokio::task::spawn_blocking(move || note_backup(&url, now)).await.map_err(Error::internal_failure)? {
        answer = answer.note(format!("The backup is made, but the node could not be told, so doctor will not know of it: {e}."));
    }
    Ok(answer)
}

fn stdout(options: &MakeOptions, progress: &mut dyn FnMut(Progress)) -> Result<Made> {
    Ok(make(options, BufWriter::new(io::stdout()), progress)?)
}

/// Writes beside the final name and renames: a file of that name is a whole backup.
fn file(options: &MakeOptions, out: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Made> {
    let out = std::path::absolute(out).map_err(|e| Failure::file("Cannot use", out, &e))?;
    let parent = out.parent().unwrap_or(Path::new("/"));
    let real = |p: &Path| p.canonicalize().map_err(|e| Failure::file("Cannot use", p, &e));
    if real(parent)?.starts_with(real(&options.config.dir)?) {
        return Err(Failure::usage("Write the backup outside the node's folder, best on another machine."));
    }
    if out.symlink_metadata().is_ok() {
        return Err(Failure::new(Code::Conflict, format!("{} exists already. Give another name.", out.display())));
    }
    // Readable by its owner only from the first byte: it holds the node's keys.
    let mut temporary = tempfile::Builder::new()
        .prefix(".fondaco-backup-")
        .tempfile_in(parent)
        .map_err(|e| Failure::file("Cannot write in", parent, &e))?;
    let made = make(options, BufWriter::new(temporary.as_file_mut()), progress)?;
    temporary.as_file().sync_all().map_err(|e| Failure::file("Cannot write", &out, &e))?;
    temporary.persist_noclobber(&out).map_err(|e| Failure::file("Cannot write", &out, &e.error))?;
    File::open(parent).and_then(|p| p.sync_all()).map_err(|e| Failure::file("Cannot write", &out, &e))?;
    Ok(made)
}

fn answer(context: &Context, made: &Made, out: &Path, to_stdout: bool) -> Answer {
    let manifest = &made.manifest;
    let text = Fields::default()
        .add("Backup", out.to_string_lossy())
        .add("Size", bytes(Some(made.size_bytes)))
        .add("Rows", count(Some(manifest.rows)))
        .add("Data files", format!("{} ({})", count(Some(manifest.data_files() as u64)), bytes(Some(manifest.data_bytes()))))
        .add_lines("Missing", &manifest.missing)
        .add_lines("In place", &manifest.in_place)
        .render();
    let json = json!({
        "file": out.to_string_lossy(),
        "sizeBytes": made.size_bytes,
        "schema": manifest.schema,
        "rows": manifest.rows,
        "dataFiles": manifest.data_files(),
        "dataBytes": manifest.data_bytes(),
        "missing": manifest.missing,
        "inPlace": manifest.in_place,
    });
    let mut answer = if to_stdout { Answer::printed() } else { Answer::new(json, text) };
    answer = answer.note("The backup holds the node's keys: keep it as secret as the node itself.");
    if !manifest.missing.is_empty() {
        answer = answer.note(format!("{} data files are not in it, because they are missing or changed.", manifest.missing.len()));
    }
    if !manifest.in_place.is_empty() {
        answer = answer
            .note(format!("The data of {} products stays where its publisher keeps it and is not in the backup.", manifest.in_place.len()));
    }
    if !to_stdout && context.dir.is_some() {
        answer = answer.then(format!("fondaco restore {} --verify-only", quoted(&out.to_string_lossy())));
    }
    answer
}

/// A bar on standard error, when that is a terminal and somebody wants it.
pub(super) fn bar(context: &Context) -> ProgressBar {
    if !context.shows_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg:32!} {bar:24} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}") {
        bar.set_style(style);
    }
    bar
}

/// Shows how far it is.
pub(super) fn tell(bar: &ProgressBar, progress: &Progress) {
    bar.set_length(progress.total_bytes);
    bar.set_position(progress.done_bytes);
    bar.set_message(short(&progress.what, NAME_MAX_CHARS));
}

/// How long ago, in whole days and hours, for people.
pub(super) fn age(then: Timestamp, now: Timestamp) -> String {
    let hours = now.since(then).0.max(0) / 3_600_000_000;
    match (hours / 24, hours % 24) {
        (0, 0) => "less than an hour ago".into(),
        (0, 1) => "an hour ago".into(),
        (0, hours) => format!("{hours} hours ago"),
        (1, _) => "a day ago".into(),
        (days, _) => format!("{days} days ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_for_people() {
        let now = Timestamp::parse("2026-11-21T20:00:00Z").expect("time");
        let at = |text: &str| age(Timestamp::parse(text).expect("time"), now);
        assert_eq!(at("2026-11-21T19:59:00Z"), "less than an hour ago");
        assert_eq!(at("2026-11-21T18:59:00Z"), "an hour ago");
        assert_eq!(at("2026-11-21T15:00:00Z"), "5 hours ago");
        assert_eq!(at("2026-11-20T15:00:00Z"), "a day ago");
        assert_eq!(at("2026-11-01T15:00:00Z"), "20 days ago");
        // A clock that was put back is no reason to panic.
        assert_eq!(at("2026-11-22T15:00:00Z"), "less than an hour ago");
    }
}
