//! Connections to sources. The secret part comes and goes sealed.

use super::{Tx, page, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{json, vals},
};
use fondaco_core::{
    connection::{CONNECTIONS_MAX, Connection},
    participant::Slug,
};

statements! {
    PUT = Same("INSERT INTO connection (participant, name, kind, created_at, sealed, body) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (participant, name) DO UPDATE SET kind = excluded.kind, created_at = excluded.created_at, sealed = excluded.sealed, body = excluded.body");
    GET = Same("SELECT body, sealed FROM connection WHERE participant = $1 AND name = $2");
    LIST = Same("SELECT body FROM connection WHERE participant = $1 ORDER BY name LIMIT $2");
    DELETE = Same("DELETE FROM connection WHERE participant = $1 AND name = $2");
}

impl Tx {
    /// Adds or replaces a connection.
    pub fn connection_put(&mut self, connection: &Connection, sealed: &[u8]) -> Result<(), StoreError> {
        let params = vals![
            connection.participant.as_str(),
            connection.name.as_str(),
            connection.target.kind(),
            connection.created_at,
            sealed,
            json(connection)?
        ];
        self.execute(PUT, params).map(drop)
    }

    /// By name, with its sealed secret.
    pub fn connection_get(&mut self, participant: &Slug, name: &str) -> Result<Option<(Connection, Vec<u8>)>, StoreError> {
        self.first(GET, vals![participant.as_str(), name], |row| Ok((row.json(0)?, row.blob(1)?)))
    }

    /// By name, without secrets.
    pub fn connection_list(&mut self, participant: &Slug) -> Result<Vec<Connection>, StoreError> {
        self.list(LIST, vals![participant.as_str(), page(CONNECTIONS_MAX)], |row| row.json(0))
    }

    /// Removes a connection; false when there was none.
    pub fn connection_delete(&mut self, participant: &Slug, name: &str) -> Result<bool, StoreError> {
        Ok(self.execute(DELETE, vals![participant.as_str(), name])? == 1)
    }
}
