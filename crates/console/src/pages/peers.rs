//! `GET /p/{slug}/peers`: other participants that we know. `POST /p/{slug}/peers` with `peer` adds one by its address.

use askama::Template;

use crate::pages::CatalogCopy;
use crate::text::{Text, filters};
use crate::view::{Layout, When};

/// A participant that we have been in contact with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRow {
    /// Who it is, and the copy of its catalogue.
    pub copy: CatalogCopy,
    /// When it last answered.
    pub last_contact: When,
    /// Why the last contact failed.
    pub problem: Option<Text>,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/peers.html", blocks = ["title"])]
pub struct PeersPage {
    /// Around the page.
    pub layout: Layout,
    /// The address as it was typed.
    pub address: String,
    /// Why it cannot be asked, in one or two sentences.
    pub problem: Option<Text>,
    /// The peers, the latest contact first.
    pub peers: Vec<PeerRow>,
}

page!(PeersPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn a_peer_is_added_by_its_address() {
        let page = PeersPage::sample();
        let html = render(&page);
        assert!(form(&html, "/p/suzhou/peers").expect("the form").contains("name=\"peer\""));
        assert!(html.contains("href=\"/p/suzhou/peers/did%3Aweb%3Adata.hefei.example.cn%3Ap%3Ahefei\""));
        assert!(html.contains("No answer") && html.contains("Answered"));
        assert!(html.contains("read 3 minutes ago"));
        assert!(!html.contains("aria-invalid"));
    }

    #[test]
    fn a_wrong_address_is_shown_again_with_the_problem() {
        let mut page = PeersPage::sample();
        page.address = "hefei".into();
        page.problem = Some(Text::plain("This is no address."));
        let html = render(&page);
        assert!(html.contains("value=\"hefei\"") && html.contains("aria-invalid=\"true\""));
        assert!(html.contains("This is no address."));
    }

    #[test]
    fn nobody_known_says_how_to_begin() {
        let mut page = PeersPage::sample();
        page.peers.clear();
        let html = render(&page);
        assert!(!html.contains("<table") && html.contains("Enter an address above"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = PeersPage::sample();
        page.address = HOSTILE.into();
        page.problem = Some(Text::plain(HOSTILE));
        page.peers[0].copy.name = HOSTILE.into();
        page.peers[0].copy.did = HOSTILE.into();
        page.peers[0].problem = Some(Text::plain(HOSTILE));
        render_hostile(&page);
    }
}
