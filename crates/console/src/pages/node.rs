//! `GET /p/{slug}/node`: whether the node is well.

use askama::Template;

use crate::format::Count;
use crate::text::{Text, filters};
use crate::view::{Layout, Span, When};

/// Something that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked, for example `Database`.
    pub name: Text,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found; when it is not well, also how to mend it.
    pub detail: Text,
}

/// What the node still has to do of its own accord.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobQueue {
    /// Jobs that are due.
    pub due: Count,
    /// Jobs that failed before and will be tried again.
    pub retrying: Count,
    /// Jobs that were given up.
    pub failed: Count,
    /// The oldest job that is due.
    pub oldest: Option<When>,
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
    /// When the node started.
    pub started: When,
    /// For how long it has been running.
    pub uptime: Span,
    /// How many participants it hosts.
    pub participants: Count,
    /// What it still has to do.
    pub jobs: JobQueue,
    /// What was checked.
    pub checks: Vec<Check>,
}

page!(NodePage);

impl NodePage {
    fn is_well(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
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
            check.ok = true;
        }
        let html = render(&page);
        assert!(html.contains("All checks passed"));
        assert!(html.contains(&page.public_url));
        page.checks[0].ok = false;
        let html = render(&page);
        assert!(!html.contains("All checks passed"));
        assert!(html.contains("Needs attention"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = NodePage::sample();
        page.public_url = HOSTILE.into();
        page.checks[0].detail = Text::plain(HOSTILE);
        page.checks[0].name = Text::plain(HOSTILE);
        render_hostile(&page);
    }
}
