//! `GET /p/{slug}/waiting`: negotiations that go on only once somebody here decides.
//!
//! Each can be decided on the spot: the forms are those of the negotiation's own page, and lead back here.

use askama::Template;

use crate::compared::ComparedRow;
use crate::decision::Decision;
use crate::format::Count;
use crate::states::{NegotiationState, Role};
use crate::text::filters;
use crate::view::{Layout, Party, Span, Terms, When};

/// A negotiation that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRow {
    /// The product's title.
    pub product: String,
    /// Who waits for us.
    pub peer: Party,
    /// Our side.
    pub role: Role,
    /// Where it stands.
    pub state: NegotiationState,
    /// Since when it waits.
    pub since: When,
    /// For how long.
    pub waited: Span,
    /// When a rule decides, if none decides before.
    pub rule_at: Option<When>,
    /// The terms on the table.
    pub terms: Terms,
    /// In what they differ from what we published or asked for first; empty where they do not.
    pub differences: Vec<ComparedRow>,
    /// What can be done.
    pub decision: Decision,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/waiting.html", blocks = ["title"])]
pub struct WaitingPage {
    /// Around the page.
    pub layout: Layout,
    /// The negotiations, the longest wait first.
    pub rows: Vec<WaitingRow>,
    /// How many more there are.
    pub more: Count,
}

page!(WaitingPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn each_can_be_decided_on_the_spot() {
        let page = WaitingPage::sample();
        let html = render(&page);
        assert!(page.rows.len() > 1, "several forms on one page");
        for row in &page.rows {
            for step in &row.decision.steps {
                let action = format!("/p/suzhou/negotiations/{}/{}", row.decision.negotiation, step.code());
                assert!(form(&html, &action).is_some_and(|form| form.contains("name=\"back\" value=\"waiting\"")), "{action}");
            }
        }
        assert!(html.contains("What differs from the offer you published") && html.contains("For 2 hours 13 minutes"));
    }

    #[test]
    fn nothing_waits() {
        let html = render(&WaitingPage { rows: Vec::new(), ..WaitingPage::sample() });
        assert!(html.contains("Nothing waits for you") && !html.contains("<article"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = WaitingPage::sample();
        page.rows[0].product = HOSTILE.into();
        page.rows[0].peer.name = HOSTILE.into();
        page.rows[0].decision.odrl = format!("</textarea>{HOSTILE}");
        page.rows[0].terms.odrl_json = HOSTILE.into();
        render_hostile(&page);
    }
}
