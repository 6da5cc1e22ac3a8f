//! PostgreSQL's types and their binary form, as columns. Pure.

use std::{error::Error, fmt::Write as _, sync::Arc};

use arrow::{
    array::{
        ArrayRef, BinaryBuilder, BooleanBufferBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder,
        Int16Builder, Int32Builder, Int64Builder, ListArray, StringBuilder, TimestampMicrosecondBuilder,
    },
    buffer::{NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{DataType, Field, TimeUnit},
};
use tokio_postgres::types::{FromSql, Kind as PgKind, Type};

/// Days from 1970-01-01 to PostgreSQL's 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 86_400_000_000 * EPOCH_DAYS as i64;
/// Digits that a decimal of 128 bits holds.
const MAX_DIGITS: u8 = 38;

/// What becomes of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Bool,
    Int16,
    Int32,
    Int64,
    /// An object identifier: 32 bits without sign.
    Oid,
    Float32,
    Float64,
    /// Digits, and how many of them follow the point.
    Decimal(u8, i8),
    /// A number without declared digits: as text it loses nothing.
    NumericText,
    Text,
    /// Text after a version byte.
    Jsonb,
    Uuid,
    Binary,
    Date,
    Timestamp,
    Timestamptz,
    Time,
    Timetz,
    Interval,
    List(Box<Kind>),
}

impl Kind {
    /// What becomes of a column of this type, or why it is refused.
    pub(super) fn of(kind: &Type, modifier: i32) -> Result<Self, String> {
        Ok(match *kind {
            Type::BOOL => Self::Bool,
            Type::INT2 => Self::Int16,
            Type::INT4 => Self::Int32,
            Type::INT8 => Self::Int64,
            Type::OID => Self::Oid,
            Type::FLOAT4 => Self::Float32,
            Type::FLOAT8 => Self::Float64,
            Type::NUMERIC => numeric(modifier),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON | Type::XML | Type::UNKNOWN => Self::Text,
            Type::JSONB => Self::Jsonb,
            Type::UUID => Self::Uuid,
            Type::BYTEA => Self::Binary,
            Type::DATE => Self::Date,
            Type::TIMESTAMP => Self::Timestamp,
            Type::TIMESTAMPTZ => Self::Timestamptz,
            Type::TIME => Self::Time,
            Type::TIMETZ => Self::Timetz,
            Type::INTERVAL => Self::Interval,
            _ => match kind.kind() {
                PgKind::Enum(_) => Self::Text,
                // The modifier of an array is that of its elements.
                PgKind::Array(element) => Self::List(Box::new(Self::of(element, modifier)?)),
                PgKind::Domain(base) => Self::of(base, modifier)?,
                PgKind::Simple if kind.name() == "citext" => Self::Text,
                _ => {
                    let cast = if *kind == Type::MONEY { "numeric(20, 2)" } else { "text" };
                    return Err(format!("the type {} has no counterpart; cast it in the query, as in column::{cast}", kind.name()));
                }
            },
        })
    }

    pub(super) fn arrow(&self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 | Self::Oid => DataType::Int64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Decimal(digits, scale) => DataType::Decimal128(*digits, *scale),
            Self::NumericText | Self::Text | Self::Jsonb | Self::Uuid | Self::Time | Self::Timetz | Self::Interval => DataType::Utf8,
            Self::Binary => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::List(element) => DataType::List(Arc::new(Field::new_list_field(element.arrow(), true))),
        }
    }
}

/// A declared numeric(p, s) as a decimal where that holds it, else text.
fn numeric(modifier: i32) -> Kind {
    // 4 is the size of the header that the modifier counts in.
    let Some(packed) = modifier.checked_sub(4).filter(|m| *m >= 0) else { return Kind::NumericText };
    let digits = u8::try_from(packed >> 16 & 0xffff).unwrap_or(u8::MAX);
    let scale = packed & 0x7ff;
    match i8::try_from(scale) {
        Ok(scale) if digits <= MAX_DIGITS && u8::try_from(scale).is_ok_and(|s| s <= digits) => Kind::Decimal(digits, scale),
        _ => Kind::NumericText,
    }
}

/// A value in binary form, whatever its type.
pub(super) struct Raw<'a>(pub(super) &'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Collects a batch's values of one column.
pub(super) enum Column {
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Oid(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder, u8, i8),
    Text(StringBuilder, Kind),
    Binary(BinaryBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    List(Box<ListColumn>),
}

pub(super) struct ListColumn {
    items: Column,
    field: Arc<Field>,
    offsets: Vec<i32>,
    valid: BooleanBufferBuilder,
}

impl Column {
    pub(super) fn new(kind: &Kind) -> Self {
        match kind {
            Kind::Bool => Self::Bool(BooleanBuilder::new()),
            Kind::Int16 => Self::Int16(Int16Builder::new()),
            Kind::Int32 => Self::Int32(Int32Builder::new()),
            Kind::Int64 => Self::Int64(Int64Builder::new()),
            Kind::Oid => Self::Oid(Int64Builder::new()),
            Kind::Float32 => Self::Float32(Float32Builder::new()),
            Kind::Float64 => Self::Float64(Float64Builder::new()),
            Kind::Decimal(digits, scale) => {
                Self::Decimal(Decimal128Builder::new().with_data_type(DataType::Decimal128(*digits, *scale)), *digits, *scale)
            }
            Kind::NumericText | Kind::Text | Kind::Jsonb | Kind::Uuid | Kind::Time | Kind::Timetz | Kind::Interval => {
                Self::Text(StringBuilder::new(), kind.clone())
            }
            Kind::Binary => Self::Binary(BinaryBuilder::new()),
            Kind::Date => Self::Date(Date32Builder::new()),
            Kind::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new()),
            Kind::Timestamptz => Self::Timestamp(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            Kind::List(element) => Self::List(Box::new(ListColumn {
                items: Self::new(element),
                field: Arc::new(Field::new_list_field(element.arrow(), true)),
                offsets: vec![0],
                valid: BooleanBufferBuilder::new(0),
            })),
        }
    }

    /// Takes the next value; an error says what is wrong with it.
    pub(super) fn append(&mut self, raw: Option<&[u8]>) -> Result<(), String> {
        macro_rules! number {
            ($builder:expr, $t:ty, $map:expr) => {{
                let value = raw.map(|raw| fixed(raw).map(<$t>::from_be_bytes)).transpose()?;
                $builder.append_option(value.map($map).transpose()?)
            }};
        }
        match self {
            Self::Bool(b) => b.append_option(raw.map(|raw| fixed::<1>(raw).map(|[byte]| byte != 0)).transpose()?),
            Self::Int16(b) => number!(b, i16, Ok::<_, String>),
            Self::Int32(b) => number!(b, i32, Ok::<_, String>),
            Self::Int64(b) => number!(b, i64, Ok::<_, String>),
            Self::Oid(b) => number!(b, u32, |v| Ok::<_, String>(i64::from(v))),
            Self::Float32(b) => number!(b, f32, Ok::<_, String>),
            Self::Float64(b) => number!(b, f64, Ok::<_, String>),
            Self::Date(b) => number!(b, i32, |days: i32| match days {
                i32::MAX | i32::MIN => Err("an infinite date; leave it out, or replace it in the query".to_owned()),
                days => days.checked_add(EPOCH_DAYS).ok_or_else(|| "a date out of range".to_owned()),
            }),
            Self::Timestamp(b) => number!(b, i64, |micros: i64| match micros {
                i64::MAX | i64::MIN => Err("an infinite timestamp; leave it out, or replace it in the query".to_owned()),
                micros => micros.checked_add(EPOCH_MICROS).ok_or_else(|| "a timestamp out of range".to_owned()),
            }),
            Self::Decimal(b, digits, scale) => b.append_option(raw.map(|raw| decimal(raw, *digits, *scale)).transpose()?),
            Self::Text(b, kind) => match raw {
                None => b.append_null(),
                Some(raw) => b.append_value(text(raw, kind)?),
            },
            Self::Binary(b) => b.append_option(raw),
            Self::List(list) => list.append(raw)?,
        }
        Ok(())
    }

    /// The values since the last time.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(b) => Arc::new(b.finish()),
            Self::Int16(b) => Arc::new(b.finish()),
            Self::Int32(b) => Arc::new(b.finish()),
            Self::Int64(b) | Self::Oid(b) => Arc::new(b.finish()),
            Self::Float32(b) => Arc::new(b.finish()),
            Self::Float64(b) => Arc::new(b.finish()),
            Self::Decimal(b, ..) => Arc::new(b.finish()),
            Self::Text(b, _) => Arc::new(b.finish()),
            Self::Binary(b) => Arc::new(b.finish()),
            Self::Date(b) => Arc::new(b.finish()),
            Self::Timestamp(b) => Arc::new(b.finish()),
            Self::List(list) => {
                let offsets = std::mem::replace(&mut list.offsets, vec![0]);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                let nulls = NullBuffer::new(list.valid.finish());
                Arc::new(ListArray::new(Arc::clone(&list.field), offsets, list.items.finish(), Some(nulls)))
            }
        }
    }
}

impl ListColumn {
    fn append(&mut self, raw: Option<&[u8]>) -> Result<(), String> {
        let mut count = 0_i32;
        if let Some(raw) = raw {
            let mut rest = Reader(raw);
            let dimensions = rest.i32()?;
            let (_nulls, _element) = (rest.i32()?, rest.i32()?);
            if dimensions > 1 {
                return Err("an array of more than one dimension; use to_jsonb(column)::text in the query".into());
            }
            if dimensions == 1 {
                count = rest.i32()?;
                let _lower_bound = rest.i32()?;
                for _ in 0..count {
                    let length = rest.i32()?;
                    let item = usize::try_from(length).ok().map(|length| rest.take(length)).transpose()?;
                    self.items.append(item)?;
                }
            }
        }
        let last = self.offsets.last().copied().unwrap_or_default();
        self.offsets.push(last.checked_add(count).ok_or("too many elements in a batch of arrays")?);
        self.valid.append(raw.is_some());
        Ok(())
    }
}

/// Reads numbers one after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (head, tail) = self.0.split_at_checked(length).ok_or_else(cut_short)?;
        self.0 = tail;
        Ok(head)
    }

    fn i16(&mut self) -> Result<i16, String> {
        fixed(self.take(2)?).map(i16::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, String> {
        fixed(self.take(2)?).map(u16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32, String> {
        fixed(self.take(4)?).map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64, String> {
        fixed(self.take(8)?).map(i64::from_be_bytes)
    }
}

fn cut_short() -> String {
    "the server sent a value of another length than its type has".into()
}

fn fixed<const N: usize>(raw: &[u8]) -> Result<[u8; N], String> {
    raw.try_into().map_err(|_| cut_short())
}

fn utf8(raw: &[u8]) -> Result<String, String> {
    std::str::from_utf8(raw).map(ToOwned::to_owned).map_err(|_| "the server sent a text that is not UTF-8".into())
}

fn text(raw: &[u8], kind: &Kind) -> Result<String, String> {
    Ok(match kind {
        Kind::Jsonb => match raw {
            [1, json @ ..] => utf8(json)?,
            _ => return Err("a version of jsonb that is not known; cast it to json in the query".into()),
        },
        Kind::Uuid => {
            let hex = hex::encode(fixed::<16>(raw)?);
            format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
        }
        Kind::NumericText => Numeric::read(raw)?.text(),
        Kind::Time => clock(fixed(raw).map(i64::from_be_bytes)?),
        Kind::Timetz => {
            let mut rest = Reader(raw);
            let (micros, west) = (rest.i64()?, rest.i32()?);
            let (sign, east) = if west > 0 { ('-', west) } else { ('+', -west) };
            format!("{}{sign}{:02}:{:02}", clock(micros), east / 3600, east / 60 % 60)
        }
        Kind::Interval => {
            let mut rest = Reader(raw);
            let (micros, days, months) = (rest.i64()?, rest.i32()?, rest.i32()?);
            interval(months, days, micros)
        }
        _ => utf8(raw)?,
    })
}

/// `HH:MM:SS`, with a fraction if there is one.
fn clock(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = micros % 1_000_000;
    if fraction != 0 {
        let _ = write!(text, ".{fraction:06}");
    }
    text
}

/// An interval as ISO 8601 writes it, as in `P1Y2M3DT4H5M6.5S`; PostgreSQL reads it back.
fn interval(months: i32, days: i32, micros: i64) -> String {
    let mut text = String::from("P");
    let mut part = |value: i64, unit: char| {
        if value != 0 {
            let _ = write!(text, "{value}{unit}");
        }
    };
    part(i64::from(months / 12), 'Y');
    part(i64::from(months % 12), 'M');
    part(i64::from(days), 'D');
    if micros != 0 {
        text.push('T');
        let seconds = micros / 1_000_000;
        let mut part = |value: i64, unit: char| {
            if value != 0 {
                let _ = write!(text, "{value}{unit}");
            }
        };
        part(seconds / 3600, 'H');
        part(seconds / 60 % 60, 'M');
        let (whole, fraction) = (seconds % 60, micros % 1_000_000);
        if fraction != 0 {
            let sign = if micros < 0 { "-" } else { "" };
            let _ = write!(text, "{sign}{}.{:06}S", whole.abs(), fraction.abs());
        } else if whole != 0 {
            let _ = write!(text, "{whole}S");
        }
    }
    if text == "P" { "PT0S".into() } else { text }
}

/// A numeric: groups of four digits, the weight of the first, the sign, and digits shown after the point.
struct Numeric {
    digits: Vec<i16>,
    weight: i32,
    sign: u16,
    scale: usize,
}

impl Numeric {
    fn read(raw: &[u8]) -> Result<Self, String> {
        let mut rest = Reader(raw);
        let count = usize::from(rest.u16()?);
        let (weight, sign, scale) = (i32::from(rest.i16()?), rest.u16()?, usize::from(rest.u16()?));
        let digits = (0..count).map(|_| rest.i16()).collect::<Result<Vec<_>, _>>()?;
        if digits.iter().any(|d| !(0..10_000).contains(d)) {
            return Err("the server sent a numeric that is none".into());
        }
        Ok(Self { digits, weight, sign, scale: scale & 0x3fff })
    }

    /// The group of four digits that stands for 10000^power.
    fn group(&self, power: i32) -> i16 {
        usize::try_from(self.weight - power).ok().and_then(|i| self.digits.get(i)).copied().unwrap_or(0)
    }

    fn text(&self) -> String {
        match self.sign {
            0xC000 => return "NaN".into(),
            0xD000 => return "Infinity".into(),
            0xF000 => return "-Infinity".into(),
            _ => (),
        }
        let mut whole = String::new();
        for power in (0..=self.weight.max(0)).rev() {
            let _ = write!(whole, "{:04}", self.group(power));
        }
        let whole = whole.trim_start_matches('0');
        let mut text = format!("{}{}", if self.sign == 0x4000 { "-" } else { "" }, if whole.is_empty() { "0" } else { whole });
        if self.scale > 0 {
            let groups = i32::try_from(self.scale.div_ceil(4)).unwrap_or(i32::MAX);
            let fraction: String = (1..=groups).map(|i| format!("{:04}", self.group(-i))).collect();
            text.push('.');
            text.push_str(&fraction[..self.scale]);
        }
        text
    }
}

fn decimal(raw: &[u8], digits: u8, scale: i8) -> Result<i128, String> {
    let numeric = Numeric::read(raw)?;
    if numeric.sign & 0xC000 == 0xC000 {
        return Err(format!("{}, which a decimal cannot hold; leave it out, or cast the column to text in the query", numeric.text()));
    }
    let text = numeric.text();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let scale = usize::try_from(scale).unwrap_or(0);
    if fraction.len() > scale && fraction[scale..].bytes().any(|b| b != b'0') {
        return Err(format!("more than {scale} digits after the point"));
    }
    let fraction = &fraction[..fraction.len().min(scale)];
    let unscaled: i128 = format!("{whole}{fraction:0<scale$}").parse().map_err(|_| "a number out of range".to_owned())?;
    if unscaled.unsigned_abs() >= 10_u128.pow(u32::from(digits)) {
        return Err(format!("more than {digits} digits"));
    }
    Ok(unscaled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric_of(digits: &[i16], weight: i16, sign: u16, scale: u16) -> Vec<u8> {
        let mut raw = Vec::new();
        raw.extend(u16::try_from(digits.len()).unwrap().to_be_bytes());
        raw.extend(weight.to_be_bytes());
        raw.extend(sign.to_be_bytes());
        raw.extend(scale.to_be_bytes());
        raw.extend(digits.iter().flat_map(|d| d.to_be_bytes()));
        raw
    }

    #[test]
    fn numerics_are_exact() {
        for (raw, text) in [
            (numeric_of(&[], 0, 0, 0), "0"),
            (numeric_of(&[12, 3456, 7800], 1, 0, 2), "123456.78"),
            (numeric_of(&[1], 2, 0x4000, 0), "-100000000"),
            (numeric_of(&[5], -2, 0, 8), "0.00000005"),
            (numeric_of(&[], 0, 0xC000, 0), "NaN"),
        ] {
            assert_eq!(Numeric::read(&raw).unwrap().text(), text);
        }
        assert_eq!(decimal(&numeric_of(&[12, 3456, 7800], 1, 0, 2), 10, 3).unwrap(), 123_456_780);
        assert!(decimal(&numeric_of(&[], 0, 0xC000, 0), 10, 3).is_err());
        assert!(decimal(&numeric_of(&[9999], 1, 0, 0), 6, 0).is_err());
    }

    #[test]
    fn types_with_and_without_counterpart() {
        assert_eq!(Kind::of(&Type::NUMERIC, -1), Ok(Kind::NumericText));
        assert_eq!(Kind::of(&Type::NUMERIC, (10 << 16 | 2) + 4), Ok(Kind::Decimal(10, 2)));
        assert_eq!(Kind::of(&Type::NUMERIC, (50 << 16 | 2) + 4), Ok(Kind::NumericText));
        assert_eq!(Kind::of(&Type::INT4_ARRAY, -1), Ok(Kind::List(Box::new(Kind::Int32))));
        assert!(Kind::of(&Type::MONEY, -1).unwrap_err().contains("::numeric"));
        assert!(Kind::of(&Type::INET, -1).unwrap_err().contains("::text"));
    }

    #[test]
    fn times_and_intervals_as_text() {
        assert_eq!(clock(3_723_000_000), "01:02:03");
        assert_eq!(clock(500_000), "00:00:00.500000");
        assert_eq!(interval(14, 3, 14_706_500_000), "P1Y2M3DT4H5M6.500000S");
        assert_eq!(interval(0, 0, -500_000), "PT-0.500000S");
        assert_eq!(interval(0, 0, 0), "PT0S");
    }

    /// What a server sends is not trusted either.
    #[test]
    fn values_of_a_wrong_length_are_refused() {
        for kind in
            [Type::BOOL, Type::INT2, Type::INT8, Type::NUMERIC, Type::UUID, Type::DATE, Type::INTERVAL, Type::TIMETZ, Type::INT4_ARRAY]
        {
            let mut column = Column::new(&Kind::of(&kind, -1).unwrap());
            assert!(column.append(Some(&[0, 0, 1])).is_err(), "{kind}");
        }
        let mut array = Column::new(&Kind::of(&Type::INT4_ARRAY, -1).unwrap());
        let huge: Vec<u8> = [1, 0, 23, i32::MAX, 1].iter().flat_map(|v: &i32| v.to_be_bytes()).collect();
        assert!(array.append(Some(&huge)).is_err());
    }
}
