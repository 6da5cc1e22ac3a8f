//! A plan behind a wall: other plans see its columns, and nothing of what is inside.
//!
//! What is inside is planned and optimised by itself, and run as one opaque step. No rule of the optimiser reaches
//! through: no condition of a statement is tested on a row before the terms have let it pass, except comparisons of a
//! visible column with a value, which cannot fail and so tell nothing. There are no statistics, for they count hidden rows.

use super::SqlError;
use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    datatypes::{DataType, Schema, SchemaRef},
};
use datafusion::{
    catalog::{Session, TableProvider},
    common::{DataFusionError, Result as DfResult, tree_node::TreeNodeRecursion},
    datasource::TableType,
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, TableProviderFilterPushDown},
    physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr},
    physical_plan::{
        DisplayAs, DisplayFormatType, EmptyRecordBatchStream, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
    physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner},
};
use datafusion_distributed::DistributedTaskContext;
use futures::StreamExt;
use std::{collections::BTreeSet, fmt, sync::Arc};

/// A plan as a table.
#[derive(Debug)]
pub(super) struct Sealed {
    plan: LogicalPlan,
    schema: SchemaRef,
    /// Columns of which a comparison with a value may be tested inside.
    comparable: BTreeSet<String>,
    /// Whether its partitions can be run in different places.
    can_be_cut: bool,
}

impl Sealed {
    /// The plan's columns must have names of their own, without those of tables.
    pub(super) fn new(plan: LogicalPlan, comparable: BTreeSet<String>) -> Self {
        // Descriptions that a file carries beside its columns are not shown.
        let fields: Vec<_> = plan.schema().fields().iter().map(|f| f.as_ref().clone().with_metadata([].into())).collect();
        Self { schema: Arc::new(Schema::new(fields)), plan, comparable, can_be_cut: true }
    }

    /// A plan that is run in one place, and of which no comparison is tested inside.
    pub(super) fn whole(plan: LogicalPlan) -> Self {
        Self { can_be_cut: false, ..Self::new(plan, BTreeSet::new()) }
    }

    /// Whether it is of comparisons of comparable columns with values of the same types: without a cast, none can fail.
    fn is_harmless(&self, filter: &Expr) -> bool {
        let column = |e: &Expr| match e {
            Expr::Column(c) if self.comparable.contains(&c.name) => {
                self.schema.field_with_name(&c.name).ok().map(|f| f.data_type().clone())
            }
            _ => None,
        };
        let value = |e: &Expr| if let Expr::Literal(v, _) = e { Some(v.data_type()) } else { None };
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                // A short list of values is planned as comparisons joined by OR.
                if matches!(op, Operator::And | Operator::Or) {
                    return self.is_harmless(left) && self.is_harmless(right);
                }
                let compares = matches!(op, Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq);
                let same = |a: &Expr, b: &Expr| column(a).is_some_and(|t| value(b) == Some(t));
                compares && (same(left, right) || same(right, left))
            }
            Expr::InList(list) => column(&list.expr).is_some_and(|t| list.list.iter().all(|v| value(v).as_ref() == Some(&t))),
            Expr::IsNull(e) | Expr::IsNotNull(e) => column(e).is_some(),
            Expr::Not(e) => self.is_harmless(e),
            // A column of truth values.
            e => column(e) == Some(DataType::Boolean),
        }
    }
}

#[async_trait::async_trait]
impl TableProvider for Sealed {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DfResult<Vec<TableProviderFilterPushDown>> {
        let verdict = |f: &&Expr| {
            // Exact: it is tested inside on every row, and need not be tested again.
            if self.is_harmless(f) { TableProviderFilterPushDown::Exact } else { TableProviderFilterPushDown::Unsupported }
        };
        Ok(filters.iter().map(verdict).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(indices) => Arc::new(self.schema.project(indices)?),
            None => self.schema(),
        };
        let inside = async {
            let mut plan = LogicalPlanBuilder::from(self.plan.clone());
            for filter in filters {
                plan = plan.filter(filter.clone())?;
            }
            if let Some(indices) = projection {
                // By name: quoted as it is, never parsed.
                plan = plan.project(indices.iter().map(|i| Expr::Column(self.plan.schema().columns()[*i].clone())))?;
            }
            let plan = if limit.is_some() { plan.limit(0, limit)? } else { plan };
            // Not by the session's own planner, which may cut plans for workers: what is sealed is cut as a whole.
            let plan = state.optimize(&plan.build()?)?;
            DefaultPhysicalPlanner::default().create_physical_plan(&plan, state).await
        };
        let inside = inside.await.map_err(|e| hidden(&e))?;
        Ok(Arc::new(SealedExec::new(inside, schema, self.can_be_cut)))
    }
}

/// The running of a sealed plan.
#[derive(Debug)]
pub(super) struct SealedExec {
    inside: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    can_be_cut: bool,
    /// Partitions of the plan that each task runs; all, unless it is cut.
    each: usize,
}

impl SealedExec {
    fn new(inside: Arc<dyn ExecutionPlan>, schema: SchemaRef, can_be_cut: bool) -> Self {
        let each = inside.output_partitioning().partition_count();
        let equivalences = EquivalenceProperties::new(Arc::clone(&schema));
        let partitions = Partitioning::UnknownPartitioning(each);
        let properties = PlanProperties::new(equivalences, partitions, EmissionType::Incremental, Boundedness::Bounded);
        Self { inside, schema, properties: Arc::new(properties), can_be_cut, each }
    }

    /// Whether parts of it can be run in different places.
    pub(super) fn can_be_cut(&self) -> bool {
        self.can_be_cut
    }

    /// The same for so many tasks, each of which runs its share of the partitions.
    pub(super) fn cut(&self, tasks: usize) -> Self {
        let whole = Self::new(Arc::clone(&self.inside), Arc::clone(&self.schema), self.can_be_cut);
        let each = whole.each.div_ceil(tasks.max(1)).max(1);
        let properties = PlanProperties::clone(&whole.properties).with_partitioning(Partitioning::UnknownPartitioning(each));
        Self { properties: Arc::new(properties), each, ..whole }
    }
}

impl DisplayAs for SealedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedExec")
    }
}

impl ExecutionPlan for SealedExec {
    fn name(&self) -> &'static str {
        "SealedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    /// None that anybody may look at.
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(&self, _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DfResult<TreeNodeRecursion>) -> DfResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let schema = Arc::clone(&self.schema);
        let partition = DistributedTaskContext::from_ctx(&context).task_index * self.each + partition;
        if partition >= self.inside.output_partitioning().partition_count() {
            return Ok(Box::pin(EmptyRecordBatchStream::new(schema)));
        }
        let stream = self.inside.execute(partition, context).map_err(|e| hidden(&e))?.map(move |batch| {
            let (_, columns, rows) = batch.map_err(|e| hidden(&e))?.into_parts();
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options).map_err(|e| hidden(&e.into()))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream)))
    }
}

/// What happens inside is told to nobody outside, but for the want of memory.
fn hidden(e: &DataFusionError) -> DataFusionError {
    let own = match e.find_root() {
        DataFusionError::ResourcesExhausted(_) => SqlError::OutOfMemory,
        DataFusionError::External(inner) if let Some(own) = inner.downcast_ref::<SqlError>() => own.clone(),
        _ => SqlError::Failed(e.to_string()),
    };
    DataFusionError::External(Box::new(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;
    use datafusion::{
        datasource::{empty::EmptyTable, provider_as_source},
        prelude::{col, lit},
    };

    #[test]
    fn what_can_fail_is_tested_above_the_wall() {
        let fields = vec![Field::new("id", DataType::Int64, true), Field::new("site", DataType::Utf8, true)];
        let table = provider_as_source(Arc::new(EmptyTable::new(Arc::new(Schema::new(fields)))));
        let plan = LogicalPlanBuilder::scan("t", table, None).and_then(LogicalPlanBuilder::build).expect("a plan");
        let sealed = Sealed::new(plan, ["id", "site"].map(str::to_owned).into());
        let site = |name: &str| Expr::Column("site".into()).eq(lit(name));
        let three = site("a").or(site("b")).or(site("c"));
        for harmless in [three.clone(), col("id").gt(lit(1_i64)).and(site("a")), !three.clone(), col("site").is_null().or(site("a"))] {
            assert!(sealed.is_harmless(&harmless), "{harmless}");
        }
        let fails = (lit(1_i64) / col("id")).eq(lit(1_i64));
        for other in [fails.clone(), three.clone().or(fails.clone()), !fails.and(site("a")), three.or(col("hidden").eq(lit("x")))] {
            assert!(!sealed.is_harmless(&other), "{other}");
        }
    }
}
