//! Instants, and the clock that hands them out.
//!
//! An instant is an `i64` of microseconds since 1970-01-01T00:00:00Z: what the database stores, with no rounding
//! on the way. Text is always RFC 3339 in UTC with a `Z`.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicI64, Ordering};

/// Microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A span of time in microseconds, never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// Whole milliseconds.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms * 1_000)
    }
    /// Whole seconds.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs * 1_000_000)
    }
    /// As a standard duration; negative spans become zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_micros(u64::try_from(self.0).unwrap_or(0))
    }
}

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(us: i64) -> Self {
        Self(us)
    }
    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
    /// Milliseconds since the epoch, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }
    /// Seconds since the epoch, rounded down (JWT `NumericDate`).
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
    /// Parses RFC 3339 / `xsd:dateTime` **with** an offset or `Z`; a date-time without one is ambiguous and refused.
    ///
    /// # Errors
    /// `None` when the text is not such an instant.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_microsecond()))
    }
    /// As [`Timestamp::parse`], or a day, which is the midnight (UTC) that it begins with.
    ///
    /// # Errors
    /// `None` when the text is neither.
    pub fn parse_day_or_instant(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| Self::parse(&format!("{text}T00:00:00Z")))
    }
    /// This instant plus a span; saturates at the end of time.
    #[must_use]
    pub const fn plus(self, span: Micros) -> Self {
        Self(self.0.saturating_add(span.0))
    }
    /// The span since `earlier`; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }
    /// RFC 3339 with milliseconds at most: what we put in messages (`2026-11-21T08:00:00.123Z`).
    pub fn to_rfc3339(self) -> String {
        self.to_string()
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t}"),
            Err(_) => write!(f, "out-of-range({})", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected an RFC 3339 instant with offset or Z"))
    }
}

/// Where "now" comes from. Only edges call it; rules take a [`Timestamp`].
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_microsecond())
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Starts at `at`.
    pub const fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.0))
    }
    /// Moves forward.
    pub fn advance(&self, by: Micros) {
        self.0.fetch_add(by.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_keeps_microseconds() {
        let t = Timestamp::parse("2026-11-21T08:00:00.123456+08:00").expect("valid");
        assert_eq!(t.to_rfc3339(), "2026-11-21T00:00:00.123456Z");
        assert_eq!(Timestamp::parse(&t.to_rfc3339()), Some(t));
        let json = serde_json::to_string(&t).expect("json");
        assert_eq!(serde_json::from_str::<Timestamp>(&json).expect("parse"), t);
    }

    #[test]
    fn a_day_begins_at_midnight() {
        let day = Timestamp::parse("2026-11-22T00:00:00Z");
        assert_eq!(Timestamp::parse_day_or_instant("2026-11-22"), day);
        assert_eq!(Timestamp::parse_day_or_instant("2026-11-22T08:00:00+08:00"), day);
        for bad in ["2026-11", "2026-11-22T08:00:00", "2026-13-01", "soon", ""] {
            assert_eq!(Timestamp::parse_day_or_instant(bad), None, "{bad}");
        }
    }

    #[test]
    fn ambiguous_or_wrong_instants_are_refused() {
        for bad in ["2026-11-21", "2026-11-21T08:00:00", "tomorrow", "", "2026-13-01T00:00:00Z"] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }
}
