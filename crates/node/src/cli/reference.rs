//! `docs/cli.md`: the help of every command in one document, made from the same definitions. A test compares the two.

use std::fmt::Write;

/// Columns the help is set in.
const WIDTH: usize = 110;

/// The reference of all commands as Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# Commands\n\nThe help of every command, as `--help` prints it; the options of every command are shown\nonce, under `fondaco`. Generated: the test `docs_cli_md_is_current` of fondaco-node checks it and writes it anew when run\nwith `BLESS=1`.\n",
    );
    let mut root = super::command().term_width(WIDTH);
    root.build();
    section(&root, true, &mut out);
    out
}

fn section(command: &clap::Command, with_global: bool, out: &mut String) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    // The options of every command are shown once, at the top.
    let mut shown = command.clone().term_width(WIDTH).mut_args(|arg| {
        let repeated = !with_global && (arg.is_global_set() || arg.get_id() == "help");
        arg.hide(repeated)
    });
    let help = shown.render_long_help().to_string();
    // Writing to a String cannot fail.
    let _ = write!(out, "\n## {name}\n\n```text\n");
    for line in help.trim_end().lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push_str("```\n");
    for sub in command.get_subcommands() {
        section(sub, false, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_cli_md_is_current() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
        let made = reference();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &made).expect("write docs/cli.md");
        }
        let kept = std::fs::read_to_string(&path).expect("docs/cli.md");
        assert!(
            kept == made,
            "docs/cli.md is not what the commands say now. Write it anew with: BLESS=1 cargo test -p fondaco-node docs_cli_md"
        );
    }

    #[test]
    fn every_command_says_what_it_does_and_shows_an_example() {
        fn check(command: &clap::Command) {
            let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
            assert!(command.get_about().is_some(), "{name} has no about");
            if command.has_subcommands() {
                command.get_subcommands().for_each(check);
            } else {
                let example = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
                assert!(example.contains("Example") && example.contains("  fondaco "), "{name} shows no example");
            }
            for arg in command.get_arguments() {
                assert!(arg.get_help().is_some(), "{name}: {} has no help", arg.get_id());
            }
        }
        let mut root = super::super::command();
        root.build();
        root.get_subcommands().for_each(check);
    }
}
