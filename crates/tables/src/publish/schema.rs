//! The columns of a table, as the Delta protocol names their types ("Schema Serialization Format" of
//! the Delta transaction log protocol), and which Parquet types can be declared that way.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::PublishLimits;
use crate::TablesError;

/// Longest column name in bytes: what common engines accept.
const MAX_COLUMN_NAME_BYTES: usize = 255;

/// The columns of a table, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableSchema {
    /// At least one column.
    pub columns: Vec<Column>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    /// Name; unique in its table when letter case is ignored.
    pub name: String,
    /// Type as Delta writes it: a string such as `"long"`, or an object for nested types.
    #[serde(rename = "type")]
    pub data_type: Value,
    /// Whether a value may be missing.
    pub nullable: bool,
    /// The type in plain words, as in "whole number".
    pub description: String,
    /// The type in the publisher's file, as in "Parquet INT64" or "CSV".
    pub source_type: String,
}

impl TableSchema {
    /// The Delta JSON schema, which the protocol carries as `schemaString`.
    pub fn delta_schema_string(&self) -> String {
        let fields: Vec<Value> = self.columns.iter().map(|c| delta_field(&c.name, &c.data_type, c.nullable)).collect();
        json!({"type": "struct", "fields": fields}).to_string()
    }

    /// The same for a client that does not know timestamps without a time zone: they are declared as
    /// points in time, which such a client reads from the same bytes as if the clocks were UTC.
    pub fn delta_schema_string_without_ntz(&self) -> String {
        let columns =
            self.columns.iter().map(|c| Column { data_type: replaced(&c.data_type, "timestamp_ntz", "timestamp"), ..c.clone() }).collect();
        Self { columns }.delta_schema_string()
    }

    /// Whether a column holds timestamps without a time zone, which need a reader feature.
    pub fn needs_timestamp_ntz(&self) -> bool {
        self.columns.iter().any(|c| mentions(&c.data_type, "timestamp_ntz"))
    }

    /// The column of this name, ignoring letter case as Delta does.
    pub fn column(&self, name: &str) -> Option<&Column> {
        let wanted = name.to_lowercase();
        self.columns.iter().find(|c| c.name.to_lowercase() == wanted)
    }

    /// Checks names and types of an Arrow schema read from Parquet and describes it.
    /// `source_types` gives the physical type of each top-level column for display.
    pub(crate) fn from_arrow(file: &str, schema: &Schema, source_types: &[String], limits: &PublishLimits) -> Result<Self, TablesError> {
        if schema.fields().is_empty() {
            return Err(TablesError::BadColumnName { file: file.into(), reason: "it has no columns".into() });
        }
        if schema.fields().len() > limits.max_columns {
            return Err(TablesError::TooLarge {
                subject: file.into(),
                reason: format!("{} columns; at most {} are supported", schema.fields().len(), limits.max_columns),
            });
        }
        check_names(file, schema.fields().iter().map(|f| f.name().as_str()))?;
        let columns = schema
            .fields()
            .iter()
            .enumerate()
            .map(|(i, field)| {
                let mut data_type = delta_type(file, field.name(), field.data_type(), 1, limits)?;
                let source_type = source_types.get(i).cloned().unwrap_or_default();
                if source_type.contains("INT96") {
                    // Writers of INT96 (Spark, Impala) mean a point in time; Arrow reads it without zone.
                    data_type = replaced(&data_type, "timestamp_ntz", "timestamp");
                }
                Ok(Column {
                    name: field.name().clone(),
                    description: plain_words(&data_type),
                    data_type,
                    nullable: field.is_nullable(),
                    source_type,
                })
            })
            .collect::<Result<_, TablesError>>()?;
        Ok(Self { columns })
    }

    /// Takes another file of the same product in: same names and types in the same order; a column
    /// that is nullable in one file is nullable in the product.
    pub(crate) fn merge(&mut self, first: &str, other: &Self, file: &str) -> Result<(), TablesError> {
        let mismatch = |reason: String| TablesError::SchemaMismatch { file: file.into(), first: first.into(), reason };
        if self.columns.len() != other.columns.len() {
            return Err(mismatch(format!("{} columns instead of {}", other.columns.len(), self.columns.len())));
        }
        for (mine, theirs) in self.columns.iter_mut().zip(&other.columns) {
            if mine.name != theirs.name {
                return Err(mismatch(format!("column \"{}\" where \"{}\" was expected", theirs.name, mine.name)));
            }
            let Some(widened) = widen(&mine.data_type, &theirs.data_type) else {
                return Err(mismatch(format!(
                    "column \"{}\" is {} instead of {}",
                    mine.name,
                    plain_words(&theirs.data_type),
                    plain_words(&mine.data_type)
                )));
            };
            mine.data_type = widened;
            mine.nullable |= theirs.nullable;
        }
        Ok(())
    }
}

/// The two types as one, with nested nullability widened; `None` when they differ otherwise.
fn widen(ours: &Value, theirs: &Value) -> Option<Value> {
    match (ours, theirs) {
        (Value::Object(mine), Value::Object(other)) => {
            if mine.len() != other.len() {
                return None;
            }
            let mut merged = serde_json::Map::new();
            for (key, left) in mine {
                let right = other.get(key)?;
                let value = match (key.as_str(), left, right) {
                    ("nullable" | "containsNull" | "valueContainsNull", Value::Bool(left), Value::Bool(right)) => {
                        Value::Bool(*left || *right)
                    }
                    _ => widen(left, right)?,
                };
                merged.insert(key.clone(), value);
            }
            Some(Value::Object(merged))
        }
        (Value::Array(mine), Value::Array(other)) if mine.len() == other.len() => {
            mine.iter().zip(other).map(|(left, right)| widen(left, right)).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        _ => (ours == theirs).then(|| ours.clone()),
    }
}

fn mentions(data_type: &Value, name: &str) -> bool {
    match data_type {
        Value::String(s) => s == name,
        Value::Array(items) => items.iter().any(|v| mentions(v, name)),
        // A nested field may be *called* timestamp_ntz: only types are looked at.
        Value::Object(map) => map.iter().any(|(k, v)| k != "name" && k != "metadata" && mentions(v, name)),
        _ => false,
    }
}

/// The type with every type named `from` renamed; field names stay.
fn replaced(data_type: &Value, from: &str, to: &str) -> Value {
    match data_type {
        Value::String(s) if s == from => Value::String(to.into()),
        Value::Array(items) => items.iter().map(|v| replaced(v, from, to)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(k, v)| (k.clone(), if k == "name" { v.clone() } else { replaced(v, from, to) }))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// Refuses names that are empty, too long, not printable or equal to another up to letter case.
pub(super) fn check_names<'a>(file: &str, names: impl Iterator<Item = &'a str>) -> Result<(), TablesError> {
    let bad = |reason: String| Err(TablesError::BadColumnName { file: file.into(), reason });
    let mut seen: HashMap<String, (usize, &str)> = HashMap::new();
    for (i, name) in names.enumerate() {
        let number = i + 1;
        if name.trim().is_empty() {
            return bad(format!("column {number} has no name; give every column a name"));
        }
        if name.len() > MAX_COLUMN_NAME_BYTES {
            return bad(format!("the name of column {number} is longer than {MAX_COLUMN_NAME_BYTES} bytes"));
        }
        if name.chars().any(char::is_control) {
            return bad(format!("the name of column {number} holds a control character: {name:?}"));
        }
        if let Some((other, spelled)) = seen.insert(name.to_lowercase(), (number, name)) {
            return bad(format!(
                "columns {other} (\"{spelled}\") and {number} (\"{name}\") have the same name; \
                 letter case is ignored by many clients, so rename one"
            ));
        }
    }
    Ok(())
}

fn delta_field(name: &str, data_type: &Value, nullable: bool) -> Value {
    json!({"name": name, "type": data_type, "nullable": nullable, "metadata": {}})
}

/// The Delta type of an Arrow type, or why there is none.
fn delta_type(file: &str, path: &str, data_type: &DataType, depth: usize, limits: &PublishLimits) -> Result<Value, TablesError> {
    let refuse = |reason: &str| Err(TablesError::UnsupportedType { file: file.into(), column: path.into(), reason: reason.into() });
    if depth > limits.max_depth {
        return Err(TablesError::TooLarge {
            subject: format!("{file}, column \"{path}\""),
            reason: format!("nested more than {} deep", limits.max_depth),
        });
    }
    let nested = |field: &Field, step: &str| delta_type(file, &format!("{path}.{step}"), field.data_type(), depth + 1, limits);
    Ok(match data_type {
        DataType::Boolean => json!("boolean"),
        DataType::Int8 => json!("byte"),
        DataType::Int16 => json!("short"),
        DataType::Int32 => json!("integer"),
        DataType::Int64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Utf8 | DataType::LargeUtf8 => json!("string"),
        DataType::Binary | DataType::LargeBinary => json!("binary"),
        DataType::Date32 => json!("date"),
        DataType::Timestamp(_, Some(_)) => json!("timestamp"),
        DataType::Timestamp(_, None) => json!("timestamp_ntz"),
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => {
            if *s < 0 || i16::from(*s) > i16::from(*p) {
                return refuse("a decimal whose scale is not between 0 and its precision; rescale it");
            }
            json!(format!("decimal({p},{s})"))
        }
        DataType::List(item) | DataType::LargeList(item) => {
            json!({"type": "array", "elementType": nested(item, "element")?, "containsNull": item.is_nullable()})
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return refuse("a map without key and value");
            };
            let [key, value] = fields.as_ref() else {
                return refuse("a map without key and value");
            };
            json!({
                "type": "map",
                "keyType": nested(key, "key")?,
                "valueType": nested(value, "value")?,
                "valueContainsNull": value.is_nullable(),
            })
        }
        DataType::Struct(fields) => {
            check_names(file, fields.iter().map(|f| f.name().as_str()))?;
            let fields = fields
                .iter()
                .map(|f| Ok(delta_field(f.name(), &nested(f, f.name())?, f.is_nullable())))
                .collect::<Result<Vec<_>, TablesError>>()?;
            json!({"type": "struct", "fields": fields})
        }
        DataType::UInt8 => return refuse("unsigned 8-bit integers cannot be declared; store 16-bit signed integers"),
        DataType::UInt16 => return refuse("unsigned 16-bit integers cannot be declared; store 32-bit signed integers"),
        DataType::UInt32 => return refuse("unsigned 32-bit integers cannot be declared; store 64-bit signed integers"),
        DataType::UInt64 => return refuse("unsigned 64-bit integers cannot be declared; store decimal(20,0)"),
        DataType::Float16 => return refuse("16-bit floats cannot be declared; store 32-bit floats"),
        DataType::Decimal256(..) => return refuse("decimals of more than 38 digits cannot be declared; use at most 38"),
        DataType::FixedSizeBinary(_) => {
            return refuse("fixed-length bytes (such as UUIDs) cannot be declared; store text or variable-length bytes");
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            return refuse("times of day cannot be declared; store text or microseconds as a whole number");
        }
        DataType::Interval(_) | DataType::Duration(_) => {
            return refuse("durations cannot be declared; store a whole number of microseconds");
        }
        DataType::Null => return refuse("a column without a type cannot be declared; give it a type or leave it out"),
        other => return refuse(&format!("the type {other} cannot be declared; store one of the Delta types")),
    })
}

/// A Delta type in words a person who does not program understands.
pub(crate) fn plain_words(data_type: &Value) -> String {
    match data_type {
        Value::String(name) => match name.as_str() {
            "boolean" => "true or false".into(),
            "byte" => "whole number (8 bit)".into(),
            "short" => "whole number (16 bit)".into(),
            "integer" => "whole number (32 bit)".into(),
            "long" => "whole number".into(),
            "float" => "number (32 bit)".into(),
            "double" => "number".into(),
            "string" => "text".into(),
            "binary" => "bytes".into(),
            "date" => "date".into(),
            "timestamp" => "point in time (UTC)".into(),
            "timestamp_ntz" => "date and time without time zone".into(),
            other => match other.strip_prefix("decimal(").and_then(|r| r.strip_suffix(')')).and_then(|r| r.split_once(',')) {
                Some((p, s)) => format!("decimal number ({p} digits, {s} after the point)"),
                None => other.to_owned(),
            },
        },
        Value::Object(map) => match map.get("type").and_then(Value::as_str) {
            Some("array") => format!("list of {}", plain_words(&map["elementType"])),
            Some("map") => {
                format!("map from {} to {}", plain_words(&map["keyType"]), plain_words(&map["valueType"]))
            }
            _ => {
                let names: Vec<&str> = map
                    .get("fields")
                    .and_then(Value::as_array)
                    .map(|fields| fields.iter().filter_map(|f| f["name"].as_str()).collect())
                    .unwrap_or_default();
                format!("group of {}", names.join(", "))
            }
        },
        _ => "unknown".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::TimeUnit;

    use super::*;

    fn schema_of(fields: Vec<Field>) -> Result<TableSchema, TablesError> {
        TableSchema::from_arrow("f", &Schema::new(fields), &[], &PublishLimits::default())
    }

    #[test]
    fn delta_types_follow_the_transaction_log_protocol() {
        let item = Arc::new(Field::new("item", DataType::Int32, true));
        let schema = schema_of(vec![
            Field::new("a", DataType::Int64, false),
            Field::new("d", DataType::Decimal128(10, 2), true),
            Field::new("t", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
            Field::new("n", DataType::Timestamp(TimeUnit::Nanosecond, None), true),
            Field::new("l", DataType::List(item), true),
            Field::new("s", DataType::Struct(vec![Field::new("x", DataType::Utf8, true)].into()), true),
        ])
        .unwrap();
        assert!(schema.needs_timestamp_ntz());
        let parsed: Value = serde_json::from_str(&schema.delta_schema_string()).unwrap();
        assert_eq!(parsed["fields"][0], json!({"name": "a", "type": "long", "nullable": false, "metadata": {}}));
        assert_eq!(parsed["fields"][1]["type"], "decimal(10,2)");
        assert_eq!(parsed["fields"][2]["type"], "timestamp");
        assert_eq!(parsed["fields"][3]["type"], "timestamp_ntz");
        assert_eq!(parsed["fields"][4]["type"], json!({"type": "array", "elementType": "integer", "containsNull": true}));
        assert_eq!(parsed["fields"][5]["type"]["fields"][0]["name"], "x");
        assert_eq!(schema.columns[4].description, "list of whole number (32 bit)");
    }

    #[test]
    fn types_delta_cannot_declare_are_refused_by_column() {
        for t in [
            DataType::UInt8,
            DataType::UInt64,
            DataType::Float16,
            DataType::Null,
            DataType::FixedSizeBinary(16),
            DataType::Time64(TimeUnit::Microsecond),
        ] {
            let error = schema_of(vec![Field::new("odd", t.clone(), true)]).unwrap_err();
            assert_eq!(error.kind(), "unsupported-type", "{t}");
            assert!(error.to_string().contains("\"odd\""), "{error}");
        }
    }

    #[test]
    fn names_that_clients_cannot_tell_apart_are_refused() {
        for names in [vec!["a", "A"], vec![""], vec!["x", "  "], vec!["tab\tbed"]] {
            let fields = names.iter().map(|n| Field::new(*n, DataType::Int32, true)).collect();
            assert_eq!(schema_of(fields).unwrap_err().kind(), "bad-column-name", "{names:?}");
        }
    }

    #[test]
    fn depth_and_column_limits_hold() {
        let mut t = DataType::Int32;
        for _ in 0..40 {
            t = DataType::List(Arc::new(Field::new("item", t, true)));
        }
        assert_eq!(schema_of(vec![Field::new("deep", t, true)]).unwrap_err().kind(), "too-large");
        let many = (0..2001).map(|i| Field::new(format!("c{i}"), DataType::Int32, true)).collect();
        assert_eq!(schema_of(many).unwrap_err().kind(), "too-large");
    }

    #[test]
    fn merging_widens_nullability_and_refuses_other_types() {
        let mut a = schema_of(vec![Field::new("x", DataType::Int64, false)]).unwrap();
        let b = schema_of(vec![Field::new("x", DataType::Int64, true)]).unwrap();
        a.merge("a", &b, "b").unwrap();
        assert!(a.columns[0].nullable);
        let c = schema_of(vec![Field::new("x", DataType::Float64, true)]).unwrap();
        assert_eq!(a.merge("a", &c, "c").unwrap_err().kind(), "schema-mismatch");
    }
}
