//! Every command that a message, a page or a help text names exists, with the options it is named with.

use clap::error::ErrorKind;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where commands are named; below these, files of these kinds.
const PLACES: [(&str, &[&str]); 8] = [
    ("README.md", &["md"]),
    ("SECURITY.md", &["md"]),
    ("docs", &["md"]),
    ("packaging", &["md", "service", "timer"]),
    ("crates/core/src", &["rs"]),
    ("crates/node/src", &["rs"]),
    ("crates/console/locales", &["ftl"]),
    ("crates/console/templates", &["html"]),
];
/// Texts that begin with the program's name and are no commands: labels of derived keys.
const NO_COMMANDS: [&str; 2] = ["access token", "seal"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(place: &Path, kinds: &[&str], found: &mut Vec<PathBuf>) {
    if place.is_file() {
        found.push(place.to_owned());
        return;
    }
    for entry in fs::read_dir(place).expect("folder") {
        let path = entry.expect("entry").path();
        let kind = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if path.is_dir() || kinds.contains(&kind) {
            files(&path, kinds, found);
        }
    }
}

/// The commands that a line names, without the program's name.
fn named(line: &str, rust: bool) -> Vec<String> {
    let line = if rust { line.replace("\\\"", "'") } else { line.replace('"', "'").replace("{{ ", "{{").replace(" }}", "}}") };
    let mut found = Vec::new();
    for (at, _) in line.match_indices("fondaco ") {
        let before = &line[..at];
        let starts = before.trim().is_empty()
            || before.ends_with(['`', '"', '>'])
            || before.ends_with(": ")
            || before.ends_with("-- ")
            || before.ends_with("| ");
        if starts {
            found.push(line[at + "fondaco ".len()..].to_owned());
        }
    }
    if rust {
        // What follows a command is put together by the context, which adds the program's name.
        for start in [".command(\"", ".command(&format!(\""] {
            found.extend(line.split(start).skip(1).map(str::to_owned));
        }
    }
    found
}

/// The words of a command at the start of `text`, up to where the sentence or the quotation ends.
fn words(text: &str) -> Vec<String> {
    let text = text.split(['`', '"', '<']).next().unwrap_or_default();
    let text = ["   ", " # ", " | ", " > ", " && ", " &", " \\"].into_iter().fold(text, |text, end| text.split(end).next().unwrap_or(text));
    let mut words: Vec<String> = Vec::new();
    let mut quoted: Option<String> = None;
    for word in text.split(' ') {
        match &mut quoted {
            Some(open) => {
                open.push(' ');
                open.push_str(word);
            }
            None if word.starts_with('\'') => quoted = Some(word.to_owned()),
            None if word.starts_with('(') || word == "and" => break,
            None => words.push(word.trim_end_matches([',', ';', ':', '.', ')']).to_owned()),
        }
        if let Some(whole) = quoted.take_if(|q| q.len() > 1 && q.ends_with('\'')) {
            words.push(whole);
        }
        if quoted.is_none() && word.ends_with([',', ';', ':', '.', ')']) {
            break;
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

/// Why a named command is none; what only lacks a value or an argument is short for one.
fn wrong(words: &[String]) -> Option<String> {
    let open = words.iter().any(|w| w.contains('…'));
    let line = std::iter::once("fondaco").chain(words.iter().map(String::as_str).filter(|w| !w.contains('…')));
    let error = super::command().try_get_matches_from(line).err()?;
    let passes = match error.kind() {
        ErrorKind::MissingRequiredArgument
        | ErrorKind::InvalidValue
        | ErrorKind::ValueValidation
        | ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion => true,
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => open,
        _ => false,
    };
    (!passes).then(|| error.kind().to_string())
}

#[test]
fn every_command_that_is_named_exists() {
    let (mut found, mut checked) = (Vec::new(), 0);
    for (place, kinds) in PLACES {
        let mut paths = Vec::new();
        files(&root().join(place), kinds, &mut paths);
        assert!(!paths.is_empty(), "{place}");
        for path in paths {
            let rust = path.extension().is_some_and(|e| e == "rs");
            let text = fs::read_to_string(&path).expect("text");
            // Tests name wrong ones on purpose.
            let text = if rust { text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default() } else { &text };
            // The help itself, and these lines.
            if path.ends_with("docs/cli.md") || path.ends_with("named_commands.rs") {
                continue;
            }
            for (number, line) in text.lines().enumerate() {
                let mut commands = named(line, rust);
                if path.parent().is_some_and(|p| p.ends_with("docs/errors") || p.ends_with("docs/errors/zh")) {
                    // Pages leave the program's name out when they name several.
                    let spans = line.split('`').skip(1).step_by(2).filter(|s| s.contains(' '));
                    let ours = |s: &&str| super::command().get_subcommands().any(|c| s.split(' ').next() == Some(c.get_name()));
                    commands.extend(spans.filter(ours).map(str::to_owned));
                }
                for command in commands.iter().filter(|c| !NO_COMMANDS.iter().any(|n| c.starts_with(n))) {
                    checked += 1;
                    if let Some(why) = wrong(&words(command)) {
                        found.push(format!("{}:{}: fondaco {}: {why}", path.display(), number + 1, words(command).join(" ")));
                    }
                }
            }
        }
    }
    assert!(checked > 100, "{checked} commands were found: the search has gone blind");
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn what_does_not_exist_is_found() {
    for (line, fine) in [
        ("Make it with: fondaco connection add", false),
        ("Make it with: fondaco connection add-s3, or add-postgres", true),
        ("`fondaco --dir DIR connection check NAME --deep`", false),
        ("`fondaco product add … --accept-personal-data`", true),
        ("fondaco --dir north product add photos/ --kind files --id photos --title \"Photos of the site\"", true),
        ("fondaco token create NAME", false),
        ("`fondaco connection …`", true),
        ("`fondaco connection`", false),
    ] {
        let commands = named(line, false);
        assert_eq!(commands.len(), 1, "{line}");
        assert_eq!(wrong(&words(&commands[0])).is_none(), fine, "{line}: {:?}", words(&commands[0]));
    }
}
