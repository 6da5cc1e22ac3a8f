//! `GET /p/{slug}/publish`: what is on its way into the catalogue. `POST /p/{slug}/publish` begins another.

use askama::Template;

use crate::pages::{ProgressView, Stage};
use crate::states::Kind;
use crate::text::{Text, filters};
use crate::view::{Layout, When};

/// A publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicationRow {
    /// The id in addresses.
    pub id: String,
    /// The title so far; may be empty.
    pub title: String,
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub stage: Stage,
    /// When it was last changed.
    pub changed: When,
}

impl PublicationRow {
    fn heading(&self) -> Text {
        if self.title.is_empty() { Text::say("publish-untitled") } else { Text::plain(self.title.clone()) }
    }

    const fn progress(&self) -> Option<&ProgressView> {
        match &self.stage {
            Stage::Preparing(progress) => Some(progress),
            _ => None,
        }
    }
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/publications.html", blocks = ["title"])]
pub struct PublicationsPage {
    /// Around the page.
    pub layout: Layout,
    /// What is on its way, the last changed first.
    pub publications: Vec<PublicationRow>,
}

page!(PublicationsPage);

impl PublicationsPage {
    fn is_running(&self) -> bool {
        self.publications.iter().any(|p| p.progress().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn what_runs_is_followed() {
        let mut page = PublicationsPage::sample();
        let html = render(&page);
        assert!(form(&html, "/p/suzhou/publish").is_some());
        assert!(html.contains("data-live=\"/p/suzhou/events?topic=publications\"") && html.contains("http-equiv=\"refresh\""));
        for row in &page.publications {
            assert!(html.contains(&format!("href=\"/p/suzhou/publish/{}\"", row.id)));
        }
        page.publications.retain(|p| p.progress().is_none());
        let html = render(&page);
        assert!(!html.contains("data-live=") && !html.contains("http-equiv"));
        page.publications.clear();
        assert!(!render(&page).contains("<table"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = PublicationsPage::sample();
        page.publications[0].title = HOSTILE.into();
        page.publications[0].id = HOSTILE.into();
        render_hostile(&page);
    }
}
