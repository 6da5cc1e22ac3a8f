//! Connections to sources. The secret part comes and goes sealed.

use super::{Tx, page, statements};
use crate::{
    dialect::Sql::Same,
    error::StoreError,
    value::{Row, json, vals},
};
use fondaco_core::{
    Code, Error,
    connection::{CHECK_REASON_MAX_CHARS, CONNECTIONS_MAX, Check, Connection},
    participant::Slug,
};

statements! {
    PUT = Same("INSERT INTO connection (participant, name, kind, created_at, sealed, body) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (participant, name) DO UPDATE SET kind = excluded.kind, created_at = excluded.created_at, sealed = excluded.sealed, body = excluded.body, checked_at = NULL, check_code = NULL, check_reason = NULL");
    GET = Same("SELECT body, checked_at, check_code, check_reason, sealed FROM connection WHERE participant = $1 AND name = $2");
    LIST = Same("SELECT body, checked_at, check_code, check_reason FROM connection WHERE participant = $1 ORDER BY name LIMIT $2");
    CHECKED = Same("UPDATE connection SET checked_at = $4, check_code = $5, check_reason = $6 WHERE participant = $1 AND name = $2 AND created_at = $3");
    DELETE = Same("DELETE FROM connection WHERE participant = $1 AND name = $2");
}

fn read(row: &Row) -> Result<Connection, StoreError> {
    let last_check = match (row.opt_at(1)?, row.opt_string(2)?) {
        (None, _) => None,
        (Some(at), None) => Some(Check { at, outcome: Ok(()) }),
        (Some(at), Some(code)) => {
            let code = Code::from_text(&code).ok_or_else(|| StoreError::Corrupt("connection.check_code".into()))?;
            Some(Check { at, outcome: Err(Error::new(code, row.opt_string(3)?.unwrap_or_default())) })
        }
    };
    Ok(Connection { last_check, ..row.json(0)? })
}

impl Tx {
    /// Adds or replaces a connection; what was learnt by trying it out is forgotten.
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
        self.first(GET, vals![participant.as_str(), name], |row| Ok((read(row)?, row.blob(4)?)))
    }

    /// By name, without secrets.
    pub fn connection_list(&mut self, participant: &Slug) -> Result<Vec<Connection>, StoreError> {
        self.list(LIST, vals![participant.as_str(), page(CONNECTIONS_MAX)], read)
    }

    /// Notes how a trial went, unless the connection was changed or removed meanwhile.
    pub fn connection_checked(&mut self, tried: &Connection, check: &Check) -> Result<(), StoreError> {
        let failed = check.outcome.as_ref().err();
        let reason: Option<String> = failed.map(|e| e.message().chars().take(CHECK_REASON_MAX_CHARS).collect());
        let params = vals![
            tried.participant.as_str(),
            tried.name.as_str(),
            tried.created_at,
            check.at,
            failed.map(|e| e.code().as_str()),
            reason.as_deref()
        ];
        self.execute(CHECKED, params).map(drop)
    }

    /// Removes a connection; false when there was none.
    pub fn connection_delete(&mut self, participant: &Slug, name: &str) -> Result<bool, StoreError> {
        Ok(self.execute(DELETE, vals![participant.as_str(), name])? == 1)
    }
}
