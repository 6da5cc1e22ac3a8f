//! Reports by schedule: `DIR/reports/SLUG/PERIOD.html` and `.csv`, after each period.

use super::{csv::csv, html::html};
use crate::{app::App, disk};
use fondaco_core::{
    Code, Error, Result,
    participant::Participant,
    report::{Every, Period},
    time::{Micros, Timestamp},
};
use serde_json::{Value, json};
use std::{fs::DirBuilder, io, os::unix::fs::DirBuilderExt};

/// The folder below the node's.
pub const FOLDER: &str = "reports";
/// The setting that says up to when reports were written, and how often.
const DONE_SETTING: &str = "reports.done";
/// Periods made up for after a time in which the node did not run: two months of days, five years of months. What is older
/// can be asked for.
const CATCH_UP_MAX: usize = 60;
/// How long after a period it is written: what began before midnight may be committed after it, and the clocks of several
/// processes on one database differ.
pub const SETTLED: Micros = Micros::from_secs(600);
/// Participants looked at in one transaction.
const AT_ONCE: u32 = 500;

impl App {
    /// Writes the reports of the periods that were over at a time, for all participants, unless they were written before. How many
    /// periods.
    ///
    /// # Errors
    /// When the database or the disk fails; it is done again then, and what is there stays.
    pub async fn reports_write(&self, every: Every, over_by: Timestamp) -> Result<usize> {
        let done = self.store.read("reports.done", |tx| -> Result<_> { Ok(tx.setting_get(DONE_SETTING)?) }).await?;
        let periods = outstanding(every, done.as_ref(), over_by)?;
        for period in &periods {
            self.reports_of(period).await?;
            let done = json!({"every": every, "to": period.to.as_micros()});
            self.store.tx("reports.done", move |tx| -> Result<_> { Ok(tx.setting_put(DONE_SETTING, &done)?) }).await?;
        }
        Ok(periods.len())
    }

    async fn reports_of(&self, period: &Period) -> Result<()> {
        let mut after = None;
        loop {
            let page = self
                .store
                .read("reports.participants", move |tx| -> Result<_> { Ok(tx.participant_list(after.as_ref(), AT_ONCE)?) })
                .await?;
            for participant in &page {
                if self.stopping.is_cancelled() {
                    // What was written stays, and the period is not done: the rest follows.
                    return Err(Error::new(Code::Unavailable, "The node is stopping; the other reports are written when it runs again."));
                }
                self.report_file(participant, period).await?;
            }
            match page.last() {
                Some(last) if page.len() == AT_ONCE as usize => after = Some(last.slug.clone()),
                _ => return Ok(()),
            }
        }
    }

    async fn report_file(&self, participant: &Participant, period: &Period) -> Result<()> {
        let dir = self.config.dir.join(FOLDER).join(participant.slug.as_str());
        let paths = [dir.join(format!("{}.html", period.name)), dir.join(format!("{}.csv", period.name))];
        // Whoever was added later has nothing to report, and what was written is not written again.
        if participant.created_at >= period.to || paths.iter().all(|path| path.exists()) {
            return Ok(());
        }
        let report = self.report(participant, period.from, period.to).await?;
        let texts = [html(&report)?, csv(&report)?];
        let written = tokio::task::spawn_blocking(move || -> io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
            // Of the two, one may be there from before the node was stopped.
            let mut missing = paths.iter().zip(&texts).filter(|(path, _)| !path.exists());
            missing.try_for_each(|(path, text)| disk::write_whole(path, text.as_bytes()))
        });
        written.await.map_err(Error::internal_failure)?.map_err(Error::internal_failure)
    }
}

/// The periods that are over and not written yet, the oldest first. Where nothing was written before, the last one alone.
fn outstanding(every: Every, done: Option<&Value>, now: Timestamp) -> Result<Vec<Period>> {
    let last = every.last_before(now)?;
    let before = done.filter(|done| done.get("every") == Some(&json!(every))).and_then(|done| done.get("to")?.as_i64());
    let Some(done) = before.map(Timestamp::from_micros) else { return Ok(vec![last]) };
    let mut periods = Vec::new();
    let mut next = last;
    while next.from >= done && periods.len() < CATCH_UP_MAX {
        let earlier = every.last_before(next.from)?;
        periods.push(std::mem::replace(&mut next, earlier));
    }
    periods.reverse();
    Ok(periods)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn names(every: Every, done: Option<(Every, &str)>, now: &str) -> Vec<String> {
        let done = done.map(|(every, to)| json!({"every": every, "to": at(to).as_micros()}));
        let periods = outstanding(every, done.as_ref(), at(now)).expect("periods");
        periods.into_iter().map(|period| period.name).collect()
    }

    #[test]
    fn what_was_missed_is_made_up_for_once() {
        let now = "2026-11-22T10:00:00Z";
        assert_eq!(names(Every::Month, None, now), ["2026-10"], "the first time, the last period alone");
        let done = |to| Some((Every::Month, to));
        assert_eq!(names(Every::Month, done("2026-11-01T00:00:00Z"), now), [""; 0]);
        assert_eq!(names(Every::Month, done("2026-08-01T00:00:00Z"), now), ["2026-08", "2026-09", "2026-10"]);
        assert_eq!(names(Every::Day, done("2026-08-01T00:00:00Z"), now), ["2026-11-21"], "another rhythm begins anew");
        assert_eq!(names(Every::Day, Some((Every::Day, "2020-01-01T00:00:00Z")), now).len(), CATCH_UP_MAX);
    }
}
