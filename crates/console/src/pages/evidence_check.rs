//! `GET /p/{slug}/evidence/check`: whether every agreement and transfer has its leaves, and the numbers add up.

use askama::Template;

use crate::format::Count;
use crate::text::{Text, filters};
use crate::view::{Layout, When};

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceFault {
    /// The agreement.
    pub agreement: String,
    /// What is wrong.
    pub what: Text,
    /// What to do about it.
    pub advice: Text,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/evidence_check.html", blocks = ["title"])]
pub struct EvidenceCheckPage {
    /// Around the page.
    pub layout: Layout,
    /// When the log began.
    pub since: Option<When>,
    /// Agreements.
    pub agreements: Count,
    /// Those of them that are older than the log.
    pub older: Count,
    /// Leaves of the others.
    pub leaves: Count,
    /// Leaves whose documents were erased.
    pub erased: Count,
    /// Leaves that wait to be taken into the log.
    pub waiting: Count,
    /// What is wrong.
    pub faults: Vec<EvidenceFault>,
    /// Whether more is wrong than is told.
    pub more: bool,
}

page!(EvidenceCheckPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, render, render_hostile};

    #[test]
    fn what_is_missing_is_loud_and_leads_to_its_agreement() {
        let page = EvidenceCheckPage::sample_faulty();
        let html = render(&page);
        assert!(html.contains("role=\"alert\"") && !html.contains("flash-success"));
        for fault in &page.faults {
            assert!(html.contains(&format!("href=\"/p/suzhou/evidence?agreement={}\"", fault.agreement)));
        }
        let whole = render(&EvidenceCheckPage::sample());
        assert!(whole.contains("flash-success") && !whole.contains("role=\"alert\""));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = EvidenceCheckPage::sample_faulty();
        page.faults[0].agreement = HOSTILE.into();
        page.faults[0].what = Text::plain(HOSTILE);
        render_hostile(&page);
    }
}
