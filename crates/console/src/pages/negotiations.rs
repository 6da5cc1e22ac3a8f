//! `GET /p/{slug}/negotiations`: all negotiations, ours and those of peers.

use askama::Template;

use crate::text::filters;
use crate::view::{Layout, NegotiationRow};

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/negotiations.html", blocks = ["title"])]
pub struct NegotiationsPage {
    /// Around the page.
    pub layout: Layout,
    /// The negotiations, the latest change first.
    pub negotiations: Vec<NegotiationRow>,
    /// Where the list goes on: an opaque cursor, sent back as `?after=`.
    pub after: Option<String>,
}

page!(NegotiationsPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, render, render_hostile};

    #[test]
    fn negotiations_link_to_their_pages() {
        let page = NegotiationsPage::sample();
        let html = render(&page);
        for row in &page.negotiations {
            assert!(html.contains(&format!("href=\"/p/suzhou/negotiations/{}\"", row.id)));
            assert!(html.contains(&format!("data-state=\"{}\"", row.state.code())));
        }
        let waiting = page.negotiations.iter().filter(|n| n.waiting_for_us);
        assert_eq!(html.matches("Your decision").count(), waiting.count());
    }

    #[test]
    fn an_empty_list_says_what_to_do() {
        let mut page = NegotiationsPage::sample();
        page.negotiations.clear();
        let html = render(&page);
        assert!(!html.contains("<table"));
        assert!(html.contains("href=\"/p/suzhou/peers\">"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = NegotiationsPage::sample();
        page.negotiations[0].product = HOSTILE.into();
        page.negotiations[0].peer.name = HOSTILE.into();
        page.negotiations[0].peer.did = HOSTILE.into();
        render_hostile(&page);
    }
}
