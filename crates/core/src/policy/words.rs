//! A policy in plain words, for people who decide about it.

use super::{
    Comparison, Constraint, Policy, SetOperator,
    filter::Filter,
    view::{Mask, MaskMethod},
};
use crate::price::Price;

impl Policy {
    /// One sentence per term; several permissions are alternatives, introduced as such.
    pub fn sentences(&self) -> Vec<String> {
        let mut out = Vec::new();
        let many = self.permissions.len() > 1;
        for (i, permission) in self.permissions.iter().enumerate() {
            if many {
                out.push(format!("Way {} of {} to be permitted:", i + 1, self.permissions.len()));
            }
            if permission.constraints.is_empty() {
                out.push("Every participant may use it, without limits.".into());
            }
            out.extend(permission.constraints.iter().map(Constraint::sentence));
        }
        out.extend(self.price.map(price_sentence));
        out
    }
}

/// A price as a sentence.
pub fn price_sentence(price: Price) -> String {
    format!("It costs {price} once for the agreement, paid before access opens.")
}

impl Constraint {
    /// The constraint as a sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::DateTime { op, at } => match op {
                Comparison::Lt => format!("Use is permitted before {at}."),
                Comparison::Lteq => format!("Use is permitted until {at}."),
                Comparison::Gt => format!("Use is permitted after {at}."),
                Comparison::Gteq => format!("Use is permitted from {at} on."),
                Comparison::Eq => format!("Use is permitted only at {at}."),
                Comparison::Neq => format!("Use is permitted except at {at}."),
            },
            Self::ElapsedTime { limit, .. } => format!("Use is permitted for {} after the agreement.", spoken(limit.as_str())),
            Self::Recipient { op, values } => match op {
                SetOperator::Eq | SetOperator::IsAnyOf => format!("Only these participants: {}.", values.join(", ")),
                SetOperator::Neq | SetOperator::IsNoneOf => format!("Not these participants: {}.", values.join(", ")),
            },
            Self::Count { limit } => match limit {
                1 => "It may be read once.".into(),
                n => format!("It may be read at most {n} times."),
            },
            Self::Spatial { op, values } => match op {
                SetOperator::Eq | SetOperator::IsAnyOf => format!("Only for participants established in {}.", values.join(", ")),
                SetOperator::Neq | SetOperator::IsNoneOf => format!("Not for participants established in {}.", values.join(", ")),
            },
            Self::Purpose { op, values } => match op {
                SetOperator::Eq | SetOperator::IsAnyOf => format!("Only for this purpose: {}.", values.join(", or ")),
                SetOperator::Neq | SetOperator::IsNoneOf => format!("Not for this purpose: {}.", values.join(", nor ")),
            },
            Self::Volume { limit } => format!("At most {limit} bytes of it are delivered."),
            Self::Fields { fields } => format!("Only these columns: {}.", listed(fields)),
            Self::RowFilter { filter: Filter::Always(true) } => "All of its rows.".into(),
            Self::RowFilter { filter } => format!("Only rows where {}.", filter.words()),
            Self::Mask { masks } => masks.iter().map(mask_sentence).collect::<Vec<_>>().join(" "),
            Self::MinGroupSize { rows } => format!("Only sums, counts and other aggregates, each over at least {rows} rows."),
            Self::Version { .. } => "Later versions of it are included.".into(),
            Self::NoticePeriod { period } if period.is_none() => "Either side may end the agreement at once.".into(),
            Self::NoticePeriod { period } => format!("Either side may end the agreement with a notice of {}.", spoken(period.as_str())),
        }
    }
}

fn listed<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn mask_sentence(mask: &Mask) -> String {
    let field = &mask.field;
    match &mask.method {
        MaskMethod::Hash => format!("Values of {field} are replaced by a keyed hash."),
        MaskMethod::Null => format!("Values of {field} are left out."),
        MaskMethod::Truncate { chars: 1 } => format!("Of {field} only the first character is shown."),
        MaskMethod::Truncate { chars } => format!("Of {field} only the first {chars} characters are shown."),
        MaskMethod::Bucket { width } => format!("Values of {field} are rounded down to steps of {width}."),
    }
}

/// `P30D` as "30 days"; a duration that mixes units stays as written, since people can look it up.
fn spoken(period: &str) -> String {
    let (number, unit) = match period.strip_prefix("PT") {
        Some(t) => (
            t.trim_end_matches(['H', 'M', 'S']),
            match t.chars().last() {
                Some('H') => "hour",
                Some('M') => "minute",
                Some('S') => "second",
                _ => "",
            },
        ),
        None => {
            let d = period.strip_prefix('P').unwrap_or(period);
            (
                d.trim_end_matches(['Y', 'M', 'W', 'D']),
                match d.chars().last() {
                    Some('Y') => "year",
                    Some('M') => "month",
                    Some('W') => "week",
                    Some('D') => "day",
                    _ => "",
                },
            )
        }
    };
    match number.parse::<u64>() {
        Ok(1) if !unit.is_empty() => format!("1 {unit}"),
        Ok(n) if !unit.is_empty() => format!("{n} {unit}s"),
        _ => period.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn terms_read_as_sentences() {
        let p = Policy::from_odrl(&json!({"permission": [{"action": "use", "constraint": [
            {"leftOperand": "elapsedTime", "operator": "lteq", "rightOperand": "P30D"},
            {"leftOperand": "count", "operator": "lteq", "rightOperand": 3},
            {"leftOperand": "spatial", "operator": "isAnyOf", "rightOperand": ["CN", "SG"]}]}]}))
        .expect("policy");
        assert_eq!(
            p.sentences(),
            [
                "Use is permitted for 30 days after the agreement.",
                "It may be read at most 3 times.",
                "Only for participants established in CN, SG.",
            ]
        );
        assert_eq!(Policy::open().sentences(), ["Every participant may use it, without limits."]);
        assert_eq!(spoken("P1M"), "1 month");
        assert_eq!(spoken("PT90M"), "90 minutes");
        assert_eq!(spoken("P1DT12H"), "P1DT12H");
    }
}
