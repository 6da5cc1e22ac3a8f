//! One connection to either database: run a statement, get rows of [`Value`]s.

use crate::{
    dialect::{Dialect, Sql},
    error::StoreError,
    value::{Row, Value},
};
use postgres::types::{IsNull, ToSql, Type, private::BytesMut};
use rusqlite::types::{ToSqlOutput, ValueRef};
use std::{collections::HashMap, error::Error};

/// SQLite reads `$1` as a *named* parameter, numbered by first appearance: bind by name.
const NAMES: [&str; 16] = ["$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$16"];

/// A connection owned by one thread.
pub(crate) enum Conn {
    Sqlite(Box<rusqlite::Connection>),
    Postgres(Box<PostgresConn>),
}

/// A Postgres client with its prepared statements.
pub(crate) struct PostgresConn {
    pub(crate) client: postgres::Client,
    prepared: HashMap<String, postgres::Statement>,
}

impl PostgresConn {
    pub(crate) fn new(client: postgres::Client) -> Self {
        Self { client, prepared: HashMap::new() }
    }

    fn statement(&mut self, sql: &str) -> Result<postgres::Statement, StoreError> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql)?;
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl Conn {
    pub(crate) const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs statements without parameters or results.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(conn) => Ok(conn.execute_batch(sql)?),
            Self::Postgres(conn) => Ok(conn.client.batch_execute(sql)?),
        }
    }

    /// Runs one statement that begins or ends a transaction or a part of one: thousands of times a second, so it is not
    /// compiled each time.
    pub(crate) fn control(&mut self, sql: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(conn) => Ok(conn.prepare_cached(sql)?.raw_execute().map(drop)?),
            Self::Postgres(conn) => Ok(conn.client.batch_execute(sql)?),
        }
    }

    /// Compiles a statement without running it.
    pub(crate) fn prepare(&mut self, sql: Sql) -> Result<(), StoreError> {
        let text = sql.text(self.dialect());
        match self {
            Self::Sqlite(conn) => conn.prepare(text).map(drop)?,
            Self::Postgres(conn) => conn.statement(text).map(drop)?,
        }
        Ok(())
    }

    /// Runs a statement; the number of rows it touched.
    pub(crate) fn execute(&mut self, sql: Sql, params: &[Value]) -> Result<u64, StoreError> {
        let text = sql.text(self.dialect());
        match self {
            Self::Sqlite(conn) => {
                let mut statement = conn.prepare_cached(text)?;
                bind(&mut statement, params)?;
                Ok(u64::try_from(statement.raw_execute()?).unwrap_or(u64::MAX))
            }
            Self::Postgres(conn) => {
                let statement = conn.statement(text)?;
                Ok(conn.client.execute(&statement, &dynamic(params)?)?)
            }
        }
    }

    /// Runs a statement; the rows it returns.
    pub(crate) fn query(&mut self, sql: Sql, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let text = sql.text(self.dialect());
        match self {
            Self::Sqlite(conn) => {
                let mut statement = conn.prepare_cached(text)?;
                bind(&mut statement, params)?;
                let columns = statement.column_count();
                let mut rows = statement.raw_query();
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    let values = (0..columns).map(|i| from_sqlite(row.get_ref(i)?)).collect::<Result<_, StoreError>>()?;
                    found.push(Row(values));
                }
                Ok(found)
            }
            Self::Postgres(conn) => {
                let statement = conn.statement(text)?;
                let rows = conn.client.query(&statement, &dynamic(params)?)?;
                rows.iter().map(from_postgres).collect()
            }
        }
    }
}

impl Conn {
    /// Inserts one row by a statement made at run time, as an import does.
    pub(crate) fn insert(&mut self, sql: &str, params: &[Value]) -> Result<(), StoreError> {
        for value in params {
            value.check()?;
        }
        match self {
            Self::Sqlite(conn) => {
                let mut statement = conn.prepare_cached(sql)?;
                // `$1` is a name for SQLite, numbered by first appearance: here that is the order.
                statement.execute(rusqlite::params_from_iter(params)).map(drop)?;
            }
            Self::Postgres(conn) => {
                let statement = conn.statement(sql)?;
                conn.client.execute(&statement, &dynamic(params)?).map(drop)?;
            }
        }
        Ok(())
    }
}

fn bind(statement: &mut rusqlite::Statement<'_>, params: &[Value]) -> Result<(), StoreError> {
    for (index, value) in params.iter().enumerate() {
        value.check()?;
        let name = *NAMES.get(index).ok_or_else(|| StoreError::Database("too many parameters".into()))?;
        statement.raw_bind_parameter(name, value)?;
    }
    Ok(())
}

fn dynamic(params: &[Value]) -> Result<Vec<&(dyn ToSql + Sync)>, StoreError> {
    params.iter().map(|value| value.check().map(|()| value as &(dyn ToSql + Sync))).collect()
}

pub(crate) fn from_sqlite(value: ValueRef<'_>) -> Result<Value, StoreError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::Int(n),
        ValueRef::Text(bytes) => {
            Value::Text(std::str::from_utf8(bytes).map_err(|_| StoreError::Corrupt("a text is not UTF-8".into()))?.to_owned())
        }
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Real(_) => return Err(StoreError::Corrupt("a column holds a type that is never stored".into())),
    })
}

pub(crate) fn from_postgres(row: &postgres::Row) -> Result<Row, StoreError> {
    let value = |(i, column): (usize, &postgres::Column)| {
        Ok(match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(i)?.map_or(Value::Null, Value::Int),
            Type::INT4 => row.try_get::<_, Option<i32>>(i)?.map_or(Value::Null, |n| Value::Int(n.into())),
            Type::TEXT | Type::VARCHAR => row.try_get::<_, Option<String>>(i)?.map_or(Value::Null, Value::Text),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(i)?.map_or(Value::Null, Value::Blob),
            ref other => return Err(StoreError::Database(format!("column {i} has type {other}"))),
        })
    };
    Ok(Row(row.columns().iter().enumerate().map(value).collect::<Result<_, StoreError>>()?))
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(n) => ValueRef::Integer(*n),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self, ty) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Int(n), &Type::INT8) => n.to_sql(ty, out),
            (Self::Int(n), &Type::INT4) => i32::try_from(*n)?.to_sql(ty, out),
            (Self::Text(text), &Type::TEXT | &Type::VARCHAR) => text.to_sql(ty, out),
            (Self::Blob(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            (_, ty) => Err(format!("a parameter of type {ty} was given another type").into()),
        }
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    postgres::types::to_sql_checked!();
}
