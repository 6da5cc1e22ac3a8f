//! What of a table one agreement shows: a view, checked against the table's columns, and the columns that come of it.
//!
//! A plan is a value: the same view of the same columns under the same key is the same plan, with the same digest, and
//! what is served under it is named by that digest. So a changed view is a changed name.

use std::fmt;

use aws_lc_rs::{digest, hmac};
use fondaco_core::{
    Error, Result,
    policy::{
        filter::Filter,
        view::{Field, Mask, MaskMethod, View},
    },
};
use serde_json::{Map, Value, json};

use super::{
    condition::{self, Condition},
    value::{Kind, steps},
};
use crate::publish::{Column, TableSchema, plain_words};

/// Named in every digest: it changes when the same plan would give other bytes than before.
const ENCODER_VERSION: u32 = 3;
/// Least bytes of a key for hashes: what a guess must not reach.
const MIN_SECRET_BYTES: usize = 16;
/// The words under which a key is put into a digest, which no column's path can be.
const SECRET_TAG: &[u8] = b"\0plan\0digest";

/// What becomes of a column or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Shown as it is.
    Keep,
    /// Shown in part.
    Mask(Masked),
    /// A group of which these parts are shown, by their names.
    Group(Vec<(String, Self)>),
    /// A list whose elements are not shown as they are.
    List(Box<Self>),
    /// A map whose values are not shown as they are.
    Map(Box<Self>),
}

/// A mask at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Masked {
    pub(crate) field: Field,
    pub(crate) method: MaskMethod,
    /// The values are points in time, whatever the file's type says of a zone.
    pub(crate) utc: bool,
}

/// What of a table an agreement shows.
#[derive(Clone)]
pub struct TablePlan {
    source: TableSchema,
    visible: TableSchema,
    shapes: Vec<Option<Shape>>,
    filter: Option<Filter>,
    min_group_size: Option<u32>,
    key: hmac::Key,
    digest: String,
}

/// Checks that a view can be enforced on a table of these columns.
///
/// # Errors
/// [`fondaco_core::Code::Invalid`] with the reason: a column that is not there, a value or a mask that does not fit its
/// type, or nothing that would be left.
pub fn check(view: &View, schema: &TableSchema) -> Result<()> {
    build(view, schema).map(drop)
}

impl TablePlan {
    /// The plan of a view. `secret` is the agreement's own, for its hashes: never shown, and at least 16 bytes where the
    /// view hashes anything.
    ///
    /// # Errors
    /// As [`check`].
    pub fn new(view: &View, schema: &TableSchema, secret: &[u8]) -> Result<Self> {
        let (shapes, visible, filter) = build(view, schema)?;
        let hashes = view.masks.iter().any(|m| m.method == MaskMethod::Hash);
        if hashes && secret.len() < MIN_SECRET_BYTES {
            return Err(Error::internal_failure("a plan that hashes needs a key"));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let mut named = Map::new();
        named.insert("encoder".into(), ENCODER_VERSION.into());
        // As it was written, so that two views that show the same may differ: that costs a copy and nothing else.
        named.insert("view".into(), serde_json::to_value(view).map_err(Error::internal_failure)?);
        named.insert("source".into(), schema.delta_schema_string().into());
        named.insert("visible".into(), visible.delta_schema_string().into());
        if hashes {
            named.insert("secret".into(), hex::encode(hmac::sign(&key, SECRET_TAG)).into());
        }
        let digest = hex::encode(digest::digest(&digest::SHA256, Value::Object(named).to_string().as_bytes()));
        Ok(Self { source: schema.clone(), visible, shapes, filter, min_group_size: view.min_group_size, key, digest })
    }

    /// The columns that are shown, as they are shown.
    pub const fn schema(&self) -> &TableSchema {
        &self.visible
    }

    /// Names the plan: 64 hexadecimal digits, equal for equal plans.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether it hides nothing, so that the files may be had as they are.
    pub fn is_whole(&self) -> bool {
        !self.hides_columns() && self.filter.is_none() && self.min_group_size.is_none()
    }

    /// The fewest rows of an aggregate; where it is set, no rows are shown.
    pub const fn min_group_size(&self) -> Option<u32> {
        self.min_group_size
    }

    /// Whether rows are hidden: there may be versions of the table that differ in nothing that is shown.
    pub const fn hides_rows(&self) -> bool {
        self.filter.is_some() || self.min_group_size.is_some()
    }

    /// All columns of the table.
    pub const fn source(&self) -> &TableSchema {
        &self.source
    }

    /// Which rows are shown; `None` for all.
    pub(crate) const fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    /// What becomes of each column of the table; `None` where it is not shown.
    pub(crate) fn shapes(&self) -> &[Option<Shape>] {
        &self.shapes
    }

    /// The key of its hashes.
    pub(crate) const fn key(&self) -> &hmac::Key {
        &self.key
    }

    /// Whether any column or part of one is not shown as it is.
    pub(crate) fn hides_columns(&self) -> bool {
        self.shapes.iter().any(|s| *s != Some(Shape::Keep))
    }

    /// Whether values are changed.
    pub(crate) fn masks(&self) -> bool {
        self.shapes.iter().flatten().any(masks)
    }

    /// Whether a column at the top is shown with its values as they are.
    pub fn shows_unchanged(&self, column: &str) -> bool {
        let at = self.source.columns.iter().position(|c| c.name == column);
        at.is_some_and(|i| self.shapes[i] == Some(Shape::Keep))
    }

    /// What a field of the filter holds, as declared.
    pub(crate) fn column(&self, field: &Field) -> Option<condition::Column> {
        at(&self.source, field).ok().map(|found| condition::Column { kind: Kind::of_delta(found.data_type), nullable: found.nullable })
    }

    /// The place of each leaf, in the order of Parquet's columns: whether it is shown.
    pub(crate) fn shown_leaves(&self) -> Vec<bool> {
        let mut out = Vec::new();
        for (column, shape) in self.source.columns.iter().zip(&self.shapes) {
            leaves(&column.data_type, shape.as_ref(), &mut out);
        }
        out
    }

    /// The place among all leaves of the first leaf of a field.
    pub(crate) fn leaf(&self, field: &Field) -> Option<usize> {
        let index = self.source.columns.iter().position(|c| c.name == field.parts()[0])?;
        let mut place: usize = self.source.columns[..index].iter().map(|c| count(&c.data_type)).sum();
        let mut data_type = &self.source.columns[index].data_type;
        for name in &field.parts()[1..] {
            let fields = group(data_type)?;
            let index = fields.iter().position(|f| f["name"] == name.as_str())?;
            place += fields[..index].iter().map(|f| count(&f["type"])).sum::<usize>();
            data_type = &fields[index]["type"];
        }
        Some(place)
    }

    /// The leaves that must be read to show what is shown, in the order of Parquet's columns.
    pub(crate) fn read_leaves(&self) -> Vec<usize> {
        let mut read = self.shown_leaves();
        for field in self.filter().map(Filter::fields).unwrap_or_default() {
            for leaf in self.leaves_of(field).unwrap_or_default() {
                read[leaf] = true;
            }
        }
        read.iter().enumerate().filter_map(|(i, r)| r.then_some(i)).collect()
    }

    /// The leaves of a field: where they begin and how many they are.
    pub(crate) fn leaves_of(&self, field: &Field) -> Option<std::ops::Range<usize>> {
        let found = at(&self.source, field).ok()?;
        let first = self.leaf(field)?;
        Some(first..first + count(found.data_type))
    }
}

/// Without its key.
impl fmt::Debug for TablePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TablePlan").field("digest", &self.digest).finish_non_exhaustive()
    }
}

fn masks(shape: &Shape) -> bool {
    match shape {
        Shape::Keep => false,
        Shape::Mask(_) => true,
        Shape::Group(parts) => parts.iter().any(|(_, part)| masks(part)),
        Shape::List(inner) | Shape::Map(inner) => masks(inner),
    }
}

/// The parts of a group.
fn group(data_type: &Value) -> Option<&Vec<Value>> {
    (data_type["type"] == "struct").then(|| data_type["fields"].as_array()).flatten()
}

/// How many leaves a type has.
fn count(data_type: &Value) -> usize {
    match data_type["type"].as_str() {
        Some("struct") => group(data_type).into_iter().flatten().map(|f| count(&f["type"])).sum(),
        Some("array") => count(&data_type["elementType"]),
        Some("map") => count(&data_type["keyType"]) + count(&data_type["valueType"]),
        _ => 1,
    }
}

/// What becomes of a part of a group.
fn part_of<'a>(parts: &'a [(String, Shape)], field: &Value) -> Option<&'a Shape> {
    parts.iter().find(|(name, _)| field["name"] == name.as_str()).map(|(_, part)| part)
}

fn leaves(data_type: &Value, shape: Option<&Shape>, out: &mut Vec<bool>) {
    match (shape, data_type["type"].as_str()) {
        (Some(Shape::Group(parts)), _) => {
            for field in group(data_type).into_iter().flatten() {
                leaves(&field["type"], part_of(parts, field), out);
            }
        }
        (Some(Shape::List(inner)), _) => leaves(&data_type["elementType"], Some(inner), out),
        (Some(Shape::Map(inner)), _) => {
            leaves(&data_type["keyType"], Some(&Shape::Keep), out);
            leaves(&data_type["valueType"], Some(inner), out);
        }
        (shape, _) => out.extend(std::iter::repeat_n(shape.is_some(), count(data_type))),
    }
}

/// A field of the table.
struct Found<'a> {
    data_type: &'a Value,
    /// Whether it, or anything it is in, may be missing.
    nullable: bool,
    /// Whether it is in a list or a map.
    repeated: bool,
    /// Whether it is in the key of a map.
    in_key: bool,
}

/// Finds a field, by exact letters.
fn at<'a>(schema: &'a TableSchema, field: &Field) -> Result<Found<'a>> {
    let parts = field.parts();
    let unknown = |depth: usize, names: &[&str]| {
        let wanted = parts[depth].to_lowercase();
        let spelled = names.iter().find(|n| n.to_lowercase() == wanted).map(|name| {
            let path = parts[..depth].iter().cloned().chain([(*name).to_owned()]).chain(parts[depth + 1..].iter().cloned()).collect();
            Field::new(path).map_or_else(|_| String::new(), |f| format!(" Did you mean {f}? Letter case counts."))
        });
        Error::invalid(format!("The table has no column {field}.{}", spelled.unwrap_or_default()))
    };
    let column = schema
        .columns
        .iter()
        .find(|c| c.name == parts[0])
        .ok_or_else(|| unknown(0, &schema.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>()))?;
    let mut found = Found { data_type: &column.data_type, nullable: column.nullable, repeated: false, in_key: false };
    for (depth, name) in parts.iter().enumerate().skip(1) {
        let data_type = found.data_type;
        match data_type["type"].as_str() {
            Some("struct") => {
                let fields = group(data_type).map(Vec::as_slice).unwrap_or_default();
                let inner = fields
                    .iter()
                    .find(|f| f["name"] == name.as_str())
                    .ok_or_else(|| unknown(depth, &fields.iter().filter_map(|f| f["name"].as_str()).collect::<Vec<_>>()))?;
                found.data_type = &inner["type"];
                found.nullable |= inner["nullable"] != false;
            }
            Some("array") if name == "element" => {
                found.data_type = &data_type["elementType"];
                found.repeated = true;
            }
            Some("map") if name == "key" || name == "value" => {
                found.data_type = &data_type[if name == "key" { "keyType" } else { "valueType" }];
                found.repeated = true;
                found.in_key |= name == "key";
            }
            Some("array") => return Err(unknown(depth, &["element"])),
            Some("map") => return Err(unknown(depth, &["key", "value"])),
            _ => return Err(unknown(depth, &[])),
        }
    }
    Ok(found)
}

type Built = (Vec<Option<Shape>>, TableSchema, Option<Filter>);

fn build(view: &View, schema: &TableSchema) -> Result<Built> {
    for field in view.fields.iter().flatten() {
        at(schema, field)?;
    }
    let filter = checked_filter(view, schema)?;
    for (i, mask) in view.masks.iter().enumerate() {
        check_mask(mask, &at(schema, &mask.field)?)?;
        let overlaps = |other: &&Mask| *other != mask && (other.field.is_within(&mask.field) || mask.field.is_within(&other.field));
        if let Some(other) = view.masks[..i].iter().find(overlaps) {
            return Err(Error::invalid(format!("{other} and {mask} say two things of the same values; keep one of them.")));
        }
        let shown = view.fields.as_ref().is_none_or(|fields| fields.iter().any(|f| mask.field.is_within(f) || f.is_within(&mask.field)));
        if !shown {
            return Err(Error::invalid(format!("{mask} masks a column that \"fields\" does not show; leave one of the two out.")));
        }
    }
    let mut columns = Vec::new();
    let mut shapes = Vec::new();
    for column in &schema.columns {
        let path = Field::column(&column.name)?;
        let shape = shape(&column.data_type, &path, view)?;
        if let Some(shape) = &shape {
            let data_type = shown_type(&column.data_type, shape);
            columns.push(Column {
                name: column.name.clone(),
                nullable: column.nullable || matches!(shape, Shape::Mask(m) if m.method == MaskMethod::Null),
                description: plain_words(&data_type),
                source_type: if masks(shape) { "masked".into() } else { column.source_type.clone() },
                data_type,
            });
        }
        shapes.push(shape);
    }
    if columns.is_empty() {
        return Err(Error::invalid("No column is left to show: the constraints on \"fields\" exclude each other."));
    }
    Ok((shapes, TableSchema { columns }, filter))
}

fn checked_filter(view: &View, schema: &TableSchema) -> Result<Option<Filter>> {
    let Some(filter) = &view.row_filter else { return Ok(None) };
    if !filter.is_within_limits() {
        return Err(Error::invalid("The row filters have more comparisons than can be looked at."));
    }
    let column = |field: &Field| {
        let found = at(schema, field)?;
        if found.repeated {
            return Err(Error::invalid(format!(
                "The row filter cannot look at {field}, which is in a list or a map and has no one value."
            )));
        }
        Ok(condition::Column { kind: Kind::of_delta(found.data_type), nullable: found.nullable })
    };
    let misfit = |field: &Field, kind: Kind, advice: &'static str| {
        Error::invalid(format!("The row filter does not fit column {field}, which is {}: {advice}.", kind.words()))
    };
    let condition = Condition::new(filter, &column, &misfit)?;
    if !condition.can_hold(&|field| column(field).ok()) {
        return Err(Error::invalid(format!("No row can satisfy the row filter: {}.", filter.words())));
    }
    Ok((condition != Condition::Always(true)).then(|| filter.clone()))
}

fn check_mask(mask: &Mask, found: &Found<'_>) -> Result<()> {
    let kind = Kind::of_delta(found.data_type);
    let refuse = |reason: &str| Err(Error::invalid(format!("{mask} cannot be applied: {reason}.")));
    if found.in_key {
        return refuse("the keys of a map must stay different from each other; leave the column out instead");
    }
    match (&mask.method, kind) {
        (MaskMethod::Hash, Kind::Nested) => refuse("the column is nested; name the part of it that is to be hashed"),
        (MaskMethod::Null | MaskMethod::Hash, _) | (MaskMethod::Truncate { .. }, Kind::Text) => Ok(()),
        (MaskMethod::Truncate { .. }, _) => refuse("the column is not text"),
        (MaskMethod::Bucket { width }, Kind::Exact { scale, max, .. }) => match steps(width, scale) {
            Some(steps) if steps >= 1 && steps <= max => Ok(()),
            Some(_) => refuse("the width is beyond the column's largest value"),
            None => refuse("the width is not a multiple of the column's smallest step"),
        },
        (MaskMethod::Bucket { width }, Kind::Float32 | Kind::Float64) => match width.parse::<f32>() {
            Ok(w) if w.is_finite() && w > 0.0 => Ok(()),
            _ => refuse("the width is too small for the column's type"),
        },
        (MaskMethod::Bucket { .. }, _) => refuse("the column is not a number"),
    }
}

/// What becomes of the part of a column at `path`.
fn shape(data_type: &Value, path: &Field, view: &View) -> Result<Option<Shape>> {
    if let Some(fields) = &view.fields
        && !fields.iter().any(|f| f.is_within(path) || path.is_within(f))
    {
        return Ok(None);
    }
    if let Some(mask) = view.masks.iter().find(|m| m.field == *path) {
        let utc = matches!(Kind::of_delta(data_type), Kind::Time { utc: true, .. });
        let whole = view.fields.as_ref().is_none_or(|fields| fields.iter().any(|f| path.is_within(f)));
        if !whole {
            return Err(Error::invalid(format!("{mask} masks the whole of what \"fields\" shows a part of; mask the part.")));
        }
        return Ok(Some(Shape::Mask(Masked { field: path.clone(), method: mask.method.clone(), utc })));
    }
    let part = |name: &str, data_type: &Value| {
        let mut parts = path.parts().to_vec();
        parts.push(name.to_owned());
        shape(data_type, &Field::new(parts)?, view)
    };
    Ok(match data_type["type"].as_str() {
        Some("struct") => {
            let fields = group(data_type).map(Vec::as_slice).unwrap_or_default();
            let mut parts = Vec::new();
            for field in fields {
                let name = field["name"].as_str().unwrap_or_default();
                if let Some(shape) = part(name, &field["type"])? {
                    parts.push((name.to_owned(), shape));
                }
            }
            if parts.is_empty() {
                None
            } else if parts.len() == fields.len() && parts.iter().all(|(_, p)| *p == Shape::Keep) {
                Some(Shape::Keep)
            } else {
                Some(Shape::Group(parts))
            }
        }
        Some("array") => part("element", &data_type["elementType"])?.map(|inner| match inner {
            Shape::Keep => Shape::Keep,
            other => Shape::List(Box::new(other)),
        }),
        Some("map") => {
            let (key, value) = (part("key", &data_type["keyType"])?, part("value", &data_type["valueType"])?);
            match (key, value) {
                (Some(Shape::Keep), Some(Shape::Keep)) => Some(Shape::Keep),
                (Some(Shape::Keep), Some(value)) => Some(Shape::Map(Box::new(value))),
                _ => {
                    return Err(Error::invalid(format!(
                        "Of the map {path}, the whole key and at least a part of the value must be shown, or nothing."
                    )));
                }
            }
        }
        _ => Some(Shape::Keep),
    })
}

/// The Delta type of what is shown.
fn shown_type(data_type: &Value, shape: &Shape) -> Value {
    let is_null = |shape: &Shape| matches!(shape, Shape::Mask(m) if m.method == MaskMethod::Null);
    let set = |key: &str, inner: &Shape, nullable: &str| {
        let mut out = data_type.clone();
        out[key] = shown_type(&data_type[key], inner);
        if is_null(inner) {
            out[nullable] = json!(true);
        }
        out
    };
    match shape {
        Shape::Mask(Masked { method: MaskMethod::Hash, .. }) => json!("string"),
        Shape::Keep | Shape::Mask(_) => data_type.clone(),
        Shape::List(inner) => set("elementType", inner, "containsNull"),
        Shape::Map(inner) => set("valueType", inner, "valueContainsNull"),
        Shape::Group(parts) => {
            let fields: Vec<Value> = group(data_type)
                .into_iter()
                .flatten()
                .filter_map(|field| {
                    let part = part_of(parts, field)?;
                    let mut field = field.clone();
                    field["type"] = shown_type(&field["type"], part);
                    if is_null(part) {
                        field["nullable"] = json!(true);
                    }
                    Some(field)
                })
                .collect();
            json!({"type": "struct", "fields": fields})
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
