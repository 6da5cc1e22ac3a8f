//! Names of downloaded files. None of it is the provider's choice: files are numbered in the order of the table, and a
//! table's own name is rebuilt from harmless characters when it names a folder.

/// The ending of every table file.
pub(super) const ENDING: &str = ".parquet";
/// Longest word: far below every file system's limit.
const WORD_CHARS_MAX: usize = 100;

/// The name of a table's file with this index: they sort in the order of the rows.
pub(super) fn part_name(index: usize) -> String {
    format!("part-{index:05}{ENDING}")
}

/// A word for a path: other characters become `_`, leading dots and hyphens go, the length is bounded. May be empty.
pub(super) fn safe_word(text: &str) -> String {
    let word: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' })
        .take(WORD_CHARS_MAX)
        .collect();
    word.trim_start_matches(['.', '-']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Component, Path};

    #[test]
    fn parts_sort_in_order() {
        assert_eq!(part_name(7), "part-00007.parquet");
        assert!(part_name(9_999) < part_name(10_000));
    }

    #[test]
    fn no_word_leaves_its_folder() {
        let long = "x".repeat(5000);
        for text in ["../../etc", "/etc/passwd", "C:\\x", "a\0b", "..x", "-rf", "空气", "a.b.c", long.as_str()] {
            let word = safe_word(text);
            let parts: Vec<Component> = Path::new(&word).components().collect();
            assert!(matches!(parts.as_slice(), [Component::Normal(_)]), "{text} gave {word}");
            assert!(word.len() <= WORD_CHARS_MAX && word.is_ascii());
        }
        for nothing in ["", "..", "...", "-."] {
            assert_eq!(safe_word(nothing), "");
        }
    }
}
