//! Values as they are shown: parts of nested columns left out, values hashed, shortened, put in ranges or left away.

use std::{fmt::Write, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, ArrowPrimitiveType, AsArray, GenericListArray, MapArray, OffsetSizeTrait, StringBuilder, StructArray,
        new_null_array,
    },
    compute::cast,
    datatypes::{
        DataType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, DecimalType, Field, FieldRef, Fields, Float32Type, Float64Type,
        Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
        TimestampSecondType,
    },
    error::ArrowError,
};
use aws_lc_rs::hmac;
use fondaco_core::policy::view::MaskMethod;

use super::{
    plan::{Masked, Shape},
    value::steps,
};

/// Bytes of a hash that are shown: enough that no two values meet, few enough to read.
const HASH_BYTES: usize = 16;

type Result<T, E = ArrowError> = std::result::Result<T, E>;

fn unexpected(what: &DataType) -> ArrowError {
    // A type and no value: it may be told.
    ArrowError::CastError(format!("a value of type {what} cannot be shown in this way"))
}

/// The type of what is shown of a column of this type.
pub(super) fn shown_type(data_type: &DataType, shape: &Shape) -> Result<DataType> {
    Ok(match (shape, data_type) {
        (Shape::Mask(masked), _) if masked.method == MaskMethod::Hash => DataType::Utf8,
        (Shape::Keep | Shape::Mask(_), _) => data_type.clone(),
        (Shape::Group(parts), DataType::Struct(fields)) => DataType::Struct(shown_fields(fields, parts)?),
        (Shape::List(inner), DataType::List(field)) => DataType::List(Arc::new(shown_field(field, inner)?)),
        (Shape::List(inner), DataType::LargeList(field)) => DataType::LargeList(Arc::new(shown_field(field, inner)?)),
        (Shape::Map(inner), DataType::Map(entries, sorted)) => DataType::Map(shown_entries(entries, inner)?, *sorted),
        _ => return Err(unexpected(data_type)),
    })
}

/// What is shown of a field.
pub(super) fn shown_field(field: &Field, shape: &Shape) -> Result<Field> {
    let missing = matches!(shape, Shape::Mask(m) if m.method == MaskMethod::Null);
    Ok(Field::new(field.name(), shown_type(field.data_type(), shape)?, field.is_nullable() || missing))
}

fn shown_fields(fields: &Fields, parts: &[(String, Shape)]) -> Result<Fields> {
    parts.iter().map(|(name, part)| Ok(Arc::new(shown_field(field(fields, name)?.1, part)?))).collect()
}

/// The field of a name: by name, since parts that are hidden may not have been read.
fn field<'a>(fields: &'a Fields, name: &str) -> Result<(usize, &'a FieldRef)> {
    fields.find(name).ok_or_else(|| ArrowError::SchemaError("the files do not have the columns of their table".into()))
}

fn shown_entries(entries: &FieldRef, value: &Shape) -> Result<FieldRef> {
    let DataType::Struct(fields) = entries.data_type() else { return Err(unexpected(entries.data_type())) };
    let [key, values] = fields.as_ref() else { return Err(unexpected(entries.data_type())) };
    let fields = Fields::from(vec![Arc::clone(key), Arc::new(shown_field(values, value)?)]);
    Ok(Arc::new(Field::new(entries.name(), DataType::Struct(fields), entries.is_nullable())))
}

/// What is shown of values.
pub(super) fn shown(array: &ArrayRef, shape: &Shape, key: &hmac::Key) -> Result<ArrayRef> {
    Ok(match (shape, array.data_type()) {
        (Shape::Keep, _) => Arc::clone(array),
        (Shape::Mask(masked), _) => mask(array, masked, key)?,
        (Shape::Group(parts), DataType::Struct(fields)) => {
            let group = array.as_struct();
            let columns = parts.iter().map(|(name, part)| shown(group.column(field(fields, name)?.0), part, key)).collect::<Result<_>>()?;
            Arc::new(StructArray::try_new(shown_fields(fields, parts)?, columns, group.nulls().cloned())?)
        }
        (Shape::List(inner), DataType::List(field)) => list::<i32>(array, field, inner, key)?,
        (Shape::List(inner), DataType::LargeList(field)) => list::<i64>(array, field, inner, key)?,
        (Shape::Map(inner), DataType::Map(entries, sorted)) => {
            let map = array.as_map();
            let field = shown_entries(entries, inner)?;
            let DataType::Struct(fields) = field.data_type() else { return Err(unexpected(entries.data_type())) };
            let values = shown(map.values(), inner, key)?;
            let all = StructArray::try_new(fields.clone(), vec![Arc::clone(map.keys()), values], map.entries().nulls().cloned())?;
            Arc::new(MapArray::try_new(Arc::clone(&field), map.offsets().clone(), all, map.nulls().cloned(), *sorted)?)
        }
        (_, other) => return Err(unexpected(other)),
    })
}

fn list<O: OffsetSizeTrait>(array: &ArrayRef, field: &FieldRef, inner: &Shape, key: &hmac::Key) -> Result<ArrayRef> {
    let list = array.as_list::<O>();
    let values = shown(list.values(), inner, key)?;
    let field = Arc::new(shown_field(field, inner)?);
    Ok(Arc::new(GenericListArray::try_new(field, list.offsets().clone(), values, list.nulls().cloned())?))
}

fn mask(array: &ArrayRef, masked: &Masked, key: &hmac::Key) -> Result<ArrayRef> {
    match &masked.method {
        MaskMethod::Null => Ok(new_null_array(array.data_type(), array.len())),
        MaskMethod::Hash => hash(array, masked, key),
        MaskMethod::Truncate { chars } => truncate(array, *chars as usize),
        MaskMethod::Bucket { width } => bucket(array, width),
    }
}

/// Each value's text, or none where it is missing.
fn each_text(array: &ArrayRef, mut take: impl FnMut(Option<&str>)) -> Result<()> {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().for_each(&mut take),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().for_each(&mut take),
        DataType::Utf8View => array.as_string_view().iter().for_each(&mut take),
        other => return Err(unexpected(other)),
    }
    Ok(())
}

fn truncate(array: &ArrayRef, chars: usize) -> Result<ArrayRef> {
    let mut out = StringBuilder::with_capacity(array.len(), array.len() * chars.min(16));
    each_text(array, |text| {
        out.append_option(text.map(|t| t.char_indices().nth(chars).map_or(t, |(end, _)| &t[..end])));
    })?;
    let short: ArrayRef = Arc::new(out.finish());
    if array.data_type() == &DataType::Utf8 { Ok(short) } else { cast(&short, array.data_type()) }
}

fn ranged<T: ArrowPrimitiveType>(array: &ArrayRef, each: impl Fn(T::Native) -> T::Native) -> ArrayRef {
    let values = array.as_primitive::<T>();
    Arc::new(values.unary::<_, T>(each).with_data_type(array.data_type().clone()))
}

fn bucket(array: &ArrayRef, width: &str) -> Result<ArrayRef> {
    let scale = match array.data_type() {
        DataType::Decimal32(_, s) | DataType::Decimal64(_, s) | DataType::Decimal128(_, s) => u8::try_from(*s).unwrap_or(0),
        _ => 0,
    };
    let whole = || steps(width, scale).filter(|w| *w > 0).ok_or_else(|| unexpected(array.data_type()));
    // The lowest range begins where the type does, if its own beginning lies below.
    macro_rules! ints {
        ($t:ty, $min:expr) => {{
            let (width, min) = (whole()?, $min);
            ranged::<$t>(array, |v| {
                let low = i128::from(v).div_euclid(width).saturating_mul(width);
                <$t as ArrowPrimitiveType>::Native::try_from(low.max(min)).unwrap_or(v)
            })
        }};
    }
    let lowest = |precision: u8| 1 - 10_i128.pow(u32::from(precision));
    Ok(match array.data_type() {
        DataType::Int8 => ints!(Int8Type, i128::from(i8::MIN)),
        DataType::Int16 => ints!(Int16Type, i128::from(i16::MIN)),
        DataType::Int32 => ints!(Int32Type, i128::from(i32::MIN)),
        DataType::Int64 => ints!(Int64Type, i128::from(i64::MIN)),
        DataType::Decimal32(p, _) => ints!(Decimal32Type, lowest(*p)),
        DataType::Decimal64(p, _) => ints!(Decimal64Type, lowest(*p)),
        DataType::Decimal128(p, _) => ints!(Decimal128Type, lowest(*p)),
        DataType::Float32 => {
            let width: f32 = width.parse().map_err(|_| unexpected(&DataType::Float32))?;
            ranged::<Float32Type>(array, |v| (v / width).floor() * width)
        }
        DataType::Float64 => {
            let width: f64 = width.parse().map_err(|_| unexpected(&DataType::Float64))?;
            ranged::<Float64Type>(array, |v| (v / width).floor() * width)
        }
        other => return Err(unexpected(other)),
    })
}

/// The keyed hash of each value: of the column's path, a zero byte, and the value as text.
fn hash(array: &ArrayRef, masked: &Masked, key: &hmac::Key) -> Result<ArrayRef> {
    let mut context = hmac::Context::with_key(key);
    context.update(masked.field.to_string().as_bytes());
    context.update(&[0]);
    let mut out = StringBuilder::with_capacity(array.len(), array.len() * HASH_BYTES * 2);
    let mut hex = [0_u8; HASH_BYTES * 2];
    let mut failed = Ok(());
    let mut append = |value: Option<&[u8]>| match value {
        None => out.append_null(),
        Some(value) => {
            let mut context = context.clone();
            context.update(value);
            let tag = context.sign();
            failed = failed.and(hex::encode_to_slice(&tag.as_ref()[..HASH_BYTES], &mut hex));
            out.append_value(std::str::from_utf8(&hex).unwrap_or_default());
        }
    };
    match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => each_text(array, |text| append(text.map(str::as_bytes)))?,
        DataType::Binary => array.as_binary::<i32>().iter().for_each(&mut append),
        DataType::LargeBinary => array.as_binary::<i64>().iter().for_each(&mut append),
        DataType::BinaryView => array.as_binary_view().iter().for_each(&mut append),
        _ => {
            let mut text = String::new();
            for row in 0..array.len() {
                if array.is_null(row) {
                    append(None);
                    continue;
                }
                text.clear();
                write_text(array, row, masked.utc, &mut text)?;
                append(Some(text.as_bytes()));
            }
        }
    }
    failed.map_err(|_| unexpected(array.data_type()))?;
    Ok(Arc::new(out.finish()))
}

/// A value as the text that is hashed: the same for the same value, however the file keeps it.
fn write_text(array: &ArrayRef, row: usize, utc: bool, out: &mut String) -> Result<()> {
    macro_rules! plain {
        ($t:ty) => {
            write!(out, "{}", array.as_primitive::<$t>().value(row))
        };
    }
    macro_rules! decimal {
        ($t:ty, $p:expr, $s:expr) => {
            write!(out, "{}", <$t>::format_decimal(array.as_primitive::<$t>().value(row), *$p, *$s))
        };
    }
    macro_rules! float {
        ($t:ty) => {
            // Zero has one sign, and what is not a number has one form.
            match array.as_primitive::<$t>().value(row) {
                v if v.is_nan() => write!(out, "NaN"),
                v => write!(out, "{}", v + 0.0),
            }
        };
    }
    macro_rules! time {
        ($t:ty, $nanos:expr) => {
            write_time(i128::from(array.as_primitive::<$t>().value(row)) * $nanos, utc, out)
        };
    }
    let written = match array.data_type() {
        DataType::Boolean => write!(out, "{}", array.as_boolean().value(row)),
        DataType::Int8 => plain!(Int8Type),
        DataType::Int16 => plain!(Int16Type),
        DataType::Int32 => plain!(Int32Type),
        DataType::Int64 => plain!(Int64Type),
        DataType::Decimal32(p, s) => decimal!(Decimal32Type, p, s),
        DataType::Decimal64(p, s) => decimal!(Decimal64Type, p, s),
        DataType::Decimal128(p, s) => decimal!(Decimal128Type, p, s),
        DataType::Float32 => float!(Float32Type),
        DataType::Float64 => float!(Float64Type),
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().value(row);
            let day = jiff::Span::new().try_days(days).ok().and_then(|s| jiff::civil::date(1970, 1, 1).checked_add(s).ok());
            match day {
                Some(day) => write!(out, "{day}"),
                None => write!(out, "{days}"),
            }
        }
        DataType::Timestamp(TimeUnit::Second, _) => time!(TimestampSecondType, 1_000_000_000),
        DataType::Timestamp(TimeUnit::Millisecond, _) => time!(TimestampMillisecondType, 1_000_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => time!(TimestampMicrosecondType, 1_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => time!(TimestampNanosecondType, 1),
        other => return Err(unexpected(other)),
    };
    written.map_err(|_| unexpected(array.data_type()))
}

fn write_time(nanos: i128, utc: bool, out: &mut String) -> std::fmt::Result {
    match jiff::Timestamp::from_nanosecond(nanos) {
        Ok(at) if utc => write!(out, "{at}"),
        Ok(at) => write!(out, "{}", at.to_string().trim_end_matches('Z')),
        Err(_) => write!(out, "{nanos}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        Decimal128Array, Float64Array, Int8Array, Int64Array, LargeStringArray, ListArray, StringArray, StringViewArray,
        TimestampMicrosecondArray, TimestampMillisecondArray,
    };
    use fondaco_core::policy::view::Mask;

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, b"the key of one agreement")
    }

    fn masked(text: &str) -> Shape {
        let mask = Mask::parse(text).expect("mask");
        Shape::Mask(Masked { field: mask.field, method: mask.method, utc: true })
    }

    fn apply(array: impl Array + 'static, mask: &str) -> ArrayRef {
        shown(&(Arc::new(array) as ArrayRef), &masked(mask), &key()).expect("shown")
    }

    #[test]
    fn ranges_begin_at_multiples_of_the_width() {
        let ints = apply(Int8Array::from(vec![Some(-128), Some(-1), Some(0), Some(99), Some(127), None]), "bucket(a, 100)");
        assert_eq!(ints.as_primitive::<Int8Type>(), &Int8Array::from(vec![Some(-128), Some(-100), Some(0), Some(0), Some(100), None]));
        let decimals =
            Decimal128Array::from(vec![Some(1_234), Some(-1), Some(-99_999), None]).with_precision_and_scale(5, 2).expect("type");
        let decimals = apply(decimals, "bucket(a, 12.5)");
        assert_eq!(
            decimals.as_primitive::<Decimal128Type>().iter().collect::<Vec<_>>(),
            [Some(0), Some(-1_250), Some(-99_999), None],
            "-1000.00 does not fit five digits"
        );
        assert_eq!(decimals.data_type(), &DataType::Decimal128(5, 2));
        let floats = apply(Float64Array::from(vec![0.7, -0.1, 5.0]), "bucket(a, 0.5)");
        assert_eq!(floats.as_primitive::<Float64Type>().values(), &[0.5, -0.5, 5.0]);
    }

    #[test]
    fn text_is_cut_between_characters() {
        for array in [
            Arc::new(StringArray::from(vec![Some("水星x"), Some("a"), None])) as ArrayRef,
            Arc::new(LargeStringArray::from(vec![Some("水星x"), Some("a"), None])),
            Arc::new(StringViewArray::from(vec![Some("水星x"), Some("a"), None])),
        ] {
            let cut = shown(&array, &masked("truncate(a, 2)"), &key()).expect("shown");
            assert_eq!(cut.data_type(), array.data_type());
            let mut texts = Vec::new();
            each_text(&cut, |t| texts.push(t.map(str::to_owned))).expect("text");
            assert_eq!(texts, [Some("水星".into()), Some("a".into()), None]);
        }
    }

    #[test]
    fn hashes_depend_on_key_column_and_value_alone() {
        let text = apply(StringArray::from(vec![Some("a"), Some("b"), None, Some("a")]), "hash(x)");
        let hashes = text.as_string::<i32>();
        assert_eq!(hashes.value(0).len(), 32);
        assert_eq!(hashes.value(0), hashes.value(3));
        assert_ne!(hashes.value(0), hashes.value(1));
        assert!(hashes.is_null(2));
        let expected = hmac::sign(&key(), b"x\0a");
        assert_eq!(hashes.value(0), hex::encode(&expected.as_ref()[..16]));
        let view = apply(StringViewArray::from(vec!["a"]), "hash(x)");
        assert_eq!(view.as_string::<i32>().value(0), hashes.value(0), "however it is kept");
        assert_ne!(apply(StringArray::from(vec!["a"]), "hash(y)").as_string::<i32>().value(0), hashes.value(0));
        let other = hmac::Key::new(hmac::HMAC_SHA256, b"the key of another one");
        let theirs = shown(&(Arc::new(StringArray::from(vec!["a"])) as ArrayRef), &masked("hash(x)"), &other).expect("shown");
        assert_ne!(theirs.as_string::<i32>().value(0), hashes.value(0));
        let micros = apply(TimestampMicrosecondArray::from(vec![5_000_000]).with_timezone("UTC"), "hash(x)");
        let millis = apply(TimestampMillisecondArray::from(vec![5_000]), "hash(x)");
        assert_eq!(micros.as_string::<i32>(), millis.as_string::<i32>());
        let zeros = apply(Float64Array::from(vec![0.0, -0.0]), "hash(x)");
        assert_eq!(zeros.as_string::<i32>().value(0), zeros.as_string::<i32>().value(1));
    }

    #[test]
    fn parts_of_lists_and_groups_are_left_out_or_masked() {
        let id = Arc::new(Field::new("id", DataType::Int64, false));
        let name = Arc::new(Field::new("name", DataType::Utf8, true));
        let people = StructArray::new(
            vec![Arc::clone(&id), name].into(),
            vec![Arc::new(Int64Array::from(vec![1, 2, 3])), Arc::new(StringArray::from(vec![Some("ann"), None, Some("bob")]))],
            None,
        );
        let field = Arc::new(Field::new("item", people.data_type().clone(), true));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([2, 0, 1]);
        let lists = ListArray::new(field, offsets, Arc::new(people), Some(vec![true, false, true].into()));
        let shape = Shape::List(Box::new(Shape::Group(vec![("id".into(), masked("null(a)")), ("name".into(), masked("truncate(b, 1)"))])));
        let whole: ArrayRef = Arc::new(lists);
        let out = shown(&whole, &shape, &key()).expect("shown");
        assert_eq!(out.data_type(), &shown_type(whole.data_type(), &shape).expect("type"));
        let out = out.as_list::<i32>();
        assert!(out.is_null(1));
        let inner = out.values().as_struct();
        assert_eq!(inner.column(0).null_count(), 3);
        assert_eq!(inner.column(1).as_string::<i32>(), &StringArray::from(vec![Some("a"), None, Some("b")]));
        // A slice begins in the middle of the values.
        let only = Shape::List(Box::new(Shape::Group(vec![("name".into(), Shape::Keep)])));
        let last = shown(&whole.slice(2, 1), &only, &key()).expect("shown");
        let value = last.as_list::<i32>().value(0);
        assert_eq!(value.as_struct().num_columns(), 1);
        assert_eq!(value.as_struct().column(0).as_string::<i32>().value(0), "bob");
    }
}
