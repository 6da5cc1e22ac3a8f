//! Which row groups of a file are shown, decided from their statistics alone: all of a group, nothing, or that it takes a
//! look at the rows.
//!
//! Statistics are believed only where they say exactly what is asked: bounds in the order that the column's type defines,
//! not cut off, and for floats the lower bound alone, since "not a number" lies above every bound and in none.

use std::cmp::Ordering;

use arrow::datatypes::Schema;
use fondaco_core::policy::{Comparison, view::Field};
use parquet::{
    basic::{ColumnOrder, LogicalType, SortOrder},
    data_type::AsBytes,
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaData},
        statistics::Statistics,
    },
};

use super::{
    condition::Condition,
    expr::arrow_type,
    plan::TablePlan,
    value::{Key, Kind},
};

/// What of a row group is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Every row.
    All,
    /// No row.
    None,
    /// Not known, or some rows.
    Mixed,
}

/// What values of a column chunk are known to be.
#[derive(Clone, Debug, Default)]
pub(super) struct Range {
    /// No value is smaller.
    pub(super) min: Option<Key>,
    /// No value is larger.
    pub(super) max: Option<Key>,
    /// How many are missing.
    pub(super) nulls: Option<u64>,
    /// How many there are, missing ones included.
    pub(super) values: u64,
}

/// Which outcomes rows may have.
#[derive(Clone, Copy, Debug)]
struct May {
    hold: bool,
    fail: bool,
    neither: bool,
}

const ANYTHING: May = May { hold: true, fail: true, neither: true };

/// Decides every row group of a file whose columns are `schema`. Without a condition all rows are shown.
pub(super) fn decide(condition: Option<&Condition>, plan: &TablePlan, metadata: &ParquetMetaData, schema: &Schema) -> Vec<Decision> {
    let groups = metadata.row_groups().iter().map(|group| {
        if group.num_rows() == 0 {
            return Decision::None;
        }
        let Some(condition) = condition else { return Decision::All };
        let range = |field: &Field| {
            let kind = kind(plan, schema, field)?;
            // A nested column has several leaves, and none of them says when the whole is missing.
            (kind != Kind::Nested).then_some(())?;
            let leaf = plan.leaf(field)?;
            Some(range(group.columns().get(leaf)?, metadata.file_metadata().column_order(leaf), kind))
        };
        match may(condition, &range) {
            May { hold: false, .. } => Decision::None,
            May { fail: false, neither: false, .. } => Decision::All,
            _ => Decision::Mixed,
        }
    });
    groups.collect()
}

fn kind(plan: &TablePlan, schema: &Schema, field: &Field) -> Option<Kind> {
    Some(Kind::of_arrow(arrow_type(schema, field)?, plan.column(field)?.kind))
}

fn may(condition: &Condition, range: &dyn Fn(&Field) -> Option<Range>) -> May {
    match condition {
        Condition::Always(b) => May { hold: *b, fail: !b, neither: false },
        Condition::Not(inner) => {
            let May { hold, fail, neither } = may(inner, range);
            May { hold: fail, fail: hold, neither }
        }
        Condition::And(parts) => parts.iter().map(|p| may(p, range)).fold(May { hold: true, fail: false, neither: false }, |a, b| May {
            hold: a.hold && b.hold,
            fail: a.fail || b.fail,
            neither: a.neither || b.neither,
        }),
        Condition::Or(parts) => parts.iter().map(|p| may(p, range)).fold(May { hold: false, fail: true, neither: false }, |a, b| May {
            hold: a.hold || b.hold,
            fail: a.fail && b.fail,
            neither: a.neither || b.neither,
        }),
        Condition::IsNull { field } => {
            range(field).map_or(ANYTHING, |r| May { hold: r.may_miss(), fail: r.nulls.is_none_or(|n| n < r.values), neither: false })
        }
        Condition::Known { field, holds } => range(field).map_or(ANYTHING, |r| r.present(*holds, !holds)),
        Condition::Compare { field, op, key } => range(field).map_or(ANYTHING, |r| {
            let (hold, fail) = r.compare(*op, key);
            r.present(hold, fail)
        }),
        Condition::In { field, keys } => range(field).map_or(ANYTHING, |r| {
            let each: Vec<_> = keys.iter().map(|k| r.compare(Comparison::Eq, k)).collect();
            r.present(each.iter().any(|(hold, _)| *hold), each.iter().all(|(_, fail)| *fail))
        }),
    }
}

impl Range {
    /// Whether any value may be missing.
    fn may_miss(&self) -> bool {
        self.nulls.is_none_or(|n| n > 0)
    }

    /// The outcomes of a test that says nothing of missing values.
    fn present(&self, hold: bool, fail: bool) -> May {
        if self.nulls.is_some_and(|n| n >= self.values) {
            return May { hold: false, fail: false, neither: true };
        }
        May { hold, fail, neither: self.may_miss() }
    }

    /// Whether a comparison may hold, and whether it may fail, for values that are not missing.
    fn compare(&self, op: Comparison, key: &Key) -> (bool, bool) {
        let min = self.min.as_ref().and_then(|m| m.compare(key));
        let max = self.max.as_ref().and_then(|m| m.compare(key));
        let less = min.is_none_or(Ordering::is_lt);
        let greater = max.is_none_or(Ordering::is_gt);
        let equal = min.is_none_or(Ordering::is_le) && max.is_none_or(Ordering::is_ge);
        let only = min == Some(Ordering::Equal) && max == Some(Ordering::Equal);
        match op {
            Comparison::Eq => (equal, !only),
            Comparison::Neq => (!only, equal),
            Comparison::Lt => (less, equal || greater),
            Comparison::Lteq => (less || equal, greater),
            Comparison::Gt => (greater, equal || less),
            Comparison::Gteq => (greater || equal, less),
        }
    }
}

/// What the statistics of a chunk say for certain.
pub(super) fn range(chunk: &ColumnChunkMetaData, order: ColumnOrder, kind: Kind) -> Range {
    let descr = chunk.column_descr();
    let values = u64::try_from(chunk.num_values()).unwrap_or_default();
    let required = descr.max_def_level() == 0;
    let unknown = Range { nulls: required.then_some(0), values, ..Range::default() };
    // Nulls of a list's elements are not those of rows.
    if descr.max_rep_level() > 0 {
        return Range { nulls: None, ..unknown };
    }
    let Some(statistics) = chunk.statistics() else { return unknown };
    let nulls = if required { Some(0) } else { statistics.null_count_opt().filter(|n| *n <= values) };
    let unknown = Range { nulls, ..unknown };
    if statistics.is_min_max_deprecated() || !matches!(order, ColumnOrder::TYPE_DEFINED_ORDER(_)) {
        return unknown;
    }
    let unsigned_type = matches!(descr.logical_type_ref(), Some(LogicalType::Integer(int)) if !int.is_signed);
    let (min, max) = match (kind, statistics) {
        (Kind::Bool, Statistics::Boolean(s)) => (s.min_opt().map(|v| Key::Bool(*v)), s.max_opt().map(|v| Key::Bool(*v))),
        (Kind::Exact { .. } | Kind::Date | Kind::Time { .. }, Statistics::Int32(s)) if !unsigned_type => {
            (s.min_opt().map(|v| Key::Int(i128::from(*v))), s.max_opt().map(|v| Key::Int(i128::from(*v))))
        }
        (Kind::Exact { .. } | Kind::Time { .. }, Statistics::Int64(s)) if !unsigned_type => {
            (s.min_opt().map(|v| Key::Int(i128::from(*v))), s.max_opt().map(|v| Key::Int(i128::from(*v))))
        }
        (Kind::Exact { .. }, Statistics::FixedLenByteArray(s)) if is_signed(chunk) && s.min_is_exact() && s.max_is_exact() => {
            (s.min_opt().and_then(|v| big_endian(v.as_bytes())), s.max_opt().and_then(|v| big_endian(v.as_bytes())))
        }
        (Kind::Exact { .. }, Statistics::ByteArray(s)) if is_signed(chunk) && s.min_is_exact() && s.max_is_exact() => {
            (s.min_opt().and_then(|v| big_endian(v.as_bytes())), s.max_opt().and_then(|v| big_endian(v.as_bytes())))
        }
        (Kind::Float32, Statistics::Float(s)) => (s.min_opt().filter(|v| !v.is_nan()).map(|v| Key::Float(f64::from(*v))), None),
        (Kind::Float64, Statistics::Double(s)) => (s.min_opt().filter(|v| !v.is_nan()).map(|v| Key::Float(*v)), None),
        (Kind::Text, Statistics::ByteArray(s)) => {
            let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(|t| Key::Text(t.to_owned()));
            (
                s.min_opt().filter(|_| s.min_is_exact()).and_then(|v| text(v.as_bytes())),
                s.max_opt().filter(|_| s.max_is_exact()).and_then(|v| text(v.as_bytes())),
            )
        }
        _ => return unknown,
    };
    if let (Some(low), Some(high)) = (&min, &max)
        && low.compare(high).is_none_or(Ordering::is_gt)
    {
        return unknown;
    }
    Range { min, max, ..unknown }
}

fn is_signed(chunk: &ColumnChunkMetaData) -> bool {
    let descr = chunk.column_descr();
    ColumnOrder::sort_order_for_type(descr.logical_type_ref(), descr.converted_type(), descr.physical_type()) == SortOrder::SIGNED
}

/// A number as decimals are kept in bytes: two's complement, the highest byte first.
fn big_endian(bytes: &[u8]) -> Option<Key> {
    let negative = *bytes.first()? & 0x80 != 0;
    let mut wide = [if negative { 0xff } else { 0 }; 16];
    let from = wide.len().checked_sub(bytes.len())?;
    wide[from..].copy_from_slice(bytes);
    Some(Key::Int(i128::from_be_bytes(wide)))
}

#[cfg(test)]
#[path = "rowgroups_tests.rs"]
mod tests;
