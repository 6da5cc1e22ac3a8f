//! How numbers and foreign text are written for people: thousands separators, binary units,
//! and text that is pasted into Python.

use std::fmt;
use std::fmt::Write as _;

/// A number of things, written with thousands separators: `336,776`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Count(pub u64);

impl Count {
    /// Whether this is exactly one, for the singular of a word.
    pub const fn is_one(self) -> bool {
        self.0 == 1
    }

    /// Whether there are none.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// A size in bytes, written in binary units with three significant digits at most:
/// `512 B`, `9.6 KiB`, `1.2 GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        // Tenths of the unit, in integers so that no rounding depends on floats. A value that
        // would round up to 1024 of a unit is written as 1.0 of the next.
        let value = u128::from(self.0);
        for (power, unit) in (1u32..).zip(UNITS) {
            let size = 1u128 << (10 * power);
            let tenths = (value * 10 + size / 2) / size;
            if tenths < 10_240 || power == 6 {
                return if tenths < 1000 {
                    write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
                } else {
                    write!(f, "{} {unit}", (value + size / 2) / size)
                };
            }
        }
        Ok(())
    }
}

/// Writes `text` as a Python string literal with its quotes.
///
/// Names of shares and tables come from other organisations, and the line is made to be
/// copied and run: a quote in a name must not end the literal, and a character one cannot see
/// must not hide in it.
pub fn python_literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        let code = u32::from(c);
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            _ if !is_invisible(c) => out.push(c),
            _ if code <= 0xffff => {
                let _ = write!(out, "\\u{code:04x}");
            }
            _ => {
                let _ = write!(out, "\\U{code:08x}");
            }
        }
    }
    out.push('"');
    out
}

/// Control characters, line separators, and the marks that turn or hide text.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_thousands_separators() {
        for (n, text) in [
            (0, "0"),
            (7, "7"),
            (999, "999"),
            (1000, "1,000"),
            (336_776, "336,776"),
            (12_345_678, "12,345,678"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(Count(n).to_string(), text);
        }
    }

    #[test]
    fn bytes_have_binary_units() {
        for (n, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (9830, "9.6 KiB"),
            (102_298, "99.9 KiB"),
            (102_400, "100 KiB"),
            (1_048_575, "1.0 MiB"),
            (1_288_490_189, "1.2 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(Bytes(n).to_string(), text, "{n}");
        }
    }

    #[test]
    fn python_literals_cannot_be_left() {
        assert_eq!(python_literal("a.share"), "\"a.share\"");
        assert_eq!(python_literal("轴承.share"), "\"轴承.share\"");
        assert_eq!(python_literal("x\"); import os #"), "\"x\\\"); import os #\"");
        assert_eq!(python_literal("\\"), "\"\\\\\"");
        assert_eq!(python_literal("a\nb\u{202e}"), "\"a\\u000ab\\u202e\"");
        assert_eq!(python_literal("\u{e0041}"), "\"\\U000e0041\"");
    }
}
