//! The columns of a table as the engine reads them.

use crate::publish::{Column, TableSchema};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};
use serde_json::Value;
use std::sync::Arc;

/// The Arrow schema of a table's stored columns; `None` for a type that no table of ours has. Texts and bytes at the top
/// are views, which are filtered and grouped without being copied.
pub(super) fn stored(schema: &TableSchema) -> Option<Schema> {
    let field = |c: &Column| {
        let data_type = match data_type(&c.data_type)? {
            DataType::Utf8 => DataType::Utf8View,
            DataType::Binary => DataType::BinaryView,
            other => other,
        };
        Some(Field::new(&c.name, data_type, c.nullable))
    };
    Some(Schema::new(schema.columns.iter().map(field).collect::<Option<Vec<_>>>()?))
}

fn data_type(delta: &Value) -> Option<DataType> {
    let nested = |name: &str, of: &str, nullable: &str| -> Option<FieldRef> {
        Some(Arc::new(Field::new(name, data_type(&delta[of])?, delta[nullable] != false)))
    };
    if let Some(name) = delta.as_str() {
        return Some(match name {
            "boolean" => DataType::Boolean,
            "byte" => DataType::Int8,
            "short" => DataType::Int16,
            "integer" => DataType::Int32,
            "long" => DataType::Int64,
            "float" => DataType::Float32,
            "double" => DataType::Float64,
            "string" => DataType::Utf8,
            "binary" => DataType::Binary,
            "date" => DataType::Date32,
            "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
            decimal => {
                let (precision, scale) = decimal.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
                DataType::Decimal128(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
            }
        });
    }
    Some(match delta["type"].as_str()? {
        "struct" => {
            let fields = delta["fields"].as_array()?.iter();
            let field = |f: &Value| Some(Field::new(f["name"].as_str()?, data_type(&f["type"])?, f["nullable"] != false));
            DataType::Struct(fields.map(field).collect::<Option<_>>()?)
        }
        "array" => DataType::List(nested("element", "elementType", "containsNull")?),
        "map" => {
            let key = Arc::new(Field::new("key", data_type(&delta["keyType"])?, false));
            let value = nested("value", "valueType", "valueContainsNull")?;
            let entries = Field::new("key_value", DataType::Struct([key, value].into_iter().collect()), false);
            DataType::Map(Arc::new(entries), false)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_type_of_delta_has_one_of_arrow() {
        let nested = json!({"type": "struct", "fields": [
            {"name": "a", "type": {"type": "array", "elementType": "string", "containsNull": true}, "nullable": true},
            {"name": "m", "type": {"type": "map", "keyType": "string", "valueType": "long", "valueContainsNull": false}, "nullable": true},
            {"name": "d", "type": "decimal(10,2)", "nullable": false}]});
        let column = |name: &str, data_type: Value| Column {
            name: name.into(),
            data_type,
            nullable: true,
            description: String::new(),
            source_type: String::new(),
        };
        let schema = TableSchema { columns: vec![column("s", json!("string")), column("n", nested), column("t", json!("timestamp"))] };
        let arrow = stored(&schema).expect("known types");
        assert_eq!(*arrow.field(0).data_type(), DataType::Utf8View);
        let DataType::Struct(fields) = arrow.field(1).data_type() else { panic!("a group") };
        assert_eq!(*fields[2].data_type(), DataType::Decimal128(10, 2));
        assert_eq!(*arrow.field(2).data_type(), DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
        let odd = TableSchema { columns: vec![column("o", json!("interval"))] };
        assert!(stored(&odd).is_none());
    }
}
