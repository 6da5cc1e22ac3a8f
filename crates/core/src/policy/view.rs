//! What of a table a permission shows: its columns, its rows, what of values is hidden.

use super::filter::{Filter, is_reserved, quoted};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most parts of a field's path.
pub const FIELD_MAX_PARTS: usize = 32;
/// Smallest and largest group that can be asked for.
pub const GROUP_SIZES: std::ops::RangeInclusive<u32> = 2..=1_000_000;
/// Most characters that `truncate` leaves.
pub const TRUNCATE_MAX_CHARS: u32 = 1_000;

/// A column, or a part of a nested one: `address.city`. In lists the part is `element`, in maps `key` and `value`, as
/// Delta names them. A path to a struct stands for everything in it. Names are compared letter by letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field(Vec<String>);

impl Field {
    /// A field of these names, the column's first.
    ///
    /// # Errors
    /// Without a name, with an empty one, or with more than [`FIELD_MAX_PARTS`].
    pub fn new(names: Vec<String>) -> Result<Self> {
        if names.is_empty() || names.len() > FIELD_MAX_PARTS || names.iter().any(String::is_empty) {
            return Err(Error::invalid("A column's name cannot be empty."));
        }
        Ok(Self(names))
    }
    /// A column at the top.
    ///
    /// # Errors
    /// When the name is empty.
    pub fn column(name: &str) -> Result<Self> {
        Self::new(vec![name.to_owned()])
    }
    /// Reads `name.name`, where a name with other characters than letters, digits and `_` stands between double quotes.
    ///
    /// # Errors
    /// [`crate::Code::Invalid`] when it is not a path.
    pub fn parse(text: &str) -> Result<Self> {
        let (field, rest) = read_field(text)?;
        if rest.trim().is_empty() { Ok(field) } else { Err(not_a_field(text)) }
    }
    /// The names, the column's first.
    pub fn parts(&self) -> &[String] {
        &self.0
    }
    /// Whether it is the other or a part of it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }
}

fn not_a_field(text: &str) -> Error {
    Error::invalid(format!(
        "\"{}\" is not the name of a column; names with spaces or signs stand between double quotes.",
        super::odrl::clip(text)
    ))
}

fn read_field(text: &str) -> Result<(Field, &str)> {
    let mut names = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let name;
        (name, rest) = if rest.starts_with('"') {
            quoted(rest, '"').map_err(|_| not_a_field(text))?
        } else {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            (rest[..end].to_owned(), &rest[end..])
        };
        names.push(name);
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None => return Ok((Field::new(names).map_err(|_| not_a_field(text))?, rest)),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_')
                && !name.starts_with(|c: char| !c.is_alphabetic() && c != '_')
                && !is_reserved(name);
            if plain {
                f.write_str(name)?;
            } else {
                write!(f, "\"{}\"", name.replace('"', "\"\""))?;
            }
        }
        Ok(())
    }
}

impl Serialize for Field {
    fn serialize<S: serde::Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// How a column's values are hidden in part: `hash(email)`, `null(phone)`, `truncate(postcode, 2)`, `bucket(age, 10)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// The column. Its type changes where its values do: a hash is a text.
    pub field: Field,
    /// What is done.
    pub method: MaskMethod,
}

/// What a mask does with a value. A missing value stays missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaskMethod {
    /// A keyed hash, as 32 hexadecimal digits. The key is of the agreement: equal values are equal within it, and nothing
    /// can be compared with what another agreement shows.
    Hash,
    /// Missing.
    Null,
    /// The first characters of a text.
    Truncate {
        /// How many.
        chars: u32,
    },
    /// The lower end of the range a number is in: ranges of this width, one beginning at 0.
    Bucket {
        /// A positive decimal number.
        width: String,
    },
}

impl Mask {
    /// Reads a mask.
    ///
    /// # Errors
    /// [`crate::Code::Invalid`] naming the masks there are.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!(
                "\"{}\" is not a mask; the masks are hash(column), null(column), truncate(column, characters) and bucket(column, width).",
                super::odrl::clip(text)
            ))
        };
        let (name, rest) = text.trim().split_once('(').ok_or_else(wrong)?;
        let inside = rest.strip_suffix(')').ok_or_else(wrong)?;
        let (field, rest) = read_field(inside)?;
        let argument = match rest.trim() {
            "" => None,
            more => Some(more.strip_prefix(',').ok_or_else(wrong)?.trim()),
        };
        let method = match (name.trim(), argument) {
            ("hash", None) => MaskMethod::Hash,
            ("null", None) => MaskMethod::Null,
            ("truncate", Some(n)) => {
                let chars = n.parse().ok().filter(|n| *n <= TRUNCATE_MAX_CHARS).ok_or_else(wrong)?;
                MaskMethod::Truncate { chars }
            }
            ("bucket", Some(width)) if is_positive_decimal(width) => MaskMethod::Bucket { width: width.to_owned() },
            _ => return Err(wrong()),
        };
        Ok(Self { field, method })
    }
}

/// Digits, perhaps with a point, and not all of them zeros; few enough for a decimal of 128 bits.
fn is_positive_decimal(text: &str) -> bool {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(part) && text.len() <= 18 && text.bytes().any(|b| (b'1'..=b'9').contains(&b))
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        match &self.method {
            MaskMethod::Hash => write!(f, "hash({field})"),
            MaskMethod::Null => write!(f, "null({field})"),
            MaskMethod::Truncate { chars } => write!(f, "truncate({field}, {chars})"),
            MaskMethod::Bucket { width } => write!(f, "bucket({field}, {width})"),
        }
    }
}

impl Serialize for Mask {
    fn serialize<S: serde::Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mask {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// What of a table is shown. [`View::default`] hides nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct View {
    /// The columns that are shown; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<Field>>,
    /// Which rows are shown; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_filter: Option<Filter>,
    /// Which values are hidden in part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub masks: Vec<Mask>,
    /// Only aggregates over at least so many rows are given, and no rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_group_size: Option<u32>,
}

impl View {
    /// Whether it hides nothing.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// Shows these columns only, of those it shows.
    pub fn keep(&mut self, fields: &[Field]) {
        let within = |list: &[Field], field: &Field| list.iter().any(|f| field.is_within(f));
        self.fields = Some(match self.fields.take() {
            None => fields.to_vec(),
            // What is named in both: of a column and a part of it, the part.
            Some(before) => {
                let mut kept: Vec<Field> = before.iter().filter(|f| within(fields, f)).cloned().collect();
                kept.extend(fields.iter().filter(|f| within(&before, f) && !kept.contains(f)).cloned().collect::<Vec<_>>());
                kept
            }
        });
    }

    /// Shows those rows only, of those it shows.
    pub fn filter(&mut self, filter: &Filter) {
        self.row_filter = Some(match self.row_filter.take() {
            None => filter.clone(),
            Some(before) => before.and(filter.clone()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(names: &[&str]) -> Vec<Field> {
        names.iter().map(|n| Field::parse(n).expect("field")).collect()
    }

    #[test]
    fn fields_and_masks_are_read_and_written() {
        for text in ["a", "a.b", "\"a b\".c", "\"a.b\"", "\"not\"", "\"1a\"", "\"x\"\"y\"", "温度"] {
            assert_eq!(Field::parse(text).expect("field").to_string(), text);
        }
        for text in ["", ".", "a.", "a b", "\"a", "a,b", "a()"] {
            assert!(Field::parse(text).is_err(), "{text}");
        }
        for text in ["hash(email)", "null(a.b)", "truncate(\"post code\", 2)", "bucket(age, 10)", "bucket(x, 0.5)"] {
            assert_eq!(Mask::parse(text).expect("mask").to_string(), text);
        }
        for text in [
            "hash()",
            "hash(a, 1)",
            "truncate(a)",
            "truncate(a, -1)",
            "bucket(a, 0)",
            "bucket(a, 0.0)",
            "bucket(a, 1e3)",
            "sha(a)",
            "hash(a",
        ] {
            assert!(Mask::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn several_lists_of_columns_show_what_all_of_them_show() {
        let mut view = View::default();
        view.keep(&fields(&["a", "b.x", "c"]));
        view.keep(&fields(&["b", "c.y", "d"]));
        assert_eq!(view.fields, Some(fields(&["b.x", "c.y"])));
        view.keep(&fields(&["d"]));
        assert_eq!(view.fields, Some(vec![]));
    }
}
