//! `GET /p/{slug}/evidence`: what the node's log holds about the participant; `?agreement=` narrows it to one agreement.

use askama::Template;

use crate::states::LeafState;
use crate::text::{Text, filters};
use crate::view::{Layout, Party, When};

/// A piece of evidence in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceRow {
    /// The id in URLs.
    pub id: String,
    /// The kind of what happened, as the log names it.
    pub kind: &'static str,
    /// What it is about: an id.
    pub object: String,
    /// The other party, if there is one.
    pub peer: Option<Party>,
    /// Whether it is in the log.
    pub state: LeafState,
    /// When it happened.
    pub at: When,
}

impl EvidenceRow {
    fn words(&self) -> Text {
        kind(self.kind)
    }
}

/// What happened, in words.
pub(crate) fn kind(kind: &str) -> Text {
    Text::of("evidence-kind", kind)
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/evidence.html", blocks = ["title"])]
pub struct EvidencePage {
    /// Around the page.
    pub layout: Layout,
    /// The agreement to which the list is narrowed.
    pub agreement: Option<String>,
    /// The evidence, the latest first.
    pub rows: Vec<EvidenceRow>,
    /// Where the list goes on: an opaque cursor, sent back as `?after=`.
    pub after: Option<String>,
}

page!(EvidencePage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, render, render_hostile};

    #[test]
    fn evidence_links_to_its_pages() {
        let page = EvidencePage::sample();
        let html = render(&page);
        for row in &page.rows {
            assert!(html.contains(&format!("href=\"/p/suzhou/evidence/{}\"", row.id)));
        }
        assert!(html.contains("href=\"/p/suzhou/evidence/check\""));
    }

    #[test]
    fn that_of_an_agreement_leads_to_both_sides() {
        let page = EvidencePage { agreement: Some("agr_1".into()), ..EvidencePage::sample() };
        let html = render(&page);
        assert!(html.contains("href=\"/p/suzhou/agreements/agr_1/timeline\"") && html.contains("href=\"/p/suzhou/agreements/agr_1\""));
        assert!(html.contains("agreement=agr_1"), "the next page is of the same agreement");
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = EvidencePage { agreement: Some(HOSTILE.into()), ..EvidencePage::sample() };
        page.rows[0].object = HOSTILE.into();
        render_hostile(&page);
    }
}
