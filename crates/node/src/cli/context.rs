//! What all commands share: which node, which participant, which form of answer.

use super::{
    client::{AdminClient, ParticipantClient},
    failure::{Failure, Result},
    show,
};
use std::path::{Path, PathBuf};

/// The environment variable for `--dir`.
pub(super) const DIR_VARIABLE: &str = "FONDACO_DIR";

/// The global options.
#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    /// `--dir`.
    pub(super) dir: Option<PathBuf>,
    /// Whether it came from the environment: then suggested commands need not repeat it.
    pub(super) dir_from_environment: bool,
    /// `--as`.
    pub(super) participant: Option<String>,
    /// `--json`.
    pub(super) json: bool,
    /// `--quiet`.
    pub(super) quiet: bool,
}

impl Context {
    /// The node's folder.
    pub(super) fn dir(&self) -> Result<&Path> {
        self.dir.as_deref().ok_or_else(|| {
            Failure::usage(format!("Say which node is meant: --dir DIR, or set {DIR_VARIABLE}. Make one with: fondaco init --dir DIR --participant SLUG --name TEXT"))
        })
    }

    /// The running node.
    pub(super) fn node(&self) -> Result<AdminClient> {
        AdminClient::open(self.dir()?)
    }

    /// The running node, acting for one participant: `--as`, or the only one there is.
    pub(super) async fn participant(&self) -> Result<ParticipantClient> {
        let node = self.node()?;
        let slug = match &self.participant {
            Some(slug) => slug.clone(),
            None => only(&node.list(&["participants"], &[], "participants").await?.items)?,
        };
        Ok(ParticipantClient::new(node, slug))
    }

    /// A command as one would type it for this node.
    pub(super) fn command(&self, rest: &str) -> String {
        let mut text = String::from("fondaco");
        if let (Some(dir), false) = (&self.dir, self.dir_from_environment) {
            text.push_str(" --dir ");
            text.push_str(&quoted(&dir.to_string_lossy()));
        }
        if let Some(slug) = &self.participant {
            text.push_str(" --as ");
            text.push_str(&quoted(slug));
        }
        text.push(' ');
        text.push_str(rest);
        text
    }

    /// Whether to show how far something is.
    pub(super) const fn shows_progress(&self) -> bool {
        !self.quiet
    }
}

fn only(participants: &[serde_json::Value]) -> Result<String> {
    match participants {
        [one] => Ok(show::text(one, "slug").to_owned()),
        [] => Err(Failure::usage("This node has no participant yet. Add one with: fondaco participant add SLUG --name TEXT")),
        many => {
            let slugs: Vec<&str> = many.iter().map(|p| show::text(p, "slug")).collect();
            Err(Failure::usage(format!("This node has several participants. Say which with --as: {}.", slugs.join(", "))))
        }
    }
}

/// A word for a POSIX shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:%@+,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_only_participant_is_meant_and_several_are_listed() {
        assert_eq!(only(&[json!({"slug": "acme"})]).expect("one"), "acme");
        assert_eq!(only(&[]).expect_err("none").exit, 2);
        let several = only(&[json!({"slug": "acme"}), json!({"slug": "beta"})]).expect_err("two");
        assert!(several.problem.detail.contains("acme, beta"));
        assert_eq!(several.exit, 2);
    }

    #[test]
    fn suggested_commands_can_be_pasted() {
        let mut context = Context { dir: Some("/srv/my node".into()), participant: Some("acme".into()), ..Context::default() };
        assert_eq!(context.command("agreement list"), "fondaco --dir '/srv/my node' --as acme agreement list");
        context.dir_from_environment = true;
        assert_eq!(context.command("x"), "fondaco --as acme x");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
