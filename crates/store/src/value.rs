//! The three types both databases share, and rows of them.

use crate::error::StoreError;
use fondaco_core::time::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

/// Longest text or bytes in one column: a product's description of its files is the largest thing stored.
pub(crate) const COLUMN_MAX_BYTES: usize = 16 * 1024 * 1024;

/// A parameter or a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// The parameters of a statement, in the order `$1`, `$2`, ….
macro_rules! vals {
    ($($value:expr),* $(,)?) => { &[$($crate::value::Value::from($value)),*] };
}
pub(crate) use vals;

impl Value {
    /// Refuses what one of the databases could not hold: a NUL character in a text (Postgres), or too much.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let bytes: &[u8] = match self {
            Self::Null | Self::Int(_) => return Ok(()),
            Self::Text(text) => text.as_bytes(),
            Self::Blob(blob) => blob,
        };
        if bytes.len() > COLUMN_MAX_BYTES {
            return Err(StoreError::Limit(format!("a value has more than {COLUMN_MAX_BYTES} bytes")));
        }
        if matches!(self, Self::Text(_)) && bytes.contains(&0) {
            return Err(StoreError::Limit("a text contains the NUL character".into()));
        }
        Ok(())
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}
impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Self::Int(n.into())
    }
}
impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Int(flag.into())
    }
}
impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Int(at.as_micros())
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Blob(bytes.to_vec())
    }
}
impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::Null, Into::into)
    }
}

/// A JSON column.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Limit(format!("not JSON: {e}")))
}

/// A count from outside as a column; what no column can hold is as good as no limit.
pub(crate) fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// One row, columns in the order of the SELECT list.
#[derive(Debug)]
pub(crate) struct Row(pub(crate) Vec<Value>);

impl Row {
    fn damaged(column: usize, found: Option<&Value>) -> StoreError {
        let kind = match found {
            None => "missing",
            Some(Value::Null) => "null",
            Some(Value::Int(_)) => "an integer",
            Some(Value::Text(_)) => "a text",
            Some(Value::Blob(_)) => "bytes",
        };
        StoreError::Corrupt(format!("column {column} is {kind}"))
    }
    pub(crate) fn int(&self, column: usize) -> Result<i64, StoreError> {
        match self.0.get(column) {
            Some(Value::Int(n)) => Ok(*n),
            other => Err(Self::damaged(column, other)),
        }
    }
    pub(crate) fn opt_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        if matches!(self.0.get(column), Some(Value::Null)) { Ok(None) } else { self.int(column).map(Some) }
    }
    pub(crate) fn count(&self, column: usize) -> Result<u64, StoreError> {
        u64::try_from(self.int(column)?).map_err(|_| StoreError::Corrupt(format!("column {column} is negative")))
    }
    pub(crate) fn flag(&self, column: usize) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }
    pub(crate) fn at(&self, column: usize) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp::from_micros)
    }
    pub(crate) fn opt_at(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.opt_int(column)?.map(Timestamp::from_micros))
    }
    pub(crate) fn text(&self, column: usize) -> Result<&str, StoreError> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(text),
            other => Err(Self::damaged(column, other)),
        }
    }
    pub(crate) fn string(&self, column: usize) -> Result<String, StoreError> {
        self.text(column).map(str::to_owned)
    }
    pub(crate) fn opt_string(&self, column: usize) -> Result<Option<String>, StoreError> {
        if matches!(self.0.get(column), Some(Value::Null)) { Ok(None) } else { self.string(column).map(Some) }
    }
    pub(crate) fn blob(&self, column: usize) -> Result<Vec<u8>, StoreError> {
        match self.0.get(column) {
            Some(Value::Blob(bytes)) => Ok(bytes.clone()),
            other => Err(Self::damaged(column, other)),
        }
    }
    pub(crate) fn json<T: DeserializeOwned>(&self, column: usize) -> Result<T, StoreError> {
        serde_json::from_str(self.text(column)?).map_err(|e| StoreError::Corrupt(format!("column {column}: {e}")))
    }
    /// A text of one of our own checked types.
    pub(crate) fn parsed<T>(&self, column: usize, parse: impl FnOnce(&str) -> fondaco_core::Result<T>) -> Result<T, StoreError> {
        parse(self.text(column)?).map_err(|e| StoreError::Corrupt(format!("column {column}: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_database_cannot_hold_is_refused() {
        assert!(Value::from("a\0b").check().is_err());
        assert!(Value::from(vec![0u8; 3].as_slice()).check().is_ok());
        assert!(Value::from("x".repeat(COLUMN_MAX_BYTES + 1)).check().is_err());
    }

    #[test]
    fn a_wrong_column_is_damage_not_a_panic() {
        let row = Row(vec![Value::Null, Value::from("x"), Value::from(-1_i64)]);
        assert!(matches!(row.int(0), Err(StoreError::Corrupt(_))));
        assert!(matches!(row.text(7), Err(StoreError::Corrupt(_))));
        assert!(matches!(row.json::<u32>(1), Err(StoreError::Corrupt(_))));
        assert!(matches!(row.count(2), Err(StoreError::Corrupt(_))));
        assert_eq!(row.opt_int(0), Ok(None));
    }
}
