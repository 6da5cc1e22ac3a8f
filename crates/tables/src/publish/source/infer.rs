//! Which type a CSV column has, found from every value of it.
//!
//! A type is taken only if it keeps every value exactly: `007` and numbers of more than 64 bits stay
//! text, only ISO 8601 dates are dates, only `true` and `false` are truth values. Empty means missing.
//! The texts in [`PublishLimits::csv_null_values`](super::super::PublishLimits) mean missing too,
//! but not in a column of text.

use serde::{Deserialize, Serialize};

/// How a CSV source was understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InferredCsv {
    /// `,`, `;`, `|` or a tab.
    pub delimiter: char,
    /// Texts taken as missing in columns that are not text; the empty text always is.
    pub null_values: Vec<String>,
    /// One per column, in order.
    pub columns: Vec<InferredColumn>,
}

/// What was found in a CSV column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InferredColumn {
    /// Column name.
    pub name: String,
    /// Delta type, as in `"long"`.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Values that are empty.
    pub empty: u64,
    /// Values that are one of the null values; they are missing unless the column is text.
    pub null_markers: u64,
    /// Cells of a workbook that hold an error such as `#N/A`; they are missing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errors: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A type a CSV column can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CsvType {
    Bool,
    Int,
    Float,
    Date,
    Timestamp,
    TimestampNtz,
    Text,
}

impl CsvType {
    pub(super) fn delta_name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Int => "long",
            Self::Float => "double",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::TimestampNtz => "timestamp_ntz",
            Self::Text => "string",
        }
    }
}

/// A value under the type it fits best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Parsed {
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970, UTC.
    Timestamp(i64),
    /// Microseconds since 1970 of a clock without zone.
    TimestampNtz(i64),
    Text,
}

/// Whole numbers up to here are exact as 64-bit floats.
pub(super) const EXACT_IN_FLOAT: u64 = 1 << 53;

/// Narrows the type of a column value by value.
#[derive(Debug, Clone, Default)]
pub(super) struct TypeFinder {
    found: Option<CsvType>,
    /// A whole number too large to be exact among floats.
    large_int: bool,
    pub(super) empty: u64,
    pub(super) null_markers: u64,
}

impl TypeFinder {
    pub(super) fn see(&mut self, text: &str, null_values: &[String]) {
        if text.is_empty() {
            self.empty += 1;
            return;
        }
        if null_values.iter().any(|n| n == text) {
            self.null_markers += 1;
            return;
        }
        if self.found == Some(CsvType::Text) {
            return;
        }
        let parsed = parse(text);
        if let Parsed::Int(v) = parsed {
            self.large_int |= v.unsigned_abs() > EXACT_IN_FLOAT;
        }
        let kind = match parsed {
            Parsed::Bool(_) => CsvType::Bool,
            Parsed::Int(_) => CsvType::Int,
            Parsed::Float(_) => CsvType::Float,
            Parsed::Date(_) => CsvType::Date,
            Parsed::Timestamp(_) => CsvType::Timestamp,
            Parsed::TimestampNtz(_) => CsvType::TimestampNtz,
            Parsed::Text => CsvType::Text,
        };
        self.found = Some(match (self.found, kind) {
            (None, kind) => kind,
            (Some(a), b) if a == b => a,
            (Some(CsvType::Int), CsvType::Float) | (Some(CsvType::Float), CsvType::Int) => CsvType::Float,
            _ => CsvType::Text,
        });
    }

    /// The type of the column. A column without any value is text.
    pub(super) fn result(&self) -> CsvType {
        match self.found {
            Some(CsvType::Float) if self.large_int => CsvType::Text,
            found => found.unwrap_or(CsvType::Text),
        }
    }
}

/// Reads a value as the narrowest type it fits exactly.
pub(super) fn parse(text: &str) -> Parsed {
    let first = text.as_bytes().first().copied().unwrap_or(b'x');
    if first.is_ascii_digit() || first == b'-' || first == b'.' {
        parse_number(text).or_else(|| parse_time(text)).unwrap_or(Parsed::Text)
    } else {
        match text {
            "true" | "True" | "TRUE" => Parsed::Bool(true),
            "false" | "False" | "FALSE" => Parsed::Bool(false),
            "NaN" | "nan" => Parsed::Float(f64::NAN),
            "inf" | "Inf" | "Infinity" => Parsed::Float(f64::INFINITY),
            _ => Parsed::Text,
        }
    }
}

fn parse_number(text: &str) -> Option<Parsed> {
    if matches!(text, "-inf" | "-Inf" | "-Infinity") {
        return Some(Parsed::Float(f64::NEG_INFINITY));
    }
    let body = text.strip_prefix('-').unwrap_or(text);
    let whole_len = body.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = body.split_at(whole_len);
    // A leading zero is part of an identifier, not of a number.
    if whole_len > 1 && whole.starts_with('0') {
        return None;
    }
    if rest.is_empty() {
        // "-0" is a float: a whole number would lose its sign.
        return if text == "-0" { Some(Parsed::Float(-0.0)) } else { text.parse().ok().map(Parsed::Int) };
    }
    let (fraction, exponent) = match rest.strip_prefix('.') {
        Some(after) => {
            let n = after.bytes().take_while(u8::is_ascii_digit).count();
            after.split_at(n)
        }
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    if !exponent.is_empty() {
        let digits = exponent.strip_prefix(['e', 'E'])?;
        let digits = digits.strip_prefix(['+', '-']).unwrap_or(digits);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    // "1e999" would become infinity.
    text.parse::<f64>().ok().filter(|v| v.is_finite()).map(Parsed::Float)
}

fn digits(text: &str, from: usize, to: usize) -> Option<i64> {
    let part = text.get(from..to)?;
    if part.bytes().all(|b| b.is_ascii_digit()) { part.parse().ok() } else { None }
}

/// `YYYY-MM-DD`, alone or followed by `T` or a space and `HH:MM[:SS[.ffffff]]` and perhaps a zone.
fn parse_time(text: &str) -> Option<Parsed> {
    let bytes = text.as_bytes();
    if !text.is_ascii() || bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let date = jiff::civil::Date::new(
        i16::try_from(digits(text, 0, 4)?).ok()?,
        i8::try_from(digits(text, 5, 7)?).ok()?,
        i8::try_from(digits(text, 8, 10)?).ok()?,
    )
    .ok()?;
    let days = i64::from(jiff::civil::date(1970, 1, 1).until(date).ok()?.get_days());
    if bytes.len() == 10 {
        return i32::try_from(days).ok().map(Parsed::Date);
    }
    if !matches!(bytes[10], b'T' | b' ') || bytes.get(13) != Some(&b':') {
        return None;
    }
    let (hour, minute) = (digits(text, 11, 13)?, digits(text, 14, 16)?);
    let (mut second, mut micros, mut at) = (0, 0, 16);
    if bytes.get(at) == Some(&b':') {
        second = digits(text, 17, 19)?;
        at = 19;
        if bytes.get(at) == Some(&b'.') {
            let end = 20 + bytes[20..].iter().take_while(|b| b.is_ascii_digit()).count();
            let fraction = text.get(20..end)?;
            // More than microseconds would be lost, unless it is zeros.
            let (kept, lost) = fraction.split_at(fraction.len().min(6));
            if kept.is_empty() || lost.bytes().any(|b| b != b'0') {
                return None;
            }
            micros = format!("{kept:0<6}").parse().ok()?;
            at = end;
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let clock = ((days * 24 + hour) * 60 + minute) * 60 + second;
    let zone = text.get(at..)?;
    let offset = match zone {
        "" => return Some(Parsed::TimestampNtz(clock * 1_000_000 + micros)),
        "Z" | "z" => 0,
        _ => {
            let sign = match zone.as_bytes()[0] {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let (h, m) = match zone.len() {
                3 => (digits(zone, 1, 3)?, 0),
                5 => (digits(zone, 1, 3)?, digits(zone, 3, 5)?),
                6 if zone.as_bytes()[3] == b':' => (digits(zone, 1, 3)?, digits(zone, 4, 6)?),
                _ => return None,
            };
            if h > 18 || m > 59 {
                return None;
            }
            sign * (h * 60 + m) * 60
        }
    };
    Some(Parsed::Timestamp((clock - offset) * 1_000_000 + micros))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn type_of(values: &[&str]) -> CsvType {
        let mut finder = TypeFinder::default();
        for v in values {
            finder.see(v, &["NA".into()]);
        }
        finder.result()
    }

    #[test]
    fn types_of_columns() {
        let cases: &[(&[&str], CsvType)] = &[
            (&["1", "", "-5"], CsvType::Int),
            (&["1", "NA"], CsvType::Int),
            (&["NA", "CN"], CsvType::Text),
            (&["NA"], CsvType::Text),
            (&[], CsvType::Text),
            (&["1", "2.5", "1e3", ".5", "5."], CsvType::Float),
            (&["9007199254740993", "0.5"], CsvType::Text),
            (&["007", "8"], CsvType::Text),
            (&["-0.5", "0"], CsvType::Float),
            (&["18446744073709551615"], CsvType::Text),
            (&["+86"], CsvType::Text),
            (&["true", "FALSE"], CsvType::Bool),
            (&["true", "1"], CsvType::Text),
            (&["2024-02-29"], CsvType::Date),
            (&["2023-02-29"], CsvType::Text),
            (&["2024-02-29", "2024-02-29 10:00"], CsvType::Text),
            (&["2024-02-29 10:00", "2024-02-29T10:00:59.123456"], CsvType::TimestampNtz),
            (&["2024-02-29T10:00:00Z", "2024-02-29 10:00:00+08:00"], CsvType::Timestamp),
            (&["2024-02-29T10:00:00Z", "2024-02-29T10:00:00"], CsvType::Text),
            (&["2024-02-29T10:00:00.1234567"], CsvType::Text),
            (&["2024-02-29T25:00:00"], CsvType::Text),
            (&["1e999"], CsvType::Text),
            (&["NaN", "1"], CsvType::Float),
            (&["1 2"], CsvType::Text),
            (&["1-2"], CsvType::Text),
            (&["-"], CsvType::Text),
            (&["."], CsvType::Text),
            (&["0x10"], CsvType::Text),
        ];
        for (values, expected) in cases {
            assert_eq!(type_of(values), *expected, "{values:?}");
        }
    }

    #[test]
    fn times_are_read_exactly() {
        assert_eq!(parse("1970-01-02"), Parsed::Date(1));
        assert_eq!(parse("1970-01-01T08:00:00+08:00"), Parsed::Timestamp(0));
        assert_eq!(parse("1970-01-01T00:00:00-0130"), Parsed::Timestamp(5_400_000_000));
        assert_eq!(parse("1969-12-31 23:59:59.5"), Parsed::TimestampNtz(-500_000));
        assert_eq!(parse("1970-01-01T00:00:01.5000000000Z"), Parsed::Timestamp(1_500_000));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic(text in "\\PC{0,30}", iso in "[0-9:TZ.+ -]{0,32}") {
            let _ = parse(&text);
            let _ = parse(&iso);
            let _ = parse(&format!("2024-01-01{iso}"));
        }

        #[test]
        fn written_numbers_read_back(i: i64, f in proptest::num::f64::NORMAL) {
            prop_assert_eq!(parse(&i.to_string()), Parsed::Int(i));
            prop_assert_eq!(parse(&format!("{f:e}")), Parsed::Float(f));
        }

        #[test]
        fn a_column_keeps_every_value(values in proptest::collection::vec("-?[0-9]{1,20}(\\.[0-9]{1,3})?", 1..8)) {
            let mut finder = TypeFinder::default();
            for v in &values {
                finder.see(v, &[]);
            }
            for v in &values {
                match finder.result() {
                    CsvType::Int => prop_assert_eq!(&v.parse::<i64>().unwrap().to_string(), v),
                    CsvType::Float => prop_assert!(!v.trim_start_matches('-').starts_with('0')
                        || v.trim_start_matches('-').starts_with("0.") || v.trim_start_matches('-') == "0"),
                    _ => (),
                }
            }
        }
    }
}
