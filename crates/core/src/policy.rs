//! Policies: a closed set of typed constraints, evaluated as a pure function.
//!
//! [`Policy::from_odrl`] reads an ODRL offer at **publication**; what this node cannot enforce is refused there, by
//! name. [`Policy::evaluate`] answers [`Verdict::Permit`] or [`Verdict::Deny`]; a fact that is missing denies.
//! Follows the [ODRL Information Model 2.2](https://www.w3.org/TR/odrl-model/).

pub mod compare;
mod compensate;
mod cover;
mod evaluate;
pub mod filter;
mod odrl;
pub mod view;
mod words;

pub use evaluate::{Denial, Facts, Permit, Verdict};
pub use words::price_sentence;

use crate::{price::Price, time::Timestamp};
use filter::Filter;
use serde::{Deserialize, Serialize};
use view::{Field, Mask, View};

/// Most permissions in a policy.
pub const PERMISSIONS_MAX: usize = 20;
/// Most constraints in a permission.
pub const CONSTRAINTS_MAX: usize = 100;
/// Most values on the right of a set constraint.
pub const VALUES_MAX: usize = 1_000;
/// Longest value.
pub const VALUE_MAX_CHARS: usize = 1_000;

/// What may be done, and when. Access is given if **any** permission permits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// At least one; each permits the ODRL action `use`.
    pub permissions: Vec<Permission>,
    /// What the agreement costs, once, before anything is delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

/// Permits `use` while **all** constraints hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// What must hold.
    pub constraints: Vec<Constraint>,
}

impl Permission {
    /// What of a table it shows.
    pub fn view(&self) -> View {
        let mut view = View::default();
        for constraint in &self.constraints {
            constraint.narrow(&mut view);
        }
        view
    }
}

/// One thing that must hold, in a form this node can enforce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operand", rename_all = "camelCase")]
pub enum Constraint {
    /// The instant of use.
    DateTime {
        /// How it compares.
        op: Comparison,
        /// With what.
        at: Timestamp,
    },
    /// Time since the agreement was made.
    ElapsedTime {
        /// `lt` or `lteq`.
        op: Comparison,
        /// The span.
        limit: Period,
    },
    /// Who uses it: participant ids.
    Recipient {
        /// How it compares.
        op: SetOperator,
        /// With which ids.
        values: Vec<String>,
    },
    /// Reads of the whole product version under one agreement.
    Count {
        /// Most reads (inclusive).
        limit: u64,
    },
    /// Bytes of data delivered under one agreement.
    Volume {
        /// Most bytes (inclusive).
        limit: u64,
    },
    /// The columns of a table that are shown, and no others.
    Fields {
        /// At least one.
        fields: Vec<Field>,
    },
    /// The rows of a table that are shown, and no others.
    RowFilter {
        /// What they satisfy.
        filter: Filter,
    },
    /// Columns of a table whose values are hidden in part.
    Mask {
        /// At least one, each of another column.
        masks: Vec<Mask>,
    },
    /// Aggregates over groups of rows only, and none of a smaller group.
    MinGroupSize {
        /// The fewest rows of a group.
        rows: u32,
    },
    /// Where the user is established: ISO 3166-1 alpha-2 as declared and signed by the user.
    Spatial {
        /// How it compares.
        op: SetOperator,
        /// With which countries.
        values: Vec<String>,
    },
    /// What for, as declared and signed by the user.
    Purpose {
        /// How it compares.
        op: SetOperator,
        /// With which purposes.
        values: Vec<String>,
    },
    /// Versions from this one on, and not the agreed one alone: later versions are delivered under the same agreement.
    Version {
        /// The first version.
        from: u32,
    },
    /// Either side may end the agreement, at the earliest this long after it said so. Bounds no use by itself.
    NoticePeriod {
        /// How long before.
        period: NoticePeriod,
    },
}

/// How long before the end of an agreement somebody must say so: an ISO 8601 duration, `P0D` for at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NoticePeriod(String);

impl NoticePeriod {
    /// Longest notice in seconds, ten years: terms that nobody lives to use are a mistake.
    pub const MAX_SECS: i64 = 10 * 366 * 86_400;

    /// Reads a duration that is not negative; every spelling of none is `P0D`.
    pub fn parse(text: &str) -> Option<Self> {
        let span: jiff::Span = text.starts_with('P').then(|| text.parse().ok()).flatten()?;
        if span.is_zero() {
            return Some(Self("P0D".to_owned()));
        }
        let (_, longest) = Period::parse(text)?.seconds()?;
        (longest <= Self::MAX_SECS).then(|| Self(text.to_owned()))
    }
    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether the end may be at once.
    pub fn is_none(&self) -> bool {
        self.0 == "P0D"
    }
    /// The earliest end after notice given at `said`; `None` past the end of time.
    pub fn ends(&self, said: Timestamp) -> Option<Timestamp> {
        if self.is_none() { Some(said) } else { Period(self.0.clone()).after(said) }
    }
}

/// An ISO 8601 duration as written (`P30D`, `P1M`): calendar units are counted from the agreement's own date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Period(String);

impl Period {
    /// Reads a positive duration.
    pub fn parse(text: &str) -> Option<Self> {
        let span: jiff::Span = text.starts_with('P').then(|| text.parse().ok()).flatten()?;
        (span.is_positive() && text.len() <= 64).then(|| Self(text.to_owned()))
    }
    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Its shortest and longest length in seconds, whichever day it is counted from; `None` when it has no end in sight.
    fn seconds(&self) -> Option<(i64, i64)> {
        const DAY: i64 = 86_400;
        let span: jiff::Span = self.0.parse().ok()?;
        let days = |year: i64, month: i64| {
            i64::from(span.get_years()).checked_mul(year)?.checked_add(i64::from(span.get_months()).checked_mul(month)?)?.checked_mul(DAY)
        };
        // Weeks, days and smaller units have one length in UTC.
        let fixed = i64::from(span.get_weeks()).checked_mul(7)?.checked_add(i64::from(span.get_days()))?.checked_mul(DAY)?;
        let clock = i64::from(span.get_hours()).checked_mul(3_600)?.checked_add(span.get_minutes().checked_mul(60)?)?;
        let fixed = fixed.checked_add(clock)?.checked_add(span.get_seconds())?;
        let part = i64::from(span.get_milliseconds() != 0 || span.get_microseconds() != 0 || span.get_nanoseconds() != 0);
        Some((days(365, 28)?.checked_add(fixed)?, days(366, 31)?.checked_add(fixed)?.checked_add(part)?))
    }
    /// The instant this long before `to`, in UTC; `None` before the beginning of time.
    pub fn before(&self, to: Timestamp) -> Option<Timestamp> {
        let span: jiff::Span = self.0.parse().ok()?;
        let to = jiff::Timestamp::from_microsecond(to.as_micros()).ok()?;
        let start = to.to_zoned(jiff::tz::TimeZone::UTC).checked_sub(span).ok()?;
        Some(Timestamp::from_micros(start.timestamp().as_microsecond()))
    }
    /// The instant this long after `from`, in UTC; `None` past the end of time.
    pub fn after(&self, from: Timestamp) -> Option<Timestamp> {
        let span: jiff::Span = self.0.parse().ok()?;
        let from = jiff::Timestamp::from_microsecond(from.as_micros()).ok()?;
        let end = from.to_zoned(jiff::tz::TimeZone::UTC).checked_add(span).ok()?;
        Some(Timestamp::from_micros(end.timestamp().as_microsecond()))
    }
}

/// ODRL operators that order values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal.
    Neq,
    /// Before, fewer.
    Lt,
    /// Not after, at most.
    Lteq,
    /// After, more.
    Gt,
    /// Not before, at least.
    Gteq,
}

impl Comparison {
    /// Whether `left op right` holds.
    pub fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Eq => left == right,
            Self::Neq => left != right,
            Self::Lt => left < right,
            Self::Lteq => left <= right,
            Self::Gt => left > right,
            Self::Gteq => left >= right,
        }
    }
}

/// ODRL operators over sets of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SetOperator {
    /// Is the one value.
    Eq,
    /// Is not the one value.
    Neq,
    /// Is one of the values.
    IsAnyOf,
    /// Is none of the values.
    IsNoneOf,
}

impl SetOperator {
    /// Whether `value op values` holds.
    pub fn holds(self, value: &str, values: &[String]) -> bool {
        let among = values.iter().any(|v| v == value);
        match self {
            Self::Eq | Self::IsAnyOf => among,
            Self::Neq | Self::IsNoneOf => !among,
        }
    }
}

impl Policy {
    /// Whether any permission says something of later versions.
    pub fn mentions_versions(&self) -> bool {
        self.permissions.iter().flat_map(|p| &p.constraints).any(|c| matches!(c, Constraint::Version { .. }))
    }
    /// Whether any permission shows less than the whole of a table.
    pub fn hides(&self) -> bool {
        self.permissions.iter().any(|p| !p.view().is_whole())
    }
    /// The notice by which either side may end an agreement of these terms; `None`: neither side may.
    pub fn notice_period(&self) -> Option<&NoticePeriod> {
        self.permissions.iter().flat_map(|p| &p.constraints).find_map(|c| match c {
            Constraint::NoticePeriod { period } => Some(period),
            _ => None,
        })
    }
    /// The policy of a product without an offer file: every participant may use it.
    pub fn open() -> Self {
        Self::free(vec![Permission::default()])
    }
    /// A policy that costs nothing.
    pub const fn free(permissions: Vec<Permission>) -> Self {
        Self { permissions, price: None }
    }
    /// The same terms at a price.
    #[must_use]
    pub fn at(&self, price: Option<Price>) -> Self {
        Self { permissions: self.permissions.clone(), price }
    }
}
