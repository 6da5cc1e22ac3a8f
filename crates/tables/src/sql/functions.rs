//! The functions that statements may use: those of which it is known that they tell nothing of the machine, and make no
//! large values of small ones.
//!
//! The engine counts the memory of sorting, grouping and joining, not that of expressions. A text of a few characters,
//! joined with itself in thirty nested queries, has a billion. So what makes texts longer is measured before it is made,
//! what makes lists of values is left out, and a function that nobody has looked at is not there.

use super::{SqlError, utc::without_zone};
use arrow::{
    array::{Array, ArrayRef, AsArray},
    compute::cast,
    datatypes::{DataType, FieldRef},
};
use datafusion::{
    common::{
        DataFusionError, ExprSchema, Result as DfResult,
        config::ConfigOptions,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{
        BinaryExpr, Cast, ColumnarValue, Expr, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature, TryCast, Volatility,
        expr::{InList, ScalarFunction},
        expr_rewriter::NamePreserver,
        simplify::{ExprSimplifyResult, SimplifyContext},
    },
    scalar::ScalarValue,
};
use std::{borrow::Cow, sync::Arc};

/// Longest text that a function may make: a long document. Texts of the table may be longer, and are read as they are.
const TEXT_MAX_BYTES: usize = 64 * 1024;
/// Bytes of all texts that a function makes for one batch of rows.
const BATCH_MAX_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of the values written into one step of a statement: each may be repeated for every row of a batch.
const WRITTEN_MAX_BYTES: usize = 32 * 1024;
/// What a value of fixed size counts, and a column.
const VALUE_BYTES: usize = 16;
/// Longest pattern, of LIKE too: matching takes time by its length times that of the text, and cannot be interrupted.
const PATTERN_MAX_BYTES: usize = 500;

/// Functions whose values are no larger than what they are given, but for a small factor.
const SCALAR: &[&str] = &[
    "abs",
    "acos",
    "acosh",
    "array_any_value",
    "array_avg",
    "array_compact",
    "array_dims",
    "array_distance",
    "array_distinct",
    "array_element",
    "array_except",
    "array_has",
    "array_has_all",
    "array_has_any",
    "array_intersect",
    "array_length",
    "array_max",
    "array_min",
    "array_ndims",
    "array_normalize",
    "array_pop_back",
    "array_pop_front",
    "array_position",
    "array_positions",
    "array_product",
    "array_remove",
    "array_remove_all",
    "array_remove_n",
    "array_reverse",
    "array_scale",
    "array_slice",
    "array_sort",
    "array_sum",
    "arrow_cast",
    "arrow_field",
    "arrow_try_cast",
    "arrow_typeof",
    "ascii",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bit_length",
    "btrim",
    "cardinality",
    "cbrt",
    "ceil",
    "character_length",
    "chr",
    "coalesce",
    "contains",
    "cos",
    "cosh",
    "cosine_distance",
    "cot",
    "current_date",
    "current_time",
    "date_bin",
    "date_part",
    "date_trunc",
    "decode",
    "degrees",
    "digest",
    "empty",
    "ends_with",
    "exp",
    "factorial",
    "find_in_set",
    "flatten",
    "floor",
    "from_unixtime",
    "gcd",
    "get_field",
    "greatest",
    "initcap",
    "inner_product",
    "isnan",
    "iszero",
    "lcm",
    "least",
    "left",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "make_date",
    "make_time",
    "map_extract",
    "map_keys",
    "map_values",
    "md5",
    "nanvl",
    "now",
    "nullif",
    "nvl",
    "nvl2",
    "octet_length",
    "pi",
    "power",
    "radians",
    "random",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "regexp_match",
    "reverse",
    "right",
    "round",
    "rtrim",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "signum",
    "sin",
    "sinh",
    "split_part",
    "sqrt",
    "starts_with",
    "strpos",
    "substr",
    "substr_index",
    "tan",
    "tanh",
    "to_date",
    "to_hex",
    "to_local_time",
    "to_time",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
    "to_unixtime",
    "trunc",
    "upper",
    "uuid",
];

/// Functions that make longer texts of short ones, each with how long.
const GROWING: &[(&str, Growth)] = &[
    ("concat", Growth::Sum),
    ("concat_ws", Growth::Separated),
    ("encode", Growth::Factor(2)),
    ("overlay", Growth::Sum),
    ("regexp_replace", Growth::Matched),
    ("replace", Growth::Replaced),
    ("to_char", Growth::Factor(24)),
    ("translate", Growth::Factor(4)),
];

/// Functions that are not there, each with its reason.
#[cfg(test)]
const ABSENT: &[(&str, &str)] = &[
    ("array_add", "makes lists of values"),
    ("array_append", "likewise"),
    ("array_concat", "likewise"),
    ("array_prepend", "likewise"),
    ("array_repeat", "likewise"),
    ("array_replace", "likewise"),
    ("array_replace_all", "likewise"),
    ("array_replace_n", "likewise"),
    ("array_resize", "likewise"),
    ("array_subtract", "likewise"),
    ("array_to_string", "makes a text of a list"),
    ("array_union", "makes lists of values"),
    ("arrays_zip", "likewise"),
    ("arrow_metadata", "tells how the table is stored"),
    ("cast_to_type", "casts to types that nobody names"),
    ("file_row_index", "tells how the table is stored"),
    ("generate_series", "makes lists of values"),
    ("input_file_name", "tells how the table is stored"),
    ("levenshtein", "takes the time of one text times the other, and cannot be interrupted"),
    ("lpad", "makes a text of any length"),
    ("make_array", "makes lists of values"),
    ("map", "likewise"),
    ("map_entries", "likewise"),
    ("named_struct", "makes types that double in each query"),
    ("range", "makes lists of values"),
    ("repeat", "makes a text of any length"),
    ("rpad", "likewise"),
    ("string_to_array", "makes lists of values"),
    ("struct", "makes types that double in each query"),
    ("try_cast_to_type", "casts to types that nobody names"),
    ("union_extract", "is of a type that tables do not have"),
    ("union_tag", "likewise"),
    ("version", "tells of the program"),
    ("with_metadata", "writes what nobody checks"),
];

/// Functions that take the name of a type.
const CASTING: &[&str] = &["arrow_cast", "arrow_try_cast"];

/// Aggregates that are not there: they put many rows into one value, which a join repeats for every row of another.
const ABSENT_AGGREGATES: &[&str] = &["array_agg", "string_agg"];

/// Of the engine's functions, those that are there.
pub(super) fn scalar(all: Vec<Arc<ScalarUDF>>) -> Vec<Arc<ScalarUDF>> {
    let measured = |f: Arc<ScalarUDF>| match GROWING.iter().find(|(name, _)| *name == f.name()) {
        Some((_, growth)) => Some(Measured::of(f, *growth)),
        None => SCALAR.contains(&f.name()).then(|| without_zone(f)),
    };
    all.into_iter().filter_map(measured).collect()
}

/// Whether an aggregate, or one over a window, is there.
pub(super) fn has_aggregate(name: &str) -> bool {
    !ABSENT_AGGREGATES.contains(&name)
}

/// The plan of a statement with only these functions, and with every text that it makes measured first. The parser's own
/// ways to functions, such as `||`, `OVERLAY` and lists in brackets, do not ask the session which it has.
///
/// # Errors
/// [`SqlError::Refused`] naming the function that is not there.
pub(super) fn confined(plan: LogicalPlan) -> Result<LogicalPlan, SqlError> {
    let mut problem = None;
    let confined = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|e| match confined_expr(e) {
                Ok(e) => Ok(e),
                Err(e) => {
                    problem.get_or_insert(e);
                    Err(DataFusionError::Plan(String::new()))
                }
            })?;
            Ok(expr.update_data(|e| name.restore(e)))
        })?;
        if node.transformed { node.map_data(LogicalPlan::recompute_schema) } else { Ok(node) }
    });
    match (confined, problem) {
        (_, Some(problem)) => Err(problem),
        (Ok(plan), None) => Ok(plan.data),
        (Err(e), None) => Err(super::session::told(&e)),
    }
}

fn confined_expr(expr: Expr) -> Result<Transformed<Expr>, SqlError> {
    let absent = |name: &str| SqlError::Refused(format!("There is no function {name}() here."));
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            if is_pattern_function(func.name()) {
                check_pattern(args.get(1))?;
            }
            if CASTING.contains(&func.name()) {
                check_type_name(args.get(1))?;
            }
            let is_measured = func.inner().is::<Measured>();
            match GROWING.iter().find(|(name, _)| *name == func.name()) {
                Some((_, growth)) if !is_measured => {
                    let func = Measured::of(func, *growth);
                    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args })))
                }
                None if !is_measured && !SCALAR.contains(&func.name()) => Err(absent(func.name())),
                _ => Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args }))),
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
            let half = |e: Box<Expr>| {
                Box::new(Expr::ScalarFunction(ScalarFunction { func: Arc::new(ScalarUDF::from(Half::new())), args: vec![*e] }))
            };
            let expr = Expr::BinaryExpr(BinaryExpr { left: half(left), op: Operator::StringConcat, right: half(right) });
            Ok(Transformed::new(expr, true, TreeNodeRecursion::Continue))
        }
        Expr::BinaryExpr(BinaryExpr {
            op: Operator::RegexMatch | Operator::RegexIMatch | Operator::RegexNotMatch | Operator::RegexNotIMatch,
            ref right,
            ..
        }) => {
            check_pattern(Some(right))?;
            Ok(Transformed::no(expr))
        }
        Expr::SimilarTo(ref like) | Expr::Like(ref like) => {
            check_pattern(Some(&like.pattern))?;
            Ok(Transformed::no(expr))
        }
        Expr::Cast(Cast { ref field, .. }) | Expr::TryCast(TryCast { ref field, .. }) if has_fixed_size(field.data_type()) => {
            Err(SqlError::Refused("Types of a fixed size are not cast to.".into()))
        }
        Expr::AggregateFunction(ref aggregate) if !has_aggregate(aggregate.func.name()) => Err(absent(aggregate.func.name())),
        Expr::WindowFunction(ref window) if !has_aggregate(window.fun.name()) => Err(absent(window.fun.name())),
        Expr::HigherOrderFunction(ref function) => Err(absent(function.func.name())),
        _ => Ok(Transformed::no(expr)),
    }
}

/// Whether values of a type have a size that the type says, however large, even where a value is missing.
fn has_fixed_size(data_type: &DataType) -> bool {
    match data_type {
        DataType::FixedSizeBinary(_) | DataType::FixedSizeList(..) => true,
        DataType::List(f) | DataType::LargeList(f) | DataType::ListView(f) | DataType::LargeListView(f) | DataType::Map(f, _) => {
            has_fixed_size(f.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|f| has_fixed_size(f.data_type())),
        DataType::Union(fields, _) => fields.iter().any(|(_, f)| has_fixed_size(f.data_type())),
        DataType::Dictionary(_, of) => has_fixed_size(of),
        DataType::RunEndEncoded(_, of) => has_fixed_size(of.data_type()),
        _ => false,
    }
}

fn is_pattern_function(name: &str) -> bool {
    name.starts_with("regexp_")
}

/// The name of a type is written down, and of none with a size of its own.
fn check_type_name(name: Option<&Expr>) -> Result<(), SqlError> {
    match name {
        Some(Expr::Literal(ScalarValue::Utf8(Some(name)) | ScalarValue::Utf8View(Some(name)), _))
            if name.len() <= PATTERN_MAX_BYTES && !name.to_ascii_lowercase().contains("fixed") =>
        {
            Ok(())
        }
        _ => Err(SqlError::Refused("Types are named in the statement; those of a fixed size are not cast to.".into())),
    }
}

/// A pattern is written down, so that it is known how long it is.
fn check_pattern(pattern: Option<&Expr>) -> Result<(), SqlError> {
    match pattern {
        Some(Expr::Literal(value, _)) if text_bytes_of(value) <= PATTERN_MAX_BYTES => Ok(()),
        _ => Err(SqlError::Refused(format!("A pattern is a text of at most {PATTERN_MAX_BYTES} bytes, written in the statement."))),
    }
}

/// Checks what is written into each step of an optimised plan: a value beside rows is repeated for each of them, and where
/// a name stands for it in several places the optimiser has put the value there.
///
/// # Errors
/// [`SqlError::Refused`] when it is too much.
pub(super) fn check_written(plan: &LogicalPlan) -> Result<(), SqlError> {
    let mut most = 0;
    let visited = plan.apply_with_subqueries(|node| {
        let mut bytes = 0_usize;
        for expr in node.expressions() {
            bytes = bytes.saturating_add(VALUE_BYTES);
            expr.apply(|e| {
                Ok(match e {
                    // The values of a list are looked up, not repeated.
                    Expr::InList(InList { list, .. }) if list.iter().all(|v| matches!(v, Expr::Literal(..))) => TreeNodeRecursion::Jump,
                    Expr::Literal(value, _) => {
                        bytes = bytes.saturating_add(text_bytes_of(value));
                        TreeNodeRecursion::Continue
                    }
                    _ => TreeNodeRecursion::Continue,
                })
            })?;
        }
        most = most.max(bytes);
        Ok(TreeNodeRecursion::Continue)
    });
    visited.map_err(|e| super::session::told(&e))?;
    if most > WRITTEN_MAX_BYTES {
        return Err(SqlError::Refused(format!(
            "The values and columns of one step of the statement come to {most} bytes; at most {WRITTEN_MAX_BYTES}. Ask for fewer columns, or \
             write shorter texts; lists after IN are not counted."
        )));
    }
    Ok(())
}

fn text_bytes_of(value: &ScalarValue) -> usize {
    match value {
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) | ScalarValue::LargeUtf8(Some(text)) => text.len(),
        ScalarValue::Binary(Some(bytes))
        | ScalarValue::BinaryView(Some(bytes))
        | ScalarValue::LargeBinary(Some(bytes))
        | ScalarValue::FixedSizeBinary(_, Some(bytes)) => bytes.len(),
        other if other.data_type().is_nested() => other.size(),
        _ => VALUE_BYTES,
    }
}

/// How long the texts are that a function makes, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Growth {
    /// As long as all that it is given.
    Sum,
    /// That, with the first between.
    Separated,
    /// So many times what it is given.
    Factor(usize),
    /// The first, with the third in each place where the second is found.
    Replaced,
    /// The same, where what is found may be empty, and what it is replaced by may repeat it.
    Matched,
}

impl Growth {
    /// At most so many bytes for one row, given those of its arguments.
    fn bytes(self, lengths: &[usize]) -> usize {
        let sum = lengths.iter().fold(0_usize, |a, b| a.saturating_add(*b));
        match self {
            Self::Sum => sum,
            Self::Separated => sum.saturating_add(lengths.first().copied().unwrap_or_default().saturating_mul(lengths.len())),
            Self::Factor(times) => sum.saturating_mul(times),
            Self::Replaced => match lengths {
                [text, of, by, ..] => text.saturating_add((text / (*of).max(1) + 1).saturating_mul(*by)),
                _ => sum,
            },
            Self::Matched => match lengths {
                // A reference of two bytes gives back what was found, and all that was found is no longer than the text.
                [text, _, by, ..] => text.saturating_add((text + 1).saturating_mul(*by).saturating_mul(2)),
                _ => sum,
            },
        }
    }
}

/// A function that measures what it is about to make.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Measured {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

impl Measured {
    fn of(inner: Arc<ScalarUDF>, growth: Growth) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(Self { inner, growth }))
    }
}

impl ScalarUDFImpl for Measured {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> DfResult<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn is_nullable(&self, args: &[Expr], schema: &dyn ExprSchema) -> bool {
        #[expect(deprecated, reason = "handed through")]
        self.inner.is_nullable(args, schema)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = self.inner.inner().with_updated_config(config)?;
        Some(ScalarUDF::from(Self { inner: Arc::new(inner), growth: self.growth }))
    }

    // Rules that put another function in its place would put one that does not measure.
    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> DfResult<ExprSimplifyResult> {
        Ok(ExprSimplifyResult::Original(args))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let lengths = args.args.iter().map(Lengths::of).collect::<DfResult<Vec<_>>>()?;
        check_made(self.name(), &lengths, args.number_rows, |row| self.growth.bytes(row))?;
        self.inner.invoke_with_args(args)
    }
}

/// Gives back what it is given, if that is at most half of the longest text: two halves are joined by `||`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Half {
    signature: Signature,
}

impl Half {
    fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Half {
    fn name(&self) -> &'static str {
        "half_of_a_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let [value] = <[_; 1]>::try_from(args.args).map_err(|_| DataFusionError::Internal("half is of one value".into()))?;
        if matches!(value.data_type(), DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..)) {
            return Err(refused("Lists are not joined here.".into()));
        }
        check_made("||", &[Lengths::of(&value)?], args.number_rows, |row| row.iter().sum::<usize>().saturating_mul(2))?;
        Ok(value)
    }
}

/// The lengths in bytes of the texts that are one argument: for each row, or for all.
enum Lengths<'a> {
    /// Of a value that is written.
    Written(usize),
    /// Of numbers and times of rows, in digits.
    Digits,
    Each(Cow<'a, ArrayRef>),
}

impl<'a> Lengths<'a> {
    fn of(value: &'a ColumnarValue) -> DfResult<Self> {
        Ok(match value {
            ColumnarValue::Scalar(value) => Self::Written(text_bytes_of(value)),
            ColumnarValue::Array(array) => match array.data_type() {
                DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
                | DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView => Self::Each(Cow::Borrowed(array)),
                DataType::Dictionary(_, of) => Self::Each(Cow::Owned(cast(array, of)?)),
                _ => Self::Digits,
            },
        })
    }

    fn at(&self, row: usize) -> usize {
        match self {
            Self::Written(length) => *length,
            Self::Digits => VALUE_BYTES,
            Self::Each(array) if array.is_null(row) => 0,
            Self::Each(array) => match array.data_type() {
                DataType::Utf8 => array.as_string::<i32>().value(row).len(),
                DataType::LargeUtf8 => array.as_string::<i64>().value(row).len(),
                DataType::Utf8View => array.as_string_view().value(row).len(),
                DataType::Binary => array.as_binary::<i32>().value(row).len(),
                DataType::LargeBinary => array.as_binary::<i64>().value(row).len(),
                DataType::BinaryView => array.as_binary_view().value(row).len(),
                _ => VALUE_BYTES,
            },
        }
    }
}

/// Checks what is about to be made for a batch of rows. What is made of written values alone is repeated for every row of a
/// batch later, and counted with what is written.
fn check_made(name: &str, lengths: &[Lengths<'_>], rows: usize, made: impl Fn(&[usize]) -> usize) -> DfResult<()> {
    let alone = lengths.iter().all(|l| matches!(l, Lengths::Written(_)));
    let (most, rows) = if alone { (WRITTEN_MAX_BYTES, 1) } else { (TEXT_MAX_BYTES, rows) };
    let mut row = vec![0; lengths.len()];
    let mut all = 0_usize;
    for i in 0..rows {
        for (to, from) in row.iter_mut().zip(lengths) {
            *to = from.at(i);
        }
        let bytes = made(&row);
        all = all.saturating_add(bytes);
        if bytes > most || all > BATCH_MAX_BYTES {
            return Err(refused(format!(
                "{name} may make texts of at most {most} bytes, and {BATCH_MAX_BYTES} of {rows} rows together. Ask for shorter ones."
            )));
        }
    }
    Ok(())
}

fn refused(why: String) -> DataFusionError {
    DataFusionError::External(Box::new(SqlError::TooLarge(why)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray, StringViewArray};
    use datafusion::execution::SessionStateDefaults;
    use std::collections::BTreeSet;

    #[test]
    fn every_function_of_the_engine_was_looked_at() {
        let all = SessionStateDefaults::default_scalar_functions();
        let known: Vec<&str> =
            SCALAR.iter().copied().chain(GROWING.iter().map(|(n, _)| *n)).chain(ABSENT.iter().map(|(n, _)| *n)).collect();
        let engine: BTreeSet<&str> = all.iter().map(|f| f.name()).collect();
        let once: BTreeSet<&str> = known.iter().copied().collect();
        assert_eq!(once.len(), known.len(), "a function is in two lists");
        assert_eq!(engine.difference(&once).collect::<Vec<_>>(), Vec::<&&str>::new(), "not looked at");
        assert_eq!(once.difference(&engine).collect::<Vec<_>>(), Vec::<&&str>::new(), "not the engine's");
        assert!(ABSENT.iter().all(|(_, why)| !why.is_empty()));
        let aggregates: BTreeSet<String> =
            SessionStateDefaults::default_aggregate_functions().iter().map(|f| f.name().to_owned()).collect();
        assert!(ABSENT_AGGREGATES.iter().all(|name| aggregates.contains(*name)));
    }

    fn array(texts: &[&str]) -> ColumnarValue {
        ColumnarValue::Array(Arc::new(StringArray::from_iter_values(texts)))
    }

    fn made(growth: Growth, args: &[ColumnarValue], rows: usize) -> DfResult<()> {
        let lengths = args.iter().map(Lengths::of).collect::<DfResult<Vec<_>>>()?;
        check_made("f", &lengths, rows, |row| growth.bytes(row))
    }

    #[test]
    fn lengths_are_those_of_each_row() {
        let views = ColumnarValue::Array(Arc::new(StringViewArray::from(vec![Some("a text of more than twelve bytes"), None])));
        let lengths = Lengths::of(&views).expect("lengths");
        assert_eq!((lengths.at(0), lengths.at(1)), (32, 0));
        let numbers = ColumnarValue::Array(Arc::new(Int64Array::from(vec![1])));
        assert_eq!(Lengths::of(&numbers).expect("lengths").at(0), VALUE_BYTES);
        assert_eq!(Growth::Sum.bytes(&[1, 2, 3]), 6);
        assert_eq!(Growth::Separated.bytes(&[10, 1, 1]), 42);
        assert_eq!(Growth::Replaced.bytes(&[100, 10, 3]), 133);
        assert_eq!(Growth::Matched.bytes(&[100, 10, 3]), 706);
        assert_eq!(Growth::Sum.bytes(&[usize::MAX, usize::MAX]), usize::MAX);
    }

    #[test]
    fn what_is_too_long_is_not_made() {
        let half = "x".repeat(TEXT_MAX_BYTES / 2);
        assert!(made(Growth::Sum, &[array(&[&half, "a"]), array(&[&half, "b"])], 2).is_ok());
        assert!(made(Growth::Sum, &[array(&[&half, "a"]), array(&[&half, "b"]), array(&["", &half])], 2).is_ok());
        assert!(made(Growth::Sum, &[array(&[&half]), array(&[&half]), array(&["y"])], 1).is_err());
        let many = vec![half.as_str(); BATCH_MAX_BYTES / half.len() + 1];
        assert!(made(Growth::Sum, &[array(&many)], many.len()).is_err());
        assert!(made(Growth::Sum, &[array(&many[1..])], many.len() - 1).is_ok());
        let written = |bytes: usize| ColumnarValue::Scalar(ScalarValue::Utf8(Some("x".repeat(bytes))));
        assert!(made(Growth::Sum, &[written(WRITTEN_MAX_BYTES)], 8192).is_ok());
        assert!(made(Growth::Sum, &[written(WRITTEN_MAX_BYTES), written(1)], 1).is_err());
    }
}
