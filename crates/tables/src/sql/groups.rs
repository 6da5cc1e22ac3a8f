//! `minGroupSize`: only aggregates, and of groups with enough rows.
//!
//! Every aggregation of the table is rewritten: groups of fewer than k rows disappear, and an aggregate of fewer than k
//! values is missing. The rewritten aggregation is sealed, so that nothing above it, be it `HAVING` or a failing division,
//! meets a group that disappears.
//!
//! Between the table and its aggregation only what cannot single out a row by failing or counting: conditions that compare
//! columns with values, renaming. What is aggregated are columns as they are: `sum(CASE WHEN name = 'x' THEN …)` would
//! be one row's value under the sum's name. `min`, `max`, `first_value`, `array_agg`, `string_agg` give the values of single
//! rows, `bool_and`, `bool_or` and counts of distinct values nearly so.
//!
//! Not prevented: the difference of two answers, over groups that differ in one row, is that row's. Who must fear this
//! sells answers with noise, or none.

use super::{
    SqlError,
    sealed::Sealed,
    session::{SCHEMA, told},
};
use arrow::datatypes::DataType;
use datafusion::{
    common::{
        Column, Result as DfResult,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    datasource::provider_as_source,
    functions_aggregate::expr_fn::count,
    logical_expr::{
        Aggregate, BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, col, expr::AggregateFunction, lit, when,
    },
    scalar::ScalarValue,
};
use std::sync::Arc;

/// Aggregates that say something of the many and little of each.
const AGGREGATES: &[&str] = &["count", "sum", "avg", "var", "var_pop", "stddev", "stddev_pop", "median", "approx_median"];
/// Functions of time that cut and never fail.
const CUTS: &[&str] = &["date_trunc", "date_part"];

/// The plan with every aggregation of the table protected.
///
/// # Errors
/// [`SqlError::Refused`] saying what may be asked.
pub(super) fn protect(plan: LogicalPlan, least: u32) -> Result<LogicalPlan, SqlError> {
    refuse_subqueries(&plan, least)?;
    let mut problem = None;
    let rewritten = plan.transform_down(|node| match &node {
        LogicalPlan::Aggregate(aggregate) if reads_table(&aggregate.input) && !holds_aggregate(&aggregate.input) => {
            match protected(aggregate, least) {
                Ok(Ok(plan)) => Ok(Transformed::new(plan, true, TreeNodeRecursion::Jump)),
                Ok(Err(e)) | Err(e) => {
                    problem = Some(e);
                    Ok(Transformed::new(node, false, TreeNodeRecursion::Stop))
                }
            }
        }
        LogicalPlan::TableScan(scan) if is_governed(scan.table_name.schema()) => {
            problem = Some(refused(least, "This statement asks for single rows."));
            Ok(Transformed::new(node, false, TreeNodeRecursion::Stop))
        }
        _ => Ok(Transformed::no(node)),
    });
    if let Some(problem) = problem {
        return Err(problem);
    }
    let rewritten = rewritten.map_err(|e| told(&e))?.data;
    // What is above an aggregation may now hold missing values where there were none.
    let settled = rewritten.transform_up(|node| node.recompute_schema().map(Transformed::yes));
    Ok(settled.map_err(|e| told(&e))?.data)
}

fn refused(least: u32, why: &str) -> SqlError {
    SqlError::Refused(format!(
        "{why} Of this table only aggregates over at least {least} rows are given: {} of columns, with GROUP BY, and WHERE conditions that \
         compare columns with values.",
        AGGREGATES.join(", ")
    ))
}

/// Everything but the descriptions of the schema is the table.
fn is_governed(schema: Option<&str>) -> bool {
    schema.is_none_or(|s| s == SCHEMA)
}

fn any_node(plan: &LogicalPlan, test: impl Fn(&LogicalPlan) -> bool) -> bool {
    plan.exists(|node| Ok(test(node))).unwrap_or(true)
}

fn reads_table(plan: &LogicalPlan) -> bool {
    any_node(plan, |n| matches!(n, LogicalPlan::TableScan(scan) if is_governed(scan.table_name.schema())))
}

fn holds_aggregate(plan: &LogicalPlan) -> bool {
    any_node(plan, |n| matches!(n, LogicalPlan::Aggregate(_)))
}

/// A query within an expression could look at a row for each row.
fn refuse_subqueries(plan: &LogicalPlan, least: u32) -> Result<(), SqlError> {
    let is_query = |e: &Expr| {
        matches!(
            e,
            Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::ScalarSubquery(_) | Expr::OuterReferenceColumn(..)
        )
    };
    let found = plan.exists(|node| node.apply_expressions_any(&is_query));
    match found {
        Ok(false) => Ok(()),
        Ok(true) => Err(refused(least, "A query within an expression is not answered.")),
        Err(e) => Err(told(&e)),
    }
}

trait AnyExpression {
    fn apply_expressions_any(&self, test: &dyn Fn(&Expr) -> bool) -> DfResult<bool>;
}

impl AnyExpression for LogicalPlan {
    fn apply_expressions_any(&self, test: &dyn Fn(&Expr) -> bool) -> DfResult<bool> {
        for expr in self.expressions() {
            if expr.exists(|e| Ok(test(e)))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The aggregation with its small groups gone, as a table of its own under the names it had.
fn protected(aggregate: &Aggregate, least: u32) -> Result<Result<LogicalPlan, SqlError>, SqlError> {
    let no = |why: &str| Err(refused(least, why));
    check_input(&aggregate.input, least)?;
    for key in &aggregate.group_expr {
        if !is_key(bare(key), aggregate) {
            return no("Rows are grouped by columns, or by date_trunc and date_part of them.");
        }
    }
    let mut values = Vec::new();
    for expr in &aggregate.aggr_expr {
        let Expr::AggregateFunction(AggregateFunction { func, params }) = bare(expr) else {
            return no("An aggregate stands by itself.");
        };
        if !AGGREGATES.contains(&func.name()) {
            return no(&format!("{}() is not given.", func.name()));
        }
        if params.distinct || params.filter.is_some() || !params.order_by.is_empty() || params.null_treatment.is_some() {
            return no("Aggregates are without DISTINCT, FILTER and ORDER BY.");
        }
        let [argument] = params.args.as_slice() else {
            return no(&format!("{}() is of one column.", func.name()));
        };
        match plain(argument, aggregate) {
            Some(column) => values.push(Some(column)),
            // count(*) and count(1) count rows, as does the size of the group.
            None if func.name() == "count" && matches!(argument, Expr::Literal(v, _) if !v.is_null()) => values.push(None),
            None => return no("What is aggregated are columns as they are, without a computation."),
        }
    }
    Ok(rewrite(aggregate, &values, least).map_err(|e| told(&e)))
}

fn rewrite(aggregate: &Aggregate, values: &[Option<Expr>], least: u32) -> DfResult<LogicalPlan> {
    let least = lit(i64::from(least));
    // Not a name that a column can have: those have no control characters.
    let rows = "\u{1}rows";
    let mut aggregates = aggregate.aggr_expr.clone();
    aggregates.push(count(lit(1_i64)).alias(rows));
    for (i, value) in values.iter().enumerate() {
        if let Some(value) = value {
            aggregates.push(count(value.clone()).alias(format!("\u{1}values {i}")));
        }
    }
    let inner = LogicalPlan::Aggregate(Aggregate::try_new(Arc::clone(&aggregate.input), aggregate.group_expr.clone(), aggregates)?);
    let columns = inner.schema().columns();
    let keys = aggregate.group_expr.len();
    let outer = aggregate.schema.columns();
    let mut shown = Vec::with_capacity(outer.len());
    for (i, column) in columns.iter().take(outer.len()).enumerate() {
        let own = Expr::Column(column.clone());
        let own = match i.checked_sub(keys) {
            Some(n) if values[n].is_some() => {
                let counted = Expr::Column(Column::new_unqualified(format!("\u{1}values {n}")));
                when(counted.gt_eq(least.clone()), own).end()?
            }
            _ => own,
        };
        shown.push(own.alias_qualified(None::<&str>, format!("c{i}")));
    }
    let enough = Expr::Column(Column::new_unqualified(rows)).gt_eq(least);
    let inside = LogicalPlanBuilder::from(inner).filter(enough)?.project(shown)?.build()?;
    // No comparison is pushed below: it would meet what disappears.
    let sealed = provider_as_source(Arc::new(Sealed::whole(inside)));
    let names = outer.into_iter().enumerate();
    let renamed = names.map(|(i, Column { relation, name, .. })| col(format!("c{i}")).alias_qualified(relation, name));
    LogicalPlanBuilder::scan("groups", sealed, None)?.project(renamed)?.build()
}

/// Between the table and its aggregation: renaming, and harmless conditions.
fn check_input(plan: &LogicalPlan, least: u32) -> Result<(), SqlError> {
    match plan {
        LogicalPlan::TableScan(scan) if scan.fetch.is_none() => Ok(()),
        LogicalPlan::SubqueryAlias(alias) => check_input(&alias.input, least),
        LogicalPlan::Projection(projection) if projection.expr.iter().all(|e| matches!(bare(e), Expr::Column(_))) => {
            check_input(&projection.input, least)
        }
        LogicalPlan::Projection(_) => Err(refused(least, "Columns are aggregated as they are, without a computation.")),
        LogicalPlan::Filter(filter) if is_harmless(&filter.predicate, &filter.input) => check_input(&filter.input, least),
        LogicalPlan::Filter(_) => Err(refused(least, "The condition is more than a comparison of columns with values of their own type.")),
        _ => Err(refused(least, "Rows are aggregated before anything else is done with them.")),
    }
}

fn bare(expr: &Expr) -> &Expr {
    if let Expr::Alias(alias) = expr { bare(&alias.expr) } else { expr }
}

/// The column of an expression that is one, perhaps cast to a type that holds all its values.
fn plain(expr: &Expr, aggregate: &Aggregate) -> Option<Expr> {
    is_column(bare(expr), &aggregate.input).then(|| bare(expr).clone())
}

fn is_column(expr: &Expr, input: &LogicalPlan) -> bool {
    match expr {
        Expr::Column(_) => true,
        Expr::Cast(cast) if matches!(&*cast.expr, Expr::Column(_)) => {
            cast.expr.get_type(input.schema()).is_ok_and(|from| holds(&from, cast.field.data_type()))
        }
        _ => false,
    }
}

/// Whether every value of a type is one of the other: such a cast never fails.
fn holds(from: &DataType, into: &DataType) -> bool {
    use DataType::{Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, Timestamp, Utf8, Utf8View};
    let whole_digits = |t: &DataType| match t {
        Int8 => Some(3),
        Int16 => Some(5),
        Int32 => Some(10),
        Int64 => Some(19),
        _ => None,
    };
    match (from, into) {
        (a, b) if a == b => true,
        (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View)
        | (Int8 | Int16 | Int32 | Int64 | Float32 | Decimal128(..), Float64)
        | (Int8 | Int16 | Int32 | Int64, Float32) => true,
        (Decimal128(p, s), Decimal128(q, t)) => t >= s && i16::from(*q) - i16::from(*t) >= i16::from(*p) - i16::from(*s),
        (_, Decimal128(q, t)) => whole_digits(from).is_some_and(|digits| i16::from(*q) - i16::from(*t) >= digits),
        (Timestamp(a, _), Timestamp(b, _)) => a == b,
        (Date32, Timestamp(unit, _)) => matches!(unit, arrow::datatypes::TimeUnit::Second | arrow::datatypes::TimeUnit::Millisecond),
        (a, b) => matches!((whole_digits(a), whole_digits(b)), (Some(few), Some(many)) if few <= many),
    }
}

/// A value as written: nothing of a row.
fn is_value(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) => true,
        Expr::Cast(cast) => is_value(&cast.expr),
        Expr::Negative(inner) => is_value(inner),
        _ => false,
    }
}

fn is_key(expr: &Expr, aggregate: &Aggregate) -> bool {
    match expr {
        Expr::ScalarFunction(function) if CUTS.contains(&function.name()) => {
            matches!(function.args.as_slice(), [Expr::Literal(ScalarValue::Utf8(Some(_)) | ScalarValue::Utf8View(Some(_)), _), of]
                if is_column(of, &aggregate.input))
        }
        Expr::Literal(..) => true,
        other => is_column(other, &aggregate.input),
    }
}

/// A condition that is the same for every row that looks alike, and fails on none.
fn is_harmless(expr: &Expr, input: &LogicalPlan) -> bool {
    let operand = |e: &Expr| is_column(e, input) || is_value(e);
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => {
            is_harmless(left, input) && is_harmless(right, input)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let compares = matches!(
                op,
                Operator::Eq
                    | Operator::NotEq
                    | Operator::Lt
                    | Operator::LtEq
                    | Operator::Gt
                    | Operator::GtEq
                    | Operator::IsDistinctFrom
                    | Operator::IsNotDistinctFrom
            );
            compares && operand(left) && operand(right)
        }
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => operand(inner),
        Expr::Not(inner)
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsNotUnknown(inner) => is_harmless(inner, input),
        Expr::Between(between) => operand(&between.expr) && operand(&between.low) && operand(&between.high),
        Expr::InList(list) => operand(&list.expr) && list.list.iter().all(is_value),
        Expr::Like(like) => operand(&like.expr) && is_value(&like.pattern),
        // A column of truth values, or TRUE.
        other => operand(other),
    }
}
