//! Reports over a period: the periods, and what is in a report.
//!
//! A report is put together from the evidence that was written in its period, so that no event is in two reports that follow
//! each other, and none is in neither.

use crate::{
    error::{Error, Result},
    time::{Micros, Timestamp},
};
use jiff::{Span, ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// Longest period of one report: a year, and some.
pub const PERIOD_MAX: Micros = Micros::from_secs(400 * 86_400);
/// Most lines of each part of a report: what is beyond is counted and said to be left out.
pub const LINES_MAX: usize = 10_000;

/// How often reports are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Every {
    /// Each day.
    Day,
    /// Each week, from Monday.
    Week,
    /// Each month.
    Month,
}

/// A period, in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its name: `2026-11-22`, `2026-W47`, `2026-11`.
    pub name: String,
    /// Its beginning.
    pub from: Timestamp,
    /// Its end, which is not in it any more.
    pub to: Timestamp,
}

impl Every {
    /// Its name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The period that a moment is in.
    ///
    /// # Errors
    /// For moments beyond the calendar.
    pub fn period_of(self, at: Timestamp) -> Result<Period> {
        let beyond = |e: jiff::Error| Error::internal_failure(format!("a period beyond the calendar: {e}"));
        let date = jiff::Timestamp::from_microsecond(at.as_micros()).map_err(beyond)?.to_zoned(TimeZone::UTC).date();
        let (first, length): (Date, Span) = match self {
            Self::Day => (date, 1.day()),
            Self::Week => (date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()).map_err(beyond)?, 7.days()),
            Self::Month => (date.first_of_month(), 1.month()),
        };
        let name = match self {
            Self::Day => first.to_string(),
            Self::Week => {
                let week = first.iso_week_date();
                format!("{:04}-W{:02}", week.year(), week.week())
            }
            Self::Month => format!("{:04}-{:02}", first.year(), first.month()),
        };
        let midnight = |date: Date| date.to_zoned(TimeZone::UTC).map(|at| Timestamp::from_micros(at.timestamp().as_microsecond()));
        let to = first.checked_add(length).and_then(midnight).map_err(beyond)?;
        Ok(Period { name, from: midnight(first).map_err(beyond)?, to })
    }

    /// The last period that is over.
    ///
    /// # Errors
    /// As [`Every::period_of`].
    pub fn last_before(self, now: Timestamp) -> Result<Period> {
        let current = self.period_of(now)?;
        self.period_of(current.from.plus(Micros(-1)))
    }
}

/// Checks what somebody asks for.
///
/// # Errors
/// When the period is empty or too long.
pub fn check_period(from: Timestamp, to: Timestamp) -> Result<()> {
    if from >= to {
        return Err(Error::invalid("The period of a report ends after it begins: \"from\" before \"to\"."));
    }
    if to.since(from) > PERIOD_MAX {
        return Err(Error::invalid("The period of a report is at most 400 days."));
    }
    Ok(())
}

/// An agreement that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    /// When it came into force here.
    pub at: Timestamp,
    /// Its id.
    pub agreement: String,
    /// The other side.
    pub peer: String,
    /// The product, as far as the document is kept.
    pub product: String,
}

/// Something that became of an agreement, or of a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// The agreement.
    pub agreement: String,
    /// The other side.
    pub peer: String,
    /// What it is about: the agreement, or a transfer.
    pub object: String,
    /// What happened.
    pub what: String,
    /// Which side decided it, as far as the document is kept.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What was used of an agreement within the period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// The agreement.
    pub agreement: String,
    /// The other side.
    pub peer: String,
    /// Reads of the whole. These four are nothing where a document that they are reckoned from was erased.
    pub reads: Option<u64>,
    /// Requests.
    pub requests: Option<u64>,
    /// Rows.
    pub rows: Option<u64>,
    /// Bytes.
    pub bytes: Option<u64>,
}

/// Uses that were refused under one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// The agreement.
    pub agreement: String,
    /// The other side.
    pub peer: String,
    /// The rule: a code, or the name of a constraint.
    pub rule: String,
    /// How often.
    pub refusals: u64,
    /// The first time.
    pub first_at: Timestamp,
    /// The last time.
    pub last_at: Timestamp,
}

/// Something that was published, withdrawn, offered or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Administered {
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub action: String,
    /// To what.
    pub object: String,
    /// By whom, as far as the document is kept.
    pub by: String,
}

/// The log, as it was when the report was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogState {
    /// Its name.
    pub origin: String,
    /// Leaves of the signed tree.
    pub size: u64,
    /// Its root, in base64.
    pub root: String,
    /// When it was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<String>,
    /// The place of the first leaf of this report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_leaf: Option<u64>,
    /// The place of the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_leaf: Option<u64>,
}

/// A report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whose: the slug.
    pub participant: String,
    /// Its DID.
    pub did: String,
    /// Its name.
    pub name: String,
    /// The period's beginning.
    pub from: Timestamp,
    /// Its end, which is not in it any more.
    pub to: Timestamp,
    /// When the report was made.
    pub made_at: Timestamp,
    /// The log.
    pub log: LogState,
    /// How many leaves the period has.
    pub leaves: u64,
    /// Of how many of them the document was erased.
    pub erased: u64,
    /// Agreements that were made.
    pub agreements: Vec<Made>,
    /// What became of agreements: notices, stops, ends.
    pub changes: Vec<Step>,
    /// Transfers that were started, suspended, ended.
    pub transfers: Vec<Step>,
    /// What was used.
    pub usage: Vec<Used>,
    /// What was refused.
    pub refusals: Vec<Refused>,
    /// What was published, withdrawn, offered, and what was administered.
    pub administration: Vec<Administered>,
    /// Whether a part has more than [`LINES_MAX`] lines, of which the rest was left out.
    pub cut: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    #[test]
    fn periods_follow_the_calendar() {
        for (every, moment, name, from, to) in [
            (Every::Day, "2026-11-22T23:59:59.999999Z", "2026-11-22", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"),
            (Every::Day, "2028-02-28T00:00:00Z", "2028-02-28", "2028-02-28T00:00:00Z", "2028-02-29T00:00:00Z"),
            // A Sunday.
            (Every::Week, "2026-11-22T10:00:00Z", "2026-W47", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
            // The first days of a year may be in the last week of the one before.
            (Every::Week, "2027-01-01T10:00:00Z", "2026-W53", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"),
            (Every::Month, "2026-12-31T10:00:00Z", "2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            let period = every.period_of(at(moment)).expect("a period");
            assert_eq!((period.name.as_str(), period.from, period.to), (name, at(from), at(to)));
        }
    }

    #[test]
    fn the_last_period_is_over() {
        for every in [Every::Day, Every::Week, Every::Month] {
            let now = at("2026-11-01T00:00:00Z");
            let (last, current) = (every.last_before(now).expect("a period"), every.period_of(now).expect("a period"));
            assert!(last.to <= now);
            assert_eq!(last.to, current.from, "{}", every.as_str());
        }
        assert_eq!(Every::Month.last_before(at("2026-11-22T10:00:00Z")).expect("a period").name, "2026-10");
    }

    #[test]
    fn periods_that_are_empty_or_endless_are_refused() {
        assert!(check_period(at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z")).is_ok());
        assert!(check_period(at("2026-11-01T00:00:00Z"), at("2026-11-01T00:00:00Z")).is_err());
        assert!(check_period(at("2026-11-02T00:00:00Z"), at("2026-11-01T00:00:00Z")).is_err());
        assert!(check_period(at("2024-11-01T00:00:00Z"), at("2026-11-01T00:00:00Z")).is_err());
    }
}
