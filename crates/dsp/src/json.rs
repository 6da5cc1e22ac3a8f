//! JSON from outside: size, depth, number of values and length of texts are limited while reading, and a member that
//! is named twice is refused, since two readers would disagree on which one counts.

use crate::{
    error::{WireError, clip, join},
    limits::Limits,
};
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::{cell::Cell, fmt};

/// Reads one JSON document within limits.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Value, WireError> {
    if bytes.len() > limits.bytes {
        return Err(WireError::new("", format!("The document has {} bytes; at most {} are read.", bytes.len(), limits.bytes)));
    }
    let left = Cell::new(limits.nodes);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Bounded { limits, left: &left, depth: 0 }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|e| WireError::new("", format!("The document cannot be read as JSON: {}.", clip(&e.to_string()))))
}

/// The same limits for a value that is already in memory.
pub(crate) fn check(value: &Value, limits: &Limits) -> Result<(), WireError> {
    fn walk(value: &Value, path: &str, depth: usize, left: &mut usize, limits: &Limits) -> Result<(), WireError> {
        let text = |t: &str| {
            if t.len() > limits.text { Err(WireError::new(path, format!("A text has at most {} bytes.", limits.text))) } else { Ok(()) }
        };
        *left = left.checked_sub(1).ok_or_else(|| WireError::new(path, format!("At most {} values are read.", limits.nodes)))?;
        match value {
            Value::Array(_) | Value::Object(_) if depth >= limits.depth => {
                return Err(WireError::new(path, format!("At most {} levels are read.", limits.depth)));
            }
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    walk(item, &join(path, i), depth + 1, left, limits)?;
                }
            }
            Value::Object(map) => {
                for (key, item) in map {
                    text(key)?;
                    walk(item, &join(path, key), depth + 1, left, limits)?;
                }
            }
            Value::String(t) => text(t)?,
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        Ok(())
    }
    walk(value, "", 0, &mut limits.nodes.clone(), limits)
}

#[derive(Clone, Copy)]
struct Bounded<'a> {
    limits: &'a Limits,
    left: &'a Cell<usize>,
    depth: usize,
}

impl Bounded<'_> {
    fn count<E: serde::de::Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| E::custom(format_args!("more than {} values", self.limits.nodes)))?;
        self.left.set(left);
        Ok(())
    }
    fn text<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if text.len() > self.limits.text {
            return Err(E::custom(format_args!("a text longer than {} bytes", self.limits.text)));
        }
        Ok(())
    }
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= self.limits.depth {
            return Err(E::custom(format_args!("more than {} levels", self.limits.depth)));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E: serde::de::Error>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }
    fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<Value, E> {
        Number::from_f64(v).map(Value::Number).ok_or_else(|| E::custom("a number that is none"))
    }
    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Value, E> {
        self.text(v)?;
        Ok(v.into())
    }
    fn visit_string<E: serde::de::Error>(self, v: String) -> Result<Value, E> {
        self.text(&v)?;
        Ok(Value::String(v))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.text(&key)?;
            let value = entries.next_value_seed(inner)?;
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("\"{}\" appears twice in one object", clip(&key))));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SMALL: Limits = Limits { bytes: 200, depth: 3, nodes: 10, text: 8 };

    #[test]
    fn values_come_out_as_serde_json_reads_them() {
        let text = r#"{"a":[1,-2,0.5,true,null,"ü"],"b":{}}"#;
        assert_eq!(read(text.as_bytes(), &SMALL).expect("read"), serde_json::from_str::<Value>(text).expect("json"));
    }

    #[test]
    fn every_limit_holds_while_reading_and_in_memory() {
        for (text, words) in [
            (" ".repeat(201), "bytes"),
            ("[[[[]]]]".to_owned(), "levels"),
            (r#"{"a":{"a":{"a":{}}}}"#.to_owned(), "levels"),
            ("[0,0,0,0,0,0,0,0,0,0]".to_owned(), "values"),
            (r#"["123456789"]"#.to_owned(), "text"),
            (r#"{"123456789":0}"#.to_owned(), "text"),
        ] {
            let error = read(text.as_bytes(), &SMALL).expect_err(&text);
            assert!(error.message.contains(words), "{text}: {error}");
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                assert!(check(&value, &SMALL).expect_err(&text).message.contains(words), "{text}");
            }
        }
        assert!(check(&json!({"a": [[1, 2]]}), &SMALL).is_ok());
        assert!(read(br#"{"a": [[1, 2]]}"#, &SMALL).is_ok());
    }

    #[test]
    fn broken_and_doubled_members_are_refused() {
        for text in ["", "{", "[1,]", "nul", "1 2", r#"{"a":1}}"#, r#""\ud800""#, "1e999", "\u{0}"] {
            assert!(read(text.as_bytes(), &SMALL).is_err(), "{text}");
        }
        assert!(read(&[b'"', 0xff, b'"'], &SMALL).is_err());
        let error = read(br#"{"a":1,"b":2,"a":3}"#, &SMALL).expect_err("twice");
        assert!(error.message.contains("\"a\" appears twice"), "{error}");
    }
}
