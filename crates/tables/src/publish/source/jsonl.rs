//! JSON Lines files (`.jsonl`, `.ndjson`, and `.json` where every line is an object): read twice, once to
//! find the types, once to write Parquet.
//!
//! JSON tells numbers from texts, so a text stays text, with one exception as in CSV: a column whose every
//! text is an ISO 8601 date or timestamp. A whole number among fractions is a fraction; values of several
//! kinds become text, in JSON's own spelling. Objects become groups, arrays become lists. Whole numbers
//! beyond 64 bits are read as fractions, as JSON's readers do.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    sync::Arc,
};

use arrow::{
    datatypes::{DataType, Field, Fields, Schema},
    json::{ReaderBuilder, reader::Decoder},
};
use serde_json::{Map, Value};

use super::{
    super::{Phase, Progress, PublishLimits, Work},
    Source, SourceFile,
    csv::{BATCH_BYTES, BATCH_ROWS, arrow_type},
    infer::{CsvType, EXACT_IN_FLOAT, Parsed, parse},
    part::PartWriter,
};
use crate::TablesError;

/// Lines between two reports of progress.
const REPORT_LINES: u64 = 64 * 1024;

/// JSON Lines files to publish, typed together.
pub(super) struct JsonLinesSource {
    files: Vec<SourceFile>,
}

impl JsonLinesSource {
    pub(super) fn new(files: Vec<SourceFile>) -> Self {
        Self { files }
    }
}

impl Source for JsonLinesSource {
    fn publish(&mut self, work: &mut Work<'_>) -> Result<(), TablesError> {
        let mut found = Group::default();
        let mut fields = 0;
        for file in &self.files {
            let mut lines = Lines::open(file, work.limits())?;
            while let Some(object) = lines.next()? {
                found.see(object, 1, &mut fields, work.limits()).map_err(|problem| lines.problem(problem))?;
                if lines.number.is_multiple_of(REPORT_LINES) {
                    work.report(Progress::of(Phase::InferringTypes, file.name(), lines.bytes, file.size))?;
                }
            }
        }
        let name = self.files.first().map(SourceFile::name).unwrap_or_default();
        if found.fields.is_empty() {
            return Err(TablesError::Empty(format!("{name} holds no object with a value")));
        }
        let types = found.result();
        let schema = Arc::new(Schema::new(arrow_fields(&types)));
        let mut parts = PartWriter::begin(&name, Arc::clone(&schema), &vec!["JSON".into(); types.len()], work)?;
        let mut decoder = ReaderBuilder::new(schema)
            .with_batch_size(BATCH_ROWS)
            .build_decoder()
            .map_err(|e| TablesError::Write { file: name, reason: e.to_string() })?;
        for file in &self.files {
            let mut lines = Lines::open(file, work.limits())?;
            let mut written = 0;
            while let Some(object) = lines.next()? {
                let row = as_group(&types, object).map_err(|(column, reason)| lines.error(Some(column), reason.into()))?;
                decoder.serialize(&[row]).map_err(|e| lines.error(None, e.to_string()))?;
                if decoder.len() >= BATCH_ROWS || lines.bytes - written >= BATCH_BYTES as u64 {
                    written = lines.bytes;
                    flush(&mut decoder, &mut parts, work, &lines)?;
                }
                if lines.number.is_multiple_of(REPORT_LINES) {
                    work.report(Progress::of(Phase::Converting, file.name(), lines.bytes, file.size))?;
                }
            }
            flush(&mut decoder, &mut parts, work, &lines)?;
        }
        parts.finish(work)
    }
}

fn flush(decoder: &mut Decoder, parts: &mut PartWriter, work: &mut Work<'_>, lines: &Lines) -> Result<(), TablesError> {
    match decoder.flush().map_err(|e| lines.error(None, e.to_string()))? {
        Some(batch) => parts.write(&batch, work),
        None => Ok(()),
    }
}

/// The lines of a file.
struct Lines {
    file: String,
    input: BufReader<File>,
    line: Vec<u8>,
    /// The line last read, counted from 1.
    number: u64,
    /// Bytes read so far.
    bytes: u64,
    most: u64,
}

impl Lines {
    fn open(file: &SourceFile, limits: &PublishLimits) -> Result<Self, TablesError> {
        let input = BufReader::new(File::open(&file.path).map_err(TablesError::io("reading", &file.path))?);
        Ok(Self { file: file.name(), input, line: Vec::new(), number: 0, bytes: 0, most: limits.max_csv_record_bytes })
    }

    /// The next line that is not blank, as an object.
    fn next(&mut self) -> Result<Option<Map<String, Value>>, TablesError> {
        loop {
            self.line.clear();
            let read = self.input.by_ref().take(self.most + 1).read_until(b'\n', &mut self.line);
            let read = read.map_err(TablesError::io("reading", &self.file))? as u64;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.bytes += read;
            if read > self.most {
                return Err(self.error(None, format!("a line of more than {} bytes; is it one object per line?", self.most)));
            }
            let mut text = self.line.as_slice();
            if self.number == 1 {
                text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            }
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let value: Value = serde_json::from_slice(text.trim_ascii_end()).map_err(|e| self.not_json(&e))?;
            return match value {
                Value::Object(object) => Ok(Some(object)),
                other => Err(self.error(None, format!("{} where an object was expected; write one object per line", kind_words(&other)))),
            };
        }
    }

    fn not_json(&self, error: &serde_json::Error) -> TablesError {
        let hint = if error.is_eof() { "; write one whole object per line" } else { "" };
        // The position within the line; its line number is always 1.
        let reason = error.to_string();
        let what = reason.split(" at line ").next().unwrap_or_default();
        self.error(None, format!("not JSON at character {}: {what}{hint}", error.column()))
    }

    fn error(&self, column: Option<String>, reason: String) -> TablesError {
        TablesError::MalformedJson { file: self.file.clone(), line: self.number, column, reason }
    }

    fn problem(&self, problem: Problem) -> TablesError {
        match problem {
            Problem::Columns(most) => TablesError::TooLarge {
                subject: format!("{}, line {}", self.file, self.number),
                reason: format!("more than {most} columns with those in groups; at most {most} are supported"),
            },
            Problem::Depth(most) => TablesError::TooLarge {
                subject: format!("{}, line {}", self.file, self.number),
                reason: format!("nested more than {most} deep"),
            },
        }
    }
}

fn kind_words(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[derive(Clone, Copy)]
enum Problem {
    Columns(usize),
    Depth(usize),
}

/// What the values of an object's fields have been so far, in the order in which they were first seen.
#[derive(Default)]
struct Group {
    fields: Vec<(String, Found)>,
    places: std::collections::HashMap<String, usize>,
}

/// What the values of one field have been so far.
#[derive(Default)]
struct Found {
    scalar: Option<CsvType>,
    /// A whole number too large to be exact among fractions.
    large_int: bool,
    group: Option<Group>,
    list: Option<Box<Found>>,
}

/// The type of a field.
enum JsonType {
    Scalar(CsvType),
    Group(Vec<(String, JsonType)>),
    List(Box<JsonType>),
}

impl Group {
    fn see(&mut self, object: Map<String, Value>, depth: usize, fields: &mut usize, limits: &PublishLimits) -> Result<(), Problem> {
        for (name, value) in object {
            let place = match self.places.get(&name) {
                Some(place) => *place,
                None => {
                    *fields += 1;
                    if *fields > limits.max_columns {
                        return Err(Problem::Columns(limits.max_columns));
                    }
                    self.places.insert(name.clone(), self.fields.len());
                    self.fields.push((name, Found::default()));
                    self.fields.len() - 1
                }
            };
            self.fields[place].1.see(value, depth, fields, limits)?;
        }
        Ok(())
    }

    fn result(&self) -> Vec<(String, JsonType)> {
        self.fields.iter().map(|(name, found)| (name.clone(), found.result())).collect()
    }
}

impl Found {
    fn see(&mut self, value: Value, depth: usize, fields: &mut usize, limits: &PublishLimits) -> Result<(), Problem> {
        if depth > limits.max_depth {
            return Err(Problem::Depth(limits.max_depth));
        }
        let kind = match value {
            Value::Null => return Ok(()),
            Value::Object(object) => return self.group.get_or_insert_default().see(object, depth + 1, fields, limits),
            Value::Array(items) => {
                let list = self.list.get_or_insert_default();
                return items.into_iter().try_for_each(|item| list.see(item, depth + 1, fields, limits));
            }
            Value::Bool(_) => CsvType::Bool,
            Value::Number(number) => match (number.as_i64(), number.is_u64()) {
                (Some(whole), _) => {
                    self.large_int |= whole.unsigned_abs() > EXACT_IN_FLOAT;
                    CsvType::Int
                }
                // Between 63 and 64 bits no type but text keeps it.
                (None, true) => CsvType::Text,
                (None, false) => CsvType::Float,
            },
            Value::String(text) => match parse(&text) {
                Parsed::Date(_) => CsvType::Date,
                Parsed::Timestamp(_) => CsvType::Timestamp,
                Parsed::TimestampNtz(_) => CsvType::TimestampNtz,
                _ => CsvType::Text,
            },
        };
        self.scalar = Some(match (self.scalar, kind) {
            (None, kind) => kind,
            (Some(a), b) if a == b => a,
            (Some(CsvType::Int), CsvType::Float) | (Some(CsvType::Float), CsvType::Int) => CsvType::Float,
            _ => CsvType::Text,
        });
        Ok(())
    }

    fn result(&self) -> JsonType {
        match (self.scalar, &self.group, &self.list) {
            (None, Some(group), None) if !group.fields.is_empty() => JsonType::Group(group.result()),
            (None, None, Some(items)) => JsonType::List(Box::new(items.result())),
            (Some(CsvType::Float), None, None) if self.large_int => JsonType::Scalar(CsvType::Text),
            (Some(kind), None, None) => JsonType::Scalar(kind),
            // Values of several kinds, objects without fields, and columns without any value.
            _ => JsonType::Scalar(CsvType::Text),
        }
    }
}

fn arrow_fields(types: &[(String, JsonType)]) -> Fields {
    types.iter().map(|(name, kind)| Field::new(name, arrow_of(kind), true)).collect()
}

fn arrow_of(kind: &JsonType) -> DataType {
    match kind {
        JsonType::Scalar(kind) => arrow_type(*kind),
        JsonType::Group(fields) => DataType::Struct(arrow_fields(fields)),
        JsonType::List(items) => DataType::List(Arc::new(Field::new_list_field(arrow_of(items), true))),
    }
}

/// Which column does not fit, and why.
type Misfit = (String, &'static str);

/// An object with the values as the decoder takes them.
fn as_group(types: &[(String, JsonType)], mut object: Map<String, Value>) -> Result<Value, Misfit> {
    let mut row = Map::new();
    for (name, kind) in types {
        if let Some(value) = object.remove(name) {
            row.insert(name.clone(), as_type(kind, value).map_err(|reason| (name.clone(), reason))?);
        }
    }
    match object.keys().next() {
        Some(name) => Err((name.clone(), CHANGED)),
        None => Ok(Value::Object(row)),
    }
}

const CHANGED: &str = "the value does not have the type found for its column; did the file change meanwhile?";

/// A value as the decoder takes it: days and microseconds for dates and timestamps, JSON's text for what is no text
/// in a column of text.
fn as_type(kind: &JsonType, value: Value) -> Result<Value, &'static str> {
    Ok(match (kind, value) {
        (_, Value::Null) => Value::Null,
        (JsonType::Group(fields), Value::Object(object)) => as_group(fields, object).map_err(|(_, reason)| reason)?,
        (JsonType::List(items), Value::Array(values)) => {
            Value::Array(values.into_iter().map(|v| as_type(items, v)).collect::<Result<_, _>>()?)
        }
        (JsonType::Scalar(CsvType::Text), Value::String(text)) => Value::String(text),
        (JsonType::Scalar(CsvType::Text), other) => Value::String(other.to_string()),
        (JsonType::Scalar(CsvType::Bool), Value::Bool(v)) => Value::Bool(v),
        (JsonType::Scalar(CsvType::Int), Value::Number(v)) if v.is_i64() => Value::Number(v),
        (JsonType::Scalar(CsvType::Float), Value::Number(v)) => Value::Number(v),
        (JsonType::Scalar(kind), Value::String(text)) => match (kind, parse(&text)) {
            (CsvType::Date, Parsed::Date(days)) => Value::from(days),
            (CsvType::Timestamp, Parsed::Timestamp(micros)) | (CsvType::TimestampNtz, Parsed::TimestampNtz(micros)) => Value::from(micros),
            _ => return Err(CHANGED),
        },
        _ => return Err(CHANGED),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use arrow::{
        array::{Array, AsArray, RecordBatch},
        datatypes::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType},
    };
    use serde_json::json;

    use super::{
        super::super::{
            PublishedTable,
            fixtures::{publish, publish_within, read},
        },
        *,
    };

    fn table_of(name: &str, text: &str) -> Result<(PublishedTable, RecordBatch), TablesError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        let table = publish(&[path], &dir.path().join("out"))?;
        Ok((table, read(&dir.path().join("out/part-00000.parquet"))))
    }

    #[test]
    fn every_kind_of_value_keeps_its_type() {
        let (table, batch) = table_of(
            "all.jsonl",
            concat!(
                "\u{feff}{\"id\": 1, \"x\": 1, \"ok\": true, \"day\": \"2024-02-29\", \"at\": \"2024-02-29T10:00:00+08:00\", \"local\": \"2024-02-29 10:00\", ",
                "\"code\": \"007\", \"mixed\": 0.5, \"tags\": [\"a\", null], \"place\": {\"city\": \"苏州\", \"n\": [1, 2]}, \"big\": 18446744073709551615}\n",
                "\n",
                "{\"x\": 2.5, \"id\": -9007199254740993, \"mixed\": \"x\", \"tags\": [], \"place\": {\"n\": [-3]}, \"none\": null, \"day\": null}\r\n",
                "{\"mixed\": {\"a\": [1]}, \"none\": {}}",
            ),
        )
        .unwrap();
        let types: Vec<(&str, &Value)> = table.schema.columns.iter().map(|c| (c.name.as_str(), &c.data_type)).collect();
        let list = |element: &str| json!({"type": "array", "elementType": element, "containsNull": true});
        assert_eq!(
            types[..8].iter().map(|(n, t)| (*n, t.as_str().unwrap())).collect::<Vec<_>>(),
            [
                ("id", "long"),
                ("x", "double"),
                ("ok", "boolean"),
                ("day", "date"),
                ("at", "timestamp"),
                ("local", "timestamp_ntz"),
                ("code", "string"),
                ("mixed", "string"),
            ]
        );
        assert_eq!(types[8], ("tags", &list("string")));
        assert_eq!(types[9].1["fields"][1]["type"], list("long"));
        assert_eq!(types[10..].iter().map(|(n, t)| (*n, t.as_str().unwrap())).collect::<Vec<_>>(), [("big", "string"), ("none", "string")]);
        let column = |name: &str| Arc::clone(batch.column_by_name(name).unwrap());
        let texts = |name: &str| column(name).as_string::<i32>().iter().map(|t| t.map(ToOwned::to_owned)).collect::<Vec<_>>();
        assert_eq!(column("id").as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), Some(-9_007_199_254_740_993), None]);
        assert_eq!(column("x").as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [Some(1.0), Some(2.5), None]);
        assert_eq!(column("day").as_primitive::<Date32Type>().iter().collect::<Vec<_>>(), [Some(19_782), None, None]);
        assert_eq!(column("at").as_primitive::<TimestampMicrosecondType>().value(0), 1_709_172_000_000_000);
        assert_eq!(column("local").as_primitive::<TimestampMicrosecondType>().value(0), 1_709_200_800_000_000);
        assert_eq!(texts("mixed"), [Some("0.5".into()), Some("x".into()), Some("{\"a\":[1]}".into())]);
        assert_eq!(texts("big")[0], Some("18446744073709551615".into()));
        assert_eq!(texts("none"), [None, None, Some("{}".into())]);
        let tags = column("tags");
        assert_eq!((tags.as_list::<i32>().value_length(0), tags.as_list::<i32>().value_length(1), tags.is_null(2)), (2, 0, true));
        let place = column("place");
        assert_eq!(place.as_struct().column(0).as_string::<i32>().value(0), "苏州");
        assert!(place.is_null(2));
        assert_eq!(place.as_struct().column(1).as_list::<i32>().value(1).as_primitive::<Int64Type>().values(), &[-3]);
        assert_eq!(table.rows, 3);
    }

    #[test]
    fn large_whole_numbers_among_fractions_stay_exact_as_text() {
        let (table, batch) = table_of("n.ndjson", "{\"n\": 9007199254740993}\n{\"n\": 0.5}\n").unwrap();
        assert_eq!(table.schema.columns[0].data_type, "string");
        assert_eq!(batch.column(0).as_string::<i32>().value(0), "9007199254740993");
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        let cases = [
            ("{\"a\": 1}\n{\"a\": }\n", "bad.jsonl, line 2: not JSON at character 7"),
            ("{\"a\": 1}\n\n[1]\n", "bad.jsonl, line 3: an array where an object was expected"),
            (
                "{\n  \"a\": 1\n}\n",
                "bad.jsonl, line 1: not JSON at character 1: EOF while parsing an object; write one whole object per line",
            ),
            ("{\"a\": \"\u{0}\"}", "bad.jsonl, line 1: not JSON"),
        ];
        for (text, expected) in cases {
            let error = table_of("bad.jsonl", text).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
            assert_eq!(error.kind(), "malformed-json");
        }
        assert_eq!(table_of("empty.jsonl", "\n").unwrap_err().kind(), "empty");
        assert_eq!(table_of("names.jsonl", "{\"a\": 1, \"A\": 2}").unwrap_err().kind(), "bad-column-name");
        let deep = format!("{{\"a\": {}1{}}}", "[".repeat(100), "]".repeat(100));
        assert_eq!(table_of("deep.jsonl", &deep).unwrap_err().kind(), "too-large");
        // Deeper than the reader goes.
        let deeper = format!("{{\"a\": {}", "[".repeat(100_000));
        assert_eq!(table_of("deeper.jsonl", &deeper).unwrap_err().kind(), "malformed-json");
    }

    #[test]
    fn limits_of_lines_and_columns_hold() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.jsonl");
        fs::write(&path, (0..50).map(|i| format!("{{\"c{i}\": 1}}\n")).collect::<String>()).unwrap();
        let limits = PublishLimits { max_columns: 20, ..PublishLimits::default() };
        let error = publish_within(std::slice::from_ref(&path), &dir.path().join("out"), limits).unwrap_err();
        assert_eq!((error.kind(), error.to_string().contains("line 21")), ("too-large", true), "{error}");
        fs::write(&path, format!("{{\"a\": \"{}\"}}", "x".repeat(2_000))).unwrap();
        let limits = PublishLimits { max_csv_record_bytes: 1_000, ..PublishLimits::default() };
        let error = publish_within(&[path], &dir.path().join("out"), limits).unwrap_err();
        assert!(error.to_string().contains("a line of more than 1000 bytes"), "{error}");
    }

    #[test]
    fn files_are_typed_together_and_split_by_size() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a.jsonl"), dir.path().join("b.json"));
        fs::write(&a, (0..40_000).map(|i| format!("{{\"n\": {i}, \"t\": \"{:x}\"}}\n", i * 7_919)).collect::<String>()).unwrap();
        fs::write(&b, "{\"n\": 0.5}\n").unwrap();
        let limits = PublishLimits { target_file_bytes: 100_000, ..PublishLimits::default() };
        let table = publish_within(&[a, b], &dir.path().join("out"), limits).unwrap();
        assert_eq!(table.rows, 40_001);
        assert_eq!(table.schema.columns[0].data_type, "double");
        assert!(table.files.len() > 1);
        for file in &table.files {
            assert_eq!(read(&dir.path().join("out").join(&file.name)).num_rows() as u64, file.rows);
        }
    }

    /// A folder may hold descriptions in JSON beside its tables.
    #[test]
    fn folders_give_json_lines_but_not_json() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(data.join("rows.jsonl"), "{\"a\": 1}\n").unwrap();
        fs::write(data.join("schema.json"), "{\n}\n").unwrap();
        assert_eq!(publish(&[data], &dir.path().join("out")).unwrap().rows, 1);
    }
}
