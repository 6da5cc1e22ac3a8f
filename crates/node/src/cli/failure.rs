//! How a command fails: a problem document (the one JSON document of `--json`), and an exit status.
//! Statuses follow section 10 of the design: 1 refused or failed, 2 wrong usage.

use crate::http::problem::Problem;
use fondaco_core::{Code, Error};

/// Refused or failed.
pub(super) const EXIT_FAILED: u8 = 1;
/// Called wrongly.
pub(super) const EXIT_USAGE: u8 = 2;

/// A failed command.
#[derive(Debug)]
pub(super) struct Failure {
    /// What is wrong and what to do, as RFC 9457.
    pub(super) problem: Box<Problem>,
    /// The exit status.
    pub(super) exit: u8,
}

/// What commands return.
pub(super) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// Wrong usage: status 2.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { exit: EXIT_USAGE, ..Self::from(Error::invalid(message)) }
    }

    /// A failure with a code.
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self::from(Error::new(code, message))
    }

    /// What the node or a peer answered.
    pub(super) fn answered(problem: Problem) -> Self {
        Self { problem: Box::new(problem), exit: EXIT_FAILED }
    }

    /// A local file that could not be read or written.
    pub(super) fn file(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(Code::Invalid, format!("{what} {}: {error}.", path.display()))
    }

    /// A new local file that could not be written.
    pub(super) fn new_file(path: &std::path::Path, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Self::new(Code::Conflict, format!("{} exists already; name another file.", path.display()))
            }
            _ => Self::file("Cannot write", path, error),
        }
    }

    /// The lines for a person.
    pub(super) fn text(&self) -> String {
        let p = &self.problem;
        let mut text = format!("error: {}\n       {} {}", super::show::clean(&p.detail), p.code, super::show::clean(&p.title));
        if let Some(id) = &p.request_id {
            text.push_str(", request ");
            text.push_str(&super::show::clean(id));
        }
        text
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut problem = Problem::of(&error);
        // The person at the terminal is the operator: here the internal half belongs on the screen.
        if let Some(internal) = error.internal() {
            problem.detail = format!("{} ({internal})", problem.detail);
        }
        Self::answered(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_and_failure_differ_in_status_only() {
        assert_eq!(Failure::usage("x").exit, EXIT_USAGE);
        let failed = Failure::new(Code::NodeNotRunning, "Nothing answers.");
        assert_eq!(failed.exit, EXIT_FAILED);
        assert_eq!(failed.text(), "error: Nothing answers.\n       FDC-5004 The node is not running");
    }

    #[test]
    fn files_that_exist_are_not_written_over_and_it_is_said_so() {
        let path = std::path::Path::new("october.html");
        let said = |kind: std::io::ErrorKind| Failure::new_file(path, &kind.into()).problem.detail;
        assert_eq!(said(std::io::ErrorKind::AlreadyExists), "october.html exists already; name another file.");
        assert!(said(std::io::ErrorKind::PermissionDenied).starts_with("Cannot write october.html: "));
    }

    #[test]
    fn a_hostile_detail_cannot_drive_the_terminal() {
        let problem = Problem { detail: "a\u{1b}[2Jb".into(), ..Problem::of(&Error::invalid("x")) };
        assert!(!Failure::answered(problem).text().contains('\u{1b}'));
    }
}
