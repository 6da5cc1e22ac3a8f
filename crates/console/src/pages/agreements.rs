//! `GET /p/{slug}/agreements`: all agreements.

use askama::Template;

use crate::states::{AgreementState, Role};
use crate::text::filters;
use crate::view::{Layout, Party, When};

/// An agreement in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementRow {
    /// The id in URLs.
    pub id: String,
    /// The product's title.
    pub product: String,
    /// The other side.
    pub peer: Party,
    /// Our side.
    pub role: Role,
    /// Whether it is in force.
    pub state: AgreementState,
    /// When it was signed.
    pub signed: When,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/agreements.html", blocks = ["title"])]
pub struct AgreementsPage {
    /// Around the page.
    pub layout: Layout,
    /// The states that the list can be narrowed to, and whether it is to this one: the value of `?state=`.
    pub states: Vec<(AgreementState, bool)>,
    /// The agreements, the latest first.
    pub agreements: Vec<AgreementRow>,
    /// Where the list goes on: an opaque cursor, sent back as `?after=`.
    pub after: Option<String>,
}

page!(AgreementsPage);

impl AgreementsPage {
    fn is_narrowed(&self) -> bool {
        self.states.iter().any(|(_, chosen)| *chosen)
    }
    /// What follows `?` on the next page beside the cursor.
    fn narrowed_to(&self) -> Option<String> {
        self.states.iter().find(|(_, chosen)| *chosen).map(|(state, _)| state.code().to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, render, render_hostile};

    #[test]
    fn agreements_link_to_their_pages() {
        let page = AgreementsPage::sample();
        let html = render(&page);
        for row in &page.agreements {
            assert!(html.contains(&format!("href=\"/p/suzhou/agreements/{}\"", row.id)));
            assert!(html.contains(&row.product));
        }
    }

    #[test]
    fn the_list_can_be_narrowed_to_a_state() {
        let mut page = AgreementsPage::sample();
        let html = render(&page);
        assert!(html.contains("href=\"/p/suzhou/agreements?state=ending\""));
        page.states = vec![(AgreementState::Active, false), (AgreementState::Ending, true)];
        page.agreements.clear();
        let html = render(&page);
        assert!(html.contains("aria-current=\"true\"") && html.contains("href=\"/p/suzhou/agreements\""));
    }

    #[test]
    fn an_empty_list_says_what_to_do() {
        let mut page = AgreementsPage::sample();
        page.agreements.clear();
        let html = render(&page);
        assert!(!html.contains("<table"));
        assert!(html.contains("href=\"/p/suzhou/peers\">"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = AgreementsPage::sample();
        page.agreements[0].product = HOSTILE.into();
        page.agreements[0].peer.name = HOSTILE.into();
        render_hostile(&page);
    }
}
