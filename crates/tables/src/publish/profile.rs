//! What is learnt about a column while its values stream by: missing values, smallest and largest
//! value, an estimate of distinct values.
//!
//! Two things come out. [`ColumnProfile`] is for people. [`FileStats`] is for clients that skip files
//! ("Per-file Statistics" of the Delta transaction log protocol), so it says nothing rather than
//! something a reader could draw a wrong conclusion from.

use std::cmp::Ordering;

use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{
        DataType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
        Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    distinct::DistinctEstimate,
    personal::{PersonalDataHint, PersonalSample},
};

/// Longest text kept as smallest or largest value, in characters: enough to recognise a value, too
/// little to carry a document into a catalogue.
pub const MAX_BOUND_CHARS: usize = 64;

/// What a text longer than [`MAX_BOUND_CHARS`] ends with in a profile.
pub const TRUNCATION_MARK: char = '…';

/// Most significant digits a decimal may have to be written as a JSON number without loss.
const MAX_JSON_DIGITS: u128 = 1_000_000_000_000_000;

/// A column's values in short, for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnProfile {
    /// Column name.
    pub name: String,
    /// Rows without a value.
    pub nulls: u64,
    /// Smallest value; absent for nested and binary columns, and when there is none. NaN is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Value>,
    /// Largest value, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Value>,
    /// About how many different values there are (standard error 1.6 %); absent for nested columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct_estimate: Option<u64>,
}

/// One file's statistics, in the very shape Delta's `stats` has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileStats {
    /// Rows.
    pub num_records: u64,
    /// A lower bound per column.
    pub min_values: Map<String, Value>,
    /// An upper bound per column.
    pub max_values: Map<String, Value>,
    /// Missing values per column.
    pub null_count: Map<String, Value>,
}

/// How a whole number is to be read.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Unit {
    Plain,
    Bool,
    Decimal {
        scale: u32,
    },
    Days,
    /// Nanoseconds since 1970; with or without a zone.
    Nanos {
        utc: bool,
    },
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "StoredBound", into = "StoredBound")]
pub(crate) enum Bound {
    Int(i128, Unit),
    Float(f64),
    Text { text: String, truncated: bool },
}

/// A bound as it is stored: JSON has neither numbers of 128 bits nor infinity.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum StoredBound {
    Int(String, Unit),
    Bits(u64),
    Text { text: String, truncated: bool },
}

impl From<Bound> for StoredBound {
    fn from(bound: Bound) -> Self {
        match bound {
            Bound::Int(v, unit) => Self::Int(v.to_string(), unit),
            Bound::Float(v) => Self::Bits(v.to_bits()),
            Bound::Text { text, truncated } => Self::Text { text, truncated },
        }
    }
}

impl TryFrom<StoredBound> for Bound {
    type Error = std::num::ParseIntError;

    fn try_from(stored: StoredBound) -> Result<Self, Self::Error> {
        Ok(match stored {
            StoredBound::Int(text, unit) => Self::Int(text.parse()?, unit),
            StoredBound::Bits(bits) => Self::Float(f64::from_bits(bits)),
            StoredBound::Text { text, truncated } => Self::Text { text, truncated },
        })
    }
}

/// Collects what is known of one column.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ColumnAccumulator {
    name: String,
    rows: u64,
    nulls: u64,
    range: Option<(Bound, Bound)>,
    /// NaN sorts above every number for Delta readers, so a file with NaN has no usable maximum.
    saw_nan: bool,
    nested: bool,
    /// INT96: a point in time that Arrow shows without a zone.
    force_utc: bool,
    distinct: DistinctEstimate,
    personal: PersonalSample,
}

impl ColumnAccumulator {
    pub(super) fn new(name: &str, force_utc: bool) -> Self {
        Self {
            name: name.into(),
            rows: 0,
            nulls: 0,
            range: None,
            saw_nan: false,
            nested: false,
            force_utc,
            distinct: DistinctEstimate::new(),
            personal: PersonalSample::new(name),
        }
    }

    /// Takes the next values in.
    pub(super) fn add(&mut self, array: &ArrayRef) {
        self.rows += array.len() as u64;
        self.nulls += array.logical_null_count() as u64;
        self.personal.add(array);
        macro_rules! ints {
            ($t:ty, $unit:expr, $factor:expr) => {
                for v in array.as_primitive::<$t>().iter().flatten() {
                    self.int(i128::from(v) * $factor, $unit);
                }
            };
        }
        match array.data_type() {
            DataType::Int8 => ints!(Int8Type, Unit::Plain, 1),
            DataType::Int16 => ints!(Int16Type, Unit::Plain, 1),
            DataType::Int32 => ints!(Int32Type, Unit::Plain, 1),
            DataType::Int64 => ints!(Int64Type, Unit::Plain, 1),
            DataType::Date32 => ints!(Date32Type, Unit::Days, 1),
            DataType::Decimal32(_, s) => ints!(Decimal32Type, decimal(*s), 1),
            DataType::Decimal64(_, s) => ints!(Decimal64Type, decimal(*s), 1),
            DataType::Decimal128(_, s) => ints!(Decimal128Type, decimal(*s), 1),
            DataType::Timestamp(unit, zone) => {
                let kind = Unit::Nanos { utc: zone.is_some() || self.force_utc };
                match unit {
                    TimeUnit::Second => ints!(TimestampSecondType, kind, 1_000_000_000),
                    TimeUnit::Millisecond => ints!(TimestampMillisecondType, kind, 1_000_000),
                    TimeUnit::Microsecond => ints!(TimestampMicrosecondType, kind, 1_000),
                    TimeUnit::Nanosecond => ints!(TimestampNanosecondType, kind, 1),
                }
            }
            DataType::Boolean => {
                for v in array.as_boolean().iter().flatten() {
                    self.int(i128::from(v), Unit::Bool);
                }
            }
            DataType::Float32 => {
                for v in array.as_primitive::<Float32Type>().iter().flatten() {
                    self.float(f64::from(v));
                }
            }
            DataType::Float64 => {
                for v in array.as_primitive::<Float64Type>().iter().flatten() {
                    self.float(v);
                }
            }
            DataType::Utf8 => {
                for v in array.as_string::<i32>().iter().flatten() {
                    self.text(v);
                }
            }
            DataType::Binary => {
                for v in array.as_binary::<i32>().iter().flatten() {
                    self.distinct.add_bytes(v);
                }
            }
            _ => self.nested = true,
        }
    }

    fn int(&mut self, value: i128, unit: Unit) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both halves are hashed")]
        self.distinct.add_u64(value as u64 ^ ((value >> 64) as u64).rotate_left(17));
        match &mut self.range {
            Some((Bound::Int(min, _), Bound::Int(max, _))) => {
                *min = (*min).min(value);
                *max = (*max).max(value);
            }
            range => *range = Some((Bound::Int(value, unit), Bound::Int(value, unit))),
        }
    }

    fn float(&mut self, value: f64) {
        if value.is_nan() {
            self.saw_nan = true;
            self.distinct.add_u64(f64::NAN.to_bits());
            return;
        }
        let value = value + 0.0; // -0.0 and 0.0 are one value.
        self.distinct.add_u64(value.to_bits());
        match &mut self.range {
            Some((Bound::Float(min), Bound::Float(max))) => {
                *min = min.min(value);
                *max = max.max(value);
            }
            range => *range = Some((Bound::Float(value), Bound::Float(value))),
        }
    }

    fn text(&mut self, value: &str) {
        self.distinct.add_bytes(value.as_bytes());
        let bound = || {
            let end = value.char_indices().nth(MAX_BOUND_CHARS).map_or(value.len(), |(i, _)| i);
            Bound::Text { text: value[..end].to_owned(), truncated: end < value.len() }
        };
        match &mut self.range {
            Some((min @ Bound::Text { .. }, max @ Bound::Text { .. })) => {
                // A truncated bound is a prefix: equal up to its end means the rest is not compared,
                // which can only leave a bound too low (min) or a shorter text of the same prefix (max).
                if matches!(min, Bound::Text { text, .. } if value < text.as_str()) {
                    *min = bound();
                }
                if matches!(max, Bound::Text { text, .. } if value > text.as_str()) {
                    *max = bound();
                }
            }
            range => *range = Some((bound(), bound())),
        }
    }

    /// Takes in what was learnt from another file.
    pub(super) fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.nulls += other.nulls;
        self.saw_nan |= other.saw_nan;
        self.nested |= other.nested;
        self.distinct.merge(&other.distinct);
        self.personal.merge(&other.personal);
        self.range = match (self.range.take(), &other.range) {
            (Some((a_min, a_max)), Some((b_min, b_max))) => {
                Some((if less(b_min, &a_min) { b_min.clone() } else { a_min }, if less(&a_max, b_max) { b_max.clone() } else { a_max }))
            }
            (mine, theirs) => mine.or_else(|| theirs.clone()),
        };
    }

    /// The column in short.
    pub(super) fn profile(&self) -> ColumnProfile {
        ColumnProfile {
            name: self.name.clone(),
            nulls: self.nulls,
            min: self.range.as_ref().and_then(|(min, _)| display(min)),
            max: self.range.as_ref().and_then(|(_, max)| display(max)),
            distinct_estimate: (!self.nested).then(|| self.distinct.count().min(self.rows - self.nulls)),
        }
    }

    /// Whether it may hold personal data.
    pub(super) fn personal_data(&self) -> Vec<PersonalDataHint> {
        self.personal.hints()
    }

    /// Adds this column to a file's statistics.
    pub(super) fn write_stats(&self, stats: &mut FileStats) {
        stats.num_records = self.rows;
        if self.nested {
            return;
        }
        stats.null_count.insert(self.name.clone(), self.nulls.into());
        let Some((min, max)) = &self.range else { return };
        if let Some(value) = stat(min, false) {
            stats.min_values.insert(self.name.clone(), value);
        }
        if !self.saw_nan
            && let Some(value) = stat(max, true)
        {
            stats.max_values.insert(self.name.clone(), value);
        }
    }
}

fn decimal(scale: i8) -> Unit {
    Unit::Decimal { scale: u32::try_from(scale).unwrap_or(0) }
}

fn less(a: &Bound, b: &Bound) -> bool {
    match (a, b) {
        // The scale is part of the column's type, so both have the same.
        (Bound::Int(x, _), Bound::Int(y, _)) => x < y,
        (Bound::Float(x), Bound::Float(y)) => x.partial_cmp(y) == Some(Ordering::Less),
        (Bound::Text { text: x, truncated: a }, Bound::Text { text: y, truncated: b }) => (x, a) < (y, b),
        _ => false,
    }
}

/// A bound for people.
fn display(bound: &Bound) -> Option<Value> {
    match bound {
        Bound::Int(v, Unit::Plain) => i64::try_from(*v).ok().map(Value::from),
        Bound::Int(v, Unit::Bool) => Some(Value::from(*v != 0)),
        Bound::Int(v, Unit::Decimal { scale }) => Some(Value::from(decimal_text(*v, *scale))),
        Bound::Int(v, Unit::Days) => date_text(*v).map(Value::from),
        Bound::Int(v, Unit::Nanos { utc }) => {
            let time = jiff::Timestamp::from_nanosecond(*v).ok()?.to_string();
            Some(Value::from(if *utc { time } else { time.trim_end_matches('Z').to_owned() }))
        }
        Bound::Float(v) => serde_json::Number::from_f64(*v)
            .map(Value::Number)
            .or_else(|| Some(Value::from(if *v > 0.0 { "Infinity" } else { "-Infinity" }))),
        Bound::Text { text, truncated } => {
            let mut text = text.clone();
            if *truncated {
                text.push(TRUNCATION_MARK);
            }
            Some(Value::from(text))
        }
    }
}

/// A bound for `stats`, rounded outwards; `None` where no sound bound can be written.
pub(crate) fn stat(bound: &Bound, upper: bool) -> Option<Value> {
    match bound {
        Bound::Int(_, Unit::Bool) => None,
        Bound::Int(v, Unit::Decimal { scale }) => {
            if v.unsigned_abs() >= MAX_JSON_DIGITS {
                return None;
            }
            decimal_text(*v, *scale).parse().ok().and_then(serde_json::Number::from_f64).map(Value::Number)
        }
        Bound::Int(v, Unit::Nanos { utc }) => {
            // Delta writes milliseconds.
            let millis = v.div_euclid(1_000_000) + i128::from(upper && v.rem_euclid(1_000_000) != 0);
            let time = jiff::Timestamp::from_nanosecond(millis * 1_000_000).ok()?;
            Some(Value::from(if *utc { format!("{time:.3}") } else { format!("{time:.3}").trim_end_matches('Z').into() }))
        }
        Bound::Float(v) => serde_json::Number::from_f64(*v).map(Value::Number),
        Bound::Text { text, truncated } => (!upper || !truncated).then(|| Value::from(text.as_str())),
        Bound::Int(..) => display(bound),
    }
}

fn date_text(days: i128) -> Option<String> {
    let span = jiff::Span::new().try_days(i64::try_from(days).ok()?).ok()?;
    jiff::civil::date(1970, 1, 1).checked_add(span).ok().map(|d| d.to_string())
}

/// A decimal from its digits and how many of them follow the point.
fn decimal_text(unscaled: i128, scale: u32) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
    use serde_json::json;

    use super::*;

    fn accumulated(array: &ArrayRef) -> (ColumnProfile, FileStats) {
        let mut a = ColumnAccumulator::new("c", false);
        a.add(array);
        let mut stats = FileStats::default();
        a.write_stats(&mut stats);
        (a.profile(), stats)
    }

    #[test]
    fn profiles_and_stats_by_type() {
        let cases: Vec<(ArrayRef, Value, Value, Value, Value)> = vec![
            (Arc::new(Int64Array::from(vec![Some(3), None, Some(i64::MIN)])), json!(i64::MIN), json!(3), json!(i64::MIN), json!(3)),
            (
                Arc::new(Date32Array::from(vec![Some(0), Some(19_000), None])),
                json!("1970-01-01"),
                json!("2022-01-08"),
                json!("1970-01-01"),
                json!("2022-01-08"),
            ),
            (
                Arc::new(Decimal128Array::from(vec![-5, 12345]).with_precision_and_scale(10, 2).unwrap()),
                json!("-0.05"),
                json!("123.45"),
                json!(-0.05),
                json!(123.45),
            ),
            (
                Arc::new(TimestampMicrosecondArray::from(vec![1_001, 1_700_000_000_000_001]).with_timezone("UTC")),
                json!("1970-01-01T00:00:00.001001Z"),
                json!("2023-11-14T22:13:20.000001Z"),
                json!("1970-01-01T00:00:00.001Z"),
                json!("2023-11-14T22:13:20.001Z"),
            ),
            (Arc::new(Float64Array::from(vec![1.5, f64::NAN, -2.0])), json!(-2.0), json!(1.5), json!(-2.0), Value::Null),
            (Arc::new(Float64Array::from(vec![f64::INFINITY, 1.0])), json!(1.0), json!("Infinity"), json!(1.0), Value::Null),
        ];
        for (array, min, max, stat_min, stat_max) in cases {
            let (profile, stats) = accumulated(&array);
            assert_eq!(profile.min, Some(min), "{array:?}");
            assert_eq!(profile.max, Some(max), "{array:?}");
            assert_eq!(stats.min_values.get("c").cloned().unwrap_or_default(), stat_min);
            assert_eq!(stats.max_values.get("c").cloned().unwrap_or_default(), stat_max);
        }
    }

    #[test]
    fn long_text_is_marked_and_leaves_no_upper_bound() {
        let long = "水".repeat(100);
        let (profile, stats) = accumulated(&(Arc::new(StringArray::from(vec!["a", long.as_str()])) as ArrayRef));
        assert_eq!(profile.max, Some(json!(format!("{}…", "水".repeat(64)))));
        assert_eq!(stats.min_values["c"], "a");
        assert!(!stats.max_values.contains_key("c"));
    }

    #[test]
    fn merging_files_equals_one_file() {
        let parts = [vec![Some("b"), None], vec![Some("a")], vec![Some("c"), Some("c")]];
        let mut merged = ColumnAccumulator::new("c", false);
        for part in &parts {
            let mut a = ColumnAccumulator::new("c", false);
            a.add(&(Arc::new(StringArray::from(part.clone())) as ArrayRef));
            merged.merge(&a);
        }
        let (whole, _) = accumulated(&(Arc::new(StringArray::from(parts.concat())) as ArrayRef));
        assert_eq!(merged.profile(), whole);
        assert_eq!(whole.distinct_estimate, Some(3));
        assert_eq!(whole.nulls, 1);
    }
}
