//! Schema 6: what became of agreements has columns. Those that were ended are known; of the others the terms say when
//! they are over, and a job of each participant looks at them then.

use crate::{
    conn::Conn,
    dialect::Sql::Same,
    error::StoreError,
    tx::agreements::{AGREEMENT_DUE, AgreementRow},
    value::{json, vals},
};
use fondaco_core::{
    life::{Life, Over},
    negotiation::Role,
    time::Timestamp,
};
use std::collections::BTreeMap;

/// Rows read at once.
const STEP: i64 = 500;

const ROWS: crate::dialect::Sql = Same(
    "SELECT participant, id, body, ended_at, end_reason, created_at FROM agreement WHERE (participant, id) > ($1, $2) ORDER BY participant, id LIMIT $3",
);
const FILL: crate::dialect::Sql = Same("UPDATE agreement SET state = $3, due_at = $4, life = $5 WHERE participant = $1 AND id = $2");
const JOB: crate::dialect::Sql = Same(
    "INSERT INTO job (id, participant, kind, key, payload, run_at, attempts, created_at, owner, handed) VALUES ($1, $2, $3, $4, '{}', $5, 0, $5, '', 0)",
);

/// Fills the columns from the documents.
pub(super) fn fill(conn: &mut Conn) -> Result<(), StoreError> {
    let (mut participant, mut id) = (String::new(), String::new());
    let mut first: BTreeMap<String, Timestamp> = BTreeMap::new();
    loop {
        let rows = conn.query(ROWS, vals![participant.as_str(), id.as_str(), STEP])?;
        for row in &rows {
            (participant, id) = (row.string(0)?, row.string(1)?);
            let agreement: AgreementRow = row.json(2)?;
            // Until now only providers ended agreements.
            let over = row.opt_at(3)?.map(|at| Ok::<_, StoreError>(Over { at, by: Some(Role::Provider), reason: row.opt_string(4)? }));
            let life = Life { over: over.transpose()?, ..Life::default() };
            let due_at = life.due_at(&agreement.terms());
            if let Some(due_at) = due_at {
                let earliest = first.entry(participant.clone()).or_insert(due_at);
                *earliest = due_at.min(*earliest);
            }
            conn.execute(FILL, vals![participant.as_str(), id.as_str(), life.phase().as_str(), due_at, json(&life)?])?;
        }
        if rows.is_empty() {
            break;
        }
    }
    for (participant, due_at) in first {
        // The first process to start takes over what is nobody's.
        let (id, key) = (format!("job_agreements_{participant}"), format!("{AGREEMENT_DUE}:{}", due_at.as_micros()));
        conn.execute(JOB, vals![id, participant, AGREEMENT_DUE, key, due_at])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dialect::Sql, migrate};

    const INSERT: Sql = Same(
        "INSERT INTO agreement (participant, id, role, dataset, digest, created_at, ended_at, end_reason, body) VALUES ('acme', $1, 'provider', 'flights', 'x', 1, $2, $3, $4)",
    );
    const READ: Sql = Same("SELECT id, state, due_at, life FROM agreement ORDER BY id");
    const JOBS: Sql = Same("SELECT kind, run_at FROM job");

    #[test]
    fn what_was_agreed_before_is_planned_and_what_had_ended_stays_ended() {
        let mut conn = Conn::Sqlite(Box::new(rusqlite::Connection::open_in_memory().expect("open")));
        let now = Timestamp::from_micros(1);
        migrate::up_to(&mut conn, 5, now).expect("schema 5");
        conn.execute(Same("INSERT INTO participant (slug, did, body) VALUES ('acme', 'did:web:acme', '{}')"), &[]).expect("participant");
        let stored = |timed: bool| {
            let text = include_str!("../../tests/golden/agreement-1.json");
            let mut body: serde_json::Value = serde_json::from_str(text).expect("json");
            if timed {
                body["policy"] =
                    serde_json::json!({"permissions": [{"constraints": [{"operand": "elapsedTime", "op": "lt", "limit": "P1D"}]}]});
            }
            body.to_string()
        };
        for (id, ended, timed) in [("a", None, false), ("b", Some(7_i64), true), ("c", None, true)] {
            conn.execute(INSERT, vals![id, ended, ended.map(|_| "moved"), stored(timed)]).expect("agreement");
        }
        migrate::migrate(&mut conn, now).expect("this schema");
        let rows = conn.query(READ, &[]).expect("rows");
        let read: Vec<_> = rows.iter().map(|r| (r.string(1).expect("state"), r.opt_at(2).expect("due"))).collect();
        let made = serde_json::from_str::<AgreementRow>(&stored(true)).expect("agreement").agreement.timestamp;
        let due = made.plus(fondaco_core::time::Micros::from_secs(86_400));
        assert_eq!(read, [("active".to_owned(), None), ("ended".to_owned(), None), ("active".to_owned(), Some(due))]);
        let life: Life = rows[1].json(3).expect("life");
        assert_eq!(life.over, Some(Over { at: Timestamp::from_micros(7), by: Some(Role::Provider), reason: Some("moved".into()) }));
        let jobs = conn.query(JOBS, &[]).expect("jobs");
        assert_eq!((jobs.len(), jobs[0].string(0).expect("kind"), jobs[0].at(1).expect("due")), (1, AGREEMENT_DUE.to_owned(), due));
    }
}
