//! The machinery of the samples: a small deterministic generator of random values, and rows in the
//! making.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
    },
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
    error::ArrowError,
};

/// Rows written at once.
const BATCH_ROWS: usize = 8192;

/// SplitMix64: deterministic on every platform, which is all a sample needs.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Evenly in `0..1`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly in `low..high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Evenly in `0..n`.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// About normal: the sum of twelve even values.
    pub(super) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.unit()).sum();
        mean + (sum - 6.0) * deviation
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(super) fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        let n = items.len() as u64;
        items[usize::try_from(self.below(n)).expect("an index of a slice")]
    }

    /// The value, or nothing with this probability.
    pub(super) fn sometimes_missing<T>(&mut self, probability: f64, value: T) -> Option<T> {
        (!self.chance(probability)).then_some(value)
    }
}

/// A column's type.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Whole,
    Number,
    Truth,
    Day,
    Moment,
}

/// Name and type of a column.
pub(super) type ColumnSpec = (&'static str, Kind);

pub(super) fn schema(columns: &[ColumnSpec]) -> SchemaRef {
    let field = |(name, kind): &ColumnSpec| {
        let data_type = match kind {
            Kind::Text => DataType::Utf8,
            Kind::Whole => DataType::Int64,
            Kind::Number => DataType::Float64,
            Kind::Truth => DataType::Boolean,
            Kind::Day => DataType::Date32,
            Kind::Moment => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        };
        Field::new(*name, data_type, true)
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

enum Builder {
    Text(StringBuilder),
    Whole(Int64Builder),
    Number(Float64Builder),
    Truth(BooleanBuilder),
    Day(Date32Builder),
    Moment(TimestampMicrosecondBuilder),
}

/// A value of a row.
pub(super) enum Cell {
    Text(Option<String>),
    Whole(Option<i64>),
    /// With how many decimals it was measured.
    Number(Option<f64>, i32),
    Truth(Option<bool>),
    /// Days since 1970.
    Day(Option<i32>),
    /// Seconds since 1970.
    Moment(i64),
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Whole(Some(value))
    }
}

/// Rows in the making.
pub(super) struct Rows {
    schema: SchemaRef,
    builders: Vec<Builder>,
    count: usize,
}

impl Rows {
    pub(super) fn new(columns: &[ColumnSpec]) -> Self {
        let builders = columns
            .iter()
            .map(|(_, kind)| match kind {
                Kind::Text => Builder::Text(StringBuilder::new()),
                Kind::Whole => Builder::Whole(Int64Builder::new()),
                Kind::Number => Builder::Number(Float64Builder::new()),
                Kind::Truth => Builder::Truth(BooleanBuilder::new()),
                Kind::Day => Builder::Day(Date32Builder::new()),
                Kind::Moment => Builder::Moment(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            })
            .collect();
        Self { schema: schema(columns), builders, count: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.count >= BATCH_ROWS
    }

    /// Adds a row. A cell of another type than its column is a slip in a table of this module; it shows
    /// as a missing value and every batch then has columns of equal length.
    pub(super) fn push<const N: usize>(&mut self, cells: [Cell; N]) {
        for (builder, cell) in self.builders.iter_mut().zip(cells) {
            match (builder, cell) {
                (Builder::Text(b), Cell::Text(v)) => b.append_option(v),
                (Builder::Whole(b), Cell::Whole(v)) => b.append_option(v),
                (Builder::Number(b), Cell::Number(v, decimals)) => b.append_option(v.map(|v| rounded(v, decimals))),
                (Builder::Truth(b), Cell::Truth(v)) => b.append_option(v),
                (Builder::Day(b), Cell::Day(v)) => b.append_option(v),
                (Builder::Moment(b), Cell::Moment(v)) => b.append_value(v * 1_000_000),
                (Builder::Text(b), _) => b.append_null(),
                (Builder::Whole(b), _) => b.append_null(),
                (Builder::Number(b), _) => b.append_null(),
                (Builder::Truth(b), _) => b.append_null(),
                (Builder::Day(b), _) => b.append_null(),
                (Builder::Moment(b), _) => b.append_null(),
            }
        }
        self.count += 1;
    }

    pub(super) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.count = 0;
        let arrays = self
            .builders
            .iter_mut()
            .map(|b| -> ArrayRef {
                match b {
                    Builder::Text(b) => Arc::new(b.finish()),
                    Builder::Whole(b) => Arc::new(b.finish()),
                    Builder::Number(b) => Arc::new(b.finish()),
                    Builder::Truth(b) => Arc::new(b.finish()),
                    Builder::Day(b) => Arc::new(b.finish()),
                    Builder::Moment(b) => Arc::new(b.finish()),
                }
            })
            .collect();
        RecordBatch::try_new(self.schema.clone(), arrays)
    }
}

fn rounded(value: f64, decimals: i32) -> f64 {
    let factor = 10_f64.powi(decimals);
    (value * factor).round() / factor
}
