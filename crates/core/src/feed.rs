//! Feeds: products that follow their source, version after version, under the same offers.

use crate::{
    error::{Error, Result},
    participant::Slug,
    policy::Period,
    product::ProductId,
    publication::{ReadOptions, Source},
    time::{Micros, Timestamp},
};
use serde::{Deserialize, Serialize};

/// The shortest pause between two looks at a source: anything shorter is a load on it that nobody asked for.
pub const FEED_PAUSE_MIN: Micros = Micros::from_secs(5);
/// The longest pause after failures: a source that is back is noticed within the day.
const FAILING_PAUSE_MAX: Micros = Micros::from_secs(24 * 3_600);

/// A product that is renewed from its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Feed {
    /// Whose it is.
    pub participant: Slug,
    /// Which product.
    pub product: ProductId,
    /// Where its content comes from.
    pub source: Source,
    /// How it is read.
    pub read: ReadOptions,
    /// How often the source is looked at.
    pub every: Period,
    /// Whether an operator of the node began it: it reads any path then, and else the folders that are open to all.
    #[serde(default)]
    pub operator: bool,
    /// The hints of personal data, as `(column, category)`, that were accepted with the first version. Others wait for
    /// their publisher.
    #[serde(default)]
    pub personal_data: Vec<(String, String)>,
    /// The version of the Delta table last published.
    #[serde(default)]
    pub delta_version: Option<u64>,
    /// A hash over the content last published.
    #[serde(default)]
    pub content: Option<String>,
    /// When the source was last looked at.
    #[serde(default)]
    pub looked_at: Option<Timestamp>,
    /// When a version was last made.
    #[serde(default)]
    pub renewed_at: Option<Timestamp>,
    /// Why the last look failed.
    #[serde(default)]
    pub error: Option<String>,
    /// How many looks in a row failed.
    #[serde(default)]
    pub failures: u32,
    /// When the next look is due.
    pub next_at: Timestamp,
    /// Raised by every change.
    pub revision: u64,
}

impl Feed {
    /// Checks the pause.
    ///
    /// # Errors
    /// [`crate::Code::Invalid`] for less than [`FEED_PAUSE_MIN`].
    pub fn check_every(every: &Period) -> Result<()> {
        let epoch = Timestamp::from_micros(1_700_000_000_000_000);
        match every.after(epoch) {
            Some(end) if end >= epoch.plus(FEED_PAUSE_MIN) => Ok(()),
            _ => Err(Error::invalid("A source is looked at every five seconds at most; write durations as PT10M, PT1H or P1D.")),
        }
    }

    /// After `content` (and, for Delta, `delta_version`) became a version, in the middle of a look: what is published is not
    /// published again, whatever comes of the rest. The look that was appointed goes on, so the revision stays.
    #[must_use]
    pub fn renewed(&self, content: String, delta_version: Option<u64>, now: Timestamp) -> Self {
        Self { delta_version, content: Some(content), renewed_at: Some(now), error: None, failures: 0, ..self.clone() }
    }

    /// After a look that went well.
    #[must_use]
    pub fn looked(&self, now: Timestamp) -> Self {
        Self {
            looked_at: Some(now),
            error: None,
            failures: 0,
            next_at: self.every.after(now).unwrap_or_else(|| now.plus(FAILING_PAUSE_MAX)),
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    /// After a look that failed: the pause doubles with every further failure, up to a day.
    #[must_use]
    pub fn failed(&self, error: String, now: Timestamp) -> Self {
        let usual = self.every.after(now).unwrap_or_else(|| now.plus(FAILING_PAUSE_MAX));
        let pause = Micros::from_secs(30_i64 << self.failures.min(12)).min(FAILING_PAUSE_MAX);
        Self {
            looked_at: Some(now),
            error: Some(error),
            failures: self.failures.saturating_add(1),
            next_at: usual.max(now.plus(pause)),
            revision: self.revision + 1,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

    fn feed() -> Feed {
        Feed {
            participant: Slug::parse("acme").expect("slug"),
            product: ProductId::parse("flights").expect("id"),
            source: Source::Paths { paths: vec!["/srv/flights".into()], in_place: false },
            read: ReadOptions::default(),
            every: Period::parse("PT1M").expect("period"),
            operator: false,
            personal_data: Vec::new(),
            delta_version: Some(3),
            content: None,
            looked_at: None,
            renewed_at: None,
            error: None,
            failures: 0,
            next_at: NOW,
            revision: 1,
        }
    }

    #[test]
    fn failures_back_off_and_a_success_forgets_them() {
        let mut f = feed();
        for _ in 0..40 {
            f = f.failed("the database is away".into(), NOW);
        }
        assert_eq!(f.next_at, NOW.plus(FAILING_PAUSE_MAX));
        let f = f.looked(NOW);
        assert_eq!((f.failures, f.error.clone(), f.delta_version), (0, None, Some(3)));
        assert_eq!(f.next_at, NOW.plus(Micros::from_secs(60)));
    }

    #[test]
    fn what_became_a_version_stays_so_when_the_rest_of_the_look_fails() {
        let before = feed();
        let f = before.renewed("x".into(), Some(4), NOW);
        assert_eq!((f.delta_version, f.content.as_deref(), f.renewed_at), (Some(4), Some("x"), Some(NOW)));
        assert_eq!((f.revision, f.next_at), (before.revision, before.next_at), "the appointed look goes on");
        let f = f.failed("commit 5 is damaged".into(), NOW);
        assert_eq!((f.delta_version, f.failures, f.revision), (Some(4), 1, 2));
    }

    #[test]
    fn a_feed_of_an_earlier_version_of_the_program_reaches_no_further_than_anybody() {
        let mut old = serde_json::to_value(feed()).expect("json");
        old.as_object_mut().expect("an object").shift_remove("operator");
        old.as_object_mut().expect("an object").shift_remove("personalData");
        old["personalDataAccepted"] = true.into();
        let read: Feed = serde_json::from_value(old).expect("reads");
        assert_eq!((read.operator, read.personal_data), (false, Vec::new()));
    }

    #[test]
    fn pauses_are_bounded_below() {
        for (text, ok) in [("PT5S", true), ("PT1S", false), ("P1D", true)] {
            assert_eq!(Feed::check_every(&Period::parse(text).expect("period")).is_ok(), ok, "{text}");
        }
    }
}
