//! Engines: what turns a checked plan into rows. The session, its table and its limits are the same for all of them.

use super::{
    Limits, SqlError, Table,
    functions::check_written,
    session::{told, while_running},
};
use datafusion::{
    execution::{SendableRecordBatchStream, SessionState},
    physical_plan::execute_stream,
};
use std::fmt::Debug;

/// Runs statements. What a statement may see and take is not the engine's affair: [`Table`] and [`Limits`] say it.
#[async_trait::async_trait]
pub trait Engine: Debug + Send + Sync + 'static {
    /// Plans a statement about a table and begins to run it.
    ///
    /// # Errors
    /// What is wrong with the statement.
    async fn begin(&self, table: &Table, sql: &str, limits: &Limits) -> Result<Rows, SqlError>;
}

/// Rows as they are computed.
pub struct Rows(pub(super) SendableRecordBatchStream);

impl Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rows(..)")
    }
}

/// The engine in this process.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    /// How many parts of a plan run side by side.
    pub threads: usize,
}

#[async_trait::async_trait]
impl Engine for Embedded {
    async fn begin(&self, table: &Table, sql: &str, limits: &Limits) -> Result<Rows, SqlError> {
        let state = table.session(table.open(), limits, self.threads).map_err(|e| SqlError::Failed(e.to_string()))?;
        run(table, &state, sql, limits).await
    }
}

/// Plans and begins, in a session of the engine's.
pub(super) async fn run(table: &Table, state: &SessionState, sql: &str, limits: &Limits) -> Result<Rows, SqlError> {
    let plan = table.plan(state, sql, limits).await?;
    let plan = state.optimize(&plan).map_err(|e| told(&e))?;
    check_written(&plan)?;
    let plan = state.query_planner().create_physical_plan(&plan, state).await.map_err(|e| told(&e))?;
    execute_stream(plan, state.task_ctx()).map(Rows).map_err(|e| while_running(&e))
}
