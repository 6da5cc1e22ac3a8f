//! Functions of times that are slow where a time has a zone, and need not be where the zone is UTC: what a wall clock shows
//! there is the time itself. The engine looks up the zone for every row.

use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{DataType, FieldRef, TimeUnit, TimestampMicrosecondType},
};
use datafusion::{
    common::{ExprSchema, Result as DfResult},
    logical_expr::{
        ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        sort_properties::{ExprProperties, SortProperties},
    },
};
use std::sync::Arc;

/// The functions that are run so.
const TIMES: &[&str] = &["date_trunc"];

/// A function, run without zone where that is the same.
pub(super) fn without_zone(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    if TIMES.contains(&function.name()) { Arc::new(ScalarUDF::from(InUtc { inner: function })) } else { function }
}

/// Gives times of the table, which are microseconds of UTC, to a function as it takes them fastest.
#[derive(Debug, PartialEq, Eq, Hash)]
struct InUtc {
    inner: Arc<ScalarUDF>,
}

const PLAIN: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// The times without their zone, and the zone, where that is UTC.
fn plain(value: &ColumnarValue) -> Option<(ArrayRef, Arc<str>)> {
    let ColumnarValue::Array(array) = value else { return None };
    let DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) = array.data_type() else { return None };
    let times = array.as_primitive::<TimestampMicrosecondType>().clone();
    matches!(&**zone, "UTC" | "+00:00").then(|| (Arc::new(times.with_timezone_opt(None::<Arc<str>>)) as ArrayRef, Arc::clone(zone)))
}

impl ScalarUDFImpl for InUtc {
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

    fn output_ordering(&self, inputs: &[ExprProperties]) -> DfResult<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let Some(last) = args.args.last_mut() else { return self.inner.invoke_with_args(args) };
        let Some((times, zone)) = plain(last) else { return self.inner.invoke_with_args(args) };
        *last = ColumnarValue::Array(times);
        if let Some(field) = args.arg_fields.last_mut() {
            *field = Arc::new(field.as_ref().clone().with_data_type(PLAIN));
        }
        args.return_field = Arc::new(args.return_field.as_ref().clone().with_data_type(PLAIN));
        let made = self.inner.invoke_with_args(args)?;
        let ColumnarValue::Array(array) = &made else { return Ok(made) };
        let Some(times) = array.as_primitive_opt::<TimestampMicrosecondType>() else { return Ok(made) };
        Ok(ColumnarValue::Array(Arc::new(times.clone().with_timezone(zone))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{
        array::{StringArray, TimestampMicrosecondArray},
        datatypes::Field,
    };
    use datafusion::{common::config::ConfigOptions, execution::SessionStateDefaults, scalar::ScalarValue};

    /// What a function makes of times, truncated.
    fn truncated(function: &ScalarUDF, to: &str, times: &ArrayRef) -> Result<ArrayRef, String> {
        let given = ScalarValue::Utf8(Some(to.to_owned()));
        let field = |name: &str, t: &DataType| Arc::new(Field::new(name, t.clone(), true));
        let fields = vec![field("g", &given.data_type()), field("t", times.data_type())];
        let value = [Some(&given), None];
        let return_field = function.return_field_from_args(ReturnFieldArgs { arg_fields: &fields, scalar_arguments: &value });
        let args = ScalarFunctionArgs {
            args: vec![ColumnarValue::Scalar(given), ColumnarValue::Array(Arc::clone(times))],
            arg_fields: fields,
            number_rows: times.len(),
            return_field: return_field.map_err(|e| e.to_string())?,
            config_options: Arc::new(ConfigOptions::default()),
        };
        let made = function.invoke_with_args(args).map_err(|e| e.to_string())?;
        made.into_array(times.len()).map_err(|e| e.to_string())
    }

    #[test]
    fn times_of_utc_are_truncated_as_the_engine_does_it_with_their_zone() {
        let engines = SessionStateDefaults::default_scalar_functions().into_iter().find(|f| f.name() == "date_trunc").expect("it is there");
        let ours = without_zone(Arc::clone(&engines));
        // Before 1970, leap days, ends of years and weeks, the last microsecond of a day.
        let micros = [0, -1, 1, 951_782_399_999_999, 951_782_400_000_000, -86_400_000_001, 1_798_761_599_999_999, 4_102_444_800_000_000];
        let times = TimestampMicrosecondArray::from(micros.iter().map(|t| Some(*t)).chain([None]).collect::<Vec<_>>());
        for zone in [Some("UTC"), Some("+00:00"), Some("Asia/Shanghai"), None] {
            let times: ArrayRef = Arc::new(times.clone().with_timezone_opt(zone));
            for to in ["microsecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"] {
                let made = truncated(&ours, to, &times).expect("truncated");
                assert_eq!(
                    (made.data_type(), &made),
                    (times.data_type(), &truncated(&engines, to, &times).expect("truncated")),
                    "{to} {zone:?}"
                );
            }
            assert!(truncated(&ours, "fortnight", &times).is_err());
        }
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["no time"]));
        assert!(truncated(&ours, "day", &texts).is_err());
    }
}
