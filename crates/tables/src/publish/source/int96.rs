//! INT96, Parquet's old way to write points in time, which Spark and Impala still have.
//!
//! It reaches far beyond what 64 bits of nanoseconds can tell, and Arrow reads it as those: a year 9999 that stands for
//! "for ever" becomes the year 1816. So it is read as microseconds, everywhere, and what even a table's own type cannot
//! hold is not published.

use std::{fs::File, ops::Range, sync::Arc};

use ::arrow::datatypes::TimeUnit;
use datafusion::datasource::physical_plan::parquet::Int96Coercer;
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    basic::Type as Physical,
    column::reader::ColumnReaderImpl,
    data_type::{Int96, Int96Type},
    errors::Result as ParquetResult,
    file::{metadata::ParquetMetaData, serialized_reader::SerializedPageReader},
};

/// Values decoded at once.
const BATCH_VALUES: usize = 8 * 1024;
/// The day 1970-01-01 as INT96 counts days.
const EPOCH_DAY: i128 = 2_440_588;
const NANOS_PER_DAY: i128 = 86_400_000_000_000;
/// The first nanosecond of the year 1, and of the year 10000: what Delta's timestamps reach.
const YEARS_1_TO_9999: Range<i128> = -62_135_596_800_000_000_000..253_402_300_800_000_000_000;
/// What 64 bits of nanoseconds reach.
const YEARS_1678_TO_2261: Range<i128> = i64::MIN as i128..i64::MAX as i128;

/// The Arrow types of a file's columns, which go by Parquet's schema alone: Arrow's own copy of it is not looked at, since
/// clients do not know it.
pub(crate) fn arrow_metadata(metadata: Arc<ParquetMetaData>) -> ParquetResult<ArrowReaderMetadata> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let plain = ArrowReaderMetadata::try_new(Arc::clone(&metadata), options.clone())?;
    let descr = metadata.file_metadata().schema_descr();
    match Int96Coercer::new(descr, plain.schema(), &TimeUnit::Microsecond).coerce() {
        Some(schema) => ArrowReaderMetadata::try_new(metadata, options.with_schema(Arc::new(schema))),
        None => Ok(plain),
    }
}

/// Checks that a file's INT96 values are points in time that its table can hold.
pub(super) fn check_values(file: &File, metadata: &ParquetMetaData) -> Result<(), String> {
    check_within(file, metadata, &YEARS_1_TO_9999, "1 to 9999")
}

/// The same for what is read by somebody else, as nanoseconds.
pub(super) fn check_nanoseconds(file: &File, metadata: &ParquetMetaData) -> Result<(), String> {
    check_within(file, metadata, &YEARS_1678_TO_2261, "1678 to 2261")
}

fn check_within(file: &File, metadata: &ParquetMetaData, range: &Range<i128>, years: &str) -> Result<(), String> {
    let descr = metadata.file_metadata().schema_descr();
    for leaf in (0..descr.num_columns()).filter(|leaf| descr.column(*leaf).physical_type() == Physical::INT96) {
        let name = descr.column(leaf).path().string();
        for group in metadata.row_groups() {
            let file = Arc::new(file.try_clone().map_err(|e| e.to_string())?);
            let rows = usize::try_from(group.num_rows()).map_err(|e| e.to_string())?;
            let pages = SerializedPageReader::new(file, group.column(leaf), rows, None).map_err(|e| e.to_string())?;
            let mut reader = ColumnReaderImpl::<Int96Type>::new(descr.column(leaf), Box::new(pages));
            let (mut values, mut def, mut rep) = (Vec::new(), Vec::new(), Vec::new());
            loop {
                values.clear();
                def.clear();
                rep.clear();
                let read = reader.read_records(BATCH_VALUES, Some(&mut def), Some(&mut rep), &mut values);
                if read.map_err(|e| e.to_string())?.0 == 0 {
                    break;
                }
                if !values.iter().all(|value| range.contains(&nanos(value))) {
                    return Err(format!("column {name} holds a time that is not in the years {years}"));
                }
            }
        }
    }
    Ok(())
}

/// Nanoseconds since 1970.
fn nanos(value: &Int96) -> i128 {
    // The day, of 32 bits with a sign, after the nanoseconds of the day, the lower half first.
    let [low, high, day] = *value.data() else { return i128::MAX };
    let of_day = (i128::from(high) << 32) + i128::from(low);
    (i128::from(day.cast_signed()) - EPOCH_DAY) * NANOS_PER_DAY + of_day
}

#[cfg(test)]
mod tests {
    use crate::{
        governed::fixtures::int96_file,
        publish::fixtures::{publish, read},
    };

    fn published(days: &[Option<u32>]) -> Result<serde_json::Value, String> {
        let dir = tempfile::tempdir().expect("dir");
        let source = dir.path().join("t.parquet");
        std::fs::write(&source, int96_file(days)).expect("written");
        let table = publish(std::slice::from_ref(&source), &dir.path().join("out")).map_err(|e| e.to_string())?;
        assert_eq!(read(&source).num_rows(), days.len());
        assert_eq!(table.schema.columns[1].data_type, "timestamp");
        Ok(serde_json::to_value(&table.files[0].stats).expect("json"))
    }

    #[test]
    fn times_far_from_now_keep_their_place_and_what_no_table_holds_is_refused() {
        let (y1990, y9999, y1) = (2_447_893, 5_373_484, 1_721_426);
        let stats = published(&[Some(y1990), None, Some(y9999)]).expect("published");
        assert_eq!(stats["minValues"]["valid_to"], "1990-01-01T00:00:00.000Z", "{stats}");
        assert!(stats["maxValues"]["valid_to"].as_str().is_none_or(|t| t.starts_with("9999")), "{stats}");
        assert!(published(&[Some(y1), None]).is_ok());
        for day in [y9999 + 1, y1 - 1, 0, u32::MAX, 1 << 31, i32::MAX.unsigned_abs()] {
            let refused = published(&[Some(y1990), Some(day)]).expect_err("refused");
            assert!(refused.contains("valid_to") && refused.contains("years 1 to 9999"), "{refused}");
        }
    }
}
