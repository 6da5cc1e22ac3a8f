//! The table that is measured: readings of machines, with a column that nobody is shown.

use anyhow::Result;
use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray},
    record_batch::RecordBatch,
};
use fondaco_core::entropy::SeededEntropy;
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

const BATCH: usize = 64 * 1024;
const ROW_GROUP: usize = 256 * 1024;
/// 2027-01-01, in microseconds since 1970.
const BEGIN: i64 = 1_798_761_600_000_000;

/// A table of so many rows in a folder; kept there for the next run.
pub(super) fn written(folder: &Path, rows: usize) -> Result<PathBuf> {
    let file = folder.join(format!("readings-{rows}.parquet"));
    if file.is_file() {
        return Ok(file);
    }
    eprintln!("writing {}", file.display());
    let part = file.with_extension("part");
    let random = SeededEntropy::new(5);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).set_max_row_group_row_count(Some(ROW_GROUP)).build();
    let mut writer = None;
    let mut done = 0;
    while done < rows {
        let batch = batch(done, BATCH.min(rows - done), &random)?;
        done += batch.num_rows();
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(ArrowWriter::try_new(File::create(&part)?, batch.schema(), Some(properties.clone()))?),
        };
        writer.write(&batch)?;
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    fs::rename(part, &file)?;
    Ok(file)
}

fn batch(first: usize, rows: usize, random: &SeededEntropy) -> Result<RecordBatch> {
    let below = |n: u64| random.next_u64() % n;
    #[expect(clippy::cast_precision_loss, reason = "measured values")]
    let real = |n: u64| below(n * 100) as f64 / 100.0;
    let ids = || (first..first + rows).map(|i| i64::try_from(i).unwrap_or(i64::MAX));
    let columns: [(&str, ArrayRef); 8] = [
        ("id", Arc::new(Int64Array::from_iter_values(ids()))),
        ("site", Arc::new(StringArray::from_iter_values((0..rows).map(|_| format!("S{:02}", below(20)))))),
        ("machine", Arc::new(StringArray::from_iter_values((0..rows).map(|_| format!("machine-{:04}", below(1_000)))))),
        ("at", Arc::new(TimestampMicrosecondArray::from_iter_values(ids().map(|i| BEGIN + i * 1_000_000)).with_timezone("UTC"))),
        ("temperature", Arc::new(Float64Array::from_iter_values((0..rows).map(|_| real(100))))),
        ("pressure", Arc::new(Float64Array::from_iter_values((0..rows).map(|_| real(10))))),
        ("ok", Arc::new((0..rows).map(|_| Some(below(50) > 0)).collect::<BooleanArray>())),
        ("secret", Arc::new(StringArray::from_iter_values((0..rows).map(|_| format!("{:016x}", random.next_u64()))))),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    #[test]
    fn it_has_the_rows_it_says() {
        let folder = tempfile::tempdir().expect("folder");
        let file = written(folder.path(), 70_000).expect("written");
        let reader = SerializedFileReader::new(File::open(file).expect("file")).expect("parquet");
        assert_eq!(reader.metadata().file_metadata().num_rows(), 70_000);
    }
}
