//! How SQLite goes about each statement: none may get slower because a node holds more than the rows it wants.

use super::STATEMENTS;
use crate::{
    conn::Conn,
    dialect::{Dialect, Sql},
    migrate::migrate,
    sqlite,
};
use fondaco_core::time::Timestamp;

fn plan(conn: &rusqlite::Connection, sql: Sql) -> Vec<String> {
    let text = format!("EXPLAIN QUERY PLAN {}", sql.text(Dialect::Sqlite));
    let mut statement = conn.prepare(&text).expect("compiles");
    let mut rows = statement.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().expect("a row") {
        lines.push(row.get::<_, String>("detail").expect("a text"));
    }
    lines
}

#[test]
fn print_plans() {
    let mut conn = Conn::Sqlite(Box::new(sqlite::connect(None).expect("open")));
    migrate(&mut conn, Timestamp::from_micros(1)).expect("migrates");
    let Conn::Sqlite(conn) = conn else { unreachable!() };
    println!("{}", rusqlite::version());
    for (name, sql) in STATEMENTS.iter().copied().flatten() {
        println!("{name}: {}", plan(&conn, *sql).join(" | "));
    }
}
