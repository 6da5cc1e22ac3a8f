//! Delta tables made by hand: log lines as the protocol gives them, over Parquet files of our own writer.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use roaring::RoaringTreemap;
use serde_json::{Value, json};

use crate::{
    TablesError,
    publish::{
        DataFile, Previous, PublishLimits, PublishOptions, PublishedTable, TableSource,
        fixtures::{read, write_parquet},
        publish_table,
    },
};

/// A table under construction.
struct Lake {
    home: tempfile::TempDir,
    published: std::cell::Cell<u32>,
}

impl Lake {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("t/_delta_log")).unwrap();
        Self { home, published: 0.into() }
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("t")
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir().join("_delta_log").join(name)
    }

    fn commit(&self, version: u64, actions: &[Value]) {
        let lines: String = actions.iter().map(|a| format!("{a}\n")).collect();
        fs::write(self.log(&format!("{version:020}.json")), lines).unwrap();
    }

    /// Writes a file of columns `id` and `name` and gives its `add`.
    fn add(&self, path: &str, ids: std::ops::Range<i64>) -> Value {
        let columns: Vec<(&str, ArrayRef)> = vec![("id", Arc::new(Int64Array::from_iter_values(ids.clone()))), ("name", names(ids))];
        self.add_columns(path, columns)
    }

    fn add_columns(&self, path: &str, columns: Vec<(&str, ArrayRef)>) -> Value {
        let decoded = percent_encoding::percent_decode_str(path).decode_utf8().unwrap().into_owned();
        let file = self.dir().join(&decoded);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        write_parquet(&file, columns);
        let size = fs::metadata(&file).unwrap().len();
        json!({"add": {"path": path, "partitionValues": {}, "size": size, "modificationTime": 1000, "dataChange": true}})
    }

    fn publish_with(&self, options: &PublishOptions) -> Result<(PublishedTable, PathBuf), TablesError> {
        let n = self.published.get();
        self.published.set(n + 1);
        let out = self.home.path().join(format!("out-{n}"));
        let before = self.entries();
        let result = publish_table(&TableSource::Paths(vec![self.dir()]), &out, options, &mut |_| ());
        if result.is_err() {
            assert_eq!(self.entries(), before, "an error leaves nothing");
        }
        result.map(|t| (t, out))
    }

    fn entries(&self) -> Vec<PathBuf> {
        let mut entries: Vec<_> = fs::read_dir(self.home.path()).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        entries
    }

    fn publish(&self) -> Result<(PublishedTable, PathBuf), TablesError> {
        self.publish_with(&PublishOptions::default())
    }

    fn refused(&self) -> TablesError {
        self.publish().map(|(t, _)| t).unwrap_err()
    }
}

fn names(ids: std::ops::Range<i64>) -> ArrayRef {
    Arc::new(ids.map(|i| (i % 3 > 0).then(|| format!("n{i}"))).collect::<StringArray>())
}

fn protocol() -> Value {
    json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})
}

fn features(reader: &[&str]) -> Value {
    json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": reader, "writerFeatures": reader}})
}

fn field(name: &str, data_type: &str) -> Value {
    json!({"name": name, "type": data_type, "nullable": true, "metadata": {}})
}

fn metadata(fields: &[Value], partition: &[&str], configuration: &Value) -> Value {
    let schema = json!({"type": "struct", "fields": fields}).to_string();
    json!({"metaData": {"id": "6a3f6a0e-3d0b-4d8e-9d7b-1f4f0a3c2b11", "format": {"provider": "parquet", "options": {}},
        "schemaString": schema, "partitionColumns": partition, "configuration": configuration, "createdTime": 1}})
}

fn plain() -> Value {
    metadata(&[field("id", "long"), field("name", "string")], &[], &json!({}))
}

fn rows(table: &PublishedTable, out: &Path) -> RecordBatch {
    let batches: Vec<RecordBatch> = table.files.iter().map(|f| read(f.path.as_deref().unwrap_or(&out.join(&f.name)))).collect();
    let batches: Vec<RecordBatch> =
        batches.iter().map(|b| RecordBatch::try_new(batches[0].schema(), b.columns().to_vec()).unwrap()).collect();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

fn ids(batch: &RecordBatch) -> Vec<i64> {
    batch.column_by_name("id").unwrap().as_primitive::<arrow::datatypes::Int64Type>().values().to_vec()
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    batch.column_by_name(column).unwrap().as_string::<i32>().iter().map(|v| v.map(str::to_owned)).collect()
}

fn column_names(table: &PublishedTable) -> Vec<&str> {
    table.schema.columns.iter().map(|c| c.name.as_str()).collect()
}

#[test]
fn a_version_is_published_with_its_files_bytes() {
    let lake = Lake::new();
    let (a, b, c) = (lake.add("a.parquet", 0..10), lake.add("b.parquet", 10..15), lake.add("c.parquet", 20..22));
    lake.commit(0, &[protocol(), plain(), a, b]);
    lake.commit(1, &[json!({"remove": {"path": "b.parquet", "dataChange": true, "deletionTimestamp": 5}}), c]);
    let (table, out) = lake.publish().unwrap();
    assert_eq!(table.delta_version, Some(1));
    assert_eq!(ids(&rows(&table, &out)), (0..10).chain(20..22).collect::<Vec<_>>());
    assert_eq!(fs::read(out.join("part-00000.parquet")).unwrap(), fs::read(lake.dir().join("a.parquet")).unwrap());
    assert_eq!((table.rows, table.profile[0].max.clone()), (12, Some(json!(21))));
    // Time travel.
    let at = |v| PublishOptions { delta_version: Some(v), ..PublishOptions::default() };
    let (table, out) = lake.publish_with(&at(0)).unwrap();
    assert_eq!((table.delta_version, ids(&rows(&table, &out))), (Some(0), (0..15).collect()));
    let error = lake.publish_with(&at(2)).unwrap_err();
    assert_eq!(error.kind(), "no-such-version");
    assert!(error.to_string().contains("versions 0 to 1"), "{error}");
    // In place nothing is copied.
    let (table, out) = lake.publish_with(&PublishOptions { in_place: true, ..PublishOptions::default() }).unwrap();
    assert!(
        table
            .files
            .iter()
            .all(|f| f.path.as_ref().is_some_and(|p| p.is_absolute() && p.starts_with(fs::canonicalize(lake.dir()).unwrap())))
    );
    assert_eq!(ids(&rows(&table, &out)).len(), 12);
    assert!(fs::read_dir(&out).unwrap().all(|e| e.unwrap().file_name() == ".columns.json"));
}

#[test]
fn partitions_become_columns_with_their_types_and_nulls() {
    let lake = Lake::new();
    let fields = [field("day", "date"), field("id", "long"), field("site", "string"), field("name", "string"), field("n", "integer")];
    let mut adds = vec![protocol(), metadata(&fields, &["day", "site", "n"], &json!({}))];
    let cases = [
        ("day=2024-01-02/site=Su%20zhou/x.parquet", json!({"day": "2024-01-02", "site": "Su zhou", "n": "7"})),
        ("day=__HIVE_DEFAULT_PARTITION__/y.parquet", json!({"day": null, "site": "", "n": null})),
        ("site=%E8%8B%8F%253A%23%3F/z.parquet", json!({"day": "1969-12-31", "site": "苏:#?", "n": "-1"})),
    ];
    for (i, (path, partition)) in cases.iter().enumerate() {
        let start = i64::try_from(i).unwrap() * 10;
        let mut add = lake.add(path, start..start + 2);
        add["add"]["partitionValues"] = partition.clone();
        add["add"]["modificationTime"] = json!(i);
        adds.push(add);
    }
    lake.commit(0, &adds);
    let (table, out) = lake.publish().unwrap();
    assert_eq!(column_names(&table), ["day", "id", "site", "name", "n"]);
    assert_eq!(table.schema.columns[0].data_type, "date");
    let all = rows(&table, &out);
    assert_eq!(ids(&all), [0, 1, 10, 11, 20, 21]);
    let some = |s: &str| Some(s.to_owned());
    // The protocol: an empty text is a missing value.
    assert_eq!(texts(&all, "site"), [some("Su zhou"), some("Su zhou"), None, None, some("苏:#?"), some("苏:#?")]);
    let n: Vec<_> = all.column_by_name("n").unwrap().as_primitive::<arrow::datatypes::Int32Type>().iter().collect();
    assert_eq!(n, [Some(7), Some(7), None, None, Some(-1), Some(-1)]);
    // Clients skip files by them.
    assert_eq!(table.files[0].stats.min_values["day"], "2024-01-02");
    assert_eq!(table.files[0].stats.max_values["n"], 7);
    assert_eq!(table.files[1].stats.null_count["day"], 2);
    assert_eq!(table.profile[0].min, Some(json!("1969-12-31")));
}

/// Base 85 as ZeroMQ writes it ("Z85"), which Delta uses for vectors and names.
fn z85(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    let mut text = String::new();
    for chunk in bytes.chunks(4) {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        let value = u32::from_be_bytes(word);
        text.extend((0..5).rev().map(|i| char::from(DIGITS[(value / 85_u32.pow(i) % 85) as usize])));
    }
    text
}

/// A vector as it is stored, with its magic number.
fn vector(rows: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut bytes = 1_681_511_377_u32.to_le_bytes().to_vec();
    rows.into_iter().collect::<RoaringTreemap>().serialize_into(&mut bytes).unwrap();
    bytes
}

fn inline(rows: &[u64]) -> Value {
    let mut bytes = vector(rows.iter().copied());
    let size = bytes.len();
    bytes.resize(size.div_ceil(4) * 4, 0);
    json!({"storageType": "i", "pathOrInlineDv": z85(&bytes), "sizeInBytes": size, "cardinality": rows.len()})
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes
        .iter()
        .fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xedb8_8320 } else { c >> 1 }))
}

/// Writes a file of one vector and gives its description.
fn stored(lake: &Lake, rows: &[u64]) -> Value {
    let uuid = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef";
    let data = vector(rows.iter().copied());
    let mut file = vec![1];
    file.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    file.extend(&data);
    file.extend(crc32(&data).to_be_bytes());
    fs::create_dir_all(lake.dir().join("ab")).unwrap();
    fs::write(lake.dir().join("ab/deletion_vector_01234567-89ab-cdef-0123-456789abcdef.bin"), file).unwrap();
    json!({"storageType": "u", "pathOrInlineDv": format!("ab{}", z85(&uuid)), "offset": 1, "sizeInBytes": data.len(), "cardinality": rows.len()})
}

fn with_vectors(lake: &Lake, vectors: [Value; 3]) {
    let mut actions = vec![
        features(&["deletionVectors"]),
        metadata(&[field("id", "long"), field("name", "string")], &[], &json!({"delta.enableDeletionVectors": "true"})),
    ];
    for (i, vector) in vectors.into_iter().enumerate() {
        let start = i64::try_from(i).unwrap() * 100;
        let mut add = lake.add(&format!("{i}.parquet"), start..start + 4);
        if !vector.is_null() {
            add["add"]["deletionVector"] = vector;
        }
        actions.push(add);
    }
    lake.commit(0, &actions);
}

#[test]
fn deleted_rows_never_leave() {
    let lake = Lake::new();
    with_vectors(&lake, [inline(&[1, 3]), stored(&lake, &[0]), inline(&[0, 1, 2, 3])]);
    let (table, out) = lake.publish().unwrap();
    assert_eq!(ids(&rows(&table, &out)), [0, 2, 101, 102, 103]);
    // Of the third file nothing is left, and nothing of it is there.
    let names: Vec<&str> = table.files.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["part-00000.parquet", "part-00001.parquet"]);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 3);
    assert_eq!((table.rows, table.profile[0].max.clone()), (5, Some(json!(103))));
    for file in &table.files {
        let bytes = fs::read(out.join(&file.name)).unwrap();
        assert!(!bytes.windows(4).any(|w| w == b"n100"), "a deleted value");
    }
    // In place too: such a file cannot stay as it is.
    let (table, _) = lake.publish_with(&PublishOptions { in_place: true, ..PublishOptions::default() }).unwrap();
    assert!(table.files.iter().all(|f| f.path.is_none()));
}

#[test]
fn wrong_vectors_are_refused() {
    let with = |change: &dyn Fn(&mut Value)| {
        let lake = Lake::new();
        let mut vector = stored(&lake, &[0]);
        change(&mut vector);
        with_vectors(&lake, [vector, Value::Null, Value::Null]);
        lake.refused()
    };
    assert!(with(&|v| v["cardinality"] = json!(2)).to_string().contains("deletes 1 rows, its log says 2"));
    assert_eq!(with(&|v| *v = inline(&[4])).kind(), "malformed-delta");
    assert_eq!(with(&|v| *v = inline(&[u64::MAX - 1])).kind(), "malformed-delta");
    assert_eq!(with(&|v| v["offset"] = json!(5)).kind(), "malformed-delta");
    assert_eq!(with(&|v| v["sizeInBytes"] = json!(7)).kind(), "malformed-delta");
    let elsewhere = z85(b"\0\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef");
    let error = with(&|v| v["pathOrInlineDv"] = json!(elsewhere));
    assert_eq!(error.kind(), "missing-file");
    assert!(error.to_string().contains("deletion_vector_00234567-"), "{error}");
    for absolute in ["file:///etc/passwd", "https://127.0.0.1:9/v.bin?X-Amz-Signature=a", "/etc/passwd"] {
        let error = with(&|v| {
            v["storageType"] = json!("p");
            v["pathOrInlineDv"] = json!(absolute);
        });
        assert!(error.to_string().contains("not below the table"), "{error}");
    }
    assert_eq!(with(&|v| v["storageType"] = json!("z")).kind(), "malformed-delta");
}

#[test]
fn mapped_columns_have_their_logical_names() {
    for mode in ["name", "id"] {
        let lake = Lake::new();
        let mapped = |name: &str, physical: &str, id: u32, data_type: Value| {
            json!({"name": name, "type": data_type, "nullable": true,
                "metadata": {"delta.columnMapping.id": id, "delta.columnMapping.physicalName": physical}})
        };
        // Swapped, so that names alone would lie.
        let fields =
            [mapped("id", "col-1", 1, json!("long")), mapped("名 称", "id", 2, json!("string")), mapped("p", "col-3", 3, json!("string"))];
        let configuration = json!({"delta.columnMapping.mode": mode, "delta.columnMapping.maxColumnId": "3"});
        let columns: Vec<(&str, ArrayRef)> = vec![("id", names(0..4)), ("col-1", Arc::new(Int64Array::from_iter_values(0..4)))];
        let mut add = lake.add_columns("f.parquet", columns);
        add["add"]["partitionValues"] = json!({"col-3": "x"});
        lake.commit(0, &[features(&["columnMapping"]), metadata(&fields, &["p"], &configuration), add]);
        let (table, out) = lake.publish().unwrap();
        assert_eq!(column_names(&table), ["id", "名 称", "p"], "{mode}");
        let all = rows(&table, &out);
        assert_eq!(all.schema().fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), ["id", "名 称", "p"]);
        assert_eq!(ids(&all), [0, 1, 2, 3]);
        assert_eq!(texts(&all, "名 称")[1].as_deref(), Some("n1"));
        assert_eq!(texts(&all, "p"), vec![Some("x".to_owned()); 4]);
    }
}

#[test]
fn files_older_than_a_column_have_it_empty_and_narrow_types_are_widened() {
    let lake = Lake::new();
    let old = lake.add_columns("old.parquet", vec![("id", Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef)]);
    let mut new = lake.add("new.parquet", 5..7);
    new["add"]["modificationTime"] = json!(2000);
    let id = json!({"name": "id", "type": "long", "nullable": true, "metadata": {"delta.typeChanges": [{"fromType": "integer", "toType": "long"}]}});
    let configuration = json!({"delta.enableTypeWidening": "true"});
    lake.commit(0, &[features(&["typeWidening"]), metadata(&[id, field("name", "string")], &[], &configuration), old, new]);
    let (table, out) = lake.publish().unwrap();
    let all = rows(&table, &out);
    assert_eq!(ids(&all), [1, 2, 5, 6]);
    assert_eq!(texts(&all, "name"), [None, None, Some("n5".to_owned()), None]);
    // Only the file that needs it was written anew.
    assert_eq!(fs::read(out.join(&table.files[1].name)).unwrap(), fs::read(lake.dir().join("new.parquet")).unwrap());
}

/// Writes an `add` as checkpoints keep it.
fn write_adds(path: &Path, add: &Value) {
    let entries =
        Field::new_struct("key_value", vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)], false);
    let add_type = Fields::from(vec![
        Field::new("path", DataType::Utf8, false),
        Field::new("partitionValues", DataType::Map(Arc::new(entries), false), false),
        Field::new("size", DataType::Int64, false),
        Field::new("modificationTime", DataType::Int64, false),
        Field::new("dataChange", DataType::Boolean, false),
    ]);
    let schema = Arc::new(Schema::new(vec![Field::new("add", DataType::Struct(add_type), true)]));
    let mut decoder = arrow::json::ReaderBuilder::new(schema).build_decoder().unwrap();
    decoder.decode(json!({ "add": add }).to_string().as_bytes()).unwrap();
    let batch = decoder.flush().unwrap().unwrap();
    write_parquet(path, vec![("add", Arc::clone(batch.column(0)))]);
}

#[test]
fn a_checkpoint_stands_for_the_commits_before_it() {
    let lake = Lake::new();
    let (a, b) = (lake.add("a.parquet", 0..3), lake.add("b.parquet", 3..5));
    // Version 2, whose top may be JSON.
    let configuration = json!({"delta.checkpointPolicy": "v2"});
    let meta = metadata(&[field("id", "long"), field("name", "string")], &[], &configuration);
    let top = "00000000000000000003.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json";
    let lines = [json!({"checkpointMetadata": {"version": 3}}), features(&["v2Checkpoint"]), meta.clone(), a];
    fs::write(lake.log(top), lines.iter().map(|l| format!("{l}\n")).collect::<String>()).unwrap();
    lake.commit(3, &[json!({"commitInfo": {}})]);
    lake.commit(4, &[b]);
    let (table, out) = lake.publish().unwrap();
    assert_eq!((table.delta_version, ids(&rows(&table, &out))), (Some(4), vec![0, 1, 2, 3, 4]));
    // The files told of by a part beside it, in Parquet.
    fs::create_dir_all(lake.log("_sidecars")).unwrap();
    let part = lake.log("_sidecars/3a0d65cd-4056-49b8-937b-95f9e3ee90e5.parquet");
    write_adds(&part, &lines[3]["add"]);
    let sidecar = json!({"sidecar": {"path": part.file_name().unwrap().to_str(), "sizeInBytes": fs::metadata(&part).unwrap().len(), "modificationTime": 1}});
    fs::write(lake.log(top), lines[..3].iter().chain([&sidecar]).map(|l| format!("{l}\n")).collect::<String>()).unwrap();
    let (again, again_out) = lake.publish().unwrap();
    assert_eq!(ids(&rows(&again, &again_out)), [0, 1, 2, 3, 4]);
    // The kernel would trust its lengths.
    let sound = fs::read(&part).unwrap();
    for cut in [sound.len() / 2, sound.len() - 1] {
        fs::write(&part, &sound[..cut]).unwrap();
        assert_eq!(lake.refused().kind(), "malformed-parquet");
    }
    fs::write(&part, sound).unwrap();
    // A part elsewhere is not fetched.
    for bad in ["https://127.0.0.1:9/x.parquet?X-Amz-Signature=a", "file:///etc/passwd", "../../../etc/passwd"] {
        let part = json!({"sidecar": {"path": bad, "sizeInBytes": 10, "modificationTime": 1}});
        let text: String = lines.iter().chain([&part]).map(|l| format!("{l}\n")).collect();
        fs::write(lake.log(top), text).unwrap();
        let error = lake.refused();
        assert!(["malformed-delta", "missing-file"].contains(&error.kind()), "{bad}: {error}");
    }
    fs::remove_file(lake.log(top)).unwrap();
    let error = lake.refused();
    assert!(error.to_string().contains("00000000000000000000.json is missing"), "{error}");
}

#[test]
fn hostile_and_broken_logs_are_refused() {
    let with = |change: &dyn Fn(&Lake, &mut Value)| {
        let lake = Lake::new();
        let mut add = lake.add("a.parquet", 0..3);
        change(&lake, &mut add);
        lake.commit(0, &[protocol(), plain(), add]);
        lake.refused()
    };
    for path in [
        "/etc/passwd",
        "../outside.parquet",
        "a/../../b",
        "file:///etc/passwd",
        "s3://b/k",
        "https://h/x?sp=r",
        "%2e%2e%2fx",
        "a//b",
        ".",
        "",
    ] {
        let error = with(&|_, add| add["add"]["path"] = json!(path));
        assert_eq!(error.kind(), "malformed-delta", "{path}: {error}");
    }
    let error = with(&|_, add| add["add"]["path"] = json!("gone%20away.parquet"));
    assert_eq!(error.kind(), "missing-file");
    assert!(error.to_string().contains("gone away.parquet is missing"), "{error}");
    assert_eq!(with(&|_, add| add["add"]["size"] = json!(7)).kind(), "malformed-delta");
    assert_eq!(with(&|_, add| add["add"]["size"] = json!(-7)).kind(), "malformed-delta");
    let error = with(&|lake, add| {
        let file = lake.dir().join("a.parquet");
        let size = fs::metadata(&file).unwrap().len();
        fs::write(&file, vec![b'x'; usize::try_from(size).unwrap()]).unwrap();
        add["add"]["size"] = json!(size);
    });
    assert_eq!(error.kind(), "malformed-parquet");
    #[cfg(unix)]
    {
        let outside = tempfile::tempdir().unwrap();
        let secret = outside.path().join("secret.parquet");
        write_parquet(&secret, vec![("id", Arc::new(Int64Array::from(vec![1])))]);
        let error = with(&|lake, add| {
            fs::remove_file(lake.dir().join("a.parquet")).unwrap();
            std::os::unix::fs::symlink(&secret, lake.dir().join("a.parquet")).unwrap();
            add["add"]["size"] = json!(fs::metadata(&secret).unwrap().len());
        });
        assert!(error.to_string().contains("symbolic link"), "{error}");
    }

    let lake = Lake::new();
    lake.commit(0, &[features(&["deletionVectors", "timeFolding"]), plain(), lake.add("a.parquet", 0..3)]);
    let error = lake.refused();
    assert_eq!(error.kind(), "unsupported-delta", "{error}");
    assert!(error.to_string().contains("timeFolding"), "{error}");
    lake.commit(0, &[json!({"protocol": {"minReaderVersion": 9, "minWriterVersion": 9}}), plain()]);
    let error = lake.refused();
    assert_eq!(error.kind(), "unsupported-delta", "{error}");
    assert!(error.to_string().contains('9'), "{error}");
    fs::write(lake.log("00000000000000000000.json"), "{\"add\": {").unwrap();
    assert_eq!(lake.refused().kind(), "malformed-delta");
    lake.commit(0, &[plain()]);
    assert_eq!(lake.refused().kind(), "malformed-delta");
    lake.commit(0, &[protocol(), metadata(&[field("id", "quaternion")], &[], &json!({}))]);
    assert!(["malformed-delta", "unsupported-delta"].contains(&lake.refused().kind()));
}

#[test]
fn too_many_files_and_company_are_refused() {
    let lake = Lake::new();
    let adds = [lake.add("a.parquet", 0..1), lake.add("b.parquet", 1..2), lake.add("c.parquet", 2..3)];
    lake.commit(0, &[vec![protocol(), plain()], adds.to_vec()].concat());
    let limits = PublishLimits { max_files: 2, ..PublishLimits::default() };
    let error = lake.publish_with(&PublishOptions { limits, ..PublishOptions::default() }).unwrap_err();
    assert!(error.to_string().contains("OPTIMIZE"), "{error}");
    let (both, out) = (vec![lake.dir(), lake.dir().join("a.parquet")], lake.home.path().join("out"));
    let error = publish_table(&TableSource::Paths(both), &out, &PublishOptions::default(), &mut |_| ()).unwrap_err();
    assert_eq!(error.kind(), "bad-source");
    // A version is asked for where there are none.
    let options = PublishOptions { delta_version: Some(1), ..PublishOptions::default() };
    let error = publish_table(&TableSource::Paths(vec![lake.dir().join("a.parquet")]), &out, &options, &mut |_| ()).unwrap_err();
    assert_eq!(error.kind(), "bad-source");
}

#[test]
fn an_empty_table_is_a_product() {
    let lake = Lake::new();
    lake.commit(0, &[protocol(), plain()]);
    let (table, out) = lake.publish().unwrap();
    assert_eq!((table.rows, table.files.len(), table.schema.columns.len(), table.profile.len()), (0, 0, 2, 2));
    assert!(out.is_dir());
}

fn following(table: &PublishedTable, out: &Path) -> PublishOptions {
    PublishOptions { previous: Some(Previous { dir: out.into(), files: table.files.clone() }), ..PublishOptions::default() }
}

fn without_names(table: &PublishedTable) -> BTreeMap<&str, &DataFile> {
    table.files.iter().map(|f| (f.sha256.as_str(), f)).collect()
}

#[test]
fn a_following_version_reads_only_what_is_new() {
    let lake = Lake::new();
    with_vectors(&lake, [inline(&[1]), Value::Null, Value::Null]);
    let (first, first_out) = lake.publish().unwrap();
    let mut add = lake.add("new.parquet", 1_000..1_003);
    add["add"]["modificationTime"] = json!(5_000);
    lake.commit(1, &[add]);
    // What is not read again need not be readable: only its time and size are looked at.
    let old = lake.dir().join("2.parquet");
    let times = fs::metadata(&old).unwrap().modified().unwrap();
    let sound = fs::read(&old).unwrap();
    fs::write(&old, vec![0; sound.len()]).unwrap();
    fs::File::options().write(true).open(&old).unwrap().set_modified(times).unwrap();
    let (second, second_out) = lake.publish_with(&following(&first, &first_out)).unwrap();
    fs::write(&old, sound).unwrap();
    fs::File::options().write(true).open(&old).unwrap().set_modified(times).unwrap();
    assert_eq!(ids(&rows(&second, &second_out)).len(), 14);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let inode = |out: &Path, n: usize| fs::metadata(out.join(format!("part-{n:05}.parquet"))).unwrap().ino();
        assert!((0..3).all(|n| inode(&first_out, n) == inode(&second_out, n)));
    }
    // The same as if all had been read.
    let (whole, _) = lake.publish().unwrap();
    assert_eq!(second, whole);
    assert_eq!(second.profile[0].distinct_estimate, Some(14));

    // A file goes: what is left is certain, and says less.
    lake.commit(2, &[json!({"remove": {"path": "0.parquet", "dataChange": true, "deletionTimestamp": 5, "deletionVector": inline(&[1])}})]);
    let (third, third_out) = lake.publish_with(&following(&second, &second_out)).unwrap();
    let (whole, _) = lake.publish().unwrap();
    assert_eq!(without_names(&third).keys().collect::<Vec<_>>(), without_names(&whole).keys().collect::<Vec<_>>());
    assert_eq!(third.profile[0].distinct_estimate, None);
    for (mine, theirs) in third.profile.iter().zip(&whole.profile) {
        assert_eq!((&mine.name, mine.nulls, &mine.min, &mine.max), (&theirs.name, theirs.nulls, &theirs.min, &theirs.max));
    }
    // And is not taken for certain by the next.
    let (fourth, _) = lake.publish_with(&following(&third, &third_out)).unwrap();
    assert_eq!(fourth.profile, third.profile);
    // What was changed in place is read again.
    fs::write(
        lake.dir().join("new.parquet"),
        vec![0; usize::try_from(fs::metadata(lake.dir().join("new.parquet")).unwrap().len()).unwrap()],
    )
    .unwrap();
    assert_eq!(lake.publish_with(&following(&third, &third_out)).unwrap_err().kind(), "malformed-parquet");
}

#[test]
fn a_following_version_does_without_what_is_lost() {
    let lake = Lake::new();
    lake.commit(0, &[protocol(), plain(), lake.add("a.parquet", 0..3), lake.add("b.parquet", 3..5)]);
    let (first, first_out) = lake.publish().unwrap();
    fs::remove_file(first_out.join("part-00001.parquet")).unwrap();
    let (second, out) = lake.publish_with(&following(&first, &first_out)).unwrap();
    assert_eq!(ids(&rows(&second, &out)), [0, 1, 2, 3, 4]);
    fs::write(first_out.join(".columns.json"), "{}").unwrap();
    let (third, _) = lake.publish_with(&following(&first, &first_out)).unwrap();
    assert_eq!(third.files, first.files);
    // Another table's files are not ours, whatever their log says.
    let other = Lake::new();
    other.commit(0, &[protocol(), plain(), other.add("a.parquet", 0..3), other.add("b.parquet", 3..5)]);
    let (table, _) = other.publish_with(&following(&second, &out)).unwrap();
    assert!(table.files.iter().zip(&second.files).all(|(a, b)| a.origin != b.origin));
    assert!(!rows(&second, &out).column(0).is_null(0));
}
