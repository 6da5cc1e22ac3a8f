//! `GET /p/{slug}/transfers`: all transfers.

use askama::Template;

use crate::text::filters;
use crate::view::{Layout, TransferRow};

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/transfers.html", blocks = ["title"])]
pub struct TransfersPage {
    /// Around the page.
    pub layout: Layout,
    /// The transfers, the latest change first.
    pub transfers: Vec<TransferRow>,
    /// Where the list goes on: an opaque cursor, sent back as `?after=`.
    pub after: Option<String>,
}

page!(TransfersPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, render, render_hostile};

    #[test]
    fn transfers_link_to_their_pages() {
        let page = TransfersPage::sample();
        let html = render(&page);
        for row in &page.transfers {
            assert!(html.contains(&format!("href=\"/p/suzhou/transfers/{}\"", row.id)));
            assert!(html.contains(&format!("data-state=\"{}\"", row.state.code())));
        }
    }

    #[test]
    fn an_empty_list_says_what_to_do() {
        let mut page = TransfersPage::sample();
        page.transfers.clear();
        let html = render(&page);
        assert!(!html.contains("<table"));
        assert!(html.contains("href=\"/p/suzhou/agreements\">"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = TransfersPage::sample();
        page.transfers[0].product = HOSTILE.into();
        page.transfers[0].format = HOSTILE.into();
        page.transfers[0].peer.name = HOSTILE.into();
        render_hostile(&page);
    }
}
