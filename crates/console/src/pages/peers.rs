//! `GET /p/{slug}/peers`: find another participant by its address, or one met before. The form
//! is sent to `GET /p/{slug}/catalog?peer=…`.

use askama::Template;

use crate::text::{Text, filters};
use crate::view::{Layout, When};

/// A participant that we have been in contact with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRow {
    /// The name, or the DID.
    pub name: String,
    /// The DID.
    pub did: String,
    /// The address that `peer` takes.
    pub address: String,
    /// Whether the last contact succeeded.
    pub reachable: bool,
    /// The last contact.
    pub last_contact: When,
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
    fn the_address_leads_to_the_catalogue() {
        let page = PeersPage::sample();
        let html = render(&page);
        let form = form(&html, "/p/suzhou/catalog").expect("the form");
        assert!(form.contains("method=\"get\""));
        assert!(form.contains("name=\"peer\""));
        assert!(html.contains("href=\"/p/suzhou/catalog?peer=did%3Aweb%3A"));
        assert!(html.contains(&page.peers[0].name));
    }

    #[test]
    fn a_problem_belongs_to_its_field() {
        let mut page = PeersPage::sample();
        page.problem = Some(Text::plain("This is not an address."));
        let html = render(&page);
        assert!(html.contains("aria-invalid=\"true\""));
        assert!(html.contains("aria-describedby=\"peer-problem peer-hint\""));
        assert!(html.contains("This is not an address."));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = PeersPage::sample();
        page.address = HOSTILE.into();
        page.problem = Some(Text::plain(HOSTILE));
        page.peers[0].name = HOSTILE.into();
        page.peers[0].address = HOSTILE.into();
        page.peers[0].did = HOSTILE.into();
        render_hostile(&page);
    }
}
