//! Values that a filter compares: which literal fits which type of column, and how a comparison with it is put in the
//! column's own values, so that nothing is rounded on the way.

use std::cmp::Ordering;

use arrow::datatypes::{DataType, TimeUnit};
use fondaco_core::policy::{Comparison, filter::Literal};
use serde_json::Value as Json;

/// Digits of a decimal number that surely fit into 128 bits.
const MAX_DIGITS: usize = 38;
/// Largest exponent of ten that is looked at; beyond it a number is written to be refused.
const MAX_EXPONENT: i64 = 10_000;

/// What sort of values a column has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// True or false.
    Bool,
    /// Whole multiples of `10^-scale`, from `min` to `max` of them.
    Exact {
        /// Digits after the point.
        scale: u8,
        /// The smallest.
        min: i128,
        /// The largest.
        max: i128,
    },
    /// Floats of 32 bits.
    Float32,
    /// Floats of 64 bits.
    Float64,
    /// Text.
    Text,
    /// Days since 1970.
    Date,
    /// Steps of so many nanoseconds since 1970.
    Time {
        /// Points in time, or readings of a clock.
        utc: bool,
        /// Nanoseconds of a step; 0 where only the declared type is known, which does not say in what steps it is stored.
        step: i64,
    },
    /// Bytes.
    Binary,
    /// Lists, maps, groups.
    Nested,
}

/// A value in the column's own terms: the number of steps for exact numbers, days and times.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Key {
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
}

impl Key {
    /// How two values of a column stand to each other: text by code point, zero without sign.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

/// A comparison in the column's own terms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    /// The same for every value that is not missing.
    Always(bool),
    /// A comparison with a value that the column could hold.
    Compare(Comparison, Key),
}

/// Where a literal lies among a column's values.
enum Place {
    Below,
    Above,
    At { floor: i128, exact: bool },
}

impl Kind {
    /// The kind of a column of this Delta type.
    pub(crate) fn of_delta(data_type: &Json) -> Self {
        let int = |bits: u32| Self::Exact { scale: 0, min: -(1_i128 << (bits - 1)), max: (1_i128 << (bits - 1)) - 1 };
        match data_type.as_str() {
            Some("boolean") => Self::Bool,
            Some("byte") => int(8),
            Some("short") => int(16),
            Some("integer") => int(32),
            Some("long") => int(64),
            Some("float") => Self::Float32,
            Some("double") => Self::Float64,
            Some("string") => Self::Text,
            Some("date") => Self::Date,
            Some("timestamp") => Self::Time { utc: true, step: 0 },
            Some("timestamp_ntz") => Self::Time { utc: false, step: 0 },
            Some("binary") => Self::Binary,
            Some(other) => decimal(other).map_or(Self::Nested, |(precision, scale)| Self::decimal(precision, scale)),
            None => Self::Nested,
        }
    }

    /// The kind of a column that is read as this Arrow type, whose Delta type has the kind `declared`.
    pub(crate) fn of_arrow(data_type: &DataType, declared: Self) -> Self {
        match data_type {
            DataType::Timestamp(unit, _) => {
                let step = match unit {
                    TimeUnit::Second => 1_000_000_000,
                    TimeUnit::Millisecond => 1_000_000,
                    TimeUnit::Microsecond => 1_000,
                    TimeUnit::Nanosecond => 1,
                };
                // INT96 is read as a clock's time and means a point in time: the declared type knows.
                Self::Time { utc: matches!(declared, Self::Time { utc: true, .. }), step }
            }
            _ => declared,
        }
    }

    fn decimal(precision: u8, scale: u8) -> Self {
        let max = 10_i128.pow(u32::from(precision)) - 1;
        Self::Exact { scale, min: -max, max }
    }

    /// In words, for the person who wrote a filter.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Exact { .. } | Self::Float32 | Self::Float64 => "a number",
            Self::Text => "text",
            Self::Date => "a day",
            Self::Time { utc: true, .. } => "a point in time",
            Self::Time { utc: false, .. } => "a date and time without time zone",
            Self::Binary => "bytes",
            Self::Nested => "nested",
        }
    }

    /// A comparison with a literal, in the column's own terms; or how such a literal is written.
    pub(crate) fn test(self, op: Comparison, literal: &Literal) -> Result<Test, &'static str> {
        let place = match (self, literal) {
            (Self::Bool, Literal::Bool(b)) => {
                return match op {
                    Comparison::Eq | Comparison::Neq => Ok(Test::Compare(op, Key::Bool(*b))),
                    _ => Err("compare it with = or <>"),
                };
            }
            (Self::Bool, _) => return Err("compare it with TRUE or FALSE"),
            (Self::Text, Literal::Text(text)) => return Ok(Test::Compare(op, Key::Text(text.clone()))),
            (Self::Text, _) => return Err("compare it with a text such as 'Suzhou'"),
            (Self::Exact { scale, .. }, Literal::Number(number)) => place(number, scale).ok_or("its exponent is too large")?,
            (Self::Float32 | Self::Float64, Literal::Number(number)) => {
                // In the column's own precision: what is written as 0.1 is the column's 0.1.
                let value = if self == Self::Float32 { number.parse::<f32>().map(f64::from) } else { number.parse() };
                return match value {
                    Ok(v) if v.is_finite() => Ok(Test::Compare(op, Key::Float(v))),
                    _ => Err("the number is larger than the column's type can hold"),
                };
            }
            (Self::Exact { .. } | Self::Float32 | Self::Float64, _) => return Err("compare it with a number such as 12.5, without quotes"),
            (Self::Date, Literal::Date(day)) => Place::At { floor: i128::from(days(*day)), exact: true },
            (Self::Date, _) => return Err("compare it with a day such as DATE '2027-01-31'"),
            (Self::Time { utc, step }, Literal::Timestamp { at, utc: zoned }) if utc == *zoned => {
                let (nanos, step) = (nanos(*at), step.max(1));
                Place::At { floor: nanos.div_euclid(i128::from(step)), exact: nanos.rem_euclid(i128::from(step)) == 0 }
            }
            (Self::Time { utc: true, .. }, _) => return Err("compare it with a point in time such as TIMESTAMP '2027-01-31T12:00:00Z'"),
            (Self::Time { utc: false, .. }, _) => {
                return Err("compare it with a time without zone such as TIMESTAMP '2027-01-31T12:00:00'");
            }
            (Self::Binary | Self::Nested, _) => return Err("it can only be tested with IS NULL or IS NOT NULL"),
        };
        Ok(placed(op, &place, self.range()))
    }

    /// The smallest and largest step that a column of this kind can hold.
    pub(crate) fn range(self) -> (i128, i128) {
        match self {
            Self::Exact { min, max, .. } => (min, max),
            Self::Date => (i128::from(i32::MIN), i128::from(i32::MAX)),
            Self::Time { step: 1.., .. } => (i128::from(i64::MIN), i128::from(i64::MAX)),
            _ => (i128::MIN, i128::MAX),
        }
    }
}

/// Precision and scale of `decimal(p,s)`.
fn decimal(name: &str) -> Option<(u8, u8)> {
    let (precision, scale) = name.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    (precision <= 38 && scale <= precision).then_some((precision, scale))
}

/// Digits after the point of a decimal type; `None` for other types.
pub(crate) fn decimal_scale(data_type: &Json) -> Option<u32> {
    data_type.as_str().and_then(decimal).map(|(_, scale)| u32::from(scale))
}

fn placed(op: Comparison, place: &Place, (min, max): (i128, i128)) -> Test {
    use Comparison::{Eq, Gt, Gteq, Lt, Lteq, Neq};
    let place = match place {
        Place::At { floor, .. } if *floor > max => &Place::Above,
        Place::At { floor, .. } if *floor < min => &Place::Below,
        other => other,
    };
    match (place, op) {
        (Place::At { floor, exact: true }, op) => Test::Compare(op, Key::Int(*floor)),
        (Place::At { floor, .. }, Lt | Lteq) => Test::Compare(Lteq, Key::Int(*floor)),
        (Place::At { floor, .. }, Gt | Gteq) => Test::Compare(Gt, Key::Int(*floor)),
        (_, Eq) => Test::Always(false),
        (_, Neq) => Test::Always(true),
        (Place::Above, op) => Test::Always(matches!(op, Lt | Lteq)),
        (Place::Below, op) => Test::Always(matches!(op, Gt | Gteq)),
    }
}

/// Days from 1970 to a day.
fn days(day: jiff::civil::Date) -> i64 {
    nanos(day.to_datetime(jiff::civil::Time::midnight())).div_euclid(86_400_000_000_000).try_into().unwrap_or_default()
}

/// Nanoseconds from 1970, as if the clock were UTC.
fn nanos(at: jiff::civil::DateTime) -> i128 {
    // Civil dates reach to the year 9999, which is more than the tz-aware timestamps of the same crate do at their ends.
    let (mut year, mut month) = (i64::from(at.year()), i64::from(at.month()));
    if month <= 2 {
        year -= 1;
        month += 12;
    }
    // Days of the proleptic Gregorian calendar, counted from March so that a leap day ends a year.
    let era_days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = era_days + (153 * (month - 3) + 2) / 5 + i64::from(at.day()) - 719_469;
    let seconds = days * 86_400 + i64::from(at.hour()) * 3_600 + i64::from(at.minute()) * 60 + i64::from(at.second());
    i128::from(seconds) * 1_000_000_000 + i128::from(at.subsec_nanosecond())
}

/// Where a decimal number lies among the multiples of `10^-scale`; `None` when its exponent is beyond reason.
fn place(number: &str, scale: u8) -> Option<Place> {
    let (sign, rest) = match number.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, number.strip_prefix('+').unwrap_or(number)),
    };
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let exponent: i64 = exponent.parse().ok().filter(|e: &i64| e.abs() <= MAX_EXPONENT)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    if digits.is_empty() {
        return Some(Place::At { floor: 0, exact: true });
    }
    let shift = exponent + i64::from(scale) - i64::try_from(fraction.len()).ok()?;
    let length = i64::try_from(digits.len()).ok()?;
    // Digits before the point, once it stands where the steps are whole.
    let before = length + shift;
    if before > i64::try_from(MAX_DIGITS).ok()? {
        return Some(if sign > 0 { Place::Above } else { Place::Below });
    }
    let kept = usize::try_from(before.clamp(0, length)).ok()?;
    let mut floor: i128 = if kept == 0 { 0 } else { digits[..kept].parse().ok()? };
    floor *= 10_i128.pow(u32::try_from((before - length).max(0)).ok()?);
    let exact = digits[kept..].bytes().all(|b| b == b'0');
    Some(Place::At { floor: if sign > 0 { floor } else { -floor - i128::from(!exact) }, exact })
}

/// The steps of a positive decimal number, if it is a whole number of them.
pub(crate) fn steps(number: &str, scale: u8) -> Option<i128> {
    match place(number, scale)? {
        Place::At { floor, exact: true } => Some(floor),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn number(text: &str) -> Literal {
        Literal::Number(text.into())
    }

    #[test]
    fn comparisons_are_put_in_the_columns_own_values_without_rounding() {
        use Comparison::{Eq, Gt, Gteq, Lt, Lteq, Neq};
        let (byte, money) = (Kind::of_delta(&json!("byte")), Kind::of_delta(&json!("decimal(5,2)")));
        let int = |op, n| Test::Compare(op, Key::Int(n));
        for (kind, op, text, test) in [
            (byte, Lt, "39.5", int(Lteq, 39)),
            (byte, Gteq, "39.5", int(Gt, 39)),
            (byte, Lt, "-39.5", int(Lteq, -40)),
            (byte, Eq, "39.5", Test::Always(false)),
            (byte, Neq, "39.50", Test::Always(true)),
            (byte, Eq, "4e1", int(Eq, 40)),
            (byte, Eq, "400e-1", int(Eq, 40)),
            (byte, Lt, "128", Test::Always(true)),
            (byte, Lteq, "127.5", int(Lteq, 127)),
            (byte, Gt, "-129", Test::Always(true)),
            (byte, Gt, "-128.5", Test::Always(true)),
            (byte, Gt, "99999999999999999999999999999999999999999999999", Test::Always(false)),
            (byte, Gt, "1e9999", Test::Always(false)),
            (byte, Gt, "-1e9999", Test::Always(true)),
            (byte, Gt, "1e-9999", int(Gt, 0)),
            (byte, Gt, "-1e-9999", int(Gt, -1)),
            (byte, Eq, "0e5", int(Eq, 0)),
            (money, Lt, "1.005", int(Lteq, 100)),
            (money, Eq, "1.5", int(Eq, 150)),
            (money, Gteq, "999.991", int(Gt, 99_999)),
            (money, Gteq, "1000", Test::Always(false)),
        ] {
            assert_eq!(kind.test(op, &number(text)), Ok(test), "{op:?} {text}");
        }
        assert!(byte.test(Eq, &number("1e99999")).is_err());
        let long = Kind::of_delta(&json!("long"));
        assert_eq!(long.test(Eq, &number("9223372036854775807")), Ok(int(Eq, i128::from(i64::MAX))));
        assert_eq!(long.test(Eq, &number("9223372036854775808")), Ok(Test::Always(false)));
    }

    #[test]
    fn a_literal_of_another_type_is_refused() {
        let text = Literal::Text("x".into());
        for (kind, literal) in [
            ("long", text.clone()),
            ("double", text.clone()),
            ("decimal(10,2)", Literal::Bool(true)),
            ("string", number("1")),
            ("boolean", number("1")),
            ("date", text.clone()),
            ("timestamp", Literal::Date(jiff::civil::date(2027, 1, 31))),
            ("timestamp", Literal::Timestamp { at: jiff::civil::datetime(2027, 1, 31, 0, 0, 0, 0), utc: false }),
            ("timestamp_ntz", Literal::Timestamp { at: jiff::civil::datetime(2027, 1, 31, 0, 0, 0, 0), utc: true }),
            ("binary", text),
            ("double", number("1e400")),
            ("float", number("1e39")),
        ] {
            assert!(Kind::of_delta(&json!(kind)).test(Comparison::Eq, &literal).is_err(), "{kind}");
        }
        assert!(Kind::Bool.test(Comparison::Lt, &Literal::Bool(true)).is_err());
    }

    #[test]
    fn days_and_times_count_from_1970() {
        for (y, m, d, n) in [(1970, 1, 1, 0), (1969, 12, 31, -1), (2000, 2, 29, 11_016), (2000, 3, 1, 11_017), (2027, 1, 31, 20_849)] {
            assert_eq!(days(jiff::civil::date(y, m, d)), n);
        }
        let at = jiff::civil::datetime(2027, 1, 31, 12, 0, 0, 5_000);
        let exact = at.to_zoned(jiff::tz::TimeZone::UTC).expect("zoned").timestamp().as_nanosecond();
        assert_eq!(nanos(at), exact);
        let millis = Kind::of_arrow(&DataType::Timestamp(TimeUnit::Millisecond, None), Kind::Time { utc: true, step: 0 });
        let literal = Literal::Timestamp { at, utc: true };
        let floor = exact / 1_000_000;
        assert_eq!(millis.test(Comparison::Lt, &literal), Ok(Test::Compare(Comparison::Lteq, Key::Int(floor))));
        assert_eq!(millis.test(Comparison::Eq, &literal), Ok(Test::Always(false)));
    }
}
