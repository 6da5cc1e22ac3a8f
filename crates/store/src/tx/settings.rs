//! Settings of the node that live in the database.

use super::{Tx, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{json, vals},
};
use serde_json::Value;

statements! {
    GET = Same("SELECT value FROM setting WHERE key = $1");
    PUT = Same("INSERT INTO setting (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
}

impl Tx {
    /// By key.
    pub fn setting_get(&mut self, key: &str) -> Result<Option<Value>, StoreError> {
        self.first(GET, vals![key], |row| row.json(0))
    }

    /// Sets or replaces.
    pub fn setting_put(&mut self, key: &str, value: &Value) -> Result<(), StoreError> {
        self.execute(PUT, vals![key, json(value)?]).map(drop)
    }
}
