//! Publication as a whole: what comes out, and that damaged or forged input never gets through.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, UInt32Array},
    datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType},
};
use parquet::arrow::{
    ArrowWriter,
    arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
};
use serde_json::{Value, json};

use super::*;

fn publish(sources: &[PathBuf], out: &Path) -> Result<PublishedTable, TablesError> {
    publish_table(sources, out, &PublishLimits::default(), &mut |_| ())
}

fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn sample_parquet(path: &Path) {
    write_parquet(
        path,
        vec![
            ("id", Arc::new(Int64Array::from_iter_values(0..500))),
            ("name", Arc::new(StringArray::from_iter((0..500).map(|i| (i % 7 > 0).then(|| format!("n{}", i % 20)))))),
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

fn read(path: &Path) -> RecordBatch {
    // Arrow's copy of the schema is no part of what was checked.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(fs::File::open(path).unwrap(), options).unwrap();
    reader.with_batch_size(1 << 20).build().unwrap().next().unwrap().unwrap()
}

#[test]
fn parquet_is_copied_byte_by_byte_and_described() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("s.parquet");
    sample_parquet(&source);
    let out = dir.path().join("product");
    let mut phases = Vec::new();
    let table = publish_table(std::slice::from_ref(&source), &out, &PublishLimits::default(), &mut |p| phases.push(p.phase)).unwrap();
    let bytes = fs::read(out.join("part-00000.parquet")).unwrap();
    assert_eq!(bytes, fs::read(&source).unwrap());
    assert_eq!(table.size_bytes, bytes.len() as u64);
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    assert_eq!(table.files[0].sha256, hex::encode(hash));
    assert_eq!(table.rows, 500);
    assert!(phases.contains(&Phase::Copying));
    assert_eq!(table.schema.columns[3].data_type["type"], "array");
    assert_eq!(table.profile[3].distinct_estimate, None);
    assert!(!table.files[0].stats.null_count.contains_key("tags"));
    // The publisher may overwrite the source: the product stays.
    fs::write(&source, "gone").unwrap();
    assert_eq!(fs::read(out.join("part-00000.parquet")).unwrap(), bytes);
    // A product never changes.
    sample_parquet(&source);
    assert_eq!(publish(&[source], &out).unwrap_err().kind(), "bad-target");
}

#[test]
fn csv_becomes_parquet_with_every_value() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("trips.csv");
    let text = "\u{feff}code;count;price;country;at;day;ok\r\n\
                007;1;1.50;NA;2024-03-01T08:00:00+08:00;2024-03-01;true\r\n\
                008;NA;;CN;2024-03-01 00:00:01.5Z;;false\r\n\
                \"a;\"\"b\"\"\nc\";-3;1e3;\"\";;2024-02-29;\r\n";
    fs::write(&source, text).unwrap();
    let out = dir.path().join("product");
    let table = publish(&[source], &out).unwrap();
    let kinds: Vec<&str> = table.schema.columns.iter().map(|c| c.data_type.as_str().unwrap()).collect();
    assert_eq!(kinds, ["string", "long", "double", "string", "timestamp", "date", "boolean"]);
    let inferred = table.inferred.unwrap();
    assert_eq!(inferred.delimiter, ';');
    assert_eq!((inferred.columns[1].null_markers, inferred.columns[3].null_markers), (1, 1));

    let batch = read(&out.join("part-00000.parquet"));
    let code = batch.column(0).as_string::<i32>();
    assert_eq!((code.value(0), code.value(2)), ("007", "a;\"b\"\nc"));
    let count = batch.column(1).as_primitive::<Int64Type>();
    assert_eq!((count.value(0), count.is_null(1), count.value(2)), (1, true, -3));
    let price = batch.column(2).as_primitive::<Float64Type>();
    assert!((price.value(2) - 1000.0).abs() < f64::EPSILON && price.is_null(1));
    // Namibia stays.
    assert_eq!(batch.column(3).as_string::<i32>().value(0), "NA");
    assert!(batch.column(3).is_null(2));
    let at = batch.column(4).as_primitive::<TimestampMicrosecondType>();
    assert_eq!((at.value(1) - at.value(0), at.is_null(2)), (1_500_000, true));
}

#[test]
fn several_csv_files_are_typed_together_and_large_output_is_split() {
    let dir = tempfile::tempdir().unwrap();
    let sources = dir.path().join("in");
    fs::create_dir(&sources).unwrap();
    let rows = |from: u64| -> String { (from..from + 30_000).map(|i| format!("{i},{}\n", i.wrapping_mul(0x9e37_79b9))).collect() };
    fs::write(sources.join("a.csv"), format!("k,v\n{}", rows(0))).unwrap();
    fs::write(sources.join("b.csv"), format!("k,v\n{}1.5,x\n", rows(30_000))).unwrap();
    let limits = PublishLimits { target_file_bytes: 64 * 1024, ..PublishLimits::default() };
    let out = dir.path().join("product");
    let table = publish_table(&[sources], &out, &limits, &mut |_| ()).unwrap();
    assert_eq!(table.rows, 60_001);
    assert!(table.files.len() > 1, "{}", table.files.len());
    assert_eq!(table.schema.columns[0].data_type, "double");
    assert_eq!(table.schema.columns[1].data_type, "string");
    for file in &table.files {
        assert_eq!(read(&out.join(&file.name)).num_rows() as u64, file.rows);
    }
}

#[test]
fn csv_that_is_no_table_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let cases: &[(&str, &[u8], u64, &str)] = &[
        ("ragged", b"a,b\n1,2\n3\n", 3, "1 values where the header has 2"),
        ("wide", b"a,b\n1,2\n3,4,5\n", 3, "3 values where the header has 2"),
        ("empty", b"", 1, "the file is empty"),
        ("latin", b"a,b\n1,2\n3,caf\xe9\n", 3, "not UTF-8: byte 4"),
        ("utf16", b"\xff\xfea\0,\0b\0", 1, "UTF-16"),
        ("workbook", b"PK\x03\x04....", 1, "workbook"),
    ];
    for (name, bytes, line, reason) in cases {
        let source = dir.path().join(format!("{name}.csv"));
        fs::write(&source, bytes).unwrap();
        let error = publish(&[source], &dir.path().join("out")).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("{name}.csv, line {line}")) && text.contains(reason), "{text}");
        assert_eq!(error.kind(), "malformed-csv");
        assert!(!dir.path().join("out").exists());
    }
    let latin = publish(&[dir.path().join("latin.csv")], &dir.path().join("out")).unwrap_err();
    assert!(latin.to_string().contains("column \"b\""), "{latin}");
    for header in ["a,a\n1,2\n", "a,\n1,2\n", "a,A\n1,2\n"] {
        let source = dir.path().join("header.csv");
        fs::write(&source, header).unwrap();
        assert_eq!(publish(&[source], &dir.path().join("out")).unwrap_err().kind(), "bad-column-name");
    }
}

#[test]
fn an_unclosed_quote_does_not_swallow_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("q.csv");
    fs::write(&source, format!("a,b\n1,\"{}", "x,y\n".repeat(200_000))).unwrap();
    let limits = PublishLimits { max_csv_record_bytes: 64 * 1024, ..PublishLimits::default() };
    let error = publish_table(&[source], &dir.path().join("out"), &limits, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("is a quote not closed?"), "{error}");
    assert!(error.to_string().contains("line 2"), "{error}");
}

#[test]
fn files_of_different_columns_are_refused_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b, c) = (dir.path().join("a.parquet"), dir.path().join("b.parquet"), dir.path().join("c.csv"));
    write_parquet(&a, vec![("x", Arc::new(Int64Array::from(vec![1])))]);
    write_parquet(&b, vec![("x", Arc::new(Float64Array::from(vec![1.0])))]);
    fs::write(&c, "x\n1\n2\n").unwrap();
    let out = dir.path().join("out");
    let error = publish(&[a.clone(), b], &out).unwrap_err();
    assert_eq!(error.kind(), "schema-mismatch");
    assert!(error.to_string().contains("\"x\" is number instead of whole number"), "{error}");
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
    // Parquet and CSV mix when their columns agree.
    assert_eq!(publish(&[a, c], &out).unwrap().rows, 3);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 2);
}

#[test]
fn unsigned_columns_are_refused_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("u.parquet");
    write_parquet(&source, vec![("port", Arc::new(UInt32Array::from(vec![1])))]);
    let error = publish(&[source], &dir.path().join("out")).unwrap_err().to_string();
    assert!(error.contains("column \"port\"") && error.contains("64-bit signed"), "{error}");
}

#[test]
fn every_truncation_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("s.parquet");
    sample_parquet(&source);
    let whole = fs::read(&source).unwrap();
    for n in 0..50 {
        let cut = dir.path().join("cut.parquet");
        fs::write(&cut, &whole[..whole.len() * n / 50]).unwrap();
        let error = publish(&[cut], &dir.path().join("out")).unwrap_err();
        assert_eq!(error.kind(), "malformed-parquet", "{n}/50: {error}");
    }
    // Cut in the middle, with a whole footer at the end.
    let footer_len = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().unwrap()) as usize;
    let data = whole.len() - 8 - footer_len;
    for n in 0..20 {
        let cut = dir.path().join("hole.parquet");
        fs::write(&cut, [&whole[..data * n / 20], &whole[data..]].concat()).unwrap();
        let error = publish(&[cut], &dir.path().join("out")).unwrap_err();
        assert_eq!(error.kind(), "malformed-parquet", "{n}/20: {error}");
    }
}

#[test]
fn damaged_bytes_give_an_error_or_a_readable_table_but_never_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("s.parquet");
    sample_parquet(&source);
    let whole = fs::read(&source).unwrap();
    let footer_len = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().unwrap()) as usize;
    let footer = whole.len() - 8 - footer_len;
    let mut refused = 0;
    // Every byte of the footer and every eleventh of the data, with the flips that change lengths most.
    let places: Vec<usize> = (0..footer).step_by(11).chain(footer..whole.len()).collect();
    for &at in &places {
        for flip in [0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            let path = dir.path().join("flipped.parquet");
            fs::write(&path, bytes).unwrap();
            let out = dir.path().join("out");
            match publish(&[path], &out) {
                Ok(table) => {
                    let batch = read(&out.join(&table.files[0].name));
                    assert_eq!(batch.num_rows() as u64, table.rows, "byte {at} ^ {flip:#x}");
                    fs::remove_dir_all(&out).unwrap();
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused * 2 > places.len(), "only {refused} of {} refused", places.len() * 2);
}

#[test]
fn forged_footer_lengths_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("s.parquet");
    sample_parquet(&source);
    let whole = fs::read(&source).unwrap();
    for length in [0_u32, 1, 7, u32::try_from(whole.len()).unwrap(), 0x7fff_ffff, u32::MAX] {
        let mut bytes = whole.clone();
        let at = bytes.len() - 8;
        bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
        let path = dir.path().join("forged.parquet");
        fs::write(&path, bytes).unwrap();
        let error = publish(&[path], &dir.path().join("out")).unwrap_err();
        assert!(matches!(error.kind(), "malformed-parquet" | "too-large"), "{length}: {error}");
    }
    let mut encrypted = whole.clone();
    let at = encrypted.len() - 4;
    encrypted[at..].copy_from_slice(b"PARE");
    let path = dir.path().join("encrypted.parquet");
    fs::write(&path, encrypted).unwrap();
    assert!(publish(&[path], &dir.path().join("out")).unwrap_err().to_string().contains("encrypted"));
}

/// The form in which products are stored: change it only by adding fields.
#[test]
fn stored_form_of_a_product() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("t.csv");
    fs::write(&source, "city,n\nSuzhou,1\nHefei,\n").unwrap();
    let mut table = publish(&[source], &dir.path().join("out")).unwrap();
    assert_eq!(table.files[0].sha256.len(), 64);
    // Size and hash depend on the version of the Parquet writer.
    table.files[0].sha256 = "00".into();
    table.files[0].size_bytes = 1;
    table.size_bytes = 1;
    let expected: Value = json!({
        "files": [{"name": "part-00000.parquet", "sizeBytes": 1, "sha256": "00", "rows": 2, "stats": {
            "numRecords": 2, "minValues": {"city": "Hefei", "n": 1}, "maxValues": {"city": "Suzhou", "n": 1},
            "nullCount": {"city": 0, "n": 1}}}],
        "schema": {"columns": [
            {"name": "city", "type": "string", "nullable": true, "description": "text", "sourceType": "CSV"},
            {"name": "n", "type": "long", "nullable": true, "description": "whole number", "sourceType": "CSV"}]},
        "rows": 2,
        "sizeBytes": 1,
        "profile": [
            {"name": "city", "nulls": 0, "min": "Hefei", "max": "Suzhou", "distinctEstimate": 2},
            {"name": "n", "nulls": 1, "min": 1, "max": 1, "distinctEstimate": 1}],
        "inferred": {"delimiter": ",", "nullValues": ["NA"], "columns": [
            {"name": "city", "type": "string", "empty": 0, "nullMarkers": 0},
            {"name": "n", "type": "long", "empty": 1, "nullMarkers": 0}]},
    });
    assert_eq!(serde_json::to_value(&table).unwrap(), expected);
    assert_eq!(serde_json::from_value::<PublishedTable>(expected).unwrap(), table);
}
