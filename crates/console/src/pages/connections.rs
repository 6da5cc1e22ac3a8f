//! `GET /p/{slug}/connections`: where sources lie outside the node's machine. `POST …/{name}/check` tries one,
//! `POST …/{name}/remove` forgets it.

use askama::Template;

use crate::text::{Text, filters};
use crate::view::{Layout, When};

/// How a check went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// The connection that was checked.
    pub name: String,
    /// Whether it works.
    pub works: bool,
    /// What was answered, or the reason.
    pub detail: Text,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRow {
    /// The name.
    pub name: String,
    /// `s3` or `postgres`: the message `connections-kind-{kind}`.
    pub kind: String,
    /// Where it leads.
    pub place: String,
    /// When it was made or last changed.
    pub changed: When,
    /// How it did when it was last tried; none when it never was.
    pub checked: Option<LastCheck>,
}

/// How a connection did when it was last tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCheck {
    /// When that was.
    pub at: When,
    /// Why it failed.
    pub problem: Option<Text>,
}

impl ConnectionRow {
    fn kind_text(&self) -> Text {
        Text::of("connections-kind", &self.kind)
    }
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/connections.html", blocks = ["title"])]
pub struct ConnectionsPage {
    /// Around the page.
    pub layout: Layout,
    /// The connections by name.
    pub connections: Vec<ConnectionRow>,
    /// The check that was just made.
    pub checked: Option<CheckResult>,
}

page!(ConnectionsPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn connections_can_be_checked_changed_and_removed() {
        let page = ConnectionsPage::sample();
        let html = render(&page);
        for row in &page.connections {
            let base = format!("/p/suzhou/connections/{}", row.name);
            assert!(form(&html, &format!("{base}/check")).is_some() && form(&html, &format!("{base}/remove")).is_some());
            assert!(html.contains(&format!("href=\"{base}\"")) && row.kind_text().exists());
        }
        assert!(html.contains("connections/new?kind=s3") && html.contains("connections/new?kind=postgres"));
        assert!(html.contains("role=\"alert\""), "a check that failed is told");
        assert!(html.contains("Worked") && html.contains("Failed") && html.contains("not checked yet"), "each row tells of its last check");
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = ConnectionsPage::sample();
        page.connections[0].name = HOSTILE.into();
        page.connections[0].place = HOSTILE.into();
        page.connections[0].checked = Some(LastCheck { at: page.connections[0].changed.clone(), problem: Some(Text::plain(HOSTILE)) });
        page.checked = Some(CheckResult { name: HOSTILE.into(), works: false, detail: Text::plain(HOSTILE) });
        render_hostile(&page);
    }
}
