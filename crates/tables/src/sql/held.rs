//! Memory that the engine does not count: rows that a window function holds back until it has seen those that come later.

use super::answer::batch_bytes;
use arrow::array::RecordBatch;
use datafusion::{
    common::{
        Result as DfResult,
        config::ConfigOptions,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    execution::{SendableRecordBatchStream, TaskContext, memory_pool::MemoryConsumer},
    physical_expr::PhysicalExpr,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
        sorts::sort::SortExec,
        stream::RecordBatchStreamAdapter,
        windows::{BoundedWindowAggExec, WindowAggExec},
    },
};
use futures::StreamExt;
use std::{fmt, sync::Arc};

/// A window function that sees all rows puts them together once more.
const COPIES: usize = 2;

/// Counts, below each window function, the rows that it is given.
#[derive(Debug)]
pub(super) struct CountHeld;

impl PhysicalOptimizerRule for CountHeld {
    fn name(&self) -> &'static str {
        "count_held"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> DfResult<Arc<dyn ExecutionPlan>> {
        let counted = plan.transform_up(|node| {
            // What was sorted for a window that moves on was counted by the sorting, and is let go as it moves.
            let holds = node.is::<WindowAggExec>() || (node.is::<BoundedWindowAggExec>() && !is_sorted(&node));
            let [below] = node.children()[..] else { return Ok(Transformed::no(node)) };
            if !holds || below.is::<HeldExec>() {
                return Ok(Transformed::no(node));
            }
            let held = Arc::new(HeldExec { properties: Arc::clone(below.properties()), below: Arc::clone(below) });
            let same = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
            Ok(Transformed::yes(node.replace_children(vec![held], same)?))
        });
        Ok(counted?.data)
    }
}

/// Whether a plan's rows come out of a sorting, through steps with one input.
fn is_sorted(plan: &Arc<dyn ExecutionPlan>) -> bool {
    match plan.children()[..] {
        [below] => below.is::<SortExec>() || is_sorted(below),
        _ => false,
    }
}

/// Hands rows on, and counts them until the one who takes them is done.
#[derive(Debug)]
struct HeldExec {
    below: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for HeldExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldExec")
    }
}

impl ExecutionPlan for HeldExec {
    fn name(&self) -> &'static str {
        "HeldExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.below]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(&self, _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DfResult<TreeNodeRecursion>) -> DfResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> DfResult<Arc<dyn ExecutionPlan>> {
        let Ok([below]) = <[_; 1]>::try_from(children) else {
            return Err(datafusion::common::internal_datafusion_err!("HeldExec has one input"));
        };
        Ok(Arc::new(Self { properties: Arc::clone(below.properties()), below }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let held = MemoryConsumer::new("window").register(context.memory_pool());
        let rows = self.below.execute(partition, context)?;
        let schema = rows.schema();
        // The stream lives as long as the window function that reads it.
        let counted = rows.map(move |batch: DfResult<RecordBatch>| {
            let batch = batch?;
            held.try_grow(usize::try_from(batch_bytes(&batch)).unwrap_or(usize::MAX).saturating_mul(COPIES))?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, counted)))
    }
}
