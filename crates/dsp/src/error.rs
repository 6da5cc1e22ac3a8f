//! What is wrong with a document from outside, in words its sender can act on.

use std::fmt::Write as _;

/// Most characters of foreign text that an error repeats: enough to recognise it, too little to smuggle anything.
pub const QUOTE_MAX_CHARS: usize = 80;

/// A document that cannot be read. Safe to send back and to log: it quotes at most [`QUOTE_MAX_CHARS`] characters
/// of it, and never a value of a `dataAddress`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", at(.path))]
pub struct WireError {
    /// What is wrong, for the sender.
    pub message: String,
    /// Where: a JSON Pointer into the document (`/offer/permission/0/action`), empty for the whole document.
    pub path: String,
}

impl WireError {
    pub(crate) fn new(path: &str, message: impl Into<String>) -> Self {
        Self { message: message.into(), path: path.to_owned() }
    }
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" (at {path})") }
}

/// Foreign text fit to be repeated: bounded, without control characters.
pub(crate) fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(QUOTE_MAX_CHARS).collect()
}

/// The path of a member. Names come from the document, so a path as a whole is bounded like a quotation.
pub(crate) fn join(path: &str, segment: impl std::fmt::Display) -> String {
    let mut out = path.to_owned();
    // Writing to a String cannot fail.
    let _ = write!(out, "/{segment}");
    clip(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_and_paths_are_bounded() {
        assert_eq!(clip(&"x\n".repeat(500)).chars().count(), QUOTE_MAX_CHARS);
        assert_eq!(join(&"/k".repeat(100), 7).chars().count(), QUOTE_MAX_CHARS);
        let error = WireError::new("/offer/permission", "A list is expected here.");
        assert_eq!(error.to_string(), "A list is expected here. (at /offer/permission)");
        assert_eq!(WireError::new("", "Not JSON.").to_string(), "Not JSON.");
    }
}
