//! What the tests of publication share.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::Int32Type;
use parquet::arrow::{
    ArrowWriter,
    arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
};

use super::{PublishLimits, PublishOptions, PublishedTable, TableSource, publish_table};
use crate::TablesError;

/// Publishes with the usual limits.
pub(crate) fn publish(sources: &[PathBuf], out: &Path) -> Result<PublishedTable, TablesError> {
    publish_within(sources, out, PublishLimits::default())
}

/// Publishes with these limits.
pub(super) fn publish_within(sources: &[PathBuf], out: &Path, limits: PublishLimits) -> Result<PublishedTable, TablesError> {
    let options = PublishOptions { limits, ..PublishOptions::default() };
    publish_table(&TableSource::Paths(sources.to_vec()), out, &options, &mut |_| ())
}

/// Writes a Parquet file of these columns.
pub(super) fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Writes a small Parquet file with text, missing values and a list.
pub(super) fn sample_parquet(path: &Path) {
    write_parquet(
        path,
        vec![
            ("id", Arc::new(Int64Array::from_iter_values(0..500))),
            ("name", Arc::new((0..500).map(|i| (i % 7 > 0).then(|| format!("n{}", i % 20))).collect::<StringArray>())),
            ("value", Arc::new(Float64Array::from_iter_values((0..500).map(|i| f64::from(i) * 0.5)))),
            (
                "tags",
                Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(
                    (0..500).map(|i| Some((0..i % 3).map(Some).collect::<Vec<_>>())),
                )),
            ),
        ],
    );
}

/// The whole of a Parquet file.
pub(crate) fn read(path: &Path) -> RecordBatch {
    // Arrow's copy of the schema is no part of what was checked.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(fs::File::open(path).unwrap(), options).unwrap();
    reader.with_batch_size(1 << 20).build().unwrap().next().unwrap().unwrap()
}
