//! `GET /p/{slug}`: what there is, what waits for somebody here, and what happened last.

use askama::Template;

use crate::format::Count;
use crate::text::filters;
use crate::view::{EventView, Layout, NegotiationRow};

/// How much there is of each thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Our published products.
    pub products: Count,
    /// Negotiations that are not final.
    pub open_negotiations: Count,
    /// Agreements in force.
    pub active_agreements: Count,
    /// Transfers that are started.
    pub started_transfers: Count,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/home.html", blocks = ["title"])]
pub struct HomePage {
    /// Around the page.
    pub layout: Layout,
    /// The current participant's name.
    pub name: String,
    /// The current participant's DID, which peers need.
    pub did: String,
    /// The overview.
    pub counts: Counts,
    /// Whether any peer's catalogue was ever read.
    pub has_peers: bool,
    /// Whether there ever was an agreement.
    pub has_agreements: bool,
    /// Negotiations that wait until somebody here decides.
    pub waiting: Vec<NegotiationRow>,
    /// The latest events, the latest first. Each has a subject.
    pub events: Vec<EventView>,
}

page!(HomePage);

impl HomePage {
    /// Whether the first steps are still worth showing.
    fn is_new(&self) -> bool {
        self.counts.products.is_zero() || !self.has_peers || !self.has_agreements
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, render, render_hostile};

    #[test]
    fn it_shows_what_waits_and_what_happened() {
        let page = HomePage::sample();
        let html = render(&page);
        let waiting = &page.waiting[0];
        assert!(html.contains(&format!("href=\"/p/suzhou/negotiations/{}\"", waiting.id)));
        assert!(html.contains(&waiting.product));
        assert!(html.contains(&page.did));
        assert!(html.contains("signed the agreement"));
        assert!(!html.contains("First steps"));
        assert!(html.contains("aria-current=\"page\""));
    }

    #[test]
    fn an_empty_node_says_what_to_do() {
        let html = render(&HomePage::sample_empty());
        assert!(html.contains("First steps"));
        assert!(html.contains("fondaco --dir DIR product add"));
        assert!(html.contains("href=\"/p/suzhou/peers\""));
        assert!(html.contains("Nothing waits for you"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = HomePage::sample();
        page.waiting[0].product = HOSTILE.into();
        page.waiting[0].peer.name = HOSTILE.into();
        page.events[0].reason = Some(HOSTILE.into());
        page.events[0].who.name = HOSTILE.into();
        render_hostile(&page);
    }
}
