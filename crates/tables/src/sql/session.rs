//! A session in which a statement is planned: one table, and functions that tell nothing of the machine.

use super::{
    Limits, SqlError,
    answer::common,
    bounds, columns,
    files::{SourceFile, Stored},
    functions, groups,
    held::CountHeld,
    sealed::Sealed,
};
use crate::governed::TablePlan;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::{
    catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider, TableProvider},
    common::{Column, DataFusionError, Result as DfResult, tree_node::TreeNodeRecursion},
    datasource::provider_as_source,
    execution::{
        SessionState, SessionStateBuilder, SessionStateDefaults,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::GreedyMemoryPool,
        object_store::ObjectStoreRegistry,
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    logical_expr::{AggregateUDF, Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF},
    prelude::{SQLOptions, SessionConfig},
};
use object_store::{ObjectStore, memory::InMemory};
use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};
use url::Url;

/// The schema that the table is in, as in Delta Sharing.
pub const SCHEMA: &str = "default";
/// Rows of a batch: the engine's own default.
const BATCH_ROWS: usize = 8_192;

/// The functions that are there: looked through once, not for each statement.
static SCALARS: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(|| functions::scalar(SessionStateDefaults::default_scalar_functions()));
static AGGREGATES: LazyLock<Vec<Arc<AggregateUDF>>> = LazyLock::new(|| {
    let all = SessionStateDefaults::default_aggregate_functions().into_iter();
    all.filter(|f| functions::has_aggregate(f.name())).collect()
});

/// What statements may be about: the files of a table, and what of them may be seen.
#[derive(Clone, Debug)]
pub struct Table {
    /// The participant whose table it is: the catalogue's name.
    pub catalog: String,
    /// The table's name.
    pub name: String,
    pub(super) sealed: Arc<Sealed>,
    /// The same without a wall, where there is nothing behind it that may not be seen.
    pub(super) open: Option<Arc<Stored>>,
    pub(super) min_group_size: Option<u32>,
}

/// What is seen of a table: conditions over the stored columns, and expressions of them with the names they are seen by.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) filter: Option<Expr>,
    pub(super) columns: Vec<(Expr, String)>,
    pub(super) min_group_size: Option<u32>,
}

impl Table {
    /// What a plan shows of these files.
    ///
    /// # Errors
    /// [`SqlError::Failed`] when the plan is of another table.
    pub fn new(catalog: &str, name: &str, plan: &TablePlan, files: Vec<Arc<SourceFile>>) -> Result<Self, SqlError> {
        let failed = |e: DataFusionError| SqlError::Failed(e.to_string());
        let stored = columns::stored(plan.source()).ok_or_else(|| SqlError::Failed("a column of no known type".into()))?;
        let names = plan.schema().columns.iter().map(|c| c.name.clone());
        let seen = Seen {
            filter: plan.filter_expr(&stored).map_err(failed)?,
            columns: plan.projection_exprs(&stored).map_err(failed)?.into_iter().map(unnamed).zip(names).collect(),
            min_group_size: plan.min_group_size(),
        };
        Self::over(catalog, name, Arc::new(stored), files, seen).map_err(failed)
    }

    /// Files that were written as a plan shows them: nothing in them is hidden.
    ///
    /// # Errors
    /// [`SqlError::Failed`] when the plan is of another table, or shows aggregates alone.
    pub fn shown(catalog: &str, name: &str, plan: &TablePlan, files: Vec<Arc<SourceFile>>) -> Result<Self, SqlError> {
        let failed = |e: DataFusionError| SqlError::Failed(e.to_string());
        if plan.min_group_size().is_some() {
            return Err(SqlError::Failed("rows of a table that shows none".into()));
        }
        let stored = columns::stored(plan.source()).ok_or_else(|| SqlError::Failed("a column of no known type".into()))?;
        let schema = Arc::new(plan.shown_schema(&stored).map_err(failed)?);
        let columns = schema.fields().iter().map(|f| (Expr::Column(Column::new_unqualified(f.name())), f.name().clone())).collect();
        let seen = Seen { filter: None, columns, min_group_size: None };
        let open = Some(Arc::new(Stored::new(Arc::clone(&schema), files.clone())));
        Ok(Self { open, ..Self::over(catalog, name, schema, files, seen).map_err(failed)? })
    }

    /// Over files of this schema.
    pub(super) fn over(catalog: &str, name: &str, stored: SchemaRef, files: Vec<Arc<SourceFile>>, seen: Seen) -> DfResult<Self> {
        let source = provider_as_source(Arc::new(Stored::new(stored, files)));
        let mut plan = LogicalPlanBuilder::scan("stored", source, None)?;
        if let Some(filter) = seen.filter {
            plan = plan.filter(filter)?;
        }
        // Only what is seen as it is stored can be compared below the terms.
        let is_plain = |expr: &Expr, name: &str| matches!(expr, Expr::Column(Column { name: stored, .. }) if stored == name);
        let comparable: BTreeSet<String> = seen.columns.iter().filter(|(e, n)| is_plain(e, n)).map(|(_, n)| n.clone()).collect();
        // An alias without a table's name, for plain columns too.
        let columns = seen.columns.into_iter().map(|(expr, name)| expr.alias_qualified(None::<&str>, name));
        let plan = plan.project(columns)?.build()?;
        let sealed = Arc::new(Sealed::new(plan, comparable));
        Ok(Self { catalog: catalog.to_owned(), name: name.to_owned(), sealed, open: None, min_group_size: seen.min_group_size })
    }

    /// The columns that are seen, in types that every reader of Arrow knows.
    pub(super) fn columns(&self) -> Schema {
        common(&self.sealed.schema())
    }

    /// The table for an engine that need not keep to the wall where nothing is behind it: what the files say of themselves
    /// and what the engine learns while it runs may then be used.
    pub(super) fn open(&self) -> Arc<dyn TableProvider> {
        self.open.as_ref().map_or_else(|| self.sealed(), |open| Arc::clone(open) as _)
    }

    /// The table behind its wall.
    pub(super) fn sealed(&self) -> Arc<dyn TableProvider> {
        Arc::clone(&self.sealed) as _
    }

    /// A session about this table, with memory of its own.
    pub(super) fn session(&self, table: Arc<dyn TableProvider>, limits: &Limits, threads: usize) -> DfResult<SessionState> {
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema(&self.catalog, SCHEMA)
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(true)
            .with_batch_size(BATCH_ROWS)
            .with_target_partitions(threads.max(1));
        let options = config.options_mut();
        // Times without a zone are UTC, wherever the node is.
        options.execution.time_zone = Some("+00:00".into());
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime(limits)?)
            .with_expr_planners(SessionStateDefaults::default_expr_planners())
            .with_scalar_functions(SCALARS.clone())
            .with_aggregate_functions(AGGREGATES.clone())
            .with_window_functions(SessionStateDefaults::default_window_functions())
            .with_physical_optimizer_rule(Arc::new(CountHeld))
            .build();
        let tables = MemorySchemaProvider::new();
        tables.register_table(self.name.clone(), table)?;
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(SCHEMA, Arc::new(tables))?;
        state.catalog_list().register_catalog(self.catalog.clone(), Arc::new(catalog));
        Ok(state)
    }

    /// The plan of a statement, checked.
    pub(super) async fn plan(&self, state: &SessionState, sql: &str, limits: &Limits) -> Result<LogicalPlan, SqlError> {
        if sql.len() > limits.text_bytes {
            return Err(SqlError::Refused(format!("A statement has at most {} bytes.", limits.text_bytes)));
        }
        bounds::check_text(sql)?;
        let plan = bounds::planned(state, sql).await?;
        check(&plan)?;
        let plan = functions::confined(plan)?;
        let Some(least) = self.min_group_size else { return Ok(plan) };
        // With the types settled: what is cast, and how, shows.
        let plan = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {}).map_err(|e| told(&e))?;
        groups::protect(plan, least)
    }
}

/// Memory of so many bytes, no disk, no object stores.
pub(super) fn runtime(limits: &Limits) -> DfResult<Arc<RuntimeEnv>> {
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(limits.memory_bytes)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .with_object_store_registry(Arc::new(NoStores))
        .build_arc()
}

/// An expression without the name it was given.
fn unnamed(expr: Expr) -> Expr {
    if let Expr::Alias(alias) = expr { *alias.expr } else { expr }
}

pub(super) fn only_select() -> SqlError {
    SqlError::Refused("Only SELECT is answered.".into())
}

/// Only questions: nothing that changes, sets, copies or explains.
fn check(plan: &LogicalPlan) -> Result<(), SqlError> {
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(plan).map_err(|_| only_select())?;
    let mut wrong = None;
    let visited = plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::Extension(_) => wrong = Some(only_select()),
            LogicalPlan::TableScan(scan) if scan.table_name.table().eq_ignore_ascii_case("df_settings") => {
                wrong = Some(SqlError::Refused("The engine's settings are not shown.".into()));
            }
            LogicalPlan::RecursiveQuery(_) => {
                wrong = Some(SqlError::Refused("Recursive queries are not answered: nobody can tell when they end.".into()));
            }
            _ => return Ok(TreeNodeRecursion::Continue),
        }
        Ok(TreeNodeRecursion::Stop)
    });
    visited.map_err(|e| told(&e))?;
    wrong.map_or(Ok(()), Err)
}

/// What went wrong with a statement before it saw a row: its own text is told back.
pub(super) fn told(e: &DataFusionError) -> SqlError {
    match e.find_root() {
        DataFusionError::External(inner) if let Some(own) = inner.downcast_ref::<SqlError>() => own.clone(),
        DataFusionError::ResourcesExhausted(_) => SqlError::OutOfMemory,
        root @ (DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::NotImplemented(_)) => SqlError::Refused(format!("The statement cannot be understood: {}", root.message())),
        DataFusionError::Diagnostic(_, inner) => told(inner),
        DataFusionError::Collection(all) => all.first().map_or_else(|| SqlError::Failed(e.to_string()), told),
        _ => SqlError::Failed(e.to_string()),
    }
}

/// What went wrong while rows were seen: nothing of them is told.
pub(super) fn while_running(e: &DataFusionError) -> SqlError {
    match e.find_root() {
        DataFusionError::External(inner) if let Some(own) = inner.downcast_ref::<SqlError>() => own.clone(),
        DataFusionError::ResourcesExhausted(_) => SqlError::OutOfMemory,
        DataFusionError::ArrowError(..) | DataFusionError::Execution(_) => SqlError::OnValue,
        _ => SqlError::Failed(e.to_string()),
    }
}

/// Object stores: there are none, whatever address a statement finds. The files of the table are read without.
#[derive(Debug)]
struct NoStores;

impl ObjectStoreRegistry for NoStores {
    fn register_store(&self, _: &Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, _: &Url) -> DfResult<Arc<dyn ObjectStore>> {
        Ok(Arc::new(InMemory::new()))
    }
}
