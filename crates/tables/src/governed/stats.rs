//! Statistics of what is shown of a file, as Delta's `stats`: of visible columns and rows alone, and nothing but what is
//! certain.

use parquet::file::metadata::ParquetMetaData;

use super::{
    plan::TablePlan,
    rowgroups::{Range, range},
    value::{Key, Kind, decimal_scale},
};
use crate::publish::{Bound, FileStats, MAX_BOUND_CHARS, Unit, stat};

/// A column at the top that is a single leaf.
struct Leaf<'a> {
    name: &'a str,
    data_type: &'a serde_json::Value,
    kind: Kind,
    index: usize,
}

/// Statistics of some row groups of a file. `written` says that the file is what is shown; else it is the table's own, of
/// which only columns that are shown as they are count.
pub(super) fn file_stats(
    plan: &TablePlan,
    metadata: &ParquetMetaData,
    schema: &arrow::datatypes::Schema,
    groups: &[usize],
    written: bool,
) -> FileStats {
    let columns = if written { &plan.schema().columns } else { &plan.source().columns };
    let mut stats = FileStats::default();
    let rows = groups.iter().map(|g| u64::try_from(metadata.row_group(*g).num_rows()).unwrap_or_default());
    stats.num_records = rows.sum();
    let descr = metadata.file_metadata().schema_descr();
    for (at, column) in columns.iter().enumerate() {
        if !written && !plan.shows_unchanged(&column.name) {
            continue;
        }
        let declared = Kind::of_delta(&column.data_type);
        if matches!(declared, Kind::Nested) {
            continue;
        }
        let Some(index) = (0..descr.num_columns()).find(|leaf| descr.get_column_root_idx(*leaf) == at) else { continue };
        let Some(field) = schema.fields().get(at) else { continue };
        let kind = Kind::of_arrow(field.data_type(), declared);
        add(&mut stats, &Leaf { name: &column.name, data_type: &column.data_type, kind, index }, metadata, groups);
    }
    stats
}

fn add(stats: &mut FileStats, leaf: &Leaf<'_>, metadata: &ParquetMetaData, groups: &[usize]) {
    let order = metadata.file_metadata().column_order(leaf.index);
    let ranges: Vec<Range> = groups.iter().map(|g| range(metadata.row_group(*g).column(leaf.index), order, leaf.kind)).collect();
    if let Some(nulls) = ranges.iter().map(|r| r.nulls).sum::<Option<u64>>() {
        stats.null_count.insert(leaf.name.to_owned(), nulls.into());
    }
    // A group without values has no bounds, and needs none.
    let filled: Vec<&Range> = ranges.iter().filter(|r| r.nulls.is_none_or(|n| n < r.values)).collect();
    for upper in [false, true] {
        let bounds: Option<Vec<&Key>> = filled.iter().map(|r| if upper { r.max.as_ref() } else { r.min.as_ref() }).collect();
        let outer = bounds.unwrap_or_default().into_iter().reduce(|a, b| {
            let b_is_outer = b.compare(a).is_some_and(|o| if upper { o.is_gt() } else { o.is_lt() });
            if b_is_outer { b } else { a }
        });
        let Some(value) = outer.and_then(|key| bound(key, leaf)).and_then(|b| stat(&b, upper)) else { continue };
        let values = if upper { &mut stats.max_values } else { &mut stats.min_values };
        values.insert(leaf.name.to_owned(), value);
    }
}

fn bound(key: &Key, leaf: &Leaf<'_>) -> Option<Bound> {
    Some(match (key, leaf.kind) {
        (Key::Int(v), Kind::Exact { .. }) => match decimal_scale(leaf.data_type) {
            Some(scale) => Bound::Int(*v, Unit::Decimal { scale }),
            None => Bound::Int(*v, Unit::Plain),
        },
        (Key::Int(v), Kind::Date) => Bound::Int(*v, Unit::Days),
        (Key::Int(v), Kind::Time { utc, step }) => Bound::Int(v.checked_mul(i128::from(step))?, Unit::Nanos { utc }),
        (Key::Float(v), _) => Bound::Float(*v + 0.0),
        (Key::Text(text), _) => {
            let end = text.char_indices().nth(MAX_BOUND_CHARS).map_or(text.len(), |(i, _)| i);
            Bound::Text { text: text[..end].to_owned(), truncated: end < text.len() }
        }
        _ => return None,
    })
}
