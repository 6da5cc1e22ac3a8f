//! A row filter in the columns' own values, and whether any row can satisfy it.

use std::{cmp::Ordering, collections::BTreeMap};

use fondaco_core::policy::{
    Comparison,
    filter::{Filter, Literal},
    view::Field,
};

use super::value::{Key, Kind, Test};

/// A filter whose every comparison is in its column's own values. Logic is SQL's, of three values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// Every row, or none.
    Always(bool),
    /// The same for every value that is not missing, neither true nor false for one that is.
    Known { field: Field, holds: bool },
    /// A comparison.
    Compare { field: Field, op: Comparison, key: Key },
    /// One of several values, at least one.
    In { field: Field, keys: Vec<Key> },
    /// No value.
    IsNull { field: Field },
    /// The opposite.
    Not(Box<Self>),
    /// All.
    And(Vec<Self>),
    /// Any.
    Or(Vec<Self>),
}

/// What may be true of the values of a column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// What they are.
    pub(crate) kind: Kind,
    /// Whether any may be missing.
    pub(crate) nullable: bool,
}

impl Condition {
    /// Puts a filter in the columns' own values.
    ///
    /// # Errors
    /// What `column` says of a column, or what `misfit` makes of a column, its kind and how a literal for it is written.
    pub(crate) fn new<E>(
        filter: &Filter,
        column: &dyn Fn(&Field) -> Result<Column, E>,
        misfit: &dyn Fn(&Field, Kind, &'static str) -> E,
    ) -> Result<Self, E> {
        let all = |parts: &[Filter]| parts.iter().map(|p| Self::new(p, column, misfit)).collect::<Result<Vec<_>, E>>();
        let test = |field: &Field, op: Comparison, literal: &Literal| {
            let kind = column(field)?.kind;
            kind.test(op, literal).map_err(|advice| misfit(field, kind, advice))
        };
        Ok(match filter {
            Filter::Always(b) => Self::Always(*b),
            Filter::Compare { field, op, value } => match test(field, *op, value)? {
                Test::Always(holds) => Self::Known { field: field.clone(), holds },
                Test::Compare(op, key) => Self::Compare { field: field.clone(), op, key },
            },
            Filter::In { field, values } => {
                let mut keys = Vec::new();
                for value in values {
                    match test(field, Comparison::Eq, value)? {
                        Test::Compare(_, key) => keys.push(key),
                        Test::Always(_) => (),
                    }
                }
                if keys.is_empty() { Self::Known { field: field.clone(), holds: false } } else { Self::In { field: field.clone(), keys } }
            }
            Filter::IsNull { field } => {
                column(field)?;
                Self::IsNull { field: field.clone() }
            }
            Filter::Not(inner) => Self::Not(Box::new(Self::new(inner, column, misfit)?)),
            Filter::And(parts) => Self::And(all(parts)?),
            Filter::Or(parts) => Self::Or(all(parts)?),
        })
    }

    /// Whether constants and bounds alone leave room for a row. `true` where they do not tell.
    pub(crate) fn can_hold(&self, column: &dyn Fn(&Field) -> Option<Column>) -> bool {
        satisfiable(&self.pushed(false), column)
    }

    /// The same with `Not` at the leaves alone.
    fn pushed(&self, negated: bool) -> Self {
        let all = |parts: &[Self]| parts.iter().map(|p| p.pushed(negated)).collect();
        match self {
            Self::Not(inner) => inner.pushed(!negated),
            Self::And(parts) if !negated => Self::And(all(parts)),
            Self::Or(parts) if negated => Self::And(all(parts)),
            Self::And(parts) | Self::Or(parts) => Self::Or(all(parts)),
            Self::Always(b) => Self::Always(*b != negated),
            Self::Known { field, holds } => Self::Known { field: field.clone(), holds: *holds != negated },
            Self::Compare { field, op, key } if negated => Self::Compare { field: field.clone(), op: opposite(*op), key: key.clone() },
            leaf if negated => Self::Not(Box::new(leaf.clone())),
            leaf => leaf.clone(),
        }
    }
}

/// The comparison that holds where this one fails.
pub(crate) const fn opposite(op: Comparison) -> Comparison {
    match op {
        Comparison::Eq => Comparison::Neq,
        Comparison::Neq => Comparison::Eq,
        Comparison::Lt => Comparison::Gteq,
        Comparison::Lteq => Comparison::Gt,
        Comparison::Gt => Comparison::Lteq,
        Comparison::Gteq => Comparison::Lt,
    }
}

/// What conditions that must all hold say of one column.
#[derive(Default)]
struct Room {
    /// The lower bound, and whether it is itself excluded.
    low: Option<(Key, bool)>,
    /// The upper bound.
    high: Option<(Key, bool)>,
    /// Values, one of which it must be.
    one_of: Option<Vec<Key>>,
    /// Values that it must not be.
    none_of: Vec<Key>,
    missing: bool,
    present: bool,
}

fn satisfiable(condition: &Condition, column: &dyn Fn(&Field) -> Option<Column>) -> bool {
    match condition {
        Condition::Or(parts) => parts.iter().any(|p| satisfiable(p, column)),
        Condition::And(parts) => {
            let mut leaves = Vec::new();
            gather(parts, &mut leaves);
            leaves.iter().all(|p| satisfiable(p, column)) && rooms(&leaves, column)
        }
        leaf => rooms(&[leaf], column),
    }
}

fn gather<'a>(parts: &'a [Condition], into: &mut Vec<&'a Condition>) {
    for part in parts {
        match part {
            Condition::And(inner) => gather(inner, into),
            other => into.push(other),
        }
    }
}

/// Whether each column alone can satisfy what is asked of it.
fn rooms(leaves: &[&Condition], column: &dyn Fn(&Field) -> Option<Column>) -> bool {
    let mut rooms: BTreeMap<&Field, Room> = BTreeMap::new();
    for leaf in leaves {
        match leaf {
            Condition::Always(false) | Condition::Known { holds: false, .. } => return false,
            Condition::Known { field, .. } => rooms.entry(field).or_default().present = true,
            Condition::Compare { field, op, key } => rooms.entry(field).or_default().compare(*op, key),
            Condition::In { field, keys } => {
                let room = rooms.entry(field).or_default();
                room.present = true;
                room.narrow(keys);
            }
            Condition::IsNull { field } => rooms.entry(field).or_default().missing = true,
            Condition::Not(inner) => match &**inner {
                Condition::IsNull { field } => rooms.entry(field).or_default().present = true,
                Condition::In { field, keys } => {
                    let room = rooms.entry(field).or_default();
                    room.present = true;
                    room.none_of.extend(keys.iter().cloned());
                }
                _ => (),
            },
            _ => (),
        }
    }
    rooms.iter().all(|(field, room)| column(field).is_none_or(|c| room.is_open(c)))
}

impl Room {
    fn compare(&mut self, op: Comparison, key: &Key) {
        self.present = true;
        match op {
            Comparison::Eq => self.narrow(std::slice::from_ref(key)),
            Comparison::Neq => self.none_of.push(key.clone()),
            Comparison::Gt | Comparison::Gteq => {
                let excluded = op == Comparison::Gt;
                if self.low.as_ref().is_none_or(|(low, ex)| tighter(key.compare(low), Ordering::Greater, excluded, *ex)) {
                    self.low = Some((key.clone(), excluded));
                }
            }
            Comparison::Lt | Comparison::Lteq => {
                let excluded = op == Comparison::Lt;
                if self.high.as_ref().is_none_or(|(high, ex)| tighter(key.compare(high), Ordering::Less, excluded, *ex)) {
                    self.high = Some((key.clone(), excluded));
                }
            }
        }
    }

    fn narrow(&mut self, keys: &[Key]) {
        self.one_of = Some(match self.one_of.take() {
            None => keys.to_vec(),
            Some(before) => before.into_iter().filter(|b| keys.iter().any(|k| k.compare(b) == Some(Ordering::Equal))).collect(),
        });
    }

    fn allows(&self, key: &Key) -> bool {
        let above = self.low.as_ref().is_none_or(|(low, ex)| at_least(key.compare(low), *ex));
        let below = self.high.as_ref().is_none_or(|(high, ex)| at_least(high.compare(key), *ex));
        above && below && !self.none_of.iter().any(|n| n.compare(key) == Some(Ordering::Equal))
    }

    fn is_open(&self, column: Column) -> bool {
        if self.missing {
            return column.nullable && !self.present;
        }
        if let Some(keys) = &self.one_of {
            return keys.iter().any(|k| self.allows(k));
        }
        if column.kind == Kind::Bool {
            return [true, false].into_iter().any(|b| self.allows(&Key::Bool(b)));
        }
        let discrete = matches!(column.kind, Kind::Exact { .. } | Kind::Date);
        match (&self.low, &self.high) {
            (Some((Key::Int(low), low_ex)), Some((Key::Int(high), high_ex))) if discrete => {
                low + i128::from(*low_ex) <= high - i128::from(*high_ex)
            }
            (Some((Key::Int(low), true)), _) if discrete => *low < column.kind.range().1,
            (_, Some((Key::Int(high), true))) if discrete => *high > column.kind.range().0,
            (Some((low, low_ex)), Some((high, high_ex))) => at_least(high.compare(low), *low_ex || *high_ex),
            // Nothing sorts below the empty text.
            (_, Some((Key::Text(high), true))) => !high.is_empty(),
            _ => true,
        }
    }
}

/// Whether a bound is tighter than the one before: further in, or at the same place and excluded.
fn tighter(order: Option<Ordering>, inwards: Ordering, excluded: bool, before: bool) -> bool {
    order == Some(inwards) || (order == Some(Ordering::Equal) && excluded && !before)
}

fn at_least(order: Option<Ordering>, excluded: bool) -> bool {
    match order {
        Some(Ordering::Less) => false,
        Some(Ordering::Equal) => !excluded,
        // What cannot be compared does not tell.
        Some(Ordering::Greater) | None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn column(field: &Field) -> Column {
        let (kind, nullable) = match field.parts()[0].as_str() {
            "n" => ("integer", true),
            "m" => ("integer", false),
            "x" => ("double", true),
            "b" => ("boolean", true),
            "d" => ("date", true),
            "t" => ("timestamp", true),
            _ => ("string", true),
        };
        Column { kind: Kind::of_delta(&json!(kind)), nullable }
    }

    fn can_hold(text: &str) -> bool {
        let filter = Filter::parse(text).expect("filter");
        let condition = Condition::new(&filter, &|f| Ok(column(f)), &|f, _, advice| format!("{f}: {advice}")).expect("fits");
        condition.can_hold(&|f| Some(column(f)))
    }

    #[test]
    fn contradictions_are_found_and_nothing_else() {
        for text in [
            "FALSE",
            "NOT TRUE",
            "n = 1 AND n = 2",
            "n > 5 AND n < 6",
            "n > 5 AND n <= 5",
            "n = 1.5",
            "n > 2147483647",
            "n IN (1, 2) AND n > 2",
            "n IN (1, 2) AND NOT n IN (1, 2, 3)",
            "n IS NULL AND n = 1",
            "m IS NULL",
            "NOT (m IS NOT NULL)",
            "s = 'a' AND s = 'b'",
            "s >= 'b' AND s < 'b'",
            "s < ''",
            "x > 1 AND x <= 1",
            "b = TRUE AND b = FALSE",
            "b <> TRUE AND b <> FALSE",
            "NOT (n = 1 OR n <> 1)",
            "(n = 1 AND FALSE) OR m IS NULL",
            "n = 1 AND (s = 'a' AND n = 3)",
            "d > DATE '2027-01-01' AND d < DATE '2027-01-02'",
            "n IS NULL AND n IS NOT NULL",
        ] {
            assert!(!can_hold(text), "{text}");
        }
        for text in [
            "TRUE",
            "n > 5 AND n < 7",
            "n >= 5 AND n <= 5",
            "n <> 1 AND n <> 2",
            "n IN (1, 2) AND n > 1",
            "n = 1 OR n = 2",
            "n IS NULL AND m = 1",
            "s > 'a' AND s < 'b'",
            "s <= ''",
            "x > 1 AND x < 1.0000001",
            "b <> TRUE",
            "n = 1 AND (n = 2 OR s = 'a')",
            "t > TIMESTAMP '2027-01-01T00:00:00Z' AND t < TIMESTAMP '2027-01-01T00:00:01Z'",
            "NOT (n = 1 AND n = 2)",
        ] {
            assert!(can_hold(text), "{text}");
        }
    }
}
