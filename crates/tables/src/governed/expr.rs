//! A plan as DataFusion expressions: which rows, and what of each column.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::{
    array::{Array, AsArray, make_array},
    buffer::NullBuffer,
    datatypes::{DataType, Field as ArrowField, FieldRef, Schema},
};
use datafusion::{
    common::{Column as ColumnName, DFSchema, Result as DataFusionResult, ScalarValue, exec_err, plan_err},
    execution::context::ExecutionProps,
    logical_expr::{
        ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
        physical_planning_context::PhysicalPlanningContext,
    },
    physical_expr::{PhysicalExpr, create_physical_expr},
};
use fondaco_core::policy::{Comparison, view::Field};

use super::{
    condition::{self, Condition},
    mask,
    plan::{Shape, TablePlan},
    value::{Key, Kind},
};

impl TablePlan {
    /// Which rows are shown, as an expression over the table's columns as they are read; `None` for all. A row is shown
    /// where it is true.
    ///
    /// # Errors
    /// When the columns are not those of the plan's table.
    pub(crate) fn filter_expr(&self, schema: &Schema) -> DataFusionResult<Option<Expr>> {
        self.condition(schema)?.map(|condition| expr(&condition, schema)).transpose()
    }

    /// The filter in the values of the columns as they are read.
    pub(crate) fn condition(&self, schema: &Schema) -> DataFusionResult<Option<Condition>> {
        let Some(filter) = self.filter() else { return Ok(None) };
        let column = |field: &Field| match (self.column(field), arrow_type(schema, field)) {
            (Some(declared), Some(data_type)) => {
                Ok(condition::Column { kind: Kind::of_arrow(data_type, declared.kind), nullable: declared.nullable })
            }
            _ => plan_err!("the files do not have the columns of their table"),
        };
        let misfit = |_: &Field, _, _| datafusion::common::plan_datafusion_err!("the files do not have the types of their table");
        Condition::new(filter, &column, &misfit).map(Some)
    }

    /// What is shown of each column, in order and under its name, as expressions over the table's columns as they are read.
    ///
    /// # Errors
    /// When the columns are not those of the plan's table.
    pub(crate) fn projection_exprs(&self, schema: &Schema) -> DataFusionResult<Vec<Expr>> {
        let columns = self.source().columns.iter().zip(self.shapes());
        columns
            .filter_map(|(column, shape)| Some((column, shape.as_ref()?)))
            .map(|(column, shape)| {
                if schema.column_with_name(&column.name).is_none() {
                    return plan_err!("the files do not have the columns of their table");
                }
                let whole = Expr::Column(ColumnName::new_unqualified(&column.name));
                Ok(match shape {
                    Shape::Keep => whole,
                    shape => {
                        let shown = Shown {
                            digest: self.digest().to_owned(),
                            column: column.name.clone(),
                            shape: shape.clone(),
                            key: self.key().clone(),
                            signature: one_argument(),
                        };
                        ScalarUDF::new_from_impl(shown).call(vec![whole]).alias(&column.name)
                    }
                })
            })
            .collect()
    }

    /// The columns as they come out of [`TablePlan::projection_exprs`].
    ///
    /// # Errors
    /// When the columns are not those of the plan's table.
    pub(crate) fn shown_schema(&self, schema: &Schema) -> DataFusionResult<Schema> {
        let mut fields = Vec::new();
        for (column, shape) in self.source().columns.iter().zip(self.shapes()) {
            let Some(shape) = shape else { continue };
            let Ok(field) = schema.field_with_name(&column.name) else {
                return plan_err!("the files do not have the columns of their table");
            };
            fields.push(mask::shown_field(field, shape)?);
        }
        Ok(Schema::new(fields))
    }
}

/// An expression ready to be evaluated on batches of these columns.
pub(crate) fn physical(expr: &Expr, schema: &Schema) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
    let schema = DFSchema::try_from(schema.clone())?;
    create_physical_expr(expr, &schema, &ExecutionProps::new(), &PhysicalPlanningContext::default())
}

/// The type of a column or of a part of a group.
pub(crate) fn arrow_type<'a>(schema: &'a Schema, field: &Field) -> Option<&'a DataType> {
    let (first, rest) = field.parts().split_first()?;
    rest.iter().try_fold(schema.field_with_name(first).ok()?.data_type(), |data_type, name| match data_type {
        DataType::Struct(fields) => fields.iter().find(|f| f.name() == name).map(|f| f.data_type()),
        _ => None,
    })
}

fn reference(field: &Field) -> Expr {
    let column = Expr::Column(ColumnName::new_unqualified(&field.parts()[0]));
    match &field.parts()[1..] {
        [] => column,
        path => ScalarUDF::new_from_impl(Part { path: path.to_vec(), signature: one_argument() }).call(vec![column]),
    }
}

fn expr(condition: &Condition, schema: &Schema) -> DataFusionResult<Expr> {
    let unknown = || Expr::Literal(ScalarValue::Boolean(None), None);
    let joined = |parts: &[Condition], join: fn(Expr, Expr) -> Expr, empty: bool| {
        let parts = parts.iter().map(|p| expr(p, schema)).collect::<DataFusionResult<Vec<_>>>()?;
        Ok::<_, datafusion::error::DataFusionError>(balanced(parts, join).unwrap_or_else(|| lit(empty)))
    };
    Ok(match condition {
        Condition::Always(b) => lit(*b),
        Condition::Known { field, holds: true } => reference(field).is_not_null().or(unknown()),
        Condition::Known { field, holds: false } => reference(field).is_null().and(unknown()),
        Condition::Compare { field, op, key } => compare(field, *op, key, schema)?,
        Condition::In { field, keys } => {
            if keys.iter().any(|k| matches!(k, Key::Float(_))) {
                let each: Vec<Condition> =
                    keys.iter().map(|k| Condition::Compare { field: field.clone(), op: Comparison::Eq, key: k.clone() }).collect();
                return joined(&each, Expr::or, false);
            }
            let keys = keys.iter().map(|k| literal(field, k, schema)).collect::<DataFusionResult<_>>()?;
            reference(field).in_list(keys, false)
        }
        Condition::IsNull { field } => reference(field).is_null(),
        Condition::Not(inner) => !expr(inner, schema)?,
        Condition::And(parts) => joined(parts, Expr::and, true)?,
        Condition::Or(parts) => joined(parts, Expr::or, false)?,
    })
}

/// All of them joined, in their order, as a tree whose depth grows with the logarithm of their number: whoever walks an
/// expression recurses into it, and a stack that overflows ends the process.
fn balanced(mut parts: Vec<Expr>, join: fn(Expr, Expr) -> Expr) -> Option<Expr> {
    while parts.len() > 1 {
        let mut rest = parts.into_iter();
        parts = Vec::with_capacity(rest.len().div_ceil(2));
        while let Some(left) = rest.next() {
            parts.push(match rest.next() {
                Some(right) => join(left, right),
                None => left,
            });
        }
    }
    parts.pop()
}

fn compare(field: &Field, op: Comparison, key: &Key, schema: &Schema) -> DataFusionResult<Expr> {
    let column = reference(field);
    let Key::Float(v) = key else { return Ok(compared(column, op, literal(field, key, schema)?)) };
    let float = |v: f64| literal(field, &Key::Float(v), schema);
    let plain = if *v == 0.0 {
        // Arrow orders the two zeros; numbers do not.
        let (minus, plus) = (float(-0.0)?, float(0.0)?);
        match op {
            Comparison::Eq => column.clone().gt_eq(minus).and(column.clone().lt_eq(plus)),
            Comparison::Neq => column.clone().lt(minus).or(column.clone().gt(plus)),
            Comparison::Lt | Comparison::Gteq => compared(column.clone(), op, minus),
            Comparison::Lteq | Comparison::Gt => compared(column.clone(), op, plus),
        }
    } else {
        compared(column.clone(), op, float(*v)?)
    };
    // Arrow puts a "not a number" with a sign, as some processors make it, below all numbers; it is above, as all are.
    Ok(match op {
        Comparison::Eq | Comparison::Neq => plain,
        Comparison::Lt | Comparison::Lteq => plain.and(column.gt_eq(float(f64::NEG_INFINITY)?)),
        Comparison::Gt | Comparison::Gteq => plain.or(column.lt(float(f64::NEG_INFINITY)?)),
    })
}

fn compared(column: Expr, op: Comparison, value: Expr) -> Expr {
    match op {
        Comparison::Eq => column.eq(value),
        Comparison::Neq => column.not_eq(value),
        Comparison::Lt => column.lt(value),
        Comparison::Lteq => column.lt_eq(value),
        Comparison::Gt => column.gt(value),
        Comparison::Gteq => column.gt_eq(value),
    }
}

/// A value in the very type that the column is read as, so that nothing converts either.
fn literal(field: &Field, key: &Key, schema: &Schema) -> DataFusionResult<Expr> {
    let Some(data_type) = arrow_type(schema, field) else { return plan_err!("the files do not have the columns of their table") };
    let value = match (data_type, key) {
        (DataType::Boolean, Key::Bool(b)) => Some(ScalarValue::Boolean(Some(*b))),
        (DataType::Utf8, Key::Text(t)) => Some(ScalarValue::Utf8(Some(t.clone()))),
        (DataType::LargeUtf8, Key::Text(t)) => Some(ScalarValue::LargeUtf8(Some(t.clone()))),
        (DataType::Utf8View, Key::Text(t)) => Some(ScalarValue::Utf8View(Some(t.clone()))),
        #[expect(clippy::cast_possible_truncation, reason = "it was read as a float of 32 bits")]
        (DataType::Float32, Key::Float(v)) => Some(ScalarValue::Float32(Some(*v as f32))),
        (DataType::Float64, Key::Float(v)) => Some(ScalarValue::Float64(Some(*v))),
        (data_type, Key::Int(v)) => int(data_type, *v),
        _ => None,
    };
    match value {
        Some(value) => Ok(Expr::Literal(value, None)),
        None => plan_err!("the files do not have the types of their table"),
    }
}

fn int(data_type: &DataType, v: i128) -> Option<ScalarValue> {
    use arrow::datatypes::TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let long = || i64::try_from(v).ok();
    Some(match data_type {
        DataType::Int8 => ScalarValue::Int8(Some(v.try_into().ok()?)),
        DataType::Int16 => ScalarValue::Int16(Some(v.try_into().ok()?)),
        DataType::Int32 => ScalarValue::Int32(Some(v.try_into().ok()?)),
        DataType::Int64 => ScalarValue::Int64(Some(long()?)),
        DataType::Date32 => ScalarValue::Date32(Some(v.try_into().ok()?)),
        DataType::Decimal32(p, s) => ScalarValue::Decimal32(Some(v.try_into().ok()?), *p, *s),
        DataType::Decimal64(p, s) => ScalarValue::Decimal64(Some(long()?), *p, *s),
        DataType::Decimal128(p, s) => ScalarValue::Decimal128(Some(v), *p, *s),
        DataType::Timestamp(Second, zone) => ScalarValue::TimestampSecond(Some(long()?), zone.clone()),
        DataType::Timestamp(Millisecond, zone) => ScalarValue::TimestampMillisecond(Some(long()?), zone.clone()),
        DataType::Timestamp(Microsecond, zone) => ScalarValue::TimestampMicrosecond(Some(long()?), zone.clone()),
        DataType::Timestamp(Nanosecond, zone) => ScalarValue::TimestampNanosecond(Some(long()?), zone.clone()),
        _ => return None,
    })
}

fn one_argument() -> Signature {
    Signature::any(1, Volatility::Immutable)
}

/// A part of a group. It is missing where the group is, also where the group's own declaration says that it never is:
/// `get_field` shows what lies below a missing group there.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Part {
    path: Vec<String>,
    signature: Signature,
}

impl ScalarUDFImpl for Part {
    fn name(&self) -> &'static str {
        "part"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> DataFusionResult<DataType> {
        let [whole] = arguments else { return plan_err!("one column at a time") };
        let found = self.path.iter().try_fold(whole, |data_type, name| match data_type {
            DataType::Struct(fields) => fields.iter().find(|f| f.name() == name).map(|f| f.data_type()),
            _ => None,
        });
        found.map_or_else(|| plan_err!("the files do not have the columns of their table"), |t| Ok(t.clone()))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let rows = arguments.number_rows;
        let mut array = only(arguments.args)?.into_array(rows)?;
        for name in &self.path {
            let part = array.as_struct_opt().and_then(|group| group.column_by_name(name));
            let Some(part) = part else { return exec_err!("the files do not have the columns of their table") };
            let nulls = NullBuffer::union(array.nulls(), part.logical_nulls().as_ref());
            let data = part.to_data().into_builder().nulls(nulls).build()?;
            array = make_array(data);
        }
        Ok(ColumnarValue::Array(array))
    }
}

fn only(arguments: Vec<ColumnarValue>) -> DataFusionResult<ColumnarValue> {
    match <[ColumnarValue; 1]>::try_from(arguments) {
        Ok([one]) => Ok(one),
        Err(_) => exec_err!("one column at a time"),
    }
}

/// What is shown of one column.
#[derive(Debug)]
struct Shown {
    /// Of the plan.
    digest: String,
    column: String,
    shape: Shape,
    key: aws_lc_rs::hmac::Key,
    signature: Signature,
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        // The plan says the rest.
        (&self.digest, &self.column) == (&other.digest, &other.column)
    }
}

impl Eq for Shown {}

impl Hash for Shown {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.digest, &self.column).hash(state);
    }
}

impl ScalarUDFImpl for Shown {
    fn name(&self) -> &'static str {
        "shown"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> DataFusionResult<DataType> {
        match arguments {
            [one] => Ok(mask::shown_type(one, &self.shape)?),
            _ => plan_err!("one column at a time"),
        }
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        match arguments.arg_fields {
            [one] => {
                let shown = mask::shown_field(one, &self.shape)?;
                Ok(Arc::new(ArrowField::new(&self.column, shown.data_type().clone(), shown.is_nullable())))
            }
            _ => plan_err!("one column at a time"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let rows = arguments.number_rows;
        let one = only(arguments.args)?;
        Ok(ColumnarValue::Array(mask::shown(&one.into_array(rows)?, &self.shape, &self.key)?))
    }
}

#[cfg(test)]
#[path = "expr_tests.rs"]
mod tests;
