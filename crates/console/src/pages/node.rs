//! `GET /p/{slug}/node`: whether the node is well, and what to do where it is not.

use askama::Template;

use crate::format::{Bytes, Count};
use crate::text::{Text, filters};
use crate::view::{Layout, Span, When};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Well,
    /// It works, but somebody should look at it.
    Look,
    /// It does not work.
    Bad,
}

impl Verdict {
    const fn tone(self) -> &'static str {
        match self {
            Self::Well => "good",
            Self::Look => "hold",
            Self::Bad => "bad",
        }
    }

    const fn text(self) -> Text {
        Text::say(match self {
            Self::Well => "node-ok",
            Self::Look => "node-look",
            Self::Bad => "node-bad",
        })
    }
}

/// Something that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked, for example `Database`.
    pub name: Text,
    /// What is meant, where there are several: a peer, a product.
    pub about: Option<String>,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found.
    pub found: Text,
    /// What others said about it: an error, as it came.
    pub said: Option<Text>,
    /// What to do about it.
    pub mend: Option<Text>,
    /// The page of this console where that is done.
    pub href: Option<String>,
}

/// A job that fails again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingJob {
    /// What it is to do.
    pub what: Text,
    /// Since when.
    pub since: When,
    /// How often it failed.
    pub attempts: Count,
    /// Why the last time; `None` where it is another participant's business.
    pub error: Option<Text>,
    /// The page of what it is about.
    pub href: Option<String>,
}

/// What the node still has to do of its own accord.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobQueue {
    /// Jobs that are due.
    pub due: Count,
    /// Jobs that failed before and will be tried again.
    pub retrying: Count,
    /// The oldest job of all.
    pub oldest: Option<When>,
    /// The oldest that failed before.
    pub failing: Option<FailingJob>,
}

/// The file system with the node's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// What can still be written.
    pub free: Bytes,
    /// Its size.
    pub size: Bytes,
    /// What the published data takes.
    pub data: Bytes,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/node.html", blocks = ["title"])]
pub struct NodePage {
    /// Around the page.
    pub layout: Layout,
    /// The public address, as peers see it.
    pub public_url: String,
    /// What the database is, for example `SQLite`; never its password.
    pub database: String,
    /// What it takes, where that is known.
    pub database_size: Option<Bytes>,
    /// When the node started.
    pub started: When,
    /// For how long it has been running.
    pub uptime: Span,
    /// How many participants it hosts.
    pub participants: Count,
    /// The disk, where it can be looked at.
    pub disk: Option<Disk>,
    /// When the last backup was made, if any is known.
    pub backup: Option<When>,
    /// What it still has to do.
    pub jobs: JobQueue,
    /// What was checked, the worst first.
    pub checks: Vec<Check>,
}

page!(NodePage);

impl NodePage {
    fn worst(&self) -> Verdict {
        let any = |wanted| self.checks.iter().any(|check| check.verdict == wanted);
        if any(Verdict::Bad) {
            Verdict::Bad
        } else if any(Verdict::Look) {
            Verdict::Look
        } else {
            Verdict::Well
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, render, render_hostile};

    #[test]
    fn it_says_whether_all_is_well() {
        let mut page = NodePage::sample();
        for check in &mut page.checks {
            check.verdict = Verdict::Well;
        }
        let html = render(&page);
        assert!(html.contains("All checks passed"));
        assert!(html.contains(&page.public_url));
        page.checks[0].verdict = Verdict::Look;
        assert!(!render(&page).contains("All checks passed") && render(&page).contains("Worth a look"));
        page.checks[0].verdict = Verdict::Bad;
        assert!(render(&page).contains("Needs attention"));
    }

    #[test]
    fn what_is_wrong_says_what_to_do() {
        let page = NodePage::sample();
        let html = render(&page);
        let wrong: Vec<&Check> = page.checks.iter().filter(|check| check.verdict != Verdict::Well).collect();
        assert!(wrong.len() > 1 && wrong.iter().all(|check| check.mend.is_some()));
        assert_eq!(html.matches("→ ").count(), wrong.len(), "what to do about each");
        assert!(html.contains("Put TLS in front"));
        let failing = page.jobs.failing.expect("a failing job");
        assert!(html.contains(&failing.error.expect("its error").to_string()));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = NodePage::sample();
        page.public_url = HOSTILE.into();
        page.checks[0].said = Some(Text::plain(HOSTILE));
        page.checks[0].about = Some(HOSTILE.into());
        page.checks[0].found = Text::plain(HOSTILE);
        if let Some(job) = &mut page.jobs.failing {
            job.error = Some(Text::plain(HOSTILE));
        }
        render_hostile(&page);
    }
}
