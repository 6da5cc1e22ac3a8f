//! What the tests of governed tables share: tables of every type, drawn from a seed, random filters over them, and a plain
//! evaluation of a filter that has nothing in common with the one under test.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int8Array, Int32Array, Int64Array, ListBuilder,
        MapBuilder, RecordBatch, StringArray, StringBuilder, StructArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    },
    datatypes::{
        DataType, Date32Type, Decimal128Type, Field as ArrowField, Float64Type, Int8Type, Int32Type, Int64Type, Schema,
        TimestampMicrosecondType, TimestampMillisecondType,
    },
};
use fondaco_core::policy::{
    Comparison,
    filter::{Filter, Literal},
    view::Field,
};

use parquet::{
    arrow::{
        ArrowWriter,
        arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    basic::{Compression, ZstdLevel},
    file::{
        metadata::{KeyValue, SortingColumn},
        properties::{EnabledStatistics, WriterProperties, WriterVersion},
    },
};

use super::footer::{Footer, Positioned};
use crate::publish::{PublishLimits, TableSchema};

/// A generator of numbers: the same for the same seed, whatever the version of a crate.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(crate) fn small(&mut self, n: u32) -> u32 {
        u32::try_from(self.below(u64::from(n))).expect("small")
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).expect("small")]
    }
}

/// The schema of an Arrow schema as a product declares it.
pub(crate) fn declared(schema: &Schema) -> TableSchema {
    TableSchema::from_arrow("test", schema, &[], &PublishLimits::default()).expect("schema")
}

/// Rows of every type. Values are few, so that filters hit some of them; `spread` moves them apart from other batches.
pub(crate) fn rows(dice: &mut Dice, rows: usize, spread: i32) -> RecordBatch {
    let mut maybe = |every: u64| (0..rows).map(|_| !dice.one_in(every)).collect::<Vec<bool>>();
    let presences: Vec<Vec<bool>> = (0..12).map(|i| maybe(if i % 3 == 0 { 1_000_000 } else { 5 })).collect();
    let some = |column: usize, row: usize| presences[column][row];
    let ids: Int32Array = (0..rows).map(|i| Some(spread * 100 + i32::try_from(i).expect("few"))).collect();
    let ids = Int32Array::new(ids.values().clone(), None);
    let smalls: Int8Array = (0..rows).map(|r| some(1, r).then(|| i8::try_from(dice.small(9)).expect("small") - 4)).collect();
    let prices: Decimal128Array =
        (0..rows).map(|r| some(2, r).then(|| i128::from(dice.small(800)) - 400 + i128::from(spread) * 300)).collect();
    let scores: Float64Array = (0..rows)
        .map(|r| {
            some(4, r).then(|| {
                *dice.pick(&[0.0, -0.0, 1.5, -1.5, 2.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 400.0]) + f64::from(spread)
            })
        })
        .collect();
    let sites: StringArray =
        (0..rows).map(|r| some(5, r).then(|| format!("{}{}", dice.pick(&["Suzhou", "Kunshan", "", "苏州", "s'q"]), spread / 2))).collect();
    let oks: BooleanArray = (0..rows).map(|r| some(7, r).then(|| dice.one_in(2))).collect();
    let days: Date32Array = (0..rows).map(|r| some(8, r).then(|| 20_000 + i32::try_from(dice.small(5)).expect("small") + spread)).collect();
    let ats: TimestampMicrosecondArray =
        (0..rows).map(|r| some(3, r).then(|| 1_800_000_000_000_000 + i64::from(dice.small(4)) * 500_000 + i64::from(spread))).collect();
    let clocks: TimestampMillisecondArray =
        (0..rows).map(|r| some(10, r).then(|| 1_800_000_000_000 + i64::from(dice.small(3)) * 500 + i64::from(spread) * 1_000)).collect();
    let names: StringArray = (0..rows).map(|r| some(11, r).then(|| format!("name {}", dice.small(4)))).collect();
    let ages: Int64Array = Int64Array::new((0..rows).map(|_| i64::from(dice.small(4)) + i64::from(spread) * 10).collect(), None);
    let who = StructArray::new(
        vec![Arc::new(ArrowField::new("name", DataType::Utf8, true)), Arc::new(ArrowField::new("age", DataType::Int64, false))].into(),
        vec![Arc::new(names), Arc::new(ages)],
        Some(presences[4].clone().into()),
    );
    let mut tags = ListBuilder::new(StringBuilder::new());
    let mut marks = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for r in 0..rows {
        for n in 0..dice.small(3) {
            if dice.one_in(6) {
                tags.values().append_null();
            } else {
                tags.values().append_value(format!("tag {n}"));
            }
            marks.keys().append_value(format!("mark {n}"));
            marks.values().append_value(format!("value {}", dice.small(9)));
        }
        tags.append(some(8, r));
        marks.append(some(7, r)).expect("map");
    }
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("id", Arc::new(ids), false),
        ("small", Arc::new(smalls), true),
        ("price", Arc::new(prices.with_precision_and_scale(10, 2).expect("type")), true),
        ("score", Arc::new(scores), true),
        ("site", Arc::new(sites), true),
        ("ok", Arc::new(oks), true),
        ("day", Arc::new(days), true),
        ("at", Arc::new(ats.with_timezone("UTC")), true),
        ("clock", Arc::new(clocks), true),
        ("who", Arc::new(who), true),
        ("tags", Arc::new(tags.finish()), true),
        ("marks", Arc::new(marks.finish()), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).expect("batch")
}

/// A filter over [`rows`]: some are refused by a plan because nothing could satisfy them.
pub(crate) fn filter(dice: &mut Dice, spread: i32, depth: u32) -> Filter {
    if depth > 0 && !dice.one_in(3) {
        let parts = (0..2 + dice.below(2)).map(|_| filter(dice, spread, depth - 1)).collect::<Vec<_>>();
        let text = parts.iter().map(|p| format!("({p})")).collect::<Vec<_>>();
        let text = match dice.below(3) {
            0 => format!("NOT ({})", text.join(" AND ")),
            1 => text.join(" AND "),
            _ => text.join(" OR "),
        };
        return Filter::parse(&text).expect("filter");
    }
    let n = i64::from(dice.small(9)) - 4;
    let spread = dice.below(u64::try_from(spread).expect("positive") + 1);
    let (field, value) = match dice.below(10) {
        0 => ("id", format!("{}", spread * 100 + dice.below(40))),
        1 => ("small", (*dice.pick(&[n.to_string(), format!("{n}.5"), "1000".into(), "-1e3".into(), "0.0".into()])).clone()),
        2 => ("price", format!("{}.{}", n + 3 * i64::try_from(spread).expect("small"), dice.pick(&["0", "25", "251"]))),
        3 => ("score", (*dice.pick(&["0", "-0.0", "1.5", "400", "2.25"])).to_owned()),
        4 => ("site", format!("'{}{}'", dice.pick(&["Suzhou", "Kunshan", "", "苏州", "s''q", "T"]), spread / 2)),
        5 => {
            let op = dice.pick(&["=", "<>"]);
            return Filter::parse(&format!("ok {op} {}", dice.pick(&["TRUE", "FALSE"]))).expect("filter");
        }
        6 => ("day", format!("DATE '2024-10-{:02}'", 4 + dice.below(6))),
        7 => ("at", format!("TIMESTAMP '2027-01-15T08:00:0{}.{}Z'", dice.below(3), dice.pick(&["5", "500002", "0000001"]))),
        8 => ("clock", format!("TIMESTAMP '2027-01-15T08:00:0{}.{}'", dice.below(3), dice.pick(&["0", "5", "5001"]))),
        _ => {
            if dice.one_in(2) {
                ("who.name", format!("'name {}'", dice.below(4)))
            } else {
                ("who.age", format!("{}", spread * 10 + dice.below(4)))
            }
        }
    };
    let text = match dice.below(8) {
        0 => format!("{field} IS NULL"),
        1 => format!("{field} IS NOT NULL"),
        2 => format!("{field} IN ({value}, {value})"),
        3 => format!("{field} NOT IN ({value})"),
        n => format!("{field} {} {value}", ["<", "<=", ">", ">="][usize::try_from(n).expect("small") % 4]),
    };
    Filter::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// A value, for the plain evaluation.
#[derive(Clone, Debug)]
enum Plain {
    /// Ten-thousandths.
    Number(i128),
    Float(f64),
    Text(String),
    Bool(bool),
    /// Nanoseconds.
    Time(i128),
}

fn plain(batch: &RecordBatch, row: usize, field: &Field) -> Option<Plain> {
    let mut array = Arc::clone(batch.column_by_name(&field.parts()[0]).expect("column"));
    for name in &field.parts()[1..] {
        if array.is_null(row) {
            return None;
        }
        array = Arc::clone(array.as_struct().column_by_name(name).expect("part"));
    }
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Int8 => Plain::Number(i128::from(array.as_primitive::<Int8Type>().value(row)) * 10_000),
        DataType::Int32 => Plain::Number(i128::from(array.as_primitive::<Int32Type>().value(row)) * 10_000),
        DataType::Int64 => Plain::Number(i128::from(array.as_primitive::<Int64Type>().value(row)) * 10_000),
        DataType::Decimal128(_, 2) => Plain::Number(array.as_primitive::<Decimal128Type>().value(row) * 100),
        DataType::Float64 => Plain::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Plain::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::Boolean => Plain::Bool(array.as_boolean().value(row)),
        DataType::Date32 => Plain::Time(i128::from(array.as_primitive::<Date32Type>().value(row)) * 86_400_000_000_000),
        DataType::Timestamp(_, Some(_)) => Plain::Time(i128::from(array.as_primitive::<TimestampMicrosecondType>().value(row)) * 1_000),
        DataType::Timestamp(_, None) => Plain::Time(i128::from(array.as_primitive::<TimestampMillisecondType>().value(row)) * 1_000_000),
        _ => Plain::Bool(true),
    })
}

/// Whether a comparison holds; numbers that are none are above all others, as engines have it.
fn compares(value: &Plain, op: Comparison, literal: &Literal) -> bool {
    let order = match (value, literal) {
        (Plain::Number(v), Literal::Number(l)) => {
            let (text, factor) = l.strip_suffix("e3").map_or((l.as_str(), 1), |t| (t, 1_000));
            let (whole, part) = text.split_once('.').unwrap_or((text, ""));
            let part: i128 = format!("{part:0<4}").parse().expect("four digits");
            let sign = if whole.starts_with('-') { -1 } else { 1 };
            v.cmp(&((whole.parse::<i128>().expect("number") * 10_000 + sign * part) * factor))
        }
        (Plain::Float(v), Literal::Number(l)) => v.partial_cmp(&l.parse().expect("number")).unwrap_or(std::cmp::Ordering::Greater),
        (Plain::Text(v), Literal::Text(l)) => v.cmp(l),
        (Plain::Bool(v), Literal::Bool(l)) => v.cmp(l),
        (Plain::Time(v), Literal::Date(l)) => {
            let days = l.since(jiff::civil::date(1970, 1, 1)).expect("span").get_days();
            v.cmp(&(i128::from(days) * 86_400_000_000_000))
        }
        (Plain::Time(v), Literal::Timestamp { at, .. }) => {
            v.cmp(&at.to_zoned(jiff::tz::TimeZone::UTC).expect("zoned").timestamp().as_nanosecond())
        }
        (value, literal) => panic!("{value:?} and {literal:?}"),
    };
    match op {
        Comparison::Eq => order.is_eq(),
        Comparison::Neq => order.is_ne(),
        Comparison::Lt => order.is_lt(),
        Comparison::Lteq => order.is_le(),
        Comparison::Gt => order.is_gt(),
        Comparison::Gteq => order.is_ge(),
    }
}

/// What a filter says of a row: yes, no, or neither.
pub(crate) fn holds(filter: &Filter, batch: &RecordBatch, row: usize) -> Option<bool> {
    match filter {
        Filter::Always(b) => Some(*b),
        Filter::Compare { field, op, value } => plain(batch, row, field).map(|v| compares(&v, *op, value)),
        Filter::In { field, values } => plain(batch, row, field).map(|v| values.iter().any(|l| compares(&v, Comparison::Eq, l))),
        Filter::IsNull { field } => Some(plain(batch, row, field).is_none()),
        Filter::Not(inner) => holds(inner, batch, row).map(|b| !b),
        Filter::And(parts) => {
            let all: Vec<_> = parts.iter().map(|p| holds(p, batch, row)).collect();
            if all.contains(&Some(false)) { Some(false) } else { all.into_iter().collect::<Option<Vec<_>>>().map(|_| true) }
        }
        Filter::Or(parts) => {
            let all: Vec<_> = parts.iter().map(|p| holds(p, batch, row)).collect();
            if all.contains(&Some(true)) { Some(true) } else { all.into_iter().collect::<Option<Vec<_>>>().map(|_| false) }
        }
    }
}

/// A Parquet file of one table, and its schema.
pub(crate) struct SourceFile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) schema: TableSchema,
}

impl SourceFile {
    /// Its footer, read as a served file's is.
    pub(in crate::governed) fn footer(&self) -> Footer {
        Footer::read(&self.positioned(), "test.parquet", &self.schema).expect("footer")
    }

    /// It as a file.
    pub(crate) fn positioned(&self) -> Positioned {
        let file = tempfile::tempfile().expect("file");
        std::io::Write::write_all(&mut &file, &self.bytes).expect("written");
        Positioned::new(Arc::new(file)).expect("file")
    }
}

/// A file of [`rows`] in several row groups, each of other values, in one of the ways that writers have.
pub(crate) fn source_file(dice: &mut Dice, groups: i32) -> SourceFile {
    let statistics = *dice.pick(&[EnabledStatistics::Page, EnabledStatistics::Chunk]);
    source_file_with(dice, groups, statistics)
}

/// The same with these statistics.
pub(crate) fn source_file_with(dice: &mut Dice, groups: i32, statistics: EnabledStatistics) -> SourceFile {
    let batches: Vec<RecordBatch> = (0..=groups)
        .map(|g| {
            let n = 1 + usize::try_from(dice.below(40)).expect("small");
            rows(dice, n, g)
        })
        .collect();
    let compression =
        *dice.pick(&[Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::LZ4_RAW, Compression::ZSTD(ZstdLevel::default())]);
    let mut properties = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(dice.one_in(2))
        .set_data_page_row_count_limit(7 + usize::try_from(dice.below(50)).expect("small"))
        .set_write_batch_size(7)
        .set_writer_version(if dice.one_in(2) { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 })
        .set_statistics_enabled(statistics)
        .set_statistics_truncate_length(Some(5 + usize::try_from(dice.below(60)).expect("small")))
        .set_bloom_filter_enabled(dice.one_in(3))
        .set_bloom_filter_max_ndv(100)
        .set_key_value_metadata(Some(vec![KeyValue::new("planted".to_owned(), "kv-secret-9431".to_owned())]));
    if dice.one_in(2) {
        properties = properties.set_sorting_columns(Some(vec![SortingColumn { column_idx: 0, descending: false, nulls_first: false }]));
    }
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batches[0].schema(), Some(properties.build())).expect("writer");
    for batch in &batches {
        writer.write(batch).expect("written");
        writer.flush().expect("a row group");
    }
    writer.close().expect("closed");
    SourceFile { bytes, schema: declared(&batches[0].schema()) }
}

/// All rows of a Parquet file.
pub(crate) fn read_back(bytes: &[u8]) -> RecordBatch {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes::Bytes::copy_from_slice(bytes), options).expect("readable");
    let schema = Arc::clone(reader.schema());
    let batches = reader.build().expect("reader").collect::<Result<Vec<_>, _>>().expect("rows");
    arrow::compute::concat_batches(&schema, &batches).expect("one batch")
}

/// A file of the columns `id`, which counts, and `valid_to`: an INT96 at the beginning of these days.
pub(crate) fn int96_file(days: &[Option<u32>]) -> Vec<u8> {
    use parquet::{
        data_type::{Int32Type, Int96, Int96Type},
        file::writer::SerializedFileWriter,
        schema::parser::parse_message_type,
    };
    let schema = parse_message_type("message m { required int32 id; optional int96 valid_to; }").expect("schema");
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::default()).expect("writer");
    let mut group = writer.next_row_group().expect("group");
    let ids: Vec<i32> = (1..).take(days.len()).collect();
    let mut column = group.next_column().expect("column").expect("id");
    column.typed::<Int32Type>().write_batch(&ids, None, None).expect("written");
    column.close().expect("closed");
    let values: Vec<Int96> = days.iter().flatten().map(|day| Int96::from(vec![0, 0, *day])).collect();
    let levels: Vec<i16> = days.iter().map(|day| i16::from(day.is_some())).collect();
    let mut column = group.next_column().expect("column").expect("valid_to");
    column.typed::<Int96Type>().write_batch(&values, Some(&levels), None).expect("written");
    column.close().expect("closed");
    group.close().expect("closed");
    writer.close().expect("closed");
    bytes
}
