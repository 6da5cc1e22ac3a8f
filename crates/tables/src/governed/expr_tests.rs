//! Expressions against a plain evaluation of the filter they stand for.

use super::*;
use crate::governed::fixtures::{Dice, declared, filter, holds, rows};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::Float64Type,
};
use fondaco_core::policy::{
    filter::Filter,
    view::{Mask, View},
};

fn evaluate(expr: &Expr, batch: &RecordBatch) -> arrow::array::ArrayRef {
    let physical = physical(expr, &batch.schema()).expect("physical");
    physical.evaluate(batch).expect("evaluates").into_array(batch.num_rows()).expect("array")
}

#[test]
fn rows_are_shown_where_the_plain_evaluation_says_so() {
    let (mut tried, mut mixed) = (0, 0);
    for seed in 0..400 {
        let mut dice = Dice::new(seed);
        let batch = rows(&mut dice, 60, 1);
        let filter = filter(&mut dice, 1, 2);
        let view = View { row_filter: Some(filter.clone()), ..View::default() };
        let Ok(plan) = TablePlan::new(&view, &declared(&batch.schema()), &[]) else {
            assert!((0..60).all(|r| holds(&filter, &batch, r) != Some(true)), "seed {seed}: refused, and shows rows: {filter}");
            continue;
        };
        let expr = plan.filter_expr(&batch.schema()).expect("expression");
        let shown: Vec<bool> = match &expr {
            None => vec![true; 60],
            Some(expr) => evaluate(expr, &batch).as_boolean().iter().map(|b| b == Some(true)).collect(),
        };
        for (row, shown) in shown.iter().enumerate() {
            assert_eq!(*shown, holds(&filter, &batch, row) == Some(true), "seed {seed}, row {row}: {filter}\n{expr:?}");
        }
        tried += 1;
        mixed += usize::from(shown.contains(&true) && shown.contains(&false));
    }
    assert!(tried > 250 && mixed > 100, "{tried} tried, {mixed} with rows of both sorts");
}

#[test]
fn a_part_of_a_missing_group_is_missing_even_where_it_may_not_be() {
    let batch = rows(&mut Dice::new(1), 200, 0);
    assert!(batch.column_by_name("who").expect("who").null_count() > 0);
    let view = View { row_filter: Some(Filter::parse("who.age >= 0").expect("filter")), ..View::default() };
    let plan = TablePlan::new(&view, &declared(&batch.schema()), &[]).expect("plan");
    let shown = evaluate(&plan.filter_expr(&batch.schema()).expect("expr").expect("some"), &batch);
    let who = batch.column_by_name("who").expect("who");
    for row in 0..200 {
        assert_eq!(shown.as_boolean().is_valid(row) && shown.as_boolean().value(row), who.is_valid(row), "row {row}");
    }
}

#[test]
fn the_projection_gives_the_visible_columns_under_their_names() {
    let batch = rows(&mut Dice::new(2), 50, 0);
    let mask = |text: &str| Mask::parse(text).expect("mask");
    let view = View {
        fields: Some(["id", "who.age", "score", "tags", "site"].iter().map(|f| Field::parse(f).expect("field")).collect()),
        masks: vec![mask("hash(site)"), mask("bucket(score, 2)"), mask("truncate(tags.element, 3)")],
        ..View::default()
    };
    let plan = TablePlan::new(&view, &declared(&batch.schema()), b"a secret of the agreement").expect("plan");
    let shown = plan.shown_schema(&batch.schema()).expect("schema");
    let exprs = plan.projection_exprs(&batch.schema()).expect("exprs");
    let arrays: Vec<_> = exprs.iter().map(|e| evaluate(e, &batch)).collect();
    let names: Vec<_> = exprs.iter().map(|e| e.schema_name().to_string()).collect();
    assert_eq!(names, ["id", "score", "site", "who", "tags"]);
    let out = RecordBatch::try_new(Arc::new(shown.clone()), arrays).expect("as declared");
    let text = |schema: &crate::publish::TableSchema| schema.delta_schema_string();
    assert_eq!(text(plan.schema()), text(&declared(&shown)), "what is declared is what comes");
    assert_eq!(out.column_by_name("who").expect("who").as_struct().num_columns(), 1);
    assert_eq!(out.column_by_name("site").expect("site").as_string::<i32>().iter().flatten().next().map(str::len), Some(32));
    let scores = out.column_by_name("score").expect("score").as_primitive::<Float64Type>();
    assert!(scores.iter().flatten().all(|v| v.is_nan() || v.is_infinite() || v % 2.0 == 0.0));
    let debug = format!("{exprs:?} {}", exprs[2]);
    assert!(!debug.contains("secret"), "{debug}");
}

#[test]
fn large_filters_are_shallow_expressions() {
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion, TreeNodeVisitor};
    struct Depth(usize, usize);
    impl<'n> TreeNodeVisitor<'n> for Depth {
        type Node = Expr;
        fn f_down(&mut self, _: &'n Expr) -> DataFusionResult<TreeNodeRecursion> {
            self.0 += 1;
            self.1 = self.1.max(self.0);
            Ok(TreeNodeRecursion::Continue)
        }
        fn f_up(&mut self, _: &'n Expr) -> DataFusionResult<TreeNodeRecursion> {
            self.0 -= 1;
            Ok(TreeNodeRecursion::Continue)
        }
    }
    let batch = rows(&mut Dice::new(5), 60, 1);
    let schema = declared(&batch.schema());
    let planned = |filter: Filter| TablePlan::new(&View { row_filter: Some(filter), ..View::default() }, &schema, &[]);
    let many =
        |from: usize| Filter::parse(&(from..from + 250).map(|n| format!("id<>{n}")).collect::<Vec<_>>().join(" AND ")).expect("filter");
    let floats = (0..1_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    for filter in [many(0).and(many(250)), Filter::parse(&format!("score IN ({floats})")).expect("filter")] {
        let plan = planned(filter.clone()).expect("plan");
        let expr = plan.filter_expr(&batch.schema()).expect("expression").expect("a filter");
        let mut depth = Depth(0, 0);
        expr.visit(&mut depth).expect("walked");
        assert!(depth.1 < 20, "{}", depth.1);
        let shown: Vec<bool> = evaluate(&expr, &batch).as_boolean().iter().map(|b| b == Some(true)).collect();
        let expected: Vec<bool> = (0..60).map(|r| holds(&filter, &batch, r) == Some(true)).collect();
        assert_eq!(shown, expected);
    }
    let more = (1..60).fold(many(0), |all, i| all.and(many(250 * i)));
    assert!(planned(more).expect_err("too large").message().contains("more comparisons"));
}
