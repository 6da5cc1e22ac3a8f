//! Names of downloaded files. The provider suggests them, so they are rebuilt from harmless characters.

use std::collections::HashSet;
use url::Url;

/// Longest name without its ending: far below every file system's limit, also with what a partial download appends.
const STEM_CHARS_MAX: usize = 100;
/// The ending of every table file.
pub(super) const ENDING: &str = ".parquet";

/// A name for the file at `url`: letters, digits, `.`, `_`, `-`, ending in `.parquet`, no leading dot, unlike every name
/// in `taken` also where case does not count.
pub(super) fn safe_name(url: &str, index: usize, taken: &mut HashSet<String>) -> String {
    let last = Url::parse(url).ok().and_then(|u| u.path_segments().and_then(|mut s| s.next_back().map(str::to_owned))).unwrap_or_default();
    let stem = safe_word(last.strip_suffix(ENDING).unwrap_or(&last));
    let fallback = format!("part-{index:05}");
    let stem = if stem.is_empty() { &fallback } else { &stem };
    let name = format!("{stem}{ENDING}");
    if taken.insert(name.to_ascii_lowercase()) {
        return name;
    }
    // A hostile listing may have taken this one as well, but not more names than there are.
    let most = taken.len();
    (0..=most).map(|n| format!("{index:05}-{n}-{stem}{ENDING}")).find(|name| taken.insert(name.to_ascii_lowercase())).unwrap_or(name)
}

/// A word for a path: other characters become `_`, leading dots go, the length is bounded.
pub(super) fn safe_word(text: &str) -> String {
    let word: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' })
        .take(STEM_CHARS_MAX)
        .collect();
    word.trim_start_matches(['.', '-']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Component, Path};

    #[test]
    fn names_are_plain_and_unique() {
        let mut taken = HashSet::new();
        for (url, name) in [
            ("http://h/share/files/part-00000.parquet?sig=x", "part-00000.parquet"),
            ("http://h/share/files/PART-00000.parquet?sig=y", "00001-0-PART-00000.parquet"),
            ("http://h/", "part-00002.parquet"),
            ("http://h/a/..%2f..%2fetc%2fpasswd", "_2f.._2fetc_2fpasswd.parquet"),
            ("http://h/.bashrc", "bashrc.parquet"),
            ("http://h/-rf", "rf.parquet"),
            ("http://h/%E7%A9%BA.parquet", "_E7_A9_BA.parquet"),
            ("not a url", "part-00007.parquet"),
        ] {
            let index = taken.len();
            assert_eq!(safe_name(url, index, &mut taken), name, "{url}");
        }
    }

    #[test]
    fn no_name_leaves_the_folder() {
        let long = format!("http://h/{}", "x".repeat(5000));
        for url in ["http://h/..", "http://h/a/.", "http://h/a%5cb", "http://h/C:%5cx", "http://h/a%00b", "data:,../x", long.as_str()] {
            let name = safe_name(url, 3, &mut HashSet::new());
            let parts: Vec<Component> = Path::new(&name).components().collect();
            assert!(matches!(parts.as_slice(), [Component::Normal(_)]), "{url} gave {name}");
            assert!(name.len() <= STEM_CHARS_MAX + ENDING.len());
        }
    }

    #[test]
    fn a_listing_that_guesses_our_spelling_is_still_told_apart() {
        let mut taken: HashSet<String> = ["a.parquet", "00002-0-a.parquet"].into_iter().map(str::to_owned).collect();
        assert_eq!(safe_name("http://h/a.parquet", 2, &mut taken), "00002-1-a.parquet");
    }
}
