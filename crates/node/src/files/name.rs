//! Names of files in a product: relative paths, checked when they are published and again by whoever fetches them.
//!
//! A name must mean the same file on every machine it is fetched to. What cannot (`..`, a newline, `CON`, two names that
//! differ in letter case) is refused rather than changed: a name is part of what was agreed.

use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;

/// Longest path in bytes. Linux takes 4,096 and Windows 32,767 including the folder it is fetched into; 1,024 is what
/// macOS takes, and what an address with every byte escaped still fits.
pub const PATH_MAX_BYTES: usize = 1_024;
/// Longest part of a path in bytes: the limit of the file systems in use.
pub const PART_MAX_BYTES: usize = 255;
/// Most folders above a file: whoever removes the tree again must be able to walk it.
pub const DEPTH_MAX: usize = 64;
/// Most characters of a name in a message.
const SHOWN_MAX_CHARS: usize = 120;

/// Devices on Windows, with any ending.
const RESERVED: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Checks a path: `/` between its parts, no other meaning anywhere. The error says what is wrong with it.
///
/// # Errors
/// A clause that goes after the name: "has the part \"..\"".
pub fn check(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("is empty".into());
    }
    if path.len() > PATH_MAX_BYTES {
        return Err(format!("is longer than {PATH_MAX_BYTES} bytes"));
    }
    if path.split('/').count() > DEPTH_MAX + 1 {
        return Err(format!("lies more than {DEPTH_MAX} folders deep"));
    }
    path.split('/').try_for_each(check_part)
}

fn check_part(part: &str) -> Result<(), String> {
    if part.is_empty() {
        return Err("begins or ends with \"/\", or has \"//\"".into());
    }
    if part == "." || part == ".." {
        return Err(format!("has the part \"{part}\""));
    }
    if part.len() > PART_MAX_BYTES {
        return Err(format!("has a part longer than {PART_MAX_BYTES} bytes"));
    }
    if part.contains('\\') {
        return Err("has a backslash, which separates folders on Windows".into());
    }
    if let Some(c) = part.chars().find(|c| c.is_control() || is_invisible(*c)) {
        return Err(format!("has the character {}, which is not shown", c.escape_unicode()));
    }
    if part.ends_with(['.', ' ']) || part.starts_with(' ') {
        return Err("has a part that ends with a dot or begins or ends with a space; Windows drops those".into());
    }
    let stem = part.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = |device: &str| {
        let digit = stem.strip_prefix(device).and_then(|rest| rest.chars().next().filter(|c| c.len_utf8() == rest.len()));
        digit.is_some_and(|d| matches!(d, '1'..='9' | '¹' | '²' | '³'))
    };
    if RESERVED.contains(&stem.as_str()) || numbered("com") || numbered("lpt") {
        return Err("has a part that names a device on Windows".into());
    }
    Ok(())
}

/// Line and paragraph separators, and marks that turn the direction of the text around them: with them a name can be
/// made to look like another.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{FEFF}')
}

/// The form in which two names are the same file on some machine: case folded (Windows, macOS), composed (macOS).
pub fn folded(path: &str) -> String {
    path.nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// A name for a message: what is not shown is escaped, and it has an end.
pub fn shown(path: &str) -> String {
    let mut out = String::new();
    for c in path.chars().take(SHOWN_MAX_CHARS) {
        if c.is_control() || is_invisible(c) || matches!(c, '\\' | '"') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    if path.chars().nth(SHOWN_MAX_CHARS).is_some() {
        out.push('…');
    }
    out
}

/// The names taken so far in one product.
#[derive(Debug, Default)]
pub struct Taken {
    /// Folded path → the path as it came; files and the folders above them.
    files: HashMap<String, String>,
    folders: HashMap<String, String>,
}

impl Taken {
    /// How many files were taken.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// Takes a checked path.
    ///
    /// # Errors
    /// A clause that goes after the name, when on some machine it would be the same as another, or lie within a file.
    pub fn take(&mut self, path: &str) -> Result<(), String> {
        let folded = folded(path);
        if let Some(other) = self.files.get(&folded) {
            return Err(clash(path, other));
        }
        if let Some(other) = self.folders.get(&folded) {
            return Err(format!("is a file where \"{}\" is a folder", shown(other)));
        }
        let cuts = path.match_indices('/').map(|(at, _)| &path[..at]);
        for folder in cuts {
            let key = self::folded(folder);
            if let Some(other) = self.files.get(&key) {
                return Err(format!("lies within \"{}\", which is a file", shown(other)));
            }
            match self.folders.get(&key) {
                Some(other) if other != folder => return Err(clash(folder, other)),
                Some(_) => {}
                None => {
                    self.folders.insert(key, folder.to_owned());
                }
            }
        }
        self.files.insert(folded, path.to_owned());
        Ok(())
    }
}

fn clash(path: &str, other: &str) -> String {
    if path == other {
        "is there twice".into()
    } else {
        format!("is the same as \"{}\" where letter case or the way accents are written does not count", shown(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_of_all_languages_are_fine() {
        for good in
            ["a", "a/b/c.csv", ".hidden", "空气/质量 2024.csv", "naïve.txt", "a..b", "-rf", "a:b?*", "company", "com", "com10.txt", "lpt0"]
        {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check(&"x".repeat(255)), Ok(()));
        assert_eq!(check(&format!("{}f", "d/".repeat(64))), Ok(()));
    }

    #[test]
    fn what_means_something_else_somewhere_is_refused() {
        let long = "x".repeat(256);
        let deep = format!("{}f", "d/".repeat(65));
        let path = format!("{}/x", ["y".repeat(200).as_str(); 6].join("/"));
        for bad in [
            "",
            "/etc/passwd",
            "a/",
            "a//b",
            "..",
            "a/../b",
            "./a",
            "a\\b",
            "C:\\x",
            "a\nb",
            "a\0b",
            "a\u{7f}",
            "a\u{202e}cod.exe",
            "a.",
            "a /b",
            " a",
            "CON",
            "con.txt",
            "a/Nul",
            "aux .c",
            "COM1",
            "lpt9.log",
            "com²",
            long.as_str(),
            deep.as_str(),
            path.as_str(),
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_that_are_one_file_somewhere_clash() {
        let mut taken = Taken::default();
        for path in ["a/b.csv", "a/c.csv", "d"] {
            assert_eq!(taken.take(path), Ok(()), "{path}");
        }
        assert!(taken.take("a/b.csv").expect_err("twice").contains("twice"));
        assert!(taken.take("a/B.CSV").expect_err("case").contains("letter case"));
        assert!(taken.take("A/x.csv").expect_err("case of a folder").contains("letter case"));
        assert!(taken.take("a").expect_err("a folder").contains("folder"));
        assert!(taken.take("d/e").expect_err("in a file").contains("file"));
        assert_eq!(taken.take("caf\u{e9}"), Ok(()));
        assert!(taken.take("cafe\u{301}").is_err(), "the same in another form");
    }

    #[test]
    fn a_message_shows_what_cannot_be_seen() {
        assert_eq!(shown("a\nb\u{202e}\\"), "a\\nb\\u{202e}\\\\");
        assert_eq!(shown(&"x".repeat(500)).chars().count(), SHOWN_MAX_CHARS + 1);
    }
}
