//! Short texts without what the long ones are kept in.
//!
//! A column of texts read with a dictionary drags the dictionary's bytes along, also where every text is short enough to lie
//! in its view. Comparing and grouping then look each text up instead of comparing two numbers: without those bytes a
//! comparison takes a third of the time.

use arrow::{
    array::{ArrayRef, AsArray, GenericByteViewArray, RecordBatch, RecordBatchOptions},
    datatypes::{ByteViewType, DataType, SchemaRef},
};
use datafusion::{
    common::{Result as DfResult, Statistics, internal_datafusion_err, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::PhysicalExpr,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, statistics::StatisticsArgs, stream::RecordBatchStreamAdapter,
    },
};
use futures::StreamExt;
use std::{fmt, sync::Arc};

/// The rows of a plan, with short texts alone in their views; the plan itself where it has no texts.
pub(super) fn inlined(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    if plan.schema().fields().iter().any(|f| is_view(f.data_type())) { Arc::new(InlinedExec(plan)) } else { plan }
}

fn is_view(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8View | DataType::BinaryView)
}

/// A stream's batches with short texts alone in their views.
#[derive(Debug)]
struct Alone {
    schema: SchemaRef,
    /// Of each column, whether its texts were short so far: then looking is part of taking them out.
    short: Vec<bool>,
}

impl Alone {
    fn of(schema: &SchemaRef) -> Self {
        Self { schema: Arc::clone(schema), short: vec![true; schema.fields().len()] }
    }

    /// The same rows.
    fn take(&mut self, batch: &RecordBatch) -> DfResult<RecordBatch> {
        let columns = batch.columns().iter().zip(&mut self.short).map(|(column, short)| -> ArrayRef {
            if let Some(texts) = column.as_string_view_opt() {
                *short = *short || texts.total_buffer_bytes_used() == 0;
                return if *short { taken_out(texts, short) } else { Arc::clone(column) };
            }
            if let Some(bytes) = column.as_binary_view_opt() {
                *short = *short || bytes.total_buffer_bytes_used() == 0;
                return if *short { taken_out(bytes, short) } else { Arc::clone(column) };
            }
            Arc::clone(column)
        });
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns.collect(), &options)?)
    }
}

/// The same texts. Where there are long ones after all they are copied this once.
fn taken_out<T: ByteViewType>(texts: &GenericByteViewArray<T>, short: &mut bool) -> ArrayRef {
    let alone = texts.gc();
    *short = alone.data_buffers().is_empty();
    Arc::new(alone)
}

#[derive(Debug)]
struct InlinedExec(Arc<dyn ExecutionPlan>);

impl DisplayAs for InlinedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InlinedExec")
    }
}

impl ExecutionPlan for InlinedExec {
    fn name(&self) -> &'static str {
        "InlinedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.0.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.0]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(&self, _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DfResult<TreeNodeRecursion>) -> DfResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> DfResult<Arc<dyn ExecutionPlan>> {
        let [below] = <[_; 1]>::try_from(children).map_err(|_| internal_datafusion_err!("InlinedExec has one input"))?;
        Ok(Arc::new(Self(below)))
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _: &StatisticsArgs) -> DfResult<Arc<Statistics>> {
        let below = inputs.first().ok_or_else(|| internal_datafusion_err!("InlinedExec has one input"))?;
        Ok(Arc::clone(below))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let rows = self.0.execute(partition, context)?;
        let schema = rows.schema();
        let mut alone = Alone::of(&schema);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows.map(move |batch| alone.take(&batch?)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{
        array::StringViewArray,
        datatypes::{Field, Schema},
    };

    #[test]
    fn only_texts_that_fit_lose_their_buffers() {
        let long = "longer than twelve bytes";
        let texts = StringViewArray::from_iter([Some("short"), None, Some(long)]);
        let schema = Arc::new(Schema::new(vec![Field::new("t", DataType::Utf8View, true)]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(texts)]).expect("batch");
        let buffers = |batch: &RecordBatch| batch.column(0).as_string_view().data_buffers().len();
        let short = batch.slice(0, 2);
        let mut alone = Alone::of(&schema);
        // Long ones are copied when they come first, and handed on from then on.
        for (given, left) in [(&short, 0), (&batch, 1), (&batch, 1), (&short, 0), (&short, 0)] {
            let made = alone.take(given).expect("same");
            assert_eq!((buffers(given), buffers(&made), &made), (1, left, given));
        }
    }
}
