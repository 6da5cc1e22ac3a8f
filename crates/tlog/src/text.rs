//! Lines and numbers as all C2SP texts write them: one way to write each, so that equal texts are equal values.

use crate::SIZE_MAX;

/// A number in ASCII decimal without leading zeros or signs, at most [`SIZE_MAX`].
pub fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || (!text.starts_with('0') && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    if !canonical {
        return None;
    }
    text.parse().ok().filter(|n| *n <= SIZE_MAX)
}

/// The first line of `text` without its newline, and the rest.
pub(crate) fn line(text: &str) -> Option<(&str, &str)> {
    text.split_once('\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("20852163"), Some(20_852_163));
        assert_eq!(decimal("9223372036854775807"), Some(SIZE_MAX));
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "1\r", "1e3", "0x1", "9223372036854775808", "99999999999999999999", "１"] {
            assert_eq!(decimal(bad), None, "{bad:?}");
        }
    }
}
